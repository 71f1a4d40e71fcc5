//! Writes a ledger of invented residents or places.
//!
//! ```text
//! cargo run -p wangge-ledger --example sample_ledger -- residents out.xlsx 1500 7 --flaws --units divisions.csv
//! cargo run -p wangge-ledger --example sample_ledger -- places out.xlsx 120 7 中心社区 镇北社区
//! ```

use std::process::ExitCode;
use std::{env, fs};

use wangge_ledger::sample::{Summary, write_places, write_residents};

const USAGE: &str = "sample_ledger residents|places FILE ROWS SEED [--flaws] (--units CSV | UNIT...)
  CSV has a heading line and lines `code,name`.";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args) {
        Ok(summary) => {
            println!(
                "{} rows, {} distinct, {} flawed",
                summary.rows,
                summary.distinct,
                summary.refused.len()
            );
            for (row, code) in &summary.refused {
                println!("  row {row}: {code}");
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<Summary, String> {
    let [kind, file, rows, seed, rest @ ..] = args else {
        return Err(USAGE.to_owned());
    };
    let rows = rows.parse().map_err(|error| format!("ROWS {rows:?}: {error}"))?;
    let seed = seed.parse().map_err(|error| format!("SEED {seed:?}: {error}"))?;
    let mut flaws = false;
    let mut units = Vec::new();
    let mut rest = rest.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--flaws" => flaws = true,
            "--units" => units.extend(unit_names(rest.next().ok_or(USAGE)?)?),
            unit => units.push(unit.to_owned()),
        }
    }
    let summary = match kind.as_str() {
        "residents" => write_residents(file, &units, rows, seed, flaws),
        "places" => write_places(file, &units, rows, seed, flaws),
        _ => return Err(USAGE.to_owned()),
    };
    summary.map_err(|error| error.to_string())
}

/// The second field of each line below the heading.
fn unit_names(path: &str) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(1))
        .map(|name| name.trim().trim_matches('"').to_owned())
        .filter(|name| !name.is_empty())
        .collect())
}
