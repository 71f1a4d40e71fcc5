//! Cutting damaged logs back to where they are whole, and continuing them with what comes back.

use std::collections::BTreeMap;

use wangge_model::clock::{Clock, Extent, Extents, head_tag};
use wangge_model::identity::{Hash, LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{EMPTY_HEAD, Tip, next_head};
use wangge_model::tree;
use wangge_store::Batch;

use super::doctor::{Outcome, Trouble};
use super::mending::base_of;
use super::salvage::began;
use super::scope::{HeldScope, ScopeState, extent_of};
use super::vault::{Vault, decode_record};
use super::{Replica, ReplicaError, encode, keys, lock};

/// The head of a log at a position that is still held.
fn held_head(store: &Vault, scope: &Scope, log: &LogId, seq: u64, tip: &Tip) -> Option<Hash> {
    if seq == tip.len {
        return Some(tip.head);
    }
    Some(decode_record(&store.get(&keys::record(scope, log, seq)).ok()??)?.head)
}

impl Replica {
    /// Cuts a damaged log back to where it is whole, if somebody has the rest or nobody can be given it.
    pub(super) fn cut(
        &self,
        scope: &Scope,
        log: &LogId,
        seq: u64,
        what: Trouble,
    ) -> Result<Outcome, ReplicaError> {
        let _turn = lock(&self.documents);
        self.store.commit(Batch::new())?;
        let holders = self.holders(scope)?;
        let mut state = lock(&self.state);
        let quiet = |scoped: &ScopeState| {
            scoped.tips.iter().all(|(log, tip)| scoped.durable.0.get(log) == Some(&extent_of(tip)))
        };
        if !state.scopes.values().all(quiet) {
            // Something is on its way to the disk: the next examination finds it quiet.
            return Ok(Outcome::Found);
        }
        let Some(tip) = state.scopes.get(scope).and_then(|scoped| scoped.tips.get(log)).cloned() else {
            return Ok(Outcome::Repaired);
        };
        let is_held = |scoped: &ScopeState| {
            let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
            let named = tree::root(&held, log);
            let mut ends = holders.iter().map(|clock| clock.ends_of(&named));
            if !held.branches(&named).is_empty() {
                // A longer branch says nothing of this one.
                return ends.any(|ends| tree::reach(&held, ends, log) >= seq);
            }
            let ends: Vec<&Extent> = ends.flatten().filter(|end| end.len >= seq).collect();
            let is_same =
                |end: &Extent| tree::at(&held, log, end.len).map(|point| head_tag(&point.head) == end.head);
            // A copy of this disk has written, too: where that cannot be told apart, it may be all that they have.
            let is_copied = self.is_own_log(scope, log) && ends.iter().any(|end| is_same(end) == Some(false));
            ends.iter().any(|end| is_same(end).unwrap_or(!is_copied))
        };
        // What the centre had, those have who wrote it, and who got it from there.
        let is_elsewhere = self.is_centre() || state.scopes.get(scope).is_some_and(is_held);
        let mut batch = Batch::new();
        let mut outcome = Outcome::Asked;
        if seq > tip.len {
            // The transactions are whole: only the end is to be written again.
            let last = self.signed_until(scope, log, tip.len, &tip)?;
            match last {
                // What documents hold of it beyond that is asked for, unless nobody but this replica had it.
                Some(_) if what == Trouble::Transaction => {
                    if !is_elsewhere {
                        return Ok(Outcome::Lost);
                    }
                }
                Some(end) if end.len == tip.len => {
                    batch.put(keys::tip(scope, log), encode(&end));
                    outcome = Outcome::Repaired;
                }
                _ => return Ok(Outcome::Lost),
            }
        } else if is_elsewhere || !self.is_own_log(scope, log) {
            // Another's work that nobody is known to have cannot be given to anybody, so no clock may claim it; its author
            // may have it still.
            outcome = if is_elsewhere { Outcome::Asked } else { Outcome::Lost };
            let Some(end) = self.signed_until(scope, log, seq - 1, &tip)? else { return Ok(Outcome::Lost) };
            for seq in end.len + 1..=tip.len {
                let key = keys::record(scope, log, seq);
                // The peer may be lost before it delivers: what is whole is kept until it has.
                if let Some(record) = self.either(&key, scope, log, seq) {
                    batch.put(keys::aside(scope, log, seq), record);
                }
                batch.delete(key);
            }
            // A branch of which nothing is left comes anew, as a log does.
            match end.len > tip.identity.branch.as_ref().map_or(0, |branch| branch.base) {
                true => batch.put(keys::tip(scope, log), encode(&end)),
                false => batch.delete(keys::tip(scope, log)),
            }
            if let Some(scoped) = state.scopes.get(scope)
                && let Some(reached) = scoped.applied.0.get(log).filter(|reached| reached.len > end.len)
            {
                // How far it had taken effect is still to be named by whoever writes on.
                let at = held_head(&self.store, scope, log, reached.len, &tip);
                if let Some(head) = at {
                    let mut floors = scoped.floors.clone();
                    floors.0.insert(*log, Extent { len: reached.len, head: head_tag(&head) });
                    batch.put(keys::floors(scope), encode(&floors));
                }
            }
            if *log == self.own_log(scope) {
                // What the transactions that go had reported as seen is to be reported again.
                batch.put(keys::reported(scope), encode(&Extents::default()));
            }
            tracing::warn!(%scope, %log, from = tip.len, to = end.len, "a damaged log is cut back; its peers are asked for the rest");
        } else {
            return Ok(Outcome::Lost);
        }
        self.store.commit(batch)?;
        self.load_anew(&mut state.scopes, scope)?;
        if outcome != Outcome::Repaired {
            self.say_greet_again();
        }
        Ok(outcome)
    }

    /// Takes back what was put aside of a log, as far as it follows by now.
    pub(super) fn settle_aside(&self, scope: &Scope, log: &LogId) -> Result<Outcome, ReplicaError> {
        let _turn = lock(&self.documents);
        let mut batch = Batch::new();
        let mut news = Vec::new();
        let mut state = lock(&self.state);
        let Some(scoped) = state.scopes.get_mut(scope) else { return Ok(Outcome::Repaired) };
        self.take_from_aside(scope, scoped, log, &mut batch, &mut news)?;
        let outcome = if scoped.aside.contains(log) { Outcome::Asked } else { Outcome::Repaired };
        // Queued while the lock is held: the order on the disk is the order in memory. Waited for without it: whoever
        // waits may have to tell what a peer sent before, which takes the lock.
        let later = self.store.commit_later(batch)?;
        drop(state);
        later.wait()?;
        self.note_durable(scope, &news);
        Ok(outcome)
    }

    /// Continues a log with what was put aside of it, as far as that follows what is held; what a peer has
    /// delivered meanwhile is let go.
    pub(super) fn take_from_aside(
        &self,
        scope: &Scope,
        scoped: &mut ScopeState,
        log: &LogId,
        batch: &mut Batch,
        news: &mut Vec<(LogId, Extent)>,
    ) -> Result<(), ReplicaError> {
        let Some(mut tip) = scoped.tips.get(log).cloned() else { return Ok(()) };
        let (delivered, mut next, mut head) = (tip.len, tip.len + 1, tip.head);
        let mut waiting: Vec<(u64, Vec<u8>)> = Vec::new();
        while let Some(bytes) = self.either(&keys::aside(scope, log, next), scope, log, next)
            && let Some(record) = decode_record(&bytes)
        {
            let follows = next_head(&head, &record.transaction.hash(&scoped.secret));
            if follows != record.head {
                // Another branch.
                break;
            }
            waiting.push((next, bytes));
            if record.signature.is_some() {
                tip = Tip { len: next, head: follows, lamport: record.transaction.lamport, ..tip };
                for (seq, bytes) in waiting.drain(..) {
                    batch.put(keys::record(scope, log, seq), bytes);
                }
            }
            (head, next) = (follows, next + 1);
        }
        let prefix = keys::asides(scope, log);
        let mut left = false;
        for key in self.store.scan_keys(&prefix) {
            let key = key?;
            match key[prefix.len()..].try_into().map_or(0, u64::from_be_bytes) <= tip.len {
                true => batch.delete(key),
                false => left = true,
            }
        }
        if !left {
            scoped.aside.remove(log);
        }
        if tip.len > delivered {
            tracing::info!(%scope, %log, from = delivered, to = tip.len, "what was put aside follows again");
            batch.put(keys::tip(scope, log), encode(&tip));
            news.push((*log, extent_of(&tip)));
            scoped.tips.insert(*log, tip);
        }
        Ok(())
    }

    pub(super) fn load_anew(
        &self,
        scopes: &mut BTreeMap<Scope, ScopeState>,
        scope: &Scope,
    ) -> Result<(), ReplicaError> {
        if let Some(scoped) = scopes.get_mut(scope) {
            *scoped = ScopeState::load(&self.store, scope, scoped.secret.clone())?;
        }
        Ok(())
    }

    /// The end of a log as it was at its last signed position up to `upto`.
    pub(super) fn signed_until(
        &self,
        scope: &Scope,
        log: &LogId,
        upto: u64,
        tip: &Tip,
    ) -> Result<Option<Tip>, ReplicaError> {
        let base = base_of(tip);
        for seq in (base + 1..=upto).rev() {
            let record = self.store.get(&keys::record(scope, log, seq)).ok().flatten();
            if let Some(record) = record.and_then(|bytes| decode_record(&bytes))
                && record.signature.is_some()
            {
                let (head, lamport) = (record.head, record.transaction.lamport);
                return Ok(Some(Tip { len: seq, head, lamport, ..tip.clone() }));
            }
        }
        if base == 0 {
            return Ok(Some(Tip { len: 0, head: EMPTY_HEAD, lamport: 0, ..tip.clone() }));
        }
        if let Some(branch) = tip.identity.branch.as_ref().filter(|branch| branch.base == base) {
            return Ok(Some(Tip { len: base, head: branch.head, lamport: branch.lamport, ..tip.clone() }));
        }
        let began = began(&self.store, scope, log, base);
        Ok(began.map(|entry| Tip { floor: tip.floor, identity: tip.identity.clone(), ..entry.tip }))
    }

    /// What peers had of a scope when last heard of.
    fn holders(&self, scope: &Scope) -> Result<Vec<Clock>, ReplicaError> {
        let mut clocks = Vec::new();
        clocks.extend(lock(&self.heard).iter().filter(|((_, of), _)| of == scope).map(|(_, at)| at.clone()));
        for key in self.store.scan_keys(keys::REMEMBERED) {
            let key = key?;
            if key.get(33..).is_some_and(|name| name == scope.to_string().as_bytes())
                && let Ok(Some(value)) = self.store.get(&key)
                && let Ok(clock) = postcard::from_bytes::<Clock>(&value)
            {
                clocks.push(clock);
            }
        }
        Ok(clocks)
    }
}
