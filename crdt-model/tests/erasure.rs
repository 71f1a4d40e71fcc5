//! What is left of a transaction when documents that it changed are erased: its place in the chain.

use wangge_model::document::{Document, Op, Scalar, Target};
use wangge_model::identity::{DocId, Epoch, LogId, ReplicaId, Scope};
use wangge_model::log::{EMPTY_HEAD, LogError, Run, SigningKey, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Opening, ScopeSecret, Transaction};
use wangge_model::wire::{decode_batch, encode_batch};

const SECRET: ScopeSecret = ScopeSecret([7; 32]);

fn scope() -> Scope {
    Scope::Grid("330881121200".to_owned())
}

/// A run of one transaction that changes documents 1, 2 and 3.
fn run() -> Run {
    let key = SigningKey::from_bytes(&[3; 32]);
    let replica = ReplicaId(key.verifying_key().to_bytes());
    let log = LogId::derive(&scope(), &replica, Epoch(1));
    let change = |id: u8| {
        let ops = vec![Op {
            target: Target::Field("name".to_owned()),
            value: Some(Scalar::from(format!("resident {id}"))),
        }];
        Document::new(DocId([id; 16]), Kind::PERSON).expect("known").draft(ops)
    };
    let transaction = Transaction {
        log,
        seq: 1,
        lamport: 1,
        wall_ms: 1_790_000_000_000,
        worker: DocId([9; 16]),
        actor_nonce: Some(1),
        opening: Some(Opening { replica, epoch: Epoch(1), predecessor: None }),
        seen: Vec::new(),
        changes: [1, 2, 3].map(change).to_vec(),
        verdicts: Vec::new(),
        erased: Vec::new(),
        turn: None,
    };
    let head = next_head(&EMPTY_HEAD, &transaction.hash(&SECRET));
    Run { log, branch: None, signature: sign_head(&key, &log, 1, &head), transactions: vec![transaction] }
}

fn travelled(run: Run) -> Run {
    let (_, mut runs) = decode_batch(&encode_batch(&scope(), &[run])).expect("sound");
    runs.remove(0)
}

#[test]
fn the_chain_verifies_whatever_is_erased_and_in_whatever_order() {
    let order: [&[u8]; 7] = [&[1], &[2], &[3], &[1, 3], &[3, 1], &[2, 1, 3], &[3, 2, 1]];
    for gone in order {
        let mut run = run();
        for id in gone {
            assert!(run.transactions[0].erase(&SECRET, |doc| *doc == DocId([*id; 16])));
        }
        assert!(!run.transactions[0].erase(&SECRET, |doc| gone.contains(&doc.0[0])), "twice");
        let run = travelled(run);
        assert_eq!(run.transactions[0].changes.len(), 3 - gone.len(), "{gone:?}");
        let bytes = encode_batch(&scope(), std::slice::from_ref(&run));
        for id in gone {
            let name = format!("resident {id}");
            assert!(!bytes.windows(name.len()).any(|part| part == name.as_bytes()), "{name} travels on");
        }
        run.check(&scope(), &SECRET, None).unwrap_or_else(|error| panic!("{gone:?}: {error}"));
    }
}

#[test]
fn a_bent_remainder_breaks_the_chain() {
    let erased = || {
        let mut run = run();
        run.transactions[0].erase(&SECRET, |doc| *doc == DocId([2; 16]));
        run
    };
    let mut bent: Vec<Run> = (0..5).map(|_| erased()).collect();
    bent[0].transactions[0].erased[0].hash.0[0] ^= 1;
    bent[1].transactions[0].erased[0].doc = DocId([4; 16]);
    bent[2].transactions[0].erased[0].at = 0;
    bent[3].transactions[0].erased[0].at = 3;
    let twice = bent[4].transactions[0].erased[0].clone();
    bent[4].transactions[0].erased.push(twice);
    for (at, run) in bent.into_iter().enumerate() {
        let refused = run.check(&scope(), &SECRET, None).expect_err("it does not hold");
        assert!(matches!(refused, LogError::Signature { .. } | LogError::Transaction(_)), "{at}: {refused}");
    }
}
