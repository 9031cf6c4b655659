//! `kith policy`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kith_api::policy::{History, PolicyChange, PolicyRequest};
use kith_api::right::Right;
use kith_api::role::Role;

use crate::args::reference;
use crate::verbs::{Outcome, Session};

/// Shows what holds in a channel, or changes it.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
    /// What to change; everything is listed if nothing is said, also what `kith retention` and
    /// `kith channel` set
    #[command(subcommand)]
    pub(crate) change: Option<Change>,
}

/// What to change in a channel.
#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// Set what newcomers may read of what was written before they came
    History {
        /// everything, a number of days such as 30, joining, or default
        value: OrDefault<History>,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
    },
    /// Set which role has a right, with every role above it
    #[command(after_help = RIGHTS)]
    Right {
        /// Which right
        right: Right,
        /// The least role that has it: reader, member, moderator, admin, owner, or default
        role: OrDefault<Role>,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
    },
}

const RIGHTS: &str = "\
Rights: write, react, attach, mention-all, pin, delete-others, invite, revoke-invites, add, remove,
mute, ban, set-topic, rename, set-policy, limit-retention, set-roles. `kith policy CHANNEL` shows who
has which.";

/// A value, or that which holds where nobody has set one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrDefault<T>(Option<T>);

impl<T: FromStr> FromStr for OrDefault<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "default" => Ok(Self(None)),
            _ => text.parse().map(|value| Self(Some(value))),
        }
    }
}

impl Session {
    /// Lists what holds in a channel, or changes it.
    pub(crate) async fn policy(&self, args: &PolicyArgs) -> Outcome {
        let Self { client, output } = self;
        let (change, dry_run) = match &args.change {
            None => return output.put_each(&client.policy(&args.channel).await?),
            Some(Change::History { value, dry_run }) => {
                (PolicyChange::History { value: value.0 }, *dry_run)
            }
            Some(Change::Right {
                right,
                role,
                dry_run,
            }) => {
                let (right, role) = (*right, role.0);
                (PolicyChange::Right { right, role }, *dry_run)
            }
        };
        let request = PolicyRequest { change, dry_run };
        output.put(&client.set_policy(&args.channel, &request).await?)
    }
}
