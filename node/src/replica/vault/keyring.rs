//! Keys in memory: the store keys, the general key, and those document keys that were used of late.

use std::collections::{BTreeMap, VecDeque};

use wangge_model::identity::DocId;

use super::seal::Key;

/// Most document keys that are kept unwrapped. With its places in the map and the queue one takes about
/// 150 bytes, so all take about 2.4 MB.
const CACHED_MAX: usize = 16 * 1_024;

/// The keys that everything else is sealed under.
pub(super) struct Ring {
    /// By number; two while everything is sealed anew under the greater.
    pub(super) store: BTreeMap<u32, Key>,
    pub(super) general: Key,
}

impl Ring {
    /// The store key in use.
    pub(super) fn current(&self) -> Option<(u32, &Key)> {
        self.store.last_key_value().map(|(number, key)| (*number, key))
    }
}

/// Document keys.
#[derive(Default)]
pub(super) struct Documents {
    cached: BTreeMap<DocId, Key>,
    /// In the order in which they came; the oldest goes first.
    order: VecDeque<DocId>,
    /// Keys whose wrap is not known to be on the disk, and how many batches carry it.
    fresh: BTreeMap<DocId, (Key, usize)>,
    /// How often keys were forgotten: what was read from the disk before is not kept after.
    forgotten: u64,
}

impl Documents {
    /// A key whose wrap is on the disk.
    pub(super) fn cached(&self, doc: &DocId) -> Option<Key> {
        self.cached.get(doc).cloned()
    }

    /// A key on its way to the disk.
    pub(super) fn fresh(&self, doc: &DocId) -> Option<Key> {
        self.fresh.get(doc).map(|(key, _)| key.clone())
    }

    /// Notes that one more batch carries the wrap of a key.
    pub(super) fn carry(&mut self, doc: DocId, key: &Key) {
        self.fresh.entry(doc).or_insert_with(|| (key.clone(), 0)).1 += 1;
    }

    /// Notes what became of a batch that carried the wrap.
    pub(super) fn settle(&mut self, doc: &DocId, durable: bool) {
        let Some((key, carried)) = self.fresh.get_mut(doc) else { return };
        *carried = carried.saturating_sub(1);
        if durable {
            let key = key.clone();
            self.fresh.remove(doc);
            self.keep(*doc, key, self.forgotten);
        } else if *carried == 0 {
            self.fresh.remove(doc);
        }
    }

    /// How often keys were forgotten so far.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Keeps a key that was read from the disk when so many had been forgotten.
    pub(super) fn keep(&mut self, doc: DocId, key: Key, forgotten: u64) {
        if forgotten != self.forgotten {
            return;
        }
        if self.cached.insert(doc, key).is_none() {
            self.order.push_back(doc);
        }
        while self.order.len() > CACHED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.cached.remove(&oldest);
            }
        }
    }

    /// Forgets a key.
    pub(super) fn forget(&mut self, doc: &DocId) {
        self.forgotten += 1;
        self.fresh.remove(doc);
        if self.cached.remove(doc).is_some() {
            self.order.retain(|kept| kept != doc);
        }
    }
}
