//! What can be typed about cases.

use crate::command::instant::When;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use wangge_model::case::EventKind;

/// What can be done with cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum CaseCommand {
    /// Reports one.
    Report(ReportArgs),
    /// Adds a note.
    Note(NoteArgs),
    /// Shows one.
    Show(ShowCaseArgs),
    /// Photos.
    #[command(subcommand)]
    Photo(crate::command::PhotoCommand),
    /// Lists them, newest first.
    List(ListCasesArgs),
    /// When they are due, and why.
    Due(DueArgs),
    /// The rules that they fold under.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// 当场办结.
    CloseOnSpot(ActArgs),
    /// 核实.
    Verify(ActArgs),
    /// 立案.
    Register(ActArgs),
    /// 不予受理.
    Reject(ActArgs),
    /// 上报上级.
    Escalate(ActArgs),
    /// 派遣.
    Dispatch(ToArgs),
    /// 牵头.
    AppointLead(ToArgs),
    /// 接单.
    Accept(ActArgs),
    /// 退回.
    Return(ActArgs),
    /// 延期.
    Extend(ExtendArgs),
    /// 挂起.
    Suspend(AskArgs),
    /// 恢复.
    Resume(ActArgs),
    /// 处理反馈.
    Feedback(ActArgs),
    /// 核查.
    Check(CheckArgs),
    /// 评价.
    Evaluate(EvaluateArgs),
    /// 归档.
    Archive(ActArgs),
    /// 催办.
    Urge(ActArgs),
    /// 督办.
    Supervise(ActArgs),
    /// 重启.
    Reopen(ActArgs),
    /// 并案.
    Merge(MergeIntoArgs),
}

/// What to report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ReportArgs {
    /// The line of business (art. 7, 9, 19).
    #[arg(long)]
    pub category: String,
    /// What happened.
    #[arg(long)]
    pub text: String,
    /// The place concerned.
    #[arg(long, value_name = "KEY")]
    pub place: Option<String>,
    /// The person concerned.
    #[arg(long, value_name = "KEY")]
    pub person: Option<String>,
    /// 1 (most serious) to 4.
    #[arg(long)]
    pub level: Option<String>,
    /// Where the report came from.
    #[arg(long)]
    pub source: Option<String>,
    /// 微信, 微博 …, for a report from the public.
    #[arg(long)]
    pub channel: Option<String>,
    /// Of a minor class.
    #[arg(long)]
    pub minor: bool,
    /// Photos that show it; may be given several times.
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub photo: Vec<PathBuf>,
    /// The grid: `grid:CODE`, a code or a village's name.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// What to note.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct NoteArgs {
    /// Which case.
    pub key: String,
    /// What to note.
    #[arg(long)]
    pub text: String,
    /// Photos that show it; may be given several times.
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub photo: Vec<PathBuf>,
    /// When it happened.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ShowCaseArgs {
    /// Which case.
    pub key: String,
    /// Why numbers are to be shown in full.
    #[arg(long, value_name = "REASON")]
    pub unmask: Option<String>,
}

/// Which cases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct WhichArgs {
    /// One grid only.
    #[arg(long)]
    pub unit: Option<String>,
    /// Those in that state only.
    #[arg(long)]
    pub state: Option<String>,
    /// Those overdue only.
    #[arg(long)]
    pub overdue: bool,
    /// Open ones that wait for this worker, were given to him or his unit, or reported by him.
    #[arg(long)]
    pub mine: bool,
    /// Those that the centre should look at.
    #[arg(long)]
    pub flagged: bool,
    /// At most so many.
    #[arg(long)]
    pub limit: Option<usize>,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ListCasesArgs {
    /// Which.
    #[command(flatten)]
    #[serde(flatten)]
    pub which: WhichArgs,
}

/// What to say about due times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct DueArgs {
    /// Which case; all that are open if none is named.
    pub key: Option<String>,
    /// How it came about, line by line.
    #[arg(long)]
    pub explain: bool,
    /// Which.
    #[command(flatten)]
    #[serde(flatten)]
    pub which: WhichArgs,
}

/// What can be done with the rules of cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum RulesCommand {
    /// Shows the latest version.
    Show,
    /// Publishes a new version.
    Set(SetRulesArgs),
}

/// New rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SetRulesArgs {
    /// A JSON file like the one that `show --json` prints.
    pub file: PathBuf,
    /// Who approved them (art. 3).
    #[arg(long)]
    pub approver: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// An event that needs no more than words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ActArgs {
    /// Which case.
    pub key: String,
    /// Why.
    #[arg(long)]
    pub reason: Option<String>,
    /// What there is to say.
    #[arg(long)]
    pub text: Option<String>,
    /// Photos that show it; may be given several times.
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub photo: Vec<PathBuf>,
    /// When it happened.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// An event that names a unit or a worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ToArgs {
    /// The event.
    #[command(flatten)]
    #[serde(flatten)]
    pub act: ActArgs,
    /// To whom; may be given several times.
    #[arg(long, value_name = "SCOPE|WORKER")]
    pub to: Vec<String>,
}

/// Something asked for, granted or turned down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct AskArgs {
    /// The event.
    #[command(flatten)]
    #[serde(flatten)]
    pub act: ActArgs,
    /// Turns a request down.
    #[arg(long)]
    pub refuse: bool,
}

/// More time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ExtendArgs {
    /// The request.
    #[command(flatten)]
    #[serde(flatten)]
    pub ask: AskArgs,
    /// How many days.
    #[arg(long)]
    pub days: Option<String>,
}

/// The outcome of a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct CheckArgs {
    /// The event.
    #[command(flatten)]
    #[serde(flatten)]
    pub act: ActArgs,
    /// It was done as it should be.
    #[arg(long, conflicts_with = "fail")]
    pub pass: bool,
    /// It has to be done again.
    #[arg(long)]
    pub fail: bool,
}

/// How well it was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct EvaluateArgs {
    /// The event.
    #[command(flatten)]
    #[serde(flatten)]
    pub act: ActArgs,
    /// 0 to 100.
    #[arg(long)]
    pub score: String,
}

/// Into which case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct MergeIntoArgs {
    /// The event.
    #[command(flatten)]
    #[serde(flatten)]
    pub act: ActArgs,
    /// The other case.
    #[arg(long, value_name = "KEY")]
    pub into: String,
}

/// An event as it was typed.
pub(super) struct Typed<'a> {
    pub(super) kind: EventKind,
    pub(super) act: &'a ActArgs,
    pub(super) to: &'a [String],
    pub(super) pass: Option<bool>,
    pub(super) score: Option<&'a str>,
    pub(super) into: Option<&'a str>,
    pub(super) days: Option<&'a str>,
    pub(super) refuse: bool,
}

impl CaseCommand {
    /// The files that it names, so that they can be made absolute.
    pub(crate) fn files(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Rules(RulesCommand::Set(args)) => vec![&mut args.file],
            Self::Photo(command) => command.files(),
            Self::Report(args) => args.photo.iter_mut().collect(),
            Self::Note(args) => args.photo.iter_mut().collect(),
            other => other.act().map(|act| act.photo.iter_mut().collect()).unwrap_or_default(),
        }
    }

    fn act(&mut self) -> Option<&mut ActArgs> {
        Some(match self {
            Self::CloseOnSpot(act)
            | Self::Verify(act)
            | Self::Register(act)
            | Self::Reject(act)
            | Self::Escalate(act)
            | Self::Accept(act)
            | Self::Return(act)
            | Self::Resume(act)
            | Self::Feedback(act)
            | Self::Archive(act)
            | Self::Urge(act)
            | Self::Supervise(act)
            | Self::Reopen(act) => act,
            Self::Dispatch(args) | Self::AppointLead(args) => &mut args.act,
            Self::Suspend(args) => &mut args.act,
            Self::Extend(args) => &mut args.ask.act,
            Self::Check(args) => &mut args.act,
            Self::Evaluate(args) => &mut args.act,
            Self::Merge(args) => &mut args.act,
            _ => return None,
        })
    }

    /// The event that the command writes, if it is one.
    pub(super) fn event(&self) -> Option<Typed<'_>> {
        let plain = |kind, act| Typed {
            kind,
            act,
            to: &[],
            pass: None,
            score: None,
            into: None,
            days: None,
            refuse: false,
        };
        Some(match self {
            Self::Report(_)
            | Self::Note(_)
            | Self::Photo(_)
            | Self::Show(_)
            | Self::List(_)
            | Self::Due(_)
            | Self::Rules(_) => {
                return None;
            }
            Self::CloseOnSpot(act) => plain(EventKind::CloseOnSpot, act),
            Self::Verify(act) => plain(EventKind::Verify, act),
            Self::Register(act) => plain(EventKind::Register, act),
            Self::Reject(act) => plain(EventKind::Reject, act),
            Self::Escalate(act) => plain(EventKind::Escalate, act),
            Self::Accept(act) => plain(EventKind::Accept, act),
            Self::Return(act) => plain(EventKind::Return, act),
            Self::Resume(act) => plain(EventKind::Resume, act),
            Self::Feedback(act) => plain(EventKind::Feedback, act),
            Self::Archive(act) => plain(EventKind::Archive, act),
            Self::Urge(act) => plain(EventKind::Urge, act),
            Self::Supervise(act) => plain(EventKind::Supervise, act),
            Self::Reopen(act) => plain(EventKind::Reopen, act),
            Self::Dispatch(args) => Typed { to: &args.to, ..plain(EventKind::Dispatch, &args.act) },
            Self::AppointLead(args) => Typed { to: &args.to, ..plain(EventKind::AppointLead, &args.act) },
            Self::Suspend(args) => Typed { refuse: args.refuse, ..plain(EventKind::Suspend, &args.act) },
            Self::Extend(args) => Typed {
                refuse: args.ask.refuse,
                days: args.days.as_deref(),
                ..plain(EventKind::Extend, &args.ask.act)
            },
            Self::Check(args) => Typed {
                pass: (args.pass != args.fail).then_some(args.pass),
                ..plain(EventKind::Check, &args.act)
            },
            Self::Evaluate(args) => {
                Typed { score: Some(&args.score), ..plain(EventKind::Evaluate, &args.act) }
            }
            Self::Merge(args) => Typed { into: Some(&args.into), ..plain(EventKind::Merge, &args.act) },
        })
    }
}
