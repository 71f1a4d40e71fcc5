//! Opening a replica some of whose records do not open: what follows from other records is made anew, what
//! peers have is left out and comes again, and all of it is told.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use wangge_model::checkpoint::{Checkpoint, CheckpointLog};
use wangge_model::clock::{Extent, Extents, head_tag};
use wangge_model::identity::{LogId, Scope};
use wangge_model::log::{Branch, EMPTY_HEAD, LogIdentity, LogRecord, Tip};
use wangge_model::materialise::{Applied, AppliedLog};
use wangge_model::session::Completeness;
use wangge_model::transaction::{ScopeSecret, actor};
use wangge_model::wire::{CheckpointStart, PageDocument, WireError, decode_page};
use wangge_store::{Batch, StoreError};

use super::doctor::{Finding, Outcome, Trouble};
use super::scope::{Arrival, Paged, ScopeState, extent_of};
use super::vault::{Vault, decode_record};
use super::{Replica, ReplicaError, encode, keys, lock};

/// Reads records and notes those that do not open.
pub(super) struct Reader<'a> {
    pub(super) store: &'a Vault,
    pub(super) unread: Vec<Vec<u8>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a Vault) -> Self {
        Self { store, unread: Vec::new() }
    }

    /// A record; none if there is none or it does not open.
    ///
    /// # Errors
    /// [`StoreError`] if the store itself cannot be read.
    pub(super) fn read<T: DeserializeOwned>(&mut self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let found = match self.store.get(key) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => postcard::from_bytes(&bytes).ok(),
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if found.is_none() {
            self.unread.push(key.to_vec());
        }
        Ok(found)
    }

    /// Whether a record that was asked for does not open.
    pub(super) fn missed(&self, key: &[u8]) -> bool {
        self.unread.iter().any(|unread| unread == key)
    }

    /// The end of a log as its transactions say: the last one that its author signed. `None` if nobody can say
    /// whose log it is.
    pub(super) fn end_of_records(&self, scope: &Scope, log: &LogId) -> Result<Option<Tip>, StoreError> {
        let prefix = keys::records(scope, log);
        let mut first: Option<u64> = None;
        let (mut next, mut last, mut opening) = (0, None, None);
        for key in self.store.scan_keys(&prefix) {
            let key = key?;
            let seq = key[prefix.len()..].try_into().map_or(0, u64::from_be_bytes);
            if first.is_some() && seq != next {
                break;
            }
            let Some(record) = self.record(&key) else { break };
            first.get_or_insert(seq);
            next = seq + 1;
            if let Some(begun) = &record.transaction.opening {
                opening = Some((begun.replica, begun.epoch));
            }
            if record.signature.is_some() {
                last = Some(record);
            }
        }
        let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
        let named = last.transaction.log;
        let kept = began(self.store, scope, log, first - 1);
        if opening.is_none() {
            // A branch shares its beginning with the log that it left.
            let began = self.record(&keys::record(scope, &named, 1));
            opening = began.and_then(|record| record.transaction.opening).map(|b| (b.replica, b.epoch));
        }
        let identity = match (kept, opening) {
            (Some(entry), _) => entry.tip.identity.clone(),
            (None, Some((replica, epoch))) => {
                let branch = (named != *log).then(|| self.branch(scope, named, first - 1));
                LogIdentity { replica, epoch, branch }
            }
            (None, None) => return Ok(None),
        };
        let base = identity.branch.as_ref().map_or(0, |branch| branch.base);
        let floor = if first - 1 > base { first - 1 } else { 0 };
        let (len, lamport) = (last.transaction.seq, last.transaction.lamport);
        Ok(Some(Tip { identity, len, head: last.head, lamport, floor }))
    }

    /// The branch that leaves a log after `base`, from what is held of that log.
    fn branch(&self, scope: &Scope, of: LogId, base: u64) -> Branch {
        let at = |seq: u64| self.record(&keys::record(scope, &of, seq));
        let nonce = (1..=base).rev().find_map(|seq| at(seq)?.transaction.actor_nonce);
        let end = at(base);
        Branch {
            of,
            base,
            head: end.as_ref().map_or(EMPTY_HEAD, |record| record.head),
            lamport: end.map_or(0, |record| record.transaction.lamport),
            actor: nonce.map_or([0; 16], |nonce| actor(&of, nonce)),
        }
    }

    fn record(&self, key: &[u8]) -> Option<LogRecord> {
        decode_record(&self.store.get(key).ok()??)
    }

    /// How far a scope's pages had come, if nothing says so: whole once the last one is here, or if it came
    /// without pages.
    pub(super) fn arrival(&self, scope: &Scope, tips: &[&Tip]) -> Arrival {
        let last = self.store.get(&keys::kept_page(scope, None)).is_ok_and(|page| page.is_some());
        let in_logs = !tips.is_empty() && tips.iter().all(|tip| tip.floor == 0);
        if last || in_logs { Arrival::Whole } else { Arrival::Nothing }
    }
}

/// The signed start of the checkpoint that a scope began from.
pub(super) fn kept_checkpoint(store: &Vault, scope: &Scope) -> Option<Checkpoint> {
    postcard::from_bytes(&kept_start(store, scope)?.bytes).ok()
}

/// The same as it was signed.
pub(super) fn kept_start(store: &Vault, scope: &Scope) -> Option<CheckpointStart> {
    postcard::from_bytes(&store.get(&keys::kept_start(scope)).ok()??).ok()
}

/// What the documents of a checkpoint stand for. Without logs that forked: a page does not say which branch it means.
pub(super) fn paged_by(start: &CheckpointStart) -> BTreeMap<LogId, Paged> {
    let Ok(checkpoint) = postcard::from_bytes::<Checkpoint>(&start.bytes) else { return BTreeMap::new() };
    let (_, following) = Checkpoint::beside(&start.bytes);
    let branches = checkpoint.logs.iter().filter_map(|entry| entry.tip.identity.branch.as_ref());
    let forked: BTreeSet<LogId> = branches.map(|branch| branch.of).collect();
    let logs = checkpoint.logs.iter().filter(|entry| entry.tip.identity.branch.is_none()).map(|entry| {
        let Tip { len, head, lamport, .. } = &entry.tip;
        (entry.log, Paged { len: *len, head: head_tag(head), lamport: *lamport })
    });
    let following = following.iter().filter(|of_log| of_log.log == of_log.named);
    let following = following
        .map(|of_log| (of_log.log, Paged { len: of_log.len, head: of_log.head, lamport: of_log.lamport }));
    logs.chain(following).filter(|(log, _)| !forked.contains(log)).collect()
}

/// Up to where a checkpoint says that logs were decided, by the names that their transactions bear.
pub(super) fn foretold_by(scope: &Scope, start: &CheckpointStart) -> Vec<(LogId, Extent)> {
    let Ok(checkpoint) = postcard::from_bytes::<Checkpoint>(&start.bytes) else { return Vec::new() };
    let (_, following) = Checkpoint::beside(&start.bytes);
    let logs = checkpoint.logs.iter().map(|entry| {
        let LogIdentity { replica, epoch, .. } = &entry.tip.identity;
        (LogId::derive(scope, replica, *epoch), extent_of(&entry.tip))
    });
    let following = following
        .iter()
        .map(|of_log| (of_log.named, Extent { len: of_log.decided, head: of_log.decided_head }));
    logs.chain(following).filter(|(_, decided)| decided.len > 0).collect()
}

/// Up to where the documents of a checkpoint go, by the names that the logs' transactions bear: of a log that forked, up
/// to where the longest branch does.
pub(super) fn page_ends(scope: &Scope, start: &CheckpointStart) -> BTreeMap<LogId, u64> {
    let mut ends: BTreeMap<LogId, u64> = BTreeMap::new();
    let Ok(checkpoint) = postcard::from_bytes::<Checkpoint>(&start.bytes) else { return ends };
    let (_, following) = Checkpoint::beside(&start.bytes);
    let logs = checkpoint.logs.iter().map(|entry| {
        let LogIdentity { replica, epoch, .. } = &entry.tip.identity;
        (LogId::derive(scope, replica, *epoch), entry.tip.len)
    });
    for (log, len) in logs.chain(following.iter().map(|of_log| (of_log.named, of_log.len))) {
        let end = ends.entry(log).or_default();
        *end = len.max(*end);
    }
    ends
}

/// The documents of a page as they were when its checkpoint began, which goes up to `ends`: pages are made one after the
/// other, and what others wrote meanwhile follows with their transactions. Before those nobody could say that he had
/// seen it. A log that the checkpoint does not name stays: it can be one that is damaged at the centre. All that the page
/// holds if `ends` is not known any more.
pub(super) fn page_documents(
    packed: &[u8],
    secret: &ScopeSecret,
    ends: Option<&BTreeMap<LogId, u64>>,
) -> Result<Vec<PageDocument>, WireError> {
    let mut pages = decode_page(packed, secret)?;
    if let Some(ends) = ends {
        for page in &mut pages {
            page.retain(|origin| ends.get(&origin.log).is_none_or(|len| origin.seq <= *len));
        }
        pages.retain(|page| !page.changes.is_empty());
    }
    Ok(pages)
}

/// Where a log began that came in pages up to `floor`. It is noted apart from the checkpoint, which is given up with
/// the pages when something in them is erased.
pub(super) fn began(store: &Vault, scope: &Scope, log: &LogId, floor: u64) -> Option<CheckpointLog> {
    let is_meant = |entry: &CheckpointLog| entry.log == *log && entry.tip.len == floor;
    let noted = store.get(&keys::began(scope, log)).ok().flatten();
    let noted = noted.and_then(|bytes| postcard::from_bytes(&bytes).ok()).filter(is_meant);
    noted.or_else(|| kept_checkpoint(store, scope)?.logs.into_iter().find(is_meant))
}

/// Where a scope's documents began: nowhere, or with the checkpoint that came in pages. All that came after has
/// to take effect again, which changes nothing that is there. `None` if the checkpoint is not kept.
pub(super) fn beginning<'a>(
    store: &Vault,
    scope: &Scope,
    tips: impl Iterator<Item = (&'a LogId, &'a Tip)>,
) -> Option<Applied> {
    let mut applied = Applied::default();
    for (log, tip) in tips.filter(|(_, tip)| tip.floor > 0) {
        let entry = began(store, scope, log, tip.floor)?;
        let state = AppliedLog {
            len: entry.tip.len,
            lamport: entry.tip.lamport,
            actor: entry.actor,
            ..Default::default()
        };
        applied.0.insert(*log, state);
    }
    Some(applied)
}

impl Replica {
    /// Writes anew what did not open and follows from other records, and notes what was found. Before anything
    /// else: a relay that has lost what it decided must not decide again.
    pub(super) fn salvage(&self) -> Result<(), ReplicaError> {
        let unread: Vec<(Scope, Vec<Vec<u8>>)> = lock(&self.state)
            .scopes
            .iter_mut()
            .filter(|(_, scoped)| !scoped.unread.is_empty())
            .map(|(scope, scoped)| (scope.clone(), std::mem::take(&mut scoped.unread)))
            .collect();
        for (scope, unread) in unread {
            let own = keys::tip(&scope, &self.own_log(&scope));
            let mut batch = Batch::new();
            let mut replay = false;
            for key in &unread {
                let state = lock(&self.state);
                let Some(scoped) = state.scopes.get(&scope) else { break };
                let (what, outcome) = restore_record(&scope, scoped, key, &mut batch);
                replay |= matches!(key.first(), Some(b'V' | b'X' | b'B'));
                let reason = format!("{} did not open", key.escape_ascii());
                let finding = Finding { scope: Some(scope.clone()), outcome, ..Finding::new(what, reason) };
                tracing::warn!(?finding, "damage at opening");
                lock(&self.salvaged).push(finding);
            }
            let whole =
                lock(&self.state).scopes.get(&scope).is_some_and(|s| s.completeness == Completeness::Whole);
            let anew = unread.contains(&own) || (!whole && unread.contains(&keys::applied(&scope)));
            if anew {
                // The end that was lost may have been later than what is left of it, or nothing says how far what it
                // had seen had taken effect: it cannot go on.
                batch.put(keys::reported(&scope), encode(&Extents::default()));
                if let Some(scoped) = lock(&self.state).scopes.get_mut(&scope) {
                    scoped.reported = Extents::default();
                }
            }
            self.store.commit(batch)?;
            if anew {
                self.open_epoch()?;
            }
            if replay {
                self.make_anew(&scope, &std::collections::BTreeSet::new(), true)?;
            }
        }
        Ok(())
    }

    /// What was damaged when this replica was opened and is mended since, or waits for a peer; told once.
    pub fn take_salvaged(&self) -> Vec<Finding> {
        std::mem::take(&mut lock(&self.salvaged))
    }
}

/// What takes the place of a record of a scope that does not open.
pub(super) fn restore_record(
    scope: &Scope,
    scoped: &ScopeState,
    key: &[u8],
    batch: &mut Batch,
) -> (Trouble, Outcome) {
    match key.first() {
        Some(b'T') => {
            let log = key.get(keys::tips(scope).len()..).and_then(LogId::from_slice);
            match log.and_then(|log| scoped.tips.get(&log)) {
                Some(tip) => {
                    batch.put(key, encode(tip));
                    (Trouble::LogEnd, Outcome::Repaired)
                }
                // Whoever has the log gives it again from its beginning.
                None => {
                    batch.delete(key);
                    (Trouble::LogEnd, Outcome::Asked)
                }
            }
        }
        Some(b'A') => {
            batch.put(key, encode(&scoped.applied));
            // Where nothing says how it began, the pages are asked for.
            batch.put(keys::completeness(scope), encode(&scoped.arrival()));
            let whole = matches!(scoped.arrival(), Arrival::Whole);
            (Trouble::Clock, if whole { Outcome::Repaired } else { Outcome::Asked })
        }
        Some(b'F') => {
            batch.put(key, encode(&scoped.floors));
            (Trouble::Clock, Outcome::Repaired)
        }
        Some(b'S') => {
            // It reports once more what it had reported.
            batch.put(key, encode(&scoped.reported));
            (Trouble::Clock, Outcome::Repaired)
        }
        Some(b'K') => {
            batch.put(key, encode(&scoped.arrival()));
            let whole = matches!(scoped.arrival(), Arrival::Whole);
            (Trouble::Record, if whole { Outcome::Repaired } else { Outcome::Asked })
        }
        // Made again by what follows.
        _ => {
            batch.delete(key);
            (Trouble::Record, Outcome::Repaired)
        }
    }
}
