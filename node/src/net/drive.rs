//! Driving an exchange over one QUIC stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{Connection, RecvStream, SendStream};

use wangge_model::identity::ReplicaId;
use wangge_model::session::{Frames, Traffic};

use super::NetError;
use super::door::Door;
use super::endpoint::WINDOW_LEN_BYTES;
use super::exchange::{Exchange, Purpose};
use super::listen::record_refusal;
use super::photos;
use crate::replica::Replica;

/// Most bytes that are taken from the stream at once.
const CHUNK_LEN_BYTES: usize = 64 * 1024;

/// How often a peer's patience is measured.
const TICK: Duration = Duration::from_secs(1);

/// How often it is looked whether a comparison with the peer is due.
const COMPARE_TICK: Duration = Duration::from_secs(60);

/// How long a peer may say nothing while it still has work of a scope that it lost. Far longer than a link
/// pauses, and below the patience that ends a session.
const HAND_OVER_MAX: Duration = Duration::from_secs(10);

/// How a session ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Whether both sides held the same.
    pub in_sync: bool,
    /// When both sides first held the same.
    pub in_sync_at: Option<Instant>,
    /// What it carried.
    pub traffic: Traffic,
}

/// Told what has come and gone so far.
pub(super) type Progress<'a> = &'a (dyn Fn(Traffic) + Send + Sync);

/// What holds a peer to the limits.
pub(super) struct Watch<'a> {
    pub(super) door: &'a Arc<Door>,
    pub(super) peer: ReplicaId,
}

/// When the peer last did what it is waited for.
struct Pace {
    /// It may send again from then on.
    paused_until: Option<Instant>,
    counted: Frames,
    began: Instant,
    /// It took something of what it is sent, or there was nothing to take.
    took: Instant,
    /// It sent something.
    sent: Instant,
    /// The message that is coming in began.
    message: Option<Instant>,
}

impl Pace {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            paused_until: None,
            counted: Frames::default(),
            began: now,
            took: now,
            sent: now,
            message: None,
        }
    }
}

/// The stream of photos beside a session: ends with it.
struct Photos {
    task: Option<tokio::task::JoinHandle<Result<(), NetError>>>,
    /// News of photos that this side might send or ask for.
    news: tokio::sync::watch::Receiver<u64>,
    /// Until when a session that is to end waits for photos; `None` for one that lives on.
    until: Option<Instant>,
}

impl Drop for Photos {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Resolves once the photos are done, or have failed.
async fn ended(task: &mut Option<tokio::task::JoinHandle<Result<(), NetError>>>) -> Result<(), NetError> {
    match task {
        Some(task) => match task.await {
            Ok(result) => result,
            Err(error) => Err(NetError::Broken { reason: error.to_string() }),
        },
        None => std::future::pending().await,
    }
}

struct Driver<'a> {
    replica: Arc<Replica>,
    photos: Photos,
    watch: Option<Watch<'a>>,
    pace: Pace,
    exchange: Exchange,
    progress: Option<Progress<'a>>,
    in_sync_at: Option<Instant>,
}

/// Runs a session until it ends.
#[allow(clippy::too_many_arguments, reason = "a session, its line, and who looks on")]
pub(super) async fn drive(
    replica: &Arc<Replica>,
    purpose: Purpose,
    watch: Option<Watch<'_>>,
    connection: &Connection,
    mut send: SendStream,
    mut recv: RecvStream,
    progress: Option<Progress<'_>>,
    photos_until: Option<Instant>,
) -> Result<Ended, NetError> {
    let mut exchange = blocking(|| Exchange::begin(replica, purpose))?;
    exchange.stay(photos_until.is_some());
    let photos = Photos { task: None, news: replica.photo_news(), until: photos_until };
    let replica = Arc::clone(replica);
    let pace = Pace::new();
    let mut driver = Driver { replica, photos, watch, pace, exchange, progress, in_sync_at: None };
    let result = driver.run(connection, &mut send, &mut recv).await;
    let Driver { mut exchange, in_sync_at, replica, .. } = driver;
    let remembered = blocking(|| exchange.remember());
    let ended = Ended { in_sync: exchange.is_in_sync(), in_sync_at, traffic: exchange.traffic() };
    match result {
        Ok(()) => {
            if exchange.is_wiped() {
                // The receipt is worth waiting for.
                let _ = send.finish();
                let _ = tokio::time::timeout(Duration::from_secs(5), send.stopped()).await;
                return Err(exchange.wiped_error());
            }
            let received = ended.traffic.transactions_received + ended.traffic.documents_received;
            if (received > 0 || !replica.apart().is_empty()) && send.finish().is_ok() {
                // The last acknowledgements, and what was found to differ, are worth waiting for, a little.
                let wait = connection.rtt() * 2 + Duration::from_millis(50);
                let _ = tokio::time::timeout(wait, send.stopped()).await;
            }
            remembered?;
            Ok(ended)
        }
        Err(error) => {
            if let Some(words) = exchange.last_words(&error) {
                // Whoever takes nothing does not hear why.
                let _ = tokio::time::timeout(Duration::from_millis(500), send.write_all(&words)).await;
                let _ = send.finish();
                let _ = tokio::time::timeout(Duration::from_millis(500), send.stopped()).await;
            }
            Err(error)
        }
    }
}

impl Driver<'_> {
    async fn run(
        &mut self,
        connection: &Connection,
        send: &mut SendStream,
        recv: &mut RecvStream,
    ) -> Result<(), NetError> {
        let broken = |reason: String| NetError::Broken { reason };
        self.pump()?;
        let mut is_stranger = true;
        let mut may_begin = true;
        let mut roster = self.exchange.roster_news();
        let mut compare = tokio::time::interval(COMPARE_TICK);
        compare.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.exchange.is_over() {
            if is_stranger && self.exchange.is_admitted() {
                connection.set_receive_window(quinn::VarInt::from_u32(WINDOW_LEN_BYTES));
                is_stranger = false;
            }
            if may_begin && self.may_begin_photos() {
                may_begin = false;
                self.begin_photos(connection)?;
                self.pump()?;
                continue;
            }
            let is_dialler = self.watch.is_none();
            let can_begin_again = is_dialler && !may_begin && self.photos.task.is_none();
            let photos_until = self.photos.until.filter(|_| self.photos.task.is_some());
            let listening = !self.exchange.is_closing() && self.exchange.has_room();
            let paused = self.pace.paused_until;
            let Exchange { news, backlog, sealed, greet_again, .. } = &mut self.exchange;
            tokio::select! {
                biased;
                wrote = send.write(backlog.unsent()), if !backlog.unsent().is_empty() => {
                    backlog.sent(wrote.map_err(|e| broken(e.to_string()))?);
                    self.pace.took = Instant::now();
                }
                durable = news.recv() => self.exchange.heard(durable)?,
                Ok(()) = sealed.changed() => self.exchange.sealed_changed(),
                () = async { tokio::time::sleep_until(paused.unwrap_or_else(Instant::now).into()).await },
                    if paused.is_some() => self.pace.paused_until = None,
                chunk = recv.read_chunk(CHUNK_LEN_BYTES, true), if listening && paused.is_none() => {
                    match chunk.map_err(|e| broken(e.to_string()))? {
                        None => self.exchange.ended()?,
                        Some(chunk) => {
                            let received = self.exchange.received(&chunk.bytes);
                            self.account(chunk.bytes.len())?;
                            received?;
                        }
                    }
                }
                Ok(()) = greet_again.changed() => {
                    return Err(broken("less is held here than was told: greeting again".to_owned()));
                }
                done = ended(&mut self.photos.task) => self.end_photos(done),
                () = async { tokio::time::sleep_until(photos_until.unwrap_or_else(Instant::now).into()).await },
                    if photos_until.is_some() => self.end_photos(Ok(())),
                Ok(()) = self.photos.news.changed(), if can_begin_again => may_begin = true,
                _ = compare.tick() => blocking(|| self.exchange.compare_if_due())?,
                Ok(()) = roster.changed() => blocking(|| self.exchange.recheck())?,
                _ = tick.tick(), if self.watch.is_some() => self.check_patience()?,
            }
            self.pump()?;
        }
        Ok(())
    }

    /// Whether photos may travel: a listener waits for who comes, a dialler first says all that there is to say.
    fn may_begin_photos(&self) -> bool {
        match self.watch {
            Some(_) => self.exchange.is_admitted(),
            None => self.exchange.is_in_sync(),
        }
    }

    fn begin_photos(&mut self, connection: &Connection) -> Result<(), NetError> {
        let Some(terms) = self.exchange.photo_terms() else {
            self.exchange.stay(false);
            return Ok(());
        };
        let connection = connection.clone();
        if let Some(Watch { door, .. }) = &self.watch {
            let door = Arc::clone(door);
            self.photos.task = Some(tokio::spawn(async move {
                loop {
                    let accepted = connection.accept_bi().await;
                    let (send, recv) = accepted.map_err(|e| NetError::Broken { reason: e.to_string() })?;
                    match photos::exchange(terms.clone(), Some(Arc::clone(&door)), false, send, recv).await {
                        // The peer may open another.
                        Ok(()) | Err(NetError::Broken { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
            }));
            return Ok(());
        }
        if self.exchange.traffic().transactions_received + self.exchange.traffic().documents_received > 0 {
            blocking(|| self.replica.apply())?;
        }
        if !blocking(|| terms.has_work())? {
            self.exchange.stay(false);
            return Ok(());
        }
        let once = self.photos.until.is_some();
        self.photos.task = Some(tokio::spawn(async move {
            let opened = connection.open_bi().await;
            let (send, recv) = opened.map_err(|e| NetError::Broken { reason: e.to_string() })?;
            photos::exchange(terms, None, once, send, recv).await
        }));
        Ok(())
    }

    /// No more photos travel in this session, or for now. What broke goes on in the next one.
    fn end_photos(&mut self, done: Result<(), NetError>) {
        if let Some(task) = self.photos.task.take() {
            task.abort();
        }
        match done {
            Err(error @ (NetError::Rules(_) | NetError::Session(_))) => {
                let peer = self.exchange.peer().to_string();
                blocking(|| record_refusal(&self.replica, &peer, &error.in_english()));
            }
            Err(error) => tracing::info!(error = error.in_english(), "photos stop for now"),
            Ok(()) => {}
        }
        self.exchange.stay(false);
    }

    /// Charges the peer for what it sent.
    fn account(&mut self, len_bytes: usize) -> Result<(), NetError> {
        let now = Instant::now();
        let frames = self.exchange.frames();
        let counted = std::mem::replace(&mut self.pace.counted, frames);
        let news = Frames {
            data: frames.data - counted.data,
            control: frames.control - counted.control,
            transactions: frames.transactions - counted.transactions,
        };
        self.pace.sent = now;
        self.pace.message = match self.pace.message {
            _ if !self.exchange.is_within_message() => None,
            Some(began) if news.data + news.control == 0 => Some(began),
            _ => Some(now),
        };
        let Some(Watch { door, peer }) = &self.watch else { return Ok(()) };
        let wait = door.spend(peer, len_bytes as u64, news).map_err(NetError::Rules)?;
        if !wait.is_zero() {
            tracing::debug!(%peer, wait_ms = wait.as_millis(), "a peer sends faster than its rate");
            self.pace.paused_until = Some(now + wait);
        }
        Ok(())
    }

    /// Ends a session whose peer keeps this side waiting for nothing.
    fn check_patience(&mut self) -> Result<(), NetError> {
        let Some(Watch { door, .. }) = &self.watch else { return Ok(()) };
        if self.exchange.awaits_hand_over() && self.pace.sent.elapsed() > HAND_OVER_MAX {
            // It gives no more, whatever it has.
            self.exchange.say_what_is_due();
        }
        let (patience, message_max) = (door.limits.patience, door.limits.message_max);
        let seconds = patience.as_secs();
        if self.exchange.to_send().is_empty() {
            self.pace.took = Instant::now();
        }
        if self.pace.paused_until.is_some() {
            self.pace.sent = Instant::now();
        }
        let reason = if !self.exchange.is_greeted() && self.pace.began.elapsed() > patience {
            format!("silence: no hello within {seconds} s")
        } else if self.pace.took.elapsed() > patience {
            format!("slow reader: nothing was taken for {seconds} s")
        } else if self.pace.message.is_some() && self.pace.sent.elapsed() > patience {
            format!("slow writer: a message stopped in the middle for {seconds} s")
        } else if self.pace.message.is_some_and(|began| began.elapsed() > message_max) {
            format!("slow writer: a message took more than {} s", message_max.as_secs())
        } else {
            return Ok(());
        };
        Err(NetError::Rules(reason))
    }

    fn pump(&mut self) -> Result<(), NetError> {
        if !self.exchange.has_work() {
            return Ok(());
        }
        blocking(|| self.exchange.pump())?;
        if self.exchange.is_in_sync() {
            self.in_sync_at.get_or_insert_with(Instant::now);
        }
        if let Some(progress) = self.progress {
            progress(self.exchange.traffic());
        }
        Ok(())
    }
}

/// Runs what waits for the disk or computes for long without holding up other tasks.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
