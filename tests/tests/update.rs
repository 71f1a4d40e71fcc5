//! The program is updated: what an earlier version stored is taken up, and nothing of it is lost.

use std::collections::BTreeMap;

use wangge_model::clock::{Clock, Extent, head_tag};
use wangge_model::document::Document;
use wangge_model::identity::{DocId, LogId, Role, Scope};
use wangge_model::log::{EMPTY_HEAD, Run, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Seen, Transaction};
use wangge_node::replica::{Delivery, Replica, STORE_VERSION};
use wangge_store::{Batch, Options};
use wangge_tests::street::{Relay, Worker, copy, grid, number, put, until_equal};

/// Makes of a store what version 2 wrote: of a peer it noted one end for each log. Returns what is noted.
fn as_version_2(replica: &Replica) -> BTreeMap<Vec<u8>, Clock> {
    let store = replica.store();
    let mut batch = Batch::new();
    for key in [&b"mprofile"[..], b"mprofile-copy"] {
        let mut profile = store.get(key).expect("reads").expect("there");
        assert_eq!(u32::from(profile[0]), STORE_VERSION, "the version stands first");
        profile[0] = 2;
        batch.put(key, profile);
    }
    let mut noted = BTreeMap::new();
    for entry in store.scan(b"P") {
        let (key, value) = entry.expect("reads");
        let clock: Clock = postcard::from_bytes(&value).expect("a clock");
        let ends = clock.0.iter().filter_map(|(log, ends)| Some((*log, *ends.0.last()?)));
        let former: BTreeMap<LogId, Extent> = ends.collect();
        batch.put(key.clone(), postcard::to_stdvec(&former).expect("encodes"));
        noted.insert(key, clock);
    }
    store.commit(batch).expect("stores");
    noted
}

/// What a device wrote before the update when it had seen a fork: it names one of the branches as was usual then, by
/// its first transaction, which nobody knows now who holds it otherwise.
fn written_before(author: &Worker, scope: &Scope, forked: LogId, doc: DocId) -> Run {
    let secret = author.replica.secret(scope).expect("held");
    let all = |log: &LogId| -> Vec<Transaction> {
        let runs = author.replica.load_from(scope, log, 1).expect("loads");
        runs.into_iter().flat_map(|run| run.transactions).collect()
    };
    let head = |transactions: &[Transaction]| {
        transactions.iter().fold(EMPTY_HEAD, |head, transaction| next_head(&head, &transaction.hash(&secret)))
    };
    let branches = author.replica.logs().into_iter().filter_map(|log| log.identity.branch);
    let base = branches.filter(|branch| branch.of == forked).map(|branch| branch.base).max();
    let base = base.expect("it forked") as usize;
    let branch = all(&forked);
    let former = LogId::of_branch(&branch[base].hash(&secret));
    let seen = Seen { log: former, len: branch.len() as u64, head: head_tag(&head(&branch)) };
    let log = author.log(scope);
    let mut written = all(&log);
    let before = written.last().cloned().expect("its log has begun");
    let transaction = Transaction {
        seq: before.seq + 1,
        lamport: before.lamport + 1,
        actor_nonce: None,
        opening: None,
        seen: vec![seen],
        changes: vec![Document::new(doc, Kind::PERSON).expect("known").draft(vec![put("name", "李四")])],
        verdicts: Vec::new(),
        ..before
    };
    written.push(transaction.clone());
    let signature = sign_head(&author.replica.signing_key(), &log, transaction.seq, &head(&written));
    Run { log, branch: None, transactions: vec![transaction], signature }
}

/// A whole street is updated, one of its devices a clone of another: what was saved and not sent yet is there and
/// arrives, both branches stay, and whoever joins later is given all of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_version_2_stored_is_taken_up_and_arrives() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = |name: &str| dir.path().join(name);
    let here = grid(0);
    let ana = Worker::join(&at("ana"), &relay.invite("安娜", Role::GridWorker, &here)).await;
    let ben = Worker::join(&at("ben"), &relay.invite("本", Role::GridWorker, &here)).await;
    let doc = ana.person(&here, &number(1), &[("name", "张三")]);
    ana.decided(&here).await;
    let forked = ana.log(&here);
    drop(ana);
    copy(&at("ana"), &at("twin"));
    let (ana, twin) = (Worker::open(&at("ana")), Worker::open(&at("twin")));
    ana.set(&here, doc, &[("phone", "13800000001")]);
    twin.set(&here, doc, &[("employer", "某厂")]);
    for worker in [&ana, &twin, &ben, &ana, &twin, &ben] {
        worker.sync().await;
    }
    ben.set(&here, doc, &[("current_address", "某街 1 号")]);
    ben.sync().await;
    let joined = DocId([0x5e; 16]);
    let run = written_before(&ben, &here, forked, joined);
    ben.replica.ingest(&here, vec![run]).expect("well signed");
    ben.settle();
    ben.sync().await;
    until_equal(&relay, &[&ana, &twin, &ben]).await;
    ana.set(&here, doc, &[("note", "更新之前写的")]);
    let (relay_at, addr) = relay.stop().await;
    let unsent = ana.replica.unsent().expect("counts");
    assert_eq!(unsent, 1);
    let noted = [&ana, &twin, &ben].map(|worker| as_version_2(&worker.replica));
    as_version_2(&Replica::open(&relay_at, Options::default()).expect("opens"));
    drop((ana, twin, ben));

    let [ana, twin, ben] = ["ana", "twin", "ben"].map(|name| Worker::open(&at(name)));
    for (worker, mut noted) in [&ana, &twin, &ben].into_iter().zip(noted) {
        assert_eq!(worker.replica.store().get(b"mprofile").expect("reads").expect("there")[0], 3);
        // Of the log that forked the centre tells it again.
        assert!(noted.values_mut().any(|clock| clock.0.remove(&forked).is_some()), "{noted:?}");
        let entries = worker.replica.store().scan(b"P").map(|entry| entry.expect("reads"));
        let clock = |value: Vec<u8>| postcard::from_bytes::<Clock>(&value).expect("a clock");
        assert_eq!(entries.map(|(key, value)| (key, clock(value))).collect::<BTreeMap<_, _>>(), noted);
        let view = worker.view(&here, doc).expect("there");
        assert_eq!((view.text("phone"), view.text("employer")), ("13800000001".into(), "某厂".into()));
    }
    assert_eq!(ana.view(&here, doc).expect("there").text("note"), "更新之前写的");
    assert_eq!(ana.replica.unsent().expect("counts"), unsent);
    assert_eq!(ana.replica.delivery(&here, Kind::PERSON, &doc).expect("known"), Delivery::Here);
    assert_eq!(ben.replica.delivery(&here, Kind::PERSON, &joined).expect("known"), Delivery::Centre);

    let relay = Relay::serve(&relay_at, addr).await;
    ana.decided(&here).await;
    assert_eq!(ana.replica.delivery(&here, Kind::PERSON, &doc).expect("known"), Delivery::Centre);
    let cat = Worker::join(&at("cat"), &relay.invite("猫", Role::GridWorker, &here)).await;
    until_equal(&relay, &[&ana, &twin, &ben, &cat]).await;
    for worker in [&twin, &ben, &cat] {
        let view = worker.view(&here, doc).expect("there");
        assert_eq!((view.text("phone"), view.text("employer")), ("13800000001".into(), "某厂".into()));
        assert_eq!(view.text("note"), "更新之前写的");
        assert_eq!(worker.view(&here, joined).expect("what had seen the fork is there").text("name"), "李四");
    }
}
