//! Views as they lie beside the documents: what lists and searches read. No Automerge document is opened
//! here, but to make views anew after a change of their form.

use wangge_model::document::{Document, DocumentView, VIEW_FORMAT, stored_page};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::wire::PageChange;
use wangge_store::Batch;

use super::doctor::{Finding, Outcome, Trouble};
use super::{Replica, ReplicaError, encode, keys, lock};

/// Views that are made anew in one batch.
const RENEWED_MAX: usize = 512;

impl Replica {
    /// Documents of one kind in a scope, in the order of their ids. `take` sees each and says whether to
    /// go on.
    ///
    /// # Errors
    /// If a view is damaged.
    pub fn each(
        &self,
        scope: &Scope,
        kind: Kind,
        mut take: impl FnMut(DocumentView) -> bool,
    ) -> Result<(), ReplicaError> {
        for entry in self.store.scan(&keys::views(scope, kind)) {
            let (key, value) = entry?;
            let Some(doc) = keys::doc_of_view(&key) else { continue };
            if !take(DocumentView::unpack(doc, &value)?) {
                break;
            }
        }
        Ok(())
    }

    /// One document of a scope.
    ///
    /// # Errors
    /// If its view is damaged.
    pub fn get(&self, scope: &Scope, kind: Kind, doc: &DocId) -> Result<Option<DocumentView>, ReplicaError> {
        match self.store.get(&keys::view(scope, kind, doc))? {
            Some(bytes) => Ok(Some(DocumentView::unpack(*doc, &bytes)?)),
            None => Ok(None),
        }
    }

    /// Every change of a document that was taken in, with where it came from.
    ///
    /// # Errors
    /// If the document is damaged.
    pub fn changes_of(
        &self,
        scope: &Scope,
        kind: Kind,
        doc: &DocId,
    ) -> Result<Vec<PageChange>, ReplicaError> {
        match self.store.get(&keys::document(scope, kind, doc))? {
            Some(bytes) => Ok(stored_page(*doc, &bytes)?.changes),
            None => Ok(Vec::new()),
        }
    }

    /// Makes all views anew if another version stored them in another form.
    pub(super) fn renew_views(&self) -> Result<(), ReplicaError> {
        let current = encode(&VIEW_FORMAT);
        match self.store.get(keys::VIEW_FORMAT) {
            Ok(format) if format.as_ref() == Some(&current) => return Ok(()),
            Ok(_) => {}
            // It says nothing of how the views are stored: they are made anew.
            Err(error) => {
                let finding = Finding::new(Trouble::Record, error.to_string());
                lock(&self.salvaged).push(Finding { outcome: Outcome::Repaired, ..finding });
            }
        }
        let _turn = lock(&self.documents);
        let mut batch = Batch::new();
        let mut count = 0;
        for key in self.store.scan_keys(keys::VIEWS) {
            batch.delete(key?);
        }
        self.store.commit(std::mem::take(&mut batch))?;
        for scope in self.scopes() {
            for entry in self.store.scan(&keys::documents(&scope)) {
                let (key, value) = entry?;
                let Some(cursor) = keys::cursor_of(&key) else { continue };
                let document = match Document::decode(cursor.doc, &value) {
                    Ok(document) => document,
                    Err(error) => {
                        tracing::error!(%scope, %error, "a document has no view");
                        continue;
                    }
                };
                batch.put(keys::view(&scope, document.kind(), &cursor.doc), document.view().pack());
                count += 1;
                if count % RENEWED_MAX == 0 {
                    self.store.commit(std::mem::take(&mut batch))?;
                }
            }
        }
        batch.put(keys::VIEW_FORMAT, current);
        self.store.commit(batch)?;
        if count > 0 {
            tracing::info!(count, "the views of all documents were made anew");
        }
        Ok(())
    }
}
