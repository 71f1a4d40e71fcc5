//! Disks that are cloned or put back: nothing is lost, nothing is issued twice, all agree in the end.

use std::path::Path;

use wangge_model::identity::{Role, Scope};
use wangge_model::schema::Kind;
use wangge_tests::street::{Relay, Worker, area, assert_equal, grid};

const NUMBER: &str = "990101199001010019";

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

/// A workstation's disk is cloned and both copies go on: both branches are kept and applied.
#[tokio::test(flavor = "multi_thread")]
async fn both_branches_of_a_cloned_disk_are_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    ana.sync().await;
    drop(ana);
    let twin = dir.path().join("twin");
    copy(&at, &twin);
    let (ana, twin) = (Worker::open(&at), Worker::open(&twin));
    for step in 0..5 {
        ana.set(&grid(0), doc, &[("phone", &format!("1380000000{step}"))]);
        twin.set(&grid(0), doc, &[("employer", &format!("某厂{step}"))]);
    }
    twin.set(&grid(0), doc, &[("note", "克隆盘上写的")]);
    for _ in 0..3 {
        for worker in [&ana, &twin, &ben] {
            let _ = worker.try_sync().await;
        }
    }
    for worker in [&ana, &twin, &ben] {
        worker.sync().await;
        let view = worker.view(&grid(0), doc).expect("there");
        assert_eq!(view.text("phone"), "13800000004");
        assert_eq!(view.text("employer"), "某厂4");
        assert_eq!(view.text("note"), "克隆盘上写的");
    }
    assert_equal(&relay, &[&ana, &twin, &ben]);
    // They go on without colliding again.
    ana.set(&grid(0), doc, &[("phone", "13800000008")]);
    twin.set(&grid(0), doc, &[("employer", "另一厂")]);
    for worker in [&ana, &twin, &ben, &ana] {
        worker.sync().await;
    }
    twin.sync().await;
    assert_equal(&relay, &[&ana, &twin, &ben]);
    let view = ben.view(&grid(0), doc).expect("there");
    assert_eq!((view.text("phone"), view.text("employer")), ("13800000008".into(), "另一厂".into()));
}

/// A phone is put back to last week's state: it takes its own work back and begins a new epoch.
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
    let restored = Worker::open(&backup);
    let before = restored.replica.profile().epoch();
    restored.sync().await;
    assert_ne!(restored.replica.profile().epoch(), before, "a new epoch begins");
    assert_eq!(restored.view(&grid(0), doc).expect("there").text("phone"), "13800000001");
    restored.set(&grid(0), doc, &[("phone", "13800000002")]);
    restored.sync().await;
    assert_equal(&relay, &[&restored]);
    assert_eq!(restored.view(&grid(0), doc).expect("there").conflicts().count(), 0);
}

/// Without the relay: a phone gives its work to the area point, which carries it to the centre.
#[tokio::test(flavor = "multi_thread")]
async fn an_area_point_carries_work_to_the_centre() {
    use std::sync::Arc;
    use wangge_node::net::{Listener, NeighbourGate, SyncOptions, sync};
    use wangge_node::replica::Delivery;

    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let point = Worker::join(&dir.path().join("point"), &relay.invite("曹", Role::AreaClerk, &area())).await;
    let phone =
        Worker::join(&dir.path().join("phone"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    point.sync().await;
    let doc = phone.person(&grid(0), NUMBER, &[("name", "张三")]);
    let delivery = |worker: &Worker| worker.replica.delivery(&grid(0), Kind::PERSON, &doc).expect("known");
    assert_eq!(delivery(&phone), Delivery::Here);

    let listener = Listener::bind(&point.replica, ([127, 0, 0, 1], 0).into()).expect("binds");
    let addr = listener.addr().expect("addr");
    let gate = Arc::new(NeighbourGate { replica: Arc::clone(&point.replica) });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(Arc::clone(&point.replica), gate, async {
        let _ = stopped.await;
    }));
    let options = || SyncOptions { peer: Some(addr.to_string()), ..SyncOptions::default() };
    let report = sync(&phone.replica, options()).await.expect("meets");
    assert!(report.in_sync, "{report:?}");
    assert_eq!(delivery(&phone), Delivery::Area);
    assert_eq!(delivery(&point), Delivery::Here);
    point.sync().await;
    assert_eq!(delivery(&point), Delivery::Centre);
    assert_equal(&relay, &[&point]);

    // The receipt travels back the same way.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while delivery(&phone) != Delivery::Centre {
        assert!(tokio::time::Instant::now() < deadline, "no receipt came");
        point.sync().await;
        let _ = sync(&phone.replica, options()).await.expect("meets");
    }
    let _ = stop.send(());
    serving.await.expect("stops");
    let scopes: Vec<Scope> = phone.replica.scopes();
    assert_eq!(scopes, [Scope::Street, grid(0)]);
}
