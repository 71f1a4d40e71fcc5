//! One row's cells read as fields.

use wangge_model::checks::{CheckError, Date, Phone, text};

use crate::headings::{Columns, Field};
use crate::workbook::Cell;

/// Longest text taken from one cell.
pub const TEXT_CHARS_MAX: usize = 500;

/// Whole numbers from here on are not exact in a spreadsheet's numeric cell.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What people write where there is nothing to write.
const PLACEHOLDERS: [&str; 14] =
    ["无", "暂无", "没有", "/", "\\", "-", "--", "—", "——", "N/A", "n/a", "NA", "空", "未办理"];

/// A row being read; collects what to warn of.
pub(crate) struct Row<'a> {
    cells: &'a [Cell],
    columns: &'a Columns,
    warnings: Vec<CheckError>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(cells: &'a [Cell], columns: &'a Columns) -> Self {
        Self { cells, columns, warnings: Vec::new() }
    }

    pub(crate) fn into_warnings(self) -> Vec<CheckError> {
        self.warnings
    }

    pub(crate) fn warn(&mut self, finding: impl Into<CheckError>) {
        self.warnings.push(finding.into());
    }

    /// The cell of a field; one that holds a spreadsheet error is warned of and blank.
    pub(crate) fn cell(&mut self, field: Field) -> &'a Cell {
        let cell = self.columns.index(field).and_then(|index| self.cells.get(index)).unwrap_or(&Cell::Blank);
        if let Cell::Error(error) = cell {
            self.warn(CheckError::new(
                "cell-error",
                format!("{}一栏是公式错误 {error}，按空白处理，请改正公式。", label(field)),
                format!("A formula failed with {error}; read as blank. Correct the formula."),
            ));
            return &Cell::Blank;
        }
        cell
    }

    /// The cell's text, however it is stored; blank and placeholders are `None`.
    pub(crate) fn text(&mut self, field: Field) -> Result<Option<String>, CheckError> {
        let found = text::free_text(&plain(self.cell(field)));
        let len = found.chars().count();
        if len > TEXT_CHARS_MAX {
            return Err(CheckError::new(
                "text-too-long",
                format!("{}一栏有{len}个字，上限{TEXT_CHARS_MAX}个，请缩短。", label(field)),
                format!("A cell holds {len} characters; the limit is {TEXT_CHARS_MAX}."),
            ));
        }
        Ok((!found.is_empty() && !PLACEHOLDERS.contains(&found.as_str())).then_some(found))
    }

    /// What stands in a column that no field goes by; `None` if that is nothing, or too much.
    pub(crate) fn other(&self, index: usize) -> Option<String> {
        let found = text::free_text(&plain(self.cells.get(index)?));
        let fits = found.chars().count() <= TEXT_CHARS_MAX;
        (fits && !found.is_empty() && !PLACEHOLDERS.contains(&found.as_str())).then_some(found)
    }

    /// A name that the row must have.
    pub(crate) fn name(&mut self, field_zh: &str) -> Result<String, CheckError> {
        self.text(Field::Name)?
            .map(|found| text::name(&found))
            .filter(|found| !found.is_empty())
            .ok_or_else(|| CheckError::name_missing(field_zh))
    }

    /// The unit (所属村(居)) that the row must name.
    pub(crate) fn unit(&mut self) -> Result<String, CheckError> {
        self.text(Field::Unit)?.map(|found| text::name(&found)).ok_or_else(|| {
            CheckError::new(
                "unit-missing",
                "所属村(居)为空，请补填后重新导入。",
                "The village or community is empty; fill it in and import again.",
            )
        })
    }

    /// A phone number, normalised if it has a known shape, else as it stands with a warning.
    pub(crate) fn phone(&mut self) -> Result<Option<String>, CheckError> {
        let Some(found) = self.text(Field::Phone)? else {
            return Ok(None);
        };
        Ok(Some(match Phone::parse(&found) {
            Ok(phone) => phone.into(),
            Err(error) => {
                let mut finding = CheckError::from(error);
                finding.message_zh += "已照原样保留。";
                finding.message_en += " It was kept as typed.";
                self.warn(finding);
                found
            }
        }))
    }

    /// A date in ISO form; one that cannot be read is warned of and left out.
    pub(crate) fn date(&mut self, field: Field) -> Result<Option<String>, CheckError> {
        let date = match self.cell(field) {
            Cell::Day(date) => Ok(*date),
            Cell::Number(number) => Date::from_number(*number),
            _ => match self.text(field)? {
                Some(found) => Date::parse(&found),
                None => return Ok(None),
            },
        };
        Ok(match date {
            Ok(date) => Some(date.to_string()),
            Err(error) => {
                let mut finding = CheckError::from(error);
                finding.message_zh = format!("{}：{}该项未导入。", label(field), finding.message_zh);
                finding.message_en += " The field was left out.";
                self.warn(finding);
                None
            }
        })
    }

    /// A decimal number; `Err` holds the text that is none.
    pub(crate) fn number(&mut self, field: Field) -> Result<Option<f64>, String> {
        if let Cell::Number(number) = self.cell(field) {
            return Ok(Some(*number));
        }
        let found = text::compact(&plain(self.cell(field)));
        if found.is_empty() || PLACEHOLDERS.contains(&found.as_str()) {
            return Ok(None);
        }
        let digits = found
            .trim_start_matches(['东', '北', '经', '纬', 'E', 'N'])
            .trim_end_matches(['°', '度', 'E', 'N', '人', '名', '个'])
            .replace(',', "");
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(found),
        }
    }
}

/// The cell's text as Excel would show it unformatted.
pub(crate) fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Blank | Cell::Error(_) => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) if number.fract() == 0.0 && number.abs() < 1.0e21 => {
            format!("{number:.0}")
        }
        Cell::Number(number) => number.to_string(),
        Cell::Day(date) => date.to_string(),
        Cell::Bool(true) => "TRUE".to_owned(),
        Cell::Bool(false) => "FALSE".to_owned(),
    }
}

/// Whether a number that stood in this cell has lost digits to the spreadsheet.
pub(crate) fn lost_digits(cell: &Cell) -> bool {
    match cell {
        Cell::Number(number) => number.abs() >= EXACT_MAX,
        // 9.90101E+17, from a file that was saved as CSV in between.
        Cell::Text(text) => {
            let text = text::compact(text).to_ascii_uppercase();
            text.contains("E+") && text.parse::<f64>().is_ok()
        }
        _ => false,
    }
}

fn label(field: Field) -> &'static str {
    match field {
        Field::Unit => "所属村(居)",
        Field::Name => "姓名(名称)",
        Field::Sex => "性别",
        Field::IdNumber => "公民身份号码",
        Field::Kind => "人口类型",
        Field::Phone => "联系电话",
        Field::RegisteredAddress => "户籍地详址",
        Field::CurrentAddress => "现住地详址",
        Field::Employer => "服务处所",
        Field::RegisteredOn => "登记日期",
        Field::Category => "类别",
        Field::CreditCode => "统一社会信用代码",
        Field::Address => "地址",
        Field::Manager => "负责人",
        Field::StaffCount => "从业人数",
        Field::Longitude => "经度",
        Field::Latitude => "纬度",
    }
}
