//! Work that nobody else has and whose transaction is damaged: nothing after it in its log can ever be sent, as
//! the chain does not hold. But the documents still say what it did. So the log ends before the damage, the
//! documents are made of what is left, and what they then lack is written once more, in a new epoch: transaction by
//! transaction, each on what it had built on, so that what others wrote beside it still stands beside it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use wangge_model::clock::Extents;
use wangge_model::document::{Change, Document, Origin, stored_origins, stored_page};
use wangge_model::identity::{DocId, LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::session::Completeness;
use wangge_model::transaction::{Seen, actor};
use wangge_model::wire::PageDocument;
use wangge_store::{Batch, StoreError};

use super::apply::put_all;
use super::doctor::Outcome;
use super::salvage::beginning;
use super::scope::{HeldScope, ScopeState};
use super::vault::VaultError;
use super::{Replica, ReplicaError, encode, keys, lock};

/// What is to be written once more.
#[derive(Serialize, Deserialize)]
struct Due {
    /// The log that ended, and its last position that stays.
    log: LogId,
    end: u64,
    /// Documents as they were stored.
    documents: Vec<(DocId, Vec<u8>)>,
}

impl Replica {
    /// Ends a log before position `seq`, which is damaged or gone and which nobody else has. If it is this replica's own,
    /// what the documents show of it and of what came after is written once more; another's is lost: in its author's
    /// name nobody may write. If all else `holds`, documents that are lacking are made anew with the others, so that
    /// what is written once more stands on all that it had built on.
    ///
    /// # Errors
    /// If the store fails. What is to be written once more is on the disk before anything is taken away.
    pub(super) fn reissue(
        &self,
        scope: &Scope,
        log: &LogId,
        seq: u64,
        holds: bool,
    ) -> Result<Outcome, ReplicaError> {
        // There is room for what is due of one log.
        self.finish_reissues()?;
        if self.awaits_reissue(scope) {
            return Ok(Outcome::Found);
        }
        let is_own = self.is_own_log(scope, log);
        let gets_pages = self.gets_pages(scope);
        let is_all_said;
        let mut begins_again = false;
        {
            let turn = lock(&self.documents);
            self.store.commit(Batch::new())?;
            let log = *log;
            let found = lock(&self.state).scopes.get(scope).map(|scoped| {
                let voids: BTreeSet<(LogId, u64)> = scoped.voids.keys().copied().collect();
                (scoped.tips.clone(), scoped.secret.clone(), voids, scoped.applied.len_of(&log))
            });
            let Some((tips, secret, voids, reached)) = found else { return Ok(Outcome::Lost) };
            let Some(tip) = tips.get(&log) else { return Ok(Outcome::Lost) };
            let Some(end) = self.signed_until(scope, &log, seq.saturating_sub(1), tip)? else {
                return Ok(Outcome::Lost);
            };
            let held = HeldScope { store: &self.store, scope, tips: &tips };
            let builds_on = |seen: &Seen| seen.log == log && seen.len > end.len;
            let later =
                tips.iter().filter(|(other, _)| **other != log && (!is_own || self.is_own_log(scope, other)));
            let later = later.flat_map(|(other, tip)| (tip.floor + 1..=tip.len).map(|seq| (*other, seq)));
            if later
                .filter_map(|(other, seq)| held.record(&other, seq))
                .any(|record| record.transaction.seen.iter().any(builds_on))
            {
                // What builds on it may be with others, where it waits as well.
                return Ok(Outcome::Lost);
            }
            let Some(applied) = beginning(&self.store, scope, tips.iter()) else { return Ok(Outcome::Lost) };
            let mut due = Due { log, end: end.len, documents: Vec::new() };
            let mut batch = Batch::new();
            let mut said: BTreeSet<(DocId, u64)> = BTreeSet::new();
            for key in self.store.scan_keys(&keys::documents(scope)) {
                let key = key?;
                let Some(cursor) = keys::cursor_of(&key) else { continue };
                // What does not open is put aside with this examination, and said with the next one.
                let unread = if gets_pages { Outcome::Found } else { Outcome::Lost };
                let Some(bytes) = self.store.get(&key).ok().flatten() else { return Ok(unread) };
                let Ok(origins) = stored_origins(cursor.doc, &bytes) else { return Ok(unread) };
                if !origins.iter().any(|origin| origin.log == log && origin.seq > end.len) {
                    continue;
                }
                let Ok(document) = Document::decode(cursor.doc, &bytes) else { return Ok(unread) };
                let his = origins.iter().filter(|origin| origin.log == log);
                said.extend(his.map(|origin| (cursor.doc, origin.seq)));
                due.documents.push((cursor.doc, bytes));
                batch.delete(key);
                batch.delete(keys::view(scope, document.kind(), &cursor.doc));
            }
            let all_lacking = self.lacking(scope);
            let is_any_lacking = !all_lacking.is_empty();
            let lacking = if holds { all_lacking } else { BTreeSet::new() };
            for doc in &lacking {
                batch.delete(keys::lacking(scope, doc));
            }
            if tips.values().any(|tip| tip.floor > 0) {
                let wanted =
                    due.documents.iter().map(|(doc, _)| *doc).chain(lacking.iter().copied()).collect();
                let mut found = Vec::new();
                if self.kept_documents(scope, &secret, &wanted, &mut found) {
                    for document in found {
                        put_all(self.writes_of(scope, &document), &mut batch);
                    }
                } else if !gets_pages {
                    return Ok(Outcome::Lost);
                } else {
                    // The pages come once more, and what is due waits for them.
                    begins_again = true;
                }
            }
            let last = tip.len.max(reached);
            is_all_said = (end.len + 1..=last).filter(|seq| !voids.contains(&(log, *seq))).all(|seq| {
                let is_said = |doc: &DocId| self.is_erased(doc) || said.contains(&(*doc, seq));
                let places = [keys::record(scope, &log, seq), keys::aside(scope, &log, seq)];
                match places.iter().find_map(|place| self.store.documents_of(place)) {
                    Some(documents) => documents.iter().all(is_said),
                    // Nothing says which documents it changed: it may have been one that is lacking, too.
                    None => !is_any_lacking && said.iter().any(|(_, at)| *at == seq),
                }
            });
            for seq in end.len + 1..=last {
                batch.delete(keys::record(scope, &log, seq));
                batch.delete(keys::spare(scope, &log, seq));
                // What was put aside follows on nothing any more.
                batch.delete(keys::aside(scope, &log, seq));
            }
            match end.len {
                0 => batch.delete(keys::tip(scope, &log)),
                _ => batch.put(keys::tip(scope, &log), encode(&end)),
            }
            if begins_again {
                self.forget_beginning(scope, &mut batch)?;
            } else {
                batch.put(keys::applied(scope), encode(&applied));
            }
            // What the transactions that go had reported as seen is to be reported again.
            batch.put(keys::reported(scope), encode(&Extents::default()));
            if is_own {
                batch.put(keys::reissued(scope), encode(&due));
            }
            let unfit = self.unfit(scope, &tips);
            for (log, seq) in unfit {
                batch.delete(keys::void(scope, &log, seq));
            }
            self.store.commit(batch)?;
            tracing::warn!(%scope, %log, from = tip.len, to = end.len, "a damaged log ends here");
            self.load_anew(&mut lock(&self.state).scopes, scope)?;
            self.recent.clear();
            if !begins_again {
                self.apply_all(&turn)?;
            }
        }
        if !is_own {
            self.say_greet_again();
            return Ok(Outcome::Lost);
        }
        self.open_epoch()?;
        self.say_greet_again();
        self.finish_reissues()?;
        // Documents that are damaged as well, or gone, said nothing of it.
        Ok(match is_all_said {
            true if begins_again => Outcome::Asked,
            true if self.awaits_reissue(scope) => Outcome::Found,
            true => Outcome::Repaired,
            false => Outcome::Lost,
        })
    }

    /// Whether pages of a scope may come. Nobody gives the centre any, nor who is to destroy all that he holds, nor whose
    /// worker has left the unit.
    fn gets_pages(&self, scope: &Scope) -> bool {
        if self.is_centre() || lock(&self.state).revoked.is_some() {
            return false;
        }
        let me = self.profile().replica();
        let Ok(roster) = self.roster() else { return true };
        !roster.replicas().contains_key(&me) || roster.holds(&me, self.now_ms()).contains(scope)
    }

    /// Whether something of a scope is still to be written once more.
    pub(super) fn awaits_reissue(&self, scope: &Scope) -> bool {
        matches!(self.store.get(&keys::reissued(scope)), Ok(Some(_)))
    }

    /// Writes what is due to be written once more. A crash in between repeats it without effect. What cannot be written
    /// yet stays due, and each examination tells of it.
    ///
    /// # Errors
    /// If the store takes no more writes.
    pub(super) fn finish_reissues(&self) -> Result<(), ReplicaError> {
        for scope in self.scopes() {
            match self.finish_reissue(&scope) {
                Err(error) if is_of_store(&error) => return Err(error),
                // A worker's turn may be missing, or what it builds on is damaged as well.
                Err(error) => tracing::warn!(%scope, %error, "what is to be written once more waits"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn finish_reissue(&self, scope: &Scope) -> Result<(), ReplicaError> {
        let place = keys::reissued(scope);
        let Some(bytes) = self.store.get(&place).ok().flatten() else { return Ok(()) };
        let due: Option<Due> = postcard::from_bytes(&bytes).ok();
        let is_whole = |state: &ScopeState| state.completeness == Completeness::Whole;
        if !lock(&self.state).scopes.get(scope).is_some_and(is_whole) && self.gets_pages(scope) {
            // The pages that it builds on are on their way.
            return Ok(());
        }
        self.apply()?;
        if let Some(due) = &due {
            self.write_once_more(scope, due)?;
        }
        let mut batch = Batch::new();
        batch.delete(place);
        Ok(self.store.commit(batch)?)
    }

    fn write_once_more(&self, scope: &Scope, due: &Due) -> Result<(), ReplicaError> {
        let mut was: BTreeMap<DocId, (PageDocument, BTreeSet<u32>)> = BTreeMap::new();
        let mut transactions: BTreeMap<u64, (u64, Vec<(DocId, u32)>)> = BTreeMap::new();
        for (doc, bytes) in &due.documents {
            let Ok(page) = stored_page(*doc, bytes) else { continue };
            let mut gone = BTreeSet::new();
            for (at, change) in (0..).zip(&page.changes) {
                let Origin { log, seq, wall_ms, .. } = change.origin;
                if log == due.log && seq > due.end && !change.void {
                    transactions.entry(seq).or_insert((wall_ms, Vec::new())).1.push((*doc, at));
                    gone.insert(at);
                }
            }
            was.insert(*doc, (page, gone));
        }
        for (wall_ms, places) in transactions.into_values() {
            let mut changes = Vec::new();
            for (doc, at) in places.into_iter().filter(|(doc, _)| !self.is_erased(doc)) {
                let Some((page, gone)) = was.get(&doc) else { continue };
                changes.extend(self.once_more(scope, &due.log, page, gone, at)?);
            }
            match self.commit_changes(scope, changes.clone(), wall_ms) {
                // It says more of what its author had seen than it did.
                Err(ReplicaError::TooLarge { .. }) => {
                    for change in changes {
                        self.commit_changes(scope, vec![change], wall_ms)?;
                    }
                }
                done => drop(done?),
            }
        }
        Ok(())
    }

    /// The change that says once more what change `at` of `page` said; `None` if that is said already.
    fn once_more(
        &self,
        scope: &Scope,
        ended: &LogId,
        page: &PageDocument,
        gone: &BTreeSet<u32>,
        at: u32,
    ) -> Result<Option<Change>, ReplicaError> {
        let profile = self.profile();
        let mut mine: BTreeSet<LogId> = profile
            .earlier
            .iter()
            .chain([&profile.epoch()])
            .map(|epoch| LogId::derive(scope, &profile.replica(), *epoch))
            .collect();
        mine.remove(ended);
        let document = match self.load_document(scope, page.kind, &page.id)? {
            Some(document) => document,
            None => {
                Document::new(page.id, page.kind).map_err(|error| ReplicaError::Form(error.to_string()))?
            }
        };
        let my_actor = actor(&self.own_log(scope), self.actor_nonce);
        Ok(document.once_more(page, gone, at, &my_actor, |origin| mine.contains(&origin.log)))
    }
}

/// Whether the store itself refuses; what is damaged in it is another matter.
fn is_of_store(error: &ReplicaError) -> bool {
    match error {
        ReplicaError::Store(error) | ReplicaError::Vault(VaultError::Store(error)) => {
            !matches!(error, StoreError::Damaged { .. })
        }
        ReplicaError::Vault(_) | ReplicaError::Failed { .. } => true,
        _ => false,
    }
}
