//! 网格工作和社管中心。

use super::super::{WorkText, role_zh};
use super::file;

pub(super) fn say(text: &WorkText<'_>) -> String {
    match *text {
        WorkText::UnitUnknown { typed, known } => {
            format!(
                "没有“{typed}”这个单位。可写 grid:代码、area:代码、team:代码、centre、street 或名称,如:{known}"
            )
        }
        WorkText::WorkerUnknown { typed } => {
            format!("名册里没有“{typed}”这名人员,请写姓名或人员标识;刚加入的,请先同步 (wangge sync)")
        }
        WorkText::WorkerAmbiguous { typed } => format!("叫“{typed}”的不止一人,请写人员标识:"),
        WorkText::NotHeld { unit } => format!("本机不负责 {unit},不能写入,没有保存"),
        WorkText::AssigneeBeyond { who, units } => {
            format!("{who}({units})不在您负责的单位,不能交给他承办,没有保存")
        }
        WorkText::AssistWaits { team: true } => {
            "团队还看不到,待社管中心流转 (wangge assist route)".to_owned()
        }
        WorkText::AssistWaits { team: false } => {
            "同步到社管中心后,对方单位就能看到;答复也会自动转回".to_owned()
        }
        WorkText::StreetIsTheCentres => {
            "街道范围的内容只能由社管中心(社管中心工作人员、社管中心管理员、街道领导)填写,没有保存".to_owned()
        }

        WorkText::Done { record, event, id, state } => {
            format!("已保存:{record}·{event} ({id}),状态:{}", state.label)
        }
        WorkText::StateUnknown { typed, states } => {
            let known: Vec<String> =
                states.iter().map(|state| format!("{} {}", state.name, state.label)).collect();
            format!("没有“{typed}”这个状态,可用:{}", known.join("、"))
        }
        WorkText::LimitUnreadable { typed } => format!("--limit 应为整数,写的是“{typed}”"),
        WorkText::StateLabel => "状态".to_owned(),
        WorkText::DueLabel => "期限".to_owned(),
        WorkText::Overdue => "已超期".to_owned(),
        WorkText::VoidUnreadable => "作废:由更新的版本写成或内容损坏".to_owned(),
        WorkText::VoidRole => "作废:岗位无权".to_owned(),
        WorkText::VoidWhose => "作废:不归其办理".to_owned(),
        WorkText::VoidNoTrack => "作废:没有开启轨迹".to_owned(),
        WorkText::VoidState { state } => format!("作废:当时状态为“{}”", state.label),
        WorkText::NotYours { who, role } => {
            let who: Vec<&str> = who.iter().map(|role| role_zh(*role)).collect();
            format!("只能由{}办理,您的岗位是{},没有保存", who.join("、"), role_zh(role))
        }
        WorkText::TeamsThroughTheCentre => "团队的工作只能由社管中心流转(细则第十二条)".to_owned(),
        WorkText::ChecklistUnknown { typed, known } => format!("没有检查表“{typed}”,现有:{known}"),
        WorkText::ChecklistMissing => {
            "缺少“检查表”,请用 --checklist 写明代码或名称 (wangge checklist list)".to_owned()
        }
        WorkText::VersionUnknown { version } => format!("没有这个检查表的版本“{version}”"),
        WorkText::ChecklistSet { title, version } => format!("已换用:{title} 版本 {version}"),
        WorkText::AnswersUnreadable { path } => {
            format!("{path} 不是答案文件,应为 JSON:检查项代码 → 答案")
        }
        WorkText::FileMissing => "缺少“文件”,请用 --file 写明".to_owned(),
        WorkText::Readers { read, unread, beyond: 0 } => format!("已读 {read} 人,未读 {unread} 人"),
        WorkText::Readers { read, unread, beyond } => {
            format!("已读 {read} 人,未读 {unread} 人,另有 {beyond} 人所在单位本机看不到")
        }
        WorkText::Unread { count } => format!("未读 {count} 条"),
        WorkText::NotHereYet => "本机还没有收到".to_owned(),
        WorkText::SinceTheList => "清单之后新增".to_owned(),
        WorkText::HandoverList { count, of } => format!("移交清单:{count}/{of} 项"),
        WorkText::SuccessorElsewhere { who, unit, units: "" } => {
            format!(
                "接收人“{who}”(--assignee)在 {unit} 没有岗位,不能接收移交,没有保存;请先由社管中心为其安排岗位 (wangge roster assign)"
            )
        }
        WorkText::SuccessorElsewhere { who, unit, units } => {
            format!(
                "接收人“{who}”(--assignee)在 {unit} 没有岗位(现在 {units}),不能接收移交,没有保存;请先由社管中心为其安排岗位 (wangge roster assign)"
            )
        }
        WorkText::ListIncomplete { here, of } => {
            format!("移交清单还没有收全({here}/{of} 项)或与移交人的不一致,不能签收;请先同步 (wangge sync)")
        }
        WorkText::NothingToRoute { state } => format!("两边都是“{}”,没有需要流转的", state.label),
        WorkText::SummaryOf { day } => format!("每日信息汇总 {day}"),
        WorkText::NothingThatDay => "当天没有记录".to_owned(),
        WorkText::UnitsNotHeld { count } => format!("另有 {count} 个单位本机没有,未计入"),
        WorkText::AnalysisOf { cases, groups } => format!("共 {cases} 件,分 {groups} 组"),
        WorkText::GroupOf { count, open, overdue } => {
            format!("{count} 件,未办结 {open} 件,超期 {overdue} 件")
        }
        WorkText::Supervised { count } => format!("需督办 {count} 项"),
        WorkText::PeriodUnknown { known: "", .. } => {
            "还没有设立考核期;由社管中心用 wangge assess period 设立".to_owned()
        }
        WorkText::PeriodUnknown { typed, known } => format!("没有考核期“{typed}”,现有:{known}"),
        WorkText::PeriodExists { name } => format!("考核期“{name}”已经有了,请换一个名称"),
        WorkText::PeriodSet { name, items } => format!("已设立考核期“{name}”,{items} 个考核项"),
        WorkText::Published { name, units } => format!("已公布“{name}”{units} 个单位的考核结果"),
        WorkText::MarksBeyond { typed, full } => {
            format!("改定得分“{typed}”(--score)应在 0 到 {full} 之间,没有保存")
        }
        WorkText::ItemUnknown { typed, known } => format!("没有考核项“{typed}”,可用:{known}"),
        WorkText::NotAChecklist { path, reason } => {
            format!("{path} 不是检查表(JSON,要有 code、title、items):{}", file::form(reason))
        }
        WorkText::NotColumns { path, reason } => {
            format!("{path} 不是列定义文件(JSON,要有 columns):{}", file::form(reason))
        }
        WorkText::ColumnsCount { path, found, max } => {
            format!("{path} 的 columns 有 {found} 列,应为 1 到 {max} 列")
        }
        WorkText::ColumnUnknown { field, known } => format!("没有“{field}”这一列,可用:{known}"),
        WorkText::Decided => "申诉后改定".to_owned(),
    }
}

/// What a ledger can show beyond a record's own fields, with the headings.
pub(crate) const EXTRA_FIELDS: &[(&str, &str)] = &[
    ("row", "序号"),
    ("unit_name", "所属村(居)"),
    ("scope", "单位代码"),
    ("reporter", "上报人"),
    ("reported_on", "上报日期"),
    ("state", "状态"),
    ("due", "办结期限"),
    ("standing", "时限情况"),
    ("course", "处理经过"),
];

/// What stands in an event beside what its author typed.
pub(crate) const SAID_LABELS: &[(&str, &str)] = &[
    ("result", "结果"),
    ("count", "项数"),
    ("unsent", "未上传"),
    ("failing", "不合格项"),
    ("worker", "办理人"),
];

/// What `--help` says; see [`super::super::help`].
pub(in crate::text) const HELP: &[(&str, &str)] = &[
    ("summary", "每日信息汇总(自动生成)"),
    ("summary:date", "哪一天,默认今天"),
    ("analyse", "事件分析研判"),
    ("analyse:by", "line 业务线、place 地点、time 日期、repeat 重复发生"),
    ("supervise", "督查督办"),
    ("supervise list", "督办清单:督办、超期、催办、即将到期"),
    ("supervise list:overdue", "只列已超期的"),
    ("assess", "考核考评(按单位、按结果)"),
    ("assess period", "设立考核期(社管中心)"),
    ("assess period:name", "考核期名称,如 2026年11月"),
    ("assess period:rules", "考核办法文件 (JSON),默认随附的"),
    ("assess list", "考核期列表"),
    ("assess rules", "考核项和权重,可存成文件再改"),
    ("assess score", "得分和依据"),
    ("assess publish", "公布现在的得分"),
    ("assess appeal", "申诉"),
    ("assess appeal:item", "考核项:代码或名称"),
    ("assess appeals", "申诉列表"),
    ("assess rewards", "奖励清单"),
    (
        "export:kind",
        "哪种:people 人口、places 场所、enterprises 企业、houses 出租房、households 户、cases 事件、summary 每日汇总、assessment 考核",
    ),
    ("export:columns", "列定义文件 (JSON):选列、改名、排序,按上级表格直接导出"),
    ("export:date", "每日汇总的日期,默认今天"),
    (":period", "考核期:名称或标识"),
    (":from", "起始日期"),
    (":until", "截止日期"),
];
