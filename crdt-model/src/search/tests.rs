use std::collections::BTreeMap;

use super::*;
use crate::document::{Claim, DocumentView, Register};
use crate::identity::DocId;
use crate::schema::Kind;

fn view(id: u8, fields: &[(&str, &[&str])]) -> DocumentView {
    let claim = |value: &&str| Claim { value: (*value).into(), worker: DocId([0; 16]), wall_ms: 0 };
    let fields = fields.iter().map(|(name, values)| {
        let mut claims = values.iter().map(claim);
        let register = Register { shown: claims.next().expect("a value"), others: claims.collect() };
        ((*name).to_owned(), register)
    });
    DocumentView {
        id: DocId([id; 16]),
        kind: Kind::PERSON,
        fields: fields.collect(),
        sets: BTreeMap::new(),
        histories: BTreeMap::new(),
    }
}

fn register() -> Segment {
    let mut segment = Segment::default();
    segment.put(&view(
        1,
        &[
            ("name", &["张三"]),
            ("id_number", &["990101199001010019"]),
            ("phone", &["13812345678", "13900000000"]),
            ("current_address", &["溪淤村 12 号"]),
        ],
    ));
    segment.put(&view(2, &[("name", &["张三丰"]), ("id_number", &["99010119900101002X"])]));
    segment.put(&view(3, &[("name", &["曾吕"]), ("former_name", &["单雄信"])]));
    segment.put(&view(4, &[("name", &["阿迪力·买买提"]), ("foreign_name", &["John Smith"])]));
    segment
}

#[track_caller]
fn check(segment: &Segment, typed: &str, expect: &[u8]) {
    let query = Query::parse(typed).expect("something");
    let mut hits = segment.search(&query);
    hits.sort();
    let found: Vec<u8> = hits.iter().map(|hit| hit.doc.0[0]).collect();
    assert_eq!(found, expect, "{typed:?}: {hits:?}");
}

#[test]
fn people_are_found_by_what_a_worker_remembers() {
    let segment = register();
    for (typed, expect) in [
        ("张三", &[1, 2][..]),
        ("三丰", &[2]),
        ("zhangsan", &[1, 2]),
        ("ZhangSanF", &[2]),
        ("sanfeng", &[2]),
        ("zs", &[1, 2]),
        ("zsf", &[2]),
        ("ａｄｌ", &[4]),
        ("zenglv", &[3]),
        ("zengl\u{fc}", &[3]),
        ("shanxiongxin", &[3]),
        ("danxiongxin", &[3]),
        ("john", &[4]),
        ("smith", &[4]),
        ("0019", &[1]),
        ("002x", &[2]),
        ("990101199001010019", &[1]),
        ("9901011990", &[]),
        ("1381234", &[1]),
        ("0000", &[1]),
        ("溪淤村12", &[1]),
        ("张 溪淤", &[1]),
        ("zs 0019", &[1]),
        ("hang", &[]),
        ("李", &[]),
    ] {
        check(&segment, typed, expect);
    }
    assert_eq!(Query::parse(" \u{3000}"), None);
}

#[test]
fn what_changed_or_went_is_found_as_it_is_now() {
    let mut segment = register();
    segment.put(&view(1, &[("name", &["李四"])]));
    check(&segment, "张三", &[2]);
    check(&segment, "lisi", &[1]);
    segment.remove(&DocId([2; 16]));
    check(&segment, "张", &[]);
    // Many changes make room again, and lose nobody.
    for round in 0..500 {
        segment.put(&view(1, &[("name", &["李四"]), ("phone", &[&format!("1390000{round:04}")])]));
    }
    check(&segment, "13900000499", &[1]);
    check(&segment, "13900000498", &[]);
    check(&segment, "john", &[4]);
    assert_eq!(segment.len(), 3);
    assert!(segment.len_bytes() < 20_000, "{}", segment.len_bytes());
}
