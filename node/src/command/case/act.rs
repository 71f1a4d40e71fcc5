//! Writing an event to a case: checked against what has become of the case, refused with who could.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wangge_model::case::{
    Actor, CaseView, Effect, EventKind, OrderState, Refusal, Target as To, Told, Why, check, posts,
};
use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;

use super::args::{NoteArgs, Typed};
use super::office::Office;
use super::{cross, event, happened_at, order, said, show};
use crate::command::key::{self, Target};
use crate::command::photo::Pictures;
use crate::command::{Answer, CommandError, instant};
use crate::replica::{Edit, Replica};
use crate::text::{CaseText, Message, Refused, scrub};

/// A claim this much earlier than now is noted as recorded later.
const RECORDED_MS_MIN: u64 = 60 * 1000;

/// One event at a time: the second is checked against what the first has done.
pub(super) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When it is written, if it is said to have happened earlier.
pub(super) fn recorded(replica: &Replica, at_ms: Option<u64>) -> Option<u64> {
    let now = replica.now_ms();
    at_ms.filter(|at| at.saturating_add(RECORDED_MS_MIN) < now).map(|_| now)
}

/// The case or the order that `key` means.
pub(super) fn target(replica: &Replica, key: &str) -> Result<Target, CommandError> {
    match key::resolve(replica, &[Kind::CASE], key, None) {
        Err(error) if error.code == "not-found" => {
            let mut orders = key::candidates(replica, Kind::ORDER, key.trim(), &replica.open_scopes())?;
            if orders.len() > 1 {
                // What was given back or ended is not what is meant, if there is another.
                let mut open = Vec::new();
                for order in &orders {
                    let state = cross::order_of(replica, &order.scope, order.view.clone())?.state;
                    open.push(!matches!(state, OrderState::Returned | OrderState::Closed));
                }
                let mut open = open.into_iter();
                if open.clone().filter(|open| *open).count() == 1 {
                    orders.retain(|_| open.next().unwrap_or_default());
                }
            }
            match orders.pop() {
                Some(one) if orders.is_empty() => Ok(one),
                Some(_) => key::resolve(replica, &[Kind::ORDER], key, None),
                None => Err(error),
            }
        }
        found => found,
    }
}

pub(super) fn act(replica: &Replica, typed: &Typed<'_>) -> Result<Answer, CommandError> {
    let _turn = turn();
    let office = Office::load(replica)?;
    let Target { scope, view } = in_own_post(&office, typed.kind, target(replica, &typed.act.key)?)?;
    let at_ms = happened_at(replica, typed.act.at.as_deref())?;
    let mut told = tell(&office, typed, &view, at_ms)?;
    let pictures = Pictures::read(&typed.act.photo)?;
    pictures.fit(replica, &scope, &view)?;
    told.photos = pictures.named();
    if view.kind == Kind::ORDER {
        return order::act(&office, &scope, &view, told, &pictures, at_ms);
    }
    write(&office, &scope, &view, &told, &pictures, at_ms)
}

/// The order instead of its case, for whoever sees the case in one post and works on it in another, in a team
/// that has it (一人多岗, art. 6).
fn in_own_post(office: &Office<'_>, kind: EventKind, found: Target) -> Result<Target, CommandError> {
    use EventKind::{Accept, Extend, Feedback, Resume, Return, Suspend};
    if found.view.kind != Kind::CASE
        || !matches!(kind, Accept | Return | Feedback | Extend | Suspend | Resume)
    {
        return Ok(found);
    }
    let own = office.posts()?;
    let (in_teams, others): (Vec<&Actor>, Vec<&Actor>) =
        own.iter().partition(|post| matches!(post.unit, Scope::Team(_)));
    if in_teams.is_empty() {
        return Ok(found);
    }
    // What he was given himself, or decides about, he means first.
    let case = office.case(&found.scope, &found.view)?;
    let decides = !matches!(kind, Accept | Return | Feedback)
        && others.iter().any(|post| posts(EventKind::Register).contains(&post.role));
    let given = |post: &&&Actor| {
        let his = |worker: Option<DocId>| worker.is_none_or(|worker| worker == post.worker);
        case.assignees.iter().any(|assignee| assignee.scope == post.unit && his(assignee.worker))
    };
    if decides || others.iter().any(|post| given(&post)) {
        return Ok(found);
    }
    let teams: Vec<Scope> = in_teams.iter().map(|post| post.unit.clone()).collect();
    let mut open = Vec::new();
    for order in key::candidates(office.replica, Kind::ORDER, &found.view.id.to_string(), &teams)? {
        let state = cross::order_of(office.replica, &order.scope, order.view.clone())?.state;
        if !matches!(state, OrderState::Returned | OrderState::Closed) {
            open.push(order);
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(order), true) => Ok(order),
        _ => Ok(found),
    }
}

pub(super) fn note(replica: &Replica, args: &NoteArgs) -> Result<Answer, CommandError> {
    let _turn = turn();
    let office = Office::load(replica)?;
    let text = said("text", &args.text)?;
    let at_ms = happened_at(replica, args.at.as_deref())?;
    let Target { scope, view } = target(replica, &args.key)?;
    let pictures = Pictures::read(&args.photo)?;
    pictures.fit(replica, &scope, &view)?;
    let told = Told {
        word: EventKind::Note.name().to_owned(),
        text: Some(text),
        recorded_ms: recorded(replica, at_ms),
        photos: pictures.named(),
        ..Told::default()
    };
    if view.kind == Kind::ORDER {
        return order::act(&office, &scope, &view, told, &pictures, at_ms);
    }
    write(&office, &scope, &view, &told, &pictures, at_ms)
}

/// Checks the event against the case and writes it.
fn write(
    office: &Office<'_>,
    scope: &Scope,
    view: &DocumentView,
    told: &Told,
    pictures: &Pictures,
    at_ms: Option<u64>,
) -> Result<Answer, CommandError> {
    let replica = office.replica;
    let kind = told.kind().unwrap_or(EventKind::Note);
    cross::settle(replica, &office.book, scope, &view.id)?;
    let current = replica.get(scope, Kind::CASE, &view.id)?.unwrap_or_else(|| view.clone());
    let case = office.case(scope, &current)?;
    let number = show::number_of(&current);
    if case.is_read_only() && kind != EventKind::Note {
        return Err(CommandError::failed(
            "newer-version",
            &Message::Case(CaseText::ReadOnly { number: &number }),
        )
        .on("key"));
    }
    let posts = office.posts()?;
    let told = check(&case, &office.site(scope), &posts, told, &office.book)
        .map_err(|refusal| refused(office, &case, &number, &posts, &refusal, told))?;
    let ops = vec![event(&told)];
    let edits = vec![Edit { doc: view.id, kind: Kind::CASE, ops }];
    pictures.commit(replica, scope, view.id, edits, at_ms)?;
    cross::settle_later(replica, &office.book, scope, &view.id);

    let after = replica.get(scope, Kind::CASE, &view.id)?.unwrap_or(current);
    let after = office.case(scope, &after)?;
    let written = after.events.iter().rfind(|event| event.told == told);
    let asked = written.is_some_and(|event| event.effect == Some(Effect::Asked));
    let mut answer = show::answer(office, scope, &view.id, |id| match kind {
        EventKind::Note => Message::Noted { number: &number, id }.line(),
        _ if asked => Message::Case(CaseText::Asked { event: kind.label(), number: &number }).line(),
        _ => {
            let done = CaseText::Done {
                event: kind.label(),
                event_en: kind.name(),
                number: &number,
                id,
                state: after.state,
            };
            Message::Case(done).line()
        }
    })?;
    if let (Some(at), Some(latest)) = (at_ms, case.events.iter().map(|event| event.counted_ms).max())
        && written.is_some_and(|event| event.back_dated)
    {
        let (typed, seen) = (instant::short(at), instant::short(latest));
        let told = Message::Case(CaseText::BackDated { typed: &typed, seen: &seen });
        answer.text.push_str(&format!("\n{}", told.line()));
    }
    Ok(answer)
}

/// The event as it was typed; what is missing is named before anything is written.
fn tell(
    office: &Office<'_>,
    typed: &Typed<'_>,
    view: &DocumentView,
    at_ms: Option<u64>,
) -> Result<Told, CommandError> {
    let failed = |code: &'static str, field: &str, text: CaseText<'_>| {
        CommandError::failed(code, &Message::Case(text)).on(field)
    };
    let words =
        |option: &str, typed: &Option<String>| typed.as_deref().map(|typed| said(option, typed)).transpose();
    let mut told = Told {
        word: typed.kind.name().to_owned(),
        reason: words("reason", &typed.act.reason)?,
        text: words("text", &typed.act.text)?,
        refuse: typed.refuse,
        pass: typed.pass,
        recorded_ms: recorded(office.replica, at_ms),
        ..Told::default()
    };
    for to in typed.to {
        told.to.extend(
            to.split([',', ',', '、'])
                .filter(|to| !to.trim().is_empty())
                .map(|to| assignee(office, to))
                .collect::<Result<Vec<_>, _>>()?,
        );
    }
    match typed.kind {
        EventKind::Dispatch if told.to.is_empty() => {
            return Err(failed("target-missing", "to", CaseText::TargetMissing));
        }
        EventKind::Return | EventKind::Reject if told.reason.is_none() => {
            told.reason = told.text.take();
            if told.reason.is_none() {
                let (event, event_en) = (typed.kind.label(), typed.kind.name());
                let text = CaseText::ReasonMissing { event, event_en };
                return Err(failed("reason-missing", "reason", text));
            }
        }
        EventKind::Feedback if told.text.is_none() => {
            told.text = told.reason.take();
            if told.text.is_none() {
                return Err(failed("text-missing", "text", CaseText::WorkMissing));
            }
        }
        EventKind::Check if told.pass.is_none() => {
            return Err(failed("outcome-missing", "pass", CaseText::OutcomeMissing));
        }
        _ => {}
    }
    if let Some(days) = typed.days {
        let max = office.book.latest().extension.days_max;
        let read = wangge_model::checks::text::compact(days).parse().ok();
        let read = read.filter(|days| (1..=max).contains(days));
        let typed = scrub(days);
        told.days = Some(
            read.ok_or_else(|| failed("days", "days", CaseText::DaysUnreadable { typed: &typed, max }))?,
        );
    }
    if let Some(score) = typed.score {
        let read: Option<i64> = wangge_model::checks::text::compact(score).parse().ok();
        let read = read.filter(|score| (0..=100).contains(score));
        let typed = scrub(score);
        told.score =
            Some(read.ok_or_else(|| failed("score", "score", CaseText::ScoreUnreadable { typed: &typed }))?);
    }
    if let Some(into) = typed.into {
        let key = scrub(into);
        let unknown = || failed("into", "into", CaseText::IntoUnknown { typed: &key });
        let other = key::resolve(office.replica, &[Kind::CASE], into, None)
            .map_err(|error| if error.code == "not-found" { unknown() } else { error.on("into") })?;
        if other.view.id == view.id {
            return Err(failed("into", "into", CaseText::IntoItself { number: &show::number_of(view) }));
        }
        if leads_back(office, &other, &view.id)? {
            let (number, into) = (show::number_of(view), show::number_of(&other.view));
            return Err(failed("into", "into", CaseText::IntoCircle { number: &number, into: &into }));
        }
        told.into = Some(other.view.id);
    }
    Ok(told)
}

/// Whether merging `from` into `into` would go in a circle.
fn leads_back(office: &Office<'_>, into: &Target, from: &DocId) -> Result<bool, CommandError> {
    let mut next = Some((into.scope.clone(), into.view.clone()));
    // Longer chains than there are cases in a grid are circles already.
    for _ in 0..1_000 {
        let Some((scope, view)) = next.take() else { return Ok(false) };
        if view.id == *from {
            return Ok(true);
        }
        if let Some(further) = office.case_in_list(&scope, &view)?.merged_into {
            for scope in office.replica.open_scopes() {
                if let Some(view) = office.replica.get(&scope, Kind::CASE, &further)? {
                    next = Some((scope, view));
                    break;
                }
            }
        }
    }
    Ok(true)
}

/// A unit or a worker, as `--to` names it.
fn assignee(office: &Office<'_>, typed: &str) -> Result<To, CommandError> {
    let typed = typed.trim();
    let failed =
        |code: &'static str, text: CaseText<'_>| CommandError::failed(code, &Message::Case(text)).on("to");
    if let Ok(scope) = office.street.unit(typed) {
        return Ok(To { scope, worker: None });
    }
    let clean = scrub(typed);
    let worker = match office.street.worker(typed) {
        Err(error) if error.code == "worker-unknown" => {
            let mut known: Vec<Scope> = office.street.units().into_iter().collect();
            // Teams and areas are few; nothing is given to the street or the centre.
            known.retain(|unit| !matches!(unit, Scope::Street | Scope::Centre));
            known.sort_by_key(|unit| match unit {
                Scope::Team(_) => 0,
                Scope::Area(_) => 1,
                _ => 2,
            });
            let known: Vec<String> = known.iter().take(8).map(Scope::to_string).collect();
            let known = known.join("、");
            return Err(failed("target-unknown", CaseText::TargetUnknown { typed: &clean, known: &known }));
        }
        found => found.map_err(|error| error.on("to"))?,
    };
    let works_on_cases = |(role, _): &&(Role, Scope)| !matches!(role, Role::WindowClerk);
    let posts = office.street.person(&worker).map(|person| person.posts.clone()).unwrap_or_default();
    let unit = posts.iter().filter(works_on_cases).map(|(_, unit)| unit.clone());
    let unit = unit.min_by_key(|unit| match unit {
        Scope::Grid(_) => 0,
        Scope::Area(_) => 1,
        Scope::Team(_) => 2,
        Scope::Centre | Scope::Street | Scope::Audit => 3,
    });
    match unit {
        // A team's people work on the order that their team gets.
        Some(scope @ Scope::Team(_)) => Ok(To { scope, worker: None }),
        Some(scope @ (Scope::Grid(_) | Scope::Area(_))) => Ok(To { scope, worker: Some(worker) }),
        _ => Err(failed("target-post", CaseText::TargetPost { typed: &clean })),
    }
}

/// A refusal in the words of the people concerned.
pub(super) fn refused(
    office: &Office<'_>,
    case: &CaseView,
    number: &str,
    posts: &[Actor],
    refusal: &Refusal,
    told: &Told,
) -> CommandError {
    let assignees = office.assignees(&case.assignees);
    let reporter = case.reporter.map(|worker| office.street.worker_name(&worker)).unwrap_or_default();
    let own = office.own_posts(posts);
    let named = match &refusal.why {
        Why::Target { scope } | Why::OutOfSight { scope } | Why::AlreadyThere { scope } => {
            office.street.unit_name(scope)
        }
        Why::AlreadyAccepted { by } => office.street.worker_name(by),
        Why::Teams => {
            let teams = told.to.iter().filter(|to| matches!(to.scope, Scope::Team(_)));
            let teams: Vec<String> = teams.map(|to| office.street.unit_name(&to.scope)).collect();
            teams.join("、")
        }
        _ => String::new(),
    };
    let (code, field) = match &refusal.why {
        Why::State { .. } => ("case-state", "state"),
        Why::Who => ("case-role", "role"),
        Why::Handler => ("case-handler", "role"),
        Why::Teams => ("case-teams", "to"),
        Why::Target { .. } | Why::OutOfSight { .. } => ("case-target", "to"),
        Why::NotMinor => ("not-minor", "minor"),
        Why::BypassesGrid if refusal.kind == EventKind::Report => ("past-the-grid", "category"),
        Why::BypassesGrid => ("past-the-grid", "to"),
        Why::AlreadyAccepted { .. } => ("case-accepted", "state"),
        Why::Suspended => ("case-suspended", "state"),
        Why::NoTarget | Why::AlreadyThere { .. } | Why::NotSeveralTeams => ("case-refused", "to"),
        Why::AlreadySuspended | Why::NotSuspended => ("case-refused", "state"),
        Why::NothingAsked => ("case-refused", "refuse"),
        Why::Days { .. } => ("case-refused", "days"),
        Why::Into => ("case-refused", "into"),
        Why::Outcome => ("case-refused", "pass"),
        Why::Score => ("case-refused", "score"),
    };
    let refused = Refused {
        event: (refusal.kind.label(), refusal.kind.name()),
        number,
        state: refusal.state,
        tier: case.tier,
        why: &refusal.why,
        from: refusal.from,
        who: &refusal.who,
        assignees: &assignees,
        reporter: &reporter,
        named: &named,
        own: &own,
    };
    CommandError::failed(code, &Message::Case(CaseText::Refused(&refused))).on(field)
}
