//! Files beside the store, cut into pieces that are sealed one by one under a key of the store: destroying
//! that key destroys the file.

use wangge_model::identity::DocId;
use wangge_store::StoreError;

use super::Vault;
use super::seal::{Key, Nonces};
use crate::replica::{ReplicaError, World};

/// What sealing adds to a piece, in bytes.
pub(crate) const PIECE_SEAL_LEN_BYTES: usize = 40;

/// Seals the pieces of one file.
#[derive(Debug)]
pub(crate) struct FileSeal {
    key: Key,
    name: DocId,
}

impl Vault {
    /// What seals the file whose key has that name, `None` if there is no such key.
    pub(crate) fn file_seal(&self, name: &DocId) -> Result<Option<FileSeal>, StoreError> {
        Ok(self.key_of(name)?.map(|key| FileSeal { key, name: *name }))
    }
}

impl FileSeal {
    fn place(&self, at: usize) -> Vec<u8> {
        [b"file".as_slice(), &self.name.0, &(at as u64).to_be_bytes()].concat()
    }

    /// The piece at `at` as it lies in the file.
    pub(crate) fn seal(&self, world: &dyn World, at: usize, piece: &[u8]) -> Result<Vec<u8>, ReplicaError> {
        Ok(self.key.seal(Nonces::draw(world)?.next(), &self.place(at), piece))
    }

    /// The piece at `at`; `None` if it is not what was sealed there.
    pub(crate) fn open(&self, at: usize, sealed: &[u8]) -> Option<Vec<u8>> {
        self.key.open(&self.place(at), sealed)
    }
}
