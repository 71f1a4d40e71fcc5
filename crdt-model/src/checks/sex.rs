//! Sex codes (性别).
//!
//! Source: GB/T 2261.1-2003.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text;

/// The four codes of the standard; serialised as the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sex {
    /// 0 未知的性别.
    #[serde(rename = "0")]
    Unknown,
    /// 1 男性.
    #[serde(rename = "1")]
    Male,
    /// 2 女性.
    #[serde(rename = "2")]
    Female,
    /// 9 未说明的性别.
    #[serde(rename = "9")]
    Unstated,
}

/// A text that names no sex of the standard.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{found:?} names no sex of GB/T 2261.1")]
pub struct SexError {
    /// What was found, normalised.
    pub found: String,
}

impl SexError {
    /// The stable code of this finding.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "sex-unreadable"
    }
}

impl Sex {
    /// Reads a code or a word.
    pub fn parse(text: &str) -> Result<Self, SexError> {
        let word = text::compact(text).to_ascii_lowercase();
        match word.as_str() {
            "1" | "01" | "男" | "男性" | "m" | "male" => Ok(Self::Male),
            "2" | "02" | "女" | "女性" | "f" | "female" => Ok(Self::Female),
            "0" | "00" | "未知" | "未知的性别" | "不详" | "不明" | "unknown" => Ok(Self::Unknown),
            "9" | "09" | "未说明" | "未说明的性别" | "未填" | "unstated" => Ok(Self::Unstated),
            _ => Err(SexError { found: text::free_text(text) }),
        }
    }

    /// The code of the standard.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "0",
            Self::Male => "1",
            Self::Female => "2",
            Self::Unstated => "9",
        }
    }

    /// The word that ledgers use.
    #[must_use]
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::Unknown => "未知",
            Self::Male => "男",
            Self::Female => "女",
            Self::Unstated => "未说明",
        }
    }

    /// The word in English.
    #[must_use]
    pub fn name_en(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Male => "male",
            Self::Female => "female",
            Self::Unstated => "unstated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_codes_name_the_same_sex() {
        for (sex, words) in [
            (Sex::Male, ["男", " 男 性", "1", "Ｍ"]),
            (Sex::Female, ["女", "女性", "２", "Female"]),
            (Sex::Unknown, ["未知", "未知的性别", "0", "不详"]),
            (Sex::Unstated, ["未说明", "未说明的性别", "9", "未填"]),
        ] {
            for word in words {
                assert_eq!(Sex::parse(word), Ok(sex), "{word:?}");
            }
            assert_eq!(Sex::parse(sex.code()), Ok(sex));
            assert_eq!(Sex::parse(sex.name_zh()), Ok(sex));
            assert_eq!(Sex::parse(sex.name_en()), Ok(sex));
        }
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "难", "3", "男女"] {
            assert_eq!(Sex::parse(word).unwrap_err().code(), "sex-unreadable");
        }
    }
}
