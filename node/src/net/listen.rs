//! Listening: the relay, and an area point for the phones around it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use quinn::{Endpoint, Incoming, VarInt};
use tokio::task::JoinSet;

use wangge_model::enrolment::{EnrolmentError, Grant, SignedEnrolment};
use wangge_model::identity::{ReplicaId, Scope};
use wangge_model::wire::{Frame, FrameBuffer, Join, Joined};

use super::drive::drive;
use super::endpoint::{is_join, listen, peer_of};
use super::exchange::Purpose;
use super::{NetError, blocking};
use crate::replica::Replica;

/// Who may take part, and who may join.
pub trait Gate: Send + Sync + 'static {
    /// The scopes of `peer`, or why it may not take part.
    ///
    /// # Errors
    /// The reason, told to the peer.
    fn admit(&self, peer: &ReplicaId, shown: Option<&SignedEnrolment>) -> Result<BTreeSet<Scope>, String>;

    /// The answer to an invitation.
    fn join(&self, peer: &ReplicaId, join: &Join) -> Joined;

    /// A changed enrolment that waits for `peer`.
    fn changed_grant(&self, peer: &ReplicaId) -> Option<Grant>;

    /// `peer` has kept it.
    fn grant_kept(&self, peer: &ReplicaId);
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
}

/// Listens until it is told to stop.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
}

impl Listener {
    /// Binds `addr`; port 0 takes any.
    ///
    /// # Errors
    /// [`NetError::Bind`] if the port is in use.
    pub fn bind(replica: &Arc<Replica>, addr: SocketAddr) -> Result<Self, NetError> {
        Ok(Self { endpoint: listen(addr, &replica.signing_key())? })
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
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                incoming = self.endpoint.accept() => {
                    let Some(incoming) = incoming else { break };
                    let (replica, gate) = (Arc::clone(&replica), Arc::clone(&gate));
                    tasks.spawn(async move {
                        if let Err(error) = serve_one(&replica, gate, incoming).await {
                            tracing::info!(error = error.in_english(), "a session ended");
                        }
                    });
                }
                Some(_) = tasks.join_next() => {}
            }
        }
        self.endpoint.close(VarInt::from_u32(1), b"stopping");
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), self.endpoint.wait_idle()).await;
        tasks.shutdown().await;
    }
}

async fn serve_one(replica: &Arc<Replica>, gate: Arc<dyn Gate>, incoming: Incoming) -> Result<(), NetError> {
    let address = incoming.remote_address().to_string();
    let broken = |reason: String| NetError::Broken { reason };
    let connecting = incoming.accept().map_err(|e| broken(e.to_string()))?;
    // Data of the first flight is read at once. A stream shows up here only after the peer's key is
    // proved, by this handshake or by the one that it resumes.
    let connection = match connecting.into_0rtt() {
        Ok((connection, _)) => connection,
        Err(connecting) => connecting.await.map_err(|e| broken(e.to_string()))?,
    };
    let (send, recv) = match connection.accept_bi().await {
        Ok(streams) => streams,
        Err(quinn::ConnectionError::ApplicationClosed(_)) => return Ok(()),
        Err(error) => return Err(broken(error.to_string())),
    };
    let peer = peer_of(&connection).ok_or_else(|| broken("the peer showed no key".to_owned()))?;
    if is_join(&connection) {
        return serve_join(&*gate, &peer, send, recv).await;
    }
    tracing::debug!(%peer, %address, "a session begins");
    let purpose = Purpose { peer, dialler: false, once: false, only: None, gate: Some(gate) };
    match drive(replica, purpose, &connection, send, recv, None).await {
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

/// Whether the peer closed the connection of its own accord.
fn went(connection: &quinn::Connection) -> bool {
    let reason = connection.close_reason();
    matches!(reason, Some(quinn::ConnectionError::ApplicationClosed(close)) if close.error_code == VarInt::from_u32(0))
}

async fn serve_join(
    gate: &dyn Gate,
    peer: &ReplicaId,
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
    let answer = blocking(|| gate.join(peer, &join));
    send.write_all(&Frame::Joined(Box::new(answer)).encode()).await.map_err(|e| broken(e.to_string()))?;
    let _ = send.finish();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), send.stopped()).await;
    Ok(())
}
