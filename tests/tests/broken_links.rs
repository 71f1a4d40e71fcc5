//! Links that break in the middle: what has arrived stays, and the next sync goes on from there.

use std::time::Duration;

use wangge_link::{Link, LinkConfig};
use wangge_model::identity::Role;
use wangge_tests::street::{Relay, Worker, assert_equal, grid, number};

/// Ben's first sync breaks again and again, at another point each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_breaks_off_resumes_where_it_was() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let mut persons = Vec::new();
    for order in 0..1_500 {
        // Names that do not compress away, so that pages have some weight.
        let name = format!("{:x}", blake(order));
        persons.push(ana.person(&grid(0), &number(order), &[("name", "张三"), ("note", &name)]));
    }
    ana.sync().await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let link = Link::start(relay.addr, LinkConfig::default()).await.expect("link");
    let mut profile = ben.replica.profile();
    profile.set_address(&link.addr().to_string());
    ben.replica.set_profile(profile).expect("stored");
    // Narrow enough that pages come one by one, more slowly than they are stored, with a queue so short that the cut is
    // near.
    let narrow =
        LinkConfig { down_bits_per_s: Some(64_000), queue_bytes_max: 4_000, ..LinkConfig::default() };
    link.set(narrow);
    let held = |ben: &Worker| {
        let digests = ben.replica.digests().expect("digests");
        digests.iter().filter(|d| d.scope == grid(0)).map(|d| d.documents).sum::<u64>()
    };
    let mut documents = Vec::new();
    for pages in 0..4 {
        let syncing = ben.try_sync();
        let cutting = async {
            if pages == 0 {
                link.wait_until(|stats| stats.down_bytes > 3_000).await;
            } else {
                while held(&ben) < pages * 256 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            link.cut();
            // The link stays dead: the sync is given up as a user would.
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        tokio::select! {
            synced = syncing => panic!("synced before the cut: {synced:?}"),
            () = cutting => {}
        }
        link.heal();
        documents.push(held(&ben));
    }
    assert!(documents.windows(2).all(|pair| pair[0] <= pair[1]), "something was thrown away: {documents:?}");
    // What is here already can be worked on: he has it before him, and nobody else wrote meanwhile.
    let seen = *persons.iter().find(|doc| ben.view(&grid(0), **doc).is_some()).expect("some are here");
    ben.set(&grid(0), seen, &[("note", "已核实")]);
    link.set(LinkConfig::default());
    let held = documents[3];
    assert!(held > 0 && held < 1_500, "the cuts did not fall within the pages: {documents:?}");
    let report = ben.sync().await;
    assert!(
        report.documents_received <= 1_500 - held + 256,
        "it began again: {report:?} after {documents:?}"
    );
    ana.sync().await;
    assert_equal(&relay, &[&ana, &ben]);
    for worker in [&ana, &ben] {
        let view = worker.view(&grid(0), seen).expect("there");
        assert_eq!((view.texts("note"), view.conflicts().count()), (vec!["已核实".to_owned()], 0));
    }
}

fn blake(order: u32) -> u128 {
    // A mixing step is all that is needed (SplitMix64, twice).
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let low = mix(u64::from(order).wrapping_add(0x9e37_79b9_7f4a_7c15));
    u128::from(mix(low)) << 64 | u128::from(low)
}

/// A week's work goes over 100 ms, 5 % loss and an address that changes in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn work_arrives_over_a_lossy_link_whose_address_changes() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    ana.sync().await;
    for order in 0..1_200 {
        ana.person(&grid(0), &number(order), &[("name", "张三")]);
    }
    let config = LinkConfig {
        rtt_ms: 100,
        loss: 0.05,
        up_bits_per_s: Some(128_000),
        seed: 5,
        ..LinkConfig::default()
    };
    let link = Link::start(relay.addr, config).await.expect("link");
    let mut profile = ana.replica.profile();
    profile.set_address(&link.addr().to_string());
    ana.replica.set_profile(profile).expect("stored");
    let syncing = ana.sync();
    let moving = async {
        // QUIC lets an address change once the handshake is confirmed: when the first batch has arrived.
        let prefix = format!("{} ", grid(0));
        loop {
            let lines = relay.digests();
            let held =
                lines.iter().find_map(|line| line.strip_prefix(&prefix)?.split(' ').next()?.parse().ok());
            if held.is_some_and(|held: u64| held > 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        link.rebind();
    };
    let (report, ()) = tokio::join!(syncing, moving);
    assert_eq!(report.transactions_sent, 1_200);
    assert_equal(&relay, &[&ana]);
}
