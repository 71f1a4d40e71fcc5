//! Copying the audit for its administrators (审计管理员): whatever the chain holds beyond the copy goes, a batch at a
//! time, into documents of the scope `audit`. What was copied stands in the relay's signed log and on the devices
//! of the auditors; who writes the chain anew writes against that.

use std::sync::Arc;
use std::time::Duration;

use wangge_model::audit::{EMPTY, Link, PART_LINKS, Witness, part_id, part_of};
use wangge_model::document::{Op, Target};
use wangge_model::identity::{Hash, Scope};
use wangge_model::schema::Kind;
use wangge_node::replica::{Edit, Replica, ReplicaError};

/// How long entries gather, so that no request waits for a second write and a busy relay writes one transaction
/// instead of hundreds. For as long, the owner of the relay could take an entry back unseen.
const COPY_EVERY: Duration = Duration::from_secs(2);

/// How far the chain is copied.
#[derive(Debug, Default)]
pub(crate) struct Copying {
    /// Number and head of the last link that was copied; `None` before all of it was compared.
    upto: Option<(u64, Hash)>,
}

impl Copying {
    /// Copies what is due. The first time, and when the chain no longer holds what was copied last, all of the
    /// chain is compared with the copy. Nothing is due in a street that has never had an auditor.
    ///
    /// # Errors
    /// If something cannot be read or written; it stays due.
    pub(crate) fn copy(&mut self, replica: &Replica) -> Result<(), ReplicaError> {
        if replica.awaits_street() || !replica.scopes().contains(&Scope::Audit) {
            return Ok(());
        }
        if let Some((len, head)) = self.upto {
            let mut holds = len == 0;
            let mut fresh = Vec::new();
            replica.legible_audit_links(len, |link| {
                if link.seq == len {
                    holds = link.head == head;
                } else {
                    fresh.push(link);
                }
                holds
            })?;
            if holds {
                return self.copy_links(replica, &fresh);
            }
        }
        self.compare(replica)
    }

    fn copy_links(&mut self, replica: &Replica, links: &[Link]) -> Result<(), ReplicaError> {
        let end = links.last().map(|link| (link.seq, link.head));
        for part in links.chunk_by(|one, next| part_of(one.seq) == part_of(next.seq)) {
            let Some(first) = part.first() else { continue };
            write(replica, part_of(first.seq), &Witness::default(), part.to_vec())?;
        }
        self.upto = end.or(self.upto);
        Ok(())
    }

    fn compare(&mut self, replica: &Replica) -> Result<(), ReplicaError> {
        self.upto = None;
        let copied = replica.witnessed_audit()?.len();
        let mut end = (0, EMPTY);
        for part in 0.. {
            let (first, last) = (part * PART_LINKS + 1, (part + 1) * PART_LINKS);
            let mut held = Vec::new();
            replica.legible_audit_links(first, |link| {
                let within = link.seq <= last;
                if within {
                    held.push(link);
                }
                within
            })?;
            end = held.last().map_or(end, |link| (link.seq, link.head));
            let is_last = held.is_empty() && first > copied;
            let mut witness = Witness::default();
            let secret =
                replica.secret(&Scope::Audit).ok_or(ReplicaError::NotHeld { scope: Scope::Audit })?;
            let document = replica.get(&Scope::Audit, Kind::AUDIT_COPY, &part_id(&secret, part))?;
            document.iter().for_each(|view| witness.take(view));
            write(replica, part, &witness, held)?;
            if is_last {
                break;
            }
        }
        self.upto = Some(end);
        Ok(())
    }
}

/// Writes into a part what the chain holds of it and the copy does not say.
fn write(replica: &Replica, part: u64, copy: &Witness, held: Vec<Link>) -> Result<(), ReplicaError> {
    let secret = replica.secret(&Scope::Audit).ok_or(ReplicaError::NotHeld { scope: Scope::Audit })?;
    let doc = part_id(&secret, part);
    for event in copy.lacks(held) {
        let target = Target::Event { container: "events".to_owned() };
        let ops = vec![Op { target, value: Some(event.to_scalar()) }];
        replica.commit_in_no_name(&Scope::Audit, vec![Edit { doc, kind: Kind::AUDIT_COPY, ops }])?;
    }
    Ok(())
}

/// Copies what is recorded, until `stop` resolves.
pub(crate) async fn copying(replica: Arc<Replica>, stop: impl Future<Output = ()>) {
    let mut copying = Copying::default();
    let mut failed = false;
    tokio::pin!(stop);
    loop {
        let copied = tokio::task::block_in_place(|| copying.copy(&replica));
        if let (Err(error), false) = (&copied, failed) {
            tracing::error!(%error, "the audit cannot be copied for its administrators");
        }
        failed = copied.is_err();
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(COPY_EVERY) => {}
        }
    }
}
