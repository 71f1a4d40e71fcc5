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
    let syncs = trace.lines().filter(|line| line.contains("sync(") && file_of(line).is_some()).count();
    assert!(syncs < 150, "{syncs} syncs for 500 commits");
}

/// The disk is really full: writes to the main file fail beyond a limit, of which the journal takes
/// 4,096 blocks. What was reported durable is there after reopening, and the program learnt of the
/// failure.
#[test]
fn a_failed_write_is_reported_and_loses_nothing_durable() {
    for limit_blocks in [4_100, 6_000, 9_000] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("store");
        let script = format!("trap '' XFSZ; ulimit -f {limit_blocks}; exec \"$0\" \"$@\"");
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(example())
            .arg(&data)
            .args(["2000", "in-turn"])
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

/// The files that must be synced: the journal, and sled's main file.
const FILES: [&str; 2] = ["/journal>", "/db/db>"];

/// Which of them a call concerns.
fn file_of(call: &str) -> Option<usize> {
    FILES.iter().position(|file| call.contains(file))
}

/// Reads a trace. At each marker, the last change to a file must be followed by a sync that began
/// after the change had ended, and had itself ended. Returns the number of markers.
fn check(trace: &str) -> Result<usize, String> {
    let mut last_change = [0; FILES.len()];
    let mut synced_from = [0; FILES.len()];
    let mut markers = 0;
    // Calls that strace reports in two parts, by thread.
    let mut unfinished: HashMap<&str, (What, usize)> = HashMap::new();
    for (number, line) in trace.lines().enumerate().map(|(i, line)| (i + 1, line)) {
        let (thread, call) = line.split_once(' ').ok_or("no thread id")?;
        let call = call.trim_start();
        let (what, began) = if call.starts_with("<... ") {
            match unfinished.remove(thread) {
                Some(pending) => pending,
                None => continue,
            }
        } else {
            let what = match (call.split('(').next(), file_of(call)) {
                (Some("write"), None) if call.contains("\"durable ") => What::Marker,
                (Some("pwrite64" | "write" | "ftruncate"), Some(file)) => What::Change(file),
                (Some("fsync" | "fdatasync"), Some(file)) => What::Sync(file),
                _ => continue,
            };
            (what, number)
        };
        let has_ended = !call.contains("<unfinished ...>");
        if !has_ended {
            unfinished.insert(thread, (what, number));
        }
        match what {
            What::Change(file) => last_change[file] = number,
            What::Sync(file) if has_ended => {
                if !call.ends_with("= 0") {
                    return Err(format!("line {number}: a sync failed: {line}"));
                }
                synced_from[file] = began.max(synced_from[file]);
            }
            What::Sync(_) => {}
            What::Marker if began == number => {
                markers += 1;
                if last_change[0].max(last_change[1]) == 0 {
                    return Err(format!("line {number}: nothing was written before {line}"));
                }
                for (file, name) in FILES.iter().enumerate() {
                    let (change, sync) = (last_change[file], synced_from[file]);
                    if change > 0 && change >= sync {
                        return Err(format!(
                            "line {number}: {line}\nlast change to {name} in line {change}, \
                             last sync began in line {sync}"
                        ));
                    }
                }
            }
            What::Marker => {}
        }
    }
    Ok(markers)
}

#[derive(Clone, Copy)]
enum What {
    Marker,
    Change(usize),
    Sync(usize),
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
