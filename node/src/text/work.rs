//! What is said about grid work and the centre's records.

use wangge_model::identity::Role;
use wangge_model::work::State;

use crate::command::FormError;

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum WorkText<'a> {
    // ---- the roster
    UnitUnknown { typed: &'a str, known: &'a str },
    WorkerUnknown { typed: &'a str },
    WorkerAmbiguous { typed: &'a str },
    NotHeld { unit: &'a str },
    AssigneeBeyond { who: &'a str, units: &'a str },
    StreetIsTheCentres,
    AssistWaits { team: bool },

    NotYours { who: &'a [Role], role: Role },
    TeamsThroughTheCentre,

    // ---- records
    Done { record: &'a str, event: &'a str, id: &'a str, state: &'a State },
    StateUnknown { typed: &'a str, states: &'a [State] },
    LimitUnreadable { typed: &'a str },
    StateLabel,
    DueLabel,
    Overdue,
    VoidUnreadable,
    VoidRole,
    VoidWhose,
    VoidNoTrack,
    VoidState { state: &'a State },

    // ---- checklists and inspections
    ChecklistUnknown { typed: &'a str, known: &'a str },
    ChecklistMissing,
    VersionUnknown { version: &'a str },
    ChecklistSet { title: &'a str, version: &'a str },
    AnswersUnreadable { path: &'a str },
    FileMissing,

    // ---- notices
    Readers { read: usize, unread: usize, beyond: usize },
    Unread { count: usize },

    // ---- hand-over, requests
    NotHereYet,
    SinceTheList,
    HandoverList { count: usize, of: u64 },
    SuccessorElsewhere { who: &'a str, unit: &'a str, units: &'a str },
    ListIncomplete { here: usize, of: u64 },
    NothingToRoute { state: &'a State },

    // ---- the centre's tables
    SummaryOf { day: &'a str },
    NothingThatDay,
    UnitsNotHeld { count: usize },
    AnalysisOf { cases: usize, groups: usize },
    GroupOf { count: u64, open: u64, overdue: u64 },
    Supervised { count: usize },
    PeriodUnknown { typed: &'a str, known: &'a str },
    PeriodExists { name: &'a str },
    PeriodSet { name: &'a str, items: usize },
    Published { name: &'a str, units: usize },
    MarksBeyond { typed: &'a str, full: f64 },
    ItemUnknown { typed: &'a str, known: &'a str },
    Decided,
    NotAChecklist { path: &'a str, reason: &'a FormError },
    NotColumns { path: &'a str, reason: &'a FormError },
    ColumnsCount { path: &'a str, found: usize, max: usize },
    ColumnUnknown { field: &'a str, known: &'a str },
}
