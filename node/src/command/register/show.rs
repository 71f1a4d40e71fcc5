//! One record with all that belongs to it: the records that it stands for, and those that it links or that
//! link it, by their names.

use serde_json::{Value, json};

use wangge_model::document::DocumentView;
use wangge_model::identity::Scope;
use wangge_model::schema::{Form, Kind, kinds};

use super::ShowArgs;
use super::list::{doc_of, target};
use crate::command::key::{self, Target};
use crate::command::shown;
use crate::command::units::Units;
use crate::command::workers::Workers;
use crate::command::{Answer, CommandError, merged};
use crate::replica::{Replica, ReplicaError};

/// Records that are named as linking one.
const LINKED_MAX: usize = 200;

pub(super) fn show(replica: &Replica, kind: Kind, args: &ShowArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let Target { scope, view } = key::resolve(replica, &[kind], &args.key, args.unit.as_deref())?;
    let sight = shown::sight(replica, &scope, &view, args.unmask.as_deref())?;
    let mut delivery = replica.delivery(&scope, kind, &view.id)?;
    let members = merged::members(replica, &view)?;
    for (scope, member) in &members {
        delivery = delivery.min(replica.delivery(scope, kind, &member.id)?);
    }
    let whole = merged::whole(replica, &view)?;
    let mut json = shown::document_json_as(&workers, &scope, &whole, delivery, sight);
    let mut text = shown::document_text(&workers, &units, &scope, &whole, delivery, sight);
    for field in kind.spec().map(|spec| spec.fields).unwrap_or_default() {
        let Some(value) = whole.value(field.name) else { continue };
        match field.form {
            Form::Code(table) => {
                if let Some(label) = units.codes().label(table, &value.to_text()) {
                    json["fields"][field.name]["text"] = label.into();
                }
            }
            Form::Link(kinds) => {
                if let Some(doc) = doc_of(&whole, field.name)
                    && let Some((scope, target)) = target(replica, kinds, &doc)?
                {
                    json["fields"][field.name]["target"] = named(&scope, &target);
                    text = text.replace(&doc.to_string(), &format!("{} ({})", shown::title(&target), doc));
                }
            }
            _ => {}
        }
    }
    if !members.is_empty() {
        json["merged"] = members.iter().map(|(scope, view)| named(scope, view)).collect();
        for (_, member) in &members {
            text.push_str(&format!("\n  + {} ({})", shown::title(member), shown::short_id(&member.id)));
        }
    }
    let others = linking(replica, &scope, &whole, &members)?;
    if !others.is_empty() {
        json["linked"] = others
            .iter()
            .map(|(field, view)| {
                let mut json = named(&scope, view);
                json["field"] = (*field).into();
                json
            })
            .collect();
        for (field, view) in &others {
            let label = shown::label(view.kind, field);
            text.push_str(&format!(
                "\n  < {} {} ({label})  {}",
                shown::kind_zh(view.kind),
                shown::title(view),
                shown::short_id(&view.id)
            ));
        }
    }
    Ok(Answer { json, text })
}

fn named(scope: &Scope, view: &DocumentView) -> Value {
    json!({
        "id": view.id.to_string(),
        "scope": scope,
        "kind": view.kind.to_string(),
        "name": shown::title(view),
    })
}

/// Records of the same unit that link this one, with the field that does.
fn linking(
    replica: &Replica,
    scope: &Scope,
    view: &DocumentView,
    members: &[(Scope, DocumentView)],
) -> Result<Vec<(&'static str, DocumentView)>, ReplicaError> {
    let mut found = Vec::new();
    for spec in kinds().filter(|spec| Kind::REGISTERS.contains(&spec.kind)) {
        let fields: Vec<&'static str> = spec
            .fields
            .iter()
            .filter(|field| matches!(field.form, Form::Link(kinds) if kinds.contains(&view.kind)))
            .map(|field| field.name)
            .collect();
        if fields.is_empty() {
            continue;
        }
        replica.each(scope, spec.kind, |other| {
            for field in &fields {
                let named = doc_of(&other, field);
                let is_it = named
                    .is_some_and(|doc| doc == view.id || members.iter().any(|(_, member)| member.id == doc));
                if is_it && !other.is_closed() {
                    found.push((*field, other.clone()));
                }
            }
            found.len() < LINKED_MAX
        })?;
    }
    Ok(found)
}
