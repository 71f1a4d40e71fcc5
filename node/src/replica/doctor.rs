//! Looking for damage: every stored transaction against its chain and its author's signature, every
//! document against the transactions, every view against its document, and whether each record opens.
//! What is found is mended in [`super::mending`] as far as it can be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use wangge_model::document::{Document, stored_origins};
use wangge_model::identity::{DocId, LogId, Scope};
use wangge_model::ingest::Held;
use wangge_model::log::{EMPTY_HEAD, Tip, next_head, verify_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::ScopeSecret;
use wangge_store::Batch;

use super::scope::{HeldScope, extent_of};
use super::vault::decode_record;
use super::{Profile, Replica, ReplicaError, keys, lock};

/// Most findings that are kept: more would say no more.
const FINDINGS_MAX: usize = 1_000;

/// What is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trouble {
    /// The store itself cannot be read through.
    Store,
    /// Who this replica is.
    Profile,
    /// A transaction is missing or not what its author signed.
    Transaction,
    /// Transactions that were cut off with a damaged one wait for what a peer delivers.
    Aside,
    /// The end of a log is not that of its transactions.
    LogEnd,
    /// What is held in memory differs from the disk.
    Clock,
    /// A document cannot be read, is missing, or lacks a change.
    Document,
    /// What lists and searches read differs from its document.
    View,
    /// The audit's chain.
    Audit,
    /// The key of a document.
    Key,
    /// Another record that does not open.
    Record,
    /// Work whose transaction was damaged is still to be written once more.
    Due,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was only looked at.
    Found,
    /// It is whole again.
    Repaired,
    /// The next session brings it: a peer has it.
    Asked,
    /// Nothing that is known here can bring it back.
    Lost,
}

/// One thing that is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub what: Trouble,
    /// The scope.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scope: Option<Scope>,
    /// The log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<LogId>,
    /// The position in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<u64>,
    /// The document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub document: Option<DocId>,
    /// Why it does not hold, in English.
    pub reason: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Finding {
    pub(super) fn new(what: Trouble, reason: impl Into<String>) -> Self {
        let (scope, log, seq, document) = (None, None, None, None);
        Self { what, scope, log, seq, document, reason: reason.into(), outcome: Outcome::Found }
    }

    fn within(self, scope: &Scope) -> Self {
        Self { scope: Some(scope.clone()), ..self }
    }

    fn at(self, log: LogId, seq: u64) -> Self {
        Self { log: Some(log), seq: Some(seq), ..self }
    }

    fn of(self, document: DocId) -> Self {
        Self { document: Some(document), ..self }
    }
}

/// What an examination saw.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Checkup {
    /// Transactions whose place in the chain was checked.
    pub transactions: u64,
    /// Signatures checked.
    pub signatures: u64,
    /// Documents read.
    pub documents: u64,
    /// Views compared.
    pub views: u64,
    /// Other records opened.
    pub records: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Checkup {
    pub(super) fn note(&mut self, finding: Finding) {
        tracing::warn!(?finding, "damage");
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// Whether all is well.
    pub fn is_healthy(&self) -> bool {
        self.findings.is_empty()
    }
}

/// The changes that documents must hold, by document: each with the two names of its log.
type Expected = BTreeMap<(Kind, DocId), Vec<(LogId, u64)>>;

/// A log as far as its chain holds.
pub(super) struct Walked {
    /// The first position that does not hold.
    pub(super) broken: Option<(u64, &'static str)>,
    expected: Vec<(Kind, DocId, u64)>,
}

impl Replica {
    /// Examines all that is stored. Writes nothing. Commits and sessions go on meanwhile: they wait at most
    /// for one scope.
    ///
    /// # Errors
    /// If the store takes no more writes. Damage is a finding, not an error.
    pub fn examine(&self) -> Result<Checkup, ReplicaError> {
        let mut checkup = Checkup::default();
        self.examine_profile(&mut checkup);
        for scope in self.scopes() {
            let _turn = lock(&self.documents);
            // Whatever was queued is durable after this.
            self.store.commit(Batch::new())?;
            self.examine_scope(&scope, &mut checkup);
        }
        self.examine_records(&mut checkup);
        if self.is_centre() {
            match self.verify_audit() {
                Ok(report) => {
                    for broken in report.broken {
                        let reason = format!("{} at {}: {}", broken.chain, broken.seq, broken.reason);
                        checkup.note(Finding::new(Trouble::Audit, reason));
                    }
                }
                Err(error) => checkup.note(Finding::new(Trouble::Audit, error.to_string())),
            }
        }
        Ok(checkup)
    }

    fn examine_profile(&self, checkup: &mut Checkup) {
        let reason = match self.store.get(keys::PROFILE) {
            Ok(Some(bytes)) => match postcard::from_bytes::<Profile>(&bytes) {
                Ok(stored) if stored.replica() == self.profile().replica() => return,
                Ok(_) => "it is another replica's".to_owned(),
                Err(error) => error.to_string(),
            },
            Ok(None) => "it is missing".to_owned(),
            Err(error) => error.to_string(),
        };
        checkup.note(Finding::new(Trouble::Profile, reason));
    }

    fn examine_scope(&self, scope: &Scope, checkup: &mut Checkup) {
        let (tips, durable, applied, voids, secret, aside) = {
            let state = lock(&self.state);
            let Some(scoped) = state.scopes.get(scope) else { return };
            let voids: BTreeSet<(LogId, u64)> = scoped.voids.keys().copied().collect();
            (
                scoped.tips.clone(),
                scoped.durable.clone(),
                scoped.applied.clone(),
                voids,
                scoped.secret.clone(),
                scoped.aside.clone(),
            )
        };
        let mut expected = Expected::new();
        for (log, tip) in &tips {
            // What arrived after the look at the disk may not be there yet.
            let upto = durable.len_of(log).min(tip.len);
            let stored = self.store.get(&keys::tip(scope, log));
            let readable = match &stored {
                Ok(Some(bytes)) => postcard::from_bytes::<Tip>(bytes).is_ok_and(|tip| tip.len >= upto),
                // It arrived, and did not get to the disk yet, or found it full.
                Ok(None) => upto == 0,
                Err(_) => false,
            };
            if !readable {
                let reason = match stored {
                    Err(error) => error.to_string(),
                    Ok(_) => "it is missing or unreadable".to_owned(),
                };
                // Behind the last transaction: of those, the walk tells.
                checkup.note(Finding::new(Trouble::LogEnd, reason).within(scope).at(*log, upto + 1));
            }
            let walked = self.walk(scope, &secret, &tips, log, tip, upto, checkup);
            if let Some((seq, reason)) = walked.broken {
                let what = if seq > upto { Trouble::LogEnd } else { Trouble::Transaction };
                checkup.note(Finding::new(what, reason).within(scope).at(*log, seq));
            } else if upto == tip.len && durable.0.get(log).is_some_and(|held| *held != extent_of(tip)) {
                let reason = "the clock differs from the end of the log";
                checkup.note(Finding::new(Trouble::Clock, reason).within(scope).at(*log, upto));
            }
            if applied.len_of(log) > tip.len && walked.broken.is_none() {
                let reason = "documents hold more of this log than is stored";
                checkup.note(Finding::new(Trouble::Transaction, reason).within(scope).at(*log, tip.len + 1));
            }
            let ended = applied.0.get(log).and_then(|state| state.ended).unwrap_or(u64::MAX);
            for (kind, doc, seq) in walked.expected {
                if seq <= applied.len_of(log) && seq < ended && !voids.contains(&(*log, seq)) {
                    let named = LogId::derive(scope, &tip.identity.replica, tip.identity.epoch);
                    expected.entry((kind, doc)).or_default().push((named, seq));
                }
            }
        }
        for log in aside {
            let next = tips.get(&log).map_or(0, |tip| tip.len) + 1;
            let reason = "what was cut off with a damaged transaction is kept until a peer delivers that one";
            checkup.note(Finding::new(Trouble::Aside, reason).within(scope).at(log, next));
        }
        if self.awaits_reissue(scope) {
            let reason = "what was damaged in this replica's own log is to be written once more";
            checkup.note(Finding::new(Trouble::Due, reason).within(scope));
        }
        for finding in self.examine_apart(scope) {
            checkup.note(finding);
        }
        self.examine_documents(scope, &expected, checkup);
        self.examine_views(scope, checkup);
    }

    /// Follows a log's chain up to a position.
    #[allow(clippy::too_many_arguments, reason = "one log, with all that its chain is checked against")]
    pub(super) fn walk(
        &self,
        scope: &Scope,
        secret: &ScopeSecret,
        tips: &BTreeMap<LogId, Tip>,
        log: &LogId,
        tip: &Tip,
        upto: u64,
        checkup: &mut Checkup,
    ) -> Walked {
        let held = HeldScope { store: &self.store, scope, tips };
        let named = LogId::derive(scope, &tip.identity.replica, tip.identity.epoch);
        let base = super::mending::base_of(tip);
        let mut walked = Walked { broken: None, expected: Vec::new() };
        let mut head = match base {
            0 => Some(EMPTY_HEAD),
            // A branch begins where it left its log; what came in pages is vouched for by the centre.
            _ => held.record(log, base).map(|record| record.head),
        };
        let mut lamport = 0;
        let mut signed = true;
        for seq in base + 1..=upto {
            let record = match self.store.get(&keys::record(scope, log, seq)) {
                Ok(Some(bytes)) => decode_record(&bytes),
                Ok(None) => {
                    walked.broken = Some((seq, "the transaction is missing"));
                    return walked;
                }
                Err(_) => None,
            };
            let Some(record) = record else {
                walked.broken = Some((seq, "the transaction cannot be read"));
                return walked;
            };
            checkup.transactions += 1;
            let transaction = &record.transaction;
            let follows = head.is_none_or(|head| next_head(&head, &transaction.hash(secret)) == record.head);
            if transaction.seq != seq || transaction.log != named || !follows {
                walked.broken = Some((seq, "the transaction is not what the chain says"));
                return walked;
            }
            signed = record.signature.is_some();
            if let Some(signature) = &record.signature {
                checkup.signatures += 1;
                if verify_head(&tip.identity.replica, &named, seq, &record.head, signature).is_err() {
                    walked.broken = Some((seq, "the signature is not the author's"));
                    return walked;
                }
            }
            head = Some(record.head);
            lamport = transaction.lamport;
            walked.expected.extend(transaction.changes.iter().map(|change| (change.kind, change.doc, seq)));
        }
        if upto == tip.len && upto > base && (head != Some(tip.head) || lamport != tip.lamport || !signed) {
            walked.broken = Some((upto + 1, "the end is not that of the last transaction"));
        }
        walked
    }

    fn examine_documents(&self, scope: &Scope, expected: &Expected, checkup: &mut Checkup) {
        let mut there: BTreeSet<(Kind, DocId)> = BTreeSet::new();
        let note = |checkup: &mut Checkup, what, doc: DocId, reason: String| {
            checkup.note(Finding::new(what, reason).within(scope).of(doc));
        };
        for key in self.store.scan_keys(&keys::documents(scope)) {
            let key = match key {
                Ok(key) => key,
                Err(error) => {
                    checkup.note(Finding::new(Trouble::Store, error.to_string()).within(scope));
                    return;
                }
            };
            let Some(cursor) = keys::cursor_of(&key) else { continue };
            checkup.documents += 1;
            let read = match self.store.get(&key) {
                Ok(Some(bytes)) => Document::decode(cursor.doc, &bytes)
                    .and_then(|document| Ok((document, stored_origins(cursor.doc, &bytes)?)))
                    .map_err(|error| error.to_string()),
                // Gone since the key was read.
                Ok(None) => continue,
                Err(error) => Err(error.to_string()),
            };
            let (document, origins) = match read {
                Ok(read) => read,
                Err(reason) => {
                    note(checkup, Trouble::Document, cursor.doc, reason);
                    there.extend(expected.keys().filter(|(_, doc)| *doc == cursor.doc));
                    continue;
                }
            };
            let name = (document.kind(), cursor.doc);
            there.insert(name);
            let held: BTreeSet<(LogId, u64)> = origins.iter().map(|o| (o.log, o.seq)).collect();
            let lacks = expected.get(&name).into_iter().flatten().find(|place| !held.contains(place));
            if let Some((log, seq)) = lacks {
                let finding = Finding::new(Trouble::Document, "it lacks a change that took effect");
                checkup.note(finding.within(scope).of(cursor.doc).at(*log, *seq));
            }
            checkup.views += 1;
            let view = self.store.get(&keys::view(scope, document.kind(), &cursor.doc));
            match view {
                Ok(Some(view)) if view == document.view().pack() => {}
                Ok(Some(_)) => {
                    note(checkup, Trouble::View, cursor.doc, "it differs from the document".to_owned());
                }
                Ok(None) => note(checkup, Trouble::View, cursor.doc, "it is missing".to_owned()),
                Err(error) => note(checkup, Trouble::View, cursor.doc, error.to_string()),
            }
        }
        let lacking = self.lacking(scope);
        for doc in &lacking {
            note(checkup, Trouble::Document, *doc, "it is to be made anew".to_owned());
        }
        let missing =
            expected.keys().filter(|(kind, doc)| !there.contains(&(*kind, *doc)) && !lacking.contains(doc));
        for (kind, doc) in missing {
            if !self.is_erased(doc) && kind.spec().is_some() {
                note(checkup, Trouble::Document, *doc, "it is missing".to_owned());
            }
        }
    }

    /// Views whose document is not there.
    fn examine_views(&self, scope: &Scope, checkup: &mut Checkup) {
        for spec in wangge_model::schema::kinds() {
            for key in self.store.scan_keys(&keys::views(scope, spec.kind)) {
                let Ok(key) = key else { return };
                let Some(doc) = keys::doc_of_view(&key) else { continue };
                if matches!(self.store.get(&keys::document(scope, spec.kind, &doc)), Ok(None)) {
                    let finding = Finding::new(Trouble::View, "there is no document of it");
                    checkup.note(finding.within(scope).of(doc));
                }
            }
        }
    }

    /// Whether everything else opens.
    fn examine_records(&self, checkup: &mut Checkup) {
        match self.store.broken_keys() {
            Ok(places) => {
                for place in places {
                    let finding = Finding::new(Trouble::Key, "it does not open under the store key");
                    let doc = place.get(1..).and_then(DocId::from_slice);
                    checkup.note(Finding { document: doc, ..finding });
                }
            }
            Err(error) => checkup.note(Finding::new(Trouble::Store, error.to_string())),
        }
        for key in self.store.scan_keys(&[]) {
            let key = match key {
                Ok(key) => key,
                Err(error) => {
                    checkup.note(Finding::new(Trouble::Store, error.to_string()));
                    return;
                }
            };
            // Documents, views, transactions and ends were looked at; keys are wrapped otherwise.
            if super::mending::is_examined(&key) {
                continue;
            }
            checkup.records += 1;
            if let Err(error) = self.store.get(&key) {
                let name = key.escape_ascii();
                checkup.note(Finding::new(Trouble::Record, format!("{name}: {error}")));
            }
        }
    }
}
