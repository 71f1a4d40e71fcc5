//! A street whose first grid has documents: everything at the relay, decided on, and at six replicas.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::task::JoinSet;
use wangge_model::identity::Scope;
use wangge_node::replica::{Replica, System, World};

use crate::documents::{Age, REPLICAS, edits, person};
use crate::scenario::Setting;
use crate::wangge::street::{Relay, close, commit, edit, found_street, grid, id_of, join, settle};

/// Documents entered in one transaction, as an import does it.
const IMPORTED_TOGETHER: usize = 32;

/// Time over which each round of edits is spread.
const ROUND_MS: u64 = 100 * 24 * 3_600 * 1_000;

/// Where the relay of a prepared street lies.
pub(super) fn relay_dir(prepared: &Path) -> PathBuf {
    prepared.join("relay")
}

/// Where a replica of a prepared street lies.
pub(super) fn replica_dir(prepared: &Path, nth: usize) -> PathBuf {
    prepared.join(format!("replica{nth}"))
}

/// Prepares it in `dir`.
#[tokio::main]
pub(super) async fn street(setting: &Setting, dir: &Path) -> anyhow::Result<()> {
    found_street(&relay_dir(dir))?;
    let relay = Relay::start(&relay_dir(dir))?;
    let mut replicas = Vec::new();
    for nth in 0..usize::from(REPLICAS) {
        replicas.push(join(&replica_dir(dir, nth), &relay.invite(&grid(0), None)?).await?);
    }
    let documents = setting.documents as u64;
    enter(&replicas[0], 0..documents)?;
    settle_all(&relay, &replicas).await?;
    if setting.age == Age::Aged {
        for round in 0..edits(0).len() {
            edit_all(&replicas, documents, round).await?;
            eprintln!("edited: round {round}");
            settle_all(&relay, &replicas).await?;
        }
    }
    replicas.into_iter().for_each(close);
    Ok(())
}

/// Enters persons, as an import does.
pub(super) fn enter(replica: &Replica, persons: std::ops::Range<u64>) -> anyhow::Result<()> {
    let scope = replica.scopes().into_iter().find(|scope| matches!(scope, Scope::Grid(_)));
    enter_in(replica, &scope.context("no grid is held")?, persons)
}

/// The same in a grid that is named.
pub(super) fn enter_in(
    replica: &Replica,
    scope: &Scope,
    persons: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    let persons: Vec<u64> = persons.collect();
    for together in persons.chunks(IMPORTED_TOGETHER) {
        let mut edits = Vec::with_capacity(together.len());
        for &i in together {
            let columns = person(i);
            edits.push(edit(id_of(replica, scope, &columns[0].1)?, columns));
        }
        commit(replica, scope, edits, None)?;
    }
    Ok(())
}

/// Every document's edit of one round, each by the replica whose turn it is.
async fn edit_all(replicas: &[Arc<Replica>], documents: u64, round: usize) -> anyhow::Result<()> {
    let mut editing = JoinSet::new();
    for (nth, replica) in (0..).zip(replicas) {
        let replica = Arc::clone(replica);
        editing.spawn_blocking(move || edit_own(&replica, nth, documents, round));
    }
    while let Some(edited) = editing.join_next().await {
        edited??;
    }
    Ok(())
}

fn edit_own(replica: &Replica, nth: u8, documents: u64, round: usize) -> anyhow::Result<()> {
    let rounds = edits(0).len() - round;
    let began_ms = System.now_ms() - rounds as u64 * ROUND_MS;
    for i in 0..documents {
        let [first, second, third] = edits(i);
        let mine = [first, second, third].into_iter().nth(round).filter(|edit| edit.replica == nth);
        let Some(mine) = mine else { continue };
        let doc = id_of(replica, &grid(0), &person(i)[0].1)?;
        // Not evenly: some bits of every time are as good as random.
        let wall_ms = began_ms + ROUND_MS / documents * i + i * 7_919_317 % (ROUND_MS / documents);
        commit(replica, &grid(0), vec![edit(doc, [(mine.column, mine.value)])], Some(wall_ms))?;
    }
    Ok(())
}

async fn settle_all(relay: &Relay, replicas: &[Arc<Replica>]) -> anyhow::Result<()> {
    // Twice: what the first ones settled on came before what the last ones sent.
    for _ in 0..2 {
        for replica in replicas {
            settle(relay, replica).await?;
        }
    }
    Ok(())
}
