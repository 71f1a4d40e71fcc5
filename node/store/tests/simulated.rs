//! The simulated disk keeps the store's promises where sled does, and breaks only what a disk may break.

mod common;

use std::sync::{Arc, Mutex};

use common::{Random, entries};
use wangge_store::{Batch, Disk, Options, Store, StoreError};

fn simulated(disk: &Disk) -> Store {
    let options = Options { disk: Some(disk.clone()), ..Options::default() };
    Store::open("simulated".as_ref(), options).unwrap()
}

fn put(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

/// Queues a batch; what became of it shows in the list.
fn queue(store: &Store, key: &str, heard: &Arc<Mutex<Vec<String>>>) {
    let (name, heard) = (key.to_owned(), heard.clone());
    store.commit_then(put(key, "value"), move |done| {
        heard.lock().unwrap().push(format!("{name} {}", if done.is_ok() { "saved" } else { "failed" }));
    });
}

#[test]
fn it_answers_as_sled_does() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let mut random = Random::new(7);
    let mut stores = [Store::open(dir.path(), Options::default()).unwrap(), simulated(&disk)];
    for round in 0..60 {
        let mut batch = Batch::new();
        for _ in 0..random.below(8) {
            let key = format!("{}/{}", random.below(3), random.below(40));
            match random.below(4) {
                0 => batch.delete(key),
                _ => batch.put(key, vec![round; random.below(5_000)]),
            }
        }
        for store in &stores {
            store.commit(batch.clone()).unwrap();
        }
        if round % 20 == 19 {
            for store in stores {
                store.close();
            }
            stores = [Store::open(dir.path(), Options::default()).unwrap(), simulated(&disk)];
        }
        let prefix = format!("{}/", random.below(3));
        let start = format!("{prefix}{}", random.below(40));
        let [sled, memory] = &stores;
        assert_eq!(entries(sled.scan(prefix.as_bytes())), entries(memory.scan(prefix.as_bytes())));
        assert_eq!(
            entries(sled.scan_from(prefix.as_bytes(), start.as_bytes())),
            entries(memory.scan_from(prefix.as_bytes(), start.as_bytes()))
        );
        assert_eq!(sled.get(start.as_bytes()).unwrap(), memory.get(start.as_bytes()).unwrap());
    }
}

#[test]
fn a_dead_process_leaves_what_was_written_and_a_power_loss_only_what_was_synced() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let disk = Disk::new();
    let store = simulated(&disk);
    store.commit(put("a", "synced")).unwrap();
    queue(&store, "b", &heard);
    queue(&store, "c", &heard);
    assert_eq!(store.get(b"b").unwrap(), None, "it waits");
    disk.write();
    assert!(store.get(b"c").unwrap().is_some(), "written");
    let image = disk.image();
    queue(&store, "d", &heard);
    let cut = Disk::of(&image);
    disk.crash();
    assert!(matches!(store.get(b"a"), Err(StoreError::Io { .. })), "the process is dead");
    let told = Arc::new(Mutex::new(0));
    let tell = Arc::clone(&told);
    store
        .commit_then(put("x", "too late"), move |result| *tell.lock().unwrap() += i32::from(result.is_err()));
    assert_eq!(*told.lock().unwrap(), 0, "never within the call: the caller may hold what it asks for");
    assert!(matches!(store.commit(Batch::new()), Err(StoreError::Io { .. })));
    assert_eq!(*told.lock().unwrap(), 1);
    let again = simulated(&disk);
    assert_eq!(entries(again.scan(b"")).len(), 3);
    assert_eq!(entries(simulated(&cut).scan(b"")).len(), 3);

    queue(&again, "e", &heard);
    queue(&again, "f", &heard);
    disk.write();
    disk.lose_power(1);
    let last = simulated(&disk);
    let keys: Vec<_> = entries(last.scan(b"")).into_iter().map(|(key, _)| key).collect();
    // What the dead process had written was read by the next one, which made it last first.
    assert_eq!(keys, [b"a", b"b", b"c", b"e"]);
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "nobody was told that it was saved");
    queue(&last, "g", &heard);
    last.commit(put("h", "")).unwrap();
    assert_eq!(*heard.lock().unwrap(), ["g saved"]);
}

#[test]
fn a_full_disk_a_failed_sync_a_cut_and_a_flipped_bit_are_reported() {
    let disk = Disk::new();
    let store = simulated(&disk);
    store.commit(put("a", "1")).unwrap();
    disk.set_room(Some(3));
    assert!(matches!(store.commit(put("b", "long")), Err(StoreError::Full { needed_bytes: 5 })));
    store.commit(put("c", "2")).unwrap();
    disk.set_room(None);
    disk.fail_next_sync();
    store.commit(put("d", "4")).unwrap_err();
    assert!(matches!(store.commit(put("e", "5")), Err(StoreError::Poisoned { .. })));
    assert!(matches!(
        Store::open("again".as_ref(), Options { disk: Some(disk.clone()), ..Options::default() }),
        Err(StoreError::Locked { .. })
    ));
    drop(store);
    let store = simulated(&disk);
    disk.lose_power_at(2, 0);
    store.commit(put("f", "6")).unwrap();
    store.commit(put("g", "7")).unwrap_err();
    assert!(!disk.is_alive());
    let store = simulated(&disk);
    assert_eq!(store.get(b"f").unwrap().unwrap(), b"6");
    assert_eq!(store.get(b"g").unwrap(), None);
    let (_, value) = store.scan(b"").next().unwrap().unwrap();
    let key = disk.flip(0).unwrap();
    assert_ne!(store.get(&key).unwrap().unwrap(), value);
}
