//! A Wangge replica on a machine: durable store, QUIC, local API, command line.

pub mod net;
pub mod replica;
