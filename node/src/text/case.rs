//! What is said about cases, their orders and their deadlines.

use wangge_model::case::{Category, Deadline, Effect, OrderState, RulesError, State, Tier, Void, Who, Why};
use wangge_model::deadline::{Line, Timer};
use wangge_model::identity::Role;

use crate::command::FormError;

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum CaseText<'a> {
    // ---- what was typed
    CategoryUnknown { typed: &'a str, known: &'a str },
    SourceUnknown { typed: &'a str },
    StateUnknown { typed: &'a str, known: &'a str },
    TargetUnknown { typed: &'a str, known: &'a str },
    TargetMissing,
    TargetPost { typed: &'a str },
    ReasonMissing { event: &'a str, event_en: &'a str },
    WorkMissing,
    DaysUnreadable { typed: &'a str, max: u32 },
    ScoreUnreadable { typed: &'a str },
    OutcomeMissing,
    IntoUnknown { typed: &'a str },
    IntoItself { number: &'a str },
    IntoCircle { number: &'a str, into: &'a str },
    NotMinorLine { category: &'a str, lines: &'a str },
    NotMinorLevel { level: u8 },
    PublicNeedsChannel,
    PastTheGrid { category: &'a str, own: &'a str },
    NotToTheGrid,

    // ---- done and refused
    Done { event: &'a str, event_en: &'a str, number: &'a str, id: &'a str, state: State },
    Asked { event: &'a str, number: &'a str },
    Refused(&'a Refused<'a>),
    ReadOnly { number: &'a str },
    OrderRefused { event: (&'a str, &'a str), number: &'a str, state: OrderState, from: &'a [OrderState] },
    OrderTaken { number: &'a str, by: &'a str },
    OrderSuspended { number: &'a str },
    OrderRole { event: &'a str, team: &'a str },
    BackDated { typed: &'a str, seen: &'a str },

    // ---- shown
    Void { void: &'a Void, other: &'a str, by: &'a str },
    OrderVoid { state: &'a str },
    Effect { effect: &'a Effect },
    DueLine { timer: &'a Timer, due: &'a str, standing: &'a str },
    Ledger(&'a LedgerText<'a>),

    // ---- rules
    RulesRefused { reason: RulesReason<'a> },
    RulesRole,
    RulesSet { version: u64 },
    Rules { version: u64, lines: usize },
    RulesLine(&'a Category),
    RulesDeadline { line: Option<&'a str>, row: &'a Deadline },
}

/// What is wrong with a file of rules.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum RulesReason<'a> {
    Form(&'a FormError),
    Rules(&'a RulesError),
    Part { part: &'a str, len_bytes: usize, max_bytes: usize },
}

/// Why an event is not done, in the words of the people concerned.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub struct Refused<'a> {
    pub event: (&'a str, &'a str),
    pub number: &'a str,
    pub state: State,
    pub tier: Tier,
    pub why: &'a Why,
    pub from: &'a [State],
    pub who: &'a [(Who, Vec<Role>)],
    /// To whom the case was given, as people call them.
    pub assignees: &'a str,
    pub reporter: &'a str,
    /// A unit or a person that the reason names.
    pub named: &'a str,
    pub own: &'a str,
}

/// A line of how a due time came about; times and days as people read them.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum LedgerText<'a> {
    Start { timer: &'a Timer, at: &'a str, event: &'a str, worker: &'a str },
    Allowed { timer: &'a Timer, category: &'a str, level: u8, rules: &'a str },
    Line { line: &'a Line, day: &'a str, from: &'a str, to: &'a str },
    Extended { days: u32, at: &'a str, worker: &'a str },
    Gap { event: &'a str, claimed: &'a str, received: &'a str, waits: bool },
    BackDated { event: &'a str, claimed: &'a str, counted: &'a str },
    Bounded { event: &'a str, claimed: &'a str, counted: &'a str },
    Due { at: Option<&'a str> },
    End { event: &'a str, at: &'a str, standing: &'a str },
    Standing { standing: &'a str },
}
