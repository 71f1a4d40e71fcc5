//! Erasing what is held on a resident, and asking who has done it.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::identity::{DocId, ReplicaId};
use wangge_model::right::Refusal;
use wangge_model::schema::{Kind, MERGED_INTO, MOVED_FROM, MOVED_TO};
use wangge_model::verdict::VoidReason;

use super::instant::short as time;
use super::key::Target;
use super::mentions::{Mention, Words, lines, look, mentions};
use super::shown::headline;
use super::units::Units;
use super::workers::Workers;
use super::{Answer, CommandError, key};
use crate::replica::{ErasureOrder, Replica};
use crate::text::{Message, Word};

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// What to erase, or which orders to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct EraseArgs {
    /// The resident.
    #[arg(required = true)]
    pub person: Option<String>,
    /// Why; without personal data.
    #[arg(long, required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Only tells what else speaks of the resident.
    #[arg(long)]
    #[serde(default)]
    pub dry_run: bool,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// What else can be done.
    #[command(subcommand)]
    pub command: Option<EraseCommand>,
}

/// What else can be done about erasures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum EraseCommand {
    /// Who has done it and who has not.
    Status,
    /// Which records mention a number or a name.
    Mentions {
        /// Numbers and names.
        #[arg(required = true)]
        words: Vec<String>,
    },
}

pub(super) fn execute(replica: &Replica, args: &EraseArgs) -> Result<Answer, CommandError> {
    match (&args.command, &args.person) {
        (None, Some(person)) => erase(replica, person, args),
        (Some(EraseCommand::Mentions { words }), _) => look(replica, words),
        (Some(EraseCommand::Status), _) | (None, None) => status(replica),
    }
}

fn erase(replica: &Replica, person: &str, args: &EraseArgs) -> Result<Answer, CommandError> {
    let reason = args.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() && !args.dry_run {
        return Err(CommandError::usage("reason-missing", &Message::EraseReasonMissing));
    }
    let len = reason.chars().count();
    if len > REASON_CHARS_MAX {
        let message = Message::TextTooLong { len, max: REASON_CHARS_MAX };
        return Err(CommandError::usage("text-too-long", &message));
    }
    let target = key::resolve(replica, &[Kind::PERSON], person, args.unit.as_deref())?;
    let records = records_of(replica, target)?;
    // The order goes to everybody and stays for good: nothing of what it erases may stand in it.
    let told = ["name", "former_name", "id_number", "phone"]
        .iter()
        .flat_map(|field| records.iter().flat_map(|record| record.view.texts(field)))
        .any(|text| text.chars().count() > 1 && reason.contains(&text));
    if told || crate::text::scrub(reason) != reason {
        return Err(CommandError::usage("reason-tells", &Message::EraseReasonTells));
    }
    let who = replica.acting();
    let access = Kind::ERASURE.spec().map(|spec| &spec.access);
    if let (Some(who), Some(access)) = (who, access)
        && !access.writers.contains(&who.role)
    {
        let refusal = Refusal {
            reason: VoidReason::RoleMayNot,
            change: Some((Kind::ERASURE, None)),
            roles: access.writers,
        };
        return Err(CommandError::may_not(&records[0].scope, &refusal));
    }
    let units = Units::load(replica)?;
    let mut words = Words::default();
    for record in &records {
        words.learn(replica, &record.scope, &record.view)?;
    }
    let own: BTreeSet<DocId> = records.iter().map(|record| record.view.id).collect();
    let mentions = mentions(replica, &own, &words)?;
    let (mut orders, mut text) = (Vec::new(), Vec::new());
    for Target { scope, view } in &records {
        text.push(headline(&units, scope, view));
        let mut json = json!({ "document": view.id.to_string(), "scope": scope });
        if !args.dry_run {
            replica.audit(Entry::new(What::ERASURE).about(scope, view.id).because(reason))?;
            let order = replica.order_erasure(scope, view.kind, &view.id, reason)?;
            json["order"] = order.to_string().into();
        }
        orders.push(json);
    }
    if !args.dry_run {
        replica.obey_erasures()?;
        text.push(Message::EraseOrdered { count: orders.len() }.both());
    }
    text.extend(lines(&units, &mentions));
    // The first is the record that stands for the resident.
    let mut json = orders[0].clone();
    json["records"] = orders.into();
    json["mentions"] = mentions.iter().map(Mention::to_json).collect();
    Ok(Answer { json, text: text.join("\n") })
}

/// All records of the resident that `target` stands for: those that were merged into it, and what was left where
/// it moved away from.
fn records_of(replica: &Replica, target: Target) -> Result<Vec<Target>, CommandError> {
    let mut linked = Vec::new();
    for scope in replica.open_scopes() {
        replica.each(&scope, Kind::PERSON, |view| {
            let links = [MERGED_INTO, MOVED_TO, MOVED_FROM];
            let named: Vec<DocId> = links
                .iter()
                .flat_map(|field| view.texts(field))
                .filter_map(|text| text.rsplit('/').next()?.parse().ok())
                .collect();
            if !named.is_empty() {
                linked.push((Target { scope: scope.clone(), view }, named));
            }
            true
        })?;
    }
    let mut records = vec![target];
    loop {
        let known: BTreeSet<DocId> = records.iter().map(|record| record.view.id).collect();
        let from_known = |target: &Target, named: &[DocId]| {
            named.iter().any(|doc| known.contains(doc))
                || linked
                    .iter()
                    .any(|(other, named)| known.contains(&other.view.id) && named.contains(&target.view.id))
        };
        let found: Vec<usize> = linked
            .iter()
            .enumerate()
            .filter(|(_, (target, named))| !known.contains(&target.view.id) && from_known(target, named))
            .map(|(at, _)| at)
            .collect();
        if found.is_empty() {
            return Ok(records);
        }
        for at in found.into_iter().rev() {
            records.push(linked.remove(at).0);
        }
    }
}

/// A replica that is to erase something, and when it said that it has.
struct Holder {
    replica: ReplicaId,
    name: String,
    done_ms: Option<u64>,
}

fn holders(replica: &Replica, workers: &Workers, order: &ErasureOrder) -> Result<Vec<Holder>, CommandError> {
    let roster = replica.roster()?;
    let reports = replica.erasure_reports(order)?;
    let done = |key: &ReplicaId| reports.iter().find(|(who, _)| who == key).map(|(_, ms)| *ms);
    let centre = replica.profile().centre();
    let mut holders =
        vec![Holder { replica: centre, name: Word::Centre.zh().to_owned(), done_ms: done(&centre) }];
    for (key, entry) in roster.replicas() {
        let holds = roster.holds(key, replica.now_ms()).contains(&order.scope);
        if *key == centre || !(holds || done(key).is_some()) {
            continue;
        }
        let name = entry.worker.map(|worker| workers.name(&worker)).unwrap_or_default();
        holders.push(Holder { replica: *key, name, done_ms: done(key) });
    }
    Ok(holders)
}

fn status(replica: &Replica) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let mut text = Vec::new();
    let mut list = Vec::new();
    for order in replica.erasure_orders()? {
        let holders = holders(replica, &workers, &order)?;
        let open = holders.iter().filter(|holder| holder.done_ms.is_none()).count();
        text.push(
            Message::EraseStatus {
                document: &super::shown::short_id(&order.document),
                unit: &units.name(&order.scope),
                at: &time(order.wall_ms),
                reason: &order.reason,
                done: holders.len() - open,
                total: holders.len(),
                accepted: order.counts,
            }
            .both(),
        );
        for holder in &holders {
            let mark = holder.done_ms.map_or_else(|| "—".to_owned(), time);
            let key = holder.replica.to_string();
            text.push(format!("  {}\t{}\t{mark}", &key[..8.min(key.len())], holder.name));
        }
        let replicas: Vec<Value> = holders
            .iter()
            .map(|holder| {
                json!({
                    "replica": holder.replica.to_string(),
                    "worker": holder.name,
                    "done": holder.done_ms.is_some(),
                    "done_ms": holder.done_ms,
                })
            })
            .collect();
        list.push(json!({
            "order": order.id.to_string(),
            "document": order.document.to_string(),
            "scope": order.scope,
            "reason": order.reason,
            "by": workers.name(&order.worker),
            "ordered_ms": order.wall_ms,
            "accepted": order.counts,
            "done": open == 0,
            "replicas": replicas,
        }));
    }
    text.push(if text.is_empty() { Message::EraseNone.both() } else { Message::EraseLook.both() });
    Ok(Answer { json: list.into(), text: text.join("\n") })
}
