//! A day's work goes to the relay over a bad link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wangge_link::{Link, LinkConfig};
use wangge_node::replica::Replica;

use crate::measure::{DAY, DAY_FACTOR, DAY_FACTOR_WITHOUT_LOSS, DAY_FLOOR, DAY_UP};
use crate::scenario::{Report, Setting};
use crate::wangge::STREET;
use crate::wangge::live::Live;
use crate::wangge::prepare::{relay_dir, replica_dir};
use crate::wangge::reconnect::change_many;
use crate::wangge::round_trips::RTT;
use crate::wangge::street::{Relay, copy, dialler, open, settle, sync};

/// Edits of a day.
const TRANSACTIONS: u64 = 60;

/// What the floor grants each of them.
const TRANSACTION_BYTES: u64 = 48;

/// Rate towards the relay.
const UP_BITS_PER_S: u64 = 64_000;

/// Share of datagrams lost, each way.
const LOSS: f64 = 0.05;

/// Seeds of the link, unless a quick run takes fewer.
const SEEDS: u64 = 9;

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let prepared = STREET.dir(setting);
    copy(&relay_dir(&prepared), &relay_dir(folder.path()))?;
    copy(&replica_dir(&prepared, 1), &replica_dir(folder.path(), 1))?;
    let relay = Relay::start(&relay_dir(folder.path()))?;
    let replica = open(&replica_dir(folder.path(), 1))?;
    settle(&relay, &replica).await?;

    let handshake = Live::dial(&replica, relay.addr).await?.handshake_up_bytes;
    let bits = (TRANSACTIONS * TRANSACTION_BYTES + handshake) * 8;
    let floor = Duration::from_secs_f64(bits as f64 / UP_BITS_PER_S as f64) + RTT;
    report.time(DAY_FLOOR, floor)?;
    let seeds = if setting.runs == 1 { SEEDS / 3 } else { SEEDS };
    for seed in 1..=seeds {
        let config = LinkConfig {
            rtt_ms: u64::try_from(RTT.as_millis())?,
            loss: LOSS,
            up_bits_per_s: Some(UP_BITS_PER_S),
            seed,
            ..LinkConfig::default()
        };
        let lossy = day(&relay, &replica, 2 * seed, config).await?;
        report.time(DAY, lossy.time)?;
        report.value(DAY_FACTOR, lossy.time.as_secs_f64() / floor.as_secs_f64())?;
        let calm = day(&relay, &replica, 2 * seed + 1, LinkConfig { loss: 0.0, ..config }).await?;
        report.value(DAY_FACTOR_WITHOUT_LOSS, calm.time.as_secs_f64() / floor.as_secs_f64())?;
        report.bytes(DAY_UP, calm.up_bytes)?;
    }
    Ok(())
}

struct Day {
    time: Duration,
    up_bytes: u64,
}

async fn day(relay: &Relay, replica: &Arc<Replica>, turn: u64, config: LinkConfig) -> anyhow::Result<Day> {
    change_many(replica, turn, TRANSACTIONS)?;
    let link = Link::start(relay.addr, config).await?;
    let at: SocketAddr = link.addr();
    let dialler = dialler(replica)?;
    let started = Instant::now();
    let synced = sync(&dialler, replica, at).await?;
    let time = started.elapsed();
    settle(relay, replica).await?;
    Ok(Day { time, up_bytes: synced.bytes_sent })
}
