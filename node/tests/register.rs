//! Persons and places through the commands of a worker.

mod common;

use common::{IDS, Station, grid, shown};

fn station() -> Station {
    Station::of_grid("张三", 1)
}

#[test]
fn a_person_is_registered_in_the_only_grid_and_shown_again() {
    let ana = station();
    let added = ana.run(&[
        "person",
        "add",
        "id_number=９９０１０１１９９００１０１００１９",
        "姓名=王 小明",
        "phone=138 0000 0001",
        "性别=男",
    ]);
    assert_eq!(added["created"], true);
    assert_eq!(added["scope"], "grid:330881121200");
    assert_eq!(added["delivery"], "here");
    let person = ana.run(&["person", "show", IDS[0], "--unmask", "测试"]);
    assert_eq!(person["id"], added["id"]);
    let fields = &person["fields"];
    assert_eq!(shown(fields, "id_number"), IDS[0]);
    assert_eq!(shown(fields, "name"), "王小明");
    assert_eq!(shown(fields, "phone"), "13800000001");
    assert_eq!(shown(fields, "sex"), "1");
    assert_eq!(shown(fields, "unit"), "溪淤村委会");
    assert_eq!(fields["name"]["label"], "姓名");
    assert_eq!(fields["name"]["worker"], "张三");
    assert!(fields["name"]["at"].as_str().expect("a time").ends_with("+08:00"));
    assert_eq!(fields["name"]["others"], serde_json::json!([]));
    let id = added["id"].as_str().expect("an id");
    assert_eq!(ana.run(&["person", "show", id])["id"], id);
    assert_eq!(ana.run(&["person", "show", &id[..7].to_uppercase()])["id"], id);
    ana.refused(&["person", "show", &id[..5]], "not-found");
}

#[test]
fn a_number_that_is_registered_already_is_told_and_nothing_is_changed() {
    let ana = station();
    ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "phone=13800000001"]);
    let before = ana.transactions();
    let again = ["person", "add", &format!("id_number={}", IDS[0]), "name=王大明", "employer=砖厂"];
    let message = ana.refused(&again, "already-registered");
    assert!(message.contains("王小明") && message.contains("990101********0019"), "{message}");
    assert!(!message.contains(IDS[0]), "the number stands in full in: {message}");
    assert_eq!(ana.transactions(), before);
    let merged = ana.run(&[&again[..], &["--merge"]].concat());
    assert_eq!((merged["created"].clone(), merged["changed"].clone()), (false.into(), true.into()));
    let fields = ana.fields("person", IDS[0]);
    assert_eq!((shown(&fields, "name"), shown(&fields, "employer")), (&"王大明".into(), &"砖厂".into()));
    assert_eq!(shown(&fields, "phone"), "13800000001");
}

#[test]
fn a_person_without_a_number_needs_the_word_and_a_look_at_likely_matches() {
    let ana = station();
    ana.refused(&["person", "add", "name=无名氏"], "id-missing");
    let first = ana.run(&["person", "add", "name=无名氏", "--no-id"]);
    let message = ana.refused(&["person", "add", "name=无名氏", "--no-id"], "likely-matches");
    let id = first["id"].as_str().expect("an id");
    assert!(message.contains(&id[..8]), "{message}");
    let second = ana.run(&["person", "add", "name=无名氏", "--no-id", "--anyway"]);
    assert_ne!(first["id"], second["id"]);
}

#[test]
fn a_value_that_fails_its_check_changes_nothing() {
    let ana = station();
    ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "sex=男"]);
    let before = ana.transactions();
    for (edit, code) in [
        ("id_number=990101199001010018", "id-check-digit"),
        ("id_number=99010119900101001", "id-length"),
        ("phone=12", "phone-format"),
        ("sex=女", "sex-disagrees-with-id"),
        ("birth_date=1990-02-30", "date-impossible"),
        ("name=", "name-missing"),
        ("kind=火星人", "value-unreadable"),
        ("religion=无", "field-not-collected"),
        ("政治面貌=群众", "field-not-collected"),
        ("marriage=已昏", "code-unknown"),
        ("birth_date=1991-01-01", "birth-disagrees-with-id"),
        ("care=独居老人", "consent-missing"),
        ("arrived_on=2026-13-01", "date-impossible"),
        ("merged_into=x", "field-unknown"),
        ("generation=3", "field-unknown"),
        ("closed=true", "field-unknown"),
        ("13800000001", "no-equals-sign"),
    ] {
        let message = ana.refused(&["person", "set", IDS[0], edit], code);
        assert!(!message.contains(IDS[0]) && !message.contains("990101199001010018"), "{message}");
    }
    ana.refused(&["person", "set", IDS[0], "phone=13800000001", "联系电话=13800000002"], "field-twice");
    let known = ana.refused(&["person", "set", IDS[0], "colour=red"], "field-unknown");
    assert!(known.contains("phone (联系电话)"), "{known}");
    assert_eq!(ana.transactions(), before);
}

#[test]
fn a_field_is_set_deleted_and_left_alone_if_nothing_changes() {
    let ana = station();
    ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "phone=13800000001"]);
    let set = ana.run(&["person", "set", IDS[0], "联系电话=13800000002", "note=独居"]);
    assert_eq!(set["changed"], true);
    let before = ana.transactions();
    assert_eq!(ana.run(&["person", "set", IDS[0], "phone=13800000002"])["changed"], false);
    assert_eq!(ana.transactions(), before);
    ana.run(&["person", "set", IDS[0], "phone="]);
    let fields = ana.fields("person", IDS[0]);
    assert!(fields.get("phone").is_none(), "{fields}");
    assert_eq!(shown(&fields, "note"), "独居");
}

#[test]
fn a_corrected_number_keeps_the_record_and_frees_the_old_number() {
    let ana = station();
    let first = ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明"]);
    ana.run(&["person", "add", &format!("id_number={}", IDS[1]), "name=李小红"]);
    let message = ana.refused(&["person", "set", IDS[0], &format!("id_number={}", IDS[1])], "number-taken");
    assert!(message.contains("李小红"), "{message}");
    ana.run(&["person", "set", IDS[0], &format!("id_number={}", IDS[2])]);
    assert_eq!(ana.run(&["person", "show", IDS[2]])["id"], first["id"]);
    ana.refused(&["person", "show", IDS[0]], "not-found");
    let next = ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=真王小明"]);
    assert_ne!(next["id"], first["id"]);
    assert_eq!(shown(&ana.fields("person", IDS[0]), "generation"), 1);
}

#[test]
fn numbers_are_masked_for_people_until_there_is_a_reason() {
    let ana = station();
    ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "phone=13812345678"]);
    for words in [&["person", "list"][..], &["person", "find", "王小"], &["person", "show", IDS[0]]] {
        let text = ana.text(words);
        assert!(text.contains("王小明"), "{text}");
        assert!(text.contains("990101********0019") && text.contains("138****5678"), "{text}");
        assert!(!text.contains(IDS[0]) && !text.contains("13812345678"), "{text}");
    }
    ana.run(&["person", "set", IDS[0], "note=其子电话13998765432"]);
    for words in [&["person", "list"][..], &["person", "find", "王小"], &["person", "show", IDS[0]]] {
        let json = ana.run(words).to_string();
        assert!(json.contains("990101********0019") && json.contains("138****5678"), "{json}");
        assert!(![IDS[0], "13812345678", "13998765432"].iter().any(|full| json.contains(full)), "{json}");
    }
    for shown in [
        ana.text(&["person", "show", IDS[0], "--unmask", "核对户籍"]),
        ana.run(&["person", "show", IDS[0], "--unmask", "核对户籍"]).to_string(),
    ] {
        assert!([IDS[0], "13812345678", "13998765432"].iter().all(|full| shown.contains(full)), "{shown}");
    }
    ana.refused(&["person", "show", IDS[0], "--unmask", " "], "reason-missing");
    let message = ana.refused(&["person", "show", IDS[3]], "not-found");
    assert!(!message.contains(IDS[3]) && message.contains("990101********0043"), "{message}");
}

#[test]
fn people_are_found_by_parts_of_name_phone_address_or_the_end_of_the_number() {
    let ana = station();
    ana.run(&[
        "person",
        "add",
        &format!("id_number={}", IDS[0]),
        "name=王小明",
        "phone=13812345678",
        "current_address=溪淤 12 号",
    ]);
    ana.run(&["person", "add", &format!("id_number={}", IDS[1]), "name=李小红"]);
    let found = |text: &str| {
        let list = ana.run(&["person", "find", text]);
        list.as_array()
            .expect("a list")
            .iter()
            .map(|p| p["name"].as_str().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("小").len(), 2);
    for text in ["王", "345", "溪淤12", "１２号", "0019"] {
        assert_eq!(found(text), ["王小明"], "{text:?}");
    }
    assert_eq!(found("9901011990"), Vec::<String>::new(), "the beginning of a number finds nobody");
    assert_eq!(ana.run(&["person", "list", "--limit", "1"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_replica_of_several_grids_asks_which_one() {
    let clerk = Station::of_centre("王五");
    let add = ["person", "add", &format!("id_number={}", IDS[0]), "name=王小明"];
    let message = clerk.refused(&add, "unit-missing");
    assert!(message.contains("溪淤村委会 (grid:330881121200)"), "{message}");
    clerk.refused(&[&add[..], &["unit=火星村"]].concat(), "unit-unknown");
    let added = clerk.run(&[&add[..], &["unit=溪淤村"]].concat());
    assert_eq!(added["scope"], grid(1).to_string());
    assert_eq!(shown(&clerk.fields("person", IDS[0]), "unit"), "溪淤村委会");
    // The same person in another grid, as a tenant: allowed, and told.
    let tenant = clerk.run(&[&add[..], &["--unit", "grid:330881121003"]].concat());
    assert_eq!(tenant["also_in"][0]["id"], added["id"]);
    let message = clerk.refused(&["person", "show", IDS[0]], "key-ambiguous");
    assert!(message.contains("溪淤村委会") && message.contains("中心社区"), "{message}");
    assert_eq!(clerk.run(&["person", "show", IDS[0], "--unit", "中心社区"])["id"], tenant["id"]);
    clerk.refused(&["person", "set", added["id"].as_str().expect("id"), "unit=中心社区"], "other-unit");
}

#[test]
fn a_grid_worker_cannot_register_elsewhere() {
    let ana = station();
    let add = ["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "--unit", "中心社区"];
    ana.refused(&add, "unit-not-held");
    assert_eq!(ana.run(&["person", "list"]), serde_json::json!([]));
}

#[test]
fn a_place_without_a_code_is_one_wherever_it_is_registered() {
    let (ana, ben) = common::neighbours();
    let add = ["place", "add", "name=老王小吃店", "address=溪淤 1 号"];
    let first = ana.run(&add);
    assert_eq!(ben.run(&[&add[..], &["phone=13800000001"]].concat())["id"], first["id"]);
    ana.refused(&add, "already-registered");
    ana.refused(&["place", "add", "name=老王小吃店", "address=溪淤 2 号"], "likely-matches");
    ana.refused(&[&add[..], &["--anyway"]].concat(), "already-registered");
    assert_eq!(ana.run(&[&add[..], &["manager=老王", "--merge"]].concat())["id"], first["id"]);
    common::meet(&ana, &ben);
    let places = ana.run(&["place", "list"]);
    assert_eq!(places.as_array().map(Vec::len), Some(1), "{places}");
}

#[test]
fn a_place_takes_both_coordinates_or_neither() {
    let ana = station();
    let place = ana.run(&["place", "add", "name=砖厂", "credit_code=91350100m000100y43", "staff_count=12"]);
    let id = place["id"].as_str().expect("an id");
    ana.refused(&["place", "set", id, "longitude=118.57"], "coordinates-incomplete");
    ana.refused(&["place", "set", id, "longitude=28.7", "latitude=218.5"], "coordinates-out-of-range");
    ana.run(&["place", "set", "91350100M000100Y43", "longitude=118.57", "latitude=28.7"]);
    let fields = ana.fields("place", id);
    assert_eq!(shown(&fields, "longitude"), 118.57);
    assert_eq!(shown(&fields, "datum"), "WGS-84");
    assert_eq!(shown(&fields, "staff_count"), 12);
    ana.refused(&["place", "set", id, "latitude="], "coordinates-incomplete");
    ana.run(&["place", "set", id, "latitude=", "longitude="]);
    assert!(ana.fields("place", id).get("latitude").is_none());
}

#[test]
fn people_are_found_by_the_sound_of_their_name_and_as_they_are_now() {
    let (ana, ben) = common::neighbours();
    let added =
        ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=张三", "phone=13812345678"]);
    let found = |station: &Station, text: &str| {
        let list = station.run(&["person", "find", text]);
        list.as_array().expect("a list").len()
    };
    for text in ["zhangsan", "zs", "ZhangS", "san", "0019", "张三", "1381"] {
        assert_eq!(found(&ana, text), 1, "{text:?}");
        assert_eq!(found(&ben, text), 0, "{text:?}");
    }
    common::meet(&ana, &ben);
    assert_eq!(found(&ben, "zhangsan"), 1, "what came from a neighbour is found at once");
    ben.run(&["person", "set", IDS[0], "name=李四"]);
    assert_eq!((found(&ben, "zs"), found(&ben, "ls")), (0, 1));
    ana.run(&["person", "set", IDS[0], "name=王五"]);
    common::meet(&ana, &ben);
    for station in [&ana, &ben] {
        assert_eq!((found(station, "lisi"), found(station, "wangwu")), (1, 1), "both values are found");
    }
    let id = added["id"].as_str().expect("an id");
    assert_eq!(found(&ana, &id[..8]), 1);
    ana.refused(&["person", "find", "　"], "text-missing");
}

/// Views lie beside their documents: a replica that is opened again, and one whose views are of another
/// form, show what they showed before.
#[test]
fn views_are_there_after_a_restart_and_made_anew_when_their_form_changed() {
    use wangge_node::replica::Replica;
    use wangge_store::{Batch, Options};

    let ana = station();
    ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=张三", "phone=13812345678"]);
    let person = ana.run(&["person", "show", IDS[0], "--unmask", "测试"]);
    let dir = ana.close();
    let shown = || {
        let replica = std::sync::Arc::new(Replica::open(dir.path(), Options::default()).expect("opens"));
        let words = common::command(&["person", "show", IDS[0], "--unmask", "测试"]);
        let shown = wangge_node::command::execute(&replica, &words, &wangge_node::command::Unwatched);
        let json = shown.expect("shows").json;
        std::sync::Arc::into_inner(replica).expect("nobody else").close();
        json
    };
    assert_eq!(shown(), person);
    let replica = Replica::open(dir.path(), Options::default()).expect("opens");
    let mut batch = Batch::new();
    let views: Vec<Vec<u8>> = replica.store().scan_keys(b"W").map(|key| key.expect("reads")).collect();
    assert!(!views.is_empty());
    for key in views {
        batch.put(key, vec![0xff]);
    }
    batch.put(&b"mviews"[..], vec![0]);
    replica.store().commit(batch).expect("commits");
    replica.close();
    assert_eq!(shown(), person);
}
