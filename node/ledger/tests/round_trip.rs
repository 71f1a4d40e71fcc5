//! What is written can be read back unchanged, and is safe to open.

mod common;

use std::fs;

use calamine::{Data, Reader, Xlsx, open_workbook};
use common::{Folder, texts};
use wangge_ledger::{
    Column, LedgerError, TABLE_ROWS_MAX, Table, place_table, read_places, read_residents, resident_table,
    sample, write_table,
};

fn units() -> Vec<String> {
    ["中心社区", "镇北社区", "溪淤村委会"].map(str::to_owned).to_vec()
}

fn footer() -> Vec<String> {
    vec!["导出人:张三 2026-08-10 09:30".to_owned(), "含个人信息,注意保密".to_owned()]
}

#[test]
fn exported_residents_import_unchanged() {
    let folder = Folder::new();
    let first = folder.path("first.xlsx");
    sample::write_residents(&first, &units(), 400, 11, true).unwrap();
    let read = read_residents(&first).unwrap();
    let people: Vec<_> = read.accepted.into_iter().map(|(_, row)| row).collect();
    assert!(people.len() > 300);

    let second = folder.path("second.xlsx");
    write_table(&second, &resident_table("人口台账", &people, footer())).unwrap();
    let again = read_residents(&second).unwrap();
    assert_eq!((again.refused.len(), again.warnings.len()), (0, 0));
    assert_eq!(again.rows as usize, people.len(), "footers are no rows");
    assert!(again.accepted.iter().map(|(_, row)| row).eq(&people));
}

/// Without a serial number, the footer stands below the names.
#[test]
fn a_footer_below_a_column_that_is_read_is_no_row() {
    let folder = Folder::new();
    let path = folder.path("footer.xlsx");
    let rows: [&[&str]; 1] = [&["张三", common::MAN, "甲村"]];
    let mut table = texts(&["姓名", "身份证号", "村"], &rows);
    table.footer = footer();
    write_table(&path, &table).unwrap();
    let ledger = read_residents(&path).unwrap();
    assert_eq!((ledger.rows, ledger.accepted.len()), (1, 1));
    assert_eq!(ledger.notes.len(), 2);
}

#[test]
fn exported_places_import_unchanged() {
    let folder = Folder::new();
    let first = folder.path("first.xlsx");
    sample::write_places(&first, &units(), 300, 11, true).unwrap();
    let read = read_places(&first).unwrap();
    let mut places: Vec<_> = read.accepted.into_iter().map(|(_, row)| row).collect();
    places[0].credit_code = None;
    places[0].licence_number = Some("330881000012345".to_owned());

    let second = folder.path("second.xlsx");
    write_table(&second, &place_table("场所台账", &places, footer())).unwrap();
    let again = read_places(&second).unwrap();
    assert_eq!(again.refused.len(), 0);
    assert_eq!(again.rows as usize, places.len());
    assert!(again.accepted.iter().map(|(_, row)| row).eq(&places));
}

#[test]
fn texts_stay_texts_and_are_never_formulas() {
    let folder = Folder::new();
    let path = folder.path("texts.xlsx");
    let hostile = [
        "=1+1",
        "+86 138",
        "-5",
        "@SUM(A1)",
        "990101199001010019",
        "0012",
        "{=A1}",
        "http://a.b",
        "TRUE",
        " \tx",
        "<b>&\"'",
        "_x0041_",
        "a\nb",
        "2026-08-10",
    ];
    let rows: Vec<&[&str]> = hostile.iter().map(std::slice::from_ref).collect();
    write_table(&path, &texts(&["文字"], &rows)).unwrap();

    let mut workbook: Xlsx<_> = open_workbook(&path).unwrap();
    let range = workbook.worksheet_range("台账").unwrap();
    for (index, text) in hostile.iter().enumerate() {
        let value = range.get_value((index as u32 + 2, 0));
        assert_eq!(value, Some(&Data::String((*text).to_owned())));
    }
    let formulas = workbook.worksheet_formula("台账").unwrap();
    assert!(formulas.is_empty());
}

#[test]
fn numbers_and_dates_are_stored_as_such_where_they_are() {
    let folder = Folder::new();
    let path = folder.path("kinds.xlsx");
    let table = Table {
        title: String::new(),
        sheet: "S".to_owned(),
        columns: vec![Column::number("n", 8.0), Column::date("d", 12.0)],
        rows: vec![
            vec!["118.574137".to_owned(), "2026-08-10".to_owned()],
            vec!["约30".to_owned(), "去年".to_owned()],
            vec!["990101199001010019".to_owned(), "2026-02-30".to_owned()],
        ],
        footer: Vec::new(),
    };
    write_table(&path, &table).unwrap();
    let mut workbook: Xlsx<_> = open_workbook(&path).unwrap();
    let range = workbook.worksheet_range("S").unwrap();
    assert_eq!(range.get_value((1, 0)), Some(&Data::Float(118.574_137)));
    let Some(Data::DateTime(date)) = range.get_value((1, 1)) else {
        panic!("a date cell");
    };
    assert_eq!(date.to_ymd_hms_milli(), (2026, 8, 10, 0, 0, 0, 0));
    for (at, text) in
        [((2, 0), "约30"), ((2, 1), "去年"), ((3, 0), "990101199001010019"), ((3, 1), "2026-02-30")]
    {
        assert_eq!(range.get_value(at), Some(&Data::String(text.to_owned())));
    }
}

#[test]
fn an_existing_file_is_replaced_whole_or_not_at_all() {
    let folder = Folder::new();
    let path = folder.with_bytes("ledger.xlsx", b"what stood there");
    let mut table = texts(&["文字"], &[&["x"]]);
    table.rows[0][0] = "x".repeat(40_000);
    let error = write_table(&path, &table).unwrap_err();
    assert!(matches!(error, LedgerError::Build { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), b"what stood there");

    table.rows[0][0] = "x".to_owned();
    write_table(&path, &table).unwrap();
    assert!(fs::read(&path).unwrap().starts_with(b"PK"));
    assert_eq!(folder.names(), ["ledger.xlsx"], "no temporary file is left");
}

#[test]
fn a_directory_is_never_overwritten() {
    let folder = Folder::new();
    let path = folder.path("ledger.xlsx");
    fs::create_dir(&path).unwrap();
    let table = texts(&["文字"], &[&["x"]]);
    let error = write_table(&path, &table).unwrap_err();
    assert!(matches!(error, LedgerError::NotAFileName { .. }), "{error:?}");
    let error = write_table(folder.path("none").join("a.xlsx"), &table).unwrap_err();
    assert!(matches!(error, LedgerError::Write { .. }), "{error:?}");
    assert_eq!(folder.names(), ["ledger.xlsx"]);
}

#[test]
fn tables_that_no_sheet_can_hold_are_refused() {
    let folder = Folder::new();
    let path = folder.path("ledger.xlsx");
    let mut table = texts(&["文字"], &[]);
    table.rows = vec![vec![String::new()]; TABLE_ROWS_MAX + 1];
    let error = write_table(&path, &table).unwrap_err();
    assert!(matches!(error, LedgerError::TableSize { .. }), "{error:?}");
    assert!(error.to_string().contains("1048000"), "{error}");

    let error = write_table(&path, &texts(&[], &[])).unwrap_err();
    assert!(matches!(error, LedgerError::TableSize { columns: 0, .. }), "{error:?}");
    let error = write_table(&path, &texts(&["a", "b"], &[&["1", "2"], &["1"]])).unwrap_err();
    assert!(matches!(error, LedgerError::RowShape { row: 2, cells: 1, columns: 2 }), "{error:?}");
    assert_eq!(folder.names(), [""; 0]);
}
