//! What the centre hands to a replica: who it is, which scopes it holds and for how long, signed.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::identity::{DocId, Epoch, ReplicaId, Role, Scope};
use crate::transaction::ScopeSecret;

/// Names a street's system: the first bytes of a hash of the centre's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct StreetId(pub [u8; 8]);

impl StreetId {
    /// The street whose centre has this key.
    pub fn of(centre: &ReplicaId) -> Self {
        let hash = blake3::Hasher::new_derive_key("wangge 2026 street id").update(&centre.0).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_bytes()[..8]);
        Self(id)
    }
}

/// What a replica may take part in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// The street.
    pub street: StreetId,
    /// The replica.
    pub replica: ReplicaId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The worker who uses it.
    pub worker: DocId,
    /// His post.
    pub role: Role,
    /// Where he holds it.
    pub unit: Scope,
    /// The scopes that it holds, sorted.
    pub scopes: Vec<Scope>,
    /// Neighbours give it nothing after this time, milliseconds since 1970 (UTC).
    pub lease_until_ms: u64,
}

/// An enrolment with the centre's signature (Ed25519, RFC 8032).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedEnrolment {
    /// The enrolment as it was signed (postcard).
    pub bytes: Vec<u8>,
    /// Over the bytes, in two halves of 32 bytes.
    pub signature: ([u8; 32], [u8; 32]),
}

/// An enrolment that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// Not signed by the centre of this street.
    #[error("the enrolment is not signed by the centre of this street")]
    Signature,
    /// Not readable.
    #[error("the enrolment cannot be read")]
    Unsound,
    /// It names another replica than the one that shows it.
    #[error("the enrolment is for replica {named}, shown by {shown}")]
    Replica {
        /// Whom it names.
        named: ReplicaId,
        /// Who shows it.
        shown: ReplicaId,
    },
    /// The lease has lapsed.
    #[error("the lease of replica {replica} has lapsed; let it sync with the centre")]
    Lapsed {
        /// Whose.
        replica: ReplicaId,
    },
}

fn message(bytes: &[u8]) -> Vec<u8> {
    [b"wangge enrolment 1".as_slice(), bytes].concat()
}

impl Enrolment {
    /// Signs it with the centre's key.
    pub fn sign(&self, centre: &SigningKey) -> SignedEnrolment {
        let bytes = postcard::to_stdvec(self).unwrap_or_default();
        let signature = centre.sign(&message(&bytes));
        SignedEnrolment { signature: (*signature.r_bytes(), *signature.s_bytes()), bytes }
    }
}

impl SignedEnrolment {
    /// The enrolment, if the centre signed it.
    ///
    /// # Errors
    /// [`EnrolmentError::Signature`] or [`EnrolmentError::Unsound`].
    pub fn open(&self, centre: &ReplicaId) -> Result<Enrolment, EnrolmentError> {
        let key = VerifyingKey::from_bytes(&centre.0).map_err(|_| EnrolmentError::Signature)?;
        let signature = Signature::from_components(self.signature.0, self.signature.1);
        key.verify(&message(&self.bytes), &signature).map_err(|_| EnrolmentError::Signature)?;
        postcard::from_bytes(&self.bytes).map_err(|_| EnrolmentError::Unsound)
    }
}

/// All that a replica needs to take part, handed over inside an authenticated session only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// What it may take part in.
    pub enrolment: SignedEnrolment,
    /// The secrets of the scopes it holds.
    pub secrets: Vec<(Scope, ScopeSecret)>,
    /// 12- or 9-digit division code of the street.
    pub street_code: String,
    /// The street's name.
    pub street_name: String,
    /// The worker's name.
    pub worker_name: String,
    /// Public half (X25519) of the centre's recovery key, to which a device seals what helps with a
    /// forgotten PIN; all zero if the centre has none.
    pub recovery: [u8; 32],
}
