//! What `--help` says of commands and arguments.

use super::{en, zh};
use crate::command::Needed;

/// Commands that are registers.
const REGISTERS: [&str; 8] =
    ["person", "place", "household", "dwelling", "house", "tenancy", "residency", "enterprise"];

/// Commands that are records of the organisation.
const ORG_RECORDS: [&str; 7] = ["office", "team", "window", "point", "device", "reference", "force"];

/// The heading of the options that every command takes.
pub(crate) const GLOBAL_OPTIONS: &str = "通用选项 / Global options";

/// The fields that a command sets, below its help.
pub(crate) fn fields(command: &str) -> Option<String> {
    let fields = crate::command::fields_of(command)?;
    let mut lines = vec!["项目=内容 / field=value:".to_owned()];
    lines.extend(fields.iter().map(|field| {
        let needed = match field.needed {
            Needed::No => "",
            Needed::Yes => "(必填 / needed)",
            Needed::OneOf => "(至少填一项 / one of these)",
        };
        let table = field.table.map(|table| format!("  wangge codes show {table}")).unwrap_or_default();
        format!("  {}  {}{needed}{table}", field.name, field.label)
    }));
    Some(lines.join("\n"))
}

/// The help of a command (`person add`) or of an argument (`person add:unit`, or `:unit` wherever it
/// means the same): Chinese, then English.
pub(crate) fn help(command: &str, argument: Option<&str>) -> Option<String> {
    let register = command.split_once(' ').filter(|(first, _)| REGISTERS.contains(first));
    let record = command.strip_prefix("org ").and_then(|rest| rest.split_once(' '));
    let record = record.filter(|(first, _)| ORG_RECORDS.contains(first));
    let generic = match (register, record) {
        (Some((_, verb)), _) => format!("* {verb}"),
        (None, Some((_, verb))) => format!("% {verb}"),
        (None, None) => String::new(),
    };
    let found = |tables: [&[(&str, &'static str)]; 3]| {
        let known = |key: &str| {
            tables.iter().copied().flatten().find(|(known, _)| *known == key).map(|(_, text)| *text)
        };
        // All registers have the same commands.
        let entry = |key: &str| {
            known(key).or_else(|| {
                let verb = key.strip_prefix(command).filter(|_| !generic.is_empty())?;
                known(&format!("{generic}{verb}"))
            })
        };
        match argument {
            None => entry(command),
            Some(argument) => {
                entry(&format!("{command}:{argument}")).or_else(|| entry(&format!(":{argument}")))
            }
        }
    };
    if let (Some(zh), Some(en)) = (
        found([zh::HELP, zh::register::HELP, zh::work::HELP]),
        found([en::HELP, en::register::HELP, en::work::HELP]),
    ) {
        // The records of grid work have their own words for what they share.
        let own = argument.and_then(|_| crate::command::work::help(command, argument));
        let (zh, en) = own.unwrap_or_else(|| (zh.to_owned(), en.to_owned()));
        return Some(format!("{zh} / {en}"));
    }
    let (zh, en) = crate::command::work::help(command, argument)?;
    Some(format!("{zh} / {en}"))
}
