//! Cases: reported, noted, shown.

mod common;

use common::{IDS, Station, everything, grid, meet, neighbours, shown};
use serde_json::json;
use wangge_model::identity::{Role, Scope};

#[test]
fn a_case_is_reported_noted_and_shown_in_order() {
    let (ana, ben) = neighbours();
    let place = ana.run(&["place", "add", "name=老王小吃店", "address=溪淤 1 号"]);
    let place_id = place["id"].as_str().expect("an id");
    let case = ana.run(&[
        "case",
        "report",
        "--category",
        "安全生产",
        "--text",
        "灭火器过期",
        "--place",
        place_id,
        "--level",
        "4",
        "--at",
        "2025-11-22 10:05",
    ]);
    let number = case["number"].as_str().expect("a number").to_owned();
    let device = ana.replica.profile().replica().to_string();
    assert_eq!(number, format!("121200-{}-1", &device[..2]));
    assert_eq!(shown(&case["fields"], "place"), place_id);
    assert_eq!(shown(&case["fields"], "level"), "4");
    let second = ana.run(&["case", "report", "--category", "创建", "--text", "垃圾堆放", "--minor"]);
    assert_eq!(second["number"], format!("121200-{}-2", &device[..2]));
    meet(&ana, &ben);
    ben.run(&["case", "note", &number, "--text", "已通知业主"]);
    meet(&ana, &ben);
    let shown = ana.run(&["case", "show", &number]);
    let events = shown["events"].as_array().expect("events");
    assert_eq!((events[0]["kind"].clone(), events[0]["worker"].clone()), (json!("report"), json!("张三")));
    assert_eq!(events[0]["at"], "2025-11-22T10:05:00+08:00");
    assert_eq!((events[1]["kind"].clone(), events[1]["text"].clone()), (json!("note"), json!("已通知业主")));
    assert_eq!(events[1]["worker"], "李四");
    assert_eq!(shown["delivery"], "here");
    let listed = ana.run(&["case", "list"]);
    assert_eq!(
        (listed[0]["number"].clone(), listed[1]["number"].clone()),
        (second["number"].clone(), json!(number))
    );
    assert_eq!(second["events"][0]["minor"], true);
}

#[test]
fn a_case_goes_to_the_grid_of_its_place_or_person() {
    let clerk = Station::of_centre("王五");
    let report = ["case", "report", "--category", "便民服务", "--text", "咨询"];
    clerk.refused(&report, "unit-missing");
    clerk.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "--unit", "友爱村"]);
    let case = clerk.run(&[&report[..], &["--person", IDS[0]]].concat());
    assert_eq!(case["scope"], grid(2).to_string());
    let case = clerk.run(&[&report[..], &["--unit", "330881121003"]].concat());
    assert_eq!(case["scope"], grid(0).to_string());
}

#[test]
fn a_report_that_cannot_be_right_is_refused() {
    let ana = Station::of_grid("张三", 1);
    let before = ana.transactions();
    let report = ["case", "report", "--category", "创建", "--text", "垃圾"];
    for (more, code) in [
        (["--level", "5"], "value-unreadable"),
        (["--at", "明天"], "time-unreadable"),
        (["--at", "2125-01-01"], "time-ahead"),
        (["--place", "0123456789abcdef"], "not-found"),
        (["--source", "飞鸽"], "source-unknown"),
        (["--channel", "微信"], "channel"),
    ] {
        ana.refused(&[&report[..], &more].concat(), code);
    }
    // The message names the option, and says of a number that cannot be right what is wrong with it.
    let wrong = format!("{}0", &IDS[0][..17]);
    let message = ana.refused(&[&report[..], &["--person", &wrong]].concat(), "id-check-digit");
    assert!(message.contains("--person") && message.contains("校验位"), "{message}");
    let leader = Station::empty("王五", Role::StreetLeader, &Scope::Street, &everything());
    let message = leader.refused(&report, "case-role");
    assert!(message.contains("街道领导") && !message.contains("--unit"), "{message}");
    ana.refused(&["case", "report", "--category", "创建", "--text", "　"], "text-missing");
    ana.refused(&["case", "note", "121200-ff-9", "--text", "在"], "not-found");
    assert_eq!(ana.transactions(), before);
}
