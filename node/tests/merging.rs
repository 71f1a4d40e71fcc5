//! One person in two records: found, merged by a link, and apart again.

mod common;

use common::{IDS, Station, grid, shown};
use serde_json::Value;

fn id(added: &Value) -> String {
    added["id"].as_str().expect("an id").to_owned()
}

/// Two records of one person: one with his number, one from before he showed it.
fn twice(station: &Station) -> (String, String) {
    let known = station.run(&[
        "person",
        "add",
        &format!("id_number={}", IDS[0]),
        "name=王小明",
        "phone=13800000001",
        "current_address=溪淤 1 号",
    ]);
    let without = station.run(&[
        "person",
        "add",
        "name=王小明",
        "birth_date=1990-01-01",
        "phone=13800000002",
        "current_address=溪淤1号",
        "employer=砖厂",
        "--no-id",
        "--anyway",
    ]);
    (id(&known), id(&without))
}

#[test]
fn likely_duplicates_are_found_with_why() {
    let ana = Station::of_grid("张三", 1);
    let (known, without) = twice(&ana);
    ana.run(&["person", "add", &format!("id_number={}", IDS[1]), "name=李小红", "phone=13800000001"]);
    let pairs = ana.run(&["person", "duplicates"]);
    assert_eq!(pairs[0]["why"], serde_json::json!(["name-birth-address"]), "{pairs}");
    let mut both: Vec<String> = pairs[0]["records"].as_array().expect("two").iter().map(id).collect();
    both.sort();
    let mut expect = vec![known.clone(), without.clone()];
    expect.sort();
    assert_eq!(both, expect);
    assert_eq!(pairs[1]["why"], serde_json::json!(["phone"]));
    assert_eq!(pairs.as_array().map(Vec::len), Some(2));
    let text = ana.text(&["person", "duplicates"]);
    assert!(text.contains("姓名、出生日期、住址相同") && !text.contains(IDS[0]), "{text}");
    ana.run(&["person", "merge", &without, "--into", &known]);
    assert_eq!(ana.run(&["person", "duplicates"]).as_array().map(Vec::len), Some(1));
}

/// The same number in two grids, at the centre.
#[test]
fn a_number_that_is_registered_in_two_grids_is_a_likely_duplicate() {
    let clerk = Station::of_centre("王五");
    let add = ["person", "add", &format!("id_number={}", IDS[0]), "name=王小明"];
    let here = clerk.run(&[&add[..], &["--unit", "溪淤村"]].concat());
    let there = clerk.run(&[&add[..], &["--unit", "中心社区"]].concat());
    let pairs = clerk.run(&["person", "duplicates"]);
    assert_eq!(pairs[0]["why"][0], "id-number");
    clerk.run(&["person", "merge", &id(&there), "--into", &id(&here)]);
    assert_eq!(clerk.run(&["person", "show", IDS[0]])["id"], here["id"], "one person, no question");
    assert_eq!(clerk.run(&["person", "list"]).as_array().map(Vec::len), Some(1));
    assert_eq!(clerk.run(&["person", "duplicates"]), serde_json::json!([]));
}

#[test]
fn merged_records_are_shown_as_one_with_late_edits_of_either_and_come_apart_again() {
    let (ana, ben) = common::neighbours();
    let (known, without) = twice(&ana);
    common::meet(&ana, &ben);
    ana.run(&["person", "merge", &without, "--into", &known]);
    // Ben does not know of the merge and edits the record that gave way.
    ben.run(&["person", "set", &without, "occupation=厨师"]);
    common::meet(&ana, &ben);
    for station in [&ana, &ben] {
        let shows = station.run(&["person", "show", &without, "--unmask", "测试"]);
        assert_eq!(shows["id"], known.as_str(), "the record that gave way leads to the one that stands");
        let fields = &shows["fields"];
        assert_eq!(shown(fields, "employer"), "砖厂");
        assert_eq!(shown(fields, "occupation"), "厨师");
        assert_eq!(shown(fields, "phone"), "13800000001", "the winner's value first");
        assert_eq!(fields["phone"]["others"][0]["value"], "13800000002");
        assert_eq!(shows["merged"][0]["id"], without.as_str());
        assert_eq!(station.run(&["person", "list"]).as_array().map(Vec::len), Some(1));
        assert_eq!(station.run(&["person", "find", "砖厂"]), serde_json::json!([]));
        assert_eq!(id(&station.run(&["person", "find", "13800000002"])[0]), known);
        let conflicts = station.run(&["conflicts", "list"]);
        assert!(conflicts.as_array().expect("a list").iter().any(|c| c["field"] == "phone"), "{conflicts}");
    }
    ben.run(&["conflicts", "settle", &known, "phone", "--take", "2"]);
    common::meet(&ana, &ben);
    let fields = ana.run(&["person", "show", &known, "--unmask", "测试"])["fields"].clone();
    assert_eq!(shown(&fields, "phone"), "13800000002");
    assert_eq!(fields["phone"]["others"], serde_json::json!([]));
    ben.run(&["person", "unmerge", &without]);
    common::meet(&ana, &ben);
    for station in [&ana, &ben] {
        assert_eq!(station.run(&["person", "list"]).as_array().map(Vec::len), Some(2));
        assert_eq!(shown(&station.fields("person", &without), "occupation"), "厨师");
        assert!(station.fields("person", &known).get("occupation").is_none());
    }
    ana.refused(&["person", "unmerge", &without], "not-merged");
    ana.refused(&["person", "merge", &known, "--into", IDS[0]], "merge-self");
}

#[test]
fn merging_in_opposite_directions_ends_in_one_record_everywhere() {
    let (ana, ben) = common::neighbours();
    let (known, without) = twice(&ana);
    common::meet(&ana, &ben);
    ana.run(&["person", "merge", &without, "--into", &known]);
    ben.run(&["person", "merge", &known, "--into", &without]);
    common::meet(&ana, &ben);
    let winner = known.clone().min(without.clone());
    for station in [&ana, &ben] {
        for key in [known.as_str(), without.as_str(), IDS[0]] {
            assert_eq!(id(&station.run(&["person", "show", key, "--unmask", "测试"])), winner, "{key}");
        }
        assert_eq!(station.run(&["person", "list"]).as_array().map(Vec::len), Some(1));
        let fields = station.fields("person", &known);
        assert_eq!(shown(&fields, "employer"), "砖厂");
        assert_eq!(fields["phone"]["others"].as_array().map(Vec::len), Some(1));
    }
}

/// A number was taken down wrongly and others have worked with it since.
#[test]
fn a_wrong_number_is_corrected_after_others_used_it() {
    let (ana, ben) = common::neighbours();
    let wrong = ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明"]);
    common::meet(&ana, &ben);
    // Ben, offline, notes a phone under the wrong number; Ana corrects the number meanwhile.
    ben.run(&["person", "set", IDS[0], "phone=13800000001"]);
    ana.run(&["person", "set", IDS[0], &format!("id_number={}", IDS[2])]);
    common::meet(&ana, &ben);
    for station in [&ana, &ben] {
        let person = station.run(&["person", "show", IDS[2], "--unmask", "测试"]);
        assert_eq!(person["id"], wrong["id"]);
        assert_eq!(shown(&person["fields"], "phone"), "13800000001", "his note stands");
        station.refused(&["person", "show", IDS[0]], "not-found");
    }
    // Whom the number really belongs to is registered on both, offline: one record of the next generation.
    let add = ["person", "add", &format!("id_number={}", IDS[0]), "name=真王小明"];
    let first = ana.run(&add);
    let second = ben.run(&[&add[..], &["phone=13900000000"]].concat());
    assert_eq!(first["id"], second["id"]);
    assert_ne!(first["id"], wrong["id"]);
    common::meet(&ana, &ben);
    let fields = ana.fields("person", IDS[0]);
    assert_eq!(
        (shown(&fields, "name"), shown(&fields, "phone")),
        (&"真王小明".into(), &"13900000000".into())
    );
    assert_eq!(ana.run(&["person", "list"]).as_array().map(Vec::len), Some(2));
    // A closed record frees its number too.
    ana.run(&["person", "close", IDS[0], "--reason", "登记错误"]);
    ana.refused(&["person", "show", IDS[0]], "not-found");
    let third = ana.run(&add);
    assert_ne!(third["id"], first["id"]);
    assert_eq!(third["scope"], grid(1).to_string());
}
