//! Two workers write the same field offline: both values stay visible until a person settles it.

mod common;

use common::{IDS, Station, meet, neighbours, shown};
use serde_json::json;

fn with_person() -> (Station, Station) {
    let (ana, ben) = neighbours();
    ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "phone=13800000000"]);
    meet(&ana, &ben);
    (ana, ben)
}

#[test]
fn different_fields_merge_without_a_conflict() {
    let (ana, ben) = with_person();
    ana.run(&["person", "set", IDS[0], "phone=13800000001"]);
    ben.run(&["person", "set", IDS[0], "employer=砖厂"]);
    meet(&ana, &ben);
    for station in [&ana, &ben] {
        let fields = station.fields("person", IDS[0]);
        assert_eq!(
            (shown(&fields, "phone"), shown(&fields, "employer")),
            (&json!("13800000001"), &json!("砖厂"))
        );
        assert_eq!(station.run(&["conflicts", "list"]), json!([]));
    }
}

#[test]
fn the_same_field_shows_both_values_with_who_until_one_settles_it() {
    let (ana, ben) = with_person();
    ana.run(&["person", "set", IDS[0], "phone=13800000001"]);
    ben.run(&["person", "set", IDS[0], "phone=13900000002"]);
    meet(&ana, &ben);
    assert_eq!(ana.run(&["conflicts", "list"]), ben.run(&["conflicts", "list"]));
    let listed = ana.run(&["conflicts", "list", IDS[0], "--unmask", "核对电话"]);
    assert_eq!((listed[0]["field"].clone(), listed[0]["label"].clone()), (json!("phone"), json!("联系电话")));
    let mut values: Vec<(String, String)> = listed[0]["values"]
        .as_array()
        .expect("values")
        .iter()
        .map(|v| {
            (v["worker"].as_str().unwrap_or("").to_owned(), v["value"].as_str().unwrap_or("").to_owned())
        })
        .collect();
    values.sort();
    assert_eq!(values, [("张三".into(), "13800000001".into()), ("李四".into(), "13900000002".into())]);
    let fields = ana.fields("person", IDS[0]);
    assert_eq!(fields["phone"]["others"].as_array().map(Vec::len), Some(1));
    let text = ana.text(&["conflicts", "list"]);
    assert!(text.contains("联系电话") && text.contains("张三 于 ") && text.contains("139****0002"), "{text}");
    assert_eq!(ana.run(&["status"])["conflicts"], 1);
    let listed = ana.run(&["conflicts", "list"]).to_string();
    assert!(listed.contains("138****0001") && !listed.contains("13800000001"), "{listed}");
    ana.refused(&["conflicts", "list", "--unmask", "都想看"], "unmask-one");

    // The value that is shown already settles too.
    let showing = shown(&fields, "phone").as_str().expect("a phone").to_owned();
    let settled = ana.run(&["conflicts", "settle", IDS[0], "联系电话", "--take", "1"]);
    assert_eq!(settled["value"], format!("{}****{}", &showing[..3], &showing[7..]));
    meet(&ana, &ben);
    for station in [&ana, &ben] {
        assert_eq!(station.run(&["conflicts", "list"]), json!([]));
        assert_eq!(shown(&station.fields("person", IDS[0]), "phone"), showing.as_str());
    }
}

#[test]
fn a_conflict_is_settled_with_a_third_value_that_passes_its_check() {
    let (ana, ben) = with_person();
    ana.run(&["person", "set", IDS[0], "phone=13800000001"]);
    ben.run(&["person", "set", IDS[0], "phone=13900000002"]);
    meet(&ana, &ben);
    ben.refused(&["conflicts", "settle", IDS[0], "phone", "--value", "12"], "phone-format");
    ben.refused(&["conflicts", "settle", IDS[0], "phone", "--take", "3"], "take-range");
    ben.refused(&["conflicts", "settle", IDS[0], "phone", "--take", "0"], "take-range");
    ben.refused(&["conflicts", "settle", IDS[0], "name", "--take", "1"], "no-conflict");
    assert_eq!(ben.run(&["conflicts", "list"]).as_array().map(Vec::len), Some(1));
    ben.run(&["conflicts", "settle", IDS[0], "phone", "--value", "13700000003"]);
    meet(&ana, &ben);
    assert_eq!(shown(&ana.fields("person", IDS[0]), "phone"), "13700000003");
    assert_eq!(ana.run(&["conflicts", "list"]), json!([]));
}

#[test]
fn the_same_new_resident_on_two_replicas_is_one_with_both_workers_facts() {
    let (ana, ben) = neighbours();
    let number = format!("id_number={}", IDS[1]);
    let first = ana.run(&["person", "add", &number, "name=李小红", "phone=13800000001"]);
    let second = ben.run(&["person", "add", &number, "name=李小红", "employer=砖厂"]);
    assert_eq!(first["id"], second["id"]);
    meet(&ana, &ben);
    for station in [&ana, &ben] {
        let fields = station.fields("person", IDS[1]);
        assert_eq!(
            (shown(&fields, "phone"), shown(&fields, "employer")),
            (&json!("13800000001"), &json!("砖厂"))
        );
        assert_eq!(fields["name"]["others"], json!([]), "equal values are no conflict");
        assert_eq!(station.run(&["person", "list"]).as_array().map(Vec::len), Some(1));
    }
    assert_eq!(ana.run(&["digest"]), ben.run(&["digest"]));
}

/// Two corrections of one number, one of which belongs to somebody else by now.
#[test]
fn a_conflict_is_not_settled_with_a_number_that_another_record_has() {
    let (ana, ben) = with_person();
    ana.run(&["person", "set", IDS[0], &format!("id_number={}", IDS[1])]);
    ben.run(&["person", "set", IDS[0], &format!("id_number={}", IDS[2])]);
    ana.run(&["person", "add", &format!("id_number={}", IDS[3]), "name=钱小燕"]);
    meet(&ana, &ben);
    let id = ana.run(&["conflicts", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let value = format!("--value={}", IDS[3]);
    ana.refused(&["conflicts", "settle", &id, "id_number", &value], "number-taken");
    ana.run(&["conflicts", "settle", &id, "id_number", "--value", IDS[2]]);
    assert_eq!(ana.run(&["person", "show", IDS[2]])["id"], id.as_str());
    ana.refused(&["person", "show", IDS[1]], "not-found");
}
