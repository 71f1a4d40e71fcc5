//! A set of writes that becomes visible and durable as one.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Puts and deletes that a [`Store`](crate::Store) applies all or not at all.
///
/// The last write to a key within a batch wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    len_bytes: u64,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
