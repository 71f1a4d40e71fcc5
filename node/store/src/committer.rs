//! Writing: group commit.
//!
//! What is committed together becomes one entry of the journal and is readable in the overlay; once
//! the journal is full, or nothing has come for a while, the overlay goes to sled in one write. What
//! is long anyway goes there at once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::{Engine, check_limits, free_bytes};
use crate::journal::Journal;
use crate::sync::Sync;
use crate::{Batch, FREE_BYTES_MIN, Fault, StoreError, planted};

/// Most bytes of keys and values that share one flush.
const ROUND_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most batches that share one flush.
const ROUND_BATCHES_MAX: usize = 4096;

/// Batches that are longer together, in bytes of keys and values, go to sled without the journal:
/// to write them twice would cost more than what the journal saves.
const JOURNALLED_BYTES_MAX: u64 = 256 * 1024;

/// What to call once a batch is durable, or has failed.
pub(crate) type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(crate) struct Job {
    pub(crate) batch: Batch,
    /// Whether sled is to have everything before `done` is called.
    pub(crate) with_checkpoint: bool,
    /// Whether a thread waits for it, and `done` does nothing but wake that.
    pub(crate) is_awaited: bool,
    pub(crate) done: Done,
}

/// Batches that wait to be committed, in the order in which they were queued.
///
/// Whoever holds the committer takes them from here: a thread that waits for a batch of its own, so
/// that no other has to wake up first, or the thread that serves all others.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// How many have been taken from `jobs`.
    taken: u64,
    is_closing: bool,
    /// There is something to move to sled by and by.
    is_stirred: bool,
}

/// What the serving thread finds when it looks for work.
enum Turn {
    /// Batches wait.
    Work,
    /// Nothing has come for a while.
    Idle,
    /// The queue is closed and empty.
    Over,
}

thread_local! {
    /// The queue whose callbacks this thread runs.
    static CALLING: Cell<*const Queue> = const { Cell::new(ptr::null()) };
}

impl Queue {
    /// Queues a batch and returns its number. Somebody works on it once told to: a thread that waits
    /// for it, or the serving thread.
    pub(crate) fn push(&self, job: Job) -> u64 {
        let mut waiting = self.lock();
        waiting.jobs.push_back(job);
        waiting.taken + waiting.jobs.len() as u64
    }

    /// Tells the serving thread that there is work.
    pub(crate) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Commits in this thread, until batch number `nth` is done.
    pub(crate) fn work_until(&self, nth: u64, committer: &Mutex<Committer>) {
        loop {
            let mut committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody else may have done it meanwhile.
            if self.lock().taken >= nth {
                return;
            }
            let was_clean = committer.engine.overlay.is_empty();
            committer.round(self, nth);
            if was_clean {
                self.lock().is_stirred = true;
                self.arrived.notify_one();
            }
        }
    }

    /// Lets the serving thread end once the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
        self.arrived.notify_one();
    }

    /// Whether this thread is in a callback of a commit.
    pub(crate) fn is_calling(&self) -> bool {
        CALLING.get() == ptr::from_ref(self)
    }

    /// Waits for work, at most for as long as `patience` says.
    fn next_turn(&self, patience: Option<Duration>) -> Turn {
        let is_quiet =
            |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.is_closing && !waiting.is_stirred;
        let mut waiting = match patience {
            None => self.arrived.wait_while(self.lock(), is_quiet).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                self.arrived
                    .wait_timeout_while(self.lock(), patience, is_quiet)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        waiting.is_stirred = false;
        match (waiting.jobs.is_empty(), waiting.is_closing) {
            (false, _) => Turn::Work,
            (true, true) => Turn::Over,
            (true, false) => Turn::Idle,
        }
    }

    /// Batches to be committed together: up to number `nth` of all, and whatever others wait for.
    /// Callbacks of later ones are left to the serving thread, as the one that works here may hold
    /// what they want.
    fn take(&self, nth: u64) -> Vec<Job> {
        let mut waiting = self.lock();
        let mut round = Vec::new();
        let mut round_bytes = 0;
        while round.len() < ROUND_BATCHES_MAX
            && let Some(job) = waiting.jobs.front()
            && (waiting.taken < nth || job.is_awaited)
        {
            round_bytes += job.batch.len_bytes();
            if !round.is_empty() && round_bytes > ROUND_BYTES_MAX {
                break;
            }
            round.extend(waiting.jobs.pop_front());
            waiting.taken += 1;
        }
        round
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a queue until it is closed and empty.
pub(crate) fn serve(queue: &Queue, committer: &Mutex<Committer>) {
    // What an earlier process left in the journal goes to sled in its time, too.
    let mut patience = committer.lock().unwrap_or_else(PoisonError::into_inner).patience();
    loop {
        let turn = queue.next_turn(patience);
        let mut committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
        match turn {
            Turn::Work => committer.round(queue, u64::MAX),
            Turn::Idle => committer.checkpoint_if_quiet(),
            Turn::Over => return,
        }
        patience = committer.patience();
    }
}

/// Applies batches in order and makes them durable, many at a time.
pub(crate) struct Committer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) sync: Sync,
    pub(crate) journal: Journal,
    /// How long nothing has come before the journal goes to sled.
    pub(crate) checkpoint_after: Duration,
    /// When something last came.
    pub(crate) last_commit: Instant,
    pub(crate) fault: Option<Fault>,
    pub(crate) next_generation: u64,
    /// Why nothing is written any more. After a failed fsync the kernel may have dropped the
    /// pages, so a later success would say nothing about earlier writes.
    pub(crate) poisoned_by: Option<StoreError>,
}

impl Committer {
    /// How long until the journal may go to sled, if nothing comes meanwhile.
    fn patience(&self) -> Option<Duration> {
        let has_more = self.poisoned_by.is_none() && !self.engine.overlay.is_empty();
        has_more.then(|| self.checkpoint_after.saturating_sub(self.last_commit.elapsed()))
    }

    fn checkpoint_if_quiet(&mut self) {
        if self.patience() == Some(Duration::ZERO)
            && let Err(e) = self.checkpoint()
        {
            self.poison(&e);
        }
    }

    fn round(&mut self, queue: &Queue, nth: u64) {
        let jobs = queue.take(nth);
        let with_checkpoint = jobs.iter().any(|job| job.with_checkpoint);
        let (batches, callbacks): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.batch, job.done)).unzip();
        let results = self.write(batches, with_checkpoint);
        let outer = CALLING.replace(ptr::from_ref(queue));
        for (done, result) in callbacks.into_iter().zip(results) {
            if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
                tracing::error!("a callback of a commit panicked; the commit itself is unharmed");
            }
        }
        CALLING.set(outer);
    }

    /// Writes batches durably; one result for each, in order.
    fn write(&mut self, batches: Vec<Batch>, with_checkpoint: bool) -> Vec<Result<(), StoreError>> {
        let mut free = free_bytes(self.engine.directory().path());
        let mut merged = Batch::default();
        let mut results: Vec<_> = batches
            .into_iter()
            .map(|batch| {
                batch.admitted(|batch| self.admit(batch, &mut free))?;
                merged.absorb(batch);
                Ok(())
            })
            .collect();
        if self.poisoned_by.is_none()
            && let Err(e) = self.write_durably(merged, with_checkpoint)
        {
            self.poison(&e);
            // What reached the disk before the failure is unknown.
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(e.clone());
            }
        }
        results
    }

    /// Makes a batch durable, and then readable: in the journal, or in sled if it is long or the
    /// journal is full.
    fn write_durably(&mut self, batch: Batch, with_checkpoint: bool) -> Result<(), StoreError> {
        self.last_commit = Instant::now();
        let needed_bytes = batch.len_bytes();
        let is_short = needed_bytes <= JOURNALLED_BYTES_MAX && self.journal.fits(&batch);
        if !batch.is_empty() && is_short && !with_checkpoint {
            let path = self.engine.directory().journal_path();
            let fail = |e| StoreError::from_io("write the file", &path, needed_bytes, e);
            self.journal.append(&batch).map_err(fail)?;
            self.engine.overlay.absorb(batch);
            return Ok(());
        }
        if !batch.is_empty() {
            self.engine.overlay.absorb(batch);
        } else if !with_checkpoint {
            return Ok(());
        }
        self.checkpoint()
    }

    /// Moves the overlay to sled, durably, and begins the journal anew.
    ///
    /// sled calls stable what has passed `sync_file_range`. It notes in each new segment how far
    /// its log was stable; recovery does not expect to find a gap below that, and segments whose
    /// pages have moved to stable ones are overwritten. All that is safe only if what is called
    /// stable has also been synced. While sled applies a batch, nothing of the batch counts as
    /// stable. So it is enough that no unsynced write precedes a batch: not that of another
    /// batch, and not that of a page which was split on reading.
    ///
    /// The batch says up to which epoch sled has the journal. So nothing is replayed over a later
    /// write that never was in the journal.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        if self.engine.overlay.is_empty() {
            return Ok(());
        }
        let Self { engine, sync, journal, next_generation, .. } = self;
        engine.overlay.drain(|batch| {
            let needed_bytes = batch.len_bytes();
            let mut writes = engine.prepare(batch, journal.epoch(), next_generation)?;
            if planted::loses_tail() {
                writes.pop();
            }
            if engine.flush(needed_bytes)? > 0 || sync.is_due() {
                sync.sync()?;
            }
            engine.apply(&writes, needed_bytes)?;
            engine.flush(needed_bytes)?;
            sync.sync()
        })?;
        journal.restart();
        Ok(())
    }

    /// Whether `batch` may be applied. Takes its bytes from what is `free`.
    fn admit(&self, batch: &Batch, free: &mut Option<u64>) -> Result<(), StoreError> {
        if let Some(cause) = &self.poisoned_by {
            return Err(StoreError::Poisoned {
                dir: self.engine.directory().path().to_path_buf(),
                cause: cause.one_line(),
            });
        }
        check_limits(batch)?;
        let needed_bytes = batch.len_bytes();
        if needed_bytes == 0 {
            return Ok(());
        }
        if let Some(free_bytes) = free {
            let Some(left_bytes) =
                free_bytes.checked_sub(needed_bytes).filter(|left_bytes| *left_bytes >= FREE_BYTES_MIN)
            else {
                return Err(StoreError::Full { needed_bytes });
            };
            *free_bytes = left_bytes;
        }
        match &self.fault {
            Some(fault) if !fault.take_room(needed_bytes) => Err(StoreError::Full { needed_bytes }),
            _ => Ok(()),
        }
    }

    fn poison(&mut self, cause: &StoreError) {
        tracing::error!(
            dir = %self.engine.directory().path().display(),
            cause = cause.one_line(),
            "a write failed; the store takes no more commits until it is opened again"
        );
        self.poisoned_by.get_or_insert_with(|| cause.clone());
    }
}
