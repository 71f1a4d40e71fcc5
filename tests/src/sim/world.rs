//! Virtual time, and a machine's clock and chance within it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wangge_model::schema::Kind;
use wangge_node::replica::{Machine, Program, ReplicaError, World};
use wangge_store::{Disk, Options};

use super::dice::Dice;

/// When every simulation begins: 2026-03-02, 08:00 in Beijing.
pub(super) const BEGIN_MS: u64 = 1_772_409_600_000;

/// The true time of a run, in milliseconds since 1970 (UTC).
#[derive(Clone, Debug)]
pub(super) struct Time(Arc<AtomicU64>);

impl Time {
    pub(super) fn begin() -> Self {
        Self(Arc::new(AtomicU64::new(BEGIN_MS)))
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::Relaxed);
    }
}

/// The clock and the chance of one machine.
#[derive(Debug)]
pub(super) struct SimulatedWorld {
    time: Time,
    /// How far this machine's clock is off.
    off_ms: AtomicI64,
    dice: Mutex<Dice>,
    program: Mutex<Program>,
}

/// The program before the one that this is: it does not know places.
pub(super) fn older() -> Program {
    Program { lacks: [Kind::PLACE].into(), ..Program::default() }
}

impl SimulatedWorld {
    pub(super) fn new(time: &Time, dice: Dice) -> Arc<Self> {
        Arc::new(Self {
            time: time.clone(),
            off_ms: AtomicI64::new(0),
            dice: Mutex::new(dice),
            program: Mutex::default(),
        })
    }

    /// From its next start on the machine runs this program.
    pub(super) fn install(&self, program: Program) {
        *self.program.lock().unwrap_or_else(PoisonError::into_inner) = program;
    }

    /// Whether the machine's program lacks something that this one knows.
    pub(super) fn is_older(&self) -> bool {
        !self.program.lock().unwrap_or_else(PoisonError::into_inner).lacks.is_empty()
    }

    pub(super) fn set_clock(&self, off_ms: i64) {
        self.off_ms.store(off_ms, Ordering::Relaxed);
    }

    pub(super) fn machine(self: &Arc<Self>, disk: &Disk) -> Machine {
        let world: Arc<dyn World> = self.clone();
        Machine {
            world,
            options: Options { disk: Some(disk.clone()), ..Options::default() },
            program: self.program.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..Machine::default()
        }
    }
}

impl World for SimulatedWorld {
    fn now_ms(&self) -> u64 {
        self.time.now_ms().saturating_add_signed(self.off_ms.load(Ordering::Relaxed))
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), ReplicaError> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
        Ok(())
    }
}
