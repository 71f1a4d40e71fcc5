//! Search at the centre, in a register of all people of a street.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use memchr::memmem::Finder;
use wangge_model::identity::{Role, Scope};
use wangge_model::schema::Kind;
use wangge_model::search::readings;
use wangge_node::command::{Command, FindArgs, RegisterCommand, Unwatched, execute};
use wangge_node::replica::Replica;

use crate::documents::person;
use crate::measure::{
    Measure, SEARCH_ADDRESS, SEARCH_FACTOR, SEARCH_FACTOR_MAX, SEARCH_INITIALS, SEARCH_NAME, SEARCH_PHONE,
    SEARCH_PINYIN, SEARCH_READY, SEARCH_SCAN, SEARCH_STREET, SEARCH_SURNAME, SEARCH_TAIL,
};
use crate::scenario::{Report, Setting};
use crate::table::median;
use crate::wangge::REGISTER;
use crate::wangge::prepare::{enter_in, relay_dir};
use crate::wangge::street::{Relay, close, copy, found_street_of, grid, join, open, settle};

/// Grids of the street.
const GRIDS: usize = 150;

/// Searches of each kind, for different people, of which the median is taken.
const SEARCHES: u64 = 11;

/// Columns that are searched.
const COLUMNS: [&str; 5] = ["name", "id_number", "phone", "current_address", "registered_address"];

fn centre_dir(prepared: &Path) -> PathBuf {
    prepared.join("centre")
}

/// Prepares a workstation of the centre where all people were entered.
#[tokio::main]
pub(super) async fn prepare(setting: &Setting, dir: &Path) -> anyhow::Result<()> {
    found_street_of(&relay_dir(dir), GRIDS)?;
    let relay = Relay::start(&relay_dir(dir))?;
    let invitation = relay.invite_as(Role::CentreAdmin, &Scope::Centre, None)?;
    let centre = join(&centre_dir(dir), &invitation).await?;
    settle(&relay, &centre).await?;
    let people = setting.documents as u64;
    for at in 0..GRIDS as u64 {
        let persons = people * at / GRIDS as u64..people * (at + 1) / GRIDS as u64;
        enter_in(&centre, &grid(at as usize), persons)?;
    }
    close(centre);
    Ok(())
}

pub(super) fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    copy(&centre_dir(&REGISTER.dir(setting)), folder.path())?;
    let replica = open(folder.path())?;
    let started = Instant::now();
    replica.warm_search(Kind::PERSON, || true)?;
    report.time(SEARCH_READY, started.elapsed())?;
    let (texts, people) = texts(&replica)?;
    if people < setting.documents {
        bail!("{people} of {} people were entered", setting.documents);
    }
    for run in 0..setting.runs as u64 {
        let (mut scans, mut factors) = (Vec::new(), Vec::new());
        for (measure, typed) in SOUGHT {
            let (mut search_ms, mut scan_ms) = (Vec::new(), Vec::new());
            for nth in 0..SEARCHES {
                let whom = (run * SEARCHES + nth) * 7_919 % setting.documents as u64;
                let typed = typed(&Resident::of(whom)?);
                search_ms.push(find(&replica, &typed)?);
                let started = Instant::now();
                let hits = Finder::new(&typed).find_iter(texts.as_bytes()).count();
                scan_ms.push(started.elapsed().as_secs_f64() * 1e3);
                std::hint::black_box(hits);
            }
            let (search_ms, scan_ms) =
                (median(&search_ms).context("no search")?, median(&scan_ms).context("no scan")?);
            report.value(measure, search_ms)?;
            factors.push(search_ms / scan_ms);
            scans.push(scan_ms);
        }
        report.value(SEARCH_SCAN, median(&scans).context("no scan")?)?;
        report.value(SEARCH_FACTOR, median(&factors).context("no search")?)?;
        report.value(SEARCH_FACTOR_MAX, factors.iter().copied().fold(0.0, f64::max))?;
    }
    close(replica);
    Ok(())
}

/// The texts of all people, one line each, and how many there are.
fn texts(replica: &Replica) -> anyhow::Result<(String, usize)> {
    let (mut texts, mut people) = (String::new(), 0);
    for scope in replica.scopes() {
        replica.each(&scope, Kind::PERSON, |view| {
            for column in COLUMNS {
                texts.push_str(&view.text(column));
                texts.push('\t');
            }
            texts.push('\n');
            people += 1;
            true
        })?;
    }
    Ok((texts, people))
}

/// Milliseconds of one search through the command, with its answer, which must not be empty.
fn find(replica: &Arc<Replica>, typed: &str) -> anyhow::Result<f64> {
    let args = FindArgs { text: typed.to_owned(), ..FindArgs::default() };
    let command = Command::Person(RegisterCommand::Find(args));
    let started = Instant::now();
    let answer = execute(replica, &command, &Unwatched)?;
    let search_ms = started.elapsed().as_secs_f64() * 1e3;
    if answer.json.as_array().is_none_or(Vec::is_empty) {
        bail!("{typed:?} is found nowhere");
    }
    Ok(search_ms)
}

/// Somebody who is sought.
struct Resident {
    name: String,
    syllables: Vec<String>,
    id_number: String,
    phone: String,
    address: String,
}

impl Resident {
    fn of(i: u64) -> anyhow::Result<Self> {
        let columns = person(i);
        let column = |name| {
            let found = columns.iter().find(|(column, _)| *column == name);
            found.map(|(_, value)| value.clone()).context(name)
        };
        let name = column("name")?;
        let syllables = readings(&name).into_iter().next().context("no reading")?;
        let (id_number, phone) = (column("id_number")?, column("phone")?);
        Ok(Self { name, syllables, id_number, phone, address: column("current_address")? })
    }
}

/// What is typed to find somebody.
type Typed = fn(&Resident) -> String;

const SOUGHT: [(Measure, Typed); 8] = [
    (SEARCH_NAME, |resident| resident.name.clone()),
    (SEARCH_SURNAME, |resident| resident.name.chars().take(1).collect()),
    (SEARCH_PINYIN, |resident| resident.syllables.concat()),
    (SEARCH_INITIALS, |resident| {
        resident.syllables.iter().filter_map(|syllable| syllable.chars().next()).collect()
    }),
    (SEARCH_TAIL, |resident| resident.id_number[12..].to_owned()),
    (SEARCH_PHONE, |resident| resident.phone[3..9].to_owned()),
    (SEARCH_ADDRESS, |resident| resident.address.clone()),
    (SEARCH_STREET, |resident| {
        resident.address.trim_end_matches(|c: char| c == '号' || c.is_ascii_digit()).to_owned()
    }),
];
