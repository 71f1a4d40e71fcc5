//! The directory of a store: who holds it, and what it claims to be.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The format that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

const FORMAT_FILE: &str = "FORMAT";
/// Stands in for `FORMAT` until everything else is on disk, so that a store whose creation was
/// cut short is neither taken for a whole one nor for somebody else's directory.
const CREATING_FILE: &str = "FORMAT.creating";
const LOCK_FILE: &str = "LOCK";
const SLED_DIR: &str = "db";
const JOURNAL_FILE: &str = "journal";
/// The journal while it is being made.
const JOURNAL_CREATING_FILE: &str = "journal.creating";

/// A directory that nobody else can open as a store for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Directory {
    dir: PathBuf,
    is_new: bool,
    /// Unlocked when dropped.
    _lock: File,
}

impl Directory {
    /// Creates `dir` if it is missing and locks it.
    pub(crate) fn claim(dir: &Path) -> Result<Self, StoreError> {
        create_durably(dir).map_err(|e| StoreError::from_io("create the directory", dir, 0, e))?;
        // Checked before the lock file appears: a foreign directory must stay as it was.
        read_format(dir)?;
        let path = dir.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| StoreError::from_io("open the lock file", &path, 0, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { dir: dir.to_path_buf() });
            }
            Err(TryLockError::Error(e)) => {
                return Err(StoreError::from_io("lock the file", &path, 0, e));
            }
        }
        // Read again: whoever held the lock until now may have been creating the store.
        let is_new = read_format(dir)?.is_none();
        let directory = Self { dir: dir.to_path_buf(), is_new, _lock: lock };
        if is_new {
            let path = dir.join(CREATING_FILE);
            write_durably(&path, &format!("wangge-store {FORMAT}\n"))
                .and_then(|()| sync_dir(dir))
                .map_err(|e| StoreError::from_io("write the file", &path, 0, e))?;
        } else if !directory.sled_dir().join("db").is_file() {
            return Err(directory.damaged("its main file db/db is missing"));
        }
        Ok(directory)
    }

    /// Turns a directory under creation into a store. Call once all else in it is durable.
    pub(crate) fn finish_creation(&mut self) -> Result<(), StoreError> {
        if self.is_new {
            let path = self.dir.join(FORMAT_FILE);
            fs::rename(self.dir.join(CREATING_FILE), &path)
                .and_then(|()| sync_dir(&self.dir))
                .map_err(|e| StoreError::from_io("create the file", &path, 0, e))?;
            self.is_new = false;
        }
        Ok(())
    }

    /// Whether this opener creates the store.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Where sled keeps its files.
    pub(crate) fn sled_dir(&self) -> PathBuf {
        self.dir.join(SLED_DIR)
    }

    /// Where commits become durable.
    pub(crate) fn journal_path(&self) -> PathBuf {
        self.dir.join(JOURNAL_FILE)
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { dir: self.dir.clone(), what: what.into() }
    }
}

/// The format of the store in `dir`, or `None` if a store may be created there.
fn read_format(dir: &Path) -> Result<Option<u32>, StoreError> {
    let path = dir.join(FORMAT_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return if may_become_a_store(dir)? {
                Ok(None)
            } else {
                Err(StoreError::NotAStore { dir: dir.to_path_buf() })
            };
        }
        Err(e) => return Err(StoreError::from_io("read the file", &path, 0, e)),
    };
    let found = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.trim_end().strip_prefix("wangge-store "))
        .and_then(|number| number.parse().ok());
    match found {
        Some(FORMAT) => Ok(Some(FORMAT)),
        Some(found) if found > FORMAT => Err(StoreError::NewerFormat { found, known: FORMAT }),
        _ => Err(StoreError::Damaged {
            dir: dir.to_path_buf(),
            what: format!(
                "its file FORMAT ({} bytes) does not read `wangge-store` and a number",
                bytes.len()
            ),
        }),
    }
}

/// Whether `dir`, which has no `FORMAT`, is empty or holds only what an interrupted creation
/// leaves behind.
fn may_become_a_store(dir: &Path) -> Result<bool, StoreError> {
    let fail = |e| StoreError::from_io("list the directory", dir, 0, e);
    let mut foreign = false;
    let mut creating = false;
    let mut content = false;
    for entry in fs::read_dir(dir).map_err(fail)? {
        match entry.map_err(fail)?.file_name().to_str() {
            Some(LOCK_FILE) => {}
            Some(CREATING_FILE) => creating = true,
            Some(SLED_DIR | JOURNAL_FILE | JOURNAL_CREATING_FILE) => content = true,
            _ => foreign = true,
        }
    }
    Ok(!foreign && (creating || !content))
}

fn create_durably(dir: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .collect();
    fs::create_dir_all(dir)?;
    for created in missing {
        if let Some(parent) = created.parent() {
            sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
    }
    Ok(())
}

fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the names in `dir` durable.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Directories cannot be flushed here; the file system's journal keeps names in order.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}
