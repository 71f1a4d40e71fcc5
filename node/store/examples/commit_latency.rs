//! Compares a commit with the least that durability can cost: appending 4 KB to a file and
//! fdatasync. Both take turns in the same directory, so that they meet the same disk.
//!
//! `cargo run --release -p wangge-store --example commit_latency -- DIRECTORY [COMMITS]`

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use wangge_store::{Batch, Options, Store};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().ok_or("usage: commit_latency DIRECTORY [COMMITS]")?);
    let commits: u64 = args.next().map_or(Ok(1_000), |n| n.parse())?;
    let store = Store::open(&dir.join("store"), Options::default())?;
    let mut file = File::create(dir.join("append"))?;

    let mut appends = Vec::new();
    let mut one_by_one = Vec::new();
    for i in 0..commits {
        let began = Instant::now();
        file.write_all(&[i as u8; 4096])?;
        file.sync_data()?;
        appends.push(began.elapsed());

        let began = Instant::now();
        store.commit(small_batch(i))?;
        one_by_one.push(began.elapsed());
    }
    let (append, commit) = (median(&mut appends), median(&mut one_by_one));
    println!("4 KB append + fdatasync  median {append:?}");
    println!("commit of one batch      median {commit:?}");
    println!("ratio                    {:.2}", commit.as_secs_f64() / append.as_secs_f64());

    let threads = 8;
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let store = &store;
            scope.spawn(move || {
                for i in 0..commits {
                    store.commit(small_batch((thread + 1) * 1_000_000 + i)).expect("a commit failed");
                }
            });
        }
    });
    rate("8 blocking threads      ", threads * commits, began.elapsed());

    let queued = commits * 20;
    let began = Instant::now();
    let (done, results) = mpsc::channel();
    for i in 0..queued {
        let done = done.clone();
        store.commit_then(small_batch(100_000_000 + i), move |result| {
            let _ = done.send(result);
        });
    }
    for result in results.iter().take(queued as usize) {
        result?;
    }
    rate("queued at once          ", queued, began.elapsed());
    Ok(())
}

/// Two entries of about 100 bytes, one of them overwritten by every commit.
fn small_batch(i: u64) -> Batch {
    let mut batch = Batch::default();
    batch.put(format!("log/{i:012}"), vec![i as u8; 100]);
    batch.put("log/tip", i.to_be_bytes());
    batch
}

fn median(samples: &mut [Duration]) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn rate(what: &str, commits: u64, took: Duration) {
    println!("{what} {:.0} commits/s", commits as f64 / took.as_secs_f64());
}
