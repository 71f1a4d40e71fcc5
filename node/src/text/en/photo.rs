//! Photos.

use super::super::PhotoText;
use crate::replica::photos::PhotoState;

pub(super) fn say(text: &PhotoText<'_>) -> String {
    match *text {
        PhotoText::Unreadable { path, reason } => {
            format!("the photo {path} cannot be read ({reason}): nothing was saved")
        }
        PhotoText::NoFile { path } => format!("{path} is no file: nothing was saved"),
        PhotoText::Empty { path } => format!("the photo {path} is empty: nothing was saved"),
        PhotoText::NoPhoto { path } => {
            format!("{path} is no photo (JPEG, PNG, WebP): nothing was saved")
        }
        PhotoText::Damaged { path } => format!("the photo {path} is damaged or cut off: nothing was saved"),
        PhotoText::TooLong { path, mib, mib_max } => {
            format!("the photo {path} has {mib} MB, at most {mib_max} are kept: shrink it; nothing was saved")
        }
        PhotoText::TooMany { count, max } => {
            format!("{count} photos are too many, at most {max} are kept: nothing was saved")
        }
        PhotoText::OfErased => {
            "the record speaks of a resident who was erased: no photos are added".to_owned()
        }
        PhotoText::NotOfRegisters => {
            "people and places have no photos: add them to a case, a hazard, a patrol, an inspection"
                .to_owned()
        }
        PhotoText::Added { count } => format!("saved {count} photos, without where they were taken"),
        PhotoText::Waiting { unsent, missing } => format!("photos to send: {unsent}; to come: {missing}"),
        PhotoText::Line { number, form, kib, state } => {
            let state = match state {
                PhotoState::Missing => "not here yet",
                PhotoState::Here => "saved here, to be sent",
                PhotoState::Centre => "at the centre",
                PhotoState::Gone => "removed, or destroyed by an order of erasure",
            };
            format!("{number}. {form} {kib} KiB, {state}")
        }
        PhotoText::Of { count } => format!("photos: {count}"),
        PhotoText::None => "no photos".to_owned(),
        PhotoText::NumberUnknown { number, count } => {
            format!("there is no photo {number}: the record has {count}")
        }
        PhotoText::Gone => {
            "the photo was removed from the record, or destroyed by an order of erasure".to_owned()
        }
        PhotoText::NotHere => "the photo has not come yet: sync first (wangge sync)".to_owned(),
        PhotoText::Exists { path } => format!("{path} exists already: choose another name"),
        PhotoText::Unwritable { path, reason } => format!("{path} cannot be written: {reason}"),
        PhotoText::Removed { number } => {
            format!(
                "photo {number} is removed: every device destroys it once the centre has accepted that; a note stays in the record"
            )
        }
        PhotoText::Saved { path } => format!("the photo is in {path}"),
    }
}
