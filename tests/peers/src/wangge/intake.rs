//! Eight replicas that worked offline, each in its own grid, sync at once.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use wangge_model::identity::{LogId, Scope};
use wangge_model::log::{LogIdentity, Tip};
use wangge_model::right::{Act, judge};
use wangge_node::replica::Replica;

use crate::documents::{new_phone, person};
use crate::measure::{
    ADMISSION, ADMISSION_SHARE, INTAKE_CLIENTS, TRANSACTION_INTAKE, TRANSACTION_INTAKE_CPU,
};
use crate::scenario::{Report, Setting};
use crate::wangge::OFFLINE;
use crate::wangge::prepare::{enter, relay_dir, replica_dir};
use crate::wangge::street::{
    Relay, check_equal, close, commit, copy, dialler, edit, found_street, grid, id_of, join, open, settle,
    sync,
};

/// Documents of each replica.
const DOCUMENTS: u64 = 200;

/// Transactions that wait at each replica.
const TRANSACTIONS: u64 = 4_000;

/// What the relay asks of each transaction that was sent, without what it does with it afterwards: chain, signature
/// and form of each run, the right of each transaction. Microseconds a transaction.
fn admit(replicas: &[Arc<Replica>]) -> anyhow::Result<f64> {
    let (mut count, mut time) = (0_u64, Duration::ZERO);
    for (nth, replica) in replicas.iter().enumerate() {
        let profile = replica.profile();
        let scope = replica.scopes().into_iter().find(|scope| matches!(scope, Scope::Grid(_)));
        let scope = scope.with_context(|| format!("replica {nth} has no grid"))?;
        let author = LogIdentity { replica: profile.replica(), epoch: profile.epoch(), branch: None };
        let log = LogId::derive(&scope, &author.replica, author.epoch);
        let (secret, roster) = (replica.secret(&scope).context("no secret")?, replica.roster()?);
        let mut tip = None;
        loop {
            let from = tip.as_ref().map_or(1, |tip: &Tip| tip.len + 1);
            let Some(run) = replica.load_from(&scope, &log, from)?.into_iter().next() else { break };
            let started = Instant::now();
            let checked = run.check(&scope, &secret, tip.as_ref())?;
            for record in &checked.records {
                let act = Act {
                    scope: &scope,
                    author: &author,
                    transaction: &record.transaction,
                    secret: &secret,
                    after_ms: 0,
                    observed_ms: replica.now_ms(),
                };
                if let Err(refusal) = judge(&roster, &profile.centre(), &act) {
                    bail!("it does not count: {}", refusal.reason);
                }
            }
            time += started.elapsed();
            count += checked.records.len() as u64;
            tip = Some(checked.tip);
        }
    }
    if count < TRANSACTIONS {
        bail!("only {count} transactions were admitted")
    }
    Ok(time.as_secs_f64() * 1e6 / count as f64)
}

/// Prepares the street and the replicas, with what they did offline.
#[tokio::main]
pub(super) async fn prepare(_: &Setting, dir: &Path) -> anyhow::Result<()> {
    found_street(&relay_dir(dir))?;
    let relay = Relay::start(&relay_dir(dir))?;
    let mut working = JoinSet::new();
    for nth in 0..INTAKE_CLIENTS {
        let replica = join(&replica_dir(dir, nth), &relay.invite(&grid(nth), None)?).await?;
        enter(&replica, 0..DOCUMENTS)?;
        settle(&relay, &replica).await?;
        working.spawn_blocking(move || {
            for turn in 0..TRANSACTIONS {
                let doc = id_of(&replica, &grid(nth), &person(turn % DOCUMENTS)[0].1)?;
                let phone = new_phone(2_000_000 + turn);
                commit(&replica, &grid(nth), vec![edit(doc, [("phone", phone)])], None)?;
            }
            close(replica);
            anyhow::Ok(())
        });
    }
    while let Some(worked) = working.join_next().await {
        worked??;
    }
    Ok(())
}

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    for _ in 0..setting.runs {
        let folder = tempfile::tempdir_in(&setting.dir)?;
        copy(&OFFLINE.dir(setting), folder.path())?;
        take_in(folder.path(), report).await?;
    }
    Ok(())
}

async fn take_in(dir: &Path, report: &mut Report) -> anyhow::Result<()> {
    let relay = Relay::start(&relay_dir(dir))?;
    let start = Arc::new(Barrier::new(INTAKE_CLIENTS + 1));
    let mut clients = JoinSet::new();
    for nth in 0..INTAKE_CLIENTS {
        let replica = open(&replica_dir(dir, nth))?;
        let (start, addr) = (Arc::clone(&start), relay.addr);
        clients.spawn(async move {
            let dialler = dialler(&replica)?;
            start.wait().await;
            let synced = sync(&dialler, &replica, addr).await?;
            anyhow::Ok((replica, synced))
        });
    }
    let computed = relay.computed()?;
    start.wait().await;
    let started = Instant::now();
    let mut done = Vec::with_capacity(INTAKE_CLIENTS);
    while let Some(client) = clients.join_next().await {
        done.push(client??);
    }
    let elapsed = started.elapsed();
    let computed = relay.computed()? - computed;
    let transactions: u64 = done.iter().map(|(_, synced)| synced.transactions_sent).sum();
    report.value(TRANSACTION_INTAKE, transactions as f64 / elapsed.as_secs_f64())?;
    report.value(TRANSACTION_INTAKE_CPU, computed.as_secs_f64() * 1e6 / transactions as f64)?;
    let admission_us = admit(&done.iter().map(|(replica, _)| Arc::clone(replica)).collect::<Vec<_>>())?;
    report.value(ADMISSION, admission_us)?;
    report.value(ADMISSION_SHARE, admission_us * transactions as f64 / (computed.as_secs_f64() * 1e6))?;
    if transactions != TRANSACTIONS * INTAKE_CLIENTS as u64 {
        bail!("{transactions} transactions were sent");
    }
    done.iter().try_for_each(|(replica, _)| check_equal(&relay, replica))
}
