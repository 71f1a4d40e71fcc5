//! Eight clients push their documents to one server at once.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::measure::{INTAKE, INTAKE_CLIENTS};
use crate::samod_peer::repository::{Client, Server, check_equal, create};
use crate::scenario::{Report, Setting};

#[tokio::main]
pub(crate) async fn run(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&setting.dir)?;
    let server = Server::start(folder.path()).await?;
    let share = setting.documents.div_ceil(INTAKE_CLIENTS) as u64;
    let start = Arc::new(Barrier::new(INTAKE_CLIENTS + 1));

    let mut clients = JoinSet::new();
    for nth in 0..INTAKE_CLIENTS as u64 {
        let client = Client::start(format!("client{nth}")).await;
        let persons = nth * share..(nth + 1) * share;
        let handles = create(&client.repo, persons, setting.age).await?;
        let (start, address) = (start.clone(), server.address);
        clients.spawn(async move {
            start.wait().await;
            let session = client.dial(address).await?;
            for handle in &handles {
                handle.they_have_our_changes(session.connection).await;
            }
            anyhow::Ok((client, handles))
        });
    }
    start.wait().await;
    let started = Instant::now();
    let mut done = Vec::new();
    while let Some(client) = clients.join_next().await {
        done.push(client??);
    }
    let elapsed = started.elapsed();

    let mut documents = 0.0;
    for (_client, ours) in &done {
        let mut theirs = Vec::with_capacity(ours.len());
        for handle in ours {
            let found = server.repo.find(handle.document_id().clone()).await?;
            theirs.push(found.context("the server lacks a document")?);
        }
        check_equal(ours, &theirs)?;
        documents += ours.len() as f64;
    }
    report.value(INTAKE, documents / elapsed.as_secs_f64())
}
