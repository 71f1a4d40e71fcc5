//! The journal: where a commit becomes durable before sled has it.
//!
//! One file of fixed length, filled with zeros when it is made, so that writing to it changes no
//! metadata and one `fdatasync` of a few blocks makes a commit durable. Once what it holds has
//! reached sled it is written over from its beginning, under the next epoch.
//!
//! | where                   | what                                                              |
//! |-------------------------|-------------------------------------------------------------------|
//! | block 0                 | magic (16), key (32), checksum of both (16)                       |
//! | from block 1, an entry  | epoch (8), number (8), length (4), checksum (16), writes, zeros   |
//!
//! Integers are big-endian; entries begin at blocks, so that no block with something durable in it
//! is written again. An entry's checksum is keyed with a random key of the file: no value that a
//! peer sends can look like an entry. It covers epoch and number, so neither can what was left of an
//! earlier epoch.
//!
//! Each entry is synced before the next is written. So after a power loss only the last one may be
//! torn, and a whole entry behind a broken one means that the file was damaged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::batch::Batch;
use crate::directory::{Directory, sync_dir};
use crate::{KEY_BYTES_MAX, StoreError, VALUE_BYTES_MAX};

const BLOCK_BYTES: usize = 4096;
/// Length of the file, in bytes: some hundred commits of ordinary size.
const LEN_BYTES: usize = 2 * 1024 * 1024;
const MAGIC: &[u8; 16] = b"wangge-journal 1";
const KEY_BYTES: usize = 32;
const SUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 8 + 8 + 4 + SUM_BYTES;

/// An open journal that is ready for the next entry.
pub(crate) struct Journal {
    file: File,
    key: [u8; KEY_BYTES],
    /// Which filling of the file this is; the first is 1.
    epoch: u64,
    /// The next entry of this epoch.
    number: u64,
    /// Where it goes, in bytes.
    at: usize,
    /// Kept from entry to entry.
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the journal of a store of which sled has all epochs up to `applied`, and reads back
    /// what sled lacks. `applied` is `None` in a store that never had a journal: it gets one.
    pub(crate) fn open(directory: &Directory, applied: Option<u64>) -> Result<(Self, Batch), StoreError> {
        let path = directory.journal_path();
        let fail = |e| StoreError::from_io("read the file", &path, 0, e);
        if applied.is_none() && (directory.is_new() || !path.exists()) {
            create(directory)?;
        }
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(directory.damaged("its journal is missing"));
            }
            opened => opened.map_err(fail)?,
        };
        let mut bytes = Vec::with_capacity(LEN_BYTES);
        (&mut file).take(LEN_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() != LEN_BYTES {
            return Err(directory.damaged("its journal has the wrong length"));
        }
        let key =
            read_key(&bytes).ok_or_else(|| directory.damaged("the head of its journal is unreadable"))?;
        let epoch = applied.unwrap_or(0) + 1;
        let mut journal = Self { file, key, epoch, number: 0, at: BLOCK_BYTES, buffer: Vec::new() };
        let mut batch = Batch::default();
        while let Some(entry) = journal.entry_at(&bytes, journal.at) {
            if entry.epoch > epoch {
                return Err(directory.damaged("its journal is newer than its main file"));
            }
            if (entry.epoch, entry.number) != (epoch, journal.number) {
                break;
            }
            let writes = decode(entry.payload)
                .ok_or_else(|| directory.damaged("an entry of its journal is unreadable"))?;
            batch.absorb(writes);
            journal.at += padded(HEADER_BYTES + entry.payload.len());
            journal.number += 1;
        }
        let mut beyond = (journal.at..LEN_BYTES).step_by(BLOCK_BYTES);
        if beyond.any(|at| journal.entry_at(&bytes, at).is_some()) {
            return Err(directory.damaged("an entry in the middle of its journal is unreadable"));
        }
        Ok((journal, batch))
    }

    /// The epoch that is being written. Once sled has all of it, [`restart`](Self::restart).
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether there is room for an entry with these writes.
    pub(crate) fn fits(&self, batch: &Batch) -> bool {
        padded(HEADER_BYTES + encoded_bytes(batch)) <= LEN_BYTES - self.at
    }

    /// Writes an entry. It would survive a power loss once this returns.
    pub(crate) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.epoch.to_be_bytes());
        self.buffer.extend_from_slice(&self.number.to_be_bytes());
        self.buffer.extend_from_slice(&(encoded_bytes(batch) as u32).to_be_bytes());
        self.buffer.extend_from_slice(&[0; SUM_BYTES]);
        encode(batch, &mut self.buffer);
        let (header, payload) = self.buffer.split_at_mut(HEADER_BYTES);
        let sum = checksum(&self.key, &header[..HEADER_BYTES - SUM_BYTES], payload);
        header[HEADER_BYTES - SUM_BYTES..].copy_from_slice(&sum);
        self.buffer.resize(padded(self.buffer.len()), 0);
        if self.buffer.len() > LEN_BYTES - self.at {
            return Err(io::Error::other("an entry is longer than what is left of the journal"));
        }
        self.file.seek(SeekFrom::Start(self.at as u64))?;
        self.file.write_all(&self.buffer)?;
        self.file.sync_data()?;
        self.at += self.buffer.len();
        self.number += 1;
        Ok(())
    }

    /// Begins anew: sled has all entries, durably, and knows that it has this epoch.
    pub(crate) fn restart(&mut self) {
        self.epoch += 1;
        self.number = 0;
        self.at = BLOCK_BYTES;
    }

    /// The whole entry that begins at `at`, unless it is of an earlier epoch.
    fn entry_at<'a>(&self, bytes: &'a [u8], at: usize) -> Option<Entry<'a>> {
        let (header, rest) = bytes.get(at..)?.split_at_checked(HEADER_BYTES)?;
        let epoch = u64::from_be_bytes(header[..8].try_into().ok()?);
        if epoch < self.epoch {
            return None;
        }
        let number = u64::from_be_bytes(header[8..16].try_into().ok()?);
        let len = u32::from_be_bytes(header[16..20].try_into().ok()?);
        let payload = rest.get(..usize::try_from(len).ok()?)?;
        let sum = checksum(&self.key, &header[..HEADER_BYTES - SUM_BYTES], payload);
        (header[HEADER_BYTES - SUM_BYTES..] == sum).then_some(Entry { epoch, number, payload })
    }
}

struct Entry<'a> {
    epoch: u64,
    number: u64,
    payload: &'a [u8],
}

/// Makes an empty journal, whole or not at all.
fn create(directory: &Directory) -> Result<(), StoreError> {
    let path = directory.journal_path();
    let creating = path.with_extension("creating");
    let mut key = [0; KEY_BYTES];
    let random = getrandom::fill(&mut key).map_err(|e| io::Error::other(e.to_string()));
    let mut bytes = vec![0; LEN_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[MAGIC.len()..][..KEY_BYTES].copy_from_slice(&key);
    let sum = checksum(&key, MAGIC, &[]);
    bytes[MAGIC.len() + KEY_BYTES..][..SUM_BYTES].copy_from_slice(&sum);
    random
        .and_then(|()| File::create(&creating))
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&creating, &path))
        .and_then(|()| sync_dir(path.parent().unwrap_or(Path::new("."))))
        .map_err(|e| StoreError::from_io("write the file", &path, LEN_BYTES as u64, e))
}

fn read_key(bytes: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (key, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
    rest.starts_with(&checksum(key, MAGIC, &[])).then_some(*key)
}

fn checksum(key: &[u8; KEY_BYTES], header: &[u8], payload: &[u8]) -> [u8; SUM_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(header).update(payload);
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..SUM_BYTES]);
    sum
}

fn padded(len_bytes: usize) -> usize {
    len_bytes.next_multiple_of(BLOCK_BYTES)
}

/// Bytes that [`encode`] makes of a batch: per write key length (2), value length plus one, or 0 to
/// delete (4), key, value.
fn encoded_bytes(batch: &Batch) -> usize {
    batch.writes().map(|(key, value)| 6 + key.len() + value.map_or(0, <[u8]>::len)).sum()
}

fn encode(batch: &Batch, out: &mut Vec<u8>) {
    for (key, value) in batch.writes() {
        out.extend_from_slice(&(key.len() as u16).to_be_bytes());
        out.extend_from_slice(&value.map_or(0, |value| value.len() as u32 + 1).to_be_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(value.unwrap_or_default());
    }
}

fn decode(mut rest: &[u8]) -> Option<Batch> {
    let mut batch = Batch::default();
    while !rest.is_empty() {
        let (key_bytes, after) = rest.split_first_chunk()?;
        let (value_bytes, after) = after.split_first_chunk()?;
        let key_bytes = usize::from(u16::from_be_bytes(*key_bytes));
        let value_bytes = u32::from_be_bytes(*value_bytes);
        if key_bytes > KEY_BYTES_MAX || u64::from(value_bytes) > VALUE_BYTES_MAX + 1 {
            return None;
        }
        let (key, after) = after.split_at_checked(key_bytes)?;
        rest = match value_bytes.checked_sub(1) {
            None => {
                batch.delete(key);
                after
            }
            Some(value_bytes) => {
                let (value, after) = after.split_at_checked(value_bytes as usize)?;
                batch.put(key, value);
                after
            }
        };
    }
    Some(batch)
}
