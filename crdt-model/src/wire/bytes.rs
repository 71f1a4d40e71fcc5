//! Reading and writing the parts of wire messages: variable-length integers (LEB128), texts by
//! dictionary, scalars, compressed blocks. Every length is bounded before anything is allocated.

use crate::document::{Scalar, VALUE_LEN_BYTES_MAX};
use crate::schema::DICTIONARY;

/// Bytes from a peer that cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum WireError {
    #[error("the message ends in the middle of {what}")]
    Truncated { what: &'static str },
    #[error("{what} is {found}; the limit is {max}")]
    Limit { what: &'static str, found: u64, max: u64 },
    #[error("{what} has the unknown tag {tag}")]
    Tag { what: &'static str, tag: u64 },
    #[error("it speaks protocol version {theirs}")]
    Version { theirs: u16 },
    #[error("{what} is not sound")]
    Unsound { what: &'static str },
    #[error("{len_bytes} bytes are left over after {what}")]
    Trailing { what: &'static str, len_bytes: usize },
}

/// Appends the parts of a message.
#[derive(Default, Debug)]
pub(crate) struct Writer {
    pub(crate) out: Vec<u8>,
}

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.uint(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.uint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// A text: by its place in the dictionary, or spelled out.
    pub(crate) fn text(&mut self, text: &str) {
        match DICTIONARY.iter().position(|word| *word == text) {
            Some(at) => self.uint((at as u64) << 1 | 1),
            None => {
                self.uint((text.len() as u64) << 1);
                self.raw(text.as_bytes());
            }
        }
    }

    /// Digits packed into as few bytes as hold them, leading zeros included.
    pub(crate) fn digits(&mut self, text: &str) {
        let value: u128 = text.parse().unwrap_or_default();
        self.raw(&value.to_le_bytes()[..digits_len_bytes(text.len())]);
    }
}

/// Whether a text is better sent as packed digits.
pub(crate) fn is_digits(text: &str) -> bool {
    (2..=38).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Bytes that `count` decimal digits need.
pub(crate) fn digits_len_bytes(count: usize) -> usize {
    // log2(10) = 3.3219…
    (count * 33_220).div_ceil(80_000)
}

/// Takes a message apart.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn end(&self, what: &'static str) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            len_bytes => Err(WireError::Trailing { what, len_bytes }),
        }
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        let (first, rest) = self.rest.split_first().ok_or(WireError::Truncated { what })?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn uint(&mut self, what: &'static str) -> Result<u64, WireError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            if shift == 63 && byte > 1 {
                return Err(WireError::Unsound { what });
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Unsound { what })
    }

    pub(crate) fn int(&mut self, what: &'static str) -> Result<i64, WireError> {
        let value = self.uint(what)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A count or length that must not exceed `max`.
    pub(crate) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, WireError> {
        let found = self.uint(what)?;
        if found > max as u64 {
            return Err(WireError::Limit { what, found, max: max as u64 });
        }
        Ok(found as usize)
    }

    pub(crate) fn raw(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], WireError> {
        if self.rest.len() < len {
            return Err(WireError::Truncated { what });
        }
        let (part, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(part)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.raw(what, N)?);
        Ok(array)
    }

    pub(crate) fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], WireError> {
        let len = self.count(what, max)?;
        self.raw(what, len)
    }

    pub(crate) fn text(&mut self, what: &'static str, max: usize) -> Result<String, WireError> {
        let head = self.uint(what)?;
        if head & 1 == 1 {
            let word = usize::try_from(head >> 1).ok().and_then(|at| DICTIONARY.get(at));
            return word.map(|word| (*word).to_owned()).ok_or(WireError::Tag { what, tag: head >> 1 });
        }
        if head >> 1 > max as u64 {
            return Err(WireError::Limit { what, found: head >> 1, max: max as u64 });
        }
        self.utf8(what, (head >> 1) as usize)
    }

    pub(crate) fn utf8(&mut self, what: &'static str, len: usize) -> Result<String, WireError> {
        let bytes = self.raw(what, len)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Unsound { what })
    }

    pub(crate) fn digits(&mut self, what: &'static str, count: usize) -> Result<String, WireError> {
        let packed = self.raw(what, digits_len_bytes(count))?;
        let mut value = [0; 16];
        value.get_mut(..packed.len()).ok_or(WireError::Unsound { what })?.copy_from_slice(packed);
        let text = format!("{:0count$}", u128::from_le_bytes(value));
        if text.len() == count { Ok(text) } else { Err(WireError::Unsound { what }) }
    }
}

/// The tag of a scalar, without its payload; 0 stands for a deletion.
pub(crate) mod tag {
    pub(crate) const DELETE: u8 = 0;
    pub(crate) const FALSE: u8 = 1;
    pub(crate) const TRUE: u8 = 2;
    pub(crate) const INT: u8 = 3;
    pub(crate) const F64: u8 = 4;
    pub(crate) const TEXT: u8 = 5;
    pub(crate) const BYTES: u8 = 6;
    pub(crate) const DIGITS: u8 = 7;
}

/// The tag under which `value` travels.
pub(crate) fn tag_of(value: Option<&Scalar>) -> u8 {
    match value {
        None => tag::DELETE,
        Some(Scalar::Bool(false)) => tag::FALSE,
        Some(Scalar::Bool(true)) => tag::TRUE,
        Some(Scalar::Int(_)) => tag::INT,
        Some(Scalar::F64(_)) => tag::F64,
        Some(Scalar::Str(text)) if is_digits(text) => tag::DIGITS,
        Some(Scalar::Str(_)) => tag::TEXT,
        Some(Scalar::Bytes(_)) => tag::BYTES,
    }
}

/// Writes the payload of a scalar whose tag has been written.
pub(crate) fn write_scalar(writer: &mut Writer, value: Option<&Scalar>) {
    match value {
        None | Some(Scalar::Bool(_)) => {}
        Some(Scalar::Int(value)) => writer.int(*value),
        Some(Scalar::F64(value)) => writer.raw(&value.to_le_bytes()),
        Some(Scalar::Str(text)) if is_digits(text) => {
            writer.u8(text.len() as u8);
            writer.digits(text);
        }
        Some(Scalar::Str(text)) => writer.text(text),
        Some(Scalar::Bytes(bytes)) => writer.bytes(bytes),
    }
}

/// Reads the payload that belongs to `tag`.
pub(crate) fn read_scalar(reader: &mut Reader<'_>, tag: u8) -> Result<Option<Scalar>, WireError> {
    let what = "a value";
    Ok(Some(match tag {
        tag::DELETE => return Ok(None),
        tag::FALSE => Scalar::Bool(false),
        tag::TRUE => Scalar::Bool(true),
        tag::INT => Scalar::Int(reader.int(what)?),
        tag::F64 => Scalar::F64(f64::from_le_bytes(reader.array(what)?)),
        tag::TEXT => Scalar::Str(reader.text(what, VALUE_LEN_BYTES_MAX)?),
        tag::BYTES => Scalar::Bytes(reader.bytes(what, VALUE_LEN_BYTES_MAX)?.to_vec()),
        tag::DIGITS => {
            let count = read_digits_count(reader)?;
            Scalar::Str(reader.digits(what, count)?)
        }
        other => return Err(WireError::Tag { what, tag: other.into() }),
    }))
}

/// How many digits a text has that travels as digits.
pub(crate) fn read_digits_count(reader: &mut Reader<'_>) -> Result<usize, WireError> {
    let count = reader.u8("a value")?;
    if !(2..=38).contains(&count) {
        return Err(WireError::Limit { what: "a count of digits", found: count.into(), max: 38 });
    }
    Ok(count.into())
}

/// Below this many bytes a block is not worth compressing.
const COMPRESS_MIN_BYTES: usize = 48;

/// A block, compressed (Brotli, RFC 7932) where that makes it smaller.
pub(crate) fn pack(block: &[u8], quality: u32) -> Vec<u8> {
    let mut writer = Writer::default();
    if block.len() >= COMPRESS_MIN_BYTES {
        let params = brotli::enc::BrotliEncoderParams {
            quality: quality as i32,
            lgwin: 20,
            size_hint: block.len(),
            ..Default::default()
        };
        let mut packed = Vec::with_capacity(block.len() / 2);
        let done = brotli::BrotliCompress(&mut &block[..], &mut packed, &params);
        writer.u8(1);
        writer.uint(block.len() as u64);
        if done.is_ok() && writer.out.len() + packed.len() <= block.len() {
            writer.raw(&packed);
            return writer.out;
        }
        writer.out.clear();
    }
    writer.u8(0);
    writer.raw(block);
    writer.out
}

/// The block again.
///
/// # Errors
/// [`WireError`] if it is damaged or would exceed `max_bytes`; no more than that is ever allocated.
pub(crate) fn unpack(packed: &[u8], max_bytes: usize) -> Result<Vec<u8>, WireError> {
    let what = "a block";
    let mut reader = Reader::new(packed);
    match reader.u8(what)? {
        0 if reader.rest.len() > max_bytes => {
            Err(WireError::Limit { what, found: reader.rest.len() as u64, max: max_bytes as u64 })
        }
        0 => Ok(reader.rest.to_vec()),
        1 => {
            let len = reader.count(what, max_bytes)?;
            let mut block = Vec::with_capacity(len.min(256 * 1024));
            let mut bounded = Bounded { block: &mut block, max: len };
            brotli::BrotliDecompress(&mut reader.rest, &mut bounded)
                .map_err(|_| WireError::Unsound { what: "a compressed block" })?;
            if block.len() == len { Ok(block) } else { Err(WireError::Unsound { what: "a block's length" }) }
        }
        tag => Err(WireError::Tag { what, tag: tag.into() }),
    }
}

/// Refuses to grow past `max`, so that a small input cannot unfold without end.
struct Bounded<'a> {
    block: &'a mut Vec<u8>,
    max: usize,
}

impl std::io::Write for Bounded<'_> {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if self.block.len() + part.len() > self.max {
            return Err(std::io::Error::other("longer than announced"));
        }
        self.block.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_come_back() {
        let values = [
            None,
            Some(Scalar::Bool(true)),
            Some(Scalar::Bool(false)),
            Some(Scalar::Int(i64::MIN)),
            Some(Scalar::Int(i64::MAX)),
            Some(Scalar::F64(118.574_137)),
            Some("".into()),
            Some("phone".into()),
            Some("张三".into()),
            Some("00".into()),
            Some("13800000001".into()),
            Some("99999999999999999999999999999999999999".into()),
            Some("0123456789012345678901234567890123456789".into()),
            Some(Scalar::Bytes(vec![0, 255])),
        ];
        for value in values {
            let mut writer = Writer::default();
            write_scalar(&mut writer, value.as_ref());
            let mut reader = Reader::new(&writer.out);
            assert_eq!(read_scalar(&mut reader, tag_of(value.as_ref())).expect("reads"), value);
            reader.end("it").expect("nothing left");
        }
    }

    #[test]
    fn a_block_that_unfolds_past_its_limit_is_refused() {
        let zeros = vec![0; 1 << 20];
        let packed = pack(&zeros, 5);
        assert!(packed.len() < 100);
        assert_eq!(unpack(&packed, 1 << 20).expect("fits").len(), 1 << 20);
        assert!(matches!(unpack(&packed, 1 << 19), Err(WireError::Limit { .. })));
        // It announces less than it unfolds to.
        let mut lying = Writer::default();
        lying.u8(1);
        lying.uint(10);
        lying.raw(&packed[4..]);
        assert!(unpack(&lying.out, 1 << 20).is_err());
    }
}
