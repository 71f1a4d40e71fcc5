//! What a worker waits for who starts the program: the list of his grid, from the start of a process on,
//! beyond what a process takes that only opens the store.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use wangge_node::command::{Command, ListArgs, RegisterCommand, Unwatched, execute};
use wangge_node::replica::keys;
use wangge_store::{Options, Store};

use crate::measure::{STORE_OPEN, VIEWS, VIEWS_FACTOR, VIEWS_SCAN};
use crate::scenario::{Report, Setting};
use crate::table::median;
use crate::wangge::STREET;
use crate::wangge::prepare::replica_dir;
use crate::wangge::street::{copy, open};

/// Starts of each kind, in turns, of which the medians are taken.
const STARTS: usize = 9;

pub(super) fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let dir = folder.path().join("replica");
    copy(&replica_dir(&STREET.dir(setting), 1), &dir)?;
    for _ in 0..setting.runs {
        let (mut store_ms, mut views_ms, mut scan_ms) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let (opened_ms, scanned_ms) = start("store", &dir)?;
            store_ms.push(opened_ms);
            scan_ms.push(scanned_ms);
            let (listed_ms, documents) = start("views", &dir)?;
            if documents < setting.documents as f64 {
                bail!("the list has {documents} of {} documents", setting.documents);
            }
            views_ms.push(listed_ms);
        }
        let middle = |all: &[f64]| median(all).context("no start");
        let (store_ms, scan_ms) = (middle(&store_ms)?, middle(&scan_ms)?);
        let views_ms = middle(&views_ms)? - store_ms;
        report.value(VIEWS, views_ms)?;
        report.value(STORE_OPEN, store_ms)?;
        report.value(VIEWS_SCAN, scan_ms)?;
        report.value(VIEWS_FACTOR, views_ms / scan_ms)?;
    }
    Ok(())
}

/// Milliseconds from starting a process until it says `ready`, and the number that it says then.
fn start(part: &str, dir: &Path) -> anyhow::Result<(f64, f64)> {
    let started = Instant::now();
    let mut process = Process::new(std::env::current_exe()?)
        .args(["--part", part, "--replica"])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
    let ready = lines.next().context("no line")??;
    let ready_ms = started.elapsed().as_secs_f64() * 1e3;
    let number = lines.next().context("no number")??;
    let status = process.wait()?;
    if ready != "ready" || !status.success() {
        bail!("{part} says {ready:?} and ends with {status}");
    }
    Ok((ready_ms, number.parse().with_context(|| number)?))
}

fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Opens the store alone; then reads all stored views as they lie there and says how long that takes.
pub(super) fn open_store(dir: &Path) -> anyhow::Result<()> {
    let store = Store::open(dir, Options::default())?;
    say("ready")?;
    let started = Instant::now();
    let mut len_bytes = 0;
    for entry in store.scan(keys::VIEWS) {
        len_bytes += entry?.1.len();
    }
    let scan_ms = started.elapsed().as_secs_f64() * 1e3;
    if len_bytes == 0 {
        bail!("no views are stored");
    }
    say(scan_ms)
}

/// Opens the replica and lists all residents of its grid, as `wangge person list` does.
pub(super) fn open_views(dir: &Path) -> anyhow::Result<()> {
    let replica = open(dir)?;
    let list = Command::Person(RegisterCommand::List(ListArgs::default()));
    let answer = execute(&replica, &list, &Unwatched)?;
    say("ready")?;
    say(answer.json.as_array().context("no list")?.len())
}
