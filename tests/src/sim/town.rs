//! The scheduler: devices, connections and disks under one virtual clock. What happens next follows from
//! the plan alone.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::session::SessionError;
use wangge_node::net::{Exchange, NetError, Purpose, farewell};
use wangge_node::replica::ReplicaError;
use wangge_node::replica::vault::VaultError;
use wangge_relay::decide_now;
use wangge_store::StoreError;

use super::action::{Plan, Who};
use super::device::{Device, Post};
use super::dice::Dice;
use super::model::Model;
use super::network::{End, Link, Side};
use super::world::Time;
use super::{Failure, Wrong};

/// Verdicts gather for this long at the relay.
const GATHER_MS: u64 = 250;
/// A session that ends once both sides are equal gives up after this long.
const SYNC_MS_MAX: u64 = 60_000;
/// First flights that are kept to be replayed.
const FLIGHTS_MAX: usize = 8;
/// What an exchange may keep ready to be sent: its own limit, and the frame that went beyond it.
const BACKLOG_LEN_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Events after which a run is taken to go round in circles.
const EVENTS_MAX: u64 = 400_000;

/// What the scheduler does at some moment.
#[derive(Debug)]
pub(super) enum Event {
    /// The step of the plan.
    Act(usize),
    /// Bytes arrive at one side.
    Arrive(u64, Side, Vec<u8>),
    /// The dialler closed the connection in order.
    HangUp(u64),
    /// One side notices that the connection is broken.
    Notice(u64, Side),
    /// The session took too long.
    TimeOut(u64),
    /// The disk hands batches to the operating system.
    Write(Who),
    /// The disk syncs.
    Sync(Who),
    /// What became durable takes effect.
    Apply(Who),
    /// A daemon dials the relay.
    Dial(Who),
    /// The process is started again.
    Start(Who),
    /// The process is ended and started again.
    Restart(Who),
    /// The disk has room again.
    Free(Who),
}

/// A street under simulation.
pub struct Town {
    pub(super) plan: Plan,
    pub(super) time: Time,
    pub(super) dice: Dice,
    queue: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    events: u64,
    pub(super) devices: Vec<Device>,
    links: BTreeMap<u64, Link>,
    /// Connections over which nothing arrives any more.
    cut: BTreeSet<u64>,
    next_link: u64,
    /// Devices that may have news for their sessions.
    restless: BTreeSet<Who>,
    /// First flights: (dialler's key, listener, bytes).
    flights: Vec<(wangge_model::identity::ReplicaId, Who, Vec<u8>)>,
    /// Nobody reaches the relay before this time.
    pub(super) partition_until_ms: u64,
    /// Daemons that wait to dial.
    dialling: BTreeSet<Who>,
    /// The plan is over: nobody dials by himself any more.
    pub(super) settling: bool,
    /// How the last session that a device dialled and that was to end ended.
    pub(super) synced: BTreeMap<Who, bool>,
    pub(super) model: Model,
    /// The first devices are being enrolled.
    pub(super) is_founding: bool,
    /// The last step of the plan is done.
    pub(super) is_plan_over: bool,
    /// Devices that may have been cut off: the relay's disk failed meanwhile.
    pub(super) unsure_cuts: Vec<wangge_model::identity::ReplicaId>,
    /// How many invitations came to nothing.
    pub(super) unjoined: usize,
    /// The last backup of the relay.
    pub(super) relay_backup: Option<super::centre::RelayBackup>,
    /// The relay was put back to a backup.
    pub(super) relay_restored: bool,
    pub(super) failure: Option<Failure>,
    hash: blake3::Hasher,
    trace: Option<Vec<String>>,
    /// Counts for the report.
    pub(super) counts: super::Counts,
}

impl std::fmt::Debug for Town {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Town").field("seed", &self.plan.seed).finish_non_exhaustive()
    }
}

impl Town {
    pub(super) fn new(plan: Plan, traced: bool) -> Self {
        Self {
            dice: Dice::new(plan.seed, 2),
            plan,
            time: Time::begin(),
            queue: BTreeMap::new(),
            next_event: 0,
            events: 0,
            devices: Vec::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            next_link: 0,
            restless: BTreeSet::new(),
            flights: Vec::new(),
            partition_until_ms: 0,
            dialling: BTreeSet::new(),
            settling: false,
            synced: BTreeMap::new(),
            model: Model::default(),
            is_founding: false,
            is_plan_over: false,
            unsure_cuts: Vec::new(),
            unjoined: 0,
            relay_backup: None,
            relay_restored: false,
            failure: None,
            hash: blake3::Hasher::new_derive_key("wangge 2026 simulation trace"),
            trace: traced.then(Vec::new),
            counts: super::Counts::default(),
        }
    }

    // ---- what is seen from outside

    /// A hash over everything that happened.
    pub(super) fn trace_hash(&self) -> blake3::Hash {
        self.hash.finalize()
    }

    pub(super) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Notes that something happened.
    pub(super) fn say(&mut self, what: impl FnOnce(&Self) -> String) {
        let line = what(self);
        self.hash.update(&self.time.now_ms().to_le_bytes());
        self.hash.update(line.as_bytes());
        let now_ms = self.time.now_ms() - super::world::BEGIN_MS;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10}.{:03} {line}", now_ms / 1_000, now_ms % 1_000));
        }
    }

    pub(super) fn fail(&mut self, wrong: Wrong, what: String) {
        self.say(|_| format!("WRONG: {wrong:?}: {what}"));
        let at_ms = self.time.now_ms() - super::world::BEGIN_MS;
        self.failure.get_or_insert(Failure { wrong, what, at_ms });
    }

    pub(super) fn name(&self, who: Who) -> &str {
        &self.devices[who].name
    }

    // ---- time

    pub(super) fn at(&mut self, after_ms: u64, event: Event) {
        let id = self.next_event;
        self.next_event += 1;
        self.queue.insert((self.time.now_ms() + after_ms, id), event);
    }

    /// Lets time pass until nothing more happens, or something is wrong.
    pub(super) fn run(&mut self) {
        while self.failure.is_none()
            && let Some(((at_ms, _), event)) = self.queue.pop_first()
        {
            self.time.set(at_ms.max(self.time.now_ms()));
            self.events += 1;
            if self.events > EVENTS_MAX {
                self.fail(Wrong::Endless, format!("{EVENTS_MAX} events and no end"));
                return;
            }
            self.happen(event);
            self.calm();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(step) => self.act(step),
            Event::Arrive(link, side, bytes) => self.arrive(link, side, &bytes),
            Event::HangUp(link) => self.hang_up(link),
            Event::Notice(link, side) => self.notice(link, side),
            Event::TimeOut(link) => {
                if self.links.contains_key(&link) && !self.cut.contains(&link) {
                    self.cut(link);
                }
            }
            Event::Write(who) => {
                self.devices[who].disk.write();
                let after_ms = self.dice.below(12);
                self.at(after_ms, Event::Sync(who));
            }
            Event::Sync(who) => {
                self.devices[who].works = false;
                self.devices[who].disk.sync();
                self.restless.insert(who);
            }
            Event::Apply(who) => self.apply(who),
            Event::Dial(who) => {
                self.dialling.remove(&who);
                self.dial(who);
            }
            Event::Start(who) => self.start(who),
            Event::Restart(who) => {
                if self.devices[who].process.is_some() {
                    self.devices[who].disk.crash();
                    self.die(who);
                }
                self.start(who);
            }
            Event::Free(who) => self.devices[who].disk.set_room(None),
        }
    }

    /// Lets everybody hear of what has become durable, until nobody has anything to do.
    pub(super) fn calm(&mut self) {
        while self.failure.is_none()
            && let Some(who) = self.restless.pop_first()
        {
            self.attend(who);
        }
    }

    pub(super) fn disturb(&mut self, who: Who) {
        self.restless.insert(who);
    }

    fn attend(&mut self, who: Who) {
        let links: Vec<(u64, Side)> =
            self.links.iter().filter_map(|(id, link)| Some((*id, link.side_of(who)?))).collect();
        for (id, side) in links {
            self.turn(id, side, Exchange::hear);
        }
        if self.devices[who].process.is_some() && !self.devices[who].disk.is_alive() {
            self.say(|town| format!("{} has lost its power", town.name(who)));
            self.die(who);
            let after_ms = self.dice.between(100, 5_000);
            self.at(after_ms, Event::Start(who));
            return;
        }
        let device = &mut self.devices[who];
        let Some(process) = &mut device.process else { return };
        let mut any = device.applies;
        loop {
            match process.news.try_recv() {
                Ok(_) => any = true,
                Err(tokio::sync::mpsc::error::TryRecvError::Empty) => break,
                Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => {
                    // A write failed and ended all subscriptions: what comes after still counts.
                    process.news = process.replica.subscribe();
                    any = true;
                    break;
                }
            }
        }
        device.applies = false;
        let writes = device.disk.is_busy() && !device.works;
        device.works |= writes;
        let is_relay = device.post == Post::Relay;
        if writes {
            let after_ms = self.dice.below(6);
            self.at(after_ms, Event::Write(who));
        }
        if any {
            self.at(if is_relay { GATHER_MS } else { 1 }, Event::Apply(who));
        }
    }

    // ---- processes

    pub(super) fn start(&mut self, who: Who) {
        let device = &mut self.devices[who];
        if device.gone || device.process.is_some() {
            return;
        }
        if let Err(error) = device.start() {
            if error.to_string().contains("the disk is full") {
                // What is damaged, or was put back, is written anew at the start, for which there is no room yet.
                self.at(60_000, Event::Start(who));
                return;
            }
            if error.to_string().contains("could not reach the simulated disk") {
                // The power went once more, while what was damaged was written anew.
                self.at(1_000, Event::Start(who));
                return;
            }
            let what = format!("{} cannot be started: {error}", device.name);
            self.fail(Wrong::Start, what);
            return;
        }
        self.say(|town| format!("{} is up", town.name(who)));
        self.hear_of_damage(who);
        self.resolve_unsure(who);
        if who == 0 {
            self.resolve_cuts();
        }
        self.disturb(who);
        if self.devices[who].daemon {
            self.dial_later(who);
        }
    }

    /// The process is gone, whatever ended it; peers notice by and by.
    pub(super) fn die(&mut self, who: Who) {
        self.devices[who].kill();
        let links: Vec<(u64, Side)> =
            self.links.iter().filter_map(|(id, link)| Some((*id, link.side_of(who)?))).collect();
        for (id, side) in links {
            if let Some(link) = self.links.get_mut(&id) {
                // A dead process remembers nothing.
                link.end(side).exchange = None;
                link.end(side).is_over = true;
            }
            self.cut(id);
        }
    }

    fn apply(&mut self, who: Who) {
        let Some(process) = &self.devices[who].process else { return };
        let result = match &process.roster {
            Some(roster) => decide_now(roster.replica()),
            None => process.replica.apply().map(|_| ()),
        };
        self.disturb(who);
        if let Err(error) = result {
            self.excuse(who, "apply", &error);
        }
    }

    /// An error of a replica is right only where its disk was in trouble.
    pub(super) fn excuse(&mut self, who: Who, doing: &str, error: &ReplicaError) {
        let trouble = match error {
            ReplicaError::Store(StoreError::Damaged { .. })
            | ReplicaError::Damaged { .. }
            | ReplicaError::Document(_) => self.devices[who].is_damaged(),
            // Who has erased something cannot let a neighbour begin: it says so.
            ReplicaError::NoBeginning { .. } => !self.model.erased.is_empty(),
            ReplicaError::NeedsUpdate { .. } => self.devices[who].world.is_older(),
            ReplicaError::Vault(VaultError::Store(StoreError::Damaged { .. })) => false,
            ReplicaError::Store(_)
            | ReplicaError::Vault(VaultError::Store(_))
            | ReplicaError::Failed { .. } => true,
            _ => false,
        };
        self.devices[who].needs_update |= matches!(error, ReplicaError::NeedsUpdate { .. });
        if trouble {
            self.say(|town| format!("{}: {doing}: {error}", town.name(who)));
            self.counts.disk_errors += 1;
        } else {
            let what = format!("{}: {doing}: {error}", self.name(who));
            self.fail(Wrong::Error, what);
        }
    }

    // ---- connections

    pub(super) fn dial_later(&mut self, who: Who) {
        // Whom a restored relay refuses, whoever cannot read what he is to send, and who has to update first would dial
        // for ever: at the end of the plan a run comes to rest.
        let device = &self.devices[who];
        let waits_for_update = device.needs_update && device.world.is_older();
        let is_in_vain = self.relay_restored || device.is_damaged() || waits_for_update;
        let over = is_in_vain && self.is_plan_over;
        if !self.settling && !over && self.dialling.insert(who) {
            // That lasts for hours: daemons wait longer from time to time.
            let longest_ms = if is_in_vain { 10 * 60_000 } else { 4_000 };
            let after_ms = self.dice.between(200, longest_ms);
            self.at(after_ms, Event::Dial(who));
        }
    }

    fn dial(&mut self, who: Who) {
        let device = &self.devices[who];
        if self.settling || !device.daemon || !device.is_online() {
            return;
        }
        let talks = self.links.iter().any(|(_, link)| {
            link.dialler.who == who && !link.once && link.dialler.exchange.is_some() && !link.dialler.is_over
        });
        if !talks && !self.connect(who, 0, false) {
            self.dial_later(who);
        }
    }

    /// Whether one device reaches another.
    fn reaches(&self, who: Who, to: Who) -> bool {
        let relay_is_cut_off = to == 0 && self.time.now_ms() < self.partition_until_ms;
        self.devices[who].is_online() && self.devices[to].is_online() && !relay_is_cut_off
    }

    /// Opens a session; whether anybody answered.
    pub(super) fn connect(&mut self, who: Who, to: Who, once: bool) -> bool {
        if who == to || !self.reaches(who, to) {
            return false;
        }
        let (Some(replica), Some(peer)) = (self.devices[who].replica().cloned(), self.devices[to].id())
        else {
            return false;
        };
        if once && let Err(error) = replica.apply() {
            self.excuse(who, "apply", &error);
            return false;
        }
        let purpose = Purpose { peer, dialler: true, once, only: None, gate: None };
        let exchange = match Exchange::begin(&replica, purpose) {
            Ok(exchange) => exchange,
            Err(error) => {
                self.end_of(who, "begin", &error);
                return false;
            }
        };
        let id = self.next_link;
        self.next_link += 1;
        let latency_ms = self.devices[who].latency_ms + self.devices[to].latency_ms;
        self.say(|town| format!("{} dials {} ({id})", town.name(who), town.name(to)));
        self.counts.sessions += 1;
        let link = Link {
            dialler: End::new(who, Some(exchange)),
            listener: End::new(to, None),
            once,
            latency_ms,
            first_flight: Vec::new(),
            has_heard: false,
        };
        self.links.insert(id, link);
        if once {
            self.synced.insert(who, false);
            self.at(SYNC_MS_MAX.max(latency_ms * 100), Event::TimeOut(id));
        }
        self.disturb(who);
        self.turn(id, Side::Dialler, |_| Ok(()));
        true
    }

    /// Gives one side an input and does what follows from it.
    fn turn(&mut self, id: u64, side: Side, input: impl FnOnce(&mut Exchange) -> Result<(), NetError>) {
        let Some(mut link) = self.links.remove(&id) else { return };
        let latency_ms = link.latency_ms;
        let is_cut = self.cut.contains(&id);
        let (who, mut worked) = (link.end(side).who, false);
        let mut result = match &mut link.end(side).exchange {
            Some(exchange) => input(exchange),
            None => Ok(()),
        };
        while result.is_ok() {
            let has_heard = link.has_heard;
            let end = link.end(side);
            let window = WINDOW.min(end.window());
            let Some(exchange) = &mut end.exchange else { break };
            let mut idle = true;
            if exchange.has_work() {
                (idle, worked) = (false, true);
                result = exchange.pump();
            }
            let waits = exchange.to_send();
            if waits.len() > BACKLOG_LEN_BYTES_MAX {
                let what = format!("{} keeps {} bytes to be sent", self.devices[who].name, waits.len());
                self.fail(Wrong::Unbounded, what);
                break;
            }
            let bytes = waits[..waits.len().min(window)].to_vec();
            if !bytes.is_empty() {
                idle = false;
                exchange.sent(bytes.len());
                end.on_their_way += bytes.len();
                let jitter_ms = self.dice.below(latency_ms / 2 + 1);
                let arrival_ms = end.last_arrival_ms.max(self.time.now_ms() + latency_ms + jitter_ms);
                end.last_arrival_ms = arrival_ms;
                if side == Side::Dialler && !has_heard {
                    link.first_flight.extend_from_slice(&bytes);
                }
                self.counts.bytes += bytes.len() as u64;
                if !is_cut {
                    let after_ms = arrival_ms - self.time.now_ms();
                    self.at(after_ms, Event::Arrive(id, side.other(), bytes));
                }
            }
            if idle {
                break;
            }
        }
        if worked {
            self.disturb(who);
        }
        match result {
            Err(error) => self.break_off(id, link, side, &error),
            Ok(()) => {
                let end = link.end(side);
                let over = end.exchange.as_ref().is_some_and(Exchange::is_over) && !end.is_over;
                if over {
                    self.finish(id, &mut link, side);
                }
                self.links.insert(id, link);
            }
        }
    }

    /// One side has nothing more to say or to hear.
    fn finish(&mut self, id: u64, link: &mut Link, side: Side) {
        let end = link.end(side);
        end.is_over = true;
        let (who, last_ms) = (end.who, end.last_arrival_ms);
        let Some(mut exchange) = end.exchange.take() else { return };
        let equal = exchange.is_in_sync();
        if exchange.is_wiped() {
            drop(exchange);
            self.cut_others(who, id);
            self.wiped(who);
            self.at(last_ms.saturating_sub(self.time.now_ms()) + 1, Event::HangUp(id));
            return;
        }
        let remembered = exchange.remember();
        drop(exchange);
        self.say(|town| format!("{} is through ({id}), equal: {equal}", town.name(who)));
        if let Err(error) = remembered {
            self.end_of(who, "remember", &error);
        }
        if side == Side::Dialler {
            if link.once {
                self.synced.insert(who, equal);
                self.at(0, Event::Apply(who));
            }
            let after_ms = last_ms.saturating_sub(self.time.now_ms()) + 1;
            if !self.settling && self.dice.percent(15) {
                // It closes before its last words have left.
                self.cut(id);
            } else {
                self.at(after_ms, Event::HangUp(id));
            }
        }
    }

    /// A process is gone, and with it all its connections but one, whose last words are on their way.
    fn cut_others(&mut self, who: Who, but: u64) {
        let links: Vec<(u64, Side)> =
            self.links.iter().filter_map(|(id, link)| Some((*id, link.side_of(who)?))).collect();
        for (id, side) in links.into_iter().filter(|(id, _)| *id != but) {
            if let Some(link) = self.links.get_mut(&id) {
                link.end(side).exchange = None;
                link.end(side).is_over = true;
            }
            self.cut(id);
        }
    }

    fn arrive(&mut self, id: u64, side: Side, bytes: &[u8]) {
        if self.cut.contains(&id) {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        let sender = link.end(side.other());
        sender.on_their_way = sender.on_their_way.saturating_sub(bytes.len());
        self.hash.update(bytes);
        let (who, peer) = (link.end(side).who, link.end(side.other()).who);
        if side == Side::Dialler {
            if !link.has_heard {
                link.has_heard = true;
                let (flight, to) = (std::mem::take(&mut link.first_flight), link.listener.who);
                if let Some(key) = self.devices[who].id() {
                    self.flights.push((key, to, flight));
                    if self.flights.len() > FLIGHTS_MAX {
                        self.flights.remove(0);
                    }
                }
            }
        } else if link.listener.exchange.is_none() && !link.listener.is_over {
            // The listener learns of a connection with its first bytes.
            let (Some(replica), Some(gate)) =
                (self.devices[who].replica().cloned(), self.devices[who].gate())
            else {
                return;
            };
            let Some(peer) = self.devices[peer].id() else { return };
            let purpose = Purpose { peer, dialler: false, once: false, only: None, gate: Some(gate) };
            match Exchange::begin(&replica, purpose) {
                Ok(exchange) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.listener.exchange = Some(exchange);
                    }
                }
                Err(error) => {
                    self.end_of(who, "begin", &error);
                    self.cut(id);
                    return;
                }
            }
        }
        self.disturb(who);
        self.turn(id, side, |exchange| exchange.received(bytes));
        // There is room for more on the way.
        self.turn(id, side.other(), |_| Ok(()));
    }

    fn hang_up(&mut self, id: u64) {
        self.turn(id, Side::Listener, Exchange::ended);
        if let Some(link) = self.links.remove(&id) {
            self.cut.remove(&id);
            self.remember(link.listener.who, link.listener.exchange);
        }
    }

    /// A side ends the session with an error and tells the other, if that helps.
    fn break_off(&mut self, id: u64, mut link: Link, side: Side, error: &NetError) {
        let end = link.end(side);
        let who = end.who;
        let exchange = end.exchange.take();
        let words = exchange.as_ref().map_or_else(|| farewell(error), |exchange| exchange.last_words(error));
        // It overtakes nothing that is on its way.
        let after_ms = end.last_arrival_ms.saturating_sub(self.time.now_ms()).max(30);
        end.is_over = true;
        let dialler_is_daemon = side == Side::Dialler && !link.once;
        self.links.insert(id, link);
        self.end_of(who, "session", error);
        self.remember(who, exchange);
        match words {
            Some(bytes) if !self.cut.contains(&id) => {
                self.at(after_ms, Event::Arrive(id, side.other(), bytes));
                self.at(after_ms + 30, Event::Notice(id, side.other()));
            }
            _ => self.cut(id),
        }
        if self.is_revoked(who) {
            // It is told so by whomever it dials: a daemon that has destroyed what it held ends.
            self.devices[who].daemon = false;
        } else if dialler_is_daemon {
            self.dial_later(who);
        }
    }

    /// As the driver does when a session ends, in whatever way.
    fn remember(&mut self, who: Who, exchange: Option<Exchange>) {
        let Some(mut exchange) = exchange else { return };
        if let Err(error) = exchange.remember() {
            self.end_of(who, "remember", &error);
        }
        self.disturb(who);
        if self.relay_restored && self.failure.is_none() && !self.settling {
            // A session that broke off leaves the most to be told wrong.
            drop(exchange);
            self.look(who);
        }
    }

    /// Nothing arrives any more; both sides notice by and by.
    fn cut(&mut self, id: u64) {
        if !self.links.contains_key(&id) || !self.cut.insert(id) {
            return;
        }
        let slowest_ms =
            if self.settling { 10 } else { self.dice.weighted(&[(2, 10), (1, 2_000), (1, 30_000)]) };
        for side in [Side::Dialler, Side::Listener] {
            let after_ms = self.dice.below(slowest_ms);
            self.at(after_ms, Event::Notice(id, side));
        }
    }

    fn notice(&mut self, id: u64, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let once = link.once;
        let end = link.end(side);
        end.is_over = true;
        let (who, exchange) = (end.who, end.exchange.take());
        let both = link.end(side.other()).is_over;
        if both {
            self.links.remove(&id);
            self.cut.remove(&id);
        } else {
            self.cut(id);
        }
        if exchange.is_some() {
            self.say(|town| format!("{} has lost the connection ({id})", town.name(who)));
        }
        self.remember(who, exchange);
        if side == Side::Dialler && !once {
            self.dial_later(who);
        }
    }

    /// Cuts the connections that `choose` chooses.
    pub(super) fn cut_links(&mut self, choose: impl Fn(usize, Who, Who) -> bool) {
        let chosen: Vec<u64> = self
            .links
            .iter()
            .enumerate()
            .filter(|(at, (_, link))| choose(*at, link.dialler.who, link.listener.who))
            .map(|(_, (id, _))| *id)
            .collect();
        for id in chosen {
            self.cut(id);
        }
    }

    pub(super) fn link_count(&self) -> usize {
        self.links.len()
    }

    /// An earlier first flight comes once more; whoever sent it hears no answer.
    pub(super) fn replay(&mut self, nth: usize) {
        let Some((peer, to, bytes)) = self.flights.get(nth % self.flights.len().max(1)).cloned() else {
            return;
        };
        let (Some(replica), Some(gate)) = (self.devices[to].replica().cloned(), self.devices[to].gate())
        else {
            return;
        };
        self.say(|town| format!("a first flight comes to {} again", town.name(to)));
        let purpose = Purpose { peer, dialler: false, once: false, only: None, gate: Some(gate) };
        let mut exchange = match Exchange::begin(&replica, purpose) {
            Ok(exchange) => exchange,
            Err(error) => return self.end_of(to, "begin", &error),
        };
        let mut result = exchange.received(&bytes);
        while result.is_ok() && exchange.has_work() {
            result = exchange.pump();
            exchange.sent(usize::MAX);
        }
        if let Err(error) = result {
            self.end_of(to, "session", &error);
        }
        self.remember(to, Some(exchange));
    }

    /// How a session ended. All here are honest, so nobody may be accused of breaking a rule.
    fn end_of(&mut self, who: Who, doing: &str, error: &NetError) {
        match error {
            NetError::Broken { .. }
            | NetError::Session(SessionError::Refused { .. } | SessionError::NotHere { .. }) => {
                self.say(|town| format!("{}: {doing}: {}", town.name(who), error.in_english()));
            }
            // Clocks that are wrong make neighbours refuse; the centre never does.
            NetError::Rules(reason) if who != 0 && reason.contains("lease") => {
                self.say(|town| format!("{}: {doing}: {reason}", town.name(who)));
            }
            NetError::Rules(reason) if !self.model.revoked.is_empty() && reason.contains("revoked") => {
                self.say(|town| format!("{}: {doing}: {reason}", town.name(who)));
            }
            // A session that was open when the roster changed is had again.
            NetError::Rules(reason) if reason.contains("connect again") => {
                self.say(|town| format!("{}: {doing}: {reason}", town.name(who)));
            }
            // Enrolled after the backup that was put back.
            NetError::Rules(reason) if self.relay_restored && reason.contains("does not know") => {
                self.say(|town| format!("{}: {doing}: {reason}", town.name(who)));
            }
            // Another session of the same device has given up a unit that its worker left.
            NetError::Replica(error @ ReplicaError::NotHeld { .. }) if self.is_moved(who) => {
                self.say(|town| format!("{}: {doing}: {error}", town.name(who)));
            }
            // Who cannot read his roster admits nobody, and says why.
            NetError::Rules(reason) if self.devices[who].is_damaged() && reason.contains("is damaged") => {
                self.say(|town| format!("{}: {doing}: {reason}", town.name(who)));
            }
            // The order itself may not have come along: a disk is damaged, or the centre was put back.
            NetError::Unexplained { .. } if !self.model.erased.is_empty() => {
                self.say(|town| format!("{}: {doing}: {}", town.name(who), error.in_english()));
            }
            NetError::Replica(error) => self.excuse(who, doing, error),
            error => {
                let what = format!("{}: {doing}: {}", self.name(who), error.in_english());
                self.fail(Wrong::Accused, what);
            }
        }
    }
}

/// Bytes that leave at once.
const WINDOW: usize = 16 * 1024;
