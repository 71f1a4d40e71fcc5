//! Who this replica is: its key, its epoch, what the centre granted it.

use std::sync::OnceLock;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use wangge_model::enrolment::{Enrolment, Grant, StreetId};
use wangge_model::identity::{Epoch, ReplicaId, Scope};

use super::{ReplicaError, World};

/// Version of the store's records; a store of a newer one is refused.
pub const STORE_VERSION: u32 = 3;

/// What is stored of this replica itself.
#[derive(Clone, Serialize, Deserialize)]
pub struct Profile {
    pub(crate) version: u32,
    pub(crate) secret_key: [u8; 32],
    pub(crate) epoch: Epoch,
    /// Epochs before this one, newest last.
    pub(crate) earlier: Vec<Epoch>,
    pub(crate) centre: ReplicaId,
    /// Where the relay listens.
    pub(crate) address: String,
    /// The invitation that is being used, until the grant is here.
    pub(crate) joining: Option<String>,
    pub(crate) grant: Option<Grant>,
    #[serde(skip)]
    derived: OnceLock<Derived>,
}

/// What follows from a profile by curve arithmetic that takes as long as a good part of a commit.
#[derive(Clone)]
struct Derived {
    signing_key: SigningKey,
    replica: ReplicaId,
    enrolment: Option<Enrolment>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("replica", &self.replica()).field("epoch", &self.epoch).finish()
    }
}

impl Profile {
    /// A profile for a new replica of the street whose centre has the key `centre`.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn create(world: &dyn World, centre: Option<ReplicaId>, address: &str) -> Result<Self, ReplicaError> {
        let secret_key: [u8; 32] = world.random()?;
        let replica = ReplicaId(SigningKey::from_bytes(&secret_key).verifying_key().to_bytes());
        Ok(Self {
            version: STORE_VERSION,
            secret_key,
            epoch: Epoch(u64::from_le_bytes(world.random()?)),
            earlier: Vec::new(),
            centre: centre.unwrap_or(replica),
            address: address.to_owned(),
            joining: None,
            grant: None,
            derived: OnceLock::new(),
        })
    }

    fn derived(&self) -> &Derived {
        self.derived.get_or_init(|| {
            let signing_key = SigningKey::from_bytes(&self.secret_key);
            let replica = ReplicaId(signing_key.verifying_key().to_bytes());
            let grant = self.grant.as_ref();
            let enrolment = grant.and_then(|grant| grant.enrolment.open(&self.centre).ok());
            Derived { signing_key, replica, enrolment }
        })
    }

    /// The profile with all that follows from it, which its copies then have as well.
    pub(crate) fn prepared(self) -> Self {
        self.derived();
        self
    }

    /// The key that signs this replica's heads.
    pub fn signing_key(&self) -> SigningKey {
        self.derived().signing_key.clone()
    }

    /// This replica.
    pub fn replica(&self) -> ReplicaId {
        self.derived().replica
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The centre's key.
    pub fn centre(&self) -> ReplicaId {
        self.centre
    }

    /// The street.
    pub fn street(&self) -> StreetId {
        StreetId::of(&self.centre)
    }

    /// Where the relay listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the centre granted.
    pub fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// The enrolment that the centre signed.
    pub fn enrolment(&self) -> Option<Enrolment> {
        self.derived().enrolment.clone()
    }

    /// The scopes that this replica holds.
    pub fn scopes(&self) -> Vec<Scope> {
        self.enrolment().map(|enrolment| enrolment.scopes).unwrap_or_default()
    }

    /// Takes what an invitation led to.
    pub fn set_grant(&mut self, grant: Grant) {
        self.grant = Some(grant);
        self.joining = None;
        self.derived = OnceLock::new();
    }

    /// The invitation that is being used.
    pub fn joining(&self) -> Option<&str> {
        self.joining.as_deref()
    }

    /// Notes the invitation before the relay hears of it, so that a join that breaks off resumes.
    pub fn set_joining(&mut self, line: &str) {
        self.joining = Some(line.to_owned());
    }

    /// Notes a new address of the relay.
    pub fn set_address(&mut self, address: &str) {
        self.address = address.to_owned();
    }
}
