//! The benchmark: Wangge's peers and the floor of this machine, measured the same way.
//!
//! ```text
//! wangge-peers [--quick] [--only NAME] [--runs N] [--documents N] [--dir DIR] [--json FILE]
//! ```
//!
//! Every run of every scenario is a process of its own, so that neither memory nor state leaks
//! from one into the next, and a run that hangs can be ended.

mod arguments;
mod child;
mod documents;
mod floor;
mod measure;
mod memory;
mod samod_peer;
mod scenario;
mod table;
mod wire;

use anyhow::Context;

use crate::arguments::Arguments;
use crate::documents::Age;
use crate::scenario::{Report, Scenario};
use crate::table::Table;

/// Everything that can be measured. A new system adds its scenarios here.
fn scenarios() -> Vec<Scenario> {
    let mut all = floor::scenarios();
    all.extend(samod_peer::scenarios());
    all
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    match &arguments.child {
        Some(id) => run_here(id, &arguments),
        None => run_all(&arguments),
    }
}

/// Runs one scenario once, in this process.
fn run_here(id: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let scenario = scenarios()
        .into_iter()
        .find(|scenario| scenario.id() == id)
        .with_context(|| format!("no scenario is called {id}"))?;
    (scenario.run)(&arguments.setting(scenario.age.unwrap_or(Age::Fresh)), &mut Report)
}

/// Runs every scenario asked for, each run in a process of its own, and reports.
fn run_all(arguments: &Arguments) -> anyhow::Result<()> {
    let mut table = Table::default();
    for scenario in scenarios() {
        let id = scenario.id();
        if arguments.only.as_ref().is_some_and(|only| !id.contains(only)) {
            continue;
        }
        for run in 1..=arguments.runs {
            eprintln!("{id}: run {run} of {}", arguments.runs);
            let outcome = child::run(&id, arguments)?;
            if let Some(reason) = &outcome.failure {
                eprintln!("{id}: {reason}");
            }
            table.add(&scenario, arguments.documents, &outcome.values);
        }
    }
    print!("{table}");
    table.write_json(&arguments.json)?;
    eprintln!("written to {}", arguments.json.display());
    Ok(())
}
