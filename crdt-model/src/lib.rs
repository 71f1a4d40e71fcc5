//! What Wangge replicates and how it merges: pure, no I/O, no clock, no randomness.
pub mod checks;
