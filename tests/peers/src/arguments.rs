//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};

use crate::documents::Age;
use crate::scenario::Setting;

/// Documents of a full run: a village.
const DOCUMENTS: usize = 1_800;

/// Documents of a quick run.
const DOCUMENTS_QUICK: usize = 200;

/// Runs of which the median is reported.
const RUNS: usize = 5;

/// What the command line asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Only scenarios whose identifier contains this.
    pub(crate) only: Option<String>,
    /// Where the results go.
    pub(crate) json: PathBuf,
    /// How often each scenario runs.
    pub(crate) runs: usize,
    /// How many documents there are.
    pub(crate) documents: usize,
    /// Where storage goes during a run.
    pub(crate) dir: PathBuf,
    /// The scenario to run in this process.
    pub(crate) child: Option<String>,
}

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut words = words.into_iter();
        let mut quick = false;
        let mut runs = None;
        let mut documents = None;
        let mut arguments = Self {
            only: None,
            json: PathBuf::from("target/peers.json"),
            runs: RUNS,
            documents: DOCUMENTS,
            dir: std::env::temp_dir(),
            child: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => quick = true,
                "--only" => arguments.only = Some(value(&word, words.next())?),
                "--json" => arguments.json = value(&word, words.next())?,
                "--runs" => runs = Some(value(&word, words.next())?),
                "--documents" => documents = Some(value(&word, words.next())?),
                "--dir" => arguments.dir = value(&word, words.next())?,
                "--child" => arguments.child = Some(value(&word, words.next())?),
                _ => bail!("unknown argument {word}"),
            }
        }
        arguments.runs = runs.unwrap_or(if quick { 1 } else { RUNS }).max(1);
        arguments.documents = documents.unwrap_or(if quick { DOCUMENTS_QUICK } else { DOCUMENTS });
        Ok(arguments)
    }

    /// What a scenario is run with.
    pub(crate) fn setting(&self, age: Age) -> Setting {
        Setting { documents: self.documents, age, dir: self.dir.clone() }
    }
}

fn value<T>(name: &str, word: Option<String>) -> anyhow::Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let word = word.with_context(|| format!("{name} needs a value"))?;
    word.parse().with_context(|| format!("{name} cannot be {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn a_quick_run_can_still_be_repeated() -> anyhow::Result<()> {
        let arguments = parse("--runs 3 --quick")?;
        assert_eq!((arguments.runs, arguments.documents), (3, DOCUMENTS_QUICK));
        Ok(())
    }

    #[test]
    fn mistakes_are_named() {
        for line in ["--runs", "--runs many", "--fast"] {
            let message = format!("{:#}", parse(line).expect_err(line));
            assert!(message.contains(line.split(' ').next().unwrap_or(line)));
        }
    }
}
