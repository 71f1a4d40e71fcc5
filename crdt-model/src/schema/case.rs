//! Cases (事件), the orders that send them to teams (交办单), and the rules that they fold under.
//!
//! The posts stand here alone. Which of them it is on a given case (the owner of the level, the assignee, never
//! the handler) follows from the case's own history: `crate::case::table`.

use super::{Access, EventSpec, Kind, KindSpec, REPORTERS, event, field, history, set};
use crate::identity::Role;

/// Who files a report (art. 9, 10, 22).
const FILERS: &[Role] =
    &[Role::GridWorker, Role::GridLeader, Role::WindowClerk, Role::CentreClerk, Role::CentreAdmin];
/// Who closes a minor matter where it is found.
const ON_THE_SPOT: &[Role] = &[Role::GridWorker, Role::GridLeader];
/// Who takes a report up or refuses it: the owner of its level.
const OWNERS: &[Role] =
    &[Role::GridLeader, Role::AreaClerk, Role::AreaHead, Role::CentreClerk, Role::CentreAdmin];
/// Who passes a case to the next level (art. 14, 21).
const BELOW: &[Role] = &[Role::GridLeader, Role::AreaClerk, Role::AreaHead];
/// Who can be given a case, and the centre, which carries a team's answers over (art. 12).
const ASSIGNEES: &[Role] = &[
    Role::GridWorker,
    Role::GridLeader,
    Role::AreaClerk,
    Role::AreaHead,
    Role::TeamMember,
    Role::TeamLead,
    Role::CentreClerk,
    Role::CentreAdmin,
];
const CHECKERS: &[Role] = &[Role::GridWorker, Role::CentreClerk, Role::CentreAdmin];
const CENTRE: &[Role] = &[Role::CentreClerk, Role::CentreAdmin];
/// Who urges and supervises (art. 8).
const URGERS: &[Role] = &[Role::CentreClerk, Role::CentreAdmin, Role::StreetLeader];
const TEAM: &[Role] = &[Role::TeamMember, Role::TeamLead];
const TEAM_AND_CENTRE: &[Role] = &[Role::TeamMember, Role::TeamLead, Role::CentreClerk, Role::CentreAdmin];

/// Events of a case with the posts that may write each. In which states, and what it takes besides the post,
/// stands in [`crate::case::TABLE`].
pub const CASE_EVENTS: &[EventSpec] = &[
    event("report", "上报", FILERS),
    event("note", "记录", REPORTERS),
    event("close-on-spot", "当场办结", ON_THE_SPOT),
    event("verify", "核实", &[Role::GridWorker]),
    event("register", "立案", OWNERS),
    event("reject", "不予受理", OWNERS),
    event("escalate", "上报上级", BELOW),
    event("dispatch", "派遣", OWNERS),
    event("appoint-lead", "牵头", &[Role::StreetLeader]),
    event("accept", "接单", ASSIGNEES),
    event("return", "退回", ASSIGNEES),
    event("extend", "延期", ASSIGNEES),
    event("suspend", "挂起", ASSIGNEES),
    event("resume", "恢复", ASSIGNEES),
    event("feedback", "处理反馈", ASSIGNEES),
    event("check", "核查", CHECKERS),
    event("evaluate", "评价", FILERS),
    event("archive", "归档", CENTRE),
    event("urge", "催办", URGERS),
    event("supervise", "督办", URGERS),
    event("reopen", "重启", CENTRE),
    event("merge", "并案", CENTRE),
];

pub(super) const KINDS: &[KindSpec] = &[
    KindSpec {
        kind: Kind::CASE,
        name: "case",
        containers: &[history("events"), set("links"), set("extra")],
        extensions: &[],
        fields: &[
            field("number", "编号"),
            field("official_number", "正式编号"),
            field("category", "类别"),
            field("text", "内容"),
            field("level", "级别"),
            field("source", "来源"),
            field("channel", "渠道"),
            field("place", "地点"),
            field("person", "当事人"),
            field("location", "位置"),
        ],
        natural_key: None,
        access: Access { writers: REPORTERS, events: CASE_EVENTS },
    },
    KindSpec {
        kind: Kind::ORDER,
        name: "order",
        containers: &[history("events"), set("extra")],
        extensions: &[],
        fields: &[
            field("number", "编号"),
            field("official_number", "正式编号"),
            field("case", "事件"),
            field("scope", "所在网格"),
            field("category", "类别"),
            field("level", "级别"),
            field("text", "内容"),
            field("place", "地点"),
            field("due", "办理期限"),
            field("request", "交办要求"),
            field("lead", "主办"),
        ],
        natural_key: None,
        access: Access {
            writers: CENTRE,
            events: &[
                event("accept", "接单", TEAM),
                event("return", "退回", TEAM),
                event("feedback", "处理反馈", TEAM),
                event("extend", "延期", TEAM_AND_CENTRE),
                event("suspend", "挂起", TEAM_AND_CENTRE),
                event("resume", "恢复", TEAM_AND_CENTRE),
                event("note", "记录", TEAM_AND_CENTRE),
                event("rework", "返工", CENTRE),
                event("urge", "催办", URGERS),
                event("supervise", "督办", URGERS),
                event("close", "结束", CENTRE),
            ],
        },
    },
    KindSpec {
        kind: Kind::CASE_RULES,
        name: "case-rules",
        containers: &[set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("version", "版本"),
            field("approver", "批准人"),
            field("note", "说明"),
            field("categories", "业务线"),
            field("deadlines", "时限"),
            field("calendar", "工作日历"),
            field("merging", "并发规则"),
        ],
        natural_key: None,
        access: Access { writers: CENTRE, events: &[] },
    },
];
