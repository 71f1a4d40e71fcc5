//! Wangge itself: a relay in a process of its own on loopback, replicas in the process of the run.
//!
//! - What counts is the product's own path: QUIC with TLS 1.3 and pinned keys, transactions signed
//!   and chained, everything durable on both sides before it counts.
//! - Bytes are UDP payload both ways, handshakes, acknowledgements and farewells included.
//! - Aged documents were edited by six replicas of one grid, one transaction for each edit, spread
//!   over most of a year; the relay has decided on all of them. So the grid has seven logs.

mod commit;
mod day;
mod first;
mod intake;
mod live;
mod memory;
mod meter;
mod part;
mod prepare;
mod reconnect;
mod round_trips;
mod search;
mod street;
mod views;

use std::time::Duration;

use crate::bound::Bound;
use crate::bound::Bound::{AtLeast, AtMost};
use crate::documents::Age;
use crate::measure::{
    ADMISSION, ADMISSION_SHARE, APPEND_BESIDE, CHANGE_HERE_BYTES, CHANGE_THERE_BYTES, CLEAR_WRITE,
    COLD_EDITED_TRIPS, COLD_TRIPS, COLD_WAITS, COMMIT, COMMIT_FACTOR, DAEMON_COMMIT, DAEMON_COMMIT_FACTOR,
    DAY, DAY_FACTOR, DAY_FACTOR_WITHOUT_LOSS, DAY_FLOOR, DAY_UP, EDITED_RECONNECT, EDITED_RECONNECT_DOWN,
    EDITED_RECONNECT_UP, EMPTY_MEMORY_MB, FETCHED_MEMORY, FETCHED_MEMORY_MB, FIRST_SYNC,
    FIRST_SYNC_DOCUMENT_BYTES, FIRST_SYNC_DOCUMENT_TIME, FIRST_SYNC_DOWN, FIRST_SYNC_UP, HANDSHAKE_TRIPS,
    IDLE_OPEN_BYTES, IDLE_RECONNECT, IDLE_RECONNECT_BYTES, IDLE_RECONNECT_DOWN, IDLE_RECONNECT_UP,
    JOIN_BYTES, Measure, REOPENED_MEMORY, RESUMED_BYTES, RESUMED_EDITED_TRIPS, RESUMED_TRIPS, RESUMED_WAITS,
    SEALED_WRITE, SEALING_SHARE, SEARCH_ADDRESS, SEARCH_FACTOR, SEARCH_FACTOR_MAX, SEARCH_INITIALS,
    SEARCH_NAME, SEARCH_PHONE, SEARCH_PINYIN, SEARCH_READY, SEARCH_SCAN, SEARCH_STREET, SEARCH_SURNAME,
    SEARCH_TAIL, STORE_OPEN, TRANSACTION_INTAKE, TRANSACTION_INTAKE_CPU, VIEWS, VIEWS_FACTOR, VIEWS_SCAN,
};
use crate::scenario::{Preparation, Report, Scenario, Setting, Size};

pub(crate) use part::play;

/// Longest run of a scenario that repeats.
const DEADLINE: Duration = Duration::from_secs(1_800);

/// A street whose grid has documents.
const STREET: Preparation = Preparation { name: "street", run: prepare::street };

/// A street with eight replicas that worked offline.
const OFFLINE: Preparation = Preparation { name: "offline", run: intake::prepare };

/// A workstation of the centre that holds the people of all grids.
const REGISTER: Preparation = Preparation { name: "register", run: search::prepare };

type Run = fn(&Setting, &mut Report) -> anyhow::Result<()>;
type Bounds = &'static [(Measure, Bound)];

const fn scenario(
    name: &'static str,
    age: Age,
    measures: &'static [Measure],
    bounds: Bounds,
    run: Run,
) -> Scenario {
    Scenario {
        age: Some(age),
        size: Size::Village,
        bounds,
        repeats: true,
        needs: Some(STREET),
        deadline: DEADLINE,
        ..Scenario::new("wangge", name, measures, run)
    }
}

const fn tenfold(scenario: Scenario) -> Scenario {
    Scenario { size: Size::Tenfold, ..scenario }
}

const RECONNECT: Scenario = scenario(
    "reconnect",
    Age::Aged,
    &[
        IDLE_RECONNECT,
        IDLE_RECONNECT_UP,
        IDLE_RECONNECT_DOWN,
        IDLE_RECONNECT_BYTES,
        EDITED_RECONNECT,
        EDITED_RECONNECT_UP,
        EDITED_RECONNECT_DOWN,
        CHANGE_HERE_BYTES,
        CHANGE_THERE_BYTES,
    ],
    &[
        (IDLE_RECONNECT_BYTES, AtMost(4_800.0)),
        (CHANGE_HERE_BYTES, AtMost(64.0)),
        (CHANGE_THERE_BYTES, AtMost(64.0)),
    ],
    reconnect::run,
);

const OPEN: Scenario =
    scenario("open", Age::Aged, &[IDLE_OPEN_BYTES], &[(IDLE_OPEN_BYTES, AtMost(250.0))], live::run);

const FIRST_MEASURES: &[Measure] = &[
    FIRST_SYNC,
    FIRST_SYNC_UP,
    FIRST_SYNC_DOWN,
    FIRST_SYNC_DOCUMENT_BYTES,
    FIRST_SYNC_DOCUMENT_TIME,
    JOIN_BYTES,
];

const FIRST_FRESH: Scenario = scenario(
    "first",
    Age::Fresh,
    FIRST_MEASURES,
    &[(FIRST_SYNC_DOCUMENT_BYTES, AtMost(56.0)), (FIRST_SYNC_DOCUMENT_TIME, AtMost(250.0))],
    first::run,
);

const FIRST_AGED: Scenario = scenario(
    "first",
    Age::Aged,
    FIRST_MEASURES,
    &[(FIRST_SYNC_DOCUMENT_BYTES, AtMost(100.0)), (FIRST_SYNC_DOCUMENT_TIME, AtMost(250.0))],
    first::run,
);

/// A tenth of a round trip is left for what both sides compute.
const ROUND_TRIPS: Scenario = scenario(
    "round-trips",
    Age::Aged,
    &[
        COLD_WAITS,
        COLD_TRIPS,
        HANDSHAKE_TRIPS,
        COLD_EDITED_TRIPS,
        RESUMED_WAITS,
        RESUMED_TRIPS,
        RESUMED_EDITED_TRIPS,
        RESUMED_BYTES,
    ],
    &[
        (COLD_WAITS, AtMost(2.0)),
        (COLD_TRIPS, AtMost(2.1)),
        (RESUMED_WAITS, AtMost(1.0)),
        (RESUMED_TRIPS, AtMost(1.1)),
    ],
    round_trips::run,
);

const A_DAY: Scenario = scenario(
    "day",
    Age::Aged,
    &[DAY, DAY_FLOOR, DAY_FACTOR, DAY_FACTOR_WITHOUT_LOSS, DAY_UP],
    &[(DAY_FACTOR, AtMost(2.0))],
    day::run,
);

const INTAKE: Scenario = Scenario {
    age: None,
    needs: Some(OFFLINE),
    ..scenario(
        "intake",
        Age::Fresh,
        &[TRANSACTION_INTAKE, TRANSACTION_INTAKE_CPU, ADMISSION, ADMISSION_SHARE],
        &[(TRANSACTION_INTAKE, AtLeast(10_000.0)), (ADMISSION_SHARE, AtMost(0.25))],
        intake::run,
    )
};

const MEMORY_MEASURES: &[Measure] = &[REOPENED_MEMORY, FETCHED_MEMORY, FETCHED_MEMORY_MB, EMPTY_MEMORY_MB];

const MEMORY: Scenario =
    scenario("memory", Age::Aged, MEMORY_MEASURES, &[(FETCHED_MEMORY_MB, AtMost(8.0))], memory::run);

const MEMORY_TENFOLD: Scenario = tenfold(scenario(
    "memory",
    Age::Aged,
    MEMORY_MEASURES,
    &[(REOPENED_MEMORY, AtMost(1.0)), (FETCHED_MEMORY, AtMost(1.5))],
    memory::run,
));

const COMMITS: Scenario = scenario(
    "commit",
    Age::Aged,
    &[
        COMMIT,
        APPEND_BESIDE,
        COMMIT_FACTOR,
        SEALED_WRITE,
        CLEAR_WRITE,
        SEALING_SHARE,
        DAEMON_COMMIT,
        DAEMON_COMMIT_FACTOR,
    ],
    &[(COMMIT_FACTOR, AtMost(2.5)), (SEALING_SHARE, AtMost(0.25)), (DAEMON_COMMIT_FACTOR, AtMost(2.5))],
    commit::run,
);

const A_GRIDS_VIEWS: Scenario = scenario(
    "views",
    Age::Aged,
    &[VIEWS, STORE_OPEN, VIEWS_SCAN, VIEWS_FACTOR],
    &[(VIEWS, AtMost(50.0))],
    views::run,
);

const SEARCH_MAX: Bound = AtMost(50.0);

const SEARCH: Scenario = Scenario {
    age: None,
    size: Size::Street,
    needs: Some(REGISTER),
    ..scenario(
        "search",
        Age::Fresh,
        &[
            SEARCH_NAME,
            SEARCH_SURNAME,
            SEARCH_PINYIN,
            SEARCH_INITIALS,
            SEARCH_TAIL,
            SEARCH_PHONE,
            SEARCH_ADDRESS,
            SEARCH_STREET,
            SEARCH_SCAN,
            SEARCH_FACTOR,
            SEARCH_FACTOR_MAX,
            SEARCH_READY,
        ],
        &[
            (SEARCH_NAME, SEARCH_MAX),
            (SEARCH_SURNAME, SEARCH_MAX),
            (SEARCH_PINYIN, SEARCH_MAX),
            (SEARCH_INITIALS, SEARCH_MAX),
            (SEARCH_TAIL, SEARCH_MAX),
            (SEARCH_PHONE, SEARCH_MAX),
            (SEARCH_ADDRESS, SEARCH_MAX),
            (SEARCH_STREET, SEARCH_MAX),
        ],
        search::run,
    )
};

/// What Wangge is measured by.
pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        RECONNECT,
        tenfold(RECONNECT),
        OPEN,
        FIRST_FRESH,
        FIRST_AGED,
        tenfold(FIRST_FRESH),
        tenfold(FIRST_AGED),
        ROUND_TRIPS,
        A_DAY,
        INTAKE,
        MEMORY,
        MEMORY_TENFOLD,
        COMMITS,
        A_GRIDS_VIEWS,
        SEARCH,
    ]
}
