//! Excel ledgers taken in and written out.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{GRIDS, IDS, Station, grid, meet, shown};
use serde_json::{Value, json};

use wangge_ledger::{Column, PlaceRow, ResidentKind, ResidentRow, place_table, resident_table, write_table};
use wangge_model::checks::Sex;

fn resident(id_number: &str, name: &str, unit: &str) -> ResidentRow {
    ResidentRow {
        id_number: id_number.to_owned(),
        name: name.to_owned(),
        sex: None,
        kind: Some(ResidentKind::Registered),
        phone: None,
        registered_address: None,
        current_address: None,
        employer: None,
        registered_on: None,
        unit_name: unit.to_owned(),
    }
}

fn place(name: &str, address: &str, unit: &str) -> PlaceRow {
    PlaceRow {
        name: name.to_owned(),
        category: Some("餐饮".to_owned()),
        credit_code: None,
        licence_number: None,
        address: Some(address.to_owned()),
        manager: None,
        phone: None,
        staff_count: Some(3),
        longitude: None,
        latitude: None,
        unit_name: unit.to_owned(),
    }
}

fn residents(station: &Station, name: &str, rows: &[ResidentRow]) -> PathBuf {
    let path = station.path(name);
    write_table(&path, &resident_table("人口", rows, Vec::new())).expect("writes");
    path
}

fn places(station: &Station, name: &str, rows: &[PlaceRow]) -> PathBuf {
    let path = station.path(name);
    write_table(&path, &place_table("场所", rows, Vec::new())).expect("writes");
    path
}

#[track_caller]
fn import(station: &Station, kind: &str, path: &Path) -> Value {
    station.run(&["import", kind, path.to_str().expect("a path")])
}

#[track_caller]
fn check(report: &Value, expect: [u64; 5]) {
    let found = ["rows", "imported", "updated", "unchanged", "skipped_other_unit"]
        .map(|key| report[key].as_u64().expect(key));
    assert_eq!(found, expect, "{report}");
    let refused = report["refused"].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(found[0], found[1..].iter().sum::<u64>() + refused, "every row is accounted for: {report}");
}

#[test]
fn a_second_import_changes_nothing_and_writes_no_transaction() {
    let ana = Station::of_grid("张三", 1);
    let mut twice = resident(IDS[0], "王小明", "溪淤村");
    twice.phone = Some("13800000001".to_owned());
    let mut later = resident(IDS[0], "王小明", "溪淤村委会");
    later.phone = Some("13800000002".to_owned());
    let rows =
        [twice, resident(IDS[1], "李小红", "溪淤村委会"), later, resident(IDS[1], "李小红", "溪淤村委会")];
    let path = residents(&ana, "a.xlsx", &rows);
    check(&import(&ana, "residents", &path), [4, 2, 1, 1, 0]);
    let (before, digest) = (ana.transactions(), ana.run(&["digest"]));
    let again = import(&ana, "residents", &path);
    check(&again, [4, 0, 0, 4, 0]);
    assert_eq!(again["transactions"], 0);
    assert_eq!((ana.transactions(), ana.run(&["digest"])), (before, digest));
    let fields = ana.fields("person", IDS[0]);
    assert_eq!(shown(&fields, "phone"), "13800000002", "the later row wins");
    assert_eq!(shown(&fields, "unit"), "溪淤村委会");
    assert_eq!(shown(&fields, "kind"), "registered");
}

#[test]
fn a_dry_run_reports_the_same_and_writes_nothing() {
    let ana = Station::of_grid("张三", 1);
    let rows = [resident(IDS[0], "王小明", "溪淤村委会"), resident(IDS[1], "李小红", "中心社区")];
    let path = residents(&ana, "a.xlsx", &rows);
    let before = ana.transactions();
    let dry = ana.run(&["import", "residents", path.to_str().expect("a path"), "--dry-run"]);
    check(&dry, [2, 1, 0, 0, 1]);
    assert_eq!(ana.transactions(), before);
    assert_eq!(ana.run(&["person", "list"]), json!([]));
    check(&import(&ana, "residents", &path), [2, 1, 0, 0, 1]);
}

#[test]
fn rows_of_other_units_are_skipped_and_unknown_villages_refused() {
    let ana = Station::of_grid("张三", 1);
    let rows = [
        resident(IDS[0], "王小明", "溪淤村民委员会"),
        resident(IDS[1], "李小红", "友爱村委会"),
        resident(IDS[2], "赵小刚", "火星村"),
        resident(IDS[3], "钱小燕", "330881121200"),
    ];
    let report = import(&ana, "residents", &residents(&ana, "a.xlsx", &rows));
    check(&report, [4, 2, 0, 0, 1]);
    let refused = &report["refused"][0];
    assert_eq!((refused["row"].clone(), refused["code"].clone()), (json!(5), json!("unit-unknown")));
    let clerk = Station::of_centre("王五");
    let report = import(&clerk, "residents", &residents(&clerk, "a.xlsx", &rows));
    check(&report, [4, 3, 0, 0, 0]);
    assert_eq!(clerk.run(&["person", "show", IDS[1]])["scope"], grid(2).to_string());
}

/// A flawed row concerns whoever holds its unit.
#[test]
fn flawed_rows_of_other_units_are_skipped_like_the_others() {
    let rows = [
        resident("990101199001010018", "王小明", "溪淤村委会"),
        resident("990101199001010018", "李小红", "友爱村委会"),
        resident("990101199001010018", "赵小刚", "火星村"),
    ];
    let ana = Station::of_grid("张三", 1);
    let report = import(&ana, "residents", &residents(&ana, "a.xlsx", &rows));
    check(&report, [3, 0, 0, 0, 1]);
    let found: Vec<_> =
        report["refused"].as_array().into_iter().flatten().map(|r| r["row"].clone()).collect();
    assert_eq!(found, [json!(3), json!(5)]);
    let clerk = Station::of_centre("王五");
    check(&import(&clerk, "residents", &residents(&clerk, "a.xlsx", &rows)), [3, 0, 0, 0, 0]);
}

#[test]
fn before_the_roster_has_come_an_import_asks_for_a_sync() {
    let scopes = [wangge_model::identity::Scope::Street, grid(1)];
    let ana = Station::empty("张三", wangge_model::identity::Role::GridWorker, &grid(1), &scopes);
    let path = residents(&ana, "a.xlsx", &[resident(IDS[0], "王小明", "溪淤村委会")]);
    let message = ana.refused(&["import", "residents", path.to_str().expect("a path")], "units-unknown");
    assert!(message.contains("wangge sync"), "{message}");
}

#[test]
fn a_blank_cell_deletes_nothing_and_a_conflict_is_left_to_people() {
    let (ana, ben) = common::neighbours();
    ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "phone=13800000000"]);
    meet(&ana, &ben);
    ana.run(&["person", "set", IDS[0], "employer=砖厂"]);
    ben.run(&["person", "set", IDS[0], "employer=茶厂"]);
    meet(&ana, &ben);
    let mut row = resident(IDS[0], "王小明", "溪淤村委会");
    row.employer = Some("纸厂".to_owned());
    row.current_address = Some("溪淤 12 号".to_owned());
    let path = residents(&ana, "a.xlsx", &[row]);
    let report = import(&ana, "residents", &path);
    check(&report, [1, 0, 1, 0, 0]);
    assert_eq!(report["conflicts"], 1);
    let fields = ana.fields("person", IDS[0]);
    assert_eq!(shown(&fields, "phone"), "13800000000");
    assert_eq!(shown(&fields, "current_address"), "溪淤 12 号");
    assert_eq!(ana.run(&["conflicts", "list"]).as_array().map(Vec::len), Some(1));
    check(&import(&ana, "residents", &path), [1, 0, 0, 1, 0]);
}

#[test]
fn two_workers_who_import_one_ledger_have_one_document_a_person() {
    let (ana, ben) = common::neighbours();
    let rows = [resident(IDS[0], "王小明", "溪淤村委会"), resident(IDS[1], "李小红", "溪淤村委会")];
    let shops = [place("老王小吃店", "溪淤 1 号", "溪淤村委会")];
    for station in [&ana, &ben] {
        import(station, "residents", &residents(station, "a.xlsx", &rows));
        import(station, "places", &places(station, "b.xlsx", &shops));
    }
    meet(&ana, &ben);
    assert_eq!(ana.run(&["person", "list"]).as_array().map(Vec::len), Some(2));
    assert_eq!(ana.run(&["place", "list"]).as_array().map(Vec::len), Some(1));
    assert_eq!(ana.run(&["conflicts", "list"]), json!([]));
    assert_eq!(ana.run(&["digest"]), ben.run(&["digest"]));
}

#[test]
fn a_place_keeps_its_record_when_its_code_becomes_known() {
    let ana = Station::of_grid("张三", 1);
    let without = place("老王小吃店", "溪淤 1 号", "溪淤村委会");
    import(&ana, "places", &places(&ana, "a.xlsx", std::slice::from_ref(&without)));
    let id = ana.run(&["place", "list"])[0]["id"].clone();
    let with = PlaceRow { credit_code: Some("91350100M000100Y43".to_owned()), ..without.clone() };
    check(&import(&ana, "places", &places(&ana, "b.xlsx", std::slice::from_ref(&with))), [1, 0, 1, 0, 0]);
    assert_eq!(ana.run(&["place", "show", "91350100M000100Y43"])["id"], id);
    // An old copy without the code means the same place still.
    check(&import(&ana, "places", &places(&ana, "a.xlsx", &[without])), [1, 0, 0, 1, 0]);
    // Another code under the same name and address is another place.
    let other = PlaceRow { credit_code: Some("91330881MA2XXXXX0A".to_owned()), ..with };
    check(&import(&ana, "places", &places(&ana, "c.xlsx", &[other])), [1, 1, 0, 0, 0]);
}

#[test]
fn two_rows_that_turn_out_to_be_one_place_are_written_once() {
    let ana = Station::of_grid("张三", 1);
    ana.run(&["place", "add", "name=老王小吃店", "address=溪淤 1 号", "credit_code=91350100M000100Y43"]);
    let moved = PlaceRow {
        credit_code: Some("91350100M000100Y43".to_owned()),
        ..place("老王饭店", "溪淤 2 号", "溪淤村委会")
    };
    let path = places(&ana, "a.xlsx", &[moved, place("老王小吃店", "溪淤 1 号", "溪淤村委会")]);
    check(&import(&ana, "places", &path), [2, 0, 2, 0, 0]);
    assert_eq!(ana.run(&["place", "list"]).as_array().map(Vec::len), Some(1));
    check(&import(&ana, "places", &path), [2, 0, 0, 2, 0]);
}

#[test]
fn a_sheet_without_the_needed_columns_says_which() {
    let ana = Station::of_grid("张三", 1);
    let path = places(&ana, "a.xlsx", &[place("老王小吃店", "溪淤 1 号", "溪淤村委会")]);
    let message = ana.refused(&["import", "residents", path.to_str().expect("a path")], "columns-missing");
    assert!(message.contains("公民身份号码") && message.contains("统一社会信用代码"), "{message}");
    std::fs::write(&path, b"").expect("writes");
    ana.refused(&["import", "places", path.to_str().expect("a path")], "file-empty");
    std::fs::write(&path, b"name,unit\n").expect("writes");
    ana.refused(&["import", "places", path.to_str().expect("a path")], "not-a-workbook");
    ana.refused(&["import", "places", "/nowhere/a.xlsx"], "file-unreadable");
}

#[test]
fn what_is_exported_imports_again_without_a_change() {
    let clerk = Station::of_centre("王五");
    let mut first = resident(IDS[0], "王小明", "溪淤村委会");
    first.sex = Some(Sex::Male);
    first.phone = Some("13800000001".to_owned());
    first.registered_on = Some("2024-05-06".to_owned());
    let rows = [first, resident(IDS[1], "李小红", "中心社区")];
    import(&clerk, "residents", &residents(&clerk, "a.xlsx", &rows));
    let mut shop = place("老王小吃店", "溪淤 1 号", "溪淤村委会");
    (shop.longitude, shop.latitude) = (Some(118.57), Some(28.7));
    shop.licence_number = Some("旧照 1234".to_owned());
    import(&clerk, "places", &places(&clerk, "b.xlsx", &[shop]));
    clerk.run(&["case", "report", "--category", "创建", "--text", "垃圾", "--unit", "溪淤村"]);
    let before = clerk.transactions();
    for (what, ledger, rows) in
        [("people", Some("residents"), 2), ("places", Some("places"), 1), ("cases", None, 1)]
    {
        let path = clerk.path(&format!("{what}.xlsx"));
        let exported = clerk.run(&["export", what, path.to_str().expect("a path"), "--unmask", "交上级"]);
        assert_eq!(exported["masked"], false);
        assert_eq!(exported["rows"], rows);
        if let Some(ledger) = ledger {
            check(&import(&clerk, ledger, &path), [rows, 0, 0, rows, 0]);
        }
    }
    assert_eq!(clerk.transactions(), before);
    // Everybody else's ledgers are masked.
    let ana = Station::of_grid("张三", 1);
    import(&ana, "residents", &residents(&ana, "c.xlsx", &[resident(IDS[0], "王小明", "溪淤村委会")]));
    let path = ana.path("own.xlsx");
    let export = ["export", "people", path.to_str().expect("a path")];
    let message = ana.refused(&[&export[..], &["--unmask", "自己用"]].concat(), "may-not");
    assert!(message.contains("社管中心工作人员") && !path.exists(), "{message}");
    assert_eq!(ana.run(&export)["masked"], true);
    let message = clerk.refused(&["export", "people", "/tmp/people.csv"], "extension");
    assert!(message.contains(".xlsx"), "{message}");
    clerk.refused(&["export", "people", "/nowhere/at/all.xlsx"], "file-unwritable");
}

/// Names the directory of a sample with its known outcome; the comparison runs only if set.
const SAMPLE_DATA: &str = "WANGGE_SAMPLE_DATA";

#[test]
fn the_offices_sample_comes_in_as_its_truth_says() {
    let Some(folder) = std::env::var_os(SAMPLE_DATA).map(PathBuf::from) else {
        eprintln!("{SAMPLE_DATA} is not set: nothing compared");
        return;
    };
    let truth: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("truth.json")).expect("truth"))
            .expect("JSON");
    let street = truth["street"].as_str().expect("a street");
    let divisions =
        std::fs::read_to_string(folder.join(format!("divisions-{street}.csv"))).expect("divisions");
    let grids: Vec<(&str, &str)> =
        divisions.lines().skip(1).filter_map(|line| line.split_once(',')).collect();
    let mut scopes = common::everything();
    scopes.extend(grids.iter().map(|(code, _)| wangge_model::identity::Scope::Grid((*code).to_owned())));
    scopes.sort();
    scopes.dedup();
    let centre = wangge_model::identity::Scope::Centre;
    let clerk = Station::empty("王五", wangge_model::identity::Role::CentreClerk, &centre, &scopes);
    clerk.write_roster(&grids);
    let ana = Station::empty(
        "张三",
        wangge_model::identity::Role::GridWorker,
        &grid(1),
        &[wangge_model::identity::Scope::Street, grid(1)],
    );
    ana.write_roster(&grids);
    for (ledger, kind, distinct) in
        [("residents", "person", "distinct_people"), ("places", "place", "distinct_places")]
    {
        let path = folder.join(format!("{ledger}.xlsx"));
        let truth = &truth[ledger];
        let report = import(&clerk, ledger, &path);
        assert_eq!(report["rows"], truth["rows"]);
        assert_eq!(report["imported"], truth[distinct]);
        assert_eq!(report["skipped_other_unit"], 0);
        assert_eq!(
            clerk.run(&[kind, "list"]).as_array().map(Vec::len).map(Value::from),
            Some(truth[distinct].clone())
        );
        let pairs = |list: &Value, row: &str, code: &str| -> BTreeSet<(u64, String)> {
            let list = list.as_array().expect("a list");
            list.iter()
                .map(|r| (r[row].as_u64().unwrap_or(0), r[code].as_str().unwrap_or("").to_owned()))
                .collect()
        };
        assert_eq!(pairs(&report["refused"], "row", "code"), pairs(&truth["refused"], "sheet_row", "why"));
        let before = clerk.transactions();
        let again = import(&clerk, ledger, &path);
        assert_eq!((again["imported"].clone(), again["updated"].clone()), (json!(0), json!(0)));
        assert_eq!(clerk.transactions(), before);
        // A grid's workstation takes its own rows of the same file, and has what the centre has of them.
        let own = import(&ana, ledger, &path);
        let sum: u64 = ["imported", "updated", "unchanged", "skipped_other_unit"]
            .iter()
            .filter_map(|k| own[*k].as_u64())
            .sum();
        let refused = own["refused"].as_array().map_or(0, Vec::len) as u64;
        assert_eq!(json!(sum + refused), truth["rows"]);
        let at_centre = clerk.run(&[kind, "list", "--unit", GRIDS[1].0]);
        assert_eq!(own["imported"].as_u64(), at_centre.as_array().map(|list| list.len() as u64));
        assert!(own["imported"].as_u64() > Some(0));
        assert!(
            refused < truth["refused"].as_array().map_or(0, Vec::len) as u64,
            "flaws of others are theirs"
        );
    }
}

/// Columns beyond the common ones are read where they are fields of the register. A value that its table does not know
/// is kept as it stands and named; what is not collected is not read, and said so.
#[test]
fn further_columns_are_read_kept_or_named() {
    let ana = Station::of_grid("张三", 1);
    let path = ana.path("more.xlsx");
    let rows = [resident(IDS[0], "王小明", "溪淤村委会"), resident(IDS[1], "李小红", "溪淤村委会")];
    let mut table = resident_table("人口", &rows, Vec::new());
    for heading in ["婚姻状况", "文化程度", "曾用名", "出生日期", "备注", "民族", "关爱需求", "鞋码"]
    {
        table.columns.push(Column::text(heading, 10.0));
    }
    let more = [
        ["已婚", "大学本科教育", "王小二", "1990-01-01", "租户", "汉族", "独居老人", "42"],
        ["离异了", "火星大学", "", "1990年13月1日", "", "苗族", "", "37"],
    ];
    for (row, more) in table.rows.iter_mut().zip(more) {
        row.extend(more.map(str::to_owned));
    }
    write_table(&path, &table).expect("writes");
    let done = import(&ana, "residents", &path);
    assert_eq!((&done["imported"], &done["refused"]), (&json!(2), &json!([])), "{done}");
    let warned: Vec<(String, u64, String)> = done["warnings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|w| {
            let text = |key: &str| w[key].as_str().expect("text").to_owned();
            (text("code"), w["row"].as_u64().expect("a row"), text("message"))
        })
        .collect();
    let ignored: Vec<&str> = warned
        .iter()
        .filter(|(code, _, _)| code == "column-ignored")
        .map(|(_, _, said)| said.as_str())
        .collect();
    assert_eq!(ignored.len(), 3, "{ignored:?}");
    for (said, words) in
        ignored.iter().zip([["“民族”", "不得收集"], ["“关爱需求”", "本人同意"], ["“鞋码”", "不是登记项目"]])
    {
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
    let kept: Vec<&(String, u64, String)> =
        warned.iter().filter(|(code, _, _)| code == "value-kept").collect();
    assert_eq!(kept.len(), 3, "{warned:?}");
    assert!(kept.iter().all(|(_, row, said)| *row == 4 && said.contains("已原样保留")), "{kept:?}");
    let one = ana.run(&["person", "show", IDS[0], "--unmask", "测试"]);
    for (field, value) in
        [("marriage", "20"), ("former_name", "王小二"), ("birth_date", "1990-01-01"), ("note", "租户")]
    {
        assert_eq!(shown(&one["fields"], field), value, "{one}");
    }
    assert!(!one.to_string().contains("汉族"), "{one}");
    let text = ana.text(&["person", "show", IDS[1]]);
    for kept in ["婚姻状况(原文):离异了", "学历(原文):火星大学", "出生日期(原文):1990年13月1日"]
    {
        assert!(text.contains(kept), "{text}");
    }
    // Again: nothing changes.
    let again = import(&ana, "residents", &path);
    assert_eq!((&again["unchanged"], &again["transactions"]), (&json!(2), &json!(0)), "{again}");
}
