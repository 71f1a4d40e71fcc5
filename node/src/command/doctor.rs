//! Whether all that is stored is whole.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_store::StoreError;

use super::{Answer, CommandError};
use crate::replica::vault::VaultError;
use crate::replica::{Checkup, Finding, Outcome, Replica, ReplicaError, Trouble};
use crate::text::Message;

/// How to examine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
pub struct DoctorArgs {
    /// Mend what can be mended.
    #[arg(long)]
    pub repair: bool,
}

/// Examines a replica.
///
/// # Errors
/// If the store takes no writes; damage is part of the answer.
pub fn execute(replica: &Replica, args: &DoctorArgs) -> Result<Answer, CommandError> {
    let mut checkup = if args.repair { replica.mend()? } else { replica.examine()? };
    checkup.findings.extend(replica.take_salvaged());
    Ok(answer(&checkup))
}

/// Whether an answer says that all is well.
pub fn is_healthy(answer: &Value) -> bool {
    answer["healthy"] == Value::Bool(true)
}

/// Whether a replica cannot be opened because of what its files hold.
pub fn is_damage(error: &ReplicaError) -> bool {
    match error {
        ReplicaError::Damaged { .. } | ReplicaError::Document(_) => true,
        ReplicaError::Store(error) | ReplicaError::Vault(VaultError::Store(error)) => {
            matches!(error, StoreError::Damaged { .. } | StoreError::NotAStore { .. })
        }
        ReplicaError::Vault(
            VaultError::Unreadable | VaultError::Damaged { .. } | VaultError::Missing { .. },
        ) => true,
        _ => false,
    }
}

/// The answer where a replica cannot be opened: what is wrong, and the way back.
pub fn cannot_open(dir: &Path, error: &ReplicaError) -> Answer {
    let finding = Finding {
        what: Trouble::Store,
        scope: None,
        log: None,
        seq: None,
        document: None,
        reason: error.to_string(),
        outcome: Outcome::Lost,
    };
    let dir = dir.display().to_string();
    let Answer { mut json, text } = answer(&Checkup { findings: vec![finding], ..Checkup::default() });
    json["opens"] = Value::Bool(false);
    Answer { json, text: format!("{text}\n{}", Message::CannotOpen { dir: &dir }.both()) }
}

fn answer(checkup: &Checkup) -> Answer {
    let count = |outcome| checkup.findings.iter().filter(|found| found.outcome == outcome).count();
    let (repaired, asked, lost) = (count(Outcome::Repaired), count(Outcome::Asked), count(Outcome::Lost));
    let json = json!({
        "healthy": checkup.is_healthy(),
        "opens": true,
        "repaired": repaired,
        "asked": asked,
        "lost": lost,
        "checked": {
            "transactions": checkup.transactions,
            "signatures": checkup.signatures,
            "documents": checkup.documents,
            "views": checkup.views,
            "records": checkup.records,
        },
        "findings": checkup.findings,
    });
    if checkup.is_healthy() {
        let (transactions, documents) = (checkup.transactions, checkup.documents);
        return Answer { json, text: Message::Healthy { transactions, documents }.both() };
    }
    let found = checkup.findings.len();
    let mut lines = vec![Message::Unhealthy { found, repaired, asked, lost }.both()];
    for finding in &checkup.findings {
        let parts = [
            finding.scope.as_ref().map(ToString::to_string),
            finding.log.map(|log| log.to_string()),
            finding.seq.map(|seq| seq.to_string()),
            finding.document.map(|document| document.to_string()),
        ];
        let place = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let (what, outcome) = (finding.what, finding.outcome);
        lines.push(Message::Damage { what, outcome, place: &place, reason: &finding.reason }.both());
    }
    Answer { json, text: lines.join("\n") }
}
