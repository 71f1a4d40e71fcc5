//! A forgotten PIN: a request for the centre, and a new PIN with its answer. Nothing on the device is lost.

use std::path::Path;

use serde_json::json;

use super::pins;
use crate::command::{Answer, CommandError, RecoverArgs};
use crate::replica::vault::Vault;
use crate::replica::{Machine, Replica, System};
use crate::text::Message;

/// Without an answer prints a request; with one sets a new PIN.
pub(super) fn recover(dir: &Path, args: &RecoverArgs) -> Result<Answer, CommandError> {
    let Some(answer) = &args.answer else {
        let request = Vault::ask_recovery(dir, &System).map_err(|error| CommandError::from(&error))?;
        let text = format!("{}\n{request}", Message::RecoveryAsk.both());
        return Ok(Answer { json: json!({ "request": request }), text });
    };
    let new = pins::new(args.new_pin_file.as_deref())?;
    let machine = Machine { access: pins::access(Some(&new))?, ..Machine::default() };
    Replica::open_with_answer(dir, answer, machine)?.close();
    Ok(Answer { json: json!({ "pin": true }), text: Message::PinSet.both() })
}
