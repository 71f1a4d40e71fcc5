//! A log that forked is a tree of transactions, held here as pieces: the log itself and its branches, each under
//! the name that it got when it came. Which piece holds what depends on the order in which transactions came; what
//! is told to others ([`ends`]) follows from the transactions alone.

use std::collections::BTreeSet;

use crate::clock::{Ends, Extent, head_tag};
use crate::identity::{Hash, LogId};
use crate::ingest::Held;
use crate::log::EMPTY_HEAD;

/// Pieces that are followed from a branch to its log at most: more branches than one log can have.
const DEPTH_MAX: usize = 4_096;

/// A position in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Point {
    /// The piece that holds it, or would, were it not below a floor.
    pub log: LogId,
    /// The position; 0 is the beginning, before the first transaction.
    pub seq: u64,
    /// The chain's value there.
    pub head: Hash,
    /// The Lamport number there.
    pub lamport: u64,
}

/// The log itself of a piece: the name that its transactions bear.
pub fn root(held: &impl Held, log: &LogId) -> LogId {
    let mut root = *log;
    for _ in 0..DEPTH_MAX {
        match held.leaves(&root) {
            Some((of, _)) => root = of,
            None => break,
        }
    }
    root
}

/// All pieces of a log that are held, the log itself first.
pub fn pieces(held: &impl Held, log: &LogId) -> Vec<LogId> {
    let (mut open, mut found) = (vec![*log], Vec::new());
    let mut known = BTreeSet::new();
    while let Some(log) = open.pop() {
        if known.insert(log) {
            found.push(log);
            open.extend(held.branches(&log));
        }
    }
    found
}

/// The piece that holds a position on the way to the end of `log`.
pub fn owner(held: &impl Held, log: &LogId, seq: u64) -> LogId {
    let mut owner = *log;
    for _ in 0..DEPTH_MAX {
        match held.leaves(&owner) {
            Some((of, base)) if seq <= base => owner = of,
            _ => break,
        }
    }
    owner
}

/// The pieces from the beginning to a position on the way to the end of `log`, each with the last position on that
/// way that it holds.
pub fn way(held: &impl Held, log: &LogId, seq: u64) -> Vec<(LogId, u64)> {
    let (mut way, mut log, mut upto) = (Vec::new(), owner(held, log, seq), seq);
    for _ in 0..DEPTH_MAX {
        way.push((log, upto));
        match held.leaves(&log) {
            Some((of, base)) => (log, upto) = (of, base),
            None => break,
        }
    }
    way.reverse();
    way
}

/// The position on the way to the end of `log`, if its chain's value is known.
pub fn at(held: &impl Held, log: &LogId, seq: u64) -> Option<Point> {
    let holds = owner(held, log, seq);
    if seq == 0 {
        return Some(Point { log: holds, seq, head: EMPTY_HEAD, lamport: 0 });
    }
    let tip = held.tip(&holds)?;
    if seq > tip.len {
        return None;
    }
    if seq == tip.len {
        return Some(Point { log: holds, seq, head: tip.head, lamport: tip.lamport });
    }
    if let Some(record) = held.record(&holds, seq) {
        return Some(Point { log: holds, seq, head: record.head, lamport: record.transaction.lamport });
    }
    // Below a floor: a branch that leaves there spells it out.
    let mut branch = *log;
    for _ in 0..DEPTH_MAX {
        let leaves = held.tip(&branch)?.identity.branch?;
        if leaves.base == seq {
            return Some(Point { log: holds, seq, head: leaves.head, lamport: leaves.lamport });
        }
        branch = leaves.of;
    }
    None
}

/// The piece of `log` that holds its transaction at `end.len` with that head; `None` if it is not held, or below
/// a floor.
pub fn find(held: &impl Held, log: &LogId, end: &Extent) -> Option<LogId> {
    if held.tip(log).is_some_and(|tip| tip.len == end.len && head_tag(&tip.head) == end.head) {
        return Some(*log);
    }
    let mut points = pieces(held, log).into_iter().filter_map(|piece| at(held, &piece, end.len));
    points.find(|point| head_tag(&point.head) == end.head).map(|point| point.log)
}

/// As [`find`]; where all that could be compared lies below a floor, it is taken for the same.
pub fn find_or_trust(held: &impl Held, log: &LogId, end: &Extent) -> Option<LogId> {
    let below = |piece: &LogId| held.tip(piece).is_some_and(|tip| end.len <= tip.floor);
    find(held, log, end).or_else(|| {
        let piece = pieces(held, log).into_iter().find(below)?;
        Some(owner(held, &piece, end.len))
    })
}

/// As [`find_or_trust`], for what transactions say of others: they name a log as its transactions do. Those of protocol
/// version 1 gave branches names of their own, which nobody knows who has come by the branch later: there the head alone
/// says which is meant.
pub fn named(held: &impl Held, log: &LogId, end: &Extent) -> Option<LogId> {
    let root = root(held, log);
    match find_or_trust(held, &root, end) {
        None if held.tip(&root).is_none() => held.forked().iter().find_map(|log| find(held, log, end)),
        found => found,
    }
}

/// The last position that the ways to two positions share.
pub fn shared(held: &impl Held, one: (&LogId, u64), other: (&LogId, u64)) -> u64 {
    let mut last = 0;
    for (one, other) in way(held, one.0, one.1).into_iter().zip(way(held, other.0, other.1)) {
        if one.0 != other.0 {
            break;
        }
        last = one.1.min(other.1);
        if one.1 != other.1 {
            break;
        }
    }
    last
}

/// The piece that ends in `end`, the first position on the way there that a peer lacks which has `at_peer` of the log,
/// and whether it is known here that all that the peer has goes another way from there. `None` if `end` is not held, or
/// may lie on the way to an end that the peer has and that is not known here.
pub fn go_on(held: &impl Held, log: &LogId, end: &Extent, at_peer: &[Extent]) -> Option<(LogId, u64, bool)> {
    let piece = find(held, log, end)?;
    let (mut from, mut unknown) = (1, 0);
    for known in at_peer {
        match find_or_trust(held, log, known) {
            Some(other) => from = from.max(shared(held, (&piece, end.len), (&other, known.len)) + 1),
            None => unknown = unknown.max(known.len),
        }
    }
    (unknown <= end.len).then_some((piece, from, unknown == 0 && !at_peer.is_empty()))
}

/// Up to where a peer whose clock names `ends` for the log holds the piece `log` of it, as far as can be seen here.
pub fn reach(held: &impl Held, ends: &[Extent], log: &LogId) -> u64 {
    if ends.is_empty() {
        return 0;
    }
    let root = root(held, log);
    let upto = |end: &Extent| {
        let piece = find_or_trust(held, &root, end)?;
        let way = way(held, &piece, end.len);
        way.into_iter().find(|(piece, _)| piece == log).map(|(_, upto)| upto)
    };
    ends.iter().filter_map(upto).max().unwrap_or(0)
}

/// Where the branches of `log` end, of each piece no more than `upto` says. Follows from the transactions alone,
/// whichever pieces hold them. A branch of what was cut back to before it is none: what precedes it is to come again.
pub fn ends(held: &impl Held, log: &LogId, upto: impl Fn(&LogId) -> u64) -> Ends {
    let mut pieces = pieces(held, log);
    let is_cut = |piece: &LogId| held.leaves(piece).is_some_and(|(of, base)| upto(&of) < base);
    let goes_through = |piece: &LogId| way(held, piece, upto(piece)).into_iter().any(|(on, _)| is_cut(&on));
    pieces.retain(|piece| !goes_through(piece));
    let point =
        |piece: &LogId| at(held, piece, upto(piece)).filter(|point| point.log == *piece && point.seq > 0);
    let points: Vec<Point> = pieces.iter().filter_map(point).collect();
    if points.len() == 1 {
        return Ends::new(points.iter().map(extent).collect());
    }
    let goes_on = |end: &&Point| {
        let others = points.iter().filter(|other| other.log != end.log && other.seq > end.seq);
        others.map(|other| at(held, &other.log, end.seq)).any(|at| at.is_some_and(|at| at.head == end.head))
    };
    Ends::new(points.iter().filter(|end| !goes_on(end)).map(extent).collect())
}

fn extent(point: &Point) -> Extent {
    Extent { len: point.seq, head: head_tag(&point.head) }
}
