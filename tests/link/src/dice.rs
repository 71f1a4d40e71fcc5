//! The dice of one flow in one direction: what chance does to each of its datagrams.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::LinkConfig;

/// What chance does to one datagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fate {
    /// It never arrives.
    pub(crate) lost: bool,
    /// It is held back; the number says how long, as a share of the longest hold.
    pub(crate) held_back: Option<f64>,
    /// It arrives twice.
    pub(crate) doubled: bool,
}

/// A stream of fates: the same seed, stream and configuration give the same fates.
///
/// Every datagram draws the same number of times whatever becomes of it, so a change to one
/// probability leaves the other fates alone.
#[derive(Debug)]
pub(crate) struct Dice {
    rng: ChaCha8Rng,
    seed: u64,
    stream: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { rng, seed, stream }
    }

    pub(crate) fn throw(&mut self, config: &LinkConfig) -> Fate {
        if config.seed != self.seed {
            *self = Self::new(config.seed, self.stream);
        }
        let [loss, reorder, hold, duplicate] = std::array::from_fn(|_| unit(self.rng.next_u64()));
        Fate {
            lost: loss < config.loss,
            held_back: (reorder < config.reorder).then_some(hold),
            doubled: duplicate < config.duplicate,
        }
    }
}

/// Maps 64 random bits to `[0, 1)`, using the 53 that a double can hold.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(seed: u64, stream: u64, config: LinkConfig) -> Vec<Fate> {
        let mut dice = Dice::new(seed, stream);
        let config = LinkConfig { seed, ..config };
        (0..1_000).map(|_| dice.throw(&config)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_fates() {
        let config = LinkConfig { loss: 0.1, reorder: 0.1, duplicate: 0.1, ..LinkConfig::default() };
        assert_eq!(fates(7, 0, config), fates(7, 0, config));
        assert_ne!(fates(7, 0, config), fates(8, 0, config));
        assert_ne!(fates(7, 0, config), fates(7, 1, config));
    }

    #[test]
    fn reordering_does_not_change_what_is_lost() {
        let lossy = LinkConfig { loss: 0.2, ..LinkConfig::default() };
        let also_reordering = LinkConfig { reorder: 0.5, ..lossy };
        let lost = |config| fates(3, 0, config).into_iter().map(|fate| fate.lost).collect::<Vec<_>>();
        assert_eq!(lost(lossy), lost(also_reordering));
    }

    #[test]
    fn certain_and_impossible_are_exact() {
        let perfect = fates(1, 0, LinkConfig::default());
        assert!(perfect.iter().all(|fate| !fate.lost && !fate.doubled));
        assert!(perfect.iter().all(|fate| fate.held_back.is_none()));
        let dead = LinkConfig { loss: 1.0, ..LinkConfig::default() };
        assert!(fates(1, 0, dead).iter().all(|fate| fate.lost));
    }
}
