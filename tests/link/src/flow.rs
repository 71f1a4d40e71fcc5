//! One client's way through a link, and the socket by which the server knows it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::dice::Dice;

/// Longest silence of a client before its flow ends and its upstream port is given up.
///
/// Well above the idle timeout of a QUIC connection, so that a flow never ends under a live one.
pub const FLOW_IDLE_MAX: Duration = Duration::from_secs(120);

/// Asked for on every socket; the system may grant less.
///
/// A perfect link must not lose a burst merely because its reader was not scheduled.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Former sockets that a flow keeps open.
const RETIRED_MAX: usize = 8;

/// One client's way through a link.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) up: Dice,
    pub(crate) down: Dice,
    pub(crate) upstream: UdpSocket,
    /// Sockets given up by a rebinding, kept open so that what the server still sends there
    /// vanishes, as behind a NAT, instead of being refused.
    pub(crate) retired: VecDeque<UdpSocket>,
    /// Reads `upstream`.
    pub(crate) reader: AbortHandle,
    pub(crate) used_at: Duration,
}

impl Flow {
    /// Moves the flow to another upstream socket.
    pub(crate) fn rebind(&mut self, upstream: UdpSocket, reader: AbortHandle) {
        self.reader.abort();
        self.reader = reader;
        let former = std::mem::replace(&mut self.upstream, upstream);
        self.retired.push_back(former);
        if self.retired.len() > RETIRED_MAX {
            self.retired.pop_front();
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Binds a socket from which `peer` can be reached, on any free port.
///
/// Sending goes through the standard library's type even though tokio reads: tokio's own
/// `try_send` refuses until its reactor has first reported the socket writable.
pub(crate) fn bind_towards(peer: SocketAddr) -> io::Result<UdpSocket> {
    let local = match peer.ip() {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local, 0))?;
    socket.set_nonblocking(true)?;
    let options = socket2::SockRef::from(&socket);
    options.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    options.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    Ok(socket)
}
