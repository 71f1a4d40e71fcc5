//! Who may write what: refused on the device, void at the centre, and what becomes of work that builds
//! on something void.

use wangge_model::document::{Dep, Document, Op, Scalar, Target};
use wangge_model::identity::{DocId, Epoch, LogId, ReplicaId, Role, Scope};
use wangge_model::log::{Run, next_head, sign_head};
use wangge_model::schema::{Kind, kinds};
use wangge_model::transaction::Transaction;
use wangge_model::verdict::VoidReason;
use wangge_node::replica::{Edit, ReplicaError};
use wangge_tests::street::{GRIDS, Relay, Worker, assert_equal, grid, number, put};

/// What a changed program would write after all that `author` wrote: signed by its key, checked by nobody.
fn forged(author: &Worker, scope: &Scope, worker: DocId, edit: &Edit) -> Run {
    let log = author.log(scope);
    let written = author.replica.load_from(scope, &log, 1).expect("loads");
    let before = written.last().and_then(|run| run.transactions.last());
    let before: &Transaction = before.expect("the log has begun");
    let secret = author.replica.secret(scope).expect("held");
    let mut head = wangge_model::log::EMPTY_HEAD;
    for transaction in written.iter().flat_map(|run| &run.transactions) {
        head = next_head(&head, &transaction.hash(&secret));
    }
    let document = match author.replica.get(scope, edit.kind, &edit.doc).expect("reads") {
        Some(_) => author.document(scope, edit.kind, edit.doc),
        None => Document::new(edit.doc, edit.kind).expect("known"),
    };
    let transaction = Transaction {
        seq: before.seq + 1,
        lamport: author.next_lamport(scope),
        worker,
        actor_nonce: None,
        opening: None,
        seen: Vec::new(),
        changes: vec![document.draft(edit.ops.clone())],
        ..before.clone()
    };
    let head = next_head(&head, &transaction.hash(&secret));
    let signature = sign_head(&author.replica.signing_key(), &log, transaction.seq, &head);
    Run { log, branch: None, transactions: vec![transaction], signature }
}

/// Lets a replica take in a run as if a peer had sent it.
fn take(worker: &Worker, scope: &Scope, run: Run) {
    assert_eq!(worker.replica.ingest(scope, vec![run]).expect("well signed").misfits, []);
    worker.settle();
}

/// A worker's device says at once what the centre would not let count, and who may do it.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_refuses_what_the_centre_would_void() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let window =
        Worker::join(&dir.path().join("win"), &relay.invite("窗口", Role::WindowClerk, &Scope::Centre)).await;
    ana.sync().await;
    window.sync().await;
    let refused = |worker: &Worker, scope: &Scope, kind, ops| {
        let edit = Edit { doc: DocId([1; 16]), kind, ops };
        match worker.replica.commit(scope, vec![edit], None) {
            Err(ReplicaError::MayNot { refusal, .. }) => *refusal,
            other => panic!("{other:?}"),
        }
    };
    let street = refused(&ana, &Scope::Street, Kind::WORKER, vec![put("name", "安娜")]);
    assert_eq!(street.reason, VoidReason::CentreOnly);
    assert_eq!(street.roles, [Role::CentreAdmin]);
    let dispatch = Op {
        target: Target::Event { container: "events".to_owned() },
        value: Some(Scalar::from("{\"kind\":\"archive\"}")),
    };
    let event = refused(&ana, &grid(0), Kind::CASE, vec![dispatch]);
    assert_eq!(event.reason, VoidReason::RoleMayNot);
    assert_eq!(event.change, Some((Kind::CASE, Some("archive".to_owned()))));
    assert_eq!(refused(&ana, &grid(0), Kind::WORKER, vec![put("name", "x")]).reason, VoidReason::KindNotHere);
    // A window at the centre serves the whole street.
    for at in 0..GRIDS.len() {
        window.person(&grid(at), &number(at as u32), &[("name", "甲")]);
    }
    window.sync().await;
    for at in 0..GRIDS.len() {
        window.decided(&grid(at)).await;
        assert_eq!(window.replica.void_reason(&grid(at), &window.log(&grid(at)), 1), None);
    }
}

/// A grid goes over to nobody who holds no post there, whatever a changed program writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_grid_is_handed_over_to_whoever_holds_a_post_there() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let join = async |name: &str, at: usize| {
        Worker::join(&dir.path().join(name), &relay.invite(name, Role::GridWorker, &grid(at))).await
    };
    let (ana, carl, eve) = (join("安娜", 0).await, join("卡", 0).await, join("伊娃", 1).await);
    ana.person(&grid(0), &number(1), &[("name", "张三")]);
    ana.sync().await;
    carl.sync().await;
    let id = |worker: &Worker| worker.replica.profile().enrolment().expect("enrolled").worker;
    let to = |doc: u8, successor: DocId| {
        let ops = vec![put("assignee", successor.to_string().as_str())];
        Edit { doc: DocId([doc; 16]), kind: Kind::HANDOVER, ops }
    };
    match ana.replica.commit(&grid(0), vec![to(1, id(&eve))], None) {
        Err(ReplicaError::MayNot { refusal, .. }) => assert_eq!(refusal.reason, VoidReason::NoSuccessor),
        other => panic!("{other:?}"),
    }
    ana.replica.commit(&grid(0), vec![to(2, id(&carl))], None).expect("a colleague takes it over");
    ana.sync().await;
    let run = forged(&ana, &grid(0), id(&ana), &to(3, id(&eve)));
    let seq = run.transactions[0].seq;
    carl.sync().await;
    take(&carl, &grid(0), run);
    carl.sync().await;
    carl.decided(&grid(0)).await;
    let void = |seq| carl.replica.void_reason(&grid(0), &ana.log(&grid(0)), seq);
    assert_eq!((void(seq - 1), void(seq)), (None, Some(VoidReason::NoSuccessor)));
}

/// Somebody's changed program writes in a colleague's name. An honest worker who met it before the
/// centre did builds on it: his work stands, what the other overwrote comes back.
#[tokio::test(flavor = "multi_thread")]
async fn honest_work_that_builds_on_a_void_change_stands() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let mallory =
        Worker::join(&dir.path().join("mallory"), &relay.invite("马", Role::GridWorker, &grid(0))).await;
    let carl = Worker::join(&dir.path().join("carl"), &relay.invite("卡", Role::GridWorker, &grid(0))).await;
    let doc = mallory.person(&grid(0), &number(1), &[("name", "张三"), ("phone", "13800000001")]);
    mallory.sync().await;
    // Ben's roster is older than that device: he cannot judge it.
    ben.sync_only(&grid(0)).await;
    let bens = ben.replica.profile().enrolment().expect("enrolled").worker;
    let ops = vec![put("phone", "13999999999"), put("name", "李鬼")];
    let run = forged(&mallory, &grid(0), bens, &Edit { doc, kind: Kind::PERSON, ops });
    let seq = run.transactions[0].seq;
    take(&ben, &grid(0), run);
    assert_eq!(ben.view(&grid(0), doc).expect("there").text("phone"), "13999999999");
    ben.set(&grid(0), doc, &[("note", "独居"), ("name", "张三丰")]);
    ben.decided(&grid(0)).await;
    carl.sync().await;
    let log = mallory.log(&grid(0));
    for worker in [&ben, &carl] {
        worker.until(&grid(0), doc, |view| view.text("phone") == "13800000001").await;
        let view = worker.view(&grid(0), doc).expect("there");
        assert_eq!(view.text("note"), "独居");
        assert_eq!(view.text("name"), "张三丰", "what was overwritten since stays");
        assert_eq!(view.conflicts().count(), 0);
        assert_eq!(worker.replica.void_reason(&grid(0), &log, seq), Some(VoidReason::NotItsWorker));
    }
    for worker in [&ben, &carl, &ben] {
        worker.sync().await;
    }
    assert_equal(&relay, &[&ben, &carl]);
}

/// Behind the void change, the changed program wrote one that breaks the rules of form, to the same document: that ends
/// its own log, not the honest one that builds on the change before.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_change_beside_a_void_one_ends_no_honest_log() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let join = async |name: &str| {
        Worker::join(&dir.path().join(name), &relay.invite(name, Role::GridWorker, &grid(0))).await
    };
    let (ben, mallory, carl) = (join("本").await, join("马").await, join("卡").await);
    let doc = mallory.person(&grid(0), &number(1), &[("name", "张三")]);
    mallory.sync().await;
    ben.sync_only(&grid(0)).await;
    let bens = ben.replica.profile().enrolment().expect("enrolled").worker;
    let edit = Edit { doc, kind: Kind::PERSON, ops: vec![put("phone", "13999999999")] };
    let mut run = forged(&mallory, &grid(0), bens, &edit);
    let first = run.transactions[0].clone();
    let mut broken = first.clone();
    (broken.seq, broken.lamport) = (first.seq + 1, first.lamport + 1);
    broken.changes[0].deps = vec![Dep([9; 12])];
    let secret = mallory.replica.secret(&grid(0)).expect("held");
    let log = mallory.log(&grid(0));
    let before = mallory.replica.load_from(&grid(0), &log, 1).expect("loads");
    let mut head = wangge_model::log::EMPTY_HEAD;
    for transaction in before.iter().flat_map(|run| &run.transactions).chain([&first, &broken]) {
        head = next_head(&head, &transaction.hash(&secret));
    }
    run.signature = sign_head(&mallory.replica.signing_key(), &log, broken.seq, &head);
    run.transactions.push(broken);
    take(&ben, &grid(0), run);
    let void = |worker: &Worker, seq| worker.replica.void_reason(&grid(0), &log, seq);
    assert!(void(&ben, first.seq + 1).is_some());
    ben.set(&grid(0), doc, &[("note", "独居")]);
    ben.decided(&grid(0)).await;
    carl.sync().await;
    for worker in [&ben, &carl] {
        worker
            .until(&grid(0), doc, |view| view.text("note") == "独居" && view.text("phone").is_empty())
            .await;
        assert_eq!(void(worker, first.seq), Some(VoidReason::NotItsWorker));
        assert_eq!(worker.replica.void_reason(&grid(0), &ben.log(&grid(0)), 1), None);
    }
}

/// A small generator of numbers, seeded (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

/// Whatever an honest device lets its worker save, the centre lets count.
#[tokio::test(flavor = "multi_thread")]
async fn what_commit_accepts_the_centre_accepts() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_u64);
    println!("SEED={seed}");
    let mut dice = Dice(seed | 1);
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let area = wangge_tests::street::area();
    let mut workers = Vec::new();
    for (at, (role, unit)) in [
        (Role::GridWorker, grid(0)),
        (Role::GridLeader, grid(1)),
        (Role::AreaHead, area),
        (Role::CentreAdmin, Scope::Centre),
        (Role::StreetLeader, Scope::Street),
        (Role::WindowClerk, Scope::Centre),
        (Role::SecurityAdmin, Scope::Centre),
        (Role::AuditAdmin, Scope::Centre),
    ]
    .into_iter()
    .enumerate()
    {
        let line = relay.invite(&format!("工{at}"), role, &unit);
        let worker = Worker::join(&dir.path().join(at.to_string()), &line).await;
        worker.sync().await;
        workers.push(worker);
    }
    let kinds: Vec<_> = kinds().collect();
    let (mut saved, mut refused) = (0, 0);
    for round in 0..240_u32 {
        let worker = &workers[dice.below(workers.len())];
        let scopes = worker.replica.scopes();
        let scope = &scopes[dice.below(scopes.len())];
        let spec = kinds[dice.below(kinds.len())];
        // The roster itself is edited elsewhere: here it would change who may what.
        if [Kind::WORKER, Kind::REPLICA, Kind::UNIT, Kind::POLICY].contains(&spec.kind)
            && worker.replica.profile().enrolment().expect("enrolled").role == Role::CentreAdmin
        {
            continue;
        }
        let history = spec.containers.iter().find(|c| c.shape == wangge_model::schema::Shape::History);
        let op = match (history, dice.below(3)) {
            (Some(history), 0) if !spec.access.events.is_empty() => {
                let event = &spec.access.events[dice.below(spec.access.events.len())];
                let text = format!("{{\"kind\":\"{}\"}}", event.name);
                Op { target: Target::Event { container: history.name.to_owned() }, value: Some(text.into()) }
            }
            (Some(history), 1) => Op {
                target: Target::Event { container: history.name.to_owned() },
                value: Some("{\"kind\":\"of a newer version\"}".into()),
            },
            _ => put("note-of-a-newer-version", &round.to_string()),
        };
        let mut doc = DocId([dice.below(8) as u8; 16]);
        doc.0[0] = spec.kind.0;
        // An id names one document of one unit.
        doc.0[8..].copy_from_slice(&LogId::derive(scope, &ReplicaId([0; 32]), Epoch(0)).0);
        match worker.replica.commit(scope, vec![Edit { doc, kind: spec.kind, ops: vec![op] }], None) {
            Ok(_) => saved += 1,
            Err(ReplicaError::MayNot { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(saved > 20 && refused > 20, "{saved} saved, {refused} refused");
    for worker in &workers {
        for scope in worker.replica.scopes() {
            let log = worker.log(&scope);
            if worker.replica.clocks()[&scope].0.len_of(&log) > 0 {
                worker.decided(&scope).await;
                for seq in 1..=worker.replica.clocks()[&scope].0.len_of(&log) {
                    let void = worker.replica.void_reason(&scope, &log, seq);
                    assert_eq!(void, None, "SEED={seed}: {scope} {seq}");
                }
            }
        }
    }
}
