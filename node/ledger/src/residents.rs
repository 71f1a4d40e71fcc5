//! The ledger of residents (人口台账).

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wangge_model::checks::{CheckError, IdNumber, Sex, id_number, phone, text};

use crate::error::LedgerError;
use crate::headings::{Field, Heading};
use crate::ledger::{self, Ledger, LedgerKind, Record};
use crate::row::{Row, lost_digits, plain};
use crate::table::{Column, Table};

/// A resident as a row of a ledger states it. `Debug` masks ID number and phone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidentRow {
    /// 公民身份号码, valid and normalised.
    pub id_number: String,
    /// 姓名.
    pub name: String,
    /// 性别 as stated; it does not contradict the ID number.
    pub sex: Option<Sex>,
    /// 人口类型.
    pub kind: Option<ResidentKind>,
    /// 联系电话: normalised if it has a known shape, else as typed.
    pub phone: Option<String>,
    /// 户籍地详址.
    pub registered_address: Option<String>,
    /// 现住地详址.
    pub current_address: Option<String>,
    /// 服务处所.
    pub employer: Option<String>,
    /// 登记日期, ISO 8601.
    pub registered_on: Option<String>,
    /// 所属村(居): the name as typed, normalised; matching it to a unit is the caller's.
    pub unit_name: String,
}

/// 人口类型.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResidentKind {
    /// 户籍人口.
    Registered,
    /// 流动人口.
    Floating,
    /// 境外人员.
    Overseas,
}

impl ResidentKind {
    /// The code that records store.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Floating => "floating",
            Self::Overseas => "overseas",
        }
    }

    /// The word that ledgers use.
    #[must_use]
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::Registered => "户籍人口",
            Self::Floating => "流动人口",
            Self::Overseas => "境外人员",
        }
    }

    fn parse(found: &str) -> Option<Self> {
        match text::compact(found).to_ascii_lowercase().as_str() {
            "户籍人口" | "户籍" | "户籍人员" | "本地户籍" | "本地人口" | "本地人员" | "registered" => {
                Some(Self::Registered)
            }
            "流动人口" | "流动" | "流动人员" | "外来人口" | "外来人员" | "暂住人口" | "新居民"
            | "floating" => Some(Self::Floating),
            "境外人员" | "境外" | "境外人口" | "港澳台人员" | "外籍人员" | "外国人" | "overseas" => {
                Some(Self::Overseas)
            }
            _ => None,
        }
    }
}

/// Reads a ledger of residents from an Excel, WPS or OpenDocument workbook.
pub fn read_residents(path: impl AsRef<Path>) -> Result<Ledger<ResidentRow>, LedgerError> {
    ledger::read(path.as_ref())
}

/// The table that [`read_residents`] reads back unchanged, with the headings of the office's
/// own ledger.
#[must_use]
pub fn resident_table<'a>(
    title: &str,
    rows: impl IntoIterator<Item = &'a ResidentRow>,
    footer: Vec<String>,
) -> Table {
    let rows = rows
        .into_iter()
        .enumerate()
        .map(|(index, row)| {
            let optional = |value: &Option<String>| value.clone().unwrap_or_default();
            vec![
                (index + 1).to_string(),
                row.unit_name.clone(),
                row.name.clone(),
                row.sex.map(Sex::name_zh).unwrap_or_default().to_owned(),
                row.id_number.clone(),
                row.kind.map(ResidentKind::name_zh).unwrap_or_default().to_owned(),
                optional(&row.phone),
                optional(&row.registered_address),
                optional(&row.current_address),
                optional(&row.employer),
                optional(&row.registered_on),
            ]
        })
        .collect();
    Table {
        title: title.to_owned(),
        sheet: LedgerKind::Residents.name_zh().to_owned(),
        columns: vec![
            Column::number("序号", 6.0),
            Column::text("所属村(居)", 16.0),
            Column::text("姓名", 10.0),
            Column::text("性别", 6.0),
            Column::text("公民身份号码", 22.0),
            Column::text("人口类型", 10.0),
            Column::text("联系电话", 16.0),
            Column::text("户籍地详址", 30.0),
            Column::text("现住地详址", 30.0),
            Column::text("服务处所", 20.0),
            Column::date("登记日期", 12.0),
        ],
        rows,
        footer,
    }
}

impl fmt::Debug for ResidentRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResidentRow")
            .field("id_number", &id_number::mask(&self.id_number))
            .field("name", &self.name)
            .field("sex", &self.sex)
            .field("kind", &self.kind)
            .field("phone", &self.phone.as_deref().map(phone::mask))
            .field("registered_address", &self.registered_address)
            .field("current_address", &self.current_address)
            .field("employer", &self.employer)
            .field("registered_on", &self.registered_on)
            .field("unit_name", &self.unit_name)
            .finish()
    }
}

impl Record for ResidentRow {
    const KIND: LedgerKind = LedgerKind::Residents;

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
                "所属单位",
                "所属网格",
                "网格名称",
                "网格",
            ],
        },
        Heading {
            field: Field::Name,
            needed: true,
            names: &["姓名", "居民姓名", "人员姓名", "中文姓名", "名字"],
        },
        Heading {
            field: Field::IdNumber,
            needed: true,
            names: &[
                "公民身份号码",
                "公民身份证号码",
                "公民身份证号",
                "居民身份证号码",
                "身份证号码",
                "身份证号",
                "身份号码",
                "身份证",
                "证件号码",
                "证件号",
            ],
        },
        Heading { field: Field::Sex, needed: false, names: &["性别"] },
        Heading {
            field: Field::Kind,
            needed: false,
            names: &["人口类型", "人口类别", "人员类型", "人员类别", "人口性质"],
        },
        Heading {
            field: Field::Phone,
            needed: false,
            names: &[
                "联系电话",
                "联系方式",
                "手机号码",
                "手机号",
                "手机",
                "电话号码",
                "电话",
                "联系手机",
                "移动电话",
            ],
        },
        Heading {
            field: Field::RegisteredAddress,
            needed: false,
            names: &["户籍地详址", "户籍地址", "户籍详址", "户籍地详细地址", "户籍所在地", "户籍地"],
        },
        Heading {
            field: Field::CurrentAddress,
            needed: false,
            names: &[
                "现住地详址",
                "现住地址",
                "现住址",
                "现居住地址",
                "现居住地",
                "现居住地详址",
                "居住地址",
                "居住地详址",
                "现住地",
                "居住地",
                "住址",
                "家庭住址",
            ],
        },
        Heading {
            field: Field::Employer,
            needed: false,
            names: &["服务处所", "工作单位", "工作场所", "就业单位", "从业单位", "单位"],
        },
        Heading {
            field: Field::RegisteredOn,
            needed: false,
            names: &["登记日期", "登记时间", "采集日期", "采集时间", "填报日期", "录入日期"],
        },
    ];

    fn read(row: &mut Row<'_>) -> Result<Self, CheckError> {
        let name = row.name("姓名")?;
        let id_number = read_id_number(row)?;
        let sex = read_sex(row)?;
        if let Some(sex) = sex {
            id_number::agree_on_sex(&id_number, sex)?;
        }
        Ok(Self {
            id_number: id_number.into(),
            name,
            sex,
            kind: read_kind(row)?,
            phone: row.phone()?,
            registered_address: row.text(Field::RegisteredAddress)?,
            current_address: row.text(Field::CurrentAddress)?,
            employer: row.text(Field::Employer)?,
            registered_on: row.date(Field::RegisteredOn)?,
            unit_name: row.unit()?,
        })
    }
}

fn read_id_number(row: &mut Row<'_>) -> Result<IdNumber, CheckError> {
    let cell = row.cell(Field::IdNumber);
    if lost_digits(cell) {
        return Err(CheckError::new(
            "id-number-cell",
            "公民身份号码存成了数值，Excel 只保留前15位，末几位已丢失。请把该列设为“文本”格式后重新录入号码。",
            "The ID number is stored as a number, of which Excel keeps 15 digits. Format the \
             column as text and type the number again.",
        ));
    }
    IdNumber::parse(&plain(cell)).map_err(CheckError::from)
}

/// The stated sex; a word that is none is warned of and left out.
fn read_sex(row: &mut Row<'_>) -> Result<Option<Sex>, CheckError> {
    let Some(found) = row.text(Field::Sex)? else {
        return Ok(None);
    };
    Ok(match Sex::parse(&found) {
        Ok(sex) => Some(sex),
        Err(error) => {
            row.warn(error);
            None
        }
    })
}

fn read_kind(row: &mut Row<'_>) -> Result<Option<ResidentKind>, CheckError> {
    let Some(found) = row.text(Field::Kind)? else {
        return Ok(None);
    };
    let kind = ResidentKind::parse(&found);
    if kind.is_none() {
        let shown: String = found.chars().take(20).collect();
        row.warn(CheckError::new(
            "kind-unreadable",
            format!("人口类型“{shown}”无法识别，请填户籍人口、流动人口或境外人员；该项未导入。"),
            format!("Kind \"{shown}\" is not understood and was left out."),
        ));
    }
    Ok(kind)
}
