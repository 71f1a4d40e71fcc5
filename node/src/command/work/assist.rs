//! Requests between units that do not hold each other's records: a copy in each, carried over and back by an
//! area or the centre, which hold both (art. 12, 26).

use serde_json::Map;

use wangge_model::document::Op;
use wangge_model::identity::Scope;
use wangge_model::work::copy::{ORIGINAL, id_in, record_of};
use wangge_model::work::draft::{act, check_role, event_op, field_op};
use wangge_model::work::{RecordSpec, Told, fold};

use super::line::WorkCommand;
use super::street::Street;
use super::{Draft, resolve, target, writable};
use crate::command::key::Target;
use crate::command::{Answer, CommandError};
use crate::replica::{Edit, Replica};
use crate::text::{Message, WorkText};

pub(super) fn add(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let Draft { scope, doc, mut ops } = super::draft(replica, street, spec, command)?;
    ops.push(field_op("scope", scope.to_string()));
    let edit = Edit { doc, kind: spec.kind, ops };
    replica.commit(&scope, vec![edit], at_ms)?;
    // Who holds both carries it over at once.
    let asked = replica.get(&scope, spec.kind, &doc)?;
    let asked = asked.and_then(|view| view.text("assignee").parse::<Scope>().ok());
    let Some(asked) = asked.filter(|asked| *asked != scope) else {
        return super::answer(replica, street, spec, &scope, &doc, spec.opens);
    };
    let actor = street.actor()?;
    if check_role(spec, "route", actor.role).is_ok() && writable(street, &actor, &asked).is_ok() {
        carry_over(replica, street, spec, &scope, &asked, &doc, None)?;
        return super::answer(replica, street, spec, &scope, &doc, spec.opens);
    }
    let mut answer = super::answer(replica, street, spec, &scope, &doc, spec.opens)?;
    let waits = Message::Work(WorkText::AssistWaits).line();
    answer.text.push_str(&format!("\n{waits}"));
    Ok(answer)
}

/// Makes the copy in the unit that is asked.
fn carry_over(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    from: &Scope,
    to: &Scope,
    doc: &wangge_model::identity::DocId,
    note: Option<&str>,
) -> Result<(), CommandError> {
    let actor = street.actor()?;
    let Some(view) = replica.get(from, spec.kind, doc)? else { return Ok(()) };
    let mut ops: Vec<Op> =
        view.fields.iter().map(|(name, register)| field_op(name, register.shown.value.clone())).collect();
    // The copy begins with the request, in the name of whom it came from.
    let record = fold::fold(spec, &view);
    let mut told = Map::new();
    if let Some(author) = record.author {
        told.insert("worker".to_owned(), author.to_string().into());
    }
    ops.push(field_op(ORIGINAL, doc.to_string()));
    ops.push(event_op(&actor, spec.opens, told)?);
    let copy = id_in(doc, from, to);
    replica.commit(to, vec![Edit { doc: copy, kind: spec.kind, ops }], Some(record.made_ms))?;
    let mut told = Map::new();
    if let Some(text) = note {
        told.insert(
            "text".to_owned(),
            wangge_model::work::draft::paragraphs(wangge_model::work::draft::TEXT, text)?.into(),
        );
    }
    let route = event_op(&actor, "route", told)?;
    replica.commit(from, vec![Edit { doc: *doc, kind: spec.kind, ops: vec![route] }], None)?;
    Ok(())
}

pub(super) fn route(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let actor = street.actor()?;
    check_role(spec, "route", actor.role)?;
    let found = target(replica, spec, command)?;
    let internal = || CommandError::usage("bad-usage", &Message::BadUsage);
    let doc = record_of(&found.view);
    let from: Scope = found.view.text("scope").parse().map_err(|_| internal())?;
    let to: Scope = found.view.text("assignee").parse().map_err(|_| internal())?;
    // Teams are reached through the centre alone (art. 12).
    if matches!(to, Scope::Team(_)) && !actor.role.is_centre() {
        return Err(CommandError::failed("role", &Message::Work(WorkText::TeamsThroughTheCentre)));
    }
    for unit in [&from, &to] {
        writable(street, &actor, unit)?;
    }
    let asking = replica.get(&from, spec.kind, &doc)?.ok_or_else(internal)?;
    let Some(asked) = replica.get(&to, spec.kind, &id_in(&doc, &from, &to))? else {
        carry_over(replica, street, spec, &from, &to, &doc, command.get("text"))?;
        return super::answer(replica, street, spec, &from, &doc, "route");
    };
    let (here, there) = (fold::fold(spec, &asking), fold::fold(spec, &asked));
    if here.state == there.state {
        return Err(CommandError::failed(
            "nothing-to-route",
            &Message::Work(WorkText::NothingToRoute { state: here.state }),
        ));
    }
    let (scope, view, record, verb, of): (_, _, _, _, Option<&Told>) = if here.state.name == "withdrawn" {
        (&to, &asked, &there, "withdraw", last(&here.told, "withdraw"))
    } else {
        let kind = match there.state.name {
            "accepted" => "accept",
            "refused" => "refuse",
            _ => "complete",
        };
        (&from, &asking, &here, "pass-back", last(&there.told, kind))
    };
    let mut said = wangge_model::work::draft::Said::new();
    if let Some(told) = of {
        for name in ["text", "reason"] {
            if let Some(text) = told.text(name) {
                said.insert(name.to_owned(), text.to_owned());
            }
        }
        if verb == "pass-back" {
            said.insert("worker".to_owned(), told.worker.to_string());
            said.insert("result".to_owned(), there.state.name.to_owned());
        }
    }
    let verb = spec.verb(verb).ok_or_else(internal)?;
    let op = act(spec, view, record, &actor, verb, &said, &street.entries())?;
    replica.commit(scope, vec![Edit { doc: view.id, kind: spec.kind, ops: vec![op] }], None)?;
    let target = Target { scope: from, view: asking };
    super::answer(replica, street, spec, &target.scope, &doc, verb.name)
}

fn last<'a>(told: &'a [Told], kind: &str) -> Option<&'a Told> {
    told.iter().rev().find(|told| told.kind == kind && told.void.is_none())
}
