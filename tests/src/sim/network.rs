//! Connections: bytes in order and after a delay, until they break.

use wangge_node::net::Exchange;

/// Bytes on their way in one direction before the sender waits, as the receiver's window has it.
const WINDOW_LEN_BYTES: usize = 64 * 1024;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Dialler,
    Listener,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Listener,
            Self::Listener => Self::Dialler,
        }
    }
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) who: usize,
    /// `None` at a listener that has heard nothing yet, and after its end.
    pub(super) exchange: Option<Exchange>,
    /// When the last bytes sent from here arrive.
    pub(super) last_arrival_ms: u64,
    pub(super) on_their_way: usize,
    pub(super) is_over: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) dialler: End,
    pub(super) listener: End,
    /// Ends once both sides hold the same.
    pub(super) once: bool,
    pub(super) latency_ms: u64,
    /// What the dialler sent before it heard anything.
    pub(super) first_flight: Vec<u8>,
    pub(super) has_heard: bool,
}

impl End {
    pub(super) fn new(who: usize, exchange: Option<Exchange>) -> Self {
        Self { who, exchange, last_arrival_ms: 0, on_their_way: 0, is_over: false }
    }

    /// How much may be sent now.
    pub(super) fn window(&self) -> usize {
        WINDOW_LEN_BYTES.saturating_sub(self.on_their_way)
    }
}

impl Link {
    pub(super) fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialler => &mut self.dialler,
            Side::Listener => &mut self.listener,
        }
    }

    pub(super) fn side_of(&self, who: usize) -> Option<Side> {
        if self.dialler.who == who {
            Some(Side::Dialler)
        } else if self.listener.who == who {
            Some(Side::Listener)
        } else {
            None
        }
    }
}
