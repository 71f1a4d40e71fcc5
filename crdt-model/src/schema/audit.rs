//! The audit (审计) as its administrators hold it: copies of the links of the relay's chain, in a scope of their own.
//! [`crate::audit`] says what they hold.

use super::{Access, Kind, KindSpec, history, set};
use crate::identity::Role;

/// Who reads the audit on his own device.
pub const AUDITORS: &[Role] = &[Role::AuditAdmin];

pub(super) const KINDS: &[KindSpec] = &[KindSpec {
    kind: Kind::AUDIT_COPY,
    name: "audit-copy",
    containers: &[history("events"), set("extra")],
    extensions: &[],
    fields: &[],
    natural_key: None,
    // The relay alone, which asks nobody.
    access: Access { writers: &[], events: &[] },
}];
