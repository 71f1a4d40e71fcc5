//! One side of a session between two replicas, without a socket: bytes of the peer in, bytes for the peer
//! out, the replica in between. `drive` runs it over a QUIC stream, a simulator under virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use wangge_model::clock::Clock;
use wangge_model::enrolment::SignedEnrolment;
use wangge_model::fingerprint::{APART_MAX, Answer, Holds, Question};
use wangge_model::identity::{DocId, LogId, ReplicaId, Scope};
use wangge_model::log::Run;
use wangge_model::sealed::Series;
use wangge_model::session::{
    Completeness, Config, Frames, Input, Output, Session, SessionError, Traffic, refusal,
};
use wangge_model::wipe::SignedOrder;
use wangge_model::wire::acknowledged;

use super::NetError;
use super::listen::{Gate, NeighbourGate};
use super::photos::Terms;
use super::sync::ROSTER_CHANGED;
use crate::replica::{Came, Durable, Intake, IntakeError, Misfit, Replica, ReplicaError, SealedIntakeError};

/// While this much waits to be sent, nothing more is loaded.
const BACKLOG_LEN_BYTES: usize = 512 * 1024;

/// How often a peer may send what does not follow. A fork takes a few; a peer that never gives what is
/// asked for takes the session's time for nothing.
const MISFITS_MAX: u32 = 64;

/// What a revoked replica is told that has brought more than is kept for a person to look at.
const FULL: &str = "the quarantine of this revoked device is full: no more is taken / \
    此设备已被注销,隔离区已满,不再接收";

/// What a device is told of whose work a neighbour has taken as much as it carries.
const CARRIED: &str = "this device carries no more of your work before the centre has decided on what it has: \
    sync with the centre, or come again once this device has / \
    本机代存的你的未裁定内容已到上限,请直接与中心同步,或等本机与中心同步之后再来";

/// Messages of a revoked replica that are let pass unread after that.
const UNWANTED_MAX: u32 = 256;

/// What a replica is told that met a restored centre.
const TAKEN: &str = "the centre was restored from a backup: what you have has arrived there and is safe; it \
    gives out nothing until one of its own workstations has synced / \
    中心刚从备份恢复:你的数据已送到并保存,中心的工作站同步之后才会下发新内容";

/// Who is at the other end and what for.
pub struct Purpose {
    /// The peer, which has proved its key.
    pub peer: ReplicaId,
    /// Whether this side dialled.
    pub dialler: bool,
    /// End once both sides hold the same.
    pub once: bool,
    /// Only these scopes.
    pub only: Option<BTreeSet<Scope>>,
    /// For a listener: who may take part.
    pub gate: Option<Arc<dyn Gate>>,
}

impl std::fmt::Debug for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Purpose")
            .field("peer", &self.peer)
            .field("dialler", &self.dialler)
            .finish_non_exhaustive()
    }
}

/// One side of a session.
///
/// Its methods read and write the replica's store and may wait for the disk; none waits for the peer.
#[derive(Debug)]
pub struct Exchange {
    replica: Arc<Replica>,
    purpose: Purpose,
    session: Session,
    /// What becomes durable here, to be passed on.
    pub(super) news: UnboundedReceiver<Durable>,
    pub(super) backlog: Backlog,
    peer_has: BTreeMap<Scope, Clock>,
    over: bool,
    in_sync: bool,
    misfits: u32,
    /// Runs of sealed cells that the peer has been given.
    gave_sealed: BTreeSet<(Series, u64)>,
    /// News of sealed cells.
    pub(super) sealed: tokio::sync::watch::Receiver<u64>,
    /// At a listener: what the peer showed, and the scopes by which it was admitted.
    admitted: Option<(Option<SignedEnrolment>, BTreeSet<Scope>)>,
    /// The order that the peer was given.
    ordered: Option<SignedOrder>,
    /// The centre's order to destroy what is held here, and why.
    must_obey: Option<(SignedOrder, String)>,
    /// Whether the peer was told what the centre has for it.
    told: bool,
    /// How many bytes more a revoked peer may bring.
    room_len_bytes: Option<u64>,
    /// How many bytes more of the peer's own work are taken before the centre has decided on what is here.
    carried_len_bytes: Option<u64>,
    /// Messages beyond that.
    unwanted: u32,
    /// This replica has destroyed what it held, and why.
    wiped: Option<String>,
    /// What it has been asked and has not answered, where this side compares.
    comparing: Option<Comparing>,
    /// The session is not ended although both hold the same: photos are under way.
    stays: bool,
    /// It would have been ended.
    end_due: bool,
    /// Told when less is held here than the peer was told.
    pub(super) greet_again: tokio::sync::watch::Receiver<u64>,
}

/// A comparison of what both sides really hold.
#[derive(Debug, Default)]
struct Comparing {
    open: BTreeSet<(Scope, Vec<u8>)>,
    apart: BTreeMap<Scope, BTreeSet<DocId>>,
}

/// Questions of one comparison at most: a few name as many documents as are kept.
const QUESTIONS_MAX: usize = 64;

/// Bytes that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    sent: usize,
}

impl Backlog {
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn sent(&mut self, len_bytes: usize) {
        self.sent = (self.sent + len_bytes).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }
}

impl Exchange {
    /// Begins a session; a dialler's first flight waits in [`Exchange::to_send`].
    ///
    /// # Errors
    /// [`NetError`] if the replica cannot be read.
    pub fn begin(replica: &Arc<Replica>, purpose: Purpose) -> Result<Self, NetError> {
        // Before the clocks are read, or news would be missed in between.
        let news = replica.subscribe();
        let session = session(replica, &purpose)?;
        let mut exchange = Self {
            replica: Arc::clone(replica),
            purpose,
            session,
            news,
            backlog: Backlog::default(),
            peer_has: BTreeMap::new(),
            over: false,
            in_sync: false,
            admitted: None,
            ordered: None,
            must_obey: None,
            told: false,
            room_len_bytes: None,
            carried_len_bytes: None,
            unwanted: 0,
            wiped: None,
            comparing: None,
            stays: false,
            end_due: false,
            greet_again: replica.greet_again(),
            misfits: 0,
            gave_sealed: BTreeSet::new(),
            sealed: replica.sealed_news(),
        };
        exchange.sealed_changed();
        exchange.pump()?;
        Ok(exchange)
    }

    // ---- getters

    /// What waits to be sent.
    pub fn to_send(&self) -> &[u8] {
        self.backlog.unsent()
    }

    /// What the peer is told when the session ends with `error`; nothing if it knows or cannot hear it. Whoever could not
    /// show why he leaves something out hears first what waits for him: how little is held here, or he believes that
    /// the order is here and leaves out the same for ever.
    pub fn last_words(&self, error: &NetError) -> Option<Vec<u8>> {
        let farewell = farewell(error)?;
        Some(match error {
            NetError::Unexplained { .. } => [self.backlog.unsent(), &farewell].concat(),
            // A changed roster may have taken from him what waits.
            _ => farewell,
        })
    }

    /// Whether there is nothing more to send or to hear.
    pub fn is_over(&self) -> bool {
        self.over && self.backlog.unsent().is_empty()
    }

    /// Whether nothing more is taken from the peer.
    pub fn is_closing(&self) -> bool {
        self.over
    }

    /// Whether both sides held the same when this was last known.
    pub fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    /// Whether [`Exchange::pump`] has something to do and room for what comes of it.
    pub fn has_work(&self) -> bool {
        self.session.has_output() && self.backlog.unsent().len() < BACKLOG_LEN_BYTES
    }

    /// Whether there is room for what comes of more messages: while the peer takes nothing of what it is
    /// sent, nothing more is taken from it.
    pub fn has_room(&self) -> bool {
        !self.session.has_output() || self.backlog.unsent().len() < BACKLOG_LEN_BYTES
    }

    /// What the peer has sent so far.
    pub fn frames(&self) -> Frames {
        self.session.received()
    }

    /// Who is at the other end.
    pub fn peer(&self) -> ReplicaId {
        self.purpose.peer
    }

    /// Whether the peer has said hello.
    pub fn is_greeted(&self) -> bool {
        self.session.is_greeted()
    }

    /// Whether the peer has said hello and may take part.
    pub fn is_admitted(&self) -> bool {
        self.session.is_open()
    }

    /// Whether a part of a message has come and the rest has not.
    pub fn is_within_message(&self) -> bool {
        self.session.is_within_message()
    }

    /// What was carried so far.
    pub fn traffic(&self) -> Traffic {
        self.session.traffic()
    }

    // ---- inputs; each is followed by `pump`

    /// So much of [`Exchange::to_send`] is on its way.
    pub fn sent(&mut self, len_bytes: usize) {
        self.backlog.sent(len_bytes);
    }

    /// Bytes have come from the peer, in order.
    ///
    /// # Errors
    /// [`NetError::Session`] if the peer broke the protocol or refuses.
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        let handled = self.session.handle(Input::Received(bytes));
        if matches!(handled, Err(SessionError::Refused { .. })) {
            // What the peer acknowledged before it refused stays true.
            self.pump()?;
        }
        Ok(handled?)
    }

    /// The peer sends no more.
    ///
    /// # Errors
    /// [`NetError::Broken`] at a dialler: it is the one who ends a session.
    pub fn ended(&mut self) -> Result<(), NetError> {
        if self.purpose.dialler {
            return Err(NetError::Broken { reason: "the peer ended the session".to_owned() });
        }
        self.over = true;
        Ok(())
    }

    /// There may be sealed cells for the peer. Whoever dials gives: to the centre what it has and carries, to
    /// a neighbour its share.
    pub(super) fn sealed_changed(&mut self) {
        self.sealed.mark_unchanged();
        if self.purpose.dialler {
            self.session.offer_sealed();
        }
    }

    /// Takes in what has become durable here; `first` is news that was received already, `None` that
    /// there will be no more.
    ///
    /// # Errors
    /// [`NetError::Broken`] if this replica can no longer write.
    pub(super) fn heard(&mut self, first: Option<Durable>) -> Result<(), NetError> {
        let Some(first) = first else { return Err(no_more_news()) };
        self.durable(first)?;
        self.hear()
    }

    /// Takes in what has become durable here.
    ///
    /// # Errors
    /// [`NetError::Broken`] if this replica can no longer write.
    pub fn hear(&mut self) -> Result<(), NetError> {
        loop {
            match self.news.try_recv() {
                Ok(durable) => self.durable(durable)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(no_more_news()),
            }
        }
    }

    fn durable(&mut self, durable: Durable) -> Result<(), NetError> {
        let Durable { scope, log, ends, piece } = durable;
        Ok(self.session.handle(Input::Durable { scope, log, ends, piece })?)
    }

    /// Does what the session asks for, as long as the peer takes what is sent.
    ///
    /// # Errors
    /// [`NetError`]: the session is over; [`farewell`] says what the peer is told.
    pub fn pump(&mut self) -> Result<(), NetError> {
        while self.backlog.unsent().len() < BACKLOG_LEN_BYTES {
            let Some(output) = self.session.poll_output() else { break };
            self.act(output)?;
        }
        self.obey(false)?;
        if self.in_sync { self.remember() } else { Ok(()) }
    }

    /// Destroys what this replica holds, if the centre has ordered it and has all that was saved here, or `insists`.
    fn obey(&mut self, insists: bool) -> Result<(), NetError> {
        let Some((order, reason)) = self.must_obey.take() else { return Ok(()) };
        let peer_has = self.replica.scopes().into_iter().filter_map(|scope| {
            let clock = self.session.peer_clock_of(&scope)?.clone();
            Some((scope, clock))
        });
        if !insists && (self.session.gives_sealed() || self.replica.holds_more(&peer_has.collect())) {
            self.must_obey = Some((order, reason));
            return self.hear();
        }
        let receipt = self.replica.wipe(&order)?;
        self.session.wiped(receipt);
        self.wiped = Some(reason);
        self.over = true;
        self.flush();
        Ok(())
    }

    /// Notes what the peer is known to have.
    ///
    /// # Errors
    /// [`NetError::Replica`] if it cannot be stored.
    pub fn remember(&mut self) -> Result<(), NetError> {
        let known = std::mem::take(&mut self.peer_has);
        // The centre dials nobody and its own disk is what counts as arrived.
        if !known.is_empty() && !self.replica.is_centre() {
            self.replica.remember(&self.purpose.peer, &known)?;
        }
        Ok(())
    }

    /// Whether this replica was ordered to destroy what it held, and did.
    pub fn is_wiped(&self) -> bool {
        self.wiped.is_some()
    }

    pub(super) fn wiped_error(&self) -> NetError {
        let reason = self.wiped.clone().unwrap_or_default();
        NetError::Replica(ReplicaError::Wiped { dir: self.replica.dir().to_owned(), reason })
    }

    /// Whether the peer is admitted and what the centre has for it has not been said.
    pub(super) fn awaits_hand_over(&self) -> bool {
        self.admitted.is_some() && !self.told
    }

    pub(super) fn roster_news(&self) -> tokio::sync::watch::Receiver<u64> {
        self.replica.roster_news()
    }

    /// What the centre has for the peer: a changed enrolment, or the order to destroy what it holds.
    pub(super) fn say_what_is_due(&mut self) {
        let Some(gate) = self.purpose.gate.clone().filter(|gate| gate.serves(&self.purpose.peer)) else {
            return;
        };
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        if let Some(order) = gate.order(&self.purpose.peer) {
            self.ordered = Some(order.clone());
            self.session.order(order);
        } else if let Some(grant) = gate.changed_grant(&self.purpose.peer) {
            self.session.grant(grant);
        }
    }

    /// Says what is due to a revoked peer that is to wait no longer for what it has to be taken.
    fn insist(&mut self) {
        self.say_what_is_due();
        if let Some(order) = self.ordered.clone() {
            self.session.order(order);
        }
    }

    /// The roster has changed: whether the peer may go on as it was admitted.
    ///
    /// # Errors
    /// [`NetError::Rules`] if not: it is to come again.
    pub(super) fn recheck(&mut self) -> Result<(), NetError> {
        let Some(gate) = self.purpose.gate.clone().filter(|gate| gate.serves(&self.purpose.peer)) else {
            return Ok(());
        };
        let Some((shown, scopes)) = &mut self.admitted else { return Ok(()) };
        let now = gate.admit(&self.purpose.peer, shown.as_ref()).map_err(NetError::Rules)?;
        if !now.is_superset(scopes) {
            return Err(NetError::Rules(ROSTER_CHANGED.to_owned()));
        }
        if now != *scopes {
            *scopes = now;
            if let Some(grant) = gate.changed_grant(&self.purpose.peer) {
                self.session.grant(grant);
            }
        }
        Ok(())
    }

    /// Takes from the room that a revoked peer has, if there is any. What goes beyond it within one message is
    /// void, and the next message is not taken.
    fn has_room_for(&mut self, runs: &[Run]) -> bool {
        let Some(room) = &mut self.room_len_bytes else { return true };
        let has_room = *room > 0;
        let transactions = runs.iter().flat_map(|run| &run.transactions);
        let len_bytes: u64 = transactions.map(|transaction| transaction.to_bytes().len() as u64).sum();
        *room = room.saturating_sub(len_bytes);
        has_room
    }

    /// Takes from what this side carries of the peer's own work, if there is a limit.
    fn carries(&mut self, scope: &Scope, runs: &[Run]) -> Result<bool, NetError> {
        let Some(mut room) = self.carried_len_bytes else { return Ok(true) };
        let peer = self.purpose.peer;
        let own = runs.iter().filter(|run| self.replica.author(scope, run) == Some(peer));
        let transactions = own.flat_map(|run| &run.transactions);
        let len_bytes: u64 = transactions.map(|transaction| transaction.to_bytes().len() as u64).sum();
        if len_bytes > 0 && room == 0 {
            // The centre may have decided on some of it since the session began.
            room = self.replica.carried_room_len_bytes(&peer)?.unwrap_or(u64::MAX);
            if room == 0 {
                return Ok(false);
            }
        }
        self.carried_len_bytes = Some(room.saturating_sub(len_bytes));
        Ok(true)
    }

    /// What was said of pages that broke off counts no longer: others come instead, or none.
    fn hold_only(&mut self, scope: Scope) -> Result<(), NetError> {
        self.hear()?;
        let held = self.replica.clock(&scope);
        Ok(self.session.handle(Input::BegunAgain(scope, held))?)
    }

    /// Ends a session that is to end once both hold the same.
    fn end(&mut self) {
        if self.must_obey.is_some() {
            // Something was saved a moment ago.
            return;
        }
        if self.stays {
            self.end_due = true;
            return;
        }
        let traffic = self.session.traffic();
        if traffic.transactions_sent + traffic.documents_received > 0 {
            self.session.say_bye();
        }
        self.over = true;
    }

    /// Goes on although both hold the same, until it is said that it need not.
    pub(super) fn stay(&mut self, stays: bool) {
        self.stays = stays;
        if !stays && std::mem::take(&mut self.end_due) {
            self.end();
        }
    }

    /// The photos that may be exchanged with the peer, `None` if it is not known yet or there are none for it.
    pub(super) fn photo_terms(&self) -> Option<Terms> {
        let peer = self.purpose.peer;
        if !self.session.is_open() || self.room_len_bytes.is_some() {
            return None;
        }
        if self.purpose.gate.as_ref().is_some_and(|gate| !gate.serves(&peer)) {
            return None;
        }
        let held: BTreeSet<Scope> = self.replica.scopes().into_iter().collect();
        let mut lost = self.purpose.gate.as_ref().map(|gate| gate.lost(&peer)).unwrap_or_default();
        lost.retain(|scope| held.contains(scope));
        let mut scopes = held;
        if let Some((_, theirs)) = &self.admitted {
            scopes.retain(|scope| theirs.contains(scope));
        }
        if let Some(only) = &self.purpose.only {
            scopes.retain(|scope| only.contains(scope));
        }
        Some(Terms { replica: Arc::clone(&self.replica), peer, scopes, lost, dialler: self.purpose.dialler })
    }

    /// Asks the peer once a day whether it really holds the same. Whoever dials asks.
    pub(super) fn compare_if_due(&mut self) -> Result<(), NetError> {
        if !self.purpose.dialler
            || !self.in_sync
            || self.comparing.is_some()
            || self.purpose.only.is_some()
            || !self.replica.is_compare_due(&self.purpose.peer)?
        {
            return Ok(());
        }
        let mut comparing = Comparing::default();
        for scope in self.session.comparable() {
            let Some(print) = self.replica.print(&scope)? else { continue };
            if self.session.compare(&scope, Vec::new(), print.digest(&[])) {
                comparing.open.insert((scope, Vec::new()));
            }
        }
        // Reading all documents may have taken long enough for everything to change: then another time.
        if comparing.open.is_empty() {
            return Ok(());
        }
        self.comparing = Some(comparing);
        Ok(())
    }

    /// Answers what the peer asks about its documents.
    fn answer(&mut self, question: Question) -> Result<(), NetError> {
        let Question { scope, at, digest, .. } = question;
        let holds = match self.replica.print(&scope)? {
            Some(print) => print.answer(&at, &digest),
            None => Holds::NotNow,
        };
        self.session.compared(Answer { scope, at, holds });
        Ok(())
    }

    fn take_answer(&mut self, answer: &Answer) -> Result<(), NetError> {
        let Some(comparing) = &mut self.comparing else { return Ok(()) };
        let Answer { scope, at, holds } = answer;
        if !comparing.open.remove(&(scope.clone(), at.clone())) {
            return Ok(());
        }
        let print = self.replica.print(scope)?;
        if let Some(print) = print {
            let (more, apart) = print.compare(at, holds);
            if !apart.is_empty() {
                comparing.apart.entry(scope.clone()).or_default().extend(apart);
            }
            for at in more {
                if comparing.open.len() < QUESTIONS_MAX
                    && self.session.compare(scope, at.clone(), print.digest(&at))
                {
                    comparing.open.insert((scope.clone(), at));
                }
            }
        }
        if !comparing.open.is_empty() {
            return Ok(());
        }
        let apart = self.comparing.take().map(|comparing| comparing.apart).unwrap_or_default();
        for (scope, documents) in apart {
            let documents: Vec<DocId> = documents.into_iter().take(APART_MAX).collect();
            self.replica.note_apart(&scope, documents.iter().copied());
            self.session.tell_apart(&scope, documents);
        }
        self.replica.note_compared(&self.purpose.peer)?;
        if self.purpose.once {
            self.end();
        }
        Ok(())
    }

    fn refused(&self, reason: &str) {
        if let Some(gate) = &self.purpose.gate {
            gate.refused(&self.purpose.peer.to_string(), reason);
        }
    }

    /// Moves what waits in the session to the bytes that are sent, and nothing else.
    fn flush(&mut self) {
        while let Some(output) = self.session.poll_output() {
            if let Output::Send(bytes) = output {
                self.backlog.bytes.extend_from_slice(&bytes);
            }
        }
    }

    fn act(&mut self, output: Output) -> Result<(), NetError> {
        match output {
            Output::Send(bytes) => {
                if tracing::enabled!(tracing::Level::TRACE)
                    && let Some(acks) = acknowledged(&bytes)
                {
                    for (log, ends) in acks.logs {
                        tracing::trace!(%log, len = ends.len(), "an acknowledgement leaves");
                    }
                }
                self.backlog.bytes.extend_from_slice(&bytes);
            }
            Output::Admit { shown, named } => {
                let refused = |reason| NetError::Rules(reason);
                let gate = self.purpose.gate.clone().unwrap_or_else(|| {
                    // This side dialled a neighbour.
                    Arc::new(NeighbourGate { replica: Arc::clone(&self.replica) })
                });
                let peer = self.purpose.peer;
                gate.meet(&peer, &named);
                let mut theirs = gate.admit(&peer, shown.as_ref()).map_err(refused)?;
                let mut lost = gate.lost(&peer);
                lost.retain(|scope| !theirs.contains(scope));
                self.admitted = Some((shown, theirs.clone()));
                if let Some(only) = &self.purpose.only {
                    theirs.retain(|scope| only.contains(scope));
                    lost.retain(|scope| only.contains(scope));
                }
                self.room_len_bytes = gate.room_len_bytes(&peer);
                self.carried_len_bytes = self.replica.carried_room_len_bytes(&peer)?;
                let serves = gate.serves(&peer);
                if !serves {
                    self.session.take_only();
                }
                let due = serves && (gate.order(&peer).is_some() || gate.changed_grant(&peer).is_some());
                self.session.handle(Input::Admitted { theirs, lost, due })?;
            }
            Output::HandedOver => self.say_what_is_due(),
            Output::Ordered(order) => {
                if self.purpose.only.is_some() {
                    // It comes again with a session that hands over all that is here.
                    return Ok(());
                }
                let reason = self.replica.stop_for(&order)?;
                // Given twice, it does not wait for the centre to take more.
                let insists = self.must_obey.replace((*order, reason)).is_some();
                self.obey(insists)?;
            }
            Output::Wiped(receipt) => {
                if let (Some(gate), Some(order)) = (&self.purpose.gate, &self.ordered) {
                    gate.wiped(&self.purpose.peer, order, &receipt);
                }
                self.over = true;
            }
            Output::Load { scope, log, end, at_peer } => {
                let sending = self.replica.load_run(&scope, &log, &end, &at_peer)?;
                self.session.handle(Input::Loaded { scope, log, end, sending })?;
            }
            Output::Locate { scope, theirs } => {
                let both = self.replica.held_of(&scope, &theirs);
                self.session.handle(Input::Located { scope, both })?;
            }
            Output::LoadCheckpoint(scope) => {
                let (start, clock, documents) = self.replica.load_checkpoint(&scope)?;
                self.session.handle(Input::CheckpointLoaded { start, clock, documents })?;
            }
            Output::ResumePages { scope, after, at_peer } => {
                if self.replica.can_resume_pages(&scope, &self.purpose.peer, &at_peer)? {
                    return self.act(Output::LoadPage(scope, Some(after)));
                }
                self.session.serve_anew(scope);
            }
            Output::LoadPage(scope, after) => {
                let page = self.replica.load_page(&scope, after)?;
                let (end, packed) = (page.end, page.packed);
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(&page.signature.0);
                signature[32..].copy_from_slice(&page.signature.1);
                self.session.handle(Input::PageLoaded { scope, end, packed, signature })?;
            }
            Output::Ingest(_, runs) if !self.has_room_for(&runs) => {
                if !self.told {
                    self.refused(FULL);
                    self.insist();
                }
                // What is on its way when it hears is not held against it.
                self.unwanted += 1;
                if self.unwanted > UNWANTED_MAX {
                    return Err(NetError::Rules(FULL.to_owned()));
                }
            }
            Output::Ingest(scope, runs) => {
                if !self.carries(&scope, &runs)? {
                    return Err(NetError::Rules(CARRIED.to_owned()));
                }
                let logs: BTreeSet<LogId> = runs.iter().map(|run| run.log).collect();
                match self.replica.ingest(&scope, runs) {
                    Ok(intake) => {
                        for Misfit { log, from_its_beginning } in &intake.misfits {
                            let (log, from_its_beginning) = (*log, *from_its_beginning);
                            self.misfits += 1;
                            if self.misfits > MISFITS_MAX {
                                return Err(NetError::Rules(format!(
                                    "a gap: transactions of log {log} that do not follow what is here, \
                                     {MISFITS_MAX} times"
                                )));
                            }
                            let scope = scope.clone();
                            self.session.handle(Input::Misfit { scope, log, from_its_beginning })?;
                        }
                        self.hear()?;
                        let theirs = self.session.peer_clock_of(&scope);
                        let taken = self.replica.taken(&scope, &logs, &intake, theirs);
                        self.session.handle(Input::Ingested { scope, taken })?;
                    }
                    Err(IntakeError::Replica(error)) => return Err(error.into()),
                    Err(IntakeError::Withheld { .. })
                        if self.purpose.peer == self.replica.profile().centre()
                            && self.misfits + logs.len() as u32 <= MISFITS_MAX =>
                    {
                        // The centre has accepted an order and carried it out while this session began: what it
                        // says of that comes behind. Until then what it leaves out is asked for once more.
                        for log in logs.iter().copied() {
                            self.misfits += 1;
                            let (scope, from_its_beginning) = (scope.clone(), false);
                            self.session.handle(Input::Misfit { scope, log, from_its_beginning })?;
                        }
                        self.hear()?;
                        let theirs = self.session.peer_clock_of(&scope);
                        let taken = self.replica.taken(&scope, &logs, &Intake::default(), theirs);
                        self.session.handle(Input::Ingested { scope, taken })?;
                    }
                    Err(broken) if self.room_len_bytes.is_some() && !self.told => {
                        // Whatever its log looks like, it is to hear that it is revoked.
                        self.refused(&broken.to_string());
                        self.insist();
                    }
                    Err(withheld @ IntakeError::Withheld { .. }) => {
                        let peer = self.purpose.peer;
                        return Err(NetError::Unexplained { peer, reason: withheld.to_string() });
                    }
                    Err(broken) => {
                        // What precedes it may have failed to be written here: then the peer is not to blame.
                        self.hear()?;
                        return Err(NetError::Rules(broken.to_string()));
                    }
                }
            }
            Output::StartPages(checkpoint, start) => {
                let scope = checkpoint.scope.clone();
                self.replica.start_pages(checkpoint, &start)?;
                self.hold_only(scope)?;
            }
            Output::StorePage { scope, end, packed, signature } => {
                let is_without = packed.is_empty();
                let (count, whole) = self.replica.store_page(&scope, end, &packed, &signature)?;
                self.session.count_documents(count);
                if let Some(Came { clock, held }) = whole {
                    self.session.handle(Input::Completed { scope, clock, held })?;
                } else if is_without {
                    self.hold_only(scope)?;
                }
            }
            Output::Granted(grant) => {
                let profile = self.replica.profile();
                let centre = profile.centre();
                let named = grant.enrolment.open(&centre).map(|enrolment| enrolment.replica);
                if self.purpose.peer != centre
                    || profile.replica() == centre
                    || named != Ok(profile.replica())
                {
                    return Err(NetError::Rules("an enrolment that the centre did not give".to_owned()));
                }
                let before = self.replica.scopes();
                let mut peer_has = BTreeMap::new();
                for scope in &before {
                    if let Some(clock) = self.session.peer_clock_of(scope) {
                        peer_has.insert(scope.clone(), clock.clone());
                    }
                }
                // Kept only once nothing of what it takes away is unsent; else it is offered again.
                if let Some(lost) = self.replica.take_grant(*grant, &peer_has)? {
                    for scope in &lost {
                        self.session.leave_out(scope);
                        self.peer_has.remove(scope);
                    }
                    self.session.grant_kept();
                    // Scopes that are new here are shared by the next session.
                    self.over |= !self.purpose.once && self.replica.scopes() != before;
                }
            }
            Output::GrantKept => {
                if let Some(gate) = &self.purpose.gate {
                    gate.grant_kept(&self.purpose.peer);
                }
                // Whoever has nothing left is told so.
                self.recheck()?;
            }
            Output::PeerHas { scope, clock } => {
                // What the centre had, others have: it asks for no clock before it cuts a damaged log.
                if !self.replica.is_centre() {
                    self.replica.hear_of(&self.purpose.peer, &scope, &clock);
                }
                self.peer_has.insert(scope, clock);
            }
            Output::LoadSealed => {
                let peer = self.purpose.peer;
                let to_centre = peer == self.replica.profile().centre();
                // A neighbour sees the same number whatever there is to say, so once a session.
                let mut runs = match to_centre || self.gave_sealed.is_empty() {
                    true => self.replica.sealed_for(&peer)?,
                    false => Vec::new(),
                };
                // What the centre cannot take yet, because earlier cells have not come, waits.
                runs.retain(|run| self.gave_sealed.insert((run.series, run.from)));
                self.session.handle(Input::SealedLoaded(runs))?;
            }
            Output::TakeSealed(run) => {
                // Cells are handed on once, by whoever sealed them; what is carried goes to the centre.
                if !self.replica.is_centre() && run.series.replica != self.purpose.peer {
                    return Err(NetError::Rules("sealed cells of somebody else".to_owned()));
                }
                match self.replica.take_sealed(&run) {
                    Ok(kept) => self.session.handle(Input::SealedTaken(kept))?,
                    Err(SealedIntakeError::Replica(error)) => return Err(error.into()),
                    Err(broken) => return Err(NetError::Rules(broken.to_string())),
                }
            }
            Output::SealedKept(kept) => self.replica.sealed_kept(&self.purpose.peer, &kept)?,
            Output::Withheld(scope) => {
                self.refused(&format!("asks for {scope}, which it does not hold: nothing of it is given"));
            }
            Output::Taken => {
                self.session.refuse(TAKEN);
                self.over = true;
            }
            Output::InSync => {
                self.in_sync = true;
                if let Some(gate) = &self.purpose.gate {
                    gate.in_sync(&self.purpose.peer);
                }
                self.remember()?;
                self.compare_if_due()?;
                if self.purpose.once && self.comparing.is_none() {
                    self.end();
                }
            }
            Output::Compare(question) => self.answer(question)?,
            Output::Compared(answer) => self.take_answer(&answer)?,
            Output::Apart { scope, documents } => self.replica.note_apart(&scope, documents),
            Output::Farewell { equal } => {
                tracing::debug!(peer = %self.purpose.peer, equal, "the peer ended the session");
                self.in_sync = equal;
            }
            Output::Pong { equal } => self.in_sync = equal,
        }
        Ok(())
    }
}

fn no_more_news() -> NetError {
    NetError::Broken { reason: "this replica can no longer write to its disk".to_owned() }
}

/// The session that `replica` has with the peer of `purpose`.
fn session(replica: &Replica, purpose: &Purpose) -> Result<Session, NetError> {
    let profile = replica.profile();
    let mut scopes = replica.clocks();
    if let Some(only) = &purpose.only {
        scopes.retain(|scope, _| only.contains(scope));
    }
    for (scope, (clock, completeness)) in &mut scopes {
        // A checkpoint that broke off goes on: to the peer its clock counts as held.
        if matches!(completeness, Completeness::Partial(Some(_)))
            && let Some(arriving) = replica.arriving(scope)
        {
            *clock = arriving;
        }
    }
    let to_centre = purpose.peer == profile.centre() || replica.is_centre();
    let enrolment = if to_centre { None } else { profile.grant().map(|grant| grant.enrolment.clone()) };
    let remembered = if purpose.dialler { replica.remembered(&purpose.peer)? } else { BTreeMap::new() };
    Ok(Session::new(Config {
        dialler: purpose.dialler,
        street: profile.street(),
        centre: profile.centre(),
        enrolment,
        scopes,
        remembered,
    }))
}

/// What the peer is told when a session ends with `error`; nothing if it knows or cannot hear it.
pub fn farewell(error: &NetError) -> Option<Vec<u8>> {
    let reason = match error {
        NetError::Session(SessionError::Refused { .. }) | NetError::Broken { .. } => return None,
        NetError::Session(error) => error.to_string(),
        NetError::Rules(reason) | NetError::Unexplained { reason, .. } => reason.clone(),
        other => other.to_string(),
    };
    Some(refusal(&reason))
}
