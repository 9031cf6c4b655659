//! The home of a device that has joined an account.

use std::path::Path;

use getrandom::SysRng;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::device_link::DeviceLink;
use kith_crdt::encoding::encode;
use kith_crdt::identity::DeviceSecrets;
use kith_store::{HomeLock, KdfCost, Medium, Store, StoreError, Vault, VaultError};
use rand_core::UnwrapErr;
use zeroize::Zeroizing;

use crate::clock;
use crate::dialer::Dialer;
use crate::engine::{META_RECOVERY, Recovery};

/// Why the home of a device that has joined cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The vault cannot be made. There is no home.
    #[error(
        "{0}; the account lists this device already, without anybody having its keys: join once more with a new link"
    )]
    Vault(#[from] VaultError),
    /// The vault is made, and where the other device is cannot be kept.
    #[error("{0}; the home is made all the same: run `kith daemon`")]
    Store(#[from] StoreError),
}

/// Notes in a home that was just made how its account was brought back.
///
/// # Errors
/// [`StoreError`] if that cannot be kept.
pub fn note_recovery(home: &Path, master: &Secret, recovery: Recovery) -> Result<(), StoreError> {
    let mut store = Store::open(home, master, Medium::Disk)?;
    let mut batch = store.batch();
    batch.put_meta(META_RECOVERY, encode(&recovery));
    store.commit(batch)?;
    Ok(())
}

/// Makes the home of a device that has joined, which knows where the device is that showed the
/// link. The lock is the home's.
///
/// # Errors
/// [`HomeError`]
pub fn make_home(
    home: &Path,
    _lock: &HomeLock,
    passphrase: &[u8],
    (secrets, link): (&DeviceSecrets, &DeviceLink),
) -> Result<(), HomeError> {
    let mut rng = UnwrapErr(SysRng);
    let identity = Zeroizing::new(encode(secrets));
    let opened = Vault::create(home, passphrase, &identity, &mut rng, KdfCost::default())?;
    let mut store = Store::open(home, &opened.master, Medium::Disk)?;
    let mut dialer = Dialer::default();
    dialer.learn(link.host, &link.addresses, clock::now());
    let mut batch = store.batch();
    if let Some(record) = dialer.record(&link.host) {
        batch.put_peer(&link.host, record);
    }
    store.commit(batch)?;
    Ok(())
}
