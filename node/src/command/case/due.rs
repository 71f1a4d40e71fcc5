//! When cases are due, and line by line how that came about.

use serde_json::{Value, json};

use wangge_model::case::{CaseEvent, CaseView, OFFLINE_MS_MIN, OrderState};
use wangge_model::deadline::{Day, Line, Timer};
use wangge_model::document::DocumentView;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::args::DueArgs;
use super::office::Office;
use super::{act, cross, list, order, show};
use crate::command::key::Target;
use crate::command::{Answer, CommandError, instant};
use crate::replica::Replica;
use crate::text::{CaseText, LedgerText, Message};

pub(super) fn due(replica: &Replica, args: &DueArgs) -> Result<Answer, CommandError> {
    let office = Office::load(replica)?;
    if let Some(key) = &args.key {
        let Target { scope, view } = act::target(replica, key)?;
        if view.kind == Kind::ORDER {
            return of_order(&office, &scope, &view);
        }
        let case = office.case(&scope, &view)?;
        let timers = wangge_model::deadline::timers(&case, &office.book);
        let shown: Vec<Timer> = if args.explain { timers } else { show::current(&case, &office) };
        return Ok(answer(&office, &view, &case, &shown, args.explain));
    }
    let mut entries = Vec::new();
    for (_, view, case) in list::chosen(&office, &args.which)? {
        if !case.state.is_open() {
            continue;
        }
        let running: Vec<Timer> =
            show::current(&case, &office).into_iter().filter(|timer| timer.end_ms.is_none()).collect();
        let first = running.iter().filter_map(|timer| timer.due_ms).min();
        entries.push((
            first.unwrap_or(u64::MAX),
            view.id,
            answer(&office, &view, &case, &running, args.explain),
        ));
    }
    for (scope, view, order) in list::chosen_orders(&office, &args.which)? {
        if matches!(order.state, OrderState::Issued | OrderState::Accepted) {
            entries.push((order.due_ms.unwrap_or(u64::MAX), view.id, of_order(&office, &scope, &view)?));
        }
    }
    entries.sort_by_key(|(first, id, _)| (*first, *id));
    let total = entries.len();
    let shown = args.which.limit.unwrap_or(list::LIST_LINES).min(total);
    let mut json = Vec::new();
    let mut lines = Vec::new();
    for (place, (_, _, entry)) in entries.into_iter().enumerate() {
        if args.which.limit.is_some_and(|limit| place >= limit) {
            break;
        }
        json.push(entry.json);
        if place < shown {
            lines.push(entry.text);
        }
    }
    lines.push(Message::Listed { shown, total }.line());
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}

fn of_order(office: &Office<'_>, scope: &Scope, view: &DocumentView) -> Result<Answer, CommandError> {
    let order = cross::order_of(office.replica, scope, view.clone())?;
    let number = show::number_of(view);
    let now = office.replica.now_ms();
    let text = format!("{number}  {}  {}", order.state.label(), order::due_text(&order, now));
    let json = json!({
        "id": view.id.to_string(),
        "number": view.text("number"),
        "official_number": view.text("official_number"),
        "state": order.state.name(),
        "due": order.due_ms.map(instant::rfc3339),
        "timers": [order::timer_json(&order, now)],
        "flags": [],
    });
    Ok(Answer { json, text })
}

fn answer(
    office: &Office<'_>,
    view: &DocumentView,
    case: &CaseView,
    timers: &[Timer],
    explain: bool,
) -> Answer {
    let now = office.replica.now_ms();
    let mut lines =
        vec![format!("{}  {}  {}", show::number_of(view), case.state.label(), view.text("category"))];
    let mut json_timers = Vec::new();
    for timer in timers {
        let mut json = show::timer_json(timer, now);
        let due = timer.due_ms.map_or_else(|| "-".to_owned(), instant::short);
        let standing = timer.standing(now).label();
        lines.push(format!("  {}", Message::Case(CaseText::DueLine { timer, due: &due, standing }).zh()));
        if explain {
            let ledger = ledger(office, case, timer, now);
            lines.extend(ledger.iter().map(|entry| format!("    {}", entry.0)));
            json["ledger"] = ledger
                .into_iter()
                .map(|(text, english, mut entry)| {
                    entry["text"] = text.into();
                    entry["text_en"] = english.into();
                    entry
                })
                .collect();
        }
        json_timers.push(json);
    }
    let json = json!({
        "id": view.id.to_string(),
        "number": view.text("number"),
        "official_number": view.text("official_number"),
        "state": case.state.name(),
        "timers": json_timers,
        "flags": case.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
    });
    Answer { json, text: lines.join("\n") }
}

/// How the due time came about: each line in both languages, and as data.
fn ledger(office: &Office<'_>, case: &CaseView, timer: &Timer, now_ms: u64) -> Vec<(String, String, Value)> {
    let mut lines = Vec::new();
    let mut line = |text: LedgerText<'_>, data: Value| {
        let message = Message::Case(CaseText::Ledger(&text));
        lines.push((message.zh(), message.en(), data));
    };
    let rules = office.book.named(case.rules.as_deref());
    let version = case.rules.as_deref().unwrap_or(wangge_model::case::SHIPPED_NAME);
    let name = |event: &CaseEvent| office.street.worker_name(&event.worker);
    if let Some(start) = case.events.get(timer.start) {
        let (at, event) = (full(timer.start_ms), show::event_label(start));
        line(
            LedgerText::Start { timer, at: &at, event: &event, worker: &name(start) },
            json!({ "kind": "start", "at": instant::rfc3339(timer.start_ms), "event": start.word }),
        );
        told_late(start, timer.start_ms > start.counted_ms, &mut line);
    }
    let category = rules.category_name(&case.category);
    line(
        LedgerText::Allowed { timer, category, level: case.level, rules: version },
        json!({
            "kind": "allowed",
            "n": timer.allowance.n,
            "unit": timer.allowance.unit,
            "minutes": timer.counted.allowed_ms / 60_000,
        }),
    );
    for (at, days) in &timer.extensions {
        let Some(event) = case.events.get(*at) else { continue };
        let when = full(event.counted_ms);
        line(
            LedgerText::Extended { days: *days, at: &when, worker: &name(event) },
            json!({ "kind": "extended", "days": days, "at": instant::rfc3339(event.counted_ms) }),
        );
    }
    for counted in &timer.counted.lines {
        let (day, from, to, data) = counted_line(counted);
        line(LedgerText::Line { line: counted, day: &day, from: &from, to: &to }, data);
    }
    let due = timer.due_ms.map(full);
    line(
        LedgerText::Due { at: due.as_deref() },
        json!({ "kind": "due", "at": timer.due_ms.map(instant::rfc3339) }),
    );
    let standing = timer.standing(now_ms);
    match timer.end.and_then(|at| case.events.get(at)).zip(timer.end_ms) {
        Some((end, end_ms)) => {
            let (at, event) = (full(end_ms), show::event_label(end));
            line(
                LedgerText::End { event: &event, at: &at, standing: standing.label() },
                json!({ "kind": "end", "at": instant::rfc3339(end_ms), "state": standing.name() }),
            );
            told_late(end, false, &mut line);
        }
        None => line(
            LedgerText::Standing { standing: standing.label() },
            json!({ "kind": "now", "state": standing.name() }),
        ),
    }
    lines
}

/// What a claim that differs from what the relay or its author had seen came to, and whether the next person's
/// time `waits` for that.
fn told_late(event: &CaseEvent, waits: bool, line: &mut impl FnMut(LedgerText<'_>, Value)) {
    let label = show::event_label(event);
    let (claimed, counted) = (full(event.claimed_ms), full(event.counted_ms));
    let data = |kind: &str| {
        json!({
            "kind": kind,
            "claimed_at": instant::rfc3339(event.claimed_ms),
            "received_at": show::time_or_null(event.received_ms),
            "counted_at": instant::rfc3339(event.counted_ms),
        })
    };
    if event.back_dated {
        line(
            LedgerText::BackDated { event: &label, claimed: &claimed, counted: &counted },
            data("back-dated"),
        );
    } else if event.counted_ms < event.claimed_ms {
        line(LedgerText::Bounded { event: &label, claimed: &claimed, counted: &counted }, data("bounded"));
    }
    if event.received_ms > event.claimed_ms.saturating_add(OFFLINE_MS_MIN) {
        let received = full(event.received_ms);
        line(
            LedgerText::Gap { event: &label, claimed: &claimed, received: &received, waits },
            data("offline"),
        );
    }
}

fn counted_line(line: &Line) -> (String, String, String, Value) {
    match line {
        Line::Counted { day, from_ms, to_ms, counted_ms, left_ms, make_up } => (
            dated(*day),
            clock(*from_ms),
            clock(*to_ms),
            json!({
                "kind": "counted",
                "day": day,
                "from": instant::rfc3339(*from_ms),
                "to": instant::rfc3339(*to_ms),
                "minutes": counted_ms / 60_000,
                "left_minutes": left_ms / 60_000,
                "make_up": make_up,
            }),
        ),
        Line::Skipped { day, why } => {
            use wangge_model::deadline::Why;
            let (kind, name) = match why {
                Why::Weekend => ("weekend", None),
                Why::Holiday(name) => ("holiday", Some(name.as_str())),
                Why::OffHours => ("off-hours", None),
                Why::Suspended => ("suspended", None),
            };
            let data = json!({ "kind": kind, "day": day, "name": name, "minutes": 0 });
            (dated(*day), String::new(), String::new(), data)
        }
        Line::Suspended { from_ms, to_ms } => (
            String::new(),
            full(*from_ms),
            to_ms.map(full).unwrap_or_default(),
            json!({
                "kind": "suspension",
                "from": instant::rfc3339(*from_ms),
                "to": to_ms.map(instant::rfc3339),
            }),
        ),
        Line::Provisional { year } => {
            (String::new(), String::new(), String::new(), json!({ "kind": "provisional", "year": year }))
        }
    }
}

/// `2026-11-25 周三`.
fn dated(day: Day) -> String {
    const NAMES: [&str; 7] = ["周四", "周五", "周六", "周日", "周一", "周二", "周三"];
    format!("{day} {}", NAMES[(day.0 % 7) as usize])
}

/// `2026-11-25 10:05`.
fn full(ms: u64) -> String {
    instant::rfc3339(ms).get(..16).unwrap_or_default().replace('T', " ")
}

/// `10:05`; midnight at the end of a day as `24:00`.
fn clock(ms: u64) -> String {
    instant::rfc3339(ms).get(11..16).unwrap_or_default().to_owned()
}
