//! Letting transactions take effect: runs behind the intake, in causal order, each whole or not at all.

use std::collections::BTreeMap;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use wangge_model::audit::{Entry, Source, What};
use wangge_model::document::{Document, DocumentError};
use wangge_model::identity::{DocId, LogId, ReplicaId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{LogRecord, Tip};
use wangge_model::materialise::{Documents, Effect, Open};
use wangge_model::schema::Kind;
use wangge_model::verdict::{Verdict, Void, VoidReason};
use wangge_store::Batch;

use super::scope::{HeldScope, ScopeState};
use super::verdicts::{Bench, Decisions, Voids};
use super::{Replica, ReplicaError, encode, keys, lock};

/// Transactions that take effect together, in one batch.
const ROUND_TRANSACTIONS_MAX: usize = 256;
/// Documents that are open at once.
const ROUND_DOCUMENTS_MAX: usize = 1_024;

/// Keys with their new values, `None` to delete.
pub(super) type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The documents of one scope, for the model.
pub(super) struct StoredDocuments<'a> {
    pub(super) replica: &'a Replica,
    pub(super) scope: &'a Scope,
    pub(super) held: &'a HeldScope<'a>,
    pub(super) voids: &'a Voids,
    pub(super) bench: &'a Bench,
}

impl StoredDocuments<'_> {
    /// Whether the relay writes a log.
    pub(super) fn is_of_centre(&self, log: &LogId) -> bool {
        self.held.tips.get(log).is_some_and(|tip| tip.identity.replica == self.bench.centre())
    }
}

impl Documents for StoredDocuments<'_> {
    fn load(&self, doc: &DocId, kind: Kind) -> Result<Option<Document>, DocumentError> {
        self.replica.load_document(self.scope, kind, doc).map_err(|error| match error {
            ReplicaError::Document(error) => error,
            other => DocumentError::Damaged { doc: *doc, reason: other.to_string() },
        })
    }

    fn void(&self, log: &LogId, record: &LogRecord, after_ms: u64) -> Option<VoidReason> {
        let reason = self.bench.judge(self.scope, self.held, self.voids, log, record, after_ms);
        if reason.is_some() || !self.bench.is_centre || self.is_of_centre(log) {
            return reason;
        }
        if self.bench.is_decided(log, record.transaction.seq) {
            return None;
        }
        // Only the centre sees all scopes. Ids name documents everywhere, so nobody may take another's.
        let taken = |doc: &DocId| self.replica.home(doc).is_some_and(|home| home != *self.scope);
        record.transaction.changes.iter().any(|change| taken(&change.doc)).then_some(VoidReason::OtherUnit)
    }

    fn centre(&self) -> ReplicaId {
        self.bench.centre()
    }

    fn voided(&self, doc: &DocId) -> Vec<(LogId, [u8; 16], LogRecord)> {
        let mut found: Vec<_> = self
            .voids
            .keys()
            .filter_map(|(log, seq)| {
                let record = self.held.record(log, *seq)?;
                let touches = record.transaction.changes.iter().any(|change| change.doc == *doc);
                touches.then(|| (*log, self.replica.actor_at(self.held, log, *seq), record))
            })
            .collect();
        found.sort_by_key(|(_, _, record)| {
            let transaction = &record.transaction;
            // The head tells branches apart, whatever they are called here.
            (transaction.lamport, transaction.log, transaction.seq, record.head)
        });
        found
    }

    fn knows(&self, kind: Kind, base: u8) -> bool {
        self.replica.program.knows(kind, base)
    }

    fn lacks(&self, doc: &DocId) -> bool {
        self.bench.lacking.contains(doc)
    }

    fn observed_ms(&self, _: &LogId, _: u64) -> u64 {
        if self.bench.is_centre { self.bench.now_ms } else { 0 }
    }
}

impl Replica {
    /// Lets all that is durable and ready take effect. Returns whether anything did.
    ///
    /// # Errors
    /// [`ReplicaError`] if the store or a document is damaged.
    pub fn apply(&self) -> Result<bool, ReplicaError> {
        let any = {
            let turn = lock(&self.documents);
            self.apply_all(&turn)?
        };
        self.obey_if_due()?;
        Ok(any)
    }

    pub(super) fn apply_all(&self, _turn: &MutexGuard<'_, ()>) -> Result<bool, ReplicaError> {
        let awaits = self.awaits_street();
        let is_served = |(scope, _): &(&Scope, &ScopeState)| !awaits || **scope == Scope::Street;
        let foretold: Vec<Scope> = {
            let state = lock(&self.state);
            let foretold =
                state.scopes.iter().filter(is_served).filter(|(_, scoped)| !scoped.foretold.is_empty());
            foretold.map(|(scope, _)| scope.clone()).collect()
        };
        for scope in foretold {
            if let Err(error) = self.take_foretold(&scope) {
                tracing::warn!(%scope, %error, "what was decided of a log that came back cannot be taken yet");
            }
        }
        let behind: Vec<Scope> = lock(&self.state)
            .scopes
            .iter()
            .filter(is_served)
            .filter(|(_, state)| state.durable.0.iter().any(|(log, e)| state.applied.len_of(log) < e.len))
            .map(|(scope, _)| scope.clone())
            .collect();
        let mut any = false;
        let roster = behind.contains(&Scope::Street).then(|| *self.roster_news().borrow());
        for scope in behind {
            while self.apply_round(&scope)? {
                any = true;
            }
        }
        if roster.is_some_and(|before| *self.roster_news().borrow() != before) && !self.is_centre() {
            for scope in self.scopes() {
                self.reconsider(&scope)?;
            }
        }
        Ok(any)
    }

    /// One batch of one scope. Returns whether anything took effect.
    fn apply_round(&self, scope: &Scope) -> Result<bool, ReplicaError> {
        let (tips, durable, mut applied, mut decisions) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(false) };
            let (tips, durable) = (scoped.tips.clone(), scoped.durable.clone());
            let (decided, voids) = (scoped.decided.clone(), scoped.voids.clone());
            let decisions = Decisions { decided, voids, backed: scoped.backed.clone() };
            (tips, durable, scoped.applied.clone(), decisions)
        };
        let held = HeldScope { store: &self.store, scope, tips: &tips };
        let bench = self.bench(scope, &held, &applied, &decisions.decided, &decisions.voids)?;
        let mut open = Open::default();
        let mut batch = Batch::new();
        let mut taken = 0;
        let mut found_void: Vec<(LogId, Void)> = Vec::new();
        let mut ended: BTreeMap<LogId, String> = BTreeMap::new();
        let mut verdicts: Vec<Verdict> = Vec::new();
        let logs: Vec<LogId> = durable.0.keys().copied().collect();
        let mut progress = true;
        while progress && taken < ROUND_TRANSACTIONS_MAX && open.len() < ROUND_DOCUMENTS_MAX {
            progress = false;
            for log in &logs {
                let Some(tip) = tips.get(log) else { continue };
                while applied.len_of(log) < durable.len_of(log)
                    && taken < ROUND_TRANSACTIONS_MAX
                    && open.len() < ROUND_DOCUMENTS_MAX
                {
                    let documents = StoredDocuments {
                        replica: self,
                        scope,
                        held: &held,
                        voids: &decisions.voids,
                        bench: &bench,
                    };
                    let (effect, record) = applied.step(&held, &documents, &mut open, log, tip)?;
                    if effect == Effect::NeedsUpdate {
                        tracing::warn!(%scope, %log, "a newer version wrote this log: update this program");
                    }
                    let Some(record) = record else { break };
                    progress = true;
                    taken += 1;
                    let seq = record.transaction.seq;
                    let void = match effect {
                        Effect::Waits | Effect::NeedsUpdate => break,
                        Effect::Applied => None,
                        Effect::Void(reason) => Some(reason),
                        Effect::Ended(error) => {
                            tracing::warn!(%scope, %error, "a log breaks a rule of form and ends here");
                            ended.entry(*log).or_insert_with(|| error.to_string());
                            Some(VoidReason::Form)
                        }
                    };
                    // Two branches of one author may exclude each other: which came first, the relay says.
                    let void = match void {
                        Some(VoidReason::Form) if !bench.says_form(log, seq) => Some(VoidReason::Unfit),
                        void => void,
                    };
                    if let Some(reason) = void
                        && decisions.voids.insert((*log, seq), reason).is_none()
                    {
                        found_void.push((*log, Void { seq, reason }));
                    }
                    if tip.identity.replica == bench.centre() {
                        verdicts.extend(record.transaction.verdicts);
                    }
                }
            }
        }
        if taken == 0 {
            return Ok(false);
        }
        for (log, void) in &found_void {
            batch.put(keys::void(scope, log, void.seq), encode(&void.reason));
        }
        if !verdicts.is_empty() {
            let known = decisions.voids.clone();
            let documents =
                StoredDocuments { replica: self, scope, held: &held, voids: &known, bench: &bench };
            self.take_verdicts(&documents, &mut open, &applied, &mut decisions, &verdicts, &mut batch)?;
        }
        let mut changed = Vec::new();
        for document in open.drain_changed() {
            self.put_document(scope, &document, &mut batch);
            changed.push((document.kind(), document.id()));
        }
        batch.put(keys::applied(scope), encode(&applied));
        self.store.commit(batch)?;
        if bench.is_centre {
            self.record_voids(scope, &tips, &found_void, &ended)?;
        }
        self.crossing.note(scope, changed);
        self.tell_photos();
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.applied = applied;
            scoped.decide(Some(decisions));
        }
        if *scope == Scope::Street {
            self.orders_due.store(true, Ordering::Release);
            self.refresh_roster()?;
        } else if self.has_removals(scope) {
            self.orders_due.store(true, Ordering::Release);
        }
        Ok(true)
    }

    /// Tells the audit what does not count and why: one entry for each log and reason.
    fn record_voids(
        &self,
        scope: &Scope,
        tips: &BTreeMap<LogId, Tip>,
        voids: &[(LogId, Void)],
        ended: &BTreeMap<LogId, String>,
    ) -> Result<(), ReplicaError> {
        let mut told: BTreeMap<(LogId, String), (u64, u64)> = BTreeMap::new();
        for (log, void) in voids {
            let reason = match (void.reason, ended.get(log)) {
                (VoidReason::Form | VoidReason::Unfit, Some(error)) => error.clone(),
                (reason, _) => reason.to_string(),
            };
            let (_, count) = told.entry((*log, reason)).or_insert((void.seq, 0));
            *count += 1;
        }
        let entries = told.into_iter().map(|((log, reason), (seq, count))| {
            let author = tips.get(&log).map(|tip| tip.identity.replica.to_string()).unwrap_or_default();
            let detail = format!("void: {count} positions from {seq} on of log {log} of device {author}");
            let entry = Entry::new(What::PEER_REFUSED).within(scope).because(&reason).detail(&detail);
            (Source::Relay, Entry { at_ms: self.now_ms(), ..entry })
        });
        let entries: Vec<_> = entries.collect();
        if entries.is_empty() { Ok(()) } else { self.append_audit(entries, Batch::new()) }
    }

    /// A stored document.
    pub(super) fn load_document(
        &self,
        scope: &Scope,
        kind: Kind,
        doc: &DocId,
    ) -> Result<Option<Document>, ReplicaError> {
        let key = keys::document(scope, kind, doc);
        let Some(bytes) = self.store.get(&key)? else { return Ok(None) };
        match self.recent.take(&key, &bytes) {
            Some(document) => Ok(Some(document)),
            None => Ok(Some(Document::decode(*doc, &bytes)?)),
        }
    }

    /// Stores a document, its view and what finds it.
    pub(super) fn put_document(&self, scope: &Scope, document: &Document, batch: &mut Batch) {
        put_all(self.writes_of(scope, document), batch);
    }

    /// At the centre: the scope in which it first met a document of this id.
    fn home(&self, doc: &DocId) -> Option<Scope> {
        let bytes = self.store.get(&keys::home(doc)).ok()??;
        std::str::from_utf8(&bytes).ok()?.parse().ok()
    }

    /// What storing a document writes, the document itself first.
    pub(super) fn writes_of(&self, scope: &Scope, document: &Document) -> Writes {
        let key = keys::document(scope, document.kind(), &document.id());
        let view_key = keys::view(scope, document.kind(), &document.id());
        self.rosters.note(scope, document.kind(), document.id());
        self.searched.note(scope, document.kind(), document.id());
        if document.is_blank() {
            return vec![(key, None), (view_key, None)];
        }
        let view = document.view();
        let mut writes = vec![(key, Some(document.encode())), (view_key, Some(view.pack()))];
        self.note_photos(scope, &view, &mut writes);
        if self.is_centre() && self.home(&document.id()).is_none() {
            writes.push((keys::home(&document.id()), Some(scope.to_string().into_bytes())));
        }
        if let Some(natural) = document.kind().spec().and_then(|spec| spec.natural_key)
            && let Some(secret) = self.secret(scope)
        {
            for number in view.texts(natural) {
                let key = keys::natural(scope, &secret, document.kind(), &number);
                // Nearly always there already, and reading costs less than writing.
                if !matches!(self.store.get(&key), Ok(Some(id)) if id == document.id().0) {
                    writes.push((key, Some(document.id().0.to_vec())));
                }
            }
        }
        writes
    }
}

/// Puts and deletes.
pub(super) fn put_all(writes: Writes, batch: &mut Batch) {
    for (key, value) in writes {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
    }
}
