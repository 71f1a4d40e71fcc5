//! What goes down and between units: tasks, notices, meetings, training, hand-overs, requests.

use super::super::spec::*;
use crate::schema::Kind;

pub(super) const RECORDS: &[RecordSpec] = &[TASK, NOTICE, MEETING, TRAINING, HANDBOOK, HANDOVER, ASSIST];

const TASK: RecordSpec = RecordSpec {
    kind: Kind::TASK,
    word: "task",
    label: "任务",
    about: "tasks from 网格长 or above, with progress",
    opens: "add",
    inputs: &[
        need("title", "标题", Rule::Text, "what is to be done, in a line"),
        may("text", "内容", Rule::Text, "what is to be done"),
        need("assignee", "承办", Rule::Assignee, "the worker or unit that does it"),
        may("due", "完成期限", Rule::Day, "the last day"),
        LINE,
        may("source", "来源", Rule::Text, "a meeting, a document"),
    ],
    states: &[
        state("open", "待接收"),
        state("doing", "办理中"),
        state("declined", "已退回"),
        state("done", "待确认"),
        closed("closed", "已完成"),
        closed("cancelled", "已取消"),
    ],
    verbs: &[
        verb("accept", "takes it on", &["open"], To::State("doing"), &[MORE]).by(Who::Assignee),
        verb("decline", "gives it back, with a reason", &["open", "doing"], To::State("declined"), &[REASON])
            .by(Who::Assignee)
            .last(1),
        verb(
            "progress",
            "how far it is",
            &["open", "doing"],
            To::State("doing"),
            &[TEXT, may("percent", "完成百分比", Rule::Percent, "how much of it is done")],
        )
        .by(Who::Assignee),
        verb("complete", "is done", &["open", "doing"], To::State("done"), &[TEXT]).by(Who::Assignee),
        verb("redo", "is not good enough", &["done"], To::State("doing"), &[REASON]).by(Who::NotAssignee),
        verb("confirm", "is good", &["done"], To::State("closed"), &[MORE]).by(Who::NotAssignee).last(1),
        verb(
            "reassign",
            "gives it to another",
            &["open", "doing", "declined"],
            To::State("open"),
            &[need("assignee", "承办", Rule::Assignee, "the worker or unit that does it"), MORE],
        )
        .last(2),
        verb("urge", "asks for haste", &["open", "doing"], To::Same, &[MORE]),
        verb(
            "extend",
            "gives more time",
            &["open", "doing"],
            To::Same,
            &[need("due", "新的完成期限", Rule::Day, "the new last day"), REASON],
        ),
        verb("cancel", "calls it off", &["open", "doing", "declined"], To::State("cancelled"), &[REASON])
            .last(3),
        NOTE,
    ],
    headline: &["title", "text"],
    home: Home::Assignee,
};

const NOTICE: RecordSpec = RecordSpec {
    kind: Kind::NOTICE,
    word: "notice",
    label: "通知",
    about: "notices to a unit and all below it, with read receipts",
    opens: "add",
    inputs: &[
        need("title", "标题", Rule::Text, "about what"),
        TEXT,
        may("scope", "发至", Rule::Unit, "the unit that is to read it; by default your own"),
        may("due", "阅读期限", Rule::Day, "the last day for reading it"),
    ],
    states: &[state("valid", "有效"), closed("withdrawn", "已撤回")],
    verbs: &[verb("withdraw", "takes it back", &["valid"], To::State("withdrawn"), &[REASON])],
    headline: &["title"],
    home: Home::Own,
};

const MEETING: RecordSpec = RecordSpec {
    kind: Kind::MEETING,
    word: "meeting",
    label: "会议",
    about: "meetings and their minutes",
    opens: "add",
    inputs: &[
        need("kind", "会议类型", Rule::Code("meeting-kind"), "the kind: a code or its name"),
        need("title", "议题", Rule::Text, "about what"),
        may("starts_at", "时间", Rule::Time, "when it begins"),
        may("address", "地点", Rule::Text, "where"),
        may("chair", "主持", Rule::Text, "who leads it"),
    ],
    states: &[state("planned", "已通知"), closed("held", "已召开"), closed("cancelled", "已取消")],
    verbs: &[
        verb(
            "minutes",
            "the minutes; again to amend them",
            &["planned", "held"],
            To::State("held"),
            &[
                TEXT,
                may("present", "出席", Rule::Text, "who was there"),
                may("absent", "缺席", Rule::Text, "who was not"),
            ],
        ),
        verb("cancel", "calls it off", &["planned"], To::State("cancelled"), &[REASON]).last(1),
        NOTE,
    ],
    headline: &["kind", "title"],
    home: Home::Published,
};

const TRAINING: RecordSpec = RecordSpec {
    kind: Kind::TRAINING,
    word: "training",
    label: "培训",
    about: "training plans, sessions and attendance, handbooks",
    opens: "add",
    inputs: &[
        need("title", "培训名称", Rule::Text, "about what"),
        may("text", "计划", Rule::Text, "the plan"),
        LINE,
        may("audience", "对象", Rule::Text, "for whom"),
        may("due", "完成期限", Rule::Day, "the last day"),
    ],
    states: &[state("planned", "进行中"), closed("finished", "已结束"), closed("cancelled", "已取消")],
    verbs: &[
        verb(
            "session",
            "a session that was held",
            &["planned"],
            To::Same,
            &[
                need("title", "课题", Rule::Text, "about what"),
                may("teacher", "授课人", Rule::Text, "who taught"),
                may("address", "地点", Rule::Text, "where"),
                may("text", "内容", Rule::Text, "what was taught"),
            ],
        ),
        verb(
            "attend",
            "who took part",
            &["planned", "finished"],
            To::Same,
            &[
                need("workers", "参训人员", Rule::Workers, "the workers who took part"),
                may("title", "课题", Rule::Text, "in which session"),
            ],
        ),
        verb("finish", "ends it", &["planned"], To::State("finished"), &[MORE]).last(1),
        verb("cancel", "calls it off", &["planned"], To::State("cancelled"), &[REASON]).last(2),
        NOTE,
    ],
    headline: &["title", "text"],
    home: Home::Published,
};

/// Its pages stand in `extra`, so that a long one fits.
const HANDBOOK: RecordSpec = RecordSpec {
    kind: Kind::HANDBOOK,
    word: "handbook",
    label: "手册",
    about: "handbooks that workers read offline",
    opens: "add",
    inputs: &[
        need("title", "手册名称", Rule::Text, "about what"),
        LINE,
        may("version", "版本", Rule::Text, "which edition"),
    ],
    states: &[state("valid", "有效"), closed("withdrawn", "已停用")],
    verbs: &[verb("withdraw", "takes it out of use", &["valid"], To::State("withdrawn"), &[REASON])],
    headline: &["title", "version"],
    home: Home::Published,
};

const HANDOVER: RecordSpec = RecordSpec {
    kind: Kind::HANDOVER,
    word: "handover",
    label: "网格移交",
    about: "hand-over of a grid: what is open and unsent, which the successor signs",
    opens: "start",
    inputs: &[
        need("assignee", "接收人", Rule::Worker, "the successor"),
        may("text", "说明", Rule::Text, "what the successor should know"),
    ],
    states: &[state("open", "待签收"), closed("signed", "已签收"), closed("cancelled", "已取消")],
    verbs: &[
        verb("sign", "the successor takes it over", &["open"], To::State("signed"), &[MORE])
            .by(Who::Assignee),
        verb("cancel", "calls it off", &["open"], To::State("cancelled"), &[REASON])
            .by(Who::NotAssignee)
            .last(1),
        NOTE,
    ],
    headline: &["text"],
    home: Home::Own,
};

/// A refusal needs a reason: nobody passes the buck (art. 26).
const ASSIST: RecordSpec = RecordSpec {
    kind: Kind::ASSIST,
    word: "assist",
    label: "协办移交",
    about: "requests between grids, offices and teams: to assist, or to take a matter over",
    opens: "add",
    inputs: &[
        need("matter", "事由", Rule::Code("assist-matter"), "assist or transfer: a code or its name"),
        TEXT,
        need("assignee", "协办单位", Rule::Unit, "the unit that is asked"),
        CASE,
        may("due", "期限", Rule::Day, "the last day"),
    ],
    states: &[
        state("open", "待答复"),
        state("accepted", "已同意"),
        closed("refused", "不同意"),
        closed("completed", "已办结"),
        closed("withdrawn", "已撤回"),
    ],
    verbs: &[
        verb("route", "passes it on to the unit that is asked", &[], To::Same, &[MORE]),
        verb(
            "pass-back",
            "tells the unit that asked what was answered",
            &["open", "accepted"],
            To::Outcome(&[
                Outcome { name: "accepted", label: "同意", state: "accepted", rank: 0 },
                Outcome { name: "refused", label: "不同意", state: "refused", rank: 1 },
                Outcome { name: "completed", label: "已办结", state: "completed", rank: 1 },
            ]),
            &[
                MORE,
                may("reason", "理由", Rule::Text, "why it was refused"),
                may("worker", "答复人", Rule::Worker, "who answered"),
            ],
        ),
        verb("accept", "will do it", &["open", "refused"], To::State("accepted"), &[MORE]).by(Who::Assignee),
        verb("refuse", "will not, with a reason", &["open"], To::State("refused"), &[REASON])
            .by(Who::Assignee)
            .last(1),
        verb("complete", "has done it", &["accepted"], To::State("completed"), &[TEXT]).by(Who::Assignee),
        verb("withdraw", "is not needed any more", &["open", "accepted"], To::State("withdrawn"), &[REASON])
            .by(Who::NotAssignee)
            .last(2),
        NOTE,
    ],
    headline: &["matter", "text"],
    home: Home::Own,
};
