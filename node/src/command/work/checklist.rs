//! Checklists in use: those that ship, unless the centre has replaced them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use wangge_model::checks::CheckError;
use wangge_model::document::VALUE_LEN_BYTES_MAX;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;
use wangge_model::work::checklist::{Answering, Checklist, ChecklistError};
use wangge_model::work::draft::{event_op, field_op};

use super::line::WorkCommand;
use super::street::Street;
use crate::command::{Answer, CommandError, file};
use crate::replica::{Edit, Replica};
use crate::text::{Message, WorkText};

pub(super) fn execute(
    replica: &Replica,
    street: &Street,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    match command.verb.as_str() {
        "list" => list(replica),
        "show" => show(replica, command),
        "set" => set(replica, street, command),
        _ => Err(CommandError::usage("bad-usage", &Message::BadUsage)),
    }
}

/// Every version of every checklist that is known here, by code and version.
pub(super) fn versions(replica: &Replica) -> Result<BTreeMap<(String, u32), Checklist>, CommandError> {
    let mut versions: BTreeMap<(String, u32), Checklist> = Checklist::shipped()
        .into_iter()
        .map(|checklist| ((checklist.code.clone(), checklist.version), checklist))
        .collect();
    replica.each(&Scope::Street, Kind::CHECKLIST, |view| {
        if let Ok(checklist) = Checklist::parse(&view.text("text")) {
            versions.insert((checklist.code.clone(), checklist.version), checklist);
        }
        true
    })?;
    Ok(versions)
}

/// The version in use of each: the last one.
fn in_use(versions: BTreeMap<(String, u32), Checklist>) -> Vec<Checklist> {
    let latest: BTreeMap<String, Checklist> =
        versions.into_iter().map(|((code, _), checklist)| (code, checklist)).collect();
    latest.into_values().collect()
}

/// The checklist that `typed` means: a code or a title, in the version in use.
pub(super) fn named(replica: &Replica, typed: &str) -> Result<Checklist, CommandError> {
    let all = in_use(versions(replica)?);
    let typed = typed.trim();
    let same = |checklist: &&Checklist| checklist.code == typed || checklist.title == typed;
    if let Some(found) = all.iter().find(same) {
        return Ok(found.clone());
    }
    let mut partly = all.iter().filter(|checklist| !typed.is_empty() && checklist.title.contains(typed));
    match (partly.next(), partly.next()) {
        (Some(one), None) => Ok(one.clone()),
        _ => {
            let known: Vec<String> =
                all.iter().map(|checklist| format!("{} {}", checklist.code, checklist.title)).collect();
            let known = known.join("、");
            Err(CommandError::failed(
                "checklist-unknown",
                &Message::Work(WorkText::ChecklistUnknown { typed, known: &known }),
            ))
        }
    }
}

fn list(replica: &Replica) -> Result<Answer, CommandError> {
    let all = in_use(versions(replica)?);
    let lines: Vec<String> = all
        .iter()
        .map(|list| format!("{}  {}  v{}  {}", list.code, list.title, list.version, list.items.len()))
        .collect();
    let json = all
        .iter()
        .map(|list| json!({ "code": list.code, "title": list.title, "version": list.version, "items": list.items.len() }))
        .collect();
    Ok(Answer { json, text: lines.join("\n") })
}

fn show(replica: &Replica, command: &WorkCommand) -> Result<Answer, CommandError> {
    let mut found = named(replica, command.key.as_deref().unwrap_or_default())?;
    if let Some(version) = command.get("version") {
        let wanted = version.trim().parse::<u32>().ok();
        let versions = versions(replica)?;
        found = wanted.and_then(|version| versions.get(&(found.code.clone(), version)).cloned()).ok_or_else(
            || CommandError::failed("version-unknown", &Message::Work(WorkText::VersionUnknown { version })),
        )?;
    }
    let mut lines = vec![format!("{}  v{} ({})", found.title, found.version, found.code)];
    for (number, item) in (1..).zip(&found.items) {
        let how = match item.answer {
            Answering::YesNo => "是/否/不适用".to_owned(),
            Answering::Choice => item.choices.join("/"),
            Answering::Text => "文字".to_owned(),
        };
        let optional = if item.optional { ",可不填" } else { "" };
        lines.push(format!("  {number}. {}  [{}: {how}{optional}]", item.text, item.code));
    }
    Ok(Answer { json: serde_json::to_value(&found).unwrap_or(Value::Null), text: lines.join("\n") })
}

fn set(replica: &Replica, street: &Street, command: &WorkCommand) -> Result<Answer, CommandError> {
    let actor = street.actor()?;
    let spec = Kind::CHECKLIST.spec();
    let roles = spec.and_then(|spec| spec.access.event("add")).map_or(&[][..], |event| event.roles);
    if !roles.contains(&actor.role) {
        let text = WorkText::NotYours { who: roles, role: actor.role };
        return Err(CommandError::failed("role", &Message::Work(text)));
    }
    let at_ms = super::happened_at(replica, command.get("at"))?;
    let path = Path::new(command.key.as_deref().unwrap_or_default());
    let json = file::read_text(path, 4 * VALUE_LEN_BYTES_MAX as u64)?;
    file::json(&json).and_then(file::of_form::<Checklist>).map_err(|reason| {
        let shown = path.display().to_string();
        let message = Message::Work(WorkText::NotAChecklist { path: &shown, reason: &reason });
        CommandError::failed("not-a-checklist", &message).on(reason.field().unwrap_or("file"))
    })?;
    let mut checklist = Checklist::parse(&json).map_err(CheckError::from)?;
    let known = versions(replica)?;
    let last = known.keys().filter(|(code, _)| *code == checklist.code).map(|(_, version)| *version).max();
    let next = last.unwrap_or(0) + 1;
    // What `show --json` gave and somebody changed still bears the number of the version in use.
    let current = last.and_then(|last| known.get(&(checklist.code.clone(), last)));
    let changed = current.is_some_and(|now| now.version == checklist.version && *now != checklist);
    if checklist.version == 0 || changed {
        checklist.version = next;
    } else if checklist.version < next {
        return Err(CheckError::from(ChecklistError::NotNewer { found: checklist.version, next }).into());
    }
    let name = format!("{}@{}", checklist.code, checklist.version);
    let doc = replica
        .secret(&Scope::Street)
        .map(|secret| secret.natural_id(Kind::CHECKLIST, &name, 0))
        .ok_or_else(|| CommandError::failed("not-joined", &Message::NotJoined))?;
    let ops = vec![
        field_op("code", checklist.code.as_str()),
        field_op("title", checklist.title.as_str()),
        field_op("version", checklist.version.to_string()),
        field_op("text", checklist.to_json()),
        event_op(&actor, "add", serde_json::Map::new())?,
    ];
    replica.commit(&Scope::Street, vec![Edit { doc, kind: Kind::CHECKLIST, ops }], at_ms)?;
    let (title, version) = (checklist.title.as_str(), checklist.version.to_string());
    Ok(Answer {
        json: json!({ "code": checklist.code, "title": title, "version": checklist.version, "items": checklist.items.len() }),
        text: Message::Work(WorkText::ChecklistSet { title, version: &version }).line(),
    })
}
