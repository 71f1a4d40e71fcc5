//! Edits on their way into transactions that are small enough.

use wangge_model::document::{Op, Scalar};
use wangge_model::identity::Scope;

use crate::replica::{Edit, Replica, ReplicaError};

/// Documents in one transaction.
const TRANSACTION_DOCUMENTS_MAX: usize = 32;
/// Estimated length of one transaction, in bytes; the model takes 64 KiB.
const TRANSACTION_LEN_BYTES_MAX: usize = 48 * 1024;

/// Edits on their way into transactions of a scope.
pub(super) struct Pending<'a> {
    replica: &'a Replica,
    scope: &'a Scope,
    dry_run: bool,
    edits: Vec<Edit>,
    len_bytes: usize,
    pub(super) transactions: u64,
}

impl<'a> Pending<'a> {
    pub(super) fn new(replica: &'a Replica, scope: &'a Scope, dry_run: bool) -> Self {
        Self { replica, scope, dry_run, edits: Vec::new(), len_bytes: 0, transactions: 0 }
    }

    pub(super) fn add(&mut self, edit: Edit) -> Result<(), ReplicaError> {
        let len_bytes = len_bytes(&edit);
        if self.edits.len() == TRANSACTION_DOCUMENTS_MAX
            || self.len_bytes + len_bytes > TRANSACTION_LEN_BYTES_MAX
        {
            self.flush()?;
        }
        self.len_bytes += len_bytes;
        self.edits.push(edit);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), ReplicaError> {
        let edits = std::mem::take(&mut self.edits);
        self.len_bytes = 0;
        if self.dry_run || edits.is_empty() {
            return Ok(());
        }
        if self.replica.commit(self.scope, edits, None)?.is_some() {
            self.transactions += 1;
        }
        Ok(())
    }
}

/// About what an edit takes in a transaction.
pub(super) fn len_bytes(edit: &Edit) -> usize {
    let op = |op: &Op| {
        let value = match &op.value {
            Some(Scalar::Str(text)) => text.len(),
            Some(Scalar::Bytes(bytes)) => bytes.len(),
            _ => 8,
        };
        value + 40
    };
    64 + edit.ops.iter().map(op).sum::<usize>()
}
