//! Citizen identification numbers (公民身份号码).
//!
//! Source: GB 11643-1999: six digits of a division, eight of the birth date, three of a
//! sequence whose last is odd for men, one check character.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::date::Date;
use super::messages::CheckError;
use super::sex::Sex;
use super::text;

/// Characters in a number.
pub const ID_NUMBER_LEN: usize = 18;

/// Earliest birth year believed: older than any living person.
pub const BIRTH_YEAR_MIN: u16 = 1880;

/// Latest birth year believed without knowing today's date; [`IdNumber::parse_as_of`] is
/// stricter.
pub const BIRTH_YEAR_MAX: u16 = 2099;

/// A valid citizen identification number, normalised.
///
/// `Debug` masks it: a number must not reach a log by accident. There is no `Display`; a caller
/// chooses between [`IdNumber::as_str`] and [`IdNumber::masked`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdNumber(String);

/// Why a text is not a citizen identification number. What was found is masked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdNumberError {
    /// Nothing was given.
    #[error("no ID number")]
    Missing,
    /// Something other than digits and a final X.
    #[error("ID number {masked} holds {unexpected:?}")]
    Characters {
        /// What was found, masked.
        masked: String,
        /// The first character that cannot stand where it does.
        unexpected: char,
    },
    /// Not 18 characters; 15 are a number from before 1999.
    #[error("ID number {masked} has {len} characters, not 18")]
    Length {
        /// What was found, masked.
        masked: String,
        /// How many characters were found.
        len: usize,
    },
    /// The last character does not follow from the other 17.
    #[error("ID number {masked} fails its check digit")]
    CheckDigit {
        /// What was found, masked.
        masked: String,
    },
    /// The eight digits of the birth date are no date, or none a living person can have.
    #[error("ID number {masked} has an impossible birth date")]
    BirthDate {
        /// What was found, masked.
        masked: String,
    },
}

impl IdNumberError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "id-missing",
            Self::Characters { .. } => "id-characters",
            Self::Length { .. } => "id-length",
            Self::CheckDigit { .. } => "id-check-digit",
            Self::BirthDate { .. } => "id-birth-date",
        }
    }
}

impl IdNumber {
    /// Reads a number as people type it: full-width digits, blanks, a small x.
    pub fn parse(text: &str) -> Result<Self, IdNumberError> {
        let number = normalise(text);
        if number.is_empty() {
            return Err(IdNumberError::Missing);
        }
        let masked = mask(&number);
        let len = number.chars().count();
        for (index, c) in number.chars().enumerate() {
            let fits = c.is_ascii_digit() || c == 'X' && index + 1 == len;
            if !fits {
                return Err(IdNumberError::Characters { masked, unexpected: c });
            }
        }
        if len != ID_NUMBER_LEN {
            return Err(IdNumberError::Length { masked, len });
        }
        if check_character(&number) != number.chars().last() {
            return Err(IdNumberError::CheckDigit { masked });
        }
        match birth_date_of(&number) {
            Some(date) if (BIRTH_YEAR_MIN..=BIRTH_YEAR_MAX).contains(&date.year()) => Ok(Self(number)),
            _ => Err(IdNumberError::BirthDate { masked }),
        }
    }

    /// Like [`IdNumber::parse`], and refuses births after `today`.
    ///
    /// For callers whose clock can be trusted; an import on a machine that lost its clock uses
    /// `parse`.
    pub fn parse_as_of(text: &str, today: Date) -> Result<Self, IdNumberError> {
        let number = Self::parse(text)?;
        if birth_date_of(&number.0).is_some_and(|born| born > today) {
            return Err(IdNumberError::BirthDate { masked: number.masked() });
        }
        Ok(number)
    }

    /// Year, month and day of birth.
    #[must_use]
    pub fn birth_date(&self) -> (u16, u8, u8) {
        let digits = |range| number_in(&self.0, range).unwrap_or_default();
        (digits(6..10), digits(10..12) as u8, digits(12..14) as u8)
    }

    /// The sex that the sequence number's parity states.
    #[must_use]
    pub fn sex(&self) -> Sex {
        if self.0.as_bytes()[16] % 2 == 1 { Sex::Male } else { Sex::Female }
    }

    /// All 18 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number as lists show it, e.g. `990101********0019`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(&self.0)
    }
}

impl fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdNumber({})", self.masked())
    }
}

impl From<IdNumber> for String {
    fn from(number: IdNumber) -> Self {
        number.0
    }
}

impl TryFrom<String> for IdNumber {
    type Error = IdNumberError;

    fn try_from(text: String) -> Result<Self, IdNumberError> {
        Self::parse(&text)
    }
}

/// Refuses a stated sex that the number contradicts. 未知 and 未说明 contradict nothing.
pub fn agree_on_sex(number: &IdNumber, stated: Sex) -> Result<(), CheckError> {
    match stated {
        Sex::Male | Sex::Female if stated != number.sex() => {
            Err(CheckError::sex_disagrees(stated, number.sex(), &number.masked()))
        }
        _ => Ok(()),
    }
}

/// Half-width, without blanks or the apostrophe that marks text in Excel, upper case.
#[must_use]
pub fn normalise(text: &str) -> String {
    let compact = text::compact(text);
    let number = compact.trim_start_matches(['\'', '\u{2018}', '\u{2019}', '`']);
    number.to_ascii_uppercase()
}

/// The number as lists show it, whether valid or not: `990101********0019`.
///
/// Text too short to be a number keeps fewer characters, never more than half.
#[must_use]
pub fn mask(text: &str) -> String {
    let chars: Vec<char> = normalise(text).chars().collect();
    let (head, tail) = match chars.len() {
        0..=3 => (0, 0),
        4..=9 => (1, 1),
        10..=14 => (3, 2),
        15..=18 => (6, 4),
        _ => (6, 0),
    };
    let hidden = chars.len() - head - tail;
    let stars = "*".repeat(hidden.min(ID_NUMBER_LEN));
    let head: String = chars[..head].iter().collect();
    let tail: String = chars[chars.len() - tail..].iter().collect();
    format!("{head}{stars}{tail}")
}

/// The check character that follows from the first 17 digits; `None` if they are not digits.
#[must_use]
pub fn check_character(number: &str) -> Option<char> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let mut sum = 0;
    let mut digits = number.chars();
    for weight in WEIGHTS {
        sum += digits.next()?.to_digit(10)? * weight;
    }
    Some(char::from(CHECKS[sum as usize % CHECKS.len()]))
}

fn birth_date_of(number: &str) -> Option<Date> {
    let month = number_in(number, 10..12)? as u8;
    let day = number_in(number, 12..14)? as u8;
    Date::new(number_in(number, 6..10)?, month, day).ok()
}

fn number_in(number: &str, range: std::ops::Range<usize>) -> Option<u16> {
    number.get(range)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expect: Result<&str, &str>) {
        let found = IdNumber::parse(input);
        let found = found.as_ref().map(IdNumber::as_str);
        assert_eq!(found.map_err(IdNumberError::code), expect, "for {}", mask(input));
    }

    #[test]
    fn the_standards_own_example_is_valid() {
        check("11010519491231002X", Ok("11010519491231002X"));
        check("990101199001010019", Ok("990101199001010019"));
    }

    #[test]
    fn numbers_as_people_type_them_are_normalised() {
        check("  １１０１０５１９４９１２３１００２ｘ ", Ok("11010519491231002X"));
        check("110105 19491231 002x", Ok("11010519491231002X"));
        check("'110105\u{A0}19491231002X\u{200B}", Ok("11010519491231002X"));
    }

    #[test]
    fn a_number_of_another_length_is_refused_as_such() {
        check("130503670401001", Err("id-length"));
        check("9901011987112266", Err("id-length"));
        check("9901011990010100199", Err("id-length"));
        check("9901011990010100X", Err("id-length"));
        check(" \u{3000}", Err("id-missing"));
    }

    #[test]
    fn characters_that_cannot_stand_there_are_refused() {
        check("11010519491231O02X", Err("id-characters"));
        check("1101051949X2310021", Err("id-characters"));
        check("E12345678", Err("id-characters"));
        check("同上", Err("id-characters"));
    }

    #[test]
    fn every_wrong_check_digit_is_refused() {
        for wrong in "0123456789".chars() {
            check(&format!("11010519491231002{wrong}"), Err("id-check-digit"));
        }
    }

    #[test]
    fn an_impossible_birth_date_with_a_right_check_digit_is_refused() {
        for birth in ["19900230", "19901301", "19900100", "18000101", "21000101", "00000000"] {
            let body = format!("990101{birth}001");
            let number = format!("{body}{}", check_character(&body).unwrap());
            check(&number, Err("id-birth-date"));
        }
        let body = "99010120000229001";
        let leap = format!("{body}{}", check_character(body).unwrap());
        check(&leap, Ok(&leap));
    }

    #[test]
    fn births_after_today_are_refused_when_today_is_known() {
        let day_before = Date::new(1989, 12, 31).unwrap();
        let same_day = Date::new(1990, 1, 1).unwrap();
        let refused = IdNumber::parse_as_of("990101199001010019", day_before).unwrap_err();
        assert_eq!(refused.code(), "id-birth-date");
        IdNumber::parse_as_of("990101199001010019", same_day).unwrap();
    }

    #[test]
    fn birth_date_and_sex_are_read_from_the_number() {
        let man = IdNumber::parse("990101199001010019").unwrap();
        assert_eq!(man.birth_date(), (1990, 1, 1));
        assert_eq!(man.sex(), Sex::Male);
        let woman = IdNumber::parse("11010519491231002X").unwrap();
        assert_eq!(woman.birth_date(), (1949, 12, 31));
        assert_eq!(woman.sex(), Sex::Female);
    }

    #[test]
    fn only_a_stated_sex_can_disagree() {
        let man = IdNumber::parse("990101199001010019").unwrap();
        assert_eq!(agree_on_sex(&man, Sex::Male), Ok(()));
        assert_eq!(agree_on_sex(&man, Sex::Unknown), Ok(()));
        assert_eq!(agree_on_sex(&man, Sex::Unstated), Ok(()));
        let refused = agree_on_sex(&man, Sex::Female).unwrap_err();
        assert_eq!(refused.code, "sex-disagrees-with-id");
    }

    #[test]
    fn masks_show_division_and_tail_only() {
        assert_eq!(mask("990101199001010019"), "990101********0019");
        assert_eq!(mask("130503670401001"), "130503*****1001");
        assert_eq!(mask("123"), "***");
        for len in 0..40 {
            let shown = mask(&"7".repeat(len)).matches('7').count();
            assert!(shown <= 10 && (len < 12 || len - shown >= 5), "{len}");
        }
    }

    #[test]
    fn neither_debug_nor_errors_show_a_number() {
        let number = IdNumber::parse("990101199001010019").unwrap();
        assert_eq!(format!("{number:?}"), "IdNumber(990101********0019)");
        for wrong in ["990101199001010018", "99010119900101001", "99010119900101001A", "990101199013010019"] {
            let error = IdNumber::parse(wrong).unwrap_err();
            let said = format!("{error} {error:?} {}", CheckError::from(error.clone()));
            assert!(!said.contains("19900101") && !said.contains(wrong), "{said}");
        }
    }
}
