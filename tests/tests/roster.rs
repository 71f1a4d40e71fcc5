//! The roster as it is lived with: colleagues who move on, admins who edit at once, devices that are lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use wangge_model::identity::{Role, Scope};
use wangge_model::roster::Standing;
use wangge_model::schema::Kind;
use wangge_model::session::Completeness;
use wangge_model::verdict::VoidReason;
use wangge_node::net::{Listener, NeighbourGate, NetError, SyncOptions, SyncReport, sync};
use wangge_node::replica::{Machine, Replica, ReplicaError, System, World};
use wangge_tests::street::{GRIDS, Relay, Worker, area, assert_equal, grid, number, until_equal};

/// Writes a note on a person; its position.
fn note(worker: &Worker, doc: wangge_model::identity::DocId, text: &str) -> u64 {
    worker.set(&grid(0), doc, &[("note", text)]).expect("written").seq
}

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

/// Ana is moved to another grid while she is out in the first one: what she wrote before counts, what
/// she wrote after does not, and what comes after the days of grace waits for a person.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_moved_keeps_what_was_written_before() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let doc = ana.person(&grid(0), &number(1), &[("name", "张三")]);
    ana.decided(&grid(0)).await;
    let log = ana.log(&grid(0));
    assert!(ana.replica.store().scan_keys(format!("D{}\0", grid(0)).as_bytes()).count() > 0);
    let before = note(&ana, doc, "走之前");
    relay.roster(&["leave", "--worker", "安娜", "--unit", GRIDS[0]]);
    relay.roster(&["assign", "--worker", "安娜", "--role", "网格员", "--unit", GRIDS[1]]);
    let after = note(&ana, doc, "走之后");
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    // Her device hands over what it has of the grid, then destroys it, and fetches the other one.
    assert!(ana.sync().await.transactions_sent >= 2);
    assert_eq!(ana.replica.scopes(), [Scope::Street, grid(1)]);
    assert_eq!(ana.replica.clocks()[&grid(1)].1, Completeness::Whole);
    let records = |worker: &Worker, tag: &str| {
        let prefix = format!("{tag}{}\0", grid(0));
        worker.replica.store().scan_keys(prefix.as_bytes()).count()
    };
    for tag in ["L", "D", "T", "W"] {
        assert_eq!(records(&ana, tag), 0, "records {tag} of a grid that she has left");
    }
    ben.until(&grid(0), doc, |view| view.text("note") == "走之前").await;
    assert_eq!(ben.replica.void_reason(&grid(0), &log, before), None);
    assert_eq!(ben.replica.void_reason(&grid(0), &log, after), Some(VoidReason::PostEnded));
    assert!(relay.quarantine().is_empty());
    // She comes back, and goes on in a log of its own.
    relay.roster(&["assign", "--worker", "安娜", "--role", "网格员", "--unit", GRIDS[0]]);
    ana.sync().await;
    assert_eq!(ana.replica.scopes(), [Scope::Street, grid(0), grid(1)]);
    assert_ne!(ana.log(&grid(0)), log);
    note(&ana, doc, "回来了");
    ana.decided(&grid(0)).await;
    ben.until(&grid(0), doc, |view| view.text("note") == "回来了").await;

    // The same with no grace at all.
    let carl = Worker::join(&dir.path().join("carl"), &relay.invite("卡", Role::GridWorker, &grid(0))).await;
    carl.sync().await;
    relay.roster(&["policy", "--grace-days", "0"]);
    note(&carl, doc, "晚了");
    relay.roster(&["leave", "--worker", "卡"]);
    let error = carl.try_sync().await.expect_err("nothing is left to him").to_string();
    assert!(error.contains("没有岗位") && error.contains("posts"), "{error}");
    assert!(carl.replica.scopes().is_empty());
    relay.until_quarantine(1).await;
    ben.sync().await;
    assert_eq!(ben.view(&grid(0), doc).expect("there").text("note"), "回来了");
    relay.settle_quarantine(true);
    assert!(relay.quarantine().is_empty());
    ben.until(&grid(0), doc, |view| view.text("note") == "晚了").await;
}

/// What an admin's device has brought to the relay counts for whoever comes next, however soon that is.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_posts_counts_for_the_next_who_comes() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let admin =
        Worker::join(&dir.path().join("admin"), &relay.invite("周敏", Role::CentreAdmin, &Scope::Centre))
            .await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    admin.sync().await;
    for round in 0..6 {
        let (from, to) = (round % 2, (round + 1) % 2);
        admin.run(&["roster", "assign", "--worker", "安娜", "--role", "网格员", "--unit", GRIDS[to]]);
        admin.run(&["roster", "leave", "--worker", "安娜", "--unit", GRIDS[from]]);
        admin.sync().await;
        ana.sync().await;
        assert_eq!(ana.replica.scopes(), [Scope::Street, grid(to)], "round {round}");
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

/// A lost phone comes back on the air: what it had is taken into quarantine, then it destroys itself and
/// says so, and the centre keeps the proof.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_phone_is_wiped_when_it_next_connects() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("lost");
    let lost = Worker::join(&at, &relay.invite("失", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let doc = lost.person(&grid(0), &number(1), &[("name", "张三")]);
    lost.decided(&grid(0)).await;
    let key = lost.replica.profile().replica().to_string();
    lost.set(&grid(0), doc, &[("note", "没来得及上传")]);
    relay.roster(&["revoke", "--worker", "失", "--reason", "手机丢失"]);
    let error = lost.try_sync().await.expect_err("revoked").to_string();
    assert!(error.contains("已清除") && error.contains("手机丢失"), "{error}");
    relay.until_quarantine(1).await;
    assert!(lost.replica.scopes().is_empty());
    assert!(!at.join("store.key").exists());
    drop(lost);
    let error = loop {
        match Replica::open(&at, wangge_store::Options::default()) {
            Err(ReplicaError::Store(wangge_store::StoreError::Locked { .. })) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => break other.expect_err("destroyed").to_string(),
        }
    };
    assert!(error.contains("此设备已被社管中心注销") && error.contains("手机丢失"), "{error}");
    assert!(std::fs::read_dir(&at).expect("reads").count() <= 1, "files are left");
    let listed = relay.roster(&["list"]);
    let device =
        listed["devices"].as_array().expect("a list").iter().find(|device| device["replica"] == key.as_str());
    assert!(device.expect("listed")["wiped_at"].is_string());
    relay.settle_quarantine(true);
    ben.until(&grid(0), doc, |view| view.text("note") == "没来得及上传").await;
}

/// A revoked device that has more to say than is kept for a person: the rest is not taken, and it is wiped
/// all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_device_brings_is_bounded() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let lost = Worker::join(&dir.path().join("lost"), &relay.invite("失", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let doc = lost.person(&grid(0), &number(1), &[("name", "张三")]);
    lost.decided(&grid(0)).await;
    relay.roster(&["policy", "--quarantine-bytes", "20000"]);
    // Several messages' worth.
    for at in 2..152 {
        lost.person(&grid(0), &number(at), &[("note", &"长".repeat(1_000))]);
    }
    relay.roster(&["revoke", "--worker", "失"]);
    let error = lost.try_sync().await.expect_err("revoked").to_string();
    assert!(error.contains("已清除"), "{error}");
    until_equal(&relay, &[&ben]).await;
    let log = lost_log(&ben, &lost);
    let full = || {
        let taken = ben.replica.clocks()[&grid(0)].0.len_of(&log);
        ben.replica.void_reason(&grid(0), &log, taken) == Some(VoidReason::QuarantineFull)
    };
    // The relay decides a moment after it took it in; until then it is void as Ben's replica sees it.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !full() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ben.sync().await;
    }
    let kept: u64 = relay.quarantine().iter().map(|entry| entry["bytes"].as_u64().expect("a size")).sum();
    assert!((1..=20_000).contains(&kept), "{kept}");
    let taken = ben.replica.clocks()[&grid(0)].0.len_of(&log);
    assert!(taken < 100, "{taken} transactions were taken in");
    assert_eq!(ben.replica.void_reason(&grid(0), &log, taken), Some(VoidReason::QuarantineFull));
    assert!(ben.view(&grid(0), doc).is_some());
    let (unlisted, _) = ben.replica.natural_id(&grid(0), Kind::PERSON, &number(2)).expect("id");
    assert!(ben.view(&grid(0), unlisted).is_none());
}

/// A lost phone meets an area point that has not heard, and has more to say than is carried for one device: the
/// point takes no more, nobody else's work is held up, and the centre stores no more than that.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_area_point_carries_for_a_revoked_device_is_bounded() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let lost = Worker::join(&dir.path().join("lost"), &relay.invite("失", Role::GridWorker, &grid(0))).await;
    let clerk = Worker::join(&dir.path().join("point"), &relay.invite("站", Role::AreaClerk, &area())).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    lost.person(&grid(0), &number(1), &[("name", "张三")]);
    lost.decided(&grid(0)).await;
    relay.roster(&["policy", "--quarantine-bytes", "20000", "--carried-bytes", "50000"]);
    for worker in [&ben, &clerk] {
        worker.sync().await;
    }
    relay.roster(&["revoke", "--worker", "失"]);
    // Each is a message of its own.
    let poured = 80;
    for at in 2..2 + poured {
        lost.person(&grid(0), &number(at), &[("note", &"长".repeat(5_000))]);
    }
    let point = Point::listen(clerk);
    let log = lost_log(&point.worker, &lost);
    let held = || point.worker.replica.clocks()[&grid(0)].0.len_of(&log);
    // However often it comes.
    let mut kept = 0;
    for _ in 0..3 {
        let refused = point.meets(&lost).await.expect_err("carries no more").to_string();
        assert!(refused.contains("carries no more of your work"), "{refused}");
        assert!(refused.contains("代存"), "{refused}");
        assert!(kept == 0 || kept == held(), "{kept} were kept, now {}", held());
        kept = held();
    }
    assert!((2..u64::from(poured) / 2).contains(&kept), "{kept} of {poured} were taken");
    // Ben is served, and builds on what is there.
    let doc = ben.person(&grid(0), &number(900), &[("name", "李四")]);
    assert!(point.meets(&ben).await.expect("syncs").in_sync);
    point.worker.sync().await;
    until_equal(&relay, &[&ben, &point.worker]).await;
    ben.decided(&grid(0)).await;
    assert_eq!(ben.view(&grid(0), doc).expect("there").text("name"), "李四");
    assert_eq!(ben.replica.clocks()[&grid(0)].0.len_of(&log), kept, "the centre has what the point took");
    let waiting: u64 = relay.quarantine().iter().map(|entry| entry["bytes"].as_u64().expect("a size")).sum();
    assert!((1..=20_000).contains(&waiting), "{waiting}");
    assert_eq!(ben.replica.void_reason(&grid(0), &log, kept), Some(VoidReason::QuarantineFull));
}

/// The log of `lost`, which no longer knows it, as `ben` holds it.
fn lost_log(ben: &Worker, lost: &Worker) -> wangge_model::identity::LogId {
    let replica = lost.replica.profile().replica();
    let logs = ben.replica.logs().into_iter();
    logs.filter(|log| log.identity.replica == replica && log.scope == grid(0))
        .map(|log| log.log)
        .next()
        .expect("held")
}

/// Another day, as a device's clock says.
#[derive(Debug)]
struct Later {
    days: u64,
}

impl World for Later {
    fn now_ms(&self) -> u64 {
        System.now_ms() + self.days * 24 * 3_600 * 1_000
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), ReplicaError> {
        System.fill(bytes)
    }
}

/// A phone that has not been at the centre for longer than its lease is served by nobody else; a visit at
/// the centre renews it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_lapses_and_the_centre_renews_it() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    relay.roster(&["policy", "--lease-days", "3"]);
    let at = dir.path().join("point");
    let clerk = Worker::join(&at, &relay.invite("站", Role::AreaClerk, &area())).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    clerk.sync().await;
    ana.sync().await;
    let doc = ana.person(&grid(0), &number(1), &[("name", "张三")]);
    drop(clerk);
    let open = |days: u64| {
        let machine = Machine { world: Arc::new(Later { days }), ..Machine::default() };
        loop {
            match Replica::open(&at, machine.clone()) {
                Ok(replica) => return Worker { replica: Arc::new(replica) },
                Err(ReplicaError::Store(_)) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => panic!("{error}"),
            }
        }
    };
    let point = Point::listen(open(4));
    let refused = point.meets(&ana).await.expect_err("lapsed").to_string();
    assert!(refused.contains("lapsed"), "{refused}");
    assert!(point.worker.view(&grid(0), doc).is_none());
    relay.roster(&["policy", "--lease-days", "30"]);
    ana.sync().await;
    assert!(point.meets(&ana).await.expect("renewed").in_sync);
    assert!(point.worker.view(&grid(0), doc).is_some());
}

/// Devices whose rosters are of different days meet: none waits for the centre.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_roster_meets_a_new_one_without_a_stall() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let clerk = Worker::join(&dir.path().join("point"), &relay.invite("站", Role::AreaClerk, &area())).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let lost = Worker::join(&dir.path().join("lost"), &relay.invite("失", Role::GridWorker, &grid(0))).await;
    for worker in [&clerk, &ana, &lost] {
        worker.sync().await;
    }
    // Since then: a new colleague, and a device that was cut off.
    let carl = Worker::join(&dir.path().join("carl"), &relay.invite("卡", Role::GridWorker, &grid(0))).await;
    relay.roster(&["revoke", "--worker", "失", "--reason", "丢失"]);
    carl.sync().await;
    let doc = carl.person(&grid(0), &number(1), &[("name", "张三")]);
    // The point has never heard of Carl: what the centre signed for him is enough.
    let point = Point::listen(clerk);
    assert!(point.meets(&carl).await.expect("served").in_sync);
    // Nor has Ana: she gets his work and the roster that explains it in one visit, though she has been
    // nowhere else.
    assert!(point.meets(&ana).await.expect("served").in_sync);
    assert_eq!(ana.view(&grid(0), doc).expect("there").text("name"), "张三");
    let key = lost.replica.profile().replica();
    for worker in [&point.worker, &ana] {
        worker.settle();
        let roster = worker.replica.roster().expect("reads");
        assert_eq!(roster.replicas()[&key].standing, Standing::Revoked);
        assert!(roster.replicas().contains_key(&carl.replica.profile().replica()));
    }
    // What they learned from each other holds at once, without the centre.
    let refused = point.meets(&lost).await.expect_err("refused").to_string();
    assert!(refused.contains("revoked") && refused.contains("注销"), "{refused}");
    note(&ana, doc, "独居");
    assert!(point.meets(&ana).await.expect("served").in_sync);
    assert!(point.meets(&carl).await.expect("served").in_sync);
    assert_eq!(carl.view(&grid(0), doc).expect("there").text("note"), "独居");
    point.worker.sync().await;
    for worker in [&ana, &carl] {
        worker.decided(&grid(0)).await;
    }
    until_equal(&relay, &[&ana, &carl]).await;
}
