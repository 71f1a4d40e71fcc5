//! What comes over the wire: frames with batches in them, and pages of checkpoints.

use wangge_model::document::Document;
use wangge_model::transaction::ScopeSecret;
use wangge_model::wire::{Frame, FrameBuffer, decode_batch, decode_page, encode_batch};

pub(crate) const SECRET: ScopeSecret = ScopeSecret([7; 32]);

/// A stream of frames, cut anywhere. What is read means the same once it was written again.
///
/// # Panics
/// If it does not.
pub fn wire(bytes: &[u8]) {
    let (mut whole, mut halves) = (FrameBuffer::default(), FrameBuffer::default());
    whole.push(bytes);
    let cut = bytes.len() / 2;
    halves.push(&bytes[..cut]);
    let mut read = Vec::new();
    while let Ok(Some(frame)) = halves.next_frame() {
        read.push(frame);
    }
    halves.push(&bytes[cut..]);
    while let Ok(Some(frame)) = halves.next_frame() {
        read.push(frame);
    }
    for frame in read {
        let at_once = whole.next_frame().expect("was read in two parts").expect("was read in two parts");
        assert_eq!(at_once, frame, "read otherwise at once");
        let mut again = FrameBuffer::default();
        again.push(&frame.encode());
        let read = again.next_frame().expect("reads what it wrote").expect("reads what it wrote");
        assert_eq!(read, frame, "it was written as something else");
        if let Frame::Batch(batch) = &frame
            && let Ok((scope, runs)) = decode_batch(batch)
        {
            let again = decode_batch(&encode_batch(&scope, &runs)).expect("reads what it wrote");
            assert_eq!(again, (scope.clone(), runs.clone()), "it was written as something else");
            for run in runs {
                let _ = run.check(&scope, &SECRET, None);
            }
        }
    }
}

/// A page as it travels. Documents take what is in it or refuse it, and hold together.
///
/// # Panics
/// If they do not.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(pages) = decode_page(bytes, &SECRET) else { return };
    for page in &pages {
        let Ok(mut document) = Document::new(page.id, page.kind) else { continue };
        if document.apply_page(page).is_ok() {
            let stored = Document::decode(page.id, &document.encode()).expect("reads what it wrote");
            assert_eq!(stored.view(), document.view(), "it was stored as something else");
        }
    }
}
