//! Sealing: XChaCha20-Poly1305 under a key, X25519 sealed boxes for a holder of a secret, argon2id for a PIN.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use crypto_box::aead::rand_core::{self, CryptoRng, RngCore};
use crypto_box::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::{ReplicaError, World};

/// Bytes of a nonce, in front of what was sealed.
const NONCE_LEN_BYTES: usize = 24;
/// What sealing adds to a text, in bytes.
#[cfg(test)]
pub(super) const OVERHEAD_BYTES: usize = NONCE_LEN_BYTES + 16;

/// A symmetric key, wiped from memory when it goes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    pub(super) fn draw(world: &dyn World) -> Result<Self, ReplicaError> {
        Ok(Self(Zeroizing::new(world.random()?)))
    }

    pub(super) fn of(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::of)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `text`; `place` is authenticated with it, so that what is sealed cannot be moved elsewhere.
    pub(super) fn seal(&self, nonce: [u8; NONCE_LEN_BYTES], place: &[u8], text: &[u8]) -> Vec<u8> {
        let cipher = XChaCha20Poly1305::new(self.0.as_slice().into());
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), Payload { msg: text, aad: place });
        // Fails only above 256 GiB.
        [&nonce[..], &sealed.unwrap_or_default()].concat()
    }

    /// Opens what [`Key::seal`] sealed in the same place; `None` if it was not sealed so.
    pub(super) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN_BYTES)?;
        let cipher = XChaCha20Poly1305::new(self.0.as_slice().into());
        cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: text, aad: place }).ok()
    }
}

/// Nonces that never repeat: 128 random bits for each batch of writes, then a count.
pub(super) struct Nonces {
    random: [u8; 16],
    count: u64,
}

impl Nonces {
    pub(super) fn draw(world: &dyn World) -> Result<Self, ReplicaError> {
        Ok(Self { random: world.random()?, count: 0 })
    }

    pub(super) fn next(&mut self) -> [u8; NONCE_LEN_BYTES] {
        let mut nonce = [0; NONCE_LEN_BYTES];
        nonce[..16].copy_from_slice(&self.random);
        nonce[16..].copy_from_slice(&self.count.to_le_bytes());
        self.count += 1;
        nonce
    }
}

/// A pair of keys: whoever has the secret opens what was sealed to the public half.
#[derive(Clone)]
pub struct Pair(SecretKey);

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pair").field(&self.0.public_key()).finish()
    }
}

impl Pair {
    /// A new pair.
    ///
    /// # Errors
    /// [`ReplicaError::Randomness`].
    pub fn draw(world: &dyn World) -> Result<Self, ReplicaError> {
        Ok(Self(SecretKey::from_bytes(world.random()?)))
    }

    /// The pair of a secret.
    pub fn of_secret(secret: [u8; 32]) -> Self {
        Self(SecretKey::from_bytes(secret))
    }

    /// The secret half.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().to_bytes()
    }

    /// Opens a sealed box; `None` if it was not sealed to this pair.
    pub fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.unseal(sealed).ok().map(Zeroizing::new)
    }
}

/// Seals `text` so that only the holder of the secret behind `public` opens it. (libsodium's sealed box.)
///
/// # Errors
/// [`ReplicaError::Randomness`].
pub fn seal_to(world: &dyn World, public: &[u8; 32], text: &[u8]) -> Result<Vec<u8>, ReplicaError> {
    let mut chance = Chance { world, failed: None };
    let sealed = PublicKey::from_bytes(*public).seal(&mut chance, text);
    match (chance.failed, sealed) {
        (None, Ok(sealed)) => Ok(sealed),
        (failed, _) => Err(failed.unwrap_or_else(|| ReplicaError::Randomness("sealing failed".to_owned()))),
    }
}

/// The machine's source of chance, as the cryptographic crates ask for it.
struct Chance<'a> {
    world: &'a dyn World,
    failed: Option<ReplicaError>,
}

impl RngCore for Chance<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        if let Err(error) = self.world.fill(bytes) {
            self.failed = Some(error);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Chance<'_> {}

/// How dear one guess at a PIN is: the parameters of argon2id (RFC 9106).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PinCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for PinCost {
    /// About a tenth of a second on an office computer.
    fn default() -> Self {
        Self { memory_kib: 47 * 1024, passes: 2 }
    }
}

impl PinCost {
    /// For tests that try many PINs: protects nothing.
    pub const TRIFLING: Self = Self { memory_kib: 64, passes: 1 };

    /// Most memory that a key file may ask for, in KiB.
    const MEMORY_KIB_MAX: u32 = 1024 * 1024;

    /// The key that follows from a PIN; `None` if the parameters are not usable.
    pub(super) fn key_of(self, pin: &str, salt: &[u8; 16]) -> Option<Key> {
        if self.memory_kib > Self::MEMORY_KIB_MAX || self.passes > 64 {
            return None;
        }
        let params = argon2::Params::new(self.memory_kib, self.passes, 1, Some(32)).ok()?;
        let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut key = Zeroizing::new([0; 32]);
        argon.hash_password_into(pin.as_bytes(), salt, key.as_mut_slice()).ok()?;
        Some(Key(key))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::System;
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let key = Key::of([7; 32]);
        let mut nonces = Nonces::draw(&System).expect("random");
        let sealed = key.seal(nonces.next(), b"here", b"text");
        assert_eq!(sealed.len(), 4 + OVERHEAD_BYTES);
        assert_eq!(key.open(b"here", &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(key.open(b"there", &sealed), None);
        assert_eq!(Key::of([8; 32]).open(b"here", &sealed), None);
        assert_eq!(key.open(b"here", &sealed[..20]), None);
        assert_ne!(key.seal(nonces.next(), b"here", b"text"), sealed, "a nonce came twice");
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(key.open(b"here", &bent), None, "byte {at}");
        }
    }
}
