//! The organisation: boundaries, offices, teams, staffing, reference documents.

mod common;

use common::{GRIDS, Station, worker_id};
use wangge_model::document::{Op, Target};
use wangge_model::identity::{Role, Scope};
use wangge_model::schema::Kind;
use wangge_node::replica::Edit;

fn admin() -> Station {
    let admin = Station::empty("王五", Role::CentreAdmin, &Scope::Centre, &common::everything());
    admin.write_roster(&GRIDS);
    admin
}

fn set(field: &str, value: &str) -> Op {
    Op { target: Target::Field(field.to_owned()), value: Some(value.into()) }
}

fn file(station: &Station, name: &str, text: &str) -> String {
    let path = station.path(name);
    std::fs::write(&path, text).expect("writes");
    path.display().to_string()
}

fn square(west: f64, south: f64, size: f64) -> String {
    let (east, north) = (west + size, south + size);
    format!(
        r#"{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]]}}}}"#
    )
}

#[test]
fn a_boundary_has_versions_and_a_position_finds_its_grid() {
    let admin = admin();
    let first = file(&admin, "first.geojson", &square(118.5, 28.7, 0.1));
    let set = admin.run(&["org", "boundary", "set", "溪淤村", &first, "--effective", "2020-01-01"]);
    assert_eq!((&set["version"], &set["datum"]), (&1.into(), &"WGS-84".into()));
    let found = admin.run(&["org", "locate", "118.55", "28.75"]);
    assert_eq!(found[0]["scope"], "grid:330881121200");
    assert_eq!(admin.run(&["org", "locate", "118.65", "28.75"]), serde_json::json!([]));
    let second = file(&admin, "second.geojson", &square(118.6, 28.7, 0.1));
    let second =
        ["org", "boundary", "set", "330881121200", &second, "--datum", "CGCS2000", "--note", "道路改线"];
    assert_eq!(admin.run(&second)["version"], 2);
    assert_eq!(admin.run(&["org", "locate", "118.55", "28.75"]), serde_json::json!([]));
    assert_eq!(admin.run(&["org", "locate", "118.65", "28.75"])[0]["version"], 2);
    assert_eq!(admin.run(&["org", "boundary", "show", "溪淤村", "--version", "1"])["points"], 5);
    assert_eq!(admin.run(&["org", "boundary", "list"]).as_array().map(Vec::len), Some(2));

    let before = admin.transactions();
    for (name, text, code) in [
        ("a.txt", "这不是边界", "not-geojson"),
        ("b.geojson", "{\"type\":\"Point\",\"coordinates\":[118.5,28.7]}", "no-polygon"),
        ("c.geojson", &square(28.7, 118.5, 0.1), "boundary-unsound"),
    ] {
        let path = file(&admin, name, text);
        let message = admin.refused(&["org", "boundary", "set", "溪淤村", &path], code);
        assert!(message.contains(name), "{message}");
    }
    let path = file(&admin, "d.geojson", &square(118.5, 28.7, 0.1));
    admin.refused(&["org", "boundary", "set", "溪淤村", &path, "--datum", "GCJ-02"], "datum");
    admin.refused(&["org", "boundary", "set", "火星村", &path], "unit-unknown");
    admin.refused(
        &["org", "boundary", "set", "溪淤村", &path, "--effective", "2026-02-30"],
        "date-impossible",
    );
    admin.refused(&["org", "locate", "28.7", "118.5"], "coordinates-out-of-range");
    admin.refused(&["org", "boundary", "show", "友爱村"], "no-boundary");
    assert_eq!(admin.transactions(), before);
}

#[test]
fn staffing_says_what_a_grid_lacks_until_it_lacks_nothing() {
    let admin = admin();
    let missing = |grid: &str| -> Vec<String> {
        let staffing = admin.run(&["org", "staffing", grid]);
        let missing = staffing["grids"][0]["missing"].as_array().expect("a list").clone();
        missing.iter().map(|m| m["code"].as_str().expect("a code").to_owned()).collect()
    };
    assert_eq!(missing("溪淤村"), ["leader", "workers", "forces", "work-point", "workstation", "phones"]);
    admin.run(&["org", "point", "add", "scope=溪淤村", "address=村委会一楼"]);
    admin.run(&["org", "device", "add", "scope=grid:330881121200", "device_kind=工作站"]);
    admin.run(&["org", "device", "add", "scope=grid:330881121200", "device_kind=02", "keeper=张三"]);
    admin.run(&["org", "force", "add", "name=李志愿", "scope=溪淤村", "force_kind=志愿者"]);
    assert_eq!(missing("溪淤村"), ["leader", "workers"]);
    admin.refused(&["org", "force", "add", "name=李志愿", "scope=火星村"], "unit-unknown");
    admin.refused(&["org", "device", "add", "scope=溪淤村", "device_kind=飞机"], "code-unknown");
    admin.refused(&["org", "device", "add", "scope=溪淤村"], "field-missing");

    // An area has a cadre of its own for the daily running, one of enterprises eight grids (art. 15, 16).
    let lacks = || -> Vec<String> {
        let staffing = admin.run(&["org", "staffing"]);
        let missing = staffing["areas"][0]["missing"].as_array().expect("a list").clone();
        missing.iter().map(|m| m["code"].as_str().expect("a code").to_owned()).collect()
    };
    let area = [set("scope", "area:330881121"), set("name", "企业片")];
    admin.hear_from_centre(&[Edit { doc: worker_id("企业片"), kind: Kind::UNIT, ops: area.into() }]);
    assert_eq!(lacks(), ["area-head", "area-clerk", "area-cadre"]);
    admin.run(&["org", "force", "add", "name=林干部", "scope=area:330881121", "cadre=是", "posted_down=是"]);
    admin.run(&["org", "area", "area:330881121", "--nature", "enterprise"]);
    assert_eq!(lacks(), ["area-head", "area-clerk", "grids"]);
    let said = admin.text(&["org", "staffing"]);
    assert!(said.contains("应设 8 个"), "{said}");

    for (name, down) in [("甲", "是"), ("乙", "是"), ("丙", "否")] {
        admin.run(&[
            "org",
            "force",
            "add",
            &format!("name={name}"),
            "cadre=是",
            &format!("posted_down={down}"),
        ]);
    }
    let cadres = admin.run(&["org", "cadres"]);
    assert_eq!((&cadres["percent"], &cadres["reached"]), (&75.into(), &true.into()));
}

#[test]
fn offices_teams_and_reference_documents_are_kept_and_read() {
    let admin = admin();
    let offices = admin.run(&["org", "office", "list"]);
    assert_eq!(offices.as_array().map(Vec::len), Some(7));
    admin.run(&["org", "office", "add", "name=党政办", "code=party", "head=周敏"]);
    let offices = admin.run(&["org", "office", "list"]);
    assert_eq!(offices.as_array().map(Vec::len), Some(7), "{offices}");
    // A team is one of the roster's: work is dispatched to no other.
    let fire = ["org", "team", "add", "name=消防团队", "kind=常设", "lines=出租房消防"];
    let message = admin.refused(&fire, "field-missing");
    assert!(message.contains("scope") && message.contains("unit add"), "{message}");
    let message = admin.refused(&[&fire[..], &["scope=team:fire"]].concat(), "unit-unknown");
    assert!(message.contains("team:fire") && message.contains("unit add"), "{message}");
    admin.hear_from_centre(&["fire", "move"].map(|code| Edit {
        doc: worker_id(code),
        kind: Kind::UNIT,
        ops: vec![set("scope", &format!("team:{code}")), set("name", code)],
    }));
    admin.run(&[&fire[..], &["scope=team:fire"]].concat());
    let message = admin.refused(&[&fire[..], &["scope=team:fire"]].concat(), "team-recorded");
    assert!(message.contains("org team set team:fire"), "{message}");
    for (kind, scope) in [("team", "grid:330881121200"), ("point", "centre"), ("window", "grid:330881121200")]
    {
        let add = ["org", kind, "add", "name=某", &format!("scope={scope}")];
        let error = admin.try_run(&add).expect_err(kind);
        assert_eq!((error.code.as_ref(), error.field.as_deref()), ("unit-kind", Some("scope")), "{error}");
    }
    let ad_hoc = [
        "org",
        "team",
        "add",
        "name=征迁专班",
        "kind=临时",
        "purpose=征迁",
        "starts_on=2026-03-01",
        "scope=team:move",
    ];
    admin.refused(&ad_hoc, "field-missing");
    admin.run(&[&ad_hoc[..], &["lead=周敏"]].concat());
    admin.refused(&["org", "team", "set", "征迁专班", "ends_on=2026-02-01"], "date-order");
    admin.refused(&["org", "team", "add", "name=某队", "kind=随便", "scope=team:fire"], "code-unknown");
    assert_eq!(admin.run(&["org", "team", "show", "征迁专班"])["ad_hoc"], true);
    admin.run(&["org", "window", "add", "name=综合窗口", "scope=centre", "lines=民政,社保"]);
    let text = "第一条 为规范网格化管理…\n".repeat(800);
    let path = file(&admin, "rules.txt", &text);
    let add = ["org", "reference", "add", "name=实施细则", "version=2026-1", "--text-file", &path];
    admin.refused(&add, "field-missing");
    admin.run(&[&add[..], &["approver=领导小组"]].concat());
    assert_eq!(admin.run(&["org", "reference", "show", "实施细则"])["text"], text.as_str());
    admin.run(&["org", "team", "close", "消防团队"]);
    assert_eq!(admin.run(&["org", "team", "list"]).as_array().map(Vec::len), Some(1));
    let ana = Station::of_grid("张三", 1);
    assert_eq!(ana.run(&["org", "office", "list"]).as_array().map(Vec::len), Some(7));
    ana.refused(&["org", "office", "add", "name=某办", "code=x"], "may-not");
}

/// A team that the roster has is there before anything else is recorded of it.
#[test]
fn a_team_of_the_roster_is_listed_shown_and_described() {
    let admin = admin();
    let field =
        |name: &str, value: &str| Op { target: Target::Field(name.to_owned()), value: Some(value.into()) };
    let team = Edit {
        doc: common::worker_id("team:fire"),
        kind: Kind::UNIT,
        ops: vec![field("scope", "team:fire"), field("name", "消防中队"), field("code", "fire")],
    };
    admin.hear_from_centre(&[team]);
    let listed = admin.run(&["org", "team", "list"]);
    assert_eq!((&listed[0]["scope"], &listed[0]["id"]), (&"team:fire".into(), &serde_json::Value::Null));
    assert_eq!(admin.run(&["org", "team", "show", "消防中队"])["scope"], "team:fire");
    admin.run(&["org", "team", "set", "team:fire", "kind=常设", "lead=王五"]);
    let listed = admin.run(&["org", "team", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!((&listed[0]["name"], &listed[0]["lead"]), (&"消防中队".into(), &"王五".into()));
    let message = admin.refused(&["org", "team", "set", "消防中队", "kind=随意"], "code-unknown");
    assert!(message.contains("常设、临时") && !message.contains("代码表"), "{message}");
    // The unit is called so here as well.
    let point = admin.run(&["org", "point", "add", "name=工作点", "unit=溪淤村"]);
    assert_eq!(point["scope"], "grid:330881121200");
}
