//! What whoever carries over between cases and orders, and between the two copies of a request for help, has to look
//! at, and what the relay said of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use wangge_model::document::EventView;
use wangge_model::identity::{DocId, LogId, Scope};
use wangge_model::schema::Kind;

use super::{Replica, ReplicaError, keys, lock};

/// A document that has a counterpart in another scope, and where it lives.
pub type Touched = (Scope, Kind, DocId);

const KINDS: [Kind; 3] = [Kind::CASE, Kind::ORDER, Kind::ASSIST];

/// Those that changed since somebody last asked; nothing is noted until somebody does.
#[derive(Default)]
pub(super) struct Changed(Mutex<Option<BTreeSet<Touched>>>);

impl Changed {
    /// Notes documents once they are durable.
    pub(super) fn note(&self, scope: &Scope, documents: impl IntoIterator<Item = (Kind, DocId)>) {
        if let Some(changed) = lock(&self.0).as_mut() {
            let crosses = |(kind, _): &(Kind, DocId)| KINDS.contains(kind);
            let documents = documents.into_iter().filter(crosses);
            changed.extend(documents.map(|(kind, doc)| (scope.clone(), kind, doc)));
        }
    }
}

impl Replica {
    /// Those that changed since this was last asked; all of them the first time.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn take_crossing(&self) -> Result<BTreeSet<Touched>, ReplicaError> {
        let noted = lock(&self.crossing.0).replace(BTreeSet::new());
        if let Some(noted) = noted {
            return Ok(noted);
        }
        let mut all = BTreeSet::new();
        for scope in self.scopes() {
            for kind in KINDS {
                for entry in self.store.scan(&keys::views(&scope, kind)) {
                    let (key, _) = entry?;
                    all.extend(keys::doc_of_view(&key).map(|doc| (scope.clone(), kind, doc)));
                }
            }
        }
        Ok(all)
    }

    /// Gives back what could not be carried over yet.
    pub fn return_crossing(&self, touched: BTreeSet<Touched>) {
        lock(&self.crossing.0).get_or_insert_default().extend(touched);
    }

    /// When the relay observed the position of an event, milliseconds since 1970 (UTC), 0 if its decision
    /// is not known here.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn observed_ms(&self, scope: &Scope, event: &EventView) -> Result<u64, ReplicaError> {
        let prefix = keys::observations(scope, &event.log);
        let start = keys::observed(scope, &event.log, event.seq);
        match self.store.scan_from(&prefix, &start).next() {
            Some(entry) => Ok(postcard::from_bytes(&entry?.1).unwrap_or(0)),
            None => Ok(event.observed_ms),
        }
    }

    /// When the relay observed the positions of a log: each entry is for its position and those since the
    /// entry before.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn observations(&self, scope: &Scope, log: &LogId) -> Result<BTreeMap<u64, u64>, ReplicaError> {
        let mut observed = BTreeMap::new();
        for entry in self.store.scan(&keys::observations(scope, log)) {
            let (key, value) = entry?;
            if let Some(seq) = keys::seq_of_observed(&key) {
                observed.insert(seq, postcard::from_bytes(&value).unwrap_or(0));
            }
        }
        Ok(observed)
    }
}
