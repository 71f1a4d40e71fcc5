//! For each rule: two replicas that are apart, then both orders of arrival, the same outcome on all.

use wangge_model::case::{CaseView, EventKind, Flag, Rulebook, State, Told, Void, Why};
use wangge_model::identity::{Role, Scope};

use crate::desk::{Desk, GRID, HOUR_MS, MONDAY_MS, Parcel, actor, case_in, team, to, told};

/// Lets `a` and `b` act on the same case while apart, then brings both together in both orders.
#[track_caller]
fn apart(
    base: &Desk,
    a: impl Fn(&mut Desk) -> Vec<Parcel>,
    b: impl Fn(&mut Desk) -> Vec<Parcel>,
) -> CaseView {
    // Whoever has the smaller log comes first where the Lamport numbers are equal: both ways.
    let mut outcomes = Vec::new();
    for (first, second) in [(11, 12), (12, 11)] {
        let (mut left, mut right) = (base.copy(first), base.copy(second));
        let (from_left, from_right) = (a(&mut left), b(&mut right));
        for parcel in &from_right {
            left.take(parcel);
        }
        for parcel in &from_left {
            right.take(parcel);
        }
        let mut late = base.copy(30);
        for parcel in from_right.iter().chain(&from_left) {
            late.take(parcel);
        }
        assert_eq!(left.view(), right.view());
        assert_eq!(left.view(), late.view());
        let view = left.view();
        assert_eq!(view.events.len(), base.view().events.len() + from_left.len() + from_right.len());
        outcomes.push(view);
    }
    let [one, other] = <[CaseView; 2]>::try_from(outcomes).expect("two");
    assert_eq!(one.state, other.state, "the smaller log's number decides");
    one
}

fn does(who: Role, number: u8, kinds: &'static [EventKind]) -> impl Fn(&mut Desk) -> Vec<Parcel> {
    move |desk| {
        let who = actor(who, number);
        (1..).zip(kinds).map(|(hours, kind)| desk.does(&who, *kind, MONDAY_MS + hours * HOUR_MS)).collect()
    }
}

fn wrote(event: Told, role: Role, number: u8) -> impl Fn(&mut Desk) -> Vec<Parcel> {
    move |desk| vec![desk.act(&actor(role, number), &event, MONDAY_MS + HOUR_MS)]
}

fn void_of(view: &CaseView, word: &str) -> Option<Void> {
    view.events.iter().rfind(|event| event.told.rule_word() == word).expect(word).void.clone()
}

fn check_event(role: Role, pass: bool) -> Told {
    let mut event = told(EventKind::Check, &actor(role, 3));
    event.pass = Some(pass);
    event
}

#[test]
fn two_dispatches_are_both_kept_and_the_earlier_leads() {
    let base = case_in(State::Registered, 0);
    let dispatch = |role: Role, scope: Scope| {
        let mut event = told(EventKind::Dispatch, &actor(role, 3));
        event.to = vec![to(scope)];
        wrote(event, role, 3)
    };
    let view = apart(
        &base,
        dispatch(Role::GridLeader, Scope::Grid(GRID.to_owned())),
        dispatch(Role::CentreClerk, team("fire")),
    );
    assert_eq!(view.state, State::Dispatched);
    assert_eq!(view.assignees.len(), 2);
    assert_eq!(view.assignees.iter().filter(|assignee| assignee.lead).count(), 1);
    let first = view.events.iter().position(|event| event.kind == Some(EventKind::Dispatch));
    assert_eq!(Some(view.assignees.iter().find(|assignee| assignee.lead).expect("one").dispatch), first);
    assert!(view.flags.contains(&Flag::TwoDispatches));
    assert!(view.events.iter().all(|event| event.void.is_none()));
}

/// The one who was dispatched later in the order had begun and finished meanwhile: nobody's work is lost.
#[test]
fn work_on_both_of_two_dispatches_stays() {
    let base = case_in(State::Registered, 2);
    let on = |scope: Scope, role: Role| {
        move |desk: &mut Desk| {
            let clerk = actor(Role::CentreClerk, 3);
            let mut event = told(EventKind::Dispatch, &clerk);
            event.to = vec![to(scope.clone())];
            let mut parcels = vec![desk.act(&clerk, &event, MONDAY_MS + HOUR_MS)];
            for (hours, kind) in [(2, EventKind::Accept), (3, EventKind::Feedback)] {
                parcels.push(desk.does(&actor(role, 1), kind, MONDAY_MS + hours * HOUR_MS));
            }
            parcels
        }
    };
    let view = apart(
        &base,
        on(Scope::Grid(GRID.to_owned()), Role::GridWorker),
        on(Scope::Area("330881121".to_owned()), Role::AreaClerk),
    );
    assert_eq!(view.state, State::Handled);
    assert!(view.events.iter().all(|event| event.void.is_none()), "{:#?}", view.events);
    assert!(view.assignees.iter().all(|assignee| assignee.done));
}

#[test]
fn close_and_rework_rework_wins() {
    let base = case_in(State::Handled, 0);
    let pass = wrote(check_event(Role::CentreClerk, true), Role::CentreClerk, 3);
    let fail = wrote(check_event(Role::GridWorker, false), Role::GridWorker, 3);
    let view = apart(&base, pass, fail);
    assert_eq!(view.state, State::InProgress);
    assert!(matches!(void_of(&view, "check-pass"), Some(Void::Lost { .. })));
    assert_eq!(void_of(&view, "check-fail"), None);
    assert!(view.flags.contains(&Flag::LostEvent));
}

/// Also when the case had been closed, evaluated and filed away on the other side.
#[test]
fn rework_wins_over_all_that_followed_the_closing() {
    let base = case_in(State::Handled, 0);
    let view = apart(
        &base,
        does(Role::CentreClerk, 3, &[EventKind::Check, EventKind::Evaluate, EventKind::Archive]),
        wrote(check_event(Role::GridWorker, false), Role::GridWorker, 3),
    );
    assert_eq!(view.state, State::InProgress);
    assert!(matches!(void_of(&view, "evaluate"), Some(Void::BuiltOn { .. })));
    assert!(matches!(void_of(&view, "archive"), Some(Void::BuiltOn { .. })));
}

/// The assignee gives it back while the centre gives it to a team as well.
#[test]
fn withdraw_and_dispatch_dispatch_wins() {
    let base = case_in(State::Dispatched, 2);
    let mut more = told(EventKind::Dispatch, &actor(Role::CentreClerk, 3));
    more.to = vec![to(team("fire"))];
    let view =
        apart(&base, does(Role::GridWorker, 3, &[EventKind::Return]), wrote(more, Role::CentreClerk, 3));
    assert_eq!(view.state, State::Dispatched);
    let scopes: Vec<&Scope> = view.assignees.iter().map(|assignee| &assignee.scope).collect();
    assert_eq!(scopes, [&team("fire")]);
    assert!(view.events.iter().all(|event| event.void.is_none()));
}

/// A grid leader was offline for a week and refuses what was registered and nearly done meanwhile.
#[test]
fn a_week_late_reject_does_not_void_the_work_that_followed() {
    let base = case_in(State::Reported, 0);
    let week = |desk: &mut Desk| {
        let leader = actor(Role::GridLeader, 1);
        let worker = actor(Role::GridWorker, 1);
        vec![
            desk.does(&leader, EventKind::Register, MONDAY_MS + HOUR_MS),
            desk.does(&leader, EventKind::Dispatch, MONDAY_MS + 2 * HOUR_MS),
            desk.does(&worker, EventKind::Accept, MONDAY_MS + 30 * HOUR_MS),
            desk.does(&worker, EventKind::Feedback, MONDAY_MS + 100 * HOUR_MS),
        ]
    };
    let view = apart(&base, week, does(Role::GridLeader, 2, &[EventKind::Reject]));
    assert_eq!(view.state, State::Handled);
    assert!(matches!(void_of(&view, "reject"), Some(Void::Lost { .. })));
    assert_eq!(view.events.iter().filter(|event| event.void.is_some()).count(), 1);
}

/// No rule names them: the work of the longer branch stands.
#[test]
fn without_a_rule_the_longer_branch_stands() {
    let base = case_in(State::Registered, 0);
    let work = |desk: &mut Desk| {
        let worker = actor(Role::GridWorker, 1);
        vec![
            desk.does(&actor(Role::GridLeader, 1), EventKind::Dispatch, MONDAY_MS + HOUR_MS),
            desk.does(&worker, EventKind::Accept, MONDAY_MS + 2 * HOUR_MS),
        ]
    };
    let view = apart(&base, work, does(Role::GridLeader, 2, &[EventKind::Escalate]));
    assert_eq!(view.state, State::InProgress);
    assert!(matches!(void_of(&view, "escalate"), Some(Void::Lost { .. })));
}

/// No rule names them: the higher level stands, even against a longer branch.
#[test]
fn without_a_rule_the_higher_level_stands() {
    let base = case_in(State::InProgress, 2);
    let suspend_by = |role: Role| does(role, 3, &[EventKind::Suspend]);
    // The centre suspends while the grid asks to: both fit together.
    let view = apart(&base, suspend_by(Role::GridWorker), suspend_by(Role::CentreClerk));
    assert!(view.suspended);
    // The grid closes the handling; the centre reopens a closed case: nothing is shared.
    let closed = case_in(State::Closed, 0);
    let view = apart(
        &closed,
        wrote(told(EventKind::Evaluate, &actor(Role::WindowClerk, 9)), Role::WindowClerk, 9),
        does(Role::CentreClerk, 3, &[EventKind::Reopen]),
    );
    assert_eq!(view.state, State::Registered);
    assert!(matches!(void_of(&view, "evaluate"), Some(Void::Lost { .. })));
}

#[test]
fn each_rule_of_the_table_decides_in_both_orders() {
    let leader = |kind: &'static [EventKind]| does(Role::GridLeader, 1, kind);
    let reported = case_in(State::Reported, 0);
    let view = apart(
        &reported,
        leader(&[EventKind::Register]),
        does(Role::GridWorker, 1, &[EventKind::CloseOnSpot]),
    );
    assert_eq!(view.state, State::Registered);
    let view =
        apart(&reported, leader(&[EventKind::Reject]), does(Role::GridWorker, 1, &[EventKind::CloseOnSpot]));
    assert_eq!(view.state, State::Handled);
    let view =
        apart(&reported, leader(&[EventKind::Reject]), does(Role::GridLeader, 2, &[EventKind::Escalate]));
    assert_eq!((view.state, view.tier.name()), (State::Reported, "area"));
    let dispatched = case_in(State::Dispatched, 0);
    let view = apart(
        &dispatched,
        does(Role::GridWorker, 1, &[EventKind::Accept]),
        does(Role::GridWorker, 2, &[EventKind::Return]),
    );
    assert_eq!(view.state, State::InProgress);
    let under_way = case_in(State::InProgress, 0);
    let view = apart(
        &under_way,
        does(Role::GridWorker, 1, &[EventKind::Feedback]),
        does(Role::GridWorker, 2, &[EventKind::Return]),
    );
    assert_eq!(view.state, State::Handled);
    let closed = case_in(State::Closed, 0);
    let view = apart(
        &closed,
        does(Role::CentreClerk, 1, &[EventKind::Archive]),
        does(Role::CentreAdmin, 2, &[EventKind::Reopen]),
    );
    assert_eq!(view.state, State::Registered);
    let view = apart(
        &closed,
        does(Role::CentreClerk, 1, &[EventKind::Archive]),
        does(Role::CentreAdmin, 2, &[EventKind::Evaluate]),
    );
    assert_eq!(view.state, State::Archived);
    assert!(view.events.iter().all(|event| event.void.is_none()), "an evaluation fits before the filing");
}

/// What is written beside a merger stays, beneath it.
#[test]
fn a_merger_takes_nothing_away_that_was_written_beside_it() {
    let base = case_in(State::InProgress, 0);
    let view = apart(
        &base,
        does(Role::CentreClerk, 1, &[EventKind::Merge]),
        does(Role::GridWorker, 9, &[EventKind::Feedback]),
    );
    assert_eq!((view.state, view.own_state), (State::Merged, State::Handled));
    assert!(view.events.iter().all(|event| event.void.is_none()));
}

/// The edited rules of another version decide otherwise: a case keeps those that its report names.
#[test]
fn a_case_folds_under_the_rules_that_its_report_names() {
    let mut rules = wangge_model::case::Rules::shipped();
    for rule in &mut rules.merging {
        if rule.events.contains(&"check-pass".to_owned()) {
            rule.wins = "check-pass".to_owned();
        }
    }
    let pass = wrote(check_event(Role::CentreClerk, true), Role::CentreClerk, 3);
    let fail = wrote(check_event(Role::GridWorker, false), Role::GridWorker, 3);
    for (name, expect) in [("1", State::InProgress), ("other", State::Closed)] {
        let mut base = Desk::new(1);
        base.book.add("other", 2, rules.clone(), wangge_model::deadline::Calendar::shipped());
        let clerk = actor(Role::WindowClerk, 9);
        let mut report = told(EventKind::Report, &clerk);
        report.rules = Some(name.to_owned());
        base.act(&clerk, &report, MONDAY_MS);
        for (role, kind) in [
            (Role::GridLeader, EventKind::Register),
            (Role::GridLeader, EventKind::Dispatch),
            (Role::GridWorker, EventKind::Accept),
            (Role::GridWorker, EventKind::Feedback),
        ] {
            base.does(&actor(role, 9), kind, MONDAY_MS);
        }
        assert_eq!(apart(&base, &pass, &fail).state, expect, "{name}");
    }
}

/// A kind of event that a later version brings is kept, shown, and stops this version from going on.
#[test]
fn what_a_newer_version_wrote_is_shown_and_left_alone() {
    let mut desk = case_in(State::InProgress, 0);
    let mut event = told(EventKind::Note, &actor(Role::GridWorker, 1));
    event.word = "teleport".to_owned();
    desk.write(&actor(Role::GridWorker, 1), &event, MONDAY_MS);
    let view = desk.view();
    assert!(view.is_read_only() && view.flags.contains(&Flag::NeedsUpdate));
    assert_eq!(view.events.last().expect("shown").word, "teleport");
    assert_eq!(view.state, State::InProgress);
}

/// Each rule of the shipped table, wherever both of its events are allowed: in both orders of arrival the one
/// counts that the rule names, and the other one is void for that reason or fits beside it.
#[test]
fn each_rule_decides_wherever_both_events_are_allowed() {
    let said = |word: &str, who: &wangge_model::case::Actor| {
        let (name, pass) = match word {
            "check-pass" => ("check", Some(true)),
            "check-fail" => ("check", Some(false)),
            word => (word, None),
        };
        let mut event = told(EventKind::named(name).expect(word), who);
        event.pass = pass;
        // What is dispatched already, the centre alone gives to a further team.
        if name == "dispatch" && who.unit == Scope::Centre {
            event.to = vec![to(team("police"))];
        }
        event
    };
    for rule in &Rulebook::shipped().latest().merging {
        let [a, b] = &rule.events;
        let mut met = 0;
        for (state, _, _) in State::ALL {
            for level in 0..3 {
                let base = case_in(state, level);
                let authors = |word: &str, number: u8| {
                    let roles = Role::ALL.iter().map(|(role, _, _)| actor(*role, number));
                    let lawful = roles.filter(|who| base.try_check(who, &said(word, who)).is_ok());
                    lawful.collect::<Vec<_>>()
                };
                for one in authors(a, 3) {
                    for other in authors(b, 4) {
                        met += 1;
                        let (first, second) = (said(a, &one), said(b, &other));
                        let view = apart(
                            &base,
                            |desk| vec![desk.act(&one, &first, MONDAY_MS + 40 * HOUR_MS)],
                            |desk| vec![desk.act(&other, &second, MONDAY_MS + 40 * HOUR_MS)],
                        );
                        let loser = if rule.wins == *a { b } else { a };
                        let what = format!("{a} by {} and {b} by {} on {state:?}", one.role, other.role);
                        assert_eq!(void_of(&view, &rule.wins), None, "{what}");
                        let lost = matches!(void_of(&view, loser), Some(Void::Lost { .. }));
                        assert_eq!(view.flags.contains(&Flag::LostEvent), lost, "{what}");
                        // Both may fit: an evaluation before the filing, a return before a further dispatch.
                        assert!(lost || void_of(&view, loser).is_none(), "{what}");
                    }
                }
            }
        }
        assert!(met > 0, "{a} and {b} are never both allowed: the rule decides nothing");
    }
}

/// Two of one unit take it on at once: the first has it, and nobody is told that he did wrong.
#[test]
fn two_who_accept_at_once_have_both_done_right() {
    let base = case_in(State::Dispatched, 0);
    let accept = |number| does(Role::GridWorker, number, &[EventKind::Accept]);
    let view = apart(&base, accept(3), accept(4));
    assert_eq!((view.state, view.assignees.len()), (State::InProgress, 1));
    let accepted = |event: &&wangge_model::case::CaseEvent| event.kind == Some(EventKind::Accept);
    let void = view.events.iter().filter(accepted).filter(|event| event.void.is_some()).count();
    assert_eq!((void, view.flags.as_slice()), (1, &[][..]));
}

/// Done while the dispatcher suspended it: he could not know, and his work counts. Had he known, he would have
/// let it go on first.
#[test]
fn feedback_that_could_not_know_of_the_suspension_counts() {
    let base = case_in(State::InProgress, 0);
    let worker = actor(Role::GridWorker, 9);
    let view = apart(
        &base,
        |desk| vec![desk.does(&worker, EventKind::Feedback, MONDAY_MS + 30 * HOUR_MS)],
        does(Role::GridLeader, 3, &[EventKind::Suspend]),
    );
    assert_eq!((view.state, void_of(&view, "feedback")), (State::Handled, None));
    let mut held = base.copy(5);
    held.does(&actor(Role::GridLeader, 3), EventKind::Suspend, MONDAY_MS + 30 * HOUR_MS);
    held.write(&worker, &told(EventKind::Feedback, &worker), MONDAY_MS + 31 * HOUR_MS);
    let view = held.view();
    assert_eq!((view.state, view.suspended), (State::InProgress, true));
    assert_eq!(void_of(&view, "feedback"), Some(Void::Not(Why::Suspended)));
}
