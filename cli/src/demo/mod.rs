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
use tokio::signal::unix::{SignalKind, signal};

use self::cast::Cast;
use self::report::Report;
use crate::output::Output;
use crate::verbs::Outcome;

/// Plays the story, cleans up, and says how it went.
pub(crate) async fn demo(output: &Output) -> Outcome {
    let mut cast = Cast::gather()?;
    let mut report = Report::new(output);
    let played = tokio::select! {
        outcome = play(&mut cast, &mut report, output) => Some(outcome),
        asked = interruption() => asked.err().map(Err),
    };
    let outcome = match played {
        Some(outcome) => outcome.map_err(|error| cast.keep(&error)),
        None => Err(ApiError::other("interrupted")),
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

/// Resolves when the demo is asked to end before its time.
async fn interruption() -> Outcome {
    let failed = |error: io::Error| ApiError::other(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
