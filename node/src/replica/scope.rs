//! What is kept in memory of one scope: the ends of its logs. Documents stay in the store.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use wangge_model::checkpoint::{Checkpoint, Cursor};
use wangge_model::clock::{Clock, Ends, Extent, Extents, head_tag};
use wangge_model::identity::{DocId, LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{LogRecord, Tip};
use wangge_model::materialise::Applied;
use wangge_model::session::Completeness;
use wangge_model::transaction::ScopeSecret;
use wangge_model::tree;
use wangge_model::verdict::VoidReason;
use wangge_store::{Batch, StoreError};

use super::keys;
use super::salvage::{Reader, beginning, foretold_by, kept_checkpoint, kept_start, page_ends, paged_by};
use super::vault::{Vault, decode_record};
use super::verdicts::Decisions;

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

/// How far documents go that came in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paged {
    /// The last position of the log.
    pub(super) len: u64,
    /// The first bytes of the head there.
    pub(super) head: [u8; 4],
    /// The Lamport number there.
    pub(super) lamport: u64,
}

/// One scope in memory.
#[derive(Debug)]
pub(super) struct ScopeState {
    pub(super) secret: ScopeSecret,
    /// Ends of the logs, those being written included.
    pub(super) tips: BTreeMap<LogId, Tip>,
    /// What is on the disk.
    pub(super) durable: Extents,
    pub(super) applied: Applied,
    pub(super) reported: Extents,
    /// The ends of the logs of the checkpoint that it began from.
    pub(super) floors: Extents,
    pub(super) completeness: Completeness,
    pub(super) arriving: Option<Checkpoint>,
    /// See [`ScopeState::paged`].
    pub(super) paged: BTreeMap<LogId, Paged>,
    /// Up to where the documents of the checkpoint go that it begins from, if that is known.
    pub(super) page_ends: Option<BTreeMap<LogId, u64>>,
    /// What the checkpoint says was decided of logs, by the names that their transactions bear, as far as it may still
    /// have to be taken: see [`super::Replica::take_foretold`].
    pub(super) foretold: Vec<(LogId, Extent)>,
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
pub(super) fn ends_of(checkpoint: &Checkpoint) -> Extents {
    Extents(checkpoint.logs.iter().map(|entry| (entry.log, extent_of(&entry.tip))).collect())
}

impl ScopeState {
    /// Takes up what was decided, if anything was.
    pub(super) fn decide(&mut self, decisions: Option<Decisions>) {
        let Some(Decisions { decided, voids, backed }) = decisions else { return };
        self.decided = decided;
        self.voids = voids;
        self.backed = backed;
    }

    /// What documents that came in pages stand for, where the logs are behind them yet: whoever works meanwhile has it
    /// before him.
    pub(super) fn paged(&self) -> impl Iterator<Item = (&LogId, &Paged)> {
        let any_came = self.completeness != Completeness::Partial(None);
        let branches = self.tips.values().filter_map(|tip| tip.identity.branch.as_ref());
        let forked: BTreeSet<LogId> = branches.map(|branch| branch.of).collect();
        let paged = self.paged.iter().filter(move |_| any_came);
        paged.filter(move |(log, paged)| paged.len > self.applied.len_of(log) && !forked.contains(log))
    }

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
        let durable = Extents(tips.iter().map(|(log, tip)| (*log, extent_of(tip))).collect());
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
        let start = kept_start(store, scope);
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
            paged: start.as_ref().map(paged_by).unwrap_or_default(),
            page_ends: start.as_ref().map(|start| page_ends(scope, start)),
            foretold: start.as_ref().map(|start| foretold_by(scope, start)).unwrap_or_default(),
            voids,
            decided,
            backed: backed.unwrap_or_default(),
            aside,
            lacking,
            unread: reader.unread,
        })
    }

    /// What is on the disk, as others are told it.
    pub(super) fn clock(&self, store: &Vault, scope: &Scope) -> Clock {
        let held = HeldScope { store, scope, tips: &self.tips };
        let extents = self.durable.0.iter().map(|(log, extent)| (*log, Ends::from(*extent)));
        let mut clock = Clock(extents.collect());
        for branch in self.tips.iter().filter(|(_, tip)| tip.identity.branch.is_some()).map(|(log, _)| log) {
            clock.0.remove(branch);
            let log = tree::root(&held, branch);
            clock.set(log, self.ends(&held, &log));
        }
        clock
    }

    /// Where the branches of one log end that are on the disk.
    pub(super) fn ends(&self, held: &HeldScope<'_>, log: &LogId) -> Ends {
        if held.branches(log).is_empty() {
            return self.durable.0.get(log).copied().map(Ends::from).unwrap_or_default();
        }
        tree::ends(held, log, |piece| self.durable.len_of(piece))
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
    /// The first bytes of the head at a position, zeros if it is not known.
    pub(super) fn tag(&self, log: &LogId, seq: u64) -> [u8; 4] {
        tree::at(self, log, seq).map_or([0; 4], |point| head_tag(&point.head))
    }
}

impl Held for HeldScope<'_> {
    fn tip(&self, log: &LogId) -> Option<Tip> {
        self.tips.get(log).cloned()
    }

    fn record(&self, log: &LogId, seq: u64) -> Option<LogRecord> {
        // A branch shares what lies before it with what it left.
        let log = tree::owner(self, log, seq);
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

    fn forked(&self) -> BTreeSet<LogId> {
        let forked = self.tips.iter().filter(|(_, tip)| tip.identity.branch.is_some());
        forked.map(|(branch, _)| tree::root(self, branch)).collect()
    }

    fn leaves(&self, log: &LogId) -> Option<(LogId, u64)> {
        self.tips.get(log)?.identity.branch.as_ref().map(|branch| (branch.of, branch.base))
    }
}

/// The ends of the logs of a checkpoint, for the model's functions.
struct HeldCheckpoint<'a>(&'a Checkpoint);

impl Held for HeldCheckpoint<'_> {
    fn tip(&self, log: &LogId) -> Option<Tip> {
        self.0.logs.iter().find(|entry| entry.log == *log).map(|entry| entry.tip.clone())
    }

    fn record(&self, _: &LogId, _: u64) -> Option<LogRecord> {
        None
    }

    fn branches(&self, log: &LogId) -> Vec<LogId> {
        let leaves = |tip: &Tip| tip.identity.branch.as_ref().is_some_and(|branch| branch.of == *log);
        self.0.logs.iter().filter(|entry| leaves(&entry.tip)).map(|entry| entry.log).collect()
    }

    fn forked(&self) -> BTreeSet<LogId> {
        let forked = self.0.logs.iter().filter(|entry| entry.tip.identity.branch.is_some());
        forked.map(|entry| tree::root(self, &entry.log)).collect()
    }
}

/// What a checkpoint stands for, as others are told it.
pub(super) fn clock_of(checkpoint: &Checkpoint) -> Clock {
    let held = HeldCheckpoint(checkpoint);
    let lens: BTreeMap<LogId, u64> = checkpoint.logs.iter().map(|entry| (entry.log, entry.tip.len)).collect();
    let mut clock = Clock::default();
    for entry in checkpoint.logs.iter().filter(|entry| entry.tip.identity.branch.is_none()) {
        clock.set(entry.log, tree::ends(&held, &entry.log, |piece| lens.get(piece).copied().unwrap_or(0)));
    }
    clock
}
