//! A street of real processes over bad links, with random kills, for as long as one wants: replicas that save
//! and sync, a relay, a link in between that delays, loses, doubles and reorders. At the end all of them hold
//! the same, and none has grown.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use wangge_link::{Link, LinkConfig};
use wangge_tests::process::{Programs, RelayProcess, as_program, text};
use wangge_tests::street::number;

const DIVISIONS: &str = "code,name\n330881121200,溪淤村委会\n330881121201,友爱村委会\n";
const GRIDS: [&str; 2] = ["grid:330881121200", "grid:330881121201"];
/// How long all of them may take to agree at the end.
const AGREE_S_MAX: u64 = 300;
/// What memory may grow by between the first fifth and the end, beside a share of what it was.
const SLACK_BYTES: u64 = 24 * 1024 * 1024;

#[derive(Debug, Parser)]
#[command(name = "soak", about = "Real processes over bad links, with random kills")]
struct Arguments {
    /// How long, in minutes.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// How many devices.
    #[arg(long, default_value_t = 40)]
    replicas: usize,
    /// Begins all chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Mean time between two actions of the street, in milliseconds.
    #[arg(long, default_value_t = 500)]
    pause_ms: u64,
}

struct Device {
    dir: PathBuf,
    daemon: Option<Child>,
    /// What it was told is saved: ID number and note.
    saved: BTreeMap<String, String>,
}

impl Device {
    fn start(&mut self, programs: &Programs) {
        let mut command = programs.command("wangge", ["run", "--dir", text(&self.dir)]);
        // What it says is evidence if it falls behind.
        let log = self.dir.with_extension("log");
        let log = std::fs::File::options().create(true).append(true).open(log).expect("opens");
        command.env("RUST_LOG", "wangge_node=debug");
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("starts");
        self.daemon = Some(child);
    }

    fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Resident memory of a process, in bytes (`VmRSS`, proc(5)).
fn memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn bad_link(seed: u64) -> LinkConfig {
    LinkConfig { rtt_ms: 80, loss: 0.03, reorder: 0.01, duplicate: 0.01, seed, ..LinkConfig::default() }
}

fn main() -> ExitCode {
    if let Some(code) = as_program(std::env::args_os().skip(1)) {
        return code;
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(soak(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("FAILED: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The relay and the link to it. The link stays when the relay dies: it keeps its address.
struct Centre {
    dir: PathBuf,
    relay: Option<RelayProcess>,
    addr: SocketAddr,
}

impl Centre {
    fn restart(&mut self, programs: &Programs) {
        self.relay = None;
        self.relay = Some(programs.serve(&self.dir, &self.addr.to_string()));
    }

    fn memory_bytes(&self) -> u64 {
        self.relay.as_ref().and_then(|relay| memory_bytes(relay.id())).unwrap_or(0)
    }
}

#[derive(Default)]
struct Tally {
    saved: u32,
    refused: u32,
    device_kills: u32,
    relay_kills: u32,
    cuts: u32,
}

async fn soak(arguments: &Arguments) -> Result<(), String> {
    let programs = Programs::this();
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    let dir = scratch.path().join("relay");
    programs.found(&dir, DIVISIONS);
    let relay = programs.serve(&dir, "127.0.0.1:0");
    let addr: SocketAddr = relay.addr.parse().map_err(|_| "no address".to_owned())?;
    let link = Link::start(addr, LinkConfig::default()).await.map_err(|error| error.to_string())?;
    let mut centre = Centre { dir, relay: Some(relay), addr };
    eprintln!("{} devices join through the link", arguments.replicas);
    let mut devices = Vec::new();
    for at in 0..arguments.replicas {
        devices.push(join(&programs, &centre.dir, &scratch.path().join(format!("d{at}")), at, link.addr()));
    }
    for device in &mut devices {
        device.start(&programs);
    }
    link.set(bad_link(arguments.seed));

    let started = Instant::now();
    let whole = Duration::from_secs_f64(arguments.minutes * 60.0);
    let mut tally = Tally::default();
    let mut samples: Vec<(f64, u64, u64)> = Vec::new();
    let mut order = 0;
    let mut told = Instant::now();
    let mut sampled = Instant::now();
    while started.elapsed() < whole {
        let at = rng.next_u32() as usize % devices.len();
        match rng.next_u32() % 100 {
            0..2 => {
                tally.relay_kills += 1;
                centre.restart(&programs);
            }
            2..10 => {
                tally.device_kills += 1;
                devices[at].kill();
                devices[at].start(&programs);
            }
            10..14 => {
                tally.cuts += 1;
                link.cut();
                tokio::time::sleep(Duration::from_millis(u64::from(rng.next_u32() % 3_000))).await;
                link.heal();
                if rng.next_u32().is_multiple_of(2) {
                    link.rebind();
                }
            }
            _ => {
                // Old records are edited as often as new ones are made.
                let old = devices[at].saved.keys().nth(rng.next_u32() as usize % 8).cloned();
                let old = old.filter(|_| rng.next_u32().is_multiple_of(2));
                let note = format!("记{order}");
                order += 1;
                let is_new = old.is_none();
                let id = old.unwrap_or_else(|| number(order));
                match save(&programs, &devices[at].dir, &id, &note, is_new) {
                    true => {
                        tally.saved += 1;
                        devices[at].saved.insert(id, note);
                    }
                    // Its daemon is starting just now.
                    false => tally.refused += 1,
                }
            }
        }
        if sampled.elapsed() >= Duration::from_secs(5) {
            sampled = Instant::now();
            let rss = devices.iter().filter_map(|device| memory_bytes(device.daemon.as_ref()?.id()));
            let largest = rss.max().unwrap_or(0);
            samples.push((started.elapsed().as_secs_f64(), centre.memory_bytes(), largest));
        }
        if told.elapsed() >= Duration::from_secs(30) {
            told = Instant::now();
            let (_, relay, device) = samples.last().copied().unwrap_or_default();
            eprintln!(
                "{:>5} s: {} saved, {} refused, kills {} + {}, {} cuts; relay {} MB, largest device {} MB",
                started.elapsed().as_secs(),
                tally.saved,
                tally.refused,
                tally.device_kills,
                tally.relay_kills,
                tally.cuts,
                relay >> 20,
                device >> 20,
            );
        }
        let pause = rng.next_u64() % (2 * arguments.pause_ms.max(1));
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    // What is compared is what they hold, not how long a bad line takes.
    link.set(LinkConfig::default());
    let healed = Instant::now();
    if let Err(apart) = agree(&programs, &centre, &devices).await {
        // What they hold is the evidence.
        return Err(format!("{apart}\nkept: {}", scratch.keep().display()));
    }
    let agreed = healed.elapsed();
    let checked = check_saved(&programs, &devices)?;
    println!(
        "{} devices, {:.1} minutes, seed {}: {} saves ({} refused), {} devices and {} relays killed, {} cuts of the link",
        devices.len(),
        started.elapsed().as_secs_f64() / 60.0,
        arguments.seed,
        tally.saved,
        tally.refused,
        tally.device_kills,
        tally.relay_kills,
        tally.cuts,
    );
    println!("digests equal {} s after the link was good again", agreed.as_secs());
    println!("{checked} records that were reported as saved are there");
    println!("{:?}", link.stats());
    flat(&samples)
}

fn join(programs: &Programs, relay: &Path, dir: &Path, at: usize, through: SocketAddr) -> Device {
    let name = format!("工{at}");
    let line = programs.run(
        "wangge-relay",
        [
            "invite",
            "--dir",
            text(relay),
            "--worker",
            &name,
            "--role",
            "grid-worker",
            "--unit",
            GRIDS[at % GRIDS.len()],
            "--address",
            &through.to_string(),
        ],
    );
    programs.run("wangge", ["join", "--dir", text(dir), &line]);
    Device { dir: dir.to_owned(), daemon: None, saved: BTreeMap::new() }
}

fn save(programs: &Programs, dir: &Path, id: &str, note: &str, is_new: bool) -> bool {
    let (dir, written) = (text(dir), format!("note={note}"));
    let number = format!("id_number={id}");
    let args = if is_new {
        vec!["person", "add", "--dir", dir, &number, "name=张三", &written, "--anyway"]
    } else {
        vec!["person", "set", "--dir", dir, id, &written]
    };
    programs.output("wangge", args).status.success()
}

/// Waits until every device holds what the relay holds.
async fn agree(programs: &Programs, centre: &Centre, devices: &[Device]) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(AGREE_S_MAX);
    loop {
        let at_centre = lines(programs, "wangge-relay", &centre.dir);
        let mut apart = Vec::new();
        for device in devices {
            for line in lines(programs, "wangge", &device.dir) {
                if !at_centre.contains(&line) {
                    apart.push(format!("{}: {line}", device.dir.display()));
                }
            }
        }
        if apart.is_empty() && !at_centre.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let (apart, centre) = (apart.join("\n"), at_centre.join("\n"));
            return Err(format!(
                "they do not agree after {AGREE_S_MAX} s:\n{apart}\nthe centre has\n{centre}"
            ));
        }
        eprintln!("{} scopes differ yet", apart.len());
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

fn lines(programs: &Programs, program: &str, dir: &Path) -> Vec<String> {
    let output = programs.output(program, ["digest", "--dir", text(dir)]);
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Every record that a device was told is saved is on that device.
fn check_saved(programs: &Programs, devices: &[Device]) -> Result<usize, String> {
    let mut checked = 0;
    for device in devices {
        for (id, note) in &device.saved {
            let shown = programs.json("wangge", ["person", "show", "--dir", text(&device.dir), id]);
            if shown["fields"]["note"]["value"] != note.as_str() {
                return Err(format!("{id} on {} should say {note}: {shown}", device.dir.display()));
            }
            checked += 1;
        }
    }
    Ok(checked)
}

/// Compares memory in the second fifth of the time with the last fifth, by medians: kills start processes anew.
fn flat(samples: &[(f64, u64, u64)]) -> Result<(), String> {
    let fifth = samples.len() / 5;
    if fifth == 0 {
        println!("too short to speak of memory");
        return Ok(());
    }
    let median = |part: &[(f64, u64, u64)], of: fn(&(f64, u64, u64)) -> u64| {
        let mut values: Vec<u64> = part.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let (early, late) = (&samples[fifth..2 * fifth], &samples[samples.len() - fifth..]);
    let mut grown = Vec::new();
    for (what, of) in
        [("relay", (|sample| sample.1) as fn(&(f64, u64, u64)) -> u64), ("largest device", |sample| sample.2)]
    {
        let (before, after) = (median(early, of), median(late, of));
        println!("memory of the {what}: {} MB early, {} MB at the end", before >> 20, after >> 20);
        if after > before + before / 4 + SLACK_BYTES {
            grown.push(what);
        }
    }
    if grown.is_empty() { Ok(()) } else { Err(format!("memory grew: {}", grown.join(", "))) }
}
