//! samod repositories: a server that listens, clients that dial it through a counted stream.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use samod::storage::TokioFilesystemStorage;
use samod::{
    AcceptorHandle, BackoffConfig, ConnectionId, DialError, Dialer, DialerHandle, DocHandle, PeerId, Repo,
    ShareConfig, Transport, Url,
};
use tokio::net::{TcpListener, TcpStream};

use crate::documents::{Age, document};
use crate::wire::{Counted, Wire};

/// Pause between two looks at whether a connection has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A repository with file storage that accepts connections.
pub(crate) struct Server {
    pub(crate) repo: Repo,
    pub(crate) address: SocketAddr,
    acceptor: AcceptorHandle,
}

impl Server {
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let repo = Repo::build_tokio()
            .with_peer_id(PeerId::from("server"))
            .with_share_policy(ShareConfig::read_write().with_announce(false))
            .with_storage(TokioFilesystemStorage::new(folder))
            .load()
            .await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = repo.make_acceptor(url_of(address)?)?;
        let accepting = acceptor.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let accepted =
                    stream.set_nodelay(true).is_ok_and(|()| accepting.accept_tokio_io(stream).is_ok());
                if !accepted {
                    break;
                }
            }
        });
        Ok(Self { repo, address, acceptor })
    }

    /// Waits until no client is connected.
    pub(crate) async fn alone(&self) {
        while self.acceptor.connection_count() > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// A repository that keeps its documents in memory and dials a server.
pub(crate) struct Client {
    pub(crate) repo: Repo,
    pub(crate) wire: Arc<Wire>,
}

impl Client {
    pub(crate) async fn start(name: String) -> Self {
        let repo = Repo::build_tokio().with_peer_id(PeerId::from_string(name)).load().await;
        Self { repo, wire: Wire::new() }
    }

    /// Connects and shakes hands.
    pub(crate) async fn dial(&self, address: SocketAddr) -> anyhow::Result<Session> {
        let dialer = CountingDialer { url: url_of(address)?, address, wire: self.wire.clone() };
        let dialer = self.repo.dial(BackoffConfig::default(), Arc::new(dialer))?;
        dialer.established().await?;
        let connection = dialer.connection_id().context("the connection is lost")?;
        Ok(Session { dialer, connection })
    }
}

/// A connection of a client to its server.
pub(crate) struct Session {
    dialer: DialerHandle,
    pub(crate) connection: ConnectionId,
}

impl Session {
    pub(crate) fn hang_up(self) {
        self.dialer.close();
    }
}

/// Creates documents in a repository, from person `from` on.
pub(crate) async fn create(
    repo: &Repo,
    persons: std::ops::Range<u64>,
    age: Age,
) -> anyhow::Result<Vec<DocHandle>> {
    let mut handles = Vec::new();
    for i in persons {
        handles.push(repo.create(document(i, age)?).await?);
    }
    Ok(handles)
}

/// Fails unless two lists of handles show the same documents in the same state.
pub(crate) fn check_equal(ours: &[DocHandle], theirs: &[DocHandle]) -> anyhow::Result<()> {
    let differing = ours
        .iter()
        .zip(theirs)
        .filter(|(our, their)| {
            our.document_id() != their.document_id()
                || our.with_document(|document| document.get_heads())
                    != their.with_document(|document| document.get_heads())
        })
        .count();
    if differing > 0 || ours.len() != theirs.len() {
        bail!("{differing} of {} documents differ", ours.len());
    }
    Ok(())
}

struct CountingDialer {
    url: Url,
    address: SocketAddr,
    wire: Arc<Wire>,
}

impl Dialer for CountingDialer {
    type Error = Infallible;

    fn url(&self) -> Url {
        self.url.clone()
    }

    fn connect(&self) -> Pin<Box<dyn Future<Output = Result<Transport, DialError<Infallible>>> + Send>> {
        let (address, wire) = (self.address, self.wire.clone());
        Box::pin(async move {
            let stream = TcpStream::connect(address).await.map_err(DialError::transient)?;
            stream.set_nodelay(true).map_err(DialError::transient)?;
            Ok(Transport::from_tokio_io(Counted::new(stream, wire)))
        })
    }
}

fn url_of(address: SocketAddr) -> anyhow::Result<Url> {
    Ok(Url::parse(&format!("tcp://{address}"))?)
}
