//! What went through a link, and what did not.

/// What went through a link so far, and what did not.
///
/// Datagrams and bytes are counted as the senders offered them, before any fault: UDP payload,
/// without IP and UDP headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Datagrams that clients sent.
    pub up_datagrams: u64,
    /// Bytes that clients sent.
    pub up_bytes: u64,
    /// Datagrams that the server sent.
    pub down_datagrams: u64,
    /// Bytes that the server sent.
    pub down_bytes: u64,
    /// Datagrams handed to their receiver, duplicates included.
    pub delivered: u64,
    /// Datagrams that never arrived: the sum of `lost`, `overflowed` and `cut_off`.
    pub dropped: u64,
    /// Dropped by the dice.
    pub lost: u64,
    /// Dropped because a queue was full.
    pub overflowed: u64,
    /// Dropped because the link was cut.
    pub cut_off: u64,
    /// Datagrams held back so that later ones may overtake them.
    pub reordered: u64,
    /// Datagrams delivered twice.
    pub duplicated: u64,
    /// Clients seen, a client that returns after its flow expired counting again.
    pub flows: u64,
}

impl LinkStats {
    /// Bytes offered in both directions.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.up_bytes + self.down_bytes
    }

    /// What happened after `earlier`, a reading of the same link.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            up_datagrams: self.up_datagrams - earlier.up_datagrams,
            up_bytes: self.up_bytes - earlier.up_bytes,
            down_datagrams: self.down_datagrams - earlier.down_datagrams,
            down_bytes: self.down_bytes - earlier.down_bytes,
            delivered: self.delivered - earlier.delivered,
            dropped: self.dropped - earlier.dropped,
            lost: self.lost - earlier.lost,
            overflowed: self.overflowed - earlier.overflowed,
            cut_off: self.cut_off - earlier.cut_off,
            reordered: self.reordered - earlier.reordered,
            duplicated: self.duplicated - earlier.duplicated,
            flows: self.flows - earlier.flows,
        }
    }
}
