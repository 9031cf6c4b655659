//! The keys of epochs, read beside whoever writes them.

use std::sync::Arc;

use kith_crdt::ids::ChannelId;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::keydb::KeyDb;
use crate::shared::Shared;
use crate::view::Reader;

/// Times that the opening is tried: files may be replaced while it looks for them.
const TRIES: usize = 5;

/// The epochs of a home, as they were at one moment.
pub struct Epochs {
    key_db: KeyDb,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Epochs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Epochs(…)")
    }
}

impl Reader {
    /// Reads the keys of epochs as they are now.
    ///
    /// # Errors
    /// [`StoreError`] if the key database cannot be opened once more.
    pub fn epochs(&self) -> Result<Epochs, StoreError> {
        let open = || KeyDb::for_reading(&self.shared.keys_at);
        let mut tried = open();
        for _ in 1..TRIES {
            if tried.is_ok() {
                break;
            }
            tried = open();
        }
        Ok(Epochs {
            key_db: tried?,
            shared: Arc::clone(&self.shared),
        })
    }
}

impl Epochs {
    /// The readable epochs of a channel.
    pub fn of(&self, channel: &ChannelId) -> Vec<Zeroizing<Vec<u8>>> {
        let Shared {
            keys,
            table_keys,
            damage,
            ..
        } = &*self.shared;
        self.key_db
            .epochs(keys.channel(channel), table_keys, damage)
    }
}
