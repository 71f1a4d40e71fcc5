//! What is measured. Systems share these, so that their rows stand side by side.

/// One quantity with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    /// What it says in the table.
    pub(crate) name: &'static str,
    /// The unit of its values.
    pub(crate) unit: &'static str,
}

const fn measure(name: &'static str, unit: &'static str) -> Measure {
    Measure { name, unit }
}

/// Offline edits of the reconnection that is not idle.
pub(crate) const EDITS: usize = 20;

/// Clients that push at once.
pub(crate) const INTAKE_CLIENTS: usize = 8;

/// From dialling until an empty client holds every document.
pub(crate) const FIRST_SYNC: Measure = measure("first sync", "s");
/// Bytes that the client sent for it.
pub(crate) const FIRST_SYNC_UP: Measure = measure("first sync, up", "B");
/// Bytes that the client received for it.
pub(crate) const FIRST_SYNC_DOWN: Measure = measure("first sync, down", "B");

/// From dialling until the last byte, when neither side has anything new.
pub(crate) const IDLE_RECONNECT: Measure = measure("no-op reconnect", "s");
/// Bytes that the client sent for it.
pub(crate) const IDLE_RECONNECT_UP: Measure = measure("no-op reconnect, up", "B");
/// Bytes that the client received for it.
pub(crate) const IDLE_RECONNECT_DOWN: Measure = measure("no-op reconnect, down", "B");

/// From dialling until the last byte, after [`EDITS`] documents changed at the client.
pub(crate) const EDITED_RECONNECT: Measure = measure("reconnect with 20 edits", "s");
/// Bytes that the client sent for it.
pub(crate) const EDITED_RECONNECT_UP: Measure = measure("reconnect with 20 edits, up", "B");
/// Bytes that the client received for it.
pub(crate) const EDITED_RECONNECT_DOWN: Measure = measure("reconnect with 20 edits, down", "B");

/// Documents per second that the server takes from [`INTAKE_CLIENTS`] clients, until each
/// client knows that the server has all of its documents.
pub(crate) const INTAKE: Measure = measure("intake from 8 clients", "documents/s");

/// Growth of the process while the server takes up the documents.
pub(crate) const SERVER_MEMORY: Measure = measure("memory, server holding all", "MiB");
/// Growth of the process during the first sync: the client, and the server's sync state.
pub(crate) const CLIENT_MEMORY: Measure = measure("memory, first sync", "MiB");

/// A 4 KB append and fdatasync.
pub(crate) const DURABLE_APPEND: Measure = measure("4 KB append + fdatasync", "ms");
/// Loopback TCP carries all documents as saved, one way.
pub(crate) const LOOPBACK: Measure = measure("loopback TCP, all documents", "ms");
/// All documents as Automerge saves them.
pub(crate) const SAVED: Measure = measure("all documents as saved", "B");
