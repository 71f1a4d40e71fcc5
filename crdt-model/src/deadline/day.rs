//! Days of Chinese standard time, which has been UTC+8 without summer time throughout.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::checks::Date;

/// Milliseconds of a day.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Chinese standard time ahead of UTC, in milliseconds.
pub const OFFSET_MS: u64 = 8 * 60 * 60 * 1000;

/// A day in Beijing, counted from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub u32);

impl Day {
    /// The day of a moment (milliseconds since 1970, UTC).
    pub fn of(ms: u64) -> Self {
        Self(u32::try_from(ms.saturating_add(OFFSET_MS) / DAY_MS).unwrap_or(u32::MAX))
    }

    /// Its midnight, milliseconds since 1970 (UTC). The first day began before that.
    pub fn start_ms(self) -> u64 {
        (u64::from(self.0) * DAY_MS).saturating_sub(OFFSET_MS)
    }

    /// The next day.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether it is a Saturday or a Sunday.
    pub fn is_weekend(self) -> bool {
        // 1970-01-01 was a Thursday.
        matches!((self.0 % 7 + 4) % 7, 0 | 6)
    }

    /// Year, month and day.
    pub fn civil(self) -> (u32, u32, u32) {
        // The civil-from-days algorithm, eras of 400 years from 0000-03-01.
        let days = u64::from(self.0) + 719_468;
        let of_era = days % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + days / 146_097 * 400 + u64::from(month <= 2);
        (year as u32, month as u32, day as u32)
    }

    /// The day of a date from 1970 on.
    pub fn from_civil(year: u32, month: u32, day: u32) -> Option<Self> {
        let date = Date::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        if year < 1970 || date.is_err() {
            return None;
        }
        let shifted_year = u64::from(if month <= 2 { year - 1 } else { year });
        let of_era = shifted_year % 400;
        let of_year = u64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
        let days =
            shifted_year / 400 * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        u32::try_from(days).ok().map(Self)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no date like 2026-10-01");
        let mut parts = text.split('-').map(|part| part.parse::<u32>().ok());
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(year)), Some(Some(month)), Some(Some(day)), None) if text.len() == 10 => {
                Self::from_civil(year, month, day).ok_or_else(bad)
            }
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_back_and_know_their_weekday() {
        let mut day = Day::from_civil(1970, 1, 1).expect("a day");
        assert_eq!(day.0, 0);
        for _ in 0..60_000 {
            let (year, month, date) = day.civil();
            assert_eq!(Day::from_civil(year, month, date), Some(day));
            day = day.next();
        }
        for (text, weekend) in [("2026-11-25", false), ("2026-11-28", true), ("2025-09-28", true)] {
            let day: Day = text.parse().expect(text);
            assert_eq!((day.to_string().as_str(), day.is_weekend()), (text, weekend));
            assert_eq!(Day::of(day.start_ms()), day);
            assert_eq!(Day::of(day.start_ms() - 1).next(), day);
        }
        for text in ["2026-02-30", "2026-1-1", "26-01-01", "2026-01-01-01", "", "2026/01/01"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
