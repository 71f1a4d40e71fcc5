//! The official number of a case (正式编号). It follows from the case alone, so the relay and every
//! workstation of the centre give the same one, also after a restore, and none is given twice.

use crate::deadline::Day;
use crate::identity::DocId;

/// Digits without those that are misread over the phone.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `20261125-7K3M-9QXA`: the day of the report, and forty bits of the document's id.
pub fn official_number(id: &DocId, reported_ms: u64) -> String {
    let (year, month, day) = Day::of(reported_ms).civil();
    let hash = blake3::Hasher::new_derive_key("wangge 2026 official number").update(&id.0).finalize();
    let bits = hash.as_bytes()[..5].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let digit = |at: u32| char::from(DIGITS[(bits >> (5 * at) & 31) as usize]);
    let text: String = (0..8).rev().map(digit).collect();
    format!("{year:04}{month:02}{day:02}-{}-{}", &text[..4], &text[4..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_are_the_same_everywhere_and_differ_between_cases() {
        let at = |n: u64| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_le_bytes());
            official_number(&DocId(id), 1_764_000_000_000)
        };
        assert_eq!(at(7), at(7));
        assert_eq!(at(7).len(), "20261125-7K3M-9QXA".len());
        let numbers: BTreeSet<String> = (0..20_000).map(at).collect();
        assert_eq!(numbers.len(), 20_000);
    }
}
