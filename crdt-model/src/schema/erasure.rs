//! Erasure (清除个人信息): the centre's orders in `street`, and in the document's own scope who has done it; photos
//! that are taken away from a record that stays. None holds personal data: documents are named by their ids.

use crate::identity::Role;

use super::{ADMINS, Access, EVERYBODY, FieldSpec, Kind, KindSpec, field, set};

/// Who takes away what somebody else added: whoever leads the unit, and the centre.
const REMOVERS: &[Role] = &[
    Role::GridLeader,
    Role::AreaHead,
    Role::TeamLead,
    Role::CentreClerk,
    Role::CentreAdmin,
    Role::StreetLeader,
];

const PHOTO_FIELDS: &[FieldSpec] = &[
    field("document", "档案"),
    field("document_kind", "档案类型"),
    field("digest", "照片"),
    field("reason", "理由"),
];

pub(super) const KINDS: &[KindSpec] = &[
    KindSpec {
        kind: Kind::ERASURE,
        name: "erasure",
        containers: &[set("extra")],
        extensions: &[],
        fields: &[
            field("scope", "单位"),
            field("document", "档案"),
            field("document_kind", "档案类型"),
            field("reason", "理由"),
        ],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
    KindSpec {
        kind: Kind::ERASURE_REPORT,
        name: "erasure-report",
        // Keys are replicas, values the time at which each had done it.
        containers: &[set("done"), set("extra")],
        extensions: &[],
        fields: &[field("document", "档案")],
        natural_key: None,
        access: Access { writers: EVERYBODY, events: &[] },
    },
    KindSpec {
        kind: Kind::PHOTO_REMOVAL,
        name: "photo-removal",
        containers: &[set("extra")],
        extensions: &[],
        fields: PHOTO_FIELDS,
        natural_key: None,
        access: Access { writers: REMOVERS, events: &[] },
    },
    // Counts only where nobody but its author added the photo.
    KindSpec {
        kind: Kind::PHOTO_WITHDRAWAL,
        name: "photo-withdrawal",
        containers: &[set("extra")],
        extensions: &[],
        fields: PHOTO_FIELDS,
        natural_key: None,
        access: Access { writers: EVERYBODY, events: &[] },
    },
];
