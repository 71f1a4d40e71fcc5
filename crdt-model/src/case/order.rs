//! Dispatch orders (交办单): what a team is to do about a case, in the team's own scope and with no more
//! than it needs. Case and order live in different scopes, so what happens in one is carried over into
//! the other by the relay, or by a workstation of the centre. What is due follows from both documents
//! alone and is named by where it came from, so that whoever does it, and however often, the outcome is
//! the same.

use serde_json::Value;

use super::course::Effect;
use super::event::{EventKind, Told, Via};
use super::fold::CaseView;
use super::rules::Rulebook;
use super::{Actor, State, official_number};
use crate::deadline::{TimerName, timers};
use crate::document::{DocumentView, Op, Scalar, Target as OpTarget};
use crate::identity::{DocId, LogId, Role, Scope};
use crate::schema::Kind;

/// The member of an order's event that names the event of the case which it carries over.
const OF: &str = "of";

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderState {
    /// 待接单.
    Issued,
    /// 处理中.
    Accepted,
    /// 已反馈.
    Done,
    /// 已退回.
    Returned,
    /// 已结束.
    Closed,
}

impl OrderState {
    /// All states, in the order of an order's life.
    pub const ALL: [Self; 5] = [Self::Issued, Self::Accepted, Self::Done, Self::Returned, Self::Closed];

    /// The name in JSON: that of the case's state where there is one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "dispatched",
            Self::Accepted => "in-progress",
            Self::Done => "handled",
            Self::Returned => "returned",
            Self::Closed => "closed",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Issued => "待接单",
            Self::Accepted => "处理中",
            Self::Done => "已反馈",
            Self::Returned => "已退回",
            Self::Closed => "已结束",
        }
    }
}

/// An event of an order.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderEvent {
    /// Its log.
    pub log: LogId,
    /// Its position there.
    pub seq: u64,
    /// Its place in the change.
    pub index: u64,
    /// Who wrote it.
    pub worker: DocId,
    /// What it says.
    pub told: Told,
    /// When it happened, as its author says.
    pub claimed_ms: u64,
    /// When the relay first held it, 0 if that is not known here.
    pub received_ms: u64,
    /// The state that it met.
    pub before: OrderState,
    /// Whether it counts.
    pub counts: bool,
    /// Whether it carries over what another one did: two carriers may have done it at once.
    pub again: bool,
}

/// An order.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// The document.
    pub id: DocId,
    /// The team.
    pub team: Scope,
    /// The case.
    pub case: Option<DocId>,
    /// Where it stands.
    pub state: OrderState,
    /// When it is due, milliseconds since 1970 (UTC).
    pub due_ms: Option<u64>,
    /// Whether the team leads the others (主办) or assists (协办).
    pub lead: Option<bool>,
    /// Its events.
    pub events: Vec<OrderEvent>,
}

impl Order {
    /// Reads an order of `team`.
    pub fn of(team: &Scope, view: &DocumentView) -> Self {
        let mut order = Self {
            id: view.id,
            team: team.clone(),
            case: view.text("case").parse().ok(),
            state: OrderState::Issued,
            due_ms: match view.value("due") {
                Some(Scalar::Int(ms)) => u64::try_from(*ms).ok(),
                _ => None,
            },
            lead: match view.value("lead") {
                Some(Scalar::Bool(lead)) => Some(*lead),
                _ => None,
            },
            events: Vec::new(),
        };
        for event in view.histories.get("events").into_iter().flatten() {
            let told = Told::decode(&event.value).unwrap_or_default();
            let again = told.unknown.get(OF).is_some_and(|of| order.carries(of));
            let next = if again { None } else { order.after(&told) };
            order.events.push(OrderEvent {
                log: event.log,
                seq: event.seq,
                index: event.index,
                worker: event.worker,
                claimed_ms: event.wall_ms,
                received_ms: event.observed_ms,
                before: order.state,
                counts: next.is_some(),
                again,
                told,
            });
            order.state = next.unwrap_or(order.state);
        }
        order
    }

    /// Who took it on before the event at `place`.
    pub fn taken_before(&self, place: usize) -> Option<DocId> {
        let before = self.events.iter().take(place).filter(|event| event.counts);
        before.filter(|event| event.told.word == "accept").map(|event| event.worker).next_back()
    }

    fn carries(&self, of: &Value) -> bool {
        self.events.iter().any(|event| event.counts && event.told.unknown.get(OF) == Some(of))
    }

    /// The state after an event, `None` if it cannot be now.
    pub fn after(&self, told: &Told) -> Option<OrderState> {
        use OrderState::{Accepted, Closed, Done, Issued, Returned};
        match (told.word.as_str(), self.state) {
            ("accept", Issued) | ("rework", Done) => Some(Accepted),
            ("return", Issued | Accepted) => Some(Returned),
            ("feedback", Accepted) => Some(Done),
            ("close", Issued | Accepted | Done | Returned) => Some(Closed),
            ("extend" | "suspend" | "resume", Accepted) => Some(Accepted),
            ("note", state) => Some(state),
            ("urge" | "supervise", state) if state != Closed => Some(state),
            _ => None,
        }
    }

    /// The states in which an event can be.
    pub fn states_for(&self, told: &Told) -> Vec<OrderState> {
        let could = |state: &OrderState| {
            let order = Self { state: *state, events: Vec::new(), team: self.team.clone(), ..*self };
            order.after(told).is_some()
        };
        OrderState::ALL.into_iter().filter(could).collect()
    }

    /// Whether its clock stands still: the dispatcher suspended the case, which the team can only ask for.
    pub fn is_suspended(&self) -> bool {
        let carried = self.events.iter().filter(|event| event.counts && event.told.unknown.contains_key(OF));
        let mut turns = carried.filter(|event| matches!(event.told.word.as_str(), "suspend" | "resume"));
        self.state == OrderState::Accepted
            && turns.next_back().is_some_and(|last| last.told.word == "suspend")
    }

    /// When the team said that it was done, as far as that counts.
    pub fn done_ms(&self) -> Option<u64> {
        let mut answers = self.events.iter().filter(|event| event.counts && event.told.word == "feedback");
        answers.next_back().map(|event| event.claimed_ms).filter(|_| self.state != OrderState::Accepted)
    }

    /// Whether `actor` may write an event of that name to orders of this team.
    pub fn may(&self, actor: &Actor, word: &str) -> bool {
        let event = Kind::ORDER.spec().and_then(|spec| spec.access.event(word));
        actor.unit == self.team && event.is_some_and(|event| event.roles.contains(&actor.role))
    }
}

/// The order that a dispatch gives to a team.
pub fn order_id(case: &DocId, log: &LogId, seq: u64, index: u64, team: &Scope) -> DocId {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 dispatch order");
    hasher.update(&case.0);
    hasher.update(&log.0);
    hasher.update(&seq.to_le_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(team.to_string().as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    DocId(id)
}

/// What of a case goes into its orders: no more than a team needs to find the place and do the work.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CrossingTarget {
    /// The case's scope.
    pub scope: Option<Scope>,
    /// Its local number.
    pub number: String,
    /// Its official number, empty if it has none yet.
    pub official_number: String,
    /// What happened, without residents' numbers.
    pub text: String,
    /// Where: the name and address of the place.
    pub place: String,
}

/// A transaction that is due.
#[derive(Clone, PartialEq, Debug)]
pub struct Crossing {
    /// Where.
    pub scope: Scope,
    /// The document.
    pub doc: DocId,
    /// Its kind.
    pub kind: Kind,
    /// What to write.
    pub ops: Vec<Op>,
    /// When it happened.
    pub wall_ms: u64,
}

fn field(name: &str, value: impl Into<Scalar>) -> Op {
    Op { target: OpTarget::Field(name.to_owned()), value: Some(value.into()) }
}

fn event(told: &Told) -> Op {
    Op { target: OpTarget::Event { container: "events".to_owned() }, value: Some(told.encode()) }
}

/// What is due between a case and the orders given for it: the official number, an order for each team,
/// the teams' answers, and what the teams have to be told. `carrier` is the post in which it is done.
pub fn crossings(
    view: &CaseView,
    facts: &CrossingTarget,
    orders: &[Order],
    carrier: (Role, &Scope),
    book: &Rulebook,
) -> Vec<Crossing> {
    let Some(scope) = &facts.scope else { return Vec::new() };
    let mut due = Vec::new();
    let official = match view.reported_ms() {
        Some(reported) if facts.official_number.is_empty() => {
            let number = official_number(&view.id, reported);
            due.push(Crossing {
                scope: scope.clone(),
                doc: view.id,
                kind: Kind::CASE,
                ops: vec![field("official_number", number.as_str())],
                wall_ms: reported,
            });
            number
        }
        _ => facts.official_number.clone(),
    };
    if view.is_read_only() {
        return due;
    }
    for (_, dispatch) in view.counted().filter(|(_, event)| event.kind == Some(EventKind::Dispatch)) {
        for team in dispatch.told.to.iter().map(|to| &to.scope).filter(|to| matches!(to, Scope::Team(_))) {
            let doc = order_id(&view.id, &dispatch.log, dispatch.seq, dispatch.index, team);
            let Some(order) = orders.iter().find(|order| order.id == doc) else {
                if view.state.is_open() {
                    let mut ops = issue(view, facts, &official, book);
                    if let Some(said) = dispatch.told.text.as_ref().or(dispatch.told.reason.as_ref()) {
                        ops.push(field("request", said.as_str()));
                    }
                    ops.extend(follows(view, team, (None, None), book));
                    let wall_ms = dispatch.counted_ms;
                    due.push(Crossing { scope: team.clone(), doc, kind: Kind::ORDER, ops, wall_ms });
                }
                continue;
            };
            due.extend(news_for(view, order, dispatch.counted_ms, carrier));
            if view.state.is_open() && matches!(order.state, OrderState::Issued | OrderState::Accepted) {
                let ops = follows(view, team, (order.due_ms, order.lead), book);
                if !ops.is_empty() {
                    let wall_ms = view.counted().map(|(_, event)| event.counted_ms).max().unwrap_or(0);
                    due.push(Crossing { scope: team.clone(), doc, kind: Kind::ORDER, ops, wall_ms });
                }
            }
        }
    }
    for order in orders.iter().filter(|order| order.case == Some(view.id)) {
        due.extend(answers(view, scope, order, carrier));
    }
    due
}

/// The fields of a new order that stay as they are.
fn issue(view: &CaseView, facts: &CrossingTarget, official: &str, book: &Rulebook) -> Vec<Op> {
    let mut ops = vec![
        field("case", view.id.to_string()),
        field("number", facts.number.as_str()),
        field("official_number", official),
        field("category", book.named(view.rules.as_deref()).category_name(&view.category)),
        field("level", view.level.to_string()),
        field("text", facts.text.as_str()),
    ];
    if let Some(scope) = &facts.scope {
        ops.push(field("scope", scope.to_string()));
    }
    if !facts.place.is_empty() {
        ops.push(field("place", facts.place.as_str()));
    }
    ops
}

/// The fields of an order that follow the case, where they are not as the order has them: when it is due,
/// which an extension or a suspension moves, and whether the team leads, which a leader may decide later.
fn follows(view: &CaseView, team: &Scope, has: (Option<u64>, Option<bool>), book: &Rulebook) -> Vec<Op> {
    let mut ops = Vec::new();
    let Some(assignee) = view.assignees.iter().find(|assignee| assignee.scope == *team) else { return ops };
    let handle = timers(view, book).into_iter().rfind(|timer| timer.name == TimerName::Handle);
    if let Some(due_ms) = handle.and_then(|timer| timer.due_ms).filter(|due_ms| has.0 != Some(*due_ms)) {
        ops.push(field("due", Scalar::Int(i64::try_from(due_ms).unwrap_or(i64::MAX))));
    }
    if has.1 != Some(assignee.lead) {
        ops.push(field("lead", Scalar::Bool(assignee.lead)));
    }
    ops
}

/// What the team wrote and the case does not have yet.
fn answers(view: &CaseView, scope: &Scope, order: &Order, carrier: (Role, &Scope)) -> Vec<Crossing> {
    let mut due = Vec::new();
    for answer in order.events.iter().filter(|event| event.counts) {
        let team = matches!(answer.told.role, Some(Role::TeamMember | Role::TeamLead));
        let Some(kind) = answer.told.kind().filter(|_| team && !answer.told.unknown.contains_key(OF)) else {
            continue;
        };
        let here = |via: &Via| {
            via.order == order.id && (via.log, via.seq, via.index) == (answer.log, answer.seq, answer.index)
        };
        if view.events.iter().any(|event| event.told.via.as_ref().is_some_and(here)) {
            continue;
        }
        let mut told = answer.told.clone();
        told.word = kind.name().to_owned();
        told.role = Some(carrier.0);
        told.unit = Some(carrier.1.clone());
        told.via = Some(Via {
            order: order.id,
            team: order.team.clone(),
            log: answer.log,
            seq: answer.seq,
            index: answer.index,
            worker: answer.worker,
            role: answer.told.role.unwrap_or(Role::TeamMember),
            observed_ms: answer.received_ms,
        });
        due.push(Crossing {
            scope: scope.clone(),
            doc: view.id,
            kind: Kind::CASE,
            ops: vec![event(&told)],
            wall_ms: answer.claimed_ms,
        });
    }
    due
}

/// What became of the case since the order was given, as far as the team has to know.
fn news_for(view: &CaseView, order: &Order, since_ms: u64, carrier: (Role, &Scope)) -> Vec<Crossing> {
    let mut due = Vec::new();
    if order.state == OrderState::Closed {
        return due;
    }
    let mut tell = |word: &str, of: String, text: Option<String>, days: Option<u32>, wall_ms: u64| {
        let of = Value::String(of);
        if order.carries(&of) {
            return;
        }
        let mut told = Told {
            word: word.to_owned(),
            role: Some(carrier.0),
            unit: Some(carrier.1.clone()),
            text,
            days,
            ..Told::default()
        };
        told.unknown.insert(OF.to_owned(), of);
        // What cannot be now waits until the order is that far.
        if order.after(&told).is_some() {
            let ops = vec![event(&told)];
            due.push(Crossing { scope: order.team.clone(), doc: order.id, kind: Kind::ORDER, ops, wall_ms });
        }
    };
    let given = view.assignees.iter().any(|assignee| assignee.scope == order.team);
    let later = view.counted().skip_while(|(_, event)| event.counted_ms < since_ms);
    for (_, event) in later.filter(|(_, event)| given && event.told.via.is_none()) {
        let word = match (event.kind, &event.effect) {
            (Some(EventKind::Check), _) if event.told.pass == Some(false) => "rework",
            (Some(EventKind::Urge), _) => "urge",
            (Some(EventKind::Supervise), _) => "supervise",
            (Some(EventKind::Extend), Some(Effect::Extended { .. })) => "extend",
            (Some(EventKind::Suspend), Some(Effect::Suspended { .. })) => "suspend",
            (Some(EventKind::Resume), Some(Effect::Resumed)) => "resume",
            _ => continue,
        };
        let days = match event.effect {
            Some(Effect::Extended { days }) => Some(days),
            _ => None,
        };
        let of = format!("{}-{}-{}", event.log, event.seq, event.index);
        let text = event.told.text.clone().or_else(|| event.told.reason.clone());
        tell(word, of, text, days, event.counted_ms);
    }
    let over = matches!(
        view.state,
        State::Closed | State::Evaluated | State::Archived | State::Merged | State::Rejected
    );
    if (over || !given) && order.state != OrderState::Returned {
        let last = view.counted().map(|(_, event)| event.counted_ms).max().unwrap_or(since_ms);
        tell("close", "close".to_owned(), None, None, last);
    }
    due
}
