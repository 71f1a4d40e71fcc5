//! What can stand in the way of opening a store.

mod common;

use std::fs;
use std::path::Path;

use common::{Random, store};
use wangge_store::{Batch, Options, Store, StoreError};

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, Options::default())
}

/// A closed store with ten batches, half of them in the journal only; opened twice, so that sled has
/// written a snapshot.
fn filled(dir: &Path) {
    for session in 0..2 {
        let store = store(dir);
        for i in 0..5 {
            let mut batch = Batch::default();
            batch.put(format!("{session}/{i}"), vec![i; 50_000]);
            store.commit(batch).unwrap();
        }
        if session == 0 {
            store.checkpoint().unwrap();
        }
    }
}

#[test]
fn a_missing_directory_is_created() {
    let dir = tempfile::tempdir().unwrap();
    let nested = dir.path().join("some/where");
    drop(store(&nested));
    assert_eq!(fs::read_to_string(nested.join("FORMAT")).unwrap(), "wangge-store 1\n");
}

#[test]
fn the_second_opener_is_refused_and_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path());
    let refused = open(dir.path()).unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { dir: at } if at == dir.path()), "{refused:?}");
    let message = refused.to_string();
    for part in ["wangge run", "wangge-relay serve", "stop"] {
        assert!(message.contains(part), "{message}");
    }
    // A clone keeps the directory as much as the original does.
    let clone = first.clone();
    first.close();
    assert!(matches!(open(dir.path()), Err(StoreError::Locked { .. })));
    drop(clone);
    open(dir.path()).unwrap();
}

/// A restarted relay finds its directory free at once, however busy it was.
#[test]
fn a_closed_store_opens_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..30u8 {
        let store = open(dir.path()).unwrap();
        let mut batch = Batch::default();
        batch.put([i], vec![i; 100_000]);
        store.commit_then(batch, |_| {});
        store.close();
    }
    assert_eq!(store(dir.path()).scan(b"").count(), 30);
}

#[test]
fn a_newer_format_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::write(dir.path().join("FORMAT"), "wangge-store 7\n").unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::NewerFormat { found: 7, known: 1 })));
    fs::write(dir.path().join("FORMAT"), "wangge-store 1\n").unwrap();
    assert_eq!(store(dir.path()).scan(b"").count(), 10);
}

#[test]
fn a_foreign_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear Ana").unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::NotAStore { .. })));
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["letter.txt"]);
}

/// Power fails while a store is created: before sled, and before the last step.
#[test]
fn an_interrupted_creation_is_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("LOCK"), "").unwrap();
    drop(store(dir.path()));
    fs::rename(dir.path().join("FORMAT"), dir.path().join("FORMAT.creating")).unwrap();
    drop(store(dir.path()));
    // Without that trace, what is in db/ is somebody's data.
    fs::remove_file(dir.path().join("FORMAT")).unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::NotAStore { .. })));
}

#[test]
fn damaged_files_are_reported_and_never_panic() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 15] = [
        ("FORMAT emptied", |dir| fs::write(dir.join("FORMAT"), "").unwrap()),
        ("FORMAT garbled", |dir| fs::write(dir.join("FORMAT"), [0xff; 9]).unwrap()),
        ("db removed", |dir| fs::remove_dir_all(dir.join("db")).unwrap()),
        ("db/db removed", |dir| fs::remove_file(dir.join("db/db")).unwrap()),
        ("db/db emptied", |dir| fs::write(dir.join("db/db"), "").unwrap()),
        ("db/db emptied, no snapshot", |dir| {
            remove_snapshots(dir);
            fs::write(dir.join("db/db"), "").unwrap();
        }),
        ("db/db garbled, no snapshot", |dir| {
            remove_snapshots(dir);
            fs::write(dir.join("db/db"), [0x5a; 1_500_000]).unwrap();
        }),
        ("db/db halved", |dir| {
            let file = fs::OpenOptions::new().write(true).open(dir.join("db/db")).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("journal removed", |dir| fs::remove_file(dir.join("journal")).unwrap()),
        ("journal emptied", |dir| fs::write(dir.join("journal"), "").unwrap()),
        ("journal halved", |dir| {
            let file = fs::OpenOptions::new().write(true).open(dir.join("journal")).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("head of the journal garbled", |dir| garble(&dir.join("journal"), 20)),
        ("first entry garbled", |dir| garble(&dir.join("journal"), 4_096 + 500)),
        ("entry in the middle garbled", |dir| garble(&dir.join("journal"), 100_000)),
        ("snapshot garbled", |dir| {
            for snapshot in snapshots(dir) {
                fs::write(snapshot, [0x5a; 100]).unwrap();
            }
        }),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        // sled writes its snapshot while it opens.
        drop(store(dir.path()));
        assert!(!snapshots(dir.path()).is_empty());
        damage(dir.path());
        match open(dir.path()) {
            Err(StoreError::Damaged { .. }) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Bytes anywhere in sled's files go bad. Most such damage shows on opening, some only on
/// reading; none may panic, and no value may come out wrong.
#[test]
fn garbage_anywhere_gives_errors_or_nothing_but_the_truth() {
    let seed = common::seed();
    let mut random = Random::new(seed);
    let original = tempfile::tempdir().unwrap();
    filled(original.path());
    drop(store(original.path()));
    let mut refused = 0;
    for round in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        common::copy_dir(original.path(), dir.path());
        let mut files: Vec<_> = fs::read_dir(dir.path().join("db"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        files.push(dir.path().join("journal"));
        let path = &files[random.below(files.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = random.below(bytes.len());
        let len = 1 + random.below(64).min(bytes.len() - at - 1);
        for byte in &mut bytes[at..at + len] {
            *byte = random.below(256) as u8;
        }
        fs::write(path, bytes).unwrap();
        let what = format!("seed {seed}, round {round}, {} at {at}", path.display());

        let store = match open(dir.path()) {
            Ok(store) => store,
            Err(StoreError::Damaged { .. } | StoreError::Io { .. }) => {
                refused += 1;
                continue;
            }
            Err(e) => panic!("{what}: {e}"),
        };
        for session in 0..2 {
            for i in 0..5u8 {
                match store.get(format!("{session}/{i}").as_bytes()) {
                    Ok(value) => assert!(value.is_none_or(|v| v == vec![i; 50_000]), "{what}"),
                    Err(_) => refused += 1,
                }
            }
        }
        for entry in store.scan(b"") {
            match entry {
                Ok((key, value)) => assert!(value == vec![key[2] - b'0'; 50_000], "{what}"),
                Err(_) => break,
            }
        }
    }
    assert!(refused > 0, "seed {seed}: no damage was noticed");
}

/// Turns a byte over.
fn garble(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x5a;
    fs::write(path, bytes).unwrap();
}

fn snapshots(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir.join("db"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap."))
        .collect()
}

fn remove_snapshots(dir: &Path) {
    for snapshot in snapshots(dir) {
        fs::remove_file(snapshot).unwrap();
    }
}

/// sled takes an unfinished snapshot for a damaged one: a kill in the middle of an opening leaves it behind.
#[test]
fn an_opening_that_was_cut_short_stops_no_later_one() {
    let dir = tempfile::tempdir().unwrap();
    for content in [&b""[..], &[1; 90]] {
        let store = common::store(dir.path());
        let mut batch = Batch::default();
        batch.put("key", "value");
        store.commit(batch).unwrap();
        store.close();
        let unfinished = dir.path().join("db/snap.00000000FFFFFFFF.generating");
        std::fs::write(&unfinished, content).unwrap();
        let store = common::store(dir.path());
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
        assert!(!unfinished.exists());
        store.close();
    }
}
