//! A street without a network: replicas in temporary directories, and transactions carried between
//! them by hand.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;

use wangge_model::document::{Document, Op, Scalar, Target};
use wangge_model::enrolment::{Enrolment, Grant};
use wangge_model::identity::{DocId, Epoch, LogId, ReplicaId, Role, Scope};
use wangge_model::log::{EMPTY_HEAD, Run, SigningKey, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Opening, ScopeSecret, Transaction};
use wangge_node::command::{Answer, Command, CommandError, Unwatched, execute};
use wangge_node::replica::{Edit, Profile, Replica, System};
use wangge_store::{Batch, Options};

/// The grids of the street: code and name.
pub(crate) const GRIDS: [(&str, &str); 3] =
    [("330881121003", "中心社区"), ("330881121200", "溪淤村委会"), ("330881121201", "友爱村委会")];

/// People of nobody: region 990101 is not assigned.
pub(crate) const IDS: [&str; 4] =
    ["990101199001010019", "990101199001010027", "990101199001010035", "990101199001010043"];

/// The scope of a grid.
pub(crate) fn grid(at: usize) -> Scope {
    Scope::Grid(GRIDS[at].0.to_owned())
}

/// All scopes of the street.
pub(crate) fn everything() -> Vec<Scope> {
    let mut scopes = vec![Scope::Street, Scope::Centre];
    scopes.extend((0..GRIDS.len()).map(grid));
    scopes
}

/// A replica with its directory.
pub(crate) struct Station {
    /// The replica.
    pub(crate) replica: Arc<Replica>,
    dir: TempDir,
}

fn centre() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn secret(scope: &Scope) -> ScopeSecret {
    ScopeSecret(*blake3::hash(scope.to_string().as_bytes()).as_bytes())
}

/// What the centre writes into `street`, in a log of its own.
fn centre_run(edits: &[Edit]) -> Run {
    let key = centre();
    let replica = ReplicaId(key.verifying_key().to_bytes());
    let epoch = Epoch(edits.len() as u64);
    let log = LogId::derive(&Scope::Street, &replica, epoch);
    let draft = |edit: &Edit| Document::new(edit.doc, edit.kind).expect("known").draft(edit.ops.clone());
    let mut head = EMPTY_HEAD;
    let mut transactions = Vec::new();
    for (seq, edits) in (1..).zip(edits.chunks(32)) {
        let transaction = Transaction {
            log,
            seq,
            lamport: seq,
            wall_ms: 1_790_000_000_000,
            worker: DocId([0; 16]),
            actor_nonce: (seq == 1).then_some(1),
            opening: (seq == 1).then_some(Opening { replica, epoch, predecessor: None }),
            seen: Vec::new(),
            changes: edits.iter().map(draft).collect(),
            verdicts: Vec::new(),
            erased: Vec::new(),
            turn: None,
        };
        head = next_head(&head, &transaction.hash(&secret(&Scope::Street)));
        transactions.push(transaction);
    }
    let signature = sign_head(&key, &log, transactions.len() as u64, &head);
    Run { log, branch: None, transactions, signature }
}

/// The worker of a name.
pub(crate) fn worker_id(name: &str) -> DocId {
    DocId::from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]).expect("sixteen bytes")
}

/// What `line` asks for, as the command line would read it.
pub(crate) fn command(words: &[&str]) -> Command {
    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }
    let words = std::iter::once("wangge").chain(words.iter().copied());
    Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).command
}

impl Station {
    /// A worker's replica that holds `scopes`, and knows no more of the street.
    pub(crate) fn empty(worker: &str, role: Role, unit: &Scope, scopes: &[Scope]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let centre = centre();
        let key = ReplicaId(centre.verifying_key().to_bytes());
        let mut profile = Profile::create(&System, Some(key), "127.0.0.1:1").expect("randomness");
        let mut scopes = scopes.to_vec();
        scopes.sort();
        let enrolment = Enrolment {
            street: profile.street(),
            replica: profile.replica(),
            epoch: profile.epoch(),
            worker: worker_id(worker),
            role,
            unit: unit.clone(),
            scopes: scopes.clone(),
            lease_until_ms: u64::MAX,
        };
        profile.set_grant(Grant {
            enrolment: enrolment.sign(&centre),
            secrets: scopes.iter().map(|scope| (scope.clone(), secret(scope))).collect(),
            street_code: "330881121".to_owned(),
            street_name: "贺村镇".to_owned(),
            worker_name: worker.to_owned(),
            recovery: [0; 32],
        });
        let replica = Replica::create(dir.path(), profile, Options::default()).expect("a replica");
        replica.declare_whole(&scopes).expect("declares");
        Self { replica: Arc::new(replica), dir }
    }

    /// A grid worker's replica of the grid `at`, with the street's roster.
    pub(crate) fn of_grid(worker: &str, at: usize) -> Self {
        let station = Self::empty(worker, Role::GridWorker, &grid(at), &[Scope::Street, grid(at)]);
        station.write_roster(&GRIDS);
        station
    }

    /// A workstation of the centre, with the street's roster.
    pub(crate) fn of_centre(worker: &str) -> Self {
        let station = Self::empty(worker, Role::CentreClerk, &Scope::Centre, &everything());
        station.write_roster(&GRIDS);
        station
    }

    /// Writes the street's grids, and everybody whom these tests know.
    pub(crate) fn write_roster(&self, grids: &[(&str, &str)]) {
        let field = |name: &str, value: &str| Op {
            target: Target::Field(name.to_owned()),
            value: Some(value.into()),
        };
        let mut edits: Vec<Edit> = grids
            .iter()
            .map(|(code, name)| Edit {
                doc: worker_id(code),
                kind: Kind::UNIT,
                ops: vec![
                    field("scope", &format!("grid:{code}")),
                    field("name", name),
                    field("code", code),
                    field("area", "330881121"),
                ],
            })
            .collect();
        edits.extend(["张三", "李四", "王五"].map(|name| Edit {
            doc: worker_id(name),
            kind: Kind::WORKER,
            ops: vec![field("name", name)],
        }));
        self.hear_from_centre(&edits);
    }

    /// Takes in what the centre writes into `street`; each time another number of edits.
    pub(crate) fn hear_from_centre(&self, edits: &[Edit]) {
        let run = centre_run(edits);
        assert_eq!(self.replica.ingest(&Scope::Street, vec![run]).expect("well signed").misfits, []);
        self.replica.store().commit(Batch::new()).expect("durable");
        self.replica.apply().expect("applies");
    }

    /// Lets these stations know of each other what the roster would say: who holds which post on which
    /// replica, and how the units above the grids are called. Once a test.
    pub(crate) fn acquaint(stations: &[&Self]) {
        let field = |name: &str, value: &str| Op {
            target: Target::Field(name.to_owned()),
            value: Some(value.into()),
        };
        let entry = |container: &str, key: String| Op {
            target: Target::Entry { container: container.to_owned(), key },
            value: Some(Scalar::Bool(true)),
        };
        let units = [("street", "贺村镇"), ("centre", "社管中心"), ("area:330881121", "东片")];
        let mut edits: Vec<Edit> = units
            .iter()
            .map(|(scope, name)| Edit {
                doc: worker_id(scope),
                kind: Kind::UNIT,
                ops: vec![field("scope", scope), field("name", name)],
            })
            .collect();
        for station in stations {
            let profile = station.replica.profile();
            let enrolment = profile.enrolment().expect("enrolled");
            let post = format!("{}@{}", enrolment.role, enrolment.unit);
            let key = profile.replica().to_string();
            edits.push(Edit {
                doc: enrolment.worker,
                kind: Kind::WORKER,
                ops: vec![entry("posts", post), field("status", "active")],
            });
            edits.push(Edit {
                doc: worker_id(&key),
                kind: Kind::REPLICA,
                ops: vec![
                    field("key", &key),
                    field("worker", &enrolment.worker.to_string()),
                    field("role", enrolment.role.name()),
                    field("unit", &enrolment.unit.to_string()),
                    field("status", "active"),
                    entry("epochs", format!("{:016x}", profile.epoch().0)),
                ],
            });
        }
        for station in stations {
            let run = centre_run(&edits);
            assert_eq!(station.replica.ingest(&Scope::Street, vec![run]).expect("well signed").misfits, []);
            station.replica.store().commit(Batch::new()).expect("durable");
            station.replica.apply().expect("applies");
        }
    }

    /// Gives the store up: the directory, for whoever opens it next.
    pub(crate) fn close(self) -> TempDir {
        let Self { replica, dir } = self;
        // A connection that has just been answered may hold it for a moment longer.
        let deadline = Instant::now() + Duration::from_secs(30);
        while Arc::strong_count(&replica) > 1 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        Arc::into_inner(replica).expect("nobody else uses it").close();
        dir
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path in a directory of its own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let files = self.dir().join("files");
        std::fs::create_dir_all(&files).expect("a directory");
        files.join(name)
    }

    /// Does a command.
    pub(crate) fn try_run(&self, words: &[&str]) -> Result<Answer, CommandError> {
        execute(&self.replica, &command(words), &Unwatched)
    }

    /// Does a command that succeeds: what programs read.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Value {
        self.try_run(words).unwrap_or_else(|error| panic!("{words:?}: {error}")).json
    }

    /// Does a command that succeeds: what people read.
    #[track_caller]
    pub(crate) fn text(&self, words: &[&str]) -> String {
        self.try_run(words).unwrap_or_else(|error| panic!("{words:?}: {error}")).text
    }

    /// Does a command that is refused with `code`: the message.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str], code: &str) -> String {
        match self.try_run(words) {
            Ok(answer) => panic!("{words:?} was not refused: {}", answer.json),
            Err(error) => {
                assert_eq!(error.code, code, "{}", error.message);
                assert!(error.message.contains('\n'), "one language only: {}", error.message);
                error.message
            }
        }
    }

    /// How many transactions there are.
    pub(crate) fn transactions(&self) -> u64 {
        self.replica
            .clocks()
            .values()
            .flat_map(|(clock, _)| clock.0.values())
            .map(wangge_model::clock::Ends::len)
            .sum()
    }

    /// The one document of a kind in a scope that a number names.
    #[track_caller]
    pub(crate) fn fields(&self, kind: &str, key: &str) -> Value {
        self.run(&[kind, "show", key, "--unmask", "测试"])["fields"].clone()
    }

    /// Gives all that this replica has to another one, of the scopes that both hold.
    pub(crate) fn carry_to(&self, other: &Self) {
        let theirs = other.replica.clocks();
        for (scope, (clock, _)) in self.replica.clocks() {
            let Some((known, _)) = theirs.get(&scope) else { continue };
            for (log, ends) in &clock.0 {
                let mut from = known.len_of(log) + 1;
                while from <= ends.len() {
                    let runs = self.replica.load_from(&scope, log, from).expect("loads");
                    from += runs.iter().map(|run| run.transactions.len() as u64).sum::<u64>().max(1);
                    other.replica.ingest(&scope, runs).expect("takes in");
                }
            }
            let deadline = Instant::now() + Duration::from_secs(30);
            while !other.replica.clocks()[&scope].0.covers(&clock) {
                assert!(Instant::now() < deadline, "{scope} did not become durable");
                std::thread::yield_now();
            }
        }
        other.replica.apply().expect("applies");
    }
}

/// Two grid workers of one grid.
pub(crate) fn neighbours() -> (Station, Station) {
    let ana = Station::of_grid("张三", 1);
    let ben = Station::of_grid("李四", 1);
    meet(&ana, &ben);
    (ana, ben)
}

/// Both give each other what they have.
pub(crate) fn meet(a: &Station, b: &Station) {
    a.carry_to(b);
    b.carry_to(a);
}

/// The value shown for a field.
pub(crate) fn shown<'a>(fields: &'a Value, field: &str) -> &'a Value {
    &fields[field]["value"]
}
