//! How long reconnections take over a link on which only waiting counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use wangge_link::{Link, LinkConfig};
use wangge_node::net::{Dialler, SyncReport};
use wangge_node::replica::Replica;

use crate::measure::{
    COLD_EDITED_TRIPS, COLD_TRIPS, COLD_WAITS, HANDSHAKE_TRIPS, RESUMED_BYTES, RESUMED_EDITED_TRIPS,
    RESUMED_TRIPS, RESUMED_WAITS,
};
use crate::scenario::{Report, Setting};
use crate::wangge::STREET;
use crate::wangge::live::Live;
use crate::wangge::prepare::{relay_dir, replica_dir};
use crate::wangge::reconnect::change;
use crate::wangge::street::{Relay, copy, dialler, open, settle, sync};

/// Round trip of the link.
pub(super) const RTT: Duration = Duration::from_millis(300);

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let prepared = STREET.dir(setting);
    copy(&relay_dir(&prepared), &relay_dir(folder.path()))?;
    copy(&replica_dir(&prepared, 1), &replica_dir(folder.path(), 1))?;
    let relay = Relay::start(&relay_dir(folder.path()))?;
    let replica = open(&replica_dir(folder.path(), 1))?;
    let rtt_ms = u64::try_from(RTT.as_millis())?;
    let link = Link::start(relay.addr, LinkConfig { rtt_ms, ..LinkConfig::default() }).await?;
    for run in 0..setting.runs as u64 {
        settle(&relay, &replica).await?;
        report.value(HANDSHAKE_TRIPS, trips(Live::dial(&replica, link.addr()).await?.handshake))?;
        let first = dialler(&replica)?;
        let (cold, took) = timed(&first, &replica, link.addr(), false).await?;
        report.value(COLD_WAITS, f64::from(cold.round_trips))?;
        report.value(COLD_TRIPS, took)?;
        let (resumed, took) = timed(&first, &replica, link.addr(), true).await?;
        report.value(RESUMED_WAITS, f64::from(resumed.round_trips))?;
        report.value(RESUMED_TRIPS, took)?;
        report.bytes(RESUMED_BYTES, resumed.bytes_sent + resumed.bytes_received)?;

        // Another one, because what resuming needs is used up by resuming.
        let second = dialler(&replica)?;
        timed(&second, &replica, link.addr(), false).await?;
        change(&replica, 2 * run)?;
        let (_, took) = timed(&second, &replica, link.addr(), true).await?;
        report.value(RESUMED_EDITED_TRIPS, took)?;
        settle(&relay, &replica).await?;
        change(&replica, 2 * run + 1)?;
        let (_, took) = timed(&dialler(&replica)?, &replica, link.addr(), false).await?;
        report.value(COLD_EDITED_TRIPS, took)?;
    }
    Ok(())
}

async fn timed(
    dialler: &Dialler,
    replica: &Arc<Replica>,
    relay: SocketAddr,
    is_resumed: bool,
) -> anyhow::Result<(SyncReport, f64)> {
    let started = Instant::now();
    let synced = sync(dialler, replica, relay).await?;
    let took = trips(started.elapsed());
    if synced.zero_rtt != is_resumed {
        bail!("resumed: {}, expected: {is_resumed}", synced.zero_rtt);
    }
    Ok((synced, took))
}

fn trips(time: Duration) -> f64 {
    time.as_secs_f64() / RTT.as_secs_f64()
}
