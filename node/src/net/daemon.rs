//! The daemon of a workstation or a phone: keeps a session with the relay, comes back after every
//! break, listens for neighbours if told to, and serves the command line.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use wangge_store::StoreError;

use wangge_model::session::Traffic;

use super::drive::drive;
use super::endpoint::{Dialler, peer_of};
use super::exchange::Purpose;
use super::listen::{Listener, NeighbourGate};
use super::wholeness::{EXAMINE_EVERY, keep_whole};
use super::{NetError, blocking};
use crate::replica::{Machine, Replica, ReplicaError, World};

/// First wait after a break.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(120);

/// How long a daemon that starts waits for a command that has the store open.
const IN_USE_WAIT: Duration = Duration::from_secs(3);
/// How often it looks.
const IN_USE_POLL: Duration = Duration::from_millis(20);

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Listen for neighbours here.
    pub listen: Option<SocketAddr>,
    /// How often all that is stored is examined, by default once a day.
    pub examine_every: Option<Duration>,
}

/// Runs the daemon of the replica in `dir` until `stop` resolves.
///
/// # Errors
/// [`NetError`] if it cannot start.
pub async fn run(
    dir: &Path,
    machine: impl Into<Machine>,
    options: RunOptions,
    stop: impl Future<Output = ()>,
    serve_control: impl AsyncFnOnce(Arc<Replica>, watch::Receiver<bool>) -> Result<(), NetError>,
) -> Result<(), NetError> {
    let replica = Arc::new(open(dir, machine.into()).await?);
    if replica.profile().grant().is_none() {
        return Err(ReplicaError::NoReplica { dir: dir.to_owned() }.into());
    }
    let listener = options.listen.map(|addr| Listener::bind(&replica, addr)).transpose()?;
    let (stopping, stopped) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(apply_news(Arc::clone(&replica), stopped.clone()));
    let every = options.examine_every.unwrap_or(EXAMINE_EVERY);
    tasks.spawn(keep_whole(Arc::clone(&replica), every, until(stopped.clone())));
    let (ended, mut wiped) = oneshot::channel();
    let session = keep_session(Arc::clone(&replica), stopped.clone());
    tasks.spawn(async move {
        // Whoever waits for it may be gone.
        let _ = ended.send(session.await);
    });
    if let Some(listener) = listener {
        println!("listening on {}", listener.addr()?);
        let gate = Arc::new(NeighbourGate { replica: Arc::clone(&replica) });
        let (replica, stopped) = (Arc::clone(&replica), stopped.clone());
        tasks.spawn(async move { listener.serve(replica, gate, until(stopped)).await });
    }
    let control = serve_control(Arc::clone(&replica), stopped);
    tokio::pin!(control);
    let result = tokio::select! {
        () = stop => {
            let _ = stopping.send(true);
            control.await
        }
        Ok(Some(error)) = &mut wiped => {
            let _ = stopping.send(true);
            control.await.and(Err(error))
        }
        result = &mut control => result,
    };
    let _ = stopping.send(true);
    while tasks.join_next().await.is_some() {}
    result
}

/// Opens the replica; a command that has it open for a moment is waited for.
async fn open(dir: &Path, machine: Machine) -> Result<Replica, ReplicaError> {
    let deadline = tokio::time::Instant::now() + IN_USE_WAIT;
    loop {
        match Replica::open(dir, machine.clone()) {
            Err(ReplicaError::Store(StoreError::Locked { .. })) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(IN_USE_POLL).await;
            }
            opened => return opened,
        }
    }
}

/// Resolves once the daemon is to stop.
pub(super) async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever could stop it is gone: stop.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Lets what arrives take effect.
async fn apply_news(replica: Arc<Replica>, stopped: watch::Receiver<bool>) {
    let mut news = replica.subscribe();
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            durable = news.recv() => {
                if durable.is_none() {
                    // A write failed and ended all subscriptions: what comes after still takes effect.
                    news = replica.subscribe();
                    continue;
                }
                while news.try_recv().is_ok() {}
                if let Err(error) = blocking(|| replica.apply()) {
                    tracing::error!(%error, "what arrived cannot take effect");
                }
            }
        }
    }
}

/// Keeps a live session with the relay until it is to stop, or nothing is left to keep one for: then why.
async fn keep_session(replica: Arc<Replica>, stopped: watch::Receiver<bool>) -> Option<NetError> {
    let profile = replica.profile();
    let mut wait = BACKOFF_MIN;
    let stop = until(stopped);
    tokio::pin!(stop);
    let dialler = match Dialler::new(&profile.signing_key(), Some(profile.centre())) {
        Ok(dialler) => dialler,
        Err(error) => {
            tracing::error!(%error, "no session with the relay is possible");
            return None;
        }
    };
    let mut gone = None;
    loop {
        let met = AtomicBool::new(false);
        let lost_line = tokio::select! {
            () = &mut stop => break,
            ended = live(&dialler, &replica, &met) => match ended {
                Ok(()) => {
                    tracing::info!("the session with the relay ended");
                    true
                }
                Err(error @ NetError::Replica(ReplicaError::Wiped { .. })) => {
                    gone = Some(error);
                    break;
                }
                Err(error) => {
                    tracing::info!(error = error.in_english(), "the session with the relay ended");
                    matches!(error, NetError::Broken { .. })
                }
            },
        };
        wait = next_wait(wait, met.into_inner() && lost_line);
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(jittered(wait, replica.world().as_ref())) => {}
        }
    }
    dialler.close().await;
    gone
}

/// How long to wait after a session, when it was `wait` before it. A relay that answered and whose line broke is
/// most likely there: on a patchy signal one must not wait minutes after each break. A session that one side
/// ended would end again.
fn next_wait(wait: Duration, met_and_lost: bool) -> Duration {
    if met_and_lost { BACKOFF_MIN } else { (wait * 2).min(BACKOFF_MAX) }
}

/// Between half and all of `wait`, so that a street's devices do not come back at the same moment.
fn jittered(wait: Duration, world: &dyn World) -> Duration {
    let random = world.random::<2>().map_or(0, u16::from_le_bytes);
    wait / 2 + wait / 2 * u32::from(random) / u32::from(u16::MAX)
}

/// One session with the relay, to its end; sets `met` once the relay has said hello.
async fn live(dialler: &Dialler, replica: &Arc<Replica>, met: &AtomicBool) -> Result<(), NetError> {
    let profile = replica.profile();
    let connection = dialler.dial(profile.address()).await?.connection;
    let broken = |reason: String| NetError::Broken { reason };
    let (send, recv) = connection.open_bi().await.map_err(|e| broken(e.to_string()))?;
    let peer = peer_of(&connection).unwrap_or(profile.centre());
    let purpose = Purpose { peer, dialler: true, once: false, only: None, gate: None };
    // Something came back: the hello goes before everything else.
    let progress = |traffic: Traffic| met.store(traffic.round_trips > 0, Ordering::Relaxed);
    let ended = drive(replica, purpose, None, &connection, send, recv, Some(&progress), None).await;
    connection.close(quinn::VarInt::from_u32(0), b"");
    ended.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_is_away_is_asked_more_and_more_seldom_and_one_whose_line_broke_at_once() {
        let mut wait = BACKOFF_MIN;
        for _ in 0..20 {
            let next = next_wait(wait, false);
            assert!(next >= wait && next <= BACKOFF_MAX);
            wait = next;
        }
        assert_eq!(wait, BACKOFF_MAX);
        // However short the session was.
        assert_eq!(next_wait(wait, true), BACKOFF_MIN);
    }
}
