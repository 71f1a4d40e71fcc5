//! Copies of a record in units that do not hold each other's records: a notice below an area, a request
//! between grids. An id names one document everywhere, so a copy has an id of its own and names its record.

use crate::document::DocumentView;
use crate::identity::{DocId, Scope};

/// The field of a copy that names the record.
pub const ORIGINAL: &str = "original";

/// The document in `scope` that stands for the record `of`, which was made in `made_in`.
pub fn id_in(of: &DocId, made_in: &Scope, scope: &Scope) -> DocId {
    if made_in == scope {
        return *of;
    }
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 copy of a record");
    hasher.update(&of.0);
    hasher.update(scope.to_string().as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    DocId(id)
}

/// The record that a document stands for: the one that it is a copy of, or itself.
pub fn record_of(view: &DocumentView) -> DocId {
    view.text(ORIGINAL).parse().unwrap_or(view.id)
}
