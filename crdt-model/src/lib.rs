//! What Wangge (网格) replicates and how it merges.
//!
//! Pure: no I/O, no clock, no randomness, no async; those are inputs. The same code runs on a
//! workstation, on a phone and in a simulator.

pub mod audit;
pub mod case;
pub mod centre;
pub mod checkpoint;
pub mod checks;
pub mod clock;
pub mod codes;
pub mod deadline;
pub mod document;
pub mod enrolment;
pub mod fingerprint;
pub mod identity;
pub mod ingest;
pub mod invitation;
pub mod limit;
pub mod log;
pub mod materialise;
pub mod org;
pub mod photo;
pub mod planted;
pub mod registers;
pub mod right;
pub mod roster;
pub mod schema;
pub mod sealed;
pub mod search;
pub mod session;
pub mod transaction;
pub mod tree;
pub mod turn;
pub mod verdict;
pub mod wipe;
pub mod wire;
pub mod work;
