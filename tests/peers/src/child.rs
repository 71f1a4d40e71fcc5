//! A run in a process of its own, with a deadline.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::arguments::Arguments;
use crate::scenario::{Preparation, Scenario, Setting, Value};

/// Longest preparation.
const PREPARATION_DEADLINE: Duration = Duration::from_secs(3_600);

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What it reported before it ended.
    pub(crate) values: Vec<Value>,
    /// Why it reported no more, if it failed.
    pub(crate) failure: Option<String>,
}

/// Runs a scenario once in a process of its own.
pub(crate) fn run(scenario: &Scenario, arguments: &Arguments) -> anyhow::Result<Outcome> {
    run_as("--child", &scenario.id(), &scenario.setting(arguments), scenario.deadline)
}

/// Makes what a scenario needs in a process of its own, unless it lies ready.
pub(crate) fn prepare(
    preparation: Preparation,
    scenario: &Scenario,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let setting = scenario.setting(arguments);
    if preparation.dir(&setting).exists() {
        return Ok(());
    }
    let outcome = run_as("--prepare", &scenario.id(), &setting, PREPARATION_DEADLINE)?;
    outcome.failure.map_or(Ok(()), |reason| Err(anyhow::anyhow!("the preparation {reason}")))
}

fn run_as(role: &str, id: &str, setting: &Setting, deadline: Duration) -> anyhow::Result<Outcome> {
    // Ours, so that nothing is left of a process that had to be killed.
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let mut process = Command::new(std::env::current_exe()?)
        .args([role, id, "--documents"])
        .arg(setting.documents.to_string())
        .arg("--runs")
        .arg(setting.runs.to_string())
        .arg("--prepared")
        .arg(&setting.prepared)
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = process.stdout.take().context("no output of the child")?;
    let (sends, lines) = channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sends.send(line).is_err() {
                break;
            }
        }
    });
    let ends_at = Instant::now() + deadline;
    let mut values = Vec::new();
    let failure = loop {
        match lines.recv_timeout(ends_at.saturating_duration_since(Instant::now())) {
            // Whatever a library prints is no value.
            Ok(line) => values.extend(serde_json::from_str::<Value>(&line)),
            Err(RecvTimeoutError::Timeout) => {
                process.kill()?;
                process.wait()?;
                break Some(format!("did not finish within {} s", deadline.as_secs()));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = process.wait()?;
                break (!status.success()).then(|| format!("ended with {status}"));
            }
        }
    };
    // The process is gone, so its output has ended.
    let _ = reader.join();
    Ok(Outcome { values, failure })
}
