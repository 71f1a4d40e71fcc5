//! How logical keys and values lie in sled.
//!
//! | first byte | rest of the sled key                                     | sled value         |
//! |------------|----------------------------------------------------------|--------------------|
//! | `0`        | name                                                     | the store's own    |
//! | `1`        | logical key                                              | [`Head`]           |
//! | `2`        | key length (2) , logical key, generation (8), number (4) | one chunk          |
//!
//! Integers are big-endian. Because heads carry the logical key unchanged behind one byte, the
//! order and the prefixes of logical keys are those of sled. The length in front of a chunk's
//! key keeps the chunks of `a` apart from those of `a\0`.
//!
//! A generation belongs to one write of one value. A reader that holds an old head and looks
//! for its chunks therefore finds them all, or misses some: never those of another value.

use crate::VALUE_BYTES_MAX;

/// First byte of the heads' keys.
const HEADS: u8 = 1;
/// First byte of the chunks' keys.
const CHUNKS: u8 = 2;

/// Key of the record that counts how often the store was opened.
pub(crate) const EPOCH_KEY: &[u8] = b"\0epoch";

/// Key of the record that says up to which epoch of the journal sled has everything.
pub(crate) const JOURNAL_KEY: &[u8] = b"\0journal";

/// Longest value, or part of one, that becomes a single sled value, in bytes.
///
/// A leaf of sled's tree holds up to 17 values, and a leaf above 128 KiB goes to a file of its
/// own under `blobs/`, which no fsync of the main file covers. 17 values of 4,000 bytes stay
/// below that; the slack is for keys and headers.
pub(crate) const CHUNK_BYTES_MAX: usize = 3_500;

/// What a logical key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head<'a> {
    /// The value itself.
    Inline(&'a [u8]),
    /// A value in chunks.
    Chunked(Chunked),
}

/// A value that is spread over several records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunked {
    /// The write that the chunks belong to.
    pub(crate) generation: u64,
    /// Length of the whole value.
    pub(crate) len_bytes: u64,
}

const INLINE: u8 = 0;
const CHUNKED: u8 = 1;

impl<'a> Head<'a> {
    /// Reads a head; `None` if these bytes are none.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        match bytes.split_first()? {
            (&INLINE, value) => Some(Self::Inline(value)),
            (&CHUNKED, rest) => {
                let (generation, len_bytes) = rest.split_at_checked(8)?;
                let chunked = Chunked {
                    generation: u64::from_be_bytes(generation.try_into().ok()?),
                    len_bytes: u64::from_be_bytes(len_bytes.try_into().ok()?),
                };
                (chunked.len_bytes <= VALUE_BYTES_MAX).then_some(Self::Chunked(chunked))
            }
            _ => None,
        }
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        match self {
            Self::Inline(value) => [&[INLINE], value].concat(),
            Self::Chunked(chunked) => {
                [&[CHUNKED][..], &chunked.generation.to_be_bytes(), &chunked.len_bytes.to_be_bytes()].concat()
            }
        }
    }
}

impl Chunked {
    /// The sled keys of the chunks of `key`, in order.
    pub(crate) fn keys(self, key: &[u8]) -> impl Iterator<Item = Vec<u8>> + use<> {
        let mut physical = vec![CHUNKS];
        physical.extend_from_slice(&(key.len() as u16).to_be_bytes());
        physical.extend_from_slice(key);
        physical.extend_from_slice(&self.generation.to_be_bytes());
        let chunks = self.len_bytes.div_ceil(CHUNK_BYTES_MAX as u64);
        (0..chunks as u32).map(move |number| {
            let mut physical = physical.clone();
            physical.extend_from_slice(&number.to_be_bytes());
            physical
        })
    }
}

/// The sled key of the head of `key`; of a prefix, the sled prefix.
pub(crate) fn head_key(key: &[u8]) -> Vec<u8> {
    [&[HEADS], key].concat()
}

/// The logical key behind a head's sled key.
pub(crate) fn logical_key(head_key: &[u8]) -> &[u8] {
    head_key.get(1..).unwrap_or_default()
}

/// The first sled key after all those that begin with `prefix`, a non-empty sled prefix whose
/// first byte is not 255.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_the_way_to_disk_and_back() {
        for head in [
            Head::Inline(b""),
            Head::Inline(b"value"),
            Head::Chunked(Chunked { generation: u64::MAX, len_bytes: 3_501 }),
        ] {
            assert_eq!(Head::decode(&head.encode()), Some(head));
        }
        for garbage in [&b""[..], b"\x01", b"\x01short", b"\x07"] {
            assert_eq!(Head::decode(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn chunks_of_neighbouring_keys_never_meet() {
        let one = Chunked { generation: 7, len_bytes: 2 * CHUNK_BYTES_MAX as u64 + 1 };
        let a: Vec<_> = one.keys(b"a").collect();
        let longer: Vec<_> = one.keys(b"a\0").collect();
        assert_eq!((a.len(), longer.len()), (3, 3));
        assert!(a.is_sorted());
        assert!(longer.iter().all(|key| !a.contains(key)));
    }

    #[test]
    fn a_prefix_ends_before_its_successor() {
        assert_eq!(end_of_prefix(b"\x01a"), b"\x01b");
        assert_eq!(end_of_prefix(b"\x01a\xff\xff"), b"\x01b");
        assert_eq!(end_of_prefix(b"\x01\xff"), b"\x02");
    }
}
