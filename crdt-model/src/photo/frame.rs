//! What two replicas say about photos, on a stream of its own beside the session's: a text never waits for a
//! picture. Each side asks for what it lacks; one photo a direction is under way at a time.

use serde::{Deserialize, Serialize};

use super::{PIECE_LEN_BYTES, PhotoId};
use crate::wire::WireError;

/// Longest message, in bytes: a piece and what stands around it.
const FRAME_LEN_BYTES_MAX: usize = PIECE_LEN_BYTES + 256;

/// One message about photos.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PhotoFrame {
    /// The sender has this photo: the receiver wants it, has it, or refuses it.
    Offer(PhotoId),
    /// The sender wants the photo, from this piece on.
    Want(PhotoId, u32),
    /// The next piece of the photo that the receiver wants.
    Piece(Vec<u8>),
    /// The photo that the receiver wants is not here, or not any more.
    Lack(PhotoId),
    /// The photo is durable at the sender.
    Got(PhotoId),
    /// The sender does not take the photo that was offered.
    Refuse(PhotoId),
}

impl PhotoFrame {
    /// The message as it travels: its length (4 bytes, little-endian) and postcard.
    pub fn encode(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(self).unwrap_or_default();
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        [&len.to_le_bytes()[..], &body].concat()
    }
}

/// Cuts a stream of bytes into messages.
#[derive(Default, Debug)]
pub struct PhotoFrames {
    bytes: Vec<u8>,
}

impl PhotoFrames {
    /// Takes in what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// [`WireError`] for one that is too long or damaged: the stream is of no use after that.
    pub fn next_frame(&mut self) -> Result<Option<PhotoFrame>, WireError> {
        const WHAT: &str = "a message about photos";
        let Some(len) = self.bytes.first_chunk().map(|len| u32::from_le_bytes(*len) as usize) else {
            return Ok(None);
        };
        if len > FRAME_LEN_BYTES_MAX {
            return Err(WireError::Limit { what: WHAT, found: len as u64, max: FRAME_LEN_BYTES_MAX as u64 });
        }
        let Some(body) = self.bytes.get(4..4 + len) else { return Ok(None) };
        let frame = match postcard::take_from_bytes(body) {
            Ok((frame, [])) => frame,
            _ => return Err(WireError::Unsound { what: WHAT }),
        };
        self.bytes.drain(..4 + len);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DocId, Hash, Scope};

    #[test]
    fn messages_about_photos_keep_their_bytes_and_their_limits() {
        let id = PhotoId { scope: Scope::Grid("1".into()), doc: DocId([2; 16]), hash: Hash([3; 32]) };
        let frames = [
            PhotoFrame::Offer(id.clone()),
            PhotoFrame::Want(id.clone(), 300),
            PhotoFrame::Piece(vec![7; PIECE_LEN_BYTES]),
            PhotoFrame::Lack(id.clone()),
            PhotoFrame::Got(id.clone()),
            PhotoFrame::Refuse(id),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(PhotoFrame::encode).collect();
        // Golden: changes only on purpose.
        let golden = "5045248099581239";
        let mut buffer = PhotoFrames::default();
        let mut read = Vec::new();
        for chunk in bytes.chunks(1000) {
            buffer.push(chunk);
            while let Some(frame) = buffer.next_frame().expect("sound") {
                read.push(frame);
            }
        }
        assert_eq!(read, frames);
        let mut huge = PhotoFrames::default();
        huge.push(&u32::MAX.to_le_bytes());
        assert!(matches!(huge.next_frame(), Err(WireError::Limit { .. })));
        let mut odd = PhotoFrames::default();
        odd.push(&[1, 0, 0, 0, 99]);
        assert!(odd.next_frame().is_err());
        assert_eq!(&blake3::hash(&bytes).to_hex()[..16], golden);
    }
}
