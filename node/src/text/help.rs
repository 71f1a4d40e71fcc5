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
    Some(format!("{} / {}", found(zh::HELP)?, found(en::HELP)?))
}
