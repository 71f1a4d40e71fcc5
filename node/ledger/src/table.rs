//! Writing a table as a workbook that a superior's office can open, print and import.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};
use serde::{Deserialize, Serialize};
use wangge_model::checks::Date;

use crate::error::LedgerError;

/// Most rows of a table: a sheet has 1,048,576, and title, headings and footer need some.
pub const TABLE_ROWS_MAX: usize = 1_048_000;

/// Most columns of a sheet.
const COLUMNS_MAX: usize = 16_384;

/// Most lines of a footer; each is a row below the table.
const FOOTER_LINES_MAX: usize = 500;

/// Longest sheet name that Excel opens.
const SHEET_CHARS_MAX: usize = 31;

/// Longest page footer that Excel opens, in UTF-16 units, less the marks we add.
const PAGE_FOOTER_UNITS_MAX: usize = 200;

/// Marks a footer line, so that a reader of the table takes it for a note.
const FOOTER_MARK: &str = "※ ";

/// A table to be written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Stands above the headings; none if empty.
    pub title: String,
    /// Name of the sheet; characters that Excel forbids are replaced.
    pub sheet: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// One text a column; an empty text is a blank cell.
    pub rows: Vec<Vec<String>>,
    /// Lines below the table, and on each printed page: who exported it, and when.
    pub footer: Vec<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The heading.
    pub title: String,
    /// Width in characters of the default font.
    pub width: f64,
    /// How its cells are stored.
    pub kind: ColumnKind,
}

/// How a column's cells are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// As text, whatever it looks like: ID numbers keep all their digits.
    Text,
    /// As numbers; a text that is none stays text.
    Number,
    /// As dates; a text that is none stays text.
    Date,
}

impl Column {
    /// A column of texts.
    #[must_use]
    pub fn text(title: &str, width: f64) -> Self {
        Self::new(title, width, ColumnKind::Text)
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(title: &str, width: f64) -> Self {
        Self::new(title, width, ColumnKind::Number)
    }

    /// A column of dates.
    #[must_use]
    pub fn date(title: &str, width: f64) -> Self {
        Self::new(title, width, ColumnKind::Date)
    }

    fn new(title: &str, width: f64, kind: ColumnKind) -> Self {
        Self { title: title.to_owned(), width, kind }
    }
}

/// Writes the table to `path`, replacing a file that stands there only once the new one is
/// complete on disk.
pub fn write_table(path: impl AsRef<Path>, table: &Table) -> Result<(), LedgerError> {
    let path = path.as_ref();
    check_size(table)?;
    check_target(path)?;
    let mut workbook = build(table).map_err(|error| LedgerError::Build { detail: error.to_string() })?;
    replace_atomically(path, |file| {
        workbook.save_to_writer(file).map_err(|error| match error {
            XlsxError::IoError(source) => write_error(path, source),
            error => LedgerError::Build { detail: error.to_string() },
        })
    })
}

fn check_size(table: &Table) -> Result<(), LedgerError> {
    let (columns, rows) = (table.columns.len(), table.rows.len());
    let lines = table.footer.len();
    if columns == 0 || columns > COLUMNS_MAX || rows > TABLE_ROWS_MAX || lines > FOOTER_LINES_MAX {
        return Err(LedgerError::TableSize {
            columns,
            rows: rows.max(lines),
            columns_max: COLUMNS_MAX,
            rows_max: TABLE_ROWS_MAX,
        });
    }
    for (index, row) in table.rows.iter().enumerate() {
        if row.len() != columns {
            return Err(LedgerError::RowShape { row: index + 1, cells: row.len(), columns });
        }
    }
    Ok(())
}

fn check_target(path: &Path) -> Result<(), LedgerError> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(LedgerError::NotAFileName { path: path.to_owned() });
    }
    Ok(())
}

fn build(table: &Table) -> Result<Workbook, XlsxError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name(sheet_name(&table.sheet))?;
    let last_column = (table.columns.len() - 1) as u16;
    let mut row = 0;
    if !table.title.is_empty() {
        write_title(sheet, &table.title, last_column)?;
        row += 1;
    }
    let heading_row = row;
    write_headings(sheet, heading_row, &table.columns)?;
    row += 1;
    sheet.set_freeze_panes(row, 0)?;
    let formats: Vec<Format> = table.columns.iter().map(|column| cell_format(column.kind)).collect();
    for cells in &table.rows {
        for (index, text) in cells.iter().enumerate() {
            let column = &table.columns[index];
            write_cell(sheet, row, index as u16, text, column.kind, &formats[index])?;
        }
        row += 1;
    }
    sheet.autofilter(heading_row, 0, row - 1, last_column)?;
    for line in &table.footer {
        let line = format!("{FOOTER_MARK}{line}");
        sheet.write_string_with_format(row, 0, line, &Format::new().set_italic())?;
        row += 1;
    }
    sheet.set_repeat_rows(0, heading_row)?;
    sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    sheet.set_footer(page_footer(&table.footer));
    Ok(workbook)
}

fn write_title(sheet: &mut Worksheet, title: &str, last_column: u16) -> Result<(), XlsxError> {
    let format = Format::new()
        .set_bold()
        .set_font_size(16)
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter);
    sheet.set_row_height(0, 28)?;
    if last_column == 0 {
        sheet.write_string_with_format(0, 0, title, &format)?;
    } else {
        sheet.merge_range(0, 0, 0, last_column, "", &format)?;
        // merge_range would turn a title such as "2026" into a number.
        sheet.write_string_with_format(0, 0, title, &format)?;
    }
    Ok(())
}

fn write_headings(sheet: &mut Worksheet, row: u32, columns: &[Column]) -> Result<(), XlsxError> {
    let format = Format::new()
        .set_bold()
        .set_border(FormatBorder::Thin)
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter)
        .set_text_wrap();
    for (index, column) in columns.iter().enumerate() {
        let index = index as u16;
        sheet.write_string_with_format(row, index, &column.title, &format)?;
        sheet.set_column_width(index, column.width.clamp(1.0, 255.0))?;
        // A cell that someone adds below keeps the kind of its column.
        sheet.set_column_format(index, &number_format(column.kind))?;
    }
    Ok(())
}

/// Writes a cell by its column's kind. Text is always a plain string, never a formula, however
/// it begins.
fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    text: &str,
    kind: ColumnKind,
    format: &Format,
) -> Result<(), XlsxError> {
    if text.is_empty() {
        sheet.write_blank(row, column, format)?;
        return Ok(());
    }
    let number = match kind {
        ColumnKind::Text => None,
        ColumnKind::Number => exact_number(text),
        ColumnKind::Date => Date::parse(text).ok().and_then(Date::to_excel_serial).map(f64::from),
    };
    match number {
        Some(number) => sheet.write_number_with_format(row, column, number, format)?,
        None => sheet.write_string_with_format(row, column, text, format)?,
    };
    Ok(())
}

/// The number that the text states, if a cell can hold it without loss: Excel keeps 15 digits.
fn exact_number(text: &str) -> Option<f64> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let number: f64 = text.parse().ok()?;
    (plain && digits <= 15 && number.is_finite()).then_some(number)
}

fn number_format(kind: ColumnKind) -> Format {
    match kind {
        ColumnKind::Text => Format::new().set_num_format("@"),
        ColumnKind::Number => Format::new(),
        ColumnKind::Date => Format::new().set_num_format("yyyy-mm-dd"),
    }
}

fn cell_format(kind: ColumnKind) -> Format {
    number_format(kind).set_border(FormatBorder::Thin)
}

/// The name without what Excel forbids: `[]:*?/\`, an apostrophe at either end, 32 characters.
fn sheet_name(wanted: &str) -> String {
    let name: String =
        wanted.chars().map(|c| if c.is_control() || "[]:*?/\\".contains(c) { '_' } else { c }).collect();
    let mut name = name.trim_matches(['\'', ' ']).to_owned();
    while name.encode_utf16().count() > SHEET_CHARS_MAX {
        name.pop();
    }
    // A cut may end in an apostrophe again; "History" is reserved.
    let name = name.trim_end_matches(['\'', ' ']);
    if name.is_empty() || name.eq_ignore_ascii_case("history") {
        "Sheet1".to_owned()
    } else {
        name.to_owned()
    }
}

/// The footer's lines at the left of each printed page, the page number at the right.
fn page_footer(lines: &[String]) -> String {
    let mut text = lines.join(" ");
    while text.encode_utf16().count() + text.matches('&').count() > PAGE_FOOTER_UNITS_MAX {
        text.pop();
    }
    // & opens a code; a blank keeps digits from being read as a font size.
    format!("&L {}&R&P/&N", text.replace('&', "&&"))
}

/// Writes through a new file beside the target, then renames it over the target.
fn replace_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let (file, temporary) = create_beside(path).map_err(|source| write_error(path, source))?;
    let written = finish(file, write, path)
        .and_then(|()| fs::rename(&temporary, path).map_err(|source| write_error(path, source)));
    if written.is_err() {
        // What failed is reported; a leftover that cannot be removed adds nothing to it.
        let _ = fs::remove_file(&temporary);
    } else {
        sync_directory(path);
    }
    written
}

fn finish(
    file: File,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), LedgerError>,
    path: &Path,
) -> Result<(), LedgerError> {
    let mut writer = BufWriter::new(file);
    write(&mut writer)?;
    writer.flush().and_then(|()| writer.get_ref().sync_all()).map_err(|source| write_error(path, source))
}

/// A new file in the target's directory, under a name that nothing has.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    const ATTEMPTS_MAX: u32 = 100;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for attempt in 0..ATTEMPTS_MAX {
        let temporary = format!(".{name}.{}-{attempt}.tmp", std::process::id());
        let temporary = path.with_file_name(temporary);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Makes the rename survive a power cut, where directories can be synced.
fn sync_directory(path: &Path) {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // The file itself is complete either way; systems without directory handles refuse this.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

fn write_error(path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_names_are_made_acceptable() {
        let long = "长".repeat(40);
        for (wanted, expect) in [
            ("人口台账", "人口台账"),
            ("2026/8:[a]*?\\", "2026_8__a____"),
            ("'quoted'", "quoted"),
            ("", "Sheet1"),
            ("History", "Sheet1"),
            (long.as_str(), &long[..31 * 3]),
        ] {
            assert_eq!(sheet_name(wanted), expect);
        }
    }

    #[test]
    fn page_footers_stay_within_excels_limit_and_hold_no_codes() {
        let footer = page_footer(&["A&B".to_owned(), "&".repeat(500)]);
        assert!(footer.encode_utf16().count() <= 255, "{footer}");
        let text = footer.trim_start_matches("&L").trim_end_matches("&R&P/&N");
        assert_eq!(text.replace("&&", "").matches('&').count(), 0, "{footer}");
    }

    #[test]
    fn a_write_that_fails_halfway_leaves_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("ledger.xlsx");
        let failed = replace_atomically(&path, |file| {
            file.write_all(b"half").and_then(|()| file.flush()).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "written beside the target");
            Err(write_error(&path, io::ErrorKind::StorageFull.into()))
        });
        assert!(matches!(failed, Err(LedgerError::Write { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn numbers_beyond_fifteen_digits_stay_text() {
        assert_eq!(exact_number("118.574137"), Some(118.574_137));
        assert_eq!(exact_number("990101199001010019"), None);
        assert_eq!(exact_number("1e5"), None);
        assert_eq!(exact_number("inf"), None);
    }
}
