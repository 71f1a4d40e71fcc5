//! A device with a PIN: joining, working, a daemon that locks itself, a PIN forgotten, and nothing in clear.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use wangge_tests::process::{Programs, text};

const DIVISIONS: &str = "code,name,area\n330881121200,溪淤村委会,东片\n";
const NUMBER: &str = "990101199001010019";
const PHONE: &str = "13955512345";

fn programs() -> Programs {
    Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")))
}

/// `wangge` with a PIN in the environment, and a new one if it is to be set.
fn with(pins: [&str; 2], args: &[&str]) -> Command {
    let mut command = programs().command("wangge", args.iter().copied());
    command.env("WANGGE_PIN", pins[0]).env("WANGGE_NEW_PIN", pins[1]);
    command
}

fn done(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output, word: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it was not refused");
    assert!(stderr.contains(word) && !stderr.contains("panicked"), "{stderr}");
}

fn holds(dir: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).expect("lists").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle))
    })
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn a_device_with_a_pin() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let (relay_at, phone_at, pin_at) = (at("relay"), at("phone"), at("pin"));
    let (relay_dir, phone, pin_file) = (text(&relay_at), text(&phone_at), text(&pin_at));
    let programs = programs();
    programs.found(&relay_at, DIVISIONS);
    let relay = programs.serve(&relay_at, "127.0.0.1:0");
    let line = programs.invite(&relay_at, "张三", "grid-worker", "grid:330881121200");

    refused(&with(["123", ""], &["join", "--dir", phone, &line]).output().expect("runs"), "4");
    done(&with(["2468", ""], &["join", "--dir", phone, &line]).output().expect("runs"));
    let add = ["person", "add", "--dir", phone, "name=慕容云海", &format!("id_number={NUMBER}")];
    refused(&with(["", ""], &add).output().expect("runs"), "WANGGE_PIN");
    refused(&with(["1111", ""], &add).output().expect("runs"), "PIN");
    done(&with(["2468", ""], &add).output().expect("runs"));
    std::fs::write(&pin_at, "2468\n").expect("writes");
    let find = ["person", "find", "云海", "--dir", phone, "--json"];
    let found =
        done(&with(["", ""], &[&find[..], &["--pin-file", pin_file]].concat()).output().expect("runs"));
    assert!(found.contains("慕容云海"), "{found}");

    // Another one, and the old one is worth nothing.
    done(&with(["2468", "13579"], &["pin", "change", "--dir", phone]).output().expect("runs"));
    refused(&with(["2468", ""], &find).output().expect("runs"), "PIN");
    done(&with(["13579", ""], &find).output().expect("runs"));

    // Forgotten, with work that nobody else has: the centre helps.
    let request =
        done(&with(["", ""], &["pin", "recover", "--dir", phone, "--json"]).output().expect("runs"));
    let request: serde_json::Value = serde_json::from_str(&request).expect("json");
    let request = request["request"].as_str().expect("a line");
    programs.fails("wangge-relay", ["recover", "--dir", relay_dir, &request[..request.len() - 2]]);
    let answer = programs.run("wangge-relay", ["recover", "--dir", relay_dir, request]);
    let recover = ["pin", "recover", "--dir", phone, answer.lines().next().expect("a line")];
    done(&with(["", "8642"], &recover).output().expect("runs"));
    let found = done(&with(["8642", ""], &find).output().expect("runs"));
    assert!(found.contains("慕容云海"), "unsent work is lost: {found}");

    // A daemon is unlocked at its start and locks itself.
    let mut run = with(["8642", ""], &["run", "--dir", phone, "--idle-lock", "1"]);
    let mut daemon = Daemon(run.stderr(Stdio::piped()).spawn().expect("starts"));
    // It says that it runs once it holds the store.
    let stderr = daemon.0.stderr.take().expect("piped");
    // Nobody reads on from here: a daemon that cannot write its log does its work all the same.
    let said = BufReader::new(stderr).lines().next();
    assert!(matches!(said, Some(Ok(_))), "the daemon ended");
    let deadline = Instant::now() + Duration::from_secs(30);
    // The wait makes the daemon idle for longer than it allows.
    loop {
        let said = refusal(&with(["", ""], &find).output().expect("runs"));
        if said.contains("wangge unlock") {
            break;
        }
        assert!(Instant::now() < deadline, "the daemon does not lock itself: {said}");
        std::thread::sleep(Duration::from_millis(1_300));
    }
    refused(&with(["1111", ""], &["unlock", "--dir", phone]).output().expect("runs"), "PIN");
    done(&with(["8642", ""], &["unlock", "--dir", phone]).output().expect("runs"));
    done(&with(["8642", ""], &["lock", "--dir", phone]).output().expect("runs"));
    // With the PIN at hand the command line unlocks by itself.
    done(&with(["8642", ""], &find).output().expect("runs"));
    #[cfg(target_os = "linux")]
    {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.0.id())).expect("reads");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }
    drop(daemon);
    done(&with(["8642", ""], &["sync", "--dir", phone]).output().expect("runs"));
    let listen = relay.addr.clone();
    relay.kill();

    // Both say all that they can say, into files beside their data.
    let log = |dir: &Path| std::fs::File::create(dir.join("trace.log")).expect("creates");
    let mut serve = programs.command("wangge-relay", ["serve", "--dir", relay_dir, "--listen", &listen]);
    let relay = serve.env("RUST_LOG", "trace").stdout(Stdio::null()).stderr(log(&relay_at)).spawn();
    let relay = Daemon(relay.expect("starts"));
    let mut run = with(["8642", ""], &["run", "--dir", phone]);
    let daemon = run.env("RUST_LOG", "trace").stderr(log(&phone_at)).spawn();
    let daemon = Daemon(daemon.expect("starts"));
    // Through the daemon once it runs; it asks for no PIN then.
    let note = format!("phone={PHONE}");
    let set = ["person", "set", NUMBER, &note, "--dir", phone];
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let set = with(["", ""], &set).output().expect("runs");
        if set.status.success() {
            break;
        }
        assert!(Instant::now() < deadline, "the daemon does not come up: {}", refusal(&set));
        std::thread::sleep(Duration::from_millis(100));
    }
    refused(
        &with(["", ""], &["person", "set", NUMBER, "--dir", phone, "phone=1395551234"])
            .output()
            .expect("runs"),
        "****34",
    );
    let told = |words: &str| {
        let list = programs.run("wangge-relay", ["audit", "list", "--dir", relay_dir]);
        list.contains(words)
    };
    while !told("wrong PINs") {
        assert!(Instant::now() < deadline, "the centre does not hear of wrong PINs");
        std::thread::sleep(Duration::from_millis(100));
    }
    let own = done(&with(["", ""], &["digest", "--dir", phone]).output().expect("runs"));
    let grid = own.lines().find(|line| line.starts_with("grid:")).expect("its grid");
    while !programs.run("wangge-relay", ["digest", "--dir", relay_dir]).contains(grid) {
        assert!(Instant::now() < deadline, "it does not reach the centre");
        std::thread::sleep(Duration::from_millis(100));
    }
    #[cfg(target_os = "linux")]
    for process in [&relay, &daemon] {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.0.id())).expect("reads");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    }
    drop((daemon, relay));
    for dir in [&relay_at, &phone_at] {
        assert!(std::fs::metadata(dir.join("trace.log")).expect("a log").len() > 10_000, "it says nothing");
    }

    for dir in [&relay_at, &phone_at] {
        for secret in ["慕容云海", NUMBER, PHONE, "8642", "13579"] {
            let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
            // Short digits are in any file by chance; the PIN's hash is not the PIN.
            if secret.len() > 5 {
                assert!(!holds(dir, secret.as_bytes()), "{} shows {secret}", dir.display());
                assert!(!holds(dir, &wide), "{} shows {secret} in UTF-16", dir.display());
            }
        }
    }
    // Whoever wants none any more.
    done(&with(["8642", ""], &["pin", "remove", "--dir", phone]).output().expect("runs"));
    done(&with(["", ""], &find).output().expect("runs"));
}

fn refusal(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A device goes without a PIN and says so, until the street requires one of those that people carry.
#[test]
fn the_street_may_require_a_pin() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let (relay_at, phone_at, point_at) = (at("relay"), at("phone"), at("point"));
    let (relay_dir, phone, point) = (text(&relay_at), text(&phone_at), text(&point_at));
    let programs = programs();
    programs.found(&relay_at, DIVISIONS);
    let relay = programs.serve(&relay_at, "127.0.0.1:0");
    let line = programs.invite(&relay_at, "张三", "grid-worker", "grid:330881121200");
    let joined = done(&with(["", ""], &["join", "--dir", phone, &line]).output().expect("runs"));
    assert!(joined.contains("没有设 PIN"), "{joined}");
    let units = programs.run("wangge-relay", ["unit", "list", "--dir", relay_dir]);
    let area = units.split_whitespace().find(|word| word.starts_with("area:")).expect("an area");
    let line = programs.invite(&relay_at, "周敏", "area-clerk", area);
    let joined = done(&with(["", ""], &["join", "--dir", point, &line]).output().expect("runs"));
    assert!(!joined.contains("PIN"), "an area point may be unattended: {joined}");
    let run = |dir: &str, words: &[&str]| {
        let args = [words, &["--dir", dir]].concat();
        with(["", ""], &args).output().expect("runs")
    };
    let add = ["person", "add", "name=慕容云海", "--no-id"];
    done(&run(phone, &add));
    assert!(done(&run(phone, &["status"])).contains("没有设 PIN"));

    programs.fails("wangge-relay", ["roster", "policy", "--dir", relay_dir, "--pin-required", "maybe"]);
    let said =
        programs.run("wangge-relay", ["roster", "policy", "--dir", relay_dir, "--pin-required", "yes"]);
    assert!(said.contains("必须设 PIN"), "{said}");
    for dir in [phone, point] {
        done(&run(dir, &["sync"]));
    }
    refused(&run(phone, &add), "wangge pin set");
    refused(&run(phone, &["person", "find", "慕容"]), "wangge pin set");
    done(&run(point, &["person", "list"]));
    // What was written before goes on to the centre, and the device says what is missing.
    done(&run(phone, &["sync"]));
    assert!(done(&run(phone, &["status"])).contains("必须设 PIN"));
    done(&with(["", "8642"], &["pin", "set", "--dir", phone]).output().expect("runs"));
    let found = with(["8642", ""], &["person", "find", "慕容", "--dir", phone, "--json"]).output();
    assert!(done(&found.expect("runs")).contains("慕容云海"));
    programs.run("wangge-relay", ["roster", "policy", "--dir", relay_dir, "--pin-required", "no"]);
    relay.kill();
}
