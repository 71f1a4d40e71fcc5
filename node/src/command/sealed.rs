//! A report that only the centre reads (密封举报): neither this device, once it is written, nor whoever
//! carries it.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use wangge_model::schema::Kind;
use wangge_model::sealed::{REPORT_CHARS_MAX, Report};

use super::{Answer, CommandError, key};
use crate::replica::Replica;
use crate::text::Message;

/// Longest statement of what a report is about, in characters.
const ABOUT_CHARS_MAX: usize = 100;

/// What to report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ReportSealedArgs {
    /// What is reported.
    #[arg(long)]
    pub text: String,
    /// What it is about.
    #[arg(long)]
    pub about: Option<String>,
    /// The person concerned.
    #[arg(long, value_name = "KEY")]
    pub person: Option<String>,
    /// Without the reporter's name.
    #[arg(long)]
    pub anonymous: bool,
}

fn bounded(typed: &str, max: usize) -> Result<String, CommandError> {
    let text = typed.trim();
    let len = text.chars().count();
    if len > max {
        return Err(CommandError::usage("text-length", &Message::TextTooLong { len, max }));
    }
    Ok(text.to_owned())
}

pub(super) fn execute(replica: &Replica, args: &ReportSealedArgs) -> Result<Answer, CommandError> {
    let text = bounded(&args.text, REPORT_CHARS_MAX)?;
    if text.is_empty() {
        return Err(CommandError::usage("text-missing", &Message::TextMissing));
    }
    let about = bounded(args.about.as_deref().unwrap_or_default(), ABOUT_CHARS_MAX)?;
    let person = args.person.as_deref().map(|key| key::resolve(replica, &[Kind::PERSON], key, None));
    let whom = person.transpose()?.map(|target| (target.scope, target.view.id));
    if replica.seal_key()?.is_none() {
        return Err(CommandError::failed("no-seal-key", &Message::NoSealKey));
    }
    let worker = replica.acting().map(|acting| acting.worker);
    let worker = worker.filter(|_| !args.anonymous);
    replica.report_sealed(Report { worker, at_ms: replica.now_ms(), about, whom, text })?;
    Ok(Answer { json: json!({ "sealed": true }), text: Message::ReportSealed.line() })
}
