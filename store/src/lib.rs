//! What Kith keeps on a disk: an encrypted RocksDB, bytes in and bytes out.
//!
//! The store knows names of things and where records of them go; what is in a value is the
//! caller's affair. It has one writer (the engine owns the [`Store`]) whose every commit is one
//! atomic, synced batch, and any number of [`Reader`]s that never wait for it. Every value is
//! sealed; every key is a keyed hash or a number, so that scans work and names do not leak.
//! `docs/storage.md` draws the bytes and says what a thief of the disk learns.
//!
//! It is not a cache, not a queue and not a place for plaintext: nothing is written outside the
//! home, and RocksDB's own log is switched off.

mod backup;
mod batch;
mod damage;
mod erase;
mod error;
mod events;
mod footprint;
mod home;
mod inspect;
mod kdf;
mod keydb;
mod keys;
mod ledger;
mod moment;
mod rewrite;
mod rocks;
mod salvage;
mod scan;
mod seal;
mod shared;
mod store;
mod table;
mod timeline;
mod vault;
mod view;
mod window_keys;
mod wrapped;

pub use backup::{BACKUP_FORMAT, BackupError, BackupReader, BackupWriter, is_backup};
pub use batch::Batch;
pub use damage::{Damage, DamageKind};
pub use error::StoreError;
pub use events::EVENTS_KEPT;
pub use footprint::{ChannelFootprint, Files, Footprint, envelope_bytes};
pub use home::{
    HomeLock, LockError, begin_home, complete_home, destroy, is_being_destroyed, prepare,
};
pub use inspect::{Inspection, LogHandle, Readable};
pub use kdf::KdfCost;
pub use moment::HomeMoment;
pub use rocks::{Medium, MemoryEnv};
pub use store::{CommitInfo, Store, Swept};
pub use timeline::{Line, TimelineEntry};
pub use vault::{FORMAT, Opened, Vault, VaultError};
pub use view::{IdempotencyHandle, Reader, View};
