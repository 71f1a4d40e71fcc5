//! A few dozen simulated streets. `cargo run --release -p wangge-tests --bin simulate` runs thousands.

use std::ops::ControlFlow;

use wangge_tests::sim::{Plan, in_order, run};

/// Seeds that every test run takes: `SEED` chooses the first, `SEEDS` how many.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Once broken and mended, so they stay: what it was, and the seeds that showed it.
const MENDED: &[(&str, &[u64])] = &[
    ("a clone's branch that leaves its log below what came in pages", &[23, 67]),
    ("a cloned device that took the other copy's receipt for its own", &[258]),
    ("what was written before the first pages came and was lost with them", &[1_286]),
    ("a receipt for what had not left yet", &[1_514]),
    ("a branch of a branch", &[1_213]),
    ("an honest peer accused of what a full disk had not taken in", &[1_000_094]),
    ("a verdict below a floor", &[1_000_106]),
    ("what was saved while the order to wipe was on its way", &[1_000_200]),
    (
        "a relay put back during a first sync, or to before what devices had taken in pages",
        &[1_000_230, 2_000_539, 2_000_806],
    ),
    ("a conflict settled by writing damaged work once more", &[2_000_000]),
    ("what did not fit a damaged document and was never tried again", &[2_000_012]),
    ("an erasure that nobody reports, given the unit later or away from it", &[2_000_024, 2_001_920]),
    ("a store that took no more writes under a damaged key", &[2_000_052]),
    ("a damaged sealed cell that ended every session", &[2_000_081]),
    (
        "a device that did not start as the end of its log in a unit that it had left was damaged",
        &[2_000_286],
    ),
    ("what only a damaged disk had had and was asked of peers for ever", &[2_000_385, 2_000_076]),
    (
        "clones of clones that differed, did not come to rest, or were accused of a gap",
        &[10_126, 2_085, 1_000_043, 1_224, 5_133, 1_648],
    ),
    ("what was written while pages were ahead of the logs", &[2_000_185, 2_000_208]),
    (
        "a value beside another that replaced what a void change had replaced",
        &[1_002_702, 1_003_183, 1_003_723],
    ),
    (
        "what was built on a void change below a floor, or was void in a log that followed",
        &[1_010_003, 2_012_130],
    ),
    ("sealed reports of a device that a centre which was put back did not know", &[1_002_262]),
    ("an open session that hears that the roster changed", &[1_002_558]),
    (
        "workers moved on a full disk, twice, or with an erasure to report",
        &[2_101_562, 2_120_419, 2_120_545, 2_120_905],
    ),
    ("transactions stored behind others for which the disk had no room", &[101_009]),
    ("an erasure that could not be reported and kept the session away that would have helped", &[2_010_110]),
    ("a device that a centre which was put back does not know, and its receipts", &[2_013_146]),
    (
        "a damaged record of where a log ends, found while the program runs, taken for the transaction there",
        &[2_013_077],
    ),
    ("a full disk that passed for a damaged one", &[2_000_327]),
    ("a neighbour accused of leaving out what a lost order had erased", &[2_000_294]),
    ("an event that hid another branch's", &[1_303]),
    ("damaged work written once more that a neighbour had acknowledged", &[2_000_224]),
    ("what was saved and told to be refused, as a note of what a peer had was damaged", &[2_000_421]),
    ("a damaged transaction that a peer gave again and that was taken for a fork", &[2_000_425]),
    ("a receipt for a branch that could not be read and never left", &[2_001_360, 2_001_507]),
    ("another clone's branch taken for a peer's copy of a damaged log", &[2_002_017, 2_002_042]),
    ("damaged work that could not be written once more as the pages were gone", &[2_002_111]),
    ("a log from pages that could not be cut back once an erasure had taken the pages", &[2_000_630]),
    (
        "damaged work not written once more, as its author may not write any more",
        &[2_000_727, 2_000_849, 2_000_977],
    ),
    ("a void change that nothing builds on and that stayed or not as the order had it", &[2_000_676]),
    (
        "what the relay found void and that showed for ever where damage held up the verdict",
        &[2_000_925, 2_000_636],
    ),
    ("a damaged document of a damaged transaction that was not named as lost", &[2_003_166]),
    (
        "work that waited at the centre for ever for what a flipped bit had taken",
        &[2_000_033, 2_001_278, 2_003_327, 2_003_342, 2_005_156, 2_005_290, 2_011_216],
    ),
    ("a conflict nobody made, where a log that forked came in pages", &[122_317]),
    (
        "what the centre decided of an earlier life of this device, taken for what it wrote since",
        &[2_122_303],
    ),
    ("the simulator lost what was being saved when the power failed on a damaged disk", &[2_122_690]),
    ("the simulator held a receipt against a relay that had been put back since", &[1_121_934]),
    ("the simulator did not see that a post ended after the last session", &[2_121_923]),
    ("a conflict nobody made, over what a page held beyond the checkpoint's start", &[2_201_998]),
    ("a point accused of a unit that the centre, put back, did not know any more", &[1_200_848]),
    ("the simulator gave one device key to two devices, the first of which was not let in", &[1_200_897]),
    ("the simulator followed what a device that was cut off wrote again though it had arrived", &[2_201_310]),
    ("the simulator forgot what a failed fsync had left on the disk", &[1_337, 3_239, 6_111, 2_001_460]),
    ("a peer that was refused before it heard that the centre was put back", &[2_003_023]),
    (
        "the simulator forgot that an order of erasure is lost with a centre that alone knew of it",
        &[2_000_749],
    ),
    ("the simulator took what pages had brought so far for half a transaction", &[2_001_066]),
    ("the simulator knew no cut that a full disk cut short, nor whose report came", &[1_004_867, 1_004_054]),
    ("the simulator lost sight of what was written once more", &[2_001_100, 2_003_383, 2_003_398]),
    ("the simulator had who had to update first dial every few seconds for hours", &[2_001_112]),
    ("the simulator waited for the healing of a device to which the relay gives nothing", &[2_000_558]),
];

#[test]
fn replicas_keep_their_promises_whatever_happens() {
    let first = number("SEED", 30);
    let seeds: Vec<u64> = (first..first + number("SEEDS", 20))
        .chain(MENDED.iter().flat_map(|(_, seeds)| *seeds).copied())
        .collect();
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
