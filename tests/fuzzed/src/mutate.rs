//! Seeded mutants of the files of a corpus.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Longest mutant, in bytes.
const LEN_BYTES_MAX: usize = 1 << 20;

/// Chance from a seed.
#[derive(Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The same for the same seed.
    pub fn of(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % (end.max(1) as u64)) as usize
    }
}

/// A few changes to `bytes`: flipped bits, other bytes, borders of numbers, parts cut, doubled, moved, or taken
/// from `other`.
pub fn mutant(random: &mut Random, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let to = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(9) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
            3 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..to)),
            6 => {
                let part = bytes[at..to].to_vec();
                bytes.splice(at..at, part);
            }
            7 => {
                let from = random.below(other.len());
                let part = &other[from..(from + 1 + random.below(64)).min(other.len())];
                bytes.splice(at..at, part.iter().copied());
            }
            _ => bytes.insert(at, random.below(256) as u8),
        }
    }
    bytes.truncate(LEN_BYTES_MAX);
    bytes
}
