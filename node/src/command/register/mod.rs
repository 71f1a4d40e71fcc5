//! The registers: add, set, show, list, find, and what is done with a whole record.

mod list;
mod record;
mod show;

pub(super) use record::request_move;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::document::{DocumentView, Scalar};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::{GENERATION, Kind, MOVED_TO};

use super::edits::{Edits, Reader, needed};
use super::key::{self, Target};
use super::shown::{self, headline};
use super::units::Units;
use super::{Answer, CommandError, DossierArgs, place};
use crate::command::instant::When;
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, RegisterMessage, Word};

/// What can be done with a register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum RegisterCommand {
    /// Registers one.
    Add(AddArgs),
    /// Sets fields of one.
    Set(SetArgs),
    /// Shows one.
    Show(ShowArgs),
    /// Lists them.
    List(ListArgs),
    /// Finds some by a part of name, phone, address or number.
    Find(FindArgs),
    /// Closes a record: it stands for nobody any more.
    Close(CloseArgs),
    /// Lists likely duplicates.
    Duplicates(ListArgs),
    /// Lets one record stand for two.
    Merge(MergeArgs),
    /// Undoes that.
    Unmerge(UnmergeArgs),
    /// Asks for a record to be moved to another unit.
    Move(MoveArgs),
    /// Links two records.
    Link(LinkArgs),
    /// Removes such a link.
    Unlink(UnlinkArgs),
    /// A copy of all that is held on a resident.
    Dossier(DossierArgs),
}

/// What to register.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct AddArgs {
    /// `field=value` …
    #[arg(required = true)]
    pub fields: Vec<String>,
    /// The grid: `grid:CODE`, a code or a village's name.
    #[arg(long)]
    pub unit: Option<String>,
    /// If the number is registered already, sets the fields there.
    #[arg(long)]
    pub merge: bool,
    /// The person has no ID number.
    #[arg(long)]
    pub no_id: bool,
    /// Registers although there are likely matches.
    #[arg(long)]
    pub anyway: bool,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SetArgs {
    /// Which one.
    pub key: String,
    /// `field=value` …; an empty value deletes.
    #[arg(required = true)]
    pub fields: Vec<String>,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ShowArgs {
    /// Which one.
    pub key: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// Why numbers are to be shown in full.
    #[arg(long, value_name = "REASON")]
    pub unmask: Option<String>,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ListArgs {
    /// One grid only.
    #[arg(long)]
    pub unit: Option<String>,
    /// At most so many.
    #[arg(long)]
    pub limit: Option<usize>,
}

/// What to find.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct FindArgs {
    /// A part of name, phone or address, or the end of a number.
    pub text: String,
    /// One grid only.
    #[arg(long)]
    pub unit: Option<String>,
    /// At most so many.
    #[arg(long)]
    pub limit: Option<usize>,
}

/// What to close.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct CloseArgs {
    /// Which one.
    pub key: String,
    /// Why.
    #[arg(long)]
    pub reason: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// Which records are one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct MergeArgs {
    /// The one that gives way.
    pub key: String,
    /// The one that stands for both.
    #[arg(long, value_name = "KEY")]
    pub into: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// Which record stands for itself again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct UnmergeArgs {
    /// The one that gave way.
    pub key: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to move.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct MoveArgs {
    /// Which one.
    pub key: String,
    /// Where to.
    #[arg(long, value_name = "SCOPE")]
    pub to: String,
    /// Why.
    #[arg(long)]
    pub reason: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct LinkArgs {
    /// Which one.
    pub key: String,
    /// The other one.
    #[arg(long, value_name = "KEY")]
    pub to: String,
    /// What the other one is to it.
    #[arg(long = "as", value_name = "WORD", default_value = "")]
    pub role: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to link no longer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct UnlinkArgs {
    /// Which one.
    pub key: String,
    /// The other one.
    #[arg(long, value_name = "KEY")]
    pub to: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

pub(super) fn execute(
    replica: &Replica,
    kind: Kind,
    command: &RegisterCommand,
) -> Result<Answer, CommandError> {
    match command {
        RegisterCommand::Add(args) => add(replica, kind, args),
        RegisterCommand::Set(args) => set(replica, kind, args),
        RegisterCommand::Show(args) => show::show(replica, kind, args),
        RegisterCommand::List(args) => list::list(replica, kind, args),
        RegisterCommand::Find(args) => list::find(replica, kind, args),
        RegisterCommand::Duplicates(args) => list::duplicates(replica, kind, args),
        RegisterCommand::Close(args) => record::close(replica, kind, args),
        RegisterCommand::Merge(args) => record::merge(replica, kind, args),
        RegisterCommand::Unmerge(args) => record::unmerge(replica, kind, args),
        RegisterCommand::Move(args) => record::move_away(replica, kind, args),
        RegisterCommand::Link(args) => record::link(replica, kind, args),
        RegisterCommand::Unlink(args) => record::unlink(replica, kind, args),
        RegisterCommand::Dossier(_) => Err(CommandError::usage("person-only", &Message::DossierPersonOnly)),
    }
}

fn natural_key(kind: Kind) -> &'static str {
    kind.spec().and_then(|spec| spec.natural_key).unwrap_or_default()
}

fn add(replica: &Replica, kind: Kind, args: &AddArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let mut edits = Edits::parse(&Reader::new(replica), kind, &args.fields)?;
    let units = Units::load(replica)?;
    let typed_unit = edits.take("unit").flatten().map(|unit| unit.to_text());
    let implied = linked_unit(replica, kind, &edits)?;
    let said = args.unit.as_deref().or(typed_unit.as_deref()).or(implied.as_deref());
    let unit = units.choose(said)?;
    let scope = unit.scope.clone();
    let number = edits.text(natural_key(kind));
    let named_otherwise = edits.text("document_number").is_some();
    if kind == Kind::PERSON && number.is_none() && !named_otherwise && !args.no_id {
        return Err(CommandError::usage("id-missing", &Message::IdMissing));
    }
    let mut also_in = Vec::new();
    for other in replica.open_scopes().into_iter().filter(|other| *other != scope) {
        if let Some(number) = &number
            && let Some(view) = replica.by_natural_key(&other, kind, number)?
        {
            also_in.push((other, view));
        }
    }
    let (doc, generation, known) = document_for(replica, kind, &scope, &edits)?;
    if let Some(view) = known {
        if !args.merge {
            let line = format!("  {}", headline(&units, &scope, &view));
            let error = CommandError::failed("already-registered", &Message::AlreadyRegistered);
            // Without a number of its own a record is known by what it links.
            let key = Some(natural_key(kind)).filter(|key| !key.is_empty());
            let key = key.or_else(|| needed(kind).first()?.first().copied());
            return Err(error.on(key.unwrap_or("key")).with(&[line]));
        }
        check_here(&view)?;
        edits.check_together(kind, Some(&view))?;
        return save(replica, &Target { scope, view }, edits, at_ms);
    }
    edits.check_together(kind, None)?;
    let name = edits.text("name").unwrap_or_default();
    if number.is_none() && !args.anyway {
        let likely = likely(replica, kind, &scope, &name, edits.text("phone").as_deref())?;
        if !likely.is_empty() {
            let lines: Vec<String> =
                likely.iter().map(|view| format!("  {}", headline(&units, &scope, view))).collect();
            return Err(CommandError::failed("likely-matches", &Message::LikelyMatches).with(&lines));
        }
    }
    if generation > 0 {
        edits.put(GENERATION, Scalar::Int(i64::from(generation)));
    }
    if !unit.name.is_empty() {
        edits.put("unit", unit.name.as_str());
    }
    let mut warnings = std::mem::take(&mut edits.warnings);
    for (other, view) in &also_in {
        let at = headline(&units, other, view);
        warnings.push(Message::AlsoRegistered { at: &at }.both());
    }
    let committed = replica.commit(&scope, vec![Edit { doc, kind, ops: edits.into_ops() }], at_ms)?;
    let also: Vec<Value> =
        also_in.iter().map(|(scope, view)| json!({ "scope": scope, "id": view.id.to_string() })).collect();
    saved(replica, kind, &scope, &doc, committed.is_some(), true, &warnings, &also)
}

/// Where the records are that a residency or a tenancy links, the dwelling or house before the person.
fn linked_unit(replica: &Replica, kind: Kind, edits: &Edits) -> Result<Option<String>, CommandError> {
    if ![Kind::RESIDENCY, Kind::TENANCY].contains(&kind) {
        return Ok(None);
    }
    for (field, of) in [("house", Kind::HOUSE), ("dwelling", Kind::DWELLING), ("person", Kind::PERSON)] {
        if let Some(Ok(doc)) = edits.text(field).map(|id| id.parse::<DocId>())
            && let Some((scope, _)) = replica.find(of, &doc)?
        {
            return Ok(Some(scope.to_string()));
        }
    }
    Ok(None)
}

/// The id for what is to be registered, its generation, and the document if it is registered already.
fn document_for(
    replica: &Replica,
    kind: Kind,
    scope: &Scope,
    edits: &Edits,
) -> Result<(DocId, u32, Option<DocumentView>), ReplicaError> {
    if let Some(number) = edits.text(natural_key(kind)) {
        let known = replica.by_natural_key(scope, kind, &number)?;
        let (doc, generation) = replica.natural_id(scope, kind, &number)?;
        return Ok((doc, generation, known));
    }
    if let Some(identity) = place::identity_of(kind, edits, scope) {
        let (doc, generation) = place::derived_id(replica, scope, kind, &identity)?;
        return Ok((doc, generation, replica.get(scope, kind, &doc)?));
    }
    Ok((DocId(replica.random()?), 0, None))
}

/// Open documents of the same name or phone.
fn likely(
    replica: &Replica,
    kind: Kind,
    scope: &Scope,
    name: &str,
    phone: Option<&str>,
) -> Result<Vec<DocumentView>, ReplicaError> {
    let mut found = Vec::new();
    if name.is_empty() {
        return Ok(found);
    }
    replica.each(scope, kind, |view| {
        let same = view.text("name") == name || phone.is_some_and(|phone| view.text("phone") == phone);
        if same && !view.is_closed() {
            found.push(view);
        }
        found.len() < 10
    })?;
    Ok(found)
}

fn set(replica: &Replica, kind: Kind, args: &SetArgs) -> Result<Answer, CommandError> {
    let mut edits = Edits::parse(&Reader::new(replica), kind, &args.fields)?;
    let target = key::resolve(replica, &[kind], &args.key, args.unit.as_deref())?;
    check_here(&target.view)?;
    if let Some(unit) = edits.take("unit") {
        let units = Units::load(replica)?;
        // A record lives where its unit is; moving it is a hand-over.
        let typed = unit.map(|unit| unit.to_text()).unwrap_or_default();
        let unit = units.named(&typed)?;
        if unit.scope != target.scope {
            let (from, to) = (target.scope.to_string(), unit.shown());
            return Err(CommandError::failed("other-unit", &Message::OtherUnit { from: &from, to: &to }));
        }
        if !unit.name.is_empty() {
            edits.put("unit", unit.name.as_str());
        }
    }
    edits.check_together(kind, Some(&target.view))?;
    if let Some(number) = edits.text(natural_key(kind)) {
        check_free(replica, &Units::load(replica)?, &target, &number)?;
    }
    save(replica, &target, edits, args.when.ms(replica)?)
}

/// Refuses to write to a record that has moved to another unit.
fn check_here(view: &DocumentView) -> Result<(), CommandError> {
    let to = view.text(MOVED_TO);
    if to.is_empty() {
        return Ok(());
    }
    let message = RegisterMessage::MovedAway { name: &shown::title(view), to: &to };
    Err(CommandError::failed("moved-away", &Message::Register(message)))
}

/// Refuses a number that stands for another document of the same grid.
pub(super) fn check_free(
    replica: &Replica,
    units: &Units,
    target: &Target,
    number: &str,
) -> Result<(), CommandError> {
    match replica.by_natural_key(&target.scope, target.view.kind, number)? {
        Some(holder) if holder.id != target.view.id => {
            let line = format!("  {}", headline(units, &target.scope, &holder));
            Err(CommandError::failed("number-taken", &Message::NumberTaken).with(&[line]))
        }
        _ => Ok(()),
    }
}

fn save(
    replica: &Replica,
    target: &Target,
    mut edits: Edits,
    at_ms: Option<u64>,
) -> Result<Answer, CommandError> {
    let warnings = std::mem::take(&mut edits.warnings);
    let Target { scope, view } = target;
    let edit = Edit { doc: view.id, kind: view.kind, ops: edits.into_ops() };
    let committed = replica.commit(scope, vec![edit], at_ms)?;
    saved(replica, view.kind, scope, &view.id, committed.is_some(), false, &warnings, &[])
}

#[allow(clippy::too_many_arguments, reason = "the parts of one answer")]
fn saved(
    replica: &Replica,
    kind: Kind,
    scope: &Scope,
    doc: &DocId,
    changed: bool,
    created: bool,
    warnings: &[String],
    also_in: &[Value],
) -> Result<Answer, CommandError> {
    let delivery = replica.delivery(scope, kind, doc)?;
    let name = replica.get(scope, kind, doc)?.map_or_else(String::new, |view| shown::title(&view));
    let id = shown::short_id(doc);
    let message = match (changed, created) {
        (false, _) => Message::NothingChanged { name: &name, id: &id },
        (true, created) => Message::Saved { name: &name, id: &id, created },
    };
    let mut text = format!("{}  {}", message.line(), Word::of_delivery(delivery).zh());
    for warning in warnings {
        text.push_str("\n! ");
        text.push_str(warning);
    }
    let json = json!({
        "id": doc.to_string(),
        "scope": scope,
        "kind": kind.to_string(),
        "name": name,
        "created": created && changed,
        "changed": changed,
        "delivery": delivery,
        "warnings": warnings,
        "also_in": also_in,
    });
    Ok(Answer { json, text })
}
