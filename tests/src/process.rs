//! The two programs as processes: what a user starts, what a test kills.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};

use serde_json::Value;

/// Runs what the arguments ask for, if they name a program: `wangge …`, `wangge-relay …`, or what the power
/// cuts record. So a test's own program can start all of them as processes.
pub fn as_program(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let args: Vec<OsString> = args.into_iter().collect();
    match args.first()?.to_str()? {
        "wangge" => Some(wangge_node::cli::main(args)),
        "wangge-relay" => Some(wangge_relay::cli::main(args)),
        "commit-run" => {
            let count = args.get(2)?.to_str()?.parse().ok()?;
            crate::power::run_commits(Path::new(args.get(1)?), count);
            Some(ExitCode::SUCCESS)
        }
        _ => None,
    }
}

/// The program that holds both command lines. Tests pass `env!("CARGO_BIN_EXE_under-test")`.
#[derive(Clone, Debug)]
pub struct Programs(pub PathBuf);

/// A relay process; killed when dropped.
#[derive(Debug)]
pub struct RelayProcess {
    child: Child,
    /// Where it listens.
    pub addr: String,
}

impl Programs {
    /// The program that runs now, which begins with [`as_program`].
    ///
    /// # Panics
    /// If the operating system does not tell which it is.
    pub fn this() -> Self {
        Self(std::env::current_exe().expect("a program"))
    }

    /// One of the two programs with arguments.
    pub fn command<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.0);
        command
            .arg(program)
            .args(args)
            .env_remove("RUST_LOG")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        command
    }

    /// Runs one to its end.
    pub fn output<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> Output {
        self.command(program, args).output().expect("starts")
    }

    /// Runs one that must succeed; its standard output.
    pub fn run<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> String {
        let args: Vec<&str> = args.into_iter().collect();
        let output = self.output(program, args.iter().copied());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {stderr}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    /// Runs one that must succeed with `--json`.
    pub fn json<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> Value {
        let mut args: Vec<&str> = args.into_iter().collect();
        args.push("--json");
        let text = self.run(program, args);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// Runs one that must fail: its standard error, which holds no backtrace.
    pub fn fails<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> String {
        let args: Vec<&str> = args.into_iter().collect();
        let output = self.output(program, args.iter().copied());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{program} {args:?} succeeded");
        assert!(output.status.code().is_some(), "{program} {args:?} was ended by a signal: {stderr}");
        assert!(!stderr.trim().is_empty(), "{program} {args:?} says nothing");
        for word in ["panicked", "backtrace", "RUST_BACKTRACE", ".rs:"] {
            assert!(!stderr.contains(word), "{program} {args:?}: {stderr}");
        }
        stderr
    }

    /// Founds a street from a table of divisions.
    pub fn found(&self, dir: &Path, divisions: &str) {
        let file = dir.with_extension("csv");
        std::fs::write(&file, divisions).expect("writes");
        let (dir, file) = (text(dir), text(&file));
        self.run(
            "wangge-relay",
            [
                "init",
                "--dir",
                dir,
                "--street-code",
                "330881121",
                "--street-name",
                "贺村镇",
                "--divisions",
                file,
            ],
        );
    }

    /// Starts a relay and waits until it is ready.
    pub fn serve(&self, dir: &Path, listen: &str) -> RelayProcess {
        let command = self.command("wangge-relay", ["serve", "--dir", text(dir), "--listen", listen]);
        RelayProcess::start(command)
    }

    /// An invitation.
    pub fn invite(&self, dir: &Path, worker: &str, role: &str, unit: &str) -> String {
        self.run(
            "wangge-relay",
            ["invite", "--dir", text(dir), "--worker", worker, "--role", role, "--unit", unit],
        )
    }
}

impl RelayProcess {
    /// Starts `command` and waits until it says where it listens.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let stdout = child.stdout.take().expect("piped");
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("reads");
            if let Some((_, addr)) = line.split_once("listening on ") {
                return Self { child, addr: addr.trim().to_owned() };
            }
        }
        let status = child.wait().expect("ends");
        panic!("the relay ended before it listened: {status}");
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has held at once, in bytes (`VmHWM`, proc(5)).
    pub fn memory_peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
        kib * 1024
    }

    /// Kills it without warning.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // Under a tracer the relay is its child and would outlive it.
        let pid = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let _ = Command::new("kill").args(["-9", child]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("plain path")
}
