//! The roster as it is lived with: colleagues who move on, admins who edit at once, devices that are lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use wangge_model::identity::{Role, Scope};
use wangge_model::roster::Standing;
use wangge_model::verdict::VoidReason;
use wangge_node::net::{Listener, NeighbourGate, NetError, SyncOptions, SyncReport, sync};
use wangge_tests::street::{GRIDS, Relay, Worker, area, assert_equal, grid, number};

/// An area point that listens.
struct Point {
    worker: Worker,
    addr: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Point {
    fn listen(worker: Worker) -> Self {
        let listener = Listener::bind(&worker.replica, ([127, 0, 0, 1], 0).into()).expect("binds");
        let addr = listener.addr().expect("addr");
        let gate = Arc::new(NeighbourGate { replica: Arc::clone(&worker.replica) });
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(listener.serve(Arc::clone(&worker.replica), gate, async {
            let _ = stopped.await;
        }));
        Self { worker, addr, _stop: stop }
    }

    async fn meets(&self, phone: &Worker) -> Result<SyncReport, NetError> {
        let timeout = Some(Duration::from_secs(30));
        let peer = Some(self.addr.to_string());
        sync(&phone.replica, SyncOptions { timeout, peer, ..SyncOptions::default() }).await
    }
}

/// Two admins edit the roster without knowing of each other: the more restrictive side counts.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_admins_the_more_restrictive_counts() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let admin = |name: &'static str| {
        let line = relay.invite(name, Role::CentreAdmin, &Scope::Centre);
        let at = dir.path().join(name);
        async move { Worker::join(&at, &line).await }
    };
    let (one, two) = (admin("一").await, admin("二").await);
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    ana.sync().await;
    one.sync().await;
    two.sync().await;
    one.roster(&["leave", "--worker", "安娜", "--unit", GRIDS[0]]).expect("written");
    two.roster(&[
        "assign",
        "--worker",
        "安娜",
        "--role",
        "grid-worker",
        "--unit",
        GRIDS[0],
        "--until",
        "2099-01-01",
    ])
    .expect("written");
    two.roster(&["assign", "--worker", "安娜", "--role", "grid-leader", "--unit", GRIDS[1]])
        .expect("written");
    let replica = ana.replica.profile().replica();
    let key = replica.to_string();
    one.roster(&["leave", "--device", &key, "--at", "2099-01-01"]).expect("written");
    two.roster(&["revoke", &key, "--reason", "丢失"]).expect("written");
    for admin in [&one, &two, &one, &two] {
        admin.decided(&Scope::Street).await;
    }
    for admin in [&one, &two] {
        let roster = admin.replica.roster().expect("reads");
        assert_eq!(roster.replicas()[&replica].standing, Standing::Revoked);
        let now = admin.replica.now_ms() + 1;
        let (_, ana) = roster.workers().iter().find(|(_, worker)| worker.name == "安娜").expect("known");
        let held: Vec<_> = ana.posts().filter(|post| post.term.holds_at(now)).map(|post| post.unit).collect();
        assert_eq!(held, [grid(1)]);
    }
    assert_equal(&relay, &[&one, &two]);
    // A grid worker is no admin.
    let refused = one.roster(&["assign", "--worker", "安娜", "--role", "grid-worker", "--unit", "grid:1"]);
    assert_eq!(refused.expect_err("no such unit").code, "unit-unknown");
    let error = ana.roster(&["revoke", &key]).expect_err("not hers");
    assert_eq!(error.code, "may-not");
    assert!(error.message.contains("社管中心管理员") && error.message.contains("centre-admin"), "{error}");
}

/// A lost phone was at an area point before the point had heard of it. What it brought waits in
/// quarantine everywhere, honest work on it stands, and the centre accepts or discards it.
async fn a_lost_phone_through_an_area_point(accept: bool) {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let lost = Worker::join(&dir.path().join("lost"), &relay.invite("失", Role::GridWorker, &grid(0))).await;
    let clerk = Worker::join(&dir.path().join("point"), &relay.invite("站", Role::AreaClerk, &area())).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let doc = lost.person(&grid(0), &number(1), &[("name", "张三"), ("phone", "13800000001")]);
    lost.decided(&grid(0)).await;
    ben.sync().await;
    clerk.sync().await;
    let key = lost.replica.profile().replica().to_string();
    let answer = relay.roster(&["revoke", &key, "--reason", "丢失"]);
    assert_eq!(answer["revoked"][0]["replica"], key.as_str());
    lost.set(&grid(0), doc, &[("phone", "13999999999")]);
    let point = Point::listen(clerk);
    assert!(point.meets(&lost).await.expect("the point knows nothing yet").in_sync);
    // Ben sees it at the point and goes on from there.
    assert!(point.meets(&ben).await.expect("syncs").in_sync);
    assert_eq!(ben.view(&grid(0), doc).expect("there").text("phone"), "13999999999");
    ben.set(&grid(0), doc, &[("note", "独居")]);
    point.worker.sync().await;
    relay.until_quarantine(1).await;
    ben.decided(&grid(0)).await;
    let waiting = relay.quarantine();
    assert_eq!(waiting[0]["replica"], key.as_str());
    assert_eq!(waiting[0]["worker"], "失");
    let log = lost.log(&grid(0));
    for worker in [&ben, &point.worker] {
        worker.until(&grid(0), doc, |view| view.text("phone") == "13800000001").await;
        assert_eq!(worker.view(&grid(0), doc).expect("there").text("note"), "独居");
        assert_eq!(worker.replica.void_reason(&grid(0), &log, 2), Some(VoidReason::Revoked));
    }
    // Now the point has heard.
    let refused = point.meets(&lost).await.expect_err("refused").to_string();
    assert!(refused.contains("revoked") && refused.contains("注销"), "{refused}");
    relay.settle_quarantine(accept);
    assert!(relay.quarantine().is_empty());
    let (phone, reason) =
        if accept { ("13999999999", None) } else { ("13800000001", Some(VoidReason::Discarded)) };
    for worker in [&ben, &point.worker] {
        let is_settled = |worker: &Worker| worker.replica.void_reason(&grid(0), &log, 2) == reason;
        worker.until(&grid(0), doc, |view| is_settled(worker) && view.text("phone") == phone).await;
        assert_eq!(worker.view(&grid(0), doc).expect("there").text("note"), "独居");
    }
    for worker in [&ben, &point.worker] {
        worker.sync().await;
    }
    assert_equal(&relay, &[&ben, &point.worker]);
    let listed = relay.roster(&["list"]);
    let device =
        listed["devices"].as_array().expect("a list").iter().find(|device| device["replica"] == key.as_str());
    let device = device.expect("listed");
    assert_eq!(device["status"], "revoked");
    assert_eq!(device["cuts"][log.to_string()], 1);
    assert_eq!(device["scopes"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_phone_brought_is_accepted_in_the_end() {
    a_lost_phone_through_an_area_point(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_phone_brought_is_discarded_in_the_end() {
    a_lost_phone_through_an_area_point(false).await;
}
