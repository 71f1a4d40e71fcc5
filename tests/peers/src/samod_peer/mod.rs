//! The peer: samod, two or more repositories in one process over loopback TCP.
//!
//! Where there is a choice, it is made in samod's favour:
//!
//! - Neither TLS nor signatures; bytes are counted without TCP's own.
//! - Storage is samod's own, one file per document, which does not call fsync.
//! - The server keeps every document loaded.
//! - The server announces nothing by itself, like automerge-repo's sync server. If it does, as
//!   samod's default policy has it, a first sync takes twice the bytes, and what one client
//!   pushes goes to all others.
//! - Peers have short names, which travel with every message.

mod intake;
mod repository;
mod sync;

use crate::documents::Age;
use crate::measure::{
    CLIENT_MEMORY, EDITED_RECONNECT, EDITED_RECONNECT_DOWN, EDITED_RECONNECT_UP, FIRST_SYNC, FIRST_SYNC_DOWN,
    FIRST_SYNC_UP, IDLE_RECONNECT, IDLE_RECONNECT_DOWN, IDLE_RECONNECT_UP, INTAKE, Measure, SERVER_MEMORY,
};
use crate::scenario::Scenario;

const SYNC: &[Measure] = &[
    FIRST_SYNC,
    FIRST_SYNC_UP,
    FIRST_SYNC_DOWN,
    IDLE_RECONNECT,
    IDLE_RECONNECT_UP,
    IDLE_RECONNECT_DOWN,
    EDITED_RECONNECT,
    EDITED_RECONNECT_UP,
    EDITED_RECONNECT_DOWN,
    SERVER_MEMORY,
    CLIENT_MEMORY,
];

/// What samod is measured by.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [Age::Fresh, Age::Aged]
        .into_iter()
        .flat_map(|age| {
            [
                Scenario { age: Some(age), ..Scenario::new("samod", "sync", SYNC, sync::run) },
                Scenario { age: Some(age), ..Scenario::new("samod", "intake", &[INTAKE], intake::run) },
            ]
        })
        .collect()
}
