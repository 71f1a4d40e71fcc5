//! The power fails in the middle of a commit.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{Random, entries};
use wangge_store::{Batch, Options, Store};

const PAGE_BYTES: usize = 4096;

/// What a store writes to: the journal, and sled's main file.
const FILES: [&str; 2] = ["journal", "db/db"];

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Opens a store whose checkpoints come when the test says so, or the journal is full.
fn open(dir: &Path) -> Store {
    Store::open(dir, Options { checkpoint_after: Duration::from_secs(3_600), ..Options::default() }).unwrap()
}

/// Of the pages that one step changed in the store's files, an arbitrary part reaches the disk.
/// Whatever it is, the store opens, shows a commit whole or not at all, and shows all that was
/// committed before. A step is a commit or a checkpoint: each leaves nothing unsynced behind, and
/// writes to one of the files at a time.
///
/// `STORE_ROUNDS` (60) and `STORE_SEED` make it longer and different.
///
/// Batches range from one small entry to several of sled's segments (512 KiB), and the history
/// is long enough for segments to be cleaned and overwritten, and for the journal to be written over.
#[test]
fn a_commit_survives_whole_or_not_at_all() {
    let seed = common::seed();
    // Two sequences: the lengths of sled's files differ from run to run, the steps must not.
    let (mut random, mut tears) = (Random::new(seed), Random::new(!seed));
    let dir = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let contents = || FILES.map(|file| fs::read(dir.path().join(file)).unwrap());
    let mut store = open(dir.path());
    let mut before = Model::new();
    let (mut kept, mut lost) = (0, 0);
    let (mut journalled, mut moved) = (0, 0);
    let rounds: usize =
        std::env::var("STORE_ROUNDS").map_or(60, |n| n.parse().expect("STORE_ROUNDS is no number"));
    for round in 0..rounds {
        let old = contents();
        let mut after = before.clone();
        if random.below(5) == 0 {
            store.checkpoint().unwrap();
        } else {
            store.commit(random_batch(&mut random, &mut after)).unwrap();
        }
        let new = contents();
        journalled += usize::from(old[0] != new[0]);
        moved += usize::from(old[1] != new[1]);
        assert!(old[0] == new[0] || old[1] == new[1], "seed {seed}, round {round}: one step, two files");

        for attempt in 0..3 {
            let what = format!("seed {seed}, round {round}, attempt {attempt}");
            let crashed = scratch.path().join(format!("{round}-{attempt}"));
            common::copy_dir(dir.path(), &crashed);
            for (at, file) in FILES.iter().enumerate() {
                fs::write(crashed.join(file), tear(&mut tears, &old[at], &new[at])).unwrap();
            }
            let recovered =
                Store::open(&crashed, Options::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
            let seen: Model = entries(recovered.scan(b"")).into_iter().collect();
            if seen == after {
                kept += 1;
            } else {
                assert!(seen == before, "{what}: {}", difference(&seen, &before, &after));
                lost += 1;
            }
            goes_on(recovered, &crashed, &seen, &what);
            fs::remove_dir_all(&crashed).unwrap();
        }
        before = after;
        if round % 15 == 14 {
            store.close();
            store = open(dir.path());
        }
    }
    assert!(kept > 10 && lost > 10, "seed {seed}: {kept} kept, {lost} lost");
    assert!(journalled > 10 && moved > 10, "seed {seed}: {journalled} entries, {moved} checkpoints");
}

/// A store that came back takes commits, writes over what was torn, and keeps them.
fn goes_on(store: Store, dir: &Path, seen: &Model, what: &str) {
    let mut batch = Batch::default();
    batch.put("later", "commit");
    store.commit(batch).unwrap();
    store.close();
    let again = open(dir);
    let mut expected = seen.clone();
    expected.insert(b"later".to_vec(), b"commit".to_vec());
    let found: Model = entries(again.scan(b"")).into_iter().collect();
    assert!(found == expected, "{what}: the next commit: {}", difference(&found, seen, &expected));
}

fn random_batch(random: &mut Random, model: &mut Model) -> Batch {
    let mut batch = Batch::default();
    let (entries, len_bytes_max) = match random.below(6) {
        0 => (1, 200),
        4 => (3, 2_000),
        5 => (5, 9_000),
        1 => (40, 3_000),
        2 => (8, 40_000),
        _ => (20, 60_000),
    };
    for _ in 0..entries {
        let key = format!("key/{:03}", random.below(120)).into_bytes();
        if random.below(4) == 0 {
            batch.delete(key.as_slice());
            model.remove(&key);
        } else {
            let value = vec![random.below(256) as u8; random.below(len_bytes_max)];
            batch.put(key.as_slice(), value.as_slice());
            model.insert(key, value);
        }
    }
    batch
}

/// A mixture of two states of a file, page by page; missing pages read as zeros.
fn tear(random: &mut Random, old: &[u8], new: &[u8]) -> Vec<u8> {
    let one_in = [2, 2, 10, 1_000][random.below(4)];
    let most_are_new = random.below(2) == 0;
    let mut torn = new.to_vec();
    for at in (0..new.len()).step_by(PAGE_BYTES) {
        let end = new.len().min(at + PAGE_BYTES);
        if (random.below(one_in) == 0) == most_are_new {
            let page = &mut torn[at..end];
            page.fill(0);
            let old = &old[at.min(old.len())..end.min(old.len())];
            page[..old.len()].copy_from_slice(old);
        }
    }
    // The new length may not have reached the disk either.
    if random.below(2) == 0 && old.len() < new.len() {
        torn.truncate(old.len() + random.below(new.len() - old.len()));
    }
    torn
}

fn difference(seen: &Model, before: &Model, after: &Model) -> String {
    let short = |model: &Model, key: &[u8]| model.get(key).map(|v| (v.len(), v.first().copied()));
    let keys: std::collections::BTreeSet<_> = seen.keys().chain(before.keys()).chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| seen.get(*key) != before.get(*key))
        .map(|key| {
            format!(
                "\n{}: {:?}, before {:?}, after {:?}",
                key.escape_ascii(),
                short(seen, key),
                short(before, key),
                short(after, key)
            )
        })
        .collect()
}
