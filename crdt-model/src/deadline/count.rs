//! Counting an allowance of time down, day by day, with a line for each day.

use super::calendar::Nature;
use super::{Allowance, Calendar, DAY_MS, Day, Hours, Unit};

/// Days after which counting gives up: rules are bounded, so only a suspension that long gets there.
const DAYS_MAX: u32 = 3_660;

/// Why a day does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// 周末.
    Weekend,
    /// 节假日, by its name.
    Holiday(String),
    /// 非工作时间: after working hours, or before them.
    OffHours,
    /// 挂起.
    Suspended,
}

/// One line of how a due time came about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// Time that counted on a day.
    Counted {
        /// The day.
        day: Day,
        /// From when, milliseconds since 1970 (UTC).
        from_ms: u64,
        /// To when.
        to_ms: u64,
        /// How much of it counted, in milliseconds.
        counted_ms: u64,
        /// What is left of the allowance after it, in milliseconds.
        left_ms: u64,
        /// 调休上班.
        make_up: bool,
    },
    /// A day on which nothing counted.
    Skipped {
        /// The day.
        day: Day,
        /// Why.
        why: Why,
    },
    /// A span that did not count.
    Suspended {
        /// From when.
        from_ms: u64,
        /// To when, `None` while it lasts.
        to_ms: Option<u64>,
    },
    /// The year's holidays are not announced yet.
    Provisional {
        /// The year.
        year: u32,
    },
}

/// What counting came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counted {
    /// When the allowance is used up, `None` while a suspension holds the clock.
    pub due_ms: Option<u64>,
    /// How it came about.
    pub lines: Vec<Line>,
    /// The whole allowance, in milliseconds of the kind that counts.
    pub allowed_ms: u64,
}

/// Counts `allowances` from `start_ms`, leaving out `suspended` spans (ascending, `None` for one that
/// lasts). All allowances count in the way of the first.
pub fn count(
    calendar: &Calendar,
    hours: &Hours,
    start_ms: u64,
    allowances: &[Allowance],
    suspended: &[(u64, Option<u64>)],
) -> Counted {
    let work = allowances.first().is_none_or(|first| first.unit.is_work());
    let amount = |allowance: &Allowance| {
        u64::from(allowance.n)
            * match allowance.unit {
                Unit::UrgentHour | Unit::WorkHour => 3_600_000,
                Unit::WorkDay => hours.day_ms(),
                Unit::NaturalDay => DAY_MS,
            }
    };
    let allowed_ms: u64 = allowances.iter().map(amount).sum();
    let mut counting = Counting { suspended, left_ms: allowed_ms, lines: Vec::new(), due_ms: None };
    if allowed_ms == 0 {
        counting.due_ms = Some(start_ms);
    }
    for (from_ms, to_ms) in suspended {
        counting.lines.push(Line::Suspended { from_ms: *from_ms, to_ms: *to_ms });
    }
    let first = Day::of(start_ms);
    let mut day = first;
    let mut year = 0;
    while counting.due_ms.is_none() && day.0 - first.0 < DAYS_MAX {
        let held = suspended.iter().any(|(from, to)| to.is_none() && *from <= day.start_ms());
        if held {
            break;
        }
        if work && day.civil().0 != year {
            year = day.civil().0;
            if !calendar.is_settled(year) {
                counting.lines.push(Line::Provisional { year });
            }
        }
        let nature = if work { calendar.nature(day) } else { Nature::Work };
        match nature {
            Nature::Weekend => counting.lines.push(Line::Skipped { day, why: Why::Weekend }),
            Nature::Holiday(name) => {
                counting.lines.push(Line::Skipped { day, why: Why::Holiday(name.to_owned()) });
            }
            Nature::Work | Nature::MakeUp => {
                let midnight = day.start_ms();
                let spans: Vec<(u64, u64)> = if work {
                    hours.spans_ms().map(|(from, to)| (midnight + from, midnight + to)).collect()
                } else {
                    vec![(midnight, midnight + DAY_MS)]
                };
                counting.day(day, &spans, start_ms, nature == Nature::MakeUp);
            }
        }
        day = day.next();
    }
    Counted { due_ms: counting.due_ms, lines: counting.lines, allowed_ms }
}

struct Counting<'a> {
    suspended: &'a [(u64, Option<u64>)],
    left_ms: u64,
    lines: Vec<Line>,
    due_ms: Option<u64>,
}

impl Counting<'_> {
    fn day(&mut self, day: Day, spans: &[(u64, u64)], start_ms: u64, make_up: bool) {
        let mut counted_ms = 0;
        let mut bounds: Option<(u64, u64)> = None;
        let mut any_span = false;
        for (from, to) in spans {
            let from = (*from).max(start_ms);
            if from >= *to {
                continue;
            }
            any_span = true;
            for (from, to) in self.without_suspensions(from, *to) {
                if self.due_ms.is_some() || from >= to {
                    continue;
                }
                let taken = (to - from).min(self.left_ms);
                self.left_ms -= taken;
                counted_ms += taken;
                bounds = Some((bounds.map_or(from, |(first, _)| first), from + taken));
                if self.left_ms == 0 {
                    self.due_ms = Some(from + taken);
                }
            }
        }
        self.lines.push(match bounds {
            Some((from_ms, to_ms)) => {
                Line::Counted { day, from_ms, to_ms, counted_ms, left_ms: self.left_ms, make_up }
            }
            None => Line::Skipped { day, why: if any_span { Why::Suspended } else { Why::OffHours } },
        });
    }

    /// The parts of a span that no suspension covers.
    fn without_suspensions(&self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let mut parts = vec![(from, to)];
        for (begin, end) in self.suspended {
            let end = end.unwrap_or(u64::MAX);
            parts = parts
                .into_iter()
                .flat_map(|(from, to)| [(from, to.min(*begin)), (from.max(end), to)])
                .filter(|(from, to)| from < to)
                .collect();
        }
        parts
    }
}
