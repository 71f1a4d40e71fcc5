//! Orders for teams: what goes over, what comes back, however often and by whomever.

use wangge_model::case::{
    Crossing, CrossingTarget, Effect, EventKind, Order, OrderState, State, Told, Void, crossings, fold,
};
use wangge_model::document::{Document, Origin};
use wangge_model::identity::{DocId, LogId, Role, Scope};
use wangge_model::schema::Kind;

use crate::desk::{Desk, HOUR_MS, MONDAY_MS, actor, case_in, site, team, to, told};

/// A case and the orders that were made of it.
struct Office {
    desk: Desk,
    orders: Vec<(Scope, Document)>,
    seq: u64,
    official: String,
}

fn facts(official: &str) -> CrossingTarget {
    CrossingTarget {
        scope: Some(site().scope),
        number: "121200-ab-1".to_owned(),
        official_number: official.to_owned(),
        text: "仓库堵塞通道".to_owned(),
        place: "溪淤 1 号".to_owned(),
    }
}

impl Office {
    fn new() -> Self {
        Self { desk: case_in(State::Registered, 2), orders: Vec::new(), seq: 100, official: String::new() }
    }

    fn due(&self) -> Vec<Crossing> {
        let orders: Vec<Order> =
            self.orders.iter().map(|(team, document)| Order::of(team, &document.view())).collect();
        let carrier = (Role::CentreAdmin, &Scope::Centre);
        crossings(&self.desk.view(), &facts(&self.official), &orders, carrier, &self.desk.book)
    }

    fn origin(&mut self, worker: DocId, wall_ms: u64) -> Origin {
        self.seq += 1;
        Origin {
            log: LogId([77; 8]),
            seq: self.seq,
            lamport: 1_000 + self.seq,
            worker,
            wall_ms,
            observed_ms: 0,
            actor: [77; 16],
        }
    }

    /// Does what is due until nothing is; how much it was.
    fn settle(&mut self) -> usize {
        let mut done = 0;
        loop {
            let due = self.due();
            if due.is_empty() {
                return done;
            }
            for crossing in due {
                self.carry(&crossing);
                done += 1;
            }
            assert!(done < 50, "it never ends");
        }
    }

    fn carry(&mut self, crossing: &Crossing) {
        let origin = self.origin(DocId([0; 16]), crossing.wall_ms);
        if crossing.kind == Kind::CASE {
            let change = self.desk.document.draft(crossing.ops.clone());
            self.desk.take(&(change, origin));
            self.official = self.desk.document.view().text("official_number");
            return;
        }
        let place = self.orders.iter().position(|(_, document)| document.id() == crossing.doc);
        let place = place.unwrap_or_else(|| {
            let document = Document::new(crossing.doc, crossing.kind).expect("known");
            self.orders.push((crossing.scope.clone(), document));
            self.orders.len() - 1
        });
        let document = &mut self.orders[place].1;
        let change = document.draft(crossing.ops.clone());
        document.apply(&change, &origin).expect("applies");
    }

    /// Someone of the team writes to its order.
    fn team_writes(&mut self, place: usize, event: &Told, role: Role, wall_ms: u64) {
        let mut event = event.clone();
        event.role = Some(role);
        event.unit = Some(self.orders[place].0.clone());
        let origin = self.origin(DocId([200; 16]), wall_ms);
        let document = &mut self.orders[place].1;
        let op = wangge_model::document::Op {
            target: wangge_model::document::Target::Event { container: "events".to_owned() },
            value: Some(event.encode()),
        };
        let change = document.draft(vec![op]);
        document.apply(&change, &origin).expect("applies");
    }

    fn order(&self, place: usize) -> Order {
        Order::of(&self.orders[place].0, &self.orders[place].1.view())
    }

    fn dispatch(&mut self, teams: &[&str]) {
        let clerk = actor(Role::CentreClerk, 1);
        let mut event = told(EventKind::Dispatch, &clerk);
        event.to = teams.iter().map(|name| to(team(name))).collect();
        self.desk.act(&clerk, &event, MONDAY_MS + 24 * HOUR_MS);
    }
}

fn said(kind: EventKind, text: &str) -> Told {
    Told { text: Some(text.to_owned()), ..Told::new(kind, Role::TeamLead, &team("fire")) }
}

#[test]
fn an_order_carries_what_the_team_needs_and_its_answers_come_back() {
    let mut office = Office::new();
    office.dispatch(&["fire"]);
    assert_eq!(office.settle(), 2);
    assert!(office.official.len() > 10);
    let order = office.orders[0].1.view();
    assert_eq!(order.text("text"), "仓库堵塞通道");
    assert_eq!(order.text("category"), "创建");
    assert!(order.value("due").is_some() && order.text("person").is_empty());
    assert_eq!(order.text("case"), office.desk.view().id.to_string());
    assert_eq!(office.settle(), 0, "what was carried over is not carried again");

    office.team_writes(0, &said(EventKind::Accept, ""), Role::TeamMember, MONDAY_MS + 25 * HOUR_MS);
    assert_eq!(office.settle(), 1);
    let view = office.desk.view();
    assert_eq!(view.state, State::InProgress);
    let accept = view.events.last().expect("an event");
    assert_eq!((accept.worker, accept.role), (DocId([200; 16]), Some(Role::TeamMember)));
    assert_eq!(accept.claimed_ms, MONDAY_MS + 25 * HOUR_MS);

    office.team_writes(0, &said(EventKind::Feedback, "已清理"), Role::TeamLead, MONDAY_MS + 26 * HOUR_MS);
    office.settle();
    assert_eq!(office.desk.view().state, State::Handled);
    assert_eq!(office.order(0).state, OrderState::Done);

    // Not good enough: the team hears of it, and does it again.
    let clerk = actor(Role::CentreClerk, 1);
    let mut fail = told(EventKind::Check, &clerk);
    fail.pass = Some(false);
    office.desk.act(&clerk, &fail, MONDAY_MS + 27 * HOUR_MS);
    office.settle();
    assert_eq!(office.order(0).state, OrderState::Accepted);
    office.team_writes(0, &said(EventKind::Feedback, "再次清理"), Role::TeamLead, MONDAY_MS + 28 * HOUR_MS);
    office.settle();
    office.desk.does(&clerk, EventKind::Check, MONDAY_MS + 29 * HOUR_MS);
    office.settle();
    assert_eq!((office.desk.view().state, office.order(0).state), (State::Closed, OrderState::Closed));
    assert!(office.desk.view().events.iter().all(|event| event.void.is_none()));
}

/// The relay and a workstation carry the same answer over at once: it counts once.
#[test]
fn what_is_carried_over_twice_counts_once() {
    let mut office = Office::new();
    office.dispatch(&["fire"]);
    office.settle();
    office.team_writes(0, &said(EventKind::Accept, ""), Role::TeamLead, MONDAY_MS + 25 * HOUR_MS);
    let due = office.due();
    assert_eq!(due.len(), 1);
    for crossing in [&due[0], &due[0]] {
        office.carry(crossing);
    }
    let view = office.desk.view();
    assert_eq!(view.state, State::InProgress);
    let voids: Vec<_> = view.events.iter().filter_map(|event| event.void.clone()).collect();
    assert!(matches!(voids[..], [Void::Duplicate { .. }]), "{voids:?}");
    assert_eq!(office.settle(), 0);
}

#[test]
fn several_teams_have_an_order_each_and_the_lead_ends_the_handling() {
    let mut office = Office::new();
    office.dispatch(&["fire", "police"]);
    assert_eq!(office.settle(), 3);
    assert_eq!(office.desk.view().flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(), ["lead-needed"]);
    let leader = actor(Role::StreetLeader, 1);
    let mut lead = told(EventKind::AppointLead, &leader);
    lead.to = vec![to(team("police"))];
    office.desk.act(&leader, &lead, MONDAY_MS + 25 * HOUR_MS);
    let place = |office: &Office, name: &str| {
        office.orders.iter().position(|(scope, _)| *scope == team(name)).expect("an order")
    };
    let (fire, police) = (place(&office, "fire"), place(&office, "police"));
    for order in [fire, police] {
        office.team_writes(order, &said(EventKind::Accept, ""), Role::TeamLead, MONDAY_MS + 26 * HOUR_MS);
    }
    office.team_writes(
        fire,
        &said(EventKind::Feedback, "消防完成"),
        Role::TeamLead,
        MONDAY_MS + 27 * HOUR_MS,
    );
    office.settle();
    assert_eq!(office.desk.view().state, State::InProgress);
    office.team_writes(
        police,
        &said(EventKind::Feedback, "都完成"),
        Role::TeamLead,
        MONDAY_MS + 28 * HOUR_MS,
    );
    office.settle();
    assert_eq!(office.desk.view().state, State::Handled);
}

/// A team that assists says what it did after the lead is done, in another scope, of which it knows nothing:
/// that is kept beside, however late it is carried over, until the case lies in the archive.
#[test]
fn an_assisting_teams_work_counts_after_the_lead_is_done() {
    for checked in [false, true] {
        let mut office = Office::new();
        office.dispatch(&["police", "fire"]);
        office.settle();
        let place = |office: &Office, name: &str| {
            office.orders.iter().position(|(scope, _)| *scope == team(name)).expect("an order")
        };
        let (fire, police) = (place(&office, "fire"), place(&office, "police"));
        let at = |hour: u64| MONDAY_MS + hour * HOUR_MS;
        for order in [fire, police] {
            office.team_writes(order, &said(EventKind::Accept, ""), Role::TeamLead, at(26));
        }
        office.team_writes(police, &said(EventKind::Feedback, "已执法"), Role::TeamLead, at(27));
        office.settle();
        assert_eq!(office.desk.view().state, State::Handled);
        // Offline while the case was checked.
        office.team_writes(fire, &said(EventKind::Feedback, "已清理"), Role::TeamMember, at(27));
        if checked {
            let clerk = actor(Role::CentreClerk, 1);
            office.desk.does(&clerk, EventKind::Check, at(28));
        }
        office.settle();
        let view = office.desk.view();
        assert_eq!(view.state, if checked { State::Closed } else { State::Handled });
        let work: Vec<_> =
            view.events.iter().filter(|event| event.kind == Some(EventKind::Feedback)).collect();
        assert_eq!(work.len(), 2);
        assert!(work.iter().all(|event| event.void.is_none()), "{work:?}");
        assert_eq!(work[1].effect, Some(Effect::Beside));
    }
}

/// A team gives its order back; the case can be dispatched again, with an order of its own.
#[test]
fn a_returned_order_frees_the_case() {
    let mut office = Office::new();
    office.dispatch(&["fire"]);
    office.settle();
    let mut back = said(EventKind::Return, "");
    back.reason = Some("不属本队职责".to_owned());
    office.team_writes(0, &back, Role::TeamLead, MONDAY_MS + 25 * HOUR_MS);
    office.settle();
    assert_eq!(office.desk.view().state, State::Registered);
    assert_eq!(office.order(0).state, OrderState::Returned);
    office.dispatch(&["fire"]);
    office.settle();
    assert_eq!(office.orders.len(), 2);
    let view = office.desk.document.view();
    let again = fold(view.id, &view.histories["events"], &|_| None, &office.desk.book);
    assert_eq!(again.state, State::Dispatched);
}

/// Only the centre can speak for a team.
#[test]
fn nobody_else_carries_over_what_a_team_is_said_to_have_done() {
    let mut office = Office::new();
    office.dispatch(&["fire"]);
    office.settle();
    office.team_writes(0, &said(EventKind::Accept, ""), Role::TeamLead, MONDAY_MS + 25 * HOUR_MS);
    let due = office.due();
    let event = due[0].ops[0].value.clone().expect("an event");
    let mut forged = Told::decode(&event).expect("readable");
    forged.role = Some(Role::GridWorker);
    office.desk.write(&actor(Role::GridWorker, 1), &forged, MONDAY_MS + 26 * HOUR_MS);
    let view = office.desk.view();
    assert_eq!(view.state, State::Dispatched);
    assert!(view.events.last().expect("an event").void.is_some());
}

/// The relay and the clerk's workstation carry the same answer over, and the clerk goes on from his own copy,
/// which is not the one that counts: he saw what it says all the same.
#[test]
fn whoever_saw_the_other_copy_of_an_answer_saw_the_answer() {
    let mut office = Office::new();
    office.dispatch(&["fire"]);
    office.settle();
    office.team_writes(0, &said(EventKind::Accept, ""), Role::TeamLead, MONDAY_MS + 25 * HOUR_MS);
    let due = office.due();
    let mut clerks = office.desk.copy(2);
    let carry = |desk: &mut Desk, log: u8| {
        let origin = Origin {
            log: LogId([log; 8]),
            seq: 1,
            lamport: 2_000,
            worker: DocId([0; 16]),
            wall_ms: due[0].wall_ms,
            observed_ms: 0,
            actor: [log; 16],
        };
        let parcel = (desk.document.draft(due[0].ops.clone()), origin);
        desk.take(&parcel);
        parcel
    };
    let (first, second) = (carry(&mut office.desk, 70), carry(&mut clerks, 80));
    let clerk = actor(Role::CentreClerk, 1);
    let mut event = told(EventKind::Extend, &clerk);
    event.days = Some(2);
    let extended = clerks.act(&clerk, &event, MONDAY_MS + 27 * HOUR_MS);
    office.desk.take(&second);
    office.desk.take(&extended);
    clerks.take(&first);
    for desk in [&office.desk, &clerks] {
        let view = desk.view();
        let voids = view.events.iter().filter_map(|event| event.void.clone());
        assert_eq!(voids.count(), 1, "{:?}", view.events);
        let last = view.events.iter().find(|event| event.kind == Some(EventKind::Extend)).expect("an event");
        assert_eq!((last.void.is_none(), view.state), (true, State::InProgress));
        assert!(!view.flags.contains(&wangge_model::case::Flag::LostEvent));
    }
}

/// A street leader says which team leads: both orders say so, and the later time after more was granted.
#[test]
fn orders_follow_who_leads_and_when_the_case_is_due() {
    let mut office = Office::new();
    office.dispatch(&["fire", "police"]);
    office.settle();
    let leads = |office: &Office| [0, 1].map(|place| (office.order(place).team, office.order(place).lead));
    let (fire, police) = (team("fire"), team("police"));
    assert_eq!(leads(&office), [(fire.clone(), Some(true)), (police.clone(), Some(false))]);
    let due = office.order(0).due_ms.expect("a time");

    let leader = actor(Role::StreetLeader, 9);
    let mut event = told(EventKind::AppointLead, &leader);
    event.to = vec![to(police.clone())];
    office.desk.act(&leader, &event, MONDAY_MS + 25 * HOUR_MS);
    office.team_writes(1, &said(EventKind::Accept, "到"), Role::TeamLead, MONDAY_MS + 26 * HOUR_MS);
    office.settle();
    assert_eq!(leads(&office), [(fire, Some(false)), (police, Some(true))]);

    let clerk = actor(Role::CentreClerk, 1);
    let mut event = told(EventKind::Extend, &clerk);
    event.days = Some(2);
    office.desk.act(&clerk, &event, MONDAY_MS + 27 * HOUR_MS);
    office.settle();
    assert!(office.order(0).due_ms > Some(due) && office.order(1).due_ms > Some(due));
    assert_eq!(office.settle(), 0, "what follows is written once");
}
