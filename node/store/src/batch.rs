//! A set of writes that becomes visible and durable as one.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use crate::StoreError;

/// Batches of which each makes sense only behind those before it: once one of them could not be stored, none is that
/// comes behind it.
#[derive(Debug, Clone, Default)]
pub struct Chain(Arc<OnceLock<StoreError>>);

impl Chain {
    /// No batch of it is stored any more.
    pub fn break_off(&self, cause: &StoreError) {
        // The first cause is the one that counts.
        let _is_first = self.0.set(cause.clone());
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Chain {}

/// Puts and deletes that a [`Store`](crate::Store) applies all or not at all.
///
/// The last write to a key within a batch wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    len_bytes: u64,
    chain: Option<Chain>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch of a chain.
    #[must_use]
    pub fn of(chain: &Chain) -> Self {
        Self { chain: Some(chain.clone()), ..Self::default() }
    }

    /// The chain that it is of.
    #[must_use]
    pub fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// What `admit` says of this batch, unless its chain is broken; it is if that is no.
    pub(crate) fn admitted(
        &self,
        admit: impl FnOnce(&Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(chain) = &self.chain else { return admit(self) };
        let admitted = chain.0.get().cloned().map_or_else(|| admit(self), Err);
        admitted.inspect_err(|cause| chain.break_off(cause))
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.write(key.into(), Some(value.into()));
    }

    /// Removes `key`. Removing an absent key is harmless.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.write(key.into(), None);
    }

    /// Whether the batch would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Length of all keys and values, in bytes: what the batch costs in memory and, before
    /// sled's own overhead, on disk.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The writes, ascending by key. `None` deletes.
    pub fn into_writes(self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> {
        self.writes.into_iter()
    }

    /// Adds the writes of `later`, which win over those already here.
    pub(crate) fn absorb(&mut self, later: Batch) {
        if self.is_empty() {
            *self = later;
            return;
        }
        for (key, value) in later.writes {
            self.write(key, value);
        }
    }

    /// What the batch does to `key`: sets a value or, with `None`, deletes it.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.writes.get(key).map(Option::as_deref)
    }

    /// The first write in `from`.
    pub(crate) fn range_from(&self, from: Bound<&[u8]>) -> Option<(&[u8], Option<&[u8]>)> {
        let (key, value) = self.writes.range::<[u8], _>((from, Bound::Unbounded)).next()?;
        Some((key.as_slice(), value.as_deref()))
    }

    /// The writes, ascending by key. `None` deletes.
    pub(crate) fn writes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.writes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let key_bytes = key.len();
        self.len_bytes += len_bytes(key_bytes, value.as_deref());
        if let Some(replaced) = self.writes.insert(key, value) {
            self.len_bytes -= len_bytes(key_bytes, replaced.as_deref());
        }
    }
}

fn len_bytes(key_bytes: usize, value: Option<&[u8]>) -> u64 {
    (key_bytes + value.map_or(0, <[u8]>::len)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_follows_overwrites() {
        let mut batch = Batch::new();
        batch.put("key", "long value");
        batch.put("key", "v");
        assert_eq!(batch.len_bytes(), 4);
        batch.delete("key");
        assert_eq!(batch.len_bytes(), 3);
        assert_eq!(batch.writes().collect::<Vec<_>>(), [(&b"key"[..], None)]);
    }
}
