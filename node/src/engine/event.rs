//! What reaches the engine, as plain data: commands of the local API, news of the network, time.

use kith_crdt::control::{Policy, Role};
use kith_crdt::ids::{AccountId, ChannelId, DeviceId, InviteId, MessageId};
use kith_crdt::link::InviteLink;
use kith_crdt::retention::Retention;
use kith_crdt::segment::Subject;
use kith_crdt::term::Span;
use kith_crdt::time::Millis;

use super::members::MemberAct;
use crate::network::NetworkEvent;

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// Somebody at this node asks for something; the answer carries the token.
    Command {
        /// Names the asker to the shell.
        token: u64,
        /// Makes a repetition harmless: the same key gets the first outcome again.
        key: Option<String>,
        /// What is asked.
        command: Command,
    },
    /// The network reports something.
    Network(NetworkEvent),
    /// A deadline of the engine's has come.
    Tick,
    /// The files of the store were rewritten, but for these places, which want another try.
    Erased(Vec<(ChannelId, Span)>),
    /// The shell is about to stop: say goodbye and save what makes the next start quick.
    Stop,
}

/// What the local API can ask of the engine. References are resolved and texts are bounded by
/// the engine again: it is the one that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Makes a channel with this node's account as its owner.
    CreateChannel {
        /// At most 64 characters.
        name: String,
        /// At most 256 characters; may be empty.
        topic: String,
        /// How long its messages are kept.
        retention: Retention,
    },
    /// Shows a link by which a new device comes to belong to this account.
    ShowLink {
        /// Whether that device is to manage the account's devices as well.
        manages: bool,
        /// Until when.
        expires_at: Millis,
    },
    /// Takes in the device that waits, if this is its code.
    ConfirmLink {
        /// The link that it has used.
        id: String,
        /// Six digits, as somebody typed them.
        code: String,
    },
    /// Takes a link back.
    WithdrawLink {
        /// Which.
        id: String,
    },
    /// Gives this device another name.
    RenameDevice {
        /// At most 64 characters.
        name: String,
    },
    /// Lets a device of the account manage, too.
    GrantDevice {
        /// Which device.
        device: DeviceId,
    },
    /// Has a device of the account be one no more, for good.
    RevokeDevice {
        /// Which device.
        device: DeviceId,
    },
    /// Gives a channel another name.
    Rename {
        /// Which channel.
        channel: ChannelId,
        /// At most 64 characters.
        name: String,
    },
    /// Gives a channel another topic.
    SetTopic {
        /// Which channel.
        channel: ChannelId,
        /// At most 256 characters; may be empty.
        topic: String,
    },
    /// Sets something else of a channel's policy, or tries whether it might be set.
    SetPolicy {
        /// Which channel.
        channel: ChannelId,
        /// What.
        policy: Policy,
        /// Whether only to try.
        dry_run: bool,
    },
    /// Leaves a channel; what was read stays readable here.
    Leave {
        /// Which channel.
        channel: ChannelId,
    },
    /// Makes an invite and its link.
    Invite {
        /// Which channel.
        channel: ChannelId,
        /// What those who come will be.
        role: Role,
        /// How many may come.
        uses: u32,
        /// Until when.
        expires_at: Millis,
    },
    /// Does something about an account, or tries whether it might be done.
    Member {
        /// Which channel.
        channel: ChannelId,
        /// Which account.
        account: AccountId,
        /// What.
        act: MemberAct,
        /// Whether only to try.
        dry_run: bool,
    },
    /// Ends an invite.
    RevokeInvite {
        /// Which channel.
        channel: ChannelId,
        /// Which invite.
        invite: InviteId,
    },
    /// Takes everything off the disk that is over, and answers when that is done.
    Sweep {
        /// Whether the person says that this node's clock is right.
        confirm_clock: bool,
    },
    /// Sets how much a channel, or all of them, may take up on this disk.
    SetQuota {
        /// Which channel; all of them together if none is named.
        channel: Option<ChannelId>,
        /// How many bytes; no bound if nothing is named.
        quota: Option<u64>,
    },
    /// Takes back everything that this account said in a channel, its messages and reactions, and
    /// answers when that is written.
    TakeBack {
        /// Which channel.
        channel: ChannelId,
        /// Whether only to count it.
        dry_run: bool,
    },
    /// Joins by a link: at once, or as soon as somebody can be reached.
    Join {
        /// The parsed link.
        link: InviteLink,
    },
    /// Writes a message.
    Send {
        /// Which channel.
        channel: ChannelId,
        /// The text.
        text: String,
        /// The message it answers.
        reply_to: Option<MessageId>,
        /// The root of the thread it belongs to.
        thread: Option<MessageId>,
        /// Whether it is an announcement.
        announce: bool,
        /// After how many milliseconds it is to be gone, if sooner than the channel says.
        expire_ms: Option<u64>,
    },
    /// Replaces the text of an own message.
    Edit {
        /// Which message.
        target: MessageId,
        /// The new text.
        text: String,
    },
    /// Deletes a message for everyone.
    Delete {
        /// Which message.
        target: MessageId,
        /// Why, for the others to see.
        reason: Option<String>,
    },
    /// Adds or removes an own reaction.
    React {
        /// Which message.
        target: MessageId,
        /// One emoji.
        emoji: String,
        /// Whether it should be there.
        on: bool,
    },
    /// Pins a message, or unpins it.
    Pin {
        /// Which message.
        target: MessageId,
        /// Whether it should be pinned.
        on: bool,
    },
    /// Marks messages as read.
    Mark {
        /// Which channel.
        channel: ChannelId,
        /// Which messages; all if none are named.
        messages: Option<Vec<MessageId>>,
    },
    /// Makes good what damage on the disk took from a channel, or from all of them, as far as it
    /// can be had. It is answered when nothing more is to be had.
    Mend {
        /// Which channel; all if none is named.
        channel: Option<ChannelId>,
    },
    /// Sets something for this account, on all of its devices.
    Set {
        /// What it is about.
        about: Subject,
        /// What it is set to; 0 where it is a text.
        value: u64,
        /// The text, if it is one and not none.
        text: Option<String>,
        /// Only if this and nothing else holds.
        only_if: Option<MessageId>,
    },
    /// Tells those who are here that somebody is typing.
    Typing {
        /// Which channel.
        channel: ChannelId,
    },
}
