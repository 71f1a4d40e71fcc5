//! Reporting a case.

use std::sync::{Mutex, PoisonError};

use wangge_model::case::{Actor, CaseView, EventKind, Rulebook, SHIPPED_NAME, Tier, Told, check};
use wangge_model::checks::{CheckError, IdNumber, text};
use wangge_model::identity::{DocId, ReplicaId, Scope};
use wangge_model::schema::Kind;

use super::args::ReportArgs;
use super::office::Office;
use super::{act, event, field, happened_at, said, show};
use crate::command::photo::Pictures;
use crate::command::{Answer, CommandError, edits, key, units::Units};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{CaseText, Message, scrub};

/// Where a report can come from, in both languages.
const SOURCES: [(&str, &str, &[&str]); 5] = [
    ("patrol", "巡查", &["巡查发现"]),
    ("visit", "走访", &["走访发现"]),
    ("window", "窗口", &["窗口受理"]),
    ("public", "公众", &["公众上报", "微信", "微博"]),
    ("phone", "电话", &["来电"]),
];

/// The source that `typed` names.
fn source_of(typed: &str) -> Option<&'static str> {
    let typed = text::compact(typed);
    SOURCES
        .iter()
        .find(|(name, label, more)| *name == typed || *label == typed || more.contains(&typed.as_str()))
        .map(|(name, _, _)| *name)
}

/// The name that people read.
pub(in crate::command) fn source_label(name: &str) -> &str {
    SOURCES.iter().find(|(known, _, _)| *known == name).map_or(name, |(_, label, _)| label)
}

pub(super) fn report(replica: &Replica, args: &ReportArgs) -> Result<Answer, CommandError> {
    // Two reports at once must not take the same number.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);

    let office = Office::load(replica)?;
    let posts = office.posts()?;
    let rules = office.book.latest();
    let at_centre = rules.category(&text::compact(&args.category)).filter(|line| line.bypasses_grid());
    if let Some(line) = at_centre
        && !posts.iter().any(|post| Tier::of(post.role) == Some(Tier::Centre))
    {
        return Err(past_the_grid(&line.name, &office.own_posts(&posts)));
    }
    // Whoever may not report is told so before he is asked for anything.
    let filers = Kind::CASE.spec().and_then(|spec| spec.access.event(EventKind::Report.name()));
    if !filers.is_some_and(|event| posts.iter().any(|post| event.roles.contains(&post.role)))
        && let Some(post) = posts.first()
    {
        let told = Told { word: EventKind::Report.name().to_owned(), ..Told::default() };
        allowed(&office, &post.unit, DocId([0; 16]), "", &posts, &told)?;
    }
    let words = said("text", &args.text)?;
    let typed = said("category", &args.category)?;
    let line = rules.category(&text::compact(&typed)).ok_or_else(|| {
        let known: Vec<String> =
            rules.categories.iter().map(|line| format!("{} ({})", line.name, line.code)).collect();
        let (typed, known) = (scrub(&typed), known.join("、"));
        let unknown = CaseText::CategoryUnknown { typed: &typed, known: &known };
        CommandError::failed("category-unknown", &Message::Case(unknown)).on("category")
    })?;
    let level = match &args.level {
        Some(level) => {
            let read = edits::check(Kind::CASE, "level", level, &mut Vec::new());
            Some(read.map_err(|error| error.on("level"))?.to_text())
        }
        None => None,
    };
    let severity: u8 = level.as_deref().and_then(|level| level.parse().ok()).unwrap_or(4);
    if args.minor && !rules.can_be_minor(&line.code, severity) {
        let lines: Vec<&str> = rules
            .categories
            .iter()
            .filter(|line| !line.minor.is_empty())
            .map(|line| line.name.as_str())
            .collect();
        let lines = lines.join("、");
        let text = if line.minor.is_empty() {
            CaseText::NotMinorLine { category: &line.name, lines: &lines }
        } else {
            CaseText::NotMinorLevel { level: severity }
        };
        return Err(CommandError::failed("not-minor", &Message::Case(text)).on("minor"));
    }
    let source = match &args.source {
        Some(typed) => {
            let typed = said("source", typed)?;
            Some(source_of(&typed).ok_or_else(|| {
                let typed = scrub(&typed);
                CommandError::failed(
                    "source-unknown",
                    &Message::Case(CaseText::SourceUnknown { typed: &typed }),
                )
                .on("source")
            })?)
        }
        None => None,
    };
    // 微信 is a source for people, and a channel of the public.
    let named =
        args.source.as_deref().map(text::compact).filter(|typed| ["微信", "微博"].contains(&typed.as_str()));
    let channel = args.channel.as_deref().map(|typed| said("channel", typed)).transpose()?.or(named);
    if channel.is_some() && source != Some("public") {
        return Err(
            CommandError::failed("channel", &Message::Case(CaseText::PublicNeedsChannel)).on("channel")
        );
    }
    let at_ms = happened_at(replica, args.at.as_deref())?;
    let unit = args.unit.as_deref();
    let place = args
        .place
        .as_deref()
        .map(|key| told_of(replica, &[Kind::PLACE, Kind::ENTERPRISE], key, unit, "--place"))
        .transpose()?;
    let person = args
        .person
        .as_deref()
        .map(|key| told_of(replica, &[Kind::PERSON], key, unit, "--person"))
        .transpose()?;
    // Where the place is, else where the person lives, else the only grid.
    let implied = place.as_ref().or(person.as_ref()).map(|target| target.scope.to_string());
    // What goes past the grid lies with the centre; the grid is told as where it happened.
    let elsewhere = unit.filter(|unit| unit.trim().parse::<Scope>().ok() != Some(Scope::Centre));
    let (scope, location) = match (at_centre, elsewhere) {
        (Some(_), Some(unit)) => (Scope::Centre, Some(Units::load(replica)?.named(unit)?.shown())),
        (Some(_), None) => (Scope::Centre, None),
        (None, _) => (Units::load(replica)?.choose(unit.or(implied.as_deref()))?.scope, None),
    };

    let pictures = Pictures::read(&args.photo)?;
    let doc = DocId(replica.random()?);
    let number = next_number(replica, &scope)?;
    let told = Told {
        word: EventKind::Report.name().to_owned(),
        text: Some(words.clone()),
        category: Some(line.code.clone()),
        level: Some(severity),
        minor: args.minor,
        photos: pictures.named(),
        rules: Some(office.book.latest_name().to_owned()).filter(|name| name != SHIPPED_NAME),
        recorded_ms: act::recorded(replica, at_ms),
        ..Told::default()
    };
    let told = allowed(&office, &scope, doc, &number, &posts, &told)?;
    let mut ops = vec![
        field("number", number.as_str()),
        field("category", line.name.as_str()),
        field("text", words.as_str()),
    ];
    if let Some(level) = &level {
        ops.push(field("level", level.as_str()));
    }
    if let Some(source) = source {
        ops.push(field("source", source));
    }
    if let Some(channel) = &channel {
        ops.push(field("channel", channel.as_str()));
    }
    if let Some(location) = &location {
        ops.push(field("location", location.as_str()));
    }
    for (name, target) in [("place", &place), ("person", &person)] {
        if let Some(target) = target {
            ops.push(field(name, target.view.id.to_string()));
        }
    }
    ops.push(event(&told));
    pictures.commit(replica, &scope, doc, vec![Edit { doc, kind: Kind::CASE, ops }], at_ms)?;
    super::cross::settle_later(replica, &office.book, &scope, &doc);
    show::answer(&office, &scope, &doc, |id| Message::Reported { number: &number, id }.line())
}

/// The record that an option names.
fn told_of(
    replica: &Replica,
    kinds: &[Kind],
    key: &str,
    unit: Option<&str>,
    option: &str,
) -> Result<key::Target, CommandError> {
    // A number that cannot be right is more likely the reason than a record that is missing.
    let doubt = match kinds {
        [Kind::PERSON] if text::compact(key).len() == 18 => IdNumber::parse(key).err().map(CheckError::from),
        _ => None,
    };
    let mut found = key::resolve(replica, &kinds[..1], key, unit);
    for kind in &kinds[1..] {
        if found.as_ref().is_err_and(|error| error.code == "not-found") {
            found = key::resolve(replica, &[*kind], key, unit);
        }
    }
    found.map_err(|error| {
        match doubt.filter(|_| error.code == "not-found") {
            Some(doubt) => CommandError::from(doubt),
            None => error,
        }
        .of_field(option)
        .on(option.trim_start_matches('-'))
    })
}

/// A line whose reports go past the grid and the area, with what to do instead.
pub(in crate::command) fn past_the_grid(category: &str, own: &str) -> CommandError {
    let text = CaseText::PastTheGrid { category, own };
    CommandError::failed("past-the-grid", &Message::Case(text)).on("category")
}

/// Checks the report like any other event of the case.
fn allowed(
    office: &Office<'_>,
    scope: &Scope,
    doc: DocId,
    number: &str,
    posts: &[Actor],
    told: &Told,
) -> Result<Told, CommandError> {
    let fresh: CaseView = wangge_model::case::fold(doc, &[], &|_| None, &Rulebook::shipped());
    let site = office.site(scope);
    check(&fresh, &site, posts, told, &office.book)
        .map_err(|refusal| act::refused(office, &fresh, number, posts, &refusal, told))
}

/// The device's own number: the end of the grid's code, the device, a count.
fn next_number(replica: &Replica, scope: &Scope) -> Result<String, ReplicaError> {
    let prefix = number_prefix(scope, &replica.profile().replica());
    let mut last = 0;
    replica.each(scope, Kind::CASE, |view| {
        if let Some(count) = view.text("number").strip_prefix(&prefix).and_then(|count| count.parse().ok()) {
            last = last.max(count);
        }
        true
    })?;
    Ok(format!("{prefix}{}", last + 1_u64))
}

fn number_prefix(scope: &Scope, replica: &ReplicaId) -> String {
    let code = if *scope == Scope::Centre { "centre" } else { scope.code() };
    let code: Vec<char> = code.chars().collect();
    let tail: String = code[code.len().saturating_sub(6)..].iter().collect();
    let device: String = replica.to_string().chars().take(2).collect();
    format!("{tail}-{device}-")
}
