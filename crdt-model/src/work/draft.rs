//! From what a worker says to what is written: checked against the record as it stands, or refused with
//! the reason.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::codes::{Codes, code_of};
use super::error::{Deed, Term};
use super::fold::{POINT, Record, effect, is_theirs, keeps_track};
use super::spec::{Input, RecordSpec, Rule, To, Verb, Who};
use super::{WorkError, error};
use crate::checks::{CheckError, Coordinates, Date, Phone, text};
use crate::document::{DocumentView, Op, Scalar, Target};
use crate::identity::{DocId, Role, Scope};
use crate::schema::Kind;

/// Longest text of one input, in characters.
pub const TEXT_CHARS_MAX: usize = 4_000;

/// Longest event, in bytes; a value of a document holds a little more.
pub const EVENT_LEN_BYTES_MAX: usize = 15_000;

/// Who acts, in which post, for which unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The worker.
    pub worker: DocId,
    /// The post.
    pub role: Role,
    /// The unit where it is held.
    pub unit: Scope,
}

/// What was said: input -> text. References are looked up already: ids and units as text.
pub type Said = BTreeMap<String, String>;

/// Whether a post may write an event of these records.
///
/// # Errors
/// [`WorkError::Role`], naming those that may.
pub fn check_role(spec: &RecordSpec, event: &str, role: Role) -> Result<(), WorkError> {
    let roles = spec.roles(event);
    if roles.contains(&role) {
        return Ok(());
    }
    Err(WorkError::Role { event: deed(spec, event), role, roles })
}

/// Whether a post may write an event of a kind that has no table of events.
///
/// # Errors
/// [`WorkError::Role`], naming those that may.
pub fn check_role_of(kind: Kind, label: &'static str, event: &str, role: Role) -> Result<(), WorkError> {
    let known = kind.spec().and_then(|spec| spec.access.event(event));
    let roles = known.map_or(&[][..], |event| event.roles);
    if roles.contains(&role) {
        return Ok(());
    }
    let record = Term::new(kind.spec().map_or("", |spec| spec.name), label);
    let event = known.map_or(Term::new("", ""), |event| Term::new(event.name, event.label));
    Err(WorkError::Role { event: Deed { record, event }, role, roles })
}

fn deed(spec: &RecordSpec, event: &str) -> Deed {
    let event = spec.event(event).map_or(Term::new("", ""), |event| Term::new(event.name, event.label));
    Deed { record: Term::new(spec.word, spec.label), event }
}

/// An event with who writes it.
fn event(actor: &Actor, kind: &str) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("kind".to_owned(), kind.into());
    event.insert("role".to_owned(), actor.role.name().into());
    event.insert("unit".to_owned(), actor.unit.to_string().into());
    event
}

/// The operation that writes an event.
///
/// # Errors
/// [`WorkError::TooMuch`].
pub fn event_op(actor: &Actor, kind: &str, said: Map<String, Value>) -> Result<Op, WorkError> {
    let mut event = event(actor, kind);
    event.extend(said);
    let text = Value::Object(event).to_string();
    if text.len() > EVENT_LEN_BYTES_MAX {
        return Err(WorkError::TooMuch { len_bytes: text.len(), len_bytes_max: EVENT_LEN_BYTES_MAX });
    }
    Ok(Op { target: Target::Event { container: "events".to_owned() }, value: Some(text.into()) })
}

/// The operation that writes a field.
pub fn field_op(name: &str, value: impl Into<Scalar>) -> Op {
    Op { target: Target::Field(name.to_owned()), value: Some(value.into()) }
}

/// What makes a record: its fields and its first event.
///
/// # Errors
/// [`WorkError`]: what is missing or wrong, or that the post may not.
pub fn open(spec: &RecordSpec, actor: &Actor, said: &Said, codes: Codes<'_>) -> Result<Vec<Op>, WorkError> {
    check_role(spec, spec.opens, actor.role)?;
    let mut ops = Vec::new();
    for (name, value) in values(spec.inputs, said, codes)? {
        ops.push(field_op(name, value));
    }
    // A visit is to somebody.
    if spec.kind == Kind::VISIT && !said.contains_key("person") && !said.contains_key("place") {
        return Err(WorkError::Missing { field: Term::new("person", "走访对象") });
    }
    ops.push(event_op(actor, spec.opens, Map::new())?);
    Ok(ops)
}

/// What adds an event to a record.
///
/// # Errors
/// [`WorkError`]: what is missing or wrong, that the post may not, that the record is not in a state for
/// it, that it is somebody else's matter.
pub fn act(
    spec: &'static RecordSpec,
    view: &DocumentView,
    record: &Record,
    actor: &Actor,
    verb: &Verb,
    said: &Said,
    codes: Codes<'_>,
) -> Result<Op, WorkError> {
    check_role(spec, verb.name, actor.role)?;
    let event = || deed(spec, verb.name);
    if !is_theirs(verb.who, record.author, record.assignee.as_deref(), &actor.worker, Some(&actor.unit)) {
        let whose = match verb.who {
            Who::Author => Term::new("whoever made the record", "登记人本人"),
            Who::NotAssignee => Term::new("somebody other than the assignee", "承办人以外的人员"),
            Who::Assignee | Who::Anyone => Term::new("the assignee", "承办人或承办单位"),
        };
        return Err(WorkError::Whose { event: event(), whose });
    }
    if !verb.from.is_empty() && !verb.from.contains(&record.state.name) {
        let labels = verb.from.iter().filter_map(|name| spec.state(name)).map(|state| state.label);
        let allowed = labels.map(|label| format!("“{label}”")).collect::<Vec<_>>().join("、");
        return Err(WorkError::State {
            event: event(),
            state: Term::new(record.state.name, record.state.label),
            allowed,
        });
    }
    if verb.name == POINT && !keeps_track(view) {
        return Err(WorkError::NoTrack);
    }
    let mut told = Map::new();
    if let To::Outcome(outcomes) = verb.to {
        let result = said.get("result").map(String::as_str).unwrap_or_default();
        if effect(spec, verb, result).is_none() {
            let flags: Vec<String> = outcomes.iter().map(|outcome| format!("--{}", outcome.name)).collect();
            let labels: Vec<&str> = outcomes.iter().map(|outcome| outcome.label).collect();
            let (flags, labels) = (flags.join(" | "), labels.join("、"));
            return Err(WorkError::Outcome { event: event(), flags, labels });
        }
        told.insert("result".to_owned(), result.into());
    }
    let values = values(verb.inputs, said, codes)?;
    let degrees = |of: &str| match values.iter().find(|(name, _)| *name == of)?.1 {
        Scalar::F64(degrees) => Some(degrees),
        _ => None,
    };
    if let (Some(longitude), Some(latitude)) = (degrees("longitude"), degrees("latitude")) {
        Coordinates::new(longitude, latitude).map_err(|error| WorkError::Value {
            field: Term::new("location", "位置"),
            error: error.into(),
        })?;
    }
    for (name, value) in values {
        told.insert(name.to_owned(), value.to_json());
    }
    event_op(actor, verb.name, told)
}

/// The values of the inputs that were given, each in its normal form.
fn values(inputs: &[Input], said: &Said, codes: Codes<'_>) -> Result<Vec<(&'static str, Scalar)>, WorkError> {
    let mut values = Vec::new();
    for input in inputs {
        let typed = said.get(input.name).map(String::as_str).unwrap_or_default();
        if text::free_text(typed).is_empty() {
            if input.required || said.contains_key(input.name) {
                return Err(WorkError::Missing { field: term(input) });
            }
            continue;
        }
        values.push((input.name, value(input, typed, codes)?));
    }
    Ok(values)
}

fn value(input: &Input, typed: &str, codes: Codes<'_>) -> Result<Scalar, WorkError> {
    let field = term(input);
    let failed = |error: CheckError| WorkError::Value { field, error };
    let number = || WorkError::Number { field, typed: shorten(typed) };
    Ok(match input.rule {
        Rule::Text | Rule::Time | Rule::Document(_) | Rule::Worker | Rule::Unit | Rule::Assignee => {
            paragraphs(field, typed)?.into()
        }
        Rule::Workers => paragraphs(field, typed)?.into(),
        Rule::Code(table) => {
            let entries = codes(table);
            let known = || entries.iter().map(|(code, name)| format!("{code} {name}")).collect::<Vec<_>>();
            code_of(&entries, typed)
                .ok_or_else(|| WorkError::Code { field, typed: shorten(typed), known: known().join("、") })?
                .into()
        }
        Rule::Phone => String::from(Phone::parse(typed).map_err(|error| failed(error.into()))?).into(),
        Rule::Day => Date::parse(typed).map_err(|error| failed(error.into()))?.to_string().into(),
        Rule::Flag => Scalar::Bool(true),
        Rule::Count => {
            let count = text::compact(typed).parse::<u32>().map_err(|_| number())?;
            Scalar::Int(i64::from(count))
        }
        Rule::Percent => match text::compact(typed).trim_end_matches(['%', '％']).parse::<u32>() {
            Ok(percent) if percent <= 100 => Scalar::Int(i64::from(percent)),
            _ => return Err(WorkError::Percent { field, typed: shorten(typed) }),
        },
        Rule::Number => match text::compact(typed).parse::<f64>() {
            Ok(value) if value.is_finite() => Scalar::F64(value),
            _ => return Err(number()),
        },
    })
}

/// A text in its normal form, line by line.
///
/// # Errors
/// [`WorkError::TooLong`].
pub fn paragraphs(field: Term, typed: &str) -> Result<String, WorkError> {
    let lines: Vec<String> = typed.lines().map(text::free_text).filter(|line| !line.is_empty()).collect();
    let text = lines.join("\n");
    let chars = text.chars().count();
    if chars > TEXT_CHARS_MAX {
        return Err(WorkError::TooLong { field, chars, chars_max: TEXT_CHARS_MAX });
    }
    Ok(text)
}

/// The text of an event.
pub const TEXT: Term = Term::new("text", "内容");

/// The name of a period and the like.
pub const NAME: Term = Term::new("name", "名称");

fn term(input: &Input) -> Term {
    Term::new(input.name, input.label)
}

fn shorten(typed: &str) -> String {
    typed.chars().take(40).collect()
}

/// The posts that may write an event, as people call them.
pub fn who_may(spec: &RecordSpec, event: &str) -> String {
    error::labels(spec.roles(event))
}
