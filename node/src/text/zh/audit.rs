//! 审计。

use wangge_model::audit::Broken;

use super::super::{AuditText, role_zh};

pub(super) fn say(text: &AuditText<'_>) -> String {
    match *text {
        AuditText::NotYours { roles, who } => {
            let roles: Vec<&str> = roles.iter().map(|role| role_zh(*role)).collect();
            let who = match who {
                "" => "本街道尚未派任,可由社管中心派任".to_owned(),
                who => format!("现任:{who}"),
            };
            format!("审计只供{}查看({who})", roles.join("、"))
        }
        AuditText::TimeUnreadable { typed } => {
            format!("看不懂时间“{typed}”,请写成 2025-11-22 或 2025-11-22 10:05")
        }
        AuditText::Holds { entries, last: None } => format!("审计副本完好:{entries} 条"),
        AuditText::Holds { entries, last: Some(last) } => {
            format!("审计副本完好,与中心的审计链相符:{entries} 条,截至 {last}")
        }
        AuditText::Broken { seq, why } => format!("审计链在第 {seq} 条处不符:{}", broken(why)),
    }
}

fn broken(why: Broken) -> &'static str {
    match why {
        Broken::Rewritten => "中心后来给出的与先前记录的不同(被改写,或中心由备份恢复)",
        Broken::Unconnected => "与前一条不衔接",
        Broken::Cut => "中心已没有这一条(被删除,或中心由备份恢复)",
        Broken::Lacking => "本机没有这一条,请先同步",
    }
}
