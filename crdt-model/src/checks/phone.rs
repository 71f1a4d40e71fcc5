//! Telephone numbers (联系电话): mainland mobiles and landlines.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

use super::text;

/// A number of known shape: `13800000001`, `0570-4012345`, `0570-4012345-801`, `4012345`.
///
/// `Debug` masks it, as for ID numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

/// Why a text is not a telephone number. What was found is masked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PhoneError {
    /// Nothing was given.
    #[error("no phone number")]
    Missing,
    /// Neither a mobile nor a landline.
    #[error("{masked} is neither a mobile nor a landline number")]
    Format {
        /// What was found, masked.
        masked: String,
        /// How many digits it has.
        digits: usize,
    },
}

impl PhoneError {
    /// The stable code of this finding.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "phone-missing",
            Self::Format { .. } => "phone-format",
        }
    }
}

impl Phone {
    /// Reads a number as people type it: full-width digits, blanks, dashes, `+86`.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let compact = text::compact(text);
        if compact.is_empty() {
            return Err(PhoneError::Missing);
        }
        mobile(&compact).or_else(|| landline(&compact)).map(Self).ok_or_else(|| PhoneError::Format {
            masked: mask(&compact),
            digits: compact.chars().filter(char::is_ascii_digit).count(),
        })
    }

    /// Whether it is an 11-digit mobile number.
    #[must_use]
    pub fn is_mobile(&self) -> bool {
        mobile(&self.0).is_some()
    }

    /// The number in full.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number as lists show it, e.g. `138****0000`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(&self.0)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.masked())
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

impl TryFrom<String> for Phone {
    type Error = PhoneError;

    fn try_from(text: String) -> Result<Self, PhoneError> {
        Self::parse(&text)
    }
}

/// The number as lists show it, valid or not: `138****0000`.
///
/// Eleven characters keep three and four; anything else keeps its last two, and only if as
/// many again stay hidden.
#[must_use]
pub fn mask(text: &str) -> String {
    let chars: Vec<char> = text::compact(text).chars().collect();
    let part = |range: &[char]| range.iter().collect::<String>();
    match chars.len() {
        0..=3 => "*".repeat(chars.len()),
        11 => format!("{}****{}", part(&chars[..3]), part(&chars[7..])),
        len if len > 11 => format!("{}****{}", part(&chars[..4]), part(&chars[len - 2..])),
        len => format!("****{}", part(&chars[len - 2..])),
    }
}

fn mobile(compact: &str) -> Option<String> {
    let bare = compact.strip_prefix("+86").or_else(|| compact.strip_prefix("0086")).unwrap_or(compact);
    let digits: String = bare.chars().filter(|c| !is_separator(*c)).collect();
    let digits = match digits.strip_prefix("86") {
        Some(rest) if digits.len() == 13 => rest.to_owned(),
        _ => digits,
    };
    let bytes = digits.as_bytes();
    let is_mobile =
        bytes.len() == 11 && bytes.iter().all(u8::is_ascii_digit) && bytes[0] == b'1' && bytes[1] >= b'3';
    is_mobile.then_some(digits)
}

/// A landline with or without its area code and extension.
fn landline(compact: &str) -> Option<String> {
    let (trunk, extension) = split_extension(compact);
    let bare = trunk.strip_prefix("+86").or_else(|| trunk.strip_prefix("0086"));
    let mut digits: String = bare.unwrap_or(trunk).chars().filter(|c| !is_separator(*c)).collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Abroad one dials +86 570 ..., without the trunk zero.
    if bare.is_some() && !digits.starts_with('0') {
        digits.insert(0, '0');
    }
    let area_len = match digits.as_bytes() {
        [b'0', b'1' | b'2', ..] => 3,
        [b'0', b'3'..=b'9', ..] => 4,
        _ => 0,
    };
    let (area, local) = digits.split_at_checked(area_len)?;
    let service =
        area.is_empty() && local.len() == 10 && (local.starts_with("400") || local.starts_with("800"));
    let subscriber = matches!(local.len(), 7 | 8) && !local.starts_with(['0', '1']);
    if !service && !subscriber {
        return None;
    }
    let parts = [area, local, extension.unwrap_or_default()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Some(parts.join("-"))
}

/// Splits `...转801`, `...x801` or a third dashed group off a landline.
fn split_extension(compact: &str) -> (&str, Option<&str>) {
    let split = compact.split_once('转').or_else(|| compact.split_once(['x', 'X'])).or_else(|| {
        let (trunk, last) = compact.rsplit_once('-')?;
        let digits = trunk.chars().filter(char::is_ascii_digit).count();
        (trunk.contains('-') && digits >= 10).then_some((trunk, last))
    });
    match split {
        Some((trunk, extension))
            if (1..=6).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_digit()) =>
        {
            (trunk, Some(extension))
        }
        _ => (compact, None),
    }
}

/// Characters that group digits: every dash an input method offers, brackets, dots.
fn is_separator(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}' | '(' | ')' | '.' | '·')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expect: Result<&str, &str>) {
        let found = Phone::parse(input);
        let found = found.as_ref().map(Phone::as_str);
        assert_eq!(found.map_err(PhoneError::code), expect, "{input:?}");
    }

    #[test]
    fn mobiles_as_people_type_them_are_normalised() {
        for typed in [
            "13800000001",
            " \u{3000}１３８０００００００１\t",
            "138 0000 0001",
            "138-0000-0001",
            "+86 13800000001",
            "+86-138-0000-0001",
            "008613800000001",
            "8613800000001",
        ] {
            check(typed, Ok("13800000001"));
        }
    }

    #[test]
    fn landlines_keep_area_and_extension_apart() {
        check("0570-4012345", Ok("0570-4012345"));
        check("(0570)4012345", Ok("0570-4012345"));
        check("05704012345", Ok("0570-4012345"));
        check("010—88886666", Ok("010-88886666"));
        check("0570-4012345-801", Ok("0570-4012345-801"));
        check("0570 4012345 转 801", Ok("0570-4012345-801"));
        check("+86 570 4012345", Ok("0570-4012345"));
        check("4012345", Ok("4012345"));
        check("400-123-4567", Ok("4001234567"));
    }

    #[test]
    fn other_texts_are_refused() {
        check("", Err("phone-missing"));
        check("1380000000", Err("phone-format"));
        check("138000000011", Err("phone-format"));
        check("12800000001", Err("phone-format"));
        check("13800000001/13800000002", Err("phone-format"));
        check("无", Err("phone-format"));
        check("1380000000l", Err("phone-format"));
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form() {
        for typed in ["+86 138-0000-0001", "(0570)4012345转801", "4012345", "400 123 4567"] {
            let once = Phone::parse(typed).unwrap();
            assert_eq!(Phone::parse(once.as_str()), Ok(once));
        }
    }

    #[test]
    fn masks_hide_the_middle() {
        assert_eq!(mask("13800000000"), "138****0000");
        assert_eq!(Phone::parse("138 1234 0000").unwrap().masked(), "138****0000");
        assert_eq!(mask("0570-4012345"), "0570****45");
        assert_eq!(mask("4012345"), "****45");
        assert_eq!(mask("110"), "***");
        let phone = Phone::parse("13812345678").unwrap();
        assert!(!format!("{phone:?}").contains("12345"));
    }
}
