//! The results: medians in a table for people, every value in JSON for programs.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::scenario::{Scenario, Value};

/// All rows, in the order in which they were first added.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// One measure of one system.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    system: &'static str,
    documents: usize,
    unit: &'static str,
    values: Vec<f64>,
    median: Option<f64>,
    /// Runs that did not get as far as this measure.
    unfinished: usize,
}

impl Table {
    /// Adds what one run reported; measures that are missing did not finish.
    pub(crate) fn add(&mut self, scenario: &Scenario, documents: usize, values: &[Value]) {
        for measure in scenario.measures {
            let name = match scenario.age {
                Some(age) => format!("{age}, {}", measure.name),
                None => measure.name.into(),
            };
            let known = self.rows.iter().position(|row| row.system == scenario.system && row.name == name);
            let at = known.unwrap_or_else(|| {
                self.rows.push(Row {
                    name,
                    system: scenario.system,
                    documents,
                    unit: measure.unit,
                    values: Vec::new(),
                    median: None,
                    unfinished: 0,
                });
                self.rows.len() - 1
            });
            let row = &mut self.rows[at];
            match values.iter().find(|value| value.measure == measure.name) {
                Some(value) => row.values.push(value.value),
                None => row.unfinished += 1,
            }
            row.median = median(&row.values);
        }
    }

    /// Writes every row with all of its values.
    pub(crate) fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_string_pretty(&self.rows)?;
        fs::write(path, json + "\n").with_context(|| path.display().to_string())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<42} {:<8} {:>9} {:>14} {:<11}  least to most",
            "measure", "system", "documents", "median", "unit"
        )?;
        // Stable: systems stand side by side under each measure, in the order of the first.
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.name.as_str()) {
                names.push(&row.name);
            }
        }
        for name in names {
            for row in self.rows.iter().filter(|row| row.name == name) {
                writeln!(f, "{row}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<42} {:<8} {:>9} ", self.name, self.system, self.documents)?;
        let Some(median) = self.median else {
            return write!(f, "{:>14}", "did not finish");
        };
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let places = if self.unit == "B" { 0 } else { 2 };
        write!(f, "{median:>14.places$} {:<11}  ", self.unit)?;
        write!(f, "{least:.places$} to {most:.places$}")?;
        if self.unfinished > 0 {
            write!(f, " ({} did not finish)", self.unfinished)?;
        }
        Ok(())
    }
}

/// The middle value, or the mean of the two middle ones.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
