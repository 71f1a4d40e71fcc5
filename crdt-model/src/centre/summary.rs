//! The daily summary (每日信息汇总, art. 18), rolled up grid -> area -> centre.
//!
//! A pure fold over the events of a day, by the time that their authors claim, in Beijing. An event that is
//! void counts as void alone. A notice or a request that has copies in several units counts where it was
//! made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::case::{self, Rulebook};
use crate::checks::Date;
use crate::document::{DocumentView, EventView};
use crate::identity::Scope;
use crate::schema::Kind;
use crate::work::{day, fold, of_kind, records};

/// What was counted: `hazard.add`, `case.check:pass`, `case.report/安全生产` -> how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<String, u64>);

/// Events that count as void, by this word.
pub const VOID: &str = "void";

impl Tally {
    /// Counts one.
    pub fn count(&mut self, word: &str) {
        self.add(word, 1);
    }

    /// Counts several.
    pub fn add(&mut self, word: &str, times: u64) {
        if times > 0 {
            *self.0.entry(word.to_owned()).or_default() += times;
        }
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (word, times) in &other.0 {
            self.add(word, *times);
        }
    }

    /// How often.
    pub fn get(&self, word: &str) -> u64 {
        self.0.get(word).copied().unwrap_or(0)
    }
}

/// Kinds of documents whose events are counted.
pub fn kinds() -> impl Iterator<Item = Kind> {
    [Kind::CASE].into_iter().chain(records().map(|spec| spec.kind))
}

fn within(day: Date, event: &EventView) -> bool {
    (day::begins_ms(day)..day::ends_ms(day)).contains(&event.wall_ms)
}

/// Counts what happened to one document on `day`.
pub fn count(tally: &mut Tally, scope: &Scope, view: &DocumentView, day: Date, book: &Rulebook) {
    let events = view.histories.get("events").map(Vec::as_slice).unwrap_or_default();
    // Most documents have nothing of that day: those need no fold.
    if !events.iter().any(|event| within(day, event)) {
        return;
    }
    if view.kind == Kind::CASE {
        count_case(tally, view, events, day, book);
    } else if let Some(spec) = of_kind(view.kind) {
        let made_in = view.text("scope");
        let copy = [Kind::NOTICE, Kind::ASSIST].contains(&view.kind) && made_in != scope.to_string();
        for (event, told) in events.iter().zip(&fold::fold(spec, view).told) {
            let elsewhere = copy && (told.kind == spec.opens || told.kind == "withdraw");
            if !within(day, event) || elsewhere {
                continue;
            }
            if told.void.is_some() {
                tally.count(VOID);
                continue;
            }
            tally.count(&format!("{}.{}", spec.word, told.kind));
            if let Some(result) = told.text("result") {
                tally.count(&format!("{}.{}:{result}", spec.word, told.kind));
            }
            if let Some(Value::Array(failing)) = told.said.get("failing") {
                tally.add(&format!("{}.failing", spec.word), failing.len() as u64);
            }
        }
    }
}

fn count_case(tally: &mut Tally, view: &DocumentView, events: &[EventView], day: Date, book: &Rulebook) {
    let case = case::fold(view.id, events, &|_| None, book);
    for (event, told) in events.iter().zip(&case.events) {
        if !within(day, event) {
            continue;
        }
        if told.void.is_some() {
            tally.count(VOID);
            continue;
        }
        let word = told.word.as_str();
        tally.count(&format!("case.{word}"));
        if word == "report" {
            let category =
                if case.category.is_empty() { view.text("category") } else { case.category.clone() };
            tally.count(&format!("case.report/{category}"));
        }
        if let Some(pass) = told.told.pass {
            tally.count(&format!("case.{word}:{}", if pass { "pass" } else { "fail" }));
        }
    }
}

/// A unit with what was counted in it, and in the units below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The unit.
    pub unit: Scope,
    /// What was counted in its own scope.
    pub own: Tally,
    /// That, and what was counted below.
    pub total: Tally,
    /// The units below.
    pub children: Vec<Node>,
}

/// Rolls up: grids into their areas, areas and teams into the street. `area_of` says to which area a grid
/// belongs. Units without events are there too.
pub fn roll_up(
    root: &Scope,
    tallies: &BTreeMap<Scope, Tally>,
    units: &BTreeSet<Scope>,
    area_of: &dyn Fn(&Scope) -> Option<Scope>,
) -> Node {
    let own = tallies.get(root).cloned().unwrap_or_default();
    let below: Vec<&Scope> = match root {
        Scope::Street => {
            let top = |unit: &&Scope| match unit {
                Scope::Street => false,
                Scope::Grid(_) => area_of(unit).is_none_or(|area| !units.contains(&area)),
                _ => true,
            };
            units.iter().filter(top).collect()
        }
        Scope::Area(_) => units.iter().filter(|unit| area_of(unit).as_ref() == Some(root)).collect(),
        Scope::Centre | Scope::Grid(_) | Scope::Team(_) | Scope::Audit => Vec::new(),
    };
    let children: Vec<Node> = below.into_iter().map(|unit| roll_up(unit, tallies, units, area_of)).collect();
    let mut total = own.clone();
    for child in &children {
        total.merge(&child.total);
    }
    Node { unit: root.clone(), own, total, children }
}

/// The rows of the summary's table: what is counted, and the heading.
pub const ROWS: &[(&str, &str)] = &[
    ("case.report", "事件上报"),
    ("case.close-on-spot", "当场办结"),
    ("case.verify", "核实"),
    ("case.register", "立案"),
    ("case.reject", "不予受理"),
    ("case.dispatch", "派遣"),
    ("case.escalate", "上报上级"),
    ("case.feedback", "处理反馈"),
    ("case.check:pass", "核查通过"),
    ("case.check:fail", "返工"),
    ("case.reopen", "重启"),
    ("case.urge", "催办"),
    ("case.supervise", "督办"),
    ("patrol.start", "巡查"),
    ("patrol.finding", "巡查发现"),
    ("visit.add", "走访"),
    ("inspect.submit", "检查"),
    ("inspect.failing", "不合格项"),
    ("hazard.add", "新增隐患"),
    ("hazard.rectify", "隐患整改"),
    ("hazard.reinspect:pass", "隐患销号"),
    ("hazard.reinspect:fail", "复查不合格"),
    ("dispute.add", "新增纠纷"),
    ("dispute.mediate", "调解"),
    ("dispute.agree", "达成协议"),
    ("help-request.add", "求助"),
    ("help-request.resolve", "求助办结"),
    ("opinion.add", "社情民意"),
    ("opinion.feedback", "反馈本人"),
    ("publicity.add", "宣传"),
    ("task.add", "布置任务"),
    ("task.complete", "完成任务"),
    ("notice.add", "通知"),
    ("meeting.minutes", "会议"),
    ("training.session", "培训"),
];
