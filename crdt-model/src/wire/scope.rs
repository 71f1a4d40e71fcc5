//! Scopes on the wire: one byte says which kind of unit and how many digits its code has, which follow packed.
//! For fields of control frames as well (`serde(with)`).

use serde::Serializer;
use serde::de::{Deserializer, Error, Visitor};

use super::bytes::{Reader, WireError, Writer, is_digits};
use crate::identity::Scope;

const WHAT: &str = "a scope";

/// Most digits of a code that are packed; a longer one, or one of other characters, travels as it is.
const DIGITS_MAX: usize = 31;

/// Names of kinds of units by number, as [`Scope`] prints them.
const KINDS: [&str; 6] = ["street", "centre", "area", "grid", "team", "audit"];

pub(super) fn scope_bytes(scope: &Scope) -> Vec<u8> {
    let kind: u8 = match scope {
        Scope::Street => 0,
        Scope::Centre => 1,
        Scope::Area(_) => 2,
        Scope::Grid(_) => 3,
        Scope::Team(_) => 4,
        Scope::Audit => 5,
    };
    let mut writer = Writer::default();
    let code = scope.code();
    if is_digits(code) && code.len() <= DIGITS_MAX {
        writer.u8(kind << 5 | code.len() as u8);
        writer.digits(code);
    } else {
        writer.u8(kind << 5);
        writer.raw(code.as_bytes());
    }
    writer.out
}

pub(super) fn scope_of(bytes: &[u8]) -> Result<Scope, WireError> {
    let unsound = || WireError::Unsound { what: WHAT };
    let mut reader = Reader::new(bytes);
    let head = reader.u8(WHAT)?;
    let kind = KINDS.get(usize::from(head >> 5)).ok_or_else(unsound)?;
    let code = match usize::from(head & 31) {
        0 => reader.utf8(WHAT, bytes.len() - 1)?,
        digits => reader.digits(WHAT, digits)?,
    };
    let text = if code.is_empty() { (*kind).to_owned() } else { format!("{kind}:{code}") };
    let scope: Scope = text.parse().map_err(|_| unsound())?;
    // Each has one form.
    if scope_bytes(&scope) == bytes { Ok(scope) } else { Err(unsound()) }
}

pub(super) fn serialize<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&scope_bytes(scope))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Scope;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(WHAT)
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Scope, E> {
            scope_of(bytes).map_err(E::custom)
        }
    }

    deserializer.deserialize_bytes(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_come_back_from_few_bytes() {
        let long = format!("team:{}", "1".repeat(40));
        for (text, len_bytes) in [
            ("street", 1),
            ("centre", 1),
            ("audit", 1),
            ("area:贺村片", 10),
            ("grid:330881121200", 6),
            ("grid:007", 3),
            ("grid:7", 2),
            ("team:fire-1", 7),
            (&long, 41),
        ] {
            let scope: Scope = text.parse().expect(text);
            let bytes = scope_bytes(&scope);
            assert_eq!(bytes.len(), len_bytes, "{text}");
            assert_eq!(scope_of(&bytes), Ok(scope));
        }
    }

    #[test]
    fn damaged_scopes_are_refused() {
        let grid = scope_bytes(&Scope::Grid("330881121200".to_owned()));
        for cut in 0..grid.len() {
            assert!(scope_of(&grid[..cut]).is_err());
        }
        let with_code = [0, b'7'];
        let without = [3 << 5];
        let spelt_out = [3 << 5, b'4', b'2'];
        let no_kind = [6 << 5];
        let no_code = [3 << 5, b'a', b' '];
        let no_text = [3 << 5, 0xff];
        for bytes in [&with_code[..], &without, &spelt_out, &no_kind, &no_code, &no_text] {
            assert!(scope_of(bytes).is_err(), "{bytes:?}");
        }
    }
}
