//! Assessment (考核考评): periods with their items and weights, scores with the cases behind them, appeals that
//! people decide, rewards.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use wangge_model::centre::CaseFact;
use wangge_model::centre::assessment::{AssessmentRules, Span, UnitScore, assess};
use wangge_model::checks::text::compact;
use wangge_model::checks::{CheckError, Date};
use wangge_model::document::DocumentView;
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::draft::{NAME, TEXT, check_role_of, event_op, field_op, paragraphs};
use wangge_model::work::{fold, of_kind};

use super::{facts, held_within, unit_or_own};
use crate::command::instant::When;
use crate::command::work::street::Street;
use crate::command::work::{self, WorkCommand};
use crate::command::{Answer, CommandError, file, instant, shown};
use crate::replica::{Edit, Replica};
use crate::text::{Message, WorkText, scrub};

/// What can be done about assessment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum AssessCommand {
    /// Sets a period up.
    Period(PeriodArgs),
    /// The periods.
    List,
    /// Items and weights, as a file takes them.
    Rules(RulesArgs),
    /// Scores, with the cases behind them.
    Score(ScoreArgs),
    /// Publishes the scores as they are now.
    Publish(PublishArgs),
    /// Appeals against a score.
    Appeal(AppealArgs),
    /// The appeals.
    Appeals,
    /// The rewards.
    Rewards(RewardsArgs),
}

/// A new period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct PeriodArgs {
    /// What it is called.
    #[arg(long)]
    pub name: String,
    /// The first day.
    #[arg(long)]
    pub from: String,
    /// The last day.
    #[arg(long)]
    pub until: String,
    /// Items and weights, JSON; by default those that ship.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// Whose rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RulesArgs {
    /// The period, by default the rules that ship.
    pub period: Option<String>,
}

/// Which scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ScoreArgs {
    /// The period: its name or id; by default the last one.
    pub period: Option<String>,
    /// The unit, by default your own and all below.
    #[arg(long)]
    pub unit: Option<String>,
}

/// What to publish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct PublishArgs {
    /// The period: its name or id.
    pub period: String,
    /// What to say about it.
    #[arg(long)]
    pub text: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What is wrong, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct AppealArgs {
    /// The period: its name or id.
    pub period: String,
    /// The item: its code or name.
    #[arg(long)]
    pub item: String,
    /// Why it is wrong.
    #[arg(long)]
    pub text: String,
    /// The unit, by default your own.
    #[arg(long)]
    pub unit: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// Which rewards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RewardsArgs {
    /// The period: its name or id; by default all.
    pub period: Option<String>,
}

impl AssessCommand {
    /// The file that it reads.
    pub(crate) fn file(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Period(args) => args.rules.as_mut(),
            _ => None,
        }
    }
}

/// A period of assessment.
struct Period {
    id: DocId,
    title: String,
    span: Span,
    rules: AssessmentRules,
    view: DocumentView,
}

impl Period {
    fn of(view: DocumentView) -> Option<Self> {
        let span = Span {
            from: Date::parse(&view.text("from")).ok()?,
            until: Date::parse(&view.text("until")).ok()?,
        };
        let rules = AssessmentRules::parse(&view.text("rules")).ok()?;
        Some(Self { id: view.id, title: view.text("title"), span, rules, view })
    }

    fn all(replica: &Replica) -> Result<Vec<Self>, CommandError> {
        let mut found = Vec::new();
        replica.each(&Scope::Street, Kind::PERIOD, |view| {
            found.extend(Self::of(view));
            true
        })?;
        found.sort_by_key(|period: &Self| (period.span.from, period.span.until, period.id));
        Ok(found)
    }

    /// The period of a name or an id; the last one if none is given.
    fn named(replica: &Replica, typed: Option<&str>) -> Result<Self, CommandError> {
        let mut all = Self::all(replica)?;
        let known: Vec<String> = all.iter().map(|period| period.title.clone()).collect();
        let found = match typed.map(str::trim) {
            None => all.pop(),
            Some(typed) => all.into_iter().find(|period| {
                period.title == typed || typed.len() >= 6 && period.id.to_string().starts_with(typed)
            }),
        };
        let (typed, known) = (typed.unwrap_or_default(), known.join("、"));
        found.ok_or_else(|| {
            CommandError::failed(
                "period-unknown",
                &Message::Work(WorkText::PeriodUnknown { typed, known: &known }),
            )
        })
    }

    fn json(&self) -> Value {
        let published = self.view.histories.get("events").into_iter().flatten().filter_map(|event| {
            let told: Value = serde_json::from_str(event.value.as_str()?).ok()?;
            (told["kind"] == "publish").then(|| instant::rfc3339(event.wall_ms))
        });
        json!({
            "id": self.id.to_string(), "name": self.title, "from": self.span.from.to_string(),
            "until": self.span.until.to_string(), "published": published.max(), "items": self.rules.items,
        })
    }
}

pub(in crate::command) fn execute(
    replica: &Replica,
    command: &AssessCommand,
) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    match command {
        AssessCommand::Period(args) => period(replica, &street, args),
        AssessCommand::List => list(replica),
        AssessCommand::Rules(args) => rules(replica, args),
        AssessCommand::Score(args) => score(replica, &street, args),
        AssessCommand::Publish(args) => publish(replica, &street, args),
        AssessCommand::Appeal(args) => appeal(replica, args),
        AssessCommand::Appeals => work::execute(replica, &WorkCommand::new("appeal", "list", None, &[])),
        AssessCommand::Rewards(args) => rewards(replica, args),
    }
}

fn period(replica: &Replica, street: &Street, args: &PeriodArgs) -> Result<Answer, CommandError> {
    let actor = street.actor()?;
    check_role_of(Kind::PERIOD, "考核期", "add", actor.role)?;
    let title = paragraphs(NAME, &args.name)?;
    if title.is_empty() {
        return Err(CheckError::name_missing("考核期名称").into());
    }
    let span = super::analyse::span(replica, Some(&args.from), Some(&args.until))?;
    let rules = match &args.rules {
        None => AssessmentRules::shipped(),
        Some(path) => {
            let text = file::read_text(path, 64 * 1024).map_err(|error| error.on("rules"))?;
            AssessmentRules::parse(&text).map_err(CheckError::from)?
        }
    };
    if let Some(known) = Period::all(replica)?.into_iter().find(|period| period.title == title) {
        let name = known.title.as_str();
        return Err(CommandError::failed("period-exists", &Message::Work(WorkText::PeriodExists { name })));
    }
    let doc = DocId(replica.random()?);
    let ops = vec![
        field_op("title", title.as_str()),
        field_op("from", span.from.to_string()),
        field_op("until", span.until.to_string()),
        field_op("rules", rules.to_json()),
        event_op(&actor, "add", Map::new())?,
    ];
    replica.commit(&Scope::Street, vec![Edit { doc, kind: Kind::PERIOD, ops }], args.when.ms(replica)?)?;
    let period = Period::named(replica, Some(&title))?;
    let done = WorkText::PeriodSet { name: &title, items: rules.items.len() };
    Ok(Answer { json: period.json(), text: Message::Work(done).line() })
}

fn list(replica: &Replica) -> Result<Answer, CommandError> {
    let all = Period::all(replica)?;
    let lines = all.iter().map(|period| {
        format!(
            "{}  {}  {} – {}",
            shown::short_id(&period.id),
            period.title,
            period.span.from,
            period.span.until
        )
    });
    let mut lines: Vec<String> = lines.collect();
    lines.push(Message::Listed { shown: all.len(), total: all.len() }.line());
    Ok(Answer { json: all.iter().map(Period::json).collect(), text: lines.join("\n") })
}

fn rules(replica: &Replica, args: &RulesArgs) -> Result<Answer, CommandError> {
    let rules = match &args.period {
        None => AssessmentRules::shipped(),
        Some(period) => Period::named(replica, Some(period))?.rules,
    };
    let lines: Vec<String> = rules
        .items
        .iter()
        .map(|item| format!("{}  {}  {}  x {}", item.code, item.name, item.full, item.weight))
        .collect();
    Ok(Answer { json: serde_json::to_value(&rules).unwrap_or(Value::Null), text: lines.join("\n") })
}

/// Appeals that were upheld with other marks: unit and item -> marks, the last decision.
fn decided(
    replica: &Replica,
    street: &Street,
    period: &Period,
) -> Result<BTreeMap<(String, String), f64>, CommandError> {
    let mut decided = BTreeMap::new();
    let Some(spec) = of_kind(Kind::APPEAL) else { return Ok(decided) };
    let mut all = work::all(replica, spec, &street.held())?;
    all.sort_by_key(|seen| (seen.record.since_ms, seen.view.id));
    for seen in all {
        let marks = seen.record.told.iter().rfind(|told| told.kind == "decide" && told.void.is_none());
        let marks = marks.and_then(|told| told.said.get("score")?.as_f64());
        if seen.view.text("period") == period.id.to_string()
            && seen.record.state.name == "upheld"
            && let Some(marks) = marks
            && let Some(item) = period.rules.item(&seen.view.text("item"))
        {
            decided.insert((seen.view.text("scope"), item.code.clone()), marks.clamp(0.0, item.full));
        }
    }
    Ok(decided)
}

/// Whether an appeal can be decided with these marks: those of its item have an end.
pub(in crate::command) fn check_marks(
    replica: &Replica,
    appeal: &DocumentView,
    typed: Option<&str>,
) -> Result<(), CommandError> {
    let Some(typed) = typed else { return Ok(()) };
    let Ok(marks) = compact(typed).parse::<f64>() else { return Ok(()) };
    let period =
        Period::all(replica)?.into_iter().find(|period| period.id.to_string() == appeal.text("period"));
    let item = period.and_then(|period| period.rules.item(&appeal.text("item")).map(|item| item.full));
    let full = item.unwrap_or(f64::INFINITY);
    if (0.0..=full).contains(&marks) {
        return Ok(());
    }
    let typed = scrub(typed);
    Err(CommandError::failed("marks", &Message::Work(WorkText::MarksBeyond { typed: &typed, full })))
}

/// The scores of `units`, each with all below it.
fn scores(
    replica: &Replica,
    street: &Street,
    period: &Period,
    units: &[Scope],
) -> Result<Vec<(Scope, UnitScore)>, CommandError> {
    let decided = decided(replica, street, period)?;
    let all = facts(replica, &street.held())?;
    let mut by_scope: BTreeMap<&Scope, Vec<&CaseFact>> = BTreeMap::new();
    for fact in &all {
        by_scope.entry(&fact.scope).or_default().push(fact);
    }
    let mut found = Vec::new();
    for unit in units {
        let within = held_within(street, unit);
        let cases: Vec<&CaseFact> =
            within.iter().filter_map(|scope| by_scope.get(scope)).flatten().copied().collect();
        let mut registers: Vec<(&str, DocumentView)> = Vec::new();
        for (kind, name) in [(Kind::PERSON, "person"), (Kind::PLACE, "place")] {
            if !period.rules.complete.contains_key(name) {
                continue;
            }
            for scope in &within {
                replica.each(scope, kind, |view| {
                    if !view.is_closed() {
                        registers.push((name, view));
                    }
                    true
                })?;
            }
        }
        let registers: Vec<(&str, &DocumentView)> =
            registers.iter().map(|(name, view)| (*name, view)).collect();
        let mut score = assess(&period.rules, period.span, &cases, &registers, replica.now_ms());
        for item in &mut score.items {
            item.decided = decided.get(&(unit.to_string(), item.code.clone())).copied();
        }
        score.add_up(&period.rules);
        found.push((unit.clone(), score));
    }
    Ok(found)
}

/// The units that are assessed under `unit`: itself, and areas and grids below, in the order of their codes.
fn assessed(street: &Street, unit: &Scope) -> Vec<Scope> {
    let held = held_within(street, unit).into_iter();
    held.filter(|unit| matches!(unit, Scope::Area(_) | Scope::Grid(_)) || unit.code().is_empty())
        .filter(|unit| *unit != Scope::Centre)
        .collect()
}

fn score_json(street: &Street, period: &Period, unit: &Scope, score: &UnitScore) -> Value {
    let items = period.rules.items.iter().zip(&score.items).map(|(item, score)| {
        let evidence = score.evidence.iter().map(|evidence| {
            let mut json =
                json!({ "id": evidence.id.to_string(), "number": evidence.number, "good": evidence.good });
            if !evidence.lacks.is_empty() {
                json["lacks"] = evidence.lacks.clone().into();
            }
            json
        });
        json!({
            "code": item.code, "name": item.name, "full": item.full, "weight": item.weight, "base": score.base,
            "good": score.good, "score": score.score, "decided": score.decided,
            "evidence": evidence.collect::<Vec<_>>(),
        })
    });
    let mut json = super::unit_json(street, unit);
    json["items"] = items.collect();
    json["total"] = score.total.into();
    json
}

fn score(replica: &Replica, street: &Street, args: &ScoreArgs) -> Result<Answer, CommandError> {
    let period = Period::named(replica, args.period.as_deref())?;
    let unit = unit_or_own(street, args.unit.as_deref())?;
    let found = scores(replica, street, &period, &assessed(street, &unit))?;
    let mut lines = vec![format!("{}  {} – {}", period.title, period.span.from, period.span.until)];
    for (unit, score) in &found {
        let total = score.total.map_or_else(|| "—".to_owned(), |total| total.to_string());
        lines.push(format!("{}  {total}", street.unit_name(unit)));
        for (item, score) in period.rules.items.iter().zip(&score.items).filter(|(_, score)| score.base > 0) {
            let marks = score.counts().map(|marks| marks.to_string()).unwrap_or_default();
            let mut line = format!("  {}:{}/{} = {marks}", item.name, score.good, score.base);
            if score.decided.is_some() {
                line.push_str(&format!("  [{}]", Message::Work(WorkText::Decided).zh()));
            }
            let wrong = score.evidence.iter().filter(|evidence| !evidence.good).take(5);
            let wrong: Vec<&str> = wrong.map(|evidence| evidence.number.as_str()).collect();
            if !wrong.is_empty() {
                line.push_str(&format!("  ✗ {}", wrong.join("、")));
            }
            lines.push(line);
        }
    }
    let mut json = period.json();
    json["units"] = found.iter().map(|(unit, score)| score_json(street, &period, unit, score)).collect();
    Ok(Answer { json, text: lines.join("\n") })
}

fn publish(replica: &Replica, street: &Street, args: &PublishArgs) -> Result<Answer, CommandError> {
    let actor = street.actor()?;
    check_role_of(Kind::PERIOD, "考核期", "publish", actor.role)?;
    let period = Period::named(replica, Some(&args.period))?;
    let found = scores(replica, street, &period, &assessed(street, &Scope::Street))?;
    let mut totals: Vec<(String, Value)> =
        found.iter().map(|(unit, score)| (unit.to_string(), score.total.into())).collect();
    // An event takes some 15 KB: a street of hundreds of units is told in parts.
    let mut ops = Vec::new();
    while !totals.is_empty() {
        let rest = totals.split_off(totals.len().min(200));
        let mut told = Map::new();
        told.insert(
            "totals".to_owned(),
            Value::Object(std::mem::replace(&mut totals, rest).into_iter().collect()),
        );
        if let Some(text) = &args.text
            && ops.is_empty()
        {
            told.insert("text".to_owned(), paragraphs(TEXT, text)?.into());
        }
        ops.push(event_op(&actor, "publish", told)?);
    }
    replica.commit(
        &Scope::Street,
        vec![Edit { doc: period.id, kind: Kind::PERIOD, ops }],
        args.when.ms(replica)?,
    )?;
    let published = Period::named(replica, Some(&period.id.to_string()))?;
    let mut json = published.json();
    json["totals"] =
        Value::Object(found.iter().map(|(unit, score)| (unit.to_string(), score.total.into())).collect());
    let done = WorkText::Published { name: &period.title, units: found.len() };
    Ok(Answer { json, text: Message::Work(done).line() })
}

fn appeal(replica: &Replica, args: &AppealArgs) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    let period = Period::named(replica, Some(&args.period))?;
    let Some(item) = period.rules.item(args.item.trim()) else {
        let known: Vec<String> =
            period.rules.items.iter().map(|item| format!("{} {}", item.code, item.name)).collect();
        let (typed, known) = (args.item.as_str(), known.join("、"));
        return Err(CommandError::failed(
            "item-unknown",
            &Message::Work(WorkText::ItemUnknown { typed, known: &known }),
        ));
    };
    let unit = match &args.unit {
        Some(unit) => street.unit(unit)?,
        None => street.actor()?.unit,
    };
    let (id, unit) = (period.id.to_string(), unit.to_string());
    let mut said = vec![
        ("period", id.as_str()),
        ("scope", unit.as_str()),
        ("item", item.code.as_str()),
        ("text", args.text.as_str()),
        ("unit", unit.as_str()),
    ];
    said.extend(args.when.at.as_deref().map(|at| ("at", at)));
    work::execute(replica, &WorkCommand::new("appeal", "add", None, &said))
}

fn rewards(replica: &Replica, args: &RewardsArgs) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    let period = match &args.period {
        None => None,
        Some(typed) => Some(Period::named(replica, Some(typed))?.id.to_string()),
    };
    let names: BTreeMap<String, String> =
        Period::all(replica)?.into_iter().map(|period| (period.id.to_string(), period.title)).collect();
    let Some(spec) = of_kind(Kind::REWARD) else {
        return Err(CommandError::usage("bad-usage", &Message::BadUsage));
    };
    let mut json = Vec::new();
    let mut lines = Vec::new();
    let mut all = work::all(replica, spec, &street.held())?;
    // By name, so that the list is no ranking.
    all.sort_by_cached_key(|seen| (street.assignee_name(&seen.view.text("assignee")), seen.view.id));
    for seen in all {
        let of = seen.view.text("period");
        if seen.record.state.name != "given" || period.as_ref().is_some_and(|period| *period != of) {
            continue;
        }
        let who = street.assignee_name(&seen.view.text("assignee"));
        let record = fold::fold(spec, &seen.view);
        let by = record.author.map(|author| street.worker_name(&author)).unwrap_or_default();
        let period = names.get(&of).cloned().unwrap_or(of);
        lines.push(format!("{period}  {who}  {}  {}", seen.view.text("kind"), seen.view.text("text")));
        json.push(json!({
            "id": seen.view.id.to_string(), "period": period, "to": who, "assignee": seen.view.text("assignee"),
            "kind": seen.view.text("kind"), "text": seen.view.text("text"), "decided_by": by,
            "at": instant::rfc3339(record.made_ms),
        }));
    }
    lines.push(Message::Listed { shown: json.len(), total: json.len() }.line());
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}

/// The title, the items (code and name), the rows.
type ScoreTable = (String, Vec<(String, String)>, Vec<BTreeMap<String, String>>);

/// The scores as rows: unit, a value for each item's code, the total.
pub(in crate::command) fn score_table(
    replica: &Replica,
    street: &Street,
    args: &ScoreArgs,
) -> Result<ScoreTable, CommandError> {
    let period = Period::named(replica, args.period.as_deref())?;
    let unit = unit_or_own(street, args.unit.as_deref())?;
    let found = scores(replica, street, &period, &assessed(street, &unit))?;
    let rows = found
        .iter()
        .map(|(unit, score)| {
            let mut row = BTreeMap::new();
            row.insert("unit".to_owned(), unit.to_string());
            row.insert("unit_name".to_owned(), street.unit_name(unit));
            let area = street.area_of(unit).map(|area| street.unit_name(&area)).unwrap_or_default();
            row.insert("area_name".to_owned(), area);
            row.insert("period".to_owned(), period.title.clone());
            row.insert("from".to_owned(), period.span.from.to_string());
            row.insert("until".to_owned(), period.span.until.to_string());
            row.insert("total".to_owned(), score.total.map(|total| total.to_string()).unwrap_or_default());
            for item in &score.items {
                let marks = item.counts().map(|marks| marks.to_string()).unwrap_or_default();
                row.insert(item.code.clone(), marks);
                row.insert(format!("{}.base", item.code), item.base.to_string());
                row.insert(format!("{}.good", item.code), item.good.to_string());
            }
            row
        })
        .collect();
    let items = period.rules.items.iter().map(|item| (item.code.clone(), item.name.clone())).collect();
    Ok((period.title, items, rows))
}
