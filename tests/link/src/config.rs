//! What a link does to the datagrams that it carries.

/// Backlog that a throttled direction holds before it drops, unless configured otherwise.
///
/// About what a cheap router or a modem buffers: half a second at 1 Mbit/s.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024;

/// What a link does to the datagrams that it carries; the default is a perfect link.
///
/// Order is kept unless `reorder` is above zero: a link that reorders the first packets of a
/// QUIC handshake costs a whole probe timeout, which would drown whatever is being measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// Round-trip time; each direction adds half of it.
    pub rtt_ms: u64,
    /// Share of datagrams lost, in each direction, from 0 to 1.
    pub loss: f64,
    /// Rate from the clients to the server, counting UDP payload; unlimited if none.
    pub up_bits_per_s: Option<u64>,
    /// Rate from the server to the clients, counting UDP payload; unlimited if none.
    pub down_bits_per_s: Option<u64>,
    /// Backlog per direction beyond which a throttled link drops what arrives (tail drop).
    pub queue_bytes_max: usize,
    /// Share of datagrams held back so that later ones may overtake them, from 0 to 1.
    pub reorder: f64,
    /// Share of datagrams delivered twice, from 0 to 1.
    pub duplicate: f64,
    /// Decides which datagrams are lost, held back or doubled.
    pub seed: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            rtt_ms: 0,
            loss: 0.0,
            up_bits_per_s: None,
            down_bits_per_s: None,
            queue_bytes_max: QUEUE_BYTES_MAX,
            reorder: 0.0,
            duplicate: 0.0,
            seed: 0,
        }
    }
}
