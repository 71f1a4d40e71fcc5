//! Days as people here count them: in Beijing time, which has had no summer time since 1991.

use crate::checks::Date;

/// East of Greenwich, in milliseconds.
const OFFSET_MS: u64 = 8 * 3_600_000;
/// One day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;
/// Excel's count for 1 January 1970.
const EPOCH_SERIAL: u32 = 25_569;

/// The day at a time in milliseconds since 1970 (UTC); `None` outside the calendar of records.
pub fn of(ms: u64) -> Option<Date> {
    let days = u32::try_from(ms.checked_add(OFFSET_MS)? / DAY_MS).ok()?;
    Date::from_excel_serial(f64::from(days.checked_add(EPOCH_SERIAL)?)).ok()
}

/// When a day begins, in milliseconds since 1970 (UTC); 0 before that.
pub fn begins_ms(day: Date) -> u64 {
    let days = day.to_excel_serial().unwrap_or(0).saturating_sub(EPOCH_SERIAL);
    (u64::from(days) * DAY_MS).saturating_sub(OFFSET_MS)
}

/// When a day is over, in milliseconds since 1970 (UTC).
pub fn ends_ms(day: Date) -> u64 {
    begins_ms(day) + DAY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_beijing() {
        let day = Date::new(2025, 11, 22).expect("a day");
        // 2025-11-21 16:00 UTC.
        assert_eq!(begins_ms(day), 1_763_740_800_000);
        assert_eq!(of(begins_ms(day)), Some(day));
        assert_eq!(of(ends_ms(day) - 1), Some(day));
        assert_eq!(of(ends_ms(day)).map(|d| d.to_string()).as_deref(), Some("2025-11-23"));
        assert_eq!(of(u64::MAX), None);
    }
}
