//! Calendar dates as ledgers hold them (登记日期).

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text;

/// Earliest year a record can speak of.
pub const YEAR_MIN: u16 = 1850;

/// Latest year a record can speak of.
pub const YEAR_MAX: u16 = 2199;

/// Smallest number without separators read as a day count of Excel (1927): shorter ones are
/// years or counts.
const SERIAL_IN_TEXT_MIN: u32 = 10_000;

/// A day of the Gregorian calendar that exists. Displays as ISO 8601 (`2026-08-10`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Why a text or number is not a date.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DateError {
    /// Nothing was given.
    #[error("no date")]
    Missing,
    /// Not one of the forms that [`Date::parse`] reads.
    #[error("{found:?} is not a date")]
    Format {
        /// What was found, normalised.
        found: String,
    },
    /// Year, month and day, but no such day, or one outside 1850 to 2199.
    #[error("{found:?} is not in the calendar")]
    Impossible {
        /// What was found, normalised.
        found: String,
    },
}

impl DateError {
    /// The stable code of this finding.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "date-missing",
            Self::Format { .. } => "date-format",
            Self::Impossible { .. } => "date-impossible",
        }
    }
}

impl Date {
    /// A day that exists, between 1850 and 2199.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, DateError> {
        let exists = (YEAR_MIN..=YEAR_MAX).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        if exists {
            Ok(Self { year, month, day })
        } else {
            Err(DateError::Impossible { found: format!("{year:04}-{month:02}-{day:02}") })
        }
    }

    /// Reads `2026-08-10`, `2026/8/10`, `2026.8.10`, `2026年8月10日`, `20260810`, each with or
    /// without a time of day, and Excel's day count `46244`.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let found = text::free_text(text);
        if found.is_empty() {
            return Err(DateError::Missing);
        }
        let format = || DateError::Format { found: found.clone() };
        let day_part = without_time(&found).ok_or_else(format)?;
        let compact: String = day_part.chars().filter(|c| *c != ' ').collect();
        if compact.bytes().all(|b| b.is_ascii_digit()) {
            return from_digits(&compact).ok_or_else(format)?;
        }
        let [year, month, day] = split_ymd(&compact).ok_or_else(format)?;
        if year.len() != 4 {
            return Err(format());
        }
        let impossible = || DateError::Impossible { found: found.clone() };
        let year = year.parse().map_err(|_| impossible())?;
        let month = month.parse().map_err(|_| impossible())?;
        let day = day.parse().map_err(|_| impossible())?;
        Self::new(year, month, day).map_err(|_| impossible())
    }

    /// Reads a number in a cell that is not formatted as a date: `46244` days, or `20260810`.
    pub fn from_number(number: f64) -> Result<Self, DateError> {
        if number.is_finite() && number.fract() == 0.0 && (1.0e7..1.0e8).contains(&number) {
            return Self::parse(&format!("{number:.0}"));
        }
        Self::from_excel_serial(number)
    }

    /// Excel's day count in its 1900 system; a time of day is dropped.
    ///
    /// Day 60 is 29 February 1900, which Excel believes in and the calendar does not.
    pub fn from_excel_serial(serial: f64) -> Result<Self, DateError> {
        let impossible = || DateError::Impossible { found: serial.to_string() };
        let days = serial.floor();
        if !(1.0..=110_000.0).contains(&days) || days == 60.0 {
            return Err(impossible());
        }
        let days_since_1900 = days as u32 - if days > 60.0 { 2 } else { 1 };
        let mut year = 1900;
        let mut rest = days_since_1900;
        while rest >= days_in_year(year) {
            rest -= days_in_year(year);
            year += 1;
        }
        let mut month = 1;
        while rest >= u32::from(days_in_month(year, month)) {
            rest -= u32::from(days_in_month(year, month));
            month += 1;
        }
        Self::new(year, month, rest as u8 + 1).map_err(|_| impossible())
    }

    /// Excel's day count in its 1900 system; `None` before 1900.
    #[must_use]
    pub fn to_excel_serial(self) -> Option<u32> {
        if self.year < 1900 {
            return None;
        }
        let years: u32 = (1900..self.year).map(days_in_year).sum();
        let months: u32 = (1..self.month).map(|month| u32::from(days_in_month(self.year, month))).sum();
        let days = years + months + u32::from(self.day);
        Some(if days >= 60 { days + 1 } else { days })
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl TryFrom<String> for Date {
    type Error = DateError;

    fn try_from(text: String) -> Result<Self, DateError> {
        Self::parse(&text)
    }
}

/// The part before a time of day; `None` if what follows the date is no time.
fn without_time(found: &str) -> Option<&str> {
    let Some(colon) = found.find(':') else {
        return Some(found.strip_suffix('T').unwrap_or(found));
    };
    let split = found[..colon].rfind([' ', 'T', '日'])?;
    let at = split + found[split..].chars().next().map_or(1, char::len_utf8);
    let time = &found[at..];
    let is_time = time.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | 'Z' | '+' | '-' | ' '));
    is_time.then(|| found[..at].trim_end_matches([' ', 'T']))
}

/// Eight digits are year, month and day; five are a day count.
fn from_digits(digits: &str) -> Option<Result<Date, DateError>> {
    match digits.len() {
        8 => {
            let impossible = || DateError::Impossible { found: digits.to_owned() };
            let year = digits[..4].parse().ok()?;
            let month = digits[4..6].parse().ok()?;
            let day = digits[6..].parse().ok()?;
            Some(Date::new(year, month, day).map_err(|_| impossible()))
        }
        5 => {
            let serial: u32 = digits.parse().ok()?;
            (serial >= SERIAL_IN_TEXT_MIN).then(|| Date::from_excel_serial(f64::from(serial)))
        }
        _ => None,
    }
}

/// Three groups of digits between separators of one kind.
fn split_ymd(compact: &str) -> Option<[&str; 3]> {
    let parts: Vec<&str> = if compact.contains('年') {
        let (year, rest) = compact.split_once('年')?;
        let (month, rest) = rest.split_once('月')?;
        let day = rest.strip_suffix(['日', '号']).unwrap_or(rest);
        vec![year, month, day]
    } else {
        let separator = ['-', '/', '.', '\u{2014}', '\u{2013}', '\\', '、']
            .into_iter()
            .find(|separator| compact.contains(*separator))?;
        compact.split(separator).collect()
    };
    let all_digits = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let parts: [&str; 3] = parts.try_into().ok()?;
    all_digits.then_some(parts)
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_in_year(year: u16) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expect: Result<&str, &str>) {
        let found = Date::parse(input).map(|date| date.to_string());
        let found = found.as_ref().map(String::as_str);
        assert_eq!(found.map_err(DateError::code), expect, "{input:?}");
    }

    #[test]
    fn every_form_in_use_is_the_same_day() {
        for typed in [
            "2026-08-10",
            "2026-8-10",
            "2026/8/10",
            "2026.8.10",
            "２０２６．０８．１０",
            "2026年8月10日",
            "2026 年 08 月 10 日",
            "2026年8月10号",
            "20260810",
            "46244",
            "2026-08-10 00:00:00",
            "2026-08-10T09:30:00.000Z",
            "2026年8月10日 9:30",
            "2026/8/10 9:30",
        ] {
            check(typed, Ok("2026-08-10"));
        }
    }

    #[test]
    fn impossible_days_are_told_apart_from_other_texts() {
        for typed in
            ["2026-02-29", "2026/13/1", "2026.4.31", "2026年0月1日", "20260230", "1026-08-10", "2026-08-999"]
        {
            check(typed, Err("date-impossible"));
        }
        for typed in [
            "2026",
            "2026-08",
            "26-8-10",
            "去年",
            "8月10日",
            "2026-08-10-11",
            "123",
            "2026-08-10 早上: 8",
            "10/8/2026",
        ] {
            check(typed, Err("date-format"));
        }
        check(" ", Err("date-missing"));
    }

    #[test]
    fn leap_days_follow_the_calendar() {
        check("2024-02-29", Ok("2024-02-29"));
        check("2000-02-29", Ok("2000-02-29"));
        check("1900-02-29", Err("date-impossible"));
    }

    #[test]
    fn excel_serials_and_dates_are_inverse() {
        for serial in (1..=109_000).filter(|serial| *serial != 60) {
            let date = Date::from_excel_serial(f64::from(serial)).unwrap();
            assert_eq!(date.to_excel_serial(), Some(serial), "{date}");
        }
        let day = |serial| Date::from_excel_serial(serial).unwrap().to_string();
        assert_eq!(day(1.0), "1900-01-01");
        assert_eq!(day(59.0), "1900-02-28");
        assert_eq!(day(61.0), "1900-03-01");
        assert_eq!(day(45_658.75), "2025-01-01");
        for wrong in [0.0, -1.0, 60.0, f64::NAN, f64::INFINITY, 1.0e9] {
            assert!(Date::from_excel_serial(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_in_cells_are_day_counts_or_eight_digits() {
        let day = |number| Date::from_number(number).map(|date| date.to_string());
        assert_eq!(day(46_244.0).unwrap(), "2026-08-10");
        assert_eq!(day(20_260_810.0).unwrap(), "2026-08-10");
        assert!(day(20_261_310.0).is_err());
    }
}
