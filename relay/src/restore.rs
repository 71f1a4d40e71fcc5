//! Mending what void changes overwrote where work that counts builds on them.

use wangge_node::replica::{Replica, ReplicaError};

/// Puts back, in the relay's own transactions, what void positions overwrote and nothing has overwritten
/// since. Done once for each position; a crash in between repeats it without effect.
pub(crate) fn restore(replica: &Replica) -> Result<(), ReplicaError> {
    for damage in replica.damage()? {
        let fields: usize = damage.edits.iter().map(|edit| edit.ops.len()).sum();
        if fields > 0 {
            replica.commit_in_no_name(&damage.scope, damage.edits.clone())?;
            tracing::info!(scope = %damage.scope, log = %damage.log, seq = damage.seq, fields, "what a void position overwrote is put back");
        }
        replica.mended(&damage)?;
    }
    Ok(())
}
