//! The file that leads to the store key: who can open it, and the key sealed to each of them.
//!
//! The store key is sealed to the public half of each holder's pair, so a new store key needs nobody's PIN. A
//! holder's secret half stands in the file (an unattended machine), is sealed under what follows from a
//! PIN, or is at the centre (recovery). A changed PIN rewrites that one sealed secret and nothing else.
//!
//! The file is replaced whole. What it held before is overwritten once the new one is durable: a store key
//! that was given up must not be found on the disk. (Flash and copying file systems may keep old blocks all
//! the same; only encryption of the whole disk helps there.)

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::VaultError;
use super::seal::{Key, Nonces, Pair, PinCost, seal_to};
use crate::replica::World;

/// The file's name within the directory of a replica.
pub const KEY_FILE: &str = "store.key";
const OLD_FILE: &str = "store.key.old";
const NEW_FILE: &str = "store.key.new";
const MAGIC: &[u8] = b"wangge store key 1\n";
/// Longest key file that is read, in bytes.
const LEN_BYTES_MAX: u64 = 256 * 1024;

/// Shortest PIN, in characters.
pub const PIN_CHARS_MIN: usize = 4;
/// Longest PIN, in characters.
pub const PIN_CHARS_MAX: usize = 64;
/// Wrong PINs that are answered at once; after that each costs a wait.
const FAILURES_FREE: u32 = 5;
/// Longest wait after a wrong PIN, in seconds.
const WAIT_S_MAX: u64 = 15 * 60;

/// A person's PIN, wiped from memory when it goes.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

impl Pin {
    /// A PIN as it was typed; ends of lines around it do not count.
    ///
    /// # Errors
    /// [`VaultError::PinLength`].
    pub fn new(typed: &str) -> Result<Self, VaultError> {
        let pin = typed.trim_matches(['\r', '\n']);
        let chars = pin.chars().count();
        if !(PIN_CHARS_MIN..=PIN_CHARS_MAX).contains(&chars) {
            return Err(VaultError::PinLength { chars });
        }
        Ok(Self(Zeroizing::new(pin.to_owned())))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a holder's secret half is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Lock {
    /// It stands here: an unattended machine.
    Open([u8; 32]),
    /// Sealed under what follows from a PIN.
    Pin { salt: [u8; 16], cost: PinCost, sealed: Vec<u8> },
    /// The centre has it.
    Recovery,
}

/// Someone who can open the store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) lock: Lock,
    pub(super) public: [u8; 32],
    /// The worker whose PIN it is, and his signing key, sealed to `public`.
    pub(super) worker: Option<WorkerKey>,
}

/// A worker's own signing key on this device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct WorkerKey {
    /// The invitation that is to make it count; 0 once it does.
    pub(super) invitation: u32,
    /// His public key.
    pub(super) public: [u8; 32],
    /// A [`super::workers::WorkerSecret`], sealed to the holder.
    pub(super) sealed: Vec<u8>,
    /// The same, sealed to the centre's recovery key.
    pub(super) recovery: Option<Vec<u8>>,
}

/// One store key, sealed to each holder, in their order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Generation {
    pub(super) number: u32,
    pub(super) sealed: Vec<Vec<u8>>,
}

/// The file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct KeyFile {
    /// The replica, so that the centre knows whose store it helps to open.
    pub(super) replica: [u8; 32],
    pub(super) holders: Vec<Holder>,
    /// Newest last; two while everything is sealed anew under the second.
    pub(super) keys: Vec<Generation>,
    /// Wrong PINs since the last right one, and when the last one was tried, milliseconds since 1970.
    pub(super) failures: u32,
    pub(super) failed_ms: u64,
}

impl KeyFile {
    /// The file of `dir`, `None` if there is none.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, VaultError> {
        let path = dir.join(KEY_FILE);
        let failed = |source| VaultError::File { path: path.clone(), source };
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let damaged = || VaultError::Damaged { path: path.clone() };
        if length > LEN_BYTES_MAX {
            return Err(damaged());
        }
        let bytes = Zeroizing::new(fs::read(&path).map_err(failed)?);
        let body = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_at_checked(32))
            .filter(|(check, body)| blake3::hash(body).as_bytes() == check);
        let (_, body) = body.ok_or_else(damaged)?;
        let file: Self = postcard::from_bytes(body).map_err(|_| damaged())?;
        let sound =
            !file.keys.is_empty() && file.keys.iter().all(|key| key.sealed.len() == file.holders.len());
        if !sound {
            return Err(damaged());
        }
        Ok(Some(file))
    }

    /// Ends what a crash left between a new file and the end of the old one. The caller holds the store, so
    /// nobody else is writing.
    pub(super) fn tidy(dir: &Path) -> Result<(), VaultError> {
        [OLD_FILE, NEW_FILE].iter().try_for_each(|name| {
            let path = dir.join(name);
            discard(&path).map_err(|source| VaultError::File { path, source })
        })
    }

    /// Puts this file in the place of the one that is there, durably, and overwrites that one.
    pub(super) fn write(&self, dir: &Path) -> Result<(), VaultError> {
        let path = dir.join(KEY_FILE);
        self.replace(dir, &path).map_err(|source| VaultError::File { path, source })
    }

    fn replace(&self, dir: &Path, path: &Path) -> io::Result<()> {
        let (new, old) = (dir.join(NEW_FILE), dir.join(OLD_FILE));
        discard(&old)?;
        discard(&new)?;
        let body = Zeroizing::new(postcard::to_stdvec(self).map_err(io::Error::other)?);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(MAGIC)?;
        file.write_all(blake3::hash(&body).as_bytes())?;
        file.write_all(&body)?;
        file.sync_all()?;
        if path.exists() {
            fs::hard_link(path, &old)?;
        }
        fs::rename(&new, path)?;
        File::open(dir)?.sync_all()?;
        discard(&old)
    }

    /// The store keys by their numbers, for the holder at `index` whose secret half is `pair`.
    pub(super) fn open(&self, index: usize, pair: &Pair) -> Option<Vec<(u32, Key)>> {
        let open =
            |key: &Generation| Some((key.number, Key::from_slice(&pair.open(key.sealed.get(index)?)?)?));
        self.keys.iter().map(open).collect()
    }

    /// Adds a store key, sealed to all holders.
    pub(super) fn add_key(&mut self, world: &dyn World, number: u32, key: &Key) -> Result<(), VaultError> {
        let seal = |holder: &Holder| seal_to(world, &holder.public, key.bytes());
        let sealed = self.holders.iter().map(seal).collect::<Result<_, _>>()?;
        self.keys.push(Generation { number, sealed });
        Ok(())
    }

    /// Adds a holder, who can then open all `keys`.
    pub(super) fn add_holder(
        &mut self,
        world: &dyn World,
        holder: Holder,
        keys: &[(u32, Key)],
    ) -> Result<(), VaultError> {
        for generation in &mut self.keys {
            let key = keys.iter().find(|(number, _)| *number == generation.number);
            let (_, key) = key.ok_or(VaultError::Unreadable)?;
            generation.sealed.push(seal_to(world, &holder.public, key.bytes())?);
        }
        self.holders.push(holder);
        Ok(())
    }

    /// Takes the holders away that `goes` names.
    pub(super) fn remove_holders(&mut self, goes: impl Fn(&Holder) -> bool) {
        let stays: Vec<bool> = self.holders.iter().map(|holder| !goes(holder)).collect();
        let mut at = stays.iter();
        self.holders.retain(|_| at.next().copied().unwrap_or(true));
        for generation in &mut self.keys {
            let mut at = stays.iter();
            generation.sealed.retain(|_| at.next().copied().unwrap_or(true));
        }
    }

    /// Whether somebody's PIN is needed.
    pub(super) fn needs_pin(&self) -> bool {
        !self.holders.iter().any(|holder| matches!(holder.lock, Lock::Open(_)))
    }

    /// How long the next PIN must wait, in seconds; 0 if it need not.
    pub(super) fn wait_s(&self, now_ms: u64) -> u64 {
        if self.failures < FAILURES_FREE {
            return 0;
        }
        let wait_s = (1 << (self.failures - FAILURES_FREE).min(10)).min(WAIT_S_MAX);
        // A clock that was set back must not lock a person out for longer than one wait.
        let until_ms = self.failed_ms.min(now_ms) + wait_s * 1_000;
        until_ms.saturating_sub(now_ms).div_ceil(1_000)
    }
}

impl Holder {
    /// Whoever can read the file.
    pub(super) fn open(world: &dyn World) -> Result<Self, VaultError> {
        let pair = Pair::draw(world)?;
        Ok(Self { lock: Lock::Open(*pair.secret()), public: pair.public(), worker: None })
    }

    /// The holder of a PIN.
    pub(super) fn with_pin(
        world: &dyn World,
        pair: &Pair,
        pin: &Pin,
        cost: PinCost,
    ) -> Result<Self, VaultError> {
        Ok(Self { lock: Lock::pin(world, pair, pin, cost)?, public: pair.public(), worker: None })
    }

    /// The centre.
    pub(super) fn recovery(public: [u8; 32]) -> Self {
        Self { lock: Lock::Recovery, public, worker: None }
    }
}

impl Lock {
    pub(super) fn pin(world: &dyn World, pair: &Pair, pin: &Pin, cost: PinCost) -> Result<Self, VaultError> {
        let salt = world.random()?;
        let key = cost.key_of(pin.as_str(), &salt).ok_or(VaultError::Unreadable)?;
        let sealed = key.seal(Nonces::draw(world)?.next(), &salt, pair.secret().as_slice());
        Ok(Self::Pin { salt, cost, sealed })
    }

    /// The secret half, if it stands here or the PIN is right.
    pub(super) fn unlock(&self, pin: Option<&Pin>) -> Option<Pair> {
        match (self, pin) {
            (Self::Open(secret), _) => Some(Pair::of_secret(*secret)),
            (Self::Pin { salt, cost, sealed }, Some(pin)) => {
                let secret = Zeroizing::new(cost.key_of(pin.as_str(), salt)?.open(salt, sealed)?);
                Some(Pair::of_secret(secret.as_slice().try_into().ok()?))
            }
            (Self::Pin { .. }, None) | (Self::Recovery, _) => None,
        }
    }
}

/// Overwrites and removes all key files of a directory.
pub(super) fn shred(dir: &Path) -> io::Result<()> {
    for name in [KEY_FILE, OLD_FILE, NEW_FILE] {
        discard(&dir.join(name))?;
    }
    File::open(dir)?.sync_all()
}

/// Overwrites a file and removes it, if it is there.
pub(super) fn discard(path: &PathBuf) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len().min(LEN_BYTES_MAX);
    file.write_all(&vec![0; length as usize])?;
    file.sync_all()?;
    fs::remove_file(path)
}
