//! Transactions and acknowledgements: what the peer lacks goes out, what it sent is paid for once durable.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use super::{LOGS_MAX, Output, Session, SessionError};
use crate::clock::Extent;
use crate::identity::{LogId, Scope};
use crate::log::Run;
use crate::wire::{Acknowledged, Frame, ScopeClock, decode_batch, encode_batch};

/// Most short runs that wait for others to travel with.
const TOGETHER_RUNS_MAX: usize = 4;
/// Most transactions of a short run, and most of their bytes: a handful of such runs and a long one stay
/// below the limit of a batch.
const SHORT_TRANSACTIONS_MAX: usize = 64;
const SHORT_LEN_BYTES_MAX: usize = 32 * 1024;

impl Session {
    pub(super) fn handle_batch(&mut self, batch: &[u8]) -> Result<(), SessionError> {
        let (scope, runs) = decode_batch(batch)?;
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(SessionError::NotShared { scope });
        };
        let mut documents = BTreeSet::new();
        for run in &runs {
            self.traffic.transactions_received += run.transactions.len() as u64;
            self.received.transactions += run.transactions.len() as u64;
            documents.extend(run.transactions.iter().flat_map(|t| &t.changes).map(|change| change.doc));
            if let Some(last) = run.transactions.last() {
                let owed = session.owed.entry(run.log).or_default();
                *owed = (*owed).max(last.seq);
                let sent = session.sent.entry(run.log).or_default();
                *sent = (*sent).max(last.seq);
            }
        }
        for log in runs.iter().map(|run| run.log).collect::<BTreeSet<_>>() {
            *session.unchecked.entry(log).or_default() += 1;
        }
        session.restrict();
        self.traffic.documents_received += documents.len() as u64;
        self.out.push_back(Output::Ingest(scope, runs));
        Ok(())
    }

    pub(super) fn handle_ingested(&mut self, scope: &Scope, held: Vec<(LogId, Option<Extent>)>) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        for (log, extent) in held {
            if let Entry::Occupied(mut unchecked) = session.unchecked.entry(log) {
                *unchecked.get_mut() -= 1;
                if *unchecked.get() == 0 {
                    unchecked.remove();
                }
            }
            match extent {
                Some(extent) => session.mine.0.insert(log, extent),
                None => session.mine.0.remove(&log),
            };
        }
        self.unacknowledged.insert(scope.clone());
    }

    /// Acknowledges what has become due since the last output.
    pub(super) fn acknowledge_due(&mut self) {
        let due = std::mem::take(&mut self.unacknowledged);
        for scope in &due {
            self.acknowledge(scope);
        }
        if !due.is_empty() {
            self.note_sync();
        }
    }

    fn acknowledge(&mut self, scope: &Scope) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        let due = session.payable();
        if due.is_empty() {
            return;
        }
        for (log, extent) in &due {
            // What it sent and we now hold, it holds too.
            if session.peer.len_of(log) <= extent.len {
                session.peer.0.insert(*log, *extent);
            }
        }
        let acks = Acknowledged { scope: scope.clone(), logs: due };
        let clock = session.peer.clone();
        self.send_quietly(&Frame::Acknowledged(acks));
        self.out.push_back(Output::PeerHas { scope: scope.clone(), clock });
    }

    pub(super) fn handle_acknowledged(&mut self, acks: Acknowledged) -> Result<(), SessionError> {
        let scope = acks.scope;
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(SessionError::NotShared { scope });
        };
        // The latest word counts, even where a fork made it less.
        session.peer.0.extend(acks.logs);
        if session.peer.0.len() > LOGS_MAX {
            return Err(SessionError::Logs { scope, found: session.peer.0.len(), max: LOGS_MAX });
        }
        let clock = session.peer.clone();
        self.out.push_back(Output::PeerHas { scope, clock });
        Ok(())
    }

    pub(super) fn handle_loaded(&mut self, scope: &Scope, log: LogId, runs: Vec<Run>) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        session.loading.remove(&log);
        let last = runs.last().and_then(|run| run.transactions.last()).map(|last| last.seq);
        if let Some(last) = last {
            session.sent.insert(log, last);
            self.traffic.transactions_sent +=
                runs.iter().map(|run| run.transactions.len() as u64).sum::<u64>();
            session.loaded.extend(runs);
        }
        // What is asked for together travels together: one message, and one acknowledgement.
        let is_complete = session.loading.is_empty() || session.loaded.len() >= TOGETHER_RUNS_MAX;
        if is_complete || session.loaded.last().is_some_and(|run| !is_short(run)) {
            let runs = std::mem::take(&mut session.loaded);
            if !runs.is_empty() {
                self.send(&Frame::Batch(encode_batch(scope, &runs)));
            }
        }
        if last.is_some() {
            self.push(scope);
        }
    }

    pub(super) fn push_all(&mut self) {
        let scopes: Vec<Scope> =
            self.scopes.keys().filter(|scope| self.config.remembered.contains_key(*scope)).cloned().collect();
        for scope in scopes {
            self.push(&scope);
        }
    }

    /// Asks for what the peer lacks and has not been sent.
    pub(super) fn push(&mut self, scope: &Scope) {
        if self.takes_only {
            return;
        }
        let Some(session) = self.scopes.get_mut(scope) else { return };
        // Without knowing what the peer has, everything would go.
        if !session.told && !self.config.remembered.contains_key(scope) {
            return;
        }
        for (log, from, at_peer) in session.unsent() {
            if from == 1 {
                session.rewound.insert(log);
            }
            session.loading.insert(log);
            // An empty answer must not be asked for again.
            session.sent.insert(log, session.mine.len_of(&log));
            self.out.push_back(Output::Load { scope: scope.clone(), log, from, at_peer });
        }
    }

    pub(super) fn handle_misfit(&mut self, scope: Scope, log: LogId, held: Extent) {
        let Some(session) = self.scopes.get_mut(&scope) else { return };
        let mut clock = session.mine.clone();
        if held.len == 0 {
            clock.0.remove(&log);
        } else {
            clock.0.insert(log, held);
        }
        session.owed.remove(&log);
        let believes = Some(session.peer.digest());
        let entry = ScopeClock { scope, clock, pages: None, believes, again: true };
        self.send(&Frame::Clocks(vec![entry]));
    }
}

fn is_short(run: &Run) -> bool {
    let len_bytes = || run.transactions.iter().map(|transaction| transaction.to_bytes().len()).sum::<usize>();
    run.transactions.len() <= SHORT_TRANSACTIONS_MAX && len_bytes() <= SHORT_LEN_BYTES_MAX
}
