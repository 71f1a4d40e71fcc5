//! A lost phone by command: what the admin at the centre types and sees, and what happens on the phone.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use wangge_tests::process::{Programs, text};
use wangge_tests::street::found_street;

fn programs() -> Programs {
    Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")))
}

/// Killed when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The phone's daemon has a session when it is revoked: it hands over, destroys itself, says so and ends;
/// the centre lists the proof, and the directory can be used for a new device.
#[test]
fn a_running_phone_is_revoked_by_command_and_leaves_a_proof() {
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let (at, phone) = (dir.path().join("relay"), dir.path().join("phone"));
    found_street(&at);
    let _relay = programs.serve(&at, "127.0.0.1:0");
    let (at, phone) = (text(&at), text(&phone));
    let line = programs.invite(at.as_ref(), "张三", "grid-worker", "grid:330881121200");
    programs.run("wangge", ["join", "--dir", phone, &line]);
    programs.run("wangge", ["sync", "--dir", phone]);
    let mut command = programs.command("wangge", ["run", "--dir", phone, "--listen", "127.0.0.1:0"]);
    let daemon = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut daemon = Daemon(daemon.expect("starts"));
    let mut line = String::new();
    BufReader::new(daemon.0.stdout.take().expect("piped")).read_line(&mut line).expect("reads");
    assert!(line.contains("listening on"), "{line}");
    programs.run("wangge", ["person", "add", "--dir", phone, "id_number=990101199001010019", "name=李四"]);
    let listed = programs.json("wangge-relay", ["roster", "list", "--dir", at]);
    let key = listed["devices"][0]["replica"].as_str().expect("a key").to_owned();
    programs.run("wangge-relay", ["roster", "revoke", "--dir", at, &key[..8], "--reason", "手机丢失"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while daemon.0.try_wait().expect("waits").is_none() {
        assert!(Instant::now() < deadline, "the phone goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut said = String::new();
    daemon.0.stderr.take().expect("piped").read_to_string(&mut said).expect("reads");
    assert!(said.contains("已被社管中心注销") && said.contains("手机丢失"), "{said}");
    assert!(said.contains("revoked"), "{said}");
    for command in [["status", "--dir", phone], ["sync", "--dir", phone]] {
        let error = programs.fails("wangge", command);
        assert!(error.contains("已清除") && error.contains("destroyed"), "{error}");
    }
    let left = std::fs::read_dir(phone).expect("reads").count();
    assert_eq!(left, 1, "only the word that it was destroyed is left");
    let listed = programs.json("wangge-relay", ["roster", "list", "--dir", at]);
    let device = &listed["devices"][0];
    assert_eq!((device["status"].as_str(), device["reason"].as_str()), (Some("revoked"), Some("手机丢失")));
    assert!(device["wiped_at"].is_string(), "{device}");
    let shown = programs.run("wangge-relay", ["roster", "list", "--dir", at]);
    assert!(shown.contains("手机丢失") && shown.contains("清除数据"), "{shown}");
    let audit = programs.run("wangge-relay", ["audit", "list", "--dir", at]);
    assert!(audit.contains(&key), "{audit}");
    // Found again, the phone starts anew.
    let line = programs.invite(at.as_ref(), "张三", "grid-worker", "grid:330881121200");
    programs.run("wangge", ["join", "--dir", phone, &line]);
    programs.run("wangge", ["sync", "--dir", phone]);
}

/// What it had not sent waits for a person, who sees what it is without anybody's number in full, takes one thing
/// and throws the other away.
#[test]
fn what_a_lost_phone_brought_is_looked_at_and_decided_by_command() {
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let (at, phone, desk) = (dir.path().join("relay"), dir.path().join("phone"), dir.path().join("desk"));
    found_street(&at);
    let _relay = programs.serve(&at, "127.0.0.1:0");
    let (at, phone, desk) = (text(&at), text(&phone), text(&desk));
    for (dir, worker) in [(phone, "张三"), (desk, "安娜")] {
        let line = programs.invite(at.as_ref(), worker, "grid-worker", "grid:330881121200");
        programs.run("wangge", ["join", "--dir", dir, &line]);
    }
    let number = "990101199001010019";
    let (id, phone_before) = (format!("id_number={number}"), "phone=13800000001");
    programs.run("wangge", ["person", "add", "--dir", phone, &id, "name=李四", phone_before]);
    programs.run("wangge", ["sync", "--dir", phone]);
    programs.run("wangge", ["person", "set", "--dir", phone, number, "phone=13900000009"]);
    programs.run("wangge", ["person", "add", "--dir", phone, "id_number=990101199001010027", "name=王五"]);
    programs.run("wangge-relay", ["roster", "revoke", "--dir", at, "--worker", "张三", "--reason", "丢失"]);
    programs.fails("wangge", ["sync", "--dir", phone]);
    let listed = || programs.json("wangge-relay", ["quarantine", "list", "--dir", at]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while listed().as_array().map(Vec::len) != Some(2) {
        assert!(Instant::now() < deadline, "{}", listed());
        std::thread::sleep(Duration::from_millis(50));
    }
    let ids: Vec<String> = (0..2).map(|at| listed()[at]["id"].as_str().expect("an id").to_owned()).collect();
    let shown = programs.run("wangge-relay", ["quarantine", "show", "--dir", at, &ids[0]]);
    assert!(shown.contains("李四") && shown.contains("138****0001 → 139****0009"), "{shown}");
    let shown = programs.run("wangge-relay", ["quarantine", "show", "--dir", at, &ids[1]]);
    assert!(shown.contains("王五") && shown.contains("990101********0027"), "{shown}");
    assert!(!shown.contains("990101199001010027"), "{shown}");
    for (words, says) in [
        (vec!["show", "--dir", at, "abc:1"], "no abc:1"),
        (vec!["accept", "--dir", at, "abc:1"], "no abc:1"),
        (vec!["accept", "--dir", at], "--all"),
    ] {
        let words = [vec!["quarantine"], words].concat();
        let said = programs.fails("wangge-relay", words.iter().copied());
        assert!(said.contains(says), "{words:?}: {said}");
    }
    let accept = ["quarantine", "accept", "--dir", at, &ids[0], "--reason", "本人确认"];
    assert!(programs.run("wangge-relay", accept).contains("已采纳"));
    let discard = ["quarantine", "discard", "--dir", at, &ids[1], "--reason", "重复"];
    assert!(programs.run("wangge-relay", discard).contains("已剔除"));
    assert_eq!(listed(), serde_json::json!([]));
    programs.run("wangge", ["sync", "--dir", desk]);
    let shown = programs.run("wangge", ["person", "show", "--dir", desk, number]);
    assert!(shown.contains("139****0009"), "{shown}");
    programs.fails("wangge", ["person", "show", "--dir", desk, "990101199001010027"]);
    let audit = programs.run("wangge-relay", ["audit", "list", "--dir", at]);
    assert!(audit.contains("本人确认") && audit.contains("重复"), "{audit}");
}
