//! Where a case stands, and which level owns it.

use serde::{Deserialize, Serialize};

use crate::identity::{Role, Scope};

/// Where a case stands. Never stored: it is a fold over the case's events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// 已上报.
    Reported,
    /// 已立案.
    Registered,
    /// 不予受理.
    Rejected,
    /// 已派遣.
    Dispatched,
    /// 处理中.
    InProgress,
    /// 已处理,待核查.
    Handled,
    /// 已结案.
    Closed,
    /// 已评价.
    Evaluated,
    /// 已归档.
    Archived,
    /// 已并案.
    Merged,
}

impl State {
    /// All states with their names in JSON and in Chinese.
    pub const ALL: [(Self, &'static str, &'static str); 10] = [
        (Self::Reported, "reported", "已上报"),
        (Self::Registered, "registered", "已立案"),
        (Self::Rejected, "rejected", "不予受理"),
        (Self::Dispatched, "dispatched", "已派遣"),
        (Self::InProgress, "in-progress", "处理中"),
        (Self::Handled, "handled", "已处理"),
        (Self::Closed, "closed", "已结案"),
        (Self::Evaluated, "evaluated", "已评价"),
        (Self::Archived, "archived", "已归档"),
        (Self::Merged, "merged", "已并案"),
    ];

    /// States in which something is still to be done.
    pub const OPEN: &'static [Self] =
        &[Self::Reported, Self::Registered, Self::Dispatched, Self::InProgress, Self::Handled];

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(state, _, _)| *state == self).map_or("", |(_, name, _)| name)
    }

    /// The name that people read.
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(state, _, _)| *state == self).map_or("", |(_, _, label)| label)
    }

    /// The state of that name, in either language.
    pub fn named(typed: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, name, label)| *name == typed || *label == typed)
            .map(|(state, _, _)| *state)
    }

    /// Whether something is still to be done.
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }
}

/// The level that owns a case (分级): escalation moves it up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// 网格.
    Grid,
    /// 片区.
    Area,
    /// 社管中心.
    Centre,
}

impl Tier {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Area => "area",
            Self::Centre => "centre",
        }
    }

    /// The name that people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Grid => "网格",
            Self::Area => "片区",
            Self::Centre => "社管中心",
        }
    }

    /// The level above.
    pub fn above(self) -> Option<Self> {
        match self {
            Self::Grid => Some(Self::Area),
            Self::Area => Some(Self::Centre),
            Self::Centre => None,
        }
    }

    /// The level on which a post decides about cases; teams, windows and whoever administers security or audit
    /// decide on none.
    pub fn of(role: Role) -> Option<Self> {
        match role {
            Role::GridWorker | Role::GridLeader => Some(Self::Grid),
            Role::AreaClerk | Role::AreaHead => Some(Self::Area),
            Role::CentreClerk | Role::CentreAdmin | Role::StreetLeader => Some(Self::Centre),
            Role::TeamMember
            | Role::TeamLead
            | Role::WindowClerk
            | Role::SecurityAdmin
            | Role::AuditAdmin => None,
        }
    }
}

/// Who acts: a worker in one of his posts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// The worker.
    pub worker: crate::identity::DocId,
    /// The post in which he acts.
    pub role: Role,
    /// Where he holds it.
    pub unit: Scope,
}

/// Where a case lives: what decides which posts reach it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// The grid.
    pub scope: Scope,
    /// Its area's code, `None` if that is not known here.
    pub area: Option<String>,
}

impl Site {
    /// Whether a post at `unit` reaches a case here: the same unit, the grid around a sub-grid, the area
    /// of the grid, the centre. A team reaches its orders, never the case itself.
    pub fn reached_from(&self, role: Role, unit: &Scope) -> bool {
        if !role.fits(unit) {
            return false;
        }
        match unit {
            Scope::Street | Scope::Centre => role.serves_street(unit),
            Scope::Area(code) => self.area.as_ref().is_none_or(|area| area == code),
            Scope::Grid(code) => {
                let own = self.scope.code();
                own == code || own.strip_prefix(code.as_str()).is_some_and(|rest| rest.starts_with('-'))
            }
            Scope::Team(_) | Scope::Audit => false,
        }
    }
}
