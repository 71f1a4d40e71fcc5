//! Patrols, visits, inspections, publicity.

use super::super::spec::*;
use crate::schema::Kind;

pub(super) const RECORDS: &[RecordSpec] = &[PATROL, VISIT, INSPECTION, PUBLICITY];

/// A track only if the worker turns it on, and no check-in (国办函〔2026〕12号).
const PATROL: RecordSpec = RecordSpec {
    kind: Kind::PATROL,
    word: "patrol",
    label: "巡查",
    about: "patrols: start, findings, end",
    opens: "start",
    inputs: &[
        may("route", "路线", Rule::Text, "where it goes"),
        LINE,
        may("track", "轨迹", Rule::Flag, "keep a track; off unless you ask for it"),
        may("note", "备注", Rule::Text, "a remark"),
    ],
    states: &[state("going", "巡查中"), closed("ended", "已结束")],
    verbs: &[
        verb(
            "finding",
            "what was found; may open a hazard or report a case at once",
            &["going", "ended"],
            To::Same,
            &[
                TEXT,
                PLACE,
                PERSON,
                ADDRESS,
                CASE,
                may("hazard", "隐患", Rule::Document(Kind::HAZARD), "a hazard that is recorded already"),
            ],
        ),
        verb(
            "point",
            "a point of the track, if the worker turned it on",
            &["going"],
            To::Same,
            &[
                need("longitude", "经度", Rule::Number, "degrees, WGS-84"),
                need("latitude", "纬度", Rule::Number, "degrees, WGS-84"),
            ],
        )
        .by(Who::Author),
        verb("end", "ends it", &["going"], To::State("ended"), &[MORE]).last(1),
        NOTE,
    ],
    headline: &["category", "route", "note"],
    home: Home::Own,
};

const VISIT: RecordSpec = RecordSpec {
    kind: Kind::VISIT,
    word: "visit",
    label: "走访",
    about: "visits to people and places",
    opens: "add",
    inputs: &[
        PERSON,
        PLACE,
        need("purpose", "走访目的", Rule::Text, "what for"),
        need("result", "走访结果", Rule::Text, "what came of it"),
        may("text", "情况", Rule::Text, "what was seen and heard"),
    ],
    states: &[closed("done", "已走访")],
    verbs: &[NOTE],
    headline: &["purpose", "result"],
    home: Home::Own,
};

const INSPECTION: RecordSpec = RecordSpec {
    kind: Kind::INSPECTION,
    word: "inspect",
    label: "检查",
    about: "inspections against a checklist; submitted answers never change",
    opens: "submit",
    inputs: &[PLACE, PERSON, ADDRESS, may("text", "情况", Rule::Text, "what else there is to say")],
    states: &[closed("submitted", "已提交")],
    verbs: &[NOTE],
    headline: &["checklist", "address", "text"],
    home: Home::Own,
};

const PUBLICITY: RecordSpec = RecordSpec {
    kind: Kind::PUBLICITY,
    word: "publicity",
    label: "宣传",
    about: "publicity for laws and policies",
    opens: "add",
    inputs: &[
        need("title", "主题", Rule::Text, "about what"),
        LINE,
        may("text", "内容", Rule::Text, "what was said or handed out"),
        may("method", "方式", Rule::Text, "how"),
        may("audience", "对象", Rule::Text, "for whom"),
        may("count", "人数", Rule::Count, "how many people"),
        ADDRESS,
    ],
    states: &[closed("done", "已开展")],
    verbs: &[NOTE],
    headline: &["title", "text"],
    home: Home::Own,
};
