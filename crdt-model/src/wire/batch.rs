//! Transactions on the wire: runs of one scope, without what their receiver derives.
//!
//! Sent per transaction: what differs from the one before. Sent per change: document, dependencies
//! (twelve bytes of a hash each), field and value. Names of fields travel as numbers, digits packed.
//!
//! A batch has three streams, as what is alike compresses where it stands together: the form; the times; and
//! the noise, that is ids, hashes, signatures and digits, which no compression makes shorter. The first two
//! travel as one compressed block, the noise follows as it is. An id that occurred before is a number.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::bytes::{
    Reader, WireError, Writer, is_digits, pack, read_digits_count, read_scalar, tag, tag_of, unpack,
    write_scalar,
};
use super::scope::{scope_bytes, scope_of};
use crate::document::{Change, DEPS_MAX, Dep, KEY_LEN_BYTES_MAX, OPS_MAX, Op, Scalar, Target};
use crate::identity::{DocId, Epoch, Hash, LogId, ReplicaId, Scope};
use crate::log::{Branch, HeadSignature, Run};
use crate::schema::Kind;
use crate::transaction::{CHANGES_MAX, Erased, Opening, Place, SEEN_MAX, Seen, Transaction};
use crate::verdict::{Settled, Verdict, Void};

/// Longest batch, unfolded, in bytes.
pub const BATCH_LEN_BYTES_MAX: usize = 512 * 1024;
/// Most transactions in one run.
pub const RUN_TRANSACTIONS_MAX: usize = 1_024;
/// Most transactions in one batch: a transaction takes a few bytes packed and hundreds unfolded.
pub const BATCH_TRANSACTIONS_MAX: usize = 8 * 1_024;
/// Most verdicts that are read of one transaction: more than fit into one.
const VERDICTS_MAX: usize = 16 * 1_024;

/// How hard a batch is compressed. One step more saves 0.3 % of the bytes; from 9 on the encoder clears a table of
/// 32 MB for each batch, however short.
const QUALITY: u32 = 4;

const LAMPORT: u8 = 1;
const WORKER: u8 = 2;
const ACTOR: u8 = 4;
const OPENING: u8 = 8;
const SEEN: u8 = 16;
const VERDICTS: u8 = 32;
const CHANGES: u8 = 64;
const TURN: u8 = 128;

/// What the next transaction of a run is written relative to.
struct Last {
    lamport: u64,
    wall_ms: u64,
    worker: Option<DocId>,
    kind: Option<Kind>,
}

impl Last {
    fn before(lamport: u64, wall_ms: u64) -> Self {
        Self { lamport: lamport.wrapping_sub(1), wall_ms, worker: None, kind: None }
    }
}

/// Workers whom both sides know without saying: nobody, as whom the relay decides.
const KNOWN_WORKERS: [DocId; 1] = [DocId([0; 16])];

/// Numbers of ids that have occurred.
struct Numbers<T>(BTreeMap<T, u64>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Numbers<T> {
    /// The number of an id; `None` where it occurs for the first time.
    fn of(&mut self, id: T) -> Option<u64> {
        let next = self.0.len() as u64;
        match self.0.entry(id) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(vacant) => {
                vacant.insert(next);
                None
            }
        }
    }
}

/// A batch that is being written.
#[derive(Default)]
struct Outgoing {
    form: Writer,
    times: Writer,
    noise: Writer,
    logs: Numbers<LogId>,
    documents: Numbers<DocId>,
    workers: Numbers<DocId>,
}

impl Outgoing {
    fn id(&mut self, number: Option<u64>, id: &[u8]) {
        match number {
            Some(number) => self.form.uint(number + 1),
            None => {
                self.form.uint(0);
                self.noise.raw(id);
            }
        }
    }

    fn log(&mut self, log: &LogId) {
        let number = self.logs.of(*log);
        self.id(number, &log.0);
    }

    fn document(&mut self, document: &DocId) {
        let number = self.documents.of(*document);
        self.id(number, &document.0);
    }

    fn worker(&mut self, worker: &DocId) {
        let number = self.workers.of(*worker);
        self.id(number, &worker.0);
    }
}

/// Runs of one scope as they travel.
pub fn encode_batch(scope: &Scope, runs: &[Run]) -> Vec<u8> {
    let mut out = Outgoing::default();
    for worker in KNOWN_WORKERS {
        out.workers.of(worker);
    }
    out.form.bytes(&scope_bytes(scope));
    out.form.uint(runs.len() as u64);
    for run in runs {
        write_run(&mut out, run);
    }
    let mut block = Writer::default();
    block.bytes(&out.form.out);
    block.raw(&out.times.out);
    let mut batch = Writer::default();
    batch.bytes(&pack(&block.out, QUALITY));
    batch.raw(&out.noise.out);
    batch.out
}

/// Ids that have occurred, by number.
struct Named<T>(Vec<T>);

impl<T: Copy> Named<T> {
    /// The next id: its number, or itself.
    fn read<const N: usize>(
        &mut self,
        what: &'static str,
        form: &mut Reader<'_>,
        noise: &mut Reader<'_>,
        id: fn([u8; N]) -> T,
    ) -> Result<T, WireError> {
        match form.count(what, self.0.len())? {
            0 => {
                let id = id(noise.array(what)?);
                self.0.push(id);
                Ok(id)
            }
            at => Ok(self.0[at - 1]),
        }
    }
}

/// A batch that is being read.
struct Incoming<'a> {
    form: Reader<'a>,
    times: Reader<'a>,
    noise: Reader<'a>,
    logs: Named<LogId>,
    documents: Named<DocId>,
    workers: Named<DocId>,
}

impl Incoming<'_> {
    fn log(&mut self) -> Result<LogId, WireError> {
        self.logs.read("a log", &mut self.form, &mut self.noise, LogId)
    }

    fn document(&mut self) -> Result<DocId, WireError> {
        self.documents.read("a document", &mut self.form, &mut self.noise, DocId)
    }

    fn worker(&mut self) -> Result<DocId, WireError> {
        self.workers.read("a worker", &mut self.form, &mut self.noise, DocId)
    }
}

/// The runs again.
///
/// # Errors
/// [`WireError`]: nothing of a damaged batch is used.
pub fn decode_batch(bytes: &[u8]) -> Result<(Scope, Vec<Run>), WireError> {
    if bytes.len() > BATCH_LEN_BYTES_MAX {
        let (found, max) = (bytes.len() as u64, BATCH_LEN_BYTES_MAX as u64);
        return Err(WireError::Limit { what: "a batch's length in bytes", found, max });
    }
    let mut noise = Reader::new(bytes);
    let block = unpack(noise.bytes("a batch", BATCH_LEN_BYTES_MAX)?, BATCH_LEN_BYTES_MAX)?;
    let mut times = Reader::new(&block);
    let form = Reader::new(times.bytes("a batch", BATCH_LEN_BYTES_MAX)?);
    let (logs, documents) = (Named(Vec::new()), Named(Vec::new()));
    let mut batch = Incoming { form, times, noise, logs, documents, workers: Named(KNOWN_WORKERS.to_vec()) };
    let scope = scope_of(batch.form.bytes("a scope", 64)?)?;
    let count = batch.form.count("a count of runs", 1_024)?;
    let mut runs = Vec::new();
    let mut transactions = 0;
    for _ in 0..count {
        let run = read_run(&mut batch)?;
        transactions += run.transactions.len();
        if transactions > BATCH_TRANSACTIONS_MAX {
            let (found, max) = (transactions as u64, BATCH_TRANSACTIONS_MAX as u64);
            return Err(WireError::Limit { what: "a batch's count of transactions", found, max });
        }
        runs.push(run);
    }
    for rest in [&batch.form, &batch.times, &batch.noise] {
        rest.end("a batch")?;
    }
    Ok((scope, runs))
}

fn write_run(out: &mut Outgoing, run: &Run) {
    let Some(first) = run.transactions.first() else { return };
    out.log(&run.log);
    match &run.branch {
        None => out.form.u8(0),
        Some(branch) => {
            out.form.u8(1);
            out.noise.raw(&branch.head.0);
            out.form.uint(branch.lamport);
            out.noise.raw(&branch.actor);
        }
    }
    out.form.uint(first.seq);
    out.form.uint(first.lamport);
    out.times.uint(first.wall_ms);
    out.form.uint(run.transactions.len() as u64);
    let mut last = Last::before(first.lamport, first.wall_ms);
    for transaction in &run.transactions {
        write_transaction(out, transaction, &mut last);
    }
    out.noise.raw(&run.signature.0);
}

fn write_transaction(out: &mut Outgoing, transaction: &Transaction, last: &mut Last) {
    let lamport_step = transaction.lamport.wrapping_sub(last.lamport);
    let same_worker = last.worker == Some(transaction.worker);
    let mut flags = 0;
    for (flag, on) in [
        (LAMPORT, lamport_step != 1),
        (WORKER, !same_worker),
        (ACTOR, transaction.actor_nonce.is_some()),
        (OPENING, transaction.opening.is_some()),
        (SEEN, !transaction.seen.is_empty()),
        (VERDICTS, !transaction.verdicts.is_empty()),
        (CHANGES, transaction.places().count() != 1),
        (TURN, transaction.turn.is_some()),
    ] {
        if on {
            flags |= flag;
        }
    }
    out.form.u8(flags);
    out.times.int(transaction.wall_ms.wrapping_sub(last.wall_ms) as i64);
    if lamport_step != 1 {
        out.form.uint(lamport_step);
    }
    if !same_worker {
        out.worker(&transaction.worker);
    }
    if let Some(nonce) = transaction.actor_nonce {
        out.noise.raw(&nonce.to_le_bytes());
    }
    if let Some(opening) = &transaction.opening {
        out.noise.raw(&opening.replica.0);
        out.noise.raw(&opening.epoch.0.to_le_bytes());
        match &opening.predecessor {
            None => out.form.u8(0),
            Some(head) => {
                out.form.u8(1);
                out.noise.raw(&head.0);
            }
        }
    }
    if !transaction.seen.is_empty() {
        out.form.uint(transaction.seen.len() as u64);
        for seen in &transaction.seen {
            out.log(&seen.log);
            out.form.uint(seen.len);
            out.noise.raw(&seen.head);
        }
    }
    if !transaction.verdicts.is_empty() {
        out.form.uint(transaction.verdicts.len() as u64);
        for verdict in &transaction.verdicts {
            write_verdict(out, verdict, transaction);
        }
    }
    if let Some(turn) = &transaction.turn {
        out.noise.raw(&turn.0);
    }
    let places = transaction.places().count();
    if places != 1 {
        out.form.uint(places as u64);
    }
    for place in transaction.places() {
        match place {
            Place::Change(change) => write_change(out, change, &mut last.kind),
            Place::Erased(erased) => {
                out.document(&erased.doc);
                out.form.u8(ERASED);
                out.noise.raw(&erased.hash.0);
            }
        }
    }
    last.lamport = transaction.lamport;
    last.wall_ms = transaction.wall_ms;
    last.worker = Some(transaction.worker);
}

/// What is decided is nearly always an end that the same transaction reports as seen.
fn write_verdict(out: &mut Outgoing, verdict: &Verdict, transaction: &Transaction) {
    let decided = Seen { log: verdict.log, len: verdict.upto, head: verdict.head };
    match transaction.seen.iter().position(|seen| *seen == decided) {
        Some(at) => out.form.uint(at as u64 + 1),
        None => {
            out.form.uint(0);
            out.log(&verdict.log);
            out.form.uint(verdict.upto);
            out.noise.raw(&verdict.head);
        }
    }
    out.times.int(verdict.observed_ms.wrapping_sub(transaction.wall_ms) as i64);
    out.form.uint(verdict.roster);
    if verdict.voids.is_empty() && verdict.settled.is_empty() {
        out.form.bytes(&[]);
    } else {
        let exceptions = (&verdict.voids, &verdict.settled);
        out.form.bytes(&postcard::to_stdvec(&exceptions).unwrap_or_default());
    }
}

/// Head of a change: how many dependencies (3 stands for "a number follows"), whether there is exactly
/// one operation, whether the kind is that of the change before, whether it builds on an
/// extension.
const DEPS_INLINE: u8 = 3;
const ONE_OP: u8 = 4;
const SAME_KIND: u8 = 8;
const BASE: u8 = 16;
/// Stands alone: the document was erased, and the hash of the change follows.
const ERASED: u8 = 32;

fn write_change(out: &mut Outgoing, change: &Change, last_kind: &mut Option<Kind>) {
    out.document(&change.doc);
    let deps = change.deps.len().min(usize::from(DEPS_INLINE)) as u8;
    let one_op = change.ops.len() == 1;
    let same_kind = *last_kind == Some(change.kind);
    let mut head = deps;
    for (flag, on) in [(ONE_OP, one_op), (SAME_KIND, same_kind), (BASE, change.base > 0)] {
        if on {
            head |= flag;
        }
    }
    out.form.u8(head);
    if !same_kind {
        out.form.u8(change.kind.0);
        *last_kind = Some(change.kind);
    }
    if change.base > 0 {
        out.form.u8(change.base);
    }
    if deps == DEPS_INLINE {
        out.form.uint(change.deps.len() as u64);
    }
    for dep in &change.deps {
        out.noise.raw(&dep.0);
    }
    if !one_op {
        out.form.uint(change.ops.len() as u64);
    }
    for op in &change.ops {
        write_target(&mut out.form, &op.target, tag_of(op.value.as_ref()));
        match &op.value {
            Some(Scalar::Str(text)) if is_digits(text) => {
                out.form.u8(text.len() as u8);
                out.noise.digits(text);
            }
            value => write_scalar(&mut out.form, value.as_ref()),
        }
    }
}

/// A target with the three bits of its value's tag.
pub(super) fn write_target(writer: &mut Writer, target: &Target, tag: u8) {
    match target {
        Target::Field(key) => {
            writer.u8(tag);
            writer.text(key);
        }
        Target::Entry { container, key } => {
            writer.u8(1 << 3 | tag);
            writer.text(container);
            writer.text(key);
        }
        Target::Event { container } => {
            writer.u8(2 << 3 | tag);
            writer.text(container);
        }
    }
}

pub(super) fn read_target(reader: &mut Reader<'_>) -> Result<(Target, u8), WireError> {
    let what = "an operation";
    let head = reader.u8(what)?;
    let target = match head >> 3 {
        0 => Target::Field(reader.text(what, KEY_LEN_BYTES_MAX)?),
        1 => Target::Entry {
            container: reader.text(what, KEY_LEN_BYTES_MAX)?,
            key: reader.text(what, KEY_LEN_BYTES_MAX)?,
        },
        2 => Target::Event { container: reader.text(what, KEY_LEN_BYTES_MAX)? },
        tag => return Err(WireError::Tag { what, tag: tag.into() }),
    };
    Ok((target, head & 7))
}

fn read_run(batch: &mut Incoming<'_>) -> Result<Run, WireError> {
    let what = "a run";
    let log = batch.log()?;
    let before = match batch.form.u8(what)? {
        0 => None,
        1 => {
            let head = Hash(batch.noise.array(what)?);
            let lamport = batch.form.uint(what)?;
            Some((head, lamport, batch.noise.array(what)?))
        }
        tag => return Err(WireError::Tag { what, tag: tag.into() }),
    };
    let first = batch.form.uint(what)?;
    let branch = before.map(|(head, lamport, actor)| Branch {
        of: log,
        base: first.saturating_sub(1),
        head,
        lamport,
        actor,
    });
    let lamport = batch.form.uint(what)?;
    let wall_ms = batch.times.uint(what)?;
    let count = batch.form.count("a count of transactions", RUN_TRANSACTIONS_MAX)?;
    let mut last = Last::before(lamport, wall_ms);
    let mut transactions = Vec::new();
    for step in 0..count as u64 {
        let seq = first.checked_add(step).ok_or(WireError::Unsound { what: "a position" })?;
        transactions.push(read_transaction(batch, log, seq, &mut last)?);
    }
    Ok(Run { log, branch, transactions, signature: HeadSignature(batch.noise.array(what)?) })
}

fn read_transaction(
    batch: &mut Incoming<'_>,
    log: LogId,
    seq: u64,
    last: &mut Last,
) -> Result<Transaction, WireError> {
    let what = "a transaction";
    let flags = batch.form.u8(what)?;
    let has = |flag: u8| flags & flag != 0;
    let wall_ms = last.wall_ms.wrapping_add(batch.times.int(what)? as u64);
    let lamport = last.lamport.wrapping_add(if has(LAMPORT) { batch.form.uint(what)? } else { 1 });
    let worker = if has(WORKER) {
        batch.worker()?
    } else {
        last.worker.ok_or(WireError::Unsound { what: "a worker" })?
    };
    let actor_nonce = if has(ACTOR) { Some(u64::from_le_bytes(batch.noise.array(what)?)) } else { None };
    let opening = if has(OPENING) {
        let replica = ReplicaId(batch.noise.array(what)?);
        let epoch = Epoch(u64::from_le_bytes(batch.noise.array(what)?));
        let predecessor = match batch.form.u8(what)? {
            0 => None,
            1 => Some(Hash(batch.noise.array(what)?)),
            tag => return Err(WireError::Tag { what, tag: tag.into() }),
        };
        Some(Opening { replica, epoch, predecessor })
    } else {
        None
    };
    let mut seen = Vec::new();
    if has(SEEN) {
        for _ in 0..batch.form.count("a count of seen logs", SEEN_MAX)? {
            let log = batch.log()?;
            seen.push(Seen { log, len: batch.form.uint(what)?, head: batch.noise.array(what)? });
        }
    }
    let mut verdicts = Vec::new();
    if has(VERDICTS) {
        for _ in 0..batch.form.count("a count of verdicts", VERDICTS_MAX)? {
            verdicts.push(read_verdict(batch, &seen, wall_ms)?);
        }
    }
    let turn = if has(TURN) { Some(HeadSignature(batch.noise.array(what)?)) } else { None };
    let count = if has(CHANGES) { batch.form.count("a count of changes", CHANGES_MAX)? } else { 1 };
    let (mut changes, mut erased) = (Vec::new(), Vec::new());
    for at in 0..count {
        match read_change(batch, &mut last.kind)? {
            Read::Change(change) => changes.push(change),
            Read::Erased(doc, hash) => erased.push(Erased { at: at as u16, doc, hash }),
        }
    }
    last.lamport = lamport;
    last.wall_ms = wall_ms;
    last.worker = Some(worker);
    Ok(Transaction {
        log,
        seq,
        lamport,
        wall_ms,
        worker,
        actor_nonce,
        opening,
        seen,
        changes,
        verdicts,
        erased,
        turn,
    })
}

fn read_verdict(batch: &mut Incoming<'_>, seen: &[Seen], wall_ms: u64) -> Result<Verdict, WireError> {
    let what = "a verdict";
    let decided = match batch.form.count(what, seen.len())? {
        0 => Seen { log: batch.log()?, len: batch.form.uint(what)?, head: batch.noise.array(what)? },
        at => seen[at - 1].clone(),
    };
    let observed_ms = wall_ms.wrapping_add(batch.times.int(what)? as u64);
    let roster = batch.form.uint(what)?;
    let exceptions = batch.form.bytes(what, BATCH_LEN_BYTES_MAX)?;
    let (voids, settled): (Vec<Void>, Vec<Settled>) = if exceptions.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        postcard::from_bytes(exceptions).map_err(|_| WireError::Unsound { what })?
    };
    let Seen { log, len: upto, head } = decided;
    Ok(Verdict { log, upto, head, observed_ms, roster, voids, settled })
}

enum Read {
    Change(Change),
    Erased(DocId, Hash),
}

fn read_change(batch: &mut Incoming<'_>, last_kind: &mut Option<Kind>) -> Result<Read, WireError> {
    let what = "a change";
    let doc = batch.document()?;
    let head = batch.form.u8(what)?;
    if head == ERASED {
        return Ok(Read::Erased(doc, Hash(batch.noise.array(what)?)));
    }
    if head > (DEPS_INLINE | ONE_OP | SAME_KIND | BASE) {
        return Err(WireError::Tag { what, tag: head.into() });
    }
    let kind = match *last_kind {
        Some(kind) if head & SAME_KIND != 0 => kind,
        _ if head & SAME_KIND != 0 => return Err(WireError::Unsound { what: "a kind" }),
        _ => Kind(batch.form.u8(what)?),
    };
    *last_kind = Some(kind);
    let base = if head & BASE != 0 { batch.form.u8(what)? } else { 0 };
    let count = match head & DEPS_INLINE {
        DEPS_INLINE => batch.form.count("a count of dependencies", DEPS_MAX)?,
        few => usize::from(few),
    };
    let mut deps = Vec::with_capacity(count);
    for _ in 0..count {
        deps.push(Dep(batch.noise.array(what)?));
    }
    let count = if head & ONE_OP != 0 { 1 } else { batch.form.count("a count of operations", OPS_MAX)? };
    let mut ops = Vec::new();
    for _ in 0..count {
        let (target, tag) = read_target(&mut batch.form)?;
        let value = match tag {
            tag::DIGITS => {
                let count = read_digits_count(&mut batch.form)?;
                Some(Scalar::Str(batch.noise.digits(what, count)?))
            }
            tag => read_scalar(&mut batch.form, tag)?,
        };
        ops.push(Op { target, value });
    }
    Ok(Read::Change(Change { doc, kind, base, deps, ops }))
}
