//! Records that stand for each other, across the units held here: see `wangge_model::registers::merge`.

use std::collections::BTreeSet;

use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Scope};
use wangge_model::registers::merge::{merged_into, union, winner};

use crate::replica::{Replica, ReplicaError};

/// Begins the keys in a winner's `links` that name what was merged into it.
pub(super) const MERGED: &str = "merged:";
/// Records that one is made of at most; more is no merge but a mistake.
const MEMBERS_MAX: usize = 64;

/// The key in the winner's `links` that names a record merged into it.
pub(super) fn link_key(doc: &DocId) -> String {
    format!("{MERGED}{doc}")
}

/// The record that stands for this one, if that is another one and it is here.
pub(super) fn standing(
    replica: &Replica,
    view: &DocumentView,
) -> Result<Option<(Scope, DocumentView)>, ReplicaError> {
    if merged_into(view).is_none() {
        return Ok(None);
    }
    let mut failed = None;
    let stands = winner(view.id, |doc| match replica.find(view.kind, doc) {
        Ok(found) => found.and_then(|(_, view)| merged_into(&view)),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    match failed {
        Some(error) => Err(error),
        None if stands == view.id => Ok(None),
        None => replica.find(view.kind, &stands),
    }
}

/// The other records that `view` stands for.
pub(super) fn members(
    replica: &Replica,
    view: &DocumentView,
) -> Result<Vec<(Scope, DocumentView)>, ReplicaError> {
    let named = |view: &DocumentView| -> Vec<DocId> {
        let links = view.sets.get("links").into_iter().flat_map(|links| links.keys());
        links.filter_map(|key| key.strip_prefix(MERGED)?.parse().ok()).collect()
    };
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([view.id]);
    let mut open = named(view);
    while let Some(doc) = open.pop() {
        if !seen.insert(doc) || found.len() >= MEMBERS_MAX {
            continue;
        }
        let Some((scope, member)) = replica.find(view.kind, &doc)? else { continue };
        open.extend(named(&member));
        if standing(replica, &member)?.is_some_and(|(_, stands)| stands.id == view.id) {
            found.push((scope, member));
        }
    }
    Ok(found)
}

/// All that is known in the records that `view` stands for.
pub(super) fn whole(replica: &Replica, view: &DocumentView) -> Result<DocumentView, ReplicaError> {
    let members = members(replica, view)?;
    if members.is_empty() {
        return Ok(view.clone());
    }
    let others: Vec<&DocumentView> = members.iter().map(|(_, view)| view).collect();
    Ok(union(view, &others))
}
