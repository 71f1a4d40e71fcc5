//! What is fuzzed: one function for each kind of bytes that come from outside. None may panic, whatever the
//! bytes; what it takes it must hold together.
//!
//! `tests/fuzz` hands them to libFuzzer, which follows the coverage; the test `corpora` of this package plays
//! back what lies in `tests/fuzz/corpus`, and seeded mutants of it, on every machine.

mod excel;
mod mutate;
mod payload;
pub mod seeds;
mod text;
mod travelling;

use std::path::{Path, PathBuf};

pub use excel::excel;
pub use mutate::{Random, mutant};
pub use payload::payload;
pub use text::{events, geojson, invitation};
pub use travelling::{checkpoint, wire};

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 7] = [
    ("wire", wire),
    ("checkpoint", checkpoint),
    ("payload", payload),
    ("invitation", invitation),
    ("events", events),
    ("excel", excel),
    ("geojson", geojson),
];

/// The corpus of a target.
///
/// # Errors
/// If it cannot be read.
pub fn corpus(name: &str) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let bytes = std::fs::read(&path)?;
        files.push((path, bytes));
    }
    files.sort();
    Ok(files)
}

/// What was played back of one corpus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files of the corpus.
    pub files: usize,
    /// Mutants of them.
    pub mutants: usize,
}

/// Hands a target its corpus and `mutants` mutants of it. `before` is told each input first, so that a panic can
/// be traced to it.
///
/// # Errors
/// If the corpus cannot be read.
pub fn replay(
    name: &str,
    target: Target,
    seed: u64,
    mutants: usize,
    mut before: impl FnMut(&Path, &[u8]),
) -> std::io::Result<Counts> {
    let files = corpus(name)?;
    for (path, bytes) in &files {
        before(path, bytes);
        target(bytes);
    }
    let mut random = Random::of(seed);
    for _ in 0..mutants {
        let Some((path, bytes)) = files.get(random.below(files.len().max(1))) else { break };
        let other = &files[random.below(files.len())].1;
        let bytes = mutant(&mut random, bytes, other);
        before(path, &bytes);
        target(&bytes);
    }
    Ok(Counts { files: files.len(), mutants })
}
