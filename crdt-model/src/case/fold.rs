//! From a history to what people see of a case. A pure function of the events that are there, of what
//! each author had seen, and of the rules that the report names: in whatever order events arrive, every
//! replica that holds the same ones sees the same case.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::course::{Ask, Assignee, Course, Effect, Step, Why};
use super::event::{EventKind, Told, Via};
use super::merge::{self, Entry};
use super::rules::Rulebook;
use super::{Actor, State, Tier};
use crate::document::EventView;
use crate::identity::{DocId, LogId, Role, Scope};
use crate::verdict::VoidReason;

/// Most events of one case that move it; later ones are shown and move nothing.
pub const EVENTS_MAX: usize = 256;

/// How much earlier than what its author had seen an event may claim to be before that shows: clocks of
/// phones differ.
pub const SKEW_MS_MAX: u64 = 10 * 60 * 1000;

/// Why an event does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Void {
    /// The centre decided so.
    Decided(VoidReason),
    /// It cannot be read.
    Unreadable,
    /// It does not say in which post its author acts.
    NoRole,
    /// It could not be where it lands.
    Not(Why),
    /// Another event, written side by side with it, counts instead.
    Lost {
        /// Its place in the history.
        to: usize,
    },
    /// It builds on an event that does not count.
    BuiltOn {
        /// Its place in the history.
        lost: usize,
    },
    /// It carries over what was carried over already.
    Duplicate {
        /// The first one's place in the history.
        of: usize,
    },
    /// The case has too many events.
    TooMany,
}

/// One event as people see it.
#[derive(Clone, PartialEq, Debug)]
pub struct CaseEvent {
    /// Its log.
    pub log: LogId,
    /// Its position there.
    pub seq: u64,
    /// Its place in the change.
    pub index: u64,
    /// The word that names it; empty if it cannot be read.
    pub word: String,
    /// What it is, `None` if a newer version wrote it.
    pub kind: Option<EventKind>,
    /// What it says.
    pub told: Told,
    /// Who wrote it, in a team's name whoever of the team did.
    pub worker: DocId,
    /// In which post.
    pub role: Option<Role>,
    /// When it happened, as its author says, milliseconds since 1970 (UTC).
    pub claimed_ms: u64,
    /// When the relay first held it, 0 if that is not known here.
    pub received_ms: u64,
    /// The claim, bounded by what its author had seen and by what the relay observed.
    pub counted_ms: u64,
    /// Whether the claim lies before what its author had evidently seen.
    pub back_dated: bool,
    /// Whether it says something that this version does not know.
    pub needs_update: bool,
    /// Why it does not count.
    pub void: Option<Void>,
    /// What it did besides moving the case on.
    pub effect: Option<Effect>,
    /// The state after it, if it counts.
    pub after: Option<State>,
}

/// How much later than it was written an event must reach the centre to count as one of a worker without network.
pub const OFFLINE_MS_MIN: u64 = 60 * 60 * 1000;

impl CaseEvent {
    /// From when on somebody else could know of it, milliseconds since 1970 (UTC): when it happened, and as
    /// much later as its author had no network for. That it was recorded long after it happened is nobody's delay
    /// but his own.
    pub fn known_ms(&self) -> u64 {
        let written_ms = self.told.recorded_ms.unwrap_or(0).max(self.counted_ms);
        let offline_ms = self.received_ms.saturating_sub(written_ms);
        self.counted_ms + if offline_ms > OFFLINE_MS_MIN { offline_ms } else { 0 }
    }
}

/// Something that the centre should look at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Flag {
    /// Two dispatches side by side: the earlier leads.
    TwoDispatches,
    /// An event lost against another one written side by side.
    LostEvent,
    /// An event claims to be earlier than what its author had seen.
    BackDated,
    /// Several teams and nobody who leads them.
    LeadNeeded,
    /// A newer version wrote something here.
    NeedsUpdate,
    /// The rules that the report names are not here yet.
    RulesMissing,
}

impl Flag {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoDispatches => "two-dispatches",
            Self::LostEvent => "lost-event",
            Self::BackDated => "back-dated",
            Self::LeadNeeded => "lead-needed",
            Self::NeedsUpdate => "needs-update",
            Self::RulesMissing => "rules-missing",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::TwoDispatches => "重复派遣,先派的牵头",
            Self::LostEvent => "有操作与他人同时进行而未计入",
            Self::BackDated => "有操作所报时间早于其所知情况",
            Self::LeadNeeded => "多个团队,待街道领导牵头",
            Self::NeedsUpdate => "由更新的版本写成,需升级",
            Self::RulesMissing => "所用规则版本尚未收到",
        }
    }
}

/// A case as people see it.
#[derive(Clone, PartialEq, Debug)]
pub struct CaseView {
    /// The document.
    pub id: DocId,
    /// Where it stands.
    pub state: State,
    /// The state beneath a merger.
    pub own_state: State,
    /// The level that owns it.
    pub tier: Tier,
    /// The line of business.
    pub category: String,
    /// How serious, 1 to 4.
    pub level: u8,
    /// Of a minor class.
    pub minor: bool,
    /// Who reported it.
    pub reporter: Option<DocId>,
    /// Whether a grid worker went to see.
    pub verified: bool,
    /// To whom it was given.
    pub assignees: Vec<Assignee>,
    /// The street leader who leads several teams.
    pub led_by: Option<DocId>,
    /// What is asked of the dispatcher.
    pub asks: Vec<Ask>,
    /// Whether the time stands still.
    pub suspended: bool,
    /// The case that it was merged into.
    pub merged_into: Option<DocId>,
    /// The score of its evaluation.
    pub score: Option<i64>,
    /// The rules that the report names.
    pub rules: Option<String>,
    /// All events, in the order that holds everywhere.
    pub events: Vec<CaseEvent>,
    /// Places of the events that count, in the order in which they take effect.
    pub order: Vec<usize>,
    /// What the centre should look at, ascending.
    pub flags: Vec<Flag>,
    course: CourseHolder,
}

/// The course at the end, for checking the next command.
#[derive(Clone, Debug)]
struct CourseHolder(Course);

impl PartialEq for CourseHolder {
    fn eq(&self, _: &Self) -> bool {
        // It follows from the events, which are compared.
        true
    }
}

impl CaseView {
    pub(super) fn course(&self) -> &Course {
        &self.course.0
    }

    /// Whether a newer version wrote something that moves it: it is read-only here.
    pub fn is_read_only(&self) -> bool {
        let unknown = |event: &CaseEvent| event.kind.is_none() && event.void.is_none();
        self.events.iter().any(unknown)
    }

    /// The events that count, in the order in which they take effect.
    pub fn counted(&self) -> impl Iterator<Item = (usize, &CaseEvent)> {
        self.order.iter().filter_map(|at| Some((*at, self.events.get(*at)?)))
    }

    /// When it was reported.
    pub fn reported_ms(&self) -> Option<u64> {
        self.counted().find(|(_, event)| event.kind == Some(EventKind::Report)).map(|(_, e)| e.counted_ms)
    }
}

/// Folds the history of case `id`. `decided` says which positions the centre found void.
pub fn fold(
    id: DocId,
    history: &[EventView],
    decided: &dyn Fn(&EventView) -> Option<VoidReason>,
    book: &Rulebook,
) -> CaseView {
    let mut events = read(history, decided);
    bound_claims(history, &mut events);
    let entries = entries(history, &events);
    let outcome = merge::merge(id, &entries, book);
    for (at, void) in outcome.voids {
        events[at].void = Some(void);
    }
    for (at, effect, state) in &outcome.applied {
        events[*at].effect.clone_from(effect);
        events[*at].after = Some(*state);
    }
    let course = outcome.course;
    let mut flags = BTreeSet::new();
    let mut flag = |flag: Flag, raised: bool| {
        if raised {
            flags.insert(flag);
        }
    };
    flag(Flag::TwoDispatches, course.two_dispatches);
    // Of two who take a case on side by side neither has lost anything.
    let accepts = |at: usize| events[at].kind == Some(EventKind::Accept);
    let lost = |event: &CaseEvent| match event.void {
        Some(Void::Lost { to }) => event.kind != Some(EventKind::Accept) || !accepts(to),
        Some(Void::BuiltOn { .. }) => true,
        _ => false,
    };
    flag(Flag::LostEvent, events.iter().any(lost));
    flag(Flag::BackDated, events.iter().any(|event| event.back_dated));
    flag(Flag::LeadNeeded, course.shown().is_open() && course.teams() > 1 && course.led_by.is_none());
    flag(Flag::NeedsUpdate, events.iter().any(|event| event.needs_update));
    flag(Flag::RulesMissing, course.rules.as_deref().is_some_and(|name| book.get(name).is_none()));
    CaseView {
        id,
        state: course.shown(),
        own_state: course.state,
        tier: course.tier,
        category: course.category.clone(),
        level: course.level,
        minor: course.minor,
        reporter: course.reporter,
        verified: course.verified,
        assignees: course.assignees.clone(),
        led_by: course.led_by,
        asks: course.asks.clone(),
        suspended: course.suspended.is_some(),
        merged_into: course.merged.map(|(_, into)| into),
        score: course.score,
        rules: course.rules.clone(),
        order: outcome.applied.iter().map(|(at, _, _)| *at).collect(),
        events,
        flags: flags.into_iter().collect(),
        course: CourseHolder(course),
    }
}

/// The events as they are written, with what is wrong with each by itself.
fn read(history: &[EventView], decided: &dyn Fn(&EventView) -> Option<VoidReason>) -> Vec<CaseEvent> {
    let mut carried: BTreeMap<(DocId, LogId, u64, u64), usize> = BTreeMap::new();
    let mut moving = 0;
    let mut events = Vec::with_capacity(history.len());
    for (at, view) in history.iter().enumerate() {
        let told = Told::decode(&view.value);
        let unreadable = told.is_err();
        let told = told.unwrap_or_default();
        let kind = told.kind();
        let mut void = decided(view).map(Void::Decided);
        if unreadable {
            void = void.or(Some(Void::Unreadable));
        }
        let moves = kind.is_some_and(|kind| kind != EventKind::Note);
        if moves && told.role.is_none() {
            void = void.or(Some(Void::NoRole));
        }
        if let Some(via) = told.via.as_ref().filter(|_| void.is_none()) {
            let Via { order, log, seq, index, .. } = via;
            if let Some(first) = carried.get(&(*order, *log, *seq, *index)) {
                void = Some(Void::Duplicate { of: *first });
            } else {
                carried.insert((*order, *log, *seq, *index), at);
            }
        }
        if moves && void.is_none() {
            moving += 1;
            if moving > EVENTS_MAX {
                void = Some(Void::TooMany);
            }
        }
        // What a team wrote was observed where it was written.
        let (worker, role, received_ms) = match &told.via {
            Some(via) => (via.worker, Some(via.role), via.observed_ms),
            None => (view.worker, told.role, view.observed_ms),
        };
        events.push(CaseEvent {
            log: view.log,
            seq: view.seq,
            index: view.index,
            word: told.word.clone(),
            kind,
            needs_update: !unreadable && (kind.is_none() || !told.unknown.is_empty()),
            told,
            worker,
            role,
            claimed_ms: view.wall_ms,
            received_ms,
            counted_ms: view.wall_ms,
            back_dated: false,
            void,
            effect: None,
            after: None,
        });
    }
    events
}

fn saw(history: &[EventView], at: usize, earlier: usize) -> bool {
    earlier < at && history[at].unseen.binary_search(&earlier).is_err()
}

/// Bounds what each event claims: not before what its author had seen, not after the relay had it.
fn bound_claims(history: &[EventView], events: &mut [CaseEvent]) {
    for at in 0..events.len() {
        let seen = (0..at)
            .filter(|earlier| saw(history, at, *earlier))
            .filter(|earlier| !matches!(events[*earlier].void, Some(Void::Decided(_))))
            .map(|earlier| events[earlier].counted_ms)
            .max()
            .unwrap_or(0);
        let event = &mut events[at];
        event.back_dated = event.claimed_ms.saturating_add(SKEW_MS_MAX) < seen;
        let counted = event.claimed_ms.max(seen);
        event.counted_ms =
            if event.received_ms > 0 { counted.min(event.received_ms.max(seen)) } else { counted };
    }
}

/// What its author had not seen of the events. What two carriers carried over at once is one event: whoever
/// saw either saw it.
fn unseen<'a>(history: &'a [EventView], twice: &[(usize, usize)], at: usize) -> Cow<'a, [usize]> {
    let known = |first: usize| twice.iter().any(|(again, of)| *of == first && saw(history, at, *again));
    let unseen = &history[at].unseen;
    if !unseen.iter().any(|first| known(*first)) {
        return Cow::Borrowed(unseen);
    }
    Cow::Owned(unseen.iter().copied().filter(|first| !known(*first)).collect())
}

/// The events that can move the case.
fn entries<'a>(history: &'a [EventView], events: &'a [CaseEvent]) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    let twice = events.iter().enumerate().filter_map(|(at, event)| match event.void {
        Some(Void::Duplicate { of }) => Some((at, of)),
        _ => None,
    });
    let twice: Vec<(usize, usize)> = twice.collect();
    for (at, event) in events.iter().enumerate() {
        let (Some(kind), Some(role), None) = (event.kind, event.told.role, &event.void) else { continue };
        if kind == EventKind::Note {
            continue;
        }
        let actor = match &event.told.via {
            Some(via) => Actor { worker: via.worker, role: via.role, unit: via.team.clone() },
            None => {
                let unit = event.told.unit.clone().unwrap_or(Scope::Street);
                Actor { worker: event.worker, role, unit }
            }
        };
        entries.push(Entry { at, kind, told: &event.told, actor, role, unseen: unseen(history, &twice, at) });
    }
    entries
}

/// Takes one more event after all that is there, as its author would write it now.
pub(super) fn next_step(
    view: &CaseView,
    kind: EventKind,
    told: &Told,
    actor: &Actor,
    book: &Rulebook,
) -> Result<(Course, Option<Effect>), Why> {
    let step = Step { at: view.events.len(), kind, told, actor, saw: &|_| true, book };
    view.course().step(&step)
}
