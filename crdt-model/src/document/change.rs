//! A change to one document, as it is written in transactions, and the Automerge change it stands for.
//!
//! A change carries only what its receiver cannot derive: which changes it builds on and what it puts
//! or deletes. Actor, sequence number, first operation, predecessors and checksum of the Automerge
//! change follow from the log and from the document at those dependencies, so a hostile writer has no
//! words for a foreign actor, a wrong predecessor, a reused sequence number or an overwritten container.

use std::num::NonZeroU64;

use automerge::{ActorId, ChangeHash, ExpandedChange, ObjType, ScalarValue, legacy};
use serde::{Deserialize, Serialize};

use super::FormError;
use crate::identity::{DocId, LogId};
use crate::schema::{ID_KEY, Kind, KindSpec, Shape};

/// Most operations in one change.
pub const OPS_MAX: usize = 256;
/// Most changes that one change may build on directly.
pub const DEPS_MAX: usize = 64;
/// Longest key of a field or of an entry, in bytes.
pub const KEY_LEN_BYTES_MAX: usize = 128;
/// Longest text or byte value, in bytes.
pub const VALUE_LEN_BYTES_MAX: usize = 16 * 1024;

/// A value of a register or an entry.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Scalar {
    /// Truth value.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Number.
    F64(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl Scalar {
    /// The value as people read it.
    pub fn to_text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::F64(value) => value.to_string(),
            Self::Str(text) => text.clone(),
            Self::Bytes(bytes) => data_encoding::HEXLOWER.encode(bytes),
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value as JSON has it; bytes as hexadecimal text.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::F64(value) => (*value).into(),
            Self::Str(text) => text.as_str().into(),
            Self::Bytes(_) => self.to_text().into(),
        }
    }

    fn len_bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => 8,
        }
    }

    pub(super) fn to_automerge(&self) -> ScalarValue {
        match self {
            Self::Bool(value) => ScalarValue::Boolean(*value),
            Self::Int(value) => ScalarValue::Int(*value),
            Self::F64(value) => ScalarValue::F64(*value),
            Self::Str(text) => ScalarValue::Str(text.as_str().into()),
            Self::Bytes(bytes) => ScalarValue::Bytes(bytes.clone()),
        }
    }
}

/// Where an operation writes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Target {
    /// A register in the root.
    Field(String),
    /// A register in a set container.
    Entry {
        /// The container.
        container: String,
        /// The key in it.
        key: String,
    },
    /// A new event in a history container; its key is derived from log, position and place.
    Event {
        /// The container.
        container: String,
    },
}

/// One operation: put a value, or delete what is visible.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Op {
    /// Where.
    pub target: Target,
    /// The value; `None` deletes.
    pub value: Option<Scalar>,
}

/// The first bytes of the hash of an Automerge change: enough that nobody finds a second one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Dep(pub [u8; 12]);

impl Dep {
    pub(super) fn of(hash: &ChangeHash) -> Self {
        let mut dep = [0; 12];
        dep.copy_from_slice(&hash.0[..12]);
        Self(dep)
    }
}

/// What one transaction does to one document.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The document.
    pub doc: DocId,
    /// Its kind, from which the genesis follows.
    pub kind: Kind,
    /// The last extension of the kind that it builds on; 0 for the genesis alone.
    pub base: u8,
    /// The changes it builds on; empty means the genesis alone.
    pub deps: Vec<Dep>,
    /// What it does, each target at most once.
    pub ops: Vec<Op>,
}

/// Whether this version knows a kind up to an extension.
pub fn is_known(kind: Kind, base: u8) -> bool {
    kind.spec().is_some_and(|spec| usize::from(base) <= spec.extensions.len())
}

/// The key of event number `index` of the transaction at (`log`, `seq`).
pub fn event_key(log: &LogId, seq: u64, index: usize) -> String {
    format!("{log}-{seq}-{index}")
}

impl Change {
    /// Checks everything that can be checked without the document.
    ///
    /// # Errors
    /// The first rule that the change breaks. Unknown kinds pass: a newer version wrote them.
    pub fn check_form(&self) -> Result<(), FormError> {
        if self.ops.is_empty() || self.ops.len() > OPS_MAX {
            return Err(FormError::OpCount { doc: self.doc, count: self.ops.len(), max: OPS_MAX });
        }
        if self.deps.len() > DEPS_MAX {
            return Err(FormError::DepCount { doc: self.doc, count: self.deps.len(), max: DEPS_MAX });
        }
        let mut targets: Vec<&Target> = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            // A newer version's containers are not known here.
            let spec = self.kind.spec().filter(|spec| usize::from(self.base) <= spec.extensions.len());
            let (key, expected) = match &op.target {
                Target::Field(key) => (key, None),
                Target::Entry { container, key } => {
                    if key.is_empty() || key.len() > KEY_LEN_BYTES_MAX {
                        return Err(FormError::KeyLength { doc: self.doc, len_bytes: key.len() });
                    }
                    (container, Some(Shape::Set))
                }
                Target::Event { container } => (container, Some(Shape::History)),
            };
            if key.is_empty() || key.len() > KEY_LEN_BYTES_MAX {
                return Err(FormError::KeyLength { doc: self.doc, len_bytes: key.len() });
            }
            if let Some(spec) = spec {
                match (expected, spec.container(key)) {
                    (None, Some(_)) => {
                        return Err(FormError::Overwrite { doc: self.doc, key: key.clone() });
                    }
                    (None, None) if key == ID_KEY => {
                        return Err(FormError::Overwrite { doc: self.doc, key: key.clone() });
                    }
                    (Some(shape), Some((_, level, container)))
                        if container.shape == shape && level <= self.base => {}
                    (Some(_), _) => {
                        return Err(FormError::Container { doc: self.doc, container: key.clone() });
                    }
                    (None, None) => {}
                }
            }
            match (&op.target, &op.value) {
                (Target::Event { .. }, None) => {
                    return Err(FormError::DeletesNothing { doc: self.doc });
                }
                (_, Some(value)) if value.len_bytes() > VALUE_LEN_BYTES_MAX => {
                    return Err(FormError::ValueLength {
                        doc: self.doc,
                        len_bytes: value.len_bytes(),
                        max_bytes: VALUE_LEN_BYTES_MAX,
                    });
                }
                (_, Some(Scalar::F64(value))) if !value.is_finite() => {
                    return Err(FormError::NotANumber { doc: self.doc });
                }
                _ => {}
            }
            if !matches!(op.target, Target::Event { .. }) {
                targets.push(&op.target);
            }
        }
        targets.sort_unstable();
        if targets.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(FormError::Repeated { doc: self.doc });
        }
        Ok(())
    }
}

/// The Automerge actor of every genesis.
fn genesis_actor() -> ActorId {
    ActorId::from(b"wangge-genesis-1".as_slice())
}

/// The object that the genesis made for the container at `index`.
pub(super) fn container_id(index: usize) -> legacy::OpId {
    legacy::OpId(index as u64 + 2, genesis_actor())
}

/// The change that adds the containers of extension `level` (from 1) after the one before, whose hash
/// is `before` and whose last operation is `last_op`.
pub(super) fn extension(
    spec: &KindSpec,
    level: u8,
    before: ChangeHash,
    last_op: u64,
) -> Option<automerge::Change> {
    let containers = spec.extensions.get(usize::from(level).checked_sub(1)?)?;
    let operations = containers
        .iter()
        .map(|container| legacy::Op {
            action: legacy::OpType::Make(ObjType::Map),
            obj: legacy::ObjectId::Root,
            key: legacy::Key::Map(container.name.into()),
            pred: Vec::new().into(),
            insert: false,
        })
        .collect();
    let extension = ExpandedChange {
        operations,
        actor_id: genesis_actor(),
        hash: None,
        seq: u64::from(level) + 1,
        start_op: NonZeroU64::new(last_op + 1)?,
        time: 0,
        message: None,
        deps: vec![before],
        extra_bytes: Vec::new(),
        author: None,
    };
    Some(extension.into())
}

/// The change that makes a document: its id and its containers, with a fixed actor and zero time, so
/// that two independent creations are the same change.
pub(super) fn genesis(id: &DocId, spec: &KindSpec) -> automerge::Change {
    let root = |key: &str, action| legacy::Op {
        action,
        obj: legacy::ObjectId::Root,
        key: legacy::Key::Map(key.into()),
        pred: Vec::new().into(),
        insert: false,
    };
    let mut operations = vec![root(ID_KEY, legacy::OpType::Put(ScalarValue::Bytes(id.0.to_vec())))];
    operations.extend(spec.containers.iter().map(|c| root(c.name, legacy::OpType::Make(ObjType::Map))));
    ExpandedChange {
        operations,
        actor_id: genesis_actor(),
        hash: None,
        seq: 1,
        start_op: NonZeroU64::MIN,
        time: 0,
        message: Some(spec.name.to_owned()),
        deps: Vec::new(),
        extra_bytes: Vec::new(),
        author: None,
    }
    .into()
}
