//! The benchmark: Wangge, its peers and the floor of this machine, measured the same way.
//!
//! ```text
//! wangge-peers [--quick] [--only NAME] [--runs N] [--documents N] [--dir DIR] [--prepared DIR] [--json FILE]
//! ```
//!
//! Every run of every scenario is a process of its own, so that neither memory nor state leaks
//! from one into the next, and a run that hangs can be ended.

mod arguments;
mod bound;
mod child;
mod documents;
mod floor;
mod measure;
mod memory;
mod ratio;
mod samod_peer;
mod scenario;
mod table;
mod wangge;
mod wire;

use anyhow::Context;

use crate::arguments::Arguments;
use crate::scenario::{Report, Scenario, Size};
use crate::table::Table;

/// As in the programs `wangge` and `wangge-relay`, whose parts this one plays.
#[global_allocator]
static ALLOCATOR: wangge_node::memory::MiMalloc = wangge_node::memory::MiMalloc;

/// Everything that can be measured. A new system adds its scenarios here.
fn scenarios() -> Vec<Scenario> {
    let mut all = floor::scenarios();
    all.extend(samod_peer::scenarios());
    all.extend(wangge::scenarios());
    all
}

fn main() -> anyhow::Result<()> {
    wangge_node::memory::give_back_soon();
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    if let Some(part) = &arguments.part {
        return wangge::play(part, &arguments);
    }
    if let Some(id) = &arguments.prepare {
        return prepare_here(id, &arguments);
    }
    match &arguments.child {
        Some(id) => run_here(id, &arguments),
        None => run_all(arguments),
    }
}

fn find(id: &str) -> anyhow::Result<Scenario> {
    scenarios()
        .into_iter()
        .find(|scenario| scenario.id() == id)
        .with_context(|| format!("no scenario is called {id}"))
}

/// Runs one scenario once, in this process.
fn run_here(id: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let scenario = find(id)?;
    (scenario.run)(&scenario.setting(arguments), &mut Report)
}

/// Makes what one scenario needs, in this process.
fn prepare_here(id: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let scenario = find(id)?;
    let preparation = scenario.needs.context("nothing is to be prepared")?;
    let setting = scenario.setting(arguments);
    let dir = preparation.dir(&setting);
    let unfinished = dir.with_extension("unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    (preparation.run)(&setting, &unfinished)?;
    Ok(std::fs::rename(unfinished, dir)?)
}

/// Runs every scenario asked for, each run in a process of its own, and reports.
fn run_all(mut arguments: Arguments) -> anyhow::Result<()> {
    // Kept if the command line says where, for the next run.
    let folder = tempfile::tempdir_in(&arguments.dir)?;
    let prepared = arguments.prepared.get_or_insert_with(|| folder.path().to_owned());
    std::fs::create_dir_all(prepared)?;
    let mut table = Table::default();
    for scenario in scenarios() {
        let id = scenario.id();
        let is_asked_for = arguments.only.as_ref().is_none_or(|only| id.contains(only));
        if !is_asked_for || arguments.quick && scenario.size == Size::Tenfold {
            continue;
        }
        if let Some(preparation) = scenario.needs {
            eprintln!("{id}: preparing");
            if let Err(error) = child::prepare(preparation, &scenario, &arguments) {
                eprintln!("{id}: {error}");
            }
        }
        let processes = if scenario.repeats { 1 } else { arguments.runs };
        for run in 1..=processes {
            eprintln!("{id}: run {run} of {processes}");
            let outcome = child::run(&scenario, &arguments)?;
            if let Some(reason) = &outcome.failure {
                eprintln!("{id}: {reason}");
            }
            table.add(&scenario, scenario.setting(&arguments).documents, &outcome.values);
        }
    }
    for ratio in ratio::ALL {
        table.add_ratio(ratio);
    }
    print!("{table}");
    table.write_json(&arguments.json)?;
    eprintln!("written to {}", arguments.json.display());
    Ok(())
}
