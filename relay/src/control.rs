//! What the relay's command line asks of a relay that is serving.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::identity::Scope;
use wangge_node::control::{self, Control, Line};

use crate::roster::{Invite, RelayError, Roster};

/// A request to the relay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Write an invitation.
    Invite(Invite),
    /// Digests of all scopes.
    Digest,
    /// Add a unit: scope, name, area.
    AddUnit(Scope, String, String),
    /// All units.
    Units,
}

/// Serves requests until `stop` resolves.
pub(crate) async fn serve(roster: Arc<Roster>, control: Control, stop: impl Future<Output = ()>) {
    let handle = move |request: Request, lines: tokio::sync::mpsc::UnboundedSender<Line>| {
        let line = match execute(&roster, &request) {
            Ok(answer) => Line::Answer(answer),
            Err(error) => Line::Error(json!({ "message": error.to_string() })),
        };
        let _ = lines.send(line);
    };
    control::serve(control, stop, handle).await;
}

/// Asks the relay that serves `dir`, or opens its store and answers here.
pub(crate) fn ask(
    dir: &Path,
    request: &Request,
    open: impl FnOnce() -> Result<Roster, RelayError>,
) -> Result<Value, RelayError> {
    match control::ask(dir, request, |_, _, _| ()) {
        Ok(Some(Line::Answer(answer))) => Ok(answer),
        Ok(Some(Line::Error(error))) => {
            Err(RelayError::Control(error["message"].as_str().unwrap_or_default().to_owned()))
        }
        Ok(_) => execute(&open()?, request),
        Err(error) => Err(RelayError::Control(error.to_string())),
    }
}

fn execute(roster: &Roster, request: &Request) -> Result<Value, RelayError> {
    Ok(match request {
        Request::Invite(invite) => Value::String(roster.invite(invite)?.to_line()),
        Request::Digest => {
            let digests = roster.replica().digests()?;
            digests.iter().map(ToString::to_string).collect()
        }
        Request::AddUnit(scope, name, area) => {
            roster.add_unit(scope, name, area)?;
            Value::Null
        }
        Request::Units => roster.units()?.into_iter().map(|(scope, name)| json!([scope, name])).collect(),
    })
}
