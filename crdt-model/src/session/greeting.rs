//! The beginning of a session: both sides say hello, the listener admits, clocks that differ are told.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{ScopeSession, Shown};
use super::{Completeness, HELLO_CLOCK_ENTRIES_MAX, Output, Phase, Session, SessionError};
use crate::clock::Clock;
use crate::identity::Scope;
use crate::planted::{self, Bug};
use crate::wire::{Frame, Hello, PROTOCOL_VERSION, ScopeClock, Summary};

impl Session {
    pub(super) fn handle_hello(&mut self, hello: Box<Hello>) -> Result<(), SessionError> {
        if hello.street != self.config.street {
            return Err(SessionError::Street);
        }
        // The centre was known by its key. A neighbour must show what the centre gave it, like any who dials.
        if self.config.dialler && self.config.enrolment.is_none() {
            self.due = hello.due;
            self.phase = Phase::Open;
            return self.greet(*hello);
        }
        self.phase = Phase::Admitting;
        let named = hello.summary.scopes().cloned().collect();
        self.out.push_back(Output::Admit { shown: hello.enrolment.clone(), named });
        self.hello = Some(hello);
        Ok(())
    }

    pub(super) fn handle_admitted(
        &mut self,
        theirs: &BTreeSet<Scope>,
        lost: &BTreeSet<Scope>,
    ) -> Result<(), SessionError> {
        if self.config.dialler {
            // What the neighbour does not hold was offered in vain.
            self.scopes.retain(|scope, _| theirs.contains(scope));
        } else {
            let shared = self.config.scopes.keys().filter(|s| theirs.contains(*s)).cloned().collect();
            self.share(&shared);
            for scope in lost.difference(theirs) {
                if let Some((clock, completeness)) = self.config.scopes.get(scope) {
                    self.scopes.insert(scope.clone(), ScopeSession::taken(clock.clone(), *completeness));
                }
            }
        }
        self.admitted = theirs.union(lost).cloned().collect();
        if let Some(hello) = &self.hello {
            // A lost scope that the peer does not speak of is gone there.
            let listed: BTreeSet<&Scope> = hello.summary.scopes().collect();
            self.scopes.retain(|scope, session| session.taken.is_none() || listed.contains(scope));
            for entry in hello.summary.clocks().into_iter().flatten() {
                let session = self.scopes.get_mut(&entry.scope);
                if let Some(session) = session.filter(|session| session.taken.is_some()) {
                    session.peer_tells(entry.clock.clone(), false);
                }
            }
        }
        self.open()
    }

    /// Answers the hello of a peer that may take part, once it is known what of its lost scopes is here.
    fn open(&mut self) -> Result<(), SessionError> {
        if !self.scopes.values().all(ScopeSession::is_shown) {
            return Ok(());
        }
        self.phase = Phase::Open;
        if let Some(hello) = self.hello.take() {
            self.greet(*hello)?;
        }
        while let Some(frame) = self.early.pop_front() {
            self.handle_frame(frame)?;
        }
        Ok(())
    }

    pub(super) fn handle_located(&mut self, scope: &Scope, both: Clock) -> Result<(), SessionError> {
        let Some(session) = self.scopes.get_mut(scope) else { return Ok(()) };
        session.mine = both;
        if session.shown == Shown::Asked {
            session.shown = Shown::Current;
        }
        if self.phase == Phase::Admitting {
            return self.open();
        }
        if session.is_shown() && std::mem::take(&mut session.answers) {
            let told = self.tell(scope);
            self.send(&Frame::Clocks(vec![told]));
        }
        self.unacknowledged.insert(scope.clone());
        Ok(())
    }

    /// Notes whatever the peer asks for and does not hold, each scope once.
    fn note_withheld(&mut self, asked: &[ScopeClock]) {
        for ScopeClock { scope, .. } in asked {
            if !self.config.dialler && self.admitted.insert(scope.clone()) {
                self.out.push_back(Output::Withheld(scope.clone()));
            }
        }
    }

    pub(super) fn share(&mut self, shared: &BTreeSet<Scope>) {
        for scope in shared {
            if let Some((clock, completeness)) = self.config.scopes.get(scope) {
                let remembered = self.config.remembered.get(scope);
                let session = ScopeSession::new(clock.clone(), *completeness, remembered);
                self.scopes.insert(scope.clone(), session);
            }
        }
    }

    pub(super) fn say_hello(&mut self) {
        let entries: usize = self.scopes.values().map(|session| session.mine.count()).sum();
        let mut scopes: Vec<Scope> = self.scopes.keys().cloned().collect();
        if planted::is(Bug::ForgetScope) {
            scopes.pop();
        }
        let summary = if entries <= HELLO_CLOCK_ENTRIES_MAX {
            for session in self.scopes.values_mut() {
                session.greeted = session.mine.clone();
            }
            Summary::Clocks(scopes.iter().map(|s| self.tell(s)).collect())
        } else {
            // A scope that is not whole is left out, so that the peer tells its clock.
            let whole = self.scopes.iter().filter(|(_, s)| s.completeness == Completeness::Whole);
            Summary::Digests(whole.map(|(scope, s)| (scope.clone(), s.mine.digest())).collect())
        };
        self.send_hello(summary);
    }

    pub(super) fn send_hello(&mut self, summary: Summary) {
        let hello = Hello {
            version: PROTOCOL_VERSION,
            street: self.config.street,
            enrolment: self.config.enrolment.clone(),
            due: self.due && !self.config.dialler,
            digest: self.digest(),
            summary,
        };
        self.send(&Frame::Hello(Box::new(hello)));
    }

    /// This side's clock of a scope, to be sent now.
    pub(super) fn tell(&mut self, scope: &Scope) -> ScopeClock {
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

    pub(super) fn tell_all(&mut self) {
        let scopes: Vec<Scope> = self.scopes.keys().cloned().collect();
        let clocks = scopes.iter().map(|scope| self.tell(scope)).collect();
        self.send(&Frame::Clocks(clocks));
    }

    /// The peer's hello has come and it may take part.
    pub(super) fn greet(&mut self, hello: Hello) -> Result<(), SessionError> {
        let peer_is_whole = match &hello.summary {
            Summary::Clocks(clocks) | Summary::Differences(clocks) => {
                clocks.iter().all(|entry| entry.pages.is_none())
            }
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
        let summary = match hello.summary {
            Summary::Differences(mut clocks) => {
                for entry in &mut clocks {
                    let greeted = self.scopes.get(&entry.scope).map(|session| &session.greeted);
                    entry.clock = entry.clock.added_to(greeted.cloned().unwrap_or_default());
                }
                Summary::Clocks(clocks)
            }
            summary => summary,
        };
        match summary {
            Summary::Differences(_) => {}
            Summary::Clocks(clocks) if self.config.dialler => {
                // What the listener does not list is as this side believed.
                let listed: BTreeSet<Scope> = clocks.iter().map(|entry| entry.scope.clone()).collect();
                for (_, session) in self.scopes.iter_mut().filter(|(scope, _)| !listed.contains(*scope)) {
                    session.told = true;
                }
                self.handle_clocks(clocks)?;
            }
            Summary::Clocks(clocks) => {
                self.note_withheld(&clocks);
                for entry in &clocks {
                    if let Some(session) = self.scopes.get_mut(&entry.scope) {
                        session.peer_tells(entry.clock.clone(), entry.again);
                    }
                }
                let answer = clocks
                    .iter()
                    .filter(|entry| {
                        let mine = self.scopes.get(&entry.scope).map(|s| s.mine.digest());
                        mine.is_some() && mine != entry.believes
                    })
                    .map(|entry| (entry.scope.clone(), entry.clock.clone()))
                    .collect::<Vec<_>>();
                let answer = answer.iter().map(|(scope, theirs)| {
                    let mut told = self.tell(scope);
                    told.clock = told.clock.beyond(theirs);
                    told
                });
                let answer = answer.collect();
                self.send_hello(Summary::Differences(answer));
                for entry in clocks {
                    self.peer_clock(entry);
                }
            }
            Summary::Digests(digests) => {
                let digests: BTreeMap<Scope, [u8; 8]> = digests.into_iter().collect();
                let mut differ = Vec::new();
                let mut asked = Vec::new();
                for (scope, session) in &mut self.scopes {
                    if let Some(all) = session.taken.clone() {
                        // Of what it lost it is shown no more than it has: that it must tell first.
                        if digests.get(scope) == Some(&all.digest()) {
                            session.peer_tells(all, false);
                        } else {
                            asked.push(scope.clone());
                        }
                        continue;
                    }
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
                if !asked.is_empty() {
                    self.send(&Frame::AskClocks(asked));
                }
            }
        }
        Ok(())
    }

    /// The peer cannot show its clocks before it knows these.
    pub(super) fn handle_ask_clocks(&mut self, scopes: &[Scope]) {
        let held: BTreeSet<&Scope> = scopes.iter().filter(|scope| self.scopes.contains_key(*scope)).collect();
        let clocks: Vec<ScopeClock> = held.into_iter().map(|scope| self.tell(scope)).collect();
        if !clocks.is_empty() {
            self.send(&Frame::Clocks(clocks));
        }
    }

    pub(super) fn handle_clocks(&mut self, clocks: Vec<ScopeClock>) -> Result<(), SessionError> {
        self.note_withheld(&clocks);
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
            // What is shown of a lost scope follows from what the peer has: it learns that once it is known.
            let session = self.scopes.get_mut(&scope);
            if let Some(session) = session.filter(|session| session.taken.is_some()) {
                answer.retain(|due| *due != scope);
                session.answers = true;
                session.shown = Shown::Due;
            }
        }
        if !answer.is_empty() {
            let clocks = answer.iter().map(|scope| self.tell(scope)).collect();
            self.send(&Frame::Clocks(clocks));
        }
        Ok(())
    }

    /// The peer says what it has of a scope: send what it lacks.
    pub(super) fn peer_clock(&mut self, entry: ScopeClock) {
        let Some(session) = self.scopes.get_mut(&entry.scope) else { return };
        session.peer_tells(entry.clock.clone(), entry.again);
        self.out.push_back(Output::PeerHas { scope: entry.scope.clone(), clock: entry.clock.clone() });
        match entry.pages {
            Some(_) if session.taken.is_some() => {}
            Some(after) if session.serving.is_none() && session.completeness == Completeness::Whole => {
                self.serve(entry.scope, entry.clock, after);
            }
            _ => self.push(&entry.scope),
        }
    }
}
