//! 事件、交办单和时限。

use wangge_model::case::{Effect, RulesError, State, Void, Who, Why};
use wangge_model::deadline::{Allowance, CalendarError, Line, TimerName, Unit, Why as Skip};
use wangge_model::identity::Role;

use super::super::case::{LedgerText, Refused, RulesReason};
use super::super::{CaseText, role_zh};
use super::file;

pub(super) fn say(text: &CaseText<'_>) -> String {
    match *text {
        CaseText::CategoryUnknown { typed, known } => format!("类别“{typed}”不在业务线中。可用:{known}"),
        CaseText::SourceUnknown { typed } => format!(
            "来源“{typed}”无法识别,请填 patrol 巡查、visit 走访、window 窗口、public 公众(微信、微博)、phone 电话"
        ),
        CaseText::StateUnknown { typed, known } => format!("状态“{typed}”无法识别。可用:{known}"),
        CaseText::TargetUnknown { typed, known } => {
            format!("承办单位或人员“{typed}”(--to)不在街道名册中。可填单位(如 {known})或人员姓名")
        }
        CaseText::TargetMissing => "派给谁没有写明,请用 --to 指明单位或人员".to_owned(),
        CaseText::TargetPost { typed } => format!("“{typed}”(--to)在名册中没有能承办的岗位,请派给其单位"),
        CaseText::ReasonMissing { event, .. } => format!("{event}需要写明理由,请用 --reason 填写"),
        CaseText::WorkMissing => "处理反馈需要写明处理情况,请用 --text 填写".to_owned(),
        CaseText::DaysUnreadable { typed, max } => {
            format!("延期天数“{typed}”(--days)无法识别,请填 1 到 {max} 的整数")
        }
        CaseText::ScoreUnreadable { typed } => format!("评分“{typed}”(--score)无法识别,请填 0 到 100 的整数"),
        CaseText::OutcomeMissing => "核查结果没有写明,请填 --pass(通过)或 --fail(返工)".to_owned(),
        CaseText::IntoUnknown { typed } => {
            format!("本机没有要并入的事件“{typed}”(--into),请核对编号或标识")
        }
        CaseText::IntoItself { number } => format!("--into 写的就是事件 {number} 自己,不能并入自己"),
        CaseText::IntoCircle { number, into } => {
            format!(
                "事件 {into} 已并入事件 {number},不能反过来再把 {number} 并入 {into};两件已是一件,在 {number} 上办理即可"
            )
        }
        CaseText::NotMinorLine { category, lines } => {
            format!("“{category}”没有轻微类(--minor)。有轻微类的业务线:{lines}")
        }
        CaseText::NotMinorLevel { level } => {
            format!("级别 {level} 的事件不能按轻微类(--minor)办理,请去掉 --minor 或核对级别")
        }
        CaseText::PublicNeedsChannel => "渠道(--channel)只用于公众来源,请同时填写 --source public".to_owned(),

        CaseText::PastTheGrid { category, own } => past_the_grid(category, own),
        CaseText::NotToTheGrid => NOT_TO_THE_GRID.to_owned(),

        CaseText::Done { event, number, id, state, .. } => {
            format!("已{event}:{number} ({id}),现在{}", state.label())
        }
        CaseText::Asked { event, number } => format!("已申请{event}:{number},待派遣人同意"),
        CaseText::Refused(refused) => refuse(refused),
        CaseText::ReadOnly { number } => {
            format!("事件 {number} 含有更新版本写的内容,本程序只能查看,请先升级")
        }
        CaseText::OrderRefused { event: (event, _), number, state, from } => {
            let now = format!("交办单 {number} 现在{},不能{event}", state.label());
            let from: Vec<&str> = from.iter().map(|state| state.label()).collect();
            if from.is_empty() { now } else { format!("{now};{event}须在{}时", from.join("、")) }
        }
        CaseText::OrderTaken { number, by } => format!("交办单 {number} 已由{by}接单,不必再接"),
        CaseText::OrderSuspended { number } => {
            format!("交办单 {number} 已挂起,计时暂停;请先恢复 (wangge case resume),再处理反馈")
        }
        CaseText::OrderRole { event, team } => {
            format!("交办单的{event}只能由 {team} 的团队成员、团队负责人办理")
        }
        CaseText::BackDated { typed, seen } => {
            format!("提示:所报时间 {typed} 早于本机已知的 {seen},将标明为倒填时间")
        }

        CaseText::Void { void, other, by } => voided(void, other, by),
        CaseText::OrderVoid { state } => format!("未计入:当时交办单{state}"),
        CaseText::Effect { effect } => match effect {
            Effect::Asked => "申请中".to_owned(),
            Effect::Refused => "不同意".to_owned(),
            Effect::Extended { days } => format!("延长 {days} 天"),
            Effect::Suspended { .. } => "暂停计时".to_owned(),
            Effect::Resumed => "恢复计时".to_owned(),
            Effect::Assists => "协办".to_owned(),
            Effect::Beside => "协办情况".to_owned(),
        },
        CaseText::DueLine { timer, due, standing } => {
            format!("{} 期限 {due} {standing}", timer.name.label())
        }
        CaseText::Ledger(line) => ledger(line),

        CaseText::RulesRefused { reason } => format!("规则文件有误,没有保存:{}", rules_reason(reason)),
        CaseText::RulesRole => "事件规则只能由社管中心修改".to_owned(),
        CaseText::RulesSet { version } => {
            format!("已发布事件规则第 {version} 版,今后上报的事件适用;已上报的仍按原版本")
        }
        CaseText::RulesLine(line) => {
            let minor = if line.minor.is_empty() { "无".to_owned() } else { line.minor.join("、") };
            let past = if line.bypasses_grid() { "  不经网格,直达中心" } else { "" };
            format!("{}  {}  轻微类:{minor}{past}", line.code, line.name)
        }
        CaseText::RulesDeadline { line, row } => {
            let times = [
                (TimerName::Accept, row.accept),
                (TimerName::Dispatch, row.dispatch),
                (TimerName::Handle, row.handle),
                (TimerName::Check, row.check),
                (TimerName::Total, row.total),
            ];
            let times = times.map(|(timer, time)| format!("{} {}", timer.label(), allowance(time)));
            format!("{} 级别 {}:{}", line.unwrap_or("其他业务线"), row.level, times.join(","))
        }
        CaseText::Rules { version, lines } => format!("事件规则第 {version} 版,业务线 {lines} 条"),
    }
}

fn states(states: &[State]) -> String {
    let labels: Vec<&str> = states.iter().map(|state| state.label()).collect();
    labels.join("、")
}

fn roles(roles: &[Role]) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role_zh(*role)).collect();
    names.join("、")
}

/// 可由谁办理.
fn could(refused: &Refused<'_>) -> String {
    let mut parts = Vec::new();
    for (who, posts) in refused.who {
        parts.push(match who {
            Who::Assignee if refused.assignees.is_empty() => "承办单位(尚未派遣)".to_owned(),
            Who::Assignee => format!("承办单位({})", refused.assignees),
            Who::Reporter if refused.reporter.is_empty() => "上报人".to_owned(),
            Who::Reporter => format!("上报人 {}", refused.reporter),
            Who::Dispatcher => format!("派遣人或其上级({})", roles(posts)),
            Who::NotHandler => format!("未参与办理的{}", roles(posts)),
            Who::OwnerBelowCentre if posts.is_empty() => continue,
            _ => roles(posts),
        });
    }
    if parts.is_empty() { "无(已在社管中心)".to_owned() } else { parts.join("、") }
}

fn refuse(refused: &Refused<'_>) -> String {
    let (event, number) = (refused.event.0, refused.number);
    let who = format!("可由{}办理", could(refused));
    match refused.why {
        Why::State { state: State::Closed } => {
            format!("事件 {number} 已结案,不能再{event}。如需继续办理,请社管中心重启 (wangge case reopen)")
        }
        Why::State {
            state: state @ (State::Archived | State::Merged | State::Rejected | State::Evaluated),
        } => {
            format!("事件 {number} {},不能再{event}", state.label())
        }
        Why::State { state } if refused.from.is_empty() => {
            format!("事件 {number} {},不能再{event}", state.label())
        }
        Why::State { state } => format!(
            "事件 {number} 现在{},不能{event};{event}须在{}时,{who}",
            state.label(),
            states(refused.from)
        ),
        Why::Who if refused.event.1 == "report" => {
            format!("上报事件{who},您的岗位是{},没有保存", refused.own)
        }
        Why::Who => {
            let own = if refused.own.is_empty() {
                String::new()
            } else {
                format!("(您的岗位:{})", refused.own)
            };
            format!("您不能对事件 {number} {event}{own}。事件现在归{}管理,{who}", refused.tier.label())
        }
        Why::Handler => format!("事件 {number} 由您办理,不能由您核查;{who}"),
        Why::Teams => format!("派给团队({})只能由社管中心工作人员、社管中心管理员统一流转", refused.named),
        Why::Target { .. } => format!("不能派给 {}:不在您的管理范围,或没有承办该事件", refused.named),
        Why::OutOfSight { .. } => format!(
            "不能派给 {0}:事件 {number} 不在 {0} 的范围,那里看不到它。请邻近单位协助的,用 wangge assist add;由团队办理的,由社管中心派给团队",
            refused.named
        ),
        Why::NoTarget => "派给谁没有写明,请用 --to 指明单位或人员".to_owned(),
        Why::AlreadyThere { .. } => format!("事件 {number} 已派给 {},不必再派", refused.named),
        Why::NotMinor => format!("事件 {number} 不属于轻微类,不能当场办结,请按程序立案派遣"),
        Why::NotSeveralTeams => format!("事件 {number} 没有派给多个团队,不需要街道领导牵头"),
        Why::AlreadyAccepted { .. } => format!("事件 {number} 已由{}接单,不必再接", refused.named),
        Why::Suspended => {
            format!("事件 {number} 已挂起,计时暂停;请先恢复 (wangge case resume),再{event}")
        }
        Why::BypassesGrid if refused.event.1 == "report" => past_the_grid("这类问题", refused.own),
        Why::BypassesGrid => NOT_TO_THE_GRID.to_owned(),
        Why::AlreadySuspended => format!("事件 {number} 已挂起"),
        Why::NotSuspended => format!("事件 {number} 没有挂起,不必恢复"),
        Why::NothingAsked => format!("事件 {number} 没有待同意的{event}申请"),
        Why::Days { max } => format!("延期天数(--days)只能是 1 到 {max} 天"),
        Why::Into => "并入的事件(--into)不能是本事件".to_owned(),
        Why::Outcome => "核查结果没有写明,请填 --pass(通过)或 --fail(返工)".to_owned(),
        Why::Score => "评分(--score)请填 0 到 100 的整数".to_owned(),
    }
}

const NOT_TO_THE_GRID: &str = "组织纪检等不经网格的事件不能派给网格或片区(--to),请由社管中心派给承办的团队";

fn past_the_grid(category: &str, own: &str) -> String {
    let own = if own.is_empty() { String::new() } else { format!(",您的岗位是{own}") };
    format!(
        "“{category}”不经网格和片区上报{own},没有保存。请用密封举报直达社管中心,只有中心能看到:\
         wangge report-sealed --text …(不愿具名可加 --anonymous)"
    )
}

fn voided(void: &Void, other: &str, by: &str) -> String {
    match void {
        Void::Decided(reason) => format!("作废:中心裁定 ({reason})"),
        Void::Unreadable => "作废:内容无法读取".to_owned(),
        Void::NoRole => "作废:没有写明岗位".to_owned(),
        Void::Not(why) => match why {
            Why::State { state } => format!("作废:当时事件{},不能这样办", state.label()),
            Why::Who => "作废:办理人没有这个权限".to_owned(),
            Why::Handler => "作废:办理人不能核查自己办的事件".to_owned(),
            Why::Teams => "作废:派给团队只能由社管中心流转".to_owned(),
            Why::NotMinor => "作废:不属于轻微类".to_owned(),
            Why::AlreadyAccepted { .. } => format!("未计入:此前已由{by}接单"),
            Why::Suspended => "未计入:当时已挂起,计时暂停".to_owned(),
            Why::BypassesGrid => "作废:这类事件不经网格".to_owned(),
            Why::AlreadyThere { .. } => "未计入:此前已派给同一单位".to_owned(),
            Why::AlreadySuspended => "未计入:此前已挂起".to_owned(),
            Why::NotSuspended => "未计入:当时没有挂起".to_owned(),
            Why::NothingAsked => "未计入:当时没有待同意的申请".to_owned(),
            Why::NotSeveralTeams => "未计入:当时没有多个团队承办".to_owned(),
            _ => "作废:当时不能这样办".to_owned(),
        },
        Void::Lost { .. } => format!("作废:与{other}同时进行,按规则以后者为准"),
        Void::BuiltOn { .. } => format!("作废:依据的{other}已作废"),
        Void::Duplicate { .. } => "重复转入,不另计".to_owned(),
        Void::TooMany => "作废:本事件的操作过多".to_owned(),
    }
}

fn rules_reason(reason: RulesReason<'_>) -> String {
    let error = match reason {
        RulesReason::Form(error) => return file::form(error),
        RulesReason::Part { part, len_bytes, max_bytes } => {
            return format!("“{part}”共 {len_bytes} 字节,最多 {max_bytes} 字节,请精简");
        }
        RulesReason::Rules(error) => error,
    };
    match error {
        RulesError::Entries { list, found, max } => format!("“{list}”有 {found} 项,应为 1 到 {max} 项"),
        RulesError::Category { code } => {
            format!("业务线 (categories) 的代码“{code}”重复、缺代码或缺名称")
        }
        RulesError::UnknownCategory { category } => {
            format!("时限 (deadlines) 中的业务线“{category}”不在 categories 里")
        }
        RulesError::Level { level } => format!("时限 (deadlines) 中的级别 (level) {level} 应为 1 到 4"),
        RulesError::Allowance { n, what, category, level, max } => {
            format!("时限 (deadlines) {category} 级别 {level} 的 {what} 为 {n},应为 1 到 {max}")
        }
        RulesError::NoDefault { level } => {
            format!("时限 (deadlines) 缺少 category 为“*”、级别 (level) 为 {level} 的一行")
        }
        RulesError::Word { word } => format!("并发规则 (merging) 中的“{word}”不是事件操作"),
        RulesError::Winner { wins } => {
            format!("并发规则 (merging) 的 wins “{wins}”不是同一行 events 中的一个")
        }
        RulesError::Extension { days, days_max, max } => {
            format!(
                "延期 (extension) 的 days 为 {days}、days_max 为 {days_max},应为 1 到 {max},且 days 不大于 days_max"
            )
        }
        RulesError::BackDays { found, max } => {
            format!("最多补录天数 (back_days_max) 为 {found},应为 1 到 {max}")
        }
        RulesError::Nearing { found } => format!("临期比例 (nearing_percent) 为 {found},应为 0 到 100"),
        RulesError::Calendar(error) => match error {
            CalendarError::TooMany { found, max } => {
                format!("工作日历 (calendar) 有 {found} 项,最多 {max} 项")
            }
            CalendarError::Backwards { name, from, to } => {
                format!("工作日历 (calendar) 的“{name}”到 {to} 结束,早于开始的 {from}")
            }
            CalendarError::OtherYear { day, year } => {
                format!("工作日历 (calendar) 的 {day} 不应列在 {year} 年")
            }
            CalendarError::Both { day } => {
                format!("工作日历 (calendar) 的 {day} 既是放假又是调休上班")
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

pub(super) fn allowance(allowance: Allowance) -> String {
    let unit = match allowance.unit {
        Unit::UrgentHour => "小时(紧急,昼夜计)",
        Unit::WorkHour => "小时(工作时间)",
        Unit::WorkDay => "个工作日",
        Unit::NaturalDay => "个自然日",
    };
    format!("{} {unit}", allowance.n)
}

/// 3 小时 30 分.
pub(super) fn span(ms: u64) -> String {
    let minutes = ms / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} 分钟"),
        (hours, 0) => format!("{hours} 小时"),
        (hours, minutes) => format!("{hours} 小时 {minutes} 分"),
    }
}

fn ledger(line: &LedgerText<'_>) -> String {
    match *line {
        LedgerText::Start { timer, at, event, worker } => {
            format!("{}计时从 {at} 起:{worker} {event}", timer.name.label())
        }
        LedgerText::Allowed { timer, category, level, rules } => format!(
            "规则第 {rules} 版,{category}、级别 {level}:{},共 {}",
            allowance(timer.allowance),
            span(timer.counted.allowed_ms)
        ),
        LedgerText::Line { line, day, from, to } => match line {
            Line::Counted { counted_ms, left_ms, make_up, .. } => {
                let kind = if *make_up { "(调休上班)" } else { "" };
                format!("{day}{kind} {from} 至 {to} 计 {},还剩 {}", span(*counted_ms), span(*left_ms))
            }
            Line::Skipped { why, .. } => match why {
                Skip::Weekend => format!("{day} 周末,不计"),
                Skip::Holiday(name) => format!("{day} {name}放假,不计"),
                Skip::OffHours => format!("{day} 已过工作时间,不计"),
                Skip::Suspended => format!("{day} 挂起,不计"),
            },
            Line::Suspended { to_ms: Some(_), .. } => format!("挂起 {from} 至 {to},不计"),
            Line::Suspended { to_ms: None, .. } => format!("挂起自 {from},恢复之前不计"),
            Line::Provisional { year } => format!("{year} 年放假安排尚未公布或未录入,只按法定日推算"),
        },
        LedgerText::Extended { days, at, worker } => format!("{at} {worker} 同意延期 {days} 天"),
        LedgerText::Gap { event, claimed, received, waits } => {
            let counts = if waits { "下一步从能看到时起算" } else { "按办理时间计" };
            format!("离线:{event}于 {claimed} 办理,{received} 到中心;{counts}")
        }
        LedgerText::BackDated { event, claimed, counted } => {
            format!("倒填:{event}所报时间 {claimed} 早于其已知情况,按 {counted} 计")
        }
        LedgerText::Bounded { event, claimed, counted } => {
            format!("{event}所报时间 {claimed} 晚于中心收到,按 {counted} 计")
        }
        LedgerText::Due { at: Some(at) } => format!("期限:{at}"),
        LedgerText::Due { at: None } => "期限:挂起中,恢复后再算".to_owned(),
        LedgerText::End { event, at, standing } => format!("{at} {event}:{standing}"),
        LedgerText::Standing { standing } => format!("现在:{standing}"),
    }
}
