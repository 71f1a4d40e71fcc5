//! The registers and the organisation.

use crate::text::RegisterMessage;

pub(crate) fn say(message: &RegisterMessage<'_>) -> String {
    match *message {
        RegisterMessage::NotCollected { label, reason_en, .. } => {
            format!("{label} is not collected: {reason_en}")
        }
        RegisterMessage::CodeUnknown { label, typed, allowed, table } => {
            format!("{typed:?} is not in the code table {table} of the field {label}; allowed: {allowed}")
        }
        RegisterMessage::CountUnreadable { label, typed } => {
            format!("{label}: {typed:?} is not a whole number")
        }
        RegisterMessage::AreaUnreadable { label, typed } => {
            format!("{label}: {typed:?} is not a number of square metres")
        }
        RegisterMessage::FlagUnreadable { label, typed } => {
            format!("{label}: {typed:?} is neither yes nor no")
        }
        RegisterMessage::DocumentNumber { label, typed } => {
            format!("{label}: {typed:?} is not 4 to 32 letters and digits")
        }
        RegisterMessage::ConsentForm { typed } => format!("consent {typed:?} is not DATE/text"),
        RegisterMessage::ConsentMissing => {
            "care needs are recorded with consent only: give consent=DATE/text too".to_owned()
        }
        RegisterMessage::DateAhead { label, typed } => {
            format!("the date of {label}, {typed}, lies in the future")
        }
        RegisterMessage::FieldMissing { label, field } => format!("the field {field} ({label}) is missing"),
        RegisterMessage::EndsBeforeItBegins { from, to } => {
            format!("it ends on {to}, before it begins on {from}")
        }
        RegisterMessage::BirthDisagrees { birth, told } => {
            format!("the birth date {birth} disagrees with {told} in the ID number")
        }
        RegisterMessage::TableUnknown { typed, tables } => {
            format!("there is no code table {typed:?}; there are {tables}")
        }
        RegisterMessage::TableSet { table, count, version } => {
            format!("code table {table} set: {count} codes, version {version}")
        }
        RegisterMessage::FileUnreadable { file, reason } => {
            format!("the file {file} cannot be read: {reason}")
        }
        RegisterMessage::Closed { name, id } => format!("closed: {name} ({id})"),
        RegisterMessage::MergeSelf => "this is one and the same record".to_owned(),
        RegisterMessage::Merged { name, into } => {
            format!("merged: {name} into {into}; both records stay and are shown as one")
        }
        RegisterMessage::Unmerged { name } => format!("no longer merged: {name}"),
        RegisterMessage::NotMerged { name } => format!("{name} is not merged into another record"),
        RegisterMessage::Duplicates { count } => format!("{count} likely pairs"),
        RegisterMessage::MoveRequested { name, to } => {
            format!("asked to move {name} to {to}; the centre does it once this arrives")
        }
        RegisterMessage::MoveSame { unit } => format!("the record is in {unit} already"),
        RegisterMessage::MovedAway { name, to } => {
            format!("the record of {name} has moved to {to}: edit it there")
        }
        RegisterMessage::Linked { name, to } => format!("linked: {name} to {to}"),
        RegisterMessage::Unlinked { name, to } => format!("no longer linked: {name} to {to}"),
        RegisterMessage::ColumnIgnored { column, reason_en, .. } => {
            format!("the column {column} was not taken in: {reason_en}")
        }
    }
}

/// What `--help` says; see `text::help`.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("household", "households"),
    ("dwelling", "dwellings"),
    ("house", "rented houses"),
    ("tenancy", "tenancies"),
    ("residency", "who lives where"),
    ("enterprise", "enterprises"),
    ("* add", "register one"),
    ("* set", "set fields of one"),
    ("* show", "show one"),
    ("* list", "list them"),
    ("* find", "find some"),
    ("* find:text", "a part of name, pinyin, phone or address, or the end of the number (4 or more)"),
    ("* close", "close a record"),
    ("* duplicates", "likely duplicates, offline"),
    ("* merge", "one record stands for both; both stay"),
    ("* merge:into", "the record that stands for both"),
    ("* unmerge", "undo a merge"),
    ("* move", "ask to move a record to another grid"),
    ("* move:to", "the grid: grid:CODE"),
    ("* link", "link another record"),
    ("* link:to", "the other record"),
    ("* link:role", "what they are to each other"),
    ("* unlink", "remove a link"),
    ("* unlink:to", "the other record"),
    (":reason", "why"),
    ("codes", "code tables"),
    ("codes list", "list the code tables"),
    ("codes show", "show a code table"),
    ("codes set", "the centre sets a code table"),
    ("codes show:table", "name of the table"),
    ("codes set:table", "name of the table"),
    ("codes set:file", "lines CODE,LABEL, or JSON"),
    ("codes set:label", "what the table is called"),
    ("codes set:source", "where it is from"),
];
