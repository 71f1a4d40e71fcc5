//! The small file without which a backup is noise.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BackupError, Header};

const MAGIC: &[u8] = b"wangge backup key 1\n";
/// Longest key file that is read, in bytes.
const LEN_BYTES_MAX: u64 = 1024 * 1024;

/// What opens a backup.
#[derive(Serialize, Deserialize)]
pub(super) struct BackupKey {
    /// Of which backup.
    pub(super) header: Header,
    /// The key of its frames.
    pub(super) secret: [u8; 32],
    /// The store's key file.
    pub(super) store_key: Vec<u8>,
}

impl BackupKey {
    /// Reads a key file.
    pub(super) fn read(path: &Path) -> Result<Self, BackupError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => BackupError::NoKey { path: path.to_owned() },
            _ => BackupError::File { path: path.to_owned(), source },
        };
        let foreign = || BackupError::ForeignKey { path: path.to_owned() };
        if fs::metadata(path).map_err(failed)?.len() > LEN_BYTES_MAX {
            return Err(foreign());
        }
        let bytes = fs::read(path).map_err(failed)?;
        let (check, body) =
            bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(32)).ok_or_else(foreign)?;
        if blake3::hash(body).as_bytes() != check {
            return Err(foreign());
        }
        postcard::from_bytes(body).map_err(|_| foreign())
    }

    /// Writes it, durably and for its owner only.
    pub(super) fn write(&self, path: &Path) -> Result<(), BackupError> {
        let body = super::encode(self);
        let bytes = [MAGIC, blake3::hash(&body).as_bytes(), &body].concat();
        write_private(path, &bytes).map_err(|source| BackupError::File { path: path.to_owned(), source })
    }

    /// Writes the store's key file.
    pub(super) fn write_store_key(&self, path: &Path) -> Result<(), BackupError> {
        write_private(path, &self.store_key)
            .map_err(|source| BackupError::File { path: path.to_owned(), source })
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => File::open(dir)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
