//! The holiday calendar: what the State Council announces each year, as data that the centre edits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Day;

/// The calendar that this version ships.
const SHIPPED: &str = include_str!("../../data/calendar.json");

/// Most years, and most entries of one.
const ENTRIES_MAX: usize = 100;

/// Days off (放假).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// 国庆节.
    pub name: String,
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
}

/// One year.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Year {
    /// Whether the announcement is still to come.
    #[serde(default)]
    pub provisional: bool,
    /// Days off.
    pub holidays: Vec<Holiday>,
    /// Weekend days on which people work (调休上班).
    pub workdays: Vec<Day>,
}

/// Holidays and make-up workdays by year. A year that is not listed has weekends alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Where it comes from.
    #[serde(default)]
    pub note: String,
    /// The years.
    pub years: BTreeMap<u32, Year>,
}

/// What a day is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nature<'a> {
    Work,
    MakeUp,
    Weekend,
    Holiday(&'a str),
}

/// A calendar that cannot be right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum CalendarError {
    #[error("calendar: {found} entries, at most {max} are allowed")]
    TooMany { found: usize, max: usize },
    #[error("calendar: {name} ends on {to}, before it begins on {from}")]
    Backwards { name: String, from: Day, to: Day },
    #[error("calendar: {day} is listed under {year}")]
    OtherYear { day: Day, year: u32 },
    #[error("calendar: {day} is a holiday and a make-up workday at once")]
    Both { day: Day },
}

impl Calendar {
    /// The calendar that this version ships: what was announced, and for later years the days that the law
    /// names.
    pub fn shipped() -> Self {
        serde_json::from_str(SHIPPED).unwrap_or_else(|_| Self { note: String::new(), years: BTreeMap::new() })
    }

    /// Checks what the form of the data cannot.
    ///
    /// # Errors
    /// [`CalendarError`].
    pub fn check(&self) -> Result<(), CalendarError> {
        let entries = |year: &Year| year.holidays.len().max(year.workdays.len());
        let found = self.years.values().map(entries).max().unwrap_or(0).max(self.years.len());
        if found > ENTRIES_MAX {
            return Err(CalendarError::TooMany { found, max: ENTRIES_MAX });
        }
        for (number, year) in &self.years {
            for holiday in &year.holidays {
                if holiday.to < holiday.from {
                    let Holiday { name, from, to } = holiday.clone();
                    return Err(CalendarError::Backwards { name, from, to });
                }
                // A New Year's holiday may begin in December.
                if holiday.from.civil().0 != *number && holiday.to.civil().0 != *number {
                    return Err(CalendarError::OtherYear { day: holiday.from, year: *number });
                }
            }
            for day in &year.workdays {
                if day.civil().0 != *number {
                    return Err(CalendarError::OtherYear { day: *day, year: *number });
                }
                if self.holiday(*day).is_some() {
                    return Err(CalendarError::Both { day: *day });
                }
            }
        }
        Ok(())
    }

    fn holiday(&self, day: Day) -> Option<&str> {
        let year = day.civil().0;
        let near = self.years.range(year.saturating_sub(1)..=year + 1).map(|(_, year)| year);
        let mut holidays = near.flat_map(|year| &year.holidays);
        holidays.find(|holiday| holiday.from <= day && day <= holiday.to).map(|holiday| holiday.name.as_str())
    }

    pub(super) fn nature(&self, day: Day) -> Nature<'_> {
        if let Some(name) = self.holiday(day) {
            return Nature::Holiday(name);
        }
        let listed = self.years.get(&day.civil().0).is_some_and(|year| year.workdays.contains(&day));
        match (listed, day.is_weekend()) {
            (true, true) => Nature::MakeUp,
            (false, true) => Nature::Weekend,
            (_, false) => Nature::Work,
        }
    }

    /// Whether people work on that day.
    pub fn is_workday(&self, day: Day) -> bool {
        matches!(self.nature(day), Nature::Work | Nature::MakeUp)
    }

    /// Whether the year's announcement is known.
    pub fn is_settled(&self, year: u32) -> bool {
        self.years.get(&year).is_some_and(|year| !year.provisional)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_calendar_is_sound_and_make_up_days_count() {
        let calendar = Calendar::shipped();
        calendar.check().expect("sound");
        assert_eq!(calendar.years.len(), 3);
        for (day, work) in [
            ("2025-09-27", false),
            ("2025-09-28", true),
            ("2025-10-08", false),
            ("2025-10-11", true),
            ("2026-01-04", true),
            ("2026-10-07", false),
            ("2026-11-25", true),
        ] {
            assert_eq!(calendar.is_workday(day.parse().expect(day)), work, "{day}");
        }
        // Every make-up workday is a weekend day, or it would make up for nothing.
        assert!(calendar.years.values().flat_map(|year| &year.workdays).all(|day| day.is_weekend()));
        assert!(calendar.is_settled(2026) && !calendar.is_settled(2027) && !calendar.is_settled(2031));
    }

    #[test]
    fn a_calendar_that_contradicts_itself_is_refused() {
        let read = |text: &str| serde_json::from_str::<Calendar>(text).expect("readable").check();
        let both = r#"{"years":{"2026":{"holidays":[{"name":"节","from":"2026-05-01","to":"2026-05-03"}],"workdays":["2026-05-02"]}}}"#;
        assert!(matches!(read(both), Err(CalendarError::Both { .. })));
        let backwards = r#"{"years":{"2026":{"holidays":[{"name":"节","from":"2026-05-03","to":"2026-05-01"}],"workdays":[]}}}"#;
        assert!(matches!(read(backwards), Err(CalendarError::Backwards { .. })));
        let other = r#"{"years":{"2026":{"holidays":[],"workdays":["2027-05-02"]}}}"#;
        assert!(matches!(read(other), Err(CalendarError::OtherYear { .. })));
    }
}
