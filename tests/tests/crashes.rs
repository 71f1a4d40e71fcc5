//! Kill -9 of real processes at random moments: see `wangge_tests::kills`. `ROUNDS` (8) and `SEED` (1) make it
//! longer and different.

use std::path::PathBuf;

use wangge_tests::kills;
use wangge_tests::process::Programs;

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect("a number"))
}

#[test]
fn kill_9_loses_nothing_that_was_saved_or_acknowledged() {
    let (seed, rounds) = (variable("SEED", 1), variable("ROUNDS", 8));
    println!("SEED={seed} ROUNDS={rounds}");
    let programs = Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")));
    let counts = kills::run(&programs, seed, u32::try_from(rounds).expect("few"), |_| ());
    println!("{counts:?}");
    assert!(counts.killed_saving > 0 && counts.killed_syncing > 0, "nothing was killed");
    assert!(counts.saved > 0);
}
