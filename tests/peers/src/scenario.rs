//! What a scenario is: one run of one system that reports some measures.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::documents::Age;
use crate::measure::Measure;

/// One run of one system.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Whose rows these are.
    pub(crate) system: &'static str,
    /// What is done.
    pub(crate) name: &'static str,
    /// To which kind of documents, if that makes a difference.
    pub(crate) age: Option<Age>,
    /// What a run reports if it finishes.
    pub(crate) measures: &'static [Measure],
    /// Does it once, reporting each measure as soon as it is known.
    pub(crate) run: fn(&Setting, &mut Report) -> anyhow::Result<()>,
}

impl Scenario {
    /// How the command line calls it.
    pub(crate) fn id(&self) -> String {
        match self.age {
            Some(age) => format!("{}/{}/{age}", self.system, self.name),
            None => format!("{}/{}", self.system, self.name),
        }
    }
}

/// What a scenario is run with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// How many documents there are.
    pub(crate) documents: usize,
    /// Which kind they are.
    pub(crate) age: Age,
    /// Where storage goes.
    pub(crate) dir: PathBuf,
}

/// Where a run reports, one line of JSON per value, so that a run which hangs later has still
/// reported what it finished.
#[derive(Debug)]
pub(crate) struct Report;

/// A line of a report.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Value {
    /// The name of the measure.
    pub(crate) measure: String,
    /// In the measure's unit.
    pub(crate) value: f64,
}

impl Report {
    /// Reports a number.
    pub(crate) fn value(&mut self, measure: Measure, value: f64) -> anyhow::Result<()> {
        let line = Value { measure: measure.name.into(), value };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
        Ok(out.flush()?)
    }

    /// Reports a number of bytes.
    pub(crate) fn bytes(&mut self, measure: Measure, bytes: u64) -> anyhow::Result<()> {
        self.value(measure, bytes as f64)
    }

    /// Reports a time in seconds.
    pub(crate) fn time(&mut self, measure: Measure, time: Duration) -> anyhow::Result<()> {
        self.value(measure, time.as_secs_f64())
    }
}
