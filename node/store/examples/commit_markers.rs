//! Commits batches and writes a line to standard output whenever one is reported durable. The
//! test `durability` runs it under strace and compares the order of the system calls.
//!
//! `commit_markers DIRECTORY COMMITS in-turn|queued`

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use wangge_store::{Batch, Options, Store, StoreError};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: commit_markers DIRECTORY COMMITS in-turn|queued";
    let dir = PathBuf::from(args.next().ok_or(usage)?);
    let commits: usize = args.next().ok_or(usage)?.parse()?;
    let queued = match args.next().ok_or(usage)?.as_str() {
        "in-turn" => false,
        "queued" => true,
        _ => return Err(usage.into()),
    };
    let store = Store::open(&dir, Options::default())?;
    for i in 0..commits {
        // Every third value is long enough to be split and to cross into new segments.
        let len_bytes = if i % 3 == 0 { 60_000 } else { 100 };
        let mut batch = Batch::default();
        batch.put(format!("key/{i:06}"), vec![i as u8; len_bytes]);
        if i % 2 == 0 && !queued {
            mark(i, store.commit(batch))?;
        } else {
            store.commit_then(batch, move |result| {
                mark(i, result).expect("a queued commit failed");
            });
        }
    }
    store.close();
    Ok(())
}

fn mark(commit: usize, result: Result<(), StoreError>) -> Result<(), Box<dyn Error>> {
    result?;
    // One write call: standard output keeps a line together.
    io::stdout().write_all(format!("durable {commit}\n").as_bytes())?;
    Ok(())
}
