//! Simulates a street, seed after seed. See `wangge_tests::sim`.

use std::ops::{ControlFlow, Range};
use std::process::ExitCode;
#[cfg(feature = "planted")]
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;

use wangge_model::planted::Bug;
use wangge_tests::sim::{Counts, FULL_ALPHABET, Outcome, Plan, Wrong, in_order, run, shrink};

/// As in the programs themselves.
#[global_allocator]
static ALLOCATOR: wangge_node::memory::MiMalloc = wangge_node::memory::MiMalloc;

/// Runs that are spent on making a failing run shorter.
const SHRINK_RUNS_MAX: usize = 300;

/// Seeds of a run that says nothing else.
const SEEDS: u64 = 100;

#[derive(Debug, Parser)]
#[command(about = "Simulates a street under faults, seed after seed")]
struct Arguments {
    /// How many seeds: 100, or 1 with `--seed`.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed; alone, the only one. Those below 1000000, where it begins by itself, know only what happens
    /// to devices; those from 2000000 on also moved workers, flipped bits and programs of two versions.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happens; of a failing run the shortened one.
    #[arg(long)]
    trace: bool,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Plant a bug, of a build with the feature `planted`.
    #[arg(long, value_name = "NAME")]
    planted: Option<String>,
    /// Plant each bug in turn and count the seeds that find it; fail if none does.
    #[arg(long)]
    prove: bool,
    /// With `--prove`: go on to the next bug once one is found.
    #[arg(long, requires = "prove")]
    until_found: bool,
    /// Do not make failing runs shorter.
    #[arg(long)]
    no_shrink: bool,
}

/// Prints what happened in a run that was traced.
fn tell(outcome: &Outcome) {
    for line in &outcome.trace {
        println!("{line}");
    }
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}

#[cfg(feature = "planted")]
fn plant(bug: Option<Bug>) -> bool {
    wangge_model::planted::plant(bug);
    true
}

#[cfg(not(feature = "planted"))]
fn plant(_: Option<Bug>) -> bool {
    false
}

/// Plants each bug, prints a table, and fails if one is not found.
#[cfg(feature = "planted")]
fn prove(seeds: Range<u64>, until_found: bool) -> ExitCode {
    use wangge_tests::prove::{Proof, prove, prove_compaction, prove_lost_centre};
    let mut missed = 0;
    let mut tell = |name: &str, proof: &Proof| {
        let first = proof.first.map_or("never".to_owned(), |first| first.to_string());
        let found: Vec<String> = proof.found.iter().map(|(by, count)| format!("{by} ({count})")).collect();
        println!("{name:<24} {first:>8} {:>5} of {:<5} {}", proof.count(), proof.runs, found.join(", "));
        missed += u64::from(proof.first.is_none());
    };
    println!("{:<24} {:>8} {:>14} found by", "planted bug", "first at", "found in");
    let sound = Mutex::default();
    let (from, count) = (seeds.start, Bug::ALL.len());
    let plant_one = move |number: u64| match Bug::ALL[number as usize].1 {
        // Too narrow a moment for chance to meet it often.
        Bug::TrustReceipt => prove_lost_centre(),
        bug => prove(bug, seeds.clone(), until_found, &sound),
    };
    let all = in_order(0..count as u64, plant_one, |number, proof| {
        tell(Bug::ALL[number as usize].0, &proof);
        ControlFlow::Continue(())
    });
    if let Err(number) = all {
        return refuse(&format!("{} does not end", Bug::ALL[number as usize].0));
    }
    tell("lose-tail-on-compaction", &prove_compaction());
    println!("{} bugs, {missed} not found; seeds from {from}", count + 1);
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(feature = "planted"))]
fn prove(_: Range<u64>, _: bool) -> ExitCode {
    refuse("this build has no planted bugs: --features planted")
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic is a failure that is reported with its seed.
    std::panic::set_hook(Box::new(|_| ()));
    let first = arguments.seed.unwrap_or(FULL_ALPHABET);
    if arguments.prove {
        let last = first + arguments.seeds.unwrap_or(SEEDS);
        return prove(first..last, arguments.until_found);
    }
    let bug = match &arguments.planted {
        None => None,
        Some(name) => match Bug::ALL.iter().find(|(known, _)| known == name) {
            Some((_, bug)) if plant(Some(*bug)) => Some(*bug),
            Some(_) => return refuse("this build has no planted bugs: --features planted"),
            None => {
                let known: Vec<&str> = Bug::ALL.iter().map(|(name, _)| *name).collect();
                return refuse(&format!("no bug {name:?}; there are {}", known.join(", ")));
            }
        },
    };
    let mut counts = Counts::default();
    let (mut failed, mut done) = (0, 0);
    let mut hash = blake3::Hasher::new();
    let began = Instant::now();
    let seeds = arguments.seeds.unwrap_or(if arguments.seed.is_some() { 1 } else { SEEDS });
    let traced = arguments.trace;
    // A bug is planted in each thread by itself.
    let one = move |seed| {
        plant(bug);
        run(&Plan::of_seed(seed), traced)
    };
    let all = in_order(first..first + seeds, one, |seed, outcome| {
        if outcome.failure.is_none() || arguments.no_shrink {
            tell(&outcome);
        }
        counts.add(&outcome.counts);
        hash.update(outcome.trace_hash.as_bytes());
        done += 1;
        let Some(failure) = &outcome.failure else { return ControlFlow::Continue(()) };
        failed += 1;
        println!("seed {seed}: {:?} at {} ms: {}", failure.wrong, failure.at_ms, failure.what);
        if !arguments.no_shrink {
            tell_shortened(seed, failure.wrong, traced);
        }
        if arguments.keep_going { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    if let Err(seed) = all {
        return refuse(&format!("seed {seed} does not end: its threads wait for each other"));
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

/// Prints a shorter plan that fails alike.
fn tell_shortened(seed: u64, wrong: Wrong, traced: bool) {
    let (plan, outcome) = shrink(&Plan::of_seed(seed), wrong, SHRINK_RUNS_MAX);
    println!("shortened to {} steps:", plan.steps.len());
    println!(
        "  {} grids, {} points, {} workers, {} clerks",
        plan.grids, plan.points, plan.workers, plan.clerks
    );
    for step in &plan.steps {
        println!("  +{} ms {:?}", step.after_ms, step.action);
    }
    if traced {
        tell(&run(&plan, true));
    }
    if let Some(failure) = outcome.failure {
        println!("  {:?} at {} ms: {}", failure.wrong, failure.at_ms, failure.what);
    }
}
