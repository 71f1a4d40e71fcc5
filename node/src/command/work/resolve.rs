//! From what was typed to what is stored: people, places, cases, workers and units by their ids.

use std::collections::BTreeSet;

use wangge_model::checks::{CheckError, IdNumber, text};
use wangge_model::deadline::DAY_MS;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::copy::{ORIGINAL, record_of};
use wangge_model::work::draft::Said;
use wangge_model::work::{Input, RecordSpec, Rule};

use super::cases::rulebook;
use super::extra::COPIED;
use super::line::WorkCommand;
use super::street::Street;
use crate::command::key::{self, Target};
use crate::command::{CommandError, instant};
use crate::replica::Replica;
use crate::text::{Message, scrub};

/// How far ahead of this device's clock a claimed time may lie.
const AHEAD_MS_MAX: u64 = 5 * 60 * 1000;

/// A claimed time: read, not in the future, and not further back than the rules allow.
pub(crate) fn happened_at(replica: &Replica, typed: Option<&str>) -> Result<Option<u64>, CommandError> {
    let Some(typed) = typed else { return Ok(None) };
    let now = replica.now_ms();
    let at = time(replica, typed).map_err(|error| error.on("at"))?;
    if at > now + AHEAD_MS_MAX {
        return Err(CommandError::failed("time-ahead", &Message::TimeAhead { typed }).on("at"));
    }
    // A day back is within any rules.
    if now.saturating_sub(at) > DAY_MS {
        let days = rulebook(replica)?.latest().back_days_max;
        let earliest_ms = now.saturating_sub(u64::from(days) * DAY_MS);
        if at < earliest_ms {
            let earliest = instant::day(earliest_ms);
            let message = Message::TimeLongAgo { typed, earliest: &earliest, days };
            return Err(CommandError::failed("time-long-ago", &message).on("at"));
        }
    }
    Ok(Some(at))
}

/// A time, past or to come.
pub(crate) fn time(replica: &Replica, typed: &str) -> Result<u64, CommandError> {
    instant::parse(typed, replica.now_ms())
        .ok_or_else(|| CommandError::usage("time-unreadable", &Message::TimeUnreadable { typed }))
}

/// A document of a kind by key, as a reference.
pub(super) fn document(replica: &Replica, kind: Kind, typed: &str) -> Result<Target, CommandError> {
    if kind == Kind::PERIOD {
        // People call a period by its name.
        let mut found = None;
        replica.each(&Scope::Street, kind, |view| {
            if view.text("title") == typed.trim() {
                found = Some(view);
            }
            true
        })?;
        if let Some(view) = found {
            return Ok(Target { scope: Scope::Street, view });
        }
    }
    key::resolve(replica, &[kind], typed, None).map_err(|error| {
        // A number that cannot be right is more likely the reason than a record that is missing.
        let number = kind == Kind::PERSON && error.code == "not-found" && text::compact(typed).len() == 18;
        match number.then(|| IdNumber::parse(typed).err()).flatten() {
            Some(doubt) => CommandError::from(CheckError::from(doubt)),
            None => error,
        }
    })
}

/// The inputs of a record or an event, with references looked up. The documents of those come too.
pub(super) fn inputs(
    replica: &Replica,
    street: &Street,
    inputs: &[Input],
    command: &WorkCommand,
) -> Result<(Said, Vec<Target>), CommandError> {
    let mut said = Said::new();
    let mut targets = Vec::new();
    for input in inputs {
        let typed = command.all(input.name);
        let Some(first) = typed.first() else { continue };
        let read = || -> Result<(String, Option<Target>), CommandError> {
            let value = match input.rule {
                Rule::Flag => "true".to_owned(),
                _ if first.trim().is_empty() => first.clone(),
                Rule::Document(kind) => {
                    let target =
                        document(replica, kind, first).map_err(|error| error.of_field(input.label))?;
                    return Ok((target.view.id.to_string(), Some(target)));
                }
                Rule::Worker => street.worker(first)?.to_string(),
                Rule::Workers => {
                    let names = typed.iter().flat_map(|typed| typed.split([',', '，', '、', ' ', ';', '；']));
                    let names = names.filter(|name| !name.trim().is_empty());
                    let ids = names.map(|name| Ok(street.worker(name)?.to_string()));
                    ids.collect::<Result<Vec<_>, CommandError>>()?.join(" ")
                }
                Rule::Unit => street.unit(first)?.to_string(),
                Rule::Assignee => match street.unit(first) {
                    Ok(unit) => unit.to_string(),
                    // The message about a worker says more, unless it was meant as a unit.
                    Err(error) if first.contains(':') => return Err(error),
                    Err(_) => street.worker(first)?.to_string(),
                },
                Rule::Time => instant::rfc3339(time(replica, first)?),
                Rule::Code(table) => {
                    let meant = street.codes().table(table).and_then(|table| table.meant(first));
                    meant.unwrap_or(first).to_owned()
                }
                Rule::Text | Rule::Phone | Rule::Day | Rule::Count | Rule::Percent | Rule::Number => {
                    first.clone()
                }
            };
            Ok((value, None))
        };
        let (value, target) = read().map_err(|error| error.on(input.name))?;
        targets.extend(target);
        said.insert(input.name.to_owned(), value);
    }
    Ok((said, targets))
}

/// The record that `key` means. One that lives in several units, as a notice does, counts once: here where
/// this device's worker belongs.
pub(super) fn record(replica: &Replica, spec: &RecordSpec, key: &str) -> Result<Target, CommandError> {
    if !COPIED.contains(&spec.kind) {
        return key::resolve(replica, &[spec.kind], key, None);
    }
    let scopes = replica.open_scopes();
    let mut found = key::candidates(replica, spec.kind, key.trim(), &scopes)?;
    let hex = key.trim().to_ascii_lowercase();
    if (key::PREFIX_LEN_MIN..=32).contains(&hex.len()) {
        for scope in &scopes {
            replica.each(scope, spec.kind, |view| {
                if view.text(ORIGINAL).starts_with(&hex) {
                    found.push(Target { scope: scope.clone(), view });
                }
                true
            })?;
        }
    }
    let records: BTreeSet<DocId> = found.iter().map(|target| record_of(&target.view)).collect();
    if records.len() > 1 {
        let lines: Vec<String> = records.iter().map(|record| format!("  {record}")).collect();
        let key = scrub(key);
        return Err(CommandError::failed("key-ambiguous", &Message::KeyAmbiguous { key: &key }).with(&lines));
    }
    let own = replica.acting().map(|acting| acting.unit);
    let at = found.iter().position(|target| Some(&target.scope) == own.as_ref()).unwrap_or(0);
    if found.is_empty() {
        let key = scrub(key);
        return Err(CommandError::failed("not-found", &Message::NotFound { key: &key }));
    }
    Ok(found.swap_remove(at))
}
