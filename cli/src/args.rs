//! The command line: what goes before every verb, and the verbs.

use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, Styles};
use clap::{Args, Parser, Subcommand};

use crate::verbs::{
    account, backup, channel, completions, contact, daemon, device, draft, erase, init, invite,
    man, member, message, pin, policy, read, retention, send, storage, tail, why,
};

/// Serverless, end-to-end encrypted chat.
#[derive(Debug, Parser)]
#[command(
    name = "kith",
    version,
    propagate_version = false,
    styles = Styles::plain(),
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 96,
    after_help = EXIT_CODES,
)]
pub(crate) struct Cli {
    /// Where and how.
    #[command(flatten)]
    pub(crate) place: Place,

    /// Print one JSON object per line, for programs
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Names of channels, accounts and messages, or prefixes of their ids.
pub(crate) fn reference() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

/// The name of a channel, with or without the `#` that it is shown with.
///
/// # Errors
///
/// A sentence, if there is nothing behind the `#`.
pub(crate) fn channel_name(text: &str) -> Result<String, &'static str> {
    match text.strip_prefix('#') {
        Some("") => Err("a name is wanted behind the #"),
        Some(name) => Ok(name.to_owned()),
        None => Ok(text.to_owned()),
    }
}

/// The home and its passphrase.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The home: one directory, one device [default: kith in the user's data directory]
    #[arg(
        long,
        global = true,
        env = "KITH_HOME",
        hide_env_values = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) home: Option<PathBuf>,

    /// A file whose first line is the passphrase; asked for on the terminal otherwise
    #[arg(
        long,
        global = true,
        env = "KITH_PASSPHRASE_FILE",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub(crate) passphrase_file: Option<PathBuf>,
}

const EXIT_CODES: &str = "\
CHANNEL is a name, #name or the beginning of an id; ID is the beginning of a message's id, OP
that of an op's, as `kith audit` prints it.

Exit codes: 0 done, 1 other error, 2 usage (also: an ambiguous name or id), 3 no daemon,
4 not found, 5 denied, 6 unreachable or timed out, 7 locked or wrong passphrase,
8 limit exceeded.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a home: a new account with its first device
    Init(init::InitArgs),
    /// Run the node of this home until it is stopped
    Daemon(daemon::DaemonArgs),
    /// Show how the daemon is and whom it is connected to
    Status,
    /// Show this account, or check the words that bring it back
    #[command(subcommand)]
    Account(account::AccountVerb),
    /// Make a backup of this home, check one, or make a home out of one
    #[command(subcommand)]
    Backup(backup::BackupVerb),
    /// Link another device to this account, list those it has, or name this one
    #[command(subcommand)]
    Device(device::DeviceVerb),
    /// Make, list, show and change channels
    #[command(subcommand)]
    Channel(channel::ChannelVerb),
    /// Make an invite to a channel, list its invites, or revoke one
    Invite(invite::InviteArgs),
    /// Join a channel by an invite's link
    Join(invite::JoinArgs),
    /// List the members of a channel, let people in, take them out, or silence them
    #[command(subcommand)]
    Member(member::MemberVerb),
    /// Give people names of your own, or hear nothing more of somebody
    #[command(subcommand)]
    Contact(contact::ContactVerb),
    /// Give somebody another role in a channel
    Role(member::RoleArgs),
    /// Explain why a member, a message or an op is as it is, rule by rule
    #[command(subcommand)]
    Why(why::WhyVerb),
    /// List who did what in a channel, every signature checked, and what was erased
    #[command(after_help = why::AUDITING)]
    Audit(why::AuditArgs),
    /// Check what is shown against the signed entries, or mend what the disk damaged
    Verify(why::VerifyArgs),
    /// Show what holds in a channel and who set it, or change it
    Policy(policy::PolicyArgs),
    /// Show how long a channel keeps its messages, or set it
    #[command(subcommand)]
    Retention(retention::RetentionVerb),
    /// Show what takes up space on this disk and what would free some, or bound it
    Storage(storage::StorageArgs),
    /// Write a message
    Send(send::SendArgs),
    /// Keep a text that is to be sent some time, on all of your devices
    Draft(draft::DraftArgs),
    /// Read a channel, oldest message first, the newest page if nothing else is said
    Read(read::ReadArgs),
    /// Show one message and where it has arrived
    Show(message::ShowArgs),
    /// Mark messages as read: those named, or all of a channel
    Mark(read::MarkArgs),
    /// Give a reaction to a message, or take it back
    React(message::ReactArgs),
    /// Pin a message in its channel, or unpin it
    Pin(pin::PinArgs),
    /// List the pinned messages of a channel, in the order in which they were pinned
    Pins(pin::PinsArgs),
    /// Replace the text of a message
    Edit(message::EditArgs),
    /// Show the texts that a message has had
    History(message::HistoryArgs),
    /// Delete a message for everyone
    Delete(message::DeleteArgs),
    /// Erase everything that you said in a channel, for everyone, or your account
    Erase(erase::EraseArgs),
    /// Tell a channel's members that you are typing
    Typing(message::TypingArgs),
    /// Print events as they happen
    Tail(tail::TailArgs),
    /// Watch three throw-away nodes on this machine talk, part and catch up
    Demo,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page
    Man(man::ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_channel_may_be_called_like_a_verb_of_invite() {
        let named = |text: &str| {
            let cli = Cli::try_parse_from(text.split(' ')).unwrap();
            matches!(cli.verb, Verb::Invite(invite) if invite.verb.is_none())
        };
        assert!(named("kith invite team --uses 3"));
        assert!(named("kith invite #revoke"));
        assert!(!named("kith invite revoke team kith:abc"));
        assert!(!named("kith invite list team"));
        assert!(named("kith invite #list"));
    }
}
