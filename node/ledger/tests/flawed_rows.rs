//! Rows as offices hand them in: what is accepted, refused, warned of and passed over.

mod common;

use common::{Folder, MAN, WOMAN, cell, refusals, residents, texts, warnings, xlsx_of};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use wangge_ledger::{ResidentKind, read_places, read_residents, write_table};
use wangge_model::checks::Sex;

const HEADINGS: [&str; 5] = ["所属村(居)", "姓名", "性别", "公民身份号码", "联系电话"];

#[test]
fn each_flaw_is_refused_with_its_row_and_code() {
    let ledger = residents(
        &HEADINGS,
        &[
            &["中心社区", "张三", "男", MAN, ""],
            &["中心社区", "", "男", MAN, ""],
            &["中心社区", "李四", "男", "9901011990010100", ""],
            &["中心社区", "李四", "男", "990101199001010018", ""],
            &["中心社区", "李四", "女", MAN, ""],
            &["中心社区", "李四", "男", "99010119900101001O", ""],
            &["中心社区", "李四", "男", "", ""],
            &["", "李四", "男", MAN, ""],
            &["中心社区", "王五", "女", WOMAN, ""],
        ],
    )
    .unwrap();
    assert_eq!(
        refusals(&ledger),
        [
            (4, "name-missing"),
            (5, "id-length"),
            (6, "id-check-digit"),
            (7, "sex-disagrees-with-id"),
            (8, "id-characters"),
            (9, "id-missing"),
            (10, "unit-missing"),
        ]
    );
    assert_eq!(ledger.rows, 9);
    let rows: Vec<u32> = ledger.accepted.iter().map(|(row, _)| *row).collect();
    assert_eq!(rows, [3, 11]);
}

#[test]
fn messages_put_chinese_first_and_mask_the_number() {
    let wrong = "990101199001010018";
    let ledger = residents(&HEADINGS, &[&["中心社区", "张三", "男", wrong, ""]]).unwrap();
    let message = &ledger.refused[0].message;
    assert!(message.starts_with("公民身份号码"), "{message}");
    assert!(message.contains("990101********0018"), "{message}");
    assert!(!message.contains(wrong), "{message}");
    assert_eq!(ledger.refused[0].sheet, "台账");
}

#[test]
fn carelessly_typed_rows_are_normalised() {
    let ledger = residents(
        &HEADINGS,
        &[
            &["中心社区 ", " 张　三", " 男", " ９９０１０１１９９００１０１００１９ ", "138 0000 0001"],
            &["中心社区", "王五", "", "11010519491231002x", "无"],
        ],
    )
    .unwrap();
    let [(_, zhang), (_, wang)] = &ledger.accepted[..] else {
        panic!("both rows are good: {:?}", ledger.refused);
    };
    assert_eq!(zhang.name, "张三");
    assert_eq!(zhang.unit_name, "中心社区");
    assert_eq!(zhang.sex, Some(Sex::Male));
    assert_eq!(zhang.id_number, MAN);
    assert_eq!(zhang.phone.as_deref(), Some("13800000001"));
    assert_eq!(wang.id_number, WOMAN);
    assert_eq!((wang.sex, wang.phone.as_deref()), (None, None));
    assert_eq!(warnings(&ledger), []);
}

#[test]
fn what_can_be_left_out_only_warns() {
    let headings = ["所属网格", "姓名", "性别", "身份证号", "手机", "登记时间", "人口类别"];
    let ledger =
        residents(&headings, &[&["一网格", "张三", "难", MAN, "1380000", "2026-02-30", "神仙"]]).unwrap();
    assert_eq!(
        warnings(&ledger),
        [(3, "sex-unreadable"), (3, "kind-unreadable"), (3, "phone-format"), (3, "date-impossible"),]
    );
    let (_, person) = &ledger.accepted[0];
    assert_eq!(person.phone.as_deref(), Some("1380000"), "kept as typed");
    assert_eq!((person.sex, person.kind), (None, None));
    assert_eq!(person.registered_on, None);
}

#[test]
fn kinds_of_residents_are_read() {
    let headings = ["村", "姓名", "身份证", "人口类型"];
    let ledger = residents(
        &headings,
        &[
            &["甲村", "张三", MAN, "户籍人口"],
            &["甲村", "张三", MAN, "流动人口"],
            &["甲村", "张三", MAN, "境外人员"],
        ],
    )
    .unwrap();
    let codes: Vec<_> = ledger.accepted.iter().map(|(_, row)| row.kind.map(ResidentKind::code)).collect();
    assert_eq!(codes, [Some("registered"), Some("floating"), Some("overseas")]);
}

#[test]
fn a_number_stored_as_a_number_has_lost_its_tail() {
    let folder = Folder::new();
    let path = folder.path("numbers.xlsx");
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, heading) in HEADINGS.iter().enumerate() {
        sheet.write_string(0, column as u16, *heading).unwrap();
    }
    for row in 1..=3 {
        sheet.write_string(row, 0, "中心社区").unwrap();
        sheet.write_string(row, 1, "张三").unwrap();
    }
    sheet.write_number(1, 3, 990_101_199_001_010_000_f64).unwrap();
    // An old number of 15 digits is exact: its length is what is wrong.
    sheet.write_number(2, 3, 130_503_670_401_001_f64).unwrap();
    sheet.write_string(3, 3, "9.90101E+17").unwrap();
    sheet.write_number(1, 4, 13_800_000_001_f64).unwrap();
    workbook.save(&path).unwrap();

    let ledger = read_residents(&path).unwrap();
    assert_eq!(refusals(&ledger), [(2, "id-number-cell"), (3, "id-length"), (4, "id-number-cell")]);
    assert!(ledger.refused[0].message.contains("文本"));
}

#[test]
fn cells_of_every_type_are_read() {
    let folder = Folder::new();
    let path = folder.path("types.xlsx");
    let mut workbook = Workbook::new();
    let date_format = Format::new().set_num_format("yyyy/m/d");
    let percent = Format::new().set_num_format("0%");
    let sheet = workbook.add_worksheet();
    let headings = ["所属村(居)", "姓名", "身份证号码", "登记日期", "手机", "工作单位", "现住址", "户籍地址"];
    for (column, heading) in headings.iter().enumerate() {
        sheet.write_string(0, column as u16, *heading).unwrap();
    }
    for row in 1..=3 {
        sheet.write_string(row, 0, "中心社区").unwrap();
        sheet.write_string(row, 1, "张三").unwrap();
        sheet.write_string(row, 2, MAN).unwrap();
    }
    let day = ExcelDateTime::from_ymd(2026, 8, 10).unwrap();
    sheet.write_datetime_with_format(1, 3, &day, &date_format).unwrap();
    sheet.write_number(2, 3, 46_244).unwrap();
    sheet.write_number(3, 3, 20_260_810).unwrap();
    sheet.write_number(1, 4, 13_800_000_001_f64).unwrap();
    sheet.write_boolean(1, 5, true).unwrap();
    let address = Formula::new("=A2&\"1号\"").set_result("中心社区1号");
    sheet.write_formula(1, 6, address).unwrap();
    let failed = Formula::new("=VLOOKUP(1,A:A,1,0)").set_result("#N/A");
    sheet.write_formula(1, 7, failed).unwrap();
    sheet.write_number_with_format(2, 6, 0.5, &percent).unwrap();
    workbook.save(&path).unwrap();

    let ledger = read_residents(&path).unwrap();
    assert_eq!(refusals(&ledger), []);
    for (row, person) in &ledger.accepted {
        assert_eq!(person.registered_on.as_deref(), Some("2026-08-10"), "row {row}");
    }
    let (_, first) = &ledger.accepted[0];
    assert_eq!(first.phone.as_deref(), Some("13800000001"));
    assert_eq!(first.employer.as_deref(), Some("TRUE"));
    assert_eq!(first.current_address.as_deref(), Some("中心社区1号"));
    assert_eq!(first.registered_address, None);
    let (_, second) = &ledger.accepted[1];
    assert_eq!(second.current_address.as_deref(), Some("0.5"));
    assert_eq!(warnings(&ledger), [(2, "cell-error")]);
}

#[test]
fn titles_blank_rows_totals_and_notes_are_no_data() {
    let folder = Folder::new();
    let path = folder.path("notes.xlsx");
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let lines: [(u32, [&str; 4]); 11] = [
        (0, ["2026年人口台账", "", "", ""]),
        (1, ["填报单位:某街道", "", "", ""]),
        (3, ["序号", "所属村\n(居)*", "姓 名（必填）", "身份证号"]),
        (4, ["1", "中心社区", "张三", MAN]),
        // A template's row with nothing but its serial number.
        (5, ["2", "", "", ""]),
        (7, ["序号", "所属村\n(居)*", "姓 名（必填）", "身份证号"]),
        (8, ["3", "中心社区", "王五", WOMAN]),
        (9, ["小计", "", "2人", ""]),
        (10, ["合 计", "2", "", ""]),
        (12, ["填表人:赵六", "", "审核人:钱七", ""]),
        (13, ["注:以上数据截至八月", "", "", ""]),
    ];
    for (row, cells) in lines {
        for (column, text) in cells.iter().enumerate() {
            sheet.write_string(row, column as u16, *text).unwrap();
        }
    }
    workbook.save(&path).unwrap();

    let ledger = read_residents(&path).unwrap();
    assert_eq!(ledger.rows, 2);
    assert_eq!(refusals(&ledger), []);
    let rows: Vec<u32> = ledger.accepted.iter().map(|(row, _)| *row).collect();
    assert_eq!(rows, [5, 9]);
    let notes: Vec<u32> = ledger.notes.iter().map(|(_, row)| *row).collect();
    assert_eq!(notes, [8, 10, 11, 13, 14]);
}

#[test]
fn a_record_that_opens_like_a_note_is_still_a_record() {
    let ledger =
        residents(&["姓名", "身份证号", "村"], &[&["说明:张三", MAN, "甲村"], &["合计", MAN, "甲村"]])
            .unwrap();
    assert_eq!(ledger.rows, 2, "the ID number says it is a person");
}

#[test]
fn all_visible_sheets_with_headings_are_read() {
    let folder = Folder::new();
    let path = folder.path("villages.xlsx");
    let mut workbook = Workbook::new();
    for (name, person, number) in
        [("说明", "", ""), ("甲村", "张三", MAN), ("乙村", "王五", WOMAN), ("草稿", "李四", MAN)]
    {
        let sheet = workbook.add_worksheet();
        sheet.set_name(name).unwrap();
        sheet.set_hidden(name == "草稿");
        if person.is_empty() {
            sheet.write_string(0, 0, "请勿修改表头").unwrap();
            continue;
        }
        for (column, heading) in ["村", "姓名", "身份证号"].iter().enumerate() {
            sheet.write_string(0, column as u16, *heading).unwrap();
        }
        for (column, text) in [name, person, number].iter().enumerate() {
            sheet.write_string(1, column as u16, *text).unwrap();
        }
    }
    workbook.save(&path).unwrap();

    let ledger = read_residents(&path).unwrap();
    assert_eq!(ledger.sheets, ["甲村", "乙村"]);
    let names: Vec<&str> = ledger.accepted.iter().map(|(_, row)| row.name.as_str()).collect();
    assert_eq!(names, ["张三", "王五"]);
    assert_eq!(warnings(&ledger), [(0, "sheet-hidden")]);
}

#[test]
fn a_merged_village_counts_for_every_row_it_spans() {
    let folder = Folder::new();
    let path = folder.path("merged.xlsx");
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, heading) in ["村", "姓名", "身份证号"].iter().enumerate() {
        sheet.write_string(0, column as u16, *heading).unwrap();
    }
    sheet.merge_range(1, 0, 3, 0, "甲村", &Format::new()).unwrap();
    for row in 1..=4 {
        sheet.write_string(row, 1, "张三").unwrap();
        sheet.write_string(row, 2, MAN).unwrap();
    }
    workbook.save(&path).unwrap();

    let ledger = read_residents(&path).unwrap();
    let units: Vec<_> = ledger.accepted.iter().map(|(_, row)| row.unit_name.as_str()).collect();
    assert_eq!(units, ["甲村"; 3]);
    assert_eq!(refusals(&ledger), [(5, "unit-missing")]);
}

#[test]
fn a_stray_cell_in_the_last_corner_costs_nothing() {
    let folder = Folder::new();
    let rows = format!(
        r#"<row r="1">{}{}{}</row><row r="2">{}{}{}</row><row r="1048576">{}</row>"#,
        cell("A1", "村"),
        cell("B1", "姓名"),
        cell("C1", "身份证号"),
        cell("A2", "甲村"),
        cell("B2", "张三"),
        cell("C2", MAN),
        cell("XFD1048576", "x"),
    );
    let path = folder.with_bytes("stray.xlsx", &xlsx_of(&rows, ""));
    let ledger = read_residents(&path).unwrap();
    assert_eq!((ledger.rows, ledger.accepted.len()), (1, 1));
}

#[test]
fn places_are_refused_or_warned_of_by_what_their_codes_and_positions_say() {
    let folder = Folder::new();
    let path = folder.path("places.xlsx");
    let headings = ["所属村(居)", "名称", "统一社会信用代码", "从业人数", "经度", "纬度"];
    let table = texts(
        &headings,
        &[
            &["甲村", "张记小餐饮", "91350100M000100Y43", "12", "118.57", "28.79"],
            &["甲村", "张记小餐饮", "91350100m000100y44", "12人", "", ""],
            &["甲村", "张记小餐饮", "330881000012345", "许多", "东经118.57°", ""],
            &["甲村", "张记小餐饮", "无", "", "28.7", "218.5"],
            &["甲村", "张记小餐饮", "", "", "28.79", "118.57"],
            &["甲村", "张记小餐饮", "", "", "0", "0"],
            &["甲村", "", "", "", "118.57", "28.79"],
        ],
    );
    write_table(&path, &table).unwrap();
    let ledger = read_places(&path).unwrap();
    assert_eq!(
        refusals(&ledger),
        [
            (6, "coordinates-out-of-range"),
            (7, "coordinates-out-of-range"),
            (8, "coordinates-outside-china"),
            (9, "name-missing"),
        ]
    );
    assert!(ledger.refused[1].message.contains("填反"), "swapped values are called so");
    assert_eq!(
        warnings(&ledger),
        [
            (4, "credit-code-check"),
            (5, "coordinates-unreadable"),
            (5, "credit-code-length"),
            (5, "staff-count-unreadable"),
        ]
    );
    let rows: Vec<_> = ledger.accepted.iter().map(|(_, row)| row).collect();
    assert_eq!(rows[1].credit_code.as_deref(), Some("91350100M000100Y44"));
    assert_eq!(rows[1].staff_count, Some(12));
    assert_eq!(rows[2].credit_code, None);
    assert_eq!(rows[2].licence_number.as_deref(), Some("330881000012345"));
    assert_eq!((rows[0].longitude, rows[0].latitude), (Some(118.57), Some(28.79)));
}

#[test]
fn a_place_is_the_same_however_its_name_is_spaced() {
    let folder = Folder::new();
    let path = folder.path("places.xlsx");
    let table = texts(
        &["村", "名称", "地址"],
        &[
            &["甲村", "张记 小餐饮（A座）", "甲村1号"],
            &["甲村", "张记小餐饮(a座)", " 甲村 １号"],
            &["甲村", "张记小餐饮(a座)", "甲村2号"],
        ],
    );
    write_table(&path, &table).unwrap();
    let ledger = read_places(&path).unwrap();
    let identities: Vec<String> = ledger.accepted.iter().map(|(_, row)| row.identity()).collect();
    assert_eq!(identities[0], identities[1]);
    assert_ne!(identities[0], identities[2]);
}

#[test]
fn a_debug_print_of_a_resident_shows_neither_number() {
    let ledger = residents(&HEADINGS, &[&["甲村", "张三", "男", MAN, "13812345678"]]).unwrap();
    let shown = format!("{:?}", ledger.accepted);
    assert!(!shown.contains(MAN) && !shown.contains("13812345678"), "{shown}");
}
