//! Deadlines (时限): working time, holidays with make-up workdays (调休), and how a due time comes about.

mod calendar;
mod count;
mod day;
mod timers;

pub use calendar::{Calendar, CalendarError, Holiday, Year};
pub use count::{Counted, Line, Why, count};
pub use day::{DAY_MS, Day, OFFSET_MS};
pub use timers::{Standing, Timer, TimerName, timers};

use serde::{Deserialize, Serialize};

/// How an allowance of time is counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 紧急工作时: an hour by the clock, day and night.
    UrgentHour,
    /// 工作时: an hour within working hours.
    WorkHour,
    /// 工作日: as much working time as one workday has.
    WorkDay,
    /// 自然日: 24 hours by the clock.
    NaturalDay,
}

/// An allowance of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// How many.
    pub n: u32,
    /// Of what.
    pub unit: Unit,
}

/// Largest number of an allowance: a year of days.
pub const ALLOWANCE_MAX: u32 = 366;

impl Unit {
    /// Whether only working time counts.
    pub fn is_work(self) -> bool {
        matches!(self, Self::WorkHour | Self::WorkDay)
    }

    /// What a day more is in this way of counting.
    pub fn day(self) -> Self {
        if self.is_work() { Self::WorkDay } else { Self::NaturalDay }
    }
}

/// Working hours of a day, as minutes from midnight, ascending.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<[String; 2]>", into = "Vec<[String; 2]>")]
pub struct Hours(Vec<(u32, u32)>);

impl Hours {
    /// Around the clock.
    pub fn whole_day() -> Self {
        Self(vec![(0, 24 * 60)])
    }

    /// The spans, as milliseconds from midnight.
    pub fn spans_ms(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(from, to)| (u64::from(*from) * 60_000, u64::from(*to) * 60_000))
    }

    /// How much working time a day has, in milliseconds.
    pub fn day_ms(&self) -> u64 {
        self.spans_ms().map(|(from, to)| to - from).sum()
    }
}

impl TryFrom<Vec<[String; 2]>> for Hours {
    type Error = String;

    fn try_from(spans: Vec<[String; 2]>) -> Result<Self, String> {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
            (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
        };
        let mut read: Vec<(u32, u32)> = Vec::new();
        for [from, to] in &spans {
            let span = minutes(from).zip(minutes(to)).filter(|(from, to)| from < to);
            let span = span.ok_or_else(|| format!("hours: {from}-{to} is no span of a day"))?;
            if read.last().is_some_and(|(_, end)| *end > span.0) {
                return Err(format!("hours: {from}-{to} begins before the span ahead of it ends"));
            }
            read.push(span);
        }
        if read.is_empty() || read.len() > 8 {
            return Err("hours: give one to eight spans".to_owned());
        }
        Ok(Self(read))
    }
}

impl From<Hours> for Vec<[String; 2]> {
    fn from(hours: Hours) -> Self {
        let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        hours.0.iter().map(|(from, to)| [clock(*from), clock(*to)]).collect()
    }
}
