//! The audit (审计): who looked at what, and what was done to people, data and devices. Entries of the
//! centre form a hash chain; those of devices reach it in sealed cells ([`crate::sealed`]).
//!
//! The relay copies the links of its chain into documents of the scope `audit`, which the audit administrators
//! (审计管理员) hold on devices of their own. Whoever holds the [`Witness`] is a witness: what was copied cannot be taken
//! back, so a chain that was cut or written anew no longer agrees with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::{DocumentView, Scalar};
use crate::identity::{DocId, Hash, ReplicaId, Scope};
use crate::schema::Kind;
use crate::transaction::ScopeSecret;

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

/// Links whose copies one document holds: such a document stays small enough to be written again for each batch.
pub const PART_LINKS: u64 = 256;
/// Most bytes of links in one event of a copy. Below the limit of a value, 16 KiB.
pub const COPIED_LEN_BYTES_MAX: usize = 12 * 1024;

/// One event of a copy: what the relay says of its chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Copied {
    /// It holds these.
    Links(Vec<Link>),
    /// It no longer holds an entry of this number, which had been copied; those that follow it may be missing too.
    Missing(u64),
}

impl Copied {
    /// As it stands in a document.
    pub fn to_scalar(&self) -> Scalar {
        Scalar::Bytes(postcard::to_stdvec(self).unwrap_or_default())
    }

    fn of_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Bytes(bytes) => postcard::from_bytes(bytes).ok(),
            _ => None,
        }
    }

    /// Links, in events none of which is too long. All belong to one part.
    pub fn in_events(links: Vec<Link>) -> Vec<Self> {
        let mut events = Vec::new();
        let (mut event, mut len_bytes) = (Vec::new(), 0);
        for link in links {
            let link_len_bytes = postcard::to_stdvec(&link).map_or(0, |bytes| bytes.len());
            if len_bytes + link_len_bytes > COPIED_LEN_BYTES_MAX && !event.is_empty() {
                events.push(std::mem::take(&mut event));
                len_bytes = 0;
            }
            len_bytes += link_len_bytes;
            event.push(link);
        }
        if !event.is_empty() {
            events.push(event);
        }
        events.into_iter().map(Self::Links).collect()
    }
}

/// The part of a copy that holds an entry, from 0.
pub fn part_of(seq: u64) -> u64 {
    seq.saturating_sub(1) / PART_LINKS
}

/// The document of a part; `secret` is that of the scope `audit`.
pub fn part_id(secret: &ScopeSecret, part: u64) -> DocId {
    secret.natural_id(Kind::AUDIT_COPY, &part.to_string(), 0)
}

/// What a witness holds of the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// By number, in the order in which the relay copied them; more than one where it has shown another one since.
    links: BTreeMap<u64, Vec<Link>>,
    missing: BTreeSet<u64>,
}

/// Why a copy does not hold at an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// The relay has shown two entries of this number: its chain was written anew, or put back to a backup.
    Rewritten,
    /// It does not follow what comes before.
    Unconnected,
    /// The relay held it once and does so no longer.
    Cut,
    /// The copy itself lacks it.
    Lacking,
}

impl Witness {
    /// Takes in what a document says. Documents of other kinds say nothing, nor do events of a newer version.
    pub fn take(&mut self, view: &DocumentView) {
        if view.kind != Kind::AUDIT_COPY {
            return;
        }
        for event in view.histories.get("events").into_iter().flatten() {
            match Copied::of_scalar(&event.value) {
                Some(Copied::Links(links)) => links.into_iter().for_each(|link| self.take_link(link)),
                Some(Copied::Missing(seq)) => drop(self.missing.insert(seq)),
                None => {}
            }
        }
    }

    fn take_link(&mut self, link: Link) {
        let known = self.links.entry(link.seq).or_default();
        if !known.contains(&link) {
            known.push(link);
        }
    }

    /// Whether it holds this very link.
    pub fn holds(&self, link: &Link) -> bool {
        self.links.get(&link.seq).is_some_and(|known| known.contains(link))
    }

    /// Its links in the order of their numbers.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values().flatten()
    }

    /// The number of the last entry, 0 if there is none.
    pub fn len(&self) -> u64 {
        self.links.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// Whether nothing was copied yet.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// What the relay is to add so that this copy says all of its chain: `held` is what the chain holds in the part
    /// that this copy was read from.
    pub fn lacks(&self, held: Vec<Link>) -> Vec<Copied> {
        let numbers: BTreeSet<u64> = held.iter().map(|link| link.seq).collect();
        let fresh = held.into_iter().filter(|link| !self.holds(link)).collect();
        let mut events = Copied::in_events(fresh);
        let gone = self.links.keys().find(|seq| !numbers.contains(seq));
        events.extend(gone.filter(|seq| !self.missing.contains(seq)).map(|seq| Copied::Missing(*seq)));
        events
    }

    /// Where it does not hold, by number: the first entry of each stretch.
    pub fn broken(&self) -> Vec<(u64, Broken)> {
        let mut broken = Vec::new();
        // What an entry may follow; `None` where that is not here.
        let mut before = Some(vec![EMPTY]);
        let mut next = 1;
        for (&seq, known) in &self.links {
            if seq != next {
                broken.push((next, Broken::Lacking));
                before = None;
            }
            next = seq.saturating_add(1);
            let follows = |link: &Link| {
                before
                    .as_ref()
                    .is_none_or(|heads| heads.iter().any(|head| link.follows(seq.saturating_sub(1), head)))
            };
            let branches = before.as_ref().map_or(known.len(), Vec::len);
            if known.len() > branches {
                broken.push((seq, Broken::Rewritten));
            } else if !known.iter().all(follows) {
                broken.push((seq, Broken::Unconnected));
            } else if self.missing.contains(&seq) {
                broken.push((seq, Broken::Cut));
            }
            before = Some(known.iter().map(|link| link.head).collect());
        }
        broken
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

    /// The chain from `from` on as somebody wrote it anew.
    fn anew(mut links: Vec<Link>, from: u64) -> Vec<Link> {
        for at in from as usize - 1..links.len() {
            let before = at.checked_sub(1).map_or(EMPTY, |before| links[before].head);
            let Link { seq, taken_ms, source, entry, .. } = links[at].clone();
            links[at] = Link::new(seq, &before, taken_ms, source, entry.because("别的"));
        }
        links
    }

    /// Lets the relay copy its chain as it stands.
    fn copy(copy: &mut Witness, chain: &[Link]) {
        for event in copy.lacks(chain.to_vec()) {
            match Copied::of_scalar(&event.to_scalar()).expect("reads back") {
                Copied::Links(links) => links.into_iter().for_each(|link| copy.take_link(link)),
                Copied::Missing(seq) => drop(copy.missing.insert(seq)),
            }
        }
        assert_eq!(copy.lacks(chain.to_vec()), [], "it says all of it");
    }

    #[test]
    fn a_witness_notices_a_chain_that_was_cut_or_written_anew() {
        let before = {
            let mut held = Witness::default();
            copy(&mut held, &chain()[..3]);
            assert_eq!((held.broken(), held.len()), (Vec::new(), 3));
            held
        };
        let seen = |chain: &[Link]| {
            let mut held = before.clone();
            copy(&mut held, chain);
            held.broken()
        };
        assert_eq!(seen(&chain()), []);
        assert_eq!(seen(&chain()[..2]), [(3, Broken::Cut)]);
        assert_eq!(seen(&[]), [(1, Broken::Cut)]);
        let mut hole = chain();
        hole.remove(1);
        assert_eq!(seen(&hole), [(2, Broken::Cut)]);
        assert_eq!(seen(&anew(chain(), 2)), [(2, Broken::Rewritten)]);
        assert_eq!(seen(&anew(chain(), 3)), [(3, Broken::Rewritten)]);
        // What was never copied is nobody's to witness.
        assert_eq!(seen(&anew(chain(), 4)), []);
        let mut changed = chain();
        changed[1].entry.reason = "别的".into();
        assert_eq!(seen(&changed), [(2, Broken::Rewritten)]);
        // A relay that says nothing of it: what it adds does not follow.
        let mut silent = before.clone();
        silent.take_link(anew(chain(), 2)[3].clone());
        assert_eq!(silent.broken(), [(4, Broken::Unconnected)]);
        let mut lacking = Witness::default();
        copy(&mut lacking, &chain()[2..]);
        assert_eq!(lacking.broken(), [(1, Broken::Lacking)]);
    }

    #[test]
    fn copies_are_cut_into_events_that_fit() {
        let long = Entry::new(What::READ).because(&"因".repeat(500)).detail(&"果".repeat(500));
        let links: Vec<Link> =
            (1..=40).map(|seq| Link::new(seq, &EMPTY, 1, Source::Relay, long.clone())).collect();
        let events = Copied::in_events(links.clone());
        assert!(events.len() > 3, "{}", events.len());
        let mut back = Vec::new();
        for event in events {
            let Scalar::Bytes(bytes) = event.to_scalar() else { panic!("bytes") };
            assert!(bytes.len() <= crate::document::VALUE_LEN_BYTES_MAX, "{}", bytes.len());
            let Copied::Links(links) = event else { panic!("links") };
            back.extend(links);
        }
        assert_eq!(back, links);
        assert_eq!(Copied::in_events(Vec::new()), []);
        assert_eq!((part_of(1), part_of(PART_LINKS), part_of(PART_LINKS + 1)), (0, 0, 1));
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let entry = Entry::new(What::UNMASK).because(&"因".repeat(500));
        assert_eq!(entry.reason, "因".repeat(200));
    }
}
