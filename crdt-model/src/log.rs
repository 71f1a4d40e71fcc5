//! The hash-chained sequence of one replica's transactions, and what its author vouches for.

pub use ed25519_dalek::SigningKey;
use ed25519_dalek::{Signature, Signer, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::identity::{Epoch, Hash, LogId, ReplicaId};
use crate::transaction::{ScopeSecret, Transaction, TransactionError};

/// The head of an empty log.
pub const EMPTY_HEAD: Hash = Hash([0; 32]);

/// Authors sign at least after this many transactions, so that a broken transfer resumes there.
pub const UNSIGNED_TRANSACTIONS_MAX: u64 = 64;

/// Who writes a log, and what it branches from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogIdentity {
    /// The replica whose key signs the heads.
    pub replica: ReplicaId,
    /// Its epoch.
    pub epoch: Epoch,
    /// For a branch that a fork left: the log that forked and the last position both share.
    pub branch: Option<Branch>,
}

/// Where a branch leaves its log. The end that both share is spelt out: a replica that began from pages may hold
/// nothing of it. Its author's signature vouches for it, as the branch's chain goes on from there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Branch {
    /// What it leaves: the log, or another branch under the name that it has here.
    pub of: LogId,
    /// The last position that both share.
    pub base: u64,
    /// The chain's value there.
    pub head: Hash,
    /// The Lamport number there; 0 at the beginning.
    pub lamport: u64,
    /// The actor of the changes there.
    pub actor: [u8; 16],
}

/// The end of a log as far as it is held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tip {
    /// Whose it is.
    pub identity: LogIdentity,
    /// Positions held: 1..=len, or base+1..=len in a branch.
    pub len: u64,
    /// The chain's value there.
    pub head: Hash,
    /// The Lamport number of the last transaction.
    pub lamport: u64,
    /// Positions up to this one came in a checkpoint: their transactions are not held here.
    pub floor: u64,
}

/// An author's signature over a head: vouches for all before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadSignature(pub [u8; 64]);

/// A chain or signature that does not hold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum LogError {
    #[error("log {log}: the signature over position {seq} is not its author's ({replica})")]
    Signature { log: LogId, seq: u64, replica: ReplicaId },
    #[error("log {log} offers position {found} where {expected} is next")]
    Gap { log: LogId, expected: u64, found: u64 },
    #[error("log {log} is not the one that replica {replica} writes in this scope and epoch")]
    Identity { log: LogId, replica: ReplicaId },
    #[error("log {log} is not known here and does not begin with its opening")]
    Unopened { log: LogId },
    #[error("log {log} leaves what is held here after position {base}")]
    Fork { log: LogId, base: u64 },
    #[error("a run of log {log} is empty")]
    EmptyRun { log: LogId },
    #[error(transparent)]
    Transaction(#[from] TransactionError),
}

/// The chain's next value: BLAKE3 over the previous one and the transaction's hash.
pub fn next_head(previous: &Hash, transaction: &Hash) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 log head");
    hasher.update(&previous.0);
    hasher.update(&transaction.0);
    Hash(*hasher.finalize().as_bytes())
}

fn head_message(log: &LogId, seq: u64, head: &Hash) -> Vec<u8> {
    let mut message = b"wangge head 1".to_vec();
    message.extend_from_slice(&log.0);
    message.extend_from_slice(&seq.to_le_bytes());
    message.extend_from_slice(&head.0);
    message
}

/// Signs the head of `log` (the log that the transactions name) at `seq`. Ed25519, RFC 8032.
pub fn sign_head(key: &SigningKey, log: &LogId, seq: u64, head: &Hash) -> HeadSignature {
    HeadSignature(key.sign(&head_message(log, seq, head)).to_bytes())
}

/// Checks an author's signature over a head.
///
/// # Errors
/// [`LogError::Signature`].
pub fn verify_head(
    replica: &ReplicaId,
    log: &LogId,
    seq: u64,
    head: &Hash,
    signature: &HeadSignature,
) -> Result<(), LogError> {
    let wrong = || LogError::Signature { log: *log, seq, replica: *replica };
    let key = VerifyingKey::from_bytes(&replica.0).map_err(|_| wrong())?;
    key.verify(&head_message(log, seq, head), &Signature::from_bytes(&signature.0)).map_err(|_| wrong())
}

impl Serialize for HeadSignature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        first.copy_from_slice(&self.0[..32]);
        second.copy_from_slice(&self.0[32..]);
        (first, second).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HeadSignature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (first, second) = <([u8; 32], [u8; 32])>::deserialize(deserializer)?;
        let mut whole = [0; 64];
        whole[..32].copy_from_slice(&first);
        whole[32..].copy_from_slice(&second);
        Ok(Self(whole))
    }
}

/// One transaction as it is held: with the chain's value after it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LogRecord {
    /// The chain's value after the transaction.
    pub head: Hash,
    /// The author's signature over that value, where there is one: at the end of what was committed or
    /// arrived together.
    pub signature: Option<HeadSignature>,
    /// The transaction.
    pub transaction: Transaction,
}

/// Consecutive transactions of one log, vouched for by a signature over the last one's head.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// The log that they name.
    pub log: LogId,
    /// Of a log that forked: what precedes them.
    pub branch: Option<Branch>,
    /// The transactions, consecutive.
    pub transactions: Vec<Transaction>,
    /// Over the last one's head.
    pub signature: HeadSignature,
}

/// A run that passed: what to append.
#[derive(Clone, PartialEq, Debug)]
pub struct Checked {
    /// The log or branch under whose name it is held.
    pub log: LogId,
    /// Records to append; those already held are left out.
    pub records: Vec<LogRecord>,
    /// The log's end after appending.
    pub tip: Tip,
    /// The signature over that end.
    pub signature: HeadSignature,
}

impl Run {
    /// Checks everything about a run that needs no document: consecutive places, the chain from
    /// `tip`, the author's signature, the form of each transaction. `tip` is the end that the run continues;
    /// for a branch that is not held yet, the end where it leaves.
    ///
    /// # Errors
    /// [`LogError`]; [`LogError::Fork`] if the chain leaves what is held here.
    pub fn check(
        self,
        scope: &crate::identity::Scope,
        secret: &ScopeSecret,
        tip: Option<&Tip>,
    ) -> Result<Checked, LogError> {
        let log = self.log;
        let Some(first) = self.transactions.first() else {
            return Err(LogError::EmptyRun { log });
        };
        let named = first.log;
        let (identity, held, mut head, mut lamport, floor) = match tip {
            Some(tip) => {
                let identity = tip.identity.clone();
                if LogId::derive(scope, &identity.replica, identity.epoch) != named {
                    return Err(LogError::Identity { log, replica: identity.replica });
                }
                (identity, tip.len, tip.head, tip.lamport, tip.floor)
            }
            None => {
                let opening = first.opening.as_ref().ok_or(LogError::Unopened { log })?;
                let identity = LogIdentity { replica: opening.replica, epoch: opening.epoch, branch: None };
                if LogId::derive(scope, &opening.replica, opening.epoch) != log || named != log {
                    return Err(LogError::Identity { log, replica: opening.replica });
                }
                (identity, 0, EMPTY_HEAD, 0, 0)
            }
        };
        if first.seq != held + 1 {
            return Err(LogError::Gap { log, expected: held + 1, found: first.seq });
        }
        let mut records = Vec::with_capacity(self.transactions.len());
        let mut seq = held;
        let mut out_of_order = None;
        for transaction in self.transactions {
            seq += 1;
            if transaction.seq != seq || transaction.log != named {
                return Err(LogError::Gap { log, expected: seq, found: transaction.seq });
            }
            transaction.check_form()?;
            if transaction.lamport <= lamport {
                let breach = crate::transaction::Breach::Lamport { found: transaction.lamport };
                out_of_order.get_or_insert(TransactionError { log, seq, breach });
            }
            lamport = transaction.lamport;
            head = next_head(&head, &transaction.hash(secret));
            records.push(LogRecord { head, signature: None, transaction });
        }
        verify_head(&identity.replica, &named, seq, &head, &self.signature).map_err(|error| {
            // With a known beginning, a signature that fails over our chain may be good over another.
            if held > floor { LogError::Fork { log, base: held } } else { error }
        })?;
        // A number that does not fit breaks a rule only in the chain that its author signed: a run of
        // another branch is no breach.
        if let Some(error) = out_of_order {
            return Err(error.into());
        }
        if let Some(last) = records.last_mut() {
            last.signature = Some(self.signature);
        }
        Ok(Checked {
            log,
            tip: Tip { identity, len: seq, head, lamport, floor },
            records,
            signature: self.signature,
        })
    }
}
