//! Listening: the relay, and an area point for the phones around it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use quinn::{Endpoint, Incoming, VarInt};
use tokio::task::JoinSet;

use wangge_model::audit::{Entry, What};
use wangge_model::enrolment::{EnrolmentError, Grant, SignedEnrolment};
use wangge_model::identity::{ReplicaId, Scope};
use wangge_model::roster::Standing;
use wangge_model::wipe::{SignedOrder, SignedReceipt};
use wangge_model::wire::{Frame, FrameBuffer, Join, Joined};

use super::door::{Door, Guest, Knock, Limits};
use super::drive::{Watch, drive};
use super::endpoint::{is_join, listen, peer_of};
use super::exchange::Purpose;
use super::{NetError, blocking};
use crate::replica::Replica;

/// Who may take part, and who may join.
pub trait Gate: Send + Sync + 'static {
    /// `peer` has said hello and speaks of these scopes. The other questions come after that.
    fn meet(&self, _peer: &ReplicaId, _named: &BTreeSet<Scope>) {}

    /// The scopes of `peer`, or why it may not take part.
    ///
    /// # Errors
    /// The reason, told to the peer.
    fn admit(&self, peer: &ReplicaId, shown: Option<&SignedEnrolment>) -> Result<BTreeSet<Scope>, String>;

    /// The answer to an invitation.
    fn join(&self, peer: &ReplicaId, join: &Join) -> Joined;

    /// A changed enrolment that waits for `peer`.
    fn changed_grant(&self, peer: &ReplicaId) -> Option<Grant>;

    /// Whether `peer` is given anything: a restored centre takes in only, until it knows its roster again.
    fn serves(&self, _peer: &ReplicaId) -> bool {
        true
    }

    /// `peer` and this side hold the same.
    fn in_sync(&self, _peer: &ReplicaId) {}

    /// `peer` has kept it.
    fn grant_kept(&self, peer: &ReplicaId);

    /// Scopes that `peer` has lost and of which it may still have unsent work: that is taken, and nothing
    /// given.
    fn lost(&self, peer: &ReplicaId) -> BTreeSet<Scope> {
        let _ = peer;
        BTreeSet::new()
    }

    /// How many bytes more of `peer`'s work are kept, if it is revoked; the rest is refused.
    fn room_len_bytes(&self, peer: &ReplicaId) -> Option<u64> {
        let _ = peer;
        None
    }

    /// The order to destroy what it holds that `peer` gets once it has handed over what it had.
    fn order(&self, peer: &ReplicaId) -> Option<SignedOrder> {
        let _ = peer;
        None
    }

    /// `peer` has carried the order out.
    fn wiped(&self, peer: &ReplicaId, order: &SignedOrder, receipt: &SignedReceipt) {
        let _ = (peer, order, receipt);
    }

    /// `who` was refused, for the audit. A repeated refusal is told once in a while.
    fn refused(&self, who: &str, reason: &str) {
        let _ = (who, reason);
    }
}

/// Lets in whoever shows an enrolment that the centre signed and whose lease has not lapsed.
#[derive(Debug)]
pub struct NeighbourGate {
    /// The replica that listens.
    pub replica: Arc<Replica>,
}

impl Gate for NeighbourGate {
    fn admit(&self, peer: &ReplicaId, shown: Option<&SignedEnrolment>) -> Result<BTreeSet<Scope>, String> {
        let profile = self.replica.profile();
        let shown = shown.ok_or_else(|| "no enrolment was shown".to_owned())?;
        let enrolment = shown.open(&profile.centre()).map_err(|e| e.to_string())?;
        if enrolment.replica != *peer {
            let error = EnrolmentError::Replica { named: enrolment.replica, shown: *peer };
            return Err(error.to_string());
        }
        // The lease says how long it was trusted; what the roster says since counts more.
        let roster = self.replica.roster().map_err(|e| e.to_string())?;
        if roster.replicas().get(peer).is_some_and(|entry| entry.standing == Standing::Revoked) {
            return Err("the centre has revoked this device / 此设备已被社管中心注销".to_owned());
        }
        if enrolment.lease_until_ms < self.replica.now_ms() {
            return Err(EnrolmentError::Lapsed { replica: *peer }.to_string());
        }
        Ok(enrolment.scopes.into_iter().collect())
    }

    fn join(&self, _: &ReplicaId, _: &Join) -> Joined {
        Joined::Refused("this is not the relay: join at the centre".to_owned())
    }

    fn changed_grant(&self, _: &ReplicaId) -> Option<Grant> {
        None
    }

    fn grant_kept(&self, _: &ReplicaId) {}

    fn refused(&self, who: &str, reason: &str) {
        record_refusal(&self.replica, who, reason);
    }
}

/// Writes into the audit that a peer was refused.
pub fn record_refusal(replica: &Replica, who: &str, reason: &str) {
    if let Err(error) = replica.audit(Entry::new(What::PEER_REFUSED).because(reason).detail(who)) {
        tracing::error!(%error, "the audit cannot be written");
    }
}

/// Listens until it is told to stop.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    limits: Limits,
}

impl Listener {
    /// Binds `addr`; port 0 takes any.
    ///
    /// # Errors
    /// [`NetError::Bind`] if the port is in use.
    pub fn bind(replica: &Arc<Replica>, addr: SocketAddr) -> Result<Self, NetError> {
        Ok(Self { endpoint: listen(addr, &replica.signing_key())?, limits: Limits::default() })
    }

    /// With other limits than the usual ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the socket cannot say.
    pub fn addr(&self) -> Result<SocketAddr, NetError> {
        let any = ([0, 0, 0, 0], 0).into();
        self.endpoint.local_addr().map_err(|source| NetError::Bind { addr: any, source })
    }

    /// Serves until `stop` resolves; open sessions then get a moment to end.
    pub async fn serve(self, replica: Arc<Replica>, gate: Arc<dyn Gate>, stop: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        let door = Door::new(self.limits);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                incoming = self.endpoint.accept() => {
                    let Some(incoming) = incoming else { break };
                    let address = incoming.remote_address().ip();
                    let reason = match door.knock(address, incoming.remote_address_validated()) {
                        Knock::Enter => {
                            let visit = Visit {
                                guest: door.enter(address),
                                door: Arc::clone(&door),
                                replica: Arc::clone(&replica),
                                gate: Arc::clone(&gate),
                                address,
                            };
                            tasks.spawn(visit.receive(incoming));
                            continue;
                        }
                        Knock::Retry => {
                            // Fails only for an address that is proved.
                            let _ = incoming.retry();
                            continue;
                        }
                        Knock::Ignore => {
                            incoming.ignore();
                            "too many handshakes under way".to_owned()
                        }
                        Knock::Refuse(reason) => {
                            incoming.refuse();
                            reason
                        }
                    };
                    tell(&door, &*gate, &address.to_string(), &reason);
                }
                Some(_) = tasks.join_next() => {}
            }
        }
        self.endpoint.close(VarInt::from_u32(1), b"stopping");
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), self.endpoint.wait_idle()).await;
        tasks.shutdown().await;
    }
}

/// Tells log and audit that somebody was refused; of a flood, once in a while.
fn tell(door: &Door, gate: &dyn Gate, who: &str, reason: &str) {
    let Some(more) = door.tell(who, reason) else { return };
    tracing::info!(who, reason, more, "refused");
    let reason = if more == 0 { reason.to_owned() } else { format!("{reason} ({more} times more)") };
    blocking(|| gate.refused(who, &reason));
}

/// One connection.
struct Visit {
    guest: Guest,
    door: Arc<Door>,
    replica: Arc<Replica>,
    gate: Arc<dyn Gate>,
    address: IpAddr,
}

impl Visit {
    async fn receive(mut self, incoming: Incoming) {
        let mut who = self.address.to_string();
        match self.serve(incoming, &mut who).await {
            Ok(()) => {}
            // The line, not the peer.
            Err(NetError::Broken { reason }) => tracing::info!(who, reason, "a session ended"),
            Err(error) => tell(&self.door, &*self.gate, &who, &error.in_english()),
        }
    }

    async fn serve(&mut self, incoming: Incoming, who: &mut String) -> Result<(), NetError> {
        let broken = |reason: String| NetError::Broken { reason };
        let patience = self.door.limits.patience;
        let silent =
            |_| NetError::Rules(format!("silence: nothing was said within {} s", patience.as_secs()));
        let connecting = incoming.accept().map_err(|e| broken(e.to_string()))?;
        // Data of the first flight is read at once. A stream shows up here only after the peer's key is
        // proved, by this handshake or by the one that it resumes.
        let connection = match connecting.into_0rtt() {
            Ok((connection, _)) => connection,
            Err(connecting) => tokio::time::timeout(patience, connecting)
                .await
                .map_err(silent)?
                .map_err(|e| broken(e.to_string()))?,
        };
        let opened = tokio::time::timeout(patience, connection.accept_bi()).await;
        let (send, recv) = match opened {
            Ok(Ok(streams)) => streams,
            Ok(Err(quinn::ConnectionError::ApplicationClosed(_))) => return Ok(()),
            Ok(Err(error)) => return Err(broken(error.to_string())),
            Err(elapsed) => {
                let error = silent(elapsed);
                connection.close(VarInt::from_u32(3), error.in_english().as_bytes());
                return Err(error);
            }
        };
        self.guest.has_shaken();
        let peer = peer_of(&connection).ok_or_else(|| broken("the peer showed no key".to_owned()))?;
        *who = format!("{peer} at {}", self.address);
        if is_join(&connection) {
            let served = serve_join(&self.door, &*self.gate, (&peer, self.address), send, recv);
            return tokio::time::timeout(patience, served).await.map_err(silent)?;
        }
        tracing::debug!(who, "a session begins");
        self.guest.is_peer(&peer, &connection);
        let gate = Some(Arc::clone(&self.gate));
        let purpose = Purpose { peer, dialler: false, once: false, only: None, gate };
        let watch = Watch { door: &self.door, peer };
        match drive(&self.replica, purpose, Some(watch), &connection, send, recv, None, None).await {
            Ok(ended) => {
                tracing::debug!(%peer, in_sync = ended.in_sync, "a session ended");
                Ok(())
            }
            // A peer that has what it wanted just goes.
            Err(NetError::Broken { .. }) if went(&connection) => {
                tracing::debug!(%peer, "a session ended");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the peer closed the connection of its own accord.
fn went(connection: &quinn::Connection) -> bool {
    let reason = connection.close_reason();
    matches!(reason, Some(quinn::ConnectionError::ApplicationClosed(close)) if close.error_code == VarInt::from_u32(0))
}

async fn serve_join(
    door: &Door,
    gate: &dyn Gate,
    (peer, address): (&ReplicaId, IpAddr),
    mut send: quinn::SendStream,
    mut recv: quinn::RecvStream,
) -> Result<(), NetError> {
    let broken = |reason: String| NetError::Broken { reason };
    let mut frames = FrameBuffer::default();
    let mut read = 0;
    let join = loop {
        let chunk = recv.read_chunk(4_096, true).await.map_err(|e| broken(e.to_string()))?;
        let Some(chunk) = chunk else { return Ok(()) };
        read += chunk.bytes.len();
        frames.push(&chunk.bytes);
        match frames.next_frame().map_err(wangge_model::session::SessionError::Wire)? {
            Some(Frame::Join(join)) => break join,
            None if read < 4_096 => {}
            _ => return Err(NetError::Rules("something other than an invitation was shown".to_owned())),
        }
    };
    let answer = match door.may_guess(address) {
        Ok(()) => blocking(|| gate.join(peer, &join)),
        Err(wait_s) => {
            tell(door, gate, &address.to_string(), "too many wrong invitations from this address");
            Joined::Refused(format!(
                "too many wrong invitations from this address: try again in {wait_s} s / \
                 这个地址多次使用了错误的邀请码,请 {wait_s} 秒后再试"
            ))
        }
    };
    if matches!(&answer, Joined::Refused(reason) if reason == "unknown") {
        door.guessed_wrong(address);
    }
    send.write_all(&Frame::Joined(Box::new(answer)).encode()).await.map_err(|e| broken(e.to_string()))?;
    let _ = send.finish();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), send.stopped()).await;
    Ok(())
}
