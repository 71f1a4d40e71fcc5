//! Honest inputs, of which corpora begin: `cargo run -p wangge-fuzzed --example seed_corpora` writes them.

use wangge_ledger::sample::{write_places, write_residents};
use wangge_model::clock::{Clock, Extent};
use wangge_model::document::{Change, Document, Op, Scalar, Target, stored_page};
use wangge_model::enrolment::{Enrolment, Grant, SignedEnrolment, StreetId};
use wangge_model::fingerprint::{Answer, Holds, Question};
use wangge_model::identity::{DocId, Epoch, LogId, ReplicaId, Role, Scope};
use wangge_model::invitation::Invitation;
use wangge_model::log::{EMPTY_HEAD, Run, SigningKey, next_head, sign_head};
use wangge_model::sealed::{SealedKept, Series};
use wangge_model::transaction::{Opening, Transaction};
use wangge_model::wire::{
    Acknowledged, CheckpointStart, Frame, Hello, Join, Joined, PROTOCOL_VERSION, ScopeClock, Summary,
    encode_batch, encode_page,
};

use crate::payload::{DOCUMENT, seeded};
use crate::travelling::SECRET;

/// An honest input: its target, a name, the bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// Puts a text into a field.
pub fn put(field: &str, value: &str) -> Op {
    Op { target: Target::Field(field.to_owned()), value: Some(value.into()) }
}

/// All of them.
///
/// # Panics
/// If one cannot be made.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (at, frame) in frames().iter().enumerate() {
        seeds.push(("wire", format!("frame-{at:02}"), frame.encode()));
    }
    let stream: Vec<u8> = frames().iter().flat_map(Frame::encode).collect();
    seeds.push(("wire", "stream".to_owned(), stream));
    seeds.extend(pages());
    seeds.extend(payloads());
    let invitation = invitation();
    seeds.push(("invitation", "line".to_owned(), invitation.to_line().into_bytes()));
    let body = postcard::to_stdvec(&invitation).expect("encodes");
    seeds.push(("invitation", "body".to_owned(), body));
    for (at, text) in EVENTS.iter().enumerate() {
        seeds.push(("events", format!("event-{at}"), text.as_bytes().to_vec()));
    }
    for (at, text) in BOUNDARIES.iter().enumerate() {
        seeds.push(("geojson", format!("boundary-{at}"), text.as_bytes().to_vec()));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let units = ["友爱村委会".to_owned(), "富益村委会".to_owned()];
    for (at, flaws) in [false, true].into_iter().enumerate() {
        let path = dir.path().join("ledger.xlsx");
        write_residents(&path, &units, 6, 1, flaws).expect("writes");
        seeds.push(("excel", format!("residents-{at}"), std::fs::read(&path).expect("reads")));
        write_places(&path, &units, 6, 1, flaws).expect("writes");
        seeds.push(("excel", format!("places-{at}"), std::fs::read(&path).expect("reads")));
    }
    seeds
}

const EVENTS: [&str; 4] = [
    r#"{"kind":"report","role":"grid-worker","unit":"grid:330881121200","text":"路灯坏了","rules":"shipped"}"#,
    r#"{"kind":"dispatch","role":"centre-clerk","unit":"street","to":"team:330881121-1","due_ms":1800000000000}"#,
    r#"{"kind":"feedback","result":"done","text":"已修好","photos":["00"],"sees":["0011223344556677/3/0"]}"#,
    r#"{"name":"消防","version":1,"items":[{"id":"a","text":"通道是否畅通","answer":"yes-no"}]}"#,
];

const BOUNDARIES: [&str; 3] = [
    r#"{"type":"Polygon","coordinates":[[[118.5,28.7],[118.6,28.7],[118.6,28.8],[118.5,28.8],[118.5,28.7]],[[118.54,28.74],[118.56,28.74],[118.56,28.76],[118.54,28.74]]]}"#,
    r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4490"}},"features":[{"type":"Feature","properties":{},"geometry":{"type":"MultiPolygon","coordinates":[[[[118.5,28.7],[118.6,28.7],[118.6,28.8],[118.5,28.7]]]]}}]}"#,
    r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[118.5,28.7]}]}"#,
];

fn key(of: u8) -> (SigningKey, ReplicaId) {
    let key = SigningKey::from_bytes(&[of; 32]);
    let replica = ReplicaId(key.verifying_key().to_bytes());
    (key, replica)
}

fn grid() -> Scope {
    Scope::Grid("330881121200".into())
}

fn invitation() -> Invitation {
    Invitation {
        address: "relay.example:4433".to_owned(),
        relay: key(1).1,
        number: 17,
        secret: [9; 16],
        expires_s: 1_800_000_000,
    }
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
        secrets: vec![(grid(), SECRET)],
        street_code: "330881121".into(),
        street_name: "贺村镇".into(),
        worker_name: "安娜".into(),
        recovery: [9; 32],
    }
}

fn run() -> Run {
    let (author, replica) = key(3);
    let log = LogId::derive(&grid(), &replica, Epoch(5));
    let document = Document::new(DOCUMENT, wangge_model::schema::Kind::PERSON).expect("known");
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
    let head = next_head(&EMPTY_HEAD, &transaction.hash(&SECRET));
    let signature = sign_head(&author, &log, 1, &head);
    Run { log, branch: None, transactions: vec![transaction], signature }
}

fn clocks() -> Vec<ScopeClock> {
    let mut clock = Clock::default();
    clock.0.insert(LogId([4; 8]), Extent { len: 12, head: [1, 2, 3, 4] }.into());
    let entry = |scope| ScopeClock { scope, clock: clock.clone(), pages: None, believes: None, again: false };
    vec![entry(grid()), entry(Scope::Street)]
}

/// One frame of each type, as honest peers send them.
fn frames() -> Vec<Frame> {
    let logs = vec![(LogId([4; 8]), Extent { len: 12, head: [1, 2, 3, 4] }.into())];
    let hello = Hello {
        version: PROTOCOL_VERSION,
        street: StreetId::of(&key(1).1),
        enrolment: Some(enrolment(3)),
        due: true,
        digest: [1; 8],
        summary: Summary::Clocks(clocks()),
    };
    let answer = Hello { summary: Summary::Differences(clocks()), ..hello.clone() };
    vec![
        Frame::Hello(Box::new(hello)),
        Frame::Hello(Box::new(answer)),
        Frame::Clocks(clocks()),
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
        Frame::Granted(Box::new(grant())),
        Frame::GrantKept,
        Frame::Compare(Question { scope: grid(), clock: [4; 8], at: vec![1, 15], digest: [5; 8] }),
        Frame::Compared(Answer { scope: grid(), at: vec![3], holds: Holds::Branches(vec![[6; 8]; 16]) }),
        Frame::Apart { scope: grid(), documents: vec![DOCUMENT] },
        Frame::SealedKept(SealedKept {
            series: Series { replica: key(3).1, number: 7 },
            upto: 3,
            head: [1; 8],
        }),
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

fn pages() -> Vec<Seed> {
    let page = stored_page(DOCUMENT, &seeded().encode()).expect("a page");
    let mut seeds = Vec::new();
    for (name, count) in [("one", 1u8), ("four", 4)] {
        let copies = (0..count).map(|at| {
            let mut copy = page.clone();
            copy.id = DocId([at + 1; 16]);
            copy
        });
        let packed = encode_page(&copies.collect::<Vec<_>>(), &SECRET);
        seeds.push(("checkpoint", name.to_owned(), unfolded(&packed)));
        seeds.push(("checkpoint", format!("{name}-packed"), packed));
    }
    seeds
}

/// The same block uncompressed, which a receiver takes too: mutants of it get further.
fn unfolded(packed: &[u8]) -> Vec<u8> {
    let Some((1, folded)) = packed.split_first() else { return packed.to_vec() };
    // Its length stands in front.
    let len_end = folded.iter().position(|byte| byte & 0x80 == 0).expect("a length") + 1;
    let mut block = vec![0];
    brotli::BrotliDecompress(&mut &folded[len_end..], &mut block).expect("honest");
    block
}

fn payloads() -> Vec<Seed> {
    let document = seeded();
    let mut seeds = vec![("payload", "stored".to_owned(), [&[0][..], &document.encode()].concat())];
    let changes: Vec<Change> = vec![
        document.draft(vec![put("name", "张三")]),
        document.draft(vec![Op {
            target: Target::Event { container: "events".to_owned() },
            value: Some(r#"{"kind":"visit"}"#.into()),
        }]),
        document.draft(vec![Op {
            target: Target::Entry { container: "links".to_owned(), key: "a".to_owned() },
            value: Some(Scalar::Bool(true)),
        }]),
        document.draft(vec![Op { target: Target::Field("phone".to_owned()), value: None }]),
    ];
    for (at, change) in changes.iter().enumerate() {
        let bytes = postcard::to_stdvec(change).expect("encodes");
        seeds.push(("payload", format!("change-{at}"), [&[1][..], &bytes].concat()));
    }
    let all: Vec<u8> =
        changes.iter().flat_map(|change| postcard::to_stdvec(change).expect("encodes")).collect();
    seeds.push(("payload", "changes".to_owned(), [&[1][..], &all].concat()));
    seeds
}
