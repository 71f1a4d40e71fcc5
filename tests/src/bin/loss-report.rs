//! Writes the loss test: tries to make the system lose something, in every way that is known here, and says
//! what was tried, how often, what was lost, and how to repeat it.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::Parser;

use wangge_fuzzed::TARGETS;
use wangge_tests::process::{Programs, as_program};
use wangge_tests::{kills, power};

#[derive(Debug, Parser)]
#[command(name = "loss-report", about = "Tries to lose something, and reports what was lost")]
struct Arguments {
    /// Rounds of kill -9.
    #[arg(long, default_value_t = 30)]
    kills: u32,
    /// Commits of the run during which the power is cut after every step; 0 leaves it out.
    #[arg(long, default_value_t = 50)]
    commits: u32,
    /// Mutants of the corpus of each kind of bytes.
    #[arg(long, default_value_t = 2_000)]
    mutants: usize,
    /// Seeds of the simulator; 0 leaves it out.
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// The simulator's program; by default `simulate` beside this one.
    #[arg(long, value_name = "FILE")]
    simulate: Option<PathBuf>,
    /// Begins all chance; the same seed tries the same things, but for when a process is caught by a kill.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write the report; by default on the screen.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// One kind of fault: what was tried, with counts, and what was lost.
struct Trial {
    title: &'static str,
    tried: Vec<(String, String)>,
    outcome: Outcome,
    repeat: String,
    seconds: u64,
}

enum Outcome {
    Nothing,
    Lost(String),
    Omitted(String),
}

fn main() -> ExitCode {
    // The processes that are killed and recorded are this program too.
    if let Some(code) = as_program(std::env::args_os().skip(1)) {
        return code;
    }
    let arguments = Arguments::parse();
    let trials =
        [power_cuts(&arguments), kill_rounds(&arguments), corpora(&arguments), simulator(&arguments)];
    let report = report(&arguments, &trials);
    match &arguments.out {
        None => println!("{report}"),
        Some(path) => {
            if let Err(error) = std::fs::write(path, &report) {
                eprintln!("{}: {error}", path.display());
                return ExitCode::FAILURE;
            }
            eprintln!("written: {}", path.display());
        }
    }
    let lost = trials.iter().any(|trial| matches!(trial.outcome, Outcome::Lost(_)));
    if lost { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs a trial that panics where something is lost.
fn caught<T>(trial: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(trial)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it panicked".to_owned())
    })
}

fn pair(what: &str, count: &dyn std::fmt::Display) -> (String, String) {
    (what.to_owned(), count.to_string())
}

fn finished(
    title: &'static str,
    started: Instant,
    repeat: String,
    done: Result<Vec<(String, String)>, String>,
) -> Trial {
    let (tried, outcome) = match done {
        Ok(tried) => (tried, Outcome::Nothing),
        Err(lost) => (Vec::new(), Outcome::Lost(lost)),
    };
    Trial { title, tried, outcome, repeat, seconds: started.elapsed().as_secs() }
}

fn omitted(title: &'static str, why: &str, repeat: String) -> Trial {
    eprintln!("{title}: left out: {why}");
    Trial { title, tried: Vec::new(), outcome: Outcome::Omitted(why.to_owned()), repeat, seconds: 0 }
}

fn power_cuts(arguments: &Arguments) -> Trial {
    let title = "Power cut after every write and fsync";
    let Arguments { commits, seed, .. } = *arguments;
    let repeat = format!("loss-report --commits {commits} --kills 0 --mutants 0 --seeds 0 --seed {seed}");
    if commits == 0 {
        return omitted(title, "--commits 0", repeat);
    }
    if !power::strace_is_here() {
        return omitted(title, "strace is not installed", repeat);
    }
    eprintln!("{title}: a run of {commits} commits is recorded");
    let started = Instant::now();
    let done = caught(|| {
        let scratch = tempfile::tempdir().expect("a directory");
        let recorded = power::record(&Programs::this(), scratch.path(), commits);
        let mut told = Instant::now();
        recorded.cut_everywhere(seed, |at, of| {
            if told.elapsed().as_secs() >= 5 {
                eprintln!("{title}: step {at} of {of}");
                told = Instant::now();
            }
        })
    });
    let done = done.map(|counts| {
        vec![
            pair("commits of the recorded run (real process, real file system)", &counts.commits),
            pair("writes, changes of names, fsyncs and reports in it", &counts.steps),
            pair(
                "disks rebuilt and opened (unsynced writes lost, kept, torn by pages at random)",
                &counts.disks,
            ),
            pair("of them with the commit that was under way found whole", &counts.ahead),
        ]
    });
    finished(title, started, repeat, done)
}

fn kill_rounds(arguments: &Arguments) -> Trial {
    let title = "kill -9 of real processes at random moments";
    let Arguments { kills: rounds, seed, .. } = *arguments;
    let repeat = format!("loss-report --kills {rounds} --commits 0 --mutants 0 --seeds 0 --seed {seed}");
    if rounds == 0 {
        return omitted(title, "--kills 0", repeat);
    }
    let started = Instant::now();
    let mut told = Instant::now();
    eprintln!("{title}: {rounds} rounds");
    let done = caught(|| {
        kills::run(&Programs::this(), seed, rounds, |round| {
            if told.elapsed().as_secs() >= 5 {
                eprintln!("{title}: round {round} of {rounds}");
                told = Instant::now();
            }
        })
    });
    let done = done.map(|counts| {
        vec![
            pair("rounds (two devices and a relay)", &counts.rounds),
            pair("processes killed while they saved", &counts.killed_saving),
            pair("devices and relays killed while they synced", &counts.killed_syncing),
            pair("records that were reported as saved, all found here and at a third device", &counts.saved),
            pair("of them shown as at the centre before the last sync", &counts.at_centre),
        ]
    });
    finished(title, started, repeat, done)
}

fn corpora(arguments: &Arguments) -> Trial {
    let title = "Hostile bytes";
    let Arguments { mutants, seed, .. } = *arguments;
    let repeat = format!("loss-report --mutants {mutants} --kills 0 --commits 0 --seeds 0 --seed {seed}");
    if mutants == 0 {
        return omitted(title, "--mutants 0", repeat);
    }
    let started = Instant::now();
    let mut tried = Vec::new();
    for (name, target) in TARGETS {
        eprintln!("{title}: {name}");
        let mutants = if name == "excel" { mutants.div_ceil(10) } else { mutants };
        let mut last: Option<(PathBuf, Vec<u8>)> = None;
        let done = caught(|| {
            wangge_fuzzed::replay(name, target, seed, mutants, |path, bytes| {
                last = Some((path.to_owned(), bytes.to_vec()));
            })
        });
        match done {
            Ok(Ok(counts)) => {
                let count = format!("{} + {}", counts.files, counts.mutants);
                tried.push(pair(&format!("{name}: files of the corpus, mutants of them"), &count));
            }
            Ok(Err(error)) => return omitted(title, &format!("no corpus of {name}: {error}"), repeat),
            Err(lost) => {
                let from = last.map_or_else(String::new, |(path, _)| path.display().to_string());
                let lost = format!("{name}, a mutant of {from}: {lost}");
                return finished(title, started, repeat, Err(lost));
            }
        }
    }
    finished(title, started, repeat, Ok(tried))
}

fn simulator(arguments: &Arguments) -> Trial {
    let title = "Simulated streets under faults of network, disk, clock and people";
    let seeds = arguments.seeds;
    let beside = Programs::this().0.with_file_name("simulate");
    let program = arguments.simulate.clone().unwrap_or(beside);
    let repeat = format!("simulate --seeds {seeds}");
    if seeds == 0 {
        return omitted(title, "--seeds 0", repeat);
    }
    if !program.is_file() {
        let why = format!("{} is not built: cargo build -p wangge-tests --bins", program.display());
        return omitted(title, &why, repeat);
    }
    let started = Instant::now();
    eprintln!("{title}: {seeds} seeds");
    let output = Command::new(&program)
        .args(["--seeds", &seeds.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let done = match output {
        Err(error) => Err(format!("{}: {error}", program.display())),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let last: Vec<&str> = text.lines().rev().take(20).collect();
            let last: String = last.into_iter().rev().map(|line| format!("{line}\n")).collect();
            if output.status.success() {
                Ok(vec![pair("seeds, each a street of its own", &seeds), pair("what it says", &last.trim())])
            } else {
                Err(last)
            }
        }
    };
    finished(title, started, repeat, done)
}

fn report(arguments: &Arguments, trials: &[Trial]) -> String {
    let mut out = String::from("# 丢失测试 / Loss test\n\n");
    let lost = trials.iter().filter(|trial| matches!(trial.outcome, Outcome::Lost(_))).count();
    let omitted = trials.iter().filter(|trial| matches!(trial.outcome, Outcome::Omitted(_))).count();
    let verdict = match (lost, omitted) {
        (0, 0) => "没有丢失任何已保存的内容。 / Nothing that was saved was lost.".to_owned(),
        (0, omitted) => format!(
            "做过的试验中没有丢失任何已保存的内容;有 {omitted} 项未做。 / \
             Nothing that was saved was lost in what was tried; {omitted} trials were left out."
        ),
        (lost, _) => format!("有 {lost} 项试验失败,见下。 / {lost} trials failed, see below."),
    };
    let _ = writeln!(out, "**{verdict}**\n");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let _ = writeln!(
        out,
        "wangge {}, {} on {}, {cores} cores, seed {}.\n",
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) { "debug build" } else { "release build" },
        kernel(),
        arguments.seed,
    );
    for trial in trials {
        let _ = writeln!(out, "## {}\n", trial.title);
        match &trial.outcome {
            Outcome::Omitted(why) => {
                let _ = writeln!(out, "Left out: {why}\n");
                continue;
            }
            Outcome::Lost(what) => {
                let _ = writeln!(out, "**FAILED**\n\n```text\n{what}\n```\n");
            }
            Outcome::Nothing => {
                let _ = writeln!(out, "| tried | count |\n|---|---|");
                for (what, count) in &trial.tried {
                    let _ = writeln!(out, "| {what} | {} |", count.replace('|', "/").replace('\n', "<br>"));
                }
                let _ = writeln!(out, "| **lost** | **0** |\n");
            }
        }
        let repeat = &trial.repeat;
        let _ = writeln!(out, "{} s. Repeat: `cargo run -p wangge-tests --bin {}`\n", trial.seconds, {
            repeat.replacen(' ', " -- ", 1)
        });
    }
    out
}

fn kernel() -> String {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    format!("Linux {}", read("/proc/sys/kernel/osrelease").trim())
}
