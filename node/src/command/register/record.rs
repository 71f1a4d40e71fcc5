//! What is done with a whole record: closing, merging, moving, linking.

use serde_json::{Value, json};

use wangge_model::checks::text;
use wangge_model::document::{DocumentView, Op, Scalar, Target as OpTarget};
use wangge_model::identity::Scope;
use wangge_model::registers::merge::merged_into;
use wangge_model::schema::{CLOSED, Kind, MERGED_INTO};

use super::{CloseArgs, LinkArgs, MergeArgs, MoveArgs, UnlinkArgs, UnmergeArgs, check_here};
use crate::command::edits::bounded;
use crate::command::instant::When;
use crate::command::key::{self, Target};
use crate::command::units::{Meant, Units};
use crate::command::{Answer, CommandError, merged, shown};
use crate::replica::{Edit, Replica};
use crate::text::{Message, RegisterMessage, Word};

fn field(name: &str, value: impl Into<Scalar>) -> Op {
    Op { target: OpTarget::Field(name.to_owned()), value: Some(value.into()) }
}

fn entry(container: &str, key: String, value: Option<Scalar>) -> Op {
    Op { target: OpTarget::Entry { container: container.to_owned(), key }, value }
}

fn event(value: &Value) -> Op {
    Op { target: OpTarget::Event { container: "events".to_owned() }, value: Some(value.to_string().into()) }
}

fn said(reason: &str) -> Result<String, CommandError> {
    let reason = bounded(text::free_text(reason))?;
    if reason.is_empty() {
        return Err(CommandError::usage("reason-missing", &Message::TextMissing));
    }
    Ok(reason)
}

fn answer(
    replica: &Replica,
    scope: &Scope,
    view: &DocumentView,
    message: RegisterMessage<'_>,
    more: &Value,
) -> Result<Answer, CommandError> {
    let delivery = replica.delivery(scope, view.kind, &view.id)?;
    let mut json = json!({
        "id": view.id.to_string(),
        "scope": scope,
        "kind": view.kind.to_string(),
        "name": shown::title(view),
        "delivery": delivery,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        json[key] = value.clone();
    }
    let text = format!("{}  {}", Message::Register(message).line(), Word::of_delivery(delivery).zh());
    Ok(Answer { json, text })
}

pub(super) fn close(replica: &Replica, kind: Kind, args: &CloseArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let reason = said(&args.reason)?;
    let Target { scope, view } = key::resolve(replica, &[kind], &args.key, args.unit.as_deref())?;
    check_here(&view)?;
    let ops = vec![field(CLOSED, Scalar::Bool(true)), event(&json!({ "kind": "closed", "text": reason }))];
    replica.commit(&scope, vec![Edit { doc: view.id, kind, ops }], at_ms)?;
    let (name, id) = (shown::title(&view), shown::short_id(&view.id));
    answer(replica, &scope, &view, RegisterMessage::Closed { name: &name, id: &id }, &Value::Null)
}

/// Links one record to the other that stands for both. Nothing is copied.
pub(super) fn merge(replica: &Replica, kind: Kind, args: &MergeArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let unit = args.unit.as_deref();
    let Target { scope, view } = key::resolve(replica, &[kind], &args.key, unit)?;
    let into = key::resolve(replica, &[kind], &args.into, unit)?;
    if view.id == into.view.id {
        return Err(CommandError::failed("merge-self", &Message::Register(RegisterMessage::MergeSelf)));
    }
    check_here(&view)?;
    check_here(&into.view)?;
    let winner = into.view.id.to_string();
    let told = event(&json!({ "kind": "merged", "text": winner }));
    let mut edits = vec![Edit { doc: view.id, kind, ops: vec![field(MERGED_INTO, winner.as_str()), told] }];
    let back = entry("links", merged::link_key(&view.id), Some(Scalar::Bool(true)));
    let back = Edit { doc: into.view.id, kind, ops: vec![back] };
    if into.scope == scope {
        edits.push(back);
        replica.commit(&scope, edits, at_ms)?;
    } else {
        // The winner learns first: a link that leads nowhere yet is harmless.
        replica.commit(&into.scope, vec![back], at_ms)?;
        replica.commit(&scope, edits, at_ms)?;
    }
    let (name, stands) = (shown::title(&view), shown::title(&into.view));
    let message = RegisterMessage::Merged { name: &name, into: &stands };
    answer(replica, &scope, &view, message, &json!({ "into": winner }))
}

pub(super) fn unmerge(replica: &Replica, kind: Kind, args: &UnmergeArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let Target { scope, view } = key::resolve_itself(replica, &[kind], &args.key, args.unit.as_deref())?;
    let name = shown::title(&view);
    let Some(winner) = merged_into(&view) else {
        let message = Message::Register(RegisterMessage::NotMerged { name: &name });
        return Err(CommandError::failed("not-merged", &message));
    };
    let ops = vec![
        Op { target: OpTarget::Field(MERGED_INTO.to_owned()), value: None },
        event(&json!({ "kind": "unmerged", "text": winner.to_string() })),
    ];
    let mut edits = vec![Edit { doc: view.id, kind, ops }];
    let back = entry("links", merged::link_key(&view.id), None);
    match replica.find(kind, &winner)? {
        Some((other, _)) if other == scope => edits.push(Edit { doc: winner, kind, ops: vec![back] }),
        Some((other, _)) => {
            replica.commit(&other, vec![Edit { doc: winner, kind, ops: vec![back] }], at_ms)?;
        }
        None => {}
    }
    replica.commit(&scope, edits, at_ms)?;
    answer(replica, &scope, &view, RegisterMessage::Unmerged { name: &name }, &Value::Null)
}

/// Asks the relay to move a record: the request lies where the record does.
pub(super) fn move_away(replica: &Replica, kind: Kind, args: &MoveArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let reason = said(&args.reason)?;
    let Target { scope, view } = key::resolve(replica, &[kind], &args.key, args.unit.as_deref())?;
    check_here(&view)?;
    let units = Units::load(replica)?;
    // The other unit need not be held here: the relay holds it.
    let to = match args.to.parse::<Scope>() {
        Ok(to) => to,
        Err(_) => match units.meant(&args.to) {
            Meant::One(unit) => unit.scope.clone(),
            _ => units.named(&args.to)?.scope,
        },
    };
    let shown_to = units.name(&to);
    if !matches!(to, Scope::Grid(_)) || shown_to.is_empty() && !units.is_empty() {
        let units = units.known();
        let message = Message::UnitUnknown { typed: &args.to, units: &units };
        return Err(CommandError::failed("unit-unknown", &message));
    }
    if to == scope {
        let message = Message::Register(RegisterMessage::MoveSame { unit: &shown_to });
        return Err(CommandError::failed("same-unit", &message));
    }
    let request = request_move(replica, &scope, &view, &to, &reason)?;
    replica.commit(&scope, vec![request.clone()], at_ms)?;
    let name = shown::title(&view);
    let to_text = if shown_to.is_empty() { to.to_string() } else { shown_to };
    let message = RegisterMessage::MoveRequested { name: &name, to: &to_text };
    answer(replica, &scope, &view, message, &json!({ "to": to, "request": request.doc.to_string() }))
}

/// The request to move a record to another unit: one document for each record and unit.
pub(in crate::command) fn request_move(
    replica: &Replica,
    scope: &Scope,
    view: &DocumentView,
    to: &Scope,
    reason: &str,
) -> Result<Edit, CommandError> {
    let secret = replica
        .secret(scope)
        .ok_or_else(|| crate::replica::ReplicaError::NotHeld { scope: scope.clone() })?;
    let doc = secret.natural_id(Kind::MOVE, &format!("{}|{to}", view.id), 0);
    let ops = vec![
        field("record", view.id.to_string()),
        field("kind", view.kind.to_string()),
        field("scope", to.to_string()),
        field("reason", reason),
        field("status", "asked"),
    ];
    Ok(Edit { doc, kind: Kind::MOVE, ops })
}

pub(super) fn link(replica: &Replica, kind: Kind, args: &LinkArgs) -> Result<Answer, CommandError> {
    let role = bounded(text::free_text(&args.role))?;
    linked(replica, kind, (&args.key, &args.to), args.unit.as_deref(), Some(role), &args.when)
}

pub(super) fn unlink(replica: &Replica, kind: Kind, args: &UnlinkArgs) -> Result<Answer, CommandError> {
    linked(replica, kind, (&args.key, &args.to), args.unit.as_deref(), None, &args.when)
}

fn linked(
    replica: &Replica,
    kind: Kind,
    (key, to): (&str, &str),
    unit: Option<&str>,
    role: Option<String>,
    when: &When,
) -> Result<Answer, CommandError> {
    let Target { scope, view } = key::resolve(replica, &[kind], key, unit)?;
    check_here(&view)?;
    let other = key::resolve(replica, &Kind::REGISTERS, to, None)?.view;
    let makes = role.is_some();
    let ops = vec![entry("links", other.id.to_string(), role.map(Scalar::from))];
    replica.commit(&scope, vec![Edit { doc: view.id, kind, ops }], when.ms(replica)?)?;
    let (name, to) = (shown::title(&view), shown::title(&other));
    let message = if makes {
        RegisterMessage::Linked { name: &name, to: &to }
    } else {
        RegisterMessage::Unlinked { name: &name, to: &to }
    };
    answer(replica, &scope, &view, message, &json!({ "to": other.id.to_string() }))
}
