//! What a session knows of one shared scope: both clocks, what is on its way, what waits for an answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::Cursor;
use crate::clock::{Clock, Extent};
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
    /// Per log: up to where transactions are sent.
    pub(super) sent: BTreeMap<LogId, u64>,
    /// Forked logs that were sent from their beginning.
    pub(super) rewound: BTreeSet<LogId>,
    /// Logs that are being loaded to be sent.
    pub(super) loading: BTreeSet<LogId>,
    /// Runs that wait for others to travel with.
    pub(super) loaded: Vec<Run>,
    /// Per log: up to where the peer has sent, awaiting an acknowledgement.
    pub(super) owed: BTreeMap<LogId, u64>,
    /// Per log: batches with transactions of it that came and are not checked yet. Until then its end here may
    /// be that of another branch.
    pub(super) unchecked: BTreeMap<LogId, u32>,
    /// Pages are being sent to the peer, up to this clock at least.
    pub(super) serving: Option<Clock>,
    /// Pages are on their way here.
    pub(super) taking: bool,
    /// The peer holds the scope no longer: what it has is taken and it is given nothing. All that is
    /// durable here; `mine` shows of it what the peer has as well.
    pub(super) taken: Option<Clock>,
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
            rewound: BTreeSet::new(),
            loading: BTreeSet::new(),
            loaded: Vec::new(),
            owed: BTreeMap::new(),
            unchecked: BTreeMap::new(),
            serving: None,
            taking: false,
            taken: None,
        }
    }

    /// The session of a scope that the peer has lost and of which it may have unsent work.
    pub(super) fn taken(mine: Clock, completeness: Completeness) -> Self {
        Self { taken: Some(mine), ..Self::new(Clock::default(), completeness, None) }
    }

    /// Notes that a log is durable here.
    pub(super) fn durable(&mut self, log: LogId, extent: Extent) {
        match &mut self.taken {
            None => {
                self.mine.0.insert(log, extent);
            }
            Some(all) => {
                all.0.insert(log, extent);
                self.restrict();
            }
        }
    }

    /// Of a scope that is only taken, shows no more than the peer has.
    pub(super) fn restrict(&mut self) {
        let Some(all) = &self.taken else { return };
        let mut mine = Clock::default();
        let logs: BTreeSet<LogId> = self.peer.0.keys().chain(self.sent.keys()).copied().collect();
        for log in logs {
            let upto = self.peer.len_of(&log).max(self.sent.get(&log).copied().unwrap_or(0));
            let shown = match all.0.get(&log) {
                Some(extent) if extent.len <= upto => Some(*extent),
                Some(_) => self.peer.0.get(&log).copied(),
                None => None,
            };
            if let Some(extent) = shown {
                mine.0.insert(log, extent);
            }
        }
        self.mine = mine;
    }

    /// Logs of which the peer lacks something that has not been sent: (log, first position, what the
    /// peer has before it).
    pub(super) fn unsent(&self) -> Vec<(LogId, u64, Option<Extent>)> {
        if self.serving.is_some() || self.taken.is_some() {
            return Vec::new();
        }
        self.mine
            .0
            .iter()
            .filter(|(log, _)| !self.loading.contains(log))
            .filter_map(|(log, extent)| {
                let at_peer = self.peer.0.get(log).copied();
                let sent = self.sent.get(log).copied();
                if !self.rewound.contains(log)
                    && at_peer.is_some_and(|peer| self.is_other_branch(extent, peer))
                {
                    return Some((*log, 1, None));
                }
                let from = sent.unwrap_or(0).max(at_peer.map_or(0, |peer| peer.len)) + 1;
                // Only where nothing has been sent yet does the peer's head say anything.
                let known = if sent.is_some() { None } else { at_peer };
                (from <= extent.len).then_some((*log, from, known))
            })
            .collect()
    }

    /// Whether the peer holds, under a log's own name, another branch of it than the one here.
    fn is_other_branch(&self, mine: &Extent, peer: Extent) -> bool {
        peer.len >= mine.len
            && peer.head != mine.head
            && (peer.len == mine.len || self.mine.0.values().any(|branch| *branch == peer))
    }

    /// Takes the peer's word for what it has, even where that is less than what was believed. What is on
    /// its way already is sent again only where the peer turns out to have less than that built on, or
    /// asks for it.
    pub(super) fn peer_tells(&mut self, clock: Clock, again: bool) {
        let believed = std::mem::replace(&mut self.peer, clock);
        let told = &self.peer;
        self.sent.retain(|log, _| !again && told.len_of(log) >= believed.len_of(log));
        self.rewound.clear();
        self.told = true;
        self.restrict();
    }

    pub(super) fn in_sync(&self) -> bool {
        self.told
            && !self.taking
            && self.serving.is_none()
            && self.completeness == Completeness::Whole
            && self.mine == self.peer
    }

    /// Logs whose owed acknowledgement can be given.
    pub(super) fn payable(&mut self) -> Vec<(LogId, Extent)> {
        let mine = &self.mine;
        let due: Vec<(LogId, Extent)> = self
            .owed
            .iter()
            .filter(|(log, _)| !self.unchecked.contains_key(log))
            .filter_map(|(log, upto)| {
                let extent = mine.0.get(log)?;
                (extent.len >= *upto).then_some((*log, *extent))
            })
            .collect();
        for (log, _) in &due {
            self.owed.remove(log);
        }
        due
    }
}
