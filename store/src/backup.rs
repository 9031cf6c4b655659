//! The file of a backup: a row of items under a passphrase, whole or not at all. What an item says
//! is the caller's affair.
//!
//! `docs/storage.md` section 8 draws the bytes.

use std::io::{self, BufRead, Write};

use kith_crdt::crypto::hash;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::stream::{ChunkAt, ChunkSeal, PREFIX_LEN};
use minicbor::{Decoder, Encoder};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::kdf::KdfCost;
use crate::wrapped::{WrapError, Wrapped, WrappedKey};

/// The format of backups that this program writes.
pub const BACKUP_FORMAT: u32 = 1;
/// Bytes that an item may have: a log's record may have half of it.
const ITEM_MAX: usize = 8 << 20;

const MAGIC: &[u8; 8] = b"KITHBAK1";
const CHECK_LEN: usize = 8;
/// Bytes of the head's CBOR at most; it has fewer than 200.
const HEAD_MAX: usize = 4_096;
/// Memory in KiB and passes that opening one may take: it may be somebody else's file.
const KDF_M_KIB_MAX: u32 = 1 << 20;
const KDF_T_MAX: u32 = 16;
/// Bytes of plaintext in a chunk.
const CHUNK: usize = 64 << 10;
/// Bytes that sealing adds to it.
const TAG: usize = 16;
const CONTEXT: &[u8] = b"kith/backup-key/v1";

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is no backup.
    #[error("this is no backup of kith's: see that it is the right file")]
    NoBackup,
    /// It was made by a newer program.
    #[error(
        "this backup has format {found}, and this program knows formats up to {BACKUP_FORMAT}: use a newer kith"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// The passphrase is not the one that it was made with.
    #[error("wrong passphrase for this backup: try again; nothing was changed")]
    WrongPassphrase,
    /// Its end is missing.
    #[error(
        "this backup is cut short, or its end is damaged: copy it again from where it was made, or use another one"
    )]
    CutShort,
    /// It is not what was written.
    #[error(
        "this backup was altered or is damaged: copy it again from where it was made, or use another one"
    )]
    Altered,
    /// It asks for more work, or less, than any backup should.
    #[error("this backup asks for {} KiB, {} passes and {} lanes, which cannot be granted: free some memory, or use another one", cost.m_kib, cost.t, cost.p)]
    TooCostly {
        /// What it asks for.
        cost: KdfCost,
    },
    /// An item is longer than any should be.
    #[error("a record of this home is too large for a backup: run `kith verify`")]
    TooLong,
    /// Reading or writing failed.
    #[error("the backup cannot be read or written: {0}; check the disk and the rights of the file")]
    Io(#[from] io::Error),
}

impl From<WrapError> for BackupError {
    fn from(error: WrapError) -> Self {
        match error {
            WrapError::WrongPassphrase => Self::WrongPassphrase,
            WrapError::Altered => Self::Altered,
            WrapError::TooCostly(cost) => Self::TooCostly { cost },
        }
    }
}

/// Whether a file that begins so is a backup, whatever becomes of the rest.
pub fn is_backup(start: &[u8]) -> bool {
    start.starts_with(&MAGIC[..7])
}

/// Writes a backup.
pub struct BackupWriter<W> {
    to: W,
    seal: ChunkSeal,
    position: u32,
    chunk: Zeroizing<Vec<u8>>,
}

impl<W> std::fmt::Debug for BackupWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupWriter(…)")
    }
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup under a passphrase.
    ///
    /// # Errors
    /// [`BackupError::TooCostly`] or [`BackupError::Io`].
    pub fn new(
        mut to: W,
        passphrase: &[u8],
        rng: &mut impl CryptoRng,
        cost: KdfCost,
    ) -> Result<Self, BackupError> {
        let key = Secret::random(rng);
        let mut prefix = [0; PREFIX_LEN];
        rng.fill_bytes(&mut prefix);
        let key_wrapped = WrappedKey::wrap(&key, (passphrase, CONTEXT), rng, cost)?;
        let head = Head {
            key: key_wrapped,
            prefix,
        };
        to.write_all(&head.to_bytes())?;
        Ok(Self {
            to,
            seal: ChunkSeal::new(&key, &prefix),
            position: 0,
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK)),
        })
    }

    /// Writes an item.
    ///
    /// # Errors
    /// [`BackupError::TooLong`] or [`BackupError::Io`].
    pub fn put(&mut self, item: &[u8]) -> Result<(), BackupError> {
        let length = u32::try_from(item.len()).ok();
        let length = length.filter(|_| item.len() <= ITEM_MAX);
        self.fill(&length.ok_or(BackupError::TooLong)?.to_be_bytes())?;
        self.fill(item)
    }

    /// Ends the backup. Whoever made the file has to sync it.
    ///
    /// # Errors
    /// [`BackupError::Io`]
    pub fn finish(mut self) -> Result<W, BackupError> {
        self.write_chunk(true)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn fill(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            // A full one is written when it is known not to be the last.
            if self.chunk.len() == CHUNK {
                self.write_chunk(false)?;
            }
            let (fits, rest) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(fits);
            bytes = rest;
        }
        Ok(())
    }

    fn write_chunk(&mut self, is_last: bool) -> Result<(), BackupError> {
        let at = ChunkAt {
            position: self.position,
            is_last,
        };
        self.to.write_all(&self.seal.seal(at, &self.chunk))?;
        self.chunk.clear();
        self.position = self.position.checked_add(1).ok_or(BackupError::TooLong)?;
        Ok(())
    }
}

/// Reads a backup.
pub struct BackupReader<R> {
    from: R,
    seal: ChunkSeal,
    position: u32,
    chunk: Zeroizing<Vec<u8>>,
    read: usize,
    is_over: bool,
}

impl<R> std::fmt::Debug for BackupReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupReader(…)")
    }
}

impl<R: BufRead> BackupReader<R> {
    /// Opens a backup.
    ///
    /// # Errors
    /// [`BackupError`]: which of no backup, newer, cut short, altered, or a wrong passphrase.
    pub fn open(mut from: R, passphrase: &[u8]) -> Result<Self, BackupError> {
        let head = Head::read(&mut from)?;
        let cost = head.key.kdf.cost();
        if cost.m_kib > KDF_M_KIB_MAX || cost.t > KDF_T_MAX {
            return Err(BackupError::TooCostly { cost });
        }
        let key = head.key.open(passphrase, CONTEXT)?;
        Ok(Self {
            from,
            seal: ChunkSeal::new(&key, &head.prefix),
            position: 0,
            chunk: Zeroizing::default(),
            read: 0,
            is_over: false,
        })
    }

    /// The next item; nothing once all were read.
    ///
    /// # Errors
    /// [`BackupError`]: cut short, altered, or what keeps it from being read.
    pub fn next_item(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, BackupError> {
        let mut length = [0; 4];
        match self.take(&mut length)? {
            0 => return Ok(None),
            4 => {}
            _ => return Err(BackupError::Altered),
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > ITEM_MAX {
            return Err(BackupError::Altered);
        }
        let mut item = Zeroizing::new(vec![0; length]);
        if self.take(&mut item)? < length {
            return Err(BackupError::Altered);
        }
        Ok(Some(item))
    }

    /// Takes bytes of the plaintext, fewer only at its end.
    fn take(&mut self, into: &mut [u8]) -> Result<usize, BackupError> {
        let mut taken = 0;
        while taken < into.len() {
            if self.read == self.chunk.len() {
                if self.is_over {
                    break;
                }
                self.read_chunk()?;
                continue;
            }
            let available = &self.chunk[self.read..];
            let count = available.len().min(into.len() - taken);
            into[taken..taken + count].copy_from_slice(&available[..count]);
            (taken, self.read) = (taken + count, self.read + count);
        }
        Ok(taken)
    }

    fn read_chunk(&mut self) -> Result<(), BackupError> {
        let mut sealed = vec![0; CHUNK + TAG];
        let length = fill(&mut self.from, &mut sealed)?;
        let is_last = length < sealed.len() || self.from.fill_buf()?.is_empty();
        sealed.truncate(length);
        let at = |is_last| ChunkAt {
            position: self.position,
            is_last,
        };
        let Ok(plain) = self.seal.open(at(is_last), &sealed) else {
            // One that was sealed as one of the middle and has nothing behind it.
            let is_cut = is_last && self.seal.open(at(false), &sealed).is_ok();
            let is_torn = is_last && length < CHUNK + TAG;
            return Err(match is_cut || is_torn {
                true => BackupError::CutShort,
                false => BackupError::Altered,
            });
        };
        self.chunk = Zeroizing::new(plain);
        self.read = 0;
        self.is_over = is_last;
        self.position = self.position.checked_add(1).ok_or(BackupError::Altered)?;
        Ok(())
    }
}

/// Reads as much as there is, at most as much as fits.
fn fill(from: &mut impl BufRead, into: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < into.len() {
        match from.read(&mut into[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// What stands before the chunks.
struct Head {
    key: WrappedKey,
    prefix: [u8; PREFIX_LEN],
}

impl Head {
    fn to_bytes(&self) -> Vec<u8> {
        let mut cbor = Encoder::new(Vec::new());
        let WrappedKey { kdf, wrapped } = &self.key;
        cbor.array(5)
            .and_then(|e| e.u32(BACKUP_FORMAT)?.encode(kdf))
            .and_then(|e| e.bytes(&wrapped.nonce)?.bytes(&wrapped.ciphertext))
            .and_then(|e| e.bytes(&self.prefix))
            .expect("writing CBOR to memory does not fail");
        let cbor = cbor.into_writer();
        let length = u32::try_from(cbor.len()).expect("a head has fewer than 200 bytes");
        let mut bytes = [MAGIC.as_slice(), &length.to_be_bytes(), &cbor].concat();
        let check = hash::derive("backup-check", &[&bytes]);
        bytes.extend_from_slice(&check[..CHECK_LEN]);
        bytes
    }

    fn read(from: &mut impl BufRead) -> Result<Self, BackupError> {
        let mut start = [0; 12];
        let length = fill(from, &mut start)?;
        let known = length.min(MAGIC.len());
        if start[..known] != MAGIC[..known] || length == 0 {
            return Err(BackupError::NoBackup);
        }
        let Some((_, length)) = start[..length]
            .split_last_chunk::<4>()
            .filter(|_| length == 12)
        else {
            return Err(BackupError::CutShort);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > HEAD_MAX {
            return Err(BackupError::Altered);
        }
        let mut rest = vec![0; length + CHECK_LEN];
        if fill(from, &mut rest)? < rest.len() {
            return Err(BackupError::CutShort);
        }
        let (cbor, check) = rest.split_at(length);
        if check != &hash::derive("backup-check", &[&start, cbor])[..CHECK_LEN] {
            return Err(BackupError::Altered);
        }
        Self::parse(cbor)
    }

    fn parse(cbor: &[u8]) -> Result<Self, BackupError> {
        let mut d = Decoder::new(cbor);
        let altered = |_: minicbor::decode::Error| BackupError::Altered;
        d.array().map_err(altered)?;
        let found = d.u32().map_err(altered)?;
        if found != BACKUP_FORMAT {
            return Err(BackupError::Newer { found });
        }
        let mut body = || -> Result<Self, minicbor::decode::Error> {
            let key = WrappedKey {
                kdf: d.decode()?,
                wrapped: Wrapped::decode(&mut d)?,
            };
            let prefix = d.bytes()?.try_into();
            let prefix =
                prefix.map_err(|_| minicbor::decode::Error::message("wrong length of a prefix"))?;
            Ok(Self { key, prefix })
        };
        body().map_err(altered)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn written(items: &[Vec<u8>]) -> Vec<u8> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut writer =
            BackupWriter::new(Vec::new(), b"open sesame", &mut rng, KdfCost::LEAST).unwrap();
        for item in items {
            writer.put(item).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8], passphrase: &[u8]) -> Result<Vec<Vec<u8>>, BackupError> {
        let mut reader = BackupReader::open(bytes, passphrase)?;
        let mut items = Vec::new();
        while let Some(item) = reader.next_item()? {
            items.push(item.to_vec());
        }
        Ok(items)
    }

    /// Items whose bytes end before, at and behind the ends of chunks.
    fn samples() -> [Vec<Vec<u8>>; 5] {
        let of = |length: usize| vec![(length % 251) as u8; length];
        [
            vec![],
            vec![of(0), of(1)],
            vec![of(CHUNK - 4)],
            vec![of(CHUNK - 4), of(3)],
            vec![of(5), of(200_000), of(CHUNK)],
        ]
    }

    #[test]
    fn what_was_written_is_read() {
        for items in samples() {
            assert_eq!(read(&written(&items), b"open sesame").unwrap(), items);
        }
    }

    #[test]
    fn a_wrong_passphrase_is_told_from_damage() {
        let bytes = written(&samples()[1]);
        let wrong = read(&bytes, b"open barley");
        assert!(matches!(wrong, Err(BackupError::WrongPassphrase)));
        assert!(matches!(
            read(b"PK\x03\x04", b""),
            Err(BackupError::NoBackup)
        ));
        assert!(matches!(read(b"", b""), Err(BackupError::NoBackup)));
    }

    #[test]
    fn wherever_it_is_cut_it_is_not_whole() {
        for items in samples() {
            let bytes = written(&items);
            let head = written(&[]).len() - TAG;
            let around = [
                head,
                head + CHUNK + TAG,
                head + 2 * (CHUNK + TAG),
                bytes.len(),
            ];
            let cuts = around
                .into_iter()
                .flat_map(|at| at.saturating_sub(20)..at + 3);
            for cut in cuts.chain(1..head).filter(|cut| *cut < bytes.len()) {
                let read = read(&bytes[..cut], b"open sesame");
                assert!(
                    matches!(read, Err(BackupError::CutShort)),
                    "{cut}: {read:?}"
                );
            }
        }
    }

    #[test]
    fn no_byte_of_it_can_be_altered() {
        let bytes = written(&samples()[1]);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(read(&altered, b"open sesame").is_err(), "at {at}");
        }
        let longer = [bytes, vec![0]].concat();
        assert!(read(&longer, b"open sesame").is_err());
    }

    #[test]
    fn a_newer_one_is_called_so() {
        let mut cbor = Encoder::new(Vec::new());
        cbor.array(1).unwrap().u32(2).unwrap();
        let cbor = cbor.into_writer();
        let mut bytes = [MAGIC.as_slice(), &[0, 0, 0, cbor.len() as u8], &cbor].concat();
        let check = hash::derive("backup-check", &[&bytes]);
        bytes.extend_from_slice(&check[..CHECK_LEN]);
        let read = read(&bytes, b"open sesame");
        assert!(matches!(read, Err(BackupError::Newer { found: 2 })));
    }
}
