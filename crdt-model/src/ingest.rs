//! Taking runs in: the half of admission that depends on the log alone. Pure; the caller looks up what
//! is held and stores what comes out.

use crate::identity::{LogId, Scope};
use crate::log::{Branch, Checked, EMPTY_HEAD, LogError, LogIdentity, LogRecord, Run, Tip, next_head};
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
        /// The last position both share.
        base: u64,
        /// The name of the branch that was held under the log's own name.
        to: LogId,
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
    if from > tip.len + 1 {
        return Ok(Outcome::Gap { log });
    }
    if from == tip.len + 1 {
        return match run.check(scope, secret, Some(&tip)) {
            Err(LogError::Fork { .. }) => Ok(Outcome::Rewind { log }),
            other => other.map(Outcome::Append),
        };
    }
    overlap(scope, secret, held, run, &tip)
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
        return ingest(scope, secret, held, run);
    }
    let Some(before) = end_at(held, &log, tip, from - 1) else { return Ok(Outcome::Rewind { log }) };
    let mut head = before.head;
    for (at, transaction) in run.transactions.iter().enumerate() {
        if transaction.seq > tip.len {
            // Equal as far as held: the rest continues it.
            run.transactions.drain(..at);
            return match run.check(scope, secret, Some(tip)) {
                Err(LogError::Fork { .. }) => Ok(Outcome::Rewind { log }),
                other => other.map(Outcome::Append),
            };
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
    if first < first_here {
        let append = run.check(scope, secret, Some(&end))?;
        return Ok(Outcome::Rename { base, to: LogId::of_branch(&first_here), append });
    }
    let branch = Branch { of: log, base };
    let run = Run { log: LogId::of_branch(&first), branch: Some(branch.clone()), ..run };
    ingest_branch(scope, secret, held, run, &branch)
}

fn ingest_branch(
    scope: &Scope,
    secret: &ScopeSecret,
    held: &impl Held,
    mut run: Run,
    branch: &Branch,
) -> Result<Outcome, LogError> {
    let log = run.log;
    let from = run.transactions.first().map_or(1, |t| t.seq);
    if let Some(tip) = held.tip(&log) {
        if from > tip.len + 1 {
            return Ok(Outcome::Gap { log });
        }
        let keep = run.transactions.iter().position(|t| t.seq > tip.len);
        let Some(keep) = keep else { return Ok(Outcome::Known) };
        run.transactions.drain(..keep);
        return run.check(scope, secret, Some(&tip)).map(Outcome::Append);
    }
    let Some(of) = held.tip(&branch.of) else { return Ok(Outcome::Gap { log: branch.of }) };
    if of.len < branch.base {
        return Ok(Outcome::Gap { log: branch.of });
    }
    if from != branch.base + 1 {
        return Ok(Outcome::Gap { log });
    }
    let Some(mut end) = end_at(held, &branch.of, &of, branch.base) else {
        return Ok(Outcome::Rewind { log: branch.of });
    };
    let named = run.transactions.first().map(|t| t.hash(secret)).map(|hash| LogId::of_branch(&hash));
    if named != Some(log) {
        return Err(LogError::Identity { log, replica: of.identity.replica });
    }
    end.identity.branch = Some(branch.clone());
    // Both may begin with the log's opening.
    run.check(scope, secret, Some(&end)).map(Outcome::Append)
}

/// The log as it ended at `seq`.
fn end_at(held: &impl Held, log: &LogId, tip: &Tip, seq: u64) -> Option<Tip> {
    let (head, lamport) = match seq {
        0 => (EMPTY_HEAD, 0),
        _ if seq == tip.len => (tip.head, tip.lamport),
        _ => {
            let record = held.record(log, seq)?;
            (record.head, record.transaction.lamport)
        }
    };
    let identity = LogIdentity { ..tip.identity.clone() };
    Some(Tip { identity, len: seq, head, lamport, floor: tip.floor.min(seq) })
}
