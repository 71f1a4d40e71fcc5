//! Invented ledgers, the same for the same seed.
//!
//! Residents carry numbers of region 990101, which is not assigned to anybody, and phones from
//! 13800000000 to 13800009999. Nothing here describes a person or a place that exists.

use std::collections::BTreeSet;
use std::path::Path;

use wangge_model::checks::{Date, Sex, credit_code, id_number};

use crate::error::LedgerError;
use crate::ledger::ROWS_MAX;
use crate::places::{PlaceRow, place_table};
use crate::residents::{ResidentKind, ResidentRow, resident_table};
use crate::table::{Table, write_table};

/// What a sample holds, for whoever checks that a reader finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Data rows.
    pub rows: u32,
    /// Different people or places among the rows that are not flawed.
    pub distinct: u32,
    /// Flawed rows: as Excel numbers them, and the code that refuses them.
    pub refused: Vec<(u32, &'static str)>,
}

/// Row of the first record: a title and the headings stand above.
const FIRST_ROW: u32 = 3;

/// Columns of the tables that flaws touch.
const NAME: usize = 2;
const SEX: usize = 3;
const ID_NUMBER: usize = 4;
const LONGITUDE: usize = 9;
const LATITUDE: usize = 10;

/// Writes a ledger of `rows` residents spread over `units`; with `flaws`, about one row in
/// forty is one that reading refuses, and some others are typed carelessly or twice.
pub fn write_residents(
    path: impl AsRef<Path>,
    units: &[String],
    rows: u32,
    seed: u64,
    flaws: bool,
) -> Result<Summary, LedgerError> {
    check_request(units, rows)?;
    let mut dice = Dice(seed);
    let mut known = BTreeSet::new();
    let mut people: Vec<ResidentRow> = Vec::new();
    for index in 0..rows {
        let again = flaws && dice.one_in(60);
        let person = match people.last() {
            // The same person twice, once with another phone.
            Some(last) if again => ResidentRow { phone: Some(phone(&mut dice)), ..last.clone() },
            _ => resident(&mut dice, &mut known, unit_of(units, index, rows)),
        };
        people.push(person);
    }
    let title = "实有人口信息登记表(样例,全部为虚构)";
    let mut table = resident_table(title, &people, Vec::new());
    let mut distinct: BTreeSet<&str> = BTreeSet::new();
    let mut refused = Vec::new();
    for (index, person) in people.iter().enumerate() {
        let code = if flaws { flaw_resident(&mut dice, &mut table.rows[index], person) } else { None };
        match code {
            Some(code) => refused.push((FIRST_ROW + index as u32, code)),
            None => {
                distinct.insert(&person.id_number);
            }
        }
    }
    finish(path.as_ref(), &table, distinct.len(), refused)
}

/// Writes a ledger of `rows` places spread over `units`; with `flaws`, about one row in forty
/// is one that reading refuses.
pub fn write_places(
    path: impl AsRef<Path>,
    units: &[String],
    rows: u32,
    seed: u64,
    flaws: bool,
) -> Result<Summary, LedgerError> {
    check_request(units, rows)?;
    let mut dice = Dice(seed);
    let places: Vec<PlaceRow> =
        (0..rows).map(|index| place(&mut dice, index + 1, unit_of(units, index, rows))).collect();
    let mut table = place_table("场所信息登记表(样例,全部为虚构)", &places, Vec::new());
    let mut refused = Vec::new();
    for (index, cells) in table.rows.iter_mut().enumerate() {
        if !(flaws && dice.one_in(40)) {
            continue;
        }
        let code = if dice.one_in(2) {
            cells[NAME].clear();
            "name-missing"
        } else {
            cells[LONGITUDE] = "28.7".to_owned();
            cells[LATITUDE] = "218.5".to_owned();
            "coordinates-out-of-range"
        };
        refused.push((FIRST_ROW + index as u32, code));
    }
    // Every place has its running number in its name.
    let distinct = places.len() - refused.len();
    finish(path.as_ref(), &table, distinct, refused)
}

fn check_request(units: &[String], rows: u32) -> Result<(), LedgerError> {
    if units.is_empty() {
        return Err(LedgerError::NoUnits);
    }
    if rows > ROWS_MAX {
        return Err(LedgerError::TooManyRows { max: ROWS_MAX });
    }
    Ok(())
}

fn finish(
    path: &Path,
    table: &Table,
    distinct: usize,
    refused: Vec<(u32, &'static str)>,
) -> Result<Summary, LedgerError> {
    write_table(path, table)?;
    Ok(Summary { rows: table.rows.len() as u32, distinct: distinct as u32, refused })
}

/// Rows stand unit after unit, as ledgers that villages handed in do.
fn unit_of(units: &[String], index: u32, rows: u32) -> &str {
    let position = u64::from(index) * units.len() as u64 / u64::from(rows.max(1));
    &units[position as usize]
}

fn resident(dice: &mut Dice, known: &mut BTreeSet<String>, unit: &str) -> ResidentRow {
    let id_number = loop {
        let number = invented_id_number(dice);
        if known.insert(number.clone()) {
            break number;
        }
    };
    let is_man = id_number.as_bytes()[16] % 2 == 1;
    let home = format!("{unit}{}号", dice.between(1, 200));
    let kind = match dice.below(100) {
        0 => ResidentKind::Overseas,
        1..=30 => ResidentKind::Floating,
        _ => ResidentKind::Registered,
    };
    let registered_address = match kind {
        ResidentKind::Registered => home.clone(),
        _ => format!("外省某县某乡{}号", dice.between(1, 100)),
    };
    let employer = *dice.pick(&["", "务农", "某木业公司", "某五金厂", "某服装店"]);
    let registered_on = Date::new(2026, dice.between(1, 9) as u8, dice.between(1, 28) as u8);
    ResidentRow {
        id_number,
        name: person_name(dice),
        sex: Some(if is_man { Sex::Male } else { Sex::Female }),
        kind: Some(kind),
        phone: Some(phone(dice)),
        registered_address: Some(registered_address),
        current_address: Some(home),
        employer: (!employer.is_empty()).then(|| employer.to_owned()),
        registered_on: registered_on.ok().map(|date| date.to_string()),
        unit_name: unit.to_owned(),
    }
}

/// Spoils about one row in forty beyond acceptance, and types one in thirty carelessly.
fn flaw_resident(dice: &mut Dice, cells: &mut [String], person: &ResidentRow) -> Option<&'static str> {
    if dice.one_in(30) {
        cells[ID_NUMBER] =
            if dice.one_in(2) { format!(" {} ", person.id_number) } else { full_width(&person.id_number) };
        return None;
    }
    if !dice.one_in(40) {
        return None;
    }
    Some(match dice.below(4) {
        0 => {
            cells[NAME].clear();
            "name-missing"
        }
        1 => {
            cells[ID_NUMBER].truncate(16);
            "id-length"
        }
        2 => {
            let last = if person.id_number.ends_with('0') { '1' } else { '0' };
            cells[ID_NUMBER].pop();
            cells[ID_NUMBER].push(last);
            "id-check-digit"
        }
        _ => {
            let other = match person.sex {
                Some(Sex::Male) => Sex::Female,
                _ => Sex::Male,
            };
            cells[SEX] = other.name_zh().to_owned();
            "sex-disagrees-with-id"
        }
    })
}

fn place(dice: &mut Dice, number: u32, unit: &str) -> PlaceRow {
    const CATEGORIES: [&str; 11] = [
        "小餐饮",
        "养老机构",
        "出租房",
        "仓库",
        "药店",
        "食品店",
        "工地",
        "学校",
        "公共场所",
        "小作坊",
        "规上企业",
    ];
    let category = *dice.pick(&CATEGORIES);
    let unlicensed = matches!(category, "出租房" | "工地" | "公共场所");
    let body = format!("91{:06}MA2{number:06}", 990_101);
    let check = credit_code::check_character(&body);
    let micro_degrees = |base: u32, offset: u32| f64::from(base + offset) / 1_000_000.0;
    PlaceRow {
        name: format!("{}记{category}{number}", dice.pick(&SURNAMES)),
        category: Some(category.to_owned()),
        credit_code: check.filter(|_| !unlicensed).map(|check| format!("{body}{check}")),
        licence_number: None,
        address: Some(format!("{unit}{}号", dice.between(1, 200))),
        manager: Some(person_name(dice)),
        phone: Some(phone(dice)),
        staff_count: Some(dice.between(1, 80)),
        longitude: Some(micro_degrees(118_500_000, dice.below(100_000))),
        latitude: Some(micro_degrees(28_700_000, dice.below(100_000))),
        unit_name: unit.to_owned(),
    }
}

const SURNAMES: [&str; 20] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何",
    "郭", "马", "罗",
];

const GIVEN: [&str; 24] = [
    "建", "国", "华", "明", "军", "强", "伟", "磊", "洋", "勇", "涛", "斌", "英", "玉", "兰", "芳", "娟",
    "敏", "丽", "燕", "红", "霞", "梅", "晓",
];

fn person_name(dice: &mut Dice) -> String {
    let mut name = (*dice.pick(&SURNAMES)).to_owned();
    for _ in 0..dice.between(1, 2) {
        name += *dice.pick(&GIVEN);
    }
    name
}

fn phone(dice: &mut Dice) -> String {
    format!("1380000{:04}", dice.below(10_000))
}

fn invented_id_number(dice: &mut Dice) -> String {
    let year = dice.between(1935, 2022);
    let month = dice.between(1, 12);
    let day = dice.between(1, 28);
    let sequence = dice.between(1, 999);
    let body = format!("990101{year:04}{month:02}{day:02}{sequence:03}");
    let check = id_number::check_character(&body).unwrap_or_default();
    format!("{body}{check}")
}

fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
            c => c,
        })
        .collect()
}

/// SplitMix64: small, and the same numbers on every machine.
///
/// Source: Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound.max(1))) as u32
    }

    fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last - first + 1)
    }

    fn one_in(&mut self, chances: u32) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T>(&mut self, options: &'a [T]) -> &'a T {
        &options[self.below(options.len() as u32) as usize]
    }
}
