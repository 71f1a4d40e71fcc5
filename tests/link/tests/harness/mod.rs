//! An echo server behind a link, and a client before it.

#![allow(dead_code, unreachable_pub, reason = "each test file compiles its own copy")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use wangge_link::{Link, LinkConfig, LinkStats};

/// Longest wait for anything that should happen.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A client, a link and a server that sends back whatever it receives.
pub struct Street {
    pub link: Link,
    pub client: Client,
    /// The address under which the server last saw a client.
    pub seen: watch::Receiver<Option<SocketAddr>>,
}

impl Street {
    pub async fn open(config: LinkConfig) -> io::Result<Self> {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let link = Link::start(server.local_addr()?, config).await?;
        let client = Client::of(&link).await?;
        let (saw, seen) = watch::channel(None);
        tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok((len, from)) = server.recv_from(&mut buffer).await {
                saw.send_replace(Some(from));
                if server.send_to(&buffer[..len], from).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self { link, client, seen })
    }

    /// Waits until the link has taken as many datagrams from its clients.
    pub async fn offered(&self, up_datagrams: u64) -> io::Result<LinkStats> {
        let offered = self.link.wait_until(|stats| stats.up_datagrams == up_datagrams);
        Ok(timeout(DEADLINE, offered).await?)
    }

    /// All numbers that come back until nothing is under way any more.
    pub async fn rest(&mut self) -> io::Result<Vec<u32>> {
        let quiet = Duration::from_secs(1);
        timeout(DEADLINE, self.link.wait_quiet(quiet)).await?;
        Ok(std::iter::from_fn(|| self.client.came_back.try_recv().ok()).collect())
    }
}

/// A client that sends numbers and at once takes in whatever comes back, so that its socket's
/// buffer is not part of what is tested.
pub struct Client {
    socket: Arc<UdpSocket>,
    came_back: mpsc::UnboundedReceiver<u32>,
}

impl Client {
    pub async fn of(link: &Link) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        socket.connect(link.addr()).await?;
        let (takes_in, came_back) = mpsc::unbounded_channel();
        let reading = socket.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while reading.recv(&mut buffer).await.is_ok() {
                let number = [buffer[0], buffer[1], buffer[2], buffer[3]];
                if takes_in.send(u32::from_be_bytes(number)).is_err() {
                    break;
                }
            }
        });
        Ok(Self { socket, came_back })
    }

    /// Sends numbered datagrams of `len_bytes` bytes, at least four.
    pub async fn send(&self, numbers: std::ops::Range<u32>, len_bytes: usize) -> io::Result<()> {
        for number in numbers {
            let mut datagram = vec![0; len_bytes.max(4)];
            datagram[..4].copy_from_slice(&number.to_be_bytes());
            self.socket.send(&datagram).await?;
            // Leaves the others room to read.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The next number that comes back.
    pub async fn receive(&mut self) -> io::Result<u32> {
        timeout(DEADLINE, self.came_back.recv()).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
