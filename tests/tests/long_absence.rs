//! A phone lies in a drawer for two years with work on it that nobody has, and comes back.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use wangge_model::identity::Role;
use wangge_model::schema::Kind;
use wangge_node::command::{Command, Unwatched, execute};
use wangge_node::net::{Listener, NeighbourGate, NetError, SyncOptions, SyncReport, join_on, sync};
use wangge_node::replica::{Delivery, Machine, ReplicaError, System, World};
use wangge_tests::street::{Relay, Worker, found_street, grid, number, until_equal};

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// The time of this story: the same for all in it.
#[derive(Clone, Debug, Default)]
struct Calendar(Arc<AtomicU64>);

impl Calendar {
    fn pass(&self, days: u64) {
        self.0.fetch_add(days * DAY_MS, Ordering::SeqCst);
    }

    fn machine(&self) -> Machine {
        Machine { world: Arc::new(self.clone()), ..Machine::default() }
    }
}

impl World for Calendar {
    fn now_ms(&self) -> u64 {
        System.now_ms() + self.0.load(Ordering::SeqCst)
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), ReplicaError> {
        System.fill(bytes)
    }
}

async fn meet(phone: &Worker, neighbour: SocketAddr) -> Result<SyncReport, NetError> {
    sync(&phone.replica, SyncOptions { peer: Some(neighbour.to_string()), ..SyncOptions::default() }).await
}

async fn joined(calendar: &Calendar, dir: &Path, line: &str) -> Worker {
    join_on(&calendar.machine(), dir, line).await.expect("joins");
    Worker::open_on(&calendar.machine(), dir)
}

fn screen(worker: &Worker) -> String {
    execute(&worker.replica, &Command::Status, &Unwatched).expect("status").text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_comes_back_after_two_years_loses_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let calendar = Calendar::default();
    let at = |name: &str| dir.path().join(name);
    found_street(&at("relay"));
    let relay = Relay::serve_on(calendar.machine(), &at("relay"), ([127, 0, 0, 1], 0).into()).await;
    let ana = joined(&calendar, &at("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = joined(&calendar, &at("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let known = ana.person(&grid(0), &number(1), &[("name", "张三"), ("phone", "13800000001")]);
    ana.decided(&grid(0)).await;
    ben.sync().await;
    // Her last day in the field: no signal, then the drawer.
    let lonely = ana.person(&grid(0), &number(2), &[("name", "李四")]);
    ana.set(&grid(0), known, &[("note", "独居,常去看看"), ("employer", "老厂")]);
    assert_eq!(ana.replica.unsent().expect("counts"), 2);
    drop(ana);

    // Two years at the street: months of work, restarts, a new colleague.
    let (mut relay, mut ben) = (relay, ben);
    for month in 0..24_u32 {
        calendar.pass(30);
        ben.set(&grid(0), known, &[("phone", &format!("138000001{month:02}"))]);
        for order in 0..3 {
            ben.person(&grid(0), &number(100 + 10 * month + order), &[("name", "新来的")]);
        }
        if month == 6 {
            ben.set(&grid(0), known, &[("employer", "新厂")]);
        }
        ben.decided(&grid(0)).await;
        if month % 8 == 7 {
            let (place, addr) = relay.stop().await;
            relay = Relay::serve_on(calendar.machine(), &place, addr).await;
            let place = ben.replica.dir().to_owned();
            drop(ben);
            ben = Worker::open_on(&calendar.machine(), &place);
        }
    }
    calendar.pass(10);
    ben.sync().await;
    let carl = joined(&calendar, &at("carl"), &relay.invite("卡", Role::GridWorker, &grid(0))).await;
    carl.sync().await;

    // She takes it out. What she had is there, and the screen says how long it has been.
    let ana = Worker::open_on(&calendar.machine(), &at("ana"));
    assert_eq!(ana.view(&grid(0), lonely).expect("there").text("name"), "李四");
    let said = screen(&ana);
    assert!(said.contains("730 天没有同步"), "{said}");
    // Nobody but the centre talks to a device whose lease has lapsed.
    let listener = Listener::bind(&ben.replica, ([127, 0, 0, 1], 0).into()).expect("binds");
    let neighbour = listener.addr().expect("addr");
    let gate = Arc::new(NeighbourGate { replica: Arc::clone(&ben.replica) });
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(Arc::clone(&ben.replica), gate, async {
        let _ = stopped.await;
    }));
    let refused = meet(&ana, neighbour).await.expect_err("lapsed").to_string();
    assert!(refused.contains("lapsed"), "{refused}");
    // She writes on before she has a network: she has not seen two years.
    ana.set(&grid(0), lonely, &[("note", "两年后补记")]);

    // The centre takes all of it and gives all of it.
    ana.decided(&grid(0)).await;
    assert_eq!(ana.replica.unsent().expect("counts"), 0);
    assert_eq!(ana.replica.delivery(&grid(0), Kind::PERSON, &lonely).expect("known"), Delivery::Centre);
    let said = screen(&ana);
    assert!(said.contains("上次与中心同步") && !said.contains("天没有同步"), "{said}");
    // The lease is new as well: neighbours serve her again.
    ana.sync().await;
    assert!(meet(&ana, neighbour).await.expect("served").in_sync);
    let _ = stop.send(());
    serving.await.expect("stops");
    until_equal(&relay, &[&ana, &ben, &carl]).await;
    for worker in [&ana, &ben, &carl] {
        assert_eq!(worker.view(&grid(0), lonely).expect("there").text("note"), "两年后补记");
        let known = worker.view(&grid(0), known).expect("there");
        assert_eq!(known.text("phone"), "13800000123");
        assert_eq!(known.text("note"), "独居,常去看看");
        // Written side by side, two years apart: neither overwrites the other in silence.
        let employers: Vec<String> = known
            .conflicts()
            .flat_map(|(_, register)| register.claims().map(|claim| format!("{:?}", claim.value)))
            .collect();
        assert!(employers.iter().any(|said| said.contains("老厂")), "{employers:?}");
        assert!(employers.iter().any(|said| said.contains("新厂")), "{employers:?}");
    }
    assert!(ana.replica.examine().expect("examines").is_healthy());
}
