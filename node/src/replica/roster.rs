//! The roster as this replica knows it, kept beside the documents of `street` that it is read from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use wangge_model::identity::{DocId, Scope};
use wangge_model::log::LogIdentity;
use wangge_model::right::{Act, Refusal, judge};
use wangge_model::roster::RosterView;
use wangge_model::schema::Kind;
use wangge_model::session::Completeness;
use wangge_model::transaction::Transaction;

use super::{Replica, ReplicaError, lock};

/// Kinds of documents that the roster is made of.
pub(super) const KINDS: [Kind; 4] = [Kind::UNIT, Kind::WORKER, Kind::REPLICA, Kind::POLICY];

/// The roster, made when it is first asked for and brought up to date with every change of `street`.
pub(super) struct Rosters {
    view: RwLock<Option<Arc<RosterView>>>,
    /// Documents that changed since.
    changed: Mutex<BTreeSet<(Kind, DocId)>>,
    news: watch::Sender<u64>,
}

impl Default for Rosters {
    fn default() -> Self {
        Self { view: RwLock::new(None), changed: Mutex::new(BTreeSet::new()), news: watch::Sender::new(0) }
    }
}

impl Rosters {
    /// Notes that a document is about to be stored.
    pub(super) fn note(&self, scope: &Scope, kind: Kind, doc: DocId) {
        if *scope == Scope::Street && KINDS.contains(&kind) {
            lock(&self.changed).insert((kind, doc));
        }
    }

    /// Lets go of what is known.
    pub(super) fn forget(&self) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = None;
        lock(&self.changed).clear();
    }

    fn current(&self) -> Option<Arc<RosterView>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Replica {
    /// The roster as it stands in `street` here.
    ///
    /// # Errors
    /// If a document of it is damaged.
    pub fn roster(&self) -> Result<Arc<RosterView>, ReplicaError> {
        if let Some(view) = self.rosters.current() {
            return Ok(view);
        }
        let mut slot = self.rosters.view.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = &*slot {
            return Ok(Arc::clone(view));
        }
        let mut view = RosterView::default();
        for kind in KINDS {
            self.each(&Scope::Street, kind, |document| {
                view.take(&document);
                true
            })?;
        }
        view.version = self.street_version();
        let view = Arc::new(view);
        *slot = Some(Arc::clone(&view));
        Ok(view)
    }

    /// Hears of every change of the roster, by its version.
    pub fn roster_news(&self) -> watch::Receiver<u64> {
        self.rosters.news.subscribe()
    }

    /// Takes in what has been stored since; the caller has the turn of the documents. Returns whether
    /// anything had changed.
    pub(super) fn refresh_roster(&self) -> Result<bool, ReplicaError> {
        let changed = std::mem::take(&mut *lock(&self.rosters.changed));
        if changed.is_empty() {
            return Ok(false);
        }
        if let Some(current) = self.rosters.current() {
            let mut view = (*current).clone();
            for (kind, doc) in changed {
                match self.get(&Scope::Street, kind, &doc)? {
                    Some(document) => view.take(&document),
                    None => view.forget(&doc),
                }
            }
            view.version = self.street_version();
            *self.rosters.view.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(view));
        }
        let version = self.street_version();
        self.rosters.news.send_replace(version);
        Ok(true)
    }

    /// How many transactions of `street` have taken effect.
    fn street_version(&self) -> u64 {
        let state = lock(&self.state);
        state
            .scopes
            .get(&Scope::Street)
            .map_or(0, |street| street.applied.0.values().map(|log| log.len).sum())
    }

    /// The roster to judge the work of others by; `None` while not all of `street` is here.
    pub(super) fn judging_roster(&self) -> Result<Option<Arc<RosterView>>, ReplicaError> {
        let whole = lock(&self.state)
            .scopes
            .get(&Scope::Street)
            .is_some_and(|street| street.completeness == Completeness::Whole);
        if whole { self.roster().map(Some) } else { Ok(None) }
    }

    /// Whether the centre would accept what is about to be committed here.
    pub(super) fn may_commit(
        &self,
        scope: &Scope,
        author: &LogIdentity,
        transaction: &Transaction,
        after_ms: u64,
    ) -> Result<(), ReplicaError> {
        let profile = self.profile();
        if author.replica == profile.centre() {
            return Ok(());
        }
        let mut roster = self.roster()?;
        if !roster.replicas().contains_key(&author.replica) {
            // The roster has not come yet: by what the centre signed for this replica.
            let Some(enrolment) = profile.enrolment() else { return Ok(()) };
            roster = Arc::new(RosterView::of_enrolment(&enrolment));
        }
        let secret = self.secret(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
        let act = Act { scope, author, transaction, secret: &secret, after_ms, observed_ms: self.now_ms() };
        judge(&roster, &profile.centre(), &act).map_err(|refusal: Refusal| ReplicaError::MayNot {
            scope: scope.clone(),
            refusal: Box::new(refusal),
        })
    }
}
