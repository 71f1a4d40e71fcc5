//! An invitation: one line that carries where the relay is, its key, and a one-time secret.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::identity::ReplicaId;

const PREFIX: &str = "WG1-";

/// What a worker needs to join.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Invitation {
    /// Where the relay listens, `HOST:PORT`.
    pub address: String,
    /// The relay's key, which the device pins.
    pub relay: ReplicaId,
    /// Which invitation.
    pub number: u32,
    /// Known to whoever holds the line.
    pub secret: [u8; 16],
    /// Until when it can be used, seconds since 1970 (UTC).
    pub expires_s: u64,
}

/// A line that is no invitation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// Something else altogether.
    #[error("this is not an invitation: it should begin with {PREFIX}")]
    Foreign,
    /// Damaged in copying.
    #[error("the invitation is damaged: copy the whole line again, or ask the centre for a new one")]
    Damaged,
}

impl Invitation {
    /// The line: upper-case letters and digits only, so that a QR code stays small.
    pub fn to_line(&self) -> String {
        let mut bytes = postcard::to_stdvec(self).unwrap_or_default();
        let check = blake3::hash(&bytes);
        bytes.extend_from_slice(&check.as_bytes()[..4]);
        format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes))
    }

    /// Reads the line.
    ///
    /// # Errors
    /// [`InvitationError`] if it is something else or was damaged.
    pub fn from_line(line: &str) -> Result<Self, InvitationError> {
        let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        let line = line.to_ascii_uppercase();
        let text = line.strip_prefix(PREFIX).ok_or(InvitationError::Foreign)?;
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| InvitationError::Damaged)?;
        let at = bytes.len().checked_sub(4).ok_or(InvitationError::Damaged)?;
        let (body, check) = bytes.split_at(at);
        if blake3::hash(body).as_bytes()[..4] != *check {
            return Err(InvitationError::Damaged);
        }
        postcard::from_bytes(body).map_err(|_| InvitationError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_and_a_damaged_one_does_not() {
        let invitation = Invitation {
            address: "127.0.0.1:4433".into(),
            relay: ReplicaId([5; 32]),
            number: 17,
            secret: [9; 16],
            expires_s: 1_800_000_000,
        };
        let line = invitation.to_line();
        assert_eq!(Invitation::from_line(&format!("  {}\n", line.to_lowercase())), Ok(invitation));
        assert_eq!(Invitation::from_line(""), Err(InvitationError::Foreign));
        assert_eq!(Invitation::from_line("hello"), Err(InvitationError::Foreign));
        assert_eq!(Invitation::from_line(&line[..line.len() - 1]), Err(InvitationError::Damaged));
        let mut wrong = line.into_bytes();
        wrong[30] = if wrong[30] == b'A' { b'B' } else { b'A' };
        let wrong = String::from_utf8(wrong).expect("ascii");
        assert_eq!(Invitation::from_line(&wrong), Err(InvitationError::Damaged));
    }
}
