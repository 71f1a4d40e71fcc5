//! Photos of records: which are named, which are kept here, and the sealed files that hold them.
//!
//! The store knows which photos the records name (`photo_named`) and how far each has come (`photo_kept`). The
//! picture lies in `photos/`, under a name that says nothing, in pieces sealed under a key of its own: an order of
//! erasure destroys that key. Both are durable before a record names the photo.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use wangge_model::document::{DocumentView, Op, Register, Scalar, Target};
use wangge_model::identity::{DocId, Scope};
use wangge_model::photo::{PIECE_LEN_BYTES, PhotoForm, PhotoId, PhotoRef, is_of, of_record, speaks_of};
use wangge_model::schema::Kind;
use wangge_store::{Batch, StoreError};

use super::apply::Writes;
use super::vault::{FileSeal, PIECE_SEAL_LEN_BYTES, photo_name};
use super::{Edit, Replica, ReplicaError, encode, keys, lock};

/// Photos of one scope that one replica keeps at most, in bytes. Beyond that no more are taken from others:
/// records go on.
pub const PHOTOS_OF_SCOPE_LEN_BYTES_MAX: u64 = 8 << 30;

/// Free space that photos leave for records, in bytes.
const FREE_BYTES_MIN: u64 = 4 * wangge_store::FREE_BYTES_MIN;

/// The records of photos that were taken away.
const REMOVALS: [Kind; 2] = [Kind::PHOTO_REMOVAL, Kind::PHOTO_WITHDRAWAL];

/// The directory of the files.
pub const DIRECTORY: &str = "photos";

/// How far a photo has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhotoState {
    /// A record names it; the picture is not here, or not all of it.
    Missing,
    /// It is here.
    Here,
    /// It is at the centre as well.
    Centre,
    /// It was removed from its record, or went with an order of erasure.
    Gone,
}

/// What a record says of a photo.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Named {
    kind: Kind,
    len_bytes: u32,
    form: PhotoForm,
}

impl Named {
    fn photo(self, id: &PhotoId) -> Option<PhotoRef> {
        Some(PhotoRef { hash: id.hash, len_bytes: usize::try_from(self.len_bytes).ok()?, form: self.form })
    }
}

/// What is kept in memory.
#[derive(Debug)]
pub(super) struct Photos {
    /// A record that names photos was written, and nobody has been told.
    named: AtomicBool,
    news: watch::Sender<u64>,
    /// Scopes that are lost once their photos are at the centre.
    lost: Mutex<BTreeSet<Scope>>,
    /// What the centre does not take.
    refused: Mutex<BTreeSet<PhotoId>>,
}

impl Default for Photos {
    fn default() -> Self {
        Self {
            named: AtomicBool::new(false),
            news: watch::Sender::new(0),
            lost: Mutex::default(),
            refused: Mutex::default(),
        }
    }
}

/// A photo that is being taken in.
#[derive(Debug)]
pub struct Arriving {
    /// Which.
    pub id: PhotoId,
    photo: PhotoRef,
    seal: FileSeal,
    file: File,
    have: usize,
}

impl Arriving {
    /// Whether all pieces are here.
    pub fn is_whole(&self) -> bool {
        self.have >= self.photo.pieces()
    }

    /// The piece that comes next.
    pub fn next(&self) -> u32 {
        u32::try_from(self.have).unwrap_or(u32::MAX)
    }
}

/// What became of a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// There is more to come.
    More,
    /// The photo is whole, right and durable.
    Whole,
    /// It is not the photo that the record names: what came is thrown away.
    Wrong,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ReplicaError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full { needed_bytes: PIECE_LEN_BYTES as u64 }.into()
        }
        _ => ReplicaError::Photo { path, source },
    }
}

impl Replica {
    fn photo_file(&self, id: &PhotoId) -> PathBuf {
        self.dir.join(DIRECTORY).join(photo_name(&keys::photo_kept(id)).to_string())
    }

    fn part_file(&self, id: &PhotoId) -> PathBuf {
        self.photo_file(id).with_extension("part")
    }

    /// The files of photos that are here whole, sealed as they lie there.
    pub fn photo_files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.dir.join(DIRECTORY)).into_iter().flatten();
        let mut whole: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        whole.retain(|path| path.extension().is_none());
        whole.sort();
        whole
    }

    /// News of photos that records name or that have come.
    pub fn photo_news(&self) -> watch::Receiver<u64> {
        self.photos.news.subscribe()
    }

    /// Tells whoever waits that a record that names photos is durable, if one is.
    pub(super) fn tell_photos(&self) {
        if self.photos.named.swap(false, Ordering::AcqRel) {
            self.photos.news.send_modify(|count| *count += 1);
        }
    }

    /// Notes in what storing a record writes which photos it names.
    pub(super) fn note_photos(&self, scope: &Scope, view: &DocumentView, writes: &mut Writes) {
        let photos = of_record(view);
        if photos.is_empty() {
            return;
        }
        // What speaks of an erased resident keeps no pictures, whenever they come.
        let erased = lock(&self.state).erased.clone();
        let is_gone = erased.iter().any(|doc| speaks_of(view, doc));
        for photo in photos {
            let id = PhotoId { scope: scope.clone(), doc: view.id, hash: photo.hash };
            let len_bytes = u32::try_from(photo.len_bytes).unwrap_or(u32::MAX);
            let named = Named { kind: view.kind, len_bytes, form: photo.form };
            writes.push((keys::photo_named(&id), Some(encode(&named))));
            if is_gone {
                writes.push((keys::photo_gone(&id), Some(Vec::new())));
            }
        }
        self.photos.named.store(true, Ordering::Release);
    }

    // ---- what there is

    fn named(&self, id: &PhotoId) -> Result<Option<PhotoRef>, ReplicaError> {
        let Some(bytes) = self.store.get(&keys::photo_named(id))? else { return Ok(None) };
        Ok(postcard::from_bytes::<Named>(&bytes).ok().and_then(|named| named.photo(id)))
    }

    /// How far a photo has come.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn photo_state(&self, id: &PhotoId) -> Result<PhotoState, ReplicaError> {
        if self.store.get(&keys::photo_gone(id))?.is_some() {
            return Ok(PhotoState::Gone);
        }
        let kept = self.store.get(&keys::photo_kept(id))?;
        let state = kept.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or(PhotoState::Missing);
        Ok(state)
    }

    /// Photos that records of these scopes name still, in one of the `states`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn photos_in(
        &self,
        scopes: &BTreeSet<Scope>,
        states: &[PhotoState],
    ) -> Result<Vec<PhotoId>, ReplicaError> {
        let mut found = Vec::new();
        for scope in scopes {
            for entry in self.store.scan(&keys::photos_named(scope)) {
                let (key, value) = entry?;
                let (Some(id), Ok(named)) = (keys::photo_of(&key), postcard::from_bytes::<Named>(&value))
                else {
                    continue;
                };
                if states.contains(&self.photo_state(&id)?) && self.is_named_still(named.kind, &id)? {
                    found.push(id);
                }
            }
        }
        Ok(found)
    }

    /// Whether the record names the photo: an event that was found void names nothing any more.
    fn is_named_still(&self, kind: Kind, id: &PhotoId) -> Result<bool, ReplicaError> {
        let view = self.get(&id.scope, kind, &id.doc)?;
        Ok(view.is_some_and(|view| of_record(&view).iter().any(|photo| photo.hash == id.hash)))
    }

    /// Photos on this device alone, and photos that have not come yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn photos_waiting(&self) -> Result<(u64, u64), ReplicaError> {
        let scopes: BTreeSet<Scope> = self.scopes().into_iter().collect();
        let unsent = match self.is_centre() {
            true => 0,
            false => self.photos_in(&scopes, &[PhotoState::Here])?.len() as u64,
        };
        Ok((unsent, self.photos_in(&scopes, &[PhotoState::Missing])?.len() as u64))
    }

    /// The picture; `None` if it is not here whole.
    ///
    /// # Errors
    /// [`ReplicaError`] if it cannot be read.
    pub fn photo(&self, id: &PhotoId) -> Result<Option<Vec<u8>>, ReplicaError> {
        let Some(photo) = self.named(id)? else { return Ok(None) };
        let mut picture = Vec::with_capacity(photo.len_bytes);
        for at in 0..photo.pieces() {
            match self.photo_piece(id, at)? {
                Some(piece) => picture.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
        if PhotoRef::of(&picture).as_ref() == Some(&photo) {
            return Ok(Some(picture));
        }
        self.lose_photo(id)?;
        Ok(None)
    }

    /// One piece of a photo that is here whole.
    ///
    /// # Errors
    /// [`ReplicaError`] if it cannot be read.
    pub fn photo_piece(&self, id: &PhotoId, at: usize) -> Result<Option<Vec<u8>>, ReplicaError> {
        if !matches!(self.photo_state(id)?, PhotoState::Here | PhotoState::Centre) {
            return Ok(None);
        }
        let Some(photo) = self.named(id)?.filter(|photo| at < photo.pieces()) else { return Ok(None) };
        let name = photo_name(&keys::photo_kept(id));
        let Some(seal) = self.store.file_seal(&name)? else { return Ok(None) };
        let path = self.photo_file(id);
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start((at * (PIECE_LEN_BYTES + PIECE_SEAL_LEN_BYTES)) as u64))?;
            let mut sealed = vec![0; photo.piece_len_bytes(at) + PIECE_SEAL_LEN_BYTES];
            file.read_exact(&mut sealed)?;
            Ok::<_, io::Error>(sealed)
        };
        let opened = match read() {
            Ok(sealed) => seal.open(at, &sealed),
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::UnexpectedEof].contains(&error.kind()) => {
                None
            }
            Err(error) => return Err(failed(&path)(error)),
        };
        if opened.is_none() {
            self.lose_photo(id)?;
        }
        Ok(opened)
    }

    /// Whether the photo has a piece at `at`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn has_photo_piece(&self, id: &PhotoId, at: usize) -> Result<bool, ReplicaError> {
        Ok(self.named(id)?.is_some_and(|photo| at < photo.pieces()))
    }

    /// A file is damaged or gone: it is fetched anew.
    fn lose_photo(&self, id: &PhotoId) -> Result<(), ReplicaError> {
        tracing::warn!(scope = %id.scope, document = %id.doc, "a photo is damaged here: it is fetched anew");
        self.forget_photo(id)?;
        self.photos.news.send_modify(|count| *count += 1);
        Ok(())
    }

    // ---- taking in

    /// Keeps a photo that a record of this device is about to name, durable when this returns.
    ///
    /// # Errors
    /// [`ReplicaError`]: nothing of it is kept then.
    pub fn keep_photo(&self, id: &PhotoId, photo: &PhotoRef, picture: &[u8]) -> Result<(), ReplicaError> {
        if matches!(self.photo_state(id)?, PhotoState::Here | PhotoState::Centre) {
            return Ok(());
        }
        let kept = (|| {
            let mut arriving = self.begin(id, photo)?;
            for piece in picture.chunks(PIECE_LEN_BYTES).skip(arriving.have) {
                self.write_piece(&mut arriving, piece)?;
            }
            self.end(&arriving)
        })();
        if kept.is_err()
            && let Err(error) = self.forget_photo(id)
        {
            tracing::warn!(%error, "what was written of a photo stays until the next start");
        }
        kept
    }

    /// Begins with a photo that a peer has, or goes on with it. `None` if it is not to be taken: no record names
    /// it, it is here, it went with an erasure, or there is no room for it.
    ///
    /// # Errors
    /// [`ReplicaError`] if it cannot be written.
    pub fn begin_photo(&self, id: &PhotoId) -> Result<Option<Arriving>, ReplicaError> {
        let named = self.store.get(&keys::photo_named(id))?;
        let Some(named) = named.and_then(|bytes| postcard::from_bytes::<Named>(&bytes).ok()) else {
            return Ok(None);
        };
        if self.photo_state(id)? != PhotoState::Missing || !self.is_named_still(named.kind, id)? {
            return Ok(None);
        }
        let Some(photo) = named.photo(id) else { return Ok(None) };
        if self.photos_len_bytes(&id.scope)? + photo.len_bytes as u64 > PHOTOS_OF_SCOPE_LEN_BYTES_MAX {
            tracing::warn!(scope = %id.scope, "there is no room for more photos of this scope");
            return Ok(None);
        }
        Ok(Some(self.begin(id, &photo)?))
    }

    fn photos_len_bytes(&self, scope: &Scope) -> Result<u64, ReplicaError> {
        let mut len_bytes = 0;
        for key in self.store.scan_keys(&keys::photos_kept(scope)) {
            let named = keys::photo_of(&key?).map(|id| self.named(&id)).transpose()?.flatten();
            len_bytes += named.map_or(0, |photo| photo.len_bytes as u64);
        }
        Ok(len_bytes)
    }

    fn begin(&self, id: &PhotoId, photo: &PhotoRef) -> Result<Arriving, ReplicaError> {
        let needed_bytes = photo.len_bytes as u64;
        if free_bytes(&self.dir).is_some_and(|free| free < needed_bytes + FREE_BYTES_MIN) {
            return Err(StoreError::Full { needed_bytes }.into());
        }
        let directory = self.dir.join(DIRECTORY);
        if !directory.is_dir() {
            fs::create_dir_all(&directory).map_err(failed(&directory))?;
            sync_directory(&self.dir).map_err(failed(&directory))?;
        }
        let key = keys::photo_kept(id);
        if self.store.get(&key)?.is_none() {
            let mut batch = Batch::new();
            batch.put(key.clone(), encode(&PhotoState::Missing));
            self.store.commit(batch)?;
        }
        let unreadable =
            || ReplicaError::Damaged { what: "the key of a photo".to_owned(), dir: self.dir.clone() };
        let seal = self.store.file_seal(&photo_name(&key))?.ok_or_else(unreadable)?;
        let path = self.part_file(id);
        let (file, have) = open_part(&path, photo).map_err(failed(&path))?;
        Ok(Arriving { id: id.clone(), photo: photo.clone(), seal, file, have })
    }

    fn write_piece(&self, arriving: &mut Arriving, piece: &[u8]) -> Result<(), ReplicaError> {
        let sealed = arriving.seal.seal(self.world.as_ref(), arriving.have, piece)?;
        arriving.file.write_all(&sealed).map_err(failed(&self.part_file(&arriving.id)))?;
        arriving.have += 1;
        Ok(())
    }

    fn end(&self, arriving: &Arriving) -> Result<(), ReplicaError> {
        let (part, whole) = (self.part_file(&arriving.id), self.photo_file(&arriving.id));
        let written = arriving.file.sync_all().and_then(|()| fs::rename(&part, &whole));
        written.and_then(|()| sync_directory(&self.dir.join(DIRECTORY))).map_err(failed(&whole))?;
        self.note_photo(&arriving.id, PhotoState::Here)?;
        Ok(())
    }

    /// Takes the next piece of a photo in.
    ///
    /// # Errors
    /// [`ReplicaError`] if it cannot be written; what came before is kept.
    pub fn take_piece(&self, arriving: &mut Arriving, piece: &[u8]) -> Result<Taken, ReplicaError> {
        let whole = arriving.photo.pieces();
        if arriving.have >= whole || piece.len() != arriving.photo.piece_len_bytes(arriving.have) {
            self.forget_photo(&arriving.id)?;
            return Ok(Taken::Wrong);
        }
        self.write_piece(arriving, piece)?;
        if arriving.have < whole {
            return Ok(Taken::More);
        }
        self.check_whole(arriving)
    }

    /// Whether what came is the photo, and then keeps it.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub fn check_whole(&self, arriving: &mut Arriving) -> Result<Taken, ReplicaError> {
        let path = self.part_file(&arriving.id);
        let sealed = fs::read(&path).map_err(failed(&path))?;
        let pieces = sealed.chunks(PIECE_LEN_BYTES + PIECE_SEAL_LEN_BYTES).enumerate();
        let picture: Option<Vec<Vec<u8>>> = pieces.map(|(at, piece)| arriving.seal.open(at, piece)).collect();
        let came = picture.and_then(|pieces| PhotoRef::of(&pieces.concat()));
        // An order may have come while it was on its way.
        if came.as_ref() != Some(&arriving.photo) || self.photo_state(&arriving.id)? == PhotoState::Gone {
            self.forget_photo(&arriving.id)?;
            return Ok(Taken::Wrong);
        }
        self.end(arriving)?;
        self.photos.news.send_modify(|count| *count += 1);
        Ok(Taken::Whole)
    }

    /// Notes that the centre has a photo.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn note_photo_at_centre(&self, id: &PhotoId) -> Result<(), ReplicaError> {
        if self.photo_state(id)? == PhotoState::Here {
            self.note_photo(id, PhotoState::Centre)?;
        }
        self.lose_if_done()
    }

    /// Notes that the centre does not take a photo.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn note_photo_refused(&self, id: PhotoId) -> Result<(), ReplicaError> {
        lock(&self.photos.refused).insert(id);
        self.lose_if_done()
    }

    /// Whether photos of scopes that are to be lost must go to the centre first. They are remembered then.
    pub(super) fn keeps_for_photos(&self, lost: &[Scope]) -> Result<bool, ReplicaError> {
        let mut unsent = self.photos_in(&lost.iter().cloned().collect(), &[PhotoState::Here])?;
        let refused = lock(&self.photos.refused);
        unsent.retain(|id| !refused.contains(id));
        *lock(&self.photos.lost) = unsent.iter().map(|id| id.scope.clone()).collect();
        Ok(!unsent.is_empty())
    }

    /// Asks for the changed enrolment again once nothing speaks against it any more.
    fn lose_if_done(&self) -> Result<(), ReplicaError> {
        let lost: Vec<Scope> = lock(&self.photos.lost).iter().cloned().collect();
        if !lost.is_empty() && !self.keeps_for_photos(&lost)? {
            self.say_greet_again();
        }
        Ok(())
    }

    fn note_photo(&self, id: &PhotoId, state: PhotoState) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        batch.put(keys::photo_kept(id), encode(&state));
        Ok(self.store.commit(batch)?)
    }

    /// The centre was put back to an earlier state: what it had of photos says nothing any more.
    pub(super) fn offer_photos_again(&self, scope: &Scope, batch: &mut Batch) -> Result<(), ReplicaError> {
        for entry in self.store.scan(&keys::photos_kept(scope)) {
            let (key, value) = entry?;
            if value == encode(&PhotoState::Centre) {
                batch.put(key, encode(&PhotoState::Here));
            }
        }
        Ok(())
    }

    /// Offers all photos that are here to the centre again.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn offer_all_photos_again(&self) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        for scope in self.scopes() {
            self.offer_photos_again(&scope, &mut batch)?;
        }
        Ok(self.store.commit(batch)?)
    }

    // ---- letting go

    /// Forgets a photo that no record names, or of which not all has come.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn forget_photo(&self, id: &PhotoId) -> Result<(), ReplicaError> {
        // First what takes room: on a full disk the store can note nothing.
        self.remove_files(id);
        let mut batch = Batch::new();
        batch.delete(keys::photo_kept(id));
        Ok(self.store.commit(batch)?)
    }

    /// Destroys a photo with its key, and notes that it is gone; the name of its key.
    fn destroy(&self, id: &PhotoId) -> Result<DocId, ReplicaError> {
        let kept = keys::photo_kept(id);
        let name = photo_name(&kept);
        let mut batch = Batch::new();
        batch.delete(kept);
        batch.put(keys::photo_gone(id), Vec::new());
        self.store.commit(batch)?;
        self.remove_files(id);
        Ok(name)
    }

    fn remove_files(&self, id: &PhotoId) {
        for path in [self.photo_file(id), self.part_file(id)] {
            // What cannot be removed is swept at the next start, and opens no more where its key is destroyed.
            let _ = fs::remove_file(path);
        }
    }

    /// Removes the photos of records that speak of erased documents. Returns the names of their keys, which are
    /// to be destroyed.
    pub(super) fn remove_photos_about(&self, erased: &BTreeSet<DocId>) -> Result<Vec<DocId>, ReplicaError> {
        let mut names = Vec::new();
        for scope in self.scopes() {
            for entry in self.store.scan(&keys::photos_named(&scope)) {
                let (key, value) = entry?;
                let (Some(id), Ok(named)) = (keys::photo_of(&key), postcard::from_bytes::<Named>(&value))
                else {
                    continue;
                };
                let Some(view) = self.get(&scope, named.kind, &id.doc)? else { continue };
                if !erased.iter().any(|doc| speaks_of(&view, doc)) {
                    continue;
                }
                names.push(self.destroy(&id)?);
            }
        }
        Ok(names)
    }

    /// Whether photos were ever taken away from records of a scope.
    pub(super) fn has_removals(&self, scope: &Scope) -> bool {
        REMOVALS.iter().any(|kind| self.store.scan_keys(&keys::views(scope, *kind)).next().is_some())
    }

    /// Orders that a photo be destroyed on every replica: `kind` says by which right. The same order again changes
    /// nothing.
    ///
    /// # Errors
    /// [`ReplicaError`], also if the acting worker may not.
    pub fn order_removal(
        &self,
        kind: Kind,
        id: &PhotoId,
        record: Kind,
        reason: &str,
    ) -> Result<(), ReplicaError> {
        let scope = &id.scope;
        let secret = self.secret(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
        let doc = secret.natural_id(kind, &format!("{} {}", id.doc, id.hash), 0);
        let put =
            |name: &str, value: Scalar| Op { target: Target::Field(name.to_owned()), value: Some(value) };
        let ops = vec![
            put("document", id.doc.to_string().into()),
            put("document_kind", Scalar::Int(i64::from(record.0))),
            put("digest", id.hash.to_string().into()),
            put("reason", reason.into()),
        ];
        self.commit(scope, vec![Edit { doc, kind, ops }], None)?;
        Ok(())
    }

    /// Destroys photos whose removal the relay has accepted. What cannot be brought back waits for that.
    ///
    /// # Errors
    /// [`ReplicaError`]; what is due stays due.
    pub fn obey_removals(&self) -> Result<(), ReplicaError> {
        let mut names = Vec::new();
        for scope in self.scopes().into_iter().filter(|scope| self.has_removals(scope)) {
            for kind in REMOVALS {
                let mut views = Vec::new();
                self.each(&scope, kind, |view| {
                    views.push(view);
                    true
                })?;
                for view in views {
                    let Some((id, record)) = read_removal(&scope, &view) else { continue };
                    if self.photo_state(&id)? == PhotoState::Gone || !self.removes(&view, &id, record)? {
                        continue;
                    }
                    names.push(self.destroy(&id)?);
                }
            }
        }
        if !names.is_empty() {
            self.store.destroy_keys(&names)?;
            self.photos.news.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// Whether a removal counts.
    fn removes(&self, removal: &DocumentView, id: &PhotoId, record: Kind) -> Result<bool, ReplicaError> {
        if !self.counts(&id.scope, removal.kind, &removal.id)? {
            return Ok(false);
        }
        if removal.kind == Kind::PHOTO_REMOVAL {
            return Ok(true);
        }
        let by: Vec<DocId> = removal
            .fields
            .get("digest")
            .into_iter()
            .flat_map(Register::claims)
            .map(|claim| claim.worker)
            .collect();
        let view = self.get(&id.scope, record, &id.doc)?;
        Ok(view.is_some_and(|view| by.iter().any(|worker| is_of(&view, &id.hash, worker))))
    }

    /// Removes the files of a scope's photos. Returns the names of their keys, which are to be destroyed.
    pub(super) fn remove_photos_of(&self, scope: &Scope) -> Result<Vec<DocId>, ReplicaError> {
        let mut names = Vec::new();
        for key in self.store.scan_keys(&keys::photos_kept(scope)) {
            let key = key?;
            names.push(photo_name(&key));
            if let Some(id) = keys::photo_of(&key) {
                self.remove_files(&id);
            }
        }
        Ok(names)
    }

    /// Removes what a crash left behind: photos that no record came to name, files that nothing knows. Forgets
    /// those whose files are gone.
    pub(super) fn sweep_photos(&self) -> Result<(), ReplicaError> {
        let mut known = BTreeSet::new();
        for scope in self.scopes() {
            let kept: Vec<Vec<u8>> =
                self.store.scan_keys(&keys::photos_kept(&scope)).collect::<Result<_, _>>()?;
            for key in kept {
                let Some(id) = keys::photo_of(&key) else { continue };
                let is_missing = matches!(self.photo_state(&id)?, PhotoState::Here | PhotoState::Centre)
                    && !self.photo_file(&id).is_file();
                // What is named and not here comes from the others again.
                if self.store.get(&keys::photo_named(&id))?.is_some() && !is_missing {
                    known.insert(photo_name(&key).to_string());
                } else {
                    self.forget_photo(&id)?;
                }
            }
        }
        let Ok(files) = fs::read_dir(self.dir.join(DIRECTORY)) else { return Ok(()) };
        for file in files.filter_map(Result::ok) {
            let path = file.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if !known.contains(name) {
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }
}

/// The photo that a removal names and the kind of its record; `None` if that cannot be read.
fn read_removal(scope: &Scope, view: &DocumentView) -> Option<(PhotoId, Kind)> {
    let Some(Scalar::Int(kind)) = view.value("document_kind") else { return None };
    let (doc, hash) = (view.text("document").parse().ok()?, view.text("digest").parse().ok()?);
    Some((PhotoId { scope: scope.clone(), doc, hash }, Kind(u8::try_from(*kind).ok()?)))
}

/// Opens what has come of a photo, cut to whole pieces, to be continued.
fn open_part(path: &Path, photo: &PhotoRef) -> io::Result<(File, usize)> {
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let sealed = (PIECE_LEN_BYTES + PIECE_SEAL_LEN_BYTES) as u64;
    let len = file.metadata()?.len();
    let whole = photo.len_bytes as u64 + (photo.pieces() * PIECE_SEAL_LEN_BYTES) as u64;
    let have = if len == whole { photo.pieces() } else { usize::try_from(len / sealed).unwrap_or(0) };
    // The last piece, which may be shorter, is not cut.
    let have = if have >= photo.pieces() && len != whole { 0 } else { have };
    if len != whole {
        file.set_len(have as u64 * sealed)?;
    }
    file.seek(SeekFrom::End(0))?;
    Ok((file, have))
}

/// Free space where `dir` lies, in bytes; `None` if it cannot be told.
fn free_bytes(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
