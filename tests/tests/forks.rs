//! Disks that are cloned or put back: nothing is lost, nothing is issued twice, all agree in the end.

use std::path::Path;

use serde_json::Value;

use wangge_model::identity::{DocId, Epoch, Role, Scope};
use wangge_node::command::{Command, Unwatched, execute};
use wangge_tests::street::{GRIDS, Relay, Worker, copy, grid, until_equal};

const NUMBER: &str = "990101199001010019";

/// A street in which a disk was cloned after a first sync; both copies are open.
struct Cloned {
    relay: Relay,
    ana: Worker,
    twin: Worker,
    ben: Worker,
    doc: DocId,
}

impl Cloned {
    async fn begin(dir: &Path) -> Self {
        let relay = Relay::start(&dir.join("relay")).await;
        let at = dir.join("ana");
        let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
        let ben = Worker::join(&dir.join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
        let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
        ana.sync().await;
        drop(ana);
        let twin = dir.join("twin");
        copy(&at, &twin);
        Self { relay, ana: Worker::open(&at), twin: Worker::open(&twin), ben, doc }
    }
}

/// What the screen says.
fn status(worker: &Worker) -> (String, Value) {
    let answer = execute(&worker.replica, &Command::Status, &Unwatched).expect("status");
    (answer.text, answer.json)
}

fn epoch_of(dir: &Path) -> Epoch {
    // Beside a copy lies no mark.
    Worker::open(dir).replica.profile().epoch()
}

/// Its posts have changed since: it is handed them again, and what it held of the unit that it left goes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_before_its_worker_moved_learns_where_he_is() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    ana.sync().await;
    drop(ana);
    drop(Worker::open(&at));
    let backup = dir.path().join("backup");
    copy(&at, &backup);
    let ana = Worker::open(&at);
    relay.roster(&["assign", "--worker", "安娜", "--role", "网格员", "--unit", GRIDS[1]]);
    relay.roster(&["leave", "--worker", "安娜", "--unit", GRIDS[0]]);
    ana.sync().await;
    assert_eq!(ana.replica.scopes(), [Scope::Street, grid(1)]);
    ana.sync().await;

    let restored = Worker::open(&backup);
    assert_eq!(restored.replica.scopes(), [Scope::Street, grid(0)]);
    restored.set(&grid(0), doc, &[("note", "放回之后写的")]);
    assert!(restored.sync().await.transactions_sent > 0, "what was unsent is handed over");
    assert_eq!(restored.replica.scopes(), [Scope::Street, grid(1)]);
    assert!(restored.view(&grid(0), doc).is_none());
    restored.person(&grid(1), NUMBER, &[("name", "李四")]);
    restored.sync().await;
    until_equal(&relay, &[&restored]).await;
}

/// Its worker was moved while a copy of it had written more than it and had sent that: what it has itself is handed over
/// before it goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_cloned_phone_whose_worker_moved_hands_over_the_shorter_branch() {
    let dir = tempfile::tempdir().expect("dir");
    let Cloned { relay, ana, twin, ben, doc } = Cloned::begin(dir.path()).await;
    ana.set(&grid(0), doc, &[("phone", "13800000001")]);
    for step in 0..3 {
        twin.set(&grid(0), doc, &[("employer", &format!("某厂{step}"))]);
    }
    twin.sync().await;
    relay.roster(&["assign", "--worker", "安娜", "--role", "网格员", "--unit", GRIDS[1]]);
    relay.roster(&["leave", "--worker", "安娜", "--unit", GRIDS[0]]);
    ana.sync().await;
    assert_eq!(ana.replica.scopes(), [Scope::Street, grid(1)]);
    ben.until(&grid(0), doc, |person| person.text("phone") == "13800000001").await;
    assert_eq!(ben.view(&grid(0), doc).expect("there").text("employer"), "某厂2");
}

/// The same where a post was added: what it has written since tells the centre that it was put back.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_before_a_further_post_is_handed_it_again() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    ana.sync().await;
    drop(ana);
    drop(Worker::open(&at));
    let backup = dir.path().join("backup");
    copy(&at, &backup);
    let ana = Worker::open(&at);
    ana.set(&grid(0), doc, &[("phone", "13800000001")]);
    relay.roster(&["assign", "--worker", "安娜", "--role", "网格员", "--unit", GRIDS[1]]);
    ana.sync().await;
    assert_eq!(ana.replica.scopes(), [Scope::Street, grid(0), grid(1)]);
    ana.sync().await;

    let restored = Worker::open(&backup);
    restored.sync().await;
    restored.set(&grid(0), doc, &[("note", "放回之后写的")]);
    restored.sync().await;
    restored.decided(&grid(0)).await;
    restored.sync().await;
    assert_eq!(restored.replica.scopes(), [Scope::Street, grid(0), grid(1)]);
    until_equal(&relay, &[&restored]).await;
}

/// Without the mark beside the directory, peers tell: what the phone had sent comes back to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_whose_mark_is_gone_too_hears_it_from_the_centre() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    ana.sync().await;
    drop(ana);
    drop(Worker::open(&at));
    let backup = dir.path().join("backup");
    copy(&at, &backup);
    let ana = Worker::open(&at);
    for step in 0..3 {
        ana.set(&grid(0), doc, &[("phone", &format!("1380000000{step}"))]);
    }
    ana.sync().await;
    let restored = Worker::open(&backup);
    assert!(!status(&restored).0.contains("较早"));
    restored.sync().await;
    let (said, json) = status(&restored);
    assert_eq!(json["happened"][0]["what"], "took-back", "{json}");
    assert_eq!(json["happened"][0]["transactions"], 3, "{json}");
    assert!(said.contains("3 笔已从对方取回"), "{said}");
    assert_eq!(restored.view(&grid(0), doc).expect("there").text("phone"), "13800000002");
}

/// A workstation's disk is cloned and both copies go on: both branches are kept and applied.
#[tokio::test(flavor = "multi_thread")]
async fn both_branches_of_a_cloned_disk_are_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let Cloned { relay, ana, twin, ben, doc } = Cloned::begin(dir.path()).await;
    for step in 0..5 {
        ana.set(&grid(0), doc, &[("phone", &format!("1380000000{step}"))]);
        twin.set(&grid(0), doc, &[("employer", &format!("某厂{step}"))]);
    }
    twin.set(&grid(0), doc, &[("note", "克隆盘上写的")]);
    for _ in 0..3 {
        for worker in [&ana, &twin, &ben] {
            worker.sync().await;
        }
    }
    for one in [&ana, &twin] {
        let (said, json) = status(one);
        let told = json["happened"].as_array().cloned().unwrap_or_default();
        assert!(told.iter().any(|told| told["what"] == "forked"), "{json}");
        assert!(said.contains("有两份本机数据在同时使用"), "{said}");
    }
    assert!(!status(&ben).0.contains("两份"), "{:?}", status(&ben));
    // Both branches stay as evidence: logs of their own, of one device.
    let author = ana.replica.profile().replica();
    let of_ana =
        ben.replica.logs().into_iter().filter(|log| log.identity.replica == author && log.scope == grid(0));
    let (branches, whole): (Vec<_>, Vec<_>) = of_ana.partition(|log| log.identity.branch.is_some());
    assert!(!branches.is_empty() && !whole.is_empty(), "{branches:?} {whole:?}");
    for worker in [&ana, &twin, &ben] {
        worker.sync().await;
        let view = worker.view(&grid(0), doc).expect("there");
        assert_eq!(view.text("phone"), "13800000004");
        assert_eq!(view.text("employer"), "某厂4");
        assert_eq!(view.text("note"), "克隆盘上写的");
    }
    until_equal(&relay, &[&ana, &twin, &ben]).await;
    // They go on without colliding again.
    ana.set(&grid(0), doc, &[("phone", "13800000008")]);
    twin.set(&grid(0), doc, &[("employer", "另一厂")]);
    for worker in [&ana, &twin, &ben, &ana] {
        worker.sync().await;
    }
    twin.sync().await;
    until_equal(&relay, &[&ana, &twin, &ben]).await;
    let view = ben.view(&grid(0), doc).expect("there");
    assert_eq!((view.text("phone"), view.text("employer")), ("13800000008".into(), "另一厂".into()));
}

/// A phone is put back to last week's state: it takes its own work back and begins a new epoch. Whoever puts back
/// the directory alone is told at once, before any peer is met.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_last_week_takes_its_work_back() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    ana.sync().await;
    drop(ana);
    let backup = dir.path().join("backup");
    copy(&at, &backup);
    let ana = Worker::open(&at);
    ana.set(&grid(0), doc, &[("phone", "13800000001")]);
    ana.sync().await;
    drop(ana);
    let (said, json) = status(&Worker::open(&at));
    assert!(json["happened"].as_array().is_some_and(Vec::is_empty), "{json}");
    // The directory is put back; what lies beside it is not part of it.
    drop(Worker::open(&at));
    std::fs::remove_dir_all(&at).expect("removes");
    copy(&backup, &at);
    let before = epoch_of(&backup);
    let restored = Worker::open(&at);
    assert_ne!(restored.replica.profile().epoch(), before, "a new epoch begins at once: {said}");
    let (said, json) = status(&restored);
    assert_eq!(json["happened"][0]["what"], "set-back", "{json}");
    assert_eq!(json["happened"][0]["transactions"], 1, "{json}");
    assert!(said.contains("本机数据被恢复到了较早的状态") && said.contains("少了本机写的 1 笔"), "{said}");
    // It is told once, not at each opening.
    drop(restored);
    let restored = Worker::open(&at);
    assert_eq!(status(&restored).1["happened"].as_array().map(Vec::len), Some(1));
    restored.sync().await;
    assert_eq!(restored.view(&grid(0), doc).expect("there").text("phone"), "13800000001");
    restored.set(&grid(0), doc, &[("phone", "13800000002")]);
    restored.sync().await;
    until_equal(&relay, &[&restored]).await;
    assert_eq!(restored.view(&grid(0), doc).expect("there").conflicts().count(), 0);
}
