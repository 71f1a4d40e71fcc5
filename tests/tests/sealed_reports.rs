//! Reports and audit entries reach the centre sealed, by whatever way; nobody on the way reads them, and
//! nobody sees that there was one.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

use wangge_model::identity::{Role, Scope};
use wangge_node::command::{Command, ReportSealedArgs, Unwatched, execute};
use wangge_node::net::{Listener, NeighbourGate, SyncOptions, sync};
use wangge_node::replica::Replica;
use wangge_store::Options;
use wangge_tests::street::{Relay, Worker, area, copy, grid, number};

const TEXT: &str = "网格长收受礼品,见附页";

fn report(worker: &Worker, text: &str) {
    let args =
        ReportSealedArgs { text: text.into(), about: Some("作风".into()), ..ReportSealedArgs::default() };
    tokio::task::block_in_place(|| execute(&worker.replica, &Command::ReportSealed(args), &Unwatched))
        .expect("seals");
}

fn ask(relay: &Relay, request: &Value) -> Value {
    match tokio::task::block_in_place(|| wangge_node::control::ask(&relay.dir, request, |_, _, _| ())) {
        Ok(Some(wangge_node::control::Line::Answer(answer))) => answer,
        other => panic!("{request}: {other:?}"),
    }
}

fn reports(relay: &Relay) -> Vec<Value> {
    ask(relay, &"Reports".into()).as_array().expect("a list").clone()
}

fn assert_audit_holds(relay: &Relay) {
    let found = ask(relay, &"VerifyAudit".into());
    assert_eq!(found["broken"], serde_json::json!([]), "{found}");
}

/// How many sealed cells a replica carries for others, and how many of its own it keeps.
fn carried_runs(worker: &Worker) -> usize {
    worker.replica.store().scan(b"C").count()
}

async fn meet(point: &Worker, phone: &Worker) {
    let listener = Listener::bind(&point.replica, ([127, 0, 0, 1], 0).into()).expect("binds");
    let addr = listener.addr().expect("addr").to_string();
    let gate = Arc::new(NeighbourGate { replica: Arc::clone(&point.replica) });
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(Arc::clone(&point.replica), gate, async {
        let _ = stopped.await;
    }));
    let report = sync(&phone.replica, SyncOptions { peer: Some(addr), ..SyncOptions::default() });
    assert!(report.await.expect("meets").in_sync);
    let _ = stop.send(());
    serving.await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_and_what_was_read_reach_the_centre_and_only_the_centre() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let desk = Worker::join(&dir.path().join("desk"), &relay.invite("本", Role::GridLeader, &grid(0))).await;
    ana.person(&grid(0), &number(1), &[("name", "张三")]);
    report(&ana, TEXT);
    let show = wangge_node::command::ShowArgs {
        key: number(1),
        unmask: Some("核对户籍".into()),
        ..wangge_node::command::ShowArgs::default()
    };
    let show = Command::Person(wangge_node::command::RegisterCommand::Show(show));
    tokio::task::block_in_place(|| execute(&ana.replica, &show, &Unwatched)).expect("shows");
    ana.sync().await;
    desk.sync().await;
    let listed = reports(&relay);
    assert_eq!((listed.len(), &listed[0]["number"]), (1, &1.into()));
    assert!(!listed[0].to_string().contains("网格长"), "{listed:?}");
    let shown = ask(&relay, &serde_json::json!({ "Report": 1 }));
    assert_eq!(
        (&shown["text"], &shown["worker"], &shown["about"]),
        (&TEXT.into(), &"安娜".into(), &"作风".into())
    );
    let audit = ask(&relay, &serde_json::json!({ "Audit": 0 }));
    let unmasked = audit.as_array().expect("a list").iter().find(|entry| entry["what"] == "unmask");
    let unmasked = unmasked.expect("the device told");
    assert_eq!((&unmasked["reason"], &unmasked["worker"]), (&"核对户籍".into(), &"安娜".into()));
    assert_eq!(unmasked["device"], ana.replica.profile().replica().to_string());
    assert!(audit.as_array().expect("a list").iter().any(|entry| entry["what"] == "report-read"));
    assert!(!audit.to_string().contains("网格长"), "{audit}");
    assert_audit_holds(&relay);
    // The grid's workstation got the resident, nothing else.
    assert_eq!((desk.digests(), carried_runs(&desk)), (ana.digests(), 0));
}

/// An area point carries eight cells of each phone it meets, whether or not there is something to tell.
#[tokio::test(flavor = "multi_thread")]
async fn who_carries_a_report_sees_neither_it_nor_that_there_is_one() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let join = async |name: &str, role: Role, unit: &Scope| {
        Worker::join(&dir.path().join(name), &relay.invite(name, role, unit)).await
    };
    let point = join("point", Role::AreaClerk, &area()).await;
    let telling = join("telling", Role::GridWorker, &grid(0)).await;
    let silent = join("silent", Role::GridWorker, &grid(0)).await;
    for worker in [&point, &telling, &silent] {
        worker.sync().await;
    }
    report(&telling, TEXT);
    let cells = |phone: &Worker| {
        let series = phone.replica.profile().replica();
        let prefix = [b"C".as_slice(), &series.0].concat();
        let runs: Vec<usize> =
            point.replica.store().scan(&prefix).map(|entry| entry.expect("reads").1.len()).collect();
        runs
    };
    for round in 1..=3 {
        meet(&point, &telling).await;
        meet(&point, &silent).await;
        assert_eq!(cells(&telling).len(), round);
        // A cell has hundreds of bytes; the random number of an epoch takes up to ten.
        let alike = |one: &usize, other: &usize| one.abs_diff(*other) < 10;
        let (telling, silent) = (cells(&telling), cells(&silent));
        let same = telling.len() == silent.len() && telling.iter().zip(&silent).all(|(t, s)| alike(t, s));
        assert!(same, "{telling:?} and {silent:?} bytes");
    }
    assert!(reports(&relay).is_empty());
    point.sync().await;
    assert_eq!((reports(&relay).len(), carried_runs(&point)), (1, 0));
    assert_eq!(ask(&relay, &serde_json::json!({ "Report": 1 }))["text"], TEXT);
    // Later at the centre itself: nothing comes twice.
    for worker in [&telling, &silent, &point] {
        worker.sync().await;
    }
    assert_eq!(reports(&relay).len(), 1);
    assert_audit_holds(&relay);
}

/// A phone put back to last week's state goes on telling, in a new series; so does its clone.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_goes_on_telling_and_a_new_key_opens_old_reports() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    report(&ana, "第一件");
    ana.sync().await;
    Arc::into_inner(ana.replica).expect("nobody else").close();
    let copied = dir.path().join("copy");
    copy(&at, &copied);
    let ana = Worker { replica: Arc::new(Replica::open(&at, Options::default()).expect("opens")) };
    report(&ana, "第二件");
    ana.sync().await;
    assert_eq!(ask(&relay, &"RenewSealKey".into()), 2);
    let back = Worker { replica: Arc::new(Replica::open(&copied, Options::default()).expect("opens")) };
    report(&back, &"第三件,很长。".repeat(200));
    // The first session learns that the centre holds other cells, the next one tells.
    for _ in 0..2 {
        back.sync().await;
    }
    report(&back, "第四件");
    back.sync().await;
    let mut texts = Vec::new();
    for report in reports(&relay) {
        let number = &report["number"];
        let text = ask(&relay, &serde_json::json!({ "Report": number }))["text"].clone();
        texts.push(text.as_str().expect("text").chars().take(3).collect::<String>());
    }
    assert_eq!(texts, ["第一件", "第二件", "第三件", "第四件"]);
    assert_audit_holds(&relay);
}
