//! Taking runs in: the half of admission that depends on the log alone. Pure; the caller looks up what
//! is held and stores what comes out.

use std::collections::BTreeSet;

use crate::identity::{LogId, Scope};
use crate::log::{Branch, Checked, LogError, LogRecord, Run, Tip, next_head};
use crate::materialise::Applied;
use crate::transaction::{ScopeSecret, actor};
use crate::tree::{Point, at, owner, pieces};

/// What is held of a scope's logs.
pub trait Held {
    /// The end of a log.
    fn tip(&self, log: &LogId) -> Option<Tip>;
    /// The record at a position; `None` above the end and below the floor.
    fn record(&self, log: &LogId, seq: u64) -> Option<LogRecord>;
    /// The branches that left a log.
    fn branches(&self, log: &LogId) -> Vec<LogId>;
    /// The logs that forked, each by the name that its transactions bear.
    fn forked(&self) -> BTreeSet<LogId>;
    /// For a branch: what it left, and the last position that both share.
    fn leaves(&self, log: &LogId) -> Option<(LogId, u64)> {
        self.tip(log)?.identity.branch.map(|branch| (branch.of, branch.base))
    }
}

/// What to do with a run.
#[derive(Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "taken apart where it is made")]
pub enum Outcome {
    /// All of it is held already.
    Known {
        /// The log or branch that holds its last transaction.
        log: LogId,
        /// The position of that.
        len: u64,
    },
    /// Append, to a log or to a branch that is held, or as a new branch: [`Checked::log`] says under which name.
    Append(Checked),
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
    /// It lies below what came in pages, or where what is held does not open: whether it is the same cannot be seen
    /// here.
    Below,
}

/// Where a run leads from a position.
#[allow(clippy::large_enum_variant, reason = "taken apart where it is made")]
enum Led {
    /// To this.
    To(Outcome),
    /// Into what lies below a floor.
    Below(Point),
}

/// Judges one run against what is held: it belongs where the signed chain says, under the name that the branch
/// has here. A branch keeps the name under which it came first, so nothing that is noted under a name moves.
///
/// # Errors
/// [`LogError`]: the run breaks a rule of form; nothing of it is used.
pub fn ingest(scope: &Scope, secret: &ScopeSecret, held: &impl Held, run: Run) -> Result<Outcome, LogError> {
    let log = run.log;
    let first = run.transactions.first().ok_or(LogError::EmptyRun { log })?;
    let from = first.seq;
    if first.log != log || from == 0 {
        return Err(LogError::Gap { log, expected: from, found: from });
    }
    if held.tip(&log).is_none() {
        return if from == 1 {
            let checked = run.check(scope, secret, None)?;
            Ok(Outcome::Append(before_branches(held, log, checked)))
        } else {
            Ok(Outcome::Gap { log })
        };
    }
    let pieces = pieces(held, &log);
    let before = from - 1;
    let mut points: Vec<Point> = Vec::new();
    for point in pieces.iter().filter_map(|piece| at(held, piece, before)) {
        let is_meant = from == 1 || run.branch.as_ref().is_none_or(|branch| branch.head == point.head);
        if is_meant && !points.contains(&point) {
            points.push(point);
        }
    }
    let ground = Ground { scope, secret, held, pieces: &pieces };
    let (mut refused, mut below) = (None, None);
    for point in points {
        match ground.follow(&run, point) {
            Ok(Led::To(outcome)) => return Ok(outcome),
            Ok(Led::Below(at)) => below = below.or((at.seq == before).then_some(at)),
            Err(error @ (LogError::Fork { .. } | LogError::Signature { .. })) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    // Above the floors it may be seen what it is.
    let (mut is_below, mut reaches) = (false, false);
    for (piece, tip) in pieces.iter().filter_map(|piece| held.tip(piece).map(|tip| (piece, tip))) {
        if before > tip.floor || tip.floor == 0 {
            continue;
        }
        is_below = true;
        match ground.follow_above(&run, piece, &tip) {
            Ok(Some(Led::To(outcome))) => return Ok(outcome),
            Ok(Some(Led::Below(_)) | None) => {}
            Err(LogError::Fork { .. } | LogError::Signature { .. }) => reaches = true,
            Err(error) => return Err(error),
        }
        reaches |= run.transactions.last().is_some_and(|last| last.seq > tip.floor);
    }
    if let Some(branch) = run.branch.as_ref().filter(|branch| is_below && branch.base == before) {
        // Whoever gives it knows that it leaves the log here, and its author's signature vouches for the chain.
        let is_unknown = |piece: &&LogId| {
            held.tip(piece).is_some_and(|tip| before <= tip.floor) && at(held, piece, before).is_none()
        };
        let leaves = |piece: &LogId| {
            let log = owner(held, piece, before);
            Point { log, seq: before, head: branch.head, lamport: branch.lamport }
        };
        let Some(base) = below.or_else(|| pieces.iter().find(is_unknown).map(leaves)) else {
            return Ok(Outcome::Rewind { log });
        };
        return ground
            .branch_off(run.clone(), base, branch.actor)
            .map(Outcome::Append)
            .or(Ok(Outcome::Rewind { log }));
    }
    if from == 1 && is_below {
        // Longer than what came in pages, and another chain than that.
        return match below {
            Some(base) if reaches => ground.branch_off(run, base, [0; 16]).map(Outcome::Append),
            _ => Ok(Outcome::Below),
        };
    }
    match refused {
        Some(error) if from == 1 => Err(error),
        None if pieces.iter().all(|piece| held.tip(piece).is_none_or(|tip| tip.len < before)) => {
            Ok(Outcome::Gap { log })
        }
        _ if is_below
            && run.transactions.last().is_none_or(|last| {
                pieces.iter().filter_map(|piece| held.tip(piece)).any(|tip| last.seq <= tip.floor)
            }) =>
        {
            Ok(Outcome::Below)
        }
        _ => Ok(Outcome::Rewind { log }),
    }
}

/// What continues a piece that was cut back may come on the way to the end of a branch that left it behind that: the
/// branch is held, and only what precedes it is lacking.
fn before_branches(held: &impl Held, log: LogId, mut checked: Checked) -> Checked {
    checked.log = log;
    let branches: Vec<(LogId, u64)> = held
        .branches(&log)
        .into_iter()
        .filter_map(|branch| Some((branch, held.leaves(&branch)?.1)))
        .collect();
    let is_held = |record: &LogRecord| {
        let seq = record.transaction.seq;
        let begins = branches.iter().filter(|(_, base)| base + 1 == seq);
        begins.filter_map(|(branch, _)| held.record(branch, seq)).any(|held| held.head == record.head)
    };
    if let Some(upto) = checked.records.iter().skip(1).position(is_held) {
        checked.records.truncate(upto + 1);
        if let Some(last) = checked.records.last() {
            let (len, lamport) = (last.transaction.seq, last.transaction.lamport);
            checked.tip = Tip { len, head: last.head, lamport, ..checked.tip };
        }
    }
    checked
}

/// What a run is held against.
struct Ground<'a, H> {
    scope: &'a Scope,
    secret: &'a ScopeSecret,
    held: &'a H,
    pieces: &'a [LogId],
}

impl<H: Held> Ground<'_, H> {
    /// Follows what is held from `here`, transaction by transaction; what is new is appended or branches off.
    fn follow(&self, run: &Run, mut here: Point) -> Result<Led, LogError> {
        for (at, transaction) in run.transactions.iter().enumerate() {
            let head = next_head(&here.head, &transaction.hash(self.secret));
            let next = here.seq + 1;
            let held = self.pieces.iter().find(|piece| {
                self.goes_on(piece, &here)
                    && self.held.record(piece, next).is_some_and(|held| held.head == head)
            });
            if let Some(piece) = held {
                here = Point { log: *piece, seq: next, head, lamport: transaction.lamport };
                continue;
            }
            let Some(tip) = self.held.tip(&here.log) else { return Ok(Led::Below(here)) };
            if here.seq < tip.len && here.seq < tip.floor {
                return Ok(Led::Below(here));
            }
            let is_unread =
                |piece: &LogId| self.goes_on(piece, &here) && self.held.record(piece, next).is_none();
            if self.pieces.iter().any(is_unread) {
                // What does not open may be the same: nobody can say that this is a fork until it is mended.
                return Ok(Led::To(Outcome::Below));
            }
            let rest = Run { transactions: run.transactions[at..].to_vec(), ..run.clone() };
            if here.seq == tip.len {
                let checked = rest.check(self.scope, self.secret, Some(&tip))?;
                return Ok(Led::To(Outcome::Append(before_branches(self.held, here.log, checked))));
            }
            let actor = self.actor_before(run, at, &here);
            return self.branch_off(rest, here, actor).map(|checked| Led::To(Outcome::Append(checked)));
        }
        Ok(Led::To(Outcome::Known { log: here.log, len: here.seq }))
    }

    /// Whether the position after `here` may be one that `piece` holds.
    fn goes_on(&self, piece: &LogId, here: &Point) -> bool {
        let Some(tip) = self.held.tip(piece).filter(|tip| tip.len > here.seq) else { return false };
        *piece == here.log
            || tip.identity.branch.is_some_and(|branch| branch.base == here.seq && branch.head == here.head)
    }

    /// Follows a piece above its floor; `None` if the run does not reach that far.
    fn follow_above(&self, run: &Run, piece: &LogId, tip: &Tip) -> Result<Option<Led>, LogError> {
        let Some(keep) = run.transactions.iter().position(|t| t.seq > tip.floor) else { return Ok(None) };
        let mut rest = Run { transactions: run.transactions[keep..].to_vec(), ..run.clone() };
        if tip.len == tip.floor {
            let point = Point { log: *piece, seq: tip.len, head: tip.head, lamport: tip.lamport };
            return self.follow(&rest, point).map(Some);
        }
        // The chain's value at the floor is not held; what stands right above it tells whether it fits.
        let Some(ours) = self.held.record(piece, tip.floor + 1) else { return Ok(None) };
        if rest.transactions.first().map(|first| first.hash(self.secret))
            != Some(ours.transaction.hash(self.secret))
        {
            return Ok(None);
        }
        rest.transactions.remove(0);
        let lamport = ours.transaction.lamport;
        self.follow(&rest, Point { log: *piece, seq: tip.floor + 1, head: ours.head, lamport }).map(Some)
    }

    /// A new branch that leaves what is held at `base`.
    fn branch_off(&self, run: Run, base: Point, actor: [u8; 16]) -> Result<Checked, LogError> {
        let log = run.log;
        let Some(tip) = self.held.tip(&base.log) else { return Err(LogError::Unopened { log }) };
        let Some(first) = run.transactions.first() else { return Err(LogError::EmptyRun { log }) };
        let name = LogId::of_branch(&next_head(&base.head, &first.hash(self.secret)));
        let Point { seq, head, lamport, .. } = base;
        let mut identity = tip.identity;
        identity.branch = Some(Branch { of: base.log, base: seq, head, lamport, actor });
        let end = Tip { identity, len: seq, head, lamport, floor: tip.floor.min(seq) };
        let checked = run.check(self.scope, self.secret, Some(&end))?;
        Ok(before_branches(self.held, name, checked))
    }

    /// The actor in use before the transaction `at` of a run, which follows `here`; zeros if it is not known.
    fn actor_before(&self, run: &Run, at: usize, here: &Point) -> [u8; 16] {
        let declared = run.transactions[..at].iter().rev().find_map(|transaction| transaction.actor_nonce);
        match (declared, &run.branch) {
            (Some(nonce), _) => actor(&run.log, nonce),
            (None, Some(branch)) => branch.actor,
            (None, None) => Applied::at(self.held, &here.log, here.seq).actor,
        }
    }
}
