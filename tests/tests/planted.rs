//! Planted bugs that the simulator's seeds do not meet, each found by a story. `simulate --prove` has the others.
#![cfg(feature = "planted")]

use wangge_tests::prove::{prove_compaction, prove_lost_centre};

/// Plants a bug into all stores, so it runs where no other test has one open.
#[test]
fn stories_find_what_chance_does_not() {
    assert!(prove_compaction().first.is_some(), "a lost tail is not noticed");
    let proof = prove_lost_centre();
    assert!(proof.first.is_some(), "receipts of a lost centre are believed: {proof:?}");
}
