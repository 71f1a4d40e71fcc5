//! Desks that write to one case, each on its own replica of the document, and carry changes to each other.

use wangge_model::case::{
    Actor, CaseView, EventKind, Refusal, Rulebook, Site, State, Target, Told, check, fold,
};
use wangge_model::document::{Change, Document, Op, Origin, Target as OpTarget};
use wangge_model::identity::{DocId, LogId, Role, Scope};
use wangge_model::schema::Kind;

/// 2026-11-23 (a Monday) 09:00 in Beijing.
pub(crate) const MONDAY_MS: u64 = 1_795_395_600_000;
/// Milliseconds of an hour.
pub(crate) const HOUR_MS: u64 = 3_600_000;

pub(crate) const GRID: &str = "330881121200";
pub(crate) const AREA: &str = "330881121";

/// What travels: a change with where it came from.
pub(crate) type Parcel = (Change, Origin);

pub(crate) fn site() -> Site {
    Site { scope: Scope::Grid(GRID.to_owned()), area: Some(AREA.to_owned()) }
}

/// The unit at which a role is held in these tests.
pub(crate) fn unit(role: Role) -> Scope {
    match role {
        Role::GridWorker | Role::GridLeader => Scope::Grid(GRID.to_owned()),
        Role::AreaClerk | Role::AreaHead | Role::WindowClerk => Scope::Area(AREA.to_owned()),
        Role::TeamMember | Role::TeamLead => team("fire"),
        Role::CentreClerk
        | Role::CentreAdmin
        | Role::StreetLeader
        | Role::SecurityAdmin
        | Role::AuditAdmin => Scope::Centre,
    }
}

pub(crate) fn team(name: &str) -> Scope {
    Scope::Team(name.to_owned())
}

/// A worker in a role; the number tells workers of one role apart.
pub(crate) fn actor(role: Role, number: u8) -> Actor {
    let place = Role::ALL.iter().position(|(known, _, _)| *known == role).expect("listed") as u8;
    Actor { worker: DocId([place * 16 + number + 1; 16]), role, unit: unit(role) }
}

pub(crate) fn told(kind: EventKind, actor: &Actor) -> Told {
    let mut told = Told::new(kind, actor.role, &actor.unit);
    match kind {
        EventKind::Report => {
            told.category = Some("civic".to_owned());
            told.level = Some(4);
            told.minor = true;
            told.rules = Some("1".to_owned());
        }
        EventKind::Dispatch => told.to = vec![to(Scope::Grid(GRID.to_owned()))],
        EventKind::Check => told.pass = Some(true),
        EventKind::Evaluate => told.score = Some(90),
        EventKind::Merge => told.into = Some(DocId([250; 16])),
        _ => {}
    }
    told
}

pub(crate) fn to(scope: Scope) -> Target {
    Target { scope, worker: None }
}

/// A replica of one case.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) document: Document,
    number: u8,
    seq: u64,
    lamport: u64,
    pub(crate) book: Rulebook,
}

impl Desk {
    pub(crate) fn new(number: u8) -> Self {
        let document = Document::new(DocId([9; 16]), Kind::CASE).expect("known kind");
        Self { document, number, seq: 0, lamport: 0, book: Rulebook::shipped() }
    }

    /// Writes an event, allowed or not.
    pub(crate) fn write(&mut self, actor: &Actor, told: &Told, at_ms: u64) -> Parcel {
        self.seq += 1;
        self.lamport += 1;
        let op =
            Op { target: OpTarget::Event { container: "events".to_owned() }, value: Some(told.encode()) };
        let origin = Origin {
            log: LogId([self.number; 8]),
            seq: self.seq,
            lamport: self.lamport,
            worker: actor.worker,
            wall_ms: at_ms,
            observed_ms: 0,
            actor: [self.number; 16],
        };
        let change = self.document.draft(vec![op]);
        self.document.apply(&change, &origin).expect("applies");
        (change, origin)
    }

    /// Writes an event that must be allowed.
    #[track_caller]
    pub(crate) fn act(&mut self, actor: &Actor, told: &Told, at_ms: u64) -> Parcel {
        if let Err(refusal) = self.try_check(actor, told) {
            panic!("{refusal:?}");
        }
        self.write(actor, told, at_ms)
    }

    /// Writes an event of a kind that must be allowed.
    #[track_caller]
    pub(crate) fn does(&mut self, actor: &Actor, kind: EventKind, at_ms: u64) -> Parcel {
        self.act(actor, &told(kind, actor), at_ms)
    }

    pub(crate) fn try_check(&self, actor: &Actor, told: &Told) -> Result<Told, Refusal> {
        check(&self.view(), &site(), std::slice::from_ref(actor), told, &self.book)
    }

    pub(crate) fn take(&mut self, parcel: &Parcel) {
        self.try_take(parcel).expect("applies");
    }

    pub(crate) fn try_take(&mut self, parcel: &Parcel) -> Result<(), wangge_model::document::FormError> {
        self.document.apply(&parcel.0, &parcel.1)?;
        self.lamport = self.lamport.max(parcel.1.lamport);
        Ok(())
    }

    pub(crate) fn view(&self) -> CaseView {
        let view = self.document.view();
        fold(view.id, &view.histories["events"], &|_| None, &self.book)
    }

    /// Another replica that holds what this one holds.
    pub(crate) fn copy(&self, number: u8) -> Self {
        Self { number, seq: 0, ..self.clone() }
    }
}

/// A case brought into a state by the usual way, on a level of ownership.
pub(crate) fn case_in(state: State, escalations: usize) -> Desk {
    use EventKind::{
        Accept, Archive, Check, Dispatch, Escalate, Evaluate, Feedback, Merge, Register, Reject, Report,
    };
    let mut desk = Desk::new(1);
    let mut at = MONDAY_MS;
    let mut does = |role: Role, kind: EventKind| {
        desk.does(&actor(role, 9), kind, at);
        at += HOUR_MS / 2;
    };
    does(Role::WindowClerk, Report);
    let owners = [Role::GridLeader, Role::AreaHead, Role::CentreClerk];
    for owner in owners.iter().take(escalations) {
        does(*owner, Escalate);
    }
    let owner = owners[escalations];
    let path: &[(Role, EventKind)] = &[
        (owner, Register),
        (owner, Dispatch),
        (Role::GridWorker, Accept),
        (Role::GridWorker, Feedback),
        (Role::CentreClerk, Check),
        (Role::CentreClerk, Evaluate),
        (Role::CentreClerk, Archive),
    ];
    let steps = match state {
        State::Reported | State::Rejected | State::Merged => 0,
        State::Registered => 1,
        State::Dispatched => 2,
        State::InProgress => 3,
        State::Handled => 4,
        State::Closed => 5,
        State::Evaluated => 6,
        State::Archived => 7,
    };
    for (role, kind) in &path[..steps] {
        does(*role, *kind);
    }
    match state {
        State::Rejected => does(owner, Reject),
        State::Merged => does(Role::CentreClerk, Merge),
        _ => {}
    }
    assert_eq!(desk.view().state, state);
    desk
}
