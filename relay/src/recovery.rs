//! Helping a worker who forgot the PIN of his device: the centre opens what the device sealed to it, and
//! seals it to the device's answer key. The device sets a new PIN; its unsent work is all there.

use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::identity::ReplicaId;
use wangge_model::roster::Standing;
use wangge_node::replica::keys;
use wangge_node::replica::vault::{Pair, RecoveryRequest};

use crate::roster::{RelayError, Roster, sharing};

/// The relay's record of the recovery key's secret half.
pub(crate) const RECOVERY: &str = "recovery";

/// The answer to a device's request, with whom the device belongs to.
///
/// # Errors
/// [`RelayError::Control`] with what to tell the person: a damaged line, a device that is not of this street
/// or was revoked.
pub(crate) fn answer(roster: &Roster, line: &str, name: Option<&str>) -> Result<Value, RelayError> {
    let replica = roster.replica();
    let said = |zh: &str, en: &str| RelayError::Control(format!("{zh}\n{en}"));
    let request = RecoveryRequest::from_line(line).map_err(|error| RelayError::Control(error.to_string()))?;
    let device = ReplicaId(request.replica);
    let view = replica.roster()?;
    let entry = view.replicas().get(&device);
    let unknown = || said("名册里没有这台设备", "the roster does not know this device");
    let entry = entry.ok_or_else(unknown)?;
    if entry.standing == Standing::Revoked {
        return Err(said("这台设备已停用,不能恢复", "this device was revoked: it is not helped"));
    }
    let secret = replica.store().get(&keys::relay_only(RECOVERY))?;
    let secret: [u8; 32] = secret
        .and_then(|secret| secret.try_into().ok())
        .ok_or_else(|| RelayError::Damaged { what: "the recovery key".to_owned() })?;
    let recovery = Pair::of_secret(secret);
    let workers = request.workers(&recovery);
    let now_ms = replica.now_ms();
    let whose = match sharing::whom(&workers, name) {
        _ if workers.is_empty() => None,
        Some((id, _)) if !entry.workers.get(id).is_some_and(|term| term.holds_at(now_ms)) => {
            return Err(said("此人已不能使用这台设备", "the worker may no longer use this device"));
        }
        Some((id, _)) => Some(*id),
        None => {
            let names: Vec<&str> = workers.iter().map(|(_, name)| name.as_str()).collect();
            let names = names.join("、");
            return Err(said(
                &format!("这台设备由多人共用,请用 --worker 说明是谁:{names}"),
                &format!("several workers use this device: say whose PIN with --worker: {names}"),
            ));
        }
    };
    let answer = request
        .answer(&**replica.world(), &recovery, whose.as_ref())
        .map_err(|error| RelayError::Control(error.to_string()))?;
    let worker = whose.or(entry.worker).and_then(|worker| view.workers().get(&worker));
    let worker = worker.map(|worker| worker.name.clone()).unwrap_or_default();
    let device = device.to_string().chars().take(8).collect::<String>();
    replica.audit(Entry::new(What::PIN).detail(&format!("recovery of device {device} for {worker}")))?;
    Ok(json!({ "answer": answer, "worker": worker, "device": device }))
}
