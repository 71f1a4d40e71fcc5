//! A resident's data is erased on every device, also on one that was offline and went on writing.

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;

use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;
use wangge_node::command::{Command, Unwatched, execute};
use wangge_node::replica::vault::KEY_FILE;
use wangge_node::replica::{Edit, Replica};
use wangge_store::{Batch, Options, Store};
use wangge_tests::street::{Relay, Worker, copy, grid};

const ERASED: &str = "990101199001010019";
const STAYS: &str = "990101199001010027";

fn run(worker: &Worker, words: &[&str]) -> Result<Value, wangge_node::command::CommandError> {
    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }
    let words = std::iter::once("wangge").chain(words.iter().copied());
    let command = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).command;
    execute(&worker.replica, &command, &Unwatched).map(|answer| answer.json)
}

fn phone(doc: DocId, number: &str) -> Edit {
    let op = Op { target: Target::Field("phone".to_owned()), value: Some(Scalar::from(number)) };
    Edit { doc, kind: Kind::PERSON, ops: vec![op] }
}

fn holds(dir: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).expect("lists").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle))
    })
}

/// Syncs everybody until nobody has anything new to say and all hold the same.
async fn settle(relay: &Relay, workers: &[&Worker]) {
    let digest = |worker: &Worker| {
        let digests = worker.replica.digests().expect("digests");
        digests.iter().find(|digest| digest.scope == grid(0)).map(ToString::to_string).expect("held")
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        for worker in workers {
            worker.sync().await;
            worker.settle();
        }
        let at_relay = relay.digests();
        let differ: Vec<String> =
            workers.iter().map(|worker| digest(worker)).filter(|line| !at_relay.contains(line)).collect();
        let status = run(workers[0], &["erase", "status"]).expect("status");
        let done = status.as_array().is_none_or(|orders| orders.iter().all(|order| order["done"] == true));
        if differ.is_empty() && done {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{differ:?} against {at_relay:?}\n{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resident_is_erased_everywhere_and_the_rest_stands() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let relay = Relay::start(&at("relay")).await;
    let ana = Worker::join(&at("ana"), &relay.invite("ana", Role::GridWorker, &grid(0))).await;
    ana.sync().await;
    let erased = ana.person(&grid(0), ERASED, &[("name", "慕容云海"), ("phone", "13812345670")]);
    let stays = ana.person(&grid(0), STAYS, &[("name", "李四")]);
    // Enough for pages: whoever joins keeps some of them for others.
    for number in 0..40 {
        let op = |field: &str, value: String| Op {
            target: Target::Field(field.to_owned()),
            value: Some(Scalar::from(value)),
        };
        let doc = DocId([100 + number; 16]);
        let ops = vec![op("name", format!("居民{number}"))];
        ana.edit(&grid(0), vec![Edit { doc, kind: Kind::PERSON, ops }]);
    }
    ana.sync().await;
    let ben = Worker::join(&at("ben"), &relay.invite("ben", Role::GridLeader, &grid(0))).await;
    ben.sync().await;
    let admin = Worker::join(&at("admin"), &relay.invite("admin", Role::CentreAdmin, &Scope::Centre)).await;
    admin.sync().await;
    assert!(admin.view(&grid(0), erased).is_some() && ben.view(&grid(0), erased).is_some());

    // Who may, and what a reason may say.
    let refused = run(&ana, &["erase", ERASED, "--reason", "本人申请"]).expect_err("a grid worker may not");
    assert_eq!(refused.code, "may-not");
    for reason in ["慕容云海申请", "990101199001010019", "  "] {
        let refused = run(&admin, &["erase", ERASED, "--reason", reason]).expect_err("it tells");
        assert!(["reason-tells", "reason-missing"].contains(&refused.code.as_ref()), "{}", refused.message);
    }
    let dossier = run(&admin, &["person", "dossier", ERASED]).expect("a copy");
    assert_eq!(dossier["person"]["fields"]["id_number"]["value"], ERASED);
    assert!(dossier["history"].as_array().is_some_and(|changes| !changes.is_empty()));

    // What lies on Ana's disk before.
    drop(ana);
    copy(&at("ana"), &at("before"));
    let old_key_file = std::fs::read(at("before").join(KEY_FILE)).expect("a key file");
    let raw = Store::open(&at("before"), Options::default()).expect("opens");
    let wrap = [b"k".as_slice(), &erased.0].concat();
    let kept: Vec<(Vec<u8>, Vec<u8>)> = raw
        .scan(b"")
        .map(|entry| entry.expect("reads"))
        .filter(|(key, _)| *key == wrap || key.ends_with(&erased.0))
        .collect();
    assert!(kept.len() >= 3, "a key, a document, a view");
    raw.close();
    let ana = Worker::open(&at("ana"));

    // Ben, offline, writes to both residents at once.
    ben.edit(&grid(0), vec![phone(erased, "13800000001"), phone(stays, "13800000002")]).expect("saved");
    run(&admin, &["erase", ERASED, "--reason", "本人申请"]).expect("ordered");
    assert!(admin.view(&grid(0), erased).is_some(), "an order counts once the centre has accepted it");
    settle(&relay, &[&admin, &ana, &ben]).await;

    for worker in [&admin, &ana, &ben] {
        assert!(worker.view(&grid(0), erased).is_none());
        let view = worker.view(&grid(0), stays).expect("stays");
        assert_eq!(view.text("phone"), "13800000002", "the rest of the transaction stands");
        let (again, generation) = worker.replica.natural_id(&grid(0), Kind::PERSON, ERASED).expect("an id");
        assert!(again != erased, "the next registration takes the next generation");
        assert_eq!(generation, 1);
        assert!(worker.replica.commit(&grid(0), vec![phone(erased, "1")], None).is_err());
    }
    let status = run(&admin, &["erase", "status"]).expect("status");
    assert_eq!(status[0]["replicas"].as_array().map(Vec::len), Some(4), "{status}");

    // A new device verifies the chains that now have holes, and may register the resident again.
    let cleo = Worker::join(&at("cleo"), &relay.invite("cleo", Role::GridWorker, &grid(0))).await;
    cleo.sync().await;
    cleo.sync().await;
    let anew = cleo.person(&grid(0), ERASED, &[("name", "慕容云海")]);
    assert_ne!(anew, erased);
    settle(&relay, &[&admin, &cleo, &ana, &ben]).await;
    assert_eq!(ben.view(&grid(0), anew).expect("there").text("name"), "慕容云海");

    // Whoever digs in the disk finds the old values, but no key that opens them.
    drop((ana, ben, cleo));
    assert!(!holds(&at("ana"), &old_key_file[60..]), "the old key file is still there");
    for name in ["ana", "ben"] {
        copy(&at(name), &at("dug"));
        let raw = Store::open(&at("dug"), Options::default()).expect("opens");
        let mut batch = Batch::new();
        for (key, value) in &kept {
            assert!(raw.get(key).expect("reads").is_none(), "{name} still has it");
            batch.put(key.clone(), value.clone());
        }
        raw.commit(batch).expect("commits");
        raw.close();
        let dug = Arc::new(Replica::open(&at("dug"), Options::default()).expect("opens"));
        assert!(dug.get(&grid(0), Kind::PERSON, &erased).is_err(), "{name}: an old copy opens");
        drop(dug);
        std::fs::remove_dir_all(at("dug")).expect("removes");
    }
    relay.stop().await;
}

/// What others wrote about a resident in their own words is not his record: whoever erases him is told which
/// records they are, before and after, old values included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_erases_a_resident_is_told_where_else_he_is_spoken_of() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let relay = Relay::start(&at("relay")).await;
    let ana = Worker::join(&at("ana"), &relay.invite("ana", Role::GridWorker, &grid(0))).await;
    let admin = Worker::join(&at("admin"), &relay.invite("admin", Role::CentreAdmin, &Scope::Centre)).await;
    ana.sync().await;
    ana.person(&grid(0), ERASED, &[("name", "慕容云海"), ("phone", "13812345670")]);
    ana.run(&["person", "set", ERASED, "phone=13812345671"]);
    // A namesake, a family member at the old phone, one who never had to do with him.
    let namesake = ana.person(&grid(0), STAYS, &[("name", "慕容云海")]);
    let family = ana.person(&grid(0), "990101199001010035", &[("name", "李四"), ("phone", "13812345670")]);
    let corrected =
        ana.person(&grid(0), "990101199001010043", &[("name", "王五"), ("note", "与慕容云海合租")]);
    ana.set(&grid(0), corrected, &[("note", "合租")]);
    let text = "住户（９９０１０１ 19900101 0019）反映漏水";
    let case = ana.run(&["case", "report", "--category", "安全生产", "--text", text]);
    let case = case["id"].as_str().expect("an id").to_owned();
    ana.sync().await;
    admin.sync().await;

    let of = |answer: &Value| -> Vec<(String, String, bool)> {
        let mentions = answer["mentions"].as_array().or(answer.as_array()).expect("a list").clone();
        let text = |mention: &Value, name: &str| mention[name].as_str().expect("text").to_owned();
        mentions.iter().map(|m| (text(m, "id"), text(m, "by"), m["old"] == true)).collect()
    };
    let before = run(&admin, &["erase", ERASED, "--dry-run"]).expect("only tells");
    let found = of(&before);
    assert!(found.contains(&(case.clone(), "number".to_owned(), false)), "{before}");
    assert!(found.contains(&(family.to_string(), "number".to_owned(), false)), "{before}");
    assert!(found.contains(&(corrected.to_string(), "name".to_owned(), true)), "{before}");
    assert!(!found.iter().any(|(id, _, _)| *id == namesake.to_string()), "{before}");
    assert_eq!(
        run(&admin, &["erase", "status"]).expect("status"),
        serde_json::json!([]),
        "nothing was ordered"
    );

    let ordered = run(&admin, &["erase", ERASED, "--reason", "本人申请"]).expect("ordered");
    assert_eq!(of(&ordered), found);
    settle(&relay, &[&admin, &ana]).await;
    let after = run(&admin, &["erase", "mentions", ERASED, "13812345670"]).expect("looks");
    let found = of(&after);
    assert!(found.contains(&(case, "number".to_owned(), false)), "{after}");
    assert!(found.contains(&(family.to_string(), "number".to_owned(), false)), "{after}");
    let found = of(&run(&admin, &["erase", "mentions", "慕容云海"]).expect("looks"));
    assert!(found.contains(&(corrected.to_string(), "name".to_owned(), true)), "{found:?}");
    assert_eq!(run(&admin, &["erase", "mentions", "12"]).expect_err("too short").code, "text-missing");
    relay.stop().await;
}

/// A resident who was registered twice, merged and moved has several records: all of them go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_records_of_a_resident_who_was_merged_and_moved_are_erased() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let relay = Relay::start(&at("relay")).await;
    let ana = Worker::join(&at("ana"), &relay.invite("ana", Role::GridWorker, &grid(0))).await;
    let cai = Worker::join(&at("cai"), &relay.invite("cai", Role::GridWorker, &grid(1))).await;
    let admin = Worker::join(&at("admin"), &relay.invite("admin", Role::CentreAdmin, &Scope::Centre)).await;
    for worker in [&ana, &cai, &admin] {
        worker.sync().await;
    }
    ana.person(&grid(0), ERASED, &[("name", "慕容云海"), ("phone", "13812345670")]);
    let twice = ana.run(&["person", "add", "name=慕容云海", "phone=13812345670", "--no-id", "--anyway"]);
    let twice = twice["id"].as_str().expect("an id").to_owned();
    ana.run(&["person", "merge", &twice, "--into", ERASED]);
    ana.sync().await;
    ana.run(&["person", "move", ERASED, "--to", &grid(1).to_string(), "--reason", "搬家"]);
    let records = |worker: &Worker| {
        let mut found = 0;
        for scope in [grid(0), grid(1)] {
            let _ = worker.replica.each(&scope, Kind::PERSON, |view| {
                found += usize::from(view.texts("name").contains(&"慕容云海".to_owned()));
                true
            });
        }
        found
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while records(&admin) < 4 {
        assert!(std::time::Instant::now() < deadline, "{} records", records(&admin));
        for worker in [&ana, &cai, &admin] {
            worker.sync().await;
            worker.settle();
        }
    }
    let unit = grid(1).to_string();
    let ordered = run(&admin, &["erase", ERASED, "--unit", &unit, "--reason", "本人申请"]).expect("ordered");
    assert_eq!(ordered["records"].as_array().map(Vec::len), Some(4), "{ordered}");
    let all = [&admin, &ana, &cai];
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while all.iter().any(|worker| records(worker) > 0) {
        assert!(std::time::Instant::now() < deadline, "{:?} records", all.map(&records));
        for worker in all {
            worker.sync().await;
            worker.settle();
        }
    }
    assert_eq!(run(&admin, &["erase", "mentions", ERASED]).expect("looks"), serde_json::json!([]));
    relay.stop().await;
}

/// Who hears of an erasure before the unit is his has nothing to report then; once it is, he says that he has nothing
/// of the resident, and nobody waits for his word for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_given_a_unit_after_an_erasure_there_reports_it_too() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let relay = Relay::start(&at("relay")).await;
    let ana = Worker::join(&at("ana"), &relay.invite("ana", Role::GridWorker, &grid(0))).await;
    let cai = Worker::join(&at("cai"), &relay.invite("cai", Role::GridWorker, &grid(1))).await;
    let admin = Worker::join(&at("admin"), &relay.invite("admin", Role::CentreAdmin, &Scope::Centre)).await;
    ana.sync().await;
    let erased = ana.person(&grid(0), ERASED, &[("name", "慕容云海"), ("phone", "13812345670")]);
    ana.sync().await;
    admin.sync().await;
    run(&admin, &["erase", ERASED, "--reason", "本人申请"]).expect("ordered");
    settle(&relay, &[&admin, &ana]).await;
    while !cai.replica.is_erased(&erased) {
        cai.sync().await;
        cai.settle();
    }
    relay.roster(&["assign", "--worker", "cai", "--role", "grid-worker", "--unit", &grid(0).to_string()]);
    while !cai.replica.scopes().contains(&grid(0)) {
        cai.sync().await;
    }
    settle(&relay, &[&admin, &ana, &cai]).await;
}
