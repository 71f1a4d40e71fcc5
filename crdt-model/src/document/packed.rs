//! A view as it is stored beside its document, so that lists open no document: a third of what the
//! document takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Claim, DocumentError, DocumentView, EventView, Register, Scalar};
use crate::identity::DocId;
use crate::schema::{DICTIONARY, Kind};

/// Changes with the packed form and with what a view shows; views of another number are made anew from the documents.
pub const VIEW_FORMAT: u32 = 2;

/// A key: most are words of the dictionary.
#[derive(Serialize, Deserialize)]
enum Word {
    Known(u16),
    Text(String),
}

impl Word {
    fn of(text: &str) -> Self {
        match DICTIONARY.iter().position(|word| *word == text).and_then(|at| u16::try_from(at).ok()) {
            Some(at) => Self::Known(at),
            None => Self::Text(text.to_owned()),
        }
    }

    fn into_text(self) -> Option<String> {
        match self {
            Self::Known(at) => DICTIONARY.get(usize::from(at)).map(|word| (*word).to_owned()),
            Self::Text(text) => Some(text),
        }
    }
}

/// The values of a register, the one shown first, each with its author's place among all authors.
type PackedRegister = Vec<(u32, Scalar)>;
type PackedEntries = Vec<(Word, PackedRegister)>;

#[derive(Serialize, Deserialize)]
struct Packed {
    kind: Kind,
    /// Who wrote and when; one entry serves all that one action wrote.
    authors: Vec<(DocId, u64)>,
    fields: PackedEntries,
    sets: Vec<(Word, PackedEntries)>,
    histories: Vec<(Word, Vec<EventView>)>,
}

#[derive(Default)]
struct Authors(Vec<(DocId, u64)>);

impl Authors {
    fn place(&mut self, claim: &Claim) -> u32 {
        let author = (claim.worker, claim.wall_ms);
        let at = self.0.iter().position(|known| *known == author).unwrap_or_else(|| {
            self.0.push(author);
            self.0.len() - 1
        });
        at as u32
    }

    fn entries<'a>(
        &mut self,
        entries: impl IntoIterator<Item = (&'a String, &'a Register)>,
    ) -> PackedEntries {
        entries
            .into_iter()
            .map(|(key, register)| {
                let claims = register.claims().map(|claim| (self.place(claim), claim.value.clone()));
                (Word::of(key), claims.collect())
            })
            .collect()
    }
}

impl DocumentView {
    /// The stored form.
    pub fn pack(&self) -> Vec<u8> {
        let mut authors = Authors::default();
        let fields = authors.entries(&self.fields);
        let sets = self.sets.iter().map(|(name, set)| (Word::of(name), authors.entries(set))).collect();
        let histories =
            self.histories.iter().map(|(name, events)| (Word::of(name), events.clone())).collect();
        let packed = Packed { kind: self.kind, authors: authors.0, fields, sets, histories };
        postcard::to_stdvec(&packed).unwrap_or_default()
    }

    /// Reads back what [`DocumentView::pack`] wrote.
    ///
    /// # Errors
    /// [`DocumentError::Damaged`].
    pub fn unpack(id: DocId, bytes: &[u8]) -> Result<Self, DocumentError> {
        let damaged = |reason: &str| DocumentError::Damaged { doc: id, reason: reason.to_owned() };
        let packed: Packed = postcard::from_bytes(bytes).map_err(|e| damaged(&e.to_string()))?;
        let kind = packed.kind;
        let spec = kind.spec().ok_or(DocumentError::UnknownKind { doc: id, kind })?;
        let authors = packed.authors;
        let entries = |entries: PackedEntries| -> Option<BTreeMap<String, Register>> {
            entries
                .into_iter()
                .map(|(key, claims)| {
                    let mut claims = claims.into_iter().map(|(at, value)| {
                        let (worker, wall_ms) = *authors.get(at as usize)?;
                        Some(Claim { value, worker, wall_ms })
                    });
                    let register =
                        Register { shown: claims.next()??, others: claims.collect::<Option<_>>()? };
                    Some((key.into_text()?, register))
                })
                .collect()
        };
        let container =
            |word: Word| spec.container(&word.into_text()?).map(|(_, _, container)| container.name);
        let unknown = || damaged("its view names what this version does not know");
        let fields = entries(packed.fields).ok_or_else(unknown)?;
        let sets = packed.sets.into_iter().map(|(name, set)| Some((container(name)?, entries(set)?)));
        let histories = packed.histories.into_iter().map(|(name, events)| Some((container(name)?, events)));
        Ok(Self {
            id,
            kind,
            fields,
            sets: sets.collect::<Option<_>>().ok_or_else(unknown)?,
            histories: histories.collect::<Option<_>>().ok_or_else(unknown)?,
        })
    }
}
