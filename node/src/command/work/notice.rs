//! Notices (上传下达): one for a unit and all below it. Whoever reads one leaves a receipt in his own unit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use wangge_model::document::{DocumentView, Op, Scalar, Target as OpTarget};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::RecordSpec;
use wangge_model::work::copy::{ORIGINAL, id_in, record_of};
use wangge_model::work::draft::field_op;

use super::line::WorkCommand;
use super::shown::{self, Seen};
use super::street::Street;
use super::{Draft, event, resolve, target, writable};
use crate::command::key::Target;
use crate::command::{Answer, CommandError, instant};
use crate::replica::{Edit, Replica};
use crate::text::{Message, WorkText, role_zh};

/// The scopes that hold a notice to `unit`: its own, and below an area each grid's, as grids do not hold
/// their area's.
fn copies(street: &Street, unit: &Scope) -> Vec<Scope> {
    match unit {
        Scope::Area(_) => street.within(unit),
        unit => vec![unit.clone()],
    }
}

pub(super) fn add(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let actor = street.actor()?;
    let mut command = command.clone();
    // The unit that is to read it is where it lives.
    let unit = match command.get("scope").or(command.get("unit")) {
        Some(typed) => street.unit(typed)?,
        None if actor.role.is_centre() => Scope::Street,
        None => actor.unit.clone(),
    };
    command.said.insert("unit".to_owned(), vec![unit.to_string()]);
    command.said.insert("scope".to_owned(), vec![unit.to_string()]);
    let Draft { scope, doc, ops } = super::draft(replica, street, spec, &command)?;
    let scopes = copies(street, &scope);
    for scope in &scopes {
        writable(street, &actor, scope)?;
    }
    // The unit's own first: what breaks off then is seen there, and `add` again makes another notice.
    for copy in &scopes {
        let mut ops = ops.clone();
        if *copy != scope {
            ops.push(field_op(ORIGINAL, doc.to_string()));
        }
        let doc = id_in(&doc, &scope, copy);
        replica.commit(copy, vec![Edit { doc, kind: spec.kind, ops }], at_ms)?;
    }
    super::answer(replica, street, spec, &scope, &doc, spec.opens)
}

pub(super) fn withdraw(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let Target { scope, view } = target(replica, spec, command)?;
    let unit = view.text("scope").parse().unwrap_or_else(|_| scope.clone());
    let verb = spec.verb("withdraw").ok_or_else(|| CommandError::usage("bad-usage", &Message::BadUsage))?;
    let mut planned = Vec::new();
    for scope in copies(street, &unit).into_iter().filter(|scope| street.holds(scope)) {
        let doc = id_in(&record_of(&view), &unit, &scope);
        let Some(view) = replica.get(&scope, spec.kind, &doc)? else { continue };
        let target = Target { scope, view };
        let op = event(replica, street, spec, verb, command, &target)?;
        planned.push((target.scope, target.view.id, op));
    }
    if planned.is_empty() {
        // The copy that was found is of a unit beyond this one's.
        let op = event(
            replica,
            street,
            spec,
            verb,
            command,
            &Target { scope: scope.clone(), view: view.clone() },
        )?;
        planned.push((scope.clone(), view.id, op));
    }
    for (scope, doc, op) in planned {
        replica.commit(&scope, vec![Edit { doc, kind: spec.kind, ops: vec![op] }], at_ms)?;
    }
    super::answer(replica, street, spec, &scope, &view.id, "withdraw")
}

/// The receipts of a notice in one unit: one document, an entry a reader.
fn receipt_id(replica: &Replica, scope: &Scope, notice: &DocId) -> Option<DocId> {
    Some(replica.secret(scope)?.natural_id(Kind::RECEIPT, &notice.to_string(), 0))
}

pub(super) fn read(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let actor = street.actor()?;
    let Target { scope, view } = target(replica, spec, command)?;
    writable(street, &actor, &actor.unit)?;
    let notice = record_of(&view);
    if let Some(doc) = receipt_id(replica, &actor.unit, &notice) {
        let entry = OpTarget::Entry { container: "members".to_owned(), key: actor.worker.to_string() };
        let ops = vec![
            field_op("source", notice.to_string()),
            Op { target: entry, value: Some(Scalar::Bool(true)) },
        ];
        replica.commit(
            &actor.unit,
            vec![Edit { doc, kind: Kind::RECEIPT, ops }],
            resolve::happened_at(replica, command.get("at"))?,
        )?;
    }
    let mut answer = super::answer(replica, street, spec, &scope, &view.id, spec.opens)?;
    answer.json["read"] = true.into();
    answer.text = shown::text(replica, street, &Seen::of(spec, scope, view))?;
    Ok(answer)
}

/// Who has read a notice, and when, as far as this replica holds their units.
fn receipts(
    replica: &Replica,
    street: &Street,
    notice: &DocId,
) -> Result<BTreeMap<DocId, u64>, CommandError> {
    let mut read = BTreeMap::new();
    for scope in street.held() {
        let Some(doc) = receipt_id(replica, &scope, notice) else { continue };
        let Some(view) = replica.get(&scope, Kind::RECEIPT, &doc)? else { continue };
        for (worker, register) in view.sets.get("members").into_iter().flatten() {
            // Each can answer for himself alone.
            if let Ok(worker) = worker.parse::<DocId>()
                && register.shown.worker == worker
            {
                read.insert(worker, register.shown.wall_ms);
            }
        }
    }
    Ok(read)
}

fn has_read(replica: &Replica, street: &Street, notice: &DocId) -> Result<bool, CommandError> {
    let actor = street.actor()?;
    let Some(doc) = receipt_id(replica, &actor.unit, notice) else { return Ok(false) };
    let view: Option<DocumentView> = replica.get(&actor.unit, Kind::RECEIPT, &doc)?;
    let members = view.as_ref().and_then(|view| view.sets.get("members"));
    Ok(members.is_some_and(|members| members.contains_key(&actor.worker.to_string())))
}

pub(super) fn readers(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let Target { scope, view } = target(replica, spec, command)?;
    let unit: Scope = view.text("scope").parse().unwrap_or(scope);
    let units: BTreeSet<Scope> = street.within(&unit).into_iter().collect();
    let notice = record_of(&view);
    let receipts = receipts(replica, street, &notice)?;
    let (mut read, mut unread, mut beyond) = (Vec::new(), Vec::new(), 0_usize);
    let mut lines = Vec::new();
    for (worker, person) in street.people() {
        let post = person.posts.iter().find(|(_, unit)| units.contains(unit));
        let at = receipts.get(worker);
        let Some((role, unit)) = post else { continue };
        if !person.active && at.is_none() {
            continue;
        }
        let mut entry = json!({
            "worker": person.name, "id": worker.to_string(), "role": role.name(), "unit": unit.to_string(),
            "unit_name": street.unit_name(unit),
        });
        let who = format!("{} {} {}", person.name, role_zh(*role), street.unit_name(unit));
        match at {
            Some(at) => {
                entry["at"] = instant::rfc3339(*at).into();
                lines.push(format!("  ✓ {who}  {}", instant::short(*at)));
                read.push(entry);
            }
            None if !street.holds(unit) => beyond += 1,
            None => {
                lines.push(format!("  – {who}"));
                unread.push(entry);
            }
        }
    }
    let (done, left) = (read.len(), unread.len());
    lines.insert(0, Message::Work(WorkText::Readers { read: done, unread: left, beyond }).line());
    Ok(Answer {
        json: json!({ "id": notice.to_string(), "read": read, "unread": unread, "not_visible": beyond }),
        text: lines.join("\n"),
    })
}

pub(super) fn list(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let mut answer = super::list(replica, street, spec, command)?;
    let Value::Array(entries) = &mut answer.json else { return Ok(answer) };
    let mut unread = BTreeSet::new();
    for entry in entries.iter_mut() {
        let id = entry["id"].as_str().unwrap_or_default().to_owned();
        let read = match id.parse() {
            Ok(notice) => has_read(replica, street, &notice)?,
            Err(_) => false,
        };
        entry["read"] = read.into();
        if !read {
            unread.insert(id.chars().take(8).collect::<String>());
        }
    }
    if command.has("unread") {
        entries.retain(|entry| entry["read"] == false);
        let is_unread = |line: &&str| unread.iter().any(|id| line.contains(id.as_str()));
        let lines: Vec<&str> = answer.text.lines().filter(is_unread).collect();
        answer.text = lines.join("\n");
    }
    answer.text.push_str(&format!("\n{}", Message::Work(WorkText::Unread { count: unread.len() }).line()));
    Ok(answer)
}
