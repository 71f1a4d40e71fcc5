//! A copy of all that is held on a resident (个人信息保护法 45): every value with who wrote it and when,
//! what is in conflict, all earlier values, every record that names him, and their photos.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::document::{DocumentView, Scalar, Target as Place};
use wangge_model::identity::Scope;
use wangge_model::photo::{PhotoId, of_record, speaks_of};
use wangge_model::schema::{Kind, kinds};
use wangge_model::wire::PageChange as Change;

use super::instant::{rfc3339, short as time};
use super::key::Target;
use super::mentions::{Mention, Words, mentions};
use super::shown::{Sight, coded, document_json_as, document_text, label};
use super::units::Units;
use super::workers::Workers;
use super::{Answer, CommandError, key};
use crate::replica::Replica;
use crate::text::Message;

/// Whose dossier, and where to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct DossierArgs {
    /// The resident.
    pub key: String,
    /// The grid, if the key is in several.
    #[arg(long)]
    pub unit: Option<String>,
    /// The file to write; standard output by default.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Who asked, as the audit keeps it.
    #[arg(long)]
    pub reason: Option<String>,
}

pub(super) fn dossier(replica: &Replica, args: &DossierArgs) -> Result<Answer, CommandError> {
    let units = Units::load(replica)?;
    let workers = Workers::load(replica)?;
    let target = key::resolve(replica, &[Kind::PERSON], &args.key, args.unit.as_deref())?;
    let (scope, view) = (&target.scope, &target.view);
    let reason = args.reason.as_deref().unwrap_or("个人信息保护法第四十五条");
    let entry = Entry::new(What::DOSSIER).about(scope, view.id).because(reason);
    // It shows everything in full: not without a trace.
    replica.audit(entry)?;
    let delivery = replica.delivery(scope, view.kind, &view.id)?;
    let records = naming(replica, view)?;
    let changes = history(replica, scope, view)?;
    let mut words = Words::default();
    words.learn(replica, scope, view)?;
    let mentions = mentions(replica, &BTreeSet::from([view.id]), &words)?;
    let mut dossier = json!({
        "made_at": rfc3339(replica.now_ms()),
        "street": replica.profile().grant().map(|grant| grant.street_name.clone()),
        "unit": units.name(scope),
        "person": document_json_as(&workers, scope, view, delivery, Sight::Full),
        "history": changes.iter().map(|change| change_json(&workers, view.kind, change)).collect::<Vec<_>>(),
        "records": shown(replica, &workers, &records)?,
        // Others' records may be about somebody else: where they speak of him, not what they say.
        "mentions": mentions.iter().map(Mention::to_json).collect::<Vec<_>>(),
    });
    if let Some(out) = &args.out {
        dossier["photos"] = pictures(replica, &records, out)?.into();
    }
    let text = for_people(replica, &workers, &units, &target, &changes, &records)?;
    let Some(out) = &args.out else { return Ok(Answer { json: dossier, text }) };
    if out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        write(out, serde_json::to_string_pretty(&dossier).unwrap_or_default().as_bytes())?;
    } else {
        write(out, text.as_bytes())?;
    }
    let file = out.display().to_string();
    Ok(Answer { json: json!({ "file": file }), text: Message::DossierWritten { file: &file }.both() })
}

/// For the owner's eyes only.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let mut options = OpenOptions::new();
    let done = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    done.map_err(|error| {
        let reason = error.to_string();
        CommandError::failed("file-unwritable", &Message::Output { reason: &reason }).about(path)
    })
}

/// The copy as a resident reads it.
fn for_people(
    replica: &Replica,
    workers: &Workers,
    units: &Units,
    target: &Target,
    changes: &[Change],
    records: &[Record],
) -> Result<String, CommandError> {
    let (scope, view) = (&target.scope, &target.view);
    let street = replica.profile().grant().map(|grant| grant.street_name.clone()).unwrap_or_default();
    let person = |scope: &Scope, view: &DocumentView| -> Result<String, CommandError> {
        let delivery = replica.delivery(scope, view.kind, &view.id)?;
        Ok(document_text(workers, units, scope, view, delivery, Sight::Full))
    };
    let made = time(replica.now_ms());
    let mut lines = vec![
        Message::DossierTitle { street: &street, at: &made }.line(),
        String::new(),
        Message::DossierNow.line(),
        person(scope, view)?,
        String::new(),
        Message::DossierHistory.line(),
    ];
    for change in changes {
        let by = workers.name(&change.origin.worker);
        let values: Vec<String> = change
            .ops
            .iter()
            .filter(|op| !matches!(op.target, Place::Event { .. }))
            .map(|op| {
                let (_, field) = spot(&op.target);
                let written =
                    op.value.as_ref().map(|value| coded(units, view.kind, field, value, Sight::Full));
                format!("{}={}", label(view.kind, field), written.unwrap_or_default())
            })
            .collect();
        lines.push(format!("  {} {by}:{}", time(change.origin.wall_ms), values.join("、")));
    }
    lines.extend([String::new(), Message::DossierRecords { count: records.len() }.line()]);
    for Record { scope, view } in records {
        lines.push(person(scope, view)?);
    }
    Ok(lines.join("\n"))
}

/// Every change of a document that was ever taken in, oldest first.
fn history(replica: &Replica, scope: &Scope, view: &DocumentView) -> Result<Vec<Change>, CommandError> {
    let mut changes = replica.changes_of(scope, view.kind, &view.id)?;
    changes.sort_by_key(|change| (change.origin.lamport, change.origin.log, change.origin.seq));
    Ok(changes)
}

/// Container and field, or key, that an operation writes to.
fn spot(target: &Place) -> (Option<&str>, &str) {
    match target {
        Place::Field(field) => (None, field),
        Place::Entry { container, key } => (Some(container), key),
        Place::Event { container } => (Some(container), ""),
    }
}

fn change_json(workers: &Workers, kind: Kind, change: &Change) -> Value {
    let ops: Vec<Value> = change
        .ops
        .iter()
        .map(|op| {
            let (container, field) = spot(&op.target);
            json!({
                "container": container,
                "field": field,
                "label": label(kind, field),
                "value": op.value.as_ref().map(Scalar::to_json),
            })
        })
        .collect();
    let origin = &change.origin;
    json!({
        "by": workers.name(&origin.worker),
        "at": rfc3339(origin.wall_ms),
        "position": format!("{}:{}", origin.log, origin.seq),
        "changes": ops,
    })
}

/// A record and where it lives.
struct Record {
    scope: Scope,
    view: DocumentView,
}

/// Every record here that names the resident.
fn naming(replica: &Replica, person: &DocumentView) -> Result<Vec<Record>, CommandError> {
    let mut records = Vec::new();
    for scope in replica.open_scopes() {
        for spec in kinds() {
            replica.each(&scope, spec.kind, |view| {
                if view.id != person.id && speaks_of(&view, &person.id) {
                    records.push(Record { scope: scope.clone(), view });
                }
                true
            })?;
        }
    }
    Ok(records)
}

fn shown(replica: &Replica, workers: &Workers, records: &[Record]) -> Result<Vec<Value>, CommandError> {
    let one = |Record { scope, view }: &Record| {
        let delivery = replica.delivery(scope, view.kind, &view.id)?;
        Ok(document_json_as(workers, scope, view, delivery, Sight::Full))
    };
    records.iter().map(one).collect()
}

/// Writes the photos of the records beside the copy; `OUT-1.jpeg`, `OUT-2.png` …
fn pictures(replica: &Replica, records: &[Record], out: &Path) -> Result<Vec<Value>, CommandError> {
    let mut written = Vec::new();
    for Record { scope, view } in records {
        for photo in of_record(view) {
            let id = PhotoId { scope: scope.clone(), doc: view.id, hash: photo.hash };
            let Some(picture) = replica.photo(&id)? else { continue };
            let stem = out.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{stem}-{}.{}", written.len() + 1, photo.form.name());
            write(&out.with_file_name(&name), &picture)?;
            written
                .push(json!({ "record": view.id.to_string(), "hash": photo.hash.to_string(), "file": name }));
        }
    }
    Ok(written)
}
