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

    /// What of this clock `base` does not say alike; length 0 for logs that are in `base` alone.
    #[must_use]
    pub fn beyond(&self, base: &Self) -> Self {
        let gone = base.0.keys().filter(|log| !self.0.contains_key(*log));
        let gone = gone.map(|log| (*log, Extent { len: 0, head: [0; 4] }));
        let differs = self.0.iter().filter(|(log, extent)| base.0.get(*log) != Some(*extent));
        Self(differs.map(|(log, extent)| (*log, *extent)).chain(gone).collect())
    }

    /// The clock of which [`Clock::beyond`] of `base` is this.
    #[must_use]
    pub fn added_to(&self, mut base: Self) -> Self {
        for (log, extent) in &self.0 {
            if extent.len == 0 {
                base.0.remove(log);
            } else {
                base.0.insert(*log, *extent);
            }
        }
        base
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

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(logs: &[(u8, u64, u8)]) -> Clock {
        let entry =
            |(log, len, head): &(u8, u64, u8)| (LogId([*log; 8]), Extent { len: *len, head: [*head; 4] });
        Clock(logs.iter().map(entry).collect())
    }

    #[test]
    fn a_clock_follows_from_what_differs() {
        let base = clock(&[(1, 5, 1), (2, 5, 1), (3, 5, 1), (4, 5, 1)]);
        // The same, longer, shorter, gone, another branch, new.
        let told = clock(&[(1, 5, 1), (2, 9, 2), (3, 2, 3), (5, 5, 1)]);
        let branch = clock(&[(1, 5, 2), (2, 5, 1), (3, 5, 1), (4, 5, 1)]);
        assert_eq!(told.beyond(&base).0.len(), 4);
        assert_eq!(branch.beyond(&base).0.len(), 1);
        assert_eq!(base.beyond(&base), Clock::default());
        for told in [told, branch, Clock::default(), base.clone()] {
            assert_eq!(told.beyond(&base).added_to(base.clone()), told);
        }
    }
}
