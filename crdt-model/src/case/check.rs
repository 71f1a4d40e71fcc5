//! Checking a command before it is written: whether the worker may do this to the case now, and if not,
//! who could.

use super::course::Why;
use super::event::{EventKind, Told};
use super::fold::{CaseView, next_step};
use super::rules::Rulebook;
use super::table::{Who, posts, row_of};
use super::{Actor, Site, State};
use crate::identity::{Role, Scope};

/// Why a command is not done, and who could.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The event.
    pub kind: EventKind,
    /// The state that the case is in.
    pub state: State,
    /// What stands in the way.
    pub why: Why,
    /// Who could do it, whatever the state: what it takes, and the posts that meet it as far as that can
    /// be told without knowing persons.
    pub who: Vec<(Who, Vec<Role>)>,
    /// The states in which it can be done.
    pub from: &'static [State],
}

/// Whether one of the worker's posts allows the event now; the post that does, with the event as it is to
/// be written. `held` in the order in which he would use them.
///
/// # Errors
/// [`Refusal`] of the post that came closest.
pub fn check(
    view: &CaseView,
    site: &Site,
    held: &[Actor],
    told: &Told,
    book: &Rulebook,
) -> Result<Told, Refusal> {
    let Some(kind) = told.kind() else {
        return Err(refusal(view, EventKind::Note, Why::Who));
    };
    let mut closest: Option<Why> = None;
    for post in held {
        let reaches = site.reached_from(post.role, &post.unit)
            || (told.via.is_some() && matches!(post.unit, Scope::Centre));
        let outcome = match kind {
            _ if !reaches => Err(Why::Who),
            EventKind::Note if posts(kind).contains(&post.role) => Ok(()),
            EventKind::Note => Err(Why::Who),
            _ => next_step(view, kind, told, post, book).and_then(|_| in_sight(site, kind, told)),
        };
        match outcome {
            Ok(()) => {
                let mut told = told.clone();
                told.role = Some(post.role);
                told.unit = Some(post.unit.clone());
                return Ok(told);
            }
            // A post that may do it, though not now, says more than one that never may.
            Err(why) => {
                if closest.as_ref().is_none_or(|before| *before == Why::Who) {
                    closest = Some(why);
                }
            }
        }
    }
    Err(refusal(view, kind, closest.unwrap_or(Why::Who)))
}

/// Whether all whom a dispatch names hold the scope in which the case lies. Teams get orders of their own.
fn in_sight(site: &Site, kind: EventKind, told: &Told) -> Result<(), Why> {
    let sees = |scope: &Scope| match scope {
        Scope::Grid(_) => site.reached_from(Role::GridLeader, scope),
        Scope::Area(_) => site.reached_from(Role::AreaClerk, scope),
        _ => true,
    };
    let blind = told.to.iter().find(|target| !sees(&target.scope));
    match blind.filter(|_| kind == EventKind::Dispatch) {
        Some(target) => Err(Why::OutOfSight { scope: target.scope.clone() }),
        None => Ok(()),
    }
}

fn refusal(view: &CaseView, kind: EventKind, why: Why) -> Refusal {
    let row = row_of(kind);
    let who = match row {
        Some(row) => row.who.iter().map(|who| (*who, who.could(kind, view.tier))).collect(),
        None => vec![(Who::Post, posts(kind).to_vec())],
    };
    Refusal { kind, state: view.state, why, who, from: row.map_or(&[][..], |row| row.from) }
}
