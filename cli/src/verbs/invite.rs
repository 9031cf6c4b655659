//! `kith invite` and `kith join`.

use clap::{Args, Subcommand};
use kith_api::invite::{InviteRequest, JoinRequest, RevokeInvite};
use kith_api::role::Role;

use crate::args::reference;
use crate::duration::parse_milliseconds;
use crate::output::progress::with_progress;
use crate::verbs::{Outcome, Session};

/// Makes an invite, lists those there are, or revokes one.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct InviteArgs {
    /// The channel
    #[arg(required = true, value_parser = reference())]
    channel: Option<String>,
    /// The role that whoever joins gets: reader, member, moderator, admin [default: member]
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// How many may join by it [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    uses: Option<u32>,
    /// How long it holds, such as 2h or 7days [default: 7days]
    #[arg(long, value_name = "DURATION", value_parser = parse_milliseconds)]
    expires: Option<u64>,
    /// What else to do with invites.
    #[command(subcommand)]
    pub(crate) verb: Option<InviteVerb>,
}

/// What else to do with invites.
#[derive(Debug, Subcommand)]
pub(crate) enum InviteVerb {
    /// List the invites of a channel, open or not
    List {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Take an invite back: nobody can join by it any more
    Revoke {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// The link, or the beginning of the invite's id
        #[arg(value_parser = reference())]
        invite: String,
    },
}

/// Joins a channel.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The invite's link
    link: String,
    /// How long to wait for a member to answer, such as 30s [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_milliseconds)]
    wait: Option<u64>,
}

impl Session {
    /// Makes an invite, lists those there are, or revokes one.
    pub(crate) async fn invite(&self, args: &InviteArgs) -> Outcome {
        let Self { client, output } = self;
        match &args.verb {
            Some(InviteVerb::List { channel }) => {
                return output.put_each(&client.invites(channel).await?);
            }
            Some(InviteVerb::Revoke { channel, invite }) => {
                let request = RevokeInvite {
                    invite: invite.clone(),
                };
                return output.put(&client.revoke_invite(channel, &request).await?);
            }
            None => {}
        }
        let request = InviteRequest {
            role: args.role,
            uses: args.uses,
            expires_ms: args.expires,
            key: None,
        };
        let channel = args.channel.as_deref().unwrap_or_default();
        output.put(&client.invite(channel, &request).await?)
    }

    /// Joins a channel.
    pub(crate) async fn join(&self, args: &JoinArgs) -> Outcome {
        let request = JoinRequest {
            link: args.link.clone(),
            wait_ms: args.wait,
        };
        let joined = self.client.join(&request);
        let joined = with_progress("waiting for a member to answer", joined).await?;
        self.output.put(&joined)
    }
}
