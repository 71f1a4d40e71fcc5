//! What two replicas really hold, compared: equal clocks say that their logs are equal, not that the documents
//! made of them are. A tree of digests over documents by id, sixteen branches a level, finds those that
//! differ in a few small questions; where nothing differs one question of a few bytes is all.

use serde::{Deserialize, Serialize};

use crate::identity::{DocId, Scope};

/// Eight bytes over a document, or over many.
pub type Digest = [u8; 8];

/// Branches of the tree.
const BRANCHES: usize = 16;
/// Documents up to which a branch is listed instead of cut further.
const LISTED_MAX: usize = 32;
/// Levels: half a byte of the id each.
pub const DEPTH_MAX: usize = 32;
/// Documents that are named apart at most: more would say no more.
pub const APART_MAX: usize = 64;

/// "This is what I hold of these documents: and you?"
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The scope.
    pub scope: Scope,
    /// Digest of the asking side's clock of it: only with equal clocks does a difference mean anything.
    pub clock: Digest,
    /// The documents whose ids begin so, half a byte an element.
    pub at: Vec<u8>,
    /// The asking side's digest over them.
    pub digest: Digest,
}

/// The answer to a [`Question`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The scope.
    pub scope: Scope,
    /// What was asked for.
    pub at: Vec<u8>,
    /// What the answering side holds there.
    pub holds: Holds,
}

/// What is held of some documents.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Holds {
    /// The same.
    Same,
    /// The clocks differ, or something is under way: nothing can be said now.
    NotNow,
    /// Digests of the sixteen branches.
    Branches(Vec<Digest>),
    /// The documents themselves, ascending.
    Documents(Vec<(DocId, Digest)>),
}

/// The documents of a scope with what each is, ascending by id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Print(Vec<(DocId, Digest)>);

fn begins(doc: &DocId, at: &[u8]) -> bool {
    at.iter().enumerate().all(|(level, half)| branch(doc, level) == *half)
}

fn branch(doc: &DocId, level: usize) -> u8 {
    let byte = doc.0.get(level / 2).copied().unwrap_or(0);
    if level.is_multiple_of(2) { byte >> 4 } else { byte & 0xf }
}

fn digest_of(documents: &[(DocId, Digest)]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 fingerprint");
    for (doc, digest) in documents {
        hasher.update(&doc.0);
        hasher.update(digest);
    }
    crate::identity::Hash(*hasher.finalize().as_bytes()).tag()
}

impl Print {
    /// From documents in any order.
    pub fn new(mut documents: Vec<(DocId, Digest)>) -> Self {
        documents.sort_unstable();
        Self(documents)
    }

    /// How many documents.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn below(&self, at: &[u8]) -> &[(DocId, Digest)] {
        // Ids sort as their halves do.
        let start = self
            .0
            .partition_point(|(doc, _)| (0..at.len()).map(|level| branch(doc, level)).lt(at.iter().copied()));
        let rest = &self.0[start..];
        &rest[..rest.partition_point(|(doc, _)| begins(doc, at))]
    }

    /// The digest over the documents whose ids begin with `at`.
    pub fn digest(&self, at: &[u8]) -> Digest {
        digest_of(self.below(at))
    }

    fn branches(&self, at: &[u8]) -> Vec<Digest> {
        (0..BRANCHES as u8).map(|half| self.digest(&[at, &[half]].concat())).collect()
    }

    /// Answers a peer that holds `theirs` of the documents at `at`.
    pub fn answer(&self, at: &[u8], theirs: &Digest) -> Holds {
        let mine = self.below(at);
        if digest_of(mine) == *theirs {
            return Holds::Same;
        }
        if mine.len() <= LISTED_MAX || at.len() >= DEPTH_MAX {
            return Holds::Documents(mine.to_vec());
        }
        Holds::Branches(self.branches(at))
    }

    /// What an answer leads to: where to ask on, and which documents are known to differ.
    pub fn compare(&self, at: &[u8], theirs: &Holds) -> (Vec<Vec<u8>>, Vec<DocId>) {
        match theirs {
            Holds::Same | Holds::NotNow => (Vec::new(), Vec::new()),
            Holds::Branches(_) if at.len() >= DEPTH_MAX => (Vec::new(), Vec::new()),
            Holds::Branches(digests) => {
                let differ = self.branches(at).into_iter().zip(digests).enumerate();
                let differ = differ.filter(|(_, (mine, theirs))| mine != *theirs);
                (differ.map(|(half, _)| [at, &[half as u8]].concat()).collect(), Vec::new())
            }
            Holds::Documents(documents) => {
                let theirs =
                    Self::new(documents.iter().filter(|(doc, _)| begins(doc, at)).copied().collect());
                let mine = self.below(at);
                let mut apart: Vec<DocId> = mine
                    .iter()
                    .filter(|entry| theirs.0.binary_search(entry).is_err())
                    .chain(theirs.0.iter().filter(|entry| mine.binary_search(entry).is_err()))
                    .map(|(doc, _)| *doc)
                    .collect();
                apart.sort_unstable();
                apart.dedup();
                (Vec::new(), apart)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: u32) -> Vec<(DocId, Digest)> {
        let document = |at: u32| {
            let hash = blake3::hash(&at.to_le_bytes());
            let mut id = [0; 16];
            id.copy_from_slice(&hash.as_bytes()[..16]);
            (DocId(id), at.to_le_bytes().repeat(2).try_into().unwrap())
        };
        (0..count).map(document).collect()
    }

    /// Asks until nothing is open: what differs, and in how many questions.
    fn ask(mine: &Print, theirs: &Print) -> (Vec<DocId>, usize) {
        let (mut open, mut apart, mut questions) = (vec![Vec::new()], Vec::new(), 0);
        while let Some(at) = open.pop() {
            questions += 1;
            let (more, found) = mine.compare(&at, &theirs.answer(&at, &mine.digest(&at)));
            open.extend(more);
            apart.extend(found);
        }
        apart.sort_unstable();
        (apart, questions)
    }

    #[test]
    fn equal_prints_cost_one_question() {
        let print = Print::new(documents(5_000));
        assert_eq!(ask(&print, &print), (vec![], 1));
        assert_eq!(ask(&Print::default(), &Print::default()), (vec![], 1));
    }

    #[test]
    fn what_differs_is_found_whichever_side_lacks_it() {
        let all = documents(5_000);
        let mut other = all.clone();
        let changed = other[17].0;
        other[17].1 = [9; 8];
        let missing = other.remove(4_001).0;
        let (mine, theirs) = (Print::new(all), Print::new(other));
        let mut expected = vec![changed, missing];
        expected.sort_unstable();
        for (one, two) in [(&mine, &theirs), (&theirs, &mine)] {
            let (apart, questions) = ask(one, two);
            assert_eq!(apart, expected);
            assert!(questions <= 8, "{questions} questions");
        }
    }

    #[test]
    fn answers_that_make_no_sense_ask_for_nothing_more() {
        let print = Print::new(documents(100));
        let deep = vec![3; DEPTH_MAX];
        let (more, apart) = print.compare(&deep, &Holds::Branches(vec![[1; 8]; 40]));
        assert_eq!((more, apart), (vec![], vec![]));
        // Documents that do not belong there are not believed.
        let elsewhere = vec![(DocId([0xff; 16]), [1; 8])];
        assert!(!print.compare(&[0], &Holds::Documents(elsewhere)).1.contains(&DocId([0xff; 16])));
    }
}
