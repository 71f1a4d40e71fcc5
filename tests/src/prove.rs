//! Planting bugs and looking whether they are found.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wangge_store::{Batch, Options, Store};

use crate::sim::{Action, Plan, Step, Wrong, run};
use wangge_model::planted::{Bug, plant};

/// How a planted bug fared.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// The number of the first run that found it, from 1.
    pub first: Option<u64>,
    /// Runs that found it, by the promise that was broken.
    pub found: BTreeMap<String, u64>,
    /// Runs that were made.
    pub runs: u64,
}

impl Proof {
    /// How many runs found it.
    pub fn count(&self) -> u64 {
        self.found.values().sum()
    }

    fn note(&mut self, found: Option<String>) {
        self.runs += 1;
        if let Some(by) = found {
            self.first.get_or_insert(self.runs);
            *self.found.entry(by).or_default() += 1;
        }
    }
}

/// Plants a bug and simulates seeds, all of them or until one finds it. A seed that fails without the bug proves
/// nothing: `sound` says, and keeps, which do not.
pub fn prove(
    bug: Bug,
    seeds: std::ops::Range<u64>,
    until_found: bool,
    sound: &Mutex<BTreeMap<u64, bool>>,
) -> Proof {
    let mut proof = Proof::default();
    for seed in seeds {
        let plan = Plan::of_seed(seed);
        plant(Some(bug));
        let failure = run(&plan, false).failure;
        plant(None);
        let failure = failure.filter(|_| {
            let known = sound.lock().unwrap_or_else(PoisonError::into_inner).get(&seed).copied();
            known.unwrap_or_else(|| {
                let is_sound = run(&plan, false).failure.is_none();
                sound.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, is_sound);
                is_sound
            })
        });
        let failure = failure.map(|failure| by(failure.wrong).to_owned());
        proof.note(failure);
        if until_found && proof.first.is_some() {
            break;
        }
    }
    proof
}

/// The check that notices.
fn by(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Start => "starts again",
        Wrong::Error => "no error without excuse",
        Wrong::Accused => "nobody honest is accused",
        Wrong::Lost => "nothing saved is missing",
        Wrong::Receipt => "receipts are true",
        Wrong::View => "the reference model's values",
        Wrong::Half => "whole or not at all",
        Wrong::Differ => "equal digests",
        Wrong::Unsettled => "comes to rest",
        Wrong::Leak => "scopes are apart",
        Wrong::Order => "nobody moves the order",
        Wrong::Erased => "erasures are done",
        Wrong::Damage => "damage is healed or named",
        Wrong::Cut => "a cut holds",
        Wrong::Unbounded | Wrong::Endless => "bounded",
        Wrong::Panic => "no panic",
    }
}

/// A centre is put back to a backup that lacks what a phone had delivered and had a receipt for; the phone hears so,
/// and the connection breaks before it has delivered again, after `broken_ms`.
fn lost_centre(broken_ms: u64) -> Plan {
    let step = |after_ms, action| Step { after_ms, action };
    let fetch = Action::Fetch { who: 1 };
    let steps = vec![
        step(1_000, Action::BackUpRelay),
        step(1_000, Action::Register { who: 1, person: 1 }),
        step(1_000, fetch.clone()),
        step(5_000, fetch.clone()),
        step(5_000, Action::RestoreRelay),
        step(1_000, Action::Slow { who: 1, latency_ms: 2_000 }),
        step(1_000, fetch),
        step(broken_ms, Action::Break { nth: 0 }),
    ];
    Plan { seed: 1, grids: 1, points: 0, workers: 1, clerks: 1, is_older: false, page_documents: None, steps }
}

/// Plants that receipts of a lost centre still count and lets connections break at different moments.
pub fn prove_lost_centre() -> Proof {
    let mut proof = Proof::default();
    for broken_ms in (3_000..10_000).step_by(500) {
        plant(Some(Bug::TrustReceipt));
        let failure = run(&lost_centre(broken_ms), false).failure;
        plant(None);
        let failure = failure.filter(|_| run(&lost_centre(broken_ms), false).failure.is_none());
        proof.note(failure.map(|failure| format!("story of a lost centre: {}", by(failure.wrong))));
    }
    proof
}

/// What was committed is there after it moved from the journal to sled and the store was opened again. The
/// simulator has no journal: its disk stands in the place of all that.
///
/// # Errors
/// What is missing.
pub fn nothing_is_lost_on_compaction() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    // It moves when it is told to and not by itself.
    let options = Options { checkpoint_after: Duration::from_secs(3_600), ..Options::default() };
    let open = || Store::open(dir.path(), options.clone()).map_err(|error| error.to_string());
    let store = open()?;
    for number in 0..20_u8 {
        let mut batch = Batch::new();
        batch.put([number], [number; 100]);
        store.commit(batch).map_err(|error| error.to_string())?;
    }
    store.checkpoint().map_err(|error| error.to_string())?;
    store.close();
    let store = open()?;
    for number in 0..20_u8 {
        let found = store.get(&[number]).map_err(|error| error.to_string())?;
        if found.as_deref() != Some(&[number; 100]) {
            return Err(format!("key {number} is gone"));
        }
    }
    Ok(())
}

/// Plants the store's own bug and looks whether that finds it.
pub fn prove_compaction() -> Proof {
    let mut proof = Proof::default();
    wangge_store::planted::lose_tail(true);
    let found = nothing_is_lost_on_compaction().err();
    wangge_store::planted::lose_tail(false);
    let sound = nothing_is_lost_on_compaction().is_ok();
    proof.note(found.filter(|_| sound).map(|_| "test: nothing is lost on compaction".to_owned()));
    proof
}
