//! How a transaction lies in the store: its header, and beside it what it does to each document, so that
//! each part can be sealed under a key of its own and one be erased without the others.
//!
//! In the clear form that the replica reads and writes:
//! `header length (4), header, for each change: document (16), length (4), payload`.
//! The header is the record without its changes, and their count. Integers are big-endian.

use wangge_model::document::Change;
use wangge_model::identity::DocId;
use wangge_model::log::LogRecord;

/// Most changes that a stored transaction is believed to have.
const PARTS_MAX: usize = 4_096;

/// The clear form of a record.
pub(crate) fn encode_record(record: &LogRecord) -> Vec<u8> {
    let header = LogRecord {
        head: record.head,
        signature: record.signature,
        transaction: wangge_model::transaction::Transaction {
            changes: Vec::new(),
            seen: record.transaction.seen.clone(),
            verdicts: record.transaction.verdicts.clone(),
            opening: record.transaction.opening.clone(),
            erased: record.transaction.erased.clone(),
            ..record.transaction
        },
    };
    let count = record.transaction.changes.len();
    let mut parts = Parts { header: super::super::encode(&(header, count)), changes: Vec::new() };
    for change in &record.transaction.changes {
        parts.changes.push((change.doc, super::super::encode(change)));
    }
    parts.join()
}

/// The record again; `None` if the bytes are none.
pub(crate) fn decode_record(bytes: &[u8]) -> Option<LogRecord> {
    let parts = Parts::split(bytes)?;
    let (mut record, count): (LogRecord, usize) = postcard::from_bytes(&parts.header).ok()?;
    if parts.changes.len() != count {
        return None;
    }
    for (doc, payload) in parts.changes {
        let change: Change = postcard::from_bytes(&payload).ok()?;
        if change.doc != doc {
            return None;
        }
        record.transaction.changes.push(change);
    }
    Some(record)
}

/// A record in its parts, clear or sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) header: Vec<u8>,
    pub(super) changes: Vec<(DocId, Vec<u8>)>,
}

impl Parts {
    pub(super) fn split(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let header = take_sized(&mut rest)?.to_vec();
        let mut changes = Vec::new();
        while !rest.is_empty() {
            if changes.len() == PARTS_MAX {
                return None;
            }
            let doc = DocId::from_slice(take(&mut rest, 16)?)?;
            changes.push((doc, take_sized(&mut rest)?.to_vec()));
        }
        Some(Self { header, changes })
    }

    pub(super) fn join(&self) -> Vec<u8> {
        let len_bytes: usize =
            4 + self.header.len() + self.changes.iter().map(|(_, payload)| 20 + payload.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(len_bytes);
        put_sized(&mut bytes, &self.header);
        for (doc, payload) in &self.changes {
            bytes.extend_from_slice(&doc.0);
            put_sized(&mut bytes, payload);
        }
        bytes
    }
}

fn put_sized(bytes: &mut Vec<u8>, part: &[u8]) {
    // Limits on transactions keep every part far below 4 GiB.
    bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (part, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(part)
}

fn take_sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
    take(rest, len as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_parts_are_none() {
        let parts = Parts {
            header: b"header".to_vec(),
            changes: vec![(DocId([1; 16]), b"one".to_vec()), (DocId([2; 16]), Vec::new())],
        };
        let bytes = parts.join();
        assert_eq!(Parts::split(&bytes), Some(parts));
        for cut in 0..bytes.len() {
            let part = Parts::split(&bytes[..cut]);
            // Cuts between changes leave a shorter record, which its header's count of changes refuses.
            assert!(part.is_none_or(|part| part.changes.len() < 2), "cut at {cut}");
        }
        assert_eq!(Parts::split(&[255; 40]), None);
    }
}
