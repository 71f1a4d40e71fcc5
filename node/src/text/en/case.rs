//! Cases, orders and deadlines.

use wangge_model::case::{Effect, State, Void, Who, Why};
use wangge_model::deadline::{Allowance, Line, Unit, Why as Skip};
use wangge_model::identity::Role;

use super::super::CaseText;
use super::super::case::{LedgerText, Refused, RulesReason};

pub(super) fn say(text: &CaseText<'_>) -> String {
    match *text {
        CaseText::CategoryUnknown { typed, .. } => {
            format!("--category: {typed:?} is no line of business; use one of those above, or its code")
        }
        CaseText::SourceUnknown { typed } => {
            format!("--source: {typed:?} is unknown; use patrol, visit, window, public or phone")
        }
        CaseText::StateUnknown { typed, .. } => {
            let known: Vec<&str> = State::ALL.iter().map(|(_, name, _)| *name).collect();
            format!("--state: {typed:?} is no state; use {}", known.join(", "))
        }
        CaseText::TargetUnknown { typed, known } => {
            format!("--to: the roster has no unit or worker {typed:?}; units are, for instance, {known}")
        }
        CaseText::TargetMissing => "say to whom with --to: a unit or a worker".to_owned(),
        CaseText::TargetPost { typed } => {
            format!("--to: {typed:?} holds no post that could take it on; give it to the unit")
        }
        CaseText::ReasonMissing { event_en, .. } => format!("{event_en} needs a reason: --reason"),
        CaseText::WorkMissing => "feedback needs to say what was done: --text".to_owned(),
        CaseText::DaysUnreadable { typed, max } => {
            format!("--days: {typed:?} is no number from 1 to {max}")
        }
        CaseText::ScoreUnreadable { typed } => format!("--score: {typed:?} is no number from 0 to 100"),
        CaseText::OutcomeMissing => "say how the check went: --pass or --fail".to_owned(),
        CaseText::IntoUnknown { typed } => {
            format!("--into: there is no case {typed:?} here; check the number or the id")
        }
        CaseText::IntoItself { number } => format!("--into: that is case {number} itself"),
        CaseText::IntoCircle { number, into } => {
            format!(
                "--into: case {into} was merged into {number} before; both are one already, go on with {number}"
            )
        }
        CaseText::NotMinorLine { .. } => "--minor: that line has no minor class".to_owned(),
        CaseText::NotMinorLevel { level } => format!("--minor: cases of level {level} are not minor"),
        CaseText::PublicNeedsChannel => "--channel goes with --source public only".to_owned(),

        CaseText::PastTheGrid { category, .. } => past_the_grid(category),
        CaseText::NotToTheGrid => NOT_TO_THE_GRID.to_owned(),

        CaseText::Done { event_en, state, .. } => format!("{event_en}: now {}", state.name()),
        CaseText::Asked { .. } => "asked for; whoever dispatched it decides".to_owned(),
        CaseText::Refused(refused) => refuse(refused),
        CaseText::ReadOnly { number } => {
            format!(
                "a newer version wrote to case {number}: update this program; until then it can be read only"
            )
        }
        CaseText::OrderRefused { event: (_, event), number, state, from } => {
            let now = format!("order {number} is {}: no {event} now", state.name());
            let from: Vec<&str> = from.iter().map(|state| state.name()).collect();
            if from.is_empty() { now } else { format!("{now}; it must be {}", from.join(" or ")) }
        }
        CaseText::OrderTaken { number, by } => format!("order {number} was accepted by {by} already"),
        CaseText::OrderSuspended { number } => {
            format!("order {number} is suspended: resume it first (wangge case resume)")
        }
        CaseText::OrderRole { team, .. } => {
            format!("only team members and team leads of {team} can do that to an order")
        }
        CaseText::BackDated { typed, seen } => {
            format!("note: {typed} is before {seen}, which is known here; it will show as back-dated")
        }

        CaseText::Void { void, other, by } => voided(void, other, by),
        CaseText::OrderVoid { .. } => "not counted: the order was not in a state for that".to_owned(),
        CaseText::Effect { effect } => match effect {
            Effect::Asked => "asked".to_owned(),
            Effect::Refused => "turned down".to_owned(),
            Effect::Extended { days } => format!("{days} days more"),
            Effect::Suspended { .. } => "time stands still".to_owned(),
            Effect::Resumed => "time goes on".to_owned(),
            Effect::Assists => "assists".to_owned(),
            Effect::Beside => "as an assistant".to_owned(),
        },
        CaseText::DueLine { timer, due, standing } => format!("{} due {due}: {standing}", timer.name.name()),
        CaseText::Ledger(line) => ledger(line),

        CaseText::RulesRefused { reason } => {
            format!("the rules cannot be right, nothing was saved: {}", rules_reason(reason))
        }
        CaseText::RulesRole => "only the centre edits the rules of cases".to_owned(),
        CaseText::RulesSet { version } => {
            format!("version {version} holds for cases reported from now on; earlier ones keep theirs")
        }
        CaseText::RulesLine(line) => line.code.clone(),
        CaseText::RulesDeadline { row, .. } => {
            let times = row.allowances().map(|(timer, time)| format!("{timer} {}", allowance(time)));
            format!("{} level {}: {}", row.category, row.level, times.join(", "))
        }
        CaseText::Rules { version, lines } => format!("version {version}, {lines} lines of business"),
    }
}

fn names(roles: &[Role]) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    names.join(", ")
}

fn could(refused: &Refused<'_>) -> String {
    let mut parts = Vec::new();
    for (who, posts) in refused.who {
        parts.push(match who {
            Who::Assignee if refused.assignees.is_empty() => "the assignee (not dispatched yet)".to_owned(),
            Who::Assignee => format!("the assignee ({})", refused.assignees),
            Who::Reporter => "whoever reported it".to_owned(),
            Who::Dispatcher => format!("whoever dispatched it ({})", names(posts)),
            Who::NotHandler => format!("{}, but never the handler", names(posts)),
            Who::OwnerBelowCentre if posts.is_empty() => continue,
            _ => names(posts),
        });
    }
    if parts.is_empty() { "nobody: it is at the centre already".to_owned() } else { parts.join("; ") }
}

fn refuse(refused: &Refused<'_>) -> String {
    let (event, number) = (refused.event.1, refused.number);
    let who = format!("could be done by: {}", could(refused));
    match refused.why {
        Why::State { state: State::Closed } => {
            format!("case {number} is closed: no {event}; the centre can reopen it")
        }
        Why::State { state } => format!("case {number} is {}: no {event} now; {who}", state.name()),
        Why::Who if refused.event.1 == "report" => format!("you cannot report a case; {who}"),
        Why::Who => {
            format!("you cannot {event} case {number}, which the {} owns; {who}", refused.tier.name())
        }
        Why::Handler => format!("you handled case {number} and cannot check it; {who}"),
        Why::Teams => "only centre-clerk and centre-admin dispatch to teams".to_owned(),
        Why::Target { .. } => format!("not to {}: out of your reach, or not on this case", refused.named),
        Why::OutOfSight { .. } => format!(
            "not to {}: case {number} lies elsewhere and is not seen there; ask a neighbour for help with wangge assist \
             add, or let the centre dispatch a team",
            refused.named
        ),
        Why::NoTarget => "say to whom with --to: a unit or a worker".to_owned(),
        Why::AlreadyThere { .. } => format!("{} has case {number} already", refused.named),
        Why::NotMinor => format!("case {number} is of no minor class: it cannot be closed on the spot"),
        Why::NotSeveralTeams => format!("case {number} is with fewer than two teams: nobody needs to lead"),
        Why::AlreadyAccepted { .. } => format!("case {number} was accepted by {} already", refused.named),
        Why::Suspended => format!("case {number} is suspended: resume it first (wangge case resume)"),
        Why::BypassesGrid if refused.event.1 == "report" => past_the_grid("this line"),
        Why::BypassesGrid => NOT_TO_THE_GRID.to_owned(),
        Why::AlreadySuspended => format!("case {number} is suspended already"),
        Why::NotSuspended => format!("case {number} is not suspended"),
        Why::NothingAsked => format!("nothing was asked for on case {number}"),
        Why::Days { max } => format!("--days goes from 1 to {max}"),
        Why::Into => "--into: a case cannot be merged into itself".to_owned(),
        Why::Outcome => "say how the check went: --pass or --fail".to_owned(),
        Why::Score => "--score goes from 0 to 100".to_owned(),
    }
}

const NOT_TO_THE_GRID: &str =
    "--to: cases that go past the grid are given to no grid and no area; the centre gives them to a team";

fn past_the_grid(category: &str) -> String {
    format!(
        "{category} is not reported through grids and areas; nothing was saved. Use: wangge report-sealed --text … \
         (only the centre opens it; --anonymous leaves your name out)"
    )
}

fn voided(void: &Void, other: &str, by: &str) -> String {
    match void {
        Void::Decided(reason) => format!("void: {reason}"),
        Void::Unreadable => "void: it cannot be read".to_owned(),
        Void::NoRole => "void: it names no post".to_owned(),
        Void::Not(Why::State { state }) => format!("void: the case was {}", state.name()),
        Void::Not(Why::Who) => "void: its author could not do this".to_owned(),
        Void::Not(Why::AlreadyAccepted { .. }) => format!("not counted: accepted by {by} before"),
        Void::Not(Why::Suspended) => "not counted: it was suspended then".to_owned(),
        Void::Not(Why::BypassesGrid) => "void: such cases go past the grid".to_owned(),
        Void::Not(_) => "void: it could not be done".to_owned(),
        Void::Lost { .. } => format!("void: {other}, written side by side with it, counts instead"),
        Void::BuiltOn { .. } => format!("void: it builds on {other}, which is void"),
        Void::Duplicate { .. } => "carried over already".to_owned(),
        Void::TooMany => "void: too many events".to_owned(),
    }
}

fn rules_reason(reason: RulesReason<'_>) -> String {
    match reason {
        RulesReason::Form(error) => error.to_string(),
        RulesReason::Rules(error) => error.to_string(),
        RulesReason::Part { part, len_bytes, max_bytes } => {
            format!("{part}: {len_bytes} bytes; at most {max_bytes} are allowed")
        }
    }
}

fn allowance(allowance: Allowance) -> String {
    let unit = match allowance.unit {
        Unit::UrgentHour => "urgent hours (by the clock)",
        Unit::WorkHour => "working hours",
        Unit::WorkDay => "workdays",
        Unit::NaturalDay => "natural days",
    };
    format!("{} {unit}", allowance.n)
}

fn span(ms: u64) -> String {
    let minutes = ms / 60_000;
    format!("{}:{:02} h", minutes / 60, minutes % 60)
}

fn ledger(line: &LedgerText<'_>) -> String {
    match *line {
        LedgerText::Start { timer, at, event, .. } => {
            format!("{} starts at {at}: {event}", timer.name.name())
        }
        LedgerText::Allowed { timer, .. } => {
            format!("{}: {}", allowance(timer.allowance), span(timer.counted.allowed_ms))
        }
        LedgerText::Line { line, day, from, to } => match line {
            Line::Counted { counted_ms, make_up, .. } => {
                let kind = if *make_up { ", make-up workday" } else { "" };
                format!("{day}{kind}: {from} to {to}, {} counted", span(*counted_ms))
            }
            Line::Skipped { why, .. } => match why {
                Skip::Weekend => format!("{day}: weekend"),
                Skip::Holiday(_) => format!("{day}: holiday"),
                Skip::OffHours => format!("{day}: after hours"),
                Skip::Suspended => format!("{day}: suspended"),
            },
            Line::Suspended { to_ms: Some(_), .. } => format!("suspended {from} to {to}"),
            Line::Suspended { to_ms: None, .. } => format!("suspended since {from}"),
            Line::Provisional { year } => format!("the holidays of {year} are provisional"),
        },
        LedgerText::Extended { days, .. } => format!("extended by {days} days"),
        LedgerText::Gap { claimed, received, waits, .. } => {
            let counts = if waits { "; the next step counts from when it could be seen" } else { "" };
            format!("offline: done {claimed}, received {received}{counts}")
        }
        LedgerText::BackDated { claimed, counted, .. } => {
            format!("back-dated to {claimed}: counts as {counted}")
        }
        LedgerText::Bounded { claimed, counted, .. } => format!("claims {claimed}: counts as {counted}"),
        LedgerText::Due { at: Some(at) } => format!("due {at}"),
        LedgerText::Due { at: None } => "due: not while it is suspended".to_owned(),
        LedgerText::End { at, .. } => format!("done {at}"),
        LedgerText::Standing { .. } => "now".to_owned(),
    }
}
