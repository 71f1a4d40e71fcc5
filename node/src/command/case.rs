//! Cases (事件): a report, notes, and what became of them.

use std::sync::{Mutex, PoisonError};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::document::{DocumentView, Op, Scalar, Target as OpTarget};
use wangge_model::identity::{DocId, ReplicaId, Scope};
use wangge_model::schema::Kind;

use super::edits::bounded;
use super::key::{self, Target};
use super::shown;
use super::units::Units;
use super::workers::Workers;
use super::{Answer, CommandError, edits, instant};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, Word};

/// Lines of a list for people, unless they ask for more.
const LIST_LINES: usize = 50;

/// How far ahead of this device's clock a claimed time may lie.
const AHEAD_MS_MAX: u64 = 5 * 60 * 1000;

/// What can be done with cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum CaseCommand {
    /// Reports one.
    Report(ReportArgs),
    /// Adds a note.
    Note(NoteArgs),
    /// Shows one.
    Show(ShowCaseArgs),
    /// Lists them, newest first.
    List(ListCasesArgs),
}

/// What to report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ReportArgs {
    /// The line of business (art. 7, 19).
    #[arg(long)]
    pub category: String,
    /// What happened.
    #[arg(long)]
    pub text: String,
    /// The place concerned.
    #[arg(long, value_name = "KEY")]
    pub place: Option<String>,
    /// The person concerned.
    #[arg(long, value_name = "KEY")]
    pub person: Option<String>,
    /// 1 (most serious) to 4.
    #[arg(long)]
    pub level: Option<String>,
    /// Where the report came from.
    #[arg(long)]
    pub source: Option<String>,
    /// Of a minor class.
    #[arg(long)]
    pub minor: bool,
    /// The grid: `grid:CODE`, a code or a village's name.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// What to note.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct NoteArgs {
    /// Which case.
    pub key: String,
    /// What to note.
    #[arg(long)]
    pub text: String,
}

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ShowCaseArgs {
    /// Which case.
    pub key: String,
    /// Why numbers are to be shown in full.
    #[arg(long, value_name = "REASON")]
    pub unmask: Option<String>,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ListCasesArgs {
    /// One grid only.
    #[arg(long)]
    pub unit: Option<String>,
    /// At most so many.
    #[arg(long)]
    pub limit: Option<usize>,
}

pub(super) fn execute(replica: &Replica, command: &CaseCommand) -> Result<Answer, CommandError> {
    match command {
        CaseCommand::Report(args) => report(replica, args),
        CaseCommand::Note(args) => note(replica, args),
        CaseCommand::Show(args) => show(replica, args),
        CaseCommand::List(args) => list(replica, args),
    }
}

fn field(name: &str, value: impl Into<Scalar>) -> Op {
    Op { target: OpTarget::Field(name.to_owned()), value: Some(value.into()) }
}

fn event(value: &Value) -> Op {
    let container = "events".to_owned();
    Op { target: OpTarget::Event { container }, value: Some(value.to_string().into()) }
}

/// A text that says something.
fn said(typed: &str) -> Result<String, CommandError> {
    let text = bounded(wangge_model::checks::text::free_text(typed))?;
    if text.is_empty() {
        return Err(CommandError::usage("text-missing", &Message::TextMissing));
    }
    Ok(text)
}

fn report(replica: &Replica, args: &ReportArgs) -> Result<Answer, CommandError> {
    // Two reports at once must not take the same number.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);

    let (category, text) = (said(&args.category)?, said(&args.text)?);
    let at_ms = args.at.as_deref().map(|at| happened_at(replica, at)).transpose()?;
    let unit = args.unit.as_deref();
    let place =
        args.place.as_deref().map(|key| key::resolve(replica, &[Kind::PLACE], key, unit)).transpose()?;
    let person =
        args.person.as_deref().map(|key| key::resolve(replica, &[Kind::PERSON], key, unit)).transpose()?;
    let units = Units::load(replica)?;
    // Where the place is, else where the person lives, else the only grid.
    let implied = place.as_ref().or(person.as_ref()).map(|target| target.scope.to_string());
    let scope = units.choose(unit.or(implied.as_deref()))?.scope;

    let doc = DocId(replica.random()?);
    let number = next_number(replica, &scope)?;
    let mut ops =
        vec![field("number", number.as_str()), field("category", category), field("text", text.as_str())];
    if let Some(level) = &args.level {
        ops.push(field("level", edits::check(Kind::CASE, "level", level, &mut Vec::new())?));
    }
    if let Some(source) = &args.source {
        ops.push(field("source", said(source)?));
    }
    for (name, target) in [("place", &place), ("person", &person)] {
        if let Some(target) = target {
            ops.push(field(name, target.view.id.to_string()));
        }
    }
    let mut told = json!({ "kind": "report", "text": text });
    if args.minor {
        told["minor"] = true.into();
    }
    ops.push(event(&told));
    replica.commit(&scope, vec![Edit { doc, kind: Kind::CASE, ops }], at_ms)?;
    answer(replica, &scope, &doc, |id| Message::Reported { number: &number, id }.line())
}

/// A claimed time: read, and not in the future.
fn happened_at(replica: &Replica, typed: &str) -> Result<u64, CommandError> {
    let now = replica.now_ms();
    let at = instant::parse(typed, now)
        .ok_or_else(|| CommandError::usage("time-unreadable", &Message::TimeUnreadable { typed }))?;
    if at > now + AHEAD_MS_MAX {
        return Err(CommandError::failed("time-ahead", &Message::TimeAhead { typed }));
    }
    Ok(at)
}

/// The device's own number: the end of the grid's code, the device, a count.
fn next_number(replica: &Replica, scope: &Scope) -> Result<String, ReplicaError> {
    let prefix = number_prefix(scope, &replica.profile().replica());
    let mut last = 0;
    replica.each(scope, Kind::CASE, |view| {
        if let Some(count) = view.text("number").strip_prefix(&prefix).and_then(|count| count.parse().ok()) {
            last = last.max(count);
        }
        true
    })?;
    Ok(format!("{prefix}{}", last + 1_u64))
}

fn number_prefix(scope: &Scope, replica: &ReplicaId) -> String {
    let code: Vec<char> = scope.code().chars().collect();
    let tail: String = code[code.len().saturating_sub(6)..].iter().collect();
    let device: String = replica.to_string().chars().take(2).collect();
    format!("{tail}-{device}-")
}

fn note(replica: &Replica, args: &NoteArgs) -> Result<Answer, CommandError> {
    let text = said(&args.text)?;
    let Target { scope, view } = key::resolve(replica, &[Kind::CASE], &args.key, None)?;
    let ops = vec![event(&json!({ "kind": "note", "text": text }))];
    replica.commit(&scope, vec![Edit { doc: view.id, kind: Kind::CASE, ops }], None)?;
    let number = view.text("number");
    answer(replica, &scope, &view.id, |id| Message::Noted { number: &number, id }.line())
}

fn answer(
    replica: &Replica,
    scope: &Scope,
    doc: &DocId,
    line: impl FnOnce(&str) -> String,
) -> Result<Answer, CommandError> {
    let workers = Workers::load(replica)?;
    let delivery = replica.delivery(scope, Kind::CASE, doc)?;
    let text = format!("{}  {}", line(&shown::short_id(doc)), Word::of_delivery(delivery).zh());
    let json = match replica.get(scope, Kind::CASE, doc)? {
        Some(view) => shown::document_json(&workers, scope, &view, delivery),
        None => Value::Null,
    };
    Ok(Answer { json, text })
}

fn show(replica: &Replica, args: &ShowCaseArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let Target { scope, view } = key::resolve(replica, &[Kind::CASE], &args.key, None)?;
    let sight = shown::sight(replica, &scope, &view, args.unmask.as_deref())?;
    let delivery = replica.delivery(&scope, Kind::CASE, &view.id)?;
    Ok(Answer {
        json: shown::document_json_as(&workers, &scope, &view, delivery, sight),
        text: shown::document_text(&workers, &units, &scope, &view, delivery, sight),
    })
}

/// When a case was reported, as its author says.
pub(super) fn reported_ms(view: &DocumentView) -> u64 {
    let first = view.histories.get("events").and_then(|events| events.first()).map(|event| event.wall_ms);
    first.or_else(|| view.fields.get("text").map(|register| register.shown.wall_ms)).unwrap_or(0)
}

/// Cases, newest first.
pub(super) fn newest_first(
    replica: &Replica,
    scopes: &[Scope],
) -> Result<Vec<(Scope, DocumentView)>, ReplicaError> {
    let mut found = Vec::new();
    for scope in scopes {
        replica.each(scope, Kind::CASE, |view| {
            found.push((scope.clone(), view));
            true
        })?;
    }
    found.sort_by_cached_key(|(_, view)| (std::cmp::Reverse(reported_ms(view)), view.id));
    Ok(found)
}

fn list(replica: &Replica, args: &ListCasesArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let scopes = match &args.unit {
        Some(unit) => vec![units.named(unit)?.scope],
        None => replica.scopes(),
    };
    let found = newest_first(replica, &scopes)?;
    let total = found.len();
    let lines_max = args.limit.unwrap_or(LIST_LINES).min(total);
    let mut lines: Vec<String> = found
        .iter()
        .take(lines_max)
        .map(|(scope, view)| {
            format!("{}  {}", instant::short(reported_ms(view)), shown::headline(&units, scope, view))
        })
        .collect();
    lines.push(Message::Listed { shown: lines_max, total }.line());
    let mut json = Vec::new();
    for (scope, view) in found.iter().take(args.limit.unwrap_or(usize::MAX)) {
        let delivery = replica.delivery(scope, Kind::CASE, &view.id)?;
        let mut entry = shown::document_json(&workers, scope, view, delivery);
        entry["at"] = instant::rfc3339(reported_ms(view)).into();
        json.push(entry);
    }
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}
