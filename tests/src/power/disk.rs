//! A disk on which some of what was written is durable, and what it may look like after the power failed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::trace::Step;

/// What a disk writes as one: a write is torn at these bounds, and may be there from any of its pages on.
const PAGE_BYTES: usize = 4096;

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// None of it is there.
    Lost,
    /// All of it is, as if only the process had died.
    Kept,
    /// Some pages are, in no order, as this seed says; names change in order, up to some moment.
    Torn(u64),
}

/// A change of a file that may not be durable yet.
#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    /// With the number of the step.
    unsynced: Vec<(usize, Change)>,
}

#[derive(Clone, Debug)]
enum Naming {
    Create(PathBuf, usize),
    MakeDir(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Naming {
    fn dir(&self) -> &Path {
        let (Self::Create(path, _) | Self::MakeDir(path) | Self::Rename(path, _) | Self::Remove(path)) = self;
        path.parent().unwrap_or(Path::new(""))
    }
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
}

impl Names {
    fn take(&mut self, naming: &Naming) {
        match naming {
            Naming::Create(path, content) => {
                self.files.insert(path.clone(), *content);
            }
            Naming::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
            Naming::Rename(from, to) => {
                if let Some(content) = self.files.remove(from) {
                    self.files.insert(to.clone(), content);
                }
            }
            Naming::Remove(path) => {
                self.files.remove(path);
            }
        }
    }
}

/// A directory with all in it.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    contents: Vec<Content>,
    durable: Names,
    /// Changes of names that are not durable, with the numbers of the steps.
    unsynced: Vec<(usize, Naming)>,
    /// As a process sees them.
    now: Names,
}

impl Disk {
    /// A directory as it is, all of it durable.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(dir: &Path) -> Self {
        let mut disk = Self::default();
        disk.read_into(dir, Path::new(""));
        disk.now = disk.durable.clone();
        disk
    }

    fn read_into(&mut self, root: &Path, inside: &Path) {
        for entry in std::fs::read_dir(root.join(inside)).expect("lists") {
            let entry = entry.expect("lists");
            let path = inside.join(entry.file_name());
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() {
                self.durable.dirs.insert(path.clone());
                self.read_into(root, &path);
            } else if kind.is_file() {
                let durable = std::fs::read(entry.path()).expect("reads");
                self.durable.files.insert(path, self.contents.len());
                self.contents.push(Content { durable, unsynced: Vec::new() });
            }
        }
    }

    /// Takes the step number `at`.
    pub fn take(&mut self, at: usize, step: &Step) {
        let naming = match step {
            Step::Create(path) => {
                self.contents.push(Content::default());
                Naming::Create(path.clone(), self.contents.len() - 1)
            }
            Step::MakeDir(path) => Naming::MakeDir(path.clone()),
            Step::Rename(from, to) => Naming::Rename(from.clone(), to.clone()),
            Step::Remove(path) => Naming::Remove(path.clone()),
            Step::Write { path, at: place, bytes } => {
                return self.change(path, at, Change::Write(*place, bytes.clone()));
            }
            Step::SetLen(path, len) => return self.change(path, at, Change::SetLen(*len)),
            Step::Sync { path, since } => return self.sync(path, *since),
            Step::Said(_) => return,
        };
        self.now.take(&naming);
        self.unsynced.push((at, naming));
    }

    fn change(&mut self, path: &Path, at: usize, change: Change) {
        if let Some(content) = self.now.files.get(path) {
            self.contents[*content].unsynced.push((at, change));
        }
    }

    fn sync(&mut self, path: &Path, since: usize) {
        if let Some(content) = self.now.files.get(path) {
            let Content { durable, unsynced } = &mut self.contents[*content];
            let covered = unsynced.partition_point(|(at, _)| *at < since);
            for (_, change) in unsynced.drain(..covered) {
                apply(durable, &change);
            }
            return;
        }
        // A directory: the names in it, not those below.
        let mut left = Vec::new();
        for (at, naming) in std::mem::take(&mut self.unsynced) {
            if at < since && naming.dir() == path {
                self.durable.take(&naming);
            } else {
                left.push((at, naming));
            }
        }
        self.unsynced = left;
    }

    /// The files after a loss of power.
    pub fn contents(&self, fate: &Fate) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut random = match fate {
            Fate::Torn(seed) => Some(ChaCha8Rng::seed_from_u64(*seed)),
            _ => None,
        };
        let names = self.names(fate, random.as_mut());
        let mut files = BTreeMap::new();
        for (path, content) in &names.files {
            let Content { durable, unsynced } = &self.contents[*content];
            let mut bytes = durable.clone();
            for (_, change) in unsynced {
                match (fate, random.as_mut()) {
                    (Fate::Lost, _) => {}
                    (_, Some(random)) => apply_torn(&mut bytes, change, random),
                    _ => apply(&mut bytes, change),
                }
            }
            files.insert(path.clone(), bytes);
        }
        files
    }

    fn names(&self, fate: &Fate, random: Option<&mut ChaCha8Rng>) -> Names {
        let kept = match (fate, random) {
            (Fate::Lost, _) => 0,
            (_, Some(random)) => random.next_u32() as usize % (self.unsynced.len() + 1),
            _ => self.unsynced.len(),
        };
        let mut names = self.durable.clone();
        for (_, naming) in &self.unsynced[..kept] {
            names.take(naming);
        }
        names
    }

    /// Writes what is left after a loss of power to a new directory.
    ///
    /// # Panics
    /// If that fails.
    pub fn write(&self, fate: &Fate, to: &Path) {
        std::fs::create_dir_all(to).expect("creates");
        for dir in &self.now.dirs {
            // An empty directory more or less tells nothing.
            std::fs::create_dir_all(to.join(dir)).expect("creates");
        }
        for (path, bytes) in self.contents(fate) {
            std::fs::write(to.join(path), bytes).expect("writes");
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, written) => {
            let end = at + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(written);
        }
        Change::SetLen(len) => bytes.resize(*len, 0),
    }
}

fn apply_torn(bytes: &mut Vec<u8>, change: &Change, random: &mut ChaCha8Rng) {
    match change {
        Change::Write(at, written) => {
            let end = at + written.len();
            // The new length may be there without what was written.
            if bytes.len() < end && random.next_u32().is_multiple_of(2) {
                bytes.resize(end, 0);
            }
            let mut from = *at;
            while from < end {
                let to = end.min((from / PAGE_BYTES + 1) * PAGE_BYTES);
                if random.next_u32().is_multiple_of(2) {
                    apply(bytes, &Change::Write(from, written[from - at..to - at].to_vec()));
                }
                from = to;
            }
        }
        Change::SetLen(_) if random.next_u32().is_multiple_of(2) => {}
        Change::SetLen(_) => apply(bytes, change),
    }
}
