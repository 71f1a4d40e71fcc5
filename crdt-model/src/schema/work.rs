//! Grid work (art. 18, 19, 21, 22, 26, 27): patrols, visits, inspections, hazards, disputes, tasks, notices,
//! meetings, training, hand-overs. Each is a record with a history; what may follow what stands in
//! [`crate::work`].

use super::{Access, ContainerSpec, EventSpec, FieldSpec, Kind, KindSpec, event, field, history, set};
use crate::identity::Role;

impl Kind {
    /// 巡查.
    pub const PATROL: Self = Self(30);
    /// 走访.
    pub const VISIT: Self = Self(31);
    /// 检查, against a version of a checklist.
    pub const INSPECTION: Self = Self(32);
    /// 隐患.
    pub const HAZARD: Self = Self(33);
    /// 纠纷.
    pub const DISPUTE: Self = Self(34);
    /// 任务.
    pub const TASK: Self = Self(35);
    /// 通知.
    pub const NOTICE: Self = Self(36);
    /// 会议.
    pub const MEETING: Self = Self(37);
    /// 培训.
    pub const TRAINING: Self = Self(38);
    /// 手册.
    pub const HANDBOOK: Self = Self(39);
    /// 网格移交.
    pub const HANDOVER: Self = Self(40);
    /// 协办, 移交请求 between units.
    pub const ASSIST: Self = Self(41);
    /// 社情民意.
    pub const OPINION: Self = Self(42);
    /// 求助.
    pub const HELP: Self = Self(43);
    /// 宣传.
    pub const PUBLICITY: Self = Self(44);
    /// Who of a unit has read a notice (已读回执). It lives in the readers' unit, since they may not write where
    /// a notice of the street lives.
    pub const RECEIPT: Self = Self(45);
}

/// Everybody who has a post.
pub const EVERYBODY: &[Role] = &[
    Role::GridWorker,
    Role::GridLeader,
    Role::AreaClerk,
    Role::AreaHead,
    Role::WindowClerk,
    Role::TeamMember,
    Role::TeamLead,
    Role::CentreClerk,
    Role::CentreAdmin,
    Role::StreetLeader,
];

/// 网格长 and whoever stands above (art. 21): who gives tasks and notices.
pub const LEADERS: &[Role] = &[
    Role::GridLeader,
    Role::AreaClerk,
    Role::AreaHead,
    Role::CentreClerk,
    Role::CentreAdmin,
    Role::StreetLeader,
];

/// Who trains (art. 27): the centre with the offices, and the areas.
pub const TRAINERS: &[Role] =
    &[Role::AreaClerk, Role::AreaHead, Role::CentreClerk, Role::CentreAdmin, Role::StreetLeader];

/// The centre and the leaders of the street.
pub const CENTRE: &[Role] = &[Role::CentreClerk, Role::CentreAdmin, Role::StreetLeader];

pub(super) const CONTAINERS: &[ContainerSpec] = &[history("events"), set("links"), set("extra")];

/// A record with a history: its makers write the fields once and the first event.
pub(super) const fn record(
    kind: Kind,
    name: &'static str,
    fields: &'static [FieldSpec],
    writers: &'static [Role],
    events: &'static [EventSpec],
) -> KindSpec {
    KindSpec {
        kind,
        name,
        containers: CONTAINERS,
        extensions: &[],
        fields,
        natural_key: None,
        access: Access { writers, events },
    }
}

const NOTE: EventSpec = event("note", "补记", EVERYBODY);

pub(super) const KINDS: &[KindSpec] = &[
    record(
        Kind::PATROL,
        "patrol",
        &[field("route", "路线"), field("category", "业务线"), field("track", "轨迹"), field("note", "备注")],
        EVERYBODY,
        &[
            event("start", "开始巡查", EVERYBODY),
            event("finding", "发现情况", EVERYBODY),
            event("point", "轨迹点", EVERYBODY),
            event("end", "结束巡查", EVERYBODY),
            NOTE,
        ],
    ),
    record(
        Kind::VISIT,
        "visit",
        &[
            field("person", "走访对象"),
            field("place", "走访场所"),
            field("purpose", "走访目的"),
            field("result", "走访结果"),
            field("text", "情况"),
        ],
        EVERYBODY,
        &[event("add", "走访", EVERYBODY), NOTE],
    ),
    record(
        Kind::INSPECTION,
        "inspection",
        &[
            field("checklist", "检查表"),
            field("version", "检查表版本"),
            field("place", "检查场所"),
            field("person", "被检查人"),
            field("address", "地址"),
            field("text", "情况"),
        ],
        EVERYBODY,
        &[event("submit", "提交检查", EVERYBODY), NOTE],
    ),
    record(
        Kind::HAZARD,
        "hazard",
        &[
            field("kind", "隐患类型"),
            field("text", "内容"),
            field("due", "整改期限"),
            field("place", "场所"),
            field("person", "责任人"),
            field("address", "地址"),
            field("source", "来源"),
        ],
        EVERYBODY,
        &[
            event("add", "登记隐患", EVERYBODY),
            event("rectify", "整改", EVERYBODY),
            event("reinspect", "复查", EVERYBODY),
            event("extend", "延期", LEADERS),
            event("refer", "移送", EVERYBODY),
            event("cancel", "撤销", LEADERS),
            NOTE,
        ],
    ),
    record(
        Kind::DISPUTE,
        "dispute",
        &[
            field("category", "纠纷类别"),
            field("text", "内容"),
            field("parties", "当事人"),
            field("person", "当事人档案"),
            field("place", "场所"),
            field("address", "地址"),
            field("scale", "规模"),
        ],
        EVERYBODY,
        &[
            event("add", "登记纠纷", EVERYBODY),
            event("mediate", "调解", EVERYBODY),
            event("refuse", "当事人拒绝调解", EVERYBODY),
            event("consent", "当事人同意调解", EVERYBODY),
            event("agree", "达成协议", EVERYBODY),
            event("fail", "调解不成", EVERYBODY),
            event("refer", "引导其他途径", EVERYBODY),
            event("follow-up", "回访", EVERYBODY),
            event("close", "结案", EVERYBODY),
            NOTE,
        ],
    ),
    record(
        Kind::TASK,
        "task",
        &[
            field("title", "标题"),
            field("text", "内容"),
            field("assignee", "承办"),
            field("due", "完成期限"),
            field("category", "业务线"),
            field("source", "来源"),
        ],
        LEADERS,
        &[
            event("add", "布置任务", LEADERS),
            event("accept", "接收", EVERYBODY),
            event("decline", "退回", EVERYBODY),
            event("progress", "进展", EVERYBODY),
            event("complete", "完成", EVERYBODY),
            event("confirm", "确认完成", LEADERS),
            event("redo", "要求重办", LEADERS),
            event("reassign", "改派", LEADERS),
            event("urge", "催办", LEADERS),
            event("extend", "延期", LEADERS),
            event("cancel", "取消", LEADERS),
            NOTE,
        ],
    ),
    record(
        Kind::NOTICE,
        "notice",
        &[
            field("title", "标题"),
            field("text", "内容"),
            field("scope", "发至"),
            field("due", "阅读期限"),
            field("original", "原件"),
        ],
        LEADERS,
        &[event("add", "发布", LEADERS), event("withdraw", "撤回", LEADERS)],
    ),
    record(
        Kind::MEETING,
        "meeting",
        &[
            field("kind", "会议类型"),
            field("title", "议题"),
            field("starts_at", "时间"),
            field("address", "地点"),
            field("chair", "主持"),
        ],
        LEADERS,
        &[
            event("add", "召集", LEADERS),
            event("minutes", "纪要", LEADERS),
            event("cancel", "取消", LEADERS),
            NOTE,
        ],
    ),
    record(
        Kind::TRAINING,
        "training",
        &[
            field("title", "培训名称"),
            field("text", "计划"),
            field("category", "业务线"),
            field("audience", "对象"),
            field("due", "完成期限"),
        ],
        TRAINERS,
        &[
            event("add", "培训计划", TRAINERS),
            event("session", "开课", TRAINERS),
            event("attend", "参训", TRAINERS),
            event("finish", "结束", TRAINERS),
            event("cancel", "取消", TRAINERS),
            NOTE,
        ],
    ),
    record(
        Kind::HANDBOOK,
        "handbook",
        &[field("title", "手册名称"), field("category", "业务线"), field("version", "版本")],
        TRAINERS,
        &[event("add", "编印", TRAINERS), event("withdraw", "停用", TRAINERS)],
    ),
    record(
        Kind::HANDOVER,
        "handover",
        &[
            field("worker", "移交人"),
            field("assignee", "接收人"),
            field("text", "说明"),
            field("digest", "清单摘要"),
        ],
        EVERYBODY,
        &[
            event("start", "发起移交", EVERYBODY),
            event("item", "清单", EVERYBODY),
            event("sign", "签收", EVERYBODY),
            event("cancel", "取消", EVERYBODY),
            NOTE,
        ],
    ),
    record(
        Kind::ASSIST,
        "assist",
        &[
            field("matter", "事由"),
            field("text", "内容"),
            field("scope", "请求单位"),
            field("assignee", "协办单位"),
            field("case", "关联事件"),
            field("due", "期限"),
            field("original", "原件"),
        ],
        EVERYBODY,
        &[
            event("add", "请求协办", EVERYBODY),
            event("route", "流转", LEADERS),
            event("pass-back", "转达答复", LEADERS),
            event("accept", "同意", EVERYBODY),
            event("refuse", "不同意", EVERYBODY),
            event("complete", "办结", EVERYBODY),
            event("withdraw", "撤回", EVERYBODY),
            NOTE,
        ],
    ),
    record(
        Kind::OPINION,
        "opinion",
        &[
            field("category", "业务线"),
            field("text", "内容"),
            field("person", "反映人"),
            field("name", "反映人姓名"),
            field("phone", "联系电话"),
        ],
        EVERYBODY,
        &[
            event("add", "收集", EVERYBODY),
            event("forward", "上报", EVERYBODY),
            event("answer", "答复意见", EVERYBODY),
            event("feedback", "反馈本人", EVERYBODY),
            event("close", "办结", EVERYBODY),
            NOTE,
        ],
    ),
    record(
        Kind::HELP,
        "help",
        &[
            field("category", "业务线"),
            field("text", "内容"),
            field("person", "求助人"),
            field("name", "求助人姓名"),
            field("phone", "联系电话"),
            field("behalf", "代办"),
            field("address", "地址"),
        ],
        EVERYBODY,
        &[
            event("add", "受理求助", EVERYBODY),
            event("handle", "处理", EVERYBODY),
            event("refer", "转办", EVERYBODY),
            event("resolve", "办结", EVERYBODY),
            event("feedback", "反馈本人", EVERYBODY),
            NOTE,
        ],
    ),
    record(
        Kind::PUBLICITY,
        "publicity",
        &[
            field("title", "主题"),
            field("category", "业务线"),
            field("text", "内容"),
            field("method", "方式"),
            field("audience", "对象"),
            field("count", "人数"),
            field("address", "地点"),
        ],
        EVERYBODY,
        &[event("add", "宣传", EVERYBODY), NOTE],
    ),
    KindSpec {
        kind: Kind::RECEIPT,
        name: "receipt",
        containers: &[set("members"), set("extra")],
        extensions: &[],
        fields: &[field("source", "通知")],
        natural_key: None,
        access: Access { writers: EVERYBODY, events: &[] },
    },
];
