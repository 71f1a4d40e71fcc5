//! Local transactions: what one action of the worker changed, durable before it counts as saved.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use wangge_model::clock::{Extent, Extents, head_tag};
use wangge_model::document::{Change, Document, Op};
use wangge_model::identity::{DocId, LogId, ReplicaId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{EMPTY_HEAD, LogIdentity, LogRecord, Tip, next_head, sign_head};
use wangge_model::materialise::{AppliedLog, branch_of};
use wangge_model::planted::{self, Bug};
use wangge_model::right::NOBODY;
use wangge_model::schema::Kind;
use wangge_model::transaction::{LEN_BYTES_MAX, Opening, Seen, Transaction, actor};
use wangge_model::tree;
use wangge_model::turn::sign_turn;
use wangge_model::verdict::Verdict;
use wangge_store::Batch;

use super::apply::put_all;
use super::lookup::holder;
use super::scope::{HeldScope, ScopeState, extent_of};
use super::turn::Author;
use super::vault::encode_record;
use super::{Replica, ReplicaError, encode, keys, lock};

/// What to write to one document.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The document; made if it is not there yet.
    pub doc: DocId,
    /// Its kind.
    pub kind: Kind,
    /// What to put or delete. A value that is there already is not written again.
    pub ops: Vec<Op>,
}

/// A transaction that is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    /// Its log.
    pub log: LogId,
    /// Its place in it.
    pub seq: u64,
    /// The documents that it changed.
    pub documents: Vec<DocId>,
}

/// When something was done, as its author says.
#[derive(Clone, Copy)]
enum When {
    Now,
    At(u64),
    /// Then, and it was saved then: it is written once more.
    Saved(u64),
}

impl Replica {
    /// Commits edits of one scope as one transaction; returns once it is durable. `None` if nothing
    /// would change. `wall_ms` is when it happened, by default now.
    ///
    /// # Errors
    /// [`ReplicaError`]: nothing is written then.
    pub fn commit(
        &self,
        scope: &Scope,
        edits: Vec<Edit>,
        wall_ms: Option<u64>,
    ) -> Result<Option<Committed>, ReplicaError> {
        self.commit_as(scope, &self.author_now()?, edits, Vec::new(), wall_ms)
    }

    /// Who acts now.
    fn author_now(&self) -> Result<Author, ReplicaError> {
        match self.turn() {
            Some(turn) => Ok(Author::InTurn(turn)),
            None if self.store.is_shared() => Err(ReplicaError::NoTurn),
            None => {
                let enrolment = self.profile().enrolment();
                Ok(Author::Device(enrolment.map_or(NOBODY, |enrolment| enrolment.worker)))
            }
        }
    }

    /// Commits changes that say themselves what they build on, and that were saved before. Whether they count the
    /// centre decides, as of whatever else comes when its author may not write any more.
    ///
    /// # Errors
    /// [`ReplicaError`]: nothing is written then.
    pub(super) fn commit_changes(
        &self,
        scope: &Scope,
        changes: Vec<Change>,
        wall_ms: u64,
    ) -> Result<Option<Committed>, ReplicaError> {
        let acting = self.author_now()?;
        self.recover()?;
        let turn = lock(&self.documents);
        self.apply_all(&turn)?;
        let mut documents = Vec::new();
        for change in &changes {
            documents.push(self.open_document(scope, change.kind, change.doc)?);
        }
        self.commit_drafted(&turn, scope, &acting, (changes, documents), Vec::new(), When::Saved(wall_ms))
    }

    /// Commits edits of the centre's own machinery, in nobody's name.
    ///
    /// # Errors
    /// [`ReplicaError`]: nothing is written then.
    pub fn commit_in_no_name(
        &self,
        scope: &Scope,
        edits: Vec<Edit>,
    ) -> Result<Option<Committed>, ReplicaError> {
        self.commit_as(scope, &Author::Device(NOBODY), edits, Vec::new(), None)
    }

    /// Writes decisions into this replica's log; the relay's alone count.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub fn commit_verdicts(&self, scope: &Scope, verdicts: Vec<Verdict>) -> Result<(), ReplicaError> {
        self.commit_as(scope, &Author::Device(NOBODY), Vec::new(), verdicts, None).map(|_| ())
    }

    fn commit_as(
        &self,
        scope: &Scope,
        acting: &Author,
        edits: Vec<Edit>,
        verdicts: Vec<Verdict>,
        wall_ms: Option<u64>,
    ) -> Result<Option<Committed>, ReplicaError> {
        self.recover()?;
        let turn = lock(&self.documents);
        self.apply_all(&turn)?;
        let mut changes = Vec::new();
        let mut documents: Vec<Document> = Vec::new();
        for edit in edits {
            let document = self.open_document(scope, edit.kind, edit.doc)?;
            let ops = document.effective(edit.ops);
            if !ops.is_empty() {
                changes.push(self.draft(scope, &document, ops));
                documents.push(document);
            }
        }
        let when = wall_ms.map_or(When::Now, When::At);
        self.commit_drafted(&turn, scope, acting, (changes, documents), verdicts, when)
    }

    /// A change that builds on what has taken effect here, and on what the pages that are coming stand for. A document
    /// can hold more: pages may be ahead of the logs.
    fn draft(&self, scope: &Scope, document: &Document, ops: Vec<Op>) -> Change {
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return document.draft(ops) };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        let paged: BTreeMap<LogId, u64> = scoped.paged().map(|(log, paged)| (*log, paged.len)).collect();
        document.draft_on(ops, |origin| {
            paged.get(&origin.log).is_some_and(|len| *len >= origin.seq)
                || scoped.applied.len_of(&holder(&held, origin)) >= origin.seq
        })
    }

    /// A document to be written to; nothing but its genesis if it is not there.
    fn open_document(&self, scope: &Scope, kind: Kind, doc: DocId) -> Result<Document, ReplicaError> {
        if self.is_erased(&doc) {
            return Err(ReplicaError::Erased { document: doc });
        }
        if self.lacking(scope).contains(&doc) {
            let what = format!("document {doc}");
            return Err(ReplicaError::Damaged { what, dir: self.dir.clone() });
        }
        match self.load_document(scope, kind, &doc)? {
            Some(document) => Ok(document),
            None => Document::new(doc, kind).map_err(|e| ReplicaError::Form(e.to_string())),
        }
    }

    /// Commits changes and the documents that they change, as one transaction.
    fn commit_drafted(
        &self,
        _turn: &MutexGuard<'_, ()>,
        scope: &Scope,
        acting: &Author,
        (changes, documents): (Vec<Change>, Vec<Document>),
        verdicts: Vec<Verdict>,
        when: When,
    ) -> Result<Option<Committed>, ReplicaError> {
        if changes.is_empty() && verdicts.is_empty() {
            return Ok(None);
        }
        let worker = acting.worker();
        let profile = self.profile();
        let log = self.own_log(scope);
        let author;
        let after_ms;
        let (record, tip, reported) = {
            let state = lock(&self.state);
            if let Some(reason) = &state.failed {
                return Err(ReplicaError::Failed { reason: reason.clone() });
            }
            if let Some(reason) = &state.revoked
                && !matches!(when, When::Saved(_))
            {
                return Err(ReplicaError::Revoked { reason: reason.clone() });
            }
            let scoped =
                state.scopes.get(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
            let own = scoped.tips.get(&log);
            if own.is_some_and(|tip| scoped.applied.len_of(&log) < tip.len) {
                // Something damaged is on its way back; what would be written now did not know its own past.
                return Err(ReplicaError::Damaged {
                    what: format!("what this replica's own log of {scope} builds on"),
                    dir: self.dir.clone(),
                });
            }
            let unknown = || ReplicaError::Damaged {
                what: format!("the end of a log of {scope}"),
                dir: self.dir.clone(),
            };
            let (mut head, mut seq) = own.map_or((EMPTY_HEAD, 1), |tip| (tip.head, tip.len + 1));
            let opening = (seq == 1).then(|| {
                let earlier = profile.earlier.iter().rev().find_map(|epoch| {
                    scoped.tips.get(&LogId::derive(scope, &profile.replica(), *epoch)).map(|tip| tip.head)
                });
                Opening { replica: profile.replica(), epoch: profile.epoch(), predecessor: earlier }
            });
            let my_actor = actor(&log, self.actor_nonce);
            let current = scoped.applied.0.get(&log).map(|applied| applied.actor);
            let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
            if planted::is(Bug::ReuseSeq) && seq > 2 && current != Some(my_actor) {
                seq -= 1;
                head = held.record(&log, seq - 1).map_or(head, |record| record.head);
            }
            let (seen, reported) = unreported(&held, scoped, &log).ok_or_else(unknown)?;
            let mut transaction = Transaction {
                log,
                seq,
                lamport: scoped
                    .paged()
                    .filter(|(of, _)| **of != log)
                    .map(|(_, paged)| paged.lamport + 1)
                    .fold(scoped.applied.next_lamport(), u64::max),
                wall_ms: match when {
                    When::Now => self.now_ms(),
                    When::At(wall_ms) | When::Saved(wall_ms) => wall_ms,
                },
                worker,
                actor_nonce: (current != Some(my_actor)).then_some(self.actor_nonce),
                opening,
                seen,
                changes,
                verdicts,
                erased: Vec::new(),
                turn: None,
            };
            if let Author::InTurn(turn) = acting {
                transaction.turn = Some(sign_turn(&turn.key(), &transaction.said(&scoped.secret)));
            }
            transaction.check_form().map_err(|e| ReplicaError::Form(e.to_string()))?;
            let head = next_head(&head, &transaction.hash(&scoped.secret));
            let identity = own.map_or_else(
                || LogIdentity { replica: profile.replica(), epoch: profile.epoch(), branch: None },
                |tip| tip.identity.clone(),
            );
            let floor = own.map_or(0, |tip| tip.floor);
            author = identity.clone();
            let before = scoped.applied.0.get(&log).map_or(0, |applied| applied.after_ms);
            after_ms = before.max(written_by(&held, &profile.centre(), &transaction.seen));
            let tip = Tip { identity, len: seq, head, lamport: transaction.lamport, floor };
            let signature = Some(sign_head(&profile.signing_key(), &log, seq, &head));
            let record = LogRecord { head, signature, transaction };
            (record, tip, reported)
        };
        if !matches!(when, When::Saved(_)) {
            self.may_commit(scope, &author, &record.transaction, after_ms)?;
        }
        let encoded = encode_record(&record);
        let len_bytes = encoded.len();
        if len_bytes > LEN_BYTES_MAX {
            return Err(ReplicaError::TooLarge { len_bytes, max_bytes: LEN_BYTES_MAX });
        }
        self.store_commit(scope, worker, &record.transaction, encoded, tip, documents, reported, after_ms)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one batch")]
    fn store_commit(
        &self,
        scope: &Scope,
        worker: DocId,
        transaction: &Transaction,
        record: Vec<u8>,
        tip: Tip,
        mut documents: Vec<Document>,
        reported: Extents,
        after_ms: u64,
    ) -> Result<Option<Committed>, ReplicaError> {
        let (log, seq) = (transaction.log, transaction.seq);
        let my_actor = actor(&log, self.actor_nonce);
        let origin = wangge_model::document::Origin {
            log,
            seq,
            lamport: transaction.lamport,
            worker,
            wall_ms: transaction.wall_ms,
            observed_ms: if self.is_centre() { self.now_ms() } else { 0 },
            actor: my_actor,
        };
        let mut batch = Batch::new();
        let mut stored = Vec::with_capacity(documents.len());
        for (document, change) in documents.iter_mut().zip(&transaction.changes) {
            document.apply(change, &origin).map_err(|e| ReplicaError::Form(e.to_string()))?;
            let writes = self.writes_of(scope, document);
            stored.extend(writes.first().cloned());
            put_all(writes, &mut batch);
        }
        self.put_record(scope, (&log, seq), record, false, &mut batch);
        batch.put(keys::tip(scope, &log), encode(&tip));
        if !transaction.seen.is_empty() {
            batch.put(keys::reported(scope), encode(&reported));
        }
        let mut applied = match lock(&self.state).scopes.get(scope) {
            Some(scoped) => scoped.applied.clone(),
            None => return Err(ReplicaError::NotHeld { scope: scope.clone() }),
        };
        let own =
            AppliedLog { len: seq, lamport: transaction.lamport, actor: my_actor, after_ms, ended: None };
        applied.0.insert(log, own);
        batch.put(keys::applied(scope), encode(&applied));
        let decisions = self.own_verdicts(scope, &applied, &transaction.verdicts, &mut batch)?;
        // Not the roster: nobody could join.
        if planted::is(Bug::SavedBeforeFsync) && *scope != Scope::Street {
            self.store.commit_then(batch, |_| ());
        } else {
            self.store.commit(batch)?;
        }
        self.crossing.note(scope, documents.iter().map(|document| (document.kind(), document.id())));
        self.tell_photos();
        let extent = extent_of(&tip);
        if let Some(scoped) = lock(&self.state).scopes.get_mut(scope) {
            scoped.tips.insert(log, tip);
            scoped.applied = applied;
            scoped.reported = reported;
            scoped.decide(decisions);
        }
        if *scope == Scope::Street {
            self.refresh_roster()?;
        }
        self.note_durable(scope, &[(log, extent)]);
        let changed = documents.iter().map(Document::id).collect();
        for (document, (key, stored)) in documents.into_iter().zip(stored) {
            self.recent.put(key, stored.unwrap_or_default(), document);
        }
        Ok(Some(Committed { log, seq, documents: changed }))
    }
}

/// The latest time at which `centre` wrote something that is reported as seen.
fn written_by(held: &HeldScope<'_>, centre: &ReplicaId, seen: &[Seen]) -> u64 {
    let centres = |log: &LogId| held.tips.get(log).is_some_and(|tip| tip.identity.replica == *centre);
    let written = seen.iter().filter(|seen| centres(&seen.log));
    let written = written.filter_map(|seen| held.record(&branch_of(held, seen)?, seen.len));
    written.map(|record| record.transaction.wall_ms).max().unwrap_or(0)
}

/// What has taken effect here, or came in pages, since the last transaction of `own` reported it, and the clock that
/// reporting it leads to. `None` if the end of a log where it took effect is not known: what is not reported must
/// not count for the Lamport number either.
fn unreported(held: &HeldScope<'_>, scoped: &ScopeState, own: &LogId) -> Option<(Vec<Seen>, Extents)> {
    let mut ends: BTreeMap<LogId, Extent> = BTreeMap::new();
    for (log, state) in &scoped.applied.0 {
        if log == own || state.len <= scoped.reported.len_of(log) {
            continue;
        }
        let head = match held.tips.get(log) {
            Some(tip) if tip.len == state.len => head_tag(&tip.head),
            _ => match (held.record(log, state.len), scoped.floors.0.get(log)) {
                (Some(record), _) => head_tag(&record.head),
                // It came in pages, and what has come since has not taken effect yet.
                (None, Some(floor)) if floor.len == state.len => floor.head,
                _ => return None,
            },
        };
        ends.insert(*log, Extent { len: state.len, head });
    }
    for (log, paged) in scoped.paged().filter(|(log, _)| *log != own) {
        if paged.len > scoped.reported.len_of(log) {
            ends.insert(*log, Extent { len: paged.len, head: paged.head });
        }
    }
    let seen =
        |(log, end): (&LogId, &Extent)| Seen { log: tree::root(held, log), len: end.len, head: end.head };
    let seen = ends.iter().map(seen).collect();
    let mut clock = scoped.reported.clone();
    clock.0.extend(ends);
    Some((seen, clock))
}
