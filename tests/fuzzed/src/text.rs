//! What people hand in as text: invitations, boundaries, and events of cases, which are JSON in documents.

use data_encoding::BASE32_NOPAD;

use wangge_model::case::Told;
use wangge_model::document::Scalar;
use wangge_model::invitation::Invitation;
use wangge_model::org::boundary::Boundary;
use wangge_model::work::checklist::Checklist;

/// A line; and, so that the checksum stops nobody who only looks for panics, the body of one.
///
/// # Panics
/// If what is read is not what is written.
pub fn invitation(bytes: &[u8]) {
    let read = |line: &str| {
        if let Ok(invitation) = Invitation::from_line(line) {
            let again = Invitation::from_line(&invitation.to_line());
            assert_eq!(again, Ok(invitation), "it was written as something else");
        }
    };
    if let Ok(line) = std::str::from_utf8(bytes) {
        read(line);
    }
    let mut body = bytes.to_vec();
    body.extend_from_slice(&blake3::hash(bytes).as_bytes()[..4]);
    read(&format!("WG1-{}", BASE32_NOPAD.encode(&body)));
}

/// A file that should be GeoJSON.
///
/// # Panics
/// If a boundary is not stored and written as it was read.
pub fn geojson(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok((boundary, _)) = Boundary::from_geojson(text) else { return };
    let _ = boundary.contains(118.55, 28.75);
    let pieces = boundary.to_pieces();
    let stored = Boundary::of_pieces(pieces.iter().map(String::as_str)).expect("reads what it stored");
    // Seven decimals are kept: the second time nothing more is lost.
    assert_eq!(Boundary::of_pieces(stored.to_pieces().iter().map(String::as_str)), Some(stored.clone()));
    Boundary::from_geojson(&stored.to_geojson().to_string()).expect("reads what it wrote");
}

/// An event of a case, or a checklist: JSON that another device wrote.
pub fn events(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Told::decode(&Scalar::from(text));
    let _ = Checklist::parse(text);
}
