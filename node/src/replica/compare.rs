//! Comparing with peers what is really held: fingerprints of the documents, and what to do where they differ
//! although the logs are equal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use wangge_model::document::stored_heads;
use wangge_model::fingerprint::{APART_MAX, Print};
use wangge_model::identity::{DocId, ReplicaId, Scope};
use wangge_model::materialise::Applied;
use wangge_store::Batch;

use super::doctor::{Finding, Trouble};
use super::{Replica, ReplicaError, encode, keys, lock};

/// Between two comparisons with the same peer, milliseconds: a day.
const COMPARE_EVERY_MS: u64 = 24 * 3_600 * 1_000;
/// For how long a fingerprint counts if nothing takes effect meanwhile, milliseconds: peers that come at the same
/// time share one reading of the disk, and no damage goes unseen for long.
const PRINT_AGE_MAX_MS: u64 = 10 * 60 * 1_000;

/// A fingerprint, with how far all logs had taken effect and when it was read.
type Made = (Applied, u64, Arc<Print>);

/// What comparing needs to remember.
pub(super) struct Compared {
    prints: Mutex<BTreeMap<Scope, Made>>,
    /// Documents that differ at a peer with equal logs.
    apart: Mutex<BTreeMap<Scope, BTreeSet<DocId>>>,
    /// Those of them that were made anew in this process: once is enough.
    made_anew: Mutex<BTreeSet<DocId>>,
    /// Told when something was found to differ, or to be damaged.
    suspicion: watch::Sender<u64>,
    /// Told when less is held than peers were told.
    greet_again: watch::Sender<u64>,
}

impl Default for Compared {
    fn default() -> Self {
        Self {
            prints: Mutex::default(),
            apart: Mutex::default(),
            made_anew: Mutex::default(),
            suspicion: watch::Sender::new(0),
            greet_again: watch::Sender::new(0),
        }
    }
}

impl Replica {
    /// What is held of a scope's documents, read from the disk. A document that cannot be read differs from every
    /// other. `None` while anything is under way that peers may see otherwise: what has not taken effect, or
    /// what the centre has not decided.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn print(&self, scope: &Scope) -> Result<Option<Arc<Print>>, ReplicaError> {
        self.apply()?;
        let (applied, settled) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return Ok(None) };
            let centre = self.profile().centre();
            let settled = scoped.tips.iter().all(|(log, tip)| {
                let decided = scoped.decided.get(log).copied().unwrap_or(0);
                scoped.applied.len_of(log) >= tip.len
                    && (tip.identity.replica == centre || decided >= tip.len)
            });
            (scoped.applied.clone(), settled)
        };
        if !settled || self.orders_due.load(Ordering::Acquire) {
            return Ok(None);
        }
        let now_ms = self.now_ms();
        if let Some((then, made_ms, print)) = lock(&self.compared.prints).get(scope)
            && *then == applied
            && now_ms.abs_diff(*made_ms) < PRINT_AGE_MAX_MS
        {
            return Ok(Some(Arc::clone(print)));
        }
        let mut documents = Vec::new();
        let mut unread = BTreeSet::new();
        for key in self.store.scan_keys(&keys::documents(scope)) {
            let key = key?;
            let Some(cursor) = keys::cursor_of(&key) else { continue };
            let heads = match self.store.get(&key) {
                Ok(None) => continue,
                Ok(Some(value)) => stored_heads(cursor.doc, &value).ok(),
                Err(_) => None,
            };
            let digest = heads.map_or([0; 8], |(_, digest)| digest.tag());
            if digest == [0; 8] {
                unread.insert(cursor.doc);
            }
            documents.push((cursor.doc, digest));
        }
        if !unread.is_empty() {
            self.note_apart(scope, unread);
        }
        let print = Arc::new(Print::new(documents));
        lock(&self.compared.prints).insert(scope.clone(), (applied, now_ms, Arc::clone(&print)));
        Ok(Some(print))
    }

    /// Notes that documents differ from what a peer with equal logs holds, or cannot be read.
    pub fn note_apart(&self, scope: &Scope, documents: impl IntoIterator<Item = DocId>) {
        let mut apart = lock(&self.compared.apart);
        let known = apart.entry(scope.clone()).or_default();
        let mut suspicious = false;
        for document in documents {
            if known.len() >= APART_MAX {
                break;
            }
            suspicious |= !lock(&self.compared.made_anew).contains(&document);
            if known.insert(document) {
                tracing::warn!(%scope, %document, "a document differs from what a peer with equal logs holds");
            }
        }
        drop(apart);
        if suspicious {
            self.compared.suspicion.send_modify(|count| *count += 1);
        }
    }

    /// Documents that differ at a peer with equal logs and were not made anew since.
    pub fn apart(&self) -> BTreeMap<Scope, BTreeSet<DocId>> {
        lock(&self.compared.apart).clone()
    }

    /// What was found to differ, for an examination.
    pub(super) fn examine_apart(&self, scope: &Scope) -> Vec<Finding> {
        let documents = lock(&self.compared.apart).get(scope).cloned().unwrap_or_default();
        let finding = |document| Finding {
            scope: Some(scope.clone()),
            document: Some(document),
            ..Finding::new(Trouble::Document, "it differs from what a peer with equal logs holds")
        };
        documents.into_iter().map(finding).collect()
    }

    /// Documents that were made anew and differed again: what makes them differ is not damage of this disk.
    pub(super) fn is_past_mending(&self, document: &DocId) -> bool {
        let differs = lock(&self.compared.apart).values().any(|known| known.contains(document));
        differs && lock(&self.compared.made_anew).contains(document)
    }

    /// Forgets what was found to differ in a scope: it was made anew.
    pub(super) fn forget_apart(&self, scope: &Scope) {
        let gone = lock(&self.compared.apart).remove(scope);
        lock(&self.compared.made_anew).extend(gone.into_iter().flatten());
        lock(&self.compared.prints).remove(scope);
    }

    /// Told whenever something was found to differ or to be damaged: an examination is due.
    pub fn suspicion(&self) -> watch::Receiver<u64> {
        self.compared.suspicion.subscribe()
    }

    /// Told whenever less is held than peers were told: sessions are to begin anew.
    pub fn greet_again(&self) -> watch::Receiver<u64> {
        self.compared.greet_again.subscribe()
    }

    pub(crate) fn say_greet_again(&self) {
        self.compared.greet_again.send_modify(|count| *count += 1);
    }

    /// Whether so long has passed since the last examination. With the first it begins to count.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub fn is_examination_due(&self, every: Duration) -> Result<bool, ReplicaError> {
        let stored = self.store.get(keys::EXAMINED).ok().flatten();
        match stored.and_then(|bytes| postcard::from_bytes::<u64>(&bytes).ok()) {
            Some(then_ms) => Ok(u128::from(self.now_ms().abs_diff(then_ms)) >= every.as_millis()),
            None => {
                self.note_examined()?;
                Ok(false)
            }
        }
    }

    /// Notes that all that is stored was examined.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn note_examined(&self) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        batch.put(keys::EXAMINED, encode(&self.now_ms()));
        Ok(self.store.commit(batch)?)
    }

    /// Whether [`Replica::compare_soon`] has had no effect yet.
    pub fn is_compare_asked(&self) -> bool {
        self.compare_asked.load(Ordering::SeqCst)
    }

    /// Makes the next session with any peer compare.
    pub fn compare_soon(&self) {
        self.compare_asked.store(true, Ordering::SeqCst);
    }

    /// Whether it is time to compare with `peer`. With one that was never met it is a day later.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub fn is_compare_due(&self, peer: &ReplicaId) -> Result<bool, ReplicaError> {
        if self.compare_asked.load(Ordering::SeqCst) {
            return Ok(true);
        }
        let stored = self.store.get(&keys::compared(peer)).ok().flatten();
        match stored.and_then(|bytes| postcard::from_bytes::<u64>(&bytes).ok()) {
            Some(then_ms) => Ok(self.now_ms().abs_diff(then_ms) >= COMPARE_EVERY_MS),
            None => {
                self.note_compared(peer)?;
                Ok(false)
            }
        }
    }

    /// Notes that all was compared with `peer`.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn note_compared(&self, peer: &ReplicaId) -> Result<(), ReplicaError> {
        self.compare_asked.store(false, Ordering::SeqCst);
        let mut batch = Batch::new();
        batch.put(keys::compared(peer), encode(&self.now_ms()));
        Ok(self.store.commit(batch)?)
    }
}
