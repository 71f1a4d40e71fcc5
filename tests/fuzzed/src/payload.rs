//! Automerge payloads: changes as peers send them, documents as they are stored.

use wangge_model::document::{Change, Document, Origin, stored_page};
use wangge_model::identity::{DocId, LogId};
use wangge_model::schema::Kind;

pub(crate) const DOCUMENT: DocId = DocId([1; 16]);

pub(crate) fn origin(who: u8, seq: u64) -> Origin {
    Origin {
        log: LogId([who; 8]),
        seq,
        lamport: seq,
        worker: DocId([who; 16]),
        wall_ms: 0,
        observed_ms: 0,
        actor: [who; 16],
    }
}

/// A first byte that is even: a stored document follows. Odd: changes follow, which a document takes or refuses
/// one after the other; it stays whole, and goes on taking honest work.
///
/// # Panics
/// If a document was broken.
pub fn payload(bytes: &[u8]) {
    let Some((form, rest)) = bytes.split_first() else { return };
    if form.is_multiple_of(2) {
        // What is stored is sealed, so that nobody but this replica can have written it: it need not hold
        // together, but damage must be an error.
        if let Ok(document) = Document::decode(DOCUMENT, rest) {
            let _ = (document.view(), document.encode());
        }
        return;
    }
    let mut document = seeded();
    let mut rest = rest;
    for seq in 1..20 {
        let Ok((change, after)) = postcard::take_from_bytes::<Change>(rest) else { break };
        rest = after;
        let before = (document.heads(), document.view());
        if document.apply(&change, &origin(1 + form / 128, seq)).is_err() {
            assert_eq!(before, (document.heads(), document.view()), "a refused change left something");
        }
    }
    hold_together(&document);
    let honest = document.draft(vec![crate::seeds::put("note", "honest")]);
    document.apply(&honest, &origin(9, 1)).expect("takes honest work");
}

/// A person that two replicas edited.
pub(crate) fn seeded() -> Document {
    let mut document = Document::new(DOCUMENT, Kind::PERSON).expect("known");
    for (who, seq, phone) in [(3, 1, "1"), (4, 1, "2"), (3, 2, "3")] {
        let change = document.draft(vec![crate::seeds::put("phone", phone)]);
        document.apply(&change, &origin(who, seq)).expect("applies");
    }
    document
}

/// What was taken is stored, read, and rebuilt elsewhere, all the same.
pub(crate) fn hold_together(document: &Document) {
    let stored = document.encode();
    let again = Document::decode(document.id(), &stored).expect("reads what it wrote");
    assert_eq!(again.view(), document.view(), "it was stored as something else");
    let page = stored_page(document.id(), &stored).expect("reads what it wrote");
    let mut rebuilt = Document::new(document.id(), document.kind()).expect("known");
    rebuilt.apply_page(&page).expect("takes its own page");
    assert_eq!(rebuilt.heads(), document.heads(), "it was rebuilt as something else");
}
