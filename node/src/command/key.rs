//! What a KEY on the command line means: an id or the beginning of one, an ID number, a credit code, a
//! case number.

use wangge_model::checks::{CreditCode, IdNumber, text};
use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;

use super::CommandError;
use super::shown::headline;
use super::units::Units;
use crate::replica::{Replica, ReplicaError, keys};
use crate::text::{Message, scrub};

/// Fewest hexadecimal digits that stand for an id.
pub(super) const PREFIX_LEN_MIN: usize = 6;

/// A document and where it lives.
pub(super) struct Target {
    pub(super) scope: Scope,
    pub(super) view: DocumentView,
}

/// The one document of `kinds` that `key` means, in `unit` or anywhere.
pub(super) fn resolve(
    replica: &Replica,
    kinds: &[Kind],
    key: &str,
    unit: Option<&str>,
) -> Result<Target, CommandError> {
    let units = Units::load(replica)?;
    let scopes = match unit {
        Some(unit) => vec![units.named(unit)?.scope],
        None => replica.scopes(),
    };
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(candidates(replica, *kind, key.trim(), &scopes)?);
    }
    if found.len() > 1 {
        let lines: Vec<String> = found
            .iter()
            .map(|target| format!("  {}", headline(&units, &target.scope, &target.view)))
            .collect();
        let key = scrub(key);
        return Err(CommandError::failed("key-ambiguous", &Message::KeyAmbiguous { key: &key }).with(&lines));
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
    let number = match kind {
        Kind::PERSON => IdNumber::parse(key).ok().map(String::from),
        Kind::PLACE => CreditCode::parse(key).ok().map(String::from),
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
    if found.is_empty() && kind == Kind::CASE {
        let number = text::compact(key);
        for scope in scopes {
            replica.each(scope, kind, |view| {
                if view.text("number") == number {
                    found.push(Target { scope: scope.clone(), view });
                }
                true
            })?;
        }
    }
    if found.is_empty() {
        let with_id = with_id(replica, kind, key, scopes)?;
        found.extend(with_id.into_iter().map(|(scope, view)| Target { scope, view }));
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
