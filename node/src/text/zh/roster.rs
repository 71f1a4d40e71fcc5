//! 名册。

use super::super::{RosterText, role_zh};

/// 从何时到何时。
fn term(from: Option<&str>, until: Option<&str>) -> String {
    match (from, until) {
        (None, None) => String::new(),
        (Some(from), None) => format!("(自 {from})"),
        (None, Some(until)) => format!("(至 {until})"),
        (Some(from), Some(until)) => format!("({from} 至 {until})"),
    }
}

pub(super) fn say(text: &RosterText<'_>) -> String {
    match *text {
        RosterText::WorkerUnknown { typed, known } => {
            format!("名册里没有“{typed}”这名人员。要新增请加 --new;现有:{known}")
        }
        RosterText::WorkerAmbiguous { typed } => format!("叫“{typed}”的不止一人,请写人员标识:"),
        RosterText::DeviceUnknown { typed } => {
            format!("名册里没有设备“{typed}”。请写设备名称或标识的前 6 位以上,见 roster list")
        }
        RosterText::DeviceAmbiguous { typed } => format!("“{typed}”不止一台设备,请写完整标识:"),
        RosterText::RoleUnknown { typed } => {
            format!("没有“{typed}”这个岗位,可写 网格员、网格长 等或其英文名")
        }
        RosterText::UnitUnknown { typed, known } => {
            format!(
                "本街道没有“{typed}”这个单位。可写 grid:代码、area:代码、team:代码、centre、street 或名称,如:{known}"
            )
        }
        RosterText::Misfit { role, unit } => format!("{}不能设在 {unit}", role_zh(role)),
        RosterText::Excluded { worker, held, role } => {
            format!(
                "{worker} 已任{},不能再任{}:系统、安全、审计三类管理员须由不同的人担任。请另派他人,或先用 roster leave 结束原岗位",
                role_zh(held),
                role_zh(role)
            )
        }
        RosterText::TimeUnreadable { typed } => {
            format!("看不懂时间“{typed}”,请写成 2025-11-22 或 2025-11-22 10:05")
        }
        RosterText::TermEmpty => "结束时间应在开始时间之后".to_owned(),
        RosterText::WhoMissing => "请说明是谁:--worker 姓名 或设备".to_owned(),
        RosterText::NothingToEnd { worker } => format!("{worker} 没有这样的岗位,没有改动"),
        RosterText::AlreadyRevoked { device } => format!("设备 {device} 已经注销过"),
        RosterText::NumberRange { name, max } => format!("{name} 应在 0 到 {max} 之间"),
        RosterText::NothingSaid => "没有要改的内容".to_owned(),
        RosterText::Assigned { worker, role, unit, changed: true } => {
            format!("{worker} 任 {unit} {}", role_zh(role))
        }
        RosterText::Assigned { worker, role, unit, changed: false } => {
            format!("{worker} 已是 {unit} {},没有改动", role_zh(role))
        }
        RosterText::MayUse { worker, device } => format!("{worker} 可使用设备 {device}"),
        RosterText::Ended { worker, role, unit, until } => {
            format!("{worker} 的 {unit} {}岗位于 {until} 结束", role_zh(role))
        }
        RosterText::DeviceLeaves { device, until } => format!("设备 {device} 于 {until} 停用"),
        RosterText::Revoked { device, worker } => {
            format!("设备 {device}({worker})已注销,下次连接时清除其数据")
        }
        RosterText::Policy { grace_days, lease_days, quarantine_bytes, carried_bytes, pin_required } => {
            format!(
                "离岗宽限 {grace_days} 天,登记租期 {lease_days} 天,每台注销设备的隔离区上限 {quarantine_bytes} 字节,邻近设备为每台设备代存未裁定内容上限 {carried_bytes} 字节,网格、团队、窗口的设备{}设 PIN",
                if pin_required { "必须" } else { "可以不" }
            )
        }
        RosterText::Worker { name, id, until } => format!("{name}  {id}{}", term(None, until)),
        RosterText::Post { role, unit, from, until } => {
            format!("  {} {unit}{}", role_zh(role), term(from, until))
        }
        RosterText::Overruled { by } => {
            format!("    不生效:此人同时任{},两岗不能兼任,请用 roster leave 结束其一", role_zh(by))
        }
        RosterText::Vacant { roles } => {
            let roles: Vec<&str> = roles.iter().map(|role| role_zh(*role)).collect();
            format!("提示:尚无{}(系统、安全、审计三类管理员宜分设)", roles.join("、"))
        }
        RosterText::Device { device, replica, workers } => format!("{device}  {replica}  {workers}"),
        RosterText::Standing { until: None } => "在用".to_owned(),
        RosterText::Standing { until: Some(until) } => format!("用至 {until}"),
        RosterText::StandsRevoked { reason: "" } => "已注销".to_owned(),
        RosterText::StandsRevoked { reason } => format!("已注销:{reason}"),
        RosterText::Cut { log, upto } => format!("  日志 {log} 截至第 {upto} 条"),
        RosterText::Wiped { at } => format!("  已于 {at} 清除数据,设备已签名回执"),
        RosterText::Listed { workers, devices, revoked } => {
            format!("人员 {workers} 名,设备 {devices} 台,其中已注销 {revoked} 台")
        }
    }
}
