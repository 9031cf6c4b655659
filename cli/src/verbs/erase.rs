//! `kith erase`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use kith_api::ApiError;
use kith_api::erase::{EraseAccountRequest, EraseRequest, Erased};
use tokio::time::{sleep, timeout};

use crate::args::{channel_name, reference};
use crate::duration::parse_milliseconds;
use crate::output::clean::clean;
use crate::output::erase::words;
use crate::output::progress::with_progress;
use crate::verbs::{Outcome, Session};

/// Erases what this account said.
#[derive(Debug, Args)]
#[command(after_help = ERASING)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    what: What,
    /// Only say how much that would be
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// How long to wait until others have heard of --account, such as 2m [default: 30s]
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["mine", "dry_run"], value_parser = parse_milliseconds)]
    wait: Option<u64>,
    /// Destroy the account's own data whether or not others have heard of the rest, and a channel is
    /// left without an owner
    #[arg(long, conflicts_with_all = ["mine", "wait", "dry_run"])]
    at_once: bool,
}

/// What is erased.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Everything that you said in this channel, from whichever device
    #[arg(long, value_name = "CHANNEL", value_parser = reference())]
    mine: Option<String>,
    /// Everything that you said in all channels; then leave them, and destroy this home
    #[arg(long)]
    account: bool,
}

const ERASING: &str = "\
Every message of yours that is there still is deleted for everyone, as `kith delete` does, and
your reactions are taken back; pins stay. The other members' nodes erase the texts from their
disks as soon as they hear of it. It cannot be undone. What is cut off goes on where it stopped
when it is typed again. A deletion takes up some 400 bytes itself. Whoever has left a channel
can erase nothing there any more: erase before you leave.

With --account each channel is left once another member's node has all of that, and when they
know that you left, this home is destroyed: the vault and the keys are overwritten, everything
else of it is removed, and the daemon stops. Files in it that are not Kith's stay. Your 24 words
bring back nothing of it.";

/// How long the daemon may take to stop and destroy the home before nobody waits for it any more.
const STOPS_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked whether it has.
const ASKS_EVERY: Duration = Duration::from_millis(20);
const NOT_ERASED: &str = "that is not what was to be typed: nothing was erased";
/// What somebody types who means it.
const SENTENCE: &str = "erase my account";

impl Session {
    /// Erases everything that this account said in a channel, or the account.
    pub(crate) async fn erase(&self, args: &EraseArgs) -> Outcome {
        let asks = !args.yes && !args.dry_run;
        if asks && !io::stdin().is_terminal() {
            return Err(ApiError::usage(
                "there is no terminal to ask whether you mean it, and it cannot be undone: add \
                 --yes if you do, or see with --dry-run how much it would be",
            ));
        }
        match &args.what.mine {
            Some(channel) => self.erase_mine(channel, args).await,
            None => self.erase_account(args).await,
        }
    }

    async fn erase_mine(&self, channel: &str, args: &EraseArgs) -> Outcome {
        let Self { client, output } = self;
        if !args.yes {
            let would = client.erase_mine(channel, &EraseRequest { dry_run: true });
            let would = with_progress("counting what you said", would).await?;
            if args.dry_run || would.is_nothing() {
                let dry_run = args.dry_run;
                return output.put(&Erased { dry_run, ..would });
            }
            let name = &would.name;
            confirm(
                &format!(
                    "This deletes {} in #{} for everyone, and cannot be undone.\n\
                     Type the channel's name to go on: ",
                    words(&would),
                    clean(name)
                ),
                NOT_ERASED,
                |typed| is_name(typed, name),
            )?;
        }
        let erased = client.erase_mine(channel, &EraseRequest { dry_run: false });
        output.put(&with_progress("erasing what you said", erased).await?)
    }

    async fn erase_account(&self, args: &EraseArgs) -> Outcome {
        let Self { client, output } = self;
        let request = EraseAccountRequest {
            dry_run: true,
            at_once: args.at_once,
            wait_ms: args.wait,
        };
        if !args.yes {
            let would = client.erase_account(&request);
            let would = with_progress("counting what you said", would).await?;
            if args.dry_run {
                return output.put(&would);
            }
            let question = format!(
                "{}\nThis cannot be undone, and your 24 words bring back nothing of it.\n\
                 Type `{SENTENCE}` to go on: ",
                output.words(&would)
            );
            confirm(&question, NOT_ERASED, |typed| typed.trim() == SENTENCE)?;
        }
        let request = EraseAccountRequest {
            dry_run: false,
            ..request
        };
        let erased = client.erase_account(&request);
        let erased = with_progress("erasing, until others have heard of it", erased).await?;
        if erased.destroyed {
            let stopped = async {
                while client.status().await.is_ok() {
                    sleep(ASKS_EVERY).await;
                }
            };
            let stopped = timeout(STOPS_WITHIN, stopped);
            // What it has begun it does, whoever waits for it.
            let _ = with_progress("destroying the home", stopped).await;
        }
        output.put(&erased)?;
        if !erased.destroyed {
            return Err(ApiError::unreachable(
                "not everybody who has to hear of it has been reached, so this home is kept: \
                 type it again when they are, or add --at-once",
            ));
        }
        Ok(())
    }
}

/// Asks for what somebody types who means it, and tells what becomes of it if they do not.
pub(super) fn confirm(question: &str, otherwise: &str, is_meant: impl Fn(&str) -> bool) -> Outcome {
    let mut typed = String::new();
    let mut stderr = io::stderr().lock();
    let asked = stderr
        .write_all(question.as_bytes())
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut typed));
    asked.map_err(|error| ApiError::usage(format_args!("cannot ask: {error}; add --yes")))?;
    if is_meant(&typed) {
        Ok(())
    } else {
        if !typed.ends_with('\n') {
            // The input ended in the line of the question.
            drop(writeln!(stderr));
        }
        Err(ApiError::usage(otherwise))
    }
}

/// Whether somebody typed the name of a channel, as it is or as it is shown.
fn is_name(typed: &str, name: &str) -> bool {
    let typed = channel_name(typed.trim());
    typed.is_ok_and(|typed| typed == name || typed == clean(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_confirms_and_nothing_else() {
        for typed in ["garden\n", "#garden\n", " garden"] {
            assert!(is_name(typed, "garden"), "{typed:?}");
        }
        for typed in ["", "\n", "#", "y\n", "yes\n", "Garden\n", "garden shed\n"] {
            assert!(!is_name(typed, "garden"), "{typed:?}");
        }
    }
}
