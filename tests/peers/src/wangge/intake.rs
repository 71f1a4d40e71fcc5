//! Eight replicas that worked offline, each in its own grid, sync at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::documents::{new_phone, person};
use crate::measure::{INTAKE_CLIENTS, TRANSACTION_INTAKE, TRANSACTION_INTAKE_CPU};
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
    if transactions != TRANSACTIONS * INTAKE_CLIENTS as u64 {
        bail!("{transactions} transactions were sent");
    }
    done.iter().try_for_each(|(replica, _)| check_equal(&relay, replica))
}
