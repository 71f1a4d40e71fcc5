//! Requests between units that do not hold each other's records: a copy in each. The relay carries over what one
//! says and the other does not; an area or the centre, which hold both, can (art. 12, 26).

use serde_json::Map;

use wangge_model::document::{DocumentView, Op};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::copy::{ORIGINAL, id_in, record_of};
use wangge_model::work::draft::{Actor, Said, TEXT, act, check_role, event_op, field_op, paragraphs};
use wangge_model::work::{Record, RecordSpec, State, Told, WorkError, fold, of_kind};

use super::line::WorkCommand;
use super::street::Street;
use super::{Draft, resolve, target, writable};
use crate::command::{Answer, CommandError};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, WorkText};

pub(super) fn add(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let Draft { scope, doc, mut ops } = super::draft(replica, street, spec, command)?;
    ops.push(field_op("scope", scope.to_string()));
    let edit = Edit { doc, kind: spec.kind, ops };
    replica.commit(&scope, vec![edit], at_ms)?;
    // Who holds both carries it over at once.
    let asked = replica.get(&scope, spec.kind, &doc)?;
    let asked = asked.and_then(|view| view.text("assignee").parse::<Scope>().ok());
    let Some(asked) = asked.filter(|asked| *asked != scope) else {
        return super::answer(replica, street, spec, &scope, &doc, spec.opens);
    };
    let actor = street.actor()?;
    let may_route = check_role(spec, "route", actor.role).is_ok();
    if may_route && writable(street, &actor, &asked).is_ok() {
        Request { doc, from: scope.clone(), to: asked }.carry(replica, spec, &actor, None)?;
        return super::answer(replica, street, spec, &scope, &doc, spec.opens);
    }
    let mut answer = super::answer(replica, street, spec, &scope, &doc, spec.opens)?;
    let waits = Message::Work(WorkText::AssistWaits { team: matches!(asked, Scope::Team(_)) }).line();
    answer.text.push_str(&format!("\n{waits}"));
    Ok(answer)
}

/// What was carried between the two copies of a request.
enum Carried {
    /// The copy in the unit that is asked was made.
    Made,
    /// This event was written in one from what the other says.
    Told(&'static str),
    /// Nothing: both stand here.
    Same(&'static State),
    /// Nothing: what one says cannot be written in the other.
    Unfit(WorkError),
}

/// A request with the two units that have a copy each.
struct Request {
    doc: DocId,
    from: Scope,
    to: Scope,
}

impl Request {
    /// The request that a copy stands for, `None` if it does not say between whom.
    fn of(view: &DocumentView) -> Option<Self> {
        let (from, to) = (view.text("scope").parse().ok()?, view.text("assignee").parse().ok()?);
        Some(Self { doc: record_of(view), from, to })
    }

    /// The copy in one of the units, without what the relay found void.
    fn copy(&self, replica: &Replica, scope: &Scope) -> Result<Option<DocumentView>, ReplicaError> {
        let copy = id_in(&self.doc, &self.from, scope);
        let Some(mut view) = replica.get(scope, Kind::ASSIST, &copy)? else { return Ok(None) };
        for events in view.histories.values_mut() {
            events.retain(|event| replica.void_reason(scope, &event.log, event.seq).is_none());
        }
        Ok(Some(view))
    }

    /// Carries over what one copy says and the other does not, one step.
    fn carry(
        &self,
        replica: &Replica,
        spec: &'static RecordSpec,
        actor: &Actor,
        note: Option<&str>,
    ) -> Result<Carried, ReplicaError> {
        let Some(asking) = self.copy(replica, &self.from)? else { return Ok(Carried::Same(&spec.states[0])) };
        let here = fold::fold(spec, &asking);
        let Some(asked) = self.copy(replica, &self.to)? else {
            return self.make(replica, spec, actor, &asking, &here, note);
        };
        let there = fold::fold(spec, &asked);
        if here.state == there.state {
            return Ok(Carried::Same(here.state));
        }
        let withdrawn = here.state.name == "withdrawn";
        let (scope, view, record, verb, of) = if withdrawn {
            (&self.to, &asked, &there, "withdraw", last(&here.told, "withdraw"))
        } else {
            let kind = match there.state.name {
                "accepted" => "accept",
                "refused" => "refuse",
                _ => "complete",
            };
            (&self.from, &asking, &here, "pass-back", last(&there.told, kind))
        };
        let mut said = Said::new();
        if let Some(told) = of {
            for name in ["text", "reason"] {
                if let Some(text) = told.text(name) {
                    said.insert(name.to_owned(), text.to_owned());
                }
            }
            if !withdrawn {
                said.insert("worker".to_owned(), told.worker.to_string());
                said.insert("result".to_owned(), there.state.name.to_owned());
            }
        }
        let Some(verb) = spec.verb(verb) else { return Ok(Carried::Same(here.state)) };
        // None of these events names a code.
        match act(spec, view, record, actor, verb, &said, &|_| Vec::new()) {
            Ok(op) => {
                replica.commit(scope, vec![Edit { doc: view.id, kind: spec.kind, ops: vec![op] }], None)?;
                Ok(Carried::Told(verb.name))
            }
            Err(error) => Ok(Carried::Unfit(error)),
        }
    }

    /// Makes the copy in the unit that is asked: it begins with the request, in the name of whom it came from.
    fn make(
        &self,
        replica: &Replica,
        spec: &'static RecordSpec,
        actor: &Actor,
        asking: &DocumentView,
        record: &Record,
        note: Option<&str>,
    ) -> Result<Carried, ReplicaError> {
        let mut ops: Vec<Op> = asking
            .fields
            .iter()
            .map(|(name, register)| field_op(name, register.shown.value.clone()))
            .collect();
        let mut told = Map::new();
        if let Some(author) = record.author {
            told.insert("worker".to_owned(), author.to_string().into());
        }
        let mut routed = Map::new();
        let events = match note.map(|text| paragraphs(TEXT, text)).transpose() {
            Ok(note) => {
                routed.extend(note.map(|text| ("text".to_owned(), text.into())));
                event_op(actor, spec.opens, told)
                    .and_then(|made| Ok((made, event_op(actor, "route", routed)?)))
            }
            Err(error) => Err(error),
        };
        let (made, route) = match events {
            Ok(events) => events,
            Err(error) => return Ok(Carried::Unfit(error)),
        };
        ops.extend([field_op(ORIGINAL, self.doc.to_string()), made]);
        let copy = id_in(&self.doc, &self.from, &self.to);
        let edit = Edit { doc: copy, kind: spec.kind, ops };
        replica.commit(&self.to, vec![edit], Some(record.made_ms))?;
        replica.commit(&self.from, vec![Edit { doc: self.doc, kind: spec.kind, ops: vec![route] }], None)?;
        Ok(Carried::Made)
    }
}

/// Carries over what has come of a request, at the relay. To whom a team's help goes is for people of the centre
/// to say (art. 12); all else goes by itself. How many steps were written.
///
/// # Errors
/// [`ReplicaError`]: what was not carried over stays due.
pub(crate) fn settle(replica: &Replica, scope: &Scope, doc: &DocId) -> Result<usize, ReplicaError> {
    let (Some(spec), Some(acting)) = (of_kind(Kind::ASSIST), replica.acting()) else { return Ok(0) };
    let Some(view) = replica.get(scope, Kind::ASSIST, doc)? else { return Ok(0) };
    let Some(request) = Request::of(&view).filter(|request| request.from != request.to) else { return Ok(0) };
    // A copy that somebody made by hand is on its way.
    let routed = |view: &DocumentView| fold::fold(spec, view).told.iter().any(|told| told.kind == "route");
    let waits = matches!(request.to, Scope::Team(_))
        || request.copy(replica, &request.from)?.is_none_or(|view| routed(&view));
    if waits && request.copy(replica, &request.to)?.is_none() {
        return Ok(0);
    }
    let actor = Actor { worker: acting.worker, role: acting.role, unit: acting.unit };
    match request.carry(replica, spec, &actor, None)? {
        Carried::Made | Carried::Told(_) => Ok(1),
        Carried::Same(_) => Ok(0),
        Carried::Unfit(error) => {
            tracing::warn!(%error, "an answer to a request between units is not carried over");
            Ok(0)
        }
    }
}

pub(super) fn route(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let actor = street.actor()?;
    check_role(spec, "route", actor.role)?;
    let found = target(replica, spec, command)?;
    let request = Request::of(&found.view);
    let request = request.ok_or_else(|| CommandError::usage("bad-usage", &Message::BadUsage))?;
    // Teams are reached through the centre alone (art. 12).
    if matches!(request.to, Scope::Team(_)) && !actor.role.is_centre() {
        return Err(CommandError::failed("role", &Message::Work(WorkText::TeamsThroughTheCentre)));
    }
    for unit in [&request.from, &request.to] {
        writable(street, &actor, unit)?;
    }
    let carried = request.carry(replica, spec, &actor, command.get("text"))?;
    let Request { doc, from, .. } = request;
    match carried {
        Carried::Made => super::answer(replica, street, spec, &from, &doc, "route"),
        Carried::Told(verb) => super::answer(replica, street, spec, &from, &doc, verb),
        Carried::Unfit(error) => Err(error.into()),
        // The relay has done it already, or somebody else.
        Carried::Same(state) => {
            let mut answer = super::answer(replica, street, spec, &from, &doc, "route")?;
            answer.text = Message::Work(WorkText::NothingToRoute { state }).line();
            Ok(answer)
        }
    }
}

fn last<'a>(told: &'a [Told], kind: &str) -> Option<&'a Told> {
    told.iter().rev().find(|told| told.kind == kind && told.void.is_none())
}
