//! A run in a process of its own, with a deadline.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::arguments::Arguments;
use crate::scenario::Value;

/// Longest run before it counts as not finished.
const DEADLINE: Duration = Duration::from_secs(180);

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What it reported before it ended.
    pub(crate) values: Vec<Value>,
    /// Why it reported no more, if it failed.
    pub(crate) failure: Option<String>,
}

/// Runs a scenario once in a process of its own.
pub(crate) fn run(id: &str, arguments: &Arguments) -> anyhow::Result<Outcome> {
    // Ours, so that nothing is left of a process that had to be killed.
    let folder = tempfile::tempdir_in(&arguments.dir)?;
    let mut process = Command::new(std::env::current_exe()?)
        .args(["--child", id, "--documents"])
        .arg(arguments.documents.to_string())
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
    let ends_at = Instant::now() + DEADLINE;
    let mut values = Vec::new();
    let failure = loop {
        match lines.recv_timeout(ends_at.saturating_duration_since(Instant::now())) {
            // Whatever a library prints is no value.
            Ok(line) => values.extend(serde_json::from_str::<Value>(&line)),
            Err(RecvTimeoutError::Timeout) => {
                process.kill()?;
                process.wait()?;
                break Some(format!("did not finish within {} s", DEADLINE.as_secs()));
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
