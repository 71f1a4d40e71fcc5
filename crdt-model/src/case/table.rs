//! The table of a case's events: in which states each counts, and who exactly may write it. Admission
//! knows the roles alone (`schema/case.rs`); whose level it is, who was given the case and who handled it
//! follow from the case itself.

use super::course::Course;
use super::{Actor, EventKind, State, Tier};
use crate::identity::{Role, Scope};

/// One row.
#[derive(Debug)]
pub struct Row {
    /// The event.
    pub kind: EventKind,
    /// The states in which it counts.
    pub from: &'static [State],
    /// Who may write it; one of these is enough.
    pub who: &'static [Who],
}

/// Who may write an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Whoever holds one of these posts.
    Post(&'static [Role]),
    /// Whoever owns the level: 网格长, the area, the centre.
    Owner,
    /// Whoever owns the level, if there is one above it.
    OwnerBelowCentre,
    /// Whoever owns the level, or a level above it.
    OwnerOrAbove,
    /// 承办: whoever was given the case.
    Assignee,
    /// Whoever gave it, or a level above his.
    Dispatcher,
    /// Whoever holds one of these posts and had no hand in the handling.
    NotHandler(&'static [Role]),
    /// Whoever reported it.
    Reporter,
}

const CENTRE: &[Role] = &[Role::CentreClerk, Role::CentreAdmin];
const LEADERS: &[Role] = &[Role::CentreClerk, Role::CentreAdmin, Role::StreetLeader];

use State::{Archived, Closed, Dispatched, Evaluated, Handled, InProgress, Registered, Rejected, Reported};

/// States in which a case can be merged into another: all but those of a merged one.
const ANY: &[State] =
    &[Reported, Registered, Rejected, Dispatched, InProgress, Handled, Closed, Evaluated, Archived];

const fn row(kind: EventKind, from: &'static [State], who: &'static [Who]) -> Row {
    Row { kind, from, who }
}

/// The table. A note is no part of it: it can be written at any time.
pub const TABLE: &[Row] = &[
    row(
        EventKind::Report,
        &[],
        &[Who::Post(&[
            Role::GridWorker,
            Role::GridLeader,
            Role::WindowClerk,
            Role::CentreClerk,
            Role::CentreAdmin,
        ])],
    ),
    row(EventKind::CloseOnSpot, &[Reported], &[Who::Post(&[Role::GridWorker, Role::GridLeader])]),
    row(EventKind::Verify, &[Reported], &[Who::Post(&[Role::GridWorker])]),
    row(EventKind::Register, &[Reported], &[Who::Owner]),
    row(EventKind::Reject, &[Reported], &[Who::Owner]),
    row(EventKind::Escalate, &[Reported, Registered], &[Who::OwnerBelowCentre]),
    // While it is under way the centre can still call in another team (art. 12).
    row(EventKind::Dispatch, &[Registered, Dispatched, InProgress], &[Who::OwnerOrAbove]),
    row(EventKind::AppointLead, &[Dispatched, InProgress], &[Who::Post(&[Role::StreetLeader])]),
    row(EventKind::Accept, &[Dispatched, InProgress], &[Who::Assignee]),
    row(EventKind::Return, &[Dispatched, InProgress], &[Who::Assignee]),
    row(EventKind::Extend, &[InProgress], &[Who::Assignee, Who::Dispatcher]),
    row(EventKind::Suspend, &[InProgress], &[Who::Assignee, Who::Dispatcher]),
    row(EventKind::Resume, &[InProgress], &[Who::Assignee, Who::Dispatcher]),
    row(EventKind::Feedback, &[InProgress], &[Who::Assignee]),
    row(
        EventKind::Check,
        &[Handled],
        &[Who::NotHandler(&[Role::GridWorker, Role::CentreClerk, Role::CentreAdmin])],
    ),
    row(EventKind::Evaluate, &[Closed], &[Who::Reporter, Who::Post(CENTRE)]),
    row(EventKind::Archive, &[Closed, Evaluated], &[Who::Post(CENTRE)]),
    row(EventKind::Urge, State::OPEN, &[Who::Post(LEADERS)]),
    row(EventKind::Supervise, State::OPEN, &[Who::Post(LEADERS)]),
    row(EventKind::Reopen, &[Closed], &[Who::Post(CENTRE)]),
    row(EventKind::Merge, ANY, &[Who::Post(CENTRE)]),
];

/// The row of an event.
pub fn row_of(kind: EventKind) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.kind == kind)
}

impl Who {
    pub(super) fn holds(self, course: &Course, actor: &Actor) -> bool {
        match self {
            Self::Post(roles) => roles.contains(&actor.role),
            Self::Owner => course.tier.owners().contains(&actor.role),
            Self::OwnerBelowCentre => {
                course.tier != Tier::Centre && course.tier.owners().contains(&actor.role)
            }
            Self::OwnerOrAbove => owns_from(course.tier, actor.role),
            Self::Assignee => course.assignment_of(actor).is_some(),
            Self::Dispatcher => {
                let tier = course.dispatched_by.unwrap_or(course.tier);
                owns_from(tier, actor.role)
            }
            Self::NotHandler(roles) => {
                roles.contains(&actor.role) && !course.handlers.contains(&actor.worker)
            }
            Self::Reporter => course.reporter == Some(actor.worker),
        }
    }

    /// The posts that could, as far as posts alone tell; units and persons are said by the texts.
    pub fn roles(self, tier: Tier) -> Vec<Role> {
        match self {
            Self::Post(roles) | Self::NotHandler(roles) => roles.to_vec(),
            Self::Owner => tier.owners().to_vec(),
            Self::OwnerBelowCentre if tier == Tier::Centre => Vec::new(),
            Self::OwnerBelowCentre => tier.owners().to_vec(),
            Self::OwnerOrAbove | Self::Dispatcher => [Tier::Grid, Tier::Area, Tier::Centre]
                .into_iter()
                .filter(|above| *above >= tier)
                .flat_map(|above| above.owners().iter().copied())
                .collect(),
            Self::Assignee | Self::Reporter => Vec::new(),
        }
    }
}

/// Whether a post owns cases of `tier` or of a level above.
fn owns_from(tier: Tier, role: Role) -> bool {
    [Tier::Grid, Tier::Area, Tier::Centre]
        .into_iter()
        .any(|above| above >= tier && above.owners().contains(&role))
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
