//! The audit: one function for whoever does what must be attributable. At the centre an entry joins the
//! chain; elsewhere it is sealed to the centre and goes there with the next session.

use serde::{Deserialize, Serialize};

use wangge_model::audit::{EMPTY, Entry, Link, Source, What, Witness};
use wangge_model::identity::{DocId, Hash, Scope};
use wangge_model::schema::Kind;
use wangge_model::sealed::Message;
use wangge_store::{Batch, StoreError};

use super::doctor::Outcome;
use super::{Replica, ReplicaError, encode, keys, lock};
use crate::text::{scrub, veil};

/// The end of the centre's chain, signed so that its last links cannot be taken away unseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    len: u64,
    head: Hash,
    signature: ([u8; 32], [u8; 32]),
}

/// The first place at which a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditBreak {
    /// Whose: `centre`, or a device.
    pub chain: String,
    /// The entry, from 1.
    pub seq: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What a check of all chains found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Links of the centre's chain.
    pub entries: u64,
    /// Series of sealed cells of devices, and the cells in them.
    pub series: u64,
    /// Cells.
    pub cells: u64,
    /// The first place of each chain that does not hold.
    pub broken: Vec<AuditBreak>,
}

fn end_message(len: u64, head: &Hash) -> Vec<u8> {
    [b"wangge audit end 1".as_slice(), &len.to_le_bytes(), &head.0].concat()
}

impl Replica {
    /// Records that something happened which must be attributable: durable when this returns. Worker and
    /// time are filled in where the entry has none; ID numbers and phones in its texts are masked.
    ///
    /// # Errors
    /// If it cannot be stored. Whoever needs the entry must not go on then.
    pub fn audit(&self, entry: Entry) -> Result<(), ReplicaError> {
        let entry = self.completed(entry);
        if self.is_centre() {
            return self.append_audit(vec![(Source::Relay, entry)], Batch::new());
        }
        self.seal(&[Message::Audit(entry)])
    }

    fn completed(&self, mut entry: Entry) -> Entry {
        if entry.worker == DocId([0; 16])
            && let Some(acting) = self.acting()
        {
            entry.worker = acting.worker;
        }
        if entry.at_ms == 0 {
            entry.at_ms = self.now_ms();
        }
        entry.reason = veil(&scrub(&entry.reason));
        entry.detail = veil(&scrub(&entry.detail));
        entry
    }

    /// Appends entries to the centre's chain, in one write with `batch`.
    ///
    /// # Errors
    /// If they cannot be stored.
    pub fn append_audit(&self, entries: Vec<(Source, Entry)>, mut batch: Batch) -> Result<(), ReplicaError> {
        let _turn = lock(&self.sealing);
        let end = self.audit_end()?;
        let (mut len, mut head) = end.map_or((0, EMPTY), |end| (end.len, end.head));
        for (source, entry) in entries {
            let link = Link::new(len + 1, &head, self.now_ms(), source, entry);
            batch.put(keys::audit(link.seq), encode(&link));
            (len, head) = (link.seq, link.head);
        }
        batch.put(keys::AUDIT_END, encode(&self.signed_end(len, head)));
        Ok(self.store.commit(batch)?)
    }

    fn signed_end(&self, len: u64, head: Hash) -> End {
        use ed25519_dalek::Signer;

        let signature = self.signing_key().sign(&end_message(len, &head));
        End { len, head, signature: (*signature.r_bytes(), *signature.s_bytes()) }
    }

    fn audit_end(&self) -> Result<Option<End>, ReplicaError> {
        let damaged = |_| self.damaged("the end of the audit");
        self.store
            .get(keys::AUDIT_END)?
            .map(|bytes| postcard::from_bytes(&bytes).map_err(damaged))
            .transpose()
    }

    pub(super) fn damaged(&self, what: &str) -> ReplicaError {
        ReplicaError::Damaged { what: what.to_owned(), dir: self.dir.clone() }
    }

    /// Links of the centre's chain from `from` on. `take` says whether to go on.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn audit_links(&self, from: u64, mut take: impl FnMut(Link) -> bool) -> Result<(), ReplicaError> {
        for entry in self.store.scan_from(keys::AUDIT, &keys::audit(from)) {
            let (_, value) = entry?;
            let link = postcard::from_bytes(&value).map_err(|_| self.damaged("an audit entry"))?;
            if !take(link) {
                break;
            }
        }
        Ok(())
    }

    /// The same, without those that cannot be read: to a witness they are gone.
    ///
    /// # Errors
    /// If the store fails.
    pub fn legible_audit_links(
        &self,
        from: u64,
        mut take: impl FnMut(Link) -> bool,
    ) -> Result<(), ReplicaError> {
        for entry in self.store.scan_from(keys::AUDIT, &keys::audit(from)) {
            let value = match entry {
                Ok((_, value)) => value,
                Err(StoreError::Damaged { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            if let Ok(link) = postcard::from_bytes(&value)
                && !take(link)
            {
                break;
            }
        }
        Ok(())
    }

    /// What is held here of the relay's audit, for its witnesses.
    ///
    /// # Errors
    /// [`ReplicaError::NotHeld`] if this device holds none of it.
    pub fn witnessed_audit(&self) -> Result<Witness, ReplicaError> {
        let scope = Scope::Audit;
        if !self.scopes().contains(&scope) {
            return Err(ReplicaError::NotHeld { scope });
        }
        let mut witness = Witness::default();
        self.each(&scope, Kind::AUDIT_COPY, |view| {
            witness.take(&view);
            true
        })?;
        Ok(witness)
    }

    /// Checks the centre's chain and the devices' chains of sealed cells.
    ///
    /// # Errors
    /// If the store cannot be read; a chain that does not hold is a finding.
    pub fn verify_audit(&self) -> Result<AuditReport, ReplicaError> {
        let mut report = AuditReport::default();
        let (mut len, mut head) = (0, EMPTY);
        let broken =
            |seq, reason: &str| AuditBreak { chain: "centre".to_owned(), seq, reason: reason.to_owned() };
        for entry in self.store.scan(keys::AUDIT) {
            let (_, value) = entry?;
            report.entries += 1;
            let Ok(link) = postcard::from_bytes::<Link>(&value) else {
                report.broken.push(broken(len + 1, "it cannot be read"));
                break;
            };
            if link.seq != len + 1 {
                report.broken.push(broken(len + 1, "it is missing"));
                break;
            }
            if !link.follows(len, &head) {
                report.broken.push(broken(link.seq, "it is not what was recorded"));
                break;
            }
            (len, head) = (link.seq, link.head);
        }
        if report.broken.is_empty() {
            self.verify_end(len, head, &mut report, broken)?;
        }
        self.verify_cells(&mut report)?;
        Ok(report)
    }

    fn verify_end(
        &self,
        len: u64,
        head: Hash,
        report: &mut AuditReport,
        broken: impl Fn(u64, &str) -> AuditBreak,
    ) -> Result<(), ReplicaError> {
        let end = match self.audit_end() {
            Ok(end) => end,
            Err(ReplicaError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        match end {
            None if len == 0 => {}
            None => report.broken.push(broken(len + 1, "the end of the chain is missing")),
            Some(end) if end.len > len => report.broken.push(broken(len + 1, "it is missing")),
            Some(end) if end != self.signed_end(len, head) => {
                report.broken.push(broken(end.len + 1, "it was added by somebody else"));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Signs the end of the centre's chain anew, where the record of it does not open and the chain holds. The
    /// chain itself says that this was done.
    pub(super) fn end_audit_anew(&self, batch: &mut Batch) -> Result<Outcome, ReplicaError> {
        let _turn = lock(&self.sealing);
        let (mut len, mut head) = (0, EMPTY);
        for entry in self.store.scan(keys::AUDIT) {
            let Ok((_, value)) = entry else { return Ok(Outcome::Lost) };
            match postcard::from_bytes::<Link>(&value) {
                Ok(link) if link.seq == len + 1 && link.follows(len, &head) => {
                    (len, head) = (link.seq, link.head);
                }
                _ => return Ok(Outcome::Lost),
            }
        }
        let entry = Entry::new(What::REPAIR).because("the record of the audit's end did not open");
        let entry = Entry { at_ms: self.now_ms(), ..entry.detail(&format!("made anew after entry {len}")) };
        let link = Link::new(len + 1, &head, self.now_ms(), Source::Relay, entry);
        batch.put(keys::audit(link.seq), encode(&link));
        batch.put(keys::AUDIT_END, encode(&self.signed_end(link.seq, link.head)));
        Ok(Outcome::Repaired)
    }

    /// The number of the next exported ledger: the device, and how many it has exported.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn next_export_number(&self) -> Result<String, ReplicaError> {
        let _turn = lock(&self.sealing);
        let count = self.store.get(keys::EXPORTS)?.and_then(|bytes| postcard::from_bytes::<u64>(&bytes).ok());
        let count = count.unwrap_or(0) + 1;
        let mut batch = Batch::new();
        batch.put(keys::EXPORTS, encode(&count));
        self.store.commit(batch)?;
        let device: String = self.profile().replica().to_string().chars().take(8).collect();
        Ok(format!("{device}-{count:04}"))
    }
}
