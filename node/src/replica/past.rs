//! What befell this replica's disk: put back to an earlier state, copied, its own work taken back from peers. It is
//! noticed by a mark beside the data directory, which a restored directory does not bring along, and by what
//! peers hold; and it is kept for the screen to tell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use wangge_model::identity::{Epoch, LogId, ReplicaId, Scope};
use wangge_store::Batch;

use super::{Replica, ReplicaError, encode, keys, lock};

/// What is told at most: the newest.
const KEPT_MAX: usize = 16;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum What {
    /// The store was older at opening than it had been: a backup was put back.
    SetBack,
    /// Own work that was not here any more came back from a peer.
    TookBack,
    /// Two disks wrote as this replica: both branches are kept.
    Forked,
}

/// Something that befell this replica.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Happened {
    /// When it was noticed, milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// What.
    pub what: What,
    /// How many of its transactions are concerned, as far as is known.
    pub transactions: u64,
}

/// How far this replica's own logs had come, in a file beside its directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Mark {
    replica: ReplicaId,
    epoch: Epoch,
    logs: BTreeMap<String, u64>,
}

/// Where the mark of a data directory lies: beside it, so that whatever puts the directory back leaves it.
pub(super) fn mark_of(dir: &Path) -> Option<PathBuf> {
    let dir = dir.canonicalize().ok()?;
    let mut name = dir.file_name()?.to_owned();
    name.push(".mark");
    Some(dir.with_file_name(name))
}

impl Replica {
    /// What befell this replica, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn past(&self) -> Result<Vec<Happened>, ReplicaError> {
        let stored = self.store.get(keys::PAST).ok().flatten();
        Ok(stored.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or_default())
    }

    /// Notes what happened. The same once more within a day adds to it.
    pub(super) fn note_past(&self, what: What, transactions: u64) -> Result<(), ReplicaError> {
        const DAY_MS: u64 = 24 * 3_600 * 1_000;
        let mut past = self.past()?;
        let at_ms = self.now_ms();
        match past.last_mut().filter(|last| last.what == what && at_ms.abs_diff(last.at_ms) < DAY_MS) {
            Some(last) => last.transactions += transactions,
            None => past.push(Happened { at_ms, what, transactions }),
        }
        past.drain(..past.len().saturating_sub(KEPT_MAX));
        let mut batch = Batch::new();
        batch.put(keys::PAST, encode(&past));
        Ok(self.store.commit(batch)?)
    }

    fn own_extent(&self) -> BTreeMap<String, u64> {
        let state = lock(&self.state);
        let own = |scope: &Scope| self.own_log(scope);
        let lens = state.scopes.iter().map(|(scope, scoped)| (scope, scoped.durable.len_of(&own(scope))));
        lens.filter(|(_, len)| *len > 0).map(|(scope, len)| (scope.to_string(), len)).collect()
    }

    /// Writes the mark. One that is older or missing says less and harms nothing, so it is not waited for, and
    /// where it cannot be written there is none.
    pub(super) fn write_mark(&self) {
        let Some(path) = &self.mark else { return };
        let profile = self.profile();
        let mark = Mark { replica: profile.replica(), epoch: profile.epoch(), logs: self.own_extent() };
        if self.last_mark.lock().is_ok_and(|mut last| last.replace(encode(&mark)) == Some(encode(&mark))) {
            return;
        }
        let write = || {
            let beside = path.with_extension("mark-new");
            std::fs::write(&beside, serde_json::to_vec(&mark).unwrap_or_default())?;
            std::fs::rename(&beside, path)
        };
        if let Err(error) = write() {
            tracing::debug!(path = %path.display(), %error, "no mark beside the data directory");
        }
    }

    /// Compares the store with the mark: if it is older, positions after its end may have been seen by others,
    /// so a new epoch begins.
    pub(super) fn check_mark(&self) -> Result<(), ReplicaError> {
        let Some(mark) = self.mark.as_ref().and_then(|path| std::fs::read(path).ok()) else { return Ok(()) };
        let Ok(mark) = serde_json::from_slice::<Mark>(&mark) else { return Ok(()) };
        let profile = self.profile();
        if mark.replica != profile.replica() {
            return Ok(());
        }
        let known = mark.epoch == profile.epoch() || profile.earlier.contains(&mark.epoch);
        let mut missing = 0;
        {
            let state = lock(&self.state);
            for (scope, scoped) in &state.scopes {
                let len = mark.logs.get(&scope.to_string()).copied().unwrap_or(0);
                let log = LogId::derive(scope, &profile.replica(), mark.epoch);
                missing += len.saturating_sub(scoped.durable.len_of(&log));
            }
        }
        if known && missing == 0 {
            return Ok(());
        }
        tracing::warn!(missing, "the store is older than it was: a new epoch begins");
        self.open_epoch()?;
        self.note_past(What::SetBack, missing)
    }

    /// Removes the mark: nothing is left of what it speaks of.
    pub(super) fn remove_mark(&self) {
        if let Some(path) = &self.mark {
            // Where there is none there is nothing to do.
            let _ = std::fs::remove_file(path);
        }
    }
}
