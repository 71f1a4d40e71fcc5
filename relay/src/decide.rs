//! Deciding: every position once, written into the relay's own log of the scope.

use std::sync::Arc;
use std::time::Duration;

use wangge_model::identity::Scope;
use wangge_model::log::LogIdentity;
use wangge_model::transaction::Transaction;
use wangge_model::verdict::VoidReason;
use wangge_node::replica::{Judge, Replica};

use crate::roster::Roster;

/// Verdicts gather for this long, so that a busy moment leaves one transaction instead of hundreds.
const GATHER: Duration = Duration::from_millis(250);

/// Decides by scope: a replica writes what it holds, `street` is the centre's, verdicts the relay's.
pub(crate) struct ScopeJudge {
    pub(crate) roster: Arc<Roster>,
}

impl Judge for ScopeJudge {
    fn judge(&self, scope: &Scope, author: &LogIdentity, transaction: &Transaction) -> Option<VoidReason> {
        let profile = self.roster.replica().profile();
        if author.replica == profile.replica() {
            return None;
        }
        if !transaction.verdicts.is_empty() {
            return Some(VoidReason::NotTheRelay);
        }
        match self.roster.enrolled(&author.replica) {
            Ok(Some(enrolled)) => {
                if !enrolled.enrolment.scopes.contains(scope) {
                    Some(VoidReason::ScopeNotHeld)
                } else if *scope == Scope::Street && !enrolled.enrolment.role.is_centre() {
                    Some(VoidReason::CentreOnly)
                } else {
                    None
                }
            }
            Ok(None) => Some(VoidReason::UnknownReplica),
            Err(error) => {
                tracing::error!(%error, "the roster cannot be read");
                Some(VoidReason::UnknownReplica)
            }
        }
    }
}

/// Lets what arrives take effect and decides on it, until `stop` resolves.
pub(crate) async fn decide(replica: Arc<Replica>, stop: impl Future<Output = ()>) {
    let mut news = replica.subscribe();
    tokio::pin!(stop);
    loop {
        // What came while nobody listened, or was not decided before a crash, is due at once.
        let done = tokio::task::block_in_place(|| decide_now(&replica));
        if let Err(error) = done {
            tracing::error!(%error, "what arrived cannot be decided");
        }
        tokio::select! {
            () = &mut stop => break,
            durable = news.recv() => if durable.is_none() {
                // A write failed and ended all subscriptions: what comes after is still decided.
                news = replica.subscribe();
            },
        }
        tokio::time::sleep(GATHER).await;
        while news.try_recv().is_ok() {}
    }
}

/// Lets what arrived take effect and writes the verdicts that are due.
///
/// # Errors
/// If something cannot be read or written; what is due stays due.
pub fn decide_now(replica: &Replica) -> Result<(), wangge_node::replica::ReplicaError> {
    replica.apply()?;
    for (scope, verdicts) in replica.undecided() {
        for part in verdicts.chunks(wangge_model::transaction::VERDICTS_MAX) {
            replica.commit_verdicts(&scope, part.to_vec())?;
        }
    }
    Ok(())
}
