use automerge::ActorId;
use automerge::transaction::Transactable;

use super::*;

fn origin(who: u8, seq: u64, lamport: u64) -> Origin {
    Origin {
        log: LogId([who; 8]),
        seq,
        lamport,
        worker: DocId([who; 16]),
        wall_ms: 1_000 * lamport,
        observed_ms: 0,
        actor: [who; 16],
    }
}

fn put(field: &str, value: &str) -> Op {
    Op { target: Target::Field(field.into()), value: Some(value.into()) }
}

fn person() -> Document {
    Document::new(DocId([1; 16]), Kind::PERSON).expect("known kind")
}

/// What is derived on a receiver is, byte for byte, what Automerge itself would have written.
#[test]
#[expect(clippy::disallowed_methods, reason = "the comparison is with Automerge's own transaction")]
fn a_derived_change_is_the_one_automerge_writes() {
    let mut document = person();
    let mut plain = document.automerge.clone().with_actor(ActorId::from([9u8; 16].as_slice()));
    for (seq, phone) in [(1, "13800000001"), (2, "13800000002"), (3, "13800000003")] {
        let name = format!("张{seq}");
        let change = document.draft(vec![put("phone", phone), put("name", &name)]);
        document.apply(&change, &origin(9, seq, seq)).expect("applies");
        let mut tx = plain.transaction();
        tx.put(ObjId::Root, "phone", phone).expect("put");
        tx.put(ObjId::Root, "name", name).expect("put");
        tx.commit();
    }
    assert_eq!(document.automerge.get_heads(), plain.get_heads());
}

#[test]
fn concurrent_values_stay_visible_on_both_sides_until_settled() {
    let (mut a, mut b) = (person(), person());
    let base = a.draft(vec![put("name", "张三"), put("phone", "1")]);
    a.apply(&base, &origin(1, 1, 1)).expect("applies");
    b.apply(&base, &origin(1, 1, 1)).expect("applies");
    let from_a = a.draft(vec![put("phone", "2")]);
    let from_b = b.draft(vec![put("phone", "3"), put("employer", "某厂")]);
    a.apply(&from_a, &origin(1, 2, 2)).expect("applies");
    b.apply(&from_b, &origin(2, 1, 2)).expect("applies");
    a.apply(&from_b, &origin(2, 1, 2)).expect("applies");
    b.apply(&from_a, &origin(1, 2, 2)).expect("applies");
    assert_eq!(a.heads(), b.heads());
    assert_eq!(a.view(), b.view());
    let view = a.view();
    let phone = &view.fields["phone"];
    assert_eq!(phone.shown.value, "3".into());
    assert_eq!(phone.others.len(), 1);
    assert_eq!(phone.others[0].worker, DocId([1; 16]));
    assert_eq!(view.text("employer"), "某厂");

    let settle = a.draft(vec![put("phone", "2")]);
    a.apply(&settle, &origin(1, 3, 3)).expect("applies");
    b.apply(&settle, &origin(1, 3, 3)).expect("applies");
    assert_eq!(b.view().conflicts().count(), 0);
    assert_eq!(b.view().text("phone"), "2");
    assert_eq!(a.heads(), b.heads());
}

/// A page can be ahead of the logs. What is written meanwhile builds on what the logs say, which is all that its
/// author can say to have seen: whoever has the logs alone can apply it.
#[test]
fn a_change_builds_on_nothing_that_is_ahead_of_the_logs() {
    let (mut ahead, mut behind) = (person(), person());
    let base = ahead.draft(vec![put("name", "张三"), put("phone", "1")]);
    let newer = {
        ahead.apply(&base, &origin(1, 1, 1)).expect("applies");
        behind.apply(&base, &origin(1, 1, 1)).expect("applies");
        ahead.draft(vec![put("phone", "2")])
    };
    ahead.apply(&newer, &origin(1, 2, 2)).expect("applies");
    let mine = ahead.draft_on(vec![put("phone", "3"), put("note", "x")], |origin| origin.seq == 1);
    ahead.apply(&mine, &origin(2, 1, 2)).expect("applies");
    behind.apply(&mine, &origin(2, 1, 2)).expect("whoever lacks the newer change can apply it");
    behind.apply(&newer, &origin(1, 2, 2)).expect("applies");
    assert_eq!(ahead.view(), behind.view());
    assert_eq!(ahead.view().conflicts().count(), 1);
}

/// Branches of a forked log share positions, and an event's key names one: whoever writes on after he took the other
/// branch back writes beside what happened there, not over it.
#[test]
fn an_event_replaces_none_of_another_branch_of_its_log() {
    let event = |text: &str| {
        vec![Op { target: Target::Event { container: "events".into() }, value: Some(text.into()) }]
    };
    let texts = |document: &Document| -> Vec<String> {
        document.view().histories["events"].iter().map(|event| event.value.to_text()).collect()
    };
    let mut case = Document::new(DocId([3; 16]), Kind::CASE).expect("known");
    let lost = case.draft(event("written before the disk was put back"));
    case.apply(&lost, &origin(1, 5, 5)).expect("applies");
    let since = case.draft(event("written since"));
    case.apply(&since, &Origin { actor: [2; 16], ..origin(1, 5, 6) }).expect("applies");
    assert_eq!(texts(&case), ["written before the disk was put back", "written since"]);
    let read = Document::decode(case.id(), &case.encode()).expect("decodes");
    assert_eq!(read.view(), case.view());
    let page = Document::of_page(&stored_page(case.id(), &case.encode()).expect("reads")).expect("applies");
    assert_eq!((page.heads(), page.view()), (case.heads(), case.view()));
}

#[test]
fn a_late_change_lands_where_its_author_stood() {
    let mut a = person();
    let first = a.draft(vec![put("phone", "1")]);
    a.apply(&first, &origin(1, 1, 1)).expect("applies");
    let mut behind = Document::decode(a.id(), &a.encode()).expect("decodes");
    for seq in 2..6 {
        let change = a.draft(vec![put("phone", &seq.to_string())]);
        a.apply(&change, &origin(1, seq, seq)).expect("applies");
    }
    let late = behind.draft(vec![put("phone", "late")]);
    behind.apply(&late, &origin(2, 1, 2)).expect("applies");
    a.apply(&late, &origin(2, 1, 2)).expect("applies");
    let view = a.view();
    assert_eq!(view.fields["phone"].shown.value, "5".into());
    assert_eq!(view.fields["phone"].others[0].value, "late".into());
}

#[test]
fn a_document_reads_back_and_gives_its_changes_back() {
    let mut a = Document::new(DocId([3; 16]), Kind::CASE).expect("known");
    let report = a.draft(vec![
        put("text", "路灯不亮"),
        Op { target: Target::Event { container: "events".into() }, value: Some("{}".into()) },
        Op {
            target: Target::Entry { container: "links".into(), key: "k".into() },
            value: Some(Scalar::Int(4)),
        },
    ]);
    a.apply(&report, &origin(1, 1, 1)).expect("applies");
    let delete = a.draft(vec![Op { target: Target::Field("text".into()), value: None }]);
    a.apply(&delete, &origin(1, 2, 2)).expect("applies");
    let again = Document::decode(a.id(), &a.encode()).expect("decodes");
    assert_eq!(again.view(), a.view());
    assert_eq!(a.view().histories["events"].len(), 1);
    let mut rebuilt = Document::new(a.id(), a.kind()).expect("known");
    rebuilt.apply_page(&stored_page(again.id(), &again.encode()).expect("reads")).expect("applies");
    assert_eq!(rebuilt.heads(), a.heads());
    let (kind, digest) = stored_heads(a.id(), &a.encode()).expect("reads");
    assert_eq!(kind, Kind::CASE);
    assert_eq!(digest, stored_heads(a.id(), &rebuilt.encode()).expect("reads").1);
}

#[test]
fn each_breach_of_form_is_named_and_changes_nothing() {
    let mut a = person();
    let event = Op { target: Target::Event { container: "links".into() }, value: Some("x".into()) };
    let entry =
        Op { target: Target::Entry { container: "events".into(), key: "k".into() }, value: Some("x".into()) };
    let breaches: Vec<(Vec<Op>, &str)> = vec![
        (vec![], "0 operations"),
        (vec![put("id", "x")], "only its genesis"),
        (vec![put("links", "x")], "only its genesis"),
        (vec![put("phone", "1"), put("phone", "2")], "one key twice"),
        (vec![Op { target: Target::Field("phone".into()), value: None }], "nothing is visible"),
        (vec![put("", "x")], "key of 0 bytes"),
        (vec![put("note", &"x".repeat(VALUE_LEN_BYTES_MAX + 1))], "the limit is"),
        (vec![event], "no such container"),
        (vec![entry], "no such container"),
    ];
    let before = a.heads();
    for (ops, expect) in breaches {
        let error = a.apply(&a.draft(ops), &origin(1, 1, 1)).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error:?} does not say {expect:?}");
        assert_eq!(a.heads(), before);
    }
    let mut unknown = a.draft(vec![put("phone", "1")]);
    unknown.deps = vec![Dep([7; 12])];
    assert!(matches!(a.apply(&unknown, &origin(1, 1, 1)), Err(FormError::UnknownDep { .. })));
}

/// A void change leaves the document unless honest work builds on it.
#[test]
fn a_void_change_goes_unless_another_builds_on_it() {
    let mut a = person();
    let first = a.draft(vec![put("name", "张三")]);
    a.apply(&first, &origin(1, 1, 1)).expect("applies");
    let bad = a.draft(vec![put("name", "冒名")]);
    a.apply(&bad, &origin(2, 1, 2)).expect("applies");
    let gone = a.without(|origin| origin.log == LogId([2; 8])).expect("rebuilds");
    assert_eq!(gone.view().text("name"), "张三");
    let built = a.draft(vec![put("phone", "1")]);
    a.apply(&built, &origin(1, 2, 3)).expect("applies");
    let kept = a.without(|origin| origin.log == LogId([2; 8])).expect("rebuilds");
    assert_eq!(kept.heads(), a.heads());
}

/// Two void changes, one upon the other, leave in whatever order their verdicts come.
#[test]
fn void_changes_do_not_keep_each_other() {
    let mut a = person();
    let first = a.draft(vec![put("name", "张三")]);
    a.apply(&first, &origin(1, 1, 1)).expect("applies");
    let before = a.heads();
    for seq in [1, 2] {
        let bad = a.draft(vec![put("name", &format!("冒名{seq}"))]);
        a.apply(&bad, &origin(2, seq, 1 + seq)).expect("applies");
    }
    for order in [[1, 2], [2, 1]] {
        let mut left = a.clone();
        for seq in order {
            left = left.without(|origin| origin.log == LogId([2; 8]) && origin.seq == seq).expect("rebuilds");
        }
        assert_eq!(left.heads(), before, "{order:?}");
    }
}

/// What is void hides nothing. Whoever overwrote what it had overwritten, beside it, has the last word; so has who
/// overwrote it, whatever he took it for.
#[test]
fn what_a_void_change_overwrote_shows() {
    let mut a = person();
    let first = a.draft(vec![put("name", "张三"), put("phone", "1"), put("note", "旧")]);
    a.apply(&first, &origin(1, 1, 1)).expect("applies");
    let beside = a.draft(vec![put("phone", "3")]);
    let clear = Op { target: Target::Field("note".into()), value: None };
    let bad = a.draft(vec![put("name", "冒名"), put("phone", "2"), clear.clone()]);
    a.apply(&bad, &origin(2, 1, 2)).expect("applies");
    let built = a.draft(vec![put("employer", "某厂")]);
    a.apply(&built, &origin(1, 2, 3)).expect("applies");
    a.mark(&origin(2, 1, 2), true);
    let shown = |document: &Document, field: &str| document.view().texts(field);
    assert_eq!((shown(&a, "name"), shown(&a, "note")), (vec!["张三".to_owned()], vec!["旧".to_owned()]));
    assert_eq!(shown(&a, "phone"), ["1"]);
    a.apply(&beside, &origin(3, 1, 2)).expect("applies");
    assert_eq!(shown(&a, "phone"), ["3"], "nobody wrote beside it");
    // What shows can be cleared, though Automerge has it cleared already; what shows nothing cannot.
    let ops = a.effective(vec![clear.clone(), put("name", "张三")]);
    assert_eq!(ops.len(), 1);
    let change = a.draft(ops);
    a.apply(&change, &origin(1, 3, 4)).expect("applies");
    assert_eq!(shown(&a, "note"), Vec::<String>::new());
    assert_eq!(a.effective(vec![clear]), []);
    let again = Document::decode(a.id(), &a.encode()).expect("decodes");
    assert_eq!(again.view(), a.view());
    // It counts after all: then it has overwritten what it saw, and is overwritten where somebody wrote since.
    a.mark(&origin(2, 1, 2), false);
    assert_eq!((shown(&a, "name"), shown(&a, "note")), (vec!["冒名".to_owned()], Vec::new()));
    assert_eq!(shown(&a, "phone"), ["3", "2"], "side by side");
}

/// A later version's container comes with its extension, which is the same change wherever it is made;
/// documents that do not need it stay as they are.
#[test]
fn extensions_come_when_a_change_needs_them_and_merge() {
    let event =
        |text: &str| Op { target: Target::Event { container: "events".into() }, value: Some(text.into()) };
    let member = Op {
        target: Target::Entry { container: "members".into(), key: "k".into() },
        value: Some("m".into()),
    };
    let mut a = Document::new(DocId([6; 16]), Kind(250)).expect("known in tests");
    let first = a.draft(vec![put("name", "甲")]);
    assert_eq!(first.base, 0);
    a.apply(&first, &origin(1, 1, 1)).expect("applies");
    let mut b = Document::decode(a.id(), &a.encode()).expect("decodes");
    let (from_a, from_b) = (a.draft(vec![event("a")]), b.draft(vec![event("b"), member]));
    assert_eq!((from_a.base, from_b.base), (1, 2));
    a.apply(&from_a, &origin(1, 2, 2)).expect("applies");
    b.apply(&from_b, &origin(2, 1, 2)).expect("applies");
    a.apply(&from_b, &origin(2, 1, 2)).expect("applies");
    b.apply(&from_a, &origin(1, 2, 2)).expect("applies");
    assert_eq!(a.heads(), b.heads());
    assert_eq!(a.view(), b.view());
    assert_eq!(a.view().histories["events"].len(), 2);
    assert_eq!(a.view().sets["members"].len(), 1);
    // It reads back, travels in pages, and goes on.
    let mut again = Document::decode(a.id(), &a.encode()).expect("decodes");
    let mut paged = Document::new(a.id(), a.kind()).expect("known");
    paged.apply_page(&stored_page(a.id(), &a.encode()).expect("reads")).expect("applies");
    assert_eq!(paged.heads(), a.heads());
    let next = again.draft(vec![put("name", "乙")]);
    for document in [&mut a, &mut b, &mut again, &mut paged] {
        document.apply(&next, &origin(1, 3, 3)).expect("applies");
    }
    assert_eq!(again.heads(), b.heads());
    assert_eq!(paged.heads(), b.heads());
    // An extension of a later version still is named, and changes nothing.
    let mut newer = again.draft(vec![put("name", "丙")]);
    newer.base = 9;
    let before = again.heads();
    assert!(matches!(again.apply(&newer, &origin(1, 4, 4)), Err(FormError::Newer { base: 9, .. })));
    assert_eq!(again.heads(), before);
}

/// What of a page lies beyond the checkpoint is left out, with what builds on it; the rest makes the document as it was.
#[test]
fn a_page_is_cut_back_to_an_earlier_state() {
    let mut document = person();
    let (one, other) = (document.draft(vec![put("name", "甲")]), document.draft(vec![put("phone", "1")]));
    document.apply(&one, &origin(1, 1, 1)).expect("applies");
    // The later one does not come last in the list.
    document.apply(&other, &origin(2, 7, 1)).expect("applies");
    let mut built_on_one = Document::new(document.id(), document.kind()).expect("known");
    built_on_one.apply(&one, &origin(1, 1, 1)).expect("applies");
    let next = built_on_one.draft(vec![put("name", "乙")]);
    built_on_one.apply(&next, &origin(1, 2, 2)).expect("applies");
    document.apply(&next, &origin(1, 2, 2)).expect("applies");
    let built_on_all = document.draft(vec![put("note", "丙")]);
    document.apply(&built_on_all, &origin(3, 1, 3)).expect("applies");
    let mut page = stored_page(document.id(), &document.encode()).expect("reads");
    page.retain(|origin| origin.seq < 7);
    assert_eq!(Document::of_page(&page).expect("applies").heads(), built_on_one.heads());
    page.retain(|_| false);
    assert!(page.changes.is_empty());
}

/// Two workers write to a history while apart: each event says which earlier ones its author had not seen.
#[test]
fn an_event_knows_what_its_author_had_not_seen() {
    let told = |text: &str| Op {
        target: Target::Event { container: "events".to_owned() },
        value: Some(text.into()),
    };
    let mut a = Document::new(DocId([1; 16]), Kind::CASE).expect("known kind");
    let report = a.draft(vec![told("report"), told("note")]);
    a.apply(&report, &origin(1, 1, 1)).expect("applies");
    let mut b = a.clone();
    let from_a: Vec<_> = (2..4)
        .map(|seq| {
            let change = a.draft(vec![told(&format!("a{seq}"))]);
            a.apply(&change, &origin(1, seq, seq)).expect("applies");
            (change, origin(1, seq, seq))
        })
        .collect();
    let from_b = b.draft(vec![told("b")]);
    b.apply(&from_b, &origin(2, 1, 2)).expect("applies");
    a.apply(&from_b, &origin(2, 1, 2)).expect("applies");
    for (change, origin) in &from_a {
        b.apply(change, origin).expect("applies");
    }
    let joint = a.draft(vec![told("joint")]);
    a.apply(&joint, &origin(1, 4, 4)).expect("applies");
    b.apply(&joint, &origin(1, 4, 4)).expect("applies");
    assert_eq!(a.view(), b.view());
    let events: Vec<(String, Vec<usize>)> = a.view().histories["events"]
        .iter()
        .map(|event| (event.value.to_text(), event.unseen.clone()))
        .collect();
    let expect = [("report", vec![]), ("note", vec![]), ("a2", vec![]), ("b", vec![2]), ("a3", vec![3])];
    for ((text, unseen), expected) in events.iter().zip(&expect) {
        assert_eq!((text.as_str(), unseen), (expected.0, &expected.1));
    }
    assert_eq!(events[5], ("joint".to_owned(), Vec::new()));
}

/// What Automerge says is visible under a key: values with the changes that put them.
fn in_automerge(document: &Document, obj: &ObjId, key: &str) -> Vec<(Scalar, u64)> {
    let values = document.automerge.get_all(obj, key).expect("reads");
    let mut claims: Vec<(Scalar, u64)> = values
        .into_iter()
        .filter_map(|(value, id)| match (value, id) {
            (automerge::Value::Scalar(scalar), ObjId::Id(counter, actor, _)) => {
                let by = document.applied.iter().find(|applied| {
                    applied.origin.actor == actor.to_bytes()
                        && (applied.start_op..applied.start_op + u64::from(applied.op_count))
                            .contains(&counter)
                })?;
                Some((scalar_of(&scalar)?, by.origin.lamport))
            }
            _ => None,
        })
        .collect();
    claims.sort_by_key(|(_, lamport)| std::cmp::Reverse(*lamport));
    claims
}

fn scalar_of(value: &automerge::ScalarValue) -> Option<Scalar> {
    match value {
        automerge::ScalarValue::Str(text) => Some(Scalar::Str(text.to_string())),
        automerge::ScalarValue::Int(value) => Some(Scalar::Int(*value)),
        _ => None,
    }
}

/// Six replicas write to one case at random and hear of each other now and then. A document made of a page
/// at once, one that takes pages in parts, and the view are what Automerge makes change by change.
#[test]
fn pages_and_views_are_what_automerge_makes_change_by_change() {
    let mut state = 7u64;
    let mut below = move |end: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    };
    for round in 0..20 {
        let what = format!("round {round}");
        let mut replicas: Vec<Document> =
            (0..6).map(|_| Document::new(DocId([9; 16]), Kind::CASE).expect("known")).collect();
        let mut all: Vec<(Change, Origin)> = Vec::new();
        let mut held = [0; 6];
        let mut seqs = [0; 6];
        for lamport in 1..30 {
            let who = below(6);
            // What it hears of is whole: everything up to some point.
            let upto = (held[who] + below(all.len() - held[who] + 1)).max(held[who]);
            for (change, origin) in &all[held[who]..upto] {
                replicas[who].apply(change, origin).expect(&what);
            }
            held[who] = upto;
            let mut ops = Vec::new();
            for field in ["title", "text", "place"] {
                if below(2) == 0 {
                    ops.push(put(field, &below(3).to_string()));
                }
            }
            match below(4) {
                0 => ops.push(Op {
                    target: Target::Event { container: "events".into() },
                    value: Some("{}".into()),
                }),
                1 => ops.push(Op {
                    target: Target::Entry { container: "links".into(), key: below(2).to_string() },
                    value: Some("l".into()),
                }),
                _ => {}
            }
            let gone = ["title", "text"][below(2)];
            let visible = !in_automerge(&replicas[who], &ObjId::Root, gone).is_empty();
            if ops.is_empty() && visible {
                ops.push(Op { target: Target::Field(gone.into()), value: None });
            }
            if ops.is_empty() {
                continue;
            }
            seqs[who] += 1;
            let change = replicas[who].draft(ops);
            let origin = origin(who as u8 + 1, seqs[who], lamport);
            replicas[who].apply(&change, &origin).expect(&what);
            all.push((change, origin));
        }
        let mut whole = Document::new(DocId([9; 16]), Kind::CASE).expect("known");
        for (change, origin) in &all {
            whole.apply(change, origin).expect(&what);
        }
        let page = stored_page(whole.id(), &whole.encode()).expect("reads");
        let made = Document::of_page(&page).expect(&what);
        assert_eq!(made.heads(), whole.heads(), "{what}");
        assert_eq!(stored_page(made.id(), &made.encode()).expect("reads"), page, "{what}");
        let again = Document::decode(made.id(), &made.encode()).expect("reads back");
        assert_eq!(again.heads(), whole.heads(), "{what}");
        // A part is held already, with changes that the page does not have.
        let mut ahead = replicas.swap_remove(below(6));
        ahead.apply_page(&page).expect(&what);
        assert_eq!(ahead.heads(), whole.heads(), "{what}");
        let view = whole.view();
        assert_eq!(made.view(), view, "{what}");
        let events = whole.container("events").expect("in the genesis");
        let links = whole.container("links").expect("in the genesis");
        for field in ["title", "text", "place"] {
            let shown = view.fields.get(field).map(|register| register.shown.value.clone());
            let claims = in_automerge(&whole, &ObjId::Root, field);
            assert_eq!(shown, claims.first().map(|(value, _)| value.clone()), "{what}: {field}");
            let mut distinct: Vec<Scalar> = Vec::new();
            for (value, _) in claims {
                if !distinct.contains(&value) {
                    distinct.push(value);
                }
            }
            let listed: Vec<Scalar> = view
                .fields
                .get(field)
                .into_iter()
                .flat_map(Register::claims)
                .map(|c| c.value.clone())
                .collect();
            assert_eq!(listed, distinct, "{what}: {field}");
        }
        assert_eq!(view.sets["links"].len(), whole.automerge.keys(&links).count(), "{what}");
        assert_eq!(view.histories["events"].len(), whole.automerge.keys(&events).count(), "{what}");
    }
}
