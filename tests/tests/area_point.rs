//! Work that travels through an area point: a replica that carries for others.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use wangge_model::identity::{Role, Scope};
use wangge_model::schema::Kind;
use wangge_node::net::{Listener, NeighbourGate, SyncOptions, SyncReport, sync};
use wangge_node::replica::Delivery;
use wangge_tests::street::{Relay, Worker, area, assert_equal, grid};

const NUMBER: &str = "990101199001010019";

/// An area point that listens for the phones around it.
struct Point {
    worker: Worker,
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Point {
    fn listen(worker: Worker) -> Self {
        let listener = Listener::bind(&worker.replica, ([127, 0, 0, 1], 0).into()).expect("binds");
        let addr = listener.addr().expect("addr");
        let gate = Arc::new(NeighbourGate { replica: Arc::clone(&worker.replica) });
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(listener.serve(Arc::clone(&worker.replica), gate, async {
            let _ = stopped.await;
        }));
        Self { worker, addr, stop, serving }
    }

    async fn meets(&self, phone: &Worker) -> SyncReport {
        let options = SyncOptions { peer: Some(self.addr.to_string()), ..SyncOptions::default() };
        let report = sync(&phone.replica, options).await.expect("meets");
        assert!(report.in_sync, "{report:?}");
        report
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.expect("stops");
    }
}

/// Without the relay: a phone gives its work to the area point, which carries it to the centre.
#[tokio::test(flavor = "multi_thread")]
async fn an_area_point_carries_work_to_the_centre() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let point = Worker::join(&dir.path().join("point"), &relay.invite("曹", Role::AreaClerk, &area())).await;
    let phone =
        Worker::join(&dir.path().join("phone"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    point.sync().await;
    let doc = phone.person(&grid(0), NUMBER, &[("name", "张三")]);
    let delivery = |worker: &Worker| worker.replica.delivery(&grid(0), Kind::PERSON, &doc).expect("known");
    assert_eq!(delivery(&phone), Delivery::Here);
    let point = Point::listen(point);
    point.meets(&phone).await;
    assert_eq!((delivery(&phone), delivery(&point.worker)), (Delivery::Area, Delivery::Here));
    point.worker.sync().await;
    assert_eq!(delivery(&point.worker), Delivery::Centre);
    assert_equal(&relay, &[&point.worker]);
    // The receipt travels back the same way.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while delivery(&phone) != Delivery::Centre {
        assert!(tokio::time::Instant::now() < deadline, "no receipt came");
        point.worker.sync().await;
        point.meets(&phone).await;
    }
    point.stop().await;
    assert_eq!(phone.replica.scopes(), [Scope::Street, grid(0)]);
}

/// A new phone that cannot reach the centre gets everything from an area point, which itself began from
/// pages: the pages that the centre signed are passed on.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_begins_at_an_area_point() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    for order in 0..300u32 {
        ana.person(&grid(0), &format!("{NUMBER}-{order}"), &[("name", "张三")]);
    }
    ana.sync().await;
    let point = Worker::join(&dir.path().join("point"), &relay.invite("曹", Role::AreaClerk, &area())).await;
    point.sync().await;
    // What came after the pages travels as transactions.
    let late = ana.person(&grid(0), NUMBER, &[("name", "李四")]);
    ana.sync().await;
    point.sync().await;
    let phone =
        Worker::join(&dir.path().join("phone"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let point = Point::listen(point);
    let report = point.meets(&phone).await;
    assert!(report.documents_received >= 300, "{report:?}");
    assert_eq!(phone.view(&grid(0), late).expect("there").text("name"), "李四");
    let of_grid = |worker: &Worker| {
        worker.digests().into_iter().find(|line| line.starts_with(&grid(0).to_string())).expect("held")
    };
    assert_eq!(of_grid(&phone), of_grid(&point.worker));
    point.stop().await;
    phone.sync().await;
    ana.sync().await;
    assert_equal(&relay, &[&phone, &ana]);
}
