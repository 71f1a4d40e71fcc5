//! Damage on the disk is found and healed, or named: never silent, never a panic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use wangge_model::identity::Role;
use wangge_model::schema::Kind;
use wangge_model::sealed::Report;
use wangge_node::net::{SyncOptions, sync};
use wangge_node::replica::{Checkup, Outcome, Replica, Trouble};
use wangge_store::{Batch, Options, Store};
use wangge_tests::process::{Programs, text};
use wangge_tests::street::{Relay, Worker, copy, grid, number, until_equal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_under-test");

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

/// A street whose workers have written and met, all closed, ready to be copied.
struct Street {
    relay: Relay,
    /// Wrote and read from the beginning.
    ana: PathBuf,
    /// Likewise.
    ben: PathBuf,
    /// Came late and began with pages.
    cat: PathBuf,
}

async fn street(root: &Path) -> Street {
    let relay = Relay::start(&root.join("relay")).await;
    let at = |name: &str| root.join(name);
    let ana = Worker::join(&at("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&at("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    for order in 0..6 {
        let doc = ana.person(&grid(0), &number(order), &[("name", "张三"), ("phone", "13800000001")]);
        ana.sync().await;
        ben.sync().await;
        ben.set(&grid(0), doc, &[("employer", &format!("某厂{order}"))]);
        ben.sync().await;
    }
    for order in 100..140 {
        ana.person(&grid(0), &number(order), &[("name", "王五")]);
    }
    ana.decided(&grid(0)).await;
    ben.decided(&grid(0)).await;
    let cat = Worker::join(&at("cat"), &relay.invite("凯", Role::GridWorker, &grid(0))).await;
    cat.sync().await;
    cat.person(&grid(0), &number(200), &[("name", "赵六")]);
    cat.decided(&grid(0)).await;
    until_equal(&relay, &[&ana, &ben, &cat]).await;
    for worker in [&ana, &ben, &cat] {
        let checkup = worker.replica.examine().expect("examines");
        assert!(checkup.is_healthy(), "{:?}", checkup.findings);
        assert!(checkup.transactions > 0 && checkup.signatures > 0 && checkup.documents > 40);
    }
    assert!(tags(&at("cat"), cat).contains_key(&b'y'), "it did not begin with pages");
    drop((ana, ben));
    for name in ["ana", "ben", "cat"] {
        // Whoever had it open is gone.
        drop(Worker::open(&at(name)));
    }
    Street { relay, ana: at("ana"), ben: at("ben"), cat: at("cat") }
}

/// The keys of a store by their first byte, once `open` has let go of it.
fn tags(dir: &Path, open: Worker) -> BTreeMap<u8, Vec<Vec<u8>>> {
    let dir = dir.to_owned();
    drop(open);
    drop(Worker::open(&dir));
    let mut tags: BTreeMap<u8, Vec<Vec<u8>>> = BTreeMap::new();
    for key in keys(&dir) {
        tags.entry(key[0]).or_default().push(key);
    }
    tags
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

/// How many keys of each kind are damaged, one after the other.
const PER_TAG: usize = 3;

/// Every kind of record of a phone, one bit flipped at a time: it opens all the same, and the damage is mended
/// here, or the next session brings it back, or it is named as lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_record_is_healed_or_named() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let mut dice = Dice::seeded();
    let (mut healed, mut tried, mut named) = (0, 0, Vec::new());
    for pristine in [&street.ana, &street.cat] {
        let tags = tags(pristine, Worker::open(pristine));
        println!("{:?}", tags.iter().map(|(tag, keys)| (char::from(*tag), keys.len())).collect::<Vec<_>>());
        for (tag, keys) in tags {
            // Of few, each.
            let all = keys.len() <= PER_TAG;
            for round in 0..PER_TAG.min(keys.len()) {
                let key = if all { &keys[round] } else { &keys[dice.below(keys.len())] };
                let copied = tempfile::tempdir().expect("dir");
                copy(pristine, copied.path());
                damage(copied.path(), key, dice.below(1 << 20));
                let name = key.escape_ascii().to_string();
                tried += 1;
                let replica = match Replica::open(copied.path(), Options::default()) {
                    Ok(replica) => replica,
                    Err(error) => panic!("{name}: cannot open: {error}"),
                };
                let worker = Worker { replica: std::sync::Arc::new(replica) };
                let mut found = worker.replica.mend().expect("mends");
                found.findings.extend(worker.replica.take_salvaged());
                assert!(!found.is_healthy(), "{name}: a flipped bit passed unseen");
                if found.findings.iter().any(|found| found.outcome == Outcome::Lost) {
                    println!("{name}: named: {:?}", found.findings);
                    named.push(char::from(tag));
                    continue;
                }
                let mut last = worker.replica.examine().expect("examines");
                for _ in 0..4 {
                    worker.sync().await;
                    last = worker.replica.mend().expect("mends");
                    if last.is_healthy() {
                        break;
                    }
                }
                assert!(last.is_healthy(), "{name}: {:?} then {:?}", found.findings, last.findings);
                until_equal(&street.relay, &[&worker]).await;
                healed += 1;
                println!("{name}: healed: {:?}", found.findings[0].outcome);
            }
        }
    }
    println!("{tried} tried, {healed} healed, named {named:?}");
    assert_eq!(healed + named.len(), tried);
    assert!(named.is_empty(), "what a phone has sent comes back: {named:?}");
}

/// The same at the centre: what it cannot make anew, its phones bring back, or it is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_record_of_the_relay_is_healed_or_named() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let mut dice = Dice::seeded();
    let before = street.relay.digests();
    let (pristine, _) = street.relay.stop().await;
    let (mut healed, mut named) = (0, Vec::new());
    for (tag, keys) in tags(&pristine, Worker::open(&pristine)) {
        for _ in 0..2.min(keys.len()) {
            let key = &keys[dice.below(keys.len())];
            let copied = tempfile::tempdir().expect("dir");
            let at = |name: &str| copied.path().join(name);
            copy(&pristine, &at("relay"));
            damage(&at("relay"), key, dice.below(1 << 20));
            let name = key.escape_ascii().to_string();
            let replica = Replica::open(&at("relay"), Options::default());
            let replica = replica.unwrap_or_else(|error| panic!("{name}: cannot open: {error}"));
            let mut found = replica.mend().expect("mends");
            found.findings.extend(replica.take_salvaged());
            assert!(!found.is_healthy(), "{name}: a flipped bit passed unseen");
            replica.close();
            if found.findings.iter().any(|found| found.outcome == Outcome::Lost) {
                println!("{name}: named: {:?}", found.findings);
                named.push(char::from(tag));
                continue;
            }
            let relay = Relay::serve(&at("relay"), ([127, 0, 0, 1], 0).into()).await;
            let mut workers = Vec::new();
            for (name, from) in [("ana", &street.ana), ("ben", &street.ben), ("cat", &street.cat)] {
                copy(from, &at(name));
                workers.push(Worker::open(&at(name)));
            }
            let mut last = Value::Null;
            for _ in 0..4 {
                for worker in &workers {
                    let timeout = Some(std::time::Duration::from_secs(30));
                    let to = Some(relay.addr.to_string());
                    let options = SyncOptions { timeout, relay: to, ..SyncOptions::default() };
                    // While it lacks part of its roster it takes in only, and says so.
                    if let Err(refused) = sync(&worker.replica, options).await {
                        println!("{name}: {refused}");
                    }
                }
                last = relay.ask(&serde_json::json!({ "Doctor": true }))["json"].clone();
                if last["healthy"] == true {
                    break;
                }
            }
            assert_eq!(last["healthy"], true, "{name}: {:?} then {last}", found.findings);
            let after = relay.digests();
            let lacks: Vec<_> =
                before.iter().filter(|line| !line.starts_with("street ") && !after.contains(line)).collect();
            assert!(lacks.is_empty(), "{name}: {lacks:?} not in {after:?}");
            healed += 1;
            println!("{name}: healed: {:?}", found.findings);
            drop(workers);
            relay.stop().await;
        }
    }
    println!("{healed} healed, named {named:?}");
    // The audit, sealed cells and what the centre alone keeps exist nowhere else.
    assert!(named.iter().all(|tag| "URZzo".contains(*tag)), "{named:?}");
}

/// Damages a transaction, and its second copy.
fn damage_both(dir: &Path, ends: &[u8]) {
    for tag in *b"Ls" {
        let key =
            keys(dir).into_iter().find(|key| key[0] == tag && key.ends_with(ends)).expect("stored twice");
        damage(dir, &key, 77);
    }
}

/// A transaction that only this phone has is damaged, or the key of the resident it is about: its second copy takes its
/// place, and all that was written on top of it stays as it is. Once the centre has it there is no second copy.
#[tokio::test(flavor = "multi_thread")]
async fn unsent_work_is_healed_from_its_second_copy() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    for (at, order) in [(&street.ana, 300), (&street.cat, 310)] {
        let ana = Worker::open(at);
        let doc = ana.person(&grid(0), &number(order), &[("name", "李四"), ("phone", "13800000007")]);
        let damaged = ana.replica.clocks()[&grid(0)].0.len_of(&ana.log(&grid(0)));
        ana.set(&grid(0), doc, &[("note", "后来写的")]);
        let log = ana.log(&grid(0));
        let stored = tags(at, ana);
        assert_eq!(stored[&b's'].len(), 2, "what is not at the centre is there twice");
        let ends = [&log.0[..], &damaged.to_be_bytes()].concat();
        let record = stored[&b'L'].iter().find(|key| key.ends_with(&ends)).expect("stored").clone();
        for key in [record, stored[&b's'][0].clone(), [b"k".as_slice(), &doc.0].concat()] {
            damage(at, &key, 77);
            let ana = Worker::open(at);
            let found: Checkup = ana.replica.mend().expect("mends");
            assert!(!found.is_healthy());
            let healed = |outcome| matches!(outcome, Outcome::Repaired);
            assert!(found.findings.iter().all(|found| healed(found.outcome)), "{:?}", found.findings);
            let checkup = ana.replica.examine().expect("examines");
            assert!(checkup.is_healthy(), "{:?}", checkup.findings);
            assert_eq!(ana.log(&grid(0)), log, "no new epoch begins");
            assert_eq!(ana.view(&grid(0), doc).expect("still shown").text("note"), "后来写的");
            drop(ana);
            drop(Worker::open(at));
        }
        let ana = Worker::open(at);
        until_equal(&street.relay, &[&ana]).await;
        assert_eq!(ana.replica.unsent().expect("counts"), 0);
        assert!(!tags(at, ana).contains_key(&b's'), "the centre has it");
    }
}

/// Work that nobody else has, both copies of its transaction damaged: the chain cannot go on, but the documents know
/// what was written, and it goes to the centre after all.
#[tokio::test(flavor = "multi_thread")]
async fn unsent_work_whose_transaction_is_damaged_is_written_once_more() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    for (at, order) in [(&street.ana, 300), (&street.cat, 310)] {
        let ana = Worker::open(at);
        let first = ana.person(&grid(0), &number(order), &[("name", "李四"), ("phone", "13800000007")]);
        let damaged = ana.replica.clocks()[&grid(0)].0.len_of(&ana.log(&grid(0)));
        let second = ana.person(&grid(0), &number(order + 1), &[("name", "赵六")]);
        ana.set(&grid(0), first, &[("note", "后来写的"), ("phone", "13800000008")]);
        let log = ana.log(&grid(0));
        drop(ana);
        drop(Worker::open(at));
        let ends = [&log.0[..], &damaged.to_be_bytes()].concat();
        damage_both(at, &ends);
        let ana = Worker::open(at);
        let found: Checkup = ana.replica.mend().expect("mends");
        let named = found.findings.iter().find(|f| f.what == Trouble::Transaction).expect("named");
        assert_eq!((named.outcome, named.seq), (Outcome::Repaired, Some(damaged)), "{found:?}");
        assert!(ana.replica.examine().expect("examines").is_healthy());
        assert_eq!(ana.view(&grid(0), first).expect("still shown").text("phone"), "13800000008");
        until_equal(&street.relay, &[&ana]).await;
        assert_eq!(ana.replica.unsent().expect("counts"), 0);
        drop(ana);
        drop(Worker::open(at));
        // Whoever reads it elsewhere sees what was written here.
        let ben = Worker::open(&street.ben);
        until_equal(&street.relay, &[&ben]).await;
        let view = ben.view(&grid(0), first).expect("arrived");
        assert_eq!((view.text("name"), view.text("note")), ("李四".into(), "后来写的".into()));
        assert_eq!(view.text("phone"), "13800000008");
        assert_eq!(ben.view(&grid(0), second).expect("arrived").text("name"), "赵六");
        drop(ben);
        drop(Worker::open(&street.ben));
    }
}

/// What a worker wrote beside another's value and nobody else has, its transaction damaged: written once more it
/// stands beside the other's as before, overwrites nothing, and says when it was written.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_stays_one_when_a_side_of_it_is_written_once_more() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let (ana, ben) = (Worker::open(&street.ana), Worker::open(&street.ben));
    let doc = ana.replica.natural_id(&grid(0), Kind::PERSON, &number(0)).expect("named").0;
    ben.set(&grid(0), doc, &[("phone", "13800000002"), ("note", "本写的")]);
    ben.sync().await;
    ana.set(&grid(0), doc, &[("phone", "13800000003")]);
    let damaged = ana.replica.clocks()[&grid(0)].0.len_of(&ana.log(&grid(0)));
    let second = ana.person(&grid(0), &number(330), &[("name", "赵六")]);
    let wall_ms = |worker: &Worker| {
        let view = worker.view(&grid(0), doc).expect("there");
        let claims = view.fields["phone"].claims().map(|claim| (claim.value.to_text(), claim.wall_ms));
        claims.collect::<BTreeMap<_, _>>()["13800000003"]
    };
    let (log, then_ms) = (ana.log(&grid(0)), wall_ms(&ana));
    drop(ana);
    drop(Worker::open(&street.ana));
    let ends = [&log.0[..], &damaged.to_be_bytes()].concat();
    damage_both(&street.ana, &ends);
    let ana = Worker::open(&street.ana);
    // It gives nothing from the damage on, and hears what Ben wrote.
    let options = SyncOptions { timeout: Some(std::time::Duration::from_secs(3)), ..SyncOptions::default() };
    let _unequal = sync(&ana.replica, options).await;
    assert_eq!(ana.view(&grid(0), doc).expect("there").texts("phone").len(), 2, "Ben's value has come");
    ana.replica.mend().expect("mends");
    until_equal(&street.relay, &[&ana, &ben]).await;
    for worker in [&ana, &ben] {
        let view = worker.view(&grid(0), doc).expect("there");
        let mut phones = view.texts("phone");
        phones.sort();
        assert_eq!(phones, ["13800000002", "13800000003"]);
        assert_eq!(view.texts("note"), ["本写的"]);
        assert_eq!(wall_ms(worker), then_ms);
        assert_eq!(worker.view(&grid(0), second).expect("arrived").text("name"), "赵六");
    }
}

/// The key of a resident does not open, and with it nothing that was written about him: what somebody writes about him
/// meanwhile waits until all that is back. It ends nobody's log, and what this phone writes counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_a_document_on_its_way_back_waits_for_it() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let ana = Worker::open(&street.ana);
    let doc = ana.replica.natural_id(&grid(0), Kind::PERSON, &number(0)).expect("named").0;
    damage(&street.ben, &[b"k".as_slice(), &doc.0].concat(), 77);
    let ben = Worker::open(&street.ben);
    let found = ben.replica.mend().expect("mends");
    assert!(found.findings.iter().any(|found| found.outcome == Outcome::Asked), "{found:?}");
    ana.set(&grid(0), doc, &[("note", "之后写的")]);
    ana.sync().await;
    ben.sync().await;
    ben.person(&grid(0), &number(350), &[("name", "照常")]);
    let log = ben.log(&grid(0));
    for _ in 0..3 {
        ben.sync().await;
        if ben.replica.mend().expect("mends").is_healthy() {
            break;
        }
    }
    ben.decided(&grid(0)).await;
    let held = ben.replica.clocks()[&grid(0)].0.len_of(&log);
    assert!(held > 0 && (1..=held).all(|seq| ben.replica.void_reason(&grid(0), &log, seq).is_none()));
    let checkup = ben.replica.examine().expect("examines");
    assert!(checkup.is_healthy(), "{:?}", checkup.findings);
    until_equal(&street.relay, &[&ana, &ben]).await;
    assert_eq!(ben.view(&grid(0), doc).expect("back").text("note"), "之后写的");
}

/// A sealed cell that does not open and that nobody else has is named, and what was sealed after it goes to the
/// centre all the same, as does everything else.
#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_cell_that_does_not_open_holds_nothing_up() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let ana = Worker::open(&street.ana);
    for text in ["第一件", "第二件"] {
        let (about, text) = ("作风".to_owned(), text.to_owned());
        let report = Report { worker: None, at_ms: ana.replica.now_ms(), about, whom: None, text };
        ana.replica.report_sealed(report).expect("sealed");
    }
    let doc = ana.person(&grid(0), &number(340), &[("name", "钱七")]);
    let cells = tags(&street.ana, ana).remove(&b'Z').expect("cells");
    damage(&street.ana, &cells[cells.len() - 2], 40);
    let ana = Worker::open(&street.ana);
    let found: Checkup = ana.replica.mend().expect("mends");
    assert!(found.findings.iter().any(|found| found.outcome == Outcome::Lost), "{found:?}");
    until_equal(&street.relay, &[&ana]).await;
    assert!(ana.replica.examine().expect("examines").is_healthy());
    let listed = street.relay.ask(&serde_json::json!("Reports"));
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let shown = street.relay.ask(&serde_json::json!({ "Report": listed[0]["number"] }));
    assert_eq!(shown["text"], "第二件");
    assert!(ana.view(&grid(0), doc).is_some());
}

/// A transaction of its own that it had sent is damaged, and so is the end of its log: it writes on before it meets
/// anybody, and all of it counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_own_log_was_cut_back_writes_on_at_once() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let worker = Worker::open(&street.ben);
    let log = worker.log(&grid(0));
    drop(worker);
    let pristine = dir.path().join("pristine");
    drop(Worker::open(&street.ben));
    copy(&street.ben, &pristine);
    let place = |tag: u8, ends: &[u8]| {
        let key = keys(&pristine).into_iter().find(|key| key[0] == tag && key.ends_with(ends));
        key.expect("stored")
    };
    let record = place(b'L', &[&log.0[..], &3_u64.to_be_bytes()].concat());
    let end = place(b'T', &log.0);
    for (round, damaged) in [vec![&record], vec![&end], vec![&end, &record]].into_iter().enumerate() {
        let at = dir.path().join(format!("ben{round}"));
        copy(&pristine, &at);
        for key in damaged {
            damage(&at, key, 40);
        }
        let ben = Worker::open(&at);
        ben.replica.mend().expect("mends");
        let order = 400 + u32::try_from(round).expect("few");
        let doc = ben.person(&grid(0), &number(order), &[("name", "不耽误")]);
        ben.decided(&grid(0)).await;
        for _ in 0..3 {
            if ben.replica.mend().expect("mends").is_healthy() {
                break;
            }
            ben.sync().await;
        }
        let checkup = ben.replica.examine().expect("examines");
        assert!(checkup.is_healthy(), "{round}: {:?}", checkup.findings);
        until_equal(&street.relay, &[&ben]).await;
        let epoch = ben.log(&grid(0));
        assert_eq!(ben.replica.void_reason(&grid(0), &epoch, 1), None, "{round}");
        assert_eq!(ben.view(&grid(0), doc).expect("there").text("name"), "不耽误");
    }
}

/// A phone that began with pages, and neither they nor how far its logs had taken effect can be read: the centre
/// gives the pages once more, and what the phone writes meanwhile counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_of_what_is_here_comes_in_pages_once_more() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let stored = keys(&street.cat);
    let of_grid = format!("{}\0", grid(0));
    let of = |tag: char| {
        let begins = format!("{tag}{of_grid}");
        stored.iter().filter(|key| key.starts_with(begins.as_bytes())).cloned().collect::<Vec<_>>()
    };
    let documents = of('D');
    // At opening, and with documents, while the pages that they came from are gone too.
    for (round, damaged) in
        [[of('A'), of('Y'), of('G')].concat(), [of('y'), documents[..7].to_vec()].concat()]
            .into_iter()
            .enumerate()
    {
        let at = dir.path().join(format!("cat{round}"));
        copy(&street.cat, &at);
        for key in &damaged {
            damage(&at, key, 60);
        }
        let cat = Worker::open(&at);
        let mut found = cat.replica.mend().expect("mends");
        found.findings.extend(cat.replica.take_salvaged());
        assert!(found.findings.iter().all(|found| found.outcome != Outcome::Lost), "{:?}", found.findings);
        assert!(found.findings.iter().any(|found| found.outcome == Outcome::Asked), "{:?}", found.findings);
        let order = 500 + u32::try_from(round).expect("few");
        let doc = cat.person(&grid(0), &number(order), &[("name", "照写不误")]);
        cat.decided(&grid(0)).await;
        for _ in 0..3 {
            if cat.replica.mend().expect("mends").is_healthy() {
                break;
            }
            cat.sync().await;
        }
        let checkup = cat.replica.examine().expect("examines");
        assert!(checkup.is_healthy(), "{round}: {:?}", checkup.findings);
        until_equal(&street.relay, &[&cat]).await;
        assert_eq!(cat.replica.void_reason(&grid(0), &cat.log(&grid(0)), 1), None, "{round}");
        assert_eq!(cat.view(&grid(0), doc).expect("there").text("name"), "照写不误");
    }
}

/// What the two command lines say and how they exit: 0 for a sound store, 1 for a damaged one, mended or not, and
/// for one that does not open; JSON says which.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_names_damage_and_exits_by_it() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let programs = Programs(PROGRAM.into());
    let doctor = |program: &str, dir: &Path, repair: bool| {
        let mut args = vec!["doctor", "--dir", text(dir), "--json"];
        args.extend(repair.then_some("--repair"));
        let output = tokio::task::block_in_place(|| programs.output(program, args));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{stderr}");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
        (output.status.code(), json)
    };
    let outcomes = |json: &Value, outcome: &str| {
        json["findings"].as_array().expect("a list").iter().filter(|f| f["outcome"] == outcome).count()
    };
    // Sound.
    let (code, json) = doctor("wangge", &street.ana, false);
    assert_eq!((code, &json["healthy"], &json["opens"]), (Some(0), &true.into(), &true.into()), "{json}");
    // A transaction of somebody else is damaged: named, then asked for, then there.
    let ben = Worker::open(&street.ben);
    let log = ben.log(&grid(0));
    drop(ben);
    let key = keys(&street.ana)
        .into_iter()
        .find(|key| key[0] == b'L' && key.ends_with(&[&log.0[..], &3_u64.to_be_bytes()].concat()))
        .expect("stored");
    damage(&street.ana, &key, 300);
    let (code, json) = doctor("wangge", &street.ana, false);
    assert_eq!((code, &json["healthy"]), (Some(1), &false.into()), "{json}");
    assert_eq!(json["findings"][0]["what"], "transaction", "{json}");
    assert_eq!((&json["findings"][0]["seq"], &json["findings"][0]["outcome"]), (&3.into(), &"found".into()));
    let (code, json) = doctor("wangge", &street.ana, true);
    assert_eq!(code, Some(1), "{json}");
    assert!(json["asked"].as_u64() > Some(0) && json["lost"] == 0, "{json}");
    // What was cut off with it waits, and that is said until it is back.
    let (code, json) = doctor("wangge", &street.ana, false);
    assert_eq!(code, Some(1), "{json}");
    assert!(json["findings"].as_array().is_some_and(|f| f.iter().any(|f| f["what"] == "aside")), "{json}");
    let synced =
        || tokio::task::block_in_place(|| programs.json("wangge", ["sync", "--dir", text(&street.ana)]));
    assert_eq!(synced()["in_sync"], true);
    doctor("wangge", &street.ana, true);
    let (code, json) = doctor("wangge", &street.ana, false);
    assert_eq!(code, Some(0), "{json}");
    // A record that is made anew at opening is told once.
    let key = keys(&street.ana).into_iter().find(|key| key[0] == b'A').expect("stored");
    damage(&street.ana, &key, 9);
    let (code, json) = doctor("wangge", &street.ana, false);
    assert_eq!((code, outcomes(&json, "repaired")), (Some(1), 1), "{json}");
    assert_eq!(doctor("wangge", &street.ana, false).0, Some(0));
    // The relay, serving and not.
    let (code, json) = doctor("wangge-relay", &street.relay.dir.clone(), false);
    assert_eq!((code, &json["healthy"]), (Some(0), &true.into()), "{json}");
    let (at, _) = street.relay.stop().await;
    let key = keys(&at).into_iter().find(|key| key[0] == b'W').expect("stored");
    damage(&at, &key, 5);
    let (code, json) = doctor("wangge-relay", &at, true);
    assert_eq!((code, outcomes(&json, "repaired")), (Some(1), 1), "{json}");
    assert_eq!(doctor("wangge-relay", &at, false).0, Some(0));
    // One that does not open is named as well, and the way back is told.
    for file in ["FORMAT", "store.key"] {
        let broken = dir.path().join(format!("broken-{file}"));
        copy(&street.cat, &broken);
        let mut bytes = std::fs::read(broken.join(file)).expect("reads");
        bytes[5] ^= 0x40;
        std::fs::write(broken.join(file), bytes).expect("writes");
        let (code, json) = doctor("wangge", &broken, true);
        assert_eq!(
            (code, &json["opens"], outcomes(&json, "lost")),
            (Some(1), &false.into(), 1),
            "{file}: {json}"
        );
    }
    // Wrong usage is something else.
    let output = programs.output("wangge", ["doctor", "--dir", text(&street.ana), "--heal"]);
    assert_eq!(output.status.code(), Some(2));
}

/// A bit flipped anywhere in any file of a phone's or the relay's directory: it opens or says why not; what
/// opens is examined without a panic, and either all is as it was or something is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_file_is_seen_or_harmless() {
    let dir = tempfile::tempdir().expect("dir");
    let street = street(dir.path()).await;
    let mut dice = Dice::seeded();
    let worker = Worker::open(&street.ana);
    let digests = worker.digests();
    drop(worker);
    drop(Worker::open(&street.ana));
    let of_relay = street.relay.digests();
    let (at, _) = street.relay.stop().await;
    for (pristine, digests) in [(&street.ana, digests), (&at, of_relay)] {
        let mut files = Vec::new();
        list(pristine, Path::new(""), &mut files);
        assert!(files.len() >= 4, "{files:?}");
        for file in files {
            let len = std::fs::metadata(pristine.join(&file)).expect("there").len() as usize;
            // Of a small file every byte.
            for round in 0..if len < 1_024 { len } else { 8 } {
                let copied = tempfile::tempdir().expect("dir");
                copy(pristine, copied.path());
                let mut bytes = std::fs::read(copied.path().join(&file)).expect("reads");
                // Half of the flips where something was written: journals and snapshots begin there.
                let at = if len < 1_024 {
                    round
                } else if round % 2 == 0 {
                    dice.below(len)
                } else {
                    dice.below(len.min(16 * 1024))
                };
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
