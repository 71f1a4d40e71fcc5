//! What some records can do beyond the table: options of their own, and verbs that are more than one event.

use wangge_model::schema::Kind;
use wangge_model::work::{Input, Rule};

/// A verb beyond the table, or options that it adds to one of the table's.
pub(super) struct Extra {
    /// The record.
    pub(super) record: &'static str,
    /// The verb; empty describes the record itself.
    pub(super) verb: &'static str,
    /// What it does, in Chinese; empty where the table says it.
    pub(super) label: &'static str,
    /// What it does, in English.
    pub(super) about: &'static str,
    /// Whether it names a record.
    pub(super) key: bool,
    /// Its options.
    pub(super) inputs: &'static [Input],
}

/// Names what stands without an option, where it is no record.
pub(super) const KEY: &str = "key";

/// Options that name files.
pub(super) const FILES: [&str; 3] = ["file", "answers", super::line::PHOTO];

const fn option(name: &'static str, label: &'static str, rule: Rule, about: &'static str) -> Input {
    Input { name, label, about, rule, required: false }
}

const fn verb(
    record: &'static str,
    verb: &'static str,
    label: &'static str,
    about: &'static str,
    key: bool,
    inputs: &'static [Input],
) -> Extra {
    Extra { record, verb, label, about, key, inputs }
}

const fn more(record: &'static str, verb: &'static str, inputs: &'static [Input]) -> Extra {
    Extra { record, verb, label: "", about: "", key: false, inputs }
}

/// When it happened.
const AT: Input =
    option("at", "发生时间,如 2025-11-22 10:05;默认现在", Rule::Time, "when it happened; now by default");

pub(super) const EXTRAS: &[Extra] = &[
    more(
        "patrol",
        "finding",
        &[
            option(
                "hazard-kind",
                "同时登记隐患:隐患类型",
                Rule::Code("safety-hazard"),
                "records a hazard of that kind too",
            ),
            option("due", "隐患的整改期限", Rule::Day, "the last day for its rectification"),
            option("report", "同时上报事件:业务线", Rule::Text, "reports a case of that line too"),
            option("level", "事件级别", Rule::Text, "the level of that case"),
        ],
    ),
    more(
        "inspect",
        "submit",
        &[
            option("checklist", "检查表:代码或名称", Rule::Text, "the checklist: its code or title"),
            option("answer", "答案:检查项=是|否|不适用,可重复", Rule::Workers, "ITEM=yes|no|na, repeated"),
            option("comment", "说明:检查项=文字,可重复", Rule::Workers, "ITEM=text, repeated"),
            option("answers", "答案文件 (JSON:检查项 → 答案)", Rule::Text, "a JSON file: item -> answer"),
            option(
                "open-hazards",
                "不合格的项同时登记隐患",
                Rule::Flag,
                "records a hazard for each failing item",
            ),
            option("due", "隐患的整改期限", Rule::Day, "the last day for their rectification"),
        ],
    ),
    verb("checklist", "", "检查表,由社管中心维护", "checklists, which the centre keeps", false, &[]),
    verb("checklist", "list", "现用的检查表", "the checklists in use", false, &[]),
    verb(
        "checklist",
        "show",
        "查看检查表;--json 的结果可改后再 set",
        "shows one; --json gives what `set` takes",
        true,
        &[option("version", "版本,默认现用的", Rule::Text, "the version, by default the one in use")],
    ),
    verb(
        "checklist",
        "set",
        "换用新版本(社管中心)",
        "takes a new version into use (the centre)",
        true,
        &[option(KEY, "检查表文件 (JSON)", Rule::Text, "the checklist, a JSON file"), AT],
    ),
    verb("notice", "read", "标为已读", "marks it as read", true, &[AT]),
    verb("notice", "readers", "谁已读,谁未读", "who has read it and who has not", true, &[]),
    more("notice", "list", &[option("unread", "只列我未读的", Rule::Flag, "those that I have not read")]),
    more(
        "handbook",
        "add",
        &[option("file", "手册文本文件 (UTF-8)", Rule::Text, "the text, a file in UTF-8")],
    ),
    more("handover", "start", &[option("to", "接收人", Rule::Worker, "the successor")]),
];

/// What a record can do beyond the table.
pub(super) fn of(record: &str) -> impl Iterator<Item = &'static Extra> {
    EXTRAS.iter().filter(move |extra| extra.record == record)
}

/// Kinds of which there may be copies in several units, one record all the same.
pub(super) const COPIED: [Kind; 2] = [Kind::NOTICE, Kind::ASSIST];
