//! What devices sealed to the centre: the key, opening cells, audit entries into the chain, reports for
//! those who may read them.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::audit::{Entry, Source, What};
use wangge_model::document::{Op, Scalar, Target};
use wangge_model::identity::{DocId, Scope};
use wangge_model::schema::Kind;
use wangge_model::sealed::{self, Message, Part, Report, SealKey, Series};
use wangge_node::command::{audit, instant};
use wangge_node::replica::{Edit, Replica, ReplicaError, SealedEnd, keys};
use wangge_store::Batch;

use crate::roster::{RelayError, Roster};

/// Cells that are opened in one write.
const OPENED_AT_ONCE: u64 = 4_096;

/// A report as the relay keeps it: where its cells are. They stay sealed until somebody reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    series: Series,
    first: u64,
    cells: u8,
    taken_ms: u64,
}

fn secret_key(number: u32) -> Vec<u8> {
    [keys::relay_only("seal\0"), number.to_be_bytes().to_vec()].concat()
}

fn report_key(number: u32) -> Vec<u8> {
    [keys::relay_only("report\0"), number.to_be_bytes().to_vec()].concat()
}

fn decoded<T: for<'de> Deserialize<'de>>(bytes: &[u8], what: &str) -> Result<T, RelayError> {
    postcard::from_bytes(bytes).map_err(|_| RelayError::Damaged { what: what.to_owned() })
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}

/// Makes a key for sealing and publishes its public half in `street`. Earlier secrets stay, for what was
/// sealed to them.
///
/// # Errors
/// If it cannot be stored.
pub(crate) fn make_key(replica: &Replica) -> Result<SealKey, RelayError> {
    let number = replica.seal_key()?.map_or(0, |key| key.number) + 1;
    let secret: [u8; 32] = replica.random()?;
    let key = SealKey::of(number, &secret);
    // The secret first: nobody may seal to a key that nobody can open.
    let mut batch = Batch::new();
    batch.put(secret_key(number), secret.to_vec());
    replica.store().commit(batch)?;
    let street = replica.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
    let field = |name: &str, value| Op { target: Target::Field(name.to_owned()), value: Some(value) };
    let ops = vec![
        field("number", Scalar::Int(number.into())),
        field("key", Scalar::Bytes(key.key.to_vec())),
        field("signature", Scalar::Bytes(key.sign(&replica.signing_key()).to_vec())),
    ];
    let doc = street.natural_id(Kind::SEAL_KEY, &number.to_string(), 0);
    replica.commit(&Scope::Street, vec![Edit { doc, kind: Kind::SEAL_KEY, ops }], None)?;
    Ok(key)
}

fn secrets(replica: &Replica) -> Result<Vec<[u8; 32]>, RelayError> {
    let mut secrets = Vec::new();
    for entry in replica.store().scan(&keys::relay_only("seal\0")) {
        let (_, value) = entry?;
        secrets.push(value.try_into().map_err(|_| RelayError::Damaged { what: "a sealing key".to_owned() })?);
    }
    // The newest is the likeliest.
    secrets.reverse();
    Ok(secrets)
}

fn open_cell(cell: &[u8], secrets: &[[u8; 32]]) -> Option<Part> {
    secrets.iter().find_map(|secret| sealed::open(cell, secret).ok())
}

/// What one write changes.
#[derive(Default)]
struct Opened {
    audit: Vec<(Source, Entry)>,
    reports: Vec<(u64, u8)>,
    /// Cells of which only the hash stays.
    spent: Vec<u64>,
    done: u64,
}

/// Opens what has come: audit entries go into the chain, reports are noted, cover is dropped.
///
/// # Errors
/// If the store fails. What a device sealed wrongly is an entry, not an error.
pub(crate) fn open_all(replica: &Replica) -> Result<(), RelayError> {
    // What arrives and what is asked for must not open the same cells twice.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let secrets = secrets(replica)?;
    for (series, end) in replica.sealed_series()? {
        let mut done = end.done;
        while series.replica != replica.profile().replica() && done < end.len {
            let opened = open_some(replica, &secrets, &series, &end, done)?;
            if opened.done == done {
                // The rest of a message is on its way.
                break;
            }
            done = opened.done;
            keep(replica, &series, opened)?;
        }
    }
    Ok(())
}

fn open_some(
    replica: &Replica,
    secrets: &[[u8; 32]],
    series: &Series,
    end: &SealedEnd,
    done: u64,
) -> Result<Opened, RelayError> {
    let mut opened = Opened { done, ..Opened::default() };
    let mut parts: Vec<Part> = Vec::new();
    let mut unsound = 0u64;
    for seq in done + 1..=end.len.min(done + OPENED_AT_ONCE) {
        let part = replica.sealed_cell(series, seq)?.and_then(|cell| open_cell(&cell, secrets));
        let follows = part.as_ref().is_some_and(|part| {
            usize::from(part.at) == parts.len() && parts.first().is_none_or(|first| first.of == part.of)
        });
        let Some(part) = part.filter(|_| follows) else {
            unsound += 1;
            parts.clear();
            opened.done = seq;
            continue;
        };
        let (first, cells) = (seq - u64::from(part.at), part.of);
        parts.push(part);
        if parts.len() < usize::from(cells) {
            continue;
        }
        match sealed::join(&parts) {
            Ok(Message::Cover) => opened.spent.extend(first..=seq),
            Ok(Message::Audit(entry)) => {
                let (replica, series) = (series.replica, series.number);
                opened.audit.push((Source::Device { replica, series, seq: first }, entry));
                opened.spent.extend(first..=seq);
            }
            Ok(Message::Report(_)) => opened.reports.push((first, cells)),
            Err(_) => unsound += 1,
        }
        parts.clear();
        opened.done = seq;
    }
    if unsound > 0 {
        let detail = format!("{unsound} sealed messages of device {} cannot be read", series.replica);
        tracing::warn!(replica = %series.replica, unsound, "sealed messages cannot be read");
        let entry = Entry { at_ms: replica.now_ms(), ..Entry::new(What::PEER_REFUSED) };
        opened.audit.push((Source::Relay, entry.because("unreadable sealed cells").detail(&detail)));
    }
    Ok(opened)
}

fn keep(replica: &Replica, series: &Series, opened: Opened) -> Result<(), RelayError> {
    let mut batch = Batch::new();
    if !opened.reports.is_empty() {
        let counter = keys::relay_only("reports");
        let counted =
            replica.store().get(&counter)?.map(|bytes| decoded::<u32>(&bytes, "the count of reports"));
        let mut number = counted.transpose()?.unwrap_or(0);
        for (first, cells) in opened.reports {
            number += 1;
            let kept = Kept { series: *series, first, cells, taken_ms: replica.now_ms() };
            batch.put(report_key(number), encoded(&kept));
        }
        batch.put(counter, encoded(&number));
    }
    replica.note_opened(series, opened.done, &opened.spent, &mut batch)?;
    Ok(replica.append_audit(opened.audit, batch)?)
}

/// Opens what arrives, until `stop` resolves.
pub(crate) async fn opening(replica: std::sync::Arc<Replica>, stop: impl Future<Output = ()>) {
    let mut news = replica.sealed_news();
    tokio::pin!(stop);
    loop {
        news.mark_unchanged();
        if let Err(error) = tokio::task::block_in_place(|| open_all(&replica)) {
            tracing::error!(%error, "sealed cells cannot be opened");
        }
        tokio::select! {
            () = &mut stop => break,
            changed = news.changed() => if changed.is_err() { break },
        }
    }
}

impl Roster {
    /// The names of the workers, for people who read.
    fn names(&self) -> Result<std::collections::BTreeMap<DocId, String>, RelayError> {
        let mut names = std::collections::BTreeMap::new();
        self.replica().each(&Scope::Street, Kind::WORKER, |view| {
            names.insert(view.id, view.text("name"));
            true
        })?;
        Ok(names)
    }

    /// The audit from `since_ms` on, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub fn audit(&self, since_ms: u64) -> Result<Vec<Value>, RelayError> {
        open_all(self.replica())?;
        let roster = self.replica().roster()?;
        let mut links = Vec::new();
        self.replica().audit_links(1, |link| {
            if link.taken_ms >= since_ms {
                links.push(link);
            }
            true
        })?;
        Ok(links.iter().map(|link| audit::entry_json(&roster, link)).collect())
    }

    /// The reports that have come: numbers, times and sizes. None is opened.
    ///
    /// # Errors
    /// If the store fails.
    pub fn reports(&self) -> Result<Vec<Value>, RelayError> {
        open_all(self.replica())?;
        let prefix = keys::relay_only("report\0");
        let mut reports = Vec::new();
        for entry in self.replica().store().scan(&prefix) {
            let (key, value) = entry?;
            let number =
                key.get(prefix.len()..).and_then(|n| n.try_into().ok()).map_or(0, u32::from_be_bytes);
            let kept: Kept = decoded(&value, "a report")?;
            reports.push(json!({
                "number": number,
                "taken": instant::rfc3339(kept.taken_ms),
                "cells": kept.cells,
            }));
        }
        Ok(reports)
    }

    /// Opens one report; the audit says so.
    ///
    /// # Errors
    /// [`RelayError::NoReport`].
    pub fn report(&self, number: u32) -> Result<Value, RelayError> {
        let replica = self.replica();
        let unknown = || RelayError::NoReport { number };
        let bytes = replica.store().get(&report_key(number))?.ok_or_else(unknown)?;
        let kept: Kept = decoded(&bytes, "a report")?;
        let secrets = secrets(replica)?;
        let mut parts = Vec::new();
        for seq in kept.first..kept.first + u64::from(kept.cells) {
            let part = replica.sealed_cell(&kept.series, seq)?.and_then(|cell| open_cell(&cell, &secrets));
            parts.push(part.ok_or_else(|| RelayError::Damaged { what: format!("report {number}") })?);
        }
        let Ok(Message::Report(report)) = sealed::join(&parts) else {
            return Err(RelayError::Damaged { what: format!("report {number}") });
        };
        replica.audit(Entry::new(What::REPORT_READ).detail(&format!("report {number}")))?;
        let Report { worker, at_ms, about, whom, text } = report;
        let names = self.names()?;
        let name = |id: &DocId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
        Ok(json!({
            "number": number,
            "taken": instant::rfc3339(kept.taken_ms),
            "at": instant::rfc3339(at_ms),
            "worker": worker.as_ref().map(name),
            "about": about,
            "scope": whom.as_ref().map(|(scope, _)| scope),
            "whom": whom.as_ref().map(|(_, doc)| doc.to_string()),
            "text": text,
        }))
    }

    /// Makes a new key for sealing: when somebody leaves who held the old one.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn renew_seal_key(&self) -> Result<SealKey, RelayError> {
        let key = make_key(self.replica())?;
        self.replica().audit(Entry::new(What::SEAL_KEY).detail(&format!("key {}", key.number)))?;
        Ok(key)
    }
}
