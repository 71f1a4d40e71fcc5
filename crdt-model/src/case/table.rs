//! The table of a case's events: in which states each counts, and what it takes besides the post. The posts
//! stand in the schema (`schema/case.rs`), where admission reads them as well; whose level it is, who was
//! given the case and who handled it follow from the case itself.

use super::course::Course;
use super::{Actor, CaseView, EventKind, Site, State, Tier};
use crate::identity::{Role, Scope};
use crate::schema;

/// One row.
#[derive(Debug)]
pub struct Row {
    /// The event.
    pub kind: EventKind,
    /// The states in which it counts.
    pub from: &'static [State],
    /// What whoever writes it must be besides holding one of its posts; one of these is enough.
    pub who: &'static [Who],
}

/// What it takes to write an event, besides one of its posts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Nothing.
    Post,
    /// He acts for the centre.
    Centre,
    /// He owns the level: 网格长, the area, the centre.
    Owner,
    /// He owns the level, and there is one above it.
    OwnerBelowCentre,
    /// He owns the level, or a level above it.
    OwnerOrAbove,
    /// 承办: the case was given to him.
    Assignee,
    /// He gave it, or stands on a level above.
    Dispatcher,
    /// He had no hand in the handling.
    NotHandler,
    /// He reported it.
    Reporter,
}

use State::{Archived, Closed, Dispatched, Evaluated, Handled, InProgress, Registered, Rejected, Reported};

/// States in which a case can be merged into another: all but those of a merged one.
const ANY: &[State] =
    &[Reported, Registered, Rejected, Dispatched, InProgress, Handled, Closed, Evaluated, Archived];

const fn row(kind: EventKind, from: &'static [State], who: &'static [Who]) -> Row {
    Row { kind, from, who }
}

/// The table. A note is no part of it: it can be written at any time.
pub const TABLE: &[Row] = &[
    row(EventKind::Report, &[], &[Who::Post]),
    row(EventKind::CloseOnSpot, &[Reported], &[Who::Post]),
    row(EventKind::Verify, &[Reported], &[Who::Post]),
    row(EventKind::Register, &[Reported], &[Who::Owner]),
    row(EventKind::Reject, &[Reported], &[Who::Owner]),
    row(EventKind::Escalate, &[Reported, Registered], &[Who::OwnerBelowCentre]),
    // While it is under way the centre can still call in another team (art. 12).
    row(EventKind::Dispatch, &[Registered, Dispatched, InProgress], &[Who::OwnerOrAbove]),
    row(EventKind::AppointLead, &[Dispatched, InProgress], &[Who::Post]),
    row(EventKind::Accept, &[Dispatched, InProgress], &[Who::Assignee]),
    row(EventKind::Return, &[Dispatched, InProgress], &[Who::Assignee]),
    row(EventKind::Extend, &[InProgress], &[Who::Assignee, Who::Dispatcher]),
    row(EventKind::Suspend, &[InProgress], &[Who::Assignee, Who::Dispatcher]),
    row(EventKind::Resume, &[InProgress], &[Who::Assignee, Who::Dispatcher]),
    row(EventKind::Feedback, &[InProgress], &[Who::Assignee]),
    row(EventKind::Check, &[Handled], &[Who::NotHandler]),
    row(EventKind::Evaluate, &[Closed], &[Who::Reporter, Who::Centre]),
    row(EventKind::Archive, &[Closed, Evaluated], &[Who::Post]),
    row(EventKind::Urge, State::OPEN, &[Who::Post]),
    row(EventKind::Supervise, State::OPEN, &[Who::Post]),
    row(EventKind::Reopen, &[Closed], &[Who::Post]),
    row(EventKind::Merge, ANY, &[Who::Post]),
];

/// The row of an event.
pub fn row_of(kind: EventKind) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.kind == kind)
}

/// The posts that may write an event, whatever the case.
pub fn posts(kind: EventKind) -> &'static [Role] {
    // Both list the events in one order.
    schema::CASE_EVENTS.get(kind as usize).map_or(&[], |event| event.roles)
}

/// Whether a post decides about cases of exactly that level (art. 8, 15, 21).
fn owns(tier: Tier, role: Role) -> bool {
    posts(EventKind::Register).contains(&role) && Tier::of(role) == Some(tier)
}

/// Whether a post decides about cases of that level or of one above.
fn owns_from(tier: Tier, role: Role) -> bool {
    posts(EventKind::Register).contains(&role) && Tier::of(role) >= Some(tier)
}

/// Whether the worker holds a post in which he can be given a case of `scope`.
pub(super) fn can_be_given(role: Role, scope: &Scope) -> bool {
    posts(EventKind::Accept).contains(&role) && role.fits(scope)
}

/// Whether a case waits for somebody in that post: to register or refuse it, to dispatch it, to answer what the
/// assignees ask, to do the work, or to check it. Teams wait for their orders, not for cases.
pub fn awaits(view: &CaseView, site: &Site, post: &Actor) -> bool {
    let course = view.course();
    site.reached_from(post.role, &post.unit)
        && match view.state {
            State::Reported | State::Registered => owns(view.tier, post.role),
            State::Dispatched | State::InProgress => {
                Who::Assignee.holds(course, post)
                    || (!view.asks.is_empty()
                        && Who::Dispatcher.holds(course, post)
                        && owns(view.tier, post.role))
            }
            State::Handled => {
                posts(EventKind::Check).contains(&post.role)
                    && Who::NotHandler.holds(course, post)
                    && (post.role == Role::GridWorker || owns(view.tier, post.role))
            }
            _ => false,
        }
}

impl Who {
    pub(super) fn holds(self, course: &Course, actor: &Actor) -> bool {
        match self {
            Self::Assignee => course.assignment_of(actor).is_some(),
            Self::NotHandler => !course.is_handler(actor.worker),
            Self::Reporter => course.reporter == Some(actor.worker),
            Self::Dispatcher => self.fits(course.dispatched_by.unwrap_or(course.tier), actor.role),
            _ => self.fits(course.tier, actor.role),
        }
    }

    /// Whether a post can meet it on a case that stands on `tier`, as far as posts alone tell.
    fn fits(self, tier: Tier, role: Role) -> bool {
        match self {
            Self::Post | Self::NotHandler => true,
            Self::Centre => Tier::of(role) == Some(Tier::Centre),
            Self::Owner => owns(tier, role),
            Self::OwnerBelowCentre => tier != Tier::Centre && owns(tier, role),
            Self::OwnerOrAbove | Self::Dispatcher => owns_from(tier, role),
            Self::Assignee | Self::Reporter => false,
        }
    }

    /// The posts that could write the event on a case that stands on `tier`, as far as posts alone tell;
    /// units and persons are said by the texts.
    pub(super) fn could(self, kind: EventKind, tier: Tier) -> Vec<Role> {
        posts(kind).iter().copied().filter(|role| self.fits(tier, *role)).collect()
    }
}

/// Whether whoever dispatches in that post may give a case to `scope`: 网格长 in the grid, the area in the
/// area, teams by the centre alone (art. 12).
pub(super) fn may_dispatch_to(role: Role, scope: &Scope) -> bool {
    match Tier::of(role) {
        Some(Tier::Grid) => matches!(scope, Scope::Grid(_)),
        Some(Tier::Area) => matches!(scope, Scope::Grid(_) | Scope::Area(_)),
        Some(Tier::Centre) => matches!(scope, Scope::Grid(_) | Scope::Area(_) | Scope::Team(_)),
        None => false,
    }
}
