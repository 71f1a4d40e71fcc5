//! A second worker's invitation on a device that has one already: from then on they share it, each with a PIN.

use std::sync::Arc;
use std::time::Duration;

use wangge_model::turn::Sharing;
use wangge_model::wire::{Join, Joined as Answer};

use super::endpoint::Dialler;
use super::join::{Joined, fetch_roster, read, refused, show, unsound, unusable};
use super::sync::{SyncOptions, sync};
use super::{NetError, tls};
use crate::replica::vault::{Pin, PinCost};
use crate::replica::{Replica, ReplicaError};

/// Longest wait for the centre's answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Lets another worker in with the invitation `line`; `pin` will be his. A joining that broke off resumes with
/// the same line and the same PIN.
///
/// # Errors
/// [`NetError`]: the device stays as it was.
pub async fn share(replica: &Arc<Replica>, line: &str, pin: &Pin, cost: PinCost) -> Result<Joined, NetError> {
    let invitation = read(replica.world().as_ref(), line)?;
    let profile = replica.profile();
    let (Some(grant), Some(enrolment)) = (profile.grant().cloned(), profile.enrolment()) else {
        return Err(unsound());
    };
    if profile.centre() != invitation.relay {
        let what = format!("{} {}", grant.street_name, grant.worker_name);
        return Err(ReplicaError::Occupied { dir: replica.dir().to_owned(), what }.into());
    }
    // What was written before there were two is excused from their signatures: the centre must have it.
    if !sync(replica, SyncOptions::default()).await?.in_sync {
        return Err(unusable(
            "还不能用:本机尚有未上传的内容,请先同步 (wangge sync)",
            "not yet: this device holds what the centre has not; sync first (wangge sync)",
        ));
    }
    let first = (enrolment.worker, grant.worker_name.as_str());
    let (first_key, joining) =
        replica.store().prepare_seat(first, invitation.number, pin, cost).map_err(ReplicaError::from)?;
    let join = Join {
        number: invitation.number,
        secret: invitation.secret,
        epoch: profile.epoch(),
        device: String::new(),
        sharing: Some(Sharing { first: (enrolment.worker, first_key), joining }),
    };
    let dialler = Dialler::with_protocol(&profile.signing_key(), Some(invitation.relay), tls::ALPN_JOIN)?;
    let answered = tokio::time::timeout(ANSWER_MAX, show(&dialler, profile.address(), join)).await;
    dialler.close().await;
    let answer = answered.map_err(|_| NetError::TimedOut { seconds: ANSWER_MAX.as_secs() })??;
    let (grant, seat) = match answer {
        Answer::Seated(grant, seat) => (grant, seat),
        Answer::Refused(reason) => {
            replica.store().unseat(invitation.number).map_err(ReplicaError::from)?;
            return Err(refused(&reason));
        }
        Answer::Granted(_) => return Err(unsound()),
    };
    if grant.enrolment.open(&profile.centre()).map(|enrolment| enrolment.replica) != Ok(profile.replica()) {
        return Err(unsound());
    }
    let street_name = grant.street_name.clone();
    let mut profile = replica.profile();
    profile.set_grant(grant);
    let before = replica.scopes();
    replica.set_profile(profile)?;
    if replica.scopes() != before {
        // What is new is shared by the next session of a daemon.
        replica.say_greet_again();
    }
    replica.store().seat(invitation.number, pin, (seat.worker, &seat.name)).map_err(ReplicaError::from)?;
    let roster = fetch_roster(replica).await;
    Ok(Joined { street_name, worker_name: seat.name, role: seat.role, unit: seat.unit, roster })
}
