//! Cases (事件).

use super::{Access, Kind, KindSpec, REPORTERS, event, field, history, set};

pub(super) const KINDS: &[KindSpec] = &[KindSpec {
    kind: Kind::CASE,
    name: "case",
    containers: &[history("events"), set("links"), set("extra")],
    extensions: &[],
    fields: &[
        field("number", "编号"),
        field("category", "类别"),
        field("text", "内容"),
        field("level", "级别"),
        field("source", "来源"),
        field("place", "地点"),
        field("person", "当事人"),
        field("location", "位置"),
    ],
    natural_key: None,
    access: Access {
        writers: REPORTERS,
        events: &[event("report", "上报", REPORTERS), event("note", "记录", REPORTERS)],
    },
}];
