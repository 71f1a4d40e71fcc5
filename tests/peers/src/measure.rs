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

/// Bytes both ways of an idle reconnection.
pub(crate) const IDLE_RECONNECT_BYTES: Measure = measure("no-op reconnect, both ways", "B");
/// Bytes both ways of proving on an open session that both sides are equal.
pub(crate) const IDLE_OPEN_BYTES: Measure = measure("no-op on an open session, both ways", "B");
/// Bytes both ways beyond the idle reconnection, for each document that changed at the client.
pub(crate) const CHANGE_HERE_BYTES: Measure = measure("document changed here", "B each");
/// Bytes both ways beyond the idle reconnection, for each document that changed at the server.
pub(crate) const CHANGE_THERE_BYTES: Measure = measure("document changed there", "B each");

/// Bytes both ways of getting in with an invitation, before the first sync.
pub(crate) const JOIN_BYTES: Measure = measure("join, both ways", "B");
/// Bytes both ways of the first sync.
pub(crate) const FIRST_SYNC_DOCUMENT_BYTES: Measure = measure("first sync, a document, both ways", "B each");
/// Time of the first sync.
pub(crate) const FIRST_SYNC_DOCUMENT_TIME: Measure = measure("first sync, a document", "us each");

/// How often a replica waits for an answer when nothing is new.
pub(crate) const COLD_WAITS: Measure = measure("300 ms, no-op, cold, waits", "round trips");
/// How long that takes.
pub(crate) const COLD_TRIPS: Measure = measure("300 ms, no-op, cold, time", "round trips");
/// The part of it that passes until the connection stands.
pub(crate) const HANDSHAKE_TRIPS: Measure = measure("300 ms, handshake alone, time", "round trips");
/// How long it takes with 20 documents changed.
pub(crate) const COLD_EDITED_TRIPS: Measure = measure("300 ms, 20 edits, cold, time", "round trips");
/// How often a replica waits that has met the peer since it started.
pub(crate) const RESUMED_WAITS: Measure = measure("300 ms, no-op, resumed, waits", "round trips");
/// How long that takes.
pub(crate) const RESUMED_TRIPS: Measure = measure("300 ms, no-op, resumed, time", "round trips");
/// How long it takes with 20 documents changed.
pub(crate) const RESUMED_EDITED_TRIPS: Measure = measure("300 ms, 20 edits, resumed, time", "round trips");
/// Bytes both ways of the resumed one.
pub(crate) const RESUMED_BYTES: Measure = measure("300 ms, no-op, resumed, both ways", "B");

/// A day's transactions over a bad link.
pub(crate) const DAY: Measure = measure("a worker's day", "s");
/// What its bytes and one round trip take at least.
pub(crate) const DAY_FLOOR: Measure = measure("a worker's day, floor", "s");
/// The one over the other.
pub(crate) const DAY_FACTOR: Measure = measure("a worker's day over its floor", "times");
/// The same over a link that loses nothing.
pub(crate) const DAY_FACTOR_WITHOUT_LOSS: Measure =
    measure("a worker's day over its floor, no loss", "times");
/// Bytes that the replica sends for it over a link that loses nothing.
pub(crate) const DAY_UP: Measure = measure("a worker's day, up", "B");

/// Transactions per second that the relay takes from 8 replicas, until each knows that all of its
/// own are on the relay's disk.
pub(crate) const TRANSACTION_INTAKE: Measure = measure("intake from 8 replicas", "transactions/s");
/// Time that the relay computes meanwhile, both cores together.
pub(crate) const TRANSACTION_INTAKE_CPU: Measure =
    measure("intake from 8 replicas, relay's computing", "us each");

/// Time that admission takes of that: chain, signature, form and right of each transaction, in this process.
pub(crate) const ADMISSION: Measure = measure("admission of what was taken in", "us each");
/// The one over the other.
pub(crate) const ADMISSION_SHARE: Measure = measure("admission's share of the relay's computing", "of 1");

/// What an edit writes, written once more as it is stored: sealed.
pub(crate) const SEALED_WRITE: Measure = measure("what a commit writes, sealed", "ms");
/// The same into a store that does not encrypt.
pub(crate) const CLEAR_WRITE: Measure = measure("what a commit writes, in clear", "ms");
/// The difference over a commit.
pub(crate) const SEALING_SHARE: Measure = measure("encryption's share of a commit", "of 1");

/// Memory of a replica over that of an empty one, opened.
pub(crate) const REOPENED_MEMORY: Measure = measure("memory over an empty one, reopened", "kB each");
/// The same right after the first sync.
pub(crate) const FETCHED_MEMORY: Measure = measure("memory over an empty one, first sync", "kB each");
/// The same for all documents together.
pub(crate) const FETCHED_MEMORY_MB: Measure = measure("memory over an empty one, first sync, all", "MB");
/// Memory of an empty one, opened.
pub(crate) const EMPTY_MEMORY_MB: Measure = measure("memory, empty replica reopened", "MB");

/// One durable commit of one field.
pub(crate) const COMMIT: Measure = measure("durable commit", "ms");
/// Appends in the same directory, between the commits.
pub(crate) const APPEND_BESIDE: Measure = measure("4 KB append + fdatasync beside it", "ms");
/// The one over the other.
pub(crate) const COMMIT_FACTOR: Measure = measure("durable commit over an append", "times");
/// The same through the socket of a daemon that holds a session.
pub(crate) const DAEMON_COMMIT: Measure = measure("durable commit through a daemon", "ms");
/// The same over an append.
pub(crate) const DAEMON_COMMIT_FACTOR: Measure =
    measure("durable commit through a daemon over an append", "times");

/// From the start of a process until the list of the grid stands, beyond that of one that opens the store.
pub(crate) const VIEWS: Measure = measure("views of the grid, cold, beyond the store", "ms");
/// From the start of a process until the store is open.
pub(crate) const STORE_OPEN: Measure = measure("store opened, cold", "ms");
/// Reading the stored bytes of all views one after the other, sealed as they are.
pub(crate) const VIEWS_SCAN: Measure = measure("plain scan of the stored views", "ms");
/// The one over the other.
pub(crate) const VIEWS_FACTOR: Measure = measure("views of the grid over a plain scan", "times");

/// A search through the command, answer included, for what a worker may remember.
pub(crate) const SEARCH_NAME: Measure = measure("search, name", "ms");
/// The same.
pub(crate) const SEARCH_SURNAME: Measure = measure("search, surname alone", "ms");
/// The same.
pub(crate) const SEARCH_PINYIN: Measure = measure("search, pinyin", "ms");
/// The same.
pub(crate) const SEARCH_INITIALS: Measure = measure("search, initials", "ms");
/// The same.
pub(crate) const SEARCH_TAIL: Measure = measure("search, end of the ID number", "ms");
/// The same.
pub(crate) const SEARCH_PHONE: Measure = measure("search, part of the phone", "ms");
/// The same.
pub(crate) const SEARCH_ADDRESS: Measure = measure("search, address", "ms");
/// A street's name, which many addresses hold.
pub(crate) const SEARCH_STREET: Measure = measure("search, part of many addresses", "ms");
/// A substring search over the texts of all people in memory.
pub(crate) const SEARCH_SCAN: Measure = measure("plain scan of the texts in memory", "ms");
/// The median of all searches over it.
pub(crate) const SEARCH_FACTOR: Measure = measure("search over a plain scan", "times");
/// The slowest of all searches over it.
pub(crate) const SEARCH_FACTOR_MAX: Measure = measure("slowest search over a plain scan", "times");
/// What a daemon does once, after it has started.
pub(crate) const SEARCH_READY: Measure = measure("search made ready after a start", "s");
