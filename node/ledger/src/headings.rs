//! Finding the heading row, and which column holds which field.

use std::ops::ControlFlow;

use wangge_model::checks::text;

use crate::error::LedgerError;
use crate::ledger::LedgerKind;
use crate::workbook::Cell;

/// Last row in which headings are looked for.
pub const HEADING_ROW_MAX: u32 = 20;

/// Fields of both kinds of ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Unit,
    Name,
    Sex,
    IdNumber,
    Kind,
    Phone,
    RegisteredAddress,
    CurrentAddress,
    Employer,
    RegisteredOn,
    Category,
    CreditCode,
    Address,
    Manager,
    StaffCount,
    Longitude,
    Latitude,
}

/// A column that a ledger may have.
pub(crate) struct Heading {
    pub(crate) field: Field,
    /// Whether a sheet without it is no such ledger.
    pub(crate) needed: bool,
    /// Names it goes by, the one we write first; where a sheet has several, the earliest wins.
    pub(crate) names: &'static [&'static str],
}

/// Where the fields of one sheet stand.
pub(crate) struct Columns {
    places: Vec<(Field, usize)>,
    /// Columns with headings that no field goes by.
    others: Vec<(usize, String)>,
}

impl Columns {
    pub(crate) fn index(&self, field: Field) -> Option<usize> {
        self.places.iter().find(|(known, _)| *known == field).map(|(_, index)| *index)
    }

    /// Columns with headings that no field goes by, in the order of the sheet.
    pub(crate) fn others(&self) -> &[(usize, String)] {
        &self.others
    }

    /// Columns whose vertically merged cells speak for every row they span.
    pub(crate) fn filled_down(&self) -> Vec<usize> {
        [Field::Unit, Field::RegisteredAddress, Field::CurrentAddress, Field::Address]
            .into_iter()
            .filter_map(|field| self.index(field))
            .collect()
    }

    /// Whether none of the known columns holds anything.
    pub(crate) fn is_blank(&self, cells: &[Cell]) -> bool {
        self.places.iter().all(|(_, index)| cells.get(*index).is_none_or(Cell::is_blank))
    }

    /// Whether the row is a total or a note: it opens with such a word and lacks what a record
    /// is recognised by.
    pub(crate) fn is_note(&self, cells: &[Cell]) -> bool {
        const OPENINGS: [&str; 24] = [
            "合计",
            "总计",
            "小计",
            "共计",
            "累计",
            "总数",
            "填表",
            "填报",
            "制表",
            "审核",
            "审批",
            "复核",
            "经办",
            "单位负责",
            "负责人:",
            "备注:",
            "注:",
            "注1",
            "说明:",
            "打印",
            "导出",
            "统计时间",
            "※",
            "*",
        ];
        let identified = [Field::IdNumber, Field::CreditCode, Field::Address]
            .into_iter()
            .filter_map(|field| self.index(field))
            .any(|index| cells.get(index).is_some_and(|cell| !cell.is_blank()));
        let first = cells.iter().find(|cell| !cell.is_blank());
        let Some(Cell::Text(first)) = first else {
            return false;
        };
        // 合 计 is often spaced out.
        let first = text::compact(first);
        !identified && OPENINGS.iter().any(|opening| first.starts_with(opening))
    }

    /// Whether the row is the heading row again, as on each printed page.
    pub(crate) fn repeats_headings(&self, cells: &[Cell], headings: &[Heading]) -> bool {
        headings.iter().filter(|heading| heading.needed).all(|heading| {
            self.index(heading.field)
                .and_then(|index| cells.get(index))
                .and_then(Cell::as_text)
                .is_some_and(|text| rank(heading, text).is_some())
        })
    }
}

/// The search for a heading row through all the sheets, and the best candidate if there is none.
#[derive(Default)]
pub(crate) struct Search {
    /// How many fields the best candidate names, then how many cells it has.
    best: (usize, usize),
    best_texts: Vec<String>,
    best_known: Vec<Field>,
    sheet_best: usize,
}

impl Search {
    pub(crate) fn start_sheet(&mut self) {
        self.sheet_best = 0;
    }

    /// Whether the present sheet has a row that looks like headings of this ledger, though
    /// something needed is missing.
    pub(crate) fn sheet_resembles(&self) -> bool {
        self.sheet_best >= 2
    }

    /// Looks at one row: the columns if it is the heading row, `Break` when the search is over.
    pub(crate) fn row(
        &mut self,
        number: u32,
        cells: &[Cell],
        headings: &[Heading],
    ) -> ControlFlow<(), Option<Columns>> {
        if number > HEADING_ROW_MAX {
            return ControlFlow::Break(());
        }
        let texts: Vec<Option<&str>> = cells.iter().map(Cell::as_text).collect();
        let mut places = Vec::new();
        for heading in headings {
            let candidates = texts.iter().enumerate().filter_map(|(index, text)| {
                let rank = rank(heading, (*text)?)?;
                Some((rank, index))
            });
            if let Some((_, index)) = candidates.min() {
                places.push((heading.field, index));
            }
        }
        let complete = headings
            .iter()
            .filter(|heading| heading.needed)
            .all(|heading| places.iter().any(|(field, _)| *field == heading.field));
        if complete {
            let others = texts.iter().enumerate().filter_map(|(index, text)| {
                let heading = text::compact((*text)?);
                let known = places.iter().any(|(_, place)| *place == index);
                (!known && !heading.is_empty()).then_some((index, heading))
            });
            let others = others.collect();
            return ControlFlow::Continue(Some(Columns { places, others }));
        }
        let filled = texts.iter().flatten().count();
        self.sheet_best = self.sheet_best.max(places.len());
        if (places.len(), filled) > self.best {
            self.best = (places.len(), filled);
            self.best_texts = texts.iter().flatten().map(|text| shown(text)).collect();
            self.best_known = places.into_iter().map(|(field, _)| field).collect();
        }
        ControlFlow::Continue(None)
    }

    /// What the best candidate lacked.
    pub(crate) fn missing_columns(self, kind: LedgerKind, headings: &[Heading]) -> LedgerError {
        let missing = headings
            .iter()
            .filter(|heading| heading.needed && !self.best_known.contains(&heading.field))
            .map(|heading| heading.names[0].to_owned())
            .collect();
        LedgerError::MissingColumns { kind, missing, found: self.best_texts }
    }
}

/// How early among its names the heading knows this text; `None` if not at all.
pub(crate) fn rank(heading: &Heading, text: &str) -> Option<usize> {
    let whole = bare(text);
    let outside = bare(&without_brackets(text));
    heading
        .names
        .iter()
        .position(|name| bare(name) == whole)
        .or_else(|| heading.names.iter().position(|name| bare(name) == outside))
}

/// A heading by its letters alone: no width, blanks, line breaks, asterisks, brackets, colons.
fn bare(text: &str) -> String {
    text::compact(text).chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// The heading without remarks in brackets: `登记日期(年/月/日)` is 登记日期.
fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let mut outside = String::new();
    for c in text::half_width(text).chars() {
        match c {
            '(' | '[' | '{' | '【' | '〔' | '《' | '<' => depth += 1,
            ')' | ']' | '}' | '】' | '〕' | '》' | '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    outside
}

/// A heading as an error lists it.
fn shown(text: &str) -> String {
    text::free_text(text).chars().take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADINGS: &[Heading] = &[
        Heading { field: Field::Unit, needed: true, names: &["所属村(居)", "网格"] },
        Heading { field: Field::RegisteredOn, needed: false, names: &["登记日期"] },
    ];

    #[track_caller]
    fn check(texts: &[&str], field: Field, expect: Option<usize>) {
        let cells: Vec<Cell> = texts.iter().map(|text| Cell::Text((*text).to_owned())).collect();
        let found = match Search::default().row(1, &cells, HEADINGS) {
            ControlFlow::Continue(Some(columns)) => columns.index(field),
            _ => None,
        };
        assert_eq!(found, expect, "{texts:?}");
    }

    #[test]
    fn decoration_does_not_hide_a_heading() {
        for typed in
            ["所属村(居)", "所属村（居）", "*所属\n村 ( 居 )", "所属村居:", "【所属村居】", "网格（必填）"]
        {
            check(&["序号", typed], Field::Unit, Some(1));
        }
        check(&["网格", "登记日期(年/月/日)"], Field::RegisteredOn, Some(1));
    }

    #[test]
    fn the_more_precise_name_wins_wherever_it_stands() {
        check(&["网格", "所属村(居)"], Field::Unit, Some(1));
        check(&["所属村(居)", "网格"], Field::Unit, Some(0));
    }

    #[test]
    fn a_heading_inside_a_longer_word_is_not_one() {
        check(&["网格长"], Field::Unit, None);
        check(&["登记日期"], Field::RegisteredOn, None);
    }
}
