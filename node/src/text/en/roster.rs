//! The roster.

use super::super::RosterText;

fn term(from: Option<&str>, until: Option<&str>) -> String {
    match (from, until) {
        (None, None) => String::new(),
        (Some(from), None) => format!(" (from {from})"),
        (None, Some(until)) => format!(" (until {until})"),
        (Some(from), Some(until)) => format!(" ({from} to {until})"),
    }
}

pub(super) fn say(text: &RosterText<'_>) -> String {
    match *text {
        RosterText::WorkerUnknown { typed, known } => {
            format!("the roster has no worker {typed:?}; --new adds one; known: {known}")
        }
        RosterText::WorkerAmbiguous { typed } => {
            format!("several workers are called {typed:?}; give the id:")
        }
        RosterText::DeviceUnknown { typed } => {
            format!(
                "the roster has no device {typed:?}; give its name or six digits of its id, see `roster list`"
            )
        }
        RosterText::DeviceAmbiguous { typed } => {
            format!("{typed:?} means several devices; give the whole id:")
        }
        RosterText::RoleUnknown { typed } => {
            format!(
                "{typed:?} is not a role; use grid-worker, grid-leader, area-clerk, area-head, \
                 centre-clerk, centre-admin, team-member, team-lead, window-clerk, street-leader, \
                 security-admin or audit-admin"
            )
        }
        RosterText::UnitUnknown { typed, known } => {
            format!(
                "this street has no unit {typed:?}; use grid:CODE, area:CODE, team:CODE, centre, street or a name, such as {known}"
            )
        }
        RosterText::Misfit { role, unit } => format!("the role {role} cannot be held at {unit}"),
        RosterText::Excluded { worker, held, role } => {
            format!(
                "{worker} is {held} and cannot be {role} as well: the administrators of the system, of security and \
                 of the audit are different people; choose somebody else, or end that post first with roster leave"
            )
        }
        RosterText::TimeUnreadable { typed } => {
            format!("{typed:?} is not a time; write 2025-11-22 or 2025-11-22 10:05")
        }
        RosterText::TermEmpty => "the end must lie after the beginning".to_owned(),
        RosterText::WhoMissing => "say who: --worker NAME, or a device".to_owned(),
        RosterText::NothingToEnd { worker } => format!("{worker} holds no such post; nothing changed"),
        RosterText::AlreadyRevoked { device } => format!("device {device} has been revoked before"),
        RosterText::NumberRange { name, max } => format!("{name} must lie between 0 and {max}"),
        RosterText::NothingSaid => "nothing to change was given".to_owned(),
        RosterText::Assigned { worker, role, unit, changed: true } => format!("{worker} is {role} at {unit}"),
        RosterText::Assigned { worker, role, unit, changed: false } => {
            format!("{worker} is {role} at {unit} already; nothing changed")
        }
        RosterText::MayUse { worker, device } => format!("{worker} may use device {device}"),
        RosterText::Ended { worker, role, unit, until } => {
            format!("{worker} is {role} at {unit} until {until}")
        }
        RosterText::DeviceLeaves { device, until } => format!("device {device} takes part until {until}"),
        RosterText::Revoked { device, worker } => {
            format!("device {device} ({worker}) is revoked and wiped when it next connects")
        }
        RosterText::Policy { grace_days, lease_days, quarantine_bytes, carried_bytes, pin_required } => {
            format!(
                "{grace_days} days of grace, leases of {lease_days} days, {quarantine_bytes} bytes of quarantine for each revoked device, {carried_bytes} bytes of each device that neighbours carry undecided; devices of grids, teams and windows {} have a PIN",
                if pin_required { "must" } else { "need not" }
            )
        }
        RosterText::Worker { name, id, until } => format!("{name}  {id}{}", term(None, until)),
        RosterText::Post { role, unit, from, until } => format!("  {role} {unit}{}", term(from, until)),
        RosterText::Overruled { by } => {
            format!(
                "    does not count: the worker is {by} as well, and nobody is both; end one with roster leave"
            )
        }
        RosterText::Vacant { roles } => {
            let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            format!(
                "hint: nobody is {} yet; these administrators are best different people",
                roles.join(", ")
            )
        }
        RosterText::Device { device, replica, workers } => format!("{device}  {replica}  {workers}"),
        RosterText::Standing { until: None } => "active".to_owned(),
        RosterText::Standing { until: Some(until) } => format!("until {until}"),
        RosterText::StandsRevoked { reason: "" } => "revoked".to_owned(),
        RosterText::StandsRevoked { reason } => format!("revoked: {reason}"),
        RosterText::Cut { log, upto } => format!("  log {log} counts up to {upto}"),
        RosterText::Wiped { at } => format!("  wiped at {at}, signed by the device"),
        RosterText::Listed { workers, devices, revoked } => {
            format!("{workers} workers, {devices} devices, {revoked} of them revoked")
        }
    }
}
