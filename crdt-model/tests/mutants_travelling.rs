//! Mutants of everything that travels or is kept: none panics, none passes for what its author signed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};

use wangge_model::audit::{Entry, Link, Source, What};
use wangge_model::clock::{Clock, Ends, Extent};
use wangge_model::document::{Document, Op, Target};
use wangge_model::enrolment::{Enrolment, Grant, SignedEnrolment, StreetId};
use wangge_model::fingerprint::{Answer, Holds, Question};
use wangge_model::identity::{DocId, Epoch, LogId, ReplicaId, Role, Scope};
use wangge_model::invitation::Invitation;
use wangge_model::log::{EMPTY_HEAD, Run, SigningKey, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::sealed::{self, Message, Report, SealKey, SealedKept, SealedRun, Series};
use wangge_model::session::{Completeness, Config, Input, Output, Sending, Session, Taken};
use wangge_model::transaction::{Opening, ScopeSecret, Transaction};
use wangge_model::wipe::{SignedOrder, SignedReceipt, WipeOrder};
use wangge_model::wire::{
    Acknowledged, CheckpointStart, Frame, FrameBuffer, Hello, Join, Joined, PROTOCOL_VERSION, ScopeClock,
    Summary, encode_batch,
};

fn runner(cases: u32) -> TestRunner {
    let config = Cases { cases, failure_persistence: None, ..Cases::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn key(of: u8) -> (SigningKey, ReplicaId) {
    let key = SigningKey::from_bytes(&[of; 32]);
    let replica = ReplicaId(key.verifying_key().to_bytes());
    (key, replica)
}

fn grid() -> Scope {
    Scope::Grid("330881121200".into())
}

fn secret() -> ScopeSecret {
    ScopeSecret([7; 32])
}

fn enrolment(of: u8) -> SignedEnrolment {
    let (centre, street) = key(1);
    let enrolment = Enrolment {
        street: StreetId::of(&street),
        replica: key(of).1,
        epoch: Epoch(5),
        worker: DocId([2; 16]),
        role: Role::GridWorker,
        unit: grid(),
        scopes: vec![grid(), Scope::Street],
        lease_until_ms: 1_800_000_000_000,
    };
    enrolment.sign(&centre)
}

fn grant() -> Grant {
    Grant {
        enrolment: enrolment(3),
        secrets: vec![(grid(), secret())],
        street_code: "330881121".into(),
        street_name: "贺村镇".into(),
        worker_name: "安娜".into(),
        recovery: [7; 32],
    }
}

fn run() -> Run {
    let (author, replica) = key(3);
    let log = LogId::derive(&grid(), &replica, Epoch(5));
    let document = Document::new(DocId([1; 16]), Kind::PERSON).expect("known");
    let put =
        |field: &str, value: &str| Op { target: Target::Field(field.into()), value: Some(value.into()) };
    let transaction = Transaction {
        log,
        seq: 1,
        lamport: 1,
        wall_ms: 1_790_000_000_000,
        worker: DocId([2; 16]),
        actor_nonce: Some(1),
        opening: Some(Opening { replica, epoch: Epoch(5), predecessor: None }),
        seen: Vec::new(),
        changes: vec![document.draft(vec![put("name", "张三"), put("phone", "13800000001")])],
        erased: Vec::new(),
        turn: None,
        verdicts: Vec::new(),
    };
    let head = next_head(&EMPTY_HEAD, &transaction.hash(&secret()));
    let signature = sign_head(&author, &log, 1, &head);
    Run { log, branch: None, transactions: vec![transaction], signature }
}

fn sealed_run(text: &str) -> SealedRun {
    let (author, replica) = key(3);
    let to = SealKey::of(1, &[9; 32]);
    let report = Report { worker: None, at_ms: 1, about: "作风".into(), whom: None, text: text.into() };
    let parts = sealed::parts(&Message::Report(report)).expect("fits");
    let cells: Vec<Vec<u8>> =
        parts.iter().zip(1u8..).map(|(part, chance)| sealed::seal(part, &to, [chance; 32])).collect();
    let head =
        cells.iter().fold(sealed::EMPTY, |head, cell| sealed::next_head(&head, &sealed::cell_hash(cell)));
    let signature = sealed::sign_chain(&author, 7, cells.len() as u64, &head);
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&signature[..32]);
    second.copy_from_slice(&signature[32..]);
    let series = Series { replica, number: 7 };
    SealedRun { series, from: 1, before: sealed::EMPTY, cells: cells.concat(), signature: (first, second) }
}

fn hello() -> Hello {
    let mut clock = Clock::default();
    clock.0.insert(LogId([4; 8]), Extent { len: 12, head: [1, 2, 3, 4] }.into());
    let entry = |scope| ScopeClock { scope, clock: clock.clone(), pages: None, believes: None, again: false };
    Hello {
        version: PROTOCOL_VERSION,
        street: StreetId::of(&key(1).1),
        enrolment: Some(enrolment(3)),
        due: true,
        digest: [1; 8],
        summary: Summary::Clocks(vec![entry(grid()), entry(Scope::Street)]),
    }
}

fn order() -> SignedOrder {
    let (street, replica) = (StreetId::of(&key(1).1), key(3).1);
    WipeOrder { street, replica, at_ms: 5, reason: "手机丢失".to_owned() }.sign(&key(1).0)
}

/// One frame of each type, as honest peers send them.
fn frames() -> Vec<Frame> {
    let logs = vec![(LogId([4; 8]), Extent { len: 12, head: [1, 2, 3, 4] }.into())];
    let Summary::Clocks(clocks) = hello().summary else { unreachable!("clocks") };
    let series = sealed_run("x").series;
    let differences = Summary::Differences(clocks.clone());
    vec![
        Frame::Hello(Box::new(hello())),
        Frame::Hello(Box::new(Hello { summary: differences, ..hello() })),
        Frame::Clocks(clocks),
        Frame::AskClocks(vec![grid()]),
        Frame::Batch(encode_batch(&grid(), &[run()])),
        Frame::Acknowledged(Acknowledged { scope: grid(), logs }),
        Frame::Checkpoint(CheckpointStart {
            scope: grid(),
            bytes: vec![1; 40],
            signature: ([2; 32], [3; 32]),
        }),
        Frame::Page { scope: grid(), end: None, packed: vec![0; 40], signature: [4; 64] },
        Frame::Ping([1; 8]),
        Frame::Pong([1; 8]),
        Frame::Granted(Box::new(grant())),
        Frame::GrantKept,
        Frame::Compare(Question { scope: grid(), clock: [4; 8], at: vec![1, 15], digest: [5; 8] }),
        Frame::Compared(Answer { scope: grid(), at: vec![3], holds: Holds::Branches(vec![[6; 8]; 16]) }),
        Frame::Order(Box::new(order())),
        Frame::Wiped(Box::new(order().receipt(&key(3).0, 9))),
        Frame::Sealed(Box::new(sealed_run("一件事"))),
        Frame::SealedKept(SealedKept { series, upto: 3, head: [1; 8] }),
        Frame::Join(Join {
            number: 1,
            secret: [5; 16],
            epoch: Epoch(5),
            device: "手机".into(),
            sharing: None,
        }),
        Frame::Joined(Box::new(Joined::Granted(grant()))),
        Frame::Bye([1; 8]),
        Frame::Refused("why".into()),
    ]
}

/// Up to three bytes changed, and perhaps the end cut off.
fn mutated(
    bytes: &[u8],
    mutation: &[(prop::sample::Index, u8)],
    end: Option<prop::sample::Index>,
) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, flip) in mutation {
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
    }
    if let Some(end) = end {
        bytes.truncate(end.index(bytes.len()));
    }
    bytes
}

fn mutation() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, Option<prop::sample::Index>)> {
    let flips = proptest::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 1..4);
    (flips, proptest::option::weighted(0.2, any::<prop::sample::Index>()))
}

/// Sessions of a listener that fifty thousand mutants of honest streams are fed to, in every phase.
#[test]
fn no_mutant_of_a_frame_upsets_a_session() {
    let frames = frames();
    let session = |dialler: bool| {
        let whole = (Clock::default(), Completeness::Whole);
        let scopes = BTreeMap::from([(grid(), whole.clone()), (Scope::Street, whole)]);
        let (street, centre) = (StreetId::of(&key(1).1), key(1).1);
        let remembered = BTreeMap::new();
        Session::new(Config { dialler, street, centre, enrolment: None, scopes, remembered })
    };
    let drain = |session: &mut Session| {
        let mut outputs = 0;
        while let Some(output) = session.poll_output() {
            outputs += 1;
            let answer = match output {
                Output::Admit { .. } => Some(Input::Admitted {
                    theirs: BTreeSet::from([Scope::Street]),
                    lost: BTreeSet::from([grid()]),
                    due: true,
                }),
                Output::Load { scope, log, end, .. } => {
                    Some(Input::Loaded { scope, log, end, sending: Sending::Nothing })
                }
                Output::Ingest(scope, runs) => {
                    let nothing = |log| Taken {
                        log,
                        came: Vec::new(),
                        due: Vec::new(),
                        ends: Ends::default(),
                        passed: Vec::new(),
                    };
                    let taken = runs.iter().map(|run| nothing(run.log)).collect();
                    Some(Input::Ingested { scope, taken })
                }
                Output::LoadSealed => Some(Input::SealedLoaded(Vec::new())),
                _ => None,
            };
            if let Some(answer) = answer
                && session.handle(answer).is_err()
            {
                break;
            }
            assert!(outputs < 10_000, "it never ends");
        }
    };
    let input = (0..frames.len(), mutation(), any::<bool>(), any::<bool>());
    runner(50_000)
        .run(&input, |(which, (flips, end), greeted, dialler)| {
            let mut session = session(dialler);
            drain(&mut session);
            if greeted {
                session.handle(Input::Received(&frames[0].encode())).expect("honest");
                drain(&mut session);
            }
            let bytes = mutated(&frames[which].encode(), &flips, end);
            if session.handle(Input::Received(&bytes)).is_ok() {
                drain(&mut session);
                let _ = session.handle(Input::Received(&frames[6].encode()));
                drain(&mut session);
            }
            Ok(())
        })
        .expect("holds");
}

#[test]
fn no_mutant_of_an_enrolment_is_the_centres() {
    let centre = key(1).1;
    let honest = enrolment(3);
    let bytes = postcard::to_stdvec(&honest).expect("encodes");
    runner(20_000)
        .run(&mutation(), |(flips, end)| {
            let mutant = mutated(&bytes, &flips, end);
            let Ok(read) = postcard::from_bytes::<SignedEnrolment>(&mutant) else { return Ok(()) };
            prop_assert!(read == honest || read.open(&centre).is_err());
            Ok(())
        })
        .expect("holds");
}

#[test]
fn no_mutant_of_an_order_to_wipe_or_of_its_receipt_holds() {
    let (centre, device) = (key(1).1, key(3).1);
    let honest = order();
    let receipt = honest.receipt(&key(3).0, 9);
    let (order_bytes, receipt_bytes) =
        (postcard::to_stdvec(&honest).expect("encodes"), postcard::to_stdvec(&receipt).expect("encodes"));
    runner(20_000)
        .run(&mutation(), |(flips, end)| {
            if let Ok(read) = postcard::from_bytes::<SignedOrder>(&mutated(&order_bytes, &flips, end)) {
                prop_assert!(read == honest || read.open(&centre, &device).is_err());
            }
            if let Ok(read) = postcard::from_bytes::<SignedReceipt>(&mutated(&receipt_bytes, &flips, end)) {
                prop_assert!(read == receipt || read.open(&device, &honest).is_err());
            }
            Ok(())
        })
        .expect("holds");
}

#[test]
fn no_mutant_of_sealed_cells_is_their_replicas_or_opens() {
    let honest = sealed_run(&"长".repeat(100));
    let bytes = postcard::to_stdvec(&honest).expect("encodes");
    runner(10_000)
        .run(&mutation(), |(flips, end)| {
            let mutant = mutated(&bytes, &flips, end);
            let Ok(read) = postcard::from_bytes::<SealedRun>(&mutant) else { return Ok(()) };
            prop_assert!(read == honest || read.check().is_err());
            for (cell, sealed) in read.iter().zip(honest.iter()) {
                prop_assert!(cell == sealed || sealed::open(cell, &[9; 32]).is_err());
            }
            Ok(())
        })
        .expect("holds");
}

#[test]
fn no_mutant_of_a_stored_transaction_keeps_its_place_in_the_chain() {
    let honest = run();
    let bytes = honest.transactions[0].to_bytes();
    runner(20_000)
        .run(&mutation(), |(flips, end)| {
            let Ok(read) = Transaction::from_bytes(&mutated(&bytes, &flips, end)) else { return Ok(()) };
            let same = read == honest.transactions[0];
            let run = Run { transactions: vec![read], ..honest.clone() };
            prop_assert!(same || run.check(&grid(), &secret(), None).is_err());
            Ok(())
        })
        .expect("holds");
}

#[test]
fn no_mutant_of_an_audit_entry_or_an_invitation_passes() {
    let entry = Entry::new(What::UNMASK).about(&grid(), DocId([4; 16])).because("核对户籍");
    let link = Link::new(1, &wangge_model::audit::EMPTY, 5, Source::Relay, entry);
    let bytes = postcard::to_stdvec(&link).expect("encodes");
    let invitation = Invitation {
        address: "relay.example:4433".to_owned(),
        relay: key(1).1,
        number: 17,
        secret: [9; 16],
        expires_s: 1_800_000_000,
    };
    let line = invitation.to_line();
    runner(20_000)
        .run(&mutation(), |(flips, end)| {
            if let Ok(read) = postcard::from_bytes::<Link>(&mutated(&bytes, &flips, end)) {
                prop_assert!(read == link || !read.follows(0, &wangge_model::audit::EMPTY));
            }
            if let Ok(text) = String::from_utf8(mutated(line.as_bytes(), &flips, end))
                && let Ok(read) = Invitation::from_line(&text)
            {
                prop_assert_eq!(&read, &invitation);
            }
            Ok(())
        })
        .expect("holds");
}

/// Rubbish of every length.
#[test]
fn rubbish_is_an_error() {
    runner(20_000)
        .run(&proptest::collection::vec(any::<u8>(), 0..200), |bytes| {
            let mut buffer = FrameBuffer::default();
            buffer.push(&bytes);
            while let Ok(Some(_)) = buffer.next_frame() {}
            let _ = wangge_model::wire::decode_batch(&bytes);
            let _ = wangge_model::wire::decode_page(&bytes, &secret());
            let _ = Transaction::from_bytes(&bytes);
            let _ = sealed::open(&bytes, &[9; 32]);
            let _ = Document::decode(DocId([1; 16]), &bytes);
            Ok(())
        })
        .expect("holds");
}
