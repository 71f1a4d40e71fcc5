//! The centre's tables: daily summary, supervision, analysis, assessment, and the workbooks made of them.

mod common;

use calamine::{Data, Reader, open_workbook_auto};
use common::{Station, grid, meet};
use serde_json::{Value, json};

fn id(record: &Value) -> String {
    record["id"].as_str().expect("an id").to_owned()
}

/// The cells of a workbook's first sheet, as text.
fn cells(path: &std::path::Path) -> Vec<Vec<String>> {
    let mut book = open_workbook_auto(path).expect("a workbook");
    let sheet = book.worksheet_range_at(0).expect("a sheet").expect("readable");
    let text = |cell: &Data| match cell {
        Data::DateTime(at) => format!("date {}", at.as_f64()),
        cell => cell.to_string(),
    };
    sheet.rows().map(|row| row.iter().map(text).collect()).collect()
}

/// Two grids with a day's work, and the centre that has it all.
fn a_day() -> (Station, Station, Station) {
    let (ana, ben) = (Station::of_grid("张三", 1), Station::of_grid("李四", 2));
    let clerk = Station::of_centre("王五");
    Station::acquaint(&[&ana, &ben, &clerk]);
    let on = ["--at", "2026-11-24 09:00"];
    let at = |words: &[&'static str]| [words, &on].concat();
    let patrol = id(&ana.run(&at(&["patrol", "start"])));
    ana.run(&["patrol", "finding", &patrol, "--text", "占道", "--at", "2026-11-24 23:59"]);
    ana.run(&["patrol", "end", &patrol, "--at", "2026-11-25 00:00"]);
    let hazard =
        id(&ana.run(&at(&["hazard", "add", "--kind", "02", "--text", "堵塞通道", "--due", "2026-11-24"])));
    ana.run(&["hazard", "rectify", &hazard, "--text", "清理", "--at", "2026-11-24 15:00"]);
    ben.run(&at(&["visit", "add", "--place", place(&ben), "--purpose", "看望", "--result", "平安"][..]));
    ben.run(&at(&["opinion", "add", "--text", "路灯不亮"]));
    ben.run(&["opinion", "add", "--text", "昨天的", "--at", "2026-11-23 10:00"]);
    for station in [&ana, &ben] {
        meet(station, &clerk);
    }
    (ana, ben, clerk)
}

fn place(station: &Station) -> &'static str {
    let id = id(&station.run(&["place", "add", "name=小店", "address=一号"]));
    Box::leak(id.into_boxed_str())
}

#[test]
fn the_summary_of_a_day_adds_up_from_the_grids() {
    let (ana, _, clerk) = a_day();
    let street = clerk.run(&["summary", "--date", "2026-11-24"]);
    let expect = json!({
        "patrol.start": 1, "patrol.finding": 1, "hazard.add": 1, "hazard.rectify": 1, "visit.add": 1, "opinion.add": 1,
    });
    assert_eq!(street["counts"], expect);
    let grids: Vec<&Value> = street["children"].as_array().expect("units").iter().collect();
    let mut sum = std::collections::BTreeMap::<String, u64>::new();
    for grid in &grids {
        for (word, times) in grid["counts"].as_object().expect("counts") {
            *sum.entry(word.clone()).or_default() += times.as_u64().expect("a number");
        }
    }
    assert_eq!(json!(sum), expect, "units add up: {street}");
    // Midnight belongs to the next day, and a grid sees its own.
    assert_eq!(clerk.run(&["summary", "--date", "2026-11-25"])["counts"], json!({ "patrol.end": 1 }));
    assert_eq!(clerk.run(&["summary", "--date", "2026-11-23"])["counts"], json!({ "opinion.add": 1 }));
    let own = ana.run(&["summary", "--date", "20261124"]);
    assert_eq!((&own["unit"], &own["counts"]["patrol.start"]), (&json!(grid(1).to_string()), &json!(1)));
    assert_eq!(own["counts"]["opinion.add"], Value::Null);
    let message = ana.refused(&["summary", "--date", "2026-02-30"], "date-impossible");
    assert!(message.contains("不存在"), "{message}");
    ana.refused(&["summary", "--unit", "月球"], "unit-unknown");
    assert!(clerk.text(&["summary", "--date", "2026-11-24"]).contains("新增隐患 1"));
}

#[test]
fn what_is_overdue_stands_on_the_supervision_list() {
    let (_, _, clerk) = a_day();
    let list = clerk.run(&["supervise", "list"]);
    let hazard = list.as_array().expect("a list").iter().find(|entry| entry["kind"] == "hazard");
    let hazard = hazard.unwrap_or_else(|| panic!("{list}"));
    let day_is_over = clerk.replica.now_ms() > 1_795_536_000_000;
    assert_eq!(hazard["why"][0], if day_is_over { "overdue" } else { "nearing" });
    assert_eq!(hazard["unit"], grid(1).to_string());
}

/// People read words, programs codes with their words.
#[test]
fn the_supervision_list_speaks_in_words() {
    let clerk = Station::of_centre("王五");
    let line = ["case", "report", "--category", "work-safety", "--text", "堵塞", "--unit", "溪淤村"];
    clerk.run(&[&line[..], &["--at", "2026-01-05 09:00"]].concat());
    let list = clerk.run(&["supervise", "list"]);
    let case = &list[0];
    for (code, label, expect) in [
        ("kind", "kind_label", ("case", "事件")),
        ("state", "state_label", ("reported", "已上报")),
        ("category", "category_name", ("work-safety", "安全生产")),
    ] {
        assert_eq!((&case[code], &case[label]), (&json!(expect.0), &json!(expect.1)), "{case}");
    }
    assert_eq!((&case["why"], &case["why_label"]), (&json!(["overdue"]), &json!("已超期")));
    let text = clerk.text(&["supervise", "list"]);
    assert!(
        text.contains("安全生产") && !text.contains("work-safety") && !text.contains("reported"),
        "{text}"
    );
}

#[test]
fn a_period_is_assessed_with_evidence_and_an_appeal_is_decided_by_people() {
    let (ana, ben, clerk) = a_day();
    ana.refused(
        &["assess", "period", "--name", "11月", "--from", "2026-11-01", "--until", "2026-11-30"],
        "role",
    );
    clerk.refused(
        &["assess", "period", "--name", "11月", "--from", "2026-11-30", "--until", "2026-11-01"],
        "days-swapped",
    );
    clerk.refused(
        &["assess", "period", "--name", "11月", "--from", "2026-11-31", "--until", "2026-12-01"],
        "date-impossible",
    );
    let period = ["assess", "period", "--name", "11月", "--from", "2026-11-01", "--until", "2026-11-30"];
    assert_eq!(clerk.run(&period)["items"].as_array().map(Vec::len), Some(6));
    clerk.refused(&period, "period-exists");
    let scores = clerk.run(&["assess", "score", "11月"]);
    let unit = |scores: &Value, at: usize| -> Value {
        let units = scores["units"].as_array().expect("units").iter();
        units.clone().find(|unit| unit["unit"] == grid(at).to_string()).expect("the grid").clone()
    };
    // The shop of the grid lacks what a place must have, and says what.
    let of_ben = unit(&scores, 2);
    let complete =
        of_ben["items"].as_array().expect("items").iter().find(|i| i["code"] == "completeness").expect("it");
    assert_eq!((&complete["base"], &complete["good"]), (&json!(1), &json!(0)));
    assert_eq!(complete["evidence"][0]["lacks"], json!(["category", "manager", "phone"]));
    assert_eq!(of_ben["total"], 0.0);
    assert_eq!(unit(&scores, 0)["total"], Value::Null, "nothing to assess is no score");

    meet(&ben, &clerk);
    ben.refused(&["assess", "appeal", "12月", "--item", "数据完整率", "--text", "不对"], "period-unknown");
    ben.refused(&["assess", "appeal", "11月", "--item", "步数", "--text", "不对"], "item-unknown");
    let appeal = id(&ben.run(&["assess", "appeal", "11月", "--item", "数据完整率", "--text", "小店已停业"]));
    ben.refused(&["appeal", "decide", &appeal, "--uphold", "--reason", "自己定"], "role");
    meet(&ben, &clerk);
    clerk.refused(&["appeal", "decide", &appeal, "--reason", "属实"], "outcome-missing");
    let beyond = ["appeal", "decide", &appeal, "--uphold", "--reason", "属实", "--score", "120"];
    let message = clerk.refused(&beyond, "marks");
    assert!(message.contains("120") && message.contains("100"), "{message}");
    let decided = clerk.run(&["appeal", "decide", &appeal, "--uphold", "--reason", "属实", "--score", "100"]);
    assert_eq!(decided["state"], "upheld");
    assert_eq!(unit(&clerk.run(&["assess", "score", "11月"]), 2)["total"], 100.0);
    let published = clerk.run(&["assess", "publish", "11月"]);
    assert_eq!(published["totals"][grid(2).to_string()], 100.0);
    clerk.run(&[
        "reward",
        "add",
        "--period",
        "11月",
        "--assignee",
        "李四",
        "--kind",
        "奖励金",
        "--text",
        "排查认真",
    ]);
    meet(&ben, &clerk);
    let rewards = ben.run(&["assess", "rewards", "11月"]);
    assert_eq!((&rewards[0]["to"], &rewards[0]["decided_by"]), (&json!("李四"), &json!("王五")));
    ben.refused(
        &["reward", "add", "--period", "11月", "--assignee", "李四", "--kind", "a", "--text", "b"],
        "role",
    );
}

#[test]
fn a_superiors_form_is_filled_by_choosing_columns() {
    let (ana, _, clerk) = a_day();
    let name = |file: &std::path::Path| file.to_str().expect("a name").to_owned();
    let file = clerk.path("summary.xlsx");
    let done = clerk.run(&["export", "summary", &name(&file), "--date", "2026-11-24"]);
    assert!(done["number"].is_string(), "{done}");
    let sheet = cells(&file);
    assert!(sheet[0][0].contains("贺村镇每日信息汇总(2026-11-24)"), "{:?}", sheet[0]);
    assert_eq!(&sheet[1][..4], ["序号", "片区", "单位", "事件上报"]);
    let hazards = sheet[1].iter().position(|heading| heading == "新增隐患").expect("a column");
    let row = sheet.iter().find(|row| row[2] == "溪淤村委会").expect("the grid");
    assert_eq!(row[hazards], "1");

    // The superior wants two columns, in his words, with the day as a date.
    let columns = clerk.path("columns.json");
    let set = json!({
        "title": "上级表 {date}",
        "columns": [{ "field": "date", "heading": "填报日期", "kind": "date" }, { "field": "unit_name", "heading": "村居" },
            { "field": "visit.add", "heading": "入户数" }],
    });
    std::fs::write(&columns, set.to_string()).expect("writes");
    let form = clerk.path("form.xlsx");
    let export = ["export", "summary", &name(&form), "--date", "2026-11-24", "--columns", &name(&columns)];
    clerk.run(&export.iter().map(|word| &**word).collect::<Vec<_>>());
    let sheet = cells(&form);
    assert_eq!(sheet[0][0], "上级表 2026-11-24");
    assert_eq!(sheet[1], ["填报日期", "村居", "入户数"]);
    let row = sheet.iter().find(|row| row[1] == "友爱村委会").expect("the grid");
    assert_eq!((row[0].as_str(), row[2].as_str()), ("date 46350", "1"));
    assert!(sheet.iter().any(|row| row[0].contains("导出人:王五")), "who and when stand on the sheet");

    // Columns by what people call them: the shipped heading, or the field's label.
    std::fs::write(&columns, r#"{"columns":["村居","入户 走访","新增隐患"]}"#).expect("writes");
    clerk.refused(&export.iter().map(|word| &**word).collect::<Vec<_>>(), "column-unknown");
    std::fs::write(&columns, r#"{"columns":["单位","走 访",{"field":"新增隐患","heading":"隐患数"}]}"#)
        .expect("writes");
    clerk.run(&export.iter().map(|word| &**word).collect::<Vec<_>>());
    let sheet = cells(&form);
    assert_eq!(sheet[1], ["单位", "走访", "隐患数"]);
    let row = sheet.iter().find(|row| row[0] == "溪淤村委会").expect("the grid");
    assert_eq!(row[2], "1");

    std::fs::write(&columns, r#"{"columns":["moon"]}"#).expect("writes");
    let message =
        clerk.refused(&["export", "places", &name(&form), "--columns", &name(&columns)], "column-unknown");
    assert!(message.contains("moon") && message.contains("统一社会信用代码 (credit_code)"), "{message}");
    for (text, field) in
        [("列", "columns"), (r#"{"columns":[]}"#, "columns"), (r#"{"titel":"x"}"#, "columns")]
    {
        std::fs::write(&columns, text).expect("writes");
        let error =
            clerk.try_run(&["export", "places", &name(&form), "--columns", &name(&columns)]).expect_err(text);
        assert_eq!((error.code.as_ref(), error.field.as_deref()), ("not-columns", Some(field)), "{error}");
    }
    std::fs::write(&columns, r#"{"columns":["row",{"field":"name","heading":"单位名称"}]}"#).expect("writes");
    clerk.run(&["export", "places", &name(&form), "--columns", &name(&columns)]);
    assert_eq!(cells(&form)[1], ["序号", "单位名称"]);
    ana.refused(&["export", "assessment", &name(&form)], "period-unknown");
    clerk.run(&["assess", "period", "--name", "11月", "--from", "2026-11-01", "--until", "2026-11-30"]);
    clerk.run(&["export", "assessment", &name(&form)]);
    let sheet = cells(&form);
    assert_eq!((sheet[1][3].as_str(), sheet[1].last().map(String::as_str)), ("按期结案率", Some("总分")));
}

#[test]
fn what_people_say_of_the_system_is_answered() {
    let (ana, _, clerk) = a_day();
    let key = id(&ana.run(&["suggest", "add", "--kind", "建议", "--text", "字太小"]));
    ana.refused(&["suggest", "answer", &key, "--text", "自己答"], "role");
    meet(&ana, &clerk);
    assert_eq!(clerk.run(&["suggest", "answer", &key, "--text", "下一版加大"])["state"], "answered");
    let bulletin = clerk.run(&["bulletin", "add", "--title", "第 1 期", "--text", "本周情况"]);
    assert_eq!(bulletin["scope"], "street");
    meet(&ana, &clerk);
    assert_eq!(ana.run(&["suggest", "show", &key])["state"], "answered");
    assert_eq!(ana.run(&["bulletin", "list"])[0]["headline"], "第 1 期");
    ana.refused(&["bulletin", "add", "--title", "x", "--text", "y"], "role");
}

/// Ledgers of the other registers: codes and other records stand there as people call them.
#[test]
fn ledgers_of_houses_enterprises_and_households_speak_in_words() {
    let ana = Station::of_grid("张三", 1);
    let owner = id(&ana.run(&["person", "add", common::IDS[0], "name=王小明", "phone=13800000001"]));
    let house =
        ["house", "add", "house_number=C001", "address=溪淤 20 号", "building_use=住宅", "letting_use=住房"];
    ana.run(&[&house[..], &[&format!("owner={owner}"), "phone=13800000001", "floor_area=80"]].concat());
    ana.run(&["household", "add", "household_number=H1", &format!("head={owner}"), "address=溪淤 20 号"]);
    ana.run(&["enterprise", "add", "name=五金厂", "category=内资", "hazardous=是", "staff_count=30"]);
    for (kind, words) in [
        ("houses", &["C001", "住宅", "住房", "王小明", "138****0001"][..]),
        ("households", &["H1", "王小明", "溪淤 20 号"]),
        ("enterprises", &["五金厂", "内资", "是"]),
    ] {
        let file = ana.path(&format!("{kind}.xlsx"));
        assert_eq!(ana.run(&["export", kind, file.to_str().expect("a name")])["rows"], 1);
        let sheet = cells(&file);
        for word in words {
            assert!(sheet[2].iter().any(|cell| cell == word), "{kind}: {word} in {:?}", sheet[2]);
        }
    }
    // A case is where a place is called so, in the list that goes upward.
    let factory = id(&ana.run(&["enterprise", "find", "五金"])[0].clone());
    ana.run(&["case", "report", "--category", "安全生产", "--text", "堵塞", "--place", &factory]);
    let (columns, file) = (ana.path("columns.json"), ana.path("cases.xlsx"));
    std::fs::write(&columns, r#"{"columns":["number","place"]}"#).expect("writes");
    let name = |path: &std::path::Path| path.to_str().expect("a name").to_owned();
    ana.run(&["export", "cases", &name(&file), "--columns", &name(&columns)]);
    assert_eq!(cells(&file)[2][1], "五金厂");
}
