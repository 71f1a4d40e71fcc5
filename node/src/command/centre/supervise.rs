//! The supervision list (督查督办): what is overdue, nearing its time, urged or supervised.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use wangge_model::centre::supervision::{self, Supervised, Why};
use wangge_model::schema::Kind;
use wangge_model::work::of_kind;

use super::{facts, held_within, unit_or_own};
use crate::command::work::street::Street;
use crate::command::{Answer, CommandError, instant, shown, work};
use crate::replica::Replica;
use crate::text::{Message, WorkText};

/// Lines of a list for people.
const LIST_LINES: usize = 100;

/// What can be asked of supervision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum SuperviseCommand {
    /// The list.
    List(SuperviseArgs),
}

/// Of which unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SuperviseArgs {
    /// The unit, by default your own.
    #[arg(long)]
    pub unit: Option<String>,
    /// Overdue alone.
    #[arg(long)]
    pub overdue: bool,
}

/// An entry with what is shown of its record.
struct Found {
    entry: Supervised,
    title: String,
    /// For programs and for people.
    state: (&'static str, &'static str),
    /// The line of business of a case, by code and name.
    line: Option<(String, String)>,
}

pub(in crate::command) fn execute(
    replica: &Replica,
    command: &SuperviseCommand,
) -> Result<Answer, CommandError> {
    let SuperviseCommand::List(args) = command;
    let street = Street::load(replica)?;
    let unit = unit_or_own(&street, args.unit.as_deref())?;
    let scopes = held_within(&street, &unit);
    let now = replica.now_ms();
    let book = work::cases::rulebook(replica)?;
    let mut found: Vec<Found> = Vec::new();
    for fact in facts(replica, &scopes)? {
        if let Some(entry) = supervision::of_case(&fact, now) {
            let line = book.named(fact.case.rules.as_deref()).category_name(&fact.category).to_owned();
            let title = format!("{} {line} {}", fact.number, fact.text);
            let state = (fact.case.state.name(), fact.case.state.label());
            found.push(Found { entry, title, state, line: Some((fact.category, line)) });
        }
    }
    for spec in [Kind::TASK, Kind::HAZARD, Kind::ASSIST].into_iter().filter_map(of_kind) {
        for seen in work::all(replica, spec, &scopes)? {
            let entry = supervision::of_record(spec.word, seen.view.id, &seen.scope, &seen.record, now);
            if let Some(entry) = entry {
                let state = (seen.record.state.name, seen.record.state.label);
                found.push(Found { entry, title: seen.headline(&street), state, line: None });
            }
        }
    }
    if args.overdue {
        found.retain(|found| found.entry.why.contains(&Why::Overdue));
    }
    // The gravest first, then the longest overdue.
    found.sort_by_key(|Found { entry, .. }| {
        (entry.why.first().copied(), entry.due_ms.unwrap_or(u64::MAX), entry.id)
    });
    let mut json = Vec::new();
    let mut lines = Vec::new();
    for Found { entry, title, state, line } in &found {
        let why: Vec<&str> = entry.why.iter().map(|why| why.label()).collect();
        let due = entry.due_ms.map(instant::rfc3339);
        let label = of_label(entry.kind);
        if lines.len() < LIST_LINES {
            let due = entry.due_ms.map(instant::short).unwrap_or_default();
            let title: String = title.chars().take(50).collect();
            lines.push(format!(
                "[{}] {label}  {}  {title}  {}  {}  {due}",
                why.join("、"),
                shown::short_id(&entry.id),
                state.1,
                street.unit_name(&entry.scope)
            ));
        }
        let mut member = json!({
            "kind": entry.kind, "kind_label": label, "id": entry.id.to_string(), "title": title,
            "state": state.0, "state_label": state.1,
            "unit": entry.scope.to_string(), "unit_name": street.unit_name(&entry.scope), "due": due,
            "overdue": entry.why.contains(&Why::Overdue),
            "why": entry.why.iter().map(|why| why.name()).collect::<Vec<_>>(),
            "why_label": why.join("、"),
        });
        if let Some((code, name)) = line {
            member["category"] = code.as_str().into();
            member["category_name"] = name.as_str().into();
        }
        json.push(member);
    }
    lines.push(Message::Work(WorkText::Supervised { count: found.len() }).line());
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}

fn of_label(kind: &str) -> &str {
    wangge_model::work::of_word(kind).map_or("事件", |spec| spec.label)
}
