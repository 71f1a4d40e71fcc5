//! Records of what happened earlier: they show when, and no time to come is taken.

mod common;

use common::{IDS, Station, everything};
use wangge_model::identity::{Role, Scope};

/// 2025-11-21 09:00 in Beijing, as it is typed.
const FRIDAY: &str = "2025-11-21 09:00";

#[test]
fn whatever_is_written_is_written_as_of_then_and_never_as_of_tomorrow() {
    let centre = Station::empty("王五", Role::CentreAdmin, &Scope::Centre, &everything());
    centre.write_roster(&common::GRIDS);
    let file = |name: &str, text: &str| {
        let path = centre.path(name);
        std::fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let square = file(
        "b.geojson",
        r#"{"type":"Polygon","coordinates":[[[118.6,28.7],[118.7,28.7],[118.7,28.8],[118.6,28.7]]]}"#,
    );
    let table = file("line.csv", "01,一\n02,二\n");
    let rules = file("rules.json", "{}");
    let first = format!("id_number={}", IDS[0]);
    let second = format!("id_number={}", IDS[1]);
    let unit = ["--unit", "溪淤村委会"];
    let commands: Vec<Vec<&str>> = vec![
        [&["person", "add", &first, "name=王小明"][..], &unit].concat(),
        [&["person", "add", &second, "name=王晓明"][..], &unit].concat(),
        vec!["person", "set", IDS[0], "phone=13800000001"],
        vec!["person", "link", IDS[0], "--to", IDS[1], "--as", "父子"],
        vec!["person", "unlink", IDS[0], "--to", IDS[1]],
        vec!["person", "merge", IDS[1], "--into", IDS[0]],
        vec!["person", "unmerge", IDS[1]],
        vec!["person", "close", IDS[1], "--reason", "重复"],
        vec!["org", "office", "add", "name=信访办", "code=petition"],
        vec!["org", "office", "set", "信访办", "phone=05704012345"],
        vec!["org", "office", "close", "信访办"],
        vec!["org", "boundary", "set", "溪淤村委会", &square],
        vec!["codes", "set", "test-table", &table],
        vec!["case", "rules", "set", &rules],
        vec!["assess", "period", "--name", "十一月", "--from", "2025-11-01", "--until", "2025-11-30"],
        vec!["assess", "publish", "十一月"],
        vec!["assess", "appeal", "十一月", "--item", "closed-in-time", "--text", "算错了"],
        vec!["notice", "add", "--title", "通知", "--text", "开会"],
    ];
    for words in commands {
        let with = |time: &'static str| [&words[..], &["--at", time]].concat();
        let before = centre.transactions();
        for (time, code) in [
            ("2999-01-01 10:00", "time-ahead"),
            ("2025-02-30 10:00", "time-unreadable"),
            ("前天", "time-unreadable"),
            ("1999-01-01", "time-long-ago"),
        ] {
            let message = centre.refused(&with(time), code);
            assert!(message.contains(time) && message.contains("--at"), "{message}");
            let error = centre.try_run(&with(time)).expect_err("refused");
            assert_eq!(error.field.as_deref(), Some("at"));
        }
        assert_eq!(centre.transactions(), before, "{words:?} was half written");
        centre.run(&with(FRIDAY));
        assert!(centre.transactions() > before, "{words:?} wrote nothing");
    }
    let shown = centre.run(&["person", "show", IDS[0]]);
    assert_eq!(shown["fields"]["phone"]["at"], "2025-11-21T09:00:00+08:00", "{shown}");
}
