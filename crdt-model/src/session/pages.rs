//! Pages: a side that never had a scope whole takes its documents as they are, in a signed checkpoint.

use super::{Completeness, Output, PAGES_FROM_DOCUMENTS, Session, SessionError};
use crate::checkpoint::{Checkpoint, Cursor, verify_part};
use crate::clock::Clock;
use crate::identity::Scope;
use crate::wire::{CheckpointStart, Frame, WireError};

impl Session {
    /// Begins to send pages of a scope to a peer that stands at `clock`.
    pub(super) fn serve(&mut self, scope: Scope, clock: Clock, after: Option<Cursor>) {
        let Some(session) = self.scopes.get_mut(&scope).filter(|_| !self.takes_only) else { return };
        session.serving = Some(clock.clone());
        self.out.push_back(match after {
            // It goes on where a checkpoint broke off; its clock is that checkpoint's.
            Some(after) => Output::ResumePages { scope, after, at_peer: clock },
            None => Output::LoadCheckpoint(scope),
        });
    }

    /// Pages that broke off cannot go on from here: they would be older than those that the peer has. It begins
    /// again; [`Output::LoadCheckpoint`] follows.
    pub fn serve_anew(&mut self, scope: Scope) {
        let Some(session) = self.scopes.get_mut(&scope) else { return };
        session.serving = Some(Clock::default());
        session.peer = Clock::default();
        self.out.push_back(Output::LoadCheckpoint(scope));
    }

    pub(super) fn handle_page_loaded(
        &mut self,
        scope: Scope,
        end: Option<Cursor>,
        packed: Vec<u8>,
        signature: [u8; 64],
    ) {
        self.send(&Frame::Page { scope: scope.clone(), end, packed, signature });
        match end {
            Some(_) => self.out.push_back(Output::LoadPage(scope, end)),
            None => self.finish_serving(&scope),
        }
    }

    pub(super) fn handle_completed(&mut self, scope: Scope, clock: &Clock, held: Clock) {
        let Some(session) = self.scopes.get_mut(&scope) else { return };
        // The peer takes all that it sent for held: it is told what is not.
        let kept = clock.0.iter().find(|(log, ends)| held.0.get(*log) != Some(*ends)).map(|(log, _)| *log);
        session.mine = held;
        session.peer.merge(clock);
        session.completeness = Completeness::Whole;
        session.taking = false;
        if let Some(log) = kept {
            self.handle_misfit(scope, log, false);
        }
    }

    pub(super) fn handle_checkpoint_loaded(&mut self, start: CheckpointStart, clock: &Clock, documents: u64) {
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

    pub(super) fn handle_checkpoint(&mut self, start: &CheckpointStart) -> Result<(), SessionError> {
        let scope = start.scope.clone();
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(self.not_shared(scope));
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

    pub(super) fn handle_page(
        &mut self,
        scope: Scope,
        end: Option<Cursor>,
        packed: Vec<u8>,
        signature: &[u8; 64],
    ) -> Result<(), SessionError> {
        let Some(session) = self.scopes.get_mut(&scope) else {
            return Err(self.not_shared(scope));
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
}
