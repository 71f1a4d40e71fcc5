//! Checkpoints: the documents of a scope as they are, in pages, for a replica that holds none of them.

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::identity::{DocId, LogId, ReplicaId, Scope};
use crate::log::Tip;
use crate::schema::Kind;
use crate::verdict::VoidReason;

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

/// Positions of one log that follow each other and do not count, for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Voided {
    /// The log.
    pub log: LogId,
    /// The first position.
    pub from: u64,
    /// The last one.
    pub upto: u64,
    /// Why.
    pub reason: VoidReason,
}

/// A log of which transactions follow the pages, and what of it the pages stand for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Following {
    /// The log or branch, by the name that it has at the centre.
    pub log: LogId,
    /// The name that its transactions bear.
    pub named: LogId,
    /// The last position of which the pages hold the changes.
    pub len: u64,
    /// The first bytes of the head there ([`crate::clock::head_tag`]).
    pub head: [u8; 4],
    /// The Lamport number there.
    pub lamport: u64,
    /// Up to where the centre had decided.
    pub decided: u64,
    /// The first bytes of the head there.
    pub decided_head: [u8; 4],
}

/// Runs of void positions that a checkpoint names at most: 16 bytes each, far below the limit of a frame.
const VOIDED_MAX: usize = 16_384;

impl Checkpoint {
    /// What is signed of it. Behind it stand the positions that do not count, and the logs of which transactions
    /// follow: pages are without the former, but whoever holds such transactions hears nowhere else what was decided
    /// before the checkpoint. Programs that know only the checkpoint do not read so far.
    pub fn to_bytes(&self, voids: &BTreeMap<(LogId, u64), VoidReason>, following: &[Following]) -> Vec<u8> {
        let mut bytes = postcard::to_stdvec(self).unwrap_or_default();
        let mut voided: Vec<Voided> = Vec::new();
        for ((log, seq), reason) in voids {
            let count = voided.len();
            match voided.last_mut() {
                Some(last) if last.log == *log && last.upto + 1 == *seq && last.reason == *reason => {
                    last.upto = *seq;
                }
                _ if count == VOIDED_MAX => break,
                _ => voided.push(Voided { log: *log, from: *seq, upto: *seq, reason: *reason }),
            }
        }
        bytes.extend(postcard::to_stdvec(&(voided, following)).unwrap_or_default());
        bytes
    }

    /// The positions that do not count, and the logs of which transactions follow, as the signed bytes of a checkpoint
    /// say; none of either if an older program made it.
    pub fn beside(bytes: &[u8]) -> (Vec<Voided>, Vec<Following>) {
        let Ok((_, rest)) = postcard::take_from_bytes::<Self>(bytes) else { return Default::default() };
        let Ok((voided, rest)) = postcard::take_from_bytes(rest) else { return Default::default() };
        (voided, postcard::from_bytes(rest).unwrap_or_default())
    }
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
