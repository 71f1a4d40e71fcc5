//! A case as tables need it.

use crate::case::{CaseView, EventKind};
use crate::deadline::{Timer, TimerName};
use crate::document::DocumentView;
use crate::identity::{DocId, Scope};

/// A case with its timers, and what the tables ask of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFact {
    /// The document.
    pub id: DocId,
    /// The grid.
    pub scope: Scope,
    /// Its number: the official one, else the device's.
    pub number: String,
    /// The line of business.
    pub category: String,
    /// The place, by id; empty if none was named.
    pub place: String,
    /// The person, by id; empty if none was named.
    pub person: String,
    /// What was reported.
    pub text: String,
    /// How serious, 1 to 4.
    pub level: u8,
    /// When it was reported, milliseconds since 1970 (UTC).
    pub reported_ms: u64,
    /// What its events come to.
    pub case: CaseView,
    /// Its timers.
    pub timers: Vec<Timer>,
}

impl CaseFact {
    /// The facts of a case.
    pub fn of(scope: &Scope, view: &DocumentView, case: CaseView, timers: Vec<Timer>) -> Self {
        let official = view.text("official_number");
        let category = if case.category.is_empty() { view.text("category") } else { case.category.clone() };
        let first = view.histories.get("events").and_then(|events| events.first()).map(|event| event.wall_ms);
        let written = || view.fields.get("text").map(|register| register.shown.wall_ms);
        Self {
            id: view.id,
            scope: scope.clone(),
            number: if official.is_empty() { view.text("number") } else { official },
            category,
            place: view.text("place"),
            person: view.text("person"),
            text: view.text("text"),
            level: case.level,
            reported_ms: case.reported_ms().or(first).or_else(written).unwrap_or(0),
            case,
            timers,
        }
    }

    /// The last run of a timer.
    pub fn timer(&self, name: TimerName) -> Option<&Timer> {
        self.timers.iter().rfind(|timer| timer.name == name)
    }

    /// When an event of a kind counted last.
    pub fn last(&self, kind: EventKind) -> Option<u64> {
        let events = self.case.counted().filter(|(_, event)| event.kind == Some(kind));
        events.map(|(_, event)| event.counted_ms).max()
    }
}
