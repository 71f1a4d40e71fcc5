//! An area point that forges or withholds: phones refuse what it forges, and what it withholds reaches the
//! centre another way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use wangge_model::enrolment::SignedEnrolment;
use wangge_model::identity::{DocId, LogId, Role, Scope};
use wangge_model::photo::{PhotoFrame, PhotoFrames, PhotoId};
use wangge_model::schema::Kind;
use wangge_model::verdict::Verdict;
use wangge_model::wire::{Acknowledged, CheckpointStart, Frame};
use wangge_node::net::{Listener, NeighbourGate, NetError, SyncOptions, sync};
use wangge_node::replica::{Delivery, Replica};
use wangge_tests::hostile::{End, Hostile, HostilePoint, Pen, hello};
use wangge_tests::street::{Relay, Worker, area, grid, number, put, until_equal};

fn enrolment(replica: &Replica) -> SignedEnrolment {
    replica.profile().grant().expect("granted").enrolment.clone()
}

async fn street(dir: &std::path::Path) -> (Relay, Worker, Worker) {
    let relay = Relay::start(&dir.join("relay")).await;
    let mallory = Worker::join(&dir.join("point"), &relay.invite("马乐", Role::AreaClerk, &area())).await;
    let ana = Worker::join(&dir.join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    for worker in [&mallory, &ana] {
        worker.sync().await;
    }
    (relay, mallory, ana)
}

/// The phone dials the point; what it says to the point, and what the phone then reports.
async fn dial(
    point: &HostilePoint,
    phone: &Worker,
) -> (Hostile, tokio::task::JoinHandle<Result<bool, NetError>>) {
    let (replica, peer) = (Arc::clone(&phone.replica), Some(point.addr().to_string()));
    let dialling = tokio::spawn(async move {
        let timeout = Some(Duration::from_secs(12));
        let options = SyncOptions { peer, timeout, ..SyncOptions::default() };
        sync(&replica, options).await.map(|report| report.in_sync)
    });
    (point.meet().await, dialling)
}

/// A listener that nobody enrolled, or that shows another's enrolment, is told nothing but a greeting.
#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_the_centre_does_not_know_gets_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let (_relay, mallory, ana) = street(dir.path()).await;
    ana.person(&grid(0), &number(1), &[("name", "张三")]);
    let stranger = HostilePoint::bind(&wangge_model::log::SigningKey::from_bytes(&[66; 32]));
    let shown = [
        (None, "no enrolment was shown"),
        (Some(enrolment(&mallory.replica)), "the enrolment is for replica"),
    ];
    for (enrolment, words) in shown {
        let (mut peer, dialling) = dial(&stranger, &ana).await;
        peer.say(&hello(&mallory.replica, &[Scope::Street, grid(0)], enrolment)).await;
        match peer.hear().await {
            Err(End::Told(reason)) => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
        let error = dialling.await.expect("ends").expect_err("refuses");
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Enrolled, and lying.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_point_forges_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, mallory, ana) = street(dir.path()).await;
    ana.person(&grid(0), &number(1), &[("name", "张三")]);
    ana.sync().await;
    mallory.sync().await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let profile = ana.replica.profile();
    let log = LogId::derive(&grid(0), &profile.replica(), profile.epoch());
    let mut forged = mallory.replica.load_from(&grid(0), &log, 1).expect("loads");
    forged[0].transactions[0].changes[0].ops.push(put("note", "假的"));
    let forged = wangge_model::wire::encode_batch(&grid(0), &forged);
    // The chain verifies, and what was written is not there.
    let mut emptied = mallory.replica.load_from(&grid(0), &log, 1).expect("loads");
    let secret = mallory.replica.secret(&grid(0)).expect("held");
    assert!(emptied[0].transactions[0].erase(&secret, |_| true));
    let emptied = wangge_model::wire::encode_batch(&grid(0), &emptied);
    let mut grant = mallory.replica.profile().grant().expect("granted").clone();
    grant.worker_name = "马乐的人".into();
    let start = CheckpointStart { scope: grid(0), bytes: vec![1, 2, 3], signature: ([5; 32], [6; 32]) };
    let page = Frame::Page { scope: grid(0), end: None, packed: vec![0, 1, 2, 3], signature: [7; 64] };
    let point = HostilePoint::bind(&mallory.replica.signing_key());
    for (frame, words) in [
        (Frame::Batch(forged), "is not its author's"),
        (Frame::Batch(emptied), "is withheld, and no order of erasure says why"),
        (Frame::Checkpoint(start), "that the centre did not sign"),
        (page, "that the centre did not sign"),
        (Frame::Granted(Box::new(grant)), "an enrolment that the centre did not give"),
        (Frame::Batch(vec![1, 0x80, 0x80, 0x80, 0x08, 1]), "cannot be read"),
    ] {
        let before = ben.digests();
        let (mut peer, dialling) = dial(&point, &ben).await;
        let enrolment = Some(enrolment(&mallory.replica));
        peer.say(&hello(&mallory.replica, &[Scope::Street, grid(0)], enrolment)).await;
        peer.say(&frame).await;
        let end = peer.end().await;
        assert!(end.reason().contains(words), "{frame:?}: {end:?}");
        let error = dialling.await.expect("ends").expect_err("refuses");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(ben.digests(), before);
    }
    // What it was refused for comes to the centre with ben's next session.
    ben.sync().await;
    until_equal(&relay, &[&ben]).await;
    let request = serde_json::json!({ "Audit": 0 });
    let audit =
        match tokio::task::block_in_place(|| wangge_node::control::ask(&relay.dir, &request, |_, _, _| ())) {
            Ok(Some(wangge_node::control::Line::Answer(audit))) => audit.to_string(),
            other => panic!("{other:?}"),
        };
    assert!(audit.contains("that the centre did not sign"), "{audit}");
    assert_eq!(ben.replica.profile().grant().expect("granted").worker_name, "本");
}

/// It takes everything, says that it has it and that the centre decided on it, and keeps it to itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_point_withholds_still_reaches_the_centre() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, mallory, ana) = street(dir.path()).await;
    let doc = ana.person(&grid(0), &number(1), &[("name", "张三")]);
    let (clock, _) = ana.replica.clocks()[&grid(0)].clone();
    let point = HostilePoint::bind(&mallory.replica.signing_key());
    let (mut peer, dialling) = dial(&point, &ana).await;
    let enrolment = Some(enrolment(&mallory.replica));
    peer.say(&hello(&mallory.replica, &[Scope::Street, grid(0)], enrolment)).await;
    peer.hear_until(|frame| matches!(frame, Frame::Batch(_))).await;
    let logs = clock.0.clone().into_iter().collect();
    peer.say(&Frame::Acknowledged(Acknowledged { scope: grid(0), logs })).await;
    let mut pen = Pen::of(&mallory.replica, &grid(0), 900);
    let mut decided = pen.transaction(Vec::new());
    let verdicts = clock.0.iter().map(|(log, extent)| {
        let (voids, settled) = (Vec::new(), Vec::new());
        Verdict { log: *log, upto: extent.len(), head: [0; 4], observed_ms: 1, roster: 1, voids, settled }
    });
    decided.verdicts = verdicts.collect();
    let run = pen.sign(vec![decided]);
    peer.give(&grid(0), &[run]).await;
    peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
    drop(peer);
    drop(point);
    // Its session ends one way or another; what counts is what the phone believes then.
    let _ = dialling.await.expect("ends");
    let delivery = |worker: &Worker| worker.replica.delivery(&grid(0), Kind::PERSON, &doc).expect("known");
    assert!(delivery(&ana) < Delivery::Centre, "{:?}", delivery(&ana));
    ana.sync().await;
    assert_eq!(delivery(&ana), Delivery::Centre);
    until_equal(&relay, &[&ana]).await;
}

/// A device tells the relay one thing first and an area point another, with the same Automerge actor and
/// sequence number: all end with the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_fork_told_in_two_orders_ends_the_same_everywhere() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, point, ana) = street(dir.path()).await;
    let mallory =
        Worker::join(&dir.path().join("mallory"), &relay.invite("马乐", Role::GridWorker, &grid(0))).await;
    mallory.sync().await;
    point.sync().await;
    let pen = Pen::of(&mallory.replica, &grid(0), 950);
    let branches: Vec<_> = ["一", "二"]
        .iter()
        .map(|name| {
            let mut pen = pen.clone();
            let (change, _) = pen.person(DocId([70; 16]), vec![put("name", name)]);
            pen.run(vec![change])
        })
        .collect();
    let listener = Listener::bind(&point.replica, ([127, 0, 0, 1], 0).into()).expect("binds");
    let addr = listener.addr().expect("addr");
    let gate = Arc::new(NeighbourGate { replica: Arc::clone(&point.replica) });
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(Arc::clone(&point.replica), gate, async {
        let _ = stopped.await;
    }));
    let scopes = [Scope::Street, grid(0)];
    for (to, order) in [(relay.addr, [0, 1]), (addr, [1, 0])] {
        let mut peer = Hostile::dial(&mallory.replica.signing_key(), to).await;
        peer.say(&hello(&mallory.replica, &scopes, Some(enrolment(&mallory.replica)))).await;
        for at in order {
            peer.give(&grid(0), std::slice::from_ref(&branches[at])).await;
            peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
        }
        tokio::task::block_in_place(|| point.replica.apply()).expect("applies");
    }
    let _ = stop.send(());
    serving.await.expect("stops");
    until_equal(&relay, &[&point, &ana]).await;
    let view = ana.view(&grid(0), DocId([70; 16])).expect("is there");
    println!("{:?}", view.fields.get("name"));
}

/// A point that claims to hold what the phone holds, and gives something else for a photo that the phone lacks.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_a_point_forges_is_not_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let (relay, mallory, ana) = street(dir.path()).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let file = dir.path().join("a.jpg");
    let picture = [&[0xff, 0xd8, 0xff, 0xda, 0, 2][..], &[7; 5_000], &[0xff, 0xd9]].concat();
    std::fs::write(&file, picture).expect("writes");
    let file = file.display().to_string();
    let case = ben.run(&["case", "report", "--category", "安全生产", "--text", "楼道堆物", "--photo", &file]);
    let id = case["id"].as_str().expect("an id");
    ben.sync().await;
    ana.sync().await;
    let listed = ana.run(&["photo", "list", id]);
    let photo = PhotoId {
        scope: grid(0),
        doc: id.parse().expect("an id"),
        hash: listed[0]["hash"].as_str().expect("a hash").parse().expect("reads"),
    };
    assert!(ana.replica.photo(&photo).expect("reads").is_some());
    ana.replica.forget_photo(&photo).expect("forgets");

    let point = HostilePoint::bind(&mallory.replica.signing_key());
    let (mut peer, dialling) = dial(&point, &ana).await;
    let Frame::Hello(mut same) = hello(&mallory.replica, &[], Some(enrolment(&mallory.replica))) else {
        unreachable!("a hello")
    };
    same.digest = peer.greeted;
    peer.say(&Frame::Hello(same)).await;
    // It carries sealed cells as any neighbour would: until it has them there is more to say.
    match peer.hear().await {
        Ok(Frame::Sealed(run)) => {
            let kept = mallory.replica.take_sealed(&run).expect("keeps");
            peer.say(&Frame::SealedKept(kept)).await;
        }
        other => panic!("no sealed cells: {other:?}"),
    }
    let (mut send, mut recv) = match peer.connection().accept_bi().await {
        Ok(streams) => streams,
        Err(error) => panic!("asks for no photos: {error}, {:?}", dialling.await),
    };
    let mut frames = PhotoFrames::default();
    let asked = loop {
        if let Some(frame) = frames.next_frame().expect("sound") {
            break frame;
        }
        let chunk = recv.read_chunk(65_536, true).await.expect("reads").expect("more");
        frames.push(&chunk.bytes);
    };
    assert_eq!(asked, PhotoFrame::Want(photo.clone(), 0));
    let len_bytes = usize::try_from(listed[0]["bytes"].as_u64().expect("a length")).expect("fits");
    send.write_all(&PhotoFrame::Piece(vec![7; len_bytes]).encode()).await.expect("is read");
    // The texts are not held up by it, and the next who has it gives it.
    assert!(dialling.await.expect("ends").expect("syncs"));
    assert_eq!(ana.replica.photo(&photo).expect("reads"), None);
    ana.sync().await;
    assert!(ana.replica.photo(&photo).expect("reads").is_some());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !relay.ask(&serde_json::json!({ "Audit": 0 })).to_string().contains("a forged photo") {
        assert!(tokio::time::Instant::now() < deadline, "the audit does not tell");
        ana.sync().await;
    }
}
