//! Transactions and acknowledgements: what the peer lacks goes out, what it sent is paid for once durable.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use super::{LOGS_MAX, Output, Sending, Session, SessionError, Taken};
use crate::clock::{Ends, Extent};
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
            return Err(self.not_shared(scope));
        };
        let mut documents = BTreeSet::new();
        for run in &runs {
            self.traffic.transactions_received += run.transactions.len() as u64;
            self.received.transactions += run.transactions.len() as u64;
            documents.extend(run.transactions.iter().flat_map(|t| &t.changes).map(|change| change.doc));
        }
        for log in runs.iter().map(|run| run.log).collect::<BTreeSet<_>>() {
            *session.unchecked.entry(log).or_default() += 1;
        }
        self.traffic.documents_received += documents.len() as u64;
        self.out.push_back(Output::Ingest(scope, runs));
        Ok(())
    }

    pub(super) fn handle_ingested(&mut self, scope: &Scope, taken: Vec<Taken>) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        for Taken { log, came, due, ends, passed } in taken {
            if let Entry::Occupied(mut unchecked) = session.unchecked.entry(log) {
                *unchecked.get_mut() -= 1;
                if *unchecked.get() == 0 {
                    unchecked.remove();
                }
            }
            session.came.entry(log).or_default().extend(&came);
            session.sent.entry(log).or_default().extend(came);
            session.hold(log, ends);
            session.passed.entry(log).or_default().extend(passed);
            let owed = session.owed.entry(log).or_default();
            for (piece, len) in due {
                let upto = owed.entry(piece).or_default();
                *upto = (*upto).max(len);
            }
        }
        self.push(scope);
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
        for (log, _) in &due {
            // What it sent and we now hold, it holds too; what we lack of what it has stays to be had.
            session.peer_has(*log);
        }
        let acks = Acknowledged { scope: scope.clone(), logs: due };
        let clock = session.peer.clone();
        self.send_quietly(&Frame::Acknowledged(acks));
        self.out.push_back(Output::PeerHas { scope: scope.clone(), clock });
    }

    pub(super) fn handle_acknowledged(&mut self, acks: Acknowledged) -> Result<(), SessionError> {
        let scope = acks.scope;
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(self.not_shared(scope));
        };
        for (log, ends) in acks.logs {
            // The latest word counts, and what it names was sent for the last time.
            let midway = session.midway.get(&log).copied();
            if let Some(sent) = session.sent.get_mut(&log) {
                let mine = session.mine.ends_of(&log);
                sent.retain(|end| mine.contains(end) || Some(*end) == midway);
            }
            session.waiting.remove(&log);
            session.peer.set(log, ends);
        }
        let found = session.peer.count();
        if found > LOGS_MAX {
            return Err(SessionError::Logs { scope, found, max: LOGS_MAX });
        }
        let clock = session.peer.clone();
        self.out.push_back(Output::PeerHas { scope: scope.clone(), clock });
        self.push(&scope);
        Ok(())
    }

    pub(super) fn handle_loaded(&mut self, scope: &Scope, log: LogId, end: Extent, sending: Sending) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        session.loading.remove(&log);
        let runs = match sending {
            Sending::Runs(runs, upto) => {
                let sent = session.sent.entry(log).or_default();
                if let Some(before) = session.midway.remove(&log) {
                    sent.remove(&before);
                }
                if upto != end {
                    session.midway.insert(log, upto);
                }
                sent.insert(upto);
                runs
            }
            // An empty answer must not be asked for again.
            Sending::Nothing => {
                session.sent.entry(log).or_default().insert(end);
                Vec::new()
            }
            Sending::Wait => {
                session.waiting.insert(log);
                Vec::new()
            }
        };
        let any = !runs.is_empty();
        self.traffic.transactions_sent += runs.iter().map(|run| run.transactions.len() as u64).sum::<u64>();
        session.loaded.extend(runs);
        // What is asked for together travels together: one message, and one acknowledgement.
        let is_complete = session.loading.is_empty() || session.loaded.len() >= TOGETHER_RUNS_MAX;
        if is_complete || session.loaded.last().is_some_and(|run| !is_short(run)) {
            let runs = std::mem::take(&mut session.loaded);
            if !runs.is_empty() {
                self.send(&Frame::Batch(encode_batch(scope, &runs)));
            }
        }
        if any {
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
        for (log, end, at_peer) in session.unsent() {
            session.loading.insert(log);
            self.out.push_back(Output::Load { scope: scope.clone(), log, end, at_peer });
        }
    }

    pub(super) fn handle_misfit(&mut self, scope: Scope, log: LogId, from_its_beginning: bool) {
        let Some(session) = self.scopes.get_mut(&scope) else { return };
        let mut clock = session.mine.clone();
        if from_its_beginning {
            clock.set(log, Ends::default());
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
