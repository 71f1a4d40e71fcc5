//! Reconnections of a replica that has everything: idle, after edits here, after edits elsewhere.

use wangge_node::replica::Replica;

use crate::documents::{new_phone, person};
use crate::measure::{
    CHANGE_HERE_BYTES, CHANGE_THERE_BYTES, EDITED_RECONNECT, EDITED_RECONNECT_DOWN, EDITED_RECONNECT_UP,
    EDITS, IDLE_RECONNECT, IDLE_RECONNECT_BYTES, IDLE_RECONNECT_DOWN, IDLE_RECONNECT_UP,
};
use crate::scenario::{Report, Setting};
use crate::wangge::STREET;
use crate::wangge::meter::{Meter, Passed};
use crate::wangge::prepare::{relay_dir, replica_dir};
use crate::wangge::street::{
    Relay, check_equal, commit, copy, dialler, edit, grid, id_of, open, settle, sync,
};

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let prepared = STREET.dir(setting);
    for dir in
        [relay_dir, |dir: &std::path::Path| replica_dir(dir, 1), |dir: &std::path::Path| replica_dir(dir, 2)]
    {
        copy(&dir(&prepared), &dir(folder.path()))?;
    }
    let relay = Relay::start(&relay_dir(folder.path()))?;
    let here = open(&replica_dir(folder.path(), 1))?;
    let there = open(&replica_dir(folder.path(), 2))?;
    let mut meter = Meter::start(relay.addr).await?;
    for run in 0..setting.runs as u64 {
        settle(&relay, &here).await?;
        let idle = reconnect(&mut meter, &here).await?;
        report.time(IDLE_RECONNECT, idle.time)?;
        report.bytes(IDLE_RECONNECT_UP, idle.up_bytes)?;
        report.bytes(IDLE_RECONNECT_DOWN, idle.down_bytes)?;
        report.bytes(IDLE_RECONNECT_BYTES, idle.bytes())?;

        change(&here, 2 * run)?;
        let edited = reconnect(&mut meter, &here).await?;
        report.time(EDITED_RECONNECT, edited.time)?;
        report.bytes(EDITED_RECONNECT_UP, edited.up_bytes)?;
        report.bytes(EDITED_RECONNECT_DOWN, edited.down_bytes)?;
        report.value(CHANGE_HERE_BYTES, each(idle, edited))?;

        settle(&relay, &here).await?;
        settle(&relay, &there).await?;
        change(&there, 2 * run + 1)?;
        settle(&relay, &there).await?;
        let edited = reconnect(&mut meter, &here).await?;
        report.value(CHANGE_THERE_BYTES, each(idle, edited))?;
    }
    check_equal(&relay, &here)
}

/// One sync of a replica that knows nothing of earlier sessions but their clocks.
async fn reconnect(meter: &mut Meter, replica: &std::sync::Arc<Replica>) -> anyhow::Result<Passed> {
    let addr = meter.addr();
    let dialler = dialler(replica)?;
    let ((), passed) = meter.measure(async { sync(&dialler, replica, addr).await.map(|_| ()) }).await?;
    Ok(passed)
}

fn each(idle: Passed, edited: Passed) -> f64 {
    (edited.bytes() as f64 - idle.bytes() as f64) / EDITS as f64
}

/// Changes [`EDITS`] documents, one transaction each.
pub(super) fn change(replica: &Replica, turn: u64) -> anyhow::Result<()> {
    change_many(replica, turn, EDITS as u64)
}

/// Changes documents, one transaction each.
pub(super) fn change_many(replica: &Replica, turn: u64, count: u64) -> anyhow::Result<()> {
    for i in 0..count {
        let doc = id_of(replica, &grid(0), &person(i)[0].1)?;
        let phone = new_phone(1_000_000 + turn * count + i);
        commit(replica, &grid(0), vec![edit(doc, [("phone", phone)])], None)?;
    }
    Ok(())
}
