//! Documents that were written last, kept open: a worker comes back to the same records, and opening one
//! takes as long as making a commit durable.

use std::collections::VecDeque;
use std::sync::Mutex;

use wangge_model::document::Document;

use super::lock;

/// Documents kept open. Each takes some 25 KB of memory.
const OPEN_MAX: usize = 64;

struct Entry {
    key: Vec<u8>,
    /// As it is stored. A document is only taken from here while the store says the same.
    stored: Vec<u8>,
    document: Document,
}

/// Open documents, the last written at the end.
#[derive(Default)]
pub(super) struct Recent(Mutex<VecDeque<Entry>>);

impl Recent {
    /// Takes the document out that is stored under `key`, if it is open and `stored` is what it was made
    /// of.
    pub(super) fn take(&self, key: &[u8], stored: &[u8]) -> Option<Document> {
        let mut entries = lock(&self.0);
        let at = entries.iter().rposition(|entry| entry.key == key)?;
        let entry = entries.remove(at)?;
        (entry.stored == stored).then_some(entry.document)
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Keeps a document open that has been stored.
    pub(super) fn put(&self, key: Vec<u8>, stored: Vec<u8>, document: Document) {
        let mut entries = lock(&self.0);
        entries.retain(|entry| entry.key != key);
        if entries.len() == OPEN_MAX {
            entries.pop_front();
        }
        entries.push_back(Entry { key, stored, document });
    }
}
