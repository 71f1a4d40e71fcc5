//! What tells records without a number from others: an address, a name and an address, who and where.

use wangge_model::checks::text;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;

use super::edits::Edits;
use crate::replica::{Replica, ReplicaError};

/// The parts without blanks, in small letters, and the grid: the same wherever they are typed.
fn joined(parts: &[&str], scope: &Scope) -> String {
    let part = |part: &&str| text::compact(part).to_lowercase();
    format!("{}|{scope}", parts.iter().map(part).collect::<Vec<_>>().join("|"))
}

/// What tells a place or enterprise without a credit code from others.
pub(super) fn identity(name: &str, address: &str, scope: &Scope) -> String {
    joined(&[name, address], scope)
}

/// What tells a new record without a natural key from others; `None` if nothing does.
pub(super) fn identity_of(kind: Kind, edits: &Edits, scope: &Scope) -> Option<String> {
    let fields: &[&str] = match kind {
        Kind::PERSON => &["document_number"],
        Kind::PLACE | Kind::ENTERPRISE => &["name", "address"],
        Kind::DWELLING | Kind::HOUSE => &["address"],
        Kind::HOUSEHOLD => &["head", "address"],
        Kind::RESIDENCY => &["person", "dwelling", "from"],
        Kind::TENANCY => &["person", "house", "from"],
        _ => return None,
    };
    let texts: Vec<String> = fields.iter().map(|field| edits.text(field).unwrap_or_default()).collect();
    let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
    parts.iter().any(|part| !part.is_empty()).then(|| joined(&parts, scope))
}

/// The id that follows from the identity, so that what is registered twice or on two devices is one
/// document; the next generation if that one was closed.
pub(super) fn derived_id(
    replica: &Replica,
    scope: &Scope,
    kind: Kind,
    identity: &str,
) -> Result<(DocId, u32), ReplicaError> {
    let secret = replica.secret(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
    for generation in 0..u32::MAX {
        let id = secret.natural_id(kind, identity, generation);
        if replica.get(scope, kind, &id)?.is_none_or(|view| !view.is_closed()) {
            return Ok((id, generation));
        }
    }
    Err(ReplicaError::Form("no free generation".to_owned()))
}
