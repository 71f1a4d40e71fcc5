//! A team works on a case of a grid that it never sees: the relay carries over between the two scopes.

use std::time::Duration;

use serde_json::Value;

use wangge_model::identity::{Role, Scope};
use wangge_tests::street::{Relay, Worker, area, assert_equal, grid};

fn run(worker: &Worker, words: &[&str]) -> Value {
    worker.run(words)
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
    run(&clerk, &["case", "dispatch", &id, "--to", "team:fire", "--text", "今晚前到场,找13800000001"]);
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
    assert!(shown.contains("今晚前到场"), "{shown}");
    assert_eq!((&order["level"], &order["assignees"][0]["lead"]), (&2.into(), &true.into()));
    assert_eq!(
        (&order["timers"][0]["name"], &order["timers"][0]["state"]),
        (&"handle".into(), &"running".into())
    );
    let due = order["due"].clone();
    assert_eq!(run(&fire, &["case", "due"])[0]["id"], order["id"]);
    assert_eq!(run(&fire, &["case", "list", "--overdue"]), serde_json::json!([]));
    assert_eq!(run(&fire, &["case", "list", "--state", "已派遣"]).as_array().map(Vec::len), Some(1));
    let order = order["id"].as_str().expect("an id").to_owned();
    // The team knows the case by the id that everybody else uses as well.
    run(&fire, &["case", "accept", &id]);
    run(&fire, &["case", "extend", &id, "--days", "2", "--reason", "等配件"]);
    fire.sync().await;
    until(&clerk, &id, "in-progress").await;
    run(&clerk, &["case", "extend", &id]);
    run(&clerk, &["case", "urge", &id, "--text", "抓紧"]);
    clerk.sync().await;
    // Its order says the later time, and says once what both the clerk's device and the relay carried over.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let shown = loop {
        fire.sync().await;
        let shown = run(&fire, &["case", "show", &order]);
        if shown["due"] != due && shown["events"].to_string().contains("urge") {
            break shown;
        }
        assert!(tokio::time::Instant::now() < deadline, "{shown}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let urged = shown["events"].as_array().expect("events").iter().filter(|event| event["kind"] == "urge");
    assert_eq!(urged.count(), 1, "{shown}");
    run(&fire, &["case", "feedback", &order, "--text", "已清理"]);
    fire.sync().await;

    let handled = until(&worker, &id, "handled").await;
    let last = handled["events"].as_array().and_then(|events| events.last()).expect("events");
    assert_eq!(
        (&last["worker"], &last["role"], &last["kind"]),
        (&"吴队长".into(), &"team-lead".into(), &"feedback".into())
    );
    assert!(last["received_at"].is_string());
    // A list knows when the relay had each event as well: it says what is overdue.
    let listed = run(&worker, &["case", "list"]);
    assert_eq!((&listed[0]["events"], &listed[0]["timers"]), (&handled["events"], &handled["timers"]));
    let void = |event: &&Value| !event["void"].is_null();
    assert_eq!(handled["events"].as_array().expect("events").iter().find(void), None, "{handled}");
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

/// 一人多岗: the head of the grid belongs to the team as well. He sees the case as the one and works on it as the
/// other, by the id that everybody uses.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_of_the_team_and_of_the_grid_works_on_the_teams_order() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let team = Scope::Team("fire".to_owned());
    relay.ask(&serde_json::json!({ "AddUnit": [team, "消防中队", ""] }));
    let join = |name: &'static str, role: Role, unit: Scope| {
        let line = relay.invite(name, role, &unit);
        let at = dir.path().join(name);
        async move { Worker::join(&at, &line).await }
    };
    let clerk = join("王五", Role::CentreClerk, Scope::Centre).await;
    let leader = join("赵网格长", Role::GridLeader, grid(0)).await;
    relay.roster(&["assign", "--worker", "赵网格长", "--role", "team-member", "--unit", "team:fire"]);
    let report = ["case", "report", "--category", "安全生产", "--text", "仓库堵塞通道"];
    leader.sync().await;
    let id = run(&leader, &report)["id"].as_str().expect("an id").to_owned();
    run(&leader, &["case", "register", &id]);
    leader.sync().await;
    until(&clerk, &id, "registered").await;
    run(&clerk, &["case", "dispatch", &id, "--to", "team:fire"]);
    clerk.sync().await;
    // The order comes once the relay has carried it over.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while let Err(error) = leader.try_run(&["case", "accept", &id]) {
        assert!(tokio::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        leader.sync().await;
    }
    leader.sync().await;
    until(&clerk, &id, "in-progress").await;
    run(&leader, &["case", "feedback", &id, "--text", "已清理"]);
    leader.sync().await;
    let handled = until(&clerk, &id, "handled").await;
    let last = handled["events"].as_array().and_then(|events| events.last()).expect("events");
    assert_eq!((&last["worker"], &last["role"]), (&"赵网格长".into(), &"team-member".into()));
    relay.stop().await;
}
