//! Photos between two replicas: on a stream of their own, with less priority than the session's, and only once
//! the session has nothing left to say. Whoever dials opens it; each side asks for what it lacks, one photo at a
//! time, and goes on where an earlier line broke.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{RecvStream, SendStream};

use wangge_model::identity::{ReplicaId, Scope};
use wangge_model::photo::{PhotoFrame, PhotoFrames, PhotoId};
use wangge_model::session::{Frames, SessionError};

use super::door::Door;
use super::{NetError, blocking};
use crate::replica::Replica;
use crate::replica::photos::{Arriving, PhotoState, Taken};

/// Below the session's streams, which have 0.
const PRIORITY: i32 = -1;
/// While this much waits to be sent, no more pieces are read.
const BACKLOG_LEN_BYTES: usize = 256 * 1024;
/// Photos that wait to be asked for, or that a peer was told are not here, at most.
const WAITING_MAX: usize = 4_096;
/// Most bytes that are taken from the stream at once.
const CHUNK_LEN_BYTES: usize = 64 * 1024;
/// How long nothing may happen while something is under way.
const PATIENCE: Duration = Duration::from_secs(30);

/// Photos of these scopes are exchanged with a peer.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) replica: Arc<Replica>,
    pub(super) peer: ReplicaId,
    pub(super) scopes: BTreeSet<Scope>,
    /// Those that the peer lost: what it has of them is taken, and it is given nothing.
    pub(super) lost: BTreeSet<Scope>,
    /// Whether this side opened the stream.
    pub(super) dialler: bool,
}

impl Terms {
    /// Whether there is a photo that one side has and the other may lack.
    pub(super) fn has_work(&self) -> Result<bool, NetError> {
        let states = [PhotoState::Missing, PhotoState::Here];
        Ok(!self.replica.photos_in(&self.scopes, &states)?.is_empty())
    }
}

/// What one side knows of the exchange.
struct Talk {
    terms: Terms,
    frames: PhotoFrames,
    out: Vec<u8>,
    sent: usize,
    /// To be asked for.
    queue: VecDeque<PhotoId>,
    /// What was asked for last and is coming.
    arriving: Option<Arriving>,
    /// What the peer asked for last, and its next piece.
    serving: Option<(PhotoId, usize)>,
    /// Offered, and not answered.
    offered: BTreeSet<PhotoId>,
    /// Were offered on this stream: not again.
    was_offered: BTreeSet<PhotoId>,
    /// Were asked for on this stream: not again, unless the peer offers them.
    was_asked: BTreeSet<PhotoId>,
    /// What the peer wants and was not here.
    lacked: BTreeSet<PhotoId>,
}

impl Talk {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            frames: PhotoFrames::default(),
            out: Vec::new(),
            sent: 0,
            queue: VecDeque::new(),
            arriving: None,
            serving: None,
            offered: BTreeSet::new(),
            was_offered: BTreeSet::new(),
            was_asked: BTreeSet::new(),
            lacked: BTreeSet::new(),
        }
    }

    fn is_done(&self) -> bool {
        !self.is_busy() && self.offered.is_empty()
    }

    /// Whether the peer, or the line, keeps this side waiting.
    fn is_busy(&self) -> bool {
        !self.unsent().is_empty()
            || self.arriving.is_some()
            || self.serving.is_some()
            || !self.queue.is_empty()
    }

    fn unsent(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    fn took(&mut self, len_bytes: usize) {
        self.sent += len_bytes;
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
    }

    fn send(&mut self, frame: &PhotoFrame) {
        self.out.extend_from_slice(&frame.encode());
    }

    fn replica(&self) -> Arc<Replica> {
        Arc::clone(&self.terms.replica)
    }

    fn is_with_centre(&self) -> bool {
        self.terms.peer == self.terms.replica.profile().centre()
    }

    /// Looks for what is lacking here and what the peer may lack.
    fn look(&mut self) -> Result<(), NetError> {
        let replica = self.replica();
        if self.terms.dialler {
            for id in replica.photos_in(&self.terms.scopes, &[PhotoState::Missing])? {
                let is_coming = self.arriving.as_ref().is_some_and(|arriving| arriving.id == id);
                if !is_coming && self.queue.len() < WAITING_MAX && self.was_asked.insert(id.clone()) {
                    self.queue.push_back(id);
                }
            }
            for id in replica.photos_in(&self.terms.scopes, &[PhotoState::Here])? {
                if self.offered.len() < WAITING_MAX && self.was_offered.insert(id.clone()) {
                    self.offered.insert(id.clone());
                    self.send(&PhotoFrame::Offer(id));
                }
            }
        }
        let mut here = Vec::new();
        for id in &self.lacked {
            if matches!(replica.photo_state(id)?, PhotoState::Here | PhotoState::Centre) {
                here.push(id.clone());
            }
        }
        for id in here {
            self.lacked.remove(&id);
            self.send(&PhotoFrame::Offer(id));
        }
        self.ask()
    }

    /// Asks for the next photo, if none is coming.
    fn ask(&mut self) -> Result<(), NetError> {
        let replica = self.replica();
        while self.arriving.is_none() {
            let Some(id) = self.queue.pop_front() else { break };
            match replica.begin_photo(&id) {
                Ok(Some(mut arriving)) if arriving.is_whole() => match replica.check_whole(&mut arriving)? {
                    Taken::Whole => self.got(&id)?,
                    _ => self.queue.push_front(id),
                },
                Ok(Some(arriving)) => {
                    self.send(&PhotoFrame::Want(id, arriving.next()));
                    self.arriving = Some(arriving);
                }
                Ok(None) => self.send(&PhotoFrame::Refuse(id)),
                Err(error) => {
                    // A full disk: records go on.
                    tracing::warn!(%error, "a photo cannot be taken in");
                    self.send(&PhotoFrame::Refuse(id));
                }
            }
        }
        Ok(())
    }

    /// A photo of the peer's is durable here.
    fn got(&mut self, id: &PhotoId) -> Result<(), NetError> {
        self.send(&PhotoFrame::Got(id.clone()));
        if self.is_with_centre() {
            self.terms.replica.note_photo_at_centre(id)?;
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        self.frames.push(bytes);
        while let Some(frame) = self.frames.next_frame().map_err(SessionError::Wire)? {
            self.handle(frame)?;
        }
        self.ask()
    }

    fn handle(&mut self, frame: PhotoFrame) -> Result<(), NetError> {
        let replica = self.replica();
        match frame {
            PhotoFrame::Offer(id) => {
                if !self.terms.scopes.contains(&id.scope) && !self.terms.lost.contains(&id.scope) {
                    self.send(&PhotoFrame::Refuse(id));
                    return Ok(());
                }
                // The record that names it may have come a moment ago.
                replica.apply()?;
                match replica.photo_state(&id)? {
                    PhotoState::Here | PhotoState::Centre => self.got(&id)?,
                    PhotoState::Missing if self.queue.len() < WAITING_MAX => {
                        let is_coming = self.arriving.as_ref().is_some_and(|arriving| arriving.id == id);
                        if !is_coming && !self.queue.contains(&id) {
                            self.queue.push_back(id);
                        }
                    }
                    PhotoState::Missing | PhotoState::Gone => self.send(&PhotoFrame::Refuse(id)),
                }
            }
            PhotoFrame::Want(id, from) => {
                if self.serving.is_some() {
                    return Err(NetError::Rules("photos: asked for two at once".to_owned()));
                }
                let is_here = self.terms.scopes.contains(&id.scope)
                    && matches!(replica.photo_state(&id)?, PhotoState::Here | PhotoState::Centre);
                if is_here {
                    self.serving = Some((id, usize::try_from(from).unwrap_or(usize::MAX)));
                } else {
                    if self.terms.scopes.contains(&id.scope) && self.lacked.len() < WAITING_MAX {
                        self.lacked.insert(id.clone());
                    }
                    self.send(&PhotoFrame::Lack(id));
                }
            }
            PhotoFrame::Piece(piece) => {
                let Some(arriving) = &mut self.arriving else {
                    return Err(NetError::Rules("photos: a piece of nothing that was asked for".to_owned()));
                };
                let id = arriving.id.clone();
                match replica.take_piece(arriving, &piece)? {
                    Taken::More => {}
                    Taken::Whole => {
                        self.arriving = None;
                        self.got(&id)?;
                    }
                    Taken::Wrong => {
                        self.arriving = None;
                        return Err(NetError::Rules(format!(
                            "a forged photo: what came is not what the record {} names",
                            id.doc
                        )));
                    }
                }
            }
            PhotoFrame::Lack(id) => {
                if self.arriving.as_ref().is_some_and(|arriving| arriving.id == id) {
                    self.arriving = None;
                }
            }
            PhotoFrame::Got(id) => {
                self.offered.remove(&id);
                if self.is_with_centre() && self.terms.scopes.contains(&id.scope) {
                    replica.note_photo_at_centre(&id)?;
                }
            }
            PhotoFrame::Refuse(id) => {
                self.offered.remove(&id);
                if self.is_with_centre() {
                    replica.note_photo_refused(id)?;
                }
            }
        }
        Ok(())
    }

    /// Reads pieces that the peer wants, as long as it takes them.
    fn fill(&mut self) -> Result<(), NetError> {
        while self.unsent().len() < BACKLOG_LEN_BYTES {
            let Some((id, at)) = self.serving.clone() else { break };
            match self.terms.replica.photo_piece(&id, at)? {
                Some(piece) => {
                    let is_last = piece.len() < wangge_model::photo::PIECE_LEN_BYTES;
                    self.send(&PhotoFrame::Piece(piece));
                    let more = !is_last && self.terms.replica.has_photo_piece(&id, at + 1)?;
                    self.serving = more.then_some((id, at + 1));
                }
                None => {
                    self.serving = None;
                    self.send(&PhotoFrame::Lack(id));
                }
            }
        }
        Ok(())
    }
}

/// Exchanges photos until there is nothing more to exchange and `once` is set, the peer goes, or nothing happens
/// any more. A peer that `door` watches waits where it sends faster than it may.
pub(super) async fn exchange(
    terms: Terms,
    door: Option<Arc<Door>>,
    once: bool,
    mut send: SendStream,
    mut recv: RecvStream,
) -> Result<(), NetError> {
    let broken = |reason: String| NetError::Broken { reason };
    let _ = send.set_priority(PRIORITY);
    let mut news = terms.replica.photo_news();
    let mut talk = Talk::new(terms);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut moved = Instant::now();
    let mut wait = Duration::ZERO;
    blocking(|| talk.look())?;
    loop {
        blocking(|| talk.fill())?;
        if once && talk.is_done() {
            let _ = send.finish();
            return Ok(());
        }
        let has_room = talk.unsent().len() < 2 * BACKLOG_LEN_BYTES && wait.is_zero();
        tokio::select! {
            wrote = send.write(&talk.out[talk.sent..]), if !talk.unsent().is_empty() => {
                let wrote = wrote.map_err(|error| broken(error.to_string()))?;
                talk.took(wrote);
                moved = Instant::now();
            }
            chunk = recv.read_chunk(CHUNK_LEN_BYTES, true), if has_room => {
                let Some(chunk) = chunk.map_err(|error| broken(error.to_string()))? else { return Ok(()) };
                moved = Instant::now();
                if let Some(door) = &door {
                    let sent = Frames { data: 1, ..Frames::default() };
                    let len_bytes = chunk.bytes.len() as u64;
                    wait = door.spend(&talk.terms.peer, len_bytes, sent).map_err(NetError::Rules)?;
                }
                blocking(|| talk.receive(&chunk.bytes))?;
            }
            () = tokio::time::sleep(wait), if !wait.is_zero() => wait = Duration::ZERO,
            Ok(()) = news.changed() => blocking(|| talk.look())?,
            _ = tick.tick() => {
                if !talk.is_busy() && talk.offered.is_empty() {
                    moved = Instant::now();
                }
                if moved.elapsed() > PATIENCE {
                    return Err(broken("photos: nothing moved".to_owned()));
                }
            }
        }
    }
}
