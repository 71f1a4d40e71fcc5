//! A bad network in user space: a seeded UDP proxy that delays, loses, throttles and cuts.
//!
//! A [`Link`] listens on 127.0.0.1 and carries datagrams between any number of clients and one
//! upstream server. Each client gets an upstream socket of its own, so that the server tells
//! clients apart as it would behind a NAT.
//!
//! ```text
//!  client A --\                                /-- socket A --\
//!              127.0.0.1:p   up lane / down lane                server
//!  client B --/                                \-- socket B --/
//! ```
//!
//! Which datagrams are lost, held back or doubled depends on the seed and on how many datagrams
//! that client sent before, never on the clock.

mod config;
mod dice;
mod flow;
mod lane;
mod link;
mod stats;
mod switch;

pub use config::{LinkConfig, QUEUE_BYTES_MAX};
pub use flow::FLOW_IDLE_MAX;
pub use link::Link;
pub use stats::LinkStats;
