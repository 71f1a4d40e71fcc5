//! Code tables (代码表): versioned data. The tables that ship with the program hold until the centre sets
//! others, as documents of `street`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::checks::text;
use crate::document::DocumentView;

const SHIPPED: &str = include_str!("../../data/codes/tables.json");

/// Most codes in one table.
pub const CODES_MAX: usize = 2_000;
/// Longest code and longest label, in characters.
pub const CODE_CHARS_MAX: usize = 32;
/// Longest label, in characters.
pub const LABEL_CHARS_MAX: usize = 60;

/// A table: codes with what they mean.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    /// Its name on the command line.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// The standard or whoever set it.
    pub source: String,
    /// Which version it is.
    pub version: String,
    /// Code -> label.
    pub codes: BTreeMap<String, String>,
    /// Codes that are not given any more, so that records which carry them can still be read.
    pub retired: BTreeMap<String, String>,
    /// What people call a code besides its label -> the code. Understood, never shown.
    pub also: BTreeMap<String, String>,
}

/// Begins the keys of retired codes. No code does: see [`read_table`].
pub const RETIRED: char = '~';

impl Table {
    /// The code that was typed, as code or as label.
    pub fn read(&self, typed: &str) -> Option<&str> {
        let typed = text::compact(typed);
        let same = |a: &str| a.eq_ignore_ascii_case(&typed);
        let by_code = self.codes.keys().find(|code| same(code));
        let by_label =
            || self.codes.iter().find(|(_, label)| same(&text::compact(label))).map(|(code, _)| code);
        // 1 is 01 where there is no 1.
        let padded = || {
            let digits = typed.bytes().all(|b| b.is_ascii_digit()) && !typed.is_empty();
            self.codes
                .keys()
                .find(|code| digits && code.trim_start_matches('0') == typed.trim_start_matches('0'))
        };
        let read = by_code.or_else(by_label).or_else(padded).map(String::as_str);
        read.or_else(|| self.meant(&typed))
    }

    /// The code that people call by another name than its label.
    pub fn meant(&self, typed: &str) -> Option<&str> {
        let code = self.also.get(&text::compact(typed))?;
        self.codes.contains_key(code).then_some(code.as_str())
    }

    /// What is allowed, as a message lists it: of a long table what comes near to what was typed, if anything
    /// does.
    pub fn near(&self, typed: &str, max: usize) -> String {
        let typed = text::compact(typed);
        let near = |label: &str| !typed.is_empty() && label.contains(&typed);
        let any = self.codes.len() > max && self.codes.values().any(|label| near(label));
        let all: Vec<String> = self
            .codes
            .iter()
            .filter(|(_, label)| !any || near(label))
            .map(|(code, label)| format!("{code} {label}"))
            .collect();
        let more = if all.len() > max { Some("…".to_owned()) } else { None };
        all.into_iter().take(max).chain(more).collect::<Vec<_>>().join("、")
    }
}

/// All tables that hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Codes(BTreeMap<String, Table>);

#[derive(Deserialize)]
struct Shipped {
    version: String,
    tables: BTreeMap<String, ShippedTable>,
}

#[derive(Deserialize)]
struct ShippedTable {
    label: String,
    source: String,
    codes: BTreeMap<String, String>,
    #[serde(default)]
    also: BTreeMap<String, String>,
}

impl Codes {
    /// The tables that ship with the program.
    pub fn shipped() -> Self {
        let Ok(shipped) = serde_json::from_str::<Shipped>(SHIPPED) else { return Self::default() };
        let version = shipped.version;
        let table = |(name, table): (String, ShippedTable)| {
            let ShippedTable { label, source, codes, also } = table;
            let version = version.clone();
            (name.clone(), Table { name, label, source, version, codes, retired: BTreeMap::new(), also })
        };
        Self(shipped.tables.into_iter().map(table).collect())
    }

    /// Lets a table that the centre set hold instead of the shipped one.
    pub fn set(&mut self, view: &DocumentView) {
        let name = view.text("table");
        let (mut codes, mut retired) = (BTreeMap::new(), BTreeMap::new());
        for (code, register) in view.sets.get("codes").into_iter().flatten() {
            let label = register.shown.value.to_text();
            match code.strip_prefix(RETIRED) {
                Some(code) => retired.insert(code.to_owned(), label),
                None => codes.insert(code.clone(), label),
            };
        }
        if name.is_empty() || codes.is_empty() {
            return;
        }
        let [label, source, version] = ["label", "source", "version"].map(|field| view.text(field));
        // Other names stay those that ship, as far as their codes do.
        let also = self.0.remove(&name).map(|table| table.also).unwrap_or_default();
        self.0.insert(name.clone(), Table { name, label, source, version, codes, retired, also });
    }

    /// The table of that name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }

    /// All tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.0.values()
    }

    /// What a code means, or meant while it was in use.
    pub fn label(&self, table: &str, code: &str) -> Option<&str> {
        let table = self.0.get(table)?;
        table.codes.get(code).or_else(|| table.retired.get(code)).map(String::as_str)
    }
}

/// A table as a file states it: a JSON object of codes and labels, or lines `code,label`.
///
/// # Errors
/// What is wrong with it.
pub fn read_table(bytes: &[u8]) -> Result<BTreeMap<String, String>, TableError> {
    let text = std::str::from_utf8(bytes).map_err(|_| TableError::NotText)?;
    let text = text.trim_start_matches('\u{feff}');
    let pairs: Vec<(String, String)> = if text.trim_start().starts_with('{') {
        let object: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|e| TableError::Json { reason: e.to_string() })?;
        // The form that `codes show` prints is taken too.
        let codes = match object.get("codes") {
            Some(serde_json::Value::Object(codes)) => codes.clone().into_iter().collect(),
            _ => object,
        };
        codes
            .into_iter()
            .map(|(code, label)| match label {
                serde_json::Value::String(label) => Ok((code, label)),
                _ => Err(TableError::Label { code }),
            })
            .collect::<Result<_, _>>()?
    } else {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let pair = |(at, line): (usize, &str)| {
            let split = line.split_once([',', '，', '\t']);
            split
                .map(|(code, label)| (code.to_owned(), label.to_owned()))
                .ok_or_else(|| TableError::Line { line: at + 1, found: line.chars().take(40).collect() })
        };
        lines.map(pair).collect::<Result<_, _>>()?
    };
    let mut codes = BTreeMap::new();
    for (code, label) in pairs {
        let (code, label) = (text::compact(&code), text::free_text(&label));
        if ["code", "代码"].contains(&code.to_lowercase().as_str()) {
            continue;
        }
        if code.is_empty() || code.starts_with(RETIRED) || code.chars().count() > CODE_CHARS_MAX {
            return Err(TableError::Code { code: code.chars().take(40).collect() });
        }
        if label.is_empty() || label.chars().count() > LABEL_CHARS_MAX {
            return Err(TableError::Label { code });
        }
        if codes.insert(code.clone(), label).is_some() {
            return Err(TableError::Twice { code });
        }
    }
    if codes.is_empty() {
        return Err(TableError::Empty);
    }
    if codes.len() > CODES_MAX {
        return Err(TableError::TooMany { count: codes.len() });
    }
    Ok(codes)
}

/// A file that is no code table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each is")]
pub enum TableError {
    #[error("代码表文件不是 UTF-8 文本\nthe file is not text in UTF-8")]
    NotText,
    #[error("代码表文件不是 JSON:{reason}\nthe file is not JSON: {reason}")]
    Json { reason: String },
    #[error("第 {line} 行“{found}”应写成 代码,名称\nline {line} is not CODE,LABEL: {found:?}")]
    Line { line: usize, found: String },
    #[error("代码“{code}”为空、太长或以 ~ 开头\nthe code {code:?} is empty, too long or begins with ~")]
    Code { code: String },
    #[error("代码 {code} 的名称为空或太长\nthe label of code {code} is empty or too long")]
    Label { code: String },
    #[error("代码 {code} 出现两次\nthe code {code} stands there twice")]
    Twice { code: String },
    #[error("代码表是空的\nthe table is empty")]
    Empty,
    #[error(
        "代码表有 {count} 个代码,上限 {CODES_MAX} 个\nthe table has {count} codes; at most {CODES_MAX} are taken"
    )]
    TooMany { count: usize },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Form, kinds};

    #[test]
    fn every_field_with_a_table_has_one() {
        let codes = Codes::shipped();
        for spec in kinds() {
            for field in spec.fields {
                if let Form::Code(table) = field.form {
                    assert!(
                        codes.table(table).is_some(),
                        "{} of {}: no table {table}",
                        field.name,
                        spec.name
                    );
                }
            }
        }
    }

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let codes = Codes::shipped();
        let table = codes.table("inflow-reason").expect("a table");
        for typed in ["01", "1", "务工", "０１", " 务 工 "] {
            assert_eq!(table.read(typed), Some("01"), "{typed:?}");
        }
        for typed in ["", "0", "98", "打工", "务"] {
            assert_eq!(table.read(typed), None, "{typed:?}");
        }
        assert_eq!(codes.table("country").and_then(|table| table.read("usa")), Some("USA"));
        assert_eq!(codes.table("safety-hazard").and_then(|table| table.read("00")), Some("00"));
        assert!(table.near("", 3).starts_with("01 务工、02 务农、03 经商、…"));
    }

    #[test]
    fn a_table_is_read_from_lines_or_json_and_refused_whole() {
        let table = read_table("代码,名称\n01,务工\n02，务农\n".as_bytes()).expect("a table");
        assert_eq!(table.len(), 2);
        assert_eq!(read_table(br#"{"01": "a", "02": "b"}"#).map(|t| t.len()), Ok(2));
        assert_eq!(
            read_table("01;务工".as_bytes()).unwrap_err(),
            TableError::Line { line: 1, found: "01;务工".into() }
        );
        assert_eq!(
            read_table("01,甲\n01,乙".as_bytes()).unwrap_err(),
            TableError::Twice { code: "01".into() }
        );
        assert_eq!(read_table(b"").unwrap_err(), TableError::Empty);
        assert!(matches!(read_table(b"{"), Err(TableError::Json { .. })));
        assert_eq!(read_table(&[0xff, 0xfe]).unwrap_err(), TableError::NotText);
    }
}
