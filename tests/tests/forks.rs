//! Disks that are cloned or put back: nothing is lost, nothing is issued twice, all agree in the end.

use std::path::Path;

use wangge_model::identity::Role;
use wangge_tests::street::{Relay, Worker, grid, until_equal};

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
            worker.sync().await;
        }
    }
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
    until_equal(&relay, &[&restored]).await;
    assert_eq!(restored.view(&grid(0), doc).expect("there").conflicts().count(), 0);
}
