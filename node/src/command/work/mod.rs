//! Grid work and the centre's records: made, added to, shown, listed. What each kind has is data
//! (`wangge_model::work`); what goes beyond a record and its events has a file of its own.

pub(in crate::command) mod assist;
pub(super) mod cases;
mod checklist;
mod extra;
mod handbook;
mod handover;
mod inspect;
mod line;
mod notice;
mod patrol;
mod resolve;
pub(super) mod shown;
pub(super) mod street;

use std::collections::BTreeSet;

use serde_json::Value;

use wangge_model::checks::{CheckError, text};
use wangge_model::document::{DocumentView, Op};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::copy::record_of;
use wangge_model::work::draft::{self, Actor, Said};
use wangge_model::work::{Home, Input, RecordSpec, Rule, To, Verb, WorkError, of_word};

use super::key::Target;
use super::photo::{AddPhotosArgs, Pictures};
use super::workers::Workers;
use super::{Answer, CommandError};
use crate::replica::{Edit, Replica};
use crate::text::{Message, WorkText, role_zh, scrub};

pub use line::WorkCommand;
pub(crate) use line::help;
pub(crate) use resolve::happened_at;

use shown::Seen;
use street::Street;

/// Lines of a list for people, unless they ask for more.
const LIST_LINES: usize = 50;

impl From<WorkError> for CommandError {
    fn from(error: WorkError) -> Self {
        let mut error = Self::from(CheckError::from(error));
        // What was typed may hold an ID number.
        error.message = scrub(&error.message);
        error
    }
}

pub(super) fn execute(replica: &Replica, command: &WorkCommand) -> Result<Answer, CommandError> {
    let unknown = || CommandError::usage("bad-usage", &Message::BadUsage);
    let street = Street::load(replica)?;
    if command.record == "checklist" {
        return checklist::execute(replica, &street, command);
    }
    let spec = of_word(&command.record).ok_or_else(unknown)?;
    match (spec.kind, command.verb.as_str()) {
        (Kind::PATROL, "finding") => patrol::finding(replica, &street, spec, command),
        (Kind::INSPECTION, "submit") => inspect::submit(replica, &street, spec, command),
        (Kind::INSPECTION, "show") => inspect::show(replica, &street, spec, command),
        (Kind::NOTICE, "add") => notice::add(replica, &street, spec, command),
        (Kind::NOTICE, "withdraw") => notice::withdraw(replica, &street, spec, command),
        (Kind::NOTICE, "read") => notice::read(replica, &street, spec, command),
        (Kind::NOTICE, "readers") => notice::readers(replica, &street, spec, command),
        (Kind::NOTICE, "list") => notice::list(replica, &street, spec, command),
        (Kind::HANDBOOK, "add") => handbook::add(replica, &street, spec, command),
        (Kind::HANDBOOK, "show") => handbook::show(replica, &street, spec, command),
        (Kind::HANDOVER, "start") => handover::start(replica, &street, spec, command),
        (Kind::HANDOVER, "show") => handover::show(replica, &street, spec, command),
        (Kind::HANDOVER, "sign") => handover::sign(replica, &street, spec, command),
        (Kind::APPEAL, "decide") => {
            let appeal = target(replica, spec, command)?.view;
            super::centre::check_marks(replica, &appeal, command.get("score"))?;
            add(replica, &street, spec, spec.verb("decide").ok_or_else(unknown)?, command)
        }
        (Kind::ASSIST, "add") => assist::add(replica, &street, spec, command),
        (Kind::ASSIST, "route") => assist::route(replica, &street, spec, command),
        (_, "show") => show(replica, &street, spec, command),
        (_, "list") => list(replica, &street, spec, command),
        (_, verb) if verb == spec.opens => make(replica, &street, spec, command),
        (_, verb) => add(replica, &street, spec, spec.verb(verb).ok_or_else(unknown)?, command),
    }
}

/// Where a new record lives.
fn home(
    street: &Street,
    spec: &RecordSpec,
    actor: &Actor,
    command: &WorkCommand,
    said: &Said,
    about: &[Target],
) -> Result<Scope, CommandError> {
    let published = || if actor.role.is_centre() { Scope::Street } else { actor.unit.clone() };
    let scope = match (command.get("unit"), spec.home) {
        (Some(unit), _) => street.unit(unit)?,
        (None, Home::Street) => Scope::Street,
        (None, Home::Published) => published(),
        (None, Home::Assignee) => match said.get("assignee").map(|assignee| assignee.parse::<Scope>()) {
            Some(Ok(unit)) => unit,
            _ => {
                let worker = said.get("assignee").and_then(|assignee| assignee.parse().ok());
                match worker {
                    Some(worker) => match street.post_of(&worker) {
                        Some(unit) => unit,
                        // Where he would never see it, it is not put down for him.
                        None if street.person(&worker).is_some_and(|person| !person.posts.is_empty()) => {
                            return Err(beyond(street, &worker));
                        }
                        None => actor.unit.clone(),
                    },
                    None => actor.unit.clone(),
                }
            }
        },
        (None, Home::Own) => {
            let registered =
                about.iter().find(|target| [Kind::PERSON, Kind::PLACE].contains(&target.view.kind));
            registered.map_or_else(|| actor.unit.clone(), |target| target.scope.clone())
        }
    };
    writable(street, actor, &scope)?;
    Ok(scope)
}

fn beyond(street: &Street, worker: &DocId) -> CommandError {
    let who = street.worker_name(worker);
    let units = street.person(worker).map(|person| person.posts.as_slice()).unwrap_or_default();
    let units: Vec<String> = units.iter().map(|(_, unit)| street.unit_name(unit)).collect();
    let text = WorkText::AssigneeBeyond { who: &who, units: &units.join("、") };
    CommandError::failed("assignee-beyond", &Message::Work(text))
}

/// Whether this worker may write in `scope` at all.
pub(super) fn writable(street: &Street, actor: &Actor, scope: &Scope) -> Result<(), CommandError> {
    let unit = street.unit_name(scope);
    if !street.holds(scope) {
        return Err(CommandError::failed("unit-not-held", &Message::Work(WorkText::NotHeld { unit: &unit })));
    }
    if *scope == Scope::Street && !actor.role.is_centre() {
        return Err(CommandError::failed("role", &Message::Work(WorkText::StreetIsTheCentres)));
    }
    Ok(())
}

/// A record that is about to be written.
pub(super) struct Draft {
    pub(super) scope: Scope,
    pub(super) doc: DocId,
    pub(super) ops: Vec<Op>,
}

/// Checks what was said of a new record.
fn draft(
    replica: &Replica,
    street: &Street,
    spec: &RecordSpec,
    command: &WorkCommand,
) -> Result<Draft, CommandError> {
    let actor = street.actor()?;
    draft::check_role(spec, spec.opens, actor.role)?;
    let (mut said, about) = resolve::inputs(replica, street, spec.inputs, command)?;
    line_of_business(replica, street, spec, &actor, &mut said)?;
    let ops = draft::open(spec, &actor, &said, &street.entries())?;
    let scope = home(street, spec, &actor, command, &said, &about)?;
    Ok(Draft { scope, doc: DocId(replica.random()?), ops })
}

/// A line of business by the name that the rules of cases give it. What they send past the grid is not put down
/// there as an opinion or a request either.
fn line_of_business(
    replica: &Replica,
    street: &Street,
    spec: &RecordSpec,
    actor: &Actor,
    said: &mut Said,
) -> Result<(), CommandError> {
    let is_line = |input: &Input| input.name == "category" && input.rule == Rule::Text;
    let Some(typed) = said.get("category").filter(|_| spec.inputs.iter().any(is_line)) else { return Ok(()) };
    let book = cases::rulebook(replica)?;
    let Some(line) = book.latest().category(&text::compact(typed)) else { return Ok(()) };
    let kept_from_grid = [Kind::OPINION, Kind::HELP].contains(&spec.kind) && !actor.role.is_centre();
    if line.bypasses_grid() && kept_from_grid {
        let own = format!("{} {}", street.unit_name(&actor.unit), role_zh(actor.role));
        return Err(super::case::past_the_grid(&line.name, &own));
    }
    said.insert("category".to_owned(), line.name.clone());
    Ok(())
}

fn make(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = happened_at(replica, command.get("at"))?;
    let pictures = Pictures::read(command.all(line::PHOTO))?;
    let Draft { scope, doc, mut ops } = draft(replica, street, spec, command)?;
    if let Some(event) = ops.last_mut() {
        pictures.put_into(event);
    }
    pictures.commit(replica, &scope, doc, vec![Edit { doc, kind: spec.kind, ops }], at_ms)?;
    answer(replica, street, spec, &scope, &doc, spec.opens)
}

/// Checks what was said of an event.
fn event(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    verb: &Verb,
    command: &WorkCommand,
    target: &Target,
) -> Result<Op, CommandError> {
    let actor = street.actor()?;
    draft::check_role(spec, verb.name, actor.role)?;
    writable(street, &actor, &target.scope)?;
    let (mut said, _) = resolve::inputs(replica, street, verb.inputs, command)?;
    if let To::Outcome(outcomes) = verb.to {
        let chosen: Vec<&str> =
            outcomes.iter().map(|outcome| outcome.name).filter(|name| command.has(name)).collect();
        if let [one] = chosen.as_slice() {
            said.insert("result".to_owned(), (*one).to_owned());
        }
    }
    let record = wangge_model::work::fold::fold(spec, &target.view);
    Ok(draft::act(spec, &target.view, &record, &actor, verb, &said, &street.entries())?)
}

fn target(replica: &Replica, spec: &RecordSpec, command: &WorkCommand) -> Result<Target, CommandError> {
    resolve::record(replica, spec, command.key.as_deref().unwrap_or_default())
}

fn add(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    verb: &Verb,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = happened_at(replica, command.get("at"))?;
    let target = target(replica, spec, command)?;
    let pictures = Pictures::read(command.all(line::PHOTO))?;
    pictures.fit(replica, &target.scope, &target.view)?;
    let mut op = event(replica, street, spec, verb, command, &target)?;
    pictures.put_into(&mut op);
    let edit = Edit { doc: target.view.id, kind: spec.kind, ops: vec![op] };
    pictures.commit(replica, &target.scope, target.view.id, vec![edit], at_ms)?;
    answer(replica, street, spec, &target.scope, &target.view.id, verb.name)
}

/// Adds photos to a record with a note about them, in whatever state it is.
pub(super) fn note_photos(
    replica: &Replica,
    target: &Target,
    text: &str,
    args: &AddPhotosArgs,
) -> Result<(), CommandError> {
    let street = Street::load(replica)?;
    let unknown = || CommandError::usage("bad-usage", &Message::BadUsage);
    let spec = wangge_model::work::of_kind(target.view.kind).ok_or_else(unknown)?;
    let actor = street.actor()?;
    let at_ms = happened_at(replica, args.at.as_deref())?;
    draft::check_role(spec, "note", actor.role)?;
    writable(&street, &actor, &target.scope)?;
    let pictures = Pictures::read(&args.photo)?;
    pictures.fit(replica, &target.scope, &target.view)?;
    let mut said = serde_json::Map::new();
    said.insert("text".to_owned(), draft::paragraphs(draft::TEXT, text)?.into());
    let mut op = draft::event_op(&actor, "note", said)?;
    pictures.put_into(&mut op);
    let edit = Edit { doc: target.view.id, kind: spec.kind, ops: vec![op] };
    pictures.commit(replica, &target.scope, target.view.id, vec![edit], at_ms)
}

/// What stands now, after `event` was written.
fn answer(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    scope: &Scope,
    doc: &DocId,
    event: &str,
) -> Result<Answer, CommandError> {
    let workers = Workers::load(replica)?;
    let Some(view) = replica.get(scope, spec.kind, doc)? else {
        return Ok(Answer { json: Value::Null, text: String::new() });
    };
    let seen = Seen::of(spec, scope.clone(), view);
    let id = super::shown::short_id(&seen.id());
    let done = WorkText::Done {
        record: spec.label,
        event: spec.event_label(event),
        id: &id,
        state: seen.record.state,
    };
    let text = Message::Work(done).line();
    Ok(Answer { json: shown::json(replica, street, &workers, &seen)?, text })
}

fn show(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let workers = Workers::load(replica)?;
    let Target { scope, view } = target(replica, spec, command)?;
    let seen = Seen::of(spec, scope, view);
    Ok(Answer {
        json: shown::json(replica, street, &workers, &seen)?,
        text: shown::text(replica, street, &seen)?,
    })
}

/// All records of a kind in `scopes`, newest first.
pub(super) fn all(
    replica: &Replica,
    spec: &'static RecordSpec,
    scopes: &[Scope],
) -> Result<Vec<Seen>, CommandError> {
    let mut found: Vec<Seen> = Vec::new();
    let mut once = BTreeSet::new();
    for scope in scopes {
        let mut views: Vec<DocumentView> = Vec::new();
        replica.each(scope, spec.kind, |view| {
            views.push(view);
            true
        })?;
        for view in views {
            // Copies of one record count once.
            if !extra::COPIED.contains(&spec.kind) || once.insert(record_of(&view)) {
                found.push(Seen::of(spec, scope.clone(), view));
            }
        }
    }
    found.sort_by_cached_key(|seen| (std::cmp::Reverse(seen.record.made_ms), seen.view.id));
    Ok(found)
}

fn list(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let workers = Workers::load(replica)?;
    let scopes = match command.get("unit") {
        Some(unit) => {
            let unit = street.unit(unit)?;
            street.within(&unit).into_iter().filter(|unit| street.holds(unit)).collect()
        }
        None => street.held(),
    };
    let state = match command.get("state") {
        None => None,
        Some(typed) => Some(spec.state(typed.trim()).ok_or_else(|| {
            CommandError::usage(
                "state-unknown",
                &Message::Work(WorkText::StateUnknown { typed, states: spec.states }),
            )
        })?),
    };
    let limit = match command.get("limit") {
        None => None,
        Some(typed) => Some(typed.trim().parse::<usize>().map_err(|_| {
            CommandError::usage("number-unreadable", &Message::Work(WorkText::LimitUnreadable { typed }))
        })?),
    };
    let now = replica.now_ms();
    let own = street.actor().ok();
    let mut found = all(replica, spec, &scopes)?;
    found.retain(|seen| {
        state.is_none_or(|state| seen.record.state == state)
            && (!command.has("mine") || own.as_ref().is_some_and(|own| seen.is_for(&own.worker, &own.unit)))
            && (!command.has("overdue") || seen.overdue(now))
    });
    let total = found.len();
    let lines_max = limit.unwrap_or(LIST_LINES).min(total);
    let mut lines: Vec<String> =
        found.iter().take(lines_max).map(|seen| shown::line(street, seen, now)).collect();
    lines.push(Message::Listed { shown: lines_max, total }.line());
    let json = found
        .iter()
        .take(limit.unwrap_or(usize::MAX))
        .map(|seen| shown::json(replica, street, &workers, seen))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}
