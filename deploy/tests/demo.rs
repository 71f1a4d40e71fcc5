//! The README's first command does what it says, and leaves nothing behind.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wangge-deploy"));
    command.args(["demo", "--speed", "fast"]).env_remove("RUST_LOG");
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Processes that work in `dir`, as the system knows them.
fn processes_in(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(" as-") && line.contains(&dir) {
            found.push(line);
        }
    }
    found
}

#[track_caller]
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_demonstration_ends_with_all_equal_and_may_be_repeated_in_the_same_directory() {
    let dir = tempfile::tempdir().expect("dir");
    let first = demo().arg("--dir").arg(dir.path()).output().expect("runs");
    assert!(first.status.success() && text(&first).contains("ALL EQUAL"), "{}", text(&first));
    assert!(dir.path().join("day-1/people.xlsx").exists());
    let again = demo().args(["--seed", "7", "--dir"]).arg(dir.path()).output().expect("runs");
    assert!(again.status.success() && text(&again).contains("earlier demonstration"), "{}", text(&again));
    assert_eq!(processes_in(dir.path()), Vec::<String>::new());
}

#[test]
fn a_demonstration_that_is_killed_leaves_no_process_behind() {
    let dir = tempfile::tempdir().expect("dir");
    let mut child = demo().arg("--dir").arg(dir.path()).stdout(Stdio::null()).spawn().expect("runs");
    wait_until("the relay runs", || !processes_in(dir.path()).is_empty());
    child.kill().expect("kills");
    child.wait().expect("ends");
    wait_until("its processes end", || processes_in(dir.path()).is_empty());
}
