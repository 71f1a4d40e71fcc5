//! Commands over the control socket of a daemon, which holds the store open.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;

use super::pin::Lock;
use super::{Answer, Command, CommandError, Progress, execute, sync};
use crate::control::{self, Control, Line, Lines};
use crate::replica::Replica;
use crate::text::Message;

impl Progress for Lines {
    fn step(&self, label: &str, done: u64, total: u64) {
        self.send(&Line::Progress(label.to_owned(), done, total));
    }
}

/// Does the commands that come over a control socket until `stop` resolves. Where there is a PIN, it is
/// asked for again after `idle_lock` without a command.
pub async fn serve(
    replica: Arc<Replica>,
    control: Control,
    idle_lock: Option<Duration>,
    stop: impl Future<Output = ()>,
) {
    let lock = Lock::new(idle_lock);
    let runtime = Handle::current();
    let handle = move |command: Command, lines: Lines| {
        let result = match (lock.attend(&replica, &command), &command) {
            (Some(answer), _) => answer,
            (None, Command::Sync(args)) => runtime.block_on(sync::sync(&replica, args, &lines)),
            (None, command) => execute(&replica, command, &lines),
        };
        lines.send(&line_of(result));
    };
    control::serve(control, stop, handle).await;
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
    let unreadable = || CommandError::failed("daemon-differs", &Message::DaemonDiffers);
    match line {
        Line::Answer(value) => serde_json::from_value(value).map_err(|_| unreadable()),
        Line::Error(value) => Err(serde_json::from_value(value).unwrap_or_else(|_| unreadable())),
        Line::Progress(..) => Err(unreadable()),
    }
}
