//! The session of two replicas as a value: frames, storage completions and news of durable data go in;
//! frames, storage requests and events come out. It opens no socket, reads no clock and touches no disk.
//!
//! Both sides run the same code. Each tells its clocks (or digests of them, where they are long), sends
//! what the other lacks, and acknowledges what has become durable. A dialler that remembers the peer's
//! clock sends what it thinks is missing together with its hello.

mod exchange;
mod greeting;
mod pages;
mod scope;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use scope::Completeness;

use scope::{ScopeSession, Shown};

use crate::checkpoint::{Checkpoint, Cursor};
use crate::clock::{Clock, Ends, Extent};
use crate::enrolment::{Grant, SignedEnrolment, StreetId};
use crate::fingerprint::{Answer, Holds, Question};
use crate::identity::{DocId, LogId, ReplicaId, Scope};
use crate::log::Run;
use crate::sealed::{SealedKept, SealedRun};
use crate::wipe::{SignedOrder, SignedReceipt};
use crate::wire::{CheckpointStart, Frame, FrameBuffer, Hello, PROTOCOL_VERSION, WireError};

/// Clock entries that a hello carries at most; with more it carries digests.
const HELLO_CLOCK_ENTRIES_MAX: usize = 96;

/// Most logs of one scope that a peer may claim to have: as many as a transaction may have seen.
const LOGS_MAX: usize = crate::transaction::SEEN_MAX;

/// No transaction fits into a batch of this length: a signature alone takes 64 bytes.
const EMPTY_BATCH_LEN_BYTES: usize = 64;

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
    /// Shown to neighbours; `None` towards the relay, which knows its replicas, and at the relay. Whoever
    /// shows one wants to be shown one.
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
    Admitted {
        /// These.
        theirs: BTreeSet<Scope>,
        /// Those that it held: what it still has of them is taken, and it is given nothing.
        lost: BTreeSet<Scope>,
        /// Whether there is something for it to be handed at [`Output::HandedOver`].
        due: bool,
    },
    /// More of a log is durable here, whoever wrote it.
    Durable {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// Where its branches end now.
        ends: Ends,
        /// The log or branch that has grown, by the name that it has here, and how far.
        piece: (LogId, u64),
    },
    /// The answer to [`Output::Ingest`]: the runs were checked, and all news of durable data until then
    /// has gone in. What was held already is acknowledged now, the rest when it is durable.
    Ingested {
        /// The scope.
        scope: Scope,
        /// What became of the logs of the runs, each once.
        taken: Vec<Taken>,
    },
    /// The answer to [`Output::Load`].
    Loaded {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// The end that was asked for.
        end: Extent,
        /// What is to be sent.
        sending: Sending,
    },
    /// A run did not fit what is held here: a gap, or a fork whose beginning is needed.
    Misfit {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// Whether it is needed from its beginning.
        from_its_beginning: bool,
    },
    /// The answer to [`Output::Locate`].
    Located {
        /// The scope.
        scope: Scope,
        /// The ends of what both have.
        both: Clock,
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
    /// The answer to [`Output::LoadSealed`].
    SealedLoaded(Vec<SealedRun>),
    /// The answer to [`Output::TakeSealed`]: they are durable.
    SealedTaken(SealedKept),
    /// All pages of a scope are in and durable.
    Completed {
        /// The scope.
        scope: Scope,
        /// Where the logs ended whose documents came.
        clock: Clock,
        /// All that is durable here now.
        held: Clock,
    },
    /// The pages of a scope begin again: of what was to come with the earlier ones only this is held.
    BegunAgain(Scope, Clock),
}

/// What became of one log of the runs that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The log.
    pub log: LogId,
    /// The ends of its runs.
    pub came: Vec<Extent>,
    /// What of them is on its way to the disk: logs and branches by the names that they have here, and how far.
    pub due: Vec<(LogId, u64)>,
    /// Where its durable branches end.
    pub ends: Ends,
    /// What the peer has said it has of it and is held here.
    pub passed: Vec<Extent>,
}

/// What is sent of a log.
#[derive(Clone, PartialEq, Debug)]
pub enum Sending {
    /// These consecutive runs, up to this end.
    Runs(Vec<Run>, Extent),
    /// Nothing can be given: it lies below the floor.
    Nothing,
    /// Nothing before more has come: the peer may have it already, on the way to an end that is not known here.
    Wait,
}

/// What comes out.
#[derive(Debug, PartialEq)]
#[must_use]
pub enum Output {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Which scopes does the peer hold? Answer with [`Input::Admitted`] or end the session.
    Admit {
        /// The enrolment that it shows, if it does.
        shown: Option<SignedEnrolment>,
        /// The scopes that it speaks of.
        named: BTreeSet<Scope>,
    },
    /// Load runs of a log from a position.
    Load {
        /// The scope.
        scope: Scope,
        /// The log.
        log: LogId,
        /// The end of it to be sent.
        end: Extent,
        /// What the peer has of the log, as far as is known.
        at_peer: Vec<Extent>,
    },
    /// Load the start of a checkpoint of a scope.
    LoadCheckpoint(Scope),
    /// Load the page after this cursor.
    LoadPage(Scope, Option<Cursor>),
    /// Look up what of `theirs` is here, in a scope that the peer has lost.
    Locate {
        /// The scope.
        scope: Scope,
        /// What the peer has of it.
        theirs: Clock,
    },
    /// Pages of a scope broke off at the peer. If those here are no older than `at_peer`, what that checkpoint stood
    /// for and what the peer holds besides, load the page after `after`, else [`Session::serve_anew`].
    ResumePages {
        /// The scope.
        scope: Scope,
        /// The end of the last page that the peer has.
        after: Cursor,
        /// The peer's clock.
        at_peer: Clock,
    },
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
    /// At a listener: the peer is admitted, and all that it had of scopes that it lost is durable here. What
    /// the centre has for it is due.
    HandedOver,
    /// The centre orders this replica to destroy what it holds: do so, then say [`Session::wiped`].
    Ordered(Box<SignedOrder>),
    /// The peer has destroyed what it held.
    Wiped(Box<SignedReceipt>),
    /// The peer has kept its changed enrolment.
    GrantKept,
    /// The peer has this much on its disk.
    PeerHas {
        /// The scope.
        scope: Scope,
        /// Its clock.
        clock: Clock,
    },
    /// Load sealed cells for the peer.
    LoadSealed,
    /// Take sealed cells in; [`Input::SealedTaken`] answers once they are durable.
    TakeSealed(Box<SealedRun>),
    /// The peer holds these sealed cells.
    SealedKept(SealedKept),
    /// The peer asked for a scope that it does not hold, and gets nothing of it.
    Withheld(Scope),
    /// All that the peer has is durable here; it gets nothing.
    Taken,
    /// Both sides hold the same.
    InSync,
    /// The peer ended the session in order; whether its digest equals ours.
    Farewell {
        /// Whether both ended equal.
        equal: bool,
    },
    /// The peer asks what is held of some documents: answer with [`Session::compared`].
    Compare(Question),
    /// The peer's answer to a question.
    Compared(Answer),
    /// The peer has found that these documents differ.
    Apart {
        /// The scope.
        scope: Scope,
        /// The documents.
        documents: Vec<DocId>,
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
    /// More than a first flight holds.
    #[error("the peer sent {frame} after {EARLY_FRAMES_MAX} messages that nobody had answered yet")]
    Early {
        /// What it sent.
        frame: &'static str,
    },
    /// Data of a scope that the peer does not hold.
    #[error("the peer sent data of {scope}, which it does not hold")]
    NotShared {
        /// The scope.
        scope: Scope,
    },
    /// Data of a scope that this side does not hold, which the peer may not have heard: nobody's fault.
    #[error(
        "nothing of {scope} can be taken here now: the centre was put back and does not know it yet, or the unit \
         was taken away; what you have is kept, sync again later / 这里暂时不能接收 {scope}:中心刚从备份恢复,或该单位已收回;\
         你的数据保留在本机,请稍后再同步"
    )]
    NotHere {
        /// The scope.
        scope: Scope,
    },
    /// More logs than a scope has.
    #[error("the peer claims {found} logs of {scope}; at most {max} are allowed")]
    Logs {
        /// The scope.
        scope: Scope,
        /// How many.
        found: usize,
        /// The limit.
        max: usize,
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

impl SessionError {
    fn of_wire(error: WireError) -> Self {
        match error {
            WireError::Version { theirs } => Self::Version { theirs },
            error => Self::Wire(error),
        }
    }
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

/// How sealed cells are coming along that this side has for the peer.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Sealing {
    /// There are none.
    Nothing,
    /// To be looked for once the peer may take part.
    Wanted,
    /// They are being loaded.
    Loading,
    /// So many runs wait for the peer's receipt.
    Due(usize),
}

/// Messages that a peer sent, by what they cost and bring.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Frames {
    /// Transactions, pages, acknowledgements.
    pub data: u64,
    /// All others, and batches that hold nothing: a session needs few of them.
    pub control: u64,
    /// Transactions in them: a small message unfolds to many.
    pub transactions: u64,
}

/// Frames that wait at most while a peer is being admitted: what fits into its first flight.
const EARLY_FRAMES_MAX: usize = 4_096;

/// One session with one peer.
#[derive(Debug)]
pub struct Session {
    config: Config,
    phase: Phase,
    scopes: BTreeMap<Scope, ScopeSession>,
    frames: FrameBuffer,
    hello: Option<Box<Hello>>,
    /// At a listener: the scopes that the peer holds, and those whose withholding has been noted.
    admitted: BTreeSet<Scope>,
    /// Frames that came between the hello and its admission.
    early: VecDeque<Frame>,
    /// Scopes in which something may be acknowledged.
    unacknowledged: BTreeSet<Scope>,
    out: VecDeque<Output>,
    traffic: Traffic,
    received: Frames,
    sealing: Sealing,
    awaiting: bool,
    was_in_sync: bool,
    /// The peer gives and gets nothing: see [`Session::take_only`].
    takes_only: bool,
    was_handed_over: bool,
    /// At a listener: there is something for the peer, which is told so. At a dialler: the centre said so
    /// and has not handed it over.
    due: bool,
}

impl Session {
    /// A session; a dialler's first frames wait in [`Session::poll_output`].
    pub fn new(config: Config) -> Self {
        let mut session = Self {
            phase: Phase::Greeting,
            scopes: BTreeMap::new(),
            frames: FrameBuffer::default(),
            hello: None,
            admitted: BTreeSet::new(),
            early: VecDeque::new(),
            unacknowledged: BTreeSet::new(),
            out: VecDeque::new(),
            traffic: Traffic::default(),
            received: Frames::default(),
            sealing: Sealing::Nothing,
            awaiting: false,
            was_in_sync: false,
            takes_only: false,
            was_handed_over: false,
            due: false,
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

    /// What the peer has sent so far.
    pub fn received(&self) -> Frames {
        self.received
    }

    /// Whether the peer has said hello.
    pub fn is_greeted(&self) -> bool {
        self.phase != Phase::Greeting
    }

    /// Whether the peer has said hello and may take part.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether a part of a message has come and the rest has not.
    pub fn is_within_message(&self) -> bool {
        self.frames.is_within_frame()
    }

    /// Whether both sides hold the same of every shared scope.
    pub fn is_in_sync(&self) -> bool {
        self.phase == Phase::Open
            && self.sealing == Sealing::Nothing
            && !(self.config.dialler && self.due)
            && self.scopes.values().all(ScopeSession::in_sync)
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

    /// Takes what the peer has and gives it nothing but acknowledgements; [`Output::Taken`] tells when
    /// there is no more to take. For a listener, before the peer is admitted.
    pub fn take_only(&mut self) {
        self.takes_only = true;
    }

    /// Tells the peer why the session ends.
    pub fn refuse(&mut self, reason: &str) {
        let frame = refusal(reason);
        self.out.push_back(Output::Send(frame));
    }

    /// Asks the peer whether both are still equal; [`Output::Pong`] answers.
    pub fn ping(&mut self) {
        let digest = self.digest();
        self.send(&Frame::Ping(digest));
    }

    /// Digest of this side's clock of a scope in which the peer takes full part.
    fn scope_clock(&self, scope: &Scope) -> Option<[u8; 8]> {
        let session = self.scopes.get(scope).filter(|session| session.taken.is_none())?;
        Some(session.mine.digest())
    }

    /// Scopes of which both sides hold the same logs, to be compared.
    pub fn comparable(&self) -> Vec<Scope> {
        let whole = |s: &ScopeSession| s.taken.is_none() && s.in_sync();
        self.scopes.iter().filter(|(_, session)| whole(session)).map(|(scope, _)| scope.clone()).collect()
    }

    /// Asks the peer whether it holds the same of some documents, by this side's digest over them;
    /// [`Output::Compared`] answers. Whether the scope is still shared.
    pub fn compare(&mut self, scope: &Scope, at: Vec<u8>, digest: [u8; 8]) -> bool {
        let Some(clock) = self.scope_clock(scope) else { return false };
        self.send(&Frame::Compare(Question { scope: scope.clone(), clock, at, digest }));
        true
    }

    /// Answers the peer's question.
    pub fn compared(&mut self, answer: Answer) {
        self.send_quietly(&Frame::Compared(answer));
    }

    /// Tells the peer which documents differ.
    pub fn tell_apart(&mut self, scope: &Scope, documents: Vec<DocId>) {
        self.send_quietly(&Frame::Apart { scope: scope.clone(), documents });
    }

    /// Ends the session in order.
    pub fn say_bye(&mut self) {
        let digest = self.digest();
        self.send(&Frame::Bye(digest));
    }

    /// Looks for sealed cells to give to the peer. The session is not in sync before it has them.
    pub fn offer_sealed(&mut self) {
        if self.sealing == Sealing::Nothing {
            self.sealing = Sealing::Wanted;
        }
        self.load_sealed();
    }

    /// Whether sealed cells are on their way to the peer, or may have to be.
    pub fn gives_sealed(&self) -> bool {
        self.sealing != Sealing::Nothing
    }

    fn load_sealed(&mut self) {
        if self.sealing == Sealing::Wanted && self.phase == Phase::Open {
            self.sealing = Sealing::Loading;
            self.out.push_back(Output::LoadSealed);
        }
    }

    /// Hands the peer a changed enrolment.
    pub fn grant(&mut self, grant: Grant) {
        self.send(&Frame::Granted(Box::new(grant)));
    }

    /// Orders the peer to destroy what it holds.
    pub fn order(&mut self, order: SignedOrder) {
        self.send(&Frame::Order(Box::new(order)));
    }

    /// Tells the centre that all that was held is destroyed.
    pub fn wiped(&mut self, receipt: SignedReceipt) {
        self.send_quietly(&Frame::Wiped(Box::new(receipt)));
    }

    /// What the peer has of a scope, if it has said so.
    pub fn peer_clock_of(&self, scope: &Scope) -> Option<&Clock> {
        self.scopes.get(scope).filter(|session| session.told).map(|session| &session.peer)
    }

    /// Leaves a scope out from now on: this replica holds it no longer.
    pub fn leave_out(&mut self, scope: &Scope) {
        self.scopes.remove(scope);
        self.config.scopes.remove(scope);
        self.note_sync();
    }

    /// Tells the centre that the changed enrolment is kept.
    pub fn grant_kept(&mut self) {
        self.send_quietly(&Frame::GrantKept);
    }

    /// The peer sent something of a scope that is not shared.
    fn not_shared(&self, scope: Scope) -> SessionError {
        match self.config.scopes.contains_key(&scope) {
            true => SessionError::NotShared { scope },
            false => SessionError::NotHere { scope },
        }
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
                while let Some(frame) = self.frames.next_frame().map_err(SessionError::of_wire)? {
                    self.handle_frame(frame)?;
                }
            }
            Input::Admitted { theirs, lost, due } => {
                self.due = due;
                self.handle_admitted(&theirs, &lost)?;
            }
            Input::Durable { scope, log, ends, piece: (piece, len) } => {
                // Both the session's own account and the one it would start from.
                if let Some(held) = self.config.scopes.get_mut(&scope) {
                    held.0.set(log, ends.clone());
                }
                if let Some(session) = self.scopes.get_mut(&scope) {
                    session.durable(log, ends, &piece, len);
                    self.push(&scope);
                    self.unacknowledged.insert(scope);
                }
            }
            Input::Ingested { scope, taken } => self.handle_ingested(&scope, taken),
            Input::Loaded { scope, log, end, sending } => self.handle_loaded(&scope, log, end, sending),
            Input::Misfit { scope, log, from_its_beginning } => {
                self.handle_misfit(scope, log, from_its_beginning);
            }
            Input::Located { scope, both } => self.handle_located(&scope, both)?,
            Input::CheckpointLoaded { start, clock, documents } => {
                self.handle_checkpoint_loaded(start, &clock, documents);
            }
            Input::PageLoaded { scope, end, packed, signature } => {
                self.handle_page_loaded(scope, end, packed, signature);
            }
            Input::SealedLoaded(runs) => {
                self.sealing = if runs.is_empty() { Sealing::Nothing } else { Sealing::Due(runs.len()) };
                for run in runs {
                    self.send(&Frame::Sealed(Box::new(run)));
                }
            }
            Input::SealedTaken(kept) => self.send_quietly(&Frame::SealedKept(kept)),
            Input::Completed { scope, clock, held } => self.handle_completed(scope, &clock, held),
            Input::BegunAgain(scope, clock) => {
                if let Some(session) = self.scopes.get_mut(&scope) {
                    session.mine = clock;
                }
            }
        }
        self.load_sealed();
        self.locate();
        self.note_sync();
        self.note_taken();
        Ok(())
    }

    /// Of what a peer has lost it is shown no more than it has: that is looked up.
    fn locate(&mut self) {
        for (scope, session) in self.scopes.iter_mut().filter(|(_, session)| session.shown == Shown::Due) {
            session.shown = Shown::Asked;
            self.out.push_back(Output::Locate { scope: scope.clone(), theirs: session.theirs() });
        }
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<(), SessionError> {
        if std::mem::take(&mut self.awaiting) {
            self.traffic.round_trips += 1;
        }
        match &frame {
            Frame::Batch(batch) if batch.len() > EMPTY_BATCH_LEN_BYTES => self.received.data += 1,
            Frame::Acknowledged(_) | Frame::Page { .. } | Frame::Sealed(_) => self.received.data += 1,
            _ => self.received.control += 1,
        }
        match (self.phase, frame) {
            (_, Frame::Refused(reason)) => Err(SessionError::Refused { reason }),
            (Phase::Greeting, Frame::Hello(hello)) => self.handle_hello(hello),
            (Phase::Greeting, other) => Err(SessionError::Order { frame: other.noun() }),
            (Phase::Admitting, frame) if self.early.len() < EARLY_FRAMES_MAX => {
                self.early.push_back(frame);
                Ok(())
            }
            (Phase::Admitting, frame) => Err(SessionError::Early { frame: frame.noun() }),
            (Phase::Open, Frame::Clocks(clocks)) => self.handle_clocks(clocks),
            (Phase::Open, Frame::AskClocks(scopes)) => {
                self.handle_ask_clocks(&scopes);
                Ok(())
            }
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
            (Phase::Open, Frame::Compare(question)) => {
                if self.scope_clock(&question.scope) == Some(question.clock) {
                    self.out.push_back(Output::Compare(question));
                } else {
                    let Question { scope, at, .. } = question;
                    self.compared(Answer { scope, at, holds: Holds::NotNow });
                }
                Ok(())
            }
            (Phase::Open, Frame::Compared(answer)) => {
                self.out.push_back(Output::Compared(answer));
                Ok(())
            }
            (Phase::Open, Frame::Apart { scope, documents }) => {
                if self.scopes.get(&scope).is_some_and(|session| session.taken.is_none()) {
                    self.out.push_back(Output::Apart { scope, documents });
                }
                Ok(())
            }
            (Phase::Open, Frame::Granted(grant)) => {
                self.due = false;
                self.out.push_back(Output::Granted(grant));
                Ok(())
            }
            (Phase::Open, Frame::Order(order)) => {
                self.due = false;
                self.out.push_back(Output::Ordered(order));
                Ok(())
            }
            (Phase::Open, Frame::Wiped(receipt)) => {
                self.out.push_back(Output::Wiped(receipt));
                Ok(())
            }
            (Phase::Open, Frame::GrantKept) => {
                self.out.push_back(Output::GrantKept);
                Ok(())
            }
            (Phase::Open, Frame::Sealed(run)) => {
                self.out.push_back(Output::TakeSealed(run));
                Ok(())
            }
            (Phase::Open, Frame::SealedKept(kept)) => {
                self.out.push_back(Output::SealedKept(kept));
                self.sealing = match self.sealing {
                    // There may be more.
                    Sealing::Due(1) => Sealing::Wanted,
                    Sealing::Due(runs) => Sealing::Due(runs - 1),
                    other => other,
                };
                Ok(())
            }
            (Phase::Open, Frame::Bye(theirs)) => {
                let equal = theirs == self.digest();
                self.out.push_back(Output::Farewell { equal });
                Ok(())
            }
            (Phase::Open, other @ (Frame::Hello(_) | Frame::Join(_) | Frame::Joined(_))) => {
                Err(SessionError::Order { frame: other.noun() })
            }
        }
    }

    // ---- outputs

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        // Only now, so that what became durable together is acknowledged together.
        self.acknowledge_due();
        self.out.pop_front()
    }

    /// Whether there is something to do.
    pub fn has_output(&self) -> bool {
        !self.out.is_empty() || !self.unacknowledged.is_empty()
    }

    /// Counts documents that arrived in a page.
    pub fn count_documents(&mut self, count: u64) {
        self.traffic.documents_received += count;
    }

    fn note_taken(&mut self) {
        let taken =
            |session: &ScopeSession| session.told && session.is_shown() && session.mine.covers(&session.peer);
        if self.takes_only && self.phase == Phase::Open && self.scopes.values().all(taken) {
            self.takes_only = false;
            self.out.push_back(Output::Taken);
        }
    }

    fn note_sync(&mut self) {
        let now = self.is_in_sync();
        if now && !self.was_in_sync {
            self.announce_peer();
            self.out.push_back(Output::InSync);
        }
        self.was_in_sync = now;
        let handed_over = |s: &ScopeSession| s.taken.is_none() || s.told && s.is_shown() && s.mine == s.peer;
        if !self.config.dialler
            && self.phase == Phase::Open
            && !self.was_handed_over
            && self.scopes.values().all(handed_over)
        {
            self.was_handed_over = true;
            self.out.push_back(Output::HandedOver);
        }
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
