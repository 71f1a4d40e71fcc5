//! A replica that lost a scope hands over what it has of it and learns nothing more of it, however many logs
//! there are.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::clock::{Clock, Extent};
use wangge_model::enrolment::StreetId;
use wangge_model::identity::{LogId, ReplicaId, Scope};
use wangge_model::session::{Completeness, Config, Input, Output, Sending, Session};

fn log(number: u8) -> LogId {
    LogId([0xb0, number, 0xb1, number, 0xb2, number, 0xb3, number])
}

fn clock(logs: impl Iterator<Item = u8>) -> Clock {
    let mut clock = Clock::default();
    for number in logs {
        clock.0.insert(log(number), Extent { len: 3, head: [number; 4] }.into());
    }
    clock
}

fn session(dialler: bool, grid: &Scope, held: Clock) -> Session {
    Session::new(Config {
        dialler,
        street: StreetId([1; 8]),
        centre: ReplicaId([2; 32]),
        enrolment: None,
        scopes: BTreeMap::from([
            (Scope::Street, (Clock::default(), Completeness::Whole)),
            (grid.clone(), (held, Completeness::Whole)),
        ]),
        remembered: BTreeMap::new(),
    })
}

/// What `relay` sends to a device that lost the grid and holds `held` of it; what the device is asked to give.
fn meeting(at_relay: Clock, held: Clock) -> (Vec<u8>, BTreeSet<LogId>, bool) {
    let grid = Scope::Grid("1".into());
    let all = at_relay.clone();
    let (mut relay, mut device) = (session(false, &grid, at_relay), session(true, &grid, held));
    let (mut said, mut given, mut handed_over) = (Vec::new(), BTreeSet::new(), false);
    for _ in 0..100 {
        let mut moved = false;
        while let Some(output) = device.poll_output() {
            moved = true;
            match output {
                Output::Send(bytes) => relay.handle(Input::Received(&bytes)).expect("sound"),
                Output::Load { scope, log, end, .. } => {
                    assert_eq!(scope, grid);
                    given.insert(log);
                    let sending = Sending::Nothing;
                    device.handle(Input::Loaded { scope, log, end, sending }).expect("sound");
                }
                _ => {}
            }
        }
        while let Some(output) = relay.poll_output() {
            moved = true;
            match output {
                Output::Send(bytes) => {
                    said.extend_from_slice(&bytes);
                    device.handle(Input::Received(&bytes)).expect("sound");
                }
                Output::Admit { .. } => {
                    let (theirs, lost) = (BTreeSet::from([Scope::Street]), BTreeSet::from([grid.clone()]));
                    relay.handle(Input::Admitted { theirs, lost, due: true }).expect("sound");
                }
                Output::HandedOver => handed_over = true,
                Output::Locate { scope, theirs } => {
                    let mut both = theirs;
                    both.0.retain(|log, ends| all.ends_of(log).iter().any(|end| ends.contains(end)));
                    relay.handle(Input::Located { scope, both }).expect("sound");
                }
                Output::Load { log, .. } => panic!("the relay gives {log} of what was lost"),
                _ => {}
            }
        }
        if !moved {
            return (said, given, handed_over);
        }
    }
    panic!("they never come to rest");
}

#[test]
fn whoever_lost_a_scope_learns_of_no_log_that_it_does_not_hold() {
    for logs in [4_u8, 150] {
        // The device has most of them, one that the relay lacks, and lacks three.
        let lacked = logs..logs + 3;
        let unsent = 200;
        let at_relay = || clock(0..logs + 3);
        let (said, given, handed_over) = meeting(at_relay(), clock((0..logs).chain([unsent])));
        for number in lacked {
            let name = log(number).0;
            assert!(!said.windows(8).any(|part| part == name), "of {logs} logs, log {number} shows");
        }
        assert_eq!(given, BTreeSet::from([log(unsent)]), "{logs} logs");
        assert!(!handed_over, "its work is not here yet");
        // With nothing left to give it is done.
        let (said, given, handed_over) = meeting(at_relay(), clock(0..logs));
        assert!(!said.windows(8).any(|part| part == log(logs).0));
        assert!(given.is_empty() && handed_over, "{logs} logs: {given:?}");
    }
}

/// What the relay has of a log is longer, and another branch: length says nothing.
#[test]
fn a_branch_that_is_shorter_than_the_other_is_taken_all_the_same() {
    for logs in [4_u8, 150] {
        let forked = log(1);
        let mut at_relay = clock(0..logs);
        at_relay.set(forked, Extent { len: 9, head: [0xee; 4] }.into());
        let (_, given, handed_over) = meeting(at_relay, clock(0..logs));
        assert_eq!(given, BTreeSet::from([forked]), "{logs} logs");
        assert!(!handed_over, "its work is not here yet");
    }
}
