//! What a KEY on the command line means: an id or the beginning of one, an ID number, a credit code, a
//! case number.

use std::collections::BTreeSet;

use wangge_model::checks::{CreditCode, IdNumber, text};
use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::search::Query;

use super::shown::headline;
use super::units::Units;
use super::{CommandError, merged};
use crate::replica::{Replica, ReplicaError, keys};
use crate::text::{Message, scrub};

/// Fewest hexadecimal digits that stand for an id.
pub(super) const PREFIX_LEN_MIN: usize = 6;

/// A document and where it lives.
pub(super) struct Target {
    pub(super) scope: Scope,
    pub(super) view: DocumentView,
}

/// The one document of `kinds` that `key` means, in `unit` or anywhere: the one that stands for it, if it
/// was merged.
pub(super) fn resolve(
    replica: &Replica,
    kinds: &[Kind],
    key: &str,
    unit: Option<&str>,
) -> Result<Target, CommandError> {
    one(replica, kinds, key, unit, true)
}

/// The same, but a merged record means itself.
pub(super) fn resolve_itself(
    replica: &Replica,
    kinds: &[Kind],
    key: &str,
    unit: Option<&str>,
) -> Result<Target, CommandError> {
    one(replica, kinds, key, unit, false)
}

fn one(
    replica: &Replica,
    kinds: &[Kind],
    key: &str,
    unit: Option<&str>,
    follow: bool,
) -> Result<Target, CommandError> {
    if key.trim().is_empty() {
        // An empty prefix would be the beginning of every number.
        return Err(CommandError::usage("text-missing", &Message::TextMissing).on("key"));
    }
    let scopes = match unit {
        Some(unit) => vec![Units::load(replica)?.named(unit)?.scope],
        None => replica.open_scopes(),
    };
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(candidates(replica, *kind, key.trim(), &scopes)?);
    }
    if follow {
        for target in &mut found {
            if let Some((scope, view)) = merged::standing(replica, &target.view)? {
                *target = Target { scope, view };
            }
        }
        let mut seen = BTreeSet::new();
        found.retain(|target| seen.insert((target.scope.clone(), target.view.id)));
    }
    if found.len() > 1 {
        let units = Units::load(replica)?;
        let lines: Vec<String> = found
            .iter()
            .map(|target| format!("  {}", headline(&units, &target.scope, &target.view)))
            .collect();
        let key = scrub(key);
        let error = CommandError::failed("key-ambiguous", &Message::KeyAmbiguous { key: &key });
        return Err(error.with(&lines));
    }
    found.pop().ok_or_else(|| {
        let key = scrub(key);
        CommandError::failed("not-found", &Message::NotFound { key: &key })
    })
}

/// All documents of a kind that `key` may mean.
pub(super) fn candidates(
    replica: &Replica,
    kind: Kind,
    key: &str,
    scopes: &[Scope],
) -> Result<Vec<Target>, ReplicaError> {
    let shown;
    let scopes = if kind == Kind::CASE {
        shown = shown_cases(replica, scopes);
        &shown
    } else {
        scopes
    };
    let number = match kind {
        Kind::PERSON => IdNumber::parse(key).ok().map(String::from),
        Kind::PLACE | Kind::ENTERPRISE => CreditCode::parse(key).ok().map(String::from),
        Kind::HOUSEHOLD | Kind::HOUSE => Some(text::free_text(key)),
        _ => None,
    };
    let mut found = Vec::new();
    if let Some(number) = number {
        for scope in scopes {
            if let Some(view) = replica.by_natural_key(scope, kind, &number)? {
                found.push(Target { scope: scope.clone(), view });
            }
        }
    }
    if found.is_empty() && [Kind::CASE, Kind::ORDER].contains(&kind) {
        let number = text::compact(key);
        // A team knows the case by its order alone.
        let of_case = |view: &DocumentView| {
            kind == Kind::ORDER
                && number.len() >= PREFIX_LEN_MIN
                && view.text("case").starts_with(&number.to_ascii_lowercase())
        };
        for scope in scopes {
            replica.each(scope, kind, |view| {
                if view.text("number") == number || view.text("official_number") == number || of_case(&view) {
                    found.push(Target { scope: scope.clone(), view });
                }
                true
            })?;
        }
    }
    if found.is_empty() && kind == Kind::PERSON {
        found.extend(with_document(replica, key, scopes)?);
    }
    if found.is_empty() {
        let with_id = with_id(replica, kind, key, scopes)?;
        found.extend(with_id.into_iter().map(|(scope, view)| Target { scope, view }));
    }
    Ok(found)
}

/// Those of `scopes` in which whoever acts is shown cases.
pub(in crate::command) fn shown_cases(replica: &Replica, scopes: &[Scope]) -> Vec<Scope> {
    let hidden = scopes.contains(&Scope::Centre) && !replica.is_shown_centre_cases();
    scopes.iter().filter(|scope| !hidden || **scope != Scope::Centre).cloned().collect()
}

/// Persons with a passport or the like of that number.
fn with_document(replica: &Replica, key: &str, scopes: &[Scope]) -> Result<Vec<Target>, ReplicaError> {
    let number = text::compact(key).to_uppercase();
    let Some(query) = Query::parse(&number).filter(|_| number.len() >= PREFIX_LEN_MIN) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (_, scope, doc) in replica.search(scopes, Kind::PERSON, &query)? {
        if let Some(view) = replica.get(&scope, Kind::PERSON, &doc)?
            && view.texts("document_number").contains(&number)
        {
            found.push(Target { scope, view });
        }
    }
    Ok(found)
}

/// The documents whose id begins with `hex`.
pub(super) fn with_id(
    replica: &Replica,
    kind: Kind,
    hex: &str,
    scopes: &[Scope],
) -> Result<Vec<(Scope, DocumentView)>, ReplicaError> {
    let mut found = Vec::new();
    for (scope, id) in with_prefix(replica, kind, &hex.to_ascii_lowercase(), scopes)? {
        if let Some(view) = replica.get(&scope, kind, &id)? {
            found.push((scope, view));
        }
    }
    Ok(found)
}

/// Ids that begin with `hex`.
fn with_prefix(
    replica: &Replica,
    kind: Kind,
    hex: &str,
    scopes: &[Scope],
) -> Result<Vec<(Scope, DocId)>, ReplicaError> {
    let mut found = Vec::new();
    if !(PREFIX_LEN_MIN..=32).contains(&hex.len()) || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(found);
    }
    let mut first = [0; 16];
    for (index, digit) in hex.chars().enumerate() {
        let digit = digit.to_digit(16).unwrap_or(0) as u8;
        first[index / 2] |= if index % 2 == 0 { digit << 4 } else { digit };
    }
    for scope in scopes {
        let prefix = keys::views(scope, kind);
        let start = keys::view(scope, kind, &DocId(first));
        for entry in replica.store().scan_from(&prefix, &start) {
            let (key, _) = entry?;
            let Some(doc) = keys::doc_of_view(&key) else { continue };
            if !doc.to_string().starts_with(hex) {
                break;
            }
            found.push((scope.clone(), doc));
        }
    }
    Ok(found)
}
