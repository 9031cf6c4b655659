//! From a passphrase to a key: Argon2id v1.3 (RFC 9106), with its cost written down next to what
//! it protects.

use argon2::{Algorithm, Argon2, Params, Version};
use kith_crdt::crypto::secret::Secret;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// Bytes of salt.
pub(crate) const SALT_LEN: usize = 16;

/// What deriving a key from a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KdfCost {
    /// Memory in KiB.
    #[n(0)]
    pub m_kib: u32,
    /// Passes over the memory.
    #[n(1)]
    pub t: u32,
    /// Lanes.
    #[n(2)]
    pub p: u32,
}

impl KdfCost {
    /// The cost of a new home: RFC 9106's second recommendation, 64 MiB, about 100 ms.
    pub const DEFAULT: Self = Self {
        m_kib: 64 * 1024,
        t: 3,
        p: 4,
    };
    /// The least that is accepted: 8 MiB, one pass, one lane. For tests and simulations.
    pub const LEAST: Self = Self {
        m_kib: 8 * 1024,
        t: 1,
        p: 1,
    };
    /// The most that is accepted: a file cannot make this program use more than 4 GiB.
    const MOST: Self = Self {
        m_kib: 4 * 1024 * 1024,
        t: 64,
        p: 64,
    };

    /// Whether a home may ask for this cost.
    pub const fn is_acceptable(&self) -> bool {
        let (least, most) = (Self::LEAST, Self::MOST);
        least.m_kib <= self.m_kib
            && self.m_kib <= most.m_kib
            && least.t <= self.t
            && self.t <= most.t
            && least.p <= self.p
            && self.p <= most.p
    }
}

impl Default for KdfCost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The cost cannot be paid: out of bounds, or more memory than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooCostly;

/// Derives the key that wraps the master key.
pub(crate) fn derive(
    passphrase: &[u8],
    salt: &[u8; SALT_LEN],
    cost: KdfCost,
) -> Result<Secret, TooCostly> {
    if !cost.is_acceptable() {
        return Err(TooCostly);
    }
    let params = Params::new(cost.m_kib, cost.t, cost.p, Some(32)).map_err(|_| TooCostly)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut())
        .map_err(|_| TooCostly)?;
    Ok(Secret::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passphrase_salt_and_cost_all_matter() {
        let key =
            |passphrase: &[u8], salt, cost| derive(passphrase, &[salt; SALT_LEN], cost).unwrap();
        let base = key(b"one", 1, KdfCost::LEAST);
        assert_eq!(base, key(b"one", 1, KdfCost::LEAST));
        assert_ne!(base, key(b"two", 1, KdfCost::LEAST));
        assert_ne!(base, key(b"one", 2, KdfCost::LEAST));
        assert_ne!(
            base,
            key(
                b"one",
                1,
                KdfCost {
                    t: 2,
                    ..KdfCost::LEAST
                }
            )
        );
    }

    #[test]
    fn costs_out_of_bounds_are_refused_unpaid() {
        let default = KdfCost::DEFAULT;
        for cost in [
            KdfCost {
                m_kib: 8 * 1024 - 1,
                ..default
            },
            KdfCost {
                m_kib: u32::MAX,
                ..default
            },
            KdfCost { t: 0, ..default },
            KdfCost { t: 65, ..default },
            KdfCost { p: 0, ..default },
            KdfCost { p: 65, ..default },
        ] {
            assert_eq!(derive(b"x", &[0; SALT_LEN], cost).err(), Some(TooCostly));
        }
        assert!(default.is_acceptable() && KdfCost::LEAST.is_acceptable());
    }
}
