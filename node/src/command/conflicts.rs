//! Fields that concurrent writers left with several values, until a person settles them.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::document::{DocumentView, Op, Register, Target as OpTarget};
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::edits::{self, Edits, Reader};
use super::key::{self, Target};
use super::register::check_free;
use super::shown::{self, Sight, headline};
use super::units::Units;
use super::workers::Workers;
use super::{Answer, CommandError, merged};
use crate::command::instant::When;
use crate::replica::{Edit, Replica};
use crate::text::{Label, Message};

const KINDS: [Kind; 9] = [
    Kind::PERSON,
    Kind::PLACE,
    Kind::ENTERPRISE,
    Kind::HOUSEHOLD,
    Kind::DWELLING,
    Kind::RESIDENCY,
    Kind::HOUSE,
    Kind::TENANCY,
    Kind::CASE,
];

/// What can be done about conflicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictsCommand {
    /// Lists them.
    List(ListConflictsArgs),
    /// Settles one.
    Settle(SettleArgs),
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ListConflictsArgs {
    /// One record only.
    pub key: Option<String>,
    /// One grid only.
    #[arg(long)]
    pub unit: Option<String>,
    /// Why numbers are to be shown in full.
    #[arg(long, value_name = "REASON")]
    pub unmask: Option<String>,
}

/// How to settle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SettleArgs {
    /// Which document.
    pub key: String,
    /// Which field.
    pub field: String,
    /// The right value.
    #[arg(long, required_unless_present = "take", conflicts_with = "take")]
    pub value: Option<String>,
    /// The right one of the values listed, from 1.
    #[arg(long, value_name = "N")]
    pub take: Option<usize>,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

pub(super) fn execute(replica: &Replica, command: &ConflictsCommand) -> Result<Answer, CommandError> {
    match command {
        ConflictsCommand::List(args) => list(replica, args),
        ConflictsCommand::Settle(args) => settle(replica, args),
    }
}

fn list(replica: &Replica, args: &ListConflictsArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let scopes = match &args.unit {
        Some(unit) => vec![units.named(unit)?.scope],
        None => replica.open_scopes(),
    };
    let only = match &args.key {
        Some(key) => Some(key::resolve(replica, &KINDS, key, args.unit.as_deref())?),
        None => None,
    };
    let sight = match (&args.unmask, &only) {
        (None, _) => Sight::Masked,
        (Some(_), None) => return Err(CommandError::usage("unmask-one", &Message::UnmaskOne)),
        (Some(reason), Some(Target { scope, view })) => shown::sight(replica, scope, view, Some(reason))?,
    };
    let mut json = Vec::new();
    let mut lines = Vec::new();
    for scope in &scopes {
        for kind in KINDS {
            if kind == Kind::CASE && key::shown_cases(replica, std::slice::from_ref(scope)).is_empty() {
                continue;
            }
            let mut views = Vec::new();
            replica.each(scope, kind, |view| {
                if only.as_ref().is_some_and(|only| only.view.id != view.id) {
                    return true;
                }
                let links = view.sets.get("links").is_some_and(|links| !links.is_empty());
                if view.conflicts().next().is_some() || links {
                    views.push(view);
                }
                true
            })?;
            for view in views {
                if merged::standing(replica, &view)?.is_some() {
                    continue;
                }
                let view = merged::whole(replica, &view)?;
                for (field, register) in view.conflicts() {
                    json.push(entry_json(&workers, scope, &view, (field, register), sight));
                    lines.push(headline(&units, scope, &view));
                    lines.push(format!("  {}:", shown::label(kind, field)));
                    lines.extend(values_text(&workers, kind, field, register, sight));
                }
            }
        }
    }
    lines.push(Message::ConflictsListed { count: json.len() }.line());
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}

/// The values with their numbers, from 1.
fn values_text(workers: &Workers, kind: Kind, field: &str, register: &Register, sight: Sight) -> Vec<String> {
    shown::claims(register)
        .enumerate()
        .map(|(index, claim)| {
            format!("    {}. {}", index + 1, shown::claim_text(workers, kind, field, claim, sight))
        })
        .collect()
}

fn entry_json(
    workers: &Workers,
    scope: &Scope,
    view: &DocumentView,
    (field, register): (&str, &Register),
    sight: Sight,
) -> Value {
    json!({
        "id": view.id.to_string(),
        "scope": scope,
        "kind": view.kind.to_string(),
        "name": shown::title(view),
        "field": field,
        "label": shown::label(view.kind, field),
        "values": shown::claims_json(workers, field, register, sight),
    })
}

fn settle(replica: &Replica, args: &SettleArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let target = key::resolve(replica, &KINDS, &args.key, args.unit.as_deref())?;
    let members = merged::members(replica, &target.view)?;
    let target = Target { view: merged::whole(replica, &target.view)?, ..target };
    let Target { scope, view } = &target;
    let field = edits::field_of(view, &args.field)?;
    let label = shown::label(view.kind, &field).to_owned();
    let named = Label { en: &field, zh: &label };
    let Some(register) = view.fields.get(&field).filter(|register| !register.others.is_empty()) else {
        return Err(CommandError::failed("no-conflict", &Message::NoConflict { label: named }).on(&field));
    };
    let workers = Workers::load(replica)?;
    let value = match (&args.value, args.take) {
        (Some(typed), None) => {
            let mut edit = Edits::parse(&Reader::new(replica), view.kind, &[format!("{field}={typed}")])?;
            edit.check_together(view.kind, Some(view))?;
            edit.take(&field).flatten()
        }
        (None, Some(number)) => {
            let mut claims = shown::claims(register);
            let Some(claim) = number.checked_sub(1).and_then(|index| claims.nth(index)) else {
                let lines = values_text(&workers, view.kind, &field, register, Sight::Masked);
                let max = register.others.len() + 1;
                return Err(CommandError::usage("take-range", &Message::TakeRange { max }).with(&lines));
            };
            Some(claim.value.clone())
        }
        _ => return Err(CommandError::usage("choice", &Message::ValueOrTake)),
    };
    if let Some(number) = &value
        && view.kind.spec().and_then(|spec| spec.natural_key) == Some(field.as_str())
    {
        check_free(replica, &Units::load(replica)?, &target, &number.to_text())?;
    }
    let chosen =
        value.as_ref().map(|v| shown::value(view.kind, &field, v, Sight::Masked)).unwrap_or_default();
    let json_value = value.as_ref().map(|value| shown::value_json(&field, value, Sight::Masked));
    let op = Op { target: OpTarget::Field(field.clone()), value };
    let edit = |doc| Edit { doc, kind: view.kind, ops: vec![op.clone()] };
    let mut edits = vec![edit(view.id)];
    // A merged record that says otherwise would keep the conflict open.
    for (other, member) in members.iter().filter(|(_, member)| member.fields.contains_key(&field)) {
        if other == scope {
            edits.push(edit(member.id));
        } else {
            replica.commit(other, vec![edit(member.id)], at_ms)?;
        }
    }
    replica.commit(scope, edits, at_ms)?;
    let delivery = replica.delivery(scope, view.kind, &view.id)?;
    let name = shown::title(view);
    Ok(Answer {
        json: json!({
            "id": view.id.to_string(),
            "scope": scope,
            "kind": view.kind.to_string(),
            "field": field,
            "value": json_value,
            "delivery": delivery,
        }),
        text: Message::Settled { name: &name, label: &label, value: &chosen }.line(),
    })
}
