//! Why a file could not be read as a ledger, or a ledger not written as a file.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::ledger::LedgerKind;

/// A whole file failed; flaws of single rows are [`crate::Refusal`]s instead.
///
/// Each message says it in Chinese, then in English, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file could not be opened or read.
    #[error(
        "无法读取文件 {path}，请检查文件是否存在、是否有权限。 Cannot read {path}; check that \
         it exists and may be read.", path = .path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is a directory or a device.
    #[error("{path} 不是文件，请选择 Excel 文件。 {path} is not a file; choose an Excel file.",
        path = .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file has no bytes.
    #[error("文件是空的(0字节)，请重新导出或复制。 The file is empty (0 bytes); export or copy it again.")]
    Empty,
    /// The file is larger than is read.
    #[error(
        "文件有 {len_bytes} 字节，上限 {max_bytes} 字节，请拆分后导入。 The file has {len_bytes} \
         bytes, the limit is {max_bytes}; split it."
    )]
    TooLarge {
        /// Size of the file.
        len_bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// Not a workbook of a format that is read, whatever its extension says.
    #[error(
        "这不是 Excel 工作簿(内容是{found_zh})，请用 Excel 或 WPS 打开后另存为 .xlsx。 This is \
         not an Excel workbook (it is {found_en}); open it in Excel or WPS and save it as .xlsx."
    )]
    NotAWorkbook {
        /// What its content looks like, in Chinese.
        found_zh: &'static str,
        /// What its content looks like, in English.
        found_en: &'static str,
    },
    /// The workbook is encrypted.
    #[error(
        "文件有打开密码，请在 Excel 或 WPS 中取消密码后再导入。 The workbook is password-protected; \
         remove the password in Excel or WPS first."
    )]
    Password,
    /// The file is truncated or inconsistent.
    #[error(
        "文件已损坏或不完整({detail})，请重新导出或复制。 The workbook is damaged or truncated \
         ({detail}); export or copy it again."
    )]
    Damaged {
        /// Where reading stopped.
        detail: String,
    },
    /// The archive says that it unpacks to more than is read: a zip bomb, or a mistake.
    #[error(
        "文件解压后达 {unpacked_bytes} 字节，上限 {max_bytes} 字节，不予打开。 The workbook unpacks \
         to {unpacked_bytes} bytes, the limit is {max_bytes}; it is not opened."
    )]
    UnpacksTooLarge {
        /// Declared size of all its parts.
        unpacked_bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The workbook has no worksheet that is visible.
    #[error("工作簿中没有可见的工作表。 The workbook has no visible worksheet.")]
    NoSheets,
    /// No sheet has a heading row with all the columns that this kind of ledger needs.
    #[error(
        "前20行中没有找到{}的表头：缺少列 {}；找到的列：{}。请检查表头文字。 No heading row of a \
         {} ledger in the first 20 rows: missing {}; found {}.",
        .kind.name_zh(), list(.missing), list(.found), .kind.name_en(), list(.missing),
        list(.found)
    )]
    MissingColumns {
        /// The kind of ledger that was asked for.
        kind: LedgerKind,
        /// Needed columns that the best candidate lacks.
        missing: Vec<String>,
        /// Headings that the best candidate has, as they stand in the file.
        found: Vec<String>,
    },
    /// Headings and nothing below them.
    #[error("工作表“{sheet}”只有表头，没有数据行。 Sheet \"{sheet}\" has headings but no rows.")]
    NoRows {
        /// The sheet.
        sheet: String,
    },
    /// More rows than are read.
    #[error("数据超过 {max} 行，请拆分后导入。 More than {max} rows; split the ledger.")]
    TooManyRows {
        /// The limit.
        max: u32,
    },
    /// More cells than are read, blank ones included.
    #[error(
        "单元格超过 {max} 个，请删除多余的空行空列后导入。 More than {max} cells; delete surplus \
         blank rows and columns."
    )]
    TooManyCells {
        /// The limit.
        max: u64,
    },
    /// A table to be written that no sheet can hold.
    #[error(
        "表格有 {columns} 列 {rows} 行，无法写入一个工作表(最多 {columns_max} 列 {rows_max} 行)。 \
         The table has {columns} columns and {rows} rows; a sheet holds {columns_max} and \
         {rows_max}."
    )]
    TableSize {
        /// Columns of the table.
        columns: usize,
        /// Rows of the table.
        rows: usize,
        /// Columns a sheet holds.
        columns_max: usize,
        /// Rows a sheet holds.
        rows_max: usize,
    },
    /// A row to be written with more or fewer cells than the table has columns.
    #[error(
        "第 {row} 条数据有 {cells} 个单元格，应为 {columns} 个。 Row {row} of the table has {cells} \
         cells, not {columns}."
    )]
    RowShape {
        /// Which row, from 1.
        row: usize,
        /// Its cells.
        cells: usize,
        /// The table's columns.
        columns: usize,
    },
    /// The path to write to is a directory, or names no file.
    #[error("{path} 不能作为文件名写入。 {path} cannot be written as a file.",
        path = .path.display())]
    NotAFileName {
        /// The path.
        path: PathBuf,
    },
    /// The file could not be written; whatever stood there before is untouched.
    #[error(
        "无法写入 {path}，请检查目录、权限和剩余空间，或是否正被 Excel 打开。 Cannot write {path}; \
         check directory, permission and space, and that Excel does not hold it open.",
        path = .path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The workbook could not be put together, for instance for a text beyond Excel's 32,767.
    #[error("无法生成工作簿({detail})。 Cannot build the workbook ({detail}).")]
    Build {
        /// What the writer said.
        detail: String,
    },
    /// A sample was asked for without any unit to place its rows in.
    #[error("没有给出村(社区)名单，无法生成样例。 A sample needs at least one unit name.")]
    NoUnits,
}

/// Headings as a message lists them.
fn list(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join("、") }
}
