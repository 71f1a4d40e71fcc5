//! Assessment of units (考核考评, art. 11, 25): on outcomes, with the cases behind each number.
//!
//! Items, weights and full marks are data. Nothing here counts what a worker does, how long or how often; no
//! unit is ranked against another. What a score leads to, people decide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CaseFact;
use crate::case::EventKind;
use crate::checks::{CheckError, Date};
use crate::deadline::{Standing, TimerName};
use crate::document::DocumentView;
use crate::identity::DocId;
use crate::work::day;

/// Most items of an assessment.
pub const ITEMS_MAX: usize = 40;
/// Longest rules, in bytes: they are one value of a document.
pub const RULES_LEN_BYTES_MAX: usize = 12 * 1024;
/// Most records named as evidence of one item.
pub const EVIDENCE_MAX: usize = 1_000;

const DEFAULT: &str = include_str!("../../data/assessment/default.json");

/// What is assessed, and how much it weighs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssessmentRules {
    /// The items.
    pub items: Vec<Item>,
    /// Fields that a record of each kind must have to be complete.
    #[serde(default)]
    pub complete: BTreeMap<String, Vec<String>>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its code.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// What is measured.
    pub measure: Measure,
    /// Full marks.
    pub full: f64,
    /// Its weight among the items.
    pub weight: f64,
}

/// What an item measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// 按期结案率: closed in time, of those due in the period.
    ClosedInTime,
    /// 按期处置率: handled in time, of those due in the period.
    HandledInTime,
    /// 准确派遣率: dispatches of the period that were not returned.
    DispatchedRight,
    /// 核查通过率: checks of the period that passed.
    CheckPassed,
    /// 返工率: handled cases that went back; the score is for those that did not.
    Rework,
    /// 数据完整率: records with all the fields that they must have.
    Completeness,
}

/// Rules that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// Not JSON of that form.
    #[error("these are no rules of assessment: {reason}")]
    Form {
        /// What the reader says.
        reason: String,
    },
    /// A value that cannot be right.
    #[error("{field} of the rules is wrong: {reason}")]
    Field {
        /// Where.
        field: String,
        /// What the matter is, in Chinese.
        zh: &'static str,
        /// And in English.
        reason: &'static str,
    },
}

impl From<RulesError> for CheckError {
    fn from(error: RulesError) -> Self {
        let english = error.to_string();
        let zh = match error {
            RulesError::Form { reason } => format!("这个文件不是考核办法(JSON,要有 items):{reason}"),
            RulesError::Field { field, zh, .. } => format!("考核办法的“{field}”{zh},没有保存。"),
        };
        Self::new("not-assessment-rules", zh, english)
    }
}

impl AssessmentRules {
    /// The rules that ship.
    pub fn shipped() -> Self {
        Self::parse(DEFAULT).unwrap_or(Self { items: Vec::new(), complete: BTreeMap::new() })
    }

    /// Reads rules and checks them.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn parse(json: &str) -> Result<Self, RulesError> {
        let json = json.trim_start_matches('\u{feff}');
        if json.len() > 4 * RULES_LEN_BYTES_MAX {
            return Err(RulesError::Form { reason: format!("{} bytes", json.len()) });
        }
        let rules: Self =
            serde_json::from_str(json).map_err(|error| RulesError::Form { reason: error.to_string() })?;
        let wrong = |field: String, zh, reason| Err(RulesError::Field { field, zh, reason });
        if rules.items.is_empty() || rules.items.len() > ITEMS_MAX {
            return wrong("items".to_owned(), "没有考核项,或超过 40 项", "none, or more than 40");
        }
        for (number, item) in (1..).zip(&rules.items) {
            let at = |what: &str| format!("第 {number} 项 {what}");
            if item.code.is_empty() || rules.items.iter().filter(|other| other.code == item.code).count() > 1
            {
                return wrong(at("code"), "为空或重复", "empty or twice");
            }
            if item.name.trim().is_empty() {
                return wrong(at("name"), "为空", "empty");
            }
            if !(item.full.is_finite() && item.full > 0.0 && item.full <= 10_000.0) {
                return wrong(at("full"), "应为大于 0 的数", "not a positive number");
            }
            if !(item.weight.is_finite() && item.weight > 0.0 && item.weight <= 10_000.0) {
                return wrong(at("weight"), "应为大于 0 的数", "not a positive number");
            }
        }
        if rules.to_json().len() > RULES_LEN_BYTES_MAX {
            return wrong("items".to_owned(), "太长,请精简", "too long");
        }
        Ok(rules)
    }

    /// As they are stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The item of a code or a name.
    pub fn item(&self, typed: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.code == typed || item.name == typed)
    }
}

/// The period, in days, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
}

impl Span {
    /// Whether a time lies in it.
    pub fn holds(&self, ms: u64) -> bool {
        (day::begins_ms(self.from)..day::ends_ms(self.until)).contains(&ms)
    }
}

/// A record behind a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The document.
    pub id: DocId,
    /// Its number, or what it is called by.
    pub number: String,
    /// Whether it counts for the unit.
    pub good: bool,
    /// What it lacks, for a register's record.
    pub lacks: Vec<String>,
}

/// What an item comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemScore {
    /// The item's code.
    pub code: String,
    /// How many there were.
    pub base: u64,
    /// How many of them were as they should be.
    pub good: u64,
    /// The marks; `None` if there was nothing to assess.
    pub score: Option<f64>,
    /// Marks that an appeal led to, instead.
    pub decided: Option<f64>,
    /// The records, those that were not as they should be first.
    pub evidence: Vec<Evidence>,
}

impl ItemScore {
    /// The marks that count.
    pub fn counts(&self) -> Option<f64> {
        self.decided.or(self.score)
    }
}

/// What a unit comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitScore {
    /// Each item.
    pub items: Vec<ItemScore>,
    /// The weighted sum over the items that there was something to assess in, of 100; `None` if in none.
    pub total: Option<f64>,
}

/// Assesses a unit: its cases and the records of its registers. `now_ms` is when: what is not yet due does
/// not count.
pub fn assess(
    rules: &AssessmentRules,
    span: Span,
    cases: &[&CaseFact],
    registers: &[(&str, &DocumentView)],
    now_ms: u64,
) -> UnitScore {
    let items = rules
        .items
        .iter()
        .map(|item| {
            let mut evidence = match item.measure {
                Measure::ClosedInTime => in_time(cases, TimerName::Total, span, now_ms),
                Measure::HandledInTime => in_time(cases, TimerName::Handle, span, now_ms),
                Measure::DispatchedRight => dispatched(cases, span),
                Measure::CheckPassed => checked(cases, span),
                Measure::Rework => reworked(cases, span),
                Measure::Completeness => complete(rules, registers),
            };
            let (base, good) = (evidence.len() as u64, evidence.iter().filter(|e| e.good).count() as u64);
            let score = (base > 0).then(|| round(item.full * good as f64 / base as f64));
            evidence.sort_by_key(|evidence| evidence.good);
            evidence.truncate(EVIDENCE_MAX);
            ItemScore { code: item.code.clone(), base, good, score, decided: None, evidence }
        })
        .collect();
    let mut score = UnitScore { items, total: None };
    score.add_up(rules);
    score
}

impl UnitScore {
    /// Adds the items up again, after a decision about one.
    pub fn add_up(&mut self, rules: &AssessmentRules) {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (item, score) in rules.items.iter().zip(&self.items) {
            if let Some(marks) = score.counts() {
                sum += item.weight * marks / item.full;
                weights += item.weight;
            }
        }
        self.total = (weights > 0.0).then(|| round(100.0 * sum / weights));
    }
}

fn round(marks: f64) -> f64 {
    (marks * 100.0).round() / 100.0
}

fn evidence(fact: &CaseFact, good: bool) -> Evidence {
    Evidence { id: fact.id, number: fact.number.clone(), good, lacks: Vec::new() }
}

/// Runs of a timer that were due in the period.
fn in_time(cases: &[&CaseFact], name: TimerName, span: Span, now_ms: u64) -> Vec<Evidence> {
    let mut found = Vec::new();
    for fact in cases {
        for timer in fact.timers.iter().filter(|timer| timer.name == name) {
            let Some(due) = timer.due_ms else { continue };
            let good = match timer.standing(now_ms) {
                Standing::Met => true,
                Standing::Late | Standing::Overdue => false,
                Standing::Running | Standing::Nearing | Standing::Suspended | Standing::Ended => continue,
            };
            if span.holds(due) {
                found.push(evidence(fact, good));
            }
        }
    }
    found
}

/// Dispatches of the period; one that was returned was wrong.
fn dispatched(cases: &[&CaseFact], span: Span) -> Vec<Evidence> {
    let mut found = Vec::new();
    for fact in cases {
        let mut open: Vec<usize> = Vec::new();
        for (_, event) in fact.case.counted() {
            match event.kind {
                Some(EventKind::Dispatch) if span.holds(event.counted_ms) => {
                    open.push(found.len());
                    found.push(evidence(fact, true));
                }
                Some(EventKind::Dispatch) => open.clear(),
                Some(EventKind::Return) => {
                    if let Some(at) = open.pop() {
                        found[at].good = false;
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// Checks of the period.
fn checked(cases: &[&CaseFact], span: Span) -> Vec<Evidence> {
    let mut found = Vec::new();
    for fact in cases {
        for (_, event) in fact.case.counted() {
            if event.kind == Some(EventKind::Check)
                && span.holds(event.counted_ms)
                && let Some(pass) = event.told.pass
            {
                found.push(evidence(fact, pass));
            }
        }
    }
    found
}

/// Cases that were handled in the period; one that went back was not done well.
fn reworked(cases: &[&CaseFact], span: Span) -> Vec<Evidence> {
    let mut found = Vec::new();
    for fact in cases {
        let (mut handled, mut back) = (false, false);
        for (_, event) in fact.case.counted().filter(|(_, event)| span.holds(event.counted_ms)) {
            handled |= matches!(event.kind, Some(EventKind::Feedback | EventKind::CloseOnSpot));
            back |= event.kind == Some(EventKind::Check) && event.told.pass == Some(false);
        }
        if handled || back {
            found.push(evidence(fact, !back));
        }
    }
    found
}

/// Records of the registers.
fn complete(rules: &AssessmentRules, registers: &[(&str, &DocumentView)]) -> Vec<Evidence> {
    let mut found = Vec::new();
    for (kind, view) in registers {
        let Some(fields) = rules.complete.get(*kind) else { continue };
        let lacks: Vec<String> = fields.iter().filter(|field| view.text(field).is_empty()).cloned().collect();
        let number = view.text("name");
        found.push(Evidence { id: view.id, number, good: lacks.is_empty(), lacks });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_ship_read_and_bad_ones_say_what_is_wrong() {
        assert_eq!(AssessmentRules::shipped().items.len(), 6);
        for (json, says) in [
            ("", "不是考核办法"),
            (r#"{"items":[]}"#, "items"),
            (r#"{"items":[{"code":"a","name":"甲","measure":"steps","full":100,"weight":1}]}"#, "steps"),
            (
                r#"{"items":[{"code":"a","name":"甲","measure":"rework","full":0,"weight":1}]}"#,
                "第 1 项 full",
            ),
            (
                r#"{"items":[{"code":"a","name":"甲","measure":"rework","full":100,"weight":-1}]}"#,
                "第 1 项 weight",
            ),
        ] {
            let error = CheckError::from(AssessmentRules::parse(json).expect_err(json));
            assert!(error.message_zh.contains(says), "{json}: {}", error.message_zh);
        }
    }

    #[test]
    fn an_item_without_anything_to_assess_weighs_nothing_and_a_decision_counts() {
        let rules = AssessmentRules::shipped();
        let span = Span {
            from: Date::new(2026, 11, 1).expect("a day"),
            until: Date::new(2026, 11, 30).expect("a day"),
        };
        assert_eq!(assess(&rules, span, &[], &[], 0).total, None);
        let mut score = assess(&rules, span, &[], &[], 0);
        score.items[0].score = Some(50.0);
        score.items[3].score = Some(100.0);
        score.add_up(&rules);
        // (25 x 0.5 + 20 x 1) / 45.
        assert_eq!(score.total, Some(72.22));
        score.items[0].decided = Some(100.0);
        score.add_up(&rules);
        assert_eq!(score.total, Some(100.0));
    }
}
