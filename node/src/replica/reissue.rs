//! Work that nobody else has and whose transaction is damaged: nothing after it in its log can ever be sent, as
//! the chain does not hold. But the documents still say what it did. So the log ends before the damage, the
//! documents are made of what is left, and what they then lack is written once more, in a new epoch.

use std::collections::BTreeMap;

use wangge_model::clock::Clock;
use wangge_model::document::{Document, DocumentView, OPS_MAX, Op, Register, Target, stored_origins};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_store::Batch;

use super::apply::put_all;
use super::doctor::Outcome;
use super::salvage::beginning;
use super::{Edit, Replica, ReplicaError, encode, keys, lock};

/// Documents as they were shown.
type Shown = Vec<(Kind, DocId, Vec<u8>)>;

impl Replica {
    /// Ends this replica's own log before position `seq`, which is damaged and was never sent, and writes once
    /// more what the documents show of it and of what came after.
    ///
    /// # Errors
    /// If the store fails. What is to be written once more is on the disk before anything is taken away.
    pub(super) fn reissue(&self, scope: &Scope, seq: u64) -> Result<Outcome, ReplicaError> {
        {
            let turn = lock(&self.documents);
            self.store.commit(Batch::new())?;
            let log = self.own_log(scope);
            let Some((tips, secret)) = lock(&self.state)
                .scopes
                .get(scope)
                .map(|scoped| (scoped.tips.clone(), scoped.secret.clone()))
            else {
                return Ok(Outcome::Lost);
            };
            let Some(tip) = tips.get(&log) else { return Ok(Outcome::Lost) };
            let Some(end) = self.signed_until(scope, &log, seq.saturating_sub(1), tip)? else {
                return Ok(Outcome::Lost);
            };
            let Some(applied) = beginning(&self.store, scope, tips.iter()) else { return Ok(Outcome::Lost) };
            let mut shown: Shown = Vec::new();
            let mut batch = Batch::new();
            for key in self.store.scan_keys(&keys::documents(scope)) {
                let key = key?;
                let Some(cursor) = keys::cursor_of(&key) else { continue };
                let Some(bytes) = self.store.get(&key).ok().flatten() else { return Ok(Outcome::Lost) };
                let Ok(origins) = stored_origins(cursor.doc, &bytes) else { return Ok(Outcome::Lost) };
                if !origins.iter().any(|origin| origin.log == log && origin.seq > end.len) {
                    continue;
                }
                let Ok(document) = Document::decode(cursor.doc, &bytes) else { return Ok(Outcome::Lost) };
                shown.push((document.kind(), cursor.doc, document.view().pack()));
                batch.delete(key);
                batch.delete(keys::view(scope, document.kind(), &cursor.doc));
            }
            if tips.values().any(|tip| tip.floor > 0) {
                let wanted = shown.iter().map(|(_, doc, _)| *doc).collect();
                let mut found = Vec::new();
                if !self.kept_documents(scope, &secret, &wanted, &mut found) {
                    return Ok(Outcome::Lost);
                }
                for document in found {
                    put_all(self.writes_of(scope, &document), &mut batch);
                }
            }
            for seq in end.len + 1..=tip.len {
                batch.delete(keys::record(scope, &log, seq));
            }
            match end.len {
                0 => batch.delete(keys::tip(scope, &log)),
                _ => batch.put(keys::tip(scope, &log), encode(&end)),
            }
            batch.put(keys::applied(scope), encode(&applied));
            // What the transactions that go had reported as seen is to be reported again.
            batch.put(keys::reported(scope), encode(&Clock::default()));
            batch.put(keys::reissued(scope), encode(&shown));
            self.store.commit(batch)?;
            tracing::warn!(%scope, %log, from = tip.len, to = end.len, "a damaged log ends here: what followed is written once more");
            self.load_anew(&mut lock(&self.state).scopes, scope)?;
            self.recent.clear();
            self.apply_all(&turn)?;
        }
        self.open_epoch()?;
        self.say_greet_again();
        self.finish_reissues()?;
        Ok(Outcome::Repaired)
    }

    /// Writes what is due to be written once more. A crash in between repeats it without effect.
    ///
    /// # Errors
    /// If it cannot be written; then it stays due.
    pub(super) fn finish_reissues(&self) -> Result<(), ReplicaError> {
        for scope in self.scopes() {
            let place = keys::reissued(&scope);
            let Some(bytes) = self.store.get(&place).ok().flatten() else { continue };
            let shown: Shown = postcard::from_bytes(&bytes).unwrap_or_default();
            self.apply()?;
            for (kind, doc, packed) in shown {
                let Ok(then) = DocumentView::unpack(doc, &packed) else { continue };
                let ops = difference(&then, self.get(&scope, kind, &doc)?.as_ref());
                for ops in ops.chunks(OPS_MAX) {
                    self.commit(&scope, vec![Edit { doc, kind, ops: ops.to_vec() }], None)?;
                }
            }
            let mut batch = Batch::new();
            batch.delete(place);
            self.store.commit(batch)?;
        }
        Ok(())
    }
}

/// What leads from a document as it is to what it showed.
fn difference(then: &DocumentView, now: Option<&DocumentView>) -> Vec<Op> {
    let mut ops = Vec::new();
    let none = BTreeMap::new();
    let field = |name: &str| Target::Field(name.to_owned());
    registers(&then.fields, now.map_or(&none, |now| &now.fields), field, &mut ops);
    for (container, entries) in &then.sets {
        let entry = |key: &str| Target::Entry { container: (*container).to_owned(), key: key.to_owned() };
        let now = now.and_then(|now| now.sets.get(container)).unwrap_or(&none);
        registers(entries, now, entry, &mut ops);
    }
    for (container, events) in &then.histories {
        let now = now.and_then(|now| now.histories.get(container)).map_or(&[][..], Vec::as_slice);
        for event in events {
            let is_there = |other: &&wangge_model::document::EventView| {
                other.value == event.value && other.wall_ms == event.wall_ms && other.worker == event.worker
            };
            if now.iter().find(is_there).is_none() {
                let target = Target::Event { container: (*container).to_owned() };
                ops.push(Op { target, value: Some(event.value.clone()) });
            }
        }
    }
    ops
}

fn registers(
    then: &BTreeMap<String, Register>,
    now: &BTreeMap<String, Register>,
    target: impl Fn(&str) -> Target,
    ops: &mut Vec<Op>,
) {
    for (key, register) in then {
        let value = &register.shown.value;
        if now.get(key).is_none_or(|now| now.shown.value != *value) {
            ops.push(Op { target: target(key), value: Some(value.clone()) });
        }
    }
    for key in now.keys().filter(|key| !then.contains_key(*key)) {
        ops.push(Op { target: target(key), value: None });
    }
}
