//! The state of a link: who its clients are and which datagrams are under way.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::dice::Dice;
use crate::flow::Flow;
use crate::lane::{Lane, Passage};
use crate::{LinkConfig, LinkStats};

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a client to the server.
    Up,
    /// From the server to a client.
    Down,
}

#[derive(Debug)]
struct Parcel {
    direction: Direction,
    client: SocketAddr,
    datagram: Box<[u8]>,
}

/// The state of a link. Sends, but never waits: sockets are non-blocking.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(crate) config: LinkConfig,
    pub(crate) stats: LinkStats,
    pub(crate) cut: bool,
    pub(crate) flows: BTreeMap<SocketAddr, Flow>,
    /// When a datagram was last offered or delivered.
    pub(crate) busy_at: Duration,
    upstream: SocketAddr,
    downstream: UdpSocket,
    up: Lane,
    down: Lane,
    /// Keyed by arrival, then by the order in which they were offered.
    under_way: BTreeMap<(Duration, u64), Parcel>,
    parcels: u64,
}

impl Switch {
    pub(crate) fn new(config: LinkConfig, upstream: SocketAddr, downstream: UdpSocket) -> Self {
        Self {
            config,
            stats: LinkStats::default(),
            cut: false,
            flows: BTreeMap::new(),
            busy_at: Duration::ZERO,
            upstream,
            downstream,
            up: Lane::default(),
            down: Lane::default(),
            under_way: BTreeMap::new(),
            parcels: 0,
        }
    }

    /// The dice of the next flow: one stream per direction, numbered by first appearance.
    pub(crate) fn dice_of_next_flow(&self) -> (Dice, Dice) {
        let flow = self.stats.flows;
        let seed = self.config.seed;
        (Dice::new(seed, 2 * flow), Dice::new(seed, 2 * flow + 1))
    }

    /// When the next datagram under way arrives.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.under_way.keys().next().map(|&(at, _)| at)
    }

    /// When the last datagram under way arrives.
    pub(crate) fn last_at(&self) -> Option<Duration> {
        self.under_way.keys().next_back().map(|&(at, _)| at)
    }

    /// Takes a datagram from its sender. Does nothing if the flow is unknown.
    pub(crate) fn offer(&mut self, now: Duration, direction: Direction, client: SocketAddr, datagram: &[u8]) {
        let Some(flow) = self.flows.get_mut(&client) else {
            return;
        };
        flow.used_at = now;
        self.busy_at = now;
        let len_bytes = datagram.len() as u64;
        let (dice, lane, bits_per_s) = match direction {
            Direction::Up => {
                self.stats.up_datagrams += 1;
                self.stats.up_bytes += len_bytes;
                (&mut flow.up, &mut self.up, self.config.up_bits_per_s)
            }
            Direction::Down => {
                self.stats.down_datagrams += 1;
                self.stats.down_bytes += len_bytes;
                (&mut flow.down, &mut self.down, self.config.down_bits_per_s)
            }
        };
        // Thrown even while the link is cut: fates depend on how many datagrams came before.
        let fate = dice.throw(&self.config);
        if self.cut {
            self.stats.cut_off += 1;
            self.stats.dropped += 1;
            return;
        }
        let passage = Passage {
            delay: Duration::from_micros(self.config.rtt_ms.saturating_mul(500)),
            bits_per_s,
            queue_bytes_max: self.config.queue_bytes_max,
        };
        let Some(arrives_at) = lane.admit(now, datagram.len(), passage, fate.held_back) else {
            self.stats.overflowed += 1;
            self.stats.dropped += 1;
            return;
        };
        // Lost on the wire, behind the queue: it has used its share of the rate.
        if fate.lost {
            self.stats.lost += 1;
            self.stats.dropped += 1;
            return;
        }
        self.stats.reordered += u64::from(fate.held_back.is_some());
        self.stats.duplicated += u64::from(fate.doubled);
        for _ in 0..=u8::from(fate.doubled) {
            let parcel = Parcel { direction, client, datagram: datagram.into() };
            self.under_way.insert((arrives_at, self.parcels), parcel);
            self.parcels += 1;
        }
    }

    /// Hands every datagram that has arrived by now to its receiver.
    pub(crate) fn deliver(&mut self, now: Duration) {
        while let Some(first) = self.under_way.first_entry()
            && first.key().0 <= now
        {
            let parcel = first.remove();
            self.busy_at = now;
            if self.cut {
                self.stats.cut_off += 1;
                self.stats.dropped += 1;
            } else if self.send(&parcel) {
                self.stats.delivered += 1;
            } else {
                self.stats.overflowed += 1;
                self.stats.dropped += 1;
            }
        }
    }

    fn send(&self, parcel: &Parcel) -> bool {
        let sent = match parcel.direction {
            Direction::Up => match self.flows.get(&parcel.client) {
                Some(flow) => flow.upstream.send_to(&parcel.datagram, self.upstream),
                None => return false,
            },
            Direction::Down => self.downstream.send_to(&parcel.datagram, parcel.client),
        };
        sent.is_ok()
    }
}
