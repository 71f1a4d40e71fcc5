//! Backups of the centre, and what becomes of the street when it is put back to one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;
use wangge_node::replica::Delivery;
use wangge_relay::backup::{self, BackupError, key_beside};
use wangge_tests::process::{Programs, text};
use wangge_tests::street::{Relay, Worker, assert_equal, found_street, grid, number};

/// Asks the serving relay for a backup.
fn back_up(relay: &Relay, to: &Path) {
    let request = serde_json::json!({ "Backup": [to, key_beside(to)] });
    let answer =
        tokio::task::block_in_place(|| wangge_node::control::ask(&relay.dir, &request, |_, _, _| ()));
    match answer {
        Ok(Some(wangge_node::control::Line::Answer(contents))) => {
            assert!(contents["entries"].as_u64() > Some(0), "{contents}");
        }
        other => panic!("no backup: {other:?}"),
    }
}

fn delivery(worker: &Worker, doc: DocId) -> Delivery {
    worker.replica.apply().expect("applies");
    worker.replica.delivery(&grid(0), Kind::PERSON, &doc).expect("reads")
}

async fn join(relay: &Relay, dir: &Path, name: &str, role: Role, unit: &Scope) -> Worker {
    Worker::join(&dir.join(name), &relay.invite(name, role, unit)).await
}

/// A backup made while the relay serves: devices learn that their records are in it; a damaged one says where.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_shows_in_receipts_and_any_damage_to_it_shows() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, dir.path(), "ana", Role::GridWorker, &grid(0)).await;
    let doc = ana.person(&grid(0), &number(1), &[("name", "张三")]);
    let file = dir.path().join("monday.backup");
    while delivery(&ana, doc) != Delivery::BackedUp {
        // The relay decides a moment after it took the record in; only what is decided counts as backed up.
        ana.sync().await;
        assert!(delivery(&ana, doc) >= Delivery::Centre);
        let _ = (std::fs::remove_file(&file), std::fs::remove_file(key_beside(&file)));
        back_up(&relay, &file);
        ana.sync().await;
    }
    let later = ana.person(&grid(0), &number(2), &[("name", "李四")]);
    ana.sync().await;
    assert_eq!((delivery(&ana, doc), delivery(&ana, later)), (Delivery::BackedUp, Delivery::Centre));

    let key = key_beside(&file);
    let contents = backup::verify(&file, &key).expect("whole");
    assert!(contents.entries > 0);
    assert!(matches!(backup::backup(&ana.replica, &file, &key), Err(BackupError::Exists { .. })));
    let bytes = std::fs::read(&file).expect("reads");
    let bad = dir.path().join("bad");
    for at in [200, bytes.len() / 2, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        std::fs::write(&bad, &flipped).expect("writes");
        let error = backup::verify(&bad, &key).expect_err("damaged");
        assert!(matches!(error, BackupError::Damaged { .. }), "byte {at}: {error}");
        std::fs::write(&bad, &bytes[..at]).expect("writes");
        let error = backup::verify(&bad, &key).expect_err("cut off");
        assert!(matches!(error, BackupError::Damaged { .. }), "cut at {at}: {error}");
    }
    std::fs::write(&bad, b"hello").expect("writes");
    assert!(matches!(backup::verify(&bad, &key), Err(BackupError::Foreign { .. })));
    assert!(matches!(backup::verify(&file, &bad), Err(BackupError::ForeignKey { .. })));
    let second = dir.path().join("tuesday.backup");
    back_up(&relay, &second);
    assert!(matches!(backup::verify(&file, &key_beside(&second)), Err(BackupError::OtherKey { .. })));
    let taken = backup::restore(&relay.dir, &file, &key).expect_err("occupied");
    assert!(matches!(taken, BackupError::NotEmpty { .. }), "{taken}");
    let nowhere = dir.path().join("nowhere");
    backup::restore(&nowhere, &bad, &key).expect_err("foreign");
    assert!(!nowhere.exists(), "a failed restore leaves nothing");
}

/// The centre's machine dies on Tuesday and is restored from Monday's backup. What came on Tuesday comes again
/// from the devices that have it; nothing goes out before the centre's own workstation has brought the roster.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_relay_gets_back_what_devices_hold() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, dir.path(), "ana", Role::GridWorker, &grid(0)).await;
    let ben = join(&relay, dir.path(), "ben", Role::GridLeader, &grid(0)).await;
    let centre = join(&relay, dir.path(), "centre", Role::CentreAdmin, &Scope::Centre).await;
    let monday = ana.person(&grid(0), &number(1), &[("name", "张三")]);
    for worker in [&ana, &ben, &centre] {
        worker.sync().await;
    }
    let file = dir.path().join("monday.backup");
    back_up(&relay, &file);

    let tuesday = ana.person(&grid(0), &number(2), &[("name", "李四"), ("phone", "13800000001")]);
    ana.set(&grid(0), monday, &[("phone", "13800000002")]);
    // A device that joins after the backup is known to the centre's workstation, not to the backup.
    let cao = join(&relay, dir.path(), "cao", Role::GridWorker, &grid(0)).await;
    for worker in [&ana, &ben, &cao, &centre, &ana, &centre] {
        worker.sync().await;
    }
    let of_cao = cao.person(&grid(0), &number(3), &[("name", "王五")]);
    let (old, addr) = relay.stop().await;
    std::fs::remove_dir_all(&old).expect("the machine is gone");

    let restored = dir.path().join("restored");
    backup::restore(&restored, &file, &key_beside(&file)).expect("restores");
    let relay = Relay::serve(&restored, addr).await;
    // Ana comes first: what she has is taken, she gets nothing, and her receipts are true again.
    let refused = ana.try_sync().await.expect_err("nothing is given yet").to_string();
    assert!(refused.contains("restored"), "{refused}");
    assert_eq!(delivery(&ana, tuesday), Delivery::Centre);
    let unknown = cao.try_sync().await.expect_err("not in the backup's roster").to_string();
    assert!(unknown.contains("does not know"), "{unknown}");
    centre.sync().await;
    for worker in [&cao, &ana, &ben, &centre, &cao, &ana, &ben] {
        worker.sync().await;
    }
    assert_equal(&relay, &[&ana, &ben, &cao, &centre]);
    for worker in [&ana, &ben, &cao, &centre] {
        assert_eq!(worker.view(&grid(0), tuesday).expect("there").text("phone"), "13800000001");
        assert_eq!(worker.view(&grid(0), monday).expect("there").text("phone"), "13800000002");
        assert!(worker.view(&grid(0), of_cao).is_some());
    }
    // The street goes on working.
    let wednesday = ben.person(&grid(0), &number(4), &[("name", "赵六")]);
    for worker in [&ben, &ana] {
        worker.sync().await;
    }
    assert!(ana.view(&grid(0), wednesday).is_some());
}

/// Whoever worked on Tuesday loses his phone, and the centre's machine dies. A device that joined after Monday's backup
/// took what it has of Tuesday in pages: it brings it back all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_joined_after_the_backup_brings_back_what_came_since() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, dir.path(), "ana", Role::GridWorker, &grid(0)).await;
    let centre = join(&relay, dir.path(), "centre", Role::CentreAdmin, &Scope::Centre).await;
    let monday: Vec<DocId> =
        (1..=40).map(|at| ana.person(&grid(0), &number(at), &[("name", "张三")])).collect();
    for worker in [&ana, &centre] {
        worker.sync().await;
    }
    let file = dir.path().join("monday.backup");
    back_up(&relay, &file);

    ana.set(&grid(0), monday[0], &[("phone", "13800000001")]);
    let tuesday = ana.person(&grid(0), &number(41), &[("name", "李四")]);
    ana.sync().await;
    ana.decided(&grid(0)).await;
    let cao = join(&relay, dir.path(), "cao", Role::GridWorker, &grid(0)).await;
    cao.sync().await;
    assert!(cao.view(&grid(0), tuesday).is_some());
    // The centre's workstation hears who joined, and nothing of the grid.
    centre.sync_only(&Scope::Street).await;
    drop(ana);
    let (old, addr) = relay.stop().await;
    std::fs::remove_dir_all(&old).expect("the machine is gone");

    let restored = dir.path().join("restored");
    backup::restore(&restored, &file, &key_beside(&file)).expect("restores");
    let relay = Relay::serve(&restored, addr).await;
    for worker in [&centre, &cao, &centre, &cao] {
        worker.sync().await;
    }
    assert_equal(&relay, &[&cao, &centre]);
    assert_eq!(centre.view(&grid(0), monday[0]).expect("there").text("phone"), "13800000001");
    assert_eq!(centre.view(&grid(0), tuesday).expect("there").text("name"), "李四");
}

/// A unit is added after the backup. The relay that is put back takes it up anew, as the one that devices know,
/// and gets back what was written there.
#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_was_added_after_the_backup_is_the_same_afterwards() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let centre = join(&relay, dir.path(), "centre", Role::CentreAdmin, &Scope::Centre).await;
    centre.sync().await;
    let file = dir.path().join("monday.backup");
    back_up(&relay, &file);
    let added = Scope::Grid("330881121209".to_owned());
    relay.ask(&serde_json::json!({ "AddUnit": [added, "新设网格", "330881121"] }));
    while !centre.replica.scopes().contains(&added) {
        centre.sync().await;
    }
    let first = centre.person(&added, &number(1), &[("name", "张三")]);
    centre.sync().await;
    let (old, addr) = relay.stop().await;
    std::fs::remove_dir_all(&old).expect("the machine is gone");

    let restored = dir.path().join("restored");
    backup::restore(&restored, &file, &key_beside(&file)).expect("restores");
    let relay = Relay::serve(&restored, addr).await;
    centre.sync().await;
    let second = centre.person(&added, &number(2), &[("name", "李四")]);
    let in_added = |lines: Vec<String>| lines.into_iter().find(|line| line.starts_with(&added.to_string()));
    // The relay takes the unit up a moment after it has the roster, and until then refuses what it knows no unit for.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let met = centre.try_sync().await.is_ok_and(|report| report.in_sync);
        if met && in_added(relay.digests()) == in_added(centre.digests()) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the relay does not take the unit up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_equal(&relay, &[&centre]);
    assert!(in_added(relay.digests()).is_some());
    // Whoever joins there is given the same.
    let ana = join(&relay, dir.path(), "ana", Role::GridWorker, &added).await;
    for worker in [&ana, &centre, &ana] {
        worker.sync().await;
    }
    for doc in [first, second] {
        assert!(ana.view(&added, doc).is_some());
    }
}

/// A restored relay that lost what it had said it holds: a device that heard so and lost the link before it
/// could send again does not go on claiming that its record is at the centre.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_a_relay_that_was_put_back_count_no_longer() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = join(&relay, dir.path(), "ana", Role::GridWorker, &grid(0)).await;
    ana.sync().await;
    let file = dir.path().join("monday.backup");
    back_up(&relay, &file);
    let doc = ana.person(&grid(0), &number(1), &[("name", "张三")]);
    let centre = ana.replica.profile().centre();
    let before = ana.replica.remembered(&centre).expect("reads");
    // Until the verdict is here as well.
    let log = ana.replica.own_ends(&grid(0)).into_keys().next().expect("a log");
    while ana.replica.decided(&grid(0), &log) == 0 {
        ana.sync().await;
        ana.replica.apply().expect("applies");
    }
    assert_eq!(delivery(&ana, doc), Delivery::Centre);
    // What the relay says after it was restored, heard just before the link breaks.
    ana.replica.remember(&centre, &before).expect("remembers");
    assert_eq!(delivery(&ana, doc), Delivery::Here);
    assert!(ana.replica.unsent().expect("counts") > 0);
    ana.sync().await;
    assert_eq!(delivery(&ana, doc), Delivery::Centre);
}

/// The commands, as somebody at the centre types them.
#[test]
fn backup_verify_restore_on_the_command_line() {
    let programs = Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")));
    let dir = tempfile::tempdir().expect("dir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (relay, device, file, restored) = (at("relay"), at("device"), at("one.backup"), at("restored"));
    found_street(&dir.path().join("relay"));
    let serving = programs.serve(Path::new(&relay), "127.0.0.1:0");
    let addr = serving.addr.clone();
    let line = programs.invite(Path::new(&relay), "张三", "centre-admin", "centre");
    programs.run("wangge", ["join", "--dir", &device, &line]);
    let fields = ["name=李四", "id_number=990101199001010019"];
    let unit = "grid:330881121200";
    programs.run("wangge", ["person", "add", "--dir", &device, "--unit", unit, fields[0], fields[1]]);
    programs.run("wangge", ["sync", "--dir", &device]);
    let picture = [&[0xff, 0xd8, 0xff, 0xda, 0, 2][..], &[7; 300_000], &[0xff, 0xd9]].concat();
    std::fs::write(at("a.jpg"), picture).expect("writes");
    let report = ["--category", "安全生产", "--text", "楼道堆物", "--unit", unit, "--photo", &at("a.jpg")];
    let report = ["case", "report", "--dir", &device].into_iter().chain(report);
    let case = programs.json("wangge", report)["id"].as_str().expect("an id").to_owned();
    programs.run("wangge", ["sync", "--dir", &device]);
    let made = programs.json("wangge-relay", ["backup", "--dir", &relay, "--to", &file]);
    assert_eq!((&made["number"], &made["photos"]), (&1.into(), &1.into()));
    let verified = programs.json("wangge-relay", ["verify", "--from", &file]);
    assert_eq!(verified, made);
    let listed = programs.json("wangge-relay", ["backup", "--dir", &relay, "--list"]);
    assert_eq!(listed[0]["number"], 1);
    let audit = programs.json("wangge-relay", ["audit", "list", "--dir", &relay]);
    assert!(audit.to_string().contains("backup"), "{audit}");

    let refused = [
        (vec!["verify", "--from", text(Path::new("/etc/hostname"))], "not a backup"),
        (vec!["verify", "--from", &file, "--key", &device], "cannot be used"),
        (vec!["verify", "--from", &file, "--key", "/nowhere"], "--key"),
        (vec!["backup", "--dir", &relay, "--to", &file], "exists already"),
        (vec!["backup", "--dir", &relay, "--to", "/nowhere/x"], "/nowhere/x"),
        (vec!["restore", "--dir", &relay, "--from", &file], "not empty"),
        (vec!["restore", "--dir", &restored, "--from", "/nowhere"], "/nowhere"),
    ];
    for (args, says) in refused {
        let message = programs.fails("wangge-relay", args.iter().copied());
        assert!(message.contains(says), "{args:?}: {message}");
    }
    assert!(!Path::new(&restored).exists());

    drop(serving);
    std::fs::remove_dir_all(&relay).expect("the machine is gone");
    programs.run("wangge-relay", ["restore", "--dir", &restored, "--from", &file]);
    let _serving = programs.serve(Path::new(&restored), &addr);
    programs.run("wangge", ["sync", "--dir", &device]);
    let digest = |program: &str, dir: &str| programs.run(program, ["digest", "--dir", dir]);
    assert_eq!(digest("wangge", &device), digest("wangge-relay", &restored));
    // No device has to give the photos back: one that is new has them from the restored relay.
    let (own, aside) = (Path::new(&device).join("photos"), dir.path().join("aside"));
    std::fs::rename(&own, &aside).expect("gone from the only device that had it");
    let (new, saved) = (at("new"), at("saved.jpg"));
    let line = programs.invite(Path::new(&restored), "李四", "grid-worker", unit);
    programs.run("wangge", ["join", "--dir", &new, &line]);
    programs.run("wangge", ["sync", "--dir", &new]);
    programs.run("wangge", ["photo", "save", "--dir", &new, &case, "1", "--to", &saved]);
    assert!(std::fs::read(&saved).expect("reads").len() > 300_000);
    std::fs::rename(&aside, &own).expect("is there again");
    // A picture that the relay lost, and knows: a device that has it gives it again when it is to compare.
    let kept = std::fs::read_dir(Path::new(&restored).join("photos")).expect("reads").next();
    let kept = kept.expect("a photo").expect("reads").path();
    std::fs::write(&kept, b"torn").expect("writes");
    std::fs::remove_dir_all(Path::new(&new).join("photos")).expect("forgets");
    programs.run("wangge", ["sync", "--dir", &new]);
    programs.run("wangge", ["sync", "--dir", &device, "--verify"]);
    programs.run("wangge", ["sync", "--dir", &new]);
    programs.run("wangge", ["photo", "save", "--dir", &new, &case, "1", "--to", &at("again.jpg")]);
    let resumed = programs.run("wangge-relay", ["resume", "--dir", &restored]);
    assert!(resumed.contains("nothing to resume"), "{resumed}");
}
