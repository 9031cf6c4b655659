//! Somebody new in a long conversation: when the last page can be read, and
//! when all of it is here.

use std::time::{Duration, Instant};

use kith_api::Client;
use kith_api::message::PageQuery;
use kith_tests::{Daemon, Home};

use crate::figure::Bound;
use crate::load::{self, CHANNEL};
use crate::{Stage, invite};

/// Has a new node join the channel, and times it from the call on.
pub(crate) async fn measure(stage: &mut Stage, messages: usize) -> anyhow::Result<()> {
    let host = Stage::client(&stage.ana);
    load::fill(&host, load::held(&host).await?..messages).await?;
    let held = load::held(&host).await?;
    let newest = newest_id(&host).await?;
    let cleo = Home::init("Cleo");
    let daemon = Daemon::start(&cleo);
    let client = Stage::client(&cleo);
    let request = invite(&host, CHANNEL).await?;
    stage.report.probe(stage.ana.path());

    let begun = Instant::now();
    client.join(&request).await?;
    until_readable(&client, newest).await?;
    let first = begun.elapsed();
    load::until_held(&client, held).await?;
    let all = begun.elapsed();
    daemon.stop();

    let name = format!("newcomer reads the newest 50 of {held}");
    stage
        .report
        .row(&name, first.as_secs_f64() * 1e3, "ms", Bound::AtMost(300.0));
    let name = format!("newcomer catches up {held}");
    stage
        .report
        .row(&name, all.as_secs_f64(), "s", Bound::AtMost(20.0));
    Ok(())
}

async fn newest_id(client: &Client) -> anyhow::Result<Option<String>> {
    let query = PageQuery {
        limit: Some(50),
        before: None,
        thread: None,
    };
    let page = client.page(CHANNEL, &query).await?;
    Ok(page.last().map(|message| message.id.to_string()))
}

/// Waits until a full last page ends with the newest message.
async fn until_readable(client: &Client, newest: Option<String>) -> anyhow::Result<()> {
    let query = PageQuery {
        limit: Some(50),
        before: None,
        thread: None,
    };
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    loop {
        let page = client.page(CHANNEL, &query).await.unwrap_or_default();
        if page.len() == 50 && page.last().map(|message| message.id.to_string()) == newest {
            return Ok(());
        }
        pause.tick().await;
    }
}
