//! Grid work and the centre.

use super::super::WorkText;

pub(super) fn say(text: &WorkText<'_>) -> String {
    match *text {
        WorkText::UnitUnknown { typed, known } => {
            format!("there is no unit {typed:?}; write grid:CODE, area:CODE, team:CODE, centre, street or a name, such as {known}")
        }
        WorkText::WorkerUnknown { typed } => format!("the roster has no worker {typed:?}: write a name or an id, or sync first"),
        WorkText::WorkerAmbiguous { typed } => format!("several workers are called {typed:?}: write an id"),
        WorkText::NotHeld { unit } => format!("this replica does not hold {unit}; nothing was saved"),
        WorkText::AssigneeBeyond { who, units } => {
            format!("{who} ({units}) is in no unit held here; nothing was saved")
        }
        WorkText::AssistWaits { team: true } => {
            "the team does not see it yet: the centre passes it on (wangge assist route)".to_owned()
        }
        WorkText::AssistWaits { team: false } => {
            "seen there once it has reached the centre; the answer comes back by itself".to_owned()
        }
        WorkText::StreetIsTheCentres => {
            "only the centre (centre-clerk, centre-admin, street-leader) writes in the street's scope; nothing was saved".to_owned()
        }

        WorkText::Done { id, state, .. } => format!("saved {id}, now {}", state.name),
        WorkText::StateUnknown { typed, states } => {
            let known: Vec<&str> = states.iter().map(|state| state.name).collect();
            format!("there is no state {typed:?}; use {}", known.join(", "))
        },
        WorkText::LimitUnreadable { typed } => format!("--limit takes a whole number, not {typed:?}"),
        WorkText::StateLabel => "state".to_owned(),
        WorkText::DueLabel => "due".to_owned(),
        WorkText::Overdue => "overdue".to_owned(),
        WorkText::VoidUnreadable => "void: written by a newer version, or damaged".to_owned(),
        WorkText::VoidRole => "void: the post does not allow it".to_owned(),
        WorkText::VoidWhose => "void: somebody else's matter".to_owned(),
        WorkText::VoidNoTrack => "void: the track was not turned on".to_owned(),
        WorkText::VoidState { state } => format!("void: not possible while {}", state.name),
        WorkText::NotYours { who, role } => {
            let who: Vec<&str> = who.iter().map(|role| role.name()).collect();
            format!("only {} may do that, not {role}; nothing was saved", who.join(", "))
        },
        WorkText::TeamsThroughTheCentre => "teams are reached through the centre alone".to_owned(),
        WorkText::ChecklistUnknown { typed, known } => format!("there is no checklist {typed:?}; there are {known}"),
        WorkText::ChecklistMissing => "say which --checklist".to_owned(),
        WorkText::VersionUnknown { version } => format!("there is no version {version:?}"),
        WorkText::ChecklistSet { title, version } => format!("{title} {version} is in use"),
        WorkText::AnswersUnreadable { path } => format!("{path} holds no answers: JSON, item -> answer"),
        WorkText::FileMissing => "name the --file".to_owned(),
        WorkText::Readers { read, unread, beyond } => format!("{read} have read it, {unread} have not, {beyond} are not visible here"),
        WorkText::Unread { count } => format!("{count} unread"),
        WorkText::NotHereYet => "not here yet".to_owned(),
        WorkText::SinceTheList => "since the list".to_owned(),
        WorkText::HandoverList { count, of } => format!("{count} of {of} on the list"),
        WorkText::SuccessorElsewhere { who, unit, .. } => {
            format!("--assignee: {who} holds no post in {unit} and cannot take it over; the centre gives one with wangge roster assign; nothing was saved")
        }
        WorkText::ListIncomplete { here, of } => format!("the list is not here in full ({here} of {of}), or not as it was made: sync first"),
        WorkText::NothingToRoute { state } => format!("both stand at {}", state.name),
        WorkText::SummaryOf { day } => format!("daily summary of {day}"),
        WorkText::NothingThatDay => "nothing that day".to_owned(),
        WorkText::UnitsNotHeld { count } => format!("{count} units are not held here and not counted"),
        WorkText::AnalysisOf { cases, groups } => format!("{cases} cases in {groups} groups"),
        WorkText::GroupOf { count, open, overdue } => format!("{count}, {open} open, {overdue} overdue"),
        WorkText::Supervised { count } => format!("{count} to be supervised"),
        WorkText::PeriodUnknown { known: "", .. } => {
            "there is no period yet; the centre sets one up with wangge assess period".to_owned()
        }
        WorkText::PeriodUnknown { typed, known } => format!("there is no period {typed:?}; there are {known}"),
        WorkText::PeriodExists { name } => format!("there is a period {name:?} already"),
        WorkText::PeriodSet { name, items } => format!("the period {name:?} has {items} items"),
        WorkText::Published { name, units } => format!("scores of {units} units are published for {name:?}"),
        WorkText::MarksBeyond { typed, full } => {
            format!("--score: {typed:?} does not lie between 0 and {full}; nothing was saved")
        }
        WorkText::ItemUnknown { typed, known } => format!("there is no item {typed:?}; use {known}"),
        WorkText::NotAChecklist { path, reason } => format!("{path} holds no checklist: {reason}"),
        WorkText::NotColumns { path, reason } => format!("{path} holds no columns: {reason}"),
        WorkText::ColumnsCount { path, found, max } => {
            format!("{path}: {found} columns; 1 to {max} are allowed")
        }
        WorkText::ColumnUnknown { field, .. } => format!("there is no column {field:?}; use one of those above"),
        WorkText::Decided => "decided on appeal".to_owned(),
    }
}

/// What `--help` says; see [`super::super::help`].
pub(in crate::text) const HELP: &[(&str, &str)] = &[
    ("summary", "the daily summary, derived"),
    ("summary:date", "the day, by default today"),
    ("analyse", "analysis of cases"),
    ("analyse:by", "how to group"),
    ("supervise", "supervision"),
    ("supervise list", "what is supervised, overdue, urged or nearing its time"),
    ("supervise list:overdue", "overdue alone"),
    ("assess", "assessment of units, on outcomes"),
    ("assess period", "sets a period up (the centre)"),
    ("assess period:name", "what it is called"),
    ("assess period:rules", "items and weights, JSON; by default those that ship"),
    ("assess list", "the periods"),
    ("assess rules", "items and weights, as a file takes them"),
    ("assess score", "scores, with the cases behind them"),
    ("assess publish", "publishes the scores as they are now"),
    ("assess appeal", "appeals against a score"),
    ("assess appeal:item", "the item: its code or name"),
    ("assess appeals", "the appeals"),
    ("assess rewards", "the rewards"),
    ("export:kind", "which: people, places, enterprises, houses, households, cases, summary, assessment"),
    ("export:columns", "which columns, in which order, under which headings: JSON"),
    ("export:date", "the day of a summary, by default today"),
    (":period", "the period: its name or id"),
    (":from", "the first day"),
    (":until", "the last day"),
];
