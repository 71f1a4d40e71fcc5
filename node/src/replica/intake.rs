//! Taking transactions in from a peer: checked against the logs, appended, durable, acknowledged. No
//! document is opened here; what the transactions mean follows in `apply`.

use std::collections::BTreeSet;
use std::sync::Arc;

use wangge_model::audit::{Entry, What};
use wangge_model::clock::{Clock, Extent, head_tag};
use wangge_model::identity::{DocId, LogId, ReplicaId, Scope};
use wangge_model::ingest::{Outcome, ingest};
use wangge_model::log::{Checked, LogError, Run};
use wangge_model::planted::{self, Bug};
use wangge_model::schema::Kind;
use wangge_model::session::Taken;
use wangge_model::transaction::ScopeSecret;
use wangge_model::tree;
use wangge_store::Batch;

use super::scope::{HeldScope, ScopeState, extent_of};
use super::vault::encode_record;
use super::{Replica, ReplicaError, State, encode, keys, lock, past};

/// A run that did not fit: what to ask the peer for.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The log.
    pub log: LogId,
    /// Whether it is needed from its beginning.
    pub from_its_beginning: bool,
}

/// What became of runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Those that did not fit.
    pub misfits: Vec<Misfit>,
    /// Where the others end: the log, the log or branch by the name under which it is held here, and the end.
    came: Vec<(LogId, LogId, Extent)>,
}

/// Why transactions of a peer are not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The peer broke a rule of form.
    #[error(transparent)]
    Log(#[from] LogError),
    /// One device opened more logs than it can have reason to: an epoch for each restore, a branch for
    /// each fork.
    #[error("replica {replica} has {max} logs of {scope}: no more forks and epochs are taken in")]
    Forks {
        /// Whose.
        replica: ReplicaId,
        /// Where.
        scope: Scope,
        /// How many it may have.
        max: usize,
    },
    /// Logs of devices that the roster does not know.
    #[error(
        "{STRANGERS_MAX} logs of {scope} are of devices that the roster does not know: no more are taken in"
    )]
    Strangers {
        /// Where.
        scope: Scope,
    },
    /// The peer gives a hash in place of a change, and no order here says why.
    #[error("a change to document {document} of log {log} is withheld, and no order of erasure says why")]
    Withheld {
        /// The log.
        log: LogId,
        /// The document.
        document: DocId,
    },
    /// This side cannot.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

/// Epochs and branches of one replica in one scope, at the centre.
const LOGS_OF_REPLICA_MAX: usize = 64;
/// The same elsewhere. What the centre took, others have to take, in whatever order it comes and whatever a
/// neighbour brought before: who counted as strictly would end honest sessions with the centre.
const LOGS_OF_REPLICA_ELSEWHERE_MAX: usize = 2 * LOGS_OF_REPLICA_MAX;
/// Logs of one scope whose authors the roster does not know (yet): what a device invents for itself is void,
/// and must not fill clocks either.
const STRANGERS_MAX: usize = 64;

impl Replica {
    /// Takes runs of one scope in. Returns at once; [`Replica::subscribe`] tells when they are durable.
    ///
    /// # Errors
    /// [`IntakeError::Log`] if the peer broke a rule; what came before the bad run is kept.
    pub fn ingest(self: &Arc<Self>, scope: &Scope, runs: Vec<Run>) -> Result<Intake, IntakeError> {
        self.recover()?;
        self.check_withheld(&runs)?;
        let mut intake = Intake::default();
        let mut rest = self.take_in(scope, runs, false, &mut intake)?;
        while !rest.is_empty() {
            self.settle()?;
            rest = self.take_in(scope, rest, true, &mut intake)?;
        }
        Ok(intake)
    }

    /// What a session is told of logs of which runs came: what of them is durable here and what is on its way there,
    /// and what of that the peer has, which holds `theirs`.
    pub fn taken(
        &self,
        scope: &Scope,
        logs: &BTreeSet<LogId>,
        intake: &Intake,
        theirs: Option<&Clock>,
    ) -> Vec<Taken> {
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return Vec::new() };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        let taken = |log: &LogId| {
            let came: Vec<_> = intake.came.iter().filter(|(root, ..)| root == log).collect();
            let due = came.iter().filter(|(_, piece, end)| scoped.durable.len_of(piece) < end.len);
            let at_peer = theirs.map(|clock| clock.ends_of(log)).unwrap_or_default();
            Taken {
                log: *log,
                due: due.map(|(_, piece, end)| (*piece, end.len)).collect(),
                came: came.iter().map(|(.., end)| *end).collect(),
                ends: scoped.ends(&held, log),
                passed: at_peer.iter().filter(|end| tree::find(&held, log, end).is_some()).copied().collect(),
            }
        };
        logs.iter().map(taken).collect()
    }

    /// Refuses runs in which a peer leaves out what no order allows it to: nobody may withhold.
    fn check_withheld(&self, runs: &[Run]) -> Result<(), IntakeError> {
        let withheld = || {
            let state = lock(&self.state);
            let mut erased = runs.iter().flat_map(|run| {
                run.transactions.iter().flat_map(|t| t.erased.iter().map(|e| (run.log, e.doc)))
            });
            erased.find(|(_, document)| !state.erased.contains(document))
        };
        if withheld().is_some() {
            // The order may have come a moment ago.
            self.settle()?;
            self.apply()?;
        }
        match withheld() {
            Some((log, document)) => Err(IntakeError::Withheld { log, document }),
            None => Ok(()),
        }
    }

    /// Waits until everything queued is on the disk.
    pub(super) fn settle(&self) -> Result<(), ReplicaError> {
        Ok(self.store.commit(Batch::new())?)
    }

    /// Takes runs in until one speaks of what is on its way to the disk, where it cannot be compared; returns that one
    /// and the rest, unless all that was on its way has `settled`.
    fn take_in(
        self: &Arc<Self>,
        scope: &Scope,
        runs: Vec<Run>,
        mut settled: bool,
        intake: &mut Intake,
    ) -> Result<Vec<Run>, IntakeError> {
        let mut news = Vec::new();
        let at_centre = self.at_centre(scope)?;
        let mut took_back = 0;
        let mut own_fork = false;
        let me = self.profile().replica();
        let mut early = Vec::new();
        let mut forked = Vec::new();
        let mut result = Ok(Vec::new());
        {
            let mut state = lock(&self.state);
            if let Some(reason) = &state.failed {
                return Err(ReplicaError::Failed { reason: reason.clone() }.into());
            }
            let State { scopes, erased, chain, .. } = &mut *state;
            // What is queued here builds on what was queued before it.
            let mut batch = Batch::of(chain);
            let roster = scopes.get(&Scope::Street).map(|street| street.secret.clone());
            let Some(scoped) = scopes.get_mut(scope) else {
                return Err(ReplicaError::NotHeld { scope: scope.clone() }.into());
            };
            let own = self.own_log(scope);
            let mut runs = runs.into_iter();
            while let Some(run) = runs.next() {
                let log = run.log;
                let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
                if !std::mem::take(&mut settled) && is_in_flight(scoped, &held, &run) {
                    result = Ok(std::iter::once(run).chain(runs).collect());
                    break;
                }
                match ingest(scope, &scoped.secret, &held, run) {
                    Err(error) => {
                        result = Err(error.into());
                        break;
                    }
                    Ok(Outcome::Below) => {}
                    Ok(Outcome::Known { log: piece, len }) => {
                        let end = Extent { len, head: held.tag(&piece, len) };
                        intake.came.push((log, piece, end));
                    }
                    Ok(Outcome::Append(mut checked)) => {
                        let piece = checked.log;
                        let opens = !scoped.tips.contains_key(&piece);
                        if opens && let Err(error) = self.may_open(scope, scoped, roster.as_ref(), &checked) {
                            result = Err(error);
                            break;
                        }
                        if piece == own {
                            took_back += checked.records.len() as u64;
                        }
                        if opens && let Some(branch) = &mut checked.tip.identity.branch {
                            if planted::is(Bug::DropBranch) {
                                continue;
                            }
                            // Where it was declared below a floor, the checkpoint names it.
                            if branch.base > 0 && branch.actor == [0; 16] {
                                branch.actor = self.actor_below(&held, &scoped.applied, &branch.of);
                            }
                            let (of, base) = (branch.of, branch.base);
                            tracing::warn!(%scope, log = %of, base, branch = %piece, "a log forked: both branches are kept");
                            // Another disk wrote as this replica.
                            own_fork |= checked.tip.identity.replica == me;
                            forked.push(piece);
                        }
                        intake.came.push((log, piece, extent_of(&checked.tip)));
                        self.append(scope, scoped, checked, (erased, &at_centre), &mut batch, &mut news);
                        if scoped.aside.contains(&piece) {
                            self.take_from_aside(scope, scoped, &piece, &mut batch, &mut news)?;
                        }
                    }
                    Ok(Outcome::Gap { log }) => {
                        intake.misfits.push(Misfit { log, from_its_beginning: false });
                    }
                    Ok(Outcome::Rewind { log }) => {
                        intake.misfits.push(Misfit { log, from_its_beginning: true });
                    }
                }
            }
            if !batch.is_empty() {
                // Queued while the lock is held: the order on the disk is the order in memory.
                let (replica, scope) = (Arc::clone(self), scope.clone());
                if planted::is(Bug::AckBeforeFsync) {
                    early.clone_from(&news);
                }
                self.store.commit_then(batch, move |done| match done {
                    Ok(()) => {
                        for (log, extent) in &news {
                            tracing::trace!(%log, len = extent.len, "transactions of a peer are durable");
                        }
                        replica.note_durable(&scope, &news);
                    }
                    Err(error) => {
                        tracing::error!(%scope, %error, "transactions of a peer could not be stored");
                        lock(&replica.state).failed = Some(error.to_string());
                        // Whoever waits for an acknowledgement must not wait for ever.
                        lock(&replica.subscribers).clear();
                    }
                });
            }
        }
        if !early.is_empty() {
            self.note_durable(scope, &early);
        }
        if took_back > 0 {
            tracing::warn!("this replica's own transactions came back from a peer: a new epoch begins");
            self.open_epoch()?;
        }
        if own_fork {
            self.note_past(past::What::Forked, 0)?;
        } else if took_back > 0 {
            self.note_past(past::What::TookBack, took_back)?;
        }
        let judges = self.is_centre();
        for log in forked.iter().filter(|_| judges) {
            let detail = format!("log {log} of {scope} forked: both branches are kept");
            self.audit(Entry::new(What::PEER_REFUSED).within(scope).because("a fork").detail(&detail))?;
        }
        result
    }

    /// Whether the author of a run may have one more log here.
    fn may_open(
        &self,
        scope: &Scope,
        scoped: &ScopeState,
        roster: Option<&ScopeSecret>,
        checked: &Checked,
    ) -> Result<(), IntakeError> {
        let replica = checked.tip.identity.replica;
        let logs = scoped.tips.values().filter(|tip| tip.identity.replica == replica).count();
        let max = if self.is_centre() { LOGS_OF_REPLICA_MAX } else { LOGS_OF_REPLICA_ELSEWHERE_MAX };
        if logs >= max {
            return Err(IntakeError::Forks { replica, scope: scope.clone(), max });
        }
        let Some(roster) = roster else { return Ok(()) };
        let centre = self.profile().centre();
        let is_known = |replica: &ReplicaId| -> Result<bool, ReplicaError> {
            let id = roster.natural_id(Kind::REPLICA, &replica.to_string(), 0);
            Ok(*replica == centre
                || self.store.get(&keys::document(&Scope::Street, Kind::REPLICA, &id))?.is_some())
        };
        if is_known(&replica)? {
            return Ok(());
        }
        let mut strangers = 0;
        for tip in scoped.tips.values() {
            strangers += usize::from(!is_known(&tip.identity.replica)?);
        }
        if strangers >= STRANGERS_MAX {
            return Err(IntakeError::Strangers { scope: scope.clone() });
        }
        Ok(())
    }

    fn append(
        &self,
        scope: &Scope,
        scoped: &mut ScopeState,
        checked: Checked,
        (erased, at_centre): (&BTreeSet<DocId>, &Clock),
        batch: &mut Batch,
        news: &mut Vec<(LogId, Extent)>,
    ) {
        let Checked { log, mut records, tip, .. } = checked;
        let is_of_centre = tip.identity.replica == self.profile().centre();
        for record in &mut records {
            let (named, seq) = (record.transaction.log, record.transaction.seq);
            if !erased.is_empty() && record.transaction.erase(&scoped.secret, |doc| erased.contains(doc)) {
                tracing::info!(%scope, %log, seq, "a change to an erased document is left out");
            }
            let end = Extent { len: seq, head: head_tag(&record.head) };
            let is_at_centre = is_of_centre || at_centre.may_hold(&named, &end);
            self.put_record(scope, (&log, seq), encode_record(record), is_at_centre, batch);
        }
        batch.put(keys::tip(scope, &log), encode(&tip));
        news.push((log, extent_of(&tip)));
        scoped.tips.insert(log, tip);
    }

    /// The log that this replica writes in a scope now.
    pub(super) fn own_log(&self, scope: &Scope) -> LogId {
        let profile = self.profile();
        LogId::derive(scope, &profile.replica(), profile.epoch())
    }

    /// Whether this replica writes a log, or wrote it in an earlier epoch.
    pub(super) fn is_own_log(&self, scope: &Scope, log: &LogId) -> bool {
        let profile = self.profile();
        let mut epochs = profile.earlier.iter().copied().chain([profile.epoch()]);
        epochs.any(|epoch| LogId::derive(scope, &profile.replica(), epoch) == *log)
    }
}

/// Whether the run speaks of positions of its log that are still on their way to the disk.
fn is_in_flight(scoped: &ScopeState, held: &HeldScope<'_>, run: &Run) -> bool {
    let last = run.transactions.last().map_or(0, |t| t.seq);
    let first = run.transactions.first().map_or(0, |t| t.seq);
    tree::pieces(held, &run.log).iter().any(|piece| {
        let len = scoped.tips.get(piece).map_or(0, |tip| tip.len);
        scoped.durable.len_of(piece) < len && first <= len && last > scoped.durable.len_of(piece)
    })
}
