//! 登记和组织。

use wangge_model::org::staffing::Missing;

use crate::text::{Label, RegisterMessage};

pub(crate) fn say(message: &RegisterMessage<'_>) -> String {
    match *message {
        RegisterMessage::NotCollected { label: Label { zh: label, .. }, reason_zh, .. } => {
            format!("“{label}”不收集:{reason_zh}")
        }
        RegisterMessage::CodeUnknown { label: Label { zh: label, .. }, typed, allowed, table: "" } => {
            format!("{label}“{typed}”无法识别。可填:{allowed}")
        }
        RegisterMessage::CodeUnknown { label: Label { zh: label, .. }, typed, allowed, table } => {
            format!("{label}“{typed}”不在代码表 {table} 中。可填:{allowed}(全部:wangge codes show {table})")
        }
        RegisterMessage::CountUnreadable { label: Label { zh: label, .. }, typed } => {
            format!("{label}“{typed}”不是整数")
        }
        RegisterMessage::AreaUnreadable { label: Label { zh: label, .. }, typed } => {
            format!("{label}“{typed}”不是面积,请填平方米数")
        }
        RegisterMessage::DivisionUnreadable { label: Label { zh: label, .. }, typed } => {
            format!("{label}“{typed}”无法识别,请填 6、9 或 12 位区划代码,本街道的村(居)也可填名称")
        }
        RegisterMessage::FlagUnreadable { label: Label { zh: label, .. }, typed } => {
            format!("{label}“{typed}”无法识别,请填 是 或 否")
        }
        RegisterMessage::DocumentNumber { label: Label { zh: label, .. }, typed } => {
            format!("{label}“{typed}”应为 4 到 32 位字母和数字")
        }
        RegisterMessage::ConsentForm { typed } => {
            format!("同意记录“{typed}”应写成 日期/内容,例如 consent=2026-03-05/本人口头同意")
        }
        RegisterMessage::ConsentMissing => {
            "关爱需求只有本人同意才能登记:请同时填 consent=日期/内容".to_owned()
        }
        RegisterMessage::DateAhead { label: Label { zh: label, .. }, typed } => {
            format!("{label}的日期 {typed} 在将来,请核对")
        }
        RegisterMessage::FieldMissing { label } => format!("缺少{}({}),请补填", label.zh, label.en),
        RegisterMessage::UnitOfKind { label, typed, homes } => {
            format!("{}({})“{typed}”不能用在这里,应为 {homes}", label.zh, label.en)
        }
        RegisterMessage::TeamUnknown { typed, known } => {
            let what = if typed.is_empty() {
                "缺少单位(scope),请写明是名册中的哪个团队".to_owned()
            } else {
                format!("名册中没有团队“{typed}”(scope)")
            };
            let known = if known.is_empty() { "还没有团队" } else { known };
            format!(
                "{what}。现有:{known}。新团队先由中心设立:wangge-relay unit add --unit team:代码 --name 名称"
            )
        }
        RegisterMessage::TeamRecorded { unit, name, id } => {
            format!("{unit} 已登记为“{name}”({id}),修改请用 wangge org team set {unit} 项目=内容")
        }
        RegisterMessage::EndsBeforeItBegins { from, to } => {
            format!("结束日期 {to} 早于开始日期 {from},请核对")
        }
        RegisterMessage::BirthDisagrees { birth, told } => {
            format!("出生日期 {birth} 与身份号码中的 {told} 不一致,请核对证件后改正其中一项")
        }
        RegisterMessage::TableUnknown { typed, tables } => format!("没有代码表“{typed}”。现有:{tables}"),
        RegisterMessage::CodeRetired => "停用".to_owned(),
        RegisterMessage::TableSet { table, count, version } => {
            format!("代码表 {table} 已更新:{count} 个代码,版本 {version}")
        }
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
        RegisterMessage::ColumnByConsent { column } => {
            format!(
                "“{column}”一栏没有导入:须凭本人同意逐人登记 (wangge person set … care=… consent=日期/内容)"
            )
        }
        RegisterMessage::ColumnUnknown { label } => {
            format!("“{}”一栏没有导入:不是登记项目", label.zh)
        }
        RegisterMessage::KeptAsWritten { key } => format!("已原样保留为“{key}”"),
        RegisterMessage::ColumnIgnored { column, reason_zh, .. } => {
            format!("“{column}”一栏没有导入:{reason_zh}")
        }
        RegisterMessage::BoundarySet { unit, version, points } => {
            format!("{unit} 的边界已更新:第 {version} 版,{points} 个点")
        }
        RegisterMessage::NoBoundary { unit } => format!("{unit} 还没有边界"),
        RegisterMessage::NowhereInside => "这个位置不在任何网格的边界内".to_owned(),
        RegisterMessage::Missing { what } => missing(what),
        RegisterMessage::Staffed { missing } => {
            if missing.is_empty() {
                "配备齐全".to_owned()
            } else {
                format!("缺:{missing}")
            }
        }
        RegisterMessage::Cadres { cadres, down, percent, reached } => format!(
            "正式干部 {cadres} 人,下沉 {down} 人,占 {percent}%,{}55%",
            if reached { "达到" } else { "未达到" }
        ),
        RegisterMessage::NoGrid { typed } => format!("“{typed}”不是网格,只有网格能拆分"),
        RegisterMessage::PartUnreadable { typed, grid, street } => format!(
            "“{typed}”(--into)应写成 代码=名称。代码可用 {grid}-1、{grid}-2 …(子网格),或以 {street} 开头的 12 位代码;名称不能为空"
        ),
        RegisterMessage::PartsCount { found, max } => format!("拆成 {found} 个(--into),最多 {max} 个"),
        RegisterMessage::UnitExists { unit } => format!("单位 {unit} 已经有了"),
        RegisterMessage::SplitRequested { unit, parts } => {
            format!("已申请把 {unit} 拆分,新设 {parts} 个网格;到达中心后由中心办理")
        }
        RegisterMessage::Rehomed { count, undecided, dry_run } => format!(
            "{}迁移 {count} 份档案;{undecided} 份没有坐标或不在边界内,未动",
            if dry_run { "将申请" } else { "已申请" }
        ),
    }
}

fn missing(what: Missing) -> String {
    match what {
        Missing::Leader => "网格长".to_owned(),
        Missing::LeaderNotCadre => "网格长不是登记的正式干部".to_owned(),
        Missing::Workers { found, needed } => format!("网格员(有 {found} 人,应有 {needed} 人)"),
        Missing::Forces => "其他力量(X)".to_owned(),
        Missing::Point => "网格工作点".to_owned(),
        Missing::Workstation => "工作站".to_owned(),
        Missing::Phones { found, needed } => format!("手机(有 {found} 部,应有 {needed} 部)"),
        Missing::AreaHead => "片区负责人".to_owned(),
        Missing::AreaClerk => "专职系统信息员".to_owned(),
        Missing::AreaCadre => "负责机制日常运行的干部".to_owned(),
        Missing::Grids { found, needed } => format!("企业片区网格(有 {found} 个,应设 {needed} 个)"),
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
    ("org", "组织机构"),
    ("org tree", "街道、片区、网格、子网格、团队和人员"),
    ("org boundary", "网格边界"),
    ("org boundary set", "更新边界,形成新的一版"),
    ("org boundary set:grid", "哪个网格"),
    ("org boundary set:file", "GeoJSON 文件"),
    ("org boundary set:effective", "从哪天起生效;默认今天"),
    ("org boundary set:note", "说明"),
    ("org boundary show", "查看边界"),
    ("org boundary show:grid", "哪个网格"),
    ("org boundary show:version", "第几版;默认现行的"),
    ("org boundary list", "所有版本"),
    ("org boundary list:grid", "哪个网格;默认全部"),
    ("org boundary list:grid", "哪个网格;默认全部"),
    (":datum", "坐标系:WGS-84 或 CGCS2000"),
    ("org locate", "某个位置属于哪个网格"),
    ("org locate:longitude", "经度"),
    ("org locate:latitude", "纬度"),
    ("org office", "六办一中心"),
    ("org team", "团队:常设或临时"),
    ("org window", "窗口"),
    ("org point", "网格工作点"),
    ("org device", "设备"),
    ("org reference", "制度文件,离线可读"),
    ("org force", "干部和其他力量(X)"),
    ("% add", "新增"),
    ("% set", "修改"),
    ("% show", "查看"),
    ("% list", "列表"),
    ("% close", "停用"),
    ("% set:key", "标识、名称或代码"),
    ("% show:key", "标识、名称或代码"),
    ("% close:key", "标识、名称或代码"),
    (":text_file", "正文文件,UTF-8 文本"),
    ("org staffing", "1+1+X 配备:缺什么"),
    ("org staffing:grid", "哪个网格;默认全部"),
    ("org cadres", "干部下沉比例"),
    ("org area", "片区性质:工作片或企业片"),
    ("org area:area", "哪个片区"),
    ("org area:nature", "work 工作片,enterprise 企业片"),
    ("org split", "申请拆分网格"),
    ("org split:grid", "哪个网格"),
    ("org split:into", "新网格:代码=名称"),
    ("org rehome", "申请把档案迁到现在所属的网格"),
    ("org rehome:grid", "现在在哪个网格"),
    ("org rehome:to", "迁往哪个网格;默认按边界"),
    ("org rehome:address", "只迁地址含此内容的"),
    ("org rehome:dry_run", "只看会迁多少"),
    ("* dossier", "本人档案副本(个人信息保护法第四十五条)"),
    ("* dossier:out", "要写的文件"),
];
