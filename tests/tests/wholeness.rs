//! What replicas really hold is compared: a difference that the clocks do not show is found, and healed without
//! anybody asking.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use wangge_model::identity::{DocId, Role, Scope};
use wangge_node::net::{RunOptions, run};
use wangge_node::replica::Replica;
use wangge_store::{Batch, Options, Store};
use wangge_tests::process::{Programs, text};
use wangge_tests::street::{Relay, Worker, grid, number, until_equal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_under-test");

/// Where a document lies in the store.
fn place(replica: &Replica, scope: &Scope, doc: DocId) -> Vec<u8> {
    let prefix = format!("D{scope}\0");
    let mut places = replica.store().scan_keys(prefix.as_bytes()).map(|key| key.expect("reads"));
    places.find(|key| key.ends_with(&doc.0)).expect("stored")
}

/// A street with one worker and sixty residents, all decided.
async fn street(root: &Path) -> (Relay, Worker, Vec<DocId>) {
    let relay = Relay::start(&root.join("relay")).await;
    let ana = Worker::join(&root.join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let people = (0..60).map(|order| ana.person(&grid(0), &number(order), &[("name", "张三")])).collect();
    ana.decided(&grid(0)).await;
    until_equal(&relay, &[&ana]).await;
    (relay, ana, people)
}

/// Puts a document back to what it was before a change, behind the back of everything: its log says that the
/// change took effect. Returns what it was.
async fn set_back(worker: &Worker, doc: DocId) {
    let place = place(&worker.replica, &grid(0), doc);
    let before = worker.replica.store().get(&place).expect("reads").expect("there");
    worker.set(&grid(0), doc, &[("phone", "13800000001")]);
    worker.decided(&grid(0)).await;
    worker.settle();
    let mut batch = Batch::new();
    batch.put(place, before);
    worker.replica.store().commit(batch).expect("writes");
}

async fn compare(worker: &Worker) -> Vec<DocId> {
    worker.replica.compare_soon();
    worker.sync().await;
    assert!(!worker.replica.is_compare_asked(), "nothing was compared");
    worker.replica.apart().into_values().flatten().collect()
}

/// A phone's document is not what its log says: the comparison names it, and it is made anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_difference_that_clocks_do_not_show_is_found_and_made_good() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, ana, people) = street(dir.path()).await;
    let bytes = |report: &wangge_node::net::SyncReport| report.bytes_sent + report.bytes_received;
    let plain = ana.sync().await;
    ana.replica.compare_soon();
    let compared = ana.sync().await;
    assert!(ana.replica.apart().is_empty() && !ana.replica.is_compare_asked());
    println!("in sync: {} bytes, with a comparison of two scopes {} bytes", bytes(&plain), bytes(&compared));
    assert!(bytes(&compared) < bytes(&plain) + 1_000, "a comparison that finds nothing costs little");
    set_back(&ana, people[17]).await;
    let digests = ana.digests();
    assert!(!relay.digests().iter().any(|line| *line == digests[0]), "nothing differs");
    assert_eq!(compare(&ana).await, vec![people[17]]);
    let found = ana.replica.mend().expect("mends");
    assert!(found.findings.iter().any(|found| found.document == Some(people[17])), "{found:?}");
    until_equal(&relay, &[&ana]).await;
    assert_eq!(compare(&ana).await, vec![]);
    assert!(ana.replica.examine().expect("examines").is_healthy());
}

/// The same at the centre: a phone's comparison tells it, and it mends itself in the background.
#[tokio::test(flavor = "multi_thread")]
async fn the_centre_mends_what_a_phone_finds_different_there() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, ana, people) = street(dir.path()).await;
    let (at, addr) = relay.stop().await;
    let centre = Replica::open(&at, Options::default()).expect("opens");
    let place_of = place(&centre, &grid(0), people[3]);
    let before = centre.store().get(&place_of).expect("reads").expect("there");
    centre.close();
    let relay = Relay::serve(&at, addr).await;
    ana.set(&grid(0), people[3], &[("phone", "13800000002")]);
    ana.decided(&grid(0)).await;
    until_equal(&relay, &[&ana]).await;
    let (at, addr) = relay.stop().await;
    let centre = Replica::open(&at, Options::default()).expect("opens");
    let mut batch = Batch::new();
    batch.put(place_of, before);
    centre.store().commit(batch).expect("writes");
    centre.close();
    let relay = Relay::serve(&at, addr).await;
    assert_eq!(compare(&ana).await, vec![people[3]]);
    until_equal(&relay, &[&ana]).await;
    // It is told once all is mended.
    let audit = || relay.ask(&serde_json::json!({ "Audit": 0 })).to_string();
    for _ in 0..200 {
        if audit().contains("damage was found") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let said = audit();
    assert!(said.contains("damage was found"), "{said}");
}

/// A daemon finds damage on its disk by itself, fetches what it lacks, and all is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_heals_its_disk_in_the_background() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, ana, people) = street(dir.path()).await;
    let at = ana.replica.dir().to_owned();
    let document = place(&ana.replica, &grid(0), people[5]);
    let prefix = [&b"L"[..], grid(0).to_string().as_bytes(), &[0]].concat();
    let record = ana.replica.store().scan_keys(&prefix).nth(20).expect("many").expect("reads");
    drop(ana);
    drop(Worker::open(&at));
    let store = Store::open(&at, Options::default()).expect("opens");
    let mut batch = Batch::new();
    for key in [document, record] {
        let mut value = store.get(&key).expect("reads").expect("there");
        let middle = value.len() / 2;
        value[middle] ^= 4;
        batch.put(key, value);
    }
    store.commit(batch).expect("writes");
    store.close();

    let (stop, stopped) = oneshot::channel::<()>();
    let (opened, open) = oneshot::channel::<Arc<Replica>>();
    let options = RunOptions { examine_every: Some(Duration::from_millis(200)), ..RunOptions::default() };
    let daemon = tokio::spawn(async move {
        let stop = async { drop(stopped.await) };
        run(&at, Options::default(), options, stop, async |replica, mut stopped| {
            let _ = opened.send(replica);
            let _ = stopped.wait_for(|stop| *stop).await;
            Ok(())
        })
        .await
    });
    let worker = Worker { replica: open.await.expect("opens") };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let left = worker.replica.examine().expect("examines");
        let equal = || {
            let all = relay.digests();
            let here = worker.replica.digests().unwrap_or_default();
            !here.is_empty() && here.iter().all(|line| all.contains(&line.to_string()))
        };
        if left.is_healthy() && equal() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{:?}", left.findings);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(worker.view(&grid(0), people[5]).expect("there").text("name"), "张三");
    drop(worker);
    let _ = stop.send(());
    daemon.await.expect("ends").expect("ran");
}

/// On the command line: what was compared, what was made good, and the exit code.
#[tokio::test(flavor = "multi_thread")]
async fn sync_verify_says_what_it_compared() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, ana, people) = street(dir.path()).await;
    let at = ana.replica.dir().to_owned();
    let programs = Programs(PROGRAM.into());
    let verify =
        || tokio::task::block_in_place(|| programs.json("wangge", ["sync", "--verify", "--dir", text(&at)]));
    set_back(&ana, people[40]).await;
    drop(ana);
    drop(Worker::open(&at));
    let said = verify();
    assert_eq!(said["verified"], serde_json::json!({ "compared": true, "found": 1, "left": [] }), "{said}");
    let said = verify();
    assert_eq!(said["verified"], serde_json::json!({ "compared": true, "found": 0, "left": [] }), "{said}");
    // Without being asked, nothing is compared, or said of it.
    let said = tokio::task::block_in_place(|| programs.json("wangge", ["sync", "--dir", text(&at)]));
    assert_eq!(said["verified"], serde_json::Value::Null);
    drop(relay);
}
