//! A further device of somebody who has much: when the newest page of every channel can be read,
//! and when all of it is here, also if its daemon is killed on the way.

use std::time::{Duration, Instant};

use kith_api::Client;
use kith_api::message::PageQuery;
use kith_crdt::time::{DAY_MS, Millis};
use kith_node::clock;
use kith_tests::{Daemon, Home, link};

use crate::figure::{Bound, Report};
use crate::past::Past;
use crate::{Sizes, Stage};

/// Channels that the messages are in.
const CHANNELS: usize = 20;
/// Days that they were written on.
const DAYS: usize = 50;
/// Times that the daemon of one of the devices is killed while it catches up.
const KILLS: u64 = 5;

/// What a device of the account has to come to have of a channel.
struct Wanted {
    name: String,
    messages: u64,
    newest: Option<String>,
}

/// Measures all of it.
pub(crate) async fn measure(report: &mut Report, sizes: &Sizes) -> anyhow::Result<()> {
    let ana = Home::init("Ana");
    let each = sizes.messages / CHANNELS / DAYS;
    let begins = clock::now().0.saturating_sub(DAYS as u64 * DAY_MS);
    let mut past = Past::open(&ana, Millis(begins))?;
    let mut channels = Vec::new();
    for number in 0..CHANNELS {
        let name = format!("room-{number}");
        channels.push((past.make_channel_named(&name)?, name));
    }
    for day in 1..=DAYS as u64 {
        for (channel, _) in &channels {
            past.say(*channel, each, None)?;
        }
        past.live_until(Millis(begins).plus(day * DAY_MS))?;
    }
    past.close();
    let _a = Daemon::start(&ana);
    let host = Stage::client(&ana);
    let mut wanted = Vec::new();
    for (_, name) in channels {
        let messages = host.channel(&name).await?.facts.messages;
        let newest = newest(&host, &name).await?;
        wanted.push(Wanted {
            name,
            messages,
            newest,
        });
    }
    report.probe(ana.path());

    let laptop = link(&ana, "laptop", &[]);
    let begun = Instant::now();
    let daemon = Daemon::start(&laptop);
    let client = Stage::client(&laptop);
    until_readable(&client, &wanted).await?;
    let readable = begun.elapsed();
    until_held(&client, &wanted).await?;
    let all = begun.elapsed();
    daemon.stop();
    let of = format!(
        "{} in {CHANNELS} channels and {DAYS} days",
        each * CHANNELS * DAYS
    );
    report.row(
        &format!("linked device reads the newest 50 of each, {of}"),
        readable.as_secs_f64() * 1e3,
        "ms",
        Bound::AtMost(2_000.0),
    );
    report.row(
        &format!("linked device catches up {of}"),
        all.as_secs_f64(),
        "s",
        Bound::AtMost(20.0),
    );

    let server = link(&ana, "server", &[]);
    let mut up = Duration::ZERO;
    let messages: u64 = wanted.iter().map(|channel| channel.messages).sum();
    for kill in 1..=KILLS {
        let begun = Instant::now();
        let daemon = Daemon::start(&server);
        let share = messages * kill / (KILLS + 1);
        until_holding(&Stage::client(&server), share).await?;
        up += begun.elapsed();
        daemon.kill();
    }
    let begun = Instant::now();
    let daemon = Daemon::start(&server);
    until_held(&Stage::client(&server), &wanted).await?;
    up += begun.elapsed();
    daemon.stop();
    report.row(
        &format!("the same, killed {KILLS} times on the way"),
        up.as_secs_f64(),
        "s",
        Bound::Open,
    );
    Ok(())
}

async fn newest(client: &Client, channel: &str) -> anyhow::Result<Option<String>> {
    let query = PageQuery {
        limit: Some(50),
        before: None,
        thread: None,
    };
    let page = client.page(channel, &query).await?;
    let is_full = page.len() == 50;
    let newest = page.last().filter(|_| is_full);
    Ok(newest.map(|message| message.id.to_string()))
}

/// Waits until a full last page of every channel ends with its newest message.
async fn until_readable(client: &Client, wanted: &[Wanted]) -> anyhow::Result<()> {
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    for channel in wanted {
        while newest(client, &channel.name).await.unwrap_or_default() != channel.newest {
            pause.tick().await;
        }
    }
    Ok(())
}

/// Waits until the channels have so many messages together.
async fn until_holding(client: &Client, messages: u64) -> anyhow::Result<()> {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        let channels = client.channels().await?;
        let held: u64 = channels.iter().map(|channel| channel.facts.messages).sum();
        if held >= messages {
            return Ok(());
        }
        pause.tick().await;
    }
}

/// Waits until every channel has all its messages.
async fn until_held(client: &Client, wanted: &[Wanted]) -> anyhow::Result<()> {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    for channel in wanted {
        loop {
            let held = client.channel(&channel.name).await;
            if held.is_ok_and(|held| held.facts.messages == channel.messages) {
                break;
            }
            pause.tick().await;
        }
    }
    Ok(())
}
