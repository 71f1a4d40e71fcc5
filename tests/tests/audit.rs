//! The audit at the centre: what is in it, and that nobody changes it unseen.

use std::path::PathBuf;

use serde_json::Value;

use wangge_model::audit::{Entry, Link, What};
use wangge_model::identity::Scope;
use wangge_node::replica::{Replica, ReplicaError};
use wangge_store::{Batch, Options, StoreError};
use wangge_tests::process::{Programs, text};
use wangge_tests::street::found_street;

fn programs() -> Programs {
    Programs(PathBuf::from(env!("CARGO_BIN_EXE_under-test")))
}

fn whats(entries: &Value) -> Vec<String> {
    let entries = entries.as_array().expect("a list");
    entries.iter().map(|entry| entry["what"].as_str().expect("a word").to_owned()).collect()
}

#[test]
fn invitations_and_who_used_them_are_in_the_audit() {
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let at = dir.path().join("relay");
    found_street(&at);
    let relay = programs.serve(&at, "127.0.0.1:0");
    let line = programs.invite(&at, "张三", "grid-worker", "grid:330881121200");
    programs.run("wangge", ["join", "--dir", text(&dir.path().join("a")), &line]);
    programs.fails("wangge", ["join", "--dir", text(&dir.path().join("b")), &line]);
    let list = programs.json("wangge-relay", ["audit", "list", "--dir", text(&at)]);
    assert_eq!(whats(&list), ["invitation", "joined", "join-refused"]);
    assert_eq!(list[1]["reason"], "张三");
    assert_eq!(list[2]["reason"], "used");
    let since = programs.json("wangge-relay", ["audit", "list", "--dir", text(&at), "--since", "2999-01-01"]);
    assert_eq!(since, Value::Array(Vec::new()));
    programs.fails("wangge-relay", ["audit", "list", "--dir", text(&at), "--since", "neulich"]);
    assert!(programs.run("wangge-relay", ["audit", "verify", "--dir", text(&at)]).contains("3"));
    relay.kill();
    let shown = programs.run("wangge-relay", ["audit", "list", "--dir", text(&at)]);
    assert!(shown.contains("邀请码被拒"), "{shown}");
}

/// Whoever changes, removes or adds an entry in the relay's store is found out, and the entry named.
#[test]
fn tampering_is_named_by_its_first_entry() {
    let programs = programs();
    let dir = tempfile::tempdir().expect("dir");
    let at = dir.path().join("relay");
    found_street(&at);
    // A program that the other test starts holds this one's files until it is one: so does the lock.
    let open = || {
        let mut tries = 0..50;
        loop {
            match Replica::open(&at, Options::default()) {
                Err(ReplicaError::Store(StoreError::Locked { .. })) if tries.next().is_some() => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                opened => break opened.expect("opens"),
            }
        }
    };
    let replica = open();
    for count in 1..=5 {
        let entry = Entry::new(What::EXPORT).within(&Scope::Street).detail(&format!("第 {count} 次"));
        replica.audit(entry).expect("records");
    }
    let key = |seq: u64| [b"U".as_slice(), &seq.to_be_bytes()].concat();
    let stored = |seq| replica.store().get(&key(seq)).expect("reads").expect("is there");
    let (third, fifth) = (stored(3), stored(5));
    let mut forged: Link = postcard::from_bytes(&third).expect("a link");
    forged.entry.detail = "没有的事".into();
    let forged = postcard::to_stdvec(&forged).expect("encodes");
    let mut sixth: Link = postcard::from_bytes(&fifth).expect("a link");
    sixth = Link::new(6, &sixth.head, 1, sixth.source, sixth.entry);
    let sixth = postcard::to_stdvec(&sixth).expect("encodes");
    replica.close();

    let tamper = |change: &dyn Fn(&mut Batch)| {
        let replica = open();
        let mut batch = Batch::new();
        change(&mut batch);
        replica.store().commit(batch).expect("writes");
        replica.close();
    };
    let verify = || programs.output("wangge-relay", ["audit", "verify", "--dir", text(&at)]);
    assert!(verify().status.success());
    for (change, undo, entry) in
        [(Some(forged), third.clone(), 3), (None, third, 3), (None, fifth.clone(), 5)]
    {
        tamper(&|batch| match &change {
            Some(bytes) => batch.put(key(entry), bytes.clone()),
            None => batch.delete(key(entry)),
        });
        let said = programs.fails("wangge-relay", ["audit", "verify", "--dir", text(&at)]);
        assert!(
            said.contains(&format!("第 {entry} 条")) && said.contains(&format!("entry {entry}")),
            "{said}"
        );
        tamper(&|batch| batch.put(key(entry), undo.clone()));
        assert!(verify().status.success());
    }
    tamper(&|batch| batch.put(key(6), sixth.clone()));
    let said = programs.fails("wangge-relay", ["audit", "verify", "--dir", text(&at)]);
    assert!(said.contains("entry 6"), "{said}");
}
