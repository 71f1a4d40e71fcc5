//! Who is told what, and when: group commit, callbacks, a disk that fills up.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use common::{entries, store};
use wangge_store::{Batch, Chain, Disk, Fault, Options, Store, StoreError};

fn batch(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::default();
    batch.put(key, value);
    batch
}

#[test]
fn eight_threads_commit_at_once_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = first.clone();
            scope.spawn(move || {
                for i in 0..100u32 {
                    let key = format!("{thread}/{i:03}");
                    store.commit(batch(key.as_str(), i.to_be_bytes())).unwrap();
                    // Whoever returns from commit reads their own write.
                    assert_eq!(store.get(key.as_bytes()).unwrap().unwrap(), i.to_be_bytes());
                }
            });
        }
    });
    first.close();
    let second = store(dir.path());
    for thread in 0..8 {
        let values: Vec<_> = entries(second.scan(format!("{thread}/").as_bytes()))
            .into_iter()
            .map(|(_, value)| value)
            .collect();
        let expected: Vec<_> = (0..100u32).map(|i| i.to_be_bytes().to_vec()).collect();
        assert_eq!(values, expected);
    }
}

/// More is queued than one round takes, by bytes and by number.
#[test]
fn callbacks_come_in_order_and_the_last_write_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (done, results) = mpsc::channel();
    let queued = 10_000u32;
    for i in 0..queued {
        let mut next = batch("tip", i.to_be_bytes());
        if i % 100 == 0 {
            next.put(format!("long/{i:05}"), vec![i as u8; 100_000]);
        }
        let done = done.clone();
        store.commit_then(next, move |result| done.send((i, result)).unwrap());
    }
    for expected in 0..queued {
        let (i, result) = results.recv().unwrap();
        assert_eq!(i, expected);
        result.unwrap();
    }
    assert_eq!(store.get(b"tip").unwrap().unwrap(), (queued - 1).to_be_bytes());
    assert_eq!(store.scan(b"long/").count(), 100);
}

#[test]
fn closing_waits_for_what_is_queued() {
    let dir = tempfile::tempdir().unwrap();
    let finished = Arc::new(AtomicUsize::new(0));
    for way in 0..2 {
        let store = store(dir.path());
        for i in 0..500 {
            let finished = finished.clone();
            store.commit_then(batch(format!("{way}/{i}"), "value"), move |result| {
                result.unwrap();
                finished.fetch_add(1, Ordering::SeqCst);
            });
        }
        // Another clone must not keep close from waiting.
        let clone = store.clone();
        if way == 0 {
            store.close();
        } else {
            drop((store, clone));
        }
        assert_eq!(finished.swap(0, Ordering::SeqCst), 500);
    }
    assert_eq!(store(dir.path()).scan(b"").count(), 1_000);
}

#[test]
fn a_callback_may_panic_commit_and_hold_the_last_clone() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path());
    first.commit_then(batch("a", "1"), |_| panic!("a callback panics, on purpose"));
    first.commit(batch("b", "2")).unwrap();

    // Blocking would wait for itself; queueing is fine.
    let (done, results) = mpsc::channel();
    let clone = first.clone();
    first.commit_then(batch("c", "3"), move |result| {
        result.unwrap();
        done.send(clone.commit(batch("d", "4"))).unwrap();
        let done = done.clone();
        clone.commit_then(batch("e", "5"), move |result| done.send(result).unwrap());
    });
    drop(first);
    assert!(matches!(results.recv().unwrap(), Err(StoreError::BlockingInCallback)));
    results.recv().unwrap().unwrap();
    assert!(results.recv().is_err(), "the callbacks are gone by now");

    let second = reopen(dir.path());
    let keys: Vec<_> = entries(second.scan(b"")).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"a", b"b", b"c", b"e"]);
}

/// Opens a store whose committer may still be letting go of it.
fn reopen(dir: &std::path::Path) -> Store {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match Store::open(dir, Options::default()) {
            Err(StoreError::Locked { .. }) if std::time::Instant::now() < deadline => {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
}

/// The disk fills up in the middle of a day's work, and is cleaned up in the evening.
#[test]
fn a_full_disk_keeps_what_was_committed_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let fault = Fault::new();
    let options = Options { fault: Some(fault.clone()), ..Options::default() };
    let full = Store::open(dir.path(), options).unwrap();
    full.commit(batch("kept/1", vec![1; 5_000])).unwrap();

    fault.fail_after_bytes(1_000);
    full.commit(batch("kept/2", vec![2; 900])).unwrap();
    let mut rest = batch("lost", vec![3; 100]);
    rest.put("kept/1", "overwritten");
    let len_bytes = rest.len_bytes();
    for _ in 0..2 {
        let refused = full.commit(rest.clone()).unwrap_err();
        assert!(
            matches!(refused, StoreError::Full { needed_bytes } if needed_bytes == len_bytes),
            "{refused:?}"
        );
    }
    assert_eq!(full.get(b"lost").unwrap(), None);
    assert_eq!(full.get(b"kept/1").unwrap().unwrap(), vec![1; 5_000]);

    fault.clear();
    full.commit(rest).unwrap();
    full.close();
    let again = store(dir.path());
    assert_eq!(again.get(b"kept/1").unwrap().unwrap(), b"overwritten");
    assert_eq!(again.get(b"kept/2").unwrap().unwrap(), vec![2; 900]);
    assert_eq!(again.get(b"lost").unwrap().unwrap(), vec![3; 100]);
}

/// What was queued behind a batch that found the disk full is not stored without it, though it is short enough.
#[test]
fn nothing_of_a_chain_is_stored_behind_what_did_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let fault = Fault::new();
    let files =
        Store::open(dir.path(), Options { fault: Some(fault.clone()), ..Options::default() }).unwrap();
    let disk = Disk::new();
    let options = Options { disk: Some(disk.clone()), ..Options::default() };
    let simulated = Store::open("simulated".as_ref(), options).unwrap();
    fault.fail_after_bytes(100);
    disk.set_room(Some(100));
    for store in [files, simulated] {
        let chain = Chain::default();
        let (done, results) = mpsc::channel();
        for (key, len) in [("1", 10), ("2", 500), ("3", 10)] {
            let mut batch = Batch::of(&chain);
            batch.put(key, vec![0; len]);
            let done = done.clone();
            store.commit_then(batch, move |result| done.send(result.is_ok()).unwrap());
        }
        store.commit(batch("4", "of no chain")).unwrap();
        assert_eq!(results.iter().take(3).collect::<Vec<_>>(), [true, false, false]);
        let held = ["1", "2", "3", "4"].map(|key| store.get(key.as_bytes()).unwrap().is_some());
        assert_eq!(held, [true, false, false, true]);
        let mut anew = Batch::of(&Chain::default());
        anew.put("3", "x");
        store.commit(anew).unwrap();
    }
}

/// Refused commits in the middle of a round leave their neighbours alone.
#[test]
fn a_refused_commit_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (done, results) = mpsc::channel();
    for i in 0..300 {
        let key = if i % 3 == 0 { vec![b'k'; 500] } else { vec![i as u8, (i >> 8) as u8] };
        let done = done.clone();
        store.commit_then(batch(key, "value"), move |result| done.send(result).unwrap());
    }
    for i in 0..300 {
        let result = results.recv().unwrap();
        assert_eq!(result.is_err(), i % 3 == 0, "{i}: {result:?}");
    }
    assert_eq!(store.scan(b"").count(), 200);
}
