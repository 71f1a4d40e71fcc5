//! TLS 1.3 with raw Ed25519 public keys on both sides (RFC 7250): a replica is its key. There is no
//! certificate authority; who may take part is decided by the roster and by enrolments.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    ServerConfig, SignatureScheme,
};

use wangge_model::identity::ReplicaId;
use wangge_model::log::SigningKey;

/// The protocol of sessions, with its version (RFC 7301).
pub(super) const ALPN_SESSION: &[u8] = b"wangge/1";
/// The protocol in which an invitation is shown.
pub(super) const ALPN_JOIN: &[u8] = b"wangge-join/1";

/// An Ed25519 public key as SubjectPublicKeyInfo (RFC 8410): this, then the key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// An Ed25519 private key as PKCS #8 (RFC 8410): this, then the seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

fn spki(replica: &ReplicaId) -> Vec<u8> {
    [SPKI_PREFIX.as_slice(), &replica.0].concat()
}

/// The replica that a raw public key names.
pub(super) fn replica_of(certificate: &CertificateDer<'_>) -> Option<ReplicaId> {
    ReplicaId::from_slice(certificate.as_ref().strip_prefix(&SPKI_PREFIX)?)
}

fn certified(key: &SigningKey) -> Result<Arc<CertifiedKey>, Error> {
    let replica = ReplicaId(key.verifying_key().to_bytes());
    let pkcs8 = [PKCS8_PREFIX.as_slice(), &key.to_bytes()].concat();
    let signer = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8))?;
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki(&replica))], signer)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Accepts raw Ed25519 keys: one pinned key, or any (then the session checks who it is).
#[derive(Debug)]
struct RawKeys {
    pinned: Option<ReplicaId>,
    provider: Arc<CryptoProvider>,
}

impl RawKeys {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let replica =
            replica_of(certificate).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match self.pinned {
            Some(pinned) if pinned != replica => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(()),
        }
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(certificate.as_ref()),
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }
}

impl ServerCertVerifier for RawKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
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
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
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
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// The client's side: shows `key`, accepts the pinned peer or, without one, any that the session then
/// checks. Keep the configuration: resumption tickets live in it.
pub(super) fn client(
    key: &SigningKey,
    pinned: Option<ReplicaId>,
    alpn: &[u8],
) -> Result<QuicClientConfig, Error> {
    let provider = provider();
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(RawKeys { pinned, provider }))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(key)?)));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::in_memory_sessions(64);
    // 0-RTT data can be replayed by whoever sees it. That is harmless here: all messages are
    // idempotent, transactions carry their place in a signed chain.
    config.enable_early_data = true;
    config.enable_sni = false;
    QuicClientConfig::try_from(config).map_err(|e| Error::General(e.to_string()))
}

/// The listener's side: shows `key`, accepts any Ed25519 key; the session decides who takes part.
pub(super) fn server(key: &SigningKey) -> Result<QuicServerConfig, Error> {
    let provider = provider();
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(RawKeys { pinned: None, provider }))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(key)?)));
    config.alpn_protocols = vec![ALPN_SESSION.to_vec(), ALPN_JOIN.to_vec()];
    // Replays are harmless, see `client`.
    config.max_early_data_size = u32::MAX;
    config.send_half_rtt_data = false;
    // A resumed session may end before its own ticket arrives: one to spare.
    config.send_tls13_tickets = 2;
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(4_096);
    QuicServerConfig::try_from(config).map_err(|e| Error::General(e.to_string()))
}
