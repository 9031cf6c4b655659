//! `kith member` and `kith role`.

use clap::{Args, Subcommand};
use kith_api::member::{MemberAct, MemberRequest};
use kith_api::role::Role;

use crate::args::reference;
use crate::duration::parse_milliseconds;
use crate::verbs::{Outcome, Session};

/// What to do about the members of a channel.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberVerb {
    /// List everyone who is or was a member
    List {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Let in somebody whom you know from another channel, or who was here before
    Add {
        #[command(flatten)]
        whom: Whom,
        /// As what: reader, member, moderator, admin, owner [default: member]
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
    },
    /// Take somebody out; they may come back by an invite
    Remove {
        #[command(flatten)]
        whom: Whom,
    },
    /// Take somebody out and keep them out
    Ban {
        #[command(flatten)]
        whom: Whom,
        /// For how long, such as 7days [default: for good]
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_milliseconds)]
        time: Option<u64>,
    },
    /// Let somebody who was banned come back
    Unban {
        #[command(flatten)]
        whom: Whom,
    },
    /// Keep somebody from writing and reacting for a while
    Mute {
        #[command(flatten)]
        whom: Whom,
        /// For how long, such as 2h [default: 1h]
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_milliseconds)]
        time: Option<u64>,
    },
    /// Let somebody who was muted write again
    Unmute {
        #[command(flatten)]
        whom: Whom,
    },
}

/// Whom something is done about.
#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
    /// Their name, or the beginning of their account id
    #[arg(value_parser = reference())]
    account: String,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// Gives somebody another role.
#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
    /// Their name, or the beginning of their account id
    #[arg(value_parser = reference())]
    account: String,
    /// Which: reader, member, moderator, admin, owner
    role: Role,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// Milliseconds of a mute if nobody says.
const MUTE_MS: u64 = 3_600_000;

impl Session {
    /// Does something about a member, or lists them.
    pub(crate) async fn member(&self, verb: &MemberVerb) -> Outcome {
        let (whom, act) = match verb {
            MemberVerb::List { channel } => {
                return self.output.put_each(&self.client.members(channel).await?);
            }
            MemberVerb::Add { whom, role } => (whom, MemberAct::Add { role: *role }),
            MemberVerb::Remove { whom } => (whom, MemberAct::Remove),
            MemberVerb::Ban { whom, time } => (whom, MemberAct::Ban { for_ms: *time }),
            MemberVerb::Unban { whom } => (whom, MemberAct::Unban),
            MemberVerb::Mute { whom, time } => {
                let for_ms = time.unwrap_or(MUTE_MS);
                (whom, MemberAct::Mute { for_ms })
            }
            MemberVerb::Unmute { whom } => (whom, MemberAct::Mute { for_ms: 0 }),
        };
        self.act(&whom.channel, &whom.account, act, whom.dry_run)
            .await
    }

    /// Gives somebody another role.
    pub(crate) async fn role(&self, args: &RoleArgs) -> Outcome {
        let act = MemberAct::Role { role: args.role };
        self.act(&args.channel, &args.account, act, args.dry_run)
            .await
    }

    async fn act(&self, channel: &str, account: &str, act: MemberAct, dry_run: bool) -> Outcome {
        let request = MemberRequest { act, dry_run };
        let done = self.client.act_on_member(channel, account, &request);
        self.output.put(&done.await?)
    }
}
