//! Whose turn it is on a shared workstation. While it is nobody's, sessions go on and nothing is written.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use wangge_model::case::Tier;
use wangge_model::identity::{DocId, Role, Scope};

use super::vault::WorkerSecret;
use super::{Replica, ReplicaError};

/// In whose name something is written.
pub(super) enum Author {
    /// The device's only worker, or nobody's: the device's signature is enough.
    Device(DocId),
    /// The worker whose turn it is: he signs himself.
    InTurn(Arc<WorkerSecret>),
}

impl Author {
    pub(super) fn worker(&self) -> DocId {
        match self {
            Self::Device(worker) => *worker,
            Self::InTurn(turn) => turn.worker,
        }
    }
}

/// Who acts on this replica, and in which post.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acting {
    /// The worker.
    pub worker: DocId,
    /// His name.
    pub name: String,
    /// His post.
    pub role: Role,
    /// Where.
    pub unit: Scope,
}

impl Replica {
    /// Whose turn it is, if several workers use the device.
    pub(super) fn turn(&self) -> Option<Arc<WorkerSecret>> {
        self.turn.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The name of the worker whose turn it is; `None` on a device that is not shared, too.
    pub fn turn_of(&self) -> Option<String> {
        self.turn().map(|turn| turn.name.clone())
    }

    /// Begins the turn of a worker who gave his PIN; whoever had it loses it.
    ///
    /// # Errors
    /// [`ReplicaError::NotHere`] if the centre no longer lets him use this device.
    pub fn begin_turn(&self, worker: WorkerSecret) -> Result<(), ReplicaError> {
        let roster = self.roster()?;
        if let Some(entry) = roster.replicas().get(&self.profile().replica())
            && !entry.workers.get(&worker.worker).is_some_and(|term| term.holds_at(self.now_ms()))
        {
            self.end_turn();
            return Err(ReplicaError::NotHere { name: worker.name });
        }
        *self.turn.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(worker));
        // What waited for somebody's turn.
        self.orders_due.store(true, Ordering::Release);
        Ok(())
    }

    /// Ends the turn: the key that signs is forgotten.
    pub fn end_turn(&self) {
        *self.turn.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether something can be written: on a shared device only in somebody's turn.
    ///
    /// # Errors
    /// [`ReplicaError::NoTurn`].
    pub fn check_turn(&self) -> Result<(), ReplicaError> {
        if self.store.is_shared() && self.turn().is_none() { Err(ReplicaError::NoTurn) } else { Ok(()) }
    }

    /// Who acts: whose turn it is, or the device's worker.
    pub fn acting(&self) -> Option<Acting> {
        let profile = self.profile();
        let (grant, enrolment) = (profile.grant()?, profile.enrolment()?);
        let Some(turn) = self.turn() else {
            let (worker, name) = (enrolment.worker, grant.worker_name.clone());
            return Some(Acting { worker, name, role: enrolment.role, unit: enrolment.unit });
        };
        let name = turn.name.clone();
        if turn.worker == enrolment.worker {
            return Some(Acting { worker: turn.worker, name, role: enrolment.role, unit: enrolment.unit });
        }
        let now_ms = self.now_ms();
        let roster = self.roster().ok()?;
        let mut posts = roster.posts_of(&profile.replica()).into_iter();
        let (_, post) = posts.find(|(worker, post)| *worker == turn.worker && post.term.holds_at(now_ms))?;
        Some(Acting { worker: turn.worker, name, role: post.role, unit: post.unit })
    }

    /// Whether whoever acts is shown the cases that lie with the centre, past grids and areas (组织纪检): those
    /// who decide there. A window's clerk holds the centre's scope for his own records.
    pub fn is_shown_centre_cases(&self) -> bool {
        self.acts_as(|role| Tier::of(role) == Some(Tier::Centre))
    }

    /// Whether whoever acts holds a post of which `fits` is true. On the relay, where nobody acts, it is.
    pub fn acts_as(&self, fits: impl Fn(Role) -> bool) -> bool {
        let Some(acting) = self.acting() else { return true };
        if fits(acting.role) {
            return true;
        }
        let now_ms = self.now_ms();
        let posts =
            self.roster().map(|roster| roster.posts_of(&self.profile().replica())).unwrap_or_default();
        let mut own = posts.iter().filter(|(who, post)| *who == acting.worker && post.term.holds_at(now_ms));
        own.any(|(_, post)| fits(post.role))
    }

    /// The scopes that whoever acts may see: on a shared device those that his own posts reach.
    pub fn open_scopes(&self) -> Vec<Scope> {
        let mut scopes = self.scopes();
        let Some(turn) = self.turn() else { return scopes };
        let Ok(roster) = self.roster() else { return vec![Scope::Street] };
        let now_ms = self.now_ms();
        let mut posts = roster.posts_of(&self.profile().replica());
        posts.retain(|(worker, post)| *worker == turn.worker && post.term.holds_at(now_ms));
        scopes.retain(|scope| {
            *scope == Scope::Street
                || posts.iter().any(|(_, post)| roster.reaches(post.role, &post.unit, scope))
        });
        scopes
    }
}
