//! The real fsync behind a commit.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::StoreError;
use crate::directory::sync_dir;

/// Makes what sled wrote survive a power loss.
///
/// On Linux, sled's own `flush` ends in `sync_file_range` (spacejam/sled#1452), which neither
/// commits the metadata that leads to new blocks nor empties the disk's volatile cache: after
/// it returns, a power loss can still take everything. So every commit also syncs the files
/// that sled changed, through handles of its own: an fsync covers the file, whoever wrote it,
/// and a handle reports every writeback error since it was opened, even one that sled has
/// already consumed.
///
/// In operation sled changes one file, `db`. Snapshots are written while it opens, and values
/// stay too short for `blobs/`. Both are watched all the same, at the price of listing two
/// tiny directories.
#[derive(Debug)]
pub(crate) struct Sync {
    sled_dir: PathBuf,
    main: Tracked,
    others: BTreeMap<PathBuf, Tracked>,
}

#[derive(Debug)]
struct Tracked {
    path: PathBuf,
    file: File,
    /// Length and time of change when last synced.
    seen: (u64, Option<SystemTime>),
}

impl Sync {
    /// Syncs all that is in `sled_dir` and begins to watch it.
    pub(crate) fn new(sled_dir: &Path) -> Result<Self, StoreError> {
        let mut sync = Self {
            sled_dir: sled_dir.to_path_buf(),
            main: Tracked::new(sled_dir.join("db"))
                .map_err(|e| StoreError::from_io("sync a file in", sled_dir, 0, e))?,
            others: BTreeMap::new(),
        };
        sync.adopt_new_files()?;
        for dir in [&sync.sled_dir, &sync.sled_dir.join("blobs")] {
            sync_dir(dir).map_err(|e| StoreError::from_io("sync the directory", dir, 0, e))?;
        }
        if let Some(dir) = sled_dir.parent() {
            sync_dir(dir).map_err(|e| StoreError::from_io("sync the directory", dir, 0, e))?;
        }
        Ok(sync)
    }

    /// Makes everything durable that sled has written so far.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.main.sync()?;
        for other in self.others.values_mut() {
            if other.has_changed() {
                other.sync()?;
            }
        }
        self.adopt_new_files()
    }

    /// Whether sled's main file shows signs of having changed since the last sync.
    pub(crate) fn is_due(&self) -> bool {
        self.main.has_changed()
    }

    /// Syncs files that appeared since the last call, and their directories; forgets those
    /// that disappeared.
    fn adopt_new_files(&mut self) -> Result<(), StoreError> {
        let mut present = BTreeMap::new();
        for dir in [self.sled_dir.clone(), self.sled_dir.join("blobs")] {
            let mut new_names = false;
            let fail = |e| StoreError::from_io("list the directory", &dir, 0, e);
            for entry in fs::read_dir(&dir).map_err(fail)? {
                let entry = entry.map_err(fail)?;
                let path = entry.path();
                if path == self.main.path || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    continue;
                }
                if let Some(known) = self.others.remove(&path) {
                    present.insert(path, known);
                    continue;
                }
                match Tracked::new(path.clone()) {
                    Ok(tracked) => {
                        present.insert(path, tracked);
                        new_names = true;
                    }
                    // Renamed or removed since it was listed.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => new_names = true,
                    Err(e) => return Err(StoreError::from_io("sync the file", &path, 0, e)),
                }
            }
            if new_names {
                sync_dir(&dir).map_err(|e| StoreError::from_io("sync the directory", &dir, 0, e))?;
            }
        }
        self.others = present;
        Ok(())
    }
}

impl Tracked {
    /// Opens and syncs a file.
    fn new(path: PathBuf) -> io::Result<Self> {
        // Windows flushes only files that are open for writing.
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let seen = stamp(&file)?;
        file.sync_all()?;
        Ok(Self { path, file, seen })
    }

    fn has_changed(&self) -> bool {
        stamp(&self.file).map_or(true, |now| now != self.seen)
    }

    /// Syncs the data, and the rest of the metadata too if the length changed.
    fn sync(&mut self) -> Result<(), StoreError> {
        stamp(&self.file)
            .and_then(|now| {
                if now.0 == self.seen.0 {
                    self.file.sync_data()?;
                } else {
                    self.file.sync_all()?;
                }
                self.seen = now;
                Ok(())
            })
            .map_err(|e| StoreError::from_io("sync the file", &self.path, 0, e))
    }
}

fn stamp(file: &File) -> io::Result<(u64, Option<SystemTime>)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}
