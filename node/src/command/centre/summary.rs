//! The daily summary (每日信息汇总): derived from the day's events, never typed.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use wangge_model::centre::summary::{self, Node, ROWS, Tally};
use wangge_model::checks::Date;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::{day_or, held_within, today, unit_or_own};
use crate::command::key::shown_cases;
use crate::command::work::cases;
use crate::command::work::street::Street;
use crate::command::{Answer, CommandError};
use crate::replica::Replica;
use crate::text::{Message, WorkText};

/// Which day, of which unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SummaryArgs {
    /// The day, by default today.
    #[arg(long)]
    pub date: Option<String>,
    /// The unit, by default your own.
    #[arg(long)]
    pub unit: Option<String>,
}

/// The summary of `day` for a unit and all below it that is held here.
fn derive(replica: &Replica, street: &Street, unit: &Scope, day: Date) -> Result<Node, CommandError> {
    let book = cases::rulebook(replica)?;
    let mut tallies: BTreeMap<Scope, Tally> = BTreeMap::new();
    let scopes = held_within(street, unit);
    let shown = shown_cases(replica, &scopes);
    for scope in &scopes {
        let tally = tallies.entry(scope.clone()).or_default();
        // What goes past the grid is not told in numbers either.
        let hidden = |kind: &Kind| *kind == Kind::CASE && !shown.contains(scope);
        for kind in summary::kinds().filter(|kind| !hidden(kind)) {
            replica.each(scope, kind, |view| {
                summary::count(tally, scope, &view, day, &book);
                true
            })?;
        }
    }
    let units: BTreeSet<Scope> = scopes.into_iter().chain([unit.clone()]).collect();
    Ok(summary::roll_up(unit, &tallies, &units, &|unit| street.area_of(unit)))
}

fn tally_json(tally: &Tally) -> Value {
    Value::Object(tally.0.iter().map(|(word, times)| (word.clone(), (*times).into())).collect::<Map<_, _>>())
}

fn node_json(street: &Street, node: &Node) -> Value {
    let mut json = super::unit_json(street, &node.unit);
    json["counts"] = tally_json(&node.total);
    json["own"] = tally_json(&node.own);
    json["children"] = node.children.iter().map(|child| node_json(street, child)).collect();
    json
}

/// 事件上报 3  巡查 2 …
fn counted(tally: &Tally) -> String {
    let rows = ROWS.iter().map(|(word, label)| (label, tally.get(word))).filter(|(_, times)| *times > 0);
    let parts: Vec<String> = rows.map(|(label, times)| format!("{label} {times}")).collect();
    if parts.is_empty() { Message::Work(WorkText::NothingThatDay).zh() } else { parts.join("  ") }
}

fn lines(street: &Street, node: &Node, depth: usize, into: &mut Vec<String>) {
    into.push(format!("{}{}:{}", "  ".repeat(depth), street.unit_name(&node.unit), counted(&node.total)));
    // A unit in which nothing happened is not worth a line of a long list.
    for child in node.children.iter().filter(|child| !child.total.0.is_empty()) {
        lines(street, child, depth + 1, into);
    }
}

pub(in crate::command) fn execute(replica: &Replica, args: &SummaryArgs) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    let day = day_or(args.date.as_deref(), || today(replica))?;
    let unit = unit_or_own(&street, args.unit.as_deref())?;
    let node = derive(replica, &street, &unit, day)?;
    let missing: Vec<String> =
        street.within(&unit).iter().filter(|unit| !street.holds(unit)).map(ToString::to_string).collect();
    let categories = node.total.0.iter().filter_map(|(word, times)| {
        Some((word.strip_prefix("case.report/")?.to_owned(), Value::from(*times)))
    });
    let mut json = node_json(&street, &node);
    json["date"] = day.to_string().into();
    json["by_category"] = Value::Object(categories.collect());
    json["rows"] = ROWS
        .iter()
        .map(|(word, label)| json!({ "key": word, "label": label, "count": node.total.get(word) }))
        .collect();
    json["not_held"] = missing.clone().into();
    let mut text = vec![Message::Work(WorkText::SummaryOf { day: &day.to_string() }).line()];
    lines(&street, &node, 0, &mut text);
    if !missing.is_empty() {
        text.push(Message::Work(WorkText::UnitsNotHeld { count: missing.len() }).line());
    }
    Ok(Answer { json, text: text.join("\n") })
}

/// The summary as rows: unit, then a value for each key, deepest units too.
pub(in crate::command) fn table(
    replica: &Replica,
    street: &Street,
    args: &SummaryArgs,
) -> Result<(Date, Vec<BTreeMap<String, String>>), CommandError> {
    fn rows(street: &Street, node: &Node, into: &mut Vec<BTreeMap<String, String>>) {
        let mut row: BTreeMap<String, String> =
            node.total.0.iter().map(|(word, times)| (word.clone(), times.to_string())).collect();
        for (word, _) in ROWS {
            row.entry((*word).to_owned()).or_insert_with(|| "0".to_owned());
        }
        row.insert("unit".to_owned(), node.unit.to_string());
        row.insert("unit_name".to_owned(), street.unit_name(&node.unit));
        row.insert(
            "area_name".to_owned(),
            street.area_of(&node.unit).map(|area| street.unit_name(&area)).unwrap_or_default(),
        );
        into.push(row);
        for child in &node.children {
            rows(street, child, into);
        }
    }
    let day = day_or(args.date.as_deref(), || today(replica))?;
    let unit = unit_or_own(street, args.unit.as_deref())?;
    let node = derive(replica, street, &unit, day)?;
    let mut found = Vec::new();
    rows(street, &node, &mut found);
    for row in &mut found {
        row.insert("date".to_owned(), day.to_string());
    }
    Ok((day, found))
}
