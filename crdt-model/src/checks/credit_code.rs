//! Unified social credit codes (统一社会信用代码).
//!
//! Source: GB 32100-2015. Early pilot codes fail the check character and are legal, so a code
//! is refused only for its shape; [`CreditCode::warning`] speaks of the check.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::messages::CheckError;
use super::text;

/// Characters in a code.
pub const CREDIT_CODE_LEN: usize = 18;

/// The 31 characters of a code, in the order of their values: no I, O, S, V, Z.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// A code of the right shape, normalised. Whether its check character holds is asked apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CreditCode(String);

/// Why a text does not have the shape of a code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CreditCodeError {
    /// Nothing was given.
    #[error("no credit code")]
    Missing,
    /// A character outside the code's alphabet.
    #[error("credit code {found:?} holds {unexpected:?}")]
    Characters {
        /// The code, normalised.
        found: String,
        /// The first character outside the alphabet.
        unexpected: char,
    },
    /// Not 18 characters; 15 digits are an old business licence number.
    #[error("credit code {found:?} has {len} characters, not 18")]
    Length {
        /// The code, normalised.
        found: String,
        /// How many characters were found.
        len: usize,
    },
}

impl CreditCodeError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "credit-code-missing",
            Self::Characters { .. } => "credit-code-characters",
            Self::Length { .. } => "credit-code-length",
        }
    }
}

impl CreditCode {
    /// Reads a code as people type it: full-width characters, blanks, small letters.
    pub fn parse(text: &str) -> Result<Self, CreditCodeError> {
        let found = text::compact(text).trim_start_matches('\'').to_ascii_uppercase();
        if found.is_empty() {
            return Err(CreditCodeError::Missing);
        }
        if let Some(unexpected) = found.chars().find(|c| !ALPHABET.contains(*c)) {
            return Err(CreditCodeError::Characters { found, unexpected });
        }
        let len = found.chars().count();
        if len != CREDIT_CODE_LEN {
            return Err(CreditCodeError::Length { found, len });
        }
        Ok(Self(found))
    }

    /// Whether the last character follows from the other 17.
    #[must_use]
    pub fn check_holds(&self) -> bool {
        check_character(&self.0) == self.0.chars().last()
    }

    /// What to tell whoever typed a code whose check character does not hold.
    #[must_use]
    pub fn warning(&self) -> Option<CheckError> {
        (!self.check_holds()).then(|| CheckError::credit_code_check(&self.0))
    }

    /// All 18 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<CreditCode> for String {
    fn from(code: CreditCode) -> Self {
        code.0
    }
}

impl TryFrom<String> for CreditCode {
    type Error = CreditCodeError;

    fn try_from(text: String) -> Result<Self, CreditCodeError> {
        Self::parse(&text)
    }
}

/// The check character that follows from the first 17; `None` outside the alphabet.
#[must_use]
pub fn check_character(code: &str) -> Option<char> {
    let mut sum = 0;
    let mut weight = 1;
    let mut chars = code.chars();
    for _ in 1..CREDIT_CODE_LEN {
        sum += ALPHABET.find(chars.next()?)? * weight % 31;
        weight = weight * 3 % 31;
    }
    ALPHABET.chars().nth((31 - sum % 31) % 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expect: Result<&str, &str>) {
        let found = CreditCode::parse(input);
        let found = found.as_ref().map(CreditCode::as_str);
        assert_eq!(found.map_err(CreditCodeError::code), expect, "{input:?}");
    }

    #[test]
    fn the_standards_own_example_holds() {
        let code = CreditCode::parse("91350100M000100Y43").unwrap();
        assert!(code.check_holds());
        assert_eq!(code.warning(), None);
    }

    #[test]
    fn a_wrong_check_character_only_warns() {
        for wrong in ALPHABET.chars().filter(|c| *c != '3') {
            let code = CreditCode::parse(&format!("91350100M000100Y4{wrong}")).unwrap();
            let warning = code.warning().expect("the check does not hold");
            assert_eq!(warning.code, "credit-code-check");
        }
    }

    #[test]
    fn codes_as_people_type_them_are_normalised() {
        check(" ９１３５０１００m000100y43 ", Ok("91350100M000100Y43"));
        check("91350100 M000100Y4 3", Ok("91350100M000100Y43"));
    }

    #[test]
    fn other_shapes_are_refused() {
        check("", Err("credit-code-missing"));
        check("330881000012345", Err("credit-code-length"));
        check("91350100M000100Y430", Err("credit-code-length"));
        check("9135O100M000100Y43", Err("credit-code-characters"));
        check("无", Err("credit-code-characters"));
    }
}
