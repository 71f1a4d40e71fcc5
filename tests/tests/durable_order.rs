//! System calls in their order: nothing is called saved and no acknowledgement leaves before what it
//! speaks of has been fsynced. Needs strace; without it the tests say so and pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use wangge_tests::process::{Programs, RelayProcess, text};

const DIVISIONS: &str = "code,name\n330881121200,溪淤村委会\n";
const CALLS: &str = "trace=pwrite64,write,fsync,fdatasync,ftruncate";

fn programs() -> Programs {
    Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")))
}

fn strace_is_here() -> bool {
    let here = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !here {
        println!("strace is not installed: the order of system calls was not checked");
    }
    here
}

/// `command` under strace, its calls in `trace`.
fn traced(command: &Command, trace: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "512", "-e", CALLS, "-o", text(trace)]);
    strace.arg(command.get_program()).args(command.get_args()).stdin(std::process::Stdio::null());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(key, value),
            None => strace.env_remove(key),
        };
    }
    strace
}

/// For each line with `marker`: whether every write to the store before it had been fsynced.
fn markers_after_fsync(trace: &str, marker: &str) -> Vec<bool> {
    let mut unsynced: BTreeSet<&str> = BTreeSet::new();
    // A sync that another thread's call interrupted in the trace, by thread.
    let mut syncing: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut found, mut written) = (Vec::new(), false);
    for line in trace.lines() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let file = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(file, _)| file);
        let stored = file.filter(|file| file.contains("/db/") || file.ends_with("/journal"));
        if let Some(file) = stored.filter(|_| line.contains("write(") || line.contains("pwrite64(")) {
            unsynced.insert(file);
            written = true;
        } else if line.contains("sync resumed>") {
            if let Some(file) = syncing.remove(thread).filter(|_| line.contains("= 0")) {
                unsynced.remove(file);
            }
        } else if line.contains("fsync(") || line.contains("fdatasync(") {
            let Some(file) = file else { continue };
            if line.contains("unfinished") {
                syncing.insert(thread, file);
            } else if line.contains("= 0") {
                unsynced.remove(file);
            }
        } else if line.contains("write(") && line.contains(marker) {
            assert!(written, "nothing was written before {line}");
            found.push(unsynced.is_empty());
        }
    }
    found
}

#[test]
fn nothing_is_called_saved_before_it_is_on_the_disk() {
    if !strace_is_here() {
        return;
    }
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let street = dir.path().join("relay");
    programs.found(&street, DIVISIONS);
    let _relay = programs.serve(&street, "127.0.0.1:0");
    let line = programs.invite(&street, "ana", "grid-worker", "grid:330881121200");
    let ana = dir.path().join("ana");
    programs.run("wangge", ["join", "--dir", text(&ana), &line]);
    for order in 0..5 {
        let trace = dir.path().join(format!("trace-{order}"));
        let note = format!("note=marker-{order}");
        let args = if order == 0 {
            [
                "person",
                "add",
                "--dir",
                text(&ana),
                "id_number=990101199001010019",
                "name=张三",
                &note,
                "--json",
            ]
            .to_vec()
        } else {
            ["person", "set", "--dir", text(&ana), "990101199001010019", &note, "--json"].to_vec()
        };
        let status = traced(&programs.command("wangge", args), &trace).output().expect("starts").status;
        assert!(status.success());
        let trace = std::fs::read_to_string(&trace).expect("reads");
        // Standard output is where saving is reported.
        let reports = markers_after_fsync(&trace, "{\\\"");
        assert!(!reports.is_empty(), "no report in the trace");
        assert!(reports.iter().all(|synced| *synced), "reported before the fsync:\n{trace}");
    }
}

/// The log that a line speaks of, and up to where.
fn log_and_len(line: &str) -> (&str, u64) {
    let field = |name: &str| line.split(name).nth(1).and_then(|rest| rest.split([' ', '\\']).next());
    let len = field(" len=").and_then(|len| len.parse().ok());
    (field(" log=").expect("a log"), len.expect("a length"))
}

#[test]
fn no_acknowledgement_leaves_the_relay_before_the_fsync() {
    if !strace_is_here() {
        return;
    }
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let street = dir.path().join("relay");
    programs.found(&street, DIVISIONS);
    let trace = dir.path().join("trace");
    let mut serve =
        programs.command("wangge-relay", ["serve", "--dir", text(&street), "--listen", "127.0.0.1:0"]);
    serve.env("RUST_LOG", "wangge_node=trace");
    let relay = RelayProcess::start(traced(&serve, &trace));
    let line = programs.invite(&street, "ana", "grid-worker", "grid:330881121200");
    let ana = dir.path().join("ana");
    programs.run("wangge", ["join", "--dir", text(&ana), &line]);
    for order in 0..8 {
        let note = format!("note=marker-{order}");
        if order == 0 {
            let id = "id_number=990101199001010019";
            programs.run("wangge", ["person", "add", "--dir", text(&ana), id, "name=张三", &note]);
        } else {
            programs.run("wangge", ["person", "set", "--dir", text(&ana), "990101199001010019", &note]);
        }
        programs.run("wangge", ["sync", "--dir", text(&ana)]);
    }
    relay.kill();
    let trace = std::fs::read_to_string(&trace).expect("reads");
    // Said while nothing else can be written; other threads may write when an acknowledgement leaves.
    const DURABLE: &str = "transactions of a peer are durable";
    const LEAVES: &str = "an acknowledgement leaves";
    let durable = markers_after_fsync(&trace, DURABLE);
    let early = durable.iter().filter(|synced| !**synced).count();
    assert_eq!(early, 0, "{early} of {} times durable was said before the fsync", durable.len());
    // A peer may send what the relay held before it began to serve: of that nothing is said.
    let mut durable: BTreeMap<&str, u64> =
        trace.lines().filter(|line| line.contains(DURABLE)).map(|line| (log_and_len(line).0, 0)).collect();
    let mut acks = 0;
    for line in trace.lines().filter(|line| line.contains("write(")) {
        if line.contains(DURABLE) {
            let (log, len) = log_and_len(line);
            durable.insert(log, len);
        } else if line.contains(LEAVES) {
            let (log, len) = log_and_len(line);
            acks += 1;
            let upto = durable.get(log).copied().unwrap_or(u64::MAX);
            assert!(len <= upto, "an acknowledgement left when {upto} were durable: {line}");
        }
    }
    assert!(acks >= 8, "only {acks} acknowledgements in the trace");
}
