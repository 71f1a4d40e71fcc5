//! Kill -9 of real processes at random moments: what was reported as saved is there, what was
//! acknowledged as at the centre is at the relay, and syncing again converges.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::process::{Programs, text};
use crate::street::number;

const DIVISIONS: &str = "code,name\n330881121200,溪淤村委会\n330881121201,友爱村委会\n";
const GRID: &str = "grid:330881121200";

/// What was tried, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rounds: two devices, each of which saves twice and syncs.
    pub rounds: u32,
    /// Processes that were killed while they saved.
    pub killed_saving: u32,
    /// Devices and relays that were killed while they synced.
    pub killed_syncing: u32,
    /// Records that were reported as saved. All of them were found at the end, here and elsewhere.
    pub saved: usize,
    /// Of them, those that were shown as at the centre before the last sync.
    pub at_centre: usize,
}

/// What a device was told is saved: (ID number, note).
type Saved = Vec<(String, String)>;

struct Device {
    dir: PathBuf,
    saved: Saved,
}

fn check_saved(programs: &Programs, device: &Device, at_centre: &mut Vec<(String, String)>) {
    for (number, note) in &device.saved {
        let shown = programs.json("wangge", ["person", "show", "--dir", text(&device.dir), number]);
        assert_eq!(shown["fields"]["note"]["value"], note.as_str(), "{shown}");
        if shown["delivery"] == "centre" {
            at_centre.push((number.clone(), note.clone()));
        }
    }
}

fn digests(programs: &Programs, program: &str, dir: &Path) -> Vec<String> {
    programs.run(program, ["digest", "--dir", text(dir)]).lines().map(str::to_owned).collect()
}

/// Kills processes at random moments, `rounds` times over, and panics if anything is lost.
pub fn run(programs: &Programs, seed: u64, rounds: u32, mut progress: impl FnMut(u32)) -> Counts {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir().expect("dir");
    let street = dir.path().join("relay");
    programs.found(&street, DIVISIONS);
    let mut relay = programs.serve(&street, "127.0.0.1:0");
    let addr = relay.addr.clone();
    let mut devices: Vec<Device> = ["ana", "ben"]
        .iter()
        .map(|name| {
            let line = programs.invite(&street, name, "grid-worker", GRID);
            let at = dir.path().join(name);
            programs.run("wangge", ["join", "--dir", text(&at), &line]);
            Device { dir: at, saved: Vec::new() }
        })
        .collect();
    let (mut order, mut killed_saving, mut killed_syncing) = (0, 0, 0);
    for round in 0..rounds {
        progress(round);
        for device in &mut devices {
            let dir = text(&device.dir).to_owned();
            for _ in 0..2 {
                order += 1;
                let (number, note) = (number(order), format!("记{order}"));
                let (id, written) = (format!("id_number={number}"), format!("note={note}"));
                let args = ["person", "add", "--dir", &dir, &id, "name=张三", &written, "--json"];
                let mut child = programs
                    .command("wangge", args)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("starts");
                // Some are killed somewhere on the way; the others run to their end.
                let kill = rng.next_u32().is_multiple_of(3);
                if kill {
                    std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % 120_000)));
                    let _ = child.kill();
                }
                let output = child.wait_with_output().expect("ends");
                if output.status.success() {
                    device.saved.push((number, note));
                } else {
                    assert!(kill, "{}", String::from_utf8_lossy(&output.stderr));
                    killed_saving += 1;
                }
            }
            let mut sync = programs
                .command("wangge", ["sync", "--dir", &dir, "--timeout", "20"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("starts");
            match rng.next_u32() % 3 {
                0 => {
                    std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % 150_000)));
                    let _ = sync.kill();
                    let _ = sync.wait();
                    killed_syncing += 1;
                }
                1 => {
                    std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % 150_000)));
                    relay.kill();
                    let _ = sync.kill();
                    let _ = sync.wait();
                    relay = programs.serve(&street, &addr);
                    killed_syncing += 1;
                }
                _ => {
                    let _ = sync.wait();
                }
            }
        }
    }
    // What the devices believe to be at the centre is at the relay: a third device sees it.
    let mut at_centre = Vec::new();
    for device in &devices {
        check_saved(programs, device, &mut at_centre);
    }
    relay.kill();
    relay = programs.serve(&street, &addr);
    let line = programs.invite(&street, "核对", "grid-leader", GRID);
    let third = dir.path().join("third");
    programs.run("wangge", ["join", "--dir", text(&third), &line]);
    programs.run("wangge", ["sync", "--dir", text(&third)]);
    for (number, note) in &at_centre {
        let shown = programs.json("wangge", ["person", "show", "--dir", text(&third), number]);
        assert_eq!(shown["fields"]["note"]["value"], note.as_str(), "said to be at the centre: {shown}");
    }
    // Everything converges.
    for _ in 0..2 {
        for device in &devices {
            programs.run("wangge", ["sync", "--dir", text(&device.dir)]);
        }
    }
    programs.run("wangge", ["sync", "--dir", text(&third)]);
    let centre = digests(programs, "wangge-relay", &street);
    for at in devices.iter().map(|device| &device.dir).chain([&third]) {
        for line in digests(programs, "wangge", at) {
            assert!(centre.contains(&line), "{line} is not at the relay: {centre:#?}");
        }
    }
    for device in &devices {
        for (number, note) in &device.saved {
            let shown = programs.json("wangge", ["person", "show", "--dir", text(&third), number]);
            assert_eq!(shown["fields"]["note"]["value"], note.as_str(), "{shown}");
        }
    }
    relay.kill();
    let saved = devices.iter().map(|device| device.saved.len()).sum();
    Counts { rounds, killed_saving, killed_syncing, saved, at_centre: at_centre.len() }
}
