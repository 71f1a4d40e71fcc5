//! Driving an exchange over one QUIC stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{Connection, RecvStream, SendStream};

use wangge_model::session::Traffic;

use super::NetError;
use super::exchange::{Exchange, Purpose, farewell};
use crate::replica::Replica;

/// Most bytes that are taken from the stream at once.
const CHUNK_LEN_BYTES: usize = 256 * 1024;

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

struct Driver<'a> {
    exchange: Exchange,
    progress: Option<Progress<'a>>,
    in_sync_at: Option<Instant>,
}

/// Runs a session until it ends.
pub(super) async fn drive(
    replica: &Arc<Replica>,
    purpose: Purpose,
    connection: &Connection,
    mut send: SendStream,
    mut recv: RecvStream,
    progress: Option<Progress<'_>>,
) -> Result<Ended, NetError> {
    let exchange = blocking(|| Exchange::begin(replica, purpose))?;
    let mut driver = Driver { exchange, progress, in_sync_at: None };
    let result = driver.run(&mut send, &mut recv).await;
    let Driver { mut exchange, in_sync_at, .. } = driver;
    let remembered = blocking(|| exchange.remember());
    let ended = Ended { in_sync: exchange.is_in_sync(), in_sync_at, traffic: exchange.traffic() };
    match result {
        Ok(()) => {
            let received = ended.traffic.transactions_received + ended.traffic.documents_received;
            if received > 0 && send.finish().is_ok() {
                // The last acknowledgements are worth waiting for, a little.
                let wait = connection.rtt() * 2 + Duration::from_millis(50);
                let _ = tokio::time::timeout(wait, send.stopped()).await;
            }
            remembered?;
            Ok(ended)
        }
        Err(error) => {
            if let Some(farewell) = farewell(&error) {
                let _ = send.write_all(&farewell).await;
                let _ = send.finish();
                let _ = tokio::time::timeout(Duration::from_millis(500), send.stopped()).await;
            }
            Err(error)
        }
    }
}

impl Driver<'_> {
    async fn run(&mut self, send: &mut SendStream, recv: &mut RecvStream) -> Result<(), NetError> {
        let broken = |reason: String| NetError::Broken { reason };
        self.pump()?;
        while !self.exchange.is_over() {
            let closing = self.exchange.is_closing();
            let Exchange { news, backlog, .. } = &mut self.exchange;
            tokio::select! {
                biased;
                wrote = send.write(backlog.unsent()), if !backlog.unsent().is_empty() => {
                    backlog.sent(wrote.map_err(|e| broken(e.to_string()))?);
                }
                durable = news.recv() => self.exchange.heard(durable)?,
                chunk = recv.read_chunk(CHUNK_LEN_BYTES, true), if !closing => {
                    match chunk.map_err(|e| broken(e.to_string()))? {
                        None => self.exchange.ended()?,
                        Some(chunk) => self.exchange.received(&chunk.bytes)?,
                    }
                }
            }
            self.pump()?;
        }
        Ok(())
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
