//! One session with the relay or a neighbour.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, CommandError, Progress};
use crate::net::{SyncOptions, SyncReport};
use crate::replica::Replica;
use crate::text::{Message, PhotoText, Word};

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
    /// Compare with the peer what both really hold, and mend what differs.
    #[arg(long)]
    #[serde(default)]
    pub verify: bool,
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
    let options = || SyncOptions {
        timeout: Some(Duration::from_secs(args.timeout_s)),
        peer: args.peer.clone(),
        relay: args.relay.clone(),
        progress: Some(&told),
        ..SyncOptions::default()
    };
    if args.verify {
        replica.compare_soon();
        // Whatever the peer said that it has: it takes what it lacks.
        replica.offer_all_photos_again()?;
    }
    let mut report = crate::net::sync(replica, options()).await?;
    if !args.verify {
        return Ok(answer(&report));
    }
    let apart = |replica: &Replica| replica.apart().into_values().map(|found| found.len()).sum::<usize>();
    let found = apart(replica);
    let mut compared = !replica.is_compare_asked();
    if found > 0 {
        tokio::task::block_in_place(|| replica.mend())?;
        replica.compare_soon();
        report = crate::net::sync(replica, options()).await?;
        compared = !replica.is_compare_asked();
    }
    let left = apart(replica);
    let verified = Message::Verified { compared, found, left };
    let mut whole = answer(&report);
    let documents: Vec<String> =
        replica.apart().into_values().flatten().map(|document| document.to_string()).collect();
    whole.json["verified"] = json!({ "compared": compared, "found": found, "left": documents });
    whole.text = format!("{}\n{}", whole.text, verified.both());
    Ok(whole)
}

/// Whether the answer says that something differs which could not be mended.
pub(crate) fn is_apart(json: &Value) -> bool {
    json["verified"]["left"].as_array().is_some_and(|left| !left.is_empty())
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
    let mut text = message.both();
    let (unsent, missing) = (report.photos_unsent, report.photos_missing);
    if unsent + missing > 0 {
        let waiting = Message::Photo(PhotoText::Waiting { unsent, missing });
        text = format!("{text}\n{}", waiting.both());
    }
    Answer { json: serde_json::to_value(report).unwrap_or(Value::Null), text }
}

/// Whether the answer says that both sides have everything.
pub(crate) fn is_in_sync(json: &Value) -> bool {
    json.get("in_sync").and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn needs_network() -> CommandError {
    CommandError::failed("needs-network", &Message::NeedsNetwork)
}
