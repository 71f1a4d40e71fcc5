//! Search over the registers: packed text per scope and kind, loaded from the stored views when it is
//! first needed and kept current from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::search::{Query, Rank, Segment};

use super::{Replica, ReplicaError, lock};

/// Most scopes that are read at once.
const READERS_MAX: usize = 8;

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
    /// for a few scopes, not for all. `go_on` is asked before each step.
    ///
    /// # Errors
    /// If a view is damaged.
    pub fn warm_search(&self, kind: Kind, go_on: impl Fn() -> bool) -> Result<(), ReplicaError> {
        for scopes in self.scopes().chunks(readers()) {
            if !go_on() {
                break;
            }
            self.refresh(&mut lock(&self.searched.segments), scopes, kind)?;
        }
        Ok(())
    }

    fn refresh(&self, segments: &mut Segments, scopes: &[Scope], kind: Kind) -> Result<(), ReplicaError> {
        let missing: Vec<&Scope> =
            scopes.iter().filter(|scope| !segments.contains_key(&((*scope).clone(), kind))).collect();
        for scopes in missing.chunks(readers()) {
            let _turn = lock(&self.documents);
            self.searched.in_use.store(true, Ordering::Release);
            for (scope, segment) in scopes.iter().zip(self.load(scopes, kind)) {
                segments.insert(((*scope).clone(), kind), segment?);
            }
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

    /// Reads scopes side by side: most of it is opening and taking apart what is stored.
    fn load(&self, scopes: &[&Scope], kind: Kind) -> Vec<Result<Segment, ReplicaError>> {
        let read = |scope: &Scope| {
            let mut segment = Segment::default();
            self.each(scope, kind, |view| {
                if !view.is_closed() {
                    segment.put(&view);
                }
                true
            })?;
            Ok(segment)
        };
        if let [one] = scopes {
            return vec![read(one)];
        }
        std::thread::scope(|threads| {
            let reading: Vec<_> = scopes.iter().map(|scope| threads.spawn(|| read(scope))).collect();
            let ended = |reader: std::thread::ScopedJoinHandle<'_, Result<Segment, ReplicaError>>| {
                reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            reading.into_iter().map(ended).collect()
        })
    }
}

/// How many scopes are read at once.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(READERS_MAX)
}
