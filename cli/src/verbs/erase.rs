//! `kith erase`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use kith_api::ApiError;
use kith_api::erase::{EraseRequest, Erased};

use crate::args::{channel_name, reference};
use crate::output::clean::clean;
use crate::output::erase::words;
use crate::output::progress::with_progress;
use crate::verbs::{Outcome, Session};

/// Erases what this account said.
#[derive(Debug, Args)]
#[command(after_help = ERASING)]
pub(crate) struct EraseArgs {
    /// Everything that you said in this channel, from whichever device
    #[arg(long, value_name = "CHANNEL", value_parser = reference(), required = true)]
    mine: String,
    /// Only say how much that would be
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

const ERASING: &str = "\
Every message of yours that is there still is deleted for everyone, as `kith delete` does, and
your reactions are taken back; pins stay. The other members' nodes erase the texts from their
disks as soon as they hear of it. It cannot be undone. What is cut off goes on where it stopped
when it is typed again. A deletion takes up some 400 bytes itself. Whoever has left a channel
can erase nothing there any more: erase before you leave.";

impl Session {
    /// Erases everything that this account said in a channel.
    pub(crate) async fn erase(&self, args: &EraseArgs) -> Outcome {
        let Self { client, output } = self;
        let channel = &args.mine;
        let asks = !args.yes && !args.dry_run;
        if asks && !io::stdin().is_terminal() {
            return Err(ApiError::usage(
                "there is no terminal to ask whether you mean it, and it cannot be undone: add \
                 --yes if you do, or see with --dry-run how much it would be",
            ));
        }
        if !args.yes {
            let would = client.erase_mine(channel, &EraseRequest { dry_run: true });
            let would = with_progress("counting what you said", would).await?;
            if args.dry_run || would.is_nothing() {
                let dry_run = args.dry_run;
                return output.put(&Erased { dry_run, ..would });
            }
            confirm(&would)?;
        }
        let erased = client.erase_mine(channel, &EraseRequest { dry_run: false });
        output.put(&with_progress("erasing what you said", erased).await?)
    }
}

/// Has the person type the channel's name.
fn confirm(would: &Erased) -> Outcome {
    let name = clean(&would.name);
    let question = format!(
        "This deletes {} in #{name} for everyone, and cannot be undone.\n\
         Type the channel's name to go on: ",
        words(would)
    );
    let mut typed = String::new();
    let mut stderr = io::stderr().lock();
    let asked = stderr
        .write_all(question.as_bytes())
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut typed));
    asked.map_err(|error| ApiError::usage(format_args!("cannot ask: {error}; add --yes")))?;
    if is_name(&typed, &would.name) {
        Ok(())
    } else {
        Err(ApiError::usage(format_args!(
            "that is not the name, #{name}: nothing was erased"
        )))
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
