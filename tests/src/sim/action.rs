//! What can happen in a street: one closed alphabet for simulations and stories.

use super::dice::Dice;

/// A device: 0 is the relay, then those enrolled at the beginning, then those that came later. Numbers
/// beyond the last one begin again after the relay.
pub type Who = usize;

/// One thing that happens. Whatever is not possible when its turn comes does not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each action says what its members are")]
pub enum Action {
    /// Registers a resident by his ID number, or sets his name if he is known.
    Register { who: Who, person: u32 },
    /// Sets one field of a resident.
    Edit { who: Who, person: u32, field: u8 },
    /// Clears one field of a resident.
    Clear { who: Who, person: u32, field: u8 },
    /// Settles a conflict that this device shows.
    Settle { who: Who, nth: u32 },
    /// Sets a field of two residents in one transaction.
    Pair { who: Who, persons: (u32, u32), field: u8 },
    /// Takes in a page of residents who were not known.
    Import { who: Who, first: u32, count: u32 },
    /// Reports a case.
    Report { who: Who },
    /// Adds an event to a case.
    Note { who: Who, case: u32 },
    /// Looks at everything this device shows, receipts included.
    Look { who: Who },
    /// Leaves the network.
    Unplug { who: Who },
    /// Comes back to the network; a daemon keeps a session with the relay from now on.
    PlugIn { who: Who },
    /// One session with the relay, to its end.
    Fetch { who: Who },
    /// One session with an area point nearby.
    Meet { who: Who, point: u32 },
    /// The process is killed and comes back.
    Crash { who: Who, down_ms: u64 },
    /// The power goes and comes back: what was not synced is lost, but for the first batches.
    PowerLoss { who: Who, keep: usize, down_ms: u64 },
    /// The same in the middle of a later sync.
    PowerLossDuring { who: Who, sync: u64, keep: usize, down_ms: u64 },
    /// The disk refuses a sync; the process is started again after a while.
    FailSync { who: Who, down_ms: u64 },
    /// The disk is full for a while.
    Fill { who: Who, room_bytes: u64, for_ms: u64 },
    /// Copies the disk, as a backup.
    Backup { who: Who },
    /// Puts an earlier copy of the disk back.
    Restore { who: Who, nth: u32 },
    /// Copies the disk into a second device; both are used.
    Clone { who: Who },
    /// The disk is lost for good.
    Destroy { who: Who },
    /// A clock goes wrong, or right again.
    SetClock { who: Who, off_ms: i64 },
    /// A new device joins.
    Enrol { post: u32, grid: u32 },
    /// Another unit is founded: those who may hold it get it with their next session.
    AddUnit { nth: u32 },
    /// A connection breaks.
    Break { nth: u32 },
    /// All connections of a device break, as when its address changes and nobody follows.
    MoveAddress { who: Who },
    /// A device's network is slow from now on.
    Slow { who: Who, latency_ms: u64 },
    /// Nobody reaches the relay for a while.
    Partition { for_ms: u64 },
    /// A hostile device writes a well-signed log whose Lamport number would put all others behind it.
    Poison { who: Who, epoch: u64 },
    /// Somebody sends the first flight of an earlier session once more.
    Replay { nth: u32 },
    /// The centre cuts a device off.
    Revoke { who: Who },
    /// The centre orders that a resident be erased everywhere.
    Erase { nth: u32 },
    /// The relay is backed up, and says so.
    BackUpRelay,
    /// The relay's machine is lost; its last backup is put back.
    RestoreRelay,
    /// The centre moves a worker to another grid.
    Reassign { who: Who, to: u32 },
    /// A grid's register grows, and somebody joins who takes it in pages.
    Checkpoint { grid: u32, first: u32 },
    /// A bit flips on a disk.
    Flip { who: Who, nth: u32 },
    /// What is stored is examined, and mended where it can be.
    Examine { who: Who },
    /// A device gets the newer program and starts again with it.
    Update { who: Who },
    /// Registers a place, which only the newer program knows.
    AddPlace { who: Who },
}

/// An action and how long after the one before it comes, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How long after the step before.
    pub after_ms: u64,
    /// What happens.
    pub action: Action,
}

/// A run: everything follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Seeds keys, delays and whatever else is left to chance.
    pub seed: u64,
    /// How many grids the street has.
    pub grids: usize,
    /// Area points.
    pub points: usize,
    /// Devices of grid workers.
    pub workers: usize,
    /// Workstations of the centre.
    pub clerks: usize,
    /// Whoever is there at the beginning has an older program, which does not know places.
    pub is_older: bool,
    /// Documents of a page of a checkpoint, if not as many as the wire allows.
    pub page_documents: Option<usize>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// Residents that a run speaks of; few, so that people meet.
const PERSONS: u64 = 8;
/// From this seed on a street also sees what the centre orders and what befalls the centre's own disk. Seeds
/// below keep the runs that they had before the alphabet knew of that.
pub const FULL_ALPHABET: u64 = 1_000_000;
/// From this seed on workers are moved, registers come in many pages, bits flip, and programs are of two
/// versions.
pub const WHOLE_ALPHABET: u64 = 2_000_000;
const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600 * SECOND_MS;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS as i64;

impl Plan {
    /// The run of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let mut plan = Self {
            seed,
            grids: dice.between(1, 2) as usize,
            points: dice.weighted(&[(1, 0), (2, 1), (1, 2)]),
            workers: dice.between(2, 4) as usize,
            clerks: dice.below(2) as usize,
            is_older: false,
            page_documents: None,
            steps: Vec::new(),
        };
        // Some runs are calm and some are not: rare events meet only where they are frequent.
        let trouble = dice.weighted(&[(1, 0), (3, 1), (2, 4)]);
        // Some streets are always connected, some hardly ever.
        let hurry = dice.weighted(&[(2, 2_000), (2, 20_000), (1, HOUR_MS)]);
        let count = dice.between(30, 110);
        for _ in 0..count {
            let after_ms = if dice.percent(30) { dice.below(50) } else { dice.below(hurry) };
            let action = plan.draw(&mut dice, trouble);
            plan.steps.push(Step { after_ms, action });
        }
        if seed >= FULL_ALPHABET {
            plan.upset();
        }
        if seed >= WHOLE_ALPHABET {
            plan.unsettle();
        }
        plan
    }

    /// Strews in what the centre does with people and programs, and what disks do by themselves.
    fn unsettle(&mut self) {
        type Draw = fn(&Plan, &mut Dice) -> Action;
        let unrest: [(u64, Draw); 6] = [
            (2, |plan, dice| Action::Reassign { who: plan.anyone(dice), to: dice.below(2) as u32 }),
            (2, |plan, dice| {
                let first = 300 + dice.below(3) as u32 * 40;
                Action::Checkpoint { grid: dice.below(plan.grids as u64) as u32, first }
            }),
            (4, |plan, dice| Action::Flip { who: plan.anyone(dice), nth: dice.below(1 << 20) as u32 }),
            (3, |plan, dice| Action::Examine { who: plan.anyone(dice) }),
            (3, |plan, dice| Action::Update { who: plan.any_or_relay(dice) }),
            (4, |plan, dice| Action::AddPlace { who: plan.anyone(dice) }),
        ];
        let mut dice = Dice::new(self.seed, 4);
        self.is_older = dice.percent(60);
        self.page_documents = Some(dice.weighted(&[(2, 8), (1, 1), (1, 256)]));
        for _ in 0..dice.weighted(&[(1, 3), (2, 6), (1, 14)]) {
            let draw = dice.weighted(&unrest);
            let action = draw(self, &mut dice);
            let at = dice.below(self.steps.len() as u64 + 1) as usize;
            self.steps.insert(at, Step { after_ms: dice.below(2 * SECOND_MS), action });
        }
    }

    /// Strews in what is rare in any street and meets all the rest only if it is drawn apart from it.
    fn upset(&mut self) {
        type Draw = fn(&Plan, &mut Dice) -> Action;
        let upheavals: [(u64, Draw); 4] = [
            (2, |_, dice| Action::Erase { nth: dice.below(8) as u32 }),
            (2, |plan, dice| Action::Revoke { who: plan.anyone(dice) }),
            (3, |_, _| Action::BackUpRelay),
            (2, |_, _| Action::RestoreRelay),
        ];
        let mut dice = Dice::new(self.seed, 3);
        for _ in 0..dice.weighted(&[(1, 1), (2, 2), (1, 5)]) {
            let draw = dice.weighted(&upheavals);
            let action = draw(self, &mut dice);
            let at = dice.below(self.steps.len() as u64 + 1) as usize;
            self.steps.insert(at, Step { after_ms: dice.below(2 * SECOND_MS), action });
        }
    }

    fn draw(&self, dice: &mut Dice, trouble: u64) -> Action {
        type Draw = fn(&Plan, &mut Dice) -> Action;
        let ordinary: [(u64, Draw); 14] = [
            (10, |plan, dice| Action::Register { who: plan.anyone(dice), person: person(dice) }),
            (30, |plan, dice| {
                let field = dice.below(3) as u8;
                Action::Edit { who: plan.anyone(dice), person: person(dice), field }
            }),
            (3, |plan, dice| Action::Clear { who: plan.anyone(dice), person: person(dice), field: 0 }),
            (6, |plan, dice| Action::Settle { who: plan.anyone(dice), nth: dice.below(4) as u32 }),
            (5, |plan, dice| {
                let persons = (person(dice), person(dice));
                Action::Pair { who: plan.anyone(dice), persons, field: dice.below(3) as u8 }
            }),
            (2, |plan, dice| {
                let first = 100 + dice.below(3) as u32 * 20;
                Action::Import { who: plan.anyone(dice), first, count: dice.between(20, 45) as u32 }
            }),
            (8, |plan, dice| Action::Report { who: plan.anyone(dice) }),
            (10, |plan, dice| Action::Note { who: plan.anyone(dice), case: dice.below(4) as u32 }),
            (8, |plan, dice| Action::Look { who: plan.anyone(dice) }),
            (8, |plan, dice| Action::Unplug { who: plan.anyone(dice) }),
            (14, |plan, dice| Action::PlugIn { who: plan.anyone(dice) }),
            (12, |plan, dice| Action::Fetch { who: plan.anyone(dice) }),
            (8, |plan, dice| Action::Meet { who: plan.anyone(dice), point: dice.below(2) as u32 }),
            (3, |_, dice| Action::Enrol { post: dice.below(8) as u32, grid: dice.below(2) as u32 }),
        ];
        let rare: [(u64, Draw); 19] = [
            (1, |plan, dice| Action::Poison { who: plan.anyone(dice), epoch: dice.below(1_000) }),
            (4, |plan, dice| Action::Crash { who: plan.any_or_relay(dice), down_ms: down(dice) }),
            (4, |plan, dice| {
                let (who, keep) = (plan.any_or_relay(dice), dice.below(3) as usize);
                Action::PowerLoss { who, keep, down_ms: down(dice) }
            }),
            (5, |plan, dice| {
                let (who, keep) = (plan.any_or_relay(dice), dice.below(3) as usize);
                Action::PowerLossDuring { who, sync: dice.between(1, 6), keep, down_ms: down(dice) }
            }),
            (2, |plan, dice| Action::FailSync { who: plan.any_or_relay(dice), down_ms: down(dice) }),
            (2, |plan, dice| {
                let (who, room_bytes) = (plan.any_or_relay(dice), dice.below(4_000));
                Action::Fill { who, room_bytes, for_ms: dice.below(60 * SECOND_MS) }
            }),
            (3, |plan, dice| Action::Backup { who: plan.anyone(dice) }),
            (3, |plan, dice| Action::Restore { who: plan.anyone(dice), nth: dice.below(3) as u32 }),
            (1, |plan, dice| Action::Clone { who: plan.anyone(dice) }),
            (1, |plan, dice| Action::Destroy { who: plan.anyone(dice) }),
            (3, |plan, dice| {
                let years = YEAR_MS * (dice.below(5) as i64 - 2);
                let off_ms =
                    dice.weighted(&[(2, 0), (1, HOUR_MS as i64), (1, -(HOUR_MS as i64)), (1, years)]);
                Action::SetClock { who: plan.any_or_relay(dice), off_ms }
            }),
            (1, |_, dice| Action::AddUnit { nth: dice.below(2) as u32 }),
            (4, |_, dice| Action::Break { nth: dice.below(4) as u32 }),
            (2, |plan, dice| Action::MoveAddress { who: plan.anyone(dice) }),
            (2, |plan, dice| {
                let latency_ms = dice.weighted(&[(1, 5), (1, 150), (1, 2_000)]);
                Action::Slow { who: plan.anyone(dice), latency_ms }
            }),
            (2, |_, dice| Action::Partition { for_ms: dice.below(2 * HOUR_MS) }),
            (3, |_, dice| Action::Replay { nth: dice.below(8) as u32 }),
            (1, |plan, dice| Action::Look { who: plan.anyone(dice) }),
            (1, |plan, dice| Action::Fetch { who: plan.anyone(dice) }),
        ];
        let draw = if dice.below(10) < trouble { dice.weighted(&rare) } else { dice.weighted(&ordinary) };
        draw(self, dice)
    }

    fn anyone(&self, dice: &mut Dice) -> Who {
        // One more than there are at the beginning: devices that join later have their share.
        dice.between(1, (self.points + self.workers + self.clerks + 1) as u64) as Who
    }

    fn any_or_relay(&self, dice: &mut Dice) -> Who {
        if dice.percent(25) { 0 } else { self.anyone(dice) }
    }
}

fn person(dice: &mut Dice) -> u32 {
    dice.below(PERSONS) as u32
}

fn down(dice: &mut Dice) -> u64 {
    dice.weighted(&[(2, 0), (2, 500), (1, 30 * SECOND_MS)])
}
