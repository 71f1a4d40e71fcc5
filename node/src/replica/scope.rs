//! What is kept in memory of one scope: the ends of its logs. Documents stay in the store.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use wangge_model::checkpoint::{Checkpoint, Cursor};
use wangge_model::clock::{Clock, Extent, head_tag};
use wangge_model::identity::{DocId, Hash, LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{LogRecord, Tip};
use wangge_model::materialise::Applied;
use wangge_model::session::Completeness;
use wangge_model::transaction::ScopeSecret;
use wangge_model::verdict::VoidReason;
use wangge_store::{Batch, StoreError};

use super::keys;
use super::salvage::{Reader, beginning, kept_checkpoint};
use super::vault::{Vault, decode_record};

/// How the first pages of a scope are coming along.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Arrival {
    /// Nothing has come yet.
    Nothing,
    /// Pages up to the cursor, of this checkpoint.
    Pages(Checkpoint, Option<Cursor>),
    /// Everything.
    Whole,
}

/// One scope in memory.
#[derive(Debug)]
pub(super) struct ScopeState {
    pub(super) secret: ScopeSecret,
    /// Ends of the logs, those being written included.
    pub(super) tips: BTreeMap<LogId, Tip>,
    /// What is on the disk.
    pub(super) durable: Clock,
    pub(super) applied: Applied,
    pub(super) reported: Clock,
    /// The ends of the logs of the checkpoint that it began from.
    pub(super) floors: Clock,
    pub(super) completeness: Completeness,
    pub(super) arriving: Option<Checkpoint>,
    pub(super) voids: BTreeMap<(LogId, u64), VoidReason>,
    /// How far the relay has decided, and when it observed what it decided last.
    pub(super) decided: BTreeMap<LogId, u64>,
    /// What of it is in a backup of the centre.
    pub(super) backed: BTreeMap<LogId, u64>,
    /// Logs of which transactions were put aside until a peer delivers what precedes them.
    pub(super) aside: BTreeSet<LogId>,
    /// Documents that did not open and are made anew once the transactions that made them are back.
    pub(super) lacking: BTreeSet<DocId>,
    /// Keys of records that did not open.
    pub(super) unread: Vec<Vec<u8>>,
}

pub(super) fn extent_of(tip: &Tip) -> Extent {
    Extent { len: tip.len, head: head_tag(&tip.head) }
}

/// The ends of the logs of a checkpoint.
pub(super) fn ends_of(checkpoint: &Checkpoint) -> Clock {
    Clock(checkpoint.logs.iter().map(|entry| (entry.log, extent_of(&entry.tip))).collect())
}

impl ScopeState {
    /// Reads what is stored of a scope. What does not open is made of other records or left out, and its key
    /// noted in [`ScopeState::unread`].
    pub(super) fn load(store: &Vault, scope: &Scope, secret: ScopeSecret) -> Result<Self, StoreError> {
        let mut reader = Reader::new(store);
        let mut tips = BTreeMap::new();
        let prefix = keys::tips(scope);
        for key in store.scan_keys(&prefix) {
            let key = key?;
            let Some(log) = LogId::from_slice(&key[prefix.len()..]) else { continue };
            let tip = match reader.read(&key)? {
                Some(tip) => Some(tip),
                None => reader.end_of_records(scope, &log)?,
            };
            if let Some(tip) = tip {
                tips.insert(log, tip);
            }
        }
        let durable = Clock(tips.iter().map(|(log, tip)| (*log, extent_of(tip))).collect());
        let applied = reader.read(&keys::applied(scope))?;
        let reported = reader.read(&keys::reported(scope))?;
        let floors = match reader.read(&keys::floors(scope))? {
            Some(floors) => floors,
            // Another record says the same, unless an erasure took it.
            None => kept_checkpoint(store, scope).map(|kept| ends_of(&kept)).unwrap_or_default(),
        };
        let arrival = reader.read(&keys::completeness(scope))?;
        let mut arrival = match arrival {
            None if reader.missed(&keys::completeness(scope)) => {
                reader.arrival(scope, &tips.values().collect::<Vec<_>>())
            }
            other => other.unwrap_or(Arrival::Nothing),
        };
        let applied = match applied {
            None if reader.missed(&keys::applied(scope)) => {
                beginning(store, scope, tips.iter()).unwrap_or_else(|| {
                    // Pages say it again.
                    arrival = Arrival::Nothing;
                    Applied::default()
                })
            }
            other => other.unwrap_or_default(),
        };
        let (completeness, arriving) = match arrival {
            Arrival::Nothing => (Completeness::Partial(None), None),
            Arrival::Pages(checkpoint, cursor) => (Completeness::Partial(cursor), Some(checkpoint)),
            Arrival::Whole => (Completeness::Whole, None),
        };
        let mut voids = BTreeMap::new();
        let prefix = keys::voids(scope);
        for key in store.scan_keys(&prefix) {
            let key = key?;
            let Some((log, seq)) = position(&key[prefix.len()..]) else { continue };
            if let Some(reason) = reader.read(&key)? {
                voids.insert((log, seq), reason);
            }
        }
        let mut aside = BTreeSet::new();
        let prefix = keys::all_asides(scope);
        for key in store.scan_keys(&prefix) {
            aside.extend(position(&key?[prefix.len()..]).map(|(log, _)| log));
        }
        let mut lacking = BTreeSet::new();
        let prefix = keys::all_lacking(scope);
        for key in store.scan_keys(&prefix) {
            lacking.extend(DocId::from_slice(&key?[prefix.len()..]));
        }
        let backed = reader.read(&keys::backed(scope))?;
        let mut decided = BTreeMap::new();
        let prefix = keys::decisions(scope);
        for key in store.scan_keys(&prefix) {
            let key = key?;
            let Some(log) = LogId::from_slice(&key[prefix.len()..]) else { continue };
            if let Some(upto) = reader.read(&key)? {
                decided.insert(log, upto);
            }
        }
        Ok(Self {
            secret,
            tips,
            durable,
            applied,
            reported: reported.unwrap_or_default(),
            floors,
            completeness,
            arriving,
            voids,
            decided,
            backed: backed.unwrap_or_default(),
            aside,
            lacking,
            unread: reader.unread,
        })
    }

    /// How far the pages have come, as it is stored.
    pub(super) fn arrival(&self) -> Arrival {
        match (self.completeness, &self.arriving) {
            (Completeness::Whole, _) => Arrival::Whole,
            (Completeness::Partial(cursor), Some(checkpoint)) => Arrival::Pages(checkpoint.clone(), cursor),
            (Completeness::Partial(_), None) => Arrival::Nothing,
        }
    }
}

/// Cuts logs whose writes failed in the middle back to their last signed position: what a failed write
/// left out was never acknowledged, and its author sends it again.
pub(super) fn mend(store: &Vault, scope: &Scope, tips: &BTreeMap<LogId, Tip>) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for (log, tip) in tips {
        let base = tip.identity.branch.as_ref().map_or(0, |branch| branch.base).max(tip.floor);
        let (mut whole, mut last) = (base, None);
        let prefix = keys::records(scope, log);
        for key in store.scan_keys(&prefix) {
            let key = key?;
            let seq = key[prefix.len()..].try_into().map_or(0, u64::from_be_bytes);
            if seq == whole + 1 {
                whole = seq;
                let value = match store.get(&key) {
                    // It was written: what befell it since, an examination finds.
                    Err(StoreError::Damaged { .. }) => continue,
                    value => value?.unwrap_or_default(),
                };
                if let Some(record) = decode_record(&value)
                    && record.signature.is_some()
                {
                    last = Some(record);
                }
            } else if seq > whole {
                batch.delete(key);
            }
        }
        if whole == tip.len {
            continue;
        }
        tracing::warn!(%scope, %log, from = tip.len, to = whole, "a log is cut back to what a failed write left whole");
        match last {
            Some(record) => {
                let (len, lamport) = (record.transaction.seq, record.transaction.lamport);
                for seq in len + 1..=whole {
                    batch.delete(keys::record(scope, log, seq));
                }
                let tip =
                    Tip { identity: tip.identity.clone(), len, head: record.head, lamport, floor: tip.floor };
                batch.put(keys::tip(scope, log), super::encode(&tip));
            }
            None if base == 0 => batch.delete(keys::tip(scope, log)),
            None => {}
        }
    }
    Ok(batch)
}

pub(super) fn position(bytes: &[u8]) -> Option<(LogId, u64)> {
    let seq: [u8; 8] = bytes.get(8..16)?.try_into().ok()?;
    Some((LogId::from_slice(bytes.get(..8)?)?, u64::from_be_bytes(seq)))
}

/// What is held of a scope's logs, for the model's functions.
pub(super) struct HeldScope<'a> {
    pub(super) store: &'a Vault,
    pub(super) scope: &'a Scope,
    pub(super) tips: &'a BTreeMap<LogId, Tip>,
}

impl HeldScope<'_> {
    /// The chain's value at a position, if it is held.
    pub(super) fn head(&self, log: &LogId, seq: u64) -> Option<Hash> {
        match self.tips.get(log) {
            Some(tip) if tip.len == seq => Some(tip.head),
            _ => self.record(log, seq).map(|record| record.head),
        }
    }
}

impl Held for HeldScope<'_> {
    fn tip(&self, log: &LogId) -> Option<Tip> {
        self.tips.get(log).cloned()
    }

    fn record(&self, log: &LogId, seq: u64) -> Option<LogRecord> {
        // A branch shares what lies before it with the log it left.
        let mut log = *log;
        while let Some(branch) = self.tips.get(&log).and_then(|tip| tip.identity.branch.as_ref()) {
            if seq > branch.base {
                break;
            }
            log = branch.of;
        }
        let bytes = match self.store.get(&keys::record(self.scope, &log, seq)) {
            Ok(bytes) => bytes?,
            Err(error) => {
                tracing::error!(scope = %self.scope, %log, seq, %error, "a stored transaction cannot be read");
                return None;
            }
        };
        let record = decode_record(&bytes);
        if record.is_none() {
            tracing::error!(scope = %self.scope, %log, seq, "a stored transaction is damaged");
        }
        record
    }

    fn branches(&self, log: &LogId) -> Vec<LogId> {
        let leaves = |tip: &Tip| tip.identity.branch.as_ref().is_some_and(|branch| branch.of == *log);
        self.tips.iter().filter(|(_, tip)| leaves(tip)).map(|(id, _)| *id).collect()
    }
}
