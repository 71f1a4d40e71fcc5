//! Plays the corpora back, and seeded mutants of them. `MUTANTS` (2000) and `SEED` (1) make it longer and
//! different.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wangge_fuzzed::{TARGETS, replay};

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect("a number"))
}

#[test]
fn nothing_in_the_corpora_and_no_mutant_of_it_breaks_anything() {
    let (seed, mutants) = (variable("SEED", 1), variable("MUTANTS", 2_000));
    for (name, target) in TARGETS {
        // A workbook is unpacked and parsed as XML each time.
        let mutants = if name == "excel" { mutants / 10 } else { mutants };
        let mut last = None;
        let done = catch_unwind(AssertUnwindSafe(|| {
            replay(name, target, seed, mutants as usize, |path, bytes| {
                last = Some((path.to_owned(), bytes.to_vec()));
            })
        }));
        let Ok(counts) = done else {
            let (path, bytes) = last.expect("an input");
            let kept = std::env::temp_dir().join(format!("wangge-{name}-breaks"));
            std::fs::write(&kept, bytes).expect("writes");
            panic!("{name}: a mutant of {} (SEED={seed}) breaks it: {}", path.display(), kept.display());
        };
        let counts = counts.expect("a corpus");
        println!("{name}: {} files, {} mutants", counts.files, counts.mutants);
        assert!(counts.files > 0, "{name} has no corpus");
    }
}
