//! Splitting a grid, and moving its records to where they belong now. Both are requests: the relay makes the
//! units and moves the records.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use wangge_model::checks::text;
use wangge_model::document::{DocumentView, Op, Scalar, Target};
use wangge_model::identity::Scope;
use wangge_model::org::split::is_part_of;
use wangge_model::registers::merge::merged_into;
use wangge_model::schema::{Kind, MOVED_TO};

use super::boundary::{current, holding, unit};
use crate::command::edits::bounded;
use crate::command::instant::When;
use crate::command::register::request_move;
use crate::command::{Answer, CommandError, instant};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, RegisterMessage};

/// Parts that a grid is split into at most.
const PARTS_MAX: usize = 32;
/// Longest name of a part, in characters.
const NAME_CHARS_MAX: usize = 60;
/// Requests in one transaction.
const REQUESTS_TOGETHER_MAX: usize = 32;

/// How to split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SplitArgs {
    /// The grid.
    pub grid: String,
    /// The new grids, `CODE=NAME`; a sub-grid's code is the grid's with a dash and a number.
    #[arg(long, value_name = "CODE=NAME", required = true, num_args = 1..)]
    pub into: Vec<String>,
    /// Why.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to move.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RehomeArgs {
    /// The grid whose records are looked at.
    pub grid: String,
    /// Where to; by default where the boundaries say.
    #[arg(long, value_name = "SCOPE")]
    pub to: Option<String>,
    /// Only records with this in their address.
    #[arg(long)]
    pub address: Option<String>,
    /// Why.
    #[arg(long)]
    pub reason: String,
    /// Only says what would be asked for.
    #[arg(long)]
    pub dry_run: bool,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

pub(super) fn split(replica: &Replica, args: &SplitArgs) -> Result<Answer, CommandError> {
    let grid = unit(replica, &args.grid)?;
    let reason = bounded(text::free_text(&args.reason))?;
    let roster = replica.roster()?;
    let street_code = replica.profile().grant().map_or_else(String::new, |grant| grant.street_code.clone());
    let mut parts = Vec::new();
    if !matches!(grid, Scope::Grid(_)) {
        let message = RegisterMessage::NoGrid { typed: &args.grid };
        return Err(CommandError::usage("not-a-grid", &Message::Register(message)).on("grid"));
    }
    for typed in &args.into {
        let wrong = || {
            let message = RegisterMessage::PartUnreadable { typed, grid: grid.code(), street: &street_code };
            CommandError::usage("part-unreadable", &Message::Register(message)).on("into")
        };
        let (code, name) = typed.split_once(['=', '＝']).ok_or_else(wrong)?;
        let code = code.trim().strip_prefix("grid:").unwrap_or(code.trim());
        let scope: Scope = format!("grid:{code}").parse().map_err(|_| wrong())?;
        let name = text::name(name);
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !is_part_of(&grid, &street_code, code)
        {
            return Err(wrong());
        }
        if roster.units().contains_key(&scope) || parts.iter().any(|(known, _)| *known == scope) {
            let unit = scope.to_string();
            let message = RegisterMessage::UnitExists { unit: &unit };
            return Err(CommandError::failed("unit-exists", &Message::Register(message)).on("into"));
        }
        parts.push((scope, name));
    }
    if parts.len() > PARTS_MAX {
        let message = RegisterMessage::PartsCount { found: parts.len(), max: PARTS_MAX };
        return Err(CommandError::usage("part-count", &Message::Register(message)).on("into"));
    }
    let secret = replica.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
    let named: Vec<String> = parts.iter().map(|(scope, _)| scope.to_string()).collect();
    let doc = secret.natural_id(Kind::SPLIT, &format!("{grid}|{}", named.join("|")), 0);
    let field =
        |name: &str, value: &str| Op { target: Target::Field(name.to_owned()), value: Some(value.into()) };
    let mut ops = vec![field("scope", &grid.to_string()), field("reason", &reason), field("status", "asked")];
    ops.extend(parts.iter().map(|(scope, name)| Op {
        target: Target::Entry { container: "parts".to_owned(), key: scope.to_string() },
        value: Some(name.as_str().into()),
    }));
    replica.commit(&Scope::Street, vec![Edit { doc, kind: Kind::SPLIT, ops }], args.when.ms(replica)?)?;
    let shown = grid.to_string();
    let message = RegisterMessage::SplitRequested { unit: &shown, parts: parts.len() };
    Ok(Answer {
        json: json!({
            "request": doc.to_string(),
            "grid": grid,
            "into": parts.iter().map(|(scope, name)| json!({ "scope": scope, "name": name })).collect::<Vec<_>>(),
        }),
        text: Message::Register(message).line(),
    })
}

/// Where the record is: where somebody lives rather than where he is registered.
fn addresses(view: &DocumentView) -> Vec<String> {
    let fields = ["current_address", "address", "registered_address"];
    let all =
        fields.iter().map(|field| view.texts(field)).find(|texts| !texts.is_empty()).unwrap_or_default();
    all.iter().map(|address| text::compact(address)).collect()
}

/// Whether an address has that part, and not within a longer number: `1号` is not in `11号`.
fn has_part(address: &str, part: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let cuts = |a: Option<char>, b: Option<char>| digit(a) && digit(b);
    address.match_indices(part).any(|(at, _)| {
        let (before, after) = (&address[..at], &address[at + part.len()..]);
        !cuts(before.chars().next_back(), part.chars().next())
            && !cuts(part.chars().next_back(), after.chars().next())
    })
}

fn position(view: &DocumentView) -> Option<(f64, f64)> {
    match (view.value("longitude")?, view.value("latitude")?) {
        (Scalar::F64(longitude), Scalar::F64(latitude)) => Some((*longitude, *latitude)),
        _ => None,
    }
}

pub(super) fn rehome(replica: &Replica, args: &RehomeArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let from = unit(replica, &args.grid)?;
    let to = args.to.as_deref().map(|typed| unit(replica, typed)).transpose()?;
    let reason = bounded(text::free_text(&args.reason))?;
    if reason.is_empty() {
        return Err(CommandError::usage("reason-missing", &Message::TextMissing));
    }
    let address = args.address.as_deref().map(text::compact);
    let boundaries = current(replica, &instant::day(replica.now_ms()))?;
    let mut requests = Vec::new();
    let mut undecided = 0;
    for kind in Kind::REGISTERS {
        let mut views = Vec::new();
        replica.each(&from, kind, |view| {
            let here = !view.is_closed() && view.text(MOVED_TO).is_empty() && merged_into(&view).is_none();
            let fits = address
                .as_ref()
                .is_none_or(|part| addresses(&view).iter().any(|address| has_part(address, part)));
            if here && fits {
                views.push(view);
            }
            true
        })?;
        for view in views {
            let belongs = match &to {
                Some(to) => Some(to.clone()),
                None => position(&view).and_then(|(longitude, latitude)| {
                    holding(&boundaries, longitude, latitude).into_iter().map(|(scope, _)| scope).next()
                }),
            };
            match belongs {
                Some(to) if to != from => requests.push(request_move(replica, &from, &view, &to, &reason)?),
                Some(_) => {}
                None => undecided += 1,
            }
        }
    }
    let count = requests.len();
    if !args.dry_run {
        for part in requests.chunks(REQUESTS_TOGETHER_MAX) {
            replica.commit(&from, part.to_vec(), at_ms)?;
        }
    }
    let message = RegisterMessage::Rehomed { count, undecided, dry_run: args.dry_run };
    Ok(Answer {
        json: json!({ "asked": count, "undecided": undecided, "dry_run": args.dry_run }),
        text: Message::Register(message).line(),
    })
}

#[cfg(test)]
mod tests {
    use super::has_part;

    #[test]
    fn a_house_number_is_not_found_within_a_longer_one() {
        assert!(has_part("中心社区1号", "1号") && has_part("中心社区1号2室", "社区1"));
        assert!(!has_part("中心社区11号", "1号") && !has_part("中心社区12号", "社区1"));
        assert!(has_part("11号楼1号", "1号"));
    }
}
