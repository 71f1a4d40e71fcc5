//! The command line of the records: made from the table, so that a record is added there alone.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, Subcommand};
use serde::{Deserialize, Serialize};

use wangge_model::work::{Input, RecordSpec, Rule, To, of_word, records};

use super::extra::{self, Extra};

/// The option that names photos.
pub(super) const PHOTO: &str = "photo";

/// Records whose events photos may show.
const PHOTOGRAPHED: [&str; 8] =
    ["patrol", "visit", "inspect", "hazard", "dispute", "opinion", "help", "task"];

/// What can be done with a record, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkCommand {
    /// Which records: `hazard`.
    pub record: String,
    /// What: `add`, `show`, an event.
    pub verb: String,
    /// The record, where there is one.
    pub key: Option<String>,
    /// Options with what was typed; a flag has an empty text.
    pub said: BTreeMap<String, Vec<String>>,
}

impl WorkCommand {
    /// A command that another one makes.
    pub(crate) fn new(record: &str, verb: &str, key: Option<&str>, said: &[(&str, &str)]) -> Self {
        let said = said.iter().map(|(name, text)| ((*name).to_owned(), vec![(*text).to_owned()]));
        Self {
            record: record.to_owned(),
            verb: verb.to_owned(),
            key: key.map(str::to_owned),
            said: said.collect(),
        }
    }

    /// The text of an option.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.said.get(name).and_then(|typed| typed.first()).map(String::as_str)
    }

    /// All texts of an option that may be repeated.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.said.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a flag was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.said.contains_key(name)
    }

    /// The options that name files, so that they can be made absolute.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut String> {
        let names_a_file = self.record == "checklist" && self.verb == "set";
        let key = self.key.iter_mut().filter(move |_| names_a_file);
        let files = self.said.iter_mut().filter(|(name, _)| extra::FILES.contains(&name.as_str()));
        files.flat_map(|(_, typed)| typed.iter_mut()).chain(key)
    }
}

/// An option of a verb.
#[derive(Clone, Copy)]
enum Opt {
    Flag(&'static str),
    One(&'static str, bool),
    Many(&'static str),
}

/// How a name stands on the command line.
fn long(name: &'static str) -> &'static str {
    match name {
        "starts_at" => "time",
        name => name,
    }
}

/// What an option may be called as well, where no other has that name: people who know one record try
/// the same words on the next.
fn also(name: &str, names: &[&str]) -> Option<&'static str> {
    let also = match name {
        "assignee" => "to",
        "category" => "kind",
        "kind" => "category",
        _ => return None,
    };
    (!names.contains(&also)).then_some(also)
}

impl Opt {
    fn of(input: &Input) -> Self {
        match input.rule {
            Rule::Flag => Self::Flag(input.name),
            Rule::Workers => Self::Many(input.name),
            // What is missing is said in the record's own words.
            _ => Self::One(input.name, false),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Flag(name) | Self::One(name, _) | Self::Many(name) => name,
        }
    }

    fn arg(self) -> Arg {
        let arg = Arg::new(self.name()).long(long(self.name()));
        match self {
            Self::Flag(_) => arg.action(ArgAction::SetTrue),
            Self::One(_, required) => arg.action(ArgAction::Set).required(required).allow_hyphen_values(true),
            Self::Many(_) => arg.action(ArgAction::Append),
        }
    }
}

const LIST: [Opt; 5] = [
    Opt::One("unit", false),
    Opt::One("state", false),
    Opt::Flag("mine"),
    Opt::Flag("overdue"),
    Opt::One("limit", false),
];

/// The options of a verb, and whether it names a record.
fn options(record: &str, verb: &str) -> Option<(bool, Vec<Opt>)> {
    let mut options = Vec::new();
    let mut key = false;
    let mut known = false;
    if let Some(spec) = of_word(record) {
        known = true;
        match verb {
            "list" => options.extend(LIST),
            "show" => key = true,
            verb if verb == spec.opens => {
                options.extend(spec.inputs.iter().map(Opt::of));
                options.extend([Opt::One("unit", false), Opt::One("at", false)]);
                options.extend(PHOTOGRAPHED.contains(&record).then_some(Opt::Many(PHOTO)));
            }
            verb => match spec.verb(verb) {
                Some(verb) => {
                    key = true;
                    options.extend(verb.inputs.iter().map(Opt::of));
                    if let To::Outcome(outcomes) = verb.to {
                        options.extend(outcomes.iter().map(|outcome| Opt::Flag(outcome.name)));
                    }
                    options.push(Opt::One("at", false));
                    options.extend(PHOTOGRAPHED.contains(&record).then_some(Opt::Many(PHOTO)));
                }
                None => known = false,
            },
        }
    }
    for extra in extra::of(record).filter(|extra| extra.verb == verb) {
        known = true;
        key |= extra.key;
        for input in extra.inputs.iter().filter(|input| input.name != extra::KEY) {
            options.retain(|opt| opt.name() != input.name);
            options.push(Opt::of(input));
        }
    }
    known.then_some((key, options))
}

/// The verbs of a record in the order in which help shows them.
fn verbs(record: &'static str) -> Vec<&'static str> {
    let mut verbs = Vec::new();
    if let Some(spec) = of_word(record) {
        verbs.push(spec.opens);
        verbs.extend(spec.verbs.iter().map(|verb| verb.name));
        verbs.extend(["show", "list"]);
    }
    for extra in extra::of(record) {
        if !extra.verb.is_empty() && !verbs.contains(&extra.verb) {
            verbs.push(extra.verb);
        }
    }
    verbs
}

/// All records on the command line.
fn words() -> Vec<&'static str> {
    let mut words: Vec<&str> = records().map(|spec| spec.word).collect();
    for extra in extra::EXTRAS {
        if !words.contains(&extra.record) {
            words.push(extra.record);
        }
    }
    words
}

fn subcommand(record: &'static str) -> Command {
    let mut command = Command::new(record).subcommand_required(true).arg_required_else_help(true);
    for verb in verbs(record) {
        let Some((key, options)) = options(record, verb) else { continue };
        let mut sub = Command::new(verb);
        if of_word(record).is_some_and(|spec| spec.opens == verb && verb != "add") {
            // What all other records call it.
            sub = sub.alias("add");
        }
        if key {
            sub = sub.arg(Arg::new("key").required(true).value_name("KEY"));
        }
        let names: Vec<&str> = options.iter().map(|option| option.name()).collect();
        let args = options.iter().map(|option| match also(option.name(), &names) {
            Some(also) => option.arg().visible_alias(also),
            None => option.arg(),
        });
        command = command.subcommand(sub.args(args));
    }
    command
}

impl FromArgMatches for WorkCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (record, matches) = matches.subcommand().ok_or_else(missing)?;
        let (verb, matches) = matches.subcommand().ok_or_else(missing)?;
        let (key, options) = options(record, verb).ok_or_else(missing)?;
        let mut said = BTreeMap::new();
        for option in options {
            let name = option.name();
            match option {
                Opt::Flag(_) => {
                    if matches.get_flag(name) {
                        said.insert(name.to_owned(), vec![String::new()]);
                    }
                }
                Opt::One(..) | Opt::Many(_) => {
                    if let Some(typed) = matches.get_many::<String>(name) {
                        said.insert(name.to_owned(), typed.cloned().collect());
                    }
                }
            }
        }
        let key = if key { matches.get_one::<String>("key").cloned() } else { None };
        Ok(Self { record: record.to_owned(), verb: verb.to_owned(), key, said })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for WorkCommand {
    fn augment_subcommands(command: Command) -> Command {
        command.subcommands(words().into_iter().map(subcommand))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        words().contains(&name)
    }
}

/// What `--help` says of a record, a verb or an option: Chinese, then English. `path` is `hazard add`.
pub(crate) fn help(path: &str, argument: Option<&str>) -> Option<(String, String)> {
    let pair = |zh: &str, en: &str| Some((zh.to_owned(), en.to_owned()));
    let (record, verb) = path.split_once(' ').map_or((path, None), |(record, verb)| (record, Some(verb)));
    let spec: Option<&'static RecordSpec> = of_word(record);
    let mut extras = extra::of(record).filter(|extra| Some(extra.verb) == verb);
    match (verb, argument) {
        (None, None) => match spec {
            Some(spec) => pair(spec.label, spec.about),
            None => {
                extra::of(record).find(|extra| extra.verb.is_empty()).and_then(|e| pair(e.label, e.about))
            }
        },
        (Some(verb), None) => {
            if let Some(Extra { label, about, .. }) = extras.find(|extra| !extra.label.is_empty()) {
                return pair(label, about);
            }
            let spec = spec?;
            match verb {
                "show" => pair("查看一条", "shows one"),
                "list" => pair("列表,新的在前", "lists them, newest first"),
                verb if verb == spec.opens => pair(spec.event_label(verb), "makes one"),
                verb => pair(spec.event_label(verb), spec.verb(verb)?.about),
            }
        }
        (verb, Some(argument)) => {
            let verb = verb?;
            if let Some(input) = extras.flat_map(|extra| extra.inputs).find(|input| input.name == argument) {
                return pair(input.label, input.about);
            }
            let spec = spec?;
            let inputs = if verb == spec.opens { spec.inputs } else { spec.verb(verb)?.inputs };
            if let Some(input) = inputs.iter().find(|input| input.name == argument) {
                let must = if input.required { "(必填)" } else { "" };
                return pair(&format!("{}{must}", input.label), input.about);
            }
            match spec.verb(verb)?.to {
                To::Outcome(outcomes) => {
                    let outcome = outcomes.iter().find(|outcome| outcome.name == argument)?;
                    pair(outcome.label, outcome.name)
                }
                _ => None,
            }
        }
    }
}
