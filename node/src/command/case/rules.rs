//! The rules of cases as data: shown, and published anew by the centre.

use serde_json::{Map, Value, json};

use wangge_model::case::{Rules, RulesError};
use wangge_model::deadline::Calendar;
use wangge_model::document::{Scalar, VALUE_LEN_BYTES_MAX};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;

use super::args::{RulesCommand, SetRulesArgs};
use super::field;
use super::office::{Office, PARTS};
use crate::command::{Answer, CommandError, FormError, file};
use crate::replica::{Edit, Replica};
use crate::text::{CaseText, Message, RulesReason};

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
        text.push(format!("  {}", Message::Case(CaseText::RulesLine(line)).zh()));
    }
    for row in &rules.deadlines {
        let line = (row.category != "*").then(|| rules.category_name(&row.category));
        text.push(format!("  {}", Message::Case(CaseText::RulesDeadline { line, row }).zh()));
    }
    Ok(Answer { json, text: text.join("\n") })
}

fn set(office: &Office<'_>, args: &SetRulesArgs) -> Result<Answer, CommandError> {
    let path = args.file.as_path();
    let posts = office.posts()?;
    let access = Kind::CASE_RULES.spec().map(|spec| spec.access.writers).unwrap_or_default();
    if !posts.iter().any(|post| access.contains(&post.role)) {
        return Err(CommandError::failed("role", &Message::Case(CaseText::RulesRole)).on("role"));
    }
    let refused = |reason: RulesReason<'_>| {
        CommandError::failed("rules", &Message::Case(CaseText::RulesRefused { reason })).about(path)
    };
    let ill_formed = |error: FormError| {
        let refusal = refused(RulesReason::Form(&error));
        refusal.on(error.field().unwrap_or("file"))
    };
    let unsound = |error: RulesError| refused(RulesReason::Rules(&error)).on(error.field());
    let text = file::read_text(path, FILE_LEN_BYTES_MAX)?;
    let Value::Object(typed) = file::json(&text).map_err(ill_formed)? else {
        return Err(ill_formed(FormError::NotAnObject));
    };
    // What the file leaves out stays as it is.
    let mut merged = match whole(office.book.latest(), office.book.calendar()) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    merged.extend(typed.into_iter().filter(|(key, _)| !["version", "name"].contains(&key.as_str())));
    let calendar = merged.remove("calendar").unwrap_or_default();
    let calendar: Calendar = file::of_form(calendar).map_err(|error| ill_formed(error.within("calendar")))?;
    calendar.check().map_err(|error| unsound(error.into()))?;
    let rules: Rules = file::of_form(Value::Object(merged)).map_err(ill_formed)?;
    rules.check().map_err(unsound)?;

    let version = office.book.number() + 1;
    let mut ops = vec![
        field("version", Scalar::Int(i64::try_from(version).unwrap_or(i64::MAX))),
        field("calendar", serde_json::to_string(&calendar).unwrap_or_default()),
    ];
    if let Some(approver) = &args.approver {
        ops.push(field("approver", super::said("approver", approver)?));
    }
    let Value::Object(members) = serde_json::to_value(&rules).unwrap_or_default() else {
        return Err(ill_formed(FormError::NotAnObject));
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
        if text.len() > VALUE_LEN_BYTES_MAX {
            let (len_bytes, max_bytes) = (text.len(), VALUE_LEN_BYTES_MAX);
            return Err(refused(RulesReason::Part { part, len_bytes, max_bytes }).on(part));
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
