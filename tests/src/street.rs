//! A street in temporary directories: a relay that serves on loopback, replicas that join it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use wangge_model::document::{Document, DocumentView, Op, Scalar, Target};
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;
use wangge_node::net::{Limits, SyncOptions, SyncReport, join, sync};
use wangge_node::replica::{Committed, Edit, Machine, Replica};
use wangge_relay::{Division, Founding, Invite, Roster, ServeOptions, found, serve_on};
use wangge_store::Options;

/// Codes of the grids of a test street.
pub const GRIDS: [&str; 3] = ["330881121200", "330881121201", "330881121202"];

/// The scope of a test street's grid.
pub fn grid(at: usize) -> Scope {
    Scope::Grid(GRIDS[at].to_owned())
}

/// The area that all grids of a test street belong to.
pub fn area() -> Scope {
    Scope::Area("330881121".to_owned())
}

/// A relay that serves within this process.
pub struct Relay {
    /// Where it is stored.
    pub dir: PathBuf,
    /// Where it listens.
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// Founds a street of three grids in `dir`.
pub fn found_street(dir: &Path) {
    let divisions = GRIDS
        .iter()
        .zip(["溪淤村委会", "友爱村委会", "富益村委会"])
        .map(|(code, name)| Division {
            code: (*code).to_owned(),
            name: name.to_owned(),
            area: "330881121".into(),
        })
        .collect();
    let founding =
        Founding { street_code: "330881121".to_owned(), street_name: "贺村镇".to_owned(), divisions };
    found(dir, &founding).expect("founds").close();
}

impl Relay {
    /// Founds a street and serves it.
    pub async fn start(dir: &Path) -> Self {
        found_street(dir);
        Self::serve(dir, ([127, 0, 0, 1], 0).into()).await
    }

    /// Serves a street that was founded before.
    pub async fn serve(dir: &Path, listen: SocketAddr) -> Self {
        Self::serve_on(Machine::default(), dir, listen).await
    }

    /// Serves a street on a machine of its own.
    pub async fn serve_on(machine: Machine, dir: &Path, listen: SocketAddr) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = oneshot::channel();
        let at = dir.to_owned();
        let task = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            let options = ServeOptions { listen, address: None, limits: Limits::default() };
            serve_on(machine, &at, options, |addr| ready.send(addr).expect("told"), stop)
                .await
                .expect("serves");
        });
        let addr = is_ready.await.expect("listens");
        Self { dir: dir.to_owned(), addr, stop: Some(stop), task: Some(task) }
    }

    /// Stops serving and gives the directory up.
    pub async fn stop(mut self) -> (PathBuf, SocketAddr) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            task.await.expect("stops");
        }
        // Tasks that end may hold the store for a moment more.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while let Err(error) = Replica::open(&self.dir, Options::default()) {
            assert!(tokio::time::Instant::now() < deadline, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (self.dir.clone(), self.addr)
    }

    /// An invitation line, written through the control socket of the serving relay.
    pub fn invite(&self, worker: &str, role: Role, unit: &Scope) -> String {
        let request = serde_json::json!({ "Invite": {
            "worker": worker, "role": role, "unit": unit, "address": null, "term_s": null
        }});
        match tokio::task::block_in_place(|| wangge_node::control::ask(&self.dir, &request, |_, _, _| ())) {
            Ok(Some(wangge_node::control::Line::Answer(line))) => line.as_str().expect("text").to_owned(),
            other => panic!("no invitation: {other:?}"),
        }
    }

    /// Asks the serving relay through its control socket.
    pub fn ask(&self, request: &serde_json::Value) -> serde_json::Value {
        match tokio::task::block_in_place(|| wangge_node::control::ask(&self.dir, request, |_, _, _| ())) {
            Ok(Some(wangge_node::control::Line::Answer(answer))) => answer,
            other => panic!("{request}: {other:?}"),
        }
    }

    /// A command of the roster at the serving relay; its answer for programs.
    pub fn roster(&self, words: &[&str]) -> serde_json::Value {
        let command = roster_command(words);
        self.ask(&serde_json::json!({ "Roster": command }))["json"].clone()
    }

    /// Positions in quarantine.
    pub fn quarantine(&self) -> Vec<serde_json::Value> {
        self.ask(&serde_json::json!("Quarantine")).as_array().expect("a list").clone()
    }

    /// Waits until so many positions are in quarantine.
    pub async fn until_quarantine(&self, count: usize) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while self.quarantine().len() != count {
            assert!(tokio::time::Instant::now() < deadline, "{:?}", self.quarantine());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Accepts or discards all that waits in quarantine.
    pub fn settle_quarantine(&self, accept: bool) {
        let choice =
            serde_json::json!({ "ids": [], "device": null, "all": true, "accept": accept, "reason": "" });
        self.ask(&serde_json::json!({ "Settle": choice }));
    }

    /// Digest lines of the serving relay.
    pub fn digests(&self) -> Vec<String> {
        match tokio::task::block_in_place(|| wangge_node::control::ask(&self.dir, &"Digest", |_, _, _| ())) {
            Ok(Some(wangge_node::control::Line::Answer(lines))) => {
                lines.as_array().expect("list").iter().map(|l| l.as_str().expect("text").to_owned()).collect()
            }
            other => panic!("no digests: {other:?}"),
        }
    }
}

/// What a line of `roster …` asks for.
fn roster_command(words: &[&str]) -> wangge_node::command::RosterCommand {
    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: wangge_node::command::RosterCommand,
    }
    let words = std::iter::once("roster").chain(words.iter().copied());
    <Line as clap::Parser>::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).command
}

/// Opens the roster of a relay that is not serving.
pub fn roster(dir: &Path) -> Roster {
    Roster::new(Arc::new(Replica::open(dir, Options::default()).expect("opens"))).expect("is the relay's")
}

/// Writes an invitation while the relay is not serving.
pub fn invite_offline(dir: &Path, invite: &Invite) -> String {
    roster(dir).invite(invite).expect("invites").to_line()
}

/// A worker's replica, driven within this process.
#[derive(Debug)]
pub struct Worker {
    /// The replica.
    pub replica: Arc<Replica>,
}

impl Worker {
    /// Joins with an invitation and opens the replica.
    pub async fn join(dir: &Path, line: &str) -> Self {
        join(dir, line).await.expect("joins");
        Self::open(dir)
    }

    /// Opens a replica that joined before.
    pub fn open(dir: &Path) -> Self {
        Self::open_on(&Machine::default(), dir)
    }

    /// The same on a machine of its own.
    pub fn open_on(machine: &Machine, dir: &Path) -> Self {
        // Tasks of whoever had it open may hold the store for a moment more.
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            match Replica::open(dir, machine.clone()) {
                Ok(replica) => return Self { replica: Arc::new(replica) },
                Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// One sync with the relay that must end in sync.
    pub async fn sync(&self) -> SyncReport {
        let report = self.try_sync().await.expect("syncs");
        assert!(report.in_sync, "{report:?}");
        report
    }

    /// One sync with the relay.
    ///
    /// # Errors
    /// What the sync says.
    pub async fn try_sync(&self) -> Result<SyncReport, wangge_node::net::NetError> {
        let timeout = Some(Duration::from_secs(30));
        sync(&self.replica, SyncOptions { timeout, ..SyncOptions::default() }).await
    }

    /// Registers a person by ID number and fields; returns the document's id.
    pub fn person(&self, scope: &Scope, number: &str, fields: &[(&str, &str)]) -> DocId {
        let (doc, _) = self.replica.natural_id(scope, Kind::PERSON, number).expect("id");
        let mut ops = vec![put("id_number", number)];
        ops.extend(fields.iter().map(|(field, value)| put(field, value)));
        self.edit(scope, vec![Edit { doc, kind: Kind::PERSON, ops }]);
        doc
    }

    /// Sets fields of a person.
    pub fn set(&self, scope: &Scope, doc: DocId, fields: &[(&str, &str)]) -> Option<Committed> {
        let ops = fields.iter().map(|(field, value)| put(field, value)).collect();
        self.edit(scope, vec![Edit { doc, kind: Kind::PERSON, ops }])
    }

    /// Commits edits as one transaction.
    pub fn edit(&self, scope: &Scope, edits: Vec<Edit>) -> Option<Committed> {
        self.replica.commit(scope, edits, None).expect("commits")
    }

    /// What `words` ask of this worker's replica; its answer for programs.
    pub fn run(&self, words: &[&str]) -> serde_json::Value {
        self.try_run(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn try_run(&self, words: &[&str]) -> Result<serde_json::Value, wangge_node::command::CommandError> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(subcommand)]
            command: wangge_node::command::Command,
        }
        let line = std::iter::once("wangge").chain(words.iter().copied());
        let command =
            <Line as clap::Parser>::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).command;
        wangge_node::command::execute(&self.replica, &command, &wangge_node::command::Unwatched)
            .map(|answer| answer.json)
    }

    /// A person as this replica sees him.
    pub fn view(&self, scope: &Scope, doc: DocId) -> Option<DocumentView> {
        self.replica.apply().expect("applies");
        self.replica.get(scope, Kind::PERSON, &doc).expect("reads")
    }

    /// A command of the roster on this worker's replica.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn roster(
        &self,
        words: &[&str],
    ) -> Result<wangge_node::command::Answer, wangge_node::command::CommandError> {
        wangge_node::command::roster::execute(&self.replica, &roster_command(words))
    }

    /// The log that it writes in a scope.
    pub fn log(&self, scope: &Scope) -> wangge_model::identity::LogId {
        let profile = self.replica.profile();
        wangge_model::identity::LogId::derive(scope, &profile.replica(), profile.epoch())
    }

    /// Syncs until the centre has decided all that this worker wrote in `scope`.
    pub async fn decided(&self, scope: &Scope) {
        let log = self.log(scope);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            self.sync().await;
            if self.replica.decided(scope, &log) >= self.replica.clocks()[scope].0.len_of(&log) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "the centre decides nothing");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Syncs one scope alone with the relay.
    pub async fn sync_only(&self, scope: &Scope) {
        let only = Some(std::collections::BTreeSet::from([scope.clone()]));
        let options = SyncOptions { timeout: Some(Duration::from_secs(30)), only, ..SyncOptions::default() };
        assert!(sync(&self.replica, options).await.expect("syncs").in_sync);
    }

    /// Waits until all that was taken in is on the disk and has taken effect.
    pub fn settle(&self) {
        self.replica.store().commit(wangge_store::Batch::new()).expect("durable");
        self.replica.apply().expect("applies");
    }

    /// A stored document, to be changed by hand.
    pub fn document(&self, scope: &Scope, kind: Kind, doc: DocId) -> Document {
        self.replica.document(scope, kind, &doc).expect("reads").expect("there")
    }

    /// The Lamport number that its next transaction would carry.
    pub fn next_lamport(&self, scope: &Scope) -> u64 {
        self.replica.next_lamport(scope)
    }

    /// Syncs until a person is as `holds` says.
    pub async fn until(&self, scope: &Scope, doc: DocId, holds: impl Fn(&DocumentView) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while !self.view(scope, doc).is_some_and(|view| holds(&view)) {
            assert!(tokio::time::Instant::now() < deadline, "{:?}", self.view(scope, doc));
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.sync().await;
        }
    }

    /// Digest lines.
    pub fn digests(&self) -> Vec<String> {
        self.replica.digests().expect("digests").iter().map(ToString::to_string).collect()
    }
}

/// Puts a text into a field.
pub fn put(field: &str, value: &str) -> Op {
    Op { target: Target::Field(field.to_owned()), value: Some(Scalar::from(value)) }
}

/// Checks that each of `workers` has the digests of the relay for the scopes that it holds.
pub fn assert_equal(relay: &Relay, workers: &[&Worker]) {
    let all = relay.digests();
    for worker in workers {
        for line in worker.digests() {
            assert!(all.contains(&line), "{line} is not at the relay: {all:#?}");
        }
    }
}

/// Syncs until all of `workers` have what the relay has: it decides a moment after it takes in.
pub async fn until_equal(relay: &Relay, workers: &[&Worker]) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        for worker in workers {
            worker.sync().await;
        }
        let all = relay.digests();
        if workers.iter().all(|worker| worker.digests().iter().all(|line| all.contains(line))) {
            return;
        }
        if tokio::time::Instant::now() > deadline {
            return assert_equal(relay, workers);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A valid ID number of the unassigned region 990101 (GB 11643), another for each `order` below 90,000.
pub fn number(order: u32) -> String {
    let body = format!("990101{:04}0101{:03}", 1950 + order / 900, order % 900 + 1);
    let check = wangge_model::checks::id_number::check_character(&body).expect("17 digits");
    format!("{body}{check}")
}

/// Copies the directory of a replica or of the relay that is closed, as a backup or an imaging tool does.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            copy(&path, &to);
        } else if kind.is_file() {
            std::fs::copy(&path, &to).expect("copies");
        }
    }
}
