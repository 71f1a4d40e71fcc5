//! The relay's decisions. They travel in its own log of the scope they concern; as it signs that log
//! and decides only what is durable on its disk, a verdict is also the receipt that the position has
//! reached the centre, whoever carried it.

use serde::{Deserialize, Serialize};

use crate::identity::LogId;

/// The decision on all positions of one log from the last decided one up to `upto`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The log.
    pub log: LogId,
    /// The last position decided.
    pub upto: u64,
    /// When the relay observed them, milliseconds since 1970 (UTC).
    pub observed_ms: u64,
    /// Positions that are void; the others are accepted.
    pub voids: Vec<Void>,
}

/// A position whose changes and events do not count. It keeps its place in the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Void {
    /// The position.
    pub seq: u64,
    /// Why.
    pub reason: VoidReason,
}

/// Why a position is void.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum VoidReason {
    /// The author's replica does not hold the scope it wrote to.
    ScopeNotHeld,
    /// The transaction breaks a rule of form against the documents.
    Form,
    /// The author's replica is not known to the centre.
    UnknownReplica,
    /// A decision that only the relay may write.
    NotTheRelay,
    /// A document of `street` that only the centre may write.
    CentreOnly,
}

impl std::fmt::Display for VoidReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ScopeNotHeld => "its author does not hold this unit",
            Self::Form => "it breaks a rule of form",
            Self::UnknownReplica => "the centre does not know the device that wrote it",
            Self::NotTheRelay => "only the relay decides",
            Self::CentreOnly => "only the centre writes here",
        })
    }
}
