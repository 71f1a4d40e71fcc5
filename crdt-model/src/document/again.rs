//! Writing changes once more, under another name: what nobody else has, and whose transaction is damaged. The
//! document still says what they did and on what they built.

use std::collections::{BTreeMap, BTreeSet};

use crate::wire::PageDocument;

use super::{Change, ChangeHash, Dep, Document, Origin};

impl Document {
    /// The change that says what change `at` of `was` said, an earlier state of this document; `None` if that is said
    /// already. It builds on what that one built on: what others wrote beside it stays beside it. `gone` are the
    /// changes of `was` that are written once more, in their order, by `actor`, under origins of which `is_new`
    /// says so.
    pub fn once_more(
        &self,
        was: &PageDocument,
        gone: &BTreeSet<u32>,
        at: u32,
        actor: &[u8; 16],
        is_new: impl Fn(&Origin) -> bool,
    ) -> Option<Change> {
        let mut said: BTreeMap<u32, usize> = BTreeMap::new();
        let mut next = 0;
        for index in gone {
            let change = was.changes.get(*index as usize)?;
            let again = self.applied.iter().enumerate().skip(next).find(|(_, applied)| {
                is_new(&applied.origin)
                    && applied.origin.lamport > change.origin.lamport
                    && applied.ops == change.ops
            });
            let Some((found, _)) = again else { break };
            said.insert(*index, found);
            next = found + 1;
        }
        if said.contains_key(&at) {
            return None;
        }
        let change = was.changes.get(at as usize)?;
        let place = |dep: &u32| match said.get(dep) {
            Some(found) => Some(*found),
            None => {
                let origin = &was.changes.get(*dep as usize)?.origin;
                self.applied.iter().position(|applied| {
                    let held = &applied.origin;
                    (held.log, held.seq, held.actor) == (origin.log, origin.seq, origin.actor)
                })
            }
        };
        let places: Option<Vec<u32>> = change.deps.iter().map(|dep| Some(place(dep)? as u32)).collect();
        // Automerge wants each actor's changes in a chain.
        let last = self.applied.iter().rposition(|applied| applied.origin.actor == *actor);
        let places = places.filter(|places| last.is_none_or(|last| self.history(places)[last]));
        let Some(places) = places else {
            // Something that it built on is here no longer.
            let ops = self.effective(change.ops.clone());
            return (!ops.is_empty()).then(|| self.draft(ops));
        };
        let dep = |at: &u32| Dep::of(&ChangeHash(self.applied[*at as usize].hash));
        let mut deps: Vec<Dep> = places.iter().map(dep).collect();
        deps.sort_unstable();
        Some(Change { doc: self.id, kind: self.kind, base: change.base, deps, ops: change.ops.clone() })
    }
}
