//! Why something is as it is: the ops that led to it, each with the rule by which it counts or
//! does not; and the audit of a channel, which is all of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::channel::MemberStatus;
use crate::id::{AccountId, ChannelId, DeviceId, EpochId, MessageId, OpId};
use crate::message::DeliveryState;
use crate::role::Role;

/// A rule, as `docs/rules.md` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleInfo {
    /// Its number, such as `A4`.
    pub number: String,
    /// What it is called.
    pub name: String,
    /// What it says, in one sentence.
    pub text: String,
}

/// Somebody, by account and by the name they go by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The account.
    pub account: AccountId,
    /// The name; empty if it is not known here.
    pub name: String,
}

/// What an op does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Founds the channel.
    Found,
    /// Brings a certificate of its author's: another name, one device more.
    Certify,
    /// Has some of its author's devices be theirs no more; `value` says what they are called.
    RevokeDevices,
    /// Brings its author's account back with the phrase: earlier devices are theirs no more.
    Recover,
    /// Opens an invite, as `given`.
    Invite,
    /// Closes an invite.
    RevokeInvite,
    /// Joins by an invite, as `given`.
    Join,
    /// Lets `subject` in, as `given`.
    Add,
    /// Makes `subject` what `given` says.
    SetRole,
    /// Leaves.
    Leave,
    /// Takes `subject` out.
    Remove,
    /// Takes `subject` out and keeps it out, until `until` or for good.
    Ban,
    /// Ends the ban of `subject`.
    Unban,
    /// Keeps `subject` from writing until `until`.
    Mute,
    /// Sets `field` of the policy to `value`.
    SetPolicy,
    /// Names new keys.
    Rekey,
    /// Deletes a message of `subject`, `value` being the reason.
    DeleteMessage,
    /// Something that this version does not know.
    Unknown,
}

/// What became of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It counts.
    Stands,
    /// It is kept and passed on, and has no effect.
    Void,
    /// This version does not know it: kept, passed on, no effect here.
    NotUnderstood,
    /// Its signature does not hold: it is left out of everything.
    Forged,
}

/// One op of an explanation or an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The op; absent where it is no op of the control log but a deletion of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpId>,
    /// The deletion of a message, as it is named for `before` of an audit; absent for ops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<MessageId>,
    /// The message that was deleted; absent for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// When, by the clock of whoever did it.
    pub at: Timestamp,
    /// Who did it.
    pub account: AccountId,
    /// The name they go by; empty if it is not known here.
    pub name: String,
    /// The role they had by what they knew; null if they did not belong.
    pub role: Option<Role>,
    /// What it does.
    pub deed: Deed,
    /// Whom it is about; absent if it is about the channel, an invite or keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Person>,
    /// The role that it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Role>,
    /// When what it imposes ends; absent where there is nothing to end, or no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The field of the policy that it sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What it sets that to, or the reason of a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Of a join, the op that opened its invite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<OpId>,
    /// What became of it.
    pub verdict: Verdict,
    /// The rule under which it counts or does not; null where this version knows none.
    pub rule: Option<RuleInfo>,
    /// Why it does not count, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The other op because of which it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<OpId>,
}

/// Why an account is what it is to a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyMember {
    /// The channel.
    pub channel: ChannelId,
    /// The channel's name.
    pub channel_name: String,
    /// The account.
    pub account: AccountId,
    /// The name it goes by.
    pub name: String,
    /// Its role, or the last one it had; null if it never was a member.
    pub role: Option<Role>,
    /// How it stands; null if it never had to do with the channel.
    pub status: Option<MemberStatus>,
    /// When its mute or ban ends; absent where there is none or no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The op among `steps` that it comes down to.
    pub decided_by: Option<OpId>,
    /// What was done about it, oldest first: how it came in, what changed, what was tried and did
    /// not count, and the ops that made void what is void.
    pub steps: Vec<Step>,
    /// Whether there are older steps that are not told.
    pub cut: bool,
}

/// Why an op counts or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyOp {
    /// The channel.
    pub channel: ChannelId,
    /// The channel's name.
    pub channel_name: String,
    /// The op.
    pub op: OpId,
    /// What became of it.
    pub verdict: Verdict,
    /// The op, then the one because of which it does not count, then the one because of which
    /// that one does not, and so on.
    pub steps: Vec<Step>,
}

/// Whether a message is shown, as explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Showing {
    /// It is shown.
    Shown,
    /// It is shown as deleted, without its text.
    Deleted,
    /// It is here and not shown.
    Hidden,
    /// It is here and no key here opens it.
    Sealed,
    /// It is here and not made as a message has to be.
    Unsound,
    /// It lies beyond a fork of its writer's log.
    Forked,
}

/// The keys under which a message is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EpochInfo {
    /// The epoch.
    pub epoch: EpochId,
    /// The op that named it; null if it is not here.
    pub op: Option<OpId>,
    /// Who named it.
    pub by: Option<Person>,
    /// Whether that op counts. What was written under it before people knew is read all the same.
    pub stands: Option<bool>,
}

/// Why a message is shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyMessage {
    /// The message.
    pub id: MessageId,
    /// Its channel.
    pub channel: ChannelId,
    /// The channel's name.
    pub channel_name: String,
    /// Who wrote it; null where nobody here has the device.
    pub account: Option<AccountId>,
    /// The name they go by; empty if it is not known here.
    pub name: String,
    /// The role they had then; null if they never belonged.
    pub role: Option<Role>,
    /// The device it was written on.
    pub device: DeviceId,
    /// When; null where the envelope itself is not here.
    pub at: Option<Timestamp>,
    /// The keys it is sealed under; null where the envelope itself is not here.
    pub epoch: Option<EpochInfo>,
    /// Whether its signature holds, looked at anew; null where the envelope itself is not here.
    pub signature_holds: Option<bool>,
    /// Whether it is shown.
    pub showing: Showing,
    /// The rule by which it is shown or not.
    pub rule: RuleInfo,
    /// Why it is not shown, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The op because of which it is not shown, and what that one rests on; empty if none is.
    pub steps: Vec<Step>,
    /// The edits and deletions of it, oldest first, whether they count or not.
    pub changes: Vec<MessageChange>,
    /// Where it has arrived; null where it is not shown.
    pub state: Option<DeliveryState>,
}

/// What somebody did to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageChange {
    /// What.
    pub change: ChangeKind,
    /// When.
    pub at: Timestamp,
    /// Who; null where nobody here has the device.
    pub account: Option<AccountId>,
    /// The name they go by; empty if it is not known here.
    pub name: String,
    /// The role they had then; null if they never belonged.
    pub role: Option<Role>,
    /// The reason they gave for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it counts.
    pub counts: bool,
    /// The rule under which it counts or does not.
    pub rule: RuleInfo,
    /// Why it does not count, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The op because of which it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<OpId>,
}

/// What can be done to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Another text.
    Edit,
    /// Its end.
    Deletion,
}
