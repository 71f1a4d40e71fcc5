//! The link itself: sockets, tasks and the handle that steers them.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::flow::{FLOW_IDLE_MAX, Flow, bind_towards};
use crate::switch::{Direction, Switch};
use crate::{LinkConfig, LinkStats};

/// Largest UDP payload, rounded up.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

/// Pause of a reader whose socket reports an error, so that a lasting one does not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(1);

/// A running link between any number of clients and one upstream server. Stops when dropped.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    addr: SocketAddr,
    tasks: [AbortHandle; 2],
}

#[derive(Debug)]
struct Shared {
    switch: Mutex<Switch>,
    /// A datagram is under way that arrives before all others.
    sooner: Notify,
    /// Something was offered or delivered.
    moved: Notify,
    started: Instant,
    upstream: SocketAddr,
    runtime: Handle,
}

impl Link {
    /// Starts a link to `upstream` on a free port of 127.0.0.1, on the current tokio runtime.
    pub async fn start(upstream: SocketAddr, config: LinkConfig) -> io::Result<Self> {
        let runtime = Handle::current();
        let downstream = bind_towards((Ipv4Addr::LOCALHOST, 0).into())?;
        let clients = UdpSocket::from_std(downstream.try_clone()?)?;
        let addr = clients.local_addr()?;
        let shared = Arc::new(Shared {
            switch: Mutex::new(Switch::new(config, upstream, downstream)),
            sooner: Notify::new(),
            moved: Notify::new(),
            started: Instant::now(),
            upstream,
            runtime: runtime.clone(),
        });
        let tasks = [
            runtime.spawn(read_clients(shared.clone(), clients)).abort_handle(),
            runtime.spawn(deliver(shared.clone())).abort_handle(),
        ];
        Ok(Self { shared, addr, tasks })
    }

    /// Where clients send instead of to the server.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What went through so far, and what did not.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.shared.lock().stats
    }

    /// Changes the link for datagrams yet to be sent; those under way keep their times.
    ///
    /// A different seed starts every flow's dice anew; the same seed leaves them where they are.
    pub fn set(&self, config: LinkConfig) {
        self.shared.lock().config = config;
    }

    /// Drops everything in both directions, also what is under way, until [`Link::heal`].
    pub fn cut(&self) {
        self.shared.lock().cut = true;
    }

    /// Ends a partition.
    pub fn heal(&self) {
        let now = self.shared.now();
        let mut switch = self.shared.lock();
        // What arrived during the partition must not slip through with its end.
        switch.deliver(now);
        switch.cut = false;
    }

    /// Gives every client a new upstream port: to the server, all of them change their address.
    ///
    /// What the server sends to a former port vanishes, as behind a NAT that has forgotten it.
    ///
    /// # Panics
    ///
    /// If the machine has no UDP port left.
    pub fn rebind(&self) {
        let mut switch = self.shared.lock();
        for (&client, flow) in &mut switch.flows {
            let (socket, reader) = Shared::open(&self.shared, client)
                .unwrap_or_else(|error| panic!("no upstream socket for {client}: {error}"));
            flow.rebind(socket, reader);
        }
    }

    /// Waits until `condition` holds. Has no deadline of its own.
    pub async fn wait_until(&self, mut condition: impl FnMut(&LinkStats) -> bool) -> LinkStats {
        loop {
            let moved = self.shared.moved.notified();
            tokio::pin!(moved);
            // Registered before the check, so that nothing is missed in between.
            moved.as_mut().enable();
            let stats = self.stats();
            if condition(&stats) {
                return stats;
            }
            moved.await;
        }
    }

    /// Waits until nothing was offered or delivered for `quiet` and nothing is under way.
    ///
    /// Returns when that silence began: the moment to measure up to.
    pub async fn wait_quiet(&self, quiet: Duration) -> Instant {
        loop {
            let (last_at, busy_at) = {
                let switch = self.shared.lock();
                (switch.last_at(), switch.busy_at)
            };
            let quiet_at = last_at.unwrap_or(busy_at).max(busy_at) + quiet;
            if last_at.is_none() && self.shared.now() >= quiet_at {
                return self.shared.started + busy_at;
            }
            self.shared.sleep_until(quiet_at).await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.lock().flows.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep_until(&self, at: Duration) {
        tokio::time::sleep_until((self.started + at).into()).await;
    }

    /// Carries one datagram, at once if nothing delays it.
    fn carry(&self, direction: Direction, client: SocketAddr, datagram: &[u8]) {
        let now = self.now();
        let sooner = {
            let mut switch = self.lock();
            let before = switch.next_at();
            switch.offer(now, direction, client, datagram);
            switch.deliver(now);
            switch.next_at().is_some_and(|at| before.is_none_or(|before| at < before))
        };
        if sooner {
            self.sooner.notify_one();
        }
        self.moved.notify_waiters();
    }

    /// Opens an upstream socket for a client and starts to read it.
    fn open(self: &Arc<Self>, client: SocketAddr) -> io::Result<(std::net::UdpSocket, AbortHandle)> {
        let _entered = self.runtime.enter();
        let socket = bind_towards(self.upstream)?;
        let reading = UdpSocket::from_std(socket.try_clone()?)?;
        let reader = self.runtime.spawn(read_server(self.clone(), reading, client));
        Ok((socket, reader.abort_handle()))
    }

    fn admit_client(self: &Arc<Self>, client: SocketAddr) -> io::Result<()> {
        let now = self.now();
        let mut switch = self.lock();
        if switch.flows.contains_key(&client) {
            return Ok(());
        }
        let (upstream, reader) = self.open(client)?;
        let (up, down) = switch.dice_of_next_flow();
        switch.stats.flows += 1;
        let flow = Flow { up, down, upstream, retired: VecDeque::new(), reader, used_at: now };
        switch.flows.insert(client, flow);
        Ok(())
    }

    /// Ends a client's flow if it was silent for too long; says until when it may live if not.
    fn expire(&self, client: SocketAddr) -> Option<Duration> {
        let now = self.now();
        let mut switch = self.lock();
        let lives_until = switch.flows.get(&client)?.used_at + FLOW_IDLE_MAX;
        if now < lives_until {
            return Some(lives_until);
        }
        switch.flows.remove(&client);
        None
    }
}

async fn read_clients(shared: Arc<Shared>, clients: UdpSocket) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        match clients.recv_from(&mut buffer).await {
            Ok((len, client)) if shared.admit_client(client).is_ok() => {
                shared.carry(Direction::Up, client, &buffer[..len]);
            }
            _ => tokio::time::sleep(ERROR_PAUSE).await,
        }
    }
}

async fn read_server(shared: Arc<Shared>, server: UdpSocket, client: SocketAddr) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut lives_until = shared.now() + FLOW_IDLE_MAX;
    loop {
        tokio::select! {
            received = server.recv_from(&mut buffer) => match received {
                // Anything else on this port is not part of the link.
                Ok((len, from)) if from == shared.upstream => {
                    shared.carry(Direction::Down, client, &buffer[..len]);
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(ERROR_PAUSE).await,
            },
            () = shared.sleep_until(lives_until) => match shared.expire(client) {
                Some(until) => lives_until = until,
                None => return,
            },
        }
    }
}

async fn deliver(shared: Arc<Shared>) {
    loop {
        let now = shared.now();
        let next_at = {
            let mut switch = shared.lock();
            switch.deliver(now);
            switch.next_at()
        };
        shared.moved.notify_waiters();
        match next_at {
            None => shared.sooner.notified().await,
            Some(at) => tokio::select! {
                () = shared.sleep_until(at) => {}
                () = shared.sooner.notified() => {}
            },
        }
    }
}
