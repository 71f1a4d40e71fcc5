//! What a replica's documents cost in memory: processes that hold some, less processes that hold none.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::measure::{EMPTY_MEMORY_MB, FETCHED_MEMORY, FETCHED_MEMORY_MB, REOPENED_MEMORY};
use crate::scenario::{Report, Setting};
use crate::wangge::STREET;
use crate::wangge::prepare::relay_dir;
use crate::wangge::street::{Relay, copy, found_street, grid};

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let (full, empty) = (folder.path().join("full"), folder.path().join("empty"));
    copy(&relay_dir(&STREET.dir(setting)), &full)?;
    found_street(&empty)?;
    let (full, empty) = (Relay::start(&full)?, Relay::start(&empty)?);
    for run in 0..setting.runs {
        let documents_held = held(&full, &folder.path().join(format!("full{run}")))?;
        let nothing = held(&empty, &folder.path().join(format!("empty{run}")))?;
        let documents = setting.documents as f64;
        report.value(
            REOPENED_MEMORY,
            (documents_held.reopened_bytes - nothing.reopened_bytes) / 1e3 / documents,
        )?;
        let fetched_bytes = documents_held.fetched_bytes - nothing.fetched_bytes;
        report.value(FETCHED_MEMORY, fetched_bytes / 1e3 / documents)?;
        report.value(FETCHED_MEMORY_MB, fetched_bytes / 1e6)?;
        report.value(EMPTY_MEMORY_MB, nothing.reopened_bytes / 1e6)?;
    }
    Ok(())
}

/// Resident memory of a process.
struct Held {
    fetched_bytes: f64,
    reopened_bytes: f64,
}

fn held(relay: &Relay, dir: &Path) -> anyhow::Result<Held> {
    let invitation = relay.invite(&grid(0), None)?;
    let fetched_bytes = play("fetch", dir, Some((relay.addr, &invitation)))?;
    Ok(Held { fetched_bytes, reopened_bytes: play("reopen", dir, None)? })
}

/// Plays a part in a process of its own; says what memory it held.
fn play(part: &str, dir: &Path, meets: Option<(SocketAddr, &str)>) -> anyhow::Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--part", part, "--replica"]).arg(dir).stderr(Stdio::inherit());
    if let Some((relay, invitation)) = meets {
        command.arg("--relay").arg(relay.to_string()).arg("--invitation").arg(invitation);
    }
    let output = command.output()?;
    if !output.status.success() {
        bail!("{part} ended with {}", output.status);
    }
    let kib: f64 = String::from_utf8(output.stdout)?.trim().parse().context("no size")?;
    Ok(kib * 1_024.0)
}
