//! Erasure (清除个人信息): the centre's orders in `street`, and in the document's own scope who has done it.
//! Neither holds personal data: documents are named by their ids.

use super::{ADMINS, Access, EVERYBODY, Kind, KindSpec, field, set};

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
];
