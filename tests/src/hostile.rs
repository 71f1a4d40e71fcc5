//! A peer that speaks the real protocol over real QUIC with a validly enrolled key, and controls every
//! byte of it.

use std::net::SocketAddr;
use std::time::Duration;

use wangge_model::clock::Clock;
use wangge_model::document::{Change, Document, Op, Origin};
use wangge_model::enrolment::SignedEnrolment;
use wangge_model::identity::{DocId, Epoch, Hash, LogId, ReplicaId, Scope};
use wangge_model::log::{EMPTY_HEAD, HeadSignature, Run, SigningKey, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Opening, ScopeSecret, Transaction, actor};
use wangge_model::wire::{Frame, FrameBuffer, Hello, PROTOCOL_VERSION, ScopeClock, Summary, encode_batch};
use wangge_node::net::{Dialler, Line};
use wangge_node::replica::Replica;

/// Longest wait for the other side; a test that reaches it fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// The connection of a hostile peer.
#[derive(Debug)]
pub struct Hostile {
    line: Line,
    frames: FrameBuffer,
    /// The digest that the device greeted with, where it dialled.
    pub greeted: [u8; 8],
    _dialler: Option<Dialler>,
}

/// A hostile area point: it listens, and whoever dials it meets a [`Hostile`].
#[derive(Debug)]
pub struct HostilePoint {
    endpoint: quinn::Endpoint,
}

impl HostilePoint {
    /// Listens with `key`.
    pub fn bind(key: &SigningKey) -> Self {
        let endpoint = wangge_node::net::listen(([127, 0, 0, 1], 0).into(), key).expect("binds");
        Self { endpoint }
    }

    /// Where.
    pub fn addr(&self) -> SocketAddr {
        self.endpoint.local_addr().expect("bound")
    }

    /// Whoever dials next, after the hello of the device.
    pub async fn meet(&self) -> Hostile {
        let incoming = tokio::time::timeout(DEADLINE, self.endpoint.accept()).await.expect("somebody dials");
        let connection = incoming.expect("listens").await.expect("connects");
        let (send, recv) = connection.accept_bi().await.expect("opens a stream");
        let line = Line { connection, send, recv };
        let mut peer = Hostile { line, frames: FrameBuffer::default(), greeted: [0; 8], _dialler: None };
        match peer.hear().await {
            Ok(Frame::Hello(hello)) => peer.greeted = hello.digest,
            other => panic!("no hello: {other:?}"),
        }
        peer
    }
}

/// How a session ended for a hostile peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told why.
    Told(String),
    /// The connection was closed with this reason.
    Closed(String),
}

impl End {
    /// The reason, however it came.
    pub fn reason(&self) -> &str {
        match self {
            Self::Told(reason) | Self::Closed(reason) => reason,
        }
    }
}

impl Hostile {
    /// Connects with the key of a replica that joined.
    pub async fn dial(key: &SigningKey, addr: SocketAddr) -> Self {
        let dialler = Dialler::new(key, None).expect("a socket");
        let line = dialler.open(&addr.to_string()).await.expect("connects");
        Self { line, frames: FrameBuffer::default(), greeted: [0; 8], _dialler: Some(dialler) }
    }

    /// Connects and says hello as an honest device would that lists `asked`, all of them empty.
    pub async fn greet(replica: &Replica, addr: SocketAddr, asked: &[Scope]) -> Self {
        let mut peer = Self::dial(&replica.signing_key(), addr).await;
        peer.say(&hello(replica, asked, None)).await;
        loop {
            match peer.hear().await {
                Ok(Frame::Hello(_)) => return peer,
                Ok(_) => {}
                Err(end) => panic!("no hello: {end:?}"),
            }
        }
    }

    /// The connection beneath.
    pub fn connection(&self) -> &quinn::Connection {
        &self.line.connection
    }

    /// Sends a frame.
    pub async fn say(&mut self, frame: &Frame) {
        self.write(&frame.encode()).await;
    }

    /// Sends runs.
    pub async fn give(&mut self, scope: &Scope, runs: &[Run]) {
        self.say(&Frame::Batch(encode_batch(scope, runs))).await;
    }

    /// Sends bytes. What the other side no longer takes is not missed.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = tokio::time::timeout(DEADLINE, self.line.send.write_all(bytes)).await.expect("is taken");
    }

    /// Sends bytes over and over for as long as the other side takes them, at most `len_bytes`.
    pub async fn pour(&mut self, bytes: &[u8], len_bytes: usize) {
        let mut poured = 0;
        while poured < len_bytes {
            let write = self.line.send.write(&bytes[poured % bytes.len()..]);
            match tokio::time::timeout(DEADLINE, write).await.expect("is taken or refused") {
                Ok(count) => poured += count,
                Err(_) => break,
            }
        }
    }

    /// The next frame, or how the session ended.
    ///
    /// # Errors
    /// The end.
    pub async fn hear(&mut self) -> Result<Frame, End> {
        loop {
            match self.frames.next_frame().expect("honest bytes") {
                Some(Frame::Refused(reason)) => return Err(End::Told(reason)),
                Some(frame) => return Ok(frame),
                None => {}
            }
            let chunk = tokio::time::timeout(DEADLINE, self.line.recv.read_chunk(64 * 1024, true));
            match chunk.await.expect("an answer or an end") {
                Ok(Some(chunk)) => self.frames.push(&chunk.bytes),
                Ok(None) => return Err(self.closed().await),
                Err(_) => return Err(self.closed().await),
            }
        }
    }

    async fn closed(&mut self) -> End {
        let closed = tokio::time::timeout(DEADLINE, self.line.connection.closed());
        End::Closed(closed.await.expect("closes").to_string())
    }

    /// Reads until the session ends.
    pub async fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.hear().await {
                return end;
            }
        }
    }

    /// Reads until a frame comes that `wanted` accepts.
    ///
    /// # Panics
    /// If the session ends before.
    pub async fn hear_until(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        loop {
            match self.hear().await {
                Ok(frame) if wanted(&frame) => return frame,
                Ok(_) => {}
                Err(end) => panic!("the session ended: {end:?}"),
            }
        }
    }
}

/// The greeting of `replica` that lists `asked`, all of them empty and never whole.
pub fn hello(replica: &Replica, asked: &[Scope], enrolment: Option<SignedEnrolment>) -> Frame {
    let clocks = asked.iter().map(|scope| ScopeClock {
        scope: scope.clone(),
        clock: Clock::default(),
        pages: Some(None),
        believes: None,
        again: false,
    });
    Frame::Hello(Box::new(Hello {
        version: PROTOCOL_VERSION,
        street: replica.profile().street(),
        enrolment,
        due: false,
        digest: [0; 8],
        summary: Summary::Clocks(clocks.collect()),
    }))
}

/// Writes a log, as badly as it is told to.
#[derive(Clone)]
pub struct Pen {
    /// Who signs.
    pub key: SigningKey,
    /// Whom the opening names.
    pub replica: ReplicaId,
    /// The epoch that the opening names.
    pub epoch: Epoch,
    /// Where it writes.
    pub scope: Scope,
    /// The secret of that scope.
    pub secret: ScopeSecret,
    /// In whose name it writes.
    pub worker: DocId,
    /// The chain's value.
    pub head: Hash,
    /// The last position.
    pub seq: u64,
}

impl Pen {
    /// Writes as the device and the worker of `replica`, in a log of its own.
    pub fn of(replica: &Replica, scope: &Scope, epoch: u64) -> Self {
        let profile = replica.profile();
        Self {
            key: profile.signing_key(),
            replica: profile.replica(),
            epoch: Epoch(epoch),
            scope: scope.clone(),
            secret: replica.secret(scope).unwrap_or(ScopeSecret([1; 32])),
            worker: profile.enrolment().map_or(DocId([9; 16]), |enrolment| enrolment.worker),
            head: EMPTY_HEAD,
            seq: 0,
        }
    }

    /// The log.
    pub fn log(&self) -> LogId {
        LogId::derive(&self.scope, &self.replica, self.epoch)
    }

    /// The next transaction with these changes, well-formed but for what they are.
    pub fn transaction(&self, changes: Vec<Change>) -> Transaction {
        let seq = self.seq + 1;
        let opening =
            (seq == 1).then_some(Opening { replica: self.replica, epoch: self.epoch, predecessor: None });
        Transaction {
            log: self.log(),
            seq,
            lamport: seq,
            wall_ms: 1_700_000_000_000,
            worker: self.worker,
            actor_nonce: (seq == 1).then_some(7),
            opening,
            seen: Vec::new(),
            changes,
            verdicts: Vec::new(),
            erased: Vec::new(),
            turn: None,
        }
    }

    /// Signs transactions as the next run.
    pub fn sign(&mut self, transactions: Vec<Transaction>) -> Run {
        for transaction in &transactions {
            self.head = next_head(&self.head, &transaction.hash(&self.secret));
            self.seq = transaction.seq;
        }
        let signature = sign_head(&self.key, &self.log(), self.seq, &self.head);
        Run { log: self.log(), branch: None, transactions, signature }
    }

    /// One transaction as a run.
    pub fn run(&mut self, changes: Vec<Change>) -> Run {
        let transaction = self.transaction(changes);
        self.sign(vec![transaction])
    }

    /// A person of nobody's as this log would make him: the change, and the document after it.
    pub fn person(&self, doc: DocId, ops: Vec<Op>) -> (Change, Document) {
        let mut document = Document::new(doc, Kind::PERSON).expect("known");
        let change = document.draft(ops);
        let origin = Origin {
            log: self.log(),
            seq: self.seq + 1,
            lamport: self.seq + 1,
            worker: self.worker,
            wall_ms: 1_700_000_000_000,
            observed_ms: 0,
            actor: actor(&self.log(), 7),
        };
        document.apply(&change, &origin).expect("applies");
        (change, document)
    }
}

/// A signature over nothing.
pub const NO_SIGNATURE: HeadSignature = HeadSignature([0; 64]);
