//! What it takes until an edit is on the disk, against an append to a file beside it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command as Process};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wangge_model::identity::DocId;
use wangge_model::schema::Kind;
use wangge_node::command::{Command, RegisterCommand, SetArgs};
use wangge_node::control::{self, Line};
use wangge_node::replica::{Profile, Replica, System, keys};
use wangge_store::{Batch, Options, Store};

use crate::documents::{new_phone, person};
use crate::measure::{
    APPEND_BESIDE, CLEAR_WRITE, COMMIT, COMMIT_FACTOR, DAEMON_COMMIT, DAEMON_COMMIT_FACTOR, SEALED_WRITE,
    SEALING_SHARE,
};
use crate::scenario::{Report, Setting};
use crate::table::median;
use crate::wangge::STREET;
use crate::wangge::prepare::{relay_dir, replica_dir};
use crate::wangge::street::{Relay, close, commit, copy, edit, grid, id_of, open};

/// Commits of which the median is taken, with as many appends between them.
const COMMITS: u64 = 200;

/// Persons that are edited in turns.
const PERSONS: u64 = 50;

/// What one append writes: a page.
const APPEND_BYTES: usize = 4_096;

/// Pause after each commit: a worker types, and what the commit set off meanwhile ends.
const PAUSE: Duration = Duration::from_millis(10);

/// Longest wait until a daemon answers, or its relay has what it was told.
const DAEMON_WAIT: Duration = Duration::from_secs(20);

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let prepared = STREET.dir(setting);
    copy(&relay_dir(&prepared), &relay_dir(folder.path()))?;
    let dir = folder.path().join("replica");
    copy(&replica_dir(&prepared, 1), &dir)?;
    let replica = open(&dir)?;
    let numbers = (0..PERSONS).map(|i| person(i)[0].1.clone());
    let docs: Vec<DocId> =
        numbers.map(|number| id_of(&replica, &grid(0), &number)).collect::<anyhow::Result<_>>()?;
    for run in 0..setting.runs as u64 {
        let (commit_ms, append_ms) = alternate(&dir, COMMITS, |i| {
            let phone = new_phone(3_000_000 + run * COMMITS + i);
            let doc = docs[(i % PERSONS) as usize];
            commit(&replica, &grid(0), vec![edit(doc, [("phone", phone)])], None)
        })?;
        report.value(COMMIT, commit_ms)?;
        report.value(APPEND_BESIDE, append_ms)?;
        report.value(COMMIT_FACTOR, commit_ms / append_ms)?;
    }

    for run in 0..setting.runs as u64 {
        at_rest(&replica, folder.path(), &docs, 3_900_000 + run * COMMITS, report)?;
    }

    let relay = Relay::start(&relay_dir(folder.path()))?;
    let mut profile = replica.profile();
    profile.set_address(&relay.addr.to_string());
    replica.set_profile(profile)?;
    close(replica);
    let daemon = Daemon::start(&dir)?;
    daemon.await_session(&relay)?;
    for run in 0..setting.runs as u64 {
        let (commit_ms, append_ms) =
            alternate(&dir, COMMITS, |i| daemon.set_phone(4_500_000 + run * COMMITS + i))?;
        report.value(DAEMON_COMMIT, commit_ms)?;
        report.value(DAEMON_COMMIT_FACTOR, commit_ms / append_ms)?;
    }
    Ok(())
}

/// What encryption adds to a commit: all that an edit wrote is written again into two new stores, of which one
/// encrypts, in turns with commits.
fn at_rest(
    replica: &Replica,
    dir: &Path,
    docs: &[DocId],
    first: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    let clear = Store::open(&folder.path().join("clear"), Options::default())?;
    let profile = Profile::create(&System, None, "")?;
    let sealing = Replica::create(&folder.path().join("sealed"), profile, Options::default())?;
    let scope = grid(0);
    let (mut commit_ms, mut sealed_ms, mut clear_ms) = (Vec::new(), Vec::new(), Vec::new());
    let timed = |times: &mut Vec<f64>, work: &mut dyn FnMut() -> anyhow::Result<()>| -> anyhow::Result<()> {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(PAUSE);
        Ok(())
    };
    for i in 0..COMMITS {
        let doc = docs[(i % PERSONS) as usize];
        let mut done = None;
        timed(&mut commit_ms, &mut || {
            let edits = vec![edit(doc, [("phone", new_phone(first + i))])];
            done = replica.commit(&scope, edits, None)?;
            Ok(())
        })?;
        let done = done.context("nothing was committed")?;
        let written = keys::written(&scope, &done.log, done.seq, Kind::PERSON, &doc);
        let batch = || -> anyhow::Result<Batch> {
            let mut batch = Batch::new();
            for key in &written {
                let value = replica.store().get(key)?.context("a commit did not write what it writes")?;
                batch.put(key.clone(), value);
            }
            Ok(batch)
        };
        let (mut sealed, mut plain) = (Some(batch()?), Some(batch()?));
        let mut seal = || Ok(sealing.store().commit(sealed.take().unwrap_or_default())?);
        let mut write = || Ok(clear.commit(plain.take().unwrap_or_default())?);
        // Whoever comes second finds the disk warm.
        if i % 2 == 0 {
            timed(&mut sealed_ms, &mut seal)?;
            timed(&mut clear_ms, &mut write)?;
        } else {
            timed(&mut clear_ms, &mut write)?;
            timed(&mut sealed_ms, &mut seal)?;
        }
    }
    let median = |times: &[f64]| median(times).context("nothing was measured");
    let (commit_ms, sealed_ms, clear_ms) = (median(&commit_ms)?, median(&sealed_ms)?, median(&clear_ms)?);
    report.value(SEALED_WRITE, sealed_ms)?;
    report.value(CLEAR_WRITE, clear_ms)?;
    report.value(SEALING_SHARE, (sealed_ms - clear_ms) / commit_ms)
}

/// A daemon in a process of its own.
struct Daemon<'a> {
    process: Child,
    dir: &'a Path,
}

impl<'a> Daemon<'a> {
    fn start(dir: &'a Path) -> anyhow::Result<Self> {
        let process = Process::new(std::env::current_exe()?)
            .args(["--part", "daemon", "--replica"])
            .arg(dir)
            .spawn()?;
        let daemon = Self { process, dir };
        let started = Instant::now();
        while daemon.ask(&Command::Digest).is_err() {
            if started.elapsed() > DAEMON_WAIT {
                bail!("the daemon does not answer");
            }
            std::thread::sleep(PAUSE);
        }
        Ok(daemon)
    }

    /// Waits until what is committed reaches the relay.
    fn await_session(&self, relay: &Relay) -> anyhow::Result<()> {
        let before = relay.digests()?;
        self.set_phone(4_000_000)?;
        let started = Instant::now();
        while relay.digests()? == before {
            if started.elapsed() > DAEMON_WAIT {
                bail!("the daemon has no session");
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn set_phone(&self, turn: u64) -> anyhow::Result<()> {
        let key = person(turn % PERSONS)[0].1.clone();
        let fields = vec![format!("phone={}", new_phone(turn))];
        let set = SetArgs { key, fields, ..SetArgs::default() };
        self.ask(&Command::Person(RegisterCommand::Set(set)))
    }

    fn ask(&self, command: &Command) -> anyhow::Result<()> {
        match control::ask(self.dir, command, |_, _, _| ())? {
            Some(Line::Answer(_)) => Ok(()),
            other => bail!("the daemon answers {other:?}"),
        }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // Nothing is lost: all that counts is on the disk.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does something and appends to a file in `dir`, in turns; the medians of both in milliseconds.
fn alternate(
    dir: &Path,
    times: u64,
    mut work: impl FnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, f64)> {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("append"))?;
    let page = [0x5a; APPEND_BYTES];
    let (mut work_ms, mut append_ms) = (Vec::new(), Vec::new());
    for i in 0..times {
        let started = Instant::now();
        work(i)?;
        work_ms.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        append_ms.push(started.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(PAUSE);
    }
    Ok((median(&work_ms).context("no work")?, median(&append_ms).context("no append")?))
}
