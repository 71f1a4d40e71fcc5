//! Cases (事件): reported, worked on by events that the table allows, shown with what became of them.

mod act;
mod args;
mod cross;
mod due;
mod list;
mod office;
mod order;
mod report;
mod rules;
mod show;

use wangge_model::document::{Op, Scalar, Target as OpTarget};

use super::edits::bounded;
use super::work::happened_at;
use super::{Answer, CommandError};
use crate::replica::Replica;
use crate::text::Message;

pub use args::{
    ActArgs, AskArgs, CaseCommand, CheckArgs, DueArgs, EvaluateArgs, ExtendArgs, ListCasesArgs,
    MergeIntoArgs, NoteArgs, ReportArgs, RulesCommand, SetRulesArgs, ShowCaseArgs, ToArgs, WhichArgs,
};
pub use cross::carry_over;
pub(super) use list::{newest_first, reported_ms};
pub(super) use office::{Observed, book};
pub(super) use report::{past_the_grid, source_label};

pub(super) fn execute(replica: &Replica, command: &CaseCommand) -> Result<Answer, CommandError> {
    match command {
        CaseCommand::Report(args) => report::report(replica, args),
        CaseCommand::Note(args) => act::note(replica, args),
        CaseCommand::Photo(command) => super::photo::execute(replica, command),
        CaseCommand::Show(args) => show::show(replica, args),
        CaseCommand::List(args) => list::list(replica, &args.which),
        CaseCommand::Due(args) => due::due(replica, args),
        CaseCommand::Rules(command) => rules::execute(replica, command),
        other => match other.event() {
            Some(typed) => act::act(replica, &typed),
            None => Err(CommandError::usage("bad-usage", &Message::BadUsage)),
        },
    }
}

fn field(name: &str, value: impl Into<Scalar>) -> Op {
    Op { target: OpTarget::Field(name.to_owned()), value: Some(value.into()) }
}

fn event(told: &wangge_model::case::Told) -> Op {
    Op { target: OpTarget::Event { container: "events".to_owned() }, value: Some(told.encode()) }
}

/// A text of an option that says something.
fn said(option: &str, typed: &str) -> Result<String, CommandError> {
    let text = bounded(wangge_model::checks::text::free_text(typed)).map_err(|error| error.on(option))?;
    if text.is_empty() {
        return Err(CommandError::usage("text-missing", &Message::TextMissing).on(option));
    }
    Ok(text)
}
