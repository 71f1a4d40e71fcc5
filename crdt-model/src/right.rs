//! The half of admission that depends on the roster: may this worker, in one of his posts, on this
//! replica, write this here. Pure. The author's own replica asks before it commits, every replica when
//! it lets foreign work take effect, and the relay, whose answer is the verdict.

use crate::document::{Change, Op, Scalar, Target};
use crate::identity::{DocId, ReplicaId, Role, Scope};
use crate::log::LogIdentity;
use crate::planted::{self, Bug};
use crate::roster::{EPOCHS_MAX, Post, ReplicaEntry, RosterView, Standing};
use crate::schema::{Kind, KindSpec};
use crate::transaction::{ScopeSecret, Transaction};
use crate::turn::is_signed;
use crate::verdict::VoidReason;

/// What is judged.
#[derive(Debug)]
pub struct Act<'a> {
    /// Where it was written.
    pub scope: &'a Scope,
    /// By which replica, in which epoch.
    pub author: &'a LogIdentity,
    /// The transaction.
    pub transaction: &'a Transaction,
    /// The secret of the scope.
    pub secret: &'a ScopeSecret,
    /// What its author had seen of the relay was written then: it cannot be older, whatever it claims.
    pub after_ms: u64,
    /// When it was observed here.
    pub observed_ms: u64,
}

/// Why something may not be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The rule. [`VoidReason::is_quarantine`] tells what a person decides.
    pub reason: VoidReason,
    /// The kind of document concerned and the event, if one was.
    pub change: Option<(Kind, Option<String>)>,
    /// Who may.
    pub roles: &'static [Role],
}

impl From<VoidReason> for Refusal {
    fn from(reason: VoidReason) -> Self {
        Self { reason, change: None, roles: &[] }
    }
}

/// Whether the transaction counts.
///
/// # Errors
/// [`Refusal`]: it is void, or waits in quarantine.
pub fn judge(roster: &RosterView, centre: &ReplicaId, act: &Act<'_>) -> Result<(), Refusal> {
    let Act { scope, author, transaction, .. } = act;
    if author.replica == *centre {
        return Ok(());
    }
    if !transaction.verdicts.is_empty() {
        return Err(VoidReason::NotTheRelay.into());
    }
    let Some(replica) = roster.replicas().get(&author.replica) else {
        return Err(VoidReason::UnknownReplica.into());
    };
    if replica.standing == Standing::Revoked && !planted::is(Bug::IgnoreCut) {
        return Err(VoidReason::Revoked.into());
    }
    if !replica.epochs.contains(&author.epoch.0) && replica.epochs.len() >= EPOCHS_MAX {
        return Err(VoidReason::TooManyEpochs.into());
    }
    let worker = transaction.worker;
    if !replica.workers.contains_key(&worker) {
        return Err(VoidReason::NotItsWorker.into());
    }
    if !is_signed_by_worker(replica, act) {
        return Err(VoidReason::NoTurn.into());
    }
    let posts: Vec<Post> = roster
        .posts_of(&author.replica)
        .into_iter()
        .filter(|(whose, post)| *whose == worker && roster.reaches(post.role, &post.unit, scope))
        .map(|(_, post)| post)
        .collect();
    if posts.is_empty() {
        return Err(VoidReason::ScopeNotHeld.into());
    }
    transaction.changes.iter().try_for_each(|change| judge_change(roster, act, &posts, change))
}

/// Whether the acting worker signed himself where that is demanded.
fn is_signed_by_worker(replica: &ReplicaEntry, act: &Act<'_>) -> bool {
    let transaction = act.transaction;
    let (worker, log) = (&transaction.worker, &transaction.log);
    // A branch left its log whenever it says: nothing in it is excused.
    let seq = if act.author.branch.is_some() { u64::MAX } else { transaction.seq };
    if !replica.demands_turn(worker, log, seq, act.observed_ms) {
        return true;
    }
    let Some(signature) = &transaction.turn else { return false };
    let said = transaction.said(act.secret);
    replica.keys.get(worker).is_some_and(|keys| keys.iter().any(|key| is_signed(key, &said, signature)))
}

fn judge_change(roster: &RosterView, act: &Act<'_>, posts: &[Post], change: &Change) -> Result<(), Refusal> {
    let refused = |reason, event: Option<&str>, roles| Refusal {
        reason,
        change: Some((change.kind, event.map(str::to_owned))),
        roles,
    };
    if !change.kind.lives_in(act.scope) {
        return Err(refused(VoidReason::KindNotHere, None, &[]));
    }
    // A newer version's kinds wait for the update before they are judged.
    let Some(spec) = change.kind.spec() else { return Ok(()) };
    for op in &change.ops {
        let (event, roles) = needed(spec, &op.target, op.value.as_ref());
        let is_heard = |post: &Post| *act.scope != Scope::Street || post.role.writes_street();
        let fits = |post: &&Post| roles.contains(&post.role) && is_heard(post);
        let mut reason =
            if !posts.iter().any(is_heard) { VoidReason::CentreOnly } else { VoidReason::RoleMayNot };
        let mut allowed = false;
        for post in posts.iter().filter(fits) {
            match in_time(roster, act, post) {
                Ok(()) => {
                    allowed = true;
                    break;
                }
                // The mildest of what stands against his posts.
                Err(found) if found.is_quarantine() || !reason.is_quarantine() => reason = found,
                Err(_) => {}
            }
        }
        if !allowed {
            return Err(refused(reason, event.as_deref(), roles));
        }
    }
    if let Some(successor) = successor(change)
        && !roster.will_hold(&successor, act.scope, written_ms(act))
    {
        return Err(refused(VoidReason::NoSuccessor, None, &[]));
    }
    Ok(())
}

/// To whom a unit is handed over by a change that begins a hand-over; nobody if that cannot be read.
fn successor(change: &Change) -> Option<DocId> {
    if change.kind != Kind::HANDOVER {
        return None;
    }
    let named = |op: &&Op| matches!(&op.target, Target::Field(name) if name == "assignee");
    let value = change.ops.iter().find(named)?.value.as_ref();
    Some(value.and_then(Scalar::as_str).and_then(|text| text.parse().ok()).unwrap_or(NOBODY))
}

/// Who may do what an operation does, and the event that it writes.
fn needed(spec: &KindSpec, target: &Target, value: Option<&Scalar>) -> (Option<String>, &'static [Role]) {
    let access = &spec.access;
    match target {
        Target::Field(name) => return (None, spec.writers_of(name, value)),
        Target::Entry { .. } => return (None, access.writers),
        Target::Event { .. } => {}
    }
    let json: Option<serde_json::Value> =
        value.and_then(Scalar::as_str).and_then(|text| serde_json::from_str(text).ok());
    let name = json.as_ref().and_then(|json| json.get("kind")).and_then(serde_json::Value::as_str);
    match name {
        // An event of a newer version: whoever may write such documents.
        None => (None, access.writers),
        Some(name) => {
            let roles = access.event(name).map_or(access.writers, |event| event.roles);
            (Some(name.to_owned()), roles)
        }
    }
}

/// When it was written: as claimed, but not before what its author had seen of the relay and not after it was
/// observed.
fn written_ms(act: &Act<'_>) -> u64 {
    act.transaction.wall_ms.max(act.after_ms).min(act.observed_ms)
}

/// Whether the post held when it was written.
fn in_time(roster: &RosterView, act: &Act<'_>, post: &Post) -> Result<(), VoidReason> {
    let observed_ms = act.observed_ms;
    // A clock that is slow must not void what a new colleague writes on his first day.
    if observed_ms < post.term.from_ms {
        return Err(VoidReason::PostNotYet);
    }
    if observed_ms < post.term.until_ms {
        return Ok(());
    }
    if written_ms(act) >= post.term.until_ms {
        return Err(VoidReason::PostEnded);
    }
    if observed_ms - post.term.until_ms > roster.policy().grace_ms {
        return Err(VoidReason::PastGrace);
    }
    Ok(())
}

/// The worker as whom the centre's own machinery writes.
pub const NOBODY: DocId = DocId([0; 16]);
