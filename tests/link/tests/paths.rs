//! What a link does to paths: partitions, address changes, several clients, its own end.

mod harness;

use std::io;
use std::net::SocketAddr;

use harness::{Client, DEADLINE, Street};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use wangge_link::{Link, LinkConfig};

#[tokio::test]
async fn nothing_passes_a_partition_and_all_passes_after_it() -> io::Result<()> {
    let mut street = Street::open(LinkConfig::default()).await?;
    street.client.send(0..1, 4).await?;
    assert_eq!(street.client.receive().await?, 0);

    street.link.cut();
    street.client.send(1..11, 4).await?;
    let stats = street.offered(11).await?;
    assert_eq!((stats.cut_off, stats.delivered), (10, 2));

    street.link.heal();
    street.client.send(11..12, 4).await?;
    assert_eq!(street.client.receive().await?, 11);
    Ok(())
}

#[tokio::test]
async fn a_partition_swallows_what_is_under_way() -> io::Result<()> {
    let mut street = Street::open(LinkConfig { rtt_ms: 4_000, ..LinkConfig::default() }).await?;
    street.client.send(0..5, 4).await?;
    street.offered(5).await?;
    street.link.cut();
    assert_eq!(street.rest().await?, Vec::<u32>::new());
    assert_eq!(street.link.stats().cut_off, 5);
    Ok(())
}

async fn address_seen_after(street: &mut Street, number: u32) -> io::Result<Option<SocketAddr>> {
    street.client.send(number..number + 1, 4).await?;
    assert_eq!(street.client.receive().await?, number);
    Ok(*street.seen.borrow_and_update())
}

#[tokio::test]
async fn rebinding_changes_the_address_that_the_server_sees() -> io::Result<()> {
    let mut street = Street::open(LinkConfig::default()).await?;
    let first = address_seen_after(&mut street, 0).await?;
    assert_eq!(address_seen_after(&mut street, 1).await?, first);
    street.link.rebind();
    let second = address_seen_after(&mut street, 2).await?;
    assert_ne!(second, first);
    street.link.rebind();
    let third = address_seen_after(&mut street, 3).await?;
    assert!(third != second && third != first);
    assert_eq!(street.link.stats().flows, 1);
    Ok(())
}

#[tokio::test]
async fn the_server_tells_clients_apart() -> io::Result<()> {
    let mut street = Street::open(LinkConfig::default()).await?;
    let first = address_seen_after(&mut street, 0).await?;
    let mut other = Client::of(&street.link).await?;
    other.send(7..8, 4).await?;
    assert_eq!(other.receive().await?, 7);
    assert_ne!(*street.seen.borrow_and_update(), first);
    assert_eq!(street.link.stats().flows, 2);
    Ok(())
}

#[tokio::test]
async fn a_change_of_configuration_takes_effect() -> io::Result<()> {
    let mut street = Street::open(LinkConfig::default()).await?;
    street.link.set(LinkConfig { loss: 1.0, ..LinkConfig::default() });
    street.client.send(0..3, 4).await?;
    assert_eq!(street.offered(3).await?.lost, 3);
    street.link.set(LinkConfig::default());
    street.client.send(3..4, 4).await?;
    assert_eq!(street.client.receive().await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_dropped_link_frees_its_port() -> io::Result<()> {
    let upstream = UdpSocket::bind("127.0.0.1:0").await?;
    let link = Link::start(upstream.local_addr()?, LinkConfig::default()).await?;
    let addr = link.addr();
    drop(link);
    let rebound = async {
        // The tasks that hold the socket end at their next turn.
        while UdpSocket::bind(addr).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, rebound).await?;
    Ok(())
}
