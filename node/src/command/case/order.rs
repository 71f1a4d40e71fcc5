//! A team's side: its orders, and what it answers.

use serde_json::{Value, json};

use wangge_model::case::{Actor, EventKind, Order, Told};
use wangge_model::document::{DocumentView, Scalar};
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::office::Office;
use super::{cross, event, show};
use crate::command::{Answer, CommandError, instant, shown, workers::Workers};
use crate::replica::Edit;
use crate::text::{CaseText, Message, Word};

/// Writes an event to an order.
pub(super) fn act(
    office: &Office<'_>,
    scope: &Scope,
    view: &DocumentView,
    mut told: Told,
    at_ms: Option<u64>,
) -> Result<Answer, CommandError> {
    let replica = office.replica;
    let order = cross::order_of(replica, scope, view.clone())?;
    let label = label(&told.word).to_owned();
    let posts = office.posts()?;
    let Some(post) = posts.iter().find(|post| order.may(post, &told.word) || is_note(&told, post)) else {
        let team = office.street.unit_name(scope);
        let text = CaseText::OrderRole { event: &label, team: &team };
        return Err(CommandError::failed("case-role", &Message::Case(text)));
    };
    if order.after(&told).is_none() {
        let number = show::number_of(view);
        let text = CaseText::OrderRefused { event: &label, number: &number, state: order.state.label() };
        return Err(CommandError::failed("case-state", &Message::Case(text)));
    }
    told.role = Some(post.role);
    told.unit = Some(post.unit.clone());
    let ops = vec![event(&told)];
    replica.commit(scope, vec![Edit { doc: view.id, kind: Kind::ORDER, ops }], at_ms)?;
    let view = replica.get(scope, Kind::ORDER, &view.id)?.unwrap_or_else(|| view.clone());
    let order = cross::order_of(replica, scope, view.clone())?;
    let json = order_json(office, scope, &view, &order)?;
    let text = format!("{}  {}", show::number_of(&view), order.state.label());
    Ok(Answer { json, text: format!("{label}:{text}") })
}

fn is_note(told: &Told, post: &Actor) -> bool {
    told.kind() == Some(EventKind::Note) && post.role.is_centre()
}

/// What an event of an order is called.
fn label(word: &str) -> &str {
    match (Kind::ORDER.spec().and_then(|spec| spec.access.event(word)), EventKind::named(word)) {
        (Some(event), _) => event.label,
        (None, Some(kind)) => kind.label(),
        (None, None) => word,
    }
}

pub(super) fn due_ms(view: &DocumentView) -> Option<u64> {
    match view.value("due") {
        Some(Scalar::Int(ms)) => u64::try_from(*ms).ok(),
        _ => None,
    }
}

/// An order for programs.
pub(super) fn order_json(
    office: &Office<'_>,
    scope: &Scope,
    view: &DocumentView,
    order: &Order,
) -> Result<Value, CommandError> {
    let workers = Workers::load(office.replica)?;
    let delivery = office.replica.delivery(scope, Kind::ORDER, &view.id)?;
    let mut json = shown::document_json(&workers, scope, view, delivery);
    json["kind"] = "order".into();
    json["number"] = view.text("number").into();
    json["official_number"] = view.text("official_number").into();
    json["state"] = order.state.name().into();
    json["case"] = view.text("case").into();
    json["due"] = due_ms(view).map(instant::rfc3339).into();
    let events: Vec<Value> = order
        .events
        .iter()
        .map(|event| {
            json!({
                "kind": event.told.word,
                "worker": office.street.worker_name(&event.worker),
                "role": event.told.role,
                "claimed_at": instant::rfc3339(event.claimed_ms),
                "received_at": show::time_or_null(event.received_ms),
                "text": event.told.text,
                "reason": event.told.reason,
                "void": if event.counts { Value::Null } else { "作废:当时不能这样办".into() },
            })
        })
        .collect();
    json["events"] = events.into();
    Ok(json)
}

/// An order for people.
pub(super) fn order_text(office: &Office<'_>, scope: &Scope, view: &DocumentView, order: &Order) -> String {
    let mut lines = vec![
        format!("{}  {}", show::number_of(view), order.state.label()),
        format!("  {}:{}", Word::Id.zh(), view.id),
        format!("  {}:{}", Word::Unit.zh(), office.street.unit_name(scope)),
    ];
    for name in ["category", "level", "text", "place"] {
        let text = shown::field(view, name, shown::Sight::Masked);
        if !text.is_empty() {
            lines.push(format!("  {}:{text}", shown::label(Kind::ORDER, name)));
        }
    }
    if let Some(due) = due_ms(view) {
        lines.push(format!("  {}:{}", shown::label(Kind::ORDER, "due"), instant::short(due)));
    }
    for event in &order.events {
        let said = event.told.text.as_deref().or(event.told.reason.as_deref()).unwrap_or_default();
        lines.push(format!(
            "  - {} {} {}:{}",
            instant::short(event.claimed_ms),
            office.street.worker_name(&event.worker),
            label(&event.told.word),
            crate::text::veil(said)
        ));
    }
    lines.join("\n")
}
