//! Backups: one file that a home can be made from again, on this device or in its place.
//!
//! What is in it and what is not, and why, stands in `docs/storage.md` section 8. Writing one reads
//! a snapshot beside the running engine; restoring one makes a new home and lets an engine go
//! through its logs, as after damage.

mod create;
mod item;
mod restore;

use std::io::BufRead;

use kith_crdt::encoding::{self, DecodeError};
use kith_crdt::identity::DeviceSecrets;
use kith_crdt::ids::{AccountId, DeviceId};
use kith_crdt::time::Millis;
use kith_store::{BackupError, BackupReader, StoreError, VaultError};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

pub(crate) use create::{BackupConfig, create};
pub use restore::{RestoreError, Step};

use item::Item;

/// Bytes of a vault's identity at most.
const IDENTITY_MAX: usize = 64 * 1024;

/// What is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Counted {
    /// Channels in which people talk.
    #[n(0)]
    pub channels: u64,
    /// Entries of their logs.
    #[n(1)]
    pub entries: u64,
    /// Messages that the home has and that are not in it, or not their texts, because they end.
    #[n(2)]
    pub left_out: u64,
}

/// Why a backup was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    /// The home's passphrase does not open it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The home cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// It would lie nowhere.
    #[error("there is no directory for {0}: make it first, or name a file elsewhere")]
    Nowhere(String),
    /// There is something under its name.
    #[error("{0} is there already: choose another name, or `--replace` the backup")]
    Exists(String),
    /// What is to be replaced is no backup.
    #[error("{0} is there already, and is no backup: choose another name")]
    NotReplaced(String),
    /// It would lie in the home itself.
    #[error(
        "{0} is in the home itself, and would be lost with it: name a file elsewhere, best on another disk"
    )]
    InHome(String),
    /// What was written cannot be read back.
    #[error(
        "the backup was written and does not read back as it was: the disk may be failing; it was removed"
    )]
    NotWritten,
}

/// What a backup says of itself once all of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// When it was made.
    pub made: Millis,
    /// The account and the device that it is of.
    pub of: (AccountId, DeviceId),
    /// What is in it.
    pub counted: Counted,
}

/// A backup that its passphrase has opened.
pub struct Backup<R> {
    items: BackupReader<R>,
    made: Millis,
    secrets: DeviceSecrets,
    identity: Zeroizing<Vec<u8>>,
    /// Entries read so far.
    entries: u64,
}

impl<R> std::fmt::Debug for Backup<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backup(…)")
    }
}

impl<R: BufRead> Backup<R> {
    /// Opens a backup, and reads what it begins with.
    ///
    /// # Errors
    /// [`BackupError`]
    pub fn open(from: R, passphrase: &[u8]) -> Result<Self, BackupError> {
        let mut items = BackupReader::open(from, passphrase)?;
        let first = items.next_item()?.ok_or(BackupError::Altered)?;
        let Item::Home { made, identity } = parsed(&first)? else {
            return Err(BackupError::Altered);
        };
        let identity = identity.0;
        Ok(Self {
            items,
            made,
            secrets: encoding::decode(&identity, IDENTITY_MAX).map_err(altered)?,
            identity,
            entries: 0,
        })
    }

    /// Reads it to its end, and restores nothing.
    ///
    /// # Errors
    /// [`BackupError`]
    pub fn check(mut self) -> Result<Checked, BackupError> {
        loop {
            if let Item::End(counted) = self.next()? {
                return Ok(self.checked(counted));
            }
        }
    }

    /// The next item. The last one says how many there were, and nothing comes after it.
    fn next(&mut self) -> Result<Item, BackupError> {
        let bytes = self.items.next_item()?.ok_or(BackupError::Altered)?;
        let item = parsed(&bytes)?;
        if matches!(item, Item::Envelope { .. }) {
            self.entries += 1;
        }
        if let Item::End(counted) = item
            && (counted.entries != self.entries || self.items.next_item()?.is_some())
        {
            return Err(BackupError::Altered);
        }
        Ok(item)
    }

    fn checked(&self, counted: Counted) -> Checked {
        Checked {
            made: self.made,
            of: (self.secrets.account, self.secrets.device()),
            counted,
        }
    }
}

fn parsed(bytes: &[u8]) -> Result<Item, BackupError> {
    encoding::decode(bytes, bytes.len()).map_err(altered)
}

/// The seal holds, so it was written so: by a program that was wrong, or is newer in a way that it
/// does not say.
fn altered(_: DecodeError) -> BackupError {
    BackupError::Altered
}
