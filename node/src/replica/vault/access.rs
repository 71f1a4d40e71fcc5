//! Who opens a vault: the key file, a PIN, the centre's help when a PIN is forgotten.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use wangge_model::identity::DocId;
use wangge_store::{Batch, Store, StoreError};

use super::keyfile::{
    Holder, KEY_FILE, KeyFile, Lock, PIN_CHARS_MAX, PIN_CHARS_MIN, Pin, WorkerKey, discard,
};
use super::keyring::{Documents, Ring};
use super::seal::{Key, Nonces, Pair, PinCost, seal_to};
use super::workers::WorkerSecret;
use super::{GENERAL, GENERAL_COPY, Keys, Vault, WRAPS, generation_of, is_clear, lock, unwrap, wrap};
use crate::replica::{ReplicaError, World};

/// Holds the secret that the centre's answer to a recovery request is sealed to.
const PENDING_FILE: &str = "recovery.pending";
const REQUEST: &str = "WGR1-";
const ANSWER: &str = "WGA1-";

/// How a replica is opened.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The PIN, for a directory that is locked with one.
    pub pin: Option<Pin>,
    /// Whose it is, where several workers have one.
    pub worker: Option<String>,
    /// How dear a guess at a new PIN shall be.
    pub cost: PinCost,
    /// The store key itself: nothing is kept in a file then. For simulations.
    pub given: Option<[u8; 32]>,
}

/// Why a vault does not open or change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The store underneath.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No PIN was given.
    #[error(
        "本机已用 PIN 锁定,请输入 PIN (环境变量 WANGGE_PIN 或 --pin-file FILE)\n\
         this directory is locked with a PIN: give it (WANGGE_PIN in the environment or --pin-file FILE)"
    )]
    PinNeeded,
    /// The PIN is wrong.
    #[error(
        "PIN 不对{}\nthe PIN is wrong{}",
        if *.wait_s > 0 { format!(",{wait_s} 秒后再试") } else { String::new() },
        if *.wait_s > 0 { format!("; try again in {wait_s} s") } else { String::new() },
    )]
    PinWrong {
        /// How long the next attempt must wait, in seconds.
        wait_s: u64,
    },
    /// Too many wrong PINs.
    #[error(
        "PIN 连续输错,请 {wait_s} 秒后再试;忘记 PIN 可请中心恢复 (wangge pin recover)\n\
         too many wrong PINs: try again in {wait_s} s; the centre helps with a forgotten one (wangge pin recover)"
    )]
    PinWait {
        /// How long, in seconds.
        wait_s: u64,
    },
    /// Several have this PIN.
    #[error(
        "本机有多人使用,请说明是谁 (--me 姓名 或环境变量 WANGGE_WORKER)\n\
         several workers use this device: say who (--me NAME or WANGGE_WORKER in the environment)"
    )]
    WhoseTurn,
    /// The PINs of a shared device stay.
    #[error(
        "本机由多人共用,不能取消 PIN;可以更换 (wangge pin change)\n\
         this device is shared: its PINs cannot be taken away, only changed (wangge pin change)"
    )]
    Shared,
    /// Too short or too long.
    #[error(
        "PIN 应为 {PIN_CHARS_MIN} 到 {PIN_CHARS_MAX} 个字符,给的是 {chars} 个\n\
         a PIN has {PIN_CHARS_MIN} to {PIN_CHARS_MAX} characters, this one has {chars}"
    )]
    PinLength {
        /// Its length, in characters.
        chars: usize,
    },
    /// There is no PIN to change or remove.
    #[error("本机没有设置 PIN\nthis directory has no PIN")]
    NoPin,
    /// The key file cannot be read or written.
    #[error("密钥文件 {} 读写失败:{source}\nthe key file {} cannot be used: {source}", path.display(), path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The key file is not one.
    #[error("密钥文件 {} 已损坏\nthe key file {} is damaged", path.display(), path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The key file is gone.
    #[error(
        "{} 缺少密钥文件 {KEY_FILE},数据无法解密\n{} lacks its key file {KEY_FILE}: the data cannot be opened",
        dir.display(), dir.display()
    )]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// Nothing was finished here.
    #[error("{} holds no replica yet", dir.display())]
    Empty {
        /// The directory.
        dir: PathBuf,
    },
    /// Written before data was encrypted.
    #[error(
        "{} 由不加密的旧版本写成,本版本不能使用:请换一个目录重新加入\n\
         {} was written by an old version that did not encrypt: join again with another directory",
        dir.display(), dir.display()
    )]
    Older {
        /// The directory.
        dir: PathBuf,
    },
    /// The keys do not fit the data.
    #[error("密钥与数据不符\nthe keys do not fit the data")]
    Unreadable,
    /// The centre's recovery key is not known here.
    #[error("本机没有中心的恢复密钥,无法恢复\nthe centre's recovery key is not known here: it cannot help")]
    NoRecovery,
    /// A line of a recovery that is none, or is for something else.
    #[error(
        "这一行不完整或不对应,请重新复制整行\nthis line is damaged or belongs to something else: copy the whole line again"
    )]
    Line,
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
}

impl From<ReplicaError> for VaultError {
    /// Only randomness is asked for below.
    fn from(error: ReplicaError) -> Self {
        match error {
            ReplicaError::Randomness(reason) => Self::Randomness(reason),
            other => Self::Randomness(other.to_string()),
        }
    }
}

/// Whose secret opened the vault.
pub(super) struct Opened {
    pub(super) file: Option<KeyFile>,
    given: Option<Key>,
    pub(super) pair: Option<Pair>,
    /// On a shared device: the worker.
    pub(super) worker: Option<WorkerSecret>,
    /// Wrong PINs before the right one.
    pub(super) failures: u32,
}

impl Opened {
    pub(super) fn begin_renewal(
        &mut self,
        dir: &Path,
        world: &dyn World,
        number: u32,
        key: &Key,
    ) -> Result<(), VaultError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.add_key(world, number, key)?;
        file.write(dir)
    }

    pub(super) fn end_renewal(&mut self, dir: &Path, newest: u32) -> Result<(), VaultError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.keys.retain(|key| key.number == newest);
        file.write(dir)
    }

    /// The store key number `number`, where it follows from a given one.
    pub(super) fn derived(&self, number: u32) -> Option<Key> {
        Some(derive(self.given.as_ref()?, number))
    }
}

fn derive(given: &Key, number: u32) -> Key {
    let mut hasher = blake3::Hasher::new_keyed(given.bytes());
    hasher.update(b"wangge store key");
    hasher.update(&number.to_le_bytes());
    Key::of(*hasher.finalize().as_bytes())
}

impl Vault {
    /// Makes a vault over a new store.
    pub(crate) fn create(
        dir: &Path,
        store: Store,
        world: Arc<dyn World>,
        replica: [u8; 32],
        access: &Access,
    ) -> Result<Self, VaultError> {
        let general = Key::draw(&*world)?;
        let (key, opened) = match access.given {
            Some(given) => {
                let given = Key::of(given);
                (
                    derive(&given, 1),
                    Opened { file: None, given: Some(given), pair: None, worker: None, failures: 0 },
                )
            }
            None => {
                let key = Key::draw(&*world)?;
                let (holder, pair) = match &access.pin {
                    Some(pin) => {
                        let pair = Pair::draw(&*world)?;
                        (Holder::with_pin(&*world, &pair, pin, access.cost)?, pair)
                    }
                    None => {
                        let holder = Holder::open(&*world)?;
                        let pair = holder.lock.unlock(None).ok_or(VaultError::Unreadable)?;
                        (holder, pair)
                    }
                };
                let mut file =
                    KeyFile { replica, holders: vec![holder], keys: Vec::new(), failures: 0, failed_ms: 0 };
                file.add_key(&*world, 1, &key)?;
                file.write(dir)?;
                (key, Opened { file: Some(file), given: None, pair: Some(pair), worker: None, failures: 0 })
            }
        };
        let ring = Ring { store: [(1, key)].into(), general };
        let mut nonces = Nonces::draw(&*world)?;
        let mut batch = Batch::new();
        for place in [GENERAL, GENERAL_COPY] {
            let wrapped = wrap(&ring, place, &ring.general, &mut nonces);
            batch.put(place, wrapped.ok_or(VaultError::Unreadable)?);
        }
        store.commit(batch)?;
        Ok(Self::assemble(dir, store, world, ring, opened))
    }

    /// Opens the vault in `dir`.
    pub(crate) fn open(
        dir: &Path,
        store: Store,
        world: Arc<dyn World>,
        access: &Access,
    ) -> Result<Self, VaultError> {
        if is_clear(&store)? {
            return Err(VaultError::Older { dir: dir.to_owned() });
        }
        let (keys, opened) = match access.given {
            Some(given) => {
                let given = Key::of(given);
                {
                    let opened = Opened {
                        file: None,
                        given: Some(given.clone()),
                        pair: None,
                        worker: None,
                        failures: 0,
                    };
                    (given_keys(&store, &given)?, opened)
                }
            }
            None => {
                KeyFile::tidy(dir)?;
                let Some(mut file) = KeyFile::read(dir)? else {
                    return Err(match store.get(GENERAL)? {
                        Some(_) => VaultError::Missing { dir: dir.to_owned() },
                        None => VaultError::Empty { dir: dir.to_owned() },
                    });
                };
                let who = access.worker.as_deref();
                let failures = file.failures;
                let (index, pair) = file.admit(dir, &*world, access.pin.as_ref(), who)?;
                let keys = file.open(index, &pair).ok_or(VaultError::Unreadable)?;
                let worker = file.secret_of(index, &pair);
                (keys, Opened { file: Some(file), given: None, pair: Some(pair), worker, failures })
            }
        };
        Self::with_keys(dir, store, world, keys, opened)
    }

    fn with_keys(
        dir: &Path,
        store: Store,
        world: Arc<dyn World>,
        keys: Vec<(u32, Key)>,
        opened: Opened,
    ) -> Result<Self, VaultError> {
        let Some(wrapped) = store.get(GENERAL)? else {
            return Err(VaultError::Empty { dir: dir.to_owned() });
        };
        let unfinished = keys.len() > 1;
        let mut ring = Ring { store: keys.into_iter().collect(), general: Key::of([0; 32]) };
        let copy = || Some(unwrap(&ring, GENERAL_COPY, &store.get(GENERAL_COPY).ok()??)).flatten();
        ring.general = unwrap(&ring, GENERAL, &wrapped).or_else(copy).ok_or(VaultError::Unreadable)?;
        let vault = Self::assemble(dir, store, world, ring, opened);
        if unfinished {
            vault.rewrap()?;
        }
        Ok(vault)
    }

    fn assemble(dir: &Path, store: Store, world: Arc<dyn World>, ring: Ring, opened: Opened) -> Self {
        let keys = Keys { ring: RwLock::new(ring), documents: Mutex::new(Documents::default()) };
        Self {
            dir: dir.to_owned(),
            world,
            store,
            keys: Arc::new(keys),
            turn: Mutex::new(()),
            holder: Mutex::new(opened),
        }
    }

    // ---- PINs

    /// Whether a PIN is needed to open this vault.
    pub fn is_locked_with_pin(&self) -> bool {
        lock(&self.holder).file.as_ref().is_some_and(KeyFile::needs_pin)
    }

    /// Whether `pin` is right; each wrong one makes the next wait longer.
    ///
    /// # Errors
    /// [`VaultError::PinWrong`], [`VaultError::PinWait`], or if the key file cannot be written.
    pub fn check_pin(&self, pin: &Pin) -> Result<(), VaultError> {
        let mut holder = lock(&self.holder);
        let file = holder.file.as_mut().ok_or(VaultError::NoPin)?;
        if !file.needs_pin() {
            return Err(VaultError::NoPin);
        }
        file.admit(&self.dir, &*self.world, Some(pin), None).map(|_| ())
    }

    /// Sets a PIN where there was none, or another one instead of `old`, which is that of `who` where several
    /// workers have one.
    ///
    /// # Errors
    /// [`VaultError::PinNeeded`] or [`VaultError::PinWrong`] if `old` is not the one that is set.
    pub fn set_pin(
        &self,
        (who, old): (Option<&str>, Option<&Pin>),
        new: &Pin,
        cost: PinCost,
    ) -> Result<(), VaultError> {
        let mut holder = lock(&self.holder);
        let mut file = holder.file.clone().ok_or(VaultError::NoPin)?;
        if file.needs_pin() {
            let old = old.ok_or(VaultError::PinNeeded)?;
            let (index, pair) = file.admit(&self.dir, &*self.world, Some(old), who)?;
            file.holders[index].lock = Lock::pin(&*self.world, &pair, new, cost)?;
        } else {
            let pair = Pair::draw(&*self.world)?;
            let added = Holder::with_pin(&*self.world, &pair, new, cost)?;
            let keys = self.store_keys();
            file.add_holder(&*self.world, added, &keys)?;
            file.remove_holders(|holder| matches!(holder.lock, Lock::Open(_)));
            holder.pair = Some(pair);
        }
        file.write(&self.dir)?;
        holder.file = Some(file);
        Ok(())
    }

    /// Takes the PIN away: whoever reads the directory can open it from then on.
    ///
    /// # Errors
    /// [`VaultError::NoPin`], [`VaultError::PinWrong`].
    pub fn remove_pin(&self, old: &Pin) -> Result<(), VaultError> {
        let mut holder = lock(&self.holder);
        let mut file = holder.file.clone().ok_or(VaultError::NoPin)?;
        if !file.needs_pin() {
            return Err(VaultError::NoPin);
        }
        if file.is_shared() {
            return Err(VaultError::Shared);
        }
        file.admit(&self.dir, &*self.world, Some(old), None)?;
        let added = Holder::open(&*self.world)?;
        holder.pair = added.lock.unlock(None);
        let keys = self.store_keys();
        file.add_holder(&*self.world, added, &keys)?;
        file.remove_holders(|holder| matches!(holder.lock, Lock::Pin { .. }));
        file.write(&self.dir)?;
        holder.file = Some(file);
        Ok(())
    }

    /// Lets the centre, whose recovery key has this public half, help with a forgotten PIN.
    ///
    /// # Errors
    /// If the key file cannot be written.
    pub fn set_recovery(&self, public: [u8; 32]) -> Result<(), VaultError> {
        let mut holder = lock(&self.holder);
        let Some(mut file) = holder.file.clone() else { return Ok(()) };
        let is_recovery = |holder: &Holder| matches!(holder.lock, Lock::Recovery);
        if file.holders.iter().any(|holder| is_recovery(holder) && holder.public == public) {
            return Ok(());
        }
        file.remove_holders(is_recovery);
        let keys = self.store_keys();
        file.add_holder(&*self.world, Holder::recovery(public), &keys)?;
        // Whose key the old one could open is known when he unlocks next.
        for worker in file.holders.iter_mut().filter_map(|holder| holder.worker.as_mut()) {
            worker.recovery = None;
        }
        file.write(&self.dir)?;
        holder.file = Some(file);
        Ok(())
    }

    pub(super) fn store_keys(&self) -> Vec<(u32, Key)> {
        self.ring().store.iter().map(|(number, key)| (*number, key.clone())).collect()
    }

    // ---- a forgotten PIN

    /// A line for the centre, which can then let whoever holds this device set a new PIN.
    ///
    /// # Errors
    /// [`VaultError::NoRecovery`] if the device joined without learning the centre's recovery key.
    pub fn ask_recovery(dir: &Path, world: &dyn World) -> Result<String, VaultError> {
        let file = KeyFile::read(dir)?.ok_or_else(|| VaultError::Missing { dir: dir.to_owned() })?;
        let index = file.holders.iter().position(|holder| matches!(holder.lock, Lock::Recovery));
        let index = index.ok_or(VaultError::NoRecovery)?;
        let pair = Pair::draw(world)?;
        let path = dir.join(PENDING_FILE);
        let failed = |source| VaultError::File { path: path.clone(), source };
        discard(&path).map_err(failed)?;
        let mut pending =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        pending.write_all(pair.secret().as_slice()).and_then(|()| pending.sync_all()).map_err(failed)?;
        let keys = file.keys.iter().map(|key| (key.number, key.sealed[index].clone())).collect();
        let workers = file.holders.iter().filter_map(|holder| holder.worker.as_ref()?.recovery.clone());
        let workers = workers.collect();
        Ok(RecoveryRequest { replica: file.replica, public: pair.public(), keys, workers }.to_line())
    }

    /// Opens a vault with the centre's answer and sets a new PIN.
    ///
    /// # Errors
    /// [`VaultError::Line`] if the answer is not one to the request that this device made last.
    pub(crate) fn recover(
        dir: &Path,
        store: Store,
        world: Arc<dyn World>,
        answer: &str,
        access: &Access,
    ) -> Result<Self, VaultError> {
        let pin = access.pin.as_ref().ok_or(VaultError::PinNeeded)?;
        let path = dir.join(PENDING_FILE);
        let secret = Zeroizing::new(std::fs::read(&path).map_err(|_| VaultError::Line)?);
        let pending = Pair::of_secret(secret.as_slice().try_into().map_err(|_| VaultError::Line)?);
        let opened = pending.open(&from_line(ANSWER, answer)?).ok_or(VaultError::Line)?;
        let answer: Answer = postcard::from_bytes(&opened).map_err(|_| VaultError::Line)?;
        let keys: Vec<(u32, Key)> =
            answer.keys.iter().map(|(number, key)| (*number, Key::of(*key))).collect();
        let mut file = KeyFile::read(dir)?.ok_or_else(|| VaultError::Missing { dir: dir.to_owned() })?;
        let pair = Pair::draw(&*world)?;
        let mut holder = Holder::with_pin(&*world, &pair, pin, access.cost)?;
        let is_his = |key: &Option<WorkerKey>| match (&answer.worker, key) {
            (Some(worker), Some(key)) => key.public == worker.public().0,
            (None, key) => key.is_none(),
            (Some(_), None) => false,
        };
        if let Some(worker) = &answer.worker {
            let known = file
                .holders
                .iter()
                .find_map(|holder| holder.worker.clone().filter(|key| is_his(&Some(key.clone()))));
            let sealed = seal_to(&*world, &pair.public(), &worker.to_bytes())?;
            holder.worker = Some(WorkerKey { sealed, ..known.ok_or(VaultError::Line)? });
        }
        let stays = pair.public();
        file.add_holder(&*world, holder, &keys)?;
        file.remove_holders(|holder| {
            !matches!(holder.lock, Lock::Recovery) && holder.public != stays && is_his(&holder.worker)
        });
        file.failures = 0;
        // Opening first: a wrong answer must not replace what is there.
        let opened = Opened {
            file: Some(file.clone()),
            given: None,
            pair: Some(pair),
            worker: answer.worker.clone(),
            failures: 0,
        };
        let vault = Self::with_keys(dir, store, world, keys, opened)?;
        file.write(dir)?;
        discard(&path).map_err(|source| VaultError::File { path, source })?;
        Ok(vault)
    }
}

/// The store keys that follow from a given one, as far as the store uses them.
fn given_keys(store: &Store, given: &Key) -> Result<Vec<(u32, Key)>, VaultError> {
    let mut numbers = std::collections::BTreeSet::new();
    for prefix in [&[WRAPS][..], GENERAL] {
        for entry in store.scan(prefix) {
            numbers.extend(generation_of(&entry?.1));
        }
    }
    Ok(numbers.into_iter().map(|number| (number, derive(given, number))).collect())
}

impl KeyFile {
    /// Whom the PIN, or the file itself, lets in.
    pub(super) fn admit(
        &mut self,
        dir: &Path,
        world: &dyn World,
        pin: Option<&Pin>,
        who: Option<&str>,
    ) -> Result<(usize, Pair), VaultError> {
        let open = |lock: &Lock| matches!(lock, Lock::Open(_));
        if let Some(index) = self.holders.iter().position(|holder| open(&holder.lock)) {
            let pair = self.holders[index].lock.unlock(None).ok_or(VaultError::Unreadable)?;
            return Ok((index, pair));
        }
        let pin = pin.ok_or(VaultError::PinNeeded)?;
        let wait_s = self.wait_s(world.now_ms());
        if wait_s > 0 {
            return Err(VaultError::PinWait { wait_s });
        }
        let opened = |(index, holder): (usize, &Holder)| Some((index, holder.lock.unlock(Some(pin))?));
        let holders = self.holders.iter().enumerate().filter(|(_, holder)| holder.is_seated());
        let mut found: Vec<(usize, Pair)> = holders.filter_map(opened).collect();
        if let (Some(who), true) = (who, self.is_shared()) {
            found.retain(|(index, pair)| {
                self.secret_of(*index, pair).is_some_and(|worker| worker.name == who)
            });
        }
        if found.len() > 1 {
            return Err(VaultError::WhoseTurn);
        }
        match found.pop() {
            Some(found) => {
                if self.failures > 0 {
                    self.failures = 0;
                    self.write(dir)?;
                }
                Ok(found)
            }
            None => {
                self.failures = self.failures.saturating_add(1);
                self.failed_ms = world.now_ms();
                self.write(dir)?;
                tracing::warn!(failures = self.failures, "a wrong PIN");
                Err(VaultError::PinWrong { wait_s: self.wait_s(world.now_ms()) })
            }
        }
    }
}

/// What a device whose PIN is forgotten shows to the centre.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecoveryRequest {
    /// The device.
    pub replica: [u8; 32],
    /// Whom to seal the answer to.
    pub public: [u8; 32],
    /// Its store keys, sealed to the centre.
    pub keys: Vec<(u32, Vec<u8>)>,
    /// On a shared device: its workers' keys, likewise.
    pub workers: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    keys: Vec<(u32, [u8; 32])>,
    worker: Option<WorkerSecret>,
}

impl RecoveryRequest {
    fn to_line(&self) -> String {
        to_line(REQUEST, &crate::replica::encode(self))
    }

    /// Reads the line that the device showed.
    ///
    /// # Errors
    /// [`VaultError::Line`].
    pub fn from_line(line: &str) -> Result<Self, VaultError> {
        postcard::from_bytes(&from_line(REQUEST, line)?).map_err(|_| VaultError::Line)
    }

    /// Who uses the device, if several do: worker and name, as it knows them.
    pub fn workers(&self, recovery: &Pair) -> Vec<(DocId, String)> {
        let opened = self.workers.iter().filter_map(|sealed| WorkerSecret::open(recovery, sealed));
        opened.map(|worker| (worker.worker, worker.name)).collect()
    }

    /// The centre's answer, a line that only this device can use. On a shared device it is for `worker`.
    ///
    /// # Errors
    /// [`VaultError::Line`] if the keys were not sealed to `recovery`.
    pub fn answer(
        &self,
        world: &dyn World,
        recovery: &Pair,
        worker: Option<&DocId>,
    ) -> Result<String, VaultError> {
        let mut workers = self.workers.iter().filter_map(|sealed| WorkerSecret::open(recovery, sealed));
        let worker = worker.map(|id| workers.find(|known| known.worker == *id).ok_or(VaultError::Line));
        let worker = worker.transpose()?;
        let open = |(number, sealed): &(u32, Vec<u8>)| {
            let key = recovery.open(sealed)?;
            Some((*number, key.as_slice().try_into().ok()?))
        };
        let keys = self.keys.iter().map(open).collect::<Option<_>>().ok_or(VaultError::Line)?;
        let text = Zeroizing::new(crate::replica::encode(&Answer { keys, worker }));
        Ok(to_line(ANSWER, &seal_to(world, &self.public, &text)?))
    }
}

/// A line of upper-case letters and digits, with a checksum.
fn to_line(prefix: &str, bytes: &[u8]) -> String {
    let check = blake3::hash(bytes);
    format!("{prefix}{}", BASE32_NOPAD.encode(&[bytes, &check.as_bytes()[..4]].concat()))
}

fn from_line(prefix: &str, line: &str) -> Result<Vec<u8>, VaultError> {
    let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    let line = line.to_ascii_uppercase();
    let text = line.strip_prefix(prefix).ok_or(VaultError::Line)?;
    let bytes = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| VaultError::Line)?;
    let at = bytes.len().checked_sub(4).ok_or(VaultError::Line)?;
    let (body, check) = bytes.split_at(at);
    if blake3::hash(body).as_bytes()[..4] != *check {
        return Err(VaultError::Line);
    }
    Ok(body.to_vec())
}
