//! Positions that do not count: found so here until the relay decides, void or accepted by its verdict,
//! and those that wait in its quarantine.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wangge_model::clock::Extent;
use wangge_model::document::{Document, Origin, stored_page};
use wangge_model::identity::{DocId, LogId, ReplicaId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{LogIdentity, LogRecord, Run, Tip};
use wangge_model::materialise::{Applied, Open, enter};
use wangge_model::right::{Act, judge};
use wangge_model::roster::RosterView;
use wangge_model::schema::Kind;
use wangge_model::transaction::ScopeSecret;
use wangge_model::tree;
use wangge_model::verdict::{Settled, Verdict, Void, VoidReason};
use wangge_store::Batch;

use super::apply::StoredDocuments;
use super::salvage::began;
use super::scope::{HeldScope, ScopeState};
use super::{Replica, ReplicaError, encode, keys, lock};

/// Positions that do not count, with the reason.
pub(super) type Voids = BTreeMap<(LogId, u64), VoidReason>;

/// What is decided in a scope.
pub(super) struct Decisions {
    /// Up to where, per log.
    pub(super) decided: BTreeMap<LogId, u64>,
    /// Positions that do not count, those of which that is only this replica's opinion included.
    pub(super) voids: Voids,
    /// What of it is in a backup of the centre, per log.
    pub(super) backed: BTreeMap<LogId, u64>,
}

/// What one round judges by.
pub(super) struct Bench {
    centre: ReplicaId,
    own: ReplicaId,
    secret: Option<ScopeSecret>,
    /// Its word is the verdict.
    pub(super) is_centre: bool,
    pub(super) roster: Option<Arc<RosterView>>,
    pub(super) now_ms: u64,
    /// Up to where the relay has decided each log, verdicts that are here but have not taken effect
    /// included.
    decided: BTreeMap<LogId, u64>,
    foreseen: Voids,
    /// Documents that are on their way back.
    pub(super) lacking: BTreeSet<DocId>,
    /// Bytes in quarantine, per revoked replica.
    quarantined: RefCell<BTreeMap<ReplicaId, u64>>,
}

impl Bench {
    pub(super) fn centre(&self) -> ReplicaId {
        self.centre
    }

    /// Whether it is the relay that finds a position against the rules of form.
    pub(super) fn says_form(&self, log: &LogId, seq: u64) -> bool {
        self.is_centre || self.foreseen.get(&(*log, seq)) == Some(&VoidReason::Form)
    }

    /// Why a position does not count, if it does not.
    pub(super) fn judge(
        &self,
        scope: &Scope,
        held: &HeldScope<'_>,
        voids: &Voids,
        log: &LogId,
        record: &LogRecord,
        after_ms: u64,
    ) -> Option<VoidReason> {
        let seq = record.transaction.seq;
        if let Some(reason) = voids.get(&(*log, seq)) {
            return Some(*reason);
        }
        if self.is_decided(log, seq) {
            return self.foreseen.get(&(*log, seq)).copied();
        }
        let author = &held.tips.get(log)?.identity;
        let roster = self.roster.as_ref()?;
        let transaction = &record.transaction;
        let secret = self.secret.as_ref()?;
        let act = Act { scope, author, transaction, secret, after_ms, observed_ms: self.now_ms };
        let reason = judge(roster, &self.centre, &act).err()?.reason;
        match reason {
            // Enrolled since this roster was made, perhaps. `street` alone decides who is.
            VoidReason::UnknownReplica if !self.is_centre && *scope != Scope::Street => None,
            VoidReason::Revoked if self.is_centre => Some(self.quarantine(&author.replica, roster, record)),
            reason => Some(reason),
        }
    }

    /// Whether a position was decided before, for good.
    pub(super) fn is_decided(&self, log: &LogId, seq: u64) -> bool {
        seq <= self.decided.get(log).copied().unwrap_or(0)
    }

    /// Makes room in the quarantine of a revoked replica, as far as there is any.
    fn quarantine(&self, replica: &ReplicaId, roster: &RosterView, record: &LogRecord) -> VoidReason {
        let mut quarantined = self.quarantined.borrow_mut();
        let taken = quarantined.entry(*replica).or_default();
        let len_bytes = record.transaction.to_bytes().len() as u64;
        if *taken + len_bytes > roster.policy().quarantine_len_bytes {
            return VoidReason::QuarantineFull;
        }
        *taken += len_bytes;
        VoidReason::Revoked
    }
}

/// A position in the relay's quarantine.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined {
    /// The scope.
    pub scope: Scope,
    /// The log.
    pub log: LogId,
    /// The replica that wrote it.
    pub replica: ReplicaId,
    /// Why it waits.
    pub reason: VoidReason,
    /// What is there.
    pub record: LogRecord,
}

/// A log that is held.
#[derive(Clone, Debug)]
pub struct LogState {
    /// The scope.
    pub scope: Scope,
    /// The log.
    pub log: LogId,
    /// Who writes it.
    pub identity: LogIdentity,
    /// Up to where it has taken effect, without what came after its replica was revoked.
    pub counts: u64,
}

impl Replica {
    /// What the next round in `scope` judges by.
    pub(super) fn bench(
        &self,
        scope: &Scope,
        held: &HeldScope<'_>,
        applied: &Applied,
        decided: &BTreeMap<LogId, u64>,
        voids: &Voids,
    ) -> Result<Bench, ReplicaError> {
        let profile = self.profile();
        let centre = profile.centre();
        let is_centre = profile.replica() == centre;
        let mut bench = Bench {
            centre,
            own: profile.replica(),
            secret: self.secret(scope),
            is_centre,
            roster: self.judging_roster()?,
            now_ms: self.now_ms(),
            decided: decided.clone(),
            foreseen: Voids::new(),
            lacking: self.lacking(scope),
            quarantined: RefCell::default(),
        };
        if is_centre {
            if voids.values().any(|reason| *reason == VoidReason::Revoked) {
                *bench.quarantined.borrow_mut() = self.quarantine_sizes();
            }
            return Ok(bench);
        }
        for (log, tip) in held.tips.iter().filter(|(_, tip)| tip.identity.replica == centre) {
            for seq in applied.len_of(log).max(tip.floor) + 1..=tip.len {
                let Some(record) = held.record(log, seq) else { break };
                for verdict in
                    record.transaction.verdicts.iter().flat_map(|verdict| meant(held, &bench.own, verdict))
                {
                    let upto = bench.decided.entry(verdict.log).or_default();
                    *upto = (*upto).max(verdict.upto);
                    for void in &verdict.voids {
                        bench.foreseen.insert((verdict.log, void.seq), void.reason);
                    }
                    for settled in &verdict.settled {
                        let at = (verdict.log, settled.seq);
                        if settled.accepted {
                            bench.foreseen.remove(&at);
                        } else {
                            bench.foreseen.insert(at, VoidReason::Discarded);
                        }
                    }
                }
            }
        }
        tracing::trace!(%scope, "a round begins");
        Ok(bench)
    }

    /// Documents of a scope that did not open and are on their way back.
    pub(super) fn lacking(&self, scope: &Scope) -> BTreeSet<DocId> {
        lock(&self.state).scopes.get(scope).map(|scoped| scoped.lacking.clone()).unwrap_or_default()
    }

    /// Lets verdicts take effect: what they void leaves its documents, what they accept enters them.
    pub(super) fn take_verdicts(
        &self,
        documents: &StoredDocuments<'_>,
        open: &mut Open,
        applied: &Applied,
        decisions: &mut Decisions,
        verdicts: &[Verdict],
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        let (scope, me) = (documents.scope, &documents.bench.own);
        let Decisions { decided, voids, backed } = decisions;
        let (mut entering, mut withdrawn) = (Vec::new(), false);
        let verdicts: Vec<Verdict> =
            verdicts.iter().flat_map(|verdict| meant(documents.held, me, verdict)).collect();
        for verdict in &verdicts {
            let log = verdict.log;
            if documents.is_of_centre(&log) {
                // About its own log the relay says up to where a backup holds it.
                note_backup(documents.held, me, (&log, verdict.upto), backed);
                batch.put(keys::backed(scope), encode(backed));
                continue;
            }
            let before = decided.get(&log).copied().unwrap_or(0);
            let upto = before.max(verdict.upto);
            if upto == before && verdict.voids.is_empty() && verdict.settled.is_empty() {
                // What a branch shares with others was decided before it.
                continue;
            }
            decided.insert(log, upto);
            batch.put(keys::decided(scope, &log), encode(&upto));
            if verdict.observed_ms > 0 {
                batch.put(keys::observed(scope, &log, verdict.upto), encode(&verdict.observed_ms));
            }
            entering.push((verdict, before, upto));
            for void in &verdict.voids {
                let known = voids.insert((log, void.seq), void.reason);
                if known != Some(void.reason) {
                    batch.put(keys::void(scope, &log, void.seq), encode(&void.reason));
                }
                if known.is_none() && applied.len_of(&log) >= void.seq {
                    self.withdraw(documents, open, &log, void.seq)?;
                    withdrawn = true;
                }
            }
        }
        // What one verdict takes out may make room for what another lets in.
        for (verdict, before, upto) in entering {
            let log = verdict.log;
            // What was doubtful here and counts after all.
            let doubted: Vec<u64> = voids
                .range((log, before.saturating_add(1).min(upto))..=(log, upto))
                .filter(|((_, seq), reason)| {
                    *seq > before
                        && **reason != VoidReason::Form
                        && !verdict.voids.iter().any(|void| void.seq == *seq)
                })
                .map(|((_, seq), _)| *seq)
                .collect();
            let accepted = verdict.settled.iter().filter(|settled| settled.accepted).map(|s| s.seq);
            for seq in doubted.into_iter().chain(accepted) {
                if voids.contains_key(&(log, seq)) {
                    self.let_in(documents, open, applied, (log, seq), voids, batch)?;
                }
            }
            for Settled { seq, .. } in verdict.settled.iter().filter(|settled| !settled.accepted) {
                voids.insert((log, *seq), VoidReason::Discarded);
                batch.put(keys::void(scope, &log, *seq), encode(&VoidReason::Discarded));
            }
        }
        if withdrawn {
            let is_decided = |log: &LogId, seq: u64| seq <= decided.get(log).copied().unwrap_or(0);
            let unfit: Vec<(LogId, u64)> = voids
                .iter()
                .filter(|((log, seq), reason)| **reason == VoidReason::Unfit && is_decided(log, *seq))
                .map(|(at, _)| *at)
                .collect();
            for at in unfit {
                self.let_in(documents, open, applied, at, voids, batch)?;
            }
        }
        Ok(())
    }

    /// Lets this replica's own verdicts take effect, in the batch that stores them. Nothing if there are
    /// none.
    pub(super) fn own_verdicts(
        &self,
        scope: &Scope,
        applied: &Applied,
        verdicts: &[Verdict],
        batch: &mut Batch,
    ) -> Result<Option<Decisions>, ReplicaError> {
        if verdicts.is_empty() {
            return Ok(None);
        }
        let (tips, mut decisions) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(None) };
            let (decided, voids) = (scoped.decided.clone(), scoped.voids.clone());
            (scoped.tips.clone(), Decisions { decided, voids, backed: scoped.backed.clone() })
        };
        let held = HeldScope { store: &self.store, scope, tips: &tips };
        let bench = self.bench(scope, &held, applied, &decisions.decided, &decisions.voids)?;
        let mut open = Open::default();
        let known = decisions.voids.clone();
        let documents = StoredDocuments { replica: self, scope, held: &held, voids: &known, bench: &bench };
        self.take_verdicts(&documents, &mut open, applied, &mut decisions, verdicts, batch)?;
        for document in open.drain_changed() {
            self.put_document(scope, &document, batch);
        }
        Ok(Some(decisions))
    }

    /// Lets a position that the relay accepts take effect, or notes that it does not fit yet.
    fn let_in(
        &self,
        documents: &StoredDocuments<'_>,
        open: &mut Open,
        applied: &Applied,
        (log, seq): (LogId, u64),
        voids: &mut Voids,
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        let key = keys::void(documents.scope, &log, seq);
        if self.enter(documents, open, applied, &log, seq)? {
            voids.remove(&(log, seq));
            batch.delete(key);
        } else {
            voids.insert((log, seq), VoidReason::Unfit);
            batch.put(key, encode(&VoidReason::Unfit));
        }
        Ok(())
    }

    /// Lets a position that did not count take effect after all. Whether it could.
    fn enter(
        &self,
        documents: &StoredDocuments<'_>,
        open: &mut Open,
        applied: &Applied,
        log: &LogId,
        seq: u64,
    ) -> Result<bool, ReplicaError> {
        if applied.len_of(log) < seq {
            return Ok(true);
        }
        let Some(record) = documents.held.record(log, seq) else { return Ok(true) };
        let actor = self.actor_at(documents.held, log, seq);
        match enter(documents, open, log, &record.transaction, actor)? {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::warn!(scope = %documents.scope, %log, seq, %error, "what was accepted cannot enter yet");
                Ok(false)
            }
        }
    }

    /// The Automerge actor in use at a position that is held. Of a log that came in pages it may have been declared
    /// below the floor: then the checkpoint names it, or it is the one that is still in use.
    pub(super) fn actor_at(&self, held: &HeldScope<'_>, log: &LogId, seq: u64) -> [u8; 16] {
        let declared = Applied::at(held, log, seq).actor;
        if declared != [0; 16] {
            return declared;
        }
        let applied = lock(&self.state).scopes.get(held.scope).map(|scoped| scoped.applied.clone());
        self.actor_below(held, &applied.unwrap_or_default(), &tree::owner(held, log, seq))
    }

    /// The actor that was declared below the floor of a log.
    pub(super) fn actor_below(&self, held: &HeldScope<'_>, applied: &Applied, log: &LogId) -> [u8; 16] {
        let floor = held.tips.get(log).map_or(0, |tip| tip.floor);
        match began(&self.store, held.scope, log, floor) {
            Some(entry) => entry.actor,
            None => applied.0.get(log).map_or([0; 16], |applied| applied.actor),
        }
    }

    /// Takes the changes of a position that turned out void out of their documents again.
    fn withdraw(
        &self,
        documents: &StoredDocuments<'_>,
        open: &mut Open,
        log: &LogId,
        seq: u64,
    ) -> Result<(), ReplicaError> {
        let held = documents.held;
        let named = tree::root(held, log);
        let record = held.record(log, seq);
        let actor = record.as_ref().map(|_| self.actor_at(held, log, seq));
        let of_others = match actor {
            Some(_) => BTreeSet::new(),
            None => self.actors_beside(held, log, seq),
        };
        let is_it = |origin: &Origin| {
            let is_his = actor.map_or_else(|| !of_others.contains(&origin.actor), |his| his == origin.actor);
            origin.log == named && origin.seq == seq && is_his
        };
        let places = match &record {
            Some(record) => {
                record.transaction.changes.iter().map(|change| (change.kind, change.doc)).collect()
            }
            // A peer is to deliver it once more, and will find it void: what it changed, the documents say.
            None => self.changed_at(documents.scope, is_it)?,
        };
        for (kind, doc) in places {
            let document = match open.document(&doc) {
                Some(document) => Some(document.clone()),
                None => self.load_document(documents.scope, kind, &doc)?,
            };
            let Some(document) = document else { continue };
            let without: Document = document.without(is_it).map_err(|e| ReplicaError::Form(e.to_string()))?;
            open.replace(without);
        }
        Ok(())
    }

    /// The actors that other branches of a log used at a position.
    fn actors_beside(&self, held: &HeldScope<'_>, log: &LogId, seq: u64) -> BTreeSet<[u8; 16]> {
        let pieces = tree::pieces(held, &tree::root(held, log));
        let others = pieces.iter().filter(|piece| *piece != log && tree::owner(held, piece, seq) == **piece);
        let read = others.filter(|piece| held.record(piece, seq).is_some());
        read.map(|piece| self.actor_at(held, piece, seq)).collect()
    }

    /// Documents that can be read and hold a change of which `is_it` says so.
    fn changed_at(
        &self,
        scope: &Scope,
        is_it: impl Fn(&Origin) -> bool,
    ) -> Result<Vec<(Kind, DocId)>, ReplicaError> {
        let mut changed = Vec::new();
        for key in self.store.scan_keys(&keys::documents(scope)) {
            let key = key?;
            if let Some(cursor) = keys::cursor_of(&key)
                && let Ok(Some(bytes)) = self.store.get(&key)
                && let Ok(page) = stored_page(cursor.doc, &bytes)
                && page.changes.iter().any(|change| is_it(&change.origin))
            {
                changed.push((page.kind, cursor.doc));
            }
        }
        Ok(changed)
    }

    /// Judges again what was doubtful here and is not decided, after the roster changed.
    pub(super) fn reconsider(&self, scope: &Scope) -> Result<(), ReplicaError> {
        let (tips, applied, decided, mut voids) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(()) };
            (scoped.tips.clone(), scoped.applied.clone(), scoped.decided.clone(), scoped.voids.clone())
        };
        let doubted: Vec<(LogId, u64)> = voids
            .iter()
            .filter(|((log, seq), reason)| {
                !matches!(reason, VoidReason::Form | VoidReason::Unfit)
                    && *seq > decided.get(log).copied().unwrap_or(0)
            })
            .map(|(at, _)| *at)
            .collect();
        if doubted.is_empty() {
            return Ok(());
        }
        let held = HeldScope { store: &self.store, scope, tips: &tips };
        let bench = self.bench(scope, &held, &applied, &decided, &voids)?;
        let mut open = Open::default();
        let mut batch = Batch::new();
        for (log, seq) in doubted {
            let Some(record) = held.record(&log, seq) else { continue };
            let after_ms = applied.0.get(&log).map_or(0, |applied| applied.after_ms);
            if bench.judge(scope, &held, &Voids::new(), &log, &record, after_ms).is_none() {
                voids.remove(&(log, seq));
                batch.delete(keys::void(scope, &log, seq));
                let documents =
                    StoredDocuments { replica: self, scope, held: &held, voids: &voids, bench: &bench };
                let _fits = self.enter(&documents, &mut open, &applied, &log, seq)?;
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        for document in open.drain_changed() {
            self.put_document(scope, &document, &mut batch);
        }
        self.store.commit(batch)?;
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.voids = voids;
        }
        Ok(())
    }

    /// Whether anything durable of a scope waits for the relay's decision.
    pub fn awaits_decision(&self, scope: &Scope) -> bool {
        let centre = self.profile().centre();
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return false };
        let ended = |log| scoped.applied.0.get(log).is_some_and(|applied| applied.ended.is_some());
        let decided = |log| scoped.decided.get(log).copied().unwrap_or(0);
        let mut others = scoped.tips.iter().filter(|(_, tip)| tip.identity.replica != centre);
        others.any(|(log, tip)| tip.len > decided(log) && !ended(log))
    }

    /// What has taken effect and is not decided: the relay writes these verdicts into its log.
    pub fn undecided(&self) -> Vec<(Scope, Vec<Verdict>)> {
        let now = self.now_ms();
        let centre = self.profile().centre();
        let roster = self.roster().map_or(0, |roster| roster.version);
        let state = lock(&self.state);
        let mut all = Vec::new();
        for (scope, scoped) in &state.scopes {
            let mut verdicts = Vec::new();
            let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
            let mut logs: Vec<_> = scoped.applied.0.iter().collect();
            // What branches share is decided before them.
            logs.sort_by_key(|(log, _)| held.leaves(log).map_or(0, |(_, base)| base + 1));
            for (log, applied) in logs {
                let own = scoped.tips.get(log).is_none_or(|tip| tip.identity.replica == centre);
                let decided = scoped.decided.get(log).copied().unwrap_or(0);
                if own || applied.len <= decided {
                    continue;
                }
                let voids = scoped
                    .voids
                    .range((*log, decided + 1)..=(*log, applied.len))
                    .map(|((_, seq), reason)| Void { seq: *seq, reason: *reason })
                    .collect();
                verdicts.push(Verdict {
                    log: tree::root(&held, log),
                    upto: applied.len,
                    head: held.tag(log, applied.len),
                    observed_ms: now,
                    roster,
                    voids,
                    settled: Vec::new(),
                });
            }
            if !verdicts.is_empty() {
                all.push((scope.clone(), verdicts));
            }
        }
        all
    }

    /// A position of a log or branch as a verdict names it: the log by the name that its transactions bear, and the
    /// first bytes of the head.
    pub fn position_named(&self, scope: &Scope, log: &LogId, seq: u64) -> (LogId, [u8; 4]) {
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return (*log, [0; 4]) };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        (tree::root(&held, log), held.tag(log, seq))
    }

    /// The first bytes of the head at a position on the way to what a verdict decides.
    pub fn head_before(&self, scope: &Scope, verdict: &Verdict, seq: u64) -> [u8; 4] {
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return [0; 4] };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        let end = Extent { len: verdict.upto, head: verdict.head };
        tree::find(&held, &verdict.log, &end).map_or([0; 4], |piece| held.tag(&piece, seq))
    }

    /// Positions that wait for a person to accept or discard them, by scope, log and position.
    pub fn quarantined(&self) -> Vec<Quarantined> {
        let mut found = Vec::new();
        for (scope, tips, voids) in self.all_voids() {
            let held = HeldScope { store: &self.store, scope: &scope, tips: &tips };
            for ((log, seq), reason) in voids.into_iter().filter(|(_, reason)| reason.is_quarantine()) {
                let Some(tip) = tips.get(&log) else { continue };
                let Some(record) = held.record(&log, seq) else { continue };
                let replica = tip.identity.replica;
                found.push(Quarantined { scope: scope.clone(), log, replica, reason, record });
            }
        }
        found
    }

    /// All logs that are held, in all scopes.
    pub fn logs(&self) -> Vec<LogState> {
        let state = lock(&self.state);
        let mut logs = Vec::new();
        for (scope, scoped) in &state.scopes {
            for (log, tip) in &scoped.tips {
                let applied = scoped.applied.len_of(log);
                let cut = scoped.voids.range((*log, 0)..=(*log, applied));
                let cut = cut
                    .filter(|(_, reason)| **reason == VoidReason::Revoked)
                    .map(|((_, seq), _)| *seq)
                    .next();
                let counts = cut.map_or(applied, |seq| seq - 1);
                logs.push(LogState {
                    scope: scope.clone(),
                    log: *log,
                    identity: tip.identity.clone(),
                    counts,
                });
            }
        }
        logs
    }

    /// Up to where the centre has decided a log, as far as this replica knows.
    pub fn decided(&self, scope: &Scope, log: &LogId) -> u64 {
        let state = lock(&self.state);
        state.scopes.get(scope).and_then(|scoped| scoped.decided.get(log).copied()).unwrap_or(0)
    }

    /// Why a position does not count; `None` if it does or is not known here.
    pub fn void_reason(&self, scope: &Scope, log: &LogId, seq: u64) -> Option<VoidReason> {
        lock(&self.state).scopes.get(scope)?.voids.get(&(*log, seq)).copied()
    }

    /// Says in the relay's own logs of `scope` that a backup holds them up to these positions, and so all
    /// that they decide.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub fn commit_backed(&self, scope: &Scope, logs: &BTreeMap<LogId, u64>) -> Result<(), ReplicaError> {
        let roster = self.roster().map_or(0, |roster| roster.version);
        let backed = |(log, upto): (&LogId, &u64)| {
            let (log, head) = self.position_named(scope, log, *upto);
            let observed_ms = self.now_ms();
            Verdict { log, upto: *upto, head, observed_ms, roster, voids: Vec::new(), settled: Vec::new() }
        };
        self.commit_verdicts(scope, logs.iter().map(backed).collect())
    }

    /// The ends of this replica's own logs of a scope, those of earlier epochs included.
    pub fn own_ends(&self, scope: &Scope) -> BTreeMap<LogId, u64> {
        let own = self.profile().replica();
        let state = lock(&self.state);
        let logs = state.scopes.get(scope).into_iter().flat_map(|scoped| {
            scoped
                .durable
                .0
                .iter()
                .filter(|(log, _)| scoped.tips.get(log).is_some_and(|tip| tip.identity.replica == own))
        });
        logs.map(|(log, extent)| (*log, extent.len)).collect()
    }

    /// Bytes of a replica's work that wait in quarantine because it is revoked.
    pub fn quarantined_len_bytes(&self, replica: &ReplicaId) -> u64 {
        self.quarantine_sizes().get(replica).copied().unwrap_or(0)
    }

    /// How many bytes more of a replica's own work are taken from it before the centre has decided on what is
    /// here: it may have been revoked, and this replica has not heard. `None`: as many as it has.
    ///
    /// # Errors
    /// If the roster cannot be read.
    pub fn carried_room_len_bytes(&self, author: &ReplicaId) -> Result<Option<u64>, ReplicaError> {
        if self.is_centre() || *author == self.profile().centre() {
            return Ok(None);
        }
        let allowed = self.roster()?.policy().carried_len_bytes;
        Ok(Some(allowed.saturating_sub(self.undecided_len_bytes(author))))
    }

    /// Bytes of a replica's work that are held here and that the centre has not decided on.
    fn undecided_len_bytes(&self, author: &ReplicaId) -> u64 {
        let state = lock(&self.state);
        let of_scope = |(scope, scoped): (&Scope, &ScopeState)| {
            let own = scoped.tips.iter().filter(|(_, tip)| tip.identity.replica == *author);
            let tips: BTreeMap<LogId, Tip> = own.map(|(log, tip)| (*log, tip.clone())).collect();
            (scope.clone(), tips, scoped.decided.clone())
        };
        let scopes: Vec<_> = state.scopes.iter().map(of_scope).collect();
        drop(state);
        let mut len_bytes = 0;
        for (scope, tips, decided) in &scopes {
            let held = HeldScope { store: &self.store, scope, tips };
            for (log, tip) in tips {
                let begins = tip.identity.branch.as_ref().map_or(0, |branch| branch.base);
                let known = decided.get(log).copied().unwrap_or(0).max(tip.floor).max(begins);
                let records = (known + 1..=tip.len).filter_map(|seq| held.record(log, seq));
                len_bytes += records.map(|record| record.transaction.to_bytes().len() as u64).sum::<u64>();
            }
        }
        len_bytes
    }

    /// Whose work a run is, as far as it is said or known here; that it is signed by him is not checked.
    pub fn author(&self, scope: &Scope, run: &Run) -> Option<ReplicaId> {
        if let Some(opening) = run.transactions.first().and_then(|first| first.opening.as_ref()) {
            return Some(opening.replica);
        }
        let state = lock(&self.state);
        let tips = &state.scopes.get(scope)?.tips;
        Some(tips.get(&run.log)?.identity.replica)
    }

    fn all_voids(&self) -> Vec<(Scope, BTreeMap<LogId, Tip>, Voids)> {
        let state = lock(&self.state);
        let scopes = state.scopes.iter().filter(|(_, scoped)| !scoped.voids.is_empty());
        scopes.map(|(scope, scoped)| (scope.clone(), scoped.tips.clone(), scoped.voids.clone())).collect()
    }

    fn quarantine_sizes(&self) -> BTreeMap<ReplicaId, u64> {
        let mut sizes: BTreeMap<ReplicaId, u64> = BTreeMap::new();
        for found in self.quarantined().into_iter().filter(|found| found.reason == VoidReason::Revoked) {
            *sizes.entry(found.replica).or_default() += found.record.transaction.to_bytes().len() as u64;
        }
        sizes
    }
}

/// The verdict as several, one for each log and branch on the way to what it decides, under the names that they have
/// here. None if it is about a branch that is not here. `me` is this replica.
fn meant(held: &HeldScope<'_>, me: &ReplicaId, verdict: &Verdict) -> Vec<Verdict> {
    let Verdict { log, upto, head, .. } = *verdict;
    if head == [0; 4] {
        // The name alone says it.
        return vec![verdict.clone()];
    }
    let piece = tree::named(held, &log, &Extent { len: upto, head });
    let log = tree::root(held, &log);
    // Before any of the log's branches has come so far, there is but one that it can be about: unless this replica
    // writes the log, was put back to an earlier state, and has written something else since.
    let may_come = |tip: &Tip| tip.len < upto && tip.identity.replica != *me;
    let is_ahead = || held.branches(&log).is_empty() && held.tips.get(&log).is_none_or(may_come);
    let Some(piece) = piece.or_else(|| is_ahead().then_some(log)) else { return Vec::new() };
    let of_piece = |(log, last): (LogId, u64)| {
        let base = held.leaves(&log).map_or(0, |(_, base)| base);
        let is_there = |seq: u64| base < seq && seq <= last;
        let voids = verdict.voids.iter().filter(|void| is_there(void.seq)).cloned().collect();
        let settled = verdict.settled.iter().filter(|settled| is_there(settled.seq)).cloned().collect();
        Verdict { log, upto: last, voids, settled, ..verdict.clone() }
    };
    tree::way(held, &piece, upto).into_iter().filter(|(_, last)| *last > 0).map(of_piece).collect()
}

/// Notes what the relay's log `own` had decided up to a position: a backup holds that.
fn note_backup(
    held: &HeldScope<'_>,
    me: &ReplicaId,
    (own, upto): (&LogId, u64),
    backed: &mut BTreeMap<LogId, u64>,
) {
    let mut note = |log: LogId, len: u64| {
        let known = backed.entry(log).or_default();
        *known = (*known).max(len);
    };
    note(*own, upto);
    let floor = held.tips.get(own).map_or(0, |tip| tip.floor);
    if upto >= floor {
        // What came in pages had been decided before the relay wrote what follows its floor.
        for (log, tip) in held.tips {
            note(*log, tip.floor);
        }
    }
    for record in (floor + 1..=upto).map_while(|seq| held.record(own, seq)) {
        for verdict in record.transaction.verdicts.iter().flat_map(|verdict| meant(held, me, verdict)) {
            note(verdict.log, verdict.upto);
        }
    }
}
