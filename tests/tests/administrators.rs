//! Administrators of the system, of security and of the audit (三员分立): who sees the audit and can tell that the
//! relay's owner has tampered with it, who cuts a lost phone off, and that nobody is two of them.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use wangge_model::audit::{Entry, Source, What};
use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::roster::Standing;
use wangge_model::schema::Kind;
use wangge_model::verdict::VoidReason;
use wangge_node::replica::{Edit, Replica, ReplicaError};
use wangge_store::{Batch, Options};
use wangge_tests::process::{Programs, text};
use wangge_tests::street::{GRIDS, Relay, Worker, found_street, grid, number, put, until_equal};

const NUMBER: &str = "990101199001010019";

fn programs() -> Programs {
    Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")))
}

fn scopes(worker: &Worker) -> Vec<String> {
    worker.replica.scopes().iter().map(ToString::to_string).collect()
}

/// All that is stored of records of the grids.
fn records_of_grids(worker: &Worker) -> usize {
    let of = |tag: &str| worker.replica.store().scan_keys(format!("{tag}grid:").as_bytes()).count();
    ["D", "L", "T", "W"].into_iter().map(of).sum()
}

/// By command: the auditor sees who has seen a resident's number in full, and checks the chain; to nobody else the
/// audit is shown, and he writes nothing.
#[test]
fn the_auditor_reads_on_his_own_device_and_nobody_else_does() {
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let path = |name: &str| text(&dir.path().join(name)).to_owned();
    let (at, admin, audit, phone) = (path("relay"), path("admin"), path("audit"), path("phone"));
    found_street(at.as_ref());
    let _relay = programs.serve(at.as_ref(), "127.0.0.1:0");
    for (dir, worker, role, unit) in [
        (&admin, "周敏", "centre-admin", "centre"),
        (&audit, "吴审", "审计管理员", "centre"),
        (&phone, "张三", "grid-worker", "grid:330881121200"),
    ] {
        let line = programs.invite(at.as_ref(), worker, role, unit);
        programs.run("wangge", ["join", "--dir", dir, &line]);
    }
    programs.run("wangge", ["person", "add", "--dir", &phone, &format!("id_number={NUMBER}"), "name=李四"]);
    let reason = "核对 13812345678 是否本人";
    programs.run("wangge", ["person", "show", "--dir", &phone, NUMBER, "--unmask", reason]);
    programs.run("wangge", ["sync", "--dir", &phone]);

    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let listed = loop {
        programs.run("wangge", ["sync", "--dir", &audit]);
        let listed = programs.json("wangge", ["audit", "list", "--dir", &audit]);
        if listed.to_string().contains("unmask") {
            break listed;
        }
        assert!(std::time::Instant::now() < deadline, "{listed}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let at_relay = programs.json("wangge-relay", ["audit", "list", "--dir", &at]);
    let of = |list: &Value, what: &str| {
        list.as_array().expect("a list").iter().find(|entry| entry["what"] == what).cloned()
    };
    let unmasked = of(&listed, "unmask").expect("is there");
    assert_eq!(of(&at_relay, "unmask").as_ref(), Some(&unmasked), "the two lists say the same");
    assert_eq!(unmasked["worker"], "张三");
    assert_eq!(unmasked["reason"], "核对 138****5678 是否本人");
    assert!(unmasked["whom"].is_string() && unmasked["scope"] == "grid:330881121200", "{unmasked}");
    let shown = programs.run("wangge", ["audit", "list", "--dir", &audit]);
    assert!(shown.contains("查看完整号码") && shown.contains("张三"), "{shown}");
    for word in [NUMBER, "李四", "13812345678"] {
        assert!(!shown.contains(word) && !listed.to_string().contains(word), "{word}: {shown}");
    }
    let later = programs.json("wangge", ["audit", "list", "--dir", &audit, "--since", "2999-01-01"]);
    assert_eq!(later, json!([]));
    let error = programs.fails("wangge", ["audit", "list", "--dir", &audit, "--since", "neulich"]);
    assert!(error.contains("看不懂时间") && error.contains("is not a time"), "{error}");
    let verified = programs.json("wangge", ["audit", "verify", "--dir", &audit]);
    assert_eq!((&verified["broken"], &verified["complete"]), (&json!([]), &json!(true)), "{verified}");
    assert!(programs.run("wangge", ["audit", "verify", "--dir", &audit]).contains("审计副本完好"));

    programs.run("wangge", ["sync", "--dir", &admin]);
    for dir in [&admin, &phone] {
        for verb in ["list", "verify"] {
            let error = programs.fails("wangge", ["audit", verb, "--dir", dir]);
            assert!(error.contains("审计管理员") && error.contains("audit-admin"), "{error}");
            assert!(error.contains("吴审"), "{error}");
        }
    }
    for words in [
        vec!["person", "add", "id_number=990101199001010027", "name=王五"],
        vec!["case", "report", "--category", "安全生产", "--text", "路灯不亮", "--unit", "330881121200"],
        vec!["task", "add", "--title", "走访", "--assignee", "张三"],
        vec!["bulletin", "add", "--title", "通报", "--text", "无"],
        vec!["suggest", "add", "--kind", "建议", "--text", "无"],
        vec!["roster", "revoke", "--worker", "张三"],
        vec!["roster", "assign", "--worker", "张三", "--role", "grid-leader", "--unit", "330881121200"],
        vec!["roster", "policy", "--grace-days", "3650"],
    ] {
        let words = [words, vec!["--dir", &audit]].concat();
        let refused = programs.output("wangge", words.iter().copied());
        // Refused, not misunderstood.
        assert_eq!(refused.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&refused.stderr));
    }
    let auditor = Worker::open(audit.as_ref());
    assert_eq!(scopes(&auditor), ["street", "audit"]);
    assert_eq!(records_of_grids(&auditor), 0);
    for (scope, (clock, _)) in auditor.replica.clocks() {
        assert_eq!(clock.len_of(&auditor.log(&scope)), 0, "he has written in {scope}");
    }
}

/// Whoever owns the relay owns its key: the chain that he writes anew holds in itself. The auditor's device knows
/// better.
async fn tampered(tamper: impl FnOnce(&Replica), holds_at_relay: bool, why: &str) {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    assert!(!relay.digests().iter().any(|line| line.starts_with("audit")), "nobody is there to copy it for");
    let line = relay.invite("吴审", Role::AuditAdmin, &Scope::Centre);
    let auditor = Worker::join(&dir.path().join("audit"), &line).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    ana.person(&grid(0), NUMBER, &[("name", "李四")]);
    ana.run(&["person", "show", NUMBER, "--unmask", "核对"]);
    ana.sync().await;
    until_copied(&auditor, "unmask").await;
    let copied = auditor.run(&["audit", "list"]);
    assert_eq!(auditor.run(&["audit", "verify"])["broken"], json!([]));

    let (at, addr) = relay.stop().await;
    let owned = Replica::open(&at, Options::default()).expect("opens");
    tamper(&owned);
    owned.close();
    let relay = Relay::serve(&at, addr).await;
    let own = relay.ask(&json!("VerifyAudit"));
    assert_eq!(own["broken"] == json!([]), holds_at_relay, "{own}");
    assert!(!relay.ask(&json!({ "Audit": 0 })).to_string().contains("unmask"), "it is gone there");

    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let broken = loop {
        auditor.sync().await;
        let verified = auditor.run(&["audit", "verify"]);
        if verified["broken"] != json!([]) {
            break verified["broken"].clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "nothing is noticed: {verified}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(broken[0]["reason"], why, "{broken}");
    // What he has seen stays.
    let listed = auditor.run(&["audit", "list"]);
    for entry in copied.as_array().expect("a list") {
        assert!(listed.as_array().expect("a list").contains(entry), "{entry} is gone");
    }
    assert!(listed.to_string().contains("unmask"));
    until_equal(&relay, &[&auditor]).await;
}

async fn until_copied(auditor: &Worker, what: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        auditor.sync().await;
        let listed = auditor.run(&["audit", "list"]);
        if listed.to_string().contains(what) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{listed}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn link_key(seq: u64) -> Vec<u8> {
    [b"U".as_slice(), &seq.to_be_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_its_owner_wrote_anew_is_noticed() {
    let anew = |owned: &Replica| {
        let mut entries = Vec::new();
        let mut batch = Batch::new();
        owned
            .audit_links(1, |link| {
                batch.delete(link_key(link.seq));
                entries.push((link.source, link.entry));
                true
            })
            .expect("reads");
        batch.delete(b"u".to_vec());
        owned.store().commit(batch).expect("writes");
        entries.retain(|(_, entry)| entry.what != What::UNMASK);
        owned.append_audit(entries, Batch::new()).expect("writes");
    };
    tampered(anew, true, "rewritten").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_its_owner_cut_is_noticed() {
    let cut = |owned: &Replica| {
        let mut batch = Batch::new();
        let mut found = false;
        owned
            .audit_links(1, |link| {
                found |= link.entry.what == What::UNMASK;
                if found {
                    batch.delete(link_key(link.seq));
                }
                true
            })
            .expect("reads");
        owned.store().commit(batch).expect("writes");
    };
    tampered(cut, false, "cut").await;
}

/// Entries of a chain so long that its copy is handed to a new device in pages.
const LONG: u64 = 9_000;

/// The copy goes on over the parts of a long chain and over starts of the relay, nothing is copied twice, and who
/// becomes an auditor later reads all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_is_copied_whole_and_once() {
    let dir = tempfile::tempdir().expect("dir");
    let at = dir.path().join("relay");
    found_street(&at);
    let owned = Replica::open(&at, Options::default()).expect("opens");
    let noted = |count: u64| Entry::new(What::EXPORT).detail(&format!("第 {count} 次"));
    let entries = (0..LONG).map(|count| (Source::Relay, noted(count))).collect();
    owned.append_audit(entries, Batch::new()).expect("records");
    owned.close();
    let relay = Relay::serve(&at, ([127, 0, 0, 1], 0).into()).await;
    let line = relay.invite("吴审", Role::AuditAdmin, &Scope::Centre);
    let auditor = Worker::join(&dir.path().join("audit"), &line).await;
    until_copied(&auditor, &format!("第 {} 次", LONG - 1)).await;
    let log = auditor.replica.logs().into_iter().find(|log| log.scope == Scope::Audit).expect("held");
    let written = || auditor.replica.clocks()[&Scope::Audit].0.len_of(&log.log);
    let before = written();
    assert!(before < LONG / 50, "{before} transactions for {LONG} entries");
    let (at, addr) = relay.stop().await;
    let owned = Replica::open(&at, Options::default()).expect("opens");
    owned.audit(noted(LONG)).expect("records");
    owned.close();
    let relay = Relay::serve(&at, addr).await;
    until_copied(&auditor, &format!("第 {LONG} 次")).await;
    let entries = |list: &Value| -> Vec<u64> {
        let entries = list.as_array().expect("a list").iter();
        entries.map(|entry| entry["seq"].as_u64().expect("a number")).collect()
    };
    let listed = entries(&auditor.run(&["audit", "list"]));
    assert_eq!(listed, (1..=listed.len() as u64).collect::<Vec<_>>());
    assert_eq!(listed, entries(&relay.ask(&json!({ "Audit": 0 })))[..listed.len()]);
    assert_eq!(auditor.run(&["audit", "verify"])["broken"], json!([]));
    let written = written();
    assert!(written <= before + 4, "{written} transactions, {before} before one more entry");

    let line = relay.invite("郑审", Role::AuditAdmin, &Scope::Centre);
    let second = Worker::join(&dir.path().join("second"), &line).await;
    second.sync().await;
    assert!(second.replica.clocks()[&Scope::Audit].0.len_of(&log.log) >= written, "it came in pages");
    let later = entries(&second.run(&["audit", "list"]));
    assert_eq!(later[..listed.len()], listed);
    let verified = second.run(&["audit", "verify"]);
    assert_eq!((&verified["broken"], &verified["complete"]), (&json!([]), &json!(true)), "{verified}");
}

/// A lost phone is cut off by the administrator of security; nothing else of the centre's is his to do, and his
/// device holds no register.
#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_of_security_cuts_devices_off_and_no_more() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let lost = Worker::join(&dir.path().join("lost"), &relay.invite("失", Role::GridWorker, &grid(0))).await;
    lost.person(&grid(0), &number(1), &[("name", "张三")]);
    lost.sync().await;
    let line = relay.invite("安全", Role::SecurityAdmin, &Scope::Centre);
    let guard = Worker::join(&dir.path().join("guard"), &line).await;
    guard.sync().await;
    assert_eq!(scopes(&guard), ["street"]);
    assert_eq!(records_of_grids(&guard), 0);
    assert!(records_of_grids(&lost) > 0);
    let key = lost.replica.profile().replica();
    let listed = guard.run(&["roster", "list"]);
    assert!(listed.to_string().contains(&key.to_string()), "he sees the roster");

    let clerk = ["--role", "centre-clerk", "--unit", "centre"];
    for words in [
        [&["roster", "assign", "--worker", "安全"][..], &clerk].concat(),
        vec!["roster", "assign", "--worker", "安全", "--device", &key.to_string()],
        vec!["roster", "leave", "--worker", "失"],
        vec!["roster", "leave", "--device", &key.to_string()],
        vec!["roster", "policy", "--quarantine-bytes", "0"],
        vec!["person", "add", &format!("id_number={NUMBER}"), "name=李四"],
        vec!["case", "report", "--category", "安全生产", "--text", "路灯不亮", "--unit", GRIDS[0]],
        vec!["case", "report", "--text", "收受礼品", "--category", "组织纪检"],
        vec!["bulletin", "add", "--title", "通报", "--text", "无"],
        vec!["audit", "list"],
    ] {
        let error = guard.try_run(&words).expect_err("not his");
        if words[0] == "roster" || words[0] == "audit" {
            assert_eq!(error.code, "may-not", "{words:?}: {error}");
            let who = if words[0] == "audit" { "审计管理员" } else { "社管中心管理员" };
            assert!(error.message.contains(who), "{words:?}: {error}");
        }
    }
    // Not by another program either.
    let (street, doc) = (Scope::Street, guard.replica.roster().expect("reads").replicas()[&key].doc);
    let member = Target::Entry {
        container: "workers".to_owned(),
        key: guard.replica.profile().enrolment().expect("enrolled").worker.to_string(),
    };
    for (kind, op) in [
        (Kind::REPLICA, put("status", "leaving:9000000000000")),
        (Kind::REPLICA, Op { target: Target::Field("status".to_owned()), value: None }),
        (Kind::REPLICA, put("role", "centre-admin")),
        (Kind::REPLICA, Op { target: member, value: Some(Scalar::Bool(true)) }),
        (Kind::WORKER, put("name", "李四")),
        (Kind::UNIT, put("name", "李家村")),
        (Kind::SEAL_KEY, put("number", "9")),
        (Kind::ERASURE, put("reason", "无")),
        (Kind::CASE_RULES, put("version", "9")),
        (Kind::BULLETIN, put("title", "通报")),
    ] {
        let doc = if kind == Kind::REPLICA { doc } else { DocId([kind.0; 16]) };
        let named = format!("{kind}: {op:?}");
        let ops = vec![put("reason", &named), op];
        let ops = if kind == Kind::REPLICA { ops } else { ops[1..].to_vec() };
        match guard.replica.commit(&street, vec![Edit { doc, kind, ops }], None) {
            Err(ReplicaError::MayNot { refusal, .. }) => {
                assert_eq!(refusal.reason, VoidReason::RoleMayNot, "{named}");
                assert!(!refusal.roles.contains(&Role::SecurityAdmin), "{named}");
            }
            other => panic!("{named}: {other:?}"),
        }
    }

    let revoked = guard.run(&["roster", "revoke", &key.to_string(), "--reason", "手机丢失"]);
    assert_eq!(revoked["revoked"][0]["replica"], key.to_string());
    guard.decided(&street).await;
    let log = guard.log(&street);
    assert_eq!(guard.replica.void_reason(&street, &log, 1), None, "the centre accepts it");
    let error = lost.try_sync().await.expect_err("it is cut off").to_string();
    assert!(error.contains("已清除") && error.contains("手机丢失"), "{error}");
    guard.sync().await;
    let roster = guard.replica.roster().expect("reads");
    assert_eq!(roster.replicas()[&key].standing, Standing::Revoked);
    assert_eq!(records_of_grids(&guard), 0);
}

/// By command, at the centre and on an admin's device: who is one of the three cannot become another of them.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_two_of_the_three_administrators() {
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let at = dir.path().join("relay");
    let relay = Relay::start(&at).await;
    let missing = |listed: &Value| listed["administrators_missing"].clone();
    assert_eq!(missing(&relay.roster(&["list"])), json!(["centre-admin", "security-admin", "audit-admin"]));
    // Two invitations of before either is used.
    let early = relay.invite("周敏", Role::AuditAdmin, &Scope::Centre);
    let line = relay.invite("周敏", Role::CentreAdmin, &Scope::Centre);
    let admin = Worker::join(&dir.path().join("admin"), &line).await;
    admin.sync().await;
    assert_eq!(missing(&admin.run(&["roster", "list"])), json!(["security-admin", "audit-admin"]));
    let late = dir.path().join("late");
    let said =
        tokio::task::block_in_place(|| programs.fails("wangge", ["join", "--dir", text(&late), &early]));
    assert!(said.contains("不能再任审计管理员") && said.contains("cannot be audit-admin"), "{said}");
    for (program, words) in [
        ("wangge-relay", vec!["invite", "--worker", "周敏", "--role", "security-admin", "--unit", "centre"]),
        (
            "wangge-relay",
            vec!["roster", "assign", "--worker", "周敏", "--role", "审计管理员", "--unit", "centre"],
        ),
    ] {
        let words = [words, vec!["--dir", text(&at)]].concat();
        let said = tokio::task::block_in_place(|| programs.fails(program, words.iter().copied()));
        assert!(said.contains("周敏 已任社管中心管理员,不能再任"), "{said}");
        assert!(said.contains("different people"), "{said}");
    }
    let assign =
        |role: &'static str| ["roster", "assign", "--worker", "周敏", "--role", role, "--unit", "centre"];
    assert_eq!(admin.try_run(&assign("audit-admin")).expect_err("refused").code, "post-excluded");
    // Another post is none of the three.
    admin.run(&assign("centre-clerk"));
    // At another time he may.
    admin.run(&["roster", "leave", "--worker", "周敏", "--role", "centre-admin", "--at", "2099-01-01"]);
    let later = [&assign("audit-admin")[..], &["--from", "2099-01-01"]].concat();
    admin.run(&later);
    // Who has left that post may take another one at once.
    relay.roster(&["assign", "--new", "--worker", "钱", "--role", "centre-admin", "--unit", "centre"]);
    relay.roster(&["leave", "--worker", "钱", "--role", "centre-admin"]);
    let audits = ["assign", "--worker", "钱", "--role", "audit-admin", "--unit", "centre"];
    assert_eq!(relay.roster(&audits)["changed"], true);
    assert_eq!(relay.roster(&audits)["changed"], false);
    assert_eq!(missing(&relay.roster(&["list"])), json!(["security-admin"]));
    admin.decided(&Scope::Street).await;
    assert!(!scopes(&admin).contains(&"audit".to_owned()));
}

/// Two admins, apart, make a worker two of them: the audit counts, and the roster says so.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_posts_given_apart_the_one_that_may_do_less_counts() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let join = async |name: &str, role, unit: &Scope| {
        Worker::join(&dir.path().join(name), &relay.invite(name, role, unit)).await
    };
    let (one, two) = (
        join("一", Role::CentreAdmin, &Scope::Centre).await,
        join("二", Role::CentreAdmin, &Scope::Centre).await,
    );
    let both = join("丙", Role::GridWorker, &grid(0)).await;
    for worker in [&both, &one, &two] {
        worker.sync().await;
    }
    let assign =
        |role: &'static str| ["roster", "assign", "--worker", "丙", "--role", role, "--unit", "centre"];
    one.run(&assign("centre-admin"));
    two.run(&assign("audit-admin"));
    for admin in [&one, &two, &one] {
        admin.decided(&Scope::Street).await;
    }
    both.sync().await;
    assert_eq!(scopes(&both), ["street", &format!("grid:{}", GRIDS[0]), "audit"]);
    let error = both.try_run(&["roster", "leave", "--worker", "一"]).expect_err("no admin of the system");
    assert_eq!(error.code, "may-not");
    until_copied(&both, "roster").await;
    let listed = one.run(&["roster", "list"]);
    let worker = listed["workers"].as_array().expect("a list").iter().find(|worker| worker["name"] == "丙");
    let posts = worker.expect("is there")["posts"].as_array().expect("a list");
    let post = |role: &str| posts.iter().find(|post| post["role"] == role).expect("is there");
    assert_eq!(post("centre-admin")["overruled_by"], "audit-admin");
    assert_eq!(post("centre-admin")["current"], false);
    assert_eq!(
        (&post("audit-admin")["overruled_by"], &post("audit-admin")["current"]),
        (&json!(null), &json!(true))
    );
    let shown = one.roster(&["list"]).expect("listed").text;
    assert!(shown.contains("不生效") && shown.contains("does not count"), "{shown}");
    // Once the other has ended the first counts.
    one.run(&["roster", "leave", "--worker", "丙", "--role", "audit-admin"]);
    one.decided(&Scope::Street).await;
    both.sync().await;
    assert!(scopes(&both).contains(&"centre".to_owned()) && !scopes(&both).contains(&"audit".to_owned()));
    assert!(both.try_run(&["audit", "list"]).is_err());
}
