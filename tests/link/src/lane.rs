//! One direction of a link: a serialising queue followed by a delay. Pure: the caller says what
//! time it is.

use std::collections::VecDeque;
use std::time::Duration;

/// Shortest longest hold of a datagram that is to be overtaken.
///
/// On a link without delay a share of the round trip would be nothing at all.
const HOLD_MIN: Duration = Duration::from_millis(10);

/// What one direction does with a datagram's timing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    pub(crate) delay: Duration,
    pub(crate) bits_per_s: Option<u64>,
    pub(crate) queue_bytes_max: usize,
}

/// One direction of a link, shared by all of its flows.
///
/// Times are durations since the link started. A datagram's time follows from when it was
/// offered and from what stands before it, never from when a timer fired, so lateness of a
/// timer does not add up.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// When the last bit that was accepted leaves the queue.
    free_at: Duration,
    /// When the latest datagram arrives that keeps its place.
    arrived_at: Duration,
    backlog: VecDeque<(Duration, usize)>,
    backlog_bytes: usize,
}

impl Lane {
    /// When a datagram of `len_bytes` that is offered now arrives, or none if the queue is full.
    ///
    /// `held_back` (a share of the longest hold) delays it without delaying what comes after.
    pub(crate) fn admit(
        &mut self,
        now: Duration,
        len_bytes: usize,
        passage: Passage,
        held_back: Option<f64>,
    ) -> Option<Duration> {
        let arrives_at = self.serialise(now, len_bytes, passage)? + passage.delay;
        // A delay that shrinks must not let later datagrams overtake earlier ones.
        let arrives_at = arrives_at.max(self.arrived_at);
        match held_back {
            None => {
                self.arrived_at = arrives_at;
                Some(arrives_at)
            }
            Some(share) => Some(arrives_at + HOLD_MIN.max(passage.delay).mul_f64(share)),
        }
    }

    fn serialise(&mut self, now: Duration, len_bytes: usize, passage: Passage) -> Option<Duration> {
        while let Some(&(leaves_at, bytes)) = self.backlog.front()
            && leaves_at <= now
        {
            self.backlog.pop_front();
            self.backlog_bytes -= bytes;
        }
        let starts_at = self.free_at.max(now);
        let Some(bits_per_s) = passage.bits_per_s else {
            return Some(starts_at);
        };
        // A datagram that finds the wire idle needs no queue.
        let fits = self.backlog_bytes + len_bytes <= passage.queue_bytes_max;
        if !fits && !self.backlog.is_empty() {
            return None;
        }
        self.free_at = starts_at + time_on_wire(len_bytes, bits_per_s);
        self.backlog.push_back((self.free_at, len_bytes));
        self.backlog_bytes += len_bytes;
        Some(self.free_at)
    }
}

fn time_on_wire(len_bytes: usize, bits_per_s: u64) -> Duration {
    let nanos = len_bytes as u128 * 8 * 1_000_000_000 / u128::from(bits_per_s.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn passage(delay_ms: u32, bits_per_s: Option<u64>) -> Passage {
        Passage { delay: MS * delay_ms, bits_per_s, queue_bytes_max: 4_000 }
    }

    #[test]
    fn a_datagram_arrives_after_the_delay() {
        let mut lane = Lane::default();
        let at = lane.admit(MS * 5, 100, passage(40, None), None);
        assert_eq!(at, Some(MS * 45));
    }

    #[test]
    fn a_slow_wire_spaces_datagrams_exactly() {
        // 1,000 bytes at 1 Mbit/s take 8 ms.
        let mut lane = Lane::default();
        let slow = passage(10, Some(1_000_000));
        let at: Vec<_> = (0..4).map(|_| lane.admit(Duration::ZERO, 1_000, slow, None)).collect();
        let expected = [18, 26, 34, 42].map(|ms| Some(MS * ms));
        assert_eq!(at, expected);
    }

    #[test]
    fn a_full_queue_drops_what_arrives_and_then_recovers() {
        let mut lane = Lane::default();
        let slow = passage(0, Some(1_000_000));
        for _ in 0..4 {
            assert!(lane.admit(Duration::ZERO, 1_000, slow, None).is_some());
        }
        assert_eq!(lane.admit(Duration::ZERO, 1_000, slow, None), None);
        assert_eq!(lane.admit(MS * 8, 1_000, slow, None), Some(MS * 40));
    }

    #[test]
    fn a_datagram_larger_than_the_queue_passes_an_idle_wire() {
        let mut lane = Lane::default();
        let slow = passage(0, Some(1_000_000));
        assert_eq!(lane.admit(MS, 9_000, slow, None), Some(MS * 73));
        assert_eq!(lane.admit(MS * 2, 1, slow, None), None);
    }

    #[test]
    fn order_survives_a_delay_that_shrinks() {
        let mut lane = Lane::default();
        let first = lane.admit(Duration::ZERO, 1, passage(150, None), None);
        let second = lane.admit(MS, 1, passage(5, None), None);
        assert!(first <= second);
    }

    #[test]
    fn a_datagram_held_back_is_overtaken() {
        let mut lane = Lane::default();
        let held = lane.admit(Duration::ZERO, 1, passage(20, None), Some(0.5));
        let next = lane.admit(MS, 1, passage(20, None), None);
        assert!(next < held);
    }
}
