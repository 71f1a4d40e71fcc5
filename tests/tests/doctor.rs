//! Damage on the disk is found and healed, or named: never silent, never a panic.

use std::path::{Path, PathBuf};

use wangge_model::identity::Role;
use wangge_node::replica::{Checkup, Outcome, Replica, Trouble};
use wangge_store::{Batch, Options, Store};
use wangge_tests::street::{Relay, Worker, assert_equal, grid, number};

/// A small generator of numbers, seeded (xorshift64*).
struct Dice(u64);

impl Dice {
    fn seeded() -> Self {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0xd0c_u64);
        println!("SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("dir");
    for entry in std::fs::read_dir(from).expect("reads") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().expect("type").is_file() {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// A street with two workers of one grid who have written and met, and the directories once all is closed.
async fn street(root: &Path) -> (Relay, PathBuf) {
    let relay = Relay::start(&root.join("relay")).await;
    let at = root.join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&root.join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    for order in 0..6 {
        let doc = ana.person(&grid(0), &number(order), &[("name", "张三"), ("phone", "13800000001")]);
        ana.sync().await;
        ben.sync().await;
        ben.set(&grid(0), doc, &[("employer", &format!("某厂{order}"))]);
        ben.sync().await;
    }
    ana.decided(&grid(0)).await;
    ben.decided(&grid(0)).await;
    ana.sync().await;
    for worker in [&ana, &ben] {
        let checkup = worker.replica.examine().expect("examines");
        assert!(checkup.is_healthy(), "{:?}", checkup.findings);
        assert!(checkup.transactions > 6 && checkup.signatures > 6 && checkup.documents > 6);
    }
    assert_equal(&relay, &[&ana, &ben]);
    (relay, at)
}

/// Flips one bit of the value that lies under `key`, as it lies there.
fn damage(dir: &Path, key: &[u8], at: usize) {
    let store = Store::open(dir, Options::default()).expect("opens");
    let mut value = store.get(key).expect("reads").expect("there");
    let len = value.len();
    value[at % len] ^= 1 << (at % 8);
    let mut batch = Batch::new();
    batch.put(key, value);
    store.commit(batch).expect("writes");
    store.close();
}

fn keys(dir: &Path) -> Vec<Vec<u8>> {
    let store = Store::open(dir, Options::default()).expect("opens");
    let keys = store.scan(&[]).map(|entry| entry.expect("reads")).filter(|(_, value)| !value.is_empty());
    let keys = keys.map(|(key, _)| key).collect();
    store.close();
    keys
}

/// Every kind of record of a phone, one bit flipped at a time: it is mended here, or the next session brings
/// it back, or the examination says that it is lost, or the replica says that it cannot open.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_record_is_healed_or_named() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, ana) = street(dir.path()).await;
    let mut dice = Dice::seeded();
    let pristine = dir.path().join("pristine");
    // Whoever had it open is gone.
    drop(Worker::open(&ana));
    copy(&ana, &pristine);
    let mut by_tag: std::collections::BTreeMap<u8, Vec<Vec<u8>>> = std::collections::BTreeMap::new();
    for key in keys(&pristine) {
        by_tag.entry(key[0]).or_default().push(key);
    }
    let mut healed = 0;
    for (tag, keys) in by_tag {
        let picked: Vec<_> = (0..3.min(keys.len())).map(|_| keys[dice.below(keys.len())].clone()).collect();
        for (round, key) in picked.into_iter().enumerate() {
            let at = dir.path().join(format!("{tag}-{round}"));
            copy(&pristine, &at);
            damage(&at, &key, dice.below(1 << 20));
            let name = key.escape_ascii().to_string();
            let replica = match Replica::open(&at, Options::default()) {
                Ok(replica) => replica,
                Err(error) => {
                    println!("{name}: cannot open: {error}");
                    assert!(wangge_node::command::doctor::is_damage(&error), "{name}: {error:?}");
                    continue;
                }
            };
            let worker = Worker { replica: std::sync::Arc::new(replica) };
            let found = worker.replica.mend().expect("mends");
            assert!(!found.is_healthy(), "{name}: a flipped bit passed unseen");
            if found.findings.iter().any(|found| found.outcome == Outcome::Lost) {
                println!("{name}: named: {:?}", found.findings);
                continue;
            }
            worker.sync().await;
            let again = worker.replica.mend().expect("mends");
            if !again.is_healthy() {
                worker.sync().await;
            }
            let last = worker.replica.examine().expect("examines");
            assert!(last.is_healthy(), "{name}: {:?} then {:?}", found.findings, last.findings);
            assert_equal(&relay, &[&worker]);
            healed += 1;
            println!("{name}: healed: {:?}", found.findings[0].outcome);
        }
    }
    assert!(healed >= 6, "only {healed} healed");
}

/// What cannot be brought back is named, and what else is there stays.
#[tokio::test(flavor = "multi_thread")]
async fn unsent_work_that_is_damaged_is_named_as_lost() {
    let dir = tempfile::tempdir().expect("dir");
    let (_relay, at) = street(dir.path()).await;
    let ana = Worker::open(&at);
    let doc = ana.person(&grid(0), &number(20), &[("name", "李四")]);
    let (log, len) = (ana.log(&grid(0)), ana.replica.clocks()[&grid(0)].0.len_of(&ana.log(&grid(0))));
    drop(ana);
    drop(Worker::open(&at));
    let ends = [&log.0[..], &len.to_be_bytes()].concat();
    let key = keys(&at).into_iter().find(|key| key[0] == b'L' && key.ends_with(&ends)).expect("stored");
    damage(&at, &key, 77);
    let ana = Worker::open(&at);
    let found: Checkup = ana.replica.mend().expect("mends");
    let lost = found.findings.iter().find(|found| found.outcome == Outcome::Lost).expect("named");
    assert_eq!((lost.what, lost.log, lost.seq), (Trouble::Transaction, Some(log), Some(len)));
    assert_eq!(ana.view(&grid(0), doc).expect("still shown").text("name"), "李四");
}

/// A bit flipped anywhere in any file of a phone's or the relay's directory: it opens or says why not; what
/// opens is examined without a panic, and either all is as it was or something is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_file_is_seen_or_harmless() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, ana) = street(dir.path()).await;
    let mut dice = Dice::seeded();
    let worker = Worker::open(&ana);
    let digests = worker.digests();
    drop(worker);
    drop(Worker::open(&ana));
    let of_relay = relay.digests();
    let (at, _) = relay.stop().await;
    for (pristine, digests) in [(&ana, digests), (&at, of_relay)] {
        let mut files = Vec::new();
        list(pristine, Path::new(""), &mut files);
        assert!(files.len() >= 4, "{files:?}");
        for file in files {
            let len = std::fs::metadata(pristine.join(&file)).expect("there").len() as usize;
            for round in 0..if len == 0 { 0 } else { 6 } {
                let copied = tempfile::tempdir().expect("dir");
                copy(pristine, copied.path());
                let mut bytes = std::fs::read(copied.path().join(&file)).expect("reads");
                // Half of the flips where something was written: journals and snapshots begin there.
                let at = if round % 2 == 0 { dice.below(len) } else { dice.below(len.min(16 * 1024)) };
                bytes[at] ^= 1 << dice.below(8);
                std::fs::write(copied.path().join(&file), bytes).expect("writes");
                let name = format!("{} byte {at} of {len}", file.display());
                let replica = match Replica::open(copied.path(), Options::default()) {
                    Ok(replica) => replica,
                    Err(error) => {
                        println!("{name}: cannot open: {error}");
                        continue;
                    }
                };
                let found = replica.examine().expect("examines");
                let same = replica
                    .digests()
                    .is_ok_and(|found| found.iter().map(ToString::to_string).eq(digests.iter().cloned()));
                println!("{name}: {} findings, same: {same}", found.findings.len());
                assert!(same || !found.is_healthy(), "{name}: silent corruption");
            }
        }
    }
}

fn list(root: &Path, below: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(root.join(below)).expect("reads") {
        let entry = entry.expect("entry");
        let at = below.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            list(root, &at, files);
        } else if entry.file_type().expect("type").is_file() {
            files.push(at);
        }
    }
}
