//! What strace wrote, read back as the steps that changed a directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The system calls that are recorded.
pub(super) const CALLS: &str = "trace=openat,creat,close,dup,lseek,write,pwrite64,writev,pwritev,pwritev2,\
    fsync,fdatasync,sync,syncfs,sync_file_range,truncate,ftruncate,fallocate,rename,renameat,renameat2,\
    link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,rmdir,copy_file_range,sendfile,mmap,chmod,fchmod";

/// One step of a run. Paths are relative to the directory that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file appears, empty.
    Create(PathBuf),
    /// A directory appears.
    MakeDir(PathBuf),
    /// Bytes at a place of a file.
    Write {
        /// The file.
        path: PathBuf,
        /// Where.
        at: usize,
        /// What.
        bytes: Vec<u8>,
    },
    /// A file's length is set.
    SetLen(PathBuf, usize),
    /// An fsync of a file or directory returned. It covers the steps before `since`, when it began.
    Sync {
        /// Of what.
        path: PathBuf,
        /// The first step that it need not cover.
        since: usize,
    },
    /// A file gets another name.
    Rename(PathBuf, PathBuf),
    /// A name goes.
    Remove(PathBuf),
    /// The process said something on its standard output.
    Said(String),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Create(path) => write!(f, "create {}", path.display()),
            Self::MakeDir(path) => write!(f, "mkdir {}", path.display()),
            Self::Write { path, at, bytes } => {
                write!(f, "write {} bytes at {at} of {}", bytes.len(), path.display())
            }
            Self::SetLen(path, len) => write!(f, "set length of {} to {len}", path.display()),
            Self::Sync { path, .. } => write!(f, "fsync {}", path.display()),
            Self::Rename(from, to) => write!(f, "rename {} to {}", from.display(), to.display()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::Said(words) => write!(f, "said {}", words.trim()),
        }
    }
}

/// A trace that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("the trace cannot be read: {what}: {line}")]
pub struct TraceError {
    what: &'static str,
    line: String,
}

fn unreadable(what: &'static str, line: &str) -> TraceError {
    TraceError { what, line: line.chars().take(300).collect() }
}

/// The steps of a trace that concern what is in `dir`, and what was said.
///
/// A write counts from when it returned, a sync covers what returned before it began: of two calls that
/// overlap, the later one is not made safe by the earlier.
///
/// # Errors
/// [`TraceError`] if a call is met that is not understood.
pub fn parse(trace: &str, dir: &Path) -> Result<Vec<Step>, TraceError> {
    let mut reader = Reader { dir, steps: Vec::new(), places: BTreeMap::new() };
    // Calls that another thread interrupted in the trace, by thread: what was written of them, and when.
    let mut begun: BTreeMap<&str, (String, usize)> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (start.to_owned(), reader.steps.len()));
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let (_, end) = rest.split_once(" resumed>").ok_or_else(|| unreadable("a resumed call", line))?;
            let (start, since) = begun.remove(thread).ok_or_else(|| unreadable("no such call", line))?;
            reader.call(&format!("{start}{end}"), since)?;
        } else {
            let since = reader.steps.len();
            reader.call(call, since)?;
        }
    }
    Ok(reader.steps)
}

struct Reader<'a> {
    dir: &'a Path,
    steps: Vec<Step>,
    /// Where the next write through a descriptor goes.
    places: BTreeMap<String, usize>,
}

impl Reader<'_> {
    fn call(&mut self, call: &str, since: usize) -> Result<(), TraceError> {
        let Some((name, rest)) = call.split_once('(') else { return Ok(()) };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return Ok(()) };
        if result.starts_with('-') || result.starts_with('?') {
            return Ok(());
        }
        let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
        let bad = |what| unreadable(what, call);
        let result_number = || -> usize {
            result.split(['<', ' ']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        let parts = split(arguments);
        let first = parts.first().copied().unwrap_or_default();
        let part = |at: usize| parts.get(at).copied().ok_or_else(|| bad("an argument is missing"));
        match name {
            "openat" => {
                let flags = part(2)?;
                let Some(path) = self.inside(&quoted(part(1)?).ok_or_else(|| bad("a name"))?) else {
                    return Ok(());
                };
                let descriptor = result.split('<').next().unwrap_or_default().trim();
                self.places.insert(descriptor.to_owned(), 0);
                if flags.contains("O_APPEND") {
                    return Err(bad("appending is not followed"));
                }
                if flags.contains("O_CREAT") && !self.exists(&path) {
                    self.steps.push(Step::Create(path.clone()));
                }
                if flags.contains("O_TRUNC") {
                    self.steps.push(Step::SetLen(path, 0));
                }
            }
            "lseek" if self.of_descriptor(first).is_some() => {
                self.places.insert(number(first), result_number());
            }
            "write" if number(first) == "1" => {
                let words = quoted(part(1)?).ok_or_else(|| bad("bytes"))?;
                self.steps.push(Step::Said(String::from_utf8_lossy(&words).into_owned()));
            }
            "write" => {
                let Some(path) = self.of_descriptor(first) else { return Ok(()) };
                let mut bytes = quoted(part(1)?).ok_or_else(|| bad("bytes"))?;
                bytes.truncate(result_number());
                let place = self.places.entry(number(first)).or_default();
                let at = *place;
                *place += bytes.len();
                self.steps.push(Step::Write { path, at, bytes });
            }
            "pwrite64" => {
                let Some(path) = self.of_descriptor(first) else { return Ok(()) };
                let mut bytes = quoted(part(1)?).ok_or_else(|| bad("bytes"))?;
                bytes.truncate(result_number());
                let at = part(3)?.trim().parse().map_err(|_| bad("a place"))?;
                self.steps.push(Step::Write { path, at, bytes });
            }
            "ftruncate" => {
                let Some(path) = self.of_descriptor(first) else { return Ok(()) };
                let len = part(1)?.trim().parse().map_err(|_| bad("a length"))?;
                self.steps.push(Step::SetLen(path, len));
            }
            "fsync" | "fdatasync" => {
                let Some(path) = self.of_descriptor(first) else { return Ok(()) };
                self.steps.push(Step::Sync { path, since });
            }
            "mkdir" => {
                let path = quoted(first).and_then(|path| self.inside(&path));
                self.steps.extend(path.map(Step::MakeDir));
            }
            "rename" => {
                let from = quoted(first).and_then(|path| self.inside(&path));
                let to = quoted(part(1)?).and_then(|path| self.inside(&path));
                match (from, to) {
                    (Some(from), Some(to)) => self.steps.push(Step::Rename(from, to)),
                    (None, None) => {}
                    _ => return Err(bad("a name leaves the directory")),
                }
            }
            "unlink" => {
                let path = quoted(first).and_then(|path| self.inside(&path));
                self.steps.extend(path.map(Step::Remove));
            }
            "mmap" => {
                let writes = part(2)?.contains("PROT_WRITE") && part(3)?.contains("MAP_SHARED");
                if writes && self.of_descriptor(part(4)?).is_some() {
                    return Err(bad("writing through memory is not followed"));
                }
            }
            // Neither commits metadata nor empties the disk's cache: as if it were not there.
            "sync_file_range" | "close" | "lseek" | "chmod" | "fchmod" | "dup" => {}
            // Whatever else touches the directory would be missed.
            _ => {
                let dir = hex(self.dir);
                if call.contains(&dir) {
                    return Err(bad("this call is not followed"));
                }
            }
        }
        Ok(())
    }

    fn inside(&self, path: &[u8]) -> Option<PathBuf> {
        let path = Path::new(std::str::from_utf8(path).ok()?);
        path.strip_prefix(self.dir).ok().map(Path::to_owned)
    }

    /// The path of a descriptor as `-y` shows it, if it is in the directory.
    fn of_descriptor(&self, argument: &str) -> Option<PathBuf> {
        let (_, path) = argument.split_once('<')?;
        self.inside(&unhex(path.rsplit_once('>')?.0)?)
    }

    /// Whether a name was made during the run, or before it.
    fn exists(&self, path: &Path) -> bool {
        for step in self.steps.iter().rev() {
            match step {
                Step::Create(made) | Step::Rename(_, made) if made == path => return true,
                Step::Rename(gone, _) | Step::Remove(gone) if gone == path => return false,
                _ => {}
            }
        }
        // The directory before the run stands beside it.
        self.dir.with_file_name("before").join(path).exists()
    }
}

/// The arguments of a call. Strings are all in hexadecimal, so that a comma separates.
fn split(arguments: &str) -> Vec<&str> {
    arguments.split(", ").map(str::trim).collect()
}

fn number(argument: &str) -> String {
    argument.split('<').next().unwrap_or_default().to_owned()
}

fn quoted(argument: &str) -> Option<Vec<u8>> {
    unhex(argument.trim().strip_prefix('"')?.strip_suffix('"')?)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let chunks = text.as_bytes().chunks(4);
    chunks
        .map(|chunk| match chunk {
            [b'\\', b'x', high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn hex(path: &Path) -> String {
    path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("\\x{byte:02x}")).collect()
}
