//! Records of one person, put together by a link (并档).
//!
//! The record that gives way names the other one in [`MERGED_INTO`]; nothing is copied, so late edits of
//! either stay visible. Which record stands for all is a function of the links alone, so replicas that hold
//! the same links agree, also where two people linked the same records in opposite directions.

use std::collections::BTreeSet;

use crate::document::{DocumentView, Register};
use crate::identity::DocId;
use crate::schema::{CLOSED, GENERATION, MERGED_INTO, MOVED_FROM, MOVED_TO};

/// Fields that speak of the record, not of the person.
const OF_THE_RECORD: [&str; 5] = [MERGED_INTO, MOVED_TO, MOVED_FROM, CLOSED, GENERATION];

/// The record that a view names as the one that it is merged into.
pub fn merged_into(view: &DocumentView) -> Option<DocId> {
    view.value(MERGED_INTO)?.as_str()?.parse().ok()
}

/// The record that stands for `doc`: the end of its chain of links. Where the chain comes back to itself,
/// the smallest id of that circle stands for all of it.
pub fn winner(doc: DocId, mut link: impl FnMut(&DocId) -> Option<DocId>) -> DocId {
    let mut path = Vec::new();
    let mut seen = BTreeSet::new();
    let mut at = doc;
    while seen.insert(at) {
        path.push(at);
        match link(&at) {
            Some(next) => at = next,
            None => return at,
        }
    }
    let circle = path.iter().skip_while(|id| **id != at);
    circle.min().copied().unwrap_or(at)
}

/// All that is known of a person in several records: the winner's values first, then what the others have
/// besides, in the order of their ids.
pub fn union(winner: &DocumentView, others: &[&DocumentView]) -> DocumentView {
    let mut all = winner.clone();
    all.fields.remove(MERGED_INTO);
    let mut others = others.to_vec();
    others.sort_by_key(|view| view.id);
    for other in others {
        for (field, register) in &other.fields {
            if !OF_THE_RECORD.contains(&field.as_str()) {
                add(&mut all.fields, field, register);
            }
        }
        for (set, entries) in &other.sets {
            let into = all.sets.entry(set).or_default();
            for (key, register) in entries {
                add(into, key, register);
            }
        }
        for (history, events) in &other.histories {
            all.histories.entry(history).or_default().extend(events.iter().cloned());
        }
    }
    all
}

fn add(into: &mut std::collections::BTreeMap<String, Register>, key: &str, register: &Register) {
    let Some(known) = into.get_mut(key) else {
        into.insert(key.to_owned(), register.clone());
        return;
    };
    for claim in register.claims() {
        if !known.claims().any(|there| there.value == claim.value) {
            known.others.push(claim.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn id(n: u8) -> DocId {
        DocId([n; 16])
    }

    #[track_caller]
    fn check(links: &[(u8, u8)], expect: &[(u8, u8)]) {
        let links: BTreeMap<DocId, DocId> = links.iter().map(|(a, b)| (id(*a), id(*b))).collect();
        for (of, is) in expect {
            assert_eq!(winner(id(*of), |doc| links.get(doc).copied()), id(*is), "{of} of {links:?}");
        }
    }

    #[test]
    fn the_end_of_the_chain_stands_for_all_and_a_circle_has_one_winner() {
        check(&[], &[(1, 1)]);
        check(&[(1, 2), (2, 3)], &[(1, 3), (2, 3), (3, 3)]);
        check(&[(1, 2), (2, 1)], &[(1, 1), (2, 1)]);
        check(&[(3, 2), (2, 3), (1, 3)], &[(1, 2), (2, 2), (3, 2)]);
        check(&[(1, 2), (2, 3), (3, 1), (9, 2)], &[(1, 1), (2, 1), (3, 1), (9, 1)]);
        check(&[(5, 5)], &[(5, 5)]);
    }
}
