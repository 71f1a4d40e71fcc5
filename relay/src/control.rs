//! What the relay's command line asks of a relay that is serving.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::identity::Scope;
use wangge_node::command::{self, RosterCommand};
use wangge_node::control::{self, Control, Line, Lines};

use crate::backup;
use crate::cli::spoken;
use crate::decide::decide_now;
use crate::quarantine::{self, Choice};
use crate::roster::{Invite, RelayError, Roster};

/// A request to the relay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Write an invitation.
    Invite(Invite),
    /// Answer a device whose PIN is forgotten.
    Recover(String, Option<String>),
    /// Digests of all scopes.
    Digest,
    /// Add a unit: scope, name, area.
    AddUnit(Scope, String, String),
    /// All units.
    Units,
    /// The audit from a time on, milliseconds since 1970 (UTC).
    Audit(u64),
    /// A check of all chains of the audit.
    VerifyAudit,
    /// Sealed reports.
    Reports,
    /// Opens one.
    Report(u32),
    /// Makes a new key for sealing.
    RenewSealKey,
    /// Workers, posts, devices.
    Roster(RosterCommand),
    /// What waits in quarantine.
    Quarantine,
    /// One position of it.
    Quarantined(String),
    /// Accepts or discards.
    Settle(Choice),
    /// Writes a backup: the file, its key.
    Backup(PathBuf, PathBuf),
    /// The backups that were made.
    Backups,
    /// Examines all that is stored; mends it if true.
    Doctor(bool),
    /// Serves and decides again after a restore, because a person says so.
    Resume,
}

/// Serves requests until `stop` resolves.
pub(crate) async fn serve(roster: Arc<Roster>, control: Control, stop: impl Future<Output = ()>) {
    let handle = move |request: Request, lines: Lines| {
        let line = match execute(&roster, &request) {
            Ok(answer) => Line::Answer(answer),
            Err(error) => Line::Error(serde_json::to_value(spoken(error)).unwrap_or_default()),
        };
        lines.send(&line);
    };
    control::serve(control, stop, handle).await;
}

/// Asks the relay that serves `dir`, or opens its store and answers here.
pub(crate) fn ask(
    dir: &Path,
    request: &Request,
    open: impl FnOnce() -> Result<Roster, RelayError>,
) -> Result<Value, RelayError> {
    match control::ask(dir, request, |_, _, _| ()) {
        Ok(Some(Line::Answer(answer))) => Ok(answer),
        Ok(Some(line @ Line::Error(_))) => Err(command::error_of(line).into()),
        Ok(_) => execute(&open()?, request),
        Err(error) => Err(RelayError::Control(error.to_string())),
    }
}

fn execute(roster: &Roster, request: &Request) -> Result<Value, RelayError> {
    Ok(match request {
        Request::Invite(invite) => {
            let invitation = roster.invite(invite)?;
            let Invite { worker, role, .. } = invite;
            let detail = format!("invitation {} for {worker} as {role}", invitation.number);
            roster.replica().audit(Entry::new(What::INVITATION).within(&invite.unit).detail(&detail))?;
            Value::String(invitation.to_line())
        }
        Request::Recover(line, worker) => crate::recovery::answer(roster, line, worker.as_deref())?,
        Request::Digest => {
            let digests = roster.replica().digests()?;
            digests.iter().map(ToString::to_string).collect()
        }
        Request::AddUnit(scope, name, area) => {
            roster.add_unit(scope, name, area)?;
            roster
                .replica()
                .audit(Entry::new(What::ROSTER).within(scope).detail(&format!("new unit {name}")))?;
            Value::Null
        }
        Request::Audit(since_ms) => roster.audit(*since_ms)?.into(),
        Request::VerifyAudit => serde_json::to_value(roster.replica().verify_audit()?).unwrap_or_default(),
        Request::Reports => roster.reports()?.into(),
        Request::Report(number) => roster.report(*number)?,
        Request::Backup(to, key) => {
            serde_json::to_value(backup::backup(roster.replica(), to, key)?).unwrap_or_default()
        }
        Request::Backups => backup::list(roster.replica())?,
        Request::Resume => backup::resume(roster, "a person at the relay said so")?.into(),
        Request::Doctor(repair) => {
            let answer =
                command::doctor::execute(roster.replica(), &command::DoctorArgs { repair: *repair })?;
            json!({ "json": answer.json, "text": answer.text })
        }
        Request::RenewSealKey => roster.renew_seal_key()?.number.into(),
        Request::Roster(command) => {
            let answer = command::roster::execute(roster.replica(), command)?;
            // What is due after a change is done before it is reported.
            decide_now(roster.replica())?;
            json!({ "json": answer.json, "text": answer.text })
        }
        Request::Quarantine => quarantine::list(roster.replica())?,
        Request::Quarantined(id) => quarantine::show(roster.replica(), id)?,
        Request::Settle(choice) => quarantine::settle(roster.replica(), choice)?,
        Request::Units => roster.units()?.into_iter().map(|(scope, name)| json!([scope, name])).collect(),
    })
}
