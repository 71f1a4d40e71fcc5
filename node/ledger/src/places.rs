//! The ledger of enterprises and other places (场所台账).

use std::path::Path;

use serde::{Deserialize, Serialize};
use wangge_model::checks::{CheckError, Coordinates, CreditCode, text};

use crate::error::LedgerError;
use crate::headings::{Field, Heading};
use crate::ledger::{self, Ledger, LedgerKind, Record};
use crate::row::Row;
use crate::table::{Column, Table};

/// Most people that one place can employ; more is a typing error.
const STAFF_MAX: f64 = 1_000_000.0;

/// A place as a row of a ledger states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceRow {
    /// 名称.
    pub name: String,
    /// 类别, as typed: the code table is the centre's data.
    pub category: Option<String>,
    /// 统一社会信用代码, normalised and of the right shape, so that it can serve as a key. Its
    /// check character may fail (a warning): early pilot codes do.
    pub credit_code: Option<String>,
    /// What the column of the code held if that is none: an old licence number or an error.
    pub licence_number: Option<String>,
    /// 地址.
    pub address: Option<String>,
    /// 负责人.
    pub manager: Option<String>,
    /// 联系电话: normalised if it has a known shape, else as typed.
    pub phone: Option<String>,
    /// 从业人数.
    pub staff_count: Option<u32>,
    /// 经度, degrees east; present if and only if `latitude` is.
    pub longitude: Option<f64>,
    /// 纬度, degrees north.
    pub latitude: Option<f64>,
    /// 所属村(居): the name as typed, normalised; matching it to a unit is the caller's.
    pub unit_name: String,
}

impl PlaceRow {
    /// What tells a place without a credit code from others: name, address and unit, without
    /// blanks, in small letters.
    #[must_use]
    pub fn identity(&self) -> String {
        let part = |part: &str| text::compact(part).to_lowercase();
        format!(
            "{}|{}|{}",
            part(&self.name),
            part(self.address.as_deref().unwrap_or_default()),
            part(&self.unit_name)
        )
    }
}

/// Reads a ledger of places from an Excel, WPS or OpenDocument workbook.
pub fn read_places(path: impl AsRef<Path>) -> Result<Ledger<PlaceRow>, LedgerError> {
    ledger::read(path.as_ref())
}

/// The table that [`read_places`] reads back unchanged, with the headings of the office's own
/// ledger.
#[must_use]
pub fn place_table<'a>(
    title: &str,
    rows: impl IntoIterator<Item = &'a PlaceRow>,
    footer: Vec<String>,
) -> Table {
    let rows = rows
        .into_iter()
        .enumerate()
        .map(|(index, row)| {
            let optional = |value: &Option<String>| value.clone().unwrap_or_default();
            let number = |value: Option<f64>| value.map(|n| n.to_string()).unwrap_or_default();
            let code = row.credit_code.as_ref().or(row.licence_number.as_ref());
            vec![
                (index + 1).to_string(),
                row.unit_name.clone(),
                row.name.clone(),
                optional(&row.category),
                code.cloned().unwrap_or_default(),
                optional(&row.address),
                optional(&row.manager),
                optional(&row.phone),
                row.staff_count.map(|n| n.to_string()).unwrap_or_default(),
                number(row.longitude),
                number(row.latitude),
            ]
        })
        .collect();
    Table {
        title: title.to_owned(),
        sheet: LedgerKind::Places.name_zh().to_owned(),
        columns: vec![
            Column::number("序号", 6.0),
            Column::text("所属村(居)", 16.0),
            Column::text("名称", 24.0),
            Column::text("类别", 12.0),
            Column::text("统一社会信用代码", 22.0),
            Column::text("地址", 30.0),
            Column::text("负责人", 10.0),
            Column::text("联系电话", 16.0),
            Column::number("从业人数", 10.0),
            Column::number("经度", 12.0),
            Column::number("纬度", 12.0),
        ],
        rows,
        footer,
    }
}

impl Record for PlaceRow {
    const KIND: LedgerKind = LedgerKind::Places;

    const HEADINGS: &'static [Heading] = &[
        Heading {
            field: Field::Unit,
            needed: true,
            names: &[
                "所属村(居)",
                "所属村(社区)",
                "所属村",
                "所属社区",
                "村(居)",
                "村(社区)",
                "村(居)委会",
                "行政村",
                "村居名称",
                "村",
                "社区",
                "所属网格",
                "网格名称",
                "网格",
            ],
        },
        Heading {
            field: Field::Name,
            needed: true,
            names: &[
                "名称",
                "场所名称",
                "单位名称",
                "企业名称",
                "企业(场所)名称",
                "商户名称",
                "店铺名称",
                "店名",
                "字号名称",
            ],
        },
        Heading {
            field: Field::Category,
            needed: false,
            names: &["类别", "场所类别", "企业类别", "行业类别", "类型", "场所类型", "单位类型", "行业"],
        },
        Heading {
            field: Field::CreditCode,
            needed: false,
            names: &[
                "统一社会信用代码",
                "社会信用代码",
                "统一信用代码",
                "信用代码",
                "统一社会信用代码(注册号)",
                "营业执照号码",
                "营业执照号",
                "营业执照注册号",
                "注册号",
            ],
        },
        Heading {
            field: Field::Address,
            needed: false,
            names: &[
                "地址",
                "详细地址",
                "场所地址",
                "经营地址",
                "单位地址",
                "企业地址",
                "所在地址",
                "经营场所",
                "详址",
            ],
        },
        Heading {
            field: Field::Manager,
            needed: false,
            names: &[
                "负责人",
                "场所负责人",
                "负责人姓名",
                "法定代表人",
                "法人代表",
                "法人",
                "经营者",
                "业主",
                "安全负责人",
                "联系人",
            ],
        },
        Heading {
            field: Field::Phone,
            needed: false,
            names: &[
                "联系电话",
                "负责人电话",
                "联系方式",
                "手机号码",
                "手机号",
                "手机",
                "电话号码",
                "电话",
                "移动电话",
            ],
        },
        Heading {
            field: Field::StaffCount,
            needed: false,
            names: &[
                "从业人数",
                "从业人员数",
                "从业人员",
                "员工数",
                "员工人数",
                "职工人数",
                "用工人数",
                "人数",
            ],
        },
        Heading {
            field: Field::Longitude,
            needed: false,
            names: &["经度", "东经", "longitude", "lng", "lon"],
        },
        Heading { field: Field::Latitude, needed: false, names: &["纬度", "北纬", "latitude", "lat"] },
    ];

    fn read(row: &mut Row<'_>) -> Result<Self, CheckError> {
        let name = row.name("名称")?;
        let coordinates = read_coordinates(row)?;
        let (credit_code, licence_number) = read_credit_code(row)?;
        Ok(Self {
            name,
            category: row.text(Field::Category)?,
            credit_code,
            licence_number,
            address: row.text(Field::Address)?,
            manager: row.text(Field::Manager)?.map(|manager| text::name(&manager)),
            phone: row.phone()?,
            staff_count: read_staff_count(row),
            longitude: coordinates.map(|place| place.longitude),
            latitude: coordinates.map(|place| place.latitude),
            unit_name: row.unit()?,
        })
    }
}

/// Both numbers or neither; values that no place in China has refuse the row.
fn read_coordinates(row: &mut Row<'_>) -> Result<Option<Coordinates>, CheckError> {
    let shown = |value: &Result<Option<f64>, String>| match value {
        Ok(Some(number)) => number.to_string(),
        Ok(None) => String::new(),
        Err(found) => found.chars().take(20).collect(),
    };
    match (row.number(Field::Longitude), row.number(Field::Latitude)) {
        (Ok(None), Ok(None)) => Ok(None),
        (Ok(Some(longitude)), Ok(Some(latitude))) => {
            Coordinates::new(longitude, latitude).map(Some).map_err(CheckError::from)
        }
        (longitude, latitude) => {
            let (longitude, latitude) = (shown(&longitude), shown(&latitude));
            row.warn(CheckError::new(
                "coordinates-unreadable",
                format!(
                    "经度“{longitude}”、纬度“{latitude}”不完整或不是十进制度数，坐标未导入，请按 118.570000 的格式补填。"
                ),
                format!(
                    "Longitude \"{longitude}\" and latitude \"{latitude}\" are incomplete or \
                     not decimal degrees; the position was left out."
                ),
            ));
            Ok(None)
        }
    }
}

/// The code if it has the shape of one; other text is kept apart, with a warning.
fn read_credit_code(row: &mut Row<'_>) -> Result<(Option<String>, Option<String>), CheckError> {
    let Some(found) = row.text(Field::CreditCode)? else {
        return Ok((None, None));
    };
    Ok(match CreditCode::parse(&found) {
        Ok(code) => {
            if let Some(warning) = code.warning() {
                row.warn(warning);
            }
            (Some(code.into()), None)
        }
        Err(error) => {
            row.warn(error);
            (None, Some(found))
        }
    })
}

fn read_staff_count(row: &mut Row<'_>) -> Option<u32> {
    let found = match row.number(Field::StaffCount) {
        Ok(None) => return None,
        Ok(Some(number)) if number.fract() == 0.0 && (0.0..=STAFF_MAX).contains(&number) => {
            return Some(number as u32);
        }
        Ok(Some(number)) => number.to_string(),
        Err(found) => found.chars().take(20).collect(),
    };
    row.warn(CheckError::new(
        "staff-count-unreadable",
        format!("从业人数“{found}”不是人数，请填整数；该项未导入。"),
        format!("Staff count \"{found}\" is not a whole number; it was left out."),
    ));
    None
}
