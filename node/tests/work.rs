//! Grid work: patrols, hazards, disputes, tasks, as the workers of a grid do them on several devices.

mod common;

use common::{IDS, Station, everything, grid, meet, neighbours};
use serde_json::{Value, json};
use wangge_model::identity::{Role, Scope};

/// A 网格长 of the grid of 溪淤, with the street's roster.
fn leader(worker: &str) -> Station {
    let station = Station::empty(worker, Role::GridLeader, &grid(1), &[Scope::Street, grid(1)]);
    station.write_roster(&common::GRIDS);
    station
}

fn id(record: &Value) -> String {
    record["id"].as_str().expect("an id").to_owned()
}

fn kinds(record: &Value) -> Vec<(String, bool)> {
    let events = record["events"].as_array().expect("events");
    events
        .iter()
        .map(|event| (event["kind"].as_str().expect("a kind").to_owned(), !event["void"].is_null()))
        .collect()
}

#[test]
fn a_hazard_is_rectified_and_inspected_again_by_a_colleague() {
    let (ana, ben) = neighbours();
    let hazard = ana.run(&[
        "hazard",
        "add",
        "--kind",
        "消防",
        "--text",
        "楼道堆放杂物",
        "--due",
        "2025-12-01",
        "--at",
        "2025-11-22 10:05",
    ]);
    assert_eq!((&hazard["state"], &hazard["due"]), (&json!("open"), &json!("2025-12-01")));
    assert_eq!(hazard["fields"]["kind"]["value"], "02");
    assert_eq!(hazard["made_at"], "2025-11-22T10:05:00+08:00");
    meet(&ana, &ben);
    let key = id(&hazard);
    let seen = ben.run(&["hazard", "rectify", &key, "--text", "已清理"]);
    assert_eq!(seen["state"], "rectified");
    meet(&ana, &ben);
    let closed = ana.run(&["hazard", "reinspect", &key, "--pass"]);
    assert_eq!((&closed["state"], &closed["closed"]), (&json!("closed"), &json!(true)));
    // What is finished is finished: the message says what it is and when it would be possible.
    let before = ana.transactions();
    let message = ana.refused(&["hazard", "rectify", &key, "--text", "再清理"], "state");
    for word in ["隐患", "已销号", "待整改"] {
        assert!(message.contains(word), "{message}");
    }
    ana.refused(&["hazard", "reinspect", &key], "state");
    assert_eq!(ana.transactions(), before);
}

#[test]
fn of_two_inspections_apart_the_one_that_failed_counts_on_both_devices() {
    for first in [true, false] {
        let (ana, ben) = neighbours();
        let key = id(&ana.run(&["hazard", "add", "--kind", "02", "--text", "灭火器过期"]));
        meet(&ana, &ben);
        ana.run(&["hazard", "reinspect", &key, "--pass"]);
        ben.run(&["hazard", "reinspect", &key, "--fail", "--text", "仍未更换", "--due", "2026-01-10"]);
        if first {
            ana.carry_to(&ben);
            ben.carry_to(&ana);
        } else {
            ben.carry_to(&ana);
            ana.carry_to(&ben);
        }
        let (at_ana, at_ben) = (ana.run(&["hazard", "show", &key]), ben.run(&["hazard", "show", &key]));
        for seen in [&at_ana, &at_ben] {
            assert_eq!(seen["state"], "failed");
            let pass = seen["events"].as_array().expect("events").iter().find(|e| e["result"] == "pass");
            assert!(pass.expect("it stays visible")["void"].is_string(), "with the reason: {seen}");
            assert_eq!(seen["events"].as_array().map(Vec::len), Some(3), "nothing vanishes");
            assert_eq!(seen["due"], "2026-01-10");
        }
        assert_eq!(at_ana["state"], at_ben["state"]);
        assert_eq!(kinds(&at_ana), kinds(&at_ben));
    }
}

#[test]
fn a_task_comes_from_above_and_is_done_by_whom_it_was_given_to() {
    let (ana, lead) = (Station::of_grid("张三", 1), leader("王五"));
    meet(&ana, &lead);
    let message = ana.refused(&["task", "add", "--title", "排查", "--assignee", "李四"], "role");
    for word in ["网格长", "片区长", "社管中心", "您的岗位是网格员"] {
        assert!(message.contains(word), "{message}");
    }
    let task =
        lead.run(&["task", "add", "--title", "排查出租房", "--assignee", "张三", "--due", "2026-12-01"]);
    let key = id(&task);
    assert_eq!((&task["state"], &task["assignee"]["name"]), (&json!("open"), &json!("张三")));
    meet(&ana, &lead);
    // Progress is the assignee's.
    lead.refused(&["task", "progress", &key, "--text", "一半"], "whose");
    assert_eq!(ana.run(&["task", "list", "--mine"]).as_array().map(Vec::len), Some(1));
    ana.run(&["task", "accept", &key]);
    ana.run(&["task", "progress", &key, "--text", "查了 20 户", "--percent", "50"]);
    assert_eq!(ana.run(&["task", "complete", &key, "--text", "全部查完"])["state"], "done");
    ana.refused(&["task", "confirm", &key], "role");
    meet(&ana, &lead);
    assert_eq!(lead.run(&["task", "redo", &key, "--reason", "少了两户"])["state"], "doing");
    meet(&ana, &lead);
    ana.run(&["task", "complete", &key, "--text", "补查了"]);
    meet(&ana, &lead);
    let done = lead.run(&["task", "confirm", &key]);
    assert_eq!(done["state"], "closed");
    assert!(kinds(&done).iter().all(|(_, void)| !void), "{done}");
}

#[test]
fn what_cannot_be_is_refused_by_name_and_short_words_are_understood() {
    let lead = leader("李四");
    let ana = Station::of_grid("张三", 1);
    let away = Station::of_grid("王五", 2);
    Station::acquaint(&[&lead, &ana, &away]);
    // Whose post lies elsewhere would never see it.
    let message = lead.refused(&["task", "add", "--title", "排查", "--assignee", "王五"], "assignee-beyond");
    assert!(message.contains("王五") && message.contains("友爱村委会"), "{message}");
    let key = id(&lead.run(&["task", "add", "--title", "排查", "--assignee", "张三"]));
    meet(&lead, &ana);
    let more = ["task", "progress", &key, "--text", "快了", "--percent", "500"];
    let message = ana.refused(&more, "number-unreadable");
    assert!(message.contains("完成百分比") && message.contains("100"), "{message}");
    ana.run(&["task", "progress", &key, "--text", "快了", "--percent", "50%"]);
    // A mistyped ID number is said to be one, as when a person is registered.
    let visit = ["visit", "add", "--purpose", "看望", "--result", "平安", "--person", "990101199001010018"];
    ana.refused(&visit, "id-check-digit");
    // 书面 for 书面协议, but nothing that two names begin with.
    let dispute =
        id(&ana.run(&["dispute", "add", "--category", "邻里", "--text", "争吵", "--parties", "甲、乙"]));
    let message = ana
        .refused(&["dispute", "add", "--category", "涉", "--text", "x", "--parties", "甲"], "code-unknown");
    assert!(message.contains("纠纷类别"), "{message}");
    let agreed = ana.run(&["dispute", "agree", &dispute, "--text", "和解", "--form", "书面"]);
    assert!(agreed["events"].to_string().contains("written"), "{agreed}");
}

#[test]
fn a_point_of_a_track_lies_somewhere() {
    let ana = Station::of_grid("张三", 1);
    let patrol = id(&ana.run(&["patrol", "start", "--track"]));
    let point = ["patrol", "point", &patrol, "--longitude", "118.5", "--latitude"];
    let before = ana.transactions();
    let message = ana.refused(&[&point[..], &["128"]].concat(), "coordinates-out-of-range");
    assert!(message.contains("128"), "{message}");
    assert_eq!(ana.transactions(), before);
    ana.run(&[&point[..], &["28.6"]].concat());
}

#[test]
fn a_task_called_off_while_its_assignee_finished_it_offline_is_finished() {
    let (ana, lead) = (Station::of_grid("张三", 1), leader("王五"));
    meet(&ana, &lead);
    let key = id(&lead.run(&["task", "add", "--title", "排查", "--assignee", "张三"]));
    meet(&ana, &lead);
    // Late by a week, written offline.
    ana.run(&["task", "accept", &key]);
    ana.run(&["task", "complete", &key, "--text", "完成"]);
    lead.run(&["task", "cancel", &key, "--reason", "不需要了"]);
    meet(&ana, &lead);
    for seen in [ana.run(&["task", "show", &key]), lead.run(&["task", "show", &key])] {
        assert_eq!(seen["state"], "done");
        let cancel = seen["events"].as_array().expect("events").iter().find(|e| e["kind"] == "cancel");
        let void =
            cancel.expect("it stays visible")["void"].as_str().expect("void, with a reason").to_owned();
        assert!(void.contains("待确认"), "{void}");
    }
}

#[test]
fn who_clearly_refuses_mediation_is_not_mediated() {
    let ana = Station::of_grid("张三", 1);
    let dispute = ana.run(&[
        "dispute",
        "add",
        "--category",
        "02",
        "--text",
        "宅基地边界",
        "--parties",
        "甲、乙",
        "--scale",
        "个体性",
    ]);
    let key = id(&dispute);
    ana.run(&["dispute", "mediate", &key, "--text", "第一次调解"]);
    assert_eq!(ana.run(&["dispute", "refuse", &key, "--party", "乙"])["state"], "refused");
    let message = ana.refused(&["dispute", "mediate", &key, "--text", "再来一次"], "state");
    assert!(message.contains("拒绝调解"), "{message}");
    ana.run(&["dispute", "consent", &key, "--party", "乙"]);
    ana.run(&["dispute", "agree", &key, "--text", "各退一步", "--form", "written"]);
    assert_eq!(ana.run(&["dispute", "close", &key])["state"], "closed");
}

#[test]
fn a_patrol_keeps_no_track_unless_asked_and_records_what_it_finds() {
    let ana = Station::of_grid("张三", 1);
    let patrol = ana.run(&["patrol", "start", "--route", "村东"]);
    let key = id(&patrol);
    let point = ["--longitude", "118.57", "--latitude", "28.79"];
    let message = ana.refused(&[&["patrol", "point", &key][..], &point].concat(), "no-track");
    assert!(message.contains("--track"), "{message}");
    let found = ana.run(&[
        "patrol",
        "finding",
        &key,
        "--text",
        "电线私拉",
        "--hazard-kind",
        "消防",
        "--due",
        "2026-12-01",
        "--report",
        "出租房消防",
        "--level",
        "4",
    ]);
    let hazard = ana.run(&["hazard", "show", found["hazard"].as_str().expect("a hazard")]);
    assert_eq!((&hazard["state"], &hazard["due"]), (&json!("open"), &json!("2026-12-01")));
    let case = found["case"]["id"].as_str().expect("a case");
    assert_eq!(ana.run(&["case", "show", case])["fields"]["text"]["value"], "电线私拉");
    let event = &found["events"][1];
    assert_eq!((&event["hazard"], &event["case"]), (&found["hazard"], &json!(case)));
    assert_eq!(ana.run(&["patrol", "end", &key, "--text", "其余正常"])["state"], "ended");
    let tracked = id(&ana.run(&["patrol", "start", "--track"]));
    ana.run(&[&["patrol", "point", &tracked][..], &point].concat());
}

#[test]
fn what_is_missing_or_wrong_is_named_and_nothing_is_written() {
    let ana = Station::of_grid("张三", 1);
    let patrol = id(&ana.run(&["patrol", "start"]));
    let before = ana.transactions();
    let refused: &[(&[&str], &str, &str)] = &[
        (&["hazard", "add", "--text", "x"], "field-missing", "隐患类型"),
        (&["hazard", "add", "--kind", "77", "--text", "x"], "code-unknown", "02 消防"),
        (&["hazard", "add", "--kind", "02", "--text", "　"], "field-missing", "内容"),
        (
            &["hazard", "add", "--kind", "02", "--text", "x", "--due", "2026-02-30"],
            "date-impossible",
            "整改期限",
        ),
        (&["visit", "add", "--purpose", "看望", "--result", "平安"], "field-missing", "走访对象"),
        (
            &["visit", "add", "--person", "0123456789", "--purpose", "看望", "--result", "平安"],
            "not-found",
            "没有",
        ),
        (&["opinion", "add", "--text", "路灯", "--phone", "123"], "phone-format", "联系电话"),
        (&["publicity", "add", "--title", "反诈", "--count", "很多"], "number-unreadable", "人数"),
        (&["patrol", "finding", &patrol, "--text", ""], "field-missing", "内容"),
        (&["patrol", "finding", &patrol, "--text", "x", "--hazard-kind", "77"], "code-unknown", "隐患类型"),
        (&["patrol", "start", "--at", "明天"], "time-unreadable", "明天"),
        (&["patrol", "start", "--at", "2125-01-01"], "time-ahead", "将来"),
        (&["patrol", "start", "--unit", "火星"], "unit-unknown", "火星"),
        (&["patrol", "start", "--unit", "友爱村"], "unit-not-held", "友爱"),
        (&["help-request", "add", "--text", "求助", "--unit", "street"], "role", "社管中心"),
        (&["hazard", "list", "--state", "好"], "state-unknown", "待整改"),
        (&["hazard", "show", "abcdef12"], "not-found", "abcdef12"),
        (&["handover", "start", "--assignee", "赵六"], "worker-unknown", "赵六"),
    ];
    for (words, code, says) in refused {
        let message = ana.refused(words, code);
        assert!(message.contains(says), "{words:?}: {message}");
    }
    let long = "长".repeat(4_001);
    ana.refused(&["hazard", "add", "--kind", "02", "--text", &long], "text-too-long");
    assert_eq!(ana.transactions(), before);
}

#[test]
fn a_visit_lives_where_its_person_lives_and_an_opinion_is_answered_to_the_person() {
    let clerk = Station::of_centre("王五");
    clerk.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "--unit", "友爱村"]);
    let visit = clerk.run(&["visit", "add", "--person", IDS[0], "--purpose", "独居老人", "--result", "平安"]);
    assert_eq!(visit["scope"], grid(2).to_string());
    let opinion =
        clerk.run(&["opinion", "add", "--category", "创建", "--text", "路灯不亮", "--person", IDS[0]]);
    let key = id(&opinion);
    assert_eq!(clerk.run(&["opinion", "answer", &key, "--text", "本周修"])["state"], "answered");
    let told = clerk.run(&["opinion", "feedback", &key, "--text", "已电话告知", "--method", "电话"]);
    assert_eq!(told["state"], "fed-back");
    assert!(everything().contains(&grid(2)));
}

/// Code tables of grid work are the centre's too: what it sets is taken and shown, what it drops is not taken.
#[test]
fn the_centre_edits_the_codes_of_grid_work() {
    let admin = Station::empty("王五", Role::CentreAdmin, &Scope::Centre, &common::everything());
    admin.write_roster(&common::GRIDS);
    assert_eq!(admin.run(&["codes", "show", "safety-hazard"])["codes"]["02"], "消防");
    let file = admin.path("hazard.csv");
    std::fs::write(&file, "00,无\n02,消防\n50,汛情\n").expect("writes");
    let add =
        |kind: &'static str| ["hazard", "add", "--kind", kind, "--text", "河堤渗水", "--unit", "溪淤村"];
    let before = admin.run(&add("治安"));
    admin.run(&["codes", "set", "safety-hazard", file.to_str().expect("a path")]);
    let made = admin.run(&add("汛情"));
    assert!(admin.text(&["hazard", "show", made["id"].as_str().expect("an id")]).contains("隐患类型:汛情"));
    // What a code meant while it was in use is still shown.
    assert!(admin.text(&["hazard", "show", before["id"].as_str().expect("an id")]).contains("隐患类型:治安"));
    for none in ["治安", "无"] {
        let message = admin.refused(&add(none), "code-unknown");
        assert!(message.contains("50 汛情"), "{message}");
    }
}
