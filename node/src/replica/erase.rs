//! Erasing a document everywhere: orders stand in `street`, every replica carries them out on itself and
//! says so in the document's own scope.
//!
//! An order counts once the relay has accepted it: what is erased cannot be brought back. Until then a
//! document stays. From the moment it counts here, changes to the document that others still send are
//! left out of their transactions; the hash keeps the place, so chains verify.

use std::collections::BTreeSet;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use wangge_model::document::{DocumentView, Op, Scalar, Target};
use wangge_model::identity::{DocId, LogId, ReplicaId, Scope};
use wangge_model::schema::Kind;
use wangge_store::Batch;

use super::lookup::holder;
use super::scope::HeldScope;
use super::vault::{decode_record, encode_record, pages_name};
use super::{Edit, Replica, ReplicaError, encode, keys, lock};

/// Transactions that are rewritten in one batch.
const REWRITTEN_MAX: usize = 256;

/// An order to erase a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErasureOrder {
    /// The order's own document, in `street`.
    pub id: DocId,
    /// Where the document lives.
    pub scope: Scope,
    /// The document.
    pub document: DocId,
    /// Its kind.
    pub kind: Kind,
    /// Why, as the centre stated it.
    pub reason: String,
    /// Who ordered it.
    pub worker: DocId,
    /// When, milliseconds since 1970 (UTC).
    pub wall_ms: u64,
    /// Whether the relay has accepted it.
    pub counts: bool,
}

/// How far an order has been carried out here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum Stage {
    /// The document's data must go.
    Begun,
    /// It is gone, and so is the store key that could open old copies.
    Gone,
    /// This replica has said so.
    Reported,
}

impl Replica {
    /// Orders that a document be erased on every replica. The same order again changes nothing.
    ///
    /// # Errors
    /// [`ReplicaError`], also if the acting worker may not.
    pub fn order_erasure(
        &self,
        scope: &Scope,
        kind: Kind,
        document: &DocId,
        reason: &str,
    ) -> Result<DocId, ReplicaError> {
        let secret = self.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
        let id = secret.natural_id(Kind::ERASURE, &document.to_string(), 0);
        let put =
            |name: &str, value: Scalar| Op { target: Target::Field(name.to_owned()), value: Some(value) };
        let ops = vec![
            put("scope", scope.to_string().into()),
            put("document", document.to_string().into()),
            put("document_kind", Scalar::Int(i64::from(kind.0))),
            put("reason", reason.into()),
        ];
        self.commit(&Scope::Street, vec![Edit { doc: id, kind: Kind::ERASURE, ops }], None)?;
        Ok(id)
    }

    /// All orders, in the order of their ids.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn erasure_orders(&self) -> Result<Vec<ErasureOrder>, ReplicaError> {
        let mut views = Vec::new();
        self.each(&Scope::Street, Kind::ERASURE, |view| {
            views.push(view);
            true
        })?;
        let mut orders = Vec::new();
        for view in views {
            let Some(mut order) = read_order(&view) else {
                tracing::warn!(order = %view.id, "an order of erasure cannot be understood");
                continue;
            };
            order.counts = self.counts(&Scope::Street, Kind::ERASURE, &view.id)?;
            orders.push(order);
        }
        Ok(orders)
    }

    /// Whether the relay has accepted all that an order says.
    pub(super) fn counts(&self, scope: &Scope, kind: Kind, order: &DocId) -> Result<bool, ReplicaError> {
        let Some(document) = self.load_document(scope, kind, order)? else {
            return Ok(false);
        };
        let centre = self.profile().centre();
        let state = lock(&self.state);
        let Some(scoped) = state.scopes.get(scope) else { return Ok(false) };
        let held = HeldScope { store: &self.store, scope, tips: &scoped.tips };
        Ok(document.origins().all(|origin| {
            // A branch is decided by itself.
            let log = holder(&held, origin);
            let decided = scoped.decided.get(&log).copied().unwrap_or(0);
            scoped
                .tips
                .get(&log)
                .is_some_and(|tip| tip.identity.replica == centre || origin.seq <= decided.max(tip.floor))
        }))
    }

    /// Whether a document was erased here: its id is not used again.
    pub fn is_erased(&self, document: &DocId) -> bool {
        lock(&self.state).erased.contains(document)
    }

    /// All documents that were erased here.
    pub fn erased_documents(&self) -> BTreeSet<DocId> {
        lock(&self.state).erased.clone()
    }

    /// Carries out what is due if anything may be.
    pub(super) fn obey_if_due(&self) -> Result<(), ReplicaError> {
        if self.orders_due.swap(false, Ordering::AcqRel)
            && let Err(error) = self.obey_erasures().and_then(|_| self.obey_removals())
        {
            self.orders_due.store(true, Ordering::Release);
            return Err(error);
        }
        Ok(())
    }

    /// Carries out the orders that count and are not carried out yet; says so where the document lived.
    /// Returns once the data is gone and cannot be read again. A crash in between is made good by the
    /// next call.
    ///
    /// # Errors
    /// [`ReplicaError`]; what is due stays due.
    pub fn obey_erasures(&self) -> Result<Vec<DocId>, ReplicaError> {
        let mut due = Vec::new();
        let mut unreported = Vec::new();
        for order in self.erasure_orders()?.into_iter().filter(|order| order.counts) {
            match self.erasure_stage(&order.document)? {
                Some(Stage::Reported) => {}
                Some(Stage::Gone) => unreported.push(order),
                None | Some(Stage::Begun) => due.push(order),
            }
        }
        if !due.is_empty() {
            let turn = lock(&self.documents);
            self.erase(&turn, &due)?;
        }
        let gone = due.iter().map(|order| order.document).collect();
        for order in unreported.into_iter().chain(due) {
            self.report_erasure(&order)?;
        }
        Ok(gone)
    }

    fn erasure_stage(&self, document: &DocId) -> Result<Option<Stage>, ReplicaError> {
        let bytes = self.store.get(&keys::erased(document))?;
        Ok(bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
    }

    fn note_stage(&self, orders: &[ErasureOrder], stage: Stage) -> Result<(), ReplicaError> {
        let mut batch = Batch::new();
        for order in orders {
            batch.put(keys::erased(&order.document), encode(&stage));
        }
        Ok(self.store.commit(batch)?)
    }

    fn erase(&self, turn: &MutexGuard<'_, ()>, orders: &[ErasureOrder]) -> Result<(), ReplicaError> {
        // What has come and waits could still need the documents; after this it cannot.
        self.apply_all(turn)?;
        self.note_stage(orders, Stage::Begun)?;
        lock(&self.state).erased.extend(orders.iter().map(|order| order.document));
        // What was taken in before that is on the disk after this; what comes later is without them.
        self.store.commit(Batch::new())?;
        let held = self.scopes();
        let all: BTreeSet<DocId> = orders.iter().map(|order| order.document).collect();
        let mut names: Vec<DocId> = self.remove_photos_about(&all)?;
        let scopes: BTreeSet<&Scope> = orders.iter().map(|order| &order.scope).collect();
        let mut spared: Vec<(&Scope, Vec<(LogId, u64)>)> = Vec::new();
        for scope in scopes.into_iter().filter(|scope| held.contains(scope)) {
            let gone: BTreeSet<DocId> =
                orders.iter().filter(|order| order.scope == *scope).map(|order| order.document).collect();
            self.strip_records(scope, &gone)?;
            let mut batch = Batch::new();
            for order in orders.iter().filter(|order| order.scope == *scope) {
                self.remove_document(order, &mut batch)?;
            }
            self.drop_kept_pages(scope, &mut batch)?;
            let spares = self.spares(scope).collect::<Result<Vec<_>, _>>()?;
            for (log, seq) in &spares {
                batch.delete(keys::spare(scope, log, *seq));
            }
            spared.push((scope, spares));
            self.store.commit(batch)?;
            names.extend(gone);
            names.push(pages_name(&keys::kept_pages(scope)));
        }
        if !names.is_empty() {
            self.store.destroy_keys(&names)?;
        }
        // They went with the key of what is kept of a scope as a whole.
        let mut batch = Batch::new();
        for (scope, spares) in spared {
            // And with those what came meanwhile.
            let late = self.spares(scope).collect::<Result<Vec<_>, _>>()?;
            self.copy_again(scope, spares.into_iter().chain(late), &mut batch);
        }
        self.store.commit(batch)?;
        self.note_stage(orders, Stage::Gone)?;
        for order in orders {
            tracing::info!(scope = %order.scope, document = %order.document, "erased");
        }
        Ok(())
    }

    /// Leaves of what the scope's logs hold of the documents nothing but hashes.
    fn strip_records(&self, scope: &Scope, gone: &BTreeSet<DocId>) -> Result<(), ReplicaError> {
        let Some(secret) = self.secret(scope) else { return Ok(()) };
        let mut batch = Batch::new();
        let mut count = 0;
        // What was put aside and does not open cannot come back from there.
        let asides = self.store.scan(&keys::all_asides(scope)).filter(Result::is_ok);
        for entry in self.store.scan(&keys::all_records(scope)).chain(asides) {
            let (key, value) = entry?;
            let record = decode_record(&value);
            let Some(mut record) = record else {
                return Err(ReplicaError::Damaged {
                    what: format!("a log of {scope}"),
                    dir: self.dir.clone(),
                });
            };
            if !record.transaction.erase(&secret, |doc| gone.contains(doc)) {
                continue;
            }
            batch.put(key, encode_record(&record));
            count += 1;
            if count % REWRITTEN_MAX == 0 {
                self.store.commit(std::mem::take(&mut batch))?;
            }
        }
        Ok(self.store.commit(batch)?)
    }

    /// Removes a document, its view and what finds it.
    fn remove_document(&self, order: &ErasureOrder, batch: &mut Batch) -> Result<(), ReplicaError> {
        let ErasureOrder { scope, document, kind, .. } = order;
        if let Some(open) = self.load_document(scope, *kind, document)?
            && let Some(natural) = kind.spec().and_then(|spec| spec.natural_key)
            && let Some(secret) = self.secret(scope)
        {
            for number in open.view().texts(natural) {
                let place = keys::natural(scope, &secret, *kind, &number);
                if self.store.get(&place)?.is_some_and(|id| id == document.0) {
                    batch.delete(place);
                }
            }
        }
        batch.delete(keys::document(scope, *kind, document));
        batch.delete(keys::view(scope, *kind, document));
        self.searched.note(scope, *kind, *document);
        Ok(())
    }

    /// Gives up the signed pages that this replica kept for others: they hold what is erased.
    pub(super) fn drop_kept_pages(&self, scope: &Scope, batch: &mut Batch) -> Result<(), ReplicaError> {
        for key in self.store.scan_keys(&keys::kept_pages(scope)) {
            batch.delete(key?);
        }
        batch.delete(keys::kept_start(scope));
        Ok(())
    }

    /// Says in the document's scope that it is gone from here.
    fn report_erasure(&self, order: &ErasureOrder) -> Result<(), ReplicaError> {
        // Where it is not held nobody waits for a word of it. Given that unit some day, this replica says so then.
        let Some(secret) = self.secret(&order.scope) else { return Ok(()) };
        let document = order.document.to_string();
        let id = secret.natural_id(Kind::ERASURE_REPORT, &document, 0);
        let done = Target::Entry { container: "done".to_owned(), key: self.profile().replica().to_string() };
        let ops = vec![
            Op { target: Target::Field("document".to_owned()), value: Some(document.into()) },
            Op { target: done, value: Some(Scalar::Int(i64::try_from(self.now_ms()).unwrap_or(i64::MAX))) },
        ];
        let edit = Edit { doc: id, kind: Kind::ERASURE_REPORT, ops };
        let reported = if self.is_centre() {
            self.commit_in_no_name(&order.scope, vec![edit])
        } else {
            self.commit(&order.scope, vec![edit], None)
        };
        match reported {
            Ok(_) => {}
            // It is gone all the same; whoever asks sees this replica among those that have not said so.
            // On a shared device it waits for somebody's turn.
            Err(ReplicaError::NoTurn | ReplicaError::Revoked { .. }) => return Ok(()),
            // Its worker has left, and comes back perhaps: a changed roster lets it try again.
            Err(error @ ReplicaError::MayNot { .. }) => {
                tracing::warn!(scope = %order.scope, %error, "an erasure cannot be reported");
                return Ok(());
            }
            // What its own log builds on is on its way back, and nothing must keep a session from bringing it.
            Err(error @ ReplicaError::Damaged { .. }) => {
                tracing::warn!(scope = %order.scope, %error, "an erasure is reported later");
                self.orders_due.store(true, Ordering::Release);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.note_stage(std::slice::from_ref(order), Stage::Reported)
    }

    /// The replicas that have said that a document is gone, and when, milliseconds since 1970 (UTC).
    ///
    /// # Errors
    /// If the report cannot be read.
    pub fn erasure_reports(&self, order: &ErasureOrder) -> Result<Vec<(ReplicaId, u64)>, ReplicaError> {
        let Some(secret) = self.secret(&order.scope) else { return Ok(Vec::new()) };
        let id = secret.natural_id(Kind::ERASURE_REPORT, &order.document.to_string(), 0);
        let Some(view) = self.get(&order.scope, Kind::ERASURE_REPORT, &id)? else { return Ok(Vec::new()) };
        let mut done = Vec::new();
        for (key, register) in view.sets.get("done").into_iter().flatten() {
            let Scalar::Int(ms) = register.shown.value else { continue };
            let when = u64::try_from(ms).unwrap_or(0);
            if let Ok(replica) = key.parse() {
                done.push((replica, when));
            }
        }
        Ok(done)
    }
}

fn read_order(view: &DocumentView) -> Option<ErasureOrder> {
    // Two orders for one document say the same but for the reason.
    let Some(Scalar::Int(kind)) = view.value("document_kind") else { return None };
    let claim = &view.fields.get("document")?.shown;
    Some(ErasureOrder {
        id: view.id,
        scope: view.text("scope").parse().ok()?,
        document: view.text("document").parse().ok()?,
        kind: Kind(u8::try_from(*kind).ok()?),
        reason: view.text("reason"),
        worker: claim.worker,
        wall_ms: claim.wall_ms,
        counts: false,
    })
}
