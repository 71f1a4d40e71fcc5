//! Joining a street with an invitation.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wangge_model::identity::{Role, Scope};
use wangge_model::invitation::Invitation;
use wangge_model::wire::{Frame, FrameBuffer, Join, Joined as Answer};

use super::endpoint::Dialler;
use super::sync::{SyncOptions, sync};
use super::{NetError, tls};
use crate::replica::leaving::begin_anew;
use crate::replica::{Machine, Profile, Replica, ReplicaError, World};

/// What joining led to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Joined {
    /// The street's name.
    pub street_name: String,
    /// The worker's name.
    pub worker_name: String,
    /// His post.
    pub role: Role,
    /// Where.
    pub unit: Scope,
    /// Whether the street's roster is here already.
    pub roster: bool,
}

pub(super) fn unsound() -> NetError {
    unusable("中心的答复无效", "the centre's answer does not hold")
}

pub(super) fn unusable(zh: &str, en: &str) -> NetError {
    NetError::Invitation { zh: zh.to_owned(), en: en.to_owned() }
}

/// Joins with the invitation `line` and keeps the replica in `dir`. A join that broke off resumes with
/// the same line.
///
/// # Errors
/// [`NetError`]; the directory is left so that the same or another invitation can be tried.
pub async fn join(dir: &Path, line: &str) -> Result<Joined, NetError> {
    join_on(&Machine::default(), dir, line).await
}

/// The same on a given machine: with a PIN, say.
///
/// # Errors
/// [`NetError`].
pub async fn join_on(machine: &Machine, dir: &Path, line: &str) -> Result<Joined, NetError> {
    let joining = Joining::begin(machine, dir, line)?;
    let Some(join) = joining.question() else { return finish(&joining.replica).await };
    let key = joining.replica.signing_key();
    let dialler = Dialler::with_protocol(&key, Some(joining.invitation.relay), tls::ALPN_JOIN)?;
    let address = &joining.invitation.address;
    let answered = tokio::time::timeout(Duration::from_secs(30), show(&dialler, address, join)).await;
    dialler.close().await;
    let answer = answered.map_err(|_| NetError::TimedOut { seconds: 30 })??;
    finish(&joining.answered(answer)?).await
}

/// A replica on its way into a street: what joining does, without the network.
#[derive(Debug)]
pub struct Joining {
    replica: Arc<Replica>,
    invitation: Invitation,
}

impl Joining {
    /// Reads the invitation and makes a replica for it in `dir`, or takes up the one that an earlier
    /// attempt left there.
    ///
    /// # Errors
    /// [`NetError::Invitation`] if it cannot be used, [`NetError::Replica`] if the directory is taken.
    pub fn begin(machine: &Machine, dir: &Path, line: &str) -> Result<Self, NetError> {
        let invitation = read(machine.world.as_ref(), line)?;
        let replica = Arc::new(prepare(machine, dir, line, &invitation)?);
        Ok(Self { replica, invitation })
    }

    /// The replica that is to take part.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    /// What to ask the centre; nothing if it has answered already.
    pub fn question(&self) -> Option<Join> {
        let profile = self.replica.profile();
        profile.grant().is_none().then(|| Join {
            number: self.invitation.number,
            secret: self.invitation.secret,
            epoch: profile.epoch(),
            device: String::new(),
            sharing: None,
        })
    }

    /// The centre's answer: from now on the replica takes part.
    ///
    /// # Errors
    /// [`NetError::Invitation`] if it refused, or its answer does not hold.
    pub fn answered(self, answer: Answer) -> Result<Arc<Replica>, NetError> {
        let grant = match answer {
            Answer::Granted(grant) => grant,
            Answer::Refused(reason) => return Err(refused(&reason)),
            Answer::Seated(..) => return Err(unsound()),
        };
        let mut profile = self.replica.profile();
        if grant.enrolment.open(&self.invitation.relay).map(|e| e.replica) != Ok(profile.replica()) {
            return Err(unsound());
        }
        profile.set_grant(grant);
        self.replica.set_profile(profile)?;
        Ok(self.replica)
    }
}

pub(super) fn read(world: &dyn World, line: &str) -> Result<Invitation, NetError> {
    let invitation = Invitation::from_line(line).map_err(|error| match error {
        wangge_model::invitation::InvitationError::Foreign => {
            unusable("这不是邀请码,邀请码以 WG1- 开头", &error.to_string())
        }
        _ => unusable("邀请码不完整或有误,请重新复制整行,或向中心要一个新的", &error.to_string()),
    })?;
    if invitation.expires_s < world.now_ms() / 1_000 {
        return Err(unusable("已过期,请向中心要一个新的", "it has expired: ask the centre for a new one"));
    }
    Ok(invitation)
}

/// What somebody is told who wants to join where `user` has no PIN.
pub(crate) fn without_pin(user: &str) -> NetError {
    unusable(
        &format!("本机已由 {user} 使用;要多人共用,请先设置 PIN (wangge pin set),再加入"),
        &format!("{user} uses this device already; to share it, set a PIN first (wangge pin set), then join"),
    )
}

/// A replica in `dir` that is on its way in with this invitation.
fn prepare(machine: &Machine, dir: &Path, line: &str, invitation: &Invitation) -> Result<Replica, NetError> {
    match Replica::open(dir, machine.clone()) {
        Ok(replica) => {
            let mut profile = replica.profile();
            let user = profile.grant().map(|grant| format!("{} {}", grant.street_name, grant.worker_name));
            let user = user.unwrap_or_default();
            let has_worker = profile.grant().is_some() && profile.joining() != Some(line);
            if has_worker && profile.centre() == invitation.relay {
                return Err(without_pin(&user));
            }
            if has_worker {
                return Err(ReplicaError::Occupied { dir: dir.to_owned(), what: user }.into());
            }
            if profile.centre() != invitation.relay {
                // An attempt with an invitation of another street that came to nothing.
                profile =
                    Profile::create(machine.world.as_ref(), Some(invitation.relay), &invitation.address)?;
            }
            profile.set_address(&invitation.address);
            profile.set_joining(line);
            replica.set_profile(profile)?;
            Ok(replica)
        }
        Err(error @ (ReplicaError::NoReplica { .. } | ReplicaError::Wiped { .. })) => {
            if matches!(error, ReplicaError::Wiped { .. }) {
                begin_anew(dir)?;
            }
            let mut profile =
                Profile::create(machine.world.as_ref(), Some(invitation.relay), &invitation.address)?;
            profile.set_joining(line);
            Ok(Replica::create(dir, profile, machine.clone())?)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn show(dialler: &Dialler, address: &str, join: Join) -> Result<Answer, NetError> {
    let broken = |reason: String| NetError::Broken { reason };
    let connection = dialler.dial(address).await?.connection;
    let (mut send, mut recv) = connection.open_bi().await.map_err(|e| broken(e.to_string()))?;
    send.write_all(&Frame::Join(join).encode()).await.map_err(|e| broken(e.to_string()))?;
    let mut frames = FrameBuffer::default();
    loop {
        let chunk = recv.read_chunk(64 * 1024, true).await.map_err(|e| broken(e.to_string()))?;
        let Some(chunk) = chunk else { return Err(broken("the centre closed the connection".to_owned())) };
        frames.push(&chunk.bytes);
        let frame = frames.next_frame().map_err(wangge_model::session::SessionError::Wire)?;
        match frame {
            None => {}
            Some(Frame::Joined(answer)) => return Ok(*answer),
            Some(_) => return Err(broken("the centre answered something else".to_owned())),
        }
    }
}

/// The centre's reason, in words.
pub(super) fn refused(reason: &str) -> NetError {
    match reason {
        "used" => unusable("已被使用过,每个邀请码只能用一次", "it has been used already: each works once"),
        "expired" => unusable("已过期,请向中心要一个新的", "it has expired: ask the centre for a new one"),
        "taken" => unusable(
            "此人已在本机登记;忘记 PIN 请用 wangge pin recover",
            "the worker uses this device already; for a forgotten PIN: wangge pin recover",
        ),
        "unknown" => unusable("中心没有发过这个邀请码", "the centre does not know it"),
        other => unusable(other, other),
    }
}

/// Fetches the roster, so that work can begin offline.
async fn finish(replica: &Arc<Replica>) -> Result<Joined, NetError> {
    let profile = replica.profile();
    let enrolment = profile.enrolment();
    let (Some(grant), Some(enrolment)) = (profile.grant().cloned(), enrolment) else {
        return Err(unsound());
    };
    let roster = fetch_roster(replica).await;
    Ok(Joined {
        street_name: grant.street_name,
        worker_name: grant.worker_name,
        role: enrolment.role,
        unit: enrolment.unit,
        roster,
    })
}

pub(super) async fn fetch_roster(replica: &Arc<Replica>) -> bool {
    let only = Some(BTreeSet::from([Scope::Street]));
    let options = SyncOptions { timeout: Some(Duration::from_secs(30)), only, ..SyncOptions::default() };
    match sync(replica, options).await {
        Ok(report) => report.in_sync,
        Err(error) => {
            tracing::warn!(
                error = error.in_english(),
                "joined, but the roster is not here yet: sync fetches it"
            );
            false
        }
    }
}
