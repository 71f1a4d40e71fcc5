//! Who may come in how often: connections, handshakes, rates, wrong invitations. All limits stand here.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quinn::{Connection, VarInt};

use wangge_model::identity::ReplicaId;
use wangge_model::limit::Bucket;
use wangge_model::session::Frames;

/// Peers whose rates are remembered at most; the ones that have rested longest are forgotten first.
const REMEMBERED_MAX: usize = 8_192;
/// Wrong invitations from one address before it must wait: people mistype and resend.
const GUESSES_BURST: u64 = 5;
/// Then one more in so many seconds.
const GUESS_EVERY_S: u64 = 30;
/// The same refusal of the same peer is told once in this time, then with how often it happened.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Different refusals that are remembered at most.
const TOLD_MAX: usize = 1_024;

/// The limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. A street has some 150 grids with two devices each; a connection may take some
    /// 5 MB of buffers at worst, though an idle one takes 50 KB.
    pub connections_max: usize,
    /// Connections at once from one address (IPv6: one /64). A whole office stands behind one.
    pub connections_of_address_max: usize,
    /// Sessions at once of one replica: one that lives, and those that a device left behind when it lost
    /// its network. The oldest gives way.
    pub sessions_of_replica_max: usize,
    /// Handshakes under way from which an address must first prove that it is not made up (RFC 9000,
    /// section 8.1.2): costs the honest one round trip.
    pub handshakes_retry: usize,
    /// Handshakes under way at most: others hear nothing and try again.
    pub handshakes_max: usize,
    /// Bytes a second that one replica may send; more waits. Ten times what a first upload takes over a
    /// good line.
    pub bytes_per_s: u64,
    /// Transactions, pages and acknowledgements a second, likewise.
    pub frames_per_s: u64,
    /// Transactions a second, likewise: a few bytes unfold to many.
    pub transactions_per_s: u64,
    /// Other messages a second: greetings, pings, clocks. A session needs a handful, ever; whoever sends
    /// more is refused.
    pub control_per_s: u64,
    /// How long a peer is waited for that says nothing at first, stops within a message, or takes nothing
    /// of what it is sent.
    pub patience: Duration,
    /// How long one message may take to arrive: the longest on a line of 16 kbit/s.
    pub message_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            connections_of_address_max: 512,
            sessions_of_replica_max: 4,
            handshakes_retry: 64,
            handshakes_max: 512,
            bytes_per_s: 8 * 1024 * 1024,
            frames_per_s: 4_000,
            transactions_per_s: 20_000,
            control_per_s: 50,
            patience: Duration::from_secs(30),
            message_max: Duration::from_secs(600),
        }
    }
}

/// How many seconds' worth may come at once.
const BURST_S: u64 = 8;

/// What one replica may still send.
#[derive(Debug)]
struct Budget {
    bytes: Bucket,
    frames: Bucket,
    transactions: Bucket,
    control: Bucket,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    of_address: BTreeMap<IpAddr, usize>,
    handshakes: usize,
    sessions: BTreeMap<ReplicaId, VecDeque<(u64, Connection)>>,
    next_session: u64,
    budgets: BTreeMap<ReplicaId, Budget>,
    guesses: BTreeMap<IpAddr, Bucket>,
    told: BTreeMap<(String, String), (Instant, u64)>,
}

/// Keeps count of who is inside.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) limits: Limits,
    began: Instant,
    state: Mutex<State>,
}

/// What to do with somebody who knocks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Knock {
    /// Let it in.
    Enter,
    /// It must prove its address first.
    Retry,
    /// Say nothing.
    Ignore,
    /// There is no room.
    Refuse(String),
}

/// An address as one household has it: an IPv6 line has a whole /64.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
        },
        IpAddr::V4(_) => address,
    }
}

impl Door {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, began: Instant::now(), state: Mutex::new(State::default()) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Somebody knocks from `address`, which has been proved or not.
    pub(super) fn knock(&self, address: IpAddr, proved: bool) -> Knock {
        let (state, limits) = (self.state(), &self.limits);
        if state.handshakes >= limits.handshakes_max {
            return Knock::Ignore;
        }
        if state.handshakes >= limits.handshakes_retry && !proved {
            return Knock::Retry;
        }
        if state.connections >= limits.connections_max {
            return Knock::Refuse(format!("{} connections are open: no room", state.connections));
        }
        let of_address = state.of_address.get(&household(address)).copied().unwrap_or(0);
        if of_address >= limits.connections_of_address_max {
            return Knock::Refuse(format!("{of_address} connections from one address: too many"));
        }
        Knock::Enter
    }

    /// Somebody has come in from `address`; leaves when the guest is dropped.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Guest {
        let mut state = self.state();
        state.connections += 1;
        state.handshakes += 1;
        *state.of_address.entry(household(address)).or_default() += 1;
        Guest { door: Arc::clone(self), address: household(address), shaking: true, session: None }
    }

    /// What `peer` sent: how long to wait before it may send more.
    ///
    /// # Errors
    /// The reason, if it sent too many messages that carry nothing.
    pub(super) fn spend(&self, peer: &ReplicaId, bytes: u64, sent: Frames) -> Result<Duration, String> {
        let now_ms = self.now_ms();
        let limits = &self.limits;
        let mut state = self.state();
        if state.budgets.len() >= REMEMBERED_MAX && !state.budgets.contains_key(peer) {
            state
                .budgets
                .retain(|_, budget| !budget.bytes.is_full(now_ms) || !budget.control.is_full(now_ms));
        }
        let budget = state.budgets.entry(*peer).or_insert_with(|| {
            let bucket = |per_s: u64| Bucket::new(per_s.saturating_mul(BURST_S), per_s, now_ms);
            Budget {
                bytes: bucket(limits.bytes_per_s),
                frames: bucket(limits.frames_per_s),
                transactions: bucket(limits.transactions_per_s),
                control: bucket(limits.control_per_s),
            }
        });
        if sent.control > 0 && budget.control.spend(now_ms, sent.control) > 0 {
            let per_s = limits.control_per_s;
            return Err(format!("too many messages that carry nothing: {per_s} a second are allowed"));
        }
        let wait_ms = budget
            .bytes
            .spend(now_ms, bytes)
            .max(budget.frames.spend(now_ms, sent.data))
            .max(budget.transactions.spend(now_ms, sent.transactions));
        Ok(Duration::from_millis(wait_ms))
    }

    /// Whether `address` may show an invitation; if not, for how many seconds it must wait.
    pub(super) fn may_guess(&self, address: IpAddr) -> Result<(), u64> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let bucket = state.guesses.get_mut(&household(address));
        if bucket.is_none_or(|bucket| bucket.has(now_ms, GUESS_EVERY_S)) {
            Ok(())
        } else {
            Err(GUESS_EVERY_S)
        }
    }

    /// An invitation from `address` was wrong.
    pub(super) fn guessed_wrong(&self, address: IpAddr) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        if state.guesses.len() >= REMEMBERED_MAX {
            state.guesses.retain(|_, bucket| !bucket.is_full(now_ms));
        }
        state
            .guesses
            .entry(household(address))
            .or_insert_with(|| Bucket::new(GUESSES_BURST * GUESS_EVERY_S, 1, now_ms))
            .spend(now_ms, GUESS_EVERY_S);
    }

    /// Whether a refusal is to be told now, and how often it happened since it was told last: a flood of
    /// them must not fill the audit.
    pub(super) fn tell(&self, who: &str, reason: &str) -> Option<u64> {
        let mut state = self.state();
        if state.told.len() >= TOLD_MAX {
            state.told.retain(|_, (at, _)| at.elapsed() < TOLD_EVERY);
        }
        let full = state.told.len() >= TOLD_MAX;
        let key = if full { (String::new(), String::new()) } else { (who.to_owned(), reason.to_owned()) };
        match state.told.get_mut(&key) {
            Some((at, more)) if at.elapsed() < TOLD_EVERY => {
                *more += 1;
                None
            }
            Some(told) => {
                let more = told.1;
                *told = (Instant::now(), 0);
                Some(more)
            }
            None => {
                state.told.insert(key, (Instant::now(), 0));
                Some(0)
            }
        }
    }
}

/// Somebody inside.
#[derive(Debug)]
pub(super) struct Guest {
    door: Arc<Door>,
    address: IpAddr,
    shaking: bool,
    session: Option<(ReplicaId, u64)>,
}

impl Guest {
    /// The handshake is over and something was said.
    pub(super) fn has_shaken(&mut self) {
        if std::mem::take(&mut self.shaking) {
            self.door.state().handshakes -= 1;
        }
    }

    /// `peer` has proved its key and begins a session. If it has too many, its oldest ends.
    pub(super) fn is_peer(&mut self, peer: &ReplicaId, connection: &Connection) {
        let mut state = self.door.state();
        let number = state.next_session;
        state.next_session += 1;
        let sessions = state.sessions.entry(*peer).or_default();
        sessions.push_back((number, connection.clone()));
        while sessions.len() > self.door.limits.sessions_of_replica_max {
            if let Some((_, oldest)) = sessions.pop_front() {
                oldest.close(VarInt::from_u32(2), b"too many sessions of this device: the oldest ends");
            }
        }
        drop(state);
        self.session = Some((*peer, number));
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut state = self.door.state();
        state.connections -= 1;
        if self.shaking {
            state.handshakes -= 1;
        }
        if let Some(count) = state.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                state.of_address.remove(&self.address);
            }
        }
        if let Some((peer, number)) = self.session.take()
            && let Some(sessions) = state.sessions.get_mut(&peer)
        {
            sessions.retain(|(other, _)| *other != number);
            if sessions.is_empty() {
                state.sessions.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn connections_are_counted_by_address_and_in_all() {
        let limits = Limits { connections_max: 3, connections_of_address_max: 2, ..Limits::default() };
        let door = Door::new(limits);
        let first = door.enter(HOME);
        let _second = door.enter(HOME);
        assert!(matches!(door.knock(HOME, true), Knock::Refuse(reason) if reason.contains("one address")));
        let neighbour: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "2001:db8::ffff:2".parse().unwrap()];
        let _third = door.enter(neighbour[0]);
        assert!(
            matches!(door.knock(neighbour[1], true), Knock::Refuse(reason) if reason.contains("no room"))
        );
        drop(first);
        assert_eq!(door.knock(neighbour[1], true), Knock::Enter);
    }

    #[test]
    fn under_a_flood_of_handshakes_addresses_are_proved_and_then_ignored() {
        let door = Door::new(Limits { handshakes_retry: 1, handshakes_max: 2, ..Limits::default() });
        assert_eq!(door.knock(HOME, false), Knock::Enter);
        let _first = door.enter(HOME);
        assert_eq!(door.knock(HOME, false), Knock::Retry);
        assert_eq!(door.knock(HOME, true), Knock::Enter);
        let _second = door.enter(HOME);
        assert_eq!(door.knock(HOME, true), Knock::Ignore);
    }

    #[test]
    fn wrong_invitations_make_an_address_wait_and_no_other() {
        let door = Door::new(Limits::default());
        for _ in 0..GUESSES_BURST {
            assert_eq!(door.may_guess(HOME), Ok(()));
            door.guessed_wrong(HOME);
        }
        assert_eq!(door.may_guess(HOME), Err(GUESS_EVERY_S));
        assert_eq!(door.may_guess("192.0.2.7".parse().unwrap()), Ok(()));
    }

    #[test]
    fn the_same_refusal_is_told_once() {
        let door = Door::new(Limits::default());
        assert_eq!(door.tell("a", "x"), Some(0));
        assert_eq!(door.tell("a", "x"), None);
        assert_eq!(door.tell("a", "y"), Some(0));
        assert_eq!(door.tell("b", "x"), Some(0));
    }

    #[test]
    fn data_that_comes_too_fast_waits_and_chatter_is_refused() {
        let limits = Limits { bytes_per_s: 1_000, control_per_s: 10, ..Limits::default() };
        let door = Door::new(limits);
        let peer = ReplicaId([1; 32]);
        let data = Frames { data: 1, ..Frames::default() };
        let chatter = |control| Frames { control, ..Frames::default() };
        assert_eq!(door.spend(&peer, 8_000, data), Ok(Duration::ZERO));
        assert!(door.spend(&peer, 2_000, data).expect("waits") > Duration::from_millis(1_500));
        assert_eq!(door.spend(&ReplicaId([2; 32]), 100, chatter(1)), Ok(Duration::ZERO));
        assert!(door.spend(&peer, 0, chatter(200)).expect_err("refused").contains("10 a second"));
    }
}
