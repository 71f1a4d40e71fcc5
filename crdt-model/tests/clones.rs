//! Clones of clones: replicas that hold the same transactions agree, in whatever order these came and under whatever
//! names their branches are held.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::clock::{Ends, Extent, head_tag};
use wangge_model::document::{Change, Document, DocumentError, Op, Origin, Target};
use wangge_model::identity::{DocId, Epoch, Hash, LogId, ReplicaId, Scope};
use wangge_model::ingest::{Held, Outcome, ingest};
use wangge_model::log::{
    Branch, EMPTY_HEAD, HeadSignature, LogRecord, Run, SigningKey, Tip, next_head, sign_head,
};
use wangge_model::materialise::{Applied, Documents, Effect, Open};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Opening, ScopeSecret, Transaction, actor};
use wangge_model::tree;
use wangge_model::verdict::VoidReason;

const SEEDS: u64 = 400;
const DOCUMENTS: u64 = 3;

fn scope() -> Scope {
    Scope::Grid("330881121200".into())
}

fn secret() -> ScopeSecret {
    ScopeSecret([7; 32])
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn replica() -> ReplicaId {
    ReplicaId(key().verifying_key().to_bytes())
}

fn log() -> LogId {
    LogId::derive(&scope(), &replica(), Epoch(1))
}

/// Seeded chance (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

/// A disk of the one device, or a clone of it.
#[derive(Clone)]
struct Disk {
    chain: Vec<(LogRecord, HeadSignature)>,
    documents: BTreeMap<DocId, Document>,
    nonce: Option<u64>,
}

impl Disk {
    fn new() -> Self {
        Self { chain: Vec::new(), documents: BTreeMap::new(), nonce: None }
    }

    fn write(&mut self, dice: &mut Dice) {
        let doc = DocId([1 + dice.below(DOCUMENTS as usize) as u8; 16]);
        let document =
            self.documents.entry(doc).or_insert_with(|| Document::new(doc, Kind::PERSON).expect("known"));
        let field = ["name", "phone", "note"][dice.below(3)];
        let op = Op {
            target: Target::Field(field.into()),
            value: Some(format!("{}", dice.next()).as_str().into()),
        };
        let change: Change = document.draft(vec![op]);
        let seq = self.chain.len() as u64 + 1;
        let starts = self.nonce.is_none();
        let nonce = *self.nonce.get_or_insert_with(|| dice.next());
        let transaction = Transaction {
            log: log(),
            seq,
            lamport: seq,
            wall_ms: 1_790_000_000_000 + seq,
            worker: DocId([9; 16]),
            actor_nonce: starts.then_some(nonce),
            opening: (seq == 1).then_some(Opening { replica: replica(), epoch: Epoch(1), predecessor: None }),
            seen: Vec::new(),
            changes: vec![change.clone()],
            verdicts: Vec::new(),
            erased: Vec::new(),
            turn: None,
        };
        let origin = Origin {
            log: log(),
            seq,
            lamport: seq,
            worker: transaction.worker,
            wall_ms: transaction.wall_ms,
            observed_ms: 0,
            actor: actor(&log(), nonce),
        };
        document.apply(&change, &origin).expect("applies");
        let before = self.chain.last().map_or(EMPTY_HEAD, |(record, _)| record.head);
        let head = next_head(&before, &transaction.hash(&secret()));
        let signature = sign_head(&key(), &log(), seq, &head);
        self.chain.push((LogRecord { head, signature: Some(signature), transaction }, signature));
    }
}

/// What one replica holds.
#[derive(Clone, Default)]
struct Replica {
    tips: BTreeMap<LogId, Tip>,
    records: BTreeMap<(LogId, u64), LogRecord>,
    applied: Applied,
    documents: BTreeMap<DocId, Document>,
}

impl Held for Replica {
    fn tip(&self, log: &LogId) -> Option<Tip> {
        self.tips.get(log).cloned()
    }

    fn record(&self, log: &LogId, seq: u64) -> Option<LogRecord> {
        self.records.get(&(tree::owner(self, log, seq), seq)).cloned()
    }

    fn branches(&self, log: &LogId) -> Vec<LogId> {
        let leaves = |tip: &Tip| tip.identity.branch.as_ref().is_some_and(|branch| branch.of == *log);
        self.tips.iter().filter(|(_, tip)| leaves(tip)).map(|(name, _)| *name).collect()
    }

    fn forked(&self) -> BTreeSet<LogId> {
        let forked = self.tips.iter().filter(|(_, tip)| tip.identity.branch.is_some());
        forked.map(|(branch, _)| tree::root(self, branch)).collect()
    }
}

/// The documents of a replica; all counts.
struct Stored<'a>(&'a BTreeMap<DocId, Document>);

impl Documents for Stored<'_> {
    fn load(&self, doc: &DocId, _: Kind) -> Result<Option<Document>, DocumentError> {
        Ok(self.0.get(doc).cloned())
    }

    fn void(&self, _: &LogId, _: &LogRecord, _: u64) -> Option<VoidReason> {
        None
    }

    fn centre(&self) -> ReplicaId {
        ReplicaId([0xee; 32])
    }

    fn voided(&self, _: &DocId) -> Vec<(LogId, [u8; 16], LogRecord)> {
        Vec::new()
    }

    fn observed_ms(&self, _: &LogId, _: u64) -> u64 {
        0
    }
}

impl Replica {
    fn ends(&self) -> Ends {
        tree::ends(self, &log(), |piece| self.tips.get(piece).map_or(0, |tip| tip.len))
    }

    /// Takes a run in. Whether it fitted.
    fn take(&mut self, run: Run) -> bool {
        match ingest(&scope(), &secret(), self, run).expect("an honest run") {
            Outcome::Known { .. } => true,
            Outcome::Append(checked) => {
                for record in checked.records {
                    self.records.insert((checked.log, record.transaction.seq), record);
                }
                self.tips.insert(checked.log, checked.tip);
                true
            }
            Outcome::Gap { .. } | Outcome::Rewind { .. } | Outcome::Below => false,
        }
    }

    fn apply(&mut self) {
        loop {
            let mut moved = false;
            for log in self.tips.keys().copied().collect::<Vec<_>>() {
                let mut open = Open::default();
                let tip = self.tips[&log].clone();
                let mut applied = self.applied.clone();
                let step = applied.step(self, &Stored(&self.documents), &mut open, &log, &tip);
                let (effect, record) = step.expect("sound");
                if record.is_none() {
                    continue;
                }
                assert_eq!(effect, Effect::Applied);
                moved = true;
                self.applied = applied;
                for document in open.drain_changed() {
                    self.documents.insert(document.id(), document);
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// What it holds, without names.
    fn fold(&self) -> BTreeMap<DocId, Vec<u8>> {
        self.documents.iter().map(|(doc, document)| (*doc, document.view().pack())).collect()
    }

    /// The run that a peer lacks on the way to one of the ends here.
    fn run_for(&self, end: &Extent, theirs: &Ends) -> Option<Run> {
        let (piece, from, parts) = tree::go_on(self, &log(), end, &theirs.0)?;
        let records: Option<Vec<LogRecord>> = (from..=end.len).map(|seq| self.record(&piece, seq)).collect();
        let records = records?;
        let signature = records.last()?.signature?;
        let before = tree::at(self, &piece, from - 1).filter(|_| self.tips.len() > 1 && (from > 1 || parts));
        let branch = before.map(|point| Branch {
            of: log(),
            base: point.seq,
            head: point.head,
            lamport: point.lamport,
            actor: Applied::at(self, &piece, point.seq).actor,
        });
        let transactions = records.into_iter().map(|record| record.transaction).collect();
        Some(Run { log: log(), branch, transactions, signature })
    }

    fn give_to(&self, other: &mut Self) {
        for end in self.ends().0 {
            let theirs = other.ends();
            if theirs.contains(&end) {
                continue;
            }
            if let Some(run) = self.run_for(&end, &theirs)
                && !other.take(run)
                && let Some(run) = self.run_for(&end, &Ends::default())
            {
                other.take(run);
            }
        }
    }

    /// A replica that begins with what this one holds, in pages: it has no transactions.
    fn in_pages(&self) -> Self {
        let floored = |(log, tip): (&LogId, &Tip)| (*log, Tip { floor: tip.len, ..tip.clone() });
        Self {
            tips: self.tips.iter().map(floored).collect(),
            documents: self.documents.clone(),
            applied: self.applied.clone(),
            ..Self::default()
        }
    }
}

/// Disks that write and are cloned, clones too.
fn disks(dice: &mut Dice, writings: usize) -> Vec<Disk> {
    let mut disks = vec![Disk::new()];
    for _ in 0..writings {
        if dice.below(5) == 0 && disks.len() < 6 {
            let at = dice.below(disks.len());
            // Both start anew.
            disks[at].nonce = None;
            let clone = disks[at].clone();
            disks.push(clone);
        }
        let at = dice.below(disks.len());
        disks[at].write(dice);
    }
    disks
}

fn expected(disks: &[Disk]) -> Ends {
    let heads = |disk: &Disk| disk.chain.iter().map(|(record, _)| record.head).collect::<Vec<_>>();
    let all: Vec<Vec<Hash>> = disks.iter().map(heads).filter(|heads| !heads.is_empty()).collect();
    let is_end = |heads: &&Vec<Hash>| {
        !all.iter().any(|other| other.len() > heads.len() && other[heads.len() - 1] == heads[heads.len() - 1])
    };
    let extent =
        |heads: &Vec<Hash>| Extent { len: heads.len() as u64, head: head_tag(&heads[heads.len() - 1]) };
    Ends::new(all.iter().filter(is_end).map(extent).collect())
}

/// A part of a chain, as some peer may happen to give it.
fn part(disk: &Disk, dice: &mut Dice) -> Option<Run> {
    let upto = 1 + dice.below(disk.chain.len().max(1));
    let from = dice.below(upto);
    let part = disk.chain.get(from..upto)?;
    let (_, signature) = part.last()?;
    let transactions = part.iter().map(|(record, _)| record.transaction.clone()).collect();
    Some(Run { log: log(), branch: None, transactions, signature: *signature })
}

#[test]
fn whoever_holds_the_same_branches_agrees_however_they_came() {
    for seed in 0..SEEDS {
        let dice = &mut Dice(seed);
        let writings = 3 + dice.below(20);
        let disks = disks(dice, writings);
        let mut replicas: Vec<Replica> = (0..3).map(|_| Replica::default()).collect();
        for replica in &mut replicas {
            for _ in 0..16 {
                let disk = &disks[dice.below(disks.len())];
                if let Some(run) = part(disk, dice) {
                    replica.take(run);
                }
                if dice.below(3) == 0 {
                    replica.apply();
                }
            }
        }
        // Each disk meets one of them, and they meet each other.
        for disk in &disks {
            let at = dice.below(replicas.len());
            if let Some((_, signature)) = disk.chain.last() {
                let transactions = disk.chain.iter().map(|(record, _)| record.transaction.clone()).collect();
                let run = Run { log: log(), branch: None, transactions, signature: *signature };
                assert!(replicas[at].take(run), "seed {seed}: a whole chain fits");
            }
        }
        meet(&mut replicas);
        let expected = expected(&disks);
        for replica in &mut replicas {
            replica.apply();
            assert_eq!(replica.ends(), expected, "seed {seed}");
            // What a verdict or an author names is found, whatever it is called here.
            for (record, _) in disks.iter().flat_map(|disk| &disk.chain) {
                let end = Extent { len: record.transaction.seq, head: head_tag(&record.head) };
                let piece = tree::find(replica, &log(), &end).expect("held");
                assert_eq!(
                    replica.record(&piece, end.len).map(|held| held.head),
                    Some(record.head),
                    "seed {seed}"
                );
                // So it is under the name that the branch had by protocol version 1: of its first transaction.
                let former = LogId::of_branch(&record.transaction.hash(&secret()));
                let named = tree::named(replica, &former, &end);
                assert_eq!(named, (!replica.forked().is_empty()).then_some(piece), "seed {seed}");
                let elsewhere = Extent { len: end.len, head: [0xee; 4] };
                assert_eq!(tree::named(replica, &former, &elsewhere), None, "seed {seed}");
            }
        }
        let fold = replicas[0].fold();
        assert!(replicas.iter().all(|replica| replica.fold() == fold), "seed {seed}: documents differ");
    }
}

fn meet(replicas: &mut [Replica]) {
    for _ in 0..6 {
        if replicas.windows(2).all(|pair| pair[0].ends() == pair[1].ends()) {
            return;
        }
        for from in 0..replicas.len() {
            for to in (0..replicas.len()).filter(|to| *to != from) {
                let (low, high) = (from.min(to), from.max(to));
                let (front, back) = replicas.split_at_mut(high);
                let (one, other) = (&mut front[low], &mut back[0]);
                if from < to { one.give_to(other) } else { other.give_to(one) }
            }
        }
    }
}

/// One began from pages: of what is below its floors it has no transactions.
#[test]
fn whoever_began_from_pages_agrees_too() {
    for seed in 0..SEEDS {
        let dice = &mut Dice(1_000_000 + seed);
        let mut all = disks(dice, 12);
        let mut centre = Replica::default();
        let known = 1 + dice.below(all.len());
        for disk in all[..known].iter().filter(|disk| !disk.chain.is_empty()) {
            let transactions = disk.chain.iter().map(|(record, _)| record.transaction.clone()).collect();
            let signature = disk.chain[disk.chain.len() - 1].1;
            centre.take(Run { log: log(), branch: None, transactions, signature });
        }
        centre.apply();
        let mut late = centre.in_pages();
        for _ in 0..8 {
            let at = dice.below(all.len());
            all[at].write(dice);
        }
        for disk in all.iter().filter(|disk| !disk.chain.is_empty()) {
            let transactions = disk.chain.iter().map(|(record, _)| record.transaction.clone()).collect();
            let signature = disk.chain[disk.chain.len() - 1].1;
            assert!(centre.take(Run { log: log(), branch: None, transactions, signature }), "seed {seed}");
        }
        centre.apply();
        for _ in 0..4 {
            centre.give_to(&mut late);
        }
        late.apply();
        assert_eq!(late.ends(), centre.ends(), "seed {seed}");
        assert_eq!(late.ends(), expected(&all), "seed {seed}");
        assert_eq!(late.fold(), centre.fold(), "seed {seed}: documents differ");
    }
}

/// A disk was damaged: a piece ends before branches leave it, which are here. What precedes them comes again.
#[test]
fn what_was_cut_back_below_a_branch_comes_again() {
    let mut cut_below = 0;
    for seed in 0..SEEDS {
        let dice = &mut Dice(2_000_000 + seed);
        let disks = disks(dice, 16);
        let mut centre = Replica::default();
        for disk in disks.iter().filter(|disk| !disk.chain.is_empty()) {
            let transactions = disk.chain.iter().map(|(record, _)| record.transaction.clone()).collect();
            let signature = disk.chain[disk.chain.len() - 1].1;
            centre.take(Run { log: log(), branch: None, transactions, signature });
        }
        let mut damaged = centre.clone();
        let pieces: Vec<LogId> = damaged.tips.keys().copied().collect();
        let piece = pieces[dice.below(pieces.len())];
        let base = damaged.leaves(&piece).map_or(0, |(_, base)| base);
        let len = base + dice.below((damaged.tips[&piece].len - base) as usize) as u64;
        let end = tree::at(&damaged, &piece, len).expect("held");
        damaged.records.retain(|(of, seq), _| *of != piece || *seq <= len);
        cut_below +=
            damaged.branches(&piece).iter().filter(|b| damaged.leaves(b).is_some_and(|l| l.1 > len)).count();
        if len == 0 {
            damaged.tips.remove(&piece);
        } else if let Some(tip) = damaged.tips.get_mut(&piece) {
            (tip.len, tip.head, tip.lamport) = (len, end.head, end.lamport);
        }
        for _ in 0..4 {
            centre.give_to(&mut damaged);
        }
        assert_eq!(damaged.ends(), centre.ends(), "seed {seed}");
        for (record, _) in disks.iter().flat_map(|disk| &disk.chain) {
            let end = Extent { len: record.transaction.seq, head: head_tag(&record.head) };
            let piece = tree::find(&damaged, &log(), &end);
            let held = piece.and_then(|piece| damaged.record(&piece, end.len));
            assert_eq!(held.map(|held| held.head), Some(record.head), "seed {seed}, position {}", end.len);
        }
    }
    assert!(cut_below > 20, "no piece was cut below a branch");
}
