//! Search over the registers: packed text per scope and kind, loaded from the stored views when it is
//! first needed and kept current from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::search::{Query, Rank, Segment};

use super::{Replica, ReplicaError, lock};

type Segments = BTreeMap<(Scope, Kind), Segment>;

/// What is in memory of the search, and what changed since.
#[derive(Default)]
pub(super) struct Searched {
    /// Set once a segment is loaded: until then nothing needs to be noted.
    in_use: AtomicBool,
    segments: Mutex<Segments>,
    changed: Mutex<BTreeSet<(Scope, Kind, DocId)>>,
}

impl Searched {
    /// Notes that a document is about to be stored. Its writer holds the turn of the documents, and a
    /// search takes it before it looks at what was noted, so it sees what was stored.
    pub(super) fn note(&self, scope: &Scope, kind: Kind, doc: DocId) {
        if self.in_use.load(Ordering::Acquire) {
            lock(&self.changed).insert((scope.clone(), kind, doc));
        }
    }
}

impl Replica {
    /// The documents of one kind that fit what was typed: best first, then by scope, then by id. Closed
    /// ones do not count.
    ///
    /// # Errors
    /// If a view is damaged.
    pub fn search(
        &self,
        scopes: &[Scope],
        kind: Kind,
        query: &Query,
    ) -> Result<Vec<(Rank, Scope, DocId)>, ReplicaError> {
        let mut segments = lock(&self.searched.segments);
        self.refresh(&mut segments, scopes, kind)?;
        let mut docs = Vec::new();
        for scope in scopes {
            if let Some(segment) = segments.get(&(scope.clone(), kind)) {
                docs.extend(segment.search(query).into_iter().map(|hit| (hit.rank, scope, hit.doc)));
            }
        }
        docs.sort_unstable();
        Ok(docs.into_iter().map(|(rank, scope, doc)| (rank, scope.clone(), doc)).collect())
    }

    /// Loads what the search needs before anybody waits for it. Whoever commits or searches meanwhile waits
    /// for one scope, not for all. `go_on` is asked before each step.
    ///
    /// # Errors
    /// If a view is damaged.
    pub fn warm_search(&self, kind: Kind, go_on: impl Fn() -> bool) -> Result<(), ReplicaError> {
        for scope in self.scopes() {
            if !go_on() {
                break;
            }
            self.refresh(&mut lock(&self.searched.segments), &[scope], kind)?;
        }
        Ok(())
    }

    fn refresh(&self, segments: &mut Segments, scopes: &[Scope], kind: Kind) -> Result<(), ReplicaError> {
        for scope in scopes {
            let at = (scope.clone(), kind);
            if segments.contains_key(&at) {
                continue;
            }
            let _turn = lock(&self.documents);
            self.searched.in_use.store(true, Ordering::Release);
            segments.insert(at, self.load(scope, kind)?);
        }
        // Last: what was stored while the others loaded has been noted.
        let _turn = lock(&self.documents);
        for (scope, kind, doc) in std::mem::take(&mut *lock(&self.searched.changed)) {
            let Some(segment) = segments.get_mut(&(scope.clone(), kind)) else { continue };
            match self.get(&scope, kind, &doc)? {
                Some(view) if !view.is_closed() => segment.put(&view),
                _ => segment.remove(&doc),
            }
        }
        Ok(())
    }

    fn load(&self, scope: &Scope, kind: Kind) -> Result<Segment, ReplicaError> {
        let mut segment = Segment::default();
        self.each(scope, kind, |view| {
            if !view.is_closed() {
                segment.put(&view);
            }
            true
        })?;
        Ok(segment)
    }
}
