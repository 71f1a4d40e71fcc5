//! Transactions on the wire: runs of one scope, without what their receiver derives.
//!
//! Sent per transaction: what differs from the one before. Sent per change: document, dependencies
//! (twelve bytes of a hash each), field and value. Names of fields travel as numbers, digits packed.

use super::bytes::{Reader, WireError, Writer, pack, read_scalar, tag_of, unpack, write_scalar};
use crate::document::{Change, DEPS_MAX, Dep, KEY_LEN_BYTES_MAX, OPS_MAX, Op, Target};
use crate::identity::{DocId, Epoch, Hash, LogId, ReplicaId, Scope};
use crate::log::{Branch, EMPTY_HEAD, HeadSignature, Run};
use crate::schema::Kind;
use crate::transaction::{CHANGES_MAX, Erased, Opening, Place, SEEN_MAX, Seen, Transaction};
use crate::verdict::Verdict;

/// Longest batch, unfolded, in bytes.
pub const BATCH_LEN_BYTES_MAX: usize = 512 * 1024;
/// Most transactions in one run.
pub const RUN_TRANSACTIONS_MAX: usize = 1_024;
/// Most transactions in one batch: a transaction takes a few bytes packed and hundreds unfolded.
pub const BATCH_TRANSACTIONS_MAX: usize = 8 * 1_024;

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

/// Runs of one scope as they travel.
pub fn encode_batch(scope: &Scope, runs: &[Run]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(scope.to_string().as_bytes());
    writer.uint(runs.len() as u64);
    let mut workers = KNOWN_WORKERS.to_vec();
    for run in runs {
        write_run(&mut writer, run, &mut workers);
    }
    pack(&writer.out, 4)
}

/// The runs again.
///
/// # Errors
/// [`WireError`]: nothing of a damaged batch is used.
pub fn decode_batch(bytes: &[u8]) -> Result<(Scope, Vec<Run>), WireError> {
    let block = unpack(bytes, BATCH_LEN_BYTES_MAX)?;
    let mut reader = Reader::new(&block);
    let scope = read_scope(&mut reader)?;
    let count = reader.count("a count of runs", 1_024)?;
    let mut workers = KNOWN_WORKERS.to_vec();
    let mut runs = Vec::new();
    let mut transactions = 0;
    for _ in 0..count {
        let run = read_run(&mut reader, &mut workers)?;
        transactions += run.transactions.len();
        if transactions > BATCH_TRANSACTIONS_MAX {
            let (found, max) = (transactions as u64, BATCH_TRANSACTIONS_MAX as u64);
            return Err(WireError::Limit { what: "a batch's count of transactions", found, max });
        }
        runs.push(run);
    }
    reader.end("a batch")?;
    Ok((scope, runs))
}

fn read_scope(reader: &mut Reader<'_>) -> Result<Scope, WireError> {
    let what = "a scope";
    std::str::from_utf8(reader.bytes(what, 64)?)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(WireError::Unsound { what })
}

fn write_run(writer: &mut Writer, run: &Run, workers: &mut Vec<DocId>) {
    let Some(first) = run.transactions.first() else { return };
    writer.raw(&run.log.0);
    match &run.branch {
        None => writer.u8(0),
        Some(branch) => {
            writer.u8(1);
            writer.raw(&first.log.0);
            writer.raw(&branch.of.0);
            writer.uint(branch.base);
            if branch.base > 0 {
                writer.raw(&branch.head.0);
                writer.uint(branch.lamport);
                writer.raw(&branch.actor);
            }
        }
    }
    writer.uint(first.seq);
    writer.uint(first.lamport);
    writer.uint(first.wall_ms);
    writer.uint(run.transactions.len() as u64);
    let mut last = Last::before(first.lamport, first.wall_ms);
    for transaction in &run.transactions {
        write_transaction(writer, transaction, &mut last, workers);
    }
    writer.raw(&run.signature.0);
}

fn write_transaction(
    writer: &mut Writer,
    transaction: &Transaction,
    last: &mut Last,
    workers: &mut Vec<DocId>,
) {
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
    writer.u8(flags);
    writer.int(transaction.wall_ms.wrapping_sub(last.wall_ms) as i64);
    if lamport_step != 1 {
        writer.uint(lamport_step);
    }
    if !same_worker {
        match workers.iter().position(|worker| *worker == transaction.worker) {
            Some(at) => writer.uint(at as u64 + 1),
            None => {
                writer.uint(0);
                writer.raw(&transaction.worker.0);
                workers.push(transaction.worker);
            }
        }
    }
    if let Some(nonce) = transaction.actor_nonce {
        writer.raw(&nonce.to_le_bytes());
    }
    if let Some(opening) = &transaction.opening {
        writer.raw(&opening.replica.0);
        writer.raw(&opening.epoch.0.to_le_bytes());
        match &opening.predecessor {
            None => writer.u8(0),
            Some(head) => {
                writer.u8(1);
                writer.raw(&head.0);
            }
        }
    }
    if !transaction.seen.is_empty() {
        writer.uint(transaction.seen.len() as u64);
        for seen in &transaction.seen {
            writer.raw(&seen.log.0);
            writer.uint(seen.len);
            writer.raw(&seen.head);
        }
    }
    if !transaction.verdicts.is_empty() {
        writer.bytes(&postcard::to_stdvec(&transaction.verdicts).unwrap_or_default());
    }
    if let Some(turn) = &transaction.turn {
        writer.raw(&turn.0);
    }
    let places = transaction.places().count();
    if places != 1 {
        writer.uint(places as u64);
    }
    for place in transaction.places() {
        match place {
            Place::Change(change) => write_change(writer, change, &mut last.kind),
            Place::Erased(erased) => {
                writer.raw(&erased.doc.0);
                writer.u8(ERASED);
                writer.raw(&erased.hash.0);
            }
        }
    }
    last.lamport = transaction.lamport;
    last.wall_ms = transaction.wall_ms;
    last.worker = Some(transaction.worker);
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

fn write_change(writer: &mut Writer, change: &Change, last_kind: &mut Option<Kind>) {
    writer.raw(&change.doc.0);
    let deps = change.deps.len().min(usize::from(DEPS_INLINE)) as u8;
    let one_op = change.ops.len() == 1;
    let same_kind = *last_kind == Some(change.kind);
    let mut head = deps;
    for (flag, on) in [(ONE_OP, one_op), (SAME_KIND, same_kind), (BASE, change.base > 0)] {
        if on {
            head |= flag;
        }
    }
    writer.u8(head);
    if !same_kind {
        writer.u8(change.kind.0);
        *last_kind = Some(change.kind);
    }
    if change.base > 0 {
        writer.u8(change.base);
    }
    if deps == DEPS_INLINE {
        writer.uint(change.deps.len() as u64);
    }
    for dep in &change.deps {
        writer.raw(&dep.0);
    }
    if !one_op {
        writer.uint(change.ops.len() as u64);
    }
    for op in &change.ops {
        write_target(writer, &op.target, tag_of(op.value.as_ref()));
        write_scalar(writer, op.value.as_ref());
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

fn read_run(reader: &mut Reader<'_>, workers: &mut Vec<DocId>) -> Result<Run, WireError> {
    let what = "a run";
    let log = LogId(reader.array(what)?);
    let (named, branch) = match reader.u8(what)? {
        0 => (log, None),
        1 => {
            let named = LogId(reader.array(what)?);
            let of = LogId(reader.array(what)?);
            let base = reader.uint(what)?;
            let branch = if base == 0 {
                Branch { of, base, head: EMPTY_HEAD, lamport: 0, actor: [0; 16] }
            } else {
                let head = Hash(reader.array(what)?);
                Branch { of, base, head, lamport: reader.uint(what)?, actor: reader.array(what)? }
            };
            (named, Some(branch))
        }
        tag => return Err(WireError::Tag { what, tag: tag.into() }),
    };
    let first = reader.uint(what)?;
    let lamport = reader.uint(what)?;
    let wall_ms = reader.uint(what)?;
    let count = reader.count("a count of transactions", RUN_TRANSACTIONS_MAX)?;
    let mut last = Last::before(lamport, wall_ms);
    let mut transactions = Vec::new();
    for step in 0..count as u64 {
        let seq = first.checked_add(step).ok_or(WireError::Unsound { what: "a position" })?;
        transactions.push(read_transaction(reader, named, seq, &mut last, workers)?);
    }
    Ok(Run { log, branch, transactions, signature: HeadSignature(reader.array(what)?) })
}

fn read_transaction(
    reader: &mut Reader<'_>,
    log: LogId,
    seq: u64,
    last: &mut Last,
    workers: &mut Vec<DocId>,
) -> Result<Transaction, WireError> {
    let what = "a transaction";
    let flags = reader.u8(what)?;
    let has = |flag: u8| flags & flag != 0;
    let wall_ms = last.wall_ms.wrapping_add(reader.int(what)? as u64);
    let lamport = last.lamport.wrapping_add(if has(LAMPORT) { reader.uint(what)? } else { 1 });
    let worker = if has(WORKER) {
        match reader.count("a worker", workers.len())? {
            0 => {
                let worker = DocId(reader.array(what)?);
                workers.push(worker);
                worker
            }
            at => workers[at - 1],
        }
    } else {
        last.worker.ok_or(WireError::Unsound { what: "a worker" })?
    };
    let actor_nonce = if has(ACTOR) { Some(u64::from_le_bytes(reader.array(what)?)) } else { None };
    let opening = if has(OPENING) {
        let replica = ReplicaId(reader.array(what)?);
        let epoch = Epoch(u64::from_le_bytes(reader.array(what)?));
        let predecessor = match reader.u8(what)? {
            0 => None,
            1 => Some(Hash(reader.array(what)?)),
            tag => return Err(WireError::Tag { what, tag: tag.into() }),
        };
        Some(Opening { replica, epoch, predecessor })
    } else {
        None
    };
    let mut seen = Vec::new();
    if has(SEEN) {
        for _ in 0..reader.count("a count of seen logs", SEEN_MAX)? {
            let log = LogId(reader.array(what)?);
            seen.push(Seen { log, len: reader.uint(what)?, head: reader.array(what)? });
        }
    }
    let verdicts: Vec<Verdict> = if has(VERDICTS) {
        postcard::from_bytes(reader.bytes("verdicts", BATCH_LEN_BYTES_MAX)?)
            .map_err(|_| WireError::Unsound { what: "a verdict" })?
    } else {
        Vec::new()
    };
    let turn = if has(TURN) { Some(HeadSignature(reader.array(what)?)) } else { None };
    let count = if has(CHANGES) { reader.count("a count of changes", CHANGES_MAX)? } else { 1 };
    let (mut changes, mut erased) = (Vec::new(), Vec::new());
    for at in 0..count {
        match read_change(reader, &mut last.kind)? {
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

enum Read {
    Change(Change),
    Erased(DocId, Hash),
}

fn read_change(reader: &mut Reader<'_>, last_kind: &mut Option<Kind>) -> Result<Read, WireError> {
    let what = "a change";
    let doc = DocId(reader.array(what)?);
    let head = reader.u8(what)?;
    if head == ERASED {
        return Ok(Read::Erased(doc, Hash(reader.array(what)?)));
    }
    if head > (DEPS_INLINE | ONE_OP | SAME_KIND | BASE) {
        return Err(WireError::Tag { what, tag: head.into() });
    }
    let kind = match *last_kind {
        Some(kind) if head & SAME_KIND != 0 => kind,
        _ if head & SAME_KIND != 0 => return Err(WireError::Unsound { what: "a kind" }),
        _ => Kind(reader.u8(what)?),
    };
    *last_kind = Some(kind);
    let base = if head & BASE != 0 { reader.u8(what)? } else { 0 };
    let count = match head & DEPS_INLINE {
        DEPS_INLINE => reader.count("a count of dependencies", DEPS_MAX)?,
        few => usize::from(few),
    };
    let mut deps = Vec::with_capacity(count);
    for _ in 0..count {
        deps.push(Dep(reader.array(what)?));
    }
    let count = if head & ONE_OP != 0 { 1 } else { reader.count("a count of operations", OPS_MAX)? };
    let mut ops = Vec::new();
    for _ in 0..count {
        let (target, tag) = read_target(reader)?;
        ops.push(Op { target, value: read_scalar(reader, tag)? });
    }
    Ok(Read::Change(Change { doc, kind, base, deps, ops }))
}
