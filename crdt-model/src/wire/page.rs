//! Checkpoint pages: up to 256 documents with all their changes, in columns, in one compressed stream.
//!
//! Documents are ordered by the transaction that made them. Transactions stand in a table, sorted by
//! log and position, so that steps between neighbours are small. Changes with the same fields share a
//! shape. All values of one field stand together. ID numbers travel as region, birth date and order
//! (GB 11643: the check digit follows), dates as days, digits packed. The id of a document that stands
//! for a natural key is derived again instead of sent.

use std::collections::BTreeMap;

use super::batch::{read_target, write_target};
use super::bytes::{Reader, WireError, Writer, pack, read_scalar, tag, tag_of, unpack, write_scalar};
use crate::document::{Change, DEPS_MAX, Dep, OPS_MAX, Op, Origin, Scalar, Target};
use crate::identity::{DocId, LogId};
use crate::schema::{GENERATION, Kind};
use crate::transaction::ScopeSecret;

/// Most documents in one page.
pub const PAGE_DOCUMENTS_MAX: usize = 256;
/// Longest page, unfolded, in bytes.
const PAGE_LEN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most changes in one page.
const PAGE_CHANGES_MAX: usize = 200_000;

/// A document as it travels in a page.
#[derive(Clone, PartialEq, Debug)]
pub struct PageDocument {
    /// Its id.
    pub id: DocId,
    /// Its kind.
    pub kind: Kind,
    /// Its changes in an order in which they can be applied. Dependencies are indexes into this list.
    pub changes: Vec<PageChange>,
}

impl PageDocument {
    /// Leaves out changes, and those that build on them.
    pub fn retain(&mut self, mut keeps: impl FnMut(&Origin) -> bool) {
        let mut at: Vec<Option<u32>> = Vec::with_capacity(self.changes.len());
        let mut kept = 0;
        self.changes.retain_mut(|change| {
            let now = |dep: &u32| at.get(usize::try_from(*dep).ok()?).copied().flatten();
            let deps: Option<Vec<u32>> = change.deps.iter().map(now).collect();
            let stays = deps.is_some() && keeps(&change.origin);
            change.deps = deps.unwrap_or_default();
            at.push(stays.then_some(kept));
            kept += u32::from(stays);
            stays
        });
    }
}

/// One change of a document in a page.
#[derive(Clone, PartialEq, Debug)]
pub struct PageChange {
    /// Where it came from.
    pub origin: Origin,
    /// It is void, and there only because something that counts builds on it.
    pub void: bool,
    /// The extension of the kind that it builds on.
    pub base: u8,
    /// Indexes of earlier changes of the same document that it builds on.
    pub deps: Vec<u32>,
    /// What it does.
    pub ops: Vec<Op>,
}

impl PageChange {
    /// The change of document `doc`, with the hashes of the changes it builds on.
    pub fn to_change(&self, doc: DocId, kind: Kind, hashes: impl Fn(u32) -> Option<Dep>) -> Option<Change> {
        let mut deps: Vec<Dep> = self.deps.iter().map(|at| hashes(*at)).collect::<Option<_>>()?;
        deps.sort_unstable();
        Some(Change { doc, kind, base: self.base, deps, ops: self.ops.clone() })
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    log: LogId,
    seq: u64,
    lamport: u64,
    wall_ms: u64,
    observed_ms: u64,
    worker: DocId,
    actor: [u8; 16],
}

impl Row {
    fn of(origin: &Origin) -> Self {
        Self {
            log: origin.log,
            seq: origin.seq,
            lamport: origin.lamport,
            wall_ms: origin.wall_ms,
            observed_ms: origin.observed_ms,
            worker: origin.worker,
            actor: origin.actor,
        }
    }
}

/// Entries met before, in the order in which they were met.
struct Table<T>(Vec<T>);

impl<T: PartialEq + Clone> Table<T> {
    fn place(&mut self, entry: &T) -> usize {
        self.0.iter().position(|other| other == entry).unwrap_or_else(|| {
            self.0.push(entry.clone());
            self.0.len() - 1
        })
    }
}

/// Beside the extension of a shape: its changes are void.
const VOID: u8 = 0x80;

/// Columns of a page, in the order in which they travel.
const COLUMNS: usize = 14;
const HEADS: usize = 0;
const IDS: usize = 1;
const LOGS: usize = 2;
const SEQS: usize = 3;
const LAMPORTS: usize = 4;
const WALLS: usize = 5;
const OBSERVED: usize = 6;
const WORKERS: usize = 7;
const CHANGE_COUNTS: usize = 8;
const ROWS: usize = 9;
const DEPS: usize = 10;
const SHAPES: usize = 11;
const SHAPE_TABLE: usize = 12;
const VALUES: usize = 13;

/// Documents as they travel. `secret` is that of their scope.
pub fn encode_page(documents: &[PageDocument], secret: &ScopeSecret) -> Vec<u8> {
    let mut documents: Vec<&PageDocument> = documents.iter().collect();
    documents.sort_by_key(|document| document.changes.first().map(|c| (c.origin.log, c.origin.seq)));
    let mut columns: [Writer; COLUMNS] = Default::default();
    let mut rows: Vec<Row> =
        documents.iter().flat_map(|d| &d.changes).map(|change| Row::of(&change.origin)).collect();
    rows.sort();
    rows.dedup();
    write_rows(&mut columns, &rows);
    let mut shapes: Table<(u8, Vec<Target>)> = Table(Vec::new());
    let mut values: BTreeMap<&Target, ValueColumn> = BTreeMap::new();
    columns[HEADS].uint(documents.len() as u64);
    for document in documents {
        columns[HEADS].u8(document.kind.0);
        match derived_generation(document, secret) {
            Some(generation) => columns[HEADS].uint(u64::from(generation) + 1),
            None => {
                columns[HEADS].uint(0);
                columns[IDS].raw(&document.id.0);
            }
        }
        columns[CHANGE_COUNTS].uint(document.changes.len() as u64);
        for (at, change) in document.changes.iter().enumerate() {
            let row = rows.binary_search(&Row::of(&change.origin)).unwrap_or_default() as u16;
            columns[ROWS].raw(&row.to_be_bytes());
            // Nearly always the one just before, and nothing else.
            if change.deps.len() == 1 && change.deps[0] as usize + 1 == at
                || at == 0 && change.deps.is_empty()
            {
                columns[DEPS].u8(0);
            } else {
                columns[DEPS].uint(change.deps.len() as u64 + 1);
                for dep in &change.deps {
                    columns[DEPS].uint((at as u64).saturating_sub(u64::from(*dep)));
                }
            }
            let targets: Vec<Target> = change.ops.iter().map(|op| op.target.clone()).collect();
            let base = if change.void { change.base | VOID } else { change.base };
            columns[SHAPES].uint(shapes.place(&(base, targets)) as u64);
            for op in &change.ops {
                values.entry(&op.target).or_default().push(op.value.as_ref());
            }
        }
    }
    columns[SHAPE_TABLE].uint(shapes.0.len() as u64);
    for (base, shape) in &shapes.0 {
        columns[SHAPE_TABLE].u8(*base);
        columns[SHAPE_TABLE].uint(shape.len() as u64);
        for target in shape {
            write_target(&mut columns[SHAPE_TABLE], target, 0);
        }
    }
    // In the order of the targets themselves, which the shapes give the receiver.
    for column in values.into_values() {
        column.finish(&mut columns[VALUES]);
    }
    let mut whole = Writer::default();
    for column in &columns {
        whole.bytes(&column.out);
    }
    pack(&whole.out, 6)
}

fn write_rows(columns: &mut [Writer; COLUMNS], rows: &[Row]) {
    let mut logs: Table<(LogId, [u8; 16])> = Table(Vec::new());
    let mut workers: Table<DocId> = Table(Vec::new());
    let mut places = Vec::new();
    for row in rows {
        places.push((logs.place(&(row.log, row.actor)), workers.place(&row.worker)));
    }
    columns[LOGS].uint(logs.0.len() as u64);
    for (log, actor) in &logs.0 {
        columns[LOGS].raw(&log.0);
        columns[LOGS].raw(actor);
    }
    columns[WORKERS].uint(workers.0.len() as u64);
    for worker in &workers.0 {
        columns[WORKERS].raw(&worker.0);
    }
    columns[LOGS].uint(rows.len() as u64);
    let mut last: Option<&Row> = None;
    for (row, (log, worker)) in rows.iter().zip(places) {
        let before = last.filter(|last| last.log == row.log);
        columns[LOGS].uint(log as u64);
        columns[WORKERS].uint(worker as u64);
        columns[SEQS].uint(row.seq - before.map_or(0, |last| last.seq));
        columns[LAMPORTS].int(row.lamport.wrapping_sub(before.map_or(0, |last| last.lamport)) as i64);
        columns[WALLS].int(row.wall_ms.wrapping_sub(last.map_or(0, |last| last.wall_ms)) as i64);
        // To the second: it bounds a claim, it orders nothing.
        let lag_s = (row.observed_ms / 1_000) as i64 - (row.wall_ms / 1_000) as i64;
        columns[OBSERVED].int(if row.observed_ms == 0 { i64::MIN } else { lag_s });
        last = Some(row);
    }
}

fn natural_number(kind: Kind, ops: &[Op]) -> Option<(&str, u32)> {
    let natural = kind.spec()?.natural_key?;
    let text = |name: &str| {
        ops.iter().find(|op| matches!(&op.target, Target::Field(key) if key == name))?.value.as_ref()
    };
    let generation = match text(GENERATION) {
        Some(Scalar::Int(generation)) => u32::try_from(*generation).ok()?,
        _ => 0,
    };
    Some((text(natural)?.as_str()?, generation))
}

fn derived_generation(document: &PageDocument, secret: &ScopeSecret) -> Option<u32> {
    let (number, generation) = natural_number(document.kind, &document.changes.first()?.ops)?;
    (secret.natural_id(document.kind, number, generation) == document.id).then_some(generation)
}

/// The documents again.
///
/// # Errors
/// [`WireError`]: nothing of a damaged page is used.
pub fn decode_page(packed: &[u8], secret: &ScopeSecret) -> Result<Vec<PageDocument>, WireError> {
    let block = unpack(packed, PAGE_LEN_BYTES_MAX)?;
    let mut whole = Reader::new(&block);
    let mut columns = Vec::with_capacity(COLUMNS);
    for _ in 0..COLUMNS {
        columns.push(Reader::new(whole.bytes("a column", PAGE_LEN_BYTES_MAX)?));
    }
    whole.end("a page")?;
    let rows = read_rows(&mut columns)?;
    let shapes = read_shapes(&mut columns[SHAPE_TABLE])?;
    let what = "a document";
    let count = columns[HEADS].count("a count of documents", PAGE_DOCUMENTS_MAX)?;
    let mut outlines = Vec::with_capacity(count);
    let mut used: BTreeMap<&Target, usize> = BTreeMap::new();
    let mut total = 0;
    for _ in 0..count {
        let kind = Kind(columns[HEADS].u8(what)?);
        let generation = columns[HEADS].uint(what)?;
        let id = if generation == 0 { Some(DocId(columns[IDS].array(what)?)) } else { None };
        let changes = columns[CHANGE_COUNTS].count("a count of changes", PAGE_CHANGES_MAX)?;
        total += changes;
        if total > PAGE_CHANGES_MAX {
            return Err(WireError::Limit {
                what: "a page's changes",
                found: total as u64,
                max: PAGE_CHANGES_MAX as u64,
            });
        }
        let mut outline = Vec::new();
        for at in 0..changes {
            let row = usize::from(u16::from_be_bytes(columns[ROWS].array(what)?));
            let row = rows.get(row).ok_or(WireError::Unsound { what: "a transaction of a page" })?;
            let deps = match columns[DEPS].count("a count of dependencies", DEPS_MAX + 1)? {
                0 if at == 0 => Vec::new(),
                0 => vec![at as u32 - 1],
                n => {
                    let mut deps = Vec::with_capacity(n - 1);
                    for _ in 1..n {
                        let back = columns[DEPS].count("a dependency", at)?;
                        deps.push((at - back) as u32);
                    }
                    deps
                }
            };
            if deps.iter().any(|dep| *dep as usize >= at) {
                return Err(WireError::Unsound { what: "a dependency" });
            }
            let shape = columns[SHAPES].uint(what)?;
            let shape = usize::try_from(shape)
                .ok()
                .and_then(|shape| shapes.get(shape))
                .ok_or(WireError::Unsound { what: "a shape" })?;
            for target in &shape.1 {
                *used.entry(target).or_default() += 1;
            }
            outline.push((row, deps, shape));
        }
        outlines.push((kind, id, generation, outline));
    }
    let mut values: BTreeMap<&Target, std::vec::IntoIter<Option<Scalar>>> = BTreeMap::new();
    for (target, count) in used {
        values.insert(target, read_values(&mut columns[VALUES], count)?.into_iter());
    }
    for column in &columns {
        column.end("a column")?;
    }
    let mut documents = Vec::with_capacity(count);
    for (kind, id, generation, outline) in outlines {
        let mut changes = Vec::with_capacity(outline.len());
        for (row, deps, shape) in outline {
            let (base, targets) = shape;
            let ops = targets
                .iter()
                .map(|target| {
                    let value = values.get_mut(target).and_then(Iterator::next);
                    let value = value.ok_or(WireError::Truncated { what: "values" })?;
                    Ok(Op { target: target.clone(), value })
                })
                .collect::<Result<_, WireError>>()?;
            let (void, base) = (*base & VOID != 0, *base & !VOID);
            changes.push(PageChange { origin: row.clone(), void, base, deps, ops });
        }
        let id = match id {
            Some(id) => id,
            None => {
                let unsound = WireError::Unsound { what: "a natural key" };
                let first = changes.first().ok_or(unsound.clone())?;
                let (number, found) = natural_number(kind, &first.ops).ok_or(unsound.clone())?;
                if u64::from(found) + 1 != generation {
                    return Err(unsound);
                }
                secret.natural_id(kind, number, found)
            }
        };
        documents.push(PageDocument { id, kind, changes });
    }
    Ok(documents)
}

fn read_rows(columns: &mut [Reader<'_>]) -> Result<Vec<Origin>, WireError> {
    let what = "a transaction of a page";
    let mut logs = Vec::new();
    for _ in 0..columns[LOGS].count("a count of logs", 1 << 16)? {
        let log = LogId(columns[LOGS].array(what)?);
        logs.push((log, columns[LOGS].array(what)?));
    }
    let mut workers = Vec::new();
    for _ in 0..columns[WORKERS].count("a count of workers", 1 << 16)? {
        workers.push(DocId(columns[WORKERS].array(what)?));
    }
    let mut rows: Vec<Origin> = Vec::new();
    for _ in 0..columns[LOGS].count("a count of transactions", PAGE_CHANGES_MAX)? {
        let log = columns[LOGS].count(what, logs.len().saturating_sub(1))?;
        let (log, actor) = *logs.get(log).ok_or(WireError::Unsound { what })?;
        let worker = columns[WORKERS].count(what, workers.len().saturating_sub(1))?;
        let worker = *workers.get(worker).ok_or(WireError::Unsound { what })?;
        let last = rows.last();
        let before = last.filter(|last| last.log == log);
        let seq = columns[SEQS].uint(what)?;
        let seq = before.map_or(0, |last| last.seq).checked_add(seq).ok_or(WireError::Unsound { what })?;
        let lamport = columns[LAMPORTS].int(what)? as u64;
        let lamport = before.map_or(0, |last| last.lamport).wrapping_add(lamport);
        let wall_ms = columns[WALLS].int(what)? as u64;
        let wall_ms = last.map_or(0, |last| last.wall_ms).wrapping_add(wall_ms);
        let observed_ms = match columns[OBSERVED].int(what)? {
            i64::MIN => 0,
            lag_s => ((wall_ms / 1_000) as i64).saturating_add(lag_s).max(0).saturating_mul(1_000) as u64,
        };
        rows.push(Origin { log, seq, lamport, worker, wall_ms, observed_ms, actor });
    }
    Ok(rows)
}

fn read_shapes(reader: &mut Reader<'_>) -> Result<Vec<(u8, Vec<Target>)>, WireError> {
    let mut shapes = Vec::new();
    for _ in 0..reader.count("a count of shapes", PAGE_CHANGES_MAX)? {
        let base = reader.u8("a shape")?;
        let mut shape = Vec::new();
        for _ in 0..reader.count("a count of operations", OPS_MAX)? {
            shape.push(read_target(reader)?.0);
        }
        shapes.push((base, shape));
    }
    Ok(shapes)
}

const ID_NUMBER: u8 = 8;
const DATE: u8 = 9;

/// All values of one field.
#[derive(Default)]
struct ValueColumn {
    tags: Writer,
    lengths: Writer,
    texts: Writer,
    rest: Writer,
}

impl ValueColumn {
    fn push(&mut self, value: Option<&Scalar>) {
        if let Some(Scalar::Str(text)) = value {
            if let Some((region, day, order)) = split_id_number(text) {
                self.tags.u8(ID_NUMBER);
                self.texts.raw(&region.to_be_bytes()[1..]);
                self.rest.raw(&day.to_be_bytes());
                self.rest.raw(&order.to_be_bytes());
                return;
            }
            if let Some(day) = split_date(text) {
                self.tags.u8(DATE);
                self.rest.raw(&day.to_be_bytes());
                return;
            }
            if tag_of(value) == tag::TEXT {
                self.tags.u8(tag::TEXT);
                self.lengths.uint(text.len() as u64);
                self.texts.raw(text.as_bytes());
                return;
            }
        }
        self.tags.u8(tag_of(value));
        write_scalar(&mut self.rest, value);
    }

    fn finish(self, writer: &mut Writer) {
        for part in [self.tags, self.lengths, self.texts, self.rest] {
            writer.bytes(&part.out);
        }
    }
}

fn read_values(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Option<Scalar>>, WireError> {
    let what = "values";
    let mut part = || Ok(Reader::new(reader.bytes(what, PAGE_LEN_BYTES_MAX)?));
    let (mut tags, mut lengths, mut texts, mut rest) = (part()?, part()?, part()?, part()?);
    let mut values = Vec::with_capacity(count.min(PAGE_CHANGES_MAX));
    for _ in 0..count {
        values.push(match tags.u8(what)? {
            ID_NUMBER => {
                let [a, b, c]: [u8; 3] = texts.array(what)?;
                let region = u32::from_be_bytes([0, a, b, c]);
                let day = u16::from_be_bytes(rest.array(what)?);
                let order = u16::from_be_bytes(rest.array(what)?);
                let text = join_id_number(region, day, order).ok_or(WireError::Unsound { what })?;
                Some(Scalar::Str(text))
            }
            DATE => {
                let day = u16::from_be_bytes(rest.array(what)?);
                Some(Scalar::Str(join_date(day).ok_or(WireError::Unsound { what })?))
            }
            tag::TEXT => {
                let len = lengths.count(what, crate::document::VALUE_LEN_BYTES_MAX)?;
                Some(Scalar::Str(texts.utf8(what, len)?))
            }
            tag => read_scalar(&mut rest, tag)?,
        });
    }
    for part in [tags, lengths, texts, rest] {
        part.end(what)?;
    }
    Ok(values)
}

/// Days since 1900-01-01 in the proleptic Gregorian calendar, from the civil-days algorithm.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 693_901
}

fn civil(day_number: u16) -> (i64, i64, i64) {
    let days = i64::from(day_number) + 693_901;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn split_date(text: &str) -> Option<u16> {
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    if text.len() != 10 {
        return None;
    }
    let day = u16::try_from(day_number(digits(0..4)?, digits(5..7)?, digits(8..10)?)).ok()?;
    (join_date(day)? == text).then_some(day)
}

fn join_date(day: u16) -> Option<String> {
    let (year, month, day) = civil(day);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

fn split_id_number(text: &str) -> Option<(u32, u16, u16)> {
    if text.len() != 18 || !text.is_ascii() {
        return None;
    }
    let region = text[..6].parse().ok()?;
    let date = format!("{}-{}-{}", &text[6..10], &text[10..12], &text[12..14]);
    let day = split_date(&date)?;
    let order = text[14..17].parse().ok()?;
    (join_id_number(region, day, order)? == text).then_some((region, day, order))
}

fn join_id_number(region: u32, day: u16, order: u16) -> Option<String> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let (year, month, day) = civil(day);
    let body = format!("{region:06}{year:04}{month:02}{day:02}{order:03}");
    if body.len() != 17 {
        return None;
    }
    let sum: u32 = body.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let check = b"10X98765432"[(sum % 11) as usize];
    Some(format!("{body}{}", char::from(check)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_id_numbers_come_back_or_travel_as_text() {
        assert_eq!(day_number(1900, 1, 1), 0);
        for text in ["1900-01-01", "1972-02-29", "2000-02-29", "2026-11-22", "2079-06-06"] {
            assert_eq!(split_date(text).and_then(join_date).as_deref(), Some(text));
        }
        for text in ["2026-02-30", "2026-1-1", "1899-12-31", "2026/01/01", "abcdefghij", "年年年x"] {
            assert_eq!(split_date(text), None, "{text}");
        }
        for text in ["11010519491231002X", "990101199001010019"] {
            let (region, day, order) = split_id_number(text).expect(text);
            assert_eq!(join_id_number(region, day, order).as_deref(), Some(text));
        }
        for text in ["990101199001010018", "99010119900230001X", "+90101199001010019"] {
            assert_eq!(split_id_number(text), None, "{text}");
        }
    }
}
