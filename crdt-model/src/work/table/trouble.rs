//! Hazards, disputes, help, opinions.

use super::super::spec::*;
use crate::schema::Kind;

pub(super) const RECORDS: &[RecordSpec] = &[HAZARD, DISPUTE, OPINION, HELP];

/// What failed a re-inspection is rectified again before it can pass: of two inspections apart from each
/// other, the one that failed counts.
const HAZARD: RecordSpec = RecordSpec {
    kind: Kind::HAZARD,
    word: "hazard",
    label: "隐患",
    about: "hazards: rectification and re-inspection",
    opens: "add",
    inputs: &[
        need("kind", "隐患类型", Rule::Code("safety-hazard"), "the kind: a code or its name"),
        TEXT,
        may("due", "整改期限", Rule::Day, "the last day for rectification"),
        PLACE,
        PERSON,
        ADDRESS,
        may("source", "来源", Rule::Text, "what brought it to light: a patrol, an inspection"),
    ],
    states: &[
        state("open", "待整改"),
        state("rectified", "待复查"),
        state("failed", "复查不合格"),
        closed("closed", "已销号"),
        closed("cancelled", "已撤销"),
    ],
    verbs: &[
        verb(
            "rectify",
            "what was done about it",
            &["open", "rectified", "failed"],
            To::State("rectified"),
            &[TEXT],
        ),
        verb(
            "reinspect",
            "looks again: --pass or --fail",
            &["open", "rectified"],
            To::Outcome(&[
                Outcome { name: "fail", label: "不合格", state: "failed", rank: 1 },
                Outcome { name: "pass", label: "合格", state: "closed", rank: 2 },
            ]),
            &[MORE, may("due", "新的整改期限", Rule::Day, "the new last day")],
        ),
        verb(
            "extend",
            "gives more time",
            &["open", "rectified", "failed"],
            To::Same,
            &[need("due", "新的整改期限", Rule::Day, "the new last day"), REASON],
        ),
        verb(
            "refer",
            "tells whoever is competent",
            &["open", "rectified", "failed"],
            To::Same,
            &[need("to", "移送单位", Rule::Text, "to whom"), MORE, CASE],
        ),
        verb("cancel", "was none", &["open", "rectified", "failed"], To::State("cancelled"), &[REASON])
            .last(1),
        NOTE,
    ],
    headline: &["kind", "text"],
    home: Home::Own,
};

const PARTY: Input = need("party", "当事人", Rule::Text, "which party");

/// No mediation where a party clearly refuses it (人民调解法 17), until he consents.
const DISPUTE: RecordSpec = RecordSpec {
    kind: Kind::DISPUTE,
    word: "dispute",
    label: "纠纷",
    about: "disputes and their mediation",
    opens: "add",
    inputs: &[
        need("category", "纠纷类别", Rule::Code("dispute-category"), "the category: a code or its name"),
        TEXT,
        need("parties", "当事人", Rule::Text, "the parties"),
        PERSON,
        PLACE,
        ADDRESS,
        may("scale", "规模", Rule::Code("case-scale"), "the scale: a code or its name"),
    ],
    states: &[
        state("open", "待调解"),
        state("mediating", "调解中"),
        state("refused", "当事人拒绝调解"),
        state("agreed", "达成协议"),
        state("failed", "调解不成"),
        state("referred", "已引导其他途径"),
        closed("closed", "已结案"),
    ],
    verbs: &[
        verb(
            "mediate",
            "a mediation",
            &["open", "mediating"],
            To::State("mediating"),
            &[TEXT, may("mediator", "调解员", Rule::Text, "who mediated")],
        ),
        verb(
            "refuse",
            "a party clearly refuses mediation: none may follow",
            &["open", "mediating"],
            To::State("refused"),
            &[PARTY, MORE],
        )
        .last(1),
        verb(
            "consent",
            "the party who refused consents after all",
            &["refused"],
            To::State("open"),
            &[PARTY, MORE],
        ),
        verb(
            "agree",
            "the parties agree",
            &["open", "mediating"],
            To::State("agreed"),
            &[TEXT, may("form", "协议形式", Rule::Code("agreement-form"), "in writing or by word of mouth")],
        ),
        verb("fail", "mediation fails", &["open", "mediating"], To::State("failed"), &[TEXT]).last(1),
        verb(
            "refer",
            "shows another way: arbitration, a court",
            &["open", "mediating", "refused", "failed"],
            To::State("referred"),
            &[need("to", "途径", Rule::Text, "which way"), MORE],
        )
        .last(1),
        verb(
            "follow-up",
            "asks how it went on",
            &["agreed", "failed", "referred", "refused", "closed"],
            To::Same,
            &[TEXT],
        ),
        verb(
            "close",
            "ends the matter",
            &["agreed", "failed", "referred", "refused"],
            To::State("closed"),
            &[MORE],
        )
        .last(2),
        NOTE,
    ],
    headline: &["category", "parties", "text"],
    home: Home::Own,
};

const FEEDBACK: Input = may("method", "反馈方式", Rule::Text, "how: on the phone, in person");
const NAME: Input = may("name", "姓名", Rule::Text, "the name, if the person is in no register");
const PHONE: Input = may("phone", "联系电话", Rule::Phone, "where to reach the person");

const OPINION: RecordSpec = RecordSpec {
    kind: Kind::OPINION,
    word: "opinion",
    label: "社情民意",
    about: "what people think, ask for or complain of, with feedback to them",
    opens: "add",
    inputs: &[LINE, TEXT, PERSON, NAME, PHONE],
    states: &[
        state("open", "待处理"),
        state("answered", "待反馈"),
        closed("fed-back", "已反馈"),
        closed("closed", "已办结"),
    ],
    verbs: &[
        verb(
            "forward",
            "passes it on",
            &["open", "answered"],
            To::Same,
            &[need("to", "上报单位", Rule::Text, "to whom"), MORE],
        ),
        verb("answer", "what is answered", &["open", "answered"], To::State("answered"), &[TEXT]),
        verb(
            "feedback",
            "tells the person",
            &["open", "answered", "fed-back"],
            To::State("fed-back"),
            &[TEXT, FEEDBACK],
        )
        .last(1),
        verb(
            "close",
            "ends it where nobody can be told",
            &["open", "answered", "fed-back"],
            To::State("closed"),
            &[REASON],
        )
        .last(2),
        NOTE,
    ],
    headline: &["category", "text"],
    home: Home::Own,
};

const HELP: RecordSpec = RecordSpec {
    kind: Kind::HELP,
    word: "help-request",
    label: "求助",
    about: "people who ask for help",
    opens: "add",
    inputs: &[
        LINE,
        TEXT,
        PERSON,
        NAME,
        PHONE,
        ADDRESS,
        // Art. 17: a window takes any matter and handles it for the person.
        may("behalf", "代办", Rule::Flag, "handled on behalf of the person, who need not come again"),
    ],
    states: &[
        state("open", "待处理"),
        state("handling", "处理中"),
        state("resolved", "待反馈"),
        closed("fed-back", "已反馈"),
    ],
    verbs: &[
        verb("handle", "what is being done", &["open", "handling"], To::State("handling"), &[TEXT]),
        verb(
            "refer",
            "passes it on to whoever is competent",
            &["open", "handling"],
            To::State("handling"),
            &[need("to", "转办单位", Rule::Text, "to whom"), MORE, CASE],
        ),
        verb("resolve", "is done", &["open", "handling"], To::State("resolved"), &[TEXT]).last(1),
        verb(
            "feedback",
            "tells the person",
            &["open", "handling", "resolved", "fed-back"],
            To::State("fed-back"),
            &[TEXT, FEEDBACK],
        )
        .last(2),
        NOTE,
    ],
    headline: &["category", "text"],
    home: Home::Own,
};
