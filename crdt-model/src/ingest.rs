//! Taking runs in: the half of admission that depends on the log alone. Pure; the caller looks up what
//! is held and stores what comes out.

use std::collections::BTreeSet;

use crate::identity::{LogId, Scope};
use crate::log::{Branch, Checked, EMPTY_HEAD, LogError, LogIdentity, LogRecord, Run, Tip, next_head};
use crate::materialise::Applied;
use crate::transaction::ScopeSecret;

/// What is held of a scope's logs.
pub trait Held {
    /// The end of a log.
    fn tip(&self, log: &LogId) -> Option<Tip>;
    /// The record at a position; `None` above the end and below the floor.
    fn record(&self, log: &LogId, seq: u64) -> Option<LogRecord>;
    /// The branches that left a log.
    fn branches(&self, log: &LogId) -> Vec<LogId>;
}

/// What to do with a run.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// All of it is held already.
    Known,
    /// Append.
    Append(Checked),
    /// The log forked: what is held after `base` moves to the log `to`, then append. Both branches are
    /// kept; the one whose first transaction has the smaller hash keeps the log's name, so that all
    /// replicas name them alike.
    Rename {
        /// The name of the branch that was held under the log's own name.
        to: LogId,
        /// Where it leaves the log.
        branch: Branch,
        /// What takes its place.
        append: Checked,
    },
    /// Positions before the run are missing here.
    Gap {
        /// The log.
        log: LogId,
    },
    /// The chain does not continue what is held: the log must be seen from its beginning.
    Rewind {
        /// The log.
        log: LogId,
    },
}

/// Judges one run against what is held. All replicas judge alike.
///
/// # Errors
/// [`LogError`]: the run breaks a rule of form; nothing of it is used.
pub fn ingest(scope: &Scope, secret: &ScopeSecret, held: &impl Held, run: Run) -> Result<Outcome, LogError> {
    let log = run.log;
    let first = run.transactions.first().ok_or(LogError::EmptyRun { log })?;
    let (from, named) = (first.seq, first.log);
    if let Some(branch) = run.branch.clone() {
        return ingest_branch(scope, secret, held, run, &branch);
    }
    if named != log {
        return Err(LogError::Gap { log, expected: from, found: from });
    }
    let Some(tip) = held.tip(&log) else {
        return if from == 1 {
            run.check(scope, secret, None).map(Outcome::Append)
        } else {
            Ok(Outcome::Gap { log })
        };
    };
    go_on(scope, secret, held, run, &tip)
}

/// A run of a log, or of a branch, that is held up to `tip`.
fn go_on(
    scope: &Scope,
    secret: &ScopeSecret,
    held: &impl Held,
    run: Run,
    tip: &Tip,
) -> Result<Outcome, LogError> {
    let log = run.log;
    let from = run.transactions.first().map_or(1, |t| t.seq);
    if from > tip.len + 1 {
        return Ok(Outcome::Gap { log });
    }
    if from == tip.len + 1 {
        return append(scope, secret, run, tip);
    }
    overlap(scope, secret, held, run, tip)
}

/// Appends a run right behind what is held, if it is of the same branch.
fn append(scope: &Scope, secret: &ScopeSecret, run: Run, tip: &Tip) -> Result<Outcome, LogError> {
    let log = run.log;
    match run.check(scope, secret, Some(tip)) {
        Err(LogError::Fork { .. }) => Ok(Outcome::Rewind { log }),
        // Of what came in pages the beginning is not held: it may be another branch.
        Err(LogError::Signature { .. }) if tip.floor == tip.len => Ok(Outcome::Rewind { log }),
        other => other.map(Outcome::Append),
    }
}

/// The run begins within what is held: find where it leaves it, if it does.
fn overlap(
    scope: &Scope,
    secret: &ScopeSecret,
    held: &impl Held,
    mut run: Run,
    tip: &Tip,
) -> Result<Outcome, LogError> {
    let log = run.log;
    let from = run.transactions.first().map_or(1, |t| t.seq);
    if from <= tip.floor {
        // Below the floor nothing can be compared; what the run has above it goes on from there.
        let keep = run.transactions.iter().position(|t| t.seq > tip.floor);
        let Some(keep) = keep else { return Ok(Outcome::Known) };
        run.transactions.drain(..keep);
        return go_on(scope, secret, held, run, tip);
    }
    let mut head = match end_at(held, &log, tip, from - 1) {
        Some(before) => before.head,
        // The chain's value at the floor is not held; what stands right above it tells whether it fits.
        None => match (held.record(&log, from), run.transactions.first()) {
            (Some(ours), Some(first)) if ours.transaction.hash(secret) == first.hash(secret) => {
                run.transactions.remove(0);
                ours.head
            }
            _ => return Ok(Outcome::Rewind { log }),
        },
    };
    for (at, transaction) in run.transactions.iter().enumerate() {
        if transaction.seq > tip.len {
            // Equal as far as held: the rest continues it.
            run.transactions.drain(..at);
            return append(scope, secret, run, tip);
        }
        head = next_head(&head, &transaction.hash(secret));
        let Some(ours) = held.record(&log, transaction.seq) else { return Ok(Outcome::Rewind { log }) };
        if ours.head == head {
            continue;
        }
        let base = transaction.seq - 1;
        run.transactions.drain(..at);
        return match fork(scope, secret, held, run, tip, base, &ours) {
            // Its author signed another chain: it left before the run begins.
            Err(LogError::Fork { .. } | LogError::Signature { .. }) if at == 0 && from > 1 => {
                Ok(Outcome::Rewind { log })
            }
            other => other,
        };
    }
    Ok(Outcome::Known)
}

/// The run leaves what is held after `base`.
fn fork(
    scope: &Scope,
    secret: &ScopeSecret,
    held: &impl Held,
    run: Run,
    tip: &Tip,
    base: u64,
    ours: &LogRecord,
) -> Result<Outcome, LogError> {
    let log = run.log;
    let Some(end) = end_at(held, &log, tip, base) else { return Ok(Outcome::Rewind { log }) };
    let first = run.transactions.first().map(|t| t.hash(secret)).unwrap_or(EMPTY_HEAD);
    let first_here = ours.transaction.hash(secret);
    let actor = Applied::at(held, &log, base).actor;
    let branch = Branch { of: log, base, head: end.head, lamport: end.lamport, actor };
    if first < first_here {
        let append = run.check(scope, secret, Some(&end))?;
        return Ok(Outcome::Rename { to: LogId::of_branch(&first_here), branch, append });
    }
    let run = Run { log: LogId::of_branch(&first), branch: Some(branch.clone()), ..run };
    ingest_branch(scope, secret, held, run, &branch)
}

fn ingest_branch(
    scope: &Scope,
    secret: &ScopeSecret,
    held: &impl Held,
    run: Run,
    branch: &Branch,
) -> Result<Outcome, LogError> {
    let log = run.log;
    let from = run.transactions.first().map_or(1, |t| t.seq);
    if let Some(tip) = held.tip(&log) {
        return go_on(scope, secret, held, run, &tip);
    }
    if from != branch.base + 1 {
        return Ok(Outcome::Gap { log });
    }
    let (of, mut end) = match parent(held, branch) {
        Parent::At(of, end) => (of, end),
        Parent::Behind => return Ok(Outcome::Gap { log: branch.of }),
        Parent::Elsewhere => return Ok(Outcome::Rewind { log: branch.of }),
    };
    let named = run.transactions.first().map(|t| t.hash(secret)).map(|hash| LogId::of_branch(&hash));
    if named != Some(log) {
        return Err(LogError::Identity { log, replica: end.identity.replica });
    }
    end.identity.branch = Some(Branch { of, ..branch.clone() });
    // Both may begin with the log's opening.
    run.check(scope, secret, Some(&end)).map(Outcome::Append)
}

/// Where a branch that is not held yet goes on from.
enum Parent {
    /// From the end of this log there.
    At(LogId, Tip),
    /// Of its log too little is held.
    Behind,
    /// What is held is another branch.
    Elsewhere,
}

/// Finds the log that a branch leaves: the one that it names, or a branch of that here, as names move.
fn parent(held: &impl Held, branch: &Branch) -> Parent {
    let (mut open, mut known) = (vec![branch.of], BTreeSet::new());
    let (mut found, mut vouched) = (Parent::Behind, None);
    while let Some(log) = open.pop() {
        if !known.insert(log) {
            continue;
        }
        open.extend(held.branches(&log));
        let Some(tip) = held.tip(&log).filter(|tip| tip.len >= branch.base) else { continue };
        match end_at(held, &log, &tip, branch.base) {
            Some(end) if end.head == branch.head => return Parent::At(log, end),
            Some(_) => found = Parent::Elsewhere,
            None if branch.base <= tip.floor => {
                // Below the floor only the author's signature over the branch tells.
                let Branch { base, head, lamport, .. } = *branch;
                let end = Tip { identity: tip.identity.clone(), len: base, head, lamport, floor: base };
                vouched = Some(Parent::At(log, end));
            }
            None => found = Parent::Elsewhere,
        }
    }
    vouched.unwrap_or(found)
}

/// Whether what is held as `of`, above a floor, is really the branch `log`, which has come since: the names
/// changed elsewhere while the beginning of the log was not held here. `None`: no, or it cannot be seen yet.
pub fn is_held_as(secret: &ScopeSecret, held: &impl Held, log: &LogId) -> Option<LogId> {
    let tip = held.tip(log)?;
    let branch = tip.identity.branch.clone()?;
    let of = held.tip(&branch.of).filter(|of| of.floor > branch.base)?;
    let is_same = if tip.len >= of.len {
        end_at(held, log, &tip, of.len)?.head == of.head
    } else if tip.len > of.floor {
        held.record(&branch.of, tip.len)?.head == tip.head
    } else if tip.len == of.floor {
        let next = held.record(&branch.of, of.floor + 1)?;
        next_head(&tip.head, &next.transaction.hash(secret)) == next.head
    } else {
        false
    };
    is_same.then_some(branch.of)
}

/// The log as it ended at `seq`.
fn end_at(held: &impl Held, log: &LogId, tip: &Tip, seq: u64) -> Option<Tip> {
    let (head, lamport) = match seq {
        0 => (EMPTY_HEAD, 0),
        _ if tip.identity.branch.as_ref().is_some_and(|branch| branch.base == seq) => {
            tip.identity.branch.as_ref().map(|branch| (branch.head, branch.lamport))?
        }
        _ if seq == tip.len => (tip.head, tip.lamport),
        _ => {
            let record = held.record(log, seq)?;
            (record.head, record.transaction.lamport)
        }
    };
    let identity = LogIdentity { ..tip.identity.clone() };
    Some(Tip { identity, len: seq, head, lamport, floor: tip.floor.min(seq) })
}
