//! A street: its relay in a process of its own, its replicas in this one.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;
use wangge_node::control::{self, Line};
use wangge_node::net::{Dialler, SyncOptions, SyncReport, join as join_street, sync_with};
use wangge_node::replica::{Edit, Replica};
use wangge_relay::{Division, Founding, Invite, found};
use wangge_store::Options;

use crate::measure::INTAKE_CLIENTS;

/// Code of the street and of its only area.
const STREET: &str = "330881121";

/// Longest sync.
const SYNC_MAX: Duration = Duration::from_secs(900);

/// Longer than the relay lets verdicts gather.
const VERDICTS_GATHER: Duration = Duration::from_millis(400);

/// A grid of the street. There are [`INTAKE_CLIENTS`], unless it was founded with more.
pub(super) fn grid(at: usize) -> Scope {
    Scope::Grid(format!("{STREET}{:03}", 200 + at))
}

/// Founds the street in `dir`.
pub(super) fn found_street(dir: &Path) -> anyhow::Result<()> {
    found_street_of(dir, INTAKE_CLIENTS)
}

/// Founds a street of so many grids in `dir`.
pub(super) fn found_street_of(dir: &Path, grids: usize) -> anyhow::Result<()> {
    let divisions = (0..grids)
        .map(|at| Division {
            code: grid(at).code().to_owned(),
            name: format!("第{}村委会", at + 1),
            area: STREET.to_owned(),
        })
        .collect();
    let (street_code, street_name) = (STREET.to_owned(), "贺村镇".to_owned());
    found(dir, &Founding { street_code, street_name, divisions })?.close();
    Ok(())
}

/// A relay that serves until it is dropped.
pub(super) struct Relay {
    process: Child,
    dir: PathBuf,
    pub(super) addr: SocketAddr,
}

impl Relay {
    /// Serves the street in `dir`.
    pub(super) fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--part", "relay", "--replica"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output of the relay")?).read_line(&mut line)?;
        let addr = line.trim().parse().with_context(|| format!("the relay says {line:?}"))?;
        Ok(Self { process, dir: dir.to_owned(), addr })
    }

    /// An invitation to a grid, which names `address` or where the relay listens.
    pub(super) fn invite(&self, grid: &Scope, address: Option<SocketAddr>) -> anyhow::Result<String> {
        self.invite_as(Role::GridWorker, grid, address)
    }

    /// An invitation to a post.
    pub(super) fn invite_as(
        &self,
        role: Role,
        unit: &Scope,
        address: Option<SocketAddr>,
    ) -> anyhow::Result<String> {
        let invite = Invite {
            worker: "张三".to_owned(),
            role,
            unit: unit.clone(),
            address: address.map(|address| address.to_string()),
            term_s: None,
        };
        let answer = self.ask(&serde_json::json!({ "Invite": invite }))?;
        Ok(answer.as_str().context("no invitation")?.to_owned())
    }

    /// Digest lines of everything that has arrived.
    pub(super) fn digests(&self) -> anyhow::Result<Vec<String>> {
        Ok(serde_json::from_value(self.ask(&"Digest")?)?)
    }

    /// Time that the relay's process has computed for.
    pub(super) fn computed(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        // In user mode and in the kernel, in hundredths of a second (proc(5), fields 14 and 15).
        let both = ticks(11).zip(ticks(12)).context("the system does not say how long a process ran")?;
        Ok(Duration::from_millis((both.0 + both.1) * 10))
    }

    fn ask(&self, request: &impl serde::Serialize) -> anyhow::Result<serde_json::Value> {
        let answer = tokio::task::block_in_place(|| control::ask(&self.dir, request, |_, _, _| ()))?;
        match answer {
            Some(Line::Answer(answer)) => Ok(answer),
            other => bail!("the relay answers {other:?}"),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It ends when its input does.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Joins a grid in `dir`.
pub(super) async fn join(dir: &Path, invitation: &str) -> anyhow::Result<Arc<Replica>> {
    let joined = join_street(dir, invitation).await?;
    if !joined.roster {
        bail!("the roster did not come with joining");
    }
    open(dir)
}

/// Opens a replica.
pub(super) fn open(dir: &Path) -> anyhow::Result<Arc<Replica>> {
    Ok(Arc::new(Replica::open(dir, Options::default())?))
}

/// Lets go of a replica once its last write is done.
pub(super) fn close(replica: Arc<Replica>) {
    let mut replica = replica;
    loop {
        match Arc::try_unwrap(replica) {
            Ok(replica) => return replica.close(),
            Err(shared) => replica = shared,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Dials for a replica; nothing is known of earlier sessions.
pub(super) fn dialler(replica: &Replica) -> anyhow::Result<Dialler> {
    let profile = replica.profile();
    Ok(Dialler::new(&profile.signing_key(), Some(profile.centre()))?)
}

/// One sync that must end equal.
pub(super) async fn sync(
    dialler: &Dialler,
    replica: &Arc<Replica>,
    relay: SocketAddr,
) -> anyhow::Result<SyncReport> {
    let options =
        SyncOptions { timeout: Some(SYNC_MAX), peer: Some(relay.to_string()), ..SyncOptions::default() };
    let report = sync_with(dialler, replica, options).await?;
    if !report.in_sync {
        bail!("a sync ended with {report:?}");
    }
    Ok(report)
}

/// Syncs until nothing comes or goes any more, verdicts included.
pub(super) async fn settle(relay: &Relay, replica: &Arc<Replica>) -> anyhow::Result<()> {
    loop {
        let dialler = dialler(replica)?;
        let report = sync(&dialler, replica, relay.addr).await?;
        dialler.close().await;
        // Only what has taken effect is decided; this waits for that.
        relay.digests()?;
        tokio::time::sleep(VERDICTS_GATHER).await;
        if report.transactions_sent + report.transactions_received + report.documents_received == 0 {
            return Ok(());
        }
    }
}

/// Fails unless the replica's documents are the relay's.
pub(super) fn check_equal(relay: &Relay, replica: &Replica) -> anyhow::Result<()> {
    let there = relay.digests()?;
    for digest in replica.digests()? {
        let line = digest.to_string();
        if !there.contains(&line) {
            bail!("{line} is not what the relay has: {there:?}");
        }
    }
    Ok(())
}

/// The document of a person with that number, known here or not.
pub(super) fn id_of(replica: &Replica, scope: &Scope, number: &str) -> anyhow::Result<DocId> {
    Ok(replica.natural_id(scope, Kind::PERSON, number)?.0)
}

/// An edit of some columns.
pub(super) fn edit<'a>(doc: DocId, columns: impl IntoIterator<Item = (&'a str, String)>) -> Edit {
    let ops = columns
        .into_iter()
        .map(|(column, value)| Op {
            target: Target::Field(column.to_owned()),
            value: Some(Scalar::from(value.as_str())),
        })
        .collect();
    Edit { doc, kind: Kind::PERSON, ops }
}

/// Commits one transaction.
pub(super) fn commit(
    replica: &Replica,
    scope: &Scope,
    edits: Vec<Edit>,
    wall_ms: Option<u64>,
) -> anyhow::Result<()> {
    replica.commit(scope, edits, wall_ms)?.context("nothing changed")?;
    Ok(())
}

/// Copies a directory that nobody holds open.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
