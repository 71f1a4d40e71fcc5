//! Sets of columns: which fields of a record a workbook shows, in which order, under which headings. The
//! defaults ship as data; a file of the same form fills a superior's form without typing.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use wangge_ledger::{Column, ColumnKind, Table};
use wangge_model::checks::text;

use super::ExportKind;
use crate::command::{CommandError, file};
use crate::text::{Message, WorkText, scrub};

/// Longest file of columns, in bytes.
const FILE_LEN_BYTES_MAX: u64 = 64 * 1024;
/// Most columns of a set.
const COLUMNS_MAX: usize = 200;
/// Width of a column unless the file says another.
const WIDTH: f64 = 14.0;

/// A set of columns.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnSet {
    /// The title; `{street}`, `{unit}`, `{date}`, `{period}` are filled in.
    title: Option<String>,
    /// The sheet's name.
    sheet: Option<String>,
    /// The columns.
    columns: Vec<Choice>,
}

/// A field alone, or with how it is shown.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Choice {
    Field(String),
    Column(Chosen),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// The field.
    field: String,
    /// The heading, by default the field's own.
    #[serde(default)]
    heading: String,
    /// Width in characters.
    #[serde(default)]
    width: Option<f64>,
    /// How its cells are stored.
    #[serde(default)]
    kind: Option<ColumnKind>,
}

/// The set that ships.
fn shipped(kind: ExportKind) -> &'static str {
    match kind {
        ExportKind::People => include_str!("../../../data/columns/people.json"),
        ExportKind::Places => include_str!("../../../data/columns/places.json"),
        ExportKind::Enterprises => include_str!("../../../data/columns/enterprises.json"),
        ExportKind::Houses => include_str!("../../../data/columns/houses.json"),
        ExportKind::Households => include_str!("../../../data/columns/households.json"),
        ExportKind::Cases => include_str!("../../../data/columns/cases.json"),
        ExportKind::Summary => include_str!("../../../data/columns/summary.json"),
        ExportKind::Assessment => include_str!("../../../data/columns/assessment.json"),
    }
}

impl ColumnSet {
    /// The set that ships for a kind.
    pub(super) fn shipped(kind: ExportKind) -> Self {
        let none = Self { title: None, sheet: None, columns: Vec::new() };
        serde_json::from_str(shipped(kind)).unwrap_or(none)
    }

    /// The set of a file.
    pub(super) fn read(path: &Path) -> Result<Self, CommandError> {
        let text = file::read_text(path, FILE_LEN_BYTES_MAX).map_err(|error| error.on("columns"))?;
        let path = path.display().to_string();
        let bad =
            |text: WorkText<'_>| CommandError::failed("not-columns", &Message::Work(text)).on("columns");
        let set: Self = file::json(&text)
            .and_then(file::of_form)
            .map_err(|reason| bad(WorkText::NotColumns { path: &path, reason: &reason }))?;
        let found = set.columns.len();
        if found == 0 || found > COLUMNS_MAX {
            return Err(bad(WorkText::ColumnsCount { path: &path, found, max: COLUMNS_MAX }));
        }
        Ok(set)
    }

    fn chosen(&self) -> impl Iterator<Item = Chosen> {
        self.columns.iter().map(|choice| match choice {
            Choice::Field(field) => {
                Chosen { field: field.clone(), heading: String::new(), width: None, kind: None }
            }
            Choice::Column(chosen) => chosen.clone(),
        })
    }

    /// Replaces the columns, keeping title and sheet.
    pub(super) fn with_items(mut self, items: &[(String, String)]) -> Self {
        let known: Vec<Chosen> = self.chosen().collect();
        let fixed = |field: &str| ["row", "area_name", "unit_name"].contains(&field);
        let mut columns: Vec<Choice> =
            known.iter().filter(|chosen| fixed(&chosen.field)).cloned().map(Choice::Column).collect();
        for (code, name) in items {
            let heading = name.clone();
            let kind = Some(ColumnKind::Number);
            columns.push(Choice::Column(Chosen { field: code.clone(), heading, width: Some(10.0), kind }));
        }
        columns.extend(known.into_iter().filter(|chosen| chosen.field == "total").map(Choice::Column));
        self.columns = columns;
        self
    }

    /// The workbook's table. `known` are the fields that rows may have, with their headings; `fill` what the
    /// title can name.
    pub(super) fn table(
        &self,
        kind: ExportKind,
        rows: &[BTreeMap<String, String>],
        known: &BTreeMap<String, String>,
        fill: &[(&str, &str)],
        footer: Vec<String>,
    ) -> Result<Table, CommandError> {
        let defaults = Self::shipped(kind);
        let by_field: BTreeMap<String, Chosen> =
            defaults.chosen().map(|chosen| (chosen.field.clone(), chosen)).collect();
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        // What the shipped set calls a field goes before what the record calls it.
        let mut named: BTreeMap<&str, &str> =
            known.iter().map(|(field, label)| (field.as_str(), label.as_str())).collect();
        named.extend(by_field.values().map(|chosen| (chosen.field.as_str(), chosen.heading.as_str())));
        for mut chosen in self.chosen() {
            let Some(field) = meant(&chosen.field, &named, known) else {
                let all: Vec<String> =
                    named.iter().map(|(field, heading)| format!("{heading} ({field})")).collect();
                let (field, known) = (scrub(&chosen.field), all.join("、"));
                let text = WorkText::ColumnUnknown { field: &field, known: &known };
                return Err(CommandError::failed("column-unknown", &Message::Work(text)).on("columns"));
            };
            chosen.field = field.to_owned();
            let default = by_field.get(field);
            let own = known.get(field);
            let heading = match (chosen.heading.trim(), default) {
                ("", Some(default)) => default.heading.clone(),
                ("", None) => own.cloned().unwrap_or_default(),
                (heading, _) => heading.to_owned(),
            };
            let width = chosen.width.or(default.and_then(|default| default.width)).unwrap_or(WIDTH);
            let kind = chosen.kind.or(default.and_then(|default| default.kind)).unwrap_or(ColumnKind::Text);
            columns.push(Column { title: heading, width, kind });
            fields.push(chosen.field);
        }
        let mut title = self.title.clone().or(defaults.title).unwrap_or_default();
        for (name, value) in fill {
            title = title.replace(&format!("{{{name}}}"), value);
        }
        let cells = rows.iter().enumerate().map(|(at, row)| {
            let cell = |field: &String| match field.as_str() {
                "row" => (at + 1).to_string(),
                field => row.get(field).cloned().unwrap_or_default(),
            };
            fields.iter().map(cell).collect()
        });
        let sheet = self.sheet.clone().or(defaults.sheet).unwrap_or_default();
        Ok(Table { title, sheet, columns, rows: cells.collect(), footer })
    }
}

/// The field that a set means by its name, its heading in the shipped set, or its label.
fn meant<'a>(
    typed: &str,
    named: &BTreeMap<&'a str, &'a str>,
    known: &'a BTreeMap<String, String>,
) -> Option<&'a str> {
    let typed = text::compact(typed);
    let is = |name: &str| {
        let name = text::compact(name);
        name == typed || name.split(['(', '（']).next() == Some(&typed)
    };
    if let Some((field, _)) = named.get_key_value(typed.as_str()) {
        return Some(field);
    }
    let by_heading = named.iter().find(|(_, heading)| is(heading)).map(|(field, _)| *field);
    by_heading.or_else(|| known.iter().find(|(_, label)| is(label)).map(|(field, _)| field.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_that_ship_read() {
        for kind in [
            ExportKind::People,
            ExportKind::Places,
            ExportKind::Enterprises,
            ExportKind::Houses,
            ExportKind::Households,
            ExportKind::Cases,
            ExportKind::Summary,
            ExportKind::Assessment,
        ] {
            let set = ColumnSet::shipped(kind);
            assert!(set.columns.len() > 5, "{kind:?}");
            assert!(set.title.is_some_and(|title| title.contains("{street}")), "{kind:?}");
        }
    }
}
