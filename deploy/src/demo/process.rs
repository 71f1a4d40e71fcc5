//! Processes of the street: servers that run until they are ended, and commands that end by themselves.
//! None outlives this value or this program.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;

use crate::child::{LEASH, Role};

/// Longest wait for a server to be ready.
const READY_WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest wait for a command.
const COMMAND_WAIT_MAX: Duration = Duration::from_secs(60);
/// Longest wait for a server that was asked to stop.
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);
/// Lines of a log that are shown when something fails.
const LOG_LINES_SHOWN: usize = 8;

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whether it was done.
    pub(crate) done: bool,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

/// A server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Not left in the child: waiting would close it, and that ends the server out of order.
    _leash: Option<ChildStdin>,
    log: PathBuf,
}

fn command(role: Role, args: &[&str]) -> Result<Command> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let mut command = Command::new(program);
    command.arg(role.argument()).args(args);
    // A leash: held for as long as this program lives.
    command.env(LEASH, "1").stdin(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// What people see of a call.
fn shown(role: Role, args: &[&str]) -> String {
    format!("{} {}", role.program(), args.join(" "))
}

/// Runs a command to its end.
pub(crate) async fn call(role: Role, args: &[&str]) -> Result<Said> {
    let mut command = command(role, args)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| shown(role, args))?;
    // `wait_with_output` would close it at once.
    let leash = child.stdin.take();
    let output = tokio::time::timeout(COMMAND_WAIT_MAX, child.wait_with_output()).await;
    drop(leash);
    let Ok(output) = output else {
        bail!("{} 秒内没有做完 / not done within {} s: {}", secs(), secs(), shown(role, args))
    };
    let output = output.with_context(|| shown(role, args))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { done: output.status.success(), out: text(output.stdout), err: text(output.stderr) })
}

fn secs() -> u64 {
    COMMAND_WAIT_MAX.as_secs()
}

/// Runs a command that must be done.
pub(crate) async fn do_call(role: Role, args: &[&str]) -> Result<String> {
    let said = call(role, args).await?;
    if !said.done {
        bail!("{}\n{}{}", shown(role, args), said.err, said.out);
    }
    Ok(said.out)
}

impl Server {
    /// Starts a server. With `until`, waits for a line that contains it and returns what follows there.
    pub(crate) async fn start(
        role: Role,
        args: &[&str],
        log: &Path,
        until: Option<&'static str>,
    ) -> Result<(Self, String)> {
        let mut file = OpenOptions::new().create(true).append(true).open(log)?;
        writeln!(file, "--- {}", shown(role, args))?;
        let mut command = command(role, args)?;
        command.stdout(Stdio::piped()).stderr(file.try_clone()?);
        let mut child = command.spawn().with_context(|| shown(role, args))?;
        let stdout = child.stdout.take().context("standard output")?;
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(copy_lines(BufReader::new(stdout), file, until, sender));
        let server = Self { _leash: child.stdin.take(), child, log: log.to_owned() };
        let rest = match until {
            None => String::new(),
            Some(_) => match tokio::time::timeout(READY_WAIT_MAX, receiver).await {
                Ok(Ok(rest)) => rest,
                _ => bail!("没有就绪 / not ready: {}\n{}", shown(role, args), server.log_tail()),
            },
        };
        Ok((server, rest))
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// SIGKILL: it gets no chance to write anything.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// SIGTERM: it stops in order. Returns whether it did.
    pub(crate) async fn stop(mut self) -> Result<bool> {
        let Some(id) = self.child.id() else { return Ok(false) };
        // The standard library sends no signal but SIGKILL, and unsafe code is denied here. A shell has a
        // `kill` of its own, where no program of that name may be installed.
        Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await?;
        match tokio::time::timeout(STOP_WAIT_MAX, self.child.wait()).await {
            Ok(status) => Ok(status?.success()),
            Err(_) => {
                self.child.kill().await?;
                Ok(false)
            }
        }
    }
}

async fn copy_lines(
    stdout: BufReader<tokio::process::ChildStdout>,
    mut log: File,
    until: Option<&'static str>,
    ready: oneshot::Sender<String>,
) {
    let mut ready = Some(ready);
    let mut lines = stdout.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // A log that cannot be written is no reason to stop reading: the server would block.
        let _ = writeln!(log, "{line}");
        if let Some((_, rest)) = until.and_then(|until| line.split_once(until))
            && let Some(ready) = ready.take()
        {
            let _ = ready.send(rest.trim().to_owned());
        }
    }
}
