//! A disk that fills up: a clear refusal, nothing lost, and work goes on once there is room.

use std::sync::Arc;

use wangge_model::identity::Role;
use wangge_model::schema::Kind;
use wangge_node::replica::{Edit, Replica, ReplicaError};
use wangge_store::{Fault, Options, StoreError};
use wangge_tests::street::{Relay, Worker, assert_equal, grid, put};

const NUMBER: &str = "990101199001010019";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_keeps_what_was_saved() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    ana.sync().await;
    ben.sync().await;
    drop(ana);

    let fault = Fault::new();
    let options = Options { fault: Some(fault.clone()), ..Options::default() };
    let ana = Worker { replica: Arc::new(Replica::open(&at, options).expect("opens")) };
    ana.set(&grid(0), doc, &[("phone", "13800000001")]);
    fault.fail_after_bytes(0);
    let ops = vec![put("phone", "13800000002")];
    let edit = Edit { doc, kind: Kind::PERSON, ops };
    let refused = ana.replica.commit(&grid(0), vec![edit], None);
    assert!(matches!(refused, Err(ReplicaError::Store(StoreError::Full { .. }))), "{refused:?}");
    assert_eq!(ana.view(&grid(0), doc).expect("there").text("phone"), "13800000001");

    // Ben's work cannot be stored either: the session says so instead of pretending.
    ben.set(&grid(0), doc, &[("employer", "某厂")]);
    ben.sync().await;
    assert!(ana.try_sync().await.is_err());

    fault.clear();
    ana.set(&grid(0), doc, &[("phone", "13800000003")]);
    ana.sync().await;
    let view = ana.view(&grid(0), doc).expect("there");
    assert_eq!((view.text("phone"), view.text("employer")), ("13800000003".into(), "某厂".into()));
    ben.sync().await;
    ana.sync().await;
    assert_equal(&relay, &[&ana, &ben]);
}

/// The disk fills up while a photo is saved: a clear refusal, and nothing of it lies there half written.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_for_which_there_is_no_room_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    ana.sync().await;
    drop(ana);
    let picture = [&[0xff, 0xd8, 0xff, 0xda, 0, 2][..], &[7; 200_000], &[0xff, 0xd9]].concat();
    let file = dir.path().join("a.jpg");
    std::fs::write(&file, picture).expect("writes");
    let file = file.display().to_string();
    let words = ["case", "report", "--category", "安全生产", "--text", "楼道堆物", "--photo", &file];

    let fault = Fault::new();
    let options = Options { fault: Some(fault.clone()), ..Options::default() };
    let ana = Worker { replica: Arc::new(Replica::open(&at, options).expect("opens")) };
    let photos = || std::fs::read_dir(at.join("photos")).map_or(0, Iterator::count);
    // Before the first note about it, after that, and when the record itself is written.
    for room_bytes in [0, 400, 800, 1_200] {
        fault.fail_after_bytes(room_bytes);
        let refused = ana.try_run(&words).expect_err("no room");
        assert_eq!(refused.code, "disk-full", "{refused}");
        assert!(refused.message.contains("磁盘") && refused.message.contains("disk"), "{refused}");
        assert_eq!(photos(), 0, "with room for {room_bytes} bytes");
        fault.clear();
        assert_eq!(ana.run(&["case", "list"]).as_array().map(Vec::len), Some(0));
    }
    let case = ana.run(&words);
    let id = case["id"].as_str().expect("an id");
    ana.sync().await;
    assert_eq!(ana.run(&["photo", "list", id])[0]["state"], "centre");
    assert_eq!(photos(), 1);
}
