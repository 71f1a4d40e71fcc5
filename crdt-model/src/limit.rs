//! A rate as a value: time goes in, a decision comes out.

/// Holds up to a burst of tokens and is refilled at a steady rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    burst: u64,
    per_s: u64,
    /// Thousandths of a token; negative while it is in debt.
    level_milli: i64,
    at_ms: u64,
}

impl Bucket {
    /// A full one, at `now_ms`.
    pub fn new(burst: u64, per_s: u64, now_ms: u64) -> Self {
        let burst = burst.min(i64::MAX as u64 / 4_000);
        Self { burst, per_s: per_s.max(1), level_milli: burst as i64 * 1_000, at_ms: now_ms }
    }

    fn refill(&mut self, now_ms: u64) {
        // A clock that was put back gives nothing and takes nothing.
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let gained = i64::try_from(passed_ms.saturating_mul(self.per_s)).unwrap_or(i64::MAX);
        self.level_milli = self.level_milli.saturating_add(gained).min(self.burst as i64 * 1_000);
    }

    /// Whether `count` tokens are there.
    pub fn has(&mut self, now_ms: u64, count: u64) -> bool {
        self.refill(now_ms);
        self.level_milli >= i64::try_from(count.saturating_mul(1_000)).unwrap_or(i64::MAX)
    }

    /// Takes `count` tokens if they are there.
    pub fn take(&mut self, now_ms: u64, count: u64) -> bool {
        let enough = self.has(now_ms, count);
        if enough {
            self.level_milli -= count as i64 * 1_000;
        }
        enough
    }

    /// Takes `count` tokens whether or not they are there; how long to wait until the debt is paid, in
    /// milliseconds. The debt is never more than a burst, so that nobody is shut out for long.
    pub fn spend(&mut self, now_ms: u64, count: u64) -> u64 {
        self.refill(now_ms);
        let spent = i64::try_from(count.saturating_mul(1_000)).unwrap_or(i64::MAX);
        self.level_milli = self.level_milli.saturating_sub(spent).max(self.burst as i64 * -1_000);
        self.wait_ms()
    }

    /// How long until the debt is paid, in milliseconds; as of the last call that knew the time.
    pub fn wait_ms(&self) -> u64 {
        u64::try_from(-self.level_milli.min(0)).unwrap_or(0).div_ceil(self.per_s)
    }

    /// Whether it is full again: nothing need be remembered of whoever it belongs to.
    pub fn is_full(&self, now_ms: u64) -> bool {
        let mut then = *self;
        then.refill(now_ms);
        then.level_milli == self.burst as i64 * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let mut bucket = Bucket::new(10, 5, 0);
        assert!((0..10).all(|_| bucket.take(0, 1)));
        assert!(!bucket.take(100, 1));
        assert!(bucket.take(200, 1));
        assert!(!bucket.take(200, 1));
        // Never more than the burst, however long it rests.
        assert!(bucket.is_full(1_000_000));
        assert!(bucket.take(1_000_000, 10) && !bucket.take(1_000_000, 1));
    }

    #[test]
    fn a_debt_says_how_long_to_wait() {
        let mut bucket = Bucket::new(100, 50, 0);
        assert_eq!(bucket.spend(0, 100), 0);
        assert_eq!(bucket.spend(0, 100), 2_000);
        assert_eq!(bucket.spend(2_000, 0), 0);
        // A clock put back, and absurd numbers, do no harm.
        assert_eq!(bucket.spend(0, 1), 20);
        assert!(bucket.spend(0, u64::MAX) > 0);
        assert!(!bucket.take(u64::MAX, u64::MAX));
    }
}
