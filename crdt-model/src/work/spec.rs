//! What the table of records says: what goes into a record, what may happen to it, and when.

use crate::identity::Role;
use crate::schema::{EventSpec, Kind, KindSpec};

/// A kind of record with a history, as data. Who may write what stands in [`crate::schema`].
#[derive(Debug)]
pub struct RecordSpec {
    /// The kind of its documents.
    pub kind: Kind,
    /// The word on the command line.
    pub word: &'static str,
    /// The word people see.
    pub label: &'static str,
    /// What it is, in English.
    pub about: &'static str,
    /// The event that makes it, on the command line too.
    pub opens: &'static str,
    /// What must or may be said when it is made.
    pub inputs: &'static [Input],
    /// The states it can be in; it begins in the first.
    pub states: &'static [State],
    /// What can happen to it.
    pub verbs: &'static [Verb],
    /// Fields of which a list shows the text.
    pub headline: &'static [&'static str],
    /// Where it lives unless somebody says otherwise.
    pub home: Home,
}

/// Where a new record lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    /// In the unit of the person or place that it is about, else in its maker's.
    Own,
    /// In its maker's unit; what the centre makes, everybody reads.
    Published,
    /// In the unit that it is given to.
    Assignee,
    /// In the street, which the centre writes and everybody reads.
    Street,
}

/// A state of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// For programs.
    pub name: &'static str,
    /// For people.
    pub label: &'static str,
    /// Nothing is left to be done.
    pub closed: bool,
}

/// An event that can happen to a record.
#[derive(Debug)]
pub struct Verb {
    /// The `kind` in the event, and the word on the command line.
    pub name: &'static str,
    /// What it does, in English.
    pub about: &'static str,
    /// What must or may be said.
    pub inputs: &'static [Input],
    /// States in which it counts; none means all.
    pub from: &'static [&'static str],
    /// What it leads to.
    pub to: To,
    /// Whose matter it is, among those whose post allows it.
    pub who: Who,
    /// Of concurrent events the lower rank takes effect first, so that what ends a record yields to
    /// work that its author had not seen.
    pub rank: u8,
}

/// What an event leads to.
#[derive(Clone, Copy, Debug)]
pub enum To {
    /// The state stays.
    Same,
    /// One state.
    State(&'static str),
    /// A state for each outcome, in the order of their ranks: `--pass`, `--fail`.
    Outcome(&'static [Outcome]),
}

/// How an event turned out.
#[derive(Debug)]
pub struct Outcome {
    /// The word, a flag on the command line.
    pub name: &'static str,
    /// The word people see.
    pub label: &'static str,
    /// The state it leads to.
    pub state: &'static str,
    /// The rank instead of the verb's.
    pub rank: u8,
}

/// Whose matter an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Anybody whose post allows it.
    Anyone,
    /// Whoever made the record.
    Author,
    /// The worker or the unit to which the record is given.
    Assignee,
    /// Anybody but them.
    NotAssignee,
}

/// Something that a record or an event says.
#[derive(Debug)]
pub struct Input {
    /// The key in the document or the event; an option on the command line, with hyphens.
    pub name: &'static str,
    /// The word people see.
    pub label: &'static str,
    /// What it is, in English.
    pub about: &'static str,
    /// How it is checked.
    pub rule: Rule,
    /// Whether it must be said.
    pub required: bool,
}

/// How an input is checked and kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Free text.
    Text,
    /// A code of that table, or its name.
    Code(&'static str),
    /// A telephone number.
    Phone,
    /// A day.
    Day,
    /// A day and a time, as the caller has read it.
    Time,
    /// Said or not.
    Flag,
    /// A whole number from 0.
    Count,
    /// A whole number from 0 to 100.
    Percent,
    /// A number.
    Number,
    /// A document of that kind, by id; the caller looks it up.
    Document(Kind),
    /// A worker, by id; the caller looks him up.
    Worker,
    /// Several workers, by id, separated by blanks.
    Workers,
    /// A unit.
    Unit,
    /// A unit, or a worker by id.
    Assignee,
}

impl RecordSpec {
    /// The verb of that name.
    pub fn verb(&self, name: &str) -> Option<&'static Verb> {
        self.verbs.iter().find(|verb| verb.name == name)
    }

    /// The state of that name, or with that label.
    pub fn state(&self, name: &str) -> Option<&'static State> {
        self.states.iter().find(|state| state.name == name || state.label == name)
    }

    /// The kind's entry in the schema.
    pub fn schema(&self) -> Option<&'static KindSpec> {
        self.kind.spec()
    }

    /// An event's entry in the schema.
    pub fn event(&self, name: &str) -> Option<&'static EventSpec> {
        self.schema()?.access.event(name)
    }

    /// Who may write the event of that name.
    pub fn roles(&self, name: &str) -> &'static [Role] {
        self.event(name).map_or(&[], |event| event.roles)
    }

    /// The word people see for an event.
    pub fn event_label<'a>(&self, name: &'a str) -> &'a str {
        self.event(name).map_or(name, |event| event.label)
    }
}

pub(super) const fn state(name: &'static str, label: &'static str) -> State {
    State { name, label, closed: false }
}

pub(super) const fn closed(name: &'static str, label: &'static str) -> State {
    State { name, label, closed: true }
}

pub(super) const fn need(name: &'static str, label: &'static str, rule: Rule, about: &'static str) -> Input {
    Input { name, label, about, rule, required: true }
}

pub(super) const fn may(name: &'static str, label: &'static str, rule: Rule, about: &'static str) -> Input {
    Input { name, label, about, rule, required: false }
}

pub(super) const fn verb(
    name: &'static str,
    about: &'static str,
    from: &'static [&'static str],
    to: To,
    inputs: &'static [Input],
) -> Verb {
    Verb { name, about, inputs, from, to, who: Who::Anyone, rank: 0 }
}

impl Verb {
    pub(super) const fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    pub(super) const fn last(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

pub(super) const TEXT: Input = need("text", "内容", Rule::Text, "what there is to say");
pub(super) const MORE: Input = may("text", "内容", Rule::Text, "what there is to say");
pub(super) const REASON: Input = need("reason", "理由", Rule::Text, "why");
pub(super) const LINE: Input = may("category", "业务线", Rule::Text, "the line of business (art. 7, 9, 19)");
pub(super) const PLACE: Input = may("place", "场所", Rule::Document(Kind::PLACE), "the place concerned");
pub(super) const PERSON: Input = may("person", "人员", Rule::Document(Kind::PERSON), "the person concerned");
pub(super) const CASE: Input =
    may("case", "关联事件", Rule::Document(Kind::CASE), "the case that it belongs to");
pub(super) const ADDRESS: Input = may("address", "地址", Rule::Text, "where");
pub(super) const NOTE: Verb = verb("note", "adds a note", &[], To::Same, &[TEXT]);
