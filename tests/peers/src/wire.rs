//! A stream that counts what passes, and how to wait until nothing passes any more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Silence after which an exchange counts as over.
const QUIET: Duration = Duration::from_secs(1);

/// Pause between two looks at the counters.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Counts what a client's streams carry. Payload only, without TCP and IP headers.
#[derive(Debug)]
pub(crate) struct Wire {
    started: Instant,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
    last_us: AtomicU64,
}

/// What passed between two looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    /// From the first look until the last byte.
    pub(crate) time: Duration,
    /// Sent by the client.
    pub(crate) up_bytes: u64,
    /// Received by the client.
    pub(crate) down_bytes: u64,
}

/// A look at the counters, to be compared with a later one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: Duration,
    up_bytes: u64,
    down_bytes: u64,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            up_bytes: AtomicU64::new(0),
            down_bytes: AtomicU64::new(0),
            last_us: AtomicU64::new(0),
        })
    }

    /// Remembers this moment.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            at: self.started.elapsed(),
            up_bytes: self.up_bytes.load(Relaxed),
            down_bytes: self.down_bytes.load(Relaxed),
        }
    }

    /// Waits for silence; says what passed since `mark`, not counting the silence itself.
    pub(crate) async fn quiet_since(&self, mark: Mark) -> Passed {
        loop {
            let last = Duration::from_micros(self.last_us.load(Relaxed)).max(mark.at);
            if self.started.elapsed() >= last + QUIET {
                return Passed {
                    time: last - mark.at,
                    up_bytes: self.up_bytes.load(Relaxed) - mark.up_bytes,
                    down_bytes: self.down_bytes.load(Relaxed) - mark.down_bytes,
                };
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn count(&self, counter: &AtomicU64, bytes: usize) {
        if bytes > 0 {
            counter.fetch_add(bytes as u64, Relaxed);
            let now = self.started.elapsed().as_micros();
            self.last_us.fetch_max(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
        }
    }
}

/// The client's end of a stream, counted.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    wire: Arc<Wire>,
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S, wire: Arc<Wire>) -> Self {
        Self { stream, wire }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        self.wire.count(&self.wire.down_bytes, bytes);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = outcome {
            self.wire.count(&self.wire.up_bytes, written);
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn both_directions_are_counted() -> io::Result<()> {
        let wire = Wire::new();
        let mark = wire.mark();
        let (client, mut server) = tokio::io::duplex(1_024);
        let mut client = Counted::new(client, wire.clone());
        client.write_all(&[0; 10]).await?;
        server.write_all(&[0; 300]).await?;
        client.read_exact(&mut [0; 300]).await?;
        let now = wire.mark();
        assert_eq!(now.up_bytes - mark.up_bytes, 10);
        assert_eq!(now.down_bytes - mark.down_bytes, 300);
        Ok(())
    }
}
