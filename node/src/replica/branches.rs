//! Names of branches: when a log forks, or when it turns out which branch of it is held, all that is noted
//! under the old name goes with what it is about.

use std::collections::BTreeSet;

use wangge_model::clock::Extent;
use wangge_model::identity::{LogId, Scope};
use wangge_model::ingest::{Held, is_held_as};
use wangge_model::log::{Branch, Tip};
use wangge_model::materialise::AppliedLog;
use wangge_model::planted::{self, Bug};
use wangge_store::Batch;

use super::scope::{HeldScope, ScopeState, extent_of};
use super::{Replica, ReplicaError, encode, keys, lock};

impl Replica {
    /// Moves what is held of the log that `branch` leaves, after its base, to the branch `to`. What takes the
    /// log's name follows in the same batch.
    pub(super) fn rename(
        &self,
        scope: &Scope,
        scoped: &mut ScopeState,
        to: LogId,
        branch: Branch,
        batch: &mut Batch,
        news: &mut Vec<(LogId, Extent)>,
    ) -> Result<(), ReplicaError> {
        let (log, base) = (branch.of, branch.base);
        let Some(mut tip) = scoped.tips.get(&log).cloned() else { return Ok(()) };
        self.move_records(scope, &log, &to, base, batch)?;
        let before =
            AppliedLog { after_ms: 0, len: base, lamport: branch.lamport, actor: branch.actor, ended: None };
        if let Some(applied) = scoped.applied.0.remove(&log) {
            if applied.len > base {
                scoped.applied.0.insert(to, applied);
                if base > 0 {
                    scoped.applied.0.insert(log, before);
                }
            } else {
                scoped.applied.0.insert(log, applied);
            }
            batch.put(keys::applied(scope), encode(&scoped.applied));
        }
        self.move_notes(scope, scoped, &log, &to, base, batch)?;
        tip.identity.branch = Some(branch);
        tip.floor = tip.floor.min(base);
        batch.put(keys::tip(scope, &to), encode(&tip));
        if planted::is(Bug::DropBranch) {
            scoped.durable.0.remove(&log);
            return Ok(());
        }
        news.push((to, extent_of(&tip)));
        scoped.tips.insert(to, tip);
        // The end that will be durable is the one that replaces it.
        scoped.durable.0.remove(&log);
        Ok(())
    }

    /// After the branch `log` grew: if what is held under its parent's name, above a floor, turns out to be
    /// this branch, the parent's name is free again. Returns it: its log must be seen from the beginning.
    pub(super) fn give_name_back(&self, scope: &Scope, log: &LogId) -> Result<Option<LogId>, ReplicaError> {
        let may_be = |scoped: &ScopeState| {
            let branch = scoped.tips.get(log)?.identity.branch.as_ref()?;
            Some(scoped.tips.get(&branch.of)?.floor > branch.base)
        };
        if lock(&self.state).scopes.get(scope).and_then(may_be) != Some(true) {
            return Ok(None);
        }
        let _turn = lock(&self.documents);
        self.settle()?;
        let mut batch = Batch::new();
        let own = self.own_log(scope);
        let extent;
        let of = {
            let mut state = lock(&self.state);
            let Some(scoped) = state.scopes.get_mut(scope) else { return Ok(None) };
            let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
            let Some(of) = is_held_as(&scoped.secret, &held, log) else { return Ok(None) };
            let (Some(tip), Some(mut branch)) = (held.tip(&of), held.tip(log)) else { return Ok(None) };
            let base = branch.identity.branch.as_ref().map_or(0, |branch| branch.base);
            tracing::warn!(%scope, log = %of, branch = %log, "a log is held as a branch of it from now on");
            self.move_records(scope, &of, log, branch.len, &mut batch)?;
            for key in self.store.scan_keys(&keys::records(scope, &of)) {
                batch.delete(key?);
            }
            batch.delete(keys::tip(scope, &of));
            if tip.len > branch.len {
                branch = Tip { identity: branch.identity, floor: branch.floor, ..tip };
                batch.put(keys::tip(scope, log), encode(&branch));
                scoped.tips.insert(*log, branch.clone());
            }
            extent = extent_of(&branch);
            if let Some(applied) = scoped.applied.0.remove(&of)
                && applied.len > scoped.applied.len_of(log)
            {
                scoped.applied.0.insert(*log, applied);
            }
            batch.put(keys::applied(scope), encode(&scoped.applied));
            self.move_notes(scope, scoped, &of, log, base, &mut batch)?;
            scoped.tips.remove(&of);
            scoped.durable.0.remove(&of);
            of
        };
        self.store.commit(batch)?;
        self.note_durable(scope, &[(*log, extent)], &BTreeSet::new());
        if of == own {
            self.open_epoch()?;
        }
        Ok(Some(of))
    }

    /// Moves the transactions of a log above `base` under another name.
    fn move_records(
        &self,
        scope: &Scope,
        log: &LogId,
        to: &LogId,
        base: u64,
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        let prefix = keys::records(scope, log);
        let start = [prefix.as_slice(), &(base + 1).to_be_bytes()].concat();
        for entry in self.store.scan_from(&prefix, &start) {
            let (key, value) = entry?;
            let seq = key[prefix.len()..].try_into().map_or(0, u64::from_be_bytes);
            batch.delete(key);
            batch.put(keys::record(scope, to, seq), value);
        }
        Ok(())
    }

    /// Moves what is noted about positions of a log above `base`: decisions, what others were told of it, and
    /// which branches leave it there.
    fn move_notes(
        &self,
        scope: &Scope,
        scoped: &mut ScopeState,
        log: &LogId,
        to: &LogId,
        base: u64,
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        if let Some(decided) = scoped.decided.get(log).copied().filter(|decided| *decided > base) {
            scoped.decided.insert(*log, base);
            scoped.decided.insert(*to, decided);
            batch.put(keys::decided(scope, log), encode(&base));
            batch.put(keys::decided(scope, to), encode(&decided));
        }
        if let Some(backed) = scoped.backed.get(log).copied().filter(|backed| *backed > base) {
            scoped.backed.insert(*log, base);
            scoped.backed.insert(*to, backed);
            batch.put(keys::backed(scope), encode(&scoped.backed));
        }
        let above = (*log, base + 1)..=(*log, u64::MAX);
        let voids: Vec<_> = scoped.voids.range(above).map(|(at, reason)| (at.1, *reason)).collect();
        for (seq, reason) in voids {
            scoped.voids.remove(&(*log, seq));
            scoped.voids.insert((*to, seq), reason);
            batch.delete(keys::void(scope, log, seq));
            batch.put(keys::void(scope, to, seq), encode(&reason));
        }
        for at in [keys::entered, keys::observed] {
            let prefix = at(scope, log, 0);
            let prefix = &prefix[..prefix.len() - 8];
            for entry in self.store.scan_from(prefix, &at(scope, log, base + 1)) {
                let (key, value) = entry?;
                let seq = key[prefix.len()..].try_into().map_or(0, u64::from_be_bytes);
                batch.delete(key);
                batch.put(at(scope, to, seq), value);
            }
        }
        // Reported once more, under its name.
        if scoped.reported.0.remove(log).is_some() {
            batch.put(keys::reported(scope), encode(&scoped.reported));
        }
        for (name, tip) in &mut scoped.tips {
            if let Some(branch) = &mut tip.identity.branch
                && branch.of == *log
                && branch.base > base
                && name != to
            {
                branch.of = *to;
                batch.put(keys::tip(scope, name), encode(tip));
            }
        }
        Ok(())
    }
}
