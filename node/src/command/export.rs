//! Writing a ledger that an office hands upward: who exported it, when and how much stands below it.

mod columns;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;

use wangge_ledger::{PlaceRow, ResidentRow, place_table, resident_table, write_table};
use wangge_model::audit::{Entry, What};
use wangge_model::centre::summary;
use wangge_model::checks::Sex;
use wangge_model::deadline::TimerName;
use wangge_model::document::{DocumentView, Scalar};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::{CLOSED, Form, Kind, UPWARD};

use super::case::{Observed, newest_first, reported_ms};
use super::centre::{self, ScoreArgs, SummaryArgs};
use super::edits::resident_kind;
use super::import::LICENCE_NUMBER;
use super::shown::Sight;
use super::units::Units;
use super::work::cases;
use super::work::street::Street;
use super::workers::Workers;
use super::{Answer, CommandError, Progress, instant, shown};
use crate::replica::Replica;
use crate::text::{EXTRA_FIELDS, Message, Word, veil};

use columns::ColumnSet;

/// Longest text that Excel takes in one cell, less some.
const CELL_CHARS_MAX: usize = 32_000;

/// Which records to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ExportKind {
    /// Residents.
    People,
    /// Enterprises and other places.
    Places,
    /// Enterprises.
    Enterprises,
    /// Rented houses.
    Houses,
    /// Households.
    Households,
    /// Cases.
    Cases,
    /// The daily summary.
    Summary,
    /// Scores of a period of assessment.
    Assessment,
}

/// What to export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
pub struct ExportArgs {
    /// Which records.
    pub kind: ExportKind,
    /// The workbook to write, `.xlsx`.
    pub file: PathBuf,
    /// One grid only.
    #[arg(long)]
    pub unit: Option<String>,
    /// Why numbers are to be exported in full.
    #[arg(long, value_name = "REASON")]
    pub unmask: Option<String>,
    /// Which columns, in which order, under which headings: JSON.
    #[arg(long, value_name = "FILE")]
    pub columns: Option<PathBuf>,
    /// The day of a summary.
    #[arg(long)]
    pub date: Option<String>,
    /// The period of an assessment.
    #[arg(long)]
    pub period: Option<String>,
}

pub(super) fn execute(
    replica: &Replica,
    args: &ExportArgs,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    let extension = args.file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !extension.eq_ignore_ascii_case("xlsx") {
        let found = args.file.display().to_string();
        return Err(CommandError::usage("extension", &Message::Extension { found: &found }));
    }
    let columns = args.columns.as_deref().map(ColumnSet::read).transpose()?;
    if matches!(args.kind, ExportKind::Summary | ExportKind::Assessment) {
        return centre_table(replica, args, columns, progress);
    }
    let units = Units::load(replica)?;
    let scopes = match &args.unit {
        Some(unit) => vec![units.named(unit)?.scope],
        None => replica.open_scopes(),
    };
    let street = replica.profile().grant().map_or_else(String::new, |grant| grant.street_name.clone());
    let kind = match args.kind {
        ExportKind::People => Kind::PERSON,
        ExportKind::Places => Kind::PLACE,
        ExportKind::Enterprises => Kind::ENTERPRISE,
        ExportKind::Houses => Kind::HOUSE,
        ExportKind::Households => Kind::HOUSEHOLD,
        ExportKind::Cases | ExportKind::Summary | ExportKind::Assessment => Kind::CASE,
    };
    let title = |word: Word| format!("{street}{}", word.zh());
    let mut records = match kind {
        Kind::CASE => newest_first(replica, &scopes)?,
        kind => registered(replica, kind, &scopes, progress)?,
    };
    if let Some(columns) = &columns {
        // A column that there is not is said before the export has a number.
        columns.table(args.kind, &[], &known(kind), &[], Vec::new())?;
    }
    let rows = records.len();
    let scope = args.unit.as_ref().and(scopes.first());
    let Stamp { number, sight, footer } = stamp(replica, args.kind, scope, rows, args.unmask.as_deref())?;
    let table = match (args.kind, &columns) {
        (ExportKind::People, None) => {
            let rows: Vec<ResidentRow> =
                records.iter().map(|(scope, view)| resident(&units, scope, view, sight)).collect();
            resident_table(&title(Word::People), &rows, footer)
        }
        (ExportKind::Places, None) => {
            let rows: Vec<PlaceRow> =
                records.iter().map(|(scope, view)| place(&units, scope, view, sight)).collect();
            place_table(&title(Word::Places), &rows, footer)
        }
        (_, columns) => {
            let rows = if kind == Kind::CASE {
                records.reverse();
                case_rows(replica, &units, &Workers::load(replica)?, &records)?
            } else {
                let row =
                    |(scope, view): &(Scope, DocumentView)| register_row(replica, &units, scope, view, sight);
                records.iter().map(row).collect::<Result<Vec<Row>, CommandError>>()?
            };
            let shipped = ColumnSet::shipped(args.kind);
            let columns = columns.as_ref().unwrap_or(&shipped);
            columns.table(args.kind, &rows, &known(kind), &[("street", &street)], footer)?
        }
    };
    progress.step(Word::Writing.zh(), 0, 1);
    write_table(&args.file, &table)?;
    progress.step(Word::Writing.zh(), 1, 1);
    let open = records.iter().filter(|(_, view)| view.conflicts().next().is_some()).count();
    tracing::info!(file = %args.file.display(), rows, "exported a ledger");
    let file = args.file.display().to_string();
    Ok(Answer {
        json: json!({
            "file": file, "rows": rows, "with_conflicts": open, "number": number, "masked": sight == Sight::Masked
        }),
        text: Message::Exported { file: &file, rows, conflicts: open, number: &number }.line(),
    })
}

fn registered(
    replica: &Replica,
    kind: Kind,
    scopes: &[Scope],
    progress: &dyn Progress,
) -> Result<Vec<(Scope, DocumentView)>, CommandError> {
    let mut records: Vec<(Scope, DocumentView)> = Vec::new();
    for (index, scope) in scopes.iter().enumerate() {
        progress.step(Word::Collecting.zh(), index as u64, scopes.len() as u64);
        let from = records.len();
        replica.each(scope, kind, |view| {
            if !view.is_closed() {
                records.push((scope.clone(), view));
            }
            true
        })?;
        records[from..].sort_by_cached_key(|(_, view)| {
            (view.text("current_address"), view.text("address"), view.text("name"), view.id)
        });
    }
    progress.step(Word::Collecting.zh(), scopes.len() as u64, scopes.len() as u64);
    Ok(records)
}

/// What stands below an exported ledger, and how much of its numbers is shown.
pub(super) struct Stamp {
    pub(super) number: String,
    pub(super) sight: Sight,
    pub(super) footer: Vec<String>,
}

/// Gives an export its number and records it in the audit, before anything is written. `reason` is why
/// numbers are exported in full.
pub(super) fn stamp(
    replica: &Replica,
    kind: ExportKind,
    scope: Option<&Scope>,
    rows: usize,
    reason: Option<&str>,
) -> Result<Stamp, CommandError> {
    let reason = reason.map(str::trim);
    if reason == Some("") {
        return Err(CommandError::usage("reason-missing", &Message::ReasonMissing));
    }
    if reason.is_some() && !replica.acts_as(|role| UPWARD.contains(&role)) {
        return Err(CommandError::failed("may-not", &Message::UnmaskAll { roles: UPWARD }).on("unmask"));
    }
    let sight = if reason.is_some() { Sight::Full } else { Sight::Masked };
    let number = replica.next_export_number()?;
    let what = kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let shown = if sight == Sight::Full { "in full" } else { "masked" };
    let entry = Entry::new(What::EXPORT)
        .because(reason.unwrap_or_default())
        .detail(&format!("{number}: {rows} {what}, numbers {shown}"));
    replica.audit(Entry { scope: scope.cloned(), ..entry })?;
    let profile = replica.profile();
    let worker = profile.grant().map_or_else(String::new, |grant| grant.worker_name.clone());
    let device: String = profile.replica().to_string().chars().take(8).collect();
    let at = instant::rfc3339(replica.now_ms());
    let footer = Message::Footer { number: &number, worker: &worker, device: &device, at: &at, rows };
    let footer = vec![footer.zh()];
    Ok(Stamp { number, sight, footer })
}

fn unit_name(units: &Units, scope: &Scope, view: &DocumentView) -> String {
    let name = units.name(scope);
    match name.is_empty() {
        false => name,
        true => {
            Some(view.text("unit")).filter(|unit| !unit.is_empty()).unwrap_or_else(|| scope.code().to_owned())
        }
    }
}

/// A field as the sheet shows it.
fn cell(view: &DocumentView, field: &str, sight: Sight) -> String {
    match (field, sight) {
        ("id_number" | "phone", Sight::Masked) => shown::field(view, field, sight),
        ("credit_code", _) | (_, Sight::Full) => view.text(field),
        _ => veil(&view.text(field)),
    }
}

fn resident(units: &Units, scope: &Scope, view: &DocumentView, sight: Sight) -> ResidentRow {
    let optional = |field: &str| Some(cell(view, field, sight)).filter(|text| !text.is_empty());
    ResidentRow {
        id_number: cell(view, "id_number", sight),
        name: view.text("name"),
        sex: Sex::parse(&view.text("sex")).ok(),
        kind: resident_kind(&view.text("kind")),
        phone: optional("phone"),
        registered_address: optional("registered_address"),
        current_address: optional("current_address"),
        employer: optional("employer"),
        registered_on: optional("registered_on"),
        unit_name: unit_name(units, scope, view),
    }
}

fn place(units: &Units, scope: &Scope, view: &DocumentView, sight: Sight) -> PlaceRow {
    let optional = |field: &str| Some(cell(view, field, sight)).filter(|text| !text.is_empty());
    let degrees = |field: &str| match view.value(field) {
        Some(Scalar::F64(degrees)) => Some(*degrees),
        _ => None,
    };
    let licence = view.sets.get("extra").and_then(|extra| extra.get(LICENCE_NUMBER));
    PlaceRow {
        name: view.text("name"),
        category: optional("category"),
        credit_code: optional("credit_code"),
        licence_number: licence.map(|register| register.shown.value.to_text()),
        address: optional("address"),
        manager: optional("manager"),
        phone: optional("phone"),
        staff_count: match view.value("staff_count") {
            Some(Scalar::Int(count)) => u32::try_from(*count).ok(),
            _ => None,
        },
        longitude: degrees("longitude"),
        latitude: degrees("latitude"),
        unit_name: unit_name(units, scope, view),
    }
}

/// A row of a table: field -> text.
type Row = BTreeMap<String, String>;

/// The fields of a kind, with their headings.
fn known(kind: Kind) -> BTreeMap<String, String> {
    let fields = kind.spec().map(|spec| spec.fields).unwrap_or_default();
    let mut known: BTreeMap<String, String> =
        fields.iter().map(|field| (field.name.to_owned(), field.label.to_owned())).collect();
    for (field, heading) in EXTRA_FIELDS {
        known.insert((*field).to_owned(), (*heading).to_owned());
    }
    known
}

/// A record as a row: codes by what they mean, other records by what they are called.
fn register_row(
    replica: &Replica,
    units: &Units,
    scope: &Scope,
    view: &DocumentView,
    sight: Sight,
) -> Result<Row, CommandError> {
    let fields = view.kind.spec().map(|spec| spec.fields).unwrap_or_default();
    let mut row = Row::new();
    for field in fields {
        let text = match (field.name, field.form) {
            ("sex" | "kind" | CLOSED, _) | (_, Form::Flag) => shown::field(view, field.name, sight),
            // Numbers of cases are nobody's.
            ("number" | "official_number", _) => view.text(field.name),
            (name, Form::Code(table)) => {
                let code = view.text(name);
                units.codes().label(table, &code).map_or(code.clone(), str::to_owned)
            }
            (name, Form::Link(kinds)) => called(replica, scope, kinds, &view.text(name))?,
            ("place", _) => called(replica, scope, &[Kind::PLACE, Kind::ENTERPRISE], &view.text("place"))?,
            ("person", _) => called(replica, scope, &[Kind::PERSON], &view.text("person"))?,
            (name, _) => cell(view, name, sight),
        };
        row.insert(field.name.to_owned(), text);
    }
    row.insert("unit_name".to_owned(), unit_name(units, scope, view));
    row.insert("scope".to_owned(), scope.to_string());
    Ok(row)
}

/// What the record of an id is called; the id where there is none of `kinds` in `scope`.
fn called(replica: &Replica, scope: &Scope, kinds: &[Kind], id: &str) -> Result<String, CommandError> {
    let Ok(doc) = id.parse::<DocId>() else { return Ok(id.to_owned()) };
    for kind in kinds {
        if let Some(view) = replica.get(scope, *kind, &doc)? {
            return Ok(shown::title(&view));
        }
    }
    Ok(shown::short_id(&doc))
}

fn case_rows(
    replica: &Replica,
    units: &Units,
    workers: &Workers,
    records: &[(Scope, DocumentView)],
) -> Result<Vec<Row>, CommandError> {
    let book = cases::rulebook(replica)?;
    let observed = Observed::new(replica);
    let now = replica.now_ms();
    let mut rows = Vec::with_capacity(records.len());
    for (scope, view) in records {
        let mut row = register_row(replica, units, scope, view, Sight::Masked)?;
        let events = view.histories.get("events").map(Vec::as_slice).unwrap_or_default();
        let reporter = events.first().map(|event| workers.name(&event.worker)).unwrap_or_default();
        let told: Vec<String> =
            events.iter().map(|event| shown::event_text(view.kind, workers, event)).collect();
        let course: String = told.join("\n").chars().take(CELL_CHARS_MAX).collect();
        let seen = cases::CaseSeen::of(&observed, scope.clone(), view.clone(), &book)?;
        let total = seen.timers.iter().rfind(|timer| timer.name == TimerName::Total);
        let due = total.and_then(|timer| timer.due_ms).map(instant::day).unwrap_or_default();
        let standing = total.map(|timer| timer.standing(now).label().to_owned()).unwrap_or_default();
        for (field, text) in [
            (
                "category",
                book.named(seen.case.rules.as_deref()).category_name(&seen.case.category).to_owned(),
            ),
            ("source", shown::field(view, "source", Sight::Masked)),
            ("reporter", reporter),
            ("reported_on", instant::day(reported_ms(view))),
            ("state", seen.case.state.label().to_owned()),
            ("due", due),
            ("standing", standing),
            ("course", course),
        ] {
            row.insert(field.to_owned(), text);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// The daily summary, or the scores of a period, as a workbook.
fn centre_table(
    replica: &Replica,
    args: &ExportArgs,
    columns: Option<ColumnSet>,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let (rows, shipped, fill) = if args.kind == ExportKind::Summary {
        let asked = SummaryArgs { date: args.date.clone(), unit: args.unit.clone() };
        let (day, rows) = centre::summary_table(replica, &street, &asked)?;
        for (word, heading) in summary::ROWS {
            known.insert((*word).to_owned(), (*heading).to_owned());
        }
        (rows, ColumnSet::shipped(args.kind), ("date", day.to_string()))
    } else {
        let asked = ScoreArgs { period: args.period.clone(), unit: args.unit.clone() };
        let (title, items, rows) = centre::score_table(replica, &street, &asked)?;
        known.extend(items.iter().cloned());
        (rows, ColumnSet::shipped(args.kind).with_items(&items), ("period", title))
    };
    for row in &rows {
        for field in row.keys() {
            known.entry(field.clone()).or_insert_with(|| field.clone());
        }
    }
    let columns = columns.unwrap_or(shipped);
    let scope = args.unit.as_deref().map(|unit| street.unit(unit)).transpose()?;
    columns.table(args.kind, &[], &known, &[], Vec::new())?;
    let stamp = stamp(replica, args.kind, scope.as_ref(), rows.len(), args.unmask.as_deref())?;
    let unit = scope.map_or_else(|| street.street_name.clone(), |unit| street.unit_name(&unit));
    let fill = [("street", street.street_name.as_str()), ("unit", unit.as_str()), (fill.0, fill.1.as_str())];
    let table = columns.table(args.kind, &rows, &known, &fill, stamp.footer)?;
    progress.step(Word::Writing.zh(), 0, 1);
    write_table(&args.file, &table)?;
    progress.step(Word::Writing.zh(), 1, 1);
    let (file, number) = (args.file.display().to_string(), stamp.number);
    Ok(Answer {
        json: json!({ "file": file, "rows": rows.len(), "number": number }),
        text: Message::Exported { file: &file, rows: rows.len(), conflicts: 0, number: &number }.line(),
    })
}
