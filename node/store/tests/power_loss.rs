//! The power fails in the middle of a commit.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Random, entries, store};
use wangge_store::{Batch, Options, Store};

const PAGE_BYTES: usize = 4096;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Of the pages that one commit changed in sled's main file, an arbitrary part reaches the disk.
/// Whatever it is, the store opens and shows that commit whole or not at all, and all that was
/// committed before.
///
/// `STORE_ROUNDS` (50) and `STORE_SEED` make it longer and different.
///
/// Batches range from one small entry to several of sled's segments (512 KiB), and the history
/// is long enough for segments to be cleaned and overwritten.
#[test]
fn a_commit_survives_whole_or_not_at_all() {
    let seed = common::seed();
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let main_file = dir.path().join("db/db");
    let mut open = store(dir.path());
    let mut before = Model::new();
    let (mut kept, mut lost) = (0, 0);
    let rounds: usize =
        std::env::var("STORE_ROUNDS").map_or(50, |n| n.parse().expect("STORE_ROUNDS is no number"));
    for round in 0..rounds {
        let old_bytes = fs::read(&main_file).unwrap();
        let mut after = before.clone();
        open.commit(random_batch(&mut random, &mut after)).unwrap();
        let new_bytes = fs::read(&main_file).unwrap();

        for attempt in 0..4 {
            let what = format!("seed {seed}, round {round}, attempt {attempt}");
            let crashed = scratch.path().join(format!("{round}-{attempt}"));
            common::copy_dir(dir.path(), &crashed);
            let torn = tear(&mut random, &old_bytes, &new_bytes);
            fs::write(crashed.join("db/db"), torn).unwrap();
            let recovered =
                Store::open(&crashed, Options::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
            let seen: Model = entries(recovered.scan(b"")).into_iter().collect();
            if seen == after {
                kept += 1;
            } else {
                assert!(seen == before, "{what}: {}", difference(&seen, &before, &after));
                lost += 1;
            }
            drop(recovered);
            fs::remove_dir_all(&crashed).unwrap();
        }
        before = after;
        if round % 15 == 14 {
            open.close();
            open = store(dir.path());
        }
    }
    assert!(kept > 10 && lost > 10, "seed {seed}: {kept} kept, {lost} lost");
}

fn random_batch(random: &mut Random, model: &mut Model) -> Batch {
    let mut batch = Batch::default();
    let (entries, len_bytes_max) = match random.below(4) {
        0 => (1, 200),
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
