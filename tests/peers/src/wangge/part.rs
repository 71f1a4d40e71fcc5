//! Parts that a scenario gives to processes of their own: the relay, a daemon, replicas whose memory
//! counts.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};
use wangge_relay::{ServeOptions, serve};

use crate::arguments::Arguments;
use crate::memory::resident_kib;
use crate::wangge::street::{dialler, join, open, sync};
use crate::wangge::views;

/// Plays a part in this process.
#[tokio::main]
pub(crate) async fn play(part: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let dir = &arguments.replica;
    match part {
        "relay" => serve_until_alone(dir).await,
        "fetch" => {
            let relay = arguments.relay.context("no relay")?;
            fetch(dir, relay, arguments.invitation.as_deref().context("no invitation")?).await
        }
        "daemon" => {
            let words = ["wangge".into(), "run".into(), "--dir".into(), dir.clone().into_os_string()];
            // It blocks on a runtime of its own.
            let ended = std::thread::spawn(|| wangge_node::cli::main(words)).join();
            if ended.is_err() { bail!("the daemon panicked") } else { Ok(()) }
        }
        "reopen" => {
            let replica = open(dir)?;
            println!("{}", resident_kib()?);
            drop(replica);
            Ok(())
        }
        "store" => views::open_store(dir),
        "views" => views::open_views(dir),
        _ => bail!("no part is called {part}"),
    }
}

/// Serves until whoever started this process has gone.
async fn serve_until_alone(dir: &Path) -> anyhow::Result<()> {
    let (ended, is_ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Nothing is ever written: an end or an error, it is over.
        let _ = std::io::stdin().read(&mut [0]);
        drop(ended);
    });
    let ready = |addr: SocketAddr| {
        println!("{addr}");
        let _ = std::io::stdout().flush();
    };
    let stop = async {
        let _ = is_ended.await;
    };
    let options = ServeOptions {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        address: None,
        limits: wangge_node::net::Limits::default(),
    };
    Ok(serve(dir, options, ready, stop).await?)
}

/// Joins, fetches everything and says what memory this process then holds.
async fn fetch(dir: &Path, relay: SocketAddr, invitation: &str) -> anyhow::Result<()> {
    let replica = join(dir, invitation).await?;
    let dialler = dialler(&replica)?;
    sync(&dialler, &replica, relay).await?;
    println!("{}", resident_kib()?);
    dialler.close().await;
    Ok(())
}
