//! What a scenario is: one run of one system that reports some measures.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;
use crate::bound::Bound;
use crate::documents::Age;
use crate::measure::Measure;

/// Longest run of most scenarios before it counts as not finished.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// One run of one system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// Whose rows these are.
    pub(crate) system: &'static str,
    /// What is done.
    pub(crate) name: &'static str,
    /// To which kind of documents, if that makes a difference.
    pub(crate) age: Option<Age>,
    /// How many documents there are.
    pub(crate) size: Size,
    /// What a run reports if it finishes.
    pub(crate) measures: &'static [Measure],
    /// What the medians of some of them must keep.
    pub(crate) bounds: &'static [(Measure, Bound)],
    /// Whether one process repeats what is measured as often as the command line says, because
    /// what comes before costs more than the repetitions.
    pub(crate) repeats: bool,
    /// What must lie ready, and what puts it there.
    pub(crate) needs: Option<Preparation>,
    /// Longest run before it counts as not finished.
    pub(crate) deadline: Duration,
    /// Does it once, reporting each measure as soon as it is known.
    pub(crate) run: fn(&Setting, &mut Report) -> anyhow::Result<()>,
}

/// How many documents a scenario has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// A village; a tenth of one in a quick run, for systems to which a village is much.
    Reduced,
    /// A village.
    Village,
    /// Ten villages; left out of a quick run.
    Tenfold,
    /// The people of a whole street; a tenth of them in a quick run.
    Street,
}

/// What several scenarios start from, made once and copied by each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preparation {
    /// How the command line calls it, before the age.
    pub(crate) name: &'static str,
    /// Makes it in a directory that does not exist yet.
    pub(crate) run: fn(&Setting, &Path) -> anyhow::Result<()>,
}

impl Preparation {
    /// Where it lies.
    pub(crate) fn dir(&self, setting: &Setting) -> PathBuf {
        setting.prepared.join(format!("{}-{}-{}", self.name, setting.age, setting.documents))
    }
}

impl Scenario {
    /// A scenario without bounds that runs once in each process, on documents as entered.
    pub(crate) const fn new(
        system: &'static str,
        name: &'static str,
        measures: &'static [Measure],
        run: fn(&Setting, &mut Report) -> anyhow::Result<()>,
    ) -> Self {
        Self {
            system,
            name,
            age: None,
            size: Size::Reduced,
            measures,
            bounds: &[],
            repeats: false,
            needs: None,
            deadline: DEADLINE,
            run,
        }
    }

    /// How the command line calls it.
    pub(crate) fn id(&self) -> String {
        let mut id = format!("{}/{}", self.system, self.name);
        if let Some(age) = self.age {
            id += &format!("/{age}");
        }
        if self.size == Size::Tenfold {
            id += "/tenfold";
        }
        id
    }

    /// What it runs with.
    pub(crate) fn setting(&self, arguments: &Arguments) -> Setting {
        Setting {
            documents: arguments.documents(self.size),
            age: self.age.unwrap_or(Age::Fresh),
            dir: arguments.dir.clone(),
            runs: arguments.runs,
            prepared: arguments.prepared.clone().unwrap_or_else(|| arguments.dir.clone()),
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
    /// How often a scenario that repeats repeats.
    pub(crate) runs: usize,
    /// Where preparations lie.
    pub(crate) prepared: PathBuf,
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
