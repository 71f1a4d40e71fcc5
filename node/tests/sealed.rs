//! Encryption at rest, seen from the files: what a replica stores opens with its keys alone, and what was
//! erased with none that is left.

mod common;

use std::path::Path;

use common::{Station, grid};
use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_node::replica::vault::{Access, KEY_FILE, Pair, Pin, PinCost, RecoveryRequest, Vault, VaultError};
use wangge_node::replica::{Edit, Machine, Replica, ReplicaError, System, World};
use wangge_store::Options;

fn pin(text: &str) -> Pin {
    Pin::new(text).expect("a PIN")
}

fn with_pin(text: &str) -> Machine {
    let access = Access { pin: Some(pin(text)), cost: PinCost::TRIFLING, ..Access::default() };
    Machine { access, ..Machine::default() }
}

fn named(replica: &Replica, scope: &Scope, name: &str) {
    let world: &dyn World = &System;
    let id = DocId(world.random().expect("random"));
    let ops = vec![Op { target: Target::Field("name".to_owned()), value: Some(Scalar::from(name)) }];
    replica.commit(scope, vec![Edit { doc: id, kind: Kind::PERSON, ops }], None).expect("saved");
}

fn names(replica: &Replica, scope: &Scope) -> Vec<String> {
    let mut names = Vec::new();
    replica
        .each(scope, Kind::PERSON, |view| {
            names.push(view.text("name"));
            true
        })
        .expect("reads");
    names.sort();
    names
}

/// Whether any file below `dir` holds `needle`.
fn holds(dir: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).expect("lists").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle))
    })
}

/// A new store key leaves everything readable, also when a crash comes at any point, and the old one nowhere.
#[test]
fn a_new_store_key_takes_the_place_of_the_old_one() {
    let (held, scope) = (Station::of_grid("张三", 0), grid(0));
    let held = held.close();
    let dir = held.path();
    let replica = Replica::open(dir, Options::default()).expect("opens");
    named(&replica, &scope, "张三");
    let before = std::fs::read(dir.join(KEY_FILE)).expect("a key file");
    replica.store().renew().expect("renews");
    named(&replica, &scope, "李四");
    assert_eq!(names(&replica, &scope), ["张三", "李四"]);
    drop(replica);
    let after = std::fs::read(dir.join(KEY_FILE)).expect("a key file");
    assert_ne!(before, after);
    let replica = Replica::open(dir, Options::default()).expect("opens");
    assert_eq!(names(&replica, &scope), ["张三", "李四"]);
    drop(replica);
    // With the old file the store opens no more: no wrap under its key is in use.
    std::fs::write(dir.join(KEY_FILE), before).expect("writes");
    let refused = Replica::open(dir, Options::default()).map(|_| ()).expect_err("the old key opens nothing");
    assert!(matches!(refused, ReplicaError::Vault(VaultError::Unreadable)), "{refused}");
}

#[test]
fn a_pin_is_set_changed_and_removed_without_rewriting_data() {
    let (held, scope) = (Station::of_grid("张三", 0), grid(0));
    let held = held.close();
    let dir = held.path();
    let replica = Replica::open(dir, Options::default()).expect("opens");
    named(&replica, &scope, "张三");
    let store = replica.store();
    store.set_pin((None, None), &pin("2468"), PinCost::TRIFLING).expect("sets");
    let wrong = store.set_pin((None, Some(&pin("1111"))), &pin("1357"), PinCost::TRIFLING);
    assert!(matches!(wrong, Err(VaultError::PinWrong { .. })), "{wrong:?}");
    store.set_pin((None, Some(&pin("2468"))), &pin("1357"), PinCost::TRIFLING).expect("changes");
    drop(replica);
    for (machine, expected) in [(Machine::default(), "PinNeeded"), (with_pin("2468"), "PinWrong")] {
        let refused = Replica::open(dir, machine).map(|_| ()).expect_err("locked");
        assert!(format!("{refused:?}").contains(expected), "{refused:?}");
    }
    let replica = Replica::open(dir, with_pin("1357")).expect("opens");
    assert_eq!(names(&replica, &scope), ["张三"]);
    replica.store().remove_pin(&pin("1357")).expect("removes");
    drop(replica);
    assert_eq!(names(&Replica::open(dir, Options::default()).expect("opens"), &scope), ["张三"]);
}

#[test]
fn guessing_a_pin_gets_slow() {
    let held = Station::of_grid("张三", 0).close();
    let dir = held.path();
    let replica = Replica::open(dir, Options::default()).expect("opens");
    replica.store().set_pin((None, None), &pin("2468"), PinCost::TRIFLING).expect("sets");
    drop(replica);
    let mut waited = 0;
    for guess in 1_000..1_008 {
        match Replica::open(dir, with_pin(&guess.to_string())).map(|_| ()) {
            Err(ReplicaError::Vault(VaultError::PinWait { wait_s })) => waited = wait_s,
            Err(ReplicaError::Vault(VaultError::PinWrong { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(waited > 0, "eight guesses in a row were answered at once");
    // Even the right one waits.
    let refused = Replica::open(dir, with_pin("2468")).map(|_| ()).expect_err("waits");
    assert!(matches!(refused, ReplicaError::Vault(VaultError::PinWait { .. })), "{refused}");
}

#[test]
fn the_centre_helps_with_a_forgotten_pin_and_nothing_is_lost() {
    let (held, scope) = (Station::of_grid("张三", 0), grid(0));
    let held = held.close();
    let dir = held.path();
    let replica = Replica::open(dir, Options::default()).expect("opens");
    named(&replica, &scope, "张三");
    let recovery = Pair::draw(&System).expect("random");
    replica.store().set_recovery(recovery.public()).expect("notes it");
    replica.store().set_pin((None, None), &pin("2468"), PinCost::TRIFLING).expect("sets");
    replica.store().renew().expect("renews");
    drop(replica);
    let line = Vault::ask_recovery(dir, &System).expect("asks");
    let request = RecoveryRequest::from_line(&line.to_lowercase()).expect("reads");
    let stranger = Pair::draw(&System).expect("random");
    assert!(matches!(request.answer(&System, &stranger, None), Err(VaultError::Line)));
    let stale = request.answer(&System, &recovery, None).expect("answers");
    // A second request makes the answer to the first worthless.
    let line = Vault::ask_recovery(dir, &System).expect("asks");
    let answer =
        RecoveryRequest::from_line(&line).expect("reads").answer(&System, &recovery, None).expect("answers");
    let refused = Replica::open_with_answer(dir, &stale, with_pin("9753")).map(|_| ()).expect_err("stale");
    assert!(matches!(refused, ReplicaError::Vault(VaultError::Line)), "{refused}");
    let replica = Replica::open_with_answer(dir, &answer, with_pin("9753")).expect("opens");
    assert_eq!(names(&replica, &scope), ["张三"]);
    drop(replica);
    assert!(Replica::open(dir, with_pin("2468")).is_err(), "the forgotten PIN still opens");
    assert_eq!(names(&Replica::open(dir, with_pin("9753")).expect("opens"), &scope), ["张三"]);
}

#[test]
fn a_destroyed_key_leaves_nothing_that_opens() {
    let (held, scope) = (Station::of_grid("张三", 0), grid(0));
    let held = held.close();
    let dir = held.path();
    let replica = Replica::open(dir, Options::default()).expect("opens");
    named(&replica, &scope, "张三");
    named(&replica, &scope, "李四");
    let mut doc = None;
    replica
        .each(&scope, Kind::PERSON, |view| {
            if view.text("name") == "张三" {
                doc = Some(view.id);
            }
            true
        })
        .expect("reads");
    let doc = doc.expect("there");
    assert!(replica.store().has_key(&doc).expect("reads"));
    replica.store().destroy_keys(&[doc]).expect("destroys");
    assert!(!replica.store().has_key(&doc).expect("reads"));
    assert!(replica.get(&scope, Kind::PERSON, &doc).is_err());
    drop(replica);
    assert!(!holds(dir, "李四".as_bytes()));
}

/// Whatever residents' data takes its way through a replica: no file under the directory shows it.
#[test]
fn no_file_shows_a_resident() {
    let station = Station::of_grid("王五", 0);
    let number = common::IDS[0];
    let (name, phone, place, text) = ("慕容云海", "13812345670", "清湖路七十七弄", "夜里敲铁皮很吵");
    let added = station.run(&[
        "person",
        "add",
        &format!("name={name}"),
        &format!("id_number={number}"),
        &format!("phone={phone}"),
        &format!("current_address={place}"),
    ]);
    let id = added["id"].as_str().expect("an id").to_owned();
    station.run(&["person", "set", &id, "phone=13812345671"]);
    station.run(&["case", "report", "--category", "综合执法", "--text", text]);
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let check = |dir: &Path, when: &str| {
        for secret in [name, number, phone, "13812345671", place, text] {
            assert!(!holds(dir, secret.as_bytes()), "{when}: a file shows {secret}");
            assert!(!holds(dir, &wide(secret)), "{when}: a file shows {secret} in UTF-16");
        }
    };
    check(station.dir(), "running");
    let found = station.run(&["person", "show", number]);
    assert_eq!(found["id"], id.as_str());
    let dir = station.close();
    check(dir.path(), "closed");
    let replica = Replica::open(dir.path(), Options::default()).expect("opens");
    replica.store().renew().expect("renews");
    drop(replica);
    check(dir.path(), "renewed");
    std::fs::write(dir.path().join("leak"), format!("一{name}二")).expect("writes");
    assert!(holds(dir.path(), name.as_bytes()), "this test could not fail");
}

#[test]
fn a_directory_of_an_unencrypted_version_is_refused_in_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = wangge_store::Store::open(dir.path(), Options::default()).expect("opens");
    let mut batch = wangge_store::Batch::new();
    batch.put("mprofile", vec![1]);
    store.commit(batch).expect("commits");
    store.close();
    let refused = Replica::open(dir.path(), Options::default()).map(|_| ()).expect_err("refused");
    assert!(matches!(refused, ReplicaError::Vault(VaultError::Older { .. })), "{refused}");
}
