//! The sample ledgers are what `truth.json` says.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wangge_ledger::{Ledger, read_places, read_residents};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample").join(name)
}

#[track_caller]
fn check<R>(ledger: &Ledger<R>, key: impl Fn(&R) -> String, truth: &Value) {
    let mut distinct: Vec<String> = ledger.accepted.iter().map(|(_, row)| key(row)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let refused: Vec<Value> = ledger.refused.iter().map(|r| json!([r.row, r.code])).collect();
    let rows = ledger.rows;
    let found = json!({ "rows": rows, "distinct": distinct.len(), "refused": refused });
    assert_eq!(found, *truth);
}

#[test]
fn the_sample_ledgers_hold_what_the_truth_says() {
    let truth = std::fs::read_to_string(sample("truth.json")).expect("reads");
    let truth: Value = serde_json::from_str(&truth).expect("is JSON");
    let residents = read_residents(sample("residents.xlsx")).expect("reads");
    check(&residents, |row| row.id_number.clone(), &truth["residents"]);
    assert!(residents.accepted.iter().all(|(_, row)| row.id_number.starts_with("990101")), "somebody real?");
    let places = read_places(sample("places.xlsx")).expect("reads");
    check(&places, |row| row.name.clone(), &truth["places"]);
}
