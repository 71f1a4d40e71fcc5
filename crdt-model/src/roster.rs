//! The roster as a plain value: who the workers, posts, units and replicas are and which scopes each
//! holds, read out of the documents of `street`.
//!
//! Where two admins edited at once, the most restrictive value counts: revoked before leaving before
//! active, the latest beginning, the earliest end; of two administrators' posts that exclude each other, the one
//! that may do less. Whatever is taken away is therefore written as an end, never deleted: a deletion would lose
//! to a concurrent value.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::document::{DocumentView, Register, Scalar};
use crate::enrolment::Enrolment;
use crate::identity::{DocId, LogId, ReplicaId, Role, Scope};
use crate::planted::{self, Bug};
use crate::schema::Kind;
use crate::turn::TurnKey;

/// Days during which work written before its author left is still accepted, unless the centre laid
/// down another number.
pub const GRACE_DAYS: u32 = 7;
/// Days for which neighbours serve a replica that has not been at the centre, likewise.
pub const LEASE_DAYS: u32 = 90;
/// Bytes that one revoked replica may bring into quarantine, likewise.
pub const QUARANTINE_LEN_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of one replica's own work that a neighbour takes before the centre has decided on them, likewise.
pub const CARRIED_LEN_BYTES: u64 = 16 * 1024 * 1024;
/// Most epochs of one replica.
pub const EPOCHS_MAX: usize = 32;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// From when to when something holds, milliseconds since 1970 (UTC).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Term {
    /// From then on; 0 means always.
    pub from_ms: u64,
    /// Before then; `u64::MAX` means without end.
    pub until_ms: u64,
}

impl Default for Term {
    fn default() -> Self {
        Self { from_ms: 0, until_ms: u64::MAX }
    }
}

impl Term {
    /// From `from_ms` without end.
    pub fn from(from_ms: u64) -> Self {
        Self { from_ms, ..Self::default() }
    }

    /// The same, ending at `until_ms` at the latest.
    #[must_use]
    pub fn ending(self, until_ms: u64) -> Self {
        Self { until_ms: self.until_ms.min(until_ms), ..self }
    }

    /// Whether it holds then.
    pub fn holds_at(&self, ms: u64) -> bool {
        self.from_ms <= ms && ms < self.until_ms
    }

    /// As it stands in a document.
    pub fn to_scalar(self) -> Scalar {
        let mut json = serde_json::Map::new();
        if self.from_ms > 0 {
            json.insert("from".to_owned(), self.from_ms.into());
        }
        if self.until_ms < u64::MAX {
            json.insert("until".to_owned(), self.until_ms.into());
        }
        Scalar::Str(serde_json::Value::from(json).to_string())
    }

    /// Read back; what cannot be read holds never.
    fn of_scalar(scalar: &Scalar) -> Self {
        let never = Self { from_ms: 0, until_ms: 0 };
        match scalar {
            Scalar::Bool(true) => Self::default(),
            Scalar::Str(text) => match serde_json::from_str::<serde_json::Value>(text) {
                Ok(serde_json::Value::Object(json)) => {
                    let number = |name: &str, default: u64| match json.get(name) {
                        None => Some(default),
                        Some(value) => value.as_u64(),
                    };
                    match (number("from", 0), number("until", u64::MAX)) {
                        (Some(from_ms), Some(until_ms)) => Self { from_ms, until_ms },
                        _ => never,
                    }
                }
                _ => never,
            },
            _ => never,
        }
    }

    /// Whether there is a time at which both hold.
    pub fn overlaps(self, other: Self) -> bool {
        let both = self.both(other);
        both.from_ms < both.until_ms
    }

    /// What is left of it outside the other: nothing, one part, or one before and one after.
    fn outside(self, other: Self) -> Vec<Self> {
        if !self.overlaps(other) {
            return vec![self];
        }
        let before = self.ending(other.from_ms);
        let after = Self { from_ms: self.from_ms.max(other.until_ms), ..self };
        [before, after].into_iter().filter(|part| part.from_ms < part.until_ms).collect()
    }

    fn both(self, other: Self) -> Self {
        Self { from_ms: self.from_ms.max(other.from_ms), until_ms: self.until_ms.min(other.until_ms) }
    }

    fn of_register(register: &Register) -> Self {
        values(register).map(Self::of_scalar).fold(Self::default(), Self::both)
    }
}

fn values(register: &Register) -> impl Iterator<Item = &Scalar> {
    std::iter::once(&register.shown).chain(&register.others).map(|claim| &claim.value)
}

/// The smallest of the concurrent numbers.
fn smallest(register: &Register) -> Option<u64> {
    let number = |value: &Scalar| match value {
        Scalar::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    values(register).filter_map(number).min()
}

/// How a worker or a replica stands, the least restrictive first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub enum Standing {
    /// Takes part.
    #[default]
    Active,
    /// Takes part until then, milliseconds since 1970 (UTC), ordered latest first.
    Leaving(std::cmp::Reverse<u64>),
    /// Cut off.
    Revoked,
}

impl Standing {
    /// Leaves then.
    pub fn leaving(until_ms: u64) -> Self {
        Self::Leaving(std::cmp::Reverse(until_ms))
    }

    /// The time at which it ends, `u64::MAX` if it does not, 0 if it is cut off.
    pub fn until_ms(self) -> u64 {
        match self {
            Self::Active => u64::MAX,
            Self::Leaving(until) => until.0,
            Self::Revoked if planted::is(Bug::IgnoreCut) => u64::MAX,
            Self::Revoked => 0,
        }
    }

    /// As it stands in a document.
    pub fn to_text(self) -> String {
        match self {
            Self::Active => "active".to_owned(),
            Self::Leaving(until) => format!("leaving:{}", until.0),
            Self::Revoked => "revoked".to_owned(),
        }
    }

    /// Read back; a word of a newer version cuts off.
    fn of_text(text: &str) -> Self {
        match text.split_once(':') {
            None if text == "active" => Self::Active,
            Some(("leaving", until)) => until.parse().map_or(Self::Revoked, Self::leaving),
            _ => Self::Revoked,
        }
    }

    fn of_view(view: &DocumentView) -> Self {
        let Some(register) = view.fields.get("status") else { return Self::Active };
        values(register).map(|value| Self::of_text(&value.to_text())).max().unwrap_or_default()
    }
}

/// A post (岗位) that a worker holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Post {
    /// The role.
    pub role: Role,
    /// Where.
    pub unit: Scope,
    /// From when to when.
    pub term: Term,
}

impl Post {
    /// Its key in a worker's `posts`.
    pub fn key(role: Role, unit: &Scope) -> String {
        format!("{role}@{unit}")
    }

    fn of_entry(key: &str, register: &Register) -> Option<Self> {
        let (role, unit) = key.split_once('@')?;
        let (role, unit): (Role, Scope) = (role.parse().ok()?, unit.parse().ok()?);
        role.fits(&unit).then(|| Self { role, unit, term: Term::of_register(register) })
    }
}

/// A unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnitEntry {
    /// Its document.
    pub doc: DocId,
    /// Its name.
    pub name: String,
    /// The area that it belongs to, empty if none.
    pub area: String,
}

/// A worker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkerEntry {
    /// The name.
    pub name: String,
    /// How he stands.
    pub standing: Standing,
    /// His posts, those that have ended included.
    pub posts: Vec<Post>,
}

impl WorkerEntry {
    /// His posts with the ends that his own leaving sets, as they stand in the roster.
    pub fn posts(&self) -> impl Iterator<Item = Post> {
        let until_ms = self.standing.until_ms();
        self.posts.iter().map(move |post| Post { term: post.term.ending(until_ms), ..post.clone() })
    }

    /// His posts as they count: while he holds two of the administrators' posts that exclude each other, the one
    /// that may do less. Another is given in parts, if one is left.
    pub fn posts_that_count(&self) -> impl Iterator<Item = Post> {
        self.posts().flat_map(|post| {
            let stronger = self.posts().filter(|other| post.role.yields_to(other.role));
            let parts = stronger.fold(vec![post.term], |parts, other| {
                parts.into_iter().flat_map(|part| part.outside(other.term)).collect()
            });
            parts.into_iter().map(move |term| Post { term, ..post.clone() })
        })
    }

    /// The administrator's post of his that excludes `role` during `term`.
    pub fn excluding(&self, role: Role, term: Term) -> Option<Post> {
        self.posts().find(|post| role.excludes(post.role) && post.term.overlaps(term))
    }

    /// The post on account of which `post` does not count at a time, milliseconds since 1970 (UTC).
    pub fn overruling(&self, post: &Post, at_ms: u64) -> Option<Post> {
        self.posts().find(|other| post.role.yields_to(other.role) && other.term.holds_at(at_ms))
    }
}

/// A replica.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplicaEntry {
    /// Its document.
    pub doc: DocId,
    /// Who uses it, and from when to when.
    pub workers: BTreeMap<DocId, Term>,
    /// The one for whom it was enrolled.
    pub worker: Option<DocId>,
    /// His post when it was enrolled.
    pub post: Option<(Role, Scope)>,
    /// Its epochs.
    pub epochs: BTreeSet<u64>,
    /// How it stands.
    pub standing: Standing,
    /// For a revoked one: the last position of each log that counts.
    pub cuts: BTreeMap<LogId, u64>,
    /// What people call the device.
    pub device: String,
    /// Why it was revoked.
    pub reason: String,
    /// When it destroyed what it held, milliseconds since 1970 (UTC).
    pub wiped_ms: Option<u64>,
    /// On a shared device: the keys that sign what each worker writes in his turn.
    pub keys: BTreeMap<DocId, BTreeSet<TurnKey>>,
    /// Up to where its logs were written before it was shared.
    pub unsigned: BTreeMap<LogId, u64>,
}

impl ReplicaEntry {
    /// Whether what `worker` writes at a position counts with his own signature only: whoever shares a device
    /// signs, but for what was at the centre before there was a second one.
    pub fn demands_turn(&self, worker: &DocId, log: &LogId, seq: u64, at_ms: u64) -> bool {
        if self.keys.is_empty() {
            // Nobody has a key here. Whoever was let in beside the first one must get one first.
            let others = self.workers.iter().any(|(other, term)| other != worker && term.holds_at(at_ms));
            return self.worker.as_ref() != Some(worker) && others;
        }
        self.unsigned.get(log).is_none_or(|upto| seq > *upto)
    }
}

/// What the centre has laid down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// Grace for what was written before its author left, in milliseconds.
    pub grace_ms: u64,
    /// Term of a lease, in milliseconds.
    pub lease_ms: u64,
    /// Bytes that one revoked replica may bring into quarantine.
    pub quarantine_len_bytes: u64,
    /// Bytes of one replica's own work that a neighbour takes before the centre has decided on them: whoever is
    /// revoked, and meets somebody who has not heard, leaves no more than that there.
    pub carried_len_bytes: u64,
    /// Whether the devices that people carry, those of grids, teams and windows, must have a PIN.
    pub pin_required: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            grace_ms: u64::from(GRACE_DAYS) * DAY_MS,
            lease_ms: u64::from(LEASE_DAYS) * DAY_MS,
            quarantine_len_bytes: QUARANTINE_LEN_BYTES,
            carried_len_bytes: CARRIED_LEN_BYTES,
            pin_required: false,
        }
    }
}

/// The roster of a street.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RosterView {
    units: BTreeMap<Scope, UnitEntry>,
    workers: BTreeMap<DocId, WorkerEntry>,
    replicas: BTreeMap<ReplicaId, ReplicaEntry>,
    policy: Policy,
    /// How many transactions of `street` had taken effect.
    pub version: u64,
}

impl RosterView {
    /// What an enrolment alone says: for a replica to which `street` has not come yet.
    pub fn of_enrolment(enrolment: &Enrolment) -> Self {
        let post = (enrolment.role, enrolment.unit.clone());
        let replica = ReplicaEntry {
            doc: DocId([0; 16]),
            workers: BTreeMap::from([(enrolment.worker, Term::default())]),
            worker: Some(enrolment.worker),
            post: Some(post.clone()),
            epochs: BTreeSet::from([enrolment.epoch.0]),
            standing: Standing::Active,
            cuts: BTreeMap::new(),
            device: String::new(),
            reason: String::new(),
            wiped_ms: None,
            keys: BTreeMap::new(),
            unsigned: BTreeMap::new(),
        };
        let posts = vec![Post { role: post.0, unit: post.1, term: Term::default() }];
        let worker = WorkerEntry { name: String::new(), standing: Standing::Active, posts };
        let area = enrolment.unit.code();
        let unit = |scope: &Scope| {
            let entry = UnitEntry { doc: DocId([0; 16]), name: String::new(), area: area.to_owned() };
            (scope.clone(), entry)
        };
        Self {
            units: enrolment.scopes.iter().map(unit).collect(),
            workers: BTreeMap::from([(enrolment.worker, worker)]),
            replicas: BTreeMap::from([(enrolment.replica, replica)]),
            ..Self::default()
        }
    }

    /// Takes in what a document of `street` says now. Documents of other kinds say nothing.
    pub fn take(&mut self, view: &DocumentView) {
        match view.kind {
            Kind::UNIT => {
                self.units.retain(|_, entry| entry.doc != view.id);
                if let Ok(scope) = view.text("scope").parse::<Scope>() {
                    let entry = UnitEntry { doc: view.id, name: view.text("name"), area: view.text("area") };
                    self.units.insert(scope, entry);
                }
            }
            Kind::WORKER => {
                let posts = view.sets.get("posts").into_iter().flatten();
                let entry = WorkerEntry {
                    name: view.text("name"),
                    standing: Standing::of_view(view),
                    posts: posts.filter_map(|(key, register)| Post::of_entry(key, register)).collect(),
                };
                self.workers.insert(view.id, entry);
            }
            Kind::REPLICA => {
                self.replicas.retain(|_, entry| entry.doc != view.id);
                if let Ok(key) = view.text("key").parse::<ReplicaId>() {
                    self.replicas.insert(key, ReplicaEntry::of_view(view));
                }
            }
            Kind::POLICY => self.policy = Policy::of_view(view),
            _ => {}
        }
    }

    /// Forgets a document that is no longer there.
    pub fn forget(&mut self, doc: &DocId) {
        self.units.retain(|_, entry| entry.doc != *doc);
        self.workers.remove(doc);
        self.replicas.retain(|_, entry| entry.doc != *doc);
    }

    /// The units.
    pub fn units(&self) -> &BTreeMap<Scope, UnitEntry> {
        &self.units
    }

    /// The workers.
    pub fn workers(&self) -> &BTreeMap<DocId, WorkerEntry> {
        &self.workers
    }

    /// The replicas.
    pub fn replicas(&self) -> &BTreeMap<ReplicaId, ReplicaEntry> {
        &self.replicas
    }

    /// What the centre has laid down.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Whether a post of `role` at `unit` reaches `scope`: a grid's its grid, and its 网格长 the sub-grids of it as
    /// well (art. 16, 20); an area's every grid of the area; the centre's everything; and all of them `street`.
    /// The administrators of security and audit reach no register, not even the centre's own: the former `street`
    /// alone, the latter the audit too, which nobody else reaches.
    pub fn reaches(&self, role: Role, unit: &Scope, scope: &Scope) -> bool {
        match role {
            _ if *scope == Scope::Audit => return role == Role::AuditAdmin,
            Role::SecurityAdmin | Role::AuditAdmin => return *scope == Scope::Street,
            _ => {}
        }
        if scope == unit || *scope == Scope::Street || role.serves_street(unit) {
            return true;
        }
        match unit {
            Scope::Area(area) => self.units.get(scope).is_some_and(|entry| entry.area == *area),
            Scope::Grid(around) if role == Role::GridLeader => match scope {
                Scope::Grid(code) => code.strip_prefix(around).is_some_and(|rest| rest.starts_with('-')),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether a worker holds a post that reaches `scope` at that time, milliseconds since 1970 (UTC), or will.
    pub fn will_hold(&self, worker: &DocId, scope: &Scope, at_ms: u64) -> bool {
        let posts = self.workers.get(worker).into_iter().flat_map(WorkerEntry::posts_that_count);
        let mut lasting = posts.filter(|post| at_ms < post.term.until_ms);
        lasting.any(|post| self.reaches(post.role, &post.unit, scope))
    }

    /// The scopes that a post of `role` at `unit` holds.
    pub fn scopes_of(&self, role: Role, unit: &Scope) -> BTreeSet<Scope> {
        let always = [Scope::Street, Scope::Audit, unit.clone()];
        let known = always.iter().chain(self.units.keys());
        known.filter(|scope| self.reaches(role, unit, scope)).cloned().collect()
    }

    /// Posts of whoever uses the replica that count, with the ends that leaving sets.
    pub fn posts_of(&self, replica: &ReplicaId) -> Vec<(DocId, Post)> {
        let Some(entry) = self.replicas.get(replica) else { return Vec::new() };
        let until_ms = entry.standing.until_ms();
        let mut posts = Vec::new();
        for (worker, term) in &entry.workers {
            for post in self.workers.get(worker).into_iter().flat_map(WorkerEntry::posts_that_count) {
                let term = post.term.both(*term).ending(until_ms);
                posts.push((*worker, Post { term, ..post }));
            }
        }
        posts
    }

    /// Those of the three administrators (三员) whom nobody is at that time, milliseconds since 1970 (UTC).
    pub fn vacant(&self, at_ms: u64) -> Vec<Role> {
        let held = |role: &Role| {
            let mut posts = self.workers.values().flat_map(WorkerEntry::posts_that_count);
            posts.any(|post| post.role == *role && post.term.holds_at(at_ms))
        };
        Role::SEPARATED.into_iter().filter(|role| !held(role)).collect()
    }

    /// Whether the roster has named an administrator of the audit, now or at another time.
    pub fn names_auditor(&self) -> bool {
        let mut posts = self.workers.values().flat_map(|worker| &worker.posts);
        posts.any(|post| post.role == Role::AuditAdmin)
    }

    /// The scopes that the replica holds at a time. A revoked one holds nothing.
    pub fn holds(&self, replica: &ReplicaId, at_ms: u64) -> BTreeSet<Scope> {
        let mut scopes = BTreeSet::new();
        for (_, post) in self.posts_of(replica) {
            if post.term.holds_at(at_ms) {
                scopes.extend(self.scopes_of(post.role, &post.unit));
            }
        }
        scopes
    }

    /// The scopes that the replica has held until a time: those of all posts that had begun by then.
    pub fn has_held(&self, replica: &ReplicaId, at_ms: u64) -> BTreeSet<Scope> {
        let mut begun = self.posts_of(replica);
        begun.retain(|(_, post)| post.term.from_ms <= at_ms && post.term.from_ms < post.term.until_ms);
        begun.into_iter().flat_map(|(_, post)| self.scopes_of(post.role, &post.unit)).collect()
    }

    /// The post that stands for the replica at a time: the one it was enrolled for while that holds, else
    /// the first of those that do.
    pub fn main_post(&self, replica: &ReplicaId, at_ms: u64) -> Option<(DocId, Post)> {
        let entry = self.replicas.get(replica)?;
        let mut posts = self.posts_of(replica);
        posts.retain(|(_, post)| post.term.holds_at(at_ms));
        let enrolled = |(worker, post): &(DocId, Post)| {
            Some(*worker) == entry.worker
                && entry.post.as_ref().is_some_and(|(role, unit)| *role == post.role && *unit == post.unit)
        };
        let at = posts.iter().position(enrolled).unwrap_or(0);
        posts.into_iter().nth(at)
    }
}

impl ReplicaEntry {
    fn of_view(view: &DocumentView) -> Self {
        let set = |name: &str| view.sets.get(name).into_iter().flatten();
        let positions = |name: &str| -> BTreeMap<LogId, u64> {
            let parsed = set(name).map(|(key, register)| Some((key.parse().ok()?, smallest(register)?)));
            parsed.flatten().collect()
        };
        let mut workers = BTreeMap::new();
        let worker = view.text("worker").parse::<DocId>().ok();
        if let Some(worker) = worker {
            workers.insert(worker, Term::default());
        }
        for (key, register) in set("workers") {
            if let Ok(worker) = key.parse() {
                workers.insert(worker, Term::of_register(register));
            }
        }
        let post = view.text("role").parse().ok().zip(view.text("unit").parse().ok());
        Self {
            doc: view.id,
            workers,
            worker,
            post,
            epochs: set("epochs").filter_map(|(key, _)| u64::from_str_radix(key, 16).ok()).collect(),
            standing: Standing::of_view(view),
            cuts: positions("cuts"),
            unsigned: positions("unsigned"),
            keys: set("keys")
                .filter_map(|(key, register)| {
                    let keys = values(register).filter_map(|value| value.to_text().parse().ok());
                    Some((key.parse().ok()?, keys.collect()))
                })
                .collect(),
            device: view.text("device"),
            reason: view.text("reason"),
            wiped_ms: match view.value("wiped") {
                Some(Scalar::Int(ms)) => u64::try_from(*ms).ok(),
                _ => None,
            },
        }
    }
}

impl Policy {
    /// Of concurrent numbers the smallest counts.
    fn of_view(view: &DocumentView) -> Self {
        let number = |name: &str| view.fields.get(name).and_then(smallest);
        let days = |name: &str, default: u32| {
            number(name).map_or(u64::from(default), |days| days.min(3_650)) * DAY_MS
        };
        Self {
            grace_ms: days("grace_days", GRACE_DAYS),
            lease_ms: days("lease_days", LEASE_DAYS),
            quarantine_len_bytes: number("quarantine_bytes").unwrap_or(QUARANTINE_LEN_BYTES),
            carried_len_bytes: number("carried_bytes").unwrap_or(CARRIED_LEN_BYTES),
            // Of two that differ the stricter one.
            pin_required: view
                .fields
                .get("pin_required")
                .is_some_and(|register| register.claims().any(|claim| claim.value != Scalar::Int(0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Claim;

    fn register(values: &[Scalar]) -> Register {
        let mut claims =
            values.iter().map(|value| Claim { value: value.clone(), worker: DocId([0; 16]), wall_ms: 0 });
        Register { shown: claims.next().expect("a value"), others: claims.collect() }
    }

    fn view(kind: Kind, fields: &[(&str, &[Scalar])]) -> DocumentView {
        let fields = fields.iter().map(|(name, values)| ((*name).to_owned(), register(values))).collect();
        DocumentView { id: DocId([7; 16]), kind, fields, sets: BTreeMap::new(), histories: BTreeMap::new() }
    }

    #[test]
    fn of_concurrent_values_the_most_restrictive_counts() {
        let standing = |values: &[&str]| {
            let values: Vec<Scalar> = values.iter().map(|value| Scalar::from(*value)).collect();
            Standing::of_view(&view(Kind::REPLICA, &[("status", &values)]))
        };
        assert_eq!(standing(&["active"]), Standing::Active);
        assert_eq!(standing(&["active", "leaving:50", "leaving:70"]), Standing::leaving(50));
        assert_eq!(standing(&["leaving:50", "revoked", "active"]), Standing::Revoked);
        assert_eq!(standing(&["a word of a newer version"]), Standing::Revoked);

        let held = Term::from(10).to_scalar();
        let ended = Term::from(10).ending(90).to_scalar();
        for both in [[held.clone(), ended.clone()], [ended, held]] {
            assert_eq!(Term::of_register(&register(&both)), Term { from_ms: 10, until_ms: 90 });
        }
        for nonsense in ["", "true", "{\"until\":-1}", "{\"from\":\"x\"}", "[]"] {
            assert!(!Term::of_scalar(&Scalar::from(nonsense)).holds_at(1), "{nonsense:?}");
        }
    }

    #[test]
    fn posts_reach_what_their_unit_holds() {
        let mut roster = RosterView::default();
        for (at, (scope, area)) in [
            ("grid:1", "a"),
            ("grid:2", "a"),
            ("grid:3", "b"),
            ("grid:3-1", "b"),
            ("area:a", "a"),
            ("centre", ""),
        ]
        .into_iter()
        .enumerate()
        {
            let mut unit = view(Kind::UNIT, &[("scope", &[scope.into()]), ("area", &[area.into()])]);
            unit.id = DocId([at as u8; 16]);
            roster.take(&unit);
        }
        let scopes = |role: Role, unit: &str| -> Vec<String> {
            let scopes = roster.scopes_of(role, &unit.parse().expect("unit"));
            scopes.iter().map(ToString::to_string).collect()
        };
        assert_eq!(scopes(Role::GridWorker, "grid:1"), ["street", "grid:1"]);
        assert_eq!(scopes(Role::AreaClerk, "area:a"), ["street", "area:a", "grid:1", "grid:2"]);
        assert_eq!(scopes(Role::WindowClerk, "area:a"), scopes(Role::AreaClerk, "area:a"));
        assert_eq!(scopes(Role::WindowClerk, "centre").len(), 7);
        assert_eq!(scopes(Role::CentreClerk, "street").len(), 7);
        assert_eq!(scopes(Role::GridLeader, "grid:3"), ["street", "grid:3", "grid:3-1"]);
        assert_eq!(scopes(Role::GridWorker, "grid:3"), ["street", "grid:3"]);
        assert_eq!(scopes(Role::GridWorker, "grid:3-1"), ["street", "grid:3-1"]);
        assert_eq!(scopes(Role::TeamMember, "team:x"), ["street", "team:x"]);
        assert_eq!(scopes(Role::SecurityAdmin, "centre"), ["street"]);
        assert_eq!(scopes(Role::AuditAdmin, "centre"), ["street", "audit"]);
        for (role, _, _) in Role::ALL {
            let reached = roster.reaches(role, &Scope::Centre, &Scope::Audit);
            assert_eq!(reached, role == Role::AuditAdmin, "{role}");
        }
    }

    /// Two admins have each given him another of the posts that exclude each other, without knowing of it.
    #[test]
    fn of_two_administrators_posts_the_one_that_may_do_less_counts() {
        let post =
            |role, from_ms, until_ms| Post { role, unit: Scope::Centre, term: Term { from_ms, until_ms } };
        let end = u64::MAX;
        let entry = |posts: &[Post]| WorkerEntry {
            name: "周敏".to_owned(),
            standing: Standing::Active,
            posts: posts.to_vec(),
        };
        use Role::{AuditAdmin, CentreAdmin, CentreClerk, SecurityAdmin};
        let counts = |posts: &[Post]| -> Vec<Post> { entry(posts).posts_that_count().collect() };
        let (system, security, audit) =
            (post(CentreAdmin, 0, end), post(SecurityAdmin, 0, end), post(AuditAdmin, 0, end));
        let clerk = post(CentreClerk, 0, end);
        assert_eq!(counts(&[system.clone(), audit.clone()]), std::slice::from_ref(&audit));
        assert_eq!(counts(&[system.clone(), security.clone()]), std::slice::from_ref(&security));
        assert_eq!(counts(&[security.clone(), audit.clone()]), std::slice::from_ref(&audit));
        assert_eq!(
            counts(&[system.clone(), clerk.clone(), audit.clone(), security.clone()]),
            [clerk, audit.clone()]
        );
        // Only as long as both hold.
        assert_eq!(
            counts(&[system.clone(), post(AuditAdmin, 50, 90)]),
            [post(CentreAdmin, 0, 50), post(CentreAdmin, 90, end), post(AuditAdmin, 50, 90)]
        );
        assert_eq!(
            counts(&[post(CentreAdmin, 60, 80), post(AuditAdmin, 50, 90)]),
            [post(AuditAdmin, 50, 90)]
        );
        let ended = post(AuditAdmin, 0, 90);
        assert_eq!(counts(&[post(CentreAdmin, 90, end), ended.clone()]), [post(CentreAdmin, 90, end), ended]);
        let both = entry(&[system.clone(), audit.clone()]);
        assert_eq!(both.overruling(&system, 7), Some(audit.clone()));
        assert_eq!(both.overruling(&audit, 7), None);
        // What is refused beforehand.
        let holder = entry(&[post(SecurityAdmin, 50, 90)]);
        assert_eq!(holder.excluding(AuditAdmin, Term::from(0)), Some(post(SecurityAdmin, 50, 90)));
        assert_eq!(holder.excluding(AuditAdmin, Term::from(90)), None);
        assert_eq!(holder.excluding(CentreClerk, Term::from(0)), None);
        assert_eq!(holder.excluding(SecurityAdmin, Term::from(0)), None);
    }

    #[test]
    fn a_street_says_which_administrators_it_lacks() {
        let mut roster = RosterView::default();
        assert_eq!(roster.vacant(5), Role::SEPARATED);
        assert!(!roster.names_auditor());
        let mut worker = view(Kind::WORKER, &[("name", &["周敏".into()])]);
        let posts = [(Role::CentreAdmin, Term::from(0)), (Role::AuditAdmin, Term::from(10))];
        let posts =
            posts.map(|(role, term)| (Post::key(role, &Scope::Centre), register(&[term.to_scalar()])));
        worker.sets.insert("posts", posts.into());
        roster.take(&worker);
        assert_eq!(roster.vacant(5), [Role::SecurityAdmin, Role::AuditAdmin]);
        assert_eq!(roster.vacant(15), [Role::CentreAdmin, Role::SecurityAdmin]);
        assert!(roster.names_auditor());
    }
}
