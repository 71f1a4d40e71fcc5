//! Records move between grids: asked for where they are, done at the centre, late edits included. Grids split.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;

use wangge_model::identity::{Role, Scope};
use wangge_node::command::{Command, CommandError, Unwatched, execute};
use wangge_tests::street::{Relay, Worker, area, assert_equal, grid, number};

fn try_run(worker: &Worker, words: &[&str]) -> Result<Value, CommandError> {
    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }
    let words = std::iter::once("wangge").chain(words.iter().copied());
    let line = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    tokio::task::block_in_place(|| {
        execute(&Arc::clone(&worker.replica), &line.command, &Unwatched).map(|answer| answer.json)
    })
}

#[track_caller]
fn run(worker: &Worker, words: &[&str]) -> Value {
    try_run(worker, words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Syncs until `holds`, or fails.
async fn until(worker: &Worker, what: &str, holds: impl Fn(&Worker) -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        worker.sync().await;
        if holds(worker) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn join(relay: &Relay, dir: &TempDir, name: &str, role: Role, unit: &Scope) -> Worker {
    Worker::join(&dir.path().join(name), &relay.invite(name, role, unit)).await
}

fn value<'a>(person: &'a Value, field: &str) -> &'a Value {
    &person["fields"][field]["value"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_moves_to_another_grid_with_late_edits_and_nothing_is_overwritten() {
    let dir = TempDir::new().expect("a directory");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, &dir, "张三", Role::GridWorker, &grid(0)).await;
    let ben = join(&relay, &dir, "李四", Role::GridWorker, &grid(0)).await;
    let cai = join(&relay, &dir, "王五", Role::GridWorker, &grid(1)).await;
    for worker in [&ana, &ben, &cai] {
        worker.sync().await;
    }
    let id = number(1);
    let id_field = format!("id_number={id}");
    let old = run(&ana, &["person", "add", &id_field, "name=王小明", "phone=13800000001", "employer=砖厂"]);
    let old = old["id"].as_str().expect("an id").to_owned();
    ana.sync().await;
    ben.sync().await;
    // Ben, without a network, does not know that she moves.
    run(&ben, &["person", "set", &id, "occupation=厨师", "phone=13800000002"]);
    let to = grid(1).to_string();
    run(&ana, &["person", "move", &id, "--to", &to, "--reason", "搬家"]);
    ana.sync().await;
    until(&cai, "the person arrives", |cai| try_run(cai, &["person", "show", &id]).is_ok()).await;
    let show = ["person", "show", &id, "--unmask", "测试"];
    let person = run(&cai, &show);
    assert_ne!(person["id"], old.as_str());
    assert_eq!(value(&person, "employer"), "砖厂");
    assert_eq!(value(&person, "phone"), "13800000001");
    let moved = person["events"].as_array().expect("events").iter().find(|e| e["kind"] == "moved");
    assert!(moved.expect("the history says so")["facts"].as_array().is_some_and(|facts| facts.len() >= 4));
    // Cai edits the phone before Ben's late edits arrive.
    run(&cai, &["person", "set", &id, "phone=13800000003"]);
    cai.sync().await;
    ben.sync().await;
    until(&cai, "late edits arrive", |cai| {
        value(&run(cai, &["person", "show", &id]), "occupation") == "厨师"
    })
    .await;
    let person = run(&cai, &show);
    assert_eq!(value(&person, "phone"), "13800000003", "what stands here is not overwritten");
    assert_eq!(person["fields"]["phone"]["others"][0]["value"], "13800000002", "and the late one shows");
    assert_eq!(run(&cai, &["person", "list"]).as_array().map(Vec::len), Some(1));
    until(&ana, "the old record is closed", |ana| {
        run(ana, &["person", "list"]).as_array().is_some_and(Vec::is_empty)
    })
    .await;
    let refused = try_run(&ana, &["person", "set", &old, "phone=13800000009"]).expect_err("moved away");
    assert_eq!(refused.code, "moved-away");
    ben.sync().await;
    assert_equal(&relay, &[&ana, &ben, &cai]);
    relay.stop().await;
}

/// The other grid has registered the same person already.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_registered_there_already_is_shown_as_one() {
    let dir = TempDir::new().expect("a directory");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, &dir, "张三", Role::GridWorker, &grid(0)).await;
    let cai = join(&relay, &dir, "王五", Role::GridWorker, &grid(1)).await;
    for worker in [&ana, &cai] {
        worker.sync().await;
    }
    let id = number(1);
    let id_field = format!("id_number={id}");
    run(&ana, &["person", "add", &id_field, "name=王小明", "phone=13800000001", "employer=砖厂"]);
    run(&cai, &["person", "add", &id_field, "name=王小明", "phone=13800000002"]);
    cai.sync().await;
    run(&ana, &["person", "move", &id, "--to", &grid(1).to_string(), "--reason", "搬家"]);
    ana.sync().await;
    until(&cai, "the record arrives", |cai| value(&run(cai, &["person", "show", &id]), "employer") == "砖厂")
        .await;
    let person = run(&cai, &["person", "show", &id, "--unmask", "测试"]);
    assert_eq!(value(&person, "phone"), "13800000002");
    assert_eq!(person["fields"]["phone"]["others"][0]["value"], "13800000001");
    assert_eq!(run(&cai, &["person", "list"]).as_array().map(Vec::len), Some(1));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grid_is_split_and_its_records_find_their_new_grid() {
    let dir = TempDir::new().expect("a directory");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, &dir, "张三", Role::GridWorker, &grid(0)).await;
    let clerk = join(&relay, &dir, "周敏", Role::CentreAdmin, &Scope::Centre).await;
    ana.sync().await;
    for (at, address) in [(1, "东头 1 号"), (2, "东头 2 号"), (3, "西头 1 号")] {
        let id_field = format!("id_number={}", number(at));
        run(
            &ana,
            &["person", "add", &id_field, "name=王小明", &format!("current_address={address}"), "--anyway"],
        );
    }
    ana.sync().await;
    clerk.sync().await;
    let new = format!("{}-1", grid(0).code());
    let split = run(
        &clerk,
        &["org", "split", grid(0).code(), "--into", &format!("{new}=东头子网格"), "--reason", "人多"],
    );
    assert_eq!(split["into"][0]["scope"], format!("grid:{new}"));
    let scope: Scope = format!("grid:{new}").parse().expect("a scope");
    until(&clerk, "the new grid", |clerk| clerk.replica.scopes().contains(&scope)).await;
    let again = try_run(&clerk, &["org", "split", grid(0).code(), "--into", &format!("{new}=东头子网格")]);
    assert_eq!(again.expect_err("exists").code, "unit-exists");
    let whole = grid(0);
    let rehome = ["org", "rehome", whole.code(), "--to", &new, "--address", "东头", "--reason", "拆分"];
    assert_eq!(run(&clerk, &rehome)["asked"], 2);
    until(&clerk, "the records", |clerk| {
        run(clerk, &["person", "list", "--unit", &format!("grid:{new}")]).as_array().map(Vec::len) == Some(2)
    })
    .await;
    until(&ana, "what is left", |ana| run(ana, &["person", "list"]).as_array().map(Vec::len) == Some(1))
        .await;
    let tree = run(&clerk, &["org", "tree"]);
    let grids = tree["areas"][0]["grids"].as_array().expect("grids");
    let split = grids.iter().find(|g| g["scope"] == grid(0).to_string()).expect("the grid");
    assert_eq!(split["sub_grids"][0]["name"], "东头子网格");
    assert_eq!(tree["areas"][0]["scope"], area().to_string());
    relay.stop().await;
}

/// Two records stand for her; both go, and an edit of either that comes late follows.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_were_merged_move_together() {
    let dir = TempDir::new().expect("a directory");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, &dir, "张三", Role::GridWorker, &grid(0)).await;
    let ben = join(&relay, &dir, "李四", Role::GridWorker, &grid(0)).await;
    let cai = join(&relay, &dir, "王五", Role::GridWorker, &grid(1)).await;
    for worker in [&ana, &ben, &cai] {
        worker.sync().await;
    }
    let add = |worker: &Worker, fields: [&str; 2]| {
        let words = [["person", "add", "--no-id", "--anyway", "name=王小明"].as_slice(), &fields].concat();
        run(worker, &words)["id"].as_str().expect("an id").to_owned()
    };
    let stays = add(&ana, ["phone=13800000001", "birth_date=1980-01-01"]);
    let goes = add(&ben, ["phone=13800000001", "employer=砖厂"]);
    ana.sync().await;
    ben.sync().await;
    ana.sync().await;
    run(&ana, &["person", "merge", &goes, "--into", &stays]);
    // Without a network.
    run(&ben, &["person", "set", &goes, "occupation=厨师"]);
    run(&ana, &["person", "move", &stays, "--to", &grid(1).to_string(), "--reason", "搬家"]);
    ana.sync().await;
    let sole = |worker: &Worker| {
        let found = run(worker, &["person", "find", "王小明"]);
        let found = found.as_array().expect("a list");
        (found.len() == 1).then(|| found[0]["id"].as_str().expect("an id").to_owned())
    };
    let shows = |cai: &Worker, field: &str, what: &str| {
        sole(cai).is_some_and(|id| value(&run(cai, &["person", "show", &id]), field) == what)
    };
    until(&cai, "what the other record says arrives", |cai| shows(cai, "employer", "砖厂")).await;
    ben.sync().await;
    until(&cai, "a late edit of the other record arrives", |cai| shows(cai, "occupation", "厨师")).await;
    until(&ana, "nobody is left behind", |ana| {
        run(ana, &["person", "find", "王小明"]).as_array().is_some_and(Vec::is_empty)
    })
    .await;
    ben.sync().await;
    assert_equal(&relay, &[&ana, &ben, &cai]);
    relay.stop().await;
}
