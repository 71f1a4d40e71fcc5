//! What is said about the roster.

use wangge_model::identity::Role;

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum RosterText<'a> {
    WorkerUnknown { typed: &'a str, known: &'a str },
    WorkerAmbiguous { typed: &'a str },
    DeviceUnknown { typed: &'a str },
    DeviceAmbiguous { typed: &'a str },
    RoleUnknown { typed: &'a str },
    UnitUnknown { typed: &'a str, known: &'a str },
    Misfit { role: Role, unit: &'a str },
    Excluded { worker: &'a str, held: Role, role: Role },
    TimeUnreadable { typed: &'a str },
    TermEmpty,
    WhoMissing,
    NothingToEnd { worker: &'a str },
    AlreadyRevoked { device: &'a str },
    NumberRange { name: &'a str, max: u64 },
    NothingSaid,
    Assigned { worker: &'a str, role: Role, unit: &'a str, changed: bool },
    MayUse { worker: &'a str, device: &'a str },
    Ended { worker: &'a str, role: Role, unit: &'a str, until: &'a str },
    DeviceLeaves { device: &'a str, until: &'a str },
    Revoked { device: &'a str, worker: &'a str },
    Policy { grace_days: u64, lease_days: u64, quarantine_bytes: u64, carried_bytes: u64, pin_required: bool },
    Worker { name: &'a str, id: &'a str, until: Option<&'a str> },
    Post { role: Role, unit: &'a str, from: Option<&'a str>, until: Option<&'a str> },
    Overruled { by: Role },
    Vacant { roles: &'a [Role] },
    Device { device: &'a str, replica: &'a str, workers: &'a str },
    Standing { until: Option<&'a str> },
    StandsRevoked { reason: &'a str },
    Cut { log: &'a str, upto: u64 },
    Wiped { at: &'a str },
    Listed { workers: usize, devices: usize, revoked: usize },
}
