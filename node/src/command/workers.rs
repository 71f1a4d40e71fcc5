//! Names of the people who wrote something.

use std::collections::BTreeMap;

use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;

use crate::replica::{Replica, ReplicaError};
use crate::text::Word;

/// Worker -> name, as far as the centre has made them known here.
pub(super) struct Workers(BTreeMap<DocId, String>);

impl Workers {
    pub(super) fn load(replica: &Replica) -> Result<Self, ReplicaError> {
        let mut names = BTreeMap::new();
        let profile = replica.profile();
        if let (Some(grant), Some(enrolment)) = (profile.grant(), profile.enrolment()) {
            names.insert(enrolment.worker, grant.worker_name.clone());
        }
        replica.each(&Scope::Street, Kind::WORKER, |view| {
            let name = view.text("name");
            if !name.is_empty() {
                names.insert(view.id, name);
            }
            true
        })?;
        Ok(Self(names))
    }

    /// The name, or the id while the name is not known here.
    pub(super) fn name(&self, worker: &DocId) -> String {
        match self.0.get(worker) {
            Some(name) => name.clone(),
            // What the centre's own machinery writes is in nobody's name.
            None if worker.0 == [0; 16] => Word::Centre.zh().to_owned(),
            None => worker.to_string(),
        }
    }
}
