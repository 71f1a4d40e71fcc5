//! What needs supervision (督查督办, art. 13): overdue, nearing, urged.

use super::CaseFact;
use crate::case::EventKind;
use crate::deadline::Standing;
use crate::identity::{DocId, Scope};
use crate::work::{Record, day};

/// Why something is on the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// 督办.
    Supervised,
    /// 已超期.
    Overdue,
    /// 催办.
    Urged,
    /// 即将到期.
    Nearing,
}

impl Why {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::Overdue => "overdue",
            Self::Urged => "urged",
            Self::Nearing => "nearing",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Supervised => "督办",
            Self::Overdue => "已超期",
            Self::Urged => "催办",
            Self::Nearing => "即将到期",
        }
    }
}

/// Something on the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Supervised {
    /// What it is: `case`, `task`, `hazard`.
    pub kind: &'static str,
    /// The document.
    pub id: DocId,
    /// Where it lives.
    pub scope: Scope,
    /// When it is due, milliseconds since 1970 (UTC).
    pub due_ms: Option<u64>,
    /// Why it is here, the gravest first.
    pub why: Vec<Why>,
}

/// Whether a case needs supervision at `now_ms`.
pub fn of_case(fact: &CaseFact, now_ms: u64) -> Option<Supervised> {
    if !fact.case.state.is_open() {
        return None;
    }
    let mut why = Vec::new();
    let standing =
        |wanted: Standing| fact.timers.iter().filter(move |timer| timer.standing(now_ms) == wanted);
    if fact.last(EventKind::Supervise).is_some() {
        why.push(Why::Supervised);
    }
    let overdue = standing(Standing::Overdue).filter_map(|timer| timer.due_ms).min();
    let nearing = standing(Standing::Nearing).filter_map(|timer| timer.due_ms).min();
    if overdue.is_some() {
        why.push(Why::Overdue);
    }
    if fact.last(EventKind::Urge).is_some() {
        why.push(Why::Urged);
    }
    if overdue.is_none() && nearing.is_some() {
        why.push(Why::Nearing);
    }
    let due_ms = overdue.or(nearing).or_else(|| fact.timers.iter().filter_map(|timer| timer.due_ms).max());
    (!why.is_empty()).then(|| Supervised {
        kind: "case",
        id: fact.id,
        scope: fact.scope.clone(),
        due_ms,
        why,
    })
}

/// Whether a record needs supervision at `now_ms`.
pub fn of_record(
    kind: &'static str,
    id: DocId,
    scope: &Scope,
    record: &Record,
    now_ms: u64,
) -> Option<Supervised> {
    if record.state.closed {
        return None;
    }
    let due = record.due.as_deref().and_then(|due| crate::checks::Date::parse(due).ok());
    let due_ms = due.map(day::ends_ms);
    let mut why = Vec::new();
    match due_ms {
        Some(due) if due <= now_ms => why.push(Why::Overdue),
        _ => {}
    }
    if record.told.iter().any(|told| told.kind == "urge" && told.void.is_none()) {
        why.push(Why::Urged);
    }
    if due_ms.is_some_and(|due| due > now_ms && due - now_ms <= day::DAY_MS) {
        why.push(Why::Nearing);
    }
    (!why.is_empty()).then(|| Supervised { kind, id, scope: scope.clone(), due_ms, why })
}
