//! Who gets in: replicas of the roster, and whoever shows an invitation.

use std::collections::BTreeSet;

use wangge_model::audit::{Entry, What};
use wangge_model::enrolment::{Grant, SignedEnrolment};
use wangge_model::identity::{ReplicaId, Scope};
use wangge_model::wipe::{SignedOrder, SignedReceipt};
use wangge_model::wire::{Join, Joined};
use wangge_node::net::{Gate, NO_POST, record_refusal};

use crate::backup::resume;
use crate::decide::judge_now;
use crate::roster::{Due, Roster};

const REVOKED: &str = "the centre has revoked this device / 此设备已被社管中心注销";

impl Gate for Roster {
    fn meet(&self, peer: &ReplicaId, named: &BTreeSet<Scope>) {
        // Whoever comes meets the roster as it was last changed, not as it was when the relay last wrote verdicts.
        if self.replica().awaits_decision(&Scope::Street)
            && let Err(error) = judge_now(self.replica())
        {
            tracing::error!(%error, "what arrived cannot be decided");
        }
        if let Err(error) = Self::meet(self, peer, named) {
            tracing::error!(%peer, %error, "what a replica was handed cannot be read");
        }
    }

    fn admit(&self, peer: &ReplicaId, _: Option<&SignedEnrolment>) -> Result<BTreeSet<Scope>, String> {
        match self.due(peer) {
            Ok(Due::Scopes(scopes)) => Ok(scopes),
            Ok(Due::Unknown) => {
                Err("the centre does not know this device: join with an invitation / 中心没有这台设备的登记"
                    .to_owned())
            }
            // It hands over what it has and is told what the centre has for it.
            Ok(Due::Revoked) if !self.is_wiped(peer) => Ok(BTreeSet::new()),
            Ok(Due::Revoked) => Err(REVOKED.to_owned()),
            Ok(Due::Nothing) if !self.lost(peer).is_empty() => Ok(BTreeSet::new()),
            Ok(Due::Nothing) => Err(NO_POST.to_owned()),
            Err(error) => {
                tracing::error!(%peer, %error, "the roster cannot be read");
                Err("the relay cannot read its roster".to_owned())
            }
        }
    }

    fn lost(&self, peer: &ReplicaId) -> BTreeSet<Scope> {
        if matches!(self.due(peer), Ok(Due::Revoked)) {
            // Whatever it has is taken: its disk may be older than what it was handed last.
            return self.replica().scopes().into_iter().collect();
        }
        match self.enrolled(peer) {
            Ok(Some(handed)) => handed.held(),
            Ok(None) => BTreeSet::new(),
            Err(error) => {
                tracing::error!(%peer, %error, "what a replica was handed cannot be read");
                BTreeSet::new()
            }
        }
    }

    fn room_len_bytes(&self, peer: &ReplicaId) -> Option<u64> {
        match Self::room_len_bytes(self, peer) {
            Ok(room) => room,
            Err(error) => {
                tracing::error!(%peer, %error, "the quarantine cannot be measured");
                Some(0)
            }
        }
    }

    fn order(&self, peer: &ReplicaId) -> Option<SignedOrder> {
        Self::order(self, peer).unwrap_or_else(|error| {
            tracing::error!(%peer, %error, "an order to wipe cannot be given");
            None
        })
    }

    fn wiped(&self, peer: &ReplicaId, order: &SignedOrder, receipt: &SignedReceipt) {
        if let Err(error) = Self::wiped(self, peer, order, receipt) {
            tracing::error!(%peer, %error, "the receipt for an order to wipe cannot be kept");
        }
    }

    fn join(&self, peer: &ReplicaId, join: &Join) -> Joined {
        let answer = Self::join(self, peer, join).unwrap_or_else(|error| {
            tracing::error!(%peer, %error, "an invitation cannot be answered");
            Joined::Refused(
                "the relay cannot answer now: try again later / 中心暂时无法处理,请稍后再试".to_owned(),
            )
        });
        let entry = match &answer {
            Joined::Granted(grant) => Entry::new(What::JOINED).because(&grant.worker_name),
            Joined::Seated(_, seat) => Entry::new(What::JOINED).because(&seat.name),
            Joined::Refused(reason) => Entry::new(What::JOIN_REFUSED).because(reason),
        };
        let entry = entry.detail(&format!("invitation {}, device {peer}", join.number));
        if let Err(error) = self.replica().audit(entry) {
            tracing::error!(%peer, %error, "the audit cannot be written");
        }
        answer
    }

    fn changed_grant(&self, peer: &ReplicaId) -> Option<Grant> {
        self.changed(peer).unwrap_or_else(|error| {
            tracing::error!(%peer, %error, "a changed enrolment cannot be read");
            None
        })
    }

    fn grant_kept(&self, peer: &ReplicaId) {
        if let Err(error) = self.kept(peer) {
            tracing::error!(%peer, %error, "a kept enrolment cannot be noted");
        }
    }

    fn serves(&self, peer: &ReplicaId) -> bool {
        !self.replica().awaits_street() || self.is_of_centre(peer)
    }

    fn in_sync(&self, peer: &ReplicaId) {
        if self.replica().awaits_street() && self.is_of_centre(peer) {
            let resumed = self
                .replica()
                .apply()
                .and_then(|_| resume(self, &format!("device {peer} of the centre has brought the roster")));
            if let Err(error) = resumed {
                tracing::error!(%peer, %error, "the restored relay cannot go on");
            }
        }
    }

    fn refused(&self, who: &str, reason: &str) {
        record_refusal(self.replica(), who, reason);
    }
}
