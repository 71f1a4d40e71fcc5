//! What is durable in the journal and not yet in sled, kept in memory for readers.

use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use crate::Batch;

/// Writes that win over what sled has. Only the committer changes them.
#[derive(Default)]
pub(crate) struct Overlay {
    layer: RwLock<Layer>,
}

#[derive(Default)]
struct Layer {
    batch: Batch,
    /// How often everything moved to sled.
    clearings: u64,
    /// While the store is copied: all that was written since the copy began.
    since: Option<Batch>,
}

/// A key in the overlay, with `None` if it is deleted there.
pub(crate) type Write = (Vec<u8>, Option<Vec<u8>>);

impl Overlay {
    /// What the overlay says of `key`: a value, or that it is deleted. `None` if sled knows.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        self.read(|layer| layer.batch.get(key).map(|value| value.map(<[u8]>::to_vec)))
    }

    /// The first write in `from` whose key begins with `prefix`, and how often the overlay has been
    /// cleared. Whoever reads sled beside it looks there anew when that number changes: what was
    /// here before may be there now.
    pub(crate) fn next(&self, from: Bound<&[u8]>, prefix: &[u8]) -> (Option<Write>, u64) {
        self.read(|layer| {
            let next = layer.batch.range_from(from).filter(|(key, _)| key.starts_with(prefix));
            (next.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))), layer.clearings)
        })
    }

    /// Adds writes, which win over those already here.
    pub(crate) fn absorb(&self, batch: Batch) {
        let mut layer = self.layer.write().unwrap_or_else(PoisonError::into_inner);
        // Together: what a copy can read was either written before it began or is noted for it.
        if let Some(since) = &mut layer.since {
            since.absorb(batch.clone());
        }
        layer.batch.absorb(batch);
    }

    /// Begins to note what is written.
    pub(crate) fn begin_copy(&self) {
        self.layer.write().unwrap_or_else(PoisonError::into_inner).since = Some(Batch::default());
    }

    /// Ends that; returns what was noted.
    pub(crate) fn end_copy(&self) -> Batch {
        self.layer.write().unwrap_or_else(PoisonError::into_inner).since.take().unwrap_or_default()
    }

    /// Whether sled has everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.read(|layer| layer.batch.is_empty())
    }

    /// Hands all writes to `work`, which moves them to sled; removes them if it succeeds. They stay
    /// readable meanwhile.
    pub(crate) fn drain<E>(&self, work: impl FnOnce(&Batch) -> Result<(), E>) -> Result<(), E> {
        self.read(|layer| work(&layer.batch))?;
        let mut layer = self.layer.write().unwrap_or_else(PoisonError::into_inner);
        layer.batch = Batch::default();
        layer.clearings += 1;
        Ok(())
    }

    fn read<T>(&self, work: impl FnOnce(&Layer) -> T) -> T {
        work(&self.layer.read().unwrap_or_else(PoisonError::into_inner))
    }
}
