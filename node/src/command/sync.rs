//! One session with the relay; the network part is done by whoever holds the network.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, CommandError};
use crate::text::Message;

/// How to sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct SyncArgs {
    /// Longest time to try, in seconds.
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_s: u64,
    /// Another peer than the relay, `HOST:PORT`.
    #[arg(long, value_name = "ADDR")]
    pub peer: Option<String>,
}

/// The answer to `sync`, from the report of a session.
pub fn sync_answer(report: &impl Serialize) -> Answer {
    let json = serde_json::to_value(report).unwrap_or(Value::Null);
    let number = |key: &str| json.get(key).and_then(Value::as_u64).unwrap_or(0);
    let message = Message::Synced {
        in_sync: is_in_sync(&json),
        sent: number("transactions_sent"),
        received: number("transactions_received"),
        documents: number("documents_received"),
        bytes: number("bytes_sent") + number("bytes_received"),
        round_trips: json.get("round_trips").map(ToString::to_string).unwrap_or_default(),
        elapsed_ms: number("elapsed_ms"),
    };
    let text = message.line();
    Answer { json, text }
}

/// Whether the report says that both sides have everything.
pub(crate) fn is_in_sync(json: &Value) -> bool {
    json.get("in_sync").and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn needs_network() -> CommandError {
    CommandError::failed("needs-network", &Message::NeedsNetwork)
}
