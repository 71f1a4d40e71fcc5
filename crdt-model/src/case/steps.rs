//! The seven steps of city management (GB/T 30428), read from the history.

use super::course::Effect;
use super::event::EventKind;
use super::fold::{CaseEvent, CaseView};
use super::{State, Void};
use crate::identity::DocId;

/// One of the seven steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The name in JSON.
    pub name: &'static str,
    /// The name that the standard gives it.
    pub label: &'static str,
    /// When it was last done, milliseconds since 1970 (UTC); `None` if it was not.
    pub done_ms: Option<u64>,
    /// By whom.
    pub worker: Option<DocId>,
    /// How often: more than once after a return, a rework or a reopening.
    pub times: usize,
}

/// The seven steps with what was done of each.
pub fn steps(view: &CaseView) -> [Step; 7] {
    let step = |name, label, of: &dyn Fn(&CaseEvent) -> bool| {
        let done: Vec<&CaseEvent> = view
            .counted()
            .map(|(_, event)| event)
            .filter(|event| !matches!(event.void, Some(Void::Lost { .. })) && of(event))
            .collect();
        let last = done.last();
        Step {
            name,
            label,
            done_ms: last.map(|event| event.counted_ms),
            worker: last.map(|event| event.worker),
            times: done.len(),
        }
    };
    let is = |kind: EventKind| move |event: &CaseEvent| event.kind == Some(kind);
    [
        step("collect", "信息收集", &is(EventKind::Report)),
        // What is reopened stands as registered, also where it was handled on the spot before.
        step("establish", "案卷建立", &|event| {
            matches!(event.kind, Some(EventKind::Register | EventKind::Reopen))
        }),
        step("dispatch", "任务派遣", &is(EventKind::Dispatch)),
        step("handle", "任务处理", &|event| {
            matches!(event.kind, Some(EventKind::Accept | EventKind::CloseOnSpot))
        }),
        step("feedback", "处理反馈", &|event| {
            matches!(event.kind, Some(EventKind::Feedback | EventKind::CloseOnSpot))
                && event.effect != Some(Effect::Beside)
        }),
        step("close", "核查结案", &|event| {
            event.kind == Some(EventKind::Check) && event.after == Some(State::Closed)
        }),
        step("evaluate", "综合评价", &is(EventKind::Evaluate)),
    ]
}
