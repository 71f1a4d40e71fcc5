//! A worker joins on a device that another one uses already.

use wangge_model::document::Scalar;
use wangge_model::identity::{DocId, ReplicaId, Scope};
use wangge_model::roster::{Standing, Term};
use wangge_model::schema::Kind;
use wangge_model::turn::{Seat, Sharing};
use wangge_model::wire::Joined;
use wangge_node::replica::Edit;
use wangge_store::Batch;

use super::{Invited, RelayError, Roster, encode, enrolled_key, entry, excluded};

impl Roster {
    /// Lets a worker in on a device of the roster. From now on what is written there counts with the signature
    /// of whose turn it is; a worker's key there is never replaced by what the device says.
    pub(super) fn seat(
        &self,
        peer: &ReplicaId,
        sharing: &Sharing,
        key: Vec<u8>,
        mut invited: Invited,
    ) -> Result<Joined, RelayError> {
        let refused = |reason: &str| Ok(Joined::Refused(reason.to_owned()));
        let roster = self.replica.roster()?;
        let (Some(device), Some(handed)) = (roster.replicas().get(peer), self.enrolled(peer)?) else {
            return refused("the centre does not know this device / 中心没有这台设备的登记");
        };
        if device.standing == Standing::Revoked {
            return refused("revoked");
        }
        let again = match invited.used_by {
            Some(used_by) if used_by == *peer => true,
            Some(_) => return refused("used"),
            None if invited.expires_s < self.replica.now_ms() / 1_000 => return refused("expired"),
            None => false,
        };
        if let Some(held) = self.excluding(&roster, &invited.worker, invited.role) {
            return refused(&excluded(&invited.worker, held, invited.role).replace('\n', " / "));
        }
        let worker = self.worker(&roster, &invited.worker, invited.role, &invited.unit)?;
        let known = device.keys.get(&worker);
        if again && !known.is_some_and(|keys| keys.contains(&sharing.joining)) {
            return refused("used");
        }
        if !again && (known.is_some() || device.worker == Some(worker)) {
            return refused("taken");
        }
        if !again {
            let (first, first_key) = &sharing.first;
            let mut ops = vec![
                entry("workers", &worker.to_string(), Term::default().to_scalar()),
                entry("keys", &worker.to_string(), sharing.joining.to_string().as_str().into()),
            ];
            if *first == handed.enrolment.worker && !device.keys.contains_key(first) {
                ops.push(entry("keys", &first.to_string(), first_key.to_string().as_str().into()));
            }
            if device.keys.is_empty() {
                for (log, len) in self.held_of(peer) {
                    ops.push(entry("unsigned", &log, Scalar::Int(len)));
                }
            }
            let edit = Edit { doc: device.doc, kind: Kind::REPLICA, ops };
            self.replica.commit(&Scope::Street, vec![edit], None)?;
        }
        let due = self.due_enrolment(peer, Some(&handed))?;
        let mut due =
            due.ok_or_else(|| RelayError::Damaged { what: "enrolment of a shared device".to_owned() })?;
        // It is handed over once more with the next session, should the answer not arrive.
        due.changed = true;
        invited.used_by = Some(*peer);
        let mut batch = Batch::new();
        batch.put(key, encode(&invited));
        batch.put(enrolled_key(peer), encode(&due));
        self.replica.store().commit(batch)?;
        tracing::info!(%peer, worker = %invited.worker, "a worker joined on a device that has one");
        let seat = Seat { worker, name: invited.worker, role: invited.role, unit: invited.unit };
        Ok(Joined::Seated(self.grant(&due)?, seat))
    }

    /// Up to where the logs of a replica are here.
    fn held_of(&self, replica: &ReplicaId) -> Vec<(String, i64)> {
        let clocks = self.replica.clocks();
        let logs = self.replica.logs().into_iter();
        logs.filter(|log| log.identity.replica == *replica && log.identity.branch.is_none())
            .filter_map(|state| {
                let len = clocks.get(&state.scope)?.0.len_of(&state.log);
                Some((state.log.to_string(), i64::try_from(len).ok()?))
            })
            .collect()
    }
}

/// The worker of `name` among those who use a device, by what it sealed to the centre.
pub(crate) fn whom<'a>(workers: &'a [(DocId, String)], name: Option<&str>) -> Option<&'a (DocId, String)> {
    match (workers, name) {
        ([only], None) => Some(only),
        (several, Some(name)) => several.iter().find(|(id, known)| known == name || id.to_string() == name),
        _ => None,
    }
}
