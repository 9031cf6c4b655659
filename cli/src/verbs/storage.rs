//! `kith storage` and `kith storage quota`.

use clap::{Args, Subcommand};
use kith_api::size::Size;
use kith_api::storage::QuotaRequest;
use kith_api::{ApiError, ErrorCode};

use crate::args::reference;
use crate::output::progress::with_progress;
use crate::verbs::{Outcome, Session};

/// Shows what takes up space, or bounds it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = STORAGE)]
pub(crate) struct StorageArgs {
    /// The channel; all of them if none is named
    #[arg(value_parser = reference())]
    channel: Option<String>,
    /// What else to do about space.
    #[command(subcommand)]
    verb: Option<StorageVerb>,
}

/// What else to do about space.
#[derive(Debug, Subcommand)]
pub(crate) enum StorageVerb {
    /// Show how much messages may take up on this disk, or set it
    #[command(
        override_usage = "kith storage quota [CHANNEL] [SIZE|none]",
        after_help = QUOTA,
    )]
    Quota {
        /// The channel; all channels together if none is named
        #[arg(value_name = "CHANNEL", allow_hyphen_values = true, value_parser = reference())]
        first: Option<String>,
        /// How much, such as 100KB, 500MB or 2GB; none for as much as there is
        #[arg(value_name = "SIZE", allow_hyphen_values = true)]
        second: Option<String>,
    },
}

const STORAGE: &str = "\
With a channel it also says what keeping its messages for a shorter time would free. A channel
that is called quota is written #quota.";

const QUOTA: &str = "\
Without SIZE it shows what is set. A quota counts messages and what was said about them, as they
are kept on this disk; their index comes on top, and files may be larger for a while. From four
fifths on `kith status`, `kith channel show` and `kith send` warn. A channel that is full takes
nothing more, neither from here nor from others; it loses nothing by that, and goes on by itself
as soon as there is room. Deleting, reading and leaving go on. What others delete reaches this
node with the rest, when there is room; they are not concerned otherwise.";

/// What `kith storage quota` is to do.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    ShowAll,
    Show(&'a str),
    Set(Option<&'a str>, Option<u64>),
}

/// Tells what was meant by one word or two. One word is a size where it begins like one.
fn wanted<'a>(first: Option<&'a str>, second: Option<&'a str>) -> Result<Wanted<'a>, ApiError> {
    match (first, second) {
        (None, _) => Ok(Wanted::ShowAll),
        (Some(channel), Some(quota)) => Ok(Wanted::Set(Some(channel), parse(quota)?)),
        (Some(word), None) if word == "none" || !word.starts_with(is_of_a_name) => {
            Ok(Wanted::Set(None, parse(word)?))
        }
        (Some(channel), None) => Ok(Wanted::Show(channel)),
    }
}

fn is_of_a_name(c: char) -> bool {
    !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | ' ')
}

fn parse(quota: &str) -> Result<Option<u64>, ApiError> {
    if quota == "none" {
        return Ok(None);
    }
    let size = quota.parse::<Size>();
    size.map(|Size(bytes)| Some(bytes))
        .map_err(|error| ApiError::usage(format_args!("{quota:?} is no quota: {error}")))
}

impl Session {
    /// Shows what takes up space, or shows or sets quotas.
    pub(crate) async fn storage(&self, args: &StorageArgs) -> Outcome {
        let Self { client, output } = self;
        match (&args.verb, &args.channel) {
            (Some(StorageVerb::Quota { first, second }), _) => {
                let wanted = wanted(first.as_deref(), second.as_deref())?;
                self.quota(wanted).await
            }
            (None, Some(channel)) => {
                let storage = client.storage_of(channel);
                output.put(&with_progress("counting", storage).await?)
            }
            (None, None) => output.put(&with_progress("counting", client.storage()).await?),
        }
    }

    async fn quota(&self, wanted: Wanted<'_>) -> Outcome {
        let Self { client, output } = self;
        match wanted {
            Wanted::ShowAll => output.put_each(&client.quotas().await?),
            Wanted::Show(channel) => match client.quota(channel).await {
                Err(error) if error.code == ErrorCode::NotFound => Err(ApiError::new(
                    error.code,
                    format_args!("{}; a size is written like 500MB", error.message),
                )),
                told => output.put(&told?),
            },
            Wanted::Set(channel, bytes) => {
                let request = QuotaRequest { bytes };
                output.put(&client.set_quota(channel, &request).await?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_a_size_where_it_begins_like_one() {
        let all = Some(500_000_000);
        for (words, meant) in [
            ((None, None), Wanted::ShowAll),
            ((Some("garden"), None), Wanted::Show("garden")),
            ((Some("#500MB"), None), Wanted::Show("#500MB")),
            ((Some("500MB"), None), Wanted::Set(None, all)),
            ((Some("none"), None), Wanted::Set(None, None)),
            (
                (Some("garden"), Some("500MB")),
                Wanted::Set(Some("garden"), all),
            ),
            (
                (Some("500MB"), Some("none")),
                Wanted::Set(Some("500MB"), None),
            ),
        ] {
            assert_eq!(wanted(words.0, words.1), Ok(meant));
        }
        for words in [
            (Some("5XB"), None),
            (Some("-5MB"), None),
            (Some("0"), None),
            (Some("garden"), Some("lots")),
        ] {
            let error = wanted(words.0, words.1).unwrap_err();
            assert_eq!(error.code, ErrorCode::Usage);
            assert!(error.message.contains("500MB"), "{}", error.message);
        }
    }
}
