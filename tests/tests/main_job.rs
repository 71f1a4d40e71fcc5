//! The main job: what was collected offline reconciles through the relay.

use wangge_model::identity::Role;
use wangge_node::net::{SyncOptions, sync};
use wangge_tests::street::{Relay, Worker, area, assert_equal, grid, number};

const NUMBER: &str = "990101199001010019";

/// Ana and Ben edit the same resident offline. Different fields merge; the same field shows both.
#[tokio::test(flavor = "multi_thread")]
async fn offline_edits_of_one_resident_merge_and_conflicts_show_everywhere() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridLeader, &grid(0))).await;
    let centre = Worker::join(
        &dir.path().join("centre"),
        &relay.invite("主任", Role::CentreAdmin, &wangge_model::identity::Scope::Centre),
    )
    .await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三"), ("phone", "13800000000")]);
    ana.sync().await;
    ben.sync().await;
    assert_eq!(ben.view(&grid(0), doc).expect("came").text("name"), "张三");

    ana.set(&grid(0), doc, &[("phone", "13800000001"), ("employer", "某厂")]);
    ben.set(&grid(0), doc, &[("phone", "13800000002"), ("current_address", "溪淤村1号")]);
    ana.sync().await;
    ben.sync().await;
    ana.sync().await;
    centre.sync().await;
    for worker in [&ana, &ben, &centre] {
        let view = worker.view(&grid(0), doc).expect("there");
        assert_eq!(view.text("employer"), "某厂");
        assert_eq!(view.text("current_address"), "溪淤村1号");
        let phone = &view.fields["phone"];
        assert_eq!(phone.others.len(), 1, "{phone:?}");
        assert_ne!(phone.shown.worker, phone.others[0].worker);
    }
    assert_equal(&relay, &[&ana, &ben, &centre]);

    ben.set(&grid(0), doc, &[("phone", "13800000001")]);
    for worker in [&ben, &ana, &centre] {
        worker.sync().await;
        assert_eq!(worker.view(&grid(0), doc).expect("there").conflicts().count(), 0);
    }
    assert_equal(&relay, &[&ana, &ben, &centre]);
}

/// Both register the same new resident offline: one document with both workers' facts.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_new_resident_on_two_devices_is_one_document() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let of_ana = ana.person(&grid(0), NUMBER, &[("name", "张三"), ("phone", "13800000001")]);
    let of_ben = ben.person(&grid(0), NUMBER, &[("name", "张三"), ("employer", "某厂")]);
    assert_eq!(of_ana, of_ben);
    ana.sync().await;
    ben.sync().await;
    ana.sync().await;
    let view = ana.view(&grid(0), of_ana).expect("there");
    assert_eq!(view.text("phone"), "13800000001");
    assert_eq!(view.text("employer"), "某厂");
    assert_eq!(view.conflicts().count(), 0, "equal values are no conflict");
    assert_equal(&relay, &[&ana, &ben]);
}

/// A grid's replica never hears of another grid; the area point holds both.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_gets_its_own_scopes_only() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(1))).await;
    let cao = Worker::join(&dir.path().join("cao"), &relay.invite("曹", Role::AreaClerk, &area())).await;
    let doc = ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    for worker in [&ana, &ben, &cao, &ana] {
        worker.sync().await;
    }
    assert!(cao.view(&grid(0), doc).is_some());
    let held: Vec<String> = ben.digests();
    assert!(held.iter().all(|line| !line.starts_with(&grid(0).to_string())), "{held:?}");
    assert_equal(&relay, &[&ana, &ben, &cao]);
}

/// Many documents come in pages, few as transactions, and both ways end equal.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_brings_everything_in_pages() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let mut docs = Vec::new();
    for order in 0..600u32 {
        let number = number(order);
        docs.push(ana.person(&grid(0), &number, &[("name", "张三"), ("phone", "13800000001")]));
    }
    ana.sync().await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    // Ben worked before his first sync.
    ben.set(&grid(0), docs[3], &[("phone", "13800000009")]);
    let report = ben.sync().await;
    assert!(report.documents_received >= 600, "{report:?}");
    assert!(report.transactions_received < 100, "pages, not transactions: {report:?}");
    ana.sync().await;
    assert_equal(&relay, &[&ana, &ben]);
    let edited = ana.view(&grid(0), docs[3]).expect("there");
    assert_eq!(edited.fields["phone"].others.len(), 1);
    ana.set(&grid(0), docs[5], &[("phone", "13800000005")]);
    ben.set(&grid(0), docs[5], &[("employer", "某厂")]);
    ana.sync().await;
    ben.sync().await;
    ana.sync().await;
    assert_equal(&relay, &[&ana, &ben]);
}

/// Nothing to bring and nothing to fetch is in sync too.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_of_an_empty_grid_ends() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    for _ in 0..2 {
        ana.sync().await;
    }
    assert_equal(&relay, &[&ana]);
}

/// The relay moves to another address: told once, a device finds it there from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_learns_where_the_relay_has_moved() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let (at, before) = relay.stop().await;
    let relay = loop {
        let moved = Relay::serve(&at, ([127, 0, 0, 1], 0).into()).await;
        if moved.addr != before {
            break moved;
        }
        moved.stop().await;
    };
    ana.person(&grid(0), NUMBER, &[("name", "张三")]);
    let options = SyncOptions { relay: Some(relay.addr.to_string()), ..SyncOptions::default() };
    assert!(sync(&ana.replica, options).await.expect("syncs").in_sync);
    ana.sync().await;
    assert_equal(&relay, &[&ana]);
}
