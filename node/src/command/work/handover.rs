//! Hand-over of a grid: what is open and what is unsent, in one list that the successor signs.

use serde_json::{Map, Value, json};

use wangge_model::document::{DocumentView, Op, Target as OpTarget};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::draft::{self, event_op, field_op};
use wangge_model::work::{Record, RecordSpec, fold, of_kind};

use super::line::WorkCommand;
use super::shown::Seen;
use super::street::Street;
use super::{Draft, cases, event, resolve, target};
use crate::command::case::Observed;
use crate::command::key::Target;
use crate::command::{Answer, CommandError, shown as documents};
use crate::replica::{Delivery, Edit, Replica};
use crate::text::{Message, Word, WorkText};

/// Longest part of a list, in bytes.
const PART_LEN_BYTES_MAX: usize = 12_000;
/// Parts in one transaction.
const PARTS_MAX: usize = 4;

/// Records whose open ones are handed over.
const KINDS: [Kind; 6] = [Kind::TASK, Kind::HAZARD, Kind::DISPUTE, Kind::HELP, Kind::OPINION, Kind::ASSIST];

/// One thing that is handed over.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    kind: &'static str,
    label: &'static str,
    id: DocId,
    title: String,
    state: String,
    due: Option<String>,
    unsent: bool,
}

impl Item {
    fn json(&self) -> Value {
        let mut json =
            json!({ "kind": self.kind, "id": self.id.to_string(), "title": self.title, "state": self.state });
        if let Some(due) = &self.due {
            json["due"] = due.as_str().into();
        }
        if self.unsent {
            json["unsent"] = true.into();
        }
        json
    }
}

/// What is open in a unit, and what of it is on this device alone.
fn open_items(replica: &Replica, street: &Street, scope: &Scope) -> Result<Vec<Item>, CommandError> {
    let here = std::slice::from_ref(scope);
    let mut items = Vec::new();
    let unsent =
        |kind: Kind, id: &DocId| Ok::<_, CommandError>(replica.delivery(scope, kind, id)? == Delivery::Here);
    for seen in cases::all(replica, here)? {
        let unsent = unsent(Kind::CASE, &seen.view.id)?;
        if !seen.case.state.is_open() && !unsent {
            continue;
        }
        items.push(Item {
            kind: "case",
            label: "事件",
            id: seen.view.id,
            title: format!("{} {}", seen.view.text("number"), shorten(&seen.view.text("text"))),
            state: seen.case.state.label().to_owned(),
            due: None,
            unsent,
        });
    }
    for spec in KINDS.into_iter().filter_map(of_kind) {
        for seen in super::all(replica, spec, here)? {
            let unsent = unsent(spec.kind, &seen.view.id)?;
            if seen.record.state.closed && !unsent {
                continue;
            }
            items.push(Item {
                kind: spec.word,
                label: spec.label,
                id: seen.view.id,
                title: shorten(&seen.headline(street)),
                state: seen.record.state.label.to_owned(),
                due: seen.record.due.clone(),
                unsent,
            });
        }
    }
    items.sort_by(|a, b| (a.kind, a.id).cmp(&(b.kind, b.id)));
    Ok(items)
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A hash over the list, which the successor signs.
fn digest(items: &[Value]) -> String {
    blake3::hash(Value::from(items.to_vec()).to_string().as_bytes()).to_hex().to_string()
}

/// The list as its events tell it.
fn listed(record: &Record) -> Vec<Value> {
    let parts = record.told.iter().filter(|told| told.kind == "item" && Some(told.worker) == record.author);
    parts
        .flat_map(|told| told.said.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
        .collect()
}

/// Whoever takes a unit over holds a post there, or will: he would never see the list otherwise.
fn check_successor(
    replica: &Replica,
    street: &Street,
    scope: &Scope,
    ops: &[Op],
    at_ms: Option<u64>,
) -> Result<(), CommandError> {
    let assignee = |op: &Op| matches!(&op.target, OpTarget::Field(name) if name == "assignee");
    let named = ops.iter().find(|op| assignee(op)).and_then(|op| op.value.as_ref()?.as_str()?.parse().ok());
    let Some(successor) = named else { return Ok(()) };
    if replica.roster()?.will_hold(&successor, scope, at_ms.unwrap_or_else(|| replica.now_ms())) {
        return Ok(());
    }
    let posts = street.person(&successor).map(|person| person.posts.as_slice()).unwrap_or_default();
    let units: Vec<String> = posts.iter().map(|(_, unit)| street.unit_name(unit)).collect();
    let text = WorkText::SuccessorElsewhere {
        who: &street.worker_name(&successor),
        unit: &street.unit_name(scope),
        units: &units.join("、"),
    };
    Err(CommandError::failed("successor-elsewhere", &Message::Work(text)).on("assignee"))
}

pub(super) fn start(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let mut command = command.clone();
    if let Some(to) = command.said.remove("to") {
        command.said.insert("assignee".to_owned(), to);
    }
    let actor = street.actor()?;
    let Draft { scope, doc, mut ops } = super::draft(replica, street, spec, &command)?;
    check_successor(replica, street, &scope, &ops, at_ms)?;
    ops.pop();
    let items = open_items(replica, street, &scope)?;
    let values: Vec<Value> = items.iter().map(Item::json).collect();
    let unsent = replica.unsent()?;
    let mut told = Map::new();
    told.insert("count".to_owned(), values.len().into());
    told.insert("unsent".to_owned(), unsent.into());
    ops.push(field_op("worker", actor.worker.to_string()));
    ops.push(field_op("digest", digest(&values)));
    ops.push(event_op(&actor, spec.opens, told)?);
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    let mut len_bytes = 0;
    for value in values {
        len_bytes += value.to_string().len();
        if len_bytes > PART_LEN_BYTES_MAX {
            parts.push(Vec::new());
            len_bytes = value.to_string().len();
        }
        if let Some(part) = parts.last_mut() {
            part.push(value);
        }
    }
    parts.retain(|part| !part.is_empty());
    replica.commit(&scope, vec![Edit { doc, kind: spec.kind, ops }], at_ms)?;
    for parts in parts.chunks(PARTS_MAX) {
        let ops = parts.iter().map(|part| {
            let mut told = Map::new();
            told.insert("items".to_owned(), part.clone().into());
            Ok(event_op(&actor, "item", told)?)
        });
        let ops = ops.collect::<Result<Vec<_>, CommandError>>()?;
        replica.commit(&scope, vec![Edit { doc, kind: spec.kind, ops }], at_ms)?;
    }
    let answer = super::answer(replica, street, spec, &scope, &doc, spec.opens)?;
    with_list(replica, street, answer, &scope, &doc, spec)
}

pub(super) fn show(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let Target { scope, view } = target(replica, spec, command)?;
    let answer = super::show(replica, street, spec, command)?;
    with_list(replica, street, answer, &scope, &view.id, spec)
}

/// Where something of the list stands now, if this replica has it.
fn now(replica: &Replica, scope: &Scope, item: &Value) -> Result<Option<(String, bool)>, CommandError> {
    let text = |name: &str| item[name].as_str().unwrap_or_default();
    let Ok(id) = text("id").parse::<DocId>() else { return Ok(None) };
    if text("kind") == "case" {
        let Some(view) = replica.get(scope, Kind::CASE, &id)? else { return Ok(None) };
        let observed = Observed::new(replica);
        let seen = cases::CaseSeen::of(&observed, scope.clone(), view, &cases::rulebook(replica)?)?;
        return Ok(Some((seen.case.state.label().to_owned(), seen.case.state.is_open())));
    }
    let Some(spec) = wangge_model::work::of_word(text("kind")) else { return Ok(None) };
    let view: Option<DocumentView> = replica.get(scope, spec.kind, &id)?;
    Ok(view.map(|view| {
        let record = fold::fold(spec, &view);
        (record.state.label.to_owned(), !record.state.closed)
    }))
}

fn with_list(
    replica: &Replica,
    street: &Street,
    mut answer: Answer,
    scope: &Scope,
    doc: &DocId,
    spec: &'static RecordSpec,
) -> Result<Answer, CommandError> {
    let Some(view) = replica.get(scope, spec.kind, doc)? else { return Ok(answer) };
    let seen = Seen::of(spec, scope.clone(), view);
    let items = listed(&seen.record);
    let mut lines = Vec::new();
    let mut json = Vec::new();
    for item in &items {
        let mut item = item.clone();
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let label = wangge_model::work::of_word(&text("kind")).map_or("事件", |spec| spec.label);
        let mut line = format!(
            "  {label}  {}  {}  {}",
            &text("id").chars().take(8).collect::<String>(),
            text("title"),
            text("state")
        );
        if item["unsent"] == true {
            line.push_str(&format!("  [{}]", Word::OnlyHere.zh()));
        }
        match now(replica, scope, &item)? {
            Some((state, open)) => {
                if state != text("state") {
                    line.push_str(&format!("  → {state}"));
                }
                item["state_now"] = state.into();
                item["open"] = open.into();
                item["here"] = true.into();
            }
            None => {
                line.push_str(&format!("  [{}]", Message::Work(WorkText::NotHereYet).zh()));
                item["here"] = false.into();
            }
        }
        lines.push(line);
        json.push(item);
    }
    // What came up since the list was made.
    let known: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
    let mut since = open_items(replica, street, scope)?;
    since.retain(|item| !known.contains(&item.id.to_string().as_str()));
    for item in &since {
        lines.push(format!(
            "  {}  {}  {}  {}  [{}]",
            item.label,
            documents::short_id(&item.id),
            item.title,
            item.state,
            Message::Work(WorkText::SinceTheList).zh()
        ));
    }
    let count = promised(&seen.record);
    let unsent =
        seen.record.told.first().and_then(|told| told.said.get("unsent")).cloned().unwrap_or_default();
    answer.json["items"] = json.into();
    answer.json["count"] = count.into();
    answer.json["complete"] = (items.len() as u64 == count).into();
    answer.json["unsent"] = unsent;
    answer.json["since"] = since.iter().map(Item::json).collect();
    lines.insert(0, Message::Work(WorkText::HandoverList { count: items.len(), of: count }).line());
    answer.text = format!("{}\n{}", answer.text, lines.join("\n"));
    Ok(answer)
}

/// How many things the list was said to have.
fn promised(record: &Record) -> u64 {
    record.told.first().and_then(|told| told.said.get("count")).and_then(Value::as_u64).unwrap_or(0)
}

pub(super) fn sign(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    let found = target(replica, spec, command)?;
    let verb = spec.verb("sign").ok_or_else(|| CommandError::usage("bad-usage", &Message::BadUsage))?;
    event(replica, street, spec, verb, command, &found)?;
    let record = fold::fold(spec, &found.view);
    let items = listed(&record);
    let digest = digest(&items);
    if items.len() as u64 != promised(&record) || digest != found.view.text("digest") {
        let (here, of) = (items.len(), promised(&record));
        return Err(CommandError::failed(
            "list-incomplete",
            &Message::Work(WorkText::ListIncomplete { here, of }),
        ));
    }
    let mut told = Map::new();
    told.insert("digest".to_owned(), digest.into());
    if let Some(text) = command.get("text") {
        told.insert("text".to_owned(), draft::paragraphs(draft::TEXT, text)?.into());
    }
    let op = event_op(&street.actor()?, "sign", told)?;
    let edit = Edit { doc: found.view.id, kind: spec.kind, ops: vec![op] };
    replica.commit(&found.scope, vec![edit], at_ms)?;
    let answer = super::answer(replica, street, spec, &found.scope, &found.view.id, "sign")?;
    with_list(replica, street, answer, &found.scope, &found.view.id, spec)
}
