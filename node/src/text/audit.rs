//! What is said about the audit.

use wangge_model::audit::Broken;
use wangge_model::identity::Role;

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum AuditText<'a> {
    /// Whoever asks may not read it.
    NotYours {
        /// The posts that may.
        roles: &'a [Role],
        /// Who holds them, or nothing.
        who: &'a str,
    },
    TimeUnreadable {
        typed: &'a str,
    },
    Holds {
        entries: u64,
        /// When the last one was taken in.
        last: Option<&'a str>,
    },
    Broken {
        seq: u64,
        why: Broken,
    },
}
