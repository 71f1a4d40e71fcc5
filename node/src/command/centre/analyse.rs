//! Analysis of cases (分析研判): by line, place, time, and what comes again.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;

use wangge_model::centre::analysis::{By, group};
use wangge_model::centre::assessment::Span;
use wangge_model::checks::{CheckError, Date};
use wangge_model::work::day;

use super::{facts, held_within, today, unit_or_own};
use crate::command::work::cases::rulebook;
use crate::command::work::shown::referred;
use crate::command::work::street::Street;
use crate::command::{Answer, CommandError};
use crate::replica::Replica;
use crate::text::{Message, WorkText};

/// Groups of people's list.
const LIST_LINES: usize = 30;
/// Days back, unless a first day is given.
const DAYS: u64 = 30;

/// How to group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// By line of business.
    Line,
    /// By place.
    Place,
    /// By day.
    Time,
    /// What comes again.
    Repeat,
}

/// What to analyse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
pub struct AnalyseArgs {
    /// How to group.
    #[arg(long, value_enum, default_value = "line")]
    pub by: Grouping,
    /// The first day.
    #[arg(long)]
    pub from: Option<String>,
    /// The last day.
    #[arg(long)]
    pub until: Option<String>,
    /// The unit.
    #[arg(long)]
    pub unit: Option<String>,
}

pub(in crate::command) fn execute(replica: &Replica, args: &AnalyseArgs) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    let unit = unit_or_own(&street, args.unit.as_deref())?;
    let span = span(replica, args.from.as_deref(), args.until.as_deref())?;
    let mut cases = facts(replica, &held_within(&street, &unit))?;
    cases.retain(|fact| span.holds(fact.reported_ms));
    let by = match args.by {
        Grouping::Line => By::Line,
        Grouping::Place => By::Place,
        Grouping::Time => By::Time,
        Grouping::Repeat => By::Repeat,
    };
    let book = rulebook(replica)?;
    let rules = book.latest();
    let groups = group(&cases, by, replica.now_ms());
    let mut json = Vec::new();
    let mut lines =
        vec![Message::Work(WorkText::AnalysisOf { cases: cases.len(), groups: groups.len() }).line()];
    for (at, group) in groups.iter().enumerate() {
        let label = match street.unit(&group.key) {
            _ if by == By::Line => rules.category_name(&group.key).to_owned(),
            Ok(unit) => street.unit_name(&unit),
            Err(_) => referred(replica, &group.key)?,
        };
        let line = rules.category_name(&group.category);
        let numbers = cases.iter().filter(|fact| group.cases.contains(&fact.id));
        let numbers: Vec<&str> = numbers.map(|fact| fact.number.as_str()).collect();
        if at < LIST_LINES {
            let what = if line.is_empty() { String::new() } else { format!(" {line}") };
            let count = Message::Work(WorkText::GroupOf {
                count: group.count,
                open: group.open,
                overdue: group.overdue,
            });
            lines.push(format!("  {label}{what}:{}", count.zh()));
        }
        json.push(json!({
            "key": group.key, "label": label, "category": group.category, "category_name": line,
            "count": group.count, "open": group.open,
            "overdue": group.overdue, "cases": numbers,
        }));
    }
    Ok(Answer {
        json: json!({
            "by": args.by, "unit": unit.to_string(), "from": span.from.to_string(), "until": span.until.to_string(),
            "cases": cases.len(), "groups": json,
        }),
        text: lines.join("\n"),
    })
}

/// The days from `from` to `until`, by default the last thirty.
pub(super) fn span(replica: &Replica, from: Option<&str>, until: Option<&str>) -> Result<Span, CommandError> {
    let until = super::day_or(until, || today(replica))?;
    let back = || day::of(day::begins_ms(until).saturating_sub((DAYS - 1) * day::DAY_MS));
    let from: Date = super::day_or(from, back)?;
    if from > until {
        return Err(CheckError::new(
            "days-swapped",
            format!("起始日期 {from} 晚于截止日期 {until},请改正。"),
            format!("The first day {from} is after the last day {until}."),
        )
        .into());
    }
    Ok(Span { from, until })
}
