//! Clocks: how much of each log of a scope is held. A version vector whose entries carry heads, so that
//! equal clocks mean equal logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity::{Hash, LogId};

/// How much of one log is held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Extent {
    /// Positions up to this one.
    pub len: u64,
    /// The first bytes of the head there.
    pub head: [u8; 4],
}

/// Where the branches of one log end: ascending, none of them on the way to another; one end unless it forked.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Ends(pub Vec<Extent>);

impl Ends {
    /// Ends in order, each once.
    pub fn new(mut ends: Vec<Extent>) -> Self {
        ends.sort_unstable();
        ends.dedup();
        Self(ends)
    }

    /// Whether this is one of them.
    pub fn contains(&self, end: &Extent) -> bool {
        self.0.contains(end)
    }

    /// The farthest position, 0 if there is none.
    pub fn len(&self) -> u64 {
        self.0.last().map_or(0, |end| end.len)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Extent> for Ends {
    fn from(end: Extent) -> Self {
        Self(vec![end])
    }
}

/// Log, by the name that its transactions bear -> where its branches end. A head names all that precedes it, so
/// equal clocks mean the same transactions, in whatever order they came and however they are held.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Clock(pub BTreeMap<LogId, Ends>);

impl Clock {
    /// The farthest position of `log` that is held.
    pub fn len_of(&self, log: &LogId) -> u64 {
        self.0.get(log).map_or(0, Ends::len)
    }

    /// Where the branches of `log` end.
    pub fn ends_of(&self, log: &LogId) -> &[Extent] {
        self.0.get(log).map_or(&[], |ends| &ends.0)
    }

    /// How many ends there are.
    pub fn count(&self) -> usize {
        self.0.values().map(|ends| ends.0.len()).sum()
    }

    /// Takes the ends of those logs that `other` holds farther.
    pub fn merge(&mut self, other: &Self) {
        for (log, ends) in &other.0 {
            if self.len_of(log) < ends.len() {
                self.0.insert(*log, ends.clone());
            }
        }
    }

    /// Whether this holds at least what `other` does, as far as two clocks can tell: an end of `other` that is
    /// none here may lie on the way to one of the ends here, if one lies farther.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(log, ends)| ends.0.iter().all(|end| self.may_hold(log, end)))
    }

    /// Whether `end` is one of the ends of `log` here, or there is a farther one.
    pub fn may_hold(&self, log: &LogId, end: &Extent) -> bool {
        self.ends_of(log).iter().any(|held| held == end || held.len > end.len)
    }

    /// What of this clock `base` does not say alike; no ends for logs that are in `base` alone.
    #[must_use]
    pub fn beyond(&self, base: &Self) -> Self {
        let gone = base.0.keys().filter(|log| !self.0.contains_key(*log));
        let gone = gone.map(|log| (*log, Ends::default()));
        let differs = self.0.iter().filter(|(log, ends)| base.0.get(*log) != Some(*ends));
        Self(differs.map(|(log, ends)| (*log, ends.clone())).chain(gone).collect())
    }

    /// The clock of which [`Clock::beyond`] of `base` is this.
    #[must_use]
    pub fn added_to(&self, mut base: Self) -> Self {
        for (log, ends) in &self.0 {
            base.set(*log, ends.clone());
        }
        base
    }

    /// Notes where the branches of a log end now.
    pub fn set(&mut self, log: LogId, ends: Ends) {
        if ends.is_empty() {
            self.0.remove(&log);
        } else {
            self.0.insert(log, ends);
        }
    }

    /// Eight bytes that differ when the clocks differ.
    pub fn digest(&self) -> [u8; 8] {
        let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 clock");
        for (log, ends) in &self.0 {
            for end in &ends.0 {
                hasher.update(&log.0);
                hasher.update(&end.len.to_le_bytes());
                hasher.update(&end.head);
            }
        }
        Hash(*hasher.finalize().as_bytes()).tag()
    }
}

/// A log or branch, by the name under which it is held here -> how much of it. Never leaves this replica.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Extents(pub BTreeMap<LogId, Extent>);

impl Extents {
    /// How much of `log` is held.
    pub fn len_of(&self, log: &LogId) -> u64 {
        self.0.get(log).map_or(0, |extent| extent.len)
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
        let entry = |(log, len, head): &(u8, u64, u8)| {
            (LogId([*log; 8]), Extent { len: *len, head: [*head; 4] }.into())
        };
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
