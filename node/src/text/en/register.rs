//! The registers and the organisation.

use wangge_model::org::staffing::Missing;

use crate::text::{Label, RegisterMessage};

pub(crate) fn say(message: &RegisterMessage<'_>) -> String {
    match *message {
        RegisterMessage::NotCollected { label: Label { en: label, .. }, reason_en, .. } => {
            format!("{label} is not collected: {reason_en}")
        }
        RegisterMessage::CodeUnknown { label: Label { en: label, .. }, typed, allowed, table: "" } => {
            format!("{label}: {typed:?} is not understood; allowed: {allowed}")
        }
        RegisterMessage::CodeUnknown { label: Label { en: label, .. }, typed, allowed, table } => {
            format!("{typed:?} is not in the code table {table} of the field {label}; allowed: {allowed}")
        }
        RegisterMessage::CountUnreadable { label: Label { en: label, .. }, typed } => {
            format!("{label}: {typed:?} is not a whole number")
        }
        RegisterMessage::AreaUnreadable { label: Label { en: label, .. }, typed } => {
            format!("{label}: {typed:?} is not a number of square metres")
        }
        RegisterMessage::DivisionUnreadable { label: Label { en: label, .. }, typed } => {
            format!(
                "{label}: {typed:?} is no division code of 6, 9 or 12 digits and no village of this street"
            )
        }
        RegisterMessage::FlagUnreadable { label: Label { en: label, .. }, typed } => {
            format!("{label}: {typed:?} is neither yes nor no")
        }
        RegisterMessage::DocumentNumber { label: Label { en: label, .. }, typed } => {
            format!("{label}: {typed:?} is not 4 to 32 letters and digits")
        }
        RegisterMessage::ConsentForm { typed } => format!("consent {typed:?} is not DATE/text"),
        RegisterMessage::ConsentMissing => {
            "care needs are recorded with consent only: give consent=DATE/text too".to_owned()
        }
        RegisterMessage::DateAhead { label: Label { en: label, .. }, typed } => {
            format!("the date of {label}, {typed}, lies in the future")
        }
        RegisterMessage::FieldMissing { label } => format!("the field {} is missing", label.en),
        RegisterMessage::UnitOfKind { label, typed, homes } => {
            format!("{}: {typed:?} cannot be it; use {homes}", label.en)
        }
        RegisterMessage::TeamUnknown { typed, .. } => {
            let what = if typed.is_empty() {
                "scope is missing: say which team of the roster it is".to_owned()
            } else {
                format!("scope: the roster has no team {typed:?}")
            };
            format!("{what}; the centre adds a team with: wangge-relay unit add --unit team:CODE --name NAME")
        }
        RegisterMessage::TeamRecorded { unit, id, .. } => {
            format!(
                "{unit} is recorded already ({id}); change it with: wangge org team set {unit} field=value"
            )
        }
        RegisterMessage::EndsBeforeItBegins { from, to } => {
            format!("it ends on {to}, before it begins on {from}")
        }
        RegisterMessage::BirthDisagrees { birth, told } => {
            format!("the birth date {birth} disagrees with {told} in the ID number")
        }
        RegisterMessage::TableUnknown { typed, tables } => {
            format!("there is no code table {typed:?}; there are {tables}")
        }
        RegisterMessage::CodeRetired => "not in use".to_owned(),
        RegisterMessage::TableSet { table, count, version } => {
            format!("code table {table} set: {count} codes, version {version}")
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
        RegisterMessage::ColumnByConsent { .. } => {
            "that column was left out: it is registered one by one, with consent".to_owned()
        }
        RegisterMessage::ColumnUnknown { .. } => {
            "that column was left out: no field goes by its heading".to_owned()
        }
        RegisterMessage::KeptAsWritten { .. } => "it was kept as it stands".to_owned(),
        RegisterMessage::ColumnIgnored { column, reason_en, .. } => {
            format!("the column {column} was not taken in: {reason_en}")
        }
        RegisterMessage::BoundarySet { unit, version, points } => {
            format!("boundary of {unit} set: version {version}, {points} points")
        }
        RegisterMessage::NoBoundary { unit } => format!("{unit} has no boundary"),
        RegisterMessage::NowhereInside => "no boundary holds this position".to_owned(),
        RegisterMessage::Missing { what } => missing(what),
        RegisterMessage::Staffed { missing } => {
            if missing.is_empty() {
                "complete".to_owned()
            } else {
                format!("missing: {missing}")
            }
        }
        RegisterMessage::Cadres { cadres, down, percent, reached } => format!(
            "{down} of {cadres} cadres are posted down, {percent} %: {} 55 %",
            if reached { "at least" } else { "below" }
        ),
        RegisterMessage::NoGrid { typed } => format!("{typed:?} is no grid; only grids are split"),
        RegisterMessage::PartUnreadable { typed, grid, street } => format!(
            "--into: {typed:?} is not CODE=NAME; use {grid}-1, {grid}-2 … for sub-grids, or twelve digits that begin \
             with {street}"
        ),
        RegisterMessage::PartsCount { found, max } => {
            format!("--into: {found} parts; at most {max} are allowed")
        }
        RegisterMessage::UnitExists { unit } => format!("the unit {unit} exists already"),
        RegisterMessage::SplitRequested { unit, parts } => {
            format!("asked to split {unit} into {parts} new grids; the centre does it once this arrives")
        }
        RegisterMessage::Rehomed { count, undecided, dry_run } => format!(
            "{} {count} records to be moved; {undecided} without a position inside a boundary stay",
            if dry_run { "would ask for" } else { "asked for" }
        ),
    }
}

fn missing(what: Missing) -> String {
    match what {
        Missing::Leader => "a grid leader".to_owned(),
        Missing::LeaderNotCadre => "a grid leader who is recorded as a formal cadre".to_owned(),
        Missing::Workers { found, needed } => format!("grid workers ({found} of {needed})"),
        Missing::Forces => "other forces (X)".to_owned(),
        Missing::Point => "a work point".to_owned(),
        Missing::Workstation => "a workstation".to_owned(),
        Missing::Phones { found, needed } => format!("phones ({found} of {needed})"),
        Missing::AreaHead => "an area head".to_owned(),
        Missing::AreaClerk => "an area clerk".to_owned(),
        Missing::AreaCadre => "a cadre for the daily running of the mechanism".to_owned(),
        Missing::Grids { found, needed } => {
            format!("grids of an area of enterprises ({found}, {needed} needed)")
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
    ("org", "the organisation"),
    ("org tree", "street, areas, grids, sub-grids, teams, people"),
    ("org boundary", "boundaries of grids"),
    ("org boundary set", "set the next version of a boundary"),
    ("org boundary set:grid", "the grid"),
    ("org boundary set:file", "a GeoJSON file"),
    ("org boundary set:effective", "from which day on; by default today"),
    ("org boundary set:note", "why it changed"),
    ("org boundary show", "show a boundary"),
    ("org boundary show:grid", "the grid"),
    ("org boundary show:version", "which version; by default the one that holds"),
    ("org boundary list", "all versions"),
    ("org boundary list:grid", "of which grid; by default all"),
    (":datum", "coordinate system: WGS-84 or CGCS2000"),
    ("org locate", "the grid that a position lies in"),
    ("org locate:longitude", "degrees east"),
    ("org locate:latitude", "degrees north"),
    ("org office", "offices"),
    ("org team", "teams, standing or ad hoc"),
    ("org window", "windows"),
    ("org point", "work points"),
    ("org device", "devices"),
    ("org reference", "policies and rules, readable offline"),
    ("org force", "cadres and other forces (X)"),
    ("% add", "add one"),
    ("% set", "set fields of one"),
    ("% show", "show one"),
    ("% list", "list them"),
    ("% close", "take one out of use"),
    ("% set:key", "id, name or code"),
    ("% show:key", "id, name or code"),
    ("% close:key", "id, name or code"),
    (":text_file", "a file with its text, UTF-8"),
    ("org staffing", "what is missing of 1+1+X"),
    ("org staffing:grid", "one grid; by default all"),
    ("org cadres", "share of cadres posted down"),
    ("org area", "nature of an area"),
    ("org area:area", "the area"),
    ("org area:nature", "work or enterprise"),
    ("org split", "ask to split a grid"),
    ("org split:grid", "the grid"),
    ("org split:into", "the new grids: CODE=NAME"),
    ("org rehome", "ask for records to be moved where they belong now"),
    ("org rehome:grid", "where they are"),
    ("org rehome:to", "where to; by default as the boundaries say"),
    ("org rehome:address", "only those with this in their address"),
    ("org rehome:dry_run", "only say how many"),
    ("* dossier", "a copy of all that is held, for the person"),
    ("* dossier:out", "the file to write"),
];
