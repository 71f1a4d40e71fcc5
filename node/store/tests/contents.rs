//! What is put in comes out: batches, long values, scans, compared with a `BTreeMap`.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Random, entries, store};
use wangge_store::{Batch, KEY_BYTES_MAX, Options, Store, StoreError, VALUE_BYTES_MAX};

#[test]
fn a_batch_applies_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut batch = Batch::default();
    batch.put("a", "1");
    batch.put("b", vec![2; 10_000]);
    batch.delete("absent");
    batch.put("b", vec![3; 9_000]);
    store.commit(batch).unwrap();
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"1");
    assert_eq!(store.get(b"b").unwrap().unwrap(), vec![3; 9_000]);

    // One key too long spoils its whole batch, and only that.
    let mut batch = Batch::default();
    batch.delete("a");
    batch.put("c", "4");
    batch.put(vec![b'k'; KEY_BYTES_MAX + 1], "5");
    assert!(matches!(store.commit(batch), Err(StoreError::KeyTooLong { len_bytes: 401, .. })));
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"1");
    assert_eq!(store.get(b"c").unwrap(), None);

    let mut batch = Batch::default();
    batch.put("c", vec![0; VALUE_BYTES_MAX as usize + 1]);
    assert!(matches!(store.commit(batch), Err(StoreError::ValueTooLong { .. })));
    let mut batch = Batch::default();
    batch.put(vec![b'k'; KEY_BYTES_MAX], "6");
    store.commit(batch).unwrap();
}

#[test]
fn an_empty_key_with_an_empty_value_is_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path());
    let mut batch = Batch::default();
    batch.put("", "");
    assert_eq!(batch.len_bytes(), 0);
    assert!(!batch.is_empty());
    first.commit(batch).unwrap();
    drop(first);
    let second = store(dir.path());
    assert_eq!(entries(second.scan(b"")), [(vec![], vec![])]);
}

#[test]
fn scans_ascend_and_stay_within_their_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut batch = Batch::default();
    for key in [&b""[..], b"a", b"a\0", b"a\0\xff", b"ab", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff"]
    {
        batch.put(key, key);
    }
    // Long, so that its chunks lie among the others if anything is amiss.
    batch.put("aa", vec![b'x'; 20_000]);
    store.commit(batch).unwrap();

    let keys = |entries: Vec<(Vec<u8>, Vec<u8>)>| -> Vec<Vec<u8>> {
        entries.into_iter().map(|(key, _)| key).collect()
    };
    let all = keys(entries(store.scan(b"")));
    assert_eq!(all.len(), 11);
    assert!(all.is_sorted());
    assert_eq!(
        keys(entries(store.scan(b"a"))),
        [&b"a"[..], b"a\0", b"a\0\xff", b"aa", b"ab", b"a\xff", b"a\xff\xff"]
    );
    assert_eq!(keys(entries(store.scan(b"\xff"))), [&b"\xff"[..], b"\xff\xff"]);
    assert_eq!(keys(entries(store.scan(b"a\xff\xff"))), [b"a\xff\xff"]);
    assert_eq!(entries(store.scan(b"aa"))[0].1, vec![b'x'; 20_000]);

    assert_eq!(keys(entries(store.scan_from(b"a", b"aa\0"))), [&b"ab"[..], b"a\xff", b"a\xff\xff"]);
    // A start before the prefix changes nothing; one behind it leaves nothing.
    assert_eq!(keys(entries(store.scan_from(b"b", b"a"))), [b"b"]);
    assert!(entries(store.scan_from(b"a", b"b")).is_empty());
}

/// Ten thousand writes to a few keys that are prefixes of one another, with values around
/// every length at which the layout changes, a checkpoint and a reopening now and then.
#[test]
fn a_random_history_reads_like_a_map() {
    let dir = tempfile::tempdir().unwrap();
    let seed = common::seed();
    let mut random = Random::new(seed);
    let mut keys: Vec<Vec<u8>> = [
        &b""[..],
        b"\0",
        b"\0\0",
        b"a",
        b"a\0",
        b"a\0\0",
        b"ab",
        b"a\xff",
        b"b",
        b"\x01",
        b"\x02a",
        b"\xff",
        b"\xff\xff",
    ]
    .iter()
    .map(|key| key.to_vec())
    .collect();
    keys.push(vec![0; KEY_BYTES_MAX]);
    for i in 0..300 {
        keys.push(format!("row/{i}").into_bytes());
    }
    let lengths = [0, 1, 100, 3_499, 3_500, 3_501, 7_000, 7_001, 40_000];

    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut open = store(dir.path());
    for round in 0..400 {
        let mut batch = Batch::default();
        for _ in 0..=random.below(50) {
            let key = keys[random.below(keys.len())].clone();
            if random.below(3) == 0 {
                batch.delete(key.as_slice());
                model.remove(&key);
            } else {
                let value = vec![random.below(256) as u8; lengths[random.below(lengths.len())]];
                batch.put(key.as_slice(), value.as_slice());
                model.insert(key, value);
            }
        }
        open.commit(batch).unwrap();
        let key = &keys[random.below(keys.len())];
        assert_eq!(
            open.get(key).unwrap().as_ref(),
            model.get(key),
            "seed {seed}, round {round}, key {}",
            key.escape_ascii()
        );
        if random.below(10) == 0 {
            open.checkpoint().unwrap();
        }
        if round % 40 == 39 {
            open.close();
            open = store(dir.path());
        }
        if round % 8 == 7 {
            let all: Vec<_> = model.clone().into_iter().collect();
            assert!(entries(open.scan(b"")) == all, "seed {seed}, round {round}: the scan differs");
            let rows: Vec<_> = all.into_iter().filter(|(key, _)| &key[..] >= b"row/2").collect();
            let rows: Vec<_> = rows.into_iter().filter(|(key, _)| key.starts_with(b"row/")).collect();
            let scanned = entries(open.scan_from(b"row/", b"row/2"));
            assert!(scanned == rows, "seed {seed}, round {round}: the scan of rows differs");
        }
    }
    // Nothing of what was overwritten or deleted is left: an emptied store stays small.
    let mut batch = Batch::default();
    for key in model.keys() {
        batch.delete(key.as_slice());
    }
    open.commit(batch).unwrap();
    assert!(entries(open.scan(b"")).is_empty());
    open.checkpoint().unwrap();
    open.close();
    let blobs = std::fs::read_dir(dir.path().join("db/blobs")).unwrap();
    assert_eq!(blobs.count(), 0, "seed {seed}: a page went to blobs/");
    assert_eq!(common::physical_records(dir.path()), 2, "seed {seed}: stale chunks are left");
}

/// A value is rewritten all the time; whoever reads it sees one write, whole.
#[test]
fn a_reader_never_sees_half_of_a_long_value() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let value_of = |byte: u8| vec![byte; [30_000, 9_000, 10, 60_000][usize::from(byte) % 4]];
    let put = |byte: u8| {
        let mut batch = Batch::default();
        batch.put("value", value_of(byte));
        batch
    };
    store.commit(put(0)).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            loop {
                let got = store.get(b"value").unwrap().expect("it was never deleted");
                let (_, scanned) = store.scan(b"val").next().unwrap().unwrap();
                for value in [got, scanned] {
                    let byte = value[0];
                    assert!(value == value_of(byte), "two writes were mixed");
                    seen.insert(byte);
                    if byte == 200 {
                        return seen.len();
                    }
                }
            }
        });
        for byte in 1..=200 {
            store.commit(put(byte)).unwrap();
            if byte % 3 == 0 {
                store.checkpoint().unwrap();
            }
        }
        assert!(reader.join().unwrap() > 1, "the reader came too late to tell");
    });
}

/// What was committed before a scan began is seen by it, even if it moves to sled meanwhile.
#[test]
fn a_scan_misses_nothing_that_moves_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let committed = AtomicUsize::new(0);
    let keys = 3_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..keys {
                let mut batch = Batch::default();
                // In an order in which neighbours come at different times.
                batch.put(format!("key/{:04}", i * 7 % keys), "value");
                store.commit(batch).unwrap();
                committed.store(i + 1, Ordering::SeqCst);
                if i % 20 == 0 {
                    store.checkpoint().unwrap();
                }
            }
        });
        loop {
            let before = committed.load(Ordering::SeqCst);
            let seen: BTreeSet<Vec<u8>> = entries(store.scan(b"")).into_iter().map(|(key, _)| key).collect();
            for i in 0..before {
                let key = format!("key/{:04}", i * 7 % keys);
                assert!(seen.contains(key.as_bytes()), "{key} was missed");
            }
            if before == keys {
                break;
            }
        }
    });
}

#[test]
fn a_wide_index_of_long_keys_stays_out_of_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    // Keys that differ only in their last bytes leave nothing to shorten in inner pages; a
    // different beginning for each thousand defeats sled's prefix compression as well.
    for thousand in 0..5u8 {
        let mut batch = Batch::default();
        for i in 0..1_000u16 {
            let mut key = vec![thousand; KEY_BYTES_MAX - 2];
            key.extend_from_slice(&i.to_be_bytes());
            batch.put(key, vec![7; if i % 4 == 0 { 3_500 } else { 3_501 }]);
        }
        store.commit(batch).unwrap();
    }
    assert_eq!(store.scan(b"").count(), 5_000);
    store.close();
    let blobs = std::fs::read_dir(dir.path().join("db/blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
}

/// What is being moved from the journal's memory to sled while somebody reads shows once, in order.
#[test]
fn a_scan_shows_each_entry_once_while_it_moves_to_sled() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let writing = AtomicUsize::new(1);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for round in 0..60_u32 {
                let mut short = Batch::default();
                for n in 0..200_u32 {
                    short.put(format!("k{n:05}-{round:03}"), vec![7; 200]);
                }
                store.commit(short).unwrap();
                // Too long for the journal: everything moves.
                let mut long = Batch::default();
                for n in 0..100_u32 {
                    long.put(format!("x{round:03}-{n}"), vec![8; 3_000]);
                }
                store.commit(long).unwrap();
            }
            writing.store(0, Ordering::Relaxed);
        });
        while writing.load(Ordering::Relaxed) > 0 {
            let mut last = Vec::new();
            for entry in store.scan(b"k") {
                let (key, _) = entry.unwrap();
                assert!(last < key, "{} after {}", key.escape_ascii(), last.escape_ascii());
                last = key;
                std::thread::yield_now();
            }
        }
    });
    assert_eq!(entries(store.scan(b"k")).len(), 60 * 200);
}
