//! The control socket: one JSON line asks, JSON lines answer. The command line uses it while a daemon
//! holds the store.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest request, in bytes.
const REQUEST_LEN_BYTES_MAX: u64 = 1024 * 1024;
/// Longest wait for a client that neither asks nor takes its answer.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be taken.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// Longest path of a Unix socket, in bytes (`sun_path`, with its closing zero).
const PATH_LEN_BYTES_MAX: usize = 107;
/// Name of the socket in its directory.
const NAME: &str = "control.sock";

/// One line of an answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Work is under way: what, how far, of how much.
    Progress(String, u64, u64),
    /// It is done.
    Answer(serde_json::Value),
    /// It failed.
    Error(serde_json::Value),
}

/// Where the control socket of a directory is, by a name short enough for a socket. The file keeps that
/// name valid.
fn path(dir: &Path) -> std::io::Result<(PathBuf, Option<File>)> {
    let plain = dir.join(NAME);
    if plain.as_os_str().len() <= PATH_LEN_BYTES_MAX {
        return Ok((plain, None));
    }
    let open = File::open(dir)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(NAME), Some(open)))
}

/// Whether somebody serves the control socket of `dir`.
pub fn is_served(dir: &Path) -> bool {
    path(dir).is_ok_and(|(path, _dir)| UnixStream::connect(path).is_ok())
}

/// A bound control socket: requests wait until it is served.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    _dir: Option<File>,
    listener: UnixListener,
}

impl Control {
    /// Binds the control socket of `dir`. Call it only while holding the store's lock.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn bind(dir: &Path) -> std::io::Result<Self> {
        let (path, dir) = path(dir)?;
        // Left behind by a process that was killed: whoever holds the store's lock owns the socket.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { path, _dir: dir, listener })
    }
}

/// Where the lines of an answer go.
#[derive(Debug)]
pub struct Lines(UnixStream);

impl Lines {
    /// Sends a line. A client that has gone needs none; its request is finished all the same.
    pub fn send(&self, line: &Line) {
        let mut text = serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
        if let Err(error) = (&self.0).write_all(text.as_bytes()) {
            tracing::debug!(%error, "a line of an answer is lost");
        }
    }
}

/// Threads that wait for requests while nothing else goes on.
const WAITING: usize = 2;
/// Threads at most: so many requests are served at once, others wait.
const THREADS_MAX: usize = 64;

/// The threads that take requests and answer them. Whoever takes one answers it: each change of threads costs as
/// much as a good part of a commit.
struct Desk<Handle> {
    listener: UnixListener,
    handle: Handle,
    /// Threads that wait, or are about to.
    waiting: AtomicUsize,
    threads: AtomicUsize,
    is_closed: AtomicBool,
}

impl<Handle> Desk<Handle> {
    fn staff<Request>(self: &Arc<Self>)
    where
        Request: DeserializeOwned,
        Handle: Fn(Request, Lines) + Send + Sync + 'static,
    {
        self.threads.fetch_add(1, SeqCst);
        self.waiting.fetch_add(1, SeqCst);
        let desk = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            desk.attend::<Request>();
            desk.threads.fetch_sub(1, SeqCst);
        });
    }

    /// Answers requests as long as few others wait for them.
    fn attend<Request>(self: &Arc<Self>)
    where
        Request: DeserializeOwned,
        Handle: Fn(Request, Lines) + Send + Sync + 'static,
    {
        while !self.is_closed.load(SeqCst) {
            let accepted = self.listener.accept();
            let others = self.waiting.fetch_sub(1, SeqCst) - 1;
            let is_closed = self.is_closed.load(SeqCst);
            if !is_closed && others == 0 && self.threads.load(SeqCst) < THREADS_MAX {
                self.staff::<Request>();
            }
            match accepted {
                _ if is_closed => return,
                Ok((stream, _)) => {
                    if let Err(error) = answer(stream, &self.handle) {
                        tracing::debug!(%error, "a control connection ended");
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a control connection was not taken");
                    // Too many files are open, most likely.
                    std::thread::sleep(ACCEPT_AGAIN);
                }
            }
            if self.waiting.fetch_add(1, SeqCst) >= WAITING {
                break;
            }
        }
        self.waiting.fetch_sub(1, SeqCst);
    }
}

/// Closes the desk, however its serving ends.
struct Closing<'a> {
    path: PathBuf,
    listener: &'a UnixListener,
    is_closed: &'a AtomicBool,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.is_closed.store(true, SeqCst);
        // Whoever waits wakes up. Connecting would not do: the directory may be gone.
        if let Err(error) = rustix::net::shutdown(self.listener, rustix::net::Shutdown::Both) {
            tracing::warn!(%error, "the control socket does not close");
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves requests until `stop` resolves. `handle` runs on a thread that may block, and sends its lines.
pub async fn serve<Request: DeserializeOwned + Send + 'static>(
    control: Control,
    stop: impl Future<Output = ()>,
    handle: impl Fn(Request, Lines) + Send + Sync + 'static,
) {
    let Control { path, _dir, listener } = control;
    let (waiting, threads, is_closed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let desk = Arc::new(Desk { listener, handle, waiting, threads, is_closed });
    let _closing = Closing { path, listener: &desk.listener, is_closed: &desk.is_closed };
    for _ in 0..WAITING {
        desk.staff::<Request>();
    }
    stop.await;
}

fn answer<Request: DeserializeOwned>(
    stream: UnixStream,
    handle: &impl Fn(Request, Lines),
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let mut line = String::new();
    BufReader::new((&stream).take(REQUEST_LEN_BYTES_MAX)).read_line(&mut line)?;
    match serde_json::from_str::<Request>(&line) {
        Ok(request) => handle(request, Lines(stream)),
        Err(error) => Lines(stream).send(&Line::Error(serde_json::json!({
            "message": format!(
                "正在使用这个目录的程序不认识这个命令:工作端用 wangge,社管中心用 wangge-relay,并用同一版本\n\
                 the program that serves this directory does not know the command: a worker's directory takes \
                 `wangge`, the centre's `wangge-relay`, of the same version ({error})"
            ),
            "code": "request",
            "exit": 2
        }))),
    }
    Ok(())
}

/// Asks whoever serves `dir`; `None` if nobody does. `progress` sees lines that come before the last.
///
/// # Errors
/// If the connection breaks before the answer.
pub fn ask<Request: Serialize>(
    dir: &Path,
    request: &Request,
    mut progress: impl FnMut(&str, u64, u64),
) -> std::io::Result<Option<Line>> {
    let Ok((path, _dir)) = path(dir) else { return Ok(None) };
    let Ok(mut stream) = UnixStream::connect(path) else { return Ok(None) };
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    stream.write_all(text.as_bytes())?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?)? {
            Line::Progress(label, done, total) => progress(&label, done, total),
            last => return Ok(Some(last)),
        }
    }
    Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the daemon ended before it answered"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_closes_though_its_directory_is_gone() {
        let dir = tempfile::tempdir().expect("dir");
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let control = Control::bind(dir.path()).expect("binds");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = runtime.spawn(serve(
            control,
            async {
                let _ = stopped.await;
            },
            |(), lines| lines.send(&Line::Progress("asked".to_owned(), 1, 1)),
        ));
        let mut asked = 0;
        // It ends with the connection, which carries no last line.
        assert!(ask(dir.path(), &(), |_, _, _| asked += 1).is_err());
        assert_eq!(asked, 1);
        dir.close().expect("removed");
        stop.send(()).expect("serves");
        runtime.block_on(serving).expect("ends");
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            let _ = done.send(());
        });
        ended.recv_timeout(std::time::Duration::from_secs(60)).expect("a thread still waits for requests");
    }
}
