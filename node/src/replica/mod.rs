//! A replica on a machine: the store, the logs, the documents made of them. Sessions, commands and the
//! relay all work on this one value.
//!
//! Two locks. `state` guards the ends of the logs and is held only for moments, never while waiting
//! for the disk. `documents` makes local commits and the application of foreign transactions take
//! turns; it is taken before `state`.

mod apply;
mod audit;
mod commit;
mod compare;
mod crossing;
mod cutting;
mod doctor;
mod erase;
mod intake;
pub mod keys;
pub(crate) mod leaving;
mod lookup;
mod machine;
mod mending;
mod outgoing;
mod pages;
mod past;
pub mod photos;
mod profile;
mod recent;
mod reissue;
mod roster;
mod salvage;
mod scope;
mod sealed;
mod search;
mod spare;
mod turn;
pub mod vault;
mod verdicts;
mod views;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::mpsc::UnboundedSender;

use wangge_model::audit::{Entry as Record, What};
use wangge_model::clock::{Clock, Ends, Extent};
use wangge_model::document::DocumentError;
use wangge_model::identity::{DocId, Epoch, LogId, ReplicaId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::SigningKey;
use wangge_model::right::Refusal;
use wangge_model::session::Completeness;
use wangge_model::tree;
use wangge_store::{Batch, Chain, Store, StoreError};

pub use audit::{AuditBreak, AuditReport};
pub use commit::{Committed, Edit};
pub use crossing::Touched;
pub use doctor::{Checkup, Finding, Outcome, Trouble};
pub use erase::ErasureOrder;
pub use intake::{Intake, IntakeError, Misfit};
pub use lookup::{Delivery, Found, ScopeDigest};
pub use machine::{Machine, Program, System, World};
pub use pages::Came;
pub use past::{Happened, What as Event};
pub use profile::{Profile, STORE_VERSION};
pub use sealed::{SealedEnd, SealedIntakeError};
pub use turn::Acting;
pub use vault::KEY_FILE;
pub use verdicts::{LogState, Quarantined};

use scope::{HeldScope, ScopeState};
use vault::{Access, Vault, VaultError};

/// How exactly it is known when the centre was last met, milliseconds: each session would write otherwise.
const MET_EVERY_MS: u64 = 60 * 1_000;

/// More of a log has become durable.
#[derive(Clone, Debug)]
pub struct Durable {
    /// The scope.
    pub scope: Scope,
    /// The log.
    pub log: LogId,
    /// Where its branches end now.
    pub ends: Ends,
    /// The log or branch that has grown, by the name that it has here, and how far.
    pub piece: (LogId, u64),
}

struct State {
    scopes: BTreeMap<Scope, ScopeState>,
    /// Set when a write of foreign transactions failed: what is in memory is ahead of the disk.
    failed: Option<String>,
    /// Of foreign transactions that are on their way to the disk.
    chain: Chain,
    /// Why the centre ordered that all be destroyed here: nothing is written any more.
    revoked: Option<String>,
    /// Documents that were erased: nothing of them is taken in any more.
    erased: BTreeSet<DocId>,
}

/// One replica.
pub struct Replica {
    dir: PathBuf,
    world: Arc<dyn World>,
    program: Program,
    store: Vault,
    profile: RwLock<Profile>,
    /// Drawn at each start of the process: from it follow the Automerge actors.
    actor_nonce: u64,
    /// Only `street` takes effect: see [`Replica::await_street`].
    awaits_street: AtomicBool,
    state: Mutex<State>,
    documents: Mutex<()>,
    /// Orders of erasure may have come that are not carried out.
    orders_due: AtomicBool,
    subscribers: Mutex<Vec<UnboundedSender<Durable>>>,
    rosters: roster::Rosters,
    searched: search::Searched,
    recent: recent::Recent,
    /// Whose turn it is on a shared device.
    turn: RwLock<Option<Arc<vault::WorkerSecret>>>,
    /// Cases and orders that changed, where somebody carries over between them.
    crossing: crossing::Changed,
    /// Whether it is the centre's own, for good.
    is_centre: bool,
    /// What peers were last heard to have, also where that is not noted in the store yet.
    heard: Mutex<BTreeMap<(ReplicaId, Scope), Clock>>,
    /// The last page of each scope that came, on its way to the disk.
    arriving_pages: Mutex<BTreeMap<Scope, pages::Stored>>,
    /// Audit entries and sealed cells are written one at a time.
    sealing: Mutex<()>,
    compared: compare::Compared,
    /// Where the mark beside the directory lies, if there is one.
    mark: Option<PathBuf>,
    last_mark: Mutex<Option<Vec<u8>>>,
    /// The next session is to compare.
    compare_asked: AtomicBool,
    /// What was damaged when it was opened.
    salvaged: Mutex<Vec<Finding>>,
    /// Told when there are sealed cells to send or to open.
    sealed: tokio::sync::watch::Sender<u64>,
    photos: photos::Photos,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// What goes wrong on a replica.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What keeps it sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A stored document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A record of the store that cannot be read.
    #[error("the record {what} in {} is damaged; run `wangge doctor` or sync to heal it", dir.display())]
    Damaged {
        /// What it is.
        what: String,
        /// Where.
        dir: PathBuf,
    },
    /// Nothing here.
    #[error(
        "{} 里还没有网格数据:请先用邀请码加入 (wangge join) 或建立街道 (wangge-relay init)\n\
         {} holds no replica yet: join with an invitation or found a street first",
        dir.display(), dir.display()
    )]
    NoReplica {
        /// Where.
        dir: PathBuf,
    },
    /// Something is here already.
    #[error(
        "{} 已经是一个{what}的数据目录,请换一个目录\n{} already holds a replica ({what}): use another directory",
        dir.display(), dir.display()
    )]
    Occupied {
        /// Where.
        dir: PathBuf,
        /// What.
        what: String,
    },
    /// Written by a newer version.
    #[error("{} was written by a newer version ({found}; this one knows {STORE_VERSION}): update this program", dir.display())]
    Newer {
        /// Where.
        dir: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A file of a photo that cannot be read or written.
    #[error("照片文件 {} 读写失败:{source}\nthe file {} of a photo cannot be used: {source}", path.display(), path.display())]
    Photo {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A scope that this replica does not hold.
    #[error("本机不负责 {scope},不能读写\nthis replica does not hold {scope}")]
    NotHeld {
        /// The scope.
        scope: Scope,
    },
    /// The centre had it destroyed.
    #[error(
        "此设备已被社管中心注销,{} 里的数据已清除。原因:{}\n\
         the centre has revoked this device and what {} held is destroyed; reason: {}",
        dir.display(),
        if .reason.is_empty() { "未写明" } else { .reason },
        dir.display(),
        if .reason.is_empty() { "none given" } else { .reason },
    )]
    Wiped {
        /// Where.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// The centre has ordered that this replica be destroyed: nothing more is saved here.
    #[error(
        "此设备已被社管中心注销,不再保存;已保存的内容送到中心后即清除。原因:{}\n\
         the centre has revoked this device: nothing more is saved, and what is here is destroyed once the centre \
         has what was saved; reason: {}",
        if .reason.is_empty() { "未写明" } else { .reason },
        if .reason.is_empty() { "none given" } else { .reason },
    )]
    Revoked {
        /// Why.
        reason: String,
    },
    /// An order that is not for this replica.
    #[error(transparent)]
    Order(wangge_model::wipe::WipeError),
    /// The centre would not let it count.
    #[error("not saved: {} ({scope})", refusal.reason)]
    MayNot {
        /// Where.
        scope: Scope,
        /// Why, and who may.
        refusal: Box<Refusal>,
    },
    /// The document was erased.
    #[error("这份档案已按规定清除,不能再写\nthis record was erased by order: it cannot be written any more")]
    Erased {
        /// Which.
        document: DocId,
    },
    /// Several workers use the device, and it is nobody's turn.
    #[error(
        "本机由多人共用,请先输入自己的 PIN (wangge unlock --worker 姓名)\nseveral workers use this device: give your own PIN first (wangge unlock --worker NAME)"
    )]
    NoTurn,
    /// He has a PIN here, but the centre has ended his use of the device.
    #[error("{name} 已不在本机的使用人员名单中\n{name} may no longer use this device: ask the centre")]
    NotHere {
        /// Who.
        name: String,
    },
    /// A neighbour cannot begin with this replica.
    #[error(
        "{scope} 在本机清除过个人信息,新设备请直接向中心同步\n\
         personal data of {scope} was erased here: a new device must begin at the centre"
    )]
    NoBeginning {
        /// The scope.
        scope: Scope,
    },
    /// A newer version wrote what has come.
    #[error(
        "{scope} 的档案由更新的版本写成,请先更新本程序再同步\na newer version wrote what {scope} holds: update this program, then sync"
    )]
    NeedsUpdate {
        /// The scope.
        scope: Scope,
    },
    /// A change that breaks a rule of form: a defect of this program.
    #[error("the change is not well formed: {0}")]
    Form(String),
    /// Too much at once.
    #[error("one transaction would take {len_bytes} bytes; the limit is {max_bytes}: save it in parts")]
    TooLarge {
        /// How much.
        len_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
    /// An earlier write failed.
    #[error(
        "an earlier write failed ({reason}); what was reported as saved is safe. Mend the cause and start again"
    )]
    Failed {
        /// The earlier failure.
        reason: String,
    },
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who this replica is, twice: without it nothing else is worth anything.
fn put_profile(profile: &Profile, batch: &mut Batch) {
    batch.put(keys::PROFILE, encode(profile));
    batch.put(keys::PROFILE_COPY, encode(profile));
}

fn read_profile(vault: &Vault, dir: &Path, key: &[u8]) -> Result<Option<Profile>, ReplicaError> {
    let Some(bytes) = vault.get(key)? else { return Ok(None) };
    let damaged = || ReplicaError::Damaged { what: "profile".to_owned(), dir: dir.to_owned() };
    let (version, _): (u32, _) = postcard::take_from_bytes(&bytes).map_err(|_| damaged())?;
    if version > STORE_VERSION {
        return Err(ReplicaError::Newer { dir: dir.to_owned(), found: version });
    }
    postcard::from_bytes(&bytes).map(Some).map_err(|_| damaged())
}

/// A simulated disk needs a key that does not lie in a file.
fn simulated(options: &wangge_store::Options, access: Access) -> Access {
    match options.disk {
        Some(_) => Access { given: access.given.or(Some([0x5a; 32])), ..access },
        None => access,
    }
}

impl Replica {
    /// Makes a new replica in an empty or missing directory.
    ///
    /// # Errors
    /// [`ReplicaError::Occupied`] if one is there already.
    pub fn create(dir: &Path, profile: Profile, machine: impl Into<Machine>) -> Result<Self, ReplicaError> {
        let Machine { world, options, access, program } = machine.into();
        let (is_simulated, access) = (options.disk.is_some(), simulated(&options, access));
        let store = Store::open(dir, options)?;
        if store.get(keys::PROFILE)?.is_some() {
            return Err(ReplicaError::Occupied { dir: dir.to_owned(), what: "wangge".to_owned() });
        }
        // Residents' data and this replica's key: for its owner's eyes only.
        let private = std::fs::Permissions::from_mode(0o700);
        if !is_simulated && let Err(error) = std::fs::set_permissions(dir, private) {
            tracing::warn!(dir = %dir.display(), %error, "the directory cannot be closed to other users");
        }
        let vault = Vault::create(dir, store, Arc::clone(&world), profile.replica().0, &access)?;
        let mut batch = Batch::new();
        put_profile(&profile, &mut batch);
        vault.commit(batch)?;
        let replica = Self::start(dir, (world, program), vault, profile, Vec::new())?;
        replica.note_recovery(&replica.profile())?;
        Ok(replica)
    }

    /// Opens the replica in `dir`.
    ///
    /// # Errors
    /// [`ReplicaError::NoReplica`] if there is none; [`ReplicaError::Newer`].
    pub fn open(dir: &Path, machine: impl Into<Machine>) -> Result<Self, ReplicaError> {
        let Machine { world, options, access, program } = machine.into();
        leaving::check_wiped(dir)?;
        if !Store::exists(dir, &options) {
            return Err(ReplicaError::NoReplica { dir: dir.to_owned() });
        }
        let access = simulated(&options, access);
        let store = Store::open(dir, options)?;
        Self::unlock(dir, Vault::open(dir, store, Arc::clone(&world), &access), (world, program))
    }

    /// Opens the replica in `dir`, whose PIN is forgotten, with the centre's answer to the request that
    /// [`Vault::ask_recovery`] made. The PIN that `machine` names is the new one.
    ///
    /// # Errors
    /// [`VaultError::Line`] if the answer does not fit.
    pub fn open_with_answer(
        dir: &Path,
        answer: &str,
        machine: impl Into<Machine>,
    ) -> Result<Self, ReplicaError> {
        let Machine { world, options, access, program } = machine.into();
        if !Store::exists(dir, &options) {
            return Err(ReplicaError::NoReplica { dir: dir.to_owned() });
        }
        let store = Store::open(dir, options)?;
        Self::unlock(dir, Vault::recover(dir, store, Arc::clone(&world), answer, &access), (world, program))
    }

    fn unlock(
        dir: &Path,
        vault: Result<Vault, VaultError>,
        (world, program): (Arc<dyn World>, Program),
    ) -> Result<Self, ReplicaError> {
        let nothing = || ReplicaError::NoReplica { dir: dir.to_owned() };
        let vault = match vault {
            Err(VaultError::Empty { .. }) => return Err(nothing()),
            other => other?,
        };
        let mut salvaged: Vec<Finding> = Vec::new();
        if vault.mend_general()? {
            let reason = "one copy of the general key did not open";
            salvaged.push(Finding { outcome: Outcome::Repaired, ..Finding::new(Trouble::Key, reason) });
        }
        let profile = match read_profile(&vault, dir, keys::PROFILE) {
            Ok(profile) => profile,
            Err(error @ ReplicaError::Newer { .. }) => return Err(error),
            Err(error) => {
                let Ok(Some(profile)) = read_profile(&vault, dir, keys::PROFILE_COPY) else {
                    return Err(error);
                };
                let mut batch = Batch::new();
                put_profile(&profile, &mut batch);
                vault.commit(batch)?;
                let finding = Finding::new(Trouble::Profile, error.to_string());
                salvaged.push(Finding { outcome: Outcome::Repaired, ..finding });
                Some(profile)
            }
        };
        let Some(profile) = profile else { return Err(nothing()) };
        Self::start(dir, (world, program), vault, profile, salvaged)
    }

    fn start(
        dir: &Path,
        (world, program): (Arc<dyn World>, Program),
        store: Vault,
        profile: Profile,
        salvaged: Vec<Finding>,
    ) -> Result<Self, ReplicaError> {
        let is_centre = profile.replica() == profile.centre();
        let replica = Self {
            dir: dir.to_owned(),
            store,
            profile: RwLock::new(profile.prepared()),
            actor_nonce: u64::from_le_bytes(world.random()?),
            awaits_street: AtomicBool::new(false),
            world,
            program,
            state: Mutex::new(State {
                scopes: BTreeMap::new(),
                failed: None,
                chain: Chain::default(),
                revoked: None,
                erased: BTreeSet::new(),
            }),
            documents: Mutex::new(()),
            orders_due: AtomicBool::new(true),
            subscribers: Mutex::new(Vec::new()),
            rosters: roster::Rosters::default(),
            crossing: crossing::Changed::default(),
            searched: search::Searched::default(),
            recent: recent::Recent::default(),
            turn: RwLock::new(None),
            is_centre,
            heard: Mutex::default(),
            arriving_pages: Mutex::default(),
            sealing: Mutex::new(()),
            compared: compare::Compared::default(),
            // A simulated disk has no beside, and the centre an incarnation instead.
            mark: if is_centre { None } else { past::mark_of(dir).filter(|_| dir.is_dir()) },
            last_mark: Mutex::new(None),
            compare_asked: AtomicBool::new(false),
            salvaged: Mutex::new(salvaged),
            sealed: tokio::sync::watch::Sender::new(0),
            photos: photos::Photos::default(),
        };
        for key in replica.store.scan_keys(keys::ERASED) {
            let key = key?;
            lock(&replica.state).erased.extend(key.get(1..).and_then(DocId::from_slice));
        }
        replica.leave()?;
        replica.load_scopes()?;
        replica.upgrade()?;
        replica.check_mark()?;
        replica.salvage()?;
        replica.renew_views()?;
        replica.sweep_photos()?;
        replica.note_wrong_pins();
        if let Err(error) = replica.finish_reissues() {
            // It stays due.
            tracing::warn!(%error, "what is to be written once more waits");
        }
        if let Some(worker) = replica.store.take_opener()
            && let Err(error) = replica.begin_turn(worker)
        {
            // Sessions go on; whoever may act here unlocks.
            tracing::warn!(%error, "no turn begins");
        }
        Ok(replica)
    }

    /// Takes up a store that an older version wrote. Before version 3 one end was noted of each log, and of each branch,
    /// that a peer had; where a log forked it is left out, and the peer tells it again. All else stays, branches under the
    /// names that they had.
    fn upgrade(&self) -> Result<(), ReplicaError> {
        let mut profile = self.profile();
        if profile.version >= STORE_VERSION {
            return Ok(());
        }
        let mut forked: BTreeSet<LogId> = BTreeSet::new();
        for (scope, scoped) in &lock(&self.state).scopes {
            let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
            forked.extend(held.forked().iter().flat_map(|log| tree::pieces(&held, log)));
        }
        let mut batch = Batch::new();
        for key in self.store.scan_keys(keys::REMEMBERED) {
            let key = key?;
            let value = self.store.get(&key).ok().flatten();
            let former: Option<BTreeMap<LogId, Extent>> =
                value.and_then(|value| postcard::from_bytes(&value).ok());
            let Some(mut former) = former else {
                batch.delete(key);
                continue;
            };
            former.retain(|log, _| !forked.contains(log));
            let ends = former.into_iter().map(|(log, extent)| (log, Ends::from(extent)));
            batch.put(key, encode(&Clock(ends.collect())));
        }
        profile.version = STORE_VERSION;
        put_profile(&profile, &mut batch);
        self.store.commit(batch)?;
        *self.profile.write().unwrap_or_else(PoisonError::into_inner) = profile.prepared();
        Ok(())
    }

    /// Tells the centre of wrong PINs that were tried while nobody had the store open.
    fn note_wrong_pins(&self) {
        let failures = self.store.take_failures();
        if failures == 0 {
            return;
        }
        let entry = Record::new(What::SIGN_IN_FAILED).detail(&format!("{failures} wrong PINs"));
        if let Err(error) = self.audit(entry) {
            tracing::warn!(%error, "wrong PINs could not be recorded");
        }
    }

    /// Reads the ends of all logs of the scopes held.
    fn load_scopes(&self) -> Result<(), ReplicaError> {
        let profile = self.profile();
        let secrets: BTreeMap<Scope, _> =
            profile.grant().map(|grant| grant.secrets.iter().cloned().collect()).unwrap_or_default();
        let mut state = lock(&self.state);
        for scope in profile.scopes() {
            let Some(secret) = secrets.get(&scope) else { continue };
            if let Entry::Vacant(vacant) = state.scopes.entry(scope) {
                let loaded = ScopeState::load(&self.store, vacant.key(), secret.clone())?;
                vacant.insert(loaded);
            }
        }
        Ok(())
    }

    /// Takes up work again after a write of foreign transactions failed, if the store is whole again.
    ///
    /// # Errors
    /// [`ReplicaError::Failed`] if the store still refuses.
    fn recover(&self) -> Result<(), ReplicaError> {
        let Some(reason) = lock(&self.state).failed.clone() else { return Ok(()) };
        let _turn = lock(&self.documents);
        let refused = |_| ReplicaError::Failed { reason: reason.clone() };
        // All that was queued has succeeded or failed after this.
        self.store.commit(Batch::new()).map_err(refused)?;
        let mut state = lock(&self.state);
        let mut mended = BTreeMap::new();
        for (scope, scoped) in &state.scopes {
            let secret = scoped.secret.clone();
            let found = ScopeState::load(&self.store, scope, secret.clone())?;
            let batch = scope::mend(&self.store, scope, &found.tips)?;
            if !batch.is_empty() {
                self.store.commit(batch).map_err(refused)?;
            }
            mended.insert(scope.clone(), ScopeState::load(&self.store, scope, secret)?);
        }
        state.scopes = mended;
        state.failed = None;
        state.chain = Chain::default();
        tracing::warn!("the store takes writes again");
        Ok(())
    }

    // ---- who it is

    /// Where it is stored.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The machine's clock and source of chance.
    pub fn world(&self) -> &Arc<dyn World> {
        &self.world
    }

    /// Milliseconds since 1970 (UTC), as this machine's clock says.
    pub fn now_ms(&self) -> u64 {
        self.world.now_ms()
    }

    /// So many random bytes.
    ///
    /// # Errors
    /// [`ReplicaError::Randomness`].
    pub fn random<const N: usize>(&self) -> Result<[u8; N], ReplicaError> {
        self.world.random()
    }

    /// The store, for records of the relay's own.
    pub fn store(&self) -> &Vault {
        &self.store
    }

    /// Who this replica is.
    pub fn profile(&self) -> Profile {
        self.profile.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores a changed profile and takes up scopes that it adds.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn set_profile(&self, profile: Profile) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        put_profile(&profile, &mut batch);
        self.store.commit(batch)?;
        self.keep_profile(profile)
    }

    /// Goes on with a profile that is stored.
    fn keep_profile(&self, profile: Profile) -> Result<(), ReplicaError> {
        self.note_recovery(&profile)?;
        *self.profile.write().unwrap_or_else(PoisonError::into_inner) = profile.prepared();
        // What was erased of a unit before it was given is to be reported there.
        self.orders_due.store(true, Ordering::Release);
        self.load_scopes()
    }

    /// Lets the centre that granted help with a forgotten PIN.
    fn note_recovery(&self, profile: &Profile) -> Result<(), ReplicaError> {
        match profile.grant() {
            Some(grant) if grant.recovery != [0; 32] => Ok(self.store.set_recovery(grant.recovery)?),
            _ => Ok(()),
        }
    }

    /// The key that signs this replica's heads.
    pub fn signing_key(&self) -> SigningKey {
        self.profile().signing_key()
    }

    /// Whether this replica is the centre's own.
    pub fn is_centre(&self) -> bool {
        self.is_centre
    }

    /// The scopes held.
    pub fn scopes(&self) -> Vec<Scope> {
        lock(&self.state).scopes.keys().cloned().collect()
    }

    // ---- clocks

    /// Per scope held: what is durable, and whether all of it is here.
    pub fn clocks(&self) -> BTreeMap<Scope, (Clock, Completeness)> {
        lock(&self.state)
            .scopes
            .iter()
            .map(|(scope, state)| (scope.clone(), (state.clock(&self.store, scope), state.completeness)))
            .collect()
    }

    /// What is durable of a scope; nothing if it is not held.
    pub fn clock(&self, scope: &Scope) -> Clock {
        let state = lock(&self.state);
        state.scopes.get(scope).map(|scoped| scoped.clock(&self.store, scope)).unwrap_or_default()
    }

    /// News of durable data, from now on.
    pub fn subscribe(&self) -> tokio::sync::mpsc::UnboundedReceiver<Durable> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        lock(&self.subscribers).push(sender);
        receiver
    }

    /// Notes that logs are durable and tells whoever listens: of all together, as what is heard together is
    /// acknowledged together.
    pub(super) fn note_durable(&self, scope: &Scope, grown: &[(LogId, Extent)]) {
        let mut news = Vec::with_capacity(grown.len());
        if let Some(state) = lock(&self.state).scopes.get_mut(scope) {
            for (piece, extent) in grown {
                let held = state.durable.0.entry(*piece).or_insert(*extent);
                if held.len <= extent.len {
                    *held = *extent;
                }
            }
            let held = HeldScope { store: &self.store, scope, tips: &state.tips };
            for (piece, extent) in grown {
                let log = tree::root(&held, piece);
                let ends = state.ends(&held, &log);
                news.push(Durable { scope: scope.clone(), log, ends, piece: (*piece, extent.len) });
            }
        }
        lock(&self.subscribers)
            .retain(|subscriber| news.iter().all(|durable| subscriber.send(durable.clone()).is_ok()));
    }

    // ---- what peers have

    /// What `peer` had when last heard of.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn remembered(&self, peer: &ReplicaId) -> Result<BTreeMap<Scope, Clock>, ReplicaError> {
        let prefix = keys::remembered_of(peer);
        let mut clocks = BTreeMap::new();
        for entry in self.store.scan(&prefix) {
            let (key, value) = entry?;
            let scope = std::str::from_utf8(&key[prefix.len()..]).ok().and_then(|text| text.parse().ok());
            if let (Some(scope), Ok(clock)) = (scope, postcard::from_bytes(&value)) {
                clocks.insert(scope, clock);
            }
        }
        Ok(clocks)
    }

    /// Notes what `peer` has.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn remember(&self, peer: &ReplicaId, clocks: &BTreeMap<Scope, Clock>) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        let is_relay = *peer == self.profile().centre();
        let (now_ms, met_ms) = (self.now_ms(), self.met_centre_ms());
        if is_relay && met_ms.is_none_or(|met_ms| now_ms.abs_diff(met_ms) >= MET_EVERY_MS) {
            batch.put(keys::MET, encode(&now_ms));
        }
        for (scope, clock) in clocks {
            if is_relay {
                self.note_rollback(scope, clock, &mut batch)?;
                self.keep_spares(scope, clock, &mut batch)?;
            }
            let key = keys::remembered(peer, scope);
            let value = encode(clock);
            if !matches!(self.store.get(&key), Ok(Some(known)) if known == value) {
                batch.put(key, value);
            }
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        self.write_mark();
        Ok(())
    }

    /// Hears what `peer` has of a scope. A session that goes on without being in sync notes it only when it ends.
    pub(crate) fn hear_of(&self, peer: &ReplicaId, scope: &Scope, clock: &Clock) {
        lock(&self.heard).insert((*peer, scope.clone()), clock.clone());
    }

    /// When this replica last heard from the centre, to the minute, milliseconds since 1970 (UTC).
    pub fn met_centre_ms(&self) -> Option<u64> {
        postcard::from_bytes(&self.store.get(keys::MET).ok()??).ok()
    }

    /// Notes whether the relay, which has `clock`, lacks part of its own logs, or of what it decided about: then it was
    /// put back to an earlier state, and its earlier receipts say nothing.
    fn note_rollback(&self, scope: &Scope, clock: &Clock, batch: &mut Batch) -> Result<(), ReplicaError> {
        let centre = self.profile().centre();
        let lacks = match lock(&self.state).scopes.get(scope) {
            Some(scoped) => {
                let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
                scoped.durable.0.iter().any(|(piece, extent)| {
                    scoped.tips.get(piece).is_some_and(|tip| tip.identity.replica == centre)
                        && !clock.may_hold(&tree::root(&held, piece), extent)
                        && tree::reach(&held, clock.ends_of(&tree::root(&held, piece)), piece) < extent.len
                }) || scoped.decided.iter().any(|(log, upto)| clock.len_of(&tree::root(&held, log)) < *upto)
            }
            None => return Ok(()),
        };
        let key = keys::rolled_back(scope);
        match (lacks, self.store.get(&key)?.is_some()) {
            (true, false) => {
                tracing::warn!(%scope, "the centre was put back to an earlier state: everything is offered again");
                batch.put(key, [1]);
                self.offer_photos_again(scope, batch)?;
            }
            (false, true) => batch.delete(key),
            _ => {}
        }
        Ok(())
    }

    /// Whether the centre, when this replica last heard of it, lacked what it had written itself in a scope: it
    /// was put back to an earlier state.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn is_centre_put_back(&self, scope: &Scope) -> Result<bool, ReplicaError> {
        Ok(self.store.get(&keys::rolled_back(scope))?.is_some())
    }

    /// While set, only `street` takes effect: the relay was restored and may have an old roster.
    pub fn await_street(&self, awaits: bool) {
        self.awaits_street.store(awaits, Ordering::SeqCst);
    }

    /// Whether only `street` takes effect.
    pub fn awaits_street(&self) -> bool {
        let street_is_cut =
            || lock(&self.state).scopes.get(&Scope::Street).is_some_and(|street| !street.aside.is_empty());
        // A relay that lost part of its roster must not judge by the rest.
        self.awaits_street.load(Ordering::SeqCst) || (self.is_centre && street_is_cut())
    }

    /// Draws a new epoch: positions of the old one may have been issued after the state that is here.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn open_epoch(&self) -> Result<(), ReplicaError> {
        let mut profile = self.profile();
        profile.earlier.push(profile.epoch);
        profile.epoch = Epoch(u64::from_le_bytes(self.random()?));
        self.set_profile(profile)?;
        self.write_mark();
        Ok(())
    }

    /// Hands over all that is stored, sealed as it is, as it is at the end of this call; commits go on
    /// meanwhile. Returns the key file that opens it, to be kept apart.
    ///
    /// # Errors
    /// What `each` returns, or [`ReplicaError`].
    pub fn copy<E: From<ReplicaError>>(
        &self,
        each: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<Vec<u8>, E> {
        self.store.copy(each)
    }

    /// Waits for all writes and gives the directory up.
    pub fn close(self) {
        self.store.close();
    }
}

pub(crate) fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}
