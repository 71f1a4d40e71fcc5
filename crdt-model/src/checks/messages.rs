//! The one form in which every check speaks to people, and all its wording.
//!
//! A message names the field, what was found (ID numbers and phones masked) and what to do.

use std::fmt;

use serde::Serialize;

use super::coordinates::CoordinatesError;
use super::credit_code::CreditCodeError;
use super::date::DateError;
use super::id_number::IdNumberError;
use super::phone::PhoneError;
use super::sex::{Sex, SexError};

/// Longest piece of found text that a message repeats.
const FOUND_CHARS_MAX: usize = 40;

/// A check that did not hold, ready to be shown. Displays Chinese first, then English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckError {
    /// Stable, for programs: `id-check-digit`.
    pub code: &'static str,
    /// For the worker.
    pub message_zh: String,
    /// For whoever maintains the system.
    pub message_en: String,
    /// The field that it is about, by its name for programs, if a form says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
}

impl CheckError {
    /// A check that is worded elsewhere, by the form or ledger it belongs to.
    #[must_use]
    pub fn new(code: &'static str, message_zh: impl Into<String>, message_en: impl Into<String>) -> Self {
        Self { code, message_zh: message_zh.into(), message_en: message_en.into(), field: None }
    }

    /// A record without the name it must have; `field` is 姓名 or 名称.
    #[must_use]
    pub fn name_missing(field: &str) -> Self {
        Self::new(
            "name-missing",
            format!("{field}为空，请补填后重新提交。"),
            "The name is empty; fill it in and submit again.",
        )
    }

    /// A sex that the ID number's parity contradicts.
    #[must_use]
    pub fn sex_disagrees(stated: Sex, by_number: Sex, masked: &str) -> Self {
        Self::new(
            "sex-disagrees-with-id",
            format!(
                "性别填为“{}”，而公民身份号码 {masked} 第17位表示“{}”，请核对证件后改正其中一项。",
                stated.name_zh(),
                by_number.name_zh()
            ),
            format!(
                "Sex is given as {}, but digit 17 of ID number {masked} says {}; \
                 correct one of them from the document.",
                stated.name_en(),
                by_number.name_en()
            ),
        )
    }

    /// A credit code whose check character does not hold: early pilot codes are legal.
    #[must_use]
    pub fn credit_code_check(code: &str) -> Self {
        Self::new(
            "credit-code-check",
            format!("统一社会信用代码 {code} 校验位不符，请对照执照核对；早期试点代码可保留。"),
            format!(
                "Credit code {code} fails its check character; compare it with the licence \
                 (early pilot codes may stand)."
            ),
        )
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.message_zh, self.message_en)
    }
}

impl std::error::Error for CheckError {}

impl From<IdNumberError> for CheckError {
    fn from(error: IdNumberError) -> Self {
        let code = error.code();
        match error {
            IdNumberError::Missing => Self::new(
                code,
                "公民身份号码为空，请补填18位号码。",
                "The ID number is empty; fill in its 18 characters.",
            ),
            IdNumberError::Characters { masked, unexpected } => Self::new(
                code,
                format!("公民身份号码 {masked} 含有“{unexpected}”，只能是数字，末位可为X，请对照证件改正。"),
                format!(
                    "ID number {masked} holds {unexpected:?}; only digits and a final X may \
                     stand there. Correct it from the document."
                ),
            ),
            IdNumberError::Length { masked, len } => {
                let (hint_zh, hint_en) =
                    if len == 15 { ("(旧15位号码)", " (an old number)") } else { ("", "") };
                Self::new(
                    code,
                    format!("公民身份号码 {masked} 有{len}位{hint_zh}，应为18位，请对照证件改正。"),
                    format!(
                        "ID number {masked} has {len} characters{hint_en}, not 18; correct it \
                         from the document."
                    ),
                )
            }
            IdNumberError::CheckDigit { masked } => Self::new(
                code,
                format!("公民身份号码 {masked} 校验位不符，可能有一位录错，请对照证件逐位核对。"),
                format!(
                    "ID number {masked} fails its check digit; a digit is probably mistyped. \
                     Compare it with the document."
                ),
            ),
            IdNumberError::BirthDate { masked } => Self::new(
                code,
                format!("公民身份号码 {masked} 第7至14位不是可能的出生日期，请对照证件改正。"),
                format!(
                    "Digits 7 to 14 of ID number {masked} are no possible birth date; correct \
                     it from the document."
                ),
            ),
        }
    }
}

impl From<CreditCodeError> for CheckError {
    fn from(error: CreditCodeError) -> Self {
        let code = error.code();
        match error {
            CreditCodeError::Missing => Self::new(
                code,
                "统一社会信用代码为空，有执照的请补填。",
                "The credit code is empty; fill it in if the place has a licence.",
            ),
            CreditCodeError::Characters { found, unexpected } => {
                let found = shorten(&found);
                Self::new(
                    code,
                    format!("统一社会信用代码“{found}”含有不应出现的“{unexpected}”，请对照执照改正。"),
                    format!(
                        "Credit code \"{found}\" holds {unexpected:?}, which no code has; \
                         correct it from the licence."
                    ),
                )
            }
            CreditCodeError::Length { found, len } => {
                let found = shorten(&found);
                Self::new(
                    code,
                    format!("统一社会信用代码“{found}”有{len}位，应为18位，请对照执照改正。"),
                    format!(
                        "Credit code \"{found}\" has {len} characters, not 18; correct it from \
                         the licence."
                    ),
                )
            }
        }
    }
}

impl From<PhoneError> for CheckError {
    fn from(error: PhoneError) -> Self {
        let code = error.code();
        match error {
            PhoneError::Missing => {
                Self::new(code, "联系电话为空，请补填。", "The phone number is empty; fill it in.")
            }
            PhoneError::Format { masked, digits } => Self::new(
                code,
                format!("联系电话 {masked} 共{digits}位数字，不是11位手机号或固定电话，请核对。"),
                format!(
                    "Phone {masked} has {digits} digits and is neither a mobile nor a landline; \
                     check it."
                ),
            ),
        }
    }
}

impl From<SexError> for CheckError {
    fn from(error: SexError) -> Self {
        let found = shorten(&error.found);
        Self::new(
            error.code(),
            format!("性别“{found}”无法识别，请填男、女、未知或未说明。"),
            format!("Sex \"{found}\" is not understood; use 男, 女, 未知 or 未说明."),
        )
    }
}

impl From<DateError> for CheckError {
    fn from(error: DateError) -> Self {
        let code = error.code();
        match error {
            DateError::Missing => Self::new(code, "日期为空，请补填。", "The date is empty; fill it in."),
            DateError::Format { found } => {
                let found = shorten(&found);
                Self::new(
                    code,
                    format!("日期“{found}”无法识别，请按 2026-08-10 的格式填写。"),
                    format!("Date \"{found}\" is not understood; write it like 2026-08-10."),
                )
            }
            DateError::Impossible { found } => {
                let found = shorten(&found);
                Self::new(
                    code,
                    format!("日期“{found}”不存在，请核对年、月、日。"),
                    format!("Date \"{found}\" does not exist; check year, month and day."),
                )
            }
        }
    }
}

impl From<CoordinatesError> for CheckError {
    fn from(error: CoordinatesError) -> Self {
        let (hint_zh, hint_en) = if error.swapped() {
            ("经度和纬度可能填反了，请对调", "they look swapped: exchange them")
        } else {
            (
                "请重新定位或改正(我国经度约73至135，纬度约3至54)",
                "locate the place again (China: longitude 73 to 135, latitude 3 to 54)",
            )
        };
        let (CoordinatesError::OutOfRange { longitude, latitude, .. }
        | CoordinatesError::OutsideChina { longitude, latitude, .. }) = error;
        let (wrong_zh, wrong_en) = match error {
            CoordinatesError::OutOfRange { .. } => ("超出范围", "are out of range"),
            CoordinatesError::OutsideChina { .. } => ("不在我国境内", "are not in China"),
        };
        Self::new(
            error.code(),
            format!("经度 {longitude}、纬度 {latitude} {wrong_zh}，{hint_zh}。"),
            format!("Longitude {longitude} and latitude {latitude} {wrong_en}; {hint_en}."),
        )
    }
}

/// Found text as a message repeats it: never a whole pasted paragraph.
fn shorten(found: &str) -> String {
    let mut chars = found.chars();
    let mut short: String = chars.by_ref().take(FOUND_CHARS_MAX).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{Coordinates, Date, IdNumber, Phone};

    #[test]
    fn messages_name_the_field_the_finding_and_the_remedy() {
        let id: CheckError = IdNumber::parse("990101199001010018").unwrap_err().into();
        for part in ["公民身份号码", "990101********0018", "请对照证件"] {
            assert!(id.message_zh.contains(part), "{id}");
        }
        assert!(id.message_en.contains("990101********0018"), "{id}");

        let date: CheckError = Date::parse("2026-02-30").unwrap_err().into();
        assert!(date.message_zh.contains("“2026-02-30”不存在"), "{date}");

        let swapped: CheckError = Coordinates::new(28.79, 118.57).unwrap_err().into();
        assert!(swapped.message_zh.contains("对调"), "{swapped}");
        let elsewhere: CheckError = Coordinates::new(2.35, 48.85).unwrap_err().into();
        assert!(!elsewhere.message_zh.contains("对调"), "{elsewhere}");
    }

    #[test]
    fn chinese_comes_first() {
        let error: CheckError = Phone::parse("12345").unwrap_err().into();
        let shown = error.to_string();
        assert!(shown.starts_with("联系电话"), "{shown}");
        assert!(shown.ends_with(&error.message_en), "{shown}");
        assert!(!shown.contains("12345"), "phones are masked: {shown}");
    }

    #[test]
    fn an_old_number_is_called_old() {
        let old: CheckError = IdNumber::parse("130503670401001").unwrap_err().into();
        assert!(old.message_zh.contains("旧15位号码"), "{old}");
    }

    #[test]
    fn a_pasted_paragraph_is_cut() {
        let error: CheckError = Date::parse(&"长".repeat(5_000)).unwrap_err().into();
        assert!(error.message_zh.chars().count() < 100, "{error}");
    }
}
