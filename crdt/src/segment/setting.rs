//! Settings: what an account sets for itself, in its own channel, for all of its devices.
//!
//! Each says which of those before it its author knew of ([`Setting::replaces`]). So what two
//! devices set without knowing of each other stays apart, and what becomes of it is decided where
//! it is read ([`crate::projection::Settings`]).

use minicbor::{Decode, Encode};

use crate::encoding::DecodeError;
use crate::ids::{AccountId, ChannelId, MessageId};
use crate::limits::SETTING_REPLACES_MAX;

/// What a setting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The name that this account gives to another one; it is the body.
    Name(AccountId),
    /// Whether another account is blocked: 1, or 0.
    Block(AccountId),
    /// Until when a channel is muted, in milliseconds since 1970; 0 if it is not.
    Mute(ChannelId),
    /// When a channel was put away, in milliseconds since 1970; 0 if it is not.
    Archive(ChannelId),
    /// Of what in a channel this account wants to be notified.
    Notify(ChannelId),
    /// What is to be sent to a channel, or to a thread of it, some time; it is the body.
    Draft(ChannelId, Option<MessageId>),
    /// Whether this account has made sure that another one is who it seems to be: 1, or 0.
    Verify(AccountId),
    /// Something that a later version knows. It is kept and passed on, and has no effect here.
    Other {
        /// Its number.
        what: u8,
        /// Its id.
        id: [u8; 32],
        /// Its thread, if it names one.
        thread: Option<MessageId>,
    },
}

impl Subject {
    /// Whether what it is set to is a text, in the body.
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Draft(..))
    }

    /// Whether an envelope with a setting about it may have a body, or none.
    pub(super) const fn takes_body(&self, body: bool) -> bool {
        match self {
            Self::Name(_) | Self::Draft(..) | Self::Other { .. } => true,
            Self::Block(_)
            | Self::Mute(_)
            | Self::Archive(_)
            | Self::Notify(_)
            | Self::Verify(_) => !body,
        }
    }
}

/// One thing that an account sets for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What it is about.
    pub about: Subject,
    /// The settings about the same that its author knew of and that held until then.
    pub replaces: Vec<MessageId>,
    /// What it is set to; 0 where it is a text.
    pub value: u64,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    what: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    id: [u8; 32],
    #[n(2)]
    replaces: Vec<MessageId>,
    #[n(3)]
    value: u64,
    #[n(4)]
    thread: Option<MessageId>,
}

impl Setting {
    fn to_wire(&self) -> Wire {
        let (what, id, thread) = match self.about {
            Subject::Name(AccountId(id)) => (0, id, None),
            Subject::Block(AccountId(id)) => (1, id, None),
            Subject::Mute(ChannelId(id)) => (2, id, None),
            Subject::Archive(ChannelId(id)) => (3, id, None),
            Subject::Notify(ChannelId(id)) => (4, id, None),
            Subject::Draft(ChannelId(id), thread) => (5, id, thread),
            Subject::Verify(AccountId(id)) => (6, id, None),
            Subject::Other { what, id, thread } => (what, id, thread),
        };
        Wire {
            what,
            id,
            replaces: self.replaces.clone(),
            value: self.value,
            thread,
        }
    }

    fn of_wire(wire: Wire) -> Self {
        let Wire { what, id, .. } = wire;
        let about = match what {
            0 => Subject::Name(AccountId(id)),
            1 => Subject::Block(AccountId(id)),
            2 => Subject::Mute(ChannelId(id)),
            3 => Subject::Archive(ChannelId(id)),
            4 => Subject::Notify(ChannelId(id)),
            5 => Subject::Draft(ChannelId(id), wire.thread),
            6 => Subject::Verify(AccountId(id)),
            what => Subject::Other {
                what,
                id,
                thread: wire.thread,
            },
        };
        Self {
            about,
            replaces: wire.replaces,
            value: wire.value,
        }
    }

    pub(super) fn check(&self) -> Result<(), DecodeError> {
        if self.replaces.len() > SETTING_REPLACES_MAX {
            return Err(DecodeError::OutOfRange("settings replaced"));
        }
        Ok(())
    }
}

impl<C> Encode<C> for Setting {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.to_wire().encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Setting {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Wire::decode(d, ctx).map(Self::of_wire)
    }
}
