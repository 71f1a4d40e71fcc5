//! A case as programs and people see it.

use serde_json::{Value, json};

use wangge_model::case::{CaseEvent, CaseView, EventKind, Void, Why, steps};
use wangge_model::deadline::{Timer, timers};
use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Scope};
use wangge_model::photo::of_record;
use wangge_model::schema::Kind;

use super::args::ShowCaseArgs;
use super::office::Office;
use super::{act, cross, order};
use crate::command::key::Target;
use crate::command::shown::{self, Sight};
use crate::command::workers::Workers;
use crate::command::{Answer, CommandError, instant};
use crate::replica::{Delivery, Replica, ReplicaError};
use crate::text::{CaseText, Message, PhotoText, Word, role_zh, veil};

/// What people call a case: its official number once it has one.
pub(super) fn number_of(view: &DocumentView) -> String {
    let official = view.text("official_number");
    if official.is_empty() { view.text("number") } else { official }
}

pub(super) fn time_or_null(ms: u64) -> Value {
    if ms == 0 { Value::Null } else { instant::rfc3339(ms).into() }
}

pub(super) fn show(replica: &Replica, args: &ShowCaseArgs) -> Result<Answer, CommandError> {
    let office = Office::load(replica)?;
    let Target { scope, view } = act::target(replica, &args.key)?;
    let sight = shown::sight(replica, &scope, &view, args.unmask.as_deref())?;
    if view.kind == Kind::ORDER {
        let order = cross::order_of(replica, &scope, view.clone())?;
        let json = order::order_json(&office, &scope, &view, &order)?;
        return Ok(Answer { json, text: order::order_text(&office, &scope, &view, &order) });
    }
    cross::settle(replica, &office.book, &scope, &view.id)?;
    let view = replica.get(&scope, Kind::CASE, &view.id)?.unwrap_or(view);
    let case = office.case(&scope, &view)?;
    let delivery = replica.delivery(&scope, Kind::CASE, &view.id)?;
    let workers = Workers::load(replica)?;
    Ok(Answer {
        json: case_json(&office, &workers, &scope, &view, &case, delivery, sight),
        text: case_text(&office, &scope, &view, &case, delivery, sight),
    })
}

/// The answer of a command that changed a case.
pub(super) fn answer(
    office: &Office<'_>,
    scope: &Scope,
    doc: &DocId,
    line: impl FnOnce(&str) -> String,
) -> Result<Answer, CommandError> {
    let replica = office.replica;
    let delivery = replica.delivery(scope, Kind::CASE, doc)?;
    let text = format!("{}  {}", line(&shown::short_id(doc)), Word::of_delivery(delivery).zh());
    let Some(view) = replica.get(scope, Kind::CASE, doc)? else {
        return Ok(Answer { json: Value::Null, text });
    };
    let case = office.case(scope, &view)?;
    let workers = Workers::load(replica)?;
    let json = case_json(office, &workers, scope, &view, &case, delivery, Sight::Masked);
    Ok(Answer { json, text })
}

/// A case for programs: its document, and what its events come to.
pub(super) fn case_json(
    office: &Office<'_>,
    workers: &Workers,
    scope: &Scope,
    view: &DocumentView,
    case: &CaseView,
    delivery: Delivery,
    sight: Sight,
) -> Value {
    let mut json = shown::document_json_as(workers, scope, view, delivery, sight);
    let rules = office.book.named(case.rules.as_deref());
    for name in ["place", "person"] {
        if let Ok(Some((scope, target))) = linked(office.replica, view, name) {
            json["fields"][name]["target"] = json!({
                "id": target.id.to_string(), "scope": scope, "kind": target.kind.to_string(),
                "name": shown::title(&target),
            });
        }
    }
    json["number"] = view.text("number").into();
    json["official_number"] = view.text("official_number").into();
    json["state"] = case.state.name().into();
    json["state_label"] = case.state.label().into();
    json["level"] = case.level.into();
    json["owner"] = case.tier.name().into();
    json["category"] = case.category.as_str().into();
    json["category_name"] = rules.category_name(&case.category).into();
    json["minor"] = case.minor.into();
    json["verified"] = case.verified.into();
    json["suspended"] = case.suspended.into();
    json["score"] = case.score.into();
    json["merged_into"] = case.merged_into.map(|into| into.to_string()).into();
    json["merged_into_number"] = case.merged_into.map(|into| number_in(office.replica, &into)).into();
    json["led_by"] = case.led_by.map(|worker| office.street.worker_name(&worker)).into();
    json["rules"] = case.rules.as_deref().unwrap_or(wangge_model::case::SHIPPED_NAME).into();
    json["needs_update"] = case.is_read_only().into();
    json["photos"] = of_record(view).len().into();
    json["assignees"] = case
        .assignees
        .iter()
        .map(|assignee| {
            json!({
                "scope": assignee.scope,
                "unit": office.street.unit_name(&assignee.scope),
                "worker": assignee.worker.map(|worker| office.street.worker_name(&worker)),
                "lead": assignee.lead,
                "accepted": assignee.accepted.is_some(),
                "done": assignee.done,
            })
        })
        .collect();
    json["requests"] = case
        .asks
        .iter()
        .map(|ask| {
            let worker = office.street.worker_name(&ask.worker);
            json!({ "kind": ask.kind.name(), "days": ask.days, "worker": worker })
        })
        .collect();
    let now = office.replica.now_ms();
    json["timers"] = current(case, office).iter().map(|timer| timer_json(timer, now)).collect();
    json["flags"] = case.flags.iter().map(|flag| flag.name()).collect();
    json["steps"] = steps(case)
        .iter()
        .map(|step| {
            json!({
                "name": step.name,
                "label": step.label,
                "done": step.done_ms.is_some(),
                "at": step.done_ms.map(instant::rfc3339),
                "worker": step.worker.map(|worker| office.street.worker_name(&worker)),
                "times": step.times,
            })
        })
        .collect();
    if let Some(events) = json["events"].as_array_mut() {
        // Histories of a case: events alone.
        for (event, written) in case.events.iter().zip(events.iter_mut()) {
            add_event(office, case, event, written);
        }
        let duplicate = |event: &CaseEvent| matches!(event.void, Some(Void::Duplicate { .. }));
        let mut at = 0;
        events.retain(|_| {
            at += 1;
            case.events.get(at - 1).is_none_or(|event| !duplicate(event))
        });
    }
    json
}

/// The place or the person that a case names, as far as it is held here.
fn linked(
    replica: &Replica,
    view: &DocumentView,
    field: &str,
) -> Result<Option<(Scope, DocumentView)>, ReplicaError> {
    let kinds: &[Kind] = match field {
        "place" => &[Kind::PLACE, Kind::ENTERPRISE],
        "person" => &[Kind::PERSON],
        _ => return Ok(None),
    };
    let Ok(doc) = view.text(field).parse::<DocId>() else { return Ok(None) };
    for kind in kinds {
        if let Some(found) = replica.find(*kind, &doc)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The number of a case, the beginning of its id where it is not held here.
fn number_in(replica: &Replica, case: &DocId) -> String {
    let found = replica.find(Kind::CASE, case).ok().flatten();
    found.map_or_else(|| shown::short_id(case), |(_, view)| number_of(&view))
}

/// 王小明 990101********0019 (1a2b3c4d).
fn called(view: &DocumentView, sight: Sight) -> String {
    let number = if view.kind == Kind::PERSON { "id_number" } else { "address" };
    let number = shown::field(view, number, sight);
    let number = if number.is_empty() { number } else { format!(" {number}") };
    format!("{}{number} ({})", shown::title(view), shown::short_id(&view.id))
}

/// The latest run of each timer.
pub(super) fn current(case: &CaseView, office: &Office<'_>) -> Vec<Timer> {
    let mut latest: Vec<Timer> = Vec::new();
    for timer in timers(case, &office.book) {
        latest.retain(|other| other.name != timer.name);
        latest.push(timer);
    }
    latest.sort_by_key(|timer| timer.name);
    latest
}

pub(super) fn timer_json(timer: &Timer, now_ms: u64) -> Value {
    let standing = timer.standing(now_ms);
    json!({
        "name": timer.name.name(),
        "label": timer.name.label(),
        "round": timer.round,
        "started_at": instant::rfc3339(timer.start_ms),
        "due": timer.due_ms.map(instant::rfc3339),
        "ended_at": timer.end_ms.map(instant::rfc3339),
        "state": standing.name(),
        "state_label": standing.label(),
        "allowance": timer.allowance,
        "extended_days": timer.extensions.iter().map(|(_, days)| days).sum::<u32>(),
    })
}

/// What an event came to, beside what its author wrote.
fn add_event(office: &Office<'_>, case: &CaseView, event: &CaseEvent, written: &mut Value) {
    written["worker"] = office.street.worker_name(&event.worker).into();
    written["worker_id"] = event.worker.to_string().into();
    written["role"] = event.role.map(wangge_model::identity::Role::name).into();
    written["claimed_at"] = instant::rfc3339(event.claimed_ms).into();
    written["received_at"] = time_or_null(event.received_ms);
    written["counted_at"] = instant::rfc3339(event.counted_ms).into();
    written["recorded_at"] = event.told.recorded_ms.map(instant::rfc3339).into();
    written["back_dated"] = event.back_dated.into();
    written["void"] = event.void.as_ref().map(|void| void_text(office, case, event, void)).into();
    written["state"] = event.after.map(wangge_model::case::State::name).into();
    if event.needs_update {
        written["needs_update"] = true.into();
    }
    if let Some(members) = written.as_object_mut() {
        members.remove("recorded");
    }
    if !event.told.to.is_empty() {
        written["to"] = event
            .told
            .to
            .iter()
            .map(|to| {
                let worker = to.worker.map(|worker| office.street.worker_name(&worker));
                json!({ "scope": to.scope, "unit": office.street.unit_name(&to.scope), "worker": worker })
            })
            .collect();
    }
}

fn void_text(office: &Office<'_>, case: &CaseView, event: &CaseEvent, void: &Void) -> String {
    let other = match void {
        Void::Lost { to: at } | Void::BuiltOn { lost: at } | Void::Duplicate { of: at } => {
            case.events.get(*at)
        }
        _ => None,
    };
    // Two who take a case on at once have both done right.
    let taken = match (void, other) {
        (Void::Lost { .. }, Some(other)) if is_accept(event) && is_accept(other) => {
            Some(Void::Not(Why::AlreadyAccepted { by: other.worker }))
        }
        _ => None,
    };
    let void = taken.as_ref().unwrap_or(void);
    let by = match void {
        Void::Not(Why::AlreadyAccepted { by }) => office.street.worker_name(by),
        _ => String::new(),
    };
    let other = other.map(event_label).unwrap_or_default();
    Message::Case(CaseText::Void { void, other: &other, by: &by }).zh()
}

fn is_accept(event: &CaseEvent) -> bool {
    event.kind == Some(EventKind::Accept)
}

/// What an event is called, with the outcome of a check.
pub(super) fn event_label(event: &CaseEvent) -> String {
    match (event.kind, event.told.pass) {
        (Some(EventKind::Check), Some(true)) => "核查通过".to_owned(),
        (Some(EventKind::Check), Some(false)) => "核查返工".to_owned(),
        (Some(kind), _) => kind.label().to_owned(),
        (None, _) => event.word.clone(),
    }
}

/// A case for people.
fn case_text(
    office: &Office<'_>,
    scope: &Scope,
    view: &DocumentView,
    case: &CaseView,
    delivery: Delivery,
    sight: Sight,
) -> String {
    let rules = office.book.named(case.rules.as_deref());
    let unit = office.street.unit_name(scope);
    let mut lines = vec![
        format!("{}  {}", number_of(view), case.state.label()),
        format!("  {}:{}", Word::Id.zh(), view.id),
        format!("  {}:{unit} ({scope})", Word::Unit.zh()),
        format!("  {}:{}", Word::Delivery.zh(), Word::of_delivery(delivery).zh()),
        format!("  管理层级:{}", case.tier.label()),
        format!("  类别:{}{}", rules.category_name(&case.category), if case.minor { "(轻微类)" } else { "" }),
        format!("  级别:{}", case.level),
    ];
    for field in view.kind.spec().map(|spec| spec.fields).unwrap_or_default() {
        if ["category", "level", "official_number"].contains(&field.name) {
            continue;
        }
        let Some(register) = view.fields.get(field.name) else { continue };
        let value = shown::value(view.kind, field.name, &register.shown.value, sight);
        let value = match linked(office.replica, view, field.name) {
            Ok(Some((_, target))) => called(&target, sight),
            _ => value,
        };
        lines.push(format!("  {}:{value}", field.label));
    }
    let photos = of_record(view).len();
    if photos > 0 {
        lines.push(format!("  {}", Message::Photo(PhotoText::Of { count: photos }).zh()));
    }
    for assignee in &case.assignees {
        let part = if assignee.lead { "主办" } else { "协办" };
        lines.push(format!("  {part}:{}", office.assignee(assignee)));
    }
    if let Some(worker) = &case.led_by {
        lines.push(format!("  牵头领导:{}", office.street.worker_name(worker)));
    }
    if let Some(into) = &case.merged_into {
        lines.push(format!("  {}:{}", EventKind::Merge.label(), number_in(office.replica, into)));
    }
    for ask in &case.asks {
        let worker = office.street.worker_name(&ask.worker);
        lines.push(format!("  待同意:{worker} 申请{}", ask.kind.label()));
    }
    let now = office.replica.now_ms();
    for timer in current(case, office) {
        let due = timer.due_ms.map_or_else(|| "-".to_owned(), instant::short);
        let standing = timer.standing(now).label();
        let line = Message::Case(CaseText::DueLine { timer: &timer, due: &due, standing });
        lines.push(format!("  {}", line.zh()));
    }
    for flag in &case.flags {
        lines.push(format!("  ! {}", flag.label()));
    }
    let done = steps(case);
    let steps: Vec<String> = done
        .iter()
        .map(|step| format!("{}{}", step.label, if step.done_ms.is_some() { "√" } else { "" }))
        .collect();
    lines.push(format!("  {}", steps.join(" → ")));
    for event in case.events.iter().filter(|event| !matches!(event.void, Some(Void::Duplicate { .. }))) {
        lines.push(format!("  - {}", event_text(office, case, event)));
    }
    lines.join("\n")
}

fn event_text(office: &Office<'_>, case: &CaseView, event: &CaseEvent) -> String {
    let role = event.role.map(role_zh).unwrap_or_default();
    let mut text = format!(
        "{} {} {role} {}",
        instant::short(event.claimed_ms),
        office.street.worker_name(&event.worker),
        event_label(event)
    );
    let to: Vec<String> = event
        .told
        .to
        .iter()
        .map(|to| {
            let unit = office.street.unit_name(&to.scope);
            to.worker.map_or(unit.clone(), |worker| format!("{unit} {}", office.street.worker_name(&worker)))
        })
        .collect();
    if !to.is_empty() {
        text.push_str(&format!(" {}", to.join("、")));
    }
    if let Some(effect) = &event.effect {
        text.push_str(&format!("({})", Message::Case(CaseText::Effect { effect }).zh()));
    }
    if let Some(into) = &event.told.into {
        text.push_str(&format!(" {}", number_in(office.replica, into)));
    }
    if let Some(score) = event.told.score {
        text.push_str(&format!(" {score} 分"));
    }
    for said in [&event.told.reason, &event.told.text].into_iter().flatten() {
        text.push_str(&format!(":{}", veil(said)));
    }
    if event.back_dated {
        text.push_str(" [倒填时间]");
    } else if let Some(recorded) = event.told.recorded_ms {
        text.push_str(&format!(" [{}补录]", instant::short(recorded)));
    }
    if event.needs_update {
        text.push_str(" [需升级]");
    }
    if let Some(void) = &event.void {
        text.push_str(&format!(" [{}]", void_text(office, case, event, void)));
    }
    text
}
