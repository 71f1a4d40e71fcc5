//! QUIC endpoints (RFC 9000) and how they are set up.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use quinn::{
    AckFrequencyConfig, ClientConfig, Connection, Endpoint, EndpointConfig, IdleTimeout, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
};
use quinn_proto::{HashedConnectionIdGenerator, RandomConnectionIdGenerator};
use rustls::pki_types::CertificateDer;

use wangge_model::identity::ReplicaId;
use wangge_model::log::SigningKey;

use super::{NetError, tls};

/// Between keep-alive packets on an open session.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Longest wait for a peer's first answer: several retransmissions over a slow, lossy link.
const HANDSHAKE_MAX: Duration = Duration::from_secs(12);

/// Longest silence from a peer before its session closes: three keep-alives.
///
/// Source: RFC 9000, section 10.1.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What a peer may have on the way to this side, in bytes.
pub(super) const WINDOW_LEN_BYTES: u32 = 4 << 20;

/// The same for a peer that has not been admitted: a greeting with its first data. Nobody knows it yet, so it
/// must not fill memory.
const STRANGER_WINDOW_LEN_BYTES: u32 = 128 << 10;

/// What is kept for a peer that does not take it, in bytes.
const SEND_WINDOW_LEN_BYTES: u64 = 2 << 20;

/// Packets that a peer takes before it acknowledges at once; fewer wait a moment for something to travel with.
const PACKETS_UNACKNOWLEDGED_MAX: u32 = 3;

/// Length of the connection ids by which a dialler is addressed. It has a few connections, and every packet to it
/// carries one.
const DIALLER_ID_LEN_BYTES: usize = 2;

fn transport(receive_window: u32) -> Arc<TransportConfig> {
    let mut acknowledged = AckFrequencyConfig::default();
    acknowledged.ack_eliciting_threshold(VarInt::from_u32(PACKETS_UNACKNOWLEDGED_MAX));
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(IdleTimeout::try_from(SILENCE_MAX).ok())
        .max_concurrent_bidi_streams(VarInt::from_u32(4))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(2 << 20))
        .receive_window(VarInt::from_u32(receive_window))
        .send_window(SEND_WINDOW_LEN_BYTES)
        .datagram_receive_buffer_size(None)
        .ack_frequency_config(Some(acknowledged))
        // Probes for larger packets cost kilobytes in every session, most of which are tiny.
        .mtu_discovery_config(None);
    Arc::new(transport)
}

/// Dials peers; keeps what makes the next handshake shorter.
pub struct Dialler {
    endpoint: Endpoint,
    session: ClientConfig,
    pinned: Option<ReplicaId>,
}

impl std::fmt::Debug for Dialler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialler").field("pinned", &self.pinned).finish_non_exhaustive()
    }
}

/// A connection with the stream of its session.
#[derive(Debug)]
pub struct Line {
    /// The connection.
    pub connection: Connection,
    /// To the peer.
    pub send: quinn::SendStream,
    /// From the peer.
    pub recv: quinn::RecvStream,
}

/// A connection and whether its first flight carried data.
pub(super) struct Dialled {
    pub(super) connection: Connection,
    pub(super) early: Option<quinn::ZeroRttAccepted>,
}

impl Dialler {
    /// Dials with `key` and accepts only the `pinned` peer, or anyone whom the session then checks.
    ///
    /// # Errors
    /// [`NetError`] if no socket can be had.
    pub fn new(key: &SigningKey, pinned: Option<ReplicaId>) -> Result<Self, NetError> {
        Self::with_protocol(key, pinned, tls::ALPN_SESSION)
    }

    pub(super) fn with_protocol(
        key: &SigningKey,
        pinned: Option<ReplicaId>,
        alpn: &[u8],
    ) -> Result<Self, NetError> {
        let any: SocketAddr = ([0, 0, 0, 0], 0).into();
        let bind = |source| NetError::Bind { addr: any, source };
        let socket = std::net::UdpSocket::bind(any).map_err(bind)?;
        let mut config = EndpointConfig::default();
        config.cid_generator(|| Box::new(RandomConnectionIdGenerator::new(DIALLER_ID_LEN_BYTES)));
        let endpoint = Endpoint::new(config, None, socket, Arc::new(TokioRuntime)).map_err(bind)?;
        let mut session = ClientConfig::new(Arc::new(tls::client(key, pinned, alpn)?));
        session.transport_config(transport(WINDOW_LEN_BYTES));
        Ok(Self { endpoint, session, pinned })
    }

    /// Connects, with data in the first flight if an earlier session left what that needs.
    pub(super) async fn dial(&self, address: &str) -> Result<Dialled, NetError> {
        let target = resolve(address)?;
        let unreachable = |reason: String| NetError::Unreachable { address: address.to_owned(), reason };
        let connecting = self
            .endpoint
            .connect_with(self.session.clone(), target, "wangge")
            .map_err(|e| unreachable(e.to_string()))?;
        match connecting.into_0rtt() {
            Ok((connection, early)) => Ok(Dialled { connection, early: Some(early) }),
            Err(connecting) => match tokio::time::timeout(HANDSHAKE_MAX, connecting).await {
                Ok(Ok(connection)) => Ok(Dialled { connection, early: None }),
                Ok(Err(error)) => Err(NetError::connecting(address, self.pinned, &error)),
                Err(_) => Err(unreachable(format!("no answer within {} s", HANDSHAKE_MAX.as_secs()))),
            },
        }
    }

    /// Connects and opens the stream of a session, for whoever speaks the protocol himself.
    ///
    /// # Errors
    /// [`NetError`] if nobody answers.
    pub async fn open(&self, address: &str) -> Result<Line, NetError> {
        let connection = self.dial(address).await?.connection;
        let (send, recv) =
            connection.open_bi().await.map_err(|e| NetError::Broken { reason: e.to_string() })?;
        Ok(Line { connection, send, recv })
    }

    /// Lets farewells leave before the process ends.
    pub async fn close(&self) {
        self.endpoint.close(VarInt::from_u32(0), b"");
        // Only as long as a local packet takes: the peer times out by itself.
        let _ = tokio::time::timeout(Duration::from_millis(50), self.endpoint.wait_idle()).await;
    }
}

pub(super) fn resolve(address: &str) -> Result<SocketAddr, NetError> {
    let unknown = |reason: String| NetError::Unreachable { address: address.to_owned(), reason };
    let mut found = address.to_socket_addrs().map_err(|e| unknown(e.to_string()))?;
    let first = found.next().ok_or_else(|| unknown("the name has no address".to_owned()))?;
    // Prefer what the dialling socket can reach.
    Ok(std::iter::once(first).chain(found).find(SocketAddr::is_ipv4).unwrap_or(first))
}

/// An endpoint that listens on `addr` as the holder of `key`.
///
/// Its connection ids and reset tokens follow from the replica's key, so that after a restart it can tell
/// peers at once that their sessions are gone (RFC 9000, section 10.3).
///
/// # Errors
/// [`NetError::Bind`] if the port is in use.
pub fn listen(addr: SocketAddr, key: &SigningKey) -> Result<Endpoint, NetError> {
    let mut config = ServerConfig::with_crypto(Arc::new(tls::server(key)?));
    config.transport_config(transport(STRANGER_WINDOW_LEN_BYTES));
    config.migration(true);
    let reset = blake3::derive_key("wangge 2026 quic stateless reset", &key.to_bytes());
    let ids = blake3::derive_key("wangge 2026 quic connection ids", &key.to_bytes());
    let ids = u64::from_le_bytes(ids[..8].try_into().unwrap_or_default());
    let mut endpoint = EndpointConfig::new(Arc::new(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &reset)));
    endpoint.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    let bind = |source| NetError::Bind { addr, source };
    let socket = std::net::UdpSocket::bind(addr).map_err(bind)?;
    Endpoint::new(endpoint, Some(config), socket, Arc::new(TokioRuntime)).map_err(bind)
}

/// The replica at the other end, known once its handshake is complete or was resumed.
pub fn peer_of(connection: &Connection) -> Option<ReplicaId> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    tls::replica_of(chain.first()?)
}

/// The protocol that both agreed on.
pub(super) fn is_join(connection: &Connection) -> bool {
    connection
        .handshake_data()
        .and_then(|data| data.downcast::<quinn::crypto::rustls::HandshakeData>().ok())
        .is_some_and(|data| data.protocol.as_deref() == Some(tls::ALPN_JOIN))
}
