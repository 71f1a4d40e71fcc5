//! Workbooks made at test time: by the writer, and part by part where a flaw needs it.

// Each test file uses its own part of this module.
#![allow(dead_code, unreachable_pub)]

use std::path::PathBuf;

use tempfile::TempDir;
use wangge_ledger::{Column, Ledger, LedgerError, ResidentRow, Table, read_residents, write_table};

/// A valid number of a man born on 1 January 1990.
pub const MAN: &str = "990101199001010019";

/// A valid number of a woman born on 31 December 1949, from the standard.
pub const WOMAN: &str = "11010519491231002X";

pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn with_bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a test file");
        path
    }

    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("a temporary directory");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// A table of texts below the given headings.
pub fn texts(headings: &[&str], rows: &[&[&str]]) -> Table {
    Table {
        title: "实有人口信息登记表".to_owned(),
        sheet: "台账".to_owned(),
        columns: headings.iter().map(|heading| Column::text(heading, 12.0)).collect(),
        rows: rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect(),
        footer: Vec::new(),
    }
}

/// Reads a ledger of residents whose rows are the given texts; the first data row is row 3.
pub fn residents(headings: &[&str], rows: &[&[&str]]) -> Result<Ledger<ResidentRow>, LedgerError> {
    let folder = Folder::new();
    let path = folder.path("residents.xlsx");
    write_table(&path, &texts(headings, rows))?;
    read_residents(&path)
}

/// Row numbers and codes of what was refused.
pub fn refusals<R>(ledger: &Ledger<R>) -> Vec<(u32, &'static str)> {
    let pairs = ledger.refused.iter();
    pairs.map(|refusal| (refusal.row, refusal.code)).collect()
}

/// Row numbers and codes of what was warned of.
pub fn warnings<R>(ledger: &Ledger<R>) -> Vec<(u32, &'static str)> {
    let pairs = ledger.warnings.iter();
    pairs.map(|warning| (warning.row, warning.code)).collect()
}

/// A workbook of one sheet whose XML is given: `rows` is what stands inside `sheetData`,
/// `after` what follows it.
pub fn xlsx_of(rows: &str, after: &str) -> Vec<u8> {
    xlsx_in_state("visible", rows, after)
}

/// The same, with the sheet `visible`, `hidden` or `veryHidden`.
pub fn xlsx_in_state(state: &str, rows: &str, after: &str) -> Vec<u8> {
    let sheet = format!(
        r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData>{after}</worksheet>"#
    );
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    stored_zip(&[
        (
            "[Content_Types].xml",
            format!(r#"<Types xmlns="{package}/content-types"/>"#).as_bytes(),
        ),
        (
            "xl/workbook.xml",
            format!(
                r#"<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet name="台账" sheetId="1" state="{state}" r:id="rId1"/></sheets></workbook>"#
            )
            .as_bytes(),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                r#"<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#
            )
            .as_bytes(),
        ),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

/// An inline-string cell.
pub fn cell(at: &str, text: &str) -> String {
    format!(r#"<c r="{at}" t="inlineStr"><is><t>{text}</t></is></c>"#)
}

/// A zip archive whose entries are stored, not compressed.
pub fn stored_zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in entries {
        let offset = archive.len() as u32;
        let mut common = Vec::new();
        for field in [20_u16, 0x0800, 0, 0, 0] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        for field in [crc32(data), data.len() as u32, data.len() as u32] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        common.extend_from_slice(&(name.len() as u16).to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&common);
        archive.extend_from_slice(name.as_bytes());
        archive.extend_from_slice(data);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let start = archive.len() as u32;
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        archive.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    }
    archive.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    archive.extend_from_slice(&start.to_le_bytes());
    archive.extend_from_slice(&[0, 0]);
    archive
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
