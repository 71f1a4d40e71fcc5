//! When something is due, told as stories.

use wangge_model::case::{EventKind, Flag, Told};
use wangge_model::deadline::{Day, Line, Standing, Timer, TimerName, Why, timers};
use wangge_model::identity::Role;

use crate::desk::{Desk, HOUR_MS, actor, told};

/// A moment in Beijing.
fn at(text: &str) -> u64 {
    let (day, clock) = text.split_once(' ').expect("a day and a time");
    let (hour, minute) = clock.split_once(':').expect("hours and minutes");
    let minutes: u64 = hour.parse::<u64>().expect("hours") * 60 + minute.parse::<u64>().expect("minutes");
    day.parse::<Day>().expect("a day").start_ms() + minutes * 60_000
}

fn report(level: u8, category: &str) -> Told {
    let mut event = told(EventKind::Report, &actor(Role::GridWorker, 1));
    (event.level, event.category) = (Some(level), Some(category.to_owned()));
    event
}

/// A case with these events, each at its time, all by those who usually do them.
fn case(level: u8, category: &str, events: &[(EventKind, &str)]) -> Desk {
    let mut desk = Desk::new(1);
    for (kind, time) in events {
        let who = match kind {
            EventKind::Report | EventKind::Accept | EventKind::Feedback | EventKind::Resume => {
                actor(Role::GridWorker, 1)
            }
            EventKind::Check => actor(Role::CentreClerk, 1),
            _ => actor(Role::GridLeader, 1),
        };
        let event = match kind {
            EventKind::Report => report(level, category),
            _ => told(*kind, &who),
        };
        desk.act(&who, &event, at(time));
    }
    desk
}

fn timer(desk: &Desk, name: TimerName) -> Timer {
    timers(&desk.view(), &desk.book).into_iter().rfind(|timer| timer.name == name).expect("runs")
}

#[track_caller]
fn assert_due(timer: &Timer, expect: &str) {
    assert_eq!(timer.due_ms, Some(at(expect)), "{:#?}", timer.counted.lines);
}

fn counted_days(timer: &Timer) -> Vec<(String, bool)> {
    let day = |line: &Line| match line {
        Line::Counted { day, make_up, .. } => Some((day.to_string(), *make_up)),
        _ => None,
    };
    timer.counted.lines.iter().filter_map(day).collect()
}

fn skipped(timer: &Timer, wanted: &Why) -> Vec<String> {
    let day = |line: &Line| match line {
        Line::Skipped { day, why } if why == wanted => Some(day.to_string()),
        _ => None,
    };
    timer.counted.lines.iter().filter_map(day).collect()
}

/// Friday 2025-09-26, 20:00. The Sunday after is a workday that makes up for the holiday; 1 to 8 October
/// are off; Saturday 11 October is worked again. Seven workdays.
#[test]
fn a_friday_evening_before_a_long_holiday_with_a_make_up_sunday() {
    let desk = case(4, "civic", &[(EventKind::Report, "2025-09-26 20:00")]);
    let total = timer(&desk, TimerName::Total);
    assert_due(&total, "2025-10-13 17:30");
    let days = counted_days(&total);
    let names: Vec<&str> = days.iter().map(|(day, _)| day.as_str()).collect();
    assert_eq!(
        names,
        ["2025-09-28", "2025-09-29", "2025-09-30", "2025-10-09", "2025-10-10", "2025-10-11", "2025-10-13"]
    );
    let made_up: Vec<&str> = days.iter().filter(|(_, up)| *up).map(|(day, _)| day.as_str()).collect();
    assert_eq!(made_up, ["2025-09-28", "2025-10-11"]);
    assert_eq!(skipped(&total, &Why::Weekend), ["2025-09-27", "2025-10-12"]);
    assert_eq!(skipped(&total, &Why::Holiday("国庆节、中秋节".to_owned())).len(), 8);
    assert_eq!(skipped(&total, &Why::OffHours), ["2025-09-26"]);
    // What is counted adds up to what is allowed.
    let counted: u64 = total
        .counted
        .lines
        .iter()
        .map(|line| match line {
            Line::Counted { counted_ms, .. } => *counted_ms,
            _ => 0,
        })
        .sum();
    assert_eq!(counted, total.counted.allowed_ms);
    // Two workdays to take it up: Sunday and Monday.
    assert_due(&timer(&desk, TimerName::Accept), "2025-09-29 17:30");
}

#[test]
fn a_case_of_the_day_is_due_at_the_same_hour() {
    let desk = case(4, "civic", &[(EventKind::Report, "2026-11-23 15:00")]);
    assert_due(&timer(&desk, TimerName::Accept), "2026-11-25 15:00");
    // 2 hours of work from half an hour before the noon break: on after lunch.
    let desk = case(2, "civic", &[(EventKind::Report, "2026-11-23 11:30")]);
    assert_due(&timer(&desk, TimerName::Accept), "2026-11-23 15:00");
    // Urgent hours run through the night and the weekend.
    let desk = case(1, "civic", &[(EventKind::Report, "2026-11-27 23:30")]);
    assert_due(&timer(&desk, TimerName::Accept), "2026-11-28 00:30");
    assert_due(&timer(&desk, TimerName::Total), "2026-11-29 23:30");
    // A row of the line's own counts before the general one.
    let desk = case(2, "rental-fire", &[(EventKind::Report, "2026-11-28 12:00")]);
    assert_due(&timer(&desk, TimerName::Accept), "2026-11-28 14:00");
}

/// Suspended from Friday 16:00 to Monday 10:00: an hour and a half on each side does not count.
#[test]
fn a_suspension_across_a_weekend_does_not_count() {
    let events = [
        (EventKind::Report, "2026-11-19 09:00"),
        (EventKind::Register, "2026-11-19 10:00"),
        (EventKind::Dispatch, "2026-11-19 10:30"),
        (EventKind::Accept, "2026-11-19 11:00"),
        (EventKind::Suspend, "2026-11-20 16:00"),
    ];
    let held = case(4, "civic", &events);
    let handle = timer(&held, TimerName::Handle);
    assert_eq!((handle.due_ms, handle.standing(at("2026-12-31 09:00"))), (None, Standing::Suspended));
    let mut goes_on = held.clone();
    goes_on.does(&actor(Role::GridWorker, 1), EventKind::Resume, at("2026-11-23 10:00"));
    // Five workdays from Thursday 10:30 would be the next Thursday 10:30; three hours were left out:
    // 2 h of Friday's 1.5 h to closing time, and 1.5 h of Monday morning.
    let handle = timer(&goes_on, TimerName::Handle);
    assert_due(&handle, "2026-11-26 15:00");
    assert_eq!(handle.suspended, [(at("2026-11-20 16:00"), Some(at("2026-11-23 10:00")))]);
    assert!(handle.counted.lines.iter().any(|line| matches!(line, Line::Suspended { .. })));
    // Had it not been suspended:
    let plain = case(4, "civic", &events[..4]);
    assert_due(&timer(&plain, TimerName::Handle), "2026-11-26 10:30");
}

/// He asked on Friday and the dispatcher said yes on Monday: the time stood still since Friday.
#[test]
fn a_suspension_counts_from_when_it_was_asked_for() {
    let mut desk = case(
        4,
        "civic",
        &[
            (EventKind::Report, "2026-11-19 09:00"),
            (EventKind::Register, "2026-11-19 10:00"),
            (EventKind::Dispatch, "2026-11-19 10:30"),
            (EventKind::Accept, "2026-11-19 11:00"),
        ],
    );
    desk.does(&actor(Role::GridWorker, 1), EventKind::Suspend, at("2026-11-20 16:00"));
    assert_due(&timer(&desk, TimerName::Handle), "2026-11-26 10:30");
    desk.does(&actor(Role::GridLeader, 1), EventKind::Suspend, at("2026-11-23 09:00"));
    desk.does(&actor(Role::GridWorker, 1), EventKind::Resume, at("2026-11-23 10:00"));
    assert_due(&timer(&desk, TimerName::Handle), "2026-11-26 15:00");
}

#[test]
fn an_extension_adds_workdays_once_it_is_granted() {
    let mut desk = case(
        4,
        "civic",
        &[
            (EventKind::Report, "2026-11-19 09:00"),
            (EventKind::Register, "2026-11-19 10:00"),
            (EventKind::Dispatch, "2026-11-19 10:30"),
            (EventKind::Accept, "2026-11-19 11:00"),
        ],
    );
    let worker = actor(Role::GridWorker, 1);
    let mut ask = told(EventKind::Extend, &worker);
    ask.days = Some(2);
    desk.act(&worker, &ask, at("2026-11-20 09:00"));
    assert_due(&timer(&desk, TimerName::Handle), "2026-11-26 10:30");
    desk.does(&actor(Role::GridLeader, 1), EventKind::Extend, at("2026-11-20 10:00"));
    let handle = timer(&desk, TimerName::Handle);
    assert_due(&handle, "2026-11-30 10:30");
    assert_eq!(handle.extensions.iter().map(|(_, days)| *days).collect::<Vec<_>>(), [2]);
    assert_due(&timer(&desk, TimerName::Total), "2026-12-02 09:00");
}

/// Handled on Tuesday, in time, with no network until Friday: in time, and the gap shows.
#[test]
fn a_worker_offline_for_three_days_who_handled_it_in_time_is_in_time() {
    let base = case(
        2,
        "civic",
        &[
            (EventKind::Report, "2026-11-23 09:00"),
            (EventKind::Register, "2026-11-23 09:30"),
            (EventKind::Dispatch, "2026-11-23 10:00"),
        ],
    );
    let worker = actor(Role::GridWorker, 1);
    let mut offline = base.copy(2);
    let mut relay = base.copy(3);
    for (kind, time) in [(EventKind::Accept, "2026-11-23 11:00"), (EventKind::Feedback, "2026-11-24 16:00")] {
        let (change, mut origin) = offline.does(&worker, kind, at(time));
        // The relay first holds it on Friday.
        origin.observed_ms = at("2026-11-27 09:00");
        relay.take(&(change, origin));
    }
    let view = relay.view();
    let handle = timer(&relay, TimerName::Handle);
    assert_due(&handle, "2026-11-25 10:00");
    assert_eq!(handle.standing(at("2026-11-27 10:00")), Standing::Met);
    assert!(!view.flags.contains(&Flag::BackDated));
    let feedback = view.events.last().expect("feedback");
    assert_eq!((feedback.claimed_ms, feedback.received_ms), (at("2026-11-24 16:00"), at("2026-11-27 09:00")));
}

/// He reported back on Tuesday and had no network until Friday: the check is not late before anybody could know of
/// it, while the resident has waited since Monday. Something recorded late is told at once.
#[test]
fn the_next_step_of_offline_work_counts_from_when_it_could_be_seen() {
    let base = case(
        4,
        "civic",
        &[
            (EventKind::Report, "2026-11-23 09:00"),
            (EventKind::Register, "2026-11-23 09:30"),
            (EventKind::Dispatch, "2026-11-23 10:00"),
            (EventKind::Accept, "2026-11-23 11:00"),
        ],
    );
    let worker = actor(Role::GridWorker, 1);
    let total = timer(&base, TimerName::Total).due_ms;
    for (recorded, starts) in [(None, "2026-11-27 09:00"), (Some("2026-11-27 08:50"), "2026-11-24 16:00")] {
        let mut offline = base.copy(2);
        let mut relay = base.copy(3);
        let mut feedback = told(EventKind::Feedback, &worker);
        feedback.recorded_ms = recorded.map(at);
        let (change, mut origin) = offline.act(&worker, &feedback, at("2026-11-24 16:00"));
        origin.observed_ms = at("2026-11-27 09:00");
        relay.take(&(change, origin));
        assert_eq!(timer(&relay, TimerName::Handle).end_ms, Some(at("2026-11-24 16:00")));
        assert_eq!(timer(&relay, TimerName::Check).start_ms, at(starts), "{recorded:?}");
        assert_eq!(timer(&relay, TimerName::Total).due_ms, total);
    }
}

/// Done too late on Friday, and said to have been done on Monday, before the dispatch that he had read.
#[test]
fn a_back_dated_event_shows_and_gains_nothing() {
    let mut desk = case(
        2,
        "civic",
        &[
            (EventKind::Report, "2026-11-23 09:00"),
            (EventKind::Register, "2026-11-23 09:30"),
            (EventKind::Dispatch, "2026-11-23 10:00"),
            (EventKind::Accept, "2026-11-26 11:00"),
        ],
    );
    let worker = actor(Role::GridWorker, 1);
    desk.does(&worker, EventKind::Feedback, at("2026-11-24 16:00"));
    let view = desk.view();
    assert!(view.flags.contains(&Flag::BackDated));
    let feedback = view.events.last().expect("feedback");
    assert!(feedback.back_dated);
    assert_eq!((feedback.claimed_ms, feedback.counted_ms), (at("2026-11-24 16:00"), at("2026-11-26 11:00")));
    let handle = timer(&desk, TimerName::Handle);
    assert_eq!(handle.standing(at("2026-11-27 10:00")), Standing::Late);
}

/// A phone whose clock is ahead: what the relay observed bounds the claim.
#[test]
fn a_claim_cannot_lie_after_the_relay_had_it() {
    let mut desk = Desk::new(1);
    let worker = actor(Role::GridWorker, 1);
    let mut relay = Desk::new(2);
    let (change, mut origin) = desk.act(&worker, &report(4, "civic"), at("2027-11-23 09:00"));
    origin.observed_ms = at("2026-11-23 09:00");
    relay.take(&(change, origin));
    assert_eq!(relay.view().reported_ms(), Some(at("2026-11-23 09:00")));
}

#[test]
fn a_timer_nears_its_end_and_passes_it() {
    let desk = case(4, "civic", &[(EventKind::Report, "2026-11-23 08:30")]);
    let accept = timer(&desk, TimerName::Accept);
    assert_due(&accept, "2026-11-24 17:30");
    for (now, standing) in [
        ("2026-11-23 09:00", Standing::Running),
        ("2026-11-24 11:00", Standing::Running),
        ("2026-11-24 14:40", Standing::Nearing),
        ("2026-11-24 17:30", Standing::Nearing),
        ("2026-11-24 17:31", Standing::Overdue),
    ] {
        assert_eq!(accept.standing(at(now)), standing, "{now}");
    }
}

/// A rework runs a new round; a return ends the old one without a verdict on it.
#[test]
fn rounds_follow_a_return_and_a_rework() {
    let mut desk = case(
        4,
        "civic",
        &[
            (EventKind::Report, "2026-11-23 08:30"),
            (EventKind::Register, "2026-11-23 09:00"),
            (EventKind::Dispatch, "2026-11-23 09:30"),
        ],
    );
    let worker = actor(Role::GridWorker, 1);
    let leader = actor(Role::GridLeader, 1);
    desk.does(&worker, EventKind::Return, at("2026-11-23 10:00"));
    desk.does(&leader, EventKind::Dispatch, at("2026-11-23 10:30"));
    desk.does(&worker, EventKind::Accept, at("2026-11-23 11:00"));
    desk.does(&worker, EventKind::Feedback, at("2026-11-24 11:00"));
    let clerk = actor(Role::CentreClerk, 1);
    let mut fail = told(EventKind::Check, &clerk);
    fail.pass = Some(false);
    desk.act(&clerk, &fail, at("2026-11-24 15:00"));
    let runs: Vec<(usize, Standing)> = timers(&desk.view(), &desk.book)
        .iter()
        .filter(|timer| timer.name == TimerName::Handle)
        .map(|timer| (timer.round, timer.standing(at("2026-11-24 15:00") + HOUR_MS)))
        .collect();
    assert_eq!(runs, [(1, Standing::Ended), (2, Standing::Met), (3, Standing::Running)]);
}

/// 2027 is not announced yet: the ledger says so where it reaches there.
#[test]
fn a_year_that_is_not_announced_is_marked() {
    let desk = case(4, "civic", &[(EventKind::Report, "2026-12-30 09:00")]);
    let total = timer(&desk, TimerName::Total);
    assert!(total.counted.lines.contains(&Line::Provisional { year: 2027 }));
    assert_eq!(skipped(&total, &Why::Holiday("元旦".to_owned())), ["2027-01-01"]);
}
