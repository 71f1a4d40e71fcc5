//! Inspections against versioned checklists, notices with receipts, hand-overs, requests between units.

mod common;

use common::{GRIDS, Station, everything, grid, meet};
use serde_json::{Value, json};
use wangge_model::identity::{Role, Scope};

fn area() -> Scope {
    Scope::Area("330881121".to_owned())
}

/// 片区长 of the area that all grids belong to.
fn area_head(worker: &str) -> Station {
    let mut scopes = vec![Scope::Street, area()];
    scopes.extend((0..GRIDS.len()).map(grid));
    let station = Station::empty(worker, Role::AreaHead, &area(), &scopes);
    station.write_roster(&GRIDS);
    station
}

fn id(record: &Value) -> String {
    record["id"].as_str().expect("an id").to_owned()
}

const WHOLE: [&str; 9] = [
    "basement=是",
    "partition=是",
    "exits=是",
    "windows=是",
    "smoke-alarm=是",
    "extinguisher=是",
    "wiring=否",
    "e-bike=no",
    "gas=不适用",
];

fn answers(list: &[&'static str]) -> Vec<&'static str> {
    list.iter().flat_map(|answer| ["--answer", answer]).collect()
}

#[test]
fn an_inspection_is_complete_and_what_fails_becomes_hazards() {
    let ana = Station::of_grid("张三", 1);
    let place = id(&ana.run(&["place", "add", "name=出租房一号", "address=溪淤 1 号"]));
    let before = ana.transactions();
    let submit = ["inspect", "submit", "--checklist", "rental-fire", "--place", &place];
    let message = ana.refused(&[&submit[..], &answers(&WHOLE[1..])].concat(), "answer-missing");
    for word in ["第 1 项", "地下室", "basement"] {
        assert!(message.contains(word), "{message}");
    }
    ana.refused(&[&submit[..], &answers(&WHOLE), &["--answer", "moon=是"]].concat(), "item-unknown");
    ana.refused(&[&submit[..], &answers(&WHOLE), &["--answer", "gas=大概"]].concat(), "answer-unreadable");
    // Said twice alike is nothing to ask about; said in two ways is.
    let message =
        ana.refused(&[&submit[..], &answers(&WHOLE), &["--answer", "gas=是"]].concat(), "answer-twice");
    assert!(message.contains("gas") && message.contains("不适用"), "{message}");
    ana.refused(&["inspect", "submit", "--checklist", "月球"], "checklist-unknown");
    ana.refused(&["inspect", "submit"], "checklist-missing");
    assert_eq!(ana.transactions(), before);

    let more = ["--open-hazards", "--due", "2026-12-01", "--comment", "wiring=二楼"];
    let done = ana.run(&[&submit[..], &answers(&WHOLE), &more].concat());
    assert_eq!(done["failing"], json!(["wiring", "e-bike"]));
    assert_eq!((&done["result"], &done["answers"]["gas"]), (&json!("fail"), &json!("na")));
    let hazards = ana.run(&["hazard", "list"]);
    assert_eq!(hazards.as_array().map(Vec::len), Some(2));
    for hazard in hazards.as_array().expect("hazards") {
        assert_eq!(
            (&hazard["due"], &hazard["fields"]["place"]["value"]),
            (&json!("2026-12-01"), &json!(place))
        );
        assert_eq!(hazard["fields"]["kind"]["value"], "02");
    }
    assert_eq!(ana.transactions(), before + 1, "the inspection and its hazards are one transaction");
    let text = ana.text(&["inspect", "show", &id(&done)]);
    assert!(text.contains("未私拉乱接") && text.contains("不合格") && text.contains("二楼"), "{text}");
}

#[test]
fn the_centre_replaces_a_checklist_and_old_answers_keep_theirs() {
    let (ana, clerk) = (Station::of_grid("张三", 1), Station::of_centre("王五"));
    Station::acquaint(&[&ana, &clerk]);
    let old = ana.run(&[&["inspect", "submit", "--checklist", "rental-fire"][..], &answers(&WHOLE)].concat());
    let file = clerk.path("list.json");
    let shown = clerk.run(&["checklist", "show", "rental-fire"]);
    assert_eq!(shown["version"], 1);
    let write = |list: &Value| std::fs::write(&file, list.to_string()).expect("writes");
    let name = file.to_str().expect("a name").to_owned();
    // The same version again is refused, as are a file that is none and a worker who may not.
    write(&shown);
    clerk.refused(&["checklist", "set", &name], "version-not-newer");
    let other = clerk.run(&["checklist", "show", "workplace"]);
    let mut changed = other.clone();
    changed["title"] = "厂房安全检查表".into();
    write(&changed);
    assert_eq!(
        clerk.run(&["checklist", "set", &name])["version"],
        2,
        "what was shown and changed is the next"
    );
    std::fs::write(&file, "项目,答案\n").expect("writes");
    let message = clerk.refused(&["checklist", "set", &name], "not-a-checklist");
    assert!(message.contains("不是检查表"), "{message}");
    clerk.refused(&["checklist", "set", "/nowhere/list.json"], "file-unreadable");
    let mut next = shown.clone();
    next["version"] = 2.into();
    next["items"].as_array_mut().expect("items").push(json!({ "code": "door", "text": "入户门能从内打开" }));
    write(&next);
    ana.refused(&["checklist", "set", &name], "role");
    assert_eq!(clerk.run(&["checklist", "set", &name])["version"], 2);
    meet(&ana, &clerk);
    let submit = [&["inspect", "submit", "--checklist", "出租房"][..], &answers(&WHOLE)].concat();
    let message = ana.refused(&submit, "answer-missing");
    assert!(message.contains("入户门"), "{message}");
    let new = ana.run(&[&submit[..], &["--answer", "door=是"]].concat());
    assert_eq!(new["checklist"]["version"], 2);
    assert_eq!(ana.run(&["inspect", "show", &id(&old)])["checklist"]["version"], 1);
}

#[test]
fn a_notice_is_read_and_the_centre_sees_by_whom() {
    let (ana, clerk) = (Station::of_grid("张三", 1), Station::of_centre("王五"));
    let head = area_head("李四");
    Station::acquaint(&[&ana, &clerk, &head]);
    ana.refused(&["notice", "add", "--title", "x", "--text", "y"], "role");
    let street = id(&clerk.run(&["notice", "add", "--title", "防汛", "--text", "今晚有大雨,注意巡查"]));
    let area = id(&head.run(&["notice", "add", "--title", "片区例会", "--text", "周五上午"]));
    meet(&head, &clerk);
    meet(&ana, &clerk);
    let unread = ana.run(&["notice", "list", "--unread"]);
    assert_eq!(unread.as_array().map(Vec::len), Some(2), "{unread}");
    for notice in [&street, &area] {
        assert_eq!(ana.run(&["notice", "read", notice])["read"], true);
        // Reading it again says nothing new.
        let before = ana.transactions();
        ana.run(&["notice", "read", notice]);
        assert_eq!(ana.transactions(), before);
    }
    assert_eq!(ana.run(&["notice", "list", "--unread"]), json!([]));
    meet(&ana, &clerk);
    meet(&clerk, &head);
    let readers = clerk.run(&["notice", "readers", &street]);
    let names = |list: &Value| -> Vec<String> {
        list.as_array()
            .expect("a list")
            .iter()
            .map(|r| r["worker"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&readers["read"]), ["张三"]);
    // The clerk's device of this test holds no area: of its people it cannot say.
    assert_eq!((names(&readers["unread"]), &readers["not_visible"]), (vec!["王五".to_owned()], &json!(1)));
    assert_eq!(names(&head.run(&["notice", "readers", &area])["unread"]), ["李四"]);
    head.run(&["notice", "withdraw", &area, "--reason", "改期"]);
    meet(&head, &clerk);
    meet(&ana, &clerk);
    assert_eq!(ana.run(&["notice", "show", &area])["state"], "withdrawn");
}

#[test]
fn a_grid_is_handed_over_with_what_is_open_and_unsent() {
    let (ana, ben) = common::neighbours();
    let eve = Station::of_grid("王五", 2);
    Station::acquaint(&[&ana, &ben, &eve]);
    ana.run(&["case", "report", "--category", "创建", "--text", "垃圾堆放"]);
    let hazard = id(&ana.run(&["hazard", "add", "--kind", "02", "--text", "私拉电线"]));
    let closed = id(&ana.run(&["hazard", "add", "--kind", "02", "--text", "已解决的"]));
    ana.run(&["hazard", "reinspect", &closed, "--pass"]);
    // Who works elsewhere would never see the list.
    let before = ana.transactions();
    let message = ana.refused(&["handover", "start", "--to", "王五"], "successor-elsewhere");
    assert!(message.contains("王五") && message.contains("--assignee"), "{message}");
    assert_eq!(ana.transactions(), before);
    let handover = ana.run(&["handover", "start", "--to", "李四", "--text", "请关注私拉电线"]);
    let key = id(&handover);
    // The closed one is on the list too while it is on this device alone.
    assert_eq!((&handover["count"], &handover["complete"]), (&json!(3), &json!(true)));
    assert!(handover["items"].as_array().expect("items").iter().all(|item| item["unsent"] == true));
    ana.refused(&["handover", "sign", &key], "whose");
    meet(&ana, &ben);
    ben.run(&["hazard", "rectify", &hazard, "--text", "已拆除"]);
    let help = ben.run(&["help-request", "add", "--text", "独居老人求助", "--behalf"]);
    assert_eq!(help["fields"]["behalf"]["value"], true, "{help}");
    let seen = ben.run(&["handover", "show", &key]);
    let moved = seen["items"].as_array().expect("items").iter().find(|item| item["id"] == json!(hazard));
    assert_eq!(moved.expect("the hazard")["state_now"], "待复查");
    assert_eq!(seen["since"].as_array().map(Vec::len), Some(1), "{seen}");
    let signed = ben.run(&["handover", "sign", &key]);
    assert_eq!(signed["state"], "signed");
    meet(&ana, &ben);
    assert_eq!(ana.run(&["handover", "show", &key])["state"], "signed");
    ana.refused(&["handover", "cancel", &key, "--reason", "算了"], "state");
}

#[test]
fn a_request_goes_from_grid_to_grid_through_the_area_and_a_refusal_has_a_reason() {
    let (ana, head) = (Station::of_grid("张三", 1), area_head("王五"));
    let ben = Station::of_grid("李四", 2);
    Station::acquaint(&[&ana, &ben, &head]);
    let add = ["assist", "add", "--matter", "协办", "--text", "交界处垃圾", "--assignee", "友爱村"];
    let said = ana.text(&add);
    assert!(said.contains("同步到社管中心后"), "{said}");
    let key = id(&ana.run(&["assist", "list"])[0]);
    ana.refused(&["assist", "accept", &key], "whose");
    meet(&ana, &head);
    head.run(&["assist", "route", &key]);
    meet(&head, &ben);
    let message = ben.refused(&["assist", "refuse", &key], "field-missing");
    assert!(message.contains("理由"), "{message}");
    assert_eq!(ben.run(&["assist", "refuse", &key, "--reason", "不在我网格"])["state"], "refused");
    meet(&head, &ben);
    assert_eq!(head.run(&["assist", "route", &key])["state"], "refused");
    assert_eq!(head.run(&["assist", "route", &key])["state"], "refused");
    meet(&ana, &head);
    let seen = ana.run(&["assist", "show", &key]);
    assert_eq!(seen["state"], "refused");
    assert!(seen["events"].to_string().contains("不在我网格"), "{seen}");
    ana.refused(&["assist", "route", &key], "role");
    assert!(everything().contains(&grid(2)));
}

#[test]
fn a_handbook_of_many_pages_is_read_offline() {
    let (ana, clerk) = (Station::of_grid("张三", 1), Station::of_centre("王五"));
    Station::acquaint(&[&ana, &clerk]);
    let file = clerk.path("handbook.txt");
    let text: String = (0..3_000).map(|n| format!("第 {n} 条 入户走访要先亮明身份。\n")).collect();
    std::fs::write(&file, &text).expect("writes");
    let name = file.to_str().expect("a name");
    let key = id(&clerk.run(&["handbook", "add", "--title", "网格员手册", "--file", name]));
    ana.refused(&["handbook", "add", "--title", "x", "--file", name], "role");
    clerk.refused(&["handbook", "add", "--title", "x"], "file-missing");
    meet(&ana, &clerk);
    assert_eq!(ana.run(&["handbook", "show", &key])["text"], text.trim_end());
}
