//! The command line `wangge`: parses, asks a running daemon or opens the replica, prints the answer.

mod bars;
mod network;
mod pins;
mod recovery;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use wangge_store::StoreError;

use crate::command::{
    self, Answer, CodesCommand, Command, CommandError, DossierArgs, PinCommand, Progress, RegisterCommand,
    Unwatched, exit,
};
use crate::control;
use crate::replica::{Machine, Replica, ReplicaError, vault};
use crate::text::{self, Message, scrub};

use bars::Bars;

/// How long a command waits for another one that has the store open.
const LOCKED_WAIT: Duration = Duration::from_secs(10);
/// How often it looks.
const LOCKED_POLL: Duration = Duration::from_millis(30);

/// Who acts on a shared device, if `--me` is not given.
const WORKER_VARIABLE: &str = "WANGGE_WORKER";

/// What was said about who acts.
#[derive(Clone, Copy)]
struct Asked<'a> {
    pin_file: Option<&'a Path>,
    worker: Option<&'a str>,
}

/// Where the data directory is named if `--dir` is not given.
const DIR_VARIABLE: &str = "WANGGE_DIR";

#[derive(Debug, Parser)]
#[command(name = "wangge", version, subcommand_required = true, arg_required_else_help = true)]
struct Arguments {
    #[arg(long, global = true, value_name = "DIR", help_heading = text::GLOBAL_OPTIONS)]
    dir: Option<PathBuf>,
    #[arg(long, global = true, help_heading = text::GLOBAL_OPTIONS)]
    json: bool,
    #[arg(long, global = true, value_name = "FILE", help_heading = text::GLOBAL_OPTIONS)]
    pin_file: Option<PathBuf>,
    #[arg(long, global = true, value_name = "NAME", help_heading = text::GLOBAL_OPTIONS)]
    me: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Join {
        invitation: String,
        #[arg(long)]
        pin: bool,
        #[arg(long, value_name = "FILE")]
        new_pin_file: Option<PathBuf>,
    },
    Run {
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        idle_lock: Option<u64>,
    },
    #[command(flatten)]
    Command(Command),
}

/// Runs the command line. Errors go to standard error, in Chinese and English.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    crate::log::start("warn");
    crate::forbid_core_dumps();
    let args: Vec<OsString> = args.into_iter().collect();
    let json = asks_for_json(&args);
    let code = match parse(args) {
        Ok(arguments) => run(arguments),
        Err(error) => usage(&error, json),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let mut definition = definition();
    let matches = definition.try_get_matches_from_mut(args)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))
}

/// The roster's commands with their help in both languages, for the relay's command line.
pub fn dressed(roster: clap::Command) -> clap::Command {
    let of_both = roster.get_about().cloned();
    let command = dress(roster, "roster");
    match of_both {
        Some(about) => command.about(about),
        None => command,
    }
}

fn dress(command: clap::Command, path: &str) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let mut command = command.mut_args(|argument| match text::help(path, Some(argument.get_id().as_str())) {
        Some(help) => argument.help(help.clone()).long_help(help),
        None => argument,
    });
    if let Some(fields) = text::fields(path) {
        command = command.after_help(fields);
    }
    if let Some(about) = text::help(path, None) {
        command = command.about(about.clone()).long_about(about);
    }
    for name in names {
        let below = format!("{path} {name}");
        command = command.mut_subcommand(name, |sub| dress(sub, below.trim()));
    }
    command
}

/// The commands with their help in both languages.
fn definition() -> clap::Command {
    dress(Arguments::command(), "")
}

/// Whether a command line that could not be parsed asks for JSON.
pub fn asks_for_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}

/// Help, the version, or what is wrong with the command line. What the process exits with.
pub fn usage(error: &clap::Error, json: bool) -> i32 {
    if !error.use_stderr() {
        return match print(&format!("{}\n", error.render().to_string().trim_end())) {
            Ok(()) => exit::DONE,
            Err(error) => complain(&error, json),
        };
    }
    let shows_help = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    // What was typed may hold an ID number.
    let english = scrub(error.render().to_string().trim_end());
    let message = if shows_help { english } else { format!("{}\n{english}", usage_zh(error)) };
    let field = match error.get(clap::error::ContextKind::InvalidArg) {
        Some(clap::error::ContextValue::String(argument)) => option_name(argument),
        Some(clap::error::ContextValue::Strings(arguments)) => {
            arguments.first().and_then(|argument| option_name(argument))
        }
        _ => None,
    };
    let code = Cow::Borrowed("bad-usage");
    complain(&CommandError { message, code, exit: exit::USAGE, field }, json)
}

/// `due` out of `--due <DAY>`.
fn option_name(argument: &str) -> Option<String> {
    let name = argument.split_whitespace().next()?.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    (!name.is_empty()).then(|| scrub(name))
}

/// What is wrong with the command line, in Chinese, naming the option.
fn usage_zh(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let said = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => scrub(text),
        Some(ContextValue::Strings(texts)) => scrub(&texts.join("、")),
        _ => String::new(),
    };
    let argument = said(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::MissingRequiredArgument if !argument.is_empty() => {
            Message::UsageMissing { arguments: &argument }.zh()
        }
        ErrorKind::UnknownArgument if !argument.is_empty() => {
            let meant = said(ContextKind::SuggestedArg);
            Message::UsageUnknown { argument: &argument, meant: &meant }.zh()
        }
        ErrorKind::InvalidSubcommand => {
            let (typed, meant) =
                (said(ContextKind::InvalidSubcommand), said(ContextKind::SuggestedSubcommand));
            Message::UsageUnknown { argument: &typed, meant: &meant }.zh()
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if !argument.is_empty() => {
            let typed = said(ContextKind::InvalidValue);
            Message::UsageValue { argument: &argument, typed: &typed }.zh()
        }
        ErrorKind::ArgumentConflict if !argument.is_empty() => {
            let other = said(ContextKind::PriorArg);
            Message::UsageConflict { argument: &argument, other: &other }.zh()
        }
        _ => Message::BadUsage.zh(),
    }
}

fn run(arguments: Arguments) -> i32 {
    let json = arguments.json;
    let outcome = act(arguments).and_then(|(answer, code)| {
        let mut text = if json { answer.json.to_string() } else { answer.text };
        if !text.is_empty() {
            text.push('\n');
            print(&text)?;
        }
        Ok(code)
    });
    match outcome {
        Ok(code) => code,
        Err(error) => complain(&error, json),
    }
}

/// Says why a command was not done: to people on standard error and, if asked for, to programs on standard
/// output. What the process exits with.
pub fn complain(error: &CommandError, json: bool) -> i32 {
    // Nobody is left to tell if these fail.
    if json {
        let _ = print(&format!("{}\n", error.to_json()));
    }
    let _ = writeln!(io::stderr().lock(), "{}", error.message);
    error.exit
}

/// Prints. A reader that has gone (`| head`) is no error.
fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let reason = error.to_string();
            Err(CommandError::failed("output", &Message::Output { reason: &reason }))
        }
        _ => Ok(()),
    }
}

fn act(arguments: Arguments) -> Result<(Answer, i32), CommandError> {
    let dir = arguments
        .dir
        .or_else(|| std::env::var_os(DIR_VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from))
        .ok_or_else(|| CommandError::usage("dir-missing", &Message::DirMissing))?;
    let named = arguments.me.or_else(|| std::env::var(WORKER_VARIABLE).ok());
    let named = named.filter(|name| !name.is_empty());
    let asked = Asked { pin_file: arguments.pin_file.as_deref(), worker: named.as_deref() };
    let bars = io::stderr().is_terminal().then(Bars::default);
    let progress: &dyn Progress = match &bars {
        Some(bars) => bars,
        None => &Unwatched,
    };
    match arguments.action {
        Action::Join { invitation, new_pin_file, .. } if control::is_served(&dir) => {
            let seat = pins::seat(&dir, asked, invitation, new_pin_file.as_deref())?;
            let gone = |reason: &str| CommandError::failed("daemon-gone", &Message::DaemonGone { reason });
            match control::ask(&dir, &seat, |_, _, _| ()) {
                Ok(Some(line)) => Ok((command::outcome_of(line)?, exit::DONE)),
                Ok(None) => Err(gone("-")),
                Err(error) => Err(gone(&error.to_string())),
            }
        }
        Action::Join { invitation, new_pin_file, .. } if vault::is_locked(&dir).unwrap_or(false) => {
            let access = pins::for_opening(&dir, asked)?;
            let new = || pins::new(new_pin_file.as_deref());
            Ok((network::join_beside(&dir, &invitation, access, new)?, exit::DONE))
        }
        Action::Join { invitation, pin, new_pin_file, .. } => {
            let asked = match pins::given(asked.pin_file)? {
                None if pin => Some(pins::new(new_pin_file.as_deref())?),
                given => given,
            };
            Ok((network::join(&dir, &invitation, pins::access(asked.as_deref())?)?, exit::DONE))
        }
        Action::Run { listen, idle_lock } => {
            let access = pins::for_opening(&dir, asked)?;
            let idle_lock = idle_lock.map(Duration::from_secs);
            Ok((network::run(&dir, listen, idle_lock, access)?, exit::DONE))
        }
        Action::Command(Command::Pin(PinCommand::Recover(args))) => {
            Ok((recovery::recover(&dir, &args)?, exit::DONE))
        }
        Action::Command(mut command) => {
            make_absolute(&mut command);
            pins::fill(&dir, asked, &mut command)?;
            let outcome = perform(&dir, asked, &command, progress);
            if let Some(bars) = &bars {
                bars.clear();
            }
            let answer = outcome?;
            let unfinished = matches!(command, Command::Sync(_)) && !command::is_in_sync(&answer.json);
            if command::is_apart(&answer.json) {
                return Ok((answer, exit::FAILED));
            }
            if matches!(command, Command::Doctor(_)) && !command::doctor::is_healthy(&answer.json) {
                return Ok((answer, exit::FAILED));
            }
            if matches!(command, Command::Audit(_)) && !command::audit::holds(&answer.json) {
                return Ok((answer, exit::FAILED));
            }
            Ok((answer, if unfinished { exit::NOT_IN_SYNC } else { exit::DONE }))
        }
    }
}

/// The daemon may work in another directory.
fn make_absolute(command: &mut Command) {
    let file = match command {
        Command::Import(args) => &mut args.file,
        Command::Person(RegisterCommand::Dossier(DossierArgs { out: Some(out), .. })) => out,
        Command::Export(args) => {
            if let Some(columns) = &mut args.columns
                && let Ok(absolute) = std::path::absolute(&*columns)
            {
                *columns = absolute;
            }
            &mut args.file
        }
        Command::Assess(command) => match command.file() {
            Some(file) => file,
            None => return,
        },
        Command::Work(command) => {
            for file in command.files() {
                if let Ok(absolute) = std::path::absolute(&*file) {
                    *file = absolute.display().to_string();
                }
            }
            return;
        }
        Command::Case(command) => {
            for file in command.files() {
                if let Ok(absolute) = std::path::absolute(&*file) {
                    *file = absolute;
                }
            }
            return;
        }
        Command::Photo(command) => {
            for file in command.files() {
                if let Ok(absolute) = std::path::absolute(&*file) {
                    *file = absolute;
                }
            }
            return;
        }
        Command::Org(command) => {
            for file in command.files() {
                if let Ok(absolute) = std::path::absolute(&*file) {
                    *file = absolute;
                }
            }
            return;
        }
        Command::Codes(CodesCommand::Set(args)) => &mut args.file,
        _ => return,
    };
    if let Ok(absolute) = std::path::absolute(&*file) {
        *file = absolute;
    }
}

/// Lets the daemon do it if there is one, else opens the replica. Another command that has it open is
/// waited for.
fn perform(
    dir: &Path,
    given: Asked<'_>,
    command: &Command,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    let deadline = Instant::now() + LOCKED_WAIT;
    let mut unlocked = false;
    // What begins or ends a turn is for everybody.
    let turns = matches!(command, Command::Lock | Command::Unlock(_) | Command::Switch(_));
    let of_worker = given.worker.filter(|_| !turns);
    let named = of_worker.map(|worker| {
        let command = Box::new(command.clone());
        Command::As { worker: worker.to_owned(), command }
    });
    let sent = named.as_ref().unwrap_or(command);
    if named.is_none()
        && !turns
        && pins::given(given.pin_file)?.is_some()
        && vault::is_shared(dir).unwrap_or(false)
    {
        // Whoever gives his PIN acts, not whose turn it happens to be.
        unlocked = unlock(dir, given)?;
    }
    loop {
        let asked = control::ask(dir, sent, |label, done, total| progress.step(label, done, total));
        match asked {
            Ok(Some(line)) => match command::outcome_of(line) {
                Err(error) if ["locked", "other-turn"].contains(&error.code.as_ref()) && !unlocked => {
                    unlocked = unlock(dir, given)?;
                    if !unlocked {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            },
            Ok(None) => {}
            Err(error) => {
                let reason = error.to_string();
                return Err(CommandError::failed("daemon-gone", &Message::DaemonGone { reason: &reason }));
            }
        }
        let access = pins::for_opening(dir, given)?;
        match Replica::open(dir, Machine { access, ..Machine::default() }) {
            Ok(replica) => {
                let replica = Arc::new(replica);
                if let Some(worker) = of_worker {
                    command::check_named(&replica, worker)?;
                }
                return directly(&replica, command, progress);
            }
            Err(ReplicaError::Store(StoreError::Locked { .. })) if Instant::now() < deadline => {
                std::thread::sleep(LOCKED_POLL);
            }
            Err(error) if matches!(command, Command::Doctor(_)) && command::doctor::is_damage(&error) => {
                return Ok(command::doctor::cannot_open(dir, &error));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives a daemon the PIN, if there is a daemon and a PIN or somebody to ask. Whether it did.
fn unlock(dir: &Path, given: Asked<'_>) -> Result<bool, CommandError> {
    let Some(unlock) = pins::unlock(given)? else { return Ok(false) };
    if let Ok(Some(line)) = control::ask(dir, &unlock, |_, _, _| ()) {
        command::outcome_of(line)?;
        return Ok(true);
    }
    Ok(false)
}

fn directly(
    replica: &Arc<Replica>,
    command: &Command,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    match command {
        Command::Sync(args) => network::sync(replica, args, progress),
        command => command::execute(replica, command, progress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands and arguments of `command` that have no help in both languages.
    fn without_help(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        if text::help(path, None).is_none() {
            missing.push(path.to_owned());
        }
        for argument in command.get_arguments().map(|argument| argument.get_id().as_str()) {
            if !["help", "version"].contains(&argument) && text::help(path, Some(argument)).is_none() {
                missing.push(format!("{path}:{argument}"));
            }
        }
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            without_help(sub, format!("{path} {}", sub.get_name()).trim(), missing);
        }
    }

    #[test]
    fn the_command_line_is_sound_and_helps_in_both_languages() {
        definition().debug_assert();
        let mut missing = Vec::new();
        without_help(&Arguments::command(), "", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    /// What was done yesterday is recorded as of yesterday, whatever it was.
    #[test]
    fn whatever_records_something_takes_the_time_at_which_it_happened() {
        // These read, or concern the device and its turn, or say from when to when themselves.
        const READ: [&str; 20] = [
            "show",
            "list",
            "find",
            "duplicates",
            "due",
            "tree",
            "locate",
            "staffing",
            "cadres",
            "rules",
            "score",
            "appeals",
            "rewards",
            "readers",
            "dossier",
            "digest",
            "status",
            "summary",
            "analyse",
            "save",
        ];
        const OTHER: [&str; 16] = [
            "join",
            "run",
            "import",
            "export",
            "report-sealed",
            "roster",
            "audit",
            "erase",
            "doctor",
            "pin",
            "lock",
            "unlock",
            "switch",
            "sync",
            "help",
            "photo",
        ];
        fn without(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
            let subs: Vec<_> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
            if subs.is_empty()
                && !READ.contains(&command.get_name())
                && !command.get_arguments().any(|argument| argument.get_id() == "at")
            {
                missing.push(path.to_owned());
            }
            for sub in subs.iter().filter(|sub| !path.is_empty() || !OTHER.contains(&sub.get_name())) {
                without(sub, format!("{path} {}", sub.get_name()).trim(), missing);
            }
        }
        let mut missing = Vec::new();
        without(&Arguments::command(), "", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn dir_and_json_stand_anywhere() {
        for line in [
            "wangge --dir N --json person show 990101199001010019",
            "wangge person --dir N show 990101199001010019 --json",
            "wangge person show --json 990101199001010019 --dir N",
        ] {
            let arguments = parse(line.split(' ').map(OsString::from)).expect(line);
            assert!(arguments.json);
            assert_eq!(arguments.dir.as_deref(), Some(Path::new("N")));
        }
    }
}
