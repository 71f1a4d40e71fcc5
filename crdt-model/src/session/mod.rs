//! The session of two replicas as a value: frames, storage completions and news of durable data go in;
//! frames, storage requests and events come out. It opens no socket, reads no clock and touches no disk.
//!
//! Both sides run the same code. Each tells its clocks (or digests of them, where they are long), sends
//! what the other lacks, and acknowledges what has become durable. A dialler that remembers the peer's
//! clock sends what it thinks is missing together with its hello.

mod scope;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use scope::Completeness;

use scope::ScopeSession;

use crate::checkpoint::{Checkpoint, Cursor, verify_part};
use crate::clock::{Clock, Extent};
use crate::enrolment::{Grant, SignedEnrolment, StreetId};
use crate::identity::{LogId, ReplicaId, Scope};
use crate::log::Run;
use crate::wire::{
    Acknowledged, CheckpointStart, Frame, FrameBuffer, Hello, PROTOCOL_VERSION, ScopeClock, Summary,
    WireError, decode_batch, encode_batch,
};

/// Clock entries that a hello carries at most; with more it carries digests.
const HELLO_CLOCK_ENTRIES_MAX: usize = 96;

/// Scopes with at least this many documents go to a new replica in pages.
pub const PAGES_FROM_DOCUMENTS: u64 = 32;

/// What a session starts from.
#[derive(Debug)]
pub struct Config {
    /// Whether this side dialled.
    pub dialler: bool,
    /// The street.
    pub street: StreetId,
    /// The centre's key: signs checkpoints.
    pub centre: ReplicaId,
    /// Shown to neighbours; `None` towards the relay, which knows its replicas, and at the relay.
    pub enrolment: Option<SignedEnrolment>,
    /// Per scope held here: what is durable and whether all of it is.
    pub scopes: BTreeMap<Scope, (Clock, Completeness)>,
    /// The peer's clocks after the last session with it.
    pub remembered: BTreeMap<Scope, Clock>,
}

/// What goes in.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes from the peer's stream.
    Received(&'a [u8]),
    /// Which scopes the peer holds: the answer to [`Output::Admit`].
    Admitted(BTreeSet<Scope>),
    /// A log is durable here up to `extent`, whoever wrote it.
    Durable {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// How far.
        extent: Extent,
    },
    /// The answer to [`Output::Ingest`]: the runs were checked, and all news of durable data until then
    /// has gone in. What was held already is acknowledged now, the rest when it is durable.
    Ingested(Scope),
    /// The answer to [`Output::Load`]; no run means that there is nothing to send.
    Loaded {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// Consecutive runs of one log.
        runs: Vec<Run>,
    },
    /// A run did not fit what is held here: a gap, or a fork whose beginning is needed. The log's
    /// extent to ask from.
    Misfit {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// What to say is held.
        held: Extent,
    },
    /// The answer to [`Output::LoadCheckpoint`].
    CheckpointLoaded {
        /// The signed start.
        start: CheckpointStart,
        /// The clock it stands for.
        clock: Clock,
        /// How many documents the scope has.
        documents: u64,
    },
    /// The answer to [`Output::LoadPage`].
    PageLoaded {
        /// The scope.
        scope: Scope,
        /// The end of the page; `None` in the last one.
        end: Option<Cursor>,
        /// The documents.
        packed: Vec<u8>,
        /// The centre's signature.
        signature: [u8; 64],
    },
    /// All pages of a scope are in and durable: what is held of it now.
    Completed {
        /// The scope.
        scope: Scope,
        /// What is durable.
        clock: Clock,
    },
}

/// What comes out.
#[derive(Debug, PartialEq)]
#[must_use]
pub enum Output {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Which scopes does the peer hold? Answer with [`Input::Admitted`] or end the session.
    Admit(Option<SignedEnrolment>),
    /// Load runs of a log from a position.
    Load {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// The first position that the peer lacks.
        from: u64,
        /// What the peer has before it. If the log here has another head there, it forked: load it
        /// from its beginning.
        at_peer: Option<Extent>,
    },
    /// Load the start of a checkpoint of a scope.
    LoadCheckpoint(Scope),
    /// Load the page after this cursor.
    LoadPage(Scope, Option<Cursor>),
    /// Check and store these runs; durable logs come back as [`Input::Durable`], and then
    /// [`Input::Ingested`].
    Ingest(Scope, Vec<Run>),
    /// Remember that pages are coming, and the signed start for others who need them.
    StartPages(Checkpoint, CheckpointStart),
    /// Store a page; after the last one comes [`Input::Completed`].
    StorePage {
        /// The scope.
        scope: Scope,
        /// The end of the page; `None` in the last one.
        end: Option<Cursor>,
        /// The documents.
        packed: Vec<u8>,
        /// The centre's signature.
        signature: [u8; 64],
    },
    /// The centre changed this replica's enrolment: keep it, then say [`Session::grant_kept`].
    Granted(Box<Grant>),
    /// The peer has kept its changed enrolment.
    GrantKept,
    /// The peer has this much on its disk.
    PeerHas {
        /// The scope.
        scope: Scope,
        /// Its clock.
        clock: Clock,
    },
    /// Both sides hold the same.
    InSync,
    /// The peer ended the session in order; whether its digest equals ours.
    Farewell {
        /// Whether both ended equal.
        equal: bool,
    },
    /// The answer to a ping: whether both sides hold the same.
    Pong {
        /// Whether both hold the same.
        equal: bool,
    },
}

/// Why a session ends out of order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The peer sent something that cannot be read.
    #[error("the peer sent what cannot be read: {0}")]
    Wire(#[from] WireError),
    /// The peer speaks another version.
    #[error("the peer speaks protocol version {theirs}, this side {PROTOCOL_VERSION}: update the older one")]
    Version {
        /// Its version.
        theirs: u16,
    },
    /// The peer belongs to another street.
    #[error("the peer belongs to another street")]
    Street,
    /// A frame that is not legal now.
    #[error("the peer sent {frame} before its hello")]
    Order {
        /// What it sent.
        frame: &'static str,
    },
    /// Data of a scope that the peer does not hold.
    #[error("the peer sent data of {scope}, which it does not hold")]
    NotShared {
        /// The scope.
        scope: Scope,
    },
    /// Pages that the centre did not sign.
    #[error("the peer sent pages of {scope} that the centre did not sign")]
    Unsigned {
        /// The scope.
        scope: Scope,
    },
    /// The peer will not go on.
    #[error("the peer refuses: {reason}")]
    Refused {
        /// Its reason.
        reason: String,
    },
}

/// Counts of what a session carried.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Transactions sent.
    pub transactions_sent: u64,
    /// Transactions received.
    pub transactions_received: u64,
    /// Documents received in pages and changed by transactions.
    pub documents_received: u64,
    /// How often this side waited for an answer, without the transport's handshake.
    pub round_trips: u32,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Phase {
    /// The peer's hello is outstanding.
    Greeting,
    /// The peer said hello; whether it may take part is being looked up.
    Admitting,
    /// Scopes are shared.
    Open,
}

/// One session with one peer.
#[derive(Debug)]
pub struct Session {
    config: Config,
    phase: Phase,
    scopes: BTreeMap<Scope, ScopeSession>,
    frames: FrameBuffer,
    hello: Option<Box<Hello>>,
    /// Frames that came between the hello and its admission.
    early: VecDeque<Frame>,
    out: VecDeque<Output>,
    traffic: Traffic,
    awaiting: bool,
    was_in_sync: bool,
}

impl Session {
    /// A session; a dialler's first frames wait in [`Session::poll_output`].
    pub fn new(config: Config) -> Self {
        let mut session = Self {
            phase: Phase::Greeting,
            scopes: BTreeMap::new(),
            frames: FrameBuffer::default(),
            hello: None,
            early: VecDeque::new(),
            out: VecDeque::new(),
            traffic: Traffic::default(),
            awaiting: false,
            was_in_sync: false,
            config,
        };
        if session.config.dialler {
            let shared: BTreeSet<Scope> = session.config.scopes.keys().cloned().collect();
            session.share(&shared);
            session.say_hello();
            session.push_all();
        }
        session
    }

    // ---- getters

    /// What the session carried so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Whether both sides hold the same of every shared scope.
    pub fn is_in_sync(&self) -> bool {
        self.phase == Phase::Open && self.scopes.values().all(ScopeSession::in_sync)
    }

    /// Scopes in which the two sides are not known to be equal.
    pub fn differing(&self) -> Vec<Scope> {
        self.scopes.iter().filter(|(_, s)| !s.in_sync()).map(|(scope, _)| scope.clone()).collect()
    }

    /// Eight bytes that are equal when all shared clocks are.
    pub fn digest(&self) -> [u8; 8] {
        digest_of(self.scopes.iter().map(|(scope, session)| (scope, &session.mine)))
    }

    // ---- commands

    /// Asks the peer whether both are still equal; [`Output::Pong`] answers.
    pub fn ping(&mut self) {
        let digest = self.digest();
        self.send(&Frame::Ping(digest));
    }

    /// Ends the session in order.
    pub fn say_bye(&mut self) {
        let digest = self.digest();
        self.send(&Frame::Bye(digest));
    }

    /// Hands the peer a changed enrolment.
    pub fn grant(&mut self, grant: Grant) {
        self.send(&Frame::Granted(Box::new(grant)));
    }

    /// Tells the centre that the changed enrolment is kept.
    pub fn grant_kept(&mut self) {
        self.send_quietly(&Frame::GrantKept);
    }

    // ---- inputs

    /// Takes one input in.
    ///
    /// # Errors
    /// [`SessionError`]: the session is over; say why to the peer with [`refusal`] and close.
    pub fn handle(&mut self, input: Input<'_>) -> Result<(), SessionError> {
        match input {
            Input::Received(bytes) => {
                self.frames.push(bytes);
                while let Some(frame) = self.frames.next_frame()? {
                    self.handle_frame(frame)?;
                }
            }
            Input::Admitted(theirs) => self.handle_admitted(&theirs)?,
            Input::Durable { scope, log, extent } => {
                // Both the session's own account and the one it would start from.
                if let Some(held) = self.config.scopes.get_mut(&scope) {
                    held.0.0.insert(log, extent);
                }
                if let Some(session) = self.scopes.get_mut(&scope) {
                    session.mine.0.insert(log, extent);
                    self.acknowledge(&scope);
                    self.push(&scope);
                }
            }
            Input::Ingested(scope) => self.acknowledge(&scope),
            Input::Loaded { scope, log, runs } => self.handle_loaded(&scope, log, &runs),
            Input::Misfit { scope, log, held } => {
                if let Some(session) = self.scopes.get_mut(&scope) {
                    let mut clock = session.mine.clone();
                    if held.len == 0 {
                        clock.0.remove(&log);
                    } else {
                        clock.0.insert(log, held);
                    }
                    session.owed.remove(&log);
                    let believes = Some(session.peer.digest());
                    let entry = ScopeClock { scope, clock, pages: None, believes, again: true };
                    self.send(&Frame::Clocks(vec![entry]));
                }
            }
            Input::CheckpointLoaded { start, clock, documents } => {
                self.handle_checkpoint_loaded(start, &clock, documents);
            }
            Input::PageLoaded { scope, end, packed, signature } => {
                self.send(&Frame::Page { scope: scope.clone(), end, packed, signature });
                match end {
                    Some(_) => self.out.push_back(Output::LoadPage(scope, end)),
                    None => self.finish_serving(&scope),
                }
            }
            Input::Completed { scope, clock } => {
                if let Some(session) = self.scopes.get_mut(&scope) {
                    session.mine.merge(&clock);
                    session.peer.merge(&clock);
                    session.completeness = Completeness::Whole;
                    session.taking = false;
                }
            }
        }
        self.note_sync();
        Ok(())
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<(), SessionError> {
        if std::mem::take(&mut self.awaiting) {
            self.traffic.round_trips += 1;
        }
        match (self.phase, frame) {
            (_, Frame::Refused(reason)) => Err(SessionError::Refused { reason }),
            (Phase::Greeting, Frame::Hello(hello)) => self.handle_hello(hello),
            (Phase::Greeting, other) => Err(SessionError::Order { frame: name(&other) }),
            (Phase::Admitting, frame) => {
                self.early.push_back(frame);
                Ok(())
            }
            (Phase::Open, Frame::Clocks(clocks)) => self.handle_clocks(clocks),
            (Phase::Open, Frame::Batch(batch)) => self.handle_batch(&batch),
            (Phase::Open, Frame::Acknowledged(acks)) => self.handle_acknowledged(acks),
            (Phase::Open, Frame::Checkpoint(start)) => self.handle_checkpoint(&start),
            (Phase::Open, Frame::Page { scope, end, packed, signature }) => {
                self.handle_page(scope, end, packed, &signature)
            }
            (Phase::Open, Frame::Ping(theirs)) => {
                let mine = self.digest();
                self.send(&Frame::Pong(mine));
                if theirs != mine {
                    self.tell_all();
                }
                Ok(())
            }
            (Phase::Open, Frame::Pong(theirs)) => {
                let equal = theirs == self.digest();
                self.out.push_back(Output::Pong { equal });
                Ok(())
            }
            (Phase::Open, Frame::Granted(grant)) => {
                self.out.push_back(Output::Granted(grant));
                Ok(())
            }
            (Phase::Open, Frame::GrantKept) => {
                self.out.push_back(Output::GrantKept);
                Ok(())
            }
            (Phase::Open, Frame::Bye(theirs)) => {
                let equal = theirs == self.digest();
                self.out.push_back(Output::Farewell { equal });
                Ok(())
            }
            (Phase::Open, other @ (Frame::Hello(_) | Frame::Join(_) | Frame::Joined(_))) => {
                Err(SessionError::Order { frame: name(&other) })
            }
        }
    }

    fn handle_hello(&mut self, hello: Box<Hello>) -> Result<(), SessionError> {
        if hello.version != PROTOCOL_VERSION {
            return Err(SessionError::Version { theirs: hello.version });
        }
        if hello.street != self.config.street {
            return Err(SessionError::Street);
        }
        if self.config.dialler {
            self.phase = Phase::Open;
            return self.greet(*hello);
        }
        self.phase = Phase::Admitting;
        self.out.push_back(Output::Admit(hello.enrolment.clone()));
        self.hello = Some(hello);
        Ok(())
    }

    fn handle_admitted(&mut self, theirs: &BTreeSet<Scope>) -> Result<(), SessionError> {
        let shared = self.config.scopes.keys().filter(|s| theirs.contains(*s)).cloned().collect();
        self.share(&shared);
        self.phase = Phase::Open;
        if let Some(hello) = self.hello.take() {
            self.greet(*hello)?;
        }
        while let Some(frame) = self.early.pop_front() {
            self.handle_frame(frame)?;
        }
        Ok(())
    }

    fn share(&mut self, shared: &BTreeSet<Scope>) {
        for scope in shared {
            if let Some((clock, completeness)) = self.config.scopes.get(scope) {
                let remembered = self.config.remembered.get(scope);
                let session = ScopeSession::new(clock.clone(), *completeness, remembered);
                self.scopes.insert(scope.clone(), session);
            }
        }
    }

    fn say_hello(&mut self) {
        let entries: usize = self.scopes.values().map(|session| session.mine.0.len()).sum();
        let summary = if entries <= HELLO_CLOCK_ENTRIES_MAX {
            Summary::Clocks(
                self.scopes.keys().cloned().collect::<Vec<_>>().iter().map(|s| self.tell(s)).collect(),
            )
        } else {
            // A scope that is not whole is left out, so that the peer tells its clock.
            let whole = self.scopes.iter().filter(|(_, s)| s.completeness == Completeness::Whole);
            Summary::Digests(whole.map(|(scope, s)| (scope.clone(), s.mine.digest())).collect())
        };
        self.send_hello(summary);
    }

    fn send_hello(&mut self, summary: Summary) {
        let hello = Hello {
            version: PROTOCOL_VERSION,
            street: self.config.street,
            enrolment: self.config.enrolment.clone(),
            digest: self.digest(),
            summary,
        };
        self.send(&Frame::Hello(Box::new(hello)));
    }

    /// This side's clock of a scope, to be sent now.
    fn tell(&mut self, scope: &Scope) -> ScopeClock {
        let remembers = self.config.remembered.contains_key(scope);
        match self.scopes.get_mut(scope) {
            None => {
                let (scope, clock) = (scope.clone(), Clock::default());
                ScopeClock { scope, clock, pages: None, believes: None, again: false }
            }
            Some(session) => {
                session.told_peer = true;
                ScopeClock {
                    scope: scope.clone(),
                    clock: session.mine.clone(),
                    pages: match session.completeness {
                        Completeness::Whole => None,
                        Completeness::Partial(cursor) => Some(cursor),
                    },
                    believes: (session.told || remembers).then(|| session.peer.digest()),
                    again: false,
                }
            }
        }
    }

    fn tell_all(&mut self) {
        let scopes: Vec<Scope> = self.scopes.keys().cloned().collect();
        let clocks = scopes.iter().map(|scope| self.tell(scope)).collect();
        self.send(&Frame::Clocks(clocks));
    }

    /// The peer's hello has come and it may take part.
    fn greet(&mut self, hello: Hello) -> Result<(), SessionError> {
        let peer_is_whole = match &hello.summary {
            Summary::Clocks(clocks) => clocks.iter().all(|entry| entry.pages.is_none()),
            Summary::Digests(digests) => digests.len() >= self.scopes.len(),
        };
        let whole = self.scopes.values().all(|s| s.completeness == Completeness::Whole);
        if hello.digest == self.digest() && peer_is_whole && whole {
            for session in self.scopes.values_mut() {
                session.peer_tells(session.mine.clone(), false);
            }
            self.announce_peer();
            if !self.config.dialler {
                self.send_hello(Summary::Clocks(Vec::new()));
            }
            return Ok(());
        }
        match hello.summary {
            Summary::Clocks(clocks) if self.config.dialler => {
                // What the listener does not list is as this side believed.
                let listed: BTreeSet<Scope> = clocks.iter().map(|entry| entry.scope.clone()).collect();
                for (_, session) in self.scopes.iter_mut().filter(|(scope, _)| !listed.contains(*scope)) {
                    session.told = true;
                }
                self.handle_clocks(clocks)?;
            }
            Summary::Clocks(clocks) => {
                for entry in &clocks {
                    if let Some(session) = self.scopes.get_mut(&entry.scope) {
                        session.peer_tells(entry.clock.clone(), entry.again);
                    }
                }
                let answer: Vec<Scope> = clocks
                    .iter()
                    .filter(|entry| {
                        let mine = self.scopes.get(&entry.scope).map(|s| s.mine.digest());
                        mine.is_some() && mine != entry.believes
                    })
                    .map(|entry| entry.scope.clone())
                    .collect();
                let answer = answer.iter().map(|scope| self.tell(scope)).collect();
                self.send_hello(Summary::Clocks(answer));
                for entry in clocks {
                    self.peer_clock(entry);
                }
            }
            Summary::Digests(digests) => {
                let digests: BTreeMap<Scope, [u8; 8]> = digests.into_iter().collect();
                let mut differ = Vec::new();
                for (scope, session) in &mut self.scopes {
                    if digests.get(scope) == Some(&session.mine.digest()) {
                        session.peer_tells(session.mine.clone(), false);
                    } else {
                        differ.push(scope.clone());
                    }
                }
                let clocks = differ.iter().map(|scope| self.tell(scope)).collect();
                if self.config.dialler {
                    self.send(&Frame::Clocks(clocks));
                } else {
                    self.send_hello(Summary::Clocks(clocks));
                }
            }
        }
        Ok(())
    }

    fn handle_clocks(&mut self, clocks: Vec<ScopeClock>) -> Result<(), SessionError> {
        let mut answer = Vec::new();
        for entry in clocks {
            let scope = entry.scope.clone();
            let Some(session) = self.scopes.get(&scope) else { continue };
            // The peer may lack this side's clock, or want it again.
            let right = entry.believes == Some(session.mine.digest());
            if !right && (entry.believes.is_none() || !session.told_peer) {
                answer.push(scope.clone());
            }
            self.peer_clock(entry);
        }
        if !answer.is_empty() {
            let clocks = answer.iter().map(|scope| self.tell(scope)).collect();
            self.send(&Frame::Clocks(clocks));
        }
        Ok(())
    }

    /// The peer says what it has of a scope: send what it lacks.
    fn peer_clock(&mut self, entry: ScopeClock) {
        let Some(session) = self.scopes.get_mut(&entry.scope) else { return };
        session.peer_tells(entry.clock.clone(), entry.again);
        self.out.push_back(Output::PeerHas { scope: entry.scope.clone(), clock: entry.clock.clone() });
        match entry.pages {
            Some(after) if session.serving.is_none() && session.completeness == Completeness::Whole => {
                match after {
                    // It goes on where a checkpoint broke off; its clock is that checkpoint's.
                    Some(_) => {
                        session.serving = Some(entry.clock);
                        self.out.push_back(Output::LoadPage(entry.scope, after));
                    }
                    None => {
                        session.serving = Some(entry.clock);
                        self.out.push_back(Output::LoadCheckpoint(entry.scope));
                    }
                }
            }
            _ => self.push(&entry.scope),
        }
    }

    fn handle_batch(&mut self, batch: &[u8]) -> Result<(), SessionError> {
        let (scope, runs) = decode_batch(batch)?;
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(SessionError::NotShared { scope });
        };
        let mut documents = BTreeSet::new();
        for run in &runs {
            self.traffic.transactions_received += run.transactions.len() as u64;
            documents.extend(run.transactions.iter().flat_map(|t| &t.changes).map(|change| change.doc));
            if let Some(last) = run.transactions.last() {
                let owed = session.owed.entry(run.log).or_default();
                *owed = (*owed).max(last.seq);
                let sent = session.sent.entry(run.log).or_default();
                *sent = (*sent).max(last.seq);
            }
        }
        self.traffic.documents_received += documents.len() as u64;
        self.out.push_back(Output::Ingest(scope, runs));
        Ok(())
    }

    fn acknowledge(&mut self, scope: &Scope) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        let due = session.payable();
        if due.is_empty() {
            return;
        }
        for (log, extent) in &due {
            // What it sent and we now hold, it holds too.
            if session.peer.len_of(log) <= extent.len {
                session.peer.0.insert(*log, *extent);
            }
        }
        let acks = Acknowledged { scope: scope.clone(), logs: due };
        let clock = session.peer.clone();
        self.send_quietly(&Frame::Acknowledged(acks));
        self.out.push_back(Output::PeerHas { scope: scope.clone(), clock });
    }

    fn handle_acknowledged(&mut self, acks: Acknowledged) -> Result<(), SessionError> {
        let scope = acks.scope;
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(SessionError::NotShared { scope });
        };
        // The latest word counts, even where a fork made it less.
        session.peer.0.extend(acks.logs);
        let clock = session.peer.clone();
        self.out.push_back(Output::PeerHas { scope, clock });
        Ok(())
    }

    fn handle_loaded(&mut self, scope: &Scope, log: LogId, runs: &[Run]) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        session.loading.remove(&log);
        let Some(last) = runs.last().and_then(|run| run.transactions.last()) else { return };
        session.sent.insert(log, last.seq);
        self.traffic.transactions_sent += runs.iter().map(|run| run.transactions.len() as u64).sum::<u64>();
        let batch = encode_batch(scope, runs);
        self.send(&Frame::Batch(batch));
        self.push(scope);
    }

    fn handle_checkpoint_loaded(&mut self, start: CheckpointStart, clock: &Clock, documents: u64) {
        let scope = start.scope.clone();
        let Some(session) = self.scopes.get_mut(&scope) else { return };
        if documents < PAGES_FROM_DOCUMENTS {
            // The last page at once, and empty: the transactions themselves follow.
            let nothing = session.serving.take().unwrap_or_default();
            session.peer = nothing;
            let empty =
                Frame::Page { scope: scope.clone(), end: None, packed: Vec::new(), signature: [0; 64] };
            self.send(&empty);
            self.push(&scope);
            return;
        }
        let mut served = session.serving.take().unwrap_or_default();
        served.merge(clock);
        session.serving = Some(served);
        self.send(&Frame::Checkpoint(start));
        self.out.push_back(Output::LoadPage(scope, None));
    }

    fn finish_serving(&mut self, scope: &Scope) {
        if let Some(session) = self.scopes.get_mut(scope)
            && let Some(clock) = session.serving.take()
        {
            session.peer.merge(&clock);
            self.push(scope);
        }
    }

    fn handle_checkpoint(&mut self, start: &CheckpointStart) -> Result<(), SessionError> {
        let scope = start.scope.clone();
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(SessionError::NotShared { scope });
        };
        if !verify_part(&self.config.centre, &scope, b"start", &start.bytes, &start.signature()) {
            return Err(SessionError::Unsigned { scope });
        }
        let checkpoint: Checkpoint =
            postcard::from_bytes(&start.bytes).map_err(|_| WireError::Unsound { what: "a checkpoint" })?;
        if checkpoint.scope != scope {
            return Err(SessionError::Unsigned { scope });
        }
        if session.completeness == Completeness::Whole {
            return Ok(());
        }
        session.taking = true;
        self.out.push_back(Output::StartPages(checkpoint, start.clone()));
        Ok(())
    }

    fn handle_page(
        &mut self,
        scope: Scope,
        end: Option<Cursor>,
        packed: Vec<u8>,
        signature: &[u8; 64],
    ) -> Result<(), SessionError> {
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(SessionError::NotShared { scope });
        };
        if session.completeness == Completeness::Whole {
            return Ok(());
        }
        if end.is_none() && packed.is_empty() {
            // So few documents that the transactions themselves follow.
            session.completeness = Completeness::Whole;
            self.out.push_back(Output::StorePage { scope, end, packed, signature: *signature });
            return Ok(());
        }
        if !verify_part(&self.config.centre, &scope, b"page", &packed, signature) {
            return Err(SessionError::Unsigned { scope });
        }
        session.taking = true;
        session.completeness = Completeness::Partial(end);
        self.out.push_back(Output::StorePage { scope, end, packed, signature: *signature });
        Ok(())
    }

    // ---- outputs

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Counts documents that arrived in a page.
    pub fn count_documents(&mut self, count: u64) {
        self.traffic.documents_received += count;
    }

    fn push_all(&mut self) {
        let scopes: Vec<Scope> =
            self.scopes.keys().filter(|scope| self.config.remembered.contains_key(*scope)).cloned().collect();
        for scope in scopes {
            self.push(&scope);
        }
    }

    /// Asks for what the peer lacks and has not been sent.
    fn push(&mut self, scope: &Scope) {
        let Some(session) = self.scopes.get_mut(scope) else { return };
        // Without knowing what the peer has, everything would go.
        if !session.told && !self.config.remembered.contains_key(scope) {
            return;
        }
        for (log, from, at_peer) in session.unsent() {
            if from == 1 {
                session.rewound.insert(log);
            }
            session.loading.insert(log);
            // An empty answer must not be asked for again.
            session.sent.insert(log, session.mine.len_of(&log));
            self.out.push_back(Output::Load { scope: scope.clone(), log, from, at_peer });
        }
    }

    fn note_sync(&mut self) {
        let now = self.is_in_sync();
        if now && !self.was_in_sync {
            self.announce_peer();
            self.out.push_back(Output::InSync);
        }
        self.was_in_sync = now;
    }

    fn announce_peer(&mut self) {
        for (scope, session) in &self.scopes {
            let clock = session.peer.clone();
            self.out.push_back(Output::PeerHas { scope: scope.clone(), clock });
        }
    }

    /// Sends what the peer will answer.
    fn send(&mut self, frame: &Frame) {
        self.awaiting = true;
        self.send_quietly(frame);
    }

    fn send_quietly(&mut self, frame: &Frame) {
        self.out.push_back(Output::Send(frame.encode()));
    }
}

/// The frame that tells a peer why a session ends.
pub fn refusal(reason: &str) -> Vec<u8> {
    Frame::Refused(reason.chars().take(300).collect()).encode()
}

fn digest_of<'a>(clocks: impl Iterator<Item = (&'a Scope, &'a Clock)>) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 clocks");
    for (scope, clock) in clocks {
        hasher.update(scope.to_string().as_bytes());
        hasher.update(&[0]);
        hasher.update(&clock.digest());
    }
    crate::identity::Hash(*hasher.finalize().as_bytes()).tag()
}

fn name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Join(_) => "an invitation",
        Frame::Joined(_) => "an answer to an invitation",
        Frame::Hello(_) => "a hello",
        Frame::Clocks(_) => "clocks",
        Frame::Batch(_) => "transactions",
        Frame::Acknowledged(_) => "an acknowledgement",
        Frame::Checkpoint(_) => "a checkpoint",
        Frame::Page { .. } => "a page",
        Frame::Ping(_) => "a ping",
        Frame::Pong(_) => "a pong",
        Frame::Granted(_) => "an enrolment",
        Frame::GrantKept => "a receipt for an enrolment",
        Frame::Bye(_) => "a farewell",
        Frame::Refused(_) => "a refusal",
    }
}
