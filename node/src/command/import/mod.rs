//! Taking an Excel ledger in.
//!
//! Rows of one person or place are put together first, later cells over earlier ones, and written
//! once: so importing the same file again changes nothing. A blank cell deletes nothing, and a field
//! that is in open conflict is left to the people who settle it.

mod columns;
mod groups;
mod pending;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_ledger::{Refusal, Warning};
use wangge_model::document::{DocumentView, Op, Scalar, Target};
use wangge_model::identity::Scope;
use wangge_model::schema::{GENERATION, Kind};

use groups::{Group, Groups, Meaning, resolve};
use pending::Pending;
use row::{Sheet, Slot, read};

use super::units::{Meant, Units, list};
use super::{Answer, CommandError, Progress};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, Word};

/// Under what key a place keeps a licence number that is no credit code.
pub(super) const LICENCE_NUMBER: &str = "licence_number";
/// Refused rows and warnings that people see; programs see all.
const LINES_MAX: usize = 20;

/// Which ledger to take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ImportKind {
    /// Residents.
    Residents,
    /// Enterprises and other places.
    Places,
}

/// What to take in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
pub struct ImportArgs {
    /// Which ledger it is.
    pub kind: ImportKind,
    /// The workbook.
    pub file: PathBuf,
    /// Only says what would happen.
    #[arg(long)]
    pub dry_run: bool,
}

/// What an import comes to.
#[derive(Default)]
struct Outcome {
    imported: u64,
    updated: u64,
    unchanged: u64,
    skipped_other_unit: u64,
    /// Fields left alone because they are in open conflict.
    conflicts: u64,
    /// Values here that other ones of the ledger replace.
    replaced_values: u64,
    transactions: u64,
}

pub(super) fn execute(
    replica: &Replica,
    args: &ImportArgs,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    let kind = match args.kind {
        ImportKind::Residents => Kind::PERSON,
        ImportKind::Places => Kind::PLACE,
    };
    let units = Units::load(replica)?;
    if units.is_empty() {
        return Err(CommandError::failed("units-unknown", &Message::NoUnitsYet));
    }
    progress.step(Word::Reading.zh(), 0, 1);
    let mut sheet = read(replica, args)?;
    progress.step(Word::Reading.zh(), 1, 1);
    let mut outcome = Outcome::default();
    let groups = sort_by_scope(&units, &mut sheet, &mut outcome);

    let total: usize = groups.values().map(|groups| groups.all.len()).sum();
    let mut done = 0;
    for (scope, groups) in groups {
        let mut pending = Pending::new(replica, &scope, args.dry_run);
        for Meaning { group, doc, view, generation } in resolve(replica, &scope, kind, groups)? {
            done += 1;
            progress.step(Word::Saving.zh(), done, total as u64);
            if view.is_none() {
                sheet.warnings.extend(elsewhere(replica, &units, &scope, kind, &group)?);
            }
            let ops = changes(&group, view.as_ref(), generation, &units.name(&scope), &mut outcome);
            count(&group, view.is_none(), !ops.is_empty(), &mut outcome);
            if !ops.is_empty() {
                pending.add(Edit { doc, kind, ops }).map_err(|error| broken_off(error, done, total))?;
            }
        }
        pending.flush().map_err(|error| broken_off(error, done, total))?;
        outcome.transactions += pending.transactions;
    }
    Ok(answer(args, &sheet, &outcome))
}

/// What was saved before a failure stays saved: say so.
fn broken_off(error: ReplicaError, done: u64, total: usize) -> CommandError {
    let after = Message::ImportBrokenOff { done, total }.both();
    CommandError::from(error).with(&[after])
}

/// Matches each row to its unit. What is of units not held here is skipped, flawed rows included: they
/// concern whoever holds that unit.
fn sort_by_scope(units: &Units, sheet: &mut Sheet, outcome: &mut Outcome) -> BTreeMap<Scope, Groups> {
    let is_other = |name: &str| matches!(units.meant(name), Meant::One(unit) if !units.holds(&unit.scope));
    let mut skipped = BTreeSet::new();
    sheet.refused.retain(|refusal| {
        let other = refusal.unit_name.as_deref().is_some_and(is_other);
        if other {
            outcome.skipped_other_unit += 1;
            skipped.insert(refusal.row);
        }
        !other
    });
    let mut groups: BTreeMap<Scope, Groups> = BTreeMap::new();
    let only_sheet = match sheet.sheets.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    for incoming in std::mem::take(&mut sheet.incoming) {
        let mut refuse = |code, message: &Message<'_>| {
            sheet.refused.push(Refusal {
                sheet: only_sheet.clone().unwrap_or_default(),
                row: incoming.row,
                unit_name: Some(incoming.unit_name.clone()),
                code,
                message: message.both().replace('\n', " "),
            });
        };
        let typed = incoming.unit_name.as_str();
        match units.meant(typed) {
            Meant::Unknown => refuse("unit-unknown", &Message::RowUnitUnknown { typed }),
            Meant::Several(several) => {
                let units = list(several);
                refuse("unit-ambiguous", &Message::UnitAmbiguous { typed, units: &units });
            }
            Meant::One(unit) if !units.holds(&unit.scope) => {
                outcome.skipped_other_unit += 1;
                skipped.insert(incoming.row);
            }
            Meant::One(unit) => {
                groups.entry(unit.scope.clone()).or_default().take(&unit.scope, incoming);
            }
        }
    }
    if only_sheet.is_some() {
        sheet.warnings.retain(|warning| !skipped.contains(&warning.row));
    }
    sheet.refused.sort_by_key(|refusal| refusal.row);
    groups
}

/// A new person or place that another unit held here has registered too.
fn elsewhere(
    replica: &Replica,
    units: &Units,
    scope: &Scope,
    kind: Kind,
    group: &Group,
) -> Result<Option<Warning>, ReplicaError> {
    let Some(number) = &group.number else { return Ok(None) };
    for other in replica.open_scopes() {
        if other != *scope && replica.by_natural_key(&other, kind, number)?.is_some() {
            let name = group.values.get(&Slot::Field("name")).map(Scalar::to_text).unwrap_or_default();
            let at = format!("{name} {} ({other})", units.name(&other));
            return Ok(Some(Warning {
                sheet: String::new(),
                row: 0,
                code: "registered-elsewhere",
                message: Message::AlsoRegistered { at: &at }.both().replace('\n', " "),
            }));
        }
    }
    Ok(None)
}

/// What is to be written.
fn changes(
    group: &Group,
    view: Option<&DocumentView>,
    generation: u32,
    unit: &str,
    outcome: &mut Outcome,
) -> Vec<Op> {
    let mut ops = Vec::new();
    let unit = (Slot::Field("unit"), Scalar::from(unit));
    for (slot, value) in group.values.iter().chain(std::iter::once((&unit.0, &unit.1))) {
        match view.and_then(|view| slot.register(view)) {
            Some(register) if !register.others.is_empty() => {
                outcome.conflicts += 1;
                continue;
            }
            Some(register) if register.shown.value == *value => continue,
            Some(_) => outcome.replaced_values += 1,
            None => {}
        }
        ops.push(Op { target: slot.target(), value: Some(value.clone()) });
    }
    if view.is_none() && generation > 0 {
        ops.push(Op {
            target: Target::Field(GENERATION.to_owned()),
            value: Some(Scalar::Int(i64::from(generation))),
        });
    }
    ops
}

/// Counts the rows of a group: the first one stands for what changes, the others for what they added.
fn count(group: &Group, new: bool, changes: bool, outcome: &mut Outcome) {
    for (index, brought) in group.brought.iter().enumerate() {
        match (changes, index, brought) {
            (true, 0, _) if new => outcome.imported += 1,
            (true, 0, _) | (true, _, true) => outcome.updated += 1,
            _ => outcome.unchanged += 1,
        }
    }
}

fn answer(args: &ImportArgs, sheet: &Sheet, outcome: &Outcome) -> Answer {
    let finding = |sheet: &str, row: u32, code: &str, message: &str| -> Value {
        json!({ "sheet": sheet, "row": row, "code": code, "message": message })
    };
    let refused: Vec<Value> =
        sheet.refused.iter().map(|r| finding(&r.sheet, r.row, r.code, &r.message)).collect();
    let warnings: Vec<Value> =
        sheet.warnings.iter().map(|w| finding(&w.sheet, w.row, w.code, &w.message)).collect();
    let mut lines = vec![
        Message::Imported {
            dry_run: args.dry_run,
            rows: sheet.rows,
            imported: outcome.imported,
            updated: outcome.updated,
            unchanged: outcome.unchanged,
            skipped: outcome.skipped_other_unit,
            refused: refused.len(),
        }
        .both(),
    ];
    if outcome.conflicts > 0 {
        lines.push(Message::ImportConflicts { count: outcome.conflicts }.both());
    }
    let findings = sheet.refused.iter().map(|r| (true, r.row, &r.message));
    let findings = findings.chain(sheet.warnings.iter().map(|w| (false, w.row, &w.message)));
    for (refused, row, message) in findings.clone().take(LINES_MAX) {
        lines.push(Message::Finding { refused, row, message }.zh());
    }
    let more = findings.count().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.push(Message::More { more }.line());
    }
    let json = json!({
        "rows": sheet.rows,
        "imported": outcome.imported,
        "updated": outcome.updated,
        "unchanged": outcome.unchanged,
        "skipped_other_unit": outcome.skipped_other_unit,
        "conflicts": outcome.conflicts,
        "replaced_values": outcome.replaced_values,
        "transactions": outcome.transactions,
        "dry_run": args.dry_run,
        "refused": refused,
        "warnings": warnings,
    });
    Answer { json, text: lines.join("\n") }
}
