//! Cases at work: from the report to the archive, by those whose turn it is, each on a replica of his own.

mod common;

use common::{GRIDS, Station, everything, grid, meet, worker_id};
use serde_json::{Value, json};
use wangge_model::document::{Op, Target};
use wangge_model::identity::{Role, Scope};
use wangge_model::roster::{Post, Term};
use wangge_model::schema::Kind;
use wangge_node::replica::Edit;

const AREA: &str = "330881121";

/// Everybody who works on cases of one grid.
struct Office {
    worker: Station,
    colleague: Station,
    leader: Station,
    area: Station,
    window: Station,
    centre: Station,
    street: Station,
    fire: Station,
    fireman: Station,
    police: Station,
}

fn team(name: &str) -> Scope {
    Scope::Team(name.to_owned())
}

fn field(name: &str, value: &str) -> Op {
    Op { target: Target::Field(name.to_owned()), value: Some(value.into()) }
}

/// The roster: grids, teams, people with their posts and their devices, as the centre writes it.
fn write_roster(centre: &Station, stations: &[&Station]) {
    let unit = |scope: &Scope, name: &str, area: &str| Edit {
        doc: worker_id(&scope.to_string()),
        kind: Kind::UNIT,
        ops: vec![field("scope", &scope.to_string()), field("name", name), field("area", area)],
    };
    let mut edits: Vec<Edit> =
        GRIDS.iter().map(|(code, name)| unit(&Scope::Grid((*code).to_owned()), name, AREA)).collect();
    edits.extend([
        unit(&team("fire"), "消防中队", ""),
        unit(&team("police"), "派出所", ""),
        unit(&Scope::Area(AREA.to_owned()), "贺村片", ""),
        unit(&Scope::Centre, "社管中心", ""),
    ]);
    for station in stations.iter().chain([&centre]) {
        let profile = station.replica.profile();
        let enrolment = profile.enrolment().expect("enrolled");
        let (role, unit) = (enrolment.role, &enrolment.unit);
        let name = profile.grant().expect("granted").worker_name.clone();
        edits.push(Edit {
            doc: enrolment.worker,
            kind: Kind::WORKER,
            ops: vec![
                field("name", &name),
                Op {
                    target: Target::Entry { container: "posts".to_owned(), key: Post::key(role, unit) },
                    value: Some(Term::default().to_scalar()),
                },
            ],
        });
        edits.push(Edit {
            doc: worker_id(&enrolment.replica.to_string()),
            kind: Kind::REPLICA,
            ops: vec![
                field("key", &enrolment.replica.to_string()),
                field("worker", &enrolment.worker.to_string()),
                field("status", "active"),
                field("role", role.name()),
                field("unit", &unit.to_string()),
            ],
        });
    }
    centre.hear_from_centre(&edits);
}

impl Office {
    fn new() -> Self {
        let at = grid(1);
        let station = |name: &str, role: Role, unit: &Scope, scopes: &[Scope]| {
            let mut scopes = scopes.to_vec();
            scopes.push(Scope::Street);
            Station::empty(name, role, unit, &scopes)
        };
        let area = Scope::Area(AREA.to_owned());
        let mut all = everything();
        all.extend([team("fire"), team("police"), area.clone()]);
        all.retain(|scope| *scope != Scope::Street);
        let centre = station("王五", Role::CentreClerk, &Scope::Centre, &all);
        let held = [at.clone()];
        let office = Self {
            worker: station("张三", Role::GridWorker, &at, &held),
            colleague: station("李四", Role::GridWorker, &at, &held),
            leader: station("赵网格长", Role::GridLeader, &at, &held),
            area: station("钱片长", Role::AreaHead, &area, &[at.clone(), area.clone()]),
            window: station("孙窗口", Role::WindowClerk, &area, &[at.clone(), area.clone()]),
            street: station("周书记", Role::StreetLeader, &Scope::Street, &all),
            fire: station("吴队长", Role::TeamLead, &team("fire"), &[team("fire")]),
            fireman: station("冯队员", Role::TeamMember, &team("fire"), &[team("fire")]),
            police: station("郑警官", Role::TeamMember, &team("police"), &[team("police")]),
            centre,
        };
        write_roster(&office.centre, &office.stations());
        office.sync();
        office
    }

    fn stations(&self) -> [&Station; 9] {
        [
            &self.worker,
            &self.colleague,
            &self.leader,
            &self.area,
            &self.window,
            &self.street,
            &self.fire,
            &self.fireman,
            &self.police,
        ]
    }

    /// Everybody meets the centre, twice, so that all hear of all.
    fn sync(&self) {
        for _ in 0..2 {
            for station in self.stations() {
                meet(station, &self.centre);
            }
        }
    }

    /// A command by one of them, then everybody meets.
    #[track_caller]
    fn then(&self, who: &Station, words: &[&str]) -> Value {
        let answer = who.run(words);
        self.sync();
        answer
    }
}

fn case(verb: &str, id: &str, more: &[&str]) -> Vec<String> {
    ["case", verb, id].iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

fn report(office: &Office, more: &[&str]) -> String {
    let line = ["case", "report", "--category", "安全生产", "--text", "仓库堵塞通道,电话13800000001"];
    let answer = office.then(&office.worker, &[&line[..], more].concat());
    answer["id"].as_str().expect("an id").to_owned()
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry[key].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_case_goes_its_way_from_the_report_to_the_archive() {
    let office = Office::new();
    let id = report(&office, &["--level", "3"]);
    let does = |who: &Station, verb: &str, more: &[&str]| office.then(who, &words(&case(verb, &id, more)));
    let shown = office.worker.run(&["case", "show", &id]);
    assert_eq!((shown["state"].clone(), shown["level"].clone()), (json!("reported"), json!(3)));
    assert_eq!(names(&shown["timers"], "name"), ["accept", "total"]);
    // The centre gave it its number as soon as it worked on it.
    does(&office.worker, "verify", &["--text", "属实"]);
    assert_eq!(does(&office.leader, "register", &[])["state"], "registered");
    let given = does(&office.leader, "dispatch", &["--to", "张三"]);
    assert_eq!(given["assignees"][0]["scope"], grid(1).to_string());
    assert_eq!(
        (given["assignees"][0]["worker"].clone(), given["assignees"][0]["lead"].clone()),
        (json!("张三"), json!(true))
    );
    assert_eq!(does(&office.worker, "accept", &[])["state"], "in-progress");
    assert_eq!(does(&office.worker, "feedback", &["--text", "已清理,附照片"])["state"], "handled");
    let refused = office.worker.refused(&words(&case("check", &id, &["--pass"])), "case-handler");
    assert!(refused.contains("不能由您核查") && refused.contains("社管中心工作人员"), "{refused}");
    assert_eq!(does(&office.colleague, "check", &["--fail", "--reason", "还有杂物"])["state"], "in-progress");
    does(&office.worker, "feedback", &["--text", "再次清理"]);
    assert_eq!(does(&office.centre, "check", &["--pass"])["state"], "closed");
    let refused = office.worker.refused(&words(&case("feedback", &id, &["--text", "又来"])), "case-state");
    assert!(refused.contains("已结案") && refused.contains("重启"), "{refused}");
    let official = office.centre.run(&["case", "show", &id])["official_number"].clone();
    assert!(official.as_str().is_some_and(|number| number.len() == 18), "{official}");
    assert_eq!(does(&office.worker, "evaluate", &["--score", "95"])["state"], "evaluated");
    assert!(office.worker.text(&["case", "show", &id]).contains("评价 95 分"), "the score is told");
    let last = does(&office.centre, "archive", &[]);
    assert_eq!(last["state"], "archived");
    assert!(last["events"].as_array().expect("events").iter().all(|event| event["void"].is_null()));
    assert!(
        last["steps"].as_array().expect("steps").iter().all(|step| step["done"] == true),
        "{}",
        last["steps"]
    );
    assert_eq!(last["steps"][4]["times"], 2);
    assert_eq!(last["flags"], json!([]));
    // It is found by the official number too, and every replica says the same.
    let number = official.as_str().expect("text");
    assert_eq!(office.leader.run(&["case", "show", number])["state"], "archived");
    for name in ["report", "verify", "register", "dispatch", "accept", "feedback", "check"] {
        assert!(names(&last["events"], "kind").contains(&name.to_owned()), "{name}");
    }
    assert_eq!(last["events"][0]["role"], "grid-worker");
    let text = office.worker.text(&["case", "show", number]);
    assert!(text.contains("信息收集√") && text.contains("138****0001"), "{text}");
}

#[test]
fn a_team_works_on_an_order_that_tells_it_no_more_than_it_needs() {
    let office = Office::new();
    let id = report(&office, &["--level", "2"]);
    let does = |who: &Station, verb: &str, more: &[&str]| office.then(who, &words(&case(verb, &id, more)));
    does(&office.leader, "escalate", &["--reason", "网格不能解决"]);
    assert_eq!(does(&office.area, "escalate", &[])["owner"], "centre");
    does(&office.centre, "register", &[]);
    does(&office.centre, "dispatch", &["--to", "team:fire"]);
    let orders = office.fire.run(&["case", "list"]);
    assert_eq!(orders.as_array().map(Vec::len), Some(1));
    let order = &orders[0];
    assert_eq!(
        (order["kind"].clone(), order["case"].clone(), order["state"].clone()),
        (json!("order"), json!(id), json!("dispatched"))
    );
    assert!(order["due"].is_string());
    let whole = order.to_string();
    assert!(whole.contains("138****0001") && !whole.contains("13800000001"), "{whole}");
    let order = order["id"].as_str().expect("an id").to_owned();
    office.police.refused(&["case", "accept", &order], "not-found");
    office.then(&office.fire, &["case", "accept", &order]);
    assert_eq!(office.centre.run(&["case", "show", &id])["state"], "in-progress");
    office.then(&office.fire, &["case", "feedback", &order, "--text", "已清理"]);
    let shown = office.centre.run(&["case", "show", &id]);
    office.sync();
    assert_eq!(shown["state"], "handled");
    let last = shown["events"].as_array().and_then(|events| events.last()).expect("events").clone();
    assert_eq!((last["worker"].clone(), last["role"].clone()), (json!("吴队长"), json!("team-lead")));
    does(&office.centre, "check", &["--fail", "--text", "通道仍窄"]);
    assert_eq!(office.fire.run(&["case", "show", &order])["state"], "in-progress");
    office.then(&office.fire, &["case", "feedback", &order, "--text", "已加宽"]);
    assert_eq!(does(&office.centre, "check", &["--pass"])["state"], "closed");
    assert_eq!(office.fire.run(&["case", "show", &order])["state"], "closed");
    office.fire.refused(&["case", "feedback", &order, "--text", "再"], "case-state");
}

#[test]
fn several_teams_need_a_street_leader() {
    let office = Office::new();
    let id = report(&office, &["--level", "1"]);
    let does = |who: &Station, verb: &str, more: &[&str]| office.then(who, &words(&case(verb, &id, more)));
    does(&office.leader, "escalate", &[]);
    does(&office.area, "escalate", &[]);
    does(&office.centre, "register", &[]);
    let given = does(&office.centre, "dispatch", &["--to", "team:fire", "--to", "派出所"]);
    assert_eq!(given["flags"], json!(["lead-needed"]));
    let refused =
        office.centre.refused(&words(&case("appoint-lead", &id, &["--to", "team:police"])), "case-role");
    assert!(refused.contains("街道领导") && refused.contains("street-leader"), "{refused}");
    let led = does(&office.street, "appoint-lead", &["--to", "team:police"]);
    assert_eq!((led["led_by"].clone(), led["flags"].clone()), (json!("周书记"), json!([])));
    let leads: Vec<Value> =
        led["assignees"].as_array().expect("two").iter().map(|a| a["lead"].clone()).collect();
    assert_eq!(leads, [json!(false), json!(true)]);
    assert_eq!(office.police.run(&["case", "list"]).as_array().map(Vec::len), Some(1));
}

/// Two who are offline dispatch the same case: both orders stand, the centre is told.
#[test]
fn two_dispatches_offline_are_kept_and_flagged() {
    let office = Office::new();
    let id = report(&office, &[]);
    office.then(&office.leader, &words(&case("register", &id, &[])));
    office.leader.run(&words(&case("dispatch", &id, &["--to", "李四"])));
    office.centre.run(&words(&case("dispatch", &id, &["--to", "team:fire"])));
    office.sync();
    let views: Vec<Value> =
        [&office.worker, &office.leader, &office.centre].map(|who| who.run(&["case", "show", &id])).to_vec();
    for view in &views {
        assert_eq!(view["state"], "dispatched");
        assert_eq!(view["flags"], json!(["two-dispatches"]));
        assert_eq!(view["assignees"], views[0]["assignees"]);
        assert_eq!(view["assignees"].as_array().map(Vec::len), Some(2));
    }
    assert_eq!(office.centre.run(&["case", "list", "--flagged"]).as_array().map(Vec::len), Some(1));
    assert_eq!(office.fire.run(&["case", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_refusal_says_who_could() {
    let office = Office::new();
    let id = report(&office, &[]);
    let refused = |who: &Station, verb: &str, more: &[&str], code: &str| {
        who.refused(&words(&case(verb, &id, more)), code)
    };
    let said = refused(&office.worker, "register", &[], "case-role");
    assert!(said.contains("可由网格长办理") && said.contains("grid-leader"), "{said}");
    let said = refused(&office.centre, "register", &[], "case-role");
    assert!(said.contains("归网格管理"), "{said}");
    let said = refused(&office.fire, "accept", &[], "not-found");
    assert!(said.contains("没有"), "{said}");
    let said = refused(&office.leader, "accept", &[], "case-state");
    assert!(said.contains("已上报") && said.contains("尚未派遣"), "{said}");
    let said = refused(&office.worker, "close-on-spot", &[], "not-minor");
    assert!(said.contains("轻微类"), "{said}");
    office.then(&office.leader, &words(&case("register", &id, &[])));
    let said = refused(&office.leader, "dispatch", &["--to", "team:fire"], "case-teams");
    assert!(said.contains("社管中心") && said.contains("消防中队"), "{said}");
    let said = refused(&office.worker, "dispatch", &["--to", "张三"], "case-role");
    assert!(said.contains("网格长、片区信息员、片区长、社管中心工作人员、社管中心管理员"), "{said}");
    let said = refused(&office.window, "urge", &[], "case-role");
    assert!(said.contains("街道领导"), "{said}");
    assert_eq!(office.then(&office.street, &words(&case("urge", &id, &[])))["state"], "registered");
}

#[test]
fn bad_input_names_what_is_wrong_and_writes_nothing() {
    let office = Office::new();
    let id = report(&office, &[]);
    office.then(&office.leader, &words(&case("register", &id, &[])));
    let before: Vec<u64> = office.stations().iter().map(|station| station.transactions()).collect();
    let report = ["case", "report", "--text", "某事"];
    let said =
        office.worker.refused(&[&report[..], &["--category", "外星事务"]].concat(), "category-unknown");
    assert!(said.contains("外星事务") && said.contains("安全生产 (work-safety)"), "{said}");
    let said =
        office.worker.refused(&[&report[..], &["--category", "违法建筑", "--minor"]].concat(), "not-minor");
    assert!(said.contains("--minor"), "{said}");
    office.area.refused(&[&report[..], &["--category", "创建"]].concat(), "case-role");
    let refused =
        |verb: &str, more: &[&str], code: &str| office.leader.refused(&words(&case(verb, &id, more)), code);
    assert!(refused("dispatch", &[], "target-missing").contains("--to"));
    assert!(refused("dispatch", &["--to", " "], "target-missing").contains("--to"));
    let said = refused("dispatch", &["--to", "team:moon"], "target-unknown");
    assert!(said.contains("team:moon") && !said.contains("street") && !said.contains("centre"), "{said}");
    office.worker.refused(&["case", "show", ""], "text-missing");
    assert!(refused("dispatch", &["--to", "无此人"], "target-unknown").contains("无此人"));
    assert!(
        refused("dispatch", &["--to", "张三", "--at", "2026-02-30 10:00"], "time-unreadable")
            .contains("2026-02-30")
    );
    refused("dispatch", &["--to", "张三", "--at", "2126-02-03 10:00"], "time-ahead");
    refused("return", &[], "reason-missing");
    refused("feedback", &[], "text-missing");
    refused("check", &[], "outcome-missing");
    assert!(refused("evaluate", &["--score", "101"], "score").contains("--score"));
    assert!(refused("extend", &["--days", "一百"], "days").contains("--days"));
    refused("merge", &["--into", "ffffffff"], "into");
    refused("merge", &["--into", &id], "into");
    office.leader.refused(&["case", "show", "没有"], "not-found");
    office.leader.refused(&["case", "list", "--state", "flying"], "state-unknown");
    let after: Vec<u64> = office.stations().iter().map(|station| station.transactions()).collect();
    assert_eq!(before, after);
}

/// The table in real life: a Friday evening before the National Day holiday of 2025.
#[test]
fn due_is_explained_line_by_line() {
    let office = Office::new();
    let id = report(&office, &["--at", "2025-09-26 20:00"]);
    let due = office.worker.run(&["case", "due", &id, "--explain"]);
    let total = due["timers"]
        .as_array()
        .expect("timers")
        .iter()
        .find(|timer| timer["name"] == "total")
        .expect("one")
        .clone();
    assert_eq!(total["due"], "2025-10-13T17:30:00+08:00");
    let ledger = total["ledger"].as_array().expect("lines");
    let kinds = |kind: &str| ledger.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((kinds("holiday"), kinds("weekend"), kinds("counted"), kinds("off-hours")), (8, 2, 7, 1));
    assert!(ledger.iter().any(|line| line["day"] == "2025-09-28" && line["make_up"] == true));
    assert_eq!(ledger.last().expect("a line")["state"], "overdue");
    let text = office.worker.text(&["case", "due", &id, "--explain"]);
    assert!(text.contains("2025-09-28 周日(调休上班)") && text.contains("国庆节、中秋节放假,不计"), "{text}");
    assert_eq!(office.worker.run(&["case", "list", "--overdue"]).as_array().map(Vec::len), Some(1));
    assert_eq!(office.worker.run(&["case", "due", "--mine"]).as_array().map(Vec::len), Some(1));
    assert_eq!(office.colleague.run(&["case", "due", "--mine"]).as_array().map(Vec::len), Some(0));
}

/// What is "mine" follows who has to do the next thing.
#[test]
fn my_cases_are_those_that_wait_for_me() {
    let office = Office::new();
    let id = report(&office, &[]);
    let mine = |station: &Station| {
        let listed = station.run(&["case", "list", "--mine"]);
        listed.as_array().is_some_and(|cases| cases.iter().any(|case| case["id"] == id.as_str()))
    };
    // The reporter follows his case; 网格长 has to register it.
    assert_eq!((mine(&office.worker), mine(&office.colleague), mine(&office.leader)), (true, false, true));
    office.then(&office.leader, &words(&case("register", &id, &[])));
    assert!(mine(&office.leader));
    office.then(&office.leader, &words(&case("dispatch", &id, &["--to", "张三"])));
    assert_eq!((mine(&office.worker), mine(&office.leader)), (true, false));
    office.then(&office.worker, &words(&case("accept", &id, &[])));
    office.then(&office.worker, &words(&case("extend", &id, &["--days", "2", "--reason", "下雨"])));
    assert!(mine(&office.leader), "he has to answer");
    office.then(&office.leader, &words(&case("extend", &id, &["--days", "2"])));
    assert!(!mine(&office.leader));
    office.then(&office.worker, &words(&case("feedback", &id, &["--text", "已清理"])));
    assert!(mine(&office.colleague), "to be checked, by another than the handler");
    office.then(&office.colleague, &words(&case("check", &id, &["--pass"])));
    assert_eq!((mine(&office.worker), mine(&office.colleague), mine(&office.leader)), (false, false, false));
}

/// Three days without a network, handled in time; and one who writes that he did it before he had it.
#[test]
fn offline_work_is_in_time_and_back_dating_shows() {
    let office = Office::new();
    let id = report(&office, &["--level", "2", "--at", "2026-11-16 09:00"]);
    let at = |time: &'static str| ["--at", time];
    office.leader.run(&words(&case("register", &id, &at("2026-11-16 09:30"))));
    office
        .then(&office.leader, &words(&case("dispatch", &id, &["--to", "张三", "--at", "2026-11-16 10:00"])));
    // Offline.
    office.worker.run(&words(&case("accept", &id, &at("2026-11-16 11:00"))));
    office.worker.run(&words(&case("feedback", &id, &["--text", "已清理", "--at", "2026-11-17 16:00"])));
    office.sync();
    let shown = office.centre.run(&["case", "show", &id]);
    let timer = |shown: &Value, name: &str| {
        shown["timers"]
            .as_array()
            .expect("timers")
            .iter()
            .find(|timer| timer["name"] == name)
            .expect("one")
            .clone()
    };
    assert_eq!(
        (timer(&shown, "handle")["state"].clone(), timer(&shown, "handle")["due"].clone()),
        (json!("met"), json!("2026-11-18T10:00:00+08:00"))
    );
    assert_eq!(shown["flags"], json!([]));
    assert!(shown["events"][4]["recorded_at"].is_string());

    let id = report(&office, &["--level", "2", "--at", "2026-11-16 09:00"]);
    office.leader.run(&words(&case("register", &id, &at("2026-11-16 09:30"))));
    office
        .then(&office.leader, &words(&case("dispatch", &id, &["--to", "张三", "--at", "2026-11-20 10:00"])));
    office.worker.run(&words(&case("accept", &id, &at("2026-11-24 11:00"))));
    let told =
        office.worker.text(&words(&case("feedback", &id, &["--text", "已清理", "--at", "2026-11-19 16:00"])));
    assert!(told.contains("倒填时间"), "{told}");
    office.sync();
    let shown = office.centre.run(&["case", "show", &id]);
    assert_eq!(shown["flags"], json!(["back-dated"]));
    assert_eq!(shown["events"][4]["back_dated"], true);
    assert_eq!(shown["events"][4]["claimed_at"], "2026-11-19T16:00:00+08:00");
    assert_eq!(timer(&shown, "handle")["state"], "late");
    let explained = office.centre.text(&["case", "due", &id, "--explain"]);
    assert!(explained.contains("倒填:处理反馈所报时间 2026-11-19 16:00"), "{explained}");
}

/// The centre edits the rules: what is reported from then on follows them, what was reported keeps its own.
#[test]
fn new_rules_hold_for_new_cases() {
    let office = Office::new();
    let old = report(&office, &["--at", "2026-11-16 09:00"]);
    let mut rules = office.centre.run(&["case", "rules", "show"]);
    rules["categories"].as_array_mut().expect("lines").push(json!({ "code": "parks", "name": "公园绿地" }));
    for row in rules["deadlines"].as_array_mut().expect("rows") {
        row["total"] = json!({ "n": 1, "unit": "natural_day" });
    }
    let file = office.centre.path("rules.json");
    std::fs::write(&file, rules.to_string()).expect("writes");
    let file = file.to_str().expect("a path").to_owned();
    office.worker.refused(&["case", "rules", "set", &file], "role");
    let set = office.centre.run(&["case", "rules", "set", &file, "--approver", "周书记"]);
    assert_eq!(set["version"], 2);
    office.sync();
    let line = ["case", "report", "--category", "公园绿地", "--text", "草坪", "--at", "2026-11-16 09:00"];
    let new = office.then(&office.worker, &line)["id"].as_str().expect("an id").to_owned();
    let total = |id: &str| {
        let shown = office.leader.run(&["case", "show", id]);
        shown["timers"]
            .as_array()
            .expect("timers")
            .iter()
            .find(|timer| timer["name"] == "total")
            .expect("one")["due"]
            .clone()
    };
    assert_eq!(total(&old), "2026-11-25T09:00:00+08:00");
    assert_eq!(total(&new), "2026-11-17T09:00:00+08:00");
    rules["deadlines"][0]["level"] = json!(9);
    std::fs::write(&file, rules.to_string()).expect("writes");
    let said = office.centre.refused(&["case", "rules", "set", &file], "rules");
    assert!(said.contains("级别 (level) 9") && said.contains("level 9"), "{said}");
    let set = |text: &str| {
        std::fs::write(&file, text).expect("writes");
        let error = office.centre.try_run(&["case", "rules", "set", &file]).expect_err(text);
        assert_eq!(error.code, "rules", "{error}");
        (error.field.unwrap_or_default(), error.message)
    };
    for (text, field, word) in [
        ("not JSON", "", "第 1 行"),
        ("[]", "", "JSON 对象"),
        (r#"{"deadlines":[{"category":"*"}]}"#, "deadlines[0]", "缺少“level”"),
        (r#"{"nearing_percent":"many"}"#, "nearing_percent", "应为 整数"),
        (r#"{"nearing":5}"#, "nearing", "没有“nearing”这一项"),
        (r#"{"nearing_percent":150}"#, "nearing_percent", "临期比例"),
        (r#"{"back_days_max":0}"#, "back_days_max", "最多补录天数"),
        (r#"{"hours":[["17:00","09:00"]]}"#, "hours", "hours"),
        (
            r#"{"calendar":{"years":{"2026":{"holidays":[],"workdays":["2026-02-30"]}}}}"#,
            "calendar",
            "2026-02-30",
        ),
        (
            r#"{"calendar":{"years":{"2026":{"holidays":[],"workdays":["2027-05-02"]}}}}"#,
            "calendar",
            "2027-05-02",
        ),
        (r#"{"merging":[{"events":["fly","return"],"wins":"return"}]}"#, "merging", "fly"),
    ] {
        let (found, message) = set(text);
        let chinese = message.lines().next().unwrap_or_default();
        assert!(found.starts_with(field), "{text}: {found}");
        assert!(chinese.contains(word) && chinese.contains("没有保存"), "{text}: {message}");
        assert!(message.lines().count() > 1, "{message}");
    }
}

/// Whatever is refused about a case says which field or option is to blame, for programs too.
#[test]
fn each_refusal_names_its_field() {
    let office = Office::new();
    let id = report(&office, &[]);
    let field = |who: &Station, line: &[&str]| {
        let error = who.try_run(line).expect_err("refused");
        let field = error.field.clone().unwrap_or_default();
        assert_eq!(error.to_json()["error"]["field"], field.as_str(), "{line:?}: {error}");
        field
    };
    let report = ["case", "report", "--category", "创建", "--text", "垃圾"];
    for (more, expect) in [
        (&["--level", "5"][..], "level"),
        (&["--at", "明天"], "at"),
        (&["--at", "2125-01-01"], "at"),
        (&["--at", "1999-01-01"], "at"),
        (&["--place", "0123456789abcdef"], "place"),
        (&["--place", ""], "place"),
        (&["--person", "990101199001010010"], "person"),
        (&["--source", "飞鸽"], "source"),
        (&["--channel", "微信"], "channel"),
        (&["--level", "1", "--minor"], "minor"),
        (&["--unit", "月球"], "unit"),
    ] {
        assert_eq!(field(&office.worker, &[&report[..], more].concat()), expect, "{more:?}");
    }
    assert_eq!(field(&office.worker, &["case", "report", "--category", "月", "--text", "x"]), "category");
    assert_eq!(field(&office.worker, &["case", "report", "--category", "创建", "--text", " "]), "text");
    assert_eq!(field(&office.area, &report), "role");
    for (who, verb, more, expect) in [
        (&office.worker, "register", &[][..], "role"),
        (&office.leader, "accept", &[], "state"),
        (&office.worker, "close-on-spot", &[], "minor"),
        (&office.leader, "dispatch", &[], "to"),
        (&office.leader, "dispatch", &["--to", "team:moon"], "to"),
        (&office.leader, "return", &[], "reason"),
        (&office.leader, "feedback", &[], "text"),
        (&office.leader, "check", &[], "pass"),
        (&office.leader, "evaluate", &["--score", "101"], "score"),
        (&office.leader, "extend", &["--days", "一百"], "days"),
        (&office.leader, "merge", &["--into", "ffffffff"], "into"),
        (&office.leader, "register", &["--at", "昨天"], "at"),
        (&office.fire, "accept", &[], "key"),
    ] {
        assert_eq!(field(who, &words(&case(verb, &id, more))), expect, "{verb} {more:?}");
    }
    assert_eq!(field(&office.leader, &["case", "show", "没有"]), "key");
    assert_eq!(field(&office.leader, &["case", "show", ""]), "key");
    assert_eq!(field(&office.leader, &["case", "list", "--state", "flying"]), "state");
    assert_eq!(field(&office.worker, &["case", "rules", "set", "/nowhere.json"]), "role");
    assert_eq!(field(&office.centre, &["case", "rules", "set", "/nowhere.json"]), "file");
}

/// Reports about discipline go past the grid (细则 第七条 and the duties to residents): the grid's and the
/// area's people are shown the sealed way, the centre keeps the case where they do not see it.
#[test]
fn a_report_about_discipline_goes_past_the_grid() {
    let office = Office::new();
    let before: Vec<u64> = office.stations().iter().map(|station| station.transactions()).collect();
    let report = ["case", "report", "--category", "纪检", "--text", "村干部收钱办事"];
    for who in [&office.worker, &office.leader, &office.area, &office.window] {
        let said = who.refused(&report, "past-the-grid");
        assert!(said.contains("report-sealed") && said.contains("组织纪检"), "{said}");
        let opinion = ["opinion", "add", "--category", "组织纪检", "--text", "村干部收钱办事"];
        who.refused(&opinion, "past-the-grid");
    }
    let after: Vec<u64> = office.stations().iter().map(|station| station.transactions()).collect();
    assert_eq!(before, after);
    let line = [&report[..], &["--unit", "溪淤村"]].concat();
    let made = office.then(&office.centre, &line);
    assert_eq!(
        (&made["scope"], &made["owner"], &made["state"]),
        (&json!("centre"), &json!("centre"), &json!("reported"))
    );
    assert!(made["fields"]["location"]["value"].as_str().is_some_and(|at| at.contains("溪淤村")), "{made}");
    let id = made["id"].as_str().expect("an id").to_owned();
    for who in [&office.worker, &office.leader, &office.area, &office.window, &office.fire] {
        who.refused(&["case", "show", &id], "not-found");
        assert_eq!(who.run(&["case", "list"]), json!([]));
    }
    let does = |who: &Station, verb: &str, more: &[&str]| office.then(who, &words(&case(verb, &id, more)));
    does(&office.centre, "register", &[]);
    let said = office.centre.refused(&words(&case("dispatch", &id, &["--to", "溪淤村"])), "past-the-grid");
    assert!(said.contains("--to"), "{said}");
    does(&office.centre, "dispatch", &["--to", "team:police"]);
    office.then(&office.police, &["case", "accept", &id]);
    office.then(&office.police, &["case", "feedback", &id, "--text", "已核查"]);
    assert_eq!(does(&office.centre, "check", &["--pass"])["state"], "closed");
}

/// The centre's window holds the centre's scope for its own records: it is not shown the cases that lie there.
#[test]
fn the_centres_window_is_not_shown_what_went_past_the_grid() {
    let clerk = Station::of_centre("王五");
    let window = Station::empty("孙窗口", Role::WindowClerk, &Scope::Centre, &everything());
    Station::acquaint(&[&clerk, &window]);
    let made = clerk.run(&["case", "report", "--category", "纪检", "--text", "村干部收钱办事"]);
    let id = made["id"].as_str().expect("an id");
    clerk.carry_to(&window);
    assert_eq!(clerk.run(&["case", "list"])[0]["id"], made["id"]);
    for words in [&["case", "show", id][..], &["case", "note", id, "--text", "x"], &["photo", "list", id]] {
        window.refused(words, "not-found");
    }
    assert_eq!(window.run(&["case", "list"]), json!([]));
    let analysed = window.text(&["analyse"]);
    assert!(!analysed.contains("纪检"), "{analysed}");
    let reported = |station: &Station| {
        let rows = station.run(&["summary"])["rows"].clone();
        let row = rows.as_array().expect("rows").iter().find(|row| row["key"] == "case.report").cloned();
        row.map(|row| row["count"].clone())
    };
    assert_eq!((reported(&clerk), reported(&window)), (Some(json!(1)), Some(json!(0))));
    // Its own work is there.
    let asked = window.run(&["help-request", "add", "--text", "代办社保卡", "--behalf"]);
    assert_eq!(asked["scope"], "centre");
    assert_eq!(window.run(&["help-request", "list"])[0]["id"], asked["id"]);
}

/// Two of a team, and two of a grid, take the same thing on: the second is told who has it, and nobody that he
/// did wrong.
#[test]
fn whoever_accepts_second_is_told_who_was_first() {
    let office = Office::new();
    let id = report(&office, &[]);
    office.then(&office.leader, &words(&case("register", &id, &[])));
    office.then(&office.leader, &words(&case("dispatch", &id, &["--to", "溪淤村"])));
    office.worker.run(&words(&case("accept", &id, &[])));
    office.colleague.run(&words(&case("accept", &id, &[])));
    office.sync();
    let shown = office.centre.run(&["case", "show", &id]);
    let void = |shown: &Value| {
        let events = shown["events"].as_array().expect("events").iter();
        let mut voids = events.filter_map(|event| event["void"].as_str().map(str::to_owned));
        (voids.next().expect("one"), voids.next())
    };
    let (said, none) = void(&shown);
    assert!(said.contains("由张三接单") || said.contains("由李四接单"), "{said}");
    assert!(!said.contains("作废") && none.is_none(), "{said}");
    assert_eq!(shown["flags"], json!([]));
    let said = office.leader.refused(&words(&case("accept", &id, &[])), "case-accepted");
    assert!(said.contains("接单"), "{said}");

    let id = report(&office, &["--level", "1"]);
    office.then(&office.leader, &words(&case("escalate", &id, &[])));
    office.then(&office.area, &words(&case("escalate", &id, &[])));
    office.then(&office.centre, &words(&case("register", &id, &[])));
    office.then(&office.centre, &words(&case("dispatch", &id, &["--to", "team:fire"])));
    let mate = &office.fireman;
    mate.run(&["case", "accept", &id]);
    office.fire.run(&["case", "accept", &id]);
    office.sync();
    let (said, none) = void(&mate.run(&["case", "show", &id]));
    assert!(said.contains("接单") && !said.contains("作废") && none.is_none(), "{said}");
    assert!(mate.text(&["case", "show", &id]).contains(&said));
    let said = mate.refused(&["case", "accept", &id], "case-accepted");
    assert!(said.contains("接单"), "{said}");
}

/// What was merged says into which case, by the number that people know.
#[test]
fn a_merged_case_says_into_which() {
    let office = Office::new();
    let (one, other) = (report(&office, &[]), report(&office, &[]));
    office.sync();
    office.then(&office.centre, &words(&case("merge", &one, &["--into", &other])));
    // The centre numbers a case once it works on it; till then people know the device's number.
    let other_shown = office.worker.run(&["case", "show", &other]);
    let numbers = ["official_number", "number"].map(|key| other_shown[key].as_str().unwrap_or_default());
    let number = numbers.into_iter().find(|number| !number.is_empty()).expect("a number");
    let shown = office.worker.run(&["case", "show", &one]);
    assert_eq!((&shown["state"], &shown["merged_into_number"]), (&json!("merged"), &json!(number)));
    let text = office.worker.text(&["case", "show", &one]);
    assert_eq!(text.matches(number).count(), 2, "{text}");
    let said = office.centre.refused(&words(&case("merge", &other, &["--into", &one])), "into");
    assert!(said.contains(number) && said.contains("不能反过来"), "{said}");
    let said = office.centre.refused(&words(&case("merge", &other, &["--into", &other])), "into");
    assert!(said.contains("自己"), "{said}");
}

/// While the time stands still nothing is handed in: it goes on first.
#[test]
fn feedback_waits_until_a_suspended_case_goes_on() {
    let office = Office::new();
    let id = report(&office, &[]);
    for (who, verb, more) in [
        (&office.leader, "register", &[][..]),
        (&office.leader, "dispatch", &["--to", "张三"]),
        (&office.worker, "accept", &[]),
        (&office.leader, "suspend", &["--reason", "等业主回来"]),
    ] {
        office.then(who, &words(&case(verb, &id, more)));
    }
    let feedback = case("feedback", &id, &["--text", "已清理"]);
    let said = office.worker.refused(&words(&feedback), "case-suspended");
    assert!(said.contains("case resume"), "{said}");
    office.worker.run(&words(&case("resume", &id, &[])));
    assert_eq!(office.worker.run(&words(&feedback))["state"], "handled");
}

/// Whom and what a case is about is shown by name; what happened long ago is a mistyped year.
#[test]
fn a_case_shows_its_place_and_person_by_name() {
    let office = Office::new();
    let who = &office.worker;
    let place = who.run(&["place", "add", "name=老王小吃店", "address=溪淤 1 号"])["id"].clone();
    who.run(&["person", "add", common::IDS[0], "name=王小明"]);
    let line = ["case", "report", "--category", "安全生产", "--text", "灭火器过期", "--place"];
    let place = place.as_str().expect("an id");
    let made = who.run(&[&line[..], &[place, "--person", common::IDS[0]]].concat());
    assert_eq!(made["fields"]["place"]["target"]["name"], "老王小吃店");
    assert_eq!(made["fields"]["person"]["target"]["name"], "王小明");
    let id = made["id"].as_str().expect("an id");
    let text = who.text(&["case", "show", id]);
    assert!(text.contains("老王小吃店 溪淤 1 号") && text.contains("王小明 990101********0019"), "{text}");
    assert!(!text.contains(common::IDS[0]), "{text}");
    let report = ["case", "report", "--category", "创建", "--text", "旧账", "--at"];
    let said = who.refused(&[&report[..], &["1999-01-01"]].concat(), "time-long-ago");
    assert!(said.contains("1999-01-01") && said.contains("--at") && said.contains("1096"), "{said}");
    let rules = office.centre.path("rules.json");
    std::fs::write(&rules, r#"{"back_days_max":36525}"#).expect("writes");
    office.then(&office.centre, &["case", "rules", "set", rules.to_str().expect("a path")]);
    who.run(&[&report[..], &["1999-01-01"]].concat());
}
