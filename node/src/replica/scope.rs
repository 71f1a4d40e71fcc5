//! What is kept in memory of one scope: the ends of its logs. Documents stay in the store.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use wangge_model::checkpoint::{Checkpoint, Cursor};
use wangge_model::clock::{Clock, Extent, head_tag};
use wangge_model::identity::{LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{LogRecord, Tip};
use wangge_model::materialise::Applied;
use wangge_model::session::Completeness;
use wangge_model::transaction::ScopeSecret;
use wangge_model::verdict::VoidReason;
use wangge_store::{Batch, StoreError};

use super::vault::{Vault, decode_record};

use super::{ReplicaError, keys};

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
    pub(super) completeness: Completeness,
    pub(super) arriving: Option<Checkpoint>,
    pub(super) voids: BTreeMap<(LogId, u64), VoidReason>,
    /// How far the relay has decided, and when it observed what it decided last.
    pub(super) decided: BTreeMap<LogId, u64>,
    /// What of it is in a backup of the centre.
    pub(super) backed: BTreeMap<LogId, u64>,
}

pub(super) fn extent_of(tip: &Tip) -> Extent {
    Extent { len: tip.len, head: head_tag(&tip.head) }
}

impl ScopeState {
    pub(super) fn load(
        store: &Vault,
        dir: &Path,
        scope: &Scope,
        secret: ScopeSecret,
    ) -> Result<Self, ReplicaError> {
        let damaged =
            |what: &str| ReplicaError::Damaged { what: format!("{what} of {scope}"), dir: dir.to_owned() };
        let mut tips = BTreeMap::new();
        let prefix = keys::tips(scope);
        for entry in store.scan(&prefix) {
            let (key, value) = entry?;
            let log = LogId::from_slice(&key[prefix.len()..]).ok_or_else(|| damaged("the end of a log"))?;
            let tip: Tip = postcard::from_bytes(&value).map_err(|_| damaged("the end of a log"))?;
            tips.insert(log, tip);
        }
        let durable = Clock(tips.iter().map(|(log, tip)| (*log, extent_of(tip))).collect());
        let applied = read(store, &keys::applied(scope))?.map_err(|()| damaged("the applied positions"))?;
        let reported = read(store, &keys::reported(scope))?.map_err(|()| damaged("the reported clock"))?;
        let arrival: Option<Arrival> =
            read(store, &keys::completeness(scope))?.map_err(|()| damaged("the completeness"))?;
        let (completeness, arriving) = match arrival {
            None | Some(Arrival::Nothing) => (Completeness::Partial(None), None),
            Some(Arrival::Pages(checkpoint, cursor)) => (Completeness::Partial(cursor), Some(checkpoint)),
            Some(Arrival::Whole) => (Completeness::Whole, None),
        };
        let mut voids = BTreeMap::new();
        let prefix = keys::voids(scope);
        for entry in store.scan(&prefix) {
            let (key, value) = entry?;
            if let Some((log, seq)) = position(&key[prefix.len()..])
                && let Ok(reason) = postcard::from_bytes(&value)
            {
                voids.insert((log, seq), reason);
            }
        }
        let backed = read(store, &keys::backed(scope))?.map_err(|()| damaged("the extent of the backup"))?;
        let mut decided = BTreeMap::new();
        let prefix = keys::decisions(scope);
        for entry in store.scan(&prefix) {
            let (key, value) = entry?;
            if let Some(log) = LogId::from_slice(&key[prefix.len()..])
                && let Ok(upto) = postcard::from_bytes(&value)
            {
                decided.insert(log, upto);
            }
        }
        Ok(Self {
            secret,
            tips,
            durable,
            applied: applied.unwrap_or_default(),
            reported: reported.unwrap_or_default(),
            completeness,
            arriving,
            voids,
            decided,
            backed: backed.unwrap_or_default(),
        })
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
        for entry in store.scan(&prefix) {
            let (key, value) = entry?;
            let seq = key[prefix.len()..].try_into().map_or(0, u64::from_be_bytes);
            if seq == whole + 1 {
                whole = seq;
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

type Read<T> = Result<Result<Option<T>, ()>, StoreError>;

fn read<T: for<'de> Deserialize<'de>>(store: &Vault, key: &[u8]) -> Read<T> {
    Ok(match store.get(key)? {
        None => Ok(None),
        Some(bytes) => postcard::from_bytes(&bytes).map(Some).map_err(|_| ()),
    })
}

/// What is held of a scope's logs, for the model's functions.
pub(super) struct HeldScope<'a> {
    pub(super) store: &'a Vault,
    pub(super) scope: &'a Scope,
    pub(super) tips: &'a BTreeMap<LogId, Tip>,
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
