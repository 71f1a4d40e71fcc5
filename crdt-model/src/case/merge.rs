//! Concurrent events. An event counts if it was allowed where its author stood; of two that were written
//! side by side and exclude each other the rules say which one counts, else the higher level, else the
//! longer branch, else the earlier one. What loses stays visible as void.
//!
//! The outcome is an order of the events in which causes come first and whoever wins comes before whoever
//! loses; then each event that can take effect does. It depends on the set of events alone.

use std::borrow::Cow;

use super::course::{Course, Effect, Step, Why};
use super::event::{EventKind, Told};
use super::fold::Void;
use super::rules::Rulebook;
use super::{Actor, State, Tier};
use crate::identity::{DocId, Role};

/// Most times that one merger is tried again in another order. Past that the later event loses.
const ORDERS_MAX: usize = 64;

/// An event that can move the case.
pub(super) struct Entry<'a> {
    /// Its place in the history.
    pub(super) at: usize,
    pub(super) kind: EventKind,
    pub(super) told: &'a Told,
    /// Who acts: for what was carried over from a team, whoever of the team did.
    pub(super) actor: Actor,
    /// The post that the event itself states.
    pub(super) role: Role,
    /// Places in the history that its author had not seen, ascending.
    pub(super) unseen: Cow<'a, [usize]>,
}

impl Entry<'_> {
    fn saw(&self, at: usize) -> bool {
        at < self.at && self.unseen.binary_search(&at).is_err()
    }
}

/// What became of the events.
pub(super) struct Outcome {
    pub(super) course: Course,
    /// Places of events that do not count, and why.
    pub(super) voids: Vec<(usize, Void)>,
    /// Places of events that count, in the order in which they take effect, with the state after each.
    pub(super) applied: Vec<(usize, Option<Effect>, State)>,
}

/// Merges the events of case `id`.
pub(super) fn merge(id: DocId, entries: &[Entry<'_>], book: &Rulebook) -> Outcome {
    let merger = Merger { id, entries, book };
    // As long as everybody saw everything, one event follows the other.
    let mut line = Outcome { course: Course::new(id), voids: Vec::new(), applied: Vec::new() };
    let mut in_line = 0;
    for entry in entries.iter().take_while(|entry| entry.unseen.is_empty()) {
        in_line += 1;
        match merger.step(&line.course, entry) {
            Ok((course, effect)) => {
                line.course = course;
                line.applied.push((entry.at, effect, line.course.shown()));
            }
            Err(why) => line.voids.push((entry.at, Void::Not(why))),
        }
    }
    if in_line == entries.len() {
        return line;
    }
    // Afterwards each event is judged where its author stood: by the merger of what he had seen.
    let mut voids = line.voids;
    let void_there = |voids: &[(usize, Void)], at: usize| voids.iter().any(|(void, _)| *void == at);
    let mut sound: Vec<usize> =
        (0..in_line).filter(|index| !void_there(&voids, entries[*index].at)).collect();
    for (index, entry) in entries.iter().enumerate().skip(in_line) {
        let seen: Vec<usize> = sound.iter().copied().filter(|other| entry.saw(entries[*other].at)).collect();
        match merger.step(&merger.settle(&seen).course, entry) {
            Ok(_) => sound.push(index),
            Err(why) => voids.push((entry.at, Void::Not(why))),
        }
    }
    let mut outcome = merger.settle(&sound);
    outcome.voids.extend(voids);
    outcome.voids.sort_by_key(|(at, _)| *at);
    outcome
}

struct Merger<'a> {
    id: DocId,
    entries: &'a [Entry<'a>],
    book: &'a Rulebook,
}

/// An attempt to bring events into an order.
enum Attempt {
    Settled(Box<Outcome>),
    /// The first has to come before the second.
    Again(usize, usize),
}

impl Merger<'_> {
    fn step(&self, course: &Course, entry: &Entry<'_>) -> Result<(Course, Option<Effect>), Why> {
        let carried = entry.told.via.is_some();
        if carried && Tier::of(entry.role) != Some(Tier::Centre) {
            return Err(Why::Who);
        }
        let saw = |at: usize| entry.saw(at);
        course.step(&Step {
            at: entry.at,
            kind: entry.kind,
            told: entry.told,
            actor: &entry.actor,
            saw: &saw,
            book: self.book,
        })
    }

    /// Whether entry `b`'s author had seen entry `a`.
    fn follows(&self, b: usize, a: usize) -> bool {
        self.entries[b].saw(self.entries[a].at)
    }

    fn concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.follows(a, b) && !self.follows(b, a)
    }

    /// The events of `set` (ascending), each allowed where its author stood.
    fn settle(&self, set: &[usize]) -> Outcome {
        let mut before: Vec<(usize, usize)> = Vec::new();
        let mut sequence = set.to_vec();
        for tries in (0..=ORDERS_MAX).rev() {
            match self.attempt(set, &sequence, &before, tries > 0) {
                Attempt::Settled(outcome) => return *outcome,
                Attempt::Again(first, second) => {
                    before.push((first, second));
                    if let Some(ordered) = self.order(set, &before) {
                        sequence = ordered;
                    }
                }
            }
        }
        Outcome { course: Course::new(self.id), voids: Vec::new(), applied: Vec::new() }
    }

    fn attempt(
        &self,
        set: &[usize],
        sequence: &[usize],
        before: &[(usize, usize)],
        may_reorder: bool,
    ) -> Attempt {
        // The case before each event of the sequence.
        let mut courses = vec![Course::new(self.id)];
        let mut applied: Vec<(usize, Option<Effect>, State)> = Vec::new();
        let mut took: Vec<bool> = Vec::with_capacity(sequence.len());
        let mut voids: Vec<(usize, Void)> = Vec::new();
        let mut lost: Vec<usize> = Vec::new();
        for (place, event) in sequence.iter().copied().enumerate() {
            let course = courses[place].clone();
            let at = self.entries[event].at;
            let why = match self.step(&course, &self.entries[event]) {
                Ok((next, effect)) => {
                    applied.push((at, effect, next.shown()));
                    courses.push(next);
                    took.push(true);
                    continue;
                }
                Err(why) => why,
            };
            courses.push(course);
            took.push(false);
            if let Some(basis) = lost.iter().find(|basis| self.follows(event, **basis)) {
                voids.push((at, Void::BuiltOn { lost: self.entries[*basis].at }));
                lost.push(event);
                continue;
            }
            let Some(rival) = self.rival(sequence, &courses, &took, place) else {
                voids.push((at, Void::Not(why)));
                continue;
            };
            if may_reorder
                && self.prefers(set, event, rival)
                && !before.contains(&(event, rival))
                && self.order(set, &[before, &[(event, rival)]].concat()).is_some()
            {
                return Attempt::Again(event, rival);
            }
            voids.push((at, Void::Lost { to: self.entries[rival].at }));
            lost.push(event);
        }
        let course = courses.pop().unwrap_or_else(|| Course::new(self.id));
        Attempt::Settled(Box::new(Outcome { course, voids, applied }))
    }

    /// The event that keeps the one at `place` from counting: after all that its author had seen, the
    /// first one, written side by side with it, after which it no longer could.
    fn rival(&self, sequence: &[usize], courses: &[Course], took: &[bool], place: usize) -> Option<usize> {
        let event = sequence[place];
        let rivals = || (0..place).filter(|other| took[*other] && self.concurrent(event, sequence[*other]));
        let stood = (0..place).rev().find(|other| self.follows(event, sequence[*other]));
        let stood = stood.map_or(0, |last| last + 1);
        let could = |at: usize| self.step(&courses[at], &self.entries[event]).is_ok();
        if could(stood) {
            let flips = rivals().filter(|other| *other >= stood).find(|other| !could(other + 1));
            if let Some(flip) = flips {
                return Some(sequence[flip]);
            }
        }
        rivals().find(|other| moves(self.entries[sequence[*other]].kind)).map(|other| sequence[other])
    }

    /// Whether `event` counts rather than its rival.
    fn prefers(&self, set: &[usize], event: usize, rival: usize) -> bool {
        let (a, b) = (&self.entries[event], &self.entries[rival]);
        let rules = self.rules_of(set);
        let (a_word, b_word) = (a.told.rule_word(), b.told.rule_word());
        if let Some(wins) = rules.winner(a_word, b_word)
            && a_word != b_word
        {
            return wins == a_word;
        }
        let level = |entry: &Entry<'_>| Tier::of(entry.actor.role).unwrap_or(Tier::Grid);
        let branch = |of: usize, other: usize| {
            let grown = |x: &&usize| self.follows(**x, of) && !self.follows(**x, other);
            set.iter().filter(grown).count()
        };
        let strength = |entry: &Entry<'_>, of: usize, other: usize| (level(entry), branch(of, other));
        match strength(a, event, rival).cmp(&strength(b, rival, event)) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => event < rival,
        }
    }

    fn rules_of(&self, set: &[usize]) -> &super::Rules {
        let report = set.iter().find(|event| self.entries[**event].kind == EventKind::Report);
        self.book.named(report.and_then(|event| self.entries[*event].told.rules.as_deref()))
    }

    /// The events with causes first and each pair of `before` in its order, otherwise in the order that
    /// holds everywhere; `None` if that is impossible.
    fn order(&self, set: &[usize], before: &[(usize, usize)]) -> Option<Vec<usize>> {
        let mut left = set.to_vec();
        let mut ordered = Vec::with_capacity(set.len());
        while !left.is_empty() {
            let free = left.iter().position(|event| {
                let waits = |first: &usize| *first != *event && self.follows(*event, *first);
                let held = |(first, second): &(usize, usize)| *second == *event && left.contains(first);
                !left.iter().any(waits) && !before.iter().any(held)
            })?;
            ordered.push(left.remove(free));
        }
        Some(ordered)
    }
}

/// Whether an event moves a case from one state to another, or decides who may.
fn moves(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::Note | EventKind::Urge | EventKind::Supervise | EventKind::Verify | EventKind::AppointLead
    )
}
