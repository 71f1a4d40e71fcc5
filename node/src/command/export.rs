//! Writing a ledger that an office hands upward: who exported it, when and how much stands below it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;

use wangge_ledger::{Column, PlaceRow, ResidentRow, Table, place_table, resident_table, write_table};
use wangge_model::audit::{Entry, What};
use wangge_model::checks::Sex;
use wangge_model::document::{DocumentView, Scalar};
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::case::{newest_first, reported_ms};
use super::edits::resident_kind;
use super::import::LICENCE_NUMBER;
use super::shown::Sight;
use super::units::Units;
use super::workers::Workers;
use super::{Answer, CommandError, Progress, instant, shown};
use crate::replica::Replica;
use crate::text::{CASE_HEADINGS, Message, Word, veil};

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
    /// Cases.
    Cases,
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
    let units = Units::load(replica)?;
    let scopes = match &args.unit {
        Some(unit) => vec![units.named(unit)?.scope],
        None => replica.scopes(),
    };
    let street = replica.profile().grant().map_or_else(String::new, |grant| grant.street_name.clone());
    let (kind, title) = match args.kind {
        ExportKind::People => (Kind::PERSON, Word::People),
        ExportKind::Places => (Kind::PLACE, Word::Places),
        ExportKind::Cases => (Kind::CASE, Word::Cases),
    };
    let title = format!("{street}{}", title.zh());
    let mut records = match args.kind {
        ExportKind::Cases => newest_first(replica, &scopes)?,
        ExportKind::People | ExportKind::Places => registered(replica, kind, &scopes, progress)?,
    };
    let rows = records.len();
    let scope = args.unit.as_ref().and(scopes.first());
    let Stamp { number, sight, footer } = stamp(replica, args.kind, scope, rows, args.unmask.as_deref())?;
    let table = match args.kind {
        ExportKind::People => {
            let rows: Vec<ResidentRow> =
                records.iter().map(|(scope, view)| resident(&units, scope, view, sight)).collect();
            resident_table(&title, &rows, footer)
        }
        ExportKind::Places => {
            let rows: Vec<PlaceRow> =
                records.iter().map(|(scope, view)| place(&units, scope, view, sight)).collect();
            place_table(&title, &rows, footer)
        }
        ExportKind::Cases => {
            records.reverse();
            case_table(&units, &Workers::load(replica)?, title, &records, footer)
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

type MakeColumn = fn(&str, f64) -> Column;

/// How the columns of the ledger of cases are stored, and how wide they are.
const COLUMNS: [(MakeColumn, f64); 10] = [
    (Column::number, 6.0),
    (Column::text, 18.0),
    (Column::text, 16.0),
    (Column::text, 12.0),
    (Column::text, 6.0),
    (Column::text, 10.0),
    (Column::text, 40.0),
    (Column::text, 10.0),
    (Column::date, 12.0),
    (Column::text, 60.0),
];

fn case_table(
    units: &Units,
    workers: &Workers,
    title: String,
    records: &[(Scope, DocumentView)],
    footer: Vec<String>,
) -> Table {
    let rows = records
        .iter()
        .enumerate()
        .map(|(index, (scope, view))| {
            let events = view.histories.get("events").map(Vec::as_slice).unwrap_or_default();
            let reporter = events.first().map(|event| workers.name(&event.worker)).unwrap_or_default();
            let told: Vec<String> = events.iter().map(|event| shown::event_text(workers, event)).collect();
            let course: String = told.join("\n").chars().take(CELL_CHARS_MAX).collect();
            vec![
                (index + 1).to_string(),
                view.text("number"),
                unit_name(units, scope, view),
                view.text("category"),
                view.text("level"),
                view.text("source"),
                veil(&view.text("text")),
                reporter,
                instant::day(reported_ms(view)),
                course,
            ]
        })
        .collect();
    Table {
        title,
        sheet: Word::Cases.zh().to_owned(),
        columns: CASE_HEADINGS
            .iter()
            .zip(COLUMNS)
            .map(|(heading, (column, width))| column(heading, width))
            .collect(),
        rows,
        footer,
    }
}
