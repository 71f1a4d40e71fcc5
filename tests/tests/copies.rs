//! Records of which several units hold a copy each: the relay lets all of them stand.

use std::time::Duration;

use serde_json::{Value, json};

use wangge_model::identity::{Role, Scope};
use wangge_tests::street::{Relay, Worker, area, grid, until_equal};

fn id(record: &Value) -> String {
    record["id"].as_str().expect("an id").to_owned()
}

/// Syncs until `words` answer as `holds` says.
async fn until(worker: &Worker, words: &[&str], holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        worker.sync().await;
        let answer = worker.try_run(words).unwrap_or(Value::Null);
        if holds(&answer) {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{words:?}: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An area's notice lies in its grids too, which do not hold the area's records: each of its people reads
/// it by the same id, and the area sees who has.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_of_an_area_is_read_in_its_grids() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let head = Worker::join(&dir.path().join("head"), &relay.invite("钱片长", Role::AreaHead, &area())).await;
    let worker =
        Worker::join(&dir.path().join("worker"), &relay.invite("张三", Role::GridWorker, &grid(0))).await;
    until_equal(&relay, &[&head, &worker]).await;
    let notice = id(&head.run(&["notice", "add", "--title", "片区例会", "--text", "周五上午"]));
    until_equal(&relay, &[&head, &worker]).await;
    let listed = until(&worker, &["notice", "list"], |list| list[0]["id"] == json!(notice)).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(worker.run(&["notice", "read", &notice])["read"], true);
    let read = |readers: &Value| readers["read"][0]["worker"] == "张三";
    worker.sync().await;
    until(&head, &["notice", "readers", &notice], read).await;
    head.run(&["notice", "withdraw", &notice, "--reason", "改期"]);
    head.sync().await;
    until(&worker, &["notice", "show", &notice], |shown| shown["state"] == "withdrawn").await;
    until_equal(&relay, &[&head, &worker]).await;
    // Nothing of it was refused at the centre.
    assert_eq!(worker.run(&["notice", "show", &notice])["delivery"], "centre");
    relay.stop().await;
}

/// A grid asks a team for help. The request reaches the team through the centre, and its answer comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_a_team_through_the_centre_and_its_refusal_comes_back() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let team = Scope::Team("fire".to_owned());
    relay.ask(&json!({ "AddUnit": [team, "消防中队", ""] }));
    let join = |name: &'static str, role: Role, unit: Scope| {
        let line = relay.invite(name, role, &unit);
        let at = dir.path().join(name);
        async move { Worker::join(&at, &line).await }
    };
    let clerk = join("王五", Role::CentreClerk, Scope::Centre).await;
    let fire = join("吴队长", Role::TeamLead, team.clone()).await;
    let leader = join("赵网格长", Role::GridLeader, grid(0)).await;
    let all = [&clerk, &fire, &leader];
    until_equal(&relay, &all).await;
    let add = ["assist", "add", "--matter", "协办", "--text", "排查仓库", "--to", "team:fire"];
    let request = id(&leader.run(&add));
    leader.sync().await;
    until(&clerk, &["assist", "show", &request], |shown| shown["state"] == "open").await;
    clerk.run(&["assist", "route", &request]);
    clerk.sync().await;
    until(&fire, &["assist", "show", &request], |shown| shown["state"] == "open").await;
    fire.run(&["assist", "refuse", &request, "--reason", "人手不足"]);
    fire.sync().await;
    let shown = until(&leader, &["assist", "show", &request], |shown| shown["state"] == "refused").await;
    assert!(shown["events"].to_string().contains("人手不足"), "{shown}");
    until_equal(&relay, &all).await;
    relay.stop().await;
}

/// Two grids, nobody else at work: the request and what comes of it go by themselves, each told once.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_between_grids_and_its_answers_go_by_themselves() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let join = |name: &'static str, at: usize| {
        let line = relay.invite(name, Role::GridWorker, &grid(at));
        let at = dir.path().join(name);
        async move { Worker::join(&at, &line).await }
    };
    let (asks, helps) = (join("张三", 0).await, join("李四", 1).await);
    let all = [&asks, &helps];
    until_equal(&relay, &all).await;
    let add = ["assist", "add", "--matter", "协办", "--text", "交界处垃圾", "--to", &grid(1).to_string()];
    let request = id(&asks.run(&add));
    asks.sync().await;
    until(&helps, &["assist", "show", &request], |shown| shown["state"] == "open").await;
    for (verb, state, text) in [("accept", "accepted", "下午去"), ("complete", "completed", "清走了")] {
        helps.run(&["assist", verb, &request, "--text", text]);
        helps.sync().await;
        let shown = until(&asks, &["assist", "show", &request], |shown| shown["state"] == state).await;
        assert!(shown["events"].to_string().contains(text), "{shown}");
    }
    let shown = asks.run(&["assist", "show", &request]);
    let kinds: Vec<&str> = shown["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["add", "route", "pass-back", "pass-back"], "{shown}");
    until_equal(&relay, &all).await;
    relay.stop().await;
}
