//! The timers of a case: which ran from when to when, what was due, and how that came about. They follow
//! from the events that count; the present moment only says how they stand.

use super::{Allowance, Counted, count};
use crate::case::{CaseView, Effect, EventKind, Rulebook, State};

/// What a timer measures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimerName {
    /// 受理: from report to registration or refusal.
    Accept,
    /// 派遣: from registration to dispatch.
    Dispatch,
    /// 处置: from dispatch to feedback.
    Handle,
    /// 核查: from feedback to the check.
    Check,
    /// 结案: from report to the check passed.
    Total,
}

impl TimerName {
    /// The name in JSON and in the rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Dispatch => "dispatch",
            Self::Handle => "handle",
            Self::Check => "check",
            Self::Total => "total",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accept => "受理",
            Self::Dispatch => "派遣",
            Self::Handle => "处置",
            Self::Check => "核查",
            Self::Total => "结案",
        }
    }
}

/// How a timer stands at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It runs.
    Running,
    /// Little of the time is left.
    Nearing,
    /// The time is over and it is not done.
    Overdue,
    /// It stands still.
    Suspended,
    /// Done in time.
    Met,
    /// Done too late.
    Late,
    /// What it measures came to nothing: returned, merged.
    Ended,
}

impl Standing {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Nearing => "nearing",
            Self::Overdue => "overdue",
            Self::Suspended => "suspended",
            Self::Met => "met",
            Self::Late => "late",
            Self::Ended => "ended",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "进行中",
            Self::Nearing => "即将到期",
            Self::Overdue => "已超期",
            Self::Suspended => "挂起中",
            Self::Met => "按期完成",
            Self::Late => "超期完成",
            Self::Ended => "已终止",
        }
    }
}

/// One run of a timer.
#[derive(Clone, PartialEq, Debug)]
pub struct Timer {
    /// What it measures.
    pub name: TimerName,
    /// From 1; more after a return, a rework or a reopening.
    pub round: usize,
    /// The event that started it, by its place in the history.
    pub start: usize,
    /// When it started, milliseconds since 1970 (UTC): for the next person's step as [`crate::case::CaseEvent::known_ms`] says.
    pub start_ms: u64,
    /// The event that ended it.
    pub end: Option<usize>,
    /// When it ended.
    pub end_ms: Option<u64>,
    /// Whether it ended without being done.
    pub ended: bool,
    /// The time allowed.
    pub allowance: Allowance,
    /// Extensions: the event, and by how many days.
    pub extensions: Vec<(usize, u32)>,
    /// Spans that do not count, `None` for one that lasts.
    pub suspended: Vec<(u64, Option<u64>)>,
    /// When it is due, `None` while it stands still.
    pub due_ms: Option<u64>,
    /// How that came about.
    pub counted: Counted,
    nearing_ms: Option<u64>,
}

impl Timer {
    /// How it stands at `now_ms`.
    pub fn standing(&self, now_ms: u64) -> Standing {
        if self.ended {
            return Standing::Ended;
        }
        match (self.end_ms, self.due_ms) {
            (Some(end), Some(due)) if end > due => Standing::Late,
            (Some(_), _) => Standing::Met,
            (None, None) => Standing::Suspended,
            (None, Some(_)) if self.suspended.last().is_some_and(|(_, to)| to.is_none()) => {
                Standing::Suspended
            }
            (None, Some(due)) if now_ms > due => Standing::Overdue,
            (None, Some(_)) if self.nearing_ms.is_some_and(|from| now_ms >= from) => Standing::Nearing,
            (None, Some(_)) => Standing::Running,
        }
    }
}

struct Run {
    name: TimerName,
    start: usize,
    start_ms: u64,
    end: Option<(usize, u64)>,
    ended: bool,
    extensions: Vec<(usize, u32)>,
    suspended: Vec<(u64, Option<u64>)>,
}

struct Runs(Vec<Run>);

impl Runs {
    fn running(&mut self, name: TimerName) -> Option<&mut Run> {
        self.0.iter_mut().rfind(|run| run.name == name && run.end.is_none())
    }

    fn start(&mut self, name: TimerName, start: usize, start_ms: u64) {
        let (extensions, suspended) = (Vec::new(), Vec::new());
        self.0.push(Run { name, start, start_ms, end: None, ended: false, extensions, suspended });
    }

    fn stop(&mut self, name: TimerName, at: usize, at_ms: u64) {
        if let Some(run) = self.running(name) {
            let at_ms = at_ms.max(run.start_ms);
            run.end = Some((at, at_ms));
            if let Some((_, to @ None)) = run.suspended.last_mut() {
                *to = Some(at_ms);
            }
        }
    }

    fn cancel(&mut self, name: TimerName, at: usize, at_ms: u64) {
        if let Some(run) = self.running(name) {
            run.ended = true;
        }
        self.stop(name, at, at_ms);
    }

    fn suspend(&mut self, since_ms: u64) {
        for name in [TimerName::Handle, TimerName::Total] {
            if let Some(run) = self.running(name) {
                run.suspended.push((since_ms.max(run.start_ms), None));
            }
        }
    }

    fn resume(&mut self, at_ms: u64) {
        for name in [TimerName::Handle, TimerName::Total] {
            if let Some(run) = self.running(name)
                && let Some((from, to @ None)) = run.suspended.last_mut()
            {
                *to = Some(at_ms.max(*from));
            }
        }
    }
}

/// All runs of the timers of a case, in the order in which they started.
pub fn timers(view: &CaseView, book: &Rulebook) -> Vec<Timer> {
    use TimerName::{Accept, Check, Dispatch, Handle, Total};
    let mut runs = Runs(Vec::new());
    let mut before = State::Reported;
    for (at, event) in view.counted() {
        let now_ms = event.counted_ms;
        // The next person is not late before he could know. What the resident waits for runs from when it happened.
        let known_ms = event.known_ms();
        let after = event.after.unwrap_or(before);
        match event.kind {
            Some(EventKind::Report) => {
                runs.start(Accept, at, known_ms);
                runs.start(Total, at, now_ms);
            }
            Some(EventKind::Register) => {
                runs.stop(Accept, at, now_ms);
                runs.start(Dispatch, at, known_ms);
            }
            Some(EventKind::Reject) => {
                runs.stop(Accept, at, now_ms);
                runs.cancel(Total, at, now_ms);
            }
            Some(EventKind::CloseOnSpot) => {
                runs.stop(Accept, at, now_ms);
                runs.start(Check, at, known_ms);
            }
            Some(EventKind::Dispatch) if event.effect.is_none() => {
                runs.stop(Dispatch, at, now_ms);
                runs.start(Handle, at, known_ms);
            }
            Some(EventKind::Return) if after == State::Registered && before != State::Registered => {
                runs.cancel(Handle, at, now_ms);
                runs.start(Dispatch, at, known_ms);
                runs.resume(now_ms);
            }
            Some(EventKind::Feedback) if event.effect != Some(Effect::Beside) => {
                runs.resume(now_ms);
                runs.stop(Handle, at, now_ms);
                runs.start(Check, at, known_ms);
            }
            Some(EventKind::Check) => {
                runs.stop(Check, at, now_ms);
                if event.told.pass == Some(true) {
                    runs.stop(Total, at, now_ms);
                } else {
                    runs.start(Handle, at, known_ms);
                }
            }
            Some(EventKind::Reopen) => {
                runs.start(Dispatch, at, known_ms);
                runs.start(Total, at, now_ms);
            }
            Some(EventKind::Merge) => {
                for name in [Accept, Dispatch, Handle, Check, Total] {
                    runs.cancel(name, at, now_ms);
                }
            }
            _ => {}
        }
        match event.effect {
            Some(Effect::Suspended { since }) => {
                let since_ms = view.events.get(since).map_or(now_ms, |asked| asked.counted_ms);
                runs.suspend(since_ms.min(now_ms));
            }
            Some(Effect::Resumed) => runs.resume(now_ms),
            Some(Effect::Extended { days }) => {
                for name in [Handle, Total] {
                    if let Some(run) = runs.running(name) {
                        run.extensions.push((at, days));
                    }
                }
            }
            _ => {}
        }
        before = after;
    }
    let rules = book.named(view.rules.as_deref());
    let Some(row) = rules.deadline(&view.category, view.level) else { return Vec::new() };
    let mut rounds = std::collections::BTreeMap::new();
    runs.0
        .into_iter()
        .map(|run| {
            let allowance = match run.name {
                Accept => row.accept,
                Dispatch => row.dispatch,
                Handle => row.handle,
                Check => row.check,
                Total => row.total,
            };
            let mut allowances = vec![allowance];
            let day = allowance.unit.day();
            allowances.extend(run.extensions.iter().map(|(_, n)| Allowance { n: *n, unit: day }));
            let counted = count(book.calendar(), &rules.hours, run.start_ms, &allowances, &run.suspended);
            let round = rounds.entry(run.name).or_insert(0);
            *round += 1;
            let nearing_ms = nearing(&counted, rules.nearing_percent);
            Timer {
                name: run.name,
                round: *round,
                start: run.start,
                start_ms: run.start_ms,
                end: run.end.map(|(at, _)| at),
                end_ms: run.end.map(|(_, ms)| ms),
                ended: run.ended,
                allowance,
                extensions: run.extensions,
                suspended: run.suspended,
                due_ms: counted.due_ms,
                counted,
                nearing_ms,
            }
        })
        .collect()
}

/// When so little of the time is left that the timer nears its end: read off the days that counted.
fn nearing(counted: &Counted, percent: u32) -> Option<u64> {
    let threshold = counted.allowed_ms.saturating_mul(u64::from(percent.min(100))) / 100;
    counted.lines.iter().find_map(|line| match line {
        super::Line::Counted { to_ms, left_ms, counted_ms, from_ms, .. } if *left_ms <= threshold => {
            // Within the day counted time and the clock run alike but for breaks.
            let over = threshold - left_ms;
            Some(to_ms.saturating_sub(over.min(*counted_ms)).max(*from_ms))
        }
        _ => None,
    })
}
