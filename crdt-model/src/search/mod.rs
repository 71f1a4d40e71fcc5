//! Finding people and places by what a worker remembers: a part of the name, its pinyin or initials, the
//! end of a number, a phone, an address. Works on text packed for scanning; nothing is looked up elsewhere.

mod pinyin;
mod segment;

pub use pinyin::readings;
pub use segment::{Hit, Rank, Segment};

use crate::checks::text;

/// What is searched for, in its normal form: parts that all must be found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// What was typed, without blanks.
    whole: String,
    /// Its parts, if blanks separate several.
    parts: Vec<String>,
}

/// The form in which texts are compared: half-width, small letters, no blanks.
pub(crate) fn normal(typed: &str) -> String {
    text::compact(typed).to_lowercase().replace('ü', "v")
}

impl Query {
    /// Reads what was typed; `None` if that says nothing.
    pub fn parse(typed: &str) -> Option<Self> {
        let whole = normal(typed);
        if whole.is_empty() {
            return None;
        }
        let mut parts: Vec<String> = typed.split_whitespace().map(normal).filter(|p| !p.is_empty()).collect();
        if parts.len() < 2 {
            parts.clear();
        }
        Some(Self { whole, parts })
    }
}

#[cfg(test)]
mod tests;
