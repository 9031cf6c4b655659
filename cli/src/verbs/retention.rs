//! `kith retention …`.

use clap::{ArgGroup, Subcommand};
use kith_api::policy::{PolicyChange, PolicyRequest};
use kith_api::retention::{Retention, SweepRequest};

use crate::args::reference;
use crate::verbs::{Outcome, Session};

/// What to do about how long a channel keeps its messages.
#[derive(Debug, Subcommand)]
pub(crate) enum RetentionVerb {
    /// Set how long messages are kept that are written from now on
    #[command(after_help = RETENTION)]
    Set {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// For how long
        #[arg(allow_hyphen_values = true)]
        retention: Retention,
        /// Keep what was written before no longer either
        #[arg(long)]
        existing: bool,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
    },
    /// Show how long messages are kept, within which limits, and who said so
    Show {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Show what is over and not yet destroyed, and which devices have erased it
    Status {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Take everything off the disk now whose time is over; it goes by itself soon otherwise
    Sweep {
        /// The clock of this machine is right, although it is far ahead of what this node knew
        #[arg(long)]
        confirm_clock: bool,
    },
    /// Set the shortest and the longest time that may be set, which takes an owner
    #[command(
        after_help = LIMITS,
        group = ArgGroup::new("limits")
            .args(["shortest", "longest", "none"])
            .required(true)
            .multiple(true),
    )]
    Limit {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// Nothing shorter, and not instant
        #[arg(long, value_name = "D", value_parser = limit, allow_hyphen_values = true)]
        shortest: Option<Retention>,
        /// Nothing longer, and not forever
        #[arg(long, value_name = "D", value_parser = limit, allow_hyphen_values = true)]
        longest: Option<Retention>,
        /// Take both limits away, or the one that is not named
        #[arg(long)]
        none: bool,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
    },
}

const RETENTION: &str = "\
RETENTION is forever, instant (until everybody has read a message, 30 days at the latest), or a
stretch of time in whole hours such as 1h, 36h, 3days, 7days or 30days.

A message keeps the time that it was written under. With --existing the shorter one counts for
what is there already: what is older than that is gone at once, everywhere, and --dry-run says
how many messages that would be. It never makes anything last longer.";

const LIMITS: &str = "\
A limit that is not named stays as it is. --none takes both away; beside one that is named it
takes away the other. Where the time that is set lies outside, the nearest within the limits
holds for what is written from then on.";

/// A limit: a stretch of time.
fn limit(text: &str) -> Result<Retention, String> {
    match text.parse().map_err(|error| format!("{error}"))? {
        Retention::Hours(hours) => Ok(Retention::Hours(hours)),
        Retention::Forever | Retention::Instant => Err(
            "a limit is a stretch of time such as 12h or 7days; --none takes limits away"
                .to_owned(),
        ),
    }
}

impl Session {
    /// Shows or changes how long messages are kept.
    pub(crate) async fn retention(&self, verb: &RetentionVerb) -> Outcome {
        let Self { client, output } = self;
        let (channel, change, dry_run) = match verb {
            RetentionVerb::Show { channel } => {
                return output.put(&client.retention(channel).await?);
            }
            RetentionVerb::Status { channel } => {
                return output.put(&client.retention_status(channel).await?);
            }
            RetentionVerb::Sweep { confirm_clock } => {
                let request = SweepRequest {
                    confirm_clock: *confirm_clock,
                };
                return output.put(&client.sweep(&request).await?);
            }
            RetentionVerb::Set {
                channel,
                retention,
                existing,
                dry_run,
            } => {
                let (value, existing) = (Some(*retention), *existing);
                let change = PolicyChange::Retention { value, existing };
                (channel, change, *dry_run)
            }
            RetentionVerb::Limit {
                channel,
                shortest,
                longest,
                dry_run,
                none,
            } => {
                let (mut shortest, mut longest) = (*shortest, *longest);
                // The two are set as one.
                if !none {
                    let held = client.retention(channel).await?;
                    shortest = shortest.or(held.shortest);
                    longest = longest.or(held.longest);
                }
                let change = PolicyChange::RetentionLimits { shortest, longest };
                (channel, change, *dry_run)
            }
        };
        let request = PolicyRequest { change, dry_run };
        output.put(&client.set_policy(channel, &request).await?)
    }
}
