//! A few dozen simulated streets. `cargo run --release -p wangge-tests --bin simulate` runs thousands.

use std::ops::ControlFlow;

use wangge_tests::sim::{Plan, in_order, run};

/// Seeds that every test run takes: `SEED` chooses the first, `SEEDS` how many.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Once broken and mended, so they stay: a clone's branch that leaves its log below what came in pages (23, 67), a
/// cloned device that took the other copy's receipt for its own (258), what was written before the first pages came
/// and was lost with them (1286), a receipt for what had not left yet (1514), a branch of a branch (1213), an honest
/// peer accused of what a full disk had not taken in (1000094), a verdict below a floor (1000106), what was saved
/// while the order to wipe was on its way (1000200), a relay put back during a first sync (1000230), a conflict that
/// was settled by writing damaged work once more (2000000), what did not fit a damaged document and was never tried
/// again (2000012), an erasure that nobody reports whom the unit was given later (2000024), a store that took no more
/// writes under a damaged key (2000052), a damaged sealed cell that ended every session (2000081), a device that could not
/// be started because the end of its log in a unit that it left was damaged (2000286), what only a damaged disk had had
/// and was asked of peers for ever (2000385, 2000076). Clones of clones: that differed from the relay (10126), did not
/// come to rest (2085, 1000043, 1224, 5133), or were accused of a gap (1648). What was written while pages were ahead of
/// the logs (2000185, 2000208). A full disk that passed for a damaged one (2000327). A neighbour accused of leaving out
/// what a lost order had erased (2000294). An event that hid another branch's (1303). Damaged work that a neighbour had
/// acknowledged was written once more all the same (2000224). What was saved and was told to be refused, as a note of what
/// a peer had was damaged (2000421). The simulator forgot what a failed fsync had left on the disk (1337, 3239, 6111).
/// The simulator took documents of which pages were still on their way for halves of a transaction (2001066).
/// The simulator lost sight of what was written once more, where a command had written more than was typed (2001100).
/// A void change that nothing builds on stayed in a document, or not, as the order of arrival had it (2000676).
/// What the relay had found void showed for ever where a damaged document had held up the verdict (2000925),
/// or the transaction itself was damaged when the verdict came (2000636).
/// Who had to update first dialled every few seconds for hours (2001112).
/// A receipt for a branch that could not be read and never left (2001360, 2001507).
const MENDED: &[u64] = &[
    23, 67, 258, 1286, 1514, 1213, 1_000_094, 1_000_106, 1_000_200, 1_000_230, 2_000_000, 2_000_012,
    2_000_024, 2_000_052, 2_000_081, 2_000_286, 2_000_385, 2_000_076, 10_126, 2_085, 1_648, 1_000_043, 1_224,
    5_133, 2_000_185, 2_000_208, 2_000_327, 2_000_294, 1_303, 2_000_224, 2_000_421, 1_337, 3_239, 6_111,
    2_001_066, 2_001_100, 2_000_676, 2_000_925, 2_000_636, 2_001_112, 2_001_360, 2_001_507,
];

#[test]
fn replicas_keep_their_promises_whatever_happens() {
    let first = number("SEED", 30);
    let seeds: Vec<u64> = (first..first + number("SEEDS", 20)).chain(MENDED.iter().copied()).collect();
    let plans = seeds.clone();
    in_order(0..seeds.len() as u64, move |at| run(&Plan::of_seed(plans[at as usize]), false), |at, outcome| {
        let seed = seeds[at as usize];
        assert!(
            outcome.failure.is_none(),
            "seed {seed}: {:?}; cargo run --release -p wangge-tests --bin simulate -- --seed {seed} --seeds 1",
            outcome.failure
        );
        assert!(outcome.counts.saved > 0, "seed {seed}: nothing was saved");
        ControlFlow::Continue(())
    })
    .unwrap_or_else(|at| panic!("seed {} does not end", seeds[at as usize]));
}

/// What a seed says must be what happened: otherwise no failure could be looked into.
#[test]
fn the_same_seed_is_the_same_run_byte_for_byte() {
    for seed in [3, 7, 11] {
        let runs = [(), ()].map(|()| run(&Plan::of_seed(seed), true));
        let [first, second] = &runs;
        for (at, (one, other)) in first.trace.iter().zip(&second.trace).enumerate() {
            assert_eq!(one, other, "seed {seed}, line {at}");
        }
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
    }
}
