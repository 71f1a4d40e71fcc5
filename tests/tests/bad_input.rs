//! Bad input gets a clear message on standard error, a non-zero exit and no backtrace; nothing is lost.

use std::path::{Path, PathBuf};

use wangge_tests::process::{Programs, RelayProcess, text};

const DIVISIONS: &str = "code,name,area\n330881121200,溪淤村委会,东片\n330881121201,友爱村委会,西片\n";
const GRID: &str = "grid:330881121200";

fn programs() -> Programs {
    Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")))
}

struct Town {
    programs: Programs,
    dir: tempfile::TempDir,
    relay: RelayProcess,
}

impl Town {
    fn new() -> Self {
        let programs = programs();
        let dir = tempfile::tempdir().expect("dir");
        programs.found(&dir.path().join("relay"), DIVISIONS);
        let relay = programs.serve(&dir.path().join("relay"), "127.0.0.1:0");
        Self { programs, dir, relay }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn invite(&self) -> String {
        self.programs.invite(&self.at("relay"), "张三", "grid-worker", GRID)
    }

    fn worker(&self, name: &str) -> PathBuf {
        let at = self.at(name);
        self.programs.run("wangge", ["join", "--dir", text(&at), &self.invite()]);
        at
    }
}

fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
    assert!(message.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c)), "no Chinese: {message:?}");
}

#[test]
fn invitations_that_cannot_be_used() {
    let town = Town::new();
    let at = town.at("phone");
    let join = |line: &str| town.programs.fails("wangge", ["join", "--dir", text(&at), line]);
    says(&join("hello"), &["WG1-"]);
    let line = town.invite();
    says(&join(&line[..line.len() - 3]), &["邀请码"]);
    let relay = town.at("relay");
    let short = town.programs.run(
        "wangge-relay",
        [
            "invite",
            "--dir",
            text(&relay),
            "--worker",
            "李四",
            "--role",
            "grid-worker",
            "--unit",
            GRID,
            "--hours",
            "0.0001",
        ],
    );
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    says(&join(&short), &["过期", "expired"]);
    // The directory is none the worse: a good invitation works, once.
    town.programs.run("wangge", ["join", "--dir", text(&at), &line]);
    let other = town.at("other");
    says(&town.programs.fails("wangge", ["join", "--dir", text(&other), &line]), &["已被使用", "used"]);
    says(&join(&town.invite()), &["贺村镇"]);
}

#[test]
fn an_invitation_of_another_street_leaves_a_replica_alone() {
    let (here, there) = (Town::new(), Town::new());
    let at = here.worker("phone");
    let id = here
        .programs
        .json("wangge", ["person", "add", "--dir", text(&at), "id_number=990101199001010019", "name=张三"]);
    let message = here.programs.fails("wangge", ["join", "--dir", text(&at), &there.invite()]);
    says(&message, &["贺村镇"]);
    let shown =
        here.programs.json("wangge", ["person", "show", "--dir", text(&at), id["id"].as_str().expect("id")]);
    assert_eq!(shown["fields"]["name"]["value"], "张三");
    here.programs.run("wangge", ["sync", "--dir", text(&at)]);
}

#[test]
fn roles_units_and_founding() {
    let town = Town::new();
    let relay = town.at("relay");
    let invite = |role: &str, unit: &str| {
        let args = ["invite", "--dir", text(&relay), "--worker", "张三", "--role", role, "--unit", unit];
        town.programs.fails("wangge-relay", args)
    };
    says(&invite("boss", GRID), &["boss", "grid-worker"]);
    says(&invite("grid-worker", "village:1"), &["village:1", "grid:CODE"]);
    says(&invite("grid-worker", "grid:330881121999"), &["grid:330881121999"]);
    says(&invite("grid-worker", "area:东片"), &["grid-worker", "area:东片"]);
    let init = |dir: &Path, code: &str, divisions: &str| {
        let file = town.at("divisions.csv");
        std::fs::write(&file, divisions).expect("writes");
        let args = [
            "init",
            "--dir",
            text(dir),
            "--street-code",
            code,
            "--street-name",
            "某街道",
            "--divisions",
            text(&file),
        ];
        town.programs.fails("wangge-relay", args)
    };
    let fresh = town.at("fresh");
    says(&init(&fresh, "33088", DIVISIONS), &["33088", "9"]);
    says(&init(&fresh, "330881122", DIVISIONS), &["330881121200", "330881122"]);
    says(&init(&fresh, "330881121", "a,b\n1,2\n"), &["code", "\"a\""]);
    says(&init(&fresh, "330881121", "code,name\n"), &["没有"]);
    says(&init(&fresh, "330881121", "code,name\n330881121200,甲\n330881121200,乙\n"), &["330881121200", "2"]);
    says(&init(&relay, "330881121", DIVISIONS), &["wangge-relay serve"]);
    let missing = town.programs.fails(
        "wangge-relay",
        [
            "init",
            "--dir",
            text(&fresh),
            "--street-code",
            "330881121",
            "--street-name",
            "x",
            "--divisions",
            "/nowhere.csv",
        ],
    );
    says(&missing, &["/nowhere.csv"]);
    assert!(!fresh.join("FORMAT").exists(), "a refused founding left something behind");
}

#[test]
fn directories_that_are_taken_foreign_or_newer() {
    let town = Town::new();
    let at = town.worker("phone");
    let empty = town.at("empty");
    std::fs::create_dir(&empty).expect("makes");
    says(&town.programs.fails("wangge", ["digest", "--dir", text(&empty)]), &["empty"]);
    let second = town
        .programs
        .fails("wangge-relay", ["serve", "--dir", text(&town.at("relay")), "--listen", "127.0.0.1:0"]);
    assert!(second.contains("in use"), "{second}");
    let other = town.at("relay-2");
    town.programs.found(&other, DIVISIONS);
    let port =
        town.programs.fails("wangge-relay", ["serve", "--dir", text(&other), "--listen", &town.relay.addr]);
    says(&port, &[&town.relay.addr]);
    // A worker's directory is no relay.
    says(&town.programs.fails("wangge-relay", ["digest", "--dir", text(&at)]), &["phone"]);
    std::fs::write(at.join("FORMAT"), "wangge-store 9\n").expect("writes");
    let newer = town.programs.fails("wangge", ["digest", "--dir", text(&at)]);
    assert!(newer.contains('9') && newer.contains("newer"), "{newer}");
    std::fs::write(at.join("FORMAT"), "wangge-store 1\n").expect("writes");
    town.programs.run("wangge", ["digest", "--dir", text(&at)]);
}

#[test]
fn files_that_are_no_ledger() {
    let town = Town::new();
    let at = town.worker("phone");
    let units = ["溪淤村委会".to_owned()];
    let good = town.at("good.xlsx");
    wangge_ledger::sample::write_residents(&good, &units, 50, 1, false).expect("writes");
    let bytes = std::fs::read(&good).expect("reads");
    let import = |name: &str, content: &[u8], words: &[&str]| {
        let file = town.at(name);
        std::fs::write(&file, content).expect("writes");
        let args = ["import", "--dir", text(&at), "residents", text(&file)];
        says(&town.programs.fails("wangge", args), words);
    };
    import("empty.xlsx", b"", &["empty.xlsx"]);
    import("cut.xlsx", &bytes[..bytes.len() / 2], &["cut.xlsx"]);
    import("text.xlsx", b"not a workbook at all", &["text.xlsx"]);
    let args = ["import", "--dir", text(&at), "residents", "/nowhere.xlsx"];
    says(&town.programs.fails("wangge", args), &["nowhere.xlsx"]);
    let args = ["import", "--dir", text(&at), "places", text(&good)];
    says(&town.programs.fails("wangge", args), &["名称"]);
    let imported = town.programs.json("wangge", ["import", "--dir", text(&at), "residents", text(&good)]);
    assert_eq!(imported["imported"], 50, "{imported}");
    let again = town.programs.json("wangge", ["import", "--dir", text(&at), "residents", text(&good)]);
    assert_eq!((&again["imported"], &again["unchanged"]), (&0.into(), &50.into()), "{again}");
}

/// The relay is away: what was saved stays, and the message says so.
#[test]
fn a_relay_that_does_not_answer() {
    let town = Town::new();
    let at = town.worker("phone");
    town.programs
        .run("wangge", ["person", "add", "--dir", text(&at), "id_number=990101199001010019", "name=张三"]);
    town.relay.kill();
    let message = town.programs.fails("wangge", ["sync", "--dir", text(&at), "--timeout", "3"]);
    says(&message, &["连不上", "保"]);
    let shown = town.programs.json("wangge", ["person", "show", "--dir", text(&at), "990101199001010019"]);
    assert_eq!((&shown["fields"]["name"]["value"], &shown["delivery"]), (&"张三".into(), &"here".into()));
}

/// Programs that run the relay's commands read why one was not done, with or without a relay that serves.
#[test]
fn the_relay_tells_programs_why_not() {
    let town = Town::new();
    let (served, none) = (town.at("relay"), town.at("none"));
    for (words, code) in [
        (vec!["reports", "show", "7", "--dir", text(&served), "--json"], "not-found"),
        (vec!["roster", "revoke", "胡写", "--dir", text(&served), "--json"], "device-unknown"),
        (vec!["audit", "list", "--dir", text(&none), "--json"], "no-replica"),
        (vec!["audit", "list", "--json"], "bad-usage"),
    ] {
        let output = town.programs.output("wangge-relay", words.iter().copied());
        assert!(!output.status.success(), "{words:?}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!(said["error"]["code"], code, "{words:?}: {said}");
        let message = said["error"]["message"].as_str().expect("a message");
        assert_eq!(String::from_utf8_lossy(&output.stderr).trim_end(), message.trim_end());
        says(message, &[]);
    }
}
