//! The durable store of a replica: sled behind a journal, with group commit and real fsync.
//!
//! A [`Store`] maps byte strings to byte strings in one directory. Writes come as [`Batch`]es,
//! which apply all or not at all, in the order in which they were queued. A commit counts only
//! once its bytes would survive a power loss; many waiting commits share the cost of that.
//!
//! Nothing outside this crate knows that sled is underneath.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! use wangge_store::{Batch, Options, Store};
//!
//! let store = Store::open(dir.path(), Options::default())?;
//! let mut batch = Batch::default();
//! batch.put("person/1", "Ana");
//! batch.put("person/2", "Ben");
//! store.commit(batch)?;
//! assert_eq!(store.get(b"person/2")?.as_deref(), Some(&b"Ben"[..]));
//! assert_eq!(store.scan(b"person/").count(), 2);
//! # Ok(()) }
//! ```

mod batch;
mod chunk;
mod committer;
mod directory;
mod engine;
mod error;
mod fault;
mod journal;
mod overlay;
pub mod planted;
mod simulated;
mod sync;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use batch::{Batch, Chain};
pub use error::StoreError;
pub use fault::Fault;
pub use simulated::{Disk, Image};

use committer::{Committer, Job, Queue};
use directory::Directory;
use engine::Engine;
use journal::Journal;
use simulated::Opened;
use sync::Sync;

/// Longest key, in bytes.
///
/// An inner page of sled's tree holds up to 257 keys and must stay below 128 KiB, beyond which
/// sled moves it to a file that no fsync of the main file covers.
pub const KEY_BYTES_MAX: usize = 400;

/// Longest value, in bytes. Photos and other large things are files of their own.
pub const VALUE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Least free space on the disk, in bytes, at which commits are still taken.
///
/// Refusing early leaves room to open the store again and to delete, and fails one commit
/// cleanly where a write that fails halfway would force a reopening.
pub const FREE_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// How to open a [`Store`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Size of sled's page cache, in bytes; 8 MiB by default. (sled's own default, 1 GB,
    /// doubles the memory of a replica.)
    pub cache_bytes: u64,
    /// How long nothing is committed before what the journal holds moves to sled; a second by
    /// default. It moves anyway when the journal is full.
    pub checkpoint_after: Duration,
    /// A disk that can be filled up on demand, for tests.
    pub fault: Option<Fault>,
    /// A disk in memory instead of the directory, for simulations.
    pub disk: Option<Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 8 * 1024 * 1024,
            checkpoint_after: Duration::from_secs(1),
            fault: None,
            disk: None,
        }
    }
}

/// An open store. Clones share it; the last one to be dropped closes it.
#[derive(Clone)]
pub struct Store {
    backing: Backing,
}

#[derive(Clone)]
enum Backing {
    Files(Arc<Shared>),
    Simulated(Arc<Opened>),
}

/// A batch on its way to the disk.
#[must_use = "it is not durable before it was waited for"]
pub struct Queued {
    result: mpsc::Receiver<Result<(), StoreError>>,
    dir: PathBuf,
    /// Where the waiting thread commits it, unless another does so first, and which number it has.
    work: Option<(Arc<Shared>, u64)>,
}

impl Queued {
    /// Lets another thread begin with it, for a caller that has more to do before it waits.
    pub fn start(&self) {
        if let Some((shared, _)) = &self.work {
            shared.queue.wake();
        }
    }

    /// Waits until the batch would survive a power loss.
    ///
    /// # Errors
    /// Those of [`Store::commit`].
    pub fn wait(mut self) -> Result<(), StoreError> {
        if let Some((shared, nth)) = self.work.take() {
            shared.queue.work_until(nth, &shared.committer);
        }
        self.result.recv().unwrap_or_else(|_| {
            let cause = "the committer thread is gone".to_owned();
            Err(StoreError::Poisoned { dir: std::mem::take(&mut self.dir), cause })
        })
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        // Nobody waits after all.
        if let Some((shared, _)) = self.work.take() {
            shared.queue.wake();
        }
    }
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queued").field("dir", &self.dir).finish_non_exhaustive()
    }
}

struct Shared {
    queue: Arc<Queue>,
    committer: Arc<Mutex<Committer>>,
    /// Commits what nobody waits for.
    server: Option<JoinHandle<()>>,
    engine: Arc<Engine>,
}

impl Store {
    /// Opens the store in `dir`, creating both if `dir` is missing or empty.
    ///
    /// # Errors
    /// [`Locked`](StoreError::Locked), [`NotAStore`](StoreError::NotAStore),
    /// [`NewerFormat`](StoreError::NewerFormat), [`Damaged`](StoreError::Damaged),
    /// [`Full`](StoreError::Full) or [`Io`](StoreError::Io).
    pub fn open(dir: &Path, options: Options) -> Result<Self, StoreError> {
        if let Some(disk) = options.disk {
            return Ok(Self { backing: Backing::Simulated(Arc::new(Opened::open(disk, dir)?)) });
        }
        let directory = Directory::claim(dir)?;
        let mut engine = Engine::open(directory, options.cache_bytes)?;
        let next_generation = engine.begin_epoch()?;
        engine.flush(0)?;
        let (journal, unapplied) = Journal::open(engine.directory(), engine.journal_epoch()?)?;
        engine.note_journal(&journal)?;
        engine.overlay.absorb(unapplied);
        let sync = Sync::new(&engine.directory().sled_dir())?;
        engine.finish_creation()?;
        let engine = Arc::new(engine);
        let queue = Arc::new(Queue::default());
        let committer = Committer {
            engine: engine.clone(),
            sync,
            journal,
            checkpoint_after: options.checkpoint_after,
            last_commit: Instant::now(),
            fault: options.fault,
            next_generation,
            poisoned_by: None,
        };
        let committer = Arc::new(Mutex::new(committer));
        let server = thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn({
                let (queue, committer) = (queue.clone(), committer.clone());
                move || committer::serve(&queue, &committer)
            })
            .map_err(|e| StoreError::from_io("start the committer of", dir, 0, e))?;
        let shared = Shared { queue, committer, server: Some(server), engine };
        Ok(Self { backing: Backing::Files(Arc::new(shared)) })
    }

    /// Whether there is a store in `dir`, readable or not.
    #[must_use]
    pub fn exists(dir: &Path, options: &Options) -> bool {
        match &options.disk {
            Some(disk) => disk.holds_a_store(),
            None => dir.join("FORMAT").exists(),
        }
    }

    fn dir(&self) -> &Path {
        match &self.backing {
            Backing::Files(shared) => shared.engine.directory().path(),
            Backing::Simulated(opened) => opened.dir(),
        }
    }

    /// The value of `key`.
    ///
    /// A batch may show here a little before it is durable. Whoever tells another replica what
    /// is read here waits for the commit first.
    ///
    /// # Errors
    /// [`Damaged`](StoreError::Damaged) or [`Io`](StoreError::Io).
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.backing {
            Backing::Files(shared) => shared.engine.get(key),
            Backing::Simulated(opened) => opened.get(key),
        }
    }

    /// All entries whose key begins with `prefix`, ascending, with whole values.
    ///
    /// Each value comes from one write, but a scan is no snapshot: it may see some of the
    /// batches that commit while it runs, and a part of them. It ends after the first error.
    pub fn scan<'a>(
        &'a self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<'a> {
        self.scan_from(prefix, prefix)
    }

    /// Like [`scan`](Self::scan), beginning with the first key that is not below `start`.
    pub fn scan_from<'a>(
        &'a self,
        prefix: &[u8],
        start: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<'a> {
        let (files, simulated) = match &self.backing {
            Backing::Files(shared) => (Some(shared.engine.entries(prefix, start)), None),
            Backing::Simulated(opened) => (None, Some(opened.entries(prefix, start))),
        };
        files.into_iter().flatten().chain(simulated.into_iter().flatten())
    }

    /// Hands over all entries as they are at one moment, the end of this call, while commits go on:
    /// first what a scan finds, then, in one go, the writes that came meanwhile, `None` for what was
    /// deleted; the latter win. One copy at a time: the caller sees to it.
    ///
    /// # Errors
    /// What `each` returns, or [`Damaged`](StoreError::Damaged) or [`Io`](StoreError::Io).
    pub fn copy<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Backing::Files(shared) = &self.backing {
            shared.engine.overlay.begin_copy();
        }
        let scanned = self.scan(&[]).try_for_each(|entry| {
            let (key, value) = entry?;
            each(&key, Some(&value))
        });
        let since = match &self.backing {
            Backing::Files(shared) => shared.engine.overlay.end_copy(),
            // Nothing comes in between there.
            Backing::Simulated(_) => Batch::default(),
        };
        scanned?;
        since.into_writes().try_for_each(|(key, value)| each(&key, value.as_deref()))
    }

    /// Applies `batch` and waits until it would survive a power loss.
    ///
    /// # Errors
    /// [`Full`](StoreError::Full), [`Poisoned`](StoreError::Poisoned),
    /// [`KeyTooLong`](StoreError::KeyTooLong), [`ValueTooLong`](StoreError::ValueTooLong),
    /// [`BlockingInCallback`](StoreError::BlockingInCallback), [`Io`](StoreError::Io) or
    /// [`Damaged`](StoreError::Damaged).
    pub fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.queue(batch)?.wait()
    }

    /// Queues `batch` and returns at once, for a caller that must let go of something before it waits.
    ///
    /// # Errors
    /// [`BlockingInCallback`](StoreError::BlockingInCallback).
    pub fn queue(&self, batch: Batch) -> Result<Queued, StoreError> {
        self.queue_with(batch, false)
    }

    /// Moves what has been committed so far from the journal to sled, which otherwise happens in the
    /// background.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.queue_with(Batch::default(), true)?.wait()
    }

    fn queue_with(&self, batch: Batch, with_checkpoint: bool) -> Result<Queued, StoreError> {
        let (done, result) = mpsc::sync_channel(1);
        // Nobody need be listening any more.
        let done = Box::new(move |outcome| drop(done.send(outcome)));
        let work = match &self.backing {
            Backing::Files(shared) if shared.queue.is_calling() => {
                return Err(StoreError::BlockingInCallback);
            }
            Backing::Files(shared) => {
                let job = Job { batch, with_checkpoint, is_awaited: true, done };
                Some((shared.clone(), shared.queue.push(job)))
            }
            Backing::Simulated(opened) => {
                opened.commit_then(batch, done);
                opened.work();
                None
            }
        };
        Ok(Queued { result, dir: self.dir().to_path_buf(), work })
    }

    /// Queues `batch` and returns at once. `done` is called on another thread when the batch
    /// would survive a power loss, or has failed.
    ///
    /// Batches are applied, and their callbacks called, in the order of the calls. The queue
    /// has no bound: whoever writes without waiting limits what it has under way. While a
    /// callback runs no commit makes progress, so it had better only pass the news on.
    pub fn commit_then(&self, batch: Batch, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        let done = Box::new(done);
        match &self.backing {
            Backing::Files(shared) => {
                shared.queue.push(Job { batch, with_checkpoint: false, is_awaited: false, done });
                shared.queue.wake();
            }
            Backing::Simulated(opened) => opened.commit_then(batch, done),
        }
    }

    /// Waits for the commits queued so far, then lets go of the store. The last clone to go
    /// closes the files and releases the directory; dropping it does the same.
    pub fn close(self) {
        // An empty batch needs nothing of its own, and its turn comes after all others.
        if let Err(e) = self.commit(Batch::default()) {
            tracing::debug!(error = e.one_line(), "closing a store that failed before");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        // A callback may hold the last clone; its own thread cannot wait for itself, and ends
        // by itself once the queue is empty.
        if let Some(server) = self.server.take()
            && server.thread().id() != thread::current().id()
            && server.join().is_err()
        {
            tracing::error!("the committer thread panicked");
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir()).finish_non_exhaustive()
    }
}
