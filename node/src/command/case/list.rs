//! Lists of cases, and of the orders of teams.

use serde_json::Value;

use wangge_model::case::{Actor, CaseView, Order, Site, State, awaits};
use wangge_model::deadline::Standing;
use wangge_model::document::DocumentView;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::args::WhichArgs;
use super::office::Office;
use super::{cross, order, show};
use crate::command::shown::{self, Sight};
use crate::command::units::Units;
use crate::command::workers::Workers;
use crate::command::{Answer, CommandError, instant, key};
use crate::replica::{Replica, ReplicaError};
use crate::text::{CaseText, Message, scrub};

/// Lines of a list for people, unless they ask for more.
pub(super) const LIST_LINES: usize = 50;

/// When a case was reported, as its author says.
pub(in crate::command) fn reported_ms(view: &DocumentView) -> u64 {
    let first = view.histories.get("events").and_then(|events| events.first()).map(|event| event.wall_ms);
    first.or_else(|| view.fields.get("text").map(|register| register.shown.wall_ms)).unwrap_or(0)
}

/// Cases, newest first.
pub(in crate::command) fn newest_first(
    replica: &Replica,
    scopes: &[Scope],
) -> Result<Vec<(Scope, DocumentView)>, ReplicaError> {
    of_kind(replica, Kind::CASE, scopes)
}

fn of_kind(
    replica: &Replica,
    kind: Kind,
    scopes: &[Scope],
) -> Result<Vec<(Scope, DocumentView)>, ReplicaError> {
    let mut found = Vec::new();
    let shown = if kind == Kind::CASE { key::shown_cases(replica, scopes) } else { scopes.to_vec() };
    for scope in &shown {
        replica.each(scope, kind, |view| {
            found.push((scope.clone(), view));
            true
        })?;
    }
    found.sort_by_cached_key(|(_, view)| (std::cmp::Reverse(reported_ms(view)), view.id));
    Ok(found)
}

/// Cases of the scopes that `which` names and that are as it says, newest first.
pub(super) fn chosen(
    office: &Office<'_>,
    which: &WhichArgs,
) -> Result<Vec<(Scope, DocumentView, CaseView)>, CommandError> {
    let state = which
        .state
        .as_deref()
        .map(|typed| {
            State::named(typed.trim()).ok_or_else(|| {
                let known: Vec<String> =
                    State::ALL.iter().map(|(_, name, label)| format!("{label} ({name})")).collect();
                let (typed, known) = (scrub(typed), known.join("、"));
                let unknown = CaseText::StateUnknown { typed: &typed, known: &known };
                CommandError::failed("state-unknown", &Message::Case(unknown)).on("state")
            })
        })
        .transpose()?;
    let posts = office.posts()?;
    let now = office.replica.now_ms();
    let mut chosen = Vec::new();
    for (scope, view) in newest_first(office.replica, &scopes(office, which)?)? {
        let case = office.case_in_list(&scope, &view)?;
        let fits = state.is_none_or(|state| case.state == state)
            && (!which.mine || is_mine(&case, &office.site(&scope), &posts, state.is_some()))
            && (!which.flagged || !case.flags.is_empty())
            && (!which.overdue || is_overdue(office, &case, now));
        if fits {
            chosen.push((scope, view, case));
        }
    }
    Ok(chosen)
}

/// The orders that stand in the list of those who hold no case, as `which` says.
pub(super) fn chosen_orders(
    office: &Office<'_>,
    which: &WhichArgs,
) -> Result<Vec<(Scope, DocumentView, Order)>, CommandError> {
    if office.is_centre() || which.unit.is_some() || which.flagged {
        return Ok(Vec::new());
    }
    let state = which.state.as_deref().and_then(|typed| State::named(typed.trim()));
    let now = office.replica.now_ms();
    let mut chosen = Vec::new();
    for (scope, view) in of_kind(office.replica, Kind::ORDER, &office.replica.open_scopes())? {
        let order = cross::order_of(office.replica, &scope, view.clone())?;
        if state.is_none_or(|state| order.state.name() == state.name())
            && (!which.overdue || order::standing(&order, now) == Standing::Overdue)
        {
            chosen.push((scope, view, order));
        }
    }
    Ok(chosen)
}

fn scopes(office: &Office<'_>, which: &WhichArgs) -> Result<Vec<Scope>, CommandError> {
    Ok(match &which.unit {
        Some(unit) => vec![Units::load(office.replica)?.named(unit)?.scope],
        None => office.replica.open_scopes(),
    })
}

/// Whether it waits for the worker, was given to him or his unit, or reported by him; what is done with only if
/// `any_state`.
fn is_mine(case: &CaseView, site: &Site, posts: &[Actor], any_state: bool) -> bool {
    if !any_state && !case.state.is_open() {
        return false;
    }
    posts.iter().any(|post| {
        awaits(case, site, post)
            || case.reporter == Some(post.worker)
            || case.assignees.iter().any(|assignee| match assignee.worker {
                Some(worker) => worker == post.worker,
                None => assignee.scope == post.unit,
            })
    })
}

fn is_overdue(office: &Office<'_>, case: &CaseView, now_ms: u64) -> bool {
    case.state.is_open()
        && show::current(case, office).iter().any(|timer| timer.standing(now_ms) == Standing::Overdue)
}

pub(super) fn list(replica: &Replica, which: &WhichArgs) -> Result<Answer, CommandError> {
    let office = Office::load(replica)?;
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let found = chosen(&office, which)?;
    let limit = which.limit.unwrap_or(usize::MAX);
    let now = replica.now_ms();
    let mut lines = Vec::new();
    let mut json: Vec<Value> = Vec::new();
    for (place, (scope, view, case)) in found.iter().enumerate().take(limit) {
        if place < which.limit.unwrap_or(LIST_LINES) {
            let next = show::current(case, &office).into_iter().filter(|timer| timer.end_ms.is_none());
            let due = next.filter_map(|timer| Some((timer.due_ms?, timer.standing(now)))).min_by_key(|d| d.0);
            let due = due.map_or_else(String::new, |(at, standing)| {
                format!("  {} {}", instant::short(at), standing.label())
            });
            let headline = shown::headline(&units, scope, view);
            lines.push(format!(
                "{}  {headline}  {}{due}",
                instant::short(super::reported_ms(view)),
                case.state.label()
            ));
        }
        let delivery = replica.delivery(scope, Kind::CASE, &view.id)?;
        let mut entry = show::case_json(&office, &workers, scope, view, case, delivery, Sight::Masked);
        entry["at"] = instant::rfc3339(super::reported_ms(view)).into();
        json.push(entry);
    }
    let mut total = found.len();
    for (scope, view, order) in &chosen_orders(&office, which)? {
        total += 1;
        if json.len() >= limit {
            continue;
        }
        let due = order::due_text(order, now);
        let headline = shown::headline(&units, scope, view);
        if lines.len() < which.limit.unwrap_or(LIST_LINES) {
            lines.push(format!("{headline}  {}  {due}", order.state.label()));
        }
        json.push(order::order_json(&office, scope, view, order)?);
    }
    lines.push(Message::Listed { shown: lines.len(), total }.line());
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}
