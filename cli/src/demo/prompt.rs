//! After the story: a prompt at one of the nodes, with a friend who answers at another.

use std::io::{self, BufRead};

use kith_api::ApiError;
use kith_api::event::{Event, EventsQuery, Happened};
use kith_api::message::{DeliveryState, PageQuery, SendMessage};
use tokio::sync::mpsc;

use super::cast::Cast;
use super::friend;
use crate::output::{Output, has_reader_left, print, print_error};
use crate::verbs::Outcome;

const HELP: &str = "\
You are Ada, in #kitchen. Write something and press return: Ben answers.

  /away   Ben's node stops; what you write waits for him
  /back   Ben's node starts again and catches up
  /read   the last page of the channel
  /help   this
  /quit   the end; everything here is thrown away

";

/// Lets the reader talk until they have enough.
pub(super) async fn converse(cast: &mut Cast, channel: &str, output: &Output) -> Outcome {
    print(HELP)?;
    let answers = friend::answer_all(cast.ben.client.clone(), channel.to_owned());
    let friend = tokio::spawn(answers);
    let mut events = cast.ada.client.events(EventsQuery::default()).await?;
    let mut lines = typed_lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line.as_deref().map(str::trim) {
                None | Some("/quit") => break,
                Some(line) => {
                    match obey(cast, channel, line, output).await {
                        Err(error) if has_reader_left(&error) => return Err(error),
                        Err(error) => print_error(&error, false),
                        Ok(()) => {}
                    }
                }
            },
            event = events.next() => {
                let event = event?;
                if is_worth_showing(&event) {
                    output.put(&event)?;
                }
            }
        }
    }
    friend.abort();
    Ok(())
}

/// The lines of the standard input, read on a thread of its own, which ends with the process.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn obey(cast: &mut Cast, channel: &str, line: &str, output: &Output) -> Result<(), ApiError> {
    match line {
        "" => Ok(()),
        "/help" => print(HELP),
        "/away" if !cast.ben.is_online() => print("Ben is offline already\n"),
        "/away" => {
            cast.ben.go_offline().await;
            print("Ben is offline\n")
        }
        "/back" if cast.ben.is_online() => print("Ben is online already\n"),
        "/back" => {
            cast.ben.go_online().await?;
            print("Ben is back\n")
        }
        "/read" => {
            let newest = PageQuery::default();
            output.put_each(&cast.ada.client.page(channel, &newest).await?)
        }
        text if text.starts_with('/') => Err(ApiError::usage("no such command: try /help")),
        text => {
            let request = SendMessage {
                text: text.to_owned(),
                ..SendMessage::default()
            };
            cast.ada.client.send(channel, &request).await.map(drop)
        }
    }
}

fn is_worth_showing(event: &Event) -> bool {
    !matches!(
        event.what,
        Happened::Peer { .. }
            | Happened::Sync { .. }
            | Happened::State {
                state: DeliveryState::Sent,
                ..
            }
    )
}
