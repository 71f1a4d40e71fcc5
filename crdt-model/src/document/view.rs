//! What a person needs to see of a document: registers with every value that concurrent writers left,
//! who wrote them and when, and histories in the one order that holds everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Applied, Document, Index, Origin, Scalar};
use crate::identity::{DocId, LogId};
use crate::planted::{self, Bug};
use crate::schema::{Kind, Shape};

/// A value and who claims it.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// The value.
    pub value: Scalar,
    /// The worker who wrote it.
    pub worker: DocId,
    /// When, as that worker's device says: milliseconds since 1970 (UTC).
    pub wall_ms: u64,
}

/// A register: the value that is shown, and the other values that concurrent writers left.
#[derive(Clone, PartialEq, Debug)]
pub struct Register {
    /// The latest in the order (Lamport, log, seq).
    pub shown: Claim,
    /// The other distinct values; not empty means a conflict that a person settles.
    pub others: Vec<Claim>,
}

impl Register {
    /// All values, the one shown first.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        std::iter::once(&self.shown).chain(&self.others)
    }
}

/// One event of a history.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventView {
    /// The log that brought it.
    pub log: LogId,
    /// Its position in the log.
    pub seq: u64,
    /// Its place among the operations of its change.
    pub index: u64,
    /// What the event says, encoded as one scalar.
    pub value: Scalar,
    /// The worker who wrote it.
    pub worker: DocId,
    /// When, as that worker's device says: milliseconds since 1970 (UTC).
    pub wall_ms: u64,
    /// When the relay first held it, 0 where this replica does not know.
    pub observed_ms: u64,
    /// Places in this history of earlier events that its author had not seen, ascending: of those it is
    /// concurrent, all other earlier ones it follows.
    pub unseen: Vec<usize>,
}

/// A document as plain data.
#[derive(Clone, PartialEq, Debug)]
pub struct DocumentView {
    /// Its id.
    pub id: DocId,
    /// Its kind.
    pub kind: Kind,
    /// Registers of the root, by key.
    pub fields: BTreeMap<String, Register>,
    /// Set containers: entries by key.
    pub sets: BTreeMap<&'static str, BTreeMap<String, Register>>,
    /// History containers: events in the order that holds everywhere.
    pub histories: BTreeMap<&'static str, Vec<EventView>>,
}

impl DocumentView {
    /// The text shown for a field, empty if there is none.
    pub fn text(&self, field: &str) -> String {
        self.fields.get(field).map_or_else(String::new, |register| register.shown.value.to_text())
    }

    /// The value shown for a field.
    pub fn value(&self, field: &str) -> Option<&Scalar> {
        self.fields.get(field).map(|register| &register.shown.value)
    }

    /// The distinct texts of a field, the one shown first.
    pub fn texts(&self, field: &str) -> Vec<String> {
        let register = self.fields.get(field).into_iter();
        register.flat_map(Register::claims).map(|claim| claim.value.to_text()).collect()
    }

    /// Fields with more than one distinct value.
    pub fn conflicts(&self) -> impl Iterator<Item = (&str, &Register)> {
        self.fields
            .iter()
            .filter(|(_, register)| !register.others.is_empty())
            .map(|(field, register)| (field.as_str(), register))
    }

    /// Whether the document stands for its natural key no longer.
    pub fn is_closed(&self) -> bool {
        matches!(self.value(crate::schema::CLOSED), Some(Scalar::Bool(true)))
    }
}

/// The order that holds everywhere. Branches of a forked log share positions: their actors differ.
fn order(origin: &Origin) -> (u64, LogId, u64, [u8; 16]) {
    (origin.lamport, origin.log, origin.seq, origin.actor)
}

/// The place of an event among those of its transaction, from the end of its key.
fn event_index(key: &str) -> u64 {
    key.rsplit('-').next().and_then(|index| index.parse().ok()).unwrap_or(0)
}

impl Document {
    /// The document as plain data. Automerge would say the same, and take several times as long.
    pub fn view(&self) -> DocumentView {
        let mut fields = BTreeMap::new();
        let mut sets: BTreeMap<&'static str, BTreeMap<String, Register>> = BTreeMap::new();
        let mut events: BTreeMap<&'static str, Vec<(&Scalar, &Origin, String)>> = BTreeMap::new();
        for container in self.spec.containers_up_to(self.level()) {
            match container.shape {
                Shape::Set => drop(sets.insert(container.name, BTreeMap::new())),
                Shape::History => drop(events.insert(container.name, Vec::new())),
            }
        }
        // Branches of a forked log share positions, and so keys of events: an event written in one by who knew the
        // other does not replace what has its key there.
        let keeps = |container: &str| {
            self.spec.container(container).is_some_and(|(_, _, container)| container.shape == Shape::History)
        };
        for (container, key, standing) in Index::of(&self.applied).current(keeps) {
            let mut claims: Vec<(&Scalar, &Origin)> = self.counting(standing).collect();
            claims.sort_by_key(|(_, origin)| std::cmp::Reverse(order(origin)));
            let Some(container) = container else {
                fields.extend(register(&claims).map(|register| (key.to_owned(), register)));
                continue;
            };
            if let Some(entries) = sets.get_mut(container) {
                entries.extend(register(&claims).map(|register| (key.to_owned(), register)));
            } else if let Some(events) = events.get_mut(container) {
                events.extend(claims.into_iter().map(|(value, origin)| (value, origin, key.to_owned())));
            }
        }
        let histories = events.into_iter().map(|(name, events)| (name, self.history_of(events))).collect();
        DocumentView { id: self.id, kind: self.kind, fields, sets, histories }
    }

    /// The values of these operations, each a change and a place in it, that count. What is void does not show, nor does
    /// it hide what it overwrote. An empty text clears a register that Automerge holds for clear already
    /// ([`Document::effective`]).
    pub(super) fn counting(
        &self,
        places: impl IntoIterator<Item = (usize, usize)>,
    ) -> impl Iterator<Item = (&Scalar, &Origin)> {
        let counting = places.into_iter().filter_map(|(change, op)| {
            let applied = self.applied.get(change).filter(|applied| !applied.void)?;
            Some((applied.ops.get(op)?.value.as_ref()?, &applied.origin))
        });
        counting.filter(|(value, _)| !matches!(value, Scalar::Str(text) if text.is_empty()))
    }

    fn history_of(&self, mut events: Vec<(&Scalar, &Origin, String)>) -> Vec<EventView> {
        events.sort_by_cached_key(|(_, origin, key)| (order(origin), event_index(key), key.clone()));
        let unseen = self.unseen(events.iter().map(|(_, origin, _)| *origin));
        events
            .into_iter()
            .zip(unseen)
            .map(|((value, origin, key), unseen)| EventView {
                log: origin.log,
                seq: origin.seq,
                index: event_index(&key),
                value: value.clone(),
                worker: origin.worker,
                wall_ms: origin.wall_ms,
                observed_ms: origin.observed_ms,
                unseen,
            })
            .collect()
    }

    /// For each of these changes, places of earlier ones that its author had not seen.
    fn unseen<'a>(&self, origins: impl Iterator<Item = &'a Origin>) -> Vec<Vec<usize>> {
        let places: Vec<Option<usize>> = origins
            .map(|origin| {
                self.applied.iter().position(|applied| {
                    let held = &applied.origin;
                    held.seq == origin.seq && held.log == origin.log && held.actor == origin.actor
                })
            })
            .collect();
        // Mostly each author saw all that there was.
        let chain = |(at, applied): (usize, &Applied)| match at.checked_sub(1) {
            None => applied.deps.is_empty(),
            Some(before) => applied.deps == [before as u32],
        };
        if self.applied.iter().enumerate().all(chain) {
            return vec![Vec::new(); places.len()];
        }
        let mut unseen = Vec::with_capacity(places.len());
        for (event, place) in places.iter().enumerate() {
            let seen = place.map(|place| self.history(&[place as u32])).unwrap_or_default();
            let earlier = places[..event].iter().enumerate();
            let missing = earlier
                .filter(|(_, place)| place.is_none_or(|place| !seen.get(place).copied().unwrap_or(false)));
            unseen.push(missing.map(|(at, _)| at).collect());
        }
        unseen
    }
}

/// A register of these values, the latest first.
fn register(claims: &[(&Scalar, &Origin)]) -> Option<Register> {
    let mut distinct: Vec<Claim> = Vec::new();
    for (value, origin) in claims {
        if !distinct.iter().any(|claim| claim.value == **value) {
            distinct.push(Claim { value: (*value).clone(), worker: origin.worker, wall_ms: origin.wall_ms });
        }
    }
    if planted::is(Bug::LastWriterWins) {
        distinct.truncate(1);
    }
    let mut claims = distinct.into_iter();
    Some(Register { shown: claims.next()?, others: claims.collect() })
}
