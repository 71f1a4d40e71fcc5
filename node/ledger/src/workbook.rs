//! Opening a workbook that may be anything, and walking its rows.
//!
//! The format is told by content, not by extension: half the `.xls` files of an office are
//! something else. Sheets of `.xlsx` and `.xlsb` are streamed, because one stray cell in the
//! last row would otherwise cost a table of that size.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use calamine::{
    Data, DataRef, Dimensions, ExcelDateTime, Ods, Range, Reader, SheetType, SheetVisible, Xls, XlsError,
    Xlsb, XlsbError, Xlsx, XlsxError,
};
use wangge_model::checks::Date;

use crate::archive;
use crate::error::LedgerError;

/// Largest file that is read.
pub const FILE_BYTES_MAX: u64 = 200 * 1024 * 1024;

/// Most bytes that the parts of a workbook may declare to unpack to. A million residents take
/// about 0.7 GiB of XML.
pub const UNPACKED_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Most cells walked in one file, blank ones included.
pub const CELLS_MAX: u64 = 60_000_000;

/// Columns beyond this one are not looked at; stray formats reach to the 16,384th.
const COLUMNS_MAX: usize = 256;

/// A cell's value, whatever the format stored it as.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Cell {
    #[default]
    Blank,
    Text(String),
    Number(f64),
    Day(Date),
    Bool(bool),
    Error(String),
}

impl Cell {
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Blank => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !self.is_blank() => Some(text),
            _ => None,
        }
    }
}

/// A sheet of the workbook.
pub(crate) struct SheetName {
    pub(crate) name: String,
    pub(crate) visible: bool,
}

/// A workbook held in memory.
pub(crate) struct Workbook {
    format: Format,
    cells_seen: u64,
}

enum Format {
    Xlsx(Xlsx<Cursor<Vec<u8>>>),
    Xlsb(Xlsb<Cursor<Vec<u8>>>),
    Xls(Xls<Cursor<Vec<u8>>>),
    Ods(Ods<Cursor<Vec<u8>>>),
}

/// Visits rows in order of their Excel numbers; blank rows may be left out.
pub(crate) type Visit<'a> = dyn FnMut(u32, &mut Vec<Cell>) -> Result<ControlFlow<()>, LedgerError> + 'a;

impl Workbook {
    /// Opens the file and hands it to `use_it`. A panic inside, as damaged files can cause in
    /// the reader, becomes [`LedgerError::Damaged`].
    pub(crate) fn with<T>(
        path: &Path,
        use_it: impl FnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let bytes = read_bounded(path)?;
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut workbook = Self { format: open(bytes)?, cells_seen: 0 };
            use_it(&mut workbook)
        }));
        caught.unwrap_or_else(|panic| Err(damaged(panic_text(&*panic))))
    }

    /// The worksheets in order; charts and macros are none.
    pub(crate) fn sheets(&self) -> Vec<SheetName> {
        let metadata = match &self.format {
            Format::Xlsx(workbook) => workbook.sheets_metadata(),
            Format::Xlsb(workbook) => workbook.sheets_metadata(),
            Format::Xls(workbook) => workbook.sheets_metadata(),
            Format::Ods(workbook) => workbook.sheets_metadata(),
        };
        metadata
            .iter()
            .filter(|sheet| sheet.typ == SheetType::WorkSheet)
            .map(|sheet| SheetName {
                name: sheet.name.clone(),
                visible: sheet.visible == SheetVisible::Visible,
            })
            .collect()
    }

    /// Merged regions of the sheet, for the formats that tell; none is never an error.
    pub(crate) fn merged(&mut self, sheet: &str) -> Vec<Dimensions> {
        match &mut self.format {
            Format::Xlsx(workbook) => workbook.worksheet_merge_cells(sheet).and_then(Result::ok),
            Format::Xls(workbook) => workbook.worksheet_merge_cells(sheet),
            Format::Xlsb(_) | Format::Ods(_) => None,
        }
        .unwrap_or_default()
    }

    /// Walks the sheet until `visit` breaks.
    pub(crate) fn rows(&mut self, sheet: &str, visit: &mut Visit<'_>) -> Result<(), LedgerError> {
        let mut rows = Rows { number: 0, cells: Vec::new(), cells_seen: &mut self.cells_seen, visit };
        match &mut self.format {
            Format::Xlsx(workbook) => {
                let mut reader = match workbook.worksheet_cells_reader(sheet) {
                    Ok(reader) => reader,
                    Err(XlsxError::NotAWorksheet(_)) => return Ok(()),
                    Err(error) => return Err(damaged(error)),
                };
                while let Some(cell) = reader.next_cell().map_err(damaged)? {
                    let at = cell.get_position();
                    if rows.cell(at, || from_ref(cell.get_value()))?.is_break() {
                        return Ok(());
                    }
                }
            }
            Format::Xlsb(workbook) => {
                let mut reader = workbook.worksheet_cells_reader(sheet).map_err(damaged)?;
                while let Some(cell) = reader.next_cell().map_err(damaged)? {
                    let at = cell.get_position();
                    if rows.cell(at, || from_ref(cell.get_value()))?.is_break() {
                        return Ok(());
                    }
                }
            }
            Format::Xls(workbook) => {
                let range = workbook.worksheet_range(sheet).map_err(damaged)?;
                if rows.range(&range)?.is_break() {
                    return Ok(());
                }
            }
            Format::Ods(workbook) => {
                let range = workbook.worksheet_range(sheet).map_err(damaged)?;
                if rows.range(&range)?.is_break() {
                    return Ok(());
                }
            }
        }
        rows.finish_row().map(|_| ())
    }
}

/// Gathers a stream of cells into rows.
struct Rows<'a, 'v> {
    /// The row being gathered, as Excel numbers it; 0 before the first.
    number: u32,
    cells: Vec<Cell>,
    cells_seen: &'a mut u64,
    visit: &'a mut Visit<'v>,
}

impl Rows<'_, '_> {
    fn range(&mut self, range: &Range<Data>) -> Result<ControlFlow<()>, LedgerError> {
        let Some((row_start, column_start)) = range.start() else {
            return Ok(ControlFlow::Continue(()));
        };
        for (row, column, value) in range.used_cells() {
            let at = (row_start + row as u32, column_start + column as u32);
            if self.cell(at, || from_data(value))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn cell(
        &mut self,
        (row, column): (u32, u32),
        value: impl FnOnce() -> Cell,
    ) -> Result<ControlFlow<()>, LedgerError> {
        *self.cells_seen += 1;
        if *self.cells_seen > CELLS_MAX {
            return Err(LedgerError::TooManyCells { max: CELLS_MAX });
        }
        let number = row.saturating_add(1);
        if number < self.number {
            return Err(damaged(format!("row {number} stands below row {}", self.number)));
        }
        if number > self.number {
            if self.finish_row()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.number = number;
        }
        let column = column as usize;
        if column < COLUMNS_MAX {
            let value = value();
            if value != Cell::Blank {
                if self.cells.len() <= column {
                    self.cells.resize(column + 1, Cell::Blank);
                }
                self.cells[column] = value;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish_row(&mut self) -> Result<ControlFlow<()>, LedgerError> {
        if self.cells.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let flow = (self.visit)(self.number, &mut self.cells)?;
        self.cells.clear();
        Ok(flow)
    }
}

/// Vertically merged cells of chosen columns: their value counts for every row they span.
pub(crate) struct Merged {
    /// First row (as Excel numbers it) and column of a region, to its last row.
    regions: BTreeMap<(u32, usize), u32>,
    /// By column: the last row the value counts for, and the value.
    carried: BTreeMap<usize, (u32, Cell)>,
}

impl Merged {
    pub(crate) fn new(regions: &[Dimensions], columns: &[usize]) -> Self {
        let regions = regions
            .iter()
            .filter(|region| region.end.0 > region.start.0 && columns.contains(&(region.start.1 as usize)))
            .map(|region| {
                let first = (region.start.0 + 1, region.start.1 as usize);
                (first, region.end.0 + 1)
            })
            .collect();
        Self { regions, carried: BTreeMap::new() }
    }

    /// Takes up the regions that start in this row.
    pub(crate) fn remember(&mut self, number: u32, cells: &[Cell]) {
        for (&(_, column), &last) in self.regions.range((number, 0)..=(number, usize::MAX)) {
            if let Some(cell) = cells.get(column).filter(|cell| !cell.is_blank()) {
                self.carried.insert(column, (last, cell.clone()));
            }
        }
    }

    /// Fills what regions above left blank in this row.
    pub(crate) fn fill(&self, number: u32, cells: &mut Vec<Cell>) {
        for (&column, (last, value)) in &self.carried {
            if number <= *last && cells.get(column).is_none_or(Cell::is_blank) {
                if cells.len() <= column {
                    cells.resize(column + 1, Cell::Blank);
                }
                cells[column] = value.clone();
            }
        }
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, LedgerError> {
    let read_error = |source| LedgerError::Read { path: path.to_owned(), source };
    let too_large = |len_bytes| LedgerError::TooLarge { len_bytes, max_bytes: FILE_BYTES_MAX };
    let metadata = fs::metadata(path).map_err(read_error)?;
    if !metadata.is_file() {
        return Err(LedgerError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(read_error)?;
    match bytes.len() as u64 {
        0 => Err(LedgerError::Empty),
        len if len > FILE_BYTES_MAX => Err(too_large(len)),
        _ => Ok(bytes),
    }
}

fn open(bytes: Vec<u8>) -> Result<Format, LedgerError> {
    if bytes.starts_with(b"PK") {
        return open_zip(bytes);
    }
    if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        return open_compound(bytes);
    }
    Err(not_a_workbook(&bytes))
}

fn open_zip(bytes: Vec<u8>) -> Result<Format, LedgerError> {
    let Some(contents) = archive::contents(&bytes) else {
        return Err(damaged("the archive's directory is missing"));
    };
    if contents.unpacked_bytes > UNPACKED_BYTES_MAX {
        return Err(LedgerError::UnpacksTooLarge {
            unpacked_bytes: contents.unpacked_bytes,
            max_bytes: UNPACKED_BYTES_MAX,
        });
    }
    let has =
        |wanted: &str| contents.names.iter().any(|name| name.replace('\\', "/").eq_ignore_ascii_case(wanted));
    let cursor = Cursor::new;
    if has("xl/workbook.bin") {
        return match Xlsb::new(cursor(bytes)) {
            Ok(workbook) => Ok(Format::Xlsb(workbook)),
            Err(XlsbError::Password) => Err(LedgerError::Password),
            Err(error) => Err(damaged(error)),
        };
    }
    if has("content.xml") && has("mimetype") {
        return match Ods::new(cursor(bytes)) {
            Ok(workbook) => Ok(Format::Ods(workbook)),
            Err(calamine::OdsError::Password) => Err(LedgerError::Password),
            Err(error) => Err(damaged(error)),
        };
    }
    let of_another_office_program =
        contents.names.iter().any(|name| name.starts_with("word/") || name.starts_with("ppt/"));
    if of_another_office_program || !has("[Content_Types].xml") {
        let (found_zh, found_en) = if of_another_office_program {
            ("Word 或 PowerPoint 文档", "a Word or PowerPoint document")
        } else {
            ("压缩包", "a zip archive")
        };
        return Err(LedgerError::NotAWorkbook { found_zh, found_en });
    }
    match Xlsx::new(cursor(bytes)) {
        Ok(workbook) => Ok(Format::Xlsx(workbook)),
        Err(XlsxError::Password) => Err(LedgerError::Password),
        Err(error) => Err(damaged(error)),
    }
}

/// An OLE file: an old workbook, an encrypted new one, or a document of another program.
fn open_compound(bytes: Vec<u8>) -> Result<Format, LedgerError> {
    let holds_stream = |name: &str| {
        let wanted: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.windows(wanted.len()).step_by(2).any(|window| window == wanted)
    };
    if holds_stream("EncryptedPackage") {
        return Err(LedgerError::Password);
    }
    if holds_stream("WordDocument") {
        return Err(LedgerError::NotAWorkbook { found_zh: "Word 文档", found_en: "a Word document" });
    }
    match Xls::new(Cursor::new(bytes)) {
        Ok(workbook) => Ok(Format::Xls(workbook)),
        Err(XlsError::Password) => Err(LedgerError::Password),
        Err(error) => Err(damaged(error)),
    }
}

fn not_a_workbook(bytes: &[u8]) -> LedgerError {
    let head = &bytes[..bytes.len().min(1024)];
    let start = head.trim_ascii_start().to_ascii_lowercase();
    let (found_zh, found_en) = if start.starts_with(b"%pdf") {
        ("PDF", "a PDF")
    } else if start.starts_with(b"<") || start.starts_with(b"\xEF\xBB\xBF<") {
        ("网页或 XML", "a web page or XML")
    } else if head.contains(&0) {
        ("其他类型的文件", "some other kind of file")
    } else {
        ("纯文本或 CSV", "plain text or CSV")
    };
    LedgerError::NotAWorkbook { found_zh, found_en }
}

#[expect(clippy::needless_pass_by_value, reason = "serves as a function for map_err")]
fn damaged(detail: impl ToString) -> LedgerError {
    LedgerError::Damaged { detail: detail.to_string().chars().take(200).collect() }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "the reader gave up".to_owned())
}

fn from_ref(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Cell::Text(text.clone())
        }
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::Bool(value) => Cell::Bool(*value),
        DataRef::DateTime(date) => from_date(date),
        DataRef::Error(error) => Cell::Error(error.to_string()),
        DataRef::Empty => Cell::Blank,
    }
}

fn from_data(value: &Data) -> Cell {
    match value {
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => Cell::Text(text.clone()),
        Data::Int(number) => Cell::Number(*number as f64),
        Data::Float(number) => Cell::Number(*number),
        Data::Bool(value) => Cell::Bool(*value),
        Data::DateTime(date) => from_date(date),
        Data::Error(error) => Cell::Error(error.to_string()),
        Data::Empty => Cell::Blank,
    }
}

/// A number formatted as a date; one that is no date stays a number.
fn from_date(date: &ExcelDateTime) -> Cell {
    let serial = date.as_f64();
    if !date.is_datetime() || !(1.0..110_000.0).contains(&serial) {
        return Cell::Number(serial);
    }
    // The calendar of 1900 or of 1904: the workbook knows.
    let (year, month, day, ..) = date.to_ymd_hms_milli();
    Date::new(year, month, day).map_or(Cell::Number(serial), Cell::Day)
}
