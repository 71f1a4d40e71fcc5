//! Checklists (检查表): versioned data that the centre replaces, and the answers that an inspection gives.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::checks::{CheckError, text};
use crate::document::VALUE_LEN_BYTES_MAX;

/// Most items of a checklist.
pub const ITEMS_MAX: usize = 100;
/// Longest code of a checklist or an item, in bytes.
pub const CODE_LEN_BYTES_MAX: usize = 40;
/// Longest text of an item or an answer, in characters.
pub const TEXT_CHARS_MAX: usize = 400;

/// The checklists that ship.
const SHIPPED: [&str; 4] = [
    include_str!("../../data/checklists/rental-fire.json"),
    include_str!("../../data/checklists/workplace.json"),
    include_str!("../../data/checklists/food-drug.json"),
    include_str!("../../data/checklists/illegal-building.json"),
];

/// A version of a checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// Its code, the same in all versions.
    pub code: String,
    /// What it is called.
    pub title: String,
    /// The version, from 1; 0 in a file that leaves it to the centre.
    #[serde(default)]
    pub version: u32,
    /// The kind of hazard that a failing item opens, unless the item says another.
    #[serde(default)]
    pub hazard: String,
    /// What is looked at.
    pub items: Vec<Item>,
}

/// One thing that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its code, unique in the checklist.
    pub code: String,
    /// What should be so, or what is asked.
    pub text: String,
    /// How it is answered.
    #[serde(default, skip_serializing_if = "Answering::is_yes_no")]
    pub answer: Answering,
    /// The answers to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Choices that are not as it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fails: Vec<String>,
    /// May stay without an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Often does not apply; a hint for the screen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub na: bool,
    /// The kind of hazard that it opens when it fails.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hazard: String,
}

/// How an item is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answering {
    /// 是 (as it should be), 否 (it is not) or 不适用.
    #[default]
    YesNo,
    /// One of the choices.
    Choice,
    /// A text.
    Text,
}

impl Answering {
    fn is_yes_no(&self) -> bool {
        *self == Self::YesNo
    }
}

/// Answers that are complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Code of an item -> `yes`, `no`, `na`, a choice or a text.
    pub answers: BTreeMap<String, String>,
    /// Codes of items that are not as they should be.
    pub failing: Vec<String>,
}

/// Why a file is no checklist, or answers are no answers to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChecklistError {
    /// Not JSON of that form.
    #[error("this is no checklist: {reason}")]
    Form {
        /// What the reader says.
        reason: String,
    },
    /// A value that cannot be right.
    #[error("{field} of the checklist is wrong: {reason}")]
    Field {
        /// Where.
        field: String,
        /// What the matter is, in Chinese.
        zh: &'static str,
        /// And in English.
        reason: &'static str,
    },
    /// Too long to be stored.
    #[error("the checklist takes {len_bytes} bytes; the limit is {len_bytes_max}")]
    TooLong {
        /// How long.
        len_bytes: usize,
        /// The limit.
        len_bytes_max: usize,
    },
    /// No newer than what is in use.
    #[error("version {found} is in use already: the next is {next}")]
    NotNewer {
        /// The version given.
        found: u32,
        /// The one that it should be.
        next: u32,
    },
    /// Items without an answer.
    #[error("{} items have no answer: {}", codes.len(), codes.join(", "))]
    Missing {
        /// Number, text and code of each.
        missing: Vec<String>,
        /// The codes alone.
        codes: Vec<String>,
    },
    /// An item that the checklist does not have.
    #[error("the checklist has no item {code:?}; it has {known}")]
    Unknown {
        /// What was given.
        code: String,
        /// Its items.
        known: String,
    },
    /// Two answers to one item.
    #[error("item {code:?} is answered twice, by {first:?} and by {second:?}")]
    Twice {
        /// The item.
        code: String,
        /// What was answered.
        first: String,
        /// And what else.
        second: String,
    },
    /// An answer that is none of the possible ones.
    #[error("{answer:?} is no answer to item {code:?}")]
    Answer {
        /// The item.
        code: String,
        /// Its text.
        text: String,
        /// What was answered.
        answer: String,
        /// What is possible.
        possible: String,
    },
}

impl ChecklistError {
    /// The item that the answers are wrong about.
    pub fn item(&self) -> Option<&str> {
        match self {
            Self::Missing { codes, .. } => codes.first().map(String::as_str),
            Self::Answer { code, .. } | Self::Twice { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl From<ChecklistError> for CheckError {
    fn from(error: ChecklistError) -> Self {
        let english = error.to_string();
        let (code, zh) = match error {
            ChecklistError::Form { reason } => {
                ("not-a-checklist", format!("这个文件不是检查表(JSON,要有 code、title、items):{reason}"))
            }
            ChecklistError::Field { field, zh, .. } => {
                ("not-a-checklist", format!("检查表的“{field}”{zh},没有保存。"))
            }
            ChecklistError::TooLong { len_bytes, len_bytes_max } => {
                ("not-a-checklist", format!("检查表太长({len_bytes} 字节,上限 {len_bytes_max}),请精简。"))
            }
            ChecklistError::NotNewer { found, next } => (
                "version-not-newer",
                format!("版本 {found} 已经用过,新版本应为 {next};不写 version 则自动编号。"),
            ),
            ChecklistError::Missing { missing, .. } => (
                "answer-missing",
                format!("还有 {} 项没有填写,没有提交:{}。", missing.len(), missing.join(";")),
            ),
            ChecklistError::Unknown { code, known } => {
                ("item-unknown", format!("检查表没有“{code}”这一项,可用:{known}。"))
            }
            ChecklistError::Twice { code, first, second } => {
                ("answer-twice", format!("“{code}”写了两个答案“{first}”和“{second}”,没有提交,请只留一个。"))
            }
            ChecklistError::Answer { text, answer, possible, .. } => {
                ("answer-unreadable", format!("“{text}”的答案“{answer}”无法识别,可填:{possible}。"))
            }
        };
        Self::new(code, zh, english)
    }
}

impl Checklist {
    /// The checklists that ship; the centre may have replaced any.
    pub fn shipped() -> Vec<Self> {
        SHIPPED.iter().filter_map(|text| Self::parse(text).ok()).collect()
    }

    /// Reads a checklist and checks it.
    ///
    /// # Errors
    /// [`ChecklistError`].
    pub fn parse(json: &str) -> Result<Self, ChecklistError> {
        if json.len() > VALUE_LEN_BYTES_MAX * 4 {
            return Err(ChecklistError::TooLong {
                len_bytes: json.len(),
                len_bytes_max: VALUE_LEN_BYTES_MAX,
            });
        }
        let json = json.trim_start_matches('\u{feff}');
        let mut checklist: Self =
            serde_json::from_str(json).map_err(|error| ChecklistError::Form { reason: error.to_string() })?;
        checklist.title = text::free_text(&checklist.title);
        for item in &mut checklist.items {
            item.text = text::free_text(&item.text);
        }
        checklist.check()?;
        Ok(checklist)
    }

    fn check(&self) -> Result<(), ChecklistError> {
        let wrong = |field: String, zh, reason| Err(ChecklistError::Field { field, zh, reason });
        let bad_code = |code: &str| {
            code.is_empty()
                || code.len() > CODE_LEN_BYTES_MAX
                || !code.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        if bad_code(&self.code) {
            return wrong("code".to_owned(), "为空或含有字母、数字、连字符以外的字符", "empty or not a code");
        }
        if self.title.is_empty() || self.title.chars().count() > TEXT_CHARS_MAX {
            return wrong("title".to_owned(), "为空或太长", "empty or too long");
        }
        if self.items.is_empty() || self.items.len() > ITEMS_MAX {
            return wrong("items".to_owned(), "没有检查项,或超过 100 项", "none, or more than 100");
        }
        let mut codes = BTreeSet::new();
        for (number, item) in (1..).zip(&self.items) {
            let at = |what: &str| format!("第 {number} 项 {what}");
            if bad_code(&item.code) {
                return wrong(at("code"), "为空或含有字母、数字、连字符以外的字符", "empty or not a code");
            }
            if !codes.insert(&item.code) {
                return wrong(at("code"), "与前面的重复", "repeats an earlier one");
            }
            if item.text.is_empty() || item.text.chars().count() > TEXT_CHARS_MAX {
                return wrong(at("text"), "为空或太长", "empty or too long");
            }
            if (item.answer == Answering::Choice) != (item.choices.len() > 1) {
                return wrong(
                    at("choices"),
                    "与 answer 不符:选择题至少两个选项,其他没有选项",
                    "does not fit its answer",
                );
            }
            if item.fails.iter().any(|fail| !item.choices.contains(fail)) {
                return wrong(at("fails"), "不在选项之中", "is not among the choices");
            }
        }
        let len_bytes = self.to_json().len();
        if len_bytes > VALUE_LEN_BYTES_MAX {
            return Err(ChecklistError::TooLong { len_bytes, len_bytes_max: VALUE_LEN_BYTES_MAX });
        }
        Ok(())
    }

    /// As it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The item of a code.
    pub fn item(&self, code: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.code == code)
    }

    /// The kind of hazard that an item opens when it fails.
    pub fn hazard_of<'a>(&'a self, item: &'a Item) -> &'a str {
        match (item.hazard.as_str(), self.hazard.as_str()) {
            ("", "") => "99",
            ("", general) => general,
            (own, _) => own,
        }
    }

    /// Checks answers: each item that needs one has one, and none is unknown.
    ///
    /// # Errors
    /// [`ChecklistError`], naming all items that are missing.
    pub fn answered(&self, given: &BTreeMap<String, String>) -> Result<Answered, ChecklistError> {
        for code in given.keys() {
            if self.item(code).is_none() {
                let known: Vec<&str> = self.items.iter().map(|item| item.code.as_str()).collect();
                let code = code.chars().take(CODE_LEN_BYTES_MAX).collect();
                return Err(ChecklistError::Unknown { code, known: known.join("、") });
            }
        }
        let mut answered = Answered { answers: BTreeMap::new(), failing: Vec::new() };
        let (mut missing, mut codes) = (Vec::new(), Vec::new());
        for (number, item) in (1..).zip(&self.items) {
            let typed = given.get(&item.code).map(|typed| text::free_text(typed)).unwrap_or_default();
            if typed.is_empty() {
                if !item.optional {
                    codes.push(item.code.clone());
                    missing.push(format!("第 {number} 项“{}”({})", item.text, item.code));
                }
                continue;
            }
            let answer = item.read(&typed)?;
            if answer == "no" && item.answer == Answering::YesNo || item.fails.contains(&answer) {
                answered.failing.push(item.code.clone());
            }
            answered.answers.insert(item.code.clone(), answer);
        }
        if missing.is_empty() { Ok(answered) } else { Err(ChecklistError::Missing { missing, codes }) }
    }
}

impl Item {
    /// Whether two answers mean the same. Nothing can be said of one that cannot be read.
    pub fn is_same(&self, first: &str, second: &str) -> bool {
        match (self.read(&text::free_text(first)), self.read(&text::free_text(second))) {
            (Ok(first), Ok(second)) => first == second,
            _ => false,
        }
    }

    /// An answer in its normal form.
    fn read(&self, typed: &str) -> Result<String, ChecklistError> {
        let wrong = |possible: String| ChecklistError::Answer {
            code: self.code.clone(),
            text: self.text.clone(),
            answer: typed.chars().take(40).collect(),
            possible,
        };
        match self.answer {
            Answering::YesNo => match typed.to_lowercase().as_str() {
                "yes" | "y" | "是" | "合格" | "符合" | "有" => Ok("yes".to_owned()),
                "no" | "n" | "否" | "不合格" | "不符合" | "无" => Ok("no".to_owned()),
                "na" | "n/a" | "不适用" => Ok("na".to_owned()),
                _ => Err(wrong("是、否、不适用".to_owned())),
            },
            Answering::Choice => {
                let choice = self.choices.iter().find(|choice| *choice == typed);
                choice.cloned().ok_or_else(|| wrong(self.choices.join("、")))
            }
            Answering::Text if typed.chars().count() > TEXT_CHARS_MAX => {
                Err(wrong(format!("不超过 {TEXT_CHARS_MAX} 个字")))
            }
            Answering::Text => Ok(typed.to_owned()),
        }
    }

    /// An answer as people read it.
    pub fn shown<'a>(&self, answer: &'a str) -> &'a str {
        match (self.answer, answer) {
            (Answering::YesNo, "yes") => "合格",
            (Answering::YesNo, "no") => "不合格",
            (Answering::YesNo, "na") => "不适用",
            (_, answer) => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(of: &Checklist, answer: &str) -> BTreeMap<String, String> {
        let items = of.items.iter().filter(|item| !item.optional);
        items
            .map(|item| match item.answer {
                Answering::YesNo => (item.code.clone(), answer.to_owned()),
                Answering::Choice => (item.code.clone(), item.choices[0].clone()),
                Answering::Text => (item.code.clone(), "文字".to_owned()),
            })
            .collect()
    }

    #[test]
    fn the_four_checklists_ship_and_each_needs_every_answer() {
        let shipped = Checklist::shipped();
        assert_eq!(shipped.len(), SHIPPED.len(), "one does not read");
        for checklist in shipped {
            let whole = answers(&checklist, "是");
            assert_eq!(checklist.answered(&whole).expect("complete").failing, Vec::<String>::new());
            for code in whole.keys() {
                let mut partial = whole.clone();
                partial.remove(code);
                let error = CheckError::from(checklist.answered(&partial).expect_err("one is missing"));
                let text = &checklist.item(code).expect("an item").text;
                assert!(error.message_zh.contains(text), "{}", error.message_zh);
            }
            assert_eq!(Checklist::parse(&checklist.to_json()).as_ref(), Ok(&checklist));
        }
    }

    #[test]
    fn what_fails_is_named() {
        let checklist = &Checklist::shipped()[0];
        let mut given = answers(checklist, "yes");
        given.insert("wiring".to_owned(), "不合格".to_owned());
        given.insert("gas".to_owned(), "不适用".to_owned());
        let answered = checklist.answered(&given).expect("complete");
        assert_eq!(answered.failing, ["wiring"]);
        assert_eq!(answered.answers["gas"], "na");
        given.insert("wiring".to_owned(), "maybe".to_owned());
        assert!(matches!(checklist.answered(&given), Err(ChecklistError::Answer { .. })));
        given.insert("moon".to_owned(), "yes".to_owned());
        assert!(matches!(checklist.answered(&given), Err(ChecklistError::Unknown { .. })));
    }

    #[test]
    fn a_file_that_is_no_checklist_says_what_is_wrong() {
        for (json, says) in [
            ("", "不是检查表"),
            ("[1]", "不是检查表"),
            (r#"{"code":"a","title":"t"}"#, "items"),
            (r#"{"code":"a b","title":"t","items":[{"code":"x","text":"y"}]}"#, "code"),
            (r#"{"code":"a","title":" ","items":[{"code":"x","text":"y"}]}"#, "title"),
            (r#"{"code":"a","title":"t","items":[]}"#, "items"),
            (
                r#"{"code":"a","title":"t","items":[{"code":"x","text":"y"},{"code":"x","text":"z"}]}"#,
                "第 2 项 code",
            ),
            (r#"{"code":"a","title":"t","items":[{"code":"x","text":"y","answer":"choice"}]}"#, "choices"),
            (r#"{"code":"a","title":"t","items":[{"code":"x","text":"y","anwser":"text"}]}"#, "anwser"),
        ] {
            let error = CheckError::from(Checklist::parse(json).expect_err(json));
            assert!(error.message_zh.contains(says), "{json}: {}", error.message_zh);
        }
    }
}
