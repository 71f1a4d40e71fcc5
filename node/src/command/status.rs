//! Who and what this replica is, and what its documents come to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use wangge_model::clock::Ends;
use wangge_model::identity::Scope;
use wangge_model::schema::kinds;
use wangge_model::session::Completeness;

use super::instant::{rfc3339, short};
use super::pin::{is_missing, is_open};
use super::{Answer, CommandError};
use crate::replica::{Replica, ReplicaError};
use crate::text::{Message, PhotoText, role_zh};

pub(super) fn digest(replica: &Replica) -> Result<Answer, CommandError> {
    let digests = replica.digests()?;
    let lines: Vec<String> =
        digests.iter().map(|d| format!("{} {} {}", d.scope, d.documents, d.digest)).collect();
    let json = digests
        .iter()
        .map(|d| json!({ "scope": d.scope, "documents": d.documents, "digest": d.digest.to_string() }))
        .collect();
    Ok(Answer { json, text: lines.join("\n") })
}

const DAY_MS: u64 = 24 * 3_600 * 1_000;

#[derive(Default)]
struct Tally {
    documents: u64,
    conflicts: u64,
}

fn tally(replica: &Replica, scope: &Scope) -> Result<Tally, ReplicaError> {
    let mut tally = Tally::default();
    for kind in kinds() {
        replica.each(scope, kind.kind, |view| {
            tally.documents += 1;
            tally.conflicts += view.conflicts().count() as u64;
            true
        })?;
    }
    Ok(tally)
}

pub(super) fn status(replica: &Replica) -> Result<Answer, CommandError> {
    let profile = replica.profile();
    let unsent = replica.unsent()?;
    let (photos_unsent, photos_missing) = replica.photos_waiting()?;
    let mut tallies: BTreeMap<String, (Tally, bool, u64)> = BTreeMap::new();
    for (scope, (clock, completeness)) in replica.clocks() {
        let transactions = clock.0.values().map(Ends::len).sum();
        let complete = matches!(completeness, Completeness::Whole);
        tallies.insert(scope.to_string(), (tally(replica, &scope)?, complete, transactions));
    }
    let conflicts: u64 = tallies.values().map(|(tally, _, _)| tally.conflicts).sum();
    let documents: u64 = tallies.values().map(|(tally, _, _)| tally.documents).sum();
    let incomplete = tallies.values().filter(|(_, complete, _)| !complete).count();
    let scopes: Vec<Value> = tallies
        .iter()
        .map(|(scope, (tally, complete, transactions))| {
            json!({
                "scope": scope,
                "documents": tally.documents,
                "conflicts": tally.conflicts,
                "complete": complete,
                "transactions": transactions,
            })
        })
        .collect();
    let acting = replica.acting();
    let (street, worker) = match profile.grant() {
        Some(grant) => (
            json!({ "code": grant.street_code, "name": grant.street_name }),
            Value::from(acting.as_ref().map(|acting| acting.name.clone())),
        ),
        None => (Value::Null, Value::Null),
    };
    let past = replica.past()?;
    let met_ms = replica.met_centre_ms();
    let apart: usize = replica.apart().values().map(std::collections::BTreeSet::len).sum();
    let json = json!({
        "replica": profile.replica().to_string(),
        "epoch": format!("{:016x}", profile.epoch().0),
        "street": street,
        "worker": worker,
        "role": acting.as_ref().map(|acting| acting.role),
        "shared": replica.store().is_shared(),
        "pin": replica.store().is_locked_with_pin(),
        "unit": acting.as_ref().map(|acting| acting.unit.clone()),
        "relay": profile.address(),
        "joining": profile.joining().is_some(),
        "scopes": scopes,
        "unsent": unsent,
        "photos_unsent": photos_unsent,
        "photos_missing": photos_missing,
        "conflicts": conflicts,
        "met_centre": met_ms.map(rfc3339),
        "happened": past,
        "apart": apart,
    });
    let mut lines = Vec::new();
    match (profile.grant(), &acting) {
        (Some(grant), Some(acting)) => {
            lines.push(
                Message::Who {
                    street: &grant.street_name,
                    code: &grant.street_code,
                    worker: &acting.name,
                    role_zh: role_zh(acting.role),
                    role: acting.role.name(),
                    unit: &acting.unit.to_string(),
                }
                .line(),
            );
        }
        _ => lines.push(Message::NotJoined.line()),
    }
    lines.push(Message::Held { scopes: tallies.len(), documents, incomplete }.line());
    lines.push(Message::Unsent { unsent }.line());
    if photos_unsent + photos_missing > 0 {
        let waiting = PhotoText::Waiting { unsent: photos_unsent, missing: photos_missing };
        lines.push(Message::Photo(waiting).line());
    }
    if conflicts > 0 {
        lines.push(Message::OpenConflicts { conflicts }.line());
    }
    if let Some(met_ms) = met_ms {
        let days = replica.now_ms().saturating_sub(met_ms) / DAY_MS;
        lines.push(Message::MetCentre { when: &short(met_ms), days }.line());
    }
    if is_missing(replica)? {
        lines.push(Message::PinRequired.line());
    } else if is_open(replica) {
        lines.push(Message::NoPinHere.line());
    }
    for happened in &past {
        let (when, transactions) = (short(happened.at_ms), happened.transactions);
        lines.push(Message::Happened { when: &when, what: happened.what, transactions }.both());
    }
    if apart > 0 {
        lines.push(Message::RecordsApart { apart }.line());
    }
    for (scope, (tally, complete, transactions)) in &tallies {
        lines.push(
            Message::ScopeLine {
                scope,
                documents: tally.documents,
                transactions: *transactions,
                complete: *complete,
            }
            .zh(),
        );
    }
    Ok(Answer { json, text: lines.join("\n") })
}
