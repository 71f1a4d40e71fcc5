//! Random histories of several desks that meet now and then: all replicas fold to the same case, whatever
//! the order of arrival; every event shows once and is void for a reason or counts.

use proptest::prelude::*;

use wangge_model::case::{Actor, EventKind, Rulebook, State, Told, Void, fold};
use wangge_model::deadline::timers;
use wangge_model::identity::{Role, Scope};

use crate::desk::{Desk, GRID, HOUR_MS, MONDAY_MS, Parcel, actor, team, to, told};

/// What happens next: a desk writes, or one takes what another has.
#[derive(Clone, Debug)]
enum Deed {
    /// Desk, event, whether it keeps to the rules, a choice of details.
    Write(usize, usize, bool, u8),
    /// From, to.
    Meet(usize, usize),
}

const DESKS: [Role; 6] = [
    Role::GridWorker,
    Role::GridWorker,
    Role::GridLeader,
    Role::AreaHead,
    Role::CentreClerk,
    Role::CentreAdmin,
];

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0..DESKS.len(), 0..EventKind::ALL.len(), prop::bool::weighted(0.9), any::<u8>())
            .prop_map(|(desk, kind, honest, detail)| Deed::Write(desk, kind, honest, detail)),
        1 => (0..DESKS.len(), 0..DESKS.len()).prop_map(|(from, to)| Deed::Meet(from, to)),
    ]
}

fn event(kind: EventKind, who: &Actor, detail: u8) -> Told {
    let mut event = told(kind, who);
    match kind {
        EventKind::Dispatch => {
            let scope = match detail % 3 {
                0 => Scope::Grid(GRID.to_owned()),
                1 => Scope::Area("330881121".to_owned()),
                _ => team("fire"),
            };
            event.to = vec![to(scope)];
        }
        EventKind::Check => event.pass = Some(detail.is_multiple_of(2)),
        EventKind::Extend => event.days = Some(u32::from(detail % 4) + 1),
        _ => {}
    }
    event
}

/// Everything that was written, with whether its author kept to the rules.
struct Written {
    parcels: Vec<Parcel>,
    honest: Vec<bool>,
}

fn play(deeds: &[Deed]) -> Written {
    let clerk = actor(Role::WindowClerk, 9);
    let mut first = Desk::new(1);
    let mut written =
        Written { parcels: vec![first.does(&clerk, EventKind::Report, MONDAY_MS)], honest: vec![true] };
    let mut desks: Vec<Desk> = (0..DESKS.len()).map(|n| first.copy(n as u8 + 10)).collect();
    let mut held: Vec<Vec<usize>> = vec![vec![0]; DESKS.len()];
    for (hours, deed) in (1..).zip(deeds) {
        match deed {
            Deed::Meet(from, to) => {
                for index in held[*from].clone() {
                    if !held[*to].contains(&index) {
                        desks[*to].take(&written.parcels[index]);
                        held[*to].push(index);
                    }
                }
            }
            Deed::Write(desk, kind, honest, detail) => {
                let who = actor(DESKS[*desk], *desk as u8);
                // An honest desk takes the first event from there on that it may write.
                let kinds =
                    (0..EventKind::ALL.len()).map(|n| EventKind::ALL[(kind + n) % EventKind::ALL.len()].0);
                let mut events = kinds.map(|kind| event(kind, &who, *detail));
                let chosen = if *honest {
                    events.find(|event| {
                        event.kind() != Some(EventKind::Note) && desks[*desk].try_check(&who, event).is_ok()
                    })
                } else {
                    events.next()
                };
                let Some(event) = chosen else { continue };
                let parcel = desks[*desk].write(&who, &event, MONDAY_MS + hours * HOUR_MS);
                held[*desk].push(written.parcels.len());
                written.parcels.push(parcel);
                written.honest.push(*honest);
            }
        }
    }
    written
}

/// A replica that hears of everything in an order of its own.
fn arrive(written: &Written, order: &[u32]) -> Desk {
    let mut desk = Desk::new(99);
    let mut left: Vec<usize> = (0..written.parcels.len()).collect();
    left.sort_by_key(|index| order.get(*index).copied().unwrap_or(0));
    while !left.is_empty() {
        let before = left.len();
        left.retain(|index| desk.try_take(&written.parcels[*index]).is_err());
        assert!(left.len() < before, "nothing more applies");
    }
    desk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn all_replicas_see_the_same_case(
        deeds in prop::collection::vec(deed(), 1..40),
        orders in prop::collection::vec(prop::collection::vec(any::<u32>(), 41), 3),
    ) {
        let written = play(&deeds);
        let book = Rulebook::shipped();
        let views: Vec<_> = orders.iter().map(|order| arrive(&written, order).view()).collect();
        let view = &views[0];
        for other in &views[1..] {
            prop_assert_eq!(view, other);
            prop_assert_eq!(timers(view, &book), timers(other, &book));
        }
        // Every event shows once.
        prop_assert_eq!(view.events.len(), written.parcels.len());
        let mut positions: Vec<_> = view.events.iter().map(|event| (event.log, event.seq)).collect();
        positions.sort_unstable();
        positions.dedup();
        prop_assert_eq!(positions.len(), written.parcels.len());
        // It counts, or is void for a reason, never both.
        for (at, event) in view.events.iter().enumerate() {
            let counts = view.order.iter().filter(|place| **place == at).count();
            let note = event.kind == Some(EventKind::Note);
            prop_assert_eq!(counts, usize::from(event.void.is_none() && !note), "{:?}", event);
        }
        // Causes come first.
        let history = &arrive(&written, &[]).document.view().histories["events"];
        for (place, at) in view.order.iter().enumerate() {
            for earlier in &view.order[place + 1..] {
                prop_assert!(earlier > at || history[*at].unseen.contains(earlier));
            }
        }
        // Whoever kept to the rules loses to somebody at most.
        let lawful = written.honest.iter().all(|honest| *honest);
        if lawful {
            for event in &view.events {
                let fair = matches!(event.void, None | Some(Void::Lost { .. } | Void::BuiltOn { .. }));
                prop_assert!(fair, "{:?}", event.void);
            }
        }
        // The state follows from what counts, one event after the other.
        let last = view.order.last().and_then(|at| view.events[*at].after);
        prop_assert_eq!(last.unwrap_or(State::Reported), view.state);
    }

    #[test]
    fn noise_in_a_history_is_shown_and_moves_nothing(texts in prop::collection::vec(".{0,60}", 1..12)) {
        let mut desk = crate::desk::case_in(State::InProgress, 0);
        let who = actor(Role::GridWorker, 1);
        for text in &texts {
            let mut noise = told(EventKind::Note, &who);
            noise.word = text.clone();
            desk.write(&who, &noise, MONDAY_MS);
        }
        let view = desk.view();
        prop_assert_eq!(view.state, State::InProgress);
        let history = desk.document.view();
        let again = fold(history.id, &history.histories["events"], &|_| None, &desk.book);
        prop_assert_eq!(view, again);
    }
}

/// As many events as a case takes, all written side by side by people who never meet, and more: the fold
/// ends, and shows them all.
#[test]
fn a_flood_of_events_side_by_side_is_settled_and_bounded() {
    let first = crate::desk::case_in(State::Registered, 0);
    let mut all = first.copy(250);
    let start = first.view().events.len();
    let leader = actor(Role::GridLeader, 9);
    let kinds =
        [EventKind::Dispatch, EventKind::Escalate, EventKind::Accept, EventKind::Return, EventKind::Check];
    let mut written = 0;
    for desk in 0..30_u8 {
        let mut desk_of = first.copy(desk + 100);
        for round in 0..10 {
            let kind = kinds[(usize::from(desk) + round) % kinds.len()];
            let parcel = desk_of.write(&leader, &told(kind, &leader), MONDAY_MS + HOUR_MS);
            all.take(&parcel);
            written += 1;
        }
    }
    let view = all.view();
    assert_eq!(view.events.len(), start + written);
    let beyond = view.events.iter().filter(|event| event.void == Some(Void::TooMany)).count();
    assert_eq!(beyond, start + written - wangge_model::case::EVENTS_MAX);
}
