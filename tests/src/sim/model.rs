//! The reference model: what people wrote, what each had before him when he wrote, and so what must be
//! seen wherever those writings have arrived. It knows no logs, no merging and no network.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use wangge_model::document::Origin;
use wangge_model::identity::{DocId, LogId, ReplicaId, Scope};
use wangge_model::schema::Kind;

/// Where a document lives.
pub(super) type Place = (Scope, Kind, DocId);

/// The change that carried a writing into a document: log, position, actor. It names the writing.
pub(super) type Mark = (LogId, u64, [u8; 16]);

/// The mark of an origin.
pub(super) fn mark(origin: &Origin) -> Mark {
    (origin.log, origin.seq, origin.actor)
}

/// What a person wrote into one place of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Writing {
    /// The document.
    pub place: Place,
    /// The change that carried it.
    pub mark: Mark,
    /// The field; `None` for an event, which nothing replaces.
    pub field: Option<String>,
    /// What was written; `None` if the field was cleared. No two writings say the same.
    pub value: Option<String>,
    /// The writings that its author saw in that field and so replaced.
    replaced: BTreeSet<usize>,
    /// Every disk that had it is gone: it may be missing.
    pub lost: bool,
    /// A device was told that it is at the centre.
    pub promised: bool,
    /// A device was told that a backup of the centre holds it.
    pub backed: bool,
    /// The device that wrote it.
    pub by: Option<ReplicaId>,
    /// Its device had been cut off before it came to the centre: it must not count.
    pub void: bool,
    /// Its author had been moved to another unit before it came to the centre, which decides whether it counts.
    pub doubtful: bool,
}

/// What somebody is about to write into one document.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// The document.
    pub place: Place,
    /// The marks that its author has of the document before.
    pub before: BTreeSet<Mark>,
    /// Fields and what to write there; `None` for an event.
    pub fields: Vec<(Option<String>, Option<String>)>,
}

/// All writings of a run.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// In the order in which they were saved.
    pub writings: Vec<Writing>,
    by_place: BTreeMap<Place, Vec<usize>>,
    /// Documents that were written in one transaction: with which marks.
    pub together: Vec<Vec<(Place, Mark)>>,
    /// Devices that the centre has cut off.
    pub revoked: BTreeSet<ReplicaId>,
    /// Devices whose workers were moved away, and from where.
    pub left: BTreeSet<(ReplicaId, Scope)>,
    /// Devices whose workers were moved at all.
    pub moved: BTreeSet<ReplicaId>,
    /// How often anybody was moved.
    pub moves: usize,
    /// Documents that the centre ordered to be erased, and whether the order is known to stand.
    pub erased: BTreeMap<Place, bool>,
    next_text: u64,
}

impl Model {
    /// A text that nobody has written yet; it names the scope, so that it can be searched for where it
    /// must not be.
    pub(super) fn text(&mut self, scope: &Scope) -> String {
        self.next_text += 1;
        format!("{}文{}", tag(scope), self.next_text)
    }

    /// Notes what was saved, carried by the change `mark`. Returns the writings.
    pub(super) fn save(&mut self, draft: &Draft, mark: Mark, by: Option<ReplicaId>) -> Range<usize> {
        let first = self.writings.len();
        let void = by.is_some_and(|by| self.revoked.contains(&by));
        let doubtful = by.is_some_and(|by| self.left.contains(&(by, draft.place.0.clone())));
        for (field, value) in &draft.fields {
            let replaced = match field {
                Some(_) => self.standing(&draft.place, field, &draft.before).into_iter().collect(),
                None => BTreeSet::new(),
            };
            let id = self.writings.len();
            self.by_place.entry(draft.place.clone()).or_default().push(id);
            self.writings.push(Writing {
                place: draft.place.clone(),
                mark,
                field: field.clone(),
                value: value.clone(),
                replaced,
                lost: false,
                promised: false,
                backed: false,
                by,
                void,
                doubtful,
            });
        }
        first..self.writings.len()
    }

    /// Writings of a document.
    pub(super) fn of(&self, place: &Place) -> impl Iterator<Item = (usize, &Writing)> {
        self.by_place.get(place).into_iter().flatten().map(|id| (*id, &self.writings[*id]))
    }

    /// Documents that somebody wrote to.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.by_place.keys()
    }

    /// Documents of one kind in a scope.
    pub(super) fn places_of(&self, scope: &Scope, kind: Kind) -> Vec<Place> {
        self.by_place.keys().filter(|(at, of, _)| at == scope && *of == kind).cloned().collect()
    }

    /// Fields of a document that somebody wrote to.
    pub(super) fn fields(&self, place: &Place) -> BTreeSet<String> {
        self.of(place).filter_map(|(_, writing)| writing.field.clone()).collect()
    }

    /// Where these marks have arrived, the writings of a field that none of the others replaced.
    fn standing(&self, place: &Place, field: &Option<String>, marks: &BTreeSet<Mark>) -> Vec<usize> {
        let here: Vec<(usize, &Writing)> = self
            .of(place)
            .filter(|(_, writing)| writing.field == *field && marks.contains(&writing.mark))
            .collect();
        let mut open: Vec<usize> = here.iter().flat_map(|(_, writing)| &writing.replaced).copied().collect();
        let mut replaced = BTreeSet::new();
        while let Some(id) = open.pop() {
            // What replaced something that does not count replaced what that had replaced, too.
            if replaced.insert(id) {
                open.extend(&self.writings[id].replaced);
            }
        }
        here.into_iter().map(|(id, _)| id).filter(|id| !replaced.contains(id)).collect()
    }

    /// The centre cuts a device off: of what it wrote, only what the centre has (`there`) counts.
    pub(super) fn revoke(&mut self, device: ReplicaId, there: impl Fn(&Writing) -> bool) {
        self.revoked.insert(device);
        for writing in self.writings.iter_mut().filter(|writing| writing.by == Some(device)) {
            writing.void |= !there(writing);
        }
    }

    /// The centre moves the worker of a device, perhaps not for the first time.
    pub(super) fn note_move(&mut self, device: ReplicaId) {
        self.moved.insert(device);
        self.moves += 1;
    }

    /// The centre moves a worker away from a unit: of what he wrote there it decides, as it comes, what counts.
    pub(super) fn leave(&mut self, device: ReplicaId, unit: &Scope, there: impl Fn(&Writing) -> bool) {
        self.left.insert((device, unit.clone()));
        let his = |writing: &&mut Writing| writing.by == Some(device) && writing.place.0 == *unit;
        for writing in self.writings.iter_mut().filter(his) {
            writing.doubtful |= !there(writing);
        }
    }

    /// Whether the centre is still to decide about what the change carried.
    pub(super) fn is_doubtful(&self, place: &Place, mark: &Mark) -> bool {
        self.of(place).any(|(_, writing)| writing.mark == *mark && writing.doubtful)
    }

    /// Whether every disk that had what the change carried is gone, or damaged there.
    pub(super) fn is_lost(&self, place: &Place, mark: &Mark) -> bool {
        self.of(place).any(|(_, writing)| writing.mark == *mark && writing.lost)
    }

    /// Whether the change that carried this was written by a device that is cut off, and does not count.
    pub(super) fn is_void(&self, place: &Place, mark: &Mark) -> bool {
        self.of(place).any(|(_, writing)| writing.mark == *mark && writing.void)
    }

    /// What must be seen in a field where these marks have arrived: no more and no less.
    pub(super) fn values(&self, place: &Place, field: &str, marks: &BTreeSet<Mark>) -> BTreeSet<String> {
        let standing = self.standing(place, &Some(field.to_owned()), marks);
        standing.into_iter().filter_map(|id| self.writings[id].value.clone()).collect()
    }

    /// The events that must be seen where these marks have arrived, each once.
    pub(super) fn events(&self, place: &Place, marks: &BTreeSet<Mark>) -> BTreeSet<String> {
        self.of(place)
            .filter(|(_, writing)| writing.field.is_none() && marks.contains(&writing.mark))
            .filter_map(|(_, writing)| writing.value.clone())
            .collect()
    }
}

/// What texts of a scope begin with.
pub(super) fn tag(scope: &Scope) -> String {
    let code = scope.code();
    format!("甲{}乙", &code[code.len().saturating_sub(3)..])
}
