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
