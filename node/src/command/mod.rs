//! What a worker can ask of a replica. A command is a value: the command line parses it, the control
//! socket carries it to a running daemon, and [`execute`] does it on the replica, with the same answer
//! either way.

pub mod audit;
mod case;
mod centre;
mod codes;
mod conflicts;
pub mod doctor;
mod dossier;
mod edits;
mod erase;
mod error;
mod export;
mod file;
mod import;
pub mod instant;
mod key;
mod mentions;
mod merged;
mod org;
mod photo;
mod pin;
mod place;
mod register;
pub mod roster;
mod sealed;
mod server;
mod shown;
mod status;
mod sync;
mod units;
pub(crate) mod work;
mod workers;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use wangge_model::document::Scalar;
use wangge_model::schema::{Form, Kind, kinds};

use crate::replica::Replica;
use crate::text::Message;

pub use audit::{AuditCommand, ListAuditArgs};
pub use case::{
    ActArgs, AskArgs, CaseCommand, CheckArgs, DueArgs, EvaluateArgs, ExtendArgs, ListCasesArgs,
    MergeIntoArgs, NoteArgs, ReportArgs, RulesCommand, SetRulesArgs, ShowCaseArgs, ToArgs, WhichArgs,
    carry_over,
};
pub use centre::{AnalyseArgs, AssessCommand, SummaryArgs, SuperviseCommand};
pub use codes::{CodesCommand, SetTableArgs, ShowTableArgs};
pub use conflicts::{ConflictsCommand, ListConflictsArgs, SettleArgs};
pub use doctor::DoctorArgs;
pub use dossier::DossierArgs;
pub use erase::{EraseArgs, EraseCommand};
pub use error::{CommandError, exit};
pub use export::{ExportArgs, ExportKind};
pub use file::FormError;
pub use import::{ImportArgs, ImportKind};
pub use instant::When;
pub use org::{
    AreaArgs, BoundaryCommand, CloseRecordArgs, ListBoundariesArgs, LocateArgs, OrgCommand, OrgRecordCommand,
    RecordArgs, RecordKeyArgs, RehomeArgs, SetBoundaryArgs, SetRecordArgs, ShowBoundaryArgs, SplitArgs,
    StaffingArgs,
};
pub use photo::{AddPhotosArgs, ListPhotosArgs, PhotoCommand, SavePhotoArgs};
pub(crate) use pin::joined_answer;
pub use pin::{Hidden, NewPinArgs, OldPinArgs, PinCommand, RecoverArgs, SeatArgs, TurnArgs};
pub use register::{
    AddArgs, CloseArgs, FindArgs, LinkArgs, ListArgs, MergeArgs, MoveArgs, RegisterCommand, SetArgs,
    ShowArgs, UnlinkArgs, UnmergeArgs,
};
pub use roster::RosterCommand;
pub use sealed::ReportSealedArgs;
pub(crate) use server::outcome_of;
pub use server::{error_of, serve};
pub use sync::{SyncArgs, sync};
pub(crate) use sync::{is_apart, is_in_sync};
pub use work::WorkCommand;

/// Whether a new record must have a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    No,
    Yes,
    /// It, or another one that is marked so.
    OneOf,
}

/// A field that `field=value` can set, for help.
pub(crate) struct FieldHelp {
    /// Its name and what people call it.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// Whether a new record must have it.
    pub(crate) needed: Needed,
    /// The code table that it takes its value from.
    pub(crate) table: Option<&'static str>,
}

/// The fields that a command such as `person add` or `org team set` sets.
pub(crate) fn fields_of(path: &str) -> Option<Vec<FieldHelp>> {
    let (record, verb) = path.rsplit_once(' ')?;
    if !["add", "set"].contains(&verb) {
        return None;
    }
    let of_org = record.strip_prefix("org ");
    let spec = kinds().find(|spec| spec.name == of_org.unwrap_or(record))?;
    let is_register = Kind::REGISTERS.contains(&spec.kind);
    if is_register == of_org.is_some() {
        return None;
    }
    let needed = |name: &str| {
        let group = edits::needed(spec.kind).iter().find(|group| group.contains(&name));
        match group.map(|group| group.len()) {
            _ if verb == "set" => Needed::No,
            Some(1) => Needed::Yes,
            Some(_) => Needed::OneOf,
            None if of_org.is_some() && org::needed(spec.kind).contains(&name) => Needed::Yes,
            None => Needed::No,
        }
    };
    let table = |name: &str| match spec.field(name)?.form {
        Form::Code(table) => Some(table),
        _ => None,
    };
    let field = |(name, label)| FieldHelp { name, label, needed: needed(name), table: table(name) };
    Some(edits::settable(spec.kind).map(field).collect())
}

/// A worker's command on his replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// A hash over each scope's documents.
    Digest,
    /// Who and what this replica is, and what is still unsent.
    Status,
    /// Residents.
    #[command(subcommand)]
    Person(RegisterCommand),
    /// Enterprises and other places.
    #[command(subcommand)]
    Place(RegisterCommand),
    /// Households.
    #[command(subcommand)]
    Household(RegisterCommand),
    /// Dwellings.
    #[command(subcommand)]
    Dwelling(RegisterCommand),
    /// Who lives where.
    #[command(subcommand)]
    Residency(RegisterCommand),
    /// Rented houses.
    #[command(subcommand)]
    House(RegisterCommand),
    /// Who rents what.
    #[command(subcommand)]
    Tenancy(RegisterCommand),
    /// Enterprises.
    #[command(subcommand)]
    Enterprise(RegisterCommand),
    /// Code tables.
    #[command(subcommand)]
    Codes(CodesCommand),
    /// The organisation.
    #[command(subcommand)]
    Org(OrgCommand),
    /// Cases.
    #[command(subcommand)]
    Case(CaseCommand),
    /// Photos of records.
    #[command(subcommand)]
    Photo(PhotoCommand),
    /// Fields with several concurrent values.
    #[command(subcommand)]
    Conflicts(ConflictsCommand),
    /// Takes an Excel ledger in.
    Import(ImportArgs),
    /// Writes an Excel ledger.
    Export(ExportArgs),
    /// A report that only the centre reads.
    ReportSealed(ReportSealedArgs),
    /// Workers, posts, devices.
    #[command(subcommand)]
    Roster(RosterCommand),
    /// The audit, for its administrators.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Erases what is held on a resident, everywhere.
    Erase(EraseArgs),
    /// Whether all that is stored is whole.
    Doctor(DoctorArgs),
    /// The PIN of this device.
    #[command(subcommand)]
    Pin(PinCommand),
    /// Lets the daemon do nothing before the PIN is given again.
    Lock,
    /// Gives the daemon the PIN.
    Unlock(TurnArgs),
    /// Begins another worker's turn on a shared device.
    Switch(TurnArgs),
    /// A command of this worker and no other's: refused in another one's turn.
    #[command(skip)]
    As {
        /// His name.
        worker: String,
        /// What he asks.
        command: Box<Command>,
    },
    /// Another worker's invitation, to a daemon that runs.
    #[command(skip)]
    Seat(SeatArgs),
    /// One session with the relay.
    Sync(SyncArgs),
    /// The daily summary.
    Summary(SummaryArgs),
    /// Analysis of cases.
    Analyse(AnalyseArgs),
    /// The supervision list.
    #[command(subcommand)]
    Supervise(SuperviseCommand),
    /// Assessment of units.
    #[command(subcommand)]
    Assess(AssessCommand),
    /// Grid work and the centre's records.
    #[command(flatten)]
    Work(WorkCommand),
}

/// What a command has to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// For programs.
    pub json: serde_json::Value,
    /// For people.
    pub text: String,
}

/// Hears how far long work has come.
pub trait Progress: Send + Sync {
    /// `done` of `total` steps of the work called `label`.
    fn step(&self, label: &str, done: u64, total: u64);
}

/// Nobody looks on.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn step(&self, _: &str, _: u64, _: u64) {}
}

/// A value as people read it, with ID numbers, phones and the like masked.
pub fn masked(kind: Kind, field: &str, value: &Scalar) -> String {
    shown::value(kind, field, value, shown::Sight::Masked)
}

/// Whether somebody who says that he acts may: on a device that is not shared only its worker.
///
/// # Errors
/// [`CommandError`] if he is somebody else.
pub fn check_named(replica: &Replica, worker: &str) -> Result<(), CommandError> {
    match replica.acting() {
        Some(acting) if !replica.store().is_shared() && acting.name != worker => {
            let message = Message::NotOfDevice { typed: worker, worker: &acting.name };
            Err(CommandError::failed("not-here", &message))
        }
        _ => Ok(()),
    }
}

/// Does a command on a replica. Blocks until what it saves is durable.
///
/// # Errors
/// [`CommandError`]: nothing was written, unless its message says otherwise.
pub fn execute(
    replica: &Arc<Replica>,
    command: &Command,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    if let Command::Doctor(args) = command {
        // What is damaged may not take effect.
        return doctor::execute(replica, args);
    }
    if let Command::As { command, .. } = command {
        return execute(replica, command, progress);
    }
    replica.check_turn()?;
    replica.apply()?;
    if pin::is_missing(replica)? && !pin::goes_without(command) {
        return Err(CommandError::failed("pin-required", &Message::PinRequired));
    }
    match command {
        Command::Digest => status::digest(replica),
        Command::Status => status::status(replica),
        Command::Person(RegisterCommand::Dossier(args)) => dossier::dossier(replica, args),
        Command::Person(command) => register::execute(replica, Kind::PERSON, command),
        Command::Place(command) => register::execute(replica, Kind::PLACE, command),
        Command::Household(command) => register::execute(replica, Kind::HOUSEHOLD, command),
        Command::Dwelling(command) => register::execute(replica, Kind::DWELLING, command),
        Command::Residency(command) => register::execute(replica, Kind::RESIDENCY, command),
        Command::House(command) => register::execute(replica, Kind::HOUSE, command),
        Command::Tenancy(command) => register::execute(replica, Kind::TENANCY, command),
        Command::Enterprise(command) => register::execute(replica, Kind::ENTERPRISE, command),
        Command::Codes(command) => codes::execute(replica, command),
        Command::Org(command) => org::execute(replica, command),
        Command::Case(command) => case::execute(replica, command),
        Command::Photo(command) => photo::execute(replica, command),
        Command::Conflicts(command) => conflicts::execute(replica, command),
        Command::Import(args) => import::execute(replica, args, progress),
        Command::Export(args) => export::execute(replica, args, progress),
        Command::Roster(command) => roster::execute(replica, command),
        Command::Audit(command) => audit::execute(replica, command),
        Command::Pin(command) => pin::execute(replica, command),
        // Only a daemon has something to lock.
        Command::Lock | Command::Unlock(_) | Command::Switch(_) | Command::Seat(_) => {
            Err(CommandError::failed("no-daemon", &Message::NoDaemon))
        }
        Command::Erase(args) => erase::execute(replica, args),
        Command::Summary(args) => centre::summary(replica, args),
        Command::Analyse(args) => centre::analyse(replica, args),
        Command::Supervise(command) => centre::supervise(replica, command),
        Command::Assess(command) => centre::assess(replica, command),
        Command::Work(command) => work::execute(replica, command),
        Command::ReportSealed(args) => sealed::execute(replica, args),
        Command::Doctor(args) => doctor::execute(replica, args),
        Command::Sync(_) | Command::As { .. } => Err(sync::needs_network()),
    }
}
