//! The relay's decisions. They travel in its own log of the scope they concern; as it signs that log
//! and decides only what is durable on its disk, a verdict is also the receipt that the position has
//! reached the centre, whoever carried it.

use serde::{Deserialize, Serialize};

use crate::identity::LogId;

/// The decision on all positions of one log from the last decided one up to `upto`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The log, by the name that its transactions bear.
    pub log: LogId,
    /// The last position decided.
    pub upto: u64,
    /// The first bytes of the head there: they say which branch was decided, if the log forked. Zeros where the name
    /// alone says it.
    pub head: [u8; 4],
    /// When the relay observed them, milliseconds since 1970 (UTC).
    pub observed_ms: u64,
    /// The roster by which it decided: how many transactions of `street` had taken effect.
    pub roster: u64,
    /// Positions that are void; the others are accepted.
    pub voids: Vec<Void>,
    /// Earlier positions that waited in quarantine and on which a person has decided now.
    pub settled: Vec<Settled>,
}

/// A position whose changes and events do not count. It keeps its place in the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Void {
    /// The position.
    pub seq: u64,
    /// Why.
    pub reason: VoidReason,
}

/// What a person decided on a position in quarantine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// The position.
    pub seq: u64,
    /// Whether it counts from now on.
    pub accepted: bool,
}

/// Positions that one transaction of the relay voids at most: 32 KiB of its 64.
const VOIDS_MAX: usize = 4_096;
/// Verdicts in one transaction at most, likewise.
const VERDICTS_MAX: usize = 1_024;

/// The verdicts cut so that each part fits into one transaction, whatever a hostile log holds. `head_at` gives the
/// head at an earlier position on the way to what a verdict decides.
pub fn in_parts(verdicts: Vec<Verdict>, head_at: impl Fn(&Verdict, u64) -> [u8; 4]) -> Vec<Vec<Verdict>> {
    let mut parts: Vec<Vec<Verdict>> = Vec::new();
    let mut room = 0;
    for verdict in verdicts {
        for piece in pieces(verdict, &head_at) {
            let size = piece.voids.len() + piece.settled.len() + VOIDS_MAX / VERDICTS_MAX;
            match parts.last_mut().filter(|_| size <= room) {
                Some(part) => part.push(piece),
                None => {
                    parts.push(vec![piece]);
                    room = VOIDS_MAX + VOIDS_MAX / VERDICTS_MAX;
                }
            }
            room -= size;
        }
    }
    parts
}

/// One verdict as several that follow each other.
fn pieces(mut verdict: Verdict, head_at: &impl Fn(&Verdict, u64) -> [u8; 4]) -> Vec<Verdict> {
    let mut pieces = Vec::new();
    while verdict.voids.len() > VOIDS_MAX {
        let rest = verdict.voids.split_off(VOIDS_MAX);
        let voids = std::mem::replace(&mut verdict.voids, rest);
        let upto = voids.last().map_or(0, |void| void.seq);
        let head = head_at(&verdict, upto);
        pieces.push(Verdict { upto, head, voids, settled: Vec::new(), ..verdict.clone() });
    }
    while verdict.settled.len() > VOIDS_MAX {
        let rest = verdict.settled.split_off(VOIDS_MAX);
        let settled = std::mem::replace(&mut verdict.settled, rest);
        pieces.push(Verdict { voids: Vec::new(), settled, ..verdict.clone() });
    }
    pieces.push(verdict);
    pieces
}

/// Why a position is void.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum VoidReason {
    /// No post of its author reaches the scope it wrote to.
    ScopeNotHeld,
    /// The transaction breaks a rule of form against the documents.
    Form,
    /// The author's replica is not known to the centre.
    UnknownReplica,
    /// A decision that only the relay may write.
    NotTheRelay,
    /// A document of `street` that only the centre may write.
    CentreOnly,
    /// The acting worker is not one of those who use the replica.
    NotItsWorker,
    /// No post of the worker allows what was written.
    RoleMayNot,
    /// A document of a kind that does not belong to the scope.
    KindNotHere,
    /// The worker's post there had ended when it was written.
    PostEnded,
    /// The worker's post there had not begun.
    PostNotYet,
    /// The replica has opened more epochs than one may.
    TooManyEpochs,
    /// In quarantine: the replica is revoked.
    Revoked,
    /// In quarantine: written before the worker left, arrived after the days of grace.
    PastGrace,
    /// A person discarded it from quarantine.
    Discarded,
    /// The replica is revoked, and its quarantine is full.
    QuarantineFull,
    /// It writes a document under an id that stands for a document of another unit.
    OtherUnit,
    /// It does not fit what is here, as far as this replica knows: of two branches of one author, the relay may
    /// have taken the other one first. Never in a verdict.
    Unfit,
    /// Several workers use the device, and the acting one has not signed it.
    NoTurn,
    /// A grid is handed over to somebody who holds no post that reaches it.
    NoSuccessor,
}

impl VoidReason {
    /// Whether the position waits in quarantine until a person accepts or discards it.
    pub fn is_quarantine(self) -> bool {
        matches!(self, Self::Revoked | Self::PastGrace)
    }
}

impl std::fmt::Display for VoidReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ScopeNotHeld => "its author does not hold this unit",
            Self::Form => "it breaks a rule of form",
            Self::UnknownReplica => "the centre does not know the device that wrote it",
            Self::NotTheRelay => "only the relay decides",
            Self::CentreOnly => "only the centre writes here",
            Self::NotItsWorker => "it is written in the name of a worker who does not use that device",
            Self::RoleMayNot => "the worker's post does not allow it",
            Self::KindNotHere => "such documents do not belong to this unit",
            Self::PostEnded => "the worker's post here had ended",
            Self::PostNotYet => "the worker's post here had not begun",
            Self::TooManyEpochs => "the device has been reset too often",
            Self::Revoked => "the device is revoked; it waits in quarantine",
            Self::PastGrace => "it came after the days of grace; it waits in quarantine",
            Self::Discarded => "the centre discarded it from quarantine",
            Self::QuarantineFull => "the device is revoked and its quarantine is full",
            Self::Unfit => "it does not fit what is here",
            Self::NoTurn => "the device is shared, and the worker has not signed it",
            Self::NoSuccessor => "the successor holds no post in this unit",
            Self::OtherUnit => "a document of that id belongs to another unit",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_on_a_hostile_log_come_in_parts_that_fit() {
        let voids = (1..=10_000).map(|seq| Void { seq, reason: VoidReason::Revoked }).collect();
        let long = Verdict {
            log: LogId([1; 8]),
            upto: 12_000,
            head: [0; 4],
            observed_ms: 1_790_000_000_000,
            roster: 9,
            voids,
            settled: Vec::new(),
        };
        let short = |at: u16| {
            let mut log = [2; 8];
            log[..2].copy_from_slice(&at.to_be_bytes());
            Verdict { log: LogId(log), upto: 5, voids: Vec::new(), ..long.clone() }
        };
        let all: Vec<Verdict> = std::iter::once(long.clone()).chain((0..5_000).map(short)).collect();
        let parts = in_parts(all, |_, upto| [upto as u8; 4]);
        let mut decided = 0;
        let mut found = Vec::new();
        for part in &parts {
            let len_bytes = postcard::to_stdvec(part).expect("encodes").len();
            assert!(len_bytes < crate::transaction::LEN_BYTES_MAX, "{len_bytes}");
            for piece in part.iter().filter(|piece| piece.log == long.log) {
                assert!(piece.voids.iter().all(|void| decided < void.seq && void.seq <= piece.upto));
                decided = piece.upto;
                found.extend(piece.voids.iter().map(|void| void.seq));
            }
        }
        assert_eq!(decided, 12_000);
        assert_eq!(found, (1..=10_000).collect::<Vec<u64>>());
        assert_eq!(parts.iter().flatten().filter(|piece| piece.log != long.log).count(), 5_000);
    }
}
