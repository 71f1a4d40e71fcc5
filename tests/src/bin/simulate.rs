//! Simulates a street, seed after seed. See `wangge_tests::sim`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use wangge_tests::sim::{Counts, Plan, run, shrink};

/// Runs that are spent on making a failing run shorter.
const SHRINK_RUNS_MAX: usize = 300;

#[derive(Debug, Parser)]
#[command(about = "Simulates a street under faults, seed after seed")]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed; alone, the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Do not make failing runs shorter.
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic is a failure that is reported with its seed.
    std::panic::set_hook(Box::new(|_| ()));
    let first = arguments.seed.unwrap_or(1);
    let mut counts = Counts::default();
    let (mut failed, mut done) = (0, 0);
    let mut hash = blake3::Hasher::new();
    let began = Instant::now();
    for seed in first..first + arguments.seeds {
        let plan = Plan::of_seed(seed);
        let outcome = run(&plan, arguments.trace);
        for line in &outcome.trace {
            println!("{line}");
        }
        counts.add(&outcome.counts);
        hash.update(outcome.trace_hash.as_bytes());
        done += 1;
        if let Some(failure) = &outcome.failure {
            failed += 1;
            println!("seed {seed}: {:?} at {} ms: {}", failure.wrong, failure.at_ms, failure.what);
            if !arguments.no_shrink {
                let (plan, outcome) = shrink(&plan, failure.wrong, SHRINK_RUNS_MAX);
                println!("shortened to {} steps:", plan.steps.len());
                println!(
                    "  {} grids, {} points, {} workers, {} clerks",
                    plan.grids, plan.points, plan.workers, plan.clerks
                );
                for step in &plan.steps {
                    println!("  +{} ms {:?}", step.after_ms, step.action);
                }
                if let Some(failure) = outcome.failure {
                    println!("  {:?} at {} ms: {}", failure.wrong, failure.at_ms, failure.what);
                }
            }
            if !arguments.keep_going {
                break;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{done} seeds in {seconds:.1} s ({:.0} a minute), {failed} failed, trace {}",
        done as f64 * 60.0 / seconds,
        &hash.finalize().to_hex()[..16]
    );
    println!("{counts:?}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
