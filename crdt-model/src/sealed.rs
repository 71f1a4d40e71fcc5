//! Sealed cells (密封): how audit entries and reports reach the centre, and only the centre.
//!
//! A message is cut into parts, each sealed to the centre's key in a cell of one size. The cells of a
//! replica form a hash chain that it signs. Whoever carries them sees whose they are and how many; not
//! what they hold, who wrote them or when. Cells without content (cover) look like the others, so that
//! neither does their number tell whether somebody reported something.
//!
//! Sealing: X25519 (RFC 7748) with a key made for the cell, BLAKE3 as key derivation, ChaCha20-Poly1305
//! (RFC 8439) under that key, which is used once.

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::audit::Entry;
use crate::identity::{DocId, Hash, ReplicaId, Scope};

/// Length of every cell, in bytes.
pub const CELL_LEN_BYTES: usize = 256;
/// The key made for the cell, and the tag.
const OVERHEAD_LEN_BYTES: usize = 32 + 16;
/// Part, parts and length.
const HEADER_LEN_BYTES: usize = 3;
/// What one cell carries, in bytes.
pub const PART_LEN_BYTES: usize = CELL_LEN_BYTES - OVERHEAD_LEN_BYTES - HEADER_LEN_BYTES;
/// Most cells of one message.
pub const PARTS_MAX: usize = 64;
/// Longest text of a report, in characters: fits [`PARTS_MAX`] with three bytes a character.
pub const REPORT_CHARS_MAX: usize = 4_000;
/// Most cells in one run.
pub const RUN_CELLS_MAX: usize = 256;
/// Cells that a neighbour is given in a session, neither more nor fewer, whatever there is to say.
pub const NEIGHBOUR_CELLS: usize = 8;

/// The centre's public key for sealing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealKey {
    /// From 1; the greatest counts.
    pub number: u32,
    /// X25519.
    pub key: [u8; 32],
}

impl SealKey {
    /// The public half of `secret`.
    pub fn of(number: u32, secret: &[u8; 32]) -> Self {
        Self { number, key: PublicKey::from(&StaticSecret::from(*secret)).to_bytes() }
    }

    fn message(&self) -> Vec<u8> {
        [b"wangge seal key 1".as_slice(), &self.number.to_le_bytes(), &self.key].concat()
    }

    /// Signs it with the centre's key: no other worker of the centre can put his own in its place.
    pub fn sign(&self, centre: &SigningKey) -> [u8; 64] {
        centre.sign(&self.message()).to_bytes()
    }

    /// Whether the centre signed it.
    pub fn is_signed(&self, centre: &ReplicaId, signature: &[u8; 64]) -> bool {
        verify(centre, &self.message(), signature)
    }
}

fn verify(replica: &ReplicaId, message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(&replica.0)
        .and_then(|key| key.verify(message, &Signature::from_bytes(signature)))
        .is_ok()
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Nothing.
    Cover,
    /// An audit entry of the device.
    Audit(Entry),
    /// A report (举报).
    Report(Report),
}

/// A report that only the centre reads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Who reports; `None` if without a name.
    pub worker: Option<DocId>,
    /// When, milliseconds since 1970 (UTC), as the device claims.
    pub at_ms: u64,
    /// What it is about, in words.
    pub about: String,
    /// The record it concerns.
    pub whom: Option<(Scope, DocId)>,
    /// What is reported.
    pub text: String,
}

/// A message that cannot be sealed, or a cell that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum SealedError {
    #[error("the message takes {parts} cells; at most {PARTS_MAX} are allowed")]
    TooLong { parts: usize },
    #[error("a cell of {len_bytes} bytes; every cell has {CELL_LEN_BYTES}")]
    CellLength { len_bytes: usize },
    #[error("the cell is not sealed to this key or was damaged")]
    Closed,
    #[error("the cell opens, but what it holds cannot be read")]
    Unsound,
    #[error("a run of {count} sealed cells; 1 to {RUN_CELLS_MAX} are allowed")]
    RunLength { count: usize },
    #[error("the sealed cells up to {upto} are not signed by replica {replica}")]
    Signature { replica: ReplicaId, upto: u64 },
}

/// Cuts a message into the plain texts of its cells.
///
/// # Errors
/// [`SealedError::TooLong`].
pub fn parts(message: &Message) -> Result<Vec<Vec<u8>>, SealedError> {
    let bytes = postcard::to_stdvec(message).unwrap_or_default();
    let count = bytes.len().div_ceil(PART_LEN_BYTES);
    if count > PARTS_MAX {
        return Err(SealedError::TooLong { parts: count });
    }
    let parts = bytes.chunks(PART_LEN_BYTES).enumerate().map(|(at, part)| {
        let mut plain = vec![0; HEADER_LEN_BYTES + PART_LEN_BYTES];
        plain[..HEADER_LEN_BYTES].copy_from_slice(&[at as u8, count as u8, part.len() as u8]);
        plain[HEADER_LEN_BYTES..HEADER_LEN_BYTES + part.len()].copy_from_slice(part);
        plain
    });
    Ok(parts.collect())
}

fn cell_key(ephemeral: &[u8; 32], recipient: &[u8; 32], shared: &[u8; 32]) -> Key {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 sealed cell");
    hasher.update(ephemeral);
    hasher.update(recipient);
    hasher.update(shared);
    Key::from(*hasher.finalize().as_bytes())
}

/// Seals the plain text of one cell. `chance` must be drawn anew for every cell.
pub fn seal(part: &[u8], to: &SealKey, chance: [u8; 32]) -> Vec<u8> {
    let secret = StaticSecret::from(chance);
    let ephemeral = PublicKey::from(&secret).to_bytes();
    let shared = secret.diffie_hellman(&PublicKey::from(to.key)).to_bytes();
    let key = cell_key(&ephemeral, &to.key, &shared);
    // The key is used once, so the nonce may be fixed.
    let sealed = ChaCha20Poly1305::new(&key).encrypt(&Nonce::default(), part).unwrap_or_default();
    [ephemeral.as_slice(), &sealed].concat()
}

/// One part of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its place, from 0.
    pub at: u8,
    /// How many there are.
    pub of: u8,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Opens a cell with one of the centre's secrets.
///
/// # Errors
/// [`SealedError::Closed`] if it was sealed to another key.
pub fn open(cell: &[u8], secret: &[u8; 32]) -> Result<Part, SealedError> {
    if cell.len() != CELL_LEN_BYTES {
        return Err(SealedError::CellLength { len_bytes: cell.len() });
    }
    let (ephemeral, sealed) = cell.split_at(32);
    let ephemeral: [u8; 32] = ephemeral.try_into().map_err(|_| SealedError::Closed)?;
    let secret = StaticSecret::from(*secret);
    let shared = secret.diffie_hellman(&PublicKey::from(ephemeral)).to_bytes();
    let key = cell_key(&ephemeral, &PublicKey::from(&secret).to_bytes(), &shared);
    let plain = ChaCha20Poly1305::new(&key).decrypt(&Nonce::default(), sealed);
    let plain = plain.map_err(|_| SealedError::Closed)?;
    let [at, of, len, body @ ..] = plain.as_slice() else { return Err(SealedError::Unsound) };
    let bytes = body.get(..usize::from(*len)).ok_or(SealedError::Unsound)?;
    if at >= of || usize::from(*of) > PARTS_MAX {
        return Err(SealedError::Unsound);
    }
    Ok(Part { at: *at, of: *of, bytes: bytes.to_vec() })
}

/// Puts consecutive parts together again.
///
/// # Errors
/// [`SealedError::Unsound`].
pub fn join(parts: &[Part]) -> Result<Message, SealedError> {
    let whole = parts
        .iter()
        .enumerate()
        .all(|(at, part)| usize::from(part.at) == at && usize::from(part.of) == parts.len());
    if !whole || parts.is_empty() {
        return Err(SealedError::Unsound);
    }
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes.iter().copied()).collect();
    postcard::from_bytes(&bytes).map_err(|_| SealedError::Unsound)
}

/// The head of a chain without cells.
pub const EMPTY: Hash = Hash([0; 32]);

/// What the chain takes in of a cell: the cell itself may be dropped later.
pub fn cell_hash(cell: &[u8]) -> Hash {
    Hash(*blake3::hash(cell).as_bytes())
}

/// The chain's next value.
pub fn next_head(before: &Hash, cell: &Hash) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 sealed chain");
    hasher.update(&before.0);
    hasher.update(&cell.0);
    Hash(*hasher.finalize().as_bytes())
}

fn chain_message(series: u64, upto: u64, head: &Hash) -> Vec<u8> {
    [b"wangge sealed 1".as_slice(), &series.to_le_bytes(), &upto.to_le_bytes(), &head.0].concat()
}

/// Signs a chain of cells at its end.
pub fn sign_chain(key: &SigningKey, series: u64, upto: u64, head: &Hash) -> [u8; 64] {
    key.sign(&chain_message(series, upto, head)).to_bytes()
}

/// Whether `replica` signed this end of its chain.
pub fn is_chain_signed(
    replica: &ReplicaId,
    series: u64,
    upto: u64,
    head: &Hash,
    signature: &[u8; 64],
) -> bool {
    verify(replica, &chain_message(series, upto, head), signature)
}

/// Names the cells of one replica. A replica whose store was rolled back begins a new series.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Series {
    /// Whose cells.
    pub replica: ReplicaId,
    /// A random number.
    pub number: u64,
}

/// Consecutive cells as they travel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealedRun {
    /// Whose.
    pub series: Series,
    /// Place of the first cell, from 1.
    pub from: u64,
    /// The chain's value before it.
    pub before: Hash,
    /// The cells, one after the other.
    pub cells: Vec<u8>,
    /// The replica's signature over the chain's value after the last, in two halves.
    pub signature: ([u8; 32], [u8; 32]),
}

impl SealedRun {
    /// How many cells.
    pub fn count(&self) -> u64 {
        (self.cells.len() / CELL_LEN_BYTES) as u64
    }

    /// Place of the last cell.
    pub fn upto(&self) -> u64 {
        (self.from + self.count()).saturating_sub(1)
    }

    /// The cells.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.cells.chunks(CELL_LEN_BYTES)
    }

    /// The signature in one piece.
    pub fn signature(&self) -> [u8; 64] {
        let mut whole = [0; 64];
        whole[..32].copy_from_slice(&self.signature.0);
        whole[32..].copy_from_slice(&self.signature.1);
        whole
    }

    /// Checks lengths and the signature: the chain's values after each cell.
    ///
    /// # Errors
    /// [`SealedError::CellLength`], [`SealedError::RunLength`] or [`SealedError::Signature`].
    pub fn check(&self) -> Result<Vec<Hash>, SealedError> {
        let odd = self.cells.len() % CELL_LEN_BYTES;
        if odd != 0 {
            return Err(SealedError::CellLength { len_bytes: odd });
        }
        let count = self.cells.len() / CELL_LEN_BYTES;
        if count == 0 || count > RUN_CELLS_MAX || self.from == 0 || self.from > u64::MAX / 2 {
            return Err(SealedError::RunLength { count });
        }
        let mut head = self.before;
        let mut heads = Vec::with_capacity(count);
        for cell in self.iter() {
            head = next_head(&head, &cell_hash(cell));
            heads.push(head);
        }
        let (replica, upto) = (self.series.replica, self.upto());
        if !is_chain_signed(&replica, self.series.number, upto, &head, &self.signature()) {
            return Err(SealedError::Signature { replica, upto });
        }
        Ok(heads)
    }
}

/// What the receiver of cells holds now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealedKept {
    /// Whose.
    pub series: Series,
    /// Up to here.
    pub upto: u64,
    /// The chain's value there, first bytes: another one means that the store was rolled back.
    pub head: [u8; 8],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::What;

    fn key() -> ([u8; 32], SealKey) {
        let secret = [9; 32];
        (secret, SealKey::of(1, &secret))
    }

    fn sealed(message: &Message, to: &SealKey) -> Vec<Vec<u8>> {
        let parts = parts(message).expect("fits");
        parts.iter().enumerate().map(|(at, part)| seal(part, to, [at as u8 + 1; 32])).collect()
    }

    fn report(text: &str) -> Message {
        Message::Report(Report {
            worker: Some(DocId([4; 16])),
            at_ms: 5,
            about: "作风".into(),
            whom: None,
            text: text.into(),
        })
    }

    #[test]
    fn messages_come_back_for_the_holder_of_the_key_alone() {
        let (secret, to) = key();
        let audit = Message::Audit(Entry::new(What::UNMASK).because("核对户籍"));
        for message in [Message::Cover, audit, report(&"举".repeat(REPORT_CHARS_MAX))] {
            let cells = sealed(&message, &to);
            assert!(cells.iter().all(|cell| cell.len() == CELL_LEN_BYTES));
            let parts: Vec<Part> = cells.iter().map(|cell| open(cell, &secret).expect("opens")).collect();
            assert_eq!(join(&parts), Ok(message));
            assert_eq!(open(&cells[0], &[8; 32]), Err(SealedError::Closed));
            let mut damaged = cells[0].clone();
            damaged[100] ^= 1;
            assert_eq!(open(&damaged, &secret), Err(SealedError::Closed));
            assert!(join(&parts[1..]).is_err());
        }
        assert!(parts(&report(&"举".repeat(5_000))).is_err());
    }

    #[test]
    fn a_run_is_what_its_replica_signed() {
        let author = SigningKey::from_bytes(&[3; 32]);
        let replica = ReplicaId(author.verifying_key().to_bytes());
        let (_, to) = key();
        let cells = sealed(&report(&"长".repeat(200)), &to);
        assert!(cells.len() > 2);
        let head = cells.iter().fold(EMPTY, |head, cell| next_head(&head, &cell_hash(cell)));
        let series = Series { replica, number: 7 };
        let signature = sign_chain(&author, 7, cells.len() as u64, &head);
        let (mut first, mut second) = ([0; 32], [0; 32]);
        first.copy_from_slice(&signature[..32]);
        second.copy_from_slice(&signature[32..]);
        let cells = cells.concat();
        let honest = SealedRun { series, from: 1, before: EMPTY, cells, signature: (first, second) };
        assert_eq!(honest.check().expect("holds").last(), Some(&head));
        for at in (0..honest.cells.len()).step_by(97) {
            let mut forged = honest.clone();
            forged.cells[at] ^= 1;
            assert!(matches!(forged.check(), Err(SealedError::Signature { .. })));
        }
        assert!(SealedRun { from: 2, ..honest.clone() }.check().is_err());
        assert!(SealedRun { cells: vec![0; 300], ..honest.clone() }.check().is_err());
        assert!(SealedRun { cells: Vec::new(), ..honest }.check().is_err());
    }
}
