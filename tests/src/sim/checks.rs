//! What must hold: while a run lasts, whenever somebody looks, and once everybody has met.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::document::{DocumentView, Scalar};
use wangge_model::identity::Scope;
use wangge_model::schema::kinds;
use wangge_model::session::Completeness;
use wangge_node::replica::{Delivery, Replica};

use super::Wrong;
use super::action::Who;
use super::device::Post;
use super::model::{Mark, Place, mark, tag};
use super::town::Town;

/// More transactions than any run writes into one scope.
const LAMPORT_MAX: u64 = 100_000;
/// Rounds in which everybody syncs with the relay before replicas must be at rest.
const ROUNDS_MAX: usize = 12;
/// The round after which a person lets a restored relay go on, if no device of the centre has.
const RESUMED_AT: usize = 2;

impl Town {
    /// Checks everything that one device shows, and what it was told.
    pub(super) fn look(&mut self, who: Who) {
        let Some(replica) = self.devices[who].replica().cloned() else { return };
        if self.devices[who].is_damaged() {
            // It shows what is left, until it is examined.
            return;
        }
        if self.devices[who].disk.is_poisoned() {
            // It shows what it could not save, until it is started again.
            return;
        }
        if let Err(error) = replica.apply() {
            self.excuse(who, "apply", &error);
            self.disturb(who);
            return;
        }
        let places: Vec<Place> =
            self.model.places().filter(|place| !self.model.erased.contains_key(*place)).cloned().collect();
        let held = replica.scopes();
        for place in places.iter().filter(|place| held.contains(&place.0)) {
            self.look_at(who, &replica, place);
        }
        self.look_at_pairs(who, &replica);
        self.disturb(who);
    }

    fn look_at(&mut self, who: Who, replica: &Replica, place: &Place) {
        let marks = self.counting(replica, place);
        let view = match replica.get(&place.0, place.1, &place.2) {
            Ok(view) => view,
            Err(error) => return self.excuse(who, "look", &error),
        };
        for field in self.model.fields(place) {
            let expected = self.model.values(place, &field, &marks);
            let shown: Vec<String> = view.as_ref().map(|view| view.texts(&field)).unwrap_or_default();
            let found: BTreeSet<String> = shown.iter().cloned().collect();
            self.counts.conflicts += found.len().saturating_sub(1) as u64;
            if found != expected || found.len() != shown.len() {
                let what = format!(
                    "{}: {} {} shows {shown:?}, people wrote {expected:?}",
                    self.name(who),
                    place.2,
                    field
                );
                self.fail(Wrong::View, what);
            }
        }
        let expected = self.model.events(place, &marks);
        let shown = view.as_ref().map(events).unwrap_or_default();
        let found: BTreeSet<String> = shown.iter().cloned().collect();
        if found != expected || found.len() != shown.len() {
            let what =
                format!("{}: case {} shows {shown:?}, people wrote {expected:?}", self.name(who), place.2);
            self.fail(Wrong::View, what);
        }
        match replica.delivery(&place.0, place.1, &place.2) {
            Ok(_) if who != 0 && self.trusts_lost_centre(who, replica, place) => {}
            Ok(told @ (Delivery::Centre | Delivery::BackedUp)) if who != 0 => {
                for id in self
                    .model
                    .of(place)
                    .filter(|(_, w)| marks.contains(&w.mark) && !w.void && !w.doubtful)
                    .map(|(id, _)| id)
                    .collect::<Vec<_>>()
                {
                    self.model.writings[id].promised = true;
                    self.model.writings[id].backed |= told == Delivery::BackedUp;
                }
                self.counts.receipts += 1;
                self.check_receipt(who, place, &marks);
            }
            Ok(_) => {}
            Err(error) => self.excuse(who, "receipt", &error),
        }
    }

    /// What a device calls "at the centre" is in the relay's logs, durably.
    fn check_receipt(&mut self, who: Who, place: &Place, marks: &BTreeSet<super::model::Mark>) {
        // While it runs, the relay tells; it applies what has come, as it would by itself.
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        let told = relay.apply();
        self.disturb(0);
        if told.is_err() || !self.devices[0].disk.is_alive() {
            return;
        }
        let there = self.marks(&relay, place);
        let missing: Vec<String> = self
            .model
            .of(place)
            .filter(|(_, w)| {
                marks.contains(&w.mark)
                    && !w.void
                    && !w.doubtful
                    && !there.contains(&w.mark)
                    && !self.is_in_relays_logs(w)
            })
            .map(|(_, w)| format!("{:?}={:?}", w.field, w.value))
            .collect();
        if !missing.is_empty() {
            let what =
                format!("{} was told that {} is at the centre: {missing:?} is not", self.name(who), place.2);
            self.fail(Wrong::Receipt, what);
        }
    }

    /// Documents that were written together are there together.
    fn look_at_pairs(&mut self, who: Who, replica: &Replica) {
        // While pages come, a scope holds the documents of those that are here, and says that it is incomplete.
        let mut whole = replica.clocks();
        whole.retain(|_, (_, completeness)| *completeness == Completeness::Whole);
        let mut marks = BTreeMap::new();
        let mut half = None;
        for together in &self.model.together {
            let mut there = 0;
            let is_out = |place: &Place, mark| {
                self.model.is_void(place, mark)
                    || self.model.is_doubtful(place, mark)
                    // Damage took one document of several: the others are saved all the same.
                    || self.model.is_lost(place, mark)
                    || self.model.erased.contains_key(place)
                    || !whole.contains_key(&place.0)
            };
            if together.iter().any(|(place, mark)| is_out(place, mark)) {
                continue;
            }
            for (place, mark) in together {
                let of_place = marks.entry(place.clone()).or_insert_with(|| self.marks(replica, place));
                there += usize::from(of_place.contains(mark));
            }
            if there != 0 && there != together.len() {
                half =
                    Some(format!("{there} of {} documents, transaction {:?}", together.len(), together[0].1));
            }
        }
        if let Some(half) = half {
            let what = format!("{} has {half}", self.name(who));
            self.fail(Wrong::Half, what);
        }
    }

    /// Ends all trouble and lets everybody meet the relay until all are at rest.
    pub(super) fn settle(&mut self) {
        if self.failure.is_some() {
            return;
        }
        self.say(|_| "# everybody comes back".to_owned());
        self.settling = true;
        self.partition_until_ms = 0;
        for who in 0..self.devices.len() {
            let device = &mut self.devices[who];
            device.disk.set_room(None);
            device.disk.keep_power();
            device.daemon = false;
            device.plugged = true;
            self.install(who, None);
            let device = &mut self.devices[who];
            // A process whose disk failed is started again.
            device.disk.crash();
            self.die(who);
        }
        self.run();
        for who in 0..self.devices.len() {
            self.start(who);
        }
        self.calm();
        self.run();
        for round in 0..ROUNDS_MAX {
            let before = self.counts.bytes;
            let mut equal = true;
            for who in 1..self.devices.len() {
                if self.failure.is_some() {
                    return;
                }
                if self.devices[who].gone {
                    continue;
                }
                self.connect(who, 0, true);
                self.run();
                equal &= self.synced.get(&who) == Some(&true) || self.is_revoked(who) || self.is_unknown(who);
            }
            if round == RESUMED_AT {
                self.resume_relay();
            }
            self.decide();
            for who in 0..self.devices.len() {
                if self.devices[who].is_damaged() {
                    self.examine(who);
                    // Whom the relay gives nothing cannot be healed.
                    equal &= self.is_unknown(who);
                }
            }
            self.run();
            let bytes = self.counts.bytes - before;
            self.say(|_| format!("# round {round}: {bytes} bytes"));
            if equal && round > 0 && self.unrest().is_empty() {
                return;
            }
        }
        if self.failure.is_none() {
            let clocks: Vec<String> = (0..self.devices.len())
                .map(|who| format!("{} {:?}", self.name(who), self.synced.get(&who)))
                .collect();
            let unrest = self.unrest().join("; ");
            self.fail(
                Wrong::Unsettled,
                format!("after {ROUNDS_MAX} rounds: {}; {unrest}", clocks.join(", ")),
            );
        }
    }

    /// What is undecided, which clocks differ from the relay's, and who holds what is not due to him.
    fn unrest(&self) -> Vec<String> {
        let Some(relay) = self.devices[0].replica() else { return vec!["the relay is not there".to_owned()] };
        let clocks = relay.clocks();
        // Time goes on: a post can end between two rounds.
        let mut unrest = self.misheld();
        for (scope, verdicts) in relay.undecided() {
            let logs = verdicts.iter().map(|verdict| format!("{:?} up to {}", verdict.log, verdict.upto));
            unrest.push(format!("{scope} is undecided: {}", logs.collect::<Vec<_>>().join(", ")));
        }
        for who in 0..self.devices.len() {
            if self.is_revoked(who) || self.is_unknown(who) {
                continue;
            }
            let Some(replica) = self.devices[who].replica() else { continue };
            for (scope, (clock, _)) in replica.clocks() {
                let there = clocks.get(&scope).map(|(clock, _)| clock.clone()).unwrap_or_default();
                let logs: BTreeSet<_> = clock.0.keys().chain(there.0.keys()).collect();
                for log in logs.into_iter().filter(|log| clock.0.get(log) != there.0.get(log)) {
                    let (here, there) = (clock.len_of(log), there.len_of(log));
                    unrest.push(format!(
                        "{} has {here} of {log:?} in {scope}, the relay {there}",
                        self.name(who)
                    ));
                }
            }
        }
        unrest
    }

    /// Everything that must hold at the end.
    pub(super) fn check_all(&mut self) {
        if self.failure.is_some() {
            return;
        }
        self.resolve_doubts();
        self.resolve_damage();
        for who in 0..self.devices.len() {
            self.look(who);
        }
        self.check_agreement();
        self.check_voids();
        self.check_nothing_lost();
        self.check_cuts();
        self.check_moves();
        self.check_erased();
        self.check_isolation();
        self.check_order();
        self.calm();
    }

    fn check_agreement(&mut self) {
        let mut of_relay = BTreeMap::new();
        for who in 0..self.devices.len() {
            let Some(replica) = self.devices[who].replica().cloned() else { continue };
            if self.is_revoked(who) || self.is_unknown(who) {
                continue;
            }
            let digests = match replica.digests() {
                Ok(digests) => digests,
                Err(error) => return self.excuse(who, "digests", &error),
            };
            for digest in digests {
                let line = digest.to_string();
                self.say(|town| format!("{}: {line}", town.name(who)));
                if who == 0 {
                    of_relay.insert(digest.scope.clone(), line);
                } else if of_relay.get(&digest.scope) != Some(&line) {
                    let relays = of_relay.get(&digest.scope).cloned().unwrap_or_default();
                    let apart = self.devices[0].replica().map(|relay| apart(&replica, relay, &digest.scope));
                    let apart = apart.unwrap_or_default();
                    let what = format!("{} has {line}, the relay {relays}; {apart}", self.name(who));
                    self.fail(Wrong::Differ, what);
                }
            }
        }
    }

    /// Everywhere the same changes count.
    fn check_voids(&mut self) {
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        let mut wrong = None;
        for place in self.model.places().filter(|place| !self.model.erased.contains_key(*place)) {
            let there = self.counting(&relay, place);
            for who in 1..self.devices.len() {
                let Some(replica) = self.devices[who].replica() else { continue };
                if self.is_revoked(who) || self.is_unknown(who) || !replica.scopes().contains(&place.0) {
                    continue;
                }
                let here = self.counting(replica, place);
                let apart: Vec<_> = here.symmetric_difference(&there).collect();
                if !apart.is_empty() {
                    wrong = Some(format!(
                        "{}: {} has changes that count on one side only: {apart:?}",
                        self.name(who),
                        place.2
                    ));
                }
            }
        }
        if let Some(wrong) = wrong {
            self.fail(Wrong::Differ, wrong);
        }
    }

    /// What was saved is at the relay, unless it died with every disk that had it and nobody was told
    /// otherwise.
    fn check_nothing_lost(&mut self) {
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        let mut missing = Vec::new();
        for place in self.model.places().filter(|place| !self.model.erased.contains_key(*place)) {
            let there = self.marks(&relay, place);
            for (_, writing) in self.model.of(place) {
                if !there.contains(&writing.mark)
                    && !writing.void
                    && (!writing.lost || writing.promised)
                    && !self.is_out_of_reach(writing)
                {
                    let told = if writing.promised { ", although a receipt says so" } else { "" };
                    let by = self.devices.iter().find(|device| device.key == writing.by);
                    missing.push(format!(
                        "{} {:?}={:?} ({:?} of {}) is not at the relay{told}",
                        place.2,
                        writing.field,
                        writing.value,
                        writing.mark,
                        by.map_or("nobody", |device| &device.name)
                    ));
                }
            }
        }
        if let Some(first) = missing.first() {
            let what = format!("{first} ({} in all)", missing.len());
            self.fail(Wrong::Lost, what);
        }
    }

    /// Nobody has put everything that others write behind what he wrote.
    fn check_order(&mut self) {
        for who in 0..self.devices.len() {
            let Some(replica) = self.devices[who].replica().cloned() else { continue };
            for scope in replica.scopes() {
                let next = replica.next_lamport(&scope);
                if next > LAMPORT_MAX {
                    let what = format!("{}: the next Lamport number in {scope} is {next}", self.name(who));
                    self.fail(Wrong::Order, what);
                }
            }
        }
    }

    /// No byte of a scope is on a disk whose post does not hold it.
    fn check_isolation(&mut self) {
        for who in 1..self.devices.len() {
            let device = &self.devices[who];
            if device.post != Post::Worker {
                continue;
            }
            let held: BTreeSet<Scope>;
            let granted = match device.replica() {
                Some(replica) if self.is_moved(who) => {
                    held = replica.scopes().into_iter().collect();
                    &held
                }
                _ => &device.granted,
            };
            let units = granted.iter().filter(|scope| !matches!(scope, Scope::Street)).count();
            let foreign: Vec<Vec<u8>> = (0..self.plan.grids)
                .map(crate::street::grid)
                .filter(|grid| !granted.contains(grid))
                .map(|grid| tag(&grid).into_bytes())
                .collect();
            let mut leak = (units > 1 && !self.is_moved(who)).then(|| format!("it was granted {granted:?}"));
            for (key, value) in device.disk.entries() {
                let scope = scope_of(&key);
                if scope.as_ref().is_some_and(|scope| !granted.contains(scope)) {
                    leak = Some(format!("key {} is of {scope:?}", key.escape_ascii()));
                }
                if foreign.iter().any(|tag| value.windows(tag.len()).any(|part| part == tag.as_slice())) {
                    leak = Some(format!("key {} holds text of another grid", key.escape_ascii()));
                }
            }
            if let Some(leak) = leak {
                let what = format!("{}: {leak}", device.name);
                self.fail(Wrong::Leak, what);
            }
        }
    }
}

/// In which documents of a scope a device and the relay hold different changes.
fn apart(here: &Replica, there: &Replica, scope: &Scope) -> String {
    let mut apart = Vec::new();
    for spec in kinds() {
        let mut documents = BTreeSet::new();
        for replica in [here, there] {
            let _unread = replica.each(scope, spec.kind, |view| {
                documents.insert(view.id);
                true
            });
        }
        for doc in documents {
            let changes = |replica: &Replica| -> BTreeSet<Mark> {
                replica.origins(scope, spec.kind, &doc).unwrap_or_default().iter().map(mark).collect()
            };
            let (here, there) = (changes(here), changes(there));
            let at = |changes: Vec<&Mark>| -> String {
                changes.iter().map(|(log, seq, _)| format!(" {log:?} {seq}")).collect()
            };
            if here != there {
                let more = at(here.difference(&there).collect());
                let less = at(there.difference(&here).collect());
                apart.push(format!("{} {doc} has besides{more} and lacks{less}", spec.name));
            }
        }
    }
    apart.join("; ")
}

/// The scope that a key of the store names: after its first byte, before a zero.
fn scope_of(key: &[u8]) -> Option<Scope> {
    let name = key.get(1..)?.split(|byte| *byte == 0).next()?;
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The texts of a case's events.
fn events(view: &DocumentView) -> Vec<String> {
    let Some(events) = view.histories.get("events") else { return Vec::new() };
    events.iter().filter_map(|event| text_of(&event.value)).collect()
}

pub(super) fn text_of(value: &Scalar) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&value.to_text()).ok()?;
    Some(json.get("text")?.as_str()?.to_owned())
}
