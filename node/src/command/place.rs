//! What tells a place without a credit code from others.

use wangge_model::checks::text;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;

use crate::replica::{Replica, ReplicaError};

/// Name and address without blanks, in small letters, and the grid: the same wherever it is typed.
pub(super) fn identity(name: &str, address: &str, scope: &Scope) -> String {
    let part = |part: &str| text::compact(part).to_lowercase();
    format!("{}|{}|{scope}", part(name), part(address))
}

/// The id that follows from the identity, so that a place registered twice or on two devices is one
/// document; the next generation if that one was closed.
pub(super) fn derived_id(
    replica: &Replica,
    scope: &Scope,
    identity: &str,
) -> Result<(DocId, u32), ReplicaError> {
    let secret = replica.secret(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
    for generation in 0..u32::MAX {
        let id = secret.natural_id(Kind::PLACE, identity, generation);
        if replica.get(scope, Kind::PLACE, &id)?.is_none_or(|view| !view.is_closed()) {
            return Ok((id, generation));
        }
    }
    Err(ReplicaError::Form("no free generation".to_owned()))
}
