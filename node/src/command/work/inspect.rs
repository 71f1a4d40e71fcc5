//! Inspections: all answers at once, complete, and never changed afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use wangge_model::checks::CheckError;
use wangge_model::identity::DocId;
use wangge_model::schema::Kind;
use wangge_model::work::checklist::{Checklist, ChecklistError};
use wangge_model::work::draft::{self, Said, event_op, field_op};
use wangge_model::work::{RecordSpec, of_kind};

use super::line::WorkCommand;
use super::shown::Seen;
use super::street::Street;
use super::{Draft, checklist, resolve};
use crate::command::photo::Pictures;
use crate::command::{Answer, CommandError, file};
use crate::replica::{Edit, Replica};
use crate::text::{Message, WorkText};

/// Longest file of answers, in bytes.
const ANSWERS_LEN_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn submit(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let actor = street.actor()?;
    draft::check_role(spec, spec.opens, actor.role)?;
    let Some(typed) = command.get("checklist") else {
        return Err(CommandError::usage("checklist-missing", &Message::Work(WorkText::ChecklistMissing)));
    };
    let checklist = checklist::named(replica, typed)?;
    let (mut given, mut comments) = (BTreeMap::new(), BTreeMap::new());
    if let Some(path) = command.get("answers") {
        from_file(path, &mut given, &mut comments)?;
    }
    pairs(command.all("answer"), &mut given)?;
    pairs(command.all("comment"), &mut comments)?;
    for code in comments.keys() {
        if checklist.item(code).is_none() {
            given.entry(code.clone()).or_default();
        }
    }
    let answered = checklist.answered(&given).map_err(about_item)?;
    agree(command.all("answer"), &checklist)?;

    let pictures = Pictures::read(command.all(super::line::PHOTO))?;
    let Draft { scope, doc, mut ops } = super::draft(replica, street, spec, command)?;
    // The event that makes it carries the answers.
    ops.pop();
    ops.push(field_op("checklist", checklist.code.as_str()));
    ops.push(field_op("version", checklist.version.to_string()));
    let mut hazards = Vec::new();
    let mut edits = Vec::new();
    if command.has("open-hazards") {
        let hazard_spec =
            of_kind(Kind::HAZARD).ok_or_else(|| CommandError::usage("bad-usage", &Message::BadUsage))?;
        for code in &answered.failing {
            let Some(item) = checklist.item(code) else { continue };
            let mut said = Said::new();
            let comment = comments.get(code).map(|text: &String| format!(":{text}")).unwrap_or_default();
            said.insert("text".to_owned(), format!("{} 不合格:{}{comment}", checklist.title, item.text));
            said.insert("kind".to_owned(), checklist.hazard_of(item).to_owned());
            said.insert("source".to_owned(), format!("{} {doc}", spec.label));
            for name in ["place", "person", "address", "due"] {
                if let Some(typed) = command.get(name) {
                    said.insert(name.to_owned(), typed.to_owned());
                }
            }
            for op in &ops {
                // Places and people as they were looked up.
                if let wangge_model::document::Target::Field(name) = &op.target
                    && ["place", "person"].contains(&name.as_str())
                    && let Some(value) = &op.value
                {
                    said.insert(name.clone(), value.to_text());
                }
            }
            let id = DocId(replica.random()?);
            let ops = draft::open(hazard_spec, &actor, &said, &street.entries())?;
            edits.push(Edit { doc: id, kind: Kind::HAZARD, ops });
            hazards.push(Value::from(id.to_string()));
        }
    }
    let mut told = Map::new();
    told.insert("answers".to_owned(), json!(answered.answers));
    told.insert("failing".to_owned(), json!(answered.failing));
    if !comments.is_empty() {
        told.insert("comments".to_owned(), json!(comments));
    }
    if !hazards.is_empty() {
        told.insert("hazards".to_owned(), hazards.into());
    }
    let mut event = event_op(&actor, spec.opens, told)?;
    pictures.put_into(&mut event);
    ops.push(event);
    edits.insert(0, Edit { doc, kind: spec.kind, ops });
    // One transaction takes 64 documents; a checklist may fail in more places.
    let mut parts = edits.chunks(60);
    if let Some(first) = parts.next() {
        pictures.commit(replica, &scope, doc, first.to_vec(), at_ms)?;
    }
    for part in parts {
        replica.commit(&scope, part.to_vec(), at_ms)?;
    }
    let mut answer = super::answer(replica, street, spec, &scope, &doc, spec.opens)?;
    results(&mut answer.json, &checklist);
    Ok(answer)
}

/// Whether answers to one item say the same. Each was read before.
fn agree(typed: &[String], checklist: &Checklist) -> Result<(), CommandError> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for typed in typed {
        let mut one = BTreeMap::new();
        pairs(std::slice::from_ref(typed), &mut one)?;
        for (code, second) in one {
            let Some(first) = all.insert(code.clone(), second.clone()) else { continue };
            if checklist.item(&code).is_some_and(|item| !item.is_same(&first, &second)) {
                return Err(about_item(ChecklistError::Twice { code, first, second }));
            }
        }
    }
    Ok(())
}

/// What is wrong with the answers, naming the item.
fn about_item(error: ChecklistError) -> CommandError {
    let item = error.item().map(str::to_owned);
    let error = CommandError::from(CheckError::from(error));
    match item {
        Some(item) => error.on(&item),
        None => error,
    }
}

/// `ITEM=answer` …
fn pairs(typed: &[String], into: &mut BTreeMap<String, String>) -> Result<(), CommandError> {
    for typed in typed {
        let Some((code, value)) = typed.split_once(['=', '＝']) else {
            let typed = crate::text::scrub(typed);
            return Err(CommandError::usage("no-equals-sign", &Message::NoEqualsSign { typed: &typed }));
        };
        into.insert(code.trim().to_owned(), value.trim().to_owned());
    }
    Ok(())
}

/// `{ "item": "answer" }`, or `{ "answers": {…}, "comments": {…} }`.
fn from_file(
    path: &str,
    answers: &mut BTreeMap<String, String>,
    comments: &mut BTreeMap<String, String>,
) -> Result<(), CommandError> {
    let text = file::read_text(Path::new(path), ANSWERS_LEN_BYTES_MAX)?;
    let bad =
        || CommandError::failed("answers-unreadable", &Message::Work(WorkText::AnswersUnreadable { path }));
    let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(&text) else { return Err(bad()) };
    let mut parts = vec![];
    if let Some(Value::Object(inner)) = object.remove("answers") {
        if let Some(Value::Object(inner)) = object.remove("comments") {
            parts.push((inner, false));
        }
        parts.push((inner, true));
    } else {
        parts.push((object, true));
    }
    for (part, is_answer) in parts {
        for (code, value) in part {
            let text = match value {
                Value::String(text) => text,
                Value::Bool(true) => "yes".to_owned(),
                Value::Bool(false) => "no".to_owned(),
                Value::Null => String::new(),
                _ => return Err(bad()),
            };
            if is_answer { &mut *answers } else { &mut *comments }.insert(code, text);
        }
    }
    Ok(())
}

/// Adds what was found to what programs read.
fn results(json: &mut Value, checklist: &Checklist) {
    let event = json["events"].as_array().and_then(|events| events.first()).cloned().unwrap_or_default();
    let failing = event["failing"].as_array().map_or(0, Vec::len);
    json["checklist"] =
        json!({ "code": checklist.code, "title": checklist.title, "version": checklist.version });
    json["result"] = if failing == 0 { "pass" } else { "fail" }.into();
    json["answers"] = event["answers"].clone();
    json["failing"] = event["failing"].clone();
    json["hazards"] = event["hazards"].clone();
}

pub(super) fn show(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let target = super::target(replica, spec, command)?;
    let seen = Seen::of(spec, target.scope, target.view);
    let mut answer = super::show(replica, street, spec, command)?;
    let version = seen.view.text("version").parse::<u32>().unwrap_or(0);
    let versions = checklist::versions(replica)?;
    let Some(checklist) = versions.get(&(seen.view.text("checklist"), version)) else { return Ok(answer) };
    results(&mut answer.json, checklist);
    let Some(first) = seen.record.told.first() else { return Ok(answer) };
    for (number, item) in (1..).zip(&checklist.items) {
        let part = |name: &str| first.said.get(name).and_then(|part| part.get(&item.code)?.as_str());
        let Some(given) = part("answers") else { continue };
        let comment = part("comments").map(|text| format!("  {text}")).unwrap_or_default();
        answer.text.push_str(&format!("\n  {number}. {}:{}{comment}", item.text, item.shown(given)));
    }
    Ok(answer)
}
