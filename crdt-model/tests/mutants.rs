//! Mutants of honest changes and of the bytes that carry them: none breaks a document, none panics.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use wangge_model::document::{Change, Dep, Document, Op, Origin, Scalar, Target};
use wangge_model::identity::{DocId, Epoch, LogId, ReplicaId, Scope};
use wangge_model::log::{EMPTY_HEAD, Run, SigningKey, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Opening, ScopeSecret, Transaction, actor};
use wangge_model::wire::{FrameBuffer, decode_batch, decode_page, encode_batch, encode_page};

fn origin(who: u8, seq: u64) -> Origin {
    Origin {
        log: LogId([who; 8]),
        seq,
        lamport: seq,
        worker: DocId([who; 16]),
        wall_ms: 0,
        observed_ms: 0,
        actor: [who; 16],
    }
}

fn put(field: &str, value: &str) -> Op {
    Op { target: Target::Field(field.into()), value: Some(value.into()) }
}

/// A person that two replicas edited, concurrently too.
fn person() -> Document {
    let mut a = Document::new(DocId([1; 16]), Kind::PERSON).expect("known");
    let first = a.draft(vec![put("name", "张三"), put("phone", "1")]);
    a.apply(&first, &origin(1, 1)).expect("applies");
    let mut b = a.clone();
    for seq in 2..5 {
        let (mine, theirs) = (
            a.draft(vec![put("phone", &format!("a{seq}"))]),
            b.draft(vec![put("phone", &format!("b{seq}"))]),
        );
        a.apply(&mine, &origin(1, seq)).expect("applies");
        b.apply(&theirs, &origin(2, seq)).expect("applies");
        if seq == 3 {
            a.apply_page(&page_of(&b)).expect("merges");
            b.apply_page(&page_of(&a)).expect("merges");
        }
    }
    a.apply_page(&page_of(&b)).expect("merges");
    a
}

fn page_of(document: &Document) -> wangge_model::wire::PageDocument {
    wangge_model::document::stored_page(document.id(), &document.encode()).expect("reads")
}

fn any_scalar() -> impl Strategy<Value = Option<Scalar>> {
    prop_oneof![
        Just(None),
        any::<bool>().prop_map(|v| Some(Scalar::Bool(v))),
        any::<i64>().prop_map(|v| Some(Scalar::Int(v))),
        any::<f64>().prop_map(|v| Some(Scalar::F64(v))),
        ".{0,20}".prop_map(|v| Some(Scalar::Str(v))),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|v| Some(Scalar::Bytes(v))),
    ]
}

fn any_target() -> impl Strategy<Value = Target> {
    let key = prop_oneof![
        Just("phone".to_owned()),
        Just("name".to_owned()),
        Just("id".to_owned()),
        Just("links".to_owned()),
        Just("events".to_owned()),
        Just(String::new()),
        ".{0,8}",
    ];
    let container =
        prop_oneof![Just("links".to_owned()), Just("events".to_owned()), Just("nothing".to_owned())];
    prop_oneof![
        key.clone().prop_map(Target::Field),
        (container.clone(), key).prop_map(|(container, key)| Target::Entry { container, key }),
        container.prop_map(|container| Target::Event { container }),
    ]
}

/// A change of any ops on any dependencies: known ones, twice, unknown ones, none.
fn any_change(deps: Vec<Dep>) -> impl Strategy<Value = Change> {
    let dep = prop_oneof![
        8 => proptest::sample::select(deps),
        1 => any::<[u8; 12]>().prop_map(Dep),
    ];
    let op = (any_target(), any_scalar()).prop_map(|(target, value)| Op { target, value });
    let kind = prop_oneof![9 => Just(Kind::PERSON), 1 => any::<u8>().prop_map(Kind)];
    let base = prop_oneof![9 => Just(0u8), 1 => any::<u8>()];
    (proptest::collection::vec(op, 0..6), proptest::collection::vec(dep, 0..4), kind, base)
        .prop_map(|(ops, deps, kind, base)| Change { doc: DocId([1; 16]), kind, base, deps, ops })
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn no_mutant_of_a_change_breaks_a_document() {
    let document = person();
    let deps: Vec<Dep> = {
        let mut grown = Document::new(document.id(), document.kind()).expect("known");
        let mut deps = Vec::new();
        for at in 0..page_of(&document).changes.len() {
            let mut page = page_of(&document);
            page.changes.truncate(at + 1);
            grown.apply_page(&page).expect("applies");
            deps.extend(grown.draft(vec![put("note", "x")]).deps);
        }
        deps
    };
    let (taken, refused) = (Cell::new(0u32), Cell::new(0u32));
    runner(20_000)
        .run(&(any_change(deps), 1u8..9, 1u64..9), |(change, who, seq)| {
            let mut hit = document.clone();
            let before = (hit.heads(), hit.view());
            match hit.apply(&change, &origin(who, seq)) {
                Ok(()) => taken.set(taken.get() + 1),
                Err(_) => {
                    refused.set(refused.get() + 1);
                    prop_assert_eq!(&before, &(hit.heads(), hit.view()));
                }
            }
            let again = Document::decode(hit.id(), &hit.encode());
            let again = again.map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(again.view(), hit.view());
            // It goes on taking honest work, and another replica rebuilds the same.
            let honest = hit.draft(vec![put("note", "honest")]);
            prop_assert!(hit.apply(&honest, &origin(9, 1)).is_ok());
            let mut rebuilt = Document::new(hit.id(), hit.kind()).expect("known");
            prop_assert!(rebuilt.apply_page(&page_of(&hit)).is_ok());
            prop_assert_eq!(rebuilt.heads(), hit.heads());
            Ok(())
        })
        .expect("holds");
    let (taken, refused) = (taken.get(), refused.get());
    assert!(taken > 500 && refused > 500, "one-sided: {taken} taken, {refused} refused");
}

/// A signed run of a few honest transactions.
fn run() -> (Scope, ScopeSecret, Run) {
    let (scope, secret) = (Scope::Grid("330881121200".into()), ScopeSecret([7; 32]));
    let key = SigningKey::from_bytes(&[3; 32]);
    let replica = ReplicaId(key.verifying_key().to_bytes());
    let log = LogId::derive(&scope, &replica, Epoch(5));
    let mut document = Document::new(DocId([1; 16]), Kind::PERSON).expect("known");
    let (mut head, mut transactions) = (EMPTY_HEAD, Vec::new());
    for seq in 1..=4u64 {
        let change = document.draft(vec![put("phone", &format!("1380000000{seq}")), put("note", "记")]);
        let place = Origin { log, actor: actor(&log, 1), ..origin(1, seq) };
        document.apply(&change, &place).expect("applies");
        let transaction = Transaction {
            log,
            seq,
            lamport: seq,
            wall_ms: 1_000 * seq,
            worker: DocId([1; 16]),
            actor_nonce: (seq == 1).then_some(1),
            opening: (seq == 1).then_some(Opening { replica, epoch: Epoch(5), predecessor: None }),
            seen: Vec::new(),
            changes: vec![change],
            verdicts: Vec::new(),
            erased: Vec::new(),
            turn: None,
        };
        head = next_head(&head, &transaction.hash(&secret));
        transactions.push(transaction);
    }
    let signature = sign_head(&key, &log, 4, &head);
    (scope, secret, Run { log, branch: None, transactions, signature })
}

#[test]
fn a_run_passes_only_as_its_author_signed_it() {
    let (scope, secret, honest) = run();
    assert!(honest.clone().check(&scope, &secret, None).is_ok());
    let packed = encode_batch(&scope, std::slice::from_ref(&honest));
    let mutation = (0..packed.len(), 1u8..=255, any::<bool>(), 0..packed.len());
    let read = Cell::new(0u32);
    runner(20_000)
        .run(&mutation, |(at, flip, cut, end)| {
            let mut bytes = packed.clone();
            bytes[at] ^= flip;
            if cut {
                bytes.truncate(end);
            }
            let Ok((_, runs)) = decode_batch(&bytes) else { return Ok(()) };
            read.set(read.get() + 1);
            for run in runs {
                prop_assert!(run == honest || run.check(&scope, &secret, None).is_err());
            }
            Ok(())
        })
        .expect("holds");
    let read = read.get();
    assert!(read > 1_000, "only {read} mutants could be read at all");
}

#[test]
fn damaged_pages_and_frames_are_errors() {
    let secret = ScopeSecret([7; 32]);
    let packed = encode_page(&[page_of(&person())], &secret);
    let frame = wangge_model::wire::Frame::Refused("x".repeat(50)).encode();
    let mutation = (any::<prop::sample::Index>(), 1u8..=255, any::<prop::sample::Index>());
    runner(20_000)
        .run(&mutation, |(at, flip, end)| {
            let mut bytes = packed.clone();
            let at_page = at.index(bytes.len());
            bytes[at_page] ^= flip;
            for bytes in [&bytes[..], &bytes[..end.index(bytes.len())]] {
                if let Ok(pages) = decode_page(bytes, &secret) {
                    for page in pages {
                        if let Ok(mut document) = Document::new(page.id, page.kind) {
                            let _ = document.apply_page(&page);
                            prop_assert!(Document::decode(page.id, &document.encode()).is_ok());
                        }
                    }
                }
            }
            let mut bytes = frame.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let mut buffer = FrameBuffer::default();
            buffer.push(&bytes);
            while let Ok(Some(_)) = buffer.next_frame() {}
            Ok(())
        })
        .expect("holds");
}

/// A small message that claims to be large takes no memory and is refused by name.
#[test]
fn claims_of_size_are_refused_before_memory_is_taken() {
    let mut buffer = FrameBuffer::default();
    buffer.push(&[0xff, 0xff, 0xff, 0xff, 0x07, 5, 1, 2, 3]);
    let error = buffer.next_frame().expect_err("refused").to_string();
    assert!(error.contains("2147483647") && error.contains("1048576"), "{error}");
    // A count of 2^32 runs of `street` in five bytes: a block, not compressed, that is all form.
    let form = [1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f];
    let mut batch = vec![9, 0, 7];
    batch.extend_from_slice(&form);
    let error = decode_batch(&batch).expect_err("refused").to_string();
    assert!(error.contains("a count of runs"), "{error}");
}
