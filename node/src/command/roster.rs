//! The roster (名册): who works where with which device. The centre's admins edit it, at the relay and on
//! their own replicas alike; what they write takes effect when the relay has it.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::{DocId, ReplicaId, Role, Scope};
use wangge_model::roster::{Post, ReplicaEntry, RosterView, Standing, Term, WorkerEntry};
use wangge_model::schema::Kind;

use super::key::PREFIX_LEN_MIN;
use super::{Answer, CommandError, instant};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, RosterText, scrub};

/// Longest grace and lease, in days.
const DAYS_MAX: u64 = 3_650;
/// Largest quarantine of one replica, and most that a neighbour carries for one, in bytes.
const QUARANTINE_LEN_BYTES_MAX: u64 = 1 << 40;
/// Longest reason and longest name, in characters.
const TEXT_CHARS_MAX: usize = 200;
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// What can be done with the roster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum RosterCommand {
    /// Lists workers, posts and devices.
    List,
    /// Gives a worker a post, or a device to use.
    Assign(AssignArgs),
    /// Ends posts, or the use of a device.
    Leave(LeaveArgs),
    /// Cuts a lost device off; it is wiped when it next connects.
    Revoke(RevokeArgs),
    /// Days of grace, days of a lease, bytes of quarantine and of what is carried.
    Policy(PolicyArgs),
}

/// Whom to give what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct AssignArgs {
    /// Name or id.
    #[arg(long)]
    pub worker: String,
    /// The role.
    #[arg(long, requires = "unit")]
    pub role: Option<String>,
    /// Where.
    #[arg(long, requires = "role")]
    pub unit: Option<String>,
    /// From when.
    #[arg(long)]
    pub from: Option<String>,
    /// Until when.
    #[arg(long)]
    pub until: Option<String>,
    /// A device that the worker may use from now on.
    #[arg(long)]
    pub device: Option<String>,
    /// The worker is new to the roster.
    #[arg(long)]
    pub new: bool,
}

/// What to end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct LeaveArgs {
    /// Name or id.
    #[arg(long)]
    pub worker: Option<String>,
    /// Only this role.
    #[arg(long, requires = "worker")]
    pub role: Option<String>,
    /// Only there.
    #[arg(long, requires = "worker")]
    pub unit: Option<String>,
    /// The use of this device, by the worker or by all.
    #[arg(long)]
    pub device: Option<String>,
    /// When.
    #[arg(long)]
    pub at: Option<String>,
}

/// What to cut off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RevokeArgs {
    /// The replica's id, or the beginning of it.
    pub replica: Option<String>,
    /// All devices of a worker.
    #[arg(long)]
    pub worker: Option<String>,
    /// The device of this name.
    #[arg(long)]
    pub device: Option<String>,
    /// Why.
    #[arg(long, default_value = "")]
    pub reason: String,
}

/// What to lay down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct PolicyArgs {
    /// Days during which work written before its author left is still accepted.
    #[arg(long)]
    pub grace_days: Option<u64>,
    /// Days for which neighbours serve a device that has not been at the centre.
    #[arg(long)]
    pub lease_days: Option<u64>,
    /// Bytes that one revoked device may bring.
    #[arg(long)]
    pub quarantine_bytes: Option<u64>,
    /// Bytes of a device's work that a neighbour takes before the centre has decided on it.
    #[arg(long)]
    #[serde(default)]
    pub carried_bytes: Option<u64>,
    /// Whether the devices of grids, teams and windows must have a PIN.
    #[arg(long, value_name = "yes|no", value_parser = ["yes", "no"])]
    #[serde(default)]
    pub pin_required: Option<String>,
}

/// Does a command on the roster.
///
/// # Errors
/// [`CommandError`]: nothing was written.
pub fn execute(replica: &Replica, command: &RosterCommand) -> Result<Answer, CommandError> {
    replica.apply()?;
    match command {
        RosterCommand::List => list(replica),
        RosterCommand::Assign(args) => assign(replica, args),
        RosterCommand::Leave(args) => leave(replica, args),
        RosterCommand::Revoke(args) => revoke(replica, args),
        RosterCommand::Policy(args) => policy(replica, args),
    }
}

fn failed(code: &'static str, text: RosterText<'_>) -> CommandError {
    CommandError::failed(code, &Message::Roster(text))
}

fn usage(code: &'static str, text: RosterText<'_>) -> CommandError {
    CommandError::usage(code, &Message::Roster(text))
}

fn field(name: &str, value: &str) -> Op {
    Op { target: Target::Field(name.to_owned()), value: Some(value.into()) }
}

fn entry(container: &str, key: &str, value: Scalar) -> Op {
    let target = Target::Entry { container: container.to_owned(), key: key.to_owned() };
    Op { target, value: Some(value) }
}

fn edit(doc: DocId, kind: Kind, ops: Vec<Op>) -> Edit {
    Edit { doc, kind, ops }
}

/// Writes edits of the roster and the entry in the audit that goes with them. Whether anything changed.
fn write(replica: &Replica, edits: Vec<Edit>, audit: Entry) -> Result<bool, CommandError> {
    let committed = replica.commit(&Scope::Street, edits, None)?;
    if committed.is_some() {
        replica.audit(audit)?;
    }
    Ok(committed.is_some())
}

fn at(replica: &Replica, typed: Option<&String>) -> Result<Option<u64>, CommandError> {
    let Some(typed) = typed else { return Ok(None) };
    let unreadable = || usage("time-unreadable", RosterText::TimeUnreadable { typed: &scrub(typed) });
    instant::parse(typed, replica.now_ms()).map(Some).ok_or_else(unreadable)
}

fn role_of(typed: &str) -> Result<Role, CommandError> {
    typed.parse().map_err(|_| usage("role-unknown", RosterText::RoleUnknown { typed: &scrub(typed) }))
}

fn unit_of(roster: &RosterView, typed: &str) -> Result<Scope, CommandError> {
    let units = roster.units();
    let meant = match typed.parse::<Scope>() {
        Ok(scope) => units.contains_key(&scope).then_some(scope),
        Err(_) => {
            let code = |scope: &Scope| scope.code() == typed && matches!(scope, Scope::Grid(_));
            let mut named = units.iter().filter(|(scope, entry)| entry.name == typed || code(scope));
            match (named.next(), named.next()) {
                (Some((scope, _)), None) => Some(scope.clone()),
                _ => None,
            }
        }
    };
    meant.ok_or_else(|| {
        let known: Vec<String> = units.keys().take(6).map(ToString::to_string).collect();
        let known = known.join("、");
        failed("unit-unknown", RosterText::UnitUnknown { typed: &scrub(typed), known: &known })
    })
}

fn worker_of<'a>(
    roster: &'a RosterView,
    typed: &str,
) -> Result<Option<(DocId, &'a WorkerEntry)>, CommandError> {
    let typed = typed.trim();
    let with_id = |id: &DocId| typed.len() >= PREFIX_LEN_MIN && id.to_string().starts_with(typed);
    let found: Vec<_> =
        roster.workers().iter().filter(|(id, entry)| entry.name == typed || with_id(id)).collect();
    if found.len() > 1 {
        let lines: Vec<String> = found.iter().map(|(id, entry)| format!("  {}  {id}", entry.name)).collect();
        return Err(
            failed("worker-ambiguous", RosterText::WorkerAmbiguous { typed: &scrub(typed) }).with(&lines)
        );
    }
    Ok(found.first().map(|(id, entry)| (**id, *entry)))
}

fn known_worker<'a>(roster: &'a RosterView, typed: &str) -> Result<(DocId, &'a WorkerEntry), CommandError> {
    worker_of(roster, typed)?.ok_or_else(|| {
        let known: Vec<&str> = roster.workers().values().take(6).map(|entry| entry.name.as_str()).collect();
        let known = known.join("、");
        failed("worker-unknown", RosterText::WorkerUnknown { typed: &scrub(typed), known: &known })
    })
}

fn device_of<'a>(roster: &'a RosterView, typed: &str) -> Result<(ReplicaId, &'a ReplicaEntry), CommandError> {
    let typed = typed.trim();
    let with_id = |id: &ReplicaId| typed.len() >= PREFIX_LEN_MIN && id.to_string().starts_with(typed);
    let found: Vec<_> =
        roster.replicas().iter().filter(|(id, entry)| entry.device == typed || with_id(id)).collect();
    match found.as_slice() {
        [] => Err(failed("device-unknown", RosterText::DeviceUnknown { typed: &scrub(typed) })),
        [(id, entry)] => Ok((**id, *entry)),
        several => {
            let lines: Vec<String> =
                several.iter().map(|(id, _)| format!("  {}", shown(roster, id))).collect();
            Err(failed("device-ambiguous", RosterText::DeviceAmbiguous { typed: &scrub(typed) }).with(&lines))
        }
    }
}

/// A device as people recognise it: its name, or the beginning of its id.
fn called(id: &ReplicaId, entry: &ReplicaEntry) -> String {
    let short: String = id.to_string().chars().take(12).collect();
    if entry.device.is_empty() { short } else { format!("{} {short}", entry.device) }
}

fn users(roster: &RosterView, entry: &ReplicaEntry) -> String {
    let names = entry.workers.keys().filter_map(|id| roster.workers().get(id));
    names.map(|worker| worker.name.as_str()).collect::<Vec<_>>().join("、")
}

fn shown(roster: &RosterView, id: &ReplicaId) -> String {
    roster
        .replicas()
        .get(id)
        .map_or_else(String::new, |entry| format!("{}  {id}  {}", called(id, entry), users(roster, entry)))
}

fn time(ms: u64) -> Option<String> {
    (ms > 0 && ms < u64::MAX).then(|| instant::rfc3339(ms))
}

fn bounded(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS_MAX).collect()
}

// ---- list

fn list(replica: &Replica) -> Result<Answer, CommandError> {
    let roster = replica.roster()?;
    let now = replica.now_ms();
    let mut lines = Vec::new();
    let mut workers = Vec::new();
    for (id, entry) in roster.workers() {
        let until = time(entry.standing.until_ms());
        let text = RosterText::Worker { name: &entry.name, id: &id.to_string(), until: until.as_deref() };
        lines.push(Message::Roster(text).zh());
        let mut posts = Vec::new();
        for post in entry.posts() {
            let (from, until) = (time(post.term.from_ms), time(post.term.until_ms));
            let unit = post.unit.to_string();
            let text = RosterText::Post {
                role: post.role,
                unit: &unit,
                from: from.as_deref(),
                until: until.as_deref(),
            };
            lines.push(Message::Roster(text).zh());
            let overruled = entry.overruling(&post, now).filter(|_| post.term.holds_at(now));
            if let Some(other) = &overruled {
                lines.push(Message::Roster(RosterText::Overruled { by: other.role }).both());
            }
            posts.push(json!({
                "role": post.role,
                "unit": post.unit,
                "from": from,
                "until": until,
                "current": post.term.holds_at(now) && overruled.is_none(),
                "overruled_by": overruled.map(|other| other.role),
            }));
        }
        workers.push(json!({
            "id": id.to_string(),
            "name": entry.name,
            "status": status(entry.standing),
            "until": until,
            "posts": posts,
        }));
    }
    let mut devices = Vec::new();
    let mut revoked = 0;
    for (id, entry) in roster.replicas() {
        revoked += usize::from(entry.standing == Standing::Revoked);
        lines.extend(device_lines(&roster, id, entry));
        devices.push(device_json(&roster, id, entry, now));
    }
    let policy = roster.policy();
    let days = |ms: u64| ms / DAY_MS;
    let said = RosterText::Policy {
        grace_days: days(policy.grace_ms),
        lease_days: days(policy.lease_ms),
        quarantine_bytes: policy.quarantine_len_bytes,
        carried_bytes: policy.carried_len_bytes,
        pin_required: policy.pin_required,
    };
    lines.push(Message::Roster(said).line());
    let vacant = roster.vacant(now);
    if !vacant.is_empty() {
        lines.push(Message::Roster(RosterText::Vacant { roles: &vacant }).line());
    }
    let listed = RosterText::Listed { workers: workers.len(), devices: devices.len(), revoked };
    lines.push(Message::Roster(listed).line());
    let json = json!({
        "workers": workers,
        "devices": devices,
        "policy": {
            "grace_days": days(policy.grace_ms),
            "lease_days": days(policy.lease_ms),
            "quarantine_bytes": policy.quarantine_len_bytes,
            "carried_bytes": policy.carried_len_bytes,
            "pin_required": policy.pin_required,
        },
        "administrators_missing": vacant,
        "version": roster.version,
    });
    Ok(Answer { json, text: lines.join("\n") })
}

fn status(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Leaving(_) => "leaving",
        Standing::Revoked => "revoked",
    }
}

fn device_lines(roster: &RosterView, id: &ReplicaId, entry: &ReplicaEntry) -> Vec<String> {
    let until = time(entry.standing.until_ms());
    let stands = match entry.standing {
        Standing::Revoked => RosterText::StandsRevoked { reason: &entry.reason },
        _ => RosterText::Standing { until: until.as_deref() },
    };
    let (device, workers) = (called(id, entry), users(roster, entry));
    let text = RosterText::Device { device: &device, replica: &id.to_string(), workers: &workers };
    let mut lines = vec![format!("{}  {}", Message::Roster(text).zh(), Message::Roster(stands).zh())];
    for (log, upto) in &entry.cuts {
        lines.push(Message::Roster(RosterText::Cut { log: &log.to_string(), upto: *upto }).zh());
    }
    if let Some(at) = entry.wiped_ms.and_then(time) {
        lines.push(Message::Roster(RosterText::Wiped { at: &at }).zh());
    }
    lines
}

fn device_json(roster: &RosterView, id: &ReplicaId, entry: &ReplicaEntry, now: u64) -> Value {
    let cuts: BTreeMap<String, u64> = entry.cuts.iter().map(|(log, upto)| (log.to_string(), *upto)).collect();
    let workers: Vec<Value> = entry
        .workers
        .iter()
        .map(|(worker, term)| {
            let name = roster.workers().get(worker).map(|entry| entry.name.clone());
            json!({
                "id": worker.to_string(),
                "name": name,
                "until": time(term.until_ms),
                "has_key": entry.keys.contains_key(worker),
            })
        })
        .collect();
    json!({
        "replica": id.to_string(),
        "device": entry.device,
        "status": status(entry.standing),
        "until": time(entry.standing.until_ms()),
        "reason": entry.reason,
        "workers": workers,
        "shared": !entry.keys.is_empty(),
        "role": entry.post.as_ref().map(|(role, _)| role),
        "unit": entry.post.as_ref().map(|(_, unit)| unit),
        "epochs": entry.epochs.iter().map(|epoch| format!("{epoch:016x}")).collect::<Vec<_>>(),
        "scopes": roster.holds(id, now),
        "cuts": cuts,
        "wiped_at": entry.wiped_ms.and_then(time),
    })
}

// ---- assign

fn assign(replica: &Replica, args: &AssignArgs) -> Result<Answer, CommandError> {
    let roster = replica.roster()?;
    if args.role.is_none() && args.device.is_none() {
        return Err(usage("nothing-said", RosterText::NothingSaid));
    }
    let name = bounded(&args.worker);
    if name.is_empty() {
        return Err(usage("who-missing", RosterText::WhoMissing));
    }
    let known = match worker_of(&roster, &name)? {
        None if args.new => None,
        _ => Some(known_worker(&roster, &name)?),
    };
    let (doc, mut ops, name) = match known {
        Some((doc, entry)) => (doc, Vec::new(), entry.name.clone()),
        None => (DocId(replica.random()?), vec![field("name", &name)], name),
    };
    let mut edits = Vec::new();
    let mut text = Vec::new();
    let mut json = json!({ "worker": doc.to_string(), "name": name });
    if let (Some(role), Some(unit)) = (&args.role, &args.unit) {
        let (role, unit) = (role_of(role)?, unit_of(&roster, unit)?);
        if !role.fits(&unit) {
            return Err(failed("post", RosterText::Misfit { role, unit: &unit.to_string() }));
        }
        // Who was another administrator before becomes this one now: what he wrote as the other stays his.
        let now_ms = replica.now_ms();
        let begins_ms = known.filter(|(_, entry)| entry.posts().any(|post| role.excludes(post.role)));
        let begins_ms = begins_ms.map(|(_, entry)| {
            let held = entry.posts().find(|post| post.role == role && post.unit == unit);
            held.filter(|post| post.term.holds_at(now_ms)).map_or(now_ms, |post| post.term.from_ms)
        });
        let from_ms = at(replica, args.from.as_ref())?.or(begins_ms).unwrap_or(0);
        let until_ms = at(replica, args.until.as_ref())?.unwrap_or(u64::MAX);
        if until_ms <= from_ms {
            return Err(usage("term", RosterText::TermEmpty));
        }
        let term = Term { from_ms, until_ms };
        if let Some(other) = known.and_then(|(_, entry)| entry.excluding(role, term)) {
            let said = RosterText::Excluded { worker: &name, held: other.role, role };
            return Err(failed("post-excluded", said));
        }
        let standing = known.map_or(Standing::Active, |(_, entry)| entry.standing);
        if standing != Standing::Active || known.is_none() {
            ops.push(field("status", &Standing::Active.to_text()));
            // What he held before he left stays ended.
            for post in known.into_iter().flat_map(|(_, entry)| entry.posts()) {
                ops.push(entry("posts", &Post::key(post.role, &post.unit), post.term.to_scalar()));
            }
        }
        let key = Post::key(role, &unit);
        ops.retain(|op| !matches!(&op.target, Target::Entry { key: other, .. } if *other == key));
        let held = known.is_some_and(|(_, entry)| {
            entry.posts().any(|post| post.role == role && post.unit == unit && post.term == term)
        });
        if !held {
            ops.push(entry("posts", &key, term.to_scalar()));
        }
        let unit_text = unit.to_string();
        let said = RosterText::Assigned { worker: &name, role, unit: &unit_text, changed: !held };
        text.push(Message::Roster(said).line());
        json["role"] = json!(role);
        json["unit"] = json!(unit);
        json["from"] = json!(time(from_ms));
        json["until"] = json!(time(until_ms));
    }
    if !ops.is_empty() {
        edits.push(edit(doc, Kind::WORKER, ops));
    }
    if let Some(device) = &args.device {
        let (id, device) = device_of(&roster, device)?;
        if device.standing == Standing::Revoked {
            return Err(failed("revoked", RosterText::AlreadyRevoked { device: &called(&id, device) }));
        }
        let ops = vec![
            entry("workers", &doc.to_string(), Term::default().to_scalar()),
            field("status", &Standing::Active.to_text()),
        ];
        edits.push(edit(device.doc, Kind::REPLICA, ops));
        let said = RosterText::MayUse { worker: &name, device: &called(&id, device) };
        text.push(Message::Roster(said).line());
        json["device"] = json!(id.to_string());
    }
    let audit = Entry::new(What::ROSTER).detail(&text.join(" "));
    json["changed"] = json!(write(replica, edits, audit)?);
    Ok(Answer { json, text: text.join("\n") })
}

// ---- leave

fn leave(replica: &Replica, args: &LeaveArgs) -> Result<Answer, CommandError> {
    let roster = replica.roster()?;
    let now = replica.now_ms();
    let until_ms = at(replica, args.at.as_ref())?.unwrap_or(now);
    let until = instant::rfc3339(until_ms);
    let worker = args.worker.as_ref().map(|typed| known_worker(&roster, typed)).transpose()?;
    let mut text = Vec::new();
    let mut ended = Vec::new();
    let mut edits = Vec::new();
    match (worker, &args.device) {
        (None, None) => return Err(usage("who-missing", RosterText::WhoMissing)),
        (worker, Some(device)) => {
            let (id, device) = device_of(&roster, device)?;
            let ops = match worker {
                Some((doc, _)) => {
                    let term = device.workers.get(&doc).copied().unwrap_or_default();
                    vec![entry("workers", &doc.to_string(), term.ending(until_ms).to_scalar())]
                }
                None if device.standing == Standing::Revoked => {
                    return Err(failed(
                        "revoked",
                        RosterText::AlreadyRevoked { device: &called(&id, device) },
                    ));
                }
                None => vec![field("status", &Standing::leaving(until_ms).to_text())],
            };
            edits.push(edit(device.doc, Kind::REPLICA, ops));
            let said = RosterText::DeviceLeaves { device: &called(&id, device), until: &until };
            text.push(Message::Roster(said).line());
            ended.push(json!({ "replica": id.to_string(), "until": until }));
        }
        (Some((doc, worker)), None) => {
            let role = args.role.as_ref().map(|typed| role_of(typed)).transpose()?;
            let unit = args.unit.as_ref().map(|typed| unit_of(&roster, typed)).transpose()?;
            let meant = |post: &Post| {
                role.is_none_or(|role| role == post.role)
                    && unit.as_ref().is_none_or(|unit| *unit == post.unit)
                    && post.term.until_ms > until_ms
            };
            let posts: Vec<Post> = worker.posts().filter(meant).collect();
            if posts.is_empty() {
                return Err(failed("nothing-to-end", RosterText::NothingToEnd { worker: &worker.name }));
            }
            let mut ops: Vec<Op> = posts
                .iter()
                .map(|post| {
                    let term = post.term.ending(until_ms);
                    entry("posts", &Post::key(post.role, &post.unit), term.to_scalar())
                })
                .collect();
            if role.is_none() && unit.is_none() {
                ops.push(field("status", &Standing::leaving(until_ms).to_text()));
            }
            edits.push(edit(doc, Kind::WORKER, ops));
            for post in posts {
                let unit = post.unit.to_string();
                let said =
                    RosterText::Ended { worker: &worker.name, role: post.role, unit: &unit, until: &until };
                text.push(Message::Roster(said).line());
                ended.push(json!({
                    "worker": doc.to_string(),
                    "name": worker.name,
                    "role": post.role,
                    "unit": post.unit,
                    "until": until,
                }));
            }
        }
    }
    let audit = Entry::new(What::ROSTER).detail(&text.join(" "));
    let changed = write(replica, edits, audit)?;
    Ok(Answer { json: json!({ "ended": ended, "changed": changed }), text: text.join("\n") })
}

// ---- revoke

fn revoke(replica: &Replica, args: &RevokeArgs) -> Result<Answer, CommandError> {
    let roster = replica.roster()?;
    let mut meant: Vec<(ReplicaId, &ReplicaEntry)> = Vec::new();
    let worker = args.worker.as_ref().map(|typed| known_worker(&roster, typed)).transpose()?;
    match (&args.replica, worker, &args.device) {
        (None, None, None) => return Err(usage("who-missing", RosterText::WhoMissing)),
        (Some(typed), worker, _) => {
            let (id, entry) = device_of(&roster, typed)?;
            if worker.is_none_or(|(doc, _)| entry.workers.contains_key(&doc)) {
                meant.push((id, entry));
            }
        }
        (None, None, Some(device)) => meant.push(device_of(&roster, device)?),
        (None, Some((doc, _)), device) => {
            let named = |entry: &ReplicaEntry| device.as_ref().is_none_or(|name| *name == entry.device);
            let his = roster.replicas().iter().filter(|(_, entry)| entry.workers.contains_key(&doc));
            meant.extend(his.filter(|(_, entry)| named(entry)).map(|(id, entry)| (*id, entry)));
        }
    }
    if meant.is_empty() {
        let typed = args.device.as_ref().or(args.worker.as_ref()).cloned().unwrap_or_default();
        return Err(failed("device-unknown", RosterText::DeviceUnknown { typed: &scrub(&typed) }));
    }
    let fresh: Vec<_> =
        meant.iter().filter(|(_, entry)| entry.standing != Standing::Revoked).copied().collect();
    if let (true, Some((id, entry))) = (fresh.is_empty(), meant.first()) {
        return Err(failed("revoked", RosterText::AlreadyRevoked { device: &called(id, entry) }));
    }
    let reason = bounded(&scrub(&args.reason));
    let mut text = Vec::new();
    let mut revoked = Vec::new();
    for (id, entry) in fresh {
        let mut ops = vec![field("status", &Standing::Revoked.to_text())];
        if !reason.is_empty() {
            ops.push(field("reason", &reason));
        }
        let (device, worker) = (called(&id, entry), users(&roster, entry));
        let audit = Entry::new(What::REVOKED).because(&reason).detail(&format!("{device} {worker}"));
        write(replica, vec![edit(entry.doc, Kind::REPLICA, ops)], audit)?;
        text.push(Message::Roster(RosterText::Revoked { device: &device, worker: &worker }).line());
        revoked.push(json!({ "replica": id.to_string(), "device": entry.device, "workers": worker }));
    }
    Ok(Answer { json: json!({ "revoked": revoked }), text: text.join("\n") })
}

// ---- policy

fn policy(replica: &Replica, args: &PolicyArgs) -> Result<Answer, CommandError> {
    let mut ops = Vec::new();
    for (name, value, max) in [
        ("grace_days", args.grace_days, DAYS_MAX),
        ("lease_days", args.lease_days, DAYS_MAX),
        ("quarantine_bytes", args.quarantine_bytes, QUARANTINE_LEN_BYTES_MAX),
        ("carried_bytes", args.carried_bytes, QUARANTINE_LEN_BYTES_MAX),
    ] {
        let Some(value) = value else { continue };
        let number = i64::try_from(value).ok().filter(|_| value <= max);
        let number = number.ok_or_else(|| usage("number", RosterText::NumberRange { name, max }))?;
        ops.push(Op { target: Target::Field(name.to_owned()), value: Some(Scalar::Int(number)) });
    }
    if let Some(said) = &args.pin_required {
        let value = Some(Scalar::Int(i64::from(said == "yes")));
        ops.push(Op { target: Target::Field("pin_required".to_owned()), value });
    }
    if ops.is_empty() {
        return Err(usage("nothing-said", RosterText::NothingSaid));
    }
    let secret = replica.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
    let doc = secret.natural_id(Kind::POLICY, "policy", 0);
    let audit = Entry::new(What::ROSTER).detail("policy");
    let changed = write(replica, vec![edit(doc, Kind::POLICY, ops)], audit)?;
    let policy = replica.roster()?.policy();
    let said = RosterText::Policy {
        grace_days: policy.grace_ms / DAY_MS,
        lease_days: policy.lease_ms / DAY_MS,
        quarantine_bytes: policy.quarantine_len_bytes,
        carried_bytes: policy.carried_len_bytes,
        pin_required: policy.pin_required,
    };
    let json = json!({
        "grace_days": policy.grace_ms / DAY_MS,
        "lease_days": policy.lease_ms / DAY_MS,
        "quarantine_bytes": policy.quarantine_len_bytes,
        "carried_bytes": policy.carried_len_bytes,
        "pin_required": policy.pin_required,
        "changed": changed,
    });
    Ok(Answer { json, text: Message::Roster(said).line() })
}
