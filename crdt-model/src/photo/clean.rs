//! What a camera writes into a picture beside the picture goes before it is kept: where it was taken, with
//! which device, by whom, and a small copy of the picture as it was before it was cut. How it is to be turned
//! stays, and so do colours.

use super::{PHOTO_LEN_BYTES_MAX, PhotoForm};

/// Why bytes are not kept as a photo.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAPhoto {
    /// There are none.
    #[error("it is empty")]
    Empty,
    /// Another kind of file.
    #[error("it is no JPEG, PNG or WebP picture")]
    Form,
    /// It begins like a picture and does not go on like one.
    #[error("the picture is damaged or cut off")]
    Damaged,
    /// Too long even after cleaning.
    #[error("it has {len_bytes} bytes; at most {PHOTO_LEN_BYTES_MAX} are kept")]
    TooLong {
        /// Its length, in bytes.
        len_bytes: usize,
    },
}

/// The picture without what the camera noted in it.
///
/// # Errors
/// [`NotAPhoto`].
pub fn clean(bytes: &[u8]) -> Result<Vec<u8>, NotAPhoto> {
    if bytes.is_empty() {
        return Err(NotAPhoto::Empty);
    }
    let cleaned = match PhotoForm::of(bytes).ok_or(NotAPhoto::Form)? {
        PhotoForm::Jpeg => jpeg(bytes),
        PhotoForm::Png => png(bytes),
        PhotoForm::Webp => webp(bytes),
    };
    let cleaned = cleaned.ok_or(NotAPhoto::Damaged)?;
    match cleaned.len() {
        len_bytes if len_bytes > PHOTO_LEN_BYTES_MAX => Err(NotAPhoto::TooLong { len_bytes }),
        _ => Ok(cleaned),
    }
}

/// Segments up to the picture data: of what applications add, JFIF, colour profiles and Adobe's transform stay.
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = vec![0xff, 0xd8];
    let mut turned = None;
    let mut rest = bytes.get(2..)?;
    loop {
        let [0xff, marker, ..] = *rest else { return None };
        if marker == 0xff {
            // Filling.
            rest = &rest[1..];
            continue;
        }
        let len = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
        let segment = rest.get(..2 + len).filter(|_| len >= 2)?;
        if marker == 0xda {
            break;
        }
        match marker {
            0xe1 => turned = turned.or_else(|| orientation(segment.get(4..)?)),
            0xe0 | 0xe2 | 0xee => kept.extend_from_slice(segment),
            // Other applications, comments.
            0xe3..=0xef | 0xfe => {}
            _ => kept.extend_from_slice(segment),
        }
        rest = rest.get(segment.len()..)?;
    }
    if let Some(turned @ 2..=8) = turned {
        kept.splice(2..2, exif_of(turned));
    }
    // What follows the end of the picture (a phone's short film, its depth map) goes too.
    let end = end_of_jpeg(rest)?;
    kept.extend_from_slice(&rest[..end]);
    Some(kept)
}

/// Where the picture data and all scans end. Within it 0xff is followed by 0, or by a restart marker.
fn end_of_jpeg(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = data.get(at..)?.iter().position(|byte| *byte == 0xff) {
        at += found;
        if *data.get(at + 1)? == 0xd9 {
            return Some(at + 2);
        }
        at += 1;
    }
    None
}

/// A segment that says how the picture is to be turned, and nothing else.
fn exif_of(turned: u8) -> Vec<u8> {
    let mut segment = vec![0xff, 0xe1, 0, 34];
    segment.extend_from_slice(b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
    segment.extend_from_slice(&[turned, 0, 0, 0, 0, 0, 0]);
    segment
}

/// How an Exif block says that the picture is to be turned, 1 to 8.
fn orientation(exif: &[u8]) -> Option<u8> {
    let tiff = exif.strip_prefix(b"Exif\0\0")?;
    let big = match tiff.get(..2)? {
        b"MM" => true,
        b"II" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let two: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    };
    let four: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
    let first = if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
    let first = usize::try_from(first).ok()?;
    for entry in 0..usize::from(short(first)?) {
        let at = first.checked_add(2 + 12 * entry)?;
        if short(at)? == 0x0112 {
            return u8::try_from(short(at.checked_add(8)?)?).ok().filter(|turned| (1..=8).contains(turned));
        }
    }
    None
}

/// Chunks that a picture consists of; texts, times and Exif go.
fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    const KEPT: [&[u8; 4]; 12] = [
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"bKGD",
        b"pHYs",
    ];
    let mut kept = bytes.get(..8)?.to_vec();
    let mut rest = bytes.get(8..)?;
    loop {
        let len = usize::try_from(u32::from_be_bytes(rest.get(..4)?.try_into().ok()?)).ok()?;
        let chunk = rest.get(..len.checked_add(12)?)?;
        let name = chunk.get(4..8)?;
        if KEPT.iter().any(|kept| kept.as_slice() == name) {
            kept.extend_from_slice(chunk);
        }
        if name == b"IEND" {
            return Some(kept);
        }
        rest = rest.get(chunk.len()..)?;
    }
}

/// Chunks that a picture consists of; Exif and XMP go, and the header no longer says that they are there.
fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = bytes.get(..12)?.to_vec();
    let declared = usize::try_from(u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?)).ok()?;
    let mut rest = bytes.get(12..declared.checked_add(8)?)?;
    while !rest.is_empty() {
        let len = usize::try_from(u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?)).ok()?;
        let padded = len.checked_add(8 + len % 2)?;
        let chunk = rest.get(..padded)?;
        match chunk.get(..4)? {
            b"VP8X" => {
                let mut header = chunk.to_vec();
                *header.get_mut(8)? &= !0x0c;
                kept.extend_from_slice(&header);
            }
            b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP" | b"ANIM" | b"ANMF" => kept.extend_from_slice(chunk),
            _ => {}
        }
        rest = &rest[padded..];
    }
    if kept.len() <= 12 {
        return None;
    }
    let len = u32::try_from(kept.len() - 8).ok()?;
    kept[4..8].copy_from_slice(&len.to_le_bytes());
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len() + 2).expect("short");
        [&[0xff, marker], &len.to_be_bytes()[..], body].concat()
    }

    /// A picture whose Exif says that it was taken upright, and where.
    fn taken(turned: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x02\0".to_vec();
        exif.extend_from_slice(&[0x0f, 0x01, 2, 0, 4, 0, 0, 0, b'C', b'A', b'M', 0]);
        exif.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, turned, 0, 0, 0]);
        exif.extend_from_slice(b"\0\0\0\0GPS 28.7N 118.6E");
        [
            vec![0xff, 0xd8],
            segment(0xe0, b"JFIF\0rest"),
            segment(0xe1, &exif),
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0GPS 28.7N"),
            segment(0xed, b"Photoshop 3.0\0\x38BIM GPS"),
            segment(0xfe, b"a comment: GPS"),
            segment(0xdb, &[1; 65]),
            segment(0xda, &[1, 2, 3]),
            vec![1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xd9],
            b"a short film with GPS".to_vec(),
        ]
        .concat()
    }

    fn says(bytes: &[u8], text: &[u8]) -> bool {
        bytes.windows(text.len()).any(|window| window == text)
    }

    #[test]
    fn where_a_photo_was_taken_goes_and_how_it_is_turned_stays() {
        let bytes = taken(6);
        assert!(says(&bytes, b"GPS") && says(&bytes, b"CAM"));
        let cleaned = clean(&bytes).expect("a photo");
        assert!(!says(&cleaned, b"GPS") && !says(&cleaned, b"CAM") && !says(&cleaned, b"adobe"));
        assert!(says(&cleaned, b"JFIF") && says(&cleaned, &[1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xd9]));
        let exif = &cleaned[6..];
        assert_eq!((&cleaned[2..4], orientation(exif)), (&[0xff, 0xe1][..], Some(6)));
        // Cleaning again changes nothing, or the hash would depend on who did it.
        assert_eq!(clean(&cleaned), Ok(cleaned));
        assert!(!says(&clean(&taken(1)).expect("a photo"), b"Exif"));
    }

    #[test]
    fn texts_of_png_and_webp_go() {
        let chunk = |name: &[u8], body: &[u8]| {
            [&u32::try_from(body.len()).expect("short").to_be_bytes()[..], name, body, &[0; 4]].concat()
        };
        let head = b"\x89PNG\r\n\x1a\n".to_vec();
        let (ihdr, end) = (chunk(b"IHDR", &[1; 13]), chunk(b"IEND", b""));
        let data = chunk(b"IDAT", b"picture");
        let full = [
            head.clone(),
            ihdr.clone(),
            chunk(b"eXIf", b"GPS"),
            chunk(b"tEXt", b"GPS"),
            data.clone(),
            end.clone(),
        ];
        assert_eq!(clean(&full.concat()), Ok([head, ihdr, data, end].concat()));

        let chunk = |name: &[u8], body: &[u8]| {
            let len = u32::try_from(body.len()).expect("short").to_le_bytes();
            let padding = vec![0; body.len() % 2];
            [name, &len[..], body, &padding].concat()
        };
        let file = |chunks: &[Vec<u8>]| {
            let body = [b"WEBP".to_vec(), chunks.concat()].concat();
            [&b"RIFF"[..], &u32::try_from(body.len()).expect("short").to_le_bytes(), &body].concat()
        };
        let with = |flags: u8| chunk(b"VP8X", &[flags, 0, 0, 0, 9, 0, 0, 9, 0, 0]);
        let picture = chunk(b"VP8 ", b"picture");
        let full = file(&[with(0x0c), picture.clone(), chunk(b"EXIF", b"GPS"), chunk(b"XMP ", b"GPS")]);
        assert_eq!(clean(&full), Ok(file(&[with(0), picture])));
    }

    #[test]
    fn what_is_no_picture_or_half_of_one_is_refused_and_nothing_panics() {
        assert_eq!(clean(b""), Err(NotAPhoto::Empty));
        assert_eq!(clean(b"%PDF-1.7"), Err(NotAPhoto::Form));
        let bytes = taken(3);
        let end = bytes.len() - b"a short film with GPS".len();
        for cut in 3..end {
            assert_eq!(clean(&bytes[..cut]), Err(NotAPhoto::Damaged), "{cut}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xd9, 0xff] {
                let mut bent = bytes.clone();
                bent[at] = value;
                let _ = clean(&bent);
            }
        }
        let mut long = bytes[..end - 2].to_vec();
        long.resize(PHOTO_LEN_BYTES_MAX + 1_000, 7);
        long.extend_from_slice(&[0xff, 0xd9]);
        assert!(matches!(clean(&long), Err(NotAPhoto::TooLong { .. })));
    }
}
