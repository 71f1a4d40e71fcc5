//! What the centre reads out of everybody's records: the daily summary, analysis, supervision, assessment.

mod analyse;
mod assess;
mod summary;
mod supervise;

use serde_json::Value;

use wangge_model::centre::CaseFact;
use wangge_model::checks::{CheckError, Date};
use wangge_model::identity::Scope;
use wangge_model::work::day;

use super::CommandError;
use super::work::cases;
use super::work::street::Street;
use crate::replica::Replica;

pub use analyse::AnalyseArgs;
pub use assess::AssessCommand;
pub use summary::SummaryArgs;
pub use supervise::SuperviseCommand;

pub(super) use analyse::execute as analyse;
pub(super) use assess::{ScoreArgs, check_marks, execute as assess, score_table};
pub(super) use summary::{execute as summary, table as summary_table};
pub(super) use supervise::execute as supervise;

/// A day that was typed, or `default`.
fn day_or(typed: Option<&str>, default: impl FnOnce() -> Option<Date>) -> Result<Date, CommandError> {
    match typed {
        Some(typed) => Ok(Date::parse(typed).map_err(CheckError::from)?),
        None => {
            default().ok_or_else(|| CheckError::from(wangge_model::checks::date::DateError::Missing).into())
        }
    }
}

/// Today, here.
fn today(replica: &Replica) -> Option<Date> {
    day::of(replica.now_ms())
}

/// The unit that a table is about: what was typed, or this worker's; for the centre the whole street.
fn unit_or_own(street: &Street, typed: Option<&str>) -> Result<Scope, CommandError> {
    let unit = match typed {
        Some(typed) => street.unit(typed)?,
        None => street.actor()?.unit,
    };
    Ok(if unit == Scope::Centre { Scope::Street } else { unit })
}

/// The units below `unit`, itself too, that are held here.
fn held_within(street: &Street, unit: &Scope) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = street.within(unit).into_iter().filter(|unit| street.holds(unit)).collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// The cases of some units.
fn facts(replica: &Replica, scopes: &[Scope]) -> Result<Vec<CaseFact>, CommandError> {
    let seen = cases::all(replica, scopes)?;
    Ok(seen.into_iter().map(|seen| CaseFact::of(&seen.scope, &seen.view, seen.case, seen.timers)).collect())
}

/// A unit for programs.
fn unit_json(street: &Street, unit: &Scope) -> Value {
    serde_json::json!({ "unit": unit.to_string(), "name": street.unit_name(unit) })
}
