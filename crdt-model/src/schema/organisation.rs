//! The organisation (art. 3-7, 14-17, 20, 23, 30): boundaries, offices, teams, windows, forces, work points,
//! devices, reference documents, and requests that the relay completes. Documents of `street`, but requests
//! to move a record, which live where the record does.

use super::{
    ADMINS, Access, ContainerSpec, FieldSpec, Form, Kind, KindSpec, REGISTRARS, field, formed, history, set,
};
use crate::identity::Role;

impl Kind {
    /// One version of a unit's boundary (art. 16).
    pub const BOUNDARY: Self = Self(17);
    /// 六办 (art. 5).
    pub const OFFICE: Self = Self(18);
    /// 团队: what a team is for and how long it stands (art. 4, 12).
    pub const TEAM: Self = Self(19);
    /// 窗口 (art. 9, 17).
    pub const WINDOW: Self = Self(20);
    /// 网格工作点 (art. 23).
    pub const WORK_POINT: Self = Self(21);
    /// 设备 (art. 23).
    pub const DEVICE: Self = Self(22);
    /// 制度文件: policies and rules with their approver (art. 1-3, 24, 30).
    pub const REFERENCE: Self = Self(23);
    /// X of 1+1+X (art. 20), and who of the cadres is posted down (art. 6).
    pub const FORCE: Self = Self(24);
    /// A request to move a record to another unit.
    pub const MOVE: Self = Self(25);
    /// A request to split a grid.
    pub const SPLIT: Self = Self(26);
}

/// Who keeps the organisation.
const KEEPERS: &[Role] = &[Role::CentreClerk, Role::CentreAdmin];

const CONTAINERS: &[ContainerSpec] = &[set("links"), set("extra"), history("events")];

const fn organised(kind: Kind, name: &'static str, fields: &'static [FieldSpec]) -> KindSpec {
    KindSpec {
        kind,
        name,
        containers: CONTAINERS,
        extensions: &[],
        fields,
        natural_key: None,
        access: Access { writers: KEEPERS, events: &[] },
    }
}

pub(super) const KINDS: &[KindSpec] = &[
    KindSpec {
        kind: Kind::BOUNDARY,
        name: "boundary",
        containers: &[set("parts"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("scope", "单位"),
            formed("version", "版本", Form::Count),
            formed("pieces", "份数", Form::Count),
            field("datum", "坐标系"),
            formed("effective_on", "生效日期", Form::Date),
            field("note", "备注"),
        ],
        natural_key: None,
        access: Access { writers: KEEPERS, events: &[] },
    },
    organised(
        Kind::OFFICE,
        "office",
        &[
            field("name", "名称"),
            field("code", "代码"),
            field("head", "负责人"),
            field("phone", "联系电话"),
            field("lines", "业务线"),
            field("note", "备注"),
        ],
    ),
    organised(
        Kind::TEAM,
        "team",
        &[
            field("scope", "单位"),
            field("name", "名称"),
            field("kind", "性质"),
            field("lines", "业务线"),
            field("purpose", "任务"),
            field("lead", "牵头人"),
            field("office", "所属科室"),
            formed("starts_on", "成立日期", Form::Date),
            formed("ends_on", "结束日期", Form::Date),
            field("note", "备注"),
        ],
    ),
    organised(
        Kind::WINDOW,
        "window",
        &[
            field("name", "名称"),
            field("scope", "单位"),
            field("lines", "业务线"),
            field("address", "地址"),
            field("phone", "联系电话"),
            field("office", "后台科室"),
            field("hours", "开放时间"),
            field("note", "备注"),
        ],
    ),
    organised(
        Kind::WORK_POINT,
        "point",
        &[
            field("name", "名称"),
            field("scope", "单位"),
            field("address", "地址"),
            field("phone", "联系电话"),
            field("note", "备注"),
        ],
    ),
    organised(
        Kind::DEVICE,
        "device",
        &[
            field("name", "名称"),
            field("scope", "单位"),
            formed("device_kind", "设备类型", Form::Code("device-kind")),
            field("serial", "设备编号"),
            field("keeper", "保管人"),
            field("key", "公钥"),
            field("status", "状态"),
            field("note", "备注"),
        ],
    ),
    organised(
        Kind::REFERENCE,
        "reference",
        &[
            field("name", "标题"),
            field("version", "版本"),
            field("approver", "批准人"),
            formed("approved_on", "批准日期", Form::Date),
            field("drafter", "起草单位"),
            formed("effective_on", "生效日期", Form::Date),
            field("text", "正文"),
        ],
    ),
    organised(
        Kind::FORCE,
        "force",
        &[
            field("name", "姓名"),
            field("scope", "单位"),
            formed("force_kind", "力量类别", Form::Code("force-kind")),
            formed("cadre", "正式干部", Form::Flag),
            formed("posted_down", "下沉", Form::Flag),
            field("office", "原科室"),
            field("phone", "联系电话"),
            field("note", "备注"),
        ],
    ),
    KindSpec {
        kind: Kind::MOVE,
        name: "move",
        containers: &[set("carried"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("record", "档案"),
            field("kind", "档案类别"),
            field("scope", "目标单位"),
            field("reason", "原因"),
            field("status", "状态"),
            field("result", "结果"),
        ],
        natural_key: None,
        access: Access { writers: REGISTRARS, events: &[] },
    },
    KindSpec {
        kind: Kind::SPLIT,
        name: "split",
        containers: &[set("parts"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("scope", "原网格"),
            field("reason", "原因"),
            field("status", "状态"),
            field("result", "结果"),
        ],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
];
