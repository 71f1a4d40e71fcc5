//! What a replica takes from the machine it runs on: the time, chance, a disk. All three are given to it,
//! so that a simulator can give others and run the same code again, byte for byte.

use std::collections::BTreeSet;
use std::sync::Arc;

use wangge_model::schema::Kind;
use wangge_model::wire::PAGE_DOCUMENTS_MAX;
use wangge_store::Options;

use super::ReplicaError;
use super::vault::Access;

/// A clock and a source of chance.
pub trait World: Send + Sync + std::fmt::Debug {
    /// Milliseconds since 1970 (UTC), as this machine's clock says.
    fn now_ms(&self) -> u64;

    /// Fills `bytes` with what nobody can guess.
    ///
    /// # Errors
    /// [`ReplicaError::Randomness`].
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ReplicaError>;
}

impl dyn World + '_ {
    /// So many random bytes.
    ///
    /// # Errors
    /// [`ReplicaError::Randomness`].
    pub fn random<const N: usize>(&self) -> Result<[u8; N], ReplicaError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

/// The operating system's clock and generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl World for System {
    fn now_ms(&self) -> u64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), ReplicaError> {
        getrandom::fill(bytes).map_err(|e| ReplicaError::Randomness(e.to_string()))
    }
}

/// Which version of the program runs: by default this one. A simulator has older ones meet it.
#[derive(Clone, Debug)]
pub struct Program {
    /// Kinds of documents that it does not know yet: what others write of them waits.
    pub lacks: BTreeSet<Kind>,
    /// Documents of each page that it makes, at most [`PAGE_DOCUMENTS_MAX`].
    pub page_documents: usize,
}

impl Default for Program {
    fn default() -> Self {
        Self { lacks: BTreeSet::new(), page_documents: PAGE_DOCUMENTS_MAX }
    }
}

impl Program {
    /// Whether it knows a kind up to an extension.
    pub(super) fn knows(&self, kind: Kind, base: u8) -> bool {
        wangge_model::document::is_known(kind, base) && !self.lacks.contains(&kind)
    }
}

/// The machine that a replica runs on; by default this one.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its clock and its source of chance.
    pub world: Arc<dyn World>,
    /// How its disk is used.
    pub options: Options,
    /// What opens what is sealed on it.
    pub access: Access,
    /// The program on it.
    pub program: Program,
}

impl Default for Machine {
    fn default() -> Self {
        Options::default().into()
    }
}

impl From<Options> for Machine {
    fn from(options: Options) -> Self {
        Self { world: Arc::new(System), options, access: Access::default(), program: Program::default() }
    }
}
