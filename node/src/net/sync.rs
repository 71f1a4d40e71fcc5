//! One session to completion.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use wangge_model::identity::Scope;
use wangge_model::session::{SessionError, Traffic};

use super::NetError;
use super::drive::{blocking, drive};
use super::endpoint::{Dialler, peer_of};
use super::exchange::Purpose;
use super::listen::record_refusal;
use crate::replica::{Replica, ReplicaError};

/// What a replica is told to which no post leaves anything.
pub const NO_POST: &str =
    "the posts of this device's workers have ended / 这台设备的人员已没有岗位,请联系社管中心";

/// What a peer is told whose posts have changed while it was connected: when it comes again it meets the new ones.
pub(super) const ROSTER_CHANGED: &str = "the roster has changed: connect again / 名册有变动,请重新连接";

/// How long a sync may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long before that photos stop.
const PHOTOS_MARGIN: Duration = Duration::from_secs(3);

/// How to sync.
#[derive(Default)]
pub struct SyncOptions<'a> {
    /// Give up after this long; one minute by default.
    pub timeout: Option<Duration>,
    /// A neighbour's address; by default the relay's.
    pub peer: Option<String>,
    /// Where the relay is reached now, if it has moved; kept once it has answered with its key.
    pub relay: Option<String>,
    /// Only these scopes.
    pub only: Option<BTreeSet<Scope>>,
    /// Told what has come and gone so far.
    pub progress: Option<&'a (dyn Fn(Traffic) + Send + Sync)>,
}

/// What a sync did.
#[derive(Clone, Debug, Serialize)]
pub struct SyncReport {
    /// Whether both sides hold the same now.
    pub in_sync: bool,
    /// The scopes that were compared.
    pub scopes: Vec<Scope>,
    /// Transactions sent.
    pub transactions_sent: u64,
    /// Transactions received.
    pub transactions_received: u64,
    /// Documents that came in pages or were changed by transactions.
    pub documents_received: u64,
    /// Photos that are on this device alone still.
    pub photos_unsent: u64,
    /// Photos that records name and that have not come yet.
    pub photos_missing: u64,
    /// All UDP payload sent, handshake included.
    pub bytes_sent: u64,
    /// All UDP payload received, handshake included.
    pub bytes_received: u64,
    /// How often this side waited for an answer, handshake included.
    pub round_trips: u32,
    /// Until both held the same, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether data went out with the first flight and was accepted.
    pub zero_rtt: bool,
}

impl SyncReport {
    /// Both sessions as one.
    fn followed_by(self, later: Self) -> Self {
        Self {
            transactions_sent: self.transactions_sent + later.transactions_sent,
            transactions_received: self.transactions_received + later.transactions_received,
            documents_received: self.documents_received + later.documents_received,
            bytes_sent: self.bytes_sent + later.bytes_sent,
            bytes_received: self.bytes_received + later.bytes_received,
            round_trips: self.round_trips + later.round_trips,
            ..later
        }
    }
}

/// Syncs `replica` with the relay, or with a neighbour.
///
/// # Errors
/// [`NetError`]; what has arrived until then is kept.
pub async fn sync(replica: &Arc<Replica>, options: SyncOptions<'_>) -> Result<SyncReport, NetError> {
    let profile = replica.profile();
    if profile.grant().is_none() {
        return Err(ReplicaError::NoReplica { dir: replica.dir().to_owned() }.into());
    }
    let pinned = if options.peer.is_some() { None } else { Some(profile.centre()) };
    let dialler = Dialler::new(&profile.signing_key(), pinned)?;
    let report = sync_with(&dialler, replica, options).await;
    dialler.close().await;
    report
}

/// The same with a dialler that may remember an earlier session.
///
/// # Errors
/// [`NetError`].
pub async fn sync_with(
    dialler: &Dialler,
    replica: &Arc<Replica>,
    options: SyncOptions<'_>,
) -> Result<SyncReport, NetError> {
    let started = Instant::now();
    let timeout = options.timeout.unwrap_or(TIMEOUT);
    let answered = AtomicBool::new(false);
    let attempts = async {
        let before = replica.scopes();
        let report = try_twice(dialler, replica, &options, started, &answered).await?;
        if replica.scopes() == before || options.only.is_some() {
            return Ok(report);
        }
        if replica.scopes().is_empty() {
            return Err(NetError::Rules(NO_POST.to_owned()));
        }
        // The centre has changed what this replica holds: what is new is fetched now.
        let after = try_twice(dialler, replica, &options, started, &answered).await?;
        Ok(report.followed_by(after))
    };
    match tokio::time::timeout(timeout, attempts).await {
        Ok(report) => report,
        Err(_) if answered.load(Ordering::Relaxed) => Err(NetError::TimedOut { seconds: timeout.as_secs() }),
        Err(_) => Err(NetError::Unreachable {
            address: address(replica, &options),
            reason: format!("no answer within {} s", timeout.as_secs()),
        }),
    }
}

/// Where to dial.
fn address(replica: &Replica, options: &SyncOptions<'_>) -> String {
    let asked = options.peer.as_ref().or(options.relay.as_ref());
    asked.cloned().unwrap_or_else(|| replica.profile().address().to_owned())
}

async fn try_twice(
    dialler: &Dialler,
    replica: &Arc<Replica>,
    options: &SyncOptions<'_>,
    started: Instant,
    answered: &AtomicBool,
) -> Result<SyncReport, NetError> {
    match attempt(dialler, replica, options, started, answered).await {
        // What has arrived is kept, so a second attempt is cheap. It mends what the first cannot: an
        // address that changed before the handshake was confirmed.
        Err(NetError::Broken { reason }) => {
            tracing::info!(reason, "the link broke: trying once more");
            attempt(dialler, replica, options, started, answered).await
        }
        Err(NetError::Session(SessionError::Refused { reason })) if reason == ROSTER_CHANGED => {
            tracing::info!("the roster has changed meanwhile: connecting again");
            attempt(dialler, replica, options, started, answered).await
        }
        other => other,
    }
}

async fn attempt(
    dialler: &Dialler,
    replica: &Arc<Replica>,
    options: &SyncOptions<'_>,
    started: Instant,
    answered: &AtomicBool,
) -> Result<SyncReport, NetError> {
    // What was saved before must be in the documents before it is compared.
    blocking(|| replica.apply())?;
    let profile = replica.profile();
    let address = address(replica, options);
    let dialled = dialler.dial(&address).await?;
    answered.store(true, Ordering::Relaxed);
    let connection = dialled.connection;
    let broken = |reason: String| NetError::Broken { reason };
    let (send, recv) = connection.open_bi().await.map_err(|e| broken(e.to_string()))?;
    let peer = match peer_of(&connection) {
        Some(peer) => peer,
        // Resumed, and the peer has not answered yet: the key is the one pinned then.
        None => profile.centre(),
    };
    let only = options.only.clone();
    let scopes: Vec<Scope> = replica
        .scopes()
        .into_iter()
        .filter(|scope| only.as_ref().is_none_or(|only| only.contains(scope)))
        .collect();
    let purpose = Purpose { peer, dialler: true, once: true, only, gate: None };
    // Photos take what is left of the time; what they lack then goes on in the next session.
    let photos_until = started + options.timeout.unwrap_or(TIMEOUT).saturating_sub(PHOTOS_MARGIN);
    let until = Some(photos_until);
    let ended = drive(replica, purpose, None, &connection, send, recv, options.progress, until).await;
    let zero_rtt = match dialled.early {
        Some(accepted) if ended.is_ok() => accepted.await,
        _ => false,
    };
    let until = ended.as_ref().ok().and_then(|ended| ended.in_sync_at).unwrap_or_else(Instant::now);
    let elapsed_ms = u64::try_from(until.duration_since(started).as_millis()).unwrap_or(u64::MAX);
    connection.close(quinn::VarInt::from_u32(0), b"");
    if let Err(error @ (NetError::Rules(_) | NetError::Session(_))) = &ended
        && !matches!(error, NetError::Session(SessionError::Refused { .. }))
    {
        blocking(|| record_refusal(replica, &format!("{peer} at {address}"), &error.in_english()));
    }
    let ended = ended?;
    if let Some(relay) = options.relay.as_deref().filter(|relay| *relay != profile.address()) {
        let mut moved = replica.profile();
        moved.set_address(relay);
        blocking(|| replica.set_profile(moved))?;
    }
    let stats = connection.stats();
    blocking(|| replica.apply())?;
    let (photos_unsent, photos_missing) = blocking(|| replica.photos_waiting())?;
    Ok(SyncReport {
        photos_unsent,
        photos_missing,
        in_sync: ended.in_sync,
        scopes,
        transactions_sent: ended.traffic.transactions_sent,
        transactions_received: ended.traffic.transactions_received,
        documents_received: ended.traffic.documents_received,
        bytes_sent: stats.udp_tx.bytes,
        bytes_received: stats.udp_rx.bytes,
        round_trips: ended.traffic.round_trips + u32::from(!zero_rtt),
        elapsed_ms,
        zero_rtt,
    })
}
