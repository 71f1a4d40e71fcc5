//! Documents: Automerge with a shape that can be checked completely.
//!
//! A document is a root map of scalar registers and a fixed set of containers, made by the genesis of
//! its kind. [`Document`] holds one open Automerge document together with where each of its changes
//! came from; [`Document::apply`] is the only way in, for local changes as for foreign ones.

mod again;
mod change;
mod index;
mod packed;
mod view;

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use automerge::{
    ActorId, Automerge, ChangeHash, ExpandedChange, LoadOptions, ObjId, OnPartialLoad, ReadDoc, TextEncoding,
    VerificationMode, legacy,
};
use serde::{Deserialize, Serialize};

pub use change::{
    Change, DEPS_MAX, Dep, KEY_LEN_BYTES_MAX, OPS_MAX, Op, Scalar, Target, VALUE_LEN_BYTES_MAX, event_key,
    is_known,
};
pub use packed::VIEW_FORMAT;
pub use view::{Claim, DocumentView, EventView, Register};

use index::{History, Index};

use crate::identity::{DocId, Hash, LogId};
use crate::schema::{Kind, KindSpec};
use crate::wire::{PageChange, PageDocument};

/// Most changes that one document takes.
pub const CHANGES_MAX: usize = 100_000;

/// Where a change came from: its position and what its author and the relay say of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The log that brought it.
    pub log: LogId,
    /// Its transaction in that log.
    pub seq: u64,
    /// Order everywhere is (Lamport, log, seq).
    pub lamport: u64,
    /// The acting worker.
    pub worker: DocId,
    /// Claimed wall time, milliseconds since 1970 (UTC).
    pub wall_ms: u64,
    /// When the relay first held it, 0 where this replica does not know.
    pub observed_ms: u64,
    /// The Automerge actor that the log declared.
    pub actor: [u8; 16],
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Applied {
    origin: Origin,
    /// It is void, and here only because something that counts builds on it.
    void: bool,
    start_op: u64,
    op_count: u32,
    actor_seq: u64,
    hash: [u8; 32],
    /// Indexes of earlier changes of this document.
    deps: Vec<u32>,
    /// The extension that it builds on.
    base: u8,
    /// What it does, as it travels; pages are made of it without opening the document.
    ops: Vec<Op>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    kind: Kind,
    heads: Vec<[u8; 32]>,
    applied: Vec<Applied>,
    /// How many extensions are in.
    level: u8,
    saved: Vec<u8>,
}

/// One open document.
#[derive(Clone)]
pub struct Document {
    id: DocId,
    kind: Kind,
    spec: &'static KindSpec,
    /// The genesis and the extensions that are in, each with its last operation.
    bases: Vec<(ChangeHash, u64)>,
    applied: Vec<Applied>,
    automerge: Automerge,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("changes", &self.applied.len())
            .finish_non_exhaustive()
    }
}

/// A change that breaks a rule of form. Every replica that holds the same history judges alike.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum FormError {
    #[error("another change to document {doc} has this author and sequence number: two branches of one log")]
    Twice { doc: DocId },
    #[error("a change to document {doc} has {count} operations; 1 to {max} are allowed")]
    OpCount { doc: DocId, count: usize, max: usize },
    #[error("a change to document {doc} builds on {count} changes; at most {max} are allowed")]
    DepCount { doc: DocId, count: usize, max: usize },
    #[error(
        "a change to document {doc} names a key of {len_bytes} bytes; 1 to {KEY_LEN_BYTES_MAX} are allowed"
    )]
    KeyLength { doc: DocId, len_bytes: usize },
    #[error("a change to document {doc} carries a value of {len_bytes} bytes; the limit is {max_bytes}")]
    ValueLength { doc: DocId, len_bytes: usize, max_bytes: usize },
    #[error("a change to document {doc} carries a number that is infinite or not a number")]
    NotANumber { doc: DocId },
    #[error("a change to document {doc} would overwrite {key:?}, which only its genesis makes")]
    Overwrite { doc: DocId, key: String },
    #[error("a change to document {doc} writes to {container:?}, which its kind has no such container for")]
    Container { doc: DocId, container: String },
    #[error("a change to document {doc} writes one key twice")]
    Repeated { doc: DocId },
    #[error("a change to document {doc} deletes where nothing is visible")]
    DeletesNothing { doc: DocId },
    #[error("a change to document {doc} builds on a change that is not in it")]
    UnknownDep { doc: DocId },
    #[error("document {doc} is of kind {found}, the change says {said}")]
    KindDiffers { doc: DocId, found: Kind, said: Kind },
    #[error("document {doc} is of {kind}, which this version does not know")]
    UnknownKind { doc: DocId, kind: Kind },
    #[error(
        "a change to document {doc} builds on extension {base} of its kind, which this version does not know"
    )]
    Newer { doc: DocId, base: u8 },
    #[error("document {doc} already has {CHANGES_MAX} changes")]
    TooManyChanges { doc: DocId },
    #[error("automerge refuses a change to document {doc}: {reason}")]
    Automerge { doc: DocId, reason: String },
}

/// A stored document that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The bytes are not a stored document.
    #[error("the stored document {doc} is damaged ({reason}); run `wangge doctor` or sync to heal it")]
    Damaged {
        /// The document.
        doc: DocId,
        /// What is wrong.
        reason: String,
    },
    /// Written by a newer version.
    #[error("document {doc} is of {kind}, which this version does not know: update this program")]
    UnknownKind {
        /// The document.
        doc: DocId,
        /// Its kind.
        kind: Kind,
    },
}

impl Document {
    /// A document with nothing but its genesis.
    ///
    /// # Errors
    /// [`FormError::UnknownKind`] if a newer version wrote that kind.
    pub fn new(id: DocId, kind: Kind) -> Result<Self, FormError> {
        let spec = kind.spec().ok_or(FormError::UnknownKind { doc: id, kind })?;
        let (mut document, genesis) = Self::begin(id, kind, spec);
        document.hand_over(vec![genesis])?;
        Ok(document)
    }

    /// A document and its genesis, which Automerge has yet to be handed.
    fn begin(id: DocId, kind: Kind, spec: &'static KindSpec) -> (Self, automerge::Change) {
        let genesis = change::genesis(&id, spec);
        let bases = vec![(genesis.hash(), genesis.len() as u64)];
        let automerge = Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint);
        (Self { id, kind, spec, bases, applied: Vec::new(), automerge }, genesis)
    }

    fn hand_over(&mut self, changes: Vec<automerge::Change>) -> Result<(), FormError> {
        let refused =
            |e: automerge::AutomergeError| FormError::Automerge { doc: self.id, reason: e.to_string() };
        self.automerge.apply_changes(changes).map_err(refused)
    }

    /// Reads back what [`Document::encode`] wrote.
    ///
    /// # Errors
    /// [`DocumentError`] if the bytes are damaged or of a newer version.
    pub fn decode(id: DocId, bytes: &[u8]) -> Result<Self, DocumentError> {
        let damaged = |reason: String| DocumentError::Damaged { doc: id, reason };
        let stored: Stored = postcard::from_bytes(bytes).map_err(|e| damaged(e.to_string()))?;
        let kind = stored.kind;
        let spec = kind.spec().ok_or(DocumentError::UnknownKind { doc: id, kind })?;
        let genesis = change::genesis(&id, spec);
        let mut bases = vec![(genesis.hash(), genesis.len() as u64)];
        for level in 1..=stored.level {
            let extension = next_extension(spec, &bases, level);
            let extension =
                extension.ok_or_else(|| damaged(format!("it has an unknown extension {level}")))?;
            bases.push((extension.hash(), extension.max_op()));
        }
        let options = LoadOptions::new()
            .on_partial_load(OnPartialLoad::Error)
            .verification_mode(VerificationMode::DontCheck)
            .text_encoding(TextEncoding::UnicodeCodePoint);
        let automerge =
            Automerge::load_with_options(&stored.saved, options).map_err(|e| damaged(e.to_string()))?;
        let mut heads: Vec<[u8; 32]> = automerge.get_heads().iter().map(|h| h.0).collect();
        heads.sort_unstable();
        if heads != stored.heads {
            return Err(damaged("its heads are not those noted beside it".to_owned()));
        }
        Ok(Self { id, kind, spec, bases, applied: stored.applied, automerge })
    }

    /// The document as it is stored: kind, heads, where each change came from, Automerge's own bytes.
    pub fn encode(&self) -> Vec<u8> {
        let stored = Stored {
            kind: self.kind,
            heads: self.heads(),
            applied: self.applied.clone(),
            level: self.level(),
            saved: self.automerge.save_nocompress(),
        };
        postcard::to_stdvec(&stored).unwrap_or_default()
    }

    /// Its id.
    pub fn id(&self) -> DocId {
        self.id
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Hashes of the changes that no other change builds on, sorted.
    pub fn heads(&self) -> Vec<[u8; 32]> {
        let mut heads: Vec<[u8; 32]> = self.automerge.get_heads().iter().map(|h| h.0).collect();
        heads.sort_unstable();
        heads
    }

    /// Where each change came from, in the order of application.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.applied.iter().map(|applied| &applied.origin)
    }

    /// The change that came from `origin`, if it is in. Branches of a forked log share positions but
    /// not actors.
    fn held(&self, origin: &Origin) -> Option<&Applied> {
        self.applied.iter().rfind(|applied| {
            let held = &applied.origin;
            held.seq == origin.seq && held.log == origin.log && held.actor == origin.actor
        })
    }

    /// Whether the change that came from `origin` is in, void or not.
    pub fn has(&self, origin: &Origin) -> bool {
        self.held(origin).is_some()
    }

    /// Whether the change that came from `origin` is in and counts.
    pub fn counts(&self, origin: &Origin) -> bool {
        self.held(origin).is_some_and(|applied| !applied.void)
    }

    /// Notes whether the change that came from `origin` is void: its values and events do not show then.
    pub fn mark(&mut self, origin: &Origin, void: bool) {
        let held = self.applied.iter_mut().rfind(|applied| {
            let held = &applied.origin;
            held.seq == origin.seq && held.log == origin.log && held.actor == origin.actor
        });
        if let Some(held) = held {
            held.void = void;
        }
    }

    /// Whether nothing but the genesis is in.
    pub fn is_blank(&self) -> bool {
        self.applied.is_empty()
    }

    /// Leaves out of `ops` what would write a value that shows already or clear what shows none.
    pub fn effective(&self, ops: Vec<Op>) -> Vec<Op> {
        let index = Index::of(&self.applied);
        let effective = |mut op: Op| {
            let (container, key) = match &op.target {
                Target::Field(key) => (None, key),
                Target::Entry { container, key } => (Some(container.as_str()), key),
                Target::Event { .. } => return Some(op),
            };
            let shown: Vec<&Scalar> =
                self.counting(index.standing(container, key)).map(|(value, _)| value).collect();
            let says_nothing_new = match &op.value {
                None => shown.is_empty(),
                Some(value) => !shown.is_empty() && shown.iter().all(|found| *found == value),
            };
            if says_nothing_new {
                return None;
            }
            if op.value.is_none() && index.visible(container, key, &History::Whole).is_empty() {
                // It shows because what deleted it is void. Automerge has it no longer, and deletes nothing twice.
                op.value = Some(Scalar::Str(String::new()));
            }
            Some(op)
        };
        ops.into_iter().filter_map(effective).collect()
    }

    /// A change of `ops` that builds on all that the document holds now.
    pub fn draft(&self, ops: Vec<Op>) -> Change {
        self.draft_on(ops, |_| true)
    }

    /// A change of `ops` that builds on what `knows` says of where changes came from. What came in a page ahead of
    /// its transactions is not known yet: a change that built on it would not say so in what its author had seen.
    pub fn draft_on(&self, ops: Vec<Op>, knows: impl Fn(&Origin) -> bool) -> Change {
        let known: Vec<bool> = self.applied.iter().map(|applied| knows(&applied.origin)).collect();
        let mut is_leaf = known.clone();
        for (applied, _) in self.applied.iter().zip(&known).filter(|(_, known)| **known) {
            for at in &applied.deps {
                is_leaf[*at as usize] = false;
            }
        }
        let leaves = self.applied.iter().zip(is_leaf).filter(|(_, leaf)| *leaf);
        let mut deps: Vec<Dep> = leaves.map(|(applied, _)| Dep::of(&ChangeHash(applied.hash))).collect();
        deps.sort_unstable();
        let needed = ops.iter().filter_map(|op| match &op.target {
            Target::Field(_) => None,
            Target::Entry { container, .. } | Target::Event { container } => {
                self.spec.container(container).map(|(_, level, _)| level)
            }
        });
        let base = needed.max().unwrap_or(0).max(self.level());
        Change { doc: self.id, kind: self.kind, base, deps, ops }
    }

    /// How many extensions of its kind are in.
    fn level(&self) -> u8 {
        (self.bases.len() - 1) as u8
    }

    /// Brings extensions in, up to `level`. Each has a fixed actor and place, so all replicas make the same.
    fn extend_to(&mut self, level: u8) -> Result<(), FormError> {
        let extensions = self.extensions_to(level)?;
        if extensions.is_empty() { Ok(()) } else { self.hand_over(extensions) }
    }

    /// Notes extensions up to `level` as in; Automerge has yet to be handed them.
    fn extensions_to(&mut self, level: u8) -> Result<Vec<automerge::Change>, FormError> {
        let mut extensions = Vec::new();
        while self.level() < level {
            let next = self.level() + 1;
            let newer = FormError::Newer { doc: self.id, base: level };
            let extension = next_extension(self.spec, &self.bases, next).ok_or(newer)?;
            self.bases.push((extension.hash(), extension.max_op()));
            extensions.push(extension);
        }
        Ok(extensions)
    }

    /// Applies a change, derived in full from `change`, its origin and the document at the change's
    /// dependencies. Applying a change that is already in does nothing.
    ///
    /// # Errors
    /// [`FormError`]; the document is unchanged then.
    pub fn apply(&mut self, change: &Change, origin: &Origin) -> Result<(), FormError> {
        if let Some(held) = self.held(origin) {
            let deps = held.deps.iter().map(|at| Dep::of(&ChangeHash(self.applied[*at as usize].hash)));
            let is_same = held.base == change.base
                && held.ops == change.ops
                && deps.collect::<BTreeSet<_>>() == change.deps.iter().copied().collect();
            return if is_same { Ok(()) } else { Err(FormError::Twice { doc: self.id }) };
        }
        self.check(change)?;
        if change.base > self.level() {
            // On a copy, as the extension must not stay if the change does not.
            let mut extended = self.clone();
            extended.extend_to(change.base)?;
            extended.apply(change, origin)?;
            *self = extended;
            return Ok(());
        }
        let deps = self.resolve(&change.deps)?;
        let (derived, applied) = self.derive(change, origin, deps, None)?;
        let refused = |reason: String| FormError::Automerge { doc: self.id, reason };
        let before = self.automerge.get_heads();
        self.automerge.apply_changes([derived]).map_err(|e| refused(e.to_string()))?;
        // Automerge queues what it cannot place and still returns Ok.
        if self.automerge.get_heads() == before {
            return Err(refused("it was queued instead of applied".to_owned()));
        }
        self.applied.push(applied);
        Ok(())
    }

    /// What can be said of a change without the document's history.
    fn check(&self, change: &Change) -> Result<(), FormError> {
        change.check_form()?;
        if change.kind != self.kind {
            return Err(FormError::KindDiffers { doc: self.id, found: self.kind, said: change.kind });
        }
        if self.applied.len() >= CHANGES_MAX {
            return Err(FormError::TooManyChanges { doc: self.id });
        }
        Ok(())
    }

    /// A document of which nothing is held yet, as a page has it.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn of_page(page: &PageDocument) -> Result<Self, FormError> {
        let spec = page.kind.spec().ok_or(FormError::UnknownKind { doc: page.id, kind: page.kind })?;
        let (mut document, genesis) = Self::begin(page.id, page.kind, spec);
        document.take_page(page, vec![genesis])?;
        Ok(document)
    }

    /// Takes in what a page holds of this document. Changes that are already in stay.
    ///
    /// # Errors
    /// [`FormError`]; the document is unchanged then.
    pub fn apply_page(&mut self, page: &PageDocument) -> Result<(), FormError> {
        // On a copy, as all changes go in together.
        let mut taken = self.clone();
        taken.take_page(page, Vec::new())?;
        *self = taken;
        Ok(())
    }

    /// Derives all changes of a page that are not in yet, then hands them to Automerge at once, after
    /// those that `waiting` holds. They pass the checks of [`Self::apply`].
    fn take_page(&mut self, page: &PageDocument, waiting: Vec<automerge::Change>) -> Result<(), FormError> {
        let id = self.id;
        let unknown = || FormError::UnknownDep { doc: id };
        let mut index = Index::of(&self.applied);
        let mut derived = waiting;
        let mut hashes = Vec::with_capacity(page.changes.len());
        for change in &page.changes {
            if let Some(held) = self.held(&change.origin) {
                hashes.push(ChangeHash(held.hash));
                if change.void {
                    self.mark(&change.origin, true);
                }
                continue;
            }
            let travelled = change
                .to_change(id, page.kind, |at| hashes.get(at as usize).map(Dep::of))
                .ok_or_else(unknown)?;
            self.check(&travelled)?;
            derived.extend(self.extensions_to(travelled.base)?);
            let deps = self.resolve(&travelled.deps)?;
            let (whole, applied) = self.derive(&travelled, &change.origin, deps, Some(&index))?;
            let history = index.history(&applied.deps, &self.applied);
            index.take(&applied, &history);
            hashes.push(ChangeHash(applied.hash));
            derived.push(whole);
            self.applied.push(Applied { void: change.void, ..applied });
        }
        self.hand_over(derived)?;
        // Automerge queues what it cannot place and still returns Ok.
        let mut heads: Vec<[u8; 32]> = index.heads().map(|at| self.applied[at as usize].hash).collect();
        if heads.is_empty() {
            heads.extend(self.bases.last().map(|(hash, _)| hash.0));
        }
        heads.sort_unstable();
        if heads != self.heads() {
            return Err(FormError::Automerge {
                doc: id,
                reason: "changes were queued instead of applied".to_owned(),
            });
        }
        Ok(())
    }

    fn resolve(&self, deps: &[Dep]) -> Result<Vec<u32>, FormError> {
        deps.iter()
            .map(|dep| {
                self.applied
                    .iter()
                    .rposition(|applied| applied.hash.starts_with(&dep.0))
                    .map(|at| at as u32)
                    .ok_or(FormError::UnknownDep { doc: self.id })
            })
            .collect()
    }

    /// The Automerge change that `change` stands for. What is visible to it follows from the document, or
    /// from `index` where changes before it have yet to be applied.
    fn derive(
        &self,
        change: &Change,
        origin: &Origin,
        deps: Vec<u32>,
        index: Option<&Index>,
    ) -> Result<(automerge::Change, Applied), FormError> {
        let seen = index.map(|index| (index, index.history(&deps, &self.applied)));
        let history = self.history(&deps);
        let within = || self.applied.iter().zip(&history).filter(|(_, within)| **within).map(|(a, _)| a);
        let (base_hash, base_op) = self.bases[usize::from(change.base)];
        let seen_base = within().map(|applied| applied.base).max().unwrap_or(0);
        let greatest = within()
            .map(|applied| applied.start_op + u64::from(applied.op_count) - 1)
            .max()
            .unwrap_or(0)
            .max(base_op);
        let actor_seq = self.applied.iter().filter(|a| a.origin.actor == origin.actor).count() as u64 + 1;
        let mut hashes: Vec<ChangeHash> =
            deps.iter().map(|at| ChangeHash(self.applied[*at as usize].hash)).collect();
        // An actor's changes form a chain in Automerge: its last one is a dependency even when the
        // author builds on another.
        let own = self.applied.iter().rposition(|applied| applied.origin.actor == origin.actor);
        if let Some(own) = own
            && !history[own]
        {
            return Err(FormError::UnknownDep { doc: self.id });
        }
        if hashes.is_empty() || change.base > seen_base {
            hashes.push(base_hash);
        }
        hashes.sort_unstable();
        hashes.dedup();
        let whole = history.iter().all(|within| *within);
        let mut operations = Vec::with_capacity(change.ops.len());
        for (index, op) in change.ops.iter().enumerate() {
            let (container, key) = match &op.target {
                Target::Field(key) => (None, key.clone()),
                Target::Entry { container, key } => (Some(container), key.clone()),
                Target::Event { container } => (Some(container), event_key(&origin.log, origin.seq, index)),
            };
            let obj = match container {
                None => legacy::ObjectId::Root,
                Some(name) => {
                    // What no extension in its history makes, a change cannot write to.
                    let (at, _, _) = self
                        .spec
                        .container(name)
                        .filter(|(_, level, _)| *level <= change.base.max(seen_base))
                        .ok_or_else(|| FormError::Container { doc: self.id, container: name.clone() })?;
                    legacy::ObjectId::Id(change::container_id(at))
                }
            };
            let pred = match &seen {
                Some((index, history)) => index.visible(container.map(String::as_str), &key, history),
                None => self.visible(container, &key, if whole { None } else { Some(&hashes) })?,
            };
            if op.value.is_none() && pred.is_empty() {
                return Err(FormError::DeletesNothing { doc: self.id });
            }
            operations.push(legacy::Op {
                action: match &op.value {
                    Some(value) => legacy::OpType::Put(value.to_automerge()),
                    None => legacy::OpType::Delete,
                },
                obj,
                key: legacy::Key::Map(key.into()),
                pred: pred.into(),
                insert: false,
            });
        }
        let start_op = greatest + 1;
        let op_count = operations.len() as u32;
        let derived: automerge::Change = ExpandedChange {
            operations,
            actor_id: ActorId::from(origin.actor.as_slice()),
            hash: None,
            seq: actor_seq,
            start_op: NonZeroU64::new(start_op).unwrap_or(NonZeroU64::MIN),
            time: 0,
            message: None,
            deps: hashes,
            extra_bytes: Vec::new(),
            author: None,
        }
        .into();
        let applied = Applied {
            void: false,
            origin: origin.clone(),
            start_op,
            op_count,
            actor_seq,
            hash: derived.hash().0,
            deps,
            base: change.base,
            ops: change.ops.clone(),
        };
        Ok((derived, applied))
    }

    /// Which changes are `deps` or before them.
    fn history(&self, deps: &[u32]) -> Vec<bool> {
        history(deps, &self.applied)
    }

    /// The operations whose values are visible under `key`, at `heads` or now.
    fn visible(
        &self,
        container: Option<&String>,
        key: &str,
        heads: Option<&[ChangeHash]>,
    ) -> Result<Vec<legacy::OpId>, FormError> {
        let obj = match container {
            None => ObjId::Root,
            Some(name) => self
                .container(name)
                .ok_or_else(|| FormError::Container { doc: self.id, container: name.clone() })?,
        };
        let values = match heads {
            None => self.automerge.get_all(&obj, key),
            Some(heads) => self.automerge.get_all_at(&obj, key, heads),
        }
        .map_err(|e| FormError::Automerge { doc: self.id, reason: e.to_string() })?;
        Ok(values
            .into_iter()
            .filter_map(|(_, id)| match id {
                ObjId::Id(counter, actor, _) => Some(legacy::OpId(counter, actor)),
                ObjId::Root => None,
            })
            .collect())
    }

    fn container(&self, name: &str) -> Option<ObjId> {
        self.spec.container(name)?;
        match self.automerge.get(ObjId::Root, name) {
            Ok(Some((_, id))) => Some(id),
            _ => None,
        }
    }

    /// The document again without the changes at which `void` says so and those that were void before, unless one
    /// that counts builds on them.
    ///
    /// # Errors
    /// [`FormError`] if what remains cannot be applied again.
    pub fn without(&self, void: impl Fn(&Origin) -> bool) -> Result<Self, FormError> {
        // Whatever the order in which verdicts come: of two void changes the later one keeps the earlier no longer.
        let is_void = |applied: &Applied| applied.void || void(&applied.origin);
        let mut needed = vec![false; self.applied.len()];
        for at in (0..self.applied.len()).rev() {
            let applied = &self.applied[at];
            if needed[at] || !is_void(applied) {
                needed[at] = true;
                for dep in &applied.deps {
                    needed[*dep as usize] = true;
                }
            }
        }
        let mut again = Self::new(self.id, self.kind)?;
        for (_, applied) in self.applied.iter().enumerate().filter(|(at, _)| needed[*at]) {
            again.extend_to(applied.base)?;
            let change = self
                .automerge
                .get_change_by_hash(&ChangeHash(applied.hash))
                .ok_or(FormError::UnknownDep { doc: self.id })?;
            again
                .automerge
                .apply_changes([change])
                .map_err(|e| FormError::Automerge { doc: self.id, reason: e.to_string() })?;
            let mut kept = applied.clone();
            kept.void = is_void(applied);
            kept.deps = applied
                .deps
                .iter()
                .filter_map(|dep| {
                    let hash = self.applied[*dep as usize].hash;
                    again.applied.iter().position(|a| a.hash == hash).map(|at| at as u32)
                })
                .collect();
            again.applied.push(kept);
        }
        Ok(again)
    }
}

/// Which of `changes` are `deps` or before them.
fn history(deps: &[u32], changes: &[Applied]) -> Vec<bool> {
    let mut within = vec![false; changes.len()];
    let mut open: Vec<u32> = deps.to_vec();
    while let Some(at) = open.pop() {
        if let Some(seen) = within.get_mut(at as usize)
            && !std::mem::replace(seen, true)
        {
            open.extend(&changes[at as usize].deps);
        }
    }
    within
}

/// Extension `level` of a document that has these bases.
fn next_extension(spec: &KindSpec, bases: &[(ChangeHash, u64)], level: u8) -> Option<automerge::Change> {
    let (before, last_op) = *bases.last()?;
    change::extension(spec, level, before, last_op)
}

/// The heads of a stored document, without opening it: its kind and the hash that a digest takes in.
///
/// # Errors
/// [`DocumentError::Damaged`].
pub fn stored_heads(id: DocId, bytes: &[u8]) -> Result<(Kind, Hash), DocumentError> {
    #[derive(Deserialize)]
    struct Front {
        kind: Kind,
        heads: Vec<[u8; 32]>,
    }
    let (front, _): (Front, _) = postcard::take_from_bytes(bytes)
        .map_err(|e| DocumentError::Damaged { doc: id, reason: e.to_string() })?;
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 document digest");
    hasher.update(&id.0);
    for head in &front.heads {
        hasher.update(head);
    }
    Ok((front.kind, Hash(*hasher.finalize().as_bytes())))
}

/// Where the changes of a stored document came from, without opening it.
///
/// # Errors
/// [`DocumentError::Damaged`].
pub fn stored_origins(id: DocId, bytes: &[u8]) -> Result<Vec<Origin>, DocumentError> {
    Ok(stored_page(id, bytes)?.changes.into_iter().map(|change| change.origin).collect())
}

/// A stored document as it travels in a page, without opening it.
///
/// # Errors
/// [`DocumentError::Damaged`].
pub fn stored_page(id: DocId, bytes: &[u8]) -> Result<PageDocument, DocumentError> {
    #[derive(Deserialize)]
    struct Front {
        kind: Kind,
        _heads: Vec<[u8; 32]>,
        applied: Vec<Applied>,
    }
    let (front, _): (Front, _) = postcard::take_from_bytes(bytes)
        .map_err(|e| DocumentError::Damaged { doc: id, reason: e.to_string() })?;
    let changes = front
        .applied
        .into_iter()
        .map(|applied| PageChange {
            origin: applied.origin,
            void: applied.void,
            base: applied.base,
            deps: applied.deps,
            ops: applied.ops,
        })
        .collect();
    Ok(PageDocument { id, kind: front.kind, changes })
}

#[cfg(test)]
mod tests;
