//! Documents as programs and people see them.

use serde_json::{Map, Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::checks::{Sex, id_number, phone};
use wangge_model::document::{Claim, DocumentView, EventView, Register, Scalar};
use wangge_model::identity::{DocId, Scope};
use wangge_model::registers::duplicates::Why;
use wangge_model::schema::{Form, Kind, MOVED_FROM, MOVED_TO};

use super::CommandError;
use super::edits::resident_kind;
use super::instant;
use super::merged::MERGED;
use super::units::Units;
use super::workers::Workers;
use crate::replica::{Delivery, Replica};
use crate::text::{Message, Word, veil};

/// Whether identity numbers and phones are shown in full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sight {
    Masked,
    Full,
}

/// The label of a field; its key if a newer version wrote it.
pub(super) fn label(kind: Kind, field: &str) -> &str {
    kind.spec().and_then(|spec| spec.field(field)).map_or(field, |field| field.label)
}

/// A value as people read it.
pub(super) fn value(kind: Kind, field: &str, value: &Scalar, sight: Sight) -> String {
    let text = value.to_text();
    match field {
        "id_number" if sight == Sight::Masked => id_number::mask(&text),
        "phone" if sight == Sight::Masked => phone::mask(&text),
        "document_number" | "permit_number" if sight == Sight::Masked => mask_document(&text),
        "sex" => Sex::parse(&text).map_or(text, |sex| sex.name_zh().to_owned()),
        "source" if kind == Kind::CASE => super::case::source_label(&text).to_owned(),
        "kind" if kind == Kind::PERSON => resident_kind(&text).map_or(text, |kind| kind.name_zh().to_owned()),
        _ => match value {
            Scalar::Bool(true) => Word::Yes.zh().to_owned(),
            Scalar::Bool(false) => Word::No.zh().to_owned(),
            _ if sight == Sight::Masked && is_written(field) => veil(&text),
            _ => text,
        },
    }
}

/// The ends of the number of a passport or permit.
fn mask_document(number: &str) -> String {
    let chars: Vec<char> = number.chars().collect();
    let hidden = |at: usize| at >= 2 && at + 2 < chars.len();
    chars.iter().enumerate().map(|(at, c)| if hidden(at) { '*' } else { *c }).collect()
}

/// Whether people wrote the field freely. Codes and ids are what they are.
fn is_written(field: &str) -> bool {
    !["credit_code", "number", "official_number", "code", "key"].contains(&field)
}

/// A value as programs read it.
pub(super) fn value_json(field: &str, value: &Scalar, sight: Sight) -> Value {
    match (field, value) {
        (_, _) if sight == Sight::Full => value.to_json(),
        ("id_number", _) => id_number::mask(&value.to_text()).into(),
        ("phone", _) => phone::mask(&value.to_text()).into(),
        ("document_number" | "permit_number", _) => mask_document(&value.to_text()).into(),
        (_, Scalar::Str(text)) if is_written(field) => veil(text).into(),
        _ => value.to_json(),
    }
}

/// How much of one record is shown. Reading it is recorded; numbers in full need a reason, and are not
/// shown unless the audit has it.
pub(super) fn sight(
    replica: &Replica,
    scope: &Scope,
    view: &DocumentView,
    reason: Option<&str>,
) -> Result<Sight, CommandError> {
    let (what, sight) = match reason.map(str::trim) {
        None if view.kind != Kind::PERSON => return Ok(Sight::Masked),
        None => (What::READ, Sight::Masked),
        Some("") => return Err(CommandError::usage("reason-missing", &Message::ReasonMissing)),
        Some(_) => (What::UNMASK, Sight::Full),
    };
    let entry = Entry::new(what).about(scope, view.id).because(reason.unwrap_or_default().trim());
    match replica.audit(entry) {
        // A device without room for one more line still shows what hides the numbers.
        Err(error) if sight == Sight::Masked => tracing::error!(%error, "a reading could not be recorded"),
        other => other?,
    }
    Ok(sight)
}

/// A field of a view as people read it, empty if it has none.
pub(super) fn field(view: &DocumentView, name: &str, sight: Sight) -> String {
    view.value(name).map_or_else(String::new, |scalar| value(view.kind, name, scalar, sight))
}

/// A value as people read it, with what its code means.
pub(super) fn coded(units: &Units, kind: Kind, field: &str, scalar: &Scalar, sight: Sight) -> String {
    let text = value(kind, field, scalar, sight);
    let spec = kind.spec().and_then(|spec| spec.field(field));
    match spec.map(|spec| spec.form) {
        // `grid:CODE/ID`: where it was, or went.
        _ if [MOVED_FROM, MOVED_TO].contains(&field) => moved(units, &text),
        Some(Form::Code(table)) => match units.codes().label(table, &text) {
            Some(label) => format!("{text} {label}"),
            None => text,
        },
        _ => text,
    }
}

/// A record's place as the move wrote it, with the unit's name.
fn moved(units: &Units, text: &str) -> String {
    let parts = text
        .split_once('/')
        .and_then(|(scope, doc)| Some((scope.parse::<Scope>().ok()?, doc.parse::<DocId>().ok()?)));
    let Some((scope, doc)) = parts else { return text.to_owned() };
    let name = units.name(&scope);
    if name.is_empty() { text.to_owned() } else { format!("{name} ({scope})  {}", short_id(&doc)) }
}

/// The first digits of an id: enough to name it again on the command line.
pub(super) fn short_id(id: &DocId) -> String {
    id.to_string().chars().take(8).collect()
}

/// What a document is called.
pub(super) fn title(view: &DocumentView) -> String {
    let fields: &[&str] = match view.kind {
        Kind::CASE | Kind::ORDER => &["official_number", "number"],
        Kind::HOUSEHOLD => &["household_number", "address"],
        Kind::DWELLING => &["address"],
        Kind::HOUSE => &["house_number", "address"],
        Kind::PERSON => &["name", "foreign_name"],
        _ => &["name"],
    };
    let name = fields.iter().map(|field| view.text(field)).find(|text| !text.is_empty());
    name.unwrap_or_else(|| short_id(&view.id))
}

/// What a kind of records is called.
pub(super) fn kind_zh(kind: Kind) -> &'static str {
    match kind {
        Kind::PERSON => "人员",
        Kind::HOUSEHOLD => "户",
        Kind::DWELLING => "房屋",
        Kind::RESIDENCY => "居住",
        Kind::HOUSE => "出租房",
        Kind::TENANCY => "承租",
        Kind::ENTERPRISE => "企业",
        Kind::PLACE => "场所",
        _ => "",
    }
}

/// Why two records may be of one person.
pub(super) fn why(why: Why) -> &'static str {
    match why {
        Why::IdNumber => "身份号码相同",
        Why::DocumentNumber => "证件号码相同",
        Why::NameBirthAddress => "姓名、出生日期、住址相同",
        Why::NamePhone => "姓名和电话相同",
        Why::Phone => "电话相同",
    }
}

/// One line that tells a document from others.
pub(super) fn headline(units: &Units, scope: &Scope, view: &DocumentView) -> String {
    let mut parts = vec![short_id(&view.id), title(view)];
    let fields: &[&str] = match view.kind {
        Kind::PERSON => &["foreign_name", "id_number", "document_number", "phone", "current_address"],
        Kind::PLACE => &["credit_code", "category", "address", "phone"],
        Kind::ENTERPRISE => &["credit_code", "address", "phone"],
        Kind::HOUSEHOLD | Kind::HOUSE => &["address", "phone"],
        Kind::RESIDENCY | Kind::TENANCY => &["from", "to"],
        Kind::CASE | Kind::ORDER => &["category", "text"],
        _ => &[],
    };
    parts.extend(fields.iter().map(|name| field(view, name, Sight::Masked)).filter(|text| !text.is_empty()));
    // What has no name is called by its id, once; a name stands once as well.
    parts.dedup();
    let unit = units.name(scope);
    parts.push(if unit.is_empty() { scope.to_string() } else { unit });
    if view.conflicts().next().is_some() {
        parts.push(Word::HasConflict.zh().to_owned());
    }
    parts.join("  ")
}

fn claim_json(workers: &Workers, field: &str, claim: &Claim, sight: Sight) -> Value {
    json!({
        "value": value_json(field, &claim.value, sight),
        "worker": workers.name(&claim.worker),
        "at": instant::rfc3339(claim.wall_ms),
    })
}

/// All values of a register, the one shown first.
pub(super) fn claims_json(workers: &Workers, field: &str, register: &Register, sight: Sight) -> Vec<Value> {
    claims(register).map(|claim| claim_json(workers, field, claim, sight)).collect()
}

/// All values of a register, the one shown first.
pub(super) fn claims(register: &Register) -> impl Iterator<Item = &Claim> {
    std::iter::once(&register.shown).chain(&register.others)
}

fn register_json(workers: &Workers, field: &str, label: &str, register: &Register, sight: Sight) -> Value {
    let claim = |claim: &Claim| claim_json(workers, field, claim, sight);
    let mut json = claim(&register.shown);
    json["label"] = label.into();
    json["others"] = register.others.iter().map(claim).collect();
    json
}

/// An event as its author wrote it, with who and when; numbers in it are masked.
pub(super) fn event_json(workers: &Workers, event: &EventView) -> Value {
    event_json_as(workers, event, Sight::Masked)
}

fn event_json_as(workers: &Workers, event: &EventView, sight: Sight) -> Value {
    let written = event.value.as_str().and_then(|text| serde_json::from_str(text).ok());
    let mut json = match written {
        Some(Value::Object(fields)) => fields,
        _ => Map::from_iter([("text".to_owned(), event.value.to_json())]),
    };
    if sight == Sight::Masked {
        json.iter_mut().filter(|(key, _)| is_written(key)).for_each(|(_, value)| veil_json(value));
    }
    json.insert("worker".to_owned(), workers.name(&event.worker).into());
    json.insert("at".to_owned(), instant::rfc3339(event.wall_ms).into());
    Value::Object(json)
}

fn veil_json(value: &mut Value) {
    match value {
        Value::String(text) => *text = veil(text),
        Value::Array(values) => values.iter_mut().for_each(veil_json),
        Value::Object(fields) => fields.values_mut().for_each(veil_json),
        _ => {}
    }
}

/// A document for programs, with its numbers masked.
pub(super) fn document_json(
    workers: &Workers,
    scope: &Scope,
    view: &DocumentView,
    delivery: Delivery,
) -> Value {
    document_json_as(workers, scope, view, delivery, Sight::Masked)
}

/// A document for programs.
pub(super) fn document_json_as(
    workers: &Workers,
    scope: &Scope,
    view: &DocumentView,
    delivery: Delivery,
    sight: Sight,
) -> Value {
    let fields: Map<String, Value> = view
        .fields
        .iter()
        .map(|(name, register)| {
            (name.clone(), register_json(workers, name, label(view.kind, name), register, sight))
        })
        .collect();
    let sets: Map<String, Value> = view
        .sets
        .iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(name, entries)| {
            let entries: Map<String, Value> = entries
                .iter()
                .map(|(key, register)| (key.clone(), register_json(workers, key, key, register, sight)))
                .collect();
            ((*name).to_owned(), entries.into())
        })
        .collect();
    let events: Vec<Value> =
        view.histories.values().flatten().map(|event| event_json_as(workers, event, sight)).collect();
    let mut json = json!({
        "id": view.id.to_string(),
        "scope": scope,
        "kind": view.kind.to_string(),
        "fields": fields,
        "delivery": delivery,
        "events": events,
    });
    if view.kind == Kind::CASE {
        json["number"] = view.text("number").into();
    }
    if !sets.is_empty() {
        json["sets"] = sets.into();
    }
    json
}

/// A document for people.
pub(super) fn document_text(
    workers: &Workers,
    units: &Units,
    scope: &Scope,
    view: &DocumentView,
    delivery: Delivery,
    sight: Sight,
) -> String {
    let unit = units.name(scope);
    let place = if unit.is_empty() { scope.to_string() } else { format!("{unit} ({scope})") };
    let mut lines = vec![
        title(view),
        format!("  {}:{}", Word::Id.zh(), view.id),
        format!("  {}:{place}", Word::Unit.zh()),
        format!("  {}:{}", Word::Delivery.zh(), Word::of_delivery(delivery).zh()),
    ];
    let known = view.kind.spec().map(|spec| spec.fields).unwrap_or_default();
    let mut names: Vec<&str> = known.iter().map(|field| field.name).collect();
    names
        .extend(view.fields.keys().map(String::as_str).filter(|name| !known.iter().any(|f| f.name == *name)));
    for name in names {
        let Some(register) = view.fields.get(name) else { continue };
        let shown = coded(units, view.kind, name, &register.shown.value, sight);
        lines.push(format!("  {}:{shown}", label(view.kind, name)));
        for claim in &register.others {
            lines.push(format!("    ! {}", claim_text(workers, view.kind, name, claim, sight)));
        }
    }
    // What was merged into this record is named by who shows it.
    for (key, register) in view.sets.values().flatten().filter(|(key, _)| !key.starts_with(MERGED)) {
        lines.push(format!("  {key}:{}", value(view.kind, key, &register.shown.value, sight)));
    }
    for event in view.histories.values().flatten() {
        lines.push(format!("  - {}", event_line(view.kind, &event_json_as(workers, event, sight), event)));
    }
    lines.join("\n")
}

/// 李四 于 11月22日 10:05 写 139….
pub(super) fn claim_text(workers: &Workers, kind: Kind, field: &str, claim: &Claim, sight: Sight) -> String {
    Word::wrote(
        &workers.name(&claim.worker),
        &instant::short(claim.wall_ms),
        &value(kind, field, &claim.value, sight),
    )
}

/// 11月22日 10:05 李四 上报:….
pub(super) fn event_text(kind: Kind, workers: &Workers, event: &EventView) -> String {
    event_line(kind, &event_json(workers, event), event)
}

fn event_line(kind: Kind, json: &Value, event: &EventView) -> String {
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = text("kind");
    let known = kind.spec().and_then(|spec| spec.access.event(name)).map(|event| event.label);
    let label = Word::of_event(name)
        .map(Word::zh)
        .or(known)
        .or_else(|| wangge_model::case::EventKind::named(name).map(wangge_model::case::EventKind::label))
        .unwrap_or(name);
    // The record that the event names, as lists name it.
    let told = text("text");
    let told = told.parse().map_or_else(|_| told.to_owned(), |doc| short_id(&doc));
    format!("{} {} {label}:{told}", instant::short(event.wall_ms), text("worker"))
}
