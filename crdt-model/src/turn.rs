//! Turns at a shared workstation. Several workers use one device; each has a key of his own there, which his PIN
//! unwraps. It signs what is written during his turn, so that the device alone cannot speak for him.
//!
//! The signature stands in the transaction, within its hash: whoever carries the log cannot take it out.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::identity::{DocId, Hash, ReplicaId, Role, Scope};
use crate::log::HeadSignature;

/// The public half of a worker's key on one device. As text and on the wire it looks like a replica's.
pub type TurnKey = ReplicaId;

fn message(said: &Hash) -> Vec<u8> {
    [b"wangge turn 1".as_slice(), &said.0].concat()
}

/// Signs what a transaction says ([`crate::transaction::Transaction::said`]). Ed25519, RFC 8032.
pub fn sign_turn(key: &SigningKey, said: &Hash) -> HeadSignature {
    HeadSignature(key.sign(&message(said)).to_bytes())
}

/// Whether the holder of `key` signed it.
pub fn is_signed(key: &TurnKey, said: &Hash, signature: &HeadSignature) -> bool {
    VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|key| key.verify(&message(said), &Signature::from_bytes(&signature.0)).is_ok())
}

/// The public half of a key.
pub fn public(key: &SigningKey) -> TurnKey {
    ReplicaId(key.verifying_key().to_bytes())
}

/// What a device that has a worker shows when another one joins on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sharing {
    /// The worker for whom it was enrolled, with his key: from now on what he writes carries his signature.
    pub first: (DocId, TurnKey),
    /// The key of whoever joins.
    pub joining: TurnKey,
}

/// Who joined on a device that had a worker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seat {
    /// The worker.
    pub worker: DocId,
    /// His name.
    pub name: String,
    /// His post.
    pub role: Role,
    /// Where.
    pub unit: Scope,
}
