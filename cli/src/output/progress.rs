//! A sign of life for what takes longer than a second, on a terminal only.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// When the sign appears.
const FIRST: Duration = Duration::from_secs(1);
/// Between two changes of it.
const STEP: Duration = Duration::from_millis(120);

/// Waits for `work` and shows meanwhile what is waited for, and for how long.
pub(crate) async fn with_progress<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let begun = Instant::now();
    let mut ticks = interval_at(begun + FIRST, STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut work = std::pin::pin!(work);
    let mut shown = false;
    for frame in ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
        .into_iter()
        .cycle()
    {
        tokio::select! {
            biased;
            done = &mut work => {
                if shown {
                    draw("");
                }
                return done;
            }
            _ = ticks.tick() => {
                shown = true;
                draw(&format!("{frame} {what} ({}s)", begun.elapsed().as_secs()));
            }
        }
    }
    work.await
}

/// Replaces the line that the cursor is in.
fn draw(line: &str) {
    let mut stderr = io::stderr().lock();
    // A sign of life that cannot be drawn is not worth an error.
    let _drawn = write!(stderr, "\r\u{1b}[K{line}").and_then(|()| stderr.flush());
}
