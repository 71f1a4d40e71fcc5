//! Samples hold what they claim, and the office's own sample reads as it must.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use common::{Folder, refusals};
use wangge_ledger::{LedgerError, read_places, read_residents, sample};

/// Names the directory of a sample with its known outcome; the comparison runs only if set.
const SAMPLE_DATA: &str = "WANGGE_SAMPLE_DATA";

fn units() -> Vec<String> {
    ["中心社区", "镇北社区"].map(str::to_owned).to_vec()
}

#[test]
fn a_flawed_sample_of_residents_is_read_as_it_was_written() {
    let folder = Folder::new();
    let path = folder.path("residents.xlsx");
    let summary = sample::write_residents(&path, &units(), 2000, 3, true).unwrap();
    let ledger = read_residents(&path).unwrap();
    let codes: BTreeSet<&str> = summary.refused.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes.len(), 4, "every flaw occurs: {codes:?}");
    assert_eq!(refusals(&ledger), summary.refused);
    assert_eq!(ledger.rows, summary.rows);
    let people: BTreeSet<&str> = ledger.accepted.iter().map(|(_, row)| row.id_number.as_str()).collect();
    assert_eq!(people.len(), summary.distinct as usize);
    assert!(people.len() < ledger.accepted.len(), "some stand there twice");
    assert!(people.iter().all(|number| number.starts_with("990101")));
}

#[test]
fn a_flawed_sample_of_places_is_read_as_it_was_written() {
    let folder = Folder::new();
    let path = folder.path("places.xlsx");
    let summary = sample::write_places(&path, &units(), 800, 3, true).unwrap();
    let ledger = read_places(&path).unwrap();
    assert!(!summary.refused.is_empty());
    assert_eq!(refusals(&ledger), summary.refused);
    let places: BTreeSet<String> = ledger.accepted.iter().map(|(_, row)| row.identity()).collect();
    assert_eq!(places.len(), summary.distinct as usize);
    assert_eq!(ledger.warnings, []);
}

#[test]
fn a_sample_without_flaws_has_none_and_follows_its_seed() {
    let folder = Folder::new();
    let write = |name: &str, seed| {
        let path = folder.path(name);
        let summary = sample::write_residents(&path, &units(), 100, seed, false).unwrap();
        assert_eq!((summary.rows, summary.distinct), (100, 100));
        let ledger = read_residents(&path).unwrap();
        assert_eq!((ledger.refused.len(), ledger.warnings.len()), (0, 0));
        ledger.accepted
    };
    let first = write("a.xlsx", 1);
    assert_eq!(write("b.xlsx", 1), first);
    assert_ne!(write("c.xlsx", 2), first);
    let named: BTreeSet<&str> = first.iter().map(|(_, row)| row.unit_name.as_str()).collect();
    assert_eq!(named, BTreeSet::from(["中心社区", "镇北社区"]));
}

#[test]
fn a_sample_needs_a_unit() {
    let folder = Folder::new();
    let error = sample::write_places(folder.path("p.xlsx"), &[], 1, 1, false).unwrap_err();
    assert!(matches!(error, LedgerError::NoUnits), "{error:?}");
}

#[test]
fn the_offices_sample_reads_exactly_as_its_truth_says() {
    let Some(folder) = std::env::var_os(SAMPLE_DATA).map(PathBuf::from) else {
        eprintln!("{SAMPLE_DATA} is not set: nothing compared");
        return;
    };
    let truth = fs::read_to_string(folder.join("truth.json")).unwrap();
    let (residents, places) = truth.split_once("\"places\"").unwrap();

    let ledger = read_residents(folder.join("residents.xlsx")).unwrap();
    assert_eq!(ledger.rows, number_after(residents, "rows"));
    assert_eq!(owned(&refusals(&ledger)), refused_in(residents));
    let people: BTreeSet<&str> = ledger.accepted.iter().map(|(_, row)| row.id_number.as_str()).collect();
    assert_eq!(people.len() as u32, number_after(residents, "distinct_people"));
    assert_eq!(ledger.warnings, []);
    assert!(ledger.accepted.iter().all(|(_, row)| row.registered_on.is_some()));

    let ledger = read_places(folder.join("places.xlsx")).unwrap();
    assert_eq!(ledger.rows, number_after(places, "rows"));
    assert_eq!(owned(&refusals(&ledger)), refused_in(places));
    let names: BTreeSet<String> = ledger.accepted.iter().map(|(_, row)| row.identity()).collect();
    assert_eq!(names.len() as u32, number_after(places, "distinct_places"));
    assert_eq!(ledger.warnings, []);
}

fn owned(refusals: &[(u32, &str)]) -> Vec<(u32, String)> {
    let pairs = refusals.iter();
    pairs.map(|(row, code)| (*row, (*code).to_owned())).collect()
}

/// The rows and codes of `{"sheet_row": 5, "why": "id-length"}`, in order.
fn refused_in(json: &str) -> Vec<(u32, String)> {
    let rows = json.split("\"sheet_row\"").skip(1);
    let refused: Vec<_> = rows
        .map(|entry| {
            let why = entry.split('"').nth(3).expect("a code").to_owned();
            (leading_number(entry), why)
        })
        .collect();
    assert!(!refused.is_empty(), "the truth names refused rows");
    refused
}

fn number_after(json: &str, key: &str) -> u32 {
    let (_, rest) = json.split_once(&format!("\"{key}\"")).expect(key);
    leading_number(rest)
}

fn leading_number(text: &str) -> u32 {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().expect("a number")
}
