//! Photos of records: added to what is written, listed, written to a file again.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use wangge_model::document::{DocumentView, Op};
use wangge_model::identity::{DocId, Scope};
use wangge_model::photo::{
    self, NotAPhoto, PHOTO_LEN_BYTES_MAX, PHOTOS_OF_EVENT_MAX, PHOTOS_OF_RECORD_MAX, PhotoId, PhotoRef,
    speaks_of,
};
use wangge_model::right::Refusal;
use wangge_model::schema::Kind;
use wangge_model::verdict::VoidReason;
use wangge_model::work::records;

use super::key::{self, Target};
use super::{Answer, CaseCommand, CommandError, NoteArgs, case, work};
use crate::replica::photos::PhotoState;
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, PhotoText, scrub};

/// Longest file that is read as a photo, in bytes: what a camera notes in it goes before its length counts.
const FILE_LEN_BYTES_MAX: u64 = 4 * PHOTO_LEN_BYTES_MAX as u64;

/// What can be done with photos.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum PhotoCommand {
    /// Adds photos to a record.
    Add(AddPhotosArgs),
    /// Those of a record, or those that are under way.
    List(ListPhotosArgs),
    /// Writes one to a file.
    Save(SavePhotoArgs),
    /// Takes one away from a record, everywhere.
    Remove(RemovePhotoArgs),
}

/// Which photos to add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct AddPhotosArgs {
    /// Which record.
    pub key: String,
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    pub photo: Vec<PathBuf>,
    /// What they show.
    #[arg(long)]
    pub text: Option<String>,
    /// When they were taken.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// Which photos to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ListPhotosArgs {
    /// Which record; all photos under way if none is named.
    pub key: Option<String>,
}

/// Which photo to write where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SavePhotoArgs {
    /// Which record.
    pub key: String,
    /// Its place in the record's list, from 1.
    pub number: usize,
    /// Where to.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// Which photo to take away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RemovePhotoArgs {
    /// Which record.
    pub key: String,
    /// Its place in the record's list, from 1.
    pub number: usize,
    /// Why; it stays in the record's history.
    #[arg(long)]
    pub reason: String,
    /// When it was decided.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

impl PhotoCommand {
    /// The files that it names, so that they can be made absolute.
    pub(crate) fn files(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Add(args) => args.photo.iter_mut().collect(),
            Self::Save(args) => vec![&mut args.to],
            Self::List(_) | Self::Remove(_) => Vec::new(),
        }
    }
}

fn failed(code: &'static str, text: PhotoText<'_>) -> CommandError {
    CommandError::failed(code, &Message::Photo(text))
}

/// Photos that were read and checked, and belong to nothing yet.
#[derive(Debug, Default)]
pub(super) struct Pictures(Vec<(PhotoRef, Vec<u8>)>);

impl Pictures {
    /// Reads files; nothing is written.
    ///
    /// # Errors
    /// [`CommandError`] for the first that is no photo.
    pub(super) fn read(files: &[impl AsRef<Path>]) -> Result<Self, CommandError> {
        if files.len() > PHOTOS_OF_EVENT_MAX {
            return Err(failed(
                "photos-many",
                PhotoText::TooMany { count: files.len(), max: PHOTOS_OF_EVENT_MAX },
            ));
        }
        let mut pictures: Vec<(PhotoRef, Vec<u8>)> = Vec::new();
        for file in files {
            let (photo, picture) = read(file.as_ref())?;
            if pictures.iter().all(|(known, _)| *known != photo) {
                pictures.push((photo, picture));
            }
        }
        Ok(Self(pictures))
    }

    /// How events name them.
    pub(super) fn named(&self) -> Vec<PhotoRef> {
        self.0.iter().map(|(photo, _)| photo.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds them to an event, which is JSON.
    pub(super) fn put_into(&self, event: &mut Op) {
        let text = event.value.as_ref().and_then(|value| value.as_str());
        let object = text.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        if let Some(mut object) = object.filter(|_| !self.is_empty()) {
            photo::put(&mut object, &self.named());
            event.value = Some(Value::Object(object).to_string().into());
        }
    }

    /// Keeps them beside a record, then commits what names them. If that fails nothing of them stays.
    ///
    /// # Errors
    /// [`CommandError`].
    pub(super) fn commit(
        &self,
        replica: &Replica,
        scope: &Scope,
        doc: DocId,
        edits: Vec<Edit>,
        at_ms: Option<u64>,
    ) -> Result<(), CommandError> {
        let id = |photo: &PhotoRef| PhotoId { scope: scope.clone(), doc, hash: photo.hash };
        let mut fresh = Vec::new();
        let outcome = (|| {
            for (photo, picture) in &self.0 {
                match replica.photo_state(&id(photo))? {
                    PhotoState::Here | PhotoState::Centre => {}
                    PhotoState::Missing | PhotoState::Gone => fresh.push(photo),
                }
                replica.keep_photo(&id(photo), photo, picture)?;
            }
            replica.commit(scope, edits, at_ms)?;
            Ok::<(), ReplicaError>(())
        })();
        if outcome.is_err() {
            for photo in fresh {
                if let Err(error) = replica.forget_photo(&id(photo)) {
                    tracing::warn!(%error, "a photo that belongs to nothing stays until the next start");
                }
            }
        }
        Ok(outcome?)
    }

    /// Whether they may be added to a record that is there already.
    ///
    /// # Errors
    /// [`CommandError`] if it has too many, or a resident was erased of whom it speaks.
    pub(super) fn fit(
        &self,
        replica: &Replica,
        scope: &Scope,
        view: &DocumentView,
    ) -> Result<(), CommandError> {
        if self.is_empty() {
            return Ok(());
        }
        let mut all: Vec<PhotoRef> = photo::of_record(view);
        all.extend(self.named());
        all.sort();
        all.dedup();
        if all.len() > PHOTOS_OF_RECORD_MAX {
            let (count, max) = (all.len(), PHOTOS_OF_RECORD_MAX);
            return Err(failed("photos-many", PhotoText::TooMany { count, max }));
        }
        for named in self.named() {
            // What was taken away does not come back under the same name.
            let id = PhotoId { scope: scope.clone(), doc: view.id, hash: named.hash };
            if replica.photo_state(&id)? == PhotoState::Gone {
                return Err(failed("photo-gone", PhotoText::Gone));
            }
        }
        if replica.erased_documents().iter().any(|doc| speaks_of(view, doc)) {
            return Err(failed("photo-erased", PhotoText::OfErased));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<(PhotoRef, Vec<u8>), CommandError> {
    let shown = scrub(&path.display().to_string());
    let path_shown = shown.as_str();
    let unreadable =
        |reason: &str| failed("photo-unreadable", PhotoText::Unreadable { path: path_shown, reason });
    let load = || {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(FILE_LEN_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(Some(bytes))
    };
    let bytes = load().map_err(|error| unreadable(&error.to_string()))?;
    let bytes = bytes.ok_or_else(|| failed("photo-form", PhotoText::NoFile { path: path_shown }))?;
    let too_long = |len_bytes: usize| {
        let (mib, mib_max) = (len_bytes.div_ceil(1 << 20), PHOTO_LEN_BYTES_MAX >> 20);
        failed("photo-long", PhotoText::TooLong { path: path_shown, mib, mib_max })
    };
    if bytes.len() as u64 > FILE_LEN_BYTES_MAX {
        return Err(too_long(bytes.len()));
    }
    let picture = photo::clean(&bytes).map_err(|error| match error {
        NotAPhoto::Empty => failed("photo-empty", PhotoText::Empty { path: path_shown }),
        NotAPhoto::Form => failed("photo-form", PhotoText::NoPhoto { path: path_shown }),
        NotAPhoto::Damaged => failed("photo-damaged", PhotoText::Damaged { path: path_shown }),
        NotAPhoto::TooLong { len_bytes } => too_long(len_bytes),
    })?;
    let photo = PhotoRef::of(&picture)
        .ok_or_else(|| failed("photo-form", PhotoText::NoPhoto { path: path_shown }))?;
    Ok((photo, picture))
}

pub(super) fn execute(replica: &Replica, command: &PhotoCommand) -> Result<Answer, CommandError> {
    match command {
        PhotoCommand::Add(args) => add(replica, args),
        PhotoCommand::List(args) => list(replica, args),
        PhotoCommand::Save(args) => save(replica, args),
        PhotoCommand::Remove(args) => remove(replica, args),
    }
}

/// The record that `key` means, whatever its kind, if records of its kind have photos.
fn target(replica: &Replica, typed: &str) -> Result<Target, CommandError> {
    let mut kinds = vec![Kind::CASE, Kind::ORDER];
    kinds.extend(records().map(|spec| spec.kind));
    match key::resolve(replica, &kinds, typed, None) {
        Err(error) if error.code == "not-found" => {
            // A person has none, and whoever means his house is to be told so.
            let registers = [Kind::PERSON, Kind::PLACE, Kind::ENTERPRISE, Kind::HOUSE];
            match key::resolve(replica, &registers, typed, None) {
                Ok(_) => Err(failed("photo-of", PhotoText::NotOfRegisters)),
                Err(_) => Err(error),
            }
        }
        found => found,
    }
}

fn add(replica: &Replica, args: &AddPhotosArgs) -> Result<Answer, CommandError> {
    let Target { scope, view } = target(replica, &args.key)?;
    let text = args.text.clone().unwrap_or_else(|| format!("照片 {} 张", args.photo.len()));
    note(replica, &Target { scope: scope.clone(), view: view.clone() }, &text, args)?;
    let view = replica.get(&scope, view.kind, &view.id)?.unwrap_or(view);
    let mut answer = of_record(replica, &scope, &view)?;
    let added = PhotoText::Added { count: args.photo.len() };
    answer.text = format!("{}\n{}", Message::Photo(added).line(), answer.text);
    Ok(answer)
}

/// Writes a note about photos into the record's history.
fn note(replica: &Replica, target: &Target, text: &str, args: &AddPhotosArgs) -> Result<(), CommandError> {
    match target.view.kind {
        Kind::CASE | Kind::ORDER => {
            let key = target.view.id.to_string();
            let note =
                NoteArgs { key, text: text.to_owned(), photo: args.photo.clone(), at: args.at.clone() };
            case::execute(replica, &CaseCommand::Note(note)).map(drop)
        }
        _ => work::note_photos(replica, target, text, args),
    }
}

/// Takes a photo away: whoever added it may, and whoever leads the unit. A note says so where it was; the picture
/// goes once the centre has accepted that.
fn remove(replica: &Replica, args: &RemovePhotoArgs) -> Result<Answer, CommandError> {
    let target = target(replica, &args.key)?;
    let Target { scope, view } = &target;
    let photo = numbered(view, args.number)?;
    let id = PhotoId { scope: scope.clone(), doc: view.id, hash: photo.hash };
    if replica.photo_state(&id)? == PhotoState::Gone {
        return Err(failed("photo-gone", PhotoText::Gone));
    }
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(CommandError::usage("text-missing", &Message::TextMissing));
    }
    let kind = match replica.acting() {
        Some(who) if photo::is_of(view, &id.hash, &who.worker) => Kind::PHOTO_WITHDRAWAL,
        who => {
            let roles = Kind::PHOTO_REMOVAL.spec().map_or(&[][..], |spec| spec.access.writers);
            if who.is_none_or(|who| !roles.contains(&who.role)) {
                let change = Some((Kind::PHOTO_REMOVAL, None));
                let refusal = Refusal { reason: VoidReason::RoleMayNot, change, roles };
                return Err(CommandError::may_not(scope, &refusal));
            }
            Kind::PHOTO_REMOVAL
        }
    };
    let number = args.number;
    let about = AddPhotosArgs { at: args.at.clone(), ..AddPhotosArgs::default() };
    note(replica, &target, &format!("撤除第 {number} 张照片:{reason}"), &about)?;
    replica.order_removal(kind, &id, view.kind, reason)?;
    let text = Message::Photo(PhotoText::Removed { number }).both();
    Ok(Answer { json: json!({ "number": number, "hash": id.hash.to_string() }), text })
}

/// The photo at a place in the record's list, from 1.
fn numbered(view: &DocumentView, number: usize) -> Result<PhotoRef, CommandError> {
    let photos = photo::of_record(view);
    let photo = number.checked_sub(1).and_then(|at| photos.get(at)).cloned();
    photo.ok_or_else(|| failed("photo-number", PhotoText::NumberUnknown { number, count: photos.len() }))
}

fn list(replica: &Replica, args: &ListPhotosArgs) -> Result<Answer, CommandError> {
    if let Some(typed) = &args.key {
        let Target { scope, view } = target(replica, typed)?;
        return of_record(replica, &scope, &view);
    }
    let (unsent, missing) = replica.photos_waiting()?;
    let text = Message::Photo(PhotoText::Waiting { unsent, missing }).line();
    Ok(Answer { json: json!({ "unsent": unsent, "missing": missing }), text })
}

/// The photos of a record, with how far each has come.
fn of_record(replica: &Replica, scope: &Scope, view: &DocumentView) -> Result<Answer, CommandError> {
    let mut lines = Vec::new();
    let mut json = Vec::new();
    for (number, photo) in (1..).zip(photo::of_record(view)) {
        let state = replica.photo_state(&PhotoId { scope: scope.clone(), doc: view.id, hash: photo.hash })?;
        let kib = photo.len_bytes.div_ceil(1024);
        let form = photo.form.name();
        lines.push(Message::Photo(PhotoText::Line { number, form, kib, state }).line());
        json.push(json!({
            "number": number, "hash": photo.hash.to_string(), "bytes": photo.len_bytes, "form": form,
            "state": state,
        }));
    }
    if lines.is_empty() {
        lines.push(Message::Photo(PhotoText::None).line());
    }
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}

fn save(replica: &Replica, args: &SavePhotoArgs) -> Result<Answer, CommandError> {
    let Target { scope, view } = target(replica, &args.key)?;
    let photo = numbered(&view, args.number)?;
    let id = PhotoId { scope, doc: view.id, hash: photo.hash };
    if replica.photo_state(&id)? == PhotoState::Gone {
        return Err(failed("photo-gone", PhotoText::Gone));
    }
    let picture = replica.photo(&id)?.ok_or_else(|| failed("photo-missing", PhotoText::NotHere))?;
    let path = scrub(&args.to.display().to_string());
    let write = || {
        // Nothing that is there is overwritten.
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&args.to)?;
        file.write_all(&picture)?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => failed("photo-exists", PhotoText::Exists { path: &path }),
        _ => {
            let reason = error.to_string();
            let _ = std::fs::remove_file(&args.to);
            failed("photo-unwritable", PhotoText::Unwritable { path: &path, reason: &reason })
        }
    })?;
    // Whoever takes a picture out of the system is attributable, as with an exported ledger.
    let entry = wangge_model::audit::Entry::new(wangge_model::audit::What::EXPORT);
    replica.audit(entry.within(&id.scope).detail(&format!("photo {} of {}", args.number, id.doc)))?;
    let text = Message::Photo(PhotoText::Saved { path: &path }).line();
    Ok(Answer { json: json!({ "file": path, "bytes": picture.len() }), text })
}
