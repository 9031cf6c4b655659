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

/// Shows how far something has come, on a terminal, if it takes longer than a second.
pub(crate) struct Meter {
    begun: std::time::Instant,
    drawn: Option<std::time::Instant>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            begun: std::time::Instant::now(),
            drawn: None,
        }
    }
}

impl Meter {
    /// Shows what is done and how much of it so far.
    pub(crate) fn show(&mut self, told: &str) {
        let now = std::time::Instant::now();
        let is_due = self.drawn.is_none_or(|drawn| now - drawn >= STEP);
        if now - self.begun >= FIRST && is_due && io::stderr().is_terminal() {
            self.drawn = Some(now);
            draw(told);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            draw("");
        }
    }
}

/// Replaces the line that the cursor is in.
fn draw(line: &str) {
    let mut stderr = io::stderr().lock();
    // A sign of life that cannot be drawn is not worth an error.
    let _drawn = write!(stderr, "\r\u{1b}[K{line}").and_then(|()| stderr.flush());
}
