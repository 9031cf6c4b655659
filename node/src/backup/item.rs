//! The items of a backup, in the bytes that `docs/storage.md` section 8 draws.

use kith_crdt::ids::{ChannelId, DeviceId, EpochId, LogId, OpId, SegmentId, TransportKey};
use kith_crdt::time::Millis;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Decoder, Encode, Encoder};
use zeroize::Zeroizing;

use super::Counted;

/// A value as it is in the home, or the secrets of its device.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Value(pub(super) Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(…)")
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl<C> Encode<C> for Value {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0).map(drop)
    }
}

impl<'b, C> Decode<'b, C> for Value {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        ByteVec::decode(d, ctx).map(|bytes| Self(Zeroizing::new(bytes.into())))
    }
}

impl Item {
    /// Bytes of what it holds.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::End(_) => 0,
            Self::Home { identity, .. } => identity.0.len(),
            Self::Meta { value, .. }
            | Self::Peer { value, .. }
            | Self::Channel { value, .. }
            | Self::Op { value, .. }
            | Self::Epoch { value, .. }
            | Self::Log { value, .. }
            | Self::Envelope { value, .. }
            | Self::Fork { value }
            | Self::Holds { value, .. }
            | Self::Erasures { value, .. } => value.0.len(),
        }
    }
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Item {
    #[n(0)]
    End(#[n(0)] Counted),
    #[n(1)]
    Home {
        #[n(0)]
        made: Millis,
        #[n(1)]
        identity: Value,
    },
    #[n(2)]
    Meta {
        #[n(0)]
        name: String,
        #[n(1)]
        value: Value,
    },
    #[n(3)]
    Peer {
        #[n(0)]
        transport: TransportKey,
        #[n(1)]
        value: Value,
    },
    /// What follows is of it.
    #[n(4)]
    Channel {
        #[n(0)]
        channel: ChannelId,
        #[n(1)]
        value: Value,
    },
    #[n(5)]
    Op {
        #[n(0)]
        op: OpId,
        #[n(1)]
        value: Value,
    },
    #[n(6)]
    Epoch {
        #[n(0)]
        epoch: EpochId,
        #[n(1)]
        value: Value,
    },
    /// What follows is of it.
    #[n(7)]
    Log {
        #[n(0)]
        log: LogId,
        #[n(1)]
        value: Value,
    },
    #[n(8)]
    Envelope {
        #[n(0)]
        seq: u32,
        #[n(1)]
        value: Value,
    },
    #[n(9)]
    Fork {
        #[n(0)]
        value: Value,
    },
    #[n(10)]
    Holds {
        #[n(0)]
        segment: SegmentId,
        #[n(1)]
        device: DeviceId,
        #[n(2)]
        value: Value,
    },
    #[n(11)]
    Erasures {
        #[n(0)]
        day: u32,
        #[n(1)]
        value: Value,
    },
}

#[cfg(test)]
mod tests {
    use kith_crdt::encoding::{decode, encode};
    use kith_crdt::ids::{Window, Writer};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// One of each kind and the CBOR of it. Names of 32 bytes are shortened to `<byte>`.
    fn samples() -> Vec<(Item, &'static str)> {
        let value = || Value::from(b"v".to_vec());
        let segment = SegmentId {
            window: Window(480_000),
            index: 2,
        };
        let log = LogId {
            segment,
            writer: Writer {
                device: DeviceId([3; 32]),
                incarnation: 7,
            },
        };
        let counted = Counted {
            channels: 1,
            entries: 2,
            left_out: 3,
        };
        let home = Item::Home {
            made: Millis(1_795_176_000_000),
            identity: value(),
        };
        let meta = Item::Meta {
            name: "hlc".into(),
            value: value(),
        };
        let peer = Item::Peer {
            transport: TransportKey([4; 32]),
            value: value(),
        };
        let channel = Item::Channel {
            channel: ChannelId([1; 32]),
            value: value(),
        };
        let op = Item::Op {
            op: OpId([5; 32]),
            value: value(),
        };
        let epoch = Item::Epoch {
            epoch: EpochId([6; 16]),
            value: value(),
        };
        let holds = Item::Holds {
            segment,
            device: DeviceId([3; 32]),
            value: value(),
        };
        let log = Item::Log {
            log,
            value: value(),
        };
        let envelope = Item::Envelope {
            seq: 9,
            value: value(),
        };
        let fork = Item::Fork { value: value() };
        let erasures = Item::Erasures {
            day: 20_000,
            value: value(),
        };
        vec![
            (Item::End(counted), "820083010203"),
            (home, "83011b000001a1f8d3ea004176"),
            (meta, "830263686c634176"),
            (peer, "83035820<04>4176"),
            (channel, "83045820<01>4176"),
            (op, "83055820<05>4176"),
            (epoch, "830650060606060606060606060606060606064176"),
            (log, "8307"),
            (envelope, "8308094176"),
            (fork, "82094176"),
            (holds, "840a"),
            (erasures, "830b194e204176"),
        ]
    }

    #[test]
    fn the_bytes_of_items_are_those_of_the_document() {
        for (item, golden) in samples() {
            let bytes = encode(&item);
            let names = (0..=9).map(|byte: u8| (hex(&[byte; 32]), format!("<{byte:02x}>")));
            let shown = names.fold(hex(&bytes), |text, (name, short)| {
                text.replace(&name, &short)
            });
            assert!(shown.starts_with(golden), "{item:?}: {shown}");
            assert_eq!(decode::<Item>(&bytes, bytes.len()).unwrap(), item);
        }
    }
}
