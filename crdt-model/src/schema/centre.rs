//! What the centre keeps (art. 8, 10, 11, 13, 25, 28): checklists, bulletins, assessment, and what people say of
//! the system itself.

use super::work::{CENTRE, EVERYBODY, record};
use super::{Kind, KindSpec, event, field};
use crate::identity::Role;

impl Kind {
    /// 检查表, one document a version.
    pub const CHECKLIST: Self = Self(50);
    /// 信息通报.
    pub const BULLETIN: Self = Self(51);
    /// 考核期, with its items and weights.
    pub const PERIOD: Self = Self(52);
    /// 考核申诉.
    pub const APPEAL: Self = Self(53);
    /// 奖励.
    pub const REWARD: Self = Self(54);
    /// Complaints and suggestions about the system itself (对系统的意见建议).
    pub const SUGGESTION: Self = Self(55);
}

/// Who keeps the centre's data.
pub const KEEPERS: &[Role] = &[Role::CentreClerk, Role::CentreAdmin];

pub(super) const KINDS: &[KindSpec] = &[
    record(
        Kind::CHECKLIST,
        "checklist",
        &[field("code", "代码"), field("title", "名称"), field("version", "版本"), field("text", "检查项")],
        KEEPERS,
        &[event("add", "发布检查表", KEEPERS)],
    ),
    record(
        Kind::BULLETIN,
        "bulletin",
        &[field("title", "标题"), field("text", "内容"), field("category", "业务线")],
        CENTRE,
        &[event("add", "发布", CENTRE), event("withdraw", "撤回", CENTRE)],
    ),
    record(
        Kind::PERIOD,
        "period",
        &[field("title", "名称"), field("from", "起"), field("until", "止"), field("rules", "考核办法")],
        KEEPERS,
        &[
            event("add", "设立考核期", KEEPERS),
            event("publish", "公布结果", CENTRE),
            event("note", "补记", CENTRE),
        ],
    ),
    record(
        Kind::APPEAL,
        "appeal",
        &[
            field("period", "考核期"),
            field("scope", "单位"),
            field("item", "考核项"),
            field("text", "申诉理由"),
        ],
        EVERYBODY,
        &[
            event("add", "申诉", EVERYBODY),
            event("decide", "裁定", CENTRE),
            event("withdraw", "撤回", EVERYBODY),
        ],
    ),
    record(
        Kind::REWARD,
        "reward",
        &[
            field("period", "考核期"),
            field("assignee", "对象"),
            field("kind", "奖励方式"),
            field("text", "事由"),
        ],
        CENTRE,
        &[event("add", "奖励", CENTRE), event("withdraw", "撤销", CENTRE)],
    ),
    record(
        Kind::SUGGESTION,
        "suggestion",
        &[field("kind", "类型"), field("text", "内容")],
        EVERYBODY,
        &[
            event("add", "提出", EVERYBODY),
            event("answer", "答复", CENTRE),
            event("note", "补充", EVERYBODY),
            event("close", "了结", EVERYBODY),
        ],
    ),
];
