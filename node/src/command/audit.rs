//! The audit (审计) on the device of an audit administrator: what was copied of the relay's chain, and whether it
//! still holds together. Nobody else is shown it.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Link, Source};
use wangge_model::identity::{DocId, Scope};
use wangge_model::roster::{RosterView, WorkerEntry};
use wangge_model::schema::AUDITORS;
use wangge_model::session::Completeness;

use super::{Answer, CommandError, instant};
use crate::replica::Replica;
use crate::text::{AuditText, Message, scrub};

/// What can be done with the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum AuditCommand {
    /// What was done, oldest first.
    List(ListAuditArgs),
    /// Whether the relay's chain still is what was copied of it.
    Verify,
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct ListAuditArgs {
    /// From when on.
    #[arg(long)]
    pub since: Option<String>,
}

/// Does a command on the audit.
///
/// # Errors
/// [`CommandError`] for whoever is no audit administrator.
pub(super) fn execute(replica: &Replica, command: &AuditCommand) -> Result<Answer, CommandError> {
    check_auditor(replica)?;
    match command {
        AuditCommand::List(args) => list(replica, args),
        AuditCommand::Verify => verify(replica),
    }
}

/// Whether the audit, as an answer tells it, holds.
pub fn holds(answer: &Value) -> bool {
    answer["broken"].as_array().is_none_or(Vec::is_empty)
}

fn failed(code: &'static str, text: AuditText<'_>) -> CommandError {
    CommandError::failed(code, &Message::Audit(text))
}

/// Whoever acts must be an audit administrator now, whatever the device holds.
fn check_auditor(replica: &Replica) -> Result<(), CommandError> {
    let roster = replica.roster()?;
    let now_ms = replica.now_ms();
    let acting = replica.acting().map(|acting| acting.worker);
    let posts = roster.posts_of(&replica.profile().replica());
    let audits = posts.iter().any(|(worker, post)| {
        Some(*worker) == acting && AUDITORS.contains(&post.role) && post.term.holds_at(now_ms)
    });
    if audits {
        return Ok(());
    }
    let who = auditors(&roster, now_ms);
    Err(failed("may-not", AuditText::NotYours { roles: AUDITORS, who: &who }))
}

/// Who are audit administrators now.
fn auditors(roster: &RosterView, now_ms: u64) -> String {
    let audits = |entry: &&WorkerEntry| {
        let mut posts = entry.posts_that_count();
        posts.any(|post| AUDITORS.contains(&post.role) && post.term.holds_at(now_ms))
    };
    let names: Vec<&str> =
        roster.workers().values().filter(audits).map(|entry| entry.name.as_str()).collect();
    names.join("、")
}

fn list(replica: &Replica, args: &ListAuditArgs) -> Result<Answer, CommandError> {
    let since_ms = match &args.since {
        None => 0,
        Some(typed) => instant::parse(typed, replica.now_ms()).ok_or_else(|| {
            let typed = scrub(typed);
            CommandError::usage(
                "time-unreadable",
                &Message::Audit(AuditText::TimeUnreadable { typed: &typed }),
            )
            .on("since")
        })?,
    };
    let roster = replica.roster()?;
    let witness = replica.witnessed_audit()?;
    let links = witness.links().filter(|link| link.taken_ms >= since_ms);
    let entries: Vec<Value> = links.map(|link| entry_json(&roster, link)).collect();
    let lines: Vec<String> = entries.iter().map(entry_line).collect();
    Ok(Answer { json: entries.into(), text: lines.join("\n") })
}

fn verify(replica: &Replica) -> Result<Answer, CommandError> {
    let witness = replica.witnessed_audit()?;
    let last = witness.links().map(|link| link.taken_ms).max();
    let last = last.map(instant::rfc3339);
    let complete = replica.clocks().get(&Scope::Audit).is_some_and(|(_, held)| *held == Completeness::Whole);
    let broken = witness.broken();
    let json = json!({
        "entries": witness.len(),
        "last": last,
        "complete": complete,
        "broken": broken.iter().map(|(seq, why)| json!({ "seq": seq, "reason": why })).collect::<Vec<_>>(),
    });
    let mut lines: Vec<String> = broken
        .iter()
        .map(|(seq, why)| {
            let (seq, why) = (*seq, *why);
            Message::Audit(AuditText::Broken { seq, why }).both()
        })
        .collect();
    if lines.is_empty() {
        let said = AuditText::Holds { entries: witness.len(), last: last.as_deref() };
        lines.push(Message::Audit(said).both());
    }
    Ok(Answer { json, text: lines.join("\n") })
}

/// An entry for programs. `roster` has the names.
pub fn entry_json(roster: &RosterView, link: &Link) -> Value {
    let entry = &link.entry;
    let name = |worker: &DocId| roster.workers().get(worker).map(|entry| entry.name.clone());
    let worker = match name(&entry.worker) {
        Some(name) => name,
        None if entry.worker == DocId([0; 16]) => String::new(),
        None => entry.worker.to_string(),
    };
    let (device, device_worker) = match &link.source {
        Source::Relay => (None, String::new()),
        Source::Device { replica, .. } => {
            let worker = roster.replicas().get(replica).and_then(|device| device.worker);
            (Some(replica.to_string()), worker.as_ref().and_then(name).unwrap_or_default())
        }
    };
    json!({
        "seq": link.seq,
        "what": entry.what.to_string(),
        "label": entry.what.label(),
        "worker": worker,
        "at": instant::rfc3339(entry.at_ms),
        "taken": instant::rfc3339(link.taken_ms),
        "device": device,
        "device_worker": device_worker,
        "scope": entry.scope,
        "whom": entry.whom.map(|doc| doc.to_string()),
        "reason": entry.reason,
        "detail": entry.detail,
        "head": link.head.to_string(),
    })
}

/// An entry for people, from what it is for programs.
pub fn entry_line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let label = entry["label"].as_str().unwrap_or_else(|| text("what"));
    let device: String = text("device").chars().take(8).collect();
    let whom = [text("scope"), text("whom")].join(" ");
    let parts = [
        entry["seq"].to_string(),
        text("at").to_owned(),
        label.to_owned(),
        text("worker").to_owned(),
        device,
        whom.trim().to_owned(),
        text("reason").to_owned(),
        text("detail").to_owned(),
    ];
    parts.join("\t")
}
