//! Code tables: what a field may say. The centre sets them; everybody reads them, without a network.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::codes::{RETIRED, Table, read_table};
use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::{Answer, CommandError, file, instant, units};
use crate::command::instant::When;
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, RegisterMessage};

/// Longest file that is read as a table, in bytes.
const FILE_LEN_BYTES_MAX: u64 = 1024 * 1024;
/// Codes in one transaction.
const CODES_TOGETHER_MAX: usize = 200;

/// What can be done with code tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum CodesCommand {
    /// Lists them.
    List,
    /// Shows one.
    Show(ShowTableArgs),
    /// Sets one.
    Set(SetTableArgs),
}

/// Which table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ShowTableArgs {
    /// Its name.
    pub table: String,
}

/// What to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SetTableArgs {
    /// Its name.
    pub table: String,
    /// The file: lines `CODE,LABEL`, or JSON.
    pub file: PathBuf,
    /// What it is called.
    #[arg(long)]
    pub label: Option<String>,
    /// Where it is from.
    #[arg(long)]
    pub source: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

pub(super) fn execute(replica: &Replica, command: &CodesCommand) -> Result<Answer, CommandError> {
    match command {
        CodesCommand::List => list(replica),
        CodesCommand::Show(args) => show(replica, args),
        CodesCommand::Set(args) => set(replica, args),
    }
}

fn table_json(table: &Table) -> Value {
    json!({
        "table": table.name,
        "label": table.label,
        "source": table.source,
        "version": table.version,
        "codes": table.codes,
        "retired": table.retired,
    })
}

fn list(replica: &Replica) -> Result<Answer, CommandError> {
    let codes = units::codes(replica)?;
    let line = |table: &Table| {
        let Table { name, label, source, version, codes, .. } = table;
        format!("{name}  {label}  {}  {source}  {version}", codes.len())
    };
    let json = codes
        .tables()
        .map(|table| {
            let mut json = table_json(table);
            json["codes"] = table.codes.len().into();
            json
        })
        .collect();
    Ok(Answer { json, text: codes.tables().map(line).collect::<Vec<_>>().join("\n") })
}

fn show(replica: &Replica, args: &ShowTableArgs) -> Result<Answer, CommandError> {
    let codes = units::codes(replica)?;
    let Some(table) = codes.table(args.table.trim()) else {
        let names: Vec<String> =
            codes.tables().map(|table| format!("{} {}", table.name, table.label)).collect();
        let message = RegisterMessage::TableUnknown { typed: &args.table, tables: &names.join("、") };
        return Err(CommandError::failed("table-unknown", &Message::Register(message)));
    };
    let mut lines = vec![format!("{} {}  {}  {}", table.name, table.label, table.source, table.version)];
    lines.extend(table.codes.iter().map(|(code, label)| format!("  {code}  {label}")));
    let retired = Message::Register(RegisterMessage::CodeRetired).zh();
    lines.extend(table.retired.iter().map(|(code, label)| format!("  {code}  {label} ({retired})")));
    Ok(Answer { json: table_json(table), text: lines.join("\n") })
}

/// The version of a day; the second of the same day is `2026-12-01.2`.
fn next_version(day: &str, known: &str) -> String {
    let of_today =
        known.strip_prefix(day).map(|rest| rest.strip_prefix('.').and_then(|n| n.parse().ok()).unwrap_or(1));
    of_today.map_or_else(|| day.to_owned(), |n: u32| format!("{day}.{}", n.saturating_add(1)))
}

fn set(replica: &Replica, args: &SetTableArgs) -> Result<Answer, CommandError> {
    let codes = units::codes(replica)?;
    let name = args.table.trim();
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if name.is_empty() || name.len() > 40 || !plain {
        let names: Vec<String> = codes.tables().map(|table| table.name.clone()).collect();
        let message = RegisterMessage::TableUnknown { typed: name, tables: &names.join("、") };
        return Err(CommandError::usage("table-unknown", &Message::Register(message)));
    }
    let read = read_table(&file::read(&args.file, FILE_LEN_BYTES_MAX)?).map_err(|error| CommandError {
        message: error.to_string(),
        ..CommandError::failed("table-unreadable", &Message::TextMissing)
    })?;
    let known = codes.table(name);
    let field = |field: &str, value: &str| Op {
        target: Target::Field(field.to_owned()),
        value: Some(Scalar::from(value)),
    };
    let entry = |code: &str, label: Option<&str>| Op {
        target: Target::Entry { container: "codes".to_owned(), key: code.to_owned() },
        value: label.map(Scalar::from),
    };
    let secret = replica.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
    let doc = secret.natural_id(Kind::CODES, name, 0);
    let version = next_version(&instant::day(replica.now_ms()), known.map_or("", |table| &table.version));
    let label = args.label.as_deref().or(known.map(|t| t.label.as_str())).unwrap_or(name);
    let source = args.source.as_deref().or(known.map(|t| t.source.as_str())).unwrap_or_default();
    let mut ops = vec![
        field("table", name),
        field("label", label),
        field("source", source),
        field("version", &version),
    ];
    let there = replica.get(&Scope::Street, Kind::CODES, &doc)?;
    let there = there.as_ref().and_then(|view| view.sets.get("codes"));
    let stands = |key: &str| there.is_some_and(|entries| entries.contains_key(key));
    let retired = |code: &str| format!("{RETIRED}{code}");
    for (code, label) in known.into_iter().flat_map(|table| &table.codes) {
        if !read.contains_key(code) {
            ops.push(entry(&retired(code), Some(label)));
            ops.extend(stands(code).then(|| entry(code, None)));
        }
    }
    ops.extend(read.keys().map(|code| retired(code)).filter(|key| stands(key)).map(|key| entry(&key, None)));
    ops.extend(read.iter().map(|(code, label)| entry(code, Some(label))));
    let at_ms = args.when.ms(replica)?;
    for part in ops.chunks(CODES_TOGETHER_MAX) {
        let edit = Edit { doc, kind: Kind::CODES, ops: part.to_vec() };
        replica.commit(&Scope::Street, vec![edit], at_ms)?;
    }
    let message = RegisterMessage::TableSet { table: name, count: read.len(), version: &version };
    Ok(Answer {
        json: json!({ "table": name, "codes": read.len(), "version": version }),
        text: Message::Register(message).line(),
    })
}
