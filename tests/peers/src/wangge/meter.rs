//! Counting everything that passes between replicas and the relay: a link in between that does
//! nothing else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wangge_link::{Link, LinkConfig, LinkStats};

/// Silence after which an exchange counts as over: longer than a delayed acknowledgement or a
/// probe on loopback, shorter than a keep-alive.
const QUIET: Duration = Duration::from_millis(250);

/// A counted link to the relay.
pub(super) struct Meter {
    link: Link,
    read: LinkStats,
}

/// What passed, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) time: Duration,
    pub(super) up_bytes: u64,
    pub(super) down_bytes: u64,
}

impl Passed {
    pub(super) fn bytes(&self) -> u64 {
        self.up_bytes + self.down_bytes
    }
}

impl Meter {
    pub(super) async fn start(relay: SocketAddr) -> anyhow::Result<Self> {
        let link = Link::start(relay, LinkConfig::default()).await?;
        Ok(Self { read: link.stats(), link })
    }

    /// What to dial instead of the relay.
    pub(super) fn addr(&self) -> SocketAddr {
        self.link.addr()
    }

    /// Does something and says what passed meanwhile and until silence; the time is its own.
    pub(super) async fn measure<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<(T, Passed)> {
        let started = Instant::now();
        let result = work.await?;
        let time = started.elapsed();
        self.link.wait_quiet(QUIET).await;
        let now = self.link.stats();
        let since = now.since(&self.read);
        self.read = now;
        Ok((result, Passed { time, up_bytes: since.up_bytes, down_bytes: since.down_bytes }))
    }
}
