//! Automerge changes as Automerge stores them, each made to harm a document: what a hostile peer would send if the
//! wire had words for them.

use std::num::NonZeroU64;

use automerge::{ActorId, ChangeHash, ExpandedChange, ObjType, ScalarValue, legacy};

fn operation(obj: legacy::ObjectId, key: &str, action: legacy::OpType, pred: &[legacy::OpId]) -> legacy::Op {
    legacy::Op { action, obj, key: legacy::Key::Map(key.into()), pred: pred.to_vec().into(), insert: false }
}

fn put(key: &str, pred: &[legacy::OpId]) -> legacy::Op {
    let value = legacy::OpType::Put(ScalarValue::Str("x".into()));
    operation(legacy::ObjectId::Root, key, value, pred)
}

fn bytes(
    actor: [u8; 16],
    seq: u64,
    start_op: u64,
    deps: &[[u8; 32]],
    operations: Vec<legacy::Op>,
) -> Vec<u8> {
    let change: automerge::Change = ExpandedChange {
        operations,
        actor_id: ActorId::from(actor),
        hash: None,
        seq,
        start_op: NonZeroU64::new(start_op).unwrap_or(NonZeroU64::MIN),
        time: 0,
        message: None,
        deps: deps.iter().map(|dep| ChangeHash(*dep)).collect(),
        extra_bytes: Vec::new(),
        author: None,
    }
    .into();
    change.raw_bytes().to_vec()
}

/// A change for each way in which one can harm, with its name; `actor` has written to the document already.
pub fn harmful(actor: [u8; 16]) -> Vec<(&'static str, Vec<u8>)> {
    let foreign = [0xee; 16];
    let never_was = legacy::OpId::new(9_999, &ActorId::from(foreign));
    let container = operation(legacy::ObjectId::Root, "events", legacy::OpType::Make(ObjType::Map), &[]);
    let honest = bytes(actor, 2, 9, &[], vec![put("name", &[])]);
    let mut malformed = honest.clone();
    let middle = malformed.len() / 2;
    malformed[middle] ^= 0xff;
    let mut claims = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
    claims.extend_from_slice(&[0xff, 0xff, 0xff, 0x07].repeat(16));
    vec![
        ("a foreign Automerge actor", bytes(foreign, 1, 9, &[], vec![put("name", &[])])),
        ("a malformed Automerge change", malformed),
        ("a wrong predecessor", bytes(actor, 2, 9, &[], vec![put("name", &[never_was])])),
        ("an overwritten container", bytes(actor, 2, 9, &[], vec![container])),
        ("a reused (actor, seq)", bytes(actor, 1, 9, &[], vec![put("name", &[])])),
        ("start_op at its maximum", bytes(actor, 2, u64::from(u32::MAX), &[], vec![put("name", &[])])),
        ("an unknown dependency", bytes(actor, 2, 9, &[[7; 32]], vec![put("name", &[])])),
        ("73 bytes that claim millions of operations", claims),
    ]
}
