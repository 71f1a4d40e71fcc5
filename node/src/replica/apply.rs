//! Letting transactions take effect: runs behind the intake, in causal order, each whole or not at all.

use std::sync::{MutexGuard, PoisonError};

use wangge_model::document::{Document, DocumentError};
use wangge_model::identity::{DocId, LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::LogRecord;
use wangge_model::materialise::{Applied, Documents, Effect, Open};
use wangge_model::schema::Kind;
use wangge_model::verdict::{Verdict, Void, VoidReason};
use wangge_store::Batch;

use super::scope::HeldScope;
use super::{Judge, Replica, ReplicaError, encode, keys, lock};

/// Transactions that take effect together, in one batch.
const ROUND_TRANSACTIONS_MAX: usize = 256;
/// Documents that are open at once.
const ROUND_DOCUMENTS_MAX: usize = 1_024;

/// The documents of one scope, for the model.
struct StoredDocuments<'a> {
    replica: &'a Replica,
    scope: &'a Scope,
    held: &'a HeldScope<'a>,
    voids: &'a std::collections::BTreeMap<(LogId, u64), VoidReason>,
    judge: Option<&'a dyn Judge>,
    now_ms: u64,
}

impl Documents for StoredDocuments<'_> {
    fn load(&self, doc: &DocId, kind: Kind) -> Result<Option<Document>, DocumentError> {
        self.replica.load_document(self.scope, kind, doc).map_err(|error| match error {
            ReplicaError::Document(error) => error,
            other => DocumentError::Damaged { doc: *doc, reason: other.to_string() },
        })
    }

    fn void(&self, log: &LogId, record: &LogRecord) -> Option<VoidReason> {
        if let Some(reason) = self.voids.get(&(*log, record.transaction.seq)) {
            return Some(*reason);
        }
        let author = self.held.tips.get(log)?;
        self.judge?.judge(self.scope, &author.identity, &record.transaction)
    }

    fn voided(&self, doc: &DocId) -> Vec<(LogId, [u8; 16], LogRecord)> {
        let mut found: Vec<_> = self
            .voids
            .keys()
            .filter_map(|(log, seq)| {
                let record = self.held.record(log, *seq)?;
                let touches = record.transaction.changes.iter().any(|change| change.doc == *doc);
                touches.then(|| (*log, Applied::at(self.held, log, *seq).actor, record))
            })
            .collect();
        found.sort_by_key(|(log, _, record)| (record.transaction.lamport, *log, record.transaction.seq));
        found
    }

    fn observed_ms(&self, _: &LogId, _: u64) -> u64 {
        if self.judge.is_some() { self.now_ms } else { 0 }
    }
}

impl Replica {
    /// Lets all that is durable and ready take effect. Returns whether anything did.
    ///
    /// # Errors
    /// [`ReplicaError`] if the store or a document is damaged.
    pub fn apply(&self) -> Result<bool, ReplicaError> {
        let turn = lock(&self.documents);
        self.apply_all(&turn)
    }

    pub(super) fn apply_all(&self, _turn: &MutexGuard<'_, ()>) -> Result<bool, ReplicaError> {
        let behind: Vec<Scope> = lock(&self.state)
            .scopes
            .iter()
            .filter(|(_, state)| state.durable.0.iter().any(|(log, e)| state.applied.len_of(log) < e.len))
            .map(|(scope, _)| scope.clone())
            .collect();
        let mut any = false;
        for scope in behind {
            while self.apply_round(&scope)? {
                any = true;
            }
        }
        Ok(any)
    }

    /// One batch of one scope. Returns whether anything took effect.
    fn apply_round(&self, scope: &Scope) -> Result<bool, ReplicaError> {
        let (tips, durable, mut applied, mut voids) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(false) };
            (scoped.tips.clone(), scoped.durable.clone(), scoped.applied.clone(), scoped.voids.clone())
        };
        let judge = self.judge.read().unwrap_or_else(PoisonError::into_inner).clone();
        let held = HeldScope { store: &self.store, scope, tips: &tips };
        let mut open = Open::default();
        let mut batch = Batch::new();
        let mut taken = 0;
        let mut found_void: Vec<(LogId, Void)> = Vec::new();
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
                        voids: &voids,
                        judge: judge.as_deref(),
                        now_ms: self.now_ms(),
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
                            Some(VoidReason::Form)
                        }
                    };
                    if let Some(reason) = void
                        && voids.insert((*log, seq), reason).is_none()
                    {
                        found_void.push((*log, Void { seq, reason }));
                    }
                    if tip.identity.replica == self.profile().centre() {
                        verdicts.extend(record.transaction.verdicts);
                    }
                }
            }
        }
        if taken == 0 {
            return Ok(false);
        }
        for verdict in &verdicts {
            batch.put(keys::decided(scope, &verdict.log), encode(&verdict.upto));
            for void in &verdict.voids {
                if voids.insert((verdict.log, void.seq), void.reason).is_none() {
                    found_void.push((verdict.log, void.clone()));
                    if applied.len_of(&verdict.log) >= void.seq {
                        self.withdraw(scope, &held, &mut open, &verdict.log, void.seq)?;
                    }
                }
            }
        }
        for (log, void) in &found_void {
            batch.put(keys::void(scope, log, void.seq), encode(&void.reason));
        }
        for document in open.drain_changed() {
            self.put_document(scope, &document, &mut batch);
        }
        batch.put(keys::applied(scope), encode(&applied));
        self.store.commit(batch)?;
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.applied = applied;
            scoped.voids = voids;
            for verdict in verdicts {
                scoped.decided.insert(verdict.log, verdict.upto);
            }
        }
        Ok(true)
    }

    /// Takes the changes of a position that turned out void out of their documents again.
    fn withdraw(
        &self,
        scope: &Scope,
        held: &HeldScope<'_>,
        open: &mut Open,
        log: &LogId,
        seq: u64,
    ) -> Result<(), ReplicaError> {
        let Some(record) = held.record(log, seq) else { return Ok(()) };
        let actor = Applied::at(held, log, seq).actor;
        let transaction = &record.transaction;
        for change in &transaction.changes {
            let document = match open.document(&change.doc) {
                Some(document) => Some(document.clone()),
                None => self.load_document(scope, change.kind, &change.doc)?,
            };
            let Some(document) = document else { continue };
            let named = transaction.log;
            let without = document
                .without(|origin| origin.log == named && origin.seq == seq && origin.actor == actor)
                .map_err(|e| ReplicaError::Form(e.to_string()))?;
            open.replace(without);
        }
        Ok(())
    }

    /// What has taken effect and is not decided: the relay writes these verdicts into its log.
    pub fn undecided(&self) -> Vec<(Scope, Vec<Verdict>)> {
        let now = self.now_ms();
        let centre = self.profile().centre();
        let state = lock(&self.state);
        let mut all = Vec::new();
        for (scope, scoped) in &state.scopes {
            let mut verdicts = Vec::new();
            for (log, applied) in &scoped.applied.0 {
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
                verdicts.push(Verdict { log: *log, upto: applied.len, observed_ms: now, voids });
            }
            if !verdicts.is_empty() {
                all.push((scope.clone(), verdicts));
            }
        }
        all
    }

    /// A stored document.
    pub(super) fn load_document(
        &self,
        scope: &Scope,
        kind: Kind,
        doc: &DocId,
    ) -> Result<Option<Document>, ReplicaError> {
        match self.store.get(&keys::document(scope, kind, doc))? {
            Some(bytes) => Ok(Some(Document::decode(*doc, &bytes)?)),
            None => Ok(None),
        }
    }

    /// Stores a document, its view and what finds it.
    pub(super) fn put_document(&self, scope: &Scope, document: &Document, batch: &mut Batch) {
        for (key, value) in self.writes_of(scope, document) {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
    }

    /// What storing a document writes.
    pub(super) fn writes_of(&self, scope: &Scope, document: &Document) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let key = keys::document(scope, document.kind(), &document.id());
        let view_key = keys::view(scope, document.kind(), &document.id());
        self.searched.note(scope, document.kind(), document.id());
        if document.is_blank() {
            return vec![(key, None), (view_key, None)];
        }
        let mut writes = vec![(key, Some(document.encode())), (view_key, Some(document.view().pack()))];
        if let Some(natural) = document.kind().spec().and_then(|spec| spec.natural_key)
            && let Some(secret) = self.secret(scope)
        {
            for number in document.texts(natural) {
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
