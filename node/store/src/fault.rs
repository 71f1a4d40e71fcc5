//! A disk that fills up on demand, for tests and simulations.

use std::sync::{Arc, Mutex, PoisonError};

/// A handle with which a test fills the disk of a running store.
///
/// Clones share their state: keep one, hand the other to
/// [`Options::fault`](crate::Options::fault).
#[derive(Debug, Clone, Default)]
pub struct Fault {
    room_bytes: Arc<Mutex<Option<u64>>>,
}

impl Fault {
    /// A fault that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the disk has room for `n` bytes of keys and values. A commit that does not
    /// fit in what is left fails with [`StoreError::Full`](crate::StoreError::Full) and leaves
    /// no trace.
    pub fn fail_after_bytes(&self, n: u64) {
        *self.room() = Some(n);
    }

    /// Ends the fault.
    pub fn clear(&self) {
        *self.room() = None;
    }

    /// Whether `len_bytes` fit; if so, they are taken from what is left.
    pub(crate) fn take_room(&self, len_bytes: u64) -> bool {
        match self.room().as_mut() {
            None => true,
            Some(room) if *room >= len_bytes => {
                *room -= len_bytes;
                true
            }
            Some(_) => false,
        }
    }

    fn room(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        self.room_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
