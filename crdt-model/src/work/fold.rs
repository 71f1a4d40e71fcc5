//! What a record's events come to.
//!
//! An event that followed another takes effect after it. Of concurrent ones, those of the lower rank come
//! first: what ends a record yields to work that its author had not seen, so a closing written offline a
//! week ago voids none of it. Then the order that holds everywhere decides. An event that is not possible
//! where it lands is void: visible, with the reason, without effect. All this follows from the set of
//! events and what each had seen, so it is the same on every replica, whatever arrived first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_json::{Map, Value};

use super::spec::{RecordSpec, State, To, Verb, Who};
use crate::document::{DocumentView, EventView, Scalar};
use crate::identity::{DocId, Role, Scope};

/// Histories longer than this are taken in the order that holds everywhere, ranks aside: telling what is
/// concurrent takes time that grows with the square of their length.
const RANKED_EVENTS_MAX: usize = 4_096;

/// The event of a patrol that adds to its track.
pub(super) const POINT: &str = "point";

/// A record as its events left it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The state it is in.
    pub state: &'static State,
    /// The last day, as text.
    pub due: Option<String>,
    /// Whom it is given to: a worker's id or a unit.
    pub assignee: Option<String>,
    /// Who made it.
    pub author: Option<DocId>,
    /// When it was made, as its author says: milliseconds since 1970 (UTC).
    pub made_ms: u64,
    /// When it came into the state it is in.
    pub since_ms: u64,
    /// Its events in the order that holds everywhere.
    pub told: Vec<Told>,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What kind of event.
    pub kind: String,
    /// The post in which it was written.
    pub role: Option<Role>,
    /// The unit for which it was written.
    pub unit: Option<Scope>,
    /// Who wrote it.
    pub worker: DocId,
    /// When, as that worker's device says: milliseconds since 1970 (UTC).
    pub wall_ms: u64,
    /// When the relay first held it, 0 where this replica does not know.
    pub observed_ms: u64,
    /// What else it says.
    pub said: Map<String, Value>,
    /// Why it has no effect, if it has none.
    pub void: Option<Void>,
}

/// Why an event has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// A newer version wrote it, or it is damaged.
    Unreadable,
    /// The post did not allow it.
    Role,
    /// It was somebody else's matter.
    Whose,
    /// It was not possible in the state where it lands.
    State(&'static State),
    /// A point of a track that the worker did not turn on.
    NoTrack,
}

impl Told {
    /// The text that the event gives under `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.said.get(name).and_then(Value::as_str)
    }
}

fn read(event: &EventView) -> Told {
    let written = event.value.as_str().and_then(|text| serde_json::from_str(text).ok());
    let mut said = match written {
        Some(Value::Object(said)) => said,
        _ => Map::new(),
    };
    let mut take = |key: &str| match said.remove(key) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (kind, role, unit) = (take("kind"), take("role"), take("unit"));
    Told {
        kind,
        role: role.parse().ok(),
        unit: unit.parse().ok(),
        worker: event.worker,
        wall_ms: event.wall_ms,
        observed_ms: event.observed_ms,
        said,
        void: None,
    }
}

/// Whether a patrol keeps a track: only if its worker turned it on.
pub(super) fn keeps_track(view: &DocumentView) -> bool {
    matches!(view.value("track"), Some(Scalar::Bool(true)))
}

/// Whose matter an event is; see [`Who`].
pub(super) fn is_theirs(
    who: Who,
    author: Option<DocId>,
    assignee: Option<&str>,
    worker: &DocId,
    unit: Option<&Scope>,
) -> bool {
    let assigned = || match assignee {
        None => false,
        Some(assignee) => {
            *assignee == worker.to_string() || unit.is_some_and(|unit| *assignee == unit.to_string())
        }
    };
    match who {
        Who::Anyone => true,
        Who::Author => author == Some(*worker),
        Who::Assignee => assigned(),
        Who::NotAssignee => !assigned(),
    }
}

/// The state that a verb with the outcome `result` leads to, and its rank.
pub(super) fn effect(spec: &RecordSpec, verb: &Verb, result: &str) -> Option<(Option<&'static State>, u8)> {
    match verb.to {
        To::Same => Some((None, verb.rank)),
        To::State(state) => Some((Some(spec.state(state)?), verb.rank)),
        To::Outcome(outcomes) => {
            let outcome = outcomes.iter().find(|outcome| outcome.name == result)?;
            Some((Some(spec.state(outcome.state)?), outcome.rank))
        }
    }
}

fn rank(spec: &RecordSpec, told: &Told) -> u8 {
    let effect = spec.verb(&told.kind).and_then(|verb| effect(spec, verb, told.text("result").unwrap_or("")));
    effect.map_or(0, |(_, rank)| rank)
}

/// In which order events take effect.
fn order(spec: &RecordSpec, events: &[EventView], told: &[Told]) -> Vec<usize> {
    let linear = events.iter().all(|event| event.unseen.is_empty());
    if linear || events.len() > RANKED_EVENTS_MAX {
        return (0..events.len()).collect();
    }
    // How many of the events that each had seen are still to come.
    let mut missing: Vec<usize> =
        events.iter().enumerate().map(|(at, event)| at.saturating_sub(event.unseen.len())).collect();
    let mut ready: BinaryHeap<Reverse<(u8, usize)>> = BinaryHeap::new();
    let push = |ready: &mut BinaryHeap<_>, at: usize| ready.push(Reverse((rank(spec, &told[at]), at)));
    for at in (0..events.len()).filter(|at| missing[*at] == 0) {
        push(&mut ready, at);
    }
    let mut order = Vec::with_capacity(events.len());
    while let Some(Reverse((_, done))) = ready.pop() {
        order.push(done);
        for later in done + 1..events.len() {
            if events[later].unseen.binary_search(&done).is_err() {
                missing[later] -= 1;
                if missing[later] == 0 {
                    push(&mut ready, later);
                }
            }
        }
    }
    order
}

/// What the events of a document come to. A document without any is in its first state.
pub fn fold(spec: &'static RecordSpec, view: &DocumentView) -> Record {
    let events = view.histories.get("events").map(Vec::as_slice).unwrap_or_default();
    let mut told: Vec<Told> = events.iter().map(read).collect();
    let field = |name: &str| Some(view.text(name)).filter(|text| !text.is_empty());
    let mut record = Record {
        state: &spec.states[0],
        due: field("due"),
        assignee: field("assignee"),
        author: None,
        made_ms: 0,
        since_ms: 0,
        told: Vec::new(),
    };
    for at in order(spec, events, &told) {
        let untracked = told[at].kind == POINT && !keeps_track(view);
        let void = if untracked { Some(Void::NoTrack) } else { take(spec, &mut record, &told[at]) };
        told[at].void = void;
    }
    record.told = told;
    record
}

/// Lets one event take effect; why not, if it cannot.
fn take(spec: &'static RecordSpec, record: &mut Record, told: &Told) -> Option<Void> {
    let Some(event) = spec.event(&told.kind) else { return Some(Void::Unreadable) };
    let Some(role) = told.role else { return Some(Void::Unreadable) };
    if !event.roles.contains(&role) {
        return Some(Void::Role);
    }
    if told.kind == spec.opens && record.author.is_none() {
        record.author = Some(told.worker);
        record.made_ms = told.wall_ms;
        record.since_ms = told.wall_ms;
        return None;
    }
    // Some events only add to the record: the parts of a list.
    let verb = spec.verb(&told.kind)?;
    if !is_theirs(verb.who, record.author, record.assignee.as_deref(), &told.worker, told.unit.as_ref()) {
        return Some(Void::Whose);
    }
    if !verb.from.is_empty() && !verb.from.contains(&record.state.name) {
        return Some(Void::State(record.state));
    }
    let Some((state, _)) = effect(spec, verb, told.text("result").unwrap_or_default()) else {
        return Some(Void::Unreadable);
    };
    if let Some(state) = state {
        if state != record.state {
            record.since_ms = told.wall_ms;
        }
        record.state = state;
    }
    for (name, kept) in [("due", &mut record.due), ("assignee", &mut record.assignee)] {
        if let Some(said) = told.text(name) {
            *kept = Some(said.to_owned());
        }
    }
    None
}
