//! All that people read, each language in one place: Chinese first, English second.

mod audit;
mod case;
mod en;
mod help;
mod photo;
mod register;
mod roster;
mod work;
mod zh;

use std::fmt::Display;

use wangge_model::checks::{id_number, phone, text};
use wangge_model::identity::Role;
use wangge_model::right::Refusal;
use wangge_model::verdict::VoidReason;

use crate::replica::{Delivery, Event, Outcome, Trouble};

pub use audit::AuditText;
pub use case::{CaseText, LedgerText, Refused, RulesReason};
pub(crate) use help::{GLOBAL_OPTIONS, fields, help};
pub use photo::PhotoText;
pub use register::{Label, RegisterMessage};
pub use roster::RosterText;
pub use work::WorkText;
pub(crate) use zh::work::{EXTRA_FIELDS, SAID_LABELS};

/// Something to say, with what it is about.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the two languages say what each means")]
pub enum Message<'a> {
    // ---- the store
    StoreLocked,
    StoreNewer,
    StoreForeign,
    StoreFull,
    StoreDamaged,
    StoreFailed,
    StoreIo,
    TooLarge,
    Internal,
    MayNot {
        reason: VoidReason,
        what: &'a str,
        scope: &'a str,
        roles: &'a [Role],
    },

    NoPinHere,
    PinRequired,

    // ---- the network and the daemon
    Network,
    NeedsNetwork,
    DaemonDiffers,
    DaemonGone {
        reason: &'a str,
    },
    Joined {
        street: &'a str,
        worker: &'a str,
        role_zh: &'a str,
        role: &'a str,
        unit: &'a str,
        roster: bool,
    },
    Synced {
        in_sync: bool,
        sent: u64,
        received: u64,
        documents: u64,
        bytes: u64,
        round_trips: u32,
        elapsed_ms: u64,
    },
    Running {
        dir: &'a str,
    },

    // ---- the command line
    DirMissing,
    BadUsage,
    /// Options or arguments that have to be given.
    UsageMissing {
        /// As they are typed.
        arguments: &'a str,
    },
    /// An option, argument or command that there is none of.
    UsageUnknown {
        /// As it was typed.
        argument: &'a str,
        /// What was perhaps meant, or nothing.
        meant: &'a str,
    },
    /// Two options that exclude each other.
    UsageConflict {
        /// One.
        argument: &'a str,
        /// The other.
        other: &'a str,
    },
    /// A value that an option does not take.
    UsageValue {
        /// The option.
        argument: &'a str,
        /// As it was typed.
        typed: &'a str,
    },
    Output {
        reason: &'a str,
    },
    FieldUnknown {
        typed: &'a str,
        fields: &'a str,
        /// Their names alone.
        names: &'a str,
    },
    FieldTwice {
        field: &'a str,
    },
    NoEqualsSign {
        typed: &'a str,
    },
    KindUnreadable {
        typed: &'a str,
    },
    StaffUnreadable {
        typed: &'a str,
    },
    DegreesUnreadable {
        typed: &'a str,
    },
    DatumUnreadable {
        typed: &'a str,
    },
    LevelUnreadable {
        typed: &'a str,
    },
    CoordinatesIncomplete,
    TextTooLong {
        len: usize,
        max: usize,
    },
    TextMissing,
    TimeUnreadable {
        typed: &'a str,
    },
    TimeLongAgo {
        typed: &'a str,
        earliest: &'a str,
        days: u32,
    },
    FileUnreadable {
        file: &'a str,
        fault: FileFault<'a>,
    },
    TimeAhead {
        typed: &'a str,
    },
    ReasonMissing,
    Extension {
        found: &'a str,
    },

    // ---- units
    UnitUnknown {
        typed: &'a str,
        units: &'a str,
    },
    UnitAmbiguous {
        typed: &'a str,
        units: &'a str,
    },
    UnitNotHeld {
        typed: &'a str,
        units: &'a str,
    },
    UnitMissing {
        units: &'a str,
    },
    NoGridHeld,
    NoUnitsYet,
    RowUnitUnknown {
        typed: &'a str,
    },
    OtherUnit {
        from: &'a str,
        to: &'a str,
    },

    // ---- documents
    KeyAmbiguous {
        key: &'a str,
    },
    NotFound {
        key: &'a str,
    },
    PinIsSet,
    TurnOf {
        worker: &'a str,
    },
    NotOfDevice {
        typed: &'a str,
        worker: &'a str,
    },
    OtherTurn {
        worker: &'a str,
    },
    PinSet,
    PinRemoved,
    PinAsked,
    NewPinAsked,
    PinFile {
        file: &'a str,
        reason: &'a str,
    },
    Locked,
    Unlocked,
    IsLocked,
    NoDaemon,
    RecoveryAsk,
    EraseReasonMissing,
    EraseReasonTells,
    EraseOrdered {
        count: usize,
    },
    EraseStatus {
        document: &'a str,
        unit: &'a str,
        at: &'a str,
        reason: &'a str,
        done: usize,
        total: usize,
        accepted: bool,
    },
    EraseNone,
    /// Under the list of orders: what they leave.
    EraseLook,
    /// Above a list of records that speak of a resident.
    EraseMentions {
        count: usize,
    },
    /// Below it.
    EraseMentionsStay,
    EraseWordsShort,
    DossierWritten {
        file: &'a str,
    },
    /// Above a resident's copy.
    DossierTitle {
        street: &'a str,
        /// When it was made.
        at: &'a str,
    },
    DossierNow,
    DossierHistory,
    DossierRecords {
        count: usize,
    },
    DossierPersonOnly,
    IdMissing,
    AlreadyRegistered,
    AlsoRegistered {
        at: &'a str,
    },
    LikelyMatches,
    NumberTaken,
    Saved {
        name: &'a str,
        id: &'a str,
        created: bool,
    },
    NothingChanged {
        name: &'a str,
        id: &'a str,
    },
    Listed {
        shown: usize,
        total: usize,
    },
    Reported {
        number: &'a str,
        id: &'a str,
    },
    Noted {
        number: &'a str,
        id: &'a str,
    },

    /// The registers and the organisation.
    Register(RegisterMessage<'a>),

    // ---- conflicts
    NoConflict {
        label: Label<'a>,
    },
    TakeRange {
        max: usize,
    },
    ValueOrTake,
    Settled {
        name: &'a str,
        label: &'a str,
        value: &'a str,
    },
    ConflictsListed {
        count: usize,
    },

    // ---- status
    Who {
        street: &'a str,
        code: &'a str,
        worker: &'a str,
        role_zh: &'a str,
        role: &'a str,
        unit: &'a str,
    },
    NotJoined,
    Held {
        scopes: usize,
        documents: u64,
        incomplete: usize,
    },
    Unsent {
        unsent: u64,
    },
    OpenConflicts {
        conflicts: u64,
    },
    Healthy {
        transactions: u64,
        documents: u64,
    },
    Unhealthy {
        found: usize,
        repaired: usize,
        asked: usize,
        lost: usize,
    },
    MetCentre {
        when: &'a str,
        days: u64,
    },
    Happened {
        when: &'a str,
        what: Event,
        transactions: u64,
    },
    RecordsApart {
        apart: usize,
    },
    Verified {
        compared: bool,
        found: usize,
        left: usize,
    },
    Damage {
        what: Trouble,
        outcome: Outcome,
        place: &'a str,
        reason: &'a str,
    },
    CannotOpen {
        dir: &'a str,
    },
    ScopeLine {
        scope: &'a str,
        documents: u64,
        transactions: u64,
        complete: bool,
    },

    // ---- ledgers
    Imported {
        dry_run: bool,
        rows: u32,
        imported: u64,
        updated: u64,
        unchanged: u64,
        skipped: u64,
        refused: usize,
    },
    ImportConflicts {
        count: u64,
    },
    ImportBrokenOff {
        done: u64,
        total: usize,
    },
    Finding {
        refused: bool,
        row: u32,
        message: &'a str,
    },
    More {
        more: usize,
    },
    Exported {
        file: &'a str,
        rows: usize,
        conflicts: usize,
        number: &'a str,
    },
    UnmaskOne,
    UnmaskAll {
        roles: &'a [Role],
    },
    NoSealKey,
    ReportSealed,
    Footer {
        number: &'a str,
        worker: &'a str,
        device: &'a str,
        at: &'a str,
        rows: usize,
    },

    // ---- grid work and the centre
    Roster(RosterText<'a>),
    Audit(AuditText<'a>),
    Work(WorkText<'a>),
    Photo(PhotoText<'a>),

    // ---- cases
    Case(CaseText<'a>),
}

impl Message<'_> {
    /// In Chinese.
    pub fn zh(&self) -> String {
        zh::say(self)
    }

    /// In English.
    pub fn en(&self) -> String {
        en::say(self)
    }

    /// Chinese, and English on the next line.
    pub fn both(&self) -> String {
        format!("{}\n{}", self.zh(), self.en())
    }

    /// Chinese and English on one line.
    pub fn line(&self) -> String {
        format!("{}  {}", self.zh(), self.en())
    }

    /// Chinese, and on the next line an error that speaks English.
    pub fn ahead_of(&self, english: &impl Display) -> String {
        format!("{}\n{english}", self.zh())
    }
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the languages say what each means")]
pub enum FileFault<'a> {
    Missing,
    Denied,
    NotAFile,
    TooLong { len_bytes: u64, len_bytes_max: u64 },
    NotText,
    Other(&'a str),
}

/// A word or two that stand in lists, labels and beside progress bars.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the languages say what each means")]
pub enum Word {
    Yes,
    No,
    Id,
    Unit,
    Delivery,
    AtCentre,
    BackedUp,
    AtArea,
    OnlyHere,
    Centre,
    HasConflict,
    /// A record has the number of a resident in it.
    ByNumber,
    /// It has his name.
    ByName,
    /// It points to his record.
    ByLink,
    /// It had; the value was overwritten since.
    InAnOldValue,
    /// What was reported and noted of a record, one after the other.
    History,
    Report,
    Note,
    People,
    Places,
    Cases,
    Reading,
    Saving,
    Collecting,
    Writing,
    Syncing,
}

impl Word {
    /// In Chinese.
    pub fn zh(self) -> &'static str {
        zh::word(self)
    }

    /// How far a record has come.
    pub fn of_delivery(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Here => Self::OnlyHere,
            Delivery::Area => Self::AtArea,
            Delivery::Centre => Self::AtCentre,
            Delivery::BackedUp => Self::BackedUp,
        }
    }

    /// The kind of an event, if this version knows it.
    pub fn of_event(kind: &str) -> Option<Self> {
        match kind {
            "report" => Some(Self::Report),
            "note" => Some(Self::Note),
            _ => None,
        }
    }

    /// 李四 于 11月22日 10:05 写 139….
    pub fn wrote(worker: &str, at: &str, value: &str) -> String {
        zh::wrote(worker, at, value)
    }
}

/// Why something does not count, in Chinese.
pub fn reason_zh(reason: VoidReason) -> &'static str {
    zh::reason(reason)
}

/// What a refusal is about: the event, or the kind of document, in both languages.
pub(crate) fn subject(refusal: &Refusal) -> (String, String) {
    let Some((kind, event)) = &refusal.change else { return Default::default() };
    let spec = kind.spec();
    let label = event.as_ref().and_then(|name| spec?.access.event(name)).map(|event| event.label);
    let kind_zh = zh::kind(*kind);
    let zh = match (label, event) {
        (Some(label), _) => format!("{kind_zh}“{label}”"),
        (None, Some(event)) => format!("{kind_zh}“{event}”"),
        (None, None) => kind_zh,
    };
    let en = event.as_ref().map_or_else(|| kind.to_string(), |event| format!("{kind} {event}"));
    (zh, en)
}

/// The Chinese name of a post.
pub fn role_zh(role: Role) -> &'static str {
    Role::ALL.iter().find(|(known, _, _)| *known == role).map_or("", |(_, _, chinese)| chinese)
}

/// The text with everything in it masked that could be an ID number, so that a message may repeat
/// what was typed.
pub fn scrub(typed: &str) -> String {
    let mut clean = String::with_capacity(typed.len());
    let mut token = String::new();
    for c in typed.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_alphanumeric() => token.push(c),
            other => {
                let folded = text::half_width(&token);
                let digits = folded.chars().filter(char::is_ascii_digit).count();
                let like_a_number = (15..=19).contains(&folded.chars().count()) && digits >= 14;
                clean.push_str(&if like_a_number {
                    id_number::mask(&folded)
                } else {
                    std::mem::take(&mut token)
                });
                token.clear();
                clean.extend(other);
            }
        }
    }
    clean
}

/// The text with every ID number and mobile phone in it masked: what people wrote into a report or a
/// note is shown like the fields that are made for such numbers.
pub fn veil(written: &str) -> String {
    let mut veiled = String::with_capacity(written.len());
    let mut token = String::new();
    for c in written.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_alphanumeric() || ('０'..='９').contains(&c) || c == 'Ｘ' || c == 'ｘ' =>
            {
                token.push(c);
            }
            other => {
                veiled.push_str(&veil_token(&token));
                token.clear();
                veiled.extend(other);
            }
        }
    }
    veiled
}

fn veil_token(token: &str) -> String {
    let folded = text::half_width(token);
    let digits = folded.bytes().filter(u8::is_ascii_digit).count();
    let month_and_day = |at: usize| {
        let part = |at: usize| folded.get(at..at + 2).and_then(|part| part.parse::<u8>().ok());
        part(at).is_some_and(|month| (1..=12).contains(&month))
            && part(at + 2).is_some_and(|day| (1..=31).contains(&day))
    };
    let id_number = match folded.len() {
        18 => digits >= 17 && !folded[..17].contains(|c: char| !c.is_ascii_digit()) && month_and_day(10),
        15 => digits == 15 && month_and_day(8),
        _ => false,
    };
    let mobile =
        folded.len() == 11 && digits == 11 && folded.starts_with('1') && folded.as_bytes()[1] >= b'3';
    match (id_number, mobile) {
        (true, _) => id_number::mask(&folded),
        (_, true) => phone::mask(&folded),
        _ => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the English texts are made of: labels come into them as names alone.
    #[test]
    fn no_english_text_speaks_chinese() {
        let sources = [
            include_str!("en.rs"),
            include_str!("en/audit.rs"),
            include_str!("en/case.rs"),
            include_str!("en/photo.rs"),
            include_str!("en/register.rs"),
            include_str!("en/roster.rs"),
            include_str!("en/work.rs"),
        ];
        for line in sources.iter().flat_map(|source| source.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            assert!(!code.chars().any(text::is_chinese), "{line}");
        }
    }

    #[test]
    fn a_message_repeats_no_id_number() {
        assert_eq!(scrub("'990101199001010019' 张三"), "'990101********0019' 张三");
        assert_eq!(scrub("id_number=９９０１０１１９９００１０１００１９"), "id_number=990101********0019");
        assert_eq!(scrub("99010119900101001x"), "990101********001X");
        // Ids, unit codes and phones are no ID numbers.
        assert_eq!(
            veil("张三990101199001010019电话：１３８０００００００１，330881121200-A-0001"),
            "张三990101********0019电话：138****0001，330881121200-A-0001"
        );
        for text in ["913501000001000043", "91350100M000100Y43", "2026-11-25", "02112345678", ""] {
            assert_eq!(veil(text), text);
        }
        for text in ["330881121200", "13800000001", "0123456789012345678901234567890a", ""] {
            assert_eq!(scrub(text), text);
        }
    }
}
