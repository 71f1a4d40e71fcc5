//! Records as programs and people see them.

use serde_json::{Value, json};

use wangge_model::checks::Date;
use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::copy::{ORIGINAL, record_of};
use wangge_model::work::{Record, RecordSpec, Rule, Told, Void, day, fold};

use super::street::Street;
use crate::command::workers::Workers;
use crate::command::{CommandError, instant, shown};
use crate::replica::Replica;
use crate::text::{Message, SAID_LABELS, Word, WorkText, role_zh};

/// A record with what its events come to.
pub(crate) struct Seen {
    pub(crate) spec: &'static RecordSpec,
    pub(crate) scope: Scope,
    pub(crate) view: DocumentView,
    pub(crate) record: Record,
}

impl Seen {
    pub(crate) fn of(spec: &'static RecordSpec, scope: Scope, view: DocumentView) -> Self {
        let record = fold::fold(spec, &view);
        Self { spec, scope, view, record }
    }

    /// What people call it by, whichever copy of it this is.
    pub(crate) fn id(&self) -> DocId {
        record_of(&self.view)
    }

    /// Whether its last day is over and something is left to be done.
    pub(crate) fn overdue(&self, now_ms: u64) -> bool {
        let due = self.record.due.as_deref().and_then(|due| Date::parse(due).ok());
        !self.record.state.closed && due.is_some_and(|due| day::ends_ms(due) <= now_ms)
    }

    /// Whether it is for this worker to do something about.
    pub(crate) fn is_for(&self, worker: &DocId, unit: &Scope) -> bool {
        match &self.record.assignee {
            Some(assignee) => *assignee == worker.to_string() || *assignee == unit.to_string(),
            None => self.record.author == Some(*worker),
        }
    }

    /// What it is about, in a line.
    pub(crate) fn headline(&self, street: &Street) -> String {
        let texts = self.spec.headline.iter().map(|name| field_text(self.spec, street, &self.view, name));
        let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
        let line = texts.join("  ").replace('\n', " ");
        match line.char_indices().nth(60) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line,
        }
    }
}

/// A field as people read it: codes by their names.
fn field_text(spec: &RecordSpec, street: &Street, view: &DocumentView, name: &str) -> String {
    let text = view.text(name);
    match spec.inputs.iter().find(|input| input.name == name).map(|input| input.rule) {
        Some(Rule::Code(table)) => code_text(street, table, &text),
        _ => text,
    }
}

/// What a code means; the code itself if its table does not have it.
fn code_text(street: &Street, table: &str, code: &str) -> String {
    street.codes().label(table, code).unwrap_or(code).to_owned()
}

/// Why an event has no effect, in words.
fn void_text(void: Void) -> String {
    let text = match void {
        Void::Unreadable => WorkText::VoidUnreadable,
        Void::Role => WorkText::VoidRole,
        Void::Whose => WorkText::VoidWhose,
        Void::NoTrack => WorkText::VoidNoTrack,
        Void::State(state) => WorkText::VoidState { state },
    };
    Message::Work(text).zh()
}

/// A value of an event as people read it.
fn said_text(spec: &RecordSpec, street: &Street, kind: &str, name: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("、"),
        value => value.to_string(),
    };
    let inputs = spec.verb(kind).map_or(spec.inputs, |verb| verb.inputs);
    match inputs.iter().find(|input| input.name == name).map(|input| input.rule) {
        Some(Rule::Code(table)) => code_text(street, table, &text),
        Some(Rule::Worker | Rule::Workers | Rule::Assignee | Rule::Unit) => {
            text.split(' ').map(|one| street.assignee_name(one)).collect::<Vec<_>>().join("、")
        }
        _ => text,
    }
}

fn told_json(spec: &RecordSpec, street: &Street, told: &Told) -> Value {
    let mut json = told.said.clone();
    json.insert("kind".to_owned(), told.kind.as_str().into());
    json.insert("label".to_owned(), spec.event_label(&told.kind).into());
    json.insert("worker".to_owned(), street.worker_name(&told.worker).into());
    json.insert("role".to_owned(), told.role.map_or(Value::Null, |role| role.name().into()));
    json.insert("unit".to_owned(), told.unit.as_ref().map_or(Value::Null, |unit| unit.to_string().into()));
    json.insert("at".to_owned(), instant::rfc3339(told.wall_ms).into());
    if told.observed_ms > 0 {
        json.insert("received_at".to_owned(), instant::rfc3339(told.observed_ms).into());
    }
    json.insert("void".to_owned(), told.void.map_or(Value::Null, |void| void_text(void).into()));
    Value::Object(json)
}

/// A record for programs.
pub(crate) fn json(
    replica: &Replica,
    street: &Street,
    workers: &Workers,
    seen: &Seen,
) -> Result<Value, CommandError> {
    let Seen { spec, scope, view, record } = seen;
    let delivery = replica.delivery(scope, spec.kind, &view.id)?;
    let mut json = shown::document_json(workers, scope, view, delivery);
    json["id"] = seen.id().to_string().into();
    json["record"] = spec.word.into();
    json["headline"] = seen.headline(street).into();
    json["unit"] = street.unit_name(scope).into();
    json["state"] = record.state.name.into();
    json["state_label"] = record.state.label.into();
    json["closed"] = record.state.closed.into();
    json["due"] = record.due.clone().into();
    json["overdue"] = seen.overdue(replica.now_ms()).into();
    json["author"] = record.author.map_or(Value::Null, |author| street.worker_name(&author).into());
    json["made_at"] = instant::rfc3339(record.made_ms).into();
    if let Some(assignee) = &record.assignee {
        json["assignee"] = json!({ "key": assignee, "name": street.assignee_name(assignee) });
    }
    json["events"] = record.told.iter().map(|told| told_json(spec, street, told)).collect();
    Ok(json)
}

/// An event for people.
fn told_text(
    replica: &Replica,
    spec: &RecordSpec,
    street: &Street,
    told: &Told,
) -> Result<String, CommandError> {
    let mut line = format!("{} {}", instant::short(told.wall_ms), street.worker_name(&told.worker));
    if let Some(role) = told.role {
        line.push_str(&format!("({})", role_zh(role)));
    }
    line.push_str(&format!(" {}", spec.event_label(&told.kind)));
    let inputs = spec.verb(&told.kind).map_or(spec.inputs, |verb| verb.inputs);
    for (name, value) in &told.said {
        let typed = inputs.iter().find(|input| input.name == *name).map(|input| input.label);
        let label = typed.or_else(|| SAID_LABELS.iter().find(|said| said.0 == name).map(|said| said.1));
        // What only programs read stands in the JSON.
        let Some(label) = label else { continue };
        let text = match name.as_str() {
            "result" => outcome_label(spec, &told.kind, value),
            "worker" => street.assignee_name(value.as_str().unwrap_or_default()),
            "person" | "place" | "case" | "hazard" => referred(replica, value.as_str().unwrap_or_default())?,
            name => said_text(spec, street, &told.kind, name, value),
        };
        line.push_str(&format!("  {label}:{text}"));
    }
    if let Some(void) = told.void {
        line.push_str(&format!("  [{}]", void_text(void)));
    }
    Ok(line)
}

fn outcome_label(spec: &RecordSpec, kind: &str, value: &Value) -> String {
    let name = value.as_str().unwrap_or_default();
    let label = spec.verb(kind).and_then(|verb| match verb.to {
        wangge_model::work::To::Outcome(outcomes) => outcomes.iter().find(|outcome| outcome.name == name),
        _ => None,
    });
    label.map_or_else(|| name.to_owned(), |outcome| outcome.label.to_owned())
}

/// A record for people.
pub(crate) fn text(replica: &Replica, street: &Street, seen: &Seen) -> Result<String, CommandError> {
    let Seen { spec, scope, view, record } = seen;
    let delivery = replica.delivery(scope, spec.kind, &view.id)?;
    let mut lines = vec![
        format!("{}  {}", spec.label, shown::short_id(&seen.id())),
        format!("  {}:{}", Word::Id.zh(), seen.id()),
        format!("  {}:{} ({scope})", Word::Unit.zh(), street.unit_name(scope)),
        format!("  {}:{}", Message::Work(WorkText::StateLabel).zh(), record.state.label),
        format!("  {}:{}", Word::Delivery.zh(), Word::of_delivery(delivery).zh()),
    ];
    let fields = spec.schema().map(|schema| schema.fields).unwrap_or_default();
    for field in fields {
        let text = match field.name {
            // These move with the events.
            "due" => record.due.clone().unwrap_or_default(),
            "assignee" | "scope" | "worker" => {
                match record.assignee.as_ref().filter(|_| field.name == "assignee") {
                    Some(assignee) => street.assignee_name(assignee),
                    None => street.assignee_name(&view.text(field.name)),
                }
            }
            "phone" => shown::field(view, "phone", shown::Sight::Masked),
            "person" | "place" | "case" | "period" => referred(replica, &view.text(field.name))?,
            name => field_text(spec, street, view, name),
        };
        if !text.is_empty() && !["rules", "digest", ORIGINAL].contains(&field.name) {
            lines.push(format!("  {}:{text}", field.label));
        }
    }
    if seen.overdue(replica.now_ms()) {
        lines.push(format!("  {}", Message::Work(WorkText::Overdue).zh()));
    }
    for told in &record.told {
        lines.push(format!("  - {}", told_text(replica, spec, street, told)?));
    }
    Ok(lines.join("\n"))
}

/// What a document is called that another one names.
pub(crate) fn referred(replica: &Replica, id: &str) -> Result<String, CommandError> {
    let Ok(doc) = id.parse::<DocId>() else { return Ok(id.to_owned()) };
    for kind in [Kind::PERSON, Kind::PLACE, Kind::CASE, Kind::PERIOD, Kind::HAZARD] {
        if let Some((_, view)) = replica.find(kind, &doc)?
            && view.kind == kind
        {
            let title = if kind == Kind::PERIOD { view.text("title") } else { shown::title(&view) };
            return Ok(format!("{title} ({})", shown::short_id(&doc)));
        }
    }
    Ok(shown::short_id(&doc))
}

/// A record in a line of a list.
pub(crate) fn line(street: &Street, seen: &Seen, now_ms: u64) -> String {
    let record = &seen.record;
    let mut parts = vec![
        instant::short(record.made_ms),
        shown::short_id(&seen.id()),
        format!("[{}]", record.state.label),
        seen.headline(street),
        street.unit_name(&seen.scope),
    ];
    if let Some(assignee) = &record.assignee {
        parts.push(street.assignee_name(assignee));
    }
    if let Some(due) = &record.due {
        let late = if seen.overdue(now_ms) { Message::Work(WorkText::Overdue).zh() } else { String::new() };
        parts.push(format!("{} {due} {late}", Message::Work(WorkText::DueLabel).zh()).trim_end().to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}
