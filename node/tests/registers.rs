//! Households, dwellings, rented houses, enterprises and who lives or rents where.

mod common;

use common::{IDS, Station, grid, shown};
use serde_json::Value;

fn id(added: &Value) -> &str {
    added["id"].as_str().expect("an id")
}

/// Records are found by the numbers that offices give them and by the people whom they name or link.
#[test]
fn houses_households_and_tenancies_are_found_by_number_and_by_people() {
    let ana = Station::of_grid("张三", 1);
    let tenant = ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=欧阳修远"]);
    let house = ana.run(&["house", "add", "house_number=CZ-7", "address=富强路 14 号", "owner_name=刘二"]);
    let household = ana.run(&["household", "add", "household_number=H001", &format!("head={}", IDS[0])]);
    let tenancy =
        ana.run(&["tenancy", "add", "house=CZ-7", &format!("person={}", IDS[0]), "from=2025-01-01"]);
    let dwelling = ana.run(&["dwelling", "add", "address=富强路 12 号"]);
    let residency = ana.run(&[
        "residency",
        "add",
        &format!("person={}", IDS[0]),
        &format!("dwelling={}", id(&dwelling)),
        "from=2025-01-01",
    ]);
    for (kind, words, found) in [
        ("house", &["CZ-7", "cz-7", "刘二", "liuer", "le"][..], &house),
        ("household", &["H001", "欧阳", "oyxy"], &household),
        ("tenancy", &["CZ-7", "刘二", "欧阳修远", "富强路14"], &tenancy),
        ("residency", &["ouyang", "富强路12"], &residency),
        ("person", &["oyxy"], &tenant),
    ] {
        for word in words {
            let hits = ana.run(&[kind, "find", word]);
            assert_eq!(hits[0]["id"], found["id"], "{kind} {word}: {hits}");
        }
        assert_eq!(ana.run(&[kind, "find", "不存在"]), serde_json::json!([]));
    }
}

/// Nobody is born tomorrow, and a time that cannot be is said before anything else.
#[test]
fn days_that_cannot_be_yet_are_refused_and_the_time_is_read_first() {
    let ana = Station::of_grid("张三", 1);
    let before = ana.transactions();
    for words in
        [&["--no-id", "name=张三", "birth_date=2093-02-20"][..], &["990101209302200015", "name=张三"]]
    {
        let message = ana.refused(&[&["person", "add"][..], words].concat(), "date-ahead");
        assert!(message.contains("2093-02-20"), "{message}");
    }
    assert_eq!(ana.transactions(), before);
    ana.run(&["person", "add", "--no-id", "name=张三"]);
    // There is somebody like him, and the time is wrong as well.
    ana.refused(&["person", "add", "--no-id", "name=张三", "--at", "2125-01-01"], "time-ahead");
}

/// Where somebody is registered and lives is a division: its code, of any length, or a village of the street.
#[test]
fn a_division_is_a_code_or_a_village_of_the_street() {
    let ana = Station::of_grid("张三", 1);
    ana.run(&["person", "add", IDS[0], "name=王小明", "户籍地区划=330881", "现住地区划=溪淤村"]);
    let fields = ana.run(&["person", "show", IDS[0]])["fields"].clone();
    assert_eq!(fields["registered_division"]["value"], "330881000000");
    assert_eq!(fields["current_division"]["value"], grid(1).code());
    let before = ana.transactions();
    for typed in ["3308", "33088112120x", "火星村"] {
        let set = format!("current_division={typed}");
        let message = ana.refused(&["person", "set", IDS[0], &set], "division");
        assert!(message.contains("现住地区划") && message.contains(typed), "{message}");
    }
    assert_eq!(ana.transactions(), before);
    ana.run(&["place", "add", "name=老王小吃店", "法定代表人=王五", "安全负责人=赵六", "hazardous=否"]);
}

/// What people call a code besides its label is understood.
#[test]
fn codes_are_understood_by_the_names_that_people_use() {
    let ana = Station::of_grid("张三", 1);
    let person = ana.run(&["person", "add", "--no-id", "name=张三", "婚姻=离异"]);
    let shown = ana.run(&["person", "show", id(&person)]);
    assert_eq!(shown["fields"]["marriage"]["text"], "离婚");
    let asked = ana.run(&["assist", "add", "--matter", "协助", "--text", "交界处垃圾", "--to", "友爱村"]);
    assert_eq!(asked["fields"]["matter"]["value"], "assist");
}

/// A village writes down a house, who owns it, who lives there and who rents it.
#[test]
fn a_household_its_dwelling_and_its_tenants_are_shown_by_their_names() {
    let ana = Station::of_grid("张三", 1);
    let owner = ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明"]);
    let tenant = ana.run(&[
        "person",
        "add",
        &format!("id_number={}", IDS[1]),
        "name=李小红",
        "kind=流动人口",
        "流入原因=务工",
    ]);
    let dwelling = ana.run(&[
        "dwelling",
        "add",
        "address=溪淤 12 号",
        "building_use=住宅",
        &format!("owner={}", IDS[0]),
        "floor_area=120.5",
    ]);
    let household = ana.run(&[
        "household",
        "add",
        "户号=X-0012",
        &format!("head={}", IDS[0]),
        &format!("dwelling={}", id(&dwelling)),
    ]);
    ana.run(&["person", "set", IDS[0], "household=X-0012", "relation_to_head=户主"]);
    let shows = ana.run(&["household", "show", "X-0012", "--unmask", "测试"]);
    assert_eq!(shows["id"], household["id"]);
    assert_eq!(shows["fields"]["head"]["target"]["name"], "王小明");
    assert_eq!(shows["linked"][0]["name"], "王小明");
    let person = ana.run(&["person", "show", IDS[0]]);
    assert_eq!(person["fields"]["relation_to_head"]["text"], "户主");
    assert_eq!(person["fields"]["household"]["target"]["id"], household["id"]);
    let kinds: Vec<&str> = person["linked"]
        .as_array()
        .expect("links")
        .iter()
        .map(|l| l["kind"].as_str().expect("kind"))
        .collect();
    assert_eq!(kinds, ["household", "dwelling"]);

    let house = ana.run(&[
        "house",
        "add",
        "出租房编号=CZ-7",
        "address=溪淤 12 号 2 楼",
        "letting_use=02",
        "house_hazard=火灾",
        &format!("owner={}", id(&owner)),
    ]);
    let tenancy =
        ana.run(&["tenancy", "add", "house=CZ-7", &format!("person={}", IDS[1]), "from=2026年3月1日"]);
    let list = ana.run(&["tenancy", "list"]);
    assert_eq!((&list[0]["person_name"], &list[0]["house_name"]), (&"李小红".into(), &"CZ-7".into()));
    assert_eq!(ana.run(&["house", "show", "CZ-7", "--unmask", "测试"])["linked"][0]["id"], tenancy["id"]);
    assert_eq!(
        ana.run(&["house", "show", id(&house), "--unmask", "测试"])["fields"]["house_hazard"]["text"],
        "火灾"
    );
    ana.refused(&["tenancy", "set", id(&tenancy), "to=2026-02-28"], "date-order");
    ana.run(&["tenancy", "set", id(&tenancy), "to=2026-09-01"]);
    ana.run(&[
        "residency",
        "add",
        &format!("person={}", IDS[1]),
        &format!("dwelling={}", id(&dwelling)),
        "from=2026-03-01",
    ]);
    let text = ana.text(&["person", "show", IDS[1]]);
    assert!(text.contains("承租") && text.contains("居住") && text.contains("01 务工"), "{text}");
    let again = [
        "residency",
        "add",
        &format!("person={}", IDS[1]),
        &format!("dwelling={}", id(&dwelling)),
        "from=2026-03-01",
    ];
    ana.refused(&again, "already-registered");
    assert_eq!(id(&tenant), ana.run(&["person", "find", "lxh"])[0]["id"]);
}

#[test]
fn what_a_field_does_not_take_is_refused_with_its_name_and_nothing_is_written() {
    let ana = Station::of_grid("张三", 1);
    let person = ana.run(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明"]);
    let dwelling = ana.run(&["dwelling", "add", "address=溪淤 1 号"]);
    let before = ana.transactions();
    for (words, code, label) in [
        (&["person", "set", IDS[0], "流入原因=旅游"][..], "code-unknown", "流入原因"),
        (&["person", "set", IDS[0], "permit_expires_on=2026-02-30"], "date-impossible", "证件到期日期"),
        (&["person", "set", IDS[0], "document_number=12"], "document-number", "证件号码"),
        (&["person", "set", IDS[0], "household=没有这户"], "not-found", "所属户"),
        (&["person", "set", IDS[0], "consent=口头同意"], "consent-unreadable", "同意记录"),
        (&["person", "set", IDS[0], "consent=2098-01-01/口头同意"], "date-ahead", "同意记录"),
        (&["person", "set", IDS[0], "consent=2026-02-30/口头同意"], "date-impossible", "同意记录"),
        (&["person", "set", IDS[0], "care=03"], "consent-missing", "关爱需求"),
        (&["person", "set", IDS[0], "重点人员=是"], "field-not-collected", "重点关注"),
        (&["person", "set", IDS[0], "民族=汉"], "field-not-collected", "民族"),
        (&["dwelling", "set", id(&dwelling), "floor_area=很大"], "value-unreadable", "建筑面积"),
        (&["dwelling", "set", id(&dwelling), "floors=-1"], "value-unreadable", "层数"),
        (&["dwelling", "add", "building_use=住宅"], "field-missing", "地址"),
        (&["household", "add", "household_kind=家庭户"], "field-missing", "户号"),
        (&["residency", "add", &format!("person={}", IDS[0]), "from=2026-01-01"], "field-missing", "房屋"),
        (&["enterprise", "add", "name=砖厂", "credit_code=123"], "credit-code-length", "统一社会信用代码"),
        (&["enterprise", "add", "name=砖厂", "hazardous=也许"], "value-unreadable", "是否危化"),
        (&["person", "add", "name=约翰", "kind=overseas"], "id-missing", "document_number"),
    ] {
        let message = ana.refused(words, code);
        assert!(message.contains(label), "{words:?}: {message}");
    }
    assert_eq!(ana.transactions(), before);
    ana.run(&["person", "set", id(&person), "care=独居老人", "consent=2026-03-05/本人口头同意"]);
    ana.refused(&["person", "set", id(&person), "consent="], "consent-missing");
    assert_eq!(shown(&ana.fields("person", IDS[0]), "consent"), "2026-03-05/本人口头同意");
}

/// Two workers register the same traveller by passport, without a network.
#[test]
fn an_overseas_person_is_one_by_the_number_of_his_passport() {
    let (ana, ben) = common::neighbours();
    let add = [
        "person",
        "add",
        "name=约翰",
        "外文姓名=John Smith",
        "国籍=美国",
        "证件种类=普通护照",
        "证件号码=e1234567",
    ];
    let first = ana.run(&[&add[..], &["kind=境外人员", "来华目的=就业", "抵达日期=2026-05-01"]].concat());
    let second = ben.run(&[&add[..], &["phone=13812345678"]].concat());
    assert_eq!(first["id"], second["id"]);
    common::meet(&ana, &ben);
    for station in [&ana, &ben] {
        let fields = station.fields("person", "E1234567");
        assert_eq!(shown(&fields, "country"), "USA");
        assert_eq!(fields["country"]["text"], "美国");
        assert_eq!(shown(&fields, "visit_purpose"), "02");
        assert_eq!(shown(&fields, "phone"), "13812345678");
        assert_eq!(station.run(&["person", "find", "smith"]).as_array().map(Vec::len), Some(1));
        assert_eq!(station.run(&["person", "find", "4567"]).as_array().map(Vec::len), Some(1));
    }
    ana.refused(&add, "already-registered");
    ana.refused(&["person", "set", "E1234567", "leaves_on=2026-04-01"], "date-order");
}

#[test]
fn the_centre_changes_a_code_table_and_fields_follow() {
    use wangge_model::identity::{Role, Scope};

    let admin = Station::empty("王五", Role::CentreAdmin, &Scope::Centre, &common::everything());
    admin.write_roster(&common::GRIDS);
    let file = admin.path("reasons.csv");
    std::fs::write(&file, "代码,名称\n01,务工\n77,避暑\n").expect("writes");
    let file = file.to_str().expect("a path");
    let set = admin.run(&["codes", "set", "inflow-reason", file]);
    assert_eq!(set["codes"], 2);
    let add = ["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "流入原因=避暑"];
    admin.run(&[&add[..], &["--unit", "溪淤村"]].concat());
    assert_eq!(shown(&admin.fields("person", IDS[0]), "inflow_reason"), "77");
    let message = admin.refused(&["person", "set", IDS[0], "流入原因=务农"], "code-unknown");
    assert!(message.contains("01 务工、77 避暑"), "{message}");
    let table = admin.run(&["codes", "show", "inflow-reason"]);
    assert_eq!(table["codes"]["77"], "避暑");
    assert_eq!(table["label"], "流入原因");
    // What a code meant while it was in use can still be read, though it is not given any more.
    assert_eq!(table["retired"]["04"], "学习培训");
    std::fs::write(file, "01,务工\n04,求学\n").expect("writes");
    let again = admin.run(&["codes", "set", "inflow-reason", file]);
    assert_eq!(again["version"], format!("{}.2", set["version"].as_str().expect("a day")));
    let table = admin.run(&["codes", "show", "inflow-reason"]);
    assert_eq!((table["codes"]["04"].clone(), table["retired"]["04"].clone()), ("求学".into(), Value::Null));
    assert!(admin.text(&["person", "show", IDS[0]]).contains("流入原因:77 避暑"));
    admin.refused(&["person", "set", IDS[0], "流入原因=避暑"], "code-unknown");
    let before = admin.transactions();
    std::fs::write(file, "01;务工").expect("writes");
    admin.refused(&["codes", "set", "inflow-reason", file], "table-unreadable");
    admin.refused(&["codes", "set", "inflow-reason", "/nowhere/x.csv"], "file-unreadable");
    assert_eq!(admin.transactions(), before);
    admin.refused(&["codes", "show", "nothing"], "table-unknown");
    let ana = Station::of_grid("张三", 1);
    std::fs::write(file, "01,务工").expect("writes");
    let message = ana.refused(&["codes", "set", "inflow-reason", file], "may-not");
    assert!(message.contains("社管中心"), "{message}");
}

/// Fields go by the headings that ledgers use for them, and by a part of their name that no other has.
#[test]
fn fields_go_by_the_headings_of_ledgers() {
    let clerk = Station::of_centre("王五");
    let number = format!("身份证号={}", IDS[0]);
    clerk.run(&["person", "add", "名字=王小明", &number, "手机=13800000000", "--unit", "溪淤村"]);
    clerk.run(&["person", "set", IDS[0], "婚姻=已婚", "现住址=溪淤 1 号"]);
    let fields = clerk.fields("person", IDS[0]);
    assert_eq!(shown(&fields, "marriage"), "20");
    assert_eq!(shown(&fields, "current_address"), "溪淤 1 号");
    // Three fields are dates of something.
    clerk.refused(&["person", "set", IDS[0], "日期=2026-01-01"], "field-unknown");
}

/// What people type is near to what is meant: a part of a field's name, a word of a long table; and what
/// links other records lies where they are.
#[test]
fn short_words_are_understood_or_answered_with_what_comes_near() {
    let clerk = Station::of_centre("王五");
    let at = ["--unit", "溪淤村"];
    let add = |words: &[&str]| clerk.run(&[words, &at].concat());
    let factory = add(&["enterprise", "add", "name=五金厂", "category=内资", "address=溪淤 3 号"]);
    let factory = clerk.run(&["enterprise", "show", id(&factory)]);
    assert_eq!(shown(&factory["fields"], "enterprise_category"), "01");
    let person = add(&["person", "add", &format!("id_number={}", IDS[0]), "name=王小明"]);
    // The number alone says whose it is.
    add(&["person", "add", IDS[1], "name=李小红"]);
    // A case can be at a place or an enterprise, which is called by its line of business in the analysis.
    let factory = factory["id"].as_str().expect("an id");
    let report = ["case", "report", "--category", "work-safety", "--text", "堵塞", "--place", factory];
    assert_eq!(clerk.run(&report)["scope"], grid(1).to_string());
    assert_eq!(clerk.run(&["analyse"])["groups"][0]["label"], "安全生产");
    clerk.run(&["person", "set", IDS[0], "education=大学本科"]);
    assert_eq!(shown(&clerk.run(&["person", "show", IDS[0]])["fields"], "education"), "20");
    let message = clerk.refused(&["person", "set", IDS[0], "education=大学本"], "code-unknown");
    assert!(message.contains("21 大学本科毕业") && !message.contains("博士"), "{message}");
    // Somebody from overseas may have a foreign name alone.
    let new = ["person", "add", "foreign_name=John Smith", "document_number=P1234567", "document_kind=护照"];
    let message = clerk.refused(&[&new[..], &at].concat(), "code-unknown");
    assert!(message.contains("414 普通护照") && !message.contains("户口簿"), "{message}");
    let new = ["person", "add", "foreign_name=John Smith", "document_number=P1234567", "document_kind=414"];
    add(&new);
    assert_eq!(clerk.run(&["person", "find", "smith"]).as_array().map(Vec::len), Some(1));
    clerk.refused(&[&["person", "add", "document_number=P7654321"], &at[..]].concat(), "name-missing");
    // The centre holds all grids, and need not say in which one a residency is.
    let dwelling = add(&["dwelling", "add", "address=溪淤 1 号"]);
    let (person, dwelling) = (id(&person).to_owned(), id(&dwelling).to_owned());
    let lives =
        ["residency", "add", &format!("person={person}"), &format!("dwelling={dwelling}"), "from=2026-01-01"];
    assert_eq!(clerk.run(&lives)["scope"], grid(1).to_string());
}

/// A resident's copy is for him to read: labels and meanings, who wrote what and when.
#[test]
fn a_dossier_can_be_read_by_the_resident() {
    let clerk = Station::of_centre("王五");
    let number = format!("id_number={}", IDS[0]);
    clerk.run(&["person", "add", &number, "name=王小明", "婚姻=已婚", "--unit", "溪淤村"]);
    clerk.run(&["person", "set", IDS[0], "phone=13800000000"]);
    clerk.run(&["case", "report", "--category", "便民服务", "--text", "咨询", "--person", IDS[0]]);
    let text = clerk.text(&["person", "dossier", IDS[0]]);
    for told in
        [&format!("公民身份号码:{}", IDS[0]), "婚姻状况:20 已婚", "王五:联系电话=13800000000", "1 份", "咨询"]
    {
        assert!(text.contains(told), "{told} in {text}");
    }
    let (plain, json) = (clerk.path("copy.txt"), clerk.path("copy.json"));
    for out in [&plain, &json] {
        clerk.run(&["person", "dossier", IDS[0], "--out", out.to_str().expect("a path")]);
    }
    assert!(std::fs::read_to_string(plain).expect("reads").contains("联系电话=13800000000"));
    let copy: Value = serde_json::from_slice(&std::fs::read(json).expect("reads")).expect("JSON");
    assert_eq!(copy["person"]["fields"]["phone"]["value"], "13800000000");
}
