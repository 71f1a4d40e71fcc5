//! Second copies of transactions that the centre was not heard to have: until it has them they may be nowhere else, and
//! what anybody wrote on top of one counts for nothing without it. A bit that flips in the one is healed from the other.

use std::collections::BTreeMap;

use wangge_model::clock::Clock;
use wangge_model::identity::{LogId, Scope};
use wangge_store::Batch;

use super::doctor::Checkup;
use super::lookup::reached;
use super::scope::{HeldScope, ScopeState, position};
use super::{Replica, ReplicaError, keys, lock};

impl Replica {
    /// Stores a transaction, and once more if it may be nowhere else.
    pub(super) fn put_record(
        &self,
        scope: &Scope,
        (log, seq): (&LogId, u64),
        record: Vec<u8>,
        is_at_centre: bool,
        batch: &mut Batch,
    ) {
        // The centre's disk is what counts as arrived; its backups are its second copy.
        if !is_at_centre && !self.is_centre() {
            batch.put(keys::spare(scope, log, seq), record.clone());
        }
        batch.put(keys::record(scope, log, seq), record);
    }

    /// The transaction that lies under `key`, or its second copy if that does not open.
    pub(super) fn either(&self, key: &[u8], scope: &Scope, log: &LogId, seq: u64) -> Option<Vec<u8>> {
        let read = |key: &[u8]| self.store.get(key).ok().flatten();
        read(key).or_else(|| read(&keys::spare(scope, log, seq)))
    }

    /// What the centre was last heard to have of a scope; nothing at the centre itself.
    pub(super) fn at_centre(&self, scope: &Scope) -> Result<Clock, ReplicaError> {
        if self.is_centre() {
            return Ok(Clock::default());
        }
        let centre = self.profile().centre();
        match lock(&self.heard).get(&(centre, scope.clone())) {
            Some(clock) => Ok(clock.clone()),
            None => self.remembered_scope(&centre, scope),
        }
    }

    /// Lets second copies go of what the centre, which holds `at_centre`, has by now. Of what it had and lacks since it was
    /// put back it makes them.
    pub(super) fn keep_spares(
        &self,
        scope: &Scope,
        at_centre: &Clock,
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        let before = self.remembered_scope(&self.profile().centre(), scope)?;
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return Ok(()) };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        let mut arrived: BTreeMap<LogId, u64> = BTreeMap::new();
        for place in self.spares(scope) {
            let (log, seq) = place?;
            if seq <= *arrived.entry(log).or_insert_with(|| reached(&held, at_centre, &log)) {
                batch.delete(keys::spare(scope, &log, seq));
            }
        }
        if !at_centre.covers(&before) {
            for (log, extent) in &scoped.durable.0 {
                let lacks = reached(&held, at_centre, log) + 1..=reached(&held, &before, log).min(extent.len);
                self.copy_again(scope, lacks.map(|seq| (*log, seq)), batch);
            }
        }
        Ok(())
    }

    /// The positions of which there are second copies.
    pub(super) fn spares(
        &self,
        scope: &Scope,
    ) -> impl Iterator<Item = Result<(LogId, u64), ReplicaError>> + use<'_> {
        let prefix = keys::spares(scope);
        let len = prefix.len();
        self.store.scan_keys(&prefix).filter_map(move |key| match key {
            Ok(key) => position(&key[len..]).map(Ok),
            Err(error) => Some(Err(error.into())),
        })
    }

    /// Writes second copies anew from the first, where one is held, be it put aside.
    pub(super) fn copy_again(
        &self,
        scope: &Scope,
        places: impl IntoIterator<Item = (LogId, u64)>,
        batch: &mut Batch,
    ) {
        for (log, seq) in places {
            let first = [keys::record(scope, &log, seq), keys::aside(scope, &log, seq)];
            let place = keys::spare(scope, &log, seq);
            match first.iter().find_map(|key| self.store.get(key).ok().flatten()) {
                Some(record) => batch.put(place, record),
                None => batch.delete(place),
            }
        }
    }

    /// Puts second copies of transactions of a log in the place of those that are damaged or gone. Whether that was all
    /// that its chain lacked.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) fn heal(&self, scope: &Scope, log: &LogId) -> Result<bool, ReplicaError> {
        let _turn = lock(&self.documents);
        let found = |scoped: &ScopeState| (scoped.tips.clone(), scoped.secret.clone());
        let Some((tips, secret)) = lock(&self.state).scopes.get(scope).map(found) else { return Ok(false) };
        let Some(tip) = tips.get(log) else { return Ok(false) };
        // Whatever was queued is durable after this.
        self.store.commit(Batch::new())?;
        let mut last = 0;
        loop {
            let walked = self.walk(scope, &secret, &tips, log, tip, tip.len, &mut Checkup::default());
            let Some((seq, _)) = walked.broken else { return Ok(last > 0) };
            let Some(spare) = self.store.get(&keys::spare(scope, log, seq)).ok().flatten() else {
                return Ok(false);
            };
            if seq <= last || seq > tip.len {
                return Ok(false);
            }
            last = seq;
            let mut batch = Batch::new();
            batch.put(keys::record(scope, log, seq), spare);
            self.store.commit(batch)?;
            tracing::warn!(%scope, %log, seq, "a damaged transaction is healed from its second copy");
        }
    }
}
