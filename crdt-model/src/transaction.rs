//! What one action of a worker changed: changes to one or more documents of one scope, applied whole
//! or not at all, on every replica.

use serde::{Deserialize, Serialize};

use crate::document::{Change, FormError};
use crate::identity::{DocId, Epoch, Hash, LogId, ReplicaId};
use crate::log::HeadSignature;
use crate::verdict::Verdict;

/// Most documents that one transaction changes.
pub const CHANGES_MAX: usize = 64;
/// Longest transaction in its stored form, in bytes.
pub const LEN_BYTES_MAX: usize = 64 * 1024;
/// Most logs whose growth one transaction reports.
pub const SEEN_MAX: usize = 4_096;
/// Most verdicts in one transaction of the relay.
pub const VERDICTS_MAX: usize = 4_096;

/// Opens a log: whose it is. Its first transaction carries it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// The replica that writes the log and signs its heads.
    pub replica: ReplicaId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The head of the log that this one continues, after a restore or a rollback.
    pub predecessor: Option<Hash>,
}

/// How far the author had seen another log, reported when it grew since his previous transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// The other log, by the name that its transactions bear.
    pub log: LogId,
    /// How many of its transactions.
    pub len: u64,
    /// The first bytes of the head there: they say which branch, if it forked.
    pub head: [u8; 4],
}

/// What is left of a change whose document was erased: enough for the chain to verify.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Erased {
    /// Its place among the transaction's changes, from 0, those that were erased counted.
    pub at: u16,
    /// The document.
    pub doc: DocId,
    /// The salted hash of the change.
    pub hash: Hash,
}

/// One transaction.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Transaction {
    /// The log; in all branches of it, the log that forked.
    pub log: LogId,
    /// Its place in the log, from 1.
    pub seq: u64,
    /// 1 + the greatest Lamport number among what the author had seen.
    pub lamport: u64,
    /// Claimed wall time, milliseconds since 1970 (UTC). Never used for ordering.
    pub wall_ms: u64,
    /// The acting worker.
    pub worker: DocId,
    /// Set where the log changes its Automerge actor: at each start of the author's process.
    pub actor_nonce: Option<u64>,
    /// Set in the first transaction of a log.
    pub opening: Option<Opening>,
    /// What grew since the author's previous transaction.
    pub seen: Vec<Seen>,
    /// Changes to documents, at most one a document.
    pub changes: Vec<Change>,
    /// The relay's decisions; only its own logs have any.
    pub verdicts: Vec<Verdict>,
    /// Changes whose documents were erased, ascending by place.
    pub erased: Vec<Erased>,
    /// On a shared workstation: the acting worker's own signature over what it says ([`crate::turn`]).
    pub turn: Option<HeadSignature>,
}

/// One change of a transaction, or what is left of it.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The change.
    Change(&'a Change),
    /// Its hash.
    Erased(&'a Erased),
}

/// What hides the content of a scope's documents from hashes: known to the scope's holders only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeSecret(pub [u8; 32]);

impl std::fmt::Debug for ScopeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScopeSecret(..)")
    }
}

impl ScopeSecret {
    /// The id of the document that stands for a natural key in this scope.
    pub fn natural_id(&self, kind: crate::schema::Kind, number: &str, generation: u32) -> DocId {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"natural key");
        hasher.update(&[kind.0]);
        hasher.update(&generation.to_le_bytes());
        hasher.update(number.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        DocId(id)
    }

    /// The salted hash of a change, as it enters its transaction's.
    pub fn change_hash(&self, change: &Change) -> Hash {
        let payload = postcard::to_stdvec(change).unwrap_or_default();
        Hash(*blake3::keyed_hash(&self.salt(&change.doc), &payload).as_bytes())
    }

    /// Salt of the hashes of changes to `doc`.
    fn salt(&self, doc: &DocId) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"change salt");
        hasher.update(&doc.0);
        *hasher.finalize().as_bytes()
    }
}

/// The Automerge actor that `log` uses after declaring `nonce`.
pub fn actor(log: &LogId, nonce: u64) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 automerge actor");
    hasher.update(&log.0);
    hasher.update(&nonce.to_le_bytes());
    let mut actor = [0; 16];
    actor.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    actor
}

impl Transaction {
    /// The stored form (postcard).
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// What postcard finds wrong, or bytes left over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        match postcard::take_from_bytes(bytes)? {
            (transaction, []) => Ok(transaction),
            _ => Err(postcard::Error::DeserializeBadEncoding),
        }
    }

    /// The hash that the chain takes in. It covers the header and a salted hash of each change, so a
    /// payload can be erased later while the chain still verifies, and nobody outside the scope can
    /// test a guess of an ID number against it.
    pub fn hash(&self, secret: &ScopeSecret) -> Hash {
        let said = self.said(secret);
        let Some(turn) = &self.turn else { return said };
        let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 transaction of a turn");
        hasher.update(&said.0);
        hasher.update(&turn.0);
        Hash(*hasher.finalize().as_bytes())
    }

    /// The same without the signature of a turn, which is over this.
    pub fn said(&self, secret: &ScopeSecret) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 transaction");
        let header = (
            &self.log,
            self.seq,
            self.lamport,
            self.wall_ms,
            &self.worker,
            self.actor_nonce,
            &self.opening,
            &self.seen,
            self.changes.len() + self.erased.len(),
            &self.verdicts,
        );
        let header = postcard::to_stdvec(&header).unwrap_or_default();
        hasher.update(&(header.len() as u64).to_le_bytes());
        hasher.update(&header);
        for place in self.places() {
            let (doc, hash) = match place {
                Place::Change(change) => (change.doc, secret.change_hash(change)),
                Place::Erased(erased) => (erased.doc, erased.hash),
            };
            hasher.update(&doc.0);
            hasher.update(&hash.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// Its changes in their order, erased ones included.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let mut changes = self.changes.iter();
        let mut erased = self.erased.iter().peekable();
        let mut at = 0;
        std::iter::from_fn(move || {
            let place = match erased.next_if(|erased| usize::from(erased.at) == at) {
                Some(erased) => Place::Erased(erased),
                None => Place::Change(changes.next()?),
            };
            at += 1;
            Some(place)
        })
    }

    /// Leaves of the changes to documents that `gone` names nothing but their hashes: the chain still
    /// verifies. Returns whether there were any.
    pub fn erase(&mut self, secret: &ScopeSecret, gone: impl Fn(&DocId) -> bool) -> bool {
        if !self.changes.iter().any(|change| gone(&change.doc)) {
            return false;
        }
        let mut stays = Vec::new();
        let mut erased = Vec::new();
        for (at, place) in self.places().enumerate() {
            match place {
                Place::Erased(already) => erased.push(already.clone()),
                Place::Change(change) if gone(&change.doc) => {
                    // Limits on changes keep the place far below 65,536.
                    let at = u16::try_from(at).unwrap_or(u16::MAX);
                    erased.push(Erased { at, doc: change.doc, hash: secret.change_hash(change) });
                }
                Place::Change(change) => stays.push(change.clone()),
            }
        }
        (self.changes, self.erased) = (stays, erased);
        true
    }

    /// Checks all that can be checked without any document: counts, sizes, the form of each change.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check_form(&self) -> Result<(), TransactionError> {
        let at = |breach| TransactionError { log: self.log, seq: self.seq, breach };
        let count = self.changes.len() + self.erased.len();
        if count > CHANGES_MAX {
            return Err(at(Breach::Changes { count }));
        }
        if self.seen.len() > SEEN_MAX || self.verdicts.len() > VERDICTS_MAX {
            return Err(at(Breach::Lists { seen: self.seen.len(), verdicts: self.verdicts.len() }));
        }
        if count == 0 && self.verdicts.is_empty() {
            return Err(at(Breach::Empty));
        }
        if (self.seq == 1) != self.opening.is_some() || (self.seq == 1 && self.actor_nonce.is_none()) {
            return Err(at(Breach::Opening));
        }
        if self.lamport == 0 || self.lamport > i64::MAX as u64 {
            return Err(at(Breach::Lamport { found: self.lamport }));
        }
        for (index, change) in self.changes.iter().enumerate() {
            if self.changes[..index].iter().any(|other| other.doc == change.doc) {
                return Err(at(Breach::Twice { doc: change.doc }));
            }
            change.check_form().map_err(|e| at(Breach::Change(e)))?;
        }
        let mut next = 0;
        for (index, erased) in self.erased.iter().enumerate() {
            if erased.at < next || usize::from(erased.at) >= count {
                return Err(at(Breach::Erased { place: erased.at }));
            }
            next = erased.at + 1;
            let known = self.changes.iter().map(|change| change.doc);
            if known.chain(self.erased[..index].iter().map(|other| other.doc)).any(|doc| doc == erased.doc) {
                return Err(at(Breach::Twice { doc: erased.doc }));
            }
        }
        Ok(())
    }
}

/// A transaction that breaks a rule of form: the log ends before it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("transaction {seq} of log {log}: {breach}")]
pub struct TransactionError {
    /// The log.
    pub log: LogId,
    /// The transaction's place in it.
    pub seq: u64,
    /// The rule.
    pub breach: Breach,
}

/// The rule of form that a transaction breaks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum Breach {
    #[error("it changes {count} documents; at most {CHANGES_MAX} are allowed")]
    Changes { count: usize },
    #[error(
        "it lists {seen} seen logs and {verdicts} verdicts; at most {SEEN_MAX} and {VERDICTS_MAX} are allowed"
    )]
    Lists { seen: usize, verdicts: usize },
    #[error("it changes nothing")]
    Empty,
    #[error("a log opens with its first transaction, and only there")]
    Opening,
    #[error("Lamport number {found} is not 1 + the greatest that its author had seen")]
    Lamport { found: u64 },
    #[error("it has an erased change at place {place}, where none can be")]
    Erased { place: u16 },
    #[error("it changes document {doc} twice")]
    Twice { doc: DocId },
    #[error(transparent)]
    Change(#[from] FormError),
}
