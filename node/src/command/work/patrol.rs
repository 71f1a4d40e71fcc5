//! Findings of a patrol, which may record a hazard or report a case in the same breath.

use serde_json::Value;

use wangge_model::document::Op;
use wangge_model::identity::DocId;
use wangge_model::schema::Kind;
use wangge_model::work::{RecordSpec, of_kind};

use super::line::{self, WorkCommand};
use super::street::Street;
use super::{event, resolve, target};
use crate::command::case::{self, CaseCommand, ReportArgs};
use crate::command::photo::Pictures;
use crate::command::{Answer, CommandError};
use crate::replica::{Edit, Replica};
use crate::text::Message;

pub(super) fn finding(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let internal = || CommandError::usage("bad-usage", &Message::BadUsage);
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let patrol = target(replica, spec, command)?;
    let verb = spec.verb("finding").ok_or_else(internal)?;
    let mut command = command.clone();
    // All is checked before any of it is written.
    event(replica, street, spec, verb, &without_made(&command), &patrol)?;
    let pictures = Pictures::read(command.all(line::PHOTO))?;
    pictures.fit(replica, &patrol.scope, &patrol.view)?;
    let mut edits = Vec::new();
    let mut made = None;
    if let Some(kind) = command.get("hazard-kind") {
        let hazards = of_kind(Kind::HAZARD).ok_or_else(internal)?;
        let (mut said, _) = resolve::inputs(replica, street, hazards.inputs, &command)?;
        said.insert("kind".to_owned(), kind.to_owned());
        said.insert("source".to_owned(), format!("{} {}", spec.label, patrol.view.id));
        let ops = wangge_model::work::draft::open(hazards, &street.actor()?, &said, &street.entries())?;
        let doc = DocId(replica.random()?);
        edits.push(Edit { doc, kind: Kind::HAZARD, ops });
        made = Some(doc.to_string());
    }
    let mut reported = Value::Null;
    if let Some(line) = command.get("report") {
        let text = |name: &str| command.get(name).map(str::to_owned);
        let args = ReportArgs {
            category: line.to_owned(),
            text: text("text").unwrap_or_default(),
            place: text("place"),
            person: text("person"),
            level: text("level"),
            source: Some("patrol".to_owned()),
            unit: Some(patrol.scope.to_string()),
            at: text("at"),
            ..ReportArgs::default()
        };
        // The case first: if the finding then fails, nothing is lost, and the case can be linked.
        reported = case::execute(replica, &CaseCommand::Report(args))?.json;
        let id = reported["id"].as_str().unwrap_or_default().to_owned();
        command.said.insert("case".to_owned(), vec![id]);
    }
    let mut op = event(replica, street, spec, verb, &command, &patrol)?;
    if let Some(id) = &made {
        link(&mut op, "hazard", id);
    }
    pictures.put_into(&mut op);
    edits.insert(0, Edit { doc: patrol.view.id, kind: spec.kind, ops: vec![op] });
    pictures.commit(replica, &patrol.scope, patrol.view.id, edits, at_ms)?;
    let mut answer = super::answer(replica, street, spec, &patrol.scope, &patrol.view.id, verb.name)?;
    if !reported.is_null() {
        answer.json["case"] = reported;
    }
    if let Some(id) = made {
        answer.json["hazard"] = id.into();
    }
    Ok(answer)
}

/// The finding as far as it can be checked before what it makes is there.
fn without_made(command: &WorkCommand) -> WorkCommand {
    let mut plain = command.clone();
    for name in ["hazard-kind", "due", "report", "level"] {
        plain.said.remove(name);
    }
    plain
}

/// Adds a reference to an event; the document is made in the same transaction.
fn link(op: &mut Op, name: &str, id: &str) {
    let event =
        op.value.as_ref().and_then(|value| value.as_str()).and_then(|text| serde_json::from_str(text).ok());
    if let Some(Value::Object(mut event)) = event {
        event.insert(name.to_owned(), id.into());
        op.value = Some(Value::Object(event).to_string().into());
    }
}
