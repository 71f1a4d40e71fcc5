//! Frames: a length, a type and a body. Control frames are postcard; batches and pages have forms of
//! their own.

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, WireError, Writer};
use crate::checkpoint::Cursor;
use crate::clock::{Clock, Ends};
use crate::enrolment::{Grant, SignedEnrolment, StreetId};
use crate::fingerprint::{APART_MAX, Answer, DEPTH_MAX, Question};
use crate::identity::{DocId, Epoch, LogId, Scope};
use crate::sealed::{SealedKept, SealedRun};
use crate::transaction::SEEN_MAX;
use crate::turn::{Seat, Sharing};
use crate::wipe::{SignedOrder, SignedReceipt};

/// Version of everything in this module; a hello begins with it, so that whoever speaks another one is told so.
pub const PROTOCOL_VERSION: u16 = 2;

/// Longest frame, in bytes.
pub const FRAME_LEN_BYTES_MAX: usize = 1024 * 1024;

/// One message between replicas.
#[derive(Clone, PartialEq, Debug)]
pub enum Frame {
    /// A new replica shows its invitation.
    Join(Join),
    /// The centre's answer.
    Joined(Box<Joined>),
    /// Opens a session on either side.
    Hello(Box<Hello>),
    /// Full clocks of scopes that differ.
    Clocks(Vec<ScopeClock>),
    /// Tell your clocks of these scopes: the sender shows no more of them than the receiver has.
    AskClocks(Vec<Scope>),
    /// Transactions: [`super::encode_batch`].
    Batch(Vec<u8>),
    /// What is durable at the sender of this frame.
    Acknowledged(Acknowledged),
    /// Pages follow for this scope.
    Checkpoint(CheckpointStart),
    /// Documents: [`super::encode_page`], with the end of the page and the centre's signature.
    Page {
        /// The scope.
        scope: Scope,
        /// The last document of the page; `None` in the last page.
        end: Option<Cursor>,
        /// The documents.
        packed: Vec<u8>,
        /// The centre's, over `packed`.
        signature: [u8; 64],
    },
    /// Are we still equal? The sender's digest over all shared clocks.
    Ping([u8; 8]),
    /// The answer to a ping: the same digest of the other side.
    Pong([u8; 8]),
    /// Do we hold the same documents?
    Compare(Question),
    /// The answer.
    Compared(Answer),
    /// With equal clocks these documents were found to differ.
    Apart {
        /// The scope.
        scope: Scope,
        /// The documents, as far as they were named.
        documents: Vec<DocId>,
    },
    /// A changed enrolment.
    Granted(Box<Grant>),
    /// The centre orders the receiver to destroy what it holds.
    Order(Box<SignedOrder>),
    /// It is done, and signed.
    Wiped(Box<SignedReceipt>),
    /// The changed enrolment is kept.
    GrantKept,
    /// Sealed cells for the centre.
    Sealed(Box<SealedRun>),
    /// Sealed cells that are durable at the sender of this frame.
    SealedKept(SealedKept),
    /// The session ends in order, with the sender's digest over all shared clocks.
    Bye([u8; 8]),
    /// The sender will not go on, and why.
    Refused(String),
}

/// A new replica shows its invitation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Join {
    /// Which invitation.
    pub number: u32,
    /// Its secret.
    pub secret: [u8; 16],
    /// The epoch that the replica drew.
    pub epoch: Epoch,
    /// A name for the device that people recognise.
    pub device: String,
    /// Set if the device has a worker already, whom whoever joins will share it with.
    pub sharing: Option<Sharing>,
}

/// The centre's answer to [`Join`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Joined {
    /// Welcome.
    Granted(Grant),
    /// No, and why: unknown, used, expired.
    Refused(String),
    /// Welcome on a device that others use as well: what it holds now, and who joined.
    Seated(Grant, Seat),
}

/// Opens a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Highest version that the sender speaks.
    pub version: u16,
    /// The street it belongs to.
    pub street: StreetId,
    /// Shown to neighbours; the relay knows its replicas.
    pub enrolment: Option<SignedEnrolment>,
    /// The centre has something for the receiver, a changed enrolment or an order, and hands it over once
    /// it has what the receiver holds alone.
    pub due: bool,
    /// Digest over all shared clocks.
    pub digest: [u8; 8],
    /// The clocks themselves, or digests of them, or nothing.
    pub summary: Summary,
}

/// How much of its clocks a replica tells at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Summary {
    /// Full clocks of these scopes.
    Clocks(Vec<ScopeClock>),
    /// Digests, where the clocks together would be long.
    Digests(Vec<(Scope, [u8; 8])>),
    /// A listener's answer to full clocks: of each only the logs that differ from what the receiver's hello said,
    /// without ends those that the sender lacks.
    Differences(Vec<ScopeClock>),
}

impl Summary {
    /// The scopes that it speaks of.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let (clocks, digests) = match self {
            Self::Clocks(clocks) | Self::Differences(clocks) => (clocks.as_slice(), [].as_slice()),
            Self::Digests(digests) => ([].as_slice(), digests.as_slice()),
        };
        clocks.iter().map(|entry| &entry.scope).chain(digests.iter().map(|(scope, _)| scope))
    }

    /// The clocks, in full or as differences.
    pub fn clocks(&self) -> Option<&[ScopeClock]> {
        match self {
            Self::Clocks(clocks) | Self::Differences(clocks) => Some(clocks),
            Self::Digests(_) => None,
        }
    }
}

/// The clock of one scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScopeClock {
    /// The scope.
    #[serde(with = "super::scope")]
    pub scope: Scope,
    /// What is durable of it at the sender.
    pub clock: Clock,
    /// The sender has never had all of it and takes pages, after this cursor if there is one.
    pub pages: Option<Option<Cursor>>,
    /// Digest of what the sender believes the receiver's clock to be, `None` if it does not know: the
    /// receiver tells its clock unless this is right.
    pub believes: Option<[u8; 8]>,
    /// Something that the receiver sent did not fit: it sends again what the clock lacks.
    pub again: bool,
}

/// Logs that are durable at the sender.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The scope.
    #[serde(with = "super::scope")]
    pub scope: Scope,
    /// The logs, each with all ends of its branches.
    pub logs: Vec<(LogId, Ends)>,
}

/// Pages follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckpointStart {
    /// The scope.
    pub scope: Scope,
    /// A [`crate::checkpoint::Checkpoint`] (postcard) as it was signed.
    pub bytes: Vec<u8>,
    /// The centre's signature, in two halves.
    pub signature: ([u8; 32], [u8; 32]),
}

impl CheckpointStart {
    /// The signature in one piece.
    pub fn signature(&self) -> [u8; 64] {
        let mut whole = [0; 64];
        whole[..32].copy_from_slice(&self.signature.0);
        whole[32..].copy_from_slice(&self.signature.1);
        whole
    }
}

const JOIN: u8 = 1;
const JOINED: u8 = 2;
const HELLO: u8 = 3;
const CLOCKS: u8 = 4;
const BATCH: u8 = 5;
const ACKNOWLEDGED: u8 = 6;
const CHECKPOINT: u8 = 7;
const PAGE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const GRANTED: u8 = 11;
const BYE: u8 = 12;
const REFUSED: u8 = 13;
const GRANT_KEPT: u8 = 14;
const COMPARE: u8 = 15;
const COMPARED: u8 = 16;
const APART: u8 = 17;
const ASK_CLOCKS: u8 = 18;
const ORDER: u8 = 30;
const WIPED: u8 = 31;
const SEALED: u8 = 70;
const SEALED_KEPT: u8 = 71;

fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}

fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &'static str) -> Result<T, WireError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(WireError::Trailing { what, len_bytes: rest.len() }),
        Err(_) => Err(WireError::Unsound { what }),
    }
}

/// A clock lists no more ends than a transaction may have seen.
fn check_clocks(clocks: &[ScopeClock]) -> Result<(), WireError> {
    match clocks.iter().map(|entry| entry.clock.count()).max() {
        Some(found) if found > SEEN_MAX => Err(WireError::Limit {
            what: "a clock's count of ends of logs",
            found: found as u64,
            max: SEEN_MAX as u64,
        }),
        _ => Ok(()),
    }
}

/// A document's id has so many halves of a byte.
fn check_depth(at: &[u8]) -> Result<(), WireError> {
    match at.len() {
        found if found > DEPTH_MAX => Err(WireError::Limit {
            what: "a level of a comparison",
            found: found as u64,
            max: DEPTH_MAX as u64,
        }),
        _ => Ok(()),
    }
}

impl Frame {
    /// What it is, with its article, for messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Join(_) => "an invitation",
            Self::Joined(_) => "an answer to an invitation",
            Self::Hello(_) => "a hello",
            Self::Clocks(_) => "clocks",
            Self::AskClocks(_) => "a question for clocks",
            Self::Batch(_) => "transactions",
            Self::Acknowledged(_) => "an acknowledgement",
            Self::Checkpoint(_) => "a checkpoint",
            Self::Page { .. } => "a page",
            Self::Ping(_) => "a ping",
            Self::Pong(_) => "a pong",
            Self::Compare(_) => "a comparison",
            Self::Compared(_) => "an answer to a comparison",
            Self::Apart { .. } => "what differs",
            Self::Granted(_) => "an enrolment",
            Self::Order(_) => "an order",
            Self::Wiped(_) => "a receipt for an order",
            Self::GrantKept => "a receipt for an enrolment",
            Self::Sealed(_) => "sealed cells",
            Self::SealedKept(_) => "a receipt for sealed cells",
            Self::Bye(_) => "a farewell",
            Self::Refused(_) => "a refusal",
        }
    }

    /// The frame as it travels, with its length in front.
    pub fn encode(&self) -> Vec<u8> {
        let (tag, body) = match self {
            Self::Join(join) => (JOIN, to_bytes(join)),
            Self::Joined(joined) => (JOINED, to_bytes(joined)),
            Self::Hello(hello) => (HELLO, to_bytes(hello)),
            Self::Clocks(clocks) => (CLOCKS, to_bytes(clocks)),
            Self::AskClocks(scopes) => (ASK_CLOCKS, to_bytes(scopes)),
            Self::Batch(batch) => (BATCH, batch.clone()),
            Self::Acknowledged(acks) => (ACKNOWLEDGED, to_bytes(acks)),
            Self::Checkpoint(start) => (CHECKPOINT, to_bytes(start)),
            Self::Page { scope, end, packed, signature } => {
                let mut body = to_bytes(&(scope, end));
                body.extend_from_slice(signature);
                body.extend_from_slice(packed);
                (PAGE, body)
            }
            Self::Ping(digest) => (PING, digest.to_vec()),
            Self::Pong(digest) => (PONG, digest.to_vec()),
            Self::Compare(question) => (COMPARE, to_bytes(question)),
            Self::Compared(answer) => (COMPARED, to_bytes(answer)),
            Self::Apart { scope, documents } => (APART, to_bytes(&(scope, documents))),
            Self::Granted(grant) => (GRANTED, to_bytes(grant)),
            Self::Order(order) => (ORDER, to_bytes(order)),
            Self::Wiped(receipt) => (WIPED, to_bytes(receipt)),
            Self::GrantKept => (GRANT_KEPT, Vec::new()),
            Self::Sealed(run) => (SEALED, to_bytes(run)),
            Self::SealedKept(kept) => (SEALED_KEPT, to_bytes(kept)),
            Self::Bye(digest) => (BYE, digest.to_vec()),
            Self::Refused(reason) => (REFUSED, reason.as_bytes().to_vec()),
        };
        let mut writer = Writer::default();
        writer.uint(body.len() as u64 + 1);
        writer.u8(tag);
        writer.raw(&body);
        writer.out
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let tag = reader.u8("a frame")?;
        let body = &bytes[1..];
        let digest = |what| {
            let mut reader = Reader::new(body);
            let digest = reader.array(what)?;
            reader.end(what)?;
            Ok(digest)
        };
        Ok(match tag {
            JOIN => Self::Join(from_bytes(body, "a join")?),
            JOINED => Self::Joined(from_bytes(body, "the answer to a join")?),
            HELLO => {
                let (version, _): (u16, _) =
                    postcard::take_from_bytes(body).map_err(|_| WireError::Unsound { what: "a hello" })?;
                if version != PROTOCOL_VERSION {
                    // What follows may look otherwise.
                    return Err(WireError::Version { theirs: version });
                }
                let hello: Box<Hello> = from_bytes(body, "a hello")?;
                if let Some(clocks) = hello.summary.clocks() {
                    check_clocks(clocks)?;
                }
                Self::Hello(hello)
            }
            CLOCKS => {
                let clocks: Vec<ScopeClock> = from_bytes(body, "clocks")?;
                check_clocks(&clocks)?;
                Self::Clocks(clocks)
            }
            ASK_CLOCKS => Self::AskClocks(from_bytes(body, "a question for clocks")?),
            BATCH => Self::Batch(body.to_vec()),
            ACKNOWLEDGED => Self::Acknowledged(from_bytes(body, "an acknowledgement")?),
            CHECKPOINT => Self::Checkpoint(from_bytes(body, "a checkpoint")?),
            PAGE => {
                let ((scope, end), rest): ((Scope, Option<Cursor>), &[u8]) =
                    postcard::take_from_bytes(body).map_err(|_| WireError::Unsound { what: "a page" })?;
                let mut reader = Reader::new(rest);
                let signature = reader.array("a page")?;
                Self::Page { scope, end, signature, packed: rest[64..].to_vec() }
            }
            PING => Self::Ping(digest("a ping")?),
            PONG => Self::Pong(digest("a pong")?),
            ORDER => Self::Order(from_bytes(body, "an order")?),
            WIPED => Self::Wiped(from_bytes(body, "a receipt for an order")?),
            COMPARE => {
                let question: Question = from_bytes(body, "a comparison")?;
                check_depth(&question.at)?;
                Self::Compare(question)
            }
            COMPARED => {
                let answer: Answer = from_bytes(body, "the answer to a comparison")?;
                check_depth(&answer.at)?;
                Self::Compared(answer)
            }
            APART => {
                let (scope, mut documents): (Scope, Vec<DocId>) = from_bytes(body, "what differs")?;
                documents.truncate(APART_MAX);
                Self::Apart { scope, documents }
            }
            GRANTED => Self::Granted(from_bytes(body, "an enrolment")?),
            GRANT_KEPT => {
                Reader::new(body).end("a receipt for an enrolment")?;
                Self::GrantKept
            }
            SEALED => Self::Sealed(from_bytes(body, "sealed cells")?),
            SEALED_KEPT => Self::SealedKept(from_bytes(body, "a receipt for sealed cells")?),
            BYE => Self::Bye(digest("a farewell")?),
            REFUSED => Self::Refused(String::from_utf8_lossy(&body[..body.len().min(1_000)]).into_owned()),
            tag => return Err(WireError::Tag { what: "a frame", tag: tag.into() }),
        })
    }
}

/// What encoded frame bytes acknowledge, if they do: for tracing what leaves when.
pub fn acknowledged(frame: &[u8]) -> Option<Acknowledged> {
    let at = frame.iter().position(|byte| *byte < 0x80)? + 1;
    let (tag, body) = frame.get(at..)?.split_first()?;
    (*tag == ACKNOWLEDGED).then(|| postcard::from_bytes(body).ok())?
}

/// Cuts a stream of bytes into frames.
#[derive(Default, Debug)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    used: usize,
}

impl FrameBuffer {
    /// Takes in what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.used > 0 && (self.used == self.bytes.len() || self.used > 64 * 1024) {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether a part of a frame is there and the rest is not.
    pub fn is_within_frame(&self) -> bool {
        self.used < self.bytes.len()
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// [`WireError`] for a frame that is too long or damaged: the stream is of no use after that.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let rest = &self.bytes[self.used..];
        let mut reader = Reader::new(rest);
        let len = match reader.count("a frame's length in bytes", FRAME_LEN_BYTES_MAX) {
            Err(WireError::Truncated { .. }) => return Ok(None),
            other => other?,
        };
        let Ok(body) = reader.raw("a frame", len) else { return Ok(None) };
        let frame = Frame::decode(body)?;
        let head = (0..).find(|n| len >> (7 * n) == 0).unwrap_or(0).max(1);
        self.used += head + len;
        Ok(Some(frame))
    }
}
