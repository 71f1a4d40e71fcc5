//! The thread that writes: group commit.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::{Engine, check_limits, free_bytes};
use crate::sync::Sync;
use crate::{Batch, FREE_BYTES_MIN, Fault, StoreError};

/// Most bytes of keys and values that share one flush.
const ROUND_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most batches that share one flush.
const ROUND_BATCHES_MAX: usize = 4096;

/// What to call once a batch is durable, or has failed.
pub(crate) type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Job {
    batch: Batch,
    done: Done,
}

/// Batches that wait for the committer, in the order in which they were queued.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closing: bool,
}

impl Queue {
    pub(crate) fn push(&self, batch: Batch, done: Done) {
        self.lock().jobs.push_back(Job { batch, done });
        self.arrived.notify_one();
    }

    /// Lets the committer end once the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
        self.arrived.notify_one();
    }

    /// Waits for work. `None` once the queue is closed and empty.
    fn next_round(&self) -> Option<Vec<Job>> {
        let mut waiting = self
            .arrived
            .wait_while(self.lock(), |waiting| waiting.jobs.is_empty() && !waiting.is_closing)
            .unwrap_or_else(PoisonError::into_inner);
        let mut round = Vec::new();
        let mut round_bytes = 0;
        while round.len() < ROUND_BATCHES_MAX
            && let Some(job) = waiting.jobs.front()
        {
            round_bytes += job.batch.len_bytes();
            if !round.is_empty() && round_bytes > ROUND_BYTES_MAX {
                break;
            }
            round.extend(waiting.jobs.pop_front());
        }
        (!round.is_empty()).then_some(round)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies batches in order and makes them durable, many at a time.
pub(crate) struct Committer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) sync: Sync,
    pub(crate) fault: Option<Fault>,
    pub(crate) next_generation: u64,
    /// Why nothing is written any more. After a failed fsync the kernel may have dropped the
    /// pages, so a later success would say nothing about earlier writes.
    pub(crate) poisoned_by: Option<StoreError>,
}

impl Committer {
    /// Serves the queue until it is closed and empty.
    pub(crate) fn run(mut self, queue: &Queue) {
        while let Some(jobs) = queue.next_round() {
            self.round(jobs);
        }
    }

    fn round(&mut self, jobs: Vec<Job>) {
        let (batches, callbacks): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.batch, job.done)).unzip();
        let results = self.write(batches);
        for (done, result) in callbacks.into_iter().zip(results) {
            if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
                tracing::error!("a callback of a commit panicked; the commit itself is unharmed");
            }
        }
    }

    /// Writes batches durably; one result for each, in order.
    ///
    /// All of them become one write to sled, which turns each write into several small ones.
    fn write(&mut self, batches: Vec<Batch>) -> Vec<Result<(), StoreError>> {
        let mut free = free_bytes(self.engine.directory().path());
        let mut merged = Batch::default();
        let mut results: Vec<_> = batches
            .into_iter()
            .map(|batch| {
                self.admit(&batch, &mut free)?;
                merged.absorb(batch);
                Ok(())
            })
            .collect();
        if !merged.is_empty()
            && let Err(e) = self.write_durably(&merged)
        {
            self.poison(&e);
            // What reached the disk before the failure is unknown.
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(e.clone());
            }
        }
        results
    }

    /// Applies a batch and makes it durable.
    ///
    /// sled calls stable what has passed `sync_file_range`. It notes in each new segment how far
    /// its log was stable; recovery does not expect to find a gap below that, and segments whose
    /// pages have moved to stable ones are overwritten. All that is safe only if what is called
    /// stable has also been synced. While sled applies a batch, nothing of the batch counts as
    /// stable. So it is enough that no unsynced write precedes a batch: not that of another
    /// batch, and not that of a page which was split on reading.
    fn write_durably(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let needed_bytes = batch.len_bytes();
        let writes = self.engine.prepare(batch, &mut self.next_generation)?;
        if self.engine.flush(needed_bytes)? > 0 || self.sync.is_due() {
            self.sync.sync()?;
        }
        self.engine.apply(&writes, needed_bytes)?;
        self.engine.flush(needed_bytes)?;
        self.sync.sync()
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
