//! A team works on a case of a grid that it never sees: the relay carries over between the two scopes.

use std::time::Duration;

use clap::Parser;
use serde_json::Value;

use wangge_model::identity::{Role, Scope};
use wangge_node::command::{Command, Unwatched, execute};
use wangge_tests::street::{Relay, Worker, area, assert_equal, grid};

/// What `words` ask of a worker's replica.
fn run(worker: &Worker, words: &[&str]) -> Value {
    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }
    let line = std::iter::once("wangge").chain(words.iter().copied());
    let command = Line::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).command;
    execute(&worker.replica, &command, &Unwatched).unwrap_or_else(|error| panic!("{words:?}: {error}")).json
}

/// Syncs until the case or the order is in `state`.
async fn until(worker: &Worker, key: &str, state: &str) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        worker.sync().await;
        let shown = run(worker, &["case", "show", key]);
        if shown["state"] == state {
            return shown;
        }
        assert!(tokio::time::Instant::now() < deadline, "{key} is {}, not {state}", shown["state"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The clerk's workstation goes offline as soon as it has sent the dispatch. The relay gives the team its
/// order, and the grid the team's answers.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_carries_a_teams_work_between_its_order_and_the_case() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let join = |name: &'static str, role: Role, unit: Scope| {
        let line = relay.invite(name, role, &unit);
        let at = dir.path().join(name);
        async move { Worker::join(&at, &line).await }
    };
    // Before there is a team: the clerk's replica does not hold its scope.
    let clerk = join("王五", Role::CentreClerk, Scope::Centre).await;
    let team = Scope::Team("fire".to_owned());
    relay.ask(&serde_json::json!({ "AddUnit": [team, "消防中队", ""] }));
    let fire = join("吴队长", Role::TeamLead, team.clone()).await;
    let worker = join("张三", Role::GridWorker, grid(0)).await;
    let leader = join("赵网格长", Role::GridLeader, grid(0)).await;
    let head = join("钱片长", Role::AreaHead, area()).await;
    for each in [&clerk, &fire, &worker, &leader, &head] {
        each.sync().await;
    }

    let text = "仓库堵塞通道,联系 13800000001";
    let report = ["case", "report", "--category", "安全生产", "--text", text, "--level", "2"];
    let id = run(&worker, &report)["id"].as_str().expect("an id").to_owned();
    worker.sync().await;
    until(&leader, &id, "reported").await;
    run(&leader, &["case", "escalate", &id]);
    leader.sync().await;
    head.sync().await;
    run(&head, &["case", "escalate", &id]);
    head.sync().await;
    clerk.sync().await;
    run(&clerk, &["case", "register", &id]);
    run(&clerk, &["case", "dispatch", &id, "--to", "team:fire"]);
    clerk.sync().await;

    let order = loop {
        fire.sync().await;
        if let Some(order) = run(&fire, &["case", "list"]).as_array().and_then(|list| list.first().cloned()) {
            break order;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let shown = order.to_string();
    assert!(!shown.contains("13800000001") && shown.contains("安全生产"), "{shown}");
    assert!(order["official_number"].as_str().is_some_and(|number| number.len() == 18), "{shown}");
    let order = order["id"].as_str().expect("an id").to_owned();
    run(&fire, &["case", "accept", &order]);
    run(&fire, &["case", "feedback", &order, "--text", "已清理"]);
    fire.sync().await;

    let handled = until(&worker, &id, "handled").await;
    let last = handled["events"].as_array().and_then(|events| events.last()).expect("events");
    assert_eq!(
        (&last["worker"], &last["role"], &last["kind"]),
        (&"吴队长".into(), &"team-lead".into(), &"feedback".into())
    );
    assert!(last["received_at"].is_string());
    assert!(handled["events"].as_array().expect("events").iter().all(|event| event["void"].is_null()));
    assert!(handled["official_number"].as_str().is_some_and(|number| number.len() == 18));

    run(&worker, &["case", "check", &id, "--pass"]);
    worker.sync().await;
    until(&fire, &order, "closed").await;
    until(&clerk, &id, "closed").await;
    for each in [&clerk, &fire, &worker, &leader] {
        each.sync().await;
    }
    assert_equal(&relay, &[&clerk, &fire, &worker, &leader]);
    relay.stop().await;
}
