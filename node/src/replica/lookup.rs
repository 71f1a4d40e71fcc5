//! Finding and reading documents.

use std::collections::BTreeMap;

use wangge_model::clock::Clock;
use wangge_model::document::{DocumentView, Origin, stored_heads, stored_origins};
use wangge_model::identity::{DocId, Hash, LogId, ReplicaId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::Tip;
use wangge_model::planted::{self, Bug};
use wangge_model::schema::Kind;
use wangge_model::transaction::{ScopeSecret, actor};
use wangge_model::tree;
use wangge_store::StoreError;

use super::mending::base_of;
use super::salvage::began;
use super::scope::HeldScope;
use super::{Replica, ReplicaError, keys, lock};

/// A document and the scope that it lives in.
#[derive(Debug, Clone)]
pub struct Found {
    /// The scope.
    pub scope: Scope,
    /// The document as plain data.
    pub view: DocumentView,
    /// How far it has come.
    pub delivery: Delivery,
}

/// Where all that this replica knows of a record has arrived.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// On this device only.
    Here,
    /// At an area point as well.
    Area,
    /// On the disk of the relay at the centre.
    Centre,
    /// In a backup of the centre as well.
    #[serde(rename = "backed-up")]
    BackedUp,
}

/// A scope's documents in one line: equal lines mean equal state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeDigest {
    /// The scope.
    pub scope: Scope,
    /// How many documents.
    pub documents: u64,
    /// A hash over ids and heads.
    pub digest: Hash,
}

impl std::fmt::Display for ScopeDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.scope, self.documents, self.digest)
    }
}

/// What of a scope is known to have arrived at the centre.
struct Receipts {
    tips: BTreeMap<LogId, Tip>,
    at_centre: Clock,
    decided: BTreeMap<LogId, u64>,
    backed: BTreeMap<LogId, u64>,
}

impl Receipts {
    /// Up to where the centre has a log.
    fn arrived(&self, held: &HeldScope<'_>, log: &LogId) -> u64 {
        reached(held, &self.at_centre, log).max(self.decided.get(log).copied().unwrap_or(0))
    }
}

/// Up to where a peer with `clock` has what is held here as `log`.
pub(super) fn reached(held: &HeldScope<'_>, clock: &Clock, log: &LogId) -> u64 {
    tree::reach(held, clock.ends_of(&tree::root(held, log)), log)
}

/// The log, or branch of it, that holds the change of an origin.
pub(super) fn holder(held: &HeldScope<'_>, origin: &Origin) -> LogId {
    let pieces = tree::pieces(held, &origin.log);
    if pieces.len() == 1 {
        return origin.log;
    }
    let mut unknown = Vec::new();
    for piece in pieces {
        let Some(tip) = held.tips.get(&piece) else { continue };
        let base = tip.identity.branch.as_ref().map_or(0, |branch| branch.base);
        if origin.seq <= base || origin.seq > tip.len {
            continue;
        }
        match actor_at(held, &piece, origin.seq, tip) {
            Some(actor) if actor == origin.actor => return piece,
            Some(_) => {}
            None => unknown.push((origin.seq > tip.floor, piece)),
        }
    }
    // Below the floors, where who wrote is not known, one is as good as another: all of it came from the centre.
    unknown.into_iter().min().map_or(origin.log, |(_, piece)| piece)
}

/// Under which actor a position of a log or branch was written; `None` if that is said below its floor.
fn actor_at(held: &HeldScope<'_>, log: &LogId, seq: u64, tip: &Tip) -> Option<[u8; 16]> {
    let base = base_of(tip);
    let nonce = |seq| held.record(log, seq).and_then(|record| record.transaction.actor_nonce);
    let nonce = (base + 1..=seq).rev().find_map(nonce);
    let at_floor = || began(held.store, held.scope, log, tip.floor).filter(|_| seq > tip.floor);
    let at_base = || tip.identity.branch.as_ref().filter(|branch| branch.base == base);
    nonce
        .map(|nonce| actor(&tree::root(held, log), nonce))
        .or_else(|| at_base().map(|branch| branch.actor))
        .or_else(|| at_floor().map(|began| began.actor))
        .filter(|actor| *actor != [0; 16])
}

impl Replica {
    /// Digests of what is really in the documents of each scope, sorted by scope.
    ///
    /// # Errors
    /// If a document is damaged.
    pub fn digests(&self) -> Result<Vec<ScopeDigest>, ReplicaError> {
        self.apply()?;
        let mut digests = Vec::new();
        for scope in self.scopes() {
            let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 scope digest");
            let mut documents = 0;
            for entry in self.store.scan(&keys::documents(&scope)) {
                let (key, value) = entry?;
                let Some(cursor) = keys::cursor_of(&key) else { continue };
                let (_, digest) = stored_heads(cursor.doc, &value)?;
                hasher.update(&digest.0);
                documents += 1;
            }
            digests.push(ScopeDigest { scope, documents, digest: Hash(*hasher.finalize().as_bytes()) });
        }
        digests.sort_by_key(|digest| digest.scope.to_string());
        Ok(digests)
    }

    /// The secret of a scope held here.
    pub fn secret(&self, scope: &Scope) -> Option<ScopeSecret> {
        lock(&self.state).scopes.get(scope).map(|scoped| scoped.secret.clone())
    }

    /// The document that stands for a natural key in a scope, if there is one.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn by_natural_key(
        &self,
        scope: &Scope,
        kind: Kind,
        number: &str,
    ) -> Result<Option<DocumentView>, ReplicaError> {
        let Some(natural) = kind.spec().and_then(|spec| spec.natural_key) else { return Ok(None) };
        let Some(secret) = self.secret(scope) else { return Ok(None) };
        let place = keys::natural(scope, &secret, kind, number);
        let Some(bytes) = self.store.get(&place)? else { return Ok(None) };
        let Some(doc) = DocId::from_slice(&bytes) else { return Ok(None) };
        let Some(view) = self.get(scope, kind, &doc)? else { return Ok(None) };
        let current = view.texts(natural).iter().any(|text| text == number);
        Ok((current && !view.is_closed()).then_some(view))
    }

    /// The id under which `number` is registered in a scope: that of the document which stands for it,
    /// or of the next generation that is free.
    ///
    /// # Errors
    /// If a document is damaged.
    pub fn natural_id(&self, scope: &Scope, kind: Kind, number: &str) -> Result<(DocId, u32), ReplicaError> {
        let secret = self.secret(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
        let natural = kind.spec().and_then(|spec| spec.natural_key).unwrap_or_default();
        if let Some(view) = self.by_natural_key(scope, kind, number)? {
            let generation = match view.value(wangge_model::schema::GENERATION) {
                Some(wangge_model::document::Scalar::Int(n)) => u32::try_from(*n).unwrap_or(0),
                _ => 0,
            };
            return Ok((view.id, generation));
        }
        for generation in 0..u32::MAX {
            let id = secret.natural_id(kind, number, generation);
            let taken = match self.get(scope, kind, &id)? {
                None => self.is_erased(&id),
                // Closed, or its number was corrected: another generation.
                Some(view) => view.is_closed() || !view.texts(natural).iter().any(|text| text == number),
            };
            if !taken {
                return Ok((id, generation));
            }
        }
        Err(ReplicaError::Form("no free generation".to_owned()))
    }

    /// One document of a scope, open.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn document(
        &self,
        scope: &Scope,
        kind: Kind,
        doc: &DocId,
    ) -> Result<Option<wangge_model::document::Document>, ReplicaError> {
        self.load_document(scope, kind, doc)
    }

    /// The Lamport number of what would be written now.
    pub fn next_lamport(&self, scope: &Scope) -> u64 {
        lock(&self.state).scopes.get(scope).map_or(1, |scoped| scoped.applied.next_lamport())
    }

    /// Where each change of a document came from; none if it is not here.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn origins(&self, scope: &Scope, kind: Kind, doc: &DocId) -> Result<Vec<Origin>, ReplicaError> {
        match self.store.get(&keys::document(scope, kind, doc))? {
            Some(bytes) => Ok(stored_origins(*doc, &bytes)?),
            None => Ok(Vec::new()),
        }
    }

    /// A document by its id, in whatever scope.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn find(&self, kind: Kind, doc: &DocId) -> Result<Option<(Scope, DocumentView)>, ReplicaError> {
        for scope in self.scopes() {
            if let Some(view) = self.get(&scope, kind, doc)? {
                return Ok(Some((scope, view)));
            }
        }
        Ok(None)
    }

    /// How far all that is known here of a document has come.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn delivery(&self, scope: &Scope, kind: Kind, doc: &DocId) -> Result<Delivery, ReplicaError> {
        let Some(bytes) = self.store.get(&keys::document(scope, kind, doc))? else {
            return Ok(Delivery::Here);
        };
        let Some(receipts) = self.receipts(scope)? else { return Ok(Delivery::Here) };
        let centre = self.profile().centre();
        let mut peers = Vec::new();
        // What a peer had that is not readable is as if it had not been heard: peers tell it again.
        for (key, value) in self.store.scan(keys::REMEMBERED).map_while(Result::ok) {
            let here = key.get(33..).is_some_and(|name| name == scope.to_string().as_bytes());
            let peer = key.get(1..33).and_then(ReplicaId::from_slice);
            if here
                && peer.is_some_and(|peer| peer != centre)
                && let Ok(clock) = postcard::from_bytes::<Clock>(&value)
            {
                peers.push(clock);
            }
        }
        let mut delivery = Delivery::BackedUp;
        let held = HeldScope { store: &self.store, scope, tips: &receipts.tips };
        // A document has many changes, of few logs: how far a log has come is found out once.
        let mut logs = BTreeMap::new();
        for origin in stored_origins(*doc, &bytes)? {
            let log = holder(&held, &origin);
            let (backed, arrived, at_peers) = *logs.entry(log).or_insert_with(|| {
                let at_peers = peers.iter().map(|clock| reached(&held, clock, &log)).max().unwrap_or(0);
                let backed = receipts.backed.get(&log).copied().unwrap_or(0);
                (backed, receipts.arrived(&held, &log), at_peers)
            });
            let reached = if origin.seq <= backed {
                Delivery::BackedUp
            } else if self.is_centre() || origin.seq <= arrived {
                Delivery::Centre
            } else if origin.seq <= at_peers {
                if planted::is(Bug::NeighbourIsCentre) { Delivery::Centre } else { Delivery::Area }
            } else {
                Delivery::Here
            };
            delivery = delivery.min(reached);
        }
        Ok(delivery)
    }

    /// What is known to have arrived at the centre. `None` if the scope is not held.
    fn receipts(&self, scope: &Scope) -> Result<Option<Receipts>, ReplicaError> {
        let at_centre = self.remembered_scope(&self.profile().centre(), scope)?;
        let rolled_back = self.is_centre_put_back(scope)?;
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return Ok(None) };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        // Once the relay has shown that it lacks what it decided, only what it says it holds counts.
        let known = |verdicts: &BTreeMap<LogId, u64>| match rolled_back && !planted::is(Bug::TrustReceipt) {
            true => verdicts
                .iter()
                .map(|(log, upto)| (*log, (*upto).min(reached(&held, &at_centre, log))))
                .collect(),
            false => verdicts.clone(),
        };
        let (decided, backed) = (known(&scoped.decided), known(&scoped.backed));
        Ok(Some(Receipts { tips: scoped.tips.clone(), at_centre, decided, backed }))
    }

    pub(super) fn remembered_scope(&self, peer: &ReplicaId, scope: &Scope) -> Result<Clock, ReplicaError> {
        let bytes = match self.store.get(&keys::remembered(peer, scope)) {
            // As if it had not been heard.
            Err(StoreError::Damaged { .. }) => None,
            read => read?,
        };
        Ok(bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or_default())
    }

    /// How many own transactions the centre does not have yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn unsent(&self) -> Result<u64, ReplicaError> {
        if self.is_centre() {
            return Ok(0);
        }
        let mut unsent = 0;
        let centre = self.profile().centre();
        for scope in self.scopes() {
            let durable = lock(&self.state).scopes.get(&scope).map(|scoped| scoped.durable.clone());
            let (Some(durable), Some(receipts)) = (durable, self.receipts(&scope)?) else { continue };
            let held = HeldScope { store: &self.store, scope: &scope, tips: &receipts.tips };
            // What the centre wrote itself it has, whatever it has said of it so far.
            let is_its_own =
                |log: &LogId| receipts.tips.get(log).is_some_and(|tip| tip.identity.replica == centre);
            for (log, extent) in durable.0.iter().filter(|(log, _)| !is_its_own(log)) {
                let base = held.leaves(log).map_or(0, |(_, base)| base);
                unsent += extent.len.saturating_sub(receipts.arrived(&held, log).max(base));
            }
        }
        Ok(unsent)
    }
}
