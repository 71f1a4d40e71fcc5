//! The daily summary of a street of 150 grids equals a plain recount of its events.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::case::{EventKind, Rulebook, Target, Told};
use wangge_model::centre::summary::{self, Tally};
use wangge_model::checks::Date;
use wangge_model::document::{Claim, DocumentView, EventView, Register};
use wangge_model::identity::{DocId, LogId, Role, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::{day, of_word};

/// 2026-11-24, in Beijing.
fn today() -> Date {
    Date::new(2026, 11, 24).expect("a day")
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn seed() -> u64 {
    let given = option_env!("WANGGE_SEED").and_then(|seed| seed.parse().ok());
    given.unwrap_or(20_261_124)
}

/// A document of a kind whose events happened at those times.
fn document(id: u64, word: &str, scope: &Scope, events: &[(&str, u64)]) -> DocumentView {
    let spec = of_word(word).expect(word);
    let mut doc = [0; 16];
    doc[..8].copy_from_slice(&id.to_be_bytes());
    let worker = DocId([9; 16]);
    let field = |value: &str| Register {
        shown: Claim { value: value.into(), worker, wall_ms: events[0].1 },
        others: Vec::new(),
    };
    let fields = [("text", "内容"), ("scope", &scope.to_string()), ("assignee", &worker.to_string())];
    let events = events.iter().enumerate().map(|(seq, (kind, wall_ms))| EventView {
        log: LogId([1; 8]),
        seq: seq as u64 + 1,
        value: format!(
            r#"{{"kind":"{kind}","role":"{}","unit":"{scope}"}}"#,
            spec.roles(kind).first().expect("somebody may").name()
        )
        .as_str()
        .into(),
        worker,
        wall_ms: *wall_ms,
        ..blank()
    });
    DocumentView {
        id: DocId(doc),
        kind: spec.kind,
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), field(value))).collect(),
        sets: BTreeMap::new(),
        histories: BTreeMap::from([("events", events.collect())]),
    }
}

/// A case with these events, written by those who may.
fn case_document(id: u64, scope: &Scope, events: &[(EventKind, u64)]) -> DocumentView {
    let mut doc = [7; 16];
    doc[..8].copy_from_slice(&id.to_be_bytes());
    let events = (1..).zip(events).map(|(seq, (kind, wall_ms))| {
        let (role, unit, worker) = match kind {
            EventKind::Register | EventKind::Dispatch => (Role::GridLeader, scope.clone(), 2),
            EventKind::Check => (Role::CentreClerk, Scope::Centre, 3),
            _ => (Role::GridWorker, scope.clone(), 1),
        };
        let mut told = Told::new(*kind, role, &unit);
        match kind {
            EventKind::Report => told.category = Some("civic".to_owned()),
            EventKind::Dispatch => told.to = vec![Target { scope: scope.clone(), worker: None }],
            EventKind::Check => told.pass = Some(true),
            _ => {}
        }
        let (value, worker) = (told.encode(), DocId([worker; 16]));
        EventView { log: LogId([1; 8]), seq, value, worker, wall_ms: *wall_ms, ..blank() }
    });
    DocumentView {
        id: DocId(doc),
        kind: Kind::CASE,
        fields: BTreeMap::new(),
        sets: BTreeMap::new(),
        histories: BTreeMap::from([("events", events.collect())]),
    }
}

/// Members that do not matter here.
fn blank() -> EventView {
    EventView {
        log: LogId([0; 8]),
        seq: 0,
        index: 0,
        value: "".into(),
        worker: DocId([0; 16]),
        wall_ms: 0,
        observed_ms: 0,
        unseen: Vec::new(),
    }
}

/// What happens to records of a kind on an ordinary day, each event possible after the one before.
const COURSES: &[(&str, &[&str])] = &[
    ("patrol", &["start", "finding", "finding", "end", "note"]),
    ("visit", &["add", "note"]),
    ("hazard", &["add", "rectify", "note"]),
    ("dispute", &["add", "mediate", "mediate", "agree", "close"]),
    ("task", &["add", "accept", "progress", "complete"]),
    ("opinion", &["add", "answer", "feedback"]),
    ("help-request", &["add", "handle", "resolve", "feedback"]),
    ("publicity", &["add"]),
    ("notice", &["add"]),
];

/// What happens to a case, with what the summary calls it. Nobody can accept what was not dispatched.
const CASE_COURSES: &[&[(EventKind, &[&str])]] = &[
    &[
        (EventKind::Report, &["case.report", "case.report/civic"]),
        (EventKind::Register, &["case.register"]),
        (EventKind::Dispatch, &["case.dispatch"]),
        (EventKind::Accept, &["case.accept"]),
        (EventKind::Feedback, &["case.feedback"]),
        (EventKind::Check, &["case.check", "case.check:pass"]),
    ],
    &[
        (EventKind::Report, &["case.report", "case.report/civic"]),
        (EventKind::Accept, &["void"]),
        (EventKind::Note, &["case.note"]),
    ],
];

#[test]
fn the_summary_of_a_street_day_equals_a_plain_recount() {
    let seed = seed();
    println!("WANGGE_SEED={seed}");
    let mut dice = Dice(seed);
    let areas: Vec<Scope> = (0..12).map(|n| Scope::Area(format!("area{n}"))).collect();
    let grids: Vec<Scope> = (0..150).map(|n| Scope::Grid(format!("990101001{n:03}"))).collect();
    let area_of = |scope: &Scope| match scope {
        Scope::Grid(code) => code[9..].parse::<usize>().ok().map(|n| Scope::Area(format!("area{}", n % 12))),
        _ => None,
    };
    let mut units: BTreeSet<Scope> = areas.iter().chain(&grids).cloned().collect();
    units.insert(Scope::Street);
    let (begins, ends) = (day::begins_ms(today()), day::ends_ms(today()));
    let mut documents: Vec<(Scope, DocumentView)> = Vec::new();
    // The recount: unit, word -> times, straight from what is generated.
    let mut recount: BTreeMap<(Scope, String), u64> = BTreeMap::new();
    let mut all = 0;
    for scope in areas.iter().chain(&grids) {
        for _ in 0..dice.below(30) {
            let (word, course) = COURSES[dice.below(COURSES.len() as u64) as usize];
            let len = 1 + dice.below(course.len() as u64) as usize;
            // From two days before the day to after it, with midnight itself among the times.
            let mut at = begins - 2 * day::DAY_MS + dice.below(3 * day::DAY_MS);
            if dice.below(10) == 0 {
                at = if dice.below(2) == 0 { begins } else { ends };
            }
            let mut events = Vec::new();
            for kind in &course[..len] {
                events.push((*kind, at));
                if (begins..ends).contains(&at) {
                    *recount.entry((scope.clone(), format!("{word}.{kind}"))).or_default() += 1;
                    all += 1;
                }
                at += dice.below(day::DAY_MS / 2);
            }
            let id = documents.len() as u64;
            documents.push((scope.clone(), document(id, word, scope, &events)));
        }
        for _ in 0..if matches!(scope, Scope::Grid(_)) { dice.below(4) } else { 0 } {
            let course = CASE_COURSES[dice.below(CASE_COURSES.len() as u64) as usize];
            let len = 1 + dice.below(course.len() as u64) as usize;
            let mut at = begins - day::DAY_MS + dice.below(2 * day::DAY_MS);
            let mut events = Vec::new();
            for (kind, words) in &course[..len] {
                events.push((*kind, at));
                for word in words.iter().filter(|_| (begins..ends).contains(&at)) {
                    *recount.entry((scope.clone(), (*word).to_owned())).or_default() += 1;
                    all += 1;
                }
                at += dice.below(day::DAY_MS / 4);
            }
            documents.push((scope.clone(), case_document(documents.len() as u64, scope, &events)));
        }
    }
    assert!(all > 500, "a day on which something happens: {all}");
    let book = Rulebook::shipped();
    let mut tallies: BTreeMap<Scope, Tally> = BTreeMap::new();
    for (scope, view) in &documents {
        summary::count(tallies.entry(scope.clone()).or_default(), scope, view, today(), &book);
    }
    let street = summary::roll_up(&Scope::Street, &tallies, &units, &area_of);

    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    for ((_, word), times) in &recount {
        *words.entry(word.clone()).or_default() += times;
    }
    assert_eq!(street.total.0, words, "the street");
    assert_eq!(street.total.0.values().sum::<u64>(), all);
    assert_eq!(street.children.len(), areas.len());
    for area in &street.children {
        let below = |scope: &Scope| *scope == area.unit || area_of(scope).as_ref() == Some(&area.unit);
        let mut words: BTreeMap<String, u64> = BTreeMap::new();
        for ((_, word), times) in recount.iter().filter(|((scope, _), _)| below(scope)) {
            *words.entry(word.clone()).or_default() += times;
        }
        assert_eq!(area.total.0, words, "{}", area.unit);
        for grid in &area.children {
            for ((_, word), times) in recount.iter().filter(|((scope, _), _)| *scope == grid.unit) {
                assert_eq!(grid.total.get(word), *times, "{} {word}", grid.unit);
            }
        }
    }
}
