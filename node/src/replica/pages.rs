//! Checkpoints: giving a new replica the documents as they are, and taking them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use wangge_model::checkpoint::{Checkpoint, CheckpointLog, Cursor, Following, sign_part};
use wangge_model::clock::{Clock, Extent, head_tag};
use wangge_model::document::{Document, FormError, stored_page};
use wangge_model::identity::{Epoch, LogId, ReplicaId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{LogIdentity, Tip};
use wangge_model::materialise::{Applied, AppliedLog};
use wangge_model::planted::{self, Bug};
use wangge_model::session::Completeness;
use wangge_model::tree;
use wangge_model::verdict::{Verdict, Void, VoidReason};
use wangge_model::wire::{CheckpointStart, PAGE_DOCUMENTS_MAX, PageDocument, encode_page};
use wangge_store::Batch;

use super::apply::Writes;
use super::mending::base_of;
use super::salvage::{foretold_by, kept_checkpoint, kept_start, page_documents, page_ends, paged_by};
use super::scope::{Arrival, HeldScope, clock_of, ends_of, extent_of};
use super::vault::Later;
use super::{Replica, ReplicaError, encode, keys, lock};

/// A page ready to be sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// The end of the page; `None` in the last one.
    pub end: Option<Cursor>,
    /// The documents.
    pub packed: Vec<u8>,
    /// The centre's signature, in two halves.
    pub signature: ([u8; 32], [u8; 32]),
}

/// What a scope that came in pages stands for.
#[derive(Debug)]
pub struct Came {
    /// Where its logs ended.
    pub clock: Clock,
    /// What of the scope is held now.
    pub held: Clock,
}

fn halves(signature: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&signature[..32]);
    second.copy_from_slice(&signature[32..]);
    (first, second)
}

/// Whether transactions of the log that an entry of a checkpoint is about, or is a branch of, are held from the
/// beginning.
fn is_whole(held: &BTreeMap<LogId, Tip>, entry: &CheckpointLog) -> bool {
    let LogIdentity { replica, epoch, .. } = entry.tip.identity;
    held.values().any(|tip| {
        tip.floor == 0
            && tip.identity.branch.is_none()
            && (tip.identity.replica, tip.identity.epoch) == (replica, epoch)
    })
}

/// Bytes of transactions, before they are packed, that follow pages for the sake of a centre that is put back: as many
/// for each document, and at least so many.
const FOLLOWING_BYTES_PER_DOCUMENT: u64 = 128;
const FOLLOWING_BYTES_MIN: u64 = 64 * 1024;

/// Where logs begin for somebody who takes pages, if not at their ends: what no backup of the centre holds yet follows
/// as transactions too, though documents have it. Were the centre put back to that backup, nobody else might have
/// them; the centre's own least of all, so they come first, and then the shortest, as far as there is room.
fn beginnings(
    held: &HeldScope<'_>,
    applied: &Applied,
    backed: &BTreeMap<LogId, u64>,
    centre: &ReplicaId,
    documents: u64,
) -> BTreeMap<LogId, u64> {
    let mut room = FOLLOWING_BYTES_MIN.max(documents * FOLLOWING_BYTES_PER_DOCUMENT);
    let mut following = Vec::new();
    for (log, tip) in held.tips {
        let from = backed.get(log).copied().unwrap_or(0).max(base_of(tip));
        let upto = applied.len_of(log);
        let mut len_bytes = 0;
        for seq in from + 1..=upto {
            let record = held.store.get(&keys::record(held.scope, log, seq)).ok().flatten();
            len_bytes += record.map_or(u64::MAX - len_bytes, |record| record.len() as u64);
            if len_bytes > room {
                break;
            }
        }
        if from < upto {
            following.push((tip.identity.replica != *centre, len_bytes, *log, from));
        }
    }
    following.sort_unstable();
    let fits = |(_, len_bytes, log, from): (bool, u64, LogId, u64)| {
        let left = room.checked_sub(len_bytes)?;
        room = left;
        Some((log, from))
    };
    following.into_iter().filter_map(fits).collect()
}

/// A page on its way to the disk, and its end.
#[derive(Debug)]
pub(super) struct Stored {
    later: Later,
    end: Option<Cursor>,
}

impl Replica {
    /// The start of a checkpoint of a scope: where its logs stand, and how many documents there are. The
    /// centre signs one as things are now; another replica passes on the one that it began from, or says
    /// that there are none if it holds the logs themselves.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load_checkpoint(&self, scope: &Scope) -> Result<(CheckpointStart, Clock, u64), ReplicaError> {
        let turn = lock(&self.documents);
        self.apply_all(&turn)?;
        if !self.is_centre()
            && let Some(start) = self.store.get(&keys::kept_start(scope))?
        {
            let damaged = || ReplicaError::Damaged {
                what: format!("the checkpoint of {scope}"),
                dir: self.dir.clone(),
            };
            let start: CheckpointStart = postcard::from_bytes(&start).map_err(|_| damaged())?;
            let checkpoint: Checkpoint = postcard::from_bytes(&start.bytes).map_err(|_| damaged())?;
            return Ok((start, clock_of(&checkpoint), checkpoint.documents));
        }
        let mut documents = 0;
        if self.is_centre() {
            for key in self.store.scan_keys(&keys::documents(scope)) {
                key?;
                documents += 1;
            }
        }
        let state = lock(&self.state);
        let scoped = state.scopes.get(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
        if !self.is_centre() && scoped.tips.values().any(|tip| tip.floor > 0) {
            // What lies below the floors came in pages, and they were given up.
            return Err(ReplicaError::NoBeginning { scope: scope.clone() });
        }
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        let is_backed = state.scopes.get(&Scope::Street).is_some_and(|street| !street.backed.is_empty());
        let own = self.profile().replica();
        let mut begin = match is_backed {
            true => beginnings(&held, &scoped.applied, &scoped.backed, &own, documents),
            // There is nothing to put back.
            false => BTreeMap::new(),
        };
        // Pages are without what is void, and what counts may yet come that was built on it.
        let is_entering = |reason: &VoidReason| self.is_centre() && *reason != VoidReason::Form;
        for ((log, seq), _) in scoped.voids.iter().filter(|(_, reason)| is_entering(reason)) {
            let from = begin.entry(*log).or_insert(u64::MAX);
            *from = (*from).min(seq - 1);
        }
        let mut logs = Vec::new();
        let mut following = Vec::new();
        for (log, tip) in &scoped.tips {
            let Some(applied) = scoped.applied.0.get(log) else { continue };
            let upto = begin.get(log).map_or(applied.len, |from| applied.len.min(*from).max(base_of(tip)));
            if upto < applied.len {
                let tag = |seq| held.tag(log, seq);
                // What the centre writes counts.
                let decided = match tip.identity.replica == own {
                    true => 0,
                    false => scoped.decided.get(log).copied().unwrap_or(0),
                };
                following.push(Following {
                    log: *log,
                    named: tree::root(&held, log),
                    len: applied.len,
                    head: tag(applied.len),
                    lamport: applied.lamport,
                    decided,
                    decided_head: tag(decided),
                });
            }
            if upto < applied.len && upto == base_of(tip) {
                // All of it follows.
                continue;
            }
            let (head, at) = if upto == tip.len {
                (tip.head, applied.clone())
            } else {
                match held.record(log, upto) {
                    Some(record) if upto == applied.len => (record.head, applied.clone()),
                    Some(record) => (record.head, Applied::at(&held, log, upto)),
                    None => continue,
                }
            };
            let tip =
                Tip { identity: tip.identity.clone(), len: upto, head, lamport: at.lamport, floor: upto };
            logs.push(CheckpointLog { log: *log, tip, actor: at.actor });
        }
        let checkpoint = Checkpoint { scope: scope.clone(), logs, documents };
        let mut voids = scoped.voids.clone();
        voids.retain(|(log, seq), _| *seq <= scoped.applied.len_of(log));
        drop(state);
        let clock = clock_of(&checkpoint);
        let bytes = checkpoint.to_bytes(&voids, &following);
        let signature = sign_part(&self.signing_key(), scope, b"start", &bytes);
        let start = CheckpointStart { scope: scope.clone(), bytes, signature: halves(&signature) };
        Ok((start, clock, documents))
    }

    /// Whether pages made here are no older than those that `peer` has had, which goes on with them: `at_peer` is
    /// what they stood for and what it holds besides.
    ///
    /// # Errors
    /// If the store or the roster cannot be read.
    pub fn can_resume_pages(
        &self,
        scope: &Scope,
        peer: &ReplicaId,
        at_peer: &Clock,
    ) -> Result<bool, ReplicaError> {
        // What it writes meanwhile stood in no page.
        let roster = self.roster()?;
        let epochs = roster.replicas().get(peer).into_iter().flat_map(|entry| &entry.epochs);
        let its_own: BTreeSet<LogId> =
            epochs.map(|epoch| LogId::derive(scope, peer, Epoch(*epoch))).collect();
        let stands_for = if self.is_centre() {
            // One that was put back to a backup knows less than it has given.
            Some(self.clock(scope))
        } else {
            kept_checkpoint(&self.store, scope).map(|kept| clock_of(&kept))
        };
        let stands_for = stands_for.unwrap_or_default();
        let mut others = at_peer.0.iter().filter(|(log, _)| !its_own.contains(log));
        Ok(others.all(|(log, ends)| stands_for.len_of(log) >= ends.len()))
    }

    /// The page after a cursor.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load_page(&self, scope: &Scope, after: Option<Cursor>) -> Result<Page, ReplicaError> {
        let secret = match lock(&self.state).scopes.get(scope) {
            Some(scoped) => scoped.secret.clone(),
            None => return Err(ReplicaError::NotHeld { scope: scope.clone() }),
        };
        if !self.is_centre() {
            return self.load_kept_page(scope, after);
        }
        let prefix = keys::documents(scope);
        let start = after.map_or_else(|| prefix.clone(), |cursor| keys::document_at(scope, &cursor));
        let documents_max = self.program.page_documents.min(PAGE_DOCUMENTS_MAX);
        let mut pages = Vec::with_capacity(documents_max);
        let mut end = None;
        let mut more = false;
        for entry in self.store.scan_from(&prefix, &start) {
            let (key, value) = entry?;
            let Some(cursor) = keys::cursor_of(&key) else { continue };
            if Some(cursor) == after {
                continue;
            }
            if pages.len() == documents_max {
                more = true;
                break;
            }
            pages.push(stored_page(cursor.doc, &value)?);
            end = Some(cursor);
        }
        if planted::is(Bug::DropPage) {
            pages.clear();
        }
        let packed = encode_page(&pages, &secret);
        let signature = sign_part(&self.signing_key(), scope, b"page", &packed);
        Ok(Page { end: if more { end } else { None }, packed, signature: halves(&signature) })
    }

    /// The page that the centre signed for this replica's own beginning. It may hold documents up to the
    /// cursor too: those are known and stay.
    fn load_kept_page(&self, scope: &Scope, after: Option<Cursor>) -> Result<Page, ReplicaError> {
        let prefix = keys::kept_pages(scope);
        let start = after.map_or_else(|| prefix.clone(), |cursor| keys::kept_page(scope, Some(&cursor)));
        let damaged = || ReplicaError::Damaged {
            what: format!("a page of the checkpoint of {scope}"),
            dir: self.dir.clone(),
        };
        for entry in self.store.scan_from(&prefix, &start) {
            let (key, value) = entry?;
            if after.is_some() && key == start {
                continue;
            }
            return postcard::from_bytes(&value).map_err(|_| damaged());
        }
        Err(damaged())
    }

    /// Notes that pages of a checkpoint are coming, and what the centre had decided there.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn start_pages(&self, checkpoint: Checkpoint, start: &CheckpointStart) -> Result<(), ReplicaError> {
        let scope = checkpoint.scope.clone();
        let _turn = lock(&self.documents);
        let mut batch = Batch::new();
        for key in self.store.scan_keys(&keys::kept_pages(&scope)) {
            batch.delete(key?);
        }
        batch.put(keys::kept_start(&scope), encode(start));
        batch.put(keys::completeness(&scope), encode(&Arrival::Pages(checkpoint.clone(), None)));
        self.await_page(&scope)?;
        let found = lock(&self.state).scopes.get(&scope).map(|s| (s.applied.clone(), s.tips.clone()));
        let (applied, held) = found.ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
        let verdicts = self.verdicts_on(&checkpoint, &start.bytes, &held);
        let decisions = self.own_verdicts(&scope, &applied, &verdicts, &mut batch)?;
        self.store.commit(batch)?;
        if let Some(scoped) = lock(&self.state).scopes.get_mut(&scope) {
            scoped.decide(decisions);
            scoped.paged = paged_by(start);
            scoped.foretold = foretold_by(&scope, start);
            scoped.page_ends = Some(page_ends(&scope, start));
            scoped.arriving = Some(checkpoint);
            scoped.completeness = Completeness::Partial(None);
        }
        Ok(())
    }

    /// Takes what the checkpoint says was decided of logs that this replica writes, once their transactions are here:
    /// until then they could have been another branch than what is here of them. What others write was decided before
    /// anything of it came.
    pub(super) fn take_foretold(&self, scope: &Scope) -> Result<(), ReplicaError> {
        let me = self.profile().replica();
        let (applied, tips, late) = {
            let mut state = lock(&self.state);
            let Some(scoped) = state.scopes.get_mut(scope) else { return Ok(()) };
            let mut foretold = std::mem::take(&mut scoped.foretold);
            let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
            let found = |(log, decided): &(LogId, Extent)| tree::find(&held, log, decided);
            let is_decided = |(_, decided): &(LogId, Extent), piece: LogId| {
                scoped.decided.get(&piece).is_some_and(|upto| *upto >= decided.len)
            };
            foretold.retain(|entry| match scoped.tips.get(&entry.0) {
                Some(tip) => {
                    tip.identity.replica == me
                        && entry.1.len > tip.floor
                        && found(entry).is_none_or(|piece| !is_decided(entry, piece))
                }
                None => true,
            });
            let is_late =
                |entry: &&(LogId, Extent)| scoped.tips.contains_key(&entry.0) && found(entry).is_some();
            let late: Vec<(LogId, Extent)> = foretold.iter().filter(is_late).copied().collect();
            scoped.foretold = foretold;
            if late.is_empty() {
                return Ok(());
            }
            (scoped.applied.clone(), scoped.tips.clone(), late)
        };
        let Some(start) = kept_start(&self.store, scope) else { return Ok(()) };
        let Ok(checkpoint) = postcard::from_bytes::<Checkpoint>(&start.bytes) else { return Ok(()) };
        let mut verdicts = self.verdicts_on(&checkpoint, &start.bytes, &tips);
        verdicts.retain(|Verdict { log, upto, head, .. }| {
            late.contains(&(*log, Extent { len: *upto, head: *head }))
        });
        let mut batch = Batch::new();
        let decisions = self.own_verdicts(scope, &applied, &verdicts, &mut batch)?;
        self.store.commit(batch)?;
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.decide(decisions);
        }
        Ok(())
    }

    /// Waits until the page that came before is durable: if this one then breaks off, the transfer goes
    /// on behind that.
    fn await_page(&self, scope: &Scope) -> Result<(), ReplicaError> {
        let Some(Stored { later, end }) = lock(&self.arriving_pages).remove(scope) else { return Ok(()) };
        later.wait()?;
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.completeness = Completeness::Partial(end);
        }
        Ok(())
    }

    /// Stores a page; after the last one the scope is whole. Returns how many documents came, and what they
    /// stand for once it is whole. A page goes to the disk while the next one is taken apart.
    ///
    /// # Errors
    /// [`ReplicaError`] if the page is not sound or cannot be stored.
    pub fn store_page(
        &self,
        scope: &Scope,
        end: Option<Cursor>,
        packed: &[u8],
        signature: &[u8; 64],
    ) -> Result<(u64, Option<Came>), ReplicaError> {
        let _turn = lock(&self.documents);
        let (secret, arriving, ends) = match lock(&self.state).scopes.get(scope) {
            Some(scoped) => (scoped.secret.clone(), scoped.arriving.clone(), scoped.page_ends.clone()),
            None => return Err(ReplicaError::NotHeld { scope: scope.clone() }),
        };
        let mut batch = Batch::new();
        let Some(checkpoint) = arriving.filter(|_| !packed.is_empty()) else {
            // So few documents that the transactions themselves follow.
            batch.put(keys::completeness(scope), encode(&Arrival::Whole));
            self.store.commit(batch)?;
            if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
                scoped.completeness = Completeness::Whole;
                scoped.arriving = None;
            }
            return Ok((0, None));
        };
        let mut pages = page_documents(packed, &secret, ends.as_ref())
            .map_err(|error| ReplicaError::Form(error.to_string()))?;
        let count = pages.len() as u64;
        pages.retain(|page| !self.is_erased(&page.id));
        if pages.len() as u64 == count {
            let kept = Page { end, packed: packed.to_vec(), signature: halves(signature) };
            batch.put(keys::kept_page(scope, end.as_ref()), encode(&kept));
        } else {
            // The page was made before an order that has come meanwhile: not to be passed on.
            self.drop_kept_pages(scope, &mut batch)?;
        }
        for (key, value) in self.take_pages(scope, &pages)? {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        self.await_page(scope)?;
        if end.is_some() {
            batch.put(keys::completeness(scope), encode(&Arrival::Pages(checkpoint, end)));
            let later = self.store.commit_later(batch)?;
            lock(&self.arriving_pages).insert(scope.clone(), Stored { later, end });
            return Ok((count, None));
        }
        let (mut applied, held) = match lock(&self.state).scopes.get(scope) {
            Some(scoped) => (scoped.applied.clone(), scoped.tips.clone()),
            None => return Err(ReplicaError::NotHeld { scope: scope.clone() }),
        };
        let mut ends = Vec::new();
        for entry in &checkpoint.logs {
            let own = held.get(&entry.log);
            if is_whole(&held, entry) {
                // Whether it is the same as far as both go, only its transactions show: they follow.
                continue;
            }
            let state = AppliedLog {
                after_ms: 0,
                len: entry.tip.len,
                lamport: entry.tip.lamport,
                actor: entry.actor,
                ended: None,
            };
            if applied.len_of(&entry.log) < state.len {
                applied.0.insert(entry.log, state);
            }
            if own.is_some_and(|tip| tip.len >= entry.tip.len) {
                // The pages came once more, to make documents anew: the logs are here.
                continue;
            }
            batch.put(keys::tip(scope, &entry.log), encode(&entry.tip));
            batch.put(keys::began(scope, &entry.log), encode(entry));
            ends.push((entry.log, entry.tip.clone()));
        }
        let floors = ends_of(&checkpoint);
        batch.put(keys::floors(scope), encode(&floors));
        batch.put(keys::applied(scope), encode(&applied));
        batch.put(keys::completeness(scope), encode(&Arrival::Whole));
        self.store.commit(batch)?;
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.floors = floors;
            for (log, tip) in ends {
                scoped.durable.0.insert(log, extent_of(&tip));
                scoped.tips.insert(log, tip);
            }
            scoped.applied = applied;
            scoped.completeness = Completeness::Whole;
            scoped.arriving = None;
        }
        // Photos that were taken away came named all the same.
        self.orders_due.store(true, Ordering::Release);
        Ok((count, Some(Came { clock: clock_of(&checkpoint), held: self.clock(scope) })))
    }

    /// What the centre had decided at a checkpoint about the logs of which transactions are held or follow: its
    /// verdicts lie below the floor of its own log.
    fn verdicts_on(
        &self,
        checkpoint: &Checkpoint,
        bytes: &[u8],
        held: &BTreeMap<LogId, Tip>,
    ) -> Vec<Verdict> {
        let scope = &checkpoint.scope;
        let centre = self.profile().centre();
        let (voided, following) = Checkpoint::beside(bytes);
        let ours = checkpoint.logs.iter().filter(|entry| {
            entry.tip.identity.replica != centre && entry.tip.len > 0 && is_whole(held, entry)
        });
        let verdict = |at: &LogId, log: LogId, upto: u64, head: [u8; 4]| {
            let mut voids = Vec::new();
            for of_log in voided.iter().filter(|of_log| of_log.log == *at) {
                let seqs = of_log.from..=of_log.upto.min(upto);
                voids.extend(seqs.map(|seq| Void { seq, reason: of_log.reason }));
            }
            // Pages say beside each change when it was observed.
            Verdict { log, upto, head, observed_ms: 0, roster: 0, voids, settled: Vec::new() }
        };
        let held_here = ours.map(|entry| {
            let LogIdentity { replica, epoch, .. } = entry.tip.identity;
            let named = LogId::derive(scope, &replica, epoch);
            verdict(&entry.log, named, entry.tip.len, head_tag(&entry.tip.head))
        });
        let following = following.iter().filter(|of_log| of_log.decided > 0);
        let following = following.map(|Following { log, named, decided, decided_head, .. }| {
            verdict(log, *named, *decided, *decided_head)
        });
        held_here.chain(following).collect()
    }

    /// What storing the documents of a page writes. They do not depend on each other, so all cores share
    /// the work; none stays open, as an open document takes twenty times what it takes at rest.
    fn take_pages(&self, scope: &Scope, pages: &[PageDocument]) -> Result<Writes, ReplicaError> {
        let take = |page: &PageDocument| {
            let form = |e: FormError| ReplicaError::Form(e.to_string());
            let document = match self.load_document(scope, page.kind, &page.id)? {
                Some(mut document) => {
                    document.apply_page(page).map_err(form)?;
                    document
                }
                None => Document::of_page(page).map_err(form)?,
            };
            Ok::<Writes, ReplicaError>(self.writes_of(scope, &document))
        };
        let take_all = |part: &[&PageDocument]| {
            part.iter().try_fold(Writes::new(), |mut writes, page| {
                writes.extend(take(page)?);
                Ok::<_, ReplicaError>(writes)
            })
        };
        let known = |page: &PageDocument| {
            page.changes.iter().all(|change| self.program.knows(page.kind, change.base))
        };
        if !pages.iter().all(known) {
            return Err(ReplicaError::NeedsUpdate { scope: scope.clone() });
        }
        let known: Vec<&PageDocument> = pages.iter().collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let share = known.len().div_ceil(cores).max(1);
        std::thread::scope(|threads| {
            let parts: Vec<_> =
                known.chunks(share).map(|part| threads.spawn(move || take_all(part))).collect();
            parts.into_iter().try_fold(Writes::new(), |mut writes, part| {
                let failed = |_| ReplicaError::Form("a page cannot be applied".to_owned());
                writes.extend(part.join().map_err(failed)??);
                Ok(writes)
            })
        })
    }

    /// Declares that all there is of the scopes is here: for the centre that founds them.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn declare_whole(&self, scopes: &[Scope]) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        for scope in scopes {
            batch.put(keys::completeness(scope), encode(&Arrival::Whole));
        }
        self.store.commit(batch)?;
        let mut state = lock(&self.state);
        for scope in scopes {
            if let Some(scoped) = state.scopes.get_mut(scope) {
                scoped.completeness = Completeness::Whole;
            }
        }
        Ok(())
    }

    /// The clock of a checkpoint that is coming in, for going on after a break.
    pub fn arriving(&self, scope: &Scope) -> Option<Clock> {
        let state = lock(&self.state);
        let scoped = state.scopes.get(scope)?;
        let checkpoint = scoped.arriving.as_ref()?;
        let mut clock = scoped.clock(&self.store, scope);
        clock.0.extend(clock_of(checkpoint).0);
        Some(clock)
    }
}
