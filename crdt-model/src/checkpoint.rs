//! Checkpoints: the documents of a scope as they are, in pages, for a replica that holds none of them.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::identity::{DocId, LogId, ReplicaId, Scope};
use crate::log::Tip;
use crate::schema::Kind;

/// The end of a log at a checkpoint, with the Automerge actor in use there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckpointLog {
    /// The log.
    pub log: LogId,
    /// Its end.
    pub tip: Tip,
    /// The actor that its next change uses unless it declares another.
    pub actor: [u8; 16],
}

/// What the pages of a checkpoint hold at least: everything up to these ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The scope.
    pub scope: Scope,
    /// The ends of its logs, sorted by log.
    pub logs: Vec<CheckpointLog>,
    /// How many documents there were.
    pub documents: u64,
}

/// Where a page ends: documents go by class, then by id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// See [`class_of`].
    pub class: u8,
    /// The last document of the page.
    pub doc: DocId,
}

/// Cases come first, then the records of grid work, so that a worker can begin before the register is
/// there, and lists of either need not pass over it.
pub fn class_of(kind: Kind) -> u8 {
    match kind {
        Kind::CASE => 0,
        Kind(30..=59) => 1,
        _ => 2,
    }
}

fn message(scope: &Scope, what: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 checkpoint part");
    hasher.update(scope.to_string().as_bytes());
    hasher.update(&[0]);
    hasher.update(what);
    hasher.update(&[0]);
    hasher.update(bytes);
    hasher.finalize().as_bytes().to_vec()
}

/// Signs a part of a checkpoint (`what` is `b"start"` or `b"page"`) with the centre's key.
pub fn sign_part(centre: &SigningKey, scope: &Scope, what: &[u8], bytes: &[u8]) -> [u8; 64] {
    centre.sign(&message(scope, what, bytes)).to_bytes()
}

/// Whether the centre signed this part.
pub fn verify_part(
    centre: &ReplicaId,
    scope: &Scope,
    what: &[u8],
    bytes: &[u8],
    signature: &[u8; 64],
) -> bool {
    VerifyingKey::from_bytes(&centre.0)
        .and_then(|key| key.verify(&message(scope, what, bytes), &Signature::from_bytes(signature)))
        .is_ok()
}
