//! A validly enrolled device of grid A does whatever it likes. Each attempt is refused with a reason that
//! names it, to the device and in the audit; nobody's documents change; honest devices are served meanwhile;
//! memory stays bounded.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use wangge_model::audit::What;
use wangge_model::document::{Change, Dep, Op, Scalar, Target};
use wangge_model::identity::{DocId, Epoch, Hash, LogId, Role, Scope};
use wangge_model::log::{Branch, SigningKey};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Seen, Transaction};
use wangge_model::verdict::Verdict;
use wangge_model::wire::{Acknowledged, Frame, ScopeClock, encode_batch};
use wangge_tests::automerge_changes::harmful;
use wangge_tests::hostile::{End, Hostile, NO_SIGNATURE, Pen};
use wangge_tests::process::{Programs, RelayProcess, text};
use wangge_tests::street::{Worker, found_street, grid, number, put};

/// What the relay may hold at most, whatever is done to it. It starts at some 30 MB.
const MEMORY_MAX_BYTES: u64 = 256 * 1024 * 1024;

struct Town {
    programs: Programs,
    dir: tempfile::TempDir,
    relay: RelayProcess,
    ana: Worker,
    ben: Worker,
    mallory: Worker,
    edits: std::cell::Cell<u32>,
}

impl Town {
    async fn new() -> Self {
        let programs = Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")));
        let dir = tempfile::tempdir().expect("dir");
        let at = dir.path().join("relay");
        found_street(&at);
        let command = programs.command(
            "wangge-relay",
            ["serve", "--dir", text(&at), "--listen", "127.0.0.1:0", "--patience", "3"],
        );
        let relay = RelayProcess::start(command);
        let join = async |name: &str, worker: &str, unit: &Scope| {
            let role = Role::GridWorker.name();
            let line = programs.invite(&at, worker, role, &unit.to_string());
            Worker::join(&dir.path().join(name), &line).await
        };
        let ana = join("ana", "安娜", &grid(0)).await;
        let ben = join("ben", "本", &grid(1)).await;
        let mallory = join("mallory", "马乐", &grid(0)).await;
        ana.person(&grid(0), &number(1), &[("name", "张三"), ("phone", "13800000001")]);
        ben.person(&grid(1), &number(2), &[("name", "李四")]);
        for worker in [&ana, &ben, &mallory, &ana] {
            worker.sync().await;
        }
        Self { programs, dir, relay, ana, ben, mallory, edits: std::cell::Cell::new(0) }
    }

    fn relay_dir(&self) -> PathBuf {
        self.dir.path().join("relay")
    }

    fn addr(&self) -> std::net::SocketAddr {
        self.relay.addr.parse().expect("an address")
    }

    /// Enters as soon as what was done before no longer bars the way.
    async fn enter_again(&self) -> Hostile {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mut peer = Hostile::dial(&self.mallory.replica.signing_key(), self.addr()).await;
            peer.say(&wangge_tests::hostile::hello(&self.mallory.replica, &[], None)).await;
            match peer.hear().await {
                Ok(_) => return peer,
                Err(end) => assert!(Instant::now() < deadline, "{end:?}"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn enter(&self) -> Hostile {
        Hostile::greet(&self.mallory.replica, self.addr(), &[Scope::Street, grid(0)]).await
    }

    fn pen(&self, scope: &Scope, epoch: u64) -> Pen {
        Pen::of(&self.mallory.replica, scope, epoch)
    }

    fn audit(&self) -> Vec<Value> {
        let dir = self.relay_dir();
        let list = self.programs.json("wangge-relay", ["audit", "list", "--dir", text(&dir)]);
        list.as_array().expect("a list").clone()
    }

    /// Waits until the audit tells of a refusal in these words.
    #[track_caller]
    fn assert_told(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let audit = self.audit();
            let told = audit.iter().any(|entry| {
                entry["what"] == What::PEER_REFUSED.to_string()
                    && format!("{} {}", entry["reason"], entry["detail"]).contains(words)
            });
            if told {
                return;
            }
            let reasons: Vec<&Value> = audit.iter().map(|entry| &entry["reason"]).collect();
            assert!(Instant::now() < deadline, "the audit does not say {words:?}: {reasons:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The relay goes on, honest people work, and nothing of what they have has changed.
    async fn assert_unharmed(&self) {
        let note = format!("第 {} 次", self.edits.get());
        self.edits.set(self.edits.get() + 1);
        let (doc, _) = self.ana.replica.natural_id(&grid(0), Kind::PERSON, &number(1)).expect("id");
        let before = self.ben.digests();
        self.ana.set(&grid(0), doc, &[("note", &note)]).expect("saves");
        for worker in [&self.ana, &self.ben, &self.ana] {
            worker.sync().await;
        }
        let view = self.ana.view(&grid(0), doc).expect("is there");
        assert_eq!((view.text("name"), view.text("note")), ("张三".into(), note));
        assert_eq!(self.ben.digests()[0], before[0], "grid B changed");
        let dir = self.relay_dir();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let at_relay = self.programs.run("wangge-relay", ["digest", "--dir", text(&dir)]);
            let mine = [self.ana.digests(), self.ben.digests()].concat();
            if mine.iter().all(|line| at_relay.contains(line.as_str())) {
                break;
            }
            assert!(Instant::now() < deadline, "{mine:#?}\n{at_relay}");
            for worker in [&self.ana, &self.ben] {
                worker.sync().await;
            }
        }
        let peak = self.relay.memory_peak_bytes();
        assert!(peak < MEMORY_MAX_BYTES, "the relay took {} MB", peak >> 20);
    }

    /// Gives runs in a new session, which must end in these words; the audit tells them too.
    async fn assert_refused(&self, name: &str, scope: &Scope, runs: &[wangge_model::log::Run], words: &str) {
        let mut peer = self.enter().await;
        peer.give(scope, runs).await;
        self.assert_ends(name, peer, words).await;
    }

    async fn assert_ends(&self, name: &str, mut peer: Hostile, words: &str) {
        let end = peer.end().await;
        assert!(matches!(&end, End::Told(reason) if reason.contains(words)), "{name}: {end:?}");
        self.assert_told(words);
    }
}

fn change(doc: u8, ops: Vec<Op>) -> Change {
    Change { doc: DocId([doc; 16]), kind: Kind::PERSON, base: 0, deps: Vec::new(), ops }
}

fn entry(container: &str, key: &str) -> Op {
    Op {
        target: Target::Entry { container: container.into(), key: key.into() },
        value: Some(Scalar::Bool(true)),
    }
}

/// What the form of a log forbids: refused at once, by name.
#[tokio::test(flavor = "multi_thread")]
async fn logs_and_changes_that_break_a_rule_of_form_are_refused_by_name() {
    let town = Town::new().await;
    let here = grid(0);
    let honest = |pen: &Pen| pen.transaction(vec![change(50, vec![put("name", "赵六")])]);

    // Another grid, written with a secret that was guessed.
    let mut pen = town.pen(&grid(1), 1);
    let run = pen.run(vec![change(50, vec![put("name", "赵六")])]);
    town.assert_refused("grid B", &grid(1), &[run], "data of grid:330881121201, which it does not hold")
        .await;

    // Another replica's log: its opening, this device's signature.
    let mut pen = Pen { replica: town.ana.replica.profile().replica(), ..town.pen(&here, 2) };
    let run = pen.run(vec![change(50, vec![put("name", "赵六")])]);
    let words = "is not its author's";
    town.assert_refused("another's log", &here, &[run], words).await;

    // A transaction of somebody else, changed.
    let log = *town.ana.replica.clocks()[&here]
        .0
        .0
        .keys()
        .find(|log| {
            let profile = town.ana.replica.profile();
            **log == LogId::derive(&here, &profile.replica(), profile.epoch())
        })
        .expect("her log");
    let stolen = town.ana.replica.load_from(&here, &log, 1).expect("loads");
    let mut forged = stolen.clone();
    forged[0].transactions[0].changes[0].ops.push(put("note", "假的"));
    town.assert_refused("forged", &here, &forged, words).await;
    // The same, unchanged, in another scope.
    town.assert_refused("replayed elsewhere", &Scope::Street, &stolen, "is not the one that replica").await;

    // Signed by nobody.
    let mut pen = town.pen(&here, 3);
    let mut run = pen.run(vec![change(50, vec![put("name", "赵六")])]);
    run.signature = NO_SIGNATURE;
    town.assert_refused("unsigned", &here, &[run], words).await;

    // Positions left out within a run.
    let mut pen = town.pen(&here, 4);
    let first = honest(&pen);
    let third = Transaction { seq: 3, opening: None, actor_nonce: None, lamport: 3, ..first.clone() };
    let run = pen.sign(vec![first, third]);
    // Positions are counted, not told: what was signed is another chain than the one that arrives.
    town.assert_refused("a hole", &here, &[run], words).await;

    // The beginning left out, again and again.
    let mut pen = Pen { seq: 4, ..town.pen(&here, 5) };
    let run = pen.run(vec![change(50, vec![put("name", "赵六")])]);
    let mut peer = town.enter().await;
    for _ in 0..100 {
        peer.give(&here, std::slice::from_ref(&run)).await;
    }
    town.assert_ends("a gap", peer, "a gap").await;

    for (name, edit, words) in [
        (
            "lamport",
            (|t: &mut Transaction| t.lamport = u64::MAX) as fn(&mut Transaction),
            "Lamport number 18446744073709551615",
        ),
        ("lamport zero", |t| t.lamport = 0, "Lamport number 0"),
        ("no opening", |t| t.actor_nonce = None, "a log opens with its first transaction"),
        ("nothing", |t| t.changes.clear(), "it changes nothing"),
        ("twice", |t| t.changes.push(t.changes[0].clone()), "twice"),
        ("no ops", |t| t.changes[0].ops.clear(), "0 operations"),
        ("overwritten container", |t| t.changes[0].ops = vec![put("links", "x")], "links"),
        ("overwritten id", |t| t.changes[0].ops = vec![put("id", "x")], "id"),
        ("no such container", |t| t.changes[0].ops = vec![entry("nothing", "x")], "nothing"),
        ("wrong shape", |t| t.changes[0].ops = vec![entry("events", "x")], "events"),
        ("long key", |t| t.changes[0].ops = vec![entry("links", &"x".repeat(200))], "200"),
        (
            "same target",
            |t| t.changes[0].ops = vec![put("name", "a"), put("name", "b")],
            "writes one key twice",
        ),
    ] {
        let mut pen = town.pen(&here, 100 + name.len() as u64);
        let mut transaction = honest(&pen);
        edit(&mut transaction);
        let run = pen.sign(vec![transaction]);
        town.assert_refused(name, &here, &[run], words).await;
    }
    town.assert_unharmed().await;
}

/// What only the documents or the roster can tell: it keeps its place in its log, takes no effect anywhere,
/// and the audit says why.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_void_takes_no_effect_anywhere() {
    let town = Town::new().await;
    let here = grid(0);
    let ana = town.ana.replica.profile().enrolment().expect("enrolled").worker;
    let (bens, _) = town.ben.replica.natural_id(&grid(1), Kind::PERSON, &number(2)).expect("id");
    type Write = Box<dyn Fn(&mut Pen) -> Transaction>;
    let rows: Vec<(&str, Scope, Write, &str)> = vec![
        (
            "a giant Lamport number",
            here.clone(),
            Box::new(|pen| Transaction {
                lamport: i64::MAX as u64,
                ..pen.transaction(vec![change(60, vec![put("name", "x")])])
            }),
            "Lamport number 9223372036854775807",
        ),
        (
            "an unknown dependency",
            here.clone(),
            Box::new(|pen| {
                let mut unknown = change(61, vec![put("name", "x")]);
                unknown.deps = vec![Dep([7; 12])];
                pen.transaction(vec![unknown])
            }),
            "builds on a change that is not in it",
        ),
        (
            "a deletion of nothing",
            here.clone(),
            Box::new(|pen| {
                let nothing = Op { target: Target::Field("phone".into()), value: None };
                pen.transaction(vec![change(62, vec![nothing])])
            }),
            "delete",
        ),
        (
            "the roster",
            Scope::Street,
            Box::new(|pen| {
                let mut worker = change(63, vec![put("name", "马乐")]);
                worker.kind = Kind::WORKER;
                pen.transaction(vec![worker])
            }),
            "only the centre writes here",
        ),
        (
            "a verdict",
            here.clone(),
            Box::new(|pen| {
                let (voids, settled) = (Vec::new(), Vec::new());
                let verdict = Verdict {
                    log: pen.log(),
                    upto: 9,
                    head: [0; 4],
                    observed_ms: 1,
                    roster: 0,
                    voids,
                    settled,
                };
                let mut transaction = pen.transaction(Vec::new());
                transaction.verdicts = vec![verdict];
                transaction
            }),
            "only the relay decides",
        ),
        (
            "a document of another unit",
            here.clone(),
            Box::new(move |pen| {
                let mut taken = change(67, vec![put("name", "x")]);
                taken.doc = bens;
                pen.transaction(vec![taken])
            }),
            "a document of that id belongs to another unit",
        ),
        (
            "another worker's name",
            here.clone(),
            Box::new(move |pen| {
                pen.worker = ana;
                pen.transaction(vec![change(64, vec![put("name", "x")])])
            }),
            "a worker who does not use that device",
        ),
        (
            "an event that the role may not write",
            here.clone(),
            Box::new(|pen| {
                let told = Scalar::from(r#"{"kind":"dispatch","to":"x"}"#);
                let event = Op { target: Target::Event { container: "events".into() }, value: Some(told) };
                let mut case = change(65, vec![put("text", "x"), event]);
                case.kind = Kind::CASE;
                pen.transaction(vec![case])
            }),
            "post does not allow it",
        ),
        (
            "a kind that does not belong here",
            here.clone(),
            Box::new(|pen| {
                let mut unit = change(66, vec![put("name", "x")]);
                unit.kind = Kind::UNIT;
                pen.transaction(vec![unit])
            }),
            "do not belong to this unit",
        ),
        (
            "an unknown device",
            here.clone(),
            Box::new(|pen| {
                pen.key = SigningKey::from_bytes(&[77; 32]);
                pen.replica = wangge_model::identity::ReplicaId(pen.key.verifying_key().to_bytes());
                pen.transaction(vec![change(64, vec![put("name", "x")])])
            }),
            "does not know the device",
        ),
    ];
    for (at, (name, scope, write, words)) in rows.iter().enumerate() {
        let mut pen = town.pen(scope, 200 + at as u64);
        let transaction = write(&mut pen);
        let run = pen.sign(vec![transaction]);
        let mut peer = town.enter().await;
        peer.give(scope, &[run]).await;
        peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
        println!("{name}");
        town.assert_told(words);
    }
    for doc in 60..=66u8 {
        town.ana.sync().await;
        assert!(town.ana.view(&here, DocId([doc; 16])).is_none_or(|view| view.fields.is_empty()), "{doc}");
    }
    town.assert_unharmed().await;
}

/// Both branches of a fork are kept, however it is made, and everybody ends with the same.
#[tokio::test(flavor = "multi_thread")]
async fn forks_are_kept_shown_and_bounded() {
    let town = Town::new().await;
    let here = grid(0);
    let pen = town.pen(&here, 300);
    // Both branches use the same Automerge actor and sequence number.
    let branches: Vec<_> = ["一", "二"]
        .iter()
        .map(|name| {
            let mut pen = pen.clone();
            let (change, _) = pen.person(DocId([70; 16]), vec![put("name", name)]);
            pen.run(vec![change])
        })
        .collect();
    let mut peer = town.enter().await;
    for run in &branches {
        peer.give(&here, std::slice::from_ref(run)).await;
        peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
    }
    town.assert_told("forked");
    town.assert_unharmed().await;

    // Without end.
    let mut peer = town.enter().await;
    for at in 0..200u32 {
        let mut pen = pen.clone();
        let run = pen.run(vec![change(71, vec![put("name", &format!("第{at}"))])]);
        peer.give(&here, &[run]).await;
    }
    town.assert_ends("forks", peer, "no more forks and epochs").await;
    town.assert_unharmed().await;

    // Branches of nothing.
    let mut peer = town.enter().await;
    for at in 0..200u64 {
        let mut pen = town.pen(&here, 1_000 + at);
        let withheld = pen.run(vec![change(72, vec![put("name", "x")])]);
        let mut run = pen.run(vec![change(73, vec![put("name", "x")])]);
        let (of, head) = (withheld.log, Hash([7; 32]));
        run.branch = Some(Branch { of, base: 1, head, lamport: at, actor: [9; 16] });
        peer.give(&here, &[run]).await;
    }
    town.assert_ends("branches of nothing", peer, "a gap").await;
    town.assert_unharmed().await;
}

/// What was decided about one branch says nothing about another.
#[tokio::test(flavor = "multi_thread")]
async fn a_fork_does_not_pass_for_what_was_decided() {
    let town = Town::new().await;
    let here = grid(0);
    let pen = town.pen(&here, 310);
    let bens = town.ben.replica.profile().enrolment().expect("enrolled").worker;
    // Several, as a branch is named by what it holds.
    for round in 0..6u8 {
        let pen = Pen { epoch: Epoch(310 + u64::from(round)), ..pen.clone() };
        let doc = DocId([90 + round; 16]);
        let (change, _) = pen.person(doc, vec![put("name", "王一")]);
        let honest = pen.clone().run(vec![change]);
        let mut peer = town.enter().await;
        peer.give(&here, std::slice::from_ref(&honest)).await;
        peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
        let decided = Instant::now() + Duration::from_secs(30);
        while town.ana.replica.decided(&here, &pen.log()) == 0 {
            assert!(Instant::now() < decided, "the centre decides nothing");
            town.ana.sync().await;
        }
        let mut thief = Pen { worker: bens, ..pen.clone() };
        let other = DocId([190 + round; 16]);
        let (change, _) = thief.person(other, vec![put("name", "王二")]);
        let forged = thief.run(vec![change]);
        peer.give(&here, std::slice::from_ref(&forged)).await;
        peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
        town.assert_unharmed().await;
        town.ana.sync().await;
        assert!(town.ana.view(&here, doc).is_some(), "round {round}: what was accepted is gone");
        assert!(town.ana.view(&here, other).is_none(), "round {round}: it wrote in another worker's name");
    }
}

/// Frames that claim, flood, stop or stay away.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_lie_flood_or_never_come_are_refused_by_name() {
    let town = Town::new().await;
    let here = grid(0);
    let raw = |body: &[u8]| Frame::Batch(body.to_vec()).encode();
    // A batch is a block, compressed or not, and what cannot be compressed behind it. Here all is form: the scope
    // `street`, and what follows it.
    let block = |block: &[u8]| [length(block.len()), block.to_vec()].concat();
    let all_form = |rest: &[u8]| {
        let form = [&[1, 0], rest].concat();
        block(&[vec![0], length(form.len()), form].concat())
    };
    let claims_runs = all_form(&[0xff, 0xff, 0xff, 0xff, 0x0f]);

    // 16 million operations in a change.
    let mut pen = town.pen(&here, 400);
    let run = pen.run(vec![change(80, vec![put("name", "a"), put("phone", "b")])]);
    let honest = encode_batch(&here, std::slice::from_ref(&run));
    let (block_len, form_len) = (usize::from(honest[0]), usize::from(honest[2]));
    assert!(block_len < 100 && honest[1] == 0 && form_len < block_len, "short, and not compressed");
    let mut operations = Vec::new();
    for at in 3..honest.len() {
        // Whatever stands there becomes a count of 16,777,216.
        let mut bytes = [&honest[..at], &[0x80, 0x80, 0x80, 0x08], &honest[at + 1..]].concat();
        bytes[0] += if at <= block_len { 3 } else { 0 };
        bytes[2] += if at < 3 + form_len { 3 } else { 0 };
        operations.push(bytes);
    }

    let mut bomb = vec![1];
    bomb.extend_from_slice(&[0x80, 0x80, 0x20]);
    bomb.extend_from_slice(&zeros_packed(512 * 1024));
    let mut lying_bomb = vec![1, 0x80, 0x80, 0x20];
    lying_bomb.extend_from_slice(&zeros_packed(64 * 1024 * 1024));
    let mut large_bomb = vec![1];
    large_bomb.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x08]);
    large_bomb.extend_from_slice(&zeros_packed(64 * 1024 * 1024));

    for (name, bytes, words) in [
        ("a length of 2 GB", vec![0xff, 0xff, 0xff, 0xff, 0x07, 5, 1, 2, 3], "2147483647"),
        ("a length without end", vec![0xff; 32], "length"),
        ("an unknown frame", vec![2, 99, 0], "unknown tag 99"),
        ("an empty frame", vec![0], "a frame"),
        ("rubbish", vec![5, 4, 0xff, 0xff, 0xff, 0xff], "clocks"),
        ("4 billion runs", raw(&claims_runs), "a count of runs"),
        ("a zip bomb", raw(&block(&bomb)), "scope"),
        ("a lying zip bomb", raw(&block(&lying_bomb)), "a compressed block"),
        ("a zip bomb of 2 GB", raw(&block(&large_bomb)), "2147483648"),
        ("a second hello", wangge_tests::hostile::hello(&town.mallory.replica, &[], None).encode(), "hello"),
        ("a hello of the former version", former_hello(&town), "protocol version 1"),
        ("an enrolment of its own", own_grant(&town), "an enrolment that the centre did not give"),
        (
            "clocks of ten thousand logs",
            Frame::Clocks(vec![ScopeClock {
                scope: here.clone(),
                clock: many_logs(10_000, 0),
                pages: None,
                believes: None,
                again: true,
            }])
            .encode(),
            "a clock's count of ends",
        ),
        (
            "acknowledgements of ten thousand logs",
            (0..10)
                .flat_map(|at| {
                    let logs = many_logs(1_000, at * 1_000).0.into_iter().collect();
                    Frame::Acknowledged(Acknowledged { scope: here.clone(), logs }).encode()
                })
                .collect(),
            "logs of grid:330881121200",
        ),
    ] {
        let mut peer = town.enter().await;
        peer.write(&bytes).await;
        println!("{name}");
        town.assert_ends(name, peer, words).await;
    }
    // Changes as Automerge stores them: there are no words for them, in place of a batch or within one.
    let (doc, _) = town.ana.replica.natural_id(&here, Kind::PERSON, &number(1)).expect("id");
    let origins = town.ana.replica.origins(&here, Kind::PERSON, &doc).expect("reads");
    for (name, change) in harmful(origins[0].actor) {
        println!("{name}");
        for bytes in [change.clone(), block(&change), all_form(&change)] {
            let mut peer = town.enter().await;
            peer.write(&raw(&bytes)).await;
            town.assert_ends(name, peer, "cannot be read").await;
        }
    }
    // Whatever a count of operations stands in for: an error that names something, or a log that is not
    // signed. Never memory, never a panic.
    for bytes in operations {
        let mut peer = town.enter().await;
        peer.write(&raw(&bytes)).await;
        peer.say(&Frame::Ping([0; 8])).await;
        tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                match peer.hear().await {
                    Ok(Frame::Pong(_)) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        })
        .await
        .expect("an answer");
    }
    town.assert_unharmed().await;

    // A million tiny frames.
    for frame in [Frame::Ping([0; 8]).encode(), raw(&[]), Frame::GrantKept.encode()] {
        let mut peer = town.enter_again().await;
        peer.pour(&frame.repeat(1_000), 1_000_000 * frame.len()).await;
        let end = peer.end().await;
        assert!(
            end.reason().contains("too many messages")
                || end.reason().contains("stopped by peer")
                || end.reason().contains("ends in the middle"),
            "{end:?}"
        );
    }
    town.assert_told("too many messages that carry nothing");
    town.assert_unharmed().await;
}

/// Silence, half a message, and a peer that takes nothing of what it asked for.
#[tokio::test(flavor = "multi_thread")]
async fn peers_that_keep_the_relay_waiting_are_let_go() {
    let town = Town::new().await;
    let here = grid(0);
    // It opens a stream and says less than a hello.
    let mut silent = Hostile::dial(&town.mallory.replica.signing_key(), town.addr()).await;
    silent.write(&[9]).await;
    // It stops in the middle of a batch.
    let mut halved = town.enter().await;
    halved.write(&[0x80, 0x08, 5, 0, 0]).await;
    // It opens no stream at all: what the handshake proved is all that is known of it.
    town.assert_ends("silence", silent, "silence").await;
    town.assert_ends("half a message", halved, "slow writer").await;

    // It asks again and again and takes nothing.
    for order in 10..200u32 {
        // Nothing that could be packed.
        let mut noise = String::new();
        while noise.len() < 4_000 {
            let hash = wangge_model::sealed::cell_hash(format!("{order} {}", noise.len()).as_bytes());
            noise.push_str(&hash.to_string());
        }
        town.ana.person(&here, &number(order), &[("name", "王五"), ("note", &noise)]);
    }
    town.ana.sync().await;
    let mut greedy = Hostile::dial(&town.mallory.replica.signing_key(), town.addr()).await;
    let again = Frame::Clocks(vec![ScopeClock {
        scope: here.clone(),
        clock: wangge_model::clock::Clock::default(),
        pages: None,
        believes: None,
        again: true,
    }]);
    greedy.say(&wangge_tests::hostile::hello(&town.mallory.replica, &[], None)).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !town.audit().iter().any(|entry| entry["reason"].to_string().contains("slow reader")) {
        assert!(Instant::now() < deadline, "it is still given all that it asks for");
        greedy.say(&again).await;
    }
    drop(greedy);
    town.assert_unharmed().await;
}

/// Reading what it does not hold: nothing of it comes, and the audit knows.
#[tokio::test(flavor = "multi_thread")]
async fn another_grid_cannot_be_read() {
    let town = Town::new().await;
    let mut peer =
        Hostile::greet(&town.mallory.replica, town.addr(), &[Scope::Street, grid(0), grid(1), Scope::Centre])
            .await;
    peer.say(&Frame::Clocks(vec![ScopeClock {
        scope: grid(2),
        clock: wangge_model::clock::Clock::default(),
        pages: Some(None),
        believes: None,
        again: true,
    }]))
    .await;
    peer.say(&Frame::Ping([0; 8])).await;
    let mut scopes = Vec::new();
    loop {
        match peer.hear().await.expect("goes on") {
            Frame::Batch(batch) => scopes.push(wangge_model::wire::decode_batch(&batch).expect("reads").0),
            Frame::Page { scope, .. } => scopes.push(scope),
            Frame::Checkpoint(start) => scopes.push(start.scope),
            Frame::Clocks(clocks) => scopes.extend(clocks.into_iter().map(|entry| entry.scope)),
            Frame::Pong(_) => break,
            _ => {}
        }
    }
    assert!(scopes.iter().all(|scope| [Scope::Street, grid(0)].contains(scope)), "{scopes:?}");
    for scope in [grid(1), grid(2), Scope::Centre] {
        town.assert_told(&format!("asks for {scope}, which it does not hold"));
    }
    town.assert_unharmed().await;
}

/// A log that has been taken in once is not taken in again, and what was seen of others is looked up.
#[tokio::test(flavor = "multi_thread")]
async fn replays_and_made_up_pasts_change_nothing() {
    let town = Town::new().await;
    let here = grid(0);
    let mut pen = town.pen(&here, 500);
    let (change, _) = pen.person(DocId([90; 16]), vec![put("name", "赵六")]);
    let run = pen.run(vec![change]);
    let mut peer = town.enter().await;
    for _ in 0..3 {
        peer.give(&here, std::slice::from_ref(&run)).await;
        peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
    }
    // It waits for ever for what never was; nobody else does.
    let mut pen = town.pen(&here, 501);
    let mut transaction = pen.transaction(vec![self::change(91, vec![put("name", "x")])]);
    transaction.seen = vec![Seen { log: LogId([3; 8]), len: 1_000_000, head: [1; 4] }];
    transaction.lamport = 2;
    let run = pen.sign(vec![transaction]);
    peer.give(&here, &[run]).await;
    peer.hear_until(|frame| matches!(frame, Frame::Acknowledged(_))).await;
    town.assert_unharmed().await;
    town.ana.sync().await;
    assert_eq!(town.ana.view(&here, DocId([90; 16])).expect("honest").text("name"), "赵六");
    assert!(town.ana.view(&here, DocId([91; 16])).is_none());
}

/// Guessing invitations slows down, for this address alone is counted; a good one works afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_invitations_gets_slow() {
    let town = Town::new().await;
    let dir = town.relay_dir();
    let line = town.programs.invite(&dir, "新人", "grid-worker", &grid(0).to_string());
    let mut invitation = wangge_model::invitation::Invitation::from_line(&line).expect("reads");
    invitation.secret = [0; 16];
    let mut said = String::new();
    for at in 0..7 {
        invitation.number = at + 1;
        let wrong = invitation.to_line();
        said = town
            .programs
            .fails("wangge", ["join", "--dir", text(&town.dir.path().join(format!("guess{at}"))), &wrong]);
    }
    assert!(said.contains("too many wrong invitations"), "{said}");
    town.assert_told("too many wrong invitations from this address");
    let audit = town.audit();
    let refused = audit.iter().filter(|entry| entry["what"] == What::JOIN_REFUSED.to_string());
    assert_eq!(refused.count(), 5);
}

fn many_logs(count: u64, from: u64) -> wangge_model::clock::Clock {
    let extent = wangge_model::clock::Extent { len: 1, head: [0; 4] };
    wangge_model::clock::Clock(
        (from..from + count).map(|at| (LogId(at.to_be_bytes()), extent.into())).collect(),
    )
}

/// As a device says it that is not updated yet; what follows the version had another form then.
fn former_hello(town: &Town) -> Vec<u8> {
    let mut hello = wangge_tests::hostile::hello(&town.mallory.replica, &[grid(0)], None);
    if let Frame::Hello(hello) = &mut hello {
        hello.version = 1;
    }
    let mut bytes = hello.encode();
    bytes.pop();
    bytes[0] -= 1;
    bytes
}

fn own_grant(town: &Town) -> Vec<u8> {
    let profile = town.mallory.replica.profile();
    let mut grant = profile.grant().expect("granted").clone();
    grant.street_name = "马乐街道".into();
    Frame::Granted(Box::new(grant)).encode()
}

/// A length as it travels (LEB128).
fn length(mut len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes
}

/// So many zeros, packed (Brotli, RFC 7932).
fn zeros_packed(len_bytes: usize) -> Vec<u8> {
    let mut packed = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality: 5, ..Default::default() };
    let zeros = vec![0; len_bytes];
    brotli::BrotliCompress(&mut &zeros[..], &mut packed, &params).expect("packs");
    packed
}
