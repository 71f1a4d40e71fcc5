//! One event after another: what each does to a case, and why it cannot.

use std::collections::BTreeSet;

use super::event::{EventKind, Target, Told};
use super::rules::Rulebook;
use super::table::{can_be_given, may_dispatch_to, posts, row_of};
use super::{Actor, State, Tier};
use crate::identity::{DocId, Scope};

/// Someone to whom a case was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignee {
    /// The unit.
    pub scope: Scope,
    /// The worker, `None` for whoever of the unit takes it.
    pub worker: Option<DocId>,
    /// Whether it leads (牵头, 主办); the others assist (协办).
    pub lead: bool,
    /// The event by which it took the case on, by its place in the history.
    pub accepted: Option<usize>,
    /// Who took it on.
    pub accepted_by: Option<DocId>,
    /// Whether it has reported back.
    pub done: bool,
    /// The dispatch that named it, by its place in the history.
    pub dispatch: usize,
}

/// Something asked of the dispatcher.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Extend or suspend.
    pub kind: EventKind,
    /// The event that asks, by its place in the history.
    pub event: usize,
    /// By how many days.
    pub days: Option<u32>,
    /// Who asks.
    pub worker: DocId,
}

/// What an event did besides moving the case on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It asks the dispatcher.
    Asked,
    /// It turns a request down.
    Refused,
    /// The time is extended by so many days.
    Extended {
        /// How many.
        days: u32,
    },
    /// The time stands still since this event of the history.
    Suspended {
        /// The event that asked for it, or the one itself.
        since: usize,
    },
    /// It goes on.
    Resumed,
    /// The case was given to someone as well, who assists.
    Assists,
    /// It is kept beside what went on meanwhile and moves nothing.
    Beside,
}

/// Why an event cannot count where it lands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// Not in this state.
    State {
        /// The state that the case is in.
        state: State,
    },
    /// Its author is none of those who could.
    Who,
    /// He had a hand in the handling.
    Handler,
    /// To teams by the centre alone.
    Teams,
    /// That unit is not his to dispatch to.
    Target {
        /// The unit.
        scope: Scope,
    },
    /// Nobody of that unit sees the case where it lies.
    OutOfSight {
        /// The unit.
        scope: Scope,
    },
    /// Nobody is named.
    NoTarget,
    /// It was given there already.
    AlreadyThere {
        /// The unit.
        scope: Scope,
    },
    /// Reports of that line go past the grid, to the centre alone.
    BypassesGrid,
    /// The case is of no minor class.
    NotMinor,
    /// Fewer than two teams have it.
    NotSeveralTeams,
    /// It was taken on already.
    AlreadyAccepted {
        /// By whom.
        by: DocId,
    },
    /// Its time stands still: it goes on first.
    Suspended,
    /// The time stands still already.
    AlreadySuspended,
    /// The time does not stand still.
    NotSuspended,
    /// Nothing was asked that could be turned down.
    NothingAsked,
    /// More days than the rules allow.
    Days {
        /// Most days.
        max: u32,
    },
    /// Into itself, or into none.
    Into,
    /// It does not say whether the check was passed.
    Outcome,
    /// No score from 0 to 100.
    Score,
}

/// The state of a case between two events.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) id: DocId,
    pub(super) state: State,
    pub(super) tier: Tier,
    pub(super) reported: bool,
    pub(super) category: String,
    pub(super) level: u8,
    pub(super) minor: bool,
    pub(super) rules: Option<String>,
    pub(super) reporter: Option<DocId>,
    pub(super) verified: bool,
    pub(super) assignees: Vec<Assignee>,
    pub(super) dispatched_by: Option<Tier>,
    /// The dispatch that began the present round.
    pub(super) round: Option<usize>,
    /// The event that ended its handling.
    pub(super) handled: Option<usize>,
    pub(super) led_by: Option<DocId>,
    /// Who reported work in the present round.
    pub(super) handlers: BTreeSet<DocId>,
    pub(super) asks: Vec<Ask>,
    /// The event since which the time stands still.
    pub(super) suspended: Option<usize>,
    pub(super) merged: Option<(usize, DocId)>,
    pub(super) score: Option<i64>,
    pub(super) two_dispatches: bool,
}

/// An event about to be taken, with what it takes to judge it.
pub(super) struct Step<'a> {
    /// Its place in the history.
    pub(super) at: usize,
    pub(super) kind: EventKind,
    pub(super) told: &'a Told,
    pub(super) actor: &'a Actor,
    /// Whether its author had seen an event of the history.
    pub(super) saw: &'a dyn Fn(usize) -> bool,
    pub(super) book: &'a Rulebook,
}

impl Course {
    pub(super) fn new(id: DocId) -> Self {
        Self {
            id,
            state: State::Reported,
            tier: Tier::Grid,
            reported: false,
            category: String::new(),
            level: 4,
            minor: false,
            rules: None,
            reporter: None,
            verified: false,
            assignees: Vec::new(),
            dispatched_by: None,
            round: None,
            handled: None,
            led_by: None,
            handlers: BTreeSet::new(),
            asks: Vec::new(),
            suspended: None,
            merged: None,
            score: None,
            two_dispatches: false,
        }
    }

    /// The state that people see.
    pub(super) fn shown(&self) -> State {
        if self.merged.is_some() { State::Merged } else { self.state }
    }

    /// The place among the assignees that is the actor's.
    pub(super) fn assignment_of(&self, actor: &Actor) -> Option<usize> {
        let named = |assignee: &Assignee| assignee.worker == Some(actor.worker);
        let unit = |assignee: &Assignee| {
            assignee.worker.is_none()
                && assignee.scope == actor.unit
                && can_be_given(actor.role, &assignee.scope)
        };
        let place = |fits: &dyn Fn(&Assignee) -> bool| self.assignees.iter().position(fits);
        place(&named).or_else(|| place(&unit))
    }

    /// Whether someone has a hand in the present round's handling: he took the case on and did not give it
    /// back, or he reported work.
    pub(super) fn is_handler(&self, worker: DocId) -> bool {
        let has_it = |assignee: &Assignee| assignee.accepted_by == Some(worker);
        self.handlers.contains(&worker) || self.assignees.iter().any(has_it)
    }

    pub(super) fn teams(&self) -> usize {
        self.assignees.iter().filter(|assignee| matches!(assignee.scope, Scope::Team(_))).count()
    }

    /// The case after an event, or why it cannot count.
    pub(super) fn step(&self, step: &Step<'_>) -> Result<(Self, Option<Effect>), Why> {
        if let Some((merge, _)) = self.merged
            && ((step.saw)(merge) || step.kind == EventKind::Merge)
        {
            return Err(Why::State { state: State::Merged });
        }
        let Some(row) = row_of(step.kind) else { return Ok((self.clone(), None)) };
        let beside = self.goes_beside(step);
        let in_state = match step.kind {
            EventKind::Report => !self.reported,
            _ => beside || row.from.contains(&self.state),
        };
        if !in_state {
            return Err(Why::State { state: self.shown() });
        }
        let holds_post = posts(step.kind).contains(&step.actor.role);
        if !holds_post || !row.who.iter().any(|who| who.holds(self, step.actor)) {
            let could_otherwise = step.kind == EventKind::Check && self.is_handler(step.actor.worker);
            return Err(if could_otherwise { Why::Handler } else { Why::Who });
        }
        let mut next = self.clone();
        let effect = if beside { next.beside(step)? } else { next.take(step)? };
        Ok((next, effect))
    }

    /// Whether the event belongs to someone who assists and could not know that the lead had finished.
    fn goes_beside(&self, step: &Step<'_>) -> bool {
        let over = matches!(self.state, State::Handled | State::Closed | State::Evaluated);
        let unknown = |event: Option<usize>| event.is_some_and(|event| !(step.saw)(event));
        over && match step.kind {
            EventKind::Dispatch => unknown(self.round),
            EventKind::Accept | EventKind::Return | EventKind::Feedback => {
                let assists = self.assignment_of(step.actor).is_some_and(|place| !self.assignees[place].lead);
                // What a team did was written where the carrier's knowledge says nothing of the team's.
                assists && (unknown(self.handled) || step.told.via.is_some())
            }
            _ => false,
        }
    }

    fn beside(&mut self, step: &Step<'_>) -> Result<Option<Effect>, Why> {
        match (step.kind, self.assignment_of(step.actor)) {
            (EventKind::Dispatch, _) => {
                self.check_targets(step)?;
                self.assist(step);
            }
            (EventKind::Accept, Some(place)) => self.accept(place, step),
            (EventKind::Feedback, Some(place)) => {
                self.assignees[place].done = true;
                self.handlers.insert(step.actor.worker);
            }
            (EventKind::Return, Some(place)) => {
                self.assignees.remove(place);
            }
            _ => {}
        }
        Ok(Some(Effect::Beside))
    }

    fn take(&mut self, step: &Step<'_>) -> Result<Option<Effect>, Why> {
        let told = step.told;
        match step.kind {
            EventKind::Note => {}
            EventKind::Report => {
                let line = told.category.as_deref().unwrap_or_default();
                if step.book.named(told.rules.as_deref()).bypasses_grid(line) {
                    if Tier::of(step.actor.role) != Some(Tier::Centre) {
                        return Err(Why::BypassesGrid);
                    }
                    self.tier = Tier::Centre;
                }
                self.reported = true;
                self.reporter = Some(step.actor.worker);
                self.category = told.category.clone().unwrap_or_default();
                self.level = told.level.unwrap_or(4);
                self.minor = told.minor;
                self.rules.clone_from(&told.rules);
            }
            EventKind::CloseOnSpot => {
                let rules = step.book.named(self.rules.as_deref());
                if !self.minor || !rules.can_be_minor(&self.category, self.level) {
                    return Err(Why::NotMinor);
                }
                self.handled(step);
                // Should the check fail, it is his again.
                self.assignees = vec![Assignee {
                    scope: step.actor.unit.clone(),
                    worker: Some(step.actor.worker),
                    lead: true,
                    accepted: Some(step.at),
                    accepted_by: Some(step.actor.worker),
                    done: true,
                    dispatch: step.at,
                }];
            }
            EventKind::Verify => self.verified = true,
            EventKind::Register => self.state = State::Registered,
            EventKind::Reject => self.state = State::Rejected,
            EventKind::Escalate => self.tier = self.tier.above().ok_or(Why::Who)?,
            EventKind::Dispatch => return self.dispatch(step),
            EventKind::AppointLead => self.appoint_lead(step)?,
            EventKind::Accept => {
                let place = self.assignment_of(step.actor).ok_or(Why::Who)?;
                if let Some(by) = self.assignees[place].accepted_by {
                    return Err(Why::AlreadyAccepted { by });
                }
                self.accept(place, step);
                self.state = State::InProgress;
            }
            EventKind::Return => {
                let place = self.assignment_of(step.actor).ok_or(Why::Who)?;
                // A colleague took it on meanwhile: then it is not given back over his head.
                if self.assignees[place].accepted.is_some_and(|accepted| !(step.saw)(accepted)) {
                    return Err(Why::State { state: self.state });
                }
                let gone = self.assignees.remove(place);
                if self.assignees.is_empty() {
                    self.state = State::Registered;
                    self.end_round();
                    return Ok(None);
                }
                // Whoever is left has not begun: it waits for him, as if it had been his alone.
                if self.assignees.iter().all(|assignee| assignee.accepted.is_none()) {
                    self.state = State::Dispatched;
                }
                if gone.lead
                    && let Some(next) = self.assignees.first_mut()
                {
                    next.lead = true;
                }
            }
            EventKind::Extend | EventKind::Suspend => return self.ask_or_grant(step),
            EventKind::Resume => {
                self.suspended.take().ok_or(Why::NotSuspended)?;
                return Ok(Some(Effect::Resumed));
            }
            EventKind::Feedback => {
                let place = self.assignment_of(step.actor).ok_or(Why::Who)?;
                // Whoever could not know that it stands still has done his work all the same. What a team did
                // was written where the carrier's knowledge says nothing of the team's.
                if self.suspended.is_some_and(|since| (step.saw)(since)) && told.via.is_none() {
                    return Err(Why::Suspended);
                }
                self.assignees[place].done = true;
                if !self.assignees[place].lead {
                    self.handlers.insert(step.actor.worker);
                    return Ok(Some(Effect::Beside));
                }
                self.handled(step);
            }
            EventKind::Check => match told.pass {
                Some(true) => self.state = State::Closed,
                Some(false) => {
                    self.state = State::InProgress;
                    self.handled = None;
                    for assignee in &mut self.assignees {
                        assignee.done = false;
                    }
                }
                None => return Err(Why::Outcome),
            },
            EventKind::Evaluate => {
                let score = told.score.filter(|score| (0..=100).contains(score)).ok_or(Why::Score)?;
                self.score = Some(score);
                self.state = State::Evaluated;
            }
            EventKind::Archive => self.state = State::Archived,
            EventKind::Urge | EventKind::Supervise => {}
            EventKind::Reopen => {
                self.state = State::Registered;
                self.end_round();
            }
            EventKind::Merge => {
                let into = told.into.filter(|into| *into != self.id).ok_or(Why::Into)?;
                self.merged = Some((step.at, into));
            }
        }
        Ok(None)
    }

    fn accept(&mut self, place: usize, step: &Step<'_>) {
        self.assignees[place].accepted = Some(step.at);
        self.assignees[place].accepted_by = Some(step.actor.worker);
    }

    fn handled(&mut self, step: &Step<'_>) {
        self.state = State::Handled;
        self.handled = Some(step.at);
        self.handlers.insert(step.actor.worker);
        self.suspended = None;
        self.asks.clear();
    }

    fn end_round(&mut self) {
        self.assignees.clear();
        self.handlers.clear();
        self.round = None;
        self.handled = None;
        self.dispatched_by = None;
        self.led_by = None;
        self.suspended = None;
        self.asks.clear();
    }

    fn check_targets(&self, step: &Step<'_>) -> Result<(), Why> {
        if step.told.to.is_empty() {
            return Err(Why::NoTarget);
        }
        let past_grid = step.book.named(self.rules.as_deref()).bypasses_grid(&self.category);
        for Target { scope, .. } in &step.told.to {
            if past_grid && matches!(scope, Scope::Grid(_) | Scope::Area(_)) {
                return Err(Why::BypassesGrid);
            }
            if !may_dispatch_to(step.actor.role, scope) {
                let team = matches!(scope, Scope::Team(_));
                return Err(if team { Why::Teams } else { Why::Target { scope: scope.clone() } });
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, step: &Step<'_>) -> Result<Option<Effect>, Why> {
        self.check_targets(step)?;
        let tier = Tier::of(step.actor.role);
        if self.state == State::Registered {
            self.end_round();
            self.state = State::Dispatched;
            self.round = Some(step.at);
            self.dispatched_by = tier;
            self.assist(step);
            if let Some(first) = self.assignees.first_mut() {
                first.lead = true;
            }
            return Ok(None);
        }
        // Two dispatches side by side are both kept: the earlier one leads.
        if self.round.is_some_and(|round| !(step.saw)(round)) {
            self.two_dispatches = true;
            self.assist(step);
            self.dispatched_by = self.dispatched_by.max(tier);
            return Ok(Some(Effect::Assists));
        }
        // Another team is called in by the centre.
        let teams = step.told.to.iter().all(|target| matches!(target.scope, Scope::Team(_)));
        if !teams || tier != Some(Tier::Centre) {
            return Err(Why::State { state: self.state });
        }
        if let Some(target) = step.told.to.iter().find(|target| self.is_given_to(target)) {
            return Err(Why::AlreadyThere { scope: target.scope.clone() });
        }
        self.assist(step);
        self.dispatched_by = self.dispatched_by.max(tier);
        Ok(Some(Effect::Assists))
    }

    fn is_given_to(&self, target: &Target) -> bool {
        self.assignees
            .iter()
            .any(|assignee| assignee.scope == target.scope && assignee.worker == target.worker)
    }

    /// Adds whom a dispatch names.
    fn assist(&mut self, step: &Step<'_>) {
        if !matches!(self.state, State::Registered | State::Dispatched | State::InProgress) {
            self.two_dispatches = true;
        }
        for target in &step.told.to {
            if !self.is_given_to(target) {
                self.assignees.push(Assignee {
                    scope: target.scope.clone(),
                    worker: target.worker,
                    lead: false,
                    accepted: None,
                    accepted_by: None,
                    done: false,
                    dispatch: step.at,
                });
            }
        }
    }

    fn appoint_lead(&mut self, step: &Step<'_>) -> Result<(), Why> {
        if self.teams() < 2 {
            return Err(Why::NotSeveralTeams);
        }
        if let Some(target) = step.told.to.first() {
            let place = self.assignees.iter().position(|assignee| assignee.scope == target.scope);
            let place = place.ok_or_else(|| Why::Target { scope: target.scope.clone() })?;
            for (at, assignee) in self.assignees.iter_mut().enumerate() {
                assignee.lead = at == place;
            }
        }
        self.led_by = Some(step.actor.worker);
        Ok(())
    }

    /// The assignee asks; the dispatcher, or whoever stands above him, grants or turns down.
    fn ask_or_grant(&mut self, step: &Step<'_>) -> Result<Option<Effect>, Why> {
        let max = step.book.named(self.rules.as_deref()).extension;
        if step.told.days.is_some_and(|days| days == 0 || days > max.days_max) {
            return Err(Why::Days { max: max.days_max });
        }
        if step.kind == EventKind::Suspend && self.suspended.is_some() {
            return Err(Why::AlreadySuspended);
        }
        let grants = super::table::Who::Dispatcher.holds(self, step.actor) && step.told.via.is_none();
        if !grants {
            self.asks.retain(|ask| ask.kind != step.kind);
            self.asks.push(Ask {
                kind: step.kind,
                event: step.at,
                days: step.told.days,
                worker: step.actor.worker,
            });
            return Ok(Some(Effect::Asked));
        }
        let place = self.asks.iter().position(|ask| ask.kind == step.kind);
        let asked = place.map(|place| self.asks.remove(place));
        if step.told.refuse {
            return if asked.is_some() { Ok(Some(Effect::Refused)) } else { Err(Why::NothingAsked) };
        }
        Ok(Some(match step.kind {
            EventKind::Suspend => {
                self.suspended = Some(step.at);
                Effect::Suspended { since: asked.map_or(step.at, |ask| ask.event) }
            }
            _ => Effect::Extended {
                days: step.told.days.or(asked.and_then(|ask| ask.days)).unwrap_or(max.days),
            },
        }))
    }
}
