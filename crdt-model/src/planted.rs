//! Bugs that are planted to see whether simulations and tests find them. Only a build with the feature
//! `planted` has them; everywhere else [`is`] is `false` and costs nothing.

/// A planted bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A peer hears that its transactions are durable as soon as they are queued.
    AckBeforeFsync,
    /// A commit returns before its data is durable.
    SavedBeforeFsync,
    /// After a restart the last position of the own log is issued once more.
    ReuseSeq,
    /// One scope is left out of the hello.
    ForgetScope,
    /// A page of a checkpoint comes without its documents.
    DropPage,
    /// Of a transaction only the first document is changed.
    HalfTransaction,
    /// A transaction takes effect before what its author had seen.
    ApplyEarly,
    /// Any Lamport number is allowed.
    SkipLamport,
    /// Of concurrent values only the last is shown.
    LastWriterWins,
    /// What a neighbour has counts as being at the centre.
    NeighbourIsCentre,
    /// The last transaction of a log is never sent.
    LoseTail,
    /// Of a fork only the branch that came first is kept.
    DropBranch,
    /// What a revoked device brings counts, as if its logs were not cut.
    IgnoreCut,
    /// Receipts of a centre that was restored since still count.
    TrustReceipt,
}

impl Bug {
    /// All of them, by the names that they have on a command line.
    pub const ALL: [(&'static str, Self); 14] = [
        ("ack-before-fsync", Self::AckBeforeFsync),
        ("saved-before-fsync", Self::SavedBeforeFsync),
        ("reuse-seq", Self::ReuseSeq),
        ("forget-scope", Self::ForgetScope),
        ("drop-page", Self::DropPage),
        ("half-transaction", Self::HalfTransaction),
        ("apply-early", Self::ApplyEarly),
        ("skip-lamport", Self::SkipLamport),
        ("last-writer-wins", Self::LastWriterWins),
        ("neighbour-is-centre", Self::NeighbourIsCentre),
        ("lose-tail", Self::LoseTail),
        ("drop-branch", Self::DropBranch),
        ("ignore-cut", Self::IgnoreCut),
        ("trust-receipt", Self::TrustReceipt),
    ];
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug on this thread, or none.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted on this thread.
#[cfg(feature = "planted")]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether this bug is planted: never.
#[cfg(not(feature = "planted"))]
pub const fn is(_: Bug) -> bool {
    false
}
