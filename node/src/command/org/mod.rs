//! The organisation (art. 3-7, 14-17, 20, 23, 30): everybody reads it offline, the centre keeps it.

mod boundary;
mod records;
mod rehome;
mod staffing;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use wangge_model::schema::Kind;

use super::{Answer, CommandError};
use crate::command::instant::When;
use crate::replica::Replica;

pub use boundary::{BoundaryCommand, ListBoundariesArgs, LocateArgs, SetBoundaryArgs, ShowBoundaryArgs};
pub(super) use records::needed;
pub use records::{CloseRecordArgs, OrgRecordCommand, RecordArgs, RecordKeyArgs, SetRecordArgs};
pub use rehome::{RehomeArgs, SplitArgs};
pub use staffing::StaffingArgs;

/// What can be asked of the organisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum OrgCommand {
    /// Street, areas, grids and sub-grids, teams.
    Tree,
    /// Boundaries of grids.
    #[command(subcommand)]
    Boundary(BoundaryCommand),
    /// Which grid a position lies in.
    Locate(LocateArgs),
    /// Offices (art. 5).
    #[command(subcommand)]
    Office(OrgRecordCommand),
    /// Teams (art. 4, 12).
    #[command(subcommand)]
    Team(OrgRecordCommand),
    /// Windows (art. 9, 17).
    #[command(subcommand)]
    Window(OrgRecordCommand),
    /// Work points (art. 23).
    #[command(subcommand)]
    Point(OrgRecordCommand),
    /// Devices (art. 23).
    #[command(subcommand)]
    Device(OrgRecordCommand),
    /// Policies and rules with their approver (art. 1-3, 24, 30).
    #[command(subcommand)]
    Reference(OrgRecordCommand),
    /// Cadres and other forces (art. 6, 20).
    #[command(subcommand)]
    Force(OrgRecordCommand),
    /// What grids and areas lack of 1+1+X (art. 15, 20, 23).
    Staffing(StaffingArgs),
    /// Share of cadres that are posted down (art. 6).
    Cadres,
    /// The nature of an area: work or enterprise (art. 4, 16).
    Area(AreaArgs),
    /// Splits a grid.
    Split(SplitArgs),
    /// Asks for the records of a grid to be moved to where they belong now.
    Rehome(RehomeArgs),
}

/// What an area is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct AreaArgs {
    /// The area: `area:CODE` or its code.
    pub area: String,
    /// `work` (工作片) or `enterprise` (企业片).
    #[arg(long)]
    pub nature: String,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

impl OrgCommand {
    /// The files that it names.
    pub(crate) fn files(&mut self) -> Vec<&mut std::path::PathBuf> {
        match self {
            Self::Boundary(BoundaryCommand::Set(args)) => vec![&mut args.file],
            Self::Office(command)
            | Self::Team(command)
            | Self::Window(command)
            | Self::Point(command)
            | Self::Device(command)
            | Self::Reference(command)
            | Self::Force(command) => command.files(),
            _ => Vec::new(),
        }
    }
}

pub(super) fn execute(replica: &Replica, command: &OrgCommand) -> Result<Answer, CommandError> {
    match command {
        OrgCommand::Tree => staffing::tree(replica),
        OrgCommand::Boundary(command) => boundary::execute(replica, command),
        OrgCommand::Locate(args) => boundary::locate(replica, args),
        OrgCommand::Office(command) => records::execute(replica, Kind::OFFICE, command),
        OrgCommand::Team(command) => records::execute(replica, Kind::TEAM, command),
        OrgCommand::Window(command) => records::execute(replica, Kind::WINDOW, command),
        OrgCommand::Point(command) => records::execute(replica, Kind::WORK_POINT, command),
        OrgCommand::Device(command) => records::execute(replica, Kind::DEVICE, command),
        OrgCommand::Reference(command) => records::execute(replica, Kind::REFERENCE, command),
        OrgCommand::Force(command) => records::execute(replica, Kind::FORCE, command),
        OrgCommand::Staffing(args) => staffing::staffing(replica, args),
        OrgCommand::Cadres => staffing::cadres(replica),
        OrgCommand::Area(args) => staffing::area(replica, args),
        OrgCommand::Split(args) => rehome::split(replica, args),
        OrgCommand::Rehome(args) => rehome::rehome(replica, args),
    }
}
