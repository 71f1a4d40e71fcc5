//! Encryption at rest: the layer between a replica and its store. Everything is sealed on its way to the
//! disk and opened on its way back; whoever copies the directory without the store key reads nothing.
//!
//! ```text
//! PIN | key file | centre ──▶ store key ──▶ document key, one a document ──▶ the document, its payloads in logs
//!                                       └─▶ general key ──▶ everything else
//! ```
//!
//! Document keys and the general key lie in the store, wrapped by the store key. Removing a document's key is
//! not enough to erase the document: sled's files keep old values. So an erasure also draws a new store key,
//! wraps what remains anew and overwrites the old one ([`Vault::renew`]); nothing else is rewritten.
//!
//! Photos are files, sealed piece by piece under a key of their own that lies in the store (`file`).
//!
//! Keys of the store stay in clear and hold no personal data: scopes, log positions, document ids, keyed hashes.

mod access;
mod file;
mod keyfile;
mod keyring;
mod record;
mod seal;
mod workers;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use wangge_model::identity::DocId;
use wangge_store::{Batch, Store, StoreError};

use super::World;

pub use access::{Access, RecoveryRequest, VaultError};
pub(crate) use file::{FileSeal, PIECE_SEAL_LEN_BYTES};
pub use keyfile::{KEY_FILE, PIN_CHARS_MAX, PIN_CHARS_MIN, Pin};
pub(crate) use record::{decode_record, encode_record};
pub use seal::{Pair, PinCost, seal_to};
pub use workers::WorkerSecret;

use keyring::{Documents, Ring};
use record::Parts;
use seal::{Key, Nonces};

/// First byte of the store's keys under which wrapped document keys lie.
const WRAPS: u8 = b'k';
/// Where the wrapped general key lies.
const GENERAL: &[u8] = b"g";
/// Where it lies once more: if neither opens, nothing does.
const GENERAL_COPY: &[u8] = b"g2";
/// Wraps that are rewritten in one batch.
const REWRAP_BATCH: usize = 2_000;

/// A store whose values are sealed.
pub struct Vault {
    dir: PathBuf,
    world: Arc<dyn World>,
    store: Store,
    keys: Arc<Keys>,
    /// Store keys are renewed, and document keys removed, one at a time.
    turn: Mutex<()>,
    holder: Mutex<access::Opened>,
}

struct Keys {
    /// Held for reading while a batch is sealed and queued, so that a renewal knows what precedes it.
    ring: RwLock<Ring>,
    documents: Mutex<Documents>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// What a value is sealed under.
enum Under {
    /// The key of a document, or of the pages of a scope.
    Own(DocId),
    /// Header and payloads, each under its own.
    Record,
    General,
}

fn under(key: &[u8]) -> Under {
    match key.first() {
        Some(b'D' | b'W') => {
            let doc = key.len().checked_sub(16).and_then(|at| DocId::from_slice(&key[at..]));
            doc.map_or(Under::General, Under::Own)
        }
        // Pages hold many residents' data under the centre's signature: they go as a whole. Second copies of
        // transactions must open where a document's key does not.
        Some(b'y' | b's') => Under::Own(pages_name(key)),
        // Its key seals the photo's file as well.
        Some(b'h') => Under::Own(photo_name(key)),
        Some(b'L' | b'l') => Under::Record,
        _ => Under::General,
    }
}

/// The name under which the key of a scope's kept pages and second copies is kept: like a document's.
pub(super) fn pages_name(key: &[u8]) -> DocId {
    let scope = key.get(1..).and_then(|rest| rest.split(|byte| *byte == 0).next()).unwrap_or_default();
    let hash = blake3::Hasher::new_derive_key("wangge 2026 key of kept pages").update(scope).finalize();
    let mut name = [0; 16];
    name.copy_from_slice(&hash.as_bytes()[..16]);
    DocId(name)
}

/// The name under which the key of a photo is kept: like a document's.
pub(super) fn photo_name(key: &[u8]) -> DocId {
    let hash = blake3::Hasher::new_derive_key("wangge 2026 key of a photo").update(key).finalize();
    let mut name = [0; 16];
    name.copy_from_slice(&hash.as_bytes()[..16]);
    DocId(name)
}

fn wrap_key(doc: &DocId) -> Vec<u8> {
    [&[WRAPS], &doc.0[..]].concat()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Vault {
    /// The value of `key`.
    ///
    /// # Errors
    /// [`StoreError`], also if what is there was not sealed by this replica in this place.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)?.map(|sealed| self.open_value(key, &sealed)).transpose()
    }

    /// All entries whose key begins with `prefix`, ascending, opened.
    pub fn scan<'a>(
        &'a self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<'a> {
        self.scan_from(prefix, prefix)
    }

    /// Like [`Vault::scan`], beginning with the first key that is not below `start`.
    pub fn scan_from<'a>(
        &'a self,
        prefix: &[u8],
        start: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<'a> {
        self.store.scan_from(prefix, start).map(|entry| {
            let (key, sealed) = entry?;
            let value = self.open_value(&key, &sealed)?;
            Ok((key, value))
        })
    }

    /// The keys that begin with `prefix`, ascending; nothing is opened.
    pub fn scan_keys<'a>(
        &'a self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Vec<u8>, StoreError>> + use<'a> {
        self.store.scan(prefix).map(|entry| entry.map(|(key, _)| key))
    }

    /// The documents that a transaction changes, where its outline can be read though it may not open.
    pub(super) fn documents_of(&self, key: &[u8]) -> Option<Vec<DocId>> {
        let parts = Parts::split(&self.store.get(key).ok()??)?;
        Some(parts.changes.into_iter().map(|(doc, _)| doc).collect())
    }

    /// Applies `batch` and waits until it would survive a power loss.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (queued, fresh) = {
            let ring = self.ring();
            let (sealed, fresh) = self.seal(&ring, batch)?;
            (self.store.queue(sealed), fresh)
        };
        // The lock on the keys is not held while waiting: whoever would make room may need it.
        let result = queued.and_then(wangge_store::Queued::wait);
        self.keys.settle(&fresh, result.is_ok());
        result
    }

    /// Queues `batch` and lets another thread begin with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn commit_later(&self, batch: Batch) -> Result<Later, StoreError> {
        let ring = self.ring();
        let (sealed, fresh) = self.seal(&ring, batch)?;
        let queued = self.store.queue(sealed);
        let keys = Arc::clone(&self.keys);
        match queued {
            Ok(queued) => {
                queued.start();
                Ok(Later { queued: Some(queued), keys, fresh })
            }
            Err(error) => {
                keys.settle(&fresh, false);
                Err(error)
            }
        }
    }

    /// Queues `batch`; `done` is called once it would survive a power loss, or has failed.
    pub fn commit_then(&self, batch: Batch, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        let ring = self.ring();
        match self.seal(&ring, batch) {
            Ok((sealed, fresh)) => {
                let keys = Arc::clone(&self.keys);
                self.store.commit_then(sealed, move |result| {
                    keys.settle(&fresh, result.is_ok());
                    done(result);
                });
            }
            // From the committer's thread all the same: the caller may hold what `done` asks for.
            Err(error) => self.store.commit_then(Batch::new(), move |_| done(Err(error))),
        }
    }

    /// Waits for the commits queued so far and gives the directory up.
    pub fn close(self) {
        self.store.close();
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.keys.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged { dir: self.dir.clone(), what: what.to_owned() }
    }

    // ---- opening

    fn open_value(&self, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        match under(key) {
            Under::General => {
                let opened = self.ring().general.open(key, sealed);
                opened.ok_or_else(|| self.damaged("a record does not open under this replica's key"))
            }
            Under::Own(doc) => {
                let own = self.key_of(&doc)?.and_then(|own| own.open(key, sealed));
                own.ok_or_else(|| self.damaged("a document does not open under its key"))
            }
            Under::Record => {
                let unsound = || self.damaged("a transaction does not open under its keys");
                let mut parts = Parts::split(sealed).ok_or_else(unsound)?;
                parts.header = self.ring().general.open(key, &parts.header).ok_or_else(unsound)?;
                for (doc, payload) in &mut parts.changes {
                    let own = self.key_of(doc)?.ok_or_else(unsound)?;
                    *payload = own.open(key, payload).ok_or_else(unsound)?;
                }
                Ok(parts.join())
            }
        }
    }

    /// The key of a document; `None` if it has none.
    fn key_of(&self, doc: &DocId) -> Result<Option<Key>, StoreError> {
        let forgotten = {
            let documents = lock(&self.keys.documents);
            if let Some(key) = documents.cached(doc).or_else(|| documents.fresh(doc)) {
                return Ok(Some(key));
            }
            documents.forgotten()
        };
        let place = wrap_key(doc);
        let Some(wrap) = self.store.get(&place)? else { return Ok(None) };
        let key = unwrap(&self.ring(), &place, &wrap).ok_or_else(|| self.damaged("a key does not open"))?;
        lock(&self.keys.documents).keep(*doc, key.clone(), forgotten);
        Ok(Some(key))
    }

    // ---- sealing

    /// The batch as it goes to the disk, and the documents whose keys it carries.
    fn seal(&self, ring: &Ring, batch: Batch) -> Result<(Batch, Vec<DocId>), StoreError> {
        let chance = |error: super::ReplicaError| self.damaged(&error.to_string());
        let mut nonces = Nonces::draw(&*self.world).map_err(chance)?;
        let chain = batch.chain().cloned();
        let mut sealed = chain.as_ref().map_or_else(Batch::new, Batch::of);
        let mut fresh: Vec<DocId> = Vec::new();
        let outcome = (|| {
            for (key, value) in batch.into_writes() {
                let Some(value) = value else {
                    sealed.delete(key);
                    continue;
                };
                let value = match under(&key) {
                    Under::General => ring.general.seal(nonces.next(), &key, &value),
                    Under::Own(doc) => {
                        let own = self.sealing_key(ring, &doc, &mut sealed, &mut fresh, &mut nonces);
                        if key.first() == Some(&b's') && matches!(own, Err(StoreError::Damaged { .. })) {
                            // Rather without its second copy than not at all.
                            continue;
                        }
                        let own = own?;
                        own.seal(nonces.next(), &key, &value)
                    }
                    Under::Record => {
                        let unsound = || self.damaged("a transaction is not in its stored form");
                        let mut parts = Parts::split(&value).ok_or_else(unsound)?;
                        parts.header = ring.general.seal(nonces.next(), &key, &parts.header);
                        for (doc, payload) in &mut parts.changes {
                            let own = self.sealing_key(ring, doc, &mut sealed, &mut fresh, &mut nonces)?;
                            *payload = own.seal(nonces.next(), &key, payload);
                        }
                        parts.join()
                    }
                };
                sealed.put(key, value);
            }
            Ok(())
        })();
        match outcome {
            Ok(()) => Ok((sealed, fresh)),
            Err(error) => {
                self.keys.settle(&fresh, false);
                if let Some(chain) = chain {
                    chain.break_off(&error);
                }
                Err(error)
            }
        }
    }

    /// The key to seal a document's data with. While its wrap may not be on the disk, every batch that
    /// uses it carries the wrap.
    fn sealing_key(
        &self,
        ring: &Ring,
        doc: &DocId,
        sealed: &mut Batch,
        fresh: &mut Vec<DocId>,
        nonces: &mut Nonces,
    ) -> Result<Key, StoreError> {
        let place = wrap_key(doc);
        let forgotten = {
            let documents = lock(&self.keys.documents);
            if let Some(key) = documents.cached(doc) {
                return Ok(key);
            }
            if let Some(key) = documents.fresh(doc).filter(|_| fresh.contains(doc)) {
                return Ok(key);
            }
            documents.forgotten()
        };
        let stored = match self.store.get(&place)? {
            Some(wrap) => {
                Some(unwrap(ring, &place, &wrap).ok_or_else(|| self.damaged("a key does not open"))?)
            }
            None => None,
        };
        let mut documents = lock(&self.keys.documents);
        if let Some(key) = stored {
            documents.keep(*doc, key.clone(), forgotten);
            return Ok(key);
        }
        if let Some(key) = documents.cached(doc) {
            return Ok(key);
        }
        let key = match documents.fresh(doc) {
            Some(key) => key,
            None => Key::draw(&*self.world).map_err(|error| self.damaged(&error.to_string()))?,
        };
        documents.carry(*doc, &key);
        drop(documents);
        fresh.push(*doc);
        let wrap = wrap(ring, &place, &key, nonces).ok_or_else(|| self.damaged("there is no store key"))?;
        sealed.put(place, wrap);
        Ok(key)
    }

    // ---- copying

    /// Hands over all that is stored, sealed as it is; returns the key file that opens it.
    pub(super) fn copy<E: From<super::ReplicaError>>(
        &self,
        mut each: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<Vec<u8>, E> {
        // The keys stay as they are meanwhile.
        let _turn = lock(&self.turn);
        let mut outcome = Ok(());
        let copied = self.store.copy::<StoreError>(|key, value| {
            if outcome.is_ok() {
                outcome = each(key, value);
            }
            Ok(())
        });
        copied.map_err(super::ReplicaError::from)?;
        outcome?;
        let path = key_file(&self.dir);
        let failed = |source| super::ReplicaError::from(VaultError::File { path: path.clone(), source });
        Ok(std::fs::read(&path).map_err(failed)?)
    }

    // ---- erasing

    /// Removes the keys of documents for good: their own data opens no more, not even from old copies
    /// within the store's files. Returns once the new store key is durable and the old one is gone.
    ///
    /// # Errors
    /// [`VaultError`]; then it must be called again.
    pub fn destroy_keys(&self, documents: &[DocId]) -> Result<(), VaultError> {
        let turn = lock(&self.turn);
        let mut batch = Batch::new();
        for doc in documents {
            batch.delete(wrap_key(doc));
        }
        self.store.commit(batch)?;
        {
            let mut kept = lock(&self.keys.documents);
            for doc in documents {
                kept.forget(doc);
            }
        }
        self.renew_in(&turn)
    }

    /// Destroys all keys of this store for good: the key files are overwritten and removed. Nothing opens
    /// once this process has ended.
    ///
    /// # Errors
    /// [`VaultError`] if a file cannot be overwritten.
    pub fn shred(&self) -> Result<(), VaultError> {
        let _turn = lock(&self.turn);
        keyfile::shred(&self.dir).map_err(|source| VaultError::File { path: key_file(&self.dir), source })
    }

    /// Whether a document has a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_key(&self, doc: &DocId) -> Result<bool, StoreError> {
        Ok(self.store.get(&wrap_key(doc))?.is_some())
    }

    /// Where keys of documents lie that do not open: nothing sealed under them can be read any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn broken_keys(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut broken = Vec::new();
        for entry in self.store.scan(&[WRAPS]) {
            let (place, wrap) = entry?;
            if unwrap(&self.ring(), &place, &wrap).is_none() {
                broken.push(place);
            }
        }
        Ok(broken)
    }

    /// Writes the general key anew where one of its copies does not open. Whether one did not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn mend_general(&self) -> Result<bool, StoreError> {
        let _turn = lock(&self.turn);
        let mut batch = Batch::new();
        let mut broken = false;
        {
            let ring = self.ring();
            let chance = |error: super::ReplicaError| self.damaged(&error.to_string());
            for place in [GENERAL, GENERAL_COPY] {
                let found = self.store.get(place)?;
                if found.as_ref().is_some_and(|wrap| unwrap(&ring, place, wrap).is_some()) {
                    continue;
                }
                broken |= found.is_some();
                let mut nonces = Nonces::draw(&*self.world).map_err(chance)?;
                let anew = wrap(&ring, place, &ring.general, &mut nonces);
                batch.put(place, anew.ok_or_else(|| self.damaged("there is no store key"))?);
            }
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(broken)
    }

    /// Writes keys anew where [`Vault::broken_keys`] lie, as far as they are in memory: what they seal goes on to
    /// open, and what this process seals with them will. Elsewhere it makes room: what comes again is sealed under
    /// new ones.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn mend_broken_keys(&self) -> Result<(), StoreError> {
        let _turn = lock(&self.turn);
        let broken = self.broken_keys()?;
        let mut batch = Batch::new();
        {
            let ring = self.ring();
            let chance = |error: super::ReplicaError| self.damaged(&error.to_string());
            let mut nonces = Nonces::draw(&*self.world).map_err(chance)?;
            for place in broken {
                let doc = place.get(1..).and_then(DocId::from_slice);
                let known = doc.and_then(|doc| lock(&self.keys.documents).cached(&doc));
                match known.and_then(|key| wrap(&ring, &place, &key, &mut nonces)) {
                    Some(anew) => batch.put(place, anew),
                    None => batch.delete(place),
                }
            }
        }
        self.store.commit(batch)
    }

    /// Draws a new store key, wraps all keys anew and overwrites the old one.
    ///
    /// # Errors
    /// [`VaultError`]; the next opening goes on where it stopped.
    pub fn renew(&self) -> Result<(), VaultError> {
        let turn = lock(&self.turn);
        self.renew_in(&turn)
    }

    fn renew_in(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), VaultError> {
        let number = self.ring().current().map_or(0, |(number, _)| number) + 1;
        let key = {
            let mut holder = lock(&self.holder);
            let key = holder.derived(number).map_or_else(|| Key::draw(&*self.world), Ok)?;
            holder.begin_renewal(&self.dir, &*self.world, number, &key)?;
            key
        };
        self.keys.ring.write().unwrap_or_else(PoisonError::into_inner).store.insert(number, key);
        self.rewrap()
    }

    /// Wraps under the newest store key what is wrapped under older ones, then forgets those.
    fn rewrap(&self) -> Result<(), VaultError> {
        // Whatever was sealed before the newest key was in use has been queued: let it arrive.
        self.store.commit(Batch::new())?;
        let Some(newest) = self.ring().current().map(|(number, _)| number) else { return Ok(()) };
        let mut nonces = Nonces::draw(&*self.world)?;
        let mut batch = Batch::new();
        let mut count = 0;
        for prefix in [&[WRAPS][..], GENERAL] {
            for entry in self.store.scan(prefix) {
                let (place, old) = entry?;
                if generation_of(&old) == Some(newest) {
                    continue;
                }
                let ring = self.ring();
                let Some(key) = unwrap(&ring, &place, &old) else {
                    // Damaged: what is sealed under it opens no more, whatever is done here.
                    tracing::error!(place = %place.escape_ascii(), "a key does not open");
                    continue;
                };
                let new = wrap(&ring, &place, &key, &mut nonces).ok_or(VaultError::Unreadable)?;
                drop(ring);
                batch.put(place, new);
                count += 1;
                if count % REWRAP_BATCH == 0 {
                    self.store.commit(std::mem::take(&mut batch))?;
                }
            }
        }
        self.store.commit(batch)?;
        lock(&self.holder).end_renewal(&self.dir, newest)?;
        let mut ring = self.keys.ring.write().unwrap_or_else(PoisonError::into_inner);
        ring.store.retain(|number, _| *number == newest);
        Ok(())
    }
}

/// A batch on its way to the disk.
#[must_use = "it is not durable before it was waited for"]
pub(crate) struct Later {
    queued: Option<wangge_store::Queued>,
    keys: Arc<Keys>,
    fresh: Vec<DocId>,
}

impl Later {
    /// Waits until the batch would survive a power loss.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn wait(mut self) -> Result<(), StoreError> {
        self.settle()
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        let Some(queued) = self.queued.take() else { return Ok(()) };
        let result = queued.wait();
        self.keys.settle(&self.fresh, result.is_ok());
        result
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        // What became of the keys must be known, whoever still asks for the data.
        if let Err(error) = self.settle() {
            tracing::error!(%error, "what nobody waited for could not be stored");
        }
    }
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Later").field("documents", &self.fresh.len()).finish_non_exhaustive()
    }
}

impl Keys {
    fn settle(&self, fresh: &[DocId], durable: bool) {
        if fresh.is_empty() {
            return;
        }
        let mut documents = lock(&self.documents);
        for doc in fresh {
            documents.settle(doc, durable);
        }
    }
}

/// A wrapped key: the store key's number, and the key sealed under it.
fn wrap(ring: &Ring, place: &[u8], key: &Key, nonces: &mut Nonces) -> Option<Vec<u8>> {
    let (number, store) = ring.current()?;
    Some([&number.to_be_bytes()[..], &store.seal(nonces.next(), place, key.bytes())].concat())
}

fn unwrap(ring: &Ring, place: &[u8], wrap: &[u8]) -> Option<Key> {
    let store = ring.store.get(&generation_of(wrap)?)?;
    Key::from_slice(&store.open(place, &wrap[4..])?)
}

fn generation_of(wrap: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(wrap.get(..4)?.try_into().ok()?))
}

/// Whether `dir` holds the data of a version that did not encrypt.
fn is_clear(store: &Store) -> Result<bool, StoreError> {
    Ok(store.get(super::keys::PROFILE)?.is_some() && store.get(GENERAL)?.is_none())
}

/// Whether the replica in `dir` is locked with a PIN.
///
/// # Errors
/// If its key file cannot be read.
pub fn is_locked(dir: &Path) -> Result<bool, VaultError> {
    Ok(keyfile::KeyFile::read(dir)?.is_some_and(|file| file.needs_pin()))
}

/// Whether several workers use the replica in `dir`.
///
/// # Errors
/// If its key file cannot be read.
pub fn is_shared(dir: &Path) -> Result<bool, VaultError> {
    Ok(keyfile::KeyFile::read(dir)?.is_some_and(|file| file.is_shared()))
}

/// Where the key file of a replica lies.
pub fn key_file(dir: &Path) -> PathBuf {
    dir.join(KEY_FILE)
}

#[cfg(test)]
mod tests;
