//! What this machine can do at best: the measure of every other row.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::documents::{Age, document};
use crate::measure::{DURABLE_APPEND, LOOPBACK, SAVED};
use crate::scenario::{Report, Scenario, Setting};
use crate::table::median;

/// What one durable append writes: a page.
const APPEND_BYTES: usize = 4_096;

/// Appends of which the median is taken.
const APPENDS: usize = 200;

/// The floor of this machine.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let carry =
        |age| Scenario { age: Some(age), ..Scenario::new("floor", "carry", &[LOOPBACK, SAVED], run_carry) };
    vec![Scenario::new("floor", "append", &[DURABLE_APPEND], run_append), carry(Age::Fresh), carry(Age::Aged)]
}

fn run_append(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let mut file = OpenOptions::new().create_new(true).append(true).open(folder.path().join("append"))?;
    let page = [0x5a; APPEND_BYTES];
    let mut times_ms = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let started = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    report.value(DURABLE_APPEND, median(&times_ms).context("no append")?)
}

fn run_carry(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let mut saved = Vec::new();
    for i in 0..setting.documents as u64 {
        saved.extend(document(i, setting.age)?.save());
    }
    report.bytes(SAVED, saved.len() as u64)?;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let sent_bytes = saved.len();
    let started = Instant::now();
    let sender = std::thread::spawn(move || TcpStream::connect(address)?.write_all(&saved));
    let mut received = Vec::with_capacity(sent_bytes);
    listener.accept()?.0.read_to_end(&mut received)?;
    let elapsed = started.elapsed();
    match sender.join() {
        Ok(outcome) => outcome?,
        Err(_) => bail!("the sender panicked"),
    }
    if received.len() != sent_bytes {
        bail!("{} of {sent_bytes} bytes arrived", received.len());
    }
    report.value(LOOPBACK, elapsed.as_secs_f64() * 1_000.0)
}
