//! Reading and writing through sled, with logical keys and whole values.

use std::any::Any;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use sled::Transactional;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use crate::chunk::{self, CHUNK_BYTES_MAX, Chunked, EPOCH_KEY, Head, JOURNAL_KEY};
use crate::directory::Directory;
use crate::journal::Journal;
use crate::overlay::{Overlay, Write};
use crate::{Batch, KEY_BYTES_MAX, StoreError, VALUE_BYTES_MAX};

/// How long to wait for sled's own lock.
///
/// The lock file is already ours, so the holder can only be a previous store of this process
/// whose last I/O task has yet to let go of the file.
const SLED_LOCK_WAIT_MAX: Duration = Duration::from_secs(5);

/// Bits of a generation that count within one opening of the store. 2^40 long values are
/// beyond what a disk survives.
const GENERATION_BITS: u32 = 40;

/// Keys and values as sled knows them; `None` removes. No key occurs twice.
pub(crate) type Writes = Vec<(sled::IVec, Option<sled::IVec>)>;

/// sled, with everything that it may throw caught: nothing that comes from a disk may panic a
/// caller.
pub(crate) struct Engine {
    /// Absent only while dropping.
    db: Option<sled::Db>,
    /// Held for writing while a batch is applied. Readers take it only when they caught a long
    /// value in the middle of being replaced.
    applying: RwLock<()>,
    /// What sled does not have yet.
    pub(crate) overlay: Overlay,
    /// Last, so that the directory is released after sled is done with it.
    directory: Directory,
}

impl Engine {
    /// Opens sled in a claimed directory.
    pub(crate) fn open(directory: Directory, cache_bytes: u64) -> Result<Self, StoreError> {
        // The mode makes no difference: nothing in sled 0.34 reads it. Without the background
        // flusher, sled writes only when the committer asks it to.
        let config = sled::Config::new()
            .path(directory.sled_dir())
            .mode(sled::Mode::LowSpace)
            .use_compression(false)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        remove_unfinished_snapshots(&directory)?;
        let deadline = Instant::now() + SLED_LOCK_WAIT_MAX;
        let db = loop {
            match catch_unwind(AssertUnwindSafe(|| config.open())) {
                Ok(Ok(db)) => break db,
                Ok(Err(e)) if is_lock_error(&e) => {
                    if Instant::now() >= deadline {
                        return Err(StoreError::Locked { dir: directory.path().to_path_buf() });
                    }
                    thread::sleep(Duration::from_millis(2));
                }
                Ok(Err(e)) => {
                    return Err(StoreError::from_sled("open", directory.path(), 0, e));
                }
                Err(panic) => {
                    let what = format!("sled could not open it: {}", panic_message(&*panic));
                    return Err(directory.damaged(what));
                }
            }
        };
        Ok(Self { db: Some(db), applying: RwLock::new(()), overlay: Overlay::default(), directory })
    }

    /// Counts this opening, and returns the first generation that belongs to it.
    ///
    /// The record doubles as proof that sled found the data: given an emptied or foreign main
    /// file, it may well come up as a new, empty database.
    pub(crate) fn begin_epoch(&self) -> Result<u64, StoreError> {
        let epoch = match self.raw_get(EPOCH_KEY)? {
            Some(bytes) => bytes
                .as_ref()
                .try_into()
                .map(u64::from_be_bytes)
                .map_err(|_| self.directory.damaged("its counter of openings is unreadable"))?,
            None if self.directory.is_new() => 0,
            None => {
                return Err(self
                    .directory
                    .damaged("its first record is missing, so db/db was emptied or replaced"));
            }
        };
        self.guarded("write", 0, |db| db.insert(EPOCH_KEY, &(epoch + 1).to_be_bytes()))?;
        Ok(epoch << GENERATION_BITS)
    }

    /// Notes how far sled has a journal that is new to it. Its absence shows from then on.
    pub(crate) fn note_journal(&self, journal: &Journal) -> Result<(), StoreError> {
        if self.journal_epoch()?.is_none() {
            let applied = journal.epoch() - 1;
            self.guarded("write", 0, |db| db.insert(JOURNAL_KEY, &applied.to_be_bytes()))?;
            self.flush(0)?;
        }
        Ok(())
    }

    pub(crate) fn finish_creation(&mut self) -> Result<(), StoreError> {
        self.directory.finish_creation()
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Up to which epoch of the journal sled has everything, if it has ever noted that.
    pub(crate) fn journal_epoch(&self) -> Result<Option<u64>, StoreError> {
        let unreadable = || self.directory.damaged("its note on the journal is unreadable");
        match self.raw_get(JOURNAL_KEY)? {
            Some(bytes) => {
                bytes.as_ref().try_into().map(u64::from_be_bytes).map(Some).map_err(|_| unreadable())
            }
            None => Ok(None),
        }
    }

    /// The value of `key`, whole, from one write.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.overlay.get(key) {
            return Ok(value);
        }
        let head_key = chunk::head_key(key);
        let Some(head) = self.raw_get(&head_key)? else {
            return Ok(None);
        };
        if let Some(value) = self.value(key, &head)? {
            return Ok(Some(value));
        }
        // A chunk is missing: the value was replaced after the head was read. Hold off the
        // committer, and what is missing now is missing on disk.
        let _applying = self.applying.read().unwrap_or_else(PoisonError::into_inner);
        let Some(head) = self.raw_get(&head_key)? else {
            return Ok(None);
        };
        match self.value(key, &head)? {
            Some(value) => Ok(Some(value)),
            None => Err(self
                .directory
                .damaged(format!("a part of the value of key {} is missing", key.escape_ascii()))),
        }
    }

    /// Entries from `start` (inclusive) to the end of `prefix`, both logical.
    pub(crate) fn entries(&self, prefix: &[u8], start: &[u8]) -> Entries<'_> {
        let from = Bound::Included(start.max(prefix).to_vec());
        let (prefix, peeked) = (prefix.to_vec(), None);
        Entries { engine: self, prefix, from, heads: None, peeked, clearings: 0, is_over: false }
    }

    /// Heads in `from` that begin with `prefix`, both logical.
    fn heads(&self, prefix: &[u8], from: Bound<&[u8]>) -> Result<Option<sled::Iter>, StoreError> {
        let end = chunk::end_of_prefix(&chunk::head_key(prefix));
        let from = from.map(chunk::head_key);
        match &from {
            Bound::Included(start) | Bound::Excluded(start) if *start >= end => Ok(None),
            _ => self.guarded("scan", 0, |db| Ok(Some(db.range((from, Bound::Excluded(end)))))),
        }
    }

    /// What `batch` means for sled: its keys with new values, or `None` to remove.
    ///
    /// Sled has everything up to the journal's `epoch` then. `next_generation` advances by one for
    /// each long value. The caller is the only writer, so what is read here stays true until
    /// [`apply`](Self::apply).
    pub(crate) fn prepare(
        &self,
        batch: &Batch,
        epoch: u64,
        next_generation: &mut u64,
    ) -> Result<Writes, StoreError> {
        let mut writes = Writes::from([(JOURNAL_KEY.into(), Some((&epoch.to_be_bytes()).into()))]);
        for (key, value) in batch.writes() {
            let head_key = chunk::head_key(key);
            let old = self.raw_get(&head_key)?;
            if let Some(Head::Chunked(old)) = old.as_deref().and_then(Head::decode) {
                writes.extend(old.keys(key).map(|chunk_key| (chunk_key.into(), None)));
            }
            match value {
                None if old.is_none() => {}
                None => writes.push((head_key.into(), None)),
                Some(value) if value.len() <= CHUNK_BYTES_MAX => {
                    writes.push((head_key.into(), Some(Head::Inline(value).encode().into())));
                }
                Some(value) => {
                    let chunked = Chunked { generation: *next_generation, len_bytes: value.len() as u64 };
                    *next_generation += 1;
                    for (chunk_key, part) in chunked.keys(key).zip(value.chunks(CHUNK_BYTES_MAX)) {
                        writes.push((chunk_key.into(), Some(part.into())));
                    }
                    writes.push((head_key.into(), Some(Head::Chunked(chunked).encode().into())));
                }
            }
        }
        // Whatever sled still has to rearrange around these keys, it does now.
        for (key, _) in &writes {
            self.raw_get(key)?;
        }
        Ok(writes)
    }

    /// Applies writes atomically. Durable only after [`flush`](Self::flush) and a sync.
    ///
    /// sled splits and merges pages when it next comes across them, even to read. So each key
    /// is visited again within the batch: the second time the pages that hold the keys are put
    /// in order, the third time those above them. Otherwise a reader would do it, and write to
    /// the log outside of any batch, before this one is durable.
    pub(crate) fn apply(&self, writes: &Writes, needed_bytes: u64) -> Result<(), StoreError> {
        let _applying = self.applying.write().unwrap_or_else(PoisonError::into_inner);
        self.guarded("write", needed_bytes, |db| {
            let tree: &sled::Tree = db;
            // The trees of a transaction commit one after the other, as one batch. Nothing but
            // the order of the visits depends on it being three times the same.
            (tree, tree, tree)
                .transaction(|visits| {
                    for visit in [&visits.0, &visits.1, &visits.2] {
                        for (key, value) in writes {
                            match value {
                                Some(value) => visit.insert(key, value)?,
                                None => visit.remove(key)?,
                            };
                        }
                    }
                    Ok::<_, ConflictableTransactionError<Infallible>>(())
                })
                .map_err(|e| match e {
                    TransactionError::Storage(e) => e,
                    TransactionError::Abort(never) => match never {},
                })
        })
    }

    /// Hands everything applied so far to the operating system; the number of bytes that sled
    /// had not handed over by itself.
    pub(crate) fn flush(&self, needed_bytes: u64) -> Result<usize, StoreError> {
        self.guarded("write", needed_bytes, |db| db.flush())
    }

    /// The value behind `head`, or `None` if one of its chunks is missing.
    fn value(&self, key: &[u8], head: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match Head::decode(head) {
            Some(Head::Inline(value)) => Ok(Some(value.to_vec())),
            Some(Head::Chunked(chunked)) => {
                let mut value = Vec::new();
                for chunk_key in chunked.keys(key) {
                    match self.raw_get(&chunk_key)? {
                        Some(part) => value.extend_from_slice(&part),
                        None => return Ok(None),
                    }
                }
                if value.len() as u64 != chunked.len_bytes {
                    return Err(self.directory.damaged(format!(
                        "the value of key {} has {} bytes instead of {}",
                        key.escape_ascii(),
                        value.len(),
                        chunked.len_bytes
                    )));
                }
                Ok(Some(value))
            }
            None => {
                Err(self.directory.damaged(format!("the record of key {} is unreadable", key.escape_ascii())))
            }
        }
    }

    fn raw_get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.guarded("read", 0, |db| db.get(key))
    }

    /// Runs `operation`, turning sled's errors and panics into errors of ours.
    fn guarded<T>(
        &self,
        action: &'static str,
        needed_bytes: u64,
        operation: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, StoreError> {
        let Some(db) = &self.db else {
            return Err(self.directory.damaged("it was closed"));
        };
        match catch_unwind(AssertUnwindSafe(|| operation(db))) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(e)) => Err(StoreError::from_sled(action, self.directory.path(), needed_bytes, e)),
            Err(panic) => {
                Err(self.directory.damaged(format!("sled could not {action}: {}", panic_message(&*panic))))
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let db = self.db.take();
        // sled flushes when dropped, and panics if that fails.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(db))) {
            tracing::error!(
                dir = %self.directory.path().display(),
                panic = panic_message(&*panic),
                "sled could not close"
            );
        }
    }
}

/// Checks what sled cannot hold before anything is applied.
pub(crate) fn check_limits(batch: &Batch) -> Result<(), StoreError> {
    for (key, value) in batch.writes() {
        if key.len() > KEY_BYTES_MAX {
            return Err(StoreError::KeyTooLong {
                len_bytes: key.len() as u64,
                max_bytes: KEY_BYTES_MAX as u64,
            });
        }
        let len_bytes = value.map_or(0, |value| value.len() as u64);
        if len_bytes > VALUE_BYTES_MAX {
            return Err(StoreError::ValueTooLong {
                key: key.escape_ascii().to_string(),
                len_bytes,
                max_bytes: VALUE_BYTES_MAX,
            });
        }
    }
    Ok(())
}

/// Keys with their whole values, ascending. Ends after the first error.
pub(crate) struct Entries<'a> {
    engine: &'a Engine,
    prefix: Vec<u8>,
    from: Bound<Vec<u8>>,
    heads: Option<sled::Iter>,
    /// The next of `heads`, while the overlay comes first.
    peeked: Option<(Vec<u8>, sled::IVec)>,
    /// How often the overlay had been cleared when `heads` began.
    clearings: u64,
    is_over: bool,
}

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

impl Iterator for Entries<'_> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.step() {
                Ok(Some((key, Some(value)))) => return Some(Ok((key, value))),
                Ok(Some((_, None))) => {}
                Ok(None) => self.is_over = true,
                Err(e) => {
                    self.is_over = true;
                    return Some(Err(e));
                }
            }
        }
        None
    }
}

impl Entries<'_> {
    /// The next key, with `None` if it turns out to be deleted.
    fn step(&mut self) -> Result<Option<Write>, StoreError> {
        let from = self.from.as_ref().map(Vec::as_slice);
        // The overlay first: whatever it holds now is not missed if it moves to sled right after.
        let (write, clearings) = self.engine.overlay.next(from, &self.prefix);
        if self.heads.is_none() || clearings != self.clearings {
            self.heads = self.engine.heads(&self.prefix, from)?;
            self.clearings = clearings;
            self.peeked = None;
        }
        while self.peeked.is_none()
            && let Some(heads) = &mut self.heads
            && let Some((key, head)) = self.engine.guarded("scan", 0, |_db| heads.next().transpose())?
        {
            let key = chunk::logical_key(&key).to_vec();
            // What the overlay showed already may have come to sled since `heads` began.
            let is_due = match from {
                Bound::Excluded(last) => *key > *last,
                Bound::Included(_) | Bound::Unbounded => true,
            };
            self.peeked = is_due.then_some((key, head));
        }
        let step = match (write, self.peeked.take()) {
            (Some((key, value)), Some((other, head))) if key <= other => {
                if key < other {
                    self.peeked = Some((other, head));
                }
                (key, value)
            }
            (Some((key, value)), None) => (key, value),
            (_, Some((key, head))) => match self.engine.value(&key, &head)? {
                Some(value) => (key, Some(value)),
                // Replaced since the head was read.
                None => {
                    let value = self.engine.get(&key)?;
                    (key, value)
                }
            },
            (None, None) => return Ok(None),
        };
        self.from = Bound::Excluded(step.0.clone());
        Ok(Some(step))
    }
}

/// Removes snapshots that a process or the power left half written.
///
/// sled writes one while it opens, as `snap.….generating`, and renames it when it is durable. When it looks
/// for the newest it passes over `.in___motion`, a name that it no longer uses, and takes the unfinished one
/// for damaged: a process killed at that moment would leave a store that never opens again.
fn remove_unfinished_snapshots(directory: &Directory) -> Result<(), StoreError> {
    let dir = directory.sled_dir();
    let fail = |e| StoreError::from_io("list the directory", &dir, 0, e);
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("snap.") && name.to_string_lossy().ends_with(".generating") {
            tracing::warn!(file = %entry.path().display(), "an unfinished snapshot is removed");
            fs::remove_file(entry.path())
                .map_err(|e| StoreError::from_io("remove the file", &entry.path(), 0, e))?;
        }
    }
    Ok(())
}

fn is_lock_error(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(e) if e.to_string().contains("could not acquire lock"))
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

/// Bytes that an ordinary user can still write to the disk that holds `dir`, if the operating
/// system tells.
#[cfg(unix)]
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Unknown here; a full disk shows when a write fails.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_dir: &Path) -> Option<u64> {
    None
}
