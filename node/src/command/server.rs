//! Commands over the control socket of a daemon, which holds the store open.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;

use super::pin::{Lock, seat};
use super::{Answer, Command, CommandError, Progress, execute, sync};
use crate::control::{self, Control, Line, Lines};
use crate::replica::Replica;
use crate::text::Message;

impl Progress for Lines {
    fn step(&self, label: &str, done: u64, total: u64) {
        self.send(&Line::Progress(label.to_owned(), done, total));
    }
}

/// How often a daemon looks whether it is idle.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does the commands that come over a control socket until `stop` resolves. Where there is a PIN, it is
/// asked for again after `idle_lock` without a command.
pub async fn serve(
    replica: Arc<Replica>,
    control: Control,
    idle_lock: Option<Duration>,
    stop: impl Future<Output = ()>,
) {
    let lock = Arc::new(Lock::new(idle_lock));
    let (watched, watching) = (Arc::clone(&replica), Arc::clone(&lock));
    let watch = async move {
        // Whoever went away is not to leave his key in memory.
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            watching.look(&watched);
        }
    };
    let runtime = Handle::current();
    let handle = move |command: Command, lines: Lines| {
        let attended = lock.attend(&replica, &command);
        let (command, known) = match command {
            Command::As { command, worker } => (*command, super::check_named(&replica, &worker)),
            command => (command, Ok(())),
        };
        let result = match (attended.or(known.err().map(Err)), &command) {
            (Some(answer), _) => answer,
            (None, Command::Sync(args)) => runtime.block_on(sync::sync(&replica, args, &lines)),
            (None, Command::Seat(args)) => runtime.block_on(seat(&replica, args)),
            (None, command) => execute(&replica, command, &lines),
        };
        lines.send(&line_of(result));
    };
    tokio::select! {
        () = control::serve(control, stop, handle) => {}
        () = watch => {}
    }
}

/// How an outcome travels.
fn line_of(result: Result<Answer, CommandError>) -> Line {
    let (answered, value) = match result {
        Ok(answer) => (true, serde_json::to_value(answer)),
        Err(error) => (false, serde_json::to_value(error)),
    };
    let value = value.unwrap_or(Value::Null);
    if answered { Line::Answer(value) } else { Line::Error(value) }
}

/// The outcome that a line brought.
///
/// # Errors
/// [`CommandError`]: the daemon's, or that it speaks another version.
pub(crate) fn outcome_of(line: Line) -> Result<Answer, CommandError> {
    match line {
        Line::Answer(value) => serde_json::from_value(value).map_err(|_| error_of(Line::Answer(Value::Null))),
        other => Err(error_of(other)),
    }
}

/// The error that a line brought; any other line is of another version.
pub fn error_of(line: Line) -> CommandError {
    let unreadable = || CommandError::failed("daemon-differs", &Message::DaemonDiffers);
    match line {
        Line::Error(value) => serde_json::from_value(value).unwrap_or_else(|_| unreadable()),
        Line::Answer(_) | Line::Progress(..) => unreadable(),
    }
}
