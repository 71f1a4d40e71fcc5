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

/// Options that name files.
pub(super) const FILES: [&str; 2] = ["file", "answers"];

const fn option(name: &'static str, label: &'static str, rule: Rule, about: &'static str) -> Input {
    Input { name, label, about, rule, required: false }
}

const fn more(record: &'static str, verb: &'static str, inputs: &'static [Input]) -> Extra {
    Extra { record, verb, label: "", about: "", key: false, inputs }
}

pub(super) const EXTRAS: &[Extra] = &[more(
    "patrol",
    "finding",
    &[
        option(
            "hazard-kind",
            "同时登记隐患:隐患类型",
            Rule::Code("hazard"),
            "records a hazard of that kind too",
        ),
        option("due", "隐患的整改期限", Rule::Day, "the last day for its rectification"),
        option("report", "同时上报事件:业务线", Rule::Text, "reports a case of that line too"),
        option("level", "事件级别", Rule::Text, "the level of that case"),
    ],
)];

/// What a record can do beyond the table.
pub(super) fn of(record: &str) -> impl Iterator<Item = &'static Extra> {
    EXTRAS.iter().filter(move |extra| extra.record == record)
}

/// Kinds of which there may be copies in several units, one record all the same.
pub(super) const COPIED: [Kind; 2] = [Kind::NOTICE, Kind::ASSIST];
