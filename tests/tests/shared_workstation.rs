//! Several workers on one device, each with his PIN: whose turn it is signs, and nobody else in his name.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use wangge_model::document::Document;
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::log::{EMPTY_HEAD, Run, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::Transaction;
use wangge_model::turn::sign_turn;
use wangge_model::verdict::VoidReason;
use wangge_node::net::share;
use wangge_node::replica::ReplicaError;
use wangge_node::replica::vault::{Pin, PinCost, VaultError};
use wangge_tests::process::{Programs, text};
use wangge_tests::street::{Relay, Worker, assert_equal, grid, number, put};

const DIVISIONS: &str = "code,name,area\n330881121200,溪淤村委会,东片\n330881121201,友爱村委会,东片\n";
const NUMBER: &str = "990101199001010019";

fn pin(typed: &str) -> Pin {
    Pin::new(typed).expect("long enough")
}

/// What a changed program would write on `device` after `before`, in whatever name and with whatever signature.
fn forged(
    device: &Worker,
    scope: &Scope,
    before: &mut Vec<Transaction>,
    change: impl FnOnce(&mut Transaction),
) -> Run {
    let secret = device.replica.secret(scope).expect("held");
    let last = before.last().expect("the log has begun").clone();
    let doc = DocId([before.len() as u8; 16]);
    let mut transaction = Transaction {
        seq: last.seq + 1,
        lamport: last.lamport + 1,
        actor_nonce: None,
        opening: None,
        seen: Vec::new(),
        changes: vec![Document::new(doc, Kind::PERSON).expect("known").draft(vec![put("name", "李鬼")])],
        turn: None,
        ..last
    };
    change(&mut transaction);
    before.push(transaction.clone());
    let mut head = EMPTY_HEAD;
    for transaction in before.iter() {
        head = next_head(&head, &transaction.hash(&secret));
    }
    let log = transaction.log;
    let signature = sign_head(&device.replica.signing_key(), &log, transaction.seq, &head);
    Run { log, branch: None, transactions: vec![transaction], signature }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_alone_speaks_for_nobody() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let desk =
        Worker::join(&dir.path().join("desk"), &relay.invite("张三", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    // Before it is shared the device's signature is enough, also for what is decided later.
    let first = desk.person(&grid(0), &number(1), &[("name", "王五")]);
    let invitation = relay.invite("李四", Role::GridWorker, &grid(0));
    let none = share(&desk.replica, &invitation, &pin("2222"), PinCost::TRIFLING).await;
    assert!(none.is_err(), "the first one has no PIN");
    desk.replica.store().set_pin((None, None), &pin("1111"), PinCost::TRIFLING).expect("sets");
    let joined = share(&desk.replica, &invitation, &pin("2222"), PinCost::TRIFLING).await.expect("joins");
    assert_eq!((joined.worker_name.as_str(), joined.role), ("李四", Role::GridWorker));
    let invitation = relay.invite("李四", Role::GridWorker, &grid(0));
    let again = share(&desk.replica, &invitation, &pin("3333"), PinCost::TRIFLING).await;
    assert!(again.is_err(), "a worker's key is not replaced because the device says so");

    let listed = relay.roster(&["list"]);
    let devices = listed["devices"].as_array().expect("a list");
    let key = desk.replica.profile().replica().to_string();
    let listed = devices.iter().find(|device| device["replica"] == key.as_str()).expect("listed");
    assert_eq!(listed["shared"], true);
    assert!(listed["workers"].as_array().expect("a list").iter().all(|worker| worker["has_key"] == true));

    // Nobody's turn: nothing is written.
    let vault = desk.replica.store();
    let edit = |name: &str| {
        vec![wangge_node::replica::Edit { doc: first, kind: Kind::PERSON, ops: vec![put("note", name)] }]
    };
    let refused = desk.replica.commit(&grid(0), edit("无人"), None);
    assert!(matches!(refused, Err(ReplicaError::NoTurn)), "{refused:?}");
    assert!(matches!(vault.check_worker(Some("李四"), &pin("1111")), Err(VaultError::PinWrong { .. })));
    let zhang = vault.check_worker(Some("张三"), &pin("1111")).expect("his").expect("shared");
    let li = vault.check_worker(None, &pin("2222")).expect("his").expect("shared");
    desk.replica.begin_turn(zhang.clone()).expect("begins");
    desk.person(&grid(0), &number(2), &[("name", "赵六")]);
    desk.replica.begin_turn(li.clone()).expect("begins");
    desk.person(&grid(0), &number(3), &[("name", "钱七")]);
    desk.replica.end_turn();
    desk.decided(&grid(0)).await;
    ben.sync().await;
    let log = desk.log(&grid(0));
    let runs = desk.replica.load_from(&grid(0), &log, 1).expect("loads");
    let mut written: Vec<Transaction> = runs.into_iter().flat_map(|run| run.transactions).collect();
    assert_eq!(written.iter().map(|t| t.worker).collect::<Vec<_>>()[1..], [zhang.worker, li.worker]);
    let honest = written.len() as u64;
    for seq in 1..=honest {
        assert_eq!(desk.replica.void_reason(&grid(0), &log, seq), None, "position {seq}");
    }

    // Whoever holds the device without a PIN: unsigned, signed by a colleague, with a signature moved from elsewhere.
    let secret = desk.replica.secret(&grid(0)).expect("held");
    let moved = written.last().and_then(|last| last.turn);
    assert!(moved.is_some());
    let mut runs = vec![forged(&desk, &grid(0), &mut written, |t| t.worker = li.worker)];
    runs.push(forged(&desk, &grid(0), &mut written, |t| t.worker = zhang.worker));
    runs.push(forged(&desk, &grid(0), &mut written, |t| {
        t.worker = li.worker;
        t.turn = Some(sign_turn(&zhang.key(), &t.said(&secret)));
    }));
    runs.push(forged(&desk, &grid(0), &mut written, |t| (t.worker, t.turn) = (li.worker, moved)));
    for run in runs {
        assert_eq!(ben.replica.ingest(&grid(0), vec![run]).expect("well signed").misfits, []);
    }
    ben.settle();
    let deadline = Instant::now() + Duration::from_secs(60);
    while ben.replica.decided(&grid(0), &log) < honest + 4 {
        ben.sync().await;
        assert!(Instant::now() < deadline, "the centre decides nothing");
    }
    for seq in honest + 1..=honest + 4 {
        assert_eq!(ben.replica.void_reason(&grid(0), &log, seq), Some(VoidReason::NoTurn), "position {seq}");
    }

    // The centre ends the use of the device: the PIN alone lets nobody act there.
    relay.roster(&["leave", "--worker", "李四", "--device", &desk.replica.profile().replica().to_string()]);
    desk.try_sync().await.expect("syncs");
    let refused = desk.replica.begin_turn(li);
    assert!(matches!(refused, Err(ReplicaError::NotHere { .. })), "{refused:?}");
    desk.sync().await;
    ben.sync().await;
    assert_equal(&relay, &[&ben]);
}

// ---- with the real programs

fn programs() -> Programs {
    Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")))
}

/// `wangge` by somebody who gives his PIN.
fn with(worker: &str, pin: &str, args: &[&str]) -> Command {
    let mut command = programs().command("wangge", args.iter().copied());
    command.env("WANGGE_WORKER", worker).env("WANGGE_PIN", pin).env("WANGGE_NEW_PIN", "");
    command
}

fn run(worker: &str, pin: &str, args: &[&str]) -> Output {
    with(worker, pin, args).output().expect("runs")
}

fn renewing(worker: &str, pin: &str, new: &str, args: &[&str]) -> Output {
    with(worker, pin, args).env("WANGGE_NEW_PIN", new).output().expect("runs")
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output, word: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it was not refused");
    assert!(stderr.contains(word) && !stderr.contains("panicked"), "{stderr}");
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn a_working_day_at_one_desk() {
    let dir = tempfile::tempdir().expect("a directory");
    let (relay_at, desk_at) = (dir.path().join("relay"), dir.path().join("desk"));
    let (relay_dir, desk) = (text(&relay_at), text(&desk_at));
    let programs = programs();
    programs.found(&relay_at, DIVISIONS);
    let relay = programs.serve(&relay_at, "127.0.0.1:0");
    let invite = |name: &str, unit: &str| programs.invite(&relay_at, name, "grid-worker", unit);
    done(&run("", "", &["join", "--dir", desk, &invite("张三", "grid:330881121200")]));
    let line = invite("李四", "grid:330881121200");
    refused(&renewing("", "", "2222", &["join", "--dir", desk, &line]), "wangge pin set");
    done(&renewing("", "", "1111", &["pin", "set", "--dir", desk]));
    refused(&renewing("", "9999", "2222", &["join", "--dir", desk, &line]), "PIN");
    done(&renewing("", "1111", "2222", &["join", "--dir", desk, &line]));
    // Another village's worker, with a PIN that a colleague has as well.
    done(&renewing("张三", "1111", "2222", &["join", "--dir", desk, &invite("王五", "grid:330881121201")]));
    done(&run("李四", "2222", &["sync", "--dir", desk]));
    // A PIN from the beginning, as the new one or as the PIN; and nobody else acts on a device that is one worker's.
    for (at, pin, new) in [("one", "5555", ""), ("two", "", "5555")] {
        let own = dir.path().join(at);
        let line = invite("孙七", "grid:330881121200");
        done(&renewing("", pin, new, &["join", "--dir", text(&own), &line, "--pin"]));
        refused(&run("", "", &["status", "--dir", text(&own)]), "PIN");
        refused(&run("张三", "5555", &["status", "--dir", text(&own)]), "孙七");
        done(&run("孙七", "5555", &["status", "--dir", text(&own)]));
    }

    let add = |name: &str| {
        let name = format!("name={name}");
        vec!["person".to_owned(), "add".into(), "--dir".into(), desk.into(), name, "--no-id".into()]
    };
    let add = |worker: &str, pin: &str, name: &str| {
        let args = add(name);
        run(worker, pin, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    refused(&add("李四", "1111", "慕容甲"), "PIN");
    refused(&add("", "2222", "慕容甲"), "--me");
    done(&add("李四", "2222", "慕容乙"));
    done(&add("张三", "1111", "慕容丙"));
    done(&add("王五", "2222", "慕容丁"));
    let find = |worker: &str, pin: &str| {
        done(&run(worker, pin, &["person", "find", "慕容", "--dir", desk, "--json"]))
    };
    assert!(find("王五", "2222").contains("慕容丁"));
    assert!(!find("王五", "2222").contains("慕容乙"), "he sees another village's residents");
    assert!(!find("李四", "2222").contains("慕容丁"), "he sees another village's residents");
    let status = done(&run("李四", "2222", &["status", "--dir", desk, "--json"]));
    assert!(status.contains("李四"), "{status}");
    refused(&run("张三", "1111", &["pin", "remove", "--dir", desk]), "PIN");
    done(&renewing("王五", "2222", "3333", &["pin", "change", "--dir", desk]));
    refused(&run("王五", "2222", &["status", "--dir", desk]), "PIN");

    // A daemon: one turn after the other.
    let mut run_it = with("张三", "1111", &["run", "--dir", desk, "--idle-lock", "6"]);
    let mut daemon = Daemon(run_it.stderr(Stdio::piped()).spawn().expect("starts"));
    let stderr = daemon.0.stderr.take().expect("piped");
    assert!(matches!(BufReader::new(stderr).lines().next(), Some(Ok(_))), "the daemon ended");
    refused(&run("", "1111", &["switch", "--worker", "李四", "--dir", desk]), "PIN");
    done(&run("", "2222", &["switch", "--worker", "李四", "--dir", desk]));
    // It is his turn: a colleague acts in his own name, with his own PIN, or not at all.
    refused(&add("张三", "", "慕容戊"), "李四");
    done(&add("", "1111", "慕容戊"));
    let status = done(&run("", "", &["status", "--dir", desk]));
    assert!(status.contains("张三") && !status.contains("李四"), "{status}");
    done(&run("李四", "2222", &["status", "--dir", desk]));
    let deadline = Instant::now() + Duration::from_secs(30);
    while run("", "", &["status", "--dir", desk]).status.success() {
        assert!(Instant::now() < deadline, "the daemon does not lock itself");
        std::thread::sleep(Duration::from_millis(6_300));
    }
    done(&add("张三", "1111", "慕容己"));
    done(&run("王五", "", &["lock", "--dir", desk]));
    refused(&run("", "", &["status", "--dir", desk]), "unlock");
    done(&run("", "2222", &["unlock", "--worker", "李四", "--dir", desk]));
    let offline = ["person", "add", "--dir", desk, "name=慕容庚", &format!("id_number={NUMBER}")];
    done(&run("", "", &offline));
    // One more comes while the daemon runs, let in by whoever is there; his village comes with him.
    let line = invite("赵八", "grid:330881121201");
    refused(&renewing("李四", "9999", "8888", &["join", "--dir", desk, &line]), "PIN");
    refused(&renewing("李四", "", "8888", &["join", "--dir", desk, &line]), "PIN");
    refused(&renewing("李四", "2222", "8888", &["join", "--dir", desk, "WG1-NONSENSE"]), "邀请码");
    let joined = done(&renewing("李四", "2222", "8888", &["join", "--dir", desk, &line]));
    assert!(joined.contains("赵八"), "{joined}");
    done(&add("赵八", "8888", "慕容癸"));
    drop(daemon);
    relay.kill();
    done(&add("李四", "2222", "慕容辛"));

    // He forgets his PIN with work that nobody else has. The centre helps him and changes nobody else's.
    let request = done(&run("", "", &["pin", "recover", "--dir", desk, "--json"]));
    let request: serde_json::Value = serde_json::from_str(&request).expect("json");
    let request = request["request"].as_str().expect("a line");
    let said = programs.fails("wangge-relay", ["recover", "--dir", relay_dir, request]);
    assert!(said.contains("李四") && said.contains("王五"), "{said}");
    let answer = programs.run("wangge-relay", ["recover", "--dir", relay_dir, "--worker", "李四", request]);
    let recover = ["pin", "recover", "--dir", desk, answer.lines().next().expect("a line")];
    done(&renewing("", "", "4444", &recover));
    refused(&run("李四", "2222", &["status", "--dir", desk]), "PIN");
    assert!(find("李四", "4444").contains("慕容辛"), "unsent work is lost");
    done(&run("张三", "1111", &["status", "--dir", desk]));

    // All of it counts at the centre: what is written with a key that the centre does not know is void.
    let relay = programs.serve(&relay_at, "127.0.0.1:0");
    let address = relay.addr.to_string();
    done(&add("李四", "4444", "慕容壬"));
    done(&run("李四", "4444", &["sync", "--dir", desk, "--relay", &address]));
    done(&run("李四", "4444", &["sync", "--dir", desk, "--relay", &address]));
    let found = find("李四", "4444");
    for name in ["慕容乙", "慕容丙", "慕容己", "慕容庚", "慕容辛", "慕容壬"] {
        assert!(found.contains(name), "{name} does not count: {found}");
    }
    let board = programs.run("wangge-relay", ["digest", "--dir", relay_dir]);
    let own = done(&run("李四", "4444", &["digest", "--dir", desk]));
    for line in own.lines() {
        assert!(board.contains(line), "{line}\n{board}");
    }
    relay.kill();
}
