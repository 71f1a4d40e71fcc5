//! What the tests share.

// Each test file uses its own part of this.
#![allow(dead_code)]

use std::path::Path;

use wangge_store::{Options, Store, StoreError};

/// Opens a store that has to open.
pub(crate) fn store(dir: &Path) -> Store {
    Store::open(dir, Options::default()).unwrap()
}

/// All entries of a scan that has to succeed.
pub(crate) fn entries(
    scan: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    scan.collect::<Result<_, _>>().unwrap()
}

/// How many records sled holds for the closed store in `dir`, its own bookkeeping included.
pub(crate) fn physical_records(dir: &Path) -> usize {
    let db = sled::Config::new().path(dir.join("db")).flush_every_ms(None).open().unwrap();
    db.iter().collect::<Result<Vec<_>, _>>().unwrap().len()
}

/// The seed of a random test: `STORE_SEED` if set, so that a failure can be replayed.
pub(crate) fn seed() -> u64 {
    std::env::var("STORE_SEED").map_or(20_260_101, |seed| seed.parse().expect("STORE_SEED is no number"))
}

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    /// Starts a sequence.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// Copies a directory and all in it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
