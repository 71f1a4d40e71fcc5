//! What a zip archive declares that it unpacks to, read before anything is unpacked.
//!
//! Source: PKWARE APPNOTE 6.3.3, sections 4.3.12 (central directory) and 4.5.3 (zip64).

/// What the central directory of an archive says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) names: Vec<String>,
    pub(crate) unpacked_bytes: u64,
}

const END_LEN: usize = 22;
const ENTRY_LEN: usize = 46;
const COMMENT_LEN_MAX: usize = 65_535;

/// Reads the central directory; `None` if there is none, as in a truncated file.
pub(crate) fn contents(bytes: &[u8]) -> Option<Contents> {
    let mut at = directory_start(bytes)?;
    let mut contents = Contents::default();
    while bytes.get(at..)?.starts_with(b"PK\x01\x02") {
        let entry = bytes.get(at..at + ENTRY_LEN)?;
        let name_len = usize::from(u16_at(entry, 28)?);
        let extra_len = usize::from(u16_at(entry, 30)?);
        let comment_len = usize::from(u16_at(entry, 32)?);
        let name = bytes.get(at + ENTRY_LEN..at + ENTRY_LEN + name_len)?;
        let extra_at = at + ENTRY_LEN + name_len;
        let extra = bytes.get(extra_at..extra_at + extra_len)?;
        let unpacked = match u32_at(entry, 24)? {
            u32::MAX => zip64_unpacked(extra)?,
            size => u64::from(size),
        };
        contents.unpacked_bytes = contents.unpacked_bytes.saturating_add(unpacked);
        contents.names.push(String::from_utf8_lossy(name).into_owned());
        at = extra_at + extra_len + comment_len;
    }
    Some(contents)
}

/// The first entry of the directory, found through the record at the end of the archive.
fn directory_start(bytes: &[u8]) -> Option<usize> {
    let earliest = bytes.len().saturating_sub(END_LEN + COMMENT_LEN_MAX);
    let tail = &bytes[earliest..];
    let end = earliest + tail.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let size = u32_at(bytes, end + 12)?;
    let start = u32_at(bytes, end + 16)?;
    if start != u32::MAX && size != u32::MAX {
        return usize::try_from(start).ok();
    }
    let locator = bytes.get(end.checked_sub(20)?..end)?;
    let record = usize::try_from(u64_at(locator, 8)?).ok()?;
    if !locator.starts_with(b"PK\x06\x07") || bytes.get(record..record.checked_add(4)?)? != b"PK\x06\x06" {
        return None;
    }
    usize::try_from(u64_at(bytes, record.checked_add(48)?)?).ok()
}

/// The 64-bit size in an entry's extra fields: the first value of the field with tag 1.
fn zip64_unpacked(mut extra: &[u8]) -> Option<u64> {
    loop {
        let tag = u16_at(extra, 0)?;
        let len = usize::from(u16_at(extra, 2)?);
        if tag == 1 {
            return u64_at(extra, 4);
        }
        extra = extra.get(4 + len..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(take(bytes, at)?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(take(bytes, at)?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(take(bytes, at)?))
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of one entry that declares a size, without the entry's data.
    fn archive(size: u32, extra: &[u8]) -> Vec<u8> {
        let mut entry = vec![0; ENTRY_LEN];
        entry[..4].copy_from_slice(b"PK\x01\x02");
        entry[24..28].copy_from_slice(&size.to_le_bytes());
        entry[28] = 1;
        entry[30] = extra.len() as u8;
        entry.push(b'a');
        entry.extend_from_slice(extra);
        let mut end = vec![0; END_LEN];
        end[..4].copy_from_slice(b"PK\x05\x06");
        end[12..16].copy_from_slice(&(entry.len() as u32).to_le_bytes());
        entry.extend_from_slice(&end);
        entry
    }

    #[test]
    fn declared_sizes_are_read() {
        let found = contents(&archive(1234, &[])).unwrap();
        assert_eq!(found.unpacked_bytes, 1234);
        assert_eq!(found.names, ["a"]);
    }

    #[test]
    fn sizes_beyond_four_gigabytes_are_read() {
        let mut extra = vec![9, 0, 2, 0, 7, 7, 1, 0, 8, 0];
        extra.extend_from_slice(&(1_u64 << 40).to_le_bytes());
        let found = contents(&archive(u32::MAX, &extra)).unwrap();
        assert_eq!(found.unpacked_bytes, 1 << 40);
    }

    #[test]
    fn every_truncation_is_survived() {
        let whole = archive(u32::MAX, &[1, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(contents(&whole).is_some());
        for len in 0..whole.len() - END_LEN {
            assert_eq!(contents(&whole[..len]), None, "{len}");
        }
        for index in 0..whole.len() {
            let mut flawed = whole.clone();
            flawed[index] ^= 0xFF;
            let _ = contents(&flawed);
        }
    }
}
