//! Backups of the relay: a file with all that its store holds and the photos, and apart from it a small file with
//! the keys.
//!
//! The data in the file is sealed twice: as it lies in the directory, and again under a key of the backup's own.
//! Both the store's key file and that key lie in the key file of the backup, which is kept elsewhere and not
//! longer than erasures may take: without it a backup is noise, and with it an erased record can come back.
//!
//! ```text
//! FILE      magic, length of the header (4), header (postcard), nonce (19),
//!           frames: length (4), sealed (STREAM, XChaCha20-Poly1305; the last one says that it is the last)
//!           entries in the frames: key length (4), value length (4), key, value; then photos likewise, each in
//!           pieces under its file's name; then an end (8 bytes of 0xff)
//! FILE.key  magic, checksum (32), body (postcard)
//! ```

mod archive;
mod keyfile;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, What};
use wangge_model::enrolment::StreetId;
use wangge_model::identity::{LogId, ReplicaId, Scope};
use wangge_node::replica::{Replica, ReplicaError, keys};
use wangge_store::{Batch, Options, Store, StoreError};

use archive::{Entry as Content, Reader, Writer};
use keyfile::BackupKey;

use crate::roster::Roster;

/// Bytes of entries that are written to the new store in one batch.
const BATCH_LEN_BYTES: u64 = 4 * 1024 * 1024;
/// The store's key file within a data directory.
const STORE_KEY: &str = wangge_node::replica::KEY_FILE;
/// The directory of photos within one.
const PHOTOS: &str = wangge_node::replica::photos::DIRECTORY;

/// What a backup is of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The street.
    pub street: StreetId,
    /// The relay.
    pub relay: ReplicaId,
    /// Which backup of this relay, from 1.
    pub number: u32,
    /// When, milliseconds since 1970 (UTC).
    pub made_ms: u64,
}

/// What goes wrong with a backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The replica underneath.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// A store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file that cannot be read or written.
    #[error("文件 {} 读写失败:{source}\nthe file {} cannot be used: {source}", path.display(), path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file that would be overwritten.
    #[error("{} 已经存在,请换一个文件名\n{} exists already: choose another name", path.display(), path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Another kind of file.
    #[error("{} 不是网格系统的备份文件\n{} is not a backup of Wangge", path.display(), path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// Another kind of file where the key should be.
    #[error(
        "{} 不是备份的密钥文件,或已损坏\n{} is not the key file of a backup, or it is damaged",
        path.display(), path.display()
    )]
    ForeignKey {
        /// Which.
        path: PathBuf,
    },
    /// The key of another backup.
    #[error(
        "备份 {} 用的不是这个密钥(或备份开头已损坏),请用 --key 指明它的密钥文件\n\
         the key is not that of the backup {} (or its beginning is damaged): name its key file with --key",
        path.display(), path.display()
    )]
    OtherKey {
        /// Which backup.
        path: PathBuf,
    },
    /// No key file.
    #[error(
        "找不到备份的密钥文件 {},请用 --key 指明\nthere is no key file {}: name it with --key",
        path.display(), path.display()
    )]
    NoKey {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Changed or cut off.
    #[error(
        "备份 {} 在第 {at} 字节处损坏或不完整({what})\n\
         the backup {} is damaged or cut off at byte {at} ({what})",
        path.display(), path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where, in bytes from its beginning.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The directory to restore to.
    #[error(
        "{} 不是空目录,恢复只写入空目录\n{} is not empty: a backup is restored to an empty directory",
        dir.display(), dir.display()
    )]
    NotEmpty {
        /// Which.
        dir: PathBuf,
    },
}

/// What was found in a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Contents {
    /// Which backup of this relay.
    pub number: u32,
    /// When it was made, milliseconds since 1970 (UTC).
    pub made_ms: u64,
    /// Entries of the store.
    pub entries: u64,
    /// Their length, in bytes.
    pub len_bytes: u64,
    /// Photos.
    pub photos: u64,
    /// Their length, in bytes.
    pub photos_len_bytes: u64,
}

/// A record of a backup that was made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Made {
    number: u32,
    made_ms: u64,
    file: String,
    key: String,
}

/// A record of the backup from which this relay was restored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Restored {
    number: u32,
    made_ms: u64,
    restored_ms: u64,
}

fn made_key(number: u32) -> Vec<u8> {
    [keys::relay_only("backup\0"), number.to_be_bytes().to_vec()].concat()
}

fn restored_key() -> Vec<u8> {
    keys::relay_only("restored")
}

/// Where each own log stood when its last backup was noted in it.
fn noted_key(scope: &Scope) -> Vec<u8> {
    [keys::relay_only("backup noted\0"), scope.to_string().into_bytes()].concat()
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}

/// The key file that goes with a backup unless another is named.
pub fn key_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

/// Writes a backup of the relay to `to` and its key to `key`; commits go on meanwhile. Then says in the
/// relay's logs what the backup holds, so that devices know.
///
/// # Errors
/// [`BackupError`]; half-written files are removed.
pub fn backup(replica: &Replica, to: &Path, key: &Path) -> Result<Contents, BackupError> {
    for path in [to, key] {
        if path.exists() {
            return Err(BackupError::Exists { path: path.to_owned() });
        }
    }
    let profile = replica.profile();
    let number = last_number(replica)? + 1;
    let header =
        Header { street: profile.street(), relay: profile.replica(), number, made_ms: replica.now_ms() };
    let ends = ends(replica);
    let contents = write(replica, &header, to, key).inspect_err(|_| {
        let _ = fs::remove_file(to);
        let _ = fs::remove_file(key);
    })?;
    let absolute =
        |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let made = Made { number, made_ms: header.made_ms, file: absolute(to), key: absolute(key) };
    let mut batch = Batch::new();
    batch.put(made_key(number), encode(&made));
    replica.store().commit(batch).map_err(ReplicaError::from)?;
    note(replica, &ends)?;
    replica.audit(Entry::new(What::BACKUP).detail(&format!("backup {number} to {}", made.file)))?;
    Ok(contents)
}

/// The ends of the relay's own logs: all up to them is in a copy of its store that is made after this.
pub type Ends = Vec<(Scope, BTreeMap<LogId, u64>)>;

/// Where the relay's own logs end now.
pub fn ends(replica: &Replica) -> Ends {
    replica.scopes().into_iter().map(|scope| (scope.clone(), replica.own_ends(&scope))).collect()
}

/// Says in the relay's own logs that a backup holds them up to there.
///
/// # Errors
/// If it cannot be stored.
pub fn note(replica: &Replica, ends: &[(Scope, BTreeMap<LogId, u64>)]) -> Result<(), BackupError> {
    ends.iter().try_for_each(|(scope, ends)| note_in(replica, scope, ends))
}

fn write(replica: &Replica, header: &Header, to: &Path, key: &Path) -> Result<Contents, BackupError> {
    let secret = replica.random()?;
    let mut writer = Writer::create(to, header, &secret, replica.random()?)?;
    let store_key = replica.copy(|key, value| writer.entry(key, value))?;
    // After the records that name them; what an erasure removes meanwhile is not missed.
    for path in replica.photo_files() {
        writer.photo(&path)?;
    }
    let contents = writer.finish()?;
    BackupKey { header: header.clone(), secret, store_key }.write(key)?;
    Ok(contents)
}

/// Says in the relay's own logs of a scope that a backup holds them, unless nothing has come since the last.
fn note_in(replica: &Replica, scope: &Scope, ends: &BTreeMap<LogId, u64>) -> Result<(), BackupError> {
    let key = noted_key(scope);
    let noted = replica.store().get(&key).map_err(ReplicaError::from)?;
    let ends: BTreeMap<LogId, u64> =
        ends.iter().filter(|(_, len)| **len > 0).map(|(log, len)| (*log, *len)).collect();
    if ends.is_empty() || noted.as_ref() == Some(&encode(&ends)) {
        return Ok(());
    }
    replica.commit_backed(scope, &ends)?;
    let mut batch = Batch::new();
    batch.put(key, encode(&replica.own_ends(scope)));
    Ok(replica.store().commit(batch).map_err(ReplicaError::from)?)
}

fn last_number(replica: &Replica) -> Result<u32, BackupError> {
    let mut last = 0;
    for entry in replica.store().scan(&keys::relay_only("backup\0")) {
        let (_, value) = entry.map_err(ReplicaError::from)?;
        if let Ok(made) = postcard::from_bytes::<Made>(&value) {
            last = last.max(made.number);
        }
    }
    Ok(last)
}

/// The backups that this relay made: number, time, where file and key were written.
///
/// # Errors
/// If the store fails.
pub fn list(replica: &Replica) -> Result<Value, BackupError> {
    let mut all = Vec::new();
    for entry in replica.store().scan(&keys::relay_only("backup\0")) {
        let (_, value) = entry.map_err(ReplicaError::from)?;
        if let Ok(made) = postcard::from_bytes::<Made>(&value) {
            all.push(json!({
                "number": made.number, "made_ms": made.made_ms, "file": made.file, "key": made.key,
                "key_exists": Path::new(&made.key).exists(),
            }));
        }
    }
    Ok(all.into())
}

/// Reads a backup from end to end: every byte of it is as it was written, and none is missing.
///
/// # Errors
/// [`BackupError`]: what is wrong, and where.
pub fn verify(file: &Path, key: &Path) -> Result<Contents, BackupError> {
    let reader = Reader::open(file)?;
    let key = BackupKey::read(key)?;
    reader.read(&key, |_| Ok(()))
}

/// Restores a backup to an empty directory. The relay there opens a new epoch, and takes in but neither serves
/// nor decides until one of the centre's own devices has brought `street` back.
///
/// # Errors
/// [`BackupError`]; the directory stays empty then.
pub fn restore(dir: &Path, file: &Path, key: &Path) -> Result<Contents, BackupError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::File { path, source }
    };
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
        return Err(BackupError::NotEmpty { dir: dir.to_owned() });
    }
    let reader = Reader::open(file)?;
    let key = BackupKey::read(key)?;
    let mut name = dir.as_os_str().to_owned();
    name.push(".restoring");
    let half = PathBuf::from(name);
    if half.exists() {
        fs::remove_dir_all(&half).map_err(failed(&half))?;
    }
    let restored = fill(&half, reader, &key);
    let contents = match restored {
        Ok(contents) => contents,
        Err(error) => {
            let _ = fs::remove_dir_all(&half);
            return Err(error);
        }
    };
    if dir.exists() {
        fs::remove_dir(dir).map_err(failed(dir))?;
    }
    fs::rename(&half, dir).map_err(failed(dir))?;
    Ok(contents)
}

fn fill(dir: &Path, reader: Reader, key: &BackupKey) -> Result<Contents, BackupError> {
    reader.check(key)?;
    let store = Store::open(dir, Options::default())?;
    let mut batch = Batch::new();
    let contents = reader.read(key, |content| {
        match content {
            Content::Stored(key, Some(value)) => batch.put(key, value),
            Content::Stored(key, None) => batch.delete(key),
            Content::Photo(name, piece) => return put_photo(dir, name, piece),
        }
        if batch.len_bytes() > BATCH_LEN_BYTES {
            store.commit(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    store.commit(batch)?;
    store.close();
    sync_photos(dir)?;
    key.write_store_key(&dir.join(STORE_KEY))?;
    let replica = Replica::open(dir, Options::default())?;
    begin_again(&replica, contents.number, contents.made_ms)?;
    replica.close();
    Ok(contents)
}

/// Adds the next piece of a photo to its file.
fn put_photo(dir: &Path, name: &str, piece: &[u8]) -> Result<(), BackupError> {
    let directory = dir.join(PHOTOS);
    let path = directory.join(name);
    let write = || {
        fs::create_dir_all(&directory)?;
        let mut file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        file.write_all(piece)
    };
    write().map_err(|source| BackupError::File { path: path.clone(), source })
}

/// Returns once the photos are durable.
fn sync_photos(dir: &Path) -> Result<(), BackupError> {
    let directory = dir.join(PHOTOS);
    if !directory.is_dir() {
        return Ok(());
    }
    let sync = || {
        for entry in fs::read_dir(&directory)? {
            fs::File::open(entry?.path())?.sync_all()?;
        }
        fs::File::open(&directory)?.sync_all()
    };
    sync().map_err(|source| BackupError::File { path: directory.clone(), source })
}

/// What a relay does first whose store was put back to what backup `number` holds.
///
/// # Errors
/// If it cannot be stored.
pub fn begin_again(replica: &Replica, number: u32, made_ms: u64) -> Result<(), ReplicaError> {
    // Positions after this backup may have been issued: never again under the same name.
    replica.open_epoch()?;
    let restored = Restored { number, made_ms, restored_ms: replica.now_ms() };
    let mut batch = Batch::new();
    batch.put(restored_key(), encode(&restored));
    replica.store().commit(batch)?;
    replica.audit(Entry::new(What::BACKUP).detail(&format!("restored from backup {number}")))?;
    Ok(())
}

/// Whether this relay was restored and does not know yet whether its roster is the latest.
///
/// # Errors
/// If the store fails.
pub fn is_restored(replica: &Replica) -> Result<bool, ReplicaError> {
    Ok(replica.store().get(&restored_key())?.is_some())
}

/// From now on this relay serves and decides again: its roster is the latest, or a person says so.
///
/// # Errors
/// If the store fails.
pub fn resume(roster: &Roster, why: &str) -> Result<bool, ReplicaError> {
    let replica = roster.replica();
    if !is_restored(replica)? {
        return Ok(false);
    }
    let mut batch = Batch::new();
    batch.delete(restored_key());
    replica.store().commit(batch)?;
    replica.await_street(false);
    replica.audit(Entry::new(What::BACKUP).detail(&format!("serves again after a restore: {why}")))?;
    tracing::info!(why, "the restored relay serves and decides again");
    Ok(true)
}
