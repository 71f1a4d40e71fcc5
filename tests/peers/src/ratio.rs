//! What is bounded relative to something else that is measured in the same run.

use crate::bound::Bound;

/// The quotient of two medians.
#[derive(Debug)]
pub(crate) struct Ratio {
    /// What it says in the table.
    pub(crate) name: &'static str,
    /// What is divided.
    pub(crate) of: Side,
    /// By what.
    pub(crate) to: Side,
    /// What the quotient must keep.
    pub(crate) bound: Bound,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Side {
    /// Whose.
    pub(crate) system: &'static str,
    /// Its name, with the age.
    pub(crate) name: &'static str,
    /// Whether it is that of ten times the documents.
    pub(crate) tenfold: bool,
}

const fn side(system: &'static str, name: &'static str) -> Side {
    Side { system, name, tenfold: false }
}

/// All of them. Those whose sides were not measured are left out of the table.
pub(crate) const ALL: &[Ratio] = &[
    Ratio {
        name: "no-op reconnect, ten times the documents",
        of: Side { system: "wangge", name: "aged, no-op reconnect, both ways", tenfold: true },
        to: side("wangge", "aged, no-op reconnect, both ways"),
        bound: Bound::AtMost(1.05),
    },
    Ratio {
        name: "fresh, first sync, samod's time to ours",
        of: side("samod", "fresh, first sync"),
        to: side("wangge", "fresh, first sync"),
        bound: Bound::AtLeast(50.0),
    },
    Ratio {
        name: "aged, first sync, samod's time to ours",
        of: side("samod", "aged, first sync"),
        to: side("wangge", "aged, first sync"),
        bound: Bound::AtLeast(50.0),
    },
    Ratio {
        name: "transactions taken in to samod's fresh documents",
        of: side("wangge", "intake from 8 replicas"),
        to: side("samod", "fresh, intake from 8 clients"),
        bound: Bound::AtLeast(100.0),
    },
    Ratio {
        name: "transactions taken in to samod's aged documents",
        of: side("wangge", "intake from 8 replicas"),
        to: side("samod", "aged, intake from 8 clients"),
        bound: Bound::AtLeast(100.0),
    },
];
