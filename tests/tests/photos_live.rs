//! Photos between processes that run.

use std::path::PathBuf;
use std::time::Duration;

use wangge_tests::process::{Programs, RelayProcess, text};

/// A phone meets an area point whose daemon has a session with the centre: the photo goes on at once.
#[test]
fn a_photo_goes_on_from_an_area_point_while_its_session_lives() {
    let dir = tempfile::tempdir().expect("dir");
    let at = |name: &str| dir.path().join(name);
    let (relay_at, phone_at, point_at) = (at("relay"), at("phone"), at("point"));
    let (phone, point) = (text(&phone_at), text(&point_at));
    let programs = Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")));
    programs.found(&relay_at, "code,name,area\n330881121200,溪淤村委会,330881121\n");
    let relay = programs.serve(&relay_at, "127.0.0.1:0");
    let join = |dir: &str, name: &str, role: &str, unit: &str| {
        programs.run("wangge", ["join", "--dir", dir, &programs.invite(&relay_at, name, role, unit)]);
    };
    join(phone, "安娜", "grid-worker", "grid:330881121200");
    join(point, "曹", "area-clerk", "area:330881121");
    programs.run("wangge", ["sync", "--dir", point]);
    let serving =
        RelayProcess::start(programs.command("wangge", ["run", "--dir", point, "--listen", "127.0.0.1:0"]));
    let picture: Vec<u8> = (0..400_000_u32).map(|at| (at % 127) as u8).collect();
    let file_at = at("a.jpg");
    let picture = [&[0xff, 0xd8, 0xff, 0xda, 0, 2][..], &picture, &[0xff, 0xd9]].concat();
    std::fs::write(&file_at, picture).expect("writes");
    let file = text(&file_at);
    let words =
        ["case", "report", "--dir", phone, "--category", "安全生产", "--text", "楼道堆物", "--photo", file];
    let case = programs.json("wangge", words);
    let id = case["id"].as_str().expect("an id");
    assert_eq!(case["photos"], 1);
    programs.run("wangge", ["sync", "--dir", phone, "--peer", &serving.addr]);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while programs.json("wangge", ["photo", "list", id, "--dir", point])[0]["state"] != "centre" {
        assert!(std::time::Instant::now() < deadline, "the photo stays at the point");
        std::thread::sleep(Duration::from_millis(50));
    }
    serving.kill();
    relay.kill();
}
