//! What every command about cases needs: the street, the rules, and cases folded from their documents.

use std::cell::RefCell;
use std::collections::BTreeMap;

use wangge_model::case::{Actor, Assignee, CaseView, Rulebook, Rules, Site, fold};
use wangge_model::deadline::Calendar;
use wangge_model::document::{DocumentView, EventView, Scalar};
use wangge_model::identity::{LogId, Scope};
use wangge_model::schema::Kind;

use crate::command::CommandError;
use crate::command::work::street::Street;
use crate::replica::{Replica, ReplicaError};
use crate::text::role_zh;

/// The street and its rules, loaded once for a command.
pub(super) struct Office<'a> {
    pub(super) replica: &'a Replica,
    pub(super) street: Street,
    pub(super) book: Rulebook,
    observed: Observed<'a>,
}

/// When the relay observed what, read once a log: for whoever folds many cases.
pub(in crate::command) struct Observed<'a> {
    replica: &'a Replica,
    logs: RefCell<BTreeMap<(Scope, LogId), BTreeMap<u64, u64>>>,
}

impl<'a> Observed<'a> {
    pub(in crate::command) fn new(replica: &'a Replica) -> Self {
        Self { replica, logs: RefCell::default() }
    }

    fn of(&self, scope: &Scope, event: &EventView) -> Result<u64, ReplicaError> {
        let mut logs = self.logs.borrow_mut();
        let key = (scope.clone(), event.log);
        if !logs.contains_key(&key) {
            let observed = self.replica.observations(scope, &event.log)?;
            logs.insert(key.clone(), observed);
        }
        let next = logs.get(&key).and_then(|log| log.range(event.seq..).next());
        Ok(next.map_or(event.observed_ms, |(_, observed_ms)| *observed_ms))
    }

    /// Folds the case that a document tells.
    pub(in crate::command) fn fold(
        &self,
        book: &Rulebook,
        scope: &Scope,
        view: &DocumentView,
    ) -> Result<CaseView, ReplicaError> {
        folded_with(self.replica, book, scope, view, &|event| self.of(scope, event))
    }
}

impl<'a> Office<'a> {
    pub(super) fn load(replica: &'a Replica) -> Result<Self, CommandError> {
        let observed = Observed::new(replica);
        Ok(Self { replica, street: Street::load(replica)?, book: book(replica)?, observed })
    }

    /// The posts of the acting worker: the one that this replica is enrolled for, then his others.
    pub(super) fn posts(&self) -> Result<Vec<Actor>, CommandError> {
        let own = self.street.actor()?;
        let own = Actor { worker: own.worker, role: own.role, unit: own.unit.clone() };
        let profile = self.replica.profile();
        let now = self.replica.now_ms();
        let held = self.replica.roster()?.posts_of(&profile.replica());
        let mut posts: Vec<Actor> = held
            .into_iter()
            .filter(|(worker, post)| *worker == own.worker && post.term.holds_at(now))
            .map(|(worker, post)| Actor { worker, role: post.role, unit: post.unit })
            .collect();
        // Before the roster is here the enrolment is all there is.
        if posts.is_empty() {
            posts.push(own.clone());
        }
        posts.sort_by_key(|post| (*post != own, post.role, post.unit.clone()));
        Ok(posts)
    }

    pub(super) fn site(&self, scope: &Scope) -> Site {
        let area = self.street.area_of(scope).map(|area| area.code().to_owned());
        Site { scope: scope.clone(), area }
    }

    /// The case that a document tells, with what the relay said of its events.
    pub(super) fn case(&self, scope: &Scope, view: &DocumentView) -> Result<CaseView, ReplicaError> {
        folded(self.replica, &self.book, scope, view)
    }

    /// The same for a list, which asks for many.
    pub(super) fn case_in_list(&self, scope: &Scope, view: &DocumentView) -> Result<CaseView, ReplicaError> {
        self.observed.fold(&self.book, scope, view)
    }

    /// To whom a case was given, as people call them.
    pub(super) fn assignees(&self, assignees: &[Assignee]) -> String {
        let names: Vec<String> = assignees.iter().map(|assignee| self.assignee(assignee)).collect();
        names.join("、")
    }

    pub(super) fn assignee(&self, assignee: &Assignee) -> String {
        let unit = self.street.unit_name(&assignee.scope);
        match &assignee.worker {
            Some(worker) => format!("{unit} {}", self.street.worker_name(worker)),
            None => unit,
        }
    }

    /// The worker's own posts, as people call them.
    pub(super) fn own_posts(&self, posts: &[Actor]) -> String {
        let names: Vec<String> = posts
            .iter()
            .map(|post| format!("{} {}", self.street.unit_name(&post.unit), role_zh(post.role)))
            .collect();
        names.join("、")
    }

    /// Whether this replica is one of the centre's.
    pub(super) fn is_centre(&self) -> bool {
        self.street.actor().is_ok_and(|actor| {
            actor.role.is_centre() && actor.role != wangge_model::identity::Role::StreetLeader
        })
    }
}

/// Folds the case that a document tells.
pub(in crate::command) fn folded(
    replica: &Replica,
    book: &Rulebook,
    scope: &Scope,
    view: &DocumentView,
) -> Result<CaseView, ReplicaError> {
    folded_with(replica, book, scope, view, &|event| replica.observed_ms(scope, event))
}

fn folded_with(
    replica: &Replica,
    book: &Rulebook,
    scope: &Scope,
    view: &DocumentView,
    observed_ms: &dyn Fn(&EventView) -> Result<u64, ReplicaError>,
) -> Result<CaseView, ReplicaError> {
    let empty = Vec::new();
    let decided = |event: &EventView| replica.void_reason(scope, &event.log, event.seq);
    let mut history = view.histories.get("events").unwrap_or(&empty).clone();
    for event in &mut history {
        event.observed_ms = observed_ms(event)?;
    }
    Ok(fold(view.id, &history, &decided, book))
}

/// All versions of the rules that have come here.
pub(in crate::command) fn book(replica: &Replica) -> Result<Rulebook, ReplicaError> {
    let mut book = Rulebook::shipped();
    replica.each(&Scope::Street, Kind::CASE_RULES, |view| {
        match read_rules(&view) {
            Ok((number, rules, calendar)) => book.add(&view.id.to_string(), number, rules, calendar),
            Err(reason) => tracing::warn!(id = %view.id, reason, "a version of the case rules is unsound"),
        }
        true
    })?;
    Ok(book)
}

/// The parts in which a version of the rules is stored: each fits into one value.
pub(super) const PARTS: [&str; 3] = ["categories", "deadlines", "merging"];

fn read_rules(view: &DocumentView) -> Result<(u64, Rules, Calendar), String> {
    let number = match view.value("version") {
        Some(Scalar::Int(number)) => u64::try_from(*number).map_err(|e| e.to_string())?,
        _ => return Err("it has no version".to_owned()),
    };
    let part = |name: &str| -> Result<serde_json::Value, String> {
        serde_json::from_str(&view.text(name)).map_err(|e| format!("{name}: {e}"))
    };
    let mut whole = serde_json::Map::new();
    for name in PARTS {
        match part(name)? {
            serde_json::Value::Object(members) => whole.extend(members),
            _ => return Err(format!("{name} is no object")),
        }
    }
    let rules: Rules = serde_json::from_value(serde_json::Value::Object(whole)).map_err(|e| e.to_string())?;
    rules.check().map_err(|e| e.to_string())?;
    let calendar: Calendar = serde_json::from_value(part("calendar")?).map_err(|e| e.to_string())?;
    calendar.check().map_err(|e| e.to_string())?;
    Ok((number, rules, calendar))
}
