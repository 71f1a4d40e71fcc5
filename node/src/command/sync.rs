//! One session with the relay or a neighbour.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, CommandError, Progress};
use crate::net::{SyncOptions, SyncReport};
use crate::replica::Replica;
use crate::text::{Message, Word};

/// How to sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct SyncArgs {
    /// Longest time to try, in seconds.
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_s: u64,
    /// A neighbour instead of the relay, `HOST:PORT`.
    #[arg(long, value_name = "ADDR", conflicts_with = "relay")]
    pub peer: Option<String>,
    /// Where the relay is reached now, `HOST:PORT`; kept once it has answered with its key.
    #[arg(long, value_name = "ADDR")]
    pub relay: Option<String>,
}

/// Syncs. Needs a Tokio runtime of several threads.
///
/// # Errors
/// [`CommandError`]; what has arrived until then is kept.
pub async fn sync(
    replica: &Arc<Replica>,
    args: &SyncArgs,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    let told = |traffic: wangge_model::session::Traffic| {
        let moved = traffic.transactions_sent + traffic.transactions_received + traffic.documents_received;
        // How much there will be is not known beforehand.
        progress.step(Word::Syncing.zh(), moved, 0);
    };
    let options = SyncOptions {
        timeout: Some(Duration::from_secs(args.timeout_s)),
        peer: args.peer.clone(),
        relay: args.relay.clone(),
        progress: Some(&told),
        ..SyncOptions::default()
    };
    Ok(answer(&crate::net::sync(replica, options).await?))
}

fn answer(report: &SyncReport) -> Answer {
    let message = Message::Synced {
        in_sync: report.in_sync,
        sent: report.transactions_sent,
        received: report.transactions_received,
        documents: report.documents_received,
        bytes: report.bytes_sent + report.bytes_received,
        round_trips: report.round_trips,
        elapsed_ms: report.elapsed_ms,
    };
    Answer { json: serde_json::to_value(report).unwrap_or(Value::Null), text: message.both() }
}

/// Whether the answer says that both sides have everything.
pub(crate) fn is_in_sync(json: &Value) -> bool {
    json.get("in_sync").and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn needs_network() -> CommandError {
    CommandError::failed("needs-network", &Message::NeedsNetwork)
}
