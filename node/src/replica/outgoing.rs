//! Runs of a log for a peer that lacks them.

use std::collections::BTreeMap;

use wangge_model::clock::{Clock, Extent, head_tag};
use wangge_model::identity::{LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{Branch, HeadSignature, Run};
use wangge_model::planted::{self, Bug};
use wangge_model::session::Sending;
use wangge_model::transaction::Transaction;
use wangge_model::tree;

use super::scope::HeldScope;
use super::{Replica, ReplicaError, lock};

/// Transactions that one batch carries at most, unless their author signed less often.
const RUN_TRANSACTIONS: u64 = 512;
/// Stored bytes that one batch carries at most, likewise.
const RUN_LEN_BYTES: usize = 128 * 1024;

impl Replica {
    /// The next run of `log` on the way to the end `end`, after what the peer has of it (`at_peer`), ending where its
    /// author signed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load_run(
        &self,
        scope: &Scope,
        log: &LogId,
        end: &Extent,
        at_peer: &[Extent],
    ) -> Result<Sending, ReplicaError> {
        let (tips, durable) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(Sending::Nothing) };
            (scoped.tips.clone(), scoped.durable.clone())
        };
        let held = HeldScope { store: &self.store, scope, tips: &tips };
        if tree::find(&held, log, end).is_none() {
            return Ok(Sending::Nothing);
        }
        let Some((piece, from, parts)) = tree::go_on(&held, log, end, at_peer) else {
            return Ok(Sending::Wait);
        };
        let Some(tip) = tips.get(&piece) else { return Ok(Sending::Nothing) };
        let upto = durable.len_of(&piece).min(end.len);
        let is_forked = tips.values().any(|other| {
            other.identity.branch.is_some()
                && (other.identity.replica, other.identity.epoch)
                    == (tip.identity.replica, tip.identity.epoch)
        });
        let mut transactions: Vec<Transaction> = Vec::new();
        let mut signed: Option<(usize, Extent, HeadSignature)> = None;
        let mut len_bytes = 0;
        for seq in from..=upto {
            let Some(record) = held.record(&piece, seq) else { break };
            len_bytes += record.transaction.to_bytes().len();
            transactions.push(record.transaction);
            let full = len_bytes > RUN_LEN_BYTES || seq - from + 1 >= RUN_TRANSACTIONS;
            if let Some(signature) = record.signature {
                if full && signed.is_some() {
                    break;
                }
                signed =
                    Some((transactions.len(), Extent { len: seq, head: head_tag(&record.head) }, signature));
                if full {
                    break;
                }
            }
        }
        let Some((count, last, signature)) = signed else { return Ok(Sending::Nothing) };
        if planted::is(Bug::LoseTail) && count > 1 && count as u64 == upto - from + 1 {
            return Ok(Sending::Nothing);
        }
        transactions.truncate(count);
        let before = tree::at(&held, &piece, from - 1).filter(|_| is_forked && (from > 1 || parts));
        let branch = before.map(|point| Branch {
            of: *log,
            base: point.seq,
            head: point.head,
            lamport: point.lamport,
            actor: self.actor_at(&held, &piece, point.seq),
        });
        Ok(Sending::Runs(vec![Run { log: *log, branch, transactions, signature }], last))
    }

    /// What is durable here of what somebody has who lost a scope: the ends of that, and of a log of which less is here
    /// and which did not fork where it ends, as he may have the rest.
    pub fn held_of(&self, scope: &Scope, theirs: &Clock) -> Clock {
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return Clock::default() };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        let mut both = Clock::default();
        for (log, theirs) in &theirs.0 {
            let mut upto: BTreeMap<LogId, u64> = BTreeMap::new();
            for end in &theirs.0 {
                let Some(piece) = tree::find(&held, log, end) else { continue };
                for (piece, last) in tree::way(&held, &piece, end.len) {
                    let known = upto.entry(piece).or_default();
                    *known = (*known).max(last.min(scoped.durable.len_of(&piece)));
                }
            }
            let ends = tree::ends(&held, log, |piece| upto.get(piece).copied().unwrap_or(0));
            match scoped.ends(&held, log).0.as_slice() {
                [end] if ends.is_empty() && end.len <= theirs.len() => both.set(*log, (*end).into()),
                _ => both.set(*log, ends),
            }
        }
        both
    }

    /// All runs of a log from a position on the way to its farthest end.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load_from(&self, scope: &Scope, log: &LogId, from: u64) -> Result<Vec<Run>, ReplicaError> {
        let Some(end) = self.clock(scope).ends_of(log).last().copied() else { return Ok(Vec::new()) };
        let before = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(Vec::new()) };
            let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
            let piece = tree::find(&held, log, &end).unwrap_or(*log);
            Extent { len: from - 1, head: held.tag(&piece, from - 1) }
        };
        let known = if before.len == 0 { Vec::new() } else { vec![before] };
        match self.load_run(scope, log, &end, &known)? {
            Sending::Runs(runs, _) => Ok(runs),
            Sending::Nothing | Sending::Wait => Ok(Vec::new()),
        }
    }
}
