//! The centre's own machine: it is backed up, lost, and put back.

use wangge_node::replica::Replica;
use wangge_relay::{Due, backup};
use wangge_store::{Disk, Image};

use super::Wrong;
use super::action::Who;
use super::model::{Place, Writing};
use super::town::Town;

/// A backup of the relay.
#[derive(Debug)]
pub(super) struct RelayBackup {
    image: Image,
    number: u32,
    made_ms: u64,
    /// How many devices were cut off then.
    revoked: usize,
    /// And how often workers had been moved.
    moved: usize,
}

impl Town {
    pub(super) fn back_up_relay(&mut self) -> Option<()> {
        let relay = self.devices[0].replica()?.clone();
        if self.devices[0].disk.is_poisoned() || relay.awaits_street() {
            return None;
        }
        let number = self.relay_backup.as_ref().map_or(1, |backup| backup.number + 1);
        let ends = backup::ends(&relay);
        let image = self.devices[0].disk.durable_image();
        let (revoked, moved) = (self.model.revoked.len(), self.model.moves);
        self.relay_backup = Some(RelayBackup { image, number, made_ms: relay.now_ms(), revoked, moved });
        let noted = backup::note(&relay, &ends);
        self.disturb(0);
        if let Err(error) = noted {
            self.say(|_| format!("the backup is not noted: {error}"));
        }
        Some(())
    }

    pub(super) fn restore_relay(&mut self) -> Option<()> {
        // Without a centre's device nobody brings the roster back; who was cut off since is not known to the backup.
        let clerk = (1..self.devices.len()).any(|who| {
            self.devices[who].post == super::device::Post::Clerk
                && !self.devices[who].gone
                && !self.is_revoked(who)
        });
        let backup = self.relay_backup.as_ref()?;
        let is_known = backup.revoked == self.model.revoked.len() && backup.moved == self.model.moves;
        if !clerk || !is_known {
            return None;
        }
        let (disk, number, made_ms) = (Disk::of(&backup.image), backup.number, backup.made_ms);
        self.count_losses(0, Some(&disk));
        let (there, _) = self.held_by(&disk);
        for (id, writing) in self.model.writings.iter_mut().enumerate() {
            // "At the centre" was true, and the centre is gone. "Backed up" is for this.
            writing.promised &= writing.backed || there.contains(&id);
        }
        self.replace_disk(0, disk);
        let device = &self.devices[0];
        let begun = device.open().and_then(|relay| {
            backup::begin_again(&relay, number, made_ms)?;
            relay.close();
            Ok(())
        });
        if let Err(error) = begun {
            self.fail(Wrong::Start, format!("the relay cannot begin again: {error}"));
            return None;
        }
        self.relay_restored = true;
        self.start(0);
        Some(())
    }

    /// A person says that the restored relay may go on, where no device of the centre could.
    pub(super) fn resume_relay(&mut self) {
        let Some(roster) = self.devices[0].process.as_ref().and_then(|process| process.roster.clone()) else {
            return;
        };
        if roster.replica().awaits_street()
            && let Err(error) = backup::resume(&roster, "a person says so")
        {
            self.excuse(0, "resume", &error);
        }
        self.disturb(0);
    }

    /// Whether the relay, put back to a backup, does not know a device: it joined since and nobody has told.
    pub(super) fn is_unknown(&self, who: Who) -> bool {
        let roster = self.devices[0].process.as_ref().and_then(|process| process.roster.as_ref());
        let (Some(roster), Some(key), true) = (roster, self.devices[who].key, who > 0) else { return false };
        self.relay_restored && matches!(roster.due(&key), Ok(Due::Unknown))
    }

    /// Whether only devices that the relay does not know could bring a writing back.
    pub(super) fn is_out_of_reach(&self, writing: &Writing) -> bool {
        self.relay_restored
            && (1..self.devices.len()).filter(|who| self.is_unknown(*who)).any(|who| {
                self.devices[who].key == writing.by
                    || self.devices[who]
                        .replica()
                        .is_some_and(|replica| self.marks(replica, &writing.place).contains(&writing.mark))
            })
    }

    /// Whether a device cannot know that the relay was put back: it has not heard of it since.
    pub(super) fn trusts_lost_centre(&self, who: Who, replica: &Replica, place: &Place) -> bool {
        let may_hear = self.settling && !self.is_unknown(who);
        self.relay_restored && !may_hear && !replica.is_centre_put_back(&place.0).unwrap_or(false)
    }

    /// Whether the relay holds a writing in its logs, where it may not let it take effect yet.
    pub(super) fn is_in_relays_logs(&self, writing: &Writing) -> bool {
        let Some(relay) = self.devices[0].replica() else { return false };
        let clocks = relay.clocks();
        let held = clocks.get(&writing.place.0).map_or(0, |(clock, _)| clock.len_of(&writing.mark.0));
        // Or what a newer program wrote waits there.
        (relay.awaits_street() || self.devices[0].world.is_older()) && held >= writing.mark.1
    }
}
