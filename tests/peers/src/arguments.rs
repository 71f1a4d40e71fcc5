//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};

use crate::scenario::Size;

/// Documents of a full run: a village.
const DOCUMENTS: usize = 1_800;

/// Documents of a quick run, for systems to which a village is much.
const DOCUMENTS_QUICK: usize = 200;

/// The people of a street.
const PEOPLE: usize = 200_000;

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
    /// Fewer runs, fewer documents.
    pub(crate) quick: bool,
    /// Where storage goes during a run.
    pub(crate) dir: PathBuf,
    /// Where preparations lie.
    pub(crate) prepared: Option<PathBuf>,
    /// The scenario to run in this process.
    pub(crate) child: Option<String>,
    /// The preparation to make in this process.
    pub(crate) prepare: Option<String>,
    /// The part in a scenario to play in this process.
    pub(crate) part: Option<String>,
    /// The replica that plays it.
    pub(crate) replica: PathBuf,
    /// Where the relay listens.
    pub(crate) relay: Option<SocketAddr>,
    /// The invitation to join with.
    pub(crate) invitation: Option<String>,
    documents: Option<usize>,
}

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut words = words.into_iter();
        let mut runs = None;
        let mut arguments = Self {
            only: None,
            json: PathBuf::from("target/peers.json"),
            runs: RUNS,
            quick: false,
            dir: std::env::temp_dir(),
            prepared: None,
            child: None,
            prepare: None,
            part: None,
            replica: PathBuf::new(),
            relay: None,
            invitation: None,
            documents: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => arguments.quick = true,
                "--only" => arguments.only = Some(value(&word, words.next())?),
                "--json" => arguments.json = value(&word, words.next())?,
                "--runs" => runs = Some(value(&word, words.next())?),
                "--documents" => arguments.documents = Some(value(&word, words.next())?),
                "--dir" => arguments.dir = value(&word, words.next())?,
                "--prepared" => arguments.prepared = Some(value(&word, words.next())?),
                "--child" => arguments.child = Some(value(&word, words.next())?),
                "--prepare" => arguments.prepare = Some(value(&word, words.next())?),
                "--part" => arguments.part = Some(value(&word, words.next())?),
                "--replica" => arguments.replica = value(&word, words.next())?,
                "--relay" => arguments.relay = Some(value(&word, words.next())?),
                "--invitation" => arguments.invitation = Some(value(&word, words.next())?),
                _ => bail!("unknown argument {word}"),
            }
        }
        arguments.runs = runs.unwrap_or(if arguments.quick { 1 } else { RUNS }).max(1);
        Ok(arguments)
    }

    /// How many documents a scenario of that size has.
    pub(crate) fn documents(&self, size: Size) -> usize {
        let is_process_of_another = self.child.is_some() || self.prepare.is_some();
        match (self.documents, size) {
            // Whoever started this process has reckoned already.
            (Some(documents), _) if is_process_of_another => documents,
            (Some(documents), Size::Tenfold) => documents * 10,
            (Some(documents), _) => documents,
            (None, Size::Reduced) if self.quick => DOCUMENTS_QUICK,
            (None, Size::Reduced | Size::Village) => DOCUMENTS,
            (None, Size::Tenfold) => DOCUMENTS * 10,
            (None, Size::Street) if self.quick => PEOPLE / 10,
            (None, Size::Street) => PEOPLE,
        }
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
        assert_eq!((arguments.runs, arguments.documents(Size::Reduced)), (3, DOCUMENTS_QUICK));
        assert_eq!(arguments.documents(Size::Village), DOCUMENTS);
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
