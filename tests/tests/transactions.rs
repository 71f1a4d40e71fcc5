//! Transactions over several documents are seen whole or not at all, whoever wrote them.

use wangge_model::document::{Change, Dep, Document};
use wangge_model::identity::{DocId, Epoch, LogId, Role, Scope};
use wangge_model::log::{EMPTY_HEAD, Run, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Opening, Transaction};
use wangge_node::replica::Edit;
use wangge_tests::street::{Relay, Worker, assert_equal, grid, number, put, until_equal};

/// A log of `author` with one transaction, well signed, whatever its changes say.
fn run_of(author: &Worker, scope: &Scope, epoch: u64, lamport: u64, changes: Vec<Change>) -> Run {
    let key = author.replica.signing_key();
    let replica = author.replica.profile().replica();
    let log = LogId::derive(scope, &replica, Epoch(epoch));
    let transaction = Transaction {
        log,
        seq: 1,
        lamport,
        wall_ms: 1_790_000_000_000,
        worker: author.replica.profile().enrolment().expect("enrolled").worker,
        actor_nonce: Some(epoch),
        opening: Some(Opening { replica, epoch: Epoch(epoch), predecessor: None }),
        seen: Vec::new(),
        changes,
        verdicts: Vec::new(),
        erased: Vec::new(),
        turn: None,
    };
    let secret = author.replica.secret(scope).expect("held");
    let head = next_head(&EMPTY_HEAD, &transaction.hash(&secret));
    let signature = sign_head(&key, &log, 1, &head);
    Run { log, branch: None, transactions: vec![transaction], signature }
}

fn creation(doc: u8, name: &str) -> Change {
    Document::new(DocId([doc; 16]), Kind::PERSON).expect("known").draft(vec![put("name", name)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_over_two_documents_arrives_whole() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let (one, two) = (DocId([1; 16]), DocId([2; 16]));
    let edit = |doc, name| Edit { doc, kind: Kind::PERSON, ops: vec![put("name", name)] };
    let committed = ana.edit(&grid(0), vec![edit(one, "甲"), edit(two, "乙")]).expect("written");
    assert_eq!(committed.documents, [one, two]);
    ana.sync().await;
    let report = ben.sync().await;
    assert_eq!(report.documents_received, 2);
    assert_eq!(ben.view(&grid(0), one).expect("there").text("name"), "甲");
    assert_eq!(ben.view(&grid(0), two).expect("there").text("name"), "乙");
    assert_equal(&relay, &[&ana, &ben]);
}

/// One of two changes breaks a rule that only the document shows: nothing of the transaction takes
/// effect anywhere, its log ends, and everything else goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_with_one_bad_change_takes_no_effect_at_all() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let mut bad = creation(2, "乙");
    bad.deps = vec![Dep([9; 12])];
    let run = run_of(&ana, &grid(0), 77, 1, vec![creation(1, "甲"), bad]);
    assert_eq!(ben.replica.ingest(&grid(0), vec![run]).expect("well signed").misfits, []);
    // A Lamport number out of the blue would put everything of others behind it.
    let poison = run_of(&ana, &grid(0), 78, 1 << 40, vec![creation(3, "丙")]);
    assert_eq!(ben.replica.ingest(&grid(0), vec![poison]).expect("well signed").misfits, []);
    let good = ben.person(&grid(0), "990101199001010019", &[("name", "丁")]);
    for worker in [&ben, &ana, &ben, &ana] {
        worker.sync().await;
    }
    for worker in [&ana, &ben] {
        worker.set(&grid(0), good, &[("note", worker.replica.profile().replica().to_string().as_str())]);
        let profile = worker.replica.profile();
        let log = LogId::derive(&grid(0), &profile.replica(), profile.epoch());
        let written = worker.replica.load_from(&grid(0), &log, 1).expect("loads");
        let last = written[0].transactions.last().expect("some");
        assert!(last.lamport < 100, "the order was poisoned: {}", last.lamport);
        worker.sync().await;
    }
    ana.sync().await;
    for worker in [&ana, &ben] {
        for doc in [1, 2, 3] {
            assert_eq!(worker.view(&grid(0), DocId([doc; 16])), None, "document {doc}");
        }
        assert_eq!(worker.view(&grid(0), good).expect("there").text("name"), "丁");
    }
    assert_equal(&relay, &[&ana, &ben]);
}

/// A signature of someone else, a changed byte, a log of another scope: refused by name, nothing stored.
#[tokio::test(flavor = "multi_thread")]
async fn what_its_author_did_not_sign_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let honest = run_of(&ana, &grid(0), 77, 1, vec![creation(1, "甲")]);
    let mut changed = honest.clone();
    changed.transactions[0].wall_ms += 1;
    let mut forged = honest.clone();
    let log = LogId::derive(&grid(0), &ben.replica.profile().replica(), Epoch(77));
    forged.log = log;
    forged.transactions[0].log = log;
    forged.transactions[0].opening.as_mut().expect("opens").replica = ben.replica.profile().replica();
    let elsewhere = run_of(&ana, &grid(0), 77, 1, vec![creation(1, "甲")]);
    for (run, scope, expect) in [
        (changed, grid(0), "signature"),
        (forged, grid(0), "signature"),
        (elsewhere, Scope::Street, "not the one that replica"),
    ] {
        let error = ben.replica.ingest(&scope, vec![run]).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error:?} does not say {expect:?}");
    }
    assert!(ben.replica.clocks()[&grid(0)].0.0.is_empty());
    ben.replica.ingest(&grid(0), vec![honest]).expect("honest");
}

/// A newer version wrote a kind of document that this one does not know: it is stored, acknowledged and
/// forwarded, takes no effect, and stops nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_version_wrote_waits_and_travels_on() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let mut unknown_kind = creation(1, "甲");
    unknown_kind.kind = Kind(200);
    let mut unknown_extension = creation(2, "乙");
    unknown_extension.base = 7;
    let runs = vec![
        run_of(&ana, &grid(0), 77, 1, vec![unknown_kind]),
        run_of(&ana, &grid(0), 78, 1, vec![unknown_extension]),
    ];
    let logs: Vec<LogId> = runs.iter().map(|run| run.log).collect();
    ben.replica.ingest(&grid(0), runs).expect("stored");
    let known = ben.person(&grid(0), "990101199001010019", &[("name", "丁")]);
    ben.sync().await;
    ana.sync().await;
    for log in &logs {
        assert_eq!(ana.replica.clocks()[&grid(0)].0.len_of(log), 1, "it did not travel");
    }
    assert_eq!(ana.view(&grid(0), known).expect("there").text("name"), "丁");
    assert_eq!(ana.view(&grid(0), DocId([2; 16])), None);
    ben.sync().await;
    // The relay notes the epochs of these logs in the roster a moment later.
    until_equal(&relay, &[&ana, &ben]).await;
}

/// A phone that began with pages writes while what has come since cannot take effect yet: it says that it has seen
/// what the pages stood for, and its work counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_between_the_pages_and_what_follows_them_counts() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    for order in 0..40 {
        ana.person(&grid(0), &number(order), &[("name", "张三")]);
    }
    ana.decided(&grid(0)).await;
    let cat = Worker::join(&dir.path().join("cat"), &relay.invite("凯", Role::GridWorker, &grid(0))).await;
    cat.sync().await;
    let centre = cat.replica.profile().centre();
    let verdicts =
        cat.replica.logs().into_iter().find(|log| log.identity.replica == centre && log.scope == grid(0));
    let verdicts = verdicts.expect("the centre has decided").log;
    let held = cat.replica.clocks()[&grid(0)].0.len_of(&verdicts);
    ana.person(&grid(0), &number(50), &[("name", "李四")]);
    ana.decided(&grid(0)).await;
    // Of what is new, only the verdict comes: it waits for what it is about.
    let runs = ana.replica.load_from(&grid(0), &verdicts, held + 1).expect("loads");
    assert!(!runs.is_empty(), "nothing new was decided");
    assert_eq!(cat.replica.ingest(&grid(0), runs).expect("fits").misfits, vec![]);
    cat.settle();
    let doc = cat.person(&grid(0), &number(60), &[("name", "王五")]);
    cat.decided(&grid(0)).await;
    assert_eq!(cat.replica.void_reason(&grid(0), &cat.log(&grid(0)), 1), None);
    until_equal(&relay, &[&ana, &cat]).await;
    assert_eq!(ana.view(&grid(0), doc).expect("there").text("name"), "王五");
}
