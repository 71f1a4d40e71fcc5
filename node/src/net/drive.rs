//! Driving a session over one QUIC stream: bytes in, bytes out, storage in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::mpsc::UnboundedReceiver;

use wangge_model::clock::Clock;
use wangge_model::enrolment::{Grant, SignedEnrolment};
use wangge_model::identity::{ReplicaId, Scope};
use wangge_model::session::{Completeness, Config, Input, Output, Session, Traffic, refusal};
use wangge_model::wire::is_acknowledgement;

use super::NetError;
use crate::replica::{Durable, IntakeError, Replica};

/// While this much waits to be sent, nothing more is loaded.
const BACKLOG_LEN_BYTES: usize = 512 * 1024;

/// How a session ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Whether both sides held the same.
    pub in_sync: bool,
    /// When both sides first held the same.
    pub in_sync_at: Option<std::time::Instant>,
    /// What it carried.
    pub traffic: Traffic,
}

/// Decides which scopes a peer shares.
pub(super) trait Admission: Send + Sync {
    /// The scopes of `peer`, or why it may not take part.
    fn admit(&self, peer: &ReplicaId, shown: Option<&SignedEnrolment>) -> Result<BTreeSet<Scope>, String>;

    /// A changed enrolment to hand over.
    fn changed_grant(&self, peer: &ReplicaId) -> Option<Grant>;

    /// The peer has kept it.
    fn grant_kept(&self, peer: &ReplicaId);
}

/// Who is at the other end and what for.
pub(super) struct Purpose<'a> {
    pub(super) peer: ReplicaId,
    pub(super) dialler: bool,
    /// End once both sides hold the same.
    pub(super) once: bool,
    /// Only these scopes.
    pub(super) only: Option<BTreeSet<Scope>>,
    pub(super) admission: Option<&'a dyn Admission>,
    /// Called with (label, done) as documents and transactions come and go.
    pub(super) progress: Option<&'a (dyn Fn(Traffic) + Send + Sync)>,
}

/// The session that `replica` has with the peer of `purpose`.
fn session(replica: &Replica, purpose: &Purpose<'_>) -> Result<Session, NetError> {
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

struct Driver<'a> {
    replica: &'a Arc<Replica>,
    purpose: Purpose<'a>,
    session: Session,
    news: UnboundedReceiver<Durable>,
    backlog: Vec<u8>,
    sent: usize,
    peer_has: BTreeMap<Scope, Clock>,
    over: bool,
    in_sync: bool,
    in_sync_at: Option<std::time::Instant>,
}

/// Runs a session until it ends. `first` is what has been read from the stream already.
pub(super) async fn drive(
    replica: &Arc<Replica>,
    purpose: Purpose<'_>,
    connection: &Connection,
    mut send: SendStream,
    mut recv: RecvStream,
) -> Result<Ended, NetError> {
    // Before the clocks are read, or news would be missed in between.
    let news = replica.subscribe();
    let session = session(replica, &purpose)?;
    let mut driver = Driver {
        replica,
        purpose,
        session,
        news,
        backlog: Vec::new(),
        sent: 0,
        peer_has: BTreeMap::new(),
        over: false,
        in_sync: false,
        in_sync_at: None,
    };
    let result = driver.run(&mut send, &mut recv).await;
    let remembered = driver.remember();
    let (in_sync, in_sync_at) = (driver.in_sync, driver.in_sync_at);
    let ended = Ended { in_sync, in_sync_at, traffic: driver.session.traffic() };
    match result {
        Ok(()) => {
            let received = ended.traffic.transactions_received + ended.traffic.documents_received;
            if received > 0 && send.finish().is_ok() {
                // The last acknowledgements are worth waiting for, a little.
                let wait = connection.rtt() * 2 + std::time::Duration::from_millis(50);
                let _ = tokio::time::timeout(wait, send.stopped()).await;
            }
            remembered?;
            Ok(ended)
        }
        Err(error) => {
            if let Some(reason) = told_to_peer(&error) {
                let _ = send.write_all(&refusal(&reason)).await;
                let _ = send.finish();
                let _ = tokio::time::timeout(std::time::Duration::from_millis(500), send.stopped()).await;
            }
            Err(error)
        }
    }
}

fn told_to_peer(error: &NetError) -> Option<String> {
    match error {
        NetError::Session(wangge_model::session::SessionError::Refused { .. }) | NetError::Broken { .. } => {
            None
        }
        NetError::Session(error) => Some(error.to_string()),
        NetError::Rules(reason) => Some(reason.clone()),
        other => Some(other.to_string()),
    }
}

impl Driver<'_> {
    async fn run(&mut self, send: &mut SendStream, recv: &mut RecvStream) -> Result<(), NetError> {
        let broken = |reason: String| NetError::Broken { reason };
        self.pump()?;
        loop {
            if self.over && self.sent == self.backlog.len() {
                return Ok(());
            }
            tokio::select! {
                biased;
                wrote = send.write(&self.backlog[self.sent..]), if self.sent < self.backlog.len() => {
                    self.sent += wrote.map_err(|e| broken(e.to_string()))?;
                    if self.sent == self.backlog.len() {
                        self.backlog.clear();
                        self.sent = 0;
                    }
                }
                durable = self.news.recv() => {
                    let Some(durable) = durable else {
                        return Err(broken("this replica can no longer write to its disk".to_owned()));
                    };
                    self.durable(durable)?;
                    self.hear()?;
                }
                chunk = recv.read_chunk(256 * 1024, true), if !self.over => {
                    match chunk.map_err(|e| broken(e.to_string()))? {
                        None if self.purpose.dialler => return Err(broken("the peer ended the session".to_owned())),
                        None => self.over = true,
                        Some(chunk) => self.session.handle(Input::Received(&chunk.bytes))?,
                    }
                }
            }
            self.pump()?;
            if self.in_sync && !self.peer_has.is_empty() {
                self.remember()?;
            }
        }
    }

    /// Passes on what has become durable meanwhile.
    fn hear(&mut self) -> Result<(), NetError> {
        while let Ok(durable) = self.news.try_recv() {
            self.durable(durable)?;
        }
        Ok(())
    }

    fn durable(&mut self, durable: Durable) -> Result<(), NetError> {
        let Durable { scope, log, extent } = durable;
        Ok(self.session.handle(Input::Durable { scope, log, extent })?)
    }

    /// Does what the session asks for, as long as the peer takes what is sent.
    fn pump(&mut self) -> Result<(), NetError> {
        while self.backlog.len() - self.sent < BACKLOG_LEN_BYTES {
            let Some(output) = self.session.poll_output() else { break };
            self.act(output)?;
            if let Some(progress) = self.purpose.progress {
                progress(self.session.traffic());
            }
        }
        Ok(())
    }

    fn act(&mut self, output: Output) -> Result<(), NetError> {
        let replica = self.replica;
        match output {
            Output::Send(bytes) => {
                if is_acknowledgement(&bytes) {
                    tracing::trace!(peer = %self.purpose.peer, "an acknowledgement leaves");
                }
                self.backlog.extend_from_slice(&bytes);
            }
            Output::Admit(shown) => {
                let refused = |reason| NetError::Rules(reason);
                let admission = self.purpose.admission.ok_or_else(|| refused("no admission".to_owned()))?;
                let mut scopes = admission.admit(&self.purpose.peer, shown.as_ref()).map_err(refused)?;
                if let Some(only) = &self.purpose.only {
                    scopes.retain(|scope| only.contains(scope));
                }
                self.session.handle(Input::Admitted(scopes))?;
                if let Some(grant) = admission.changed_grant(&self.purpose.peer) {
                    self.session.grant(grant);
                }
            }
            Output::Load { scope, log, from, at_peer } => {
                let runs = blocking(|| replica.load_run(&scope, &log, from, at_peer))?;
                self.session.handle(Input::Loaded { scope, log, runs })?;
            }
            Output::LoadCheckpoint(scope) => {
                let (start, clock, documents) = blocking(|| replica.load_checkpoint(&scope))?;
                self.session.handle(Input::CheckpointLoaded { start, clock, documents })?;
            }
            Output::LoadPage(scope, after) => {
                let page = blocking(|| replica.load_page(&scope, after))?;
                let (end, packed) = (page.end, page.packed);
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(&page.signature.0);
                signature[32..].copy_from_slice(&page.signature.1);
                self.session.handle(Input::PageLoaded { scope, end, packed, signature })?;
            }
            Output::Ingest(scope, runs) => {
                let taken = blocking(|| replica.ingest(&scope, runs));
                match taken {
                    Ok(misfits) => {
                        for misfit in misfits {
                            let (log, held) = (misfit.log, misfit.held);
                            self.session.handle(Input::Misfit { scope: scope.clone(), log, held })?;
                        }
                        self.hear()?;
                        self.session.handle(Input::Ingested(scope))?;
                    }
                    Err(IntakeError::Log(error)) => return Err(NetError::Rules(error.to_string())),
                    Err(IntakeError::Replica(error)) => return Err(error.into()),
                }
            }
            Output::StartPages(checkpoint, start) => blocking(|| replica.start_pages(checkpoint, &start))?,
            Output::StorePage { scope, end, packed, signature } => {
                let (count, whole) = blocking(|| replica.store_page(&scope, end, &packed, &signature))?;
                self.session.count_documents(count);
                if let Some(clock) = whole {
                    self.session.handle(Input::Completed { scope, clock })?;
                }
            }
            Output::Granted(grant) => {
                let mut profile = replica.profile();
                profile.set_grant(*grant);
                blocking(|| replica.set_profile(profile))?;
                self.session.grant_kept();
            }
            Output::GrantKept => {
                if let Some(admission) = self.purpose.admission {
                    admission.grant_kept(&self.purpose.peer);
                }
            }
            Output::PeerHas { scope, clock } => {
                self.peer_has.insert(scope, clock);
            }
            Output::InSync => {
                self.in_sync = true;
                self.in_sync_at.get_or_insert_with(std::time::Instant::now);
                self.remember()?;
                if self.purpose.once {
                    let traffic = self.session.traffic();
                    if traffic.transactions_sent + traffic.documents_received > 0 {
                        self.session.say_bye();
                    }
                    self.over = true;
                }
            }
            Output::Farewell { equal } => {
                tracing::debug!(peer = %self.purpose.peer, equal, "the peer ended the session");
                self.in_sync = equal;
            }
            Output::Pong { equal } => self.in_sync = equal,
        }
        Ok(())
    }

    fn remember(&mut self) -> Result<(), NetError> {
        let known = std::mem::take(&mut self.peer_has);
        // The centre dials nobody and its own disk is what counts as arrived.
        if !known.is_empty() && !self.replica.is_centre() {
            blocking(|| self.replica.remember(&self.purpose.peer, &known))?;
        }
        Ok(())
    }
}

/// Runs what waits for the disk or computes for long without holding up other tasks.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
