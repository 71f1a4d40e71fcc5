//! Giving up what is held no longer: a scope that the centre took away, or everything, by its order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use wangge_model::clock::Clock;
use wangge_model::enrolment::Grant;
use wangge_model::identity::{DocId, Scope};
use wangge_model::ingest::Held;
use wangge_model::tree;
use wangge_model::wipe::{SignedOrder, SignedReceipt, WipeError};
use wangge_store::{Batch, StoreError};

use super::salvage::Reader;
use super::scope::{HeldScope, ScopeState, extent_of};
use super::vault::pages_name;
use super::{Replica, ReplicaError, encode, keys, lock, put_profile};

/// Records that are deleted in one batch.
const DELETED_MAX: usize = 4_096;

/// Says in the directory of a replica that it was destroyed, and why.
const WIPED: &str = "WIPED";

impl Replica {
    /// Takes up a changed enrolment. Scopes that it takes away are destroyed here, once the centre has all
    /// that was written in them: `peer_has` is what it holds. `None` if it lacks something, and nothing
    /// has changed; else the scopes that are gone.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn take_grant(
        &self,
        grant: Grant,
        peer_has: &BTreeMap<Scope, Clock>,
    ) -> Result<Option<Vec<Scope>>, ReplicaError> {
        let _turn = lock(&self.documents);
        let mut profile = self.profile();
        let Ok(enrolment) = grant.enrolment.open(&profile.centre()) else { return Ok(None) };
        let lost: Vec<Scope> =
            self.scopes().into_iter().filter(|scope| !enrolment.scopes.contains(scope)).collect();
        {
            let state = lock(&self.state);
            for scope in &lost {
                let Some(scoped) = state.scopes.get(scope) else { continue };
                let nothing = Clock::default();
                let there = peer_has.get(scope).unwrap_or(&nothing);
                if self.has_more(scope, scoped, there) {
                    return Ok(None);
                }
            }
        }
        if self.keeps_for_photos(&lost)? {
            return Ok(None);
        }
        profile.set_grant(grant);
        let mut batch = Batch::new();
        put_profile(&profile, &mut batch);
        if !lost.is_empty() {
            batch.put(keys::LEAVING, encode(&lost));
        }
        self.store.commit(batch)?;
        self.keep_profile(profile)?;
        self.leave()?;
        Ok(Some(lost))
    }

    /// Destroys what is left of scopes that were taken away.
    pub(super) fn leave(&self) -> Result<(), ReplicaError> {
        let mut reader = Reader::new(&self.store);
        let lost: Vec<Scope> = match reader.read(keys::LEAVING)? {
            Some(lost) => lost,
            None if reader.missed(keys::LEAVING) => self.not_granted()?,
            None => return Ok(()),
        };
        for scope in &lost {
            let is_written = match self.store.get(&keys::tip(scope, &self.own_log(scope))) {
                // It does not open, and is there.
                Err(StoreError::Damaged { .. }) => true,
                stored => stored?.is_some(),
            };
            if is_written {
                // If it is given back some day, no position may be issued twice.
                self.open_epoch()?;
            }
            self.drop_scope(scope)?;
            tracing::warn!(%scope, "this replica holds it no longer: its data is destroyed here");
        }
        let mut batch = Batch::new();
        batch.delete(keys::LEAVING);
        Ok(self.store.commit(batch)?)
    }

    /// Scopes of which something is stored and that the grant, stored with the note of what to destroy, does
    /// not name.
    fn not_granted(&self) -> Result<Vec<Scope>, ReplicaError> {
        let granted = self.profile().scopes();
        let mut found = BTreeSet::new();
        for key in self.store.scan_keys(keys::TIPS) {
            found.extend(keys::scope_of(&key?));
        }
        Ok(found.into_iter().filter(|scope| !granted.contains(scope)).collect())
    }

    /// Destroys all that is held of a scope: its records, then the keys of its documents.
    ///
    /// # Errors
    /// If the store fails; it can be repeated then.
    pub fn drop_scope(&self, scope: &Scope) -> Result<(), ReplicaError> {
        lock(&self.state).scopes.remove(scope);
        let mut documents: BTreeSet<DocId> = self.remove_photos_of(scope)?.into_iter().collect();
        let mut found: Vec<Vec<u8>> = Vec::new();
        for prefix in keys::all_of(scope) {
            for key in self.store.scan_keys(&prefix) {
                found.push(key?);
            }
        }
        for keys in found.chunks(DELETED_MAX) {
            let mut batch = Batch::new();
            for key in keys {
                if key.starts_with(&keys::documents(scope))
                    && let Some(cursor) = keys::cursor_of(key)
                {
                    documents.insert(cursor.doc);
                }
                batch.delete(key.clone());
            }
            self.store.commit(batch)?;
        }
        self.recent.clear();
        if *scope == Scope::Street {
            self.rosters.forget();
        }
        // Kept pages and second copies hold many residents' data.
        documents.insert(pages_name(&keys::kept_pages(scope)));
        let documents: Vec<DocId> = documents.into_iter().collect();
        Ok(self.store.destroy_keys(&documents)?)
    }

    /// Takes up the centre's order to destroy what this replica holds: nothing is saved here any more. Returns
    /// the centre's reason.
    ///
    /// # Errors
    /// [`ReplicaError::Order`] if the centre did not give it to this replica.
    pub fn stop_for(&self, order: &SignedOrder) -> Result<String, ReplicaError> {
        let profile = self.profile();
        let opened = order.open(&profile.centre(), &profile.replica()).map_err(ReplicaError::Order)?;
        if self.is_centre() {
            return Err(ReplicaError::Order(WipeError::Other));
        }
        // A commit that is under way is saved, and what is saved is handed over first.
        let _turn = lock(&self.documents);
        lock(&self.state).revoked = Some(opened.reason.clone());
        Ok(opened.reason)
    }

    /// Whether the centre, which holds `peer_has` of the scopes that it takes, lacks something that is here.
    pub fn holds_more(&self, peer_has: &BTreeMap<Scope, Clock>) -> bool {
        let state = lock(&self.state);
        peer_has.iter().any(|(scope, there)| {
            state.scopes.get(scope).is_some_and(|scoped| self.has_more(scope, scoped, there))
        })
    }

    /// Whether a peer with the clock `there` lacks something that is here of a scope, as far as can be seen.
    fn has_more(&self, scope: &Scope, scoped: &ScopeState, there: &Clock) -> bool {
        if self.awaits_reissue(scope) {
            return true;
        }
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        scoped.tips.iter().any(|(log, tip)| {
            let root = tree::root(&held, log);
            // Where the log forked, an end that is not known here may be another branch.
            let may_be_another = !held.branches(&root).is_empty();
            tree::reach(&held, there.ends_of(&root), log) < tip.len
                && (may_be_another || !there.may_hold(&root, &extent_of(tip)))
        })
    }

    /// Destroys what this replica holds, by an order of the centre. Returns the receipt.
    ///
    /// # Errors
    /// [`ReplicaError::Order`] if the centre did not give it to this replica.
    pub fn wipe(&self, order: &SignedOrder) -> Result<SignedReceipt, ReplicaError> {
        let reason = self.stop_for(order)?;
        let mut profile = self.profile();
        let receipt = order.receipt(&profile.signing_key(), self.now_ms());
        let _turn = lock(&self.documents);
        // A simulated disk has no directory: whoever simulates takes it away.
        if self.dir.is_dir() {
            mark(&self.dir, &reason)?;
        }
        {
            let mut state = lock(&self.state);
            state.scopes.clear();
            state.failed = Some("wiped".to_owned());
        }
        self.rosters.forget();
        self.recent.clear();
        if self.dir.is_dir() {
            self.store.shred()?;
        }
        self.remove_mark();
        profile.grant = None;
        *self.profile.write().unwrap_or_else(PoisonError::into_inner) = profile;
        tracing::warn!("the centre has revoked this device: what it held is destroyed");
        Ok(receipt)
    }
}

/// Leaves the word in the directory before anything is destroyed, so that a crash in between leaves no
/// riddle.
fn mark(dir: &Path, reason: &str) -> Result<(), ReplicaError> {
    let write = || {
        let mut file = File::create(dir.join(WIPED))?;
        file.write_all(reason.as_bytes())?;
        file.sync_all()?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| ReplicaError::Damaged { what: format!("{WIPED} ({error})"), dir: dir.to_owned() })
}

/// Lets a directory whose replica was destroyed be used again.
pub(crate) fn begin_anew(dir: &Path) -> Result<(), ReplicaError> {
    std::fs::remove_file(dir.join(WIPED))
        .map_err(|error| ReplicaError::Damaged { what: format!("{WIPED} ({error})"), dir: dir.to_owned() })
}

/// Whether the replica in `dir` was destroyed by the centre's order. What is left of its files goes.
pub(super) fn check_wiped(dir: &Path) -> Result<(), ReplicaError> {
    let Ok(reason) = std::fs::read_to_string(dir.join(WIPED)) else { return Ok(()) };
    let left: Vec<PathBuf> = std::fs::read_dir(dir)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    for path in left.iter().filter(|path| path.file_name().is_some_and(|name| name != WIPED)) {
        // What cannot be removed is unreadable: its keys are gone.
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    let reason = reason.chars().take(200).collect();
    Err(ReplicaError::Wiped { dir: dir.to_owned(), reason })
}
