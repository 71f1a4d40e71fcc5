//! Every event in every state by every post, on every level.

use std::collections::BTreeSet;

use wangge_model::case::{EventKind, State, TABLE, Tier, Who, Why, row_of};
use wangge_model::identity::{Role, Scope};
use wangge_model::schema::Kind;

use crate::desk::{GRID, MONDAY_MS, actor, case_in, team, to, told};

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
                                let by_person = matches!(
                                    kind,
                                    EventKind::Accept | EventKind::Return | EventKind::Feedback
                                ) || refusal.roles.contains(could)
                                    || matches!(kind, EventKind::Extend | EventKind::Suspend);
                                assert!(by_person || kind == EventKind::Note, "{what} does not name {could}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tried, 10 * 3 * 22 * 10);
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
        ("discipline", 4, true, false),
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

/// Admission judges by the schema, commands by the table as well: what one allows the other does not void,
/// and the schema lets nobody in whom the table never would.
#[test]
fn admission_and_commands_know_the_same_roles() {
    let posts = |who: &Who| -> Vec<Role> {
        match who {
            // Whoever can be given a case, and the centre, which carries over what a team did.
            Who::Assignee => {
                let fits = |role: &Role| {
                    let units = [Scope::Grid(String::new()), Scope::Area(String::new()), team("fire")];
                    *role != Role::WindowClerk && units.iter().any(|unit| role.fits(unit))
                };
                Role::ALL.iter().map(|(role, _, _)| *role).filter(fits).chain(CENTRE).collect()
            }
            Who::Reporter => match row_of(EventKind::Report).expect("a row").who {
                [Who::Post(roles)] => roles.to_vec(),
                other => panic!("{other:?}"),
            },
            who => {
                [Tier::Grid, Tier::Area, Tier::Centre].into_iter().flat_map(|tier| who.roles(tier)).collect()
            }
        }
    };
    let access = &Kind::CASE.spec().expect("known").access;
    for row in TABLE {
        let table: BTreeSet<Role> = row.who.iter().flat_map(posts).collect();
        let schema = access.event(row.kind.name()).unwrap_or_else(|| panic!("{:?} is not there", row.kind));
        assert_eq!(schema.roles.iter().copied().collect::<BTreeSet<Role>>(), table, "{}", row.kind.name());
    }
    let others = access.events.iter().filter(|event| event.name != EventKind::Note.name());
    assert_eq!(others.count(), TABLE.len());
}
