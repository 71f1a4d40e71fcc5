//! The official division codes from which a street is founded: one grid a village (art. 16).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A village or community, and so a grid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Division {
    /// 12 digits: 6 of the county, 3 of the street, 3 of the village.
    pub code: String,
    /// The official name.
    pub name: String,
    /// The code of the area that it belongs to.
    pub area: String,
}

/// A file of divisions that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum DivisionsError {
    #[error("读不了 {}:{reason}\ncannot read {}: {reason}", file.display(), file.display())]
    Read { file: PathBuf, reason: String },
    #[error(
        "{} 缺少列 {missing:?}(找到的列:{found:?});需要 code,name,可选 area\n\
         {} lacks the column {missing:?} (found {found:?}); it needs code,name and may have area",
        file.display(), file.display()
    )]
    Column { file: PathBuf, missing: &'static str, found: Vec<String> },
    #[error("{} 第 {row} 行:{zh}\n{} row {row}: {en}", file.display(), file.display())]
    Row { file: PathBuf, row: u64, zh: String, en: String },
    #[error("{} 里没有一行区划\n{} holds no division", file.display(), file.display())]
    Empty { file: PathBuf },
}

/// Reads `code,name[,area]` (CSV, UTF-8). Without the column `area`, all belong to one area that has
/// the street's own code.
///
/// # Errors
/// [`DivisionsError`], with the row as a spreadsheet numbers it.
pub fn read_divisions(file: &Path, street_code: &str) -> Result<Vec<Division>, DivisionsError> {
    let read = |reason: String| DivisionsError::Read { file: file.to_owned(), reason };
    let bytes = std::fs::read(file).map_err(|e| read(e.to_string()))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if std::str::from_utf8(text).is_err() {
        return Err(read("it is not UTF-8: save it as CSV UTF-8 / 请另存为 CSV UTF-8".to_owned()));
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let headers: Vec<String> =
        reader.headers().map_err(|e| read(e.to_string()))?.iter().map(str::to_lowercase).collect();
    let column = |names: &[&str]| headers.iter().position(|header| names.contains(&header.as_str()));
    let missing = |missing| DivisionsError::Column { file: file.to_owned(), missing, found: headers.clone() };
    let code_at = column(&["code", "区划代码", "代码"]).ok_or_else(|| missing("code"))?;
    let name_at = column(&["name", "名称"]).ok_or_else(|| missing("name"))?;
    let area_at = column(&["area", "片区"]);
    let mut divisions = Vec::new();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for (index, record) in reader.records().enumerate() {
        let row = index as u64 + 2;
        let bad = |zh: String, en: String| DivisionsError::Row { file: file.to_owned(), row, zh, en };
        let record = record.map_err(|e| bad(e.to_string(), e.to_string()))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
        let (code, name) = (cell(code_at), cell(name_at));
        if code.len() != 12 || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad(
                format!("区划代码 {code:?} 不是 12 位数字"),
                format!("code {code:?} is not 12 digits"),
            ));
        }
        if !code.starts_with(street_code) {
            return Err(bad(
                format!("区划代码 {code} 不属于街道 {street_code}"),
                format!("code {code} is not of street {street_code}"),
            ));
        }
        if name.is_empty() {
            return Err(bad("名称为空".to_owned(), "the name is empty".to_owned()));
        }
        if let Some(first) = seen.insert(code.clone(), row) {
            return Err(bad(
                format!("区划代码 {code} 与第 {first} 行重复"),
                format!("code {code} is that of row {first} too"),
            ));
        }
        let area =
            area_at.map(cell).filter(|area| !area.is_empty()).unwrap_or_else(|| street_code.to_owned());
        if format!("area:{area}").parse::<wangge_model::identity::Scope>().is_err() {
            return Err(bad(
                format!("片区 {area:?} 只能用文字、数字、- 和 _"),
                format!("area {area:?} may only have letters, digits, - and _"),
            ));
        }
        divisions.push(Division { code, name, area });
    }
    if divisions.is_empty() {
        return Err(DivisionsError::Empty { file: file.to_owned() });
    }
    Ok(divisions)
}

/// The areas of these divisions.
pub(crate) fn areas(divisions: &[Division]) -> BTreeSet<String> {
    divisions.iter().map(|division| division.area.clone()).collect()
}
