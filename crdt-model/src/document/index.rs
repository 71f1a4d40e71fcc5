//! Which values are visible under which key, without asking Automerge: enough to derive many changes
//! before one is applied, as handing Automerge a document's changes one by one takes several times as
//! long as all at once.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, legacy};

use super::{Applied, Op, Target, event_key};
use crate::identity::LogId;

/// A value put under a key.
struct Put {
    /// The change that put it, by its place in the document.
    by: u32,
    /// Which of its operations did.
    nth: u32,
    id: legacy::OpId,
    /// The changes that overwrote or deleted it.
    gone: Vec<u32>,
    /// A change that counts was made by somebody who had seen it, or what a void change had put in its place: it shows
    /// no longer.
    replaced: bool,
}

impl Put {
    /// Its change and the place of its operation.
    fn place(&self) -> (usize, usize) {
        (self.by as usize, self.nth as usize)
    }
}

/// Values by container and key, and which changes no other builds on.
#[derive(Default)]
pub(super) struct Index {
    puts: BTreeMap<(Option<String>, String), Vec<Put>>,
    heads: BTreeSet<u32>,
    len: u32,
}

/// Which earlier changes a change builds on.
pub(super) enum History {
    /// All there are.
    Whole,
    /// Those at which this is true.
    Part(Vec<bool>),
}

impl History {
    fn has(&self, at: u32) -> bool {
        match self {
            Self::Whole => true,
            Self::Part(within) => within.get(at as usize).copied().unwrap_or(false),
        }
    }
}

impl Index {
    /// The index of a document with these changes.
    pub(super) fn of(changes: &[Applied]) -> Self {
        let mut index = Self::default();
        for (at, change) in changes.iter().enumerate() {
            let history = index.history(&change.deps, &changes[..at]);
            index.take(change, &history);
        }
        index
    }

    /// What a change that builds on `deps` has seen of `changes`, which are those in this index.
    pub(super) fn history(&self, deps: &[u32], changes: &[Applied]) -> History {
        if deps.iter().copied().collect::<BTreeSet<_>>() == self.heads {
            return History::Whole;
        }
        History::Part(super::history(deps, changes))
    }

    /// The values that a change with this history finds under a key.
    pub(super) fn visible(&self, container: Option<&str>, key: &str, history: &History) -> Vec<legacy::OpId> {
        let at = (container.map(str::to_owned), key.to_owned());
        let seen = |put: &&Put| history.has(put.by) && !put.gone.iter().any(|by| history.has(*by));
        self.puts.get(&at).into_iter().flatten().filter(seen).map(|put| put.id.clone()).collect()
    }

    /// Takes in the next change of the document.
    pub(super) fn take(&mut self, change: &Applied, history: &History) {
        let by = self.len;
        let actor = ActorId::from(change.origin.actor.as_slice());
        for (nth, op) in change.ops.iter().enumerate() {
            let puts = self.puts.entry(place(op, &change.origin.log, change.origin.seq, nth)).or_default();
            for put in puts.iter_mut() {
                if !history.has(put.by) {
                    continue;
                }
                put.replaced |= !change.void;
                if !put.gone.iter().any(|by| history.has(*by)) {
                    put.gone.push(by);
                }
            }
            if op.value.is_some() {
                let id = legacy::OpId(change.start_op + nth as u64, actor.clone());
                puts.push(Put { by, nth: nth as u32, id, gone: Vec::new(), replaced: false });
            }
        }
        for dep in &change.deps {
            self.heads.remove(dep);
        }
        self.heads.insert(by);
        self.len += 1;
    }

    /// All keys with the values that no change that counts has replaced, each as a change and the place of its
    /// operation. Of the containers that `keeps` names nothing ever goes.
    pub(super) fn current(
        &self,
        keeps: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (Option<&str>, &str, Vec<(usize, usize)>)> {
        self.puts.iter().map(move |((container, key), puts)| {
            let kept = container.as_deref().is_some_and(&keeps);
            let standing = puts.iter().filter(|put| kept || !put.replaced).map(Put::place).collect();
            (container.as_deref(), key.as_str(), standing)
        })
    }

    /// The same under one key.
    pub(super) fn standing(
        &self,
        container: Option<&str>,
        key: &str,
    ) -> impl Iterator<Item = (usize, usize)> {
        let at = (container.map(str::to_owned), key.to_owned());
        self.puts.get(&at).into_iter().flatten().filter(|put| !put.replaced).map(Put::place)
    }

    /// The changes that no other builds on.
    pub(super) fn heads(&self) -> impl Iterator<Item = u32> + '_ {
        self.heads.iter().copied()
    }
}

/// Container and key that an operation writes to.
fn place(op: &Op, log: &LogId, seq: u64, nth: usize) -> (Option<String>, String) {
    match &op.target {
        Target::Field(key) => (None, key.clone()),
        Target::Entry { container, key } => (Some(container.clone()), key.clone()),
        Target::Event { container } => (Some(container.clone()), event_key(log, seq, nth)),
    }
}
