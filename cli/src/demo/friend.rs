//! A friend who answers: reads what is written, reacts to it and says something.
//!
//! No mind is behind it. It is there so that somebody alone at a prompt has somebody to talk to.

use std::time::Duration;

use kith_api::channel::MarkRead;
use kith_api::event::{EventsQuery, Happened};
use kith_api::message::{Message, SendMessage};
use kith_api::{ApiError, Client};
use tokio::time::sleep;

use crate::verbs::Outcome;

/// How long the friend seems to think.
const THOUGHT: Duration = Duration::from_millis(700);

/// Answers everything that others write in a channel, until the daemon is gone for good.
pub(super) async fn answer_all(client: Client, channel: String) -> Outcome {
    let me = client.status().await?.account;
    let query = EventsQuery {
        since: None,
        channel: Some(channel.clone()),
    };
    let mut events = client.events(query).await?;
    loop {
        if let Happened::Message { message, .. } = events.next().await?.what
            && message.account != me
        {
            // Whoever goes offline in the middle of an answer has not given it.
            let _answered = answer(&client, &channel, &message).await;
        }
    }
}

async fn answer(client: &Client, channel: &str, message: &Message) -> Result<(), ApiError> {
    let id = message.id.to_string();
    let ids = Some(vec![id.clone()]);
    client.mark(channel, &MarkRead { ids }).await?;
    client.typing(channel).await?;
    sleep(THOUGHT).await;
    let (emoji, words) = reply(message.text.as_deref().unwrap_or_default());
    client.react(&id, emoji, true).await?;
    let request = SendMessage {
        text: words,
        reply_to: Some(id.clone()),
        thread: message.thread.map(|thread| thread.to_string()),
        key: Some(format!("answer-{id}")),
        ..SendMessage::default()
    };
    client.send(channel, &request).await?;
    Ok(())
}

/// An emoji and a few words that fit a text, more or less.
fn reply(text: &str) -> (&'static str, String) {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["hello", "hallo", "hi ", "hey"]) || lower == "hi" {
        (
            "👋",
            "Hello! I am Ben, and I am about forty lines of Rust.".to_owned(),
        )
    } else if has(&["thank", "danke"]) {
        ("❤️", "Any time.".to_owned())
    } else if lower.ends_with('?') {
        (
            "🤔",
            "Good question. Type /away, ask again, then /back: I will answer then.".to_owned(),
        )
    } else {
        let words: Vec<&str> = text.split_whitespace().take(6).collect();
        (
            "👍",
            format!("“{}”, you say. Tell me more.", words.join(" ")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_answer_to_everything() {
        assert_eq!(reply("Hello there").0, "👋");
        assert_eq!(reply("why?").0, "🤔");
        assert_eq!(reply("").1, "“”, you say. Tell me more.");
    }
}
