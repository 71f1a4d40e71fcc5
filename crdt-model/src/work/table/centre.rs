//! What the centre keeps, and what people say of the system.

use super::super::spec::*;
use crate::schema::Kind;

pub(super) const RECORDS: &[RecordSpec] = &[BULLETIN, APPEAL, REWARD, SUGGESTION];

const BULLETIN: RecordSpec = RecordSpec {
    kind: Kind::BULLETIN,
    word: "bulletin",
    label: "信息通报",
    about: "bulletins of the centre, which everybody reads",
    opens: "add",
    inputs: &[need("title", "标题", Rule::Text, "about what"), TEXT, LINE],
    states: &[state("valid", "有效"), closed("withdrawn", "已撤回")],
    verbs: &[verb("withdraw", "takes it back", &["valid"], To::State("withdrawn"), &[REASON])],
    headline: &["title"],
    home: Home::Street,
};

/// A decision about a score is a person's.
const APPEAL: RecordSpec = RecordSpec {
    kind: Kind::APPEAL,
    word: "appeal",
    label: "考核申诉",
    about: "appeals against a score, which people decide",
    opens: "add",
    inputs: &[
        need("period", "考核期", Rule::Document(Kind::PERIOD), "the period of assessment"),
        need("scope", "单位", Rule::Unit, "the unit whose score it is"),
        need("item", "考核项", Rule::Text, "the item: its code or name"),
        need("text", "申诉理由", Rule::Text, "why it is wrong"),
    ],
    states: &[
        state("open", "待裁定"),
        closed("upheld", "申诉成立"),
        closed("rejected", "申诉不成立"),
        closed("withdrawn", "已撤回"),
    ],
    verbs: &[
        verb(
            "decide",
            "decides it: --uphold or --reject",
            &["open"],
            To::Outcome(&[
                Outcome { name: "uphold", label: "成立", state: "upheld", rank: 0 },
                Outcome { name: "reject", label: "不成立", state: "rejected", rank: 1 },
            ]),
            &[REASON, may("score", "改定得分", Rule::Number, "the score instead, if it is upheld")],
        ),
        verb("withdraw", "takes it back", &["open"], To::State("withdrawn"), &[MORE]).by(Who::Author).last(2),
    ],
    headline: &["item", "text"],
    home: Home::Own,
};

const REWARD: RecordSpec = RecordSpec {
    kind: Kind::REWARD,
    word: "reward",
    label: "奖励",
    about: "rewards that people decided (art. 25)",
    opens: "add",
    inputs: &[
        need("period", "考核期", Rule::Document(Kind::PERIOD), "the period of assessment"),
        need("assignee", "对象", Rule::Assignee, "the worker or unit"),
        need("kind", "奖励方式", Rule::Text, "what it is"),
        need("text", "事由", Rule::Text, "what for"),
    ],
    states: &[closed("given", "已决定"), closed("withdrawn", "已撤销")],
    verbs: &[verb("withdraw", "takes it back", &["given"], To::State("withdrawn"), &[REASON])],
    headline: &["kind", "text"],
    home: Home::Street,
};

/// No system of grid work without a place to complain of it (国办函〔2026〕12号).
const SUGGESTION: RecordSpec = RecordSpec {
    kind: Kind::SUGGESTION,
    word: "suggest",
    label: "对系统的意见建议",
    about: "complaints and suggestions about the system itself",
    opens: "add",
    inputs: &[
        may("kind", "类型", Rule::Code("suggestion-kind"), "complaint or suggestion: a code or its name"),
        TEXT,
    ],
    states: &[state("open", "待答复"), state("answered", "已答复"), closed("closed", "已了结")],
    verbs: &[
        verb("answer", "what the centre says", &["open", "answered"], To::State("answered"), &[TEXT]),
        verb("close", "ends it", &["answered"], To::State("closed"), &[MORE]).last(1),
        NOTE,
    ],
    headline: &["kind", "text"],
    home: Home::Own,
};
