//! Deciding: every position once, written into the relay's own log of the scope.

use std::sync::Arc;
use std::time::Duration;

use wangge_model::verdict::in_parts;
use wangge_node::command::carry_over;
use wangge_node::replica::Replica;

use crate::moves::{moves, splits};
use crate::roster::Roster;
use crate::upkeep::keep_up;

/// Verdicts gather for this long, so that a busy moment leaves one transaction instead of hundreds.
const GATHER: Duration = Duration::from_millis(250);

/// Lets what arrives take effect and decides on it, until `stop` resolves.
pub(crate) async fn decide(roster: Arc<Roster>, stop: impl Future<Output = ()>) {
    let replica = Arc::clone(roster.replica());
    let mut news = replica.subscribe();
    tokio::pin!(stop);
    loop {
        // What came while nobody listened, or was not decided before a crash, is due at once.
        let done = tokio::task::block_in_place(|| decide_now(&replica));
        if let Err(error) = done {
            tracing::error!(%error, "what arrived cannot be decided");
        }
        if let Err(error) = tokio::task::block_in_place(|| splits(&roster)) {
            tracing::error!(%error, "a grid cannot be split");
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

/// Lets what arrived take effect and writes the verdicts that are due, no more: orders of erasure are obeyed once
/// all have had the time to come. Whether anything could be decided.
///
/// # Errors
/// If something cannot be read or written; what is due stays due.
pub(crate) fn judge_now(replica: &Replica) -> Result<bool, wangge_node::replica::ReplicaError> {
    replica.apply()?;
    if replica.awaits_street() {
        // Its roster may be an old one: nothing is decided by it.
        return Ok(false);
    }
    keep_up(replica)?;
    for (scope, verdicts) in replica.undecided() {
        for part in in_parts(verdicts, |verdict, seq| replica.head_before(&scope, verdict, seq)) {
            replica.commit_verdicts(&scope, part)?;
        }
    }
    Ok(true)
}

/// Lets what arrived take effect, writes the verdicts that are due, and carries over between cases and the
/// orders of teams.
///
/// # Errors
/// If something cannot be read or written; what is due stays due.
pub fn decide_now(replica: &Replica) -> Result<(), wangge_node::replica::ReplicaError> {
    if !judge_now(replica)? {
        return Ok(());
    }
    // Orders count once they are decided.
    replica.obey_erasures()?;
    replica.obey_removals()?;
    let touched = replica.take_crossing()?;
    let carried = carry_over(replica, &touched);
    if carried.is_err() {
        replica.return_crossing(touched);
    }
    carried?;
    moves(replica)
}
