//! What `--help` says of commands and arguments.

use super::{en, zh};

/// The help of a command (`person add`) or of an argument (`person add:unit`, or `:unit` wherever it
/// means the same): Chinese, then English.
pub(crate) fn help(command: &str, argument: Option<&str>) -> Option<String> {
    let found = |table: &[(&str, &'static str)]| {
        let entry = |key: &str| table.iter().find(|(known, _)| *known == key).map(|(_, text)| *text);
        match argument {
            None => entry(command),
            Some(argument) => {
                entry(&format!("{command}:{argument}")).or_else(|| entry(&format!(":{argument}")))
            }
        }
    };
    if let (Some(zh), Some(en)) = (found(zh::HELP), found(en::HELP)) {
        // The records of grid work have their own words for what they share.
        let own = argument.and_then(|_| crate::command::work::help(command, argument));
        let (zh, en) = own.unwrap_or_else(|| (zh.to_owned(), en.to_owned()));
        return Some(format!("{zh} / {en}"));
    }
    let (zh, en) = crate::command::work::help(command, argument)?;
    Some(format!("{zh} / {en}"))
}
