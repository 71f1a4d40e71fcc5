//! 登记和组织。

use crate::text::RegisterMessage;

pub(crate) fn say(message: &RegisterMessage<'_>) -> String {
    match *message {
        RegisterMessage::NotCollected { label, reason_zh, .. } => format!("“{label}”不收集:{reason_zh}"),
        RegisterMessage::CodeUnknown { label, typed, allowed, table } => {
            format!("{label}“{typed}”不在代码表 {table} 中。可填:{allowed}(全部:wangge codes show {table})")
        }
        RegisterMessage::CountUnreadable { label, typed } => format!("{label}“{typed}”不是整数"),
        RegisterMessage::AreaUnreadable { label, typed } => format!("{label}“{typed}”不是面积,请填平方米数"),
        RegisterMessage::FlagUnreadable { label, typed } => format!("{label}“{typed}”无法识别,请填 是 或 否"),
        RegisterMessage::DocumentNumber { label, typed } => {
            format!("{label}“{typed}”应为 4 到 32 位字母和数字")
        }
        RegisterMessage::ConsentForm { typed } => {
            format!("同意记录“{typed}”应写成 日期/内容,例如 consent=2026-03-05/本人口头同意")
        }
        RegisterMessage::ConsentMissing => {
            "关爱需求只有本人同意才能登记:请同时填 consent=日期/内容".to_owned()
        }
        RegisterMessage::DateAhead { label, typed } => format!("{label}的日期 {typed} 在将来,请核对"),
        RegisterMessage::FieldMissing { label, field } => format!("缺少{label}({field}),请补填"),
        RegisterMessage::EndsBeforeItBegins { from, to } => {
            format!("结束日期 {to} 早于开始日期 {from},请核对")
        }
        RegisterMessage::BirthDisagrees { birth, told } => {
            format!("出生日期 {birth} 与身份号码中的 {told} 不一致,请核对证件后改正其中一项")
        }
        RegisterMessage::TableUnknown { typed, tables } => format!("没有代码表“{typed}”。现有:{tables}"),
        RegisterMessage::TableSet { table, count, version } => {
            format!("代码表 {table} 已更新:{count} 个代码,版本 {version}")
        }
        RegisterMessage::FileUnreadable { file, reason } => format!("文件 {file} 读不出来({reason})"),
        RegisterMessage::Closed { name, id } => format!("已停用:{name} ({id})"),
        RegisterMessage::MergeSelf => "这是同一份档案,不用并档".to_owned(),
        RegisterMessage::Merged { name, into } => {
            format!("已并档:{name} 并入 {into};两份档案都保留,查看时合在一起")
        }
        RegisterMessage::Unmerged { name } => format!("已撤销并档:{name}"),
        RegisterMessage::NotMerged { name } => format!("{name} 没有并入别的档案"),
        RegisterMessage::Duplicates { count } => {
            format!("可能重复 {count} 对。并档:wangge person merge 标识 --into 标识")
        }
        RegisterMessage::MoveRequested { name, to } => {
            format!("已申请把 {name} 迁往 {to};到达中心后由中心办理,之前的修改随档案一起迁")
        }
        RegisterMessage::MoveSame { unit } => format!("档案已在 {unit},不用迁移"),
        RegisterMessage::MovedAway { name, to } => format!("{name} 的档案已迁往 {to},请在那里修改"),
        RegisterMessage::Linked { name, to } => format!("已关联:{name} — {to}"),
        RegisterMessage::Unlinked { name, to } => format!("已取消关联:{name} — {to}"),
        RegisterMessage::ColumnIgnored { column, reason_zh, .. } => {
            format!("“{column}”一栏没有导入:{reason_zh}")
        }
    }
}

/// What `--help` says; see `text::help`.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("household", "户"),
    ("dwelling", "房屋"),
    ("house", "出租房"),
    ("tenancy", "承租"),
    ("residency", "居住"),
    ("enterprise", "企业"),
    ("* add", "登记"),
    ("* set", "修改资料"),
    ("* show", "查看一份"),
    ("* list", "列表"),
    ("* find", "查找"),
    ("* find:text", "名称、拼音、电话、地址的一部分,或号码的末几位(4 位以上)"),
    ("* close", "停用一份档案"),
    ("* duplicates", "可能重复的档案,不需要网络"),
    ("* merge", "并档:这一份并入另一份,两份都保留"),
    ("* merge:into", "并入哪一份"),
    ("* unmerge", "撤销并档"),
    ("* move", "申请把档案迁到另一个网格"),
    ("* move:to", "迁往的网格:grid:代码"),
    ("* link", "关联另一份档案"),
    ("* link:to", "另一份档案"),
    ("* link:role", "关系,如 监护人"),
    ("* unlink", "取消关联"),
    ("* unlink:to", "另一份档案"),
    (":reason", "原因"),
    ("codes", "代码表"),
    ("codes list", "有哪些代码表"),
    ("codes show", "查看一张代码表"),
    ("codes set", "中心改用另一张代码表"),
    ("codes show:table", "代码表的名称"),
    ("codes set:table", "代码表的名称"),
    ("codes set:file", "每行 代码,名称;或 JSON"),
    ("codes set:label", "代码表叫什么"),
    ("codes set:source", "出处"),
];
