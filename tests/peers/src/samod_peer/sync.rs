//! One client and one server: first sync, idle reconnection, reconnection with edits.

use anyhow::Context;
use samod::{DocHandle, DocumentId};

use crate::documents::{new_phone, put};
use crate::measure::{
    CLIENT_MEMORY, EDITED_RECONNECT, EDITED_RECONNECT_DOWN, EDITED_RECONNECT_UP, EDITS, FIRST_SYNC,
    FIRST_SYNC_DOWN, FIRST_SYNC_UP, IDLE_RECONNECT, IDLE_RECONNECT_DOWN, IDLE_RECONNECT_UP, SERVER_MEMORY,
};
use crate::memory::resident_mib;
use crate::samod_peer::repository::{Client, Server, Session, check_equal, create};
use crate::scenario::{Report, Setting};

#[tokio::main]
pub(crate) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let server = Server::start(folder.path()).await?;
    let before_mib = resident_mib()?;
    let held = create(&server.repo, 0..setting.documents as u64, setting.age).await?;
    let holding_mib = resident_mib()?;
    report.value(SERVER_MEMORY, holding_mib - before_mib)?;

    let client = Client::start("client".into()).await;
    let ids = held.iter().map(DocHandle::document_id).cloned().collect();

    let mark = client.wire.mark();
    let started = std::time::Instant::now();
    let session = client.dial(server.address).await?;
    let fetched = fetch(&client, ids).await?;
    report.time(FIRST_SYNC, started.elapsed())?;
    let passed = client.wire.quiet_since(mark).await;
    report.bytes(FIRST_SYNC_UP, passed.up_bytes)?;
    report.bytes(FIRST_SYNC_DOWN, passed.down_bytes)?;
    report.value(CLIENT_MEMORY, resident_mib()? - holding_mib)?;
    check_equal(&held, &fetched)?;
    session.hang_up();
    server.alone().await;

    let mark = client.wire.mark();
    let session = client.dial(server.address).await?;
    confirmed(&fetched, &session).await;
    let passed = client.wire.quiet_since(mark).await;
    report.time(IDLE_RECONNECT, passed.time)?;
    report.bytes(IDLE_RECONNECT_UP, passed.up_bytes)?;
    report.bytes(IDLE_RECONNECT_DOWN, passed.down_bytes)?;
    session.hang_up();
    server.alone().await;

    for (i, handle) in (0..).zip(fetched.iter().take(EDITS)) {
        handle.with_document(|document| put(document, [("phone", new_phone(i))]))?;
    }
    let mark = client.wire.mark();
    let session = client.dial(server.address).await?;
    confirmed(&fetched, &session).await;
    let passed = client.wire.quiet_since(mark).await;
    check_equal(&held, &fetched)?;
    report.time(EDITED_RECONNECT, passed.time)?;
    report.bytes(EDITED_RECONNECT_UP, passed.up_bytes)?;
    report.bytes(EDITED_RECONNECT_DOWN, passed.down_bytes)
}

/// Fetches documents, all at once.
async fn fetch(client: &Client, ids: Vec<DocumentId>) -> anyhow::Result<Vec<DocHandle>> {
    // A search is under way once `find` returns, before anything awaits it.
    let searches: Vec<_> = ids.into_iter().map(|id| client.repo.find(id)).collect();
    let mut found = Vec::with_capacity(searches.len());
    for search in searches {
        found.push(search.await?.context("the server lacks a document")?);
    }
    Ok(found)
}

/// Waits until the server has said of every document that it has what the client has.
///
/// Silence alone does not tell that an exchange is over: samod may compute for longer than a
/// second between its handshake and its first message about a document.
async fn confirmed(documents: &[DocHandle], session: &Session) {
    for document in documents {
        document.they_have_our_changes(session.connection).await;
    }
}
