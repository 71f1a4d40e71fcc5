//! The rules of cases as data: shown, and published anew by the centre.

use serde_json::{Map, Value, json};

use wangge_model::case::Rules;
use wangge_model::deadline::Calendar;
use wangge_model::document::Scalar;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;

use super::args::{RulesCommand, SetRulesArgs};
use super::field;
use super::office::{Office, PARTS};
use crate::command::{Answer, CommandError};
use crate::replica::{Edit, Replica};
use crate::text::{CaseText, Message};

/// Longest file of rules, in bytes.
const FILE_LEN_BYTES_MAX: u64 = 256 * 1024;

/// Which members of the rules go into which part.
const IN_CATEGORIES: [&str; 3] = ["categories", "minor_levels", "note"];
const IN_MERGING: [&str; 1] = ["merging"];

pub(super) fn execute(replica: &Replica, command: &RulesCommand) -> Result<Answer, CommandError> {
    let office = Office::load(replica)?;
    match command {
        RulesCommand::Show => show(&office),
        RulesCommand::Set(args) => set(&office, args),
    }
}

fn whole(rules: &Rules, calendar: &Calendar) -> Value {
    let mut whole = serde_json::to_value(rules).unwrap_or_default();
    whole["calendar"] = serde_json::to_value(calendar).unwrap_or_default();
    whole
}

fn show(office: &Office<'_>) -> Result<Answer, CommandError> {
    let rules = office.book.latest();
    let mut json = whole(rules, office.book.calendar());
    let version = office.book.number();
    json["version"] = version.into();
    json["name"] = office.book.latest_name().into();
    let lines = rules.categories.len();
    let mut text = vec![Message::Case(CaseText::Rules { version, lines }).line()];
    for line in &rules.categories {
        text.push(format!("  {}  {}  轻微类:{}", line.code, line.name, line.minor.join("、")));
    }
    for row in &rules.deadlines {
        let allowances = row.allowances();
        let times: Vec<String> = allowances
            .iter()
            .map(|(name, allowance)| format!("{name} {} {:?}", allowance.n, allowance.unit))
            .collect();
        let category = if row.category == "*" { "*" } else { rules.category_name(&row.category) };
        text.push(format!("  {category} 级别 {}:{}", row.level, times.join(",")));
    }
    Ok(Answer { json, text: text.join("\n") })
}

fn set(office: &Office<'_>, args: &SetRulesArgs) -> Result<Answer, CommandError> {
    let file = args.file.as_path();
    let posts = office.posts()?;
    let access = Kind::CASE_RULES.spec().map(|spec| spec.access.writers).unwrap_or_default();
    if !posts.iter().any(|post| access.contains(&post.role)) {
        return Err(CommandError::failed("role", &Message::Case(CaseText::RulesRole)));
    }
    let refused = |reason: String| {
        CommandError::failed("rules", &Message::Case(CaseText::RulesRefused { reason: &reason })).about(file)
    };
    let len_bytes = std::fs::metadata(file).map_err(|e| refused(e.to_string()))?.len();
    if len_bytes > FILE_LEN_BYTES_MAX {
        return Err(refused(format!("{len_bytes} bytes; the limit is {FILE_LEN_BYTES_MAX}")));
    }
    let bytes = std::fs::read(file).map_err(|e| refused(e.to_string()))?;
    let typed: Value = serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?;
    let Value::Object(typed) = typed else { return Err(refused("it is no JSON object".to_owned())) };
    // What the file leaves out stays as it is.
    let mut merged = match whole(office.book.latest(), office.book.calendar()) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    merged.extend(typed.into_iter().filter(|(key, _)| !["version", "name"].contains(&key.as_str())));
    let calendar = merged.remove("calendar").unwrap_or_default();
    let calendar: Calendar =
        serde_json::from_value(calendar).map_err(|e| refused(format!("calendar: {e}")))?;
    calendar.check().map_err(|e| refused(e.to_string()))?;
    let rules: Rules = serde_json::from_value(Value::Object(merged)).map_err(|e| refused(e.to_string()))?;
    rules.check().map_err(|e| refused(e.to_string()))?;

    let version = office.book.number() + 1;
    let mut ops = vec![
        field("version", Scalar::Int(i64::try_from(version).unwrap_or(i64::MAX))),
        field("calendar", serde_json::to_string(&calendar).unwrap_or_default()),
    ];
    if let Some(approver) = &args.approver {
        ops.push(field("approver", super::said(approver)?));
    }
    let Value::Object(members) = serde_json::to_value(&rules).unwrap_or_default() else {
        return Err(refused("it is no JSON object".to_owned()));
    };
    for part in PARTS {
        let belongs = |key: &str| match part {
            "categories" => IN_CATEGORIES.contains(&key),
            "merging" => IN_MERGING.contains(&key),
            _ => !IN_CATEGORIES.contains(&key) && !IN_MERGING.contains(&key),
        };
        let members: Map<String, Value> =
            members.iter().filter(|(key, _)| belongs(key)).map(|(key, v)| (key.clone(), v.clone())).collect();
        let text = Value::Object(members).to_string();
        if text.len() > wangge_model::document::VALUE_LEN_BYTES_MAX {
            return Err(refused(format!("{part}: {} bytes, too many", text.len())));
        }
        ops.push(field(part, text));
    }
    let doc = DocId(office.replica.random()?);
    office.replica.commit(
        &Scope::Street,
        vec![Edit { doc, kind: Kind::CASE_RULES, ops }],
        args.when.ms(office.replica)?,
    )?;
    Ok(Answer {
        json: json!({ "version": version, "name": doc.to_string() }),
        text: Message::Case(CaseText::RulesSet { version }).line(),
    })
}
