//! What the relay adds to the roster of its own accord: units that an admin's replica has added, and the audit of a
//! street that has an auditor, get their secrets, epochs that replicas open are noted, the logs of revoked replicas are cut.

use std::collections::BTreeMap;

use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::{LogId, ReplicaId, Scope};
use wangge_model::roster::{EPOCHS_MAX, Standing};
use wangge_model::schema::Kind;
use wangge_model::transaction::ScopeSecret;
use wangge_node::replica::{Edit, Replica, ReplicaError};
use wangge_store::Batch;

use crate::roster::put_back_key;

/// Brings the roster up to date with what has arrived. Cheap when nothing is due.
pub(crate) fn keep_up(replica: &Replica) -> Result<(), ReplicaError> {
    let roster = replica.roster()?;
    let held = replica.scopes();
    for scope in roster.units().keys().filter(|scope| !held.contains(scope)) {
        adopt(replica, scope)?;
        tracing::info!(%scope, "a unit that an admin added is taken up");
    }
    if roster.names_auditor() {
        adopt(replica, &Scope::Audit)?;
    }
    let mut opened: BTreeMap<ReplicaId, Vec<u64>> = BTreeMap::new();
    let mut cuts: BTreeMap<ReplicaId, Vec<(LogId, u64)>> = BTreeMap::new();
    for state in replica.logs() {
        let Some(entry) = roster.replicas().get(&state.identity.replica) else { continue };
        let epoch = state.identity.epoch.0;
        let epochs = opened.entry(state.identity.replica).or_default();
        if !entry.epochs.contains(&epoch)
            && !epochs.contains(&epoch)
            && entry.epochs.len() + epochs.len() < EPOCHS_MAX
        {
            epochs.push(epoch);
        }
        if entry.standing == Standing::Revoked && !entry.cuts.contains_key(&state.log) {
            cuts.entry(state.identity.replica).or_default().push((state.log, state.counts));
        }
    }
    let mut edits: BTreeMap<ReplicaId, Vec<Op>> = BTreeMap::new();
    let entry = |container: &str, key: String, value| {
        let target = Target::Entry { container: container.to_owned(), key };
        Op { target, value: Some(value) }
    };
    for (author, epochs) in opened.into_iter().filter(|(_, epochs)| !epochs.is_empty()) {
        let mut batch = Batch::new();
        batch.put(put_back_key(&author), Vec::new());
        replica.store().commit(batch)?;
        let ops =
            epochs.into_iter().map(|epoch| entry("epochs", format!("{epoch:016x}"), Scalar::Bool(true)));
        edits.entry(author).or_default().extend(ops);
    }
    for (replica, cuts) in cuts {
        let cut = |(log, upto): (LogId, u64)| {
            let upto = i64::try_from(upto).unwrap_or(i64::MAX);
            entry("cuts", log.to_string(), Scalar::Int(upto))
        };
        edits.entry(replica).or_default().extend(cuts.into_iter().map(cut));
    }
    for (author, ops) in edits.into_iter().filter(|(_, ops)| !ops.is_empty()) {
        let Some(entry) = roster.replicas().get(&author) else { continue };
        for ops in ops.chunks(wangge_model::document::OPS_MAX) {
            let edit = Edit { doc: entry.doc, kind: Kind::REPLICA, ops: ops.to_vec() };
            replica.commit_in_no_name(&Scope::Street, vec![edit])?;
        }
    }
    Ok(())
}

/// The secret of a unit that was added after the founding. It follows from the relay's key, which every backup
/// holds: a relay that is put back to one from before the unit takes it up with the secret that devices have.
fn secret_of(relay: &[u8; 32], scope: &Scope) -> ScopeSecret {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 secret of an added scope");
    hasher.update(relay);
    hasher.update(scope.to_string().as_bytes());
    ScopeSecret(*hasher.finalize().as_bytes())
}

/// Takes a unit or the audit up: from now on the relay holds its scope.
pub(crate) fn adopt(replica: &Replica, scope: &Scope) -> Result<(), ReplicaError> {
    let mut profile = replica.profile();
    let damaged = || ReplicaError::Damaged { what: "profile".to_owned(), dir: replica.dir().to_owned() };
    let mut grant = profile.grant().cloned().ok_or_else(damaged)?;
    let mut enrolment = profile.enrolment().ok_or_else(damaged)?;
    if enrolment.scopes.contains(scope) {
        return Ok(());
    }
    enrolment.scopes.push(scope.clone());
    enrolment.scopes.sort();
    grant.secrets.push((scope.clone(), secret_of(&replica.signing_key().to_bytes(), scope)));
    grant.enrolment = enrolment.sign(&replica.signing_key());
    profile.set_grant(grant);
    replica.set_profile(profile)?;
    replica.declare_whole(std::slice::from_ref(scope))
}
