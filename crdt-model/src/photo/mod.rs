//! Photos (照片) of records: evidence that stands beside the documents, not in them. An event names a photo by
//! hash, length and form; the picture itself travels after the records, in pieces, and lies in a file of its own.

mod clean;
mod frame;

use serde_json::{Map, Value, json};

pub use clean::{NotAPhoto, clean};
pub use frame::{PhotoFrame, PhotoFrames};

use crate::document::{DocumentView, Scalar};
use crate::identity::{DocId, Hash, Scope};

/// Longest photo, in bytes: a phone's camera at full size. Smaller ones arrive sooner.
pub const PHOTO_LEN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most photos of one record; what names more of them is not followed.
pub const PHOTOS_OF_RECORD_MAX: usize = 32;
/// Photos that one event may name.
pub const PHOTOS_OF_EVENT_MAX: usize = 9;
/// Length of all pieces of a photo but the last, in bytes.
pub const PIECE_LEN_BYTES: usize = 64 * 1024;
/// The member of an event that names photos.
pub const PHOTOS: &str = "photos";

/// What a picture is encoded in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub enum PhotoForm {
    /// JPEG (ITU T.81).
    Jpeg,
    /// PNG (ISO 15948).
    Png,
    /// WebP (RFC 9649).
    Webp,
}

impl PhotoForm {
    /// The form of these bytes by how they begin, `None` if they are none of the three.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    /// Its name, which is also how a file's name ends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }

    /// The form of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png, Self::Webp].into_iter().find(|form| form.name() == name)
    }
}

/// How an event names a photo.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PhotoRef {
    /// BLAKE3 of the picture.
    pub hash: Hash,
    /// Its length, in bytes.
    pub len_bytes: usize,
    /// Its form.
    pub form: PhotoForm,
}

impl PhotoRef {
    /// The reference of a picture, `None` if it is none or too long.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let form = PhotoForm::of(bytes).filter(|_| bytes.len() <= PHOTO_LEN_BYTES_MAX)?;
        Some(Self { hash: Hash(*blake3::hash(bytes).as_bytes()), len_bytes: bytes.len(), form })
    }

    /// How many pieces it travels in.
    pub fn pieces(&self) -> usize {
        self.len_bytes.div_ceil(PIECE_LEN_BYTES)
    }

    /// Length of one of its pieces, in bytes.
    pub fn piece_len_bytes(&self, at: usize) -> usize {
        self.len_bytes.saturating_sub(at * PIECE_LEN_BYTES).min(PIECE_LEN_BYTES)
    }

    /// As a member of an event.
    pub fn to_json(&self) -> Value {
        json!({ "hash": self.hash.to_string(), "bytes": self.len_bytes, "form": self.form.name() })
    }

    /// Reads it back; `None` if it is not one, or one that is longer than photos may be.
    pub fn of_json(value: &Value) -> Option<Self> {
        let len_bytes = usize::try_from(value.get("bytes")?.as_u64()?).ok()?;
        Some(Self {
            hash: value.get("hash")?.as_str()?.parse().ok()?,
            len_bytes: Some(len_bytes).filter(|len| (1..=PHOTO_LEN_BYTES_MAX).contains(len))?,
            form: PhotoForm::named(value.get("form")?.as_str()?)?,
        })
    }
}

/// One photo of one record. The same picture beside another record is another photo: it goes with its record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub struct PhotoId {
    /// Where the record lives.
    pub scope: Scope,
    /// The record.
    pub doc: DocId,
    /// The picture.
    pub hash: Hash,
}

/// The photos that an event names; what cannot be read, or is too much, is left out.
pub fn of_event(value: &Scalar) -> Vec<PhotoRef> {
    // Nearly no event names any, and reading JSON costs more than looking.
    let Some(text) = value.as_str().filter(|text| text.contains("\"photos\"")) else { return Vec::new() };
    let Ok(Value::Object(event)) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let named = event.get(PHOTOS).and_then(Value::as_array).into_iter().flatten();
    named.take(PHOTOS_OF_EVENT_MAX).filter_map(PhotoRef::of_json).collect()
}

/// The photos that a record's events name, each once, in the order of its history.
pub fn of_record(view: &DocumentView) -> Vec<PhotoRef> {
    let mut photos: Vec<PhotoRef> = Vec::new();
    for photo in view.histories.values().flatten().flat_map(|event| of_event(&event.value)) {
        if photos.len() < PHOTOS_OF_RECORD_MAX && photos.iter().all(|known| known.hash != photo.hash) {
            photos.push(photo);
        }
    }
    photos
}

/// Whether nobody but `worker` added a photo to a record, and he did.
pub fn is_of(view: &DocumentView, hash: &Hash, worker: &DocId) -> bool {
    let names = |value: &Scalar| of_event(value).iter().any(|photo| photo.hash == *hash);
    let mut naming = view.histories.values().flatten().filter(|event| names(&event.value)).peekable();
    naming.peek().is_some() && naming.all(|event| event.worker == *worker)
}

/// Adds photos to an event.
pub fn put(event: &mut Map<String, Value>, photos: &[PhotoRef]) {
    if !photos.is_empty() {
        event.insert(PHOTOS.to_owned(), photos.iter().map(PhotoRef::to_json).collect());
    }
}

/// Whether a record speaks of a document: its photos may show whom that describes.
pub fn speaks_of(view: &DocumentView, doc: &DocId) -> bool {
    let name = doc.to_string();
    let mut keys = view.sets.values().flat_map(|set| set.keys());
    let fields = view.fields.values().chain(view.sets.values().flat_map(|set| set.values()));
    let mut values = fields.flat_map(|register| register.claims().map(|claim| &claim.value));
    let mut events = view.histories.values().flatten().map(|event| &event.value);
    let says = |value: &Scalar| value.as_str().is_some_and(|text| text.contains(&name));
    view.id == *doc || keys.any(|key| key.contains(&name)) || values.any(says) || events.any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_photos_and_what_is_no_photo_is_left_out() {
        let photo = PhotoRef { hash: Hash([7; 32]), len_bytes: PIECE_LEN_BYTES + 1, form: PhotoForm::Png };
        assert_eq!(
            (photo.pieces(), photo.piece_len_bytes(0), photo.piece_len_bytes(1)),
            (2, PIECE_LEN_BYTES, 1)
        );
        let mut event = Map::new();
        put(&mut event, std::slice::from_ref(&photo));
        let text = |event: &Map<String, Value>| Scalar::Str(Value::Object(event.clone()).to_string());
        assert_eq!(of_event(&text(&event)), vec![photo.clone()]);
        let mut huge = photo.to_json();
        huge["bytes"] = (PHOTO_LEN_BYTES_MAX + 1).into();
        let mut odd = photo.to_json();
        odd["hash"] = "../../etc/passwd".into();
        event.insert(PHOTOS.to_owned(), vec![huge, odd, Value::Null, photo.to_json()].into());
        assert_eq!(of_event(&text(&event)), vec![photo.clone()]);
        event.insert(PHOTOS.to_owned(), vec![photo.to_json(); 100].into());
        assert_eq!(of_event(&text(&event)).len(), PHOTOS_OF_EVENT_MAX);
    }
}
