//! The simulator: the shipping session, log, admission, merge and command code of a whole street under one
//! seeded scheduler, with virtual time, simulated disks and a simulated network. A plan says what happens;
//! a reference model says what must be seen afterwards. The same plan gives the same run, byte for byte.

mod action;
mod acts;
mod centre;
mod checks;
mod damage;
mod device;
mod dice;
mod many;
mod model;
mod network;
mod orders;
mod shrink;
mod town;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use action::{Action, FULL_ALPHABET, Plan, Step, WHOLE_ALPHABET, Who};
pub use many::in_order;
pub use shrink::shrink;
pub use town::Town;

/// What kind of promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// A replica could not be opened after a fault that it must survive.
    Start,
    /// An error that nothing excuses.
    Error,
    /// An honest replica was accused of breaking a rule, or a protocol was broken.
    Accused,
    /// Something saved is missing.
    Lost,
    /// A device was told that something is at the centre, and it is not.
    Receipt,
    /// Something is shown that should not be, or not shown that should be.
    View,
    /// A transaction took effect in part.
    Half,
    /// Replicas that met do not agree.
    Differ,
    /// Replicas do not come to rest.
    Unsettled,
    /// Something of a scope is where it must not be.
    Leak,
    /// The order of all that is written was moved.
    Order,
    /// What a device that was cut off wrote counts, or what it had delivered does not.
    Cut,
    /// What was to be erased is not, or nobody knows that it is.
    Erased,
    /// Damage to a disk was neither healed nor named.
    Damage,
    /// A queue grew beyond its bound.
    Unbounded,
    /// The run does not end.
    Endless,
    /// A panic.
    Panic,
}

/// What went wrong first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The promise.
    pub wrong: Wrong,
    /// What was found.
    pub what: String,
    /// When, in virtual milliseconds since the beginning.
    pub at_ms: u64,
}

/// What happened in runs, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions that were saved and are followed.
    pub saved: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// Sessions that were opened.
    pub sessions: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Processes that were ended by a fault.
    pub crashes: u64,
    /// Disks that lost something, were put back or copied.
    pub rollbacks: u64,
    /// Errors of full or failing disks.
    pub disk_errors: u64,
    /// Receipts that were checked.
    pub receipts: u64,
    /// Values that stood in conflict when a document was looked at.
    pub conflicts: u64,
    /// Writings that a dead disk took with it.
    pub lost: u64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.saved += other.saved;
        self.refused += other.refused;
        self.sessions += other.sessions;
        self.bytes += other.bytes;
        self.crashes += other.crashes;
        self.rollbacks += other.rollbacks;
        self.disk_errors += other.disk_errors;
        self.receipts += other.receipts;
        self.conflicts += other.conflicts;
        self.lost += other.lost;
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// A hash over everything that happened: equal for equal runs.
    pub trace_hash: String,
    /// What happened, line by line, if it was asked for.
    pub trace: Vec<String>,
    /// Counts.
    pub counts: Counts,
}

/// Runs a plan to its end and checks everything.
pub fn run(plan: &Plan, traced: bool) -> Outcome {
    let mut town = Town::new(plan.clone(), traced);
    let done = catch_unwind(AssertUnwindSafe(|| {
        town.found();
        town.run();
        town.settle();
        town.check_all();
    }));
    if let Err(panic) = done {
        let what = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        town.failure = None;
        town.fail(Wrong::Panic, what);
    }
    Outcome {
        failure: town.failure.clone(),
        trace_hash: town.trace_hash().to_hex().chars().take(16).collect(),
        trace: town.take_trace(),
        counts: town.counts,
    }
}
