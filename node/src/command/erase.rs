//! Erasing what is held on a resident, and asking who has done it.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::identity::ReplicaId;
use wangge_model::right::Refusal;
use wangge_model::schema::Kind;
use wangge_model::verdict::VoidReason;

use super::instant::short as time;
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
    #[arg(long, required = true)]
    pub reason: Option<String>,
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
}

pub(super) fn execute(replica: &Replica, args: &EraseArgs) -> Result<Answer, CommandError> {
    match (&args.command, &args.person) {
        (None, Some(person)) => erase(replica, person, args),
        (Some(EraseCommand::Status), _) | (None, None) => status(replica),
    }
}

fn erase(replica: &Replica, person: &str, args: &EraseArgs) -> Result<Answer, CommandError> {
    let reason = args.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() {
        return Err(CommandError::usage("reason-missing", &Message::EraseReasonMissing));
    }
    let len = reason.chars().count();
    if len > REASON_CHARS_MAX {
        let message = Message::TextTooLong { len, max: REASON_CHARS_MAX };
        return Err(CommandError::usage("text-too-long", &message));
    }
    let target = key::resolve(replica, &[Kind::PERSON], person, args.unit.as_deref())?;
    // The order goes to everybody and stays for good: nothing of what it erases may stand in it.
    let told = ["name", "former_name", "id_number", "phone"]
        .iter()
        .flat_map(|field| target.view.texts(field))
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
        return Err(CommandError::may_not(&target.scope, &refusal));
    }
    let entry = Entry::new(What::ERASURE).about(&target.scope, target.view.id).because(reason);
    replica.audit(entry)?;
    let order = replica.order_erasure(&target.scope, target.view.kind, &target.view.id, reason)?;
    replica.obey_erasures()?;
    let document = target.view.id.to_string();
    Ok(Answer {
        json: json!({ "order": order.to_string(), "document": document, "scope": target.scope }),
        text: Message::EraseOrdered { document: &document }.both(),
    })
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
    let mut lines = Vec::new();
    let mut list = Vec::new();
    for order in replica.erasure_orders()? {
        let holders = holders(replica, &workers, &order)?;
        let open = holders.iter().filter(|holder| holder.done_ms.is_none()).count();
        lines.push(
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
            lines.push(format!("  {}\t{}\t{mark}", &key[..8.min(key.len())], holder.name));
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
    if lines.is_empty() {
        lines.push(Message::EraseNone.both());
    }
    Ok(Answer { json: list.into(), text: lines.join("\n") })
}
