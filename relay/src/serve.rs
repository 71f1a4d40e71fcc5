//! Serving: the listener, the decisions, the control socket.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use wangge_node::control::Control;
use wangge_node::net::{EXAMINE_EVERY, Limits, Listener, keep_whole};
use wangge_node::replica::{Machine, Replica};
use wangge_store::Options;

use crate::decide::decide;
use crate::roster::{RelayError, Roster};

/// Page cache of the relay's store, in bytes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where workers reach it, for invitations; by default where it listens.
    pub address: Option<String>,
    /// How much it takes from whom.
    pub limits: Limits,
}

/// Serves the street in `dir` until `stop` resolves. `ready` is told where it listens.
///
/// # Errors
/// [`RelayError`] if it cannot start.
pub async fn serve(
    dir: &Path,
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), RelayError> {
    let machine = Options { cache_bytes: CACHE_BYTES, ..Options::default() };
    serve_on(machine, dir, options, ready, stop).await
}

/// Serves the street in `dir` on another machine than this one.
///
/// # Errors
/// [`RelayError`], as [`serve`].
pub async fn serve_on(
    machine: impl Into<Machine>,
    dir: &Path,
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), RelayError> {
    let replica = Arc::new(Replica::open(dir, machine)?);
    let roster = Roster::take_office(Arc::clone(&replica))?;
    let listener = Listener::bind(&replica, options.listen)?.with_limits(options.limits);
    let addr = listener.addr()?;
    roster.set_address(&options.address.unwrap_or_else(|| reachable(addr).to_string()))?;
    let (stopping, stopped) = watch::channel(false);
    let until = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let deciding = tokio::spawn(decide(Arc::clone(&roster), until(stopped.clone())));
    if replica.seal_key()?.is_none() {
        crate::sealed::make_key(&replica)?;
    }
    let opening = tokio::spawn(crate::sealed::opening(Arc::clone(&replica), until(stopped.clone())));
    let copying = tokio::spawn(crate::witness::copying(Arc::clone(&replica), until(stopped.clone())));
    let whole = keep_whole(Arc::clone(&replica), EXAMINE_EVERY, until(stopped.clone()));
    let whole = tokio::spawn(whole);
    let control = Control::bind(dir).map_err(|e| RelayError::Control(e.to_string()))?;
    let control = tokio::spawn(crate::control::serve(Arc::clone(&roster), control, until(stopped.clone())));
    let serving = tokio::spawn(listener.serve(Arc::clone(&replica), roster, until(stopped)));
    ready(addr);
    stop.await;
    let _ = stopping.send(true);
    let _ = serving.await;
    let _ = deciding.await;
    let _ = opening.await;
    let _ = copying.await;
    let _ = whole.await;
    let _ = control.await;
    Ok(())
}

/// The address under which others reach a listener on all addresses.
fn reachable(addr: SocketAddr) -> SocketAddr {
    if !addr.ip().is_unspecified() {
        return addr;
    }
    // Connecting a UDP socket sends nothing; it only chooses the address that packets would leave from.
    let own = UdpSocket::bind(("0.0.0.0", 0))
        .and_then(|socket| socket.connect(("192.0.2.1", 9)).and_then(|()| socket.local_addr()))
        .map_or(IpAddr::from([127, 0, 0, 1]), |local| local.ip());
    SocketAddr::new(own, addr.port())
}
