//! `kith demo`: three throw-away nodes on this machine, each a daemon of its own in a home of its
//! own, play a story. On a terminal the reader may join in afterwards.
//!
//! Nothing in it is staged: what is printed is what the nodes' own event streams said, and when.

mod cast;
mod friend;
mod prompt;
mod report;
mod story;
mod witness;

use std::io::{self, IsTerminal};

use kith_api::ApiError;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::cast::Cast;
use self::report::Report;
use crate::output::{Output, has_reader_left};
use crate::verbs::Outcome;

/// Plays the story, cleans up, and says how it went.
pub(crate) async fn demo(output: &Output) -> Outcome {
    // From here on a signal ends the play and not the process, whose homes have to be cleared away.
    let mut interruption = Interruption::new().map_err(ApiError::other)?;
    let mut cast = Cast::gather()?;
    let mut report = Report::new(output);
    let outcome = tokio::select! {
        biased;
        () = interruption.came() => Err(ApiError::other("interrupted")),
        outcome = play(&mut cast, &mut report, output) => outcome.map_err(|error| {
            if has_reader_left(&error) {
                error
            } else {
                cast.keep(&error)
            }
        }),
    };
    cast.leave().await;
    outcome
}

async fn play(cast: &mut Cast, report: &mut Report<'_>, output: &Output) -> Outcome {
    let channel = story::tell(cast, report).await?;
    report.sum_up()?;
    if output.is_json() || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Ok(());
    }
    prompt::converse(cast, &channel, output).await
}

/// The signals by which the demo is asked to end before its time.
struct Interruption([Signal; 3]);

impl Interruption {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Resolves when one of them has come since the start.
    async fn came(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
