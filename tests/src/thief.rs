//! Somebody who holds a home and its passphrase: what is in it, and what its keys open.

use kith_crdt::encoding;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, Window};
use kith_crdt::keyring::Keyring;
use kith_crdt::keys::EpochKeys;
use kith_crdt::log::Log;
use kith_store::{Medium, Reader, Store, Vault};

use crate::home::{Home, PASSPHRASE};

/// Bytes of the largest record that is looked at.
const RECORD_MAX: usize = 4 * 1024 * 1024;
/// Windows before and after an envelope's own whose keys are tried as well, in hours.
const AROUND_HOURS: u32 = 14 * 24;

/// What a home has of one channel.
pub struct Thief {
    channel: ChannelId,
    keys: Keyring,
    envelopes: Vec<Envelope>,
}

impl Thief {
    /// Opens a home whose daemon is stopped, and reads all it has of a channel.
    ///
    /// # Panics
    /// If it cannot be opened, or a record in it cannot be read.
    pub fn of(home: &Home, channel: &str) -> Self {
        let opened = Vault::open(home.path(), PASSPHRASE.as_bytes()).expect("the vault opens");
        let store =
            Store::open(home.path(), &opened.master, Medium::Disk).expect("the store opens");
        let channel: ChannelId = channel.parse().expect("a channel's whole id");
        Self::in_store(&store, channel)
    }

    /// Reads all that a store has of a channel.
    ///
    /// # Panics
    /// If a record in it cannot be read.
    pub fn in_store(store: &Store, channel: ChannelId) -> Self {
        let mut keys = Keyring::new();
        for bytes in store.epochs(&channel) {
            keys.insert(encoding::decode::<EpochKeys>(&bytes, RECORD_MAX).expect("keys parse"));
        }
        let envelopes = envelopes(&store.reader(), &channel);
        assert_eq!(store.damage_count(), 0);
        Self {
            channel,
            keys,
            envelopes,
        }
    }

    /// Every envelope of the channel that is in the home.
    pub fn envelopes(&self) -> &[Envelope] {
        &self.envelopes
    }

    /// The keys that are in the home.
    pub const fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// Whether any key of the home, of whatever epoch and of every window within two weeks of the
    /// envelope's own, opens either part of it.
    pub fn opens(&self, envelope: &Envelope) -> bool {
        opens(&self.keys, &self.channel, envelope)
    }
}

/// Every envelope of a channel that a store has.
///
/// # Panics
/// If a record cannot be read.
pub fn envelopes(reader: &Reader, channel: &ChannelId) -> Vec<Envelope> {
    let view = reader.view();
    let mut envelopes = Vec::new();
    for (_, bytes) in view.logs(channel) {
        let log = encoding::decode::<Log>(&bytes, RECORD_MAX).expect("a log parses");
        for (seq, bytes) in view.envelopes(channel, &log.id, 1, usize::MAX, usize::MAX) {
            let envelope = Envelope::from_stored(&bytes, channel, log.id.place(seq));
            envelopes.push(envelope.expect("an envelope parses"));
        }
    }
    envelopes
}

/// Whether any key of a ring, of whatever epoch and of every window within two weeks of the
/// envelope's own, opens either part of it.
pub fn opens(keys: &Keyring, channel: &ChannelId, envelope: &Envelope) -> bool {
    let own = envelope.place().log.segment.window.0;
    let windows = own.saturating_sub(AROUND_HOURS)..=own.saturating_add(AROUND_HOURS);
    let opened =
        |key| envelope.open(channel, &key).is_ok() || envelope.open_change(channel, &key).is_ok();
    keys.iter().any(|epoch| {
        windows
            .clone()
            .filter_map(|window| keys.window_key(&epoch.epoch, Window(window)))
            .any(opened)
    })
}
