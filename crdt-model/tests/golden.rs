//! The bytes that replicas exchange and hashes are taken over. A change here breaks peers and stores of
//! the released version: raise the version and keep reading the old form, or undo the change.
//!
//! `GOLDEN=write cargo test -p wangge-model --test golden` writes them anew.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its golden files; the model itself reads nothing"
)]

use std::path::PathBuf;

use wangge_model::audit::{EMPTY, Entry, Link, Source, What};
use wangge_model::clock::{Clock, Extent};
use wangge_model::document::{Document, Op, Origin, Scalar, Target, stored_heads, stored_page};
use wangge_model::enrolment::StreetId;
use wangge_model::fingerprint::{Answer, Holds, Question};
use wangge_model::identity::{DocId, Epoch, Hash, LogId, ReplicaId, Scope};
use wangge_model::invitation::Invitation;
use wangge_model::log::{EMPTY_HEAD, Run, SigningKey, next_head, sign_head};
use wangge_model::schema::kinds;
use wangge_model::sealed::{self, Message, SealKey, SealedKept, SealedRun, Series};
use wangge_model::transaction::{Opening, ScopeSecret, Seen, Transaction, actor};
use wangge_model::verdict::{Settled, Verdict, Void, VoidReason};
use wangge_model::wipe::WipeOrder;
use wangge_model::wire::{
    Acknowledged, Frame, Hello, PROTOCOL_VERSION, ScopeClock, Summary, decode_batch, decode_page,
    encode_batch, encode_page,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn check(name: &str, found: &str) {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect();
    if std::env::var("GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&file, format!("{found}\n")).expect("writes");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, expected.trim_end(), "{name} has changed: see the head of this file");
}

fn put(field: &str, value: impl Into<Scalar>) -> Op {
    Op { target: Target::Field(field.to_owned()), value: Some(value.into()) }
}

fn scope() -> Scope {
    Scope::Grid("330881121200".to_owned())
}

fn secret() -> ScopeSecret {
    ScopeSecret([7; 32])
}

/// A document with two changes, and the log that made it.
fn sample() -> (Document, Run, Hash) {
    let key = SigningKey::from_bytes(&[3; 32]);
    let replica = ReplicaId(key.verifying_key().to_bytes());
    let epoch = Epoch(0x0102_0304_0506_0708);
    let log = LogId::derive(&scope(), &replica, epoch);
    let number = "990101199001010019";
    let id = secret().natural_id(kinds().next().expect("one").kind, number, 0);
    let mut document = Document::new(id, kinds().next().expect("one").kind).expect("known");
    let mut transactions = Vec::new();
    let mut head = EMPTY_HEAD;
    let steps = [
        vec![
            put("id_number", number),
            put("name", "张三"),
            put("phone", "13800000001"),
            put("registered_on", "2026-08-10"),
            put("closed", Scalar::Bool(false)),
            put("generation", Scalar::Int(-5)),
            put("longitude", Scalar::F64(118.5)),
            put("note", Scalar::Bytes(vec![1, 2, 3])),
            Op { target: Target::Event { container: "events".into() }, value: Some("{}".into()) },
            Op {
                target: Target::Entry { container: "links".into(), key: "house".into() },
                value: Some(Scalar::Bool(true)),
            },
        ],
        vec![put("phone", "13800000002"), Op { target: Target::Field("note".into()), value: None }],
    ];
    for (at, ops) in steps.into_iter().enumerate() {
        let seq = at as u64 + 1;
        let change = document.draft(ops);
        let transaction = Transaction {
            log,
            seq,
            lamport: seq * 3,
            wall_ms: 1_790_000_000_000 + seq * 60_000,
            worker: DocId([9; 16]),
            actor_nonce: (seq == 1).then_some(42),
            opening: (seq == 1).then_some(Opening { replica, epoch, predecessor: Some(Hash([8; 32])) }),
            seen: if seq == 2 {
                vec![Seen { log: LogId([1; 8]), len: 300, head: [1, 2, 3, 4] }]
            } else {
                Vec::new()
            },
            changes: vec![change.clone()],
            erased: Vec::new(),
            turn: None,
            verdicts: if seq == 2 {
                let voids = vec![Void { seq: 3, reason: VoidReason::ScopeNotHeld }];
                vec![Verdict {
                    head: [0; 4],
                    log: LogId([1; 8]),
                    upto: 4,
                    observed_ms: 1_790_000_000_000,
                    roster: 300,
                    voids,
                    settled: vec![Settled { seq: 2, accepted: true }],
                }]
            } else {
                Vec::new()
            },
        };
        let origin = Origin {
            log,
            seq,
            lamport: transaction.lamport,
            worker: transaction.worker,
            wall_ms: transaction.wall_ms,
            observed_ms: transaction.wall_ms + 5_000,
            actor: actor(&log, 42),
        };
        document.apply(&change, &origin).expect("applies");
        head = next_head(&head, &transaction.hash(&secret()));
        transactions.push(transaction);
    }
    let signature = sign_head(&key, &log, 2, &head);
    (document, Run { log, branch: None, transactions, signature }, head)
}

#[test]
fn geneses_and_derived_changes_hash_alike_for_ever() {
    let mut lines = Vec::new();
    for spec in kinds() {
        let document = Document::new(DocId([5; 16]), spec.kind).expect("known");
        let heads: Vec<String> = document.heads().iter().map(|head| hex(head)).collect();
        lines.push(format!("{} {}", spec.name, heads.join(" ")));
    }
    let (document, _, head) = sample();
    lines.push(format!("person with two changes {}", hex(&document.heads()[0])));
    lines.push(format!("digest {}", stored_heads(document.id(), &document.encode()).expect("reads").1));
    lines.push(format!("log head {head}"));
    check("hashes.txt", &lines.join("\n"));
}

#[test]
fn transactions_travel_and_are_stored_as_ever() {
    let (_, run, _) = sample();
    let packed = encode_batch(&scope(), std::slice::from_ref(&run));
    assert_eq!(decode_batch(&packed), Ok((scope(), vec![run.clone()])));
    check("batch.hex", &hex(&packed));
    for transaction in &run.transactions {
        let stored = transaction.to_bytes();
        assert_eq!(Transaction::from_bytes(&stored).as_ref(), Ok(transaction));
    }
    check("transaction.hex", &hex(&run.transactions[1].to_bytes()));
}

#[test]
fn pages_travel_as_ever() {
    let (document, _, _) = sample();
    let page = stored_page(document.id(), &document.encode()).expect("reads");
    let packed = encode_page(std::slice::from_ref(&page), &secret());
    let mut read = decode_page(&packed, &secret()).expect("reads");
    assert_eq!(read.len(), 1);
    assert_eq!(read.remove(0), page);
    check("page.hex", &hex(&packed));
}

#[test]
fn frames_travel_as_ever() {
    let mut clock = Clock::default();
    clock.0.insert(LogId([1; 8]), Extent { len: 300, head: [2; 4] }.into());
    let entry = ScopeClock { scope: scope(), clock, pages: Some(None), believes: Some([4; 8]), again: false };
    let hello = Hello {
        version: PROTOCOL_VERSION,
        street: StreetId([6; 8]),
        enrolment: None,
        due: true,
        digest: [5; 8],
        summary: Summary::Clocks(vec![entry.clone()]),
    };
    let answer = Hello { summary: Summary::Differences(vec![entry.clone()]), ..hello.clone() };
    let ack = Acknowledged {
        scope: scope(),
        logs: vec![(LogId([1; 8]), Extent { len: 9, head: [1, 2, 3, 4] }.into())],
    };
    let order = WipeOrder {
        street: StreetId([6; 8]),
        replica: ReplicaId([7; 32]),
        at_ms: 1_790_000_000_000,
        reason: "手机丢失".to_owned(),
    };
    let order = order.sign(&SigningKey::from_bytes(&[2; 32]));
    let page = Frame::Page { scope: scope(), end: None, packed: vec![1, 2], signature: [3; 64] };
    let frames = [
        Frame::Hello(Box::new(hello)),
        Frame::Hello(Box::new(answer)),
        Frame::Clocks(vec![entry]),
        Frame::AskClocks(vec![scope()]),
        Frame::Batch(vec![1, 2, 3]),
        Frame::Acknowledged(ack),
        page,
        Frame::Ping([1; 8]),
        Frame::Pong([1; 8]),
        Frame::Bye([1; 8]),
        Frame::Sealed(Box::new(sealed_run())),
        Frame::SealedKept(SealedKept { series: sealed_run().series, upto: 3, head: [9; 8] }),
        Frame::GrantKept,
        Frame::Compare(Question { scope: scope(), clock: [4; 8], at: vec![1, 15], digest: [5; 8] }),
        Frame::Compared(Answer {
            scope: scope(),
            at: vec![],
            holds: Holds::Documents(vec![(DocId([7; 16]), [8; 8])]),
        }),
        Frame::Apart { scope: scope(), documents: vec![DocId([9; 16])] },
        Frame::Order(Box::new(order.clone())),
        Frame::Wiped(Box::new(order.receipt(&SigningKey::from_bytes(&[3; 32]), 1_790_000_000_001))),
        Frame::Refused("why".to_owned()),
    ];
    let lines: Vec<String> = frames.iter().map(|frame| hex(&frame.encode())).collect();
    check("frames.hex", &lines.join("\n"));
    let mut buffer = wangge_model::wire::FrameBuffer::default();
    for frame in &frames {
        // Byte by byte: frames are cut wherever packets end.
        let bytes = frame.encode();
        for byte in &bytes[..bytes.len() - 1] {
            buffer.push(&[*byte]);
            assert_eq!(buffer.next_frame(), Ok(None));
        }
        buffer.push(&bytes[bytes.len() - 1..]);
        assert_eq!(buffer.next_frame().as_ref().map(Option::as_ref), Ok(Some(frame)));
    }
}

/// A run of one cell, sealed with what must never be used twice outside a test.
fn sealed_run() -> SealedRun {
    let author = SigningKey::from_bytes(&[3; 32]);
    let to = SealKey::of(1, &[9; 32]);
    let entry = Entry::new(What::UNMASK).about(&scope(), DocId([4; 16])).because("核对户籍");
    let parts = sealed::parts(&Message::Audit(entry)).expect("fits");
    let cell = sealed::seal(&parts[0], &to, [8; 32]);
    let head = sealed::next_head(&sealed::EMPTY, &sealed::cell_hash(&cell));
    let signature = sealed::sign_chain(&author, 7, 1, &head);
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&signature[..32]);
    second.copy_from_slice(&signature[32..]);
    SealedRun {
        series: Series { replica: ReplicaId(author.verifying_key().to_bytes()), number: 7 },
        from: 1,
        before: sealed::EMPTY,
        cells: cell,
        signature: (first, second),
    }
}

#[test]
fn the_audit_chains_as_ever() {
    let entry = Entry::new(What::EXPORT).within(&scope()).because("交上级").detail("12ab34cd-0001");
    let link = Link::new(1, &EMPTY, 1_790_000_000_000, Source::Relay, entry);
    check("audit.txt", &link.head.to_string());
}

#[test]
fn invitations_read_as_ever() {
    let invitation = Invitation {
        address: "relay.example:4433".to_owned(),
        relay: ReplicaId([5; 32]),
        number: 17,
        secret: [9; 16],
        expires_s: 1_800_000_000,
    };
    check("invitation.txt", &invitation.to_line());
}
