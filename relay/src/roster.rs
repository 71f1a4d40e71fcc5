//! Who may take part: invitations, and the enrolments that they led to. The relay's own records; what
//! everyone may know of them stands as documents in `street`.

pub(crate) mod sharing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use wangge_model::audit::{Entry, What};
use wangge_model::document::{Op, Scalar, Target};
use wangge_model::enrolment::{Enrolment, Grant, SignedEnrolment};
use wangge_model::identity::{DocId, Epoch, IdentityError, ReplicaId, Role, Scope};
use wangge_model::invitation::Invitation;
use wangge_model::roster::{Post, RosterView, Standing, Term, WorkerEntry};
use wangge_model::schema::Kind;
use wangge_model::wipe::{SignedOrder, SignedReceipt, WipeOrder};
use wangge_model::wire::{Join, Joined};
use wangge_node::command::CommandError;
use wangge_node::net::NetError;
use wangge_node::replica::{Edit, Replica, ReplicaError, keys};
use wangge_node::text::{Message, RosterText};
use wangge_store::{Batch, StoreError};

use crate::divisions::DivisionsError;
use crate::founding::{field, unit};
use crate::upkeep::adopt;

/// How long an invitation can be used, by default.
const INVITATION_TERM_S: u64 = 7 * 24 * 3_600;
/// Longest name of a device, in characters.
const DEVICE_CHARS_MAX: usize = 64;

/// Why he is not let in: two of the administrators' posts are not for one worker.
pub(crate) fn excluded(worker: &str, held: Role, role: Role) -> String {
    Message::Roster(RosterText::Excluded { worker, held, role }).both()
}

fn roles() -> String {
    Role::ALL.map(|(_, name, chinese)| format!("{chinese} {name}")).join("、")
}

/// What goes wrong at the relay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The replica underneath.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The file of divisions.
    #[error(transparent)]
    Divisions(#[from] DivisionsError),
    /// A role or unit that does not exist in any street.
    #[error(
        "岗位或单位写法不对。岗位:{roles}。单位:street、centre、area:代码、grid:代码、team:代码\n{0}",
        roles = roles()
    )]
    Identity(#[from] IdentityError),
    /// The street code.
    #[error("街道代码应为 9 位数字,给的是 {found:?}\na street code has 9 digits, found {found:?}")]
    StreetCode {
        /// What was given.
        found: String,
    },
    /// The street's name.
    #[error("街道名称不能为空\nthe street's name is empty")]
    StreetName,
    /// A unit that this street does not have.
    #[error("本街道没有单位 {unit}。现有:{known}\nthis street has no unit {unit}; it has {known}")]
    UnknownUnit {
        /// What was given.
        unit: Scope,
        /// Some that exist.
        known: String,
    },
    /// A post that cannot be held there.
    #[error("岗位 {role} 不能设在 {unit}\nthe role {role} cannot be held at {unit}")]
    Post {
        /// The role.
        role: Role,
        /// The unit.
        unit: Scope,
    },
    /// He holds one of the administrators' posts that exclude each other.
    #[error("{}", excluded(.worker, *.held, *.role))]
    Excluded {
        /// Who.
        worker: String,
        /// The one that he holds.
        held: Role,
        /// The one that he was to get.
        role: Role,
    },
    /// A worker without a name.
    #[error("姓名不能为空\nthe worker's name is empty")]
    WorkerName,
    /// The directory of a phone or workstation.
    #[error("{dir} 是工作端的数据目录,不是社管中心的\n{dir} holds a worker's replica, not the relay's")]
    NotTheRelay {
        /// Where.
        dir: String,
    },
    /// The unit exists already.
    #[error("单位 {unit} 已经有了\nthe unit {unit} exists already")]
    UnitExists {
        /// Which.
        unit: Scope,
    },
    /// A report that did not come.
    #[error("没有第 {number} 号密封举报\nthere is no sealed report {number}")]
    NoReport {
        /// Which.
        number: u32,
    },
    /// A record that cannot be read.
    #[error("the relay's record {what} is damaged")]
    Damaged {
        /// Which.
        what: String,
    },
    /// A command of the roster.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A backup.
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    /// An examination found damage.
    #[error("数据有损坏,见上\nsome of what is stored is damaged, see above")]
    Unhealthy,
    /// The control socket.
    #[error("{0}")]
    Control(String),
}

/// An invitation to be written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invite {
    /// The worker's name.
    pub worker: String,
    /// His post.
    pub role: Role,
    /// Where he holds it.
    pub unit: Scope,
    /// Where the relay is reached; by default where it listened last.
    pub address: Option<String>,
    /// How long it can be used, in seconds.
    pub term_s: Option<u64>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Invited {
    secret: [u8; 16],
    worker: String,
    role: Role,
    unit: Scope,
    expires_s: u64,
    used_by: Option<ReplicaId>,
}

/// What a replica was handed last: the roster says what it is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolled {
    /// What it holds.
    pub enrolment: Enrolment,
    /// The worker's name.
    pub worker_name: String,
    /// A changed enrolment waits to be handed over.
    pub changed: bool,
    /// Scopes that it held before, until it has kept the changed enrolment.
    pub before: BTreeSet<Scope>,
}

impl Enrolled {
    /// All that the replica may still hold.
    pub fn held(&self) -> BTreeSet<Scope> {
        self.enrolment.scopes.iter().chain(&self.before).cloned().collect()
    }
}

/// How a replica stands with the centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// The centre does not know it.
    Unknown,
    /// It is cut off.
    Revoked,
    /// No post of whoever uses it holds any longer.
    Nothing,
    /// It takes part in these scopes.
    Scopes(BTreeSet<Scope>),
}

/// The roster of a street.
pub struct Roster {
    replica: Arc<Replica>,
    /// Invitations and enrolments change one at a time.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roster").finish_non_exhaustive()
    }
}

fn invitation_key(number: u32) -> Vec<u8> {
    [keys::relay_only("invitation\0"), number.to_be_bytes().to_vec()].concat()
}

fn enrolled_key(replica: &ReplicaId) -> Vec<u8> {
    [keys::relay_only("enrolled\0"), replica.0.to_vec()].concat()
}

/// A replica that has opened a further epoch: it was put back, perhaps to before its last enrolment.
pub(crate) fn put_back_key(replica: &ReplicaId) -> Vec<u8> {
    [keys::relay_only("put-back\0"), replica.0.to_vec()].concat()
}

fn entry(container: &str, key: &str, value: Scalar) -> Op {
    let target = Target::Entry { container: container.to_owned(), key: key.to_owned() };
    Op { target, value: Some(value) }
}

fn wiped_key(replica: &ReplicaId) -> Vec<u8> {
    [keys::relay_only("wiped\0"), replica.0.to_vec()].concat()
}

fn address_key() -> Vec<u8> {
    keys::relay_only("address")
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}

impl Roster {
    /// The roster that the relay's replica keeps.
    ///
    /// # Errors
    /// [`RelayError::NotTheRelay`] if the replica is not the centre's.
    pub fn new(replica: Arc<Replica>) -> Result<Self, RelayError> {
        if !replica.is_centre() {
            return Err(RelayError::NotTheRelay { dir: replica.dir().display().to_string() });
        }
        replica.await_street(crate::backup::is_restored(&replica)?);
        Ok(Self { replica, turn: Mutex::new(()) })
    }

    /// The same, shared by all who serve.
    ///
    /// # Errors
    /// [`RelayError::NotTheRelay`] if the replica is not the centre's.
    pub fn take_office(replica: Arc<Replica>) -> Result<Arc<Self>, RelayError> {
        Ok(Arc::new(Self::new(replica)?))
    }

    /// Whether somebody of the centre uses the replica.
    pub(crate) fn is_of_centre(&self, replica: &ReplicaId) -> bool {
        let now_ms = self.replica.now_ms();
        let post = self.replica.roster().ok().and_then(|roster| roster.main_post(replica, now_ms));
        post.is_some_and(|(_, post)| post.role.is_centre())
    }

    /// The relay's replica.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, key: &[u8], what: &str) -> Result<Option<T>, RelayError> {
        match self.replica.store().get(key)? {
            None => Ok(None),
            Some(bytes) => postcard::from_bytes(&bytes)
                .map(Some)
                .map_err(|_| RelayError::Damaged { what: what.to_owned() }),
        }
    }

    fn write<T: Serialize>(&self, key: Vec<u8>, value: &T) -> Result<(), RelayError> {
        let mut batch = Batch::new();
        batch.put(key, encode(value));
        Ok(self.replica.store().commit(batch)?)
    }

    /// Notes where the relay is reached.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn set_address(&self, address: &str) -> Result<(), RelayError> {
        self.write(address_key(), &address)
    }

    /// The administrator's post that keeps a worker of this name from being let in as `role`. Whoever is invited is
    /// known by his name alone, so of two who are called alike only one can be an administrator.
    fn excluding(&self, roster: &RosterView, name: &str, role: Role) -> Option<Role> {
        let term = Term::from(self.replica.now_ms());
        let mut named = roster.workers().values().filter(|entry| entry.name == name);
        named.find_map(|entry| entry.excluding(role, term)).map(|post| post.role)
    }

    /// Writes an invitation and returns it.
    ///
    /// # Errors
    /// [`RelayError`] for an unknown unit, a post that cannot be held there or beside another one, an empty name.
    pub fn invite(&self, invite: &Invite) -> Result<Invitation, RelayError> {
        let worker = invite.worker.trim();
        if worker.is_empty() {
            return Err(RelayError::WorkerName);
        }
        let held = self.replica.scopes();
        if !held.contains(&invite.unit) {
            let known: Vec<String> = held.iter().take(6).map(ToString::to_string).collect();
            let known = format!("{} … ({})", known.join(", "), held.len());
            return Err(RelayError::UnknownUnit { unit: invite.unit.clone(), known });
        }
        if !invite.role.fits(&invite.unit) {
            return Err(RelayError::Post { role: invite.role, unit: invite.unit.clone() });
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let roster = self.replica.roster()?;
        if let Some(held) = self.excluding(&roster, worker, invite.role) {
            return Err(RelayError::Excluded { worker: worker.to_owned(), held, role: invite.role });
        }
        let address = match &invite.address {
            Some(address) => address.clone(),
            None => self.read(&address_key(), "address")?.unwrap_or_else(|| "127.0.0.1:4433".to_owned()),
        };
        let counter = keys::relay_only("invitations");
        let number: u32 = self.read(&counter, "the count of invitations")?.unwrap_or(0) + 1;
        let expires_s = self.replica.now_ms() / 1_000 + invite.term_s.unwrap_or(INVITATION_TERM_S);
        let invited = Invited {
            secret: self.replica.random()?,
            worker: worker.to_owned(),
            role: invite.role,
            unit: invite.unit.clone(),
            expires_s,
            used_by: None,
        };
        let mut batch = Batch::new();
        batch.put(counter, encode(&number));
        batch.put(invitation_key(number), encode(&invited));
        self.replica.store().commit(batch)?;
        let relay = self.replica.profile().replica();
        Ok(Invitation { address, relay, number, secret: invited.secret, expires_s })
    }

    /// Lets a replica in that shows an invitation. Showing the same one again gives the same answer to
    /// the same replica, so that a join that broke off resumes.
    ///
    /// # Errors
    /// If the store fails; a bad invitation is an answer, not an error.
    pub fn join(&self, peer: &ReplicaId, join: &Join) -> Result<Joined, RelayError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |reason: &str| Ok(Joined::Refused(reason.to_owned()));
        let key = invitation_key(join.number);
        let Some(mut invited): Option<Invited> = self.read(&key, "an invitation")? else {
            return refused("unknown");
        };
        // Both are hashed first: the comparison then tells nothing by its duration.
        if blake3::hash(&invited.secret) != blake3::hash(&join.secret) {
            return refused("unknown");
        }
        if let Some(sharing) = &join.sharing {
            return self.seat(peer, sharing, key, invited);
        }
        if let Some(used_by) = invited.used_by {
            return match self.enrolled(peer)? {
                Some(enrolled) if used_by == *peer => Ok(Joined::Granted(self.grant(&enrolled)?)),
                _ => refused("used"),
            };
        }
        if invited.expires_s < self.replica.now_ms() / 1_000 {
            return refused("expired");
        }
        let roster = self.replica.roster()?;
        if roster.replicas().get(peer).is_some_and(|entry| entry.standing == Standing::Revoked) {
            return refused("revoked");
        }
        if let Some(held) = self.excluding(&roster, &invited.worker, invited.role) {
            return refused(&excluded(&invited.worker, held, invited.role).replace('\n', " / "));
        }
        let worker = self.worker(&roster, &invited.worker, invited.role, &invited.unit)?;
        let document = self.replica_document(peer, join, worker, &invited)?;
        self.replica.commit(&Scope::Street, vec![document], None)?;
        let enrolled = self
            .due_enrolment(peer, None)?
            .ok_or_else(|| RelayError::Damaged { what: "enrolment of a replica that joins".to_owned() })?;
        invited.used_by = Some(*peer);
        let mut batch = Batch::new();
        batch.put(key, encode(&invited));
        batch.put(enrolled_key(peer), encode(&enrolled));
        self.replica.store().commit(batch)?;
        tracing::info!(%peer, worker = %invited.worker, role = %invited.role, unit = %invited.unit, "a replica joined");
        Ok(Joined::Granted(self.grant(&enrolled)?))
    }

    /// What a replica was handed last.
    ///
    /// # Errors
    /// If the store fails.
    pub fn enrolled(&self, replica: &ReplicaId) -> Result<Option<Enrolled>, RelayError> {
        self.read(&enrolled_key(replica), "an enrolment")
    }

    /// How a replica stands by the roster.
    ///
    /// # Errors
    /// If the roster cannot be read.
    pub fn due(&self, replica: &ReplicaId) -> Result<Due, RelayError> {
        let roster = self.replica.roster()?;
        let Some(entry) = roster.replicas().get(replica) else { return Ok(Due::Unknown) };
        if entry.standing == Standing::Revoked {
            return Ok(Due::Revoked);
        }
        let mut scopes = roster.holds(replica, self.replica.now_ms());
        if scopes.is_empty() {
            return Ok(Due::Nothing);
        }
        // A unit that was added a moment ago may have no secret yet.
        let own: BTreeSet<Scope> = self.replica.scopes().into_iter().collect();
        scopes.retain(|scope| own.contains(scope));
        Ok(Due::Scopes(scopes))
    }

    /// The enrolment that a replica is due; `None` if it is due none.
    fn due_enrolment(
        &self,
        peer: &ReplicaId,
        handed: Option<&Enrolled>,
    ) -> Result<Option<Enrolled>, RelayError> {
        let scopes = match (self.due(peer)?, handed) {
            (Due::Scopes(scopes), _) => scopes,
            // Nothing is left to it but its name, by which it may come again.
            (Due::Nothing, Some(handed)) => {
                let enrolment = Enrolment { scopes: Vec::new(), ..handed.enrolment.clone() };
                return Ok(Some(Enrolled { enrolment, ..handed.clone() }));
            }
            _ => return Ok(None),
        };
        let roster = self.replica.roster()?;
        let now = self.replica.now_ms();
        let lease_ms = roster.policy().lease_ms;
        let Some((worker, post)) = roster.main_post(peer, now) else { return Ok(None) };
        let epochs = roster.replicas().get(peer).map(|entry| &entry.epochs);
        let epoch = match handed {
            Some(handed) => handed.enrolment.epoch,
            None => Epoch(epochs.and_then(|epochs| epochs.first().copied()).unwrap_or_default()),
        };
        let lease_until_ms = match handed {
            Some(handed) if handed.enrolment.lease_until_ms >= now + lease_ms / 2 => {
                handed.enrolment.lease_until_ms.min(now + lease_ms)
            }
            _ => now + lease_ms,
        };
        let enrolment = Enrolment {
            street: self.replica.profile().street(),
            replica: *peer,
            epoch,
            worker,
            role: post.role,
            unit: post.unit,
            scopes: scopes.into_iter().collect(),
            lease_until_ms,
        };
        let worker_name = roster.workers().get(&worker).map(|entry| entry.name.clone()).unwrap_or_default();
        let before = handed.map(Enrolled::held).unwrap_or_default();
        Ok(Some(Enrolled { enrolment, worker_name, changed: false, before }))
    }

    fn sign(&self, enrolment: &Enrolment) -> SignedEnrolment {
        enrolment.sign(&self.replica.signing_key())
    }

    fn grant(&self, enrolled: &Enrolled) -> Result<Grant, RelayError> {
        let own = self.replica.profile();
        let own = own.grant().ok_or_else(|| RelayError::Damaged { what: "profile".to_owned() })?;
        let scopes = &enrolled.enrolment.scopes;
        Ok(Grant {
            enrolment: self.sign(&enrolled.enrolment),
            secrets: own.secrets.iter().filter(|(scope, _)| scopes.contains(scope)).cloned().collect(),
            street_code: own.street_code.clone(),
            street_name: own.street_name.clone(),
            worker_name: enrolled.worker_name.clone(),
            recovery: own.recovery,
        })
    }

    /// A changed enrolment that the replica has not kept yet. One whose lease is half over is renewed.
    ///
    /// # Errors
    /// If the store fails.
    pub fn changed(&self, replica: &ReplicaId) -> Result<Option<Grant>, RelayError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut handed) = self.enrolled(replica)? else { return Ok(None) };
        if self.replica.store().get(&put_back_key(replica))?.is_some() {
            handed.changed = true;
            let mut batch = Batch::new();
            batch.put(enrolled_key(replica), encode(&handed));
            batch.delete(put_back_key(replica));
            self.replica.store().commit(batch)?;
        }
        let Some(mut due) = self.due_enrolment(replica, Some(&handed))? else { return Ok(None) };
        if due.enrolment == handed.enrolment && due.worker_name == handed.worker_name {
            return if handed.changed { Ok(Some(self.grant(&handed)?)) } else { Ok(None) };
        }
        due.changed = true;
        due.before = handed.held();
        self.write(enrolled_key(replica), &due)?;
        Ok(Some(self.grant(&due)?))
    }

    /// Notes what a replica speaks of: one that was put back to an earlier state has lost the enrolment that it
    /// was handed last, and still has what it held before. It is handed that enrolment again, and what it has of
    /// units where its workers once had a post is taken, as when they left.
    ///
    /// # Errors
    /// If the store or the roster cannot be read or written.
    pub fn meet(&self, replica: &ReplicaId, named: &BTreeSet<Scope>) -> Result<(), RelayError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut handed) = self.enrolled(replica)? else { return Ok(()) };
        let held = handed.held();
        let mut earlier: BTreeSet<Scope> = named.difference(&held).cloned().collect();
        if earlier.is_empty() {
            return Ok(());
        }
        let once = self.replica.roster()?.has_held(replica, self.replica.now_ms());
        earlier.retain(|scope| once.contains(scope));
        if earlier.is_empty() {
            return Ok(());
        }
        handed.changed = true;
        handed.before.extend(earlier);
        self.write(enrolled_key(replica), &handed)
    }

    /// How many bytes more a replica may bring into quarantine, if it is revoked.
    ///
    /// # Errors
    /// If the roster or the quarantine cannot be read.
    pub fn room_len_bytes(&self, replica: &ReplicaId) -> Result<Option<u64>, RelayError> {
        if self.due(replica)? != Due::Revoked {
            return Ok(None);
        }
        let allowed = self.replica.roster()?.policy().quarantine_len_bytes;
        Ok(Some(allowed.saturating_sub(self.replica.quarantined_len_bytes(replica))))
    }

    /// The order to destroy what it holds, if a replica is revoked.
    ///
    /// # Errors
    /// If the roster cannot be read.
    pub fn order(&self, replica: &ReplicaId) -> Result<Option<SignedOrder>, RelayError> {
        if self.due(replica)? != Due::Revoked {
            return Ok(None);
        }
        let roster = self.replica.roster()?;
        let reason = roster.replicas().get(replica).map(|entry| entry.reason.clone()).unwrap_or_default();
        let street = self.replica.profile().street();
        let order = WipeOrder { street, replica: *replica, at_ms: self.replica.now_ms(), reason };
        Ok(Some(order.sign(&self.replica.signing_key())))
    }

    /// Keeps the proof that a replica has destroyed what it held.
    ///
    /// # Errors
    /// If the proof does not hold or cannot be kept.
    pub fn wiped(
        &self,
        replica: &ReplicaId,
        order: &SignedOrder,
        receipt: &SignedReceipt,
    ) -> Result<(), RelayError> {
        let opened = receipt.open(replica, order).map_err(ReplicaError::Order)?;
        self.write(wiped_key(replica), &(order, receipt))?;
        let roster = self.replica.roster()?;
        if let Some(entry) = roster.replicas().get(replica) {
            let at_ms = i64::try_from(self.replica.now_ms()).unwrap_or(i64::MAX);
            let wiped = Op { target: Target::Field("wiped".to_owned()), value: Some(Scalar::Int(at_ms)) };
            let edit = Edit { doc: entry.doc, kind: Kind::REPLICA, ops: vec![wiped] };
            self.replica.commit_in_no_name(&Scope::Street, vec![edit])?;
        }
        let detail = format!("wiped {replica}, signed at {}", opened.at_ms);
        self.replica.audit(Entry::new(What::REVOKED).detail(&detail))?;
        tracing::info!(%replica, "a revoked device has destroyed what it held");
        Ok(())
    }

    /// Whether the proof is here.
    pub fn is_wiped(&self, replica: &ReplicaId) -> bool {
        matches!(self.replica.store().get(&wiped_key(replica)), Ok(Some(_)))
    }

    /// The proof that a replica has destroyed what it held: the order and the receipt as they were signed.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn proof(&self, replica: &ReplicaId) -> Result<Option<(SignedOrder, SignedReceipt)>, RelayError> {
        self.read(&wiped_key(replica), "a receipt for an order to wipe")
    }

    /// Notes that a replica has kept its changed enrolment.
    ///
    /// # Errors
    /// If the store fails.
    pub fn kept(&self, replica: &ReplicaId) -> Result<(), RelayError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.enrolled(replica)? {
            Some(mut enrolled) if enrolled.changed => {
                enrolled.changed = false;
                enrolled.before.clear();
                self.write(enrolled_key(replica), &enrolled)
            }
            _ => Ok(()),
        }
    }

    /// The worker of that name who holds that post; made if there is none.
    fn worker(&self, roster: &RosterView, name: &str, role: Role, unit: &Scope) -> Result<DocId, RelayError> {
        let now = self.replica.now_ms();
        let holds = |post: &Post| post.role == role && post.unit == *unit;
        let of_name = roster.workers().iter().filter(|(_, entry)| entry.name == name);
        let known: Vec<_> = of_name.filter(|(_, entry)| entry.posts.iter().any(holds)).collect();
        let current = |entry: &WorkerEntry| entry.posts().any(|post| holds(&post) && post.term.holds_at(now));
        if let Some((id, _)) = known.iter().find(|(_, entry)| current(entry)) {
            return Ok(**id);
        }
        if role == Role::AuditAdmin {
            adopt(&self.replica, &Scope::Audit)?;
        }
        // He comes back to a post that he had left, or is new.
        let (doc, term) = match known.first() {
            // What he wrote in between, as another administrator, stays his.
            Some((id, entry)) if entry.posts().any(|post| role.excludes(post.role)) => {
                (**id, Term::from(now))
            }
            Some((id, _)) => (**id, Term::default()),
            None => (DocId(self.replica.random()?), Term::default()),
        };
        let ops = vec![
            field("name", name),
            field("status", &Standing::Active.to_text()),
            entry("posts", &Post::key(role, unit), term.to_scalar()),
        ];
        self.replica.commit(&Scope::Street, vec![Edit { doc, kind: Kind::WORKER, ops }], None)?;
        Ok(doc)
    }

    fn replica_document(
        &self,
        peer: &ReplicaId,
        join: &Join,
        worker: DocId,
        invited: &Invited,
    ) -> Result<Edit, RelayError> {
        let secret =
            self.replica.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
        let key = peer.to_string();
        let device: String = join.device.chars().take(DEVICE_CHARS_MAX).collect();
        let mut ops = vec![
            field("key", &key),
            field("worker", &worker.to_string()),
            field("role", invited.role.name()),
            field("unit", &invited.unit.to_string()),
            field("status", &Standing::Active.to_text()),
            entry("epochs", &format!("{:016x}", join.epoch.0), Scalar::Bool(true)),
        ];
        if !device.is_empty() {
            ops.push(field("device", &device));
        }
        Ok(Edit { doc: secret.natural_id(Kind::REPLICA, &key, 0), kind: Kind::REPLICA, ops })
    }

    /// Adds a unit: a team, or a sub-grid of an area. Centre roles, and area roles for a grid of their
    /// area, get it with their next session.
    ///
    /// # Errors
    /// [`RelayError::UnitExists`].
    pub fn add_unit(&self, scope: &Scope, name: &str, area: &str) -> Result<(), RelayError> {
        if self.replica.scopes().contains(scope)
            || matches!(scope, Scope::Street | Scope::Centre | Scope::Audit)
        {
            return Err(RelayError::UnitExists { unit: scope.clone() });
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        adopt(&self.replica, scope)?;
        let edit = unit(&self.replica, scope, name, area, scope.code())?;
        self.replica.commit(&Scope::Street, vec![edit], None)?;
        Ok(())
    }

    /// The units of the street: scope and name.
    ///
    /// # Errors
    /// If the store fails.
    pub fn units(&self) -> Result<Vec<(String, String)>, RelayError> {
        let mut units = Vec::new();
        self.replica.each(&Scope::Street, Kind::UNIT, |view| {
            units.push((view.text("scope"), view.text("name")));
            true
        })?;
        units.sort();
        Ok(units)
    }
}
