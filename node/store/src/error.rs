//! What can go wrong with a store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a store could not be opened, read or written.
///
/// Cloneable, because one failed flush fails every commit that waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another opener holds the directory.
    #[error(
        "{} is in use: another process (perhaps `wangge run` or `wangge-relay serve`) has it open; \
         stop that process, or choose another directory",
        .dir.display()
    )]
    Locked {
        /// The directory of the store.
        dir: PathBuf,
    },

    /// A later release wrote this store.
    #[error(
        "this store has format {found}, and this program knows formats up to {known}; \
         install the release that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The format number that the directory carries.
        found: u32,
        /// The newest format that this program reads.
        known: u32,
    },

    /// The directory holds something else.
    #[error(
        "{} is not empty and has no file FORMAT, so it is not a store; \
         choose an empty directory, or the one that holds the data",
        .dir.display()
    )]
    NotAStore {
        /// The directory that was to be opened.
        dir: PathBuf,
    },

    /// The disk has no room for a commit. Nothing of it was kept unless the store is
    /// [`Poisoned`](Self::Poisoned) from then on.
    #[error(
        "the disk is full: a commit of {needed_bytes} bytes does not fit; \
         free at least {} MiB and try again",
        .needed_bytes / (1024 * 1024) + crate::FREE_BYTES_MIN / (1024 * 1024) + 1
    )]
    Full {
        /// Size of the keys and values that did not fit.
        needed_bytes: u64,
    },

    /// An earlier write or fsync failed, so what is on the disk is unknown.
    #[error(
        "the store in {} takes no more commits, because an earlier one failed ({cause}); \
         close it and open it again, which reads back what is really on the disk",
        .dir.display()
    )]
    Poisoned {
        /// The directory of the store.
        dir: PathBuf,
        /// The failure after which the store refused to go on.
        cause: String,
    },

    /// The files do not hold what this program wrote.
    #[error(
        "the store in {} is damaged: {what}; keep a copy of the directory, \
         then restore a backup or join again with an empty directory",
        .dir.display()
    )]
    Damaged {
        /// The directory of the store.
        dir: PathBuf,
        /// What was found.
        what: String,
    },

    /// A key exceeds what the index can hold.
    #[error("a key has {len_bytes} bytes; the limit is {max_bytes}")]
    KeyTooLong {
        /// Length of the key.
        len_bytes: u64,
        /// The limit, [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX).
        max_bytes: u64,
    },

    /// A value is too large for the store.
    #[error("the value of key {key} has {len_bytes} bytes; the limit is {max_bytes}")]
    ValueTooLong {
        /// The key, with unprintable bytes escaped.
        key: String,
        /// Length of the value.
        len_bytes: u64,
        /// The limit, [`VALUE_BYTES_MAX`](crate::VALUE_BYTES_MAX).
        max_bytes: u64,
    },

    /// A `done` callback called a blocking function, which would wait for itself.
    #[error("a blocking commit was called from a `done` callback; use commit_then there")]
    BlockingInCallback,

    /// The operating system refused something.
    #[error("could not {action} {}; check the disk and the permissions", .path.display())]
    Io {
        /// What was attempted, as a verb phrase.
        action: &'static str,
        /// The file or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
}

impl StoreError {
    /// Maps an error of the operating system, recognising the many ways to say "no room".
    pub(crate) fn from_io(action: &'static str, path: &Path, needed_bytes: u64, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::Full { needed_bytes },
            _ => Self::Io { action, path: path.to_path_buf(), source: Arc::new(source) },
        }
    }

    /// Maps an error of sled. Anything but an I/O error means that its files are not what it
    /// wrote, or a bug of sled that a restart may not cure.
    pub(crate) fn from_sled(
        action: &'static str,
        dir: &Path,
        needed_bytes: u64,
        source: sled::Error,
    ) -> Self {
        match source {
            sled::Error::Io(source) => Self::from_io(action, dir, needed_bytes, source),
            other => {
                Self::Damaged { dir: dir.to_path_buf(), what: format!("could not {action} it: {other}") }
            }
        }
    }

    /// The error and its causes on one line, for a message that outlives them.
    pub(crate) fn one_line(&self) -> String {
        let mut line = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        line
    }
}
