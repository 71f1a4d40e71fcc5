//! Carrying over between cases and the orders of teams, whoever does it: the relay as things arrive, a
//! workstation of the centre when it works on a case.

use std::collections::BTreeSet;

use wangge_model::case::{CrossingTarget, EventKind, Order, Rulebook, crossings, order_id};
use wangge_model::document::{DocumentView, Target};
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;

use super::office::{book, folded};
use crate::command::work::assist;
use crate::replica::{Edit, Replica, ReplicaError, Touched};
use crate::text::veil;

/// Rounds after which the rest waits for the next news: what is carried over can make more due.
const ROUNDS_MAX: usize = 4;

/// Carries over what is due for the cases and orders in `touched`. Returns how many transactions it was.
///
/// # Errors
/// [`ReplicaError`]: what was not carried over stays due.
pub fn carry_over(replica: &Replica, touched: &BTreeSet<Touched>) -> Result<usize, ReplicaError> {
    if touched.is_empty() {
        return Ok(0);
    }
    let book = book(replica)?;
    let mut cases = BTreeSet::new();
    let mut done = 0;
    for (scope, kind, doc) in touched {
        if *kind == Kind::CASE {
            cases.insert((scope.clone(), *doc));
        } else if *kind == Kind::ASSIST {
            done += assist::settle(replica, scope, doc)?;
        } else if let Some(order) = replica.get(scope, *kind, doc)?
            && let (Ok(scope), Ok(case)) = (order.text("scope").parse(), order.text("case").parse())
        {
            cases.insert((scope, case));
        }
    }
    for (scope, case) in cases {
        done += settle(replica, &book, &scope, &case)?;
    }
    Ok(done)
}

/// Carries over what is due for one case after something of it was saved. What cannot be carried over now waits
/// for the next time: what was saved stands, and nobody is told otherwise.
pub(super) fn settle_later(replica: &Replica, book: &Rulebook, scope: &Scope, case: &DocId) {
    if let Err(error) = settle(replica, book, scope, case) {
        tracing::warn!(%scope, %error, "what has come of a case is carried over later");
    }
}

/// Carries over what is due for one case.
pub(super) fn settle(
    replica: &Replica,
    book: &Rulebook,
    scope: &Scope,
    case: &DocId,
) -> Result<usize, ReplicaError> {
    let carrier = replica.acting().map(|acting| acting.role);
    let Some(role) = carrier.filter(|role| matches!(role, Role::CentreClerk | Role::CentreAdmin)) else {
        return Ok(0);
    };
    let held: BTreeSet<Scope> = replica.open_scopes().into_iter().collect();
    let mut done = 0;
    for _ in 0..ROUNDS_MAX {
        let Some(document) = replica.get(scope, Kind::CASE, case)? else { break };
        let view = folded(replica, book, scope, &document)?;
        let mut orders = Vec::new();
        for (_, event) in view.counted().filter(|(_, event)| event.kind == Some(EventKind::Dispatch)) {
            for team in event.told.to.iter().map(|to| &to.scope).filter(|to| matches!(to, Scope::Team(_))) {
                let id = order_id(case, &event.log, event.seq, event.index, team);
                if let Some(order) = replica.get(team, Kind::ORDER, &id)? {
                    orders.push(order_of(replica, team, order)?);
                }
            }
        }
        let facts = facts(replica, scope, &document)?;
        let mut due = crossings(&view, &facts, &orders, (role, &Scope::Centre), book);
        due.retain(|crossing| held.contains(&crossing.scope));
        if due.is_empty() {
            break;
        }
        for mut crossing in due {
            for op in crossing.ops.iter_mut().filter(|_| crossing.kind == Kind::ORDER) {
                // What the dispatcher asks for is his own words, which may hold a resident's numbers.
                if op.target == Target::Field("request".to_owned())
                    && let Some(value) = &mut op.value
                {
                    *value = veil(&value.to_text()).into();
                }
            }
            let edit = Edit { doc: crossing.doc, kind: crossing.kind, ops: crossing.ops };
            replica.commit(&crossing.scope, vec![edit], Some(crossing.wall_ms))?;
            done += 1;
        }
    }
    Ok(done)
}

/// An order without what the relay found void, and with when it observed the rest.
pub(super) fn order_of(
    replica: &Replica,
    team: &Scope,
    mut view: DocumentView,
) -> Result<Order, ReplicaError> {
    if let Some(events) = view.histories.get_mut("events") {
        events.retain(|event| replica.void_reason(team, &event.log, event.seq).is_none());
        for event in events {
            event.observed_ms = replica.observed_ms(team, event)?;
        }
    }
    Ok(Order::of(team, &view))
}

/// What of a case its orders may carry.
fn facts(replica: &Replica, scope: &Scope, view: &DocumentView) -> Result<CrossingTarget, ReplicaError> {
    let mut place = view.text("location");
    if let Ok(id) = view.text("place").parse::<DocId>()
        && let Some(found) = match replica.get(scope, Kind::PLACE, &id)? {
            None => replica.get(scope, Kind::ENTERPRISE, &id)?,
            found => found,
        }
    {
        let (name, address) = (found.text("name"), found.text("address"));
        place = [name, address].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(",");
    }
    Ok(CrossingTarget {
        scope: Some(scope.clone()),
        number: view.text("number"),
        official_number: view.text("official_number"),
        text: veil(&view.text("text")),
        place,
    })
}
