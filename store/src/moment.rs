//! A home as it is at one moment, for whoever takes long to read it.
//!
//! A view keeps what was deleted since in the files until it ends, because the database writes for
//! it what it still may see. This is a second opening, read-only, of which the one that writes knows
//! nothing. The records are opened first and the keys afterwards: what was sealed by then has its
//! keys by now, unless it has ended. The keys are read at once, because their files are overwritten
//! as soon as one of them goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use kith_crdt::ids::ChannelId;
use zeroize::Zeroizing;

use crate::damage::DamageLog;
use crate::error::{RESTART, StoreError};
use crate::keydb::KeyDb;
use crate::shared::Shared;
use crate::view::{Reader, View};

/// A home at one moment.
pub struct HomeMoment {
    reader: Reader,
    epochs: BTreeMap<ChannelId, Vec<Zeroizing<Vec<u8>>>>,
}

impl std::fmt::Debug for HomeMoment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HomeMoment(…)")
    }
}

impl Reader {
    /// Opens the home as it is now, beside whoever writes to it. Takes memory and files of its own,
    /// so there should be one at a time.
    ///
    /// # Errors
    /// [`StoreError`] if a database cannot be opened once more, or its keys cannot be read.
    pub fn moment(&self) -> Result<HomeMoment, StoreError> {
        self.shared.open_again(open)
    }
}

fn open(live: &Shared) -> Result<HomeMoment, StoreError> {
    // What is met here is not told of the home: its files may have been replaced under this.
    let of_keys = DamageLog::new(None);
    let db = live.data_at.open_for_reading()?;
    let key_db = KeyDb::for_reading(&live.keys_at)?;
    let window_keys = key_db.load(&live.keys, &live.table_keys, &of_keys);
    let reader = Reader {
        shared: Arc::new(live.beside(db, window_keys, DamageLog::new(None))),
    };
    let channels = reader.view().channels().into_iter();
    let epochs = channels.map(|(channel, _)| {
        let prefix = live.keys.channel(&channel);
        (channel, key_db.epochs(prefix, &live.table_keys, &of_keys))
    });
    let epochs = epochs.collect();
    if of_keys.count() > 0 {
        return Err(StoreError::Damaged {
            what: "the key database".to_owned(),
            remedy: RESTART,
        });
    }
    Ok(HomeMoment { reader, epochs })
}

impl HomeMoment {
    /// Everything in it.
    pub fn view(&self) -> View<'_> {
        self.reader.view()
    }

    /// The epochs of a channel.
    pub fn epochs(&self, channel: &ChannelId) -> &[Zeroizing<Vec<u8>>] {
        self.epochs.get(channel).map_or(&[], Vec::as_slice)
    }
}
