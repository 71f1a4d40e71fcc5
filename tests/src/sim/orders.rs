//! What the centre orders: devices that are cut off, residents that are erased.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::identity::{ReplicaId, Scope};
use wangge_model::roster::Standing;
use wangge_model::schema::Kind;
use wangge_model::verdict::VoidReason;
use wangge_node::command::roster::{AssignArgs, LeaveArgs, RevokeArgs, RosterCommand, execute};
use wangge_node::replica::Replica;
use wangge_relay::Due;
use wangge_store::Disk;

use super::Wrong;
use super::action::Who;
use super::device::Post;
use super::model::{Mark, Place, Writing, mark};
use super::town::Town;
use crate::street::grid;

impl Town {
    pub(super) fn is_revoked(&self, who: Who) -> bool {
        self.devices[who].key.is_some_and(|key| self.model.revoked.contains(&key))
    }

    /// Cuts a device off. From then on only what the relay had before counts.
    pub(super) fn revoke(&mut self, who: Who) -> Option<()> {
        let key = self.devices[who].key?;
        // What a copied or restored device wrote lies in branches whose names the model does not know.
        let alike = self.devices.iter().filter(|device| device.key == Some(key)).count();
        if who == 0 || alike > 1 || self.devices[who].restored || self.is_revoked(who) {
            return None;
        }
        self.devices[0].process.as_ref()?;
        if self.relay_restored {
            // What the earlier relay had decided may come back later than this.
            return None;
        }
        self.decide();
        let relay = self.devices[0].replica()?.clone();
        if self.failure.is_some() || self.devices[0].disk.is_poisoned() || !relay.undecided().is_empty() {
            return None;
        }
        let args =
            RevokeArgs { replica: Some(key.to_string()), reason: "遗失".to_owned(), ..Default::default() };
        let ordered = execute(&relay, &RosterCommand::Revoke(args));
        self.disturb(0);
        if !self.devices[0].disk.is_alive() || self.devices[0].disk.is_poisoned() {
            // The disk will tell whether it was written.
            self.unsure_cuts.push(key);
            return None;
        }
        if let Err(error) = ordered {
            self.say(|_| format!("nobody is cut off: {}", error.message.lines().last().unwrap_or_default()));
            // It may have been cut short: the disk had room for the roster and for nothing after it.
            self.unsure_cuts.push(key);
            self.resolve_cuts();
            return None;
        }
        self.cut_off(key);
        Some(())
    }

    fn cut_off(&mut self, key: ReplicaId) {
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        let mut there = BTreeMap::new();
        for place in self.model.places() {
            there.insert(place.clone(), self.marks(&relay, place));
        }
        self.model.revoke(key, |writing| {
            there.get(&writing.place).is_some_and(|marks| marks.contains(&writing.mark))
        });
    }

    /// Whether the worker of a device was moved to another unit.
    pub(super) fn is_moved(&self, who: Who) -> bool {
        self.devices[who].key.is_some_and(|key| self.model.moved.contains(&key))
    }

    /// Moves the worker of a device to another grid.
    pub(super) fn reassign(&mut self, who: Who, to: u32) -> Option<()> {
        let key = self.devices[who].key?;
        let alike = self.devices.iter().filter(|device| device.key == Some(key)).count();
        let device = &self.devices[who];
        if device.post != Post::Worker || alike > 1 || device.restored || self.is_revoked(who) {
            return None;
        }
        self.devices[0].process.as_ref()?;
        if self.relay_restored || self.plan.grids < 2 {
            return None;
        }
        self.decide();
        let relay = self.devices[0].replica()?.clone();
        if self.failure.is_some() || self.devices[0].disk.is_poisoned() {
            return None;
        }
        let roster = relay.roster().ok()?;
        let worker = roster.replicas().get(&key)?.worker?;
        let now_ms = relay.now_ms();
        let post = roster.workers().get(&worker)?.posts().find(|post| post.term.holds_at(now_ms))?;
        let others = (0..self.plan.grids).map(grid).filter(|unit| *unit != post.unit);
        let unit = others.clone().nth(to as usize % others.count().max(1))?;
        let (name, role) = (worker.to_string(), post.role.name().to_owned());
        let assign = AssignArgs {
            worker: name.clone(),
            role: Some(role.clone()),
            unit: Some(unit.to_string()),
            ..Default::default()
        };
        let leave = LeaveArgs {
            worker: Some(name),
            role: Some(role),
            unit: Some(post.unit.to_string()),
            ..Default::default()
        };
        let assigned = execute(&relay, &RosterCommand::Assign(assign));
        if let Err(error) = assigned {
            // Where the disk failed or was full meanwhile he has the second post or not.
            let disk = &self.devices[0].disk;
            if !disk.is_alive() || disk.is_poisoned() || error.message.contains("disk is full") {
                self.model.note_move(key);
                self.devices[who].granted.insert(unit);
            }
            self.disturb(0);
            self.say(|_| format!("nobody is moved: {}", error.message.lines().last().unwrap_or_default()));
            return None;
        }
        self.model.note_move(key);
        let left = execute(&relay, &RosterCommand::Leave(leave));
        if let Err(error) = &left {
            self.say(|_| format!("nobody leaves: {}", error.message.lines().last().unwrap_or_default()));
        }
        self.disturb(0);
        // Where the disk failed or was full meanwhile he has left or not: either way the centre decides.
        let is_full = left.as_ref().is_err_and(|error| error.message.contains("disk is full"));
        let unsure = is_full || !self.devices[0].disk.is_alive() || self.devices[0].disk.is_poisoned();
        if left.is_ok() || unsure {
            let there: BTreeMap<Place, BTreeSet<Mark>> =
                self.model.places().map(|place| (place.clone(), self.marks(&relay, place))).collect();
            let is_there = |writing: &Writing| {
                there.get(&writing.place).is_some_and(|marks| marks.contains(&writing.mark))
            };
            self.model.leave(key, &post.unit, is_there);
        }
        // A worker who comes back writes as anybody does.
        self.model.left.remove(&(key, unit.clone()));
        self.devices[who].granted.insert(unit);
        Some(())
    }

    /// What the centre has decided about what came from workers after they had been moved.
    pub(super) fn resolve_doubts(&mut self) {
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        let clocks = relay.clocks();
        for id in 0..self.model.writings.len() {
            let writing = self.model.writings[id].clone();
            if !writing.doubtful {
                continue;
            }
            let (scope, (log, seq, _)) = (&writing.place.0, writing.mark);
            let counts = self.counting(&relay, &writing.place).contains(&writing.mark);
            let held = clocks.get(scope).map_or(0, |(clock, _)| clock.len_of(&log)) >= seq;
            let reason = relay.void_reason(scope, &log, seq);
            self.model.writings[id].doubtful = false;
            if counts || !held {
                continue;
            }
            self.model.writings[id].void = true;
            let is_due = reason.is_some_and(|reason| {
                use VoidReason::{PastGrace, PostEnded, PostNotYet, Revoked, ScopeNotHeld};
                matches!(reason, PastGrace | PostEnded | PostNotYet | Revoked | ScopeNotHeld)
            });
            if !is_due && !self.model.erased.contains_key(&writing.place) {
                let what = format!("{:?} of somebody who was moved is void: {reason:?}", writing.value);
                self.fail(Wrong::Cut, what);
            }
        }
    }

    /// Whoever was moved holds what his new post gives him, and nothing else.
    pub(super) fn check_moves(&mut self) {
        for what in self.misheld() {
            self.fail(Wrong::Leak, what);
        }
    }

    /// Whose workers were moved and hold something else than they are due by now.
    pub(super) fn misheld(&self) -> Vec<String> {
        let process = self.devices[0].process.as_ref();
        let Some(roster) = process.and_then(|process| process.roster.as_ref()) else { return Vec::new() };
        let mut misheld = Vec::new();
        for who in 1..self.devices.len() {
            let Some(replica) = self.devices[who].replica() else { continue };
            if !self.is_moved(who) || self.is_revoked(who) || self.is_unknown(who) {
                continue;
            }
            let held: BTreeSet<Scope> = replica.scopes().into_iter().collect();
            match roster.due(&replica.profile().replica()) {
                Ok(Due::Scopes(due)) if due == held => {}
                due => misheld.push(format!("{} holds {held:?}; it is due {due:?}", self.name(who))),
            }
        }
        misheld
    }

    /// What was ordered when the relay lost its power or its disk refused holds, or it does not: the roster says.
    pub(super) fn resolve_cuts(&mut self) {
        let unsure = std::mem::take(&mut self.unsure_cuts);
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        for key in unsure {
            let roster = relay.roster();
            let entry = roster.as_ref().ok().and_then(|roster| roster.replicas().get(&key));
            if entry.is_some_and(|entry| entry.standing == Standing::Revoked) {
                self.cut_off(key);
            }
        }
    }

    /// A device has destroyed what it held, by order. All that it had is at the centre.
    pub(super) fn wiped(&mut self, who: Who) {
        self.say(|town| format!("{} has destroyed what it held", town.name(who)));
        if !self.is_revoked(who) {
            let what = format!("{} destroyed what it held and was not to", self.name(who));
            self.fail(Wrong::Lost, what);
        }
        let (key, relay) = (self.devices[who].key, self.devices[0].replica().cloned());
        let damage = self.devices[who].damage.take();
        if let Some(relay) = relay {
            self.lose_damaged(&relay, damage.map(|damage| damage.held).unwrap_or_default());
            let clocks = relay.clocks();
            let missing = self.model.writings.iter().find(|writing| {
                let held = clocks.get(&writing.place.0).map_or(0, |(clock, _)| clock.len_of(&writing.mark.0));
                writing.by == key
                    && !writing.lost
                    && !self.model.erased.contains_key(&writing.place)
                    && held < writing.mark.1
            });
            if let Some(missing) = missing {
                let what = format!("{} was destroyed with {:?} unsent", self.name(who), missing.value);
                self.fail(Wrong::Lost, what);
            }
        }
        self.devices[who].gone = true;
        self.devices[who].kill();
        self.devices[who].disk = Disk::new();
    }

    /// Orders that a resident be erased everywhere.
    pub(super) fn erase(&mut self, nth: u32) -> Option<()> {
        let relay = self.devices[0].replica()?.clone();
        if self.relay_restored || self.devices[0].disk.is_poisoned() || relay.apply().is_err() {
            self.disturb(0);
            return None;
        }
        let known: Vec<Place> = self
            .model
            .places()
            .filter(|place| place.1 == Kind::PERSON && !self.model.erased.contains_key(*place))
            .filter(|(scope, kind, doc)| relay.get(scope, *kind, doc).is_ok_and(|view| view.is_some()))
            .cloned()
            .collect();
        let place = known.get(nth as usize % known.len().max(1))?.clone();
        let ordered = relay.order_erasure(&place.0, place.1, &place.2, "到期");
        self.disturb(0);
        if let Err(error) = &ordered {
            self.say(|_| format!("nothing is erased: {error}"));
        }
        // Where the disk failed meanwhile the order may stand or not.
        let unsure = !self.devices[0].disk.is_alive() || self.devices[0].disk.is_poisoned();
        if ordered.is_ok() || unsure {
            self.model.erased.insert(place, !unsure);
        }
        Some(())
    }

    /// What was ordered to be erased is gone from every device, and the centre has been told so.
    pub(super) fn check_erased(&mut self) {
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        let Ok(orders) = relay.erasure_orders() else { return };
        for (place, _) in self.model.erased.clone().into_iter().filter(|(_, stands)| *stands) {
            let order = orders.iter().find(|order| order.document == place.2);
            let Some(order) = order.filter(|order| order.counts) else {
                self.fail(Wrong::Erased, format!("the order to erase {} does not count", place.2));
                continue;
            };
            let told = relay.erasure_reports(order).unwrap_or_default();
            for who in 0..self.devices.len() {
                let Some(replica) = self.devices[who].replica().cloned() else { continue };
                // Whom the relay, put back to a backup, does not know hears of nothing.
                if self.is_revoked(who) || self.is_unknown(who) || !replica.scopes().contains(&place.0) {
                    continue;
                }
                let shown = replica.get(&place.0, place.1, &place.2);
                if !replica.is_erased(&place.2) || !matches!(shown, Ok(None)) {
                    let what = format!("{} still has {}", self.name(who), place.2);
                    self.fail(Wrong::Erased, what);
                }
                // Whose worker has left the unit writes nothing there until he is back.
                let has_left = |key| self.model.left.contains(&(key, place.0.clone()));
                if self.devices[who].key.is_some_and(has_left) {
                    continue;
                }
                if !told.iter().any(|(key, _)| self.devices[who].key == Some(*key)) {
                    let what = format!("{} has erased {} and nobody knows", self.name(who), place.2);
                    self.fail(Wrong::Erased, what);
                }
            }
        }
    }

    /// The changes of a document that count, as far as this replica knows.
    pub(super) fn counting(&self, replica: &Replica, (scope, kind, doc): &Place) -> BTreeSet<Mark> {
        let changes = replica.changes_of(scope, *kind, doc).unwrap_or_default();
        changes.iter().filter(|change| !change.void).map(|change| mark(&change.origin)).collect()
    }

    /// At the centre nothing counts that was written by a device that was cut off, unless it was there before,
    /// and what was there before does; and a device that came back has destroyed what it held.
    pub(super) fn check_cuts(&mut self) {
        let Some(relay) = self.devices[0].replica().cloned() else { return };
        let mut wrong = None;
        for writing in &self.model.writings {
            if !writing.by.is_some_and(|by| self.model.revoked.contains(&by))
                || writing.lost
                || self.model.erased.contains_key(&writing.place)
            {
                continue;
            }
            let counts = self.counting(&relay, &writing.place).contains(&writing.mark);
            if counts == writing.void {
                wrong = Some(format!(
                    "{} {:?}={:?} of a device that was cut off {} at the centre",
                    writing.place.2,
                    writing.field,
                    writing.value,
                    if counts { "counts" } else { "does not count" }
                ));
            }
        }
        let roster = self.devices[0].process.as_ref().and_then(|process| process.roster.clone());
        for device in &self.devices {
            let is_here = !device.gone && device.key.is_some_and(|key| self.model.revoked.contains(&key));
            let wiped = device.key.zip(roster.as_ref()).is_some_and(|(key, roster)| roster.is_wiped(&key));
            if is_here && !wiped {
                wrong = Some(format!("{} was cut off and nobody had it destroyed", device.name));
            }
        }
        if let Some(what) = wrong {
            self.fail(Wrong::Cut, what);
        }
    }
}
