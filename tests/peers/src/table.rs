//! The results: medians in a table for people, every value in JSON for programs.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::bound::Bound;
use crate::ratio::{Ratio, Side};
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
    /// What the median must keep.
    bound: Option<Bound>,
    /// Whether it does.
    kept: Option<bool>,
}

impl Row {
    fn new(name: String, system: &'static str, documents: usize, unit: &'static str) -> Self {
        let (values, median, unfinished, bound, kept) = (Vec::new(), None, 0, None, None);
        Self { name, system, documents, unit, values, median, unfinished, bound, kept }
    }

    fn settle(&mut self) {
        self.median = median(&self.values);
        self.kept = self.bound.map(|bound| self.median.is_some_and(|median| bound.is_kept_by(median)));
    }
}

impl Table {
    /// Adds what one run reported; measures that are missing did not finish.
    pub(crate) fn add(&mut self, scenario: &Scenario, documents: usize, values: &[Value]) {
        for measure in scenario.measures {
            let name = match scenario.age {
                Some(age) => format!("{age}, {}", measure.name),
                None => measure.name.into(),
            };
            let known = self.rows.iter().position(|row| {
                row.system == scenario.system && row.documents == documents && row.name == name
            });
            let at = known.unwrap_or_else(|| {
                self.rows.push(Row::new(name, scenario.system, documents, measure.unit));
                self.rows.len() - 1
            });
            let row = &mut self.rows[at];
            let before = row.values.len();
            row.values.extend(values.iter().filter(|v| v.measure == measure.name).map(|v| v.value));
            row.unfinished += usize::from(row.values.len() == before);
            row.bound =
                scenario.bounds.iter().find(|(bounded, _)| bounded == measure).map(|(_, bound)| *bound);
            row.settle();
        }
    }

    /// Adds the quotient of two medians, if both are known.
    pub(crate) fn add_ratio(&mut self, ratio: &Ratio) {
        let village = self.rows.iter().filter(|row| row.system == "wangge").map(|row| row.documents).min();
        let Some(village) = village else { return };
        let median = |side: &Side| {
            let documents = village * if side.tenfold { 10 } else { 1 };
            let is_it =
                |row: &&Row| row.system == side.system && row.name == side.name && row.documents == documents;
            self.rows.iter().find(is_it)?.median
        };
        let (Some(of), Some(to)) = (median(&ratio.of), median(&ratio.to)) else { return };
        let mut row = Row::new(ratio.name.into(), "wangge", village, "times");
        row.values.push(of / to);
        row.bound = Some(ratio.bound);
        row.settle();
        self.rows.push(row);
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
            "{:<48} {:<8} {:>9} {:>14} {:<14} {:<11} {:<5} least to most",
            "measure", "system", "documents", "median", "unit", "bound", ""
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
        write!(f, "{:<48} {:<8} {:>9} ", self.name, self.system, self.documents)?;
        let Some(median) = self.median else {
            let bound = self.bound.map_or_else(String::new, |bound| format!("{:15}{bound:<11} FAIL", ""));
            return write!(f, "{:>14} {bound}", "did not finish");
        };
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let places = if self.unit == "B" { 0 } else { 2 };
        let bound = self.bound.map_or_else(String::new, |bound| bound.to_string());
        let verdict = match self.kept {
            Some(true) => "pass",
            Some(false) => "FAIL",
            None => "",
        };
        write!(f, "{median:>14.places$} {:<14} {bound:<11} {verdict:<5} ", self.unit)?;
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
