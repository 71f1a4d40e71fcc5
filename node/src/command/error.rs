//! Why a command was not done.

use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use wangge_ledger::LedgerError;
use wangge_model::checks::CheckError;
use wangge_model::identity::Scope;
use wangge_model::right::Refusal;
use wangge_store::StoreError;

use crate::net::NetError;
use crate::replica::ReplicaError;
use crate::replica::vault::VaultError;
use crate::text::{Message, subject};

/// What a process exits with.
pub mod exit {
    /// Done.
    pub const DONE: i32 = 0;
    /// Refused, or failed.
    pub const FAILED: i32 = 1;
    /// The command line cannot be understood.
    pub const USAGE: i32 = 2;
    /// Nobody answered, or the session ended before both sides had everything.
    pub const NOT_IN_SYNC: i32 = 3;
}

/// The field or option that a code is about, wherever it comes from. Where the place knows better, it says so
/// ([`CommandError::on`]).
const FIELDS: &[(&str, &str)] = &[
    ("already-registered", "id_number"),
    ("answers-unreadable", "file"),
    ("assignee-beyond", "assignee"),
    ("birth-disagrees-with-id", "birth_date"),
    ("boundary-unsound", "file"),
    ("checklist-missing", "checklist"),
    ("checklist-unknown", "checklist"),
    ("choice", "take"),
    ("consent-missing", "consent"),
    ("coordinates-incomplete", "longitude"),
    ("coordinates-out-of-range", "longitude"),
    ("date-order", "to"),
    ("datum", "datum"),
    ("days-swapped", "from"),
    ("extension", "file"),
    ("file-missing", "file"),
    ("file-unreadable", "file"),
    ("file-unwritable", "file"),
    ("id-missing", "id_number"),
    ("item-unknown", "item"),
    ("key-ambiguous", "key"),
    ("likely-matches", "name"),
    ("marks", "score"),
    ("may-not", "role"),
    ("merge-self", "into"),
    ("moved-away", "key"),
    ("no-boundary", "grid"),
    ("no-equals-sign", "fields"),
    ("no-polygon", "file"),
    ("no-unit", "unit"),
    ("not-a-checklist", "file"),
    ("not-found", "key"),
    ("not-geojson", "file"),
    ("not-merged", "key"),
    ("number-taken", "id_number"),
    ("number-unreadable", "limit"),
    ("other-unit", "unit"),
    ("period-exists", "name"),
    ("period-unknown", "period"),
    ("photo-damaged", "photo"),
    ("photo-empty", "photo"),
    ("photo-form", "photo"),
    ("photo-long", "photo"),
    ("photo-unreadable", "photo"),
    ("photos-many", "photo"),
    ("reason-missing", "reason"),
    ("role", "role"),
    ("same-unit", "to"),
    ("state-unknown", "state"),
    ("table-unknown", "table"),
    ("table-unreadable", "file"),
    ("take-range", "take"),
    ("text-length", "text"),
    ("text-missing", "text"),
    ("text-too-long", "text"),
    ("time-unreadable", "at"),
    ("unit-ambiguous", "unit"),
    ("unit-missing", "unit"),
    ("unit-not-held", "unit"),
    ("unit-unknown", "unit"),
    ("units-unknown", "unit"),
    ("version-unknown", "version"),
    ("worker-ambiguous", "assignee"),
    ("worker-unknown", "assignee"),
];

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// For people: Chinese, then English. No identity number stands in it in full.
    pub message: String,
    /// For programs. (A text of its own, as it travels over the control socket.)
    pub code: Cow<'static, str>,
    /// What the process exits with.
    pub exit: i32,
    /// The field or option that it is about, by its name for programs, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

fn field_of(code: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(known, _)| *known == code).map(|(_, field)| *field)
}

impl CommandError {
    /// The command was refused or failed.
    pub fn failed(code: &'static str, message: &Message<'_>) -> Self {
        let field = field_of(code).map(str::to_owned);
        Self { message: message.both(), code: Cow::Borrowed(code), exit: exit::FAILED, field }
    }

    /// The command line says something that cannot be understood.
    pub fn usage(code: &'static str, message: &Message<'_>) -> Self {
        Self { exit: exit::USAGE, ..Self::failed(code, message) }
    }

    /// The centre would not let it count.
    pub(super) fn may_not(scope: &Scope, refusal: &Refusal) -> Self {
        let (zh, en) = subject(refusal);
        let scope = scope.to_string();
        let message =
            |what| Message::MayNot { reason: refusal.reason, what, scope: &scope, roles: refusal.roles };
        let message = format!("{}\n{}", message(&zh).zh(), message(&en).en());
        Self { message, code: Cow::Borrowed("may-not"), exit: exit::FAILED, field: Some("role".to_owned()) }
    }

    /// For programs: `{"error": {"code", "message", "field"}}`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = serde_json::json!({ "code": self.code, "message": self.message });
        if let Some(field) = &self.field {
            error["field"] = field.as_str().into();
        }
        serde_json::json!({ "error": error })
    }

    /// The same, about a field or an option.
    #[must_use]
    pub(super) fn on(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// The same, with the label of the field that it is about in front, if it does not name it.
    #[must_use]
    pub(super) fn of_field(mut self, label: &str) -> Self {
        if !self.message.contains(label) {
            self.message = format!("{label}：{}", self.message);
        }
        self
    }

    /// The same, with the file that it is about in front.
    #[must_use]
    pub(super) fn about(mut self, file: &Path) -> Self {
        let file = file.display().to_string();
        if !self.message.contains(&file) {
            self.message = format!("{file}: {}", self.message);
        }
        self
    }

    /// The same, with lines added.
    #[must_use]
    pub(super) fn with(mut self, lines: &[String]) -> Self {
        for line in lines {
            self.message.push('\n');
            self.message.push_str(line);
        }
        self
    }
}

impl From<ReplicaError> for CommandError {
    fn from(error: ReplicaError) -> Self {
        let (code, zh) = match &error {
            ReplicaError::Store(error) => return error.into(),
            ReplicaError::Vault(VaultError::Store(error)) => return error.into(),
            ReplicaError::Vault(error) => return error.into(),
            ReplicaError::Erased { .. } => ("erased", None),
            ReplicaError::MayNot { scope, refusal } => return Self::may_not(scope, refusal),
            // These speak both languages themselves.
            ReplicaError::NoReplica { .. } => ("no-replica", None),
            ReplicaError::Occupied { .. } => ("occupied", None),
            ReplicaError::Wiped { .. } => ("wiped", None),
            ReplicaError::Revoked { .. } => ("revoked", None),
            ReplicaError::NoTurn => ("no-turn", None),
            ReplicaError::NotHere { .. } => ("not-here", None),
            ReplicaError::NotHeld { .. } => ("not-held", None),
            ReplicaError::Photo { .. } => ("photo-file", None),
            ReplicaError::NeedsUpdate { .. } => ("newer-version", None),
            ReplicaError::Newer { .. } => ("newer-version", Some(Message::StoreNewer)),
            ReplicaError::Document(_) | ReplicaError::Damaged { .. } => {
                ("damaged", Some(Message::StoreDamaged))
            }
            ReplicaError::TooLarge { .. } => ("too-large", Some(Message::TooLarge)),
            ReplicaError::Failed { .. } => ("store-failed", Some(Message::StoreFailed)),
            _ => ("failed", Some(Message::Internal)),
        };
        let message = match zh {
            None => error.to_string(),
            Some(zh) => zh.ahead_of(&error),
        };
        Self { message, code: Cow::Borrowed(code), exit: exit::FAILED, field: None }
    }
}

impl From<&VaultError> for CommandError {
    fn from(error: &VaultError) -> Self {
        let (code, speaks_both) = match error {
            VaultError::PinNeeded => ("pin-needed", true),
            VaultError::PinWrong { .. } => ("pin-wrong", true),
            VaultError::PinWait { .. } => ("pin-wait", true),
            VaultError::PinLength { .. } => ("pin-length", true),
            VaultError::NoPin => ("pin-none", true),
            VaultError::WhoseTurn => ("whose-turn", true),
            VaultError::Shared => ("pin-shared", true),
            VaultError::Line => ("recovery-line", true),
            VaultError::NoRecovery => ("recovery-none", true),
            VaultError::Older { .. } => ("older-version", true),
            VaultError::Missing { .. } | VaultError::Damaged { .. } | VaultError::Unreadable => {
                ("key-file", true)
            }
            VaultError::File { .. } => ("key-file", true),
            _ => ("failed", false),
        };
        let message = if speaks_both { error.to_string() } else { Message::Internal.ahead_of(error) };
        Self { message, code: Cow::Borrowed(code), exit: exit::FAILED, field: None }
    }
}

impl From<&StoreError> for CommandError {
    fn from(error: &StoreError) -> Self {
        let (code, zh) = match error {
            StoreError::Locked { .. } => ("in-use", Message::StoreLocked),
            StoreError::NewerFormat { .. } => ("newer-version", Message::StoreNewer),
            StoreError::NotAStore { .. } => ("not-a-store", Message::StoreForeign),
            StoreError::Full { .. } => ("disk-full", Message::StoreFull),
            StoreError::Damaged { .. } => ("damaged", Message::StoreDamaged),
            StoreError::Poisoned { .. } => ("store-failed", Message::StoreFailed),
            _ => ("store-io", Message::StoreIo),
        };
        let mut english = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            english.push_str(": ");
            english.push_str(&cause.to_string());
            source = cause.source();
        }
        Self { message: zh.ahead_of(&english), code: Cow::Borrowed(code), exit: exit::FAILED, field: None }
    }
}

impl From<NetError> for CommandError {
    fn from(error: NetError) -> Self {
        let (code, zh) = match error {
            NetError::Replica(error) => return error.into(),
            NetError::Bind { .. } => ("address", None),
            NetError::Unreachable { .. } => ("unreachable", None),
            NetError::WrongPeer { .. } => ("wrong-peer", None),
            NetError::Session(_) => ("session", None),
            NetError::Broken { .. } => ("link-broke", None),
            NetError::TimedOut { .. } => ("timed-out", None),
            NetError::Invitation { .. } => ("invitation", None),
            NetError::Control(_) => ("control-socket", None),
            _ => ("network", Some(Message::Network)),
        };
        let exit =
            if ["timed-out", "unreachable"].contains(&code) { exit::NOT_IN_SYNC } else { exit::FAILED };
        let message = match zh {
            None => error.to_string(),
            Some(zh) => zh.ahead_of(&error),
        };
        Self { message, code: Cow::Borrowed(code), exit, field: None }
    }
}

impl From<LedgerError> for CommandError {
    fn from(error: LedgerError) -> Self {
        let code = match &error {
            LedgerError::Read { .. } | LedgerError::NotAFile { .. } => "file-unreadable",
            LedgerError::Empty => "file-empty",
            LedgerError::NotAWorkbook { .. } => "not-a-workbook",
            LedgerError::Password => "file-password",
            LedgerError::Damaged { .. } => "file-damaged",
            LedgerError::MissingColumns { .. } => "columns-missing",
            LedgerError::NoSheets | LedgerError::NoRows { .. } => "no-rows",
            LedgerError::Write { .. } | LedgerError::NotAFileName { .. } => "file-unwritable",
            _ => "ledger",
        };
        // The sentence in each language ends with its full stop.
        let message = error.to_string().replacen("。 ", "。\n", 1);
        Self { message, code: Cow::Borrowed(code), exit: exit::FAILED, field: None }
    }
}

impl From<CheckError> for CommandError {
    fn from(error: CheckError) -> Self {
        Self {
            message: format!("{}\n{}", error.message_zh, error.message_en),
            code: Cow::Borrowed(error.code),
            exit: exit::FAILED,
            field: error.field.or_else(|| field_of(error.code)).map(str::to_owned),
        }
    }
}
