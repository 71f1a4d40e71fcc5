//! The quarantine (隔离区): what a revoked device still brought, or what came too late. A person at the
//! centre accepts or discards it; until then it stays in its log and has no effect.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::document::{Change, Scalar, Target};
use wangge_model::identity::{LogId, Scope};
use wangge_model::roster::RosterView;
use wangge_model::verdict::{Settled, Verdict, in_parts};
use wangge_node::command::{instant, masked};
use wangge_node::replica::{Quarantined, Replica};
use wangge_node::text::reason_zh;

use crate::decide::decide_now;
use crate::roster::RelayError;

/// What to decide on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Choice {
    /// Positions, as `list` names them.
    pub(crate) ids: Vec<String>,
    /// All of a device: its name, or the beginning of its id.
    pub(crate) device: Option<String>,
    /// Everything.
    pub(crate) all: bool,
    /// Whether it counts from now on.
    pub(crate) accept: bool,
    /// Why, for the audit.
    pub(crate) reason: String,
}

/// How `list` names a position.
fn id(found: &Quarantined) -> String {
    format!("{}:{}", found.log, found.record.transaction.seq)
}

/// All positions that wait, as JSON.
pub(crate) fn list(replica: &Replica) -> Result<Value, RelayError> {
    let roster = replica.roster()?;
    Ok(replica.quarantined().iter().map(|found| summary(&roster, found)).collect())
}

fn summary(roster: &RosterView, found: &Quarantined) -> Value {
    let transaction = &found.record.transaction;
    let worker = roster.workers().get(&transaction.worker).map(|entry| entry.name.as_str());
    let device = roster.replicas().get(&found.replica).map(|entry| entry.device.as_str());
    let kinds: Vec<String> = transaction.changes.iter().map(|change| change.kind.to_string()).collect();
    json!({
        "id": id(found),
        "scope": found.scope,
        "replica": found.replica.to_string(),
        "device": device,
        "worker": worker,
        "at": instant::rfc3339(transaction.wall_ms),
        "kinds": kinds,
        "bytes": transaction.to_bytes().len(),
        "reason": found.reason.to_string(),
        "reason_zh": reason_zh(found.reason),
    })
}

/// One position with all that it would write; numbers are masked.
pub(crate) fn show(replica: &Replica, wanted: &str) -> Result<Value, RelayError> {
    let roster = replica.roster()?;
    let all = replica.quarantined();
    let found = all.iter().find(|found| id(found) == wanted).ok_or_else(|| unknown(wanted))?;
    let mut json = summary(&roster, found);
    let changes = found.record.transaction.changes.iter();
    json["changes"] = changes.map(|change| change_json(replica, &found.scope, change)).collect();
    Ok(json)
}

fn change_json(replica: &Replica, scope: &Scope, change: &Change) -> Value {
    let before = replica.get(scope, change.kind, &change.doc).ok().flatten();
    let ops = change.ops.iter().map(|op| {
        let key = match &op.target {
            Target::Field(key) | Target::Entry { key, .. } => key.as_str(),
            Target::Event { .. } => "",
        };
        let shown = |value: &Scalar| masked(change.kind, key, value);
        let (field, now) = match &op.target {
            Target::Field(key) => {
                let now = before.as_ref().and_then(|view| view.value(key)).map(shown);
                (key.clone(), now)
            }
            Target::Entry { container, key } => (format!("{container}/{key}"), None),
            Target::Event { container } => (container.clone(), None),
        };
        let value = op.value.as_ref().map(shown);
        json!({ "field": field, "value": value, "now": now })
    });
    let name = before.as_ref().map(|view| view.text("name")).filter(|name| !name.is_empty());
    json!({
        "kind": change.kind.to_string(),
        "doc": change.doc.to_string(),
        "name": name,
        "ops": ops.collect::<Vec<_>>(),
    })
}

fn unknown(wanted: &str) -> RelayError {
    RelayError::Control(format!(
        "隔离区里没有 {wanted},见 quarantine list\nthe quarantine holds no {wanted}: see `quarantine list`"
    ))
}

/// Accepts or discards. Returns how many positions that concerned.
pub(crate) fn settle(replica: &Replica, choice: &Choice) -> Result<Value, RelayError> {
    decide_now(replica)?;
    let roster = replica.roster()?;
    let waiting = replica.quarantined();
    if let Some(wanted) = choice.ids.iter().find(|wanted| !waiting.iter().any(|found| id(found) == **wanted))
    {
        return Err(unknown(wanted));
    }
    let of_device = |found: &Quarantined| {
        choice.device.as_ref().is_some_and(|typed| {
            let name = roster.replicas().get(&found.replica).map(|entry| entry.device.as_str());
            name == Some(typed) || typed.len() >= 6 && found.replica.to_string().starts_with(typed.as_str())
        })
    };
    let mut chosen: Vec<Quarantined> = waiting
        .into_iter()
        .filter(|found| choice.all || choice.ids.contains(&id(found)) || of_device(found))
        .collect();
    if chosen.is_empty() {
        return Err(RelayError::Control(
            "没有选中任何内容,请写编号、--device 或 --all\nnothing is chosen: give ids, --device or --all"
                .to_owned(),
        ));
    }
    chosen.sort_by_key(|found| {
        let transaction = &found.record.transaction;
        (transaction.lamport, found.log, transaction.seq)
    });
    let mut verdicts: BTreeMap<Scope, BTreeMap<LogId, Vec<Settled>>> = BTreeMap::new();
    for found in &chosen {
        let settled = Settled { seq: found.record.transaction.seq, accepted: choice.accept };
        let logs = verdicts.entry(found.scope.clone()).or_default();
        logs.entry(found.log).or_default().push(settled);
    }
    for (scope, logs) in verdicts {
        let verdict = |(log, settled): (LogId, Vec<Settled>)| {
            let upto = replica.decided(&scope, &log);
            let (log, head) = replica.position_named(&scope, &log, upto);
            let (observed_ms, roster) = (replica.now_ms(), roster.version);
            Verdict { log, upto, head, observed_ms, roster, voids: Vec::new(), settled }
        };
        let verdicts = logs.into_iter().map(verdict).collect();
        for part in in_parts(verdicts, |verdict, seq| replica.head_before(&scope, verdict, seq)) {
            replica.commit_verdicts(&scope, part)?;
        }
    }
    for found in &chosen {
        let what = if choice.accept { "accepted" } else { "discarded" };
        let entry = Entry::new(What::QUARANTINE).within(&found.scope);
        replica.audit(entry.because(&choice.reason).detail(&format!("{what} {}", id(found))))?;
    }
    let settled = |found: &Quarantined| {
        let mut json = summary(&roster, found);
        let (reason, reason_zh) = match choice.accept {
            true => ("accepted: it counts", "已采纳,从此生效"),
            false => ("discarded: it stays void", "已剔除,永久作废"),
        };
        (json["reason"], json["reason_zh"]) = (reason.into(), reason_zh.into());
        json
    };
    Ok(chosen.iter().map(settled).collect())
}

/// A position of a list in one line.
pub(crate) fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let kinds: Vec<&str> =
        entry["kinds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    format!(
        "{}  {}  {}  {}  {}  {}  {}",
        text("id"),
        text("at"),
        text("scope"),
        text("worker"),
        text("device"),
        kinds.join(","),
        text("reason_zh"),
    )
}

/// One position with what it would write, for people.
pub(crate) fn lines(entry: &Value) -> Vec<String> {
    let mut lines = vec![line(entry)];
    for change in entry["changes"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let name = change["name"].as_str().unwrap_or_default();
        lines.push(
            format!("  {} {} {name}", text(&change["kind"]), text(&change["doc"])).trim_end().to_owned(),
        );
        for op in change["ops"].as_array().into_iter().flatten() {
            let (field, value, now) = (text(&op["field"]), text(&op["value"]), text(&op["now"]));
            lines.push(format!("    {field}: {now} → {value}"));
        }
    }
    lines
}
