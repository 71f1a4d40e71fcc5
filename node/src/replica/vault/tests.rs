//! Keys of documents that do not open.

use std::path::Path;
use std::sync::Arc;

use wangge_model::identity::DocId;
use wangge_store::{Batch, Disk, Options, Store};

use super::super::System;
use super::{Access, Vault, wrap_key};

const DOC: DocId = DocId([3; 16]);

fn store(disk: &Disk) -> Store {
    Store::open(Path::new("vault"), Options { disk: Some(disk.clone()), ..Options::default() })
        .expect("opens")
}

fn access() -> Access {
    Access { given: Some([7; 32]), ..Access::default() }
}

fn open(disk: &Disk) -> Vault {
    Vault::open(Path::new("vault"), store(disk), Arc::new(System), &access()).expect("opens")
}

fn document() -> Vec<u8> {
    [b"Dstreet\0\0".as_slice(), &DOC.0].concat()
}

fn put(vault: &Vault, text: &[u8]) {
    let mut batch = Batch::new();
    batch.put(document(), text);
    vault.commit(batch).expect("written");
}

/// Flips a bit of the document's key as it lies on the disk.
fn damage(vault: &Vault) {
    let place = wrap_key(&DOC);
    let mut wrap = vault.store.get(&place).expect("reads").expect("there");
    wrap[10] ^= 1;
    let mut batch = Batch::new();
    batch.put(place.clone(), wrap);
    vault.store.commit(batch).expect("written");
    assert_eq!(vault.broken_keys().expect("reads"), [place]);
}

/// Until the next start a process seals with the key that it has in memory: after it, all that must open.
#[test]
fn a_key_in_memory_is_written_anew_where_it_does_not_open() {
    let disk = Disk::new();
    let (dir, world) = (Path::new("vault"), Arc::new(System));
    let vault = Vault::create(dir, store(&disk), world, [1; 32], &access()).expect("made");
    put(&vault, b"before");
    damage(&vault);
    vault.mend_broken_keys().expect("mends");
    assert!(vault.broken_keys().expect("reads").is_empty());
    put(&vault, b"after");
    vault.close();
    assert_eq!(open(&disk).get(&document()).expect("opens").as_deref(), Some(&b"after"[..]));
}

/// What nobody has in memory makes room for another key: what comes again is sealed under that.
#[test]
fn a_key_that_is_lost_makes_room_for_another() {
    let disk = Disk::new();
    let (dir, world) = (Path::new("vault"), Arc::new(System));
    let vault = Vault::create(dir, store(&disk), world, [1; 32], &access()).expect("made");
    put(&vault, b"before");
    vault.close();
    let vault = open(&disk);
    damage(&vault);
    vault.mend_broken_keys().expect("mends");
    assert!(vault.get(&document()).is_err(), "sealed under a key that is lost");
    put(&vault, b"after");
    vault.close();
    assert_eq!(open(&disk).get(&document()).expect("opens").as_deref(), Some(&b"after"[..]));
}
