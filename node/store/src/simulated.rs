//! A disk that exists in memory only, for simulations: it works when it is told to, forgets what was not
//! synced when the power goes, fills up, and shows what became of a flipped bit.
//!
//! It replaces the engine below a [`Store`](crate::Store), and with it the promise that a batch is whole
//! or not there at all: that promise is the engine's, tested with the engine.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::committer::Done;
use crate::engine::check_limits;
use crate::{Batch, StoreError};

/// What a disk holds; cheap to copy.
type Contents = BTreeMap<Arc<[u8]>, Arc<[u8]>>;

/// A simulated disk. Clones are handles to the same one; hand one to
/// [`Options::disk`](crate::Options::disk).
///
/// Batches wait until [`write`](Self::write), reach the operating system there, and survive a loss of
/// power after [`sync`](Self::sync), when their callbacks run. A commit that waits does all of it at once.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

/// A copy of a disk as it was at one moment.
#[derive(Clone, Default)]
pub struct Image(Contents);

#[derive(Default)]
struct Platter {
    /// What whoever reads sees: all that reached the operating system.
    written: Contents,
    /// What survives a loss of power.
    synced: Contents,
    /// Batches that are written and not synced, oldest first.
    unsynced: Vec<Batch>,
    /// Their callbacks.
    awaiting: Vec<(Done, Result<(), StoreError>)>,
    /// Batches that the process still holds.
    queued: VecDeque<(Batch, Done)>,
    /// The opening that is alive; older handles are those of a process that died.
    opening: u64,
    is_open: bool,
    room_bytes: Option<u64>,
    /// The power goes at this sync from now, and so many of the unsynced batches survive.
    fuse: Option<(u64, usize)>,
    fails_next_sync: bool,
    poisoned_by: Option<String>,
    syncs: u64,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("keys", &self.lock().written.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("keys", &self.0.len()).finish()
    }
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk with the contents of another at some moment.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let platter = Platter { written: image.0.clone(), synced: image.0.clone(), ..Platter::default() };
        Self(Arc::new(Mutex::new(platter)))
    }

    /// A copy of all that is written.
    #[must_use]
    pub fn image(&self) -> Image {
        Image(self.lock().written.clone())
    }

    /// A copy of what would survive a loss of power.
    #[must_use]
    pub fn durable_image(&self) -> Image {
        Image(self.lock().synced.clone())
    }

    /// All keys and values that are written.
    #[must_use]
    pub fn entries(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.lock().written.iter().map(|(key, stored)| (key.to_vec(), stored.to_vec())).collect()
    }

    // ---- work

    /// Whether batches wait to be written or synced.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let platter = self.lock();
        !platter.queued.is_empty() || !platter.awaiting.is_empty()
    }

    /// Hands what waits to the operating system: it can be read, and outlives the process.
    pub fn write(&self) {
        self.lock().write();
    }

    /// Makes durable what is written, then calls back.
    pub fn sync(&self) {
        // Callbacks may come back to this disk.
        let done = self.lock().sync();
        for (done, result) in done {
            done(result);
        }
    }

    /// How often it has synced.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    // ---- faults

    /// The process dies: what it still held is gone, and its callbacks are never called. What reached
    /// the operating system stays.
    pub fn crash(&self) {
        let gone = {
            let mut platter = self.lock();
            platter.let_go()
        };
        drop(gone);
    }

    /// The power goes: of what was not synced the first `keep` batches survive.
    pub fn lose_power(&self, keep: usize) {
        let gone = {
            let mut platter = self.lock();
            platter.forget(keep);
            platter.let_go()
        };
        drop(gone);
    }

    /// The power goes during a later sync, the `nth` from now (1 is the next): nobody hears that it
    /// succeeded, and the first `keep` batches of what it was to make durable survive.
    pub fn lose_power_at(&self, nth: u64, keep: usize) {
        self.lock().fuse = Some((nth.max(1), keep));
    }

    /// Ends what [`lose_power_at`](Self::lose_power_at) announced.
    pub fn keep_power(&self) {
        self.lock().fuse = None;
    }

    /// Whether a process has it open and it works.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.lock().is_open
    }

    /// Whether a write failed, so that no more are taken until it is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.lock().poisoned_by.is_some()
    }

    /// From now on there is room for so many bytes of keys and values, or for all there may be.
    pub fn set_room(&self, len_bytes: Option<u64>) {
        self.lock().room_bytes = len_bytes;
    }

    /// The next sync fails: what it was to make durable is unknown, and the store takes no more commits
    /// until it is opened again.
    pub fn fail_next_sync(&self) {
        self.lock().fails_next_sync = true;
    }

    /// Flips a bit of one value; `nth` counts through all that are not empty, over and over, and says which bit.
    /// Returns the key. Whoever seals what it stores notices, as with bytes that a real engine hands out.
    pub fn flip(&self, nth: usize) -> Option<Vec<u8>> {
        let mut platter = self.lock();
        let filled: Vec<Arc<[u8]>> = platter
            .written
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, _)| Arc::clone(key))
            .collect();
        let key = filled.get(nth.checked_rem(filled.len())?)?.clone();
        let Platter { written, synced, .. } = &mut *platter;
        for contents in [written, synced] {
            if let Some(stored) = contents.get_mut(&key).filter(|value| !value.is_empty()) {
                let mut value = stored.to_vec();
                let at = nth % value.len();
                value[at] ^= 1 << (nth % 8);
                *stored = value.into();
            }
        }
        Some(key.to_vec())
    }

    pub(crate) fn holds_a_store(&self) -> bool {
        !self.lock().written.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Platter {
    fn write(&mut self) {
        while let Some((batch, done)) = self.queued.pop_front() {
            let admitted = batch.admitted(|batch| self.admit(batch));
            if admitted.is_ok() {
                apply(&mut self.written, &batch);
                self.unsynced.push(batch);
            }
            self.awaiting.push((done, admitted));
        }
    }

    fn admit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if let Some(cause) = &self.poisoned_by {
            return Err(StoreError::Poisoned { dir: PathBuf::from("simulated"), cause: cause.clone() });
        }
        check_limits(batch)?;
        let needed_bytes = batch.len_bytes();
        match &mut self.room_bytes {
            Some(room) if *room < needed_bytes => return Err(StoreError::Full { needed_bytes }),
            Some(room) => *room -= needed_bytes,
            None => {}
        }
        Ok(())
    }

    fn sync(&mut self) -> Vec<(Done, Result<(), StoreError>)> {
        self.syncs += 1;
        if let Some((nth, keep)) = self.fuse {
            if nth <= 1 {
                self.fuse = None;
                self.forget(keep);
                // Their owner may be waiting: it hears that all is over, as it would by dying.
                return self.let_go().into_iter().map(|done| (done, Err(no_power()))).collect();
            }
            self.fuse = Some((nth - 1, keep));
        }
        if std::mem::take(&mut self.fails_next_sync) {
            let error = no_sync();
            self.poisoned_by = Some(error.one_line());
            for (_, result) in self.awaiting.iter_mut().filter(|(_, result)| result.is_ok()) {
                *result = Err(error.clone());
            }
            return std::mem::take(&mut self.awaiting);
        }
        self.harden();
        std::mem::take(&mut self.awaiting)
    }

    fn harden(&mut self) {
        for batch in self.unsynced.drain(..) {
            apply(&mut self.synced, &batch);
        }
    }

    /// Drops what was not synced, but for the first `keep` batches.
    fn forget(&mut self, keep: usize) {
        for batch in self.unsynced.drain(..).take(keep) {
            apply(&mut self.synced, &batch);
        }
        self.written = self.synced.clone();
    }

    /// Ends the current opening. Returns what must be dropped without holding the lock.
    #[must_use]
    fn let_go(&mut self) -> Vec<Done> {
        self.opening += 1;
        self.is_open = false;
        self.poisoned_by = None;
        self.fails_next_sync = false;
        let awaiting = std::mem::take(&mut self.awaiting).into_iter().map(|(done, _)| done);
        awaiting.chain(std::mem::take(&mut self.queued).into_iter().map(|(_, done)| done)).collect()
    }
}

fn apply(contents: &mut Contents, batch: &Batch) {
    for (key, value) in batch.writes() {
        match value {
            Some(value) => {
                contents.insert(key.into(), value.into());
            }
            None => {
                contents.remove(key);
            }
        }
    }
}

fn no_power() -> StoreError {
    let source = Arc::new(io::Error::other("the power is gone"));
    StoreError::Io { action: "reach", path: PathBuf::from("the simulated disk"), source }
}

fn no_sync() -> StoreError {
    let source = Arc::new(io::Error::other("the simulated sync failed"));
    StoreError::Io { action: "sync", path: PathBuf::from("the simulated disk"), source }
}

/// A simulated disk as one opener sees it; dropping it closes it.
pub(crate) struct Opened {
    disk: Disk,
    opening: u64,
    dir: PathBuf,
    /// Who asked for a commit after the power had gone. They are told when work is done, never from
    /// within their call: they may hold what their callbacks ask for.
    too_late: Mutex<Vec<Done>>,
}

impl Opened {
    pub(crate) fn open(disk: Disk, dir: &Path) -> Result<Self, StoreError> {
        let opening = {
            let mut platter = disk.lock();
            if platter.is_open {
                return Err(StoreError::Locked { dir: dir.to_owned() });
            }
            // What was written by a process that died is read from now on, so it must last, as it does
            // with sled.
            platter.harden();
            platter.is_open = true;
            platter.opening += 1;
            platter.opening
        };
        Ok(Self { disk, opening, dir: dir.to_owned(), too_late: Mutex::default() })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn alive(&self) -> Result<MutexGuard<'_, Platter>, StoreError> {
        let platter = self.disk.lock();
        if platter.opening == self.opening { Ok(platter) } else { Err(no_power()) }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.alive()?.written.get(key).map(|value| value.to_vec()))
    }

    /// Keys that begin with `prefix` from `start` on, with their values, ascending; ends after an error.
    pub(crate) fn entries(&self, prefix: &[u8], start: &[u8]) -> Entries<'_> {
        let from = Bound::Included(start.max(prefix).to_vec());
        Entries { opened: self, prefix: prefix.to_vec(), from: Some(from) }
    }

    pub(crate) fn commit_then(&self, batch: Batch, done: Done) {
        match self.alive() {
            Ok(mut platter) => platter.queued.push_back((batch, done)),
            Err(_) => self.too_late.lock().unwrap_or_else(PoisonError::into_inner).push(done),
        }
    }

    /// Does all that waits.
    pub(crate) fn work(&self) {
        if self.alive().is_ok() {
            self.disk.write();
            self.disk.sync();
        }
        let too_late = std::mem::take(&mut *self.too_late.lock().unwrap_or_else(PoisonError::into_inner));
        for done in too_late {
            done(Err(no_power()));
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.work();
        let gone = match self.alive() {
            Ok(mut platter) => platter.let_go(),
            Err(_) => Vec::new(),
        };
        drop(gone);
    }
}

pub(crate) struct Entries<'a> {
    opened: &'a Opened,
    prefix: Vec<u8>,
    /// Where to go on; `None` at the end.
    from: Option<Bound<Vec<u8>>>,
}

impl Iterator for Entries<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.from.take()?;
        let platter = match self.opened.alive() {
            Ok(platter) => platter,
            Err(error) => return Some(Err(error)),
        };
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (from.as_ref().map(Vec::as_slice), Bound::Unbounded);
        let (key, stored) = platter.written.range::<[u8], _>(bounds).next()?;
        if !key.starts_with(&self.prefix) {
            return None;
        }
        let key = key.to_vec();
        self.from = Some(Bound::Excluded(key.clone()));
        Some(Ok((key, stored.to_vec())))
    }
}
