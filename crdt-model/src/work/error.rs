//! Why something about a record cannot be written, in words that a grid worker understands.

use crate::checks::CheckError;
use crate::identity::Role;

/// Why something about a record cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The post does not allow it.
    #[error("a {} may not write {event}; {} may", role.name(), names(roles))]
    Role {
        /// What was to be written, as people see it.
        event: String,
        /// The post.
        role: Role,
        /// Posts that may.
        roles: &'static [Role],
    },
    /// Not in this state.
    #[error("{event} is not possible while the {record} is {state:?}")]
    State {
        /// What was to be written.
        event: String,
        /// The kind of record.
        record: &'static str,
        /// The state it is in.
        state: &'static str,
        /// States in which it is possible.
        allowed: String,
    },
    /// Somebody else's matter.
    #[error("{event} is for {whose} alone")]
    Whose {
        /// What was to be written.
        event: String,
        /// Whose matter it is.
        whose: &'static str,
    },
    /// Something that must be said is missing.
    #[error("{label} ({name}) is missing")]
    Missing {
        /// The field.
        name: &'static str,
        /// Its word.
        label: &'static str,
    },
    /// Neither or several of the outcomes.
    #[error("say how it turned out: {flags}")]
    Outcome {
        /// What was to be written.
        event: String,
        /// The flags.
        flags: String,
        /// The words.
        labels: String,
    },
    /// Not in the code table.
    #[error("{label} {typed:?} is in no code table; use {known}")]
    Code {
        /// The field's word.
        label: &'static str,
        /// What was typed.
        typed: String,
        /// What there is.
        known: String,
    },
    /// No number.
    #[error("{label} {typed:?} is not a number")]
    Number {
        /// The field's word.
        label: &'static str,
        /// What was typed.
        typed: String,
    },
    /// No share of a hundred.
    #[error("{label} {typed:?} is no whole number from 0 to 100")]
    Percent {
        /// The field's word.
        label: &'static str,
        /// What was typed.
        typed: String,
    },
    /// Too much text.
    #[error("{label} has {chars} characters; the limit is {chars_max}")]
    TooLong {
        /// The field's word.
        label: &'static str,
        /// How much.
        chars: usize,
        /// The limit.
        chars_max: usize,
    },
    /// All together is too much for one event.
    #[error("this takes {len_bytes} bytes; the limit is {len_bytes_max}")]
    TooMuch {
        /// How much.
        len_bytes: usize,
        /// The limit.
        len_bytes_max: usize,
    },
    /// A value that a standard refuses.
    #[error("{label}: {error}")]
    Value {
        /// The field's word.
        label: &'static str,
        /// Why.
        error: CheckError,
    },
    /// The worker did not turn the track on.
    #[error("this patrol keeps no track: the worker did not turn it on")]
    NoTrack,
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

/// The posts as people call them.
pub(super) fn labels(roles: &[Role]) -> String {
    let label =
        |role: &Role| Role::ALL.iter().find(|(known, _, _)| known == role).map_or("", |(_, _, zh)| zh);
    roles.iter().map(label).collect::<Vec<_>>().join("、")
}

impl WorkError {
    fn code(&self) -> &'static str {
        match self {
            Self::Role { .. } => "role",
            Self::State { .. } => "state",
            Self::Whose { .. } => "whose",
            Self::Missing { .. } => "field-missing",
            Self::Outcome { .. } => "outcome-missing",
            Self::Code { .. } => "code-unknown",
            Self::Number { .. } | Self::Percent { .. } => "number-unreadable",
            Self::TooLong { .. } | Self::TooMuch { .. } => "text-too-long",
            Self::Value { error, .. } => error.code,
            Self::NoTrack => "no-track",
        }
    }

    fn zh(&self) -> String {
        match self {
            Self::Role { event, role, roles } => {
                format!("“{event}”只能由{}办理,您的岗位是{},没有保存。", labels(roles), labels(&[*role]))
            }
            Self::State { event, record, state, allowed } => {
                format!("这条{record}现在是“{state}”,不能“{event}”;状态为{allowed}时才可以。没有保存。")
            }
            Self::Whose { event, whose } => format!("“{event}”只能由{whose}办理,没有保存。"),
            Self::Missing { name, label } => {
                format!("缺少“{label}”,请用 --{} 填写,没有保存。", name.replace('_', "-"))
            }
            Self::Outcome { event, flags, labels } => {
                format!("“{event}”要写明结果({labels}),请加 {flags} 其中一个。")
            }
            Self::Code { label, typed, known } => format!("{label}“{typed}”无法识别,可填:{known}。"),
            Self::Number { label, typed } => format!("{label}“{typed}”不是数字,请改正。"),
            Self::Percent { label, typed } => format!("{label}“{typed}”应为 0 到 100 的整数,请改正。"),
            Self::TooLong { label, chars, chars_max } => {
                format!("{label}有 {chars} 个字,上限 {chars_max} 个,请缩短。")
            }
            Self::TooMuch { .. } => "一次填写的内容太多,请分几次填写。".to_owned(),
            Self::Value { label, error } => format!("{label}:{}", error.message_zh),
            Self::NoTrack => {
                "这次巡查没有开启轨迹,不记录轨迹点。需要轨迹的,开始巡查时加 --track。".to_owned()
            }
        }
    }
}

impl From<WorkError> for CheckError {
    fn from(error: WorkError) -> Self {
        let english = match &error {
            WorkError::Value { error, .. } => error.message_en.clone(),
            error => error.to_string(),
        };
        Self::new(error.code(), error.zh(), english)
    }
}
