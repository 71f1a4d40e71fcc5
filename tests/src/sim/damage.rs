//! Bits that flip on a disk: what is stored is examined and healed from what is here or at a peer, or it is named.

use std::collections::{BTreeMap, BTreeSet};

use wangge_node::replica::{Finding, Outcome, Replica};

use super::Wrong;
use super::action::Who;
use super::checks::text_of;
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
        let mut held = self.held_by(&device.disk);
        held.extend(device.damage.iter().flat_map(|damage| &damage.held));
        let is_named = device.damage.as_ref().is_some_and(|damage| damage.is_named);
        let key = self.devices[who].disk.flip(nth as usize)?;
        self.say(|_| format!("  a bit of {}", key.escape_ascii()));
        self.devices[who].damage = Some(Damage { held, is_named, is_over: false });
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
    }

    fn hear(&mut self, who: Who, findings: &[Finding]) {
        for found in findings {
            self.say(|town| {
                format!("{}: {:?} {:?}: {}", town.name(who), found.outcome, found.what, found.reason)
            });
        }
        if let Some(damage) = &mut self.devices[who].damage {
            damage.is_named |= findings.iter().any(|found| found.outcome == Outcome::Lost);
        }
    }

    /// Work that nobody else had and whose transaction was damaged is written once more: from now on another
    /// change carries it.
    fn follow_reissued(&mut self, who: Who, replica: &Replica, before: &BTreeMap<Place, BTreeSet<Mark>>) {
        let key = self.devices[who].key;
        for (place, earlier) in before {
            let now = self.marks(replica, place);
            let known: BTreeSet<Mark> = self.model.of(place).map(|(_, writing)| writing.mark).collect();
            let mut new = now.difference(earlier).filter(|mark| !known.contains(*mark));
            let (Some(mark), None) = (new.next().copied(), new.next()) else { continue };
            let Ok(Some(view)) = replica.get(&place.0, place.1, &place.2) else { continue };
            let gone: Vec<usize> = self
                .model
                .of(place)
                .filter(|(_, writing)| writing.by == key && !now.contains(&writing.mark))
                .map(|(id, _)| id)
                .collect();
            for id in gone {
                let writing = &self.model.writings[id];
                let said = match &writing.field {
                    Some(field) => match &writing.value {
                        Some(value) => view.texts(field).contains(value),
                        None => view.text(field).is_empty(),
                    },
                    None => view
                        .histories
                        .get("events")
                        .into_iter()
                        .flatten()
                        .any(|event| text_of(&event.value) == writing.value),
                };
                let writing = &mut self.model.writings[id];
                match said {
                    true => writing.mark = mark,
                    // Something replaced it before anybody else saw it.
                    false => writing.lost = true,
                }
            }
        }
    }

    /// At the end everything is whole again, or what is not was named; only what was named may be missing.
    pub(super) fn resolve_damage(&mut self) {
        for who in 0..self.devices.len() {
            let Some(damage) = &self.devices[who].damage else { continue };
            let (held, is_named) = (damage.held.clone(), damage.is_named);
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
                for id in held {
                    let (place, mark) = (self.model.writings[id].place.clone(), self.model.writings[id].mark);
                    if !self.marks(&relay, &place).contains(&mark) && !self.model.writings[id].lost {
                        self.model.writings[id].lost = true;
                        self.counts.lost += 1;
                    }
                }
            }
        }
    }
}
