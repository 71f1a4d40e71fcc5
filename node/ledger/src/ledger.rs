//! What reading a ledger yields, and the loop that reads one.

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wangge_model::checks::CheckError;
use wangge_model::schema::not_collected;

use crate::error::LedgerError;
use crate::headings::{Columns, Heading, Search, rank};
use crate::places::PlaceRow;
use crate::residents::ResidentRow;
use crate::row::Row;
use crate::workbook::{Cell, Merged, Workbook};

/// Most data rows read from one file.
pub const ROWS_MAX: u32 = 1_000_000;

/// The two kinds of ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerKind {
    /// 人口台账: one resident a row.
    Residents,
    /// 场所台账: one place a row.
    Places,
}

impl LedgerKind {
    /// What a column is called here, for whatever heading it goes by in the offices' ledgers: 身份证号 is
    /// 公民身份号码.
    #[must_use]
    pub fn heading(self, typed: &str) -> Option<&'static str> {
        let headings = match self {
            Self::Residents => ResidentRow::HEADINGS,
            Self::Places => PlaceRow::HEADINGS,
        };
        headings.iter().find(|heading| rank(heading, typed).is_some()).map(|heading| heading.names[0])
    }

    /// The ledger's name in Chinese.
    #[must_use]
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::Residents => "人口台账",
            Self::Places => "场所台账",
        }
    }

    /// The ledger's name in English.
    #[must_use]
    pub fn name_en(self) -> &'static str {
        match self {
            Self::Residents => "resident",
            Self::Places => "place",
        }
    }
}

/// A ledger as read: every data row is either accepted or refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger<R> {
    /// Data rows seen: `accepted.len() + refused.len()`.
    pub rows: u32,
    /// Accepted rows with their numbers as Excel shows them, in the order of the file.
    pub accepted: Vec<(u32, R)>,
    /// For each accepted row what stands in columns that no field of the row goes by: the place of the heading
    /// among [`Self::headings`], and the text.
    pub others: Vec<Vec<(usize, String)>>,
    /// The headings of such columns. What is not collected of residents is not read, and stands here with nothing
    /// in any row.
    pub headings: Vec<String>,
    /// Rows that must be corrected first, each with the first check it failed.
    pub refused: Vec<Refusal>,
    /// What was taken otherwise than it stood, or passed over.
    pub warnings: Vec<Warning>,
    /// The sheets read, in the order of the file. Several if each village has its own.
    pub sheets: Vec<String>,
    /// Rows below the headings taken as totals, notes or repeated headings: sheet and row.
    pub notes: Vec<(String, u32)>,
}

/// A row that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The sheet.
    pub sheet: String,
    /// The row, as Excel numbers it.
    pub row: u32,
    /// The unit that the row names, if it names one: a flaw concerns whoever holds that unit.
    pub unit_name: Option<String>,
    /// Stable, for programs.
    pub code: &'static str,
    /// Field, finding and remedy: Chinese, then English.
    pub message: String,
}

/// Something to look at that did not keep a row out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The sheet.
    pub sheet: String,
    /// The row, as Excel numbers it; 0 speaks of the whole sheet.
    pub row: u32,
    /// Stable, for programs.
    pub code: &'static str,
    /// Field, finding and remedy: Chinese, then English.
    pub message: String,
}

/// A kind of row: its columns, and how one is read.
pub(crate) trait Record: Sized {
    const KIND: LedgerKind;
    const HEADINGS: &'static [Heading];

    fn read(row: &mut Row<'_>) -> Result<Self, CheckError>;
}

pub(crate) fn read<R: Record>(path: &Path) -> Result<Ledger<R>, LedgerError> {
    Workbook::with(path, |workbook| {
        let mut reading = Reading::default();
        let mut search = Search::default();
        let (visible, hidden): (Vec<_>, Vec<_>) =
            workbook.sheets().into_iter().partition(|sheet| sheet.visible);
        if visible.is_empty() {
            return Err(LedgerError::NoSheets);
        }
        for sheet in visible {
            reading.sheet(workbook, &sheet.name, &mut search)?;
        }
        let mut ledger = reading.ledger;
        if ledger.sheets.is_empty() {
            return Err(search.missing_columns(R::KIND, R::HEADINGS));
        }
        if ledger.rows == 0 {
            return Err(LedgerError::NoRows { sheet: ledger.sheets.remove(0) });
        }
        for sheet in hidden {
            ledger.warn(
                &sheet.name,
                0,
                CheckError::new(
                    "sheet-hidden",
                    "隐藏的工作表未读取；如需导入请取消隐藏。",
                    "A hidden sheet was not read; unhide it to import it.",
                ),
            );
        }
        Ok(ledger)
    })
}

/// A ledger being read.
struct Reading<R> {
    ledger: Ledger<R>,
}

impl<R> Default for Reading<R> {
    fn default() -> Self {
        Self {
            ledger: Ledger {
                rows: 0,
                accepted: Vec::new(),
                others: Vec::new(),
                headings: Vec::new(),
                refused: Vec::new(),
                warnings: Vec::new(),
                sheets: Vec::new(),
                notes: Vec::new(),
            },
        }
    }
}

impl<R: Record> Reading<R> {
    fn sheet(
        &mut self,
        workbook: &mut Workbook,
        sheet: &str,
        search: &mut Search,
    ) -> Result<(), LedgerError> {
        let merged = workbook.merged(sheet);
        let mut columns: Option<(Columns, Merged)> = None;
        search.start_sheet();
        workbook.rows(sheet, &mut |number, cells| {
            if let Some((columns, merged)) = &mut columns {
                self.row(sheet, number, cells, columns, merged)?;
                return Ok(ControlFlow::Continue(()));
            }
            match search.row(number, cells, R::HEADINGS) {
                ControlFlow::Continue(None) => Ok(ControlFlow::Continue(())),
                ControlFlow::Continue(Some(found)) => {
                    for (_, heading) in found.others() {
                        if !self.ledger.headings.contains(heading) {
                            self.ledger.headings.push(heading.clone());
                        }
                    }
                    let filled = found.filled_down();
                    columns = Some((found, Merged::new(&merged, &filled)));
                    self.ledger.sheets.push(sheet.to_owned());
                    Ok(ControlFlow::Continue(()))
                }
                ControlFlow::Break(()) => Ok(ControlFlow::Break(())),
            }
        })?;
        if columns.is_none() && search.sheet_resembles() {
            self.ledger.warn(
                sheet,
                0,
                CheckError::new(
                    "sheet-skipped",
                    "该工作表缺少必需的列，未读取。",
                    "The sheet lacks needed columns and was not read.",
                ),
            );
        }
        Ok(())
    }

    fn row(
        &mut self,
        sheet: &str,
        number: u32,
        cells: &mut Vec<Cell>,
        columns: &Columns,
        merged: &mut Merged,
    ) -> Result<(), LedgerError> {
        merged.remember(number, cells);
        if columns.is_blank(cells) {
            // Blank, or a template's row with nothing but its serial number and a remark.
            if columns.is_note(cells) {
                self.ledger.notes.push((sheet.to_owned(), number));
            }
            return Ok(());
        }
        if columns.is_note(cells) || columns.repeats_headings(cells, R::HEADINGS) {
            self.ledger.notes.push((sheet.to_owned(), number));
            return Ok(());
        }
        if self.ledger.rows == ROWS_MAX {
            return Err(LedgerError::TooManyRows { max: ROWS_MAX });
        }
        self.ledger.rows += 1;
        merged.fill(number, cells);
        let mut row = Row::new(cells, columns);
        let read = R::read(&mut row);
        let others = if read.is_ok() { self.others(&row, columns) } else { Vec::new() };
        let unit_name = if read.is_err() { row.unit().ok() } else { None };
        for warning in row.into_warnings() {
            self.ledger.warn(sheet, number, warning);
        }
        match read {
            Ok(record) => {
                self.ledger.accepted.push((number, record));
                self.ledger.others.push(others);
            }
            Err(error) => self.ledger.refused.push(Refusal {
                sheet: sheet.to_owned(),
                row: number,
                unit_name,
                code: error.code,
                message: error.to_string(),
            }),
        }
        Ok(())
    }
}

impl<R> Reading<R> {
    fn others(&self, row: &Row<'_>, columns: &Columns) -> Vec<(usize, String)> {
        let collected = columns.others().iter().filter(|(_, heading)| not_collected(heading).is_none());
        let found = collected.filter_map(|(index, heading)| {
            let place = self.ledger.headings.iter().position(|known| known == heading)?;
            Some((place, row.other(*index)?))
        });
        found.collect()
    }
}

impl<R> Ledger<R> {
    #[expect(clippy::needless_pass_by_value, reason = "a finding has one reader")]
    fn warn(&mut self, sheet: &str, row: u32, finding: CheckError) {
        self.warnings.push(Warning {
            sheet: sheet.to_owned(),
            row,
            code: finding.code,
            message: finding.to_string(),
        });
    }
}
