//! Keys and secrets under other keys, as they stand in a file: a random key under a passphrase, and
//! bytes under a key.

use kith_crdt::crypto::aead::{self, NONCE_LEN};
use kith_crdt::crypto::secret::Secret;
use kith_crdt::encoding::encode;
use minicbor::{Decode, Decoder, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::kdf::{self, KdfCost, SALT_LEN};

/// Why a wrapped key does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrapError {
    /// It is not under this passphrase.
    WrongPassphrase,
    /// What it wraps is no key.
    Altered,
    /// It asks for this much work.
    TooCostly(KdfCost),
}

/// `[m_kib, t, p, salt]`
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(array)]
pub(crate) struct KdfParameters {
    #[n(0)]
    m_kib: u32,
    #[n(1)]
    t: u32,
    #[n(2)]
    p: u32,
    #[cbor(n(3), with = "minicbor::bytes")]
    salt: [u8; SALT_LEN],
}

impl KdfParameters {
    pub(crate) const fn cost(&self) -> KdfCost {
        KdfCost {
            m_kib: self.m_kib,
            t: self.t,
            p: self.p,
        }
    }

    fn derive(&self, passphrase: &[u8]) -> Result<Secret, WrapError> {
        kdf::derive(passphrase, &self.salt, self.cost())
            .map_err(|_| WrapError::TooCostly(self.cost()))
    }

    fn associated(&self, context: &[u8]) -> Vec<u8> {
        [context, &encode(self)].concat()
    }
}

/// Bytes under a key.
pub(crate) struct Wrapped {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) ciphertext: Vec<u8>,
}

impl Wrapped {
    pub(crate) fn seal(
        key: &Secret,
        associated: &[u8],
        plain: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        Self {
            nonce,
            ciphertext: aead::seal(key, &nonce, associated, plain),
        }
    }

    pub(crate) fn open(&self, key: &Secret, associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        aead::open(key, &self.nonce, associated, &self.ciphertext)
            .ok()
            .map(Zeroizing::new)
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        let nonce = d
            .bytes()?
            .try_into()
            .map_err(|_| minicbor::decode::Error::message("wrong length of a nonce"))?;
        Ok(Self {
            nonce,
            ciphertext: d.bytes()?.to_vec(),
        })
    }
}

/// A key under a passphrase. The context says what the key is for.
pub(crate) struct WrappedKey {
    pub(crate) kdf: KdfParameters,
    pub(crate) wrapped: Wrapped,
}

impl WrappedKey {
    pub(crate) fn wrap(
        key: &Secret,
        (passphrase, context): (&[u8], &[u8]),
        rng: &mut impl CryptoRng,
        cost: KdfCost,
    ) -> Result<Self, WrapError> {
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        let kdf = KdfParameters {
            m_kib: cost.m_kib,
            t: cost.t,
            p: cost.p,
            salt,
        };
        let kek = kdf.derive(passphrase)?;
        let wrapped = Wrapped::seal(&kek, &kdf.associated(context), key.expose(), rng);
        Ok(Self { kdf, wrapped })
    }

    pub(crate) fn open(&self, passphrase: &[u8], context: &[u8]) -> Result<Secret, WrapError> {
        let kek = self.kdf.derive(passphrase)?;
        let bytes = self
            .wrapped
            .open(&kek, &self.kdf.associated(context))
            .ok_or(WrapError::WrongPassphrase)?;
        let bytes = bytes.as_slice().try_into();
        Ok(Secret::new(bytes.map_err(|_| WrapError::Altered)?))
    }
}
