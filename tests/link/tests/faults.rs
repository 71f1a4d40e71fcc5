//! What a link does to datagrams: order, loss, duplicates, delay and rate.

mod harness;

use std::io;
use std::time::{Duration, Instant};

use harness::Street;
use wangge_link::LinkConfig;

#[tokio::test]
async fn a_perfect_link_carries_everything_in_order() -> io::Result<()> {
    let mut street = Street::open(LinkConfig::default()).await?;
    street.client.send(0..200, 100).await?;
    for expected in 0..200 {
        assert_eq!(street.client.receive().await?, expected);
    }
    let stats = street.link.stats();
    assert_eq!((stats.up_datagrams, stats.up_bytes), (200, 20_000));
    assert_eq!((stats.down_datagrams, stats.down_bytes), (200, 20_000));
    assert_eq!((stats.delivered, stats.dropped, stats.flows), (400, 0, 1));
    Ok(())
}

#[tokio::test]
async fn delay_and_rate_keep_the_order() -> io::Result<()> {
    let mut street = Street::open(LinkConfig {
        rtt_ms: 20,
        up_bits_per_s: Some(4_000_000),
        down_bits_per_s: Some(8_000_000),
        ..LinkConfig::default()
    })
    .await?;
    street.client.send(0..60, 1_000).await?;
    for expected in 0..60 {
        assert_eq!(street.client.receive().await?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_round_trip_takes_at_least_the_configured_time() -> io::Result<()> {
    let mut street = Street::open(LinkConfig { rtt_ms: 60, ..LinkConfig::default() }).await?;
    let started = Instant::now();
    street.client.send(0..1, 4).await?;
    street.client.receive().await?;
    assert!(started.elapsed() >= Duration::from_millis(60));
    Ok(())
}

#[tokio::test]
async fn a_throttled_link_takes_the_time_that_its_rate_demands() -> io::Result<()> {
    // 50,000 bytes at 2 Mbit/s: 200 ms.
    let mut street =
        Street::open(LinkConfig { up_bits_per_s: Some(2_000_000), ..LinkConfig::default() }).await?;
    let started = Instant::now();
    street.client.send(0..50, 1_000).await?;
    for expected in 0..50 {
        assert_eq!(street.client.receive().await?, expected);
    }
    assert!(started.elapsed() >= Duration::from_millis(200));
    Ok(())
}

#[tokio::test]
async fn a_full_queue_drops_the_tail() -> io::Result<()> {
    // At 800 bit/s a datagram takes ten seconds: the burst is over before the first has left.
    let street = Street::open(LinkConfig {
        up_bits_per_s: Some(800),
        queue_bytes_max: 5_000,
        ..LinkConfig::default()
    })
    .await?;
    street.client.send(0..20, 1_000).await?;
    let stats = street.offered(20).await?;
    assert!(stats.overflowed >= 14, "{stats:?}");
    assert_eq!(stats.dropped, stats.overflowed);
    Ok(())
}

/// Sends 500 numbers over a lossy link and returns those that came back.
async fn survivors(seed: u64) -> io::Result<(Vec<u32>, Street)> {
    let mut street = Street::open(LinkConfig { loss: 0.1, seed, ..LinkConfig::default() }).await?;
    street.client.send(0..500, 50).await?;
    street.offered(500).await?;
    let numbers = street.rest().await?;
    Ok((numbers, street))
}

#[tokio::test]
async fn loss_stays_near_the_configured_share() -> io::Result<()> {
    let (numbers, street) = survivors(11).await?;
    let stats = street.link.stats();
    // Each way loses a tenth: 500 and about 450 datagrams, so about 95 in all.
    assert!((60..=130).contains(&stats.lost), "{stats:?}");
    assert_eq!(stats.dropped, stats.lost);
    assert_eq!(numbers.len() as u64, 500 - stats.lost);
    Ok(())
}

#[tokio::test]
async fn the_same_seed_loses_the_same_datagrams() -> io::Result<()> {
    let (first, _street) = survivors(11).await?;
    let (again, _street) = survivors(11).await?;
    let (other, _street) = survivors(12).await?;
    assert_eq!(first, again);
    assert_ne!(first, other);
    Ok(())
}

#[tokio::test]
async fn duplicates_and_reordering_happen_when_asked_for() -> io::Result<()> {
    let mut street = Street::open(LinkConfig {
        rtt_ms: 40,
        reorder: 0.3,
        duplicate: 0.2,
        seed: 5,
        ..LinkConfig::default()
    })
    .await?;
    street.client.send(0..200, 50).await?;
    street.offered(200).await?;
    let numbers = street.rest().await?;
    let stats = street.link.stats();
    assert!(stats.reordered > 0 && stats.duplicated > 0, "{stats:?}");
    assert!(!numbers.is_sorted());
    let mut distinct = numbers.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct, (0..200).collect::<Vec<_>>());
    assert!(numbers.len() > 200);
    Ok(())
}
