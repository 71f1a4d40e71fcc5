//! Every event in every state by every post, on every level.

use wangge_model::case::{Actor, EventKind, State, TABLE, Target, Why, posts, row_of, steps};
use wangge_model::identity::{Role, Scope};
use wangge_model::schema::Kind;

use crate::desk::{Desk, GRID, MONDAY_MS, actor, case_in, team, to, told};

/// After all that brings a case into a state.
const LATER_MS: u64 = MONDAY_MS + 24 * crate::desk::HOUR_MS;

const CENTRE: [Role; 2] = [Role::CentreClerk, Role::CentreAdmin];

fn owners(level: usize) -> Vec<Role> {
    match level {
        0 => vec![Role::GridLeader],
        1 => vec![Role::AreaClerk, Role::AreaHead],
        _ => CENTRE.to_vec(),
    }
}

fn owners_from(level: usize) -> Vec<Role> {
    (level..3).flat_map(owners).collect()
}

/// The regulation's table once more, by hand: who may write an event on a case that stands in `state`, is
/// owned on `level` and was given to the grid by whoever owns it.
fn expected(state: State, level: usize, kind: EventKind) -> Vec<Role> {
    use State::{Closed, Dispatched, Evaluated, Handled, InProgress, Merged, Registered, Reported};
    let grid = vec![Role::GridWorker, Role::GridLeader];
    let leaders = vec![Role::CentreClerk, Role::CentreAdmin, Role::StreetLeader];
    let when = |states: &[State], roles: Vec<Role>| if states.contains(&state) { roles } else { Vec::new() };
    let open = [Reported, Registered, Dispatched, InProgress, Handled];
    match kind {
        EventKind::Report => Vec::new(),
        EventKind::Note => Role::ALL
            .iter()
            .map(|(role, _, _)| *role)
            .filter(|role| !matches!(role, Role::TeamMember | Role::TeamLead))
            .filter(|role| !matches!(role, Role::SecurityAdmin | Role::AuditAdmin))
            .collect(),
        EventKind::CloseOnSpot => when(&[Reported], grid),
        EventKind::Verify => when(&[Reported], vec![Role::GridWorker]),
        EventKind::Register | EventKind::Reject => when(&[Reported], owners(level)),
        EventKind::Escalate if level < 2 => when(&[Reported, Registered], owners(level)),
        EventKind::Escalate => Vec::new(),
        EventKind::Dispatch => when(&[Registered], owners_from(level)),
        // One unit has it, so nobody is needed to lead.
        EventKind::AppointLead => Vec::new(),
        EventKind::Accept => when(&[Dispatched], grid),
        EventKind::Return => when(&[Dispatched, InProgress], grid),
        EventKind::Extend | EventKind::Suspend => {
            let mut roles = vec![Role::GridWorker, Role::GridLeader];
            roles.extend(owners_from(level));
            when(&[InProgress], roles)
        }
        // Nothing stands still.
        EventKind::Resume => Vec::new(),
        EventKind::Feedback => when(&[InProgress], grid),
        EventKind::Check => when(&[Handled], vec![Role::GridWorker, Role::CentreClerk, Role::CentreAdmin]),
        EventKind::Evaluate => when(&[Closed], CENTRE.to_vec()),
        EventKind::Archive => when(&[Closed, Evaluated], CENTRE.to_vec()),
        EventKind::Urge | EventKind::Supervise => when(&open, leaders),
        EventKind::Reopen => when(&[Closed], CENTRE.to_vec()),
        EventKind::Merge if state == Merged => Vec::new(),
        EventKind::Merge => CENTRE.to_vec(),
    }
}

#[test]
fn each_event_in_each_state_by_each_post() {
    let mut tried = 0;
    for (state, _, _) in State::ALL {
        for level in 0..3 {
            let desk = case_in(state, level);
            for (kind, name, _) in EventKind::ALL {
                let allowed = expected(state, level, kind);
                for (role, role_name, _) in Role::ALL {
                    tried += 1;
                    // Nobody who has had a hand in it before.
                    let who = actor(role, 3);
                    let outcome = desk.try_check(&who, &told(kind, &who));
                    let what = format!("{name} by {role_name} on {state:?}, level {level}");
                    match outcome {
                        Ok(_) => assert!(allowed.contains(&role), "{what} was allowed"),
                        Err(refusal) => {
                            assert!(!allowed.contains(&role), "{what} was refused: {refusal:?}");
                            assert!(!refusal.who.is_empty() || kind == EventKind::Note, "{what}: who could?");
                            // Where anyone could, the refusal of the others names him.
                            for could in &allowed {
                                let by_person =
                                    matches!(
                                        kind,
                                        EventKind::Accept | EventKind::Return | EventKind::Feedback
                                    ) || refusal.who.iter().any(|(_, posts)| posts.contains(could))
                                        || matches!(kind, EventKind::Extend | EventKind::Suspend);
                                assert!(by_person || kind == EventKind::Note, "{what} does not name {could}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tried, 10 * 3 * 22 * 12);
}

/// What the fold makes of an event that a command would refuse is the same: void, with the same reason.
#[test]
fn what_a_command_refuses_is_void_in_the_fold() {
    for (state, _, _) in State::ALL {
        let desk = case_in(state, 0);
        for (kind, name, _) in EventKind::ALL {
            for (role, _, _) in Role::ALL {
                let who = actor(role, 3);
                let event = told(kind, &who);
                // Admission sees to it that a post reaches the unit; the fold is told no units.
                if !wangge_model::case::Site::reached_from(&crate::desk::site(), role, &who.unit) {
                    continue;
                }
                let refused = desk.try_check(&who, &event).err();
                let mut forced = desk.clone();
                forced.write(&who, &event, MONDAY_MS + 100);
                let view = forced.view();
                let void = view.events.last().expect("an event").void.clone();
                if kind != EventKind::Note {
                    assert_eq!(
                        void,
                        refused.map(|refusal| wangge_model::case::Void::Not(refusal.why)),
                        "{name} by {role} on {state:?}"
                    );
                }
                if void.is_some() {
                    assert_eq!(view.state, state, "a void {name} moved the case");
                }
            }
        }
    }
}

#[test]
fn a_report_by_each_post() {
    let desk = crate::desk::Desk::new(1);
    let filers =
        [Role::GridWorker, Role::GridLeader, Role::WindowClerk, Role::CentreClerk, Role::CentreAdmin];
    for (role, _, _) in Role::ALL {
        let who = actor(role, 3);
        let allowed = desk.try_check(&who, &told(EventKind::Report, &who)).is_ok();
        assert_eq!(allowed, filers.contains(&role), "{role}");
    }
}

/// 网格长 in the grid, the area in the area, teams by the centre alone.
#[test]
fn a_dispatch_goes_no_further_than_its_author() {
    let desk = case_in(State::Registered, 0);
    let grid = Scope::Grid(GRID.to_owned());
    let area = Scope::Area("330881121".to_owned());
    for (role, _, _) in Role::ALL {
        for (scope, allowed) in [
            (&grid, owners_from(0)),
            (&area, owners_from(1)),
            (&team("fire"), owners_from(2)),
            (&Scope::Centre, Vec::new()),
        ] {
            let who = actor(role, 3);
            let mut event = told(EventKind::Dispatch, &who);
            event.to = vec![to(scope.clone())];
            let outcome = desk.try_check(&who, &event);
            assert_eq!(outcome.is_ok(), allowed.contains(&role), "{role} to {scope}");
            if *scope == team("fire") && role == Role::GridLeader {
                assert_eq!(outcome.expect_err("refused").why, Why::Teams);
            }
        }
    }
}

/// Whoever is given a case has to see it: it is given to no grid and no area but those where it lies.
#[test]
fn a_case_is_given_to_nobody_who_does_not_see_it() {
    for (role, escalations) in [(Role::GridLeader, 0), (Role::AreaHead, 1), (Role::CentreClerk, 2)] {
        let desk = case_in(State::Registered, escalations);
        let who = actor(role, 3);
        for (scope, seen) in [
            (Scope::Grid(GRID.to_owned()), true),
            (Scope::Grid("330881121201".to_owned()), false),
            // A sub-grid holds its own records, not those around it.
            (Scope::Grid(format!("{GRID}-1")), false),
            (Scope::Area("330881122".to_owned()), false),
        ] {
            let mut event = told(EventKind::Dispatch, &who);
            event.to = vec![to(scope.clone())];
            match desk.try_check(&who, &event) {
                Ok(_) => assert!(seen, "{role} to {scope}"),
                // What is out of his reach anyway is said as such.
                Err(refusal) if role == Role::GridLeader && matches!(scope, Scope::Area(_)) => {
                    assert!(matches!(refusal.why, Why::Target { .. }), "{:?}", refusal.why);
                }
                Err(refusal) => assert_eq!(refusal.why, Why::OutOfSight { scope }, "{role}"),
            }
        }
    }
}

/// What was handled on the spot was never registered; once it is reopened it is, and its seven steps say so.
#[test]
fn a_reopened_case_is_an_established_one() {
    let mut desk = case_in(State::Reported, 0);
    let worker = actor(Role::GridWorker, 1);
    let clerk = actor(Role::CentreClerk, 1);
    desk.does(&worker, EventKind::CloseOnSpot, LATER_MS + 2);
    desk.does(&clerk, EventKind::Check, LATER_MS + 3);
    let established = |desk: &Desk| steps(&desk.view())[1].done_ms;
    assert_eq!(established(&desk), None);
    desk.does(&clerk, EventKind::Reopen, LATER_MS + 4);
    assert_eq!(established(&desk), Some(LATER_MS + 4));
}

/// Several teams: the centre calls the second one in, a street leader says who leads.
#[test]
fn several_teams_are_led_by_whom_a_street_leader_names() {
    let mut desk = case_in(State::Registered, 2);
    let centre = actor(Role::CentreClerk, 1);
    let leader = actor(Role::StreetLeader, 1);
    let mut first = told(EventKind::Dispatch, &centre);
    first.to = vec![to(team("fire"))];
    desk.act(&centre, &first, LATER_MS);
    let mut lead = told(EventKind::AppointLead, &leader);
    lead.to = vec![to(team("police"))];
    assert_eq!(desk.try_check(&leader, &lead).expect_err("one team").why, Why::NotSeveralTeams);
    let mut second = told(EventKind::Dispatch, &centre);
    second.to = vec![to(team("police"))];
    desk.act(&centre, &second, LATER_MS);
    let view = desk.view();
    assert_eq!(view.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(), ["lead-needed"]);
    assert_eq!(desk.try_check(&centre, &second).expect_err("twice").why, {
        Why::AlreadyThere { scope: team("police") }
    });
    for (role, _, _) in Role::ALL {
        let who = actor(role, 3);
        let mut event = told(EventKind::AppointLead, &who);
        event.to = vec![to(team("police"))];
        assert_eq!(desk.try_check(&who, &event).is_ok(), role == Role::StreetLeader, "{role}");
    }
    desk.act(&leader, &lead, LATER_MS);
    let view = desk.view();
    let leads: Vec<bool> = view.assignees.iter().map(|assignee| assignee.lead).collect();
    assert_eq!((leads, view.led_by, view.flags.len()), (vec![false, true], Some(leader.worker), 0));
}

/// Whoever handled a case never checks it, and who reported it may evaluate it.
#[test]
fn the_handler_does_not_check_and_the_reporter_evaluates() {
    let handler = actor(Role::GridWorker, 9);
    let mut desk = case_in(State::Handled, 0);
    let refusal = desk.try_check(&handler, &told(EventKind::Check, &handler)).expect_err("refused");
    assert_eq!(refusal.why, Why::Handler);
    desk.does(&actor(Role::GridWorker, 3), EventKind::Check, MONDAY_MS + 1);
    let reporter = actor(Role::WindowClerk, 9);
    assert!(desk.try_check(&actor(Role::WindowClerk, 3), &told(EventKind::Evaluate, &reporter)).is_err());
    desk.does(&reporter, EventKind::Evaluate, MONDAY_MS + 2);
    assert_eq!((desk.view().state, desk.view().score), (State::Evaluated, Some(90)));
}

/// A request waits for the dispatcher; his own word needs no request.
#[test]
fn the_assignee_asks_and_the_dispatcher_decides() {
    let worker = actor(Role::GridWorker, 9);
    let leader = actor(Role::GridLeader, 9);
    let mut desk = case_in(State::InProgress, 0);
    desk.does(&worker, EventKind::Suspend, MONDAY_MS);
    assert!(!desk.view().suspended);
    assert_eq!(desk.view().asks.len(), 1);
    let mut no = told(EventKind::Suspend, &leader);
    no.refuse = true;
    desk.act(&leader, &no, MONDAY_MS);
    assert!(desk.view().asks.is_empty() && !desk.view().suspended);
    assert_eq!(desk.try_check(&leader, &no).expect_err("nothing asked").why, Why::NothingAsked);
    desk.does(&worker, EventKind::Suspend, MONDAY_MS);
    desk.does(&leader, EventKind::Suspend, MONDAY_MS);
    assert!(desk.view().suspended);
    assert!(desk.try_check(&worker, &told(EventKind::Suspend, &worker)).is_err());
    desk.does(&worker, EventKind::Resume, MONDAY_MS);
    assert!(!desk.view().suspended);
    let mut far = told(EventKind::Extend, &worker);
    far.days = Some(99);
    assert_eq!(desk.try_check(&worker, &far).expect_err("too far").why, Why::Days { max: 15 });
}

/// A matter that is not minor is not closed on the spot, by whomever.
#[test]
fn only_minor_classes_close_on_the_spot() {
    for (category, level, minor, allowed) in [
        ("civic", 4, true, true),
        ("civic", 4, false, false),
        ("civic", 1, true, false),
        ("illegal-building", 4, true, false),
    ] {
        let who = actor(Role::GridWorker, 1);
        let mut desk = crate::desk::Desk::new(1);
        let mut report = told(EventKind::Report, &who);
        (report.category, report.level, report.minor) = (Some(category.to_owned()), Some(level), minor);
        desk.act(&who, &report, MONDAY_MS);
        let outcome = desk.try_check(&who, &told(EventKind::CloseOnSpot, &who));
        assert_eq!(outcome.map(|_| ()).map_err(|refusal| refusal.why), {
            if allowed { Ok(()) } else { Err(Why::NotMinor) }
        });
    }
}

/// What goes past the grid is the centre's from the report on, and is given to teams alone.
#[test]
fn a_line_that_goes_past_the_grid_is_the_centres_alone() {
    let centre = actor(Role::CentreClerk, 9);
    let report = |who: &Actor| {
        let mut event = told(EventKind::Report, who);
        event.category = Some("discipline".to_owned());
        event
    };
    let filers = posts(EventKind::Report);
    for (role, _, _) in Role::ALL {
        let (who, desk) = (actor(role, 3), Desk::new(1));
        let outcome = desk.try_check(&who, &report(&who)).map_err(|refusal| refusal.why);
        match (CENTRE.contains(&role), filers.contains(&role)) {
            (true, _) => assert!(outcome.is_ok(), "{role}"),
            (false, true) => assert_eq!(outcome.expect_err("refused"), Why::BypassesGrid, "{role}"),
            (false, false) => assert_eq!(outcome.expect_err("refused"), Why::Who, "{role}"),
        }
        // An older version may have written it all the same: it counts for nothing.
        let mut forced = Desk::new(1);
        forced.write(&who, &report(&who), MONDAY_MS);
        assert_eq!(forced.view().reporter.is_some(), CENTRE.contains(&role), "{role}");
    }
    let mut desk = Desk::new(1);
    desk.act(&centre, &report(&centre), MONDAY_MS);
    for (role, _, _) in Role::ALL {
        let who = actor(role, 3);
        let registers = desk.try_check(&who, &told(EventKind::Register, &who)).is_ok();
        assert_eq!(registers, CENTRE.contains(&role), "{role}");
    }
    desk.does(&centre, EventKind::Register, MONDAY_MS);
    for (scope, allowed) in [
        (Scope::Grid(GRID.to_owned()), false),
        (Scope::Area("330881121".to_owned()), false),
        (team("police"), true),
    ] {
        let mut event = told(EventKind::Dispatch, &centre);
        event.to = vec![to(scope)];
        let why = desk.try_check(&centre, &event).err().map(|refusal| refusal.why);
        assert_eq!(why, if allowed { None } else { Some(Why::BypassesGrid) });
    }
}

/// A case that stands still: nothing is handed in before it goes on, and all else is as before.
#[test]
fn each_event_by_each_post_on_a_suspended_case() {
    let mut held = case_in(State::InProgress, 0);
    held.does(&actor(Role::GridLeader, 9), EventKind::Suspend, LATER_MS);
    for (kind, name, _) in EventKind::ALL {
        let allowed = match kind {
            EventKind::Feedback | EventKind::Suspend => Vec::new(),
            EventKind::Resume => expected(State::InProgress, 0, EventKind::Extend),
            kind => expected(State::InProgress, 0, kind),
        };
        for (role, _, _) in Role::ALL {
            let who = actor(role, 3);
            let outcome = held.try_check(&who, &told(kind, &who)).map_err(|refusal| refusal.why);
            assert_eq!(outcome.is_ok(), allowed.contains(&role), "{name} by {role}: {outcome:?}");
            if kind == EventKind::Feedback && expected(State::InProgress, 0, kind).contains(&role) {
                assert_eq!(outcome.expect_err("refused"), Why::Suspended);
            }
        }
    }
    let worker = actor(Role::GridWorker, 3);
    held.does(&worker, EventKind::Resume, LATER_MS);
    held.does(&worker, EventKind::Feedback, LATER_MS);
    assert_eq!(held.view().state, State::Handled);
}

/// The schema gives the posts, which admission judges by: nobody stands there who never could write the event
/// on any case, and each event has a row.
#[test]
fn each_post_of_the_schema_can_write_its_event_on_some_case() {
    let mut desks: Vec<Desk> = Vec::new();
    for (state, _, _) in State::ALL {
        desks.extend((0..3).map(|level| case_in(state, level)));
    }
    desks.push(Desk::new(1));
    let scopes = [Scope::Area("330881121".to_owned()), team("fire"), team("police")];
    for accepted in [false, true] {
        let mut desk = case_in(State::Registered, 2);
        let centre = actor(Role::CentreClerk, 1);
        let mut dispatch = told(EventKind::Dispatch, &centre);
        dispatch.to = scopes.iter().cloned().map(to).collect();
        desk.act(&centre, &dispatch, LATER_MS);
        if accepted {
            desk.does(&actor(Role::AreaHead, 1), EventKind::Accept, LATER_MS);
        }
        desks.push(desk.clone());
        desk.does(&actor(Role::StreetLeader, 1), EventKind::AppointLead, LATER_MS);
        desks.push(desk);
    }
    let mut suspended = case_in(State::InProgress, 0);
    suspended.does(&actor(Role::GridLeader, 1), EventKind::Suspend, LATER_MS);
    desks.push(suspended.clone());
    let mut higher = desks[desks.len() - 2].clone();
    higher.does(&actor(Role::CentreClerk, 1), EventKind::Suspend, LATER_MS);
    desks.push(higher);
    for filer in posts(EventKind::Report) {
        let mut closed = Desk::new(1);
        closed.does(&actor(*filer, 9), EventKind::Report, MONDAY_MS);
        for (role, kind) in [
            (Role::GridLeader, EventKind::Register),
            (Role::GridLeader, EventKind::Dispatch),
            (Role::GridWorker, EventKind::Accept),
            (Role::GridWorker, EventKind::Feedback),
            (Role::CentreClerk, EventKind::Check),
        ] {
            closed.does(&actor(role, 7), kind, MONDAY_MS);
        }
        desks.push(closed);
    }
    let may = |kind: EventKind, role: Role| {
        desks.iter().any(|desk| {
            [3, 9].into_iter().map(|number| actor(role, number)).any(|who| {
                let mut event = told(kind, &who);
                if kind == EventKind::AppointLead {
                    event.to = vec![to(team("police"))];
                }
                desk.try_check(&who, &event).is_ok()
            })
        })
    };
    // A team answers on its order; the centre carries it over into the case.
    let carried = [EventKind::Accept, EventKind::Return, EventKind::Extend].into_iter().chain([
        EventKind::Suspend,
        EventKind::Resume,
        EventKind::Feedback,
    ]);
    let carried: Vec<EventKind> = carried.collect();
    let carriers = [Role::TeamMember, Role::TeamLead, Role::CentreClerk, Role::CentreAdmin];
    let events = &Kind::CASE.spec().expect("known").access.events;
    assert_eq!(events.len(), EventKind::ALL.len());
    for (event, (kind, name, _)) in events.iter().zip(EventKind::ALL) {
        assert_eq!((event.name, posts(kind)), (name, event.roles), "the two lists differ in their order");
        assert!(row_of(kind).is_some() || kind == EventKind::Note, "{name} has no row");
        for role in event.roles {
            let by_carrying = carried.contains(&kind) && carriers.contains(role);
            assert!(by_carrying || may(kind, *role), "no {role} can ever {name}");
        }
    }
    assert_eq!(TABLE.len(), EventKind::ALL.len() - 1);
}

/// Who took a case on and gave it back had no hand in what others made of it: he may check it.
#[test]
fn whoever_gave_a_case_back_is_no_handler() {
    let (first, second) = (actor(Role::GridWorker, 4), actor(Role::GridWorker, 5));
    let check = |desk: &Desk, who| desk.try_check(who, &told(EventKind::Check, who)).map_err(|e| e.why);
    let mut desk = case_in(State::Dispatched, 0);
    desk.does(&first, EventKind::Accept, MONDAY_MS);
    desk.does(&first, EventKind::Return, MONDAY_MS);
    desk.does(&actor(Role::GridLeader, 1), EventKind::Dispatch, MONDAY_MS);
    desk.does(&second, EventKind::Accept, MONDAY_MS);
    desk.does(&second, EventKind::Feedback, MONDAY_MS);
    assert!(check(&desk, &first).is_ok());
    assert_eq!(check(&desk, &second).expect_err("refused"), Why::Handler);
    // Given back after a rework, and to another one.
    desk.does(&first, EventKind::Check, MONDAY_MS);
    let mut desk = case_in(State::InProgress, 0);
    desk.does(&second, EventKind::Feedback, MONDAY_MS);
    let mut fail = told(EventKind::Check, &first);
    fail.pass = Some(false);
    desk.act(&first, &fail, MONDAY_MS);
    desk.does(&second, EventKind::Return, MONDAY_MS);
    desk.does(&actor(Role::GridLeader, 1), EventKind::Dispatch, MONDAY_MS);
    desk.does(&first, EventKind::Accept, MONDAY_MS);
    desk.does(&first, EventKind::Feedback, MONDAY_MS);
    assert!(check(&desk, &second).is_ok());
    assert_eq!(check(&desk, &first).expect_err("refused"), Why::Handler);
}

/// Somebody who helped and did not lead still never checks; one who gave it back while others kept it may.
#[test]
fn an_assistant_is_a_handler_until_he_gives_it_back() {
    let grid = Scope::Grid(GRID.to_owned());
    let (lead, helper) = (actor(Role::GridWorker, 4), actor(Role::GridWorker, 5));
    let target = |who: &wangge_model::case::Actor| Target { scope: grid.clone(), worker: Some(who.worker) };
    let mut base = case_in(State::Registered, 0);
    let leader = actor(Role::GridLeader, 1);
    let mut dispatch = told(EventKind::Dispatch, &leader);
    dispatch.to = vec![target(&lead), target(&helper)];
    base.act(&leader, &dispatch, MONDAY_MS);
    for who in [&lead, &helper] {
        base.does(who, EventKind::Accept, MONDAY_MS);
    }
    for (gives_back, expected) in [(false, Some(Why::Handler)), (true, None)] {
        let mut desk = base.clone();
        if gives_back {
            desk.does(&helper, EventKind::Return, MONDAY_MS);
        }
        desk.does(&lead, EventKind::Feedback, MONDAY_MS);
        let outcome = desk.try_check(&helper, &told(EventKind::Check, &helper));
        assert_eq!(outcome.err().map(|refusal| refusal.why), expected);
    }
}
