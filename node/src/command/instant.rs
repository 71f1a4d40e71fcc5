//! Times as people here read and write them: Chinese standard time, which has no summer time.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use serde::{Deserialize, Serialize};

use super::CommandError;
use super::work::happened_at;
use crate::replica::{Replica, System, World};

/// When something happened, for records of what was done earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
pub struct When {
    /// As it was typed; by default now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

impl When {
    /// Milliseconds since 1970 (UTC), `None` for now.
    ///
    /// # Errors
    /// If it cannot be read, or lies in the future.
    pub(super) fn ms(&self, replica: &Replica) -> Result<Option<u64>, CommandError> {
        happened_at(replica, self.at.as_deref())
    }
}

/// 北京时间.
fn zone() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

fn zoned(ms: u64) -> Option<Zoned> {
    let timestamp = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(timestamp.to_zoned(zone()))
}

/// RFC 3339, e.g. `2025-11-22T10:05:00+08:00`; empty if the time is none that a calendar has.
pub fn rfc3339(ms: u64) -> String {
    zoned(ms).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// As a list shows it, e.g. `11月22日 10:05`, with the year if it is another one than now.
pub(super) fn short(ms: u64) -> String {
    let Some(at) = zoned(ms) else { return String::new() };
    // Whoever reads it lives by the real clock.
    let now = zoned(System.now_ms());
    let clock = at.strftime("%H:%M");
    if now.is_some_and(|now| now.year() == at.year()) {
        format!("{}月{}日 {clock}", at.month(), at.day())
    } else {
        format!("{}年{}月{}日 {clock}", at.year(), at.month(), at.day())
    }
}

/// The day, e.g. `2025-11-22`.
pub(super) fn day(ms: u64) -> String {
    zoned(ms).map_or_else(String::new, |at| at.date().to_string())
}

/// Reads `2025-11-22T10:05:00+08:00`, `2025-11-22 10:05`, `2025-11-22` or, for today, `10:05`.
pub fn parse(text: &str, now_ms: u64) -> Option<u64> {
    let text = wangge_model::checks::text::half_width(text);
    let text = text.trim();
    let timestamp = if let Ok(timestamp) = text.parse::<Timestamp>() {
        timestamp
    } else {
        let civil = if let Ok(date) = text.parse::<Date>()
            && !text.contains(':')
        {
            date.to_datetime(Time::midnight())
        } else if let Ok(civil) = text.parse::<DateTime>() {
            civil
        } else {
            zoned(now_ms)?.date().to_datetime(text.parse::<Time>().ok()?)
        };
        civil.to_zoned(zone()).ok()?.timestamp()
    };
    u64::try_from(timestamp.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-11-22 10:05 in Beijing.
    const NOW_MS: u64 = 1_763_777_100_000;

    #[track_caller]
    fn check(typed: &str, expect: Option<&str>) {
        assert_eq!(parse(typed, NOW_MS).map(rfc3339).as_deref(), expect, "{typed:?}");
    }

    #[test]
    fn a_time_is_read_in_the_ways_people_type_it() {
        assert_eq!(rfc3339(NOW_MS), "2025-11-22T10:05:00+08:00");
        check("2025-11-22T10:05:00+08:00", Some("2025-11-22T10:05:00+08:00"));
        check("2025-11-22T02:05:00Z", Some("2025-11-22T10:05:00+08:00"));
        check("2025-11-21 23:59", Some("2025-11-21T23:59:00+08:00"));
        check("2025-11-21", Some("2025-11-21T00:00:00+08:00"));
        check("０９：３０", Some("2025-11-22T09:30:00+08:00"));
        check("yesterday", None);
        check("2025-13-01", None);
        check("", None);
    }
}
