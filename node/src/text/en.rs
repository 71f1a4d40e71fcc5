//! English.

mod audit;
mod case;
mod photo;
pub(super) mod register;
mod roster;
pub(super) mod work;

use super::{FileFault, Message};
use crate::replica::{Event, Outcome, Trouble};

pub(super) fn say(message: &Message<'_>) -> String {
    match *message {
        Message::Roster(ref text) => roster::say(text),
        Message::Audit(ref text) => audit::say(text),
        Message::Work(ref text) => work::say(text),
        Message::Photo(ref text) => photo::say(text),
        Message::Register(ref message) => register::say(message),
        Message::Case(ref text) => case::say(text),
        Message::StoreLocked => "another program uses the directory: try again later or stop it".to_owned(),
        Message::StoreNewer => "a newer version wrote the data: update this program".to_owned(),
        Message::StoreForeign => "the directory holds something else: choose another one".to_owned(),
        Message::StoreFull => "the disk is full: nothing was saved; free some space and try again".to_owned(),
        Message::StoreDamaged => "the data on this device are damaged".to_owned(),
        Message::StoreFailed => "an earlier write failed: mend the cause and start again".to_owned(),
        Message::StoreIo => "the data on this device cannot be read or written".to_owned(),
        Message::TooLarge => "too much at once: save it in parts".to_owned(),
        Message::MayNot { reason, what, scope, roles } => {
            let who: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            let who = if who.is_empty() { String::new() } else { format!("; who may: {}", who.join(", ")) };
            let what = if what.is_empty() { String::new() } else { format!(" ({what})") };
            format!("not saved to {scope}{what}: {reason}{who}")
        }
        Message::Internal => "an internal error: nothing was saved".to_owned(),

        Message::Network => "the network failed; what was saved is safe".to_owned(),
        Message::NeedsNetwork => "syncing needs the network: use wangge sync".to_owned(),
        Message::DaemonDiffers => "the daemon is of another version: restart it (wangge run)".to_owned(),
        Message::DaemonGone { reason } => {
            format!("the daemon ended before it answered ({reason}): check what was saved and try again")
        }
        Message::Joined { street, worker, role, unit, roster, .. } => {
            let next =
                if roster { "" } else { "; the roster has not come yet: sync when there is a network" };
            format!("joined {street} as {worker}, {role} of {unit}{next}")
        }
        Message::Synced { in_sync, sent, received, documents, bytes, round_trips, elapsed_ms } => {
            let outcome = if in_sync { "in sync" } else { "not in sync yet" };
            format!(
                "{outcome}: {sent} transactions sent, {received} transactions and {documents} documents \
                 received, {bytes} bytes, {round_trips} round trips, {elapsed_ms} ms"
            )
        }
        Message::NoPinHere => {
            "this device has no PIN: whoever holds it can open its data; set one (wangge pin set)".to_owned()
        }
        Message::PinRequired => {
            "the street requires a PIN on such devices: set one to go on (wangge pin set)".to_owned()
        }
        Message::Running { dir } => format!("running on {dir}"),

        Message::DirMissing => "give the data directory with --dir or in WANGGE_DIR".to_owned(),
        Message::UsageMissing { arguments } => format!("{arguments} is missing; see --help"),
        Message::UsageUnknown { argument, .. } => format!("there is no {argument:?}; see --help"),
        Message::UsageConflict { argument, other } if argument == other => {
            format!("{argument} can be given once; write several in one, with commas")
        }
        Message::UsageConflict { argument, other } => format!("{argument} excludes {other}; see --help"),
        Message::UsageValue { argument, typed } => format!("{argument}: {typed:?} will not do; see --help"),
        Message::BadUsage => "the command line cannot be understood; see wangge --help".to_owned(),
        Message::Output { reason } => format!("the result cannot be written ({reason})"),
        Message::FieldUnknown { typed, names, .. } => {
            format!("there is no field {typed:?}; known fields: {names}")
        }
        Message::FieldTwice { field } => format!("{field} is given twice"),
        Message::NoEqualsSign { typed } => {
            format!("{typed:?} should read FIELD=VALUE, for instance phone=13800000000")
        }
        Message::KindUnreadable { typed } => {
            format!("{typed:?} is no kind of resident; use registered, floating or overseas")
        }
        Message::StaffUnreadable { typed } => format!("{typed:?} is no number of people"),
        Message::DegreesUnreadable { typed } => format!("{typed:?} is not in decimal degrees"),
        Message::DatumUnreadable { typed } => format!("{typed:?} is no datum; use WGS-84 or CGCS2000"),
        Message::LevelUnreadable { typed } => format!("{typed:?} is no level; use 1 (most serious) to 4"),
        Message::CoordinatesIncomplete => "give both longitude and latitude, or neither".to_owned(),
        Message::TextTooLong { len, max } => format!("the text has {len} characters; the limit is {max}"),
        Message::TextMissing => "the text is empty".to_owned(),
        Message::TimeUnreadable { typed } => {
            format!("{typed:?} is no time, or no such day exists; write it like 2025-11-22 10:05")
        }
        Message::TimeLongAgo { typed, earliest, days } => format!(
            "--at: {typed:?} is too early; nothing was saved: what happened up to {days} days ago ({earliest}) can be \
             entered; the centre's case rules can allow more (back_days_max)"
        ),
        Message::FileUnreadable { file, fault } => match fault {
            FileFault::Missing => format!("{file} does not exist"),
            FileFault::Denied => format!("{file}: you may not read it"),
            FileFault::NotAFile => format!("{file} is no file"),
            FileFault::TooLong { len_bytes, len_bytes_max } => {
                format!("{file}: {len_bytes} bytes; the limit is {len_bytes_max}")
            }
            FileFault::NotText => format!("{file} is no text in UTF-8"),
            FileFault::Other(reason) => format!("{file} cannot be read: {reason}"),
        },
        Message::TimeAhead { typed } => format!("--at: {typed:?} is in the future; nothing was saved"),
        Message::ReasonMissing => "showing numbers in full needs a reason".to_owned(),
        Message::Extension { found } => format!("only .xlsx files are written: {found}"),

        Message::UnitUnknown { typed, units } => {
            format!("there is no unit {typed:?}; this replica holds {units}")
        }
        Message::UnitAmbiguous { typed, units } => {
            format!("{typed:?} could be {units}: write the full name or the code")
        }
        Message::UnitNotHeld { typed, units } => {
            format!("this replica does not hold {typed}; it holds {units}")
        }
        Message::UnitMissing { units } => {
            format!("this replica holds several grids: say which with --unit: {units}")
        }
        Message::NoGridHeld => "this replica holds no grid: nothing can be registered".to_owned(),
        Message::NoUnitsYet => {
            "the street's list of grids is not here yet: sync once, then import".to_owned()
        }
        Message::RowUnitUnknown { typed } => {
            format!("The village or community {typed:?} is not in the street's list of grids; correct it.")
        }
        Message::OtherUnit { from, to } => {
            format!("the record is in {from}; moving it to {to} takes a hand-over")
        }

        Message::KeyAmbiguous { key } => {
            format!("{key:?} means several records: give the whole id, or the unit with --unit")
        }
        Message::NotFound { key } => {
            format!(
                "there is no {key:?} here; use an id (at least 6 digits of it), an ID number, a credit code \
                 or a case number, or look with find"
            )
        }
        Message::TurnOf { worker } => format!("unlocked: it is the turn of {worker}"),
        Message::NotOfDevice { typed, worker } => {
            format!("{typed:?} does not use this device, nothing was saved: it is {worker}'s")
        }
        Message::OtherTurn { worker } => {
            format!("it is the turn of {worker}; another worker begins with wangge switch --worker NAME")
        }
        Message::PinIsSet => "a PIN is set already; wangge pin change sets another".to_owned(),
        Message::PinSet => {
            "the PIN is set; the centre helps if it is forgotten: wangge pin recover".to_owned()
        }
        Message::PinRemoved => "the PIN is gone: whoever reads the directory can open it".to_owned(),
        Message::PinAsked => "PIN:".to_owned(),
        Message::NewPinAsked => "new PIN:".to_owned(),
        Message::PinFile { file, reason } => format!("cannot read the PIN file {file}: {reason}"),
        Message::Locked => "locked".to_owned(),
        Message::Unlocked => "unlocked".to_owned(),
        Message::IsLocked => "locked: give the PIN with wangge unlock".to_owned(),
        Message::NoDaemon => "no daemon is running: there is nothing to lock or unlock".to_owned(),
        Message::RecoveryAsk => {
            "give this line to the centre; it makes sure who you are and answers with a line for \
             wangge pin recover ANSWER"
                .to_owned()
        }
        Message::EraseReasonMissing => "an erasure needs a reason: --reason".to_owned(),
        Message::EraseReasonTells => {
            "the reason goes to every device and stays: it must hold no name, number or phone".to_owned()
        }
        Message::EraseOrdered { count } => {
            format!("{count} records ordered to be erased; every device does so when it syncs: see wangge erase status")
        }
        Message::EraseStatus { done, total, accepted, .. } => {
            let state = if accepted { "" } else { "; the centre has not accepted the order yet" };
            format!("{done} of {total} devices have erased it{state}")
        }
        Message::EraseNone => "no orders of erasure".to_owned(),
        Message::DossierTitle { .. } => "a copy of all that is held on a resident".to_owned(),
        Message::DossierNow => "what is held now".to_owned(),
        Message::DossierHistory => "what was written when, and by whom".to_owned(),
        Message::DossierRecords { count } => format!("{count} other records"),
        Message::EraseLook => {
            "an order erases a resident's own record; what others say of him: wangge erase mentions NUMBER"
                .to_owned()
        }
        Message::EraseMentions { count: 0 } => "no other record here speaks of the resident".to_owned(),
        Message::EraseMentions { count } => {
            format!("{count} other places speak of the resident; an order of erasure leaves them as they are:")
        }
        Message::EraseMentionsStay => {
            "have them corrected one by one. A corrected value stays in the history of its record, and events \
             (reports, notes) cannot be rewritten; numbers in them are masked wherever they are shown. A resident \
             who is registered in another grid as well is erased there by an order of its own"
                .to_owned()
        }
        Message::EraseWordsShort => {
            "numbers to look for have 6 characters or more, names 2 or more".to_owned()
        }
        Message::DossierWritten { .. } => "the copy is written".to_owned(),
        Message::DossierPersonOnly => "there are dossiers of residents only".to_owned(),
        Message::IdMissing => "id_number=… is missing; for a person without one add --no-id".to_owned(),
        Message::AlreadyRegistered => {
            "registered already, nothing was changed; use set, or add --merge to fill in".to_owned()
        }
        Message::AlsoRegistered { at } => format!("registered elsewhere too: {at}"),
        Message::LikelyMatches => {
            "perhaps registered already, nothing was saved; if it is another one add --anyway".to_owned()
        }
        Message::NumberTaken => "another record has this number, nothing was changed".to_owned(),
        Message::Saved { created: true, .. } => "registered".to_owned(),
        Message::Saved { created: false, .. } => "saved".to_owned(),
        Message::NothingChanged { .. } => "nothing changed".to_owned(),
        Message::Listed { shown, total } if shown == total => format!("{total} in all"),
        Message::Listed { shown, total } => format!("{shown} of {total}; --limit shows more"),
        Message::Reported { .. } => "reported".to_owned(),
        Message::Noted { .. } => "noted".to_owned(),

        Message::NoConflict { label } => {
            let label = label.en;
            format!("{label} has no conflict to settle; use set to change it")
        }
        Message::TakeRange { max } => format!("--take goes from 1 to {max}"),
        Message::ValueOrTake => "give the right value with --value, or choose one with --take".to_owned(),
        Message::Settled { .. } => "settled".to_owned(),
        Message::ConflictsListed { count: 0 } => "no conflicts".to_owned(),
        Message::ConflictsListed { count } => {
            format!("{count} conflicts; settle with: wangge conflicts settle KEY FIELD --take N")
        }

        Message::Who { role, .. } => role.to_owned(),
        Message::NotJoined => "joining is not complete: try again with the same invitation".to_owned(),
        Message::Held { scopes, documents, incomplete } => {
            let partial = match incomplete {
                0 => String::new(),
                n => format!(", {n} of them not complete yet"),
            };
            format!("{scopes} scopes, {documents} documents{partial}")
        }
        Message::Unsent { unsent: 0 } => "all sent".to_owned(),
        Message::Unsent { unsent } => format!("{unsent} unsent"),
        Message::OpenConflicts { conflicts } => format!("{conflicts} open conflicts"),
        Message::Healthy { transactions, documents } => {
            format!("all is well: {transactions} transactions and {documents} documents checked")
        }
        Message::Unhealthy { found, repaired, asked, lost } => format!(
            "{found} findings: {repaired} repaired, {asked} to come with the next sync, {lost} that nothing here \
             brings back; the others were left alone (--repair mends)"
        ),
        Message::MetCentre { when, days: 0..=6 } => format!("last synced with the centre: {when}"),
        Message::MetCentre { when, days } => format!(
            "last synced with the centre: {when}, {days} days ago: sync as soon as there is a network (after long \
             neighbours refuse this device too)"
        ),
        Message::Happened { when, what: Event::SetBack, transactions } => format!(
            "{when} the data of this device were put back to an earlier state (a restored backup, perhaps): \
             {transactions} of its own transactions are missing. It numbers anew; what was sent comes back with the next \
             sync, what was not is to be looked for on the other device or in a newer backup"
        ),
        Message::Happened { when, what: Event::TookBack, transactions } => format!(
            "{when} {transactions} transactions that this device had sent came back from a peer: its data had been \
             restored or damaged; it numbers anew"
        ),
        Message::Happened { when, what: Event::Forked, .. } => format!(
            "{when} two copies of this device's data are in use (a cloned disk, perhaps). What both wrote is kept; retire \
             one of them, or let it join again with a new invitation"
        ),
        Message::RecordsApart { apart } => {
            format!("{apart} records differ from a peer's: run wangge sync --verify to mend them")
        }
        Message::Verified { compared: false, .. } => {
            "not compared: something is under way or undecided, try again in a while".to_owned()
        }
        Message::Verified { found: 0, .. } => "compared: both sides hold the same records".to_owned(),
        Message::Verified { found, left: 0, .. } => {
            format!("{found} records differed from the peer's and were made anew: they agree now")
        }
        Message::Verified { found, left, .. } => format!(
            "{found} records differed from the peer's and {left} still do: tell the centre (`wangge doctor` names them)"
        ),
        Message::Damage { what, outcome, place, reason } => {
            let what = match what {
                Trouble::Store => "the store's files",
                Trouble::Profile => "the profile",
                Trouble::Transaction => "transaction",
                Trouble::Aside => "set aside",
                Trouble::LogEnd => "end of log",
                Trouble::Clock => "clock",
                Trouble::Document => "document",
                Trouble::View => "view",
                Trouble::Audit => "audit",
                Trouble::Key => "key",
                Trouble::Record => "record",
                Trouble::Due => "work to be written once more",
            };
            let outcome = match outcome {
                Outcome::Found => "damaged",
                Outcome::Repaired => "repaired",
                Outcome::Asked => "comes back with the next sync",
                Outcome::Lost => "nothing here brings it back",
            };
            format!("{what} {place}: {outcome} ({reason})")
        }
        Message::CannotOpen { dir } => format!(
            "{dir} cannot be opened. Keep a copy of the whole directory; then join again with an empty one \
             (wangge join): all that the centre has comes back. A relay is restored from its last backup \
             (wangge-relay restore), and the devices bring what came after"
        ),
        Message::ScopeLine { scope, documents, transactions, complete } => {
            let partial = if complete { "" } else { ", not complete" };
            format!("{scope}: {documents} documents, {transactions} transactions{partial}")
        }

        Message::Imported { dry_run, rows, imported, updated, unchanged, skipped, refused } => {
            let what = if dry_run { "dry run, nothing written" } else { "imported" };
            format!(
                "{what}: {rows} rows, {imported} new, {updated} updated, {unchanged} unchanged, {skipped} of \
                 other units, {refused} refused"
            )
        }
        Message::ImportConflicts { count } => format!("{count} fields in open conflict were left alone"),
        Message::ImportBrokenOff { done, total } => {
            format!(
                "the import broke off at {done} of {total}; what came before is saved, and importing again \
                 goes on from there"
            )
        }
        Message::Finding { refused, row, message } => {
            format!("{} row {row}: {message}", if refused { "refused" } else { "note" })
        }
        Message::More { more } => format!("{more} more; --json shows all"),
        Message::Exported { rows, conflicts, number, .. } => {
            let open = match conflicts {
                0 => String::new(),
                n => format!("; {n} have open conflicts: their latest values were exported"),
            };
            format!("{rows} records exported as number {number}{open}")
        }
        Message::NoSealKey => "the key that reports are sealed to is not here yet: sync first".to_owned(),
        Message::ReportSealed => {
            "sealed: only the centre can open it; it leaves with the next sync".to_owned()
        }
        Message::UnmaskAll { roles } => {
            let who: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            let who = who.join(" or ");
            format!(
                "a whole ledger with numbers in full goes upward only, by {who}; without --unmask it is masked, and \
                 show --unmask shows one record"
            )
        }
        Message::UnmaskOne => "numbers are shown in full one record at a time: name the record".to_owned(),
        Message::Footer { number, worker, device, at, rows } => {
            format!("export {number} by {worker} on {device} at {at}: {rows} records")
        }
    }
}

/// What `--help` says; see [`super::help`].
pub(super) const HELP: &[(&str, &str)] = &[
    ("", "offline-first grid management of a street"),
    ("join", "join a street with an invitation"),
    ("run", "run the daemon: stay in sync with the centre"),
    ("digest", "a hash over each scope's documents"),
    (
        "doctor",
        "check that the data on this device are whole; exit code 0: whole, 1: damage was found (mended or not), 2: usage",
    ),
    ("doctor:repair", "mend what can be mended; the next sync brings the rest"),
    ("status", "this replica, and what is unsent"),
    ("sync", "sync once with the centre"),
    ("sync:verify", "compare with the peer what both hold, and mend what differs"),
    ("report-sealed", "report something that only the centre reads, author included"),
    ("report-sealed:text", "what is reported"),
    ("report-sealed:about", "what it is about"),
    ("report-sealed:person", "the person concerned: id or ID number"),
    ("report-sealed:anonymous", "without the reporter's name"),
    ("import", "take an Excel ledger in"),
    ("export", "write an Excel ledger"),
    ("person", "residents"),
    ("person add", "register a person"),
    ("person set", "set fields of a person"),
    ("person show", "show a person"),
    ("person list", "list persons"),
    ("person find", "find persons"),
    ("person dossier", "a copy of all that is held on a person (PIPL 45)"),
    ("person dossier:out", "the file to write; shown if there is none"),
    ("person dossier:reason", "who asked and why, for the audit"),
    ("place dossier", "for persons only"),
    ("place dossier:out", "the file to write"),
    ("place dossier:reason", "why"),
    ("pin", "the PIN of this device"),
    ("pin set", "set a PIN"),
    ("pin change", "set another PIN"),
    ("pin remove", "take the PIN away"),
    ("pin recover", "forgotten: ask the centre, set a new PIN with its answer"),
    ("pin recover:answer", "the centre's answer, WGA1-…; without it a request is printed"),
    (":new_pin_file", "a file with the new PIN; or WANGGE_NEW_PIN, or at the terminal"),
    (":pin_file", "a file with the PIN; or WANGGE_PIN, or at the terminal"),
    ("join:pin", "set a PIN on joining, typed at the terminal"),
    (
        "run:idle_lock",
        "ask for the PIN again after so many seconds without a command; 900 by default on a shared device",
    ),
    ("lock", "let the daemon do nothing before the PIN is given again"),
    ("unlock", "give the daemon the PIN; on a shared device --worker says who"),
    ("switch", "on a shared device: another worker's turn begins"),
    (":me", "on a shared device: who acts, by name; or WANGGE_WORKER"),
    ("unlock:worker", "name of the worker"),
    ("switch:worker", "name of the worker"),
    ("erase", "erase all that is held on a person (centre)"),
    ("erase:person", "the person: id (at least 6 digits) or ID number"),
    ("erase:reason", "why; no personal data"),
    ("erase:dry_run", "erase nothing, only tell which other records speak of the person"),
    ("erase mentions", "which records mention a number or a name, also in old values"),
    ("erase mentions:words", "numbers or names"),
    ("erase status", "which devices have erased it and which have not"),
    ("place", "enterprises and other places"),
    ("place add", "register a place"),
    ("place set", "set fields of a place"),
    ("place show", "show a place"),
    ("place list", "list places"),
    ("place find", "find places"),
    ("case", "cases"),
    ("case report", "report a case"),
    ("case note", "add a note"),
    ("case photo", "photos"),
    ("case photo add", "add photos"),
    ("case photo list", "list photos and how far each has come"),
    ("case photo save", "write a photo to a file"),
    ("photo", "photos of records: cases, hazards, patrols, inspections"),
    ("photo add", "add photos"),
    (
        "photo remove",
        "take a photo away from a record (who added it, the unit's leader, the centre): destroyed everywhere",
    ),
    ("photo remove:number", "its number, see photo list"),
    ("photo remove:reason", "why; it stays in the record"),
    (
        "case photo remove",
        "take a photo away from a case (who added it, the unit's leader, the centre): destroyed everywhere",
    ),
    ("case photo remove:number", "its number, see photo list"),
    ("case photo remove:reason", "why; it stays in the record"),
    ("photo list", "list photos and how far each has come; without a record, how many are under way"),
    ("photo save", "write a photo to a file (the audit notes it)"),
    (":photo", "a photo (JPEG, PNG, WebP), may be given several times; where it was taken is removed"),
    ("photo save:to", "the file to write"),
    ("case photo save:to", "the file to write"),
    ("photo save:number", "which one"),
    ("case photo save:number", "which one"),
    ("case show", "show a case"),
    ("case list", "list cases, newest first"),
    ("conflicts", "fields that several people changed at once"),
    ("conflicts list", "list conflicts"),
    ("conflicts settle", "settle a conflict"),
    (":dir", "data directory; or set WANGGE_DIR"),
    (":json", "JSON only"),
    (":invitation", "the invitation, WG1-…"),
    (":listen", "listen for neighbours here"),
    (":timeout_s", "longest time to try, in seconds"),
    (":peer", "a neighbour instead of the centre, HOST:PORT"),
    (":relay", "the centre has moved: its HOST:PORT now, kept once it has shown its key"),
    (":fields", "FIELD=VALUE; an empty value deletes"),
    (":key", "id (at least 6 digits), ID number, credit code or case number"),
    (":unit", "grid: grid:CODE, the code or the village's name"),
    (":merge", "if the number is registered, fill in there"),
    (":no_id", "the person has no ID number"),
    (":anyway", "register although there are likely matches"),
    (":unmask", "why numbers are shown in full; the audit keeps it"),
    ("conflicts list:key", "this record only: id, ID number, credit code or number"),
    (":limit", "list at most so many"),
    ("person find:text", "a part of name, phone or address, or the end of the number"),
    ("place find:text", "a part of name, phone or address, or the end of the code"),
    ("import:kind", "which ledger"),
    ("import:file", "an Excel, WPS or OpenDocument workbook"),
    ("export:file", "the .xlsx file to write"),
    (":dry_run", "only say what would happen"),
    (":category", "line of business"),
    (":text", "what happened"),
    (":place", "the place concerned: id or credit code"),
    (":person", "the person concerned: id or ID number"),
    (":level", "1 (most serious) to 4"),
    (":source", "where the report came from"),
    (":minor", "of a minor class"),
    (":at", "when it happened; now by default"),
    (":field", "the field, by name or Chinese label"),
    (":value", "the right value"),
    (":take", "which of the values listed, from 1"),
    (":state", "those in that state only"),
    (":mine", "open ones that wait for me, were given to me, or that I reported"),
    (":overdue", "those overdue only"),
    ("audit", "the audit, for its administrators alone"),
    ("audit list", "list what was done, oldest first"),
    (
        "audit verify",
        "check that the relay's chain still agrees with the copy here; exit code 0: it does, 1: not",
    ),
    ("audit list:since", "from when on, e.g. 2026-11-25"),
    ("roster", "the roster: workers, posts, devices"),
    ("roster list", "list workers, posts and devices"),
    ("roster assign", "give a worker a post, or a device to use"),
    ("roster leave", "end posts, or the use of a device"),
    ("roster revoke", "cut a lost device off; it is wiped when it next connects"),
    ("roster policy", "days of grace, days of a lease, bytes of quarantine and of what neighbours carry"),
    (
        "roster policy:carried_bytes",
        "most bytes of a device's work that a neighbour takes before the centre has decided on it",
    ),
    ("roster assign:worker", "the worker's name or id"),
    ("roster assign:role", "the role, e.g. grid-leader"),
    ("roster assign:unit", "the unit: grid:CODE, area:CODE, team:CODE, centre, street or a name"),
    ("roster assign:from", "from when, e.g. 2025-11-22; now by default"),
    ("roster assign:until", "until when"),
    ("roster assign:device", "a device that the worker may use: its name or six digits of its id"),
    ("roster assign:new", "the worker is new to the roster"),
    ("roster leave:worker", "the worker's name or id"),
    ("roster leave:role", "end only this role"),
    ("roster leave:unit", "end only the posts there"),
    ("roster leave:device", "the device; together with a worker, only his use of it"),
    ("roster leave:at", "when; now by default"),
    ("roster revoke:replica", "the device's name or six digits of its id"),
    ("roster revoke:worker", "all devices of this worker"),
    ("roster revoke:device", "only the device of this name"),
    ("roster revoke:reason", "why"),
    ("roster policy:grace_days", "days during which what was written before leaving is still accepted"),
    (
        "roster policy:lease_days",
        "days after which neighbours no longer serve a device that has not been at the centre",
    ),
    ("roster policy:pin_required", "whether devices of grids, teams and windows must have a PIN"),
    ("roster policy:quarantine_bytes", "most bytes of quarantine for each revoked device"),
    ("case close-on-spot", "close on the spot (minor classes)"),
    ("case verify", "verify"),
    ("case register", "register"),
    ("case reject", "refuse"),
    ("case escalate", "pass to the next level"),
    ("case dispatch", "dispatch"),
    ("case appoint-lead", "say who leads several teams"),
    ("case accept", "accept"),
    ("case return", "give back"),
    ("case extend", "ask for more time, or grant it"),
    ("case suspend", "ask to suspend, or suspend"),
    ("case resume", "resume"),
    ("case feedback", "report what was done"),
    ("case check", "check: pass or fail"),
    ("case evaluate", "evaluate"),
    ("case archive", "archive"),
    ("case urge", "urge"),
    ("case supervise", "supervise"),
    ("case reopen", "reopen"),
    ("case merge", "merge into another case"),
    ("case due", "due times, and why"),
    ("case rules", "rules: lines, deadlines, calendar, merging"),
    ("case rules show", "show the rules in force"),
    ("case rules set", "publish new rules"),
    (":to", "to whom: a unit or a worker"),
    (":reason", "why"),
    (":refuse", "turn the request down"),
    (":days", "how many days"),
    (":pass", "it passed"),
    (":fail", "to be done again"),
    (":score", "0 to 100"),
    (":into", "which case"),
    (":explain", "line by line how it came about"),
    (":flagged", "those that the centre should look at"),
    (":channel", "the public channel, such as WeChat"),
    (":approver", "who approved them"),
    ("case rules set:file", "a JSON file of rules"),
];
