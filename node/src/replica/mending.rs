//! Mending what an examination found: views and indexes from documents, documents from transactions and
//! from the checkpoint that the replica began from, transactions from whoever has them.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::clock::Extents;
use wangge_model::document::{Document, VIEW_FORMAT};
use wangge_model::identity::{DocId, LogId, Scope};
use wangge_model::log::Tip;
use wangge_model::materialise::Applied;
use wangge_model::verdict::VoidReason;
use wangge_store::Batch;

use super::apply::put_all;
use super::doctor::{Checkup, Finding, Outcome, Trouble};
use super::pages::Page;
use super::salvage::{beginning, kept_start, page_documents, page_ends, restore_record};
use super::scope::{Arrival, position};
use super::{Replica, ReplicaError, encode, keys, lock, put_profile};

/// The position before the first whose transaction is held under this log's name.
pub(super) fn base_of(tip: &Tip) -> u64 {
    tip.identity.branch.as_ref().map_or(0, |branch| branch.base).max(tip.floor)
}

/// Whether a record of the store is examined as what it is, not only for whether it opens.
pub(super) fn is_examined(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'D' | b'W' | b'L' | b'T' | b'k' | b'g'))
}

impl Replica {
    /// Examines all that is stored and mends what can be mended. What a peer has is asked for in the next
    /// session. Each finding says what became of it.
    ///
    /// # Errors
    /// If the store takes no more writes.
    pub fn mend(&self) -> Result<Checkup, ReplicaError> {
        let mut checkup = self.examine()?;
        if checkup.is_healthy() {
            return Ok(checkup);
        }
        self.store.mend_broken_keys()?;
        // Under a key that does not open, what a peer sent could not be written.
        self.recover()?;
        let mut by_scope: BTreeMap<Option<Scope>, Vec<&mut Finding>> = BTreeMap::new();
        for finding in &mut checkup.findings {
            by_scope.entry(finding.scope.clone()).or_default().push(finding);
        }
        let mut cut_own = false;
        for (scope, mut findings) in by_scope {
            match scope {
                Some(scope) => {
                    cut_own |= self.mend_logs(&scope, &mut findings)?;
                    self.mend_documents(&scope, &mut findings)?;
                    self.mend_views(&scope, &mut findings)?;
                }
                None => self.mend_rest(&mut findings)?,
            }
        }
        if cut_own {
            // Positions of the old epoch were issued after what is left of it here.
            self.open_epoch()?;
        }
        if let Err(error) = self.apply() {
            // What is still damaged waits for what the next session brings.
            tracing::warn!(%error, "not all can take effect yet");
        }
        self.finish_reissues()?;
        for finding in checkup.findings.iter_mut().filter(|finding| finding.what == Trouble::Due) {
            if finding.scope.as_ref().is_some_and(|scope| !self.awaits_reissue(scope)) {
                finding.outcome = Outcome::Repaired;
            }
        }
        Ok(checkup)
    }

    /// Cuts damaged logs back to where they are whole, if a peer has the rest. Returns whether the log that
    /// this replica writes is among them.
    fn mend_logs(&self, scope: &Scope, findings: &mut [&mut Finding]) -> Result<bool, ReplicaError> {
        let logs = [Trouble::Transaction, Trouble::LogEnd, Trouble::Clock];
        let own = self.own_log(scope);
        let mut cut_own = false;
        for finding in findings.iter_mut().filter(|finding| finding.what == Trouble::Aside) {
            if let Some(log) = finding.log {
                finding.outcome = self.settle_aside(scope, &log)?;
            }
        }
        for finding in findings.iter_mut().filter(|finding| finding.what == Trouble::Transaction) {
            if let Some(log) = finding.log
                && self.heal(scope, &log)?
            {
                finding.outcome = Outcome::Repaired;
            }
        }
        let is_due = |f: &Finding| f.what == Trouble::Transaction && f.outcome != Outcome::Repaired;
        let holds = findings.iter().filter(|finding| is_due(finding)).count() == 1;
        let is_open = |f: &Finding| logs.contains(&f.what) && f.outcome != Outcome::Repaired;
        for finding in findings.iter_mut().filter(|finding| is_open(finding)) {
            let (Some(log), Some(seq)) = (finding.log, finding.seq) else { continue };
            let was_cut = lock(&self.state)
                .scopes
                .get(scope)
                .and_then(|s| s.tips.get(&log))
                .is_some_and(|t| t.len < seq);
            finding.outcome = self.cut(scope, &log, seq, finding.what)?;
            let is_own = self.is_own_log(scope, &log);
            if finding.what == Trouble::Transaction && finding.outcome == Outcome::Lost && (is_own || was_cut)
            {
                // Another's work that no session has brought back since it was cut off is given up.
                finding.outcome = self.reissue(scope, &log, seq, holds)?;
            }
            cut_own |= log == own && finding.outcome == Outcome::Asked;
        }
        Ok(cut_own)
    }

    /// Makes damaged documents anew: first what the kept pages have of them, then all transactions take
    /// effect again. What a document holds already stays as it is.
    fn mend_documents(&self, scope: &Scope, findings: &mut [&mut Finding]) -> Result<(), ReplicaError> {
        for finding in findings.iter_mut().filter(|f| f.what == Trouble::Document) {
            if finding.document.is_some_and(|document| self.is_past_mending(&document)) {
                finding.outcome = Outcome::Lost;
            }
        }
        let due = |f: &Finding| f.what == Trouble::Document && f.outcome == Outcome::Found;
        let damaged: BTreeSet<DocId> =
            findings.iter().filter(|f| due(f)).filter_map(|f| f.document).collect();
        if damaged.is_empty() {
            return Ok(());
        }
        let is_whole = |f: &Finding| f.what != Trouble::Transaction || f.outcome == Outcome::Repaired;
        let logs_hold = findings.iter().all(|f| is_whole(f));
        let outcome = match self.make_anew(scope, &damaged, logs_hold)? {
            // The centre's pages are another beginning.
            Outcome::Lost if !self.is_centre() => self.begin_again(scope)?,
            outcome => outcome,
        };
        for finding in findings.iter_mut().filter(|f| due(f)) {
            finding.outcome = outcome;
        }
        Ok(())
    }

    /// Lets the pages of a scope come once more: what of its documents is damaged and cannot be made of what is
    /// here, they hold. The logs stay.
    fn begin_again(&self, scope: &Scope) -> Result<Outcome, ReplicaError> {
        let _turn = lock(&self.documents);
        let mut batch = Batch::new();
        let apart = self.apart().remove(scope).unwrap_or_default();
        self.drop_documents(scope, |doc, opens| !opens || apart.contains(doc), &mut batch)?;
        for doc in self.lacking(scope) {
            batch.delete(keys::lacking(scope, &doc));
        }
        self.forget_beginning(scope, &mut batch)?;
        batch.put(keys::reported(scope), encode(&Extents::default()));
        self.store.commit(batch)?;
        self.load_anew(&mut lock(&self.state).scopes, scope)?;
        self.recent.clear();
        self.forget_apart(scope);
        // Until the pages are here, what is written cannot follow what this log says it had seen.
        self.open_epoch()?;
        self.say_greet_again();
        tracing::warn!(%scope, "its pages are asked for once more");
        Ok(Outcome::Asked)
    }

    /// Lets the pages of a scope come as if nothing of it had ever come.
    pub(super) fn forget_beginning(&self, scope: &Scope, batch: &mut Batch) -> Result<(), ReplicaError> {
        self.drop_kept_pages(scope, batch)?;
        batch.put(keys::applied(scope), encode(&Applied::default()));
        batch.put(keys::completeness(scope), encode(&Arrival::Nothing));
        Ok(())
    }

    /// Removes the documents of which `drop` says so, by id and whether they open. Returns which.
    fn drop_documents(
        &self,
        scope: &Scope,
        drop: impl Fn(&DocId, bool) -> bool,
        batch: &mut Batch,
    ) -> Result<BTreeSet<DocId>, ReplicaError> {
        let mut gone = BTreeSet::new();
        for key in self.store.scan_keys(&keys::documents(scope)) {
            let key = key?;
            let Some(cursor) = keys::cursor_of(&key) else { continue };
            let bytes = self.store.get(&key).ok().flatten();
            let opens = bytes.is_some_and(|bytes| Document::decode(cursor.doc, &bytes).is_ok());
            if drop(&cursor.doc, opens) {
                gone.insert(cursor.doc);
                batch.delete(key);
                // Sealed under the same key.
                for spec in wangge_model::schema::kinds() {
                    batch.delete(keys::view(scope, spec.kind, &cursor.doc));
                }
            }
        }
        Ok(gone)
    }

    pub(super) fn make_anew(
        &self,
        scope: &Scope,
        damaged: &BTreeSet<DocId>,
        logs_hold: bool,
    ) -> Result<Outcome, ReplicaError> {
        let turn = lock(&self.documents);
        self.store.commit(Batch::new())?;
        let Some((tips, secret)) =
            lock(&self.state).scopes.get(scope).map(|scoped| (scoped.tips.clone(), scoped.secret.clone()))
        else {
            return Ok(Outcome::Lost);
        };
        if !logs_hold {
            // The transactions come first: once they are back, the next examination makes the documents. What does
            // not open must not stand in the way meanwhile, of the roster least of all.
            // Whatever changes it waits: without what it held nobody can judge that.
            let mut batch = Batch::new();
            let gone =
                self.drop_documents(scope, |doc, opens| damaged.contains(doc) && !opens, &mut batch)?;
            for doc in &gone {
                batch.put(keys::lacking(scope, doc), Vec::new());
            }
            self.store.commit(batch)?;
            if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
                scoped.lacking.extend(gone);
            }
            return Ok(Outcome::Asked);
        }
        let in_pages = tips.values().any(|tip| tip.floor > 0);
        let Some(applied) = beginning(&self.store, scope, tips.iter()) else { return Ok(Outcome::Lost) };
        let mut found = Vec::new();
        if in_pages && !self.kept_documents(scope, &secret, damaged, &mut found) {
            return Ok(Outcome::Lost);
        }
        let mut batch = Batch::new();
        let apart = self.apart().remove(scope).unwrap_or_default();
        if !damaged.is_empty() {
            let gone = |doc: &DocId, opens: bool| damaged.contains(doc) && (!opens || apart.contains(doc));
            self.drop_documents(scope, gone, &mut batch)?;
        }
        for document in found {
            put_all(self.writes_of(scope, &document), &mut batch);
        }
        batch.put(keys::applied(scope), encode(&applied));
        // What did not fit documents that were damaged or not there is tried once more, with all the rest.
        let unfit = self.unfit(scope, &tips);
        for (log, seq) in &unfit {
            batch.delete(keys::void(scope, log, *seq));
        }
        for doc in self.lacking(scope) {
            batch.delete(keys::lacking(scope, &doc));
        }
        self.store.commit(batch)?;
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.applied = applied;
            scoped.voids.retain(|at, _| !unfit.contains(at));
            scoped.lacking.clear();
        }
        self.recent.clear();
        match self.apply_all(&turn) {
            Ok(_) => {
                self.forget_apart(scope);
                Ok(Outcome::Repaired)
            }
            Err(error) => {
                // Another scope's damage is in the way: the next examination finds what is left.
                tracing::warn!(%scope, %error, "documents are not made anew yet");
                Ok(Outcome::Found)
            }
        }
    }

    /// Positions above the floors that did not fit the documents here. No verdict says that of any: it is this
    /// replica's finding alone.
    pub(super) fn unfit(&self, scope: &Scope, tips: &BTreeMap<LogId, Tip>) -> BTreeSet<(LogId, u64)> {
        let state = lock(&self.state);
        let voids = state.scopes.get(scope).into_iter().flat_map(|scoped| &scoped.voids);
        let unfit = voids.filter(|((log, seq), reason)| {
            **reason == VoidReason::Unfit && *seq > tips.get(log).map_or(0, |tip| tip.floor)
        });
        unfit.map(|(at, _)| *at).collect()
    }

    /// What the kept pages have of some documents. Whether all pages could be read.
    pub(super) fn kept_documents(
        &self,
        scope: &Scope,
        secret: &wangge_model::transaction::ScopeSecret,
        wanted: &BTreeSet<DocId>,
        found: &mut Vec<Document>,
    ) -> bool {
        let mut last = false;
        let ends = kept_start(&self.store, scope).map(|start| page_ends(scope, &start));
        for entry in self.store.scan(&keys::kept_pages(scope)) {
            let Ok((_, value)) = entry else { return false };
            let Ok(page) = postcard::from_bytes::<Page>(&value) else { return false };
            last |= page.end.is_none();
            let Ok(documents) = page_documents(&page.packed, secret, ends.as_ref()) else { return false };
            for page in documents.iter().filter(|page| wanted.contains(&page.id)) {
                match Document::of_page(page) {
                    Ok(document) => found.push(document),
                    Err(_) => return false,
                }
            }
        }
        last
    }

    /// Writes views and indexes anew from their documents.
    fn mend_views(&self, scope: &Scope, findings: &mut [&mut Finding]) -> Result<(), ReplicaError> {
        let _turn = lock(&self.documents);
        let mut wanted: BTreeSet<DocId> = BTreeSet::new();
        wanted.extend(findings.iter().filter(|f| f.what == Trouble::View).filter_map(|f| f.document));
        if wanted.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for spec in wangge_model::schema::kinds() {
            for doc in &wanted {
                match self.store.get(&keys::document(scope, spec.kind, doc)) {
                    Ok(Some(bytes)) => {
                        if let Ok(document) = Document::decode(*doc, &bytes)
                            && document.kind() == spec.kind
                        {
                            put_all(self.writes_of(scope, &document), &mut batch);
                        }
                    }
                    Ok(None) => batch.delete(keys::view(scope, spec.kind, doc)),
                    Err(_) => {}
                }
            }
        }
        self.store.commit(batch)?;
        for finding in findings.iter_mut().filter(|f| f.what == Trouble::View) {
            finding.outcome = Outcome::Repaired;
        }
        Ok(())
    }

    /// Records that belong to no scope's logs or documents.
    fn mend_rest(&self, findings: &mut [&mut Finding]) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        let mut unreadable = BTreeMap::new();
        for key in self.store.scan_keys(&[]) {
            let Ok(key) = key else { break };
            if !is_examined(&key) && self.store.get(&key).is_err() {
                unreadable.insert(key.escape_ascii().to_string(), key);
            }
        }
        let mut replayed = BTreeSet::new();
        for finding in findings.iter_mut() {
            finding.outcome = match finding.what {
                Trouble::Profile => {
                    put_profile(&self.profile(), &mut batch);
                    Outcome::Repaired
                }
                Trouble::Key => {
                    self.store.mend_general()?;
                    Outcome::Repaired
                }
                Trouble::Record => {
                    let key = finding.reason.split_once(": ").and_then(|(name, _)| unreadable.get(name));
                    match key {
                        Some(key) => self.mend_record(key, &mut batch, &mut replayed)?,
                        None => Outcome::Lost,
                    }
                }
                _ => Outcome::Lost,
            };
        }
        self.store.commit(batch)?;
        for scope in replayed {
            self.make_anew(&scope, &BTreeSet::new(), true)?;
            self.index_anew(&scope)?;
        }
        let mut audits = findings.iter_mut().filter(|finding| finding.what == Trouble::Audit).peekable();
        if audits.peek().is_some() && self.verify_audit().is_ok_and(|report| report.broken.is_empty()) {
            // Only its end was unreadable.
            audits.for_each(|finding| finding.outcome = Outcome::Repaired);
        }
        Ok(())
    }

    /// What to do about a record that does not open.
    fn mend_record(
        &self,
        key: &[u8],
        batch: &mut Batch,
        replayed: &mut BTreeSet<Scope>,
    ) -> Result<Outcome, ReplicaError> {
        let scope = keys::scope_of(key);
        match (key.first(), scope) {
            _ if key == keys::PROFILE_COPY => batch.put(key, encode(&self.profile())),
            _ if key == keys::VIEW_FORMAT => batch.put(key, encode(&VIEW_FORMAT)),
            _ if key == keys::AUDIT_END => return self.end_audit_anew(batch),
            _ if key == keys::SEALING => return self.find_series(batch),
            _ if key == keys::EXPORTS => {
                // Ledgers are counted from one again.
                batch.delete(key);
                return Ok(Outcome::Lost);
            }
            // Peers tell again what they have.
            (Some(b'P'), _) => batch.delete(key),
            // Whoever sealed them keeps them until the centre has them.
            (Some(b'C'), _) => {
                batch.delete(key);
                return Ok(Outcome::Asked);
            }
            (Some(b'H'), _) => match key.get(1..).and_then(DocId::from_slice) {
                Some(doc) => self.find_home(&doc, batch)?,
                None => batch.delete(key),
            },
            // The order stands in `street` and is carried out once more.
            (Some(b'e'), _) => {
                batch.delete(key);
                self.orders_due.store(true, std::sync::atomic::Ordering::SeqCst);
            }
            // That it is there says all.
            (Some(b'd'), Some(_)) => batch.put(key, Vec::new()),
            (Some(b'b'), Some(_)) => batch.put(key, [1]),
            // A peer delivers it, or nobody.
            (Some(b'l'), Some(_)) => {
                batch.delete(key);
                return Ok(Outcome::Asked);
            }
            (Some(b's'), Some(scope)) => {
                let place = key.get(keys::spares(&scope).len()..).and_then(position);
                self.copy_again(&scope, place, batch);
            }
            // Asked for only if more is damaged.
            (Some(b'G'), Some(_)) => batch.delete(key),
            // Kept for others, who begin at the centre then.
            (Some(b'Y' | b'y'), Some(scope)) => self.drop_kept_pages(&scope, batch)?,
            (Some(b'A' | b'S' | b'K' | b'F'), Some(scope)) => {
                let state = lock(&self.state);
                let Some(scoped) = state.scopes.get(&scope) else { return Ok(Outcome::Lost) };
                return Ok(restore_record(&scope, scoped, key, batch).1);
            }
            // It is as if it had never been done; an earlier version noted in `E` what needs no note.
            (Some(b'c' | b'E'), _) => batch.delete(key),
            _ if [keys::EXAMINED, keys::PAST, keys::MET].contains(&key) => batch.delete(key),
            // Follows from the relay's verdicts in its own log, and from documents.
            (Some(b'O' | b'X' | b'V' | b'N' | b'B'), Some(scope)) => {
                batch.delete(key);
                replayed.insert(scope);
            }
            (Some(b'z'), _) => return self.end_series_anew(key, batch),
            (Some(b'Z'), _) => return self.leave_out_cell(key),
            _ => return Ok(Outcome::Lost),
        }
        Ok(Outcome::Repaired)
    }

    /// Notes again in which scope a document lives.
    fn find_home(&self, doc: &DocId, batch: &mut Batch) -> Result<(), ReplicaError> {
        for scope in self.scopes() {
            for spec in wangge_model::schema::kinds() {
                let place = keys::document(&scope, spec.kind, doc);
                if self.store.scan_keys(&place).next().is_some() {
                    batch.put(keys::home(doc), scope.to_string().into_bytes());
                    return Ok(());
                }
            }
        }
        batch.delete(keys::home(doc));
        Ok(())
    }

    /// Writes what finds documents by natural keys anew.
    fn index_anew(&self, scope: &Scope) -> Result<(), ReplicaError> {
        let _turn = lock(&self.documents);
        let mut batch = Batch::new();
        for key in self.store.scan_keys(&keys::documents(scope)) {
            let key = key?;
            let Some(cursor) = keys::cursor_of(&key) else { continue };
            if let Ok(Some(bytes)) = self.store.get(&key)
                && let Ok(document) = Document::decode(cursor.doc, &bytes)
                && !document.view().is_closed()
            {
                put_all(self.writes_of(scope, &document), &mut batch);
            }
        }
        Ok(self.store.commit(batch)?)
    }
}
