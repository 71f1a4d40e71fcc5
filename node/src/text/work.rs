//! What is said about grid work and the centre's records.

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum WorkText<'a> {
    // ---- the roster
    UnitUnknown { typed: &'a str, known: &'a str },
    WorkerUnknown { typed: &'a str },
    WorkerAmbiguous { typed: &'a str },
    NotHeld { unit: &'a str },
    StreetIsTheCentres,

    // ---- records
    Done { record: &'a str, event: &'a str, id: &'a str, state: &'a str },
    StateUnknown { typed: &'a str, known: &'a str },
    LimitUnreadable { typed: &'a str },
    StateLabel,
    DueLabel,
    Overdue,
    VoidUnreadable,
    VoidRole,
    VoidWhose,
    VoidNoTrack,
    VoidState { state: &'a str },
}
