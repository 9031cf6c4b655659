//! The vault: one small file that turns a passphrase into the master key and the device's secrets.
//!
//! Everything else in a home is sealed under keys drawn from the master, so a new passphrase
//! rewrites this file alone. The file is replaced whole, never changed in place.

use std::fs;
use std::io;
use std::path::Path;

use kith_crdt::crypto::hash;
use kith_crdt::crypto::kdf::expand_secret;
use kith_crdt::crypto::secret::Secret;
use minicbor::Decoder;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::IoMeaning;
use crate::home::write_atomically;
use crate::kdf::KdfCost;
use crate::wrapped::{WrapError, Wrapped, WrappedKey};

/// The format of homes that this program writes. It is the vault that says it for the whole home.
pub const FORMAT: u32 = 2;

/// The name of the vault in a home.
const FILE: &str = "vault";
const MAGIC: &[u8; 8] = b"KITHVLT1";
const CHECK_LEN: usize = 8;
/// Bytes of a vault: a certificate of 32 devices fits many times.
const FILE_MAX: u64 = 1024 * 1024;

/// Why a vault cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is none.
    #[error("there is no vault in this home: make one with `kith init`")]
    Missing,
    /// There is one already, and it is not overwritten.
    #[error(
        "this home has a vault already: choose another directory, or remove it if it is not needed"
    )]
    Exists,
    /// The passphrase is not the one it was made with. Nothing was changed.
    #[error("wrong passphrase: try again; nothing was changed")]
    WrongPassphrase,
    /// The end of the file is missing.
    #[error(
        "the vault is cut short ({found} bytes): restore it from a backup, or make a new home and ask for an invite"
    )]
    CutShort {
        /// Bytes found.
        found: usize,
    },
    /// The file is not what was written.
    #[error(
        "the vault was altered or is damaged: restore it from a backup, or make a new home and ask for an invite"
    )]
    Altered,
    /// It was made by a newer program. Nothing was touched.
    #[error(
        "this home has format {found}, and this program knows formats up to {known}: use a newer kith; nothing was touched"
    )]
    Newer {
        /// The home's format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// It was made by an earlier program, whose records mean something else. Nothing was touched.
    #[error(
        "this home has format {found}, of an earlier kith, and this program reads format {known}: use the kith that made it, or make a new home and ask for an invite; nothing was touched"
    )]
    Older {
        /// The home's format.
        found: u32,
        /// The only format read here.
        known: u32,
    },
    /// It asks for more (or less) work than any vault should.
    #[error("the vault asks for {} KiB, {} passes and {} lanes, which cannot be granted: free some memory, or restore the vault from a backup", cost.m_kib, cost.t, cost.p)]
    TooCostly {
        /// What it asks for.
        cost: KdfCost,
    },
    /// No space is left. The old vault, if any, is as it was.
    #[error("the disk is full: nothing was changed; free some space and try again")]
    DiskFull,
    /// The home cannot be written to.
    #[error(
        "the home cannot be read or written to: give this user the right to, or mount it writable"
    )]
    ReadOnly,
    /// Reading or writing failed for another reason of the operating system's.
    #[error("the vault cannot be read or written: {0}; check the disk")]
    Io(io::Error),
}

impl From<io::Error> for VaultError {
    fn from(error: io::Error) -> Self {
        match (error.kind(), IoMeaning::of(&error)) {
            (io::ErrorKind::NotFound, _) => Self::Missing,
            (_, IoMeaning::DiskFull) => Self::DiskFull,
            (_, IoMeaning::ReadOnly) => Self::ReadOnly,
            (_, IoMeaning::Other) => Self::Io(error),
        }
    }
}

impl From<WrapError> for VaultError {
    fn from(error: WrapError) -> Self {
        match error {
            WrapError::WrongPassphrase => Self::WrongPassphrase,
            WrapError::Altered => Self::Altered,
            WrapError::TooCostly(cost) => Self::TooCostly { cost },
        }
    }
}

/// What an open vault yields.
pub struct Opened {
    /// The key from which every other key of the home is drawn.
    pub master: Secret,
    /// The device's secrets, as they were given to [`Vault::create`].
    pub identity: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened(…)")
    }
}

/// The vault of a home: operations on its file. Nothing of it stays in memory between them.
#[derive(Debug)]
pub struct Vault;

impl Vault {
    /// Makes the vault of a new home: draws a master key and wraps it and `identity`.
    ///
    /// # Errors
    /// [`VaultError::Exists`] if there is one; otherwise what kept the file from being written.
    pub fn create(
        home: &Path,
        passphrase: &[u8],
        identity: &[u8],
        rng: &mut impl CryptoRng,
        cost: KdfCost,
    ) -> Result<Opened, VaultError> {
        let master = Secret::random(rng);
        Self::create_with(home, passphrase, (identity, &master), rng, cost)?;
        Ok(Opened {
            master,
            identity: Zeroizing::new(identity.to_vec()),
        })
    }

    /// Makes the vault of a home whose records are there already, under a master key that was drawn
    /// for them.
    ///
    /// # Errors
    /// As [`Vault::create`].
    pub fn create_with(
        home: &Path,
        passphrase: &[u8],
        (identity, master): (&[u8], &Secret),
        rng: &mut impl CryptoRng,
        cost: KdfCost,
    ) -> Result<(), VaultError> {
        let path = home.join(FILE);
        if fs::exists(&path)? {
            return Err(VaultError::Exists);
        }
        let content = Content {
            master: WrappedKey::wrap(master, (passphrase, MASTER_CONTEXT), rng, cost)?,
            identity: Wrapped::seal(&identity_key(master), IDENTITY_CONTEXT, identity, rng),
        };
        Ok(write_atomically(&path, &content.to_bytes())?)
    }

    /// Opens the vault. Changes nothing on the disk, whatever the outcome.
    ///
    /// # Errors
    /// [`VaultError`]: which of missing, cut short, altered, newer, or a wrong passphrase.
    pub fn open(home: &Path, passphrase: &[u8]) -> Result<Opened, VaultError> {
        read(home)?.open(passphrase)
    }

    /// Wraps the same master under a new passphrase. No record changes.
    ///
    /// # Errors
    /// As [`Vault::open`] with the old passphrase, and what kept the file from being written;
    /// the old vault is then still there.
    pub fn change_passphrase(
        home: &Path,
        old: &[u8],
        new: &[u8],
        rng: &mut impl CryptoRng,
        cost: KdfCost,
    ) -> Result<(), VaultError> {
        let content = read(home)?;
        let master = content.open(old)?.master;
        let content = Content {
            master: WrappedKey::wrap(&master, (new, MASTER_CONTEXT), rng, cost)?,
            ..content
        };
        Ok(write_atomically(&home.join(FILE), &content.to_bytes())?)
    }

    /// Replaces the device's secrets, for example when its certificate or incarnation changed.
    ///
    /// # Errors
    /// [`VaultError::Altered`] if `master` is not this vault's, and what kept the file from
    /// being written; the old vault is then still there.
    pub fn rewrite_identity(
        home: &Path,
        master: &Secret,
        identity: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(), VaultError> {
        let content = read(home)?;
        let key = identity_key(master);
        content
            .identity
            .open(&key, IDENTITY_CONTEXT)
            .ok_or(VaultError::Altered)?;
        let identity = Wrapped::seal(&key, IDENTITY_CONTEXT, identity, rng);
        let content = Content {
            identity,
            ..content
        };
        Ok(write_atomically(&home.join(FILE), &content.to_bytes())?)
    }

    /// The format of the home, which the vault says without being opened.
    ///
    /// # Errors
    /// [`VaultError`]: missing, cut short or altered.
    pub fn format(home: &Path) -> Result<u32, VaultError> {
        match read(home) {
            Ok(_) => Ok(FORMAT),
            Err(VaultError::Newer { found, .. } | VaultError::Older { found, .. }) => Ok(found),
            Err(error) => Err(error),
        }
    }
}

const MASTER_CONTEXT: &[u8] = b"kith/vault-master/v1";
const IDENTITY_CONTEXT: &[u8] = b"kith/vault-identity/v1";

fn identity_key(master: &Secret) -> Secret {
    expand_secret(master, "vault-identity", &[])
}

fn read(home: &Path) -> Result<Content, VaultError> {
    let path = home.join(FILE);
    let len = fs::metadata(&path)?.len();
    if len > FILE_MAX {
        return Err(VaultError::Altered);
    }
    Content::parse(&fs::read(&path)?)
}

/// The content of the file, checked against its check sum and not believed beyond that.
struct Content {
    master: WrappedKey,
    identity: Wrapped,
}

impl Content {
    fn open(&self, passphrase: &[u8]) -> Result<Opened, VaultError> {
        let master = self.master.open(passphrase, MASTER_CONTEXT)?;
        let identity = self
            .identity
            .open(&identity_key(&master), IDENTITY_CONTEXT)
            .ok_or(VaultError::Altered)?;
        Ok(Opened { master, identity })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut cbor = minicbor::Encoder::new(Vec::new());
        let WrappedKey { kdf, wrapped } = &self.master;
        cbor.array(6)
            .and_then(|e| {
                e.u32(FORMAT)?
                    .encode(kdf)?
                    .bytes(&wrapped.nonce)?
                    .bytes(&wrapped.ciphertext)
            })
            .and_then(|e| {
                e.bytes(&self.identity.nonce)?
                    .bytes(&self.identity.ciphertext)
            })
            .expect("writing CBOR to memory does not fail");
        let cbor = cbor.into_writer();
        let len = u32::try_from(cbor.len()).expect("a vault is far below 4 GiB");
        let mut bytes = [MAGIC.as_slice(), &len.to_be_bytes(), &cbor].concat();
        let check = hash::derive("vault-check", &[&bytes]);
        bytes.extend_from_slice(&check[..CHECK_LEN]);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Self, VaultError> {
        let cut_short = VaultError::CutShort { found: bytes.len() };
        if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
            return Err(VaultError::Altered);
        }
        let Some((len, rest)) = bytes
            .get(MAGIC.len()..)
            .and_then(<[u8]>::split_first_chunk::<4>)
        else {
            return Err(cut_short);
        };
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| VaultError::Altered)?;
        let Some((cbor, check)) = rest.split_at_checked(len) else {
            return Err(cut_short);
        };
        let hashed = &bytes[..bytes.len() - check.len()];
        match check.len() {
            CHECK_LEN if check == &hash::derive("vault-check", &[hashed])[..CHECK_LEN] => {
                Self::parse_cbor(cbor)
            }
            0..CHECK_LEN => Err(cut_short),
            _ => Err(VaultError::Altered),
        }
    }

    fn parse_cbor(cbor: &[u8]) -> Result<Self, VaultError> {
        let mut d = Decoder::new(cbor);
        let format = d
            .array()
            .and_then(|_| d.u32())
            .map_err(|_| VaultError::Altered)?;
        match format {
            FORMAT => Self::parse_fields(&mut d).map_err(|_| VaultError::Altered),
            0 => Err(VaultError::Altered),
            found if found < FORMAT => Err(VaultError::Older {
                found,
                known: FORMAT,
            }),
            found => Err(VaultError::Newer {
                found,
                known: FORMAT,
            }),
        }
    }

    fn parse_fields(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        let kdf = d.decode()?;
        let wrapped = Wrapped::decode(d)?;
        Ok(Self {
            master: WrappedKey { kdf, wrapped },
            identity: Wrapped::decode(d)?,
        })
    }
}
