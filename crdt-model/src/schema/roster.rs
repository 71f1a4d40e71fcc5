//! The roster: units, workers, replicas, the centre's key for sealing. Documents of `street`, written by the centre.

use super::{ADMINS, Access, Kind, KindSpec, REVOKERS, field, granted, history, set};

pub(super) const KINDS: &[KindSpec] = &[
    KindSpec {
        kind: Kind::UNIT,
        name: "unit",
        containers: &[set("members"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("scope", "单位"),
            field("name", "名称"),
            field("area", "片区"),
            field("code", "区划代码"),
        ],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
    KindSpec {
        kind: Kind::WORKER,
        name: "worker",
        // `posts`: role@unit -> from and until.
        containers: &[set("posts"), set("extra"), history("events")],
        extensions: &[],
        fields: &[field("name", "姓名"), field("status", "状态")],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
    KindSpec {
        kind: Kind::REPLICA,
        name: "replica",
        // `workers`: worker -> from and until, beside the one in the field. `cuts`: the log of a revoked
        // replica -> its last position that counts. `keys`: worker -> his key on a device that is shared.
        // `unsigned`: log -> the last position written before it was.
        containers: &[
            set("epochs"),
            set("workers"),
            set("cuts"),
            set("keys"),
            set("unsigned"),
            set("extra"),
            history("events"),
        ],
        extensions: &[],
        fields: &[
            field("key", "公钥"),
            field("worker", "人员"),
            granted("status", "状态", REVOKERS, Some("revoked")),
            field("role", "岗位"),
            field("unit", "单位"),
            field("device", "设备"),
            granted("reason", "原因", REVOKERS, None),
            field("wiped", "已清除"),
        ],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
    KindSpec {
        kind: Kind::POLICY,
        name: "policy",
        containers: &[set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("grace_days", "离岗宽限天数"),
            field("lease_days", "登记租期天数"),
            field("quarantine_bytes", "隔离区上限(字节)"),
            field("carried_bytes", "代存上限(字节)"),
            field("pin_required", "设备必须设 PIN"),
        ],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
    KindSpec {
        kind: Kind::SEAL_KEY,
        name: "seal-key",
        containers: &[set("extra")],
        extensions: &[],
        fields: &[field("number", "序号"), field("key", "公钥"), field("signature", "签名")],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
];
