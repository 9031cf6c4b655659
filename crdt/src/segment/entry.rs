//! What a change may say: the entries of a segment document.
//!
//! An entry is well formed and within its bounds. Whether its author may say it, and whether
//! what it points at exists, is the projection's question.

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::setting::Setting;
use crate::encoding::{DecodeError, decode, encode};
use crate::ids::{DeviceId, LogId, MessageId, SegmentId, Window, Writer};
use crate::limits::{CHANGE_MAX, EMOJI_MAX, LOG_ENVELOPES, SEEN_RANGES_MAX, TEXT_MAX_CHARS};
use crate::time::Millis;

/// One thing a member says in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A message. Its text is the envelope's body.
    Message(Message),
    /// A new text, in the body, for a message.
    Edit {
        /// The message.
        target: MessageId,
    },
    /// The end of a message. The body may hold a reason.
    Deletion {
        /// The message.
        target: MessageId,
    },
    /// A reaction, given or taken back.
    Reaction {
        /// The message.
        target: MessageId,
        /// What the author calls one emoji.
        emoji: String,
        /// Given, or taken back.
        on: bool,
    },
    /// That a message is pinned, or not any more.
    Pin {
        /// The message.
        target: MessageId,
        /// Pinned, or not any more.
        on: bool,
    },
    /// What the author has read.
    Seen(Vec<SeenRange>),
    /// What the author's account sets for itself.
    Setting(Setting),
    /// A kind that a later version knows. It is kept and passed on, and has no effect here.
    Unknown {
        /// Its letter.
        kind: char,
        /// Its bytes.
        entry: Vec<u8>,
    },
}

/// The form of a message that announces something.
pub const ANNOUNCEMENT: u8 = 1;

/// What a message says of itself besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Message {
    /// What the body is: 0 is text, [`ANNOUNCEMENT`] text for everybody's attention.
    #[n(0)]
    pub form: u8,
    /// The message whose thread it belongs to.
    #[n(1)]
    pub thread: Option<MessageId>,
    /// The message it answers.
    #[n(2)]
    pub reply_to: Option<MessageId>,
    /// When it disappears.
    #[n(3)]
    pub expires_at: Option<Millis>,
}

/// A run of envelopes of one log that the author has read, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenRange {
    /// The log.
    pub log: LogId,
    /// The first number.
    pub first: u32,
    /// The last number.
    pub last: u32,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Target {
    #[n(0)]
    target: MessageId,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Reaction {
    #[n(0)]
    target: MessageId,
    #[n(1)]
    emoji: String,
    #[n(2)]
    on: bool,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Pin {
    #[n(0)]
    target: MessageId,
    #[n(1)]
    on: bool,
}

impl Entry {
    /// The letter of its kind.
    pub const fn kind(&self) -> char {
        match self {
            Self::Message(_) => 'm',
            Self::Edit { .. } => 'e',
            Self::Deletion { .. } => 'd',
            Self::Reaction { .. } => 'r',
            Self::Pin { .. } => 'p',
            Self::Seen(_) => 's',
            Self::Setting(_) => 'o',
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// The message it is about, if it is about one.
    pub const fn target(&self) -> Option<MessageId> {
        match self {
            Self::Edit { target }
            | Self::Deletion { target }
            | Self::Reaction { target, .. }
            | Self::Pin { target, .. } => Some(*target),
            Self::Message(_) | Self::Seen(_) | Self::Setting(_) | Self::Unknown { .. } => None,
        }
    }

    /// The bytes that stand in the document.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Message(message) => encode(message),
            Self::Edit { target } | Self::Deletion { target } => {
                encode(&Target { target: *target })
            }
            Self::Reaction { target, emoji, on } => encode(&Reaction {
                target: *target,
                emoji: emoji.clone(),
                on: *on,
            }),
            Self::Pin { target, on } => encode(&Pin {
                target: *target,
                on: *on,
            }),
            Self::Seen(ranges) => encode(ranges),
            Self::Setting(setting) => encode(setting),
            Self::Unknown { entry, .. } => entry.clone(),
        }
    }

    /// Reads the bytes of an entry of the kind with this letter.
    ///
    /// # Errors
    /// [`DecodeError`] if they are not an entry of that kind or out of its bounds. A letter this
    /// version does not know is [`Entry::Unknown`].
    pub fn parse(kind: char, bytes: &[u8]) -> Result<Self, DecodeError> {
        let entry = match kind {
            'm' => Self::Message(decode(bytes, CHANGE_MAX)?),
            'e' => Self::Edit {
                target: decode::<Target>(bytes, CHANGE_MAX)?.target,
            },
            'd' => Self::Deletion {
                target: decode::<Target>(bytes, CHANGE_MAX)?.target,
            },
            'r' => {
                let Reaction { target, emoji, on } = decode(bytes, CHANGE_MAX)?;
                Self::Reaction { target, emoji, on }
            }
            'p' => {
                let Pin { target, on } = decode(bytes, CHANGE_MAX)?;
                Self::Pin { target, on }
            }
            's' => Self::Seen(decode(bytes, CHANGE_MAX)?),
            'o' => Self::Setting(decode(bytes, CHANGE_MAX)?),
            _ => Self::Unknown {
                kind,
                entry: bytes.to_vec(),
            },
        };
        entry.check()?;
        Ok(entry)
    }

    /// Reads the body that came with the entry: a message's or an edit's text, a deletion's
    /// reason, a name or a draft. None if there is none, or it has been erased, or what it is only a later version
    /// knows.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] if it is not UTF-8 of 1 to [`TEXT_MAX_CHARS`] characters, or
    /// there where none may be.
    pub fn text(&self, body: Option<Vec<u8>>) -> Result<Option<String>, DecodeError> {
        let (Some(body), false) = (body, matches!(self, Self::Unknown { .. })) else {
            return Ok(None);
        };
        if !self.takes_body(true) {
            return Err(DecodeError::OutOfRange("body"));
        }
        let text = String::from_utf8(body).map_err(|_| DecodeError::OutOfRange("text"))?;
        if !(1..=TEXT_MAX_CHARS).contains(&text.chars().count()) {
            return Err(DecodeError::OutOfRange("text"));
        }
        Ok(Some(text))
    }

    /// Whether an envelope with this entry has a body: text, or for a deletion perhaps a reason.
    pub(super) const fn takes_body(&self, body: bool) -> bool {
        match self {
            Self::Message(_) | Self::Edit { .. } => body,
            Self::Reaction { .. } | Self::Pin { .. } | Self::Seen(_) => !body,
            Self::Setting(setting) => setting.about.takes_body(body),
            Self::Deletion { .. } | Self::Unknown { .. } => true,
        }
    }

    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Reaction { emoji, .. } if !plausible_emoji(emoji) => {
                Err(DecodeError::OutOfRange("emoji"))
            }
            Self::Seen(ranges) if ranges.len() > SEEN_RANGES_MAX => {
                Err(DecodeError::OutOfRange("seen ranges"))
            }
            Self::Setting(setting) => setting.check(),
            Self::Seen(ranges) if !ranges.iter().all(SeenRange::plausible) => {
                Err(DecodeError::OutOfRange("seen range"))
            }
            _ => Ok(()),
        }
    }
}

/// Bounds what is stored as an emoji. Whether it is one is decided where it is written and where
/// it is shown, because Unicode's table grows and the log must mean the same to every version.
fn plausible_emoji(emoji: &str) -> bool {
    (1..=EMOJI_MAX).contains(&emoji.len())
        && !emoji
            .chars()
            .any(|c| c.is_control() || c.is_ascii_alphabetic())
}

impl SeenRange {
    fn plausible(&self) -> bool {
        1 <= self.first
            && self.first <= self.last
            && self.last <= LOG_ENVELOPES
            && self.log.segment.check().is_ok()
    }
}

impl<C> Encode<C> for SeenRange {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let LogId { segment, writer } = self.log;
        e.array(6)?.u32(segment.window.0)?.u32(segment.index)?;
        e.bytes(&writer.device.0)?.u32(writer.incarnation)?;
        e.u32(self.first)?.u32(self.last)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for SeenRange {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let fields = d.array()?.filter(|&fields| fields >= 6);
        let fields = fields
            .ok_or_else(|| minicbor::decode::Error::message("a seen range has six fields"))?;
        let segment = SegmentId {
            window: Window(d.u32()?),
            index: d.u32()?,
        };
        let writer = Writer {
            device: DeviceId::decode(d, ctx)?,
            incarnation: d.u32()?,
        };
        let range = Self {
            log: LogId { segment, writer },
            first: d.u32()?,
            last: d.u32()?,
        };
        for _ in 6..fields {
            d.skip()?;
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, ChannelId};
    use crate::limits::SETTING_REPLACES_MAX;
    use crate::segment::Subject;

    fn seen(first: u32, last: u32) -> SeenRange {
        let writer = Writer {
            device: DeviceId([1; 32]),
            incarnation: 0,
        };
        SeenRange {
            log: LogId {
                segment: SegmentId {
                    window: Window(24),
                    index: 0,
                },
                writer,
            },
            first,
            last,
        }
    }

    fn setting(about: Subject, replaced: usize) -> Entry {
        Entry::Setting(Setting {
            about,
            replaces: vec![MessageId([7; 10]); replaced],
            value: 1,
        })
    }

    #[test]
    fn entries_are_small_and_come_back() {
        let target = MessageId([7; 10]);
        let sized = [
            (Entry::Message(Message::default()), 2),
            (
                Entry::Message(Message {
                    thread: Some(target),
                    ..Message::default()
                }),
                13,
            ),
            (Entry::Edit { target }, 12),
            (Entry::Deletion { target }, 12),
            (
                Entry::Reaction {
                    target,
                    emoji: "👍".into(),
                    on: true,
                },
                18,
            ),
            (Entry::Pin { target, on: true }, 13),
            (Entry::Seen(vec![seen(1, 9)]), 42),
            (setting(Subject::Block(AccountId([3; 32])), 1), 49),
            (
                setting(Subject::Draft(ChannelId([3; 32]), Some(target)), 0),
                49,
            ),
            (
                setting(
                    Subject::Other {
                        what: 77,
                        id: [3; 32],
                        thread: None,
                    },
                    5,
                ),
                94,
            ),
            (
                Entry::Unknown {
                    kind: 'q',
                    entry: vec![1, 2],
                },
                2,
            ),
        ];
        for (entry, size) in sized {
            let bytes = entry.to_bytes();
            assert_eq!(
                (bytes.len(), Entry::parse(entry.kind(), &bytes)),
                (size, Ok(entry))
            );
        }
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let bytes = [&[0x85, 0, 0xf6, 0xf6, 0xf6][..], &[0x82, 1, 2]].concat();
        assert_eq!(
            Entry::parse('m', &bytes),
            Ok(Entry::Message(Message::default()))
        );
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let target = MessageId([7; 10]);
        let refused = [
            Entry::Reaction {
                target,
                emoji: String::new(),
                on: true,
            },
            Entry::Reaction {
                target,
                emoji: "👍".repeat(17),
                on: true,
            },
            Entry::Reaction {
                target,
                emoji: "lol".into(),
                on: true,
            },
            Entry::Seen(vec![seen(0, 1)]),
            Entry::Seen(vec![seen(2, 1)]),
            Entry::Seen(vec![seen(1, LOG_ENVELOPES + 1)]),
            Entry::Seen(vec![seen(1, 1); SEEN_RANGES_MAX + 1]),
            setting(
                Subject::Notify(ChannelId([3; 32])),
                SETTING_REPLACES_MAX + 1,
            ),
        ];
        for entry in refused {
            let read = Entry::parse(entry.kind(), &entry.to_bytes());
            assert!(matches!(read, Err(DecodeError::OutOfRange(_))), "{entry:?}");
        }
    }
}
