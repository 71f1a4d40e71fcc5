//! The search text of one kind of documents in one scope, packed so that a search is a scan.

use std::collections::BTreeMap;

use memchr::memmem::Finder;

use super::{Query, normal, readings};
use crate::document::DocumentView;
use crate::identity::DocId;

/// Fewest characters that stand for the end of a number.
const TAIL_LEN_MIN: usize = 4;
/// Begins and ends each item of a record.
const ITEM: char = '\t';
/// Ends a record.
const RECORD: char = '\n';

/// Fields of names, also by their readings.
const NAMES: [&str; 7] =
    ["name", "former_name", "foreign_name", "manager", "legal_person", "safety_officer", "owner_name"];
/// Fields of numbers, found by their end.
const NUMBERS: [&str; 4] = ["id_number", "credit_code", "document_number", "number"];
/// Fields of phones, found by any part.
const PHONES: [&str; 1] = ["phone"];
/// Fields of addresses and the like, found by any part.
const ADDRESSES: [&str; 6] =
    ["current_address", "registered_address", "address", "permit_number", "household_number", "house_number"];

/// How well a record fits. Lower is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rank {
    /// A whole name or number.
    Whole,
    /// The beginning of a name or of its reading.
    Beginning,
    /// Something else.
    Part,
}

/// A document that was found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hit {
    /// How well it fits.
    pub rank: Rank,
    /// Which one.
    pub doc: DocId,
}

/// Items of all records, one after the other.
#[derive(Clone, Debug, Default)]
struct Column {
    text: String,
    /// Where each record ends.
    ends: Vec<u32>,
}

impl Column {
    fn push(&mut self, items: impl Iterator<Item = String>) {
        for item in items.filter(|item| !item.is_empty()) {
            self.text.push(ITEM);
            self.text.extend(item.chars().filter(|c| ![ITEM, RECORD].contains(c)));
        }
        self.text.push(ITEM);
        self.text.push(RECORD);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    fn record(&self, at: usize) -> &str {
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let to = self.ends.get(at).map_or(from, |end| *end as usize);
        self.text.get(from..to).unwrap_or_default()
    }

    /// Calls `found` with each record that holds `needle`, once.
    fn scan(&self, needle: &str, mut found: impl FnMut(usize)) {
        let finder = Finder::new(needle);
        let bytes = self.text.as_bytes();
        let mut from = 0;
        while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
            let at = from + at;
            let record = self.ends.partition_point(|end| *end as usize <= at);
            found(record);
            match self.ends.get(record) {
                Some(end) => from = *end as usize,
                None => break,
            }
        }
    }
}

/// The search text of documents.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    docs: Vec<Option<DocId>>,
    places: BTreeMap<DocId, u32>,
    names: Column,
    readings: Column,
    numbers: Column,
    phones: Column,
    addresses: Column,
    dead: usize,
}

impl Segment {
    /// How many documents can be found.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many bytes of text are scanned.
    pub fn len_bytes(&self) -> usize {
        [&self.names, &self.readings, &self.numbers, &self.phones, &self.addresses]
            .iter()
            .map(|column| column.text.len())
            .sum()
    }

    /// Takes a document in, over what was there of it.
    pub fn put(&mut self, view: &DocumentView) {
        self.remove(&view.id);
        let at = self.docs.len() as u32;
        self.docs.push(Some(view.id));
        self.places.insert(view.id, at);
        let texts = |fields: &'static [&'static str]| {
            fields.iter().flat_map(|field| view.texts(field)).map(|text| normal(&text))
        };
        self.names.push(texts(&NAMES));
        self.readings.push(NAMES.iter().flat_map(|field| view.texts(field)).flat_map(|name| spoken(&name)));
        self.numbers.push(texts(&NUMBERS));
        self.phones.push(texts(&PHONES));
        self.addresses.push(texts(&ADDRESSES));
    }

    /// Takes a document out.
    pub fn remove(&mut self, doc: &DocId) {
        let Some(at) = self.places.remove(doc) else { return };
        if let Some(slot) = self.docs.get_mut(at as usize) {
            *slot = None;
            self.dead += 1;
        }
        if self.dead > 64 && self.dead > self.places.len() / 2 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut again = Self::default();
        let columns = [
            (&self.names, &mut again.names),
            (&self.readings, &mut again.readings),
            (&self.numbers, &mut again.numbers),
            (&self.phones, &mut again.phones),
            (&self.addresses, &mut again.addresses),
        ];
        for (from, to) in columns {
            for (at, _) in self.docs.iter().enumerate().filter(|(_, doc)| doc.is_some()) {
                to.text.push_str(from.record(at));
                to.ends.push(u32::try_from(to.text.len()).unwrap_or(u32::MAX));
            }
        }
        for doc in self.docs.iter().flatten() {
            again.places.insert(*doc, again.docs.len() as u32);
            again.docs.push(Some(*doc));
        }
        *self = again;
    }

    /// The documents that fit, in the order in which they were taken in.
    pub fn search(&self, query: &Query) -> Vec<Hit> {
        let mut ranks = self.ranks(&query.whole);
        if let Some((first, rest)) = query.parts.split_first() {
            let mut all = self.ranks(first);
            for part in rest {
                let also = self.ranks(part);
                all = all.into_iter().filter_map(|(at, r)| also.get(&at).map(|s| (at, r.max(*s)))).collect();
            }
            ranks.extend(all.into_iter().filter(|(at, _)| !ranks.contains_key(at)).collect::<Vec<_>>());
        }
        let hit = |(at, rank): (u32, Rank)| {
            self.docs.get(at as usize).copied().flatten().map(|doc| Hit { rank, doc })
        };
        ranks.into_iter().filter_map(hit).collect()
    }

    fn ranks(&self, needle: &str) -> BTreeMap<u32, Rank> {
        let mut ranks: BTreeMap<u32, Rank> = BTreeMap::new();
        let mut note = |at: usize, rank: Rank| {
            let known = ranks.entry(at as u32).or_insert(rank);
            *known = rank.min(*known);
        };
        let (begins, whole) = (format!("{ITEM}{needle}"), format!("{ITEM}{needle}{ITEM}"));
        let rank = |column: &Column, at: usize| {
            let record = column.record(at);
            if record.contains(&whole) {
                Rank::Whole
            } else if record.contains(&begins) {
                Rank::Beginning
            } else {
                Rank::Part
            }
        };
        self.names.scan(needle, |at| note(at, rank(&self.names, at)));
        let letters = needle.bytes().all(|b| b.is_ascii_lowercase());
        if letters {
            // A reading begins at any of its syllables, but whole ones rank first.
            self.readings.scan(&begins, |at| note(at, rank(&self.readings, at)));
        }
        if needle.len() >= TAIL_LEN_MIN && needle.bytes().all(|b| b.is_ascii_alphanumeric()) {
            self.numbers.scan(&format!("{needle}{ITEM}"), |at| note(at, Rank::Whole));
        }
        if needle.bytes().all(|b| b.is_ascii_digit()) {
            self.phones.scan(needle, |at| note(at, rank(&self.phones, at)));
        }
        if !letters {
            self.addresses.scan(needle, |at| note(at, Rank::Part));
        }
        ranks
    }
}

/// How a name is typed by its sound: whole and from each syllable on, and by initials likewise.
fn spoken(name: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for syllables in readings(name) {
        for from in 0..syllables.len() {
            let whole: String = syllables[from..].concat();
            let initials: String = syllables[from..].iter().filter_map(|s| s.chars().next()).collect();
            for text in [whole, initials] {
                if !all.contains(&text) {
                    all.push(text);
                }
            }
        }
    }
    all
}
