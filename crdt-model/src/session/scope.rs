//! What a session knows of one shared scope: both clocks, what is on its way, what waits for an answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::Cursor;
use crate::clock::{Clock, Ends, Extent};
use crate::identity::LogId;
use crate::log::Run;

/// How a scope's first pages are coming along at the side that has never had all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// Everything up to some clock is held.
    Whole,
    /// Pages are needed, from the beginning or after the cursor.
    Partial(Option<Cursor>),
}

#[derive(Debug)]
pub(super) struct ScopeSession {
    /// What is durable here.
    pub(super) mine: Clock,
    pub(super) completeness: Completeness,
    /// What is durable at the peer, as far as it has said or shown.
    pub(super) peer: Clock,
    /// Whether the peer has told all that it has and this side lacks.
    pub(super) told: bool,
    /// Whether this side's full clock is with the peer.
    pub(super) told_peer: bool,
    /// At a dialler: the clock in its hello, to which the peer's may refer.
    pub(super) greeted: Clock,
    /// Per log: ends up to which transactions went to the peer or came from it, beyond what it has said.
    pub(super) sent: BTreeMap<LogId, BTreeSet<Extent>>,
    /// Per log: ends up to which transactions came from the peer.
    pub(super) came: BTreeMap<LogId, BTreeSet<Extent>>,
    /// Per log: the end of the last batch that broke off on the way to the end that was asked for.
    pub(super) midway: BTreeMap<LogId, Extent>,
    /// Logs of which nothing can be sent before more of them has come from the peer.
    pub(super) waiting: BTreeSet<LogId>,
    /// Logs that are being loaded to be sent.
    pub(super) loading: BTreeSet<LogId>,
    /// Runs that wait for others to travel with.
    pub(super) loaded: Vec<Run>,
    /// Logs of which the peer has sent transactions and awaits an acknowledgement, each with what of it is on its way
    /// to the disk, as it is held here.
    pub(super) owed: BTreeMap<LogId, BTreeMap<LogId, u64>>,
    /// Per log: what the peer said it has, and what here goes on from or ends with.
    pub(super) passed: BTreeMap<LogId, BTreeSet<Extent>>,
    /// Per log: batches with transactions of it that came and are not checked yet.
    pub(super) unchecked: BTreeMap<LogId, u32>,
    /// Pages are being sent to the peer, up to this clock at least.
    pub(super) serving: Option<Clock>,
    /// Pages are on their way here.
    pub(super) taking: bool,
    /// The peer holds the scope no longer: what it has is taken and it is given nothing. All that is
    /// durable here; `mine` shows of it what the peer has as well.
    pub(super) taken: Option<Clock>,
    /// Of a scope that is only taken: whether `mine` says what the peer has as well.
    pub(super) shown: Shown,
    /// The peer is to be told `mine` once it does.
    pub(super) answers: bool,
}

/// How `mine` of a scope that is only taken is coming along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    /// It says what of the peer's work is here.
    Current,
    /// Either side has more since.
    Due,
    /// It is being looked up.
    Asked,
}

impl ScopeSession {
    pub(super) fn new(mine: Clock, completeness: Completeness, remembered: Option<&Clock>) -> Self {
        Self {
            mine,
            completeness,
            peer: remembered.cloned().unwrap_or_default(),
            told: false,
            told_peer: false,
            greeted: Clock::default(),
            sent: BTreeMap::new(),
            came: BTreeMap::new(),
            midway: BTreeMap::new(),
            waiting: BTreeSet::new(),
            loading: BTreeSet::new(),
            loaded: Vec::new(),
            owed: BTreeMap::new(),
            passed: BTreeMap::new(),
            unchecked: BTreeMap::new(),
            serving: None,
            taking: false,
            taken: None,
            shown: Shown::Current,
            answers: false,
        }
    }

    /// The session of a scope that the peer has lost and of which it may have unsent work.
    pub(super) fn taken(mine: Clock, completeness: Completeness) -> Self {
        Self { taken: Some(mine), ..Self::new(Clock::default(), completeness, None) }
    }

    /// Notes what of a log is durable here: where its branches end now, as `piece` has grown to `len`.
    pub(super) fn durable(&mut self, log: LogId, ends: Ends, piece: &LogId, len: u64) {
        if let Some(due) = self.owed.get_mut(&log) {
            due.retain(|owed, upto| owed != piece || *upto > len);
        }
        self.hold(log, ends);
    }

    /// Notes where the branches of a log that is durable here end now.
    pub(super) fn hold(&mut self, log: LogId, ends: Ends) {
        self.waiting.remove(&log);
        match &mut self.taken {
            None => self.mine.set(log, ends),
            Some(all) => {
                all.set(log, ends);
                self.shown = Shown::Due;
            }
        }
    }

    /// What the peer has of a scope that is only taken, as far as it has said or shown.
    pub(super) fn theirs(&self) -> Clock {
        let mut theirs = self.peer.clone();
        for (log, came) in &self.sent {
            theirs.set(*log, Ends::new(theirs.ends_of(log).iter().chain(came).copied().collect()));
        }
        theirs
    }

    /// Whether `mine` may be told and compared.
    pub(super) fn is_shown(&self) -> bool {
        self.shown == Shown::Current
    }

    /// Ends of which the peer lacks something that has not been sent, one a log, each with what the peer has of that
    /// log as far as is known.
    pub(super) fn unsent(&self) -> Vec<(LogId, Extent, Vec<Extent>)> {
        if self.serving.is_some() || self.taken.is_some() {
            return Vec::new();
        }
        let is_busy = |log: &LogId| {
            self.loading.contains(log) || self.waiting.contains(log) || self.unchecked.contains_key(log)
        };
        let due = |(log, ends): (&LogId, &Ends)| {
            let at_peer = self.peer.ends_of(log);
            let sent = self.sent.get(log);
            let is_known =
                |end: &&Extent| at_peer.contains(*end) || sent.is_some_and(|sent| sent.contains(*end));
            // The farthest, as it waits for nothing: a nearer one may lie on the way to what is not known here.
            let end = ends.0.iter().rev().find(|end| !is_known(end))?;
            let known = at_peer.iter().chain(sent.into_iter().flatten()).copied().collect();
            Some((*log, *end, known))
        };
        self.mine.0.iter().filter(|(log, _)| !is_busy(log)).filter_map(due).collect()
    }

    /// Takes the peer's word for what it has, even where that is less than what was believed. What is on
    /// its way already is sent again only where the peer turns out to have less than that built on, or
    /// asks for it.
    pub(super) fn peer_tells(&mut self, clock: Clock, again: bool) {
        if self.taken.is_some() && (again || !self.told || self.peer != clock) {
            self.shown = Shown::Due;
        }
        let believed = std::mem::replace(&mut self.peer, clock);
        let told = &self.peer;
        self.sent.retain(|log, _| !again && told.len_of(log) >= believed.len_of(log));
        self.came.retain(|log, _| !again && told.len_of(log) >= believed.len_of(log));
        self.midway.retain(|log, _| !again && told.len_of(log) >= believed.len_of(log));
        self.waiting.clear();
        self.told = true;
    }

    /// Notes that what came of a log from the peer is held here, and so at the peer too. What it has of it besides
    /// is still to be had. Of what went there it has nothing until it says so: it may break off, and what does not open
    /// here never went at all.
    pub(super) fn peer_has(&mut self, log: LogId) {
        let came = self.came.get(&log);
        let at_peer = self.peer.ends_of(&log);
        let is_there = |end: &&Extent| at_peer.contains(*end) || came.is_some_and(|came| came.contains(*end));
        let both = self.mine.ends_of(&log).iter().filter(is_there).copied();
        let passed = self.passed.get(&log);
        let lacked =
            at_peer.iter().filter(|end| !passed.is_some_and(|passed| passed.contains(*end))).copied();
        let ends = Ends::new(both.chain(lacked).collect());
        self.peer.set(log, ends);
    }

    pub(super) fn in_sync(&self) -> bool {
        self.told
            && !self.taking
            && self.serving.is_none()
            && self.completeness == Completeness::Whole
            && self.is_shown()
            && self.mine == self.peer
    }

    /// Logs whose owed acknowledgement can be given.
    pub(super) fn payable(&mut self) -> Vec<(LogId, Ends)> {
        if !self.is_shown() {
            return Vec::new();
        }
        let is_due = |(log, due): &(&LogId, &BTreeMap<LogId, u64>)| {
            due.is_empty() && !self.unchecked.contains_key(*log)
        };
        let logs: Vec<LogId> = self.owed.iter().filter(is_due).map(|(log, _)| *log).collect();
        for log in &logs {
            self.owed.remove(log);
        }
        let held = |log: LogId| Some((log, self.mine.0.get(&log)?.clone()));
        logs.into_iter().filter_map(held).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a clone wrote ends before the branch that the peer lacks: that goes first, as it waits for nothing.
    #[test]
    fn of_a_forked_log_the_farthest_end_goes_first() {
        let log = LogId([1; 8]);
        let end = |len, tag| Extent { len, head: [tag; 4] };
        let mut mine = Clock::default();
        mine.set(log, Ends::new(vec![end(1, 1), end(5, 2)]));
        let mut session = ScopeSession::new(mine, Completeness::Whole, None);
        let mut theirs = Clock::default();
        theirs.set(log, end(3, 3).into());
        session.peer_tells(theirs, false);
        assert_eq!(session.unsent(), [(log, end(5, 2), vec![end(3, 3)])]);
    }
}
