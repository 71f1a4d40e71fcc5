//! Power cuts: every write and fsync of a real run is recorded, and the disk rebuilt as it could look had
//! the power failed after any of them. What was reported as saved must be found on each.
//!
//! The run is [`run_commits`] in a process of its own, under strace: the shipping replica over the shipping
//! store, on a real file system. Each of its commits adds a person and counts up in another one, in one
//! transaction, so that the state after any cut says which commits are there, and that each is whole.

mod disk;
mod trace;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_node::replica::{Edit, Replica};
use wangge_store::Options;

use crate::process::{Programs, text};
use crate::street::{number, put};

pub use disk::{Disk, Fate};
pub use trace::{Step, TraceError, parse};

/// The grid in which the commits are made.
const GRID: &str = "330881121200";
const DIVISIONS: &str = "code,name\n330881121200,溪淤村委会\n";
/// Which number the counting person has.
const COUNTER: u32 = 50_000;
/// Told by the process that commits, with the number of the commit.
const SAVED: &str = "saved ";
/// Steps between recoveries that also commit, close and open again.
const GOES_ON_EVERY: usize = 25;

/// What was tried, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commits of the recorded run.
    pub commits: usize,
    /// Writes, changes of names and lengths, and fsyncs of the recorded run.
    pub steps: usize,
    /// Disks that were rebuilt and opened.
    pub disks: usize,
    /// Those on which the last commit, which was not reported as saved, was found all the same.
    pub ahead: usize,
}

/// Whether system calls can be recorded here.
pub fn strace_is_here() -> bool {
    Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success())
}

fn grid() -> Scope {
    Scope::Grid(GRID.to_owned())
}

fn person(replica: &Replica, at: u32) -> DocId {
    replica.natural_id(&grid(), Kind::PERSON, &number(at)).expect("an id").0
}

fn edits(replica: &Replica, at: u32) -> Vec<Edit> {
    // Every seventh is long enough to fill more than one of the journal's blocks.
    let note = if at.is_multiple_of(7) { "长".repeat(3_000) } else { format!("记{at}") };
    let added = vec![put("id_number", &number(at)), put("name", "张三"), put("note", &note)];
    let mut counted = vec![put("phone", &at.to_string())];
    if at == 1 {
        counted.push(put("id_number", &number(COUNTER)));
    }
    let edit = |of: u32, ops| Edit { doc: person(replica, of), kind: Kind::PERSON, ops };
    vec![edit(at, added), edit(COUNTER, counted)]
}

/// Commits `count` transactions to the replica in `dir` and says of each that it is saved, as soon as it is.
///
/// Each fifth waits for a checkpoint of the journal, each twentieth opens the replica anew.
pub fn run_commits(dir: &Path, count: u32) {
    let open = || {
        let options = Options { checkpoint_after: Duration::from_millis(20), ..Options::default() };
        Replica::open(dir, options).expect("opens")
    };
    let mut replica = open();
    for at in 1..=count {
        let edits = edits(&replica, at);
        replica.commit(&grid(), edits, None).expect("commits");
        println!("{SAVED}{at}");
        if at.is_multiple_of(5) {
            let main = dir.join("db/db");
            let stamp = || std::fs::metadata(&main).and_then(|found| found.modified()).ok();
            let before = stamp();
            for _ in 0..100 {
                if stamp() != before {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if at.is_multiple_of(20) {
            drop(replica);
            replica = open();
        }
    }
}

/// A directory for disks that are rebuilt: in memory where that is possible, for there are hundreds.
fn cuts_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// A recorded run: the directory before it and what happened to it.
pub struct Recorded {
    before: PathBuf,
    steps: Vec<Step>,
    commits: usize,
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut steps = self.steps.iter().enumerate();
        steps.try_for_each(|(at, step)| writeln!(f, "{:>5} {step}", at + 1))
    }
}

/// Founds a street, lets a device join, and records `commits` commits on it.
///
/// # Panics
/// If a program fails, or what was recorded does not add up to what is on the disk.
pub fn record(programs: &Programs, scratch: &Path, commits: u32) -> Recorded {
    let (street, device, before) = (scratch.join("relay"), scratch.join("device"), scratch.join("before"));
    programs.found(&street, DIVISIONS);
    let relay = programs.serve(&street, "127.0.0.1:0");
    let line = programs.invite(&street, "ana", "grid-worker", &format!("grid:{GRID}"));
    programs.run("wangge", ["join", "--dir", text(&device), &line]);
    programs.run("wangge", ["sync", "--dir", text(&device)]);
    relay.kill();
    copy_dir(&device, &before);
    let file = scratch.join("trace");
    let commits_text = commits.to_string();
    let run = programs.command("commit-run", [text(&device), &commits_text]);
    let status = Command::new("strace")
        .args(["-f", "-y", "-xx", "-s", "100000000", "-e", trace::CALLS, "-o", text(&file)])
        .arg(run.get_program())
        .args(run.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .expect("strace starts")
        .status;
    assert!(status.success(), "the run that is recorded failed: {status}");
    let traced = std::fs::read_to_string(&file).expect("a trace");
    let steps = parse(&traced, &device).unwrap_or_else(|error| panic!("{error}"));
    let recorded = Recorded { before, steps, commits: commits as usize };
    // Nothing was missed: all steps together make the directory as it is.
    let rebuilt = scratch.join("whole");
    recorded.disk(recorded.steps.len()).write(&Fate::Kept, &rebuilt);
    assert_same(&rebuilt, &device);
    let fsyncs = recorded.steps.iter().filter(|step| matches!(step, Step::Sync { .. })).count();
    assert!(fsyncs >= commits as usize, "only {fsyncs} fsyncs for {commits} commits");
    let said = recorded.steps.iter().filter(|step| matches!(step, Step::Said(_))).count();
    assert_eq!(said, commits as usize, "not every commit was reported");
    recorded
}

impl Recorded {
    fn disk(&self, prefix: usize) -> Disk {
        let mut disk = Disk::read(&self.before);
        for (at, step) in self.steps[..prefix].iter().enumerate() {
            disk.take(at, step);
        }
        disk
    }

    /// Cuts the power after every step, three times each: all unsynced writes lost, all of them kept, and
    /// torn, page by page, by chance. Panics if anything saved is missing or anything is half there.
    pub fn cut_everywhere(&self, seed: u64, mut progress: impl FnMut(usize, usize)) -> Counts {
        let scratch = cuts_dir();
        let mut disk = Disk::read(&self.before);
        let mut counts = Counts { commits: self.commits, steps: self.steps.len(), ..Counts::default() };
        let (mut saved, mut changed) = (0, true);
        for prefix in 0..=self.steps.len() {
            if prefix > 0 {
                let step = &self.steps[prefix - 1];
                if let Step::Said(words) = step {
                    let said = words.trim().strip_prefix(SAVED).and_then(|at| at.parse().ok());
                    saved = said.unwrap_or(saved);
                }
                disk.take(prefix - 1, step);
                changed = true;
            }
            if !changed {
                continue;
            }
            for (at, fate) in [Fate::Lost, Fate::Kept, Fate::Torn(seed ^ prefix as u64)].iter().enumerate() {
                let last = prefix.checked_sub(1).map_or_else(String::new, |at| self.steps[at].to_string());
                let what = format!("power cut after step {prefix} ({last}), {fate:?} (seed {seed})");
                let at = scratch.path().join(format!("cut-{prefix}-{at}"));
                disk.write(fate, &at);
                let found = check(&at, saved, prefix.is_multiple_of(GOES_ON_EVERY), &what);
                counts.ahead += usize::from(found > saved);
                counts.disks += 1;
                std::fs::remove_dir_all(&at).expect("removes");
            }
            progress(prefix, self.steps.len());
        }
        assert_eq!(saved as usize, self.commits);
        counts
    }
}

/// Opens what a cut left behind: `saved` commits are there, at most one more is, each whole. Returns how many.
fn check(dir: &Path, saved: u32, goes_on: bool, what: &str) -> u32 {
    let replica = Replica::open(dir, Options::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let get = |replica: &Replica, at: u32| {
        replica.get(&grid(), Kind::PERSON, &person(replica, at)).unwrap_or_else(|e| panic!("{what}: {e}"))
    };
    let counter = get(&replica, COUNTER);
    let found: u32 = counter.map_or(0, |view| view.text("phone").parse().expect("a number"));
    assert!(found == saved || found == saved + 1, "{what}: {saved} were saved, {found} are there");
    for at in 1..=saved + 1 {
        let view = get(&replica, at);
        assert_eq!(view.is_some(), at <= found, "{what}: {found} commits are there, and of {at} a part is");
        if let Some(view) = view {
            let note = if at.is_multiple_of(7) { "长".repeat(3_000) } else { format!("记{at}") };
            assert_eq!(view.text("note"), note, "{what}: commit {at} is damaged");
        }
    }
    if goes_on {
        let edits = edits(&replica, found + 1);
        replica.commit(&grid(), edits, None).unwrap_or_else(|error| panic!("{what}: it goes on: {error}"));
        drop(replica);
        let again = Replica::open(dir, Options::default()).unwrap_or_else(|e| panic!("{what}: again: {e}"));
        assert!(get(&again, found + 1).is_some(), "{what}: the next commit is lost");
    }
    found
}

/// Copies a directory and all in it.
fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("creates");
    for entry in std::fs::read_dir(from).expect("lists") {
        let entry = entry.expect("lists");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// Checks that two directories hold the same files.
fn assert_same(left: &Path, right: &Path) {
    let (left, right) = (Disk::read(left), Disk::read(right));
    let (left, right) = (left.contents(&Fate::Kept), right.contents(&Fate::Kept));
    let names = |of: &std::collections::BTreeMap<PathBuf, Vec<u8>>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right), "the trace misses something");
    for (name, bytes) in &left {
        assert!(bytes == &right[name], "the trace misses something of {}", name.display());
    }
}
