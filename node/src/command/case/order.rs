//! A team's side: its orders, and what it answers.

use serde_json::{Value, json};

use wangge_model::case::{Actor, EventKind, Order, OrderEvent, OrderState, Told, Void, Why};
use wangge_model::deadline::{Standing, TimerName};
use wangge_model::document::DocumentView;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::office::Office;
use super::{cross, event, show};
use crate::command::photo::Pictures;
use crate::command::{Answer, CommandError, instant, shown, workers::Workers};
use crate::replica::Edit;
use crate::text::{CaseText, Message, Word};

/// Writes an event to an order.
pub(super) fn act(
    office: &Office<'_>,
    scope: &Scope,
    view: &DocumentView,
    mut told: Told,
    pictures: &Pictures,
    at_ms: Option<u64>,
) -> Result<Answer, CommandError> {
    let replica = office.replica;
    let order = cross::order_of(replica, scope, view.clone())?;
    let label = label(&told.word).to_owned();
    let posts = office.posts()?;
    let Some(post) = posts.iter().find(|post| order.may(post, &told.word) || is_note(&told, post)) else {
        let team = office.street.unit_name(scope);
        let text = CaseText::OrderRole { event: &label, team: &team };
        return Err(CommandError::failed("case-role", &Message::Case(text)).on("role"));
    };
    let number = show::number_of(view);
    if told.kind() == Some(EventKind::Feedback) && order.is_suspended() {
        let text = CaseText::OrderSuspended { number: &number };
        return Err(CommandError::failed("case-suspended", &Message::Case(text)).on("state"));
    }
    if order.after(&told).is_none() {
        if let Some(by) =
            order.taken_before(order.events.len()).filter(|_| is_taken_again(&told, order.state))
        {
            let text = CaseText::OrderTaken { number: &number, by: &office.street.worker_name(&by) };
            return Err(CommandError::failed("case-accepted", &Message::Case(text)).on("state"));
        }
        let from = order.states_for(&told);
        let event = (label.as_str(), told.word.as_str());
        let text = CaseText::OrderRefused { event, number: &number, state: order.state, from: &from };
        return Err(CommandError::failed("case-state", &Message::Case(text)).on("state"));
    }
    told.role = Some(post.role);
    told.unit = Some(post.unit.clone());
    let ops = vec![event(&told)];
    let edits = vec![Edit { doc: view.id, kind: Kind::ORDER, ops }];
    pictures.commit(replica, scope, view.id, edits, at_ms)?;
    let view = replica.get(scope, Kind::ORDER, &view.id)?.unwrap_or_else(|| view.clone());
    let order = cross::order_of(replica, scope, view.clone())?;
    let json = order_json(office, scope, &view, &order)?;
    let text = format!("{}  {}", show::number_of(&view), order.state.label());
    Ok(Answer { json, text: format!("{label}:{text}") })
}

fn is_note(told: &Told, post: &Actor) -> bool {
    told.kind() == Some(EventKind::Note) && post.role.is_centre()
}

/// Whether somebody takes on what a colleague has taken on.
fn is_taken_again(told: &Told, state: OrderState) -> bool {
    told.kind() == Some(EventKind::Accept) && matches!(state, OrderState::Accepted | OrderState::Done)
}

/// Why an event of an order does not count, `None` if it does.
fn void_text(office: &Office<'_>, order: &Order, event: &OrderEvent) -> Option<String> {
    if event.counts {
        return None;
    }
    let place = order.events.iter().position(|other| other == event).unwrap_or(0);
    let by = order.taken_before(place).filter(|_| is_taken_again(&event.told, event.before));
    Some(match by {
        Some(by) => {
            let void = Void::Not(Why::AlreadyAccepted { by });
            let by = office.street.worker_name(&by);
            Message::Case(CaseText::Void { void: &void, other: "", by: &by }).zh()
        }
        None => Message::Case(CaseText::OrderVoid { state: event.before.label() }).zh(),
    })
}

/// What an event of an order is called.
fn label(word: &str) -> &str {
    match (Kind::ORDER.spec().and_then(|spec| spec.access.event(word)), EventKind::named(word)) {
        (Some(event), _) => event.label,
        (None, Some(kind)) => kind.label(),
        (None, None) => word,
    }
}

/// How the team's time stands.
pub(super) fn standing(order: &Order, now_ms: u64) -> Standing {
    match (order.done_ms(), order.due_ms) {
        (Some(done), Some(due)) if done > due => Standing::Late,
        (Some(_), _) => Standing::Met,
        _ if matches!(order.state, OrderState::Returned | OrderState::Closed) => Standing::Ended,
        _ if order.is_suspended() => Standing::Suspended,
        (None, Some(due)) if now_ms > due => Standing::Overdue,
        (None, _) => Standing::Running,
    }
}

/// 主办 or 协办, empty while that is not known.
fn part(order: &Order) -> &'static str {
    match order.lead {
        Some(true) => "主办",
        Some(false) => "协办",
        None => "",
    }
}

/// Its events without those that say again what another one carried over.
fn told(order: &Order) -> impl Iterator<Item = &OrderEvent> {
    order.events.iter().filter(|event| !event.again)
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
    json["state_label"] = order.state.label().into();
    json["level"] = view.text("level").parse::<u8>().ok().into();
    json["due"] = order.due_ms.map(instant::rfc3339).into();
    json["assignees"] = json!([{
        "scope": scope, "unit": office.street.unit_name(scope), "worker": null, "lead": order.lead,
        "accepted": order.state != OrderState::Issued, "done": order.done_ms().is_some(),
    }]);
    json["timers"] = json!([timer_json(order, office.replica.now_ms())]);
    json["flags"] = json!([]);
    let events: Vec<Value> = told(order)
        .map(|event| {
            json!({
                "kind": event.told.word,
                "worker": office.street.worker_name(&event.worker),
                "role": event.told.role,
                "claimed_at": instant::rfc3339(event.claimed_ms),
                "received_at": show::time_or_null(event.received_ms),
                "text": event.told.text,
                "reason": event.told.reason,
                "void": void_text(office, order, event),
            })
        })
        .collect();
    json["events"] = events.into();
    Ok(json)
}

/// The team's time for programs, like a timer of a case.
pub(super) fn timer_json(order: &Order, now_ms: u64) -> Value {
    let standing = standing(order, now_ms);
    json!({
        "name": TimerName::Handle.name(),
        "label": TimerName::Handle.label(),
        "due": order.due_ms.map(instant::rfc3339),
        "ended_at": order.done_ms().map(instant::rfc3339),
        "state": standing.name(),
        "state_label": standing.label(),
    })
}

/// The time and how it stands, as people read it.
pub(super) fn due_text(order: &Order, now_ms: u64) -> String {
    let due = order.due_ms.map(instant::short).unwrap_or_default();
    format!("{due} {}", standing(order, now_ms).label()).trim().to_owned()
}

/// An order for people.
pub(super) fn order_text(office: &Office<'_>, scope: &Scope, view: &DocumentView, order: &Order) -> String {
    let mut lines = vec![
        format!("{}  {}", show::number_of(view), order.state.label()),
        format!("  {}:{}", Word::Id.zh(), view.id),
        format!("  {}:{}", Word::Unit.zh(), office.street.unit_name(scope)),
    ];
    if !part(order).is_empty() {
        lines.push(format!("  {}:{}", part(order), office.street.unit_name(scope)));
    }
    for name in ["category", "level", "text", "place", "request"] {
        let text = shown::field(view, name, shown::Sight::Masked);
        if !text.is_empty() {
            lines.push(format!("  {}:{text}", shown::label(Kind::ORDER, name)));
        }
    }
    let due = due_text(order, office.replica.now_ms());
    lines.push(format!("  {}:{due}", shown::label(Kind::ORDER, "due")));
    for event in told(order) {
        let said = event.told.text.as_deref().or(event.told.reason.as_deref());
        let said = said.map(|said| format!(":{}", crate::text::veil(said))).unwrap_or_default();
        let void = void_text(office, order, event).map(|void| format!(" [{void}]")).unwrap_or_default();
        lines.push(format!(
            "  - {} {} {}{said}{void}",
            instant::short(event.claimed_ms),
            office.street.worker_name(&event.worker),
            label(&event.told.word),
        ));
    }
    lines.join("\n")
}
