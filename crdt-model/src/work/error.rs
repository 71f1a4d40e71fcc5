//! Why something about a record cannot be written, in words that a grid worker understands.

use crate::checks::CheckError;
use crate::identity::Role;

/// A word in both languages; of a field the English one is its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
}

impl Term {
    pub(super) const fn new(en: &'static str, zh: &'static str) -> Self {
        Self { en, zh }
    }
}

/// Something that can be done to a record: `hazard reinspect`, 隐患·复查.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deed {
    /// The kind of record.
    pub record: Term,
    /// The event.
    pub event: Term,
}

impl Deed {
    fn en(&self) -> String {
        format!("{} {}", self.record.en, self.event.en)
    }

    fn zh(&self) -> String {
        format!("{}·{}", self.record.zh, self.event.zh)
    }
}

/// Why something about a record cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The post does not allow it.
    #[error("a {} may not write {}; {} may", role.name(), event.en(), names(roles))]
    Role {
        /// What was to be written.
        event: Deed,
        /// The post.
        role: Role,
        /// Posts that may.
        roles: &'static [Role],
    },
    /// Not in this state.
    #[error("{} is not possible while the {} is {:?}", event.en(), event.record.en, state.en)]
    State {
        /// What was to be written.
        event: Deed,
        /// The state it is in.
        state: Term,
        /// States in which it is possible.
        allowed: String,
    },
    /// Somebody else's matter.
    #[error("{} is for {} alone", event.en(), whose.en)]
    Whose {
        /// What was to be written.
        event: Deed,
        /// Whose matter it is.
        whose: Term,
    },
    /// Something that must be said is missing.
    #[error("{} is missing: give it with --{}", field.en, field.en.replace('_', "-"))]
    Missing {
        /// The field.
        field: Term,
    },
    /// Neither or several of the outcomes.
    #[error("say how it turned out: {flags}")]
    Outcome {
        /// What was to be written.
        event: Deed,
        /// The flags.
        flags: String,
        /// The words.
        labels: String,
    },
    /// Not in the code table.
    #[error("{} {typed:?} is in no code table; use {known}", field.en)]
    Code {
        /// The field.
        field: Term,
        /// What was typed.
        typed: String,
        /// What there is.
        known: String,
    },
    /// No number.
    #[error("{} {typed:?} is not a number", field.en)]
    Number {
        /// The field.
        field: Term,
        /// What was typed.
        typed: String,
    },
    /// No share of a hundred.
    #[error("{} {typed:?} is no whole number from 0 to 100", field.en)]
    Percent {
        /// The field.
        field: Term,
        /// What was typed.
        typed: String,
    },
    /// Too much text.
    #[error("{} has {chars} characters; the limit is {chars_max}", field.en)]
    TooLong {
        /// The field.
        field: Term,
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
    #[error("{}: {}", field.en, error.message_en)]
    Value {
        /// The field.
        field: Term,
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

    /// The field that it is about.
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Missing { field }
            | Self::Code { field, .. }
            | Self::Number { field, .. }
            | Self::Percent { field, .. }
            | Self::TooLong { field, .. }
            | Self::Value { field, .. } => Some(field.en),
            Self::Role { .. } | Self::Whose { .. } => Some("role"),
            Self::State { .. } => Some("state"),
            Self::Outcome { .. } => Some("result"),
            Self::NoTrack => Some("track"),
            Self::TooMuch { .. } => None,
        }
    }

    fn zh(&self) -> String {
        match self {
            Self::Role { event, role, roles } => {
                format!(
                    "“{}”只能由{}办理,您的岗位是{},没有保存。",
                    event.zh(),
                    labels(roles),
                    labels(&[*role])
                )
            }
            Self::State { event, state, allowed } => {
                format!(
                    "这条{}现在是“{}”,不能“{}”;状态为{allowed}时才可以。没有保存。",
                    event.record.zh,
                    state.zh,
                    event.zh()
                )
            }
            Self::Whose { event, whose } => format!("“{}”只能由{}办理,没有保存。", event.zh(), whose.zh),
            Self::Missing { field } => {
                format!("缺少“{}”,请用 --{} 填写,没有保存。", field.zh, field.en.replace('_', "-"))
            }
            Self::Outcome { event, flags, labels } => {
                format!("“{}”要写明结果({labels}),请加 {flags} 其中一个。", event.zh())
            }
            Self::Code { field, typed, known } => format!("{}“{typed}”无法识别,可填:{known}。", field.zh),
            Self::Number { field, typed } => format!("{}“{typed}”不是数字,请改正。", field.zh),
            Self::Percent { field, typed } => format!("{}“{typed}”应为 0 到 100 的整数,请改正。", field.zh),
            Self::TooLong { field, chars, chars_max } => {
                format!("{}有 {chars} 个字,上限 {chars_max} 个,请缩短。", field.zh)
            }
            Self::TooMuch { .. } => "一次填写的内容太多,请分几次填写。".to_owned(),
            Self::Value { field, error } => format!("{}:{}", field.zh, error.message_zh),
            Self::NoTrack => {
                "这次巡查没有开启轨迹,不记录轨迹点。需要轨迹的,开始巡查时加 --track。".to_owned()
            }
        }
    }
}

impl From<WorkError> for CheckError {
    fn from(error: WorkError) -> Self {
        let mut check = Self::new(error.code(), error.zh(), error.to_string());
        check.field = error.field();
        check
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::text::is_chinese;
    use crate::identity::{DocId, Scope};
    use crate::schema::Kind;
    use crate::work::draft::{self, Actor, Said};
    use crate::work::{Input, Rule, records};

    fn actor(role: Role) -> Actor {
        Actor { worker: DocId([1; 16]), role, unit: Scope::Centre }
    }

    /// What was typed, code tables aside.
    #[track_caller]
    fn check_english(error: WorkError) {
        let error = CheckError::from(error);
        let said = error.message_en.split("; use ").next().unwrap_or_default();
        let unquoted: String = said.split('"').step_by(2).collect();
        assert!(!unquoted.chars().any(is_chinese), "{}: {}", error.code, error.message_en);
        assert!(error.message_zh.chars().any(is_chinese), "{}", error.message_zh);
    }

    /// Everything that can be wrong with every input of every record, and every event by everybody on a record
    /// of every state.
    #[test]
    fn no_english_message_speaks_chinese() {
        let codes = |_: &str| vec![("01".to_owned(), "其他".to_owned())];
        let wrong = |input: &Input| match input.rule {
            Rule::Text => "长".repeat(draft::TEXT_CHARS_MAX + 1),
            _ => "胡写".to_owned(),
        };
        let mut tried = 0;
        for spec in records() {
            for (role, _, _) in Role::ALL {
                let mut check = |said: &Said| match draft::open(spec, &actor(role), said, &codes) {
                    Ok(_) => {}
                    Err(error) => {
                        tried += 1;
                        check_english(error);
                    }
                };
                check(&Said::new());
                for input in spec.inputs {
                    check(&[(input.name.to_owned(), wrong(input))].into());
                    check(&[(input.name.to_owned(), " ".to_owned())].into());
                }
                let document = crate::document::Document::new(DocId([2; 16]), spec.kind).expect("a kind");
                let view = document.view();
                for state in spec.states {
                    let mut record = crate::work::fold::fold(spec, &view);
                    record.state = state;
                    for verb in spec.verbs {
                        let mut check = |said: &Said| {
                            let who = actor(role);
                            match draft::act(spec, &view, &record, &who, verb, said, &codes) {
                                Ok(_) => {}
                                Err(error) => {
                                    tried += 1;
                                    check_english(error);
                                }
                            }
                        };
                        check(&Said::new());
                        for input in verb.inputs {
                            check(&[(input.name.to_owned(), wrong(input))].into());
                        }
                    }
                }
            }
        }
        assert!(tried > 1_000, "{tried}");
        let refused = draft::check_role_of(Kind::CHECKLIST, "检查表", "add", Role::GridWorker);
        check_english(refused.expect_err("refused"));
    }
}
