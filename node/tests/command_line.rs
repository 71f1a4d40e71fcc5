//! The program itself: with and without a daemon, and what it says of bad input.

mod common;

use std::process::{Command as Process, Output, Stdio};
use std::sync::Arc;

use common::{IDS, Station};
use serde_json::Value;

use wangge_node::command::{Command, serve};
use wangge_node::control::{Control, Line, ask};

fn wangge(dir: &std::path::Path, words: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_wangge"))
        .args(words)
        .env("WANGGE_DIR", dir)
        .stdin(Stdio::null())
        .output()
        .expect("runs")
}

#[track_caller]
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[track_caller]
fn fails(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    let first = stderr.lines().next().unwrap_or_default();
    assert!(first.chars().any(wangge_model::checks::text::is_chinese), "not Chinese first: {stderr}");
    assert!(!stderr.contains("backtrace") && !stderr.contains("panicked"), "{stderr}");
    stderr
}

#[test]
fn commands_work_without_a_daemon() {
    let ana = Station::of_grid("张三", 1).close();
    let added = json(&wangge(
        ana.path(),
        &["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "--json"],
    ));
    let shown = json(&wangge(ana.path(), &["--json", "person", "show", IDS[0]]));
    assert_eq!(shown["id"], added["id"]);
    let status = json(&wangge(ana.path(), &["status", "--json"]));
    assert_eq!((status["unsent"].clone(), status["worker"].clone()), (1.into(), "张三".into()));
    assert_eq!(status["street"]["name"], "贺村镇");
    let digest = wangge(ana.path(), &["digest"]);
    let text = String::from_utf8(digest.stdout).expect("text");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines.iter().map(|line| line[0]).collect::<Vec<_>>(), ["grid:330881121200", "street"]);
    assert!(lines.iter().all(|line| line.len() == 3 && line[2].len() == 64), "{text}");
}

/// The command line never opens the store while a daemon has it: it would find it locked.
#[tokio::test(flavor = "multi_thread")]
async fn commands_go_through_a_daemon_that_holds_the_store() {
    let ana = Station::of_grid("张三", 1);
    // What a daemon that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(ana.dir().join("control.sock")).expect("binds"));
    let dir = ana.dir().to_owned();
    let control = Control::bind(&dir).expect("binds");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve(Arc::clone(&ana.replica), control, None, async {
        // The other end goes when the test is over.
        let _ = stopped.await;
    }));
    tokio::task::spawn_blocking(move || {
        let file = dir.join("files").join("people.xlsx");
        std::fs::create_dir_all(dir.join("files")).expect("a directory");
        let units = ["溪淤村委会".to_owned(), "中心社区".to_owned()];
        let summary = wangge_ledger::sample::write_residents(&file, &units, 400, 5, true).expect("writes");
        // A relative path means the same to the daemon, whose working directory is another one.
        let imported = Process::new(env!("CARGO_BIN_EXE_wangge"))
            .args(["import", "residents", "files/people.xlsx", "--json", "--dir", "."])
            .current_dir(&dir)
            .output()
            .expect("runs");
        let imported = json(&imported);
        assert_eq!(imported["rows"], summary.rows);
        assert!(imported["transactions"].as_u64() > Some(1), "{imported}");

        let mut steps = Vec::new();
        let command: Command = common::command(&["import", "residents", file.to_str().expect("a path")]);
        let last = ask(&dir, &command, |label, done, total| steps.push((label.to_owned(), done, total)));
        assert!(matches!(last, Ok(Some(Line::Answer(_)))), "{last:?}");
        assert!(steps.iter().any(|(_, done, total)| *total > 100 && done == total), "{steps:?}");

        let stderr = fails(&wangge(&dir, &["person", "show", IDS[3]]), 1);
        assert!(!stderr.contains(IDS[3]), "{stderr}");
        let unknown = ask(&dir, &"Nonsense", |_, _, _| ());
        assert!(matches!(unknown, Ok(Some(Line::Error(_)))), "{unknown:?}");
    })
    .await
    .expect("passes");
    drop(stop);
    serving.await.expect("stops");
    assert!(!ana.dir().join("control.sock").exists(), "the socket is still there");
    let dir = ana.close();
    json(&wangge(dir.path(), &["status", "--json"]));
}

/// Two shells at once: one waits for the other.
#[test]
fn commands_wait_for_each_other() {
    let ana = Station::of_grid("张三", 1).close();
    let running: Vec<_> = (0..6)
        .map(|at| {
            let (dir, at) = (ana.path().to_owned(), at.to_string());
            std::thread::spawn(move || {
                wangge(&dir, &["case", "report", "--category", "创建", "--text", &at, "--json"])
            })
        })
        .collect();
    let mut numbers: Vec<Value> =
        running.into_iter().map(|one| json(&one.join().expect("ran"))["number"].clone()).collect();
    numbers.sort_by_key(ToString::to_string);
    numbers.dedup();
    assert_eq!(numbers.len(), 6, "{numbers:?}");
}

#[test]
fn bad_input_is_told_in_chinese_and_english_with_a_code() {
    let nowhere = tempfile::TempDir::new().expect("a directory");
    fails(&wangge(&nowhere.path().join("none"), &["status"]), 1);
    assert!(!nowhere.path().join("none").exists(), "a question made a directory");
    fails(&wangge(nowhere.path(), &["person", "list"]), 1);
    fails(&wangge(nowhere.path(), &["sync"]), 1);
    fails(&wangge(nowhere.path(), &["join", "hello"]), 1);
    std::fs::write(nowhere.path().join("letter.txt"), "dear all").expect("writes");
    fails(&wangge(nowhere.path(), &["person", "list"]), 1);
    for words in
        [&["person", "sho", IDS[0]][..], &["persn"], &["case", "report"], &["person", "show", IDS[0], IDS[1]]]
    {
        let stderr = fails(&wangge(nowhere.path(), words), 2);
        assert!(!IDS.iter().any(|id| stderr.contains(id)), "{stderr}");
    }
    let unset = Process::new(env!("CARGO_BIN_EXE_wangge")).arg("status").env_remove("WANGGE_DIR").output();
    assert!(fails(&unset.expect("runs"), 2).contains("--dir"));

    let newer = Station::of_grid("张三", 1).close();
    std::fs::write(newer.path().join("FORMAT"), "wangge-store 99\n").expect("writes");
    assert!(fails(&wangge(newer.path(), &["status"]), 1).contains("99"));
}

#[test]
fn nobody_listening_fails_a_sync_and_keeps_what_was_saved() {
    let ana = Station::of_grid("张三", 1).close();
    let before = json(&wangge(ana.path(), &["digest", "--json"]));
    fails(&wangge(ana.path(), &["sync", "--timeout", "1"]), 3);
    assert_eq!(json(&wangge(ana.path(), &["digest", "--json"])), before);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let version = wangge(std::path::Path::new("."), &["--version"]);
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("wangge 0."));
    let help = wangge(std::path::Path::new("."), &["person", "add", "--help"]);
    assert!(help.status.success());
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(text.contains("登记人员 / register a person") && text.contains("--unit"), "{text}");
}

/// `wangge person list | head -1`.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let ana = Station::of_grid("张三", 1);
    for id in IDS {
        ana.run(&[
            "person",
            "add",
            &format!("id_number={id}"),
            "name=王小明",
            &format!("note={}", "长".repeat(1_900)),
        ]);
    }
    let dir = ana.close();
    let mut child = Process::new(env!("CARGO_BIN_EXE_wangge"))
        .args(["person", "show", IDS[0], "--dir"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_command_line_that_cannot_be_understood_names_what_is_wrong() {
    let ana = Station::of_grid("张三", 1).close();
    for (words, names) in [
        (&["case", "report", "--category", "安全生产"][..], "--text"),
        (&["case", "register"], "<KEY>"),
        (&["hazard", "add", "--colour", "red"], "--colour"),
        (&["case", "registr"], "“registr”"),
        (&["case", "list", "--limit", "许多"], "“许多”"),
        (&["case", "check", "121200-8e-1", "--pass", "--fail"], "--fail"),
    ] {
        let stderr = fails(&wangge(ana.path(), words), 2);
        let first = stderr.lines().next().unwrap_or_default();
        assert!(first.contains(names), "{words:?}: {first}");
    }
}

#[test]
fn a_record_takes_the_words_that_people_know_from_another() {
    let ana = Station::of_grid("张三", 1).close();
    let dispute = ["dispute", "add", "--kind", "02", "--text", "争吵", "--parties", "甲、乙", "--json"];
    let dispute = json(&wangge(ana.path(), &dispute));
    assert_eq!(dispute["fields"]["category"]["value"], "02");
    let hazard = ["hazard", "add", "--category", "消防", "--text", "堵塞", "--json"];
    assert_eq!(json(&wangge(ana.path(), &hazard))["fields"]["kind"]["value"], "02");
}

/// Programs read standard output: with `--json` a command that was not done says why there, people read the same
/// on standard error.
#[test]
fn with_json_an_error_is_an_object_with_a_stable_code() {
    let ana = Station::of_grid("张三", 1).close();
    let reported =
        json(&wangge(ana.path(), &["case", "report", "--category", "创建", "--text", "路灯不亮", "--json"]));
    let case = reported["id"].as_str().expect("an id");
    let add = || {
        let hazard =
            json(&wangge(ana.path(), &["hazard", "add", "--kind", "02", "--text", "堵塞", "--json"]));
        hazard["id"].as_str().expect("an id").to_owned()
    };
    let (hazard, closed) = (add(), add());
    let (hazard, closed) = (hazard.as_str(), closed.as_str());
    for words in
        [&["hazard", "rectify", closed, "--text", "清了"][..], &["hazard", "reinspect", closed, "--pass"]]
    {
        json(&wangge(ana.path(), &[words, &["--json"]].concat()));
    }
    for (words, exit, code, field) in [
        (&["person", "show", IDS[3]][..], 1, "not-found", Some("key")),
        (
            &["person", "add", "id_number=990101199001010018", "name=王小明"],
            1,
            "id-check-digit",
            Some("id_number"),
        ),
        (
            &["person", "add", &format!("id_number={}", IDS[0]), "name=王小明", "性别=女人"],
            1,
            "",
            Some("sex"),
        ),
        (&["enterprise", "add", "address=柳湾"], 1, "name-missing", Some("name")),
        (&["hazard", "add", "--kind", "99号", "--text", "堵塞"], 1, "code-unknown", Some("kind")),
        (&["hazard", "add", "--kind", "02", "--text", "堵塞", "--due", "2026-13-01"], 1, "", Some("due")),
        (&["hazard", "add", "--kind", "02", "--text", " "], 1, "field-missing", Some("text")),
        (&["hazard", "add", "--colour", "red"], 2, "bad-usage", Some("colour")),
        (&["case", "archive", case], 1, "case-state", Some("state")),
        (&["case", "register", case], 1, "case-role", Some("role")),
        (&["task", "add", "--title", "查", "--text", "查", "--to", "张三"], 1, "role", Some("role")),
        (
            &["residency", "add", "person=0123456", "dwelling=0123456", "from=2025-01-01"],
            1,
            "not-found",
            Some("person"),
        ),
        (&["hazard", "reinspect", hazard], 1, "outcome-missing", Some("result")),
        (&["hazard", "rectify", closed, "--text", "又清"], 1, "state", Some("state")),
        (&["inspect", "submit", "--checklist", "workplace"], 1, "answer-missing", Some("licence")),
        (
            &["inspect", "submit", "--checklist", "workplace", "--answer", "licence=大概"],
            1,
            "answer-unreadable",
            Some("licence"),
        ),
        (&["place", "add", "name=店", "longitude=28.7", "latitude=118.5"], 1, "", Some("longitude")),
        (&["person", "add", "--no-id", "张三"], 2, "no-equals-sign", Some("fields")),
        (&["persn"], 2, "bad-usage", None),
    ] {
        for with in [[&["--json"][..], words].concat(), [words, &["--json"][..]].concat()] {
            let output = wangge(ana.path(), &with);
            assert_eq!(output.status.code(), Some(exit), "{words:?}: {output:?}");
            let said: Value = serde_json::from_slice(&output.stdout).expect("one object");
            let error = &said["error"];
            assert!(said.as_object().is_some_and(|said| said.len() == 1), "{said}");
            if !code.is_empty() {
                assert_eq!(error["code"], code, "{words:?}: {said}");
            }
            assert_eq!(error["field"].as_str(), field, "{words:?}: {said}");
            let message = error["message"].as_str().expect("a message");
            assert_eq!(String::from_utf8_lossy(&output.stderr).trim_end(), message.trim_end());
            assert!(message.chars().any(wangge_model::checks::text::is_chinese), "{message}");
            assert!(!IDS.iter().any(|id| message.contains(id)), "{message}");
            // The second language needs no Chinese but in what it quotes.
            let english = message.lines().nth(1).unwrap_or_default();
            let unquoted: String = english.split('"').step_by(2).collect();
            let unquoted = unquoted.split("; use ").next().unwrap_or_default();
            assert!(!unquoted.chars().any(wangge_model::checks::text::is_chinese), "{words:?}: {english}");
        }
    }
}
