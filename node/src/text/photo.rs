//! What is said about photos.

use crate::replica::photos::PhotoState;

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum PhotoText<'a> {
    Unreadable { path: &'a str, reason: &'a str },
    NoFile { path: &'a str },
    Empty { path: &'a str },
    NoPhoto { path: &'a str },
    Damaged { path: &'a str },
    TooLong { path: &'a str, mib: usize, mib_max: usize },
    TooMany { count: usize, max: usize },
    OfErased,
    NotOfRegisters,
    Added { count: usize },
    Waiting { unsent: u64, missing: u64 },
    Line { number: usize, form: &'a str, kib: usize, state: PhotoState },
    Of { count: usize },
    None,
    NumberUnknown { number: usize, count: usize },
    Gone,
    NotHere,
    Exists { path: &'a str },
    Unwritable { path: &'a str, reason: &'a str },
    Removed { number: usize },
    Saved { path: &'a str },
}
