//! Background anti-entropy: once a day, and whenever something looks wrong, all that is stored is examined and
//! mended; sessions compare with peers what is really held.

use std::sync::Arc;
use std::time::Duration;

use wangge_model::audit::{Entry, What};

use super::blocking;
use crate::replica::{Checkup, Outcome, Replica, ReplicaError};

/// Between two examinations: a street's whole store takes some seconds of one core.
pub const EXAMINE_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How often it is looked whether one is due: a device that slept through the night catches up.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Keeps what is stored whole until `stop` resolves.
pub async fn keep_whole(replica: Arc<Replica>, every: Duration, stop: impl Future<Output = ()>) {
    let mut suspicion = replica.suspicion();
    let mut look = tokio::time::interval(LOOK_EVERY.min(every));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(stop);
    loop {
        let suspected = tokio::select! {
            () = &mut stop => return,
            _ = look.tick() => false,
            changed = suspicion.changed() => changed.is_ok(),
        };
        let done = blocking(|| match suspected || replica.is_examination_due(every)? {
            true => examine(&replica),
            false => Ok(()),
        });
        if let Err(error) = done {
            tracing::error!(%error, "what is stored cannot be examined");
        }
    }
}

/// Examines all that is stored and mends what can be mended; what was found is told to log and audit.
fn examine(replica: &Replica) -> Result<(), ReplicaError> {
    let checkup: Checkup = replica.mend()?;
    if checkup.findings.iter().all(|found| found.outcome != Outcome::Found) {
        replica.note_examined()?;
    }
    if checkup.is_healthy() {
        tracing::debug!(transactions = checkup.transactions, documents = checkup.documents, "all is whole");
        return Ok(());
    }
    let count = |outcome| checkup.findings.iter().filter(|found| found.outcome == outcome).count();
    let (repaired, asked, lost) = (count(Outcome::Repaired), count(Outcome::Asked), count(Outcome::Lost));
    tracing::warn!(
        found = checkup.findings.len(),
        repaired,
        asked,
        lost,
        "damage was found in what is stored"
    );
    let detail = format!("{repaired} repaired, {asked} asked for from peers, {lost} lost");
    let entry = Entry::new(What::REPAIR).because("damage was found in what is stored").detail(&detail);
    if let Err(error) = replica.audit(entry) {
        tracing::error!(%error, "the audit cannot be written");
    }
    if repaired > 0 {
        // Whether it helped, the peer knows.
        replica.compare_soon();
    }
    Ok(())
}
