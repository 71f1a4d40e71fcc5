//! Records of the organisation: offices, teams, windows, work points, devices, reference documents, forces.
//! Documents of `street`, so that everybody has them without a network.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::document::{DocumentView, Op, Scalar, Target as OpTarget};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::{CLOSED, Kind};

use crate::command::edits::{Edits, Reader};
use crate::command::instant::When;
use crate::command::key::{self, Target};
use crate::command::units::Units;
use crate::command::workers::Workers;
use crate::command::{Answer, CommandError, file, shown};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Label, Message, RegisterMessage};

/// Longest text of a reference document, in bytes.
const TEXT_LEN_BYTES_MAX: u64 = 512 * 1024;
/// Characters in one part of it.
const PART_CHARS: usize = 3_000;
/// Parts in one transaction.
const PARTS_TOGETHER_MAX: usize = 4;
/// Begins the keys under which the parts stand.
const PART: &str = "text:";

/// 六办一中心 (art. 5): there until the centre writes others of the same code.
const OFFICES: [(&str, &str); 7] = [
    ("party", "党政办"),
    ("social", "社会事业办"),
    ("economy", "经济发展办"),
    ("law", "综治政法办"),
    ("construction", "建设管理办"),
    ("finance", "财政办"),
    ("centre", "社管中心"),
];

/// What can be done with such records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum OrgRecordCommand {
    /// Adds one.
    Add(RecordArgs),
    /// Sets fields of one.
    Set(SetRecordArgs),
    /// Shows one.
    Show(RecordKeyArgs),
    /// Lists them.
    List,
    /// Takes one out of use.
    Close(CloseRecordArgs),
}

/// What to take out of use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct CloseRecordArgs {
    /// Its id, name or code.
    pub key: String,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RecordArgs {
    /// `field=value` …
    #[arg(required = true)]
    pub fields: Vec<String>,
    /// A file with its text.
    #[arg(long)]
    pub text_file: Option<PathBuf>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SetRecordArgs {
    /// Which one: its id, name or code.
    pub key: String,
    /// `field=value` …; an empty value deletes.
    pub fields: Vec<String>,
    /// A file with its text.
    #[arg(long)]
    pub text_file: Option<PathBuf>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// Which one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RecordKeyArgs {
    /// Its id, name or code.
    pub key: String,
}

impl OrgRecordCommand {
    pub(super) fn files(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Add(args) => args.text_file.iter_mut().collect(),
            Self::Set(args) => args.text_file.iter_mut().collect(),
            _ => Vec::new(),
        }
    }
}

pub(super) fn execute(
    replica: &Replica,
    kind: Kind,
    command: &OrgRecordCommand,
) -> Result<Answer, CommandError> {
    match command {
        OrgRecordCommand::Add(args) => {
            let doc = DocId(replica.random()?);
            write(replica, kind, doc, None, &args.fields, args.text_file.as_ref(), args.when.ms(replica)?)
        }
        OrgRecordCommand::Set(args) => {
            let view = match find(replica, kind, &args.key) {
                Ok(view) => view,
                // A team that only the roster has: what is said of it begins its record.
                Err(error) => {
                    let Some((scope, name)) = roster_team(replica, kind, &args.key)? else {
                        return Err(error);
                    };
                    let mut fields = args.fields.clone();
                    fields.push(format!("scope={scope}"));
                    if !fields.iter().any(|typed| typed.starts_with("name=")) {
                        fields.push(format!("name={name}"));
                    }
                    let doc = DocId(replica.random()?);
                    return write(
                        replica,
                        kind,
                        doc,
                        None,
                        &fields,
                        args.text_file.as_ref(),
                        args.when.ms(replica)?,
                    );
                }
            };
            write(
                replica,
                kind,
                view.id,
                Some(&view),
                &args.fields,
                args.text_file.as_ref(),
                args.when.ms(replica)?,
            )
        }
        OrgRecordCommand::Show(args) => match find(replica, kind, &args.key) {
            Ok(view) => show(replica, &view),
            Err(error) => match roster_team(replica, kind, &args.key)? {
                Some((scope, name)) => {
                    Ok(Answer { text: format!("{name} ({scope})"), json: team_json(&scope, &name) })
                }
                None => Err(error),
            },
        },
        OrgRecordCommand::List => list(replica, kind),
        OrgRecordCommand::Close(args) => {
            let view = find(replica, kind, &args.key)?;
            let op = Op { target: OpTarget::Field(CLOSED.to_owned()), value: Some(Scalar::Bool(true)) };
            replica.commit(
                &Scope::Street,
                vec![Edit { doc: view.id, kind, ops: vec![op] }],
                args.when.ms(replica)?,
            )?;
            let (name, id) = (shown::title(&view), shown::short_id(&view.id));
            let message = RegisterMessage::Closed { name: &name, id: &id };
            Ok(Answer {
                json: json!({ "id": view.id.to_string(), "name": name, "closed": true }),
                text: Message::Register(message).line(),
            })
        }
    }
}

fn label(kind: Kind, field: &str) -> Label<'static> {
    kind.spec().and_then(|spec| spec.field(field)).map_or(Label { en: "", zh: "" }, Label::from)
}

/// What a record of a kind must say.
pub(in crate::command) fn needed(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::REFERENCE => &["name", "version", "approver"],
        Kind::TEAM => &["scope", "name"],
        Kind::WORK_POINT => &["scope"],
        Kind::DEVICE => &["scope", "device_kind"],
        _ => &["name"],
    }
}

/// Whether a record of a kind can belong to a unit: a team's to a team, a work point to a grid or, where there
/// is no room, to its area (art. 23), a window to the centre or an area (art. 9, 17).
fn belongs(kind: Kind, scope: &Scope) -> bool {
    match kind {
        Kind::TEAM => matches!(scope, Scope::Team(_)),
        Kind::WORK_POINT => matches!(scope, Scope::Grid(_) | Scope::Area(_)),
        Kind::WINDOW => matches!(scope, Scope::Area(_) | Scope::Centre | Scope::Street),
        _ => true,
    }
}

/// The units that it can belong to, as they are typed.
fn homes(kind: Kind) -> &'static str {
    match kind {
        Kind::TEAM => "team:CODE",
        Kind::WORK_POINT => "grid:CODE, area:CODE",
        Kind::WINDOW => "centre, area:CODE",
        _ => "-",
    }
}

/// Checks what must hold between fields.
fn check(
    replica: &Replica,
    kind: Kind,
    edits: &Edits,
    before: Option<&DocumentView>,
) -> Result<(), CommandError> {
    let after = |field: &str| match edits.has(field) {
        true => edits.text(field).unwrap_or_default(),
        false => before.map(|view| view.text(field)).unwrap_or_default(),
    };
    let mut needed = needed(kind).to_vec();
    if kind == Kind::TEAM && is_ad_hoc(&after("kind")) {
        // 为解决某项疑难问题抽调的团队: somebody leads it, and it ends.
        needed.extend(["lead", "purpose", "starts_on"]);
    }
    let teams = || -> Result<String, CommandError> {
        let roster = replica.roster()?;
        let teams = roster.units().iter().filter(|(scope, _)| matches!(scope, Scope::Team(_)));
        Ok(teams.map(|(scope, unit)| format!("{scope} {}", unit.name)).collect::<Vec<_>>().join("、"))
    };
    for field in needed {
        if after(field).is_empty() {
            if (kind, field) == (Kind::TEAM, "scope") {
                let known = teams()?;
                let message = RegisterMessage::TeamUnknown { typed: "", known: &known };
                return Err(CommandError::failed("field-missing", &Message::Register(message)).on(field));
            }
            let message = RegisterMessage::FieldMissing { label: label(kind, field) };
            return Err(CommandError::failed("field-missing", &Message::Register(message)).on(field));
        }
    }
    let (starts, ends) = (after("starts_on"), after("ends_on"));
    if !starts.is_empty() && !ends.is_empty() && ends < starts {
        let message = RegisterMessage::EndsBeforeItBegins { from: &starts, to: &ends };
        return Err(CommandError::failed("date-order", &Message::Register(message)).on("ends_on"));
    }
    if kind == Kind::TEAM && edits.has("kind") && !["常设", "临时"].contains(&after("kind").as_str()) {
        let message = RegisterMessage::CodeUnknown {
            label: label(kind, "kind"),
            typed: &after("kind"),
            allowed: "常设、临时",
            table: "",
        };
        return Err(CommandError::failed("code-unknown", &Message::Register(message)).on("kind"));
    }
    let scope = after("scope");
    if edits.has("scope") && !scope.is_empty() {
        let known = replica.roster()?;
        let known = scope.parse::<Scope>().is_ok_and(|scope| {
            matches!(scope, Scope::Street | Scope::Centre) || known.units().contains_key(&scope)
        });
        if !known && kind == Kind::TEAM {
            let known = teams()?;
            let message = RegisterMessage::TeamUnknown { typed: &scope, known: &known };
            return Err(CommandError::failed("unit-unknown", &Message::Register(message)).on("scope"));
        }
        if !known {
            let units = Units::load(replica)?.known();
            let message = Message::UnitUnknown { typed: &scope, units: &units };
            return Err(CommandError::failed("unit-unknown", &message).on("scope"));
        }
        if !scope.parse::<Scope>().is_ok_and(|scope| belongs(kind, &scope)) {
            let (label, homes) = (label(kind, "scope"), homes(kind));
            let message = RegisterMessage::UnitOfKind { label, typed: &scope, homes };
            return Err(CommandError::failed("unit-kind", &Message::Register(message)).on("scope"));
        }
        // One record says what a team is for; a second one would contradict it in silence.
        let again = |view: &DocumentView| {
            view.text("scope") == scope && before.is_none_or(|before| before.id != view.id)
        };
        if kind == Kind::TEAM
            && let Some(other) = records(replica, kind)?.iter().find(|view| again(view))
        {
            let (name, id) = (shown::title(other), shown::short_id(&other.id));
            let message = RegisterMessage::TeamRecorded { unit: &scope, name: &name, id: &id };
            return Err(CommandError::failed("team-recorded", &Message::Register(message)).on("scope"));
        }
    }
    Ok(())
}

pub(super) fn is_ad_hoc(kind: &str) -> bool {
    kind == "临时"
}

/// A unit as it was typed, as a scope where it can be told.
fn normal_scope(replica: &Replica, edits: &mut Edits) -> Result<(), CommandError> {
    if let Some(typed) = edits.text("scope")
        && typed.parse::<Scope>().is_err()
    {
        let units = Units::load(replica)?;
        if let crate::command::units::Meant::One(unit) = units.meant(&typed) {
            let scope = unit.scope.to_string();
            edits.put("scope", scope);
        }
    }
    Ok(())
}

fn write(
    replica: &Replica,
    kind: Kind,
    doc: DocId,
    before: Option<&DocumentView>,
    fields: &[String],
    text_file: Option<&PathBuf>,
    at_ms: Option<u64>,
) -> Result<Answer, CommandError> {
    let has = |name: &str| kind.spec().is_some_and(|spec| spec.field(name).is_some());
    // Everywhere else it is called the unit.
    let fields: Vec<String> = fields
        .iter()
        .map(|typed| match typed.split_once(['=', '＝']) {
            Some(("unit" | "单位", value)) if has("scope") && !has("unit") => format!("scope={value}"),
            _ => typed.clone(),
        })
        .collect();
    let mut edits = Edits::parse(&Reader::new(replica), kind, &fields)?;
    normal_scope(replica, &mut edits)?;
    check(replica, kind, &edits, before)?;
    let text = match text_file {
        Some(path) => Some(file::read_text(path, TEXT_LEN_BYTES_MAX).map_err(|error| error.on("text_file"))?),
        None => None,
    };
    let mut ops = edits.into_ops();
    let entry = |key: String, value: Option<Scalar>| Op {
        target: OpTarget::Entry { container: "extra".to_owned(), key },
        value,
    };
    let mut later = Vec::new();
    if let Some(text) = text {
        let chars: Vec<char> = text.chars().collect();
        let parts: Vec<String> = chars.chunks(PART_CHARS).map(|part| part.iter().collect()).collect();
        let there = before.and_then(|view| view.sets.get("extra")).into_iter().flatten();
        let keys: Vec<String> = (0..parts.len()).map(|at| format!("{PART}{at:04}")).collect();
        let gone = there.map(|(key, _)| key).filter(|key| key.starts_with(PART) && !keys.contains(key));
        ops.extend(gone.map(|key| entry(key.clone(), None)));
        later.extend(keys.into_iter().zip(parts).map(|(key, part)| entry(key, Some(part.into()))));
    }
    // The text first: a document with its version is whole.
    for part in later.chunks(PARTS_TOGETHER_MAX) {
        replica.commit(&Scope::Street, vec![Edit { doc, kind, ops: part.to_vec() }], at_ms)?;
    }
    if !ops.is_empty() {
        replica.commit(&Scope::Street, vec![Edit { doc, kind, ops }], at_ms)?;
    }
    let Some(view) = replica.get(&Scope::Street, kind, &doc)? else {
        return Err(ReplicaError::Form("nothing was written".to_owned()).into());
    };
    let delivery = replica.delivery(&Scope::Street, kind, &doc)?;
    let (name, id) = (shown::title(&view), shown::short_id(&doc));
    let message = Message::Saved { name: &name, id: &id, created: before.is_none() };
    Ok(Answer { json: record_json(replica, &view, Some(delivery))?, text: message.line() })
}

/// Records of a kind that are in use, with the shipped offices.
pub(super) fn records(replica: &Replica, kind: Kind) -> Result<Vec<DocumentView>, ReplicaError> {
    let mut found = Vec::new();
    replica.each(&Scope::Street, kind, |view| {
        if !view.is_closed() {
            found.push(view);
        }
        true
    })?;
    found.sort_by_cached_key(|view| (view.text("scope"), view.text("name"), view.id));
    Ok(found)
}

/// Teams of the roster that nothing was ever recorded of.
fn roster_teams(replica: &Replica) -> Result<Vec<(Scope, String)>, ReplicaError> {
    let mut recorded = Vec::new();
    replica.each(&Scope::Street, Kind::TEAM, |view| {
        recorded.push(view.text("scope"));
        true
    })?;
    let roster = replica.roster()?;
    let teams = roster.units().iter().filter(|(scope, _)| matches!(scope, Scope::Team(_)));
    let teams = teams.filter(|(scope, _)| !recorded.contains(&scope.to_string()));
    Ok(teams.map(|(scope, unit)| (scope.clone(), unit.name.clone())).collect())
}

fn roster_team(replica: &Replica, kind: Kind, key: &str) -> Result<Option<(Scope, String)>, ReplicaError> {
    if kind != Kind::TEAM {
        return Ok(None);
    }
    let key = key.trim();
    Ok(roster_teams(replica)?
        .into_iter()
        .find(|(scope, name)| name == key || scope.to_string() == key || scope.code() == key))
}

fn team_json(scope: &Scope, name: &str) -> Value {
    json!({ "id": null, "kind": "team", "scope": scope, "name": name, "ad_hoc": false })
}

fn find(replica: &Replica, kind: Kind, key: &str) -> Result<DocumentView, CommandError> {
    let named: Vec<DocumentView> = records(replica, kind)?
        .into_iter()
        .filter(|view| ["name", "code", "scope"].iter().any(|field| view.text(field) == key.trim()))
        .collect();
    match <[DocumentView; 1]>::try_from(named) {
        Ok([view]) => Ok(view),
        Err(_) => {
            let Target { view, .. } = key::resolve(replica, &[kind], key, None)?;
            Ok(view)
        }
    }
}

fn text_of(view: &DocumentView) -> String {
    let parts = view.sets.get("extra").into_iter().flatten();
    let text: String = parts
        .filter(|(key, _)| key.starts_with(PART))
        .map(|(_, register)| register.shown.value.to_text())
        .collect();
    if text.is_empty() { view.text("text") } else { text }
}

fn record_json(
    replica: &Replica,
    view: &DocumentView,
    delivery: Option<crate::replica::Delivery>,
) -> Result<Value, CommandError> {
    let units = Units::load(replica)?;
    let mut json = json!({ "id": view.id.to_string(), "kind": view.kind.to_string() });
    for field in view.kind.spec().map(|spec| spec.fields).unwrap_or_default() {
        if let Some(value) = view.value(field.name) {
            json[field.name] = shown::value_json(field.name, value, shown::Sight::Full);
            if let wangge_model::schema::Form::Code(table) = field.form
                && let Some(label) = units.codes().label(table, &value.to_text())
            {
                json[format!("{}_label", field.name)] = label.into();
            }
        }
    }
    if view.kind == Kind::REFERENCE {
        json["text"] = text_of(view).into();
    }
    if view.kind == Kind::TEAM {
        json["ad_hoc"] = is_ad_hoc(&view.text("kind")).into();
    }
    if let Some(delivery) = delivery {
        json["delivery"] = json!(delivery);
    }
    Ok(json)
}

fn show(replica: &Replica, view: &DocumentView) -> Result<Answer, CommandError> {
    let delivery = replica.delivery(&Scope::Street, view.kind, &view.id)?;
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let json = record_json(replica, view, Some(delivery))?;
    let mut text = match view.kind {
        Kind::REFERENCE => {
            let line = |field: &str| match view.text(field) {
                text if text.is_empty() => None,
                text => Some(format!("{}:{text}", label(view.kind, field).zh)),
            };
            let fields = ["name", "version", "approver", "approved_on", "effective_on", "drafter"];
            fields.iter().filter_map(|field| line(field)).collect::<Vec<_>>().join("\n")
        }
        _ => shown::document_text(&workers, &units, &Scope::Street, view, delivery, shown::Sight::Full),
    };
    if view.kind == Kind::REFERENCE {
        text.push_str("\n\n");
        text.push_str(&text_of(view));
    }
    Ok(Answer { json, text })
}

fn list(replica: &Replica, kind: Kind) -> Result<Answer, CommandError> {
    let found = records(replica, kind)?;
    let mut json = Vec::new();
    let mut lines = Vec::new();
    if kind == Kind::OFFICE {
        let known = |code: &str, name: &str| {
            found.iter().any(|view| view.text("code") == code || view.text("name") == name)
        };
        for (code, name) in OFFICES.iter().filter(|(code, name)| !known(code, name)) {
            json.push(json!({ "id": null, "kind": "office", "code": code, "name": name }));
            lines.push(format!("{code}  {name}"));
        }
    }
    if kind == Kind::TEAM {
        for (scope, name) in roster_teams(replica)? {
            json.push(team_json(&scope, &name));
            lines.push(format!("{scope}  {name}"));
        }
    }
    for view in &found {
        let mut entry = record_json(replica, view, None)?;
        if let Some(entry) = entry.as_object_mut()
            && kind == Kind::REFERENCE
        {
            entry.remove("text");
        }
        json.push(entry);
        let parts =
            ["name", "scope", "version", "kind", "lines", "lead", "head", "approver", "phone", "status"];
        let parts: Vec<String> =
            parts.iter().map(|field| view.text(field)).filter(|text| !text.is_empty()).collect();
        lines.push(format!("{}  {}", shown::short_id(&view.id), parts.join("  ")));
    }
    lines.push(Message::Listed { shown: json.len(), total: json.len() }.line());
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}
