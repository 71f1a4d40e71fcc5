//! A new replica joins and fetches everything.

use std::time::Instant;

use crate::measure::{
    FIRST_SYNC, FIRST_SYNC_DOCUMENT_BYTES, FIRST_SYNC_DOCUMENT_TIME, FIRST_SYNC_DOWN, FIRST_SYNC_UP,
    JOIN_BYTES,
};
use crate::scenario::{Report, Setting};
use crate::wangge::STREET;
use crate::wangge::meter::Meter;
use crate::wangge::prepare::relay_dir;
use crate::wangge::street::{Relay, check_equal, close, copy, dialler, grid, join, sync};

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let dir = relay_dir(folder.path());
    copy(&relay_dir(&STREET.dir(setting)), &dir)?;
    let relay = Relay::start(&dir)?;
    let mut meter = Meter::start(relay.addr).await?;
    for run in 0..setting.runs {
        let invitation = relay.invite(&grid(0), Some(meter.addr()))?;
        let at = folder.path().join(format!("new{run}"));
        let (replica, passed) = meter.measure(join(&at, &invitation)).await?;
        report.bytes(JOIN_BYTES, passed.bytes())?;

        // Past the meter: it takes time, and the endpoint counts the same.
        let dialler = dialler(&replica)?;
        let started = Instant::now();
        let synced = sync(&dialler, &replica, relay.addr).await?;
        let elapsed = started.elapsed();
        dialler.close().await;
        report.time(FIRST_SYNC, elapsed)?;
        report.bytes(FIRST_SYNC_UP, synced.bytes_sent)?;
        report.bytes(FIRST_SYNC_DOWN, synced.bytes_received)?;
        let documents = setting.documents as f64;
        let bytes = (synced.bytes_sent + synced.bytes_received) as f64;
        report.value(FIRST_SYNC_DOCUMENT_BYTES, bytes / documents)?;
        report.value(FIRST_SYNC_DOCUMENT_TIME, elapsed.as_secs_f64() * 1e6 / documents)?;
        check_equal(&relay, &replica)?;
        close(replica);
    }
    Ok(())
}
