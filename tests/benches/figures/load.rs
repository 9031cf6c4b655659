//! Messages sent and pages read through the API's client, timed.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hdrhistogram::Histogram;
use kith_api::Client;
use kith_api::event::{EventsQuery, Happened};
use kith_api::message::{PageQuery, SendMessage};

/// The channel in which everything happens.
pub(crate) const CHANNEL: &str = "bench";

/// How many clients write at once when the rate is measured.
const TYPISTS: usize = 64;

/// Nanoseconds beyond which a time is not told apart: five minutes.
const LONGEST_NS: u64 = 300_000_000_000;

/// Times, in nanoseconds.
pub(crate) type Samples = Histogram<u64>;

/// A text of 120 characters that no other message has.
pub(crate) fn text(number: usize) -> String {
    let words = "the beans by the north wall want water before the heat of the day ";
    format!("{number:08} {words}{words}")
        .chars()
        .take(120)
        .collect()
}

fn message(text: String) -> SendMessage {
    SendMessage {
        text,
        ..SendMessage::default()
    }
}

/// Sends the messages of a range, many at a time.
pub(crate) async fn fill(client: &Client, numbers: Range<usize>) -> anyhow::Result<()> {
    stream::iter(numbers)
        .map(|number| async move { client.send(CHANNEL, &message(text(number))).await })
        .buffer_unordered(TYPISTS)
        .try_for_each(async |_| Ok(()))
        .await?;
    Ok(())
}

/// Times sends one after the other, from the call to the acknowledgement.
pub(crate) async fn acknowledged(client: &Client, count: usize) -> anyhow::Result<Samples> {
    let mut samples = samples();
    for number in 0..count {
        let begun = Instant::now();
        client.send(CHANNEL, &message(text(number))).await?;
        record(&mut samples, begun.elapsed());
    }
    Ok(samples)
}

/// Times sends one after the other until something is done.
pub(crate) async fn acknowledged_while<T>(
    client: &Client,
    work: impl Future<Output = T>,
) -> anyhow::Result<(T, Samples)> {
    let mut samples = samples();
    let mut work = std::pin::pin!(work);
    let mut number = 0;
    loop {
        let begun = Instant::now();
        let message = message(text(number));
        let mut sending = std::pin::pin!(client.send(CHANNEL, &message));
        let (done, sent) = tokio::select! {
            done = &mut work => (Some(done), sending.await),
            sent = &mut sending => (None, sent),
        };
        sent?;
        record(&mut samples, begun.elapsed());
        number += 1;
        if let Some(done) = done {
            return Ok((done, samples));
        }
    }
}

/// Times sends one after the other, from the call at one node to the event at
/// another. The event comes after that node has synced the message, too.
pub(crate) async fn visible(from: &Client, to: &Client, count: usize) -> anyhow::Result<Samples> {
    let query = EventsQuery {
        since: None,
        channel: Some(CHANNEL.to_owned()),
    };
    let mut events = to.events(query).await?;
    let mut samples = samples();
    for number in 0..count {
        let wanted = format!("seen {}", text(number));
        let message = message(wanted.clone());
        let begun = Instant::now();
        let sent = from.send(CHANNEL, &message);
        let seen = async {
            loop {
                if let Happened::Message { message, .. } = events.next().await?.what
                    && message.text.as_deref() == Some(wanted.as_str())
                {
                    return Ok(begun.elapsed());
                }
            }
        };
        let (_, elapsed) = futures::future::try_join(sent, seen).await?;
        record(&mut samples, elapsed);
    }
    Ok(samples)
}

/// Times pages of 50 before a cursor, or the newest.
pub(crate) async fn pages(
    client: &Client,
    before: Option<String>,
    count: usize,
) -> anyhow::Result<Samples> {
    let query = PageQuery {
        limit: Some(50),
        before,
        thread: None,
    };
    let mut samples = samples();
    for _ in 0..count {
        let begun = Instant::now();
        let page = client.page(CHANNEL, &query).await?;
        record(&mut samples, begun.elapsed());
        anyhow::ensure!(page.len() == 50, "a page of {}", page.len());
    }
    Ok(samples)
}

/// Returns a cursor with one page of messages before it, walking there in large
/// pages.
pub(crate) async fn oldest_cursor(client: &Client) -> anyhow::Result<String> {
    let mut query = PageQuery {
        limit: Some(500),
        before: None,
        thread: None,
    };
    let mut cursors = Vec::new();
    loop {
        let page = client.page(CHANNEL, &query).await?;
        let Some(oldest) = page.first() else { break };
        let last = page.get(50).map(|message| message.id.to_string());
        cursors.extend(last);
        query.before = Some(oldest.id.to_string());
    }
    cursors.pop().context("the channel has too few messages")
}

/// Returns how many messages of the channel a node has.
pub(crate) async fn held(client: &Client) -> anyhow::Result<usize> {
    let messages = client.channel(CHANNEL).await?.facts.messages;
    Ok(usize::try_from(messages)?)
}

/// Waits until a node has at least so many messages.
pub(crate) async fn until_held(client: &Client, count: usize) -> anyhow::Result<()> {
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    while held(client).await? < count {
        pause.tick().await;
    }
    Ok(())
}

fn samples() -> Samples {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("from a nanosecond to minutes")
}

fn record(samples: &mut Samples, elapsed: Duration) {
    let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    samples.saturating_record(nanos);
}
