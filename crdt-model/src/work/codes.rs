//! Codes of the records of grid work: looked up in the tables that hold in the street ([`crate::codes`]).

/// Entries of a table: code and name.
pub type Entries = Vec<(String, String)>;

/// Where code tables are looked up; the centre may have replaced one.
pub type Codes<'a> = &'a dyn Fn(&str) -> Entries;

/// Says in a register that there is none (安全隐患 00 无), of which no record is made.
const NONE: &str = "00";

/// The entries of a table that a record can have; none if there is no such table.
pub fn entries(codes: &crate::codes::Codes, table: &str) -> Entries {
    let codes = codes.table(table).into_iter().flat_map(|table| &table.codes);
    codes.filter(|(code, _)| *code != NONE).map(|(code, name)| (code.clone(), name.clone())).collect()
}

/// The code that was typed: itself, its name, or the beginning of one name alone (口头 for 口头协议).
pub fn code_of(entries: &[(String, String)], typed: &str) -> Option<String> {
    let typed = crate::checks::text::compact(typed);
    let same = |code: &String, name: &String| {
        *code == typed || *name == typed || code.trim_start_matches('0') == typed && !typed.is_empty()
    };
    let exact = entries.iter().find(|(code, name)| same(code, name));
    let mut begun = entries.iter().filter(|(_, name)| typed.chars().count() > 1 && name.starts_with(&typed));
    let one = match (begun.next(), begun.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    };
    exact.or(one).map(|(code, _)| code.clone())
}
