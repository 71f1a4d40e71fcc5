//! What is said about the registers and the organisation.

use wangge_model::org::staffing::Missing;
use wangge_model::schema::FieldSpec;

/// What a field is called: its name, and the word that people read.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub struct Label<'a> {
    pub en: &'a str,
    pub zh: &'a str,
}

impl<'a> From<&'a FieldSpec> for Label<'a> {
    fn from(field: &'a FieldSpec) -> Self {
        Self { en: field.name, zh: field.label }
    }
}

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum RegisterMessage<'a> {
    NotCollected {
        label: Label<'a>,
        reason_zh: &'a str,
        reason_en: &'a str,
    },
    CodeUnknown {
        label: Label<'a>,
        typed: &'a str,
        allowed: &'a str,
        table: &'a str,
    },
    CountUnreadable {
        label: Label<'a>,
        typed: &'a str,
    },
    DivisionUnreadable {
        label: Label<'a>,
        typed: &'a str,
    },
    AreaUnreadable {
        label: Label<'a>,
        typed: &'a str,
    },
    FlagUnreadable {
        label: Label<'a>,
        typed: &'a str,
    },
    DocumentNumber {
        label: Label<'a>,
        typed: &'a str,
    },
    ConsentForm {
        typed: &'a str,
    },
    ConsentMissing,
    DateAhead {
        label: Label<'a>,
        typed: &'a str,
    },
    FieldMissing {
        label: Label<'a>,
    },
    UnitOfKind {
        label: Label<'a>,
        typed: &'a str,
        homes: &'a str,
    },
    TeamUnknown {
        typed: &'a str,
        known: &'a str,
    },
    TeamRecorded {
        unit: &'a str,
        name: &'a str,
        id: &'a str,
    },
    EndsBeforeItBegins {
        from: &'a str,
        to: &'a str,
    },
    BirthDisagrees {
        birth: &'a str,
        told: &'a str,
    },
    TableUnknown {
        typed: &'a str,
        tables: &'a str,
    },
    TableSet {
        table: &'a str,
        count: usize,
        version: &'a str,
    },
    /// Beside a code that is not given any more.
    CodeRetired,
    Closed {
        name: &'a str,
        id: &'a str,
    },
    MergeSelf,
    Merged {
        name: &'a str,
        into: &'a str,
    },
    Unmerged {
        name: &'a str,
    },
    NotMerged {
        name: &'a str,
    },
    Duplicates {
        count: usize,
    },
    MoveRequested {
        name: &'a str,
        to: &'a str,
    },
    MoveSame {
        unit: &'a str,
    },
    MovedAway {
        name: &'a str,
        to: &'a str,
    },
    Linked {
        name: &'a str,
        to: &'a str,
    },
    Unlinked {
        name: &'a str,
        to: &'a str,
    },
    ColumnByConsent {
        column: &'a str,
    },
    ColumnUnknown {
        label: Label<'a>,
    },
    KeptAsWritten {
        key: &'a str,
    },
    ColumnIgnored {
        column: &'a str,
        reason_zh: &'a str,
        reason_en: &'a str,
    },
    BoundarySet {
        unit: &'a str,
        version: i64,
        points: usize,
    },
    NoBoundary {
        unit: &'a str,
    },
    NowhereInside,
    Missing {
        what: Missing,
    },
    Staffed {
        missing: &'a str,
    },
    Cadres {
        cadres: usize,
        down: usize,
        percent: usize,
        reached: bool,
    },
    NoGrid {
        typed: &'a str,
    },
    PartUnreadable {
        typed: &'a str,
        grid: &'a str,
        street: &'a str,
    },
    PartsCount {
        found: usize,
        max: usize,
    },
    UnitExists {
        unit: &'a str,
    },
    SplitRequested {
        unit: &'a str,
        parts: usize,
    },
    Rehomed {
        count: usize,
        undecided: usize,
        dry_run: bool,
    },
}
