//! The audit (审计): who looked at what, and what was done to people, data and devices. Entries of the
//! centre form a hash chain; those of devices reach it in sealed cells ([`crate::sealed`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::{DocId, Hash, ReplicaId, Scope};

/// Longest reason and longest detail, in bytes; longer ones are cut.
pub const TEXT_LEN_BYTES_MAX: usize = 600;

/// How long entries are kept at least: six months (网络安全法 21), in days.
pub const KEPT_DAYS_MIN: u64 = 184;

/// What happened, as a number that never changes its meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct What(pub u8);

/// Number, name and label of everything that this version knows. Append only.
const KNOWN: &[(What, &str, &str)] = &[
    (What::READ, "read", "查看全档"),
    (What::UNMASK, "unmask", "查看完整号码"),
    (What::EXPORT, "export", "导出"),
    (What::ROSTER, "roster", "名册变更"),
    (What::ERASURE, "erasure", "清除个人信息"),
    (What::QUARANTINE, "quarantine", "隔离处置"),
    (What::SIGN_IN, "sign-in", "登录"),
    (What::SIGN_IN_FAILED, "sign-in-failed", "登录失败"),
    (What::INVITATION, "invitation", "发邀请码"),
    (What::JOINED, "joined", "设备加入"),
    (What::JOIN_REFUSED, "join-refused", "邀请码被拒"),
    (What::PEER_REFUSED, "peer-refused", "拒绝对端"),
    (What::REVOKED, "revoked", "设备停用"),
    (What::DOSSIER, "dossier", "提供个人信息副本"),
    (What::SEAL_KEY, "seal-key", "更换密封密钥"),
    (What::REPORT_READ, "report-read", "查看密封举报"),
    (What::PIN, "pin", "口令变更"),
    (What::BACKUP, "backup", "备份与恢复"),
    (What::REPAIR, "repair", "数据修复"),
];

#[allow(missing_docs, reason = "the table above names each in both languages")]
impl What {
    pub const READ: Self = Self(1);
    pub const UNMASK: Self = Self(2);
    pub const EXPORT: Self = Self(3);
    pub const ROSTER: Self = Self(4);
    pub const ERASURE: Self = Self(5);
    pub const QUARANTINE: Self = Self(6);
    pub const SIGN_IN: Self = Self(7);
    pub const SIGN_IN_FAILED: Self = Self(8);
    pub const INVITATION: Self = Self(9);
    pub const JOINED: Self = Self(10);
    pub const JOIN_REFUSED: Self = Self(11);
    pub const PEER_REFUSED: Self = Self(12);
    pub const REVOKED: Self = Self(13);
    pub const DOSSIER: Self = Self(14);
    pub const SEAL_KEY: Self = Self(15);
    pub const REPORT_READ: Self = Self(16);
    pub const PIN: Self = Self(17);
    pub const BACKUP: Self = Self(18);
    pub const REPAIR: Self = Self(19);
}

impl What {
    /// The word for programs; `None` if a newer version wrote it.
    pub fn name(self) -> Option<&'static str> {
        KNOWN.iter().find(|(what, _, _)| *what == self).map(|(_, name, _)| *name)
    }

    /// The word for people.
    pub fn label(self) -> Option<&'static str> {
        KNOWN.iter().find(|(what, _, _)| *what == self).map(|(_, _, label)| *label)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{} (of a newer version)", self.0),
        }
    }
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub what: What,
    /// Who acted; all zero if no worker did.
    pub worker: DocId,
    /// When, milliseconds since 1970 (UTC), as the device claims.
    pub at_ms: u64,
    /// Where, if it concerns a scope.
    pub scope: Option<Scope>,
    /// Which document it concerns: the resident whose record was read.
    pub whom: Option<DocId>,
    /// Why, as the worker stated it.
    pub reason: String,
    /// What else tells the story: an export's number, a device, a count.
    pub detail: String,
}

impl Entry {
    /// An entry whose worker and time whoever records it fills in.
    #[must_use]
    pub fn new(what: What) -> Self {
        Self {
            what,
            worker: DocId([0; 16]),
            at_ms: 0,
            scope: None,
            whom: None,
            reason: String::new(),
            detail: String::new(),
        }
    }

    /// It concerns this document of this scope.
    #[must_use]
    pub fn about(self, scope: &Scope, doc: DocId) -> Self {
        Self { scope: Some(scope.clone()), whom: Some(doc), ..self }
    }

    /// It concerns this scope.
    #[must_use]
    pub fn within(self, scope: &Scope) -> Self {
        Self { scope: Some(scope.clone()), ..self }
    }

    /// Who acted, where that is another than the replica's worker.
    #[must_use]
    pub fn by(self, worker: DocId) -> Self {
        Self { worker, ..self }
    }

    /// Why.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        Self { reason: cut(reason).to_owned(), ..self }
    }

    /// What else tells the story. No ID number in full.
    #[must_use]
    pub fn detail(self, detail: &str) -> Self {
        Self { detail: cut(detail).to_owned(), ..self }
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_LEN_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Where an entry of the centre's chain came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Source {
    /// The relay itself.
    Relay,
    /// A device's sealed cells.
    Device {
        /// Which.
        replica: ReplicaId,
        /// The series of its cells.
        series: u64,
        /// The entry's first cell.
        seq: u64,
    },
}

/// One link of the centre's chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// Its place, from 1.
    pub seq: u64,
    /// When the relay took it in, milliseconds since 1970 (UTC).
    pub taken_ms: u64,
    /// Where it came from.
    pub source: Source,
    /// What it says.
    pub entry: Entry,
    /// The chain's value after it.
    pub head: Hash,
}

/// The head of an empty chain.
pub const EMPTY: Hash = Hash([0; 32]);

fn head(before: &Hash, link: (u64, u64, &Source, &Entry)) -> Hash {
    let bytes = postcard::to_stdvec(&link).unwrap_or_default();
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 audit chain");
    hasher.update(&before.0);
    hasher.update(&bytes);
    Hash(*hasher.finalize().as_bytes())
}

impl Link {
    /// The link that follows a chain of `seq - 1` links which ends at `before`.
    #[must_use]
    pub fn new(seq: u64, before: &Hash, taken_ms: u64, source: Source, entry: Entry) -> Self {
        let head = head(before, (seq, taken_ms, &source, &entry));
        Self { seq, taken_ms, source, entry, head }
    }

    /// Whether it follows a chain of `len` links which ends at `before`.
    pub fn follows(&self, len: u64, before: &Hash) -> bool {
        self.seq == len + 1 && self.head == head(before, (self.seq, self.taken_ms, &self.source, &self.entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for seq in 1..=4 {
            let before = links.last().map_or(EMPTY, |link| link.head);
            let entry = Entry::new(What::READ).about(&Scope::Street, DocId([seq as u8; 16])).because("核对");
            links.push(Link::new(seq, &before, 1_000 * seq, Source::Relay, entry));
        }
        links
    }

    fn first_broken(links: &[Link]) -> Option<u64> {
        let mut before = EMPTY;
        for (at, link) in links.iter().enumerate() {
            if !link.follows(at as u64, &before) {
                return Some(at as u64 + 1);
            }
            before = link.head;
        }
        None
    }

    #[test]
    fn a_chain_shows_where_it_was_changed_cut_or_put_together_anew() {
        assert_eq!(first_broken(&chain()), None);
        let mut changed = chain();
        changed[2].entry.reason = "别的".into();
        assert_eq!(first_broken(&changed), Some(3));
        let mut cut = chain();
        cut.remove(1);
        assert_eq!(first_broken(&cut), Some(2));
        let mut swapped = chain();
        swapped.swap(0, 1);
        assert_eq!(first_broken(&swapped), Some(1));
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let entry = Entry::new(What::UNMASK).because(&"因".repeat(500));
        assert_eq!(entry.reason, "因".repeat(200));
    }
}
