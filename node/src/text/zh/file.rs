//! 文件。

use crate::command::FormError;
use crate::text::FileFault;

pub(super) fn fault(fault: FileFault<'_>) -> String {
    match fault {
        FileFault::Missing => "没有这个文件".to_owned(),
        FileFault::Denied => "没有读取权限".to_owned(),
        FileFault::NotAFile => "不是文件".to_owned(),
        FileFault::TooLong { len_bytes, len_bytes_max } => {
            format!("{len_bytes} 字节,最多 {len_bytes_max} 字节")
        }
        FileFault::NotText => "不是 UTF-8 文本,请另存为 UTF-8".to_owned(),
        FileFault::Other(reason) => reason.to_owned(),
    }
}

pub(super) fn form(error: &FormError) -> String {
    match error {
        FormError::Syntax { line, column } => {
            format!("第 {line} 行第 {column} 个字处不是正确的 JSON(常见:缺逗号、引号或括号,用了中文标点)")
        }
        FormError::NotAnObject => "应为一个 JSON 对象,以 { 开头、以 } 结尾".to_owned(),
        FormError::Member { path, reason } if path == "." => member(reason),
        FormError::Member { path, reason } => format!("“{path}”:{}", member(reason)),
    }
}

/// What the reader of JSON says in English.
fn member(reason: &str) -> String {
    let quoted = |rest: &str| rest.split('`').next().unwrap_or_default().to_owned();
    let known = |reason: &str| {
        let known = reason.split_once(", expected ").map(|(_, known)| known);
        let known =
            known.map(|known| known.trim_start_matches("one of ").replace('`', "").replace(", ", "、"));
        known.map_or_else(String::new, |known| format!(",可用:{known}"))
    };
    if let Some(rest) = reason.strip_prefix("missing field `") {
        return format!("缺少“{}”", quoted(rest));
    }
    if let Some(rest) = reason.strip_prefix("unknown field `") {
        return format!("没有“{}”这一项{}", quoted(rest), known(reason));
    }
    if let Some(rest) = reason.strip_prefix("unknown variant `") {
        return format!("不能写“{}”{}", quoted(rest), known(reason));
    }
    if let Some((found, expected)) =
        reason.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("类型不对,写的是 {},应为 {}", kind(found), kind(expected));
    }
    if let Some((found, expected)) =
        reason.strip_prefix("invalid value: ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("数值不对,写的是 {},应为 {}", kind(found), kind(expected));
    }
    if let Some(said) = reason.strip_prefix("hours: ") {
        if let Some(span) = said.strip_suffix(" is no span of a day") {
            return format!("时段 {span} 写得不对,应为一天之内的起止时间,如 [\"08:30\", \"12:00\"]");
        }
        return match said.strip_suffix(" begins before the span ahead of it ends") {
            Some(span) => format!("时段 {span} 与前一段重叠"),
            None => "工作时间应为 1 到 8 段".to_owned(),
        };
    }
    if let Some(typed) = reason.strip_suffix(" is no date like 2026-10-01") {
        return format!("{typed} 不是日期,应如 2026-10-01");
    }
    format!("写得不对({reason})")
}

/// A JSON type as people call it.
fn kind(english: &str) -> String {
    let (word, shown) = english.split_once(' ').unwrap_or((english, ""));
    let shown = shown.trim_matches('`');
    match word {
        "string" => format!("文字 {shown}"),
        "integer" => format!("整数 {shown}"),
        "floating" => format!("小数 {}", shown.trim_start_matches("point ").trim_matches('`')),
        "boolean" => format!("是否 {shown}"),
        "null" => "空".to_owned(),
        "map" => "对象 {…}".to_owned(),
        "struct" => "对象 {…}".to_owned(),
        "sequence" => "列表 […]".to_owned(),
        "a" if shown.starts_with("sequence") => "列表 […]".to_owned(),
        "a" if shown.starts_with("string") || shown.starts_with("borrowed") => "文字 \"…\"".to_owned(),
        "a" if shown.starts_with("boolean") => "true 或 false".to_owned(),
        "u8" | "u32" | "u64" | "usize" => "整数".to_owned(),
        "f64" => "数".to_owned(),
        _ => english.to_owned(),
    }
    .trim()
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_reader_says_is_said_in_chinese() {
        for (reason, expect) in [
            ("missing field `n`", "缺少“n”"),
            ("unknown field `m`, expected `n` or `unit`", "没有“m”这一项,可用:n or unit"),
            (
                "unknown variant `day`, expected one of `work_day`, `natural_day`",
                "不能写“day”,可用:work_day、natural_day",
            ),
            ("invalid type: string \"two\", expected u32", "类型不对,写的是 文字 \"two\",应为 整数"),
            ("invalid type: null, expected a sequence", "类型不对,写的是 空,应为 列表 […]"),
            ("invalid value: integer `-1`, expected u8", "数值不对,写的是 整数 -1,应为 整数"),
            ("hours: give one to eight spans", "工作时间应为 1 到 8 段"),
            (
                "hours: 8点-12点 is no span of a day",
                "时段 8点-12点 写得不对,应为一天之内的起止时间,如 [\"08:30\", \"12:00\"]",
            ),
        ] {
            assert_eq!(member(reason), expect);
        }
    }
}
