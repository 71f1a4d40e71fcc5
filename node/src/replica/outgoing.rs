//! Runs of a log for a peer that lacks them.

use wangge_model::clock::{Extent, head_tag};
use wangge_model::identity::{LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{HeadSignature, Run};
use wangge_model::planted::{self, Bug};

use super::scope::HeldScope;
use super::{Replica, ReplicaError, lock};

/// Transactions that one batch carries at most, unless their author signed less often.
const RUN_TRANSACTIONS: u64 = 512;
/// Stored bytes that one batch carries at most, likewise.
const RUN_LEN_BYTES: usize = 128 * 1024;

impl Replica {
    /// The next run of `log` from position `from`, ending where its author signed. If the peer's head
    /// differs from the one here, the log forked: the run begins at its beginning then. Empty if
    /// nothing can be given: the rest of the log lies below the floor, or there is none.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load_run(
        &self,
        scope: &Scope,
        log: &LogId,
        from: u64,
        at_peer: Option<Extent>,
    ) -> Result<Vec<Run>, ReplicaError> {
        let (tips, durable) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(Vec::new()) };
            (scoped.tips.clone(), scoped.durable.len_of(log))
        };
        let Some(tip) = tips.get(log) else { return Ok(Vec::new()) };
        let held = HeldScope { store: &self.store, scope, tips: &tips };
        let base = tip.identity.branch.as_ref().map_or(0, |branch| branch.base);
        let mut from = from;
        if let Some(extent) = at_peer
            && extent.len > base
            && extent.len <= tip.len
        {
            let head = if extent.len == tip.len {
                Some(tip.head)
            } else {
                held.record(log, extent.len).map(|r| r.head)
            };
            if head.is_some_and(|head| head_tag(&head) != extent.head) {
                from = 1;
            }
        }
        let from = from.max(base + 1);
        if from <= tip.floor || from > durable {
            return Ok(Vec::new());
        }
        let mut transactions = Vec::new();
        let mut signed: Option<(usize, HeadSignature)> = None;
        let mut len_bytes = 0;
        for seq in from..=durable {
            let Some(record) = held.record(log, seq) else { break };
            len_bytes += record.transaction.to_bytes().len();
            transactions.push(record.transaction);
            let full = len_bytes > RUN_LEN_BYTES || seq - from + 1 >= RUN_TRANSACTIONS;
            if let Some(signature) = record.signature {
                if full && signed.is_some() {
                    break;
                }
                signed = Some((transactions.len(), signature));
                if full {
                    break;
                }
            }
        }
        let Some((count, signature)) = signed else { return Ok(Vec::new()) };
        if planted::is(Bug::LoseTail) && count > 1 && count as u64 == durable - from + 1 {
            return Ok(Vec::new());
        }
        transactions.truncate(count);
        Ok(vec![Run { log: *log, branch: tip.identity.branch.clone(), transactions, signature }])
    }
}
