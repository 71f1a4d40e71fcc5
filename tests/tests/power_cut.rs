//! The power fails after every step of a real run: see `wangge_tests::power`. `COMMITS` (50) and `SEED` (1) make
//! it longer and different, `STEPS=1` prints what was recorded. Needs strace; without it the test says so and passes.

use std::path::PathBuf;

use wangge_tests::power;
use wangge_tests::process::Programs;

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect("a number"))
}

#[test]
fn a_power_cut_after_any_step_loses_nothing_that_was_saved() {
    if !power::strace_is_here() {
        println!("strace is not installed: no run was recorded");
        return;
    }
    let (seed, commits) = (variable("SEED", 1), variable("COMMITS", 50));
    println!("SEED={seed} COMMITS={commits}");
    let programs = Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")));
    let scratch = tempfile::tempdir().expect("a directory");
    let recorded = power::record(&programs, scratch.path(), u32::try_from(commits).expect("few"));
    if std::env::var_os("STEPS").is_some() {
        println!("{recorded}");
    }
    let counts = recorded.cut_everywhere(seed, |_, _| ());
    println!("{counts:?}");
    assert!(counts.disks > 3 * counts.commits);
    assert!(counts.ahead > 0, "no cut fell between an fsync and its report: what is torn was never there");
}
