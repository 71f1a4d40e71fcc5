//! Putting back what void changes overwrote. A void change is in a document only because something that
//! counts builds on it; its values do not show, and this finds what would show had it never been.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ObjId, ReadDoc};

use super::view::order;
use super::{Applied, Document, Op, Scalar, Target};

/// An operation that counts: where it stands, what it puts.
struct Write<'a> {
    at: usize,
    applied: &'a Applied,
    /// Its counter in Automerge.
    counter: u64,
    value: Option<&'a Scalar>,
}

impl Document {
    /// The operations that put back what void changes overwrote, for each register that nothing has
    /// overwritten since. Empty once that is done.
    pub fn restoring(&self) -> Vec<Op> {
        let mut touched: BTreeSet<&Target> = BTreeSet::new();
        for applied in self.applied.iter().filter(|applied| applied.void) {
            let targets = applied.ops.iter().map(|op| &op.target);
            touched.extend(targets.filter(|target| !matches!(target, Target::Event { .. })));
        }
        let mut writes: BTreeMap<&Target, Vec<Write<'_>>> = BTreeMap::new();
        let mut void: BTreeSet<(&[u8], u64)> = BTreeSet::new();
        for (at, applied) in self.applied.iter().enumerate() {
            for (counter, op) in (applied.start_op..).zip(&applied.ops) {
                if applied.void {
                    void.insert((&applied.origin.actor, counter));
                } else if touched.contains(&op.target) {
                    let write = Write { at, applied, counter, value: op.value.as_ref() };
                    writes.entry(&op.target).or_default().push(write);
                }
            }
        }
        let restore = |target: &&Target| {
            let writes = writes.get(*target).map(Vec::as_slice).unwrap_or_default();
            let visible = self.visible_ids(target);
            let shows_void =
                visible.iter().any(|(actor, counter)| void.contains(&(actor.as_slice(), *counter)));
            let is_visible = |write: &Write<'_>| {
                visible
                    .iter()
                    .any(|(actor, counter)| *counter == write.counter && *actor == write.applied.origin.actor)
            };
            let standing = self.standing(writes);
            let missing = standing.iter().any(|write| write.value.is_some() && !is_visible(write));
            let latest = standing.iter().filter(|write| write.value.is_some());
            let latest = latest.max_by_key(|write| order(&write.applied.origin));
            let values: BTreeSet<String> =
                standing.iter().filter_map(|write| write.value).map(|value| format!("{value:?}")).collect();
            let value = match latest {
                None if !shows_void => return None,
                None => None,
                // Both sides of a conflict are there: it stays one.
                Some(_) if !missing && (values.len() > 1 || !shows_void) => return None,
                Some(latest) => latest.value.cloned(),
            };
            Some(Op { target: (*target).clone(), value })
        };
        touched.iter().filter_map(restore).collect()
    }

    /// The writes that no other of them has overwritten.
    fn standing<'a, 'b>(&self, writes: &'b [Write<'a>]) -> Vec<&'b Write<'a>> {
        let histories: Vec<Vec<bool>> =
            writes.iter().map(|write| self.history(&write.applied.deps)).collect();
        let overwritten = |at: usize| histories.iter().any(|history| history.get(at) == Some(&true));
        writes.iter().filter(|write| !overwritten(write.at)).collect()
    }

    /// Actor and counter of each operation whose value is visible under a register.
    fn visible_ids(&self, target: &Target) -> Vec<(Vec<u8>, u64)> {
        let (container, key) = match target {
            Target::Field(key) => (None, key),
            Target::Entry { container, key } => (Some(container), key),
            Target::Event { .. } => return Vec::new(),
        };
        let obj = match container {
            None => Some(ObjId::Root),
            Some(name) => self.container(name),
        };
        let values = obj.and_then(|obj| self.automerge.get_all(&obj, key.as_str()).ok()).unwrap_or_default();
        let ids = values.into_iter().filter_map(|(_, id)| match id {
            ObjId::Id(counter, actor, _) => Some((actor.to_bytes().to_vec(), counter)),
            ObjId::Root => None,
        });
        ids.collect()
    }
}
