//! A session that stays open: a bare QUIC connection driven here, because the node's own keeps its
//! connection to itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, TransportConfig};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};
use wangge_model::log::SigningKey;
use wangge_model::session::{Config, Input, Output, Session};
use wangge_node::replica::Replica;

use crate::measure::IDLE_OPEN_BYTES;
use crate::scenario::{Report, Setting};
use crate::wangge::STREET;
use crate::wangge::meter::Meter;
use crate::wangge::prepare::{relay_dir, replica_dir};
use crate::wangge::street::{Relay, copy, open, settle};

/// The protocol of sessions (RFC 7301).
const PROTOCOL: &[u8] = b"wangge/1";

/// An Ed25519 public key as SubjectPublicKeyInfo (RFC 8410): this, then the key.
const PUBLIC_KEY_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// An Ed25519 private key as PKCS #8 (RFC 8410): this, then the seed.
const PRIVATE_KEY_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

#[tokio::main]
pub(super) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let prepared = STREET.dir(setting);
    copy(&relay_dir(&prepared), &relay_dir(folder.path()))?;
    copy(&replica_dir(&prepared, 1), &replica_dir(folder.path(), 1))?;
    let relay = Relay::start(&relay_dir(folder.path()))?;
    let replica = open(&replica_dir(folder.path(), 1))?;
    settle(&relay, &replica).await?;
    let mut meter = Meter::start(relay.addr).await?;
    let at = meter.addr();
    let (mut live, _) = meter
        .measure(async {
            let mut live = Live::dial(&replica, at).await?;
            live.greet().await?;
            Ok(live)
        })
        .await?;
    for _ in 0..setting.runs {
        let (equal, passed) = meter.measure(live.ask()).await?;
        if !equal {
            bail!("the two sides differ");
        }
        report.bytes(IDLE_OPEN_BYTES, passed.bytes())?;
    }
    Ok(())
}

/// A session of a replica that lacks nothing.
pub(super) struct Live {
    connection: Connection,
    send: SendStream,
    recv: RecvStream,
    session: Session,
    in_sync: bool,
    pong: Option<bool>,
    /// From dialling until the connection stood.
    pub(super) handshake: Duration,
    /// What this side had sent by then.
    pub(super) handshake_up_bytes: u64,
}

impl Live {
    /// Connects.
    pub(super) async fn dial(replica: &Replica, relay: SocketAddr) -> anyhow::Result<Self> {
        let mut endpoint = Endpoint::client((Ipv4Addr::UNSPECIFIED, 0).into())?;
        endpoint.set_default_client_config(client(&replica.signing_key())?);
        let started = Instant::now();
        let connection = endpoint.connect(relay, "wangge")?.await?;
        let handshake = started.elapsed();
        let handshake_up_bytes = connection.stats().udp_tx.bytes;
        let (send, recv) = connection.open_bi().await?;
        let profile = replica.profile();
        let session = Session::new(Config {
            dialler: true,
            street: profile.street(),
            centre: profile.centre(),
            enrolment: None,
            scopes: replica.clocks(),
            remembered: replica.remembered(&profile.centre())?,
        });
        let (in_sync, pong) = (false, None);
        Ok(Self { connection, send, recv, session, in_sync, pong, handshake, handshake_up_bytes })
    }

    /// Greets; both must be equal.
    pub(super) async fn greet(&mut self) -> anyhow::Result<()> {
        while !self.in_sync {
            self.exchange().await?;
        }
        Ok(())
    }

    /// Asks whether both are still equal.
    pub(super) async fn ask(&mut self) -> anyhow::Result<bool> {
        self.session.ping();
        loop {
            if let Some(equal) = self.pong.take() {
                return Ok(equal);
            }
            self.exchange().await?;
        }
    }

    /// Sends what waits, then takes in one piece of what comes.
    async fn exchange(&mut self) -> anyhow::Result<()> {
        while self.act().await? {}
        let chunk = self.recv.read_chunk(64 * 1_024, true).await?.context("the relay ended the session")?;
        self.session.handle(Input::Received(&chunk.bytes))?;
        while self.act().await? {}
        Ok(())
    }

    async fn act(&mut self) -> anyhow::Result<bool> {
        match self.session.poll_output() {
            None => return Ok(false),
            Some(Output::Send(bytes)) => self.send.write_all(&bytes).await?,
            Some(Output::InSync) => self.in_sync = true,
            Some(Output::Pong { equal }) => self.pong = Some(equal),
            Some(Output::PeerHas { .. }) => {}
            Some(other) => bail!("nothing was to be done, but {other:?}"),
        }
        Ok(true)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.connection.close(quinn::VarInt::from_u32(0), b"");
    }
}

fn client(key: &SigningKey) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(provider)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(key)?)));
    tls.alpn_protocols = vec![PROTOCOL.to_vec()];
    tls.enable_sni = false;
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = TransportConfig::default();
    transport.mtu_discovery_config(None);
    config.transport_config(Arc::new(transport));
    Ok(config)
}

fn certified(key: &SigningKey) -> anyhow::Result<Arc<CertifiedKey>> {
    let public = [PUBLIC_KEY_PREFIX.as_slice(), &key.verifying_key().to_bytes()].concat();
    let private = [PRIVATE_KEY_PREFIX.as_slice(), &key.to_bytes()].concat();
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(private))?;
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signer)))
}

/// Accepts whatever key the relay shows: it was started here.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
