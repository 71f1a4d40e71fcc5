//! What the operating system is asked to do, and what happens when it refuses.

#![cfg(unix)]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::store;

/// No commit is reported before everything written for it has been synced.
#[test]
fn nothing_is_called_durable_before_its_fsync() {
    let Some(trace) = traced("50", "in-turn") else {
        return;
    };
    let markers = check(&trace).expect("a commit was reported too early");
    assert_eq!(markers, 50);

    // The check itself must notice a missing fsync.
    let without: String =
        trace.lines().filter(|line| !line.contains("sync(")).map(|line| format!("{line}\n")).collect();
    check(&without).expect_err("the check passes without any fsync");
}

/// Commits that wait together share their fsyncs.
#[test]
fn queued_commits_share_a_sync() {
    let Some(trace) = traced("500", "queued") else {
        return;
    };
    assert_eq!(check(&trace), Ok(500));
    let syncs = trace.lines().filter(|line| line.contains("sync(") && line.contains("/db/db>")).count();
    assert!(syncs < 150, "{syncs} syncs for 500 commits");
}

/// The disk is really full: writes to the main file fail beyond a limit. What was reported
/// durable is there after reopening, and the program learnt of the failure.
#[test]
fn a_failed_write_is_reported_and_loses_nothing_durable() {
    for limit_blocks in [700, 1_100, 2_500] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("store");
        let script = format!("trap '' XFSZ; ulimit -f {limit_blocks}; exec \"$0\" \"$@\"");
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(example())
            .arg(&data)
            .args(["400", "in-turn"])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "the limit had no effect");
        assert!(stderr.contains("Full") || stderr.contains("disk is full"), "{stderr}");

        let durable = markers(&output);
        assert!(!durable.is_empty());
        let store = store(&data);
        for i in durable {
            let value = store.get(format!("key/{i:06}").as_bytes()).unwrap();
            let value = value.unwrap_or_else(|| panic!("commit {i} is gone"));
            assert!(value.iter().all(|byte| *byte == i as u8));
        }
    }
}

/// Runs the example under strace and returns the trace; `None` if there is no strace.
fn traced(commits: &str, mode: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "40", "-o"])
        .arg(&trace)
        .args(["-e", "trace=write,pwrite64,ftruncate,fsync,fdatasync"])
        .arg(example())
        .arg(dir.path().join("store"))
        .args([commits, mode])
        .output();
    match output {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: strace is not installed");
            None
        }
        Ok(output) if !trace.exists() || !output.status.success() => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains("ptrace") || stderr.contains("PTRACE"), "{stderr}");
            println!("skipped: strace may not trace here: {stderr}");
            None
        }
        Ok(output) => {
            assert_eq!(markers(&output).len().to_string(), commits);
            Some(std::fs::read_to_string(trace).unwrap())
        }
        Err(e) => panic!("strace: {e}"),
    }
}

fn markers(output: &Output) -> Vec<usize> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("durable ")?.parse().ok())
        .collect()
}

/// Reads a trace. Each marker must come after a sync of sled's main file that began after the
/// last change to that file had ended, and had itself ended. Returns the number of markers.
fn check(trace: &str) -> Result<usize, String> {
    let mut last_change = 0;
    let mut synced_from = 0;
    let mut markers = 0;
    // Calls that strace reports in two parts, by thread.
    let mut unfinished: HashMap<&str, (&str, usize)> = HashMap::new();
    for (number, line) in trace.lines().enumerate().map(|(i, line)| (i + 1, line)) {
        let (thread, call) = line.split_once(' ').ok_or("no thread id")?;
        let call = call.trim_start();
        let (what, began) = if call.starts_with("<... ") {
            match unfinished.remove(thread) {
                Some(pending) => pending,
                None => continue,
            }
        } else {
            let on_main_file = call.contains("/db/db>");
            let what = match call.split('(').next() {
                Some("write") if call.contains("\"durable ") => "marker",
                Some("pwrite64" | "write" | "ftruncate") if on_main_file => "change",
                Some("fsync" | "fdatasync") if on_main_file => "sync",
                _ => continue,
            };
            (what, number)
        };
        let has_ended = !call.contains("<unfinished ...>");
        if !has_ended {
            unfinished.insert(thread, (what, number));
        }
        match what {
            "change" => last_change = number,
            "sync" if has_ended => {
                if !call.ends_with("= 0") {
                    return Err(format!("line {number}: a sync failed: {line}"));
                }
                synced_from = began.max(synced_from);
            }
            "marker" if began == number => {
                markers += 1;
                if last_change >= synced_from {
                    return Err(format!(
                        "line {number}: {line}\nlast change in line {last_change}, \
                         last sync began in line {synced_from}"
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(markers)
}

/// Builds the example, which `cargo test --test` alone does not, and returns its path.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).expect("target/profile/deps/test");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "wangge-store"])
        .args(["--example", "commit_markers", "--target-dir"])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .unwrap();
    assert!(built.success());
    target.join("debug/examples/commit_markers")
}
