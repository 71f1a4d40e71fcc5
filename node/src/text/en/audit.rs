//! The audit.

use wangge_model::audit::Broken;

use super::super::AuditText;

pub(super) fn say(text: &AuditText<'_>) -> String {
    match *text {
        AuditText::NotYours { roles, who } => {
            let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            let who = match who {
                "" => "nobody in this street yet; the centre can assign one".to_owned(),
                who => format!("now {who}"),
            };
            format!("the audit is shown to {} alone ({who})", roles.join(", "))
        }
        AuditText::TimeUnreadable { typed } => {
            format!("{typed:?} is not a time; write 2025-11-22 or 2025-11-22 10:05")
        }
        AuditText::Holds { entries, last: None } => format!("the copy of the audit holds: {entries} entries"),
        AuditText::Holds { entries, last: Some(last) } => {
            format!(
                "the copy of the audit holds and agrees with the relay's chain: {entries} entries up to {last}"
            )
        }
        AuditText::Broken { seq, why } => {
            format!("the audit does not agree at entry {seq}: {}", broken(why))
        }
    }
}

fn broken(why: Broken) -> &'static str {
    match why {
        Broken::Rewritten => {
            "the relay has shown another one since (written anew, or the relay was restored from a backup)"
        }
        Broken::Unconnected => "it does not follow the one before",
        Broken::Cut => "the relay has it no longer (taken away, or the relay was restored from a backup)",
        Broken::Lacking => "this device lacks it: sync first",
    }
}
