//! Founding a street: the centre's key, the secrets of all scopes, the units as documents in `street`.

use std::path::Path;

use wangge_model::document::{Op, Scalar, Target};
use wangge_model::enrolment::{Enrolment, Grant};
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;
use wangge_model::transaction::ScopeSecret;
use wangge_node::replica::vault::Pair;
use wangge_node::replica::{Edit, Machine, Profile, Replica, ReplicaError, keys};

use wangge_store::{Batch, Store};

use crate::divisions::{Division, areas};
use crate::recovery::RECOVERY;
use crate::roster::RelayError;

/// What a street is founded from.
#[derive(Clone, Debug)]
pub struct Founding {
    /// Nine digits: county and street.
    pub street_code: String,
    /// The street's name.
    pub street_name: String,
    /// Its villages and communities: one grid each.
    pub divisions: Vec<Division>,
}

/// The lease of the centre's own enrolment: it needs none.
const FOR_EVER_MS: u64 = u64::MAX;

/// Founds a street in `dir`.
///
/// # Errors
/// [`RelayError`] if the code is wrong or the directory is taken.
pub fn found(dir: &Path, founding: &Founding) -> Result<Replica, RelayError> {
    found_on(&Machine::default(), dir, founding)
}

/// Founds a street in `dir` on another machine than this one.
///
/// # Errors
/// [`RelayError`], as [`found`].
pub fn found_on(machine: &Machine, dir: &Path, founding: &Founding) -> Result<Replica, RelayError> {
    let world = machine.world.as_ref();
    let code = &founding.street_code;
    if code.len() != 9 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RelayError::StreetCode { found: code.clone() });
    }
    if founding.street_name.trim().is_empty() {
        return Err(RelayError::StreetName);
    }
    if Store::exists(dir, &machine.options) {
        let what = match Replica::open(dir, machine.clone()) {
            Ok(replica) => replica.profile().grant().map(|g| g.street_name.clone()).unwrap_or_default(),
            Err(error @ ReplicaError::Store(_)) => return Err(error.into()),
            Err(_) => String::new(),
        };
        return Err(ReplicaError::Occupied { dir: dir.to_owned(), what }.into());
    }
    let mut profile = Profile::create(world, None, "")?;
    let mut scopes = vec![Scope::Street, Scope::Centre];
    scopes.extend(areas(&founding.divisions).into_iter().map(Scope::Area));
    scopes.extend(founding.divisions.iter().map(|division| Scope::Grid(division.code.clone())));
    scopes.sort();
    let worker = DocId(world.random()?);
    let secrets = scopes
        .iter()
        .map(|scope| Ok((scope.clone(), ScopeSecret(world.random()?))))
        .collect::<Result<Vec<_>, ReplicaError>>()?;
    let enrolment = Enrolment {
        street: profile.street(),
        replica: profile.replica(),
        epoch: profile.epoch(),
        worker,
        role: Role::CentreAdmin,
        unit: Scope::Centre,
        scopes: scopes.clone(),
        lease_until_ms: FOR_EVER_MS,
    };
    let recovery = Pair::draw(&*machine.world)?;
    profile.set_grant(Grant {
        enrolment: enrolment.sign(&profile.signing_key()),
        secrets,
        street_code: code.clone(),
        street_name: founding.street_name.clone(),
        worker_name: "社管中心".to_owned(),
        recovery: recovery.public(),
    });
    let replica = Replica::create(dir, profile, machine.clone())?;
    let mut batch = Batch::new();
    batch.put(keys::relay_only(RECOVERY), recovery.secret().as_slice());
    replica.store().commit(batch)?;
    replica.declare_whole(&scopes)?;
    let mut edits = vec![
        unit(&replica, &Scope::Street, &founding.street_name, "", code)?,
        unit(&replica, &Scope::Centre, "社管中心", "", code)?,
        Edit {
            doc: worker,
            kind: Kind::WORKER,
            ops: vec![field("name", "社管中心"), field("status", "active")],
        },
    ];
    for area in areas(&founding.divisions) {
        let name = if area == *code { founding.street_name.clone() } else { area.clone() };
        edits.push(unit(&replica, &Scope::Area(area.clone()), &name, &area, &area)?);
    }
    for division in &founding.divisions {
        let scope = Scope::Grid(division.code.clone());
        edits.push(unit(&replica, &scope, &division.name, &division.area, &division.code)?);
    }
    for part in edits.chunks(32) {
        replica.commit(&Scope::Street, part.to_vec(), None)?;
    }
    crate::sealed::make_key(&replica)?;
    Ok(replica)
}

pub(crate) fn field(name: &str, value: &str) -> Op {
    Op { target: Target::Field(name.to_owned()), value: Some(Scalar::from(value)) }
}

/// The document of a unit.
pub(crate) fn unit(
    replica: &Replica,
    scope: &Scope,
    name: &str,
    area: &str,
    code: &str,
) -> Result<Edit, RelayError> {
    let secret = replica
        .secret(&Scope::Street)
        .ok_or_else(|| RelayError::Replica(ReplicaError::NotHeld { scope: Scope::Street }))?;
    let mut ops = vec![field("scope", &scope.to_string()), field("name", name), field("code", code)];
    if !area.is_empty() {
        ops.push(field("area", area));
    }
    Ok(Edit { doc: secret.natural_id(Kind::UNIT, &scope.to_string(), 0), kind: Kind::UNIT, ops })
}
