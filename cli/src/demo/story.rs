//! The story: three friends meet, talk, part, catch up through each other, and end with the same.

use std::time::{Duration, Instant};

use kith_api::ApiError;
use kith_api::channel::{CreateChannel, MarkRead};
use kith_api::id::MessageId;
use kith_api::invite::{InviteRequest, JoinRequest};
use kith_api::message::{DeliveryState, EditMessage, SendMessage};
use tokio::time::sleep;
use tokio::try_join;

use super::cast::{Cast, Person};
use super::report::{Report, said};
use crate::verbs::Outcome;

/// How often, and how long at most, the three copies are compared.
const COMPARE: (Duration, u32) = (Duration::from_millis(50), 600);

/// Tells the whole story and returns the channel that it happens in.
pub(super) async fn tell(cast: &mut Cast, report: &mut Report<'_>) -> Result<String, ApiError> {
    let channel = meet(cast, report).await?;
    let first = first_message(cast, report, &channel).await?;
    conversation(cast, report, &channel, first).await?;
    let last = apart(cast, report, &channel).await?;
    receipts(cast, report, &channel, last).await?;
    agreement(cast, report, &channel).await?;
    Ok(channel)
}

/// Three nodes start; one makes a channel, the others join by its link.
async fn meet(cast: &mut Cast, report: &mut Report<'_>) -> Result<String, ApiError> {
    let begun = Instant::now();
    try_join!(
        cast.ada.go_online(),
        cast.ben.go_online(),
        cast.cleo.go_online()
    )?;
    report.measured("three daemons started", begun.elapsed());
    report.tell(
        "",
        "three homes are made, three daemons serve, no server anywhere",
    )?;

    let request = CreateChannel {
        name: "kitchen".into(),
        topic: Some("who brings what".into()),
        retention: None,
        key: None,
    };
    let channel = cast
        .ada
        .client
        .create_channel(&request)
        .await?
        .channel
        .to_string();
    let request = InviteRequest {
        role: None,
        uses: Some(2),
        expires_ms: None,
        key: None,
    };
    let link = cast.ada.client.invite(&channel, &request).await?.link;
    report.tell("Ada", "makes #kitchen and an invite for two")?;

    let begun = Instant::now();
    let request = JoinRequest {
        link,
        wait_ms: None,
    };
    try_join!(
        cast.ben.client.join(&request),
        cast.cleo.client.join(&request)
    )?;
    report.measured("two members joined by a link", begun.elapsed());
    report.tell(
        "Ben",
        "joins by the link, and so does Cleo: both have the key now",
    )?;
    Ok(channel)
}

/// A message, from the key press to the other two screens.
async fn first_message(
    cast: &mut Cast,
    report: &mut Report<'_>,
    channel: &str,
) -> Result<MessageId, ApiError> {
    let Cast { ada, ben, cleo, .. } = cast;
    let begun = Instant::now();
    let id = write(ada, channel, "Who brings the bread?", None).await?;
    let durable = begun.elapsed();
    report.tell("Ada", "writes “Who brings the bread?”")?;
    let (at_ben, at_cleo) = try_join!(ben.witness()?.message(id), cleo.witness()?.message(id))?;
    let (to_ben, to_cleo) = (at_ben - begun, at_cleo - begun);
    let (disk, there, too) = (said(durable), said(to_ben), said(to_cleo));
    report.tell(
        "",
        &format!("on her disk after {disk}, on Ben's screen after {there}, on Cleo's after {too}"),
    )?;
    report.measured("a message, until it is on the author's disk", durable);
    report.measured(
        "a message, until the last of two peers shows it",
        to_ben.max(to_cleo),
    );
    ada.witness()?.state(id, DeliveryState::Delivered).await?;
    report.tell(
        "Ada",
        "sees that it is delivered: on a device of every member",
    )?;
    Ok(id)
}

/// A thread, a reaction and an edit.
async fn conversation(
    cast: &mut Cast,
    report: &mut Report<'_>,
    channel: &str,
    first: MessageId,
) -> Outcome {
    let Cast { ada, ben, cleo, .. } = cast;
    let answer = write(ben, channel, "I do. Two loaves?", Some(first)).await?;
    try_join!(
        ada.witness()?.message(answer),
        cleo.witness()?.message(answer)
    )?;
    report.tell("Ben", "answers in a thread: “I do. Two loaves?”")?;

    let begun = Instant::now();
    cleo.client.react(&answer.to_string(), "👍", true).await?;
    let (seen, _) = try_join!(
        ben.witness()?.reaction(answer),
        ada.witness()?.reaction(answer)
    )?;
    report.tell("Cleo", "gives it 👍")?;
    report.measured("a reaction, until its receiver shows it", seen - begun);

    let request = EditMessage {
        text: "Who brings the bread, and who the butter?".into(),
        key: None,
    };
    ada.client.edit(&first.to_string(), &request).await?;
    try_join!(ben.witness()?.edit(first), cleo.witness()?.edit(first))?;
    report.tell(
        "Ada",
        "edits hers to “Who brings the bread, and who the butter?”",
    )
}

/// One is away, the others write; then the author is away too, and the first catches up from a
/// third.
async fn apart(
    cast: &mut Cast,
    report: &mut Report<'_>,
    channel: &str,
) -> Result<MessageId, ApiError> {
    let Cast { ada, ben, cleo, .. } = cast;
    cleo.go_offline().await;
    report.tell("Cleo", "closes her laptop")?;
    let mut last = None;
    for text in ["Butter is mine.", "And jam.", "Eight o'clock?"] {
        last = Some(write(ada, channel, text, None).await?);
    }
    let last = last.ok_or_else(|| ApiError::other("the story has lost its thread"))?;
    ben.witness()?.message(last).await?;
    report.tell("Ada", "writes three more; Ben has them")?;
    ada.go_offline().await;
    report.tell(
        "Ada",
        "closes hers: nobody who wrote them is there any more",
    )?;

    let begun = Instant::now();
    cleo.go_online().await?;
    let caught_up = cleo.witness()?.message(last).await? - begun;
    let took = said(caught_up);
    report.tell(
        "Cleo",
        &format!("opens hers and has all three after {took}, from Ben"),
    )?;
    report.measured("a node started and caught up through a third", caught_up);
    Ok(last)
}

/// The author comes back and learns who has read what.
async fn receipts(
    cast: &mut Cast,
    report: &mut Report<'_>,
    channel: &str,
    last: MessageId,
) -> Outcome {
    let Cast { ada, ben, cleo, .. } = cast;
    let everything = MarkRead::default();
    try_join!(
        ben.client.mark(channel, &everything),
        cleo.client.mark(channel, &everything)
    )?;
    report.tell("Ben", "has read everything, and so has Cleo")?;
    let begun = Instant::now();
    ada.go_online().await?;
    let learnt = ada.witness()?.state(last, DeliveryState::Read).await? - begun;
    let read_by = ada.client.message(&last.to_string()).await?.message.read_by;
    let (readers, took) = (read_by.len(), said(learnt));
    report.tell(
        "Ada",
        &format!("comes back and knows after {took} that {readers} have read it, and when"),
    )?;
    report.measured("an author started and learnt who has read it", learnt);
    Ok(())
}

/// Everybody holds the same, to the last byte.
async fn agreement(cast: &mut Cast, report: &mut Report<'_>, channel: &str) -> Outcome {
    let (pause, attempts) = COMPARE;
    for _ in 0..attempts {
        let (ada, ben, cleo) = try_join!(
            cast.ada.client.channel(channel),
            cast.ben.client.channel(channel),
            cast.cleo.client.channel(channel),
        )?;
        if ada.digest == ben.digest && ben.digest == cleo.digest {
            let digest = ada.digest.get(..16).unwrap_or(&ada.digest);
            return report.tell(
                "",
                &format!("all three hold the same channel, digest {digest}…"),
            );
        }
        sleep(pause).await;
    }
    Err(ApiError::unreachable(
        "the three do not come to hold the same",
    ))
}

async fn write(
    author: &Person,
    channel: &str,
    text: &str,
    thread: Option<MessageId>,
) -> Result<MessageId, ApiError> {
    let request = SendMessage {
        text: text.into(),
        thread: thread.map(|id| id.to_string()),
        ..SendMessage::default()
    };
    Ok(author.client.send(channel, &request).await?.id)
}
