//! Sealed cells in the store: this replica's own until the centre has them, others' that it carries, and
//! at the centre those of all devices.

use serde::{Deserialize, Serialize};

use wangge_model::document::{DocumentView, Scalar};
use wangge_model::identity::{Hash, ReplicaId, Scope};
use wangge_model::schema::Kind;
use wangge_model::sealed::{
    self, CELL_LEN_BYTES, EMPTY, Message, NEIGHBOUR_CELLS, RUN_CELLS_MAX, Report, SealKey, SealedError,
    SealedKept, SealedRun, Series,
};
use wangge_store::{Batch, StoreError};

use super::audit::{AuditBreak, AuditReport};
use super::doctor::Outcome;
use super::{Replica, ReplicaError, encode, keys, lock};

/// Messages that wait at most for the centre's key: a device that never syncs must not fill its disk.
const UNSEALED_MAX: usize = 10_000;
/// Cells that one device may have at the centre unopened or elsewhere undelivered.
const CELLS_MAX: u64 = 100_000;
/// Series that one device may begin; each stands for a store that was rolled back.
const SERIES_MAX: usize = 64;
/// Runs that an area point carries at most for all devices together.
const CARRIED_MAX: usize = 4_096;
/// Runs that go to a peer at once.
const RUNS_AT_ONCE: usize = 8;

/// The end of a series.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealedEnd {
    /// How many cells.
    pub len: u64,
    /// The chain's value there.
    pub head: Hash,
    /// Its replica's signature over it, in two halves; none while it is this replica's own.
    pub signature: Option<([u8; 32], [u8; 32])>,
    /// At the centre, as [`Replica::sealed_series`] tells it: opened up to here. Elsewhere: at the centre up to
    /// here.
    pub done: u64,
    /// A neighbour has taken it up to here.
    pub given: u64,
}

/// Why sealed cells are not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedIntakeError {
    /// The peer sent what does not hold.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The peer sent too much.
    #[error("replica {replica} has {found} {what}; at most {max} are kept")]
    TooMany {
        /// Whose.
        replica: ReplicaId,
        /// What of.
        what: &'static str,
        /// How much.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// This side cannot.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

/// A cell as it is held: the cell, or only its hash once it has been opened, with the chain's value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Held {
    head: Hash,
    cell: Vec<u8>,
}

impl Held {
    /// What the chain took in; `None` if the record is damaged.
    fn hash(&self) -> Option<Hash> {
        match self.cell.len() {
            CELL_LEN_BYTES => Some(sealed::cell_hash(&self.cell)),
            _ => Hash::from_slice(&self.cell),
        }
    }
}

fn key_in(view: &DocumentView, centre: &ReplicaId) -> Option<SealKey> {
    let bytes = |name: &str| match view.value(name) {
        Some(Scalar::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    };
    let Some(Scalar::Int(number)) = view.value("number") else { return None };
    let key = SealKey { number: u32::try_from(*number).ok()?, key: bytes("key")?.try_into().ok()? };
    let signature: [u8; 64] = bytes("signature")?.try_into().ok()?;
    key.is_signed(centre, &signature).then_some(key)
}

impl Replica {
    /// The key to which reports and audit entries are sealed, if the roster has come.
    ///
    /// # Errors
    /// If a document is damaged.
    pub fn seal_key(&self) -> Result<Option<SealKey>, ReplicaError> {
        let centre = self.profile().centre();
        let mut newest: Option<SealKey> = None;
        self.each(&Scope::Street, Kind::SEAL_KEY, |view| {
            if let Some(key) = key_in(&view, &centre)
                && newest.is_none_or(|newest| newest.number < key.number)
            {
                newest = Some(key);
            }
            true
        })?;
        Ok(newest)
    }

    /// News of sealed cells to send or to open.
    pub fn sealed_news(&self) -> tokio::sync::watch::Receiver<u64> {
        self.sealed.subscribe()
    }

    /// Seals messages to the centre, durable when this returns. Without the centre's key they wait for it.
    ///
    /// # Errors
    /// If they cannot be stored.
    pub fn seal(&self, messages: &[Message]) -> Result<(), ReplicaError> {
        if let Some(too_long) = messages.iter().find_map(|message| sealed::parts(message).err()) {
            return Err(ReplicaError::Form(too_long.to_string()));
        }
        let key = self.seal_key()?;
        let _turn = lock(&self.sealing);
        let mut batch = Batch::new();
        let mut waiting = Vec::new();
        let mut next = 0;
        for entry in self.store.scan(keys::UNSEALED) {
            let (at, value) = entry?;
            next = at.get(1..9).and_then(|at| at.try_into().ok()).map_or(0, u64::from_be_bytes) + 1;
            if let Ok(message) = postcard::from_bytes::<Message>(&value) {
                waiting.push(message);
            }
            if key.is_some() {
                batch.delete(at);
            }
        }
        let Some(key) = key else {
            if waiting.len() + messages.len() > UNSEALED_MAX {
                return Err(ReplicaError::Form("too much waits for the centre's key: sync first".to_owned()));
            }
            for (at, message) in messages.iter().enumerate() {
                batch.put(keys::unsealed(next + at as u64), encode(message));
            }
            return Ok(self.store.commit(batch)?);
        };
        waiting.extend(messages.iter().cloned());
        let series = self.own_series(&mut batch)?;
        self.append_cells(&series, &key, &waiting, &mut batch)?;
        self.store.commit(batch)?;
        self.sealed.send_modify(|count| *count += 1);
        Ok(())
    }

    fn append_cells(
        &self,
        series: &Series,
        key: &SealKey,
        messages: &[Message],
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        let mut end = self.sealed_end(series)?.unwrap_or(SealedEnd {
            len: 0,
            head: EMPTY,
            signature: None,
            done: 0,
            given: 0,
        });
        for message in messages {
            let parts = sealed::parts(message).map_err(|e| ReplicaError::Form(e.to_string()))?;
            for part in parts {
                let cell = sealed::seal(&part, key, self.random()?);
                end.head = sealed::next_head(&end.head, &sealed::cell_hash(&cell));
                end.len += 1;
                batch.put(keys::cell(series, end.len), encode(&Held { head: end.head, cell }));
            }
        }
        batch.put(keys::sealed_end(series), encode(&end));
        Ok(())
    }

    fn own_series(&self, batch: &mut Batch) -> Result<Series, ReplicaError> {
        let replica = self.profile().replica();
        let held = self.store.get(keys::SEALING)?.and_then(|bytes| postcard::from_bytes::<u64>(&bytes).ok());
        let number = match held {
            Some(number) => number,
            None => {
                let number = u64::from_le_bytes(self.random()?);
                batch.put(keys::SEALING, encode(&number));
                number
            }
        };
        Ok(Series { replica, number })
    }

    /// Notes again in which series this replica seals, where the record of it does not open.
    pub(super) fn find_series(&self, batch: &mut Batch) -> Result<Outcome, ReplicaError> {
        let _turn = lock(&self.sealing);
        let own = [keys::SEALED_ENDS, &self.profile().replica().0].concat();
        let mut numbers = Vec::new();
        for key in self.store.scan_keys(&own) {
            let number = key?.get(33..41).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            numbers.extend(number);
        }
        match numbers.as_slice() {
            [number] => {
                batch.put(keys::SEALING, encode(number));
                Ok(Outcome::Repaired)
            }
            // The next cell begins another series.
            [] => {
                batch.delete(keys::SEALING);
                Ok(Outcome::Repaired)
            }
            _ => Ok(Outcome::Lost),
        }
    }

    /// Makes the end of this replica's own series anew from its cells: all that is left of them goes to the
    /// centre once more, which knows what it has.
    pub(super) fn end_series_anew(&self, key: &[u8], batch: &mut Batch) -> Result<Outcome, ReplicaError> {
        let _turn = lock(&self.sealing);
        let replica = key.get(1..33).and_then(ReplicaId::from_slice);
        let number = key.get(33..41).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let (Some(replica), Some(number)) = (replica, number) else { return Ok(Outcome::Lost) };
        if replica != self.profile().replica() || self.is_centre() {
            return Ok(Outcome::Lost);
        }
        let series = Series { replica, number };
        let prefix = keys::cells(&series);
        let (mut first, mut end) = (None, None);
        for key in self.store.scan_keys(&prefix) {
            let key = key?;
            let seq = key[prefix.len()..].try_into().map_or(0, u64::from_be_bytes);
            let Ok(Some(held)) = self.held_cell(&series, seq) else { return Ok(Outcome::Lost) };
            first.get_or_insert(seq);
            end = Some(SealedEnd { len: seq, head: held.head, signature: None, done: 0, given: 0 });
        }
        let Some(mut end) = end else { return Ok(Outcome::Lost) };
        end.done = first.unwrap_or(1) - 1;
        batch.put(key, encode(&end));
        Ok(Outcome::Repaired)
    }

    fn sealed_end(&self, series: &Series) -> Result<Option<SealedEnd>, ReplicaError> {
        let damaged = |_| self.damaged("the end of sealed cells");
        let bytes = self.store.get(&keys::sealed_end(series))?;
        bytes.map(|bytes| postcard::from_bytes(&bytes).map_err(damaged)).transpose()
    }

    fn held_cell(&self, series: &Series, seq: u64) -> Result<Option<Held>, ReplicaError> {
        let bytes = self.store.get(&keys::cell(series, seq))?;
        bytes.map(|b| postcard::from_bytes(&b).map_err(|_| self.damaged("a sealed cell"))).transpose()
    }

    /// Drops a report that only the centre can read. At the centre itself it waits like any other.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn report_sealed(&self, report: Report) -> Result<(), ReplicaError> {
        self.seal(&[Message::Report(report)])
    }

    // ---- out

    /// Sealed cells for `peer`: to the centre all that it lacks, this replica's and what it carries; to a
    /// neighbour this replica's own, always equally many.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn sealed_for(&self, peer: &ReplicaId) -> Result<Vec<SealedRun>, ReplicaError> {
        if self.is_centre() {
            return Ok(Vec::new());
        }
        // What was recorded before the centre's key was known.
        if self.store.scan(keys::UNSEALED).next().is_some() {
            self.seal(&[])?;
        }
        if *peer != self.profile().centre() {
            return self.sealed_for_neighbour();
        }
        let _turn = lock(&self.sealing);
        let mut batch = Batch::new();
        let series = self.own_series(&mut batch)?;
        let mut runs = Vec::new();
        if let Some(end) = self.sealed_end(&series)? {
            let mut from = end.done + 1;
            while from <= end.len && runs.len() < RUNS_AT_ONCE {
                let upto = end.len.min(from + RUN_CELLS_MAX as u64 - 1);
                let Some(run) = self.own_run(&series, from, upto)? else { break };
                runs.push(run);
                from = upto + 1;
            }
        }
        for entry in self.store.scan(keys::CARRIED) {
            if runs.len() >= RUNS_AT_ONCE {
                break;
            }
            let (_, value) = entry?;
            if let Ok(run) = postcard::from_bytes(&value) {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    fn sealed_for_neighbour(&self) -> Result<Vec<SealedRun>, ReplicaError> {
        let Some(key) = self.seal_key()? else { return Ok(Vec::new()) };
        let _turn = lock(&self.sealing);
        let mut batch = Batch::new();
        let series = self.own_series(&mut batch)?;
        let end = self.sealed_end(&series)?;
        let (len, from) = end.map_or((0, 1), |end| (end.len, end.done.max(end.given) + 1));
        let lacking = NEIGHBOUR_CELLS as u64 - (len + 1 - from).min(NEIGHBOUR_CELLS as u64);
        if lacking > 0 {
            let cover = vec![Message::Cover; lacking as usize];
            self.append_cells(&series, &key, &cover, &mut batch)?;
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        let run = self.own_run(&series, from, from + NEIGHBOUR_CELLS as u64 - 1)?;
        Ok(run.into_iter().collect())
    }

    fn own_run(&self, series: &Series, from: u64, upto: u64) -> Result<Option<SealedRun>, ReplicaError> {
        let before = match from {
            1 => EMPTY,
            _ => match self.held_cell(series, from - 1)? {
                Some(held) => held.head,
                None => return Ok(None),
            },
        };
        let (mut cells, mut head) = (Vec::new(), before);
        for seq in from..=upto {
            let Some(held) = self.held_cell(series, seq)? else { return Ok(None) };
            cells.extend_from_slice(&held.cell);
            head = held.head;
        }
        let signature = sealed::sign_chain(&self.signing_key(), series.number, upto, &head);
        Ok(Some(SealedRun { series: *series, from, before, cells, signature: halves(&signature) }))
    }

    /// Notes what `peer` holds of a series: what the centre has need not be kept here.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn sealed_kept(&self, peer: &ReplicaId, kept: &SealedKept) -> Result<(), ReplicaError> {
        let at_centre = *peer == self.profile().centre();
        let _turn = lock(&self.sealing);
        let mut batch = Batch::new();
        let series = kept.series;
        if series.replica != self.profile().replica() {
            if at_centre {
                for entry in self.store.scan(&keys::carried_of(&series)) {
                    let (at, value) = entry?;
                    let run: Option<SealedRun> = postcard::from_bytes(&value).ok();
                    if run.is_none_or(|run| run.upto() <= kept.upto) {
                        batch.delete(at);
                    }
                }
            }
        } else if series == self.own_series(&mut batch)?
            && let Some(mut end) = self.sealed_end(&series)?
        {
            let head = match kept.upto {
                0 => Some(EMPTY),
                upto => self.held_cell(&series, upto)?.map(|held| held.head),
            };
            let other = kept.upto > end.len || kept.upto < end.done;
            if at_centre && (other || head.is_some_and(|head| head.tag() != kept.head)) {
                tracing::warn!(
                    upto = kept.upto,
                    "the centre holds other sealed cells of this replica: a new series begins"
                );
                self.begin_series_anew(&series, &end, &mut batch)?;
            } else if at_centre && kept.upto > end.done {
                // The last one stays: the chain goes on from its value.
                for seq in end.done.max(1)..kept.upto {
                    batch.delete(keys::cell(&series, seq));
                }
                end.done = kept.upto;
                batch.put(keys::sealed_end(&series), encode(&end));
            } else if !at_centre && kept.upto > end.given && kept.upto <= end.len {
                end.given = kept.upto;
                batch.put(keys::sealed_end(&series), encode(&end));
            }
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(())
    }

    /// Leaves a cell of this replica's own that does not open out of what goes to the centre: what follows it is
    /// chained to it, so all that is not delivered goes into a new series.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) fn leave_out_cell(&self, key: &[u8]) -> Result<Outcome, ReplicaError> {
        let _turn = lock(&self.sealing);
        let mut batch = Batch::new();
        let own = self.own_series(&mut batch)?;
        let seq = key.get(41..49).and_then(|at| at.try_into().ok()).map_or(0, u64::from_be_bytes);
        if self.is_centre() || *key != keys::cell(&own, seq) {
            return Ok(Outcome::Lost);
        }
        let Some(end) = self.sealed_end(&own)? else { return Ok(Outcome::Lost) };
        self.begin_series_anew(&own, &end, &mut batch)?;
        self.store.commit(batch)?;
        tracing::warn!(seq, "a sealed cell does not open: a new series begins without it");
        let is_delivered = seq <= end.done.max(end.given);
        Ok(if is_delivered { Outcome::Repaired } else { Outcome::Lost })
    }

    /// The centre holds other cells under this series: this store was rolled back, or cloned. Or one of them does
    /// not open. What it has not delivered and opens goes into a new series.
    fn begin_series_anew(
        &self,
        series: &Series,
        end: &SealedEnd,
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        let number = u64::from_le_bytes(self.random()?);
        let anew = Series { replica: series.replica, number };
        let (mut head, mut len) = (EMPTY, 0);
        for seq in end.done + 1..=end.len {
            let held = match self.held_cell(series, seq) {
                Err(ReplicaError::Store(StoreError::Damaged { .. }) | ReplicaError::Damaged { .. }) => {
                    continue;
                }
                held => held?,
            };
            let Some(held) = held else { continue };
            len += 1;
            head = sealed::next_head(&head, &sealed::cell_hash(&held.cell));
            batch.put(keys::cell(&anew, len), encode(&Held { head, cell: held.cell }));
        }
        for key in self.store.scan_keys(&keys::cells(series)) {
            batch.delete(key?);
        }
        batch.delete(keys::sealed_end(series));
        batch.put(keys::SEALING, encode(&number));
        let end = SealedEnd { len, head, signature: None, done: 0, given: 0 };
        batch.put(keys::sealed_end(&anew), encode(&end));
        Ok(())
    }

    // ---- in

    /// Takes sealed cells in, durable when this returns, and says what is held of that series now. The
    /// centre keeps them in order; others carry them as they are.
    ///
    /// # Errors
    /// [`SealedIntakeError`]: nothing of the run is kept.
    pub fn take_sealed(&self, run: &SealedRun) -> Result<SealedKept, SealedIntakeError> {
        let heads = run.check()?;
        let series = run.series;
        let last = heads.last().copied().unwrap_or(run.before);
        let _turn = lock(&self.sealing);
        let mut batch = Batch::new();
        let kept = if self.is_centre() {
            self.keep_cells(run, &heads, &mut batch)?
        } else {
            if series.replica != self.profile().replica() {
                self.carry(run, &mut batch)?;
            }
            SealedKept { series, upto: run.upto(), head: last.tag() }
        };
        if !batch.is_empty() {
            self.store.commit(batch).map_err(ReplicaError::from)?;
            self.sealed.send_modify(|count| *count += 1);
        }
        Ok(kept)
    }

    fn keep_cells(
        &self,
        run: &SealedRun,
        heads: &[Hash],
        batch: &mut Batch,
    ) -> Result<SealedKept, SealedIntakeError> {
        let series = run.series;
        let replica = series.replica;
        let holds = |len: u64, head: &Hash| SealedKept { series, upto: len, head: head.tag() };
        let roster = self.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
        let known = roster.natural_id(Kind::REPLICA, &replica.to_string(), 0);
        let known = self.store.get(&keys::document(&Scope::Street, Kind::REPLICA, &known));
        if known.map_err(ReplicaError::from)?.is_none() {
            // Whoever carries them keeps them: a centre that was put back knows their author again once he has come.
            tracing::info!(%replica, "sealed cells of a device that the centre does not know wait where they are");
            return Ok(holds(0, &EMPTY));
        }
        let end = self.sealed_end(&series)?;
        let mut end = match end {
            Some(end) => end,
            None => {
                let prefix = [keys::SEALED_ENDS, &replica.0].concat();
                let found = self.store.scan(&prefix).count();
                if found >= SERIES_MAX {
                    let (what, found, max) = ("series of sealed cells", found as u64, SERIES_MAX as u64);
                    return Err(SealedIntakeError::TooMany { replica, what, found, max });
                }
                SealedEnd { len: 0, head: EMPTY, signature: None, done: 0, given: 0 }
            }
        };
        if run.from > end.len + 1 || run.upto() <= end.len {
            return Ok(holds(end.len, &end.head));
        }
        // The chain must go on from what is held.
        let skip = (end.len + 1 - run.from) as usize;
        let before = if skip == 0 { run.before } else { heads[skip - 1] };
        if before != end.head {
            return Ok(holds(end.len, &end.head));
        }
        let waiting = run.upto().saturating_sub(self.opened(&series)?);
        if waiting > CELLS_MAX {
            let (what, found, max) = ("unopened sealed cells", waiting, CELLS_MAX);
            return Err(SealedIntakeError::TooMany { replica, what, found, max });
        }
        for (cell, head) in run.iter().zip(heads).skip(skip) {
            end.len += 1;
            end.head = *head;
            batch.put(keys::cell(&series, end.len), encode(&Held { head: *head, cell: cell.to_vec() }));
        }
        end.signature = Some(run.signature);
        batch.put(keys::sealed_end(&series), encode(&end));
        Ok(holds(end.len, &end.head))
    }

    fn carry(&self, run: &SealedRun, batch: &mut Batch) -> Result<(), SealedIntakeError> {
        let at = keys::carried(&run.series, run.from);
        let known = self.store.get(&at).map_err(ReplicaError::from)?;
        let known = known.and_then(|bytes| postcard::from_bytes::<SealedRun>(&bytes).ok());
        if known.is_some_and(|known| known.upto() >= run.upto()) {
            return Ok(());
        }
        let of_replica = [keys::CARRIED, &run.series.replica.0].concat();
        let (mine, all) = (self.store.scan(&of_replica).count(), self.store.scan(keys::CARRIED).count());
        if mine >= CARRIED_MAX / 16 || all >= CARRIED_MAX {
            let (found, max) = (mine as u64, (CARRIED_MAX / 16) as u64);
            let (replica, what) = (run.series.replica, "runs of sealed cells on the way to the centre");
            return Err(SealedIntakeError::TooMany { replica, what, found, max });
        }
        batch.put(at, encode(run));
        Ok(())
    }

    // ---- at the centre

    fn opened(&self, series: &Series) -> Result<u64, ReplicaError> {
        let bytes = self.store.get(&keys::opened(series))?;
        Ok(bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or(0))
    }

    /// Series of sealed cells held here, with their ends.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn sealed_series(&self) -> Result<Vec<(Series, SealedEnd)>, ReplicaError> {
        let mut found = Vec::new();
        for entry in self.store.scan(keys::SEALED_ENDS) {
            let (key, value) = entry?;
            let replica = key.get(1..33).and_then(ReplicaId::from_slice);
            let number = key.get(33..41).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            let (Some(replica), Some(number)) = (replica, number) else { continue };
            let damaged = |_| self.damaged("the end of sealed cells");
            let mut end: SealedEnd = postcard::from_bytes(&value).map_err(damaged)?;
            let series = Series { replica, number };
            if self.is_centre() {
                end.done = self.opened(&series)?;
            }
            found.push((series, end));
        }
        Ok(found)
    }

    /// A cell, if it is still held whole.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn sealed_cell(&self, series: &Series, seq: u64) -> Result<Option<Vec<u8>>, ReplicaError> {
        let held = self.held_cell(series, seq)?;
        Ok(held.map(|held| held.cell).filter(|cell| cell.len() == CELL_LEN_BYTES))
    }

    /// Notes in `batch` that a series is opened up to `done`; of the cells in `spent` only hashes stay, so
    /// that the chain still verifies.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn note_opened(
        &self,
        series: &Series,
        done: u64,
        spent: &[u64],
        batch: &mut Batch,
    ) -> Result<(), ReplicaError> {
        for seq in spent {
            if let Some(mut held) = self.held_cell(series, *seq)?
                && let Some(hash) = held.hash()
            {
                held.cell = hash.0.to_vec();
                batch.put(keys::cell(series, *seq), encode(&held));
            }
        }
        batch.put(keys::opened(series), encode(&done));
        Ok(())
    }

    pub(super) fn verify_cells(&self, report: &mut AuditReport) -> Result<(), ReplicaError> {
        for (series, end) in self.sealed_series()? {
            if series.replica == self.profile().replica() {
                continue;
            }
            report.series += 1;
            let broken = |seq, reason: &str| {
                let chain = format!("{} {:016x}", series.replica, series.number);
                AuditBreak { chain, seq, reason: reason.to_owned() }
            };
            let (mut len, mut head) = (0, EMPTY);
            let mut found = None;
            for entry in self.store.scan(&keys::cells(&series)) {
                let (key, value) = entry?;
                let seq = key.get(41..49).and_then(|at| at.try_into().ok()).map_or(0, u64::from_be_bytes);
                report.cells += 1;
                let held: Option<Held> = postcard::from_bytes(&value).ok();
                let hash = held.as_ref().and_then(Held::hash);
                let next = hash.map(|hash| sealed::next_head(&head, &hash));
                if seq != len + 1 {
                    found = Some(broken(len + 1, "it is missing"));
                } else if next.is_none() || next != held.map(|held| held.head) {
                    found = Some(broken(seq, "it is not what the device sealed"));
                }
                if found.is_some() {
                    break;
                }
                (len, head) = (seq, next.unwrap_or(head));
            }
            if found.is_none() && len < end.len {
                found = Some(broken(len + 1, "it is missing"));
            }
            let signature = end.signature.map(|(first, second)| whole(&first, &second)).unwrap_or([0; 64]);
            let signed = sealed::is_chain_signed(&series.replica, series.number, len, &head, &signature);
            if found.is_none() && !signed {
                found = Some(broken(len, "the device did not sign it"));
            }
            report.broken.extend(found);
        }
        Ok(())
    }
}

fn whole(first: &[u8; 32], second: &[u8; 32]) -> [u8; 64] {
    let mut whole = [0; 64];
    whole[..32].copy_from_slice(first);
    whole[32..].copy_from_slice(second);
    whole
}

fn halves(signature: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&signature[..32]);
    second.copy_from_slice(&signature[32..]);
    (first, second)
}
