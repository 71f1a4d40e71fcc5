//! Lists of records, searches, likely duplicates. They read views alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Scope};
use wangge_model::registers::duplicates;
use wangge_model::registers::merge::merged_into;
use wangge_model::schema::{Form, Kind};
use wangge_model::search::Query;

use super::{FindArgs, ListArgs};
use crate::command::shown::{self, Sight, headline};
use crate::command::units::Units;
use crate::command::{Answer, CommandError, key, merged};
use crate::replica::{Replica, ReplicaError};
use crate::text::{Message, RegisterMessage};

/// Lines of a list for people, unless they ask for more.
const LIST_LINES: usize = 50;

/// Documents that a search brings at most, unless more are asked for.
const FOUND_MAX: usize = 200;

/// Fields that a list's entry shows to programs.
const ENTRY_FIELDS: [&str; 13] = [
    "name",
    "foreign_name",
    "country",
    "id_number",
    "document_number",
    "credit_code",
    "household_number",
    "house_number",
    "phone",
    "current_address",
    "address",
    "category",
    "unit",
];

/// Open records of the scopes: each person once, though several records stand for him.
fn open(replica: &Replica, kind: Kind, scopes: &[Scope]) -> Result<Vec<(Scope, DocumentView)>, ReplicaError> {
    let mut found: Vec<(Scope, DocumentView)> = Vec::new();
    let mut linked: Vec<(Scope, DocumentView)> = Vec::new();
    for scope in scopes {
        replica.each(scope, kind, |view| {
            if !view.is_closed() {
                let list = if merged_into(&view).is_some() { &mut linked } else { &mut found };
                list.push((scope.clone(), view));
            }
            true
        })?;
    }
    for (scope, view) in linked {
        if merged::standing(replica, &view)?.is_none() {
            found.push((scope, view));
        }
    }
    Ok(found)
}

pub(super) fn list(replica: &Replica, kind: Kind, args: &ListArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let mut found = open(replica, kind, &scopes(replica, &units, args.unit.as_deref())?)?;
    found.sort_by_cached_key(|(scope, view)| (scope.clone(), view.text("name"), view.id));
    let total = found.len();
    found.truncate(args.limit.unwrap_or(usize::MAX));
    listed(replica, &units, &found, total, args.limit.unwrap_or(LIST_LINES))
}

pub(super) fn find(replica: &Replica, kind: Kind, args: &FindArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let Some(query) = Query::parse(&args.text) else {
        return Err(CommandError::usage("text-missing", &Message::TextMissing));
    };
    let scopes = scopes(replica, &units, args.unit.as_deref())?;
    let hits = replica.search(&scopes, kind, &query)?;
    let mut total = hits.len();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (rank, scope, doc) in hits.into_iter().take(args.limit.unwrap_or(FOUND_MAX)) {
        let Some(view) = replica.get(&scope, kind, &doc)? else { continue };
        let (scope, view) = merged::standing(replica, &view)?.unwrap_or((scope, view));
        // What it was merged into may have moved away or been closed meanwhile.
        if !view.is_closed() && seen.insert(view.id) {
            found.push((rank, scope, view));
        } else {
            total -= 1;
        }
    }
    found.sort_by_cached_key(|(rank, scope, view)| (*rank, scope.clone(), view.text("name"), view.id));
    let mut found: Vec<(Scope, DocumentView)> =
        found.into_iter().map(|(_, scope, view)| (scope, view)).collect();
    if found.is_empty() {
        found = by_links(replica, kind, &scopes, &query)?;
        total = found.len();
    }
    if found.is_empty() {
        // The beginning of an id, as lists show it.
        found = key::with_id(replica, kind, &args.text, &scopes)?;
        total = found.len();
    }
    listed(replica, &units, &found, total, args.limit.unwrap_or(LIST_LINES))
}

/// Records that say nothing of themselves, as a tenancy does, by what is found of the people and houses that
/// they link.
fn by_links(
    replica: &Replica,
    kind: Kind,
    scopes: &[Scope],
    query: &Query,
) -> Result<Vec<(Scope, DocumentView)>, ReplicaError> {
    let mut found = Vec::new();
    let fields = kind.spec().map(|spec| spec.fields).unwrap_or_default();
    let mut linked: BTreeMap<&'static str, BTreeSet<DocId>> = BTreeMap::new();
    if matches!(kind, Kind::RESIDENCY | Kind::TENANCY | Kind::HOUSEHOLD) {
        for field in fields {
            let Form::Link(kinds) = field.form else { continue };
            for kind in kinds {
                let hits = replica.search(&replica.open_scopes(), *kind, query)?;
                linked.entry(field.name).or_default().extend(hits.into_iter().map(|(_, _, doc)| doc));
            }
        }
    }
    if linked.values().all(BTreeSet::is_empty) {
        return Ok(found);
    }
    for scope in scopes {
        replica.each(scope, kind, |view| {
            let leads = |(field, docs): (&&str, &BTreeSet<DocId>)| {
                doc_of(&view, field).is_some_and(|doc| docs.contains(&doc))
            };
            if !view.is_closed() && linked.iter().any(leads) {
                found.push((scope.clone(), view));
            }
            true
        })?;
    }
    Ok(found)
}

/// The unit that was named, or all that is held.
fn scopes(replica: &Replica, units: &Units, unit: Option<&str>) -> Result<Vec<Scope>, CommandError> {
    Ok(match unit {
        Some(unit) => vec![units.named(unit)?.scope],
        None => replica.open_scopes(),
    })
}

fn listed(
    replica: &Replica,
    units: &Units,
    found: &[(Scope, DocumentView)],
    total: usize,
    lines_max: usize,
) -> Result<Answer, CommandError> {
    let shown = lines_max.min(found.len());
    let mut lines = Vec::with_capacity(shown + 1);
    for (scope, view) in found.iter().take(shown) {
        let mut line = headline(units, scope, view);
        for (_, name) in linked(replica, view)? {
            line.push_str("  ");
            line.push_str(&name);
        }
        lines.push(line);
    }
    lines.push(Message::Listed { shown, total }.line());
    let mut json = Vec::with_capacity(found.len());
    for (scope, view) in found {
        let mut entry = entry_json(scope, view);
        for (field, name) in linked(replica, view)? {
            entry[field] = view.text(field).into();
            entry[format!("{field}_name")] = name.into();
        }
        json.push(entry);
    }
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}

/// The names of the records that a record without a name of its own links.
fn linked(replica: &Replica, view: &DocumentView) -> Result<Vec<(&'static str, String)>, ReplicaError> {
    let mut names = Vec::new();
    if !matches!(view.kind, Kind::RESIDENCY | Kind::TENANCY | Kind::HOUSEHOLD) {
        return Ok(names);
    }
    for field in view.kind.spec().map(|spec| spec.fields).unwrap_or_default() {
        if let (Form::Link(kinds), Some(doc)) = (field.form, doc_of(view, field.name))
            && let Some((_, target)) = target(replica, kinds, &doc)?
        {
            names.push((field.name, shown::title(&target)));
        }
    }
    Ok(names)
}

/// The document that a link field names.
pub(super) fn doc_of(view: &DocumentView, field: &str) -> Option<DocId> {
    view.value(field)?.as_str()?.parse().ok()
}

/// The record that a link leads to: the one that stands for it, if there is one.
pub(super) fn target(
    replica: &Replica,
    kinds: &[Kind],
    doc: &DocId,
) -> Result<Option<(Scope, DocumentView)>, ReplicaError> {
    for kind in kinds {
        if let Some((scope, view)) = replica.find(*kind, doc)? {
            return Ok(Some(merged::standing(replica, &view)?.unwrap_or((scope, view))));
        }
    }
    Ok(None)
}

/// A list never shows numbers in full.
fn entry_json(scope: &Scope, view: &DocumentView) -> Value {
    let mut json = json!({
        "id": view.id.to_string(),
        "scope": scope,
        "kind": view.kind.to_string(),
        "conflicts": view.conflicts().count(),
    });
    for name in ENTRY_FIELDS {
        if let Some(value) = view.value(name) {
            json[name] = shown::value_json(name, value, Sight::Masked);
        }
    }
    json
}

/// Likely pairs with why, the likeliest first.
pub(super) fn duplicates(replica: &Replica, kind: Kind, args: &ListArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let found = open(replica, kind, &scopes(replica, &units, args.unit.as_deref())?)?;
    let by_id: BTreeMap<DocId, &(Scope, DocumentView)> =
        found.iter().map(|entry| (entry.1.id, entry)).collect();
    let pairs = duplicates::pairs(found.iter().map(|(_, view)| view));
    let total = pairs.len();
    let mut json = Vec::new();
    let mut lines = Vec::new();
    for pair in pairs.iter().take(args.limit.unwrap_or(usize::MAX)) {
        let both: Vec<&(Scope, DocumentView)> =
            pair.docs.iter().filter_map(|doc| by_id.get(doc).copied()).collect();
        let why: Vec<&str> = pair.why.iter().map(|why| why.name()).collect();
        let records: Vec<Value> = both.iter().map(|(scope, view)| entry_json(scope, view)).collect();
        json.push(json!({ "why": why, "records": records }));
        if json.len() <= args.limit.unwrap_or(LIST_LINES) {
            lines.push(pair.why.iter().map(|why| shown::why(*why)).collect::<Vec<_>>().join("、"));
            lines.extend(both.iter().map(|(scope, view)| format!("  {}", headline(&units, scope, view))));
        }
    }
    lines.push(Message::Register(RegisterMessage::Duplicates { count: total }).line());
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}
