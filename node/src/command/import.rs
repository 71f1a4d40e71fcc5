//! Taking an Excel ledger in.
//!
//! Rows of one person or place are put together first, later cells over earlier ones, and written
//! once: so importing the same file again changes nothing. A blank cell deletes nothing, and a field
//! that is in open conflict is left to the people who settle it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_ledger::{Ledger, PlaceRow, Refusal, ResidentRow, Warning, read_places, read_residents};
use wangge_model::checks::Sex;
use wangge_model::document::{DocumentView, Op, Register, Scalar, Target};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::{GENERATION, Kind};

use super::units::{Meant, Units, list};
use super::{Answer, CommandError, Progress, place};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, Word};

/// Documents in one transaction.
const TRANSACTION_DOCUMENTS_MAX: usize = 32;
/// Estimated length of one transaction, in bytes; the model takes 64 KiB.
const TRANSACTION_LEN_BYTES_MAX: usize = 48 * 1024;
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

/// Where a value goes: a field, or an entry of the container `extra`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Slot {
    Field(&'static str),
    Extra(&'static str),
}

impl Slot {
    fn target(self) -> Target {
        match self {
            Self::Field(name) => Target::Field(name.to_owned()),
            Self::Extra(key) => Target::Entry { container: "extra".to_owned(), key: key.to_owned() },
        }
    }

    fn register(self, view: &DocumentView) -> Option<&Register> {
        match self {
            Self::Field(name) => view.fields.get(name),
            Self::Extra(key) => view.sets.get("extra")?.get(key),
        }
    }
}

/// One row, whatever its ledger.
struct Incoming {
    row: u32,
    unit_name: String,
    /// ID number or credit code.
    number: Option<String>,
    /// Name and address of a place.
    name_address: Option<(String, String)>,
    values: Vec<(Slot, Scalar)>,
}

fn text(values: &mut Vec<(Slot, Scalar)>, field: &'static str, value: Option<String>) {
    values.extend(value.map(|text| (Slot::Field(field), text.into())));
}

impl Incoming {
    fn resident(row: u32, resident: ResidentRow) -> Self {
        let mut values = vec![
            (Slot::Field("id_number"), resident.id_number.clone().into()),
            (Slot::Field("name"), resident.name.into()),
        ];
        text(&mut values, "sex", resident.sex.map(Sex::code).map(str::to_owned));
        text(&mut values, "kind", resident.kind.map(|kind| kind.code().to_owned()));
        text(&mut values, "phone", resident.phone);
        text(&mut values, "registered_address", resident.registered_address);
        text(&mut values, "current_address", resident.current_address);
        text(&mut values, "employer", resident.employer);
        text(&mut values, "registered_on", resident.registered_on);
        let (number, unit_name) = (Some(resident.id_number), resident.unit_name);
        Self { row, unit_name, number, name_address: None, values }
    }

    fn place(row: u32, place: PlaceRow) -> Self {
        let identity = (place.name.clone(), place.address.clone().unwrap_or_default());
        let mut values = vec![(Slot::Field("name"), place.name.into())];
        text(&mut values, "credit_code", place.credit_code.clone());
        text(&mut values, "category", place.category);
        text(&mut values, "address", place.address);
        text(&mut values, "manager", place.manager);
        text(&mut values, "phone", place.phone);
        let mut put = |field, value: Option<Scalar>| values.extend(value.map(|v| (Slot::Field(field), v)));
        put("staff_count", place.staff_count.map(|count| Scalar::Int(i64::from(count))));
        put("longitude", place.longitude.map(Scalar::F64));
        put("latitude", place.latitude.map(Scalar::F64));
        values.extend(place.licence_number.map(|text| (Slot::Extra(LICENCE_NUMBER), text.into())));
        let number = place.credit_code;
        Self { row, unit_name: place.unit_name, number, name_address: Some(identity), values }
    }
}

/// A ledger with its rows in the common form.
struct Sheet {
    rows: u32,
    incoming: Vec<Incoming>,
    refused: Vec<Refusal>,
    warnings: Vec<Warning>,
    sheets: Vec<String>,
}

fn read(args: &ImportArgs) -> Result<Sheet, CommandError> {
    fn sheet<R>(ledger: Ledger<R>, incoming: impl Fn(u32, R) -> Incoming) -> Sheet {
        let Ledger { rows, accepted, refused, warnings, sheets, .. } = ledger;
        let incoming = accepted.into_iter().map(|(row, record)| incoming(row, record)).collect();
        Sheet { rows, incoming, refused, warnings, sheets }
    }
    Ok(match args.kind {
        ImportKind::Residents => sheet(read_residents(&args.file)?, Incoming::resident),
        ImportKind::Places => sheet(read_places(&args.file)?, Incoming::place),
    })
}

/// All rows of one person or place.
#[derive(Default)]
struct Group {
    number: Option<String>,
    identity: Option<String>,
    values: BTreeMap<Slot, Scalar>,
    /// Whether each row, in the order of the file, brought something that the ones before it had not.
    brought: Vec<bool>,
}

impl Group {
    fn take(&mut self, values: impl IntoIterator<Item = (Slot, Scalar)>) {
        let mut brought = false;
        for (slot, value) in values {
            match self.values.entry(slot) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                    brought = true;
                }
                Entry::Occupied(mut entry) => brought |= entry.insert(value.clone()) != value,
            }
        }
        self.brought.push(brought);
    }

    fn absorb(&mut self, other: Self) {
        self.number = other.number.or(self.number.take());
        let before = self.values.clone();
        self.values.extend(other.values);
        let brought = self.values != before;
        self.brought.extend(other.brought.iter().map(|_| brought));
    }
}

/// The groups of one scope, found by number or by identity.
#[derive(Default)]
struct Groups {
    all: Vec<Group>,
    by_number: BTreeMap<String, usize>,
    by_identity: BTreeMap<String, usize>,
}

impl Groups {
    fn take(&mut self, scope: &Scope, incoming: Incoming) {
        let identity = incoming.name_address.map(|(name, address)| place::identity(&name, &address, scope));
        let fits = |index: &usize| {
            let known = &self.all[*index].number;
            known.is_none() || incoming.number.is_none() || *known == incoming.number
        };
        let found = incoming
            .number
            .as_ref()
            .and_then(|number| self.by_number.get(number))
            .or_else(|| {
                identity.as_ref().and_then(|identity| self.by_identity.get(identity)).filter(|i| fits(i))
            })
            .copied();
        let index = found.unwrap_or(self.all.len());
        if found.is_none() {
            self.all.push(Group::default());
        }
        let group = &mut self.all[index];
        if let Some(number) = incoming.number {
            group.number = Some(number.clone());
            self.by_number.insert(number, index);
        }
        if let Some(identity) = identity {
            group.identity.get_or_insert_with(|| identity.clone());
            self.by_identity.entry(identity).or_insert(index);
        }
        group.take(incoming.values);
    }
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
    let mut sheet = read(args)?;
    progress.step(Word::Reading.zh(), 1, 1);
    let mut outcome = Outcome::default();
    let groups = sort_by_scope(&units, &mut sheet, &mut outcome);

    let total: usize = groups.values().map(|groups| groups.all.len()).sum();
    let mut done = 0;
    for (scope, groups) in groups {
        let mut pending = Pending::new(replica, &scope, args.dry_run);
        for (doc, group, view, generation) in resolve(replica, &scope, kind, groups.all)? {
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

/// Matches each row to its unit.
fn sort_by_scope(units: &Units, sheet: &mut Sheet, outcome: &mut Outcome) -> BTreeMap<Scope, Groups> {
    let mut groups: BTreeMap<Scope, Groups> = BTreeMap::new();
    let only_sheet = match sheet.sheets.as_slice() {
        [only] => only.clone(),
        _ => String::new(),
    };
    for incoming in std::mem::take(&mut sheet.incoming) {
        let mut refuse = |code, message: &Message<'_>| {
            sheet.refused.push(Refusal {
                sheet: only_sheet.clone(),
                row: incoming.row,
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
            Meant::One(unit) if !units.holds(&unit.scope) => outcome.skipped_other_unit += 1,
            Meant::One(unit) => {
                groups.entry(unit.scope.clone()).or_default().take(&unit.scope, incoming);
            }
        }
    }
    sheet.refused.sort_by_key(|refusal| refusal.row);
    groups
}

type Resolved = (DocId, Group, Option<DocumentView>, u32);

/// Which document each group means. Two groups that mean the same one become one.
fn resolve(
    replica: &Replica,
    scope: &Scope,
    kind: Kind,
    groups: Vec<Group>,
) -> Result<Vec<Resolved>, ReplicaError> {
    let known = if kind == Kind::PLACE { identities(replica, scope)? } else { BTreeMap::new() };
    let mut resolved: Vec<Resolved> = Vec::with_capacity(groups.len());
    let mut taken: BTreeMap<DocId, usize> = BTreeMap::new();
    for group in groups {
        let (doc, view, generation) = document_of(replica, scope, kind, &group, &known)?;
        match taken.entry(doc) {
            Entry::Occupied(entry) => resolved[*entry.get()].1.absorb(group),
            Entry::Vacant(entry) => {
                entry.insert(resolved.len());
                resolved.push((doc, group, view, generation));
            }
        }
    }
    Ok(resolved)
}

fn document_of(
    replica: &Replica,
    scope: &Scope,
    kind: Kind,
    group: &Group,
    known: &BTreeMap<String, BTreeSet<DocId>>,
) -> Result<(DocId, Option<DocumentView>, u32), ReplicaError> {
    if let Some(number) = &group.number
        && let Some(view) = replica.by_natural_key(scope, kind, number)?
    {
        return Ok((view.id, Some(view), 0));
    }
    // A place that is here under its name and address: without a code, or the row has none.
    if let Some(ids) = group.identity.as_ref().and_then(|identity| known.get(identity)) {
        for id in ids {
            if let Some(view) = replica.get(scope, kind, id)?
                && (group.number.is_none() || view.text("credit_code").is_empty())
            {
                return Ok((*id, Some(view), 0));
            }
        }
    }
    let (doc, generation) = match (&group.number, &group.identity) {
        (Some(number), _) => replica.natural_id(scope, kind, number)?,
        (None, Some(identity)) => place::derived_id(replica, scope, identity)?,
        (None, None) => (DocId(crate::replica::random()?), 0),
    };
    let view = replica.get(scope, kind, &doc)?;
    Ok((doc, view, generation))
}

/// Identity -> open places of a scope.
fn identities(replica: &Replica, scope: &Scope) -> Result<BTreeMap<String, BTreeSet<DocId>>, ReplicaError> {
    let mut known: BTreeMap<String, BTreeSet<DocId>> = BTreeMap::new();
    replica.each(scope, Kind::PLACE, |view| {
        if !view.is_closed() {
            let identity = place::identity(&view.text("name"), &view.text("address"), scope);
            known.entry(identity).or_default().insert(view.id);
        }
        true
    })?;
    Ok(known)
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
    for other in replica.scopes() {
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

/// Edits on their way into transactions of a scope.
struct Pending<'a> {
    replica: &'a Replica,
    scope: &'a Scope,
    dry_run: bool,
    edits: Vec<Edit>,
    len_bytes: usize,
    transactions: u64,
}

impl<'a> Pending<'a> {
    fn new(replica: &'a Replica, scope: &'a Scope, dry_run: bool) -> Self {
        Self { replica, scope, dry_run, edits: Vec::new(), len_bytes: 0, transactions: 0 }
    }

    fn add(&mut self, edit: Edit) -> Result<(), ReplicaError> {
        let len_bytes = len_bytes(&edit);
        if self.edits.len() == TRANSACTION_DOCUMENTS_MAX
            || self.len_bytes + len_bytes > TRANSACTION_LEN_BYTES_MAX
        {
            self.flush()?;
        }
        self.len_bytes += len_bytes;
        self.edits.push(edit);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ReplicaError> {
        let edits = std::mem::take(&mut self.edits);
        self.len_bytes = 0;
        if self.dry_run || edits.is_empty() {
            return Ok(());
        }
        if self.replica.commit(self.scope, edits, None)?.is_some() {
            self.transactions += 1;
        }
        Ok(())
    }
}

/// About what an edit takes in a transaction.
fn len_bytes(edit: &Edit) -> usize {
    let op = |op: &Op| {
        let value = match &op.value {
            Some(Scalar::Str(text)) => text.len(),
            Some(Scalar::Bytes(bytes)) => bytes.len(),
            _ => 8,
        };
        value + 40
    };
    64 + edit.ops.iter().map(op).sum::<usize>()
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
