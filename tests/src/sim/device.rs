//! A device: a disk, a clock, and the process that runs on them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use wangge_model::identity::{ReplicaId, Scope};
use wangge_node::net::{Gate, NeighbourGate};
use wangge_node::replica::{Durable, Replica, ReplicaError};
use wangge_relay::{RelayError, Roster};
use wangge_store::{Disk, Image};

use super::model::{Draft, Mark, Place};
use super::world::SimulatedWorld;

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Post {
    Relay,
    /// Listens for its neighbours.
    AreaPoint,
    Worker,
    Clerk,
}

#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) post: Post,
    pub(super) disk: Disk,
    pub(super) world: Arc<SimulatedWorld>,
    pub(super) process: Option<Process>,
    /// On the network.
    pub(super) plugged: bool,
    /// Keeps a session with the relay.
    pub(super) daemon: bool,
    /// Its disk is lost for good.
    pub(super) gone: bool,
    pub(super) latency_ms: u64,
    pub(super) backups: Vec<Image>,
    /// What it was about to save when its process died or its disk refused.
    pub(super) unsure: Vec<Draft>,
    /// Disk work that is under way.
    pub(super) works: bool,
    /// News that waits to take effect.
    pub(super) applies: bool,
    /// Every scope that the centre ever granted it.
    pub(super) granted: BTreeSet<Scope>,
    /// An earlier copy of its disk was put back.
    pub(super) restored: bool,
    /// Its program was too old for what a peer gave it.
    pub(super) needs_update: bool,
    /// A bit of it has flipped.
    pub(super) damage: Option<Damage>,
    /// The key of its replica, once it has one.
    pub(super) key: Option<ReplicaId>,
}

/// What a flipped bit has led to.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// The writings that the disk held before.
    pub(super) held: BTreeSet<usize>,
    /// Something of it cannot be brought back, and was named.
    pub(super) is_named: bool,
    /// All that is stored is whole again, or what is not was named.
    pub(super) is_over: bool,
    /// Documents that lack something since, which is to be written once more, with all that they held before.
    pub(super) waiting: BTreeMap<Place, BTreeSet<Mark>>,
}

/// A running process.
pub(super) struct Process {
    pub(super) replica: Arc<Replica>,
    pub(super) roster: Option<Arc<Roster>>,
    pub(super) news: UnboundedReceiver<Durable>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

impl Device {
    pub(super) fn new(name: String, post: Post, disk: Disk, world: Arc<SimulatedWorld>) -> Self {
        Self {
            name,
            post,
            disk,
            world,
            process: None,
            plugged: true,
            daemon: false,
            gone: false,
            latency_ms: 20,
            backups: Vec::new(),
            unsure: Vec::new(),
            works: false,
            applies: false,
            granted: BTreeSet::new(),
            restored: false,
            needs_update: false,
            damage: None,
            key: None,
        }
    }

    /// Starts the process, as the shipping programs do.
    pub(super) fn start(&mut self) -> Result<(), RelayError> {
        let replica = Arc::new(self.open()?);
        self.run(replica)
    }

    /// Opens the replica on this device's disk.
    pub(super) fn open(&self) -> Result<Replica, ReplicaError> {
        Replica::open(Path::new(&self.name), self.world.machine(&self.disk))
    }

    pub(super) fn run(&mut self, replica: Arc<Replica>) -> Result<(), RelayError> {
        let roster = match self.post {
            Post::Relay => Some(Roster::take_office(Arc::clone(&replica))?),
            _ => None,
        };
        let news = replica.subscribe();
        self.granted.extend(replica.scopes());
        self.key = Some(replica.profile().replica());
        self.process = Some(Process { replica, roster, news });
        // What came while nobody listened is due at once.
        self.applies = true;
        Ok(())
    }

    /// Whether something that it stores may not open.
    pub(super) fn is_damaged(&self) -> bool {
        self.damage.as_ref().is_some_and(|damage| !damage.is_over)
    }

    pub(super) fn replica(&self) -> Option<&Arc<Replica>> {
        self.process.as_ref().map(|process| &process.replica)
    }

    pub(super) fn id(&self) -> Option<ReplicaId> {
        self.replica().map(|replica| replica.profile().replica())
    }

    /// Ends the process: it hears of nothing any more.
    pub(super) fn kill(&mut self) {
        self.process = None;
        self.works = false;
        self.applies = false;
    }

    /// Who may take part in sessions that others open with this device.
    pub(super) fn gate(&self) -> Option<Arc<dyn Gate>> {
        let process = self.process.as_ref()?;
        match (&process.roster, self.post) {
            (Some(roster), _) => {
                let gate: Arc<dyn Gate> = Arc::clone(roster) as Arc<dyn Gate>;
                Some(gate)
            }
            (None, Post::AreaPoint) => {
                Some(Arc::new(NeighbourGate { replica: Arc::clone(&process.replica) }))
            }
            _ => None,
        }
    }

    /// Whether it can talk.
    pub(super) fn is_online(&self) -> bool {
        self.plugged && self.process.is_some()
    }
}
