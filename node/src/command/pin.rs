//! The PIN of a device, and the lock of a daemon whose worker went away.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use wangge_model::audit::{Entry, What};
use wangge_model::identity::Role;

use super::{Answer, Command, CommandError};
use crate::replica::vault::{Pin, PinCost, VaultError};
use crate::replica::{Replica, ReplicaError};
use crate::text::{Message, role_zh};

/// How long a turn lasts without a command on a shared device, unless the daemon was told otherwise.
const SHARED_IDLE: Duration = Duration::from_secs(15 * 60);

/// What was typed and nobody else is to see.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hidden(pub Option<String>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl Hidden {
    fn pin(&self) -> Result<Pin, CommandError> {
        let typed = self.0.as_deref().ok_or(VaultError::PinNeeded).map_err(|e| CommandError::from(&e))?;
        Pin::new(typed).map_err(|e| CommandError::from(&e))
    }
}

/// What can be done about the PIN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum PinCommand {
    /// Sets one where there was none.
    Set(NewPinArgs),
    /// Sets another one.
    Change(NewPinArgs),
    /// Takes it away: whoever reads the directory can open it.
    Remove(OldPinArgs),
    /// Sets a new one with the centre's help.
    Recover(RecoverArgs),
}

/// Roles whose devices people carry, or leave on a counter; those of areas and of the centre may be unattended.
const CARRIED: [Role; 5] =
    [Role::GridWorker, Role::GridLeader, Role::TeamMember, Role::TeamLead, Role::WindowClerk];

/// Whether whoever holds this device opens it without a PIN, though people carry it.
pub(crate) fn is_open(replica: &Replica) -> bool {
    let is_carried = replica.acting().is_some_and(|acting| CARRIED.contains(&acting.role));
    is_carried && !replica.store().is_locked_with_pin()
}

/// Whether the street requires a PIN that this device does not have.
pub(super) fn is_missing(replica: &Replica) -> Result<bool, ReplicaError> {
    Ok(is_open(replica) && replica.roster()?.policy().pin_required)
}

/// Whether a command is done on a device whose PIN is missing: what tells of it, mends it, or brings what is
/// here to the centre.
pub(super) fn goes_without(command: &Command) -> bool {
    matches!(
        command,
        Command::Pin(_) | Command::Status | Command::Digest | Command::Sync(_) | Command::Doctor(_)
    )
}

/// A new PIN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct NewPinArgs {
    /// A file that holds the new PIN.
    #[arg(long, value_name = "FILE")]
    pub new_pin_file: Option<PathBuf>,
    /// The present one.
    #[arg(skip)]
    pub old: Hidden,
    /// The new one.
    #[arg(skip)]
    pub new: Hidden,
    /// Whose, on a shared device.
    #[arg(skip)]
    pub who: Option<String>,
}

/// Whose turn begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct TurnArgs {
    /// The worker's name, on a shared device.
    #[arg(long, value_name = "NAME")]
    pub worker: Option<String>,
    /// His PIN.
    #[arg(skip)]
    pub old: Hidden,
}

/// Another worker's invitation on a device that has a PIN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeatArgs {
    /// The line that the centre printed.
    pub invitation: String,
    /// Who of those that are here lets him in, where there are several.
    pub worker: Option<String>,
    /// The PIN of whoever is here.
    pub old: Hidden,
    /// His.
    pub new: Hidden,
}

/// The present PIN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct OldPinArgs {
    /// The present one.
    #[arg(skip)]
    pub old: Hidden,
}

/// How far a recovery is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RecoverArgs {
    /// The centre's answer; without it a request is printed.
    pub answer: Option<String>,
    /// A file that holds the new PIN.
    #[arg(long, value_name = "FILE")]
    pub new_pin_file: Option<PathBuf>,
}

pub(super) fn execute(replica: &Replica, command: &PinCommand) -> Result<Answer, CommandError> {
    let vault = replica.store();
    let vault_error = |error: VaultError| match error {
        VaultError::Store(error) => CommandError::from(ReplicaError::Store(error)),
        error => CommandError::from(&error),
    };
    let (done, message) = match command {
        PinCommand::Set(args) => {
            if vault.is_locked_with_pin() {
                return Err(CommandError::failed("pin-set", &Message::PinIsSet));
            }
            (vault.set_pin((None, None), &args.new.pin()?, PinCost::default()), Message::PinSet)
        }
        PinCommand::Change(args) => {
            if !vault.is_locked_with_pin() {
                return Err(CommandError::from(&VaultError::NoPin));
            }
            let (old, new) = (args.old.pin()?, args.new.pin()?);
            // In whoever's turn: his own PIN.
            let turn = replica.turn_of();
            let who = args.who.as_deref().or(turn.as_deref());
            (vault.set_pin((who, Some(&old)), &new, PinCost::default()), Message::PinSet)
        }
        PinCommand::Remove(args) => {
            if !vault.is_locked_with_pin() {
                return Err(CommandError::from(&VaultError::NoPin));
            }
            (vault.remove_pin(&args.old.pin()?), Message::PinRemoved)
        }
        // The command line does this one without opening the replica.
        PinCommand::Recover(_) => (Err(VaultError::PinNeeded), Message::PinSet),
    };
    if let Err(error) = done {
        if matches!(error, VaultError::PinWrong { .. } | VaultError::PinWait { .. }) {
            note(replica, What::SIGN_IN_FAILED);
        }
        return Err(vault_error(error));
    }
    note(replica, What::PIN);
    Ok(Answer { json: json!({ "pin": vault.is_locked_with_pin() }), text: message.both() })
}

fn note(replica: &Replica, what: What) {
    note_for(replica, what, None);
}

/// Records it, with the name under which it was tried.
fn note_for(replica: &Replica, what: What, name: Option<&str>) {
    if let Err(error) = replica.audit(Entry::new(what).detail(name.unwrap_or_default())) {
        tracing::error!(%error, "it could not be recorded");
    }
}

/// Lets another worker in; whoever is here has given his PIN.
pub(super) async fn seat(replica: &Arc<Replica>, args: &SeatArgs) -> Result<Answer, CommandError> {
    if !replica.store().is_locked_with_pin() {
        let user = replica.acting().map(|acting| acting.name).unwrap_or_default();
        return Err(crate::net::without_pin(&user).into());
    }
    let joined = crate::net::share(replica, &args.invitation, &args.new.pin()?, PinCost::default()).await?;
    Ok(joined_answer(&joined, true))
}

/// What a worker who joined is told.
pub(crate) fn joined_answer(joined: &crate::net::Joined, has_pin: bool) -> Answer {
    let mut text = Message::Joined {
        street: &joined.street_name,
        worker: &joined.worker_name,
        role_zh: role_zh(joined.role),
        role: joined.role.name(),
        unit: &joined.unit.to_string(),
        roster: joined.roster,
    }
    .both();
    if !has_pin && CARRIED.contains(&joined.role) {
        text = format!("{text}\n{}", Message::NoPinHere.both());
    }
    Answer { json: serde_json::to_value(joined).unwrap_or_default(), text }
}

/// Whether a daemon does what is asked, or waits for the PIN first.
#[derive(Debug)]
pub(super) struct Lock {
    idle: Option<Duration>,
    state: Mutex<LockState>,
}

#[derive(Debug)]
struct LockState {
    locked: bool,
    last: Instant,
}

impl Lock {
    pub(super) fn new(idle: Option<Duration>) -> Self {
        Self { idle, state: Mutex::new(LockState { locked: false, last: Instant::now() }) }
    }

    /// Locks if nobody has asked for anything for too long.
    pub(super) fn look(&self, replica: &Replica) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if replica.store().is_locked_with_pin() {
            self.note_idle(replica, &mut state, Instant::now());
        }
    }

    fn note_idle(&self, replica: &Replica, state: &mut LockState, now: Instant) {
        let idle = self.idle.or_else(|| replica.store().is_shared().then_some(SHARED_IDLE));
        if idle.is_some_and(|idle| now.duration_since(state.last) >= idle) {
            state.locked = true;
            replica.end_turn();
        }
    }

    /// Locks, unlocks, or lets a command pass. `None` if the command is to be done.
    pub(super) fn attend(
        &self,
        replica: &Replica,
        command: &Command,
    ) -> Option<Result<Answer, CommandError>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !replica.store().is_locked_with_pin() {
            return match command {
                Command::Lock | Command::Unlock(_) | Command::Switch(_) => {
                    Some(Err(CommandError::from(&VaultError::NoPin)))
                }
                _ => None,
            };
        }
        let now = Instant::now();
        self.note_idle(replica, &mut state, now);
        let said = |locked: bool, message: Message<'_>| {
            Some(Ok(Answer { json: json!({ "locked": locked }), text: message.both() }))
        };
        match command {
            Command::Lock => {
                state.locked = true;
                replica.end_turn();
                said(true, Message::Locked)
            }
            Command::Unlock(args) | Command::Switch(args) => {
                let right = args.old.pin().and_then(|pin| {
                    replica.store().check_worker(args.worker.as_deref(), &pin).map_err(|error| {
                        note_for(replica, What::SIGN_IN_FAILED, args.worker.as_deref());
                        CommandError::from(&error)
                    })
                });
                let right = right.and_then(|worker| match worker {
                    Some(worker) => Ok(replica.begin_turn(worker)?),
                    None => Ok(()),
                });
                match right {
                    Ok(()) => {
                        state.locked = false;
                        state.last = now;
                        note(replica, What::SIGN_IN);
                        let worker = replica.turn_of();
                        let message = match &worker {
                            Some(worker) => Message::TurnOf { worker },
                            None => Message::Unlocked,
                        };
                        let json = json!({ "locked": false, "worker": worker });
                        Some(Ok(Answer { json, text: message.both() }))
                    }
                    Err(error) => Some(Err(error)),
                }
            }
            // Whether it is locked or not: whoever is here says who may come.
            Command::Seat(args) => {
                let right = args.old.pin().and_then(|pin| {
                    replica.store().check_worker(args.worker.as_deref(), &pin).map_err(|error| {
                        note_for(replica, What::SIGN_IN_FAILED, args.worker.as_deref());
                        CommandError::from(&error)
                    })
                });
                right.err().map(Err)
            }
            Command::As { worker, .. }
                if !state.locked && replica.turn_of().is_some_and(|turn| turn != *worker) =>
            {
                let turn = replica.turn_of().unwrap_or_default();
                Some(Err(CommandError::failed("other-turn", &Message::OtherTurn { worker: &turn })))
            }
            _ if state.locked => Some(Err(CommandError::failed("locked", &Message::IsLocked))),
            _ => {
                state.last = now;
                None
            }
        }
    }
}
