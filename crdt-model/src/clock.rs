//! Clocks: how much of each log of a scope is held. A version vector whose entries carry heads, so that
//! equal clocks mean equal logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity::{Hash, LogId};

/// How much of one log is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Extent {
    /// Positions up to this one.
    pub len: u64,
    /// The first bytes of the head there.
    pub head: [u8; 4],
}

/// Log -> how much of it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Clock(pub BTreeMap<LogId, Extent>);

impl Clock {
    /// Notes that `log` is held up to `len`.
    pub fn advance(&mut self, log: LogId, len: u64, head: &Hash) {
        let extent = Extent { len, head: head_tag(head) };
        let held = self.0.entry(log).or_insert(extent);
        if held.len <= len {
            *held = extent;
        }
    }

    /// How much of `log` is held.
    pub fn len_of(&self, log: &LogId) -> u64 {
        self.0.get(log).map_or(0, |extent| extent.len)
    }

    /// Takes in whatever `other` holds more of.
    pub fn merge(&mut self, other: &Self) {
        for (log, extent) in &other.0 {
            let held = self.0.entry(*log).or_insert(*extent);
            if held.len < extent.len {
                *held = *extent;
            }
        }
    }

    /// Whether this holds at least what `other` does.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(log, extent)| self.len_of(log) >= extent.len)
    }

    /// Eight bytes that differ when the clocks differ.
    pub fn digest(&self) -> [u8; 8] {
        let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 clock");
        for (log, extent) in &self.0 {
            hasher.update(&log.0);
            hasher.update(&extent.len.to_le_bytes());
            hasher.update(&extent.head);
        }
        Hash(*hasher.finalize().as_bytes()).tag()
    }
}

/// The part of a head that clocks carry.
pub fn head_tag(head: &Hash) -> [u8; 4] {
    [head.0[0], head.0[1], head.0[2], head.0[3]]
}
