//! Files that are no ledger: each is a clear error, none a panic.

mod common;

use std::fs;
use std::path::Path;

use common::{Folder, MAN, cell, residents, stored_zip, texts, xlsx_in_state, xlsx_of};
use rust_xlsxwriter::Workbook;
use wangge_ledger::{
    FILE_BYTES_MAX, LedgerError, LedgerKind, read_places, read_residents, sample, write_table,
};

#[track_caller]
fn check(path: &Path, is_expected: impl Fn(&LedgerError) -> bool) -> String {
    let error = read_residents(path).expect_err("no ledger");
    assert!(is_expected(&error), "{error:?}");
    error.to_string()
}

#[test]
fn a_file_that_is_not_there_or_no_file() {
    let folder = Folder::new();
    check(&folder.path("none.xlsx"), |error| matches!(error, LedgerError::Read { .. }));
    let directory = folder.path("folder.xlsx");
    fs::create_dir(&directory).unwrap();
    check(&directory, |error| matches!(error, LedgerError::NotAFile { .. }));
}

#[test]
fn an_empty_file() {
    let folder = Folder::new();
    let path = folder.with_bytes("empty.xlsx", b"");
    check(&path, |error| matches!(error, LedgerError::Empty));
}

#[test]
fn other_kinds_of_files_are_named_whatever_their_extension() {
    let folder = Folder::new();
    let word = stored_zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")]);
    let zip = stored_zip(&[("photo.jpg", b"...")]);
    for (bytes, named) in [
        (b"name,id\nz,1".as_slice(), "CSV"),
        (b"<html><table></table></html>", "网页"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\x0D\x0A\0\0", "其他类型"),
        (&word, "Word"),
        (&zip, "压缩包"),
    ] {
        let path = folder.with_bytes("ledger.xlsx", bytes);
        let message = check(&path, |error| matches!(error, LedgerError::NotAWorkbook { .. }));
        assert!(message.contains(named), "{message}");
        assert!(message.contains(".xlsx"), "says what to do: {message}");
    }
}

#[test]
fn a_workbook_under_another_extension_is_read() {
    let folder = Folder::new();
    let path = folder.path("ledger.xls");
    write_table(&path, &texts(&["村", "姓名", "身份证号"], &[&["甲村", "张三", MAN]])).unwrap();
    assert_eq!(read_residents(&path).unwrap().rows, 1);
}

#[test]
fn an_encrypted_workbook_is_called_protected() {
    let folder = Folder::new();
    let mut bytes = vec![0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
    bytes.resize(1024, 0);
    bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    bytes.resize(4096, 0);
    let path = folder.with_bytes("locked.xlsx", &bytes);
    let message = check(&path, |error| matches!(error, LedgerError::Password));
    assert!(message.starts_with("文件有打开密码"), "{message}");
}

#[test]
fn every_truncation_of_a_ledger_is_an_error() {
    let folder = Folder::new();
    let whole = folder.path("whole.xlsx");
    sample::write_residents(&whole, &["甲村".to_owned()], 20, 1, false).unwrap();
    let bytes = fs::read(&whole).unwrap();
    for len in (1..bytes.len()).step_by(97) {
        let path = folder.with_bytes("cut.xlsx", &bytes[..len]);
        assert!(read_residents(&path).is_err(), "{len} of {} bytes", bytes.len());
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let folder = Folder::new();
    let whole = folder.path("whole.xlsx");
    sample::write_residents(&whole, &["甲村".to_owned()], 20, 1, false).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let mut failed = 0;
    for at in (0..bytes.len()).step_by(61) {
        let mut flawed = bytes.clone();
        flawed[at] ^= 0x5A;
        let path = folder.with_bytes("flipped.xlsx", &flawed);
        failed += u32::from(read_residents(&path).is_err());
    }
    assert!(failed > 0, "some flips must show");
}

#[test]
fn a_damaged_old_workbook_is_an_error() {
    let folder = Folder::new();
    let mut bytes = vec![0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
    for fill in [0x00, 0x41, 0xFF] {
        bytes.truncate(8);
        bytes.resize(3000, fill);
        let path = folder.with_bytes("old.xls", &bytes);
        check(&path, |error| matches!(error, LedgerError::Damaged { .. }));
    }
}

#[test]
fn rows_out_of_order_are_damage_not_silence() {
    let folder = Folder::new();
    let rows = format!(r#"<row r="9">{}</row><row r="2">{}</row>"#, cell("A9", "村"), cell("A2", "甲村"));
    let path = folder.with_bytes("order.xlsx", &xlsx_of(&rows, ""));
    check(&path, |error| matches!(error, LedgerError::Damaged { .. }));
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let folder = Folder::new();
    let path = folder.path("huge.xlsx");
    // Sparse: it takes no room on the disk.
    fs::File::create(&path).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    check(&path, |error| matches!(error, LedgerError::TooLarge { .. }));
}

#[test]
fn a_zip_bomb_is_not_unpacked() {
    let folder = Folder::new();
    let mut bytes = stored_zip(&[("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<w/>")]);
    let entry = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    bytes[entry + 24..entry + 28].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    let path = folder.with_bytes("bomb.xlsx", &bytes);
    check(&path, |error| matches!(error, LedgerError::UnpacksTooLarge { .. }));
}

#[test]
fn headings_without_rows() {
    let error = residents(&["村", "姓名", "身份证号"], &[]).unwrap_err();
    assert!(matches!(error, LedgerError::NoRows { ref sheet } if sheet == "台账"), "{error:?}");
}

#[test]
fn a_workbook_whose_sheets_are_all_blank_has_no_columns() {
    let folder = Folder::new();
    let path = folder.path("blank.xlsx");
    let mut workbook = Workbook::new();
    workbook.add_worksheet();
    workbook.save(&path).unwrap();
    check(&path, |error| matches!(error, LedgerError::MissingColumns { found, .. } if found.is_empty()));
}

#[test]
fn a_workbook_whose_sheets_are_all_hidden_says_so() {
    let folder = Folder::new();
    for state in ["hidden", "veryHidden"] {
        let rows = format!(r#"<row r="1">{}</row>"#, cell("A1", "姓名"));
        let path = folder.with_bytes("hidden.xlsx", &xlsx_in_state(state, &rows, ""));
        check(&path, |error| matches!(error, LedgerError::NoSheets));
    }
}

#[test]
fn missing_columns_are_listed_beside_those_found() {
    let error = residents(&["序号", "村", "姓名", "备注"], &[&["1", "甲村", "张三", ""]]).unwrap_err();
    let message = error.to_string();
    let LedgerError::MissingColumns { kind, missing, found } = error else {
        panic!("{error:?}");
    };
    assert_eq!(kind, LedgerKind::Residents);
    assert_eq!(missing, ["公民身份号码"]);
    assert_eq!(found, ["序号", "村", "姓名", "备注"]);
    assert!(message.contains("公民身份号码") && message.contains("备注"), "{message}");
}

#[test]
fn headings_below_row_20_are_not_found() {
    let folder = Folder::new();
    for (row, is_found) in [(20, true), (21, false)] {
        let rows = format!(
            r#"<row r="{row}">{}{}</row><row r="{next}">{}{}</row>"#,
            cell(&format!("A{row}"), "村"),
            cell(&format!("B{row}"), "名称"),
            cell(&format!("A{}", row + 1), "甲村"),
            cell(&format!("B{}", row + 1), "张记"),
            next = row + 1,
        );
        let path = folder.with_bytes("deep.xlsx", &xlsx_of(&rows, ""));
        assert_eq!(read_places(&path).is_ok(), is_found, "row {row}");
    }
}

#[test]
fn a_ledger_of_the_other_kind_says_what_it_lacks() {
    let folder = Folder::new();
    let path = folder.path("places.xlsx");
    sample::write_places(&path, &["甲村".to_owned()], 3, 1, false).unwrap();
    let message = check(&path, |error| matches!(error, LedgerError::MissingColumns { .. }));
    assert!(message.contains("人口台账") && message.contains("姓名"), "{message}");
}

#[test]
fn an_open_document_spreadsheet_is_read() {
    let folder = Folder::new();
    let text = |text: &str| {
        format!(r#"<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>"#)
    };
    let row = |cells: [&str; 3]| format!("<table:table-row>{}</table:table-row>", cells.map(text).concat());
    let content = format!(
        r#"<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet><table:table table:name="台账">{}<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>{}</table:table></office:spreadsheet></office:body></office:document-content>"#,
        row(["村", "姓名", "身份证号"]),
        row(["甲村", "张三", MAN]),
    );
    let bytes = stored_zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", b"<manifest/>"),
        ("content.xml", content.as_bytes()),
    ]);
    let path = folder.with_bytes("ledger.ods", &bytes);
    let ledger = read_residents(&path).unwrap();
    assert_eq!(ledger.accepted[0].0, 5, "repeated blank rows count");
    assert_eq!(ledger.accepted[0].1.id_number, MAN);
}
