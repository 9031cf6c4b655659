//! How one record is sealed: `version ‖ key number ‖ nonce ‖ ciphertext ‖ tag`.
//!
//! The table's name and the whole record key are bound in, so that a record moved to another
//! place does not open there. Which key a number names is not decided here.

use kith_crdt::crypto::aead::{self, NONCE_LEN, SealBroken, TAG_LEN};
use kith_crdt::crypto::hash;
use kith_crdt::crypto::secret::Secret;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::table::Table;

/// The only version of sealed records there is.
const VERSION: u8 = 1;
/// Bytes before the ciphertext.
const HEADER_LEN: usize = 1 + 4 + NONCE_LEN;
/// Bytes that sealing adds to a record.
pub(crate) const OVERHEAD: usize = HEADER_LEN + TAG_LEN;

/// The number of the key that a table has for itself.
pub(crate) const TABLE_KEY: u32 = 0;

/// Where a record is, as its seal is bound to it.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) table: Table,
    pub(crate) key: &'a [u8],
}

impl Site<'_> {
    fn associated(&self) -> Vec<u8> {
        let name = self.table.name().as_bytes();
        let mut bytes = Vec::with_capacity(16 + name.len() + self.key.len());
        bytes.extend_from_slice(b"kith/record/v1\0");
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(self.key);
        bytes
    }
}

/// Seals one record.
pub(crate) fn seal(
    site: Site<'_>,
    number: u32,
    key: &Secret,
    nonce: &[u8; NONCE_LEN],
    plain: &[u8],
) -> Vec<u8> {
    let sealed = aead::seal(key, nonce, &site.associated(), plain);
    let mut record = Vec::with_capacity(HEADER_LEN + sealed.len());
    record.push(VERSION);
    record.extend_from_slice(&number.to_be_bytes());
    record.extend_from_slice(nonce);
    record.extend_from_slice(&sealed);
    record
}

/// A record as found on the disk, split but not opened.
pub(crate) struct Sealed<'a> {
    /// The number of the key it is sealed under.
    pub(crate) number: u32,
    nonce: &'a [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Splits a record; `None` if it is too short or of another version.
    pub(crate) fn split(record: &'a [u8]) -> Option<Self> {
        let (&version, rest) = record.split_first()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        (version == VERSION).then_some(Self {
            number: u32::from_be_bytes(*number),
            nonce,
            ciphertext,
        })
    }

    /// Opens the record.
    pub(crate) fn open(&self, site: Site<'_>, key: &Secret) -> Result<Vec<u8>, SealBroken> {
        aead::open(key, self.nonce, &site.associated(), self.ciphertext)
    }
}

/// Nonces that never repeat: a secret drawn when the store is opened, hashed with a counter.
/// Asking the operating system for every record would cost more than sealing it.
pub(crate) struct Nonces {
    key: Zeroizing<[u8; 32]>,
    used: u64,
}

impl Nonces {
    pub(crate) fn new() -> Result<Self, StoreError> {
        Ok(Self {
            key: Zeroizing::new(random()?),
            used: 0,
        })
    }

    pub(crate) fn next(&mut self) -> [u8; NONCE_LEN] {
        self.used += 1;
        let full = hash::keyed(&self.key, &[&self.used.to_be_bytes()]);
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&full[..NONCE_LEN]);
        nonce
    }
}

/// Thirty-two bytes from the operating system.
pub(crate) fn random() -> Result<[u8; 32], StoreError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Site<'_> = Site {
        table: Table::Meta,
        key: b"name",
    };

    fn sample() -> (Secret, Vec<u8>) {
        let key = Secret::new([7; 32]);
        let record = seal(SITE, 3, &key, &[9; NONCE_LEN], b"value");
        (key, record)
    }

    #[test]
    fn a_record_opens_at_its_own_place_only() {
        let (key, record) = sample();
        let sealed = Sealed::split(&record).unwrap();
        assert_eq!((sealed.number, record.len()), (3, OVERHEAD + 5));
        assert_eq!(sealed.open(SITE, &key).unwrap(), b"value");
        assert!(
            sealed
                .open(
                    Site {
                        table: Table::Channels,
                        ..SITE
                    },
                    &key
                )
                .is_err()
        );
        assert!(
            sealed
                .open(
                    Site {
                        key: b"eman",
                        ..SITE
                    },
                    &key
                )
                .is_err()
        );
        assert!(sealed.open(SITE, &Secret::new([8; 32])).is_err());
    }

    #[test]
    fn a_sealed_record_is_the_golden_one() {
        let site = Site {
            table: Table::Channels,
            key: b"key",
        };
        let record = seal(site, 3, &Secret::new([11; 32]), &[12; NONCE_LEN], b"value");
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = include_str!("../tests/vectors/storage.txt");
        assert!(
            golden.lines().any(|line| line == format!("sealed {hex}")),
            "the record moved, and is now:\n{hex}"
        );
    }

    #[test]
    fn a_flipped_bit_or_a_missing_byte_is_noticed() {
        let (key, record) = sample();
        for bit in 0..record.len() * 8 {
            let mut altered = record.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            // A flipped key number names another key, which is not this one.
            let opened = Sealed::split(&altered)
                .filter(|s| s.number == 3)
                .map(|s| s.open(SITE, &key).is_ok());
            assert_ne!(opened, Some(true), "bit {bit}");
        }
        for len in 0..record.len() {
            let opened = Sealed::split(&record[..len]).map(|s| s.open(SITE, &key).is_ok());
            assert_ne!(opened, Some(true), "cut at {len}");
        }
    }

    #[test]
    fn nonces_do_not_repeat() {
        let mut nonces = Nonces::new().unwrap();
        let mut other = Nonces::new().unwrap();
        assert_ne!(nonces.next(), nonces.next());
        assert_ne!(nonces.next(), other.next());
    }
}
