//! What holds between records of the registers: which ones are the same person, and which ones likely are.

pub mod duplicates;
pub mod merge;
