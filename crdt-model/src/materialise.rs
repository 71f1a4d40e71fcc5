//! Turning logs into documents: the half of admission that needs documents, and the one place where
//! transactions take effect. Pure; the caller looks up records and documents and stores what comes out.
//!
//! A transaction takes effect when all that its author had seen has, whole or not at all. Documents
//! reach the same state in whatever causal order transactions come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Extent;
use crate::document::{Document, DocumentError, FormError, Origin, is_known};
use crate::identity::{DocId, LogId, ReplicaId};
use crate::ingest::Held;
use crate::log::{Branch, LogRecord, Tip};
use crate::planted::{self, Bug};
use crate::schema::Kind;
use crate::transaction::{Breach, Seen, Transaction, TransactionError, actor};
use crate::tree::named;
use crate::verdict::VoidReason;

/// How far one log has taken effect.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AppliedLog {
    /// Positions up to this one.
    pub len: u64,
    /// The Lamport number there.
    pub lamport: u64,
    /// The Automerge actor in use there.
    pub actor: [u8; 16],
    /// The latest time at which the centre wrote something that the author had seen there.
    pub after_ms: u64,
    /// The log broke a rule of form here: nothing from this position on takes effect.
    pub ended: Option<u64>,
}

/// Where documents come from.
pub trait Documents {
    /// A stored document, `None` if there is none of that id.
    ///
    /// # Errors
    /// [`DocumentError`] if it is damaged.
    fn load(&self, doc: &DocId, kind: Kind) -> Result<Option<Document>, DocumentError>;
    /// Why the position is void, if it was found to be so before it took effect. What its author had seen
    /// of the centre was written at `after_ms`.
    fn void(&self, log: &LogId, record: &LogRecord, after_ms: u64) -> Option<VoidReason>;
    /// The centre's replica.
    fn centre(&self) -> ReplicaId;
    /// Void transactions that change `doc`, in the order (Lamport, log, seq), each with the log that
    /// holds it and the Automerge actor in use there.
    fn voided(&self, doc: &DocId) -> Vec<(LogId, [u8; 16], LogRecord)>;
    /// Whether this program knows a kind up to an extension.
    fn knows(&self, kind: Kind, base: u8) -> bool {
        is_known(kind, base)
    }
    /// Whether a document, or what it holds, is damaged here and on its way back: whatever changes it waits, as nobody
    /// can say here whether it fits.
    fn lacks(&self, _doc: &DocId) -> bool {
        false
    }
    /// When the relay observed a position, milliseconds since 1970 (UTC), 0 if that is not known.
    fn observed_ms(&self, log: &LogId, seq: u64) -> u64;
}

/// What became of one transaction.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// It waits for something that its author had seen.
    Waits,
    /// A newer version wrote it: it waits, with all that its log holds after it, for the update of this
    /// program. It is stored and forwarded meanwhile.
    NeedsUpdate,
    /// It took effect.
    Applied,
    /// It is void.
    Void(VoidReason),
    /// It breaks a rule of form: its log ends before it.
    Ended(TransactionError),
}

/// Documents that transactions have changed and that are not stored yet.
#[derive(Debug, Default)]
pub struct Open {
    documents: BTreeMap<DocId, (Document, bool)>,
}

impl Open {
    /// The changed documents, to be stored together with the applied positions.
    pub fn drain_changed(&mut self) -> impl Iterator<Item = Document> {
        std::mem::take(&mut self.documents).into_values().filter(|(_, changed)| *changed).map(|(doc, _)| doc)
    }

    /// Puts a document there that was changed otherwise.
    pub fn replace(&mut self, document: Document) {
        self.documents.insert(document.id(), (document, true));
    }

    /// An open document.
    pub fn document(&self, id: &DocId) -> Option<&Document> {
        self.documents.get(id).map(|(document, _)| document)
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    fn get(&mut self, docs: &impl Documents, id: &DocId, kind: Kind) -> Result<&mut (Document, bool), Fault> {
        if !self.documents.contains_key(id) {
            let document = match docs.load(id, kind)? {
                Some(document) => document,
                None => Document::new(*id, kind)?,
            };
            self.documents.insert(*id, (document, false));
        }
        self.documents.get_mut(id).ok_or(Fault::Form(FormError::UnknownDep { doc: *id }))
    }
}

#[derive(Debug)]
enum Fault {
    Form(FormError),
    Damaged(DocumentError),
}

impl From<FormError> for Fault {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<DocumentError> for Fault {
    fn from(error: DocumentError) -> Self {
        Self::Damaged(error)
    }
}

/// How far each log of one scope has taken effect.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Applied(pub BTreeMap<LogId, AppliedLog>);

impl Applied {
    /// The Lamport number for a new transaction of someone who has seen all this.
    pub fn next_lamport(&self) -> u64 {
        self.0.values().map(|log| log.lamport).max().unwrap_or(0) + 1
    }

    /// How far `log` has taken effect.
    pub fn len_of(&self, log: &LogId) -> u64 {
        self.0.get(log).map_or(0, |applied| applied.len)
    }

    /// The state of a log as it was at an earlier position: where a branch begins.
    pub fn at(held: &impl Held, log: &LogId, seq: u64) -> AppliedLog {
        let Some(record) = held.record(log, seq) else { return AppliedLog::default() };
        let named = record.transaction.log;
        let nonce = (1..=seq).rev().find_map(|at| held.record(log, at)?.transaction.actor_nonce);
        let began = || held.tip(log)?.identity.branch.map(|branch| branch.actor);
        AppliedLog {
            len: seq,
            lamport: record.transaction.lamport,
            actor: nonce.map_or_else(|| began().unwrap_or_default(), |nonce| actor(&named, nonce)),
            after_ms: 0,
            ended: None,
        }
    }

    /// Lets the next transaction of `log` take effect, if it can.
    ///
    /// # Errors
    /// [`DocumentError`] if a stored document is damaged; nothing took effect then.
    pub fn step(
        &mut self,
        held: &impl Held,
        docs: &impl Documents,
        open: &mut Open,
        log: &LogId,
        tip: &Tip,
    ) -> Result<(Effect, Option<LogRecord>), DocumentError> {
        let mut state = match self.0.get(log) {
            Some(state) => state.clone(),
            None => match &tip.identity.branch {
                // What both share comes first.
                Some(branch) if self.len_of(&branch.of) < branch.base => return Ok((Effect::Waits, None)),
                // Spelt out, as it may lie below a floor.
                Some(branch) => self.left(branch),
                None => AppliedLog::default(),
            },
        };
        let Some(record) = held.record(log, state.len + 1) else { return Ok((Effect::Waits, None)) };
        let transaction = &record.transaction;
        if transaction.changes.iter().any(|change| !docs.knows(change.kind, change.base)) {
            return Ok((Effect::NeedsUpdate, None));
        }
        if transaction.changes.iter().any(|change| docs.lacks(&change.doc)) {
            return Ok((Effect::Waits, None));
        }
        let seq = transaction.seq;
        let effect = if state.ended.is_some() {
            Effect::Void(VoidReason::Form)
        } else {
            let Some(greatest) = self.greatest_seen(held, docs, &transaction.seen, state.lamport) else {
                return Ok((Effect::Waits, None));
            };
            if let (None, Some(branch)) = (self.0.get(log), &tip.identity.branch) {
                state.after_ms = self.after_ms_at(held, docs, branch);
            }
            state.after_ms = state.after_ms.max(greatest.after_ms);
            if let Some(nonce) = transaction.actor_nonce {
                state.actor = actor(&transaction.log, nonce);
            }
            // Form comes first: all replicas judge it alike, whatever they think of the author's right.
            let void = docs.void(log, &record, state.after_ms);
            let ended = |breach| Effect::Ended(TransactionError { log: *log, seq, breach });
            if !greatest.allows(transaction.lamport) {
                ended(Breach::Lamport { found: transaction.lamport })
            } else {
                match apply(docs, open, log, transaction, state.actor, void.is_some()) {
                    Ok(()) => void.map_or(Effect::Applied, Effect::Void),
                    Err(Fault::Form(error)) => ended(Breach::Change(error)),
                    Err(Fault::Damaged(error)) => return Err(error),
                }
            }
        };
        if matches!(effect, Effect::Ended(_)) {
            state.ended = Some(seq);
        }
        state.len = seq;
        if state.ended.is_none() {
            state.lamport = transaction.lamport;
        }
        self.0.insert(*log, state);
        Ok((effect, Some(record)))
    }

    /// The state in which a branch begins: that of what it leaves, there, but for [`Applied::after_ms_at`].
    fn left(&self, branch: &Branch) -> AppliedLog {
        let Branch { of, base, lamport, actor, .. } = *branch;
        let ended = self.0.get(&of).and_then(|state| state.ended).filter(|ended| *ended <= base);
        AppliedLog { len: base, lamport, actor, after_ms: 0, ended }
    }

    /// The latest time at which the centre wrote something that the author had seen where a branch leaves. Reads all
    /// that precedes it, so once a branch. All that its beginning had seen has taken effect.
    fn after_ms_at(&self, held: &impl Held, docs: &impl Documents, branch: &Branch) -> u64 {
        let had_seen = (1..=branch.base).filter_map(|seq| held.record(&branch.of, seq));
        let greatest =
            had_seen.filter_map(|record| self.greatest_seen(held, docs, &record.transaction.seen, 0));
        greatest.map(|greatest| greatest.after_ms).max().unwrap_or(0)
    }

    /// The greatest Lamport number among what the author had seen; `None` while some of that has not
    /// taken effect here.
    fn greatest_seen(
        &self,
        held: &impl Held,
        docs: &impl Documents,
        seen: &[Seen],
        own: u64,
    ) -> Option<Greatest> {
        let mut greatest = Greatest { lamport: own, exact: true, after_ms: 0 };
        for seen in seen {
            let log = branch_of(held, seen)?;
            if self.len_of(&log) < seen.len && !planted::is(Bug::ApplyEarly) {
                return None;
            }
            // What a log holds from where it broke the rules orders nothing.
            let ended = self.0.get(&log).and_then(|state| state.ended);
            let upto = ended.map_or(seen.len, |ended| seen.len.min(ended - 1));
            if upto == 0 {
                continue;
            }
            match held.record(&log, upto) {
                Some(record) => {
                    greatest.lamport = greatest.lamport.max(record.transaction.lamport);
                    if held.tip(&log).is_some_and(|tip| tip.identity.replica == docs.centre()) {
                        greatest.after_ms = greatest.after_ms.max(record.transaction.wall_ms);
                    }
                }
                // Below the floor: the number is not held here.
                None => greatest.exact = false,
            }
        }
        Some(greatest)
    }
}

/// The log or branch that holds what was seen, under the name that it has here.
pub fn branch_of(held: &impl Held, seen: &Seen) -> Option<LogId> {
    named(held, &seen.log, &Extent { len: seen.len, head: seen.head })
}

struct Greatest {
    lamport: u64,
    exact: bool,
    after_ms: u64,
}

impl Greatest {
    fn allows(&self, lamport: u64) -> bool {
        lamport == self.lamport + 1 || !self.exact && lamport > self.lamport || planted::is(Bug::SkipLamport)
    }
}

fn origin(docs: &impl Documents, log: &LogId, transaction: &Transaction, actor: [u8; 16]) -> Origin {
    Origin {
        log: transaction.log,
        seq: transaction.seq,
        lamport: transaction.lamport,
        worker: transaction.worker,
        wall_ms: transaction.wall_ms,
        observed_ms: docs.observed_ms(log, transaction.seq),
        actor,
    }
}

/// Lets a transaction that was taken for void take effect after all.
///
/// # Errors
/// [`DocumentError`] if a stored document is damaged. The inner error is a rule of form that the
/// transaction breaks; nothing of it took effect then.
pub fn enter(
    docs: &impl Documents,
    open: &mut Open,
    log: &LogId,
    transaction: &Transaction,
    actor: [u8; 16],
) -> Result<Result<(), FormError>, DocumentError> {
    match apply(docs, open, log, transaction, actor, false) {
        Ok(()) => {}
        Err(Fault::Form(error)) => return Ok(Err(error)),
        Err(Fault::Damaged(error)) => return Err(error),
    }
    let origin = origin(docs, log, transaction, actor);
    for change in &transaction.changes {
        if let Some((document, _)) = open.documents.get_mut(&change.doc) {
            document.mark(&origin, false);
        }
    }
    Ok(Ok(()))
}

/// Applies a transaction, or only finds out whether it could be.
fn apply(
    docs: &impl Documents,
    open: &mut Open,
    log: &LogId,
    transaction: &Transaction,
    actor: [u8; 16],
    only_check: bool,
) -> Result<(), Fault> {
    let origin = origin(docs, log, transaction, actor);
    let mut undo: Vec<(DocId, (Document, bool))> = Vec::new();
    for change in &transaction.changes {
        let done = (|| {
            let entry = open.get(docs, &change.doc, change.kind)?;
            if only_check || transaction.changes.len() > 1 {
                undo.push((change.doc, (entry.0.clone(), entry.1)));
            }
            match entry.0.apply(change, &origin) {
                Err(FormError::UnknownDep { doc }) => {
                    // It may build on a change that was found void: then that one enters after all.
                    let voided = docs.voided(&doc);
                    if voided.is_empty() {
                        return Err(Fault::Form(FormError::UnknownDep { doc }));
                    }
                    let mut with_them = entry.0.clone();
                    for (log, actor, record) in voided {
                        let void = &record.transaction;
                        let void_origin = self::origin(docs, &log, void, actor);
                        for change in void.changes.iter().filter(|c| c.doc == doc) {
                            // One that breaks the rules of form is void for that: nothing can build on it.
                            if with_them.apply(change, &void_origin).is_ok() {
                                with_them.mark(&void_origin, true);
                            }
                        }
                    }
                    with_them.apply(change, &origin)?;
                    // Which others were void when this came differs from replica to replica: those that nothing builds
                    // on stay out.
                    entry.0 = with_them.without(|_| false)?;
                }
                other => other?,
            }
            entry.1 = true;
            Ok(())
        })();
        if let Err(fault) = done {
            open.documents.extend(undo);
            return Err(fault);
        }
        if planted::is(Bug::HalfTransaction) {
            break;
        }
    }
    if only_check {
        open.documents.extend(undo);
        leave(open, transaction, &origin)?;
    }
    Ok(())
}

/// Takes a void transaction out of documents that held it from before: what takes effect again, as after damage,
/// may have taken effect before it was found to be void.
fn leave(open: &mut Open, transaction: &Transaction, origin: &Origin) -> Result<(), Fault> {
    for change in &transaction.changes {
        let Some((document, changed)) = open.documents.get_mut(&change.doc) else { continue };
        if document.counts(origin) {
            let is_it = |held: &Origin| {
                held.log == origin.log && held.seq == origin.seq && held.actor == origin.actor
            };
            let damaged =
                |error: FormError| DocumentError::Damaged { doc: change.doc, reason: error.to_string() };
            *document = document.without(is_it).map_err(damaged)?;
            *changed = true;
        }
    }
    Ok(())
}
