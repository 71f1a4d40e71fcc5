//! Where PINs come from: a file, the environment, the terminal. Never the command line, which others see.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::Asked;
use crate::command::{Command, CommandError, Hidden, PinCommand, SeatArgs, TurnArgs, exit};
use crate::replica::vault::{self, Access, Pin, VaultError};
use crate::text::Message;

/// Where the PIN stands if no file is named.
const VARIABLE: &str = "WANGGE_PIN";
/// Where the new PIN stands if no file is named.
const NEW_VARIABLE: &str = "WANGGE_NEW_PIN";

/// The PIN that stands in `file` or in the environment; `None` if there is none.
pub(super) fn given(file: Option<&Path>) -> Result<Option<String>, CommandError> {
    found(file, VARIABLE)
}

/// The new PIN, asked for if it stands nowhere.
pub(super) fn new(file: Option<&Path>) -> Result<String, CommandError> {
    match found(file, NEW_VARIABLE)? {
        Some(pin) => Ok(pin),
        None => typed(&Message::NewPinAsked),
    }
}

/// How to open the replica in `dir`: with the PIN that was given or, at a terminal, is asked for.
pub(super) fn for_opening(dir: &Path, who: Asked<'_>) -> Result<Access, CommandError> {
    if !vault::is_locked(dir).unwrap_or(false) {
        return Ok(Access::default());
    }
    let pin = match given(who.pin_file)? {
        None if io::stdin().is_terminal() => Some(asked()?),
        given => given,
    };
    if pin.is_none() {
        // Without opening the store, which a daemon that starts may be about to do.
        return Err(CommandError::from(&VaultError::PinNeeded));
    }
    Ok(Access { worker: who.worker.map(str::to_owned), ..access(pin.as_deref())? })
}

/// The present PIN as it is typed, once for a command.
fn asked() -> Result<String, CommandError> {
    static TYPED: OnceLock<String> = OnceLock::new();
    if let Some(pin) = TYPED.get() {
        return Ok(pin.clone());
    }
    let pin = typed(&Message::PinAsked)?;
    Ok(TYPED.get_or_init(|| pin).clone())
}

/// What unlocks a daemon, if there is a PIN or somebody to ask.
pub(super) fn unlock(who: Asked<'_>) -> Result<Option<Command>, CommandError> {
    let pin = match given(who.pin_file)? {
        None if io::stdin().is_terminal() => Some(asked()?),
        given => given,
    };
    let worker = who.worker.map(str::to_owned);
    Ok(pin.map(|pin| Command::Unlock(TurnArgs { worker, old: Hidden(Some(pin)) })))
}

/// What asks a daemon to let another worker in.
pub(super) fn seat(
    dir: &Path,
    who: Asked<'_>,
    invitation: String,
    new_file: Option<&Path>,
) -> Result<Command, CommandError> {
    let worker = who.worker.map(str::to_owned);
    if !vault::is_locked(dir).unwrap_or(false) {
        // The daemon says what must be done first.
        return Ok(Command::Seat(SeatArgs { invitation, worker, ..SeatArgs::default() }));
    }
    let old = match given(who.pin_file)? {
        None if io::stdin().is_terminal() => asked()?,
        None => return Err(CommandError::from(&VaultError::PinNeeded)),
        Some(pin) => pin,
    };
    let new = Hidden(Some(new(new_file)?));
    Ok(Command::Seat(SeatArgs { invitation, worker, old: Hidden(Some(old)), new }))
}

/// Adds the PINs that a command needs.
pub(super) fn fill(dir: &Path, who: Asked<'_>, command: &mut Command) -> Result<(), CommandError> {
    let present = || -> Result<Hidden, CommandError> {
        match given(who.pin_file)? {
            None if vault::is_locked(dir).unwrap_or(false) => Ok(Hidden(Some(asked()?))),
            given => Ok(Hidden(given)),
        }
    };
    match command {
        Command::Pin(PinCommand::Set(args)) => args.new = Hidden(Some(new(args.new_pin_file.as_deref())?)),
        Command::Pin(PinCommand::Change(args)) => {
            args.old = present()?;
            args.who = who.worker.map(str::to_owned);
            args.new = Hidden(Some(new(args.new_pin_file.as_deref())?));
        }
        Command::Pin(PinCommand::Remove(args)) => args.old = present()?,
        Command::Unlock(args) | Command::Switch(args) => {
            args.old = present()?;
            args.worker = args.worker.take().or_else(|| who.worker.map(str::to_owned));
        }
        _ => {}
    }
    Ok(())
}

/// How to open the replica with the PIN that was given, if one was.
pub(super) fn access(pin: Option<&str>) -> Result<Access, CommandError> {
    let pin = pin.map(Pin::new).transpose().map_err(|error| CommandError::from(&error))?;
    Ok(Access { pin, ..Access::default() })
}

fn found(file: Option<&Path>, variable: &str) -> Result<Option<String>, CommandError> {
    if let Some(file) = file {
        let read = std::fs::read_to_string(file).map_err(|error| {
            let reason = error.to_string();
            let file = file.display().to_string();
            let message = Message::PinFile { file: &file, reason: &reason };
            CommandError { exit: exit::USAGE, ..CommandError::failed("pin-file", &message) }
        })?;
        // The first line; editors end it.
        return Ok(Some(read.lines().next().unwrap_or_default().to_owned()));
    }
    Ok(std::env::var(variable).ok().filter(|pin| !pin.is_empty()))
}

/// What is typed at the terminal without being shown; without a terminal, a line of standard input.
pub(super) fn typed(prompt: &Message<'_>) -> Result<String, CommandError> {
    let stdin = io::stdin();
    let mut line = String::new();
    let failed = |error: io::Error| {
        let reason = error.to_string();
        CommandError::failed("pin-input", &Message::Output { reason: &reason })
    };
    if stdin.is_terminal() {
        eprint!("{} ", prompt.line());
        io::stderr().flush().map_err(failed)?;
        let shown = tcgetattr(&stdin).map_err(|e| failed(e.into()))?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(|e| failed(e.into()))?;
        let read = stdin.lock().read_line(&mut line);
        let restored = tcsetattr(&stdin, OptionalActions::Flush, &shown);
        eprintln!();
        read.map_err(failed)?;
        restored.map_err(|e| failed(e.into()))?;
    } else {
        stdin.lock().read_line(&mut line).map_err(failed)?;
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
