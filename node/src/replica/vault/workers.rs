//! A shared workstation: each worker's PIN unwraps his own key, which signs what is written in his turn.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use wangge_model::identity::{DocId, ReplicaId};
use wangge_model::turn::{TurnKey, public};

use super::access::VaultError;
use super::keyfile::{Holder, KeyFile, Lock, Pin, WorkerKey};
use super::seal::{Pair, PinCost, seal_to};
use super::{Vault, lock};
use crate::replica::World;

/// What a worker's PIN unwraps, wiped from memory when it goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSecret {
    /// The worker.
    pub worker: DocId,
    /// His name, by which he says who he is.
    pub name: String,
    secret: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for WorkerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerSecret").field("worker", &self.worker).finish_non_exhaustive()
    }
}

impl WorkerSecret {
    fn draw(world: &dyn World, worker: DocId, name: &str) -> Result<Self, VaultError> {
        Ok(Self { worker, name: name.to_owned(), secret: Zeroizing::new(world.random()?) })
    }

    /// The key that signs.
    pub fn key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.secret)
    }

    /// Its public half.
    pub fn public(&self) -> TurnKey {
        public(&self.key())
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(crate::replica::encode(self))
    }

    pub(super) fn open(pair: &Pair, sealed: &[u8]) -> Option<Self> {
        postcard::from_bytes(&pair.open(sealed)?).ok()
    }

    /// Sealed to whoever holds `pair` and to the centre.
    fn sealed(
        &self,
        world: &dyn World,
        file: &KeyFile,
        pair: &Pair,
        invitation: u32,
    ) -> Result<WorkerKey, VaultError> {
        let centre = file.holders.iter().find(|holder| matches!(holder.lock, Lock::Recovery));
        let to_centre = |centre: &Holder| seal_to(world, &centre.public, &self.to_bytes());
        Ok(WorkerKey {
            invitation,
            public: self.public().0,
            sealed: seal_to(world, &pair.public(), &self.to_bytes())?,
            recovery: centre.map(to_centre).transpose()?,
        })
    }
}

impl Holder {
    /// Whether he may act already: his joining is not still under way.
    pub(super) fn is_seated(&self) -> bool {
        self.worker.as_ref().is_none_or(|worker| worker.invitation == 0)
    }
}

impl KeyFile {
    /// Whether what is written here is signed by whose turn it is: several workers use the device.
    pub(super) fn is_shared(&self) -> bool {
        self.holders.iter().any(|holder| holder.worker.is_some() && holder.is_seated())
    }

    /// The key of the worker whose holder `pair` belongs to.
    pub(super) fn secret_of(&self, index: usize, pair: &Pair) -> Option<WorkerSecret> {
        WorkerSecret::open(pair, &self.holders.get(index)?.worker.as_ref()?.sealed)
    }
}

impl Vault {
    /// Whether several workers use the device.
    pub fn is_shared(&self) -> bool {
        lock(&self.holder).file.as_ref().is_some_and(KeyFile::is_shared)
    }

    /// The worker whose PIN opened the vault, on a shared device. Only the first to ask gets it.
    pub(crate) fn take_opener(&self) -> Option<WorkerSecret> {
        lock(&self.holder).worker.take()
    }

    /// Wrong PINs before the one that opened the vault. Only the first to ask hears of them.
    pub(crate) fn take_failures(&self) -> u32 {
        std::mem::take(&mut lock(&self.holder).failures)
    }

    /// The worker whose PIN this is. Each wrong one makes the next wait longer.
    ///
    /// # Errors
    /// [`VaultError::PinWrong`], [`VaultError::PinWait`], [`VaultError::WhoseTurn`].
    pub fn check_worker(&self, who: Option<&str>, pin: &Pin) -> Result<Option<WorkerSecret>, VaultError> {
        let mut holder = lock(&self.holder);
        let file = holder.file.as_mut().ok_or(VaultError::NoPin)?;
        if !file.needs_pin() {
            return Err(VaultError::NoPin);
        }
        let (index, pair) = file.admit(&self.dir, &*self.world, Some(pin), who)?;
        let worker = file.secret_of(index, &pair);
        if let Some(worker) = &worker
            && file.holders[index].worker.as_ref().is_some_and(|key| key.recovery.is_none())
        {
            // The centre has a new recovery key since.
            file.holders[index].worker = Some(worker.sealed(&*self.world, file, &pair, 0)?);
            file.write(&self.dir)?;
        }
        Ok(worker)
    }

    /// Makes keys for the worker who opened the vault alone until now, and for whoever joins him with an
    /// invitation and `pin`. Asked again for the same invitation it gives the same keys.
    ///
    /// # Errors
    /// [`VaultError::PinWrong`] if a joining that broke off had another PIN.
    pub(crate) fn prepare_seat(
        &self,
        (first, name): (DocId, &str),
        invitation: u32,
        pin: &Pin,
        cost: PinCost,
    ) -> Result<(TurnKey, TurnKey), VaultError> {
        let mut holder = lock(&self.holder);
        let pair = holder.pair.clone().ok_or(VaultError::NoPin)?;
        let mut file = holder.file.clone().ok_or(VaultError::NoPin)?;
        if !file.needs_pin() {
            return Err(VaultError::NoPin);
        }
        let world = &*self.world;
        let of_first = |holder: &Holder| matches!(holder.lock, Lock::Pin { .. }) && holder.is_seated();
        let first_at = file.holders.iter().position(of_first).ok_or(VaultError::NoPin)?;
        let first_key = match &file.holders[first_at].worker {
            Some(key) => key.turn_key(),
            None => {
                let secret = WorkerSecret::draw(world, first, name)?;
                file.holders[first_at].worker = Some(secret.sealed(world, &file, &pair, 0)?);
                // Whatever he writes from here on he signs: the centre may demand it before he knows.
                holder.worker = Some(secret.clone());
                secret.public()
            }
        };
        let waiting = file
            .holders
            .iter()
            .find(|holder| holder.worker.as_ref().is_some_and(|worker| worker.invitation == invitation));
        let joining = match waiting {
            Some(waiting) => {
                waiting.lock.unlock(Some(pin)).ok_or(VaultError::PinWrong { wait_s: 0 })?;
                waiting.worker.as_ref().map(WorkerKey::turn_key).ok_or(VaultError::Unreadable)?
            }
            None => {
                let pair = Pair::draw(world)?;
                let mut added = Holder::with_pin(world, &pair, pin, cost)?;
                // Who it is the centre's answer says.
                let secret = WorkerSecret::draw(world, DocId([0; 16]), "")?;
                added.worker = Some(secret.sealed(world, &file, &pair, invitation)?);
                let keys = self.store_keys();
                file.add_holder(world, added, &keys)?;
                secret.public()
            }
        };
        file.write(&self.dir)?;
        holder.file = Some(file);
        Ok((first_key, joining))
    }

    /// The centre has let the worker in whose keys were prepared.
    ///
    /// # Errors
    /// [`VaultError::PinWrong`] if it is not the PIN that they were prepared with.
    pub(crate) fn seat(
        &self,
        invitation: u32,
        pin: &Pin,
        (worker, name): (DocId, &str),
    ) -> Result<(), VaultError> {
        let mut holder = lock(&self.holder);
        let mut file = holder.file.clone().ok_or(VaultError::NoPin)?;
        let waits = |holder: &Holder| holder.worker.as_ref().is_some_and(|key| key.invitation == invitation);
        let Some(at) = file.holders.iter().position(waits) else { return Ok(()) };
        let pair = file.holders[at].lock.unlock(Some(pin)).ok_or(VaultError::PinWrong { wait_s: 0 })?;
        let secret = file.secret_of(at, &pair).ok_or(VaultError::Unreadable)?;
        let secret = WorkerSecret { worker, name: name.to_owned(), ..secret };
        file.holders[at].worker = Some(secret.sealed(&*self.world, &file, &pair, 0)?);
        file.write(&self.dir)?;
        holder.file = Some(file);
        Ok(())
    }

    /// The centre refused: what was prepared for the invitation goes.
    ///
    /// # Errors
    /// If the key file cannot be written.
    pub(crate) fn unseat(&self, invitation: u32) -> Result<(), VaultError> {
        let mut holder = lock(&self.holder);
        let Some(mut file) = holder.file.clone() else { return Ok(()) };
        file.remove_holders(|holder| {
            holder.worker.as_ref().is_some_and(|worker| worker.invitation == invitation)
        });
        if file.holders.iter().filter(|holder| holder.worker.is_some()).count() == 1 {
            file.holders.iter_mut().for_each(|holder| holder.worker = None);
            holder.worker = None;
        }
        file.write(&self.dir)?;
        holder.file = Some(file);
        Ok(())
    }
}

impl WorkerKey {
    fn turn_key(&self) -> TurnKey {
        ReplicaId(self.public)
    }
}
