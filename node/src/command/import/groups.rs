//! Rows that mean one person or place, put together, and the document that they mean.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use wangge_model::document::{DocumentView, Scalar};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;

use super::row::{Incoming, Slot};
use crate::command::place;
use crate::replica::{Replica, ReplicaError};

/// All rows of one person or place.
#[derive(Default)]
pub(super) struct Group {
    pub(super) number: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) values: BTreeMap<Slot, Scalar>,
    /// Whether each row, in the order of the file, brought something that the ones before it had not.
    pub(super) brought: Vec<bool>,
}

impl Group {
    pub(super) fn take(&mut self, values: impl IntoIterator<Item = (Slot, Scalar)>) {
        let mut brought = false;
        for (slot, value) in values {
            match self.values.entry(slot) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                    brought = true;
                }
                Entry::Occupied(mut entry) => brought |= entry.insert(value.clone()) != value,
            }
        }
        self.brought.push(brought);
    }

    fn absorb(&mut self, other: Self) {
        self.number = other.number.or(self.number.take());
        let before = self.values.clone();
        self.values.extend(other.values);
        let brought = self.values != before;
        self.brought.extend(other.brought.iter().map(|_| brought));
    }
}

/// The groups of one scope, found by number or by identity.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    by_number: BTreeMap<String, usize>,
    by_identity: BTreeMap<String, usize>,
}

impl Groups {
    pub(super) fn take(&mut self, scope: &Scope, incoming: Incoming) {
        let identity = incoming.name_address.map(|(name, address)| place::identity(&name, &address, scope));
        let fits = |index: &usize| {
            let known = &self.all[*index].number;
            known.is_none() || incoming.number.is_none() || *known == incoming.number
        };
        let found = incoming
            .number
            .as_ref()
            .and_then(|number| self.by_number.get(number))
            .or_else(|| {
                identity.as_ref().and_then(|identity| self.by_identity.get(identity)).filter(|i| fits(i))
            })
            .copied();
        let index = found.unwrap_or(self.all.len());
        if found.is_none() {
            self.all.push(Group::default());
        }
        let group = &mut self.all[index];
        if let Some(number) = incoming.number {
            group.number = Some(number.clone());
            self.by_number.insert(number, index);
        }
        if let Some(identity) = identity {
            group.identity.get_or_insert_with(|| identity.clone());
            self.by_identity.entry(identity).or_insert(index);
        }
        group.take(incoming.values);
    }
}

/// A group and the document that it means.
pub(super) struct Meaning {
    pub(super) group: Group,
    pub(super) doc: DocId,
    /// The document as it is, if it is here.
    pub(super) view: Option<DocumentView>,
    /// The generation of a new document's id.
    pub(super) generation: u32,
}

/// Which document each group means. Two groups that mean the same one become one.
pub(super) fn resolve(
    replica: &Replica,
    scope: &Scope,
    kind: Kind,
    groups: Groups,
) -> Result<Vec<Meaning>, ReplicaError> {
    let known = if kind == Kind::PLACE { identities(replica, scope)? } else { BTreeMap::new() };
    let mut meanings: Vec<Meaning> = Vec::with_capacity(groups.all.len());
    let mut taken: BTreeMap<DocId, usize> = BTreeMap::new();
    for group in groups.all {
        let (doc, view, generation) = document_of(replica, scope, kind, &group, &known)?;
        match taken.entry(doc) {
            Entry::Occupied(entry) => meanings[*entry.get()].group.absorb(group),
            Entry::Vacant(entry) => {
                entry.insert(meanings.len());
                meanings.push(Meaning { group, doc, view, generation });
            }
        }
    }
    Ok(meanings)
}

fn document_of(
    replica: &Replica,
    scope: &Scope,
    kind: Kind,
    group: &Group,
    known: &BTreeMap<String, BTreeSet<DocId>>,
) -> Result<(DocId, Option<DocumentView>, u32), ReplicaError> {
    if let Some(number) = &group.number
        && let Some(view) = replica.by_natural_key(scope, kind, number)?
    {
        return Ok((view.id, Some(view), 0));
    }
    // A place that is here under its name and address: without a code, or the row has none.
    if let Some(ids) = group.identity.as_ref().and_then(|identity| known.get(identity)) {
        for id in ids {
            if let Some(view) = replica.get(scope, kind, id)?
                && (group.number.is_none() || view.text("credit_code").is_empty())
            {
                return Ok((*id, Some(view), 0));
            }
        }
    }
    let (doc, generation) = match (&group.number, &group.identity) {
        (Some(number), _) => replica.natural_id(scope, kind, number)?,
        (None, Some(identity)) => place::derived_id(replica, scope, kind, identity)?,
        (None, None) => (DocId(replica.random()?), 0),
    };
    let view = replica.get(scope, kind, &doc)?;
    Ok((doc, view, generation))
}

/// Identity -> open places of a scope.
pub(super) fn identities(
    replica: &Replica,
    scope: &Scope,
) -> Result<BTreeMap<String, BTreeSet<DocId>>, ReplicaError> {
    let mut known: BTreeMap<String, BTreeSet<DocId>> = BTreeMap::new();
    replica.each(scope, Kind::PLACE, |view| {
        if !view.is_closed() {
            let identity = place::identity(&view.text("name"), &view.text("address"), scope);
            known.entry(identity).or_default().insert(view.id);
        }
        true
    })?;
    Ok(known)
}
