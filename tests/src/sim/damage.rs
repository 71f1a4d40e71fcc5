//! Bits that flip on a disk: what is stored is examined and healed from what is here or at a peer, or it is named.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::identity::LogId;
use wangge_node::replica::{Finding, Outcome, Replica};

use super::Wrong;
use super::action::Who;
use super::device::Damage;
use super::model::{Mark, Place};
use super::town::Town;

impl Town {
    /// Flips a bit of something that a device stores. Another one only once that is healed or named.
    pub(super) fn flip(&mut self, who: Who, nth: u32) -> Option<()> {
        let device = &self.devices[who];
        if device.gone || device.is_damaged() || self.is_revoked(who) {
            return None;
        }
        let (mut held, _) = self.held_by(&device.disk);
        held.extend(device.damage.iter().flat_map(|damage| &damage.held));
        let is_named = device.damage.as_ref().is_some_and(|damage| damage.is_named);
        let waiting = device.damage.as_ref().map(|damage| damage.waiting.clone()).unwrap_or_default();
        let key = self.devices[who].disk.flip(nth as usize)?;
        self.say(|_| format!("  a bit of {}", key.escape_ascii()));
        self.devices[who].damage = Some(Damage { held, is_named, is_over: false, waiting });
        Some(())
    }

    /// Examines what a device stores, and mends it.
    pub(super) fn examine(&mut self, who: Who) -> Option<()> {
        let replica = self.devices[who].replica()?.clone();
        if self.devices[who].disk.is_poisoned() {
            return None;
        }
        let before: BTreeMap<Place, BTreeSet<Mark>> =
            self.model.places().map(|place| (place.clone(), self.marks(&replica, place))).collect();
        let mended = replica.mend();
        self.disturb(who);
        let checkup = match mended {
            Ok(checkup) => checkup,
            Err(error) => {
                self.excuse(who, "mend", &error);
                if let Some(damage) = &mut self.devices[who].damage {
                    // What it has begun is carried on at the next start.
                    for (place, marks) in before {
                        damage.waiting.entry(place).or_insert(marks);
                    }
                }
                return None;
            }
        };
        if !checkup.is_healthy() && self.devices[who].damage.is_none() {
            let what = format!("{}: damage that nothing has done: {:?}", self.name(who), checkup.findings);
            self.fail(Wrong::Damage, what);
        }
        self.hear(who, &checkup.findings);
        self.follow_reissued(who, &replica, &before);
        if checkup.findings.iter().all(|found| found.outcome == Outcome::Lost)
            && let Some(damage) = &mut self.devices[who].damage
        {
            damage.is_over = true;
        }
        Some(())
    }

    /// After a start: what was damaged then.
    pub(super) fn hear_of_damage(&mut self, who: Who) {
        let Some(replica) = self.devices[who].replica().cloned() else { return };
        let findings = replica.take_salvaged();
        self.hear(who, &findings);
        // What could not be written once more with the examination is written at a start.
        let waiting = self.devices[who].damage.iter().flat_map(|damage| damage.waiting.keys());
        let now = waiting.map(|place| (place.clone(), self.marks(&replica, place))).collect();
        self.follow_reissued(who, &replica, &now);
    }

    fn hear(&mut self, who: Who, findings: &[Finding]) {
        for found in findings {
            self.say(|town| format!("{}: {found:?}", town.name(who)));
        }
        if let Some(damage) = &mut self.devices[who].damage {
            damage.is_named |= findings.iter().any(|found| found.outcome == Outcome::Lost);
        }
    }

    /// Work that nobody else had and whose transaction was damaged is written once more, transaction by transaction:
    /// from now on other changes carry it.
    fn follow_reissued(&mut self, who: Who, replica: &Replica, before: &BTreeMap<Place, BTreeSet<Mark>>) {
        let (key, relay) = (self.devices[who].key, self.devices[0].replica().cloned());
        let his: BTreeSet<LogId> = self
            .model
            .writings
            .iter()
            .filter(|writing| writing.by == key)
            .map(|writing| writing.mark.0)
            .collect();
        let mut moved: BTreeMap<(Place, Mark), Mark> = BTreeMap::new();
        let mut waiting = BTreeMap::new();
        let waited = self.devices[who].damage.as_mut().map(|damage| std::mem::take(&mut damage.waiting));
        let waited = waited.unwrap_or_default();
        for (place, earlier) in before {
            let now = self.marks(replica, place);
            let known: BTreeSet<Mark> = self.model.of(place).map(|(_, writing)| writing.mark).collect();
            let in_order = |marks: BTreeSet<Mark>| {
                let mut marks: Vec<Mark> = marks.into_iter().collect();
                marks.sort_by_key(|(_, seq, _)| *seq);
                marks
            };
            let own = replica.own_ends(&place.0);
            // What was written once more since the wait began is new, whatever else came meanwhile.
            let held = waited.get(place).unwrap_or(earlier);
            let is_new = |mark: &&Mark| !known.contains(*mark) && own.contains_key(&mark.0);
            let new = in_order(now.difference(held).filter(is_new).copied().collect());
            // A command may write more than what the worker typed: a clerk who reports a case registers it.
            let gone = earlier.union(held).filter(|mark| !now.contains(*mark) && his.contains(&mark.0));
            let gone: BTreeSet<Mark> = gone.copied().collect();
            if gone.len() == new.len() {
                let pairs = in_order(gone).into_iter().zip(new);
                // A device that was cut off hears no more what the centre has: there it stands under its first mark.
                let there = relay.as_ref().map(|relay| self.marks(relay, place)).unwrap_or_default();
                let pairs = pairs.filter(|(mark, _)| !self.is_revoked(who) || !there.contains(mark));
                moved.extend(pairs.map(|(mark, again)| ((place.clone(), mark), again)));
            } else if !gone.is_empty() {
                // What waits for a peer is gone for now, and nothing says it once more yet.
                waiting.insert(place.clone(), held.clone());
            }
        }
        if let Some(damage) = &mut self.devices[who].damage {
            damage.waiting = waiting;
        }
        for writing in &mut self.model.writings {
            if let Some(mark) = moved.get(&(writing.place.clone(), writing.mark)) {
                writing.mark = *mark;
            }
        }
        for (place, mark) in self.model.together.iter_mut().flatten() {
            if let Some(again) = moved.get(&(place.clone(), *mark)) {
                *mark = *again;
            }
        }
    }

    /// At the end everything is whole again, or what is not was named; only what was named may be missing.
    pub(super) fn resolve_damage(&mut self) {
        for who in 0..self.devices.len() {
            let Some(damage) = &self.devices[who].damage else { continue };
            // Whom the relay gives nothing cannot be healed.
            let (held, is_named) = (damage.held.clone(), damage.is_named || self.is_unknown(who));
            if let Some(replica) = self.devices[who].replica().cloned() {
                match replica.examine() {
                    Ok(checkup) if checkup.is_healthy() || is_named => {}
                    Ok(checkup) => {
                        let what = format!("{} is not healed: {:?}", self.name(who), checkup.findings);
                        self.fail(Wrong::Damage, what);
                    }
                    Err(error) => self.excuse(who, "examine", &error),
                }
            }
            if let (true, Some(relay)) = (is_named, self.devices[0].replica().cloned()) {
                self.lose_damaged(&relay, held);
            }
        }
    }

    /// Of what a damaged disk held, the damage may have taken what the relay does not have.
    pub(super) fn lose_damaged(&mut self, relay: &Replica, held: BTreeSet<usize>) {
        for id in held {
            let (place, mark) = (self.model.writings[id].place.clone(), self.model.writings[id].mark);
            if !self.marks(relay, &place).contains(&mark) && !self.model.writings[id].lost {
                self.model.writings[id].lost = true;
                self.counts.lost += 1;
            }
        }
    }
}
